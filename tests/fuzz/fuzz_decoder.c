/* fuzz_decoder.c - any bytes, however they are cut: the same calls and the same outcome.
 *
 * Input: one byte that chooses the limits, one that seeds the random cuts, then a stream of
 * messages. The stream is fed whole, byte by byte and in pieces of random size, to a decoder
 * and to a reader of RPC messages. The sink (trace.h) aborts when what it is told does not
 * fit together. The pieces lie in blocks of their exact size, for AddressSanitizer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/random.h"
#include "tests/support/trace.h"

static const struct decoder_limits limit_choices[] = {
    {1 << 20, 1 << 16, DECODER_DEPTH_MAX},
    {1 << 20, 1 << 16, 31},
    {32, 1 << 16, 8},
    {1 << 20, 12, 8},
    {1 << 20, 1 << 16, 1},
    {SIZE_MAX, SIZE_MAX, 0},
};

/* The size of the next piece: 0 for all that is left, 1, or a random one. */
enum cuts { WHOLE, BYTEWISE, RANDOM };

struct subject {
    struct decoder *decoder; /* one of the two */
    struct rpc_reader *reader;
    struct trace trace;
};

static int subject_feed(struct subject *s, const char *data, size_t length, size_t *used)
{
    char *copy = malloc(length);
    if (!copy) abort();
    memcpy(copy, data, length);
    int status = s->decoder ? decoder_feed(s->decoder, copy, length, used) :
                              rpc_reader_feed(s->reader, copy, length, used);
    free(copy);
    if (*used > length || (status == DECODER_MORE && *used != length)) abort();
    bool at_start = s->decoder ? decoder_at_start(s->decoder) : rpc_reader_at_start(s->reader);
    if (at_start != (status == DECODER_DONE)) abort();
    return status;
}

static void message_note(struct subject *s)
{
    trace_note(&s->trace, ". ");
    if (!s->reader) return;
    const struct rpc_message *m = rpc_reader_message(s->reader);
    if (m->method_length > RPC_METHOD_BYTES_MAX || m->method[m->method_length] != '\0') abort();
    trace_note(&s->trace, "(%d %d %" PRIu32 " %zu %d) ", (int)m->type, m->has_msgid, m->msgid,
               m->method_length, (int)m->fault);
}

/* Feeds the stream until it ends or fails; the outcome goes into the trace as well. */
static void subject_run(struct subject *s, const char *data, size_t length, enum cuts cuts,
                        uint64_t rng)
{
    int status = DECODER_MORE;
    size_t offset = 0;
    while (offset < length && status >= 0) {
        size_t used, part = length - offset;
        if (cuts == BYTEWISE) part = 1;
        if (cuts == RANDOM) part = 1 + random_below(&rng, part < 40 ? part : 40);
        status = subject_feed(s, data + offset, part, &used);
        offset += used;
        if (status == DECODER_DONE) message_note(s);
    }
    if (status < 0) {
        size_t used;
        if (subject_feed(s, "\x01", 1, &used) != status || used != 0) abort();
    }
    trace_note(&s->trace, "%d", status);
}

static void subject_init(struct subject *s, bool rpc, const struct decoder_limits *limits)
{
    memset(s, 0, sizeof *s);
    trace_init(&s->trace);
    if (rpc)
        s->reader = rpc_reader_create(&trace_rpc_sink, &s->trace, limits);
    else
        s->decoder = decoder_create(&trace_sink, &s->trace, limits);
    if (!s->reader && !s->decoder) abort();
}

static void subject_close(struct subject *s)
{
    if (s->decoder) decoder_destroy(s->decoder);
    rpc_reader_destroy(s->reader);
    trace_close(&s->trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    const struct decoder_limits *limits =
        &limit_choices[data[0] % (sizeof limit_choices / sizeof *limit_choices)];
    for (int rpc = 0; rpc <= 1; rpc++) {
        struct subject whole, other;
        subject_init(&whole, rpc, limits);
        subject_run(&whole, (const char *)data + 2, size - 2, WHOLE, 0);
        for (enum cuts cuts = BYTEWISE; cuts <= RANDOM; cuts++) {
            subject_init(&other, rpc, limits);
            subject_run(&other, (const char *)data + 2, size - 2, cuts, data[1]);
            if (strcmp(whole.trace.text, other.trace.text) != 0) {
                fprintf(stderr, "whole: %s\nparts: %s\n", whole.trace.text, other.trace.text);
                abort();
            }
            subject_close(&other);
        }
        subject_close(&whole);
    }
    return 0;
}
