/* gc.c - the collector: incremental mark-sweep, snapshot at the beginning.
 *
 *   phase   happens at each step                        ends when
 *   idle    nothing                                     gc_start
 *   mark    scans gray containers, a few words each;    no gray object is left and every
 *           then frames that no one has touched         frame was scanned
 *   drain   forgets unmarked shapes and interned        both tables are done
 *           strings, some slots each
 *   sweep   white becomes free, page by page            every page was met
 *
 *   idle -> mark -> drain -> sweep -> idle; there are no other transitions.
 *
 * Invariant (Yuasa): while marking, every object that was reachable when the cycle began is
 * black, or gray, or reachable from a gray or white object along references that were there
 * at the beginning and that nobody has overwritten without shading them; newborns are black.
 * So when nothing is gray any more, white means garbage.
 *
 * A gray object is one bit in the GRAY plane, and its page is in a queue, once. That is all the
 * mark stack there is: it cannot overflow, and the objects of a page are scanned together. */
#include <stdio.h>
#include <stdlib.h>

#include "heap/oracle.h"
#include "heap/store.h"
#include "heap/verify.h"

/* Objects are scanned in batches of about so many words; of an object larger than a block, one
 * block is a batch. */
#define SCAN_BATCH_OBJECTS 16
#define SCAN_BATCH_WORDS 128
#define SCAN_BLOCK_WORDS 32
/* A batch looks for gray bits through at most so many pages, and that counts as so much work. */
#define SCAN_BATCH_PAGES 32
#define PAGE_UNITS 4
/* drain_next: the table of shapes is done. */
#define DRAINED UINT32_MAX
/* While objects are moved, which takes longer than marking them. */
#define COMPACT_BATCH_WORDS 16

const char *gc_phase_name(enum gc_phase phase)
{
    static const char *const names[] = {
#define X(name, text) [GC_##name] = text,
        GC_PHASES(X)
#undef X
    };
    return names[phase];
}

enum gc_phase gc_phase(const struct heap *h) { return h->gc.phase; }

/* --- gray objects ---------------------------------------------------------------------------*/

void gc_page_queue(struct heap *h, uint32_t page)
{
    struct collector *gc = &h->gc;
    struct page *p = &h->pages[page];
    if (p->gray_queued) return;
    p->gray_queued = true;
    p->gray_next = NO_PAGE;
    if (gc->gray_last == NO_PAGE)
        gc->gray_first = page;
    else
        h->pages[gc->gray_last].gray_next = page;
    gc->gray_last = page;
}

static void gray_set(struct heap *h, struct plane_group *g, uint64_t bit, value v)
{
    g->gray |= bit;
    gc_page_queue(h, ref_page_index(v));
}

void gc_shade(struct heap *h, value v)
{
    if (!value_is_ref(v)) return;
    struct plane_group *g = ref_group(h, v);
    uint64_t bit = ref_bit(v);
    debug_assert(g->head & bit);
    if (g->mark & bit) return;
    debug_assert(h->gc.phase == GC_MARK);
    g->mark |= bit;
    h->gc.marked++;
    if (!kind_is_leaf(ref_kind(v))) gray_set(h, g, bit, v);
}

void gc_regray(struct heap *h, value container)
{
    if (h->gc.phase != GC_MARK) return; /* afterwards all that is reachable is black */
    struct plane_group *g = ref_group(h, container);
    uint64_t bit = ref_bit(container);
    /* A white container will be scanned when the marker finds it. */
    if (!(g->mark & bit)) return;
    if (ref_granule(container) == ref_granule(h->gc.scan_object)) h->gc.scan_object = 0;
    gray_set(h, g, bit, container);
}

void gc_forget(struct heap *h, value v)
{
    ref_group(h, v)->gray &= ~ref_bit(v);
    if (ref_granule(v) == ref_granule(h->gc.scan_object)) h->gc.scan_object = 0;
}

/* --- marking --------------------------------------------------------------------------------*/

/* The next queued page comes under scan. Bits that are set in it behind the scan queue it
 * again. False when the queue is empty. */
static bool gray_page_next(struct heap *h)
{
    struct collector *gc = &h->gc;
    gc->gray_page = gc->gray_first;
    if (gc->gray_page == NO_PAGE) return false;
    struct page *p = &h->pages[gc->gray_page];
    gc->gray_first = p->gray_next;
    if (gc->gray_first == NO_PAGE) gc->gray_last = NO_PAGE;
    p->gray_queued = false;
    p->gray_next = NO_PAGE;
    gc->gray_group = 0;
    return true;
}

/* Takes a gray object; it is black then, and must be scanned. 0 when nothing is gray, or when as
 * many pages as a batch may were looked through: what was gray in them may have been freed. */
static value gray_take(struct heap *h, unsigned *pages)
{
    struct collector *gc = &h->gc;
    while (*pages < SCAN_BATCH_PAGES && (gc->gray_page != NO_PAGE || gray_page_next(h))) {
        for (; gc->gray_group < PAGE_GROUPS; gc->gray_group++) {
            uint64_t group = (uint64_t)gc->gray_page * PAGE_GROUPS + gc->gray_group;
            struct plane_group *g = &h->groups[group];
            if (!g->gray) continue;
            unsigned bit = (unsigned)__builtin_ctzl(g->gray);
            g->gray &= g->gray - 1;
            return ref_make(KIND_FIRST_CONTAINER, group * GROUP_GRANULES + bit, 0);
        }
        gc->gray_page = NO_PAGE;
        ++*pages;
    }
    return 0;
}

/* Slots whose references are to be shaded: what shading will touch is prefetched when they come
 * in, and has arrived by the time they go out. */
struct shade_batch {
    value *slots[SCAN_BATCH_WORDS + SCAN_BLOCK_WORDS];
    size_t count;
};

static void batch_words(struct heap *h, struct shade_batch *batch, value *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!value_is_ref(words[i])) continue;
        __builtin_prefetch(ref_group(h, words[i]), 1);
        if (!kind_is_leaf(ref_kind(words[i]))) __builtin_prefetch(ref_page(h, words[i]), 1);
        batch->slots[batch->count++] = &words[i];
    }
}

/* Returns the words that were moved on the way. */
static size_t batch_shade(struct heap *h, struct shade_batch *batch)
{
    size_t moved = h->gc.compacting ? compact_slots(h, batch->slots, batch->count) : 0;
    for (size_t i = 0; i < batch->count; i++) gc_shade(h, *batch->slots[i]);
    return moved;
}

/* Shades what a block of the object under scan refers to. Returns the words looked at. */
static size_t scan_block(struct heap *h)
{
    struct collector *gc = &h->gc;
    struct shade_batch batch;
    batch.count = 0; /* the slots need no clearing, which would cost more than scanning */
    size_t count = cell_word_count(h, gc->scan_object) - gc->scan_word;
    size_t most = gc->compacting ? COMPACT_BATCH_WORDS : SCAN_BLOCK_WORDS;
    if (count > most) count = most;
    batch_words(h, &batch, cell_words(h, gc->scan_object) + gc->scan_word, count);
    gc->scan_word += (uint32_t)count;
    if (gc->scan_word == cell_word_count(h, gc->scan_object)) gc->scan_object = 0;
    return count + batch_shade(h, &batch);
}

/* Takes gray objects of about `units` words, at most a batch, and scans them together, so that
 * their cache misses overlap. The first object of more than a block ends the batch and is
 * scanned block by block. */
static size_t scan_batch(struct heap *h, size_t units)
{
    struct collector *gc = &h->gc;
    struct shade_batch batch;
    batch.count = 0;
    value objects[SCAN_BATCH_OBJECTS];
    size_t count = 0, words = 0;
    unsigned pages = 0;
    size_t most = gc->compacting ? COMPACT_BATCH_WORDS : SCAN_BATCH_WORDS;
    if (units > most) units = most;
    while (count < SCAN_BATCH_OBJECTS && words < units && !gc->scan_object) {
        value object = gray_take(h, &pages);
        if (!object) break;
        if (cell_word_count(h, object) > SCAN_BLOCK_WORDS) {
            gc->scan_object = object;
            gc->scan_word = 0;
        } else {
            __builtin_prefetch(cell_words(h, object));
            objects[count++] = object;
            words += cell_word_count(h, object);
        }
    }
    for (size_t i = 0; i < count; i++)
        batch_words(h, &batch, cell_words(h, objects[i]), cell_word_count(h, objects[i]));
    return words + pages * PAGE_UNITS + batch_shade(h, &batch);
}

void gc_mark_frame(struct heap *h, struct root_frame *frame)
{
    frame->cycle = h->gc.cycle;
    for (size_t i = 0; i < frame->count; i++) gc_shade(h, frame->slots[i]);
}

/* Scans the next frame that was not touched in this cycle. False when there is none. */
static bool mark_next_frame(struct heap *h)
{
    struct collector *gc = &h->gc;
    while (gc->frame_next) {
        struct root_frame *frame = gc->frame_next;
        gc->frame_next = frame->next;
        if (frame->cycle == gc->cycle) continue;
        if (!planted(18)) gc_mark_frame(h, frame);
        return true;
    }
    return false;
}

static void mark_roots(struct heap *h)
{
    for (unsigned i = 0; i < ROOT_COUNT; i++) gc_shade(h, h->roots[i]);
    gc_shade(h, h->drop.first);
    gc_shade(h, h->drop.current);
}

/* --- phases ---------------------------------------------------------------------------------*/

void gc_begin(struct heap *h, size_t compact_worth_bytes)
{
    struct collector *gc = &h->gc;
    if (gc->phase != GC_IDLE) return;
    uint64_t begin = clock_ns();
    gc->cycle++;
    gc->phase = GC_MARK;
    h->marking = true;
    gc->marked = 0;
    gc->cycle_swept_bytes = 0;
    gc->frame_next = h->frames;
    gc_pace_cycle_began(h);
    oracle_begin(h);
    compact_begin(h, compact_worth_bytes);
    mark_roots(h);
    gc_histogram_add(&gc->stats.start, clock_ns() - begin);
}

void gc_start(struct heap *h) { gc_begin(h, compact_worth_idle(h)); }

static void check_marked(struct heap *h)
{
#ifdef CAIRN_DEBUG
    char message[256];
    if ((heap_object_count(h) < 100000 && heap_shadow_mark(h, message, sizeof message) != 0) ||
        oracle_check(h, message, sizeof message) != 0) {
        fprintf(stderr, "cairn: %s\n", message);
        abort();
    }
#endif
    oracle_end(h);
}

static void begin_drain(struct heap *h)
{
    check_marked(h);
    h->gc.phase = GC_DRAIN;
    h->gc.drain_next = 0;
    h->gc.drain_slot = 0;
}

static void begin_sweep(struct heap *h)
{
    uint64_t begin = clock_ns();
    gc_pace_marked(h);
    allocators_retire(h);
    h->gc.phase = GC_SWEEP;
    h->marking = false;
    h->gc.sweep_next = 0;
    h->gc.sweep_end = h->page_top;
    gc_histogram_add(&h->gc.stats.start, clock_ns() - begin);
}

static void end_cycle(struct heap *h)
{
    struct gc_stats *stats = &h->gc.stats;
    h->gc.phase = GC_IDLE;
    stats->cycles++;
    stats->marked_objects = h->gc.marked;
    stats->swept_bytes_last = h->gc.cycle_swept_bytes;
    stats->live_bytes = h->used_bytes;
    compact_end(h);
    gc_pace_cycle_ended(h);
}

static size_t mark_step(struct heap *h, size_t units)
{
    if (h->gc.scan_object) return scan_block(h);
    size_t done = scan_batch(h, units);
    if (done || h->gc.scan_object) return done;
    if (!mark_next_frame(h)) begin_drain(h);
    return 1;
}

static size_t drain_step(struct heap *h)
{
    struct collector *gc = &h->gc;
    if (gc->drain_next != DRAINED)
        gc->drain_next = shape_table_drain(h, gc->drain_next, SCAN_BLOCK_WORDS) ?: DRAINED;
    else if ((gc->drain_slot = intern_table_drain(h, gc->drain_slot, SCAN_BLOCK_WORDS)) == 0)
        begin_sweep(h);
    return SCAN_BLOCK_WORDS;
}

static size_t sweep_step(struct heap *h)
{
    struct collector *gc = &h->gc;
    if (gc->sweep_next >= gc->sweep_end) {
        end_cycle(h);
        return 1;
    }
    return page_sweep(h, gc->sweep_next++);
}

size_t gc_step(struct heap *h, size_t units)
{
    size_t done = heap_drop_step(h, units);
    while (done < units && h->gc.phase != GC_IDLE) {
        switch (h->gc.phase) {
        case GC_MARK: done += mark_step(h, units - done); break;
        case GC_DRAIN: done += drain_step(h); break;
        case GC_SWEEP: done += sweep_step(h); break;
        case GC_IDLE: break;
        }
    }
    return done;
}

size_t gc_collect(struct heap *h)
{
    size_t before = heap_used_bytes(h);
    while (heap_drop_pending(h) || h->gc.phase != GC_IDLE) gc_step(h, 65536);
    gc_start(h);
    while (heap_drop_pending(h) || h->gc.phase != GC_IDLE) gc_step(h, 65536);
    size_t after = heap_used_bytes(h);
    return before > after ? before - after : 0;
}

void gc_safe_point(struct heap *h)
{
#ifdef CAIRN_GC_STRESS
    if (h->gc.phase == GC_IDLE && h->gc.enabled && !heap_drop_pending(h)) gc_start(h);
    gc_step(h, 1);
#else
    (void)h;
#endif
}
