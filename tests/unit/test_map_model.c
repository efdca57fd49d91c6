/* test_map_model.c - random programs against a naive model, with the collector at work in
 * between; and every operation with every allocation failing once. */
#include <stdio.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/list.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

/* The checked builds are some 10 and 100 times slower. */
#if defined(CAIRN_GC_STRESS)
#define LARGE 600
#define OPERATIONS 500
#define SEEDS 1000
#define PAGING_SEEDS 50
#elif defined(__SANITIZE_ADDRESS__)
#define LARGE 6000
#define OPERATIONS 10000
#define SEEDS 2
#define PAGING_SEEDS 1
#else
#define LARGE 8000
#define OPERATIONS 10000
#define SEEDS 4
#define PAGING_SEEDS 1
#endif

static const struct {
    enum model_keys keys;
    size_t universe;
    const char *reached; /* the representation that it must have been in */
} programs[] = {
    {KEYS_TEXT, 5, "record"},      {KEYS_NUMBERS, 6, "linear"},   {KEYS_MIXED, 12, "linear"},
    {KEYS_TEXT, 20, "record"},     {KEYS_TEXT, 70, "ordered"},    {KEYS_MIXED, 90, "ordered"},
    {KEYS_NUMBERS, 90, "ordered"}, {KEYS_TEXT, LARGE, "segmented"},
    {KEYS_MIXED, LARGE, "segmented"},
};

/* Grows and shrinks by turns, so that all fill levels are met. */
static void random_program(uint64_t seed, int number)
{
    uint64_t random = seed;
    struct heap *h = heap_fixture_open(0);
    struct map_model m;
    model_open(&m, h, programs[number].keys, programs[number].universe);
    bool reached = false;
    uint64_t set_share = 8;
    /* At least so often that the largest map is filled and emptied. */
    size_t operations = OPERATIONS < 4 * m.universe ? 4 * m.universe : OPERATIONS;
    for (size_t i = 0; i < operations; i++) {
        if (m.count == m.universe || m.count >= m.universe * 9 / 10) set_share = 3;
        if (m.count <= m.universe / 20) set_share = 8;
        size_t id = random_below(&random, m.universe);
        if (random_below(&random, 10) < set_share)
            model_assert(model_set(&m, id) == 0);
        else
            model_remove(&m, id);
        model_check_key(&m, random_below(&random, m.universe));
        heap_fixture_jitter(h, &random);
        reached |= strcmp(map_representation(h, m.map), programs[number].reached) == 0;
        if (i % (operations / 20) == 0) model_check(&m, "now and then");
    }
    model_check(&m, "at the end");
    ck_assert_msg(reached, "seed %lu: it was never %s", seed, programs[number].reached);
    for (size_t id = 0; id < m.universe; id++) {
        model_remove(&m, id);
        if (id % 64 == 0) heap_fixture_jitter(h, &random);
    }
    model_check(&m, "emptied");
    ck_assert_uint_eq(map_count(h, m.map), 0);
    gc_collect(h); /* shapes that are not used any more */
    ck_assert_uint_eq(heap_fixture_objects(h), 1);
    model_close(&m);
    heap_fixture_close(h);
}

START_TEST(random_programs)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("random", SEEDS);
    while (seeds_next(&seeds, &seed)) random_program(seed, _i);
}
END_TEST

/* Sets keys one after the other, each with the first allocation failing, then the second, …
 * until it succeeds. */
START_TEST(setting_survives_failing_allocations)
{
    struct heap *h = heap_fixture_open(0);
    struct map_model m;
    model_open(&m, h, programs[_i].keys, programs[_i].universe);
    size_t failures = 0;
    uint64_t random = 7;
    for (size_t i = 0; i < m.universe; i++) {
        for (uint64_t n = 1;; n++) {
            heap_fail_nth(h, n);
            int status = model_set(&m, i);
            bool pending = heap_fail_pending(h);
            heap_fail_nth(h, 0);
            if (status == 0 && pending) break;
            /* An allocation that failed may also have been made good. */
            if (status == 0) {
                model_remove(&m, i);
                continue;
            }
            model_assert(!pending);
            failures++;
            model_check_key(&m, i);
            model_assert(map_count(h, m.map) == m.count);
            if (failures % 64 == 0) {
                model_check(&m, "after a failure");
                heap_fixture_verify(h, "after a failure");
            }
        }
        if (i % 16 == 0) heap_fixture_jitter(h, &random);
    }
    model_check(&m, "at the end");
    ck_assert_uint_gt(failures, m.universe / 2);
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

/* Removing needs no memory: with no allocation allowed to succeed, everything can be removed. */
START_TEST(removing_needs_no_memory)
{
    struct heap *h = heap_fixture_open(0);
    struct map_model m;
    model_open(&m, h, programs[_i].keys, programs[_i].universe);
    for (size_t i = 0; i < m.universe; i++) model_assert(model_set(&m, i) == 0);
    for (size_t i = 0; i < m.universe; i++) {
        struct map_key key;
        value k = model_key(h, m.keys, i);
        model_assert(map_key_value(h, &key, k) == 0);
        heap_fail_nth(h, 1 + i % 3); /* smaller cells for what is left are tried for */
        model_assert(map_remove(h, m.map, &key, NULL) == 0);
        heap_fail_nth(h, 0);
        value_release(h, k);
        model_assert(map_count(h, m.map) == m.universe - i - 1);
    }
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

/* --- maps made at once ----------------------------------------------------------------------*/

struct batch {
    struct root_frame frame; /* the pairs */
    size_t count, universe;
    enum model_keys keys;
    uint32_t *last; /* the version that wins, by key number */
};

/* Every third key comes again later. */
static size_t batch_id(size_t i)
{
    return i % 3 == 2 && i > 8 ? i - 7 : i;
}

static void batch_open(struct batch *b, struct heap *h, enum model_keys keys, size_t count)
{
    *b = (struct batch){.count = count, .keys = keys};
    b->last = calloc(count, sizeof *b->last);
    root_frame_open(h, &b->frame);
    for (size_t i = 0; i < count; i++) {
        size_t id = batch_id(i);
        b->last[id]++;
        value key = model_key(h, keys, id);
        /* The same key as bytes, now and then. */
        if (value_is_kind(key, KIND_STRING) && i % 5 == 0) {
            char text[64];
            size_t length = text_copy(h, key, 0, text, sizeof text);
            value_release(h, key);
            key = text_new(h, text, length, true);
        }
        ck_assert_int_eq(root_frame_push_take(h, &b->frame, key), 0);
        ck_assert_int_eq(
            root_frame_push_take(h, &b->frame, model_value(h, id, b->last[id])), 0);
    }
    for (size_t id = 0; id < count; id++) b->universe += b->last[id] > 0;
}

/* Every pair is there: each key with each of its versions. */
static void batch_check_kept(struct batch *b, struct heap *h)
{
    uint32_t *sum = calloc(b->count, sizeof *sum);
    for (size_t i = 0; i < b->count; i++) {
        size_t id = model_key_id(h, b->keys, b->frame.slots[2 * i]);
        uint32_t version = 1;
        while (version <= b->last[id] &&
               !model_value_is(h, b->frame.slots[2 * i + 1], id, version))
            version++;
        model_assert(version <= b->last[id]);
        sum[id] += version;
    }
    for (size_t id = 0; id < b->count; id++)
        model_assert(sum[id] == b->last[id] * (b->last[id] + 1) / 2);
    free(sum);
}

static void batch_check_map(const struct batch *b, struct heap *h, value map)
{
    ck_assert_uint_eq(map_count(h, map), b->universe);
    for (size_t id = 0; id < b->count; id++) {
        struct map_key key;
        value k = model_key(h, b->keys, id);
        model_assert(map_key_value(h, &key, k) == 0);
        value v = map_get(h, map, &key);
        model_assert(b->last[id] ? model_value_is(h, v, id, b->last[id]) : v == VALUE_ABSENT);
        value_release(h, k);
    }
}

static const struct {
    enum model_keys keys;
    size_t count;
    const char *representation;
} batches[] = {
    {KEYS_TEXT, 1, "record"},     {KEYS_TEXT, 12, "record"},    {KEYS_TEXT, 64, "record"},
    {KEYS_TEXT, 65, "ordered"},   {KEYS_NUMBERS, 8, "linear"},  {KEYS_MIXED, 9, "ordered"},
    {KEYS_MIXED, MAP_ORDERED_MAX, "ordered"}, {KEYS_TEXT, MAP_ORDERED_MAX * 3, "segmented"},
    {KEYS_MIXED, MAP_ORDERED_MAX + 1, "segmented"},
};

START_TEST(making_is_all_or_nothing)
{
    struct heap *h = heap_fixture_open(0);
    struct batch b;
    batch_open(&b, h, batches[_i].keys, batches[_i].count);
    value map;
    size_t failures = 0;
    /* Where a thousand allocations are made, a sample of them fails. */
    uint64_t stride = batches[_i].count < 1000 ? 1 : 13;
    for (uint64_t n = 1;; n += stride) {
        heap_fail_nth(h, n);
        map = map_from_take(h, b.frame.slots, b.count);
        heap_fail_nth(h, 0);
        if (map != VALUE_ABSENT) break;
        failures++;
        batch_check_kept(&b, h);
        if (failures % 16 == 1) heap_fixture_verify(h, "after a failure");
    }
    b.frame.count = 0;
    heap_root_set_take(h, ROOT_KEYS, map);
    ck_assert_uint_ge(failures, stride == 1 ? 1 : 2);
    batch_check_map(&b, h, map);
    ck_assert_str_eq(map_representation(h, map), batches[_i].representation);
    root_frame_close(h, &b.frame);
    free(b.last);
    heap_fixture_close(h);
}
END_TEST

/* --- in the midst of a collector's cycle ----------------------------------------------------*/

static void finish_cycle(struct heap *h)
{
    while (gc_phase(h) != GC_IDLE) gc_step(h, 100000);
}

/* Each insertion, and so each growth, split and turn, at one of the first steps of a cycle:
 * when the root, its body, or some of its chunks have been scanned, and the others not. */
START_TEST(growing_while_marking)
{
    struct heap *h = heap_fixture_open(0);
    uint64_t random = 3;
    struct map_model m;
    model_open(&m, h, programs[_i].keys, programs[_i].universe);
    for (size_t id = 0; id < m.universe; id++) {
        bool watched = id < 200 || random_below(&random, m.universe / 200) == 0;
        if (watched) gc_start(h);
        for (uint64_t steps = random_below(&random, 6); steps > 0; steps--) gc_step(h, 1);
        ck_assert_int_eq(model_set(&m, id), 0);
        if (watched) heap_fixture_verify(h, "after an entry was added in the midst of a cycle");
        if (watched) finish_cycle(h);
    }
    model_check(&m, "grown");
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

/* Values move from one map to another, behind the marker's back or ahead of it. */
START_TEST(moving_values_while_marking)
{
    struct heap *h = heap_fixture_open(0);
    size_t count = programs[_i].universe < 300 ? programs[_i].universe : MAP_ORDERED_MAX + 50;
    size_t period = count < 300 ? 2 : 8; /* of cycles */
    uint64_t random = 11;
    value both = list_new(h), maps[2];
    heap_root_set_take(h, ROOT_KEYS, both);
    for (size_t i = 0; i < 2; i++) {
        maps[i] = map_new(h);
        ck_assert_int_eq(list_push_take(h, both, maps[i]), 0);
    }
    for (size_t step = 0; step < 3 * count; step++) {
        size_t id = step % count;
        struct map_key key;
        size_t target = step / count % 2;
        value k = model_key(h, programs[_i].keys, id), v = VALUE_ABSENT;
        model_assert(map_key_value(h, &key, k) == 0);
        if (step % period == 0) gc_start(h);
        for (uint64_t steps = random_below(&random, 8); steps > 0; steps--) gc_step(h, 1);
        if (step < count)
            v = model_value(h, id, 2);
        else
            model_assert(map_remove(h, maps[!target], &key, &v) == 0);
        model_assert(map_set_take(h, maps[target], &key, v) == 0);
        value_release(h, k);
        if (step % period != period - 1) continue;
        heap_fixture_verify(h, "after values moved in the midst of a cycle");
        finish_cycle(h);
    }
    ck_assert_uint_eq(map_count(h, maps[0]), count);
    ck_assert_uint_eq(map_count(h, maps[1]), 0);
    for (size_t id = 0; id < count; id++) {
        struct map_key key;
        value k = model_key(h, programs[_i].keys, id);
        model_assert(map_key_value(h, &key, k) == 0);
        model_assert(model_value_is(h, map_get(h, maps[0], &key), id, 2));
        value_release(h, k);
    }
    heap_fixture_close(h);
}
END_TEST

/* --- paging ---------------------------------------------------------------------------------*/

/* The map changes between pages: it grows, shrinks and turns. What was there throughout is met,
 * and what is met was there at some time. */
static void page_through(uint64_t seed, int number)
{
    uint64_t random = seed;
    struct heap *h = heap_fixture_open(0);
    for (unsigned round = 0; round < 6; round++) {
        struct map_model m;
        size_t universe = programs[number].universe;
        bool grows = round % 2;
        model_open(&m, h, programs[number].keys, universe);
        for (size_t id = 0; id < universe; id++) {
            m.entries[id].kept = id % 4 == 0 && (!grows || id < 8);
            if (m.entries[id].kept || !grows) model_assert(model_set(&m, id) == 0);
        }
        size_t capacity = 1 + random_below(&random, round < 2 ? 4 : 100);
        value *page = malloc(capacity * 2 * sizeof *page);
        uint64_t cursor = 0, pages = 0;
        do {
            uint64_t next;
            size_t count = map_page(h, m.map, cursor, &next, page, capacity);
            ck_assert_uint_le(count, capacity);
            ck_assert(next == 0 || next > cursor);
            for (size_t i = 0; i < count; i++) {
                size_t id = model_key_id(h, m.keys, page[2 * i]);
                model_assert(m.entries[id].there);
                model_assert(model_value_is(h, page[2 * i + 1], id, m.entries[id].version));
                m.entries[id].met++;
            }
            cursor = next;
            pages++;
            for (size_t changes = random_below(&random, 40); changes > 0; changes--) {
                size_t id = random_below(&random, universe);
                if (random_below(&random, 10) < (grows ? 9 : 1))
                    model_assert(model_set(&m, id) == 0);
                else if (!m.entries[id].kept)
                    model_remove(&m, id);
            }
            heap_fixture_jitter(h, &random);
        } while (cursor != 0);
        for (size_t id = 0; id < universe; id++)
            if (m.entries[id].kept) model_assert(m.entries[id].met > 0);
        model_check(&m, "after paging");
        free(page);
        model_close(&m);
    }
    heap_fixture_close(h);
}

START_TEST(paging_meets_what_stays)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("paging", PAGING_SEEDS);
    while (seeds_next(&seeds, &seed)) page_through(seed, _i);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("map_model");
    TCase *tcase = tcase_create("map_model");
    const int program_count = sizeof programs / sizeof *programs;
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, setting_survives_failing_allocations, 0, program_count);
    tcase_add_loop_test(tcase, removing_needs_no_memory, 0, program_count);
    tcase_add_loop_test(tcase, making_is_all_or_nothing, 0, sizeof batches / sizeof *batches);
    tcase_add_loop_test(tcase, growing_while_marking, 0, program_count);
    tcase_add_loop_test(tcase, moving_values_while_marking, 0, program_count);
    suite_add_tcase(suite, tcase);
    TCase *random = seeds_tcase("random"), *paging = seeds_tcase("paging");
    tcase_add_loop_test(random, random_programs, 0, program_count);
    tcase_add_loop_test(paging, paging_meets_what_stays, 0, program_count);
    suite_add_tcase(suite, random);
    suite_add_tcase(suite, paging);
    return suite;
}
