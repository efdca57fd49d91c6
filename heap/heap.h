/* heap.h - the heap as its users see it.
 *
 * One process has one shared heap of values (value.h). It must hold tens of
 * millions of small objects for months: so cells of one size share a page, the
 * state of a cell lies outside it, free memory is found by counting bits, and a
 * collector (gc.h) works in steps between events. One thread owns a heap.
 *
 * Vocabulary, used alike everywhere:
 *
 *   granule   16 bytes, the unit of the heap's addresses
 *   cell      one object: a whole number of granules of one size class
 *   page      32 KiB that hold cells of one size class, either leaves or
 *             containers; its descriptor and its planes lie outside it
 *   run       one or two whole pages that hold one object above CELL_BYTES_MAX
 *   segment   128 pages (4 MiB): what is asked of and given back to the system
 *   plane     one bit per granule: HEAD, MARK, GRAY, SHARED (heap_int.h)
 *   chunk     a cell that holds a part of a large container
 *   shape     the sequence of field names that alike records share
 *   frame     values that C code holds across events (struct root_frame)
 *   safe point  a moment between two commands: only there does the collector step
 *
 * Ownership. A fresh object has one owner: whoever holds the value. Functions whose
 * name ends in `_take` consume the value that they are given if they succeed and
 * leave it with the caller if they fail. Storing a value in a second place needs
 * value_share() first. A value whose one owner gives it up goes to value_release().
 * Between two safe points, C code may hold borrowed values freely.
 *
 * Errors are negative errno numbers; functions that make a value return
 * VALUE_ABSENT when memory is short, and have then changed nothing. */
#ifndef CAIRN_HEAP_HEAP_H
#define CAIRN_HEAP_HEAP_H

#include "heap/value.h"

#define GRANULE_BYTES 16

#ifdef CAIRN_GC_STRESS /* tiny pages and cells: every tree is deep, every page turns over */
#define PAGE_BYTES 4096
#define CELL_BYTES_MAX 1024
#else
#define PAGE_BYTES 32768
#define CELL_BYTES_MAX 8192
#endif
/* The largest object of one piece; above it everything is made of chunks. */
#define OBJECT_BYTES_MAX ((size_t)2 * PAGE_BYTES)
/* How many values the largest cell holds. */
#define CELL_VALUES_MAX (CELL_BYTES_MAX / sizeof(value))

#define warn_unused __attribute__((warn_unused_result))

struct heap;

struct heap_config {
    size_t max_bytes;          /* hard limit on pages in use; rounded up to a segment */
    unsigned char hash_key[16]; /* random per server: keys of clients must not collide */
    uint32_t shapes_max;       /* shapes alive at once; 0: the default */
    uint32_t weak_slots_max;   /* targets of weak references; 0: the default */
    uint32_t intern_bytes_max; /* of strings that are interned: intern.h; 0: none */
    bool huge_pages;           /* asks the system for huge pages; heap_stats says if it agreed */
};

/* Makes a heap. The address space for `max_bytes` and everything that the collector
 * will need are reserved here. 0, -ENOMEM, or -EINVAL for a limit out of range.
 * The caller owns *heap and ends it with heap_destroy. */
warn_unused int heap_create(struct heap **heap, const struct heap_config *config);
void heap_destroy(struct heap *h);

/* --- ownership --------------------------------------------------------------------*/

/* Marks the object behind `v` as having, from now on, possibly several owners. No
 * effect on values that are not references. Returns `v`. */
value value_share(struct heap *h, value v);
bool value_is_shared(struct heap *h, value v);

/* The owner of `v` gives it up. A leaf that is not shared is freed now; a container
 * that is not shared is queued and taken apart by heap_drop_step; what is shared is
 * left to the collector. Never fails, takes constant time. */
void value_release(struct heap *h, value v);

/* Takes queued garbage apart, about `words` words of it. Returns the words looked at;
 * 0 when nothing is queued. */
size_t heap_drop_step(struct heap *h, size_t words);
bool heap_drop_pending(const struct heap *h);

/* Objects move (compact.c): at a safe point, one that is not shared and whose one reference is in
 * a container may get another place. So a borrowed value is valid until the next safe point; what
 * C code holds longer lies in a root or a frame, is shared, or is pinned. Between heap_pin and
 * heap_unpin, which nest, nothing moves; so they are for work of ours that ends soon. Between
 * value_pin and value_unpin the object does not move, nor what shares its page; it must not be
 * freed meanwhile, and be pinned once only. */
void heap_pin(struct heap *h);
void heap_unpin(struct heap *h);
void value_pin(struct heap *h, value v);
void value_unpin(struct heap *h, value v);

/* --- roots ------------------------------------------------------------------------*/

enum heap_root { ROOT_KEYS, ROOT_HANDLES, ROOT_COUNT };

/* A root holds one value, nil at first. Borrowed. */
value heap_root(const struct heap *h, enum heap_root root);
/* Replaces a root; the old value is released. */
void heap_root_set_take(struct heap *h, enum heap_root root, value v);

/* Values that C code holds across safe points (a half-decoded message). The owner may
 * read and write slots[0..count) between root_frame_touch and the next safe point.
 *
 * The collector scans a frame once a cycle: when its owner touches it, or at the
 * latest before marking ends. That is as good as scanning all frames at the start,
 * because only the owner changes a frame, and it touches it first. A frame is scanned and
 * released in one go, so it should hold some thousands of values at most. */
struct root_frame {
    value *slots;
    size_t count;
    size_t capacity;
    struct root_frame *prev, *next;
    uint32_t cycle; /* the last cycle in which it was scanned */
};
void root_frame_open(struct heap *h, struct root_frame *frame);
/* Releases the values that the frame still holds. */
void root_frame_close(struct heap *h, struct root_frame *frame);
/* Must precede any use of the slots after a safe point. */
void root_frame_touch(struct heap *h, struct root_frame *frame);
/* Adds a value, growing the slots. 0 or -ENOMEM (then the caller still owns `v`). */
warn_unused int root_frame_push_take(struct heap *h, struct root_frame *frame, value v);
/* Releases slots[count..) down to `count` values. */
void root_frame_truncate(struct heap *h, struct root_frame *frame, size_t count);

/* --- memory -------------------------------------------------------------------------*/

/* The bytes of the cell that an object of `bytes` (1..CELL_BYTES_MAX) takes. */
size_t heap_cell_bytes(size_t bytes);

/* Reserve before change: after heap_reserve succeeded, allocations of cells (not of runs) of
 * `bytes` in total cannot fail until heap_reserve_end. What counts are the bytes of the cells:
 * callers add up heap_cell_bytes. It may refuse while some ten MiB are still free, as each kind
 * and size may need a page of its own. 0 or -ENOMEM.
 * Reservations do not nest and must end before the next safe point. */
warn_unused int heap_reserve(struct heap *h, size_t bytes);
void heap_reserve_end(struct heap *h);

/* A hundredth of the heap (16 to 256 pages) is held back, so that a full heap can still be read
 * and emptied: the parameters of such a request need some cells too, for a moment. Between
 * heap_hold_use(h, true) and heap_hold_use(h, false) allocations may take what is held back; what
 * they took must be released before the second, which gives empty pages back. */
void heap_hold_use(struct heap *h, bool use);

/* Tests only: the n-th allocation or reservation from now on fails, once (0: none).
 * Inside a reservation nothing fails. heap_fail_pending tells whether it is still to come. */
void heap_fail_nth(struct heap *h, uint64_t n);
bool heap_fail_pending(const struct heap *h);

struct heap_stats {
    size_t max_bytes;       /* the hard limit */
    size_t used_bytes;      /* in cells and runs that are taken */
    size_t page_bytes;      /* in pages that are taken */
    size_t committed_bytes; /* in pages that hold memory of the system, taken or free */
    size_t external_bytes;  /* outside of pages, owned by tables; part of max_bytes */
    size_t metadata_bytes;  /* planes and descriptors of the pages that were ever taken, and the
                               tables of weak references and of interned strings; not part of
                               max_bytes */
    uint64_t object_count;  /* cells taken */
    uint64_t shared_count;  /* of them shared */
    uint64_t shape_count;
    uint64_t weak_slot_count;
    uint64_t drop_queue_length; /* containers waiting to be taken apart */
    uint64_t allocations;       /* cells ever taken */
    bool huge_pages;            /* the system was asked for them and did not refuse */
};
void heap_stats(const struct heap *h, struct heap_stats *stats);
/* Three of them by themselves, for those who ask often. Available is what pages can still be had,
 * in bytes, without those that are held back. */
size_t heap_max_bytes(const struct heap *h);
size_t heap_used_bytes(const struct heap *h);
size_t heap_available_bytes(const struct heap *h);

/* Bytes of the cell behind `v`, 0 if `v` is not a reference into the heap. */
size_t value_cell_bytes(const struct heap *h, value v);

/* A keyed 64-bit hash (SipHash-1-3, Aumasson and Bernstein 2012) under the heap's key. */
uint64_t heap_hash(const struct heap *h, const void *data, size_t length);

/* One character per page from `first_page` on, at most `count`, without a terminating
 * zero: '.' free, 'a'-'z' and 'A'-'Z' by how full ('a' nearly empty … 'z' full; capitals
 * for leaves), '=' a run. Returns how many were written; fewer than `count` at the end. */
size_t heap_map(const struct heap *h, size_t first_page, size_t count, char *out);

#endif
