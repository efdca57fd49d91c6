/* map_model.c - see map_model.h. */
#include "tests/support/map_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/number.h"
#include "tests/support/heap_fixture.h"

/* Numbered from 0, so that each key's number can be found in it again. */
static value model_text(struct heap *h, size_t id)
{
    char text[96];
    int length;
    switch (id % 4) {
    case 0: length = snprintf(text, sizeof text, "%zu", id); break;
    case 1: length = snprintf(text, sizeof text, "a name that is longer: %zu", id); break;
    case 2: length = snprintf(text, sizeof text, "\xff%zu", id); break;
    default:
        length = snprintf(text, sizeof text, "\xfe%-50s%zu", "bytes that are no UTF-8", id);
        break;
    }
    return text_new(h, text, (size_t)length, id % 4 >= 2);
}

static value model_number(struct heap *h, size_t id)
{
    switch (id % 5) {
    case 0: return value_int((int64_t)id);
    case 1: return number_from_double(h, (double)id);
    case 2: return number_from_int64(h, INT64_MIN + (int64_t)id);
    case 3: return number_from_uint64(h, (uint64_t)INT64_MAX + 1 + id);
    default: return number_from_double(h, 1e300 * (double)id);
    }
}

value model_key(struct heap *h, enum model_keys keys, size_t id)
{
    if (keys == KEYS_MIXED && id < 2) return value_bool(id);
    if (keys == KEYS_NUMBERS || (keys == KEYS_MIXED && id % 3 == 0)) return model_number(h, id);
    return model_text(h, id);
}

static size_t number_id(struct number n)
{
    if (n.class == NUMBER_UINT64) return (size_t)(n.u - INT64_MAX - 1);
    if (n.class == NUMBER_DOUBLE) return (size_t)(n.d < 1e290 ? n.d : n.d / 1e300 + 0.5);
    return n.i < 0 ? (size_t)(n.i - INT64_MIN) : (size_t)n.i;
}

size_t model_key_id(struct heap *h, enum model_keys keys, value key)
{
    size_t id;
    if (value_is_bool(key)) {
        id = key == VALUE_TRUE;
    } else if (value_is_text(key)) {
        char text[100] = "";
        size_t length = text_copy(h, key, 0, text, sizeof text - 1), digits = length;
        while (digits > 0 && text[digits - 1] >= '0' && text[digits - 1] <= '9') digits--;
        id = strtoul(text + digits, NULL, 10);
    } else {
        id = number_id(number_read(h, key));
    }
    /* It is exactly the key of that number. */
    struct map_key found, expected;
    value again = model_key(h, keys, id);
    model_assert(map_key_value(h, &found, key) == 0);
    model_assert(map_key_value(h, &expected, again) == 0);
    model_assert(found.hash == expected.hash);
    if (value_is_text(key)) model_assert(text_compare(h, key, again) == 0);
    value_release(h, again);
    return id;
}

/* A word, a leaf, or a map with a leaf in it. */
value model_value(struct heap *h, size_t id, uint32_t version)
{
    char text[64];
    int length = snprintf(text, sizeof text, "value %u of key %zu", version, id);
    if (version % 3 == 0) return value_int((int64_t)(id * 1000 + version));
    value leaf = text_new(h, text, (size_t)length, false);
    if (version % 3 == 1 || leaf == VALUE_ABSENT) return leaf;
    struct map_key key;
    map_key_text(h, &key, "leaf", 4);
    value map = map_new(h);
    if (map == VALUE_ABSENT || map_set_take(h, map, &key, leaf) < 0) {
        value_release(h, map);
        value_release(h, leaf);
        return VALUE_ABSENT;
    }
    return map;
}

bool model_value_is(struct heap *h, value v, size_t id, uint32_t version)
{
    char text[64];
    int length = snprintf(text, sizeof text, "value %u of key %zu", version, id);
    if (version % 3 == 0) return v == value_int((int64_t)(id * 1000 + version));
    if (version % 3 == 2) {
        struct map_key key;
        if (!value_is_kind(v, KIND_MAP) || map_count(h, v) != 1) return false;
        map_key_text(h, &key, "leaf", 4);
        v = map_get(h, v, &key);
    }
    return value_is_text(v) && text_equals(h, v, text, (size_t)length);
}

void model_open(struct map_model *m, struct heap *h, enum model_keys keys, size_t universe)
{
    *m = (struct map_model){.h = h, .map = map_new(h), .keys = keys, .universe = universe};
    model_assert(m->map != VALUE_ABSENT);
    heap_root_set_take(h, ROOT_KEYS, m->map);
    m->entries = calloc(universe, sizeof *m->entries);
    model_assert(m->entries != NULL);
}

void model_close(struct map_model *m) { free(m->entries); }

int model_set(struct map_model *m, size_t id)
{
    struct model_entry *e = &m->entries[id];
    struct map_key key;
    value key_value = model_key(m->h, m->keys, id);
    value v = model_value(m->h, id, e->version + 1);
    int status = -ENOMEM;
    if (key_value != VALUE_ABSENT && v != VALUE_ABSENT) {
        model_assert(map_key_value(m->h, &key, key_value) == 0);
        status = map_set_take(m->h, m->map, &key, v);
    }
    value_release(m->h, key_value);
    if (status < 0) {
        model_assert(status == -ENOMEM);
        value_release(m->h, v);
        return status;
    }
    e->version++;
    if (!e->there) {
        e->there = true;
        e->added = ++m->clock;
        m->count++;
    }
    return 0;
}

void model_remove(struct map_model *m, size_t id)
{
    struct model_entry *e = &m->entries[id];
    struct map_key key;
    value key_value = model_key(m->h, m->keys, id), removed = VALUE_ABSENT;
    model_assert(key_value != VALUE_ABSENT);
    model_assert(map_key_value(m->h, &key, key_value) == 0);
    /* Half of the removed values are asked for, the others released. */
    value *out = e->version % 2 ? &removed : NULL;
    model_assert(map_remove(m->h, m->map, &key, out) == (e->there ? 0 : -ENOENT));
    if (e->there && out) {
        model_assert(model_value_is(m->h, removed, id, e->version));
        value_release(m->h, removed);
    }
    value_release(m->h, key_value);
    m->count -= e->there;
    e->there = false;
}

void model_check_key(const struct map_model *m, size_t id)
{
    const struct model_entry *e = &m->entries[id];
    struct map_key key;
    value key_value = model_key(m->h, m->keys, id);
    model_assert(map_key_value(m->h, &key, key_value) == 0);
    value v = map_get(m->h, m->map, &key);
    if (e->there)
        model_assert_msg(model_value_is(m->h, v, id, e->version), "key %zu has not version %u",
                         id, e->version);
    else
        model_assert_msg(v == VALUE_ABSENT, "key %zu is there", id);
    value_release(m->h, key_value);
}

void model_check(const struct map_model *m, const char *when)
{
    struct map_iterator it = {0};
    const char *representation = map_representation(m->h, m->map);
    bool in_order = strcmp(representation, "segmented") != 0;
    uint64_t last = 0;
    size_t met = 0;
    value key, v;
    model_assert_msg(map_count(m->h, m->map) == m->count, "%s (%s): %zu entries instead of %zu",
                     when, representation, map_count(m->h, m->map), m->count);
    for (size_t id = 0; id < m->universe; id++) model_check_key(m, id);
    for (; map_next(m->h, m->map, &it, &key, &v); met++) {
        size_t id = model_key_id(m->h, m->keys, key);
        model_assert(id < m->universe);
        model_assert(m->entries[id].there);
        model_assert(model_value_is(m->h, v, id, m->entries[id].version));
        if (in_order)
            model_assert_msg(m->entries[id].added > last, "%s (%s): key %zu is out of order", when,
                             representation, id);
        last = m->entries[id].added;
    }
    model_assert(met == m->count);
    model_assert(!map_next(m->h, m->map, &it, &key, &v));
}
