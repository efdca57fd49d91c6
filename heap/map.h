/* map.h - maps, and records, which are maps whose field names are shared.
 *
 * The root cell (KIND_MAP) is the map's identity and never moves. Its first word tells
 * the representation: a reference to a shape (the root is a record and its values follow),
 * or an integer header, and then the second word refers to the body:
 *
 *   record     up to MAP_FIELDS_MAX string keys; a shape and the values in its order
 *   linear     up to MAP_LINEAR_MAX entries of any keys, searched in order
 *   ordered    up to MAP_ORDERED_MAX entries: entries in order of insertion, and an index
 *   segmented  any number: extendible hashing (Fagin et al. 1979) in nodes of bounded
 *              size; growth splits one segment or one node, never the table. Keys and short
 *              values lie packed in the segments
 *
 * A map changes representation as it grows; callers do not see which one it has. */
#ifndef CAIRN_HEAP_MAP_H
#define CAIRN_HEAP_MAP_H

#include "heap/text.h"

#define MAP_LINEAR_MAX 8
#define MAP_FIELDS_MAX 64
#ifdef CAIRN_GC_STRESS
#define MAP_ORDERED_MAX 128
#else
#define MAP_ORDERED_MAX 96
#endif

/* A key made ready for look-ups: hashed once. Borrows `data`; may be copied. */
struct map_key {
    value word;       /* the key as a value if a word holds it, else VALUE_ABSENT */
    enum kind kind;   /* without a word: KIND_STRING for any text, or that of a boxed number */
    const char *data; /* the bytes of a text that no word holds */
    size_t length;
    uint64_t number;  /* the bits of a boxed number */
    uint64_t hash;
};
/* `str` and `bin` with the same bytes are the same key. */
void map_key_text(const struct heap *h, struct map_key *key, const void *data, size_t length);
/* `v`: an integer, double, boolean, or a text that is not a rope. 0; -EINVAL for others.
 * Numbers of different classes are different keys (1 and 1.0, 0.0 and -0.0); NaN is one key.
 * The key borrows from `v`, which must live as long. */
warn_unused int map_key_value(const struct heap *h, struct map_key *key, value v);
#define MAP_KEY_BYTES_MAX TEXT_CELL_MAX

warn_unused value map_new(struct heap *h);

/* A map of `pair_count` pairs (key, value, key, value, …), which it consumes; the last of
 * equal keys wins. Keys are owned values valid for map_key_value, of at most
 * MAP_KEY_BYTES_MAX bytes. On failure VALUE_ABSENT, and the caller still owns all. `pairs` is
 * C memory; pairs may be reordered, and keys replaced by equal ones, even then. */
warn_unused value map_from_take(struct heap *h, value *pairs, size_t pair_count);

size_t map_count(const struct heap *h, value map);

/* The value under `key`, or VALUE_ABSENT. Borrowed; like all keys and values that these functions
 * lend it may be a view (value.h): text_own makes one of it that may be stored. */
value map_get(const struct heap *h, value map, const struct map_key *key);

/* Sets or replaces; the old value is released. 0, -ENOMEM, or -EINVAL if the key is longer
 * than MAP_KEY_BYTES_MAX. The key is copied into the heap when it is new. A short text that
 * is not shared may be copied too, and its cell freed: do not use `v` any more. */
warn_unused int map_set_take(struct heap *h, value map, const struct map_key *key, value v);

/* Several entries, all or nothing: when all are there (set nil first), map_ready readies each for
 * its new value; then map_set_ready_take needs no memory, as long as nothing else changes the
 * map, though other entries, or the same once more, may be readied and set. What is there stays
 * the same to all who read it. map_settle may follow, once the values are set, or when they are
 * not to be: it gives back what the readiness costs, if memory allows.
 * map_ready: 0, -ENOENT, or -ENOMEM. */
warn_unused int map_ready(struct heap *h, value map, const struct map_key *key, value v);
void map_set_ready_take(struct heap *h, value map, const struct map_key *key, value v);
void map_settle(struct heap *h, value map, const struct map_key *key);

/* Removes the entry; its value goes to *out (owned), or is released if `out` is NULL.
 * 0, -ENOENT, or -ENOMEM: only if `out` is given and the value is a text that has no cell of its
 * own; then nothing is changed. Without `out` it never fails for want of memory. */
int map_remove(struct heap *h, value map, const struct map_key *key, value *out);

/* Iterates over all entries, in order of insertion where the representation keeps it.
 * Valid until the map changes. Begin with a zeroed iterator. False at the end. */
struct map_iterator {
    uint64_t position;
    uint64_t opaque[4];
};
bool map_next(const struct heap *h, value map, struct map_iterator *it, value *key, value *v);

/* Pages through a map that may change between calls. `cursor` 0 begins; 0 in *next says
 * that all is seen. Everything that was there throughout is met at least once. Writes up
 * to `capacity` (key, value) pairs, borrowed, to `out`, and returns how many: fewer, or none,
 * does not mean the end. A map that fits into the first page comes in order of insertion
 * where the representation keeps it, else pages come in hash order. Cursors are positions in
 * that order, so they survive every change of representation; they fit in 63 bits, and any
 * number is a valid one. Two keys have the same position with a chance of 2^-63 and are then
 * kept in one page; more of them than fit into one are not told apart. A call looks at no more
 * than a few thousand entries. */
#define MAP_PAGE_MIN 1
size_t map_page(const struct heap *h, value map, uint64_t cursor, uint64_t *next, value *out,
                size_t capacity);
/* The cursor that goes on behind the entry with this key of a map: what map_page would give as
 * *next if that were the last of its page. Costs a hash of the key. */
uint64_t map_page_cursor(const struct heap *h, value key);

/* The representation, for the census and tests: "record", "linear", "ordered", "segmented". */
const char *map_representation(const struct heap *h, value map);

#endif
