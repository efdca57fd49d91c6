/* keys.c - see keys.h: keys and their expiry. */
#include "server/keys.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

/* A sweep rests for this, and for as much as makes it a twentieth of a core. */
#define SWEEP_REST_MS 100
#define SWEEP_REST_STEP_MS 2
/* It does not if it found one in so many of the keys that expire. */
#define SWEEP_MANY 10

void keys_init(struct keys *k, struct heap *h, enum memory_policy policy)
{
    *k = (struct keys){.heap = h, .due_ms = UINT64_MAX};
    evict_init(k, policy);
}

uint64_t keys_now(struct keys *k)
{
    if (k->now_ms) return k->now_ms;
    struct timespec t;
    if (k->fixed_ms) return k->now_ms = k->fixed_ms;
    clock_gettime(CLOCK_REALTIME, &t);
    return k->now_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

value keys_root_make(struct keys *k)
{
    value root = keys_root(k);
    if (root != VALUE_ABSENT) return root;
    root = map_new_tracked(k->heap);
    if (root == VALUE_ABSENT) return root;
    if (k->evict.uses_access) map_keep_access(k->heap, root, true);
    heap_root_set_take(k->heap, ROOT_KEYS, root);
    return root;
}

static bool has_passed(struct keys *k, const struct map_meta *meta)
{
    return meta->expires_ms && meta->expires_ms <= keys_now(k);
}

/* --- looking up -------------------------------------------------------------------------------*/

static value get_minding_meta(struct keys *k, value root, const struct map_key *key)
{
    struct map_meta meta;
    value v = map_get_meta(k->heap, root, key, &meta);
    if (v == VALUE_ABSENT) return v;
    if (has_passed(k, &meta)) return VALUE_ABSENT;
    if (k->evict.uses_access) evict_used(k, root, key, meta.access);
    return v;
}

value keys_get(struct keys *k, const struct map_key *key)
{
    value root = keys_root(k);
    if (root == VALUE_ABSENT) return root;
    bool plain = k->expiring == 0 && !k->evict.uses_access;
    return plain ? map_get(k->heap, root, key) : get_minding_meta(k, root, key);
}

bool keys_expires(struct keys *k, const struct map_key *key, uint64_t *expires_ms)
{
    struct map_meta meta;
    value root = keys_root(k);
    if (root == VALUE_ABSENT || !map_meta(k->heap, root, key, &meta)) return false;
    *expires_ms = meta.expires_ms;
    return !has_passed(k, &meta);
}

bool keys_shows(struct keys *k, value key)
{
    struct map_key ready;
    uint64_t expires_ms;
    if (k->expiring == 0) return true;
    return map_key_value(k->heap, &ready, key) == 0 && keys_expires(k, &ready, &expires_ms);
}

/* --- changing ---------------------------------------------------------------------------------*/

/* The entry is there. 0, or -ENOMEM only if it had no time and gets one. */
static int time_set(struct keys *k, value root, const struct map_key *key, uint64_t old_ms,
                    uint64_t expires_ms)
{
    if (old_ms == expires_ms) return 0;
    int status = map_expire(k->heap, root, key, expires_ms);
    if (status < 0) return status;
    k->expiring += (expires_ms != 0);
    k->expiring -= (old_ms != 0);
    if (expires_ms && expires_ms < k->due_ms) k->due_ms = expires_ms;
    return 0;
}

static void time_unset(struct keys *k, value root, const struct map_key *key, uint64_t old_ms)
{
    int status = time_set(k, root, key, old_ms, 0);
    assert(status == 0);
    (void)status;
}

/* An entry that has this metadata goes, with its value. */
static void entry_remove(struct keys *k, value root, const struct map_key *key,
                         const struct map_meta *meta)
{
    k->expiring -= (meta->expires_ms != 0);
    map_remove(k->heap, root, key, NULL);
}

/* A new key. If it expires, the value comes last, because it could not be taken back. */
static int set_new(struct keys *k, value root, const struct map_key *key, value v,
                   uint64_t expires_ms)
{
    if (expires_ms == 0) return map_set_take(k->heap, root, key, v);
    int status = map_set_take(k->heap, root, key, VALUE_NIL);
    if (status < 0) return status;
    status = time_set(k, root, key, 0, expires_ms);
    struct map_meta meta = {.expires_ms = status == 0 ? expires_ms : 0};
    if (status == 0) status = map_set_take(k->heap, root, key, v);
    if (status < 0) entry_remove(k, root, key, &meta);
    return status;
}

/* A key that is there: its time is changed first if that can fail, and last if it cannot. */
static int set_again(struct keys *k, value root, const struct map_key *key, value v,
                     uint64_t old_ms, uint64_t expires_ms)
{
    int status = expires_ms ? time_set(k, root, key, old_ms, expires_ms) : 0;
    if (status < 0) return status;
    status = map_set_take(k->heap, root, key, v);
    uint64_t now_ms = expires_ms ? expires_ms : old_ms;
    int restored = time_set(k, root, key, now_ms, status < 0 ? old_ms : expires_ms);
    assert(restored == 0 && "the key had a time, or is to have none");
    (void)restored;
    return status;
}

/* *added: there was none, or one whose time has passed. */
static int set_minding_time(struct keys *k, value root, const struct map_key *key, value v,
                            uint64_t expires_ms, bool *added)
{
    struct map_meta meta = {0};
    bool there = map_meta(k->heap, root, key, &meta);
    if (there && has_passed(k, &meta)) {
        entry_remove(k, root, key, &meta);
        k->expired++;
        there = false;
    }
    uint64_t old_ms = there ? meta.expires_ms : 0;
    *added = !there;
    if (expires_ms == KEYS_KEEP) expires_ms = old_ms;
    return there ? set_again(k, root, key, v, old_ms, expires_ms)
                 : set_new(k, root, key, v, expires_ms);
}

/* *added may stay false where no key ever expires. */
static int set_any(struct keys *k, value root, const struct map_key *key, value v,
                   uint64_t expires_ms, bool *added)
{
    bool timeless = k->expiring == 0 && (expires_ms == 0 || expires_ms == KEYS_KEEP);
    return timeless ? map_set_take(k->heap, root, key, v)
                    : set_minding_time(k, root, key, v, expires_ms, added);
}

int keys_set_take(struct keys *k, const struct map_key *key, value v, uint64_t expires_ms)
{
    value root = keys_root_make(k);
    if (root == VALUE_ABSENT) return -ENOMEM;
    bool added = false;
    if (!k->evict.uses_access) return set_any(k, root, key, v, expires_ms, &added);
    size_t count = map_count(k->heap, root);
    int status = set_any(k, root, key, v, expires_ms, &added);
    if (status == 0 && (added || map_count(k->heap, root) > count)) evict_added(k, root, key);
    return status;
}

int keys_expire(struct keys *k, const struct map_key *key, uint64_t expires_ms)
{
    struct map_meta meta;
    value root = keys_root(k);
    bool there = root != VALUE_ABSENT && map_meta(k->heap, root, key, &meta);
    assert(there);
    return there ? time_set(k, root, key, meta.expires_ms, expires_ms) : 0;
}

void keys_remove(struct keys *k, const struct map_key *key)
{
    struct map_meta meta = {0};
    value root = keys_root(k);
    if (root == VALUE_ABSENT || (k->expiring && !map_meta(k->heap, root, key, &meta))) return;
    entry_remove(k, root, key, &meta);
}

int keys_rename(struct keys *k, const struct map_key *from, const struct map_key *to)
{
    struct heap *h = k->heap;
    value root = keys_root(k), v = map_get(h, root, from), moved;
    uint64_t expires_ms;
    bool there = keys_expires(k, from, &expires_ms);
    assert(there);
    (void)there;
    /* A text that the map may pack must not be under both keys: packing frees its cell. */
    bool copied = value_is_view(v) || (!value_is_shared(h, v) && (value_is_kind(v, KIND_STRING) ||
                                                                  value_is_kind(v, KIND_BYTES)));
    if (copied) {
        struct text_scratch scratch;
        const char *data;
        size_t length = text_piece(h, v, 0, &data, &scratch);
        v = text_new(h, data, length, text_is_bytes(v));
    }
    if (v == VALUE_ABSENT) return -ENOMEM;
    /* The value is under both keys for a moment, because only storing it can fail. */
    int status = keys_set_take(k, to, v, expires_ms);
    if (status < 0 && copied) value_release(h, v);
    if (status < 0) return status;
    time_unset(k, root, from, expires_ms);
    status = map_remove(h, root, from, copied ? NULL : &moved);
    assert(status == 0);
    return status;
}

void keys_clear(struct keys *k)
{
    /* The old map goes to the drop queue: constant time, however much it holds. */
    heap_root_set_take(k->heap, ROOT_KEYS, VALUE_NIL);
    k->expiring = 0;
    k->due_ms = UINT64_MAX;
    k->sweep = (struct sweep){0};
    k->evict.converting = false;
}

void key_copy(struct heap *h, value key, struct key_copy *copy)
{
    size_t length = text_length(h, key);
    assert(length <= sizeof copy->text);
    text_copy(h, key, 0, copy->text, length);
    map_key_text(h, &copy->key, copy->text, length);
}

/* --- sweeping ---------------------------------------------------------------------------------*/

uint64_t keys_sweep_due(const struct keys *k)
{
    const struct sweep *s = &k->sweep;
    if (k->expiring == 0) return UINT64_MAX;
    if (s->under_way) return 0;
    return k->due_ms > s->rest_until_ms ? k->due_ms : s->rest_until_ms;
}

static void sweep_begin(struct keys *k)
{
    k->sweep.under_way = true;
    k->sweep.steps = k->sweep.found = 0;
    k->sweep.soonest_ms = k->due_ms = UINT64_MAX;
}

static void sweep_end(struct keys *k)
{
    struct sweep *s = &k->sweep;
    s->under_way = false;
    if (s->soonest_ms < k->due_ms) k->due_ms = s->soonest_ms;
    bool many = s->found > k->expiring / SWEEP_MANY;
    s->rest_until_ms = keys_now(k) + (many ? 0 : SWEEP_REST_MS + s->steps * SWEEP_REST_STEP_MS);
}

size_t keys_sweep(struct keys *k)
{
    struct sweep *s = &k->sweep;
    struct map_entry met[MAP_EXPIRED_MIN];
    char texts[4 * MAP_KEY_BYTES_MAX];
    size_t lengths[MAP_EXPIRED_MIN], used = 0, taken = 0;
    value root = keys_root(k);
    uint64_t next;
    if (root == VALUE_ABSENT) return 0;
    if (!s->under_way) sweep_begin(k);
    size_t found = map_expired(k->heap, root, keys_now(k), s->cursor, &next, &s->soonest_ms, met,
                               MAP_EXPIRED_MIN);
    /* To remove one may move the others: their keys are copied first, as many as there is room
     * for, and the same place is looked at once more if that were not all. */
    for (; taken < found; taken++) {
        size_t length = text_length(k->heap, met[taken].key);
        if (length > sizeof texts - used) break;
        text_copy(k->heap, met[taken].key, 0, texts + used, length);
        lengths[taken] = length;
        used += length;
    }
    used = 0;
    for (size_t i = 0; i < taken; i++) {
        struct map_key key;
        map_key_text(k->heap, &key, texts + used, lengths[i]);
        entry_remove(k, root, &key, &met[i].meta);
        used += lengths[i];
    }
    k->expired += taken;
    s->found += taken;
    s->steps++;
    if (taken == found) s->cursor = next;
    if (taken == found && next == 0) sweep_end(k);
    return taken;
}
