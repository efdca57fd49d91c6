/* query_approximate.c - about how many different values a group has, in little memory.
 *
 * HyperLogLog (Flajolet et al. 2007): of 4,096 registers each keeps the longest run of zeros among
 * the hashes that begin with its number. Most groups have few values, and most registers are empty
 * then: so a group begins with a small hash set of the registers that are not (as HyperLogLog++
 * does, Heule et al. 2013, but without rounding), which doubles while it is shorter than the array
 * of all of them. Either form holds the same registers, and gives the same estimate.
 *
 *   sparse   slots > 0: entries[slots], each register << 8 | run, or 0; up to three quarters in use
 *   dense    slots = 0: registers[4096] */
#include "heap/query_int.h"

#include <math.h>

#define REGISTER_BITS 12
#define REGISTERS (1u << REGISTER_BITS)
#define RUN_MAX (64 - REGISTER_BITS + 1)
#define SLOTS_FIRST 8

struct query_sketch {
    uint32_t slots, count;
    uint32_t entries[]; /* or registers */
};

static unsigned char *registers_of(const struct query_sketch *s)
{
    return (unsigned char *)(uintptr_t)s->entries;
}

static struct query_sketch *sketch_new(struct query *q, uint32_t slots)
{
    size_t bytes = slots ? slots * sizeof(uint32_t) : REGISTERS;
    struct query_sketch *s = query_alloc(q, sizeof(struct query_sketch) + bytes);
    if (s) s->slots = slots;
    return s;
}

/* The register's entry, or the free one where it is to be. */
static uint32_t *find_entry(struct query_sketch *s, uint32_t index)
{
    uint32_t at = index % s->slots;
    while (s->entries[at] && s->entries[at] >> 8 != index) at = (at + 1) % s->slots;
    return &s->entries[at];
}

/* Into a set with a free entry, or a dense form. */
static void put_run(struct query_sketch *s, uint32_t index, uint32_t run)
{
    if (!s->slots) {
        unsigned char *longest = &registers_of(s)[index];
        if (run > *longest) *longest = (unsigned char)run;
        return;
    }
    uint32_t *entry = find_entry(s, index);
    s->count += *entry == 0;
    if (run > (*entry & 0xff)) *entry = index << 8 | run;
}

/* Twice as many entries, or all registers. */
static int sketch_grow(struct query *q, struct query_sketch **sketch)
{
    struct query_sketch *old = *sketch;
    uint32_t slots = old->slots * 2 <= q->agg->sketch_slots_max ? old->slots * 2 : 0;
    struct query_sketch *s = sketch_new(q, slots);
    if (!s) return query_fail_memory(q);
    for (uint32_t i = 0; i < old->slots; i++)
        if (old->entries[i]) put_run(s, old->entries[i] >> 8, old->entries[i] & 0xff);
    query_free(q, old);
    *sketch = s;
    return 0;
}

int sketch_add(struct query *q, struct query_sketch **sketch, uint64_t hash)
{
    uint32_t index = (uint32_t)(hash >> (64 - REGISTER_BITS));
    uint64_t rest = hash << REGISTER_BITS | (uint64_t)1 << (REGISTER_BITS - 1);
    uint32_t run = (uint32_t)__builtin_clzl(rest) + 1;
    if (!*sketch) {
        uint32_t slots = q->agg->sketch_slots_max < SLOTS_FIRST ? 0 : SLOTS_FIRST;
        *sketch = sketch_new(q, slots);
        if (!*sketch) return query_fail_memory(q);
    }
    while ((*sketch)->slots && (*sketch)->count >= (*sketch)->slots * 3 / 4) {
        if (*find_entry(*sketch, index)) break; /* it needs no other */
        int error = sketch_grow(q, sketch);
        if (error) return error;
    }
    put_run(*sketch, index, run);
    return 0;
}

uint64_t sketch_estimate(const struct query_sketch *s)
{
    uint16_t counts[RUN_MAX + 1] = {0}; /* of registers, by run */
    if (!s) return 0;
    for (uint32_t i = 0; i < s->slots; i++) counts[s->entries[i] & 0xff]++;
    for (uint32_t i = 0; !s->slots && i < REGISTERS; i++) counts[registers_of(s)[i]]++;
    if (s->slots) counts[0] = (uint16_t)(REGISTERS - s->count);
    double sum = 0, m = REGISTERS, zeros = counts[0];
    for (int run = RUN_MAX; run >= 0; run--) sum += counts[run] * ldexp(1, -run);
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (estimate <= 2.5 * m && zeros > 0) estimate = m * log(m / zeros);
    return (uint64_t)(estimate + 0.5);
}
