/* log.c - see log.h. */
#include "server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024

static struct {
    enum log_level level;
    int fd;     /* -1: standard error */
    char *path; /* NULL: standard error */
    unsigned long missing; /* lines that could not be written, as on a full disk */
    bool cut;   /* the last one that was is not whole */
} sink = {.level = LOG_LEVEL_INFO, .fd = -1};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static int file_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

int log_open(const char *level, const char *path)
{
    enum log_level new_level = LOG_LEVEL_ERROR;
    while (strcmp(level_names[new_level], level) != 0)
        if (++new_level > LOG_LEVEL_DEBUG) return -EINVAL;
    int fd = -1;
    char *copy = NULL;
    if (*path) {
        copy = strdup(path);
        if (!copy) return -ENOMEM;
        fd = file_open(path);
        if (fd < 0) {
            free(copy);
            return fd;
        }
    }
    log_close();
    sink.level = new_level;
    sink.fd = fd;
    sink.path = copy;
    return 0;
}

void log_reopen(void)
{
    if (!sink.path) return;
    int fd = file_open(sink.path);
    if (fd < 0) {
        log_error("cannot open the log file %s again: %s", sink.path, strerror(-fd));
        return;
    }
    close(sink.fd);
    sink.fd = fd;
    sink.cut = false;
}

void log_close(void)
{
    if (sink.fd >= 0) close(sink.fd);
    free(sink.path);
    sink.fd = -1;
    sink.path = NULL;
    sink.missing = 0;
    sink.cut = false;
}

/* "2026-11-25T18:00:00.000Z error ". Returns its length. */
static size_t put_head(char *line, size_t size, enum log_level level)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    return length + (size_t)snprintf(line + length, size - length, ".%03ldZ %-5s ",
                                     now.tv_nsec / 1000000, level_names[level]);
}

/* False, and errno: it is not there, or not all of it. */
static bool put_line(const char *line, size_t length)
{
    size_t at = 0;
    while (at < length) {
        ssize_t written = write(sink.fd >= 0 ? sink.fd : STDERR_FILENO, line + at, length - at);
        if (written <= 0) return false;
        at += (size_t)written;
        sink.cut = at < length;
    }
    return true;
}

/* Says on standard error, once, that the log cannot be written. */
static void complain(int error)
{
    char line[LINE_BYTES_MAX];
    if (sink.fd < 0) return;
    size_t head = put_head(line, sizeof line, LOG_LEVEL_ERROR);
    snprintf(line + head, sizeof line - head, "cannot write to the log file %.500s: %s\n",
             sink.path, strerror(error));
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    (void)written; /* where else should it be said? */
}

/* Before the first line that there is room for again. False: there is none. */
static bool tell_missing(void)
{
    char line[LINE_BYTES_MAX];
    size_t cut = sink.cut;
    if (sink.missing == 0) return true;
    line[0] = '\n';
    size_t head = cut + put_head(line + cut, sizeof line - cut, LOG_LEVEL_ERROR);
    snprintf(line + head, sizeof line - head, "%lu line%s missing here: %s not be written\n",
             sink.missing, sink.missing == 1 ? " is" : "s are",
             sink.missing == 1 ? "it could" : "they could");
    if (!put_line(line, strlen(line))) return false;
    sink.missing = 0;
    return true;
}

__attribute__((format(printf, 2, 0))) static void write_line(enum log_level level,
                                                             const char *format, va_list args)
{
    if (level > sink.level) return;
    char line[LINE_BYTES_MAX];
    size_t head = put_head(line, sizeof line, level);
    int body = vsnprintf(line + head, sizeof line - head - 1, format, args);
    size_t length = head + (body > 0 ? (size_t)body : 0);
    if (length > sizeof line - 2) length = sizeof line - 2;
    for (size_t i = head; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127) line[i] = '?';
    line[length++] = '\n';
    if (tell_missing() && put_line(line, length)) return;
    if (sink.missing++ == 0) complain(errno);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(level, format, args);
    va_end(args);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
{
    if (level > sink.level) return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (now_ms - limit->period_start_ms >= LOG_PERIOD_MS) {
        if (limit->dropped)
            log_line(level, "(%u lines like the next were left out)", limit->dropped);
        *limit = (struct log_limit){.period_start_ms = now_ms};
    }
    if (limit->written >= LOG_BURST) {
        limit->dropped++;
        return;
    }
    limit->written++;
    va_list args;
    va_start(args, format);
    write_line(level, format, args);
    va_end(args);
}
