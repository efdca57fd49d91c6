/* compact.c - emptying sparse pages while marking.
 *
 * After many deletions, or when values change their size for good, the cells that are left lie
 * thinly on many pages, and none of these can be given back. Marking comes by every reference
 * anyway. So while it scans a container, what one of its slots refers to may be moved from a
 * sparse page to a fuller one of the same class and content, and the slot be patched.
 *
 * This is right because of ownership: an object that is not shared has exactly one reference,
 * so if that is in a slot, the slot is all there is to patch. Who else could know a place?
 *
 *   roots, frames, the head of the drop queue   their values are in no slot, and are never moved
 *   links of the drop queue                     are slots, and owners, like any other
 *   weak references, shapes' table, handles     their targets are shared, or found through slots
 *   the object whose scan was cut, gray ones    are marked; only white objects are moved
 *   a walk (walk.c)                             nothing moves while heap_pin is in force
 *   a half-decoded message with references      value_pin: nothing moves on the pages of these
 *   among its containers
 *
 * The new cell is white as the old one was, and the marker shades it next as it does with all
 * that it finds. So a container is scanned after its move, never in the midst of it.
 *
 * A move takes a free cell of the active page, or makes the fullest other partial page that one;
 * never a fresh page. Pages that are filled so are no longer sparse, and what moved is not white
 * any more; so every object moves at most once in a cycle. Which classes are worth it is chosen
 * when a cycle begins, from the numbers of pages in their bins. */
#include "heap/oracle.h"
#include "heap/store.h"

/* One call moves about so much, to stay within some tens of microseconds. */
#define MOVE_BYTES_MAX ((size_t)256 << 10)

/* --- what it is worth -----------------------------------------------------------------------*/

/* The free part of partial pages, taking each as half-way between the bounds of its bin. */
static size_t pages_free_bytes(const uint32_t bin_pages[FULLNESS_BINS])
{
    size_t sixteenths = 0;
    for (size_t bin = 0; bin < FULLNESS_BINS; bin++)
        sixteenths += bin_pages[bin] * (2 * FULLNESS_BINS - 1 - 2 * bin);
    return sixteenths * (PAGE_BYTES / (2 * FULLNESS_BINS));
}

/* What moving together all cells of partial pages would set free, were they all movable: each
 * class keeps at most one partial page. */
size_t compact_regainable_bytes(const struct heap *h)
{
    size_t free_bytes = pages_free_bytes(h->bin_pages);
    size_t kept = (size_t)h->partial_classes * PAGE_BYTES;
    return free_bytes > kept ? free_bytes - kept : 0;
}

/* A cycle begins: it compacts if that may regain `worth_bytes` more than what it tried in vain
 * the last time. */
void compact_begin(struct heap *h, size_t worth_bytes)
{
    struct collector *gc = &h->gc;
    size_t regainable = compact_regainable_bytes(h);
    gc->compact_wanted = regainable;
    gc->compact_moved = gc->stats.moved_bytes;
    gc->compacting = gc->compact_always || regainable >= worth_bytes + gc->unmovable_bytes;
    if (!gc->compacting) return;
    for (unsigned content = 0; content < CONTENT_COUNT; content++)
        for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++) {
            struct allocator *a = &h->allocators[content][c];
            /* A table's finaliser may know it by its place. */
            a->compacting = content != KIND_TABLE &&
                            (gc->compact_always || pages_free_bytes(a->bin_pages) >= PAGE_BYTES);
        }
}

/* The cycle has swept. If it moved little of what it might have, the rest will not move next time
 * either: it is shared. */
void compact_end(struct heap *h)
{
    struct collector *gc = &h->gc;
    if (!gc->compacting) return;
    bool stuck = gc->stats.moved_bytes - gc->compact_moved < gc->compact_wanted / 4;
    gc->unmovable_bytes = stuck ? compact_regainable_bytes(h) : 0;
    gc->compacting = false;
}

/* --- moving ---------------------------------------------------------------------------------*/

static bool page_is_sparse(const struct heap *h, uint32_t page)
{
    return h->sparse_pages[page / 64] >> page % 64 & 1;
}

static bool is_movable(const struct heap *h, value v)
{
    const struct plane_group *g = ref_group(h, v);
    return !((g->mark | g->shared) & ref_bit(v));
}

/* Moves the object behind a slot, if there is a place for it. Returns its bytes, or 0. */
static size_t slot_move(struct heap *h, value *slot)
{
    value v = *slot;
    struct page *p = ref_page(h, v);
    struct allocator *a = page_allocator(h, p);
    if (!a->compacting || p->pins || !is_movable(h, v)) return 0;
    if (!cell_target_find(h, a, ref_page_index(v))) return 0;
    size_t bytes = page_cell_bytes(p);
    uint64_t granule = cell_claim(a, planted(28));
    value moved = ref_make(ref_kind(v), granule, ref_hash(v));
    cell_unpoison(ref_cell(h, moved), bytes);
    memcpy(ref_cell(h, moved), ref_cell(h, v), bytes);
    if (!planted(27)) store_moved(slot, moved);
    oracle_moved(h, v, moved);
    cell_vacate(h, v);
    h->gc.stats.moved_objects++;
    h->gc.stats.moved_bytes += bytes;
    return bytes;
}

size_t compact_slots(struct heap *h, value *const *slots, size_t count)
{
    size_t bytes = 0;
    if (h->pinned) return 0;
    for (size_t i = 0; i < count; i++)
        if (page_is_sparse(h, ref_page_index(*slots[i]))) {
            __builtin_prefetch(ref_cell(h, *slots[i]));
            __builtin_prefetch(ref_page(h, *slots[i]));
        }
    for (size_t i = 0; i < count && bytes < MOVE_BYTES_MAX; i++)
        if (page_is_sparse(h, ref_page_index(*slots[i]))) bytes += slot_move(h, slots[i]);
    return bytes / sizeof(value);
}

void heap_pin(struct heap *h) { h->pinned++; }

void heap_unpin(struct heap *h)
{
    assert(h->pinned > 0);
    h->pinned--;
}

void value_pin(struct heap *h, value v)
{
    struct page *p = ref_page(h, v);
    assert(p->pins < p->cells && "pinned once only");
    if (!planted(30)) p->pins++;
}

void value_unpin(struct heap *h, value v)
{
    struct page *p = ref_page(h, v);
    if (planted(30)) return;
    assert(p->pins > 0);
    p->pins--;
}

void gc_compact_always(struct heap *h, bool always) { h->gc.compact_always = always; }
