/* in_process.h - a session without a socket: bytes in, responses out, in memory.
 *
 * The same reader, builder and calls as under the loop. Between two calls, and between two
 * steps of a long one, is a safe point, where the collector does a random amount of work
 * if `seed` is not 0. Needs no test library: the fuzz targets and models use it too. What
 * cannot be (no memory to begin with, a damaged heap) aborts with a message. */
#ifndef CAIRN_TESTS_IN_PROCESS_H
#define CAIRN_TESTS_IN_PROCESS_H

#include "heap/heap.h"
#include "protocol/rpc.h"
#include "protocol/writer.h"
#include "server/build.h"
#include "server/call.h"
#include "server/keys.h"
#include "server/refs.h"

struct in_process {
    struct heap *heap;
    struct call_host host;
    struct keys own_keys; /* the policy is refuse; tests may change it, or its time */
    struct session_features features;
    struct session_refs refs;
    struct builder builder;
    struct rpc_reader *reader;
    struct writer out; /* the responses */
    struct call call;
    uint64_t seed;
    bool shutdown; /* server.shutdown was called */
    uint64_t calls, failures;
    uint64_t steps; /* of calls that were pending */
    /* What each of them may take. With 0 it does the least there is, so that how many a call takes
     * does not depend on the machine. */
    uint64_t budget_ns;
    void (*between)(void); /* if set, called before each of them, as other sessions would be */
    enum call_outcome outcome; /* of the last message */
};

/* With a heap of its own of `max_bytes` (0: 64 MiB). */
void in_process_open(struct in_process *p, size_t max_bytes);
/* With a heap as configured. */
void in_process_open_heap(struct in_process *p, const struct heap_config *config);
/* A second session on the heap of `first`. */
void in_process_join(struct in_process *p, const struct in_process *first);
/* Ends the session; what it held is released. */
void in_process_end(struct in_process *p);
/* Ends the session, verifies the heap, empties it, checks that nothing has leaked, and
 * destroys it. */
void in_process_close(struct in_process *p);

/* Runs all whole messages in `data`, and keeps the rest for the next feed. A decoder_status
 * below 0 when the stream cannot be followed. */
int in_process_feed(struct in_process *p, const char *data, size_t length);

/* Begins the call of one whole message, and leaves it to the caller if it is pending: touch the
 * builder and call_resume, or call_abort; then reset the builder. */
enum call_outcome in_process_begin(struct in_process *p, const char *data, size_t length);

/* What happens between two calls. */
void in_process_safe_point(struct in_process *p);
/* Aborts with a message if the heap is damaged. */
void in_process_verify(struct in_process *p);

#endif
