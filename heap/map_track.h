/* map_track.h - maps whose entries remember when they expire and how they are used.
 *
 * A tracked map is segmented from its first entry on. An entry has a time if it is to expire; and,
 * if the map is to keep that (map_keep_access), 16 bits of access state, whose meaning is its
 * user's (a clock, a counter), 0 at first. Both stay when map_set_take replaces its value. Nothing
 * expires by itself. All other functions of map.h do as they do for other maps. */
#ifndef CAIRN_HEAP_MAP_TRACK_H
#define CAIRN_HEAP_MAP_TRACK_H

#include "heap/map.h"

#define MAP_EXPIRES_MAX (((uint64_t)1 << 48) - 1)

struct map_meta {
    uint64_t expires_ms; /* since the epoch, up to MAP_EXPIRES_MAX; 0: never */
    uint16_t access;     /* 0 where there is none */
};

/* VALUE_ABSENT when memory is short. */
warn_unused value map_new_tracked(struct heap *h);
bool map_is_tracked(const struct heap *h, value map);
/* Whether entries are to have access state; at first they have none. It holds for new entries in
 * places that were changed since; map_access_step makes it hold for all. */
void map_keep_access(struct heap *h, value map, bool keep);
/* Goes through the map in steps of some segments: gives entries access state, or takes it away, as
 * map_keep_access said, and sets what they have to 0. `cursor` 0 begins; returns the next, 0 when
 * all is seen. What there is no memory for stays as it is. The map may change between the steps. */
uint64_t map_access_step(struct heap *h, value map, uint64_t cursor);

/* The functions below are for tracked maps only. */

/* False if the key is not there. */
bool map_meta(const struct heap *h, value map, const struct map_key *key, struct map_meta *meta);
/* As map_get, and reads the metadata if the key is there. */
value map_get_meta(const struct heap *h, value map, const struct map_key *key,
                   struct map_meta *meta);
/* When the entry expires; 0: never. 0, -ENOENT, or -ENOMEM, and then nothing is changed: only if
 * the entry had no time and gets one. */
warn_unused int map_expire(struct heap *h, value map, const struct map_key *key,
                           uint64_t expires_ms);
/* Writes the access state, in place: nothing moves. False if the key is not there, or has none
 * (yet). */
bool map_touch(struct heap *h, value map, const struct map_key *key, uint16_t access);

/* An entry as it is now: all borrowed. */
struct map_entry {
    value key, v;
    struct map_meta meta;
    size_t bytes; /* of the entry, with cells of its key and value, but not what these refer to */
};

/* Up to `count` entries from a place that the random number gives; only such as expire, if
 * `expiring`. Looks at some segments at most, so it may find fewer, or none, though there are. All
 * entries have about the same chance. */
size_t map_sample(const struct heap *h, value map, uint64_t random, bool expiring,
                  struct map_entry *out, size_t count);

/* How many entries map_expired must have room for. */
#define MAP_EXPIRED_MIN (CELL_BYTES_MAX / 20)
/* Goes through the map in steps and hands out what has expired by `now_ms`: up to `capacity`
 * entries of at most 64 segments. *soonest becomes the time of the first that will expire after
 * `now_ms`, of those that the call looked at, if that is before *soonest. `cursor` 0 begins; 0 in
 * *next says that all is seen. The map may change between calls: everything that was there
 * throughout is met. */
size_t map_expired(const struct heap *h, value map, uint64_t now_ms, uint64_t cursor,
                   uint64_t *next, uint64_t *soonest, struct map_entry *out, size_t capacity);

#endif
