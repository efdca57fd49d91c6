/* text.h - strings and bytes.
 *
 * A *text* is a string (always valid UTF-8) or bytes. Up to 7 bytes live in the value
 * word; up to TEXT_CELL_MAX in one cell (leaf), laid out by how many bytes it leaves of its cell:
 *
 *   none           [data…]                     strings only
 *   one            [0xff][data…]
 *   two or more    [10hhhhhh][llllllll][data…]…   the length is h * 256 + l
 *
 * No UTF-8 begins with 0xff or 10xxxxxx, so a string can fill its cell: many in documents are as
 * long as a size class, digests in hexadecimal first of all. Bytes may begin with anything and
 * always have a prefix. The cell is of the smallest class that fits;
 *
 * above that in a rope: a container of chunks, so that appending never copies the whole.
 *
 * What a look-up borrows may also be a view (value.h) of a text that has no cell of its own. All
 * functions here that read a text take views; those that consume one do not. */
#ifndef CAIRN_HEAP_TEXT_H
#define CAIRN_HEAP_TEXT_H

#include "heap/heap.h"

#define TEXT_CELL_MAX (CELL_BYTES_MAX - 8)

/* The length of the longest prefix of `data` that is whole UTF-8 sequences (RFC 3629). */
size_t utf8_prefix(const void *data, size_t length);
static inline bool utf8_valid(const void *data, size_t length)
{
    return utf8_prefix(data, length) == length;
}

static inline bool value_is_text(value v)
{
    return value_is_inline_text(v) || value_is_kind(v, KIND_STRING) ||
           value_is_kind(v, KIND_BYTES) || value_is_kind(v, KIND_ROPE) ||
           value_is_kind(v, KIND_ROPE_BYTES) || value_is_view(v);
}
/* `v` is a text; true for bytes, false for a string. */
bool text_is_bytes(value v);
size_t text_length(const struct heap *h, value v);

/* A string if `is_bytes` is false and `data` is valid UTF-8, else bytes.
 * VALUE_ABSENT when memory is short. */
warn_unused value text_new(struct heap *h, const void *data, size_t length, bool is_bytes);

/* A value with the content of `v` that may be stored in a second place: of a view a text of its
 * own, else `v`, shared. VALUE_ABSENT when memory is short. */
warn_unused value text_own(struct heap *h, value v);

/* The `piece`-wise content: sets *data to the bytes from `offset` on that lie together
 * and returns how many (0 at the end). Inline text is copied to `scratch`, which must
 * live as long as *data is used. *data is valid until the next change of the heap. */
struct text_scratch {
    char bytes[8];
};
size_t text_piece(const struct heap *h, value v, size_t offset, const char **data,
                  struct text_scratch *scratch);
/* Copies up to `capacity` bytes from `offset` on; returns how many. */
size_t text_copy(const struct heap *h, value v, size_t offset, void *out, size_t capacity);

/* -1, 0, 1 by bytes; strings and bytes with the same bytes are equal. O(length). */
int text_compare(const struct heap *h, value a, value b);
bool text_equals(const struct heap *h, value v, const void *data, size_t length);

/* The text with `data` added at its end. Consumes `v`, which the caller must have taken out of
 * any slot first, because its old cell may be freed: on success the result takes its
 * place (it may be `v` itself, changed), and a shared `v` is left as it was for its other
 * owners. The result is bytes if `v` is, or if it would not be valid UTF-8; since a string
 * is valid at every moment, that depends on `data` alone. Bytes stay bytes, even when an
 * append makes them valid. `data` must not lie in the heap. Amortised O(length), without
 * copying what is there already once that is a rope.
 * VALUE_ABSENT when memory is short, and `v` is then unchanged and still the caller's. */
warn_unused value text_append_take(struct heap *h, value v, const void *data, size_t length);

/* Builds a text whose bytes arrive in parts. The partial text is kept in `frame` as its
 * last value (pushed by text_builder_open), so that it survives safe points. */
struct text_builder {
    struct root_frame *frame;
    size_t slot;      /* index in the frame */
    size_t expected;  /* bytes announced; nothing is allocated for them up front */
    size_t received;
    bool is_bytes;
    uint32_t utf8_state; /* whether what has come is valid UTF-8: text_int.h */
};
/* Each function returns 0 or -ENOMEM; after that the frame still holds what there is, and
 * truncating it gives the text up. No more than `expected` bytes may be added. */
warn_unused int text_builder_open(struct heap *h, struct text_builder *b,
                                  struct root_frame *frame, size_t expected, bool is_bytes);
warn_unused int text_builder_add(struct heap *h, struct text_builder *b, const void *data,
                                 size_t length);
/* The finished text stays in the frame's slot; it is bytes if a string turned out not to
 * be valid UTF-8. */
warn_unused int text_builder_close(struct heap *h, struct text_builder *b);

/* Opaque MessagePack extension values: a leaf that remembers its type. VALUE_ABSENT when
 * memory is short or `length` is above EXT_BYTES_MAX. */
warn_unused value ext_new(struct heap *h, int8_t type, const void *data, size_t length);
int8_t ext_type(const struct heap *h, value v);
/* Valid until the next change of the heap. */
const char *ext_data(const struct heap *h, value v, size_t *length);
#define EXT_BYTES_MAX (OBJECT_BYTES_MAX - 16)

#endif
