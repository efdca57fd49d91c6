/* build.h - builds the parameters of one request in the heap, while they arrive.
 *
 * The builder is the sink of an rpc_reader (protocol/rpc.h). There is no tree between the
 * bytes and the heap: finished values are pushed on a root frame as on a stack. The items
 * of a small container wait there until it closes and become a list or a map at once; a
 * large container is made when it opens and takes its items in batches, so that memory
 * grows with what arrives and never with what a header announces. After a message,
 * frame.slots[0 .. frame.count) are its parameters.
 *
 * Failure (memory is short, a value that cannot be kept) is remembered, what was built is
 * released at once, and the rest of the message is read without being built; the stream goes
 * on. The session then answers with error and message.
 *
 * Use, per session:
 *
 *     builder_init(&b, heap, &session->features);
 *     b.reader = rpc_reader_create(builder_sink(), &b, &limits);
 *     for each piece of input:
 *         builder_touch(&b);                      every time after a safe point
 *         rpc_reader_feed(b.reader, ...);
 *         on DECODER_DONE:
 *             b.failed ? call_write_error(..., b.error, b.message)
 *                      : call_begin(call with args = b.frame.slots, arg_count = b.frame.count)
 *             builder_reset(&b);                  after the call has ended
 *     builder_close(&b); rpc_reader_destroy(b.reader);
 *
 * While a call is pending its args stay in the frame; builder_touch comes before each
 * call_resume too.
 *
 * With features.ext on, containers are made when they open, because a back-reference inside
 * them may name them, and extension types mean (payloads are unsigned big-endian numbers of
 * 1, 2, 4 or 8 bytes):
 *
 *     1 REF     the n-th container of this message, counted from 0 as they open; the
 *               params array itself does not count. The same container, in one more place.
 *     2 HANDLE  an id that hold or new gave out; may stand for the key of a path
 *     3 WEAK    a weak reference to the n-th container of this message; empty: a dead one
 *     4 SET     a set, which is a container of this message, too: an array of its members
 *
 * All others are kept as they are. With features.ext off any of them is NEEDS_EXT, since it
 * could not be read back.
 *
 * The rows of table.append are left packed, as the MessagePack that they are, in one value of bytes
 * (server/packed_rows.h): a message's longest list of lists would be made only to be taken apart
 * again. With features.ext on they are values like others, since back-references count them. */
#ifndef CAIRN_SERVER_BUILD_H
#define CAIRN_SERVER_BUILD_H

#include "heap/text.h"
#include "protocol/rpc.h"
#include "server/call.h"

enum ext_type {
    EXT_REF = 1,
    EXT_HANDLE = 2,
    EXT_WEAK = 3,
    EXT_SET = 4,
    EXT_TABLE = 6,
    EXT_ARROW = 8,
};

struct builder_level;
struct decoder;

struct builder {
    struct heap *heap;
    struct root_frame frame;   /* the finished parameters, then what waits in open containers */
    struct rpc_reader *reader; /* set by the session */
    const struct session_features *features;

    bool packed_rows; /* the option `rows` of parameter 2 is packed */

    bool failed;
    enum error_code error;
    char message[256];

    /* --- private ---------------------------------------------------------------------*/
    bool holding;                 /* this message may use what the heap holds back */
    bool making;                  /* this message's containers are made as they open */
    bool packing;                 /* this message may have rows that are left packed */
    struct builder_level *levels; /* open containers */
    size_t level_count, level_capacity;
    value *opened;                /* ext: all containers of this message, borrowed and pinned */
    size_t opened_count, opened_capacity;
    enum decoder_text text_type;  /* of the text that arrives in parts */
    struct text_builder text;
    struct text_builder rows;     /* the packed ones */
    int8_t ext_type;
    char *ext_data;
    size_t ext_length, ext_capacity;
    struct decoder *set_decoder; /* of a set's payload; NULL until there is one */
    bool in_set;                 /* the text under way is such a payload */
    int set_progress;            /* build_set.c */
};

/* `features` is read at the start of every message, and must outlive the builder. */
void builder_init(struct builder *b, struct heap *heap, const struct session_features *features);
/* Releases everything. */
void builder_close(struct builder *b);
/* Releases the values and forgets the failure: ready for the next message. Touches. */
void builder_reset(struct builder *b);
/* After a safe point, before anything else is done with the builder or its frame. */
void builder_touch(struct builder *b);
/* The context of its functions is a struct builder. */
const struct rpc_sink *builder_sink(void);

#endif
