/* shape.c - shapes and their table: see shape.h. */
#include "heap/shape.h"

#include <stdlib.h>

#include "heap/map_int.h"

/* Words of a shape. */
enum { SHAPE_HASH = 1, SHAPE_LINK, SHAPE_INDEX, SHAPE_KEYS };

#ifdef CAIRN_GC_STRESS
#define SHAPE_BUCKETS 64 /* long chains */
#else
#define SHAPE_BUCKETS 16384
#endif

/* What a shape stands for in the collector's debt once there are many. */
#define SHAPE_DEBT_BYTES 256

struct shape_table {
    uint32_t count, max;
    uint64_t buckets[SHAPE_BUCKETS]; /* granules of the first shapes; 0: none */
};

int shape_table_create(struct heap *h, uint32_t shapes_max)
{
    h->shapes = calloc(1, sizeof *h->shapes);
    if (!h->shapes) return -ENOMEM;
    h->shapes->max = shapes_max ? shapes_max : SHAPES_MAX_DEFAULT;
    return 0;
}

void shape_table_destroy(struct heap *h)
{
    free(h->shapes);
    h->shapes = NULL;
}

uint64_t shape_table_count(const struct heap *h) { return h->shapes->count; }

/* --- one shape ------------------------------------------------------------------------------*/

uint64_t shape_hash_next(uint64_t sequence, uint64_t key_hash)
{
    uint64_t x = sequence * 0x9e3779b97f4a7c15 + key_hash;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9;
    return (x ^ x >> 32) >> 2;
}

size_t shape_field_count(const struct heap *h, value shape)
{
    return header_payload(cell_words(h, shape)[0]);
}

uint64_t shape_hash(const struct heap *h, value shape)
{
    return cell_words(h, shape)[SHAPE_HASH] >> 1;
}

const value *shape_keys(const struct heap *h, value shape)
{
    return cell_words(h, shape) + SHAPE_KEYS;
}

/* At most half of the index is used. */
static size_t index_slots(size_t count)
{
    size_t slots = 2 * SHAPE_FIELDS_SCANNED;
    while (slots < 2 * count) slots *= 2;
    return slots;
}

static value index_make(struct heap *h, const value *keys, size_t count)
{
    size_t slots = index_slots(count);
    value leaf = cell_take(h, KIND_RAW, slots, 0);
    if (leaf == VALUE_ABSENT) return leaf;
    uint8_t *index = store_raw(h, leaf);
    memset(index, 0, slots);
    for (size_t i = 0; i < count; i++) {
        size_t at = map_key_hash_bits(h, keys[i]) & (slots - 1);
        while (index[at]) at = (at + 1) & (slots - 1);
        index[at] = (uint8_t)(i + 1);
    }
    return leaf;
}

int shape_field(const struct heap *h, value shape, const struct map_key *key)
{
    const value *words = cell_words(h, shape), *keys = words + SHAPE_KEYS;
    size_t count = header_payload(words[0]);
    if (count <= SHAPE_FIELDS_SCANNED) {
        for (size_t i = 0; i < count; i++)
            if (map_key_is(h, keys[i], key)) return (int)i;
        return -1;
    }
    const uint8_t *index = cell_bytes(h, words[SHAPE_INDEX]);
    size_t slots = index_slots(count), at = key->hash & REF_HASH_MASK & (slots - 1);
    for (; index[at]; at = (at + 1) & (slots - 1))
        if (map_key_is(h, keys[index[at] - 1], key)) return index[at] - 1;
    return -1;
}

/* --- the table ------------------------------------------------------------------------------*/

static value shape_at(uint64_t granule) { return ref_make(KIND_SHAPE, granule, 0); }

static uint64_t *shape_bucket(const struct heap *h, uint64_t hash)
{
    return &h->shapes->buckets[hash % SHAPE_BUCKETS];
}
static uint64_t shape_next(const struct heap *h, value shape)
{
    return cell_words(h, shape)[SHAPE_LINK] >> 1;
}
static void shape_set_next(struct heap *h, value shape, uint64_t granule)
{
    store(h, &cell_words(h, shape)[SHAPE_LINK], value_int((int64_t)granule));
}

/* Draining is under way, and nobody uses it. */
static bool shape_is_dead(const struct heap *h, value shape)
{
    return h->gc.phase == GC_DRAIN && !(ref_group(h, shape)->mark & ref_bit(shape));
}

static bool shape_is(const struct heap *h, value shape, const value *keys, size_t count,
                     const struct map_key *last, uint64_t hash)
{
    if (shape_hash(h, shape) != hash) return false;
    if (shape_field_count(h, shape) != count + (last != NULL)) return false;
    const value *own = shape_keys(h, shape);
    for (size_t i = 0; i < count; i++)
        if (!map_keys_equal(h, own[i], keys[i])) return false;
    return !last || map_key_is(h, own[count], last);
}

value shape_find(struct heap *h, const value *keys, size_t count, const struct map_key *last,
                 uint64_t hash)
{
    for (uint64_t granule = *shape_bucket(h, hash); granule;) {
        value shape = shape_at(granule);
        if (shape_is(h, shape, keys, count, last, hash) && !shape_is_dead(h, shape)) {
            if (h->gc.phase == GC_MARK) gc_shade(h, shape);
            return shape;
        }
        granule = shape_next(h, shape);
    }
    return VALUE_ABSENT;
}

bool shape_table_has_room(struct heap *h)
{
    /* Giving up a shape makes no debt, as programs have few. One that makes very many needs the
     * collector to find those that it uses no more. */
    if (h->shapes->count >= h->shapes->max / 2) h->gc.debt_bytes += SHAPE_DEBT_BYTES;
    return h->shapes->count < h->shapes->max;
}

value shape_make(struct heap *h, const value *keys, size_t count, uint64_t hash)
{
    value shape = cell_take(h, KIND_SHAPE, (SHAPE_KEYS + count) * sizeof(value), 0);
    if (shape == VALUE_ABSENT) return shape;
    value *words = cell_words(h, shape);
    if (count > SHAPE_FIELDS_SCANNED) {
        value index = index_make(h, keys, count);
        if (index == VALUE_ABSENT) {
            cell_free(h, shape);
            return VALUE_ABSENT;
        }
        store_new(&words[SHAPE_INDEX], index);
    }
    uint64_t *bucket = shape_bucket(h, hash);
    store_new(&words[0], cell_header(KIND_SHAPE, count));
    store_new(&words[SHAPE_HASH], value_int((int64_t)hash));
    store_new(&words[SHAPE_LINK], value_int((int64_t)*bucket));
    size_t bytes = value_cell_bytes(h, shape) + value_cell_bytes(h, words[SHAPE_INDEX]);
    for (size_t i = 0; i < count; i++) {
        if (!value_is_shared(h, keys[i])) bytes += value_cell_bytes(h, keys[i]);
        store_new(&words[SHAPE_KEYS + i], value_share(h, keys[i]));
    }
    cell_moved_in(h, shape); /* keys may come from another shape */
    gc_shape_made(h, bytes);
    *bucket = ref_granule(shape);
    h->shapes->count++;
    return value_share(h, shape);
}

uint32_t shape_table_drain(struct heap *h, uint32_t bucket, uint32_t count)
{
    for (; count > 0 && bucket < SHAPE_BUCKETS; count--, bucket++) {
        value last = VALUE_NIL;
        uint64_t next;
        for (uint64_t granule = h->shapes->buckets[bucket]; granule; granule = next) {
            value shape = shape_at(granule);
            next = shape_next(h, shape);
            if (!shape_is_dead(h, shape)) {
                last = shape;
                continue;
            }
            if (last == VALUE_NIL)
                h->shapes->buckets[bucket] = next;
            else
                shape_set_next(h, last, next);
            h->shapes->count--;
        }
    }
    return bucket < SHAPE_BUCKETS ? bucket : 0;
}
