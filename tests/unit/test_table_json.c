/* test_table_json.c - the reader of JSON lines: what one feed may do. table.import is tested in
 * test_methods_import.c. */
#include "server/table_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table_batch.h"
#include "tests/support/runner.h"

/* How many feeds it takes to find the types of these lines, given at once. */
static unsigned feeds_for(const char *text, uint64_t rows, uint32_t columns)
{
    struct table_infer types = {.columns = NULL};
    struct table_error error = {.text = ""};
    struct json_reader *r = json_reader_create(NULL, &types);
    ck_assert_ptr_nonnull(r);
    unsigned feeds = 0;
    int status = TABLE_FEED_WORK;
    for (size_t at = 0, used; status == TABLE_FEED_WORK; at += used, feeds++)
        status = json_reader_feed(r, text + at, strlen(text + at), &used, &error);
    ck_assert_msg(status == TABLE_FEED_MORE, "%s", error.text);
    ck_assert_int_eq(json_reader_end(r, &error), 0);
    ck_assert_uint_eq(types.rows, rows);
    ck_assert_uint_eq(types.count, columns);
    json_reader_destroy(r);
    infer_close(&types);
    return feeds;
}

/* Three bytes are a row of nulls in all columns, and one is a line. */
START_TEST(a_feed_that_finds_types_is_bounded)
{
    char *text = malloc(100000), *at = text + sprintf(text, "{\"c\": 1");
    for (int i = 1; i < 1000; i++) at += sprintf(at, ", \"c%d\": 1", i);
    at += sprintf(at, "}\n");
    for (int i = 0; i < 500; i++) at += sprintf(at, "{}\n");
    ck_assert_uint_ge(feeds_for(text, 501, 1000), 501 * 1000 / (TEXT_BATCH_CELLS + 1000));
    memset(text, '\n', 99999);
    text[99999] = 0;
    ck_assert_uint_ge(feeds_for(text, 0, 0), 99999 / TEXT_BATCH_CELLS);
    ck_assert_uint_eq(feeds_for("{\"a\": 1}\n{\"a\": 2}", 2, 1), 1);
    free(text);
}
END_TEST

/* One line of some mebibytes, be it of few long texts or of many short cells. */
START_TEST(a_feed_of_one_line_is_bounded)
{
    size_t size = (size_t)4 << 20;
    char *text = malloc(size + 100), *at = text + sprintf(text, "{\"a\":\"");
    memset(at, 'x', size);
    strcpy(at + size, "\"}");
    ck_assert_uint_ge(feeds_for(text, 1, 1), 64);
    at = text + sprintf(text, "{");
    for (int i = 0; i < 300; i++)
        at += sprintf(at, "%s\"c%d\":%10000d", i ? "," : "", i, i);
    strcpy(at, "}");
    ck_assert_uint_ge(feeds_for(text, 1, 300), 3000000 / 65536);
    free(text);
}
END_TEST

/* Cut between a number and a string that must not follow it. */
START_TEST(a_string_is_not_part_of_what_comes_before_it)
{
    const size_t cuts[] = {0, 7, 7 + 16384, 7 + 16384 + 9};
    char *text = malloc(20000), *at = text + sprintf(text, "{\"a\":12\"");
    struct table_infer types = {.columns = NULL};
    struct table_error error = {.text = ""};
    struct json_reader *r = json_reader_create(NULL, &types);
    size_t used;
    int status = TABLE_FEED_MORE;
    memset(at, 'x', 16383);
    strcpy(at + 16383, ",\"b\":1}\n");
    for (unsigned i = 0; i < 3 && status == TABLE_FEED_MORE; i++)
        status = json_reader_feed(r, text + cuts[i], cuts[i + 1] - cuts[i], &used, &error);
    ck_assert_int_lt(status, 0);
    ck_assert_uint_eq(types.rows, 0);
    json_reader_destroy(r);
    infer_close(&types);
    free(text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("table_json");
    TCase *c = tcase_create("feeds");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_feed_that_finds_types_is_bounded);
    tcase_add_test(c, a_feed_of_one_line_is_bounded);
    tcase_add_test(c, a_string_is_not_part_of_what_comes_before_it);
    suite_add_tcase(s, c);
    return s;
}
