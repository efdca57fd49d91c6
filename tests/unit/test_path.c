/* test_path.c - paths: what they lead to, and what is said when they do not. */
#include "server/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void)
{
    ask_open(&p, 0);
    ASK(&p, "set", "'user:1', {'name': 'Ada', 'tags': ['a', 'b', 'c'], 7: 'seven', 2.5: 'x', "
                   "true: 'yes', 'nothing': nil}",
        "true");
}
static void teardown(void) { in_process_close(&p); }

START_TEST(segments_are_keys_and_indices)
{
    ASK(&p, "get", "['user:1', 'name']", "'Ada'");
    ASK(&p, "get", "[b'user:1', b'name']", "'Ada'");
    ASK(&p, "get", "['user:1', 'tags', 0]", "'a'");
    ASK(&p, "get", "['user:1', 'tags', 2]", "'c'");
    ASK(&p, "get", "['user:1', 'tags', -1]", "'c'");
    ASK(&p, "get", "['user:1', 'tags', -3]", "'a'");
    ASK(&p, "get", "['user:1', 7]", "'seven'");
    ASK(&p, "get", "['user:1', 2.5]", "'x'");
    ASK(&p, "get", "['user:1', true]", "'yes'");
    ASK(&p, "get", "['user:1', '7']", "nil");
}
END_TEST

START_TEST(what_is_absent_reads_as_nil)
{
    ASK(&p, "get", "'user:2'", "nil");
    ASK(&p, "get", "''", "nil");
    ASK(&p, "get", "['user:2', 'name']", "nil");
    ASK(&p, "get", "['user:1', 'age']", "nil");
    ASK(&p, "get", "['user:1', 'age', 'x', 0]", "nil");
    ASK(&p, "get", "['user:1', 'nothing', 'x']", "nil");
    ASK(&p, "get", "['user:1', 'tags', 3]", "nil");
    ASK(&p, "get", "['user:1', 'tags', -4]", "nil");
    ASK(&p, "get", "['user:1', 'tags', 9223372036854775807]", "nil");
    ASK(&p, "get", "['user:1', 'tags', -9223372036854775808]", "nil");
    ASK(&p, "get", "'user:2', {'default': [1]}", "[1]");
    ASK(&p, "get", "['user:1', 'nothing'], {'default': [1]}", "nil");
}
END_TEST

START_TEST(what_is_no_path_is_refused)
{
    ASK(&p, "get", "5",
        "! BAD_PATH get: a path is a key (a string or bytes) or an array of a key and segments; "
        "this is an integer");
    ASK_BEGINS(&p, "get", "nil", "! BAD_PATH get: a path is a key");
    ASK_BEGINS(&p, "get", "{'a': 1}", "! BAD_PATH get: a path is a key");
    ASK_HAS(&p, "get", "[]", "this is an empty array");
    ASK(&p, "get", "[5, 'a']",
        "! BAD_PATH get: a path begins with a key (a string or bytes) or a handle; this one with "
        "an integer");
    ASK(&p, "get", "['user:1', ['x']]",
        "! BAD_PATH get: segment 1 of a path is a list; segments are keys of maps and indices of "
        "lists");
    ASK(&p, "get", "['user:1', 'tags', nil]",
        "! BAD_PATH get: segment 2 of a path is nil; segments are keys of maps and indices of "
        "lists");
}
END_TEST

START_TEST(a_path_has_a_limit)
{
    char params[3000] = "['user:1'";
    for (int i = 1; i < PATH_SEGMENTS_MAX; i++) strcat(params, ", 'x'");
    size_t length = strlen(params);
    strcat(params, "]");
    ASK(&p, "get", params, "nil");
    strcpy(params + length, ", 'x']");
    ASK(&p, "get", params, "! LIMIT get: a path of 257 segments; the limit is 256");
}
END_TEST

START_TEST(a_key_has_a_limit)
{
    char params[MAP_KEY_BYTES_MAX + 100], error[100];
    memset(params, 'k', sizeof params);
    params[0] = '\'';
    strcpy(params + MAP_KEY_BYTES_MAX + 1, "', 1");
    ASK(&p, "set", params, "true");
    strcpy(params + MAP_KEY_BYTES_MAX + 1, "k', 1");
    sprintf(error, "! LIMIT set: a key of %zu bytes; the limit is %zu",
            (size_t)MAP_KEY_BYTES_MAX + 1, (size_t)MAP_KEY_BYTES_MAX);
    ASK(&p, "set", params, error);
}
END_TEST

START_TEST(a_way_through_a_scalar_is_refused)
{
    ASK(&p, "get", "['user:1', 'name', 'x']",
        "! WRONG_TYPE get: [\"user:1\", \"name\"] is a string; only maps and lists have members");
    ASK(&p, "get", "['user:1', 'tags', 'x']",
        "! WRONG_TYPE get: [\"user:1\", \"tags\"] is a list; its items have integer indices, not "
        "\"x\"");
    ASK(&p, "exists", "['user:1', 'name', 'x'], ['user:1', 'name'], ['user:1', 'tags', 'x']", "1");
    ASK(&p, "type", "['user:1', 'name', 'x']", "nil");
    ASK(&p, "del", "['user:1', 'name', 'x']", "0");
}
END_TEST

START_TEST(writes_go_through_parents_that_are_there)
{
    ASK(&p, "set", "['user:1', 'age'], 36", "true");
    ASK(&p, "set", "['user:1', 'tags', -1], 'z'", "true");
    ASK(&p, "get", "['user:1', 'tags']", "['a', 'b', 'z']");
    ASK(&p, "set", "['user:1', 'tags', 3], 'x'",
        "! OUT_OF_RANGE set: [\"user:1\", \"tags\"] is a list of 3 items; there is no index 3 "
        "(push adds items)");
    ASK(&p, "set", "['user:1', 'tags', 3, 'x'], 'x'",
        "! NOT_FOUND set: [\"user:1\", \"tags\"] is a list of 3 items; there is no index 3 "
        "(push adds items)");
    ASK(&p, "set", "['user:2', 'age'], 36",
        "! NOT_FOUND set: there is nothing at \"user:2\"; set it first, or give the option create "
        "where the method has it");
    ASK(&p, "set", "['user:1', 'name', 'x'], 1",
        "! WRONG_TYPE set: [\"user:1\", \"name\"] is a string; only maps and lists have members");
}
END_TEST

START_TEST(create_makes_the_way)
{
    ASK(&p, "set", "['a', 'b', 'c'], 1, {'create': true}", "true");
    ASK(&p, "get", "'a'", "{'b': {'c': 1}}");
    ASK(&p, "set", "['a', 'b', 'd', 'e'], 2, {'create': true}", "true");
    ASK(&p, "get", "'a'", "{'b': {'c': 1, 'd': {'e': 2}}}");
    ASK(&p, "set", "['user:1', 'nothing', 'x'], 3, {'create': true}", "true");
    ASK(&p, "get", "['user:1', 'nothing']", "{'x': 3}");
    ASK(&p, "push", "['q', 'r'], [1, 2], {'create': true}", "2");
    ASK(&p, "get", "'q'", "{'r': [1, 2]}");
    ASK(&p, "set", "['n', 5], 1, {'create': true}",
        "! BAD_PATH set: there is nothing at \"n\"; create makes maps with text keys, not 5");
    ASK(&p, "exists", "'n'", "0");
    ASK_BEGINS(&p, "set", "['user:1', 'name', 'x'], 1, {'create': true}", "! WRONG_TYPE");
}
END_TEST

START_TEST(handles_stand_for_keys)
{
    ASK(&p, "hold", "'user:1'", "{'handle': 1}");
    ASK(&p, "get", "[{'handle': 1}, 'name']", "'Ada'");
    ASK(&p, "get", "[[{'handle': 1}], 'name']",
        "! BAD_PATH get: a path begins with a key (a string or bytes) or a handle; this one with a "
        "list");
    ASK(&p, "get", "{'handle': 1}, {'depth': 1}",
        "{'name': 'Ada', 'tags': nil, '7': 'seven', '2.5': 'x', 'true': 'yes', 'nothing': nil}");
    ASK(&p, "push", "[{'handle': 1}, 'tags'], ['d']", "4");
    ASK(&p, "set", "{'handle': 1}, 5",
        "! BAD_PATH set: a handle cannot be given another value; hold or new make another handle");
    ASK(&p, "get", "{'handle': 2}", "! NOT_FOUND get: this session holds no handle 2");
    ASK(&p, "get", "{'handle': -1}", "! NOT_FOUND get: this session holds no handle -1");
    ASK_BEGINS(&p, "get", "{'handle': 'x'}", "! BAD_PATH");
    ASK(&p, "del", "'user:1'", "1");
    ASK(&p, "get", "[{'handle': 1}, 'tags', -1]", "'d'");
    ASK(&p, "push", "[{'handle': 1}, 'nowhere', 'x'], [1], {'create': true}", "1");
    ASK(&p, "get", "[{'handle': 1}, 'nowhere']", "{'x': [1]}");
    ask_extensions(&p, true);
    ASK(&p, "get", "[<2:01>, 'name']", "'Ada'");
    ASK(&p, "get", "[<2:0000000000000001>, 'name']", "'Ada'");
    ASK(&p, "hold", "[<2:01>, 'tags']", "<2:02>");
    ASK(&p, "get", "[<2:05>]", "! NOT_FOUND get: this session holds no handle 5");
    ASK_BEGINS(&p, "get", "[<2:ffffffffffffffff>]", "! BAD_PATH");
    ASK_BEGINS(&p, "get", "<2:>", "! BAD_PATH");
}
END_TEST

START_TEST(weak_references_are_followed)
{
    ASK(&p, "weak", "'w', ['user:1', 'tags']", "true");
    ASK(&p, "get", "'w'", "['a', 'b', 'c']");
    ASK(&p, "get", "['w', 0]", "'a'");
    ASK(&p, "set", "['w', 0], 'A'", "true");
    ASK(&p, "get", "['user:1', 'tags', 0]", "'A'");
    ASK(&p, "push", "'w', ['d']", "4");
    ASK(&p, "len", "'w'", "4");
    ASK(&p, "type", "'w'", "'weak'");
    ASK(&p, "del", "'user:1'", "1");
    ASK_BEGINS(&p, "gc.collect", "", "");
    ASK(&p, "get", "'w'", "nil");
    ASK(&p, "get", "['w', 0]", "nil");
    ASK(&p, "len", "'w'", "0");
    ASK(&p, "exists", "'w'", "1");
    ASK(&p, "set", "['w', 'x'], 1",
        "! NOT_FOUND set: there is nothing at \"w\"; set it first, or give the option create where "
        "the method has it");
    ASK(&p, "push", "'w', [1]",
        "! NOT_FOUND push: there is no list at \"w\"; the option create makes it");
    ASK(&p, "push", "'w', [1], {'create': true}", "1");
    ASK(&p, "get", "'w'", "[1]");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("path");
    TCase *tcase = tcase_create("path");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, segments_are_keys_and_indices);
    tcase_add_test(tcase, what_is_absent_reads_as_nil);
    tcase_add_test(tcase, what_is_no_path_is_refused);
    tcase_add_test(tcase, a_path_has_a_limit);
    tcase_add_test(tcase, a_key_has_a_limit);
    tcase_add_test(tcase, a_way_through_a_scalar_is_refused);
    tcase_add_test(tcase, writes_go_through_parents_that_are_there);
    tcase_add_test(tcase, create_makes_the_way);
    tcase_add_test(tcase, handles_stand_for_keys);
    tcase_add_test(tcase, weak_references_are_followed);
    suite_add_tcase(suite, tcase);
    return suite;
}
