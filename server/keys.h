/* keys.h - the key space: the root map, when its keys expire, and which go when memory is short.
 *
 * All look-ups and changes of keys pass through here, so this is where time and use are kept:
 *
 *   expiry    A key whose time has come is not there for any look-up, at once. Its entry is taken
 *             out later: when the key is set again, or by a sweep (keys_sweep), which goes through
 *             the map in bounded steps. A sweep is due when the first key expires, and keeps a
 *             distance that depends on what the last one cost, unless that found much.
 *   eviction  evict.c: in bounded steps, and only as much as is needed.
 *
 * Time is read once a call: what a call sees of a key does not change while it runs.
 *
 * The map is tracked (heap/map_track.h). Its entries have access state only under the policies that
 * need it. While no key expires and the policy needs none, a look-up costs what it costs in any
 * map. */
#ifndef CAIRN_SERVER_KEYS_H
#define CAIRN_SERVER_KEYS_H

#include "heap/map_track.h"

/* X(NAME, name of the setting memory-policy) */
#define MEMORY_POLICIES(X)       \
    X(REFUSE, "refuse")          \
    X(EVICT_LRU, "evict-lru")    \
    X(EVICT_LFU, "evict-lfu")    \
    X(EVICT_TTL, "evict-ttl")
enum memory_policy {
#define X(NAME, name) POLICY_##NAME,
    MEMORY_POLICIES(X)
#undef X
};
/* False if there is no such policy. */
bool memory_policy_read(const char *name, enum memory_policy *policy);

/* Keys that one call may evict before it runs. */
#define EVICT_CALL_KEYS 64
/* Of so many entries the one goes that is worth least. */
#define EVICT_SAMPLES 16

struct sweep {
    bool under_way;
    uint64_t cursor;     /* of map_expired */
    uint64_t soonest_ms; /* the first time of a key that this sweep met and left */
    uint64_t steps, found; /* of this sweep */
    uint64_t rest_until_ms;
};

struct evict {
    enum memory_policy policy;
    bool uses_access;         /* the policy goes by the entries' access state */
    bool converting;          /* entries are yet to be given access state, or relieved of it */
    uint64_t convert_cursor;  /* of map_access_step */
    uint64_t random;
    uint64_t elapsed_ms, last_ms; /* a clock that never goes back */
    uint64_t since_tick;      /* keys evicted */
    uint64_t ticks;           /* of the clock of LRU, beside those of time */
    size_t ceiling_bytes;     /* what cells may take; SIZE_MAX: no limit */
    size_t available_least;   /* free pages, in bytes, when the ceiling was lowered last */
    uint64_t shared;          /* values evicted that only the collector can free */
    uint64_t cycle_awaited;   /* of the collector, that frees them; 0: none */
};

struct watch;

struct keys {
    struct heap *heap;
    struct watch *watches; /* open ones: watch.h */
    uint64_t now_ms;    /* this call's time; 0: not read yet */
    uint64_t fixed_ms;  /* tests: the time; 0: the system's clock */
    uint64_t expiring;  /* keys that have a time, those included that are yet to be swept */
    uint64_t due_ms;    /* no key expires before; UINT64_MAX: none does */
    uint64_t expired, evicted; /* ever */
    struct sweep sweep;
    struct evict evict;
};

/* The key space of `h`, empty or as it is. */
void keys_init(struct keys *k, struct heap *h, enum memory_policy policy);
/* To be called where time may have gone on: before a call, a turn, a step of a task. */
static inline void keys_turn(struct keys *k) { k->now_ms = 0; }
/* Milliseconds since the epoch, the same until the next keys_turn. */
uint64_t keys_now(struct keys *k);

/* The root map; VALUE_ABSENT while it is not made. */
static inline value keys_root(const struct keys *k)
{
    value root = heap_root(k->heap, ROOT_KEYS);
    return root == VALUE_NIL ? VALUE_ABSENT : root;
}
/* Makes it if need be; VALUE_ABSENT when memory is short. */
warn_unused value keys_root_make(struct keys *k);

/* The value, borrowed, or VALUE_ABSENT. Counts as a use of the key. Changes nothing else. */
value keys_get(struct keys *k, const struct map_key *key);
/* Whether the key is there; *expires_ms is its time, 0: never. No use. */
bool keys_expires(struct keys *k, const struct map_key *key, uint64_t *expires_ms);
/* The same of a key as map_page lends it; costs nothing while no key expires. */
bool keys_shows(struct keys *k, value key);

#define KEYS_KEEP UINT64_MAX
/* As map_set_take. The key then expires at `expires_ms`; 0: never; KEYS_KEEP: as before. */
warn_unused int keys_set_take(struct keys *k, const struct map_key *key, value v,
                              uint64_t expires_ms);
/* When the key, which is there, expires: 0 or -ENOMEM, never that for 0 (never), or for a key that
 * has a time. */
warn_unused int keys_expire(struct keys *k, const struct map_key *key, uint64_t expires_ms);
/* Removes the key if it is there. Cannot fail. */
void keys_remove(struct keys *k, const struct map_key *key);
/* Gives the value and the time of `from`, which is there, to another key. 0 or -ENOMEM. */
warn_unused int keys_rename(struct keys *k, const struct map_key *from, const struct map_key *to);
void keys_clear(struct keys *k);
/* As it was taken in, in C memory; a key from map_page, map_sample or map_expired. */
struct key_copy {
    struct map_key key;
    char text[MAP_KEY_BYTES_MAX];
};
void key_copy(struct heap *h, value key, struct key_copy *copy);

/* --- expiry -----------------------------------------------------------------------------------*/

/* When the next step of a sweep is due: UINT64_MAX: never. */
uint64_t keys_sweep_due(const struct keys *k);
/* One step: looks at some thousand entries and removes some hundred at most. Returns how many;
 * the sweep is at its end when keys_sweep_due is later than keys_now. */
size_t keys_sweep(struct keys *k);

/* --- eviction: evict.c ------------------------------------------------------------------------*/

void evict_init(struct keys *k, enum memory_policy policy);
/* Another policy from now on. What is known of the keys' use is forgotten, since each policy has
 * its own meaning of it. The map's entries follow in steps: until their turn has come, those that
 * have no access state count as never used. */
void keys_policy(struct keys *k, enum memory_policy policy);
/* Whether there is such a step to be done, and one step: some hundred entries. At safe points
 * only. */
static inline bool keys_convert_wanted(const struct keys *k) { return k->evict.converting; }
void keys_convert(struct keys *k);
/* A look-up met the entry; a key was added. */
void evict_used(struct keys *k, value root, const struct map_key *key, uint16_t access);
void evict_added(struct keys *k, value root, const struct map_key *key);
/* Whether memory is short and keys should go. */
bool keys_evict_wanted(struct keys *k);
/* Evicts up to `keys_max` keys as long as that is so. Stops where what was evicted is still to be
 * freed, by steps of the drop queue or by the collector. Returns how many went. At safe points,
 * and at the beginning of a call only. */
size_t evict_keys(struct keys *k, size_t keys_max);
static inline size_t keys_evict(struct keys *k, size_t keys_max)
{
    return k->evict.policy == POLICY_REFUSE ? 0 : evict_keys(k, keys_max);
}
/* Whether a request that needs about `bytes` in free pages to go on had better wait for another
 * turn, as eviction may make room for it; `waits`: how often it has. Evicts some keys. */
bool keys_wait_for_room(struct keys *k, size_t bytes, unsigned waits);
/* A request failed for want of memory: evicts some keys for the next one. */
void keys_memory_short(struct keys *k);

#endif
