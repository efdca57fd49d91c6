/* session_fixture.h - what the tests of connections share: a server, a writer for requests, and
 * clients.
 *
 * Nothing here or in its tests waits for a time to pass where something can be asked instead: on a
 * busy machine a process may stand still for any time between two lines. What the server has read
 * by now is known when it has answered a request that was sent after that; what it does first
 * with several requests shows when they are sent while it is halted. */
#ifndef CAIRN_TESTS_SESSION_FIXTURE_H
#define CAIRN_TESTS_SESSION_FIXTURE_H

#include "tests/support/runner.h"
#include "tests/support/server_process.h"
#include "tests/support/wire.h"

extern struct server_process server;
extern struct writer out;

/* A checked fixture: the server is started by the test, with START, and ends with a sound heap. */
void session_setup(void);
void session_teardown(void);

/* Options, or NULL. */
#define START(...) server_process_start(&server, (const char *const[]){__VA_ARGS__, NULL})

/* A new connection, until hang_up or reset. */
struct wire *tcp(void);
struct wire *local(void);
void hang_up(struct wire *w);
/* Hangs up without the usual farewell. */
void reset(struct wire *w);

/* Until the server's log holds `text`. */
void wait_for_log(const char *text);
/* Until the server has spent a whole second with at most a clock tick of CPU. */
void wait_until_idle(void);

#endif
