/* evict.c - which keys go when memory is short, when, and how many: see keys.h.
 *
 * Which. Of EVICT_SAMPLES entries at a random place the one that was not used for longest
 * (evict-lru), that is used least (evict-lfu), or that expires first (evict-ttl): on average the
 * seventeenth part that is worth least is hit, at one cache miss. Keys that have expired go first.
 *
 *   LRU  access state is the tick of the last use. A tick is 4 s, or fewer when many keys go: 256
 *        of them to a turnover of the key space, so that order is told apart however fast that
 *        is. After three days without use, and without eviction, an entry looks new again.
 *   LFU  counter:8 | minute:8, as Redis counts (Sanfilippo 2016): uses count the less likely the
 *        higher the counter is, and each minute takes one off.
 *
 * When and how many. Memory is taken in pages; a page is full of cells of one size. To evict keys
 * frees cells, and hardly ever a page: so free pages say when to begin, but not when to stop. Once
 * they are below the low mark, the bytes that cells take then are the *ceiling*: what is added
 * above it, others make room for, cell for cell. As other sizes of values come, they take more
 * pages; below half the low mark the ceiling falls by twice what these take. So all that is evicted
 * is paid for by something that came, and the key space cannot run empty because memory does not
 * fall at once: nothing more goes while evicted values wait in the drop queue, or, if they were
 * shared, for the collector.
 *
 * A long request that comes faster than that makes room waits before its next piece: some keys go,
 * the collector moves what is left together, and so on, a bounded number of times. */
#include "server/keys.h"

#include <assert.h>
#include <string.h>

#include "heap/gc.h"

/* The low mark: this part of the heap. */
#define LOW_PART 32
/* A request that failed lowers the ceiling by this part of the heap. */
#define SHORT_PART 256
#define EVICT_SHORT_KEYS (4 * EVICT_CALL_KEYS)
/* Turns that a request may wait for room; in one of so many keys go. */
#define ROOM_WAITS_MAX 1024
#define ROOM_WAITS_EACH 8
#define TICK_MS 4000
#define TICKS_OF_TURNOVER 256
#define LFU_MINUTE_MS 60000
#define LFU_BORN 5
#define LFU_FACTOR 10
/* Words of the drop queue that an eviction takes apart. */
#define DROP_WORDS 16384
/* Shared values evicted before the collector has its turn. */
#define SHARED_MAX 64

bool memory_policy_read(const char *name, enum memory_policy *policy)
{
    static const char *const names[] = {
#define X(NAME, name) name,
        MEMORY_POLICIES(X)
#undef X
    };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *policy = (enum memory_policy)i;
        return true;
    }
    return false;
}

void evict_init(struct keys *k, enum memory_policy policy)
{
    k->evict = (struct evict){
        .policy = policy,
        .uses_access = policy == POLICY_EVICT_LRU || policy == POLICY_EVICT_LFU,
        .random = heap_hash(k->heap, "evict", strlen("evict")) | 1,
        .ceiling_bytes = SIZE_MAX,
    };
    value root = keys_root(k);
    if (root == VALUE_ABSENT) return;
    map_keep_access(k->heap, root, k->evict.uses_access);
    k->evict.converting = true;
}

void keys_policy(struct keys *k, enum memory_policy policy)
{
    if (policy != k->evict.policy) evict_init(k, policy);
}

void keys_convert(struct keys *k)
{
    struct evict *e = &k->evict;
    value root = keys_root(k);
    assert(e->converting && root != VALUE_ABSENT);
    e->convert_cursor = map_access_step(k->heap, root, e->convert_cursor);
    e->converting = e->convert_cursor != 0;
}

/* --- use --------------------------------------------------------------------------------------*/

/* Marsaglia's xorshift. */
static uint64_t next_random(struct evict *e)
{
    e->random ^= e->random << 13;
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    return e->random;
}

static uint64_t elapsed_ms(struct keys *k)
{
    struct evict *e = &k->evict;
    uint64_t now_ms = keys_now(k);
    if (e->last_ms && now_ms > e->last_ms) e->elapsed_ms += now_ms - e->last_ms;
    e->last_ms = now_ms;
    return e->elapsed_ms;
}

static uint16_t lru_tick(struct keys *k)
{
    return (uint16_t)(elapsed_ms(k) / TICK_MS + k->evict.ticks);
}

static uint8_t lfu_minute(struct keys *k) { return (uint8_t)(elapsed_ms(k) / LFU_MINUTE_MS); }

/* The counter as it is now. */
static unsigned lfu_counter(struct keys *k, uint16_t access)
{
    unsigned counter = access >> 8, minutes = (uint8_t)(lfu_minute(k) - access);
    return counter > minutes ? counter - minutes : 0;
}

static uint16_t lfu_access(struct keys *k, unsigned counter)
{
    return (uint16_t)(counter << 8 | lfu_minute(k));
}

static uint16_t lfu_used(struct keys *k, uint16_t access)
{
    unsigned counter = lfu_counter(k, access);
    unsigned above = counter > LFU_BORN ? counter - LFU_BORN : 0;
    if (counter < UINT8_MAX && (next_random(&k->evict) >> 32) % (above * LFU_FACTOR + 1) == 0)
        counter++;
    return lfu_access(k, counter);
}

void evict_used(struct keys *k, value root, const struct map_key *key, uint16_t access)
{
    uint16_t used = k->evict.policy == POLICY_EVICT_LFU ? lfu_used(k, access) : lru_tick(k);
    if (used != access) map_touch(k->heap, root, key, used);
}

void evict_added(struct keys *k, value root, const struct map_key *key)
{
    bool lfu = k->evict.policy == POLICY_EVICT_LFU;
    map_touch(k->heap, root, key, lfu ? lfu_access(k, LFU_BORN) : lru_tick(k));
}

/* --- which ------------------------------------------------------------------------------------*/

/* How much there is to be said for evicting the entry. */
static uint64_t entry_rank(struct keys *k, const struct map_entry *entry)
{
    const struct map_meta *meta = &entry->meta;
    if (meta->expires_ms && meta->expires_ms <= keys_now(k)) return UINT64_MAX;
    switch (k->evict.policy) {
    case POLICY_EVICT_LRU: return (uint16_t)(lru_tick(k) - meta->access);
    case POLICY_EVICT_LFU: return UINT8_MAX - lfu_counter(k, meta->access);
    case POLICY_EVICT_TTL: return MAP_EXPIRES_MAX - meta->expires_ms;
    case POLICY_REFUSE: break;
    }
    return 0;
}

/* False if there is none that may go. */
static bool evict_one(struct keys *k)
{
    struct evict *e = &k->evict;
    struct map_entry met[EVICT_SAMPLES];
    struct key_copy key;
    value root = keys_root(k);
    bool expiring = e->policy == POLICY_EVICT_TTL;
    if (root == VALUE_ABSENT || (expiring && k->expiring == 0)) return false;
    size_t best = 0;
    size_t count = map_sample(k->heap, root, next_random(e), expiring, met, EVICT_SAMPLES);
    if (count == 0) return false;
    for (size_t i = 1; i < count; i++)
        if (entry_rank(k, &met[i]) > entry_rank(k, &met[best])) best = i;
    key_copy(k->heap, met[best].key, &key);
    e->shared += value_is_shared(k->heap, met[best].v);
    keys_remove(k, &key.key);
    k->evicted++;
    if (++e->since_tick <= map_count(k->heap, root) / TICKS_OF_TURNOVER) return true;
    e->since_tick = 0;
    e->ticks++;
    return true;
}

/* --- when and how many ------------------------------------------------------------------------*/

static size_t low_mark(const struct keys *k) { return heap_max_bytes(k->heap) / LOW_PART; }

static void ceiling_set(struct keys *k)
{
    struct evict *e = &k->evict;
    size_t available = heap_available_bytes(k->heap), low = low_mark(k);
    if (available >= 2 * low) e->ceiling_bytes = SIZE_MAX;
    if (available >= low) return;
    if (e->ceiling_bytes == SIZE_MAX) {
        e->ceiling_bytes = heap_used_bytes(k->heap);
        e->available_least = available;
    }
    if (available >= low / 2) e->available_least = available;
    if (available >= low / 2 || available >= e->available_least) return;
    size_t fall = 2 * (e->available_least - available);
    e->ceiling_bytes -= fall < e->ceiling_bytes ? fall : e->ceiling_bytes;
    e->available_least = available;
}

bool keys_evict_wanted(struct keys *k)
{
    if (k->evict.policy == POLICY_REFUSE) return false;
    ceiling_set(k);
    if (k->evict.ceiling_bytes == SIZE_MAX) return false;
    return heap_used_bytes(k->heap) > k->evict.ceiling_bytes;
}

/* Whether evicted values that were shared wait for the collector, which is asked to work. */
static bool collector_first(struct evict *e, struct heap *h)
{
    struct gc_stats stats;
    if (e->shared < SHARED_MAX) return false;
    gc_stats(h, &stats);
    if (e->cycle_awaited == 0) {
        /* One that is under way keeps what was reachable when it began. */
        e->cycle_awaited = stats.cycles + 1 + (gc_phase(h) != GC_IDLE);
    } else if (stats.cycles >= e->cycle_awaited) {
        e->shared = e->cycle_awaited = 0;
        return false;
    }
    if (gc_enabled(h)) gc_start(h);
    return true;
}

/* Whether something that was given up has still to be freed, after up to *words of it were. */
static bool evicted_waits(struct keys *k, size_t *words)
{
    if (heap_drop_pending(k->heap)) {
        size_t done = heap_drop_step(k->heap, *words);
        *words -= done < *words ? done : *words;
    }
    return heap_drop_pending(k->heap) || collector_first(&k->evict, k->heap);
}

size_t evict_keys(struct keys *k, size_t keys_max)
{
    size_t count = 0, words = DROP_WORDS;
    while (count < keys_max && keys_evict_wanted(k) && !evicted_waits(k, &words) && evict_one(k))
        count++;
    return count;
}

void keys_memory_short(struct keys *k)
{
    struct evict *e = &k->evict;
    if (e->policy == POLICY_REFUSE) return;
    size_t used = heap_used_bytes(k->heap), fall = heap_max_bytes(k->heap) / SHORT_PART;
    /* Not while what was to go before is still there. */
    if (used <= e->ceiling_bytes) e->ceiling_bytes = used > fall ? used - fall : 0;
    keys_evict(k, EVICT_SHORT_KEYS);
}

bool keys_wait_for_room(struct keys *k, size_t bytes, unsigned waits)
{
    value root = keys_root(k);
    if (k->evict.policy == POLICY_REFUSE || root == VALUE_ABSENT) return false;
    bool expiring = k->evict.policy == POLICY_EVICT_TTL;
    bool evicts = (expiring ? k->expiring : map_count(k->heap, root)) > 0;
    if (!evicts || waits >= ROOM_WAITS_MAX || heap_available_bytes(k->heap) >= bytes) return false;
    if (waits % ROOM_WAITS_EACH == 0) keys_memory_short(k);
    return true;
}
