/* test_glob.c - patterns. */
#include "server/glob.h"

#include <string.h>

#include "tests/support/runner.h"

static uint64_t steps;

static bool matches(const char *pattern, const char *text)
{
    struct glob glob;
    glob_compile(&glob, pattern, strlen(pattern));
    steps = 0;
    return glob_match(&glob, text, strlen(text), &steps);
}

START_TEST(stars_take_any_bytes)
{
    ck_assert(matches("*", ""));
    ck_assert(matches("*", "anything"));
    ck_assert(matches("a*c", "abbbc"));
    ck_assert(matches("a*b*c", "a-b-b-c"));
    ck_assert(matches("*.txt", "notes.txt.txt"));
    ck_assert(!matches("a*c", "abbbcd"));
    ck_assert(!matches("a*b*c", "acb"));
    ck_assert(!matches("", "a"));
    ck_assert(matches("", ""));
}
END_TEST

START_TEST(question_marks_take_one_byte)
{
    ck_assert(matches("user:?", "user:1"));
    ck_assert(!matches("user:?", "user:"));
    ck_assert(!matches("user:?", "user:12"));
}
END_TEST

START_TEST(classes_take_their_members)
{
    ck_assert(matches("[a-c]x", "bx"));
    ck_assert(!matches("[a-c]x", "dx"));
    ck_assert(matches("[^a-c]x", "dx"));
    ck_assert(!matches("[^a-c]x", "ax"));
    ck_assert(matches("[]]", "]"));
    ck_assert(matches("[\\]a]", "]"));
    ck_assert(matches("[a-]", "-"));
    ck_assert(matches("[z-a]", "z") == false);
    ck_assert(matches("[abc", "[abc"));
    ck_assert(!matches("[]", "a"));
    ck_assert(matches("[]", "[]"));
}
END_TEST

START_TEST(a_backslash_takes_the_next_byte_as_it_is)
{
    ck_assert(matches("\\*", "*"));
    ck_assert(!matches("\\*", "a"));
    ck_assert(matches("a\\", "a\\"));
    ck_assert(matches("*\\?*", "is it?"));
}
END_TEST

START_TEST(many_stars_stay_cheap)
{
    char pattern[201], text[4001];
    for (int i = 0; i < 200; i += 2) memcpy(pattern + i, "a*", 2);
    pattern[200] = 0;
    memset(text, 'a', 4000);
    text[4000] = 0;
    ck_assert(matches(pattern, text));
    pattern[199] = 'b'; /* exponential in a recursive matcher */
    ck_assert(!matches(pattern, text));
    ck_assert_uint_ge(steps, 4000);
    ck_assert_uint_le(steps, 200 * 4000);
}
END_TEST

START_TEST(the_longest_patterns_fit)
{
    char pattern[GLOB_PATTERN_MAX + 1], text[GLOB_PATTERN_MAX + 1];
    memset(pattern, '[', GLOB_PATTERN_MAX); /* none of them closed */
    pattern[GLOB_PATTERN_MAX] = 0;
    ck_assert(matches(pattern, pattern));
    memset(text, 'c', GLOB_PATTERN_MAX);
    for (size_t i = 0; i < GLOB_PATTERN_MAX / 3; i++) memcpy(pattern + 3 * i, "[c]", 3);
    pattern[GLOB_PATTERN_MAX - 1] = '?';
    text[GLOB_PATTERN_MAX / 3 + 1] = 0;
    ck_assert(matches(pattern, text));
    text[7] = 'd';
    ck_assert(!matches(pattern, text));
    memset(pattern, '*', GLOB_PATTERN_MAX);
    ck_assert(matches(pattern, text));
    ck_assert_uint_lt(steps, 5);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("glob");
    TCase *tcase = tcase_create("glob");
    tcase_add_test(tcase, stars_take_any_bytes);
    tcase_add_test(tcase, question_marks_take_one_byte);
    tcase_add_test(tcase, classes_take_their_members);
    tcase_add_test(tcase, a_backslash_takes_the_next_byte_as_it_is);
    tcase_add_test(tcase, many_stars_stay_cheap);
    tcase_add_test(tcase, the_longest_patterns_fit);
    suite_add_tcase(suite, tcase);
    return suite;
}
