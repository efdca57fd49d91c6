/* log.h - what the server says about itself: readable lines with a time and a level.
 *
 *   2026-01-31T12:00:00.123Z info  listening on 127.0.0.1:22476
 *
 * Each line is one write, so lines never mix. Control characters are replaced: nothing
 * that a client sends can forge a line. What a client can cause at will goes through
 * log_limited, so that nobody fills a disk. */
#ifndef CAIRN_SERVER_LOG_H
#define CAIRN_SERVER_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* From now on logs `level` (a name: "error", "warn", "info", "debug") and worse to the
 * file at `path`, or to standard error if it is empty. 0 or a negative errno number; then
 * nothing changed. Before the first call: info, standard error. */
int log_open(const char *level, const char *path);
/* Opens the same file again, after something has renamed it. */
void log_reopen(void);
void log_close(void);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* One for each place that a client can reach at will; zeroed at first. Of the lines that
 * come through it, LOG_BURST are written each LOG_PERIOD_MS, then how many were not. */
#define LOG_BURST 20
#define LOG_PERIOD_MS 10000
struct log_limit {
    uint64_t period_start_ms;
    uint32_t written, dropped;
};
void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
