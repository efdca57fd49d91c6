/* map_model.h - a naive model of one map of the heap, to compare it with.
 *
 * Keys are numbered; a key's type and bytes follow from its number, and a value's type and
 * content from the key's number and a version. The model is an array over the key numbers. */
#ifndef CAIRN_TESTS_MAP_MODEL_H
#define CAIRN_TESTS_MAP_MODEL_H

#include <check.h>

#include "heap/map.h"

enum model_keys {
    KEYS_TEXT,    /* short and long strings and bytes */
    KEYS_NUMBERS, /* integers and doubles, inline and boxed */
    KEYS_MIXED,
};

/* As ck_assert_msg, but Check writes a mark for each assertion that it makes, even those that
 * hold, which is most of the time of a loop. */
#define model_assert(condition) model_assert_msg(condition, "%s", #condition)
#define model_assert_msg(condition, ...)               \
    do {                                               \
        if (!(condition)) ck_abort_msg(__VA_ARGS__);   \
    } while (0)

struct model_entry {
    bool there;
    bool kept;         /* for tests that page: there throughout */
    unsigned met;      /* by such a test */
    uint32_t version;  /* of the value */
    uint64_t added;    /* when: gives the order of insertion */
};

struct map_model {
    struct heap *h;
    value map; /* in ROOT_KEYS */
    enum model_keys keys;
    size_t universe; /* key numbers are below */
    size_t count;
    uint64_t clock;
    struct model_entry *entries;
};

/* Takes an empty map in ROOT_KEYS of `h` over. */
void model_open(struct map_model *m, struct heap *h, enum model_keys keys, size_t universe);
void model_close(struct map_model *m);

/* Owned; VALUE_ABSENT when memory is short. */
value model_key(struct heap *h, enum model_keys keys, size_t id);
value model_value(struct heap *h, size_t id, uint32_t version);
bool model_value_is(struct heap *h, value v, size_t id, uint32_t version);
/* The number of a key, by its content. */
size_t model_key_id(struct heap *h, enum model_keys keys, value key);

/* Do the same to the map and the model. model_set: 0, or -ENOMEM and neither is changed. */
int model_set(struct map_model *m, size_t id);
void model_remove(struct map_model *m, size_t id);
/* One key is as the model says. */
void model_check_key(const struct map_model *m, size_t id);
/* All is: keys that are there and keys that are not, the count, the iteration and its order. */
void model_check(const struct map_model *m, const char *when);

#endif
