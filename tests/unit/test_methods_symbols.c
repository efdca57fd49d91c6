/* test_methods_symbols.c - symbols of changes that nobody sees: that they are taken back, and in no
 * export; and symbols that no row has any more: that table.compact frees them. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table.h"
#include "tests/support/ask.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct in_process p, other;

static void setup(void) { ask_open(&p, (size_t)512 << 20); }
static void teardown(void) { in_process_close(&p); }

static void drop_all(void)
{
    while (heap_drop_pending(p.heap)) heap_drop_step(p.heap, 100000);
}

static struct table *table_named(const char *name)
{
    struct map_key key;
    map_key_text(p.heap, &key, name, strlen(name));
    return table_of(p.heap, map_get(p.heap, keys_root(p.host.keys), &key));
}

/* An import that is asked for while symbols of another session's change are there: before that is
 * given up, or while it is being taken back. */
START_TEST(an_import_waits_until_a_change_is_taken_back)
{
    static char rows[500000];
    char *to = rows + sprintf(rows, "'t', {'rows': [");
    for (int i = 0; i < 20000; i++) to += sprintf(to, "['symbol %d'],", i);
    sprintf(to - 1, "]}");
    in_process_join(&other, &p);
    ASK(&p, "table.create", "'t', [['s', 'sym']]", "true");
    ASK(&p, "table.append", "'t', {'rows': [['a'], ['b']]}", "{'first': 0, 'n': 2}");
    for (int after = 0; after < 2; after++) {
        ask_begin(&p, "table.append", rows);
        for (int k = 0; k < 5; k++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
        if (!after) ask_begin(&other, "table.import", "'t', b'a\nb\n', {'format': 'csv', "
                                                  "'header': false}");
        ask_give_up(&p);
        if (after) ask_begin(&other, "table.import", "'t', b'a\nb\n', {'format': 'csv', "
                                                 "'header': false}");
        ask_finish(&other);
        ask_expect(&other, "[1, 1, nil, {'rows': 2, 'cursor': nil}]");
        drop_all();
        ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 2);
    }
    in_process_end(&other);
}
END_TEST

/* Whether the Arrow stream that the other session gets has a text in it. */
static bool export_has(const char *text)
{
    const char *got = ask(&other, "table.export", "'t', {'format': 'arrow'}");
    ck_assert_msg(got[0] != '!', "%s", got);
    ck_assert_ptr_nonnull(strstr(got, "'cursor': nil"));
    return strstr(got, text) != NULL;
}

static void expect_dictionary(bool with_theirs)
{
    ck_assert(export_has("common"));
    ck_assert(export_has("theirs") == with_theirs);
    ck_assert(!export_has("secret"));
}

/* Symbols of a change that is under way, or was given up, are nobody else's to see: not those of an
 * append, nor of an import, nor of both at once. */
START_TEST(exports_have_no_symbols_of_changes_that_others_do_not_see)
{
    static char rows[1000000], csv[1000000];
    char *to = rows + sprintf(rows, "'t', {'rows': [");
    char *csv_to = csv + sprintf(csv, "'t', b'");
    for (int i = 0; i < 30000; i++) {
        to += sprintf(to, "['secret of a row %d'],", i);
        csv_to += sprintf(csv_to, "secret of a line %d\\n", i);
    }
    sprintf(to - 1, "]}");
    sprintf(csv_to, "', {'format': 'csv', 'header': false, 'more': false}");
    struct in_process third;
    in_process_join(&other, &p);
    in_process_join(&third, &p);
    ASK(&p, "table.create", "'t', [['s', 'sym']]", "true");
    ASK(&p, "table.append", "'t', {'rows': [['common']]}", "{'first': 0, 'n': 1}");
    expect_dictionary(false);
    for (int round = 0; round < 2; round++) {
        ask_begin(&third, "table.import", csv);
        while (table_symbol_count(table_named("t"), 0) < 100)
            ck_assert_int_eq(ask_resume(&third, 0), CALL_PENDING);
        expect_dictionary(round > 0);
        ASK_BEGINS(&other, "table.append", "'t', {'rows': [['theirs']]}", "{'first': ");
        expect_dictionary(true);
        ask_begin(&p, "table.append", rows);
        for (int k = 0; k < 5; k++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
        expect_dictionary(true);
        ask_give_up(&p);
        drop_all();
        expect_dictionary(true);
        ask_give_up(&third);
        drop_all();
        expect_dictionary(true);
    }
    ASK_BEGINS(&p, "table.append", "'t', {'rows': [['last']]}", "{'first': 3");
    expect_dictionary(true);
    ck_assert(export_has("last"));
    in_process_end(&third);
    in_process_end(&other);
}
END_TEST

/* --- dictionaries that shrink -----------------------------------------------------------------*/

static char params[400000];

/* Rows {s: symbol <first>..., i: <first>...}. */
static const char *rows_from(int first, int count)
{
    char *to = params + sprintf(params, "'t', {'rows': [");
    for (int i = first; i < first + count; i++) to += sprintf(to, "['symbol %d', %d],", i, i);
    sprintf(to - 1, "]}");
    return params;
}

static void make_turnover(void)
{
    ASK(&p, "table.create", "'t', [['s', 'sym', {'null': true}], ['i', 'i32']]", "true");
    ASK(&p, "table.index", "'t', 's', 'hash'", "{'rows': 0, 'bytes': 0}");
    ASK_BEGINS(&p, "table.append", rows_from(0, 5000), "{");
    ASK(&p, "table.delete", "'t', ['>=', 'i', 100]", "4900");
    ASK(&p, "table.append", "'t', {'rows': [[nil, -1]]}", "{'first': 100, 'n': 1}");
}

/* Rows `from`, ... are at `first`, ... */
static void check_rows(int first, int from, int count)
{
    for (int i = 0; i < count; i += 33) {
        char get[60], row[80];
        sprintf(get, "'t', %d", first + i);
        sprintf(row, "{'s': 'symbol %d', 'i': %d}", from + i, from + i);
        ASK(&p, "table.get", get, row);
        sprintf(get, "'t', {'where': ['=', 's', 'symbol %d'], 'select': ['i']}", from + i);
        sprintf(row, "'rows': 1, 'data': [[%d]],", from + i);
        ASK_HAS(&p, "table.scan", get, row);
    }
}

START_TEST(compacting_frees_the_symbols_of_deleted_rows)
{
    make_turnover();
    ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 5000);
    for (int turn = 1; turn < 6; turn++) {
        long long before = 0, after = 0;
        sscanf(ask(&p, "table.compact", "'t'"), "{'bytes_before': %lld, 'bytes_after': %lld}",
               &before, &after);
        ck_assert_int_lt(after, before / 4);
        ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 100);
        check_rows(0, 0, 100);
        ASK(&p, "table.get", "'t', 100", "{'s': nil, 'i': -1}");
        ASK_HAS(&p, "table.schema", "'t'", "'index': 'hash'");
        ASK_BEGINS(&p, "table.append", rows_from(turn * 5000, 5000), "{'first': 101, 'n': 5000");
        check_rows(101, turn * 5000, 5000);
        ASK(&p, "table.delete", "'t', ['>=', 'i', 100]", "5000");
    }
    drop_all();
}
END_TEST

/* What is little, or a little of much, stays. */
START_TEST(a_dictionary_in_use_stays)
{
    make_turnover();
    ASK_BEGINS(&p, "table.append", rows_from(5000, 15000), "{");
    ASK_BEGINS(&p, "table.compact", "'t'", "{"); /* 4,900 of 20,000 */
    ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 20000);
    ASK(&p, "table.delete", "'t', ['and', ['>=', 'i', 5000], ['<', 'i', 5100]]", "100");
    ASK_BEGINS(&p, "table.compact", "'t'", "{"); /* 5,000 */
    ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 15000);
    check_rows(101, 5100, 14900);
}
END_TEST

START_TEST(open_scans_keep_the_symbols_they_see)
{
    make_turnover();
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 99}}", "'cursor': 1");
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 100);
    ASK_BEGINS(&p, "table.append", rows_from(7000, 5000), "{");
    ASK(&p, "table.next", "1",
        "{'rows': 2, 'data': [['symbol 99', 99], [nil, -1]], 'cursor': nil}");
}
END_TEST

/* It knows codes of the table's symbols between its calls. */
START_TEST(open_imports_keep_the_codes_they_know)
{
    make_turnover();
    ASK_HAS(&p, "table.import", "'t', b'symbol 7,7\nsymbol 8,8\n', {'format': 'csv', 'header': "
            "false, 'more': true}", "'cursor': 1");
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 5000);
    ASK_HAS(&p, "table.import", "'t', b'symbol 4000,4\n', {'cursor': 1}", "'cursor': nil");
    ASK(&p, "table.get", "'t', -1", "{'s': 'symbol 4000', 'i': 4}");
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 101);
    ASK(&p, "table.get", "'t', -1", "{'s': 'symbol 4000', 'i': 4}");
    check_rows(0, 0, 7);
}
END_TEST

/* Who is given up, at any step, leaves the table as it was. */
START_TEST(a_table_may_go_while_its_dictionary_is_made)
{
    make_turnover();
    in_process_join(&other, &p);
    for (int steps = 0; steps < 30; steps++) {
        ask_begin(&p, "table.compact", "'t'");
        bool over = false;
        for (int k = 0; k < steps && !over; k++) over = ask_resume(&p, 0) != CALL_PENDING;
        if (over) break;
        ask_give_up(&p);
        drop_all();
        check_rows(0, 0, 100);
    }
    ASK_BEGINS(&p, "table.append", rows_from(5000, 5000), "{");
    ASK(&p, "table.delete", "'t', ['>=', 'i', 100]", "5000");
    ask_begin(&p, "table.compact", "'t'");
    for (int k = 0; k < 3; k++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    ASK(&other, "del", "'t'", "1");
    ask_finish(&p);
    drop_all();
    in_process_end(&other);
}
END_TEST

/* Each failure is told, and leaves the rows; in the end it succeeds. */
START_TEST(every_allocation_of_a_new_dictionary_may_fail)
{
    unsigned failures = 0;
    make_turnover();
    for (uint64_t n = 1;; n++, failures++) {
        heap_fail_nth(p.heap, n);
        const char *got = ask(&p, "table.compact", "'t'");
        bool failed = !heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        if (!failed) {
            ck_assert_int_eq(strncmp(got, "{'bytes_before': ", 17), 0);
            break;
        }
        /* What is freed needs no memory. */
        if (got[0] == '!') ck_assert_int_eq(strncmp(got, "! OUT_OF_MEMORY ", 16), 0);
        in_process_verify(&p);
        check_rows(0, 0, 100);
    }
    ck_assert_uint_gt(failures, 10);
    ck_assert_uint_eq(table_symbol_count(table_named("t"), 0), 100);
    drop_all();
}
END_TEST

/* --- random changes, against an array ---------------------------------------------------------*/

#define MODEL_ROWS_MAX 9000
static int model[MODEL_ROWS_MAX];
static int model_rows;

static void model_append(uint64_t *rng)
{
    int count = 1 + (int)random_below(rng, 3000), first = (int)random_below(rng, 30000);
    if (model_rows + count > MODEL_ROWS_MAX) return;
    for (int i = 0; i < count; i++) model[model_rows++] = first + i;
    ASK_BEGINS(&p, "table.append", rows_from(first, count), "{");
}

static void model_delete(uint64_t *rng)
{
    char deletion[60], answer[20];
    int border = (int)random_below(rng, 30000), kept = 0;
    bool below = random_below(rng, 2) == 0;
    for (int i = 0; i < model_rows; i++)
        if ((model[i] < border) != below) model[kept++] = model[i];
    sprintf(deletion, "'t', ['%s', 'i', %d]", below ? "<" : ">=", border);
    sprintf(answer, "%d", model_rows - kept);
    model_rows = kept;
    ASK(&p, "table.delete", deletion, answer);
}

static void model_check(void)
{
    static char data[MODEL_ROWS_MAX * 32];
    char *to = data + sprintf(data, "'data': [");
    for (int i = 0; i < model_rows; i++)
        to += sprintf(to, "%s['symbol %d', %d]", i ? ", " : "", model[i], model[i]);
    sprintf(to, "]");
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 100000, 'bytes': 1000000}}", data);
}

START_TEST(compacted_at_random)
{
    uint64_t rng = random_seed() + (uint64_t)_i;
    unsigned shrunk = 0;
    model_rows = 0;
    ASK(&p, "table.create", "'t', [['s', 'sym'], ['i', 'i32']]", "true");
    for (int turn = 0; turn < 120; turn++) {
        uint64_t what = random_below(&rng, 4);
        uint32_t before = table_symbol_count(table_named("t"), 0);
        if (what < 2) model_append(&rng);
        if (what == 2) model_delete(&rng);
        if (what == 3) ASK_BEGINS(&p, "table.compact", "'t'", "{");
        uint32_t now = table_symbol_count(table_named("t"), 0);
        shrunk += now < before;
        if (what == 3) ck_assert_uint_le(now, (unsigned)model_rows * 4 / 3 + 1024);
        if (what >= 2) model_check();
        if (random_below(&rng, 4) == 0) drop_all();
    }
    ck_assert_uint_gt(shrunk, 2);
    in_process_verify(&p);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_symbols");
    TCase *tcase = tcase_create("symbols");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_import_waits_until_a_change_is_taken_back);
    tcase_add_test(tcase, exports_have_no_symbols_of_changes_that_others_do_not_see);
    tcase_add_test(tcase, compacting_frees_the_symbols_of_deleted_rows);
    tcase_add_test(tcase, a_dictionary_in_use_stays);
    tcase_add_test(tcase, open_scans_keep_the_symbols_they_see);
    tcase_add_test(tcase, open_imports_keep_the_codes_they_know);
    tcase_add_test(tcase, a_table_may_go_while_its_dictionary_is_made);
    tcase_add_test(tcase, every_allocation_of_a_new_dictionary_may_fail);
    tcase_add_loop_test(tcase, compacted_at_random, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
