/* cli_stop.h - SIGINT and SIGTERM as a request to stop, for commands that have to tidy up.
 *
 * Between cli_stop_begin and cli_stop_end the first of them only sets a flag, and interrupts a
 * read or write that waits; the second ends the program as ever. A signal that is ignored
 * stays ignored. */
#ifndef CAIRN_CLIENT_CLI_STOP_H
#define CAIRN_CLIENT_CLI_STOP_H

#include <stdbool.h>

void cli_stop_begin(void);
/* Whether there was a signal. */
bool cli_stop_asked(void);
/* Puts things back. If there was a signal, the program ends by it; but with `stays`, not by
 * SIGINT, which on a terminal is about the command only. */
void cli_stop_end(bool stays);

#endif
