/* test_methods.c - what each method answers: what it is for, and each of its errors. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/text.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

/* --- all methods ------------------------------------------------------------------------------*/

START_TEST(every_method_is_found_by_its_name_only)
{
    ck_assert_uint_gt(method_count, 40);
    for (size_t i = 0; i < method_count; i++) {
        const char *name = method_list[i].name;
        size_t length = strlen(name);
        ck_assert_ptr_eq(method_find(name, length), &method_list[i]);
        ck_assert_ptr_eq(method_find(name, length - 1) == &method_list[i] ? NULL : &p, &p);
        ck_assert_ptr_nonnull(method_list[i].help);
        ck_assert_uint_ne(method_list[i].flags, 0);
        ck_assert_uint_le(method_list[i].params_min, method_list[i].params_max);
    }
    ck_assert_ptr_null(method_find("", 0));
    ck_assert_ptr_null(method_find("get\0", 4));
    ck_assert_ptr_null(method_find("zzz", 3));
}
END_TEST

START_TEST(every_method_counts_its_parameters)
{
    for (size_t i = 0; i < method_count; i++) {
        const struct method *m = &method_list[i];
        char params[200] = "", error[300];
        if (m->params_max != UINT32_MAX) {
            for (unsigned k = 0; k <= m->params_max; k++) strcat(params, k == 0 ? "nil" : ", nil");
            snprintf(error, sizeof error, "! BAD_PARAMS %s: got %u parameter%s; %s(%s) takes ",
                     m->name, m->params_max + 1, m->params_max == 0 ? "" : "s", m->name, m->params);
            ASK_BEGINS(&p, m->name, params, error);
        }
        if (m->params_min == 0) continue;
        snprintf(error, sizeof error, "! BAD_PARAMS %s: got 0 parameters; %s(%s) takes ", m->name,
                 m->name, m->params);
        ASK_BEGINS(&p, m->name, "", error);
    }
    ASK(&p, "count", "1", "! BAD_PARAMS count: got 1 parameter; count() takes no parameters");
    ASK(&p, "del", "", "! BAD_PARAMS del: got 0 parameters; del(path, ...) takes 1 or more");
    ASK(&p, "type", "'a', 'b'", "! BAD_PARAMS type: got 2 parameters; type(path) takes 1");
    ASK(&p, "get", "", "! BAD_PARAMS get: got 0 parameters; get(path, [opts: depth, default]) "
        "takes "
                       "1 to 2");
}
END_TEST

START_TEST(options_are_checked)
{
    ASK(&p, "get", "'a', {'deep': 1}",
        "! BAD_PARAMS get: there is no option \"deep\"; there are: depth, default");
    ASK(&p, "get", "'a', 5", "! BAD_PARAMS get: parameter 2 is the options, a map, not an integer");
    ASK(&p, "get", "'a', {'depth': 'x'}",
        "! BAD_PARAMS get: option depth must be an integer, not a string");
    ASK(&p, "get", "'a', {'depth': 0}",
        "! OUT_OF_RANGE get: option depth is 0; it may be 1 to 500");
    ASK(&p, "get", "'a', {'depth': 18446744073709551615}",
        "! OUT_OF_RANGE get: option depth is 18446744073709551615; it may be 1 to 500");
    ASK(&p, "set", "'a', 1, {'create': 1}",
        "! BAD_PARAMS set: option create must be true or false, not 1");
    ASK(&p, "set", "'a', 1, {'if': 'here'}",
        "! BAD_PARAMS set: option if is \"here\"; it may be one of: absent present");
    ASK(&p, "set", "'a', 1, {'if': 'absen'}",
        "! BAD_PARAMS set: option if is \"absen\"; it may be one of: absent present");
    ASK(&p, "set", "'a', 1, {1: 1}",
        "! BAD_PARAMS set: there is no option 1; there are: if, match, create, ttl, keep_ttl");
    ASK(&p, "count", "", "0");
    ASK(&p, "get", "'a', nil", "nil");
    ASK(&p, "get", "'a', {}", "nil");
}
END_TEST

/* --- session -------------------------------------------------------------------------------*/

START_TEST(session_methods)
{
    ASK(&p, "ping", "", "'PONG'");
    ASK(&p, "ping", "[1, 'x']", "[1, 'x']");
    ASK(&p, "ping", "nil", "nil");
    ASK(&p, "hello", "",
        "{'server': 'cairn', 'version': '" PACKAGE_VERSION
        "', 'ext': false, 'any_keys': false, 'structured_errors': false}");
    ASK(&p, "hello", "{'ext': 1}", "! BAD_PARAMS hello: option ext must be true or false, not 1");
    ASK_BEGINS(&p, "hello", "{'ext': true, 'extra': 1}", "! BAD_PARAMS hello: there is no option");
    ck_assert(!p.features.ext);
    ASK_HAS(&p, "hello", "{'ext': true, 'any_keys': true}", "'ext': true, 'any_keys': true");
    ASK_HAS(&p, "hello", "", "'ext': true, 'any_keys': true");
    ASK_HAS(&p, "hello", "{'ext': false}", "'ext': false, 'any_keys': true");
    ASK_HAS(&p, "methods", "",
            "{'name': 'get', 'params': 'path, [opts: depth, default]', 'result': 'value or nil', "
            "'help': 'Reads a value; lists and maps more than depth inside each other are nil; "
            "what "
            "is absent is default or nil', 'flags': ['read']}");
    ASK_HAS(&p, "methods", "", "'flags': ['admin', 'long']");
}
END_TEST

/* --- values --------------------------------------------------------------------------------*/

START_TEST(set_and_get)
{
    ASK(&p, "set", "'a', {'x': [1, 2.5, nil, true, 'text that is longer', b'\\x00']}", "true");
    ASK(&p, "get", "'a'", "{'x': [1, 2.5, nil, true, 'text that is longer', b'\\x00']}");
    ASK(&p, "set", "'a', 'new'", "true");
    ASK(&p, "get", "'a'", "'new'");
    ASK(&p, "set", "'a', nil", "true");
    ASK(&p, "exists", "'a'", "1");
    ASK(&p, "set", "'', 1", "true");
    ASK(&p, "get", "''", "1");
}
END_TEST

START_TEST(set_under_conditions)
{
    ASK(&p, "set", "'a', 1, {'if': 'present'}", "false");
    ASK(&p, "set", "'a', 1, {'if': 'absent'}", "true");
    ASK(&p, "set", "'a', 2, {'if': 'absent'}", "false");
    ASK(&p, "set", "'a', 3, {'if': 'present'}", "true");
    ASK(&p, "get", "'a'", "3");
    ASK(&p, "set", "'a', 4, {'match': 2}", "false");
    ASK(&p, "set", "'a', {'x': [1, 'y']}, {'match': 3}", "true");
    ASK(&p, "set", "'a', 5, {'match': {'x': [1, 'z']}}", "false");
    ASK(&p, "set", "'a', 5, {'match': {'x': [1, 'y']}, 'if': 'present'}", "true");
    ASK(&p, "set", "'b', 1, {'match': 0}", "false");
    ASK(&p, "set", "'b', 1, {'match': nil}", "true");
    ASK(&p, "mget", "['a', 'b']", "[5, 1]");
}
END_TEST

START_TEST(match_has_a_limit)
{
    struct writer params;
    writer_init(&params, 0);
    for (int round = 0; round < 2; round++) {
        writer_rewind(&params, 0);
        writer_array(&params, round == 0 ? 2 : 3);
        writer_cstr(&params, "a");
        if (round == 1) literal_write(&params, "1");
        if (round == 1) writer_map(&params, 1);
        if (round == 1) writer_cstr(&params, "match");
        writer_array(&params, 200000);
        for (int i = 0; i < 200000; i++) writer_int(&params, i);
        ck_assert_str_eq(ask_bytes(&p, "set", &params),
                         round == 0 ? "true"
                                    : "! LIMIT set: match compares up to 100000 values and KiB "
                                      "of texts, and these have more");
    }
    ASK(&p, "len", "'a'", "200000");
    writer_close(&params);
}
END_TEST

START_TEST(del_and_exists)
{
    ASK(&p, "mset", "[['a', 1], ['b', {'x': 1, 'y': 2}], ['c', [1, 2, 3]]]", "true");
    ASK(&p, "exists", "'a', 'b', 'z', ['b', 'x'], ['c', -1], ['c', 3], 'a'", "5");
    ASK(&p, "del", "'a', 'z', 'a', ['b', 'x'], ['c', 0], ['c', 0]", "4");
    ASK(&p, "mget", "['a', 'b', 'c']", "[nil, {'y': 2}, [3]]");
    ASK(&p, "del", "'b', ['b', 'y']", "1");
    ASK(&p, "del", "'c', 5", "! BAD_PATH del: a path is a key (a string or bytes) or an array of a "
                             "key and segments; this is an integer");
    ASK(&p, "exists", "'c'", "1");
    ASK(&p, "new", "1", "{'handle': 1}");
    ASK(&p, "del", "'c', {'handle': 1}", "! BAD_PATH del: {\"handle\": 1} is a handle; release "
        "gives "
                                         "it up");
    ASK(&p, "del", "'c', [{'handle': 1}]", "! BAD_PATH del: {\"handle\": 1} is a handle; release "
                                           "gives it up");
    ASK(&p, "exists", "'c'", "1");
}
END_TEST

START_TEST(type_and_len)
{
    static const struct {
        const char *value, *type, *length;
    } cases[] = {
        {"nil", "'nil'", "0"},           {"true", "'bool'", NULL},
        {"5", "'int'", NULL},            {"18446744073709551615", "'int'", NULL},
        {"2.5", "'float'", NULL},        {"1e300", "'float'", NULL},
        {"'abc'", "'string'", "3"},      {"'\\xc3\\xa9'", "'string'", "2"},
        {"b'abcd'", "'bytes'", "4"},     {"''", "'string'", "0"},
        {"[1, 2]", "'list'", "2"},       {"{'a': 1}", "'map'", "1"},
        {"<50:00>", "'ext'", NULL},      {"'a longer text'", "'string'", "13"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char params[100];
        sprintf(params, "'a', %s", cases[i].value);
        ASK(&p, "set", params, "true");
        ASK(&p, "type", "'a'", cases[i].type);
        if (cases[i].length != NULL) ASK(&p, "len", "'a'", cases[i].length);
        else
            ASK_HAS(&p, "len", "'a'",
                    "len needs a list, a map, a set, a sorted set, a table, a string or bytes");
    }
    ASK(&p, "type", "'b'", "nil");
    ASK(&p, "len", "'b'", "0");
    ASK(&p, "set", "'a', 5", "true");
    ASK(&p, "len", "'a'", "! WRONG_TYPE len: \"a\" is an integer; len needs a list, a map, a set, "
                          "a sorted set, a table, a string or bytes");
}
END_TEST

START_TEST(add_adds)
{
    ASK(&p, "add", "'n', 5", "5");
    ASK(&p, "add", "'n', -7", "-2");
    ASK(&p, "add", "'n', 0.5", "-1.5");
    ASK(&p, "set", "'n', 9223372036854775807", "true");
    ASK(&p, "add", "'n', 1",
        "! NEEDS_EXT add: the value holds an integer above int64, which plain MessagePack cannot "
        "carry; hello({\"ext\": true}) allows it");
    ASK(&p, "get", "'n'", "9223372036854775807");
    ask_extensions(&p, true);
    ASK(&p, "add", "'n', 1", "9223372036854775808");
    ASK(&p, "add", "'n', 9223372036854775807", "18446744073709551615");
    ASK(&p, "add", "'n', 1",
        "! OUT_OF_RANGE add: the sum of 18446744073709551615 and 1 does not fit int64 or uint64");
    ASK(&p, "set", "'n', -9223372036854775808", "true");
    ASK_BEGINS(&p, "add", "'n', -1", "! OUT_OF_RANGE add: the sum of -9223372036854775808 and -1");
    ASK(&p, "add", "'n', 'x'", "! BAD_PARAMS add: number must be a number, not a string");
    ASK(&p, "set", "'m', {'s': 'x', 'l': [1, nil]}", "true");
    ASK(&p, "add", "['m', 's'], 1",
        "! WRONG_TYPE add: [\"m\", \"s\"] is a string; add needs a number");
    ASK(&p, "add", "['m', 'l', 0], 1", "2");
    ASK(&p, "add", "['m', 'l', 1], 1", "1");
    ASK(&p, "add", "['m', 'new'], 1.5", "1.5");
    ASK_BEGINS(&p, "add", "['m', 'l', 2], 1", "! OUT_OF_RANGE");
    ASK_BEGINS(&p, "add", "['none', 'x'], 1", "! NOT_FOUND");
    ASK(&p, "new", "5", "<2:01>");
    ASK_BEGINS(&p, "add", "[<2:01>], 1", "! BAD_PATH add: a handle cannot be given another value");
}
END_TEST

START_TEST(append_appends)
{
    ASK(&p, "append", "'s', 'abc'", "3");
    ASK(&p, "append", "'s', 'defghijk'", "11");
    ASK(&p, "get", "'s'", "'abcdefghijk'");
    ASK(&p, "append", "'s', ''", "11");
    ASK(&p, "append", "'s', b'\\xff'", "12");
    ASK(&p, "get", "'s'", "b'abcdefghijk\\xff'");
    ASK(&p, "append", "'s', 5", "! BAD_PARAMS append: data must be a string or bytes, not an "
        "integer");
    ASK(&p, "set", "'m', {'l': [1], 'n': 5}", "true");
    ASK(&p, "append", "['m', 'l'], 'x'",
        "! WRONG_TYPE append: [\"m\", \"l\"] is a list; append needs a string or bytes (push "
        "adds to "
        "a list)");
    ASK(&p, "append", "['m', 'n'], 'x'",
        "! WRONG_TYPE append: [\"m\", \"n\"] is an integer; append needs a string or bytes");
    ASK(&p, "append", "['m', 'new'], b'x'", "1");
    ASK_BEGINS(&p, "append", "['none', 'x'], 'x'", "! NOT_FOUND");
    ASK(&p, "new", "'x'", "{'handle': 1}");
    ASK_BEGINS(&p, "append", "{'handle': 1}, 'x'", "! BAD_PATH append: a handle cannot");
}
END_TEST

START_TEST(append_grows_through_every_size_of_text)
{
    size_t length = 0, limit = (size_t)5 * TEXT_CELL_MAX;
    char piece[700], params[800], answer[40];
    ASK(&p, "set", "'l', [nil]", "true");
    for (unsigned i = 0; length < limit; i++) {
        size_t size = 1 + (i * 37) % 600;
        memset(piece, 'a' + (int)(i % 26), size);
        piece[size] = 0;
        sprintf(params, "'s', '%s'", piece);
        length += size;
        sprintf(answer, "%zu", length);
        ASK(&p, "append", params, answer);
        if (i % 16 == 0) ASK_BEGINS(&p, "link", "['l', 0], 's'", "true");
    }
    ASK(&p, "type", "'s'", "'string'");
    sprintf(answer, "%zu", length + 3);
    ASK(&p, "append", "'s', b'x\\xff\\xfe'", answer);
    ASK(&p, "type", "'s'", "'bytes'");
    ASK(&p, "type", "['l', 0]", "'string'");
    sprintf(answer, "%zu", length + 4);
    ASK(&p, "append", "'s', 'y'", answer);
    in_process_verify(&p);
}
END_TEST

START_TEST(a_long_string_of_one_owner_turns_into_bytes)
{
    size_t length = (size_t)3 * TEXT_CELL_MAX;
    char *params = malloc(length + 20), answer[40];
    memset(params, 's', length + 20);
    memcpy(params, "'s', '", 6);
    strcpy(params + 6 + length, "'");
    ASK(&p, "set", params, "true");
    sprintf(answer, "%zu", length + 1);
    ASK(&p, "append", "'s', b'\\xff'", answer);
    in_process_verify(&p);
    ASK(&p, "type", "'s'", "'bytes'");
    ASK(&p, "del", "'s'", "1");
    free(params);
}
END_TEST

START_TEST(shared_texts_are_values)
{
    ASK(&p, "set", "'a', 'a text that takes a cell'", "true");
    ASK(&p, "link", "'b', 'a'", "true");
    ASK(&p, "append", "'a', '!'", "25");
    ASK(&p, "mget", "['a', 'b']", "['a text that takes a cell!', 'a text that takes a cell']");
}
END_TEST

/* --- many at once --------------------------------------------------------------------------*/

START_TEST(mget_reads_many)
{
    ASK(&p, "set", "'a', {'x': 1}", "true");
    ASK(&p, "mget", "['a', ['a', 'x'], 'b', ['b', 'x'], ['a', 'y']]", "[{'x': 1}, 1, nil, nil, "
        "nil]");
    ASK(&p, "mget", "[]", "[]");
    ASK(&p, "mget", "'a'", "! BAD_PARAMS mget: paths must be a list, not a string");
    ASK_BEGINS(&p, "mget", "['a', 5]", "! BAD_PATH mget");
    ASK_BEGINS(&p, "mget", "['a', ['a', 'x', 'y']]", "! WRONG_TYPE mget: [\"a\", \"x\"] is an "
        "integer");
}
END_TEST

START_TEST(mset_sets_all)
{
    ASK(&p, "mset", "[]", "true");
    ASK(&p, "mset", "[['a', 1], ['b', [1, 2]], ['c', {'x': {'y': 1}}]]", "true");
    ASK(&p, "mset", "[['a', 2], [['b', 1], 'two'], [['c', 'x', 'y'], 3], [['c', 'x', 'z'], 4], "
                    "['d', 5], ['d', 6]]",
        "true");
    ASK(&p, "mget", "['a', 'b', 'c', 'd']", "[2, [1, 'two'], {'x': {'y': 3, 'z': 4}}, 6]");
}
END_TEST

START_TEST(mset_sets_nothing_when_one_fails)
{
    ASK(&p, "mset", "[['a', 1], ['b', [1]], ['c', {'x': {}}]]", "true");
    ASK(&p, "mset", "5", "! BAD_PARAMS mset: the pairs must be a list, not an integer");
    ASK(&p, "mset", "[['a', 2], ['b']]",
        "! BAD_PARAMS mset: pair 2 must be a list of a path and a value");
    ASK_BEGINS(&p, "mset", "[['a', 2], 'b']", "! BAD_PARAMS mset: pair 2 must be");
    ASK_BEGINS(&p, "mset", "[['a', 2], ['e', 1], [5, 1]]", "! BAD_PATH mset");
    ASK_BEGINS(&p, "mset", "[['a', 2], ['e', 1], [['b', 1], 1]]", "! OUT_OF_RANGE mset");
    ASK_BEGINS(&p, "mset", "[['a', 2], ['e', 1], [['z', 'y'], 1]]", "! NOT_FOUND mset");
    ASK_BEGINS(&p, "mset", "[['a', 2], ['e', 1], [['a', 'y'], 1]]", "! WRONG_TYPE mset");
    ASK_BEGINS(&p, "mset", "[['a', 2], [{'handle': 9}, 1]]", "! NOT_FOUND mset");
    ASK(&p, "new", "{}", "{'handle': 1}");
    ASK(&p, "mset", "[['a', 2], [{'handle': 1}, 1]]",
        "! BAD_PATH mset: a handle cannot be given another value");
    ASK(&p, "mset", "[['c', 1], [['c', 'x'], 2]]",
        "! BAD_PARAMS mset: [\"c\", \"x\"] lies inside of what another pair of the same call "
        "replaces");
    ASK_BEGINS(&p, "mset", "[[['c', 'x', 'y'], 1], [['c', 'x'], 2]]", "! BAD_PARAMS mset");
    ASK(&p, "mget", "['a', 'b', 'c', 'e']", "[1, [1], {'x': {}}, nil]");
    ASK(&p, "mset", "[[[{'handle': 1}, 'k'], 5], ['a', 2]]", "true");
    ASK(&p, "get", "{'handle': 1}", "{'k': 5}");
    ASK(&p, "count", "", "3");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods");
    TCase *tcase = tcase_create("values");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_method_is_found_by_its_name_only);
    tcase_add_test(tcase, every_method_counts_its_parameters);
    tcase_add_test(tcase, options_are_checked);
    tcase_add_test(tcase, session_methods);
    tcase_add_test(tcase, set_and_get);
    tcase_add_test(tcase, set_under_conditions);
    tcase_add_test(tcase, match_has_a_limit);
    tcase_add_test(tcase, del_and_exists);
    tcase_add_test(tcase, type_and_len);
    tcase_add_test(tcase, add_adds);
    tcase_add_test(tcase, append_appends);
    tcase_add_test(tcase, append_grows_through_every_size_of_text);
    tcase_add_test(tcase, a_long_string_of_one_owner_turns_into_bytes);
    tcase_add_test(tcase, shared_texts_are_values);
    tcase_add_test(tcase, mget_reads_many);
    tcase_add_test(tcase, mset_sets_all);
    tcase_add_test(tcase, mset_sets_nothing_when_one_fails);
    suite_add_tcase(suite, tcase);
    return suite;
}
