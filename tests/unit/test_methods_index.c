/* test_methods_index.c - table.index through the methods: what is shown, answers that stay right
 * while the table changes, cancelling, and what is indexed between events. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/table_value.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

/* Rows first..first+n-1: i ascends, k is scattered, s is a text of k. */
static void append_rows(int first, int n)
{
    char *params = malloc((size_t)n * 60 + 100), *at = params;
    at += sprintf(at, "'t', {'rows': [");
    for (int i = first; i < first + n; i++) {
        int k = i * 7919 % 10007;
        at += sprintf(at, "%s[%d, %d, 'text %d']", i > first ? ", " : "", i, k, k);
    }
    strcpy(at, "]}");
    ASK_HAS(&p, "table.append", params, "'n': ");
    free(params);
}

/* 5,000 rows, of which all are sealed. */
static void fill(void)
{
    ASK(&p, "table.create",
        "'t', [['i', 'i64'], ['k', 'i32', {'null': true}], ['s', 'str']]", "true");
    append_rows(0, 5000);
    ASK_HAS(&p, "table.compact", "'t'", "'bytes_after'");
}

#define FOUND(where, data) \
    ASK_HAS(&p, "table.scan", "'t', {'select': ['i'], 'where': " where "}", "'data': " data)
#define BY_INDEX(where, figure) \
    ASK_HAS(&p, "table.scan", "'t', {'select': ['i'], 'where': " where "}", figure)

/* One row is found, by an index. By hash: some others may be looked at, whose hashes clash. */
static void expect_candidates(const char *where)
{
    char params[200];
    snprintf(params, sizeof params, "'t', {'where': %s}", where);
    const char *got = ask(&p, "table.scan", params), *rows = strstr(got, "'index_rows': ");
    ck_assert_ptr_nonnull(strstr(got, "'rows': 1,"));
    ck_assert_int_ge(atoi(rows + strlen("'index_rows': ")), 1);
    ck_assert_int_le(atoi(rows + strlen("'index_rows': ")), 9);
}

/* --- what is shown ----------------------------------------------------------------------------*/

START_TEST(an_index_shows_in_schema_stats_and_explain)
{
    fill();
    ASK_HAS(&p, "table.explain", "'t', {'where': ['=', 'k', 7919]}",
            "'index': nil, 'why': 'its column has no index'");
    ASK_BEGINS(&p, "table.index", "'t', 'k', 'sorted'", "{'rows': 5000, 'bytes': 1");
    ASK_BEGINS(&p, "table.index", "'t', 's', 'hash'", "{'rows': 5000, 'bytes': 1");
    ASK_HAS(&p, "table.schema", "'t'",
            "['k', 'i32', {'null': true, 'sorted': false, 'index': 'sorted'}]");
    ASK_HAS(&p, "table.schema", "'t'", "['i', 'i64', {'null': false, 'sorted': false}]");
    ASK_HAS(&p, "table.stats", "'t'", "'index': {'kind': 'sorted', 'rows': 5000, 'bytes': ");
    ASK_HAS(&p, "table.stats", "'t'", "'index': nil");
    ASK_HAS(&p, "table.explain", "'t', {'where': ['=', 'k', 7919]}",
            "'index': 'sorted', 'candidates': 1");
    FOUND("['=', 'k', 7919]", "[[1]]");
    BY_INDEX("['=', 'k', 7919]", "'index_rows': 1");
    FOUND("['=', 's', 'text 7919']", "[[1]]");
    expect_candidates("['and', ['=', 's', 'text 7919'], ['>', 'i', 0]]");
    ASK(&p, "table.index", "'t', 'k', nil", "{'rows': 0, 'bytes': 0}");
    ASK_HAS(&p, "table.schema", "'t'", "['k', 'i32', {'null': true, 'sorted': false}]");
    BY_INDEX("['=', 'k', 7919]", "'index_chunks': 0, 'index_skipped': 0, 'index_rows': 0");
    FOUND("['=', 'k', 7919]", "[[1]]");
}
END_TEST

START_TEST(a_table_can_be_created_with_indexes)
{
    ASK(&p, "table.create", "'t', [['i', 'i64', {'index': 'hash'}], ['k', 'f64', {'index': nil}]]",
        "true");
    ASK(&p, "table.schema", "'t'",
        "[['i', 'i64', {'null': false, 'sorted': false, 'index': 'hash'}], "
        "['k', 'f64', {'null': false, 'sorted': false}]]");
    /* What table.schema says can be given to table.create. */
    ASK(&p, "table.create",
        "'u', [['i', 'i64', {'null': false, 'sorted': false, 'index': 'hash'}]]", "true");
    ASK_HAS(&p, "table.append", "'u', {'rows': [[5], [6]]}", "'n': 2");
    ASK_HAS(&p, "table.compact", "'u'", "'bytes_after'");
    while (tables_work(p.heap, 1000000)) continue;
    ASK_HAS(&p, "table.stats", "'u'", "'index': {'kind': 'hash', 'rows': 2");
    ASK_BEGINS(&p, "table.create", "'v', [['i', 'i64', {'index': 'tree'}]]",
               "! BAD_PARAMS table.create: an index is \"sorted\", \"hash\" or nil, not \"tree\"");
    ASK_BEGINS(&p, "table.create", "'v', [['i', 'i64', {'indices': 'hash'}]]", "! BAD_PARAMS");
    ASK(&p, "exists", "'v'", "0");
}
END_TEST

START_TEST(bad_indexes)
{
    fill();
    ASK_BEGINS(&p, "table.index", "'t', 'none', 'hash'", "! NOT_FOUND table.index: ");
    ASK_BEGINS(&p, "table.index", "'t', 'k', 'btree'", "! BAD_PARAMS table.index: an index is ");
    ASK_BEGINS(&p, "table.index", "'t', 'k', true", "! BAD_PARAMS table.index: an index is ");
    ASK_BEGINS(&p, "table.index", "'none', 'k', 'hash'", "! NOT_FOUND table.index: ");
    ASK_BEGINS(&p, "table.index", "['t', 0], 'k', 'hash'", "! WRONG_TYPE table.index: ");
    ASK_BEGINS(&p, "table.index", "'t', 'k'", "! BAD_PARAMS table.index");
    ASK_HAS(&p, "table.schema", "'t'", "['k', 'i32', {'null': true, 'sorted': false}]");
}
END_TEST

/* --- changes ----------------------------------------------------------------------------------*/

static void change_and_look(const char *kind)
{
    char params[40];
    sprintf(params, "'t', 'k', '%s'", kind);
    ASK_BEGINS(&p, "table.index", params, "{'rows': ");
    ASK(&p, "table.update", "'t', ['=', 'k', 7919], {'k': -5}", "1");
    FOUND("['=', 'k', 7919]", "[]");
    FOUND("['=', 'k', -5]", "[[1]]");
    ASK(&p, "table.set", "'t', 2, 'k', -5", "true");
    ASK(&p, "set", "['t', 3, 'k'], nil", "true");
    FOUND("['=', 'k', -5]", "[[1], [2]]");
    FOUND("['null', 'k']", "[[3]]");
    ASK(&p, "table.delete", "'t', ['=', 'k', -5]", "2");
    FOUND("['=', 'k', -5]", "[]");
    ASK(&p, "table.delete", "'t', [0]", "1");
    FOUND("['=', 'k', 0]", "[]");
    append_rows(20000, 100);
    FOUND("['=', 's', 'text 7130']", "[[20001]]"); /* in the tail */
    FOUND("['=', 'k', 7130]", "[[20001]]");
    ASK_HAS(&p, "table.compact", "'t'", "'bytes_after'");
    FOUND("['=', 'k', 7130]", "[[20001]]");
    while (tables_work(p.heap, 1000000)) continue;
    FOUND("['=', 'k', 7130]", "[[20001]]");
    expect_candidates("['=', 'k', 7130]");
    FOUND("['in', 'k', [7130, 1655, 100011]]", "[[4], [20001], [20018]]");
    ASK(&p, "table.update", "'t', ['=', 'k', 7130], {'k': 7919}", "1");
    ASK(&p, "table.update", "'t', ['=', 'i', 4], {'k': 0}", "1");
}

START_TEST(answers_stay_right_while_the_table_changes)
{
    fill();
    change_and_look("sorted");
    ASK(&p, "del", "'t'", "1");
    fill();
    change_and_look("hash");
    /* A list, and a table again: without an index. */
    ASK_BEGINS(&p, "table.to", "'t'", "{'rows': 50");
    ASK_BEGINS(&p, "table.from", "'t'", "{'rows': 50");
    ASK_HAS(&p, "table.schema", "'t'", "['k', 'i64', {'null': true, 'sorted': false}]");
    FOUND("['=', 'k', 7919]", "[[20001], [20015]]");
}
END_TEST

/* The new table shares the column, and its index; what is of another type gets one anew. */
START_TEST(indexes_stay_when_columns_are_altered)
{
    fill();
    ASK_BEGINS(&p, "table.index", "'t', 'k', 'sorted'", "{'rows': 5000");
    ASK_BEGINS(&p, "table.index", "'t', 's', 'hash'", "{'rows': 5000");
    ASK_BEGINS(&p, "table.index", "'t', 'i', 'sorted'", "{'rows': 5000");
    ASK_HAS(&p, "table.scan", "'t', {'select': ['i'], 'batch': {'rows': 1}}", "'cursor': 1");
    ASK(&p, "table.alter", "'t', [['drop', 's'], ['rename', 'k', 'key'], ['type', 'i', 'f64'], "
                           "['add', 'new', 'i8', {'default': 3}]]", "true");
    ASK(&p, "table.schema", "'t'",
        "[['i', 'f64', {'null': false, 'sorted': false, 'index': 'sorted'}], "
        "['key', 'i32', {'null': true, 'sorted': false, 'index': 'sorted'}], "
        "['new', 'i8', {'null': false, 'sorted': false}]]");
    FOUND("['=', 'key', 7919]", "[[1.0]]");
    BY_INDEX("['=', 'key', 7919]", "'index_rows': 1");
    while (tables_work(p.heap, 1000000)) continue;
    FOUND("['=', 'i', 17]", "[[17.0]]");
    BY_INDEX("['=', 'i', 17]", "'index_rows': 1");
    /* The old table, which the scan keeps, does not bring back what the new one gives up. */
    ASK(&p, "table.index", "'t', 'key', nil", "{'rows': 0, 'bytes': 0}");
    ck_assert(!tables_work(p.heap, 1000000));
    BY_INDEX("['=', 'key', 7919]", "'index_rows': 0");
    ASK_HAS(&p, "table.next", "1, {'rows': 2}", "[[1], [2]]");
    ASK(&p, "table.close", "1", "true");
}
END_TEST

START_TEST(a_scan_under_way_is_not_disturbed)
{
    fill();
    ASK_BEGINS(&p, "table.index", "'t', 'k', 'sorted'", "{'rows': 5000");
    ASK_HAS(&p, "table.scan",
            "'t', {'select': ['i'], 'where': ['between', 'k', 0, 10], 'batch': {'rows': 1}}",
            "'cursor': 1");
    ASK(&p, "table.index", "'t', 'k', nil", "{'rows': 0, 'bytes': 0}");
    ASK(&p, "table.update", "'t', ['<', 'k', 5000], {'k': 6000}", "2496");
    ASK_BEGINS(&p, "table.index", "'t', 'k', 'hash'", "{'rows': ");
    const char *got = ask(&p, "table.next", "1, {'rows': 100}");
    unsigned rows = 0;
    for (const char *at = strstr(got, "'data': ["); at && *at; at++) rows += *at == '[';
    ck_assert_str_eq(ask(&p, "table.close", "1"), "false");
    ck_assert_uint_eq(rows, 1 + 5); /* the list, and five: 0..10 are six, and one came before */
}
END_TEST

/* --- steps ------------------------------------------------------------------------------------*/

static bool asked;
static struct in_process other;

static void drop_meanwhile(void)
{
    if (asked) return;
    asked = true;
    ASK(&other, "table.index", "'t', 'k', nil", "{'rows': 0, 'bytes': 0}");
}

START_TEST(another_call_can_cancel_it)
{
    fill();
    in_process_join(&other, &p);
    asked = false;
    p.between = drop_meanwhile;
    ASK_BEGINS(&p, "table.index", "'t', 'k', 'sorted'",
               "! BUSY table.index: the index was changed by another call meanwhile");
    p.between = NULL;
    ck_assert(asked);
    while (tables_work(p.heap, 1000000)) continue;
    ASK_HAS(&p, "table.schema", "'t'", "['k', 'i32', {'null': true, 'sorted': false}]");
    in_process_end(&other);
}
END_TEST

/* Begins table.index, lets it take some steps, and ends the session's call. */
static void abort_after(unsigned steps)
{
    struct writer w;
    writer_init(&w, 0);
    writer_request(&w, 1, "table.index", 3);
    literal_write(&w, "'t', 's', 'sorted'");
    ck_assert_int_eq(in_process_begin(&p, w.data, w.length), CALL_PENDING);
    writer_close(&w);
    for (unsigned i = 0; i < steps; i++) {
        in_process_safe_point(&p);
        builder_touch(&p.builder);
        ck_assert_int_eq(call_resume(&p.call, 1), CALL_PENDING);
    }
    in_process_safe_point(&p);
    call_abort(&p.call);
    builder_reset(&p.builder);
}

START_TEST(a_session_that_ends_takes_it_back)
{
    fill();
    for (unsigned steps = 0; steps < 6; steps++) {
        abort_after(steps);
        ASK_HAS(&p, "table.schema", "'t'", "['s', 'str', {'null': false, 'sorted': false}]");
        while (tables_work(p.heap, 1000)) continue;
        ASK_HAS(&p, "table.stats", "'t'", "'index': nil");
    }
    /* What was there before stays. */
    ASK_BEGINS(&p, "table.index", "'t', 's', 'hash'", "{'rows': 5000");
    abort_after(2);
    while (tables_work(p.heap, 1000)) continue;
    ASK_HAS(&p, "table.stats", "'t'", "'index': {'kind': 'hash', 'rows': 5000");
    FOUND("['=', 's', 'text 7919']", "[[1]]");
}
END_TEST

START_TEST(it_is_built_in_steps)
{
    fill();
    uint64_t before = p.steps;
    p.budget_ns = 0;
    ASK_BEGINS(&p, "table.index", "'t', 's', 'sorted'", "{'rows': 5000");
    ck_assert_uint_gt(p.steps - before, 3);
    before = p.steps;
    ASK_BEGINS(&p, "table.index", "'t', 's', 'sorted'", "{'rows': 5000"); /* there already */
    ck_assert_uint_eq(p.steps - before, 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_index");
    TCase *tcase = tcase_create("index");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_index_shows_in_schema_stats_and_explain);
    tcase_add_test(tcase, a_table_can_be_created_with_indexes);
    tcase_add_test(tcase, bad_indexes);
    tcase_add_test(tcase, answers_stay_right_while_the_table_changes);
    tcase_add_test(tcase, indexes_stay_when_columns_are_altered);
    tcase_add_test(tcase, a_scan_under_way_is_not_disturbed);
    tcase_add_test(tcase, another_call_can_cancel_it);
    tcase_add_test(tcase, a_session_that_ends_takes_it_back);
    tcase_add_test(tcase, it_is_built_in_steps);
    suite_add_tcase(suite, tcase);
    return suite;
}
