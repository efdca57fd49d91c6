/* traversal.h - following references with a bitmap and a stack in C memory, for the checkers:
 * verify.c and oracle.c. It shares nothing with the collector that they check but the layout. */
#ifndef CAIRN_HEAP_TRAVERSAL_H
#define CAIRN_HEAP_TRAVERSAL_H

#include "heap/heap_int.h"

/* A depth-first traversal: which granules were met, and which objects wait to be looked at. */
struct traversal {
    struct heap *h;
    uint64_t *met; /* one bit per granule below page_top */
    value *stack;
    size_t count, capacity;
};

warn_unused int traversal_open(struct traversal *t, struct heap *h);
void traversal_close(struct traversal *t);

static inline bool traversal_met(const struct traversal *t, value v)
{
    return t->met[ref_granule(v) / GROUP_GRANULES] & ref_bit(v);
}
/* True if `v`, a reference, is met for the first time; containers are then put on the stack. */
bool traversal_meet(struct traversal *t, value v);

#endif
