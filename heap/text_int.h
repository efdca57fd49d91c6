/* text_int.h - between text.c, text_builder.c, rope.c and utf8.c.
 *
 * A rope, for texts above TEXT_CELL_MAX, is an array of chunks under a radix tree. Every
 * chunk but the last is filled to the brim, so that the way to a byte is arithmetic:
 *
 *   root   KIND_ROPE or KIND_ROPE_BYTES
 *          [header: height][length][top][nil]      top: a chunk if height is 0, else a node
 *   node   KIND_ROPE_NODE
 *          [header: children][child]…              ROPE_FANOUT at most; all subtrees but
 *                                                  those on the right edge are full
 *   chunk  KIND_RAW, ROPE_CHUNK_BYTES of text, no header; the last one is as large as its
 *          size class, and what lies beyond the rope's length is slack
 *
 * A rope is changed in place while it has one owner. One that is shared keeps its content
 * for its other owners: appending copies the right edge, and the subtrees to the left of
 * it become shared. So whatever hangs below a shared cell must be taken for shared. */
#ifndef CAIRN_HEAP_TEXT_INT_H
#define CAIRN_HEAP_TEXT_INT_H

#include "heap/heap_int.h"
#include "heap/store.h"
#include "heap/text.h"

/* --- text.c */

/* A text of VALUE_INLINE_TEXT_MAX < length <= TEXT_CELL_MAX bytes whose heap_hash is `hash`, in
 * a new cell. VALUE_ABSENT when memory is short. */
warn_unused value text_cell_make(struct heap *h, bool is_bytes, const void *data, size_t length,
                                 uint64_t hash);

/* --- utf8.c */

#define UTF8_INVALID UINT32_MAX
/* Checks text that arrives in parts: the state after `data` in `state`. 0 begins, and says
 * that all so far is valid UTF-8; UTF8_INVALID stays; other states are inside a sequence. */
uint32_t utf8_feed(uint32_t state, const void *data, size_t length);

/* --- rope.c */

#define ROPE_CHUNK_BYTES CELL_BYTES_MAX
#ifdef CAIRN_GC_STRESS
#define ROPE_FANOUT 7
#define ROPE_HEIGHT_MAX 12
#else
#define ROPE_FANOUT 127
#define ROPE_HEIGHT_MAX 5 /* 127^5 chunks are more than any heap holds */
#endif

enum { ROPE_HEADER, ROPE_LENGTH, ROPE_TOP, ROPE_WORDS = 4 };

static inline bool value_is_rope(value v)
{
    return value_is_kind(v, KIND_ROPE) || value_is_kind(v, KIND_ROPE_BYTES);
}
static inline size_t rope_length(const struct heap *h, value rope)
{
    return (size_t)value_to_int(cell_words(h, rope)[ROPE_LENGTH]);
}

/* An empty rope, which is not a text yet. VALUE_ABSENT when memory is short. */
warn_unused value rope_new(struct heap *h, enum kind kind);
/* text_piece() for ropes. */
size_t rope_piece(const struct heap *h, value rope, size_t offset, const char **data);
/* text_append_take() for ropes; the result is of kind `kind`. */
warn_unused value rope_append_take(struct heap *h, value rope, enum kind kind, const void *data,
                                   size_t length);
/* The same rope as one of the other kind, without copying the text: consumes `rope`.
 * VALUE_ABSENT when memory is short. */
warn_unused value rope_convert_take(struct heap *h, value rope, enum kind kind);

#endif
