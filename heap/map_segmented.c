/* map_segmented.c - maps of any size: extendible hashing (Fagin, Nievergelt, Pippenger, Strong
 * 1979), its directory cut into a tree of small nodes.
 *
 *   MAP_NODE     [header: bits][slot 0]…[slot 2^bits - 1]
 *   MAP_SEGMENT  [header: depth, live, used][nil][key][value]…
 *
 * Each node uses up `bits` bits of the hash, from the top. A segment may serve 2^(bits - depth)
 * neighbouring slots of its node, where `depth` of the node's bits tell it from others. The first
 * of them holds the reference, so that each cell has one owner, and the others the number of the
 * first, as an integer. A slot is nil while nothing is in its part of the hash space.
 *
 * Inside a segment an entry's home is given by the low hash bits, which references carry, and
 * linear probing follows. The reference to a segment carries its capacity in its own hash bits:
 * so a look-up touches one node a level, one or two lines of a segment (not its header), and
 * the key's cell if it is longer than seven bytes. Growing a segment touches no key; only
 * splitting needs their whole hashes.
 *
 * One insertion rebuilds or splits one segment, and doubles one node or adds one; more only
 * where a split leaves one half empty, each with half the chance of the one before. */
#include "heap/map_int.h"

#ifdef CAIRN_GC_STRESS
#define NODE_BITS_MAX 3 /* deep trees */
#else
#define NODE_BITS_MAX 9
#endif
#define SEGMENT_PAIRS_MIN 7
/* Of 64 hash bits, the segments' order needs the upper ones. */
#define DEPTH_MAX 44
#define PREFETCH_AHEAD 16

/* How many pairs may be used, tombstones included: seven eighths, so that probes end soon. */
static size_t segment_limit(size_t capacity) { return capacity - (capacity + 7) / 8; }
#define SEGMENT_LIMIT_MAX (CELL_PAIRS_MAX - (CELL_PAIRS_MAX + 7) / 8)

const struct segmented_plan segmented_growing = {.depth = 1, .segment_pairs = 0};

/* --- segments -------------------------------------------------------------------------------*/

struct segment {
    value cell;
    value *words;
    size_t depth, live, used, capacity;
};

static struct segment segment_open(const struct heap *h, value cell)
{
    struct segment s = {.cell = cell, .words = cell_words(h, cell)};
    uint64_t payload = header_payload(s.words[0]);
    s.depth = payload & 0xff;
    s.live = payload >> 8 & 0xffff;
    s.used = payload >> 24 & 0xffff;
    s.capacity = segment_pair_count(cell);
    return s;
}

static void segment_save(struct heap *h, const struct segment *s)
{
    uint64_t payload = s->depth | (uint64_t)s->live << 8 | (uint64_t)s->used << 24;
    store(h, &s->words[0], cell_header(KIND_MAP_SEGMENT, payload));
}

/* A segment that can take `pairs`. */
static value segment_new(struct heap *h, size_t depth, size_t pairs)
{
    size_t capacity = SEGMENT_PAIRS_MIN;
    assert(pairs <= SEGMENT_LIMIT_MAX);
    if (segment_limit(capacity) < pairs) {
        capacity = pairs + pairs / 7;
        while (segment_limit(capacity) < pairs) capacity++;
    }
    value cell = cell_take(h, KIND_MAP_SEGMENT, pairs_bytes(pairs_fitting(capacity)), 0);
    if (cell == VALUE_ABSENT) return cell;
    store_new(&cell_words(h, cell)[0], cell_header(KIND_MAP_SEGMENT, depth));
    return ref_make(KIND_MAP_SEGMENT, ref_granule(cell), (uint32_t)cell_pair_count(h, cell));
}

static value *segment_pair(const struct segment *s, size_t i)
{
    return s->words + PAIRS_BEGIN + 2 * i;
}

static size_t segment_home(size_t capacity, uint64_t hash)
{
    return (hash & REF_HASH_MASK) * capacity >> REF_HASH_BITS;
}

/* The pair of a key, or NULL. */
static value *segment_find(const struct heap *h, value cell, const struct map_key *key)
{
    value *pairs = cell_words(h, cell) + PAIRS_BEGIN;
    size_t capacity = segment_pair_count(cell), i = segment_home(capacity, key->hash);
    for (;;) { /* some pairs are always free */
        value *pair = pairs + 2 * i;
        if (*pair == VALUE_NIL) return NULL;
        if (map_key_is(h, *pair, key)) return pair;
        if (++i == capacity) i = 0;
    }
}

/* The pair where an entry of this hash goes, free or a tombstone. */
static value *segment_place(const struct segment *s, uint64_t hash)
{
    size_t i = segment_home(s->capacity, hash);
    while (key_is_live(*segment_pair(s, i)))
        if (++i == s->capacity) i = 0;
    return segment_pair(s, i);
}

static void segment_put(struct heap *h, struct segment *s, uint64_t hash, value key, value v)
{
    value *pair = segment_place(s, hash);
    s->used += *pair == VALUE_NIL;
    s->live++;
    store(h, &pair[0], key);
    store(h, &pair[1], v);
}

/* Takes a pair out. It and the tombstones before it are free if the next one is. */
static void segment_clear(struct heap *h, struct segment *s, value *pair)
{
    size_t i = (size_t)(pair - segment_pair(s, 0)) / 2;
    size_t next = i + 1 == s->capacity ? 0 : i + 1;
    store(h, &pair[0], VALUE_TOMBSTONE);
    store(h, &pair[1], VALUE_NIL);
    s->live--;
    if (*segment_pair(s, next) != VALUE_NIL) return;
    while (*segment_pair(s, i) == VALUE_TOMBSTONE) {
        store(h, segment_pair(s, i), VALUE_NIL);
        s->used--;
        i = i == 0 ? s->capacity - 1 : i - 1;
    }
}

/* --- nodes ----------------------------------------------------------------------------------*/

static unsigned node_bits(const value *words) { return (unsigned)header_payload(words[0]); }

static value node_new(struct heap *h, unsigned bits)
{
    value node = cell_take(h, KIND_MAP_NODE, (1 + ((size_t)1 << bits)) * sizeof(value), 0);
    if (node != VALUE_ABSENT) store_new(&cell_words(h, node)[0], cell_header(KIND_MAP_NODE, bits));
    return node;
}

/* Where a hash leads: a slot of the lowest node on its way. */
struct location {
    value *owner;  /* the slot that refers to the node */
    value *slots;  /* the node's */
    unsigned bits; /* the node's */
    unsigned above; /* hash bits used up by the nodes above */
    size_t slot;   /* the first of those that share what is there */
    value segment; /* or VALUE_NIL */
};

static struct location locate(const struct heap *h, value *owner, uint64_t hash)
{
    struct location at = {.owner = owner};
    for (;;) {
        value *words = cell_words(h, *at.owner);
        at.slots = words + 1;
        at.bits = node_bits(words);
        at.slot = hash << at.above >> (64 - at.bits);
        at.segment = at.slots[at.slot];
        if (value_is_int(at.segment)) {
            at.slot = (size_t)value_to_int(at.segment);
            at.segment = at.slots[at.slot];
        }
        if (!value_is_kind(at.segment, KIND_MAP_NODE)) return at;
        at.above += at.bits;
        at.owner = &at.slots[at.slot];
    }
}

/* Points the `count` slots from `slot` on to one segment, or to none. */
static void slots_set(struct heap *h, value *slots, size_t slot, size_t count, value segment)
{
    store(h, &slots[slot], segment);
    value rest = segment == VALUE_NIL ? VALUE_NIL : value_int((int64_t)slot);
    for (size_t i = 1; i < count; i++) store(h, &slots[slot + i], rest);
}

/* Copies a node into one with twice the slots. */
static void node_double(struct heap *h, const struct location *at, value node)
{
    value *slots = cell_words(h, node) + 1;
    for (size_t i = 0; i < (size_t)1 << at->bits; i++) {
        value v = at->slots[i];
        if (value_is_int(v)) v = value_int(2 * value_to_int(v));
        store_new(&slots[2 * i], v);
        store_new(&slots[2 * i + 1], value_is_ref(v) ? value_int((int64_t)(2 * i)) : v);
    }
    cell_moved_in(h, node);
}

/* --- growing --------------------------------------------------------------------------------*/

static size_t with_slack(size_t pairs) { return pairs + pairs / 8 + 1; }

/* A segment with more room, or without tombstones, in place of a used up one. */
static int segment_rebuild(struct heap *h, const struct location *at, const struct segment *old)
{
    size_t pairs = with_slack(old->live);
    if (pairs > SEGMENT_LIMIT_MAX) pairs = SEGMENT_LIMIT_MAX;
    value cell = segment_new(h, old->depth, pairs);
    if (cell == VALUE_ABSENT) return -ENOMEM;
    struct segment s = segment_open(h, cell);
    for (size_t i = 0; i < old->capacity; i++) {
        const value *pair = segment_pair(old, i);
        if (key_is_live(pair[0]))
            segment_put(h, &s, map_key_hash_bits(h, pair[0]), pair[0], pair[1]);
    }
    segment_save(h, &s);
    cell_moved_in(h, cell);
    store(h, &at->slots[at->slot], cell);
    cell_free(h, old->cell);
    return 0;
}

/* The hashes of all live pairs, by their numbers. */
static void segment_hashes(const struct heap *h, const struct segment *s, uint64_t *hashes)
{
    for (size_t i = 0; i < s->capacity + PREFETCH_AHEAD; i++) {
        if (i < s->capacity && value_is_ref(*segment_pair(s, i)))
            __builtin_prefetch(ref_cell(h, *segment_pair(s, i)));
        if (i < PREFETCH_AHEAD) continue;
        value key = *segment_pair(s, i - PREFETCH_AHEAD);
        if (key_is_live(key)) hashes[i - PREFETCH_AHEAD] = map_key_hash(h, key);
    }
}

/* What a split needs: memory first, then the change. */
struct split {
    unsigned bit;     /* of the hash, from the top: which half */
    size_t count[2];  /* entries of each half */
    value half[2];    /* their segments, or VALUE_NIL */
    value node;       /* a doubled node, a node below, or VALUE_NIL */
    uint64_t hashes[CELL_PAIRS_MAX];
};

static unsigned split_half(const struct split *split, uint64_t hash)
{
    return hash >> (63 - split->bit) & 1;
}

static int split_prepare(struct heap *h, const struct location *at, const struct segment *s,
                         struct split *split)
{
    bool node_full = s->depth == at->bits;
    bool below = at->bits == NODE_BITS_MAX;
    split->bit = at->above + (unsigned)s->depth;
    split->count[0] = split->count[1] = 0;
    split->half[0] = split->half[1] = split->node = VALUE_NIL;
    assert(split->bit < DEPTH_MAX);
    segment_hashes(h, s, split->hashes);
    for (size_t i = 0; i < s->capacity; i++)
        if (key_is_live(*segment_pair(s, i))) split->count[split_half(split, split->hashes[i])]++;
    bool failed = false;
    for (unsigned i = 0; i < 2 && !failed; i++) {
        if (split->count[i] == 0) continue;
        size_t pairs = with_slack(split->count[i]);
        if (pairs > SEGMENT_LIMIT_MAX) pairs = SEGMENT_LIMIT_MAX;
        split->half[i] = segment_new(h, node_full && below ? 1 : s->depth + 1, pairs);
        failed = split->half[i] == VALUE_ABSENT;
    }
    if (!failed && node_full) {
        split->node = node_new(h, below ? 1 : at->bits + 1);
        failed = split->node == VALUE_ABSENT;
    }
    if (!failed) return 0;
    for (unsigned i = 0; i < 2; i++)
        if (value_is_ref(split->half[i])) cell_free(h, split->half[i]);
    return -ENOMEM;
}

/* Puts the halves where the segment was, in its node, in the doubled node, or in one below. */
static void split_link(struct heap *h, const struct location *at, const struct segment *s,
                       const struct split *split)
{
    value *slots = at->slots;
    size_t first = at->slot, count = (size_t)1 << (at->bits - s->depth);
    if (split->node != VALUE_NIL && at->bits == NODE_BITS_MAX) {
        slots = cell_words(h, split->node) + 1;
        store(h, &at->slots[at->slot], split->node);
        first = 0;
        count = 2;
    } else if (split->node != VALUE_NIL) {
        value old = *at->owner;
        node_double(h, at, split->node);
        slots = cell_words(h, split->node) + 1;
        store(h, at->owner, split->node);
        cell_free(h, old);
        first *= 2;
        count *= 2;
    }
    slots_set(h, slots, first, count / 2, split->half[0]);
    slots_set(h, slots, first + count / 2, count / 2, split->half[1]);
}

static int segment_split(struct heap *h, const struct location *at, const struct segment *s)
{
    struct split split;
    if (split_prepare(h, at, s, &split) < 0) return -ENOMEM;
    struct segment halves[2];
    for (unsigned i = 0; i < 2; i++)
        if (split.half[i] != VALUE_NIL) halves[i] = segment_open(h, split.half[i]);
    for (size_t i = 0; i < s->capacity; i++) {
        const value *pair = segment_pair(s, i);
        if (key_is_live(pair[0]))
            segment_put(h, &halves[split_half(&split, split.hashes[i])], split.hashes[i], pair[0],
                        pair[1]);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (split.half[i] == VALUE_NIL) continue;
        segment_save(h, &halves[i]);
        cell_moved_in(h, split.half[i]);
    }
    value old = s->cell;
    split_link(h, at, s, &split);
    cell_free(h, old);
    return 0;
}

/* Puts a segment, or a node where the plan has nodes below, into an empty slot. */
static int location_fill(struct heap *h, const struct location *at,
                         const struct segmented_plan *plan)
{
    unsigned depth = at->above + at->bits;
    value v;
    if (depth < plan->depth) {
        unsigned bits = plan->depth - depth;
        v = node_new(h, bits < NODE_BITS_MAX ? bits : NODE_BITS_MAX);
    } else {
        v = segment_new(h, at->bits, plan->segment_pairs);
    }
    if (v == VALUE_ABSENT) return -ENOMEM;
    store(h, &at->slots[at->slot], v);
    return 0;
}

int segmented_add_take(struct heap *h, value *body, const struct segmented_plan *plan,
                       uint64_t hash, value key, value v)
{
    for (;;) {
        struct location at = locate(h, body, hash);
        int status;
        if (at.segment == VALUE_NIL) {
            status = location_fill(h, &at, plan);
        } else {
            struct segment s = segment_open(h, at.segment);
            if (s.used < segment_limit(s.capacity) || *segment_place(&s, hash) != VALUE_NIL) {
                segment_put(h, &s, hash, key, v);
                segment_save(h, &s);
                return 0;
            }
            uint64_t begin = gc_timed_begin();
            status = with_slack(s.live) <= SEGMENT_LIMIT_MAX + SEGMENT_LIMIT_MAX / 16
                         ? segment_rebuild(h, &at, &s)
                         : segment_split(h, &at, &s);
            gc_timed_end(&h->gc.stats.split, begin);
        }
        if (status < 0) return status;
    }
}

/* --- the whole ------------------------------------------------------------------------------*/

struct segmented_plan segmented_plan_for(size_t count)
{
    struct segmented_plan plan = segmented_growing;
    /* Three quarters full on average: few segments will split while the map is filled. */
    while (plan.depth < DEPTH_MAX && count >> plan.depth > SEGMENT_LIMIT_MAX * 3 / 4) plan.depth++;
    plan.segment_pairs = (unsigned)with_slack(count >> plan.depth);
    return plan;
}

value segmented_new(struct heap *h, const struct segmented_plan *plan)
{
    return node_new(h, plan->depth < NODE_BITS_MAX ? plan->depth : NODE_BITS_MAX);
}

value *segmented_find(const struct heap *h, value body, const struct map_key *key)
{
    struct location at = locate(h, &body, key->hash);
    if (at.segment == VALUE_NIL) return NULL;
    value *pair = segment_find(h, at.segment, key);
    return pair ? pair + 1 : NULL;
}

value segmented_remove(struct heap *h, value *body, const struct map_key *key, value *removed_key)
{
    struct location at = locate(h, body, key->hash);
    if (at.segment == VALUE_NIL) return VALUE_ABSENT;
    value *pair = segment_find(h, at.segment, key);
    if (!pair) return VALUE_ABSENT;
    struct segment s = segment_open(h, at.segment);
    value removed = pair[1];
    *removed_key = pair[0];
    segment_clear(h, &s, pair);
    if (s.live > 0) {
        segment_save(h, &s);
    } else {
        slots_set(h, at.slots, at.slot, (size_t)1 << (at.bits - s.depth), VALUE_NIL);
        cell_free(h, s.cell);
    }
    return removed;
}

value segmented_part(const struct heap *h, value body, uint64_t hash, uint64_t *end)
{
    struct location at = locate(h, &body, hash);
    size_t depth = at.bits;
    if (at.segment != VALUE_NIL)
        depth = header_payload(cell_words(h, at.segment)[0]) & 0xff;
    depth += at.above;
    *end = ((hash >> (64 - depth)) + 1) << (64 - depth);
    return at.segment;
}

void segmented_forget(struct heap *h, value body)
{
    uint64_t hash = 0;
    do {
        value segment = segmented_part(h, body, hash, &hash);
        if (segment == VALUE_NIL) continue;
        struct segment s = segment_open(h, segment);
        words_forget(segment_pair(&s, 0), 2 * s.capacity);
    } while (hash != 0);
    value_release(h, body);
}
