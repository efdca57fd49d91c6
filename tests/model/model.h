/* model.h - a naive twin of the heap's containers: C arrays, no sharing tricks, no collector.
 *
 * A random program is run on the heap and on the model at once; then both are walked side by
 * side. Identity is compared as well: two paths lead to one object in the heap exactly if they
 * do in the model. */
#ifndef CAIRN_TESTS_MODEL_H
#define CAIRN_TESTS_MODEL_H

#include "heap/heap.h"

#define MODEL_KEY_MAX 24

enum model_type { MODEL_NIL, MODEL_INT, MODEL_TEXT, MODEL_OBJECT, MODEL_WEAK };

struct model_text {
    size_t length;
    char data[];
};

struct model_value {
    enum model_type type;
    union {
        int64_t i;
        struct model_text *text;     /* owned by the model, never changed */
        struct model_object *object; /* MODEL_OBJECT and MODEL_WEAK */
    };
};

struct model_object {
    bool is_map;
    size_t count, capacity;
    struct model_value *items;
    char (*keys)[MODEL_KEY_MAX]; /* of maps, terminated */
    value twin;                  /* while comparing: the heap object met at the same place */
    uint32_t met;                /* the comparison in which it was met */
    struct model_object *next;   /* all objects, for model_close */
};

struct model {
    struct model_object *objects;
    struct model_text_link *texts;
    uint32_t comparison;
};

void model_open(struct model *m);
void model_close(struct model *m);

struct model_object *model_object_new(struct model *m, bool is_map);
struct model_value model_text_new(struct model *m, const char *data, size_t length);
/* `a` followed by `data`. */
struct model_value model_text_joined(struct model *m, struct model_value a, const char *data,
                                     size_t length);

void model_insert(struct model_object *list, size_t index, struct model_value v);
void model_remove(struct model_object *object, size_t index, size_t count);
/* The index of a key, or SIZE_MAX. */
size_t model_find(const struct model_object *map, const char *key);
void model_set(struct model_object *map, const char *key, struct model_value v);

/* Compares the heap value with the model's, with all that hangs from them. 0, or -1 with what
 * differs, and where, in `message`. */
int model_compare(struct model *m, struct heap *h, value v, struct model_value expected,
                  char *message, size_t size);

#endif
