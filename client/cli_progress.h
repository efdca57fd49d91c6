/* cli_progress.h - how far import and export have come, and how long the server takes, on one line
 * of a terminal. */
#ifndef CAIRN_CLIENT_CLI_PROGRESS_H
#define CAIRN_CLIENT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_progress {
    bool on; /* standard error is a terminal, and nobody asked for quiet */
    bool shown;
    bool is_bytes; /* what was shown last */
    uint64_t done, total, records;
    uint64_t started_ns;
    uint64_t drawn_ns;
};

void cli_progress_start(struct cli_progress *p, bool quiet);
/* Draws at most ten times a second. `total` 0: not known. With `is_bytes`, done and total
 * are bytes; else they are records, too. */
void cli_progress_show(struct cli_progress *p, uint64_t done, uint64_t total, bool is_bytes,
                       uint64_t records);
/* The server has been silent for `ms`: from a second on that is shown, in the line of the progress
 * that is on, or in one of its own. */
void cli_progress_waiting(bool quiet, unsigned ms);
/* It has answered: a line of its own is taken away. */
void cli_progress_waited(void);
/* Takes the line away. */
void cli_progress_end(struct cli_progress *p);
double cli_progress_seconds(const struct cli_progress *p);

/* "12.3 MB"; returns text. */
#define CLI_BYTES_TEXT_MAX 16
const char *cli_bytes_format(char text[CLI_BYTES_TEXT_MAX], uint64_t bytes);

#endif
