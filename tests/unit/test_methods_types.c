/* test_methods_types.c - table.import with `types`: what the request says about columns of CSV and
 * JSON lines takes the place of what their first bytes show. */
#include "server/call.h"

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

START_TEST(types_are_checked)
{
    static const char *const wrong[][2] = {
        {"{'format': 'csv', 'create': true, 'types': {'x': 'f64'}}",
         "! WRONG_TYPE table.import: option types: the file has no column \"x\""},
        {"{'format': 'csv', 'infer': true, 'types': {'x': 'f64'}}",
         "! WRONG_TYPE table.import: option types: the file has no column \"x\""},
        {"{'format': 'csv', 'create': true, 'types': {'a': 'f65'}}", "! BAD_PARAMS"},
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
    tcase_add_test(tcase, types_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}
