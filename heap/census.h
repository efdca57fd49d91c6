/* census.h - who uses the memory: tasks that look at the heap in steps. */
#ifndef CAIRN_HEAP_CENSUS_H
#define CAIRN_HEAP_CENSUS_H

#include "heap/heap.h"

struct census_row {
    uint64_t count; /* objects */
    uint64_t bytes; /* of their cells */
};

/* By kind, page by page. Objects that come and go meanwhile may or may not be counted. */
struct census {
    size_t next_page;
    struct census_row by_kind[KIND_COUNT];
    struct census_row dropped; /* containers that wait to be taken apart */
};
void census_init(struct census *c);
/* Looks at about `pages` pages; true when done. */
bool census_step(const struct heap *h, struct census *c, size_t pages);

/* Deep size: everything reachable from a value, each object once. Works in steps on
 * planes of its own; what is freed meanwhile is left out. One at a time per heap. */
struct heap_walk;
/* NULL with *error -EBUSY if one is under way, or -ENOMEM. */
struct heap_walk *heap_walk_start(struct heap *h, value from, int *error);
/* Looks at about `words` words; true when done. */
bool heap_walk_step(struct heap_walk *w, size_t words);
struct census_row heap_walk_total(const struct heap_walk *w);
void heap_walk_end(struct heap_walk *w);

#endif
