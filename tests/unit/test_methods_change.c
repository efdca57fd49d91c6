/* test_methods_change.c - changes of tables in steps: that others get their turn, that nothing is
 * seen of a half, what is left of a change that is given up; and table.alter. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/table.h"
#include "server/table_value.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p, other;

static void setup(void) { ask_open(&p, (size_t)512 << 20); }
static void teardown(void) { in_process_close(&p); }

/* Rows 0..count-1 as bins: n (i64), and k = n % 10 (u8). */
static const char *append_numbers(const char *path, size_t count)
{
    struct writer w;
    int64_t *n = malloc(count * sizeof *n);
    unsigned char *k = malloc(count);
    for (size_t i = 0; i < count; i++) {
        n[i] = (int64_t)i;
        k[i] = (unsigned char)(i % 10);
    }
    ask_columns_open(&w, path, count, 2);
    writer_cstr(&w, "n");
    writer_bin(&w, n, count * sizeof *n);
    writer_cstr(&w, "k");
    writer_bin(&w, k, count);
    const char *answer = ask_bytes(&p, "table.append", &w);
    writer_close(&w);
    free(n);
    free(k);
    return answer;
}

static void make_numbers(size_t count)
{
    ASK(&p, "table.create", "'t', [['n', 'i64'], ['k', 'u8']]", "true");
    const char *got = append_numbers("t", count);
    ck_assert_msg(strncmp(got, "{'first': 0", 11) == 0, "%s", got);
}

static size_t external_bytes_now(void)
{
    struct heap_stats stats;
    while (tables_work(p.heap, 100000)) continue; /* long changes are taken back in steps */
    while (heap_drop_pending(p.heap)) heap_drop_step(p.heap, 100000);
    heap_stats(p.heap, &stats);
    return stats.external_bytes;
}

/* --- others meanwhile -------------------------------------------------------------------------*/

static unsigned turns, rows_seen_new;

/* Another client, between any two steps: reads the table, and works on its own key. */
static void other_works(void)
{
    turns++;
    ASK(&other, "set", "'mine', 1", "true");
    if (turns % 16) return;
    const char *got = ask(&other, "table.agg", "'t', {'agg': {'new': ['max', 'k']}}");
    rows_seen_new += strstr(got, "[[255]]") != NULL;
}

#define MANY 1000000

START_TEST(an_append_of_a_million_rows_lets_others_work)
{
    in_process_join(&other, &p);
    ASK(&p, "table.create", "'t', [['n', 'i64', {'sorted': true}], ['k', 'u8']]", "true");
    turns = 0;
    p.between = other_works;
    const char *got = append_numbers("t", MANY);
    p.between = NULL;
    ck_assert_str_eq(got, "{'first': 0, 'n': 1000000}");
    ck_assert_uint_gt(turns, 50);
    ASK_HAS(&p, "table.agg", "'t', {'agg': {'s': ['sum', 'n']}}", "[[499999500000]]");
    in_process_end(&other);
}
END_TEST

START_TEST(an_update_and_a_deletion_of_a_million_rows_let_others_work)
{
    in_process_join(&other, &p);
    make_numbers(MANY);
    turns = rows_seen_new = 0;
    p.between = other_works;
    ASK(&p, "table.update", "'t', nil, {'k': 255}", "1000000");
    unsigned of_update = turns;
    ck_assert_uint_gt(of_update, 50);
    ck_assert_uint_eq(rows_seen_new, 0); /* none before the answer */
    ASK(&p, "table.delete", "'t', ['>=', 'n', 10]", "999990");
    p.between = NULL;
    ck_assert_uint_gt(turns, of_update + 5);
    ASK_HAS(&p, "table.agg", "'t', {'agg': {'s': ['sum', 'k'], 'n': ['count']}}", "[[2550, 10]]");
    in_process_end(&other);
}
END_TEST

/* --- one after the other ----------------------------------------------------------------------*/

START_TEST(writers_wait_in_line_and_readers_do_not)
{
    struct in_process third;
    in_process_join(&other, &p);
    in_process_join(&third, &p);
    make_numbers(200000);
    ask_begin(&p, "table.update", "'t', nil, {'k': 255}");
    ask_begin(&other, "table.append", "'t', {'rows': [[-1, 7]]}");
    ask_begin(&third, "set", "['t', 0, 'k'], 77");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
        ck_assert_int_eq(ask_resume(&third, 0), CALL_PENDING);
        ck_assert_int_eq(ask_resume(&other, 0), CALL_PENDING);
    }
    ask_finish(&p);
    ask_expect(&p, "[1, 1, nil, 200000]");
    ck_assert_int_eq(ask_resume(&third, 0), CALL_PENDING); /* it came last */
    ask_finish(&other); /* as time has it */
    ask_expect(&other, "[1, 1, nil, {'first': 200000, 'n': 1}]");
    ck_assert_int_eq(ask_resume(&third, 0), CALL_DONE);
    ask_expect(&third, "[1, 1, nil, true]");
    ASK(&p, "table.get", "'t', 0", "{'n': 0, 'k': 77}");
    ASK(&p, "table.get", "'t', -1", "{'n': -1, 'k': 7}");
    in_process_end(&third);
    in_process_end(&other);
}
END_TEST

START_TEST(who_waits_may_leave_the_line)
{
    struct in_process third;
    in_process_join(&other, &p);
    in_process_join(&third, &p);
    make_numbers(200000);
    ask_begin(&p, "table.update", "'t', nil, {'k': 255}");
    ask_begin(&other, "table.delete", "'t', ['and']");
    ask_begin(&third, "table.delete", "'t', [0]");
    call_abort(&other.call);
    builder_reset(&other.builder);
    call_abort(&p.call);
    builder_reset(&p.builder);
    ask_finish(&third);
    ask_expect(&third, "[1, 1, nil, 1]");
    ASK_HAS(&p, "table.agg", "'t', {'agg': {'m': ['max', 'k'], 'n': ['count']}}", "[[9, 199999]]");
    in_process_end(&third);
    in_process_end(&other);
}
END_TEST

START_TEST(who_waits_may_have_no_memory_for_its_reply)
{
    in_process_join(&other, &p);
    make_numbers(200000);
    ask_begin(&p, "table.update", "'t', nil, {'k': 255}");
    ask_begin(&other, "table.append", "'t', {'rows': [[-1, 7]]}");
    other.out.limit = 8; /* as when it cannot grow */
    ck_assert_int_eq(ask_resume(&other, 0), CALL_FAILED);
    other.out.limit = 0;
    writer_rewind(&other.out, 0);
    ask_finish(&p);
    ask_expect(&p, "[1, 1, nil, 200000]");
    ASK(&other, "table.append", "'t', {'rows': [[-1, 7]]}", "{'first': 200000, 'n': 1}");
    in_process_end(&other);
}
END_TEST

START_TEST(a_change_goes_on_when_its_table_is_deleted)
{
    in_process_join(&other, &p);
    make_numbers(200000);
    ask_begin(&p, "table.update", "'t', nil, {'k': 255}");
    ASK(&other, "del", "'t'", "1");
    ask_finish(&p);
    ask_expect(&p, "[1, 1, nil, 200000]");
    in_process_end(&other);
    ck_assert_uint_eq(external_bytes_now(), 0);
}
END_TEST

/* --- given up ---------------------------------------------------------------------------------*/

static void give_up(const char *method, const char *params, unsigned steps)
{
    ask_begin(&p, method, params);
    for (unsigned i = 0; i < steps; i++)
        if (ask_resume(&p, 0) != CALL_PENDING) return;
    ask_give_up(&p);
}

START_TEST(a_change_that_is_given_up_leaves_nothing)
{
    static char rows[2000000];
    char *to = rows + sprintf(rows, "'t', {'rows': [");
    for (int i = 0; i < 20000; i++)
        to += sprintf(to, "[%d, 'a text of row %d', 'symbol %d'],", i, i, i % 5000);
    sprintf(to - 1, "]}");
    ASK(&p, "table.create", "'t', [['n', 'i64'], ['s', 'str'], ['y', 'sym']]", "true");
    ASK(&p, "table.append", "'t', {'rows': [[1, 'one', 'a'], [2, 'two', 'b'], [3, 'three', 'c']]}",
        "{'first': 0, 'n': 3}");
    size_t bytes = external_bytes_now();
    for (unsigned steps = 0; steps < 16; steps = steps * 2 + 1) {
        give_up("table.append", rows, steps);
        ck_assert_uint_eq(external_bytes_now(), bytes);
        ASK(&p, "len", "'t'", "3");
        ASK(&p, "get", "['t', 2]", "{'n': 3, 's': 'three', 'y': 'c'}");
    }
    p.seed = 0; /* many steps, each with a large message in the heap */
    /* The last row is wrong. */
    sprintf(to - 1, ",['x', 'y', 'z']]}");
    ASK_BEGINS(&p, "table.append", rows, "! WRONG_TYPE table.append: row 20000, column \"n\"");
    ck_assert_uint_eq(external_bytes_now(), bytes);
    ASK(&p, "len", "'t'", "3");
}
END_TEST

/* A change is given up while another session reads the dictionary, that has its symbols. */
START_TEST(an_export_outlives_the_symbols_of_a_change)
{
    static char rows[500000];
    static const char *const begins[] = {
        "'t', {'format': 'arrow', 'batch': {'bytes': 100}}",
        "'t', {'format': 'arrow', 'batch': {'rows': 1, 'bytes': 100}}",
    };
    char *to = rows + sprintf(rows, "'t', {'rows': [");
    for (int i = 0; i < 20000; i++) to += sprintf(to, "['symbol %d'],", i);
    sprintf(to - 1, "]}");
    in_process_join(&other, &p);
    ASK(&p, "table.create", "'t', [['s', 'sym']]", "true");
    ASK(&p, "table.append", "'t', {'rows': [['a'], ['b']]}", "{'first': 0, 'n': 2}");
    for (int i = 0; i < 2; i++) {
        const char *method = i ? "table.scan" : "table.export";
        ask_begin(&p, "table.append", rows);
        for (int k = 0; k < 3; k++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
        ASK_HAS(&other, method, begins[i], "'cursor': ");
        call_abort(&p.call);
        builder_reset(&p.builder);
        writer_rewind(&p.out, 0);
        while (heap_drop_pending(p.heap)) heap_drop_step(p.heap, 100000);
        char cursor[20];
        snprintf(cursor, sizeof cursor, "%d", i + 1);
        const char *got = "";
        for (int k = 0; !strstr(got, "'cursor': nil"); k++) {
            ck_assert_int_lt(k, 20); /* few symbols are left */
            got = ask(&other, "table.next", cursor);
            ck_assert_msg(got[0] != '!', "%s", got);
        }
    }
    ASK(&p, "len", "'t'", "2");
    in_process_end(&other);
}
END_TEST

START_TEST(an_update_that_is_given_up_leaves_nothing)
{
    make_numbers(100000);
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    size_t bytes = external_bytes_now();
    for (unsigned steps = 1; steps < 200; steps *= 3) {
        give_up("table.update", "'t', nil, {'k': 255, 'n': -1}", steps);
        ck_assert_uint_eq(external_bytes_now(), bytes);
        give_up("table.alter", "'t', [['type', 'n', 'f64'], ['add', 'z', 'str', "
                               "{'default': 'a text of a cell'}]]", steps);
        bytes = external_bytes_now();
        give_up("table.alter", "'t', [['type', 'n', 'f64'], ['type', 'k', 'i64']]", steps);
        ck_assert_uint_eq(external_bytes_now(), bytes);
    }
    ASK_HAS(&p, "table.agg", "'t', {'agg': {'m': ['max', 'k'], 's': ['sum', 'n']}}",
            "[[9, 4999950000]]");
    ASK_BEGINS(&p, "table.schema", "'t'", "[['n', 'i64', {'null': false, 'sorted': false}], ['k'");
}
END_TEST

START_TEST(texts_are_updated_in_columns_of_any_form)
{
    ASK(&p, "table.create", "'t', [['n', 'i64'], ['s', 'str', {'null': true}]]", "true");
    ASK_BEGINS(&p, "table.append", "'t', {'cols': {'n': [1, 2, 3]}}", "{");
    for (int i = 0; i < 8; i++) {
        ASK_BEGINS(&p, "table.compact", "'t'", "{");
        ASK_BEGINS(&p, "table.update", i % 2 ? "'t', ['>', 'n', 1], {'s': 'some text of a cell'}"
                                             : "'t', nil, {'s': nil}", i % 2 ? "2" : "3");
        ASK(&p, "get", "['t', 2, 's']", i % 2 ? "'some text of a cell'" : "nil");
        ASK(&p, "get", "['t', 0, 's']", "nil");
    }
}
END_TEST

/* --- table.alter ------------------------------------------------------------------------------*/

static void make_mixed(void)
{
    ASK(&p, "table.create",
        "'t', [['a', 'i32'], ['b', 'f64', {'null': true}], ['s', 'str'], ['d', 'date']]", "true");
    ASK(&p, "table.append",
        "'t', {'rows': [[1, 0.5, 'x', 0], [200, nil, 'y', 1], [-3, 2.0, 'x', -1]]}",
        "{'first': 0, 'n': 3}");
}

START_TEST(columns_are_added_dropped_renamed_and_retyped)
{
    for (int compact = 0; compact < 2; compact++) {
        make_mixed();
        if (compact) ASK_BEGINS(&p, "table.compact", "'t'", "{");
        ASK(&p, "table.alter",
            "'t', [['add', 'new', 'str', {'default': 'a text of a cell'}], ['drop', 'b'], "
            "['rename', 'a', 'A'], ['type', 'A', 'i64'], ['type', 's', 'sym'], "
            "['type', 'd', 'ts'], ['add', 'b', 'u8', {'null': true}], ['null', 's', true]]",
            "true");
        ASK(&p, "table.schema", "'t'",
            "[['A', 'i64', {'null': false, 'sorted': false}], "
            "['s', 'sym', {'null': true, 'sorted': false}], "
            "['d', 'ts', {'null': false, 'sorted': false}], "
            "['new', 'str', {'null': false, 'sorted': false}], "
            "['b', 'u8', {'null': true, 'sorted': false}]]");
        ASK(&p, "table.append", "'t', {'rows': [[4, nil, 5, 'n', 9]]}", "{'first': 3, 'n': 1}");
        ASK(&p, "get", "'t'",
            "[{'A': 1, 's': 'x', 'd': 0, 'new': 'a text of a cell', 'b': nil}, "
            "{'A': 200, 's': 'y', 'd': 86400000000, 'new': 'a text of a cell', 'b': nil}, "
            "{'A': -3, 's': 'x', 'd': -86400000000, 'new': 'a text of a cell', 'b': nil}, "
            "{'A': 4, 's': nil, 'd': 5, 'new': 'n', 'b': 9}]");
        ASK(&p, "table.delete", "'t', [-1]", "1");
        ASK(&p, "table.alter", "'t', [['null', 's', false], ['type', 's', 'bin'], "
            "['type', 'd', 'date'], ['type', 'A', 'f32'], ['drop', 'new'], ['drop', 'b']]", "true");
        ASK_BEGINS(&p, "table.compact", "'t'", "{");
        ASK(&p, "get", "['t', 1]", "{'A': 200.0, 's': b'y', 'd': 1}");
        ASK(&p, "del", "'t'", "1");
    }
}
END_TEST

START_TEST(what_would_lose_something_is_refused)
{
    static const char *const bad[][2] = {
        {"['type', 'a', 'u8']", "! OUT_OF_RANGE table.alter: row 2, column \"a\": -3 cannot become "
                                "u8 without loss"},
        {"['type', 'a', 'i8']", "! OUT_OF_RANGE table.alter: row 1, column \"a\": 200 cannot"},
        {"['type', 'a', 'bool']", "! OUT_OF_RANGE table.alter: row 1, column \"a\": 200 cannot"},
        {"['type', 'b', 'i64']", "! OUT_OF_RANGE table.alter: row 0, column \"b\": 0.5 cannot"},
        {"['type', 'a', 'str']", "! WRONG_TYPE table.alter: column \"a\" of type i32 cannot"},
        {"['type', 's', 'f64']", "! WRONG_TYPE"},
        {"['type', 's', 'none']", "! BAD_PARAMS"},
        {"['null', 'b', false]", "! WRONG_TYPE table.alter: row 1, column \"b\": a null"},
        {"['sorted', 'a', true]", "! OUT_OF_RANGE table.alter: row 2, column \"a\": it, or a"},
        {"['sorted', 's', true]", "! OUT_OF_RANGE table.alter: row 2, column \"s\""},
        {"['sorted', 'b', true]", "! BAD_PARAMS"},
        {"['drop', 'x']", "! NOT_FOUND table.alter: change 0: the table has no column \"x\""},
        {"['rename', 'a', 'b']", "! BAD_PARAMS table.alter: change 0: there is a column \"b\""},
        {"['rename', 'a', '']", "! BAD_PARAMS"},
        {"['add', 'a', 'i8', {'null': true}]", "! BAD_PARAMS"},
        {"['add', 'n', 'i8']", "! WRONG_TYPE table.alter: column \"n\" has no nulls, so it needs"},
        {"['add', 'n', 'i8', {'default': 200}]", "! OUT_OF_RANGE"},
        {"['add', 'n', 'i8', {'default': 'x'}]", "! WRONG_TYPE"},
        {"['add', 'n', 'i8', {'nul': true}]", "! BAD_PARAMS"},
        {"['add', 'n', 'i8', {'null': true}], ['drop', 'n']", "! BAD_PARAMS table.alter: change 1"},
        {"['type', 'a', 'i64'], ['type', 'a', 'f64']", "! BAD_PARAMS table.alter: change 1"},
        {"['drop', 'a'], ['drop', 'b'], ['drop', 's'], ['drop', 'd']", "! BAD_PARAMS"},
        {"['null', 'a', 1]", "! BAD_PARAMS"},
        {"['drop']", "! BAD_PARAMS"},
        {"'drop'", "! BAD_PARAMS"},
        {"['turn', 'a', 'b']", "! BAD_PARAMS"},
    };
    char params[300];
    make_mixed();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(params, sizeof params, "'t', [['rename', 's', 's2'], ['rename', 's2', 's'], %s]",
                 bad[i][0]);
        const char *got = ask(&p, "table.alter", params);
        char wanted[200];
        snprintf(wanted, sizeof wanted, "%s", bad[i][1]);
        char *change = strstr(wanted, "change ");
        if (change) change[7] = (char)(change[7] + 2); /* behind two others */
        ck_assert_msg(strncmp(got, wanted, strlen(wanted)) == 0, "%s: %s", bad[i][0], got);
    }
    ASK(&p, "table.alter", "'t', []", "true");
    ASK_BEGINS(&p, "table.alter", "'t', 1", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.alter", "'none', []", "! NOT_FOUND");
    char *many = malloc(257 * 16 + 20), *to = many + sprintf(many, "'t', [");
    for (int i = 0; i < 257; i++) to += sprintf(to, "['drop', 'x'],");
    sprintf(to - 1, "]");
    ASK_BEGINS(&p, "table.alter", many, "! LIMIT table.alter: one call makes at most 256 changes");
    free(many);
    ASK(&p, "get", "['t', 1]", "{'a': 200, 'b': nil, 's': 'y', 'd': 1}");
}
END_TEST

START_TEST(exact_edges_of_conversions)
{
    static const struct {
        const char *from, *cell, *to, *result;
    } cases[] = {
        {"i64", "9007199254740993", "f64", "! OUT_OF_RANGE"},
        {"i64", "9007199254740992", "f64", "9007199254740992.0"},
        {"i64", "-128", "i8", "-128"},
        {"i64", "-129", "i8", "! OUT_OF_RANGE"},
        {"u64", "18446744073709551615", "i64", "! OUT_OF_RANGE"},
        {"u64", "18446744073709551615", "f64", "! OUT_OF_RANGE"},
        {"f64", "-0.0", "i64", "! OUT_OF_RANGE"},
        {"f64", "9223372036854775808.0", "i64", "! OUT_OF_RANGE"},
        {"f64", "3.0", "u8", "3"},
        {"f64", "0.1", "f32", "! OUT_OF_RANGE"},
        {"f64", "0.5", "f32", "0.5"},
        {"i32", "1", "bool", "true"},
        {"bool", "true", "i8", "1"},
        {"ts", "86400000000", "date", "1"},
        {"ts", "86400000001", "date", "! OUT_OF_RANGE"},
        {"bin", "b'\\xff'", "str", "! WRONG_TYPE"},
        {"bin", "b'ab'", "sym", "'ab'"},
        {"sym", "'ab'", "str", "'ab'"},
    };
    char params[120];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int sealed = 0; sealed < 2; sealed++) {
            snprintf(params, sizeof params, "'t', [['x', '%s']]", cases[i].from);
            ASK(&p, "table.create", params, "true");
            snprintf(params, sizeof params, "'t', {'rows': [[%s]]}", cases[i].cell);
            ASK_BEGINS(&p, "table.append", params, "{'first': 0");
            if (sealed) ASK_BEGINS(&p, "table.compact", "'t'", "{");
            snprintf(params, sizeof params, "'t', [['type', 'x', '%s']]", cases[i].to);
            bool bad = cases[i].result[0] == '!';
            ASK_BEGINS(&p, "table.alter", params, (bad ? cases[i].result : "true"));
            if (!bad) ASK(&p, "get", "['t', 0, 'x']", cases[i].result);
            ASK(&p, "del", "'t'", "1");
        }
}
END_TEST

START_TEST(deleted_rows_do_not_count)
{
    make_mixed();
    ASK(&p, "table.delete", "'t', [1, 2]", "2");
    ASK(&p, "table.alter", "'t', [['type', 'a', 'u8'], ['null', 'b', false]]", "true");
    ASK(&p, "get", "'t'", "[{'a': 1, 'b': 0.5, 's': 'x', 'd': 0}]");
    ASK(&p, "table.append", "'t', {'rows': [[2, 1.5, 'z', 3]]}", "{'first': 1, 'n': 1}");
    ASK_BEGINS(&p, "table.append", "'t', {'rows': [[2, nil, 'z', 3]]}", "! WRONG_TYPE");
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    ASK(&p, "table.alter", "'t', [['sorted', 'a', true], ['sorted', 'd', true]]", "true");
    ASK_BEGINS(&p, "table.append", "'t', {'rows': [[1, 1.5, 'z', 3]]}", "! OUT_OF_RANGE");
}
END_TEST

START_TEST(scans_and_links_stay)
{
    make_numbers(TABLE_CHUNK_ROWS * 2 + 100);
    ASK(&p, "link", "'u', 't'", "true");
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 1}}", "'cursor': 1");
    ASK(&p, "table.update", "'t', ['<', 'n', 3], {'k': 100}", "3");
    ASK(&p, "table.alter",
        "'t', [['rename', 'n', 'k2'], ['type', 'k', 'f32'], ['add', 'c', 'i16', {'default': 5}]]",
        "true");
    ASK(&p, "table.next", "1, {'rows': 2}",
        "{'rows': 2, 'data': [[1, 1], [2, 2]], 'cursor': 1}");
    ASK(&p, "get", "['u', 2]", "{'k2': 2, 'k': 100.0, 'c': 5}");
    ASK(&p, "get", "['u', -1, 'c']", "5");
    ASK_HAS(&p, "table.stats", "'t'", "'const'");
    ASK(&p, "table.append", "'u', {'rows': [[7, 8, 9]]}",
        TABLE_CHUNK_ROWS == 65536 ? "{'first': 131172, 'n': 1}" : "{'first': 8292, 'n': 1}");
    ASK(&p, "del", "'t'", "1");
    ASK(&p, "table.close", "1", "true");
    ASK(&p, "get", "['u', -1]", "{'k2': 7, 'k': 8.0, 'c': 9}");
    ASK_HAS(&p, "mem.census", "", "'kind': 'table', 'count': 1");
    ASK(&p, "del", "'u'", "1");
    gc_collect(p.heap);
    ck_assert_uint_eq(external_bytes_now(), 0);
}
END_TEST

START_TEST(altering_many_rows_lets_others_work)
{
    in_process_join(&other, &p);
    make_numbers(300000);
    turns = 0;
    p.between = other_works;
    ASK(&p, "table.alter", "'t', [['type', 'n', 'f64'], ['type', 'k', 'i16']]", "true");
    ck_assert_uint_gt(turns, 100);
    turns = 0;
    ASK(&p, "table.alter", "'t', [['rename', 'n', 'm'], ['drop', 'k'], "
                           "['add', 'k', 'i64', {'default': 1}]]", "true");
    p.between = NULL;
    ASK_HAS(&p, "table.agg", "'t', {'agg': {'s': ['sum', 'm'], 'k': ['sum', 'k']}}",
            "[[44999850000.0, 300000]]");
    in_process_end(&other);
}
END_TEST

START_TEST(a_writer_that_waited_finds_the_altered_table)
{
    in_process_join(&other, &p);
    make_numbers(200000);
    ask_begin(&p, "table.alter", "'t', [['type', 'n', 'f64']]");
    ask_begin(&other, "table.set", "'t', 0, 'n', 0.5");
    ask_finish(&p);
    ask_expect(&p, "[1, 1, nil, true]");
    ck_assert_int_eq(ask_resume(&other, 0), CALL_DONE);
    ASK(&p, "get", "['t', 0, 'n']", "0.5");
    ask_begin(&p, "table.alter", "'t', [['type', 'k', 'i16']]");
    ASK(&other, "del", "'t'", "1");
    ask_finish(&p);
    ck_assert_ptr_nonnull(memmem(p.out.data, p.out.length, "NOT_FOUND", 9));
    in_process_end(&other);
}
END_TEST

/* Nulls of rows that are deleted become "" where there may be none: a symbol like others, which
 * stays when the change is made. */
START_TEST(symbols_that_only_deleted_rows_have_stay)
{
    ASK(&p, "table.create", "'t', [['n', 'i64'], ['s', 'sym', {'null': true}]]", "true");
    ASK(&p, "table.append", "'t', {'rows': [[1, 'a'], [2, nil], [3, 'b']]}",
        "{'first': 0, 'n': 3}");
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    ASK(&p, "table.delete", "'t', [1]", "1");
    ASK(&p, "table.alter", "'t', [['null', 's', false]]", "true");
    ASK_BEGINS(&p, "table.index", "'t', 's', 'hash'", "{'rows': 3");
    ASK(&p, "table.append", "'t', {'rows': [[4, 'c'], [5, '']]}", "{'first': 2, 'n': 2}");
    ASK(&p, "get", "['t', 2, 's']", "'c'");
    ASK(&p, "get", "['t', 3, 's']", "''");
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    ASK_HAS(&p, "table.scan", "'t', {'select': ['n'], 'where': ['=', 's', 'c']}",
            "'data': [[4]]");
    ASK_HAS(&p, "table.scan", "'t', {'select': ['n'], 'where': ['=', 's', '']}", "'data': [[5]]");
}
END_TEST

/* Only where all rows are deleted can a column without nulls be added without a default. */
START_TEST(deleted_rows_get_a_symbol_that_exists)
{
    for (int sealed = 0; sealed < 2; sealed++) {
        ASK(&p, "table.create", "'t', [['n', 'i64']]", "true");
        ASK(&p, "table.append", "'t', {'rows': [[1], [2]]}", "{'first': 0, 'n': 2}");
        if (sealed) ASK_BEGINS(&p, "table.compact", "'t'", "{");
        ASK(&p, "table.delete", "'t', [0, 1]", "2");
        ASK(&p, "table.alter", "'t', [['add', 's', 'sym']]", "true");
        ASK_BEGINS(&p, "table.index", "'t', 's', 'hash'", "{");
        ASK(&p, "table.append", "'t', {'rows': [[3, 'c']]}", "{'first': 0, 'n': 1}");
        ASK_HAS(&p, "table.scan", "'t', {'where': ['=', 's', 'c']}", "'data': [[3, 'c']]");
        ASK(&p, "del", "'t'", "1");
    }
}
END_TEST

/* Where an index or the bounds of a chunk are made of them, they are 0, whatever the type. */
START_TEST(cells_of_deleted_rows_become_zeros)
{
    static const char *const types[] = {"i8", "i64", "f64", "ts"};
    char params[120];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(params, sizeof params, "'t', [['n', '%s', {'null': true}]]", types[i]);
        ASK(&p, "table.create", params, "true");
        ASK(&p, "table.append", "'t', {'rows': [[1], [nil], [3]]}", "{'first': 0, 'n': 3}");
        ASK_BEGINS(&p, "table.compact", "'t'", "{");
        ASK(&p, "table.delete", "'t', [1]", "1");
        ASK(&p, "table.alter", "'t', [['null', 'n', false]]", "true");
        ASK_HAS(&p, "table.scan", "'t', {'where': ['>', 'n', 3]}", "'chunks_skipped': 1");
        ASK_HAS(&p, "table.scan", "'t', {'where': ['<', 'n', 0]}", "'chunks_skipped': 1");
        ASK(&p, "table.delete", "'t', ['and']", "2");
        ASK(&p, "table.alter", "'t', [['add', 'm', 'i64']]", "true");
        ASK_HAS(&p, "table.scan", "'t', {'where': ['>', 'm', 0]}", "'chunks_skipped': 1");
        ASK(&p, "del", "'t'", "1");
    }
}
END_TEST

static void expect_part(struct in_process *session, const char *message)
{
    size_t used;
    char *text = literal_read(session->out.data, session->out.length, &used);
    ck_assert_msg(strstr(text, message) != NULL, "%s", text);
    free(text);
    writer_rewind(&session->out, 0);
}

START_TEST(indexing_ends_when_the_table_is_altered)
{
    in_process_join(&other, &p);
    make_numbers(TABLE_CHUNK_ROWS + 100);
    ASK_BEGINS(&p, "table.index", "'t', 'n', 'sorted'", "{");
    ask_begin(&other, "table.index", "'t', 'k', 'hash'");
    ck_assert_int_eq(ask_resume(&other, 0), CALL_PENDING);
    ASK(&p, "table.alter", "'t', [['rename', 'k', 'key'], ['add', 'z', 'i8', {'null': true}]]",
        "true");
    ck_assert_int_eq(ask_resume(&other, 0), CALL_FAILED);
    expect_part(&other, "BUSY table.index: the columns of the table were altered meanwhile");
    /* The index that was not finished is taken back from the new table, too. */
    ASK_BEGINS(&p, "table.schema", "'t'",
               "[['n', 'i64', {'null': false, 'sorted': false, 'index': 'sorted'}], "
               "['key', 'u8', {'null': false, 'sorted': false}], ");
    while (tables_work(p.heap, 1000000)) continue;
    ASK_HAS(&p, "table.stats", "'t'", "'index': nil");
    in_process_end(&other);
}
END_TEST

START_TEST(indexing_waits_for_a_change)
{
    in_process_join(&other, &p);
    make_numbers(200000);
    ask_begin(&p, "table.update", "'t', nil, {'k': 255}");
    ask_begin(&other, "table.index", "'t', 'k', 'hash'");
    for (int i = 0; i < 20; i++) ck_assert_int_eq(ask_resume(&other, 100000), CALL_PENDING);
    ask_finish(&p);
    ask_finish(&other);
    char expected[40];
    snprintf(expected, sizeof expected, "[1, 1, nil, {'rows': %d,",
             200000 / TABLE_CHUNK_ROWS * TABLE_CHUNK_ROWS);
    expect_part(&other, expected);
    ck_assert(!tables_want_work(p.heap));
    in_process_end(&other);
}
END_TEST

/* Between events: first what is left of the change, then what waited for that. */
START_TEST(tables_are_sealed_after_a_change_that_was_given_up)
{
    static char rows[2000000];
    char *to = rows + sprintf(rows, "'t', {'rows': [");
    for (int i = 0; i < 60000; i++) to += sprintf(to, "[%d, 1, 'symbol %d'],", i, i);
    sprintf(to - 1, "]}");
    ASK(&p, "table.create", "'t', [['n', 'i64'], ['k', 'u8'], ['y', 'sym', {'null': true}]]",
        "true");
    ck_assert_ptr_nonnull(strstr(append_numbers("t", TABLE_CHUNK_ROWS + 100), "'first': 0"));
    ASK_HAS(&p, "table.stats", "'t'", "'sealing': true");
    ask_begin(&p, "table.append", rows);
    for (int i = 0; i < 60; i++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    call_abort(&p.call);
    builder_reset(&p.builder);
    writer_rewind(&p.out, 0);
    ck_assert(tables_want_work(p.heap));
    while (tables_work(p.heap, 100000)) continue;
    ASK_HAS(&p, "table.stats", "'t'", "'sealing': false");
}
END_TEST

START_TEST(a_heap_ends_with_tables_that_were_altered)
{
    struct in_process q;
    in_process_open(&q, 0);
    for (int i = 0; i < 2; i++) {
        const char *path = i ? "'a'" : "'b'";
        char params[80];
        sprintf(params, "%s, [['x', 'i8']]", path);
        ASK(&q, "table.create", params, "true");
        for (int k = 0; k < 3; k++) {
            sprintf(params, "%s, [['add', 'y%d', 'i8', {'null': true}]]", path, k);
            ASK(&q, "table.alter", params, "true");
        }
    }
    in_process_end(&q);
    heap_destroy(q.heap);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_change");
    TCase *tcase = tcase_create("changes");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_append_of_a_million_rows_lets_others_work);
    tcase_add_test(tcase, an_update_and_a_deletion_of_a_million_rows_let_others_work);
    tcase_add_test(tcase, writers_wait_in_line_and_readers_do_not);
    tcase_add_test(tcase, who_waits_may_leave_the_line);
    tcase_add_test(tcase, who_waits_may_have_no_memory_for_its_reply);
    tcase_add_test(tcase, a_change_goes_on_when_its_table_is_deleted);
    tcase_add_test(tcase, a_change_that_is_given_up_leaves_nothing);
    tcase_add_test(tcase, an_export_outlives_the_symbols_of_a_change);
    tcase_add_test(tcase, an_update_that_is_given_up_leaves_nothing);
    tcase_add_test(tcase, texts_are_updated_in_columns_of_any_form);
    tcase_add_test(tcase, columns_are_added_dropped_renamed_and_retyped);
    tcase_add_test(tcase, what_would_lose_something_is_refused);
    tcase_add_test(tcase, exact_edges_of_conversions);
    tcase_add_test(tcase, deleted_rows_do_not_count);
    tcase_add_test(tcase, scans_and_links_stay);
    tcase_add_test(tcase, altering_many_rows_lets_others_work);
    tcase_add_test(tcase, a_writer_that_waited_finds_the_altered_table);
    tcase_add_test(tcase, a_heap_ends_with_tables_that_were_altered);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("meanwhile");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, symbols_that_only_deleted_rows_have_stay);
    tcase_add_test(tcase, deleted_rows_get_a_symbol_that_exists);
    tcase_add_test(tcase, cells_of_deleted_rows_become_zeros);
    tcase_add_test(tcase, indexing_ends_when_the_table_is_altered);
    tcase_add_test(tcase, indexing_waits_for_a_change);
    tcase_add_test(tcase, tables_are_sealed_after_a_change_that_was_given_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
