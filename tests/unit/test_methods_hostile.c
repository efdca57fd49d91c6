/* test_methods_hostile.c - requests that mean no good: parameters that share containers with
 * each other, values that are small and unfold to much, patterns that match slowly, as many
 * paths as fit in a message. Each is answered in a bounded time and changes nothing but what it
 * says. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

/* --- parameters that share containers -----------------------------------------------------*/

START_TEST(mset_leaves_shared_pairs_as_they_are)
{
    ask_extensions(&p, true);
    ASK(&p, "mset", "[['m1', [1]], <1:01>]", "true"); /* the same pair twice */
    ASK(&p, "get", "'m1'", "[1]");
    ASK(&p, "mset", "[['a', [1]], ['b', <1:01>]]", "true"); /* a pair as a value */
    ASK(&p, "mget", "['a', 'b']", "[[1], ['a', <1:01>]]");
    ASK(&p, "mset", "[['a', 5], ['b', <1:00>]]", "true"); /* all the pairs as a value */
    ASK(&p, "get", "'b'", "[['a', 5], ['b', <1:00>]]");
    ASK(&p, "mset", "[[['b', 0], [1]], [<1:02>, 'x']]", "true"); /* one path twice */
    ASK(&p, "get", "['b', 0]", "'x'");
    ASK(&p, "set", "'l', [1, 2]", "true");
    ASK(&p, "mset", "[[['l', 0], 'a text of a cell'], <1:01>, [['l', 1], <1:01>]]", "true");
    ASK(&p, "get", "'l'", "['a text of a cell', [['l', 0], 'a text of a cell']]");
}
END_TEST

START_TEST(push_leaves_shared_values_as_they_are)
{
    ask_extensions(&p, true);
    ASK(&p, "set", "'l', []", "true");
    ASK(&p, "push", "'l', [<1:00>]", "1");
    ASK(&p, "get", "'l'", "[[<1:01>]]");
    ASK(&p, "push", "'l', ['a text of a cell', [<1:00>, 2]], {'front': true}", "3");
    ASK(&p, "get", "['l', 1]", "[['a text of a cell', <1:00>], 2]");
    ASK(&p, "same", "['l', 1, 0, 1], ['l', 1]", "true");
    ASK(&p, "push", "'new', [1, <1:00>], {'create': true}", "2");
    ASK(&p, "push", "'new', [3]", "3");
    ASK(&p, "get", "'new'", "[1, [1, <1:01>], 3]"); /* a list of its own */
    ASK(&p, "set", "'m', {'l': []}", "true");
    ASK(&p, "push", "['m', 'l'], <1:00>", "2"); /* the path itself */
    ASK(&p, "get", "'m'", "{'l': ['m', 'l']}");
    ASK(&p, "push", "['m', 'q'], <1:00>, {'create': true}", "2");
    ASK(&p, "get", "'m'", "{'l': ['m', 'l'], 'q': ['m', 'q']}");
}
END_TEST

START_TEST(a_value_may_be_a_part_of_its_path)
{
    ask_extensions(&p, true);
    ASK(&p, "set", "['a', 'b', 'c'], <1:00>, {'create': true}", "true");
    ASK(&p, "get", "['a', 'b']", "{'c': ['a', 'b', 'c']}");
    ASK(&p, "new", "[<1:00>]", "<2:01>");
    ASK(&p, "get", "[<2:01>, 0]", "[<1:00>]");
    ASK(&p, "set", "'x', 1, {'match': {'a': <1:00>}}", "false");
    ASK(&p, "del", "['a', 'b'], <1:00>", "1");
    ASK(&p, "release", "<2:01>, <2:01>", "1");
}
END_TEST

/* Every method, with containers of its parameters in each other. */
START_TEST(no_method_minds_shared_parameters)
{
    static const char *const texts[] = {
        "'l'", "['m', 'k']", "<1:00>", "[<1:00>, <1:00>]", "{'count': <1:00>, 'match': <1:01>}",
        "[['x', [1]], ['y', <1:01>], <1:02>]", "[[<1:00>], 1]", "{'handle': 1}",
    };
    enum { TEXTS = sizeof texts / sizeof *texts };
    char params[400];
    ask_extensions(&p, true);
    ASK(&p, "new", "[]", "<2:01>");
    for (size_t m = 0; m < method_count; m++) {
        ASK(&p, "mset", "[['l', [1, [2]]], ['m', {'k': []}]]", "true");
        for (unsigned i = 0; i < TEXTS * TEXTS * TEXTS; i++) {
            unsigned count = 1 + i % 3;
            if (count < method_list[m].params_min || count > method_list[m].params_max) continue;
            snprintf(params, sizeof params, "%s%s%s%s%s", texts[i % TEXTS], count > 1 ? ", " : "",
                     count > 1 ? texts[i / TEXTS % TEXTS] : "", count > 2 ? ", " : "",
                     count > 2 ? texts[i / TEXTS / TEXTS] : "");
            ask(&p, method_list[m].name, params);
            ask_extensions(&p, true); /* hello may have switched it off */
        }
        in_process_verify(&p);
    }
    ASK(&p, "mset", "[['l', [1]]]", "true");
    ASK(&p, "get", "'l'", "[1]");
}
END_TEST

/* --- limits ---------------------------------------------------------------------------------*/

#define KEYS 200
#define KEY_BYTES 900

/* One page; the cursor of the next, and how many keys came. */
static unsigned long long scan_page(unsigned long long cursor, const char *pattern, size_t *keys)
{
    char params[700];
    snprintf(params, sizeof params, "%llu, {'match': '%s', 'count': 10000}", cursor, pattern);
    const char *answer = ask(&p, "scan", params);
    ck_assert_msg(answer[0] == '[', "%s", answer);
    size_t quotes = 0;
    for (const char *c = answer; *c != 0; c++) quotes += *c == '\'';
    *keys = quotes / 2;
    return strtoull(answer + 1, NULL, 10);
}

START_TEST(a_slow_pattern_makes_short_pages)
{
    char params[KEY_BYTES + 40], pattern[250] = "*";
    p.seed = 0;
    for (int i = 0; i < KEYS; i++) {
        int used = sprintf(params, "'%03d", i);
        memset(params + used, 'a', KEY_BYTES);
        sprintf(params + used + KEY_BYTES, "%s', 1", i % 10 == 0 ? "b" : "");
        ASK(&p, "set", params, "true");
    }
    memset(pattern + 1, 'a', 200);
    strcpy(pattern + 201, "b");
    size_t found = 0, calls = 0, keys;
    unsigned long long cursor = 0;
    do {
        cursor = scan_page(cursor, pattern, &keys);
        found += keys;
        calls++;
    } while (cursor != 0);
    ck_assert_uint_eq(found, KEYS / 10);
    /* Each call takes a million steps and those of one key at most. */
    ck_assert_uint_ge(calls, (size_t)KEYS * KEY_BYTES * 200 / 2 / (1000000 + KEY_BYTES * 250));
    ck_assert_uint_lt(calls, KEYS);
    size_t used = (size_t)sprintf(params, "0, {'match': '");
    memset(params + used, '[', 257);
    strcpy(params + used + 257, "'}");
    ASK(&p, "scan", params, "! LIMIT scan: a pattern of 257 bytes; the limit is 256");
}
END_TEST

#define TOO_MANY "reply would have more items than reply-elements (20) allows; ask for less of it"

START_TEST(replies_have_a_limit_of_items)
{
    char expected[200];
    p.host.reply_elements_max = 20;
    ASK(&p, "set", "'l', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]",
        "true");
    ASK_BEGINS(&p, "get", "'l'", "[1, 2,");
    ASK(&p, "push", "'l', [20]", "20");
    ASK(&p, "get", "'l'", "! LIMIT get: the " TOO_MANY);
    ASK_BEGINS(&p, "slice", "'l', 0", "[1, 2,");
    ASK_BEGINS(&p, "slice", "'l', 0, 19", "[1, 2,");
    ASK(&p, "push", "'l', [[21, 22]]", "21");
    ASK(&p, "slice", "'l', 0", "! LIMIT slice: the " TOO_MANY);
    ASK(&p, "slice", "'l', 1", "! LIMIT slice: the " TOO_MANY); /* 20, and two in the last */
    ASK(&p, "slice", "'l', -1, nil, -1", "! LIMIT slice: the " TOO_MANY);
    ASK(&p, "pop", "'l', 20", "! LIMIT pop: the " TOO_MANY);
    ASK(&p, "len", "'l'", "21");
    ASK(&p, "mget", "['l', 'l']", "! LIMIT mget: the " TOO_MANY);
    ASK(&p, "mget", "['a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', "
                    "'a', 'a', 'a', 'a', 'a', 'a']",
        "! LIMIT mget: the " TOO_MANY);
    for (int i = 0; i < 21; i++) {
        char params[60];
        sprintf(params, "['m', 'key %d'], %d, {'create': true}", i, i);
        ASK(&p, "set", params, "true");
        sprintf(params, "'key %d', %d", i, i);
        ASK(&p, "set", params, "true");
        if (i == 8) ASK_BEGINS(&p, "get", "'m'", "{'key 0': 0,");
        if (i == 9) ASK(&p, "get", "'m'", "! LIMIT get: the " TOO_MANY);
        if (i == 9) ASK_BEGINS(&p, "items", "'m'", "[0, [['key 0', 0],");
    }
    static const char *const pages[] = {"keys", "items"};
    for (int i = 0; i < 2; i++) {
        sprintf(expected, "! LIMIT %s: the " TOO_MANY, pages[i]);
        ASK(&p, pages[i], "'m'", expected);
        ASK_BEGINS(&p, pages[i], "'m', 0, {'count': 5}", "[");
    }
    ASK(&p, "scan", "0, {'match': 'key*'}", "! LIMIT scan: the " TOO_MANY);
    ASK_BEGINS(&p, "scan", "0, {'count': 5}", "[");
}
END_TEST

START_TEST(what_unfolds_without_bound_is_refused)
{
    char params[60];
    ASK(&p, "set", "'d0', [1]", "true");
    for (int i = 1; i < 30; i++) {
        sprintf(params, "'d%d', [nil, nil]", i);
        ASK(&p, "set", params, "true");
        for (int k = 0; k < 2; k++) {
            sprintf(params, "['d%d', %d], 'd%d'", i, k, i - 1);
            ASK(&p, "link", params, "true");
        }
    }
    ASK_HAS(&p, "get", "'d29'", "! LIMIT get: the reply would have more items than reply-elements "
                                "(1000000)");
    ask_extensions(&p, true);
    ASK_BEGINS(&p, "get", "'d29'", "[[[");
}
END_TEST

START_TEST(calls_have_a_limit_of_paths)
{
    p.host.call_paths_max = 3;
    ASK(&p, "new", "1", "{'handle': 1}");
    ASK(&p, "mset", "[['a', 1], ['b', 2], ['c', 3]]", "true");
    ASK(&p, "mset", "[['a', 2], ['b', 2], ['c', 3], ['d', 4]]",
        "! LIMIT mset: 4 paths in one call; the limit is 3 (call-paths)");
    ASK(&p, "mget", "['a', 'b', 'c', 'd']",
        "! LIMIT mget: 4 paths in one call; the limit is 3 (call-paths)");
    ASK(&p, "exists", "'a', 'b', 'c', 'd'",
        "! LIMIT exists: 4 paths in one call; the limit is 3 (call-paths)");
    ASK(&p, "del", "'a', 'b', 'c', 'd'",
        "! LIMIT del: 4 paths in one call; the limit is 3 (call-paths)");
    ASK(&p, "release", "{'handle': 1}, {'handle': 1}, {'handle': 1}, {'handle': 1}",
        "! LIMIT release: 4 paths in one call; the limit is 3 (call-paths)");
    ASK(&p, "mget", "['a', 'b', 'd']", "[1, 2, nil]");
    ASK(&p, "exists", "'a', 'b', 'd'", "2");
    ASK(&p, "release", "{'handle': 1}, {'handle': 2}", "1");
    ASK(&p, "del", "'a', 'b', 'd'", "2");
}
END_TEST

/* --- long lists -----------------------------------------------------------------------------*/

#define LENGTH 3000

/* A list of the numbers from 0 on. */
static void fill_list(void)
{
    char *params = malloc(LENGTH * 6 + 20);
    size_t used = (size_t)sprintf(params, "'l', [0");
    for (int i = 1; i < LENGTH; i++) used += (size_t)sprintf(params + used, ", %d", i);
    strcpy(params + used, "]");
    ASK(&p, "set", params, "true");
    free(params);
}

START_TEST(slices_of_long_lists_step_both_ways)
{
    static const int steps[] = {1, 2, 3, 63, 64, 65, 255, 256, 257, 1000, 2999, 3000};
    char *expected = malloc(LENGTH * 6 + 20), params[80];
    fill_list();
    for (size_t s = 0; s < 2 * sizeof steps / sizeof *steps; s++) {
        int step = s % 2 == 0 ? steps[s / 2] : -steps[s / 2];
        for (int cut = 0; cut < 2; cut++) {
            int start = step > 0 ? 7 : LENGTH - 3, stop = cut ? 1500 : step > 0 ? LENGTH : -1;
            size_t used = (size_t)sprintf(expected, "[");
            for (int i = start; step > 0 ? i < stop : i > stop; i += step)
                used += (size_t)sprintf(expected + used, "%s%d", used > 1 ? ", " : "", i);
            strcpy(expected + used, "]");
            sprintf(params, cut ? "'l', %d, %d, %d" : "'l', %d, nil, %d", start, cut ? stop : step,
                    step);
            ASK(&p, "slice", params, expected);
        }
    }
    free(expected);
}
END_TEST

/* A leaf of small integers must become another to hold a text. */
START_TEST(mset_of_many_items_takes_the_memory_of_their_leaves)
{
    char *params = malloc(LENGTH * 20 + 20);
    p.host.reply_elements_max = (size_t)1 << 20;
    fill_list();
    size_t used = (size_t)sprintf(params, "[");
    for (int i = 0; i < LENGTH; i++)
        used += (size_t)sprintf(params + used, "%s[['l', %d], 'x']", i > 0 ? ", " : "", i);
    strcpy(params + used, "]");
    ASK(&p, "mset", params, "true"); /* 3000 leaves of 8 KiB would not have found room */
    ASK(&p, "slice", "'l', 2998", "['x', 'x']");

    fill_list();
    char *before = strdup(ask(&p, "get", "'l'"));
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        heap_fail_nth(p.heap, n);
        const char *answer = ask(&p, "mset", "[[['l', 5], 'a text of a cell'], ['k', 1], "
                                             "[['l', 2000], 1.5], [['l', 5], 100000]]");
        failed = !heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        ck_assert_int_eq(strcmp(answer, "true") != 0, failed);
        in_process_verify(&p);
        if (!failed) break;
        ASK(&p, "get", "'l'", before);
        ASK(&p, "exists", "'k'", "0");
    }
    ck_assert_uint_gt(n, 4);
    ASK(&p, "mget", "[['l', 5], ['l', 2000], 'k']", "[100000, 1.5, 1]");
    free(before);
    free(params);
}
END_TEST

/* --- a full heap ------------------------------------------------------------------------------*/

/* Fills up with texts of ever smaller cells, until there is no room for any. */
static void fill_up(void)
{
    char params[200];
    ASK(&p, "set", "'filler', []", "true");
    for (int size = 100; size > 0; size -= 33) {
        int used = sprintf(params, "'filler', ['");
        memset(params + used, 'x', (size_t)size);
        strcpy(params + used + size, "']");
        const char *answer = "";
        while (strncmp(answer, "! ", 2) != 0) answer = ask(&p, "push", params);
        ck_assert_ptr_nonnull(strstr(answer, "OUT_OF_MEMORY push: the memory limit (max-memory)"));
    }
}

START_TEST(a_full_heap_can_be_read_and_emptied)
{
    static const char letters[] = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
    char params[100];
    in_process_close(&p);
    in_process_open(&p, (size_t)4 << 20);
    p.seed = 0;
    for (int round = 0; round < 3; round++) {
        for (int length = 1; length <= 40; length++) {
            snprintf(params, sizeof params, "'%.*s', {'a': 1}", length, letters);
            ASK(&p, "set", params, "true");
        }
        fill_up();
        for (int length = 1; length <= 40; length++) {
            snprintf(params, sizeof params, "'%.*s'", length, letters);
            ASK(&p, "get", params, "{'a': 1}");
            ASK(&p, "exists", params, "1");
            snprintf(params, sizeof params, "['%.*s', 'a']", length, letters);
            ASK(&p, "get", params, "1");
            ASK(&p, "del", params, "1");
            snprintf(params, sizeof params, "'%.*s'", length, letters);
            ASK(&p, "del", params, "1");
        }
        in_process_verify(&p);
        ASK_BEGINS(&p, "pop", "'filler', nil, {'front': true}", "'xxx");
        ASK(&p, "del", "'filler'", "1");
        ASK(&p, "count", "", "0");
    }
}
END_TEST

/* --- errors that name what to change ----------------------------------------------------------*/

START_TEST(unknown_options_are_named)
{
    ASK(&p, "set", "'a', 1, {'x': 5}",
        "! BAD_PARAMS set: there is no option \"x\"; there are: if, match, create, ttl, keep_ttl");
    ASK(&p, "count", "", "0");
}
END_TEST

START_TEST(a_full_weak_table_names_its_setting)
{
    struct heap_config config = {.max_bytes = (size_t)4 << 20, .hash_key = "", .weak_slots_max = 1};
    in_process_close(&p);
    in_process_open_heap(&p, &config);
    ASK(&p, "set", "'a', [[], [], []]", "true");
    ASK(&p, "weak", "'w', ['a', 0]", "true");
    ASK(&p, "weak", "'v', ['a', 1]",
        "! LIMIT weak: there are as many targets of weak references as weak-slots allows; there "
        "can be another when one is freed");
    ask_extensions(&p, true);
    ASK(&p, "set", "'b', [[<3:00>], [<3:01>], [<3:02>]]",
        "! LIMIT set: more targets of weak references than weak-slots allows");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_hostile");
    TCase *tcase = tcase_create("hostile");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, mset_leaves_shared_pairs_as_they_are);
    tcase_add_test(tcase, push_leaves_shared_values_as_they_are);
    tcase_add_test(tcase, a_value_may_be_a_part_of_its_path);
    tcase_add_test(tcase, no_method_minds_shared_parameters);
    tcase_add_test(tcase, a_slow_pattern_makes_short_pages);
    tcase_add_test(tcase, replies_have_a_limit_of_items);
    tcase_add_test(tcase, what_unfolds_without_bound_is_refused);
    tcase_add_test(tcase, calls_have_a_limit_of_paths);
    tcase_add_test(tcase, slices_of_long_lists_step_both_ways);
    tcase_add_test(tcase, mset_of_many_items_takes_the_memory_of_their_leaves);
    tcase_add_test(tcase, a_full_heap_can_be_read_and_emptied);
    tcase_add_test(tcase, unknown_options_are_named);
    tcase_add_test(tcase, a_full_weak_table_names_its_setting);
    suite_add_tcase(suite, tcase);
    return suite;
}
