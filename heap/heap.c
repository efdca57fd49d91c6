/* heap.c - making a heap, its limits, its roots, and who owns what. */
#include "heap/census.h"
#include "heap/external.h"
#include "heap/oracle.h"
#include "heap/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SHAPES_DEFAULT 65536
#define WEAK_SLOTS_DEFAULT ((uint32_t)1 << 24)
#define HELD_PAGES_MIN 16
#define HELD_PAGES_MAX 256
/* A reference has 36 bits of granules. */
#define HEAP_BYTES_MAX ((size_t)1 << 40)

/* --- creation -------------------------------------------------------------------------------*/

static size_t huge_rounded(size_t bytes) { return (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1); }

/* Address space that begins where a huge page can. NULL if there is none. */
static void *reserve_aligned(size_t bytes)
{
    unsigned char *raw = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    size_t before = (size_t)(-(uintptr_t)raw & (HUGE_BYTES - 1));
    if (before > 0) munmap(raw, before);
    munmap(raw + before + bytes, HUGE_BYTES - before);
    return raw + before;
}

/* One reservation for data, planes and descriptors; memory comes when it is touched. */
static int reserve_address_space(struct heap *h, bool huge_pages)
{
    size_t data = huge_rounded((size_t)h->page_count * PAGE_BYTES);
    size_t groups =
        huge_rounded((size_t)h->page_count * PAGE_GROUPS * sizeof(struct plane_group));
    size_t pages = (size_t)h->page_count * sizeof(struct page);
    size_t bitmap = page_bitmap_bytes(h->page_count);
    size_t sparse = (size_t)h->page_count / 8; /* whole segments: a multiple of 64 */
    h->reserved_bytes = huge_rounded(data + groups + pages + bitmap + sparse);
    h->base = reserve_aligned(h->reserved_bytes);
    if (!h->base) return -ENOMEM;
    h->huge_pages = huge_pages && madvise(h->base, h->reserved_bytes, MADV_HUGEPAGE) == 0;
    h->groups = (struct plane_group *)(h->base + data);
    uint64_t *bitmap_words = (uint64_t *)(h->base + data + groups);
    page_bitmap_init(&h->free_pages, bitmap_words, h->page_count);
    h->sparse_pages = (uint64_t *)(h->base + data + groups + bitmap);
    h->pages = (struct page *)(h->base + data + groups + bitmap + sparse);
    h->free_page_count = h->page_count;
    h->held_count = h->page_count / 100;
    if (h->held_count < HELD_PAGES_MIN) h->held_count = HELD_PAGES_MIN;
    if (h->held_count > HELD_PAGES_MAX) h->held_count = HELD_PAGES_MAX;
    return 0;
}

int heap_create(struct heap **heap, const struct heap_config *config)
{
    *heap = NULL;
    if (config->max_bytes == 0 || config->max_bytes > HEAP_BYTES_MAX) return -EINVAL;
    struct heap *h = calloc(1, sizeof *h);
    if (!h) return -ENOMEM;
    size_t segments = (config->max_bytes + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
    h->page_count = (uint32_t)(segments * SEGMENT_PAGES);
    memcpy(h->hash_key, config->hash_key, sizeof h->hash_key);
    h->gc.enabled = true;
#ifdef CAIRN_GC_STRESS
    h->gc.compact_always = true;
#endif
    h->gc.cycle = 1;
    h->gc.gray_first = h->gc.gray_last = h->gc.gray_page = NO_PAGE;
    int error = reserve_address_space(h, config->huge_pages);
    if (!error) {
        allocators_init(h);
        error = weak_table_create(
            h, config->weak_slots_max ? config->weak_slots_max : WEAK_SLOTS_DEFAULT);
    }
    if (!error)
        error = shape_table_create(h, config->shapes_max ? config->shapes_max : SHAPES_DEFAULT);
    if (!error) error = intern_table_create(h, config->intern_bytes_max);
    if (error) {
        heap_destroy(h);
        return error;
    }
    *heap = h;
    return 0;
}

void heap_destroy(struct heap *h)
{
    if (!h) return;
    if (h->walk) heap_walk_end(h->walk);
    external_destroy_all(h);
    oracle_end(h);
    if (h->interns) intern_table_destroy(h);
    if (h->shapes) shape_table_destroy(h);
    if (h->weak) weak_table_destroy(h);
    if (h->base) {
        memory_unpoison(h->base, (size_t)h->page_top * PAGE_BYTES);
        munmap(h->base, h->reserved_bytes);
    }
    free(h);
}

/* --- limits ---------------------------------------------------------------------------------*/

/* What one relief may do, and how many a reservation may ask for: some milliseconds in all. */
#define RELIEF_DROP_WORDS 8192
#define RELIEF_SWEEP_PAGES 512
#define RELIEFS_MAX 16

/* Memory is short: takes some queued garbage apart, sweeps some pages. False when that will not
 * help however often it is done. */
bool heap_relieve(struct heap *h)
{
    size_t dropped = heap_drop_step(h, RELIEF_DROP_WORDS);
    uint64_t before = heap_used_bytes(h);
    bool sweeping = sweep_some(h, RELIEF_SWEEP_PAGES);
    return dropped != 0 || sweeping || heap_used_bytes(h) < before;
}

/* How many pages cells of `bytes` in total can take, at most. A page wastes less than an eighth,
 * and each content and class whose cells fit into `bytes` may have to begin a page. */
static size_t reservation_pages(size_t bytes)
{
    unsigned classes = size_class_of(bytes < CELL_BYTES_MAX ? bytes + 1 : CELL_BYTES_MAX) + 1;
    return bytes / (PAGE_BYTES - PAGE_BYTES / 8) + 1 + (size_t)CONTENT_COUNT * classes;
}

size_t heap_cell_bytes(size_t bytes)
{
    assert(bytes > 0 && bytes <= CELL_BYTES_MAX);
    return (size_t)size_class_granules(size_class_of(bytes)) * GRANULE_BYTES;
}

int heap_reserve(struct heap *h, size_t bytes)
{
    assert(!h->in_reservation);
    if (allocation_fails(h)) return -ENOMEM;
    size_t pages = reservation_pages(bytes);
    for (unsigned reliefs = 0; pages_available(h) < pages; reliefs++)
        if (reliefs == RELIEFS_MAX || !heap_relieve(h)) return -ENOMEM;
    h->in_reservation = true;
    h->watching = true;
    h->reservation_left = bytes;
    return 0;
}

void heap_reserve_end(struct heap *h)
{
    assert(h->in_reservation);
    h->in_reservation = false;
    h->watching = h->fail_nth != 0;
}

void heap_hold_use(struct heap *h, bool use)
{
    h->using_held = use;
    if (use || !h->held_taken) return;
    heap_drop_step(h, 16384);
    allocators_retire_empty(h);
    h->held_taken = pages_unclaimed(h) < h->held_count;
}

void heap_fail_nth(struct heap *h, uint64_t n)
{
    h->fail_nth = n;
    h->watching = n != 0 || h->in_reservation;
}

bool heap_fail_pending(const struct heap *h) { return h->fail_nth != 0; }

/* --- ownership ------------------------------------------------------------------------------*/

value value_share(struct heap *h, value v)
{
    if (!value_is_ref(v) || planted(6)) return v;
    struct plane_group *g = ref_group(h, v);
    uint64_t bit = ref_bit(v);
    debug_assert(g->head & bit);
    if (!(g->shared & bit)) {
        g->shared |= bit;
        h->shared_count++;
    }
    return v;
}

bool value_is_shared(struct heap *h, value v)
{
    return value_is_ref(v) && (ref_group(h, v)->shared & ref_bit(v));
}

size_t value_cell_bytes(const struct heap *h, value v)
{
    return value_is_ref(v) ? page_cell_bytes(ref_page(h, v)) : 0;
}

/* --- roots ----------------------------------------------------------------------------------*/

value heap_root(const struct heap *h, enum heap_root root)
{
    assert(root < ROOT_COUNT);
    return h->roots[root];
}

void heap_root_set_take(struct heap *h, enum heap_root root, value v)
{
    assert(root < ROOT_COUNT);
    value old = h->roots[root];
    store(h, &h->roots[root], v);
    value_release(h, old);
}

void root_frame_open(struct heap *h, struct root_frame *frame)
{
    *frame = (struct root_frame){.next = h->frames, .cycle = h->gc.cycle};
    if (h->frames) h->frames->prev = frame;
    h->frames = frame;
}

void root_frame_touch(struct heap *h, struct root_frame *frame)
{
    if (h->gc.phase == GC_MARK && frame->cycle != h->gc.cycle && !planted(19))
        gc_mark_frame(h, frame);
}

int root_frame_push_take(struct heap *h, struct root_frame *frame, value v)
{
    if (frame->count == frame->capacity) {
        if (allocation_fails(h)) return -ENOMEM;
        size_t capacity = frame->capacity ? frame->capacity * 2 : 8;
        value *slots = realloc(frame->slots, capacity * sizeof *slots);
        if (!slots) return -ENOMEM;
        frame->slots = slots;
        frame->capacity = capacity;
    }
    frame->slots[frame->count++] = v;
    return 0;
}

void root_frame_truncate(struct heap *h, struct root_frame *frame, size_t count)
{
    root_frame_touch(h, frame);
    while (frame->count > count) value_release(h, frame->slots[--frame->count]);
}

void root_frame_close(struct heap *h, struct root_frame *frame)
{
    root_frame_truncate(h, frame, 0);
    if (h->gc.frame_next == frame) h->gc.frame_next = frame->next;
    if (frame->prev)
        frame->prev->next = frame->next;
    else
        h->frames = frame->next;
    if (frame->next) frame->next->prev = frame->prev;
    free(frame->slots);
    *frame = (struct root_frame){0};
}

/* --- figures --------------------------------------------------------------------------------*/

void heap_stats(const struct heap *h, struct heap_stats *stats)
{
    size_t per_page = PAGE_GROUPS * sizeof(struct plane_group) + sizeof(struct page);
    *stats = (struct heap_stats){
        .max_bytes = (size_t)h->page_count * PAGE_BYTES,
        .used_bytes = heap_used_bytes(h),
        .page_bytes = (size_t)(h->page_count - h->free_page_count) * PAGE_BYTES,
        .committed_bytes = (size_t)h->touched_count * PAGE_BYTES,
        .external_bytes = h->external.bytes,
        .metadata_bytes = h->page_top * per_page + weak_table_bytes(h) + intern_table_bytes(h),
        .object_count = heap_object_count(h),
        .shared_count = h->shared_count,
        .shape_count = shape_table_count(h),
        .weak_slot_count = weak_table_count(h),
        .drop_queue_length = h->drop.length,
        .allocations = heap_object_count(h) + h->freed_count,
        .huge_pages = h->huge_pages,
    };
}

size_t heap_max_bytes(const struct heap *h) { return (size_t)h->page_count * PAGE_BYTES; }

size_t heap_available_bytes(const struct heap *h)
{
    uint32_t held = h->using_held ? 0 : h->held_count;
    return h->free_page_count > held ? (size_t)(h->free_page_count - held) * PAGE_BYTES : 0;
}

size_t heap_map(const struct heap *h, size_t first_page, size_t count, char *out)
{
    size_t written = 0;
    for (size_t i = first_page; i < h->page_top && written < count; i++) {
        const struct page *p = &h->pages[i];
        char c = '.';
        if (p->state == PAGE_RUN || p->state == PAGE_RUN_REST)
            c = '=';
        else if (p->state == PAGE_CELLS)
            c = (char)((p->content == CONTENT_CONTAINERS ? 'a' : 'A') +
                       page_live(h, p) * 25 / p->cells);
        out[written++] = c;
    }
    return written;
}
