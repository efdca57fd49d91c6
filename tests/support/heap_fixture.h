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

#endif
