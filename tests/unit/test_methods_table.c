/* test_methods_table.c - tables through the methods: as values at paths, appended to, scanned,
 * changed; what a scan sees while others change the table; all or nothing when memory is short. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

static void fill(void)
{
    ASK(&p, "table.create",
        "'t', [['x', 'f64'], ['name', 'str', {'null': true}], ['n', 'i32']]", "true");
    ASK(&p, "table.append", "'t', {'rows': [[0.5, 'a', 1], [1.5, nil, 2], [2.5, 'c', 3]]}",
        "{'first': 0, 'n': 3}");
}

#define ROW0 "{'x': 0.5, 'name': 'a', 'n': 1}"
#define ROW1 "{'x': 1.5, 'name': nil, 'n': 2}"
#define ROW2 "{'x': 2.5, 'name': 'c', 'n': 3}"

/* --- as a value -----------------------------------------------------------------------------*/

START_TEST(a_table_reads_as_a_list_of_records)
{
    fill();
    ASK(&p, "type", "'t'", "'table'");
    ASK(&p, "len", "'t'", "3");
    ASK(&p, "get", "'t'", "[" ROW0 ", " ROW1 ", " ROW2 "]");
    ASK(&p, "get", "['t', 1]", ROW1);
    ASK(&p, "get", "['t', -1]", ROW2);
    ASK(&p, "get", "['t', -1, 'name']", "'c'");
    ASK(&p, "get", "['t', 1, 'name']", "nil");
    ASK(&p, "get", "['t', 3]", "nil");
    ASK(&p, "get", "['t', 0, 'none'], {'default': 7}", "7");
    ASK(&p, "exists", "['t', 0], ['t', -4], ['t', 0, 'x'], ['t', 0, 'y'], ['t', 'x']", "2");
    ASK(&p, "slice", "'t', 0, 2", "[" ROW0 ", " ROW1 "]");
    ASK(&p, "slice", "'t', -1, nil, -2", "[" ROW2 ", " ROW0 "]");
    ASK(&p, "slice", "'t', 5", "[]");
    ASK(&p, "mget", "[['t', 0, 'x'], ['t', 2], ['t', 9]]", "[0.5, " ROW2 ", nil]");
    ASK_BEGINS(&p, "get", "['t', 'x']",
               "! WRONG_TYPE get: \"t\" is a table; its rows have integer indices, not \"x\"");
    ASK_BEGINS(&p, "get", "['t', 0, 'x', 1]", "! WRONG_TYPE");
}
END_TEST

START_TEST(a_table_lies_inside_of_values_and_is_shared_by_link)
{
    fill();
    ASK(&p, "set", "'m', {'l': [1]}", "true");
    ASK(&p, "link", "['m', 't'], 't'", "true");
    ASK(&p, "same", "['m', 't'], 't'", "true");
    ASK(&p, "set", "['m', 't', 0, 'name'], 'b'", "true");
    ASK(&p, "get", "['t', 0, 'name']", "'b'");
    ASK(&p, "table.create", "['m', 'inner'], [['a', 'bool']]", "true");
    ASK(&p, "table.append", "['m', 'inner'], {'rows': [[true], [false]]}", "{'first': 0, 'n': 2}");
    ASK(&p, "get", "['m', 'inner']", "[{'a': true}, {'a': false}]");
    ASK(&p, "del", "'t'", "1");
    ASK(&p, "len", "['m', 't']", "3");
    ASK_HAS(&p, "mem.census", "", "{'kind': 'table', 'count': 2");
    ck_assert_int_gt(atoi(ask(&p, "mem.size", "['m', 't']")), 1000);
}
END_TEST

START_TEST(cells_are_set_through_paths)
{
    fill();
    ASK(&p, "set", "['t', -2, 'name'], 'new'", "true");
    ASK(&p, "add", "['t', 1, 'n'], 40", "42");
    ASK(&p, "swap", "['t', 1, 'x'], 9", "1.5");
    ASK(&p, "table.set", "'t', 2, 'name', nil", "true");
    ASK(&p, "get", "['t', 1]", "{'x': 9.0, 'name': 'new', 'n': 42}");
    ASK_BEGINS(&p, "set", "['t', 1, 'n'], 'text'", "! WRONG_TYPE set: ");
    ASK_BEGINS(&p, "set", "['t', 1, 'n'], 4294967296", "! OUT_OF_RANGE set: ");
    ASK_BEGINS(&p, "set", "['t', 1, 'n'], nil", "! WRONG_TYPE set: ");
    ASK_BEGINS(&p, "set", "['t', 3, 'n'], 1", "! NOT_FOUND set: \"t\" is a table of 3 rows");
    ASK_BEGINS(&p, "set", "['t', 1, 'y'], 1", "! NOT_FOUND set: ");
    ASK_BEGINS(&p, "set", "['t', 1], {}", "! WRONG_TYPE set: ");
    ASK_BEGINS(&p, "del", "['t', 1]", "! WRONG_TYPE del: ");
    ASK_BEGINS(&p, "take", "['t', 1, 'x']", "! WRONG_TYPE take: ");
    ASK_BEGINS(&p, "append", "['t', 1, 'name'], 'x'", "! BAD_PATH append: ");
    ASK_BEGINS(&p, "mset", "[['a', 1], [['t', 1, 'n'], 1]]", "! BAD_PATH mset: ");
    ASK(&p, "get", "['t', 1]", "{'x': 9.0, 'name': 'new', 'n': 42}");
    ASK_BEGINS(&p, "table.set", "'t', 2, 'none', nil", "! NOT_FOUND table.set: ");
    ASK_BEGINS(&p, "table.set", "'t', 'a', 'n', nil", "! BAD_PARAMS table.set: ");
    ASK_BEGINS(&p, "table.set", "'t', 3, 'n', nil", "! OUT_OF_RANGE table.set: ");
}
END_TEST

START_TEST(a_large_table_is_a_summary_with_extension_types)
{
    fill();
    p.host.reply_elements_max = 20;
    ASK_BEGINS(&p, "get", "'t'", "! LIMIT get: ");
    ASK_HAS(&p, "hello", "{'ext': true}", "{");
    ASK_BEGINS(&p, "get", "'t'", "<6:93");
    p.host.reply_elements_max = 1000;
    ASK_BEGINS(&p, "get", "'t'", "[{'x'");
}
END_TEST

/* --- making and appending ---------------------------------------------------------------------*/

START_TEST(bad_schemas)
{
    static const char *const bad[][2] = {
        {"'t', 1", "! BAD_PARAMS"},
        {"'t', []", "! BAD_PARAMS"},
        {"'t', [1]", "! BAD_PARAMS"},
        {"'t', [['a']]", "! BAD_PARAMS"},
        {"'t', [['a', 'i64', nil, nil]]", "! BAD_PARAMS"},
        {"'t', [['a', 'int']]", "! BAD_PARAMS table.create: column 0: there is no type \"int\""},
        {"'t', [['a', 7]]", "! BAD_PARAMS"},
        {"'t', [['', 'i64']]", "! BAD_PARAMS"},
        {"'t', [[nil, 'i64']]", "! BAD_PARAMS"},
        {"'t', [['a', 'i64'], ['a', 'i64']]", "! BAD_PARAMS"},
        {"'t', [['a', 'i64', {'nil': true}]]", "! BAD_PARAMS"},
        {"'t', [['a', 'i64', {'null': 1}]]", "! BAD_PARAMS"},
        {"'t', [['a', 'i64', 5]]", "! BAD_PARAMS"},
        {"['no', 't'], [['a', 'i64']]", "! NOT_FOUND"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASK_BEGINS(&p, "table.create", bad[i][0], bad[i][1]);
    ASK(&p, "count", "", "0");
    ASK(&p, "table.create", "['no', 't'], [['a', 'i64']], {'create': true}", "true");
    ASK(&p, "table.create", "['no', 't'], [['a', 'i64']]", "false");
    ASK_BEGINS(&p, "table.create", "['no', 'u'], [['a', 'i64']], {'ttl': 1000}", "! BAD_PATH");
    ASK(&p, "table.create", "'u', [['a', 'i64']], {'ttl': 100000}", "true");
    ck_assert_int_gt(atoi(ask(&p, "ttl", "'u'")), 1000);
    ASK(&p, "table.schema", "['no', 't']", "[['a', 'i64', {'null': false, 'sorted': false}]]");
}
END_TEST

START_TEST(appends_are_all_or_nothing)
{
    static const char *const bad[][2] = {
        {"'t', {'rows': [[1, 'x', 1], [2, 'y']]}",
         "! BAD_PARAMS table.append: row 1 has 2 cells; the table has 3 columns"},
        {"'t', {'rows': [[1, 'x', 1], 5]}", "! BAD_PARAMS table.append: row 1 must be a list"},
        {"'t', {'rows': [[1, 'x', 1], [2, 'y', 'three']]}", "! WRONG_TYPE table.append: "},
        {"'t', {'rows': [[1, 'x', 1], [2, 'y', 3000000000]]}", "! OUT_OF_RANGE table.append: "},
        {"'t', {'rows': [[1, 'x', 1], [2, 'y', nil]]}", "! WRONG_TYPE table.append: "},
        {"'t', {'rows': 1}", "! BAD_PARAMS"},
        {"'t', {}", "! BAD_PARAMS table.append: give either rows or cols"},
        {"'t', {'rows': [], 'cols': {}}", "! BAD_PARAMS"},
        {"'t', {'columns': {}}", "! BAD_PARAMS"},
        {"'t', {'cols': {}}", "! BAD_PARAMS"},
        {"'t', {'cols': {'none': [1]}}", "! NOT_FOUND"},
        {"'t', {'cols': {'x': [1], 'n': [1, 2]}}", "! BAD_PARAMS"},
        {"'t', {'cols': {'x': [1]}}", "! WRONG_TYPE"},
        {"'t', {'cols': {'x': b'1234567', 'n': [1]}, 'n': 1}",
         "! BAD_PARAMS table.append: column \"x\": a bin of 7 bytes; it must have 8"},
        {"'t', {'cols': {'x': [1], 'name': b'a', 'n': [1]}}", "! BAD_PARAMS"},
        {"'t', {'cols': {'x': [1.0], 'n': [1]}, 'n': 1, 'valid': {'x': b'\\x01'}}",
         "! BAD_PARAMS table.append: valid: column \"x\" is no bin; a mask is for a column "},
        {"'t', {'cols': {'n': [1]}, 'n': 1, 'valid': {'x': b'\\x01'}}",
         "! BAD_PARAMS table.append: valid: column \"x\" is not given; a mask is for a column "},
        {"'t', {'cols': {'x': b'12345678', 'n': [1]}, 'n': 1, 'valid': {'x': 5}}",
         "! BAD_PARAMS table.append: valid: the mask of column \"x\" must be a bin, not "},
        {"'t', {'rows': [[1.0, 'a', 1]], 'n': 1}",
         "! BAD_PARAMS table.append: n goes with cols, not with rows"},
        {"'t', {'rows': [[1.0, 'a', 1]], 'valid': {}}",
         "! BAD_PARAMS table.append: valid goes with cols, not with rows"},
        {"'t', {'cols': {'x': b'12345678', 'n': [1]}, 'n': 1, 'valid': {'x': b''}}",
         "! BAD_PARAMS"},
        {"'t', {'cols': {'x': b'12345678', 'n': [1]}, 'n': 1, 'valid': {'x': b'\\x00'}}",
         "! WRONG_TYPE"},
        {"'t', {'cols': {'x': [], 'n': []}, 'n': 4294967297}", "! OUT_OF_RANGE"},
        {"'none', {'rows': []}", "! NOT_FOUND"},
    };
    fill();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASK_BEGINS(&p, "table.append", bad[i][0], bad[i][1]);
    ASK_HAS(&p, "table.append", "'t', {'rows': [[1, 'x', 1], [2, 'y', 'three']]}", "row 1");
    ASK_HAS(&p, "table.append", "'t', {'rows': [[1, 'x', 1], [2, 'y', 'three']]}", "three");
    ASK(&p, "get", "'t'", "[" ROW0 ", " ROW1 ", " ROW2 "]");
    ASK(&p, "table.append", "'t', {'rows': []}", "{'first': 3, 'n': 0}");
    ASK(&p, "table.append",
        "'t', {'cols': {'x': b'\\x00\\x00\\x00\\x00\\x00\\x00\\xf8?', "
        "'n': b'\\x05\\x00\\x00\\x00'}, 'n': 1}", "{'first': 3, 'n': 1}");
    ASK(&p, "get", "['t', -1]", "{'x': 1.5, 'name': nil, 'n': 5}");
}
END_TEST

START_TEST(names_that_are_not_utf8_are_bins)
{
    ASK(&p, "table.create", "'b', [[b'\\xff', 'i8']]", "true");
    ASK(&p, "table.append", "'b', {'rows': [[5]]}", "{'first': 0, 'n': 1}");
    ASK(&p, "table.get", "'b', 0", "{b'\\xff': 5}");
    ASK_HAS(&p, "table.stats", "'b'", "'name': b'\\xff'");
    ASK_HAS(&p, "table.schema", "'b'", "[b'\\xff', 'i8'");
}
END_TEST

/* --- reading ----------------------------------------------------------------------------------*/

/* n rows: [i, i % 7]. */
static void fill_numbers(const char *key, int n)
{
    char *params = malloc((size_t)n * 24 + 200), *at = params;
    sprintf(params, "'%s', [['i', 'i64'], ['k', 'u8']]", key);
    ASK(&p, "table.create", params, "true");
    at += sprintf(at, "'%s', {'rows': [", key);
    for (int i = 0; i < n; i++) at += sprintf(at, "%s[%d, %d]", i ? ", " : "", i, i % 7);
    strcpy(at, "]}");
    uint64_t seed = p.seed;
    p.seed = 0; /* it takes very many steps, each with the whole message in the heap */
    ASK_BEGINS(&p, "table.append", params, "{'first': 0");
    p.seed = seed;
    free(params);
}

START_TEST(scans_filter_select_and_order)
{
    fill();
    ASK_BEGINS(&p, "table.scan", "'t', {'where': ['>', 'x', 1], 'select': ['n', 'name']}",
               "{'cols': [['n', 'i32'], ['name', 'str']], 'rows': 2, "
               "'data': [[2, nil], [3, 'c']], 'cursor': nil, 'stats': {'rows_total': 3");
    ASK_HAS(&p, "table.scan", "'t', {'order': [['n', 'desc']], 'limit': 1, 'select': ['n']}",
            "'data': [[3]]");
    ASK_HAS(&p, "table.scan",
            "'t', {'let': {'d': ['*', ['col', 'n'], ['lit', 2]]}, 'select': ['d']}",
            "'data': [[2], [4], [6]]");
    ASK_HAS(&p, "table.scan", "'t', {'format': 'cols', 'select': ['n', 'name']}",
            "'data': {'n': b'\\x01\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x03\\x00\\x00\\x00', "
            "'name': ['a', nil, 'c']}, 'valid': {}");
    ASK_HAS(&p, "table.slice", "'t', -2, 1, {'select': ['n']}", "'data': [[2]]");
    ASK_HAS(&p, "table.slice", "'t', 9, 1", "'data': []");
    ASK_HAS(&p, "table.agg", "'t', {'agg': {'s': ['sum', 'n'], 'c': ['count', 'name']}}",
            "'data': [[6, 2]]");
    ASK_HAS(&p, "table.agg", "'t', {'group': ['name'], 'agg': {'s': ['sum', 'n']}}",
            "'data': [['a', 1], [nil, 2], ['c', 3]]");
    ASK_HAS(&p, "table.explain", "'t', {'where': ['=', 'n', 1]}", "'plan'");
    ASK_BEGINS(&p, "table.get", "'t', 1, ['n', 'x']", "{'n': 2, 'x': 1.5}");
}
END_TEST

START_TEST(bad_queries)
{
    static const char *const bad[][3] = {
        {"table.scan", "'t', {'where': 1}", "! BAD_PARAMS table.scan: where"},
        {"table.scan", "'t', {'where': ['=', 'none', 1]}", "! NOT_FOUND table.scan: where"},
        {"table.scan", "'t', {'where': ['=', 'n', 'a']}", "! WRONG_TYPE table.scan: where"},
        {"table.scan", "'t', {'were': 1}", "! BAD_PARAMS"},
        {"table.scan", "'t', []", "! BAD_PARAMS"},
        {"table.scan", "'t', {'format': 'xml'}", "! BAD_PARAMS"},
        {"table.scan", "'t', {'format': 'csv'}", "! BAD_PARAMS"},
        {"table.scan", "'t', {'batch': 1}", "! BAD_PARAMS"},
        {"table.scan", "'t', {'batch': {'rows': 0}}", "! OUT_OF_RANGE"},
        {"table.scan", "'t', {'limit': -1}", "! "},
        {"table.scan", "'none'", "! NOT_FOUND"},
        {"table.scan", "'t', {'let': {'d': ['*', ['col', 'big'], ['lit', 9223372036854775807]]}}",
         "! "},
        {"table.agg", "'t', {'agg': {'s': ['sum', 'name']}}", "! WRONG_TYPE"},
        {"table.agg", "'t', {'agg': {'s': ['mean', 'n']}}", "! BAD_PARAMS"},
        {"table.agg", "'t', nil", "! "},
        {"table.next", "1", "! NOT_FOUND table.next: this session has no cursor 1"},
        {"table.next", "-1", "! NOT_FOUND"},
        {"table.next", "nil", "! BAD_PARAMS"},
        {"table.next", "'a'", "! BAD_PARAMS"},
        {"table.close", "'a'", "! BAD_PARAMS"},
        {"table.update", "'t', nil, 1", "! BAD_PARAMS"},
        {"table.update", "'t', nil, {'none': 1}", "! NOT_FOUND"},
        {"table.update", "'t', nil, {'n': 'a'}",
         "! WRONG_TYPE table.update: column \"n\": \"a\" is not"},
        {"table.delete", "'t', [3]", "! OUT_OF_RANGE"},
        {"table.delete", "'t', [0, 'a']", "! BAD_PARAMS"},
        {"table.delete", "'t', ['=', 'n']", "! BAD_PARAMS"},
        {"table.get", "'t', 0, ['none']", "! NOT_FOUND"},
        {"table.slice", "'t', 0, -1", "! OUT_OF_RANGE"},
    };
    fill();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASK_BEGINS(&p, bad[i][0], bad[i][1], bad[i][2]);
    ASK(&p, "get", "'t'", "[" ROW0 ", " ROW1 ", " ROW2 "]");
}
END_TEST

START_TEST(cursors_have_limits_and_end)
{
    fill_numbers("t", 100);
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 60}}", "'rows': 60, ");
    ASK_BEGINS(&p, "table.next", "1, {'rows': 1}", "{'rows': 1, 'data': [[60, 4]], 'cursor': 1}");
    ASK_BEGINS(&p, "table.next", "1, {'rows': 0}", "! OUT_OF_RANGE");
    ASK_HAS(&p, "table.next", "1, {'rows': 90}", "'cursor': nil}");
    ASK_BEGINS(&p, "table.next", "1", "! NOT_FOUND");
    for (int i = 0; i < 8; i++)
        ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 1}}", "'cursor': ");
    ASK_BEGINS(&p, "table.scan", "'t'", "! LIMIT table.scan: this session has 8 scans, "
               "exports and imports open");
    ASK(&p, "table.close", "2", "true");
    ASK(&p, "table.close", "2", "false");
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 1}}", "'cursor': 10");
    p.host.cursor_idle_ns = 1;
    ASK_BEGINS(&p, "table.next", "10", "! NOT_FOUND");
    p.host.cursor_idle_ns = 0;
}
END_TEST

/* However a scan comes to its end, the answer that has the last row says so. */
START_TEST(a_scan_that_has_given_its_last_row_leaves_no_cursor)
{
    static const char *const ended[] = {
        "'batch': {'rows': 100}",
        "'batch': {'rows': 90}, 'limit': 90",
        "'batch': {'rows': 30}, 'limit': 30, 'offset': 20",
        "'batch': {'rows': 80}, 'offset': 20",
        "'batch': {'rows': 15}, 'where': ['=', 'k', 0]",
        "'batch': {'rows': 5}, 'where': ['between', 'i', 20, 24]",
        "'batch': {'rows': 100}, 'order': [['k', 'desc']]",
        "'batch': {'rows': 10}, 'order': ['k'], 'limit': 10",
        "'batch': {'bytes': 1}, 'limit': 1",
        "'batch': {'rows': 1}, 'where': ['=', 'i', 99]",
        "'limit': 0",
    };
    static const char *const going_on[] = {
        "'batch': {'rows': 99}",
        "'batch': {'rows': 89}, 'limit': 90",
        "'batch': {'rows': 4}, 'where': ['between', 'i', 20, 24]",
        "'batch': {'rows': 99}, 'order': [['k', 'desc']]",
        "'batch': {'bytes': 1}",
    };
    static const char *const formats[] = {"rows", "cols", "arrow"};
    char params[200];
    fill_numbers("t", 100);
    for (size_t f = 0; f < 3; f++) {
        for (size_t i = 0; i < sizeof ended / sizeof *ended; i++) {
            if (f == 2 && strstr(ended[i], "bytes")) continue; /* its schema alone is more */
            snprintf(params, sizeof params, "'t', {'format': '%s', %s}", formats[f], ended[i]);
            ASK_HAS(&p, "table.scan", params, "'cursor': nil");
            ck_assert_uint_eq(p.refs.cursors.count, 0);
        }
        for (size_t i = 0; i < sizeof going_on / sizeof *going_on; i++) {
            snprintf(params, sizeof params, "'t', {'format': '%s', %s}", formats[f], going_on[i]);
            ASK_HAS(&p, "table.scan", params, "'cursor': ");
            ck_assert_uint_eq(p.refs.cursors.count, 1);
            snprintf(params, sizeof params, "%lld", (long long)p.refs.cursors.last);
            ASK(&p, "table.close", params, "true");
        }
    }
}
END_TEST

/* A row that the answer does not need must not fail it, nor may its error be lost. */
START_TEST(an_error_behind_an_answer_is_that_of_the_next_one)
{
    fill_numbers("t", 1100);
    ASK(&p, "set", "['t', 1050, 'i'], 9223372036854775807", "true");
    for (int i = 0; i < 2; i++) {
        char params[200];
        snprintf(params, sizeof params,
                 "'t', {'where': ['cmp', '>', ['+', ['col', 'i'], ['lit', 1]], ['lit', 0]], "
                 "'format': '%s', 'batch': {'rows': 1024}}", i ? "arrow" : "rows");
        ASK_HAS(&p, "table.scan", params, "'rows': 1024, ");
        ck_assert_uint_eq(p.refs.cursors.count, 1);
        snprintf(params, sizeof params, "%lld", (long long)p.refs.cursors.last);
        ASK_BEGINS(&p, "table.next", params, "! OUT_OF_RANGE table.next: ");
        ck_assert_uint_eq(p.refs.cursors.count, 0);
    }
}
END_TEST

/* More literals than are read at once: whoever asks waits until they are. */
START_TEST(every_method_prepares_long_lists)
{
    static const struct {
        const char *method, *params, *answer;
    } asked[] = {
        {"table.scan", "'t', {'select': ['k'], 'where': %s}", "'rows': 50, "},
        {"table.scan", "'t', {'format': 'cols', 'where': %s}", "'rows': 50, "},
        {"table.scan", "'t', {'format': 'arrow', 'batch': {'bytes': 64}, 'where': %s}",
         "'rows': 0"},
        {"table.next", "1", "'rows': 50"},
        {"table.export", "'t', {'format': 'npy', 'select': ['k'], 'where': %s}", "'rows': 50"},
        {"table.export", "'t', {'format': 'csv', 'where': %s}", "'rows': 50"},
        {"table.agg", "'t', {'agg': {'n': ['count']}, 'where': %s}", "[[50]]"},
        {"table.agg", "'t', {'group': ['i'], 'having': %s}", "'rows': 50"},
        {"table.explain", "'t', {'where': %s}", "'test': 'in'"},
        {"table.update", "'t', %s, {'k': 9}", "50"},
        {"table.delete", "'t', %s", "50"},
    };
    char where[3000], params[3200], *at = where + sprintf(where, "['in', 'i', [");
    fill_numbers("t", 100);
    for (int i = 0; i < 400; i++) at += sprintf(at, "%d, ", 2 * ((i * 7 + 3) % 400));
    sprintf(at - 2, "]]");
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const char *gap = strchr(asked[i].params, '%');
        ck_assert(gap != NULL);
        snprintf(params, sizeof params, "%.*s%s%s", (int)(gap - asked[i].params), asked[i].params,
                 where, gap + 2);
        const char *answer = ask(&p, asked[i].method, params);
        if (strstr(answer, "'cursor': 1")) { /* of Arrow: what is behind the schema */
            do answer = ask(&p, "table.next", "1, {'bytes': 100000}");
            while (strstr(answer, "'rows': 0"));
            i++;
        }
        ck_assert_msg(strstr(answer, asked[i].answer) != NULL, "%s: %s", asked[i].method, answer);
    }
    ASK(&p, "len", "'t'", "50");
    strcpy(at - 2, ", 'x']]");
    snprintf(params, sizeof params, "'t', {'where': %s}", where);
    ASK_HAS(&p, "table.scan", params,
            "! WRONG_TYPE table.scan: where[2][400]: column \"i\" is i64");
    ASK_HAS(&p, "table.explain", params, "! WRONG_TYPE table.explain: where[2][400]: ");
    snprintf(params, sizeof params, "'t', %s", where);
    ASK_HAS(&p, "table.delete", params, "! WRONG_TYPE table.delete: where[2][400]: ");
    snprintf(params, sizeof params, "'t', {'format': 'csv', 'where': %s}", where);
    ASK_HAS(&p, "table.export", params, "! WRONG_TYPE table.export: where[2][400]: ");
    ck_assert_uint_eq(p.refs.cursors.count, 0);
}
END_TEST

/* However fast the machine is: steady_clock.c. */
START_TEST(a_call_takes_as_many_steps_each_time)
{
    uint64_t steps[2];
    fill_numbers("t", 5000);
    p.seed = 0;
    for (int i = 0; i < 2; i++) {
        uint64_t before = p.steps;
        ASK_HAS(&p, "table.scan", "'t', {'order': ['k', 'i'], 'batch': {'rows': 5000}}",
                "'rows': 5000, ");
        steps[i] = p.steps - before;
    }
    ck_assert_uint_gt(steps[0], 3);
    ck_assert_uint_eq(steps[0], steps[1]);
}
END_TEST

START_TEST(a_scan_sees_one_moment)
{
    struct in_process other;
    fill_numbers("t", 5000);
    in_process_join(&other, &p);
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 1}}", "'data': [[0, 0]], 'cursor': 1");
    ASK(&other, "table.delete", "'t', ['<', 'i', 3]", "3");
    ASK(&other, "table.update", "'t', ['=', 'k', 5], {'i': -1}", "714");
    ASK_BEGINS(&other, "table.append", "'t', {'rows': [[7, 7]]}", "{'first': 4997");
    ASK_BEGINS(&other, "table.compact", "'t'", "{");
    ASK(&p, "table.next", "1, {'rows': 5}",
        "{'rows': 5, 'data': [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]], 'cursor': 1}");
    ASK(&other, "del", "'t'", "1");
    ASK_HAS(&p, "table.next", "1, {'rows': 100000}", "'rows': 4994, ");
    ASK_HAS(&other, "mem.info", "", "'external_bytes': ");
    in_process_end(&other);
}
END_TEST

START_TEST(a_session_that_ends_unpins)
{
    struct in_process other;
    fill_numbers("t", 1000);
    in_process_join(&other, &p);
    ASK_HAS(&other, "table.scan", "'t', {'batch': {'rows': 1}}", "'cursor': 1");
    ASK(&p, "clear", "", "true");
    in_process_end(&other);
    while (heap_drop_pending(p.heap)) heap_drop_step(p.heap, 1000);
    gc_collect(p.heap);
    struct heap_stats stats;
    heap_stats(p.heap, &stats);
    ck_assert_uint_eq(stats.external_bytes, 0);
}
END_TEST

/* --- changing and converting ------------------------------------------------------------------*/

START_TEST(updates_and_deletions)
{
    fill();
    ASK(&p, "table.update", "'t', ['>', 'n', 1], {'name': 'z', 'x': 0}", "2");
    ASK(&p, "table.update", "'t', ['>', 'n', 9], {'name': 'y'}", "0");
    ASK(&p, "table.delete", "'t', [0, 0, -3]", "1");
    ASK(&p, "get", "'t'", "[{'x': 0.0, 'name': 'z', 'n': 2}, {'x': 0.0, 'name': 'z', 'n': 3}]");
    ASK_BEGINS(&p, "table.delete", "'t', nil", "! BAD_PARAMS table.delete: which rows is nil");
    ASK(&p, "table.delete", "'t', ['and']", "2");
    ASK(&p, "get", "'t'", "[]");
    ASK_BEGINS(&p, "table.compact", "'t'", "{'bytes_before'");
    ASK_BEGINS(&p, "table.stats", "'t'", "{'rows': 0, 'deleted': 0");
}
END_TEST

START_TEST(records_become_a_table_and_back)
{
    ASK(&p, "set", "'l', [{'a': 1, 'b': 'x', 'c': nil, 'd': true, 'e': b'\\xff'}, "
        "{'e': b'\\xfe', 'b': nil, 'a': 2.5, 'c': nil, 'd': false}]", "true");
    ASK_BEGINS(&p, "table.from", "'l', 't'", "{'rows': 2, 'bytes_before': ");
    ASK(&p, "table.schema", "'t'",
        "[['a', 'f64', {'null': false, 'sorted': false}], "
        "['b', 'str', {'null': true, 'sorted': false}], "
        "['c', 'str', {'null': true, 'sorted': false}], "
        "['d', 'bool', {'null': false, 'sorted': false}], "
        "['e', 'bin', {'null': false, 'sorted': false}]]");
    ASK_BEGINS(&p, "table.to", "'t', 'back'", "{'rows': 2, 'bytes_before': ");
    ASK(&p, "get", "['back', 0]", "{'a': 1.0, 'b': 'x', 'c': nil, 'd': true, 'e': b'\\xff'}");
    ASK(&p, "type", "'l'", "'list'");
    ASK_BEGINS(&p, "table.from", "'l'", "{'rows': 2");
    ASK(&p, "type", "'l'", "'table'");
    ASK_BEGINS(&p, "table.to", "'l'", "{'rows': 2, 'bytes_before': ");
    ASK(&p, "type", "'l'", "'list'");
    ASK(&p, "set", "'l', [{'a': 1}, {'a': [2]}]", "true");
    ASK_BEGINS(&p, "table.from", "'l'", "! WRONG_TYPE table.from: row 1, column \"a\": a list");
    ASK(&p, "set", "'l', [{'a': 1}, {'b': 2}]", "true");
    ASK_BEGINS(&p, "table.from", "'l'", "! WRONG_TYPE table.from: row 1 has other fields "
               "than the first row: it has no \"a\"");
    ASK(&p, "set", "'l', [{'a': 1}, {'a': 1, 'b': 2}]", "true");
    ASK_BEGINS(&p, "table.from", "'l'", "! WRONG_TYPE table.from: row 1 has other fields "
               "than the first row, which has no \"b\"");
    ASK(&p, "set", "'l', [{'a': 1}, {'a': 'x'}]", "true");
    ASK_BEGINS(&p, "table.from", "'l'", "! WRONG_TYPE table.from: row 1, column \"a\": a string");
    ASK(&p, "set", "'l', [{'a': 1}, 5]", "true");
    ASK_BEGINS(&p, "table.from", "'l'", "! WRONG_TYPE table.from: row 1 is not a map");
    ASK(&p, "set", "'l', [{'a': 1}, {}]", "true");
    ASK_BEGINS(&p, "table.from", "'l', nil, [['a', 'u8', {'null': true}]]", "{'rows': 2");
    ASK(&p, "get", "'l'", "[{'a': 1}, {'a': nil}]");
    ASK(&p, "set", "'l', []", "true");
    ASK_BEGINS(&p, "table.from", "'l'", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.from", "'none'", "! NOT_FOUND");
    ASK_BEGINS(&p, "table.to", "'l'", "! WRONG_TYPE");
}
END_TEST

/* How many steps the call takes beside the first. */
static uint64_t steps_of(const char *method, const char *params)
{
    uint64_t before = p.steps;
    const char *got = ask(&p, method, params);
    ck_assert_msg(got[0] != '!', "%s: %s", method, got);
    return p.steps - before;
}

START_TEST(long_work_is_done_in_steps)
{
    fill_numbers("t", 60000);
    p.budget_ns = 0;
    ck_assert_uint_gt(steps_of("table.compact", "'t'"), 1);
    ck_assert_uint_gt(steps_of("table.scan", "'t', {'batch': {'rows': 60000}}"), 5);
    ck_assert_uint_gt(steps_of("table.agg", "'t', {'group': ['i'], 'agg': {'n': ['count']}}"), 5);
    ck_assert_uint_gt(steps_of("table.to", "'t', 'l'"), 50);
    ck_assert_uint_gt(steps_of("table.from", "'l', 'u'"), 50);
    ASK_BEGINS(&p, "get", "['u', 59999]", "{'i': 59999, 'k': 2}");
}
END_TEST

static void add_request(struct writer *w, int64_t msgid, const char *method, const char *params)
{
    struct writer items;
    writer_init(&items, 0);
    size_t count = literal_write(&items, params);
    writer_array(w, msgid < 0 ? 3 : 4);
    writer_int(w, msgid < 0 ? 2 : 0);
    if (msgid >= 0) writer_int(w, msgid);
    writer_cstr(w, method);
    writer_array(w, count);
    writer_bytes(w, items.data, items.length);
    writer_close(&items);
}

/* Long answers are put together beside the session's: when that is empty, behind others, and for
 * nobody. */
START_TEST(long_answers_keep_their_place)
{
    static const char *const formats[] = {"rows", "cols", "arrow"};
    fill_numbers("t", 60000);
    for (int i = 0; i < 3; i++) {
        struct writer w;
        char params[80];
        size_t at = 0, used = 0;
        snprintf(params, sizeof params, "'t', 0, 60000, {'format': '%s'}", formats[i]);
        char *alone = strdup(ask(&p, "table.slice", params));
        ck_assert_uint_gt(strlen(alone), 100000);
        writer_init(&w, 0);
        add_request(&w, 1, "ping", "");
        add_request(&w, 2, "table.slice", params);
        add_request(&w, -1, "table.slice", params);
        add_request(&w, 3, "table.slice", params);
        writer_rewind(&p.out, 0);
        ck_assert_int_ge(in_process_feed(&p, w.data, w.length), 0);
        for (int k = 1; k <= 3; k++, at += used) {
            char *got = literal_read(p.out.data + at, p.out.length - at, &used);
            char *expected = malloc(strlen(alone) + 100);
            sprintf(expected, "[1, %d, nil, %s]", k, k == 1 ? "'PONG'" : alone);
            ck_assert_msg(strcmp(got, expected) == 0, "%s: answer %d differs", formats[i], k);
            free(expected);
            free(got);
        }
        ck_assert_uint_eq(at, p.out.length);
        writer_rewind(&p.out, 0);
        writer_close(&w);
        free(alone);
    }
}
END_TEST

/* Another session, and what it asks for while a call of the first is under way: once. */
static struct in_process other;
static const char *other_method, *other_params;

static void other_asks(void)
{
    if (other_method == NULL) return;
    const char *got = ask(&other, other_method, other_params);
    ck_assert_msg(got[0] != '!', "%s: %s", other_method, got);
    other_method = NULL;
}

/* What the first session gets when the other has its turn between the steps of the call. */
static const char *ask_amid(const char *method, const char *params, const char *meanwhile,
                            const char *meanwhile_params)
{
    static char kept[200];
    other_method = meanwhile;
    other_params = meanwhile_params;
    snprintf(kept, sizeof kept, "%s", ask(&p, method, params));
    ck_assert_msg(other_method == NULL, "%s took one step", method);
    return kept;
}

START_TEST(what_others_do_meanwhile_does_not_show)
{
    fill_numbers("t", 60000);
    in_process_join(&other, &p);
    p.between = other_asks;
    p.budget_ns = 0;
    ck_assert_ptr_nonnull(strstr(
        ask_amid("table.scan", "'t', {'batch': {'rows': 100000}, 'select': ['i']}", "table.delete",
                 "'t', ['<', 'i', 1000]"), "'rows': 60000"));
    ck_assert_ptr_nonnull(strstr(ask_amid("table.to", "'t', 'l'", "table.append",
                                          "'t', {'rows': [[1, 1]]}"), "'rows': 59000,"));
    ck_assert_ptr_nonnull(strstr(ask_amid("table.to", "'t', 'm'", "del", "'t'"),
                                 "'rows': 59001,"));
    ck_assert_int_eq(strncmp(ask_amid("table.from", "'l'", "push", "'l', [{}]"), "! BUSY ", 7), 0);
    ASK(&p, "len", "'l'", "59001");
    ck_assert_int_eq(strncmp(ask_amid("table.from", "'m'", "del", "'m'"), "! NOT_FOUND ", 12), 0);
    ASK(&p, "exists", "'m'", "0");
    ASK_BEGINS(&p, "table.from", "'l', 'm', [['i', 'i64', {'null': true}], "
               "['k', 'u8', {'null': true}]]", "{'rows': 59001");
    ASK_HAS(&p, "table.agg", "'m', {'agg': {'s': ['sum', 'i']}}", "'data': [[1799470500]]");
    in_process_end(&other);
}
END_TEST

/* --- faults -----------------------------------------------------------------------------------*/

START_TEST(a_scan_goes_on_or_fails_whole)
{
    for (uint64_t n = 1;; n++) {
        if (n == 1) fill_numbers("t", 300);
        ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 1}, 'order': [['k', 'asc']]}",
                "'cursor': ");
        char params[40];
        sprintf(params, "%lld, {'rows': 1000}", (long long)p.refs.cursors.last);
        heap_fail_nth(p.heap, n);
        const char *got = ask(&p, "table.next", params);
        bool failed = !heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        if (failed) ck_assert_int_eq(strncmp(got, "! OUT_OF_MEMORY ", 16), 0);
        else ck_assert_ptr_nonnull(strstr(got, "'rows': 299"));
        in_process_verify(&p);
        if (!failed) break;
        /* It may have failed before it began, and the cursor is still there. */
        sprintf(params, "%lld", (long long)p.refs.cursors.last);
        ask(&p, "table.close", params);
        ck_assert_uint_eq(p.refs.cursors.count, 0);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_table");
    TCase *tcase = tcase_create("tables");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_table_reads_as_a_list_of_records);
    tcase_add_test(tcase, a_table_lies_inside_of_values_and_is_shared_by_link);
    tcase_add_test(tcase, cells_are_set_through_paths);
    tcase_add_test(tcase, a_large_table_is_a_summary_with_extension_types);
    tcase_add_test(tcase, bad_schemas);
    tcase_add_test(tcase, appends_are_all_or_nothing);
    tcase_add_test(tcase, names_that_are_not_utf8_are_bins);
    tcase_add_test(tcase, scans_filter_select_and_order);
    tcase_add_test(tcase, bad_queries);
    tcase_add_test(tcase, cursors_have_limits_and_end);
    tcase_add_test(tcase, a_scan_that_has_given_its_last_row_leaves_no_cursor);
    tcase_add_test(tcase, an_error_behind_an_answer_is_that_of_the_next_one);
    tcase_add_test(tcase, every_method_prepares_long_lists);
    tcase_add_test(tcase, a_call_takes_as_many_steps_each_time);
    tcase_add_test(tcase, a_scan_sees_one_moment);
    tcase_add_test(tcase, a_session_that_ends_unpins);
    tcase_add_test(tcase, updates_and_deletions);
    tcase_add_test(tcase, records_become_a_table_and_back);
    tcase_add_test(tcase, long_work_is_done_in_steps);
    tcase_add_test(tcase, long_answers_keep_their_place);
    tcase_add_test(tcase, what_others_do_meanwhile_does_not_show);
    tcase_add_test(tcase, a_scan_goes_on_or_fails_whole);
    suite_add_tcase(suite, tcase);
    return suite;
}
