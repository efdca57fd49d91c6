/* list_leaf.c - the leaves of long lists.
 *
 * Most long lists are of numbers, and most of those are small integers, or doubles of about one
 * size. So a leaf whose items are all integers of 8, 16 or 32 bits keeps them in so many, and one
 * of doubles of one sign whose exponents lie close together in 56, in a cell that the collector
 * need not look into. An item that does not fit makes the leaf wide, for as long as it lives: its
 * items may be anything, and narrowing it again is left to the next split. */
#include "heap/list_int.h"

#define MANTISSA_BITS 52
#define WORD_EXPONENT_SHIFT (MANTISSA_BITS + 3)

static unsigned integers_width(const value *items, size_t count)
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

static unsigned floats_range(unsigned sign, unsigned low, unsigned high)
{
    return high - low < LIST_FLOAT_EXPONENTS ? list_format_floats(sign, low, high) : LIST_WIDE;
}

static unsigned floats_format(const value *items, size_t count)
{
    unsigned sign = items[0] >> 2 & 1, low = UINT32_MAX, high = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned exponent = (unsigned)(items[i] >> WORD_EXPONENT_SHIFT);
        if (!value_is_double(items[i]) || (items[i] >> 2 & 1) != sign) return LIST_WIDE;
        if (exponent < low) low = exponent;
        if (exponent > high) high = exponent;
    }
    return floats_range(sign, low, high);
}

unsigned list_format(const value *items, size_t count)
{
    debug_assert(count > 0);
    return value_is_double(items[0]) ? floats_format(items, count) : integers_width(items, count);
}

unsigned list_format_join(unsigned a, unsigned b)
{
    unsigned width_a = list_format_width(a), width_b = list_format_width(b);
    if (width_a < LIST_FLOAT && width_b < LIST_FLOAT) return width_a > width_b ? width_a : width_b;
    bool floats = width_a == LIST_FLOAT && width_b == LIST_FLOAT;
    if (!floats || list_format_sign(a) != list_format_sign(b)) return LIST_WIDE;
    unsigned low = list_format_low(a), high = list_format_high(a);
    if (list_format_low(b) < low) low = list_format_low(b);
    if (list_format_high(b) > high) high = list_format_high(b);
    return floats_range(list_format_sign(a), low, high);
}

/* --- narrow items ---------------------------------------------------------------------------*/

/* Seven bytes behind others, little-endian. */
static void floats_write(char *to, unsigned format, const value *items, size_t count)
{
    uint64_t base = (uint64_t)list_format_low(format) << MANTISSA_BITS;
    for (size_t i = 0; i < count; i++, to += LIST_FLOAT) {
        uint64_t bits = (items[i] >> 3) - base;
        memcpy(to, &bits, LIST_FLOAT);
    }
}

/* What is before the first byte is the header, or another item. */
static void floats_read(const char *from, unsigned format, value *out, size_t count)
{
    uint64_t base = (uint64_t)list_format_low(format) << MANTISSA_BITS;
    value low = (value)list_format_sign(format) << 2 | 2;
    for (size_t i = 0; i < count; i++, from += LIST_FLOAT) {
        uint64_t bits;
        memcpy(&bits, from - 1, sizeof bits);
        out[i] = ((bits >> 8) + base) << 3 | low;
    }
}

static void narrow_write(void *to, unsigned format, const value *items, size_t count)
{
    int8_t *bytes = to;
    int16_t *halves = to;
    int32_t *words = to;
    switch (list_format_width(format)) {
    case 1:
        for (size_t i = 0; i < count; i++) bytes[i] = (int8_t)value_to_int(items[i]);
        break;
    case 2:
        for (size_t i = 0; i < count; i++) halves[i] = (int16_t)value_to_int(items[i]);
        break;
    case LIST_FLOAT: floats_write(to, format, items, count); break;
    default:
        for (size_t i = 0; i < count; i++) words[i] = (int32_t)value_to_int(items[i]);
    }
}

static void narrow_read(const void *from, unsigned format, value *out, size_t count)
{
    const int8_t *bytes = from;
    const int16_t *halves = from;
    const int32_t *words = from;
    switch (list_format_width(format)) {
    case 1:
        for (size_t i = 0; i < count; i++) out[i] = value_int(bytes[i]);
        break;
    case 2:
        for (size_t i = 0; i < count; i++) out[i] = value_int(halves[i]);
        break;
    case LIST_FLOAT: floats_read(from, format, out, count); break;
    default:
        for (size_t i = 0; i < count; i++) out[i] = value_int(words[i]);
    }
}

/* Where item `index` of a narrow leaf is. */
static char *narrow_at(struct heap *h, value leaf, unsigned format, size_t index)
{
    return (char *)store_raw(h, leaf) + sizeof(value) + list_format_width(format) * index;
}

/* --- leaves ---------------------------------------------------------------------------------*/

static value leaf_header(enum kind kind, unsigned format, size_t size)
{
    unsigned width = list_format_width(format);
    uint64_t base = width == LIST_FLOAT ? list_format_low(format) : 0;
    uint64_t rest = base << 1 | (width == LIST_FLOAT ? list_format_sign(format) : 0);
    return cell_header(kind, rest << 19 | (uint64_t)(width & (LIST_WIDE - 1)) << 16 | size);
}

static void leaf_set_size(struct heap *h, value leaf, unsigned format, size_t size)
{
    value header = leaf_header(ref_kind(leaf), format, size);
    if (format == LIST_WIDE)
        store(h, &cell_words(h, leaf)[LIST_HEADER], header);
    else
        store_bytes(h, leaf, 0, &header, sizeof header);
}

/* The base is such that the next double may be twice as large as the largest, if there is room. */
static unsigned format_with_base(unsigned format)
{
    if (list_format_width(format) != LIST_FLOAT) return format;
    unsigned low = list_format_low(format), high = list_format_high(format);
    unsigned base = high + 2 > LIST_FLOAT_EXPONENTS ? high + 2 - LIST_FLOAT_EXPONENTS : 0;
    if (base > low) base = low;
    return list_format_floats(list_format_sign(format), base, high);
}

value list_leaf_take(struct heap *h, unsigned format, size_t room)
{
    enum kind kind = format == LIST_WIDE ? KIND_LIST_LEAF : KIND_RAW;
    value leaf = cell_take(h, kind, sizeof(value) + list_format_width(format) * room, 0);
    if (leaf == VALUE_ABSENT) return leaf;
    value header = leaf_header(kind, format_with_base(format), 0);
    if (format == LIST_WIDE)
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
    unsigned format = list_leaf_format(words), width = list_format_width(format);
    if (format == LIST_WIDE)
        memcpy(out, words + LIST_ITEMS + index, count * sizeof *out);
    else
        narrow_read((const char *)(words + LIST_ITEMS) + width * index, format, out, count);
}

value list_leaf_get(const struct heap *h, value leaf, size_t index)
{
    value item;
    list_leaf_read(h, leaf, index, &item, 1);
    return item;
}

void list_leaf_set(struct heap *h, value leaf, size_t index, value item)
{
    unsigned format = list_leaf_format(cell_words(h, leaf));
    if (format == LIST_WIDE)
        store(h, &cell_words(h, leaf)[LIST_ITEMS + index], item);
    else
        narrow_write(narrow_at(h, leaf, format, index), format, &item, 1);
}

void list_leaf_fill(struct heap *h, value leaf, const value *items, size_t count)
{
    value *words = cell_words(h, leaf);
    unsigned format = list_leaf_format(words);
    size_t size = list_chunk_size(words);
    if (format == LIST_WIDE) {
        store_move(words + LIST_ITEMS + size, items, count);
        cell_moved_in_for(h, leaf, MOVED_LEAF_FILL);
    } else {
        narrow_write(narrow_at(h, leaf, format, size), format, items, count);
    }
    leaf_set_size(h, leaf, format, size + count);
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
    unsigned format = list_leaf_format(words), width = list_format_width(format);
    size_t size = list_chunk_size(words);
    if (format == LIST_WIDE) {
        list_items_insert(h, leaf, words + LIST_ITEMS, size, index, items, count);
    } else {
        char *at = narrow_at(h, leaf, format, index);
        memmove(at + width * count, at, width * (size - index));
        narrow_write(at, format, items, count);
    }
    leaf_set_size(h, leaf, format, size + count);
}

void list_leaf_remove(struct heap *h, value leaf, size_t index, size_t count, value *out)
{
    value *words = cell_words(h, leaf);
    unsigned format = list_leaf_format(words), width = list_format_width(format);
    size_t size = list_chunk_size(words);
    if (format == LIST_WIDE) {
        list_items_remove(h, leaf, words + LIST_ITEMS, size, index, count, out);
    } else {
        char *at = narrow_at(h, leaf, format, index);
        if (out != NULL) narrow_read(at, format, out, count);
        memmove(at, at + width * count, width * (size - index - count));
    }
    leaf_set_size(h, leaf, format, size - count);
}
