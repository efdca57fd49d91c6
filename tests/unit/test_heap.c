/* test_heap.c - cells, pages, runs, ownership, limits, and the collector on graphs that are
 * made of bare cells. */
#include <sys/mman.h>

#include "heap/census.h"
#include "heap/gc.h"
#include "heap/verify.h"
#include "heap/weak.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/nodes.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

START_TEST(size_classes_waste_less_than_a_quarter)
{
    for (size_t bytes = 1; bytes <= CELL_BYTES_MAX; bytes++) {
        unsigned c = size_class_of(bytes);
        size_t cell = (size_t)size_class_granules(c) * GRANULE_BYTES;
        ck_assert_uint_lt(c, SIZE_CLASS_COUNT);
        ck_assert_uint_ge(cell, bytes);
        if (bytes > 128) ck_assert_uint_lt(cell - bytes, bytes / 4 + GRANULE_BYTES);
        if (c > 0) ck_assert_uint_lt((size_t)size_class_granules(c - 1) * GRANULE_BYTES, bytes);
    }
}
END_TEST

START_TEST(cells_are_aligned_distinct_and_nil)
{
    struct heap *h = heap_fixture_open(0);
    value list = node_new(h, 100);
    heap_root_set_take(h, ROOT_KEYS, list);
    for (unsigned i = 0; i < 100; i++) {
        value cell = node_new(h, i);
        ck_assert(cell != VALUE_ABSENT && !value_is_shared(h, cell));
        for (unsigned j = 0; j < i; j++) ck_assert_uint_eq(*node_slot(h, cell, j), VALUE_NIL);
        for (unsigned j = 0; j < i; j++) ck_assert_uint_ne(*node_slot(h, list, j), cell);
        node_set(h, list, i, cell);
    }
    ck_assert_uint_eq(object_count(h), 101);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_released_leaf_is_free_at_once_and_its_cell_comes_again)
{
    struct heap *h = heap_fixture_open(0);
    value leaf = cell_take(h, KIND_STRING, 24, 0);
    size_t used = value_cell_bytes(h, leaf);
    ck_assert_uint_eq(used, 32);
    value_release(h, leaf);
    ck_assert_uint_eq(object_count(h), 0);
    ck_assert(!heap_drop_pending(h));
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_released_container_is_taken_apart_in_steps)
{
    struct heap *h = heap_fixture_open(0);
    value outer = node_new(h, 50);
    for (unsigned i = 0; i < 50; i++) {
        value inner = node_new(h, 20);
        for (unsigned j = 0; j < 20; j++) node_set(h, inner, j, cell_take(h, KIND_BYTES, 40, 0));
        node_set(h, outer, i, inner);
    }
    ck_assert_uint_eq(object_count(h), 1 + 50 + 50 * 20);
    value_release(h, outer);
    ck_assert_uint_eq(object_count(h), 1 + 50 + 50 * 20);
    size_t steps = 0;
    while (heap_drop_pending(h)) {
        ck_assert_uint_le(heap_drop_step(h, 10), 10);
        if (++steps % 10 == 0) heap_fixture_verify(h, "between drop steps");
    }
    ck_assert_uint_gt(steps, 100);
    ck_assert_uint_eq(object_count(h), 0);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_shared_object_outlives_its_first_owner_and_not_its_last)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 2), child = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    node_set(h, root, 0, child);
    node_set(h, root, 1, value_share(h, child));
    node_set(h, root, 0, VALUE_NIL);
    gc_collect(h);
    ck_assert_uint_eq(object_count(h), 2);
    node_set(h, root, 1, VALUE_NIL);
    ck_assert_uint_eq(object_count(h), 2); /* only the collector may */
    gc_collect(h);
    ck_assert_uint_eq(object_count(h), 1);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_cycle_is_collected)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 1), a = node_new(h, 1), b = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    node_set(h, a, 0, b);
    node_set(h, b, 0, value_share(h, a));
    node_set(h, root, 0, a);
    gc_collect(h);
    ck_assert_uint_eq(object_count(h), 3);
    node_set(h, root, 0, VALUE_NIL);
    size_t freed = gc_collect(h);
    ck_assert_uint_eq(freed, 2 * 16);
    ck_assert_uint_eq(object_count(h), 1);
    heap_fixture_close(h);
}
END_TEST

START_TEST(runs_hold_large_leaves)
{
    struct heap *h = heap_fixture_open(0);
    value small = cell_take(h, KIND_STRING, 16, 0);
    value one = cell_take(h, KIND_EXT, CELL_BYTES_MAX + 1, 0);
    value two = cell_take(h, KIND_EXT, OBJECT_BYTES_MAX, 0);
    ck_assert_uint_eq(value_cell_bytes(h, one), PAGE_BYTES);
    ck_assert_uint_eq(value_cell_bytes(h, two), 2 * PAGE_BYTES);
    memset(store_raw(h, two), 'x', OBJECT_BYTES_MAX);
    memset(store_raw(h, one), 'y', PAGE_BYTES);
    heap_fixture_verify(h, "with runs");
    value root = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    node_set(h, root, 0, value_share(h, two));
    gc_collect(h); /* `one` and `small` are not reachable, though owned: they go */
    ck_assert_uint_eq(object_count(h), 2);
    (void)small;
    heap_fixture_close(h);
}
END_TEST

START_TEST(memory_ends_with_an_error_and_comes_back)
{
    struct heap *h = heap_fixture_open((size_t)16 << 20);
    struct heap_stats stats;
    heap_stats(h, &stats);
    value root = node_new(h, 100);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (int round = 0; round < 3; round++) {
        value first = VALUE_NIL;
        size_t taken = 0;
        for (;;) {
            value cell = node_new(h, 60);
            if (cell == VALUE_ABSENT) break;
            store_new(node_slot(h, cell, 0), first);
            first = cell;
            taken += value_cell_bytes(h, cell);
        }
        ck_assert_uint_gt(taken, stats.max_bytes * 8 / 10);
        ck_assert_uint_eq(taken / 512 + 1, object_count(h));
        node_set(h, root, 0, first);
        gc_collect(h); /* the collector finishes with no free page */
        ck_assert_uint_eq(taken / 512 + 1, object_count(h));
        ck_assert_int_eq(heap_reserve(h, 100000), -ENOMEM);
        node_set(h, root, 0, VALUE_NIL);
        /* A reservation takes some of the queue apart; not all of it, as that may be long. */
        for (unsigned tries = 0; heap_reserve(h, 100000) != 0; tries++) {
            ck_assert(heap_drop_pending(h));
            ck_assert_uint_lt(tries, 100);
        }
        heap_reserve_end(h);
        while (heap_drop_pending(h)) heap_drop_step(h, 1000);
        ck_assert_uint_eq(object_count(h), 1);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(granule_zero_is_never_given_out)
{
    struct heap *h = heap_fixture_open(0);
    value run = cell_take(h, KIND_EXT, OBJECT_BYTES_MAX, 0);
    ck_assert_uint_gt(ref_granule(run), 0);
    heap_root_set_take(h, ROOT_KEYS, run);
    heap_fixture_verify(h, "with a run as the first object");
    heap_fixture_close(h);
}
END_TEST

/* The lower half of the heap is live, the upper half garbage that the sweep has yet to meet. */
START_TEST(memory_is_not_short_while_the_sweep_would_find_some)
{
    struct heap *h = heap_fixture_open((size_t)16 << 20);
    const unsigned slots = CELL_VALUES_MAX - 1;
    value live = VALUE_NIL, rest = VALUE_NIL;
    for (uint64_t i = 0;; i++) {
        value node = node_new(h, slots);
        if (node == VALUE_ABSENT) break;
        bool lower = i < ((size_t)8 << 20) / CELL_BYTES_MAX;
        store_new(node_slot(h, node, 0), lower ? live : rest);
        *(lower ? &live : &rest) = lower ? node : value_share(h, node);
    }
    heap_root_set_take(h, ROOT_KEYS, live);
    gc_start(h);
    while (gc_phase(h) != GC_SWEEP) gc_step(h, 1000);
    for (unsigned i = 0; i < 100; i++) {
        value node = node_new(h, slots);
        ck_assert_uint_ne(node, VALUE_ABSENT);
        value_release(h, node);
    }
    while (gc_phase(h) != GC_IDLE || heap_drop_pending(h)) gc_step(h, 1000);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_reservation_of_small_cells_holds_what_it_promises)
{
    struct heap *h = heap_fixture_open((size_t)16 << 20);
    struct root_frame frame;
    const size_t count = 500;
    root_frame_open(h, &frame);
    ck_assert_int_eq(heap_reserve(h, count * heap_cell_bytes(8)), 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(
            root_frame_push_take(h, &frame, cell_take(h, KIND_DOUBLE, 8, 0)), 0);
    heap_reserve_end(h);
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_nth_allocation_fails_outside_of_reservations_only)
{
    struct heap *h = heap_fixture_open(0);
    heap_fail_nth(h, 2);
    value a = cell_take(h, KIND_BYTES, 16, 0);
    ck_assert(a != VALUE_ABSENT && heap_fail_pending(h));
    ck_assert(cell_take(h, KIND_BYTES, 16, 0) == VALUE_ABSENT);
    ck_assert(!heap_fail_pending(h));
    ck_assert_int_eq(heap_reserve(h, 64), 0);
    heap_fail_nth(h, 1);
    value b = cell_take(h, KIND_BYTES, 16, 0);
    ck_assert(b != VALUE_ABSENT);
    heap_reserve_end(h);
    ck_assert_int_eq(heap_reserve(h, 64), -ENOMEM);
    value_release(h, a);
    value_release(h, b);
    heap_fixture_close(h);
}
END_TEST

START_TEST(weak_references_die_with_their_target)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 3), target = node_new(h, 4);
    heap_root_set_take(h, ROOT_KEYS, root);
    node_set(h, root, 0, target);
    value weak = weak_make(h, target), again = weak_make(h, target);
    ck_assert(value_is_weak(weak));
    ck_assert_uint_eq(weak, again);
    node_set(h, root, 1, weak);
    gc_collect(h);
    ck_assert_uint_eq(weak_read(h, weak), target);
    node_set(h, root, 0, VALUE_NIL);
    ck_assert_uint_eq(weak_read(h, weak), target);
    gc_collect(h);
    ck_assert_uint_eq(weak_read(h, weak), VALUE_NIL);
    value other = node_new(h, 4);
    node_set(h, root, 0, other);
    value second = weak_make(h, other); /* takes the slot again, with another generation */
    ck_assert_uint_ne(second, weak);
    ck_assert_uint_eq(weak_read(h, weak), VALUE_NIL);
    ck_assert_uint_eq(weak_read(h, second), other);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_weak_read_while_marking_keeps_the_target)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 3), target = node_new(h, 4);
    heap_root_set_take(h, ROOT_KEYS, root);
    value weak = weak_make(h, target); /* nobody else refers to the target */
    gc_start(h);
    while (gc_phase(h) == GC_MARK && *node_slot(h, root, 0) == VALUE_NIL) {
        value got = weak_read(h, weak);
        ck_assert_uint_eq(got, target);
        gc_step(h, 1);
        node_set(h, root, 0, got);
    }
    while (gc_phase(h) != GC_IDLE) gc_step(h, 1);
    heap_fixture_verify(h, "after the cycle");
    ck_assert_uint_eq(weak_read(h, weak), target);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_target_that_marking_missed_reads_as_dead_before_it_is_swept)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 3), target = node_new(h, 4);
    heap_root_set_take(h, ROOT_KEYS, root);
    value weak = weak_make(h, target);
    gc_start(h);
    while (gc_phase(h) == GC_MARK) gc_step(h, 1);
    ck_assert_uint_eq(weak_read(h, weak), VALUE_NIL);
    while (gc_phase(h) != GC_IDLE) gc_step(h, 1);
    ck_assert_uint_eq(weak_read(h, weak), VALUE_NIL);
    heap_fixture_close(h);
}
END_TEST

START_TEST(what_the_drop_queue_lets_go_while_marking_stays_with_its_other_owner)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 2), outer = node_new(h, 1), inner = node_new(h, 1);
    value kept = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    node_set(h, root, 0, outer);
    node_set(h, outer, 0, inner);
    node_set(h, inner, 0, kept);
    gc_start(h);
    gc_step(h, 1); /* the root is scanned now, and `kept` is still white */
    node_set(h, root, 1, value_share(h, kept));
    node_set(h, outer, 0, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, 1);
    heap_fixture_verify(h, "while marking");
    while (gc_phase(h) != GC_IDLE) gc_step(h, 1);
    ck_assert_uint_eq(object_count(h), 3);
    heap_fixture_close(h);
}
END_TEST

START_TEST(frames_keep_their_values_and_are_scanned_once_a_cycle)
{
    struct heap *h = heap_fixture_open(0);
    struct root_frame frame;
    root_frame_open(h, &frame);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(root_frame_push_take(h, &frame, node_new(h, 2)), 0);
    gc_collect(h);
    ck_assert_uint_eq(object_count(h), 100);
    gc_start(h);
    root_frame_touch(h, &frame);
    root_frame_truncate(h, &frame, 40);
    while (gc_phase(h) != GC_IDLE || heap_drop_pending(h)) gc_step(h, 3);
    ck_assert_uint_eq(object_count(h), 40);
    heap_fixture_verify(h, "with a frame");
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

/* A random graph of small nodes under random stores, shares, drops and collector steps; a model
 * keeps the edges, and at the end exactly what is reachable must be there. */
enum { MODEL_NODES = 100, MODEL_SLOTS = 4 };

static value model_pick(struct heap *h, value root, uint64_t *rng)
{
    value v = *node_slot(h, root, (unsigned)random_below(rng, MODEL_NODES));
    for (int depth = 0; depth < 6 && value_is_ref(v); depth++) {
        value next = *node_slot(h, v, (unsigned)random_below(rng, MODEL_SLOTS));
        if (!value_is_kind(next, KIND_LIST) || random_below(rng, 3) == 0) break;
        v = next;
    }
    return v;
}

static void model_change(struct heap *h, value root, value *weak, uint64_t *rng)
{
    unsigned at = (unsigned)random_below(rng, MODEL_NODES);
    unsigned slot = (unsigned)random_below(rng, MODEL_SLOTS);
    value target = model_pick(h, root, rng);
    switch (random_below(rng, 10)) {
    case 0: node_set(h, root, at, node_new(h, MODEL_SLOTS)); break;
    case 1:
        if (value_is_ref(target)) node_set(h, target, slot, node_new(h, MODEL_SLOTS));
        break;
    case 2:
        if (value_is_ref(target)) node_set(h, target, slot, cell_take(h, KIND_STRING, 20, 0));
        break;
    case 3:
        if (value_is_ref(target)) node_set(h, target, slot, VALUE_NIL);
        break;
    case 4: node_set(h, root, at, VALUE_NIL); break;
    case 5: {
        value from = model_pick(h, root, rng);
        if (!value_is_ref(from) || !value_is_ref(target)) break;
        node_set(h, target, slot, value_share(h, from));
        break;
    }
    case 6:
        if (value_is_ref(target)) *weak = weak_make(h, target);
        break;
    case 7: {
        value alive = value_is_weak(*weak) ? weak_read(h, *weak) : VALUE_NIL;
        if (value_is_ref(alive)) node_set(h, root, at, value_share(h, alive));
        break;
    }
    case 8: { /* an edge moves from one object to another */
        value *from = value_is_ref(target) ? node_slot(h, target, slot) : NULL;
        if (!from || !value_is_kind(*from, KIND_LIST)) break;
        value moved = *from;
        store(h, from, VALUE_NIL);
        node_set(h, root, at, moved);
        break;
    }
    case 9: { /* an object grows: its edges move into a new cell */
        value old = *node_slot(h, root, at);
        if (!value_is_ref(old) || value_is_shared(h, old)) break;
        value grown = node_new(h, MODEL_SLOTS);
        store_move(node_slot(h, grown, 0), node_slot(h, old, 0), MODEL_SLOTS);
        cell_moved_in(h, grown);
        store(h, node_slot(h, root, at), grown);
        cell_free(h, old);
        break;
    }
    }
}

#ifdef CAIRN_GC_STRESS /* many short programs; elsewhere a few longer ones */
#define GRAPH_SEEDS 1000
#define GRAPH_STEPS 3000
#else
#define GRAPH_SEEDS 10
#define GRAPH_STEPS 20000
#endif

static void random_graph(uint64_t seed)
{
    uint64_t rng = seed;
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, MODEL_NODES), weak = VALUE_NIL;
    heap_root_set_take(h, ROOT_KEYS, root);
    for (int i = 0; i < GRAPH_STEPS; i++) {
        model_change(h, root, &weak, &rng);
        if (random_below(&rng, 500) == 0) gc_start(h);
        if (random_below(&rng, 2) == 0) gc_step(h, random_below(&rng, 40));
        gc_safe_point(h);
        char message[256];
        if (i % 100 == 0)
            ck_assert_msg(heap_verify(h, message, sizeof message) == 0, "seed %lu, step %d: %s",
                          seed, i, message);
    }
    heap_fixture_reachable(h, root);
    heap_fixture_close(h);
}

START_TEST(random_graphs_keep_what_is_reachable)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("graphs", GRAPH_SEEDS);
    while (seeds_next(&seeds, &seed)) random_graph(seed);
}
END_TEST

START_TEST(what_is_left_on_sparse_pages_moves_together)
{
    enum { ROWS = 400 };
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, ROWS);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < ROWS; i++) {
        value row = node_new(h, 60), leaf = cell_take(h, KIND_STRING, 200, i);
        memset(store_raw(h, leaf), (int)i & 0xff, 200);
        node_set(h, row, 0, leaf);
        node_set(h, root, i, row);
    }
    for (unsigned i = 0; i < ROWS; i++)
        if (i % 4 != 0) node_set(h, root, i, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    gc_compact_always(h, true);
    gc_collect(h);
    struct gc_stats stats;
    gc_stats(h, &stats);
    ck_assert_uint_ge(stats.moved_objects, ROWS / 4);
    heap_fixture_verify(h, "compacted");
    for (unsigned i = 0; i < ROWS; i += 4) {
        value leaf = *node_slot(h, *node_slot(h, root, i), 0);
        ck_assert_uint_eq(ref_hash(leaf), i);
        ck_assert_uint_eq(((const unsigned char *)cell_bytes(h, leaf))[199], i & 0xff);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_step_stays_short_when_all_that_was_gray_is_gone)
{
    enum { COUNT = 20000, UNITS = 100, STEP_PAGES_MAX = 2 * UNITS };
    struct heap *h = heap_fixture_open(0);
    value *nodes = malloc(COUNT * sizeof *nodes);
    ck_assert_ptr_nonnull(nodes);
    for (unsigned i = 0; i < COUNT; i++) {
        nodes[i] = node_new(h, 60);
        ck_assert_uint_ne(nodes[i], VALUE_ABSENT);
    }
    gc_start(h);
    for (unsigned i = 0; i < COUNT; i++) gc_shade(h, nodes[i]);
    for (unsigned i = 0; i < COUNT; i++) value_release(h, nodes[i]);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    ck_assert_uint_eq(object_count(h), 0);
    /* Now many pages are queued, and nothing in them is gray. */
    unsigned steps = 0;
    for (; gc_phase(h) == GC_MARK; steps++) ck_assert_uint_le(gc_step(h, UNITS), 4 * UNITS);
    ck_assert_uint_ge(steps, COUNT / (PAGE_BYTES / 512) / STEP_PAGES_MAX);
    free(nodes);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_walk_survives_changes_of_what_it_walks)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 100);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < 100; i++) {
        value node = node_new(h, MODEL_SLOTS);
        for (unsigned j = 0; j < MODEL_SLOTS; j++) node_set(h, node, j, node_new(h, MODEL_SLOTS));
        node_set(h, root, i, node);
    }
    int error, second;
    struct heap_walk *walk = heap_walk_start(h, root, &error);
    ck_assert_ptr_null(heap_walk_start(h, root, &second));
    ck_assert_int_eq(second, -EBUSY);
    unsigned i = 0;
    while (!heap_walk_step(walk, 5)) {
        node_set(h, root, i % 100, i % 3 ? VALUE_NIL : node_new(h, MODEL_SLOTS));
        heap_drop_step(h, 7);
        i++;
    }
    ck_assert_uint_gt(heap_walk_total(walk).count, 100);
    heap_walk_end(walk);
    heap_fixture_close(h);
}
END_TEST

/* Hangs another cell of half a kibibyte before those that hang from `root`. False: no memory. */
static bool chain_grow(struct heap *h, value root)
{
    value cell = node_new(h, 63);
    if (cell == VALUE_ABSENT) return false;
    store_new(node_slot(h, cell, 0), *node_slot(h, root, 0));
    store(h, node_slot(h, root, 0), cell);
    return true;
}

START_TEST(memory_of_free_pages_goes_back_to_the_system)
{
    struct heap *h = heap_fixture_open(0);
    struct heap_stats full, trimmed;
    value root = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < ((size_t)64 << 20) / 512; i++) ck_assert(chain_grow(h, root));
    heap_stats(h, &full);
    ck_assert_uint_ge(full.committed_bytes, (size_t)64 << 20);
    node_set(h, root, 0, VALUE_NIL);
    while (gc_urgency(h) != GC_RESTING) gc_run(h, 1000000, GC_WHEN_IDLE);
    heap_stats(h, &trimmed);
    ck_assert_uint_eq(trimmed.object_count, 1);
    ck_assert_uint_le(trimmed.committed_bytes, (size_t)5 << 20);
    heap_fixture_verify(h, "trimmed");
    value again = node_new(h, 63); /* and what was given back can be used again */
    ck_assert_uint_eq(*node_slot(h, again, 62), VALUE_NIL);
    node_set(h, root, 0, again);
    heap_fixture_close(h);
}
END_TEST

/* Whether the system has given memory to all of the page. */
static bool page_is_resident(const struct heap *h, uint32_t page)
{
    unsigned char resident[PAGE_BYTES / 4096];
    ck_assert_int_eq(mincore(h->base + (size_t)page * PAGE_BYTES, PAGE_BYTES, resident), 0);
    for (size_t i = 0; i < sizeof resident; i++)
        if (!(resident[i] & 1)) return false;
    return true;
}

START_TEST(memory_is_there_before_it_is_needed)
{
    struct heap *h = heap_fixture_open(0);
    if (madvise(h->base, 4096, MADV_POPULATE_WRITE) != 0) {
        heap_fixture_close(h); /* a system that cannot do it: Linux before 5.14 */
        return;
    }
    value root = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    heap_ahead(h, UINT64_MAX);
    ck_assert_uint_eq(heap_ahead(h, UINT64_MAX), 0); /* nothing was taken since */
    for (unsigned round = 0; round < 20; round++) {
        uint32_t before = h->free_page_count;
        while (before - h->free_page_count < round) ck_assert(chain_grow(h, root));
        uint32_t committed = h->touched_count;
        ck_assert(round == 0 || heap_ahead(h, UINT64_MAX) > 0);
        uint32_t page = 0;
        for (unsigned i = 0; i < 2 * round; i++, page++) {
            page = page_next_free(h, page);
            ck_assert_msg(page_is_resident(h, page), "round %u, free page %u", round, i);
        }
        ck_assert_uint_le(h->touched_count, committed + 2 * round + 2);
        heap_fixture_verify(h, "with memory ahead");
    }
    node_set(h, root, 0, VALUE_NIL);
    while (gc_urgency(h) != GC_RESTING) gc_run(h, 1000000, GC_WHEN_IDLE);
    ck_assert_uint_eq(heap_ahead(h, UINT64_MAX), 0);
    heap_fixture_close(h);
}
END_TEST

START_TEST(little_memory_is_not_asked_for_ahead)
{
    struct heap_config config = {.max_bytes = 1, .hash_key = "fixed for tests"};
    struct heap *h;
    ck_assert_int_eq(heap_create(&h, &config), 0); /* as small as it can be: one segment */
    value root = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    while (chain_grow(h, root)) heap_ahead(h, UINT64_MAX);
    heap_ahead(h, UINT64_MAX);
    ck_assert_uint_le(h->touched_count, h->page_count);
    heap_fixture_verify(h, "full");
    heap_fixture_close(h);
}
END_TEST

START_TEST(huge_pages_get_and_give_back_memory_in_whole_ranges)
{
    struct heap_config config = {
        .max_bytes = (size_t)64 << 20, .hash_key = "fixed for tests", .huge_pages = true};
    struct heap *h;
    struct heap_stats stats;
    ck_assert_int_eq(heap_create(&h, &config), 0);
    value root = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < ((size_t)32 << 20) / 512; i++) ck_assert(chain_grow(h, root));
        heap_fixture_verify(h, "full");
        heap_stats(h, &stats);
        ck_assert_uint_ge(stats.committed_bytes, (size_t)32 << 20);
        if (stats.huge_pages) ck_assert_uint_eq(stats.committed_bytes % HUGE_BYTES, 0);
        node_set(h, root, 0, VALUE_NIL);
        while (gc_urgency(h) != GC_RESTING) gc_run(h, 1000000, GC_WHEN_IDLE);
        heap_fixture_verify(h, "trimmed");
        heap_stats(h, &stats);
        ck_assert_uint_eq(stats.object_count, 1);
        ck_assert_uint_le(stats.committed_bytes, (size_t)8 << 20);
        if (stats.huge_pages) ck_assert_uint_eq(stats.committed_bytes % HUGE_BYTES, 0);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_census_counts_by_kind)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 60);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < 30; i++) node_set(h, root, i, cell_take(h, KIND_STRING, 100, 0));
    for (unsigned i = 30; i < 50; i++) node_set(h, root, i, cell_take(h, KIND_DOUBLE, 8, 0));
    struct census census;
    census_init(&census);
    while (!census_step(h, &census, 1)) {}
    ck_assert_uint_eq(census.by_kind[KIND_STRING].count, 30);
    ck_assert_uint_eq(census.by_kind[KIND_STRING].bytes, 30 * 112);
    ck_assert_uint_eq(census.by_kind[KIND_DOUBLE].count, 20);
    ck_assert_uint_eq(census.by_kind[KIND_LIST].count, 1);
    char map[64];
    size_t pages = heap_map(h, 0, sizeof map, map);
    ck_assert_uint_ge(pages, 3);
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_verifier_finds_a_reference_to_nothing)
{
    struct heap *h = heap_fixture_open(0);
    char message[256];
    value root = node_new(h, 2), leaf = cell_take(h, KIND_STRING, 16, 0);
    heap_root_set_take(h, ROOT_KEYS, root);
    *node_slot(h, root, 0) = leaf;
    *node_slot(h, root, 1) = leaf; /* twice, and not shared */
    ck_assert_int_eq(heap_verify(h, message, sizeof message), -EINVAL);
    ck_assert_ptr_nonnull(strstr(message, "second reference"));
    *node_slot(h, root, 1) = VALUE_NIL;
    ck_assert_int_eq(heap_verify(h, message, sizeof message), 0);
    cell_free(h, leaf); /* and the slot still refers to it */
    ck_assert_int_eq(heap_verify(h, message, sizeof message), -EINVAL);
    *node_slot(h, root, 0) = VALUE_NIL;
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_hash_is_keyed_siphash)
{
    struct heap_config config = {.max_bytes = 1};
    for (unsigned i = 0; i < 16; i++) config.hash_key[i] = (unsigned char)i;
    struct heap *h;
    ck_assert_int_eq(heap_create(&h, &config), 0);
    unsigned char data[64];
    for (unsigned i = 0; i < 64; i++) data[i] = (unsigned char)i;
    uint64_t first = heap_hash(h, data, 0);
    for (unsigned i = 1; i < 64; i++) ck_assert_uint_ne(heap_hash(h, data, i), first);
    heap_destroy(h);
    config.hash_key[0] ^= 1;
    ck_assert_int_eq(heap_create(&h, &config), 0);
    ck_assert_uint_ne(heap_hash(h, data, 0), first);
    heap_destroy(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("heap");
    TCase *tcase = tcase_create("heap");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, size_classes_waste_less_than_a_quarter);
    tcase_add_test(tcase, cells_are_aligned_distinct_and_nil);
    tcase_add_test(tcase, a_released_leaf_is_free_at_once_and_its_cell_comes_again);
    tcase_add_test(tcase, a_released_container_is_taken_apart_in_steps);
    tcase_add_test(tcase, a_shared_object_outlives_its_first_owner_and_not_its_last);
    tcase_add_test(tcase, a_cycle_is_collected);
    tcase_add_test(tcase, runs_hold_large_leaves);
    tcase_add_test(tcase, memory_ends_with_an_error_and_comes_back);
    tcase_add_test(tcase, granule_zero_is_never_given_out);
    tcase_add_test(tcase, memory_is_not_short_while_the_sweep_would_find_some);
    tcase_add_test(tcase, a_reservation_of_small_cells_holds_what_it_promises);
    tcase_add_test(tcase, the_nth_allocation_fails_outside_of_reservations_only);
    tcase_add_test(tcase, weak_references_die_with_their_target);
    tcase_add_test(tcase, a_weak_read_while_marking_keeps_the_target);
    tcase_add_test(tcase, a_target_that_marking_missed_reads_as_dead_before_it_is_swept);
    tcase_add_test(tcase, what_the_drop_queue_lets_go_while_marking_stays_with_its_other_owner);
    tcase_add_test(tcase, frames_keep_their_values_and_are_scanned_once_a_cycle);
    tcase_add_test(tcase, what_is_left_on_sparse_pages_moves_together);
    tcase_add_test(tcase, a_step_stays_short_when_all_that_was_gray_is_gone);
    tcase_add_test(tcase, a_walk_survives_changes_of_what_it_walks);
    tcase_add_test(tcase, memory_of_free_pages_goes_back_to_the_system);
    tcase_add_test(tcase, memory_is_there_before_it_is_needed);
    tcase_add_test(tcase, little_memory_is_not_asked_for_ahead);
    tcase_add_test(tcase, huge_pages_get_and_give_back_memory_in_whole_ranges);
    tcase_add_test(tcase, the_census_counts_by_kind);
    tcase_add_test(tcase, the_verifier_finds_a_reference_to_nothing);
    tcase_add_test(tcase, the_hash_is_keyed_siphash);
    suite_add_tcase(suite, tcase);
    TCase *graphs = seeds_tcase("graphs");
    tcase_add_test(graphs, random_graphs_keep_what_is_reachable);
    suite_add_tcase(suite, graphs);
    return suite;
}
