/* test_shape.c - shapes: shared by alike records, found again, collected when no one is left. */
#include "heap/shape.h"

#include <errno.h>
#include <stdio.h>

#include "heap/gc.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/runner.h"
#include "tests/support/scale.h"

static uint64_t shape_count(struct heap *h)
{
    struct heap_stats stats;
    heap_stats(h, &stats);
    return stats.shape_count;
}

/* A map of the names, made at once; the values are 0, 1, … */
static value make(struct heap *h, const char *const *names, size_t count)
{
    value pairs[2 * MAP_FIELDS_MAX + 2];
    for (size_t i = 0; i < count; i++) {
        pairs[2 * i] = text_new(h, names[i], strlen(names[i]), false);
        pairs[2 * i + 1] = value_int((int64_t)i);
    }
    value map = map_from_take(h, pairs, count);
    model_assert(map != VALUE_ABSENT);
    return map;
}

static void set(struct heap *h, value map, const char *name, int64_t v)
{
    struct map_key key;
    map_key_text(h, &key, name, strlen(name));
    model_assert(map_set_take(h, map, &key, value_int(v)) == 0);
}

static value get(struct heap *h, value map, const char *name)
{
    struct map_key key;
    map_key_text(h, &key, name, strlen(name));
    return map_get(h, map, &key);
}

static const char *const person[] = {"id", "name", "date of birth"};
static const char *const reversed[] = {"date of birth", "name", "id"};

START_TEST(a_million_alike_maps_share_one_shape)
{
    struct heap *h = heap_fixture_open((size_t)512 << 20);
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    for (int64_t i = 0; i < MILLION; i++) {
        struct map_key key;
        model_assert(map_key_value(h, &key, value_int(i)) == 0);
        model_assert(map_set_take(h, map, &key, make(h, person, 3)) == 0);
    }
    ck_assert_uint_eq(shape_count(h), 1);
    /* The record: a shape and three values. The map that holds it: less than 32 bytes. */
    struct heap_stats stats;
    heap_stats(h, &stats);
    ck_assert_uint_lt(stats.used_bytes / MILLION, 32 + 32);
    struct map_iterator it = {0};
    value key, record;
    while (map_next(h, map, &it, &key, &record))
        model_assert(get(h, record, "date of birth") == value_int(2));
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_order_of_fields_matters)
{
    struct heap *h = heap_fixture_open(0);
    value a = make(h, person, 3), b = make(h, reversed, 3), c = make(h, person, 2);
    ck_assert_uint_eq(shape_count(h), 3);
    ck_assert_uint_eq(get(h, a, "id"), value_int(0));
    ck_assert_uint_eq(get(h, b, "id"), value_int(2));
    ck_assert_uint_eq(get(h, c, "id"), value_int(0));
    ck_assert_uint_eq(get(h, c, "date of birth"), VALUE_ABSENT);
    value_release(h, a);
    value_release(h, b);
    value_release(h, c);
    heap_fixture_close(h);
}
END_TEST

START_TEST(growing_field_by_field_leads_to_the_same_shapes)
{
    struct heap *h = heap_fixture_open(0);
    value whole = make(h, person, 3);
    heap_root_set_take(h, ROOT_KEYS, whole);
    for (int i = 0; i < 3; i++) {
        value grown = map_new(h);
        for (int64_t f = 0; f < 3; f++) set(h, grown, person[f], f + 10);
        ck_assert_uint_eq(shape_count(h), 3); /* of one, two and three fields */
        for (int64_t f = 0; f < 3; f++)
            ck_assert_uint_eq(get(h, grown, person[f]), value_int(f + 10));
        ck_assert_str_eq(map_representation(h, grown), "record");
        value_release(h, grown);
    }
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    gc_collect(h);
    ck_assert_uint_eq(shape_count(h), 1); /* the one in use */
    heap_fixture_close(h);
}
END_TEST

/* A dictionary that is filled key by key is no record for long, and leaves few shapes. */
START_TEST(a_dictionary_leaves_records)
{
    struct heap *h = heap_fixture_open(0);
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    for (int i = 0; i < MAP_FIELDS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "entry number %d", i);
        set(h, map, name, i);
        ck_assert_str_eq(map_representation(h, map), i < 16 ? "record" : "ordered");
    }
    ck_assert_uint_eq(shape_count(h), 16);
    ck_assert_uint_eq(map_count(h, map), MAP_FIELDS_MAX);
    heap_fixture_close(h);
}
END_TEST

/* Around the width from which on shapes have an index, and the widest. */
START_TEST(all_fields_of_wide_shapes_are_found)
{
    static const size_t widths[] = {SHAPE_FIELDS_SCANNED, SHAPE_FIELDS_SCANNED + 1, 33,
                                    MAP_FIELDS_MAX};
    char names[MAP_FIELDS_MAX][32];
    const char *pointers[MAP_FIELDS_MAX];
    struct heap *h = heap_fixture_open(0);
    for (size_t i = 0; i < MAP_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], i % 2 ? "f%zu" : "the long name %zu", i);
        pointers[i] = names[i];
    }
    for (size_t w = 0; w < 4; w++) {
        value map = make(h, pointers, widths[w]);
        ck_assert_str_eq(map_representation(h, map), "record");
        for (size_t i = 0; i < MAP_FIELDS_MAX; i++)
            ck_assert_uint_eq(get(h, map, names[i]),
                              i < widths[w] ? value_int((int64_t)i) : VALUE_ABSENT);
        ck_assert_uint_eq(get(h, map, "another long name"), VALUE_ABSENT);
        value_release(h, map);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(removed_fields_are_left_behind)
{
    struct heap *h = heap_fixture_open(0);
    value map = make(h, person, 3);
    heap_root_set_take(h, ROOT_KEYS, map);
    struct map_key key;
    map_key_text(h, &key, "name", 4);
    uint64_t allocations = heap_fixture_allocations(h);
    ck_assert_int_eq(map_remove(h, map, &key, NULL), 0);
    ck_assert_uint_eq(heap_fixture_allocations(h), allocations);
    ck_assert_uint_eq(map_count(h, map), 2);
    ck_assert_uint_eq(get(h, map, "name"), VALUE_ABSENT);
    ck_assert_int_eq(map_remove(h, map, &key, NULL), -ENOENT);
    set(h, map, "name", 9);
    ck_assert_uint_eq(map_count(h, map), 3);
    struct map_iterator it = {0};
    value k, v;
    static const char *const order[] = {"id", "date of birth", "name"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert(map_next(h, map, &it, &k, &v));
        ck_assert(text_equals(h, k, order[i], strlen(order[i])));
    }
    /* It is the shape of a map that came so. */
    uint64_t shapes = shape_count(h);
    value_release(h, make(h, order, 3));
    ck_assert_uint_eq(shape_count(h), shapes);
    heap_fixture_close(h);
}
END_TEST

/* The only record of a shape is dropped while a cycle is under way, and another one made at
 * each point of the cycle: the shape it refers to must live, found or made again. */
START_TEST(a_shape_is_found_at_any_moment_of_a_cycle)
{
    struct heap *h = heap_fixture_open(0);
    bool found = false, again = false, seen[4] = {0};
    for (unsigned steps = 0; !seen[GC_IDLE]; steps++) {
        for (int drop_first = 0; drop_first < 2; drop_first++) {
            heap_root_set_take(h, ROOT_KEYS, make(h, person, 3));
            if (drop_first) heap_root_set_take(h, ROOT_KEYS, VALUE_NIL);
            while (heap_drop_pending(h)) heap_drop_step(h, 1000);
            gc_start(h);
            if (!drop_first) heap_root_set_take(h, ROOT_KEYS, VALUE_NIL);
            for (unsigned i = 0; i < steps; i++) gc_step(h, 1);
            seen[gc_phase(h)] = true;
            uint64_t shapes = shape_count(h);
            heap_root_set_take(h, ROOT_KEYS, make(h, person, 3));
            found |= shape_count(h) == shapes;
            again |= shape_count(h) == shapes + 1;
            heap_fixture_verify(h, "after a record was made in the midst of a cycle");
            while (gc_phase(h) != GC_IDLE) gc_step(h, 100);
            heap_fixture_verify(h, "after the cycle");
            ck_assert_uint_eq(get(h, heap_root(h, ROOT_KEYS), "name"), value_int(1));
            ck_assert_uint_eq(shape_count(h), 1);
            heap_root_set_take(h, ROOT_KEYS, VALUE_NIL);
            while (heap_drop_pending(h)) heap_drop_step(h, 1000);
            gc_collect(h);
            ck_assert_uint_eq(shape_count(h), 0);
        }
    }
    ck_assert(found && again);
    for (int phase = GC_IDLE; phase <= GC_SWEEP; phase++)
        ck_assert_msg(seen[phase], "no record was made in phase %s", gc_phase_name(phase));
    heap_fixture_close(h);
}
END_TEST

/* A wide record, some of whose words the marker has seen, moves its values together. */
START_TEST(a_half_scanned_record_may_be_changed)
{
    struct heap *h = heap_fixture_open(0);
    char names[41][16];
    const char *pointers[41];
    for (size_t i = 0; i < 41; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        pointers[i] = names[i];
    }
    value other = make(h, pointers + 1, 40); /* keeps the shape of 1, …, 40 */
    struct root_frame frame = {0};
    root_frame_open(h, &frame);
    ck_assert_int_eq(root_frame_push_take(h, &frame, other), 0);
    for (int steps = 0; steps < 8; steps++) {
        value record = make(h, pointers, 40);
        struct map_key key;
        for (size_t i = 0; i < 40; i++) {
            map_key_text(h, &key, names[i], strlen(names[i]));
            ck_assert_int_eq(map_set_take(h, record, &key, map_new(h)), 0);
        }
        heap_root_set_take(h, ROOT_KEYS, record);
        while (heap_drop_pending(h)) heap_drop_step(h, 1000);
        gc_start(h);
        for (int i = 0; i < steps; i++) gc_step(h, 1);
        map_key_text(h, &key, names[0], strlen(names[0]));
        ck_assert_int_eq(map_remove(h, record, &key, NULL), 0);
        set(h, record, names[40], 40);
        ck_assert_str_eq(map_representation(h, record), "record");
        ck_assert_uint_eq(map_count(h, record), 40);
        heap_fixture_verify(h, "after the record moved together");
        while (gc_phase(h) != GC_IDLE) gc_step(h, 1000);
        heap_fixture_verify(h, "after the cycle");
    }
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

static void fill_table(struct heap *h, value map, int shapes)
{
    for (int i = 0; i < shapes; i++) {
        char name[32];
        const char *pointer = name;
        struct map_key key;
        snprintf(name, sizeof name, "field %d", i);
        ck_assert_int_eq(map_key_value(h, &key, value_int(i)), 0);
        ck_assert_int_eq(map_set_take(h, map, &key, make(h, &pointer, 1)), 0);
    }
}

START_TEST(maps_stay_plain_when_the_table_is_full)
{
    struct heap *h;
    struct heap_config config = {
        .max_bytes = (size_t)64 << 20, .hash_key = "shapes", .shapes_max = 20};
    ck_assert_int_eq(heap_create(&h, &config), 0);
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    fill_table(h, map, 20);
    ck_assert_uint_eq(shape_count(h), 20);

    value plain = make(h, person, 3), grown = map_new(h), wide = map_new(h);
    ck_assert_str_eq(map_representation(h, plain), "linear");
    for (int64_t i = 0; i < 3; i++) set(h, grown, person[i], i);
    ck_assert_str_eq(map_representation(h, grown), "linear");
    ck_assert_uint_eq(shape_count(h), 20);
    for (int64_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(get(h, plain, person[i]), value_int(i));
        ck_assert_uint_eq(get(h, grown, person[i]), value_int(i));
    }
    /* A record that grows loses its shape for good. */
    const char *known = "field 7";
    value record = make(h, &known, 1);
    ck_assert_str_eq(map_representation(h, record), "record");
    set(h, record, "field 8", 8);
    ck_assert_str_eq(map_representation(h, record), "linear");
    ck_assert_uint_eq(get(h, record, "field 7"), value_int(0));
    ck_assert_uint_eq(get(h, record, "field 8"), value_int(8));

    value_release(h, plain);
    value_release(h, grown);
    value_release(h, wide);
    value_release(h, record);
    heap_root_set_take(h, ROOT_KEYS, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    gc_collect(h);
    ck_assert_uint_eq(shape_count(h), 0);
    plain = make(h, person, 3);
    ck_assert_str_eq(map_representation(h, plain), "record");
    value_release(h, plain);
    heap_fixture_close(h);
}
END_TEST

/* Programs with few shapes never wake the collector for them; one with very many does. */
/* Maps with ever new names, given up at once: what is left of each is a shape and its names. */
START_TEST(shapes_that_no_one_uses_do_not_fill_the_heap)
{
    struct heap *h = heap_fixture_open((size_t)16 << 20);
    struct heap_stats stats;
    for (unsigned i = 0; i < 20000; i++) {
        char names[16][200];
        const char *pointers[16];
        for (unsigned j = 0; j < 16; j++) {
            memset(names[j], 'x', sizeof names[j]);
            snprintf(names[j], sizeof names[j], "%u of %u %0150d", j, i, 0);
            pointers[j] = names[j];
        }
        value map = make(h, pointers, 16);
        value_release(h, map);
        gc_run(h, 100000, GC_BESIDE_EVENTS);
    }
    heap_stats(h, &stats);
    ck_assert_uint_lt(stats.used_bytes, (size_t)14 << 20);
    heap_fixture_close(h);
}
END_TEST

START_TEST(very_many_shapes_are_debt)
{
    struct heap *h;
    struct heap_config config = {
        .max_bytes = (size_t)64 << 20, .hash_key = "shapes", .shapes_max = 100};
    struct gc_stats stats;
    ck_assert_int_eq(heap_create(&h, &config), 0);
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    fill_table(h, map, 50);
    gc_stats(h, &stats);
    ck_assert_uint_eq(stats.debt_bytes, 0);
    fill_table(h, map, 100);
    gc_stats(h, &stats);
    ck_assert_uint_gt(stats.debt_bytes, 0);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("shape");
    TCase *tcase = tcase_create("shape");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_million_alike_maps_share_one_shape);
    tcase_add_test(tcase, the_order_of_fields_matters);
    tcase_add_test(tcase, growing_field_by_field_leads_to_the_same_shapes);
    tcase_add_test(tcase, a_dictionary_leaves_records);
    tcase_add_test(tcase, all_fields_of_wide_shapes_are_found);
    tcase_add_test(tcase, removed_fields_are_left_behind);
    tcase_add_test(tcase, a_shape_is_found_at_any_moment_of_a_cycle);
    tcase_add_test(tcase, a_half_scanned_record_may_be_changed);
    tcase_add_test(tcase, maps_stay_plain_when_the_table_is_full);
    tcase_add_test(tcase, shapes_that_no_one_uses_do_not_fill_the_heap);
    tcase_add_test(tcase, very_many_shapes_are_debt);
    suite_add_tcase(suite, tcase);
    return suite;
}
