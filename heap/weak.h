/* weak.h - references that do not keep their target.
 *
 * A weak reference is an immediate value: a slot of the weak table and the generation
 * that the slot had. When the target is freed its slot's generation moves on, so that
 * all weak references to it are dead at once and none has to be found. */
#ifndef CAIRN_HEAP_WEAK_H
#define CAIRN_HEAP_WEAK_H

#include "heap/heap.h"

/* A weak reference to the heap object `target` (a reference value). The target becomes
 * shared. VALUE_ABSENT if the table is full (heap_config.weak_slots_max). */
warn_unused value weak_make(struct heap *h, value target);

/* The target, or nil if it is gone. Borrowed; the target is kept through the cycle
 * under way (a read shades). */
value weak_read(struct heap *h, value weak);

#endif
