/* test_methods_hostile.c - requests that mean no good: parameters that share containers with
 * each other, values that are small and unfold to much, patterns that match slowly, as many
 * paths as fit in a message. Each is answered in a bounded time and changes nothing but what it
 * says. */
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
static void ext_on(void) { ASK_HAS(&p, "hello", "{'ext': true}", "'ext': true"); }

/* --- parameters that share containers -----------------------------------------------------*/

START_TEST(mset_leaves_shared_pairs_as_they_are)
{
    ext_on();
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
    ext_on();
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
    ext_on();
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
    ext_on();
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
            ext_on(); /* hello may have switched it off */
        }
        in_process_verify(&p);
    }
    ASK(&p, "mset", "[['l', [1]]]", "true");
    ASK(&p, "get", "'l'", "[1]");
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
    suite_add_tcase(suite, tcase);
    return suite;
}
