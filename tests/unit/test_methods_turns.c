/* test_methods_turns.c - table.compact, table.index and table.import beside changes of their table:
 * nobody waits for ever, however many changes come, and each finds what the one before it left. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table.h"
#include "server/table_value.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define ROWS 200000 /* so many that no change of them is over in its first step */
/* Changes that may pass before somebody else is done: far more than should. */
#define CHANGES_MAX 20

static struct in_process a, b, c; /* sessions: two that change, and one that compacts */

static void append_numbers(const char *path, size_t count)
{
    struct writer w;
    int64_t *n = malloc(count * sizeof *n);
    for (size_t i = 0; i < count; i++) n[i] = (int64_t)(i * 7919 % 10007);
    ask_columns_open(&w, path, count, 1);
    writer_cstr(&w, "n");
    writer_bin(&w, n, count * sizeof *n);
    const char *answer = ask_bytes(&a, "table.append", &w);
    ck_assert_msg(*answer == '{', "%s", answer);
    writer_close(&w);
    free(n);
}

static void setup(void)
{
    in_process_open(&a, (size_t)256 << 20);
    in_process_join(&b, &a);
    in_process_join(&c, &a);
    a.seed = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)a.seed);
    ASK(&a, "table.create", "'t', [['n', 'i64'], ['k', 'u8', {'null': true}]]", "true");
    append_numbers("t", ROWS);
}

static void teardown(void)
{
    in_process_end(&c);
    in_process_end(&b);
    in_process_close(&a);
}

static void expect_part(struct in_process *session, const char *part)
{
    size_t used;
    char *text = literal_read(session->out.data, session->out.length, &used);
    ck_assert_msg(strstr(text, part) != NULL, "%s", text);
    free(text);
    writer_rewind(&session->out, 0);
}

static void finish(struct in_process *session)
{
    while (ask_resume(session, 100000) == CALL_PENDING) continue;
}

static unsigned changes;

/* A change that takes several steps; each sets another value. */
static void begin_change(struct in_process *session)
{
    char params[60];
    snprintf(params, sizeof params, "'t', ['and'], {'k': %u}", ++changes % 200);
    ask_begin(session, "table.update", params);
}

static void change_again(struct in_process *session)
{
    if (ask_resume(session, 100000) == CALL_PENDING) return;
    expect_part(session, "nil, ");
    begin_change(session);
}

/* c's call, while a and b change the table in turn, each again as soon as it has been answered. */
static void beside_changes(const char *method, const char *params)
{
    changes = 0;
    begin_change(&a);
    ask_begin(&c, method, params);
    begin_change(&b);
    while (ask_resume(&c, 100000) == CALL_PENDING) {
        change_again(&a);
        change_again(&b);
        ck_assert_msg(changes <= CHANGES_MAX, "%s waits for ever", method);
    }
    expect_part(&c, "[1, 1, nil, {");
    bool a_waits = true, b_waits = true;
    while (a_waits || b_waits) { /* whoever is first */
        if (a_waits) a_waits = ask_resume(&a, 100000) == CALL_PENDING;
        if (b_waits) b_waits = ask_resume(&b, 100000) == CALL_PENDING;
    }
    char expected[60];
    snprintf(expected, sizeof expected, "[[%d, ", ROWS);
    ASK_HAS(&c, "table.agg", "'t', {'agg': {'c': ['count', 'k'], 'm': ['max', 'k']}}", expected);
    in_process_verify(&a);
}

START_TEST(compacting_takes_its_turn)
{
    beside_changes("table.compact", "'t'");
}
END_TEST

START_TEST(indexing_ends_beside_changes)
{
    beside_changes("table.index", "'t', 'n', 'hash'");
}
END_TEST

START_TEST(changes_wait_for_compaction_and_reading_does_not)
{
    ASK_BEGINS(&a, "table.delete", "'t', ['<', 'n', 100]", "");
    ask_begin(&c, "table.compact", "'t'");
    ask_begin(&a, "set", "['t', 0, 'k'], 77");
    begin_change(&b);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ask_resume(&c, 0), CALL_PENDING);
        ck_assert_int_eq(ask_resume(&a, 100000), CALL_PENDING);
        ck_assert_int_eq(ask_resume(&b, 100000), CALL_PENDING);
    }
    finish(&c);
    finish(&a);
    ask_expect(&a, "[1, 1, nil, true]");
    ASK_HAS(&a, "table.get", "'t', 0", "'k': 77");
    finish(&b);
    ASK_HAS(&a, "table.stats", "'t'", "'deleted': 0");
}
END_TEST

START_TEST(who_compacts_may_leave_the_line)
{
    ask_begin(&c, "table.compact", "'t'");
    ck_assert_int_eq(ask_resume(&c, 0), CALL_PENDING);
    begin_change(&b);
    ck_assert_int_eq(ask_resume(&b, 0), CALL_PENDING);
    call_abort(&c.call);
    builder_reset(&c.builder);
    finish(&b);
    expect_part(&b, "nil, ");
    ask_begin(&c, "table.compact", "'t'");
    ASK(&a, "del", "'t'", "1"); /* it goes on with what it has */
    finish(&c);
    expect_part(&c, "'bytes_after'");
}
END_TEST

START_TEST(altering_waits_for_compaction)
{
    ask_begin(&c, "table.compact", "'t'");
    ask_begin(&a, "table.alter", "'t', [['type', 'n', 'f64']]");
    ck_assert_int_eq(ask_resume(&a, 0), CALL_PENDING);
    finish(&c);
    expect_part(&c, "'bytes_after'");
    finish(&a);
    ask_expect(&a, "[1, 1, nil, true]");
}
END_TEST

/* Changes do not wait for an index that others build, and it holds of what they leave. */
START_TEST(changes_go_on_while_an_index_is_built)
{
    ask_begin(&c, "table.index", "'t', 'n', 'sorted'");
    ck_assert_int_eq(ask_resume(&c, 0), CALL_PENDING);
    ASK(&a, "set", "['t', 0, 'n'], 12345", "true");
    ASK_BEGINS(&a, "table.delete", "'t', ['=', 'n', 7919]", "");
    finish(&c);
    expect_part(&c, "'rows': ");
    ASK_HAS(&a, "table.agg", "'t', {'where': ['=', 'n', 12345], 'agg': {'c': ['count']}}", "[[1]]");
    ASK_HAS(&a, "table.agg", "'t', {'where': ['=', 'n', 7919], 'agg': {'c': ['count']}}", "[[0]]");
}
END_TEST

static size_t figure(const char *answer, const char *name)
{
    const char *at = strstr(answer, name);
    ck_assert_msg(at != NULL, "%s", answer);
    return (size_t)atoll(at + strlen(name));
}

START_TEST(the_bytes_after_compaction_are_what_is_left)
{
    char text[200];
    ASK_BEGINS(&a, "table.delete", "'t', ['<', 'n', 5000]", "");
    snprintf(text, sizeof text, "%s", ask(&a, "table.compact", "'t'"));
    size_t before = figure(text, "'bytes_before': "), after = figure(text, "'bytes_after': ");
    ck_assert_uint_lt(after, before);
    ck_assert_uint_eq(after, figure(ask(&a, "table.stats", "'t'"), "'bytes': "));
}
END_TEST

#define ALTERED \
    "! BUSY table.import: the columns of the table were altered since this import began, "        \
    "which ends it"

START_TEST(an_import_ends_when_its_table_is_altered)
{
    ASK(&a, "table.create", "'i', [['n', 'i64']]", "true");
    ASK(&a, "table.import", "'i', b'n\n1\n2\n', {'format': 'csv', 'more': true}",
        "{'rows': 2, 'cursor': 1}");
    ASK(&a, "table.import", "'i', b'n\n1\n2\n', {'format': 'csv', 'more': true, 'atomic': true}",
        "{'rows': 2, 'cursor': 2}");
    ASK(&b, "table.alter", "'i', [['rename', 'n', 'm']]", "true");
    ASK(&a, "table.import", "'i', b'3\n', {'cursor': 1, 'more': true}",
        ALTERED "; 2 rows had been appended by earlier calls of this import");
    ASK(&a, "table.import", "'i', b'3\n', {'cursor': 2}", ALTERED);
    ASK_BEGINS(&a, "table.import", "'i', b'3\n', {'cursor': 1}",
               "! NOT_FOUND table.import: this session has no cursor 1");
    ASK(&a, "table.close", "2", "false");
    ASK(&a, "get", "'i'", "[{'m': 1}, {'m': 2}]");
}
END_TEST

START_TEST(an_import_ends_when_its_table_is_altered_during_a_call)
{
    static char params[400000];
    char *to = params + sprintf(params, "'i', b'");
    for (int i = 0; i < 50000; i++) to += sprintf(to, "%d\n", i);
    sprintf(to, "', {'cursor': 1}");
    ASK(&a, "table.create", "'i', [['n', 'i64']]", "true");
    ASK(&a, "table.import", "'i', b'n\n1\n2\n', {'format': 'csv', 'more': true}",
        "{'rows': 2, 'cursor': 1}");
    ask_begin(&a, "table.import", params);
    ASK(&b, "table.alter", "'i', [['add', 'm', 'i8', {'null': true}]]", "true");
    finish(&a);
    expect_part(&a, "BUSY table.import: the columns of the table were altered since this import "
                    "began, which ends it; 2 rows had been appended");
    ASK(&a, "len", "'i'", "2");
}
END_TEST

/* It may come back: the import goes on with the table that it began with. */
START_TEST(an_import_says_how_far_it_was_when_its_table_is_another_one)
{
    ASK(&a, "table.create", "'i', [['n', 'i64']]", "true");
    ASK(&a, "table.import", "'i', b'n\n1\n', {'format': 'csv', 'more': true}",
        "{'rows': 1, 'cursor': 1}");
    ASK(&b, "rename", "'i', 'j'", "true");
    ASK(&b, "table.create", "'i', [['n', 'i64']]", "true");
    ASK(&a, "table.import", "'i', b'3\n', {'cursor': 1}",
        "! NOT_FOUND table.import: the table at \"i\" is another one than when this import began; "
        "1 row had been appended by earlier calls of this import");
    ASK(&a, "table.import", "'j', b'3\n', {'cursor': 1}", "{'rows': 2, 'cursor': nil}");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_turns");
    TCase *tcase = tcase_create("turns");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, compacting_takes_its_turn);
    tcase_add_test(tcase, indexing_ends_beside_changes);
    tcase_add_test(tcase, changes_wait_for_compaction_and_reading_does_not);
    tcase_add_test(tcase, who_compacts_may_leave_the_line);
    tcase_add_test(tcase, altering_waits_for_compaction);
    tcase_add_test(tcase, changes_go_on_while_an_index_is_built);
    tcase_add_test(tcase, the_bytes_after_compaction_are_what_is_left);
    tcase_add_test(tcase, an_import_ends_when_its_table_is_altered);
    tcase_add_test(tcase, an_import_ends_when_its_table_is_altered_during_a_call);
    tcase_add_test(tcase, an_import_says_how_far_it_was_when_its_table_is_another_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
