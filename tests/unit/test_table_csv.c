/* CSV and JSON lines: quotes, line ends, types from the sample, errors with line and cell, cells of
 * every type there and back. */
#include <stdio.h>
#include <string.h>

#include "heap/table_csv.h"
#include "tests/support/expect.h"
#include "tests/support/export_all.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct heap *h;
static value table;
static struct table_error error;

static void setup(void)
{
    h = heap_fixture_open(0);
    table = VALUE_NIL;
}
static void teardown(void)
{
    value_release(h, table);
    heap_fixture_close(h);
}

static int open_new(void *data, const struct table_field *fields, uint32_t count, struct table **t,
                    struct table_error *e)
{
    (void)data;
    int failed = table_create(h, fields, count, &table, e);
    if (failed) table = VALUE_NIL;
    else *t = table_of(h, table);
    return failed;
}

static int read_pieces(const char *csv, size_t length, size_t piece,
                       const struct csv_options *options)
{
    struct csv_reader *r = csv_reader_create(options, open_new, NULL);
    int status = 0;
    value_release(h, table);
    table = VALUE_NIL;
    for (size_t at = 0, used; at < length && status >= 0; at += used) {
        size_t part = length - at < piece ? length - at : piece;
        status = csv_reader_feed(r, csv + at, part, &used, &error);
        /* What was not used comes again, with more. */
        if (status >= 0) expect_true(used > 0);
    }
    if (status >= 0) status = csv_reader_end(r, &error);
    csv_reader_destroy(r);
    return status;
}

static const struct csv_options usual;

/* Cells of all rows, "a|b;c|d", as CSV and JSON have them; null is "-". */
static const char *dump(void)
{
    static char room[4096];
    char *p = room;
    struct table *t = table_of(h, table);
    struct table_version *v = table_pin(t);
    for (uint64_t row = 0; row < table_version_rows(v); row++) {
        uint32_t chunk, slot;
        table_locate(v, row, &chunk, &slot);
        if (row) *p++ = ';';
        for (uint32_t i = 0; i < table_column_count(t); i++) {
            struct table_cell c;
            table_cell(v, chunk, slot, i, &c);
            if (i) *p++ = '|';
            enum table_class class = table_type_class(c.type);
            if (c.null) p += sprintf(p, "-");
            else if (class == TABLE_CLASS_TEXT)
                p += sprintf(p, "%.*s", (int)c.text.length, c.text.data);
            else if (class == TABLE_CLASS_FLOAT) p += sprintf(p, "%.17g", c.d);
            else if (class == TABLE_CLASS_INT) p += sprintf(p, "%lld", (long long)c.i);
            else p += sprintf(p, "%llu", (unsigned long long)c.u);
        }
    }
    *p = 0;
    table_unpin(v);
    return room;
}

static const char *types(void)
{
    static char room[1024];
    struct table *t = table_of(h, table);
    room[0] = 0;
    for (uint32_t i = 0; i < table_column_count(t); i++) {
        const struct table_field *f = table_field(t, i);
        sprintf(room + strlen(room), "%s%.*s:%s", i ? " " : "", (int)f->name_length, f->name,
                table_type_name(f->type));
    }
    return room;
}

/* Whole, and cut at every byte. */
static void accept_with(const char *csv, const struct csv_options *options,
                        const char *wanted_types, const char *wanted)
{
    for (size_t piece = 1; piece < 100; piece += 33) {
        int status = read_pieces(csv, strlen(csv), piece, options);
        ck_assert_msg(status == 0, "%s: %s", csv, error.text);
        ck_assert_str_eq(types(), wanted_types);
        ck_assert_str_eq(dump(), wanted);
    }
}
static void accept(const char *csv, const char *wanted_types, const char *wanted)
{
    accept_with(csv, &usual, wanted_types, wanted);
}
static void refuse(const char *csv, const char *text)
{
    for (size_t piece = 1; piece < 100; piece += 33) {
        ck_assert_int_eq(read_pieces(csv, strlen(csv), piece, &usual), -EINVAL);
        ck_assert_msg(strstr(error.text, text), "%s: %s", csv, error.text);
    }
}

START_TEST(quotes_and_line_ends)
{
    accept("a,b\n1,x\n2,y\n", "a:i64 b:str", "1|x;2|y");
    accept("a,b\r\n1,x\r\n2,y", "a:i64 b:str", "1|x;2|y");
    accept("\xef\xbb\xbf" "a\n1\n", "a:i64", "1");
    accept("\"a \"\"1\"\"\",\"b\nc\"\n\"x,y\",\"\"\n,\"\"\"\"\n",
           "a \"1\":str b\nc:str", "x,y|;-|\"");
    accept("a,b\n,\n1,\n,z\n", "a:i64 b:str", "-|-;1|-;-|z");
    accept("a,b\n\n1,2\n\n", "a:i64 b:i64", "1|2");
    accept("a\n1\n\n2\n", "a:i64", "1;-;2");
    accept("a,\n1,2\n", "a:i64 column2:i64", "1|2");
    accept("a,b\n", "a:str b:str", "");
    accept_with("1;2\n3;4\n", &(struct csv_options){.delimiter = ';', .no_header = true},
                "column1:i64 column2:i64", "1|2;3|4");
}
END_TEST

START_TEST(types_follow_from_the_sample)
{
    accept("a\n-9223372036854775808\n9223372036854775807\n", "a:i64",
           "-9223372036854775808;9223372036854775807");
    accept("a\n18446744073709551615\n1\n", "a:u64", "18446744073709551615;1");
    accept("a\n18446744073709551616\n", "a:f64", "1.8446744073709552e+19");
    accept("a\n1\n-2.5e3\nnan\n-inf\n", "a:f64", "1;-2500;nan;-inf");
    accept("a\n0123\n", "a:str", "0123");
    accept("a\n0x10\n", "a:str", "0x10");
    accept("a\ntrue\nFalse\n\n", "a:bool", "1;0;-");
    accept("a\n1970-01-02\n1969-12-31\n2000-02-29\n", "a:date", "1;-1;11016");
    accept("a\n1900-02-29\n", "a:str", "1900-02-29");
    accept("a\n1970-01-01T00:00:01Z\n1970-01-01 00:00:00.000001\n1970-01-01T01:00+01:00\n"
           "1969-12-31T23:59:59.5Z\n", "a:ts", "1000000;1;0;-500000");
    accept("a\n\n\n", "a:str", "-;-");
    accept("a\n\"1\"\n", "a:i64", "1");
    static const enum table_type narrow[] = {TABLE_I8, TABLE_SYM, TABLE_F32};
    accept_with("a,b,c\n-128,x,0.5\n", &(struct csv_options){.types = narrow, .type_count = 1},
                "a:i8 b:str c:f64", "-128|x|0.5");
}
END_TEST

START_TEST(decimals_are_what_strtod_says)
{
    uint64_t rng = 1;
    for (unsigned i = 0; i < 200000; i++) {
        char room[40];
        struct table_cell cell;
        int digits = (int)random_below(&rng, 18);
        double d = (double)(int64_t)random_next(&rng) / 1e16;
        int length = snprintf(room, sizeof room, "%.*f", digits, d);
        expect(cell_parse(TABLE_F64, room, (size_t)length, &cell), "%s", room);
        expect(cell.d == strtod(room, NULL), "%s", room);
    }
    accept("a\n-0.0\n0.5\n-.5\n5.\n+1\n", "a:f64", "-0;0.5;-0.5;5;1");
    accept("a\n1.2.3\n", "a:str", "1.2.3");
    accept("a\n-\n", "a:str", "-");
    accept("a\n.\n", "a:str", ".");
}
END_TEST

START_TEST(errors_name_line_and_cell)
{
    refuse("a,b\n1,2\n3\n", "line 3, column \"b\", record 2: cell 2: it is missing: the line has 1 "
                            "cell, and the first line 2");
    refuse("a,b\n1,2,3\n", "line 2, record 1: cell 3: 3 cells, where the first line has 2; a cell "
                            "with a comma in it stands in quotes");
    refuse("a,b\n\"x\ny\",\"z\n",
           "line 3, column \"b\", record 1: cell 2: its quote is not closed");
    refuse("a\nx\"y\n", "line 2, column \"a\", record 1: cell 1: a quote in a cell");
    refuse("a\n\"x\"y\n", "line 2, column \"a\", record 1: cell 1: a byte after the closing quote");
    refuse("a\rb\n", "line 1: cell 1: a carriage return");
    refuse("a\n\xff\n", "not UTF-8");
    refuse("", "not even a header");
    /* More cells than there are columns, by much, and then an error. */
    refuse("a\n1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2\"",
           "line 2, record 1: cell 41: a quote in a cell");
    refuse("a,a\n1,2\n", "\"a\"");
    static const enum table_type narrow[] = {TABLE_I8};
    struct csv_options options = {.types = narrow, .type_count = 1};
    ck_assert_int_eq(read_pieces("a\n1\n128\n", 8, 3, &options), -EINVAL);
    ck_assert_msg(strstr(error.text, "line 3, column \"a\", record 2: \"128\" is no i8"), "%s",
                  error.text);
}
END_TEST

START_TEST(a_cell_after_the_sample_must_fit)
{
    char csv[32768];
    size_t length = (size_t)sprintf(csv, "a,b\n");
    for (int i = 0; i < CSV_SAMPLE_ROWS + 500; i++)
        length += (size_t)sprintf(csv + length, "%d,\"x\ny\"\n", i);
    ck_assert_int_eq(read_pieces(csv, length, 777, &usual), 0);
    ck_assert_uint_eq(table_row_count(table_of(h, table)), CSV_SAMPLE_ROWS + 500);
    length += (size_t)sprintf(csv + length, "1.5,z\n");
    ck_assert_int_eq(read_pieces(csv, length, 777, &usual), -EINVAL);
    ck_assert_msg(strstr(error.text, "line 3002, column \"a\", record 1501: \"1.5\" is no i64"),
                  "%s", error.text);
}
END_TEST

static const char *write_all(enum export_format format)
{
    static char room[65536];
    struct table_out text = {.data = NULL};
    struct query_error failure;
    int failed = export_all(h, table_of(h, table), NULL, 0, format, 0, &text, &failure);
    ck_assert_msg(failed == 0, "%s", failure.text);
    ck_assert_uint_lt(text.length, sizeof room);
    memcpy(room, text.data, text.length);
    room[text.length] = 0;
    out_close(&text);
    return room;
}

static const char sample[] =
    "n,f,b,s,d,t\r\n"
    "1,0.1,true,\"x,\"\"y\"\"\",2026-11-25,2026-11-25T18:00:00.000001Z\r\n"
    "-2,5e-324,false,\"\",0001-01-01,1969-12-31T23:59:59Z\r\n"
    ",,,,,\r\n"
    "3,nan,true,\" z\",9999-12-31,1970-01-01T00:00:00Z\r\n"
    "4,-inf,true,\"\x01\xc3\xb8\n\",2000-02-29,1970-01-01T00:00:00Z\r\n";

START_TEST(csv_comes_back)
{
    ck_assert_int_eq(read_pieces(sample, sizeof sample - 1, 50, &usual), 0);
    ck_assert_str_eq(types(), "n:i64 f:f64 b:bool s:str d:date t:ts");
    const char *out = write_all(EXPORT_CSV);
    char *copy = strdup(out);
    ck_assert_ptr_nonnull(strstr(out, "1,0.1,true,\"x,\"\"y\"\"\",2026-11-25,"
                                      "2026-11-25T18:00:00.000001Z\r\n"));
    ck_assert_ptr_nonnull(strstr(out, "\r\n,,,,,\r\n"));
    ck_assert_int_eq(read_pieces(copy, strlen(copy), 9, &usual), 0);
    ck_assert_str_eq(write_all(EXPORT_CSV), copy);
    free(copy);
}
END_TEST

START_TEST(json_lines)
{
    ck_assert_int_eq(read_pieces(sample, sizeof sample - 1, 50, &usual), 0);
    ck_assert_str_eq(write_all(EXPORT_JSONL),
        "{\"n\":1,\"f\":0.1,\"b\":true,\"s\":\"x,\\\"y\\\"\","
        "\"d\":\"2026-11-25\",\"t\":\"2026-11-25T18:00:00.000001Z\"}\n"
        "{\"n\":-2,\"f\":5e-324,\"b\":false,\"s\":\"\","
        "\"d\":\"0001-01-01\",\"t\":\"1969-12-31T23:59:59Z\"}\n"
        "{\"n\":null,\"f\":null,\"b\":null,\"s\":null,\"d\":null,\"t\":null}\n"
        "{\"n\":3,\"f\":null,\"b\":true,\"s\":\" z\","
        "\"d\":\"9999-12-31\",\"t\":\"1970-01-01T00:00:00Z\"}\n"
        "{\"n\":4,\"f\":null,\"b\":true,\"s\":\"\\u0001\xc3\xb8\\u000a\","
        "\"d\":\"2000-02-29\",\"t\":\"1970-01-01T00:00:00Z\"}\n");
}
END_TEST

START_TEST(base64_and_floats)
{
    static const struct table_field fields[] = {{"b", 1, TABLE_BIN, true, false},
                                                {"f", 1, TABLE_F32, true, false}};
    static const char *const texts[] = {"", "f", "fo", "foo", "foob"};
    static const char *const coded[] = {"\"\"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="};
    ck_assert_int_eq(table_create(h, fields, 2, &table, &error), 0);
    struct table *t = table_of(h, table);
    struct table_append a;
    char wanted[256] = "b,f\r\n";
    ck_assert_int_eq(table_append_begin(t, 5, &a, &error), 0);
    for (unsigned i = 0; i < 5; i++) {
        struct table_text text = {texts[i], strlen(texts[i])};
        float f = 0.1f + (float)i;
        ck_assert_int_eq(table_append_texts(&a, 0, 1, &text, &error), 0);
        ck_assert_int_eq(table_append_raw(&a, 1, 1, &f, NULL, 0, &error), 0);
        sprintf(wanted + strlen(wanted), "%s,%u.1\r\n", coded[i], i);
    }
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    ck_assert_str_eq(write_all(EXPORT_CSV), wanted);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("table_csv");
    TCase *c = tcase_create("csv");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, quotes_and_line_ends);
    tcase_add_test(c, types_follow_from_the_sample);
    tcase_add_test(c, decimals_are_what_strtod_says);
    tcase_add_test(c, errors_name_line_and_cell);
    tcase_add_test(c, a_cell_after_the_sample_must_fit);
    tcase_add_test(c, csv_comes_back);
    tcase_add_test(c, json_lines);
    tcase_add_test(c, base64_and_floats);
    suite_add_tcase(s, c);
    return s;
}
