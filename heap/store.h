/* store.h - the chokepoint: every change to a heap page goes through these functions.
 *
 * While marking is under way a store first shades the reference that it overwrites
 * (the deletion barrier of snapshot-at-the-beginning), so that everything reachable when
 * the cycle began is marked, whatever happens to the path that led there. A cell that is
 * filled with references *moved* from elsewhere is put back on the gray list
 * (cell_moved_in), because newborn cells are black and are not scanned.
 *
 * Container cells hold values only; they come filled with nil. Leaf cells come as they
 * are. The first word of a container is its header: cell_header(kind, payload), an integer
 * value; or, for records, a reference to a shape. */
#ifndef CAIRN_HEAP_STORE_H
#define CAIRN_HEAP_STORE_H

#include "heap/heap_int.h"

/* --- cells ------------------------------------------------------------------------------*/

/* Takes the lowest free cell of the allocator's group: a->free must not be 0. Black or white. It is
 * counted already. Returns its granule. */
static inline uint64_t cell_claim(struct allocator *a, bool black)
{
    uint64_t bit = a->free & -a->free;
    struct plane_group *g = a->planes;
    a->free ^= bit;
    g->head |= bit;
    if (unlikely(black)) g->mark |= bit;
    return a->granule + (unsigned)__builtin_ctzl(bit);
}

static inline value cell_take_from(struct heap *h, struct allocator *a, enum kind kind,
                                   uint32_t hash)
{
    /* While marking newborns are black. */
    value v = ref_make(kind, cell_claim(a, h->marking && !planted(1)), hash);
    void *cell = ref_cell(h, v);
    cell_unpoison(cell, a->cell_bytes);
    if (!kind_is_leaf(kind)) memset(cell, 0, a->cell_bytes);
    return v;
}

/* Takes a cell of at least `bytes` (1..OBJECT_BYTES_MAX). A container's cell is filled with
 * nil. `hash` are the hash bits that the reference carries (0 for containers). The object
 * is unshared and the caller's. VALUE_ABSENT when memory is short. */
warn_unused static inline value cell_take(struct heap *h, enum kind kind, size_t bytes,
                                          uint32_t hash)
{
    debug_assert(bytes > 0 && bytes <= OBJECT_BYTES_MAX);
    if (unlikely(bytes > CELL_BYTES_MAX)) return run_take(h, kind, hash, bytes);
    unsigned size_class = size_class_of(bytes);
    struct allocator *a = &h->allocators[kind_content(kind)][size_class];
    if (unlikely(a->free == 0 || h->watching)) return cell_take_slow(h, kind, hash, size_class);
    return cell_take_from(h, a, kind, hash);
}

/* Frees one unshared cell, and not what it refers to. Never fails. */
void cell_free(struct heap *h, value v);

/* The words of a container, valid until the next safe point or until it is freed. Write to
 * them only through the functions below. */
static inline value *cell_words(const struct heap *h, value v) { return ref_cell(h, v); }
/* How many words the container's cell has. */
static inline size_t cell_word_count(const struct heap *h, value v)
{
    return page_cell_bytes(ref_page(h, v)) / sizeof(value);
}
/* The bytes of a leaf, to read. */
static inline const void *cell_bytes(const struct heap *h, value v) { return ref_cell(h, v); }

/* --- headers ------------------------------------------------------------------------------*/

static inline value cell_header(enum kind kind, uint64_t payload)
{
    return value_int((int64_t)(payload << 5 | kind));
}
/* `payload` has up to 57 bits. */
static inline uint64_t header_payload(value header) { return header >> 6; }
static inline enum kind header_kind(value header) { return (enum kind)(header >> 1 & 31); }

/* --- stores -------------------------------------------------------------------------------*/

/* Overwrites a slot of a container. Ownership of `v` passes to the slot; what was there is
 * the caller's to release. */
static inline void store(struct heap *h, value *slot, value v)
{
    debug_assert(!value_is_view(v));
    if (unlikely(h->marking) && !planted(2)) gc_shade(h, *slot);
    *slot = v;
}

/* Fills a slot of a cell that was taken since the last safe point and is not yet reachable,
 * with a value that is as new, or that is not a reference. */
static inline void store_new(value *slot, value v)
{
    debug_assert(!value_is_view(v));
    *slot = v;
}

/* Must follow when references that were already in the heap were moved into `container`,
 * or moved around inside it (memmove), by other means than store(). */
static inline void cell_moved_in_for(struct heap *h, value container, enum moved why)
{
    if (unlikely(h->marking) && !planted(MOVED) && !planted(why)) gc_regray(h, container);
}
static inline void cell_moved_in(struct heap *h, value container)
{
    cell_moved_in_for(h, container, MOVED);
}

/* Moves words inside a container, or from one container into another that the caller
 * then passes to cell_moved_in. Overwritten values must have been taken care of. */
static inline void store_move(value *to, const value *from, size_t count)
{
    memmove(to, from, count * sizeof *to);
}

/* The object behind a slot has moved: the same value, elsewhere. */
static inline void store_moved(value *slot, value v) { *slot = v; }

/* Writes the bytes of a leaf. */
static inline void store_bytes(struct heap *h, value leaf, size_t offset, const void *data,
                               size_t length)
{
    memcpy((unsigned char *)ref_cell(h, leaf) + offset, data, length);
}
/* A leaf's bytes, to be written in place by code that knows its layout. */
static inline void *store_raw(struct heap *h, value leaf)
{
    return ref_cell(h, leaf);
}

#endif
