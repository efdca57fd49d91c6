/* test_barriers.c - each barrier and each counter of the heap, by itself: a scene that goes wrong
 * without it. tests/plants.sh takes them out one at a time and demands that the test named in
 * tests/plants.md fails.
 *
 * A change that the marker must notice is made at every moment of the marking, each time on a fresh
 * heap: somewhere in between, the marker has been where a reference goes, and not where it comes
 * from. The checks at the end of marking, and of the test, do the rest. */
#include <stdlib.h>
#include <string.h>

#include "heap/census.h"
#include "heap/gc.h"
#include "heap/list_int.h"
#include "heap/map_int.h"
#include "heap/text_int.h"
#include "heap/verify.h"
#include "heap/weak.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/nodes.h"
#include "tests/support/runner.h"

#define LEAF LIST_LEAF_MAX
#define FANOUT LIST_FANOUT

/* The first steps of marking are moments each; of the others, some so many. */
#define MOMENTS_FIRST 8
#define MOMENTS_LATER 20

struct scene {
    value (*build)(struct heap *h); /* returns what becomes the root */
    void (*change)(struct heap *h, value root);
};

static void finish_cycle(struct heap *h)
{
    while (gc_phase(h) != GC_IDLE || heap_drop_pending(h)) gc_step(h, 100);
}

/* Marking waits for what is dropped; a scene that drops something first should not. */
static void drop_all(struct heap *h)
{
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
}

/* Makes the change after so many steps. False if marking had ended by then. */
static bool play_at(const struct scene *scene, unsigned steps)
{
    struct heap *h = heap_fixture_open((size_t)16 << 20);
    value root = scene->build(h);
    heap_root_set_take(h, ROOT_KEYS, root);
    gc_start(h);
    for (; steps > 0 && gc_phase(h) == GC_MARK; steps--) gc_step(h, 1);
    bool marking = gc_phase(h) == GC_MARK;
    scene->change(h, root);
    finish_cycle(h);
    heap_fixture_close(h);
    return marking;
}

static unsigned marking_steps(const struct scene *scene)
{
    struct heap *h = heap_fixture_open((size_t)16 << 20);
    unsigned steps = 0;
    heap_root_set_take(h, ROOT_KEYS, scene->build(h));
    for (gc_start(h); gc_phase(h) == GC_MARK; steps++) gc_step(h, 1);
    heap_fixture_close(h);
    return steps;
}

static void play(const struct scene *scene)
{
    unsigned stride = 1 + marking_steps(scene) / MOMENTS_LATER, steps = 0, moments = 0;
    for (; play_at(scene, steps); moments++) steps += steps < MOMENTS_FIRST ? 1 : stride;
    ck_assert_uint_gt(moments, 1);
}

/* --- lists ------------------------------------------------------------------------------*/

/* A list of `count` texts, some of them in cells, or of numbers: those are fewer cells. */
static value list_of(struct heap *h, size_t count, bool texts)
{
    value *items = malloc(count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = texts ? cell_take(h, KIND_DOUBLE, 8, 0) : value_int((int64_t)i);
    value list = list_from_take(h, items, count);
    free(items);
    ck_assert_uint_ne(list, VALUE_ABSENT);
    return list;
}

static void insert_numbers(struct heap *h, value list, size_t index, size_t count)
{
    value *items = calloc(count, sizeof *items);
    for (size_t i = 0; i < count; i++) items[i] = value_int((int64_t)i);
    ck_assert_int_eq(list_insert_take(h, list, index, items, count), 0);
    free(items);
}

static value one_leaf(struct heap *h) { return list_of(h, LEAF - 2, true); }
static value two_leaves(struct heap *h) { return list_of(h, LEAF + LEAF / 2, true); }
static value one_node(struct heap *h) { return list_of(h, (FANOUT - 3) * LEAF, false); }
/* Of which the first is half empty, so that the second may join it when it is small. */
static value two_nodes(struct heap *h)
{
    value list = list_of(h, 3 * FANOUT * LEAF / 2, false);
    for (unsigned i = 0; i < FANOUT / 2; i++) list_remove(h, list, 0, LEAF, NULL);
    return list;
}

static void remove_the_first(struct heap *h, value list) { list_remove(h, list, 0, 1, NULL); }
static void split_a_leaf(struct heap *h, value list)
{
    insert_numbers(h, list, LEAF / 3, LEAF / 2);
}
static void remove_the_first_leaf(struct heap *h, value list)
{
    list_remove(h, list, 0, LEAF, NULL);
}
static void split_a_node(struct heap *h, value list)
{
    insert_numbers(h, list, LEAF / 2, FANOUT / 2 * LEAF);
}
static bool has_nodes_below_the_top(struct heap *h, value list)
{
    value top = cell_words(h, list)[LIST_TOP];
    return value_is_kind(top, KIND_LIST_NODE) &&
           value_is_kind(cell_words(h, top)[2], KIND_LIST_NODE);
}
/* The last node shrinks, until the first takes what is left of it, and has not been touched
 * before. */
static void join_nodes(struct heap *h, value list)
{
    ck_assert(has_nodes_below_the_top(h, list));
    while (has_nodes_below_the_top(h, list))
        list_remove(h, list, list_length(h, list) - LEAF, LEAF, NULL);
}
static void remove_all_but_a_leaf(struct heap *h, value list)
{
    size_t kept = LEAF / 4 * 3; /* with fewer, the leaf would be filled anew */
    list_remove(h, list, kept, list_length(h, list) - kept, NULL);
}

START_TEST(items_of_a_leaf_that_move_down)
{
    play(&(struct scene){one_leaf, remove_the_first});
}
END_TEST

START_TEST(items_of_a_leaf_that_splits)
{
    play(&(struct scene){two_leaves, split_a_leaf});
}
END_TEST

START_TEST(children_of_a_node_that_splits)
{
    play(&(struct scene){one_node, split_a_node});
}
END_TEST

START_TEST(children_of_a_node_that_move_down)
{
    play(&(struct scene){one_node, remove_the_first_leaf});
}
END_TEST

START_TEST(children_of_nodes_that_are_joined)
{
    play(&(struct scene){two_nodes, join_nodes});
}
END_TEST

START_TEST(the_only_child_of_a_top)
{
    play(&(struct scene){two_leaves, remove_all_but_a_leaf});
}
END_TEST

/* --- maps -------------------------------------------------------------------------------*/

/* Returns how many cells the map itself took: none, as a rule. */
static size_t map_put(struct heap *h, value map, size_t id)
{
    struct map_key key;
    value k = model_key(h, KEYS_TEXT, id), v = map_new(h);
    bool packs = strcmp(map_representation(h, map), "segmented") == 0;
    ck_assert_int_eq(map_key_value(h, &key, k), 0);
    uint64_t before = heap_fixture_allocations(h);
    ck_assert_int_eq(map_set_take(h, map, &key, v), 0);
    size_t cells = heap_fixture_allocations(h) - before - (!packs && value_is_ref(k));
    value_release(h, k);
    return cells;
}

static value map_of(struct heap *h, size_t count)
{
    value map = map_new(h);
    for (size_t i = 0; i < count; i++) map_put(h, map, i);
    return map;
}

static unsigned node_bits_of(struct heap *h, value map)
{
    return (unsigned)header_payload(cell_words(h, *map_body(h, map))[0]);
}

/* How many entries a segmented map has before one comes that splits a segment, and doubles the
 * map's node or leaves it as it is: two halves are made then, with their values. */
static size_t count_before(bool doubles)
{
    struct heap *h = heap_fixture_open(0);
    value map = map_of(h, MAP_ORDERED_MAX + 1);
    size_t count = MAP_ORDERED_MAX + 1;
    heap_root_set_take(h, ROOT_KEYS, map);
    ck_assert_str_eq(map_representation(h, map), "segmented");
    for (;; count++) {
        unsigned bits = node_bits_of(h, map);
        size_t cells = map_put(h, map, count);
        bool doubled = node_bits_of(h, map) != bits;
        if (doubled == doubles && (doubled || cells >= 4)) break;
        ck_assert_uint_lt(count, 16 * MAP_ORDERED_MAX);
    }
    heap_fixture_close(h);
    return count;
}

static size_t entries; /* of segmented_map */
static value segmented_map(struct heap *h) { return map_of(h, entries); }
static value small_record(struct heap *h) { return map_of(h, 6); }
static void add_an_entry(struct heap *h, value map) { map_put(h, map, map_count(h, map)); }
static void add_fields(struct heap *h, value map)
{
    for (unsigned i = 0; i < 4; i++) add_an_entry(h, map);
}

START_TEST(values_of_a_record_that_grows)
{
    play(&(struct scene){small_record, add_fields});
}
END_TEST

START_TEST(entries_of_a_segment_that_splits)
{
    entries = count_before(false);
    play(&(struct scene){segmented_map, add_an_entry});
}
END_TEST

#ifndef CAIRN_GC_STRESS /* there the top node is made as large as it gets */
START_TEST(segments_of_a_node_that_doubles)
{
    entries = count_before(true);
    play(&(struct scene){segmented_map, add_an_entry});
}
END_TEST
#endif

/* With keys that are no texts, so that it is no record. */
static void number_put(struct heap *h, value map, size_t id)
{
    struct map_key key;
    ck_assert_int_eq(map_key_value(h, &key, value_int((int64_t)id)), 0);
    ck_assert_int_eq(map_set_take(h, map, &key, map_new(h)), 0);
}
static void number_remove(struct heap *h, value map, size_t id)
{
    struct map_key key;
    ck_assert_int_eq(map_key_value(h, &key, value_int((int64_t)id)), 0);
    ck_assert_int_eq(map_remove(h, map, &key, NULL), 0);
}
static value numbers_of(struct heap *h, size_t count, const char *representation)
{
    value map = map_new(h);
    for (size_t i = 0; i < count; i++) number_put(h, map, i);
    ck_assert_str_eq(map_representation(h, map), representation);
    return map;
}

static value small_linear(struct heap *h) { return numbers_of(h, MAP_LINEAR_MAX / 2, "linear"); }
static void fill_the_linear(struct heap *h, value map)
{
    for (size_t i = MAP_LINEAR_MAX / 2; i < MAP_LINEAR_MAX; i++) number_put(h, map, i);
    ck_assert_str_eq(map_representation(h, map), "linear");
}
static value small_ordered(struct heap *h) { return numbers_of(h, 2 * MAP_LINEAR_MAX, "ordered"); }
static void fill_the_ordered(struct heap *h, value map)
{
    for (size_t i = 2 * MAP_LINEAR_MAX; i < MAP_ORDERED_MAX / 2; i++) number_put(h, map, i);
    ck_assert_str_eq(map_representation(h, map), "ordered");
}
/* Three quarters but one are removed, from the front. */
static value thinned_ordered(struct heap *h)
{
    value map = numbers_of(h, MAP_ORDERED_MAX, "ordered");
    for (size_t i = 0; i < MAP_ORDERED_MAX * 3 / 4 - 1; i++) number_remove(h, map, i);
    drop_all(h);
    return map;
}
static void remove_one_more(struct heap *h, value map)
{
    number_remove(h, map, MAP_ORDERED_MAX * 3 / 4 - 1);
}
/* A record whose cell is scanned in several parts, of which the last fields are left. */
static value thinned_record(struct heap *h)
{
    value pairs[2 * MAP_FIELDS_MAX];
    for (size_t i = 0; i < MAP_FIELDS_MAX; i++) {
        pairs[2 * i] = model_key(h, KEYS_TEXT, i);
        pairs[2 * i + 1] = map_new(h);
    }
    value map = map_from_take(h, pairs, MAP_FIELDS_MAX);
    ck_assert_str_eq(map_representation(h, map), "record");
    for (size_t i = 0; i < MAP_FIELDS_MAX - 8; i++) {
        struct map_key key;
        value k = model_key(h, KEYS_TEXT, i);
        ck_assert_int_eq(map_key_value(h, &key, k), 0);
        ck_assert_int_eq(map_remove(h, map, &key, NULL), 0);
        value_release(h, k);
    }
    drop_all(h);
    return map;
}
static void add_a_field(struct heap *h, value map)
{
    map_put(h, map, MAP_FIELDS_MAX);
    ck_assert_str_eq(map_representation(h, map), "record");
}
static value small_segmented(struct heap *h) { return map_of(h, MAP_ORDERED_MAX + 4); }
static void add_some_entries(struct heap *h, value map)
{
    for (unsigned i = 0; i < 24; i++) add_an_entry(h, map);
}

START_TEST(pairs_of_a_linear_map_that_grows)
{
    play(&(struct scene){small_linear, fill_the_linear});
}
END_TEST

START_TEST(entries_of_an_ordered_map_that_grows)
{
    play(&(struct scene){small_ordered, fill_the_ordered});
}
END_TEST

START_TEST(entries_of_an_ordered_map_that_move_down)
{
    play(&(struct scene){thinned_ordered, remove_one_more});
}
END_TEST

START_TEST(values_of_a_record_that_move_down)
{
    play(&(struct scene){thinned_record, add_a_field});
}
END_TEST

START_TEST(values_of_a_segment_that_grow)
{
    play(&(struct scene){small_segmented, add_some_entries});
}
END_TEST

/* --- ropes ------------------------------------------------------------------------------*/

static char rope_bytes[4 * ROPE_CHUNK_BYTES];

/* A root with a rope in it. */
static value rope_of(struct heap *h, size_t length)
{
    value root = node_new(h, 1);
    memset(rope_bytes, 'x', sizeof rope_bytes);
    node_set(h, root, 0, text_new(h, rope_bytes, length, false));
    ck_assert(value_is_kind(*node_slot(h, root, 0), KIND_ROPE));
    return root;
}
static value three_chunks(struct heap *h) { return rope_of(h, 3 * ROPE_CHUNK_BYTES); }
static value half_a_chunk_more(struct heap *h) { return rope_of(h, 7 * ROPE_CHUNK_BYTES / 2); }

/* As the methods do: it is taken out first. */
static void rope_append(struct heap *h, value root, const char *data, size_t length)
{
    value *slot = node_slot(h, root, 0), rope = *slot;
    store(h, slot, VALUE_NIL);
    rope = text_append_take(h, rope, data, length);
    ck_assert_uint_ne(rope, VALUE_ABSENT);
    store(h, slot, rope);
}
static void append_chunks(struct heap *h, value root)
{
    rope_append(h, root, rope_bytes, 2 * ROPE_CHUNK_BYTES);
}
static void append_what_is_no_text(struct heap *h, value root)
{
    rope_append(h, root, "\xff", 1);
    ck_assert(value_is_kind(*node_slot(h, root, 0), KIND_ROPE_BYTES));
}

START_TEST(chunks_of_a_rope_that_grows)
{
    play(&(struct scene){three_chunks, append_chunks});
}
END_TEST

START_TEST(what_a_rope_has_that_becomes_bytes)
{
    play(&(struct scene){half_a_chunk_more, append_what_is_no_text});
}
END_TEST

/* --- objects ----------------------------------------------------------------------------*/

/* Two nodes in the root; the first holds a shared object that nothing else holds. */
static value two_owners(struct heap *h)
{
    value root = node_new(h, 2);
    for (unsigned i = 0; i < 2; i++) node_set(h, root, i, node_new(h, 2));
    node_set(h, *node_slot(h, root, 0), 0, value_share(h, node_new(h, 1)));
    return root;
}

static void make_an_object(struct heap *h, value root)
{
    node_set(h, root, 1, node_new(h, 2));
}
/* The object moves to a newborn, which the marker will not look at. */
static void move_the_object(struct heap *h, value root)
{
    value *from = node_slot(h, *node_slot(h, root, 0), 0), object = *from;
    value newborn = node_new(h, 1);
    store_new(node_slot(h, newborn, 0), object);
    store(h, from, VALUE_NIL);
    node_set(h, root, 1, newborn);
}
static void drop_the_owner(struct heap *h, value root)
{
    value object = *node_slot(h, *node_slot(h, root, 0), 0);
    node_set(h, root, 1, object);
    node_set(h, root, 0, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, 1);
}
static void store_it_twice(struct heap *h, value root)
{
    value inner = *node_slot(h, *node_slot(h, root, 0), 0);
    node_set(h, inner, 0, value_share(h, *node_slot(h, root, 1)));
}

START_TEST(what_is_made_while_marking)
{
    play(&(struct scene){two_owners, make_an_object});
}
END_TEST

START_TEST(what_is_overwritten_while_marking)
{
    play(&(struct scene){two_owners, move_the_object});
}
END_TEST

START_TEST(what_the_drop_queue_lets_go)
{
    play(&(struct scene){two_owners, drop_the_owner});
}
END_TEST

START_TEST(what_is_stored_twice)
{
    play(&(struct scene){two_owners, store_it_twice});
}
END_TEST

START_TEST(what_a_weak_reference_gives_away)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 1), target = node_new(h, 1);
    heap_root_set_take(h, ROOT_KEYS, root);
    value weak = weak_make(h, target);
    gc_start(h);
    gc_step(h, 1); /* the root is scanned */
    ck_assert_int_eq(gc_phase(h), GC_MARK);
    node_set(h, root, 0, weak_read(h, weak));
    finish_cycle(h);
    ck_assert_uint_eq(weak_read(h, weak), target);
    heap_fixture_close(h);
}
END_TEST

/* --- frames and walks -------------------------------------------------------------------*/

START_TEST(a_frame_that_nobody_touches)
{
    struct heap *h = heap_fixture_open(0);
    struct root_frame frame;
    root_frame_open(h, &frame);
    ck_assert_int_eq(root_frame_push_take(h, &frame, node_new(h, 2)), 0);
    gc_start(h);
    finish_cycle(h);
    ck_assert_uint_eq(object_count(h), 1);
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

START_TEST(what_leaves_a_frame_while_marking)
{
    struct heap *h = heap_fixture_open(0);
    struct root_frame frame;
    root_frame_open(h, &frame);
    ck_assert_int_eq(root_frame_push_take(h, &frame, node_new(h, 2)), 0);
    gc_start(h);
    root_frame_touch(h, &frame);
    value root = node_new(h, 1); /* black: the marker will not look into it */
    store_new(node_slot(h, root, 0), frame.slots[--frame.count]);
    heap_root_set_take(h, ROOT_KEYS, root);
    finish_cycle(h);
    ck_assert_uint_eq(object_count(h), 2);
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

START_TEST(what_is_freed_before_a_walk_comes_to_it)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 10);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < 10; i++) node_set(h, root, i, node_new(h, 10));
    int error;
    struct heap_walk *walk = heap_walk_start(h, root, &error);
    ck_assert(!heap_walk_step(walk, 1)); /* has met them all, and looked into none */
    for (unsigned i = 0; i < 10; i++) node_set(h, root, i, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, 100);
    while (!heap_walk_step(walk, 1)) {}
    heap_walk_end(walk);
    heap_fixture_close(h);
}
END_TEST

/* --- pages and counters -----------------------------------------------------------------*/

START_TEST(a_cell_of_a_page_that_is_yet_to_be_swept)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 2);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < 100; i++) {
        value garbage = cell_take(h, KIND_STRING, 64, 0);
        if (i % 2) value_share(h, garbage);
        value_release(h, garbage); /* every other cell is free at once, the rest in the sweep */
    }
    gc_start(h);
    while (gc_phase(h) != GC_SWEEP) gc_step(h, 1);
    node_set(h, root, 0, cell_take(h, KIND_STRING, 64, 0));
    finish_cycle(h);
    heap_fixture_verify(h, "after the sweep");
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_counters_after_a_free)
{
    struct heap *h = heap_fixture_open(0);
    value kept = node_new(h, 4);
    heap_root_set_take(h, ROOT_KEYS, kept);
    value freed = node_new(h, 4);
    cell_free(h, freed); /* of the group at hand */
    heap_fixture_verify(h, "after a free");
    freed = node_new(h, 4);
    value *later = calloc(GROUP_GRANULES, sizeof *later);
    for (unsigned i = 0; i < GROUP_GRANULES; i++) later[i] = node_new(h, 4);
    cell_free(h, freed); /* of one that is left */
    heap_fixture_verify(h, "after a free behind");
    for (unsigned i = 0; i < GROUP_GRANULES; i++) cell_free(h, later[i]);
    free(later);
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_counters_after_a_sweep)
{
    struct heap *h = heap_fixture_open(0);
    value kept = node_new(h, 4);
    heap_root_set_take(h, ROOT_KEYS, kept);
    value_share(h, node_new(h, 4));
    gc_collect(h);
    heap_fixture_verify(h, "after a sweep");
    heap_fixture_close(h);
}
END_TEST

/* Each is a TCase of its own, so that CK_RUN_CASE names it. */
/* Rows of which three in four go; the rest lies on sparse pages, and moves together. */
START_TEST(what_moves_from_a_sparse_page)
{
    enum { ROWS = 400 };
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, ROWS);
    heap_root_set_take(h, ROOT_KEYS, root);
    for (unsigned i = 0; i < ROWS; i++) {
        value row = node_new(h, 60);
        node_set(h, row, 0, node_new(h, 2));
        node_set(h, root, i, row);
    }
    for (unsigned i = 0; i < ROWS; i++)
        if (i % 4 != 0) node_set(h, root, i, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    gc_compact_always(h, true);
    gc_collect(h);
    struct gc_stats stats;
    gc_stats(h, &stats);
    ck_assert_uint_gt(stats.moved_objects, 0);
    heap_fixture_close(h);
}
END_TEST

#define ADD(suite, test)                        \
    do {                                        \
        TCase *tcase = tcase_create(#test);     \
        tcase_set_timeout(tcase, 60);           \
        tcase_add_test(tcase, test);            \
        suite_add_tcase(suite, tcase);          \
    } while (0)

Suite *test_suite(void)
{
    Suite *suite = suite_create("barriers");
    ADD(suite, items_of_a_leaf_that_move_down);
    ADD(suite, items_of_a_leaf_that_splits);
    ADD(suite, children_of_a_node_that_splits);
    ADD(suite, children_of_a_node_that_move_down);
    ADD(suite, children_of_nodes_that_are_joined);
    ADD(suite, the_only_child_of_a_top);
    ADD(suite, values_of_a_record_that_grows);
    ADD(suite, entries_of_a_segment_that_splits);
    ADD(suite, pairs_of_a_linear_map_that_grows);
    ADD(suite, entries_of_an_ordered_map_that_grows);
    ADD(suite, entries_of_an_ordered_map_that_move_down);
    ADD(suite, values_of_a_record_that_move_down);
    ADD(suite, values_of_a_segment_that_grow);
    ADD(suite, chunks_of_a_rope_that_grows);
    ADD(suite, what_a_rope_has_that_becomes_bytes);
#ifndef CAIRN_GC_STRESS
    ADD(suite, segments_of_a_node_that_doubles);
#endif
    ADD(suite, what_is_made_while_marking);
    ADD(suite, what_is_overwritten_while_marking);
    ADD(suite, what_the_drop_queue_lets_go);
    ADD(suite, what_is_stored_twice);
    ADD(suite, what_a_weak_reference_gives_away);
    ADD(suite, a_frame_that_nobody_touches);
    ADD(suite, what_leaves_a_frame_while_marking);
    ADD(suite, what_is_freed_before_a_walk_comes_to_it);
    ADD(suite, a_cell_of_a_page_that_is_yet_to_be_swept);
    ADD(suite, what_moves_from_a_sparse_page);
    ADD(suite, the_counters_after_a_free);
    ADD(suite, the_counters_after_a_sweep);
    return suite;
}
