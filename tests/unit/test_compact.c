/* test_compact.c - objects move from sparse pages to fuller ones, and nobody notices. */
#include <string.h>

#include <unistd.h>

#include "heap/census.h"
#include "heap/gc.h"
#include "heap/verify.h"
#include "heap/weak.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/nodes.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct gc_stats stats_of(struct heap *h)
{
    struct gc_stats stats;
    gc_stats(h, &stats);
    return stats;
}

static size_t page_bytes(struct heap *h)
{
    struct heap_stats stats;
    heap_stats(h, &stats);
    return stats.page_bytes;
}

/* --- what is stored: in pairs of slots, a leaf and the number that it is filled with ----------*/

static value filled_leaf(struct heap *h, size_t bytes, uint64_t number)
{
    value leaf = cell_take(h, KIND_STRING, bytes, (uint32_t)number);
    ck_assert_uint_ne(leaf, VALUE_ABSENT);
    memset(store_raw(h, leaf), (int)(number & 0xff), bytes);
    return leaf;
}

static void pair_set(struct heap *h, value node, unsigned pair, size_t bytes, uint64_t number)
{
    node_set(h, node, 2 * pair, filled_leaf(h, bytes, number));
    node_set(h, node, 2 * pair + 1, value_int((int64_t)number));
}

static void pair_check(struct heap *h, value node, unsigned pair)
{
    value leaf = *node_slot(h, node, 2 * pair), number = *node_slot(h, node, 2 * pair + 1);
    if (!value_is_kind(leaf, KIND_STRING)) return;
    uint64_t n = (uint64_t)value_to_int(number);
    ck_assert_uint_eq(ref_hash(leaf), n & REF_HASH_MASK);
    ck_assert_uint_eq(*(const unsigned char *)cell_bytes(h, leaf), n & 0xff);
}

enum { ROWS = 60, PAIRS = 25 };

/* A root over rows of pairs. */
static value table_of_leaves(struct heap *h, size_t bytes)
{
    value root = node_new(h, ROWS);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < ROWS; i++) {
        value row = node_new(h, 2 * PAIRS);
        for (unsigned j = 0; j < PAIRS; j++) pair_set(h, row, j, bytes, i * PAIRS + j);
        node_set(h, root, i, row);
    }
    return root;
}

static void table_check(struct heap *h, value root)
{
    for (unsigned i = 0; i < ROWS; i++) {
        value row = *node_slot(h, root, i);
        for (unsigned j = 0; value_is_ref(row) && j < PAIRS; j++) pair_check(h, row, j);
    }
}

/* Takes the leaves of all pairs but every n-th out. */
static void table_thin(struct heap *h, value root, unsigned n)
{
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned j = 0; j < PAIRS; j++)
            if ((i * PAIRS + j) % n != 0) node_set(h, *node_slot(h, root, i), 2 * j, VALUE_NIL);
}

/* --- single cases ---------------------------------------------------------------------------*/

START_TEST(what_is_left_on_sparse_pages_moves_together)
{
    static const size_t sizes[] = {48, 100, 250, 1000};
    struct heap *h = heap_fixture_open(0);
    value root = table_of_leaves(h, sizes[_i]);
    table_thin(h, root, 4);
    size_t before = page_bytes(h);
    gc_compact_always(h, true);
    gc_collect(h);
    struct gc_stats stats = stats_of(h);
    ck_assert_uint_ge(stats.moved_objects, ROWS * PAIRS / 8);
    if (sizes[_i] >= 250) ck_assert_uint_lt(page_bytes(h), before / 2);
    heap_fixture_verify(h, "compacted");
    table_check(h, root);
    gc_collect(h); /* what is together stays */
    ck_assert_uint_le(stats_of(h).moved_objects - stats.moved_objects, 2 * PAGE_BYTES / 16);
    heap_fixture_close(h);
}
END_TEST

/* Rows are containers: they are moved before they are scanned, and what hangs from them stays. */
START_TEST(containers_move_and_are_scanned_all_the_same)
{
    struct heap *h = heap_fixture_open(0);
    value root = table_of_leaves(h, 100);
    value fillers = node_new(h, 100);
    struct root_frame frame;
    root_frame_open(h, &frame);
    ck_assert_int_eq(root_frame_push_take(h, &frame, fillers), 0);
    for (unsigned i = 0; i < 100; i++) node_set(h, fillers, i, node_new(h, 2 * PAIRS));
    for (unsigned i = 0; i < ROWS; i += 2) node_set(h, root, i, VALUE_NIL);
    for (unsigned i = 0; i < 100; i += 2) node_set(h, fillers, i, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    value rows[ROWS];
    for (unsigned i = 0; i < ROWS; i++) rows[i] = *node_slot(h, root, i);
    gc_compact_always(h, true);
    gc_collect(h);
    unsigned moved = 0;
    for (unsigned i = 0; i < ROWS; i++) moved += rows[i] != *node_slot(h, root, i);
    ck_assert_uint_ge(moved, 1);
    heap_fixture_verify(h, "compacted");
    table_check(h, root);
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

START_TEST(what_is_pinned_stays_with_its_page)
{
    struct heap *h = heap_fixture_open(0);
    value root = table_of_leaves(h, 1000);
    table_thin(h, root, 4);
    value leaf = VALUE_NIL;
    value *slot = NULL;
    for (unsigned i = 0; !value_is_ref(leaf); i++) {
        value row = *node_slot(h, root, i);
        for (unsigned j = 0; j < PAIRS && !value_is_ref(leaf); j++) {
            slot = node_slot(h, row, j);
            leaf = *slot;
        }
    }
    value_pin(h, leaf);
    gc_compact_always(h, true);
    gc_collect(h);
    ck_assert_uint_ne(stats_of(h).moved_objects, 0);
    ck_assert_uint_eq(*slot, leaf);
    value_unpin(h, leaf);
    table_check(h, root);
    heap_fixture_close(h);
}
END_TEST

START_TEST(nothing_moves_while_the_heap_is_pinned_or_walked)
{
    struct heap *h = heap_fixture_open(0);
    value root = table_of_leaves(h, 1000);
    table_thin(h, root, 4);
    gc_compact_always(h, true);
    heap_pin(h);
    gc_collect(h);
    ck_assert_uint_eq(stats_of(h).moved_objects, 0);
    heap_unpin(h);
    int error;
    struct heap_walk *walk = heap_walk_start(h, root, &error);
    heap_walk_step(walk, 1);
    gc_collect(h);
    ck_assert_uint_eq(stats_of(h).moved_objects, 0);
    heap_walk_end(walk);
    gc_collect(h);
    ck_assert_uint_ne(stats_of(h).moved_objects, 0);
    heap_fixture_close(h);
}
END_TEST

START_TEST(what_is_shared_or_in_a_frame_stays_where_it_is)
{
    struct heap *h = heap_fixture_open(0);
    value root = table_of_leaves(h, 1000);
    struct root_frame frame;
    root_frame_open(h, &frame);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_int_eq(root_frame_push_take(h, &frame, filled_leaf(h, 1000, i)), 0);
    table_thin(h, root, 4);
    value shared = value_share(h, *node_slot(h, *node_slot(h, root, 1), 6));
    value weak = weak_make(h, shared), in_frame = frame.slots[7];
    gc_compact_always(h, true);
    gc_collect(h);
    ck_assert_uint_ne(stats_of(h).moved_objects, 0);
    ck_assert_uint_eq(*node_slot(h, *node_slot(h, root, 1), 6), shared);
    ck_assert_uint_eq(weak_read(h, weak), shared);
    ck_assert_uint_eq(frame.slots[7], in_frame);
    heap_fixture_verify(h, "compacted");
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

/* It never takes a page, so it works when there is none, and makes some. */
START_TEST(a_full_heap_is_compacted_without_a_fresh_page)
{
    struct heap *h = heap_fixture_open((size_t)8 << 20);
    value root = node_new(h, 100);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < 100; i++) node_set(h, root, i, node_new(h, 100));
    for (unsigned i = 0; i < 100; i++)
        for (unsigned j = 0; j < 100; j++) {
            value leaf = cell_take(h, KIND_BYTES, 900, 0);
            if (leaf != VALUE_ABSENT) node_set(h, *node_slot(h, root, i), j, leaf);
        }
    for (unsigned i = 0; i < 100; i++)
        for (unsigned j = 1; j < 100; j += 2) node_set(h, *node_slot(h, root, i), j, VALUE_NIL);
    ck_assert_uint_eq(cell_take(h, KIND_STRING, 500, 0), VALUE_ABSENT); /* no page for it */
    gc_compact_always(h, true);
    size_t most = page_bytes(h);
    gc_start(h);
    while (gc_phase(h) != GC_IDLE) {
        gc_step(h, 10);
        ck_assert_uint_le(page_bytes(h), most);
    }
    ck_assert_uint_le(page_bytes(h), most * 6 / 10);
    value leaf = cell_take(h, KIND_STRING, 500, 0);
    ck_assert_uint_ne(leaf, VALUE_ABSENT);
    cell_free(h, leaf);
    heap_fixture_close(h);
}
END_TEST

#ifndef CAIRN_GC_STRESS /* there it compacts in every cycle */
/* Of 20 million bytes every second kilobyte goes later. */
static value rows_new(struct heap *h)
{
    value root = node_new(h, 400);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < 400; i++) {
        value row = node_new(h, 50);
        for (unsigned j = 0; j < 50; j++) node_set(h, row, j, cell_take(h, KIND_STRING, 1000, 0));
        node_set(h, root, i, row);
    }
    return root;
}

START_TEST(an_idle_heap_is_compacted_once_and_then_rests)
{
    struct heap *h = heap_fixture_open(0);
    value root = rows_new(h);
    while (gc_urgency(h) != GC_RESTING) gc_run(h, 1000000, GC_WHEN_IDLE);
    ck_assert_uint_eq(stats_of(h).cycles, 0); /* nothing to win */
    bool shared = _i; /* then nothing can be won, and it is tried once */
    for (unsigned i = 0; i < 400; i++)
        for (unsigned j = 0; j < 50; j++) {
            value *slot = node_slot(h, *node_slot(h, root, i), j);
            if (j % 2) node_set(h, *node_slot(h, root, i), j, VALUE_NIL);
            else if (shared) value_share(h, *slot);
        }
    for (unsigned i = 0; i < 1000000 && stats_of(h).cycles < 1; i++)
        gc_run(h, 1000000, GC_WHEN_IDLE);
    do {
        while (gc_urgency(h) != GC_RESTING) gc_run(h, 1000000, GC_WHEN_IDLE);
    } while (gc_idle_work_wanted(h)); /* memory goes back after a while */
    ck_assert_uint_eq(stats_of(h).cycles, 1);
    struct heap_stats stats;
    heap_stats(h, &stats);
    if (!shared) ck_assert_uint_ge(stats.used_bytes * 100, stats.page_bytes * 90);
    heap_fixture_close(h);
}
END_TEST

static void rows_thin(struct heap *h, value root, unsigned keep_each)
{
    for (unsigned i = 0; i < 400; i++)
        for (unsigned j = 0; j < 50; j++)
            if (j % keep_each) node_set(h, *node_slot(h, root, i), j, VALUE_NIL);
}

/* Events go on for longer than idle cycles keep distance. */
static void events_for_a_while(struct heap *h)
{
    for (unsigned i = 0; i < 30; i++) {
        usleep(10000);
        gc_run(h, 1000000, GC_BESIDE_EVENTS);
    }
}

START_TEST(what_is_wanted_when_idle_does_not_begin_beside_events)
{
    struct heap *h = heap_fixture_open((size_t)256 << 20);
    value root = rows_new(h);
    rows_thin(h, root, 4); /* what would be regained is more than half of what is in use */
    events_for_a_while(h);
    ck_assert_int_eq(gc_urgency(h), GC_RELAXED);
    ck_assert_uint_eq(stats_of(h).cycles, 0);
    value_release(h, value_share(h, cell_take(h, KIND_STRING, 40, 0))); /* debt, but little */
    events_for_a_while(h);
    ck_assert_uint_eq(stats_of(h).cycles, 0);
    ck_assert_uint_eq(gc_budget_ns(h, 1000000), 0);
    ck_assert_uint_gt(gc_budget_ns(h, 0), 0);
    gc_run(h, 1000000, GC_WHEN_IDLE);
    ck_assert_int_ne(gc_phase(h), GC_IDLE);
    heap_fixture_close(h);
}
END_TEST

START_TEST(sparse_pages_are_emptied_beside_events_when_memory_is_short)
{
    struct heap *h = heap_fixture_open((size_t)24 << 20);
    value root = rows_new(h);
    rows_thin(h, root, 4);
    struct heap_stats before, after;
    heap_stats(h, &before);
    for (unsigned i = 0; i < 100000 && stats_of(h).cycles < 1; i++)
        gc_run(h, 1000000, GC_BESIDE_EVENTS);
    ck_assert_uint_eq(stats_of(h).cycles, 1);
    ck_assert_uint_gt(stats_of(h).moved_bytes, 0);
    heap_stats(h, &after);
    ck_assert_uint_lt(after.page_bytes * 2, before.page_bytes);
    heap_fixture_close(h);
}
END_TEST

/* A leaf holds nothing: how much the heap grew since one was let go says nothing. */
START_TEST(a_shared_leaf_that_is_let_go_does_not_make_growth_suspect)
{
    struct heap *h = heap_fixture_open((size_t)256 << 20);
    bool container = _i;
    value_release(h, value_share(h, container ? node_new(h, 4) : cell_take(h, KIND_STRING, 40, 0)));
    rows_new(h);
    ck_assert_int_eq(gc_urgency(h) == GC_INDEBTED, container);
    heap_fixture_close(h);
}
END_TEST
#endif

/* --- random graphs --------------------------------------------------------------------------*/

enum { GRAPH_ROWS = 60, GRAPH_SLOTS = 24 };

static value random_row(struct heap *h, value root, uint64_t *rng)
{
    value v = *node_slot(h, root, (unsigned)random_below(rng, GRAPH_ROWS));
    for (int depth = 0; depth < 5 && value_is_ref(v); depth++) {
        value next = *node_slot(h, v, (unsigned)random_below(rng, GRAPH_SLOTS / 2) * 2);
        if (!value_is_kind(next, KIND_LIST)) break;
        v = next;
    }
    return v;
}

static void graph_change(struct heap *h, value root, value *weak, uint64_t *rng)
{
    static const size_t sizes[] = {16, 48, 200, 700, 200, 200};
    value row = random_row(h, root, rng), other = random_row(h, root, rng);
    unsigned pair = (unsigned)random_below(rng, GRAPH_SLOTS / 2);
    uint64_t chance = random_below(rng, 100);
    if (!value_is_ref(row) || chance < 2) {
        node_set(h, root, (unsigned)random_below(rng, GRAPH_ROWS), node_new(h, GRAPH_SLOTS));
    } else if (chance < 60) {
        pair_set(h, row, pair, sizes[random_below(rng, 6)], random_below(rng, 1 << 20));
    } else if (chance < 75) {
        node_set(h, row, 2 * pair, node_new(h, GRAPH_SLOTS));
    } else if (chance < 78 && value_is_ref(other)) {
        node_set(h, row, 2 * pair, value_share(h, other));
    } else if (chance < 80 && value_is_ref(other)) {
        *weak = weak_make(h, other);
    } else if (chance < 82 && value_is_weak(*weak)) {
        value alive = weak_read(h, *weak);
        if (value_is_ref(alive)) node_set(h, row, 2 * pair, value_share(h, alive));
    } else if (chance < 90) { /* a subtree moves from one row to another */
        value moved = *node_slot(h, row, 2 * pair), number = *node_slot(h, row, 2 * pair + 1);
        store(h, node_slot(h, row, 2 * pair), VALUE_NIL);
        unsigned to = (unsigned)random_below(rng, GRAPH_ROWS);
        value target = *node_slot(h, root, to);
        if (!value_is_ref(target) || target == row || value_is_kind(moved, KIND_LIST)) {
            value_release(h, moved);
        } else {
            node_set(h, target, 2 * pair, moved);
            store(h, node_slot(h, target, 2 * pair + 1), number);
        }
    } else if (chance < 92) { /* much goes at once */
        for (unsigned i = 0; i < GRAPH_SLOTS / 2; i++)
            if (random_below(rng, 3)) node_set(h, row, 2 * i, VALUE_NIL);
    }
}

START_TEST(random_graphs_keep_their_contents_while_they_move)
{
    uint64_t seed = random_seed() + (uint64_t)_i, rng = seed;
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, GRAPH_ROWS), weak = VALUE_NIL;
    heap_root_set_take(h, ROOT_KEYS, root);
    gc_compact_always(h, true);
    for (int i = 0; i < 30000; i++) {
        graph_change(h, root, &weak, &rng);
        if (random_below(&rng, 400) == 0) gc_start(h);
        if (random_below(&rng, 2) == 0) gc_step(h, random_below(&rng, 60));
        gc_safe_point(h);
        value row = random_row(h, root, &rng);
        for (unsigned j = 0; value_is_ref(row) && j < GRAPH_SLOTS / 2; j++) pair_check(h, row, j);
        char message[256];
        if (i % 300 == 0)
            ck_assert_msg(heap_verify(h, message, sizeof message) == 0, "seed %lu, step %d: %s",
                          seed, i, message);
    }
    ck_assert_uint_gt(stats_of(h).moved_objects, 100);
    heap_fixture_reachable(h, root);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("compact");
    TCase *tcase = tcase_create("compact");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, what_is_left_on_sparse_pages_moves_together, 0, 4);
    tcase_add_test(tcase, containers_move_and_are_scanned_all_the_same);
    tcase_add_test(tcase, what_is_pinned_stays_with_its_page);
    tcase_add_test(tcase, nothing_moves_while_the_heap_is_pinned_or_walked);
    tcase_add_test(tcase, what_is_shared_or_in_a_frame_stays_where_it_is);
    tcase_add_test(tcase, a_full_heap_is_compacted_without_a_fresh_page);
#ifndef CAIRN_GC_STRESS
    tcase_add_test(tcase, what_is_wanted_when_idle_does_not_begin_beside_events);
    tcase_add_test(tcase, sparse_pages_are_emptied_beside_events_when_memory_is_short);
    tcase_add_loop_test(tcase, a_shared_leaf_that_is_let_go_does_not_make_growth_suspect, 0, 2);
    tcase_add_loop_test(tcase, an_idle_heap_is_compacted_once_and_then_rests, 0, 2);
#endif
    tcase_add_loop_test(tcase, random_graphs_keep_their_contents_while_they_move, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}
