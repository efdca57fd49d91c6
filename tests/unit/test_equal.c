/* test_equal.c - equality by content: every kind, deep, cyclic, and over the limit. */
#include "heap/equal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

#define ENOUGH 100000

static char long_text[10 * CELL_BYTES_MAX];

/* A fresh value of the sort `i`; no two sorts are equal. ABSENT after the last. */
static value sample(struct heap *h, unsigned i)
{
    value items[3] = {value_int(1), value_int(2), value_int(3)};
    switch (i) {
    case 0: return VALUE_NIL;
    case 1: return VALUE_TRUE;
    case 2: return VALUE_FALSE;
    case 3: return value_int(1);
    case 4: return number_from_double(h, 1.0);
    case 5: return number_from_double(h, 0.0);
    case 6: return number_from_double(h, NAN);
    case 7: return number_from_double(h, INFINITY);
    case 8: return number_from_int64(h, INT64_MAX);
    case 9: return number_from_int64(h, INT64_MIN);
    case 10: return number_from_uint64(h, UINT64_MAX);
    case 11: return number_from_uint64(h, (uint64_t)1 << 63);
    case 12: return text_new(h, "1", 1, false);
    case 13: return text_new(h, "1", 1, true);
    case 14: return text_new(h, "", 0, false);
    case 15: return text_new(h, "a longer text", 13, false);
    case 16: return text_new(h, "a longer text", 13, true);
    case 17: return text_new(h, "a longer tixt", 13, false);
    case 18: return text_new(h, long_text, sizeof long_text, false);
    case 19: return text_new(h, long_text, sizeof long_text, true);
    case 20: return text_new(h, long_text, sizeof long_text - 1, false);
    case 21: return ext_new(h, 5, "abc", 3);
    case 22: return ext_new(h, 6, "abc", 3);
    case 23: return ext_new(h, 5, "abd", 3);
    case 24: return ext_new(h, 5, "ab", 2);
    case 25: return list_new(h);
    case 26: return list_from_take(h, items, 3);
    case 27: return list_from_take(h, items, 2);
    case 28: return list_from_take(h, items + 1, 2);
    case 29: return map_new(h);
    default: return VALUE_ABSENT;
    }
}

START_TEST(a_value_equals_its_like_and_nothing_else)
{
    struct heap *h = heap_fixture_open(0);
    memset(long_text, 'x', sizeof long_text);
    value a, b;
    for (unsigned i = 0; (a = sample(h, i)) != VALUE_ABSENT; i++) {
        for (unsigned j = 0; (b = sample(h, j)) != VALUE_ABSENT; j++) {
            ck_assert_msg(value_equal(h, a, b, ENOUGH) == (i == j), "%u and %u", i, j);
            value_release(h, b);
        }
        ck_assert_int_eq(value_equal(h, a, a, ENOUGH), 1);
        value_release(h, a);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(lists_are_equal_however_they_grew)
{
    struct heap *h = heap_fixture_open(0);
    enum { COUNT = 5000 };
    static value items[COUNT];
    for (int i = 0; i < COUNT; i++) items[i] = text_new(h, &i, sizeof i, true);
    value whole = list_from_take(h, items, COUNT), grown = list_new(h);
    for (int i = 0; i < COUNT; i++) {
        value item = text_new(h, &i, sizeof i, true);
        ck_assert_int_eq(list_insert_take(h, grown, (size_t)i, &item, 1), 0);
    }
    ck_assert_int_eq(value_equal(h, whole, grown, ENOUGH), 1);
    ck_assert_int_eq(value_equal(h, whole, grown, COUNT), -E2BIG);
    ck_assert_int_eq(value_equal(h, whole, grown, COUNT + 1), 1);
    ck_assert_int_eq(list_set_take(h, grown, COUNT - 1, VALUE_NIL), 0);
    ck_assert_int_eq(value_equal(h, whole, grown, ENOUGH), 0);
    value_release(h, whole);
    value_release(h, grown);
    heap_fixture_close(h);
}
END_TEST

static void set(struct heap *h, value map, value key_value, value v)
{
    struct map_key key;
    ck_assert_int_eq(map_key_value(h, &key, key_value), 0);
    ck_assert_int_eq(map_set_take(h, map, &key, v), 0);
}

/* A map of `count` entries, set in rising or falling order, with a value nested in each. */
static value map_of(struct heap *h, int count, bool falling, bool text_keys)
{
    value map = map_new(h);
    for (int n = 0; n < count; n++) {
        int i = falling ? count - 1 - n : n;
        value inner = value_int(i), key = value_int(i);
        value list = list_from_take(h, &inner, 1);
        char text[16];
        int length = snprintf(text, sizeof text, "k%d", i);
        if (text_keys) key = text_new(h, text, (size_t)length, false);
        set(h, map, key, list);
    }
    return map;
}

START_TEST(maps_are_equal_in_any_order)
{
    struct heap *h = heap_fixture_open(0);
    const int counts[] = {1, 2, 7, 8, 9, 60, 64, 65, 200, 3000};
    for (size_t i = 0; i < 2 * (sizeof counts / sizeof *counts); i++) {
        int count = counts[i / 2];
        value a = map_of(h, count, false, i % 2), b = map_of(h, count, true, i % 2);
        ck_assert_int_eq(value_equal(h, a, b, ENOUGH), 1);
        ck_assert_int_eq(value_equal(h, b, a, ENOUGH), 1);
        ck_assert_int_eq(value_equal(h, a, b, (size_t)count), -E2BIG);
        value key = i % 2 ? value_inline_text("k0", 2, false) : value_int(0);
        set(h, b, key, VALUE_NIL);
        ck_assert_int_eq(value_equal(h, a, b, ENOUGH), 0);
        struct map_key old;
        ck_assert_int_eq(map_key_value(h, &old, key), 0);
        ck_assert_int_eq(map_remove(h, b, &old, NULL), 0);
        ck_assert_int_eq(value_equal(h, a, b, ENOUGH), 0);
        set(h, b, value_inline_text("other", 5, false), VALUE_NIL);
        ck_assert_int_eq(value_equal(h, a, b, ENOUGH), 0);
        value_release(h, a);
        value_release(h, b);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(depth_is_no_danger)
{
    struct heap *h = heap_fixture_open(0);
    value deep[2], item = value_int(7);
    for (int i = 0; i < 2; i++) {
        deep[i] = list_from_take(h, &item, 1);
        for (int depth = 0; depth < 50000; depth++)
            deep[i] = list_from_take(h, (value[]){deep[i], value_int(depth)}, 2);
    }
    ck_assert_int_eq(value_equal(h, deep[0], deep[1], 200000), 1);
    ck_assert_int_eq(value_equal(h, deep[0], deep[1], 50000), -E2BIG);
    value_release(h, deep[0]);
    value_release(h, deep[1]);
    heap_fixture_close(h);
}
END_TEST

START_TEST(texts_count_by_their_length)
{
    struct heap *h = heap_fixture_open(0);
    enum { KIB = sizeof long_text / 1024 };
    memset(long_text, 'x', sizeof long_text);
    value a = text_new(h, long_text, sizeof long_text, false);
    value b = text_new(h, long_text, sizeof long_text, false);
    ck_assert_int_eq(value_equal(h, a, b, KIB), -E2BIG); /* itself, and one for each KiB */
    ck_assert_int_eq(value_equal(h, a, b, KIB + 1), 1);
    ck_assert_int_eq(value_equal(h, a, b, 0), -E2BIG);
    value_release(h, a);
    value_release(h, b);
    if (TEXT_CELL_MAX >= 4096) {
        a = text_new(h, long_text, 4096, true); /* of one cell */
        b = text_new(h, long_text, 4096, true);
        ck_assert_int_eq(value_equal(h, a, b, 4), -E2BIG);
        ck_assert_int_eq(value_equal(h, a, b, 5), 1);
        value_release(h, a);
        value_release(h, b);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(cycles_end_at_the_limit)
{
    struct heap *h = heap_fixture_open(0);
    value a = list_new(h), b = list_new(h);
    ck_assert_int_eq(list_push_take(h, a, value_share(h, a)), 0);
    ck_assert_int_eq(list_push_take(h, b, value_share(h, b)), 0);
    ck_assert_int_eq(value_equal(h, a, b, 1000), -E2BIG);
    ck_assert_int_eq(value_equal(h, a, a, 1000), 1);
    ck_assert_int_eq(list_push_take(h, b, VALUE_NIL), 0);
    ck_assert_int_eq(value_equal(h, a, b, 1000), 0);
    gc_collect(h);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("equal");
    TCase *tcase = tcase_create("equal");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_value_equals_its_like_and_nothing_else);
    tcase_add_test(tcase, lists_are_equal_however_they_grew);
    tcase_add_test(tcase, maps_are_equal_in_any_order);
    tcase_add_test(tcase, depth_is_no_danger);
    tcase_add_test(tcase, texts_count_by_their_length);
    tcase_add_test(tcase, cycles_end_at_the_limit);
    suite_add_tcase(suite, tcase);
    return suite;
}
