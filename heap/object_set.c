/* object_set.c - see object_set.h. */
#include "heap/object_set.h"

#include <errno.h>

#include "heap/heap_int.h"

int object_set_open(struct object_set *s, struct heap *h)
{
    size_t words = (size_t)h->page_count * PAGE_GROUPS;
    *s = (struct object_set){.h = h, .met = plane_map(words), .words = words};
    if (!s->met) return -ENOMEM;
    heap_pin(h);
    return 0;
}

void object_set_close(struct object_set *s)
{
    if (!s->met) return;
    plane_unmap(s->met, s->words);
    heap_unpin(s->h);
    s->met = NULL;
}

void object_set_add(struct object_set *s, value v)
{
    if (value_is_ref(v)) s->met[ref_granule(v) / GROUP_GRANULES] |= ref_bit(v);
}

bool object_set_has(const struct object_set *s, value v)
{
    return value_is_ref(v) && (s->met[ref_granule(v) / GROUP_GRANULES] & ref_bit(v));
}
