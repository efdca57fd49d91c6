/* test_methods_answers.c - what answers about tables hold while they come about, and how long their
 * steps are: texts count, symbols as what they stand for, wherever bytes are counted. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/map.h"
#include "heap/table.h"
#include "server/table_value.h"
#include "tests/support/ask.h"
#include "tests/support/runner.h"

#define ROWS 300
#define TEXT_BYTES 20000

static struct in_process p;

/* Rows that all have one long symbol. */
static void setup(void)
{
    static char params[TEXT_BYTES + 100];
    ask_open(&p, 0);
    ASK(&p, "table.create", "'t', [['s', 'sym', {'null': true}]]", "true");
    sprintf(params, "'t', {'cols': {}, 'n': %d}", ROWS);
    ASK_HAS(&p, "table.append", params, "'n': 300");
    char *to = params + sprintf(params, "'t', nil, {'s': '");
    memset(to, 'x', TEXT_BYTES);
    strcpy(to + TEXT_BYTES, "'}");
    ASK(&p, "table.update", params, "300");
}

static void teardown(void) { in_process_close(&p); }

static size_t external_bytes(void)
{
    struct heap_stats stats;
    heap_stats(p.heap, &stats);
    return stats.external_bytes;
}

/* Runs a call to its end, in the shortest steps there are. Returns how many; *held is what the heap
 * counted at most meanwhile, over what it did before. */
static unsigned steps_of(const char *method, const char *params, size_t *held)
{
    size_t before = external_bytes(), most = before;
    unsigned steps = 0;
    enum call_outcome outcome = CALL_PENDING;
    ask_begin(&p, method, params);
    for (; outcome == CALL_PENDING; steps++) {
        if (external_bytes() > most) most = external_bytes();
        outcome = ask_resume(&p, 0);
        ck_assert_uint_lt(steps, 1000000);
    }
    while (heap_drop_pending(p.heap)) heap_drop_step(p.heap, SIZE_MAX / 2);
    ck_assert_uint_le(external_bytes(), before);
    *held = most - before;
    return steps;
}

START_TEST(symbols_count_in_batches_as_their_texts)
{
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'bytes': 1000}}", "'rows': 1, ");
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'bytes': 50000}}", "'rows': 3, ");
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'bytes': 50000}, 'format': 'cols'}", "'rows': 3, ");
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'bytes': 50000}, 'order': ['s']}", "'rows': 3, ");
    /* The default: 1 MiB. */
    ASK_HAS(&p, "table.scan", "'t'", "'rows': 53, ");
}
END_TEST

static const char *const slices[] = {"'t', 0, 300", "'t', 0, 300, {'format': 'cols'}"};

START_TEST(what_is_gathered_counts_and_comes_in_steps)
{
    size_t held;
    for (size_t i = 0; i < 2; i++) {
        unsigned steps = steps_of("table.slice", slices[i], &held);
        ck_assert_uint_ge(held, (size_t)ROWS * TEXT_BYTES);
        ck_assert_uint_le(held, (size_t)ROWS * TEXT_BYTES * 4);
        ck_assert_uint_ge(steps, ROWS * TEXT_BYTES / (128 << 10));
    }
    p.host.query_bytes_max = 2 << 20;
    for (size_t i = 0; i < 2; i++) {
        ASK_BEGINS(&p, "table.slice", slices[i], "! LIMIT table.slice: this needs a buffer of ");
        ASK_HAS(&p, "table.slice", slices[i], "(table-query-memory)");
    }
}
END_TEST

START_TEST(what_reply_bytes_does_not_allow_is_not_gathered)
{
    p.host.reply_bytes_max = 10 * TEXT_BYTES;
    p.host.query_bytes_max = 20 * TEXT_BYTES; /* else this would be the limit */
    for (size_t i = 0; i < 2; i++)
        ASK_BEGINS(&p, "table.slice", slices[i],
                   "! LIMIT table.slice: the result would be longer than reply-bytes (200000) ");
    p.host.query_bytes_max = 0;
    ASK_HAS(&p, "table.slice", "'t', 0, 9", "'rows': 9, ");
}
END_TEST

/* --- figures ----------------------------------------------------------------------------------*/

/* Of each column the figures of all chunks, though they come in parts; its dictionary counts
 * once. */
START_TEST(figures_come_in_steps)
{
    char params[100];
    struct map_key key;
    size_t held;
    ASK(&p, "table.create", "'k', [['s', 'sym', {'null': true}], ['n', 'f64', {'null': true}]]",
        "true");
    for (int i = 0; i < 45; i++) {
        sprintf(params, "'k', {'cols': {}, 'n': %d}", TABLE_CHUNK_ROWS);
        ask(&p, "table.append", params);
    }
    ASK(&p, "table.set", "'k', 5, 's', 'symbol'", "true");
    while (tables_work(p.heap, 1000000)) continue;
    ck_assert_uint_ge(steps_of("table.stats", "'k'", &held), 2);
    map_key_text(p.heap, &key, "k", 1);
    struct table *t = table_of(p.heap, map_get(p.heap, keys_root(p.host.keys), &key));
    struct table_version *v = table_pin(t);
    for (uint32_t c = 0; c < 2; c++) {
        struct table_column_stats s;
        char expected[200];
        table_column_stats(v, c, 0, UINT32_MAX, &s);
        sprintf(expected, "'bytes': %zu, 'nulls': %llu, 'header_bytes': %zu, "
                "'validity_bytes': %zu, 'text_bytes': %zu", s.bytes,
                (unsigned long long)s.nulls, s.header_bytes, s.validity_bytes,
                s.text_bytes + s.dictionary_bytes);
        ASK_HAS(&p, "table.stats", "'k'", expected);
    }
    table_unpin(v);
    ask_begin(&p, "table.stats", "'k'");
    ask_give_up(&p);
    ck_assert_uint_ge(steps_of("table.explain", "'k', {'where': ['null', 'n']}", &held), 2);
    ask_begin(&p, "table.explain", "'k'");
    ask_give_up(&p);
    ASK_HAS(&p, "table.explain", "'k', {'where': ['null', 'n']}", "'chunks': 45, ");
    ASK_HAS(&p, "table.explain", "'k', {'where': ['=', 'n', 1]}", "'chunks_skipped': 45, ");
}
END_TEST

/* --- rows at paths ----------------------------------------------------------------------------*/

#define WIDE 8
#define WIDE_BYTES (1 << 20)

/* Rows each of which would take more than there is, if it was made. */
static void fill_wide(void)
{
    static char params[WIDE_BYTES + 100];
    char *to = params + sprintf(params, "'w', [['c0', 'sym', {'null': true}]");
    for (int i = 1; i < WIDE; i++) to += sprintf(to, ", ['c%d', 'sym', {'null': true}]", i);
    strcpy(to, "]");
    ASK(&p, "table.create", params, "true");
    ASK_HAS(&p, "table.append", "'w', {'cols': {}, 'n': 20}", "'n': 20");
    for (int i = 0; i < WIDE; i++) {
        to = params + sprintf(params, "'w', nil, {'c%d': '", i);
        memset(to, 'x', WIDE_BYTES);
        strcpy(to + WIDE_BYTES, "'}");
        ASK(&p, "table.update", params, "20");
    }
}

START_TEST(who_asks_what_is_there_makes_no_row)
{
    fill_wide();
    const char *all = "['w', 0], ['w', 1], ['w', 2], ['w', 3], ['w', 4], ['w', 5], ['w', 6], "
                      "['w', 7], ['w', 8], ['w', 9], ['w', 30]";
    ASK(&p, "exists", all, "10");
    ASK(&p, "exists", "['w', 0, 'c1'], ['w', 0, 'none'], ['t', 1, 's'], ['t', 1, 's', 'x']", "2");
    p.host.reply_bytes_max = 100; /* and that does not count here */
    ASK(&p, "exists", all, "10");
    ASK(&p, "type", "['w', 0]", "'map'");
    ASK(&p, "type", "['w', 0, 'c1']", "'string'");
    ASK(&p, "type", "['w', 30]", "nil");
    ASK(&p, "len", "['w', 0]", "8");
    ASK(&p, "len", "['w', 0, 'c1']", "1048576");
    ASK(&p, "len", "['w', 30]", "0");
    ASK_BEGINS(&p, "len", "['w', 0, 'c1', 'x']", "! ");
}
END_TEST

START_TEST(kinds_of_cells)
{
    ASK(&p, "table.create",
        "'k', [['b', 'bin', {'null': true}], ['s', 'str'], ['f', 'f64'], ['i', 'i64'], "
        "['o', 'bool']]", "true");
    ASK(&p, "table.append",
        "'k', {'rows': [[b'ab', '', 1.5, 7, true], [nil, 'xyz', 1.5, 7, true]]}",
        "{'first': 0, 'n': 2}");
    ASK(&p, "type", "['k', 0, 'b']", "'bytes'");
    ASK(&p, "type", "['k', 1, 'b']", "'nil'");
    ASK(&p, "type", "['k', 0, 's']", "'string'");
    ASK(&p, "type", "['k', 0, 'f']", "'float'");
    ASK(&p, "type", "['k', 0, 'i']", "'int'");
    ASK(&p, "type", "['k', 0, 'o']", "'bool'");
    ASK(&p, "len", "['k', 0, 'b']", "2");
    ASK(&p, "len", "['k', 0, 's']", "0");
    ASK(&p, "len", "['k', 1, 's']", "3");
    ASK(&p, "len", "['k', 1, 'b']", "0");
    ASK_BEGINS(&p, "len", "['k', 0, 'i']", "! WRONG_TYPE len: ");
    ASK(&p, "exists", "['k', 1, 'b'], ['k', 0, 's'], ['k', -3]", "2");
}
END_TEST

/* What is read of tables stops where the reply would. Memory would end first otherwise. */
START_TEST(rows_are_read_as_far_as_a_reply_goes)
{
    fill_wide();
    ASK_BEGINS(&p, "mget", "[['w', 0], ['w', 1], ['w', 2], ['w', 3], ['w', 4], ['w', 5], ['w', 6]]",
               "! OUT_OF_MEMORY mget: ");
    p.host.reply_bytes_max = 3 << 20;
    ASK_BEGINS(&p, "get", "['w', 0]", "! LIMIT get: what this reads of tables would be longer than "
               "reply-bytes (3145728)");
    ASK_BEGINS(&p, "mget", "[['w', 0], ['w', 1], ['w', 2], ['w', 3], ['w', 4], ['w', 5], ['w', 6]]",
               "! LIMIT mget: ");
    ASK_HAS(&p, "mget", "[['w', 0, 'c1'], ['w', 0, 'c2']]", "xxx");
    ASK_BEGINS(&p, "mget", "[['w', 0, 'c1'], ['w', 0, 'c2'], ['w', 0, 'c3']]", "! LIMIT mget: ");
    ASK_BEGINS(&p, "table.get", "'w', 0", "! LIMIT table.get: the reply would be longer than ");
    p.host.reply_elements_max = 10;
    ASK_BEGINS(&p, "get", "['w', 0]", "! LIMIT get: what this reads of tables ");
    ASK_BEGINS(&p, "get", "['w', 0, 'c1', 'x']", "! ");
    p.host.reply_bytes_max = 1000;
    /* Reads the old one, too, but does not answer it. */
    ASK(&p, "set", "['w', 0, 'c1'], 'short'", "true");
    ASK(&p, "get", "['w', 0, 'c1']", "'short'");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_answers");
    TCase *tcase = tcase_create("answers");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, symbols_count_in_batches_as_their_texts);
    tcase_add_test(tcase, what_is_gathered_counts_and_comes_in_steps);
    tcase_add_test(tcase, what_reply_bytes_does_not_allow_is_not_gathered);
    tcase_add_test(tcase, figures_come_in_steps);
    tcase_add_test(tcase, who_asks_what_is_there_makes_no_row);
    tcase_add_test(tcase, kinds_of_cells);
    tcase_add_test(tcase, rows_are_read_as_far_as_a_reply_goes);
    suite_add_tcase(suite, tcase);
    return suite;
}
