/* test_value.c - the encodings of the tagged word. */
#include "heap/value.h"

#include <math.h>

#include "tests/support/random.h"
#include "tests/support/runner.h"

static void check_double(double d)
{
    if (!value_double_fits(d)) return;
    value v = value_double(d);
    ck_assert(value_is_double(v));
    double back = value_to_double(v);
    ck_assert_mem_eq(&back, &d, sizeof d);
}

START_TEST(integers_round_trip)
{
    const int64_t cases[] = {0, 1, -1, VALUE_INT_MAX, VALUE_INT_MIN, 1234567890123456789};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(value_int_fits(cases[i]));
        ck_assert(value_is_int(value_int(cases[i])));
        ck_assert_int_eq(value_to_int(value_int(cases[i])), cases[i]);
    }
    ck_assert(!value_int_fits(VALUE_INT_MAX + 1));
    ck_assert(!value_int_fits(VALUE_INT_MIN - 1));
    ck_assert(!value_int_fits(INT64_MAX));
}
END_TEST

START_TEST(doubles_round_trip)
{
    const double inside[] = {0.0, -0.0, 1, -1, 3.14, 1e-70, -1e70, 0x1.0000000000001p-255,
                             0x1.fffffffffffffp256};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        ck_assert(value_double_fits(inside[i]));
        check_double(inside[i]);
    }
    const double outside[] = {0x1p-255, -0x1p-255, 0x1p257, 1e300, 5e-324, INFINITY, NAN};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        ck_assert(!value_double_fits(outside[i]));
    uint64_t state = 1;
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random_next(&state);
        double d;
        memcpy(&d, &bits, sizeof d);
        check_double(d);
    }
}
END_TEST

START_TEST(references_keep_their_parts)
{
    value v = ref_make(KIND_MAP, 0xabcdef123, 0xfffff);
    ck_assert(value_is_ref(v) && value_is_kind(v, KIND_MAP));
    ck_assert_uint_eq(ref_kind(v), KIND_MAP);
    ck_assert_uint_eq(ref_granule(v), 0xabcdef123);
    ck_assert_uint_eq(ref_hash(v), 0xfffff);
    ck_assert(!kind_is_leaf(KIND_LIST) && kind_is_leaf(KIND_RAW));
    for (unsigned k = 0; k < KIND_COUNT; k++)
        if (k != KIND_FIRST_CONTAINER || k == KIND_LIST) ck_assert_ptr_nonnull(kind_name(k));
}
END_TEST

START_TEST(tags_exclude_each_other)
{
    const value all[] = {value_int(-5), value_double(2.5), ref_make(KIND_STRING, 7, 0),
                         value_inline_text("abc", 3, false), VALUE_NIL, VALUE_TRUE, VALUE_ABSENT};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        value v = all[i];
        ck_assert_int_eq(value_is_int(v) + value_is_double(v) + value_is_ref(v) +
                             value_is_inline_text(v) + value_is_special(v),
                         1);
    }
}
END_TEST

START_TEST(short_text_is_inline)
{
    value v = value_inline_text("pebbles", 7, true);
    ck_assert_uint_eq(value_inline_length(v), 7);
    ck_assert(value_inline_is_bytes(v));
    ck_assert_uint_eq(value_inline_length(value_inline_text("", 0, false)), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("value");
    TCase *tcase = tcase_create("value");
    tcase_add_test(tcase, integers_round_trip);
    tcase_add_test(tcase, doubles_round_trip);
    tcase_add_test(tcase, references_keep_their_parts);
    tcase_add_test(tcase, tags_exclude_each_other);
    tcase_add_test(tcase, short_text_is_inline);
    suite_add_tcase(suite, tcase);
    return suite;
}
