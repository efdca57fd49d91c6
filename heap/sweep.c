/* sweep.c - turning white cells into free ones, by word arithmetic on the planes.
 *
 * HEAD' = HEAD & MARK, MARK' = HEAD ^ MARK: black becomes white, white becomes free, free stays
 * free. No data page is touched (debug builds poison what was freed). A page is swept when the
 * collector comes to it, or before a cell is taken from it, whichever is first. */
#include "heap/external.h"
#include "heap/store.h"

static void poison_freed(struct heap *h, uint64_t group, uint64_t freed, size_t cell_bytes)
{
#if defined(CAIRN_DEBUG) || defined(__SANITIZE_ADDRESS__)
    for (; freed; freed &= freed - 1) {
        uint64_t granule = group * GROUP_GRANULES + (unsigned)__builtin_ctzl(freed);
        cell_poison(h->base + granule * GRANULE_BYTES, cell_bytes);
    }
#else
    (void)h, (void)group, (void)freed, (void)cell_bytes;
#endif
}

/* Cells that own memory outside of the pages let it go. */
static void finalise_freed(struct heap *h, uint64_t group, uint64_t freed)
{
    for (; freed; freed &= freed - 1) {
        uint64_t granule = group * GROUP_GRANULES + (unsigned)__builtin_ctzl(freed);
        external_leaf_freed(h, h->base + granule * GRANULE_BYTES);
    }
}

static void count_freed(struct heap *h, unsigned cells, size_t cell_bytes)
{
    h->object_count -= cells;
    h->freed_count += cells;
    h->used_bytes -= cells * cell_bytes;
    h->gc.cycle_swept_bytes += cells * cell_bytes;
    h->gc.stats.swept_bytes += cells * cell_bytes;
}

static size_t run_sweep(struct heap *h, uint32_t page)
{
    struct page *p = &h->pages[page];
    struct plane_group *g = &h->groups[(size_t)page * PAGE_GROUPS];
    if (g->mark & 1) {
        g->mark &= ~(uint64_t)1;
        return 1;
    }
    if (unlikely(h->walking)) heap_walk_freed(h, (uint64_t)page * PAGE_GROUPS, 1);
    h->shared_count -= g->shared & 1;
    count_freed(h, 1, page_cell_bytes(p));
    page_give(h, page, p->run_pages);
    return 1;
}

size_t page_sweep(struct heap *h, uint32_t page)
{
    struct page *p = &h->pages[page];
    if (p->swept == h->gc.cycle || p->state == PAGE_FREE || p->state == PAGE_RUN_REST) return 1;
    p->swept = h->gc.cycle;
    if (unlikely(p->weak_first != NO_SLOT)) weak_page_sweep(h, page);
    if (p->state == PAGE_RUN) return run_sweep(h, page);
    size_t cell_bytes = page_cell_bytes(p);
    unsigned live = 0, freed_count = 0, unshared_count = 0;
    for (uint64_t i = (uint64_t)page * PAGE_GROUPS; i < (uint64_t)(page + 1) * PAGE_GROUPS; i++) {
        struct plane_group *g = &h->groups[i];
        uint64_t head = g->head, mark = g->mark, freed = head & ~mark;
        debug_assert(g->gray == 0);
        g->head = head & mark;
        g->mark = head ^ mark;
        live += (unsigned)__builtin_popcountl(g->head);
        if (!freed) continue;
        freed_count += (unsigned)__builtin_popcountl(freed);
        unshared_count += (unsigned)__builtin_popcountl(freed & g->shared);
        g->shared &= ~freed;
        if (unlikely(h->walking)) heap_walk_freed(h, i, freed);
        if (unlikely(p->content == KIND_TABLE)) finalise_freed(h, i, freed);
        poison_freed(h, i, freed, cell_bytes);
    }
    /* Free cells were 01 and are 01 again: ^ kept their MARK. */
    p->live = (uint16_t)live;
    h->shared_count -= planted(23) ? 0 : unshared_count;
    if (freed_count) count_freed(h, freed_count, cell_bytes);
    page_rebin(h, page);
    return PAGE_GROUPS;
}

bool sweep_some(struct heap *h, uint32_t count)
{
    struct collector *gc = &h->gc;
    if (gc->phase != GC_SWEEP) return false;
    for (; count > 0 && gc->sweep_next < gc->sweep_end; count--) page_sweep(h, gc->sweep_next++);
    return gc->sweep_next < gc->sweep_end;
}
