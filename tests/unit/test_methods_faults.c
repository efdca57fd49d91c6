/* test_methods_faults.c - when memory is short a call fails whole: OUT_OF_MEMORY, the data as
 * it was, the heap sound. The first allocation fails, then the second, until none is left to
 * fail; there is no list of the places to be forgotten. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/text.h"
#include "tests/support/ask.h"
#include "tests/support/fault_check.h"
#include "tests/support/method_cases.h"
#include "tests/support/runner.h"

static struct in_process p;
static char *long_text; /* "'sss…'", a rope */

static void setup(void)
{
    ask_open(&p, 0);
    ask_extensions(&p, true);
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

static void fill(void) { method_cases_fill(&p); }
static char *all_data(void) { return method_cases_data(&p); }

static const struct fault_data world = {fill, all_data};

/* How many allocations of the call could fail. */
static uint64_t check_faults(const char *method, const char *params, const char *answer)
{
    return fault_check(&p, &world, method, params, answer);
}

START_TEST(every_method_fails_whole)
{
    method_cases_check();
    for (size_t i = 0; i < method_case_count; i++) {
        const struct method_case *c = &method_cases[i];
        char *params = method_case_params(c);
        uint64_t failures = check_faults(c->method, params, c->answer);
        bool writes = method_find(c->method, strlen(c->method))->flags & METHOD_WRITE;
        ck_assert_msg(failures > 0 || !writes || *params == 0, "%s(%s) allocated nothing",
                      c->method, c->params);
        free(params);
    }
}
END_TEST

/* The last of several calls fails: an atomic import has appended nothing then, and ends; else what
 * earlier calls have appended stays. */
START_TEST(the_last_call_of_an_import_fails_whole)
{
    const char *first = _i ? "'table', b'id,a longer name\n7,a text of a cell\n8,', "
                             "{'format': 'csv', 'more': true, 'atomic': true}"
                           : "'table', b'id,a longer name\n7,a text of a cell\n8,', "
                             "{'format': 'csv', 'more': true}";
    uint64_t n = 1;
    for (;; n++) {
        char last[120];
        fill();
        const char *got = ask(&p, "table.import", first);
        ck_assert_int_eq(strncmp(got, "{'rows': 1, 'cursor': ", 22), 0);
        snprintf(last, sizeof last, "'table', b'another text\n9,\n', {'cursor': %s", got + 22);
        heap_fail_nth(p.heap, n);
        got = ask(&p, "table.import", last);
        bool failed = !heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        bool done = strcmp(got, "{'rows': 3, 'cursor': nil}") == 0;
        ck_assert_msg(done || (failed && strncmp(got, "! OUT_OF_MEMORY ", 16) == 0), "%s", got);
        bool ended = p.refs.cursors.count == 0; /* else the request had not got so far */
        ck_assert_msg((strstr(got, "; 1 row had been appended") != NULL) == (!done && ended && !_i),
                      "%s", got);
        if (!ended) {
            ASK(&p, "len", "'table'", _i ? "3" : "4");
            ASK(&p, "table.import", last, "{'rows': 3, 'cursor': nil}"); /* it goes on */
            done = true;
        }
        in_process_verify(&p);
        ASK(&p, "len", "'table'", done ? "6" : _i ? "3" : "4");
        if (!failed) break;
    }
    ck_assert_uint_gt(n, 3);
    fault_check_collector(&p);
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

START_TEST(a_push_of_many_fails_whole)
{
    char params[4000] = "'l', ['a text of a cell'";
    for (int i = 0; i < 300; i++) sprintf(params + strlen(params), ", %d", i);
    strcat(params, "]");
    ck_assert_uint_gt(check_faults("push", params, "304"), 0);
    strcat(params, ", {'front': true}");
    ck_assert_uint_gt(check_faults("push", params, "304"), 0);
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
    ask_extensions(&p, true);
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

/* Commands that fill a heap; each # is the number of the call. */
static const struct {
    const char *method, *params;
} fillers[] = {
    {"set", "'a key of a cell #', {'name': 'a text that takes a cell', 'at': [#, 1.5]}"},
    {"mset", "[['k#', ['a text that takes a cell', 'and another of its kind']], ['j#', {}]]"},
    {"push", "'filler', ['a text that takes a cell #', #]"},
    {"push", "'filler', [[#], {'n': #}], {'front': true}"},
    {"append", "'filling rope', LONG"},
    {"add", "'a counter of its own #', #"},
    {"link", "'one more name of it #', 'l'"},
    {"weak", "'one more weak name #', 'l'"},
    {"set", "'the only key', LONG"}, /* each time over the same key: never full */
};

/* `params` with each # replaced by a number. */
static void number_params(char *to, const char *params, int number)
{
    for (; *params; params++)
        to += *params == '#' ? sprintf(to, "%d", number) : sprintf(to, "%c", *params);
}

/* With a heap that is full: everything can be read, and deleted, and then there is room. */
static void check_full(void)
{
    char *before = all_data();
    in_process_verify(&p);
    ASK(&p, "exists", "'l', ['m', 'eight bytes'], 'no such key at all'", "2");
    ASK(&p, "slice", "['m', 'a list of its own'], 2, 4", "[2, 3]");
    ASK_HAS(&p, "keys", "'m'", "'eight bytes'");
    ASK_HAS(&p, "scan", "0, {'count': 10}", "[");
    ASK_HAS(&p, "mem.info", "", "'max_bytes'");
    fault_check_collector(&p);
    char *after = all_data();
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
    ASK(&p, "del", "['m', 'eight bytes']", "1");
    ASK(&p, "pop", "['m', 'a list of its own']", "3");
    ASK(&p, "clear", "", "true");
    gc_collect(p.heap);
    fill();
}

START_TEST(a_heap_that_each_command_filled_can_be_read_and_emptied)
{
    char call[200];
    in_process_close(&p);
    in_process_open(&p, (size_t)2 << 20);
    ask_extensions(&p, true);
    fill();
    ASK(&p, "mset", "[['filler', []], ['filling rope', '']]", "true");
    int calls = 0;
    const char *got = "";
    for (; calls < 200000 && strncmp(got, "! ", 2) != 0; calls++) {
        number_params(call, fillers[_i].params, calls);
        struct method_case c = {fillers[_i].method, call, ""};
        char *params = method_case_params(&c);
        got = ask(&p, c.method, params);
        free(params);
        if (_i == sizeof fillers / sizeof *fillers - 1 && calls == 1000) break;
    }
    if (calls != 1000)
        ck_assert_msg(strncmp(got, "! OUT_OF_MEMORY", 15) == 0, "%s, %d calls: %s",
                      fillers[_i].params, calls, got);
    check_full();
}
END_TEST

static value cell_filler(struct heap *h, size_t bytes)
{
    static char data[CELL_BYTES_MAX];
    return text_new(h, data, bytes, true);
}

/* Nothing is left at all, not even what the heap holds back for reading. */
START_TEST(the_collector_needs_no_free_page)
{
    struct heap *h = p.heap;
    struct heap_stats stats;
    struct root_frame frame;
    fill();
    ASK(&p, "set", "'garbage', {'self': <1:00>}", "true");
    ASK(&p, "del", "'garbage'", "1");
    root_frame_open(h, &frame);
    heap_hold_use(h, true);
    for (size_t bytes = CELL_BYTES_MAX / 2; bytes >= 8;) {
        value cell = cell_filler(h, bytes);
        if (cell == VALUE_ABSENT)
            bytes /= 2;
        else
            ck_assert_int_eq(root_frame_push_take(h, &frame, cell), 0);
    }
    heap_stats(h, &stats);
    ck_assert_uint_gt(stats.page_bytes + stats.external_bytes, stats.max_bytes - PAGE_BYTES);
    fault_check_collector(&p);
    root_frame_close(h, &frame);
    heap_hold_use(h, false);
    check_full();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_faults");
    TCase *tcase = tcase_create("faults");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_method_fails_whole);
    tcase_add_loop_test(tcase, the_last_call_of_an_import_fails_whole, 0, 2);
    tcase_add_test(tcase, the_first_set_fails_whole);
    tcase_add_test(tcase, a_push_of_many_fails_whole);
    tcase_add_test(tcase, the_first_handle_fails_whole);
    tcase_add_test(tcase, a_full_heap_changes_nothing);
    tcase_add_loop_test(tcase, a_heap_that_each_command_filled_can_be_read_and_emptied, 0,
                        sizeof fillers / sizeof *fillers);
    tcase_add_test(tcase, the_collector_needs_no_free_page);
    suite_add_tcase(suite, tcase);
    return suite;
}
