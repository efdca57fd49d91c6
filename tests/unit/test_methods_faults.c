/* test_methods_faults.c - when memory is short a call fails whole: OUT_OF_MEMORY, the data as
 * it was, the heap sound. The first allocation fails, then the second, until none is left to
 * fail; there is no list of the places to be forgotten. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/text.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct in_process p;
static char *long_text; /* "'sss…'", a rope */

static void setup(void)
{
    in_process_open(&p, 0);
    p.seed = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)p.seed);
    ASK_HAS(&p, "hello", "{'ext': true}", "'ext': true");
    size_t length = (size_t)2 * TEXT_CELL_MAX + 10;
    long_text = malloc(length + 3);
    memset(long_text, 's', length + 2);
    long_text[0] = long_text[length + 1] = '\'';
    long_text[length + 2] = 0;
}
static void teardown(void)
{
    free(long_text);
    in_process_close(&p);
}

/* The data that every case begins with. */
static void fill(void)
{
    char *params = malloc(strlen(long_text) + 40);
    ASK(&p, "clear", "", "true");
    ASK(&p, "mset",
        "[['l', [1, 'two', ['three']]], ['m', {'a': 1, 'b': {'c': 2}, 'eight bytes': 'some "
        "text'}], "
        "['s', 'a text of a cell'], ['n', 9223372036854775806]]",
        "true");
    sprintf(params, "'rope', %s", long_text);
    ASK(&p, "set", params, "true");
    ASK(&p, "link", "['m', 'l'], 'l'", "true");
    ASK(&p, "link", "['shared rope'], 'rope'", "true");
    free(params);
}

/* Everything there is, as text; to be freed. */
static char *all_data(void)
{
    uint64_t seed = p.seed;
    p.seed = 0;
    char *data = strdup(ask(&p, "mget", "['l', 'm', 's', 'n', 'rope', 'shared rope', 'x', 'y', "
        "'q']"));
    const char *count = ask(&p, "count", "");
    data = realloc(data, strlen(data) + strlen(count) + 1);
    strcat(data, count);
    p.seed = seed;
    return data;
}

/* The call with its n-th allocation failing, for all n. Its success must be `answer`. */
static void check_faults(const char *method, const char *params, const char *answer)
{
    fill();
    char *before = all_data();
    uint64_t n = 1;
    for (;; n++) {
        size_t handles = p.refs.count;
        heap_fail_nth(p.heap, n);
        const char *got = ask(&p, method, params);
        bool failed = !heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        if (!failed) {
            ck_assert_msg(strncmp(got, answer, strlen(answer)) == 0, "%s(%s): %s", method, params,
                          got);
            break;
        }
        in_process_verify(&p);
        if (strncmp(got, answer, strlen(answer)) == 0) { /* it could do without */
            fill();
            continue;
        }
        ck_assert_msg(strncmp(got, "! OUT_OF_MEMORY ", 16) == 0, "%s(%s), allocation %u: %s",
                      method, params, (unsigned)n, got);
        char *after = all_data();
        ck_assert_str_eq(after, before);
        ck_assert_uint_eq(p.refs.count, handles);
        free(after);
    }
    ck_assert_msg(n > 1, "%s allocated nothing", method);
    in_process_verify(&p);
    free(before);
}

START_TEST(set_fails_whole)
{
    check_faults("set", "'x', {'a': ['some text of a cell', 2], 'b': nil}", "true");
    check_faults("set", "'l', ['some text of a cell']", "true");
    check_faults("set", "['m', 'new and long name'], [1]", "true");
    check_faults("set", "['m', 'p', 'q', 'a third level'], 'v', {'create': true}", "true");
    check_faults("set", "['l', 1], 'a text of more than seven bytes'", "true");
    check_faults("set", "'l', 5, {'match': [1, 'two', ['three']]}", "true");
    check_faults("set", "'x', {'self': <1:00>}", "true");
}
END_TEST

START_TEST(insert_splice_swap_and_rename_fail_whole)
{
    check_faults("insert", "'l', 1, ['a text of a cell', [5]]", "5");
    check_faults("splice", "'l', 0, 2, ['a text of a cell', [5]]", "[1, 'two']");
    check_faults("swap", "'m', ['a text of a cell']", "{");
    check_faults("rename", "'l', 'a new key of a cell'", "true");
}
END_TEST

START_TEST(the_first_set_fails_whole)
{
    for (uint64_t n = 1;; n++) {
        ASK(&p, "clear", "", "true");
        heap_fail_nth(p.heap, n);
        const char *got = ask(&p, "set", "'a key of a cell', [1, 2]");
        bool failed = !heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        if (!failed) break;
        ck_assert_int_eq(strncmp(got, "! OUT_OF_MEMORY ", 16), 0);
        ASK(&p, "count", "", "0");
        in_process_verify(&p);
    }
    ASK(&p, "get", "'a key of a cell'", "[1, 2]");
}
END_TEST

START_TEST(mset_fails_whole)
{
    check_faults("mset", "[['x', [1]], ['y', 'a text of a cell'], ['l', 2]]", "true");
    check_faults("mset", "[[['m', 'new name'], 1], [['m', 'b', 'd'], {}], [['l', 0], 'a longer "
        "text'], "
                         "['x', 1], ['x', 2]]",
                 "true");
}
END_TEST

START_TEST(add_and_append_fail_whole)
{
    char *params = malloc(strlen(long_text) + 40);
    check_faults("add", "'n', 1", "9223372036854775807");
    check_faults("add", "'n', 1e300", "1e+300");
    check_faults("add", "'a new key', 1", "1");
    check_faults("append", "'s', ' and more of it'", "31");
    check_faults("append", "'a new key', 'text'", "4");
    check_faults("append", "'rope', ' and more of it'", "");
    check_faults("append", "'shared rope', b'\\xff'", "");
    sprintf(params, "'rope', %s", long_text);
    check_faults("append", params, "");
    sprintf(params, "'s', %s", long_text);
    check_faults("append", params, "");
    free(params);
}
END_TEST

START_TEST(push_fails_whole)
{
    char params[4000] = "'l', ['a text of a cell'";
    check_faults("push", "'l', ['a text of a cell', 2]", "5");
    check_faults("push", "['m', 'q', 'r'], [1, 2], {'create': true}", "2");
    for (int i = 0; i < 300; i++) sprintf(params + strlen(params), ", %d", i);
    strcat(params, "]");
    check_faults("push", params, "304");
    strcat(params, ", {'front': true}");
    check_faults("push", params, "304");
}
END_TEST

START_TEST(references_fail_whole)
{
    check_faults("link", "'a new key', 'l'", "true");
    check_faults("link", "['m', 'a new key'], ['m', 'b']", "true");
    check_faults("weak", "'a new key', 'l'", "true");
    check_faults("new", "['a text of a cell', {}]", "<2:");
    check_faults("hold", "'the first handle makes the maps'", "! NOT_FOUND");
}
END_TEST

START_TEST(the_first_handle_fails_whole)
{
    struct in_process other;
    ASK(&p, "set", "'a', [1]", "true");
    for (uint64_t n = 1;; n++) {
        in_process_join(&other, &p);
        heap_fail_nth(p.heap, n);
        bool made = strcmp(ask(&other, "hold", "'a'"), "{'handle': 1}") == 0;
        bool failed = !heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        ck_assert(made != failed);
        in_process_verify(&p);
        in_process_end(&other);
        if (!failed) break;
    }
}
END_TEST

START_TEST(a_full_heap_changes_nothing)
{
    in_process_close(&p);
    in_process_open(&p, (size_t)4 << 20);
    ASK_HAS(&p, "hello", "{'ext': true}", "'ext': true");
    p.seed = 0;
    fill();
    ASK(&p, "set", "'filler', []", "true");
    char *params = malloc(strlen(long_text) + 40);
    sprintf(params, "'filler', [%s]", long_text);
    for (int i = 0; strncmp(ask(&p, "push", params), "! OUT_OF_MEMORY", 15) != 0; i++)
        ck_assert_int_lt(i, 10000);
    char *before = all_data();
    static const char *const writes[][2] = {
        {"mset", "[['x', 'some text of a cell'], ['y', [1, [2, [3]]]], ['l', {'a': 'more text than "
                 "that'}]]"},
        {"set", "['m', 'x', 'y', 'z'], 'a text of more than seven bytes', {'create': true}"},
        {"append", "'rope', 'x'"},
    };
    for (size_t round = 0; round < 150; round++) {
        for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
            const char *got = ask(&p, writes[i][0], writes[i][1]);
            if (strncmp(got, "! OUT_OF_MEMORY ", 16) == 0) {
                char *after = all_data();
                ck_assert_str_eq(after, before);
                free(after);
            }
            free(before);
            before = all_data();
        }
        if (round % 50 == 0) in_process_verify(&p);
    }
    free(before);
    free(params);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_faults");
    TCase *tcase = tcase_create("faults");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, insert_splice_swap_and_rename_fail_whole);
    tcase_add_test(tcase, set_fails_whole);
    tcase_add_test(tcase, the_first_set_fails_whole);
    tcase_add_test(tcase, mset_fails_whole);
    tcase_add_test(tcase, add_and_append_fail_whole);
    tcase_add_test(tcase, push_fails_whole);
    tcase_add_test(tcase, references_fail_whole);
    tcase_add_test(tcase, the_first_handle_fails_whole);
    tcase_add_test(tcase, a_full_heap_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
