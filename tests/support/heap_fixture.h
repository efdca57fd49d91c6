/* heap_fixture.h - a heap for one test, verified when the test ends. */
#ifndef CAIRN_TESTS_HEAP_FIXTURE_H
#define CAIRN_TESTS_HEAP_FIXTURE_H

#include "heap/heap.h"

/* A heap of `max_bytes` (0: 256 MiB) with a fixed hash key. Ends the test on failure. */
struct heap *heap_fixture_open(size_t max_bytes);

/* Verifies the heap; ends the test with what is wrong. `when` says where in the test. */
void heap_fixture_verify(struct heap *h, const char *when);

/* Verifies, then gives up all roots, takes the drop queue apart, collects, and checks that
 * nothing is left: what remains has leaked. Then destroys the heap. Frames must be closed. */
void heap_fixture_close(struct heap *h);

/* A safe point at which the collector does something at random: begins a cycle, steps of
 * any size, drop queue steps; now and then the heap is verified. What is not in a root or a
 * frame may be gone. */
void heap_fixture_jitter(struct heap *h, uint64_t *random);

/* Collects, and checks that what is left is what a walk from `root`, the only one, can reach. */
void heap_fixture_reachable(struct heap *h, value root);

/* The cells that are taken, after the drop queue was taken apart. */
uint64_t heap_fixture_objects(struct heap *h);
/* The cells that were ever taken. */
uint64_t heap_fixture_allocations(struct heap *h);

#endif
