/* test_methods_infer.c - tables that table.import makes without a schema, of files in parts: when
 * types are found, and what is held until then. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void)
{
    in_process_open(&p, 0);
    p.seed = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)p.seed);
}
static void teardown(void) { in_process_close(&p); }

#define IMPORT(path, text, options, beginning)                                                   \
    do {                                                                                         \
        const char *answer_ = ask_import(&p, path, text, strlen(text), options);                 \
        ck_assert_msg(strncmp(answer_, beginning, strlen(beginning)) == 0,                       \
                      "%s: '%s' does not begin with '%s'", text, answer_, beginning);            \
    } while (0)

/* Types are those of the first bytes with a whole row, however many calls bring them. */
START_TEST(a_table_is_made_once_a_row_is_whole)
{
    uint64_t rng = p.seed;
    IMPORT("'u'", "a,b\n1", "{'format': 'csv', 'create': true, 'more': true}",
           "{'rows': 0, 'cursor': 1}");
    IMPORT("'u'", ".5,\"x", "{'cursor': 1, 'more': true}", "{'rows': 0, 'cursor': 1}");
    ASK(&p, "exists", "'u'", "0");
    IMPORT("'u'", "\ny\"\n7,", "{'cursor': 1, 'more': true}", "{'rows': 1, 'cursor': 1}");
    ASK(&p, "get", "'u'", "[{'a': 1.5, 'b': 'x\\ny'}]");
    IMPORT("'u'", "z", "{'cursor': 1}", "{'rows': 2, 'cursor': nil}");
    ASK(&p, "get", "['u', 1]", "{'a': 7.0, 'b': 'z'}");
    static const char *const files[][2] = {{"'format': 'csv'", "a,b\r\n-1,p\r\n2,q\r\n"},
                                           {"'format': 'jsonl'", "{\"a\":-1,\"b\":\"p\"}\n"
                                                                 "{\"a\":2, \"b\":\"q\"}"}};
    for (unsigned i = 0; i < 40; i++) {
        char options[120];
        bool atomic = i / 2 % 2;
        snprintf(options, sizeof options, "%s, 'create': true, 'ttl': 50000%s", files[i % 2][0],
                 atomic ? ", 'atomic': true" : "");
        const char *file = files[i % 2][1];
        const char *answer = ask_import_cut(&p, "'v'", file, strlen(file), options, 1 + i / 2,
                                            &rng);
        ck_assert_str_eq(answer, "{'rows': 2, 'cursor': nil}");
        ASK(&p, "get", "'v'", "[{'a': -1, 'b': 'p'}, {'a': 2, 'b': 'q'}]");
        ck_assert_int_gt(strtoll(ask(&p, "ttl", "'v'"), NULL, 10), 0);
        ASK(&p, "del", "'v'", "1");
    }
    ck_assert_uint_eq(p.refs.cursors.count, 0);
}
END_TEST

START_TEST(waiting_for_a_row_is_bounded_and_may_be_in_vain)
{
    static char text[40000];
    const char *answer;
    char options[100];
    unsigned calls = 0;
    memset(text, 'x', sizeof text);
    p.host.import_bytes_max = 500000;
    strcpy(options, "{'format': 'csv', 'create': true, 'more': true}");
    do {
        answer = ask_import(&p, "'u'", text, sizeof text, options);
        strcpy(options, "{'cursor': 1, 'more': true}");
    } while (strcmp(answer, "{'rows': 0, 'cursor': 1}") == 0 && ++calls < 100);
    ck_assert_msg(calls > 1 && strstr(answer, "the limit is 500000 (table-import-memory)"),
                  "%u: %s", calls, answer);
    ck_assert_uint_eq(p.refs.cursors.count, 0);
    p.host.import_bytes_max = 0;
    IMPORT("'u'", "", "{'format': 'jsonl', 'create': true, 'more': true}",
           "{'rows': 0, 'cursor': 2}");
    IMPORT("'u'", "", "{'cursor': 2}", "! WRONG_TYPE table.import: the file has no row");
    /* Somebody else was first. */
    IMPORT("'u'", "a\n", "{'format': 'csv', 'create': true, 'more': true}",
           "{'rows': 0, 'cursor': 3}");
    ASK(&p, "set", "'u', 1", "true");
    IMPORT("'u'", "5\n", "{'cursor': 3}", "! BUSY table.import: something was stored at");
    /* A session may end meanwhile. */
    IMPORT("'v'", "a\n5", "{'format': 'csv', 'create': true, 'more': true}",
           "{'rows': 0, 'cursor': 4}");
}
END_TEST

/* What is far from usual is written and read in one way: years before 0 and after 9999, and doubles
 * below the normal ones. Such years are no dates by themselves. */
START_TEST(odd_years_and_tiny_doubles_come_back)
{
    static const char csv[] = "d,t,x\r\n-0001-12-31,-290308-12-21T19:59:05.224192Z,5e-324\r\n"
                              "10000-01-01,294247-01-10T04:00:54.775807Z,-2.5e-320\r\n";
    static const char jsonl[] =
        "{\"d\":\"-0001-12-31\",\"t\":\"-290308-12-21T19:59:05.224192Z\",\"x\":5e-324}\n"
        "{\"d\":\"10000-01-01\",\"t\":\"294247-01-10T04:00:54.775807Z\",\"x\":-2.5e-320}\n";
    for (int i = 0; i < 2; i++) {
        char params[200];
        snprintf(params, sizeof params, "{'format': '%s', 'create': true, "
                 "'schema': [['d', 'date'], ['t', 'ts'], ['x', 'f64']]}", i ? "jsonl" : "csv");
        IMPORT("'t'", i ? jsonl : csv, params, "{'rows': 2");
        ASK(&p, "get", "['t', 0, 'd']", "-719529");
        ASK(&p, "get", "['t', 1, 'd']", "2932897");
        ASK(&p, "get", "['t', 0, 't']", "-9223372036854775808");
        ASK(&p, "get", "['t', 1, 't']", "9223372036854775807");
        ASK_HAS(&p, "table.export", "'t', {'format': 'csv'}",
                "-0001-12-31,-290308-12-21T19:59:05.224192Z,5e-324");
        ASK_HAS(&p, "table.export", "'t', {'format': 'csv'}",
                "10000-01-01,294247-01-10T04:00:54.775807Z,-2.5e-320");
        ASK_HAS(&p, "table.export", "'t', {'format': 'jsonl'}", "\"x\":5e-324}");
        ASK_HAS(&p, "table.export", "'t', {'format': 'jsonl'}", "{\"d\":\"10000-01-01\",");
        ASK(&p, "del", "'t'", "1");
        IMPORT("nil", i ? jsonl : csv, i ? "{'format': 'jsonl', 'infer': true}"
                                         : "{'format': 'csv', 'infer': true}",
               "{'rows': 2, 'cursor': nil, 'schema': [['d', 'str', ");
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("methods_infer");
    TCase *c = tcase_create("infer");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_table_is_made_once_a_row_is_whole);
    tcase_add_test(c, waiting_for_a_row_is_bounded_and_may_be_in_vain);
    tcase_add_test(c, odd_years_and_tiny_doubles_come_back);
    suite_add_tcase(s, c);
    return s;
}
