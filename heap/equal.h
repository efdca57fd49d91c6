/* equal.h - equality of values, by content. */
#ifndef CAIRN_HEAP_EQUAL_H
#define CAIRN_HEAP_EQUAL_H

#include "heap/heap.h"

/* Whether two values are equal by content: numbers of the same class bit for bit (so a NaN
 * equals itself, and 1 is not 1.0), texts by bytes and type, lists item by item, maps entry by
 * entry and sets member by member in any order, whatever their representations. Other objects
 * equal themselves only. Looks at no more than `limit` values and KiB of texts, and keeps its own
 * stack, so cycles and depth are harmless.
 * 1 equal, 0 different, -E2BIG when the limit was reached, -ENOMEM. */
warn_unused int value_equal(const struct heap *h, value a, value b, size_t limit);

#endif
