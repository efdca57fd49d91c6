/* list_leaf.c - the leaves of long lists.
 *
 * Most long lists are of numbers, and most of those are small integers. So a leaf whose items
 * are all integers of 8, 16 or 32 bits keeps them in so many, in a cell that the collector need
 * not look into. An item that does not fit makes the leaf wide, for as long as it lives: its
 * items may be anything, and narrowing it again is left to the next split. */
#include "heap/list_int.h"

unsigned list_width(const value *items, size_t count)
{
    uint64_t all = 1, bits = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t n = value_to_int(items[i]);
        all &= items[i];
        bits |= (uint64_t)(n ^ n >> 63);
    }
    if (!all) return LIST_WIDE;
    return bits <= INT8_MAX ? 1 : bits <= INT16_MAX ? 2 : bits <= INT32_MAX ? 4 : LIST_WIDE;
}

static void narrow_write(void *to, unsigned width, const value *items, size_t count)
{
    int8_t *bytes = to;
    int16_t *halves = to;
    int32_t *words = to;
    switch (width) {
    case 1:
        for (size_t i = 0; i < count; i++) bytes[i] = (int8_t)value_to_int(items[i]);
        break;
    case 2:
        for (size_t i = 0; i < count; i++) halves[i] = (int16_t)value_to_int(items[i]);
        break;
    default:
        for (size_t i = 0; i < count; i++) words[i] = (int32_t)value_to_int(items[i]);
    }
}

static void narrow_read(const void *from, unsigned width, value *out, size_t count)
{
    const int8_t *bytes = from;
    const int16_t *halves = from;
    const int32_t *words = from;
    switch (width) {
    case 1:
        for (size_t i = 0; i < count; i++) out[i] = value_int(bytes[i]);
        break;
    case 2:
        for (size_t i = 0; i < count; i++) out[i] = value_int(halves[i]);
        break;
    default:
        for (size_t i = 0; i < count; i++) out[i] = value_int(words[i]);
    }
}

/* Where item `index` of a narrow leaf is. */
static char *narrow_at(struct heap *h, value leaf, unsigned width, size_t index)
{
    return (char *)store_raw(h, leaf) + sizeof(value) + width * index;
}

static void leaf_set_header(struct heap *h, value leaf, unsigned width, size_t size)
{
    value header = list_chunk_header(ref_kind(leaf), width, size);
    if (width == LIST_WIDE)
        store(h, &cell_words(h, leaf)[LIST_HEADER], header);
    else
        store_bytes(h, leaf, 0, &header, sizeof header);
}

value list_leaf_take(struct heap *h, unsigned width, size_t room)
{
    enum kind kind = width == LIST_WIDE ? KIND_LIST_LEAF : KIND_RAW;
    value leaf = cell_take(h, kind, sizeof(value) + width * room, 0);
    if (leaf == VALUE_ABSENT) return leaf;
    value header = list_chunk_header(kind, width, 0);
    if (width == LIST_WIDE)
        store_new(&cell_words(h, leaf)[LIST_HEADER], header);
    else
        store_bytes(h, leaf, 0, &header, sizeof header);
    return leaf;
}

size_t list_leaf_room(const struct heap *h, value leaf)
{
    return (value_cell_bytes(h, leaf) - sizeof(value)) / list_leaf_width(cell_words(h, leaf));
}

void list_leaf_read(const struct heap *h, value leaf, size_t index, value *out, size_t count)
{
    const value *words = cell_words(h, leaf);
    unsigned width = list_leaf_width(words);
    if (width == LIST_WIDE)
        memcpy(out, words + LIST_ITEMS + index, count * sizeof *out);
    else
        narrow_read((const char *)(words + LIST_ITEMS) + width * index, width, out, count);
}

value list_leaf_get(const struct heap *h, value leaf, size_t index)
{
    value item;
    list_leaf_read(h, leaf, index, &item, 1);
    return item;
}

void list_leaf_set(struct heap *h, value leaf, size_t index, value item)
{
    unsigned width = list_leaf_width(cell_words(h, leaf));
    if (width == LIST_WIDE)
        store(h, &cell_words(h, leaf)[LIST_ITEMS + index], item);
    else
        narrow_write(narrow_at(h, leaf, width, index), width, &item, 1);
}

void list_leaf_fill(struct heap *h, value leaf, const value *items, size_t count)
{
    value *words = cell_words(h, leaf);
    unsigned width = list_leaf_width(words);
    size_t size = list_chunk_size(words);
    if (width == LIST_WIDE) {
        store_move(words + LIST_ITEMS + size, items, count);
        cell_moved_in_for(h, leaf, MOVED_LEAF_FILL);
    } else {
        narrow_write(narrow_at(h, leaf, width, size), width, items, count);
    }
    leaf_set_header(h, leaf, width, size + count);
}

void list_leaf_append(struct heap *h, value leaf, value from)
{
    value *words = cell_words(h, from), items[64];
    size_t count = list_chunk_size(words);
    if (list_leaf_width(words) == LIST_WIDE) {
        list_leaf_fill(h, leaf, words + LIST_ITEMS, count);
        return;
    }
    for (size_t i = 0, n; i < count; i += n) {
        n = count - i < 64 ? count - i : 64;
        list_leaf_read(h, from, i, items, n);
        list_leaf_fill(h, leaf, items, n);
    }
}

void list_leaf_insert(struct heap *h, value leaf, size_t index, const value *items, size_t count)
{
    value *words = cell_words(h, leaf);
    unsigned width = list_leaf_width(words);
    size_t size = list_chunk_size(words);
    if (width == LIST_WIDE) {
        list_items_insert(h, leaf, words + LIST_ITEMS, size, index, items, count);
    } else {
        char *at = narrow_at(h, leaf, width, index);
        memmove(at + width * count, at, width * (size - index));
        narrow_write(at, width, items, count);
    }
    leaf_set_header(h, leaf, width, size + count);
}

void list_leaf_remove(struct heap *h, value leaf, size_t index, size_t count, value *out)
{
    value *words = cell_words(h, leaf);
    unsigned width = list_leaf_width(words);
    size_t size = list_chunk_size(words);
    if (width == LIST_WIDE) {
        list_items_remove(h, leaf, words + LIST_ITEMS, size, index, count, out);
    } else {
        char *at = narrow_at(h, leaf, width, index);
        if (out != NULL) narrow_read(at, width, out, count);
        memmove(at, at + width * count, width * (size - index - count));
    }
    leaf_set_header(h, leaf, width, size - count);
}
