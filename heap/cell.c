/* cell.c - taking and freeing cells.
 *
 * Each content and size class allocates from one *active* page at a time, group by group, in
 * the order of addresses. When it is full, the fullest partial page of that kind comes next,
 * so that sparse pages drain and can be given back; a fresh page comes last.
 *
 * A page is in exactly one state: free; active; in the bin of its fullness (partial); or full
 * and in no bin. */
#include "heap/oracle.h"
#include "heap/store.h"

void allocators_init(struct heap *h)
{
    for (unsigned content = 0; content < CONTENT_COUNT; content++)
        for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++) {
            struct allocator *a = &h->allocators[content][c];
            a->page = NO_PAGE;
            a->cell_bytes = size_class_granules(c) * GRANULE_BYTES;
            for (unsigned bin = 0; bin < FULLNESS_BINS; bin++) a->bins[bin] = NO_PAGE;
        }
}

/* --- bins ---------------------------------------------------------------------------------*/

/* What compaction wants to know, at no more cost than a change of bin: by one more or less. */
static void bin_count(struct heap *h, uint32_t page, int change)
{
    const struct page *p = &h->pages[page];
    struct allocator *a = page_allocator(h, p);
    a->bin_pages[p->bin] += (uint32_t)change;
    h->bin_pages[p->bin] += (uint32_t)change;
    h->partial_classes -= a->partial_pages != 0;
    a->partial_pages += (uint32_t)change;
    h->partial_classes += a->partial_pages != 0;
    uint64_t bit = (uint64_t)1 << page % 64;
    if (change > 0 && p->bin < SPARSE_BINS)
        h->sparse_pages[page / 64] |= bit;
    else
        h->sparse_pages[page / 64] &= ~bit;
}

static void bin_remove(struct heap *h, uint32_t page)
{
    struct page *p = &h->pages[page];
    if (p->bin == FULLNESS_BINS) return;
    if (p->previous != NO_PAGE)
        h->pages[p->previous].next = p->next;
    else
        page_allocator(h, p)->bins[p->bin] = p->next;
    if (p->next != NO_PAGE) h->pages[p->next].previous = p->previous;
    bin_count(h, page, -1);
    p->bin = FULLNESS_BINS;
    p->previous = p->next = NO_PAGE;
}

static void bin_insert(struct heap *h, uint32_t page, unsigned bin)
{
    struct page *p = &h->pages[page];
    uint32_t *first = &page_allocator(h, p)->bins[bin];
    p->bin = (uint8_t)bin;
    p->previous = NO_PAGE;
    p->next = *first;
    if (*first != NO_PAGE) h->pages[*first].previous = page;
    *first = page;
    bin_count(h, page, 1);
}

void page_rebin(struct heap *h, uint32_t page)
{
    struct page *p = &h->pages[page];
    if (p->active) return;
    if (p->live == 0) {
        bin_remove(h, page);
        page_give(h, page, 1);
        return;
    }
    unsigned bin = p->live == p->cells ? FULLNESS_BINS
                                       : (unsigned)p->live * FULLNESS_BINS / p->cells;
    if (bin == p->bin) return;
    bin_remove(h, page);
    if (bin < FULLNESS_BINS) bin_insert(h, page, bin);
}

/* How many pages one allocation may sweep to find the fullest. */
#define PARTIAL_SWEEPS_MAX 8
/* How often one allocation may ask for relief. */
#define RELIEFS_MAX 16

/* --- the active page ------------------------------------------------------------------------*/

static void page_deactivate(struct heap *h, struct allocator *a)
{
    if (a->page == NO_PAGE) return;
    uint32_t page = a->page;
    a->page = NO_PAGE;
    a->free = 0;
    a->group = a->groups_end = 0;
    h->pages[page].active = false;
    page_rebin(h, page);
}

void allocators_retire(struct heap *h)
{
    for (unsigned content = 0; content < CONTENT_COUNT; content++)
        for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++)
            page_deactivate(h, &h->allocators[content][c]);
}

void allocators_retire_empty(struct heap *h)
{
    for (unsigned content = 0; content < CONTENT_COUNT; content++)
        for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++) {
            struct allocator *a = &h->allocators[content][c];
            if (a->page != NO_PAGE && h->pages[a->page].live == 0) page_deactivate(h, a);
        }
}

static bool group_advance(struct heap *h, struct allocator *a)
{
    while (++a->group < a->groups_end) {
        a->planes = &h->groups[a->group];
        a->free = ~a->planes->head & a->planes->mark;
        if (a->free) return true;
    }
    return false;
}

static bool page_activate(struct heap *h, struct allocator *a, uint32_t page)
{
    bin_remove(h, page);
    h->pages[page].active = true;
    a->page = page;
    a->descriptor = &h->pages[page];
    a->group = page * PAGE_GROUPS - 1;
    a->groups_end = (page + 1) * PAGE_GROUPS;
    return group_advance(h, a);
}

/* The fullest partial page that is swept, or NO_PAGE. On the way at most PARTIAL_SWEEPS_MAX
 * pages are swept; after that the fullest of these will do. */
static uint32_t partial_page(struct heap *h, struct allocator *a)
{
    uint32_t best = NO_PAGE;
    unsigned sweeps = 0;
    for (unsigned bin = FULLNESS_BINS; bin-- > 0;)
        while (a->bins[bin] != NO_PAGE && sweeps < PARTIAL_SWEEPS_MAX) {
            uint32_t page = a->bins[bin];
            struct page *p = &h->pages[page];
            if (!page_unswept(h, p) || planted(7)) return page;
            page_sweep(h, page); /* moves it to another bin, or gives it back */
            sweeps++;
            if (p->state != PAGE_CELLS || p->bin == FULLNESS_BINS) continue;
            if (p->bin >= bin) return page;
            if (best == NO_PAGE || p->bin > h->pages[best].bin) best = page;
        }
    return best;
}

bool cell_target_find(struct heap *h, struct allocator *a, uint32_t source)
{
    if (a->free || group_advance(h, a)) return true;
    page_deactivate(h, a);
    for (unsigned bin = FULLNESS_BINS; bin-- > h->pages[source].bin;) {
        uint32_t page = a->bins[bin];
        if (page == source) page = h->pages[page].next;
        if (page != NO_PAGE) return page_activate(h, a, page);
    }
    return false;
}

static uint32_t fresh_page(struct heap *h, unsigned content, unsigned size_class)
{
    uint32_t page = page_take(h, 1);
    if (page == NO_PAGE) return NO_PAGE;
    struct page *p = &h->pages[page];
    unsigned granules = size_class_granules(size_class);
    p->state = PAGE_CELLS;
    p->content = (uint8_t)content;
    p->size_class = (uint8_t)size_class;
    p->cell_granules = (uint16_t)granules;
    /* Granule 0 of the heap stays unused: no reference has index 0. */
    unsigned first = page == 0 ? granules : 0;
    p->cells = (uint16_t)((PAGE_GRANULES - first) / granules);
    struct plane_group *groups = &h->groups[(size_t)page * PAGE_GROUPS];
    for (unsigned i = 0, g = first; i < p->cells; i++, g += granules)
        groups[g / GROUP_GRANULES].mark |= (uint64_t)1 << g % GROUP_GRANULES;
    cell_poison(h->base + (size_t)page * PAGE_BYTES, PAGE_BYTES);
    return page;
}

/* Makes a->free non-zero, from another page. False when memory is short. */
static bool refill_from_page(struct heap *h, struct allocator *a, unsigned content,
                             unsigned size_class)
{
    for (unsigned reliefs = 0;;) {
        page_deactivate(h, a); /* it is full, or has free cells behind: then it comes again */
        uint32_t page = partial_page(h, a);
        if (page == NO_PAGE && sweep_some(h, 4)) page = partial_page(h, a);
        if (page == NO_PAGE) page = fresh_page(h, content, size_class);
        if (page == NO_PAGE && reliefs++ < RELIEFS_MAX && heap_relieve(h)) continue;
        if (page == NO_PAGE) return false;
        if (page_activate(h, a, page)) return true;
    }
}

/* While sweeping is under way, or memory is short, this takes collector's work along. */
static bool refill(struct heap *h, struct allocator *a, unsigned content, unsigned size_class)
{
    if (group_advance(h, a)) return true;
    bool assists = h->gc.phase == GC_SWEEP || pages_available(h) == 0;
    if (!assists) return refill_from_page(h, a, content, size_class);
    uint64_t begin = clock_ns();
    bool found = refill_from_page(h, a, content, size_class);
    uint64_t end = clock_ns();
    gc_histogram_add(&h->gc.stats.assist, end - begin);
    gc_pace_worked(h, end - begin, end);
    return found;
}

/* Tests: whether this allocation is the one to fail. */
bool allocation_fails(struct heap *h)
{
    if (h->fail_nth == 0 || h->in_reservation) return false;
    bool fails = --h->fail_nth == 0;
    h->watching = h->fail_nth != 0 || h->in_reservation;
    return fails;
}

static void reservation_use(struct heap *h, size_t bytes)
{
    if (!h->in_reservation) return;
    assert(bytes <= h->reservation_left && "a command took more than it reserved");
    h->reservation_left -= bytes;
}

value cell_take_slow(struct heap *h, enum kind kind, uint32_t hash, unsigned size_class)
{
    struct allocator *a = &h->allocators[kind_content(kind)][size_class];
    if (allocation_fails(h)) return VALUE_ABSENT;
    reservation_use(h, (size_t)size_class_granules(size_class) * GRANULE_BYTES);
    if (a->free == 0 && !refill(h, a, kind_content(kind), size_class)) return VALUE_ABSENT;
    return cell_take_from(h, a, kind, hash);
}

/* Pages for a run; never page 0, whose granule 0 stays unused. */
static uint32_t run_pages_take(struct heap *h, unsigned count)
{
    for (unsigned reliefs = 0; reliefs <= RELIEFS_MAX; reliefs++) {
        uint32_t page = page_take(h, count);
        if (page == 0) {
            page = page_take(h, count);
            page_give(h, 0, count);
        }
        if (page != NO_PAGE) return page;
        if (!heap_relieve(h)) break;
    }
    return NO_PAGE;
}

value run_take(struct heap *h, enum kind kind, uint32_t hash, size_t bytes)
{
    assert(!h->in_reservation && "a reservation does not cover runs");
    if (allocation_fails(h)) return VALUE_ABSENT;
    unsigned count = bytes > PAGE_BYTES ? 2 : 1;
    uint32_t page = run_pages_take(h, count);
    if (page == NO_PAGE) return VALUE_ABSENT;
    struct page *p = &h->pages[page];
    p->state = PAGE_RUN;
    p->content = (uint8_t)kind_content(kind);
    p->run_pages = (uint8_t)count;
    p->live = p->cells = 1;
    if (count == 2) p[1].state = PAGE_RUN_REST;
    struct plane_group *g = &h->groups[(size_t)page * PAGE_GROUPS];
    g->head |= 1;
    if (h->marking) g->mark |= 1;
    h->used_bytes += page_cell_bytes(p);
    h->object_count++;
    h->allocations++;
    value v = ref_make(kind, (uint64_t)page * PAGE_GRANULES, hash);
    if (!kind_is_leaf(kind)) memset(ref_cell(h, v), 0, page_cell_bytes(p));
    return v;
}

/* --- freeing --------------------------------------------------------------------------------*/

void cell_vacate(struct heap *h, value v)
{
    uint32_t page = ref_page_index(v);
    struct page *p = &h->pages[page];
    struct plane_group *g = ref_group(h, v);
    uint64_t bit = ref_bit(v);
    p->live -= planted(22) ? 0 : 1;
    cell_poison(ref_cell(h, v), page_cell_bytes(p));
    g->head &= ~bit;
    g->mark |= bit;
    if (p->active) {
        struct allocator *a = page_allocator(h, p);
        if (a->group == ref_granule(v) / GROUP_GRANULES) a->free |= bit;
    } else {
        page_rebin(h, page);
    }
}

void cell_free(struct heap *h, value v)
{
    struct page *p = ref_page(h, v);
    struct plane_group *g = ref_group(h, v);
    uint64_t bit = ref_bit(v);
    size_t bytes = page_cell_bytes(p);
    assert((g->head & bit) && "freed twice");
    assert(!(g->shared & bit) && "only the collector frees what is shared");
    if (unlikely(h->walking) && !planted(20))
        heap_walk_freed(h, ref_granule(v) / GROUP_GRANULES, bit);
    if (unlikely(h->marking)) {
        gc_forget(h, v);
        oracle_freed(h, v);
    }
    h->used_bytes -= planted(21) ? bytes - 1 : bytes;
    h->object_count -= planted(8) ? 0 : 1;
    h->gc.stats.released_bytes += bytes;
    if (p->state == PAGE_RUN) {
        p->live--;
        page_give(h, ref_page_index(v), p->run_pages);
    } else {
        cell_vacate(h, v);
    }
}
