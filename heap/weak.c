/* weak.c - the table behind weak references.
 *
 * A slot names a target and has a generation; a weak value names a slot and the generation it
 * was made with. The slots of the targets that lie in one page form a list that begins at the
 * page's descriptor, so that a page without targets costs the sweep nothing, and a page with
 * some costs as much as it has. Address space for all slots is reserved at the start. */
#include "heap/weak.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "heap/store.h"

#define SLOT_BITS 28
#define GENERATION_BITS 28
#define GENERATION_MAX (((uint32_t)1 << GENERATION_BITS) - 1)

struct weak_slot {
    value target;        /* nil: the slot is free */
    uint32_t generation;
    uint32_t next;       /* in the page's list, or in the list of free slots */
};

struct weak_table {
    struct weak_slot *slots; /* reserved address space */
    uint32_t slots_max;
    uint32_t used;       /* slots from here on were never used */
    uint32_t free_first;
    uint64_t live;
};

int weak_table_create(struct heap *h, uint32_t slots_max)
{
    if (slots_max > (uint32_t)1 << SLOT_BITS) return -EINVAL;
    struct weak_table *table = calloc(1, sizeof *table);
    if (!table) return -ENOMEM;
    void *slots = mmap(NULL, slots_max * sizeof *table->slots, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots == MAP_FAILED) {
        free(table);
        return -ENOMEM;
    }
    table->slots = slots;
    table->slots_max = slots_max;
    table->free_first = NO_SLOT;
    h->weak = table;
    return 0;
}

void weak_table_destroy(struct heap *h)
{
    munmap(h->weak->slots, h->weak->slots_max * sizeof *h->weak->slots);
    free(h->weak);
    h->weak = NULL;
}

uint64_t weak_table_count(const struct heap *h) { return h->weak->live; }

size_t weak_table_bytes(const struct heap *h)
{
    return (size_t)h->weak->used * sizeof(struct weak_slot);
}

static value weak_value(uint32_t slot, uint32_t generation)
{
    return (value)slot << (8 + GENERATION_BITS) | (value)generation << 8 | VALUE_WEAK_TAG;
}

value weak_make(struct heap *h, value target)
{
    struct weak_table *table = h->weak;
    struct page *p = ref_page(h, target);
    assert(value_is_ref(target));
    for (uint32_t i = p->weak_first; i != NO_SLOT; i = table->slots[i].next)
        if (table->slots[i].target == target) return weak_value(i, table->slots[i].generation);
    uint32_t slot = table->free_first;
    if (slot != NO_SLOT)
        table->free_first = table->slots[slot].next;
    else if (table->used < table->slots_max)
        slot = table->used++;
    else
        return VALUE_ABSENT;
    struct weak_slot *s = &table->slots[slot];
    s->target = target;
    s->next = p->weak_first;
    p->weak_first = slot;
    table->live++;
    value_share(h, target);
    return weak_value(slot, s->generation);
}

/* Marking is over and did not come by: the target is garbage, though not yet swept. */
static bool target_is_dead(const struct heap *h, value target)
{
    if (h->gc.phase != GC_DRAIN && !page_unswept(h, ref_page(h, target))) return false;
    return !(ref_group(h, target)->mark & ref_bit(target));
}

value weak_read(struct heap *h, value weak)
{
    uint32_t slot = (uint32_t)(weak >> (8 + GENERATION_BITS));
    uint32_t generation = (uint32_t)(weak >> 8) & GENERATION_MAX;
    assert(value_is_weak(weak) && slot < h->weak->used);
    const struct weak_slot *s = &h->weak->slots[slot];
    if (s->generation != generation || target_is_dead(h, s->target)) return VALUE_NIL;
    /* Whoever reads it may store it where the marker has been. */
    if (h->gc.phase == GC_MARK && !planted(4)) gc_shade(h, s->target);
    return s->target;
}

void weak_page_sweep(struct heap *h, uint32_t page)
{
    struct weak_table *table = h->weak;
    uint32_t *link = &h->pages[page].weak_first;
    while (*link != NO_SLOT) {
        uint32_t slot = *link;
        struct weak_slot *s = &table->slots[slot];
        if (ref_group(h, s->target)->mark & ref_bit(s->target)) {
            link = &s->next;
            continue;
        }
        *link = s->next;
        s->target = VALUE_NIL;
        table->live--;
        h->gc.stats.weak_cleared++;
        /* A slot whose generations are used up is never given out again. */
        if (s->generation++ < GENERATION_MAX - 1) {
            s->next = table->free_first;
            table->free_first = slot;
        }
    }
}
