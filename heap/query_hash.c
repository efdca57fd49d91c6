/* query_hash.c - extendible hashing (Fagin et al. 1979), for groups, texts and pairs.
 *
 * A table of millions of groups must grow without a pause: so it is made of segments of 2,048
 * slots, found through a directory by the highest bits of the hash; one that is three quarters full
 * is split in two, which takes some microseconds, and the directory doubles now and then. Hashes
 * are keyed, so that clients cannot choose what collides. */
#include "heap/query_int.h"

#define SEGMENT_FULL (SEGMENT_SLOTS * 3 / 4)

int hash_open(struct query *q, struct query_hash *h)
{
    *h = (struct query_hash){.directory = query_alloc(q, sizeof *h->directory)};
    if (!h->directory) return query_fail_memory(q);
    h->directory[0] = query_alloc(q, sizeof **h->directory);
    return h->directory[0] ? 0 : query_fail_memory(q);
}

static void segment_put(struct query_segment *s, uint32_t tag, uint32_t index)
{
    uint32_t at = tag % SEGMENT_SLOTS;
    while (s->slots[at].index) at = (at + 1) % SEGMENT_SLOTS;
    s->slots[at] = (struct query_slot){.tag = tag, .index = index};
    s->count++;
}

static int directory_double(struct query *q, struct query_hash *h)
{
    size_t count = (size_t)1 << h->depth;
    if (h->depth == SEGMENT_DEPTH_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "there are more groups or different values than "
                          "a query can hold");
    struct query_segment **directory = query_alloc(q, 2 * count * sizeof *directory);
    if (!directory) return query_fail_memory(q);
    for (size_t i = 0; i < count; i++) directory[2 * i] = directory[2 * i + 1] = h->directory[i];
    query_free(q, h->directory);
    h->directory = directory;
    h->depth++;
    return 0;
}

/* Divides the segment of `tag` in two, by one more bit. */
static int segment_split(struct query *q, struct query_hash *h, uint32_t tag)
{
    struct query_segment *old = hash_segment(h, tag);
    if (old->depth == h->depth) {
        int error = directory_double(q, h);
        if (error) return error;
    }
    struct query_segment *halves[2];
    for (unsigned i = 0; i < 2; i++) {
        halves[i] = query_alloc(q, sizeof *halves[i]);
        if (!halves[i]) return query_fail_memory(q);
        halves[i]->depth = old->depth + 1;
    }
    for (unsigned i = 0; i < SEGMENT_SLOTS; i++) {
        struct query_slot slot = old->slots[i];
        unsigned half = slot.tag >> (31 - old->depth) & 1;
        if (slot.index) segment_put(halves[half], slot.tag, slot.index);
    }
    size_t share = (size_t)1 << (h->depth - old->depth); /* of the directory */
    size_t first = ((size_t)tag << h->depth >> 32) & ~(share - 1);
    for (size_t i = 0; i < share; i++) h->directory[first + i] = halves[i >= share / 2];
    query_free(q, old);
    return 0;
}

int hash_insert(struct query *q, struct query_hash *h, uint32_t tag, uint32_t index)
{
    while (hash_segment(h, tag)->count >= SEGMENT_FULL) {
        int error = segment_split(q, h, tag);
        if (error) return error;
    }
    segment_put(hash_segment(h, tag), tag, index + 1);
    return 0;
}

/* --- texts -------------------------------------------------------------------------------------*/

#define TEXTS_SHIFT 8
#define WORK_LOOK_UP 64

int interner_new(struct query *q, struct query_interner **interner)
{
    struct query_interner *n = query_alloc(q, sizeof *n);
    *interner = n;
    if (!n) return query_fail_memory(q);
    array_init(&n->texts, sizeof(struct table_text), TEXTS_SHIFT);
    return hash_open(q, &n->hash);
}

int intern(struct query *q, struct query_interner *n, struct table_text text, uint32_t *number)
{
    query_work(q, WORK_LOOK_UP + WORK_HASH(text.length));
    uint32_t tag = (uint32_t)heap_hash(q->heap, text.data, text.length);
    const struct query_segment *s = hash_segment(&n->hash, tag);
    for (uint32_t at = tag % SEGMENT_SLOTS; s->slots[at].index; at = (at + 1) % SEGMENT_SLOTS) {
        if (s->slots[at].tag != tag) continue;
        const struct table_text *known = array_at(&n->texts, s->slots[at].index - 1);
        if (known->length != text.length || memcmp(known->data, text.data, text.length) != 0)
            continue;
        *number = s->slots[at].index - 1;
        return 0;
    }
    if (n->texts.count >= GROUPS_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "more than %u different texts", GROUPS_MAX);
    query_work(q, 2 * WORK_LOOK_UP);
    int error = array_push(q, &n->texts);
    if (error) return error;
    *number = (uint32_t)(n->texts.count - 1);
    *(struct table_text *)array_at(&n->texts, *number) = text;
    return hash_insert(q, &n->hash, tag, *number);
}

/* --- pairs -------------------------------------------------------------------------------------*/

struct pair {
    uint64_t a, b;
};

int pairs_new(struct query *q, struct query_pairs **pairs)
{
    struct query_pairs *p = query_alloc(q, sizeof *p);
    *pairs = p;
    if (!p) return query_fail_memory(q);
    array_init(&p->pairs, sizeof(struct pair), TEXTS_SHIFT);
    return hash_open(q, &p->hash);
}

int pairs_add(struct query *q, struct query_pairs *p, uint64_t a, uint64_t b)
{
    uint32_t tag = (uint32_t)(hash_mix(hash_mix(q->agg->seed[0], a), b ^ q->agg->seed[1]) >> 32);
    const struct query_segment *s = hash_segment(&p->hash, tag);
    for (uint32_t at = tag % SEGMENT_SLOTS; s->slots[at].index; at = (at + 1) % SEGMENT_SLOTS) {
        if (s->slots[at].tag != tag) continue;
        const struct pair *known = array_at(&p->pairs, s->slots[at].index - 1);
        if (known->a == a && known->b == b) return 0;
    }
    if (p->pairs.count >= GROUPS_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "more than %u different values", GROUPS_MAX);
    int error = array_push(q, &p->pairs);
    if (error) return error;
    uint32_t index = (uint32_t)(p->pairs.count - 1);
    *(struct pair *)array_at(&p->pairs, index) = (struct pair){a, b};
    error = hash_insert(q, &p->hash, tag, index);
    return error ? error : 1;
}
