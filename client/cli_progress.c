/* cli_progress.c - the progress line. */
#include "client/cli_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DRAW_NS 100000000u
#define BAR_COLUMNS 24
/* What takes less is not worth a line. */
#define WAITING_MS_MIN 1000

/* Only one line is drawn at a time. */
static struct cli_progress *current; /* that is on, or NULL */
static bool silent;                  /* one has been started, but not to be shown */
static bool waits;                   /* a line of cli_progress_waiting is there */
static unsigned waited_seconds;      /* that are shown, or 0 */

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *cli_bytes_format(char text[CLI_BYTES_TEXT_MAX], uint64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 1024 && unit < 6) {
        value /= 1024;
        unit++;
    }
    snprintf(text, CLI_BYTES_TEXT_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

void cli_progress_start(struct cli_progress *p, bool quiet)
{
    *p = (struct cli_progress){.on = !quiet && isatty(STDERR_FILENO), .started_ns = clock_ns()};
    p->drawn_ns = p->started_ns;
    current = p->on ? p : NULL;
    silent = quiet;
}

double cli_progress_seconds(const struct cli_progress *p)
{
    return (double)(clock_ns() - p->started_ns) / 1e9;
}

static void draw_bar(uint64_t done, uint64_t total)
{
    char bar[BAR_COLUMNS + 1];
    double part = done < total ? (double)done / (double)total : 1.0;
    size_t filled = (size_t)(part * BAR_COLUMNS);
    memset(bar, '.', BAR_COLUMNS);
    memset(bar, '#', filled);
    bar[BAR_COLUMNS] = 0;
    fprintf(stderr, "%3.0f%% [%s]  ", part * 100, bar);
}

static void draw(struct cli_progress *p, uint64_t now)
{
    char done_text[CLI_BYTES_TEXT_MAX], total_text[CLI_BYTES_TEXT_MAX];
    double seconds = (double)(now - p->started_ns) / 1e9;
    p->drawn_ns = now;
    p->shown = true;
    fputs("\r\033[K", stderr);
    if (p->total > 0) draw_bar(p->done, p->total);
    if (p->is_bytes) {
        fputs(cli_bytes_format(done_text, p->done), stderr);
        if (p->total > 0) fprintf(stderr, " of %s", cli_bytes_format(total_text, p->total));
        fputs("  ", stderr);
    }
    fprintf(stderr, "%" PRIu64 " records, %.0f/s", p->records, (double)p->records / seconds);
}

void cli_progress_show(struct cli_progress *p, uint64_t done, uint64_t total, bool is_bytes,
                       uint64_t records)
{
    uint64_t now = p->on ? clock_ns() : 0;
    p->done = done;
    p->total = total;
    p->is_bytes = is_bytes;
    p->records = records;
    if (!p->on || now - p->drawn_ns < DRAW_NS) return;
    draw(p, now);
    fflush(stderr);
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
    p->on = false;
    current = NULL;
    silent = false;
}

/* --- waiting ----------------------------------------------------------------------------*/

void cli_progress_waiting(bool quiet, unsigned ms)
{
    bool new_second = ms / 1000 != waited_seconds;
    if (quiet || silent || ms < WAITING_MS_MIN || !isatty(STDERR_FILENO) || !new_second) return;
    waited_seconds = ms / 1000;
    if (current) {
        draw(current, clock_ns());
        fprintf(stderr, "  (waiting for the server, %u s)", ms / 1000);
    } else {
        fprintf(stderr, "\r\033[Kwaiting for the server, %u s", ms / 1000);
        waits = true;
    }
    fflush(stderr);
}

void cli_progress_waited(void)
{
    if (waits) fputs("\r\033[K", stderr);
    waits = false;
    waited_seconds = 0;
}
