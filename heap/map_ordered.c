/* map_ordered.c - maps of up to MAP_ORDERED_MAX entries: the entries in order of insertion,
 * and an open-addressed index of their numbers (the compact dictionary of R. Hettinger, 2012).
 *
 *   MAP_ORDERED  [header][index][entries 0][entries 1]…
 *   MAP_ENTRIES  [header][nil][key][value][key][value]…
 *   index        a raw leaf of 2^n slots of 16 bits: 4 bits of hash, 12 of entry number plus 1
 *
 * All entry chunks but the last are of the largest cell; the last grows by a quarter at a time.
 * A removed entry leaves a tombstone; entries move together when room is needed and a quarter
 * are tombstones, or when three quarters are, so the cost of moving is shared by as many
 * removals. Both happen in place, and removing never takes memory. */
#include "heap/map_int.h"

#define CHUNKS_MAX ((MAP_ORDERED_MAX + CELL_PAIRS_MAX - 1) / CELL_PAIRS_MAX)
#define CHUNKS_BEGIN 2
#define INDEX_LOG_MIN 4
#define INDEX_REMOVED 0x0fff
#define INDEX_NUMBER 0x0fff
#define INDEX_TAG_SHIFT 12
#define COMPACT_MIN 32
_Static_assert(MAP_ORDERED_MAX + 1 < INDEX_NUMBER, "an entry number has twelve bits");
_Static_assert(MAP_ORDERED_MAX * 4 <= CELL_BYTES_MAX, "the index is one cell");

struct ordered {
    value body;
    value *words;
    uint16_t *index;
    unsigned log;      /* the index has 2^log slots */
    size_t used;       /* entries, with tombstones */
    size_t capacity;   /* entries that the chunks hold */
};

static struct ordered ordered_open(const struct heap *h, value body)
{
    struct ordered o = {.body = body, .words = cell_words(h, body)};
    uint64_t payload = header_payload(o.words[0]);
    o.index = ref_cell(h, o.words[1]);
    o.log = payload & 0xff;
    o.used = payload >> 8 & 0xffff;
    o.capacity = payload >> 24 & 0xffff;
    return o;
}

static void ordered_save(struct heap *h, const struct ordered *o)
{
    uint64_t payload = o->log | (uint64_t)o->used << 8 | (uint64_t)o->capacity << 24;
    store(h, &o->words[0], cell_header(KIND_MAP_ORDERED, payload));
}

/* How many entries an index of 2^log slots serves, tombstones included: three quarters. */
static size_t index_limit(unsigned log) { return (size_t)3 << log >> 2; }

static unsigned index_log_for(size_t entries)
{
    unsigned log = INDEX_LOG_MIN;
    while (index_limit(log) < entries) log++;
    return log;
}

static value index_new(struct heap *h, unsigned log)
{
    size_t bytes = sizeof(uint16_t) << log;
    value leaf = cell_take(h, KIND_RAW, bytes, 0);
    if (leaf != VALUE_ABSENT) memset(store_raw(h, leaf), 0, bytes);
    return leaf;
}

static value entries_new(struct heap *h, size_t pairs)
{
    value chunk = cell_take(h, KIND_MAP_ENTRIES, pairs_bytes(pairs), 0);
    if (chunk != VALUE_ABSENT)
        store_new(&cell_words(h, chunk)[0], cell_header(KIND_MAP_ENTRIES, 0));
    return chunk;
}

static value *ordered_pair(const struct heap *h, const struct ordered *o, size_t i)
{
    value chunk = o->words[CHUNKS_BEGIN + i / CELL_PAIRS_MAX];
    return cell_words(h, chunk) + PAIRS_BEGIN + 2 * (i % CELL_PAIRS_MAX);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* What the chunks hold, of which `last` is the last. */
static size_t chunks_capacity(const struct heap *h, const struct ordered *o, size_t last)
{
    return least(last * CELL_PAIRS_MAX + cell_pair_count(h, o->words[CHUNKS_BEGIN + last]),
                 MAP_ORDERED_MAX);
}

value ordered_new(struct heap *h, size_t capacity)
{
    unsigned log = index_log_for(capacity);
    size_t bytes = (CHUNKS_BEGIN + CHUNKS_MAX) * sizeof(value);
    value body = cell_take(h, KIND_MAP_ORDERED, bytes, 0);
    if (body == VALUE_ABSENT) return body;
    value index = index_new(h, log);
    if (index == VALUE_ABSENT) {
        cell_free(h, body);
        return VALUE_ABSENT;
    }
    value *words = cell_words(h, body);
    store_new(&words[0], cell_header(KIND_MAP_ORDERED, 0));
    store_new(&words[1], index);
    struct ordered o = {.body = body, .words = words, .log = log};
    for (size_t last = 0; o.capacity < capacity; last++) {
        value chunk = entries_new(h, least(capacity - o.capacity, CELL_PAIRS_MAX));
        if (chunk == VALUE_ABSENT) {
            ordered_free(h, body);
            return VALUE_ABSENT;
        }
        store_new(&words[CHUNKS_BEGIN + last], chunk);
        o.capacity = chunks_capacity(h, &o, last);
    }
    ordered_save(h, &o);
    return body;
}

void ordered_free(struct heap *h, value body)
{
    value *words = cell_words(h, body);
    for (size_t i = 1; i < CHUNKS_BEGIN + CHUNKS_MAX; i++)
        if (value_is_ref(words[i])) cell_free(h, words[i]);
    cell_free(h, body);
}

/* --- the index ------------------------------------------------------------------------------*/

static uint16_t hash_tag(uint64_t hash) { return hash >> (REF_HASH_BITS - 4) & 15; }

static void index_insert(struct ordered *o, uint64_t hash, size_t entry)
{
    size_t mask = ((size_t)1 << o->log) - 1, at = hash & mask;
    while (o->index[at] != 0 && o->index[at] != INDEX_REMOVED) at = (at + 1) & mask;
    o->index[at] = (uint16_t)(hash_tag(hash) << INDEX_TAG_SHIFT | (entry + 1));
}

static void index_rebuild(struct heap *h, struct ordered *o)
{
    memset(o->index, 0, sizeof(uint16_t) << o->log);
    for (size_t i = 0; i < o->used; i++) {
        value key = *ordered_pair(h, o, i);
        if (key != VALUE_TOMBSTONE) index_insert(o, map_key_hash_bits(h, key), i);
    }
}

/* The slot of the index where the key is, or -1. */
static int index_find(const struct heap *h, const struct ordered *o, const struct map_key *key)
{
    size_t mask = ((size_t)1 << o->log) - 1, at = key->hash & REF_HASH_MASK & mask;
    uint16_t tag = hash_tag(key->hash);
    for (; o->index[at] != 0; at = (at + 1) & mask) {
        uint16_t slot = o->index[at];
        if (slot == INDEX_REMOVED || slot >> INDEX_TAG_SHIFT != tag) continue;
        if (map_key_is(h, *ordered_pair(h, o, (slot & INDEX_NUMBER) - 1U), key)) return (int)at;
    }
    return -1;
}

/* --- moving together ------------------------------------------------------------------------*/

/* Frees the chunks behind the one that holds the last entry. */
static void chunks_trim(struct heap *h, struct ordered *o)
{
    size_t last = o->used ? (o->used - 1) / CELL_PAIRS_MAX : 0;
    for (size_t i = last + 1; i < CHUNKS_MAX; i++) {
        value *slot = &o->words[CHUNKS_BEGIN + i], chunk = *slot;
        if (!value_is_ref(chunk)) break;
        store(h, slot, VALUE_NIL);
        cell_free(h, chunk);
    }
    o->capacity = chunks_capacity(h, o, last);
}

static void ordered_compact(struct heap *h, struct ordered *o)
{
    size_t count = 0;
    for (size_t i = 0; i < o->used; i++) {
        value *from = ordered_pair(h, o, i);
        if (*from == VALUE_TOMBSTONE) continue;
        value *to = ordered_pair(h, o, count++);
        if (to != from) store_move(to, from, 2);
    }
    for (size_t i = count; i < o->used; i++) words_forget(ordered_pair(h, o, i), 2);
    o->used = count;
    for (size_t i = 0; i * CELL_PAIRS_MAX < count; i++)
        cell_moved_in_for(h, o->words[CHUNKS_BEGIN + i], MOVED_ORDERED);
    chunks_trim(h, o);
    index_rebuild(h, o);
    ordered_save(h, o);
}

/* --- growing --------------------------------------------------------------------------------*/

/* A last chunk with more room: in place of a smaller one, or behind full ones. *place is its
 * number. VALUE_ABSENT when memory is short. */
static value chunk_grow(struct heap *h, const struct ordered *o, size_t *place)
{
    size_t capacity = least(o->capacity + o->capacity / 4 + 4, MAP_ORDERED_MAX);
    *place = o->capacity / CELL_PAIRS_MAX;
    return entries_new(h, least(capacity - *place * CELL_PAIRS_MAX, CELL_PAIRS_MAX));
}

static void chunk_replace(struct heap *h, struct ordered *o, value chunk, size_t place)
{
    value *slot = &o->words[CHUNKS_BEGIN + place], old = *slot;
    if (value_is_ref(old)) {
        size_t pairs = o->used - place * CELL_PAIRS_MAX;
        store_move(cell_words(h, chunk) + PAIRS_BEGIN, cell_words(h, old) + PAIRS_BEGIN, 2 * pairs);
        cell_moved_in_for(h, chunk, MOVED_ENTRIES);
    }
    store(h, slot, chunk);
    if (value_is_ref(old)) cell_free(h, old);
    o->capacity = chunks_capacity(h, o, place);
}

static void index_replace(struct heap *h, struct ordered *o, value index)
{
    value old = o->words[1];
    store(h, &o->words[1], index);
    cell_free(h, old);
    o->index = store_raw(h, index);
    o->log++;
    index_rebuild(h, o);
}

int ordered_make_room(struct heap *h, value body, size_t count)
{
    struct ordered o = ordered_open(h, body);
    bool entries_full = o.used == o.capacity, index_full = o.used == index_limit(o.log);
    if (!entries_full && !index_full) return 0;
    if (count < o.used && count <= o.used - o.used / 4) {
        ordered_compact(h, &o);
        if (o.used < o.capacity) return 0;
        entries_full = true;
        index_full = false;
    }
    if (o.used == MAP_ORDERED_MAX) return ORDERED_FULL;
    value chunk = VALUE_NIL, index = VALUE_NIL;
    size_t place = 0;
    if (entries_full) chunk = chunk_grow(h, &o, &place);
    if (chunk != VALUE_ABSENT && index_full) index = index_new(h, o.log + 1);
    if (chunk == VALUE_ABSENT || index == VALUE_ABSENT) {
        if (value_is_ref(chunk)) cell_free(h, chunk);
        return -ENOMEM;
    }
    if (value_is_ref(chunk)) chunk_replace(h, &o, chunk, place);
    if (value_is_ref(index)) index_replace(h, &o, index);
    ordered_save(h, &o);
    return 0;
}

/* --- entries --------------------------------------------------------------------------------*/

void ordered_append(struct heap *h, value body, uint64_t hash, value key, value v)
{
    struct ordered o = ordered_open(h, body);
    assert(o.used < o.capacity && o.used < index_limit(o.log));
    value *pair = ordered_pair(h, &o, o.used);
    store(h, &pair[0], key);
    store(h, &pair[1], v);
    index_insert(&o, hash & REF_HASH_MASK, o.used);
    o.used++;
    ordered_save(h, &o);
}

value *ordered_find(const struct heap *h, value body, const struct map_key *key)
{
    struct ordered o = ordered_open(h, body);
    int at = index_find(h, &o, key);
    return at < 0 ? NULL : ordered_pair(h, &o, (o.index[at] & INDEX_NUMBER) - 1U) + 1;
}

value ordered_remove(struct heap *h, value body, size_t count, const struct map_key *key,
                     value *removed_key)
{
    struct ordered o = ordered_open(h, body);
    int at = index_find(h, &o, key);
    if (at < 0) return VALUE_ABSENT;
    value *pair = ordered_pair(h, &o, (o.index[at] & INDEX_NUMBER) - 1U), removed = pair[1];
    *removed_key = pair[0];
    store(h, &pair[0], VALUE_TOMBSTONE);
    store(h, &pair[1], VALUE_NIL);
    o.index[at] = INDEX_REMOVED;
    if (o.used >= COMPACT_MIN && count - 1 <= o.used / 4) ordered_compact(h, &o);
    return removed;
}

bool ordered_next(const struct heap *h, value body, uint64_t *position, value *key, value *v)
{
    struct ordered o = ordered_open(h, body);
    for (; *position < o.used; ++*position) {
        const value *pair = ordered_pair(h, &o, *position);
        if (pair[0] == VALUE_TOMBSTONE) continue;
        *key = pair[0];
        *v = pair[1];
        ++*position;
        return true;
    }
    return false;
}
