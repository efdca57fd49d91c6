/* table_index_int.h - the inside of indexes: table_index*.c, and what frees them. */
#ifndef CAIRN_HEAP_TABLE_INDEX_INT_H
#define CAIRN_HEAP_TABLE_INDEX_INT_H

#include "heap/table_index.h"
#include "heap/table_int.h"
#include "heap/table_key.h"

#define INDEX_FENCE_ROWS 64u
#define INDEX_TOP_FENCES 32u
#define INDEX_BUCKET_ROWS 8u

/* One block; table_index.c draws what follows the head. */
struct column_index {
    enum table_index_kind kind;
    uint32_t count;       /* slots of the chunk */
    uint32_t valid;       /* of them, not null */
    uint8_t bucket_bits;  /* hash */
    bool identity;        /* sorted: cells ascend from slot to slot, nulls last; fences are all */
    size_t bytes;         /* of the block */
    _Alignas(8) unsigned char data[];
};

uint32_t index_fence_count(uint32_t valid);
uint32_t index_top_count(uint32_t valid);
static inline uint64_t *index_tops(const struct column_index *x)
{
    return (uint64_t *)(void *)(uintptr_t)x->data;
}
static inline uint64_t *index_fences(const struct column_index *x)
{
    return index_tops(x) + index_top_count(x->valid);
}
static inline uint32_t *index_starts(const struct column_index *x)
{
    return (uint32_t *)(void *)(uintptr_t)x->data;
}

unsigned index_bucket_bits(uint32_t valid);
size_t index_size(enum table_index_kind kind, uint32_t count, uint32_t valid, bool identity,
                  unsigned bucket_bits);

/* Row numbers: behind the fences, or behind the starts. */
static inline uint16_t *index_slots(const struct column_index *x)
{
    size_t before = x->kind == TABLE_INDEX_SORTED
                        ? (index_top_count(x->valid) + index_fence_count(x->valid) + (size_t)1) *
                              sizeof(uint64_t)
                        : (((size_t)1 << x->bucket_bits) + 1) * sizeof(uint32_t);
    return (uint16_t *)(void *)(uintptr_t)(x->data + before);
}
static inline uint8_t *index_marks(const struct column_index *x)
{
    return (uint8_t *)(index_slots(x) + x->valid);
}
static inline uint8_t *index_codes(const struct column_index *x)
{
    return (uint8_t *)(index_slots(x) + x->count);
}
static inline uint32_t index_bucket(uint64_t hash, unsigned bits)
{
    return bits ? (uint32_t)(hash >> (64 - bits)) : 0;
}
static inline uint8_t index_mark_of(uint64_t hash) { return (uint8_t)hash; }

/* Where a key lies between the fences of a block, 0 to 255: never descends with the key. */
unsigned index_code(const struct column_index *x, uint32_t block, uint64_t key);
/* The order key of a lane that is neither a text nor a symbol. */
uint64_t index_lane_key(const struct table_field *f, uint64_t lane);
int index_key_order(const struct table_index_key *a, const struct table_index_key *b);

#endif
