/* verify.c - the whole-heap checker and the shadow mark.
 *
 * Both follow references from the roots on their own, with a bitmap and a stack in C memory, and
 * share nothing with the collector that they check but the layout. */
#include "heap/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/external.h"
#include "heap/intern.h"
#include "heap/map_int.h"
#include "heap/sorted_set.h"
#include "heap/traversal.h"

struct verifier {
    struct heap *h;
    value *maps; /* roots of maps that were met */
    size_t map_count, map_capacity;
    struct traversal reached;  /* from the roots */
    struct traversal will_mark; /* what marking under way would still mark */
    bool contents;             /* look at what containers say of themselves, too */
    char *message;
    size_t size;
    bool failed;
};

__attribute__((format(printf, 2, 3)))
static void fail(struct verifier *v, const char *format, ...)
{
    if (v->failed) return;
    v->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(v->message, v->size, format, args);
    va_end(args);
}

int verify_fail(char *message, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, size, format, args);
    va_end(args);
    return -EINVAL;
}

/* --- one reference --------------------------------------------------------------------------*/

static bool header_fits(value first_word, enum kind kind)
{
    if (value_is_int(first_word)) return header_kind(first_word) == kind;
    if (value_is_kind(first_word, KIND_SHAPE)) return kind == KIND_MAP || kind == KIND_RECORD;
    return false;
}

/* Checks that `v`, found in `where`, hits the head of a cell of its kind. `waiting`: it is in
 * the drop queue, where links take the place of headers. */
static bool check_target(struct verifier *c, value v, const char *where, bool waiting)
{
    struct heap *h = c->h;
    uint64_t granule = ref_granule(v);
    if (granule == 0 || granule / PAGE_GRANULES >= h->page_top) {
        fail(c, "%s refers outside of the heap: granule %lu", where, granule);
        return false;
    }
    const struct page *p = ref_page(h, v);
    if (p->state != PAGE_CELLS && p->state != PAGE_RUN) {
        fail(c, "%s refers to granule %lu in a page of state %d", where, granule, p->state);
        return false;
    }
    if (!(ref_group(h, v)->head & ref_bit(v))) {
        fail(c, "%s refers to granule %lu, where no object (of kind %s) begins", where, granule,
             kind_name(ref_kind(v)));
        return false;
    }
    if (p->content != kind_content(ref_kind(v))) {
        fail(c, "%s refers to a %s at granule %lu, in a page of content %d", where,
             kind_name(ref_kind(v)), granule, p->content);
        return false;
    }
    if (page_unswept(h, p) && !(ref_group(h, v)->mark & ref_bit(v))) {
        fail(c, "%s refers to a %s at granule %lu that the sweep is about to free", where,
             kind_name(ref_kind(v)), granule);
        return false;
    }
    if (!kind_is_leaf(ref_kind(v)) && !waiting) {
        value first_word = *(const value *)ref_cell(h, v);
        if (!header_fits(first_word, ref_kind(v))) {
            fail(c, "%s refers to a %s at granule %lu, whose header is %#lx", where,
                 kind_name(ref_kind(v)), granule, first_word);
            return false;
        }
    }
    return true;
}

static void check_reference(struct verifier *c, value v, const char *where, bool waiting)
{
    if (c->failed || !value_is_ref(v) || !check_target(c, v, where, waiting)) return;
    if (!traversal_meet(&c->reached, v) && !(ref_group(c->h, v)->shared & ref_bit(v)))
        fail(c, "%s is a second reference to a %s at granule %lu that is not marked shared", where,
             kind_name(ref_kind(v)), ref_granule(v));
}

static void check_container(struct verifier *c, value container)
{
    const value *words = cell_words(c->h, container);
    size_t count = cell_word_count(c->h, container);
    char where[96];
    for (size_t i = 0; i < count && !c->failed; i++) {
        if (!value_is_ref(words[i])) continue;
        /* A reference in the first word that is no shape is a link of the drop queue. */
        bool link = i == 0 && !value_is_kind(words[0], KIND_SHAPE);
        snprintf(where, sizeof where, "word %zu of the %s at granule %lu", i,
                 kind_name(ref_kind(container)), ref_granule(container));
        check_reference(c, words[i], where, link);
    }
    bool waits = !value_is_int(words[0]); /* in the drop queue */
    if (c->failed || !c->contents || waits || !value_is_kind(container, KIND_SORTED_SET)) return;
    char wrong[120];
    if (sorted_set_verify(c->h, container, wrong, sizeof wrong) < 0)
        fail(c, "in the sorted set at granule %lu %s", ref_granule(container), wrong);
}

/* Maps are looked into when all references are known to be good. What waits in the drop queue is
 * not met here as a map: it has no header. */
static void map_met(struct verifier *c, value container)
{
    enum kind kind = ref_kind(container);
    if (kind != KIND_MAP && kind != KIND_SET && kind != KIND_SCORES) return;
    if (!value_is_int(cell_words(c->h, container)[0])) return;
    if (c->map_count == c->map_capacity) {
        c->map_capacity = c->map_capacity ? c->map_capacity * 2 : 64;
        c->maps = realloc(c->maps, c->map_capacity * sizeof *c->maps);
        if (!c->maps) abort();
    }
    c->maps[c->map_count++] = container;
}

static void check_maps(struct verifier *c)
{
    for (size_t i = 0; i < c->map_count && !c->failed; i++) {
        const char *wrong = map_verify(c->h, c->maps[i]);
        if (wrong) fail(c, "the map at granule %lu: %s", ref_granule(c->maps[i]), wrong);
    }
}

static void check_references(struct verifier *c)
{
    struct heap *h = c->h;
    for (unsigned i = 0; i < ROOT_COUNT; i++) check_reference(c, h->roots[i], "a root", false);
    for (const struct root_frame *f = h->frames; f; f = f->next)
        for (size_t i = 0; i < f->count; i++) check_reference(c, f->slots[i], "a frame", false);
    check_reference(c, h->drop.first, "the drop queue", true);
    check_reference(c, h->drop.current, "the drop queue", true);
    while (c->reached.count && !c->failed) {
        value container = c->reached.stack[--c->reached.count];
        map_met(c, container);
        check_container(c, container);
    }
}

/* --- the collector's invariant ----------------------------------------------------------------*/

static bool is_white(const struct heap *h, value v)
{
    return !(ref_group(h, v)->mark & ref_bit(v));
}

static void will_mark(struct verifier *c, value v)
{
    if (value_is_ref(v) && is_white(c->h, v)) traversal_meet(&c->will_mark, v);
}

static void will_mark_words(struct verifier *c, value container)
{
    const value *words = cell_words(c->h, container);
    size_t count = cell_word_count(c->h, container);
    for (size_t i = 0; i < count; i++) will_mark(c, words[i]);
}

/* Everything that is reachable and not black must be in the way of the marker: reachable from
 * a gray object or an unscanned frame through white ones. */
static void check_marking(struct verifier *c)
{
    struct heap *h = c->h;
    if (h->gc.phase != GC_MARK) return;
    for (uint64_t i = 0; i < (uint64_t)h->page_top * PAGE_GROUPS; i++)
        for (uint64_t gray = h->groups[i].gray; gray; gray &= gray - 1)
            will_mark_words(c, ref_make(KIND_FIRST_CONTAINER,
                                        i * GROUP_GRANULES + (unsigned)__builtin_ctzl(gray), 0));
    if (h->gc.scan_object) will_mark_words(c, h->gc.scan_object);
    for (const struct root_frame *f = h->frames; f; f = f->next)
        if (f->cycle != h->gc.cycle)
            for (size_t i = 0; i < f->count; i++) will_mark(c, f->slots[i]);
    while (c->will_mark.count) will_mark_words(c, c->will_mark.stack[--c->will_mark.count]);
    for (uint64_t i = 0; i < (uint64_t)h->page_top * PAGE_GROUPS; i++) {
        uint64_t lost = c->reached.met[i] & ~h->groups[i].mark & ~c->will_mark.met[i];
        if (!lost) continue;
        fail(c, "the object at granule %lu is reachable, but marking will miss it",
             i * GROUP_GRANULES + (unsigned)__builtin_ctzl(lost));
        return;
    }
}

/* --- pages ----------------------------------------------------------------------------------*/

struct page_sums {
    uint64_t objects, shared;
    size_t bytes;
    uint32_t free_pages, touched, touched_free;
};

static void check_free_cells(struct verifier *c, uint64_t group, uint64_t free_cells,
                             size_t cell_bytes)
{
#if defined(CAIRN_DEBUG)
    for (; free_cells && !c->failed; free_cells &= free_cells - 1) {
        uint64_t granule = group * GROUP_GRANULES + (unsigned)__builtin_ctzl(free_cells);
        if (!cell_is_poisoned(c->h->base + granule * GRANULE_BYTES, cell_bytes))
            fail(c, "the free cell at granule %lu was written to", granule);
    }
#else
    (void)c, (void)group, (void)free_cells, (void)cell_bytes;
#endif
}

/* The free cells of an active page's group that only its allocator knows as such. */
static uint64_t group_drawn(struct heap *h, const struct page *p, const struct plane_group *planes)
{
    const struct allocator *a = page_allocator(h, p);
    return a->planes == planes ? a->free : 0;
}

static void check_cells(struct verifier *c, uint32_t page, struct page_sums *sums)
{
    struct heap *h = c->h;
    const struct page *p = &h->pages[page];
    unsigned live = 0, free_cells = 0;
    for (unsigned g = 0; g < PAGE_GROUPS; g++) {
        uint64_t group = (uint64_t)page * PAGE_GROUPS + g;
        const struct plane_group *planes = &h->groups[group];
        uint64_t free_here = ~planes->head & planes->mark, drawn = 0;
        if (p->active) drawn = group_drawn(h, p, planes);
        if (drawn & (planes->head | planes->mark))
            fail(c, "page %u has drawn cells that are taken", page);
        free_here |= drawn;
        live += (unsigned)__builtin_popcountl(planes->head);
        free_cells += (unsigned)__builtin_popcountl(free_here);
        sums->shared += (unsigned)__builtin_popcountl(planes->shared);
        if (planes->gray & ~(planes->head & planes->mark))
            fail(c, "page %u has a gray object that is not black", page);
        bool awaited = p->gray_queued || page == h->gc.gray_page;
        if (planes->gray && (!awaited || h->gc.phase != GC_MARK))
            fail(c, "page %u has gray objects and is not queued", page);
        if (planes->shared & ~planes->head) fail(c, "page %u has a shared free cell", page);
        if (planes->gray && p->content != CONTENT_CONTAINERS)
            fail(c, "page %u has a gray leaf", page);
        if (!h->marking && !page_unswept(h, p) && (planes->head & planes->mark))
            fail(c, "page %u has a black cell outside of a cycle", page);
        uint64_t heads = planes->head | planes->mark | drawn;
        for (uint64_t bits = heads; bits; bits &= bits - 1) {
            unsigned granule = g * GROUP_GRANULES + (unsigned)__builtin_ctzl(bits);
            unsigned first = page == 0 ? p->cell_granules : 0;
            if (p->state == PAGE_CELLS && (granule - first) % p->cell_granules != 0)
                fail(c, "page %u has a cell that begins at granule %u", page, granule);
        }
        check_free_cells(c, group, free_here, page_cell_bytes(p));
    }
    if (live != page_live(h, p) || live + free_cells != p->cells)
        fail(c, "page %u counts %u of %u cells taken, but its planes %u and %u free", page,
             page_live(h, p), p->cells, live, free_cells);
    sums->objects += live;
    sums->bytes += live * page_cell_bytes(p);
}

static void check_pages(struct verifier *c)
{
    struct heap *h = c->h;
    struct page_sums sums = {.free_pages = h->page_count - h->page_top};
    for (uint32_t i = 0; i < h->page_top && !c->failed; i++) {
        const struct page *p = &h->pages[i];
        bool marked_free = h->free_pages.level[0][i / 64] >> i % 64 & 1;
        if (marked_free != (p->state == PAGE_FREE))
            fail(c, "page %u is in state %d, and its bit says %s", i, p->state,
                 marked_free ? "free" : "taken");
        sums.free_pages += p->state == PAGE_FREE;
        sums.touched += p->touched;
        sums.touched_free += p->touched && p->state == PAGE_FREE;
        if (p->state == PAGE_CELLS || p->state == PAGE_RUN) check_cells(c, i, &sums);
    }
    if (c->failed) return;
    /* What was never taken may lie in the huge page of what was. */
    for (uint32_t i = h->page_top; i < h->page_count && i % RANGE_PAGES; i++) {
        sums.touched += h->pages[i].touched;
        sums.touched_free += h->pages[i].touched;
    }
    if (sums.objects != heap_object_count(h) || sums.bytes != heap_used_bytes(h))
        fail(c, "the heap counts %lu objects of %zu bytes, its pages %lu of %zu",
             heap_object_count(h), heap_used_bytes(h), sums.objects, sums.bytes);
    if (sums.shared != h->shared_count)
        fail(c, "the heap counts %lu shared objects, its pages %lu", h->shared_count, sums.shared);
    if (sums.free_pages != h->free_page_count)
        fail(c, "the heap counts %u free pages, there are %u", h->free_page_count, sums.free_pages);
    if (sums.touched != h->touched_count || sums.touched_free != h->touched_free_count)
        fail(c, "the heap counts %u touched pages, %u of them free; there are %u and %u",
             h->touched_count, h->touched_free_count, sums.touched, sums.touched_free);
}

static void check_bin_counts(struct verifier *c)
{
    struct heap *h = c->h;
    uint32_t all[FULLNESS_BINS] = {0}, sparse = 0, partial_classes = 0;
    for (unsigned content = 0; content < CONTENT_COUNT; content++)
        for (unsigned class = 0; class < SIZE_CLASS_COUNT; class++) {
            const struct allocator *a = &h->allocators[content][class];
            uint32_t partial = 0;
            for (unsigned bin = 0; bin < FULLNESS_BINS; bin++) {
                uint32_t pages = 0;
                for (uint32_t i = a->bins[bin]; i != NO_PAGE; i = h->pages[i].next, pages++)
                    if (!(h->sparse_pages[i / 64] >> i % 64 & 1) != (bin >= SPARSE_BINS))
                        fail(c, "page %u is in bin %u, and its bit says otherwise", i, bin);
                if (pages != a->bin_pages[bin])
                    fail(c, "bin %u of class %u counts %u pages and has %u", bin, class,
                         a->bin_pages[bin], pages);
                all[bin] += pages;
                partial += pages;
                if (bin < SPARSE_BINS) sparse += pages;
            }
            if (partial != a->partial_pages)
                fail(c, "class %u counts %u partial pages and has %u", class, a->partial_pages,
                     partial);
            partial_classes += partial != 0;
        }
    for (uint32_t i = 0; i < h->page_count / 64; i++)
        sparse -= (uint32_t)__builtin_popcountl(h->sparse_pages[i]);
    if (sparse != 0) fail(c, "pages that are in no bin are marked as sparse");
    if (memcmp(all, h->bin_pages, sizeof all) != 0 || partial_classes != h->partial_classes)
        fail(c, "the heap's counts of partial pages are wrong");
}

static void check_bins(struct verifier *c)
{
    struct heap *h = c->h;
    for (unsigned content = 0; content < CONTENT_COUNT; content++)
        for (unsigned class = 0; class < SIZE_CLASS_COUNT; class++)
            for (unsigned bin = 0; bin < FULLNESS_BINS; bin++) {
                uint32_t previous = NO_PAGE;
                for (uint32_t i = h->allocators[content][class].bins[bin]; i != NO_PAGE;
                     i = h->pages[i].next) {
                    const struct page *p = &h->pages[i];
                    if (p->state != PAGE_CELLS || p->content != content ||
                        p->size_class != class || p->bin != bin || p->previous != previous ||
                        p->active || p->live == 0 || p->live == p->cells ||
                        p->live * FULLNESS_BINS / p->cells != bin) {
                        fail(c, "page %u is wrongly in bin %u of class %u", i, bin, class);
                        return;
                    }
                    previous = i;
                }
            }
}

static void check_interned(struct verifier *c)
{
    struct heap *h = c->h;
    struct intern_stats stats;
    intern_stats(h, &stats);
    uint64_t entries = 0;
    value v;
    for (uint32_t i = 0; !c->failed && (v = intern_table_slot(h, i)) != VALUE_ABSENT; i++) {
        if (!value_is_ref(v) || !check_target(c, v, "the table of interned strings", false))
            continue;
        entries++;
        if (!value_is_kind(v, KIND_STRING) || !value_is_shared(h, v))
            fail(c, "slot %u of the interned strings has an unshared %s", i,
                 kind_name(ref_kind(v)));
        else if (!intern_slot_fits(h, i, v))
            fail(c, "slot %u of the interned strings has one that does not belong there", i);
    }
    if (!c->failed && entries != stats.entries)
        fail(c, "the table counts %lu interned strings, it has %lu", stats.entries, entries);
}

int heap_verify(struct heap *h, char *message, size_t size)
{
    struct verifier c = {.h = h, .message = message, .size = size, .contents = true};
    if (size) message[0] = 0;
    if (traversal_open(&c.reached, h) != 0 || traversal_open(&c.will_mark, h) != 0)
        fail(&c, "no memory to check the heap with");
    if (!c.failed) check_pages(&c);
    if (!c.failed) check_bins(&c);
    if (!c.failed) check_bin_counts(&c);
    if (!c.failed) check_references(&c);
    if (!c.failed) check_maps(&c);
    if (!c.failed) check_interned(&c);
    if (!c.failed) check_marking(&c);
    if (!c.failed && external_verify(h, message, size) != 0) c.failed = true;
    free(c.maps);
    traversal_close(&c.reached);
    traversal_close(&c.will_mark);
    return c.failed ? -EINVAL : 0;
}

int heap_shadow_mark(struct heap *h, char *message, size_t size)
{
    struct verifier c = {.h = h, .message = message, .size = size};
    if (size) message[0] = 0;
    if (traversal_open(&c.reached, h) != 0) fail(&c, "no memory to mark the heap with");
    if (!c.failed) check_references(&c);
    for (uint64_t i = 0; !c.failed && i < (uint64_t)h->page_top * PAGE_GROUPS; i++) {
        uint64_t lost = c.reached.met[i] & ~h->groups[i].mark;
        if (lost)
            fail(&c, "marking ended, and the reachable object at granule %lu is white",
                 i * GROUP_GRANULES + (unsigned)__builtin_ctzl(lost));
    }
    free(c.maps);
    traversal_close(&c.reached);
    return c.failed ? -EINVAL : 0;
}
