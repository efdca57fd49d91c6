/* heap_int.h - the inside of the heap. Only files of heap/ include it.
 *
 * Address space, reserved once:
 *
 *   data    [page 0][page 1]…            granule 0 of page 0 is never given out, so that
 *                                        no reference has index 0
 *   groups  [group of 64 granules]…      the planes, interleaved: what the collector asks
 *                                        about one cell lies in one half cache line
 *   pages   [descriptor]…
 *
 * The state of a cell is read at its first granule:
 *
 *   HEAD MARK
 *    0    0    tail of a cell, or memory outside of any; or a free cell that is drawn (cell.c)
 *    0    1    free cell
 *    1    0    white: taken, not (yet) marked in this cycle
 *    1    1    black: taken and marked
 *
 * so that sweeping is HEAD' = HEAD & MARK, MARK' = HEAD ^ MARK: black becomes white,
 * white becomes free, free stays free.
 *
 *   GRAY    marked, its words are still to be scanned. Containers only.
 *   SHARED  may have several owners; for good. The collector frees it, nobody else.
 *
 * Equations that hold at every safe point, and that heap_verify checks, per page:
 *   live + popcount(~HEAD & MARK) = cells        live = popcount(HEAD), and what is drawn
 *   GRAY ⊆ HEAD & MARK     SHARED ⊆ HEAD         GRAY ≠ 0 only if queued or under scan
 * and, over all pages, used_bytes = Σ live · cell bytes, object_count = Σ live; where `live` of an
 * active page, and with it the two sums, counts the free cells of its allocator's group as taken:
 * they are counted when the group comes, all at once, and taken back when it is left. Who wants
 * to know them exactly asks page_live, heap_used_bytes and heap_object_count.
 */
#ifndef CAIRN_HEAP_HEAP_INT_H
#define CAIRN_HEAP_HEAP_INT_H

#include <assert.h>
#include <errno.h>

#include "heap/gc.h"
#include "heap/gc_share.h"
#include "heap/heap.h"
#include "heap/plant.h"

/* Costly assertions: only with --enable-debug. assert() itself stays on in releases. */
#ifdef CAIRN_DEBUG
#define debug_assert(condition) assert(condition)
#else
#define debug_assert(condition) ((void)sizeof(condition))
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define GROUP_GRANULES 64
#define PAGE_GROUPS (PAGE_GRANULES / GROUP_GRANULES)
#define SEGMENT_PAGES 128
/* A huge page of the system. Where the heap asked for them, its pages get memory and give it back
 * in whole *ranges*, so that none is split (trim.c). */
#define HUGE_BYTES ((size_t)2 << 20)
#define RANGE_PAGES ((uint32_t)(HUGE_BYTES / PAGE_BYTES))
#define SEGMENT_BYTES ((size_t)SEGMENT_PAGES * PAGE_BYTES)
#define NO_PAGE UINT32_MAX
#define NO_SLOT UINT32_MAX

/* 32 bytes: the planes of 64 granules (1 KiB of data). */
struct plane_group {
    uint64_t head;
    uint64_t mark;
    uint64_t gray;
    uint64_t shared;
};

/* --- size classes -------------------------------------------------------------------
 *
 * 16 to 128 by 16, then four per doubling, then such that whole numbers of cells fill a page: 30,
 * 28 … 16 of them, then 15, 14 … 4, which is CELL_BYTES_MAX. Where a page holds few cells, round
 * sizes would leave up to an eighth of it unused; these leave a hundredth. */
#define PAGE_GRANULES (PAGE_BYTES / GRANULE_BYTES)
#define SIZE_CLASSES_SMALL 8
#ifdef CAIRN_GC_STRESS
#define SIZE_CLASSES_QUARTERS 0
#else
#define SIZE_CLASSES_QUARTERS (4 * 3) /* up to 1 KiB */
#endif
#define SIZE_CLASSES_ROUND (SIZE_CLASSES_SMALL + SIZE_CLASSES_QUARTERS)
#define SIZE_CLASS_COUNT (SIZE_CLASSES_ROUND + 8 + 12)
_Static_assert(CELL_BYTES_MAX == PAGE_BYTES / 4, "four cells of the last class fill a page");
/* The class of cells for `bytes` in 1..CELL_BYTES_MAX, and the granules of a class. */
static inline unsigned size_class_of(size_t bytes)
{
    unsigned granules = (unsigned)((bytes + GRANULE_BYTES - 1) / GRANULE_BYTES);
    if (granules <= 8) return granules - 1;
    if (granules <= PAGE_GRANULES / 32) {
        unsigned log = 31 - (unsigned)__builtin_clz(granules - 1); /* 2^log <= granules-1 */
        return SIZE_CLASSES_SMALL + (log - 3) * 4 + ((granules - 1) >> (log - 2) & 3);
    }
    unsigned cells = PAGE_GRANULES / granules;
    return SIZE_CLASSES_ROUND + (cells >= 16 ? 15 - cells / 2 : 8 + 15 - cells);
}
static inline unsigned size_class_granules(unsigned size_class)
{
    if (size_class < SIZE_CLASSES_SMALL) return size_class + 1;
    if (size_class < SIZE_CLASSES_ROUND) {
        unsigned step = size_class - SIZE_CLASSES_SMALL;
        return (5 + (step & 3)) << (step / 4 + 1);
    }
    unsigned step = size_class - SIZE_CLASSES_ROUND;
    return PAGE_GRANULES / (step < 8 ? 2 * (15 - step) : 15 - (step - 8));
}

/* --- pages ----------------------------------------------------------------------------
 *
 * A page holds cells of one size class and one *content*: one kind of leaf, or
 * containers of any kind. The content tells scanned pages from raw ones. */
#define CONTENT_CONTAINERS KIND_FIRST_CONTAINER
#define CONTENT_COUNT (CONTENT_CONTAINERS + 1)
static inline unsigned kind_content(enum kind kind)
{
    return kind_is_leaf(kind) ? kind : CONTENT_CONTAINERS;
}

enum page_state {
    PAGE_FREE,
    PAGE_CELLS,    /* cells of a size class */
    PAGE_RUN,      /* the first page of a run: one object, headed by its first granule */
    PAGE_RUN_REST, /* a following page of a run */
};

/* Partial pages wait in bins by how full they are; refill takes the fullest. A page in one of the
 * bins below SPARSE_BINS is sparse: compact.c may move its cells elsewhere. */
#define FULLNESS_BINS 8
#define SPARSE_BINS 7

struct page {
    uint8_t state;        /* enum page_state */
    uint8_t size_class;   /* of PAGE_CELLS */
    uint8_t content;      /* a leaf kind, or CONTENT_CONTAINERS */
    uint8_t bin;          /* the fullness bin it is in, FULLNESS_BINS if in none */
    bool gray_queued;     /* in the queue of pages to scan; never the page under scan */
    bool active;          /* the page that its class allocates from: in no bin */
    bool touched;         /* the system has given it memory */
    uint8_t run_pages;    /* of PAGE_RUN */
    uint16_t live;        /* cells taken; of an active page, those that are drawn too */
    uint16_t cells;       /* cells that fit */
    uint16_t cell_granules; /* of PAGE_RUN: 0, see run_pages */
    uint16_t pins;        /* value_pin: of its cells; while there are any, none of them moves */
    uint32_t swept;       /* the cycle whose sweep has passed here */
    uint32_t previous, next; /* in its bin; NO_PAGE at the ends */
    uint32_t gray_next;   /* in the gray queue */
    uint32_t weak_first;  /* slots of the weak table whose targets are here; NO_SLOT */
};

/* Where a class allocates: the page and the free cells of the group under the cursor. Taking a
 * cell is what the heap does most, so all that it needs lies here, ready for use. */
struct allocator {
    uint64_t free;       /* free cells left in `group`; they are *drawn*: counted as taken */
    uint64_t granule;    /* the first of `group` */
    struct plane_group *planes; /* of `group`; NULL: none */
    struct page *descriptor; /* of `page` */
    uint32_t cell_bytes; /* of the class */
    uint32_t page;       /* NO_PAGE: none */
    uint32_t group;      /* index of the group among all groups */
    uint32_t groups_end; /* the page's end */
    uint32_t bins[FULLNESS_BINS]; /* heads of the lists of partial pages */
    uint32_t bin_pages[FULLNESS_BINS]; /* how many pages are in each */
    uint32_t partial_pages; /* in all of them */
    bool compacting;     /* in this cycle, sparse pages of this kind are emptied into others */
} __attribute__((aligned(128))); /* found by a shift; what taking a cell needs is in one line */

#define ALLOCATOR_WORDS ((CONTENT_COUNT * SIZE_CLASS_COUNT + 63) / 64)

/* --- the page allocator: free pages found through a hierarchy of bitmaps -------------- */
struct page_bitmap {
    uint64_t *level[4]; /* level 0: a set bit is a free page; level n+1: a non-zero word */
    uint64_t *pairs;    /* a set bit: that word of level 0 has two free neighbours */
    uint64_t *pairs_summary; /* a non-zero word of `pairs` */
    uint32_t words[4];
    unsigned levels;
};

/* --- the collector -------------------------------------------------------------------- */
struct collector {
    enum gc_phase phase;
    uint32_t cycle;           /* number of the cycle under way or last ended */
    bool enabled;
    size_t threshold;         /* 0: automatic */
    uint32_t gray_first, gray_last; /* queue of pages with gray bits */
    uint32_t gray_page;       /* taken from the queue; its groups below gray_group are done */
    uint32_t gray_group;
    value scan_object;        /* container whose scan was cut, or 0 */
    uint32_t scan_word;       /* where to go on in it */
    struct root_frame *frame_next; /* next frame to look at before marking may end */
    uint32_t drain_next;      /* the table of shapes: the next bucket */
    uint32_t drain_slot;      /* the table of interned strings: the next slot */
    uint32_t sweep_next;      /* pages below are swept */
    uint32_t sweep_end;       /* pages from here on were taken since and need no sweep */
    bool compacting;          /* this cycle moves objects (compact.c) */
    bool compact_always;      /* tests, and the stress build: every cycle does */
    size_t compact_wanted;    /* what this cycle might regain */
    uint64_t compact_moved;   /* stats.moved_bytes when it began */
    size_t unmovable_bytes;   /* what compaction could not regain when it last tried */
    uint64_t marked;          /* objects, this cycle */
    size_t began_used;        /* used_bytes when it began */
    uint64_t began_objects;
    uint64_t cycle_swept_bytes;
    uint64_t debt_bytes;      /* of shared objects that lost an owner since the cycle began */
    bool debt_is_open;        /* a container was among them: what hangs from it is not known */
    uint64_t shape_bytes;     /* of shapes that were made since the cycle began */
    size_t lived_bytes;       /* what was alive when the last ended cycle began */
    size_t mark_growth_last;  /* by how much the heap grew while that one marked */
    struct gc_share share;
    uint64_t work_ns;         /* spent on this cycle */
    uint64_t work_ns_last;    /* spent on the last ended one */
    uint64_t ended_ns;        /* when that was */
    struct gc_stats stats;
};

struct drop_queue {
    value first;        /* containers to take apart, linked through their first words */
    value current;      /* the one being taken apart, or 0; it is not in the list */
    uint32_t word;      /* where to go on in it */
    uint64_t length;
};

/* Large blocks that wait to be used again: external_block.c. */
struct spares {
    struct external_spare *newest;
    size_t bytes;     /* of all; not counted against the limit, and never above it */
    uint64_t used_ns; /* when a large block was last taken or given back */
};

/* Objects that own memory outside of the pages: external.h. */
struct externals {
    struct external *living, *dying; /* lists; the dying wait to be taken apart */
    size_t bytes;                    /* counted against the limit */
    struct spares spares;
};

struct weak_table; /* weak.c */
struct shape_table; /* shape.c */
struct intern_table; /* intern.c */
struct heap_walk; /* walk.c */
struct oracle; /* oracle.c */

struct heap {
    /* Read by every store: marking is under way, or a walk must hear of frees. */
    bool marking;
    bool walking;

    unsigned char *base;
    struct plane_group *groups;
    struct page *pages;
    uint32_t page_count;      /* what max_bytes allows */
    uint32_t page_top;        /* pages from here on were never used */
    size_t reserved_bytes;    /* of address space, for munmap */
    bool huge_pages;          /* the system was asked for them and did not refuse */
    uint32_t free_ranges;     /* then: touched ranges all of whose pages are free */
    struct page_bitmap free_pages;
    uint32_t free_page_count; /* below page_count, never used ones included */
    uint32_t held_count;      /* of them held back */
    bool using_held;          /* allocations may take those too */
    bool held_taken;          /* and have done so */
    uint32_t touched_count;   /* pages that are touched */
    uint32_t touched_free_count; /* of them free */
    uint64_t page_taken_ns;   /* when a page was last taken that was free */
    bool retire_wanted;       /* a page was taken since empty active ones were retired */
    uint32_t ahead_taken;     /* pages taken since heap_ahead looked */
    uint32_t ahead_pages;     /* how many of the lowest free pages are to be touched */
    uint32_t ahead_seen;      /* of these so many are */
    uint32_t ahead_next;      /* the next of them is here, or above */
    uint32_t trim_next;       /* where the search for pages to give back goes on */
    uint64_t *sparse_pages;   /* a bit per page: it is in a bin below SPARSE_BINS */
    uint32_t bin_pages[FULLNESS_BINS]; /* partial pages of all classes, by bin */
    uint32_t partial_classes; /* how many allocators have any */
    uint32_t pinned;          /* heap_pin: nothing moves */
    size_t reservation_left;  /* bytes still promised */
    bool in_reservation;
    bool watching;            /* each allocation must be looked at: one of the next two */
    uint64_t fail_nth;        /* tests: 0, or the n-th allocation fails */

    struct allocator allocators[CONTENT_COUNT][SIZE_CLASS_COUNT];
    uint64_t open_allocators[ALLOCATOR_WORDS]; /* a bit each: it has a page */

    value roots[ROOT_COUNT];
    struct root_frame *frames;
    struct drop_queue drop;
    struct externals external;
    struct collector gc;
    struct weak_table *weak;
    struct shape_table *shapes;
    struct intern_table *interns; /* NULL: strings are not interned */
    struct heap_walk *walk;
    struct heap_walk_turn *walk_line; /* who waits for one, the first first */
    struct oracle *oracle; /* debug builds, while marking */

    uint64_t hash_key[2];
    size_t used_bytes;     /* with what is drawn */
    uint64_t object_count; /* the same */
    uint64_t shared_count;
    uint64_t freed_count;  /* objects, ever */
};

/* --- addresses -------------------------------------------------------------------------*/

static inline void *ref_cell(const struct heap *h, value v)
{
    return h->base + (v >> REF_INDEX_SHIFT) * GRANULE_BYTES;
}
static inline struct plane_group *ref_group(const struct heap *h, value v)
{
    return &h->groups[ref_granule(v) / GROUP_GRANULES];
}
static inline uint64_t ref_bit(value v)
{
    return (uint64_t)1 << (ref_granule(v) % GROUP_GRANULES);
}
static inline uint32_t ref_page_index(value v)
{
    return (uint32_t)(ref_granule(v) / PAGE_GRANULES);
}
static inline struct page *ref_page(const struct heap *h, value v)
{
    return &h->pages[ref_page_index(v)];
}
static inline size_t page_cell_bytes(const struct page *p)
{
    return p->state == PAGE_RUN ? (size_t)p->run_pages * PAGE_BYTES
                                : (size_t)p->cell_granules * GRANULE_BYTES;
}

/* --- between the files of the heap -----------------------------------------------------*/

/* Free pages that external memory does not count against the limit. */
static inline uint32_t pages_unclaimed(const struct heap *h)
{
    uint64_t external = (h->external.bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    return h->free_page_count > external ? h->free_page_count - (uint32_t)external : 0;
}
/* Pages that an allocation may take. */
static inline uint32_t pages_available(const struct heap *h)
{
    uint32_t unclaimed = pages_unclaimed(h);
    if (h->using_held) return unclaimed;
    return unclaimed > h->held_count ? unclaimed - h->held_count : 0;
}

/* cell.c */
uint64_t heap_object_count(const struct heap *h);
/* The cells of a page that are taken. */
unsigned page_live(const struct heap *h, const struct page *p);

/* page.c */
uint32_t page_take(struct heap *h, unsigned count); /* 1 or 2 neighbours; NO_PAGE */
void page_give(struct heap *h, uint32_t page, unsigned count);
/* The lowest free page from `page` on; NO_PAGE also if it is not near. */
uint32_t page_next_free(const struct heap *h, uint32_t page);
void page_bitmap_init(struct page_bitmap *b, uint64_t *words, uint32_t pages);
size_t page_bitmap_bytes(uint32_t pages);

/* trim.c */
/* With huge pages: `page` is about to be taken, or is free again, as its bit says. */
void range_page_take(struct heap *h, uint32_t page);
void range_page_given(struct heap *h, uint32_t page);
bool trim_wanted(const struct heap *h);
/* There is more than an idle heap keeps; in how long it goes back. */
bool trim_wanted_when_idle(const struct heap *h);
uint64_t trim_wait_ns(const struct heap *h);
size_t trim_step(struct heap *h); /* gives some pages back; returns how many it looked at */

/* ahead.c */
/* Asks for the memory of `bytes` at `start`, in whole pages of the system. False: it did not give
 * it, or cannot be asked. */
bool memory_populate(void *start, size_t bytes);

/* heap.c */
bool heap_relieve(struct heap *h);

/* external_block.c */
/* Gives back the oldest spare block; returns its bytes, 0 if there is none. */
size_t external_spares_release(struct heap *h);
/* Gives back those that do not fit below the limits. */
void external_spares_limit(struct heap *h);
/* For heap_verify: 0, or a sentence in `message`. */
int external_spares_verify(const struct heap *h, char *message, size_t size);

/* cell.c */
bool allocation_fails(struct heap *h); /* tests: this one is to fail */
value cell_take_slow(struct heap *h, enum kind kind, uint32_t hash, unsigned size_class);
value run_take(struct heap *h, enum kind kind, uint32_t hash, size_t bytes);
void page_rebin(struct heap *h, uint32_t page); /* its number of live cells changed */
void allocators_init(struct heap *h);
void allocators_retire(struct heap *h); /* puts all active pages back into their bins */
void allocators_retire_empty(struct heap *h); /* those without a live cell: they become free */
/* The sweep has yet to pass this page: its white cells are garbage. */
static inline bool page_unswept(const struct heap *h, const struct page *p)
{
    return h->gc.phase == GC_SWEEP && p->swept != h->gc.cycle;
}

/* For a cell that leaves the page `source`: makes the allocator's `free` non-zero from the active
 * page or another partial one that is no emptier; never from a fresh one. */
bool cell_target_find(struct heap *h, struct allocator *a, uint32_t source);
/* The cell becomes free; counts and planes of its page follow, those of the heap do not. */
void cell_vacate(struct heap *h, value v);
static inline struct allocator *page_allocator(struct heap *h, const struct page *p)
{
    return &h->allocators[p->content][p->size_class];
}

/* compact.c */
size_t compact_regainable_bytes(const struct heap *h);
void compact_begin(struct heap *h, size_t worth_bytes);
void compact_end(struct heap *h);
/* Moves what is behind these slots, where it may and should; returns the words moved. */
size_t compact_slots(struct heap *h, value *const *slots, size_t count);

/* sweep.c */
size_t page_sweep(struct heap *h, uint32_t page); /* returns the plane groups swept */
/* Sweeps up to `count` pages that the sweep has not met. False when none is left. */
bool sweep_some(struct heap *h, uint32_t count);

/* poison.c: debug builds fill free cells and check them when they are taken again; under
 * AddressSanitizer free cells are off limits as well. */
#if defined(CAIRN_DEBUG) || defined(__SANITIZE_ADDRESS__)
void cell_poison(void *cell, size_t bytes);
void cell_unpoison(void *cell, size_t bytes);
bool cell_is_poisoned(void *cell, size_t bytes);
void memory_unpoison(void *memory, size_t bytes); /* whole pages, whatever they held */
void block_poison(void *memory, size_t bytes);
#else
static inline void block_poison(void *memory, size_t bytes) { (void)memory, (void)bytes; }
static inline void memory_unpoison(void *memory, size_t bytes) { (void)memory, (void)bytes; }
static inline void cell_poison(void *cell, size_t bytes) { (void)cell, (void)bytes; }
static inline void cell_unpoison(void *cell, size_t bytes) { (void)cell, (void)bytes; }
#endif

/* gc.c */
void gc_shade(struct heap *h, value v);          /* v is any value */
void gc_regray(struct heap *h, value container);
void gc_forget(struct heap *h, value container); /* it is being freed by its owner */
void gc_shared_released(struct heap *h, value shared);
void gc_mark_frame(struct heap *h, struct root_frame *frame);
void gc_page_queue(struct heap *h, uint32_t page); /* it has gray bits */
/* gc_start(), for a cycle that compacts if that regains so much. */
void gc_begin(struct heap *h, size_t compact_worth_bytes);

/* gc_pace.c */
void gc_shape_made(struct heap *h, size_t bytes);
size_t compact_worth_idle(const struct heap *h);
void gc_pace_cycle_began(struct heap *h);
void gc_pace_marked(struct heap *h);
void gc_pace_cycle_ended(struct heap *h);
void gc_pace_worked(struct heap *h, uint64_t ns, uint64_t now); /* the collector, so long */
uint64_t clock_ns(void);

/* weak.c */
int weak_table_create(struct heap *h, uint32_t slots_max);
void weak_table_destroy(struct heap *h);
uint64_t weak_table_count(const struct heap *h);
size_t weak_table_bytes(const struct heap *h); /* of memory that it has touched */
/* Before a page with slots is swept: white targets die. Only the sweep frees targets, because
 * a target is shared. */
void weak_page_sweep(struct heap *h, uint32_t page);

/* shape.c */
int shape_table_create(struct heap *h, uint32_t shapes_max);
void shape_table_destroy(struct heap *h);
uint64_t shape_table_count(const struct heap *h);
/* Takes unmarked shapes out of buckets [bucket, bucket + count); the next bucket, or 0
 * when the table is done. */
uint32_t shape_table_drain(struct heap *h, uint32_t bucket, uint32_t count);

/* intern.c */
int intern_table_create(struct heap *h, size_t length_max); /* 0: there will be none */
void intern_table_destroy(struct heap *h);
size_t intern_table_bytes(const struct heap *h);
/* Whether the table has `v`, which is shared. */
bool intern_holds(const struct heap *h, value v);
/* Takes unmarked strings out of slots [slot, slot + count); the next slot, or 0 when the table
 * is done. */
uint32_t intern_table_drain(struct heap *h, uint32_t slot, uint32_t count);
/* For the checker: what is in a slot, VALUE_ABSENT after the last; and whether `string`, which is
 * there, belongs there. */
value intern_table_slot(const struct heap *h, uint32_t slot);
bool intern_slot_fits(const struct heap *h, uint32_t slot, value string);

/* verify.c: for what containers and tables say of themselves. Fills `message`; -EINVAL. */
__attribute__((format(printf, 3, 4)))
int verify_fail(char *message, size_t size, const char *format, ...);

/* walk.c: a plane of zeros in address space that takes memory where it is written; NULL if there is
 * none. And cells of `group` whose bits are in `freed` are gone */
void *plane_map(size_t words);
void plane_unmap(void *plane, size_t words);
void heap_walk_freed(struct heap *h, uint64_t group, uint64_t freed);

#endif
