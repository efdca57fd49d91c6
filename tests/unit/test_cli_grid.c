/* test_cli_grid.c - rows for eyes: widths, escapes, what does not fit; bars; arrays as lines. */
#include "client/cli_grid.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli_json_lines.h"
#include "tests/support/runner.h"

static void shows(const char *data, size_t length, const char *expected, size_t width)
{
    struct cli_text text = {0};
    cli_cell_text(&text, data, length);
    ck_assert_str_eq(text.data ? text.data : "", expected);
    ck_assert_uint_eq(cli_cell_width(expected, strlen(expected)), width);
    cli_text_close(&text);
}

START_TEST(what_a_terminal_would_obey_is_escaped)
{
    shows("plain", 5, "plain", 5);
    shows("", 0, "", 0);
    shows("a\tb\nc\r", 6, "a\\tb\\nc\\r", 9);
    shows("\x1b[31mred", 8, "\\x1b[31mred", 11);
    shows("a\0b", 3, "a\\x00b", 6);
    shows("\x7f\xc2\x9b", 3, "\\x7f\\u009b", 10);
    shows("\xff\xc3(", 3, "\\xff\\xc3(", 9);
    shows("\xe2\x80\xae" "abc", 6, "\\u202eabc", 9);   /* turns the writing around */
    shows("\xe2\x80\x8b\xef\xbb\xbf", 6, "\\u200b\\ufeff", 12); /* cannot be seen */
    shows("\xf3\xa0\x80\xa1", 4, "\\U000e0021", 10);
}
END_TEST

START_TEST(width_is_counted_in_columns)
{
    shows("Grün", 5, "Grün", 4);
    shows("e\xcc\x81", 3, "e\xcc\x81", 1);                     /* a combining accent */
    shows("東京", 6, "東京", 4);
    shows("한글", 6, "한글", 4);
    shows("😀!", 5, "😀!", 3);
    shows("✅⌚⭐🟢", 13, "✅⌚⭐🟢", 8);
    shows("🌡★", 7, "🌡★", 2); /* a sign, not a picture */
    shows("Ω", 2, "Ω", 1);
}
END_TEST

static char *cut(const char *text, size_t width, size_t *columns)
{
    char *result = NULL;
    size_t size;
    FILE *out = open_memstream(&result, &size);
    *columns = cli_cell_print(out, text, strlen(text), width);
    fclose(out);
    return result;
}

static void cuts(const char *text, size_t width, const char *expected, size_t columns)
{
    size_t got;
    char *result = cut(text, width, &got);
    ck_assert_str_eq(result, expected);
    ck_assert_uint_eq(got, columns);
    free(result);
}

START_TEST(long_texts_are_cut_between_characters)
{
    cuts("abcdef", 6, "abcdef", 6);
    cuts("abcdef", 5, "abcd…", 5);
    cuts("abcdef", 1, "…", 1);
    cuts("東京都", 5, "東京…", 5);
    cuts("東京都", 4, "東…", 3); /* no half characters */
    cuts("e\xcc\x81x", 2, "e\xcc\x81x", 2);
}
END_TEST

static char *grid_text(struct cli_grid *g, size_t width)
{
    char *result = NULL;
    size_t size;
    FILE *out = open_memstream(&result, &size);
    cli_grid_print(g, out, width);
    fclose(out);
    return result;
}

static void row(struct cli_grid *g, const char *a, const char *b, const char *c)
{
    cli_grid_cell(g, a, strlen(a));
    cli_grid_cell(g, b, strlen(b));
    cli_grid_cell(g, c, strlen(c));
}

static void columns(struct cli_grid *g)
{
    cli_grid_column(g, "id", 2, "i64", true);
    cli_grid_column(g, "city", 4, "sym", false);
    cli_grid_column(g, "price", 5, "f64", true);
}

static void prints(struct cli_grid *g, size_t width, const char *expected)
{
    char *text = grid_text(g, width);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(columns_are_aligned)
{
    struct cli_grid g = {0};
    columns(&g);
    row(&g, "1", "Oslo", "9.5");
    row(&g, "12345", "東京", "10.25");
    row(&g, "3", "a\nb", "");
    prints(&g, 0, "   id  city  price\n"
                  "  i64  sym     f64\n"
                  "    1  Oslo    9.5\n"
                  "12345  東京  10.25\n"
                  "    3  a\\nb       \n");
    /* What comes later goes on below, as wide as before or wider. */
    row(&g, "7", "Bonn am Rhein", "1");
    prints(&g, 0, "    7  Bonn am Rhein      1\n");
    ck_assert(!g.failed);
    cli_grid_close(&g);
}
END_TEST

/* The next column begins at the 83rd place, or behind the long text. */
START_TEST(a_long_text_does_not_widen_each_row)
{
    struct cli_grid g = {0};
    char text[501], wanted[1200];
    memset(text, 'x', 500);
    text[500] = 0;
    cli_grid_column(&g, "text", 4, NULL, false);
    cli_grid_column(&g, "n", 1, NULL, false);
    cli_grid_cell(&g, text, 500);
    cli_grid_cell(&g, "1", 1);
    cli_grid_cell(&g, "short", 5);
    cli_grid_cell(&g, "2", 1);
    sprintf(wanted, "%-80s  n\n%s  1\n%-80s  2\n", "text", text, "short");
    prints(&g, 0, wanted);
    cli_grid_close(&g);
}
END_TEST
START_TEST(a_last_column_of_texts_has_no_blanks_behind_it)
{
    struct cli_grid g = {0};
    cli_grid_column(&g, "n", 1, NULL, true);
    cli_grid_column(&g, "text", 4, NULL, false);
    cli_grid_cell(&g, "1", 1);
    cli_grid_cell(&g, "x", 1);
    prints(&g, 0, "n  text\n1  x\n");
    cli_grid_close(&g);
}
END_TEST

START_TEST(what_does_not_fit_is_cut_or_left_out)
{
    struct cli_grid g = {0};
    columns(&g);
    row(&g, "1", "a city of a very long name", "9.5");
    prints(&g, 30, " id  city                price\n"
                   "i64  sym                   f64\n"
                   "  1  a city of a very …    9.5\n");
    cli_grid_close(&g);
    g = (struct cli_grid){0};
    columns(&g);
    row(&g, "1", "a city of a very long name", "9.5");
    prints(&g, 15, " id  city\n"
                   "i64  sym\n"
                   "  1  a city of…\n"
                   "… 1 more column: price\n");
    cli_grid_close(&g);
    g = (struct cli_grid){0};
    columns(&g);
    prints(&g, 5, " id\n"
                  "i64\n"
                  "… 2 more columns: city, price\n");
    cli_grid_close(&g);
}
END_TEST

/* A long name is cut above short numbers, which are not; what never is cut is whole. */
START_TEST(names_are_cut_and_numbers_are_not)
{
    struct cli_grid g = {0};
    cli_grid_column(&g, "a name that is long", 19, "i64", true);
    cli_grid_column(&g, "another long name", 17, "i64", true);
    cli_grid_column(&g, "bars", 4, NULL, false);
    g.columns[2].whole = true;
    row(&g, "1", "123456789012", "##########");
    prints(&g, 40, "a name that …  another long…  bars\n"
                   "          i64            i64  \n"
                   "            1   123456789012  ##########\n");
    cli_grid_close(&g);
    g = (struct cli_grid){0};
    for (int i = 0; i < 9; i++) cli_grid_column(&g, "some column", 11, NULL, true);
    for (int i = 0; i < 9; i++) cli_grid_cell(&g, "12345678901", 11);
    prints(&g, 44, "some column  some column  some column\n"
                   "12345678901  12345678901  12345678901\n"
                   "… 6 more columns: some column, some column,…\n");
    cli_grid_close(&g);
}
END_TEST

START_TEST(names_of_columns_are_escaped_too)
{
    struct cli_grid g = {0};
    cli_grid_column(&g, "a\x1b[2J", 5, "i64", true);
    cli_grid_cell(&g, "1", 1);
    prints(&g, 0, "a\\x1b[2J\n     i64\n       1\n");
    cli_grid_close(&g);
}
END_TEST

static void draws(const uint64_t *counts, size_t count, const char *expected)
{
    struct cli_text text = {0};
    cli_sparkline(&text, counts, count);
    ck_assert_str_eq(text.data ? text.data : "", expected);
    cli_text_close(&text);
}

START_TEST(bars_are_in_proportion)
{
    draws((uint64_t[]){1, 2, 3, 4, 5, 6, 7, 8}, 8, "▁▂▃▄▅▆▇█");
    draws((uint64_t[]){0, 1000000, 1, 500000}, 4, " █▁▄");
    draws((uint64_t[]){0, 0}, 2, "  ");
    draws((uint64_t[]){UINT64_MAX, UINT64_MAX / 2}, 2, "█▄");
    draws(NULL, 0, "");
}
END_TEST

/* --- arrays as lines --------------------------------------------------------------------*/

/* In pieces of `piece` bytes. NULL and *wrong if it is refused. */
static char *lines_of(const char *json, size_t piece, struct cli_json_lines *j)
{
    struct cli_text out = {0};
    size_t length = strlen(json);
    *j = (struct cli_json_lines){.wrong = NULL};
    cli_text_add(&out, "", 0);
    for (size_t at = 0; at < length; at += piece) {
        size_t part = length - at < piece ? length - at : piece;
        if (!cli_json_lines_feed(j, json + at, part, &out)) break;
    }
    if (!j->wrong) cli_json_lines_finish(j);
    if (!j->wrong) return out.data;
    cli_text_close(&out);
    return NULL;
}

static void becomes_lines(const char *json, const char *expected)
{
    struct cli_json_lines j;
    for (size_t piece = 1; piece < 12; piece++) {
        char *text = lines_of(json, piece, &j);
        ck_assert_msg(text, "%s: %s", json, j.wrong);
        ck_assert_str_eq(text, expected);
        free(text);
    }
}

static void is_no_array(const char *json, uint64_t line, const char *says)
{
    struct cli_json_lines j;
    for (size_t piece = 1; piece < 12; piece++) {
        ck_assert_msg(!lines_of(json, piece, &j), "%s", json);
        ck_assert_msg(strstr(j.wrong, says), "%s: %s", json, j.wrong);
        ck_assert_uint_eq(j.line + 1, line);
    }
}

START_TEST(arrays_of_records_become_lines)
{
    becomes_lines("[]", "");
    becomes_lines("[{\"a\": 1}]", "{\"a\": 1}\n");
    becomes_lines("\n[ {\"a\":\n 1},\n{\"b\": [1, {}], \"c\": \"]\\\"}\"} ]\n",
                  "{\"a\":  1}\n{\"b\": [1, {}], \"c\": \"]\\\"}\"}\n");
    becomes_lines("{\"a\": 1}\n{\"a\": 2}\n", "{\"a\": 1}\n{\"a\": 2}\n");
    becomes_lines("", "");
    /* Without an array. */
    becomes_lines("{\"a\": 1} {\"a\":\n 2}\r\n{\"b\":\n[\"\\\"}\"]\r\n}",
                  "{\"a\": 1}\n{\"a\":  2}\n{\"b\": [\"\\\"}\"]  }\n");
    becomes_lines("\xef\xbb\xbf[{\"a\": 1}]", "{\"a\": 1}\n");
    becomes_lines("\"text\"\n5", "\"text\"\n5");
    is_no_array("{\"a\": 1}\n\n{\"a\": {\"b\": 2}\n{\"a\": 3}\n", 3, "does not end");
    is_no_array("{\"a\": 1}, {\"a\": 2}", 1, "expected a record, as in {\"a\": 1}");
    is_no_array("{\"a\": 1}\n]", 2, "expected a record");
    is_no_array("[{\"a\": 1},\n]", 2, "expected a record");
    is_no_array("[{\"a\": 1}\n{\"a\": 1}]", 2, "expected , or ]");
    is_no_array("[\n1]", 2, "expected a record");
    is_no_array("[{\"a\": 1}", 1, "] is missing");
    is_no_array("[{\"a\":\n\n 1", 1, "does not end");
    is_no_array("[{}]x", 1, "more follows");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cli_grid");
    TCase *tcase = tcase_create("cli_grid");
    tcase_add_test(tcase, what_a_terminal_would_obey_is_escaped);
    tcase_add_test(tcase, width_is_counted_in_columns);
    tcase_add_test(tcase, long_texts_are_cut_between_characters);
    tcase_add_test(tcase, columns_are_aligned);
    tcase_add_test(tcase, a_long_text_does_not_widen_each_row);
    tcase_add_test(tcase, a_last_column_of_texts_has_no_blanks_behind_it);
    tcase_add_test(tcase, what_does_not_fit_is_cut_or_left_out);
    tcase_add_test(tcase, names_are_cut_and_numbers_are_not);
    tcase_add_test(tcase, names_of_columns_are_escaped_too);
    tcase_add_test(tcase, bars_are_in_proportion);
    tcase_add_test(tcase, arrays_of_records_become_lines);
    suite_add_tcase(suite, tcase);
    return suite;
}
