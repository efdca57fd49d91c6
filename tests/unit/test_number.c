/* test_number.c - numbers inline and boxed, and their exact sum. */
#include "heap/number.h"

#include <errno.h>
#include <math.h>

#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

START_TEST(integers_keep_all_their_bits)
{
    struct heap *h = heap_fixture_open(0);
    const int64_t cases[] = {0,         1,         -1,
                             VALUE_INT_MAX, VALUE_INT_MIN, VALUE_INT_MAX + 1,
                             VALUE_INT_MIN - 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        value v = number_from_int64(h, cases[i]);
        ck_assert(value_is_int(v) == value_int_fits(cases[i]));
        struct number n = number_read(h, v);
        ck_assert_int_eq(n.class, NUMBER_INT64);
        ck_assert_int_eq(n.i, cases[i]);
        value_release(h, v);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(unsigned_integers_are_int64_where_they_fit)
{
    struct heap *h = heap_fixture_open(0);
    ck_assert_uint_eq(number_from_uint64(h, 7), value_int(7));
    value below = number_from_uint64(h, INT64_MAX);
    ck_assert_int_eq(number_read(h, below).class, NUMBER_INT64);
    ck_assert_int_eq(number_read(h, below).i, INT64_MAX);
    const uint64_t above[] = {(uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof above / sizeof *above; i++) {
        value v = number_from_uint64(h, above[i]);
        struct number n = number_read(h, v);
        ck_assert_int_eq(n.class, NUMBER_UINT64);
        ck_assert_uint_eq(n.u, above[i]);
        value_release(h, v);
    }
    value_release(h, below);
    heap_fixture_close(h);
}
END_TEST

START_TEST(doubles_keep_all_their_bits)
{
    struct heap *h = heap_fixture_open(0);
    const double cases[] = {0.0, -0.0, 1.5, -1e70, 0x1p-255, 0x1p257, -1e300,
                            5e-324, 1.7976931348623157e308, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        value v = number_from_double(h, cases[i]);
        ck_assert(value_is_double(v) == value_double_fits(cases[i]));
        struct number n = number_read(h, v);
        ck_assert_int_eq(n.class, NUMBER_DOUBLE);
        ck_assert_mem_eq(&n.d, &cases[i], sizeof n.d);
        value_release(h, v);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(what_is_not_a_number_reads_as_none)
{
    struct heap *h = heap_fixture_open(0);
    const value others[] = {VALUE_NIL, VALUE_TRUE, VALUE_FALSE, VALUE_ABSENT,
                            value_inline_text("1", 1, false)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_int_eq(number_read(h, others[i]).class, NUMBER_NONE);
    heap_fixture_close(h);
}
END_TEST

static struct number from_int64(int64_t i)
{
    return (struct number){.class = NUMBER_INT64, .i = i};
}
static struct number from_uint64(uint64_t u)
{
    return (struct number){.class = NUMBER_UINT64, .u = u};
}
static struct number from_double(double d)
{
    return (struct number){.class = NUMBER_DOUBLE, .d = d};
}

START_TEST(sums_of_integers_are_exact_or_refused)
{
    struct number sum;
    ck_assert_int_eq(number_add(from_int64(INT64_MAX), from_int64(1), &sum), 0);
    ck_assert_int_eq(sum.class, NUMBER_UINT64);
    ck_assert_uint_eq(sum.u, (uint64_t)1 << 63);
    ck_assert_int_eq(number_add(from_uint64(UINT64_MAX), from_int64(-1), &sum), 0);
    ck_assert_uint_eq(sum.u, UINT64_MAX - 1);
    ck_assert_int_eq(number_add(from_uint64((uint64_t)1 << 63), from_int64(-1), &sum), 0);
    ck_assert_int_eq(sum.class, NUMBER_INT64);
    ck_assert_int_eq(sum.i, INT64_MAX);
    ck_assert_int_eq(number_add(from_uint64((uint64_t)1 << 63), from_int64(INT64_MIN), &sum), 0);
    ck_assert_int_eq(sum.class, NUMBER_INT64);
    ck_assert_int_eq(sum.i, 0);
    ck_assert_int_eq(number_add(from_uint64(UINT64_MAX), from_int64(INT64_MIN), &sum), 0);
    ck_assert_int_eq(sum.i, INT64_MAX);

    sum = from_int64(42);
    ck_assert_int_eq(number_add(from_uint64(UINT64_MAX), from_int64(1), &sum), -ERANGE);
    ck_assert_int_eq(number_add(from_uint64(UINT64_MAX), from_uint64(UINT64_MAX), &sum), -ERANGE);
    ck_assert_int_eq(number_add(from_int64(INT64_MIN), from_int64(-1), &sum), -ERANGE);
    ck_assert_int_eq(number_add(from_int64(INT64_MIN), from_int64(INT64_MIN), &sum), -ERANGE);
    ck_assert_int_eq(sum.i, 42);
}
END_TEST

START_TEST(a_double_makes_the_sum_a_double)
{
    struct number sum;
    ck_assert_int_eq(number_add(from_int64(1), from_double(0.5), &sum), 0);
    ck_assert_int_eq(sum.class, NUMBER_DOUBLE);
    ck_assert_double_eq(sum.d, 1.5);
    ck_assert_int_eq(number_add(from_double(0.5), from_uint64(UINT64_MAX), &sum), 0);
    ck_assert_double_eq(sum.d, 18446744073709551616.0);
    ck_assert_int_eq(number_add(from_double(1e308), from_double(1e308), &sum), 0);
    ck_assert(isinf(sum.d));
}
END_TEST

START_TEST(a_box_that_cannot_be_had_changes_nothing)
{
    struct heap *h = heap_fixture_open(0);
    heap_fail_nth(h, 1);
    ck_assert_uint_eq(number_make(h, from_int64(INT64_MIN)), VALUE_ABSENT);
    heap_fail_nth(h, 1);
    ck_assert_uint_eq(number_make(h, from_uint64(UINT64_MAX)), VALUE_ABSENT);
    heap_fail_nth(h, 1);
    ck_assert_uint_eq(number_make(h, from_double(1e300)), VALUE_ABSENT);
    heap_fail_nth(h, 1);
    ck_assert_uint_eq(number_make(h, from_int64(5)), value_int(5)); /* needs no memory */
    ck_assert(heap_fail_pending(h));
    heap_fail_nth(h, 0);
    ck_assert_uint_eq(heap_fixture_objects(h), 0);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("number");
    TCase *tcase = tcase_create("number");
    tcase_add_test(tcase, integers_keep_all_their_bits);
    tcase_add_test(tcase, unsigned_integers_are_int64_where_they_fit);
    tcase_add_test(tcase, doubles_keep_all_their_bits);
    tcase_add_test(tcase, what_is_not_a_number_reads_as_none);
    tcase_add_test(tcase, sums_of_integers_are_exact_or_refused);
    tcase_add_test(tcase, a_double_makes_the_sum_a_double);
    tcase_add_test(tcase, a_box_that_cannot_be_had_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
