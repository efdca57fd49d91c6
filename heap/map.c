/* map.c - maps as a whole: what each call means for the representation at hand, and the turns
 * from one representation to the next (map_int.h has the chart).
 *
 * A turn builds the new body first, from all entries of the old one, and frees the old cells
 * when it is complete. At most MAP_ORDERED_MAX entries ever move. Segmented maps pack keys and
 * short values: when one is built out of cells, it copies from them, and they are freed when all
 * has succeeded. */
#include "heap/map_int.h"

value map_root_new(struct heap *h, enum kind kind)
{
    value map = cell_take(h, kind, 2 * sizeof(value), 0);
    if (map != VALUE_ABSENT) store_new(&cell_words(h, map)[0], cell_header(kind, MODE_EMPTY));
    return map;
}

value map_new(struct heap *h) { return map_root_new(h, KIND_MAP); }

size_t map_count(const struct heap *h, value map)
{
    return map_mode(h, map) == MODE_RECORD ? record_count(h, map) : map_root_count(h, map);
}

const char *map_representation(const struct heap *h, value map)
{
    switch (map_mode(h, map)) {
    case MODE_RECORD: return "record";
    case MODE_ORDERED: return "ordered";
    case MODE_SEGMENTED:
    case MODE_TRACKED:
    case MODE_ACCESSED: return "segmented";
    case MODE_LINEAR:
    case MODE_EMPTY: break;
    }
    return "linear";
}

/* --- finding --------------------------------------------------------------------------------*/

/* The slot of the value, or NULL. Not for segmented maps. */
static value *map_find(const struct heap *h, value map, const struct map_key *key)
{
    value body = *map_body(h, map);
    switch (map_mode(h, map)) {
    case MODE_RECORD: return record_find(h, map, key);
    case MODE_LINEAR: return linear_find(h, body, map_root_count(h, map), key);
    case MODE_ORDERED: return ordered_find(h, body, key);
    case MODE_SEGMENTED:
    case MODE_TRACKED:
    case MODE_ACCESSED:
    case MODE_EMPTY: break;
    }
    return NULL;
}

value map_get(const struct heap *h, value map, const struct map_key *key)
{
    if (map_is_segmented(h, map)) return segmented_get(h, *map_body(h, map), key);
    const value *slot = map_find(h, map, key);
    return slot ? *slot : VALUE_ABSENT;
}

/* --- turning into another representation ----------------------------------------------------*/

/* Frees the cells of the body, whose entries have a new place or are gone. */
static void body_forget(struct heap *h, value map)
{
    value body = *map_body(h, map);
    switch (map_mode(h, map)) {
    case MODE_RECORD: record_forget(h, map); return;
    case MODE_LINEAR: cell_free(h, body); break;
    case MODE_ORDERED: ordered_free(h, body); break;
    case MODE_SEGMENTED:
    case MODE_TRACKED:
    case MODE_ACCESSED: value_release(h, body); break; /* nodes only: it is empty */
    case MODE_EMPTY: return;
    }
    store_new(map_body(h, map), VALUE_NIL);
}

/* Adds all entries of `map` to a new body, which takes them without failing. */
static void body_fill(struct heap *h, value map, enum map_mode mode, value body)
{
    struct map_iterator it = {0};
    value key, v;
    for (size_t i = 0; map_next(h, map, &it, &key, &v); i++) {
        pair_moves(h, key, v);
        if (mode == MODE_LINEAR)
            linear_append(h, body, i, key, v);
        else
            ordered_append(h, body, map_key_hash_bits(h, key), key, v);
    }
}

/* Turns into `mode`, with room for one more entry. 0 or -ENOMEM. The keys of a record stay
 * its shape's as well; they are shared. */
static int map_turn_small(struct heap *h, value map, enum map_mode mode)
{
    size_t count = map_count(h, map);
    uint64_t begin = gc_timed_begin();
    value body = mode == MODE_LINEAR ? linear_new(h, count + 1) : ordered_new(h, count + 1);
    if (body == VALUE_ABSENT) return -ENOMEM;
    body_fill(h, map, mode, body);
    body_forget(h, map);
    map_root_set(h, map, mode, count);
    store_new(map_body(h, map), body);
    gc_timed_end(&h->gc.stats.growth, begin);
    return 0;
}

static void key_make(const struct heap *h, struct map_key *key, value stored)
{
    int status = map_key_value(h, key, stored);
    assert(status == 0);
}

/* Releases what a segmented map has copied of a pair. */
static void pair_release_packed(struct heap *h, value key_value, value v)
{
    if (segmented_value_packs(h, v)) value_release(h, v);
    if (!segmented_key_packs(h, key_value)) return;
    /* A shared key came from a record, whose shape still has it: no garbage, so no debt. */
    if (!value_is_shared(h, key_value))
        value_release(h, key_value);
    else if (unlikely(h->marking))
        gc_shade(h, key_value);
}

/* A segmented body with the entries of a smaller map, whose keys and values keep their cells.
 * VALUE_ABSENT when memory is short. */
static value segmented_from_small(struct heap *h, value map)
{
    struct map_iterator it = {0};
    struct map_key keys[MAP_ORDERED_MAX]; /* hashed once */
    value key_value, v;
    size_t bytes = 0, count = 0;
    while (map_next(h, map, &it, &key_value, &v)) {
        key_make(h, &keys[count], key_value);
        bytes += segmented_entry_bytes(h, &keys[count++], v);
    }
    struct segmented_plan plan = segmented_plan_for(count + 1, bytes);
    plan.copies = true;
    value body = segmented_new(h, &plan);
    if (body == VALUE_ABSENT) return body;
    it = (struct map_iterator){0};
    for (size_t i = 0; map_next(h, map, &it, &key_value, &v); i++) {
        pair_moves(h, key_value, v);
        if (segmented_add_take(h, &body, &plan, &keys[i], key_value, v) == 0) continue;
        segmented_forget(h, body);
        return VALUE_ABSENT;
    }
    return body;
}

static int map_turn_segmented(struct heap *h, value map)
{
    size_t count = map_root_count(h, map);
    uint64_t begin = gc_timed_begin();
    value body = segmented_from_small(h, map), key, v;
    if (body == VALUE_ABSENT) return -ENOMEM;
    struct map_iterator it = {0};
    while (map_next(h, map, &it, &key, &v)) pair_release_packed(h, key, v);
    body_forget(h, map);
    map_root_set(h, map, MODE_SEGMENTED, count);
    store_new(map_body(h, map), body);
    gc_timed_end(&h->gc.stats.growth, begin);
    return 0;
}

static int map_turn(struct heap *h, value map, enum map_mode mode)
{
    return mode == MODE_SEGMENTED ? map_turn_segmented(h, map) : map_turn_small(h, map, mode);
}

/* The smallest representation of `count` entries that is not a record. */
static enum map_mode mode_for(enum kind kind, size_t count)
{
    if (count <= MAP_LINEAR_MAX) return MODE_LINEAR;
    return kind == KIND_MAP && count <= MAP_ORDERED_MAX ? MODE_ORDERED : MODE_SEGMENTED;
}

/* Makes room for one more entry in a map that is not a record. 0 or -ENOMEM. */
static int map_make_room(struct heap *h, value map)
{
    int status = 0;
    switch (map_mode(h, map)) {
    case MODE_EMPTY:
    case MODE_RECORD:
        return map_turn(h, map, mode_for(ref_kind(map), map_count(h, map) + 1));
    case MODE_LINEAR:
        if (map_root_count(h, map) == MAP_LINEAR_MAX)
            return map_turn(h, map, mode_for(ref_kind(map), MAP_LINEAR_MAX + 1));
        return linear_make_room(h, map);
    case MODE_ORDERED:
        status = ordered_make_room(h, *map_body(h, map), map_root_count(h, map));
        if (status == ORDERED_FULL) return map_turn_segmented(h, map);
        break;
    case MODE_SEGMENTED:
    case MODE_TRACKED:
    case MODE_ACCESSED: break;
    }
    return status;
}

/* --- adding ---------------------------------------------------------------------------------*/

/* Adds an entry whose canonical key is not there, after map_make_room. Not for segmented maps. */
static void map_insert_take(struct heap *h, value map, uint64_t hash, value key, value v)
{
    enum map_mode mode = map_mode(h, map);
    size_t count = map_root_count(h, map);
    if (mode == MODE_LINEAR)
        linear_append(h, *map_body(h, map), count, key, v);
    else
        ordered_append(h, *map_body(h, map), hash, key, v);
    map_root_set(h, map, mode, count + 1);
}

static int map_set_segmented_take(struct heap *h, value map, const struct map_key *key, value v)
{
    bool added;
    enum map_mode mode = map_mode(h, map);
    int status = segmented_set_take(h, map_body(h, map), key, v, mode == MODE_ACCESSED, &added);
    if (status == 0 && added) map_root_set(h, map, mode, map_root_count(h, map) + 1);
    return status;
}

int map_add_take(struct heap *h, value map, const struct map_key *key, value v)
{
    enum map_mode mode = map_mode(h, map);
    if (mode == MODE_SEGMENTED) return map_set_segmented_take(h, map, key, v);
    if ((mode == MODE_EMPTY || mode == MODE_RECORD) && value_is_kind(map, KIND_MAP) &&
        map_key_is_text(key)) {
        int status = record_add_take(h, map, key, v);
        if (status != RECORD_REFUSED) return status;
    }
    value stored = map_key_store(h, key);
    if (stored == VALUE_ABSENT) return -ENOMEM;
    int status = map_make_room(h, map);
    if (status == 0 && !map_is_segmented(h, map)) {
        map_insert_take(h, map, key->hash, stored, v);
        return 0;
    }
    value_release(h, stored);
    return status < 0 ? status : map_set_segmented_take(h, map, key, v);
}

int map_set_take(struct heap *h, value map, const struct map_key *key, value v)
{
    if (key->length > MAP_KEY_BYTES_MAX) return -EINVAL;
    if (map_is_segmented(h, map)) return map_set_segmented_take(h, map, key, v);
    value *slot = map_find(h, map, key);
    if (slot) {
        value old = *slot;
        store(h, slot, v);
        value_release(h, old);
        return 0;
    }
    return map_add_take(h, map, key, v);
}

int map_ready(struct heap *h, value map, const struct map_key *key, value v)
{
    if (map_is_segmented(h, map)) return segmented_ready(h, map_body(h, map), key, v);
    return map_find(h, map, key) ? 0 : -ENOENT;
}

void map_set_ready_take(struct heap *h, value map, const struct map_key *key, value v)
{
    if (map_is_segmented(h, map)) {
        segmented_set_ready_take(h, map_body(h, map), key, v);
        return;
    }
    int status = map_set_take(h, map, key, v);
    assert(status == 0 && "the entry is there");
}

void map_settle(struct heap *h, value map, const struct map_key *key)
{
    if (map_is_segmented(h, map)) segmented_settle(h, map_body(h, map), key);
}

/* --- removing -------------------------------------------------------------------------------*/

static int map_remove_segmented(struct heap *h, value map, const struct map_key *key, value *out)
{
    size_t count = map_root_count(h, map);
    int status = segmented_remove(h, map_body(h, map), key, out);
    if (status < 0) return status;
    enum map_mode mode = map_mode(h, map);
    if (count == 1 && mode == MODE_SEGMENTED) {
        body_forget(h, map);
        mode = MODE_EMPTY;
    }
    map_root_set(h, map, mode, count - 1);
    return 0;
}

int map_remove(struct heap *h, value map, const struct map_key *key, value *out)
{
    enum map_mode mode = map_mode(h, map);
    value *body = map_body(h, map), removed = VALUE_ABSENT, stored = VALUE_NIL;
    size_t count = map_count(h, map);
    value *slot;
    switch (mode) {
    case MODE_RECORD: removed = record_remove(h, map, key); break;
    case MODE_LINEAR:
        slot = linear_find(h, *body, count, key);
        if (slot) removed = linear_remove(h, *body, count, slot, &stored);
        break;
    case MODE_ORDERED: removed = ordered_remove(h, *body, count, key, &stored); break;
    case MODE_SEGMENTED:
    case MODE_TRACKED:
    case MODE_ACCESSED: return map_remove_segmented(h, map, key, out);
    case MODE_EMPTY: break;
    }
    if (removed == VALUE_ABSENT) return -ENOENT;
    if (count == 1) {
        body_forget(h, map);
        map_root_set(h, map, MODE_EMPTY, 0);
    } else if (mode != MODE_RECORD) {
        map_root_set(h, map, mode, count - 1);
    }
    value_release(h, stored);
    if (out)
        *out = removed;
    else
        value_release(h, removed);
    return 0;
}

/* --- iterating ------------------------------------------------------------------------------*/

bool map_next(const struct heap *h, value map, struct map_iterator *it, value *key, value *v)
{
    value body = *map_body(h, map);
    switch (map_mode(h, map)) {
    case MODE_RECORD: return record_next(h, map, &it->position, key, v);
    case MODE_ORDERED: return ordered_next(h, body, &it->position, key, v);
    case MODE_SEGMENTED:
    case MODE_TRACKED:
    case MODE_ACCESSED: return segmented_next(h, body, it, key, v);
    case MODE_LINEAR: {
        if (it->position == map_root_count(h, map)) return false;
        const value *pair = cell_words(h, body) + PAIRS_BEGIN + 2 * it->position++;
        *key = pair[0];
        *v = pair[1];
        return true;
    }
    case MODE_EMPTY: break;
    }
    return false;
}

/* --- making whole maps ----------------------------------------------------------------------*/

/* Whether the map is to be a record: then `hashes` has those of the keys. Makes keys canonical
 * as it goes. 1, 0, or -ENOMEM. */
static int pairs_look(struct heap *h, value *pairs, size_t count, uint64_t *hashes)
{
    if (count > MAP_FIELDS_MAX) return 0;
    for (size_t i = 0; i < count; i++) {
        struct map_key key;
        int status = map_key_value(h, &key, pairs[2 * i]);
        assert(status == 0);
        if (!map_key_is_text(&key)) return 0;
        if (map_key_adopt(h, &key, &pairs[2 * i]) < 0) return -ENOMEM;
        hashes[i] = key.hash;
    }
    return 1;
}

/* Moves pairs that a later one overwrites to the front (with the value that loses), and returns
 * how many. `hashes` moves along. */
static size_t pairs_part(const struct heap *h, value *pairs, size_t count, uint64_t *hashes)
{
    value kept[2 * MAP_FIELDS_MAX], lost[2 * MAP_FIELDS_MAX];
    uint64_t kept_hashes[MAP_FIELDS_MAX];
    size_t kept_count = 0, lost_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < kept_count && !map_keys_equal(h, kept[2 * j], pairs[2 * i])) j++;
        if (j < kept_count) {
            lost[2 * lost_count] = pairs[2 * i];
            lost[2 * lost_count++ + 1] = kept[2 * j + 1];
        } else {
            kept[2 * j] = pairs[2 * i];
            kept_hashes[kept_count++] = hashes[i];
        }
        kept[2 * j + 1] = pairs[2 * i + 1];
    }
    memcpy(pairs, lost, lost_count * 2 * sizeof *pairs);
    memcpy(pairs + 2 * lost_count, kept, kept_count * 2 * sizeof *pairs);
    memcpy(hashes + lost_count, kept_hashes, kept_count * sizeof *hashes);
    return lost_count;
}

static void pairs_release(struct heap *h, const value *pairs, size_t count)
{
    for (size_t i = 0; i < 2 * count; i++) value_release(h, pairs[i]);
}

/* An empty map that takes `count` entries without turning: not for segmented ones. */
static value map_new_for(struct heap *h, enum kind kind, size_t count)
{
    value map = map_root_new(h, kind);
    if (map == VALUE_ABSENT) return map;
    enum map_mode mode = mode_for(kind, count);
    value body = mode == MODE_LINEAR ? linear_new(h, count) : ordered_new(h, count);
    if (body == VALUE_ABSENT) {
        cell_free(h, map);
        return VALUE_ABSENT;
    }
    map_root_set(h, map, mode, 0);
    store_new(map_body(h, map), body);
    return map;
}

/* Gives the entries of a map that could not be completed back to `pairs`, behind the `lost`
 * ones, and frees the map. */
static void map_give_back(struct heap *h, value map, value *pairs, size_t lost)
{
    struct map_iterator it = {0};
    value *pair = pairs + 2 * lost;
    while (map_next(h, map, &it, &pair[0], &pair[1])) pair += 2;
    body_forget(h, map);
    cell_free(h, map);
}

/* One pair into a map under construction. 1 if it overwrote: then its slots hold what lost.
 * 0, or -ENOMEM. */
static int map_build_step(struct heap *h, value map, value *pair)
{
    struct map_key key;
    key_make(h, &key, pair[0]);
    if (map_key_adopt(h, &key, &pair[0]) < 0) return -ENOMEM;
    value *slot = map_find(h, map, &key);
    if (slot) {
        value old = *slot;
        store(h, slot, pair[1]);
        pair[1] = old;
        return 1;
    }
    map_insert_take(h, map, key.hash, pair[0], pair[1]);
    return 0;
}

/* At any time pairs[0..lost) hold what lost, the map the rest of pairs[0..i). */
static value small_build_take(struct heap *h, enum kind kind, value *pairs, size_t count)
{
    value map = map_new_for(h, kind, count);
    if (map == VALUE_ABSENT) return map;
    size_t lost = 0;
    for (size_t i = 0; i < count; i++) {
        int status = map_build_step(h, map, &pairs[2 * i]);
        if (status < 0) {
            map_give_back(h, map, pairs, lost);
            return VALUE_ABSENT;
        }
        if (status == 0) continue;
        memcpy(&pairs[2 * lost], &pairs[2 * i], 2 * sizeof *pairs);
        lost++;
    }
    pairs_release(h, pairs, lost);
    return map;
}

static void pair_swap(value *a, value *b)
{
    value pair[2] = {a[0], a[1]};
    memcpy(a, b, sizeof pair);
    memcpy(b, pair, sizeof pair);
}

/* Adds pairs to a segmented body, from the last to the first, so that the last of equal keys is
 * the one that is met first. pairs[0..*lost) then hold those that lost. 0 or -ENOMEM. */
static int segmented_fill(struct heap *h, value *body, const struct segmented_plan *plan,
                          value *pairs, size_t count, size_t *lost)
{
    *lost = count;
    for (size_t i = count; i-- > 0;) {
        value *pair = &pairs[2 * i];
        struct map_key key;
        key_make(h, &key, pair[0]);
        if (segmented_get(h, *body, &key) != VALUE_ABSENT) continue;
        if (!segmented_key_packs(h, pair[0]) && map_key_adopt(h, &key, &pair[0]) < 0)
            return -ENOMEM;
        if (segmented_add_take(h, body, plan, &key, pair[0], pair[1]) < 0) return -ENOMEM;
        pair_swap(pair, &pairs[2 * --*lost]);
    }
    return 0;
}

static value segmented_build_take(struct heap *h, enum kind kind, value *pairs, size_t count)
{
    size_t bytes = 0, lost;
    struct map_key key;
    for (size_t i = 0; i < count; i++) {
        key_make(h, &key, pairs[2 * i]);
        bytes += segmented_entry_bytes(h, &key, pairs[2 * i + 1]);
    }
    struct segmented_plan plan = segmented_plan_for(count, bytes);
    plan.copies = true;
    value map = map_root_new(h, kind), body = VALUE_ABSENT;
    if (map != VALUE_ABSENT) body = segmented_new(h, &plan);
    if (body == VALUE_ABSENT || segmented_fill(h, &body, &plan, pairs, count, &lost) < 0) {
        if (body != VALUE_ABSENT) segmented_forget(h, body);
        if (map != VALUE_ABSENT) cell_free(h, map);
        return VALUE_ABSENT;
    }
    pairs_release(h, pairs, lost);
    for (size_t i = lost; i < count; i++) pair_release_packed(h, pairs[2 * i], pairs[2 * i + 1]);
    map_root_set(h, map, MODE_SEGMENTED, count - lost);
    store_new(map_body(h, map), body);
    return map;
}

value map_build_take(struct heap *h, enum kind kind, value *pairs, size_t count)
{
    return mode_for(kind, count) == MODE_SEGMENTED ? segmented_build_take(h, kind, pairs, count)
                                                   : small_build_take(h, kind, pairs, count);
}

value map_from_take(struct heap *h, value *pairs, size_t pair_count)
{
    uint64_t hashes[MAP_FIELDS_MAX];
    value map;
    if (pair_count == 0) return map_new(h);
    int look = pairs_look(h, pairs, pair_count, hashes);
    if (look < 0) return VALUE_ABSENT;
    if (look > 0) {
        /* No shape has a key twice: if there is one, no keys need to be compared. */
        int status = record_new_take(h, pairs, hashes, pair_count, false, &map);
        if (status == 0) return map;
        size_t lost = 0;
        if (status == RECORD_REFUSED) {
            lost = pairs_part(h, pairs, pair_count, hashes);
            status = record_new_take(h, pairs + 2 * lost, hashes + lost, pair_count - lost, true,
                                     &map);
        }
        if (status == -ENOMEM) return VALUE_ABSENT;
        if (status == 0) {
            pairs_release(h, pairs, lost);
            return map;
        }
    }
    return map_build_take(h, KIND_MAP, pairs, pair_count);
}
