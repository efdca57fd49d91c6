/* sorted_leaf.c - the leaves of sorted sets: packed entries in raw cells. A leaf is small enough
 * that moving half of it to insert an entry costs less than a miss of the cache. */
#include "heap/sorted_int.h"

/* The format of a score: so many low bytes of an integer; or this and so many high bytes of a
 * double, whose low ones are zero. (Byte order: little-endian, here as in values.) */
#define FORMAT_DOUBLE 8
#define ENTRIES_BEGIN (2 * sizeof(uint16_t))

struct leaf {
    unsigned char *bytes;
    size_t size; /* of the cell */
    uint16_t count, end;
};

static struct leaf leaf_open(const struct heap *h, value cell)
{
    struct leaf l = {.bytes = ref_cell(h, cell), .size = value_cell_bytes(h, cell)};
    memcpy(&l.count, l.bytes, sizeof l.count);
    memcpy(&l.end, l.bytes + sizeof l.count, sizeof l.end);
    return l;
}

static void leaf_save(struct heap *h, value cell, const struct leaf *l)
{
    uint16_t header[2] = {l->count, l->end};
    store_bytes(h, cell, 0, header, sizeof header);
}

static unsigned char *offset_at(const struct leaf *l, size_t index)
{
    return l->bytes + l->size - sizeof(uint16_t) * (index + 1);
}

static size_t leaf_offset(const struct leaf *l, size_t index)
{
    uint16_t offset;
    if (index == l->count) return l->end;
    memcpy(&offset, offset_at(l, index), sizeof offset);
    return offset;
}

static void leaf_set_offset(const struct leaf *l, size_t index, size_t offset)
{
    uint16_t packed = (uint16_t)offset;
    memcpy(offset_at(l, index), &packed, sizeof packed);
}

/* --- entries --------------------------------------------------------------------------------*/

/* Bytes that an integer takes, two's complement. */
static unsigned int_bytes(int64_t i)
{
    if (i == 0) return 0;
    return (65 - (unsigned)__builtin_clzl((uint64_t)(i ^ i >> 63) | 1) + 7) / 8;
}

/* No double that is a score is zero. */
static unsigned score_bytes(struct number score)
{
    if (score.class == NUMBER_INT64) return int_bytes(score.i);
    return 8 - (unsigned)__builtin_ctzl(score.u) / 8;
}

size_t sorted_entry_bytes(const struct sorted_entry *entry)
{
    return 1 + score_bytes(entry->score) + entry->length + sizeof(uint16_t);
}

static void entry_write(unsigned char *to, const struct sorted_entry *entry)
{
    unsigned bytes = score_bytes(entry->score);
    bool is_double = entry->score.class == NUMBER_DOUBLE;
    *to++ = (unsigned char)(is_double ? FORMAT_DOUBLE + bytes : bytes);
    memcpy(to, (const char *)&entry->score.i + (is_double ? 8 - bytes : 0), bytes);
    memcpy(to + bytes, entry->member, entry->length);
}

static void entry_read(const unsigned char *from, const unsigned char *end,
                       struct sorted_entry *entry)
{
    unsigned format = *from++;
    bool is_double = format > FORMAT_DOUBLE;
    unsigned bytes = is_double ? format - FORMAT_DOUBLE : format;
    entry->score.class = is_double ? NUMBER_DOUBLE : NUMBER_INT64;
    entry->score.i = 0;
    memcpy((char *)&entry->score.i + (is_double ? 8 - bytes : 0), from, bytes);
    if (!is_double && bytes > 0 && bytes < sizeof(int64_t)) {
        unsigned shift = 64 - 8 * bytes;
        entry->score.i = (int64_t)((uint64_t)entry->score.i << shift) >> shift;
    }
    entry->member = (const char *)from + bytes;
    entry->length = (size_t)(end - from) - bytes;
}

int sorted_compare(const struct sorted_entry *entry, const struct sorted_target *target)
{
    int order = sorted_score_compare(entry->score, target->score);
    if (order != 0) return order;
    if (target->edge != 0) return -target->edge;
    size_t common = entry->length < target->length ? entry->length : target->length;
    order = common ? memcmp(entry->member, target->member, common) : 0;
    if (order != 0) return order < 0 ? -1 : 1;
    return (entry->length > target->length) - (entry->length < target->length);
}

/* --- leaves ---------------------------------------------------------------------------------*/

static size_t leaf_bytes(const struct leaf *l) { return l->end + sizeof(uint16_t) * l->count; }

size_t sorted_leaf_count(const struct heap *h, value leaf) { return leaf_open(h, leaf).count; }

size_t sorted_leaf_bytes(const struct heap *h, value leaf)
{
    struct leaf l = leaf_open(h, leaf);
    return leaf_bytes(&l);
}

static void leaf_get(const struct leaf *l, size_t index, struct sorted_entry *entry)
{
    entry_read(l->bytes + leaf_offset(l, index), l->bytes + leaf_offset(l, index + 1), entry);
}

void sorted_leaf_get(const struct heap *h, value leaf, size_t index, struct sorted_entry *entry)
{
    struct leaf l = leaf_open(h, leaf);
    assert(index < l.count);
    leaf_get(&l, index, entry);
}

size_t sorted_leaf_find(const struct heap *h, value leaf, const struct sorted_target *target)
{
    struct leaf l = leaf_open(h, leaf);
    size_t low = 0, high = l.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct sorted_entry entry;
        leaf_get(&l, middle, &entry);
        if (sorted_compare(&entry, target) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

value sorted_leaf_new(struct heap *h, size_t bytes)
{
    value cell = cell_take(h, KIND_RAW, bytes < ENTRIES_BEGIN ? ENTRIES_BEGIN : bytes, 0);
    if (cell == VALUE_ABSENT) return cell;
    struct leaf l = {.count = 0, .end = ENTRIES_BEGIN};
    leaf_save(h, cell, &l);
    return cell;
}

bool sorted_leaf_has_room(const struct heap *h, value leaf, const struct sorted_entry *entry)
{
    struct leaf l = leaf_open(h, leaf);
    return leaf_bytes(&l) + sorted_entry_bytes(entry) <= l.size;
}

void sorted_leaf_insert(struct heap *h, value leaf, size_t index, const struct sorted_entry *entry)
{
    struct leaf l = leaf_open(h, leaf);
    size_t bytes = sorted_entry_bytes(entry) - sizeof(uint16_t), at = leaf_offset(&l, index);
    assert(leaf_bytes(&l) + bytes + sizeof(uint16_t) <= l.size);
    memmove(l.bytes + at + bytes, l.bytes + at, l.end - at);
    entry_write(l.bytes + at, entry);
    for (size_t i = l.count; i > index; i--)
        leaf_set_offset(&l, i, leaf_offset(&l, i - 1) + bytes);
    leaf_set_offset(&l, index, at);
    l.count++;
    l.end = (uint16_t)(l.end + bytes);
    leaf_save(h, leaf, &l);
}

void sorted_leaf_remove(struct heap *h, value leaf, size_t index)
{
    struct leaf l = leaf_open(h, leaf);
    assert(index < l.count);
    size_t at = leaf_offset(&l, index), bytes = leaf_offset(&l, index + 1) - at;
    memmove(l.bytes + at, l.bytes + at + bytes, l.end - at - bytes);
    for (size_t i = index; i + 1 < l.count; i++)
        leaf_set_offset(&l, i, leaf_offset(&l, i + 1) - bytes);
    l.count--;
    l.end = (uint16_t)(l.end - bytes);
    leaf_save(h, leaf, &l);
}

void sorted_leaf_append(struct heap *h, value leaf, value source, size_t from, size_t to)
{
    struct leaf l = leaf_open(h, leaf), s = leaf_open(h, source);
    if (from == to) return;
    size_t start = leaf_offset(&s, from), bytes = leaf_offset(&s, to) - start;
    assert(leaf_bytes(&l) + bytes + sizeof(uint16_t) * (to - from) <= l.size);
    memcpy(l.bytes + l.end, s.bytes + start, bytes);
    for (size_t i = from; i < to; i++)
        leaf_set_offset(&l, l.count + i - from, leaf_offset(&s, i) - start + l.end);
    l.count = (uint16_t)(l.count + (to - from));
    l.end = (uint16_t)(l.end + bytes);
    leaf_save(h, leaf, &l);
}
