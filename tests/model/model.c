/* model.c - see model.h. */
#include "tests/model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/text.h"
#include "heap/weak.h"

struct model_text_link {
    struct model_text_link *next;
    struct model_text text;
};

static void *must(void *memory)
{
    if (!memory) abort();
    return memory;
}

void model_open(struct model *m) { *m = (struct model){0}; }

void model_close(struct model *m)
{
    while (m->objects) {
        struct model_object *object = m->objects;
        m->objects = object->next;
        free(object->items);
        free(object->keys);
        free(object);
    }
    while (m->texts) {
        struct model_text_link *link = m->texts;
        m->texts = link->next;
        free(link);
    }
}

struct model_object *model_object_new(struct model *m, bool is_map)
{
    struct model_object *object = must(calloc(1, sizeof *object));
    object->is_map = is_map;
    object->next = m->objects;
    m->objects = object;
    return object;
}

struct model_value model_text_joined(struct model *m, struct model_value a, const char *data,
                                     size_t length)
{
    size_t before = a.type == MODEL_TEXT ? a.text->length : 0;
    struct model_text_link *link = must(malloc(sizeof *link + before + length));
    link->next = m->texts;
    m->texts = link;
    link->text.length = before + length;
    if (before) memcpy(link->text.data, a.text->data, before);
    memcpy(link->text.data + before, data, length);
    return (struct model_value){.type = MODEL_TEXT, .text = &link->text};
}

struct model_value model_text_new(struct model *m, const char *data, size_t length)
{
    return model_text_joined(m, (struct model_value){.type = MODEL_NIL}, data, length);
}

void model_insert(struct model_object *object, size_t index, struct model_value v)
{
    if (object->count == object->capacity) {
        object->capacity = object->capacity ? object->capacity * 2 : 4;
        object->items = must(realloc(object->items, object->capacity * sizeof *object->items));
        if (object->is_map)
            object->keys = must(realloc(object->keys, object->capacity * sizeof *object->keys));
    }
    memmove(object->items + index + 1, object->items + index,
            (object->count - index) * sizeof *object->items);
    object->items[index] = v;
    object->count++;
}

void model_remove(struct model_object *object, size_t index, size_t count)
{
    size_t behind = object->count - index - count;
    memmove(object->items + index, object->items + index + count, behind * sizeof *object->items);
    if (object->is_map)
        memmove(object->keys + index, object->keys + index + count, behind * sizeof *object->keys);
    object->count -= count;
}

size_t model_find(const struct model_object *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i], key) == 0) return i;
    return SIZE_MAX;
}

void model_set(struct model_object *map, const char *key, struct model_value v)
{
    size_t index = model_find(map, key);
    if (index == SIZE_MAX) {
        index = map->count;
        model_insert(map, index, v);
        snprintf(map->keys[index], MODEL_KEY_MAX, "%s", key);
    }
    map->items[index] = v;
}

/* --- comparing --------------------------------------------------------------------------------*/

/* Pairs of containers that were met and not yet looked into. */
struct comparison {
    struct model *m;
    struct heap *h;
    struct model_object **todo;
    size_t count, capacity;
    char *message;
    size_t size;
};

__attribute__((format(printf, 2, 3)))
static int differ(struct comparison *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->message, c->size, format, args);
    va_end(args);
    return -1;
}

static int compare_text(struct comparison *c, value v, const struct model_text *expected)
{
    if (!value_is_text(v)) return differ(c, "%#lx should be a text", v);
    if (text_length(c->h, v) != expected->length)
        return differ(c, "a text of %zu bytes should have %zu", text_length(c->h, v),
                      expected->length);
    if (!text_equals(c->h, v, expected->data, expected->length))
        return differ(c, "a text of %zu bytes differs", expected->length);
    return 0;
}

static int compare_object(struct comparison *c, value v, struct model_object *expected)
{
    if (!value_is_kind(v, expected->is_map ? KIND_MAP : KIND_LIST))
        return differ(c, "%#lx should be a %s", v, expected->is_map ? "map" : "list");
    if (expected->met == c->m->comparison)
        return expected->twin == v ? 0 : differ(c, "one object of the model is two in the heap");
    expected->met = c->m->comparison;
    expected->twin = v;
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : 64;
        c->todo = must(realloc(c->todo, c->capacity * sizeof *c->todo));
    }
    c->todo[c->count++] = expected;
    return 0;
}

static int compare_value(struct comparison *c, value v, struct model_value expected)
{
    switch (expected.type) {
    case MODEL_NIL: return v == VALUE_NIL ? 0 : differ(c, "%#lx should be nil", v);
    case MODEL_INT:
        return v == value_int(expected.i) ? 0 : differ(c, "%#lx should be %ld", v, expected.i);
    case MODEL_TEXT: return compare_text(c, v, expected.text);
    case MODEL_OBJECT: return compare_object(c, v, expected.object);
    case MODEL_WEAK: {
        if (!value_is_weak(v)) return differ(c, "%#lx should be a weak reference", v);
        /* It may have died; what it must not do is to name another object. */
        value target = weak_read(c->h, v);
        if (target == VALUE_NIL || expected.object->met != c->m->comparison) return 0;
        return target == expected.object->twin ? 0 : differ(c, "a weak reference went astray");
    }
    }
    return differ(c, "the model is broken");
}

static int compare_contents(struct comparison *c, struct model_object *object)
{
    struct heap *h = c->h;
    value v = object->twin;
    size_t length = object->is_map ? map_count(h, v) : list_length(h, v);
    if (length != object->count)
        return differ(c, "a %s of %zu should have %zu", object->is_map ? "map" : "list", length,
                      object->count);
    for (size_t i = 0; i < object->count; i++) {
        value item;
        if (object->is_map) {
            struct map_key key;
            map_key_text(h, &key, object->keys[i], strlen(object->keys[i]));
            item = map_get(h, v, &key);
            if (item == VALUE_ABSENT)
                return differ(c, "key %s is absent in a %s map of %zu", object->keys[i],
                              map_representation(h, v), length);
        } else {
            item = list_get(h, v, i);
        }
        if (compare_value(c, item, object->items[i]) != 0) return -1;
    }
    return 0;
}

int model_compare(struct model *m, struct heap *h, value v, struct model_value expected,
                  char *message, size_t size)
{
    struct comparison c = {.m = m, .h = h, .message = message, .size = size};
    m->comparison++;
    int result = compare_value(&c, v, expected);
    while (result == 0 && c.count) result = compare_contents(&c, c.todo[--c.count]);
    free(c.todo);
    return result;
}
