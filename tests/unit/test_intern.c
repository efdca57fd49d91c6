/* test_intern.c - short strings that repeat are stored once, and nothing is kept for it. */
#include "heap/intern.h"

#include <stdio.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/text.h"
#include "heap/verify.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/nodes.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define TEXT "said again and again"

static struct heap *h;

static void setup(void)
{
    struct heap_config config = {
        .max_bytes = (size_t)256 << 20, .hash_key = "fixed for tests", .intern_bytes_max = 64};
    ck_assert_int_eq(heap_create(&h, &config), 0);
}
static void teardown(void) { heap_fixture_close(h); }

static value intern(const char *text) { return intern_text(h, text, strlen(text)); }

static struct intern_stats figures(void)
{
    struct intern_stats stats;
    intern_stats(h, &stats);
    return stats;
}

/* The text is in the table afterwards, and nobody owns it. */
static value intern_twice(const char *text)
{
    value_release(h, intern(text));
    value second = intern(text);
    value_release(h, second);
    return second;
}

START_TEST(the_third_sight_gets_the_string_of_the_second)
{
    value first = intern(TEXT), second = intern(TEXT), third = intern(TEXT);
    ck_assert_uint_ne(first, second);
    ck_assert_uint_eq(second, third);
    ck_assert(!value_is_shared(h, first) && value_is_shared(h, second));
    ck_assert(text_equals(h, third, TEXT, strlen(TEXT)));
    ck_assert_uint_eq(figures().entries, 1);
    ck_assert_uint_eq(figures().hits, 1);
    ck_assert_uint_eq(figures().saved_bytes, value_cell_bytes(h, third));
    value_release(h, first); /* has one owner and is freed at once */
    ck_assert_uint_eq(heap_fixture_objects(h), 1);
}
END_TEST

START_TEST(what_is_unique_stays_unshared)
{
    for (unsigned i = 0; i < 10000; i++) {
        char text[32];
        snprintf(text, sizeof text, "unique text %u", i);
        value v = intern(text);
        ck_assert(!value_is_shared(h, v));
        value_release(h, v);
    }
    ck_assert_uint_eq(heap_fixture_objects(h), 0);
    ck_assert_uint_eq(figures().entries, 0);
}
END_TEST

START_TEST(bytes_and_lengths_outside_the_limit_are_not_interned)
{
    char limit[65];
    memset(limit, 'x', sizeof limit);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(value_is_inline_text(intern("7 bytes")));
        value bytes = intern("not UTF-8: \xff"), longer = intern_text(h, limit, 65);
        ck_assert(value_is_kind(bytes, KIND_BYTES));
        ck_assert(!value_is_shared(h, bytes) && !value_is_shared(h, longer));
        value_release(h, bytes);
        value_release(h, longer);
    }
    ck_assert_uint_eq(figures().entries, 0);
    value_release(h, intern_text(h, limit, 64));
    ck_assert(value_is_shared(h, intern_text(h, limit, 64)));
}
END_TEST

START_TEST(appending_to_an_interned_string_copies)
{
    intern_twice(TEXT);
    value own = intern(TEXT);
    value longer = text_append_take(h, own, "!", 1);
    ck_assert_uint_ne(longer, VALUE_ABSENT);
    ck_assert(text_equals(h, longer, TEXT "!", strlen(TEXT) + 1));
    value again = intern(TEXT);
    ck_assert(text_equals(h, again, TEXT, strlen(TEXT)));
    value_release(h, longer);
}
END_TEST

START_TEST(giving_up_interned_strings_makes_no_debt)
{
    intern_twice(TEXT);
    for (unsigned i = 0; i < 100000; i++) value_release(h, intern(TEXT));
    struct gc_stats stats;
    gc_stats(h, &stats);
    ck_assert_uint_eq(stats.debt_bytes, 0);
    ck_assert_uint_eq(heap_fixture_objects(h), 1);
}
END_TEST

START_TEST(the_collector_finds_what_no_one_owns)
{
    intern_twice(TEXT);
    value root = node_new(h, 2);
    heap_root_set_take(h, ROOT_KEYS, root);
    intern_twice("one that is kept");
    node_set(h, root, 0, intern("one that is kept"));
    ck_assert_uint_eq(figures().entries, 2);
    gc_collect(h);
    ck_assert_uint_eq(figures().entries, 1);
    ck_assert_uint_eq(heap_fixture_objects(h), 2);
    ck_assert_uint_eq(intern("one that is kept"), *node_slot(h, root, 0));
}
END_TEST

START_TEST(a_string_that_is_found_while_marking_is_kept)
{
    value root = node_new(h, 3);
    heap_root_set_take(h, ROOT_KEYS, root);
    value lost = intern_twice(TEXT); /* nobody else refers to it */
    gc_start(h);
    while (gc_phase(h) == GC_MARK && *node_slot(h, root, 0) == VALUE_NIL) {
        gc_step(h, 1);
        value got = intern(TEXT);
        ck_assert_uint_eq(got, lost);
        node_set(h, root, 0, got);
    }
    while (gc_phase(h) != GC_IDLE) gc_step(h, 1);
    heap_fixture_verify(h, "after the cycle");
    ck_assert_uint_eq(intern(TEXT), lost);
}
END_TEST

START_TEST(a_dead_string_is_not_found_while_draining)
{
    intern_twice(TEXT);
    gc_start(h);
    while (gc_phase(h) == GC_MARK) gc_step(h, 1);
    ck_assert_int_eq(gc_phase(h), GC_DRAIN);
    value fresh = intern(TEXT); /* a first sight again */
    ck_assert(!value_is_shared(h, fresh));
    while (gc_phase(h) != GC_IDLE) {
        heap_fixture_verify(h, "while draining and sweeping");
        gc_step(h, 1 << 16);
    }
    ck_assert(text_equals(h, fresh, TEXT, strlen(TEXT)));
    ck_assert_uint_eq(figures().entries, 0);
    value_release(h, fresh);
}
END_TEST

START_TEST(no_memory_changes_nothing)
{
    for (unsigned sight = 0; sight < 2; sight++) {
        heap_fail_nth(h, 1);
        ck_assert_uint_eq(intern(TEXT), VALUE_ABSENT);
        ck_assert_uint_eq(figures().entries, 0);
        heap_fixture_verify(h, "after a failure");
        value_release(h, intern(TEXT));
    }
    ck_assert_uint_eq(figures().entries, 1);
    heap_fail_nth(h, 1);
    ck_assert_uint_ne(intern(TEXT), VALUE_ABSENT); /* a hit allocates nothing */
    heap_fail_nth(h, 0);
}
END_TEST

/* More repeated strings than the table holds, stored and dropped in any order, while the collector
 * works: each says at all times what it said when it came in. */
START_TEST(random_strings_keep_their_content)
{
    enum { NODES = 100, TEXTS = 70000 };
    unsigned expected[NODES];
    value nodes[NODES];
    uint64_t random = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)random);
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i] = node_new(h, 2); /* the next node, and a text */
        if (i == 0)
            heap_root_set_take(h, ROOT_KEYS, nodes[i]);
        else
            node_set(h, nodes[i - 1], 0, nodes[i]);
    }
    for (unsigned round = 0; round < 200000; round++) {
        unsigned at = (unsigned)random_below(&random, NODES);
        unsigned n = (unsigned)random_below(&random, random_below(&random, 2) ? 20 : TEXTS);
        char text[32];
        value old = *node_slot(h, nodes[at], 1);
        int length = snprintf(text, sizeof text, "text number %u", expected[at]);
        if (old != VALUE_NIL) ck_assert(text_equals(h, old, text, (size_t)length));
        snprintf(text, sizeof text, "text number %u", n);
        node_set(h, nodes[at], 1, intern(text));
        expected[at] = n;
        if (round % 8 == 0) heap_fixture_jitter(h, &random);
    }
    heap_fixture_verify(h, "at the end");
    ck_assert_uint_gt(figures().hits, 1000);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = tcase_create(name); /* tests/plants.sh runs one by its name */
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
}
#define ADD(suite, test) add_case(suite, #test, test)

Suite *test_suite(void)
{
    Suite *suite = suite_create("intern");
    ADD(suite, the_third_sight_gets_the_string_of_the_second);
    ADD(suite, what_is_unique_stays_unshared);
    ADD(suite, bytes_and_lengths_outside_the_limit_are_not_interned);
    ADD(suite, appending_to_an_interned_string_copies);
    ADD(suite, giving_up_interned_strings_makes_no_debt);
    ADD(suite, the_collector_finds_what_no_one_owns);
    ADD(suite, a_string_that_is_found_while_marking_is_kept);
    ADD(suite, a_dead_string_is_not_found_while_draining);
    ADD(suite, no_memory_changes_nothing);
    ADD(suite, random_strings_keep_their_content);
    return suite;
}
