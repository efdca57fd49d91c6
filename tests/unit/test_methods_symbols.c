/* test_methods_symbols.c - symbols of changes that nobody sees: that they are taken back, and in no
 * export. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table.h"
#include "tests/support/ask.h"
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

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_symbols");
    TCase *tcase = tcase_create("symbols");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_import_waits_until_a_change_is_taken_back);
    tcase_add_test(tcase, exports_have_no_symbols_of_changes_that_others_do_not_see);
    suite_add_tcase(suite, tcase);
    return suite;
}
