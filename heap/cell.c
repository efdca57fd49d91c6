/* cell.c - taking and freeing cells.
 *
 * Each content and size class allocates from one *active* page at a time, group by group, in
 * the order of addresses. When it is full, the fullest partial page of that kind comes next,
 * so that sparse pages drain and can be given back; a fresh page comes last.
 *
 * A page is in exactly one state: free; active; in the bin of its fullness (partial); or full
 * and in no bin.
 *
 * Taking a cell is what the heap does most, so it counts nothing: the free cells of a group count
 * as taken from when the allocator comes to it (they are *drawn*), and are no longer marked as
 * free in the planes, but in the allocator only. What is left is taken back when the page is left,
 * and whoever asks for the numbers has it subtracted. A cell of that group which is freed is drawn
 * again, and no count changes either. */
#include "heap/external.h"
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

static unsigned drawn_cells(const struct allocator *a)
{
    return (unsigned)__builtin_popcountl(a->free);
}

/* The free cells of the group at hand begin, or end, to be drawn. */
static void drawn_count(struct heap *h, struct allocator *a, bool begin)
{
    unsigned cells = drawn_cells(a);
    size_t bytes = (size_t)cells * a->cell_bytes;
    if (cells == 0) return;
    a->planes->mark ^= a->free;
    h->object_count = begin ? h->object_count + cells : h->object_count - cells;
    h->used_bytes = begin ? h->used_bytes + bytes : h->used_bytes - bytes;
    a->descriptor->live = (uint16_t)(begin ? a->descriptor->live + cells
                                           : a->descriptor->live - cells);
}

static void allocator_mark(struct heap *h, const struct allocator *a, bool open)
{
    size_t i = (size_t)(a - &h->allocators[0][0]);
    uint64_t bit = (uint64_t)1 << i % 64, *word = &h->open_allocators[i / 64];
    *word = open ? *word | bit : *word & ~bit;
}

/* What is drawn in all of the heap. */
static uint64_t drawn_all(const struct heap *h, size_t *bytes)
{
    uint64_t cells = 0;
    *bytes = 0;
    for (size_t i = 0; i < ALLOCATOR_WORDS; i++)
        for (uint64_t bits = h->open_allocators[i]; bits; bits &= bits - 1) {
            const struct allocator *a =
                &h->allocators[0][0] + 64 * i + (unsigned)__builtin_ctzl(bits);
            cells += drawn_cells(a);
            *bytes += (size_t)drawn_cells(a) * a->cell_bytes;
        }
    return cells;
}

size_t heap_used_bytes(const struct heap *h)
{
    size_t bytes;
    drawn_all(h, &bytes);
    return h->used_bytes - bytes;
}

uint64_t heap_object_count(const struct heap *h)
{
    size_t bytes;
    return h->object_count - drawn_all(h, &bytes);
}

unsigned page_live(const struct heap *h, const struct page *p)
{
    return p->live - (p->active ? drawn_cells(&h->allocators[p->content][p->size_class]) : 0);
}

static void page_deactivate(struct heap *h, struct allocator *a)
{
    if (a->page == NO_PAGE) return;
    uint32_t page = a->page;
    drawn_count(h, a, false);
    allocator_mark(h, a, false);
    a->page = NO_PAGE;
    a->free = 0;
    a->planes = NULL;
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
            if (a->page != NO_PAGE && page_live(h, a->descriptor) == 0) page_deactivate(h, a);
        }
}

static bool group_advance(struct heap *h, struct allocator *a)
{
    while (++a->group < a->groups_end) {
        a->planes = &h->groups[a->group];
        a->granule = (uint64_t)a->group * GROUP_GRANULES;
        a->free = ~a->planes->head & a->planes->mark;
        if (!a->free) continue;
        drawn_count(h, a, true);
        return true;
    }
    return false;
}

static bool page_activate(struct heap *h, struct allocator *a, uint32_t page)
{
    bin_remove(h, page);
    h->pages[page].active = true;
    a->page = page;
    a->descriptor = &h->pages[page];
    allocator_mark(h, a, true);
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
    value v = ref_make(kind, (uint64_t)page * PAGE_GRANULES, hash);
    if (!kind_is_leaf(kind)) memset(ref_cell(h, v), 0, page_cell_bytes(p));
    return v;
}

/* --- freeing --------------------------------------------------------------------------------*/

/* One cell less, of so many bytes; none if it is drawn. No branch: that nobody could foretell. */
static void count_freed_cell(struct heap *h, struct page *p, size_t bytes, bool drawn)
{
    uint64_t cells = drawn ? 0 : 1;
    h->used_bytes -= -cells & (planted(21) ? bytes - 1 : bytes);
    h->object_count -= planted(8) ? 0 : cells;
    p->live = (uint16_t)(p->live - (planted(22) ? 0 : cells));
}

/* Inline: in cell_free most of it is known already. */
static inline void vacate(struct heap *h, value v, struct page *p, struct plane_group *g,
                          size_t bytes)
{
    uint64_t bit = ref_bit(v);
    struct allocator *a = page_allocator(h, p);
    bool drawn = a->planes == g;
    cell_poison(ref_cell(h, v), bytes);
    g->head &= ~bit;
    g->mark = drawn ? g->mark & ~bit : g->mark | bit;
    a->free |= drawn ? bit : 0;
    count_freed_cell(h, p, bytes, drawn);
    if (!p->active) page_rebin(h, ref_page_index(v));
}

void cell_vacate(struct heap *h, value v)
{
    struct page *p = ref_page(h, v);
    vacate(h, v, p, ref_group(h, v), page_cell_bytes(p));
}

/* Others are to hear of it. */
static __attribute__((noinline)) void freed_notify(struct heap *h, value v)
{
    if (h->walking && !planted(20))
        heap_walk_freed(h, ref_granule(v) / GROUP_GRANULES, ref_bit(v));
    if (!h->marking) return;
    gc_forget(h, v);
    oracle_freed(h, v);
}

/* What is no common cell: a run, or a table, whose columns go as well. */
static __attribute__((noinline)) void rare_free(struct heap *h, value v)
{
    struct page *p = ref_page(h, v);
    size_t bytes = page_cell_bytes(p);
    if (p->content == KIND_TABLE) external_leaf_freed(h, ref_cell(h, v));
    h->freed_count++;
    h->gc.stats.released_bytes += bytes;
    if (p->state == PAGE_RUN) {
        count_freed_cell(h, p, bytes, false);
        page_give(h, ref_page_index(v), p->run_pages);
    } else {
        cell_vacate(h, v);
    }
}

void cell_free(struct heap *h, value v)
{
    struct page *p = ref_page(h, v);
    struct plane_group *g = ref_group(h, v);
    assert((g->head & ref_bit(v)) && "freed twice");
    assert(!(g->shared & ref_bit(v)) && "only the collector frees what is shared");
    if (unlikely(h->walking | h->marking)) freed_notify(h, v);
    if (unlikely(p->state == PAGE_RUN || p->content == KIND_TABLE)) {
        rare_free(h, v);
        return;
    }
    size_t bytes = (size_t)p->cell_granules * GRANULE_BYTES;
    h->freed_count++;
    h->gc.stats.released_bytes += bytes;
    vacate(h, v, p, g, bytes);
}
