/* text.c - strings and bytes: short ones in the word, middling ones in a cell, the rest in
 * ropes (rope.c).
 *
 * Each text has exactly one form, given by its length alone, and the reference of a cell
 * carries hash bits of its content. So two texts of one kind whose lengths put them into
 * words or cells differ if their words or their hash bits differ. */
#include "heap/text_int.h"

#include <endian.h>

/* The first byte of a cell whose text leaves one byte, and that of one which leaves more. */
#define TEXT_ALL_BUT_ONE 0xff
#define TEXT_LENGTH_MARK 0x80
#define TEXT_LENGTH_MARK_MASK 0xc0
_Static_assert(TEXT_CELL_MAX < 1 << 14, "a length has 14 bits");

/* What a text needs at least: a string can do without a prefix. */
static inline size_t text_cell_needs(bool is_bytes, size_t length) { return length + is_bytes; }

static inline size_t text_prefix_bytes(size_t cell_size, size_t length)
{
    size_t left = cell_size - length;
    return left < 2 ? left : 2;
}

/* The length of the text in a cell; its bytes in *data. */
static size_t text_cell_read(const struct heap *h, value v, const char **data)
{
    const unsigned char *cell = cell_bytes(h, v);
    if (likely((cell[0] & TEXT_LENGTH_MARK_MASK) == TEXT_LENGTH_MARK)) {
        *data = (const char *)cell + 2;
        return (size_t)(cell[0] & ~TEXT_LENGTH_MARK_MASK) << 8 | cell[1];
    }
    size_t prefix = cell[0] == TEXT_ALL_BUT_ONE;
    *data = (const char *)cell + prefix;
    return page_cell_bytes(ref_page(h, v)) - prefix;
}

static void text_cell_set_prefix(struct heap *h, value v, size_t prefix, size_t length)
{
    if (prefix == 2) {
        unsigned char bytes[2] = {(unsigned char)(TEXT_LENGTH_MARK | length >> 8),
                                  (unsigned char)length};
        store_bytes(h, v, 0, bytes, sizeof bytes);
    } else if (prefix == 1) {
        unsigned char byte = TEXT_ALL_BUT_ONE;
        store_bytes(h, v, 0, &byte, sizeof byte);
    }
}

static inline uint32_t text_hash(const struct heap *h, const void *data, size_t length)
{
    return (uint32_t)(heap_hash(h, data, length) & REF_HASH_MASK);
}

static inline enum kind text_cell_kind(bool is_bytes)
{
    return is_bytes ? KIND_BYTES : KIND_STRING;
}
static inline enum kind text_rope_kind(bool is_bytes)
{
    return is_bytes ? KIND_ROPE_BYTES : KIND_ROPE;
}

bool text_is_bytes(value v)
{
    /* The bit is the same in both. */
    if (value_is_inline_text(v) || value_is_view(v)) return value_inline_is_bytes(v);
    return value_is_kind(v, KIND_BYTES) || value_is_kind(v, KIND_ROPE_BYTES);
}

/* Sets *data to the whole text if it is in one piece: not for ropes. */
static size_t text_flat(const struct heap *h, value v, const char **data,
                        struct text_scratch *scratch)
{
    if (value_is_view(v)) {
        const unsigned char *view = h->base + value_view_place(v);
        *data = (const char *)view + 1;
        return view[0];
    }
    if (!value_is_inline_text(v)) return text_cell_read(h, v, data);
    uint64_t text = htole64(v >> 8);
    memcpy(scratch->bytes, &text, sizeof text);
    *data = scratch->bytes;
    return value_inline_length(v);
}

size_t text_length(const struct heap *h, value v)
{
    if (value_is_inline_text(v)) return value_inline_length(v);
    if (value_is_rope(v)) return rope_length(h, v);
    if (value_is_view(v)) return h->base[value_view_place(v)];
    const char *data;
    return text_cell_read(h, v, &data);
}

value text_cell_make(struct heap *h, bool is_bytes, const void *data, size_t length,
                     uint64_t hash)
{
    size_t needs = text_cell_needs(is_bytes, length);
    size_t cell_size = (size_t)size_class_granules(size_class_of(needs)) * GRANULE_BYTES;
    size_t prefix = text_prefix_bytes(cell_size, length);
    value v = cell_take(h, text_cell_kind(is_bytes), needs, (uint32_t)(hash & REF_HASH_MASK));
    if (v == VALUE_ABSENT) return v;
    text_cell_set_prefix(h, v, prefix, length);
    store_bytes(h, v, prefix, data, length);
    return v;
}

/* The text of `head` followed by `tail`, of VALUE_INLINE_TEXT_MAX < length <= TEXT_CELL_MAX
 * bytes together, in a new cell. */
static value text_cell_new(struct heap *h, bool is_bytes, const void *head, size_t head_length,
                           const void *tail, size_t tail_length)
{
    char joined[TEXT_CELL_MAX];
    const void *data = head;
    size_t length = head_length + tail_length;
    if (tail_length > 0) {
        memcpy(joined, head, head_length);
        memcpy(joined + head_length, tail, tail_length);
        data = joined;
    }
    return text_cell_make(h, is_bytes, data, length, heap_hash(h, data, length));
}

value text_new(struct heap *h, const void *data, size_t length, bool is_bytes)
{
    if (length == 0) return value_inline_text("", 0, is_bytes);
    is_bytes = is_bytes || !utf8_valid(data, length);
    if (length <= VALUE_INLINE_TEXT_MAX) return value_inline_text(data, length, is_bytes);
    if (length <= TEXT_CELL_MAX) return text_cell_new(h, is_bytes, data, length, NULL, 0);
    enum kind kind = text_rope_kind(is_bytes);
    value rope = rope_new(h, kind);
    if (rope == VALUE_ABSENT) return rope;
    value v = rope_append_take(h, rope, kind, data, length);
    if (v == VALUE_ABSENT) value_release(h, rope);
    return v;
}

value text_own(struct heap *h, value v)
{
    if (!value_is_view(v)) return value_share(h, v);
    struct text_scratch scratch; /* not used */
    const char *data;
    size_t length = text_flat(h, v, &data, &scratch);
    return text_cell_new(h, text_is_bytes(v), data, length, NULL, 0);
}

size_t text_piece(const struct heap *h, value v, size_t offset, const char **data,
                  struct text_scratch *scratch)
{
    if (value_is_rope(v)) return rope_piece(h, v, offset, data);
    size_t length = text_flat(h, v, data, scratch);
    if (offset >= length) return 0;
    *data += offset;
    return length - offset;
}

size_t text_copy(const struct heap *h, value v, size_t offset, void *out, size_t capacity)
{
    struct text_scratch scratch;
    const char *data;
    size_t copied = 0, n;
    while (copied < capacity && (n = text_piece(h, v, offset + copied, &data, &scratch)) > 0) {
        if (n > capacity - copied) n = capacity - copied;
        memcpy((char *)out + copied, data, n);
        copied += n;
    }
    return copied;
}

int text_compare(const struct heap *h, value a, value b)
{
    struct text_scratch scratch_a, scratch_b;
    size_t length_a = text_length(h, a), length_b = text_length(h, b);
    size_t common = length_a < length_b ? length_a : length_b;
    for (size_t offset = 0; a != b && offset < common;) {
        const char *data_a, *data_b;
        size_t n = text_piece(h, a, offset, &data_a, &scratch_a);
        size_t m = text_piece(h, b, offset, &data_b, &scratch_b);
        if (m < n) n = m;
        int order = memcmp(data_a, data_b, n);
        if (order != 0) return order < 0 ? -1 : 1;
        offset += n;
    }
    return (length_a > length_b) - (length_a < length_b);
}

bool text_equals(const struct heap *h, value v, const void *data, size_t length)
{
    if (text_length(h, v) != length) return false;
    struct text_scratch scratch;
    const char *piece;
    for (size_t offset = 0; offset < length;) {
        size_t n = text_piece(h, v, offset, &piece, &scratch);
        if (memcmp(piece, (const char *)data + offset, n) != 0) return false;
        offset += n;
    }
    return true;
}

/* Appends to a text cell where it is, if it has one owner and room. The content of the cell
 * changes, so its hash bits do, and the value with them. VALUE_ABSENT if it cannot be. */
static value text_cell_extend(struct heap *h, value v, bool is_bytes, const void *data,
                              size_t added)
{
    const char *old;
    size_t length = text_cell_read(h, v, &old), total = length + added;
    size_t cell_size = page_cell_bytes(ref_page(h, v));
    if (text_is_bytes(v) != is_bytes || text_cell_needs(is_bytes, total) > cell_size ||
        value_is_shared(h, v))
        return VALUE_ABSENT;
    /* As less of the cell is left, the prefix shrinks. */
    size_t prefix = text_prefix_bytes(cell_size, total);
    char *joined = (char *)store_raw(h, v) + prefix;
    if (joined != old) memmove(joined, old, length);
    memcpy(joined + length, data, added);
    text_cell_set_prefix(h, v, prefix, total);
    return ref_make(ref_kind(v), ref_granule(v), text_hash(h, joined, total));
}

value text_append_take(struct heap *h, value v, const void *data, size_t length)
{
    debug_assert(!value_is_view(v));
    if (length == 0) return v;
    bool is_bytes = text_is_bytes(v) || !utf8_valid(data, length);
    enum kind rope_kind = text_rope_kind(is_bytes);
    if (value_is_rope(v)) return rope_append_take(h, v, rope_kind, data, length);

    struct text_scratch scratch;
    const char *old;
    size_t old_length = text_flat(h, v, &old, &scratch), total = old_length + length;
    value result;
    if (total <= VALUE_INLINE_TEXT_MAX) {
        memcpy(scratch.bytes + old_length, data, length);
        return value_inline_text(scratch.bytes, total, is_bytes);
    }
    if (total <= TEXT_CELL_MAX) {
        if (value_is_ref(v)) {
            result = text_cell_extend(h, v, is_bytes, data, length);
            if (result != VALUE_ABSENT) return result;
        }
        result = text_cell_new(h, is_bytes, old, old_length, data, length);
    } else {
        value rope = rope_new(h, rope_kind);
        if (rope == VALUE_ABSENT) return rope;
        result = rope_append_take(h, rope, rope_kind, old, old_length);
        if (result != VALUE_ABSENT) result = rope_append_take(h, rope, rope_kind, data, length);
        if (result == VALUE_ABSENT) value_release(h, rope);
    }
    if (result != VALUE_ABSENT) value_release(h, v);
    return result;
}
