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
} sink = {LOG_LEVEL_INFO, -1, NULL};

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
}

void log_close(void)
{
    if (sink.fd >= 0) close(sink.fd);
    free(sink.path);
    sink.fd = -1;
    sink.path = NULL;
}

__attribute__((format(printf, 2, 0))) static void write_line(enum log_level level,
                                                             const char *format, va_list args)
{
    if (level > sink.level) return;
    char line[LINE_BYTES_MAX];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t head = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    head += (size_t)snprintf(line + head, sizeof line - head, ".%03ldZ %-5s ",
                             now.tv_nsec / 1000000, level_names[level]);
    int body = vsnprintf(line + head, sizeof line - head - 1, format, args);
    size_t length = head + (body > 0 ? (size_t)body : 0);
    if (length > sizeof line - 2) length = sizeof line - 2;
    for (size_t i = head; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127) line[i] = '?';
    line[length++] = '\n';
    ssize_t written = write(sink.fd >= 0 ? sink.fd : STDERR_FILENO, line, length);
    (void)written; /* where should it be said? */
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
