/* test_tasks.c - the scheduler: turns, budgets, tasks that end, start and stop others; and
 * that the collector gets its share and then lets the process sleep. */
#include "server/tasks.h"

#include <time.h>

#include "heap/gc.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

static struct heap *heap;
static struct tasks tasks;

static void setup(void)
{
    heap = heap_fixture_open(0);
    tasks_init(&tasks, heap);
}

static void teardown(void) { heap_fixture_close(heap); }

struct counter {
    struct task task;
    int steps, steps_max;  /* done after so many */
    uint64_t budget_ns;    /* of the last step */
    uint64_t busy_ns;      /* what a step takes */
    struct counter *other; /* stopped by the first step */
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static enum task_outcome count_step(struct task *task, uint64_t budget_ns)
{
    struct counter *c = (struct counter *)task;
    uint64_t start_ns = now_ns();
    c->budget_ns = budget_ns;
    if (c->other) tasks_stop(&tasks, &c->other->task);
    while (now_ns() - start_ns < c->busy_ns) {}
    return ++c->steps < c->steps_max ? TASK_MORE : TASK_DONE;
}

static struct counter counter(int steps_max)
{
    return (struct counter){.task = {.name = "count", .step = count_step},
                            .steps_max = steps_max};
}

START_TEST(tasks_run_in_turn_until_done)
{
    struct counter a = counter(3), b = counter(1), c = counter(2);
    ck_assert(!tasks_want_time(&tasks));
    tasks_start(&tasks, &a.task);
    tasks_start(&tasks, &a.task); /* once is enough */
    tasks_start(&tasks, &b.task);
    tasks_start(&tasks, &c.task);
    ck_assert_uint_eq(tasks.count, 3);
    while (tasks_want_time(&tasks)) tasks_run(&tasks, 0);
    ck_assert_int_eq(a.steps, 3);
    ck_assert_int_eq(b.steps, 1);
    ck_assert_int_eq(c.steps, 2);
    ck_assert_uint_eq(tasks.count, 0);
    ck_assert(!tasks_want_time(&tasks));
    ck_assert_uint_eq(tasks.steps, 6);
    tasks_start(&tasks, &b.task); /* a finished task may be started again */
    while (tasks_want_time(&tasks)) tasks_run(&tasks, 0);
    ck_assert_int_eq(b.steps, 2);
}
END_TEST

START_TEST(a_round_shares_its_budget)
{
    struct counter a = counter(1), b = counter(1);
    tasks_start(&tasks, &a.task);
    tasks_start(&tasks, &b.task);
    tasks_run(&tasks, 1000);
    ck_assert_uint_eq(a.budget_ns, TASKS_BUSY_NS / 2);
    while (tasks_want_time(&tasks)) tasks_run(&tasks, 1000);
    ck_assert_int_eq(b.steps, 1);
    ck_assert_uint_gt(b.budget_ns, 0);
    ck_assert_uint_le(b.budget_ns, TASKS_BUSY_NS);
}
END_TEST

START_TEST(a_task_that_takes_all_does_not_starve_the_next)
{
    struct counter a = counter(100), b = counter(100);
    a.busy_ns = b.busy_ns = 2 * TASKS_IDLE_NS;
    tasks_start(&tasks, &a.task);
    tasks_start(&tasks, &b.task);
    for (int round = 0; round < 10; round++) tasks_run(&tasks, 0);
    ck_assert_int_eq(a.steps, 5);
    ck_assert_int_eq(b.steps, 5);
    ck_assert_uint_ge(tasks.spent_ns, 10 * 2 * TASKS_IDLE_NS);
    tasks_stop(&tasks, &a.task);
    tasks_stop(&tasks, &b.task);
    tasks_stop(&tasks, &b.task);
    ck_assert_uint_eq(tasks.count, 0);
}
END_TEST

START_TEST(a_step_may_stop_another_task)
{
    struct counter a = counter(2), b = counter(100), c = counter(2);
    a.other = &b;
    tasks_start(&tasks, &a.task);
    tasks_start(&tasks, &b.task);
    tasks_start(&tasks, &c.task);
    while (tasks_want_time(&tasks)) tasks_run(&tasks, 0);
    ck_assert_int_eq(a.steps, 2);
    ck_assert_int_eq(b.steps, 0);
    ck_assert_int_eq(c.steps, 2);
    ck_assert_uint_eq(tasks.count, 0);
}
END_TEST

START_TEST(the_collector_works_between_events_and_then_rests)
{
    gc_collect(heap);
    gc_start(heap);
    ck_assert_int_ne(gc_urgency(heap), GC_RESTING);
    ck_assert(tasks_want_time(&tasks));
    int rounds = 0;
    for (; tasks_want_time(&tasks); rounds++) {
        ck_assert_int_lt(rounds, 1000000);
        tasks_run(&tasks, 100000);
    }
    ck_assert_int_gt(rounds, 0);
    ck_assert_int_eq(gc_phase(heap), GC_IDLE);
    ck_assert_uint_gt(tasks.collector_ns, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tasks");
    TCase *tcase = tcase_create("tasks");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tasks_run_in_turn_until_done);
    tcase_add_test(tcase, a_round_shares_its_budget);
    tcase_add_test(tcase, a_task_that_takes_all_does_not_starve_the_next);
    tcase_add_test(tcase, a_step_may_stop_another_task);
    tcase_add_test(tcase, the_collector_works_between_events_and_then_rests);
    suite_add_tcase(suite, tcase);
    return suite;
}
