/* test_methods_types.c - table.import with `types`: what the request says about columns of CSV and
 * JSON lines takes the place of what their first bytes show; and names that a header lacks. */
#include "server/call.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { in_process_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

static const char *import(const char *path, const char *text, const char *options)
{
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 3);
    literal_write(&w, path);
    writer_bin(&w, text, strlen(text));
    literal_write(&w, options);
    const char *answer = ask_bytes(&p, "table.import", &w);
    writer_close(&w);
    return answer;
}

#define IMPORT(path, text, options, beginning)                                                   \
    do {                                                                                         \
        const char *answer_ = import(path, text, options);                                       \
        ck_assert_msg(strncmp(answer_, beginning, strlen(beginning)) == 0,                       \
                      "%s: '%s' does not begin with '%s'", text, answer_, beginning);            \
    } while (0)

START_TEST(a_type_that_is_said_holds_what_comes_later)
{
    IMPORT("'t'", "n,m\n1,2\n", "{'format': 'csv', 'create': true, 'more': true, 'types': {'n': "
                                "'f64'}}", "{'rows': 1, 'cursor': 1}");
    IMPORT("'t'", "0.5,3\n,4\n", "{'cursor': 1}", "{'rows': 3, 'cursor': nil}");
    ASK(&p, "get", "'t'", "[{'n': 1.0, 'm': 2}, {'n': 0.5, 'm': 3}, {'n': nil, 'm': 4}]");
    ASK(&p, "table.schema", "'t'", "[['n', 'f64', {'null': true, 'sorted': false}], "
                                   "['m', 'i64', {'null': false, 'sorted': false}]]");
}
END_TEST

START_TEST(a_field_of_json_that_comes_late_has_its_column)
{
    IMPORT("'t'", "{\"n\":1}\n", "{'format': 'jsonl', 'create': true, 'more': true, 'types': "
                                 "{'late': 'str', 'n': 'u8'}}", "{'rows': 1, 'cursor': 1}");
    IMPORT("'t'", "{\"late\":\"x\"}", "{'cursor': 1}", "{'rows': 2, 'cursor': nil}");
    ASK(&p, "get", "'t'", "[{'n': 1, 'late': nil}, {'n': nil, 'late': 'x'}]");
    ASK_HAS(&p, "table.schema", "'t'", "['n', 'u8', {'null': true");
}
END_TEST

START_TEST(types_go_with_infer)
{
    IMPORT("nil", "a,b\n1,2\n", "{'format': 'csv', 'infer': true, 'more': true, 'types': "
                               "{'b': 'sym'}}", "{'rows': 1, 'cursor': 1}");
    IMPORT("nil", "3,4\n", "{'cursor': 1}",
           "{'rows': 2, 'cursor': nil, 'schema': [['a', 'i64', {'null': false, 'sorted': false}], "
           "['b', 'sym', {'null': true, 'sorted': false}]]}");
    ASK(&p, "count", "", "0");
}
END_TEST

START_TEST(a_column_without_a_name_is_called_by_its_place)
{
    IMPORT("'t'", ",a,\n0,1,\n1,3,x\n", "{'format': 'csv', 'create': true}", "{'rows': 2");
    ASK(&p, "get", "['t', 1]", "{'column1': 1, 'a': 3, 'column3': 'x'}");
    IMPORT("'t'", "a,,\n5,6,y\n", "{'format': 'csv'}",
           "! WRONG_TYPE table.import: CSV line 1: cell 2: the table has no column \"column2\"");
    IMPORT("'t'", ",a,\n2,5,z\n", "{'format': 'csv'}", "{'rows': 1");
    ASK(&p, "get", "['t', -1]", "{'column1': 2, 'a': 5, 'column3': 'z'}");
    IMPORT("'u'", "column2,\n1,2\n", "{'format': 'csv', 'create': true}",
           "! WRONG_TYPE table.import: CSV line 1: cell 2: a second column \"column2\"");
    IMPORT("'u'", "a,caf\xe9\n1,2\n", "{'format': 'csv', 'create': true}",
           "! WRONG_TYPE table.import: CSV line 1, column \"caf\\\\xe9\": cell 2: "
           "\"caf\\\\xe9\" is not UTF-8");
    ASK(&p, "exists", "'u'", "0");
}
END_TEST

START_TEST(json_lines_may_have_a_byte_order_mark)
{
    IMPORT("'t'", "\xef\xbb\xbf{\"a\":1}\n{\"a\":2}", "{'format': 'jsonl', 'create': true}",
           "{'rows': 2");
    IMPORT("'t'", "\xef", "{'format': 'jsonl', 'more': true}", "{'rows': 0, 'cursor': 1}");
    IMPORT("'t'", "\xbb", "{'cursor': 1, 'more': true}", "{'rows': 0, 'cursor': 1}");
    IMPORT("'t'", "\xbf{\"a\":3}", "{'cursor': 1}", "{'rows': 1, 'cursor': nil}");
    ASK(&p, "get", "'t'", "[{'a': 1}, {'a': 2}, {'a': 3}]");
    IMPORT("'t'", "\xef{\"a\":1}", "{'format': 'jsonl'}",
           "! WRONG_TYPE table.import: JSON line 1, record 1: it begins as a byte order mark does");
    IMPORT("'t'", "\xef\xbb\xbf\xef\xbb\xbf{\"a\":1}", "{'format': 'jsonl'}", "! WRONG_TYPE");
    ASK(&p, "len", "'t'", "3");
}
END_TEST

START_TEST(no_more_types_than_a_table_has_columns)
{
    char options[20000];
    size_t length = (size_t)sprintf(options, "{'format': 'csv', 'create': true, 'types': {");
    for (int i = 0; i < 1025; i++)
        length += (size_t)sprintf(options + length, "%s'%d': 'f64'", i > 0 ? ", " : "", i);
    sprintf(options + length, "}}");
    IMPORT("'t'", "a\n1\n", options,
           "! LIMIT table.import: option types: a table has 1 to 1024 columns, not 1025");
}
END_TEST

START_TEST(types_are_checked)
{
    static const char *const wrong[][2] = {
        {"{'format': 'csv', 'create': true, 'types': {'x': 'f64'}}",
         "! WRONG_TYPE table.import: option types: the file has no column \"x\""},
        {"{'format': 'csv', 'infer': true, 'types': {'x': 'f64'}}",
         "! WRONG_TYPE table.import: option types: the file has no column \"x\""},
        {"{'format': 'csv', 'create': true, 'types': {'a': 'f65'}}",
         "! BAD_PARAMS table.import: option types: column \"a\": there is no type \"f65\"; there"},
        {"{'format': 'csv', 'create': true, 'types': {5: 'f64'}}", "! BAD_PARAMS"},
        {"{'format': 'csv', 'create': true, 'types': {'': 'f64'}}", "! BAD_PARAMS"},
        {"{'format': 'csv', 'create': true, 'types': [['a', 'f64']]}",
         "! BAD_PARAMS table.import: option types must be a map"},
        {"{'format': 'csv', 'types': {'a': 'f64'}}", "! BAD_PARAMS table.import: types are of"},
        {"{'format': 'csv', 'create': true, 'schema': [['a', 'f64']], 'types': {'a': 'f64'}}",
         "! BAD_PARAMS table.import: types are of"},
        {"{'format': 'npy', 'create': true, 'types': {'a': 'f64'}}",
         "! BAD_PARAMS table.import: types are for csv and jsonl"},
        {"{'format': 'csv', 'create': true, 'types': {'a': 'date'}}",
         "! WRONG_TYPE table.import: CSV line 2, column \"a\", record 1: \"1\" is no date"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        IMPORT("'t'", "a\n1\n", wrong[i][0], wrong[i][1]);
    ASK(&p, "count", "", "0");
    IMPORT("'t'", "a\n1\n", "{'format': 'csv', 'create': true, 'types': {}}", "{'rows': 1");
    IMPORT("'u'", "a\n1\n", "{'format': 'csv', 'create': true, 'types': nil}", "{'rows': 1");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_types");
    TCase *tcase = tcase_create("methods_types");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_type_that_is_said_holds_what_comes_later);
    tcase_add_test(tcase, a_field_of_json_that_comes_late_has_its_column);
    tcase_add_test(tcase, types_go_with_infer);
    tcase_add_test(tcase, a_column_without_a_name_is_called_by_its_place);
    tcase_add_test(tcase, json_lines_may_have_a_byte_order_mark);
    tcase_add_test(tcase, no_more_types_than_a_table_has_columns);
    tcase_add_test(tcase, types_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}
