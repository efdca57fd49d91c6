/* verify.h - the whole-heap checker. For tests, cairn-check and debugging; it stops the
 * world and takes time proportional to the heap. */
#ifndef CAIRN_HEAP_VERIFY_H
#define CAIRN_HEAP_VERIFY_H

#include "heap/heap.h"

/* Checks that planes are legal for every page, that every reference in a live container
 * hits the head of a cell of its kind, that what is reachable twice is marked shared, that
 * free cells are poisoned (debug builds), that counters equal popcounts, and that the
 * collector's invariant holds for the phase it is in. 0, or -EINVAL with a sentence in
 * `message` (always terminated). */
warn_unused int heap_verify(struct heap *h, char *message, size_t size);

/* After marking: marks again from scratch and checks that everything reachable is marked
 * (the shadow mark). Runs by itself at the end of marking in debug builds. */
warn_unused int heap_shadow_mark(struct heap *h, char *message, size_t size);

#endif
