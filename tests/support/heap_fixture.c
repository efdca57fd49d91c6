/* heap_fixture.c - a heap for one test, verified when the test ends. */
#include "tests/support/heap_fixture.h"

#include <check.h>
#include <stdint.h>

#include "heap/census.h"
#include "heap/gc.h"
#include "heap/verify.h"
#include "tests/support/random.h"

struct heap *heap_fixture_open(size_t max_bytes)
{
    struct heap_config config = {.max_bytes = max_bytes ? max_bytes : (size_t)256 << 20,
                                 .hash_key = "fixed for tests"};
    struct heap *h;
    ck_assert_int_eq(heap_create(&h, &config), 0);
    return h;
}

void heap_fixture_verify(struct heap *h, const char *when)
{
    char message[256];
    ck_assert_msg(heap_verify(h, message, sizeof message) == 0, "%s: %s", when, message);
}

void heap_fixture_close(struct heap *h)
{
    struct heap_stats stats;
    heap_fixture_verify(h, "at the end of the test");
    for (unsigned i = 0; i < ROOT_COUNT; i++) heap_root_set_take(h, (enum heap_root)i, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    gc_collect(h);
    heap_fixture_verify(h, "after everything was given up");
    heap_stats(h, &stats);
    ck_assert_msg(stats.object_count == 0, "%lu objects of %zu bytes leaked", stats.object_count,
                  stats.used_bytes);
    heap_destroy(h);
}

void heap_fixture_jitter(struct heap *h, uint64_t *random)
{
    gc_safe_point(h);
    switch (random_below(random, 16)) {
    case 0: gc_start(h); break;
    case 1: gc_step(h, 1 + random_below(random, 100000)); break;
    case 2: heap_drop_step(h, 1 + random_below(random, 10000)); break;
    case 3:
        if (random_below(random, 20) == 0) heap_fixture_verify(h, "at a random moment");
        break;
    case 4:
    case 5:
    case 6:
    case 7: gc_step(h, 1 + random_below(random, 500)); break;
    default: break;
    }
}

void heap_fixture_reachable(struct heap *h, value root)
{
    struct heap_stats stats;
    int error;
    gc_collect(h);
    gc_collect(h);
    heap_stats(h, &stats);
    struct heap_walk *walk = heap_walk_start(h, root, &error);
    ck_assert_ptr_nonnull(walk);
    while (!heap_walk_step(walk, 100)) {}
    ck_assert_uint_eq(heap_walk_total(walk).count, stats.object_count);
    heap_walk_end(walk);
}

uint64_t heap_fixture_objects(struct heap *h)
{
    struct heap_stats stats;
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    heap_stats(h, &stats);
    return stats.object_count;
}

uint64_t heap_fixture_allocations(struct heap *h)
{
    struct heap_stats stats;
    heap_stats(h, &stats);
    return stats.allocations;
}
