/* trace.h - a sink that writes down what it is told, so that two ways of feeding the same
 * bytes can be compared, and a message with what it should be.
 *
 *     [2 {1 s:61 -5 } r:1.5 ]
 *
 * A text in parts is written like one that came whole. The trace keeps watch over what a sink
 * may rely on (announced counts and lengths hold, opens and closes match) and aborts when
 * that is broken. It needs no test library: the fuzz targets use it too. */
#ifndef CAIRN_TESTS_TRACE_H
#define CAIRN_TESTS_TRACE_H

#include "protocol/rpc.h"

/* What a call returns at fail_at. */
#define TRACE_STOP (-77)

struct trace {
    char *text; /* terminated; owned */
    size_t length, capacity;
    bool plain;        /* write reals like integers: values, not encodings */
    unsigned calls;    /* so far */
    unsigned fail_at;  /* this call (from 1) fails; 0: none */
    unsigned skip_at;  /* in this call (from 1) `reader` is told to skip; 0: none */
    struct rpc_reader *reader;
    /* Being checked. */
    unsigned depth;
    struct {
        bool map;
        uint64_t items_left;
    } open[DECODER_DEPTH_MAX + DECODER_ENVELOPE_DEPTH];
    bool in_text;
    size_t text_left;
};

void trace_init(struct trace *t);
void trace_close(struct trace *t);
/* Forgets what was written and what is open; settings stay. */
void trace_clear(struct trace *t);
/* Writes into the trace itself; no call, not checked. */
void trace_note(struct trace *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

extern const struct decoder_sink trace_sink;
extern const struct rpc_sink trace_rpc_sink;

#endif
