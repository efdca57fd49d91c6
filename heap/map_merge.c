/* map_merge.c - segmented maps that shrink: what is half empty is rebuilt smaller, or merged with
 * its buddy, the segment that differs from it in the last bit of their depth; and a node whose
 * segments all serve two slots becomes half as large, or makes way for its last segment.
 *
 * All of it is for the memory's sake only. So where memory for the smaller cells is short, or
 * promised to somebody else, things stay as they are until the next occasion. A step touches two
 * segments and a node. */
#include "heap/map_packed.h"

/* One removal makes so many steps at most; others will follow. */
#define STEPS_MAX 4

/* The slots that are shared with the location's: the first of them, and how many. */
struct range {
    size_t first, count;
};

static bool range_is_empty(const value *slots, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        if (slots[2 * i] != VALUE_NIL) return false;
    return true;
}

static bool range_is_all(const struct location *at, struct range range)
{
    return range.count == (size_t)1 << at->bits;
}
static struct range range_buddy(struct range range)
{
    return (struct range){range.first ^ range.count, range.count};
}

/* The slots of the location's segment. If it is empty, it is freed; the slots are then all that
 * are empty together. */
static struct range range_clear(struct heap *h, const struct location *at)
{
    struct range range = {at->slot, 1};
    if (at->segment != VALUE_NIL) {
        struct segment s = location_segment(h, at);
        range.count = (size_t)1 << (at->bits - s.head->depth);
        if (s.head->live > 0) return range;
        slots_set(h, at->slots, range.first, range.count, VALUE_NIL, VALUE_NIL);
        segment_free(h, &s);
    }
    while (!range_is_all(at, range)) {
        struct range other = range_buddy(range);
        if (!range_is_empty(at->slots, other.first, other.count)) break;
        range = (struct range){range.first & ~range.count, 2 * range.count};
    }
    return range;
}

/* The segment that serves exactly this range, or VALUE_NIL: it may be empty, or divided. */
static value range_segment(const struct heap *h, const struct location *at, struct range range)
{
    value segment = at->slots[2 * range.first];
    if (!value_is_kind(segment, KIND_MAP_SEGMENT)) return VALUE_NIL;
    struct segment s = segment_open(h, segment, VALUE_NIL);
    return range.count == (size_t)1 << (at->bits - s.head->depth) ? segment : VALUE_NIL;
}

/* Whether both together stay well below what would be split again. */
static bool together_fits(const struct target *t)
{
    return segment_bytes(t->content, t->entries) <= SEGMENT_BYTES_MAX * 3 / 8 &&
           t->words <= VALUES_WORDS_MAX * 5 / 8;
}

static bool memory_is_free(const struct heap *h) { return !h->in_reservation; }

/* Two segments become one, with one bit less. */
static bool segments_merge(struct heap *h, const struct location *at, struct range both,
                           const struct segment *a, const struct segment *b)
{
    struct target t = {0};
    target_count_all(h, &t, a);
    target_count_all(h, &t, b);
    if (a->accessed != b->accessed || !together_fits(&t) ||
        target_make(h, &t, a->head->depth - 1U, a, a->accessed) < 0)
        return false;
    target_move_all(h, &t, a);
    target_move_all(h, &t, b);
    target_finish(h, &t);
    slots_set(h, at->slots, both.first, both.count, t.cell, t.values);
    segment_free(h, a);
    segment_free(h, b);
    return true;
}

/* Merges the range at the location with its buddy. True if something was done. */
static bool ranges_merge(struct heap *h, const struct location *at, struct range mine)
{
    if (range_is_all(at, mine)) return false;
    struct range other = range_buddy(mine);
    struct range both = {mine.first & ~mine.count, 2 * mine.count};
    /* A map has two parts at least: each is told by a bit of the hash. */
    if (range_is_all(at, both) && !at->parent_owner) return false;
    value a = range_segment(h, at, mine), b = range_segment(h, at, other);
    bool a_empty = a == VALUE_NIL && range_is_empty(at->slots, mine.first, mine.count);
    bool b_empty = b == VALUE_NIL && range_is_empty(at->slots, other.first, other.count);
    if ((a == VALUE_NIL && !a_empty) || (b == VALUE_NIL && !b_empty) || (a_empty && b_empty))
        return false;
    struct segment x = {0}, y = {0};
    if (!a_empty) x = segment_open(h, a, at->slots[2 * mine.first + 1]);
    if (!b_empty) y = segment_open(h, b, at->slots[2 * other.first + 1]);
    if (!a_empty && !b_empty) return segments_merge(h, at, both, &x, &y);
    /* One of them takes the other's slots as well. */
    struct segment *only = a_empty ? &y : &x;
    only->head->depth--;
    slots_set(h, at->slots, both.first, both.count, only->cell, only->values);
    return true;
}

/* Whether no segment needs the node's last bit. */
static bool node_is_wide(const struct location *at)
{
    for (size_t i = 0; i < (size_t)1 << at->bits; i += 2) {
        value even = at->slots[2 * i], odd = at->slots[2 * i + 2];
        bool shared = value_is_int(odd) || (odd == VALUE_NIL && even == VALUE_NIL);
        if (!shared) return false;
    }
    return true;
}

/* The node becomes one with half the slots. */
static bool node_halve(struct heap *h, const struct location *at)
{
    value node = node_new(h, at->bits - 1), old = *at->owner;
    if (node == VALUE_ABSENT) return false;
    value *slots = cell_words(h, node) + PAIRS_BEGIN;
    for (size_t i = 0; i < (size_t)1 << (at->bits - 1); i++) {
        value v = at->slots[4 * i];
        if (value_is_int(v)) v = value_int(value_to_int(v) / 2);
        store_new(&slots[2 * i], v);
        store_new(&slots[2 * i + 1], at->slots[4 * i + 1]);
    }
    cell_moved_in(h, node);
    store(h, at->owner, node);
    cell_free(h, old);
    return true;
}

/* The only segment of a node, or nothing, takes the node's place in the node above. */
static bool node_lift(struct heap *h, const struct location *at)
{
    value segment = at->slots[0], values = at->slots[1], node = *at->owner;
    value *pair = at->owner;
    if (segment != VALUE_NIL)
        segment_open(h, segment, values).head->depth = (uint8_t)at->parent_bits;
    if (h->marking) { /* they move to where the marker may have been */
        gc_shade(h, segment);
        gc_shade(h, values);
    }
    store(h, &pair[0], segment);
    store(h, &pair[1], values);
    cell_free(h, node);
    return true;
}

static bool node_shrink(struct heap *h, const struct location *at)
{
    if (!node_is_wide(at)) return false;
    if (at->bits > 1) return node_halve(h, at);
    return at->parent_owner ? node_lift(h, at) : false;
}

/* A segment that is half empty, in a smaller cell. */
static bool segment_shrink(struct heap *h, const struct location *at, struct range range)
{
    struct segment s = location_segment(h, at);
    struct target t = {0};
    target_count_all(h, &t, &s);
    if (target_make(h, &t, s.head->depth, &s, s.accessed) < 0) return false;
    target_move_all(h, &t, &s);
    target_finish(h, &t);
    slots_set(h, at->slots, range.first, range.count, t.cell, t.values);
    segment_free(h, &s);
    return true;
}

static bool segment_is_sparse(const struct segment *s)
{
    size_t has = sizeof *s->head + 2 * s->slots + s->head->room;
    return has > SEGMENT_BYTES_MIN && segment_bytes(segment_live_bytes(s), s->head->live) < has / 2;
}

void segmented_shrink(struct heap *h, value *body, uint64_t hash)
{
    struct location at = locate(h, body, hash);
    struct segment s = location_segment(h, &at);
    bool empty = s.head->live == 0;
    debug_assert(at.segment != VALUE_NIL);
    if (!empty && !segment_is_sparse(&s)) return;
    struct range range = range_clear(h, &at);
    if (!memory_is_free(h)) return;
    bool merged = false;
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        if (!ranges_merge(h, &at, range) && !node_shrink(h, &at)) break;
        merged = true;
        at = locate(h, body, hash);
        range = range_clear(h, &at);
    }
    if (!merged && !empty) segment_shrink(h, &at, range);
}
