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
 * planes of its own; what is freed meanwhile is left out. One at a time per heap. Who can wait for
 * it stands in a line, so that others who come all the time do not keep it from its turn. */
struct heap_walk;
/* NULL with *error -EBUSY if one is under way or somebody waits for one, or -ENOMEM. */
struct heap_walk *heap_walk_start(struct heap *h, value from, int *error);
/* A place in the line, storage of the caller; all zeros: in none. */
struct heap_walk_turn {
    struct heap_walk_turn *next;
    bool waits;
};
/* The same for who waits: with -EBUSY `turn` is in the line, and stays where it is until this
 * returns something else, or heap_walk_turn_leave. */
struct heap_walk *heap_walk_await(struct heap *h, value from, struct heap_walk_turn *turn,
                                  int *error);
void heap_walk_turn_leave(struct heap *h, struct heap_walk_turn *turn);
/* Looks at about `words` words; true when done. */
bool heap_walk_step(struct heap_walk *w, size_t words);
struct census_row heap_walk_total(const struct heap_walk *w);
void heap_walk_end(struct heap_walk *w);

#endif
