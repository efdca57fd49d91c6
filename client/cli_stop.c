/* cli_stop.c - SIGINT and SIGTERM as a request to stop; see cli_stop.h. */
#include "client/cli_stop.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>

#define SIGNALS 2

static const int numbers[SIGNALS] = {SIGINT, SIGTERM};
static struct sigaction before[SIGNALS];
static volatile sig_atomic_t asked; /* the signal's number, or 0 */

static void on_signal(int number)
{
    asked = number;
}

void cli_stop_begin(void)
{
    /* No SA_RESTART: whoever waits in read is to see the flag. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    asked = 0;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(numbers[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
}

bool cli_stop_asked(void)
{
    return asked != 0;
}

void cli_stop_end(bool stays)
{
    for (size_t i = 0; i < SIGNALS; i++) sigaction(numbers[i], &before[i], NULL);
    if (asked == 0 || (stays && asked == SIGINT)) return;
    fflush(stdout); /* a signal does not */
    raise(asked);
}
