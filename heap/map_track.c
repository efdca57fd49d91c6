/* map_track.c - the metadata of tracked maps' entries (map_track.h): it lies inside of the packed
 * entry, behind the tag. Access state is written where it is; a time makes an entry six bytes
 * longer, which then moves; to take it away shortens the entry in place.
 *
 * Only some policies of eviction want access state, so it is a property of each segment. What the
 * map's root says holds for new segments, rebuilt ones and halves of those that split;
 * map_access_step brings the others in line. */
#include "heap/map_track.h"

#include "heap/map_packed.h"

/* Segments that one call looks at. */
#define SAMPLE_PARTS_MAX 16
#define EXPIRED_PARTS_MAX 64
#define ACCESS_PARTS_MAX 4 /* each may be rebuilt */
_Static_assert(SEGMENT_BYTES_MAX / (1 + EXPIRES_BYTES + 1 + sizeof(uint16_t)) <= MAP_EXPIRED_MIN,
               "the entries that expire of one segment fit into a page");

value map_new_tracked(struct heap *h)
{
    value map = map_new(h);
    if (map == VALUE_ABSENT) return map;
    value body = segmented_new(h, &segmented_growing);
    if (body == VALUE_ABSENT) {
        cell_free(h, map);
        return body;
    }
    map_root_set(h, map, MODE_TRACKED, 0);
    store_new(map_body(h, map), body);
    return map;
}

bool map_is_tracked(const struct heap *h, value map) { return map_mode(h, map) >= MODE_TRACKED; }

void map_keep_access(struct heap *h, value map, bool keep)
{
    assert(map_is_tracked(h, map));
    map_root_set(h, map, keep ? MODE_ACCESSED : MODE_TRACKED, map_root_count(h, map));
}

/* --- one entry ------------------------------------------------------------------------------*/

static struct map_meta meta_read(const struct segment *s, const struct entry *e)
{
    struct map_meta meta = {0};
    size_t access = segment_access_bytes(s);
    memcpy(&meta.access, e->at + 1, access);
    if (e->at[0] & TAG_EXPIRES) memcpy(&meta.expires_ms, e->at + 1 + access, EXPIRES_BYTES);
    return meta;
}

static bool tracked_find(const struct heap *h, value map, const struct map_key *key,
                         struct found *f)
{
    assert(map_is_tracked(h, map));
    return entry_find(h, map_body(h, map), key, f);
}

bool map_meta(const struct heap *h, value map, const struct map_key *key, struct map_meta *meta)
{
    struct found f;
    if (!tracked_find(h, map, key, &f)) return false;
    *meta = meta_read(&f.s, &f.e);
    return true;
}

value map_get_meta(const struct heap *h, value map, const struct map_key *key,
                   struct map_meta *meta)
{
    struct found f;
    if (!tracked_find(h, map, key, &f)) return VALUE_ABSENT;
    *meta = meta_read(&f.s, &f.e);
    return entry_value(h, &f.s, &f.e);
}

bool map_touch(struct heap *h, value map, const struct map_key *key, uint16_t access)
{
    struct found f;
    if (!tracked_find(h, map, key, &f)) return false;
    memcpy(f.e.at + 1, &access, segment_access_bytes(&f.s));
    return f.s.accessed;
}

static void expires_write(const struct segment *s, unsigned char *entry, uint64_t expires_ms)
{
    entry[0] |= TAG_EXPIRES;
    memcpy(entry + 1 + segment_access_bytes(s), &expires_ms, EXPIRES_BYTES);
}

/* The entry stays where it is; its last bytes are dead. */
static void expires_remove(struct found *f)
{
    unsigned char *at = f->e.at + 1 + segment_access_bytes(&f->s);
    memmove(at, f->e.key, f->e.size - (size_t)(f->e.key - f->e.at));
    f->e.at[0] &= (unsigned char)~TAG_EXPIRES;
    f->s.head->dead = (uint16_t)(f->s.head->dead + EXPIRES_BYTES);
}

static int expires_add(struct heap *h, value map, const struct map_key *key, struct found *f,
                       uint64_t expires_ms)
{
    struct segmented_plan plan = {.depth = 1, .accessed = map_mode(h, map) == MODE_ACCESSED};
    size_t size = f->e.size - segment_access_bytes(&f->s) + EXPIRES_BYTES;
    if (segment_ready(h, map_body(h, map), &plan, key->hash, size, 0, &f->s) < 0) return -ENOMEM;
    bool there = tracked_find(h, map, key, f);
    assert(there);
    const unsigned char *old = f->e.at;
    unsigned char *at = segment_relocate(&f->s, (size_t)f->slot, f->e.size + EXPIRES_BYTES);
    size_t before = 1 + segment_access_bytes(&f->s);
    memcpy(at, old, before);
    memcpy(at + before + EXPIRES_BYTES, old + before, f->e.size - before);
    expires_write(&f->s, at, expires_ms);
    return 0;
}

int map_expire(struct heap *h, value map, const struct map_key *key, uint64_t expires_ms)
{
    struct found f;
    assert(expires_ms <= MAP_EXPIRES_MAX);
    if (!tracked_find(h, map, key, &f)) return -ENOENT;
    bool expires = f.e.at[0] & TAG_EXPIRES;
    if (!expires && expires_ms) return expires_add(h, map, key, &f, expires_ms);
    if (expires && expires_ms) expires_write(&f.s, f.e.at, expires_ms);
    if (expires && !expires_ms) expires_remove(&f);
    return 0;
}

/* --- many -----------------------------------------------------------------------------------*/

static struct map_entry entry_show(const struct heap *h, const struct segment *s,
                                   const struct entry *e)
{
    struct map_entry shown = {entry_key(h, s, e), entry_value(h, s, e), meta_read(s, e), 0};
    shown.bytes = e->size + 3 + value_cell_bytes(h, shown.key) + value_cell_bytes(h, shown.v);
    return shown;
}

size_t map_sample(const struct heap *h, value map, uint64_t random, bool expiring,
                  struct map_entry *out, size_t count)
{
    value body = *map_body(h, map);
    uint64_t hash = random;
    size_t found = 0;
    assert(map_is_tracked(h, map));
    for (unsigned parts = 0; parts < SAMPLE_PARTS_MAX && found < count; parts++) {
        value values, cell = segmented_part(h, body, hash, &hash, &values);
        if (cell == VALUE_NIL) continue;
        struct segment s = segment_open(h, cell, values);
        /* The first segment from a random slot on, in a circle. */
        size_t first = parts == 0 ? (random & 0xffff) * s.slots >> 16 : 0;
        for (size_t i = 0; i < s.slots && found < count; i++) {
            size_t slot = first + i < s.slots ? first + i : first + i - s.slots;
            if (!slot_is_live(&s, slot)) continue;
            struct entry e = slot_entry(&s, slot);
            if (expiring && !(e.at[0] & TAG_EXPIRES)) continue;
            out[found++] = entry_show(h, &s, &e);
        }
    }
    return found;
}

static void segment_access_clear(struct segment *s)
{
    if (!s->accessed) return;
    for (size_t slot = 0; slot < s->slots; slot++)
        if (slot_is_live(s, slot)) memset(slot_entry(s, slot).at + 1, 0, ACCESS_BYTES);
}

uint64_t map_access_step(struct heap *h, value map, uint64_t cursor)
{
    value *body = map_body(h, map);
    bool accessed = map_mode(h, map) == MODE_ACCESSED;
    assert(map_is_tracked(h, map));
    for (unsigned parts = 0; parts < ACCESS_PARTS_MAX; parts++) {
        uint64_t end;
        int status = segment_convert(h, body, cursor, accessed);
        value values, cell = segmented_part(h, *body, cursor, &end, &values);
        if (cell != VALUE_NIL) {
            struct segment s = segment_open(h, cell, values);
            if (status == 0 && s.accessed != accessed) continue; /* it is half as large now */
            segment_access_clear(&s);
        }
        cursor = end;
        if (cursor == 0) break;
    }
    return cursor;
}

/* The cursor is where the next part of the hash space begins. */
size_t map_expired(const struct heap *h, value map, uint64_t now_ms, uint64_t cursor,
                   uint64_t *next, uint64_t *soonest, struct map_entry *out, size_t capacity)
{
    value body = *map_body(h, map);
    size_t found = 0;
    assert(map_is_tracked(h, map) && capacity >= MAP_EXPIRED_MIN);
    *next = cursor;
    for (unsigned parts = 0; parts < EXPIRED_PARTS_MAX; parts++) {
        uint64_t end;
        size_t begin = found;
        value values, cell = segmented_part(h, body, *next, &end, &values);
        struct segment s = {0};
        if (cell != VALUE_NIL) s = segment_open(h, cell, values);
        for (size_t slot = 0; slot < s.slots; slot++) {
            if (!slot_is_live(&s, slot)) continue;
            struct entry e = slot_entry(&s, slot);
            if (!(e.at[0] & TAG_EXPIRES)) continue;
            uint64_t expires_ms = meta_read(&s, &e).expires_ms;
            if (expires_ms > now_ms) {
                if (expires_ms < *soonest) *soonest = expires_ms;
                continue;
            }
            if (found == capacity) return begin; /* this segment comes again */
            out[found++] = entry_show(h, &s, &e);
        }
        *next = end;
        if (end == 0) break;
    }
    return found;
}
