/* test_query_lists.c - `in` with as many literals as there may be: read and sorted in steps, each
 * of them small, with the answers that a plain look at every row gives; errors, short memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/query_index.h"
#include "heap/text.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define ROWS 5000
#define RANGE 100000 /* of the numbers, in rows and in lists */

static struct heap *h;
static struct root_frame frame; /* of the table */
static struct table *t;
static uint64_t seed;
static int64_t numbers[ROWS];
static bool listed[RANGE];

static const struct table_field fields[] = {{"n", 1, TABLE_I64, false, false},
                                            {"x", 1, TABLE_F64, false, false},
                                            {"s", 1, TABLE_STR, false, false},
                                            {"k", 1, TABLE_SYM, false, false}};

static size_t show(char *room, int64_t n) { return (size_t)sprintf(room, "text %05d", (int)n); }

static void setup(void)
{
    struct table_error error;
    struct table_append a;
    value table;
    static double x[ROWS];
    static char room[ROWS][16];
    static struct table_text s[ROWS];
    h = heap_fixture_open(0);
    seed = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROWS; i++) {
        numbers[i] = (int64_t)random_below(&seed, RANGE);
        x[i] = (double)numbers[i];
        s[i] = (struct table_text){room[i], show(room[i], numbers[i])};
    }
    expect_true(table_create(h, fields, 4, &table, &error) == 0);
    t = table_of(h, table);
    root_frame_open(h, &frame);
    expect_true(root_frame_push_take(h, &frame, table) == 0);
    expect_true(table_append_begin(t, ROWS, &a, &error) == 0);
    expect_true(table_append_raw(&a, 0, ROWS, numbers, NULL, 0, &error) == 0);
    expect_true(table_append_raw(&a, 1, ROWS, x, NULL, 0, &error) == 0);
    expect_true(table_append_texts(&a, 2, ROWS, s, &error) == 0);
    expect_true(table_append_texts(&a, 3, ROWS, s, &error) == 0);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
    while (table_seal_step(t, 1000000) == 1) continue;
}

static void teardown(void)
{
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}

static value text(const char *s) { return text_new(h, s, strlen(s), false); }

/* ["in", column, [count literals, in any order, some of them twice]], and which these are. */
static value in_list(const char *column, uint32_t count)
{
    value list = list_new(h), test = list_new(h);
    char room[16];
    bool texts = *column == 's' || *column == 'k';
    memset(listed, 0, sizeof listed);
    for (uint32_t i = 0; i < count; i++) {
        int64_t n = (int64_t)random_below(&seed, RANGE);
        listed[n] = true;
        if (texts) show(room, n);
        expect_true(list_push_take(h, list, texts ? text(room) : number_from_int64(h, n)) == 0);
    }
    expect_true(list_push_take(h, test, text("in")) == 0);
    expect_true(list_push_take(h, test, text(column)) == 0);
    expect_true(list_push_take(h, test, list) == 0);
    return test;
}

static struct query_spec spec_of(value where)
{
    return (struct query_spec){.where = where, .let = VALUE_ABSENT, .order = VALUE_ABSENT,
                               .limit = VALUE_ABSENT, .offset = VALUE_ABSENT,
                               .select = VALUE_ABSENT, .group = VALUE_ABSENT,
                               .agg = VALUE_ABSENT, .having = VALUE_ABSENT};
}

static uint64_t count_rows(struct query *q, unsigned *steps)
{
    struct query_error error;
    struct query_batch batch;
    uint64_t rows = 0;
    int outcome;
    *steps = 0;
    while ((outcome = query_next(q, 0, 0, 0, &batch, &error)) > 0) {
        if (outcome == QUERY_ROWS) rows += batch.rows;
        ++*steps;
        if (*steps % 64 == 1) gc_collect(h); /* a list that nobody held would be gone */
        while (heap_drop_pending(h)) heap_drop_step(h, 100000);
    }
    expect(outcome == 0, "%s", error.text);
    return rows;
}

static uint64_t rows_listed(void)
{
    uint64_t rows = 0;
    for (int i = 0; i < ROWS; i++) rows += listed[numbers[i]];
    return rows;
}

static const char *const columns[] = {"n", "x", "s", "k"};

START_TEST(long_lists_take_steps_and_find_what_they_list)
{
    static const uint32_t counts[] = {0, 1, 255, 256, 257, 300, 1023, 5000, QUERY_LIST_MAX};
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
            struct query_error error;
            struct query *q;
            unsigned steps;
            value where = in_list(columns[c], counts[i]);
            struct query_spec spec = spec_of(where);
            expect_true(query_scan_create(h, table_pin(t), &spec, 0, &q, &error) == 0);
            value_release(h, where);
            uint64_t rows = count_rows(q, &steps);
            expect(rows == rows_listed(), "%s in %u literals: %llu rows", columns[c], counts[i],
                   (unsigned long long)rows);
            /* 64 literals are read in a step, and at most 1,024 moved. */
            if (counts[i] > 256) expect_true(steps >= counts[i] / 64);
            query_destroy(q);
        }
}
END_TEST

/* Whatever a negated list, or one of several, has to do with nulls and with its neighbours. */
START_TEST(several_lists_are_one_condition)
{
    struct query_error error;
    struct query *q;
    unsigned steps;
    bool first[RANGE];
    uint64_t wanted = 0;
    value both = list_new(h), not = list_new(h), a = in_list("n", 30000);
    memcpy(first, listed, sizeof first);
    value b = in_list("s", 20000);
    for (int i = 0; i < ROWS; i++) wanted += first[numbers[i]] && !listed[numbers[i]];
    expect_true(list_push_take(h, not, text("not")) == 0 && list_push_take(h, not, b) == 0);
    expect_true(list_push_take(h, both, text("and")) == 0 && list_push_take(h, both, a) == 0 &&
                list_push_take(h, both, not) == 0);
    expect_true(root_frame_push_take(h, &frame, both) == 0);
    struct query_spec spec = spec_of(both);
    expect_true(query_scan_create(h, table_pin(t), &spec, 0, &q, &error) == 0);
    expect_true(count_rows(q, &steps) == wanted);
    query_destroy(q);
    /* Given up in the middle. */
    root_frame_touch(h, &frame);
    spec = spec_of(frame.slots[1]);
    expect_true(query_scan_create(h, table_pin(t), &spec, 0, &q, &error) == 0);
    for (int i = 0; i < 20; i++) expect_true(query_prepare(q, 0, &error) == QUERY_BUSY);
    query_destroy(q);
    /* A nil at its end makes a negated list unknown of all rows. */
    value literals = list_get(h, list_get(h, list_get(h, frame.slots[1], 2), 1), 2);
    expect_true(list_push_take(h, literals, VALUE_NIL) == 0);
    expect_true(query_scan_create(h, table_pin(t), &spec, 0, &q, &error) == 0);
    expect_true(count_rows(q, &steps) == 0);
    query_destroy(q);
    /* An error of any literal names it. */
    root_frame_touch(h, &frame);
    spec = spec_of(frame.slots[1]);
    literals = list_get(h, list_get(h, list_get(h, frame.slots[1], 2), 1), 2);
    expect_true(list_push_take(h, literals, number_from_int64(h, 5)) == 0);
    expect_true(query_scan_create(h, table_pin(t), &spec, 0, &q, &error) == 0);
    int outcome;
    while ((outcome = query_prepare(q, 0, &error)) == QUERY_BUSY) continue;
    expect(outcome == -EINVAL && strstr(error.text, "where[2][1][2][20001]: column \"s\" is str") ==
                                     error.text, "%s", error.text);
    query_destroy(q);
}
END_TEST

START_TEST(preparing_may_fail_at_every_allocation)
{
    int status = -ENOMEM;
    value where = in_list("s", 300);
    struct query_spec spec = spec_of(where);
    for (uint64_t n = 1; status; n++) {
        struct query_error error = {0};
        struct query *q;
        struct table_version *v = table_pin(t);
        heap_fail_nth(h, n);
        status = query_scan_create(h, v, &spec, 0, &q, &error);
        if (status) {
            table_unpin(v);
        } else {
            status = query_prepare(q, UINT64_MAX, &error);
            query_destroy(q);
        }
        bool pending = heap_fail_pending(h);
        heap_fail_nth(h, 0);
        expect(status == 0 || (status == -ENOMEM && !pending), "%s", error.text);
        while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    }
    value_release(h, where);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("query_lists");
    TCase *lists = tcase_create("lists");
    tcase_set_timeout(lists, 300);
    tcase_add_checked_fixture(lists, setup, teardown);
    tcase_add_test(lists, long_lists_take_steps_and_find_what_they_list);
    tcase_add_test(lists, several_lists_are_one_condition);
    tcase_add_test(lists, preparing_may_fail_at_every_allocation);
    suite_add_tcase(suite, lists);
    return suite;
}
