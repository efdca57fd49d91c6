/* expiry.h - sweeps of expired keys, and eviction, as tasks of the server.
 *
 * While keys expire, a timer waits for the first of them, or for the end of a sweep's rest; then
 * the sweep runs as a task. While memory is short, eviction is one, and after a change of its
 * policy the steps by which keys get, or lose, what it goes by. Else there is none of them, and an
 * idle server sleeps. */
#ifndef CAIRN_SERVER_EXPIRY_H
#define CAIRN_SERVER_EXPIRY_H

#include <uv.h>

#include "server/keys.h"
#include "server/tasks.h"

struct expiry {
    struct keys *keys;
    struct tasks *tasks;
    struct task sweep, evict, convert;
    uv_timer_t timer;
    uint64_t timer_ms; /* the wall clock's time that it is set to */
    size_t stuck_bytes; /* in use when nothing could be evicted; 0: something could */
    uint64_t stuck_expiring; /* keys that had a time then */
};

void expiry_init(struct expiry *x, struct keys *keys, struct tasks *tasks, uv_loop_t *loop);
/* Once a turn, before it is known whether the loop may block: starts what is due. */
void expiry_turn(struct expiry *x);

#endif
