/* map_segmented.c - maps of any size: extendible hashing (Fagin, Nievergelt, Pippenger, Strong
 * 1979), its directory cut into a tree of small nodes, over packed segments (map_packed.h).
 *
 *   MAP_NODE     [header: bits][nil][slot 0]…[slot 2^bits - 1]
 *   slot         [segment][values, or nil]
 *
 * Each node uses up `bits` bits of the hash, from the top. A segment may serve 2^(bits - depth)
 * neighbouring slots of its node, where `depth` of the node's bits tell it from others. The first
 * of them holds the references, so that each cell has one owner, and the others the number of the
 * first, as an integer. A slot is nil while nothing is in its part of the hash space. Only nodes
 * of NODE_BITS_MAX have nodes below, in slots of their own.
 *
 * A look-up touches one node a level, one or two lines of the segment's index and the entry; the
 * reference to a segment carries the size of its index, so its head is not read. Segments of
 * four KiB keep changes short: a full one is rebuilt or split in one go, from its own bytes alone
 * (hashes are computed again: no key is anywhere else). With sizes that fill pages in whole
 * numbers, a twelfth apart, cells are 0.93 full on average while a map grows.
 *
 * One insertion rebuilds or splits one segment, and doubles one node or adds one; more only
 * where a split leaves one half empty, each with half the chance of the one before. A removal
 * that leaves a segment half empty rebuilds it smaller or merges it (map_merge.c). */
#include "heap/map_packed.h"

/* Of 64 hash bits, the segments' index needs the lower ones. */
#define DEPTH_MAX 44
/* Segments that move out of a sparse page when one leaves it: a split has more to do itself. */
#define EVICTIONS_OF_REBUILD 2
#define EVICTIONS_OF_SPLIT 1

const struct segmented_plan segmented_growing = {.depth = 1};

/* --- nodes ----------------------------------------------------------------------------------*/

unsigned node_bits(const struct heap *h, value node)
{
    return (unsigned)header_payload(cell_words(h, node)[0]);
}

value node_new(struct heap *h, unsigned bits)
{
    value node = cell_take(h, KIND_MAP_NODE, pairs_bytes((size_t)1 << bits), 0);
    if (node != VALUE_ABSENT) store_new(&cell_words(h, node)[0], cell_header(KIND_MAP_NODE, bits));
    return node;
}

/* Inline, so that a look-up builds it where it is to be. */
static inline struct location locate_here(const struct heap *h, value *owner, uint64_t hash)
{
    struct location at = {.owner = owner};
    for (;;) {
        value *words = cell_words(h, *at.owner);
        at.slots = words + PAIRS_BEGIN;
        at.bits = (unsigned)header_payload(words[0]);
        at.slot = hash << at.above >> (64 - at.bits);
        at.segment = at.slots[2 * at.slot];
        if (value_is_int(at.segment)) {
            at.slot = (size_t)value_to_int(at.segment);
            at.segment = at.slots[2 * at.slot];
        }
        if (!value_is_kind(at.segment, KIND_MAP_NODE)) return at;
        at.above += at.bits;
        at.parent_owner = at.owner;
        at.parent_slots = at.slots;
        at.parent_bits = at.bits;
        at.owner = &at.slots[2 * at.slot];
    }
}

struct location locate(const struct heap *h, value *owner, uint64_t hash)
{
    return locate_here(h, owner, hash);
}

void slots_set(struct heap *h, value *slots, size_t slot, size_t count, value segment,
               value values)
{
    store(h, &slots[2 * slot], segment);
    store(h, &slots[2 * slot + 1], values);
    value rest = segment == VALUE_NIL ? VALUE_NIL : value_int((int64_t)slot);
    for (size_t i = slot + 1; i < slot + count; i++) {
        store(h, &slots[2 * i], rest);
        store(h, &slots[2 * i + 1], VALUE_NIL);
    }
}

/* Copies a node into one with twice the slots. */
static void node_double(struct heap *h, const struct location *at, value node)
{
    value *slots = cell_words(h, node) + PAIRS_BEGIN;
    for (size_t i = 0; i < (size_t)1 << at->bits; i++) {
        value v = at->slots[2 * i];
        if (value_is_int(v)) v = value_int(2 * value_to_int(v));
        store_new(&slots[4 * i], v);
        store_new(&slots[4 * i + 1], at->slots[2 * i + 1]);
        store_new(&slots[4 * i + 2], value_is_ref(v) ? value_int((int64_t)(2 * i)) : v);
    }
    cell_moved_in_for(h, node, MOVED_HASH_NODE);
}

/* --- growing --------------------------------------------------------------------------------*/

/* The lines of the segment come while its first hashes are computed. */
static void segment_prefetch(const struct segment *s)
{
    for (size_t i = 0; i < s->head->end; i += 64) __builtin_prefetch(s->entries + i);
}

/* A segment with room for one more entry of `size` bytes, or for none if 0, and without dead bytes,
 * in place of another. */
static int segment_rebuild(struct heap *h, const struct location *at, const struct segment *s,
                           bool accessed, size_t size)
{
    struct target t = {0};
    segment_prefetch(s);
    target_count_all(h, &t, s);
    t.content += size > 0 ? size + segment_access_bytes(s) : 0;
    t.entries += size > 0;
    if (target_make(h, &t, s->head->depth, s, accessed) < 0) return -ENOMEM;
    target_move_all(h, &t, s);
    target_finish(h, &t);
    slots_set(h, at->slots, at->slot, (size_t)1 << (at->bits - s->head->depth), t.cell, t.values);
    segment_free(h, s);
    return 0;
}

/* What a split needs: memory first, then the change. */
struct split {
    unsigned bit; /* of the hash, from the top: which half */
    struct target half[2];
    value node;   /* a doubled node, a node below, or VALUE_NIL */
    uint64_t hashes[INDEX_SLOTS_MAX];
};

static unsigned split_half(const struct split *split, uint64_t hash)
{
    return hash >> (63 - split->bit) & 1;
}

/* The half that the new entry will be in is made with room for it, so that it need not be renewed
 * at once; unless it has too much already, and will be split itself. */
static void split_count_new(struct split *split, const struct segment *s, uint64_t hash,
                            size_t size)
{
    struct target *t = &split->half[split_half(split, hash)];
    size_t content = t->content + size + segment_access_bytes(s);
    if (size == 0 || segment_bytes(content, t->entries + 1) > SEGMENT_BYTES_MAX) return;
    t->content = content;
    t->entries++;
}

static int split_prepare(struct heap *h, const struct location *at, const struct segment *s,
                         bool accessed, uint64_t hash, size_t size, struct split *split)
{
    unsigned depth = s->head->depth;
    bool node_full = depth == at->bits, below = at->bits == NODE_BITS_MAX;
    split->bit = at->above + depth;
    split->half[0] = split->half[1] = (struct target){.cell = VALUE_NIL};
    split->node = VALUE_NIL;
    assert(split->bit < DEPTH_MAX && s->slots <= INDEX_SLOTS_MAX);
    segment_prefetch(s);
    for (size_t i = 0; i < s->slots; i++) {
        if (!slot_is_live(s, i)) continue;
        struct entry e = slot_entry(s, i);
        split->hashes[i] = entry_hash(h, s, &e);
        target_count(&split->half[split_half(split, split->hashes[i])], &e);
    }
    split_count_new(split, s, hash, size);
    if (node_full) split->node = node_new(h, below ? 1 : at->bits + 1);
    bool failed = split->node == VALUE_ABSENT;
    for (unsigned i = 0; i < 2 && !failed; i++)
        failed = target_make(h, &split->half[i], node_full && below ? 1 : depth + 1, s,
                             accessed) < 0;
    if (!failed) return 0;
    for (unsigned i = 0; i < 2; i++) target_discard(h, &split->half[i]);
    if (value_is_ref(split->node)) cell_free(h, split->node);
    return -ENOMEM;
}

/* Puts the halves where the segment was, in its node, in the doubled node, or in one below. */
static void split_link(struct heap *h, const struct location *at, unsigned depth,
                       const struct split *split)
{
    value *slots = at->slots;
    size_t first = at->slot, count = (size_t)1 << (at->bits - depth);
    if (split->node != VALUE_NIL && at->bits == NODE_BITS_MAX) {
        slots = cell_words(h, split->node) + PAIRS_BEGIN;
        slots_set(h, at->slots, first, 1, split->node, VALUE_NIL);
        first = 0;
        count = 2;
    } else if (split->node != VALUE_NIL) {
        value old = *at->owner;
        node_double(h, at, split->node);
        slots = cell_words(h, split->node) + PAIRS_BEGIN;
        store(h, at->owner, split->node);
        cell_free(h, old);
        first *= 2;
        count *= 2;
    }
    const struct target *half = split->half;
    slots_set(h, slots, first, count / 2, half[0].cell, half[0].values);
    slots_set(h, slots, first + count / 2, count / 2, half[1].cell, half[1].values);
}

/* For an entry of `size` bytes that is to come with `hash`; 0: none is. */
static int segment_split(struct heap *h, const struct location *at, const struct segment *s,
                         bool accessed, uint64_t hash, size_t size)
{
    struct split split;
    if (split_prepare(h, at, s, accessed, hash, size, &split) < 0) return -ENOMEM;
    for (size_t i = 0; i < s->slots; i++) {
        if (!slot_is_live(s, i)) continue;
        struct entry e = slot_entry(s, i);
        target_move(h, &split.half[split_half(&split, split.hashes[i])], s, &e, split.hashes[i]);
    }
    for (unsigned i = 0; i < 2; i++) target_finish(h, &split.half[i]);
    split_link(h, at, s->head->depth, &split);
    segment_free(h, s);
    return 0;
}

/* Puts a segment, or a node where the plan has nodes below, into an empty slot. */
static int location_fill(struct heap *h, const struct location *at,
                         const struct segmented_plan *plan, size_t size)
{
    unsigned depth = at->above + at->bits;
    value v;
    if (depth < plan->depth) {
        unsigned bits = plan->depth - depth;
        v = node_new(h, bits < NODE_BITS_MAX ? bits : NODE_BITS_MAX);
    } else {
        size_t entries = plan->entries;
        if (plan->accessed) size += ACCESS_BYTES;
        size_t content = plan->content > size ? plan->content : size;
        v = segment_new(h, at->bits, plan->accessed, content, entries ? entries : 1);
    }
    if (v == VALUE_ABSENT) return -ENOMEM;
    store(h, &location_pair(at)[0], v);
    return 0;
}

/* Where a segment splits: between half of the maximum and all of it, by its place. Hashes spread
 * entries so evenly that all segments would grow through the size classes together, and each class
 * that they leave behind would stay a while in sparse pages: a quarter of the memory. */
static size_t segment_limit(const struct location *at, const struct segment *s, uint64_t hash)
{
    uint64_t place = hash >> (64 - at->above - s->head->depth);
    uint64_t mixed = (place + s->head->depth + at->above + 1) * 0x9e3779b97f4a7c15;
    return SEGMENT_BYTES_MAX / 2 + ((mixed >> 48) * (SEGMENT_BYTES_MAX / 2) >> 16);
}

/* Moves a segment of this map out of the page at hand. False if that cannot be. */
static bool segment_evict(struct heap *h, value *body, uint64_t granule)
{
    value cell = ref_make(KIND_MAP_SEGMENT, granule, 0);
    const struct segment_head *head = cell_bytes(h, cell);
    struct segment s = segment_open(
        h, ref_make(KIND_MAP_SEGMENT, granule,
                    head->slots | (head->accessed ? SEGMENT_REF_ACCESSED : 0)), VALUE_NIL);
    size_t slot = 0;
    segment_prefetch(&s);
    for (; slot < s.slots; slot++)
        if (slot_is_live(&s, slot) && slot_entry(&s, slot).key_type != KEY_CELL) break;
    if (slot == s.slots) return false;
    struct entry e = slot_entry(&s, slot);
    struct location at = locate(h, body, entry_hash(h, &s, &e));
    if (at.segment != s.cell) return false; /* it is another map's */
    size_t bytes = value_cell_bytes(h, s.cell);
    value moved = cell_take(h, KIND_MAP_SEGMENT, bytes, 0);
    if (moved == VALUE_ABSENT) return false;
    if (ref_page(h, moved) == ref_page(h, s.cell)) {
        cell_free(h, moved);
        return false;
    }
    store_bytes(h, moved, 0, s.head, bytes);
    moved = ref_make(KIND_MAP_SEGMENT, ref_granule(moved), ref_hash(s.cell));
    slots_set(h, at.slots, at.slot, (size_t)1 << (at.bits - s.head->depth), moved,
              location_pair(&at)[1]);
    cell_free(h, s.cell);
    return true;
}

/* A segment left the page of `old`. As all segments pass through all size classes, pages would stay
 * behind half empty; so where one becomes sparse, others of the map go along, some at a time. For
 * the memory's sake only: what fails is left for another time. */
static void page_drain(struct heap *h, value *body, value old, unsigned evictions)
{
    const struct page *p = ref_page(h, old);
    uint64_t group = (uint64_t)ref_page_index(old) * PAGE_GROUPS;
    unsigned evicted = 0;
    if (h->in_reservation || p->content != KIND_MAP_SEGMENT || page_unswept(h, p)) return;
    for (unsigned i = 0; i < PAGE_GROUPS && evicted < evictions; i++) {
        if (p->state != PAGE_CELLS || p->active || p->live * 8U > p->cells * 7U) return;
        uint64_t live = h->groups[group + i].head;
        if (!live) continue;
        evicted++;
        uint64_t granule = (group + i) * GROUP_GRANULES + (unsigned)__builtin_ctzl(live);
        if (!segment_evict(h, body, granule)) return;
    }
}

/* One step towards room for an entry of `size` bytes in a segment that has none. */
static int segment_grow(struct heap *h, value *body, const struct location *at,
                        const struct segment *s, bool accessed, uint64_t hash, size_t size)
{
    size_t entries = s->head->live + 1U;
    size_t content = segment_live_bytes(s) - segment_access_bytes(s) * s->head->live + size +
                     (accessed ? ACCESS_BYTES * entries : 0);
    bool holds = segment_holds(content, entries, segment_limit(at, s, hash));
    value old = s->cell;
    int status = holds ? segment_rebuild(h, at, s, accessed, size)
                       : segment_split(h, at, s, accessed, hash, size);
    if (status == 0)
        page_drain(h, body, old, holds ? EVICTIONS_OF_REBUILD : EVICTIONS_OF_SPLIT);
    return status;
}

int segment_ready(struct heap *h, value *body, const struct segmented_plan *plan, uint64_t hash,
                  size_t size, size_t words, struct segment *s)
{
    for (;;) {
        struct location at = locate(h, body, hash);
        int status;
        if (at.segment == VALUE_NIL) {
            status = location_fill(h, &at, plan, size);
        } else {
            *s = location_segment(h, &at);
            bool too_many = words > 0 && values_live(h, s->values) + words > VALUES_WORDS_MAX;
            if (!too_many && segment_has_room(s, size)) {
                if (words == 0) return 0;
                value *slot = &location_pair(&at)[1];
                status = values_make_room(h, slot, words);
                s->values = *slot;
                return status;
            }
            uint64_t begin = gc_timed_begin();
            status = too_many ? segment_split(h, &at, s, plan->accessed, hash, size)
                              : segment_grow(h, body, &at, s, plan->accessed, hash, size);
            gc_timed_end(&h->gc.stats.split, begin);
        }
        if (status < 0) return status;
    }
}

int segment_convert(struct heap *h, value *body, uint64_t hash, bool accessed)
{
    struct location at = locate(h, body, hash);
    if (at.segment == VALUE_NIL) return 0;
    struct segment s = location_segment(h, &at);
    if (s.accessed == accessed) return 0;
    uint64_t begin = gc_timed_begin();
    size_t content = segment_live_bytes(&s) + (accessed ? ACCESS_BYTES * s.head->live : 0);
    bool fits = segment_bytes(content, s.head->live) <= SEGMENT_BYTES_MAX;
    int status = fits ? segment_rebuild(h, &at, &s, accessed, 0)
                      : segment_split(h, &at, &s, accessed, hash, 0);
    gc_timed_end(&h->gc.stats.split, begin);
    return status;
}

/* No entry comes after all: a segment that was made for it goes. */
static void segment_unready(struct heap *h, value *body, uint64_t hash)
{
    struct location at = locate(h, body, hash);
    if (at.segment != VALUE_NIL && location_segment(h, &at).head->live == 0)
        segmented_shrink(h, body, hash);
}

/* --- setting --------------------------------------------------------------------------------*/

int segmented_add_take(struct heap *h, value *body, const struct segmented_plan *plan,
                       const struct map_key *key, value stored, value v)
{
    struct packed_key k;
    struct packed_value p;
    struct segment s;
    packed_key_make(&k, key);
    packed_value_make(h, &p, v);
    bool own = k.type == KEY_CELL && stored == VALUE_ABSENT;
    if (own) stored = map_key_store(h, key);
    if (own && stored == VALUE_ABSENT) return -ENOMEM;
    size_t size = 1 + packed_key_size(&k) + p.size;
    size_t words = (k.type == KEY_CELL) + (p.type == PACKED_REF);
    if (segment_ready(h, body, plan, key->hash, size, words, &s) < 0) {
        segment_unready(h, body, key->hash);
        if (own) value_release(h, stored);
        return -ENOMEM;
    }
    unsigned key_word = k.type == KEY_CELL ? values_put(h, s.values, stored) : 0;
    unsigned word = p.type == PACKED_REF ? values_put(h, s.values, v) : 0;
    packed_value_write(segment_append(&s, key->hash, &k, key_word, p.type, p.size), &p, word);
    if (!plan->copies) packed_value_forget(h, &p);
    return 0;
}

bool segmented_key_packs(const struct heap *h, value key)
{
    return !value_is_ref(key) || (value_is_text(key) && text_length(h, key) <= PACKED_TEXT_MAX);
}

bool segmented_value_packs(struct heap *h, value v)
{
    struct packed_value p;
    packed_value_make(h, &p, v);
    return p.type != PACKED_REF;
}

/* The first line of an entry was read for its key; the others are wanted soon. */
static void entry_prefetch(const struct entry *e)
{
    for (size_t i = 64; i < e->size; i += 64) __builtin_prefetch(e->at + i);
    __builtin_prefetch(e->at + e->size - 1);
}

bool entry_find(const struct heap *h, value *body, const struct map_key *key, struct found *f)
{
    f->at = locate_here(h, body, key->hash);
    if (f->at.segment == VALUE_NIL) return false;
    f->s = location_segment(h, &f->at);
    packed_key_make(&f->k, key);
    f->slot = segment_find(h, &f->s, key, &f->k);
    if (f->slot < 0) return false;
    f->e = slot_entry(&f->s, (size_t)f->slot);
    entry_prefetch(&f->e);
    return true;
}

/* Takes the value out of the values, if it is there; else it needs no release. */
static value entry_value_take(struct heap *h, struct found *f)
{
    unsigned word = entry_value_word(&f->e);
    return word ? values_take(h, f->s.values, word) : VALUE_NIL;
}

/* Whether the value fits where the old one is: it takes as many bytes, and if it is the entry's
 * first word, the values have room for one more. */
static bool entry_suits(const struct heap *h, const struct found *f, const struct packed_value *p)
{
    bool new_word = p->type == PACKED_REF && f->e.type != PACKED_REF;
    return p->size == f->e.size - (size_t)(f->e.v - f->e.at) &&
           !(new_word && values_live(h, f->s.values) == VALUES_WORDS_MAX);
}

/* Replaces a value by one that suits. 0 or -ENOMEM. */
static int entry_overwrite(struct heap *h, struct found *f, const struct packed_value *p)
{
    unsigned word = 0;
    value old = VALUE_NIL, *slot = &location_pair(&f->at)[1];
    if (p->type == PACKED_REF && f->e.type == PACKED_REF) {
        value *at = values_word(h, f->s.values, entry_value_word(&f->e));
        old = *at;
        store(h, at, p->v);
        value_release(h, old);
        return 0;
    }
    if (p->type == PACKED_REF) {
        if (values_make_room(h, slot, 1) < 0) return -ENOMEM;
        word = values_put(h, *slot, p->v);
    } else {
        old = entry_value_take(h, f);
    }
    packed_value_write(f->e.v, p, word);
    entry_set_type(&f->e, p->type);
    packed_value_forget(h, p);
    value_release(h, old);
    values_trim(h, slot);
    return 0;
}

/* Replaces a value by one of another size: the entry moves. 0 or -ENOMEM. */
static int entry_replace(struct heap *h, value *body, const struct map_key *key, struct found *f,
                         const struct packed_value *p)
{
    struct segmented_plan plan = {.depth = 1, .accessed = f->s.accessed};
    size_t size = (size_t)(f->e.v - f->e.at) - segment_access_bytes(&f->s) + p->size;
    if (segment_ready(h, body, &plan, key->hash, size, p->type == PACKED_REF, &f->s) < 0)
        return -ENOMEM;
    if (!entry_find(h, body, key, f)) return -ENOMEM; /* cannot be: it was there */
    value old = entry_value_take(h, f);
    unsigned word = p->type == PACKED_REF ? values_put(h, f->s.values, p->v) : 0;
    packed_value_write(segment_replace(&f->s, (size_t)f->slot, p->type, p->size), p, word);
    packed_value_forget(h, p);
    value_release(h, old);
    values_trim(h, &location_pair(&f->at)[1]);
    return 0;
}

/* Puts any value into the word that the entry names. Needs no memory. */
static void entry_set_word(struct heap *h, struct found *f, value v)
{
    value *at = values_word(h, f->s.values, entry_value_word(&f->e)), old = *at;
    store(h, at, v);
    value_release(h, old);
}

int segmented_set_take(struct heap *h, value *body, const struct map_key *key, value v,
                       bool accessed, bool *added)
{
    struct found f;
    struct packed_value p;
    *added = !entry_find(h, body, key, &f);
    if (*added) {
        struct segmented_plan plan = segmented_growing;
        plan.accessed = accessed;
        return segmented_add_take(h, body, &plan, key, VALUE_ABSENT, v);
    }
    packed_value_make(h, &p, v);
    if (entry_suits(h, &f, &p)) return entry_overwrite(h, &f, &p);
    bool has_word = f.e.type == PACKED_REF;
    int status = entry_replace(h, body, key, &f, &p);
    if (status == 0 || !has_word || !entry_find(h, body, key, &f)) return status;
    entry_set_word(h, &f, v);
    return 0;
}

/* --- setting that cannot fail ---------------------------------------------------------------*/

int segmented_ready(struct heap *h, value *body, const struct map_key *key, value v)
{
    struct found f;
    struct packed_value p;
    if (!entry_find(h, body, key, &f)) return -ENOENT;
    packed_value_make_with(h, &p, v, true);
    if (f.e.type == PACKED_REF) return 0;
    if (p.type != PACKED_REF && p.size == f.e.size - (size_t)(f.e.v - f.e.at)) return 0;
    /* What is there becomes a word of its own, and any value may take its place. */
    value held = text_own(h, entry_value(h, &f.s, &f.e));
    if (held == VALUE_ABSENT) return -ENOMEM;
    struct packed_value as_word = {.type = PACKED_REF, .size = 2, .v = held};
    int status = entry_suits(h, &f, &as_word)
                     ? entry_overwrite(h, &f, &as_word)
                     : entry_replace(h, body, key, &f, &as_word);
    if (status < 0) value_release(h, held);
    return status;
}

void segmented_set_ready_take(struct heap *h, value *body, const struct map_key *key, value v)
{
    struct found f;
    struct packed_value p;
    bool there = entry_find(h, body, key, &f);
    assert(there);
    if (f.e.type == PACKED_REF) {
        entry_set_word(h, &f, v);
        return;
    }
    packed_value_make_with(h, &p, v, true);
    assert(p.type != PACKED_REF && p.size == f.e.size - (size_t)(f.e.v - f.e.at));
    int status = entry_overwrite(h, &f, &p);
    assert(status == 0);
}

void segmented_settle(struct heap *h, value *body, const struct map_key *key)
{
    struct found f;
    struct packed_value p;
    if (!entry_find(h, body, key, &f) || f.e.type != PACKED_REF) return;
    packed_value_make(h, &p, *values_word(h, f.s.values, entry_value_word(&f.e)));
    if (p.type == PACKED_REF) return;
    /* The value, not its cell, moves: it is released as what the word held. */
    p.v = VALUE_NIL;
    int status = p.size == 2 ? entry_overwrite(h, &f, &p) : entry_replace(h, body, key, &f, &p);
    (void)status; /* it may stay where it is */
}

/* --- reading and removing -------------------------------------------------------------------*/

value segmented_get(const struct heap *h, value body, const struct map_key *key)
{
    struct found f;
    return entry_find(h, &body, key, &f) ? entry_value(h, &f.s, &f.e) : VALUE_ABSENT;
}

int segmented_remove(struct heap *h, value *body, const struct map_key *key, value *out)
{
    struct found f;
    value removed = VALUE_NIL;
    if (!entry_find(h, body, key, &f)) return -ENOENT;
    if (out && f.e.type != PACKED_REF) {
        removed = text_own(h, entry_value(h, &f.s, &f.e));
        if (removed == VALUE_ABSENT) return -ENOMEM;
    }
    unsigned key_word = entry_key_word(&f.e);
    if (f.e.type == PACKED_REF) removed = entry_value_take(h, &f);
    if (key_word) value_release(h, values_take(h, f.s.values, key_word));
    if (out)
        *out = removed;
    else
        value_release(h, removed);
    segment_remove(&f.s, (size_t)f.slot);
    values_trim(h, &location_pair(&f.at)[1]);
    segmented_shrink(h, body, key->hash);
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------*/

size_t segmented_entry_bytes(struct heap *h, const struct map_key *key, value v)
{
    struct packed_key k;
    struct packed_value p;
    packed_key_make(&k, key);
    packed_value_make(h, &p, v);
    return 1 + packed_key_size(&k) + p.size;
}

struct segmented_plan segmented_plan_for(size_t count, size_t bytes)
{
    struct segmented_plan plan = segmented_growing;
    size_t total = bytes + count * 5 / 2;
    /* Most are then below their limits: few segments will split while the map is filled. */
    while (plan.depth < DEPTH_MAX && total >> plan.depth > SEGMENT_BYTES_MAX * 2 / 5) plan.depth++;
    plan.content = bytes * 9 / 8 >> plan.depth;
    plan.entries = (count >> plan.depth) + 1;
    return plan;
}

value segmented_new(struct heap *h, const struct segmented_plan *plan)
{
    return node_new(h, plan->depth < NODE_BITS_MAX ? plan->depth : NODE_BITS_MAX);
}

value segmented_part(const struct heap *h, value body, uint64_t hash, uint64_t *end, value *values)
{
    struct location at = locate(h, &body, hash);
    size_t depth = at.bits;
    if (at.segment != VALUE_NIL) depth = location_segment(h, &at).head->depth;
    *values = location_pair(&at)[1];
    depth += at.above;
    *end = ((hash >> (64 - depth)) + 1) << (64 - depth);
    return at.segment;
}

bool segmented_next(const struct heap *h, value body, struct map_iterator *it, value *key,
                    value *v)
{
    /* opaque: the segment under way and its values; where the next part of the hash space
     * begins, and whether there is none. */
    for (;;) {
        if (it->opaque[0] != VALUE_NIL) {
            struct segment s = segment_open(h, it->opaque[0], it->opaque[1]);
            while (it->position < s.slots) {
                size_t slot = it->position++;
                if (!slot_is_live(&s, slot)) continue;
                struct entry e = slot_entry(&s, slot);
                *key = entry_key(h, &s, &e);
                *v = entry_value(h, &s, &e);
                return true;
            }
        }
        if (it->opaque[3]) return false;
        it->position = 0;
        it->opaque[0] = segmented_part(h, body, it->opaque[2], &it->opaque[2], &it->opaque[1]);
        it->opaque[3] = it->opaque[2] == 0;
    }
}

void segmented_forget(struct heap *h, value body)
{
    uint64_t hash = 0;
    do {
        value values;
        segmented_part(h, body, hash, &hash, &values);
        if (values != VALUE_NIL)
            words_forget(values_word(h, values, 1), cell_word_count(h, values) - 1);
    } while (hash != 0);
    value_release(h, body);
}
