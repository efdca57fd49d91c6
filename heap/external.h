/* external.h - objects that own memory outside of the heap's pages.
 *
 * A leaf of KIND_TABLE holds one pointer, to a `struct external`: the head of whatever owns the
 * memory. Its bytes count against the heap's limit as if they were pages, so max_bytes bounds
 * everything. When the leaf is freed, by its owner or by the sweep, the external object is *let
 * go*: once nobody else holds it (hold), it joins a queue of dying ones that heap_drop_step takes
 * apart in bounded steps.
 *
 *   heap->external.bytes = sum of bytes over the living and the dying    (heap_verify checks)
 *
 * Objects that share memory, so that the last one frees it, count it together, in an account that
 * is itself such an object (external_join).
 */
#ifndef CAIRN_HEAP_EXTERNAL_H
#define CAIRN_HEAP_EXTERNAL_H

#include "heap/heap.h"

struct external;

struct external_class {
    const char *name;
    /* Frees a part of what a dying object owns, about `words` words' worth of work, and returns the
     * work done. Once nothing is left but the object itself, which malloc made, it sets *done. */
    size_t (*free_step)(struct external *e, size_t words, bool *done);
    /* The checker: 0, or a sentence about what is wrong. May take its time. */
    int (*verify)(const struct external *e, char *message, size_t size);
};

struct external {
    const struct external_class *class;
    struct heap *heap;
    struct external *previous, *next; /* among the living, or in the queue of the dying */
    size_t bytes;                     /* counted against the heap's limit */
    struct external *account;         /* where its bytes are counted; NULL: here */
    uint32_t holds;                   /* the leaf, and whoever else reads it */
    bool dying, leaf_freed;
};

/* Counts `bytes` more for `e`, before they are allocated; asks the heap for relief when they are
 * too many. 0 or -ENOMEM; tests can make it fail (heap_fail_nth). */
warn_unused int external_add(struct external *e, size_t bytes);
void external_subtract(struct external *e, size_t bytes);
/* Both in one, of counted memory, for any use. NULL when memory is short. */
warn_unused void *external_alloc(struct external *e, size_t bytes);
void external_free(struct external *e, void *memory, size_t bytes);

/* Memory that comes and goes often, and of which spare blocks are kept (external_block.c). */
#define EXTERNAL_BLOCK_BYTES_MIN ((size_t)64 << 10)
struct external_block {
    void *memory;
    size_t bytes; /* what is counted: at least what was asked for */
    bool mapped;  /* in a mapping of its own */
    bool zero;    /* that, and it holds zeros; else anything */
};
/* 0 or -ENOMEM. */
warn_unused int external_block_take(struct external *e, size_t bytes, struct external_block *b);
/* `zero` does not matter. */
void external_block_give(struct external *e, const struct external_block *b);

/* What is counted for it, or together with it. */
size_t external_counted(const struct external *e);
/* From now on `e` counts its bytes, those of before too, together with `with`. 0 or -ENOMEM. */
warn_unused int external_join(struct external *e, struct external *with);
/* What freeing a block of so many bytes counts as, for free_step. */
size_t external_free_words(size_t bytes);

/* A leaf that owns `e`, whose class and heap are set, and nothing else. On failure (VALUE_ABSENT)
 * `e` is the caller's. */
warn_unused value external_leaf_new(struct heap *h, struct external *e);
/* The same without a leaf: `e` lives until external_let_go. */
void external_open(struct external *e);
/* The leaf, which was `from`'s, is that of `to`, which was opened without one. */
void external_move_leaf(struct heap *h, value leaf, struct external *from, struct external *to);
struct external *external_of(const struct heap *h, value leaf);
/* Keeps `e` beyond its leaf. */
void external_hold(struct external *e);
void external_let_go(struct external *e);

/* Ends an object without a leaf at once, and frees it: the caller has given back all that it
 * counted. */
void external_discard(struct external *e);

/* An object without a leaf, of any class, whose class and heap are set, begins to die. */
void external_abandon(struct external *e);

/* What the heap itself calls: when a leaf is freed, from heap_drop_step, and at the end. */
void external_leaf_freed(struct heap *h, const void *cell);
size_t external_drop_step(struct heap *h, size_t words);
void external_destroy_all(struct heap *h);
/* For heap_verify: 0, or a sentence in `message`. */
int external_verify(struct heap *h, char *message, size_t size);

#endif
