/* map_record.c - maps of text keys as records: a shape (shape.h) and the values.
 *
 * What comes in whole is a record of exactly its size in its root cell, and costs one look-up
 * for the shape. What grows field by field moves to a body with some room to grow. */
#include "heap/map_int.h"
#include "heap/shape.h"

/* Above this many fields, a map that grows field by field stays a record only if others grew
 * the same way before: it is likely to be a dictionary. */
#define RECORD_GROW_MAX 16

struct record {
    value cell; /* the root or the body */
    value *values;
    value shape; /* VALUE_ABSENT: an empty map */
    size_t fields; /* of the shape */
    size_t capacity; /* in values */
};

static struct record record_open(const struct heap *h, value map)
{
    struct record r = {.cell = map, .shape = VALUE_ABSENT};
    value *words = cell_words(h, map);
    if (!value_is_ref(words[0]) && value_is_ref(words[1])) {
        r.cell = words[1];
        words = cell_words(h, r.cell);
    }
    r.values = words + 1;
    r.capacity = cell_word_count(h, r.cell) - 1;
    if (value_is_ref(words[0])) {
        r.shape = words[0];
        r.fields = shape_field_count(h, r.shape);
    }
    return r;
}

/* --- making ---------------------------------------------------------------------------------*/

static value record_fill(struct heap *h, value record, value shape, const value *pairs,
                         size_t count)
{
    value *words = cell_words(h, record);
    store_new(&words[0], shape);
    for (size_t i = 0; i < count; i++) store_new(&words[1 + i], pairs[2 * i + 1]);
    return record;
}

int record_new_take(struct heap *h, const value *pairs, const uint64_t *hashes, size_t count,
                    bool make, value *record)
{
    value keys[MAP_FIELDS_MAX];
    uint64_t hash = 0;
    assert(count > 0 && count <= MAP_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        keys[i] = pairs[2 * i];
        hash = shape_hash_next(hash, hashes[i]);
    }
    value shape = shape_find(h, keys, count, NULL, hash);
    bool found = shape != VALUE_ABSENT;
    if (!found && (!make || !shape_table_has_room(h))) return RECORD_REFUSED;
    value root = cell_take(h, KIND_MAP, (1 + count) * sizeof(value), 0);
    if (root == VALUE_ABSENT) return -ENOMEM;
    if (!found) shape = shape_make(h, keys, count, hash);
    if (shape == VALUE_ABSENT) {
        cell_free(h, root);
        return -ENOMEM;
    }
    *record = record_fill(h, root, shape, pairs, count);
    if (found)
        for (size_t i = 0; i < count; i++) value_release(h, keys[i]);
    return 0;
}

/* --- growing --------------------------------------------------------------------------------*/

/* The fields that are there: their keys, and where their values are. */
struct fields {
    size_t count;
    uint64_t hash; /* of their sequence */
    value keys[MAP_FIELDS_MAX];
    uint8_t at[MAP_FIELDS_MAX];
};

static void fields_collect(const struct heap *h, const struct record *r, struct fields *f)
{
    f->count = 0;
    f->hash = 0;
    if (r->shape == VALUE_ABSENT) return;
    const value *keys = shape_keys(h, r->shape);
    for (size_t i = 0; i < r->fields; i++) {
        if (r->values[i] == VALUE_TOMBSTONE) continue;
        f->keys[f->count] = keys[i];
        f->at[f->count++] = (uint8_t)i;
    }
    if (f->count == r->fields) {
        f->hash = shape_hash(h, r->shape);
        return;
    }
    for (size_t i = 0; i < f->count; i++)
        f->hash = shape_hash_next(f->hash, map_key_hash(h, f->keys[i]));
}

/* The shape of the fields and one more. 0, RECORD_REFUSED, or -ENOMEM. */
static int shape_with(struct heap *h, struct fields *f, const struct map_key *key, value *shape)
{
    uint64_t hash = shape_hash_next(f->hash, key->hash);
    *shape = shape_find(h, f->keys, f->count, key, hash);
    if (*shape != VALUE_ABSENT) return 0;
    if (f->count >= RECORD_GROW_MAX || !shape_table_has_room(h)) return RECORD_REFUSED;
    value last = map_key_store(h, key);
    if (last == VALUE_ABSENT) return -ENOMEM;
    f->keys[f->count] = last;
    *shape = shape_make(h, f->keys, f->count + 1, hash);
    if (*shape != VALUE_ABSENT) return 0;
    value_release(h, last);
    return -ENOMEM;
}

/* Moves the values that are there to the front of their cell. */
static void record_compact(struct heap *h, const struct record *r, const struct fields *f)
{
    if (f->count == r->fields) return;
    for (size_t i = 0; i < f->count; i++) store_move(&r->values[i], &r->values[f->at[i]], 1);
    words_forget(&r->values[f->count], r->fields - f->count);
    cell_moved_in_for(h, r->cell, MOVED_FIELDS);
}

/* Moves the values that are there into a new body. */
static void record_move(struct heap *h, value map, const struct record *r,
                        const struct fields *f, value body)
{
    value *words = cell_words(h, body);
    for (size_t i = 0; i < f->count; i++) store_move(&words[1 + i], &r->values[f->at[i]], 1);
    cell_moved_in_for(h, body, MOVED_RECORD);
    record_forget(h, map);
    map_root_set(h, map, MODE_RECORD, 0);
    store(h, map_body(h, map), body);
}

int record_add_take(struct heap *h, value map, const struct map_key *key, value v)
{
    struct record r = record_open(h, map);
    struct fields f;
    fields_collect(h, &r, &f);
    if (f.count == MAP_FIELDS_MAX) return RECORD_REFUSED;

    value body = VALUE_ABSENT, shape;
    if (f.count + 1 > r.capacity) {
        size_t capacity = f.count + 2 + f.count / 4;
        body = cell_take(h, KIND_RECORD, (1 + capacity) * sizeof(value), 0);
        if (body == VALUE_ABSENT) return -ENOMEM;
    }
    int status = shape_with(h, &f, key, &shape);
    if (status != 0) {
        if (body != VALUE_ABSENT) cell_free(h, body);
        return status;
    }
    if (body != VALUE_ABSENT) {
        store_new(&cell_words(h, body)[0], shape);
        record_move(h, map, &r, &f, body);
    } else {
        record_compact(h, &r, &f);
        body = r.cell;
        store(h, &cell_words(h, body)[0], shape);
    }
    store(h, &cell_words(h, body)[1 + f.count], v);
    return 0;
}

void record_forget(struct heap *h, value map)
{
    struct record r = record_open(h, map);
    if (r.cell == map) {
        words_forget(r.values, r.capacity);
    } else {
        store(h, map_body(h, map), VALUE_NIL);
        store(h, &cell_words(h, r.cell)[0], VALUE_NIL); /* shades the shape */
        cell_free(h, r.cell);
    }
}

/* --- reading and removing -------------------------------------------------------------------*/

value *record_find(const struct heap *h, value map, const struct map_key *key)
{
    struct record r = record_open(h, map);
    int field = shape_field(h, r.shape, key);
    return field < 0 || r.values[field] == VALUE_TOMBSTONE ? NULL : &r.values[field];
}

value record_remove(struct heap *h, value map, const struct map_key *key)
{
    value *slot = record_find(h, map, key);
    if (!slot) return VALUE_ABSENT;
    value removed = *slot;
    store(h, slot, VALUE_TOMBSTONE);
    return removed;
}

size_t record_count(const struct heap *h, value map)
{
    struct record r = record_open(h, map);
    size_t count = 0;
    for (size_t i = 0; i < r.fields; i++) count += r.values[i] != VALUE_TOMBSTONE;
    return count;
}

bool record_next(const struct heap *h, value map, uint64_t *position, value *key, value *v)
{
    struct record r = record_open(h, map);
    while (*position < r.fields && r.values[*position] == VALUE_TOMBSTONE) ++*position;
    if (*position >= r.fields) return false;
    *key = shape_keys(h, r.shape)[*position];
    *v = r.values[(*position)++];
    return true;
}
