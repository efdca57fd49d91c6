/* test_methods_cells.c - setting single cells of a compressed column: what was changed before is
 * merged with the column in steps, while only those who change the table wait. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table_int.h"
#include "tests/support/ask.h"
#include "tests/support/runner.h"

#define ROWS 20000

static struct in_process p, other;

/* Two columns of texts, compressed, with as many changed cells in each as they take. */
static void setup(void)
{
    static char params[ROWS * 40];
    ask_open(&p, (size_t)512 << 20);
    in_process_join(&other, &p);
    ASK(&p, "table.create", "'t', [['a', 'str'], ['b', 'bin', {'null': true}]]", "true");
    char *to = params + sprintf(params, "'t', {'rows': [");
    for (int i = 0; i < ROWS; i++) to += sprintf(to, "['text %d', nil],", i);
    sprintf(to - 1, "]}");
    ASK_BEGINS(&p, "table.append", params, "{'first': 0");
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    for (int i = 0; i < OVERLAY_CELLS_MAX; i++) {
        sprintf(params, "'t', %d, 'a', 'new %d'", 2 * i, i);
        ASK(&p, "table.set", params, "true");
        sprintf(params, "['t', %d, 'b'], 'new %d'", 2 * i, i);
        ASK(&p, "set", params, "true");
    }
}

static void teardown(void)
{
    in_process_end(&other);
    in_process_close(&p);
}

static void expect_cell(const char *path, const char *cell)
{
    ASK(&p, "get", path, cell);
}

/* Steps without time, and how many there were until the call was done. */
static unsigned steps_to_end(struct in_process *session)
{
    unsigned steps = 1;
    while (ask_resume(session, 0) == CALL_PENDING) steps++;
    ask_expect(session, "[1, 1, nil, true]");
    return steps;
}

START_TEST(a_cell_more_than_the_overlay_takes_is_set_in_steps)
{
    ASK(&p, "table.set", "'t', 0, 'a', 'again'", "true"); /* it is in there */
    ask_begin(&p, "table.set", "'t', 1, 'a', 'one more'");
    const unsigned rows = ROWS < TABLE_CHUNK_ROWS ? ROWS : TABLE_CHUNK_ROWS;
    const unsigned vectors = rows / TABLE_VECTOR_ROWS;
    ck_assert_uint_ge(steps_to_end(&p), vectors);
    ask_begin(&p, "set", "['t', 3, 'b'], 'one more'");
    ck_assert_uint_ge(steps_to_end(&p), vectors);
    expect_cell("['t', 0, 'a']", "'again'");
    expect_cell("['t', 1, 'a']", "'one more'");
    expect_cell("['t', 2, 'a']", "'new 1'");
    expect_cell("['t', 3, 'a']", "'text 3'");
    expect_cell("['t', 510, 'b']", "b'new 255'");
    expect_cell("['t', 511, 'b']", "nil");
    expect_cell("['t', 3, 'b']", "b'one more'");
    ASK(&p, "table.set", "'t', 5, 'a', 'at once'", "true");
}
END_TEST

/* The texts that a cell had before do not stay. */
START_TEST(one_cell_may_be_set_for_ever)
{
    static char params[(1 << 16) + 100];
    static const char *const places[] = {"'t', 1, 'a'", "'t', -1, 'a'"};
    struct heap_stats stats;
    ASK_BEGINS(&p, "table.append", "'t', {'rows': [['a plain chunk', nil]]}", "{'first': ");
    heap_stats(p.heap, &stats);
    size_t most = stats.external_bytes + 8 * DEAD_TEXT_BYTES; /* of 64 MiB in all */
    for (int i = 0; i < 1000; i++) {
        int length = sprintf(params, "%s, '%d", places[i % 2], i);
        memset(params + length, 'x', 1 << 16);
        strcpy(params + length + (1 << 16), "'");
        ASK(&p, "table.set", params, "true");
        while (heap_drop_pending(p.heap)) heap_drop_step(p.heap, 1 << 20); /* between events */
        heap_stats(p.heap, &stats);
        ck_assert_uint_lt(stats.external_bytes, most);
    }
}
END_TEST

START_TEST(others_change_the_table_after_it_and_read_it_meanwhile)
{
    ask_begin(&p, "table.set", "'t', 1, 'a', 'first'");
    ask_begin(&other, "table.set", "'t', 1, 'a', 'second'");
    struct in_process third;
    in_process_join(&third, &p);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(ask_resume(&other, 0), CALL_PENDING);
        ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
        ASK(&third, "get", "['t', 1, 'a']", "'text 1'");
    }
    ask_finish(&p);
    ask_expect(&p, "[1, 1, nil, true]");
    expect_cell("['t', 1, 'a']", "'first'");
    ask_finish(&other);
    ask_expect(&other, "[1, 1, nil, true]");
    expect_cell("['t', 1, 'a']", "'second'");
    in_process_end(&third);
}
END_TEST

START_TEST(who_gives_up_leaves_the_cell_and_the_line)
{
    ask_begin(&p, "table.set", "'t', 1, 'a', 'never'");
    for (int i = 0; i < 5; i++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    ask_give_up(&p);
    ASK(&other, "table.set", "'t', 3, 'a', 'now'", "true");
    expect_cell("['t', 1, 'a']", "'text 1'");
    expect_cell("['t', 3, 'a']", "'now'");
}
END_TEST

START_TEST(a_table_that_goes_meanwhile_is_not_found)
{
    ask_begin(&p, "table.set", "'t', 1, 'a', 'never'");
    ASK(&other, "del", "'t'", "1");
    ask_finish(&p);
    ck_assert_int_eq(p.call.error, ERROR_NOT_FOUND);
    writer_rewind(&p.out, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_cells");
    TCase *tcase = tcase_create("cells");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_cell_more_than_the_overlay_takes_is_set_in_steps);
    tcase_add_test(tcase, one_cell_may_be_set_for_ever);
    tcase_add_test(tcase, others_change_the_table_after_it_and_read_it_meanwhile);
    tcase_add_test(tcase, who_gives_up_leaves_the_cell_and_the_line);
    tcase_add_test(tcase, a_table_that_goes_meanwhile_is_not_found);
    suite_add_tcase(suite, tcase);
    return suite;
}
