/* test_set.c - sets against a naive model, with the collector at work in between and with every
 * allocation failing once; equality, paging, and sets made at once. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "heap/census.h"
#include "heap/equal.h"
#include "heap/gc.h"
#include "heap/set.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#if defined(CAIRN_GC_STRESS)
#define LARGE 600
#define OPERATIONS 6000
#else
#define LARGE 6000
#define OPERATIONS 20000
#endif

static const struct {
    enum model_keys keys;
    size_t universe;
    const char *reached;
} programs[] = {
    {KEYS_TEXT, 5, "linear"},       {KEYS_MIXED, 8, "linear"},        {KEYS_TEXT, 9, "segmented"},
    {KEYS_NUMBERS, 40, "segmented"}, {KEYS_NUMBERS, LARGE, "segmented"},
    {KEYS_MIXED, LARGE, "segmented"},
};
#define PROGRAM_COUNT (int)(sizeof programs / sizeof *programs)

struct set_model {
    struct heap *h;
    value set; /* in ROOT_KEYS */
    enum model_keys keys;
    size_t universe, count;
    bool there[LARGE];
};

static void open_model(struct set_model *m, struct heap *h, enum model_keys keys, size_t universe)
{
    *m = (struct set_model){.h = h, .set = set_new(h), .keys = keys, .universe = universe};
    model_assert(m->set != VALUE_ABSENT);
    heap_root_set_take(h, ROOT_KEYS, m->set);
}

static int include(struct set_model *m, size_t id)
{
    struct map_key key;
    value member = model_key(m->h, m->keys, id);
    if (member == VALUE_ABSENT) return -ENOMEM;
    model_assert(map_key_value(m->h, &key, member) == 0);
    int status = set_include(m->h, m->set, &key);
    value_release(m->h, member);
    if (status < 0) return status;
    model_assert(status == !m->there[id]);
    m->count += (size_t)status;
    m->there[id] = true;
    return 0;
}

static void exclude(struct set_model *m, size_t id)
{
    struct map_key key;
    value member = model_key(m->h, m->keys, id);
    model_assert(map_key_value(m->h, &key, member) == 0);
    model_assert(set_exclude(m->h, m->set, &key) == m->there[id]);
    value_release(m->h, member);
    m->count -= m->there[id];
    m->there[id] = false;
}

static void check_member(const struct set_model *m, size_t id)
{
    struct map_key key;
    value member = model_key(m->h, m->keys, id);
    model_assert(map_key_value(m->h, &key, member) == 0);
    model_assert(set_contains(m->h, m->set, &key) == m->there[id]);
    value_release(m->h, member);
}

static void check_model(const struct set_model *m)
{
    struct map_iterator it = {0};
    value member;
    size_t met = 0;
    model_assert(set_count(m->h, m->set) == m->count);
    for (size_t id = 0; id < m->universe; id++) check_member(m, id);
    for (; set_next(m->h, m->set, &it, &member); met++)
        model_assert(m->there[model_key_id(m->h, m->keys, member)]);
    model_assert(met == m->count);
}

START_TEST(random_programs)
{
    uint64_t seed = random_seed() + (uint64_t)_i, random = seed;
    printf("# seed %lu\n", seed - (uint64_t)_i);
    struct heap *h = heap_fixture_open(0);
    static struct set_model m;
    open_model(&m, h, programs[_i].keys, programs[_i].universe);
    bool reached = false;
    uint64_t share = 8;
    size_t operations = OPERATIONS < 4 * m.universe ? 4 * m.universe : OPERATIONS;
    for (size_t i = 0; i < operations; i++) {
        if (m.count >= m.universe * 9 / 10) share = 3;
        if (m.count <= m.universe / 20) share = 8;
        size_t id = random_below(&random, m.universe);
        if (random_below(&random, 10) < share)
            model_assert(include(&m, id) == 0);
        else
            exclude(&m, id);
        check_member(&m, random_below(&random, m.universe));
        heap_fixture_jitter(h, &random);
        reached |= strcmp(map_representation(h, m.set), programs[_i].reached) == 0;
        if (i % (operations / 20) == 0) check_model(&m);
    }
    check_model(&m);
    ck_assert_msg(reached, "it was never %s", programs[_i].reached);
    for (size_t id = 0; id < m.universe; id++) {
        exclude(&m, id);
        if (id % 64 == 0) heap_fixture_jitter(h, &random);
    }
    check_model(&m);
    ck_assert_uint_eq(heap_fixture_objects(h), 1);
    heap_fixture_close(h);
}
END_TEST

START_TEST(including_survives_failing_allocations)
{
    struct heap *h = heap_fixture_open(0);
    static struct set_model m;
    open_model(&m, h, programs[_i].keys, programs[_i].universe);
    size_t failures = 0;
    uint64_t random = 7;
    for (size_t i = 0; i < m.universe; i++) {
        for (uint64_t n = 1;; n++) {
            heap_fail_nth(h, n);
            int status = include(&m, i);
            bool pending = heap_fail_pending(h);
            heap_fail_nth(h, 0);
            if (status == 0 && pending) break;
            if (status == 0) {
                exclude(&m, i);
                continue;
            }
            model_assert(!pending && status == -ENOMEM);
            failures++;
            check_member(&m, i);
            model_assert(set_count(h, m.set) == m.count);
            if (failures % 64 == 0) {
                check_model(&m);
                heap_fixture_verify(h, "after a failure");
            }
        }
        if (i % 16 == 0) heap_fixture_jitter(h, &random);
    }
    check_model(&m);
    ck_assert_uint_gt(failures, 0);
    for (size_t i = 0; i < m.universe; i++) {
        struct map_key key;
        value member = model_key(h, m.keys, i);
        model_assert(map_key_value(h, &key, member) == 0);
        heap_fail_nth(h, 1); /* what shrinks may keep its larger cell */
        model_assert(set_exclude(h, m.set, &key));
        heap_fail_nth(h, 0);
        value_release(h, member);
    }
    heap_fixture_close(h);
}
END_TEST

/* A set of `count` members of which every third comes again, the second time as bytes; each
 * allocation fails once. */
START_TEST(made_at_once)
{
    struct heap *h = heap_fixture_open(0);
    static const size_t counts[] = {0, 1, 8, 9, 30, 500};
    size_t count = counts[_i], different = 0;
    struct root_frame frame;
    root_frame_open(h, &frame);
    for (size_t i = 0; i < count; i++) {
        size_t id = i % 3 == 2 ? i - 1 : i;
        value member = model_key(h, KEYS_MIXED, id);
        different += id == i;
        if (value_is_text(member) && i % 3 == 2) {
            char text[100];
            size_t length = text_copy(h, member, 0, text, sizeof text);
            value_release(h, member);
            member = text_new(h, text, length, true);
        }
        ck_assert_int_eq(root_frame_push_take(h, &frame, member), 0);
    }
    value set;
    for (uint64_t n = 1;; n++) {
        heap_fail_nth(h, n);
        set = set_from_take(h, frame.slots, count);
        heap_fail_nth(h, 0);
        if (set != VALUE_ABSENT) break;
        for (size_t i = 0; i < count; i++) model_key_id(h, KEYS_MIXED, frame.slots[i]);
        heap_fixture_verify(h, "after a failure");
    }
    frame.count = 0;
    heap_root_set_take(h, ROOT_KEYS, set);
    ck_assert_uint_eq(set_count(h, set), different);
    for (size_t i = 0; i < count; i++) {
        struct map_key key;
        value member = model_key(h, KEYS_MIXED, i % 3 == 2 ? i - 1 : i);
        ck_assert_int_eq(map_key_value(h, &key, member), 0);
        ck_assert(set_contains(h, set, &key));
        value_release(h, member);
    }
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

static value set_of(struct heap *h, size_t from, size_t to, bool backwards)
{
    value set = set_new(h);
    for (size_t i = from; i < to; i++) {
        struct map_key key;
        value member = model_key(h, KEYS_MIXED, backwards ? from + to - 1 - i : i);
        model_assert(map_key_value(h, &key, member) == 0);
        model_assert(set_include(h, set, &key) == 1);
        value_release(h, member);
    }
    return set;
}

START_TEST(equality_does_not_know_order)
{
    struct heap *h = heap_fixture_open(0);
    static const size_t counts[] = {0, 3, 8, 9, 300};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t n = counts[i];
        value a = set_of(h, 0, n, false), b = set_of(h, 0, n, true), c = set_of(h, 1, n + 1, false);
        ck_assert_int_eq(value_equal(h, a, b, 1000), 1);
        ck_assert_int_eq(value_equal(h, a, c, 1000), n == 0);
        value map = map_new(h);
        ck_assert_int_eq(value_equal(h, a, map, 1000), 0);
        if (n == 300) ck_assert_int_eq(value_equal(h, a, b, 100), -E2BIG);
        value_release(h, a);
        value_release(h, b);
        value_release(h, c);
        value_release(h, map);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(pages_meet_everything)
{
    struct heap *h = heap_fixture_open(0);
    static unsigned met[1000];
    memset(met, 0, sizeof met);
    value set = set_of(h, 0, 1000, false), out[2 * 16];
    heap_root_set_take(h, ROOT_KEYS, set);
    uint64_t cursor = 0;
    do {
        size_t count = set_page(h, set, cursor, &cursor, out, 16);
        for (size_t i = 0; i < count; i++) met[model_key_id(h, KEYS_MIXED, out[i])]++;
    } while (cursor != 0);
    for (size_t i = 0; i < 1000; i++) ck_assert_uint_eq(met[i], 1);
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_census_names_sets)
{
    struct heap *h = heap_fixture_open(0);
    struct census census;
    heap_root_set_take(h, ROOT_KEYS, set_of(h, 0, 8, false));
    census_init(&census);
    while (!census_step(h, &census, 100)) continue;
    ck_assert_uint_eq(census.by_kind[KIND_SET].count, 1);
    ck_assert_uint_eq(census.by_kind[KIND_MAP].count, 0);
    ck_assert_str_eq(kind_name(KIND_SET), "set");
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("set");
    TCase *random = tcase_create("random");
    tcase_set_timeout(random, 240);
    tcase_add_loop_test(random, random_programs, 0, PROGRAM_COUNT);
    tcase_add_loop_test(random, including_survives_failing_allocations, 0, PROGRAM_COUNT - 1);
    suite_add_tcase(suite, random);
    TCase *whole = tcase_create("whole");
    tcase_add_loop_test(whole, made_at_once, 0, 6);
    tcase_add_test(whole, equality_does_not_know_order);
    tcase_add_test(whole, pages_meet_everything);
    tcase_add_test(whole, the_census_names_sets);
    suite_add_tcase(suite, whole);
    return suite;
}
