/* list.h - lists: indexable, growing at both ends.
 *
 * The root cell (KIND_LIST) is the list's identity and never moves. A short list has its
 * items in the root; a longer one is a counted B+ tree of chunks under it, so that index,
 * insert, remove and slice anywhere take O(log n), and no operation moves more than a few
 * chunks. A chunk whose items are all small integers keeps them in 1, 2 or 4 bytes each, or
 * in 7 if they are doubles of about one size, which callers do not see, but for this:
 * list_set_take may need memory. */
#ifndef CAIRN_HEAP_LIST_H
#define CAIRN_HEAP_LIST_H

#include "heap/heap.h"

warn_unused value list_new(struct heap *h);
/* A list of the `count` values at `items`, which it consumes. On failure VALUE_ABSENT,
 * and the caller still owns them. `items` is C memory. */
warn_unused value list_from_take(struct heap *h, const value *items, size_t count);

size_t list_length(const struct heap *h, value list);

/* The item at `index` < length. Borrowed. */
value list_get(const struct heap *h, value list, size_t index);

/* Copies items from `index` on to `out`, at most `count` and up to the end; returns how
 * many. Borrowed. O(log n + count). */
size_t list_read(const struct heap *h, value list, size_t index, value *out, size_t count);

/* Replaces the item at `index` < length; the old one is released. 0 or -ENOMEM. */
warn_unused int list_set_take(struct heap *h, value list, size_t index, value item);

/* Sees to it that list_set_take of `item` at `index` < length needs no memory, until items are
 * inserted or removed. The item stays the caller's, and what the list holds as it is. 0 or
 * -ENOMEM. */
warn_unused int list_set_ready(struct heap *h, value list, size_t index, value item);

/* Inserts before `index` <= length (length: at the end). All or nothing: 0 or -ENOMEM. */
warn_unused int list_insert_take(struct heap *h, value list, size_t index,
                                 const value *items, size_t count);
static inline int list_push_take(struct heap *h, value list, value item)
{
    return list_insert_take(h, list, list_length(h, list), &item, 1);
}

/* Removes `count` items from `index` on. They go to `out` (the caller then owns them), or
 * are released if `out` is NULL. Never fails for want of memory. */
void list_remove(struct heap *h, value list, size_t index, size_t count, value *out);

#endif
