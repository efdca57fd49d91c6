/* test_workload.c - the load generator asks for what it says it asks for. */
#include "bench/workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"

static struct workload prepared(enum workload_kind kind, uint64_t keyspace,
                                enum distribution distribution)
{
    struct workload w = {.kind = kind, .get_percent = 30, .keyspace = keyspace,
                         .value_bytes = 50, .distribution = distribution, .zipf_theta = 0.99,
                         .random = 1};
    ck_assert_int_eq(workload_open(&w), 0);
    return w;
}

START_TEST(uniform_keys_cover_the_space_evenly)
{
    enum { KEYS = 10, DRAWS = 100000 };
    struct workload w = prepared(WORKLOAD_GET, KEYS, DISTRIBUTION_UNIFORM);
    unsigned counts[KEYS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t key = workload_key(&w);
        ck_assert_uint_lt(key, KEYS);
        counts[key]++;
    }
    for (int i = 0; i < KEYS; i++) {
        ck_assert_uint_gt(counts[i], DRAWS / KEYS * 95 / 100);
        ck_assert_uint_lt(counts[i], DRAWS / KEYS * 105 / 100);
    }
    workload_close(&w);
}
END_TEST

/* The method is exact for the two most frequent keys and near for the others. */
START_TEST(zipf_keys_are_as_frequent_as_their_rank_says)
{
    enum { KEYS = 1000, DRAWS = 400000 };
    struct workload w = prepared(WORKLOAD_GET, KEYS, DISTRIBUTION_ZIPF);
    static unsigned counts[KEYS];
    double zeta = 0;
    for (int i = 1; i <= KEYS; i++) zeta += pow(i, -w.zipf_theta);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t key = workload_key(&w);
        ck_assert_uint_lt(key, KEYS);
        counts[key]++;
    }
    for (int rank = 1; rank <= 2; rank++) {
        double expected = DRAWS * pow(rank, -w.zipf_theta) / zeta;
        ck_assert_double_eq_tol(counts[rank - 1], expected, expected * 0.05);
    }
    unsigned first_tenth = 0;
    double expected = 0;
    for (int i = 0; i < KEYS / 10; i++) {
        first_tenth += counts[i];
        expected += DRAWS * pow(i + 1, -w.zipf_theta) / zeta;
    }
    ck_assert_double_eq_tol(first_tenth, expected, expected * 0.05);
    workload_close(&w);
}
END_TEST

START_TEST(tiny_key_spaces_work_in_every_distribution)
{
    for (uint64_t keys = 1; keys <= 4; keys++)
        for (int d = DISTRIBUTION_UNIFORM; d <= DISTRIBUTION_ZIPF; d++) {
            struct workload w = prepared(WORKLOAD_GET, keys, d);
            unsigned counts[4] = {0};
            for (int i = 0; i < 2000; i++) {
                uint64_t key = workload_key(&w);
                ck_assert_uint_lt(key, keys);
                counts[key]++;
            }
            for (uint64_t k = 0; k < keys; k++) ck_assert_uint_gt(counts[k], 100);
            workload_close(&w);
        }
}
END_TEST

START_TEST(a_mixed_workload_has_the_share_of_gets_asked_for)
{
    struct workload w = prepared(WORKLOAD_MIXED, 10, DISTRIBUTION_UNIFORM);
    int gets = 0;
    for (int i = 0; i < 100000; i++) gets += workload_operation(&w) == OPERATION_GET;
    ck_assert_int_gt(gets, 29000);
    ck_assert_int_lt(gets, 31000);
    workload_close(&w);
    w = prepared(WORKLOAD_GET, 10, DISTRIBUTION_UNIFORM);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(workload_operation(&w), OPERATION_GET);
    workload_close(&w);
    w = prepared(WORKLOAD_SET, 10, DISTRIBUTION_UNIFORM);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(workload_operation(&w), OPERATION_SET);
    workload_close(&w);
}
END_TEST

START_TEST(a_key_has_one_value_and_neighbours_differ)
{
    struct workload w = prepared(WORKLOAD_SET, WORKLOAD_KEYSPACE_MAX, DISTRIBUTION_UNIFORM);
    struct workload same = prepared(WORKLOAD_SET, WORKLOAD_KEYSPACE_MAX, DISTRIBUTION_UNIFORM);
    int differ = 0;
    for (uint64_t key = 0; key < WORKLOAD_KEYSPACE_MAX; key += 999983) {
        const char *v = workload_value(&w, key);
        ck_assert(v >= w.pattern);
        for (size_t i = 0; i < w.value_bytes; i++) ck_assert(v[i] > ' ' && v[i] <= '~');
        ck_assert_mem_eq(v, workload_value(&same, key), w.value_bytes);
        differ += memcmp(v, workload_value(&w, key + 1), w.value_bytes) != 0;
    }
    ck_assert_int_gt(differ, 990);
    workload_close(&w);
    workload_close(&same);
}
END_TEST

START_TEST(keys_are_written_with_ten_digits)
{
    char text[WORKLOAD_KEY_BYTES];
    workload_key_text(0, text);
    ck_assert_mem_eq(text, "bench:0000000000", sizeof text);
    workload_key_text(1234567890, text);
    ck_assert_mem_eq(text, "bench:1234567890", sizeof text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("workload");
    TCase *tcase = tcase_create("workload");
    tcase_add_test(tcase, uniform_keys_cover_the_space_evenly);
    tcase_add_test(tcase, zipf_keys_are_as_frequent_as_their_rank_says);
    tcase_add_test(tcase, tiny_key_spaces_work_in_every_distribution);
    tcase_add_test(tcase, a_mixed_workload_has_the_share_of_gets_asked_for);
    tcase_add_test(tcase, a_key_has_one_value_and_neighbours_differ);
    tcase_add_test(tcase, keys_are_written_with_ten_digits);
    suite_add_tcase(suite, tcase);
    return suite;
}
