/* set.h - sets: values of which each is there once.
 *
 * Members are what can be keys of maps: texts, integers, doubles and booleans. `str` and `bin`
 * with the same bytes are the same member; 1 and 1.0 are two. A set is a map without values
 * (map_int.h), and never changes its identity, the root cell (KIND_SET). */
#ifndef CAIRN_HEAP_SET_H
#define CAIRN_HEAP_SET_H

#include "heap/map.h"

warn_unused value set_new(struct heap *h);

/* A set of the `count` values at `members`, which it consumes; each is valid for map_key_value
 * and has at most MAP_KEY_BYTES_MAX bytes. On failure VALUE_ABSENT, and the caller still owns
 * them. `members` is C memory, and may be reordered, and members replaced by equal ones, even
 * then. */
warn_unused value set_from_take(struct heap *h, value *members, size_t count);

size_t set_count(const struct heap *h, value set);
bool set_contains(const struct heap *h, value set, const struct map_key *key);

/* 1 if the member is new, 0 if it was there, -ENOMEM, or -EINVAL if it is longer than
 * MAP_KEY_BYTES_MAX. The member is copied into the heap. */
warn_unused int set_include(struct heap *h, value set, const struct map_key *key);
/* Whether it was there. Never fails for want of memory. */
bool set_exclude(struct heap *h, value set, const struct map_key *key);

/* As map_next. The member is borrowed. */
bool set_next(const struct heap *h, value set, struct map_iterator *it, value *member);
/* As map_page, but members only: `out` has room for 2 * `capacity` values, of which the first
 * are filled. */
size_t set_page(const struct heap *h, value set, uint64_t cursor, uint64_t *next, value *out,
                size_t capacity);

#endif
