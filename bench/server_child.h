/* server_child.h - a cairn-server of the build directory as a child, for benchmarks from outside.
 *
 * It listens on a Unix socket in a directory of its own, and if asked to on a port, too, and has a
 * heap limit of its own. The
 * program is CAIRN_BUILD/cairn-server, or ./cairn-server if that is not set. What goes wrong ends
 * the benchmark. */
#ifndef CAIRN_BENCH_SERVER_CHILD_H
#define CAIRN_BENCH_SERVER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <stdbool.h>

#include "client/cairn.h"

struct server_child {
    pid_t pid;
    bool tcp;      /* it listens on loopback, too, ... */
    unsigned port; /* ... here */
    char directory[64];
    char socket[96];
    char log[96];
};

void server_child_start(struct server_child *s, size_t max_memory_bytes, unsigned clients);
/* The same, but connections go over TCP, by the loopback interface, to a port that is free. */
void server_child_start_tcp(struct server_child *s, size_t max_memory_bytes, unsigned clients);
/* Ends it, and asserts that it ended well. */
void server_child_stop(struct server_child *s);

/* A connection; the caller ends it with cairn_destroy. */
struct cairn *server_child_connect(const struct server_child *s);
/* A call that succeeds; its result is not wanted. `args` may be NULL. */
void server_child_call(struct cairn *c, const char *method, const struct cairn_args *args);
/* Pipelines a call: takes replies, which must be successes, once `window` are outstanding. */
void server_child_send(struct cairn *c, const char *method, const struct cairn_args *args,
                       size_t window);
/* Takes all replies that are outstanding. */
void server_child_finish(struct cairn *c);
/* An integer of a map that a method answers with ("mem.info", "used_bytes"); a second name looks
 * into the map under the first, and a third further. NULL ends. */
double server_child_figure(struct cairn *c, const char *method, const char *const *names);

/* Waits until the server has used no CPU for 300 ms; at most so many seconds. */
void server_child_settle(const struct server_child *s, unsigned seconds);

#endif
