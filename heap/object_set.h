/* object_set.h - objects that somebody knows again, events later, by where they lie.
 *
 * A bit for each granule of the heap, in reserved address space, of which only what is used takes
 * memory. (That does not count against the limit: it is at most a 128th of the pages whose objects
 * are in the set.) While there is a set nothing moves (heap_pin). It does not hold its objects:
 * whoever adds one must see to it that it is not freed, or bear that another one in its place is
 * taken for it. */
#ifndef CAIRN_HEAP_OBJECT_SET_H
#define CAIRN_HEAP_OBJECT_SET_H

#include "heap/heap.h"

struct object_set {
    struct heap *h;
    uint64_t *met;  /* per group of 64 granules */
    size_t words;
};

/* Storage of the caller. 0 or -ENOMEM. */
warn_unused int object_set_open(struct object_set *s, struct heap *h);
void object_set_close(struct object_set *s);
/* No effect for what is no reference. */
void object_set_add(struct object_set *s, value v);
bool object_set_has(const struct object_set *s, value v);

#endif
