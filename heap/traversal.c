/* traversal.c - see traversal.h. */
#include "heap/traversal.h"

#include <stdlib.h>

int traversal_open(struct traversal *t, struct heap *h)
{
    *t = (struct traversal){.h = h};
    t->met = calloc((size_t)h->page_top * PAGE_GROUPS + 1, sizeof *t->met);
    return t->met ? 0 : -ENOMEM;
}

void traversal_close(struct traversal *t)
{
    free(t->met);
    free(t->stack);
}

bool traversal_meet(struct traversal *t, value v)
{
    if (traversal_met(t, v)) return false;
    t->met[ref_granule(v) / GROUP_GRANULES] |= ref_bit(v);
    if (kind_is_leaf(ref_kind(v))) return true;
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 1024;
        t->stack = realloc(t->stack, t->capacity * sizeof *t->stack);
        if (!t->stack) abort(); /* a checker has nothing better to do */
    }
    t->stack[t->count++] = v;
    return true;
}
