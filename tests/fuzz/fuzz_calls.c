/* fuzz_calls.c - requests without a socket: bytes, values, calls, replies; and a heap that is
 * sound and empty at the end. fuzz_session.c has the loop around it; this one is fast, has the
 * collector step between calls, and lets allocations fail.
 *
 * Input: a byte that seeds the collector's steps (0: none), a byte of options (below), then
 * the stream, which may hold any number of messages. Everything that comes back must be
 * MessagePack. in_process.c verifies the heap at the end, and that nothing leaked. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/in_process.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"

enum options {
    OPTION_EXT = 1,        /* extension types from the start */
    OPTION_PIECES = 2,     /* the stream comes in pieces of random size */
    OPTION_FAULTS = 4,     /* now and then an allocation fails */
    OPTION_SMALL_REPLY = 8 /* replies have a low limit */
};

#define HEAP_BYTES ((size_t)4 << 20)
#define PIECE_MAX 48

/* Responses, one after the other, each MessagePack. */
static void check_output(struct in_process *p)
{
    for (size_t at = 0, used; at < p->out.length; at += used) {
        if ((unsigned char)p->out.data[at] != 0x94) abort();
        free(literal_read(p->out.data + at, p->out.length - at, &used));
    }
    writer_rewind(&p->out, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct in_process p;
    if (size < 2) return 0;
    unsigned options = data[1];
    uint64_t random = data[0] + 1;
    in_process_open(&p, HEAP_BYTES);
    p.seed = data[0];
    p.features.ext = options & OPTION_EXT;
    if (options & OPTION_SMALL_REPLY) p.host.reply_bytes_max = 200;
    else p.host.reply_bytes_max = 1 << 20;
    const char *stream = (const char *)data + 2;
    size_t length = size - 2, at = 0;
    while (at < length) {
        size_t piece = length - at;
        if (options & OPTION_PIECES && piece > PIECE_MAX)
            piece = 1 + random_below(&random, PIECE_MAX);
        if (options & OPTION_FAULTS) heap_fail_nth(p.heap, random_below(&random, 60));
        if (in_process_feed(&p, stream + at, piece) < 0) break;
        at += piece;
        check_output(&p);
    }
    heap_fail_nth(p.heap, 0);
    in_process_close(&p);
    return 0;
}
