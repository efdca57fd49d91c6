/* test_gc_share.c - the collector's part of the time is bounded and told. Time is made up. */
#include "heap/gc_share.h"

#include "tests/support/random.h"
#include "tests/support/runner.h"

#define SECOND_NS ((uint64_t)1000000000)

/* Turns of all lengths, in which the collector uses up what it gets, and often more. Returns its
 * part of the events' time in percent. */
static double percent_used(unsigned percent, uint64_t turn_ns_max, uint64_t step_ns)
{
    struct gc_share share = {0};
    uint64_t rng = 7, events_ns = 0, worked_ns = 0;
    for (int turn = 0; turn < 20000; turn++) {
        uint64_t took = 1 + random_below(&rng, turn_ns_max);
        uint64_t budget = gc_share_earn(&share, took, percent);
        events_ns += took;
        ck_assert_uint_le(budget, GC_TURN_MOST_NS);
        uint64_t worked = 0;
        while (worked < budget) worked += step_ns; /* the last step goes beyond it */
        if (budget) gc_share_spend(&share, worked);
        worked_ns += worked;
    }
    return 100.0 * (double)worked_ns / (double)events_ns;
}

START_TEST(the_share_stays_below_its_bound_whatever_the_turns)
{
    static const uint64_t turns[] = {500, 10000, 100000, 3000000};
    static const uint64_t steps[] = {1000, 30000, 90000};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < 3; j++) {
            double usual = percent_used(GC_SHARE_USUAL, turns[i], steps[j]);
            double most = percent_used(GC_SHARE_MOST, turns[i], steps[j]);
            ck_assert_double_le(usual, GC_SHARE_USUAL + 0.5);
            ck_assert_double_le(most, GC_SHARE_MOST + 0.5);
            if (turns[i] > 100000) continue; /* there the length of a turn is the bound */
            ck_assert_double_ge(usual, GC_SHARE_USUAL - 1.5);
            ck_assert_double_ge(most, GC_SHARE_MOST * 0.97);
        }
}
END_TEST

/* docs/operations.md says it: a quarter, and at most twice the time that requests take. */
START_TEST(the_bounds_are_those_that_are_documented)
{
    ck_assert_uint_eq(GC_SHARE_USUAL, 25);
    ck_assert_uint_eq(GC_SHARE_MOST, 200);
}
END_TEST

START_TEST(what_was_not_used_is_not_saved_up)
{
    struct gc_share share = {0};
    for (int i = 0; i < 1000; i++) gc_share_earn(&share, 100000, GC_SHARE_USUAL);
    ck_assert_uint_le(gc_share_earn(&share, 1, GC_SHARE_USUAL), GC_TURN_NS);
    for (int i = 0; i < 1000; i++) gc_share_earn(&share, 100000, GC_SHARE_MOST);
    ck_assert_uint_le(gc_share_earn(&share, 1, GC_SHARE_MOST), GC_TURN_MOST_NS);
    ck_assert_uint_le(gc_share_earn(&share, 5 * SECOND_NS, GC_SHARE_USUAL), GC_TURN_MOST_NS);
    /* One long stall does not silence it for long. */
    gc_share_spend(&share, 3 * SECOND_NS);
    uint64_t events_ns = 0;
    while (gc_share_earn(&share, 100000, GC_SHARE_USUAL) == 0) events_ns += 100000;
    ck_assert_uint_le(events_ns, 5 * GC_TURN_MOST_NS);
}
END_TEST

START_TEST(the_share_of_the_last_second_and_minute_is_told)
{
    struct gc_share share = {0};
    uint64_t now = 1000 * SECOND_NS;
    ck_assert_uint_eq(gc_share_permille(&share, now, 1), 0);
    for (unsigned i = 0; i < 120 * 10; i++) { /* a fifth, for two minutes */
        now += SECOND_NS / 10;
        gc_share_record(&share, now, SECOND_NS / 50);
    }
    ck_assert_uint_ge(gc_share_permille(&share, now, 1), 180);
    ck_assert_uint_le(gc_share_permille(&share, now, 1), 240);
    ck_assert_uint_ge(gc_share_permille(&share, now, 60), 195);
    ck_assert_uint_le(gc_share_permille(&share, now, 60), 205);
    /* Then it rests. */
    now += SECOND_NS / 2;
    ck_assert_uint_le(gc_share_permille(&share, now, 1), 130);
    now += 2 * SECOND_NS;
    ck_assert_uint_eq(gc_share_permille(&share, now, 1), 0);
    now += 30 * SECOND_NS;
    ck_assert_uint_ge(gc_share_permille(&share, now, 60), 80);
    ck_assert_uint_le(gc_share_permille(&share, now, 60), 120);
    now += 1000 * SECOND_NS;
    ck_assert_uint_eq(gc_share_permille(&share, now, 60), 0);
    gc_share_record(&share, now, SECOND_NS / 2);
    ck_assert_uint_eq(gc_share_permille(&share, now, 1), 500);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("gc_share");
    TCase *tcase = tcase_create("gc_share");
    tcase_add_test(tcase, the_share_stays_below_its_bound_whatever_the_turns);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_bounds_are_those_that_are_documented);
    tcase_add_test(tcase, what_was_not_used_is_not_saved_up);
    tcase_add_test(tcase, the_share_of_the_last_second_and_minute_is_told);
    suite_add_tcase(suite, tcase);
    return suite;
}
