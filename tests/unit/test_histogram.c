/* test_histogram.c - the load generator's percentiles are what they claim to be. */
#include "bench/histogram.h"

#include <stdlib.h>

#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct histogram histogram, other;

static void reset(void)
{
    histogram_reset(&histogram);
    histogram_reset(&other);
}

START_TEST(an_empty_one_answers_zero)
{
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
    ck_assert(histogram_mean(&histogram) == 0);
}
END_TEST

START_TEST(small_values_are_exact)
{
    for (uint64_t v = 0; v < 256; v++) histogram_add(&histogram, v);
    for (uint64_t v = 0; v < 256; v++)
        ck_assert_uint_eq(histogram_quantile(&histogram, (double)(v + 1) / 256), v);
    ck_assert_uint_eq(histogram.min, 0);
    ck_assert_uint_eq(histogram.max, 255);
    ck_assert(histogram_mean(&histogram) == 127.5);
}
END_TEST

/* One value alone: its quantile is an upper bound within 1/128, at both sides of every
 * power of two. A second, larger value keeps the maximum from answering in its place. */
START_TEST(large_values_are_within_their_bucket)
{
    for (unsigned bit = 8; bit < HISTOGRAM_VALUE_BITS; bit++) {
        const uint64_t power = (uint64_t)1 << bit;
        const uint64_t cases[] = {power - 1, power, power + 1, power + power / 3};
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            histogram_reset(&histogram);
            histogram_add(&histogram, cases[i]);
            histogram_add(&histogram, HISTOGRAM_VALUE_MAX);
            uint64_t bound = histogram_quantile(&histogram, 0.5);
            ck_assert_uint_ge(bound, cases[i]);
            ck_assert_uint_le(bound - cases[i], cases[i] / 128);
        }
    }
}
END_TEST

START_TEST(what_is_too_large_counts_as_the_largest)
{
    histogram_add(&histogram, UINT64_MAX / 4);
    histogram_add(&histogram, 1);
    ck_assert_uint_eq(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 1);
    ck_assert_uint_eq(histogram.max, UINT64_MAX / 4);
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

START_TEST(quantiles_agree_with_sorting)
{
    enum { COUNT = 20000 };
    uint64_t *values = malloc(COUNT * sizeof *values);
    ck_assert_ptr_nonnull(values);
    uint64_t state = 42;
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = random_next(&state) >> (24 + random_next(&state) % 40);
        histogram_add(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof *values, compare);
    const double quantiles[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        size_t rank = (size_t)(quantiles[i] * COUNT + 0.9999999);
        uint64_t exact = values[rank ? rank - 1 : 0];
        uint64_t got = histogram_quantile(&histogram, quantiles[i]);
        ck_assert_uint_ge(got, exact);
        ck_assert_uint_le(got - exact, exact / 128);
    }
    free(values);
}
END_TEST

START_TEST(merging_equals_adding_to_one)
{
    struct histogram *all = malloc(sizeof *all);
    ck_assert_ptr_nonnull(all);
    histogram_reset(all);
    histogram_merge(&histogram, &other); /* two empty ones */
    ck_assert_uint_eq(histogram.count, 0);
    uint64_t state = 7;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = random_next(&state) >> 40;
        histogram_add(i % 3 ? &histogram : &other, v);
        histogram_add(all, v);
    }
    histogram_merge(&histogram, &other);
    ck_assert_mem_eq(&histogram, all, sizeof *all);
    free(all);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tcase = tcase_create("histogram");
    tcase_add_checked_fixture(tcase, reset, NULL);
    tcase_add_test(tcase, an_empty_one_answers_zero);
    tcase_add_test(tcase, small_values_are_exact);
    tcase_add_test(tcase, large_values_are_within_their_bucket);
    tcase_add_test(tcase, what_is_too_large_counts_as_the_largest);
    tcase_add_test(tcase, quantiles_agree_with_sorting);
    tcase_add_test(tcase, merging_equals_adding_to_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
