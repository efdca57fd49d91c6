/* map_int.h - the inside of maps: the root, and what its representations offer.
 *
 * The root cell (KIND_MAP):
 *
 *   direct record   [shape][value 0][value 1]…
 *   all others      [header: mode:3, count][body or nil]…
 *
 *   mode        body
 *   empty       nil
 *   record      RECORD       [shape][value 0][value 1]…
 *   linear      MAP_LINEAR   [header][nil][key][value][key][value]…
 *   ordered     MAP_ORDERED  map_ordered.c
 *   segmented   MAP_NODE     map_segmented.c: keys and short values are packed (map_packed.h)
 *
 *                 text keys, up to 64              9th entry         97th entry
 *   empty ----------------------------> record -----------> ordered -----------> segmented
 *     \________ other keys, or no room for a shape ________   ^
 *                                                         \  |
 *                                                        linear
 *
 * A set (KIND_SET, set.c) is a map whose values are all nil. It is never a record, and goes from
 * linear to segmented with its 9th member: a segment keeps what it can do without out of memory,
 * and an ordered table has no use for values that are all nil. The scores of a sorted set
 * (KIND_SCORES) are a map of these two representations as well.
 *
 * A map goes from left to right only, and back to empty when its last entry goes. In a
 * record the value of a removed field is VALUE_TOMBSTONE; the shape stays, so that removing
 * needs no memory, and the next field to be added leaves the removed ones behind.
 *
 * Keys in cells of a map or a shape are canonical: a text is a string if it is valid UTF-8,
 * and a reference carries the low bits of the key's hash. So two keys are equal if their
 * words are; and may be equal otherwise only if both are references with the same hash bits.
 * Segmented maps hold keys in this form only if they do not pack them. */
#ifndef CAIRN_HEAP_MAP_INT_H
#define CAIRN_HEAP_MAP_INT_H

#include "heap/map.h"
#include "heap/store.h"

enum map_mode {
    MODE_EMPTY,
    MODE_RECORD,
    MODE_LINEAR,
    MODE_ORDERED,
    MODE_SEGMENTED,
    MODE_TRACKED, /* segmented, with metadata (map_track.h); from the start and for good */
    MODE_ACCESSED /* tracked, and new segments are for entries with access state */
};

/* Pairs begin at this word, behind the header, so that no pair lies in two cache lines. */
#define PAIRS_BEGIN 2
/* The pairs of the largest cell, and of a cell. */
#define CELL_PAIRS_MAX (CELL_VALUES_MAX / 2 - 1)
static inline size_t cell_pair_count(const struct heap *h, value cell)
{
    return cell_word_count(h, cell) / 2 - 1;
}
static inline size_t pairs_bytes(size_t pairs)
{
    return (PAIRS_BEGIN + 2 * pairs) * sizeof(value);
}

/* --- the root -----------------------------------------------------------------------------*/

static inline enum map_mode map_mode(const struct heap *h, value map)
{
    value first = cell_words(h, map)[0];
    return value_is_ref(first) ? MODE_RECORD : (enum map_mode)(header_payload(first) & 7);
}
static inline bool map_is_segmented(const struct heap *h, value map)
{
    return map_mode(h, map) >= MODE_SEGMENTED;
}
/* Not for records, which count the fields that are not removed. */
static inline size_t map_root_count(const struct heap *h, value map)
{
    return header_payload(cell_words(h, map)[0]) >> 3;
}
static inline value *map_body(const struct heap *h, value map)
{
    return &cell_words(h, map)[1];
}
static inline void map_root_set(struct heap *h, value map, enum map_mode mode, size_t count)
{
    store(h, &cell_words(h, map)[0], cell_header(ref_kind(map), (uint64_t)count << 3 | mode));
}

/* Forgets words whose values now live elsewhere. */
static inline void words_forget(value *words, size_t count)
{
    for (size_t i = 0; i < count; i++) store_new(&words[i], VALUE_NIL);
}

/* Values that move from reachable cells into newborn ones, many at a time. */
static inline void pair_moves(struct heap *h, value key, value v)
{
    if (unlikely(h->marking)) {
        gc_shade(h, key);
        gc_shade(h, v);
    }
}

/* --- what sets are made of: map.c, for set.c ------------------------------------------------*/

/* An empty root: KIND_MAP, KIND_SET or KIND_SCORES. */
warn_unused value map_root_new(struct heap *h, enum kind kind);
/* Adds an entry whose key is not there and not too long. 0 or -ENOMEM. */
warn_unused int map_add_take(struct heap *h, value map, const struct map_key *key, value v);
/* map_from_take, but for records. */
warn_unused value map_build_take(struct heap *h, enum kind kind, value *pairs, size_t count);

/* --- keys: map_key.c ------------------------------------------------------------------------*/

/* The canonical value of a key, new and the caller's. VALUE_ABSENT when memory is short. */
warn_unused value map_key_store(struct heap *h, const struct map_key *key);
/* Makes the owned key value at *slot, from which `key` was made, canonical. 0 or -ENOMEM. */
warn_unused int map_key_adopt(struct heap *h, struct map_key *key, value *slot);
/* The hash of a canonical key. */
uint64_t map_key_hash(const struct heap *h, value stored);
bool map_key_is_cell(const struct heap *h, value stored, const struct map_key *key);
bool map_keys_equal_cells(const struct heap *h, value a, value b);

static inline uint32_t map_key_hash_bits(const struct heap *h, value stored)
{
    return value_is_ref(stored) ? ref_hash(stored)
                                : (uint32_t)(map_key_hash(h, stored) & REF_HASH_MASK);
}
/* Whether a canonical key (or nil, or a tombstone) is the one sought. */
static inline bool map_key_is(const struct heap *h, value stored, const struct map_key *key)
{
    if (key->word != VALUE_ABSENT) return stored == key->word;
    return value_is_ref(stored) && ref_hash(stored) == (key->hash & REF_HASH_MASK) &&
           map_key_is_cell(h, stored, key);
}
static inline bool map_keys_equal(const struct heap *h, value a, value b)
{
    return a == b || (value_is_ref(a) && value_is_ref(b) && ref_hash(a) == ref_hash(b) &&
                      map_keys_equal_cells(h, a, b));
}
static inline bool map_key_is_text(const struct map_key *key)
{
    return key->word == VALUE_ABSENT ? key->kind == KIND_STRING : value_is_inline_text(key->word);
}

/* --- records: map_record.c ------------------------------------------------------------------*/

#define RECORD_REFUSED 1
/* A record of 1..MAP_FIELDS_MAX pairs, whose keys are canonical texts with the hashes given. If
 * `make`, the keys differ, and a missing shape is made. 0 and *record, RECORD_REFUSED if there is
 * no shape for it, or -ENOMEM. Consumes the pairs on success. */
warn_unused int record_new_take(struct heap *h, const value *pairs, const uint64_t *hashes,
                                size_t count, bool make, value *record);
/* Adds a field that is not there to a record or an empty map. 0, -ENOMEM, or RECORD_REFUSED if
 * it must not be a record any more. */
warn_unused int record_add_take(struct heap *h, value map, const struct map_key *key, value v);
value *record_find(const struct heap *h, value map, const struct map_key *key);
/* VALUE_ABSENT if it is not there. An emptied record is to be made an empty map by the caller. */
value record_remove(struct heap *h, value map, const struct map_key *key);
size_t record_count(const struct heap *h, value map);
/* The next field from *position on that is there. */
bool record_next(const struct heap *h, value map, uint64_t *position, value *key, value *v);
/* Frees the body, or clears the root. The values have a new place. */
void record_forget(struct heap *h, value map);

/* --- linear maps: map_linear.c --------------------------------------------------------------*/

warn_unused value linear_new(struct heap *h, size_t capacity);
/* Makes room for one more entry. 0 or -ENOMEM. */
warn_unused int linear_make_room(struct heap *h, value map);
/* There is room. */
void linear_append(struct heap *h, value body, size_t count, value key, value v);
value *linear_find(const struct heap *h, value body, size_t count, const struct map_key *key);
/* Takes the pair of a found slot out; the value, its key in *key. */
value linear_remove(struct heap *h, value body, size_t count, value *slot, value *key);

/* --- ordered maps: map_ordered.c ------------------------------------------------------------*/

#define ORDERED_FULL 1
warn_unused value ordered_new(struct heap *h, size_t capacity);
/* Makes room for one more entry. 0, -ENOMEM, or ORDERED_FULL. */
warn_unused int ordered_make_room(struct heap *h, value body, size_t count);
/* There is room, and the key is not there. `hash` needs no more than REF_HASH_BITS. */
void ordered_append(struct heap *h, value body, uint64_t hash, value key, value v);
value *ordered_find(const struct heap *h, value body, const struct map_key *key);
/* VALUE_ABSENT if it is not there. `count` is that before. */
value ordered_remove(struct heap *h, value body, size_t count, const struct map_key *key,
                     value *removed_key);
bool ordered_next(const struct heap *h, value body, uint64_t *position, value *key, value *v);
/* Frees the cells, and not what they hold. */
void ordered_free(struct heap *h, value body);

/* --- segmented maps: map_segmented.c --------------------------------------------------------*/

/* How new parts of a map are laid out. */
struct segmented_plan {
    unsigned depth; /* hash bits used up by nodes from the start */
    size_t content, entries; /* of a new segment */
    bool accessed; /* entries have access state */
    bool copies; /* cells whose content is packed stay, and are the caller's */
};
extern const struct segmented_plan segmented_growing;
/* For a map that is to get so many entries, whose segmented_entry_bytes add up to `bytes`. */
struct segmented_plan segmented_plan_for(size_t count, size_t bytes);
size_t segmented_entry_bytes(struct heap *h, const struct map_key *key, value v);

/* `*body` may be replaced by each function that gets it by address. */
warn_unused value segmented_new(struct heap *h, const struct segmented_plan *plan);
/* The key is not there. `stored` is its canonical value, if there is one already, or
 * VALUE_ABSENT. Consumes `v`, and `stored` unless it is packed; 0 or -ENOMEM. */
warn_unused int segmented_add_take(struct heap *h, value *body, const struct segmented_plan *plan,
                                   const struct map_key *key, value stored, value v);
/* Whether the content of such a key's, or value's, cell is copied. */
bool segmented_key_packs(const struct heap *h, value key);
bool segmented_value_packs(struct heap *h, value v);
value segmented_get(const struct heap *h, value body, const struct map_key *key);
/* Sets or replaces. 0 or -ENOMEM. */
warn_unused int segmented_set_take(struct heap *h, value *body, const struct map_key *key, value v,
                                   bool accessed, bool *added);
/* map_ready, map_set_ready_take and map_settle. */
warn_unused int segmented_ready(struct heap *h, value *body, const struct map_key *key, value v);
void segmented_set_ready_take(struct heap *h, value *body, const struct map_key *key, value v);
void segmented_settle(struct heap *h, value *body, const struct map_key *key);
/* 0, -ENOENT, or -ENOMEM as map_remove. */
int segmented_remove(struct heap *h, value *body, const struct map_key *key, value *out);
bool segmented_next(const struct heap *h, value body, struct map_iterator *it, value *key,
                    value *v);
/* The segment, or VALUE_NIL, of the part of the hash space in which `hash` lies, and its values;
 * *end is where the next part begins, 0 after the last. */
value segmented_part(const struct heap *h, value body, uint64_t hash, uint64_t *end,
                     value *values);
/* For the checker: NULL, or what is wrong with a map. */
const char *map_verify(const struct heap *h, value map);
/* Frees the cells, and not what they hold; O(size). For what could not be built to the end. */
void segmented_forget(struct heap *h, value body);

#endif
