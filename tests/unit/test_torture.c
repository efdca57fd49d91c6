/* test_torture.c - graphs that break collectors: deep, wide, dense, cyclic, sparse.
 *
 * Each is built, survives a collection whole, and is then given up; every step of the way the
 * work of one collector step stays within its budget. */
#include "heap/gc.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/nodes.h"
#include "tests/support/runner.h"
#include "tests/support/scale.h"

#define STEP_UNITS 512
/* A step ends at the end of a batch, a page or a frame. */
#define STEP_UNITS_OVER 128

static void run_to_rest(struct heap *h)
{
    while (gc_phase(h) != GC_IDLE || heap_drop_pending(h)) {
        size_t done = gc_step(h, STEP_UNITS);
        ck_assert_uint_le(done, STEP_UNITS + STEP_UNITS_OVER);
    }
}

static void check_survives(struct heap *h, uint64_t objects)
{
    ck_assert_uint_eq(object_count(h), objects);
    gc_start(h);
    run_to_rest(h);
    ck_assert_uint_eq(object_count(h), objects);
}

static void check_collected(struct heap *h, uint64_t objects)
{
    run_to_rest(h);
    gc_start(h);
    run_to_rest(h);
    ck_assert_uint_eq(object_count(h), objects);
}

static value root_node(struct heap *h, unsigned slots)
{
    value root = node_new(h, slots);
    heap_root_set_take(h, ROOT_KEYS, root);
    return root;
}

static void build_chain(struct heap *h, value root, uint64_t length, bool shared)
{
    for (uint64_t i = 0; i < length; i++) {
        value node = node_new(h, 1);
        ck_assert_uint_ne(node, VALUE_ABSENT);
        /* The head moves from the root into the new node. */
        store_new(node_slot(h, node, 0), *node_slot(h, root, 0));
        cell_moved_in(h, node);
        if (shared) value_share(h, node);
        store(h, node_slot(h, root, 0), node);
    }
}

START_TEST(chain)
{
    const uint64_t length = 10000000 / SCALE;
    struct heap *h = heap_fixture_open((size_t)1 << 30);
    value root = root_node(h, 1);
    bool shared = _i;
    build_chain(h, root, length, shared);
    check_survives(h, length + 1);
    node_set(h, root, 0, VALUE_NIL);
    ck_assert_uint_eq(object_count(h), length + 1); /* giving up is constant work */
    check_collected(h, 1);
    heap_fixture_close(h);
}
END_TEST

/* One root with slots to a hundred hubs, each with as many leaves as a cell has slots. */
START_TEST(star)
{
    const unsigned hubs = 100, rays = CELL_VALUES_MAX - 1;
    struct heap *h = heap_fixture_open((size_t)1 << 30);
    value root = root_node(h, hubs);
    value center = value_share(h, node_new(h, 1));
    for (unsigned i = 0; i < hubs; i++) {
        value hub = node_new(h, rays);
        for (unsigned j = 0; j < rays; j++) {
            value ray = node_new(h, 1);
            node_set(h, ray, 0, center);
            node_set(h, hub, j, ray);
        }
        node_set(h, root, i, hub);
    }
    check_survives(h, 1 + 1 + hubs + (uint64_t)hubs * rays);
    for (unsigned i = 1; i < hubs; i++) node_set(h, root, i, VALUE_NIL);
    check_collected(h, 1 + 1 + 1 + rays);
    heap_fixture_close(h);
}
END_TEST

START_TEST(complete_bipartite)
{
    enum { SIDE = 120 };
    struct heap *h = heap_fixture_open(0);
    value root = root_node(h, 1), left[SIDE], right[SIDE];
    for (unsigned i = 0; i < SIDE; i++) {
        left[i] = value_share(h, node_new(h, SIDE));
        right[i] = value_share(h, node_new(h, SIDE));
    }
    for (unsigned i = 0; i < SIDE; i++)
        for (unsigned j = 0; j < SIDE; j++) {
            node_set(h, left[i], j, right[j]);
            node_set(h, right[j], i, left[i]);
        }
    node_set(h, root, 0, left[0]);
    check_survives(h, 1 + 2 * SIDE);
    node_set(h, root, 0, VALUE_NIL);
    check_collected(h, 1);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_million_cycles_of_two)
{
    const unsigned pairs = 1000000 / SCALE, row = 100;
    struct heap *h = heap_fixture_open((size_t)1 << 30);
    value root = root_node(h, 1), holder = VALUE_NIL;
    for (unsigned i = 0; i < pairs; i++) {
        if (i % row == 0) {
            value next = node_new(h, row + 1);
            if (holder == VALUE_NIL)
                node_set(h, root, 0, next);
            else
                node_set(h, holder, row, next);
            holder = next;
        }
        value a = node_new(h, 1), b = node_new(h, 1);
        node_set(h, a, 0, b);
        node_set(h, b, 0, value_share(h, a));
        node_set(h, holder, i % row, a);
    }
    uint64_t holders = (pairs + row - 1) / row;
    check_survives(h, 1 + holders + 2 * (uint64_t)pairs);
    node_set(h, root, 0, VALUE_NIL);
    check_collected(h, 1);
    heap_fixture_close(h);
}
END_TEST

START_TEST(nested_a_hundred_thousand_deep)
{
    const uint64_t depth = 100000;
    struct heap *h = heap_fixture_open(0);
    value root = root_node(h, 1), at = root;
    for (uint64_t i = 0; i < depth; i++) {
        value node = node_new(h, 3);
        node_set(h, at, 0, node);
        if (i % 2) node_set(h, node, 1, cell_take(h, KIND_STRING, 30, 0));
        at = node;
    }
    check_survives(h, 1 + depth + depth / 2);
    heap_fixture_verify(h, "nested");
    node_set(h, root, 0, VALUE_NIL);
    check_collected(h, 1);
    heap_fixture_close(h);
}
END_TEST

/* After the others are gone, each page holds one cell; new cells go into those pages. */
START_TEST(one_survivor_a_page)
{
    const unsigned pages = 200, size = 64;
    struct heap *h = heap_fixture_open(0);
    value root = root_node(h, 1), survivors = VALUE_NIL;
    const unsigned per_page = PAGE_BYTES / size;
    for (unsigned i = 0; i < pages * per_page; i++) {
        value node = node_new(h, size / sizeof(value) - 1);
        if (i % per_page == per_page / 2) {
            store_new(node_slot(h, node, 0), survivors);
            survivors = node;
        } else {
            value_share(h, node); /* garbage that only the collector finds */
        }
    }
    node_set(h, root, 0, survivors);
    gc_collect(h);
    ck_assert_uint_eq(object_count(h), pages + 1);
    struct heap_stats before, after;
    heap_stats(h, &before);
    ck_assert_uint_le(before.page_bytes, (pages + 3) * (size_t)PAGE_BYTES);
    for (unsigned i = 0; i < pages * (per_page - 2); i++) {
        value node = node_new(h, size / sizeof(value) - 1);
        store_new(node_slot(h, node, 0), *node_slot(h, root, 0));
        store(h, node_slot(h, root, 0), node);
    }
    heap_stats(h, &after);
    ck_assert_uint_le(after.page_bytes, before.page_bytes + 2 * PAGE_BYTES);
    node_set(h, root, 0, VALUE_NIL);
    check_collected(h, 1);
    heap_stats(h, &after);
    ck_assert_uint_le(after.page_bytes, 3 * PAGE_BYTES); /* empty pages are given back */
    heap_fixture_close(h);
}
END_TEST

/* A mutator that makes garbage as fast as the collector works cannot outrun it for long: what
 * it leaves behind in one cycle is gone after the next. */
START_TEST(garbage_made_while_collecting_goes_in_the_next_cycle)
{
    struct heap *h = heap_fixture_open(0);
    value root = root_node(h, 16);
    uint64_t live_max = 0;
    for (unsigned i = 0; i < 200000 / SCALE; i++) {
        value a = node_new(h, 2), b = node_new(h, 2);
        node_set(h, a, 0, b);
        node_set(h, b, 0, value_share(h, a));
        node_set(h, root, i % 16, a);
        if (gc_phase(h) == GC_IDLE) gc_start(h);
        gc_step(h, 64);
        if (object_count(h) > live_max) live_max = object_count(h);
    }
    ck_assert_uint_lt(live_max, 2000);
    check_collected(h, 1 + 32);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("torture");
    TCase *tcase = tcase_create("torture");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, chain, 0, 2);
    tcase_add_test(tcase, star);
    tcase_add_test(tcase, complete_bipartite);
    tcase_add_test(tcase, a_million_cycles_of_two);
    tcase_add_test(tcase, nested_a_hundred_thousand_deep);
    tcase_add_test(tcase, one_survivor_a_page);
    tcase_add_test(tcase, garbage_made_while_collecting_goes_in_the_next_cycle);
    suite_add_tcase(suite, tcase);
    return suite;
}
