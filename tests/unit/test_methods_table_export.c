/* test_methods_table_export.c - tables as bytes through the methods: what goes out is what a scan
 * finds, of one moment, whole however it is cut; limits, cursors and short memory. */
#include "server/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/map.h"
#include "heap/table_npy.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, (size_t)256 << 20); }
static void teardown(void) { in_process_close(&p); }

static void fill(void)
{
    ASK(&p, "table.create",
        "'t', [['x', 'f64'], ['name', 'str', {'null': true}], ['n', 'i32'], ['s', 'sym']]", "true");
    ASK(&p, "table.append",
        "'t', {'rows': [[0.5, 'a', 1, 'u'], [1.5, nil, 2, 'v'], [2.5, 'c,\"', 3, 'u']]}",
        "{'first': 0, 'n': 3}");
}

/* --- bytes of answers -------------------------------------------------------------------------*/

struct bytes {
    char *data;
    size_t length;
    long long cursor; /* 0: that was all */
    size_t longest;   /* answer */
    unsigned answers;
};

static void add_byte(struct bytes *b, int byte)
{
    if ((b->length & (b->length + 1)) == 0) b->data = realloc(b->data, 2 * b->length + 2);
    b->data[b->length++] = (char)byte;
    b->data[b->length] = 0;
}

static int hex(const char *digits)
{
    char two[] = {digits[0], digits[1], 0};
    return (int)strtol(two, NULL, 16);
}

/* A byte of a literal; moves on behind it. */
static int literal_byte(const char **at)
{
    const char *c = *at;
    *at += c[0] != '\\' ? 1 : c[1] == 'x' ? 4 : 2;
    if (c[0] != '\\') return (unsigned char)c[0];
    return c[1] == 'x' ? hex(c + 2) : c[1] == 'n' ? '\n' : c[1] == 't' ? '\t' : c[1];
}

/* What an answer has in `data`, a bin or an ext of type 8, is added. */
static void take_answer(struct bytes *b, const char *answer, bool ext)
{
    size_t before = b->length;
    const char *data = strstr(answer, ext ? "'data': <8:" : "'data': b'");
    ck_assert_msg(data != NULL, "%.200s", answer);
    data += strlen("'data': b'");
    if (ext)
        for (data++; *data != '>'; data += 2) add_byte(b, hex(data));
    else
        while (*data != '\'') add_byte(b, literal_byte(&data));
    const char *cursor = strstr(data, "'cursor': ");
    b->cursor = cursor != NULL ? strtoll(cursor + strlen("'cursor': "), NULL, 10) : 0;
    b->answers++;
    if (b->length - before > b->longest) b->longest = b->length - before;
}

static void take(struct bytes *b, const char *method, const char *params)
{
    const char *answer = ask(&p, method, params);
    ck_assert_msg(answer[0] != '!', "%s(%s): %s", method, params, answer);
    take_answer(b, answer, p.features.ext && strstr(answer, "'data': <8:") != NULL);
}

static void take_next(struct bytes *b, const char *options)
{
    char params[100];
    snprintf(params, sizeof params, "%lld%s", b->cursor, options);
    take(b, "table.next", params);
}

/* All of it, in pieces as the parameters and `options` have them. */
static struct bytes take_all(const char *method, const char *params, const char *options)
{
    struct bytes b = {NULL, 0, 0, 0, 0};
    add_byte(&b, 0);
    b.length = 0;
    take(&b, method, params);
    while (b.cursor != 0) take_next(&b, options);
    ck_assert_uint_eq(p.refs.cursors.count, 0);
    return b;
}

static void check_text(const char *params, const char *text)
{
    struct bytes b = take_all("table.export", params, "");
    ck_assert_str_eq(b.data, text);
    free(b.data);
}

/* --- formats ----------------------------------------------------------------------------------*/

START_TEST(csv_has_the_options_of_csv)
{
    fill();
    check_text("'t', {'format': 'csv'}",
               "x,name,n,s\r\n0.5,a,1,u\r\n1.5,,2,v\r\n2.5,\"c,\"\"\",3,u\r\n");
    check_text("'t', {'format': 'csv', 'header': false, 'delimiter': '\t', 'null': 'a'}",
               "0.5\t\"a\"\t1\tu\r\n1.5\ta\t2\tv\r\n2.5\t\"c,\"\"\"\t3\tu\r\n");
    check_text("'t', {'format': 'csv', 'null': 'NULL', 'select': ['name']}",
               "name\r\na\r\nNULL\r\n\"c,\"\"\"\r\n");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'delimiter': '\"'}",
               "! BAD_PARAMS table.export: option delimiter must be a string of one byte");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'delimiter': ''}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'delimiter': 1}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'header': 1}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'jsonl', 'header': true}",
               "! BAD_PARAMS table.export: header is an option of format \"csv\"");
}
END_TEST

/* Rows are maps here, and objects in JSON. */
START_TEST(no_column_comes_twice)
{
    fill();
    ASK(&p, "table.get", "'t', 0, ['n', 'x']", "{'n': 1, 'x': 0.5}");
    ASK_BEGINS(&p, "table.get", "'t', 0, ['n', 'x', 'n']",
               "! BAD_PARAMS table.get: column \"n\" comes twice");
    ASK_BEGINS(&p, "table.scan", "'t', {'select': ['n', 'n']}",
               "! BAD_PARAMS table.scan: select[1]: column \"n\" comes twice");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'jsonl', 'select': ['n', 'n']}",
               "! BAD_PARAMS table.export: select[1]: column \"n\" comes twice");
}
END_TEST

/* Both ways refuse what would break a file, in the same words. */
START_TEST(options_of_csv_are_those_of_both_ways)
{
    static const struct {
        const char *format, *options, *why;
    } cases[] = {
        {"csv", "'null': 'a,b'", "option null is \"a,b\"; since it has no quotes"},
        {"csv", "'null': 'a;b', 'delimiter': ';'", "option null is \"a;b\""},
        {"csv", "'null': '\"'", "it must not have a delimiter, quote, line end or NUL"},
        {"csv", "'null': 'a\\n'", "option null is"},
        {"csv", "'null': '\\x0d'", "option null is"},
        {"csv", "'null': 7", "option null must be a string of up to 64 bytes, not 7"},
        {"csv", "'delimiter': ''", "option delimiter must be a string of one byte, which is no "
                                   "quote, line end or NUL, not \"\""},
        {"csv", "'delimiter': ';;'", "option delimiter must be"},
        {"csv", "'delimiter': '\\x00'", "option delimiter must be"},
        {"csv", "'delimiter': '\\n'", "option delimiter must be"},
        {"csv", "'delimiter': '\\x0d'", "option delimiter must be"},
        {"csv", "'delimiter': '\"'", "option delimiter must be"},
        {"csv", "'header': 1", "header"},
        {"jsonl", "'header': true", "header is an option of format \"csv\", not of \"jsonl\""},
        {"arrow", "'delimiter': ','", "delimiter is an option of format \"csv\""},
        {"npy", "'null': ''", "null is an option of format \"csv\", not of \"npy\""},
    };
    fill();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int in = 0; in < 2; in++) {
            char text[200];
            const char *method = in ? "table.import" : "table.export", *answer;
            snprintf(text, sizeof text, "'t', %s{'format': '%s', %s}", in ? "'', " : "",
                     cases[i].format, cases[i].options);
            answer = ask(&p, method, text);
            ck_assert_msg(strncmp(answer, "! BAD_PARAMS table.", 19) == 0 &&
                          strstr(answer, cases[i].why) != NULL, "%s: %s", text, answer);
        }
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'delimitr': ','}",
               "! BAD_PARAMS table.export: the query: there is no option \"delimitr\"; it can be "
               "where, let, select, batch, order, limit, offset, format, dictionary, header, "
               "delimiter, null");
}
END_TEST

/* What no column of the type holds is refused, and what is whole is exact, as in table.append. */
START_TEST(numbers_are_exact_or_refused)
{
    static const struct {
        const char *type, *number, *stored;
    } cases[] = {
        {"f32", "1e39", NULL}, {"f32", "-3.5e38", NULL}, {"f32", "3.4e38", "3.4e38"},
        {"f64", "1e39", "1e39"}, {"f64", "1e309", NULL},
        {"i64", "9007199254740993.0", "9007199254740993"},
        {"i64", "-9007199254740993.000", "-9007199254740993"},
        {"i64", "9.007199254740993e15", "9007199254740993"},
        {"i64", "9223372036854775807.0", "9223372036854775807"},
        {"i64", "9223372036854775808.0", NULL}, {"i64", "-9223372036854775808e0",
                                                 "-9223372036854775808"},
        {"u64", "18446744073709551615.0", "18446744073709551615"},
        {"u64", "184467440737095516150e-1", "18446744073709551615"},
        {"u64", "18446744073709551616.0", NULL}, {"u64", "-1.0", NULL},
        {"i64", "9007199254740993.5", NULL}, {"i64", "1e-1", NULL}, {"i64", "10e-1", "1"},
        {"i64", "0.0", "0"}, {"i64", "0e999999999999999999999", "0"}, {"i8", "1.2e2", "120"},
        {"i8", "1.29e2", NULL}, {"i64", "1e30", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[80], wanted[80];
        snprintf(text, sizeof text, "'n', [['a', '%s']]", cases[i].type);
        ASK(&p, "table.create", text, "true");
        for (int csv = 0; csv < 2; csv++) {
            bool is_float = cases[i].type[0] == 'f';
            if (csv && !is_float) continue; /* integers have digits only there */
            snprintf(text, sizeof text, csv ? "'n', 'a\\n%s', {'format': 'csv'}"
                                            : "'n', '{\"a\":%s}', {'format': 'jsonl'}",
                     cases[i].number);
            const char *answer = ask(&p, "table.import", text);
            snprintf(wanted, sizeof wanted, "\"%s\" is no %s", cases[i].number, cases[i].type);
            const char *part = cases[i].stored ? "{'rows': 1" : wanted;
            ck_assert_msg(strstr(answer, part) != NULL, "%s: %s", text, answer);
            if (!cases[i].stored) continue;
            if (!is_float) {
                snprintf(text, sizeof text, "'n', ['=', 'a', %s]", cases[i].stored);
                ASK(&p, "table.delete", text, "1");
            }
            ask(&p, "table.delete", "'n', ['and']");
        }
        ASK(&p, "del", "'n'", "1");
    }
}
END_TEST

/* What is exported without a schema and imported again has the types that it had. */
START_TEST(whole_doubles_come_back_as_doubles)
{
    static const char *const formats[] = {"csv", "jsonl"};
    ASK(&p, "table.create", "'t', [['x', 'f64'], ['y', 'f32'], ['n', 'i32']]", "true");
    ASK(&p, "table.append", "'t', {'rows': [[1, 1, 1], [-2, 16777216, 2], [1e22, 0, 3], "
        "[9007199254740992, -3, 4]]}", "{'first': 0, 'n': 4}");
    check_text("'t', {'format': 'csv', 'limit': 2}",
               "x,y,n\r\n1.0,1.0,1\r\n-2.0,16777216.0,2\r\n");
    check_text("'t', {'format': 'jsonl', 'limit': 1}", "{\"x\":1.0,\"y\":1.0,\"n\":1}\n");
    for (int i = 0; i < 2; i++) {
        char params[80];
        snprintf(params, sizeof params, "'t', {'format': '%s'}", formats[i]);
        struct bytes b = take_all("table.export", params, "");
        struct writer w;
        writer_init(&w, 0);
        writer_array(&w, 3);
        writer_cstr(&w, "u");
        writer_bin(&w, b.data, b.length);
        snprintf(params, sizeof params, "{'format': '%s', 'create': true}", formats[i]);
        literal_write(&w, params);
        ck_assert_str_eq(ask_bytes(&p, "table.import", &w), "{'rows': 4, 'cursor': nil}");
        ASK_BEGINS(&p, "table.schema", "'u'", "[['x', 'f64', {'null': false, 'sorted': false}], "
                   "['y', 'f64', {'null': false, 'sorted': false}], ['n', 'i64', ");
        ASK(&p, "get", "['u', 2, 'x']", "1e+22");
        ASK(&p, "del", "'u'", "1");
        writer_close(&w);
        free(b.data);
    }
}
END_TEST

START_TEST(the_query_decides_what_goes_out)
{
    fill();
    check_text("'t', {'format': 'jsonl'}",
               "{\"x\":0.5,\"name\":\"a\",\"n\":1,\"s\":\"u\"}\n"
               "{\"x\":1.5,\"name\":null,\"n\":2,\"s\":\"v\"}\n"
               "{\"x\":2.5,\"name\":\"c,\\\"\",\"n\":3,\"s\":\"u\"}\n");
    check_text("'t', {'format': 'jsonl', 'where': ['>', 'n', 1], 'order': [['x', 'desc']], "
               "'let': {'y': ['*', ['col', 'n'], ['lit', 2]]}, 'select': ['y', 's']}",
               "{\"y\":6,\"s\":\"u\"}\n{\"y\":4,\"s\":\"v\"}\n");
    check_text("'t', {'format': 'csv', 'select': ['n'], 'offset': 1, 'limit': 1}", "n\r\n2\r\n");
    check_text("'t', {'format': 'csv', 'select': ['n'], 'limit': 0}", "n\r\n");
    check_text("'t', {'format': 'jsonl', 'where': ['>', 'n', 9]}", "");
}
END_TEST

START_TEST(bad_exports)
{
    fill();
    ASK_BEGINS(&p, "table.export", "'t', {}",
               "! BAD_PARAMS table.export: the option format is needed");
    ASK_BEGINS(&p, "table.export", "'t', nil", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', 'csv'", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'xml'}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'rows'}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'formats': 1}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'batch': {'bytes': 0}}", "! ");
    ASK_BEGINS(&p, "table.scan", "'t', {'format': 'csv'}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'batch': {'rows': 5}}",
               "! BAD_PARAMS table.export: rows of batch are those of a record batch");
    ASK(&p, "table.scan", "'t', {'select': []}",
        "! BAD_PARAMS table.scan: select: the name of a column is needed; without select there are "
        "all");
    ASK(&p, "table.scan", "'t', {'select': ['y']}",
        "! NOT_FOUND table.scan: select[0]: there is no column \"y\"; there are x, name, n, s");
    ASK_BEGINS(&p, "table.scan", "'t', {'let': {'x': ['lit', 1]}}",
               "! BAD_PARAMS table.scan: let: there is a column \"x\" already");
    ASK_BEGINS(&p, "table.agg", "'t', {'group': ['n'], 'agg': {'n': ['count']}}",
               "! BAD_PARAMS table.agg: agg.n: the result has a column of that name");
    ASK_HAS(&p, "table.scan", "'t', {'let': {'y': ['cast', ['col', 'x'], 'i65']}}",
            "there are i8 i16");
    ASK(&p, "table.delete", "'t', [1, 1.0]",
        "! BAD_PARAMS table.delete: a row is an integer, not a double");
    ASK_BEGINS(&p, "table.scan", "'t', {'limit': 1e300}",
               "! BAD_PARAMS table.scan: limit: an integer from 0 on is needed, not 1e+300");
    ASK_HAS(&p, "table.append", "'t', {'rows': [[1.0, b'abc', 1, 'x']]}", "3 bytes are no text");
    ASK_BEGINS(&p, "table.create", "'sorted', [['d', 'date', {'sorted': true}]]", "true");
    ASK_HAS(&p, "table.append", "'sorted', {'rows': [[5], [4]]}",
            "row 1, column \"d\": 1970-01-05 is less than the row before it, in a sorted column");
    ASK(&p, "table.scan", "'t', {'batch': {'row': 5}}",
        "! BAD_PARAMS table.scan: batch has no option \"row\"; it can be rows, bytes");
    ASK_BEGINS(&p, "table.agg", "'t', {'agg': {'n': ['count']}, 'batch': {'rows': 5}}",
               "! BAD_PARAMS table.agg: the query: there is no option \"batch\"");
    ASK_BEGINS(&p, "table.scan", "'t', {'header': true}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.export", "'none', {'format': 'csv'}", "! NOT_FOUND");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'arrow', 'dictionary': 'deltas'}",
               "! BAD_PARAMS table.export: option dictionary is \"deltas\"; it may be one of: "
               "auto delta whole");
    ASK(&p, "table.export", "'t', {'format': 'csv', 'dictionary': 'delta'}",
        "! BAD_PARAMS table.export: dictionary is an option of format \"arrow\"");
    ASK(&p, "table.scan", "'t', {'format': 'cols', 'dictionary': 'delta'}",
        "! BAD_PARAMS table.scan: dictionary is an option of format \"arrow\"");
    ASK(&p, "table.slice", "'t', 0, 1, {'dictionary': 'delta'}",
        "! BAD_PARAMS table.slice: dictionary is an option of format \"arrow\"");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'npy'}",
               "! WRONG_TYPE table.export: column \"name\" is of type str; .npy has numbers ");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'npy', 'select': ['s']}", "! WRONG_TYPE");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'npy', 'select': ['x', 'n']}", "! WRONG_TYPE");
    ASK(&p, "table.create", "'b', [[b'\\xff', 'i8', {'null': true}]]", "true");
    ASK_BEGINS(&p, "table.export", "'b', {'format': 'arrow'}",
               "! WRONG_TYPE table.export: the name of column 0 is not UTF-8");
    ASK_BEGINS(&p, "table.export", "'b', {'format': 'jsonl'}", "! WRONG_TYPE");
    ASK_BEGINS(&p, "table.append", "'b', {'rows': [[1], [nil]]}", "{");
    ASK_BEGINS(&p, "table.export", "'b', {'format': 'npy'}", "! WRONG_TYPE");
    ck_assert_uint_eq(p.refs.cursors.count, 0);
}
END_TEST

/* --- Arrow, read back -------------------------------------------------------------------------*/

static value copies[1];

static int open_copy(void *data, const struct table_field *fields, uint32_t count,
                     struct table **t, struct table_error *error)
{
    (void)data;
    int failed = table_create(p.heap, fields, count, &copies[0], error);
    if (!failed) *t = table_of(p.heap, copies[0]);
    return failed;
}

/* A table of the stream, under the key "copy". */
static void read_arrow(struct bytes *b)
{
    struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct arrow_reader *r = arrow_reader_create(&limits, open_copy, NULL);
    struct table_error error;
    struct map_key key;
    size_t at = 0, used;
    int status = TABLE_FEED_WORK;
    while (status == TABLE_FEED_WORK) {
        status = arrow_reader_feed(r, b->data + at, b->length - at, &used, &error);
        at += used;
        ck_assert_msg(status >= 0, "%s", error.text);
    }
    ck_assert_int_eq(status, TABLE_FEED_DONE);
    ck_assert_uint_eq(at, b->length);
    ck_assert_int_eq(arrow_reader_end(r, &error), 0);
    arrow_reader_destroy(r);
    map_key_text(p.heap, &key, "copy", 4);
    ck_assert_int_eq(keys_set_take(p.host.keys, &key, copies[0], 0), 0);
    free(b->data);
}

static void same_rows(const char *query)
{
    char one[400], *kept;
    snprintf(one, sizeof one, "'t', %s", query);
    kept = strdup(strstr(ask(&p, "table.scan", one), "'data': "));
    *strstr(kept, ", 'cursor'") = 0;
    ASK_HAS(&p, "table.scan", "'copy', {'batch': {'rows': 100000}}", kept);
    free(kept);
}

static void arrow_trip(const char *method, const char *params, const char *options,
                       const char *query)
{
    struct bytes b = take_all(method, params, options);
    read_arrow(&b);
    same_rows(query);
}

START_TEST(arrow_is_cut_anywhere)
{
    fill();
    arrow_trip("table.export", "'t', {'format': 'arrow'}", "", "nil");
    for (int ext = 0; ext < 2; ext++) {
        arrow_trip("table.scan", "'t', {'format': 'arrow'}", "", "nil");
        arrow_trip("table.scan", "'t', {'format': 'arrow', 'dictionary': 'delta'}", "", "nil");
        arrow_trip("table.slice", "'t', 0, 9, {'format': 'arrow', 'dictionary': 'whole'}", "",
                   "nil");
        arrow_trip("table.scan", "'t', {'format': 'arrow', 'batch': {'bytes': 1}}", "", "nil");
        arrow_trip("table.scan", "'t', {'format': 'arrow', 'batch': {'bytes': 7}, "
                   "'where': ['!=', 'n', 2]}", ", {'bytes': 33}", "{'where': ['!=', 'n', 2]}");
        arrow_trip("table.scan", "'t', {'format': 'arrow', 'order': [['n', 'desc']], 'limit': 2}",
                   "", "{'order': [['n', 'desc']], 'limit': 2}");
        arrow_trip("table.slice", "'t', 1, 2, {'format': 'arrow'}", "", "{'offset': 1}");
        struct bytes b = take_all(
            "table.agg",
            "'t', {'format': 'arrow', 'group': ['s'], 'agg': {'n': ['sum', 'n']}}", "");
        read_arrow(&b);
        ASK(&p, "get", "'copy'", "[{'s': 'u', 'n': 4}, {'s': 'v', 'n': 2}]");
        ask_extensions(&p, true);
        ASK_HAS(&p, "table.scan", "'t', {'format': 'arrow'}", "'data': <8:ffffffff");
        ASK_HAS(&p, "table.export", "'t', {'format': 'arrow'}", "'data': b'\\xff");
    }
}
END_TEST

START_TEST(an_empty_table_is_a_stream_too)
{
    fill();
    ASK(&p, "table.delete", "'t', ['and']", "3");
    arrow_trip("table.export", "'t', {'format': 'arrow'}", "", "nil");
    check_text("'t', {'format': 'csv'}", "x,name,n,s\r\n");
    struct bytes b = take_all("table.export", "'t', {'format': 'npy', 'select': ['x']}", "");
    ck_assert_uint_eq(b.length, 128);
    ck_assert_ptr_nonnull(strstr(b.data + 12, "'shape': (0,)"));
    free(b.data);
}
END_TEST

/* --- .npy -------------------------------------------------------------------------------------*/

START_TEST(npy_counts_rows_first)
{
    fill();
    struct bytes b = take_all("table.export",
                              "'t', {'format': 'npy', 'select': ['x'], 'where': ['>', 'n', 1], "
                              "'order': [['x', 'desc']], 'limit': 5, 'batch': {'bytes': 9}}",
                              ", {'bytes': 100}");
    double x[2];
    ck_assert_uint_eq(b.length, 128 + sizeof x);
    ck_assert_int_eq(memcmp(b.data, NPY_MARK, strlen(NPY_MARK)), 0);
    ck_assert_ptr_nonnull(strstr(b.data + 10, "'descr': '<f8'"));
    ck_assert_ptr_nonnull(strstr(b.data + 10, "'shape': (2,)"));
    memcpy(x, b.data + 128, sizeof x);
    ck_assert(x[0] == 2.5 && x[1] == 1.5);
    free(b.data);
}
END_TEST

/* --- large ones -------------------------------------------------------------------------------*/

#define TYPES "[['i', 'i64'], ['f', 'f64', {'null': true}], ['b', 'bool', {'null': true}], "  \
              "['s', 'sym', {'null': true}], ['d', 'date'], ['y', 'f32']"

static void append_random(const char *table, unsigned rows, bool texts)
{
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 2);
    writer_cstr(&w, table);
    writer_map(&w, 1);
    writer_cstr(&w, "rows");
    writer_array(&w, rows);
    for (unsigned i = 0; i < rows; i++) {
        uint64_t bits = random_next(&p.seed);
        char text[40];
        snprintf(text, sizeof text, "symbol %u", (unsigned)random_below(&p.seed, 30000));
        writer_array(&w, 6 + texts);
        writer_int(&w, (int64_t)bits);
        if (bits % 7 == 0) writer_nil(&w);
        else writer_double(&w, (double)(bits % 1000) / 8);
        if (bits % 5 == 0) writer_nil(&w);
        else writer_bool(&w, bits % 3 == 0);
        if (bits % 11 == 0) writer_nil(&w);
        else writer_cstr(&w, text);
        writer_int(&w, (int64_t)(bits % 100000));
        writer_double(&w, (double)(bits % 64) / 4);
        if (texts) writer_cstr(&w, text + bits % 8);
    }
    const char *answer = ask_bytes(&p, "table.append", &w);
    ck_assert_msg(answer[0] != '!', "%s", answer);
    writer_close(&w);
}

/* What others do between two answers. */
static void change(unsigned turn)
{
    char params[100];
    if (turn == 40) ASK(&p, "del", "'u'", "1");
    if (turn >= 40) return;
    snprintf(params, sizeof params, "'u', [%u, -1]", turn * 7);
    ASK(&p, "table.delete", params, "2");
    snprintf(params, sizeof params, "'u', %u, 'f', %u", turn, turn);
    ASK(&p, "table.set", params, "true");
    append_random("u", 50, strstr(ask(&p, "table.schema", "'u'"), "'t'") != NULL);
    if (turn % 10 == 5) ASK_BEGINS(&p, "table.compact", "'u'", "{");
}

/* Rows are sealed, deleted, updated; symbols come and go meanwhile: the stream is of one moment. */
static void check_moment(bool texts, const char *where)
{
    char query[200], params[300], *kept;
    ASK(&p, "table.create", texts ? "'u', " TYPES ", ['t', 'str']]" : "'u', " TYPES "]", "true");
    for (int i = 0; i < 10; i++) append_random("u", 1000, texts);
    if (!texts) ASK_BEGINS(&p, "table.compact", "'u'", "{");
    append_random("u", 777, texts);
    ASK(&p, "table.delete", "'u', [5, 1024, 5000, 10100]", "4");
    snprintf(query, sizeof query, "{'batch': {'rows': 100000, 'bytes': 16000000}%s%s}",
             *where ? ", 'where': " : "", where);
    snprintf(params, sizeof params, "'u', %s", query);
    kept = strdup(strstr(ask(&p, "table.scan", params), "'data': "));
    *strstr(kept, ", 'cursor'") = 0;
    snprintf(params, sizeof params, "'u', {'format': 'arrow', 'batch': {'bytes': 10000}%s%s}",
             *where ? ", 'where': " : "", where);
    struct bytes b = {NULL, 0, 0, 0, 0};
    take(&b, "table.export", params);
    for (unsigned turn = 0; b.cursor != 0; turn++) {
        change(turn);
        take_next(&b, turn % 3 ? "" : ", {'bytes': 5001}");
    }
    ck_assert_uint_le(b.longest, 10000);
    ck_assert_uint_gt(b.answers, *where ? 10 : 40);
    read_arrow(&b);
    ASK_HAS(&p, "table.scan", "'copy', {'batch': {'rows': 100000, 'bytes': 16000000}}", kept);
    free(kept);
}

START_TEST(an_export_is_of_one_moment)
{
    p.host.reply_elements_max = 10000000;
    check_moment(false, "");
    check_moment(true, "");
    ask(&p, "del", "'u'");
    check_moment(false, "['<', 'd', 50000]");
    ask(&p, "del", "'u'");
    check_moment(true, "['<', 'd', 50000]");
}
END_TEST

START_TEST(texts_of_any_length_are_cut)
{
    ASK(&p, "table.create", "'t', [['a', 'str'], ['b', 'str', {'null': true}]]", "true");
    char *params = malloc(2 * 600000 + 100), *text = malloc(600001);
    memset(text, 'x', 600000);
    text[600000] = 0;
    for (int i = 0; i < 3; i++) {
        sprintf(params, "'t', {'rows': [['%s', nil], ['', '%.1000s']]}", text, text);
        ASK_HAS(&p, "table.append", params, "'n': 2");
    }
    free(params);
    struct bytes b = take_all("table.export", "'t', {'format': 'csv', 'batch': {'bytes': 1000}}",
                              ", {'bytes': 70000}");
    ck_assert_uint_le(b.longest, 70000);
    ck_assert_uint_eq(b.length, strlen("a,b\r\n") + 3 * (600003 + 1005));
    free(b.data);
    b = take_all("table.export", "'t', {'format': 'arrow', 'batch': {'bytes': 1000}}",
                 ", {'bytes': 70000}");
    ck_assert_uint_le(b.longest, 70000);
    read_arrow(&b);
    p.host.reply_bytes_max = 4 << 20;
    ASK_HAS(&p, "table.agg", "'copy', {'agg': {'n': ['count'], 'd': ['distinct', 'a']}}",
            "[[6, 2]]");
    /* The buffer of one row is more than a query may hold. */
    p.host.query_bytes_max = 500000;
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'arrow'}", "! LIMIT table.export: this needs a "
               "buffer of ");
    ASK_HAS(&p, "table.export", "'t', {'format': 'csv'}", "(table-query-memory)");
    ck_assert_uint_eq(p.refs.cursors.count, 0);
    free(text);
}
END_TEST

/* --- cursors and limits -----------------------------------------------------------------------*/

/* The answer that has the last byte says so, also if it is as long as it may be. */
START_TEST(an_export_whose_piece_is_its_last_leaves_no_cursor)
{
    static const char *const formats[] = {"csv", "jsonl", "npy"};
    fill();
    for (size_t i = 0; i < 3; i++) {
        char params[150];
        snprintf(params, sizeof params, "'t', {'format': '%s', 'select': ['n'], 'limit': 2}",
                 formats[i]);
        struct bytes all = take_all("table.export", params, "");
        ck_assert_uint_eq(all.answers, 1);
        snprintf(params, sizeof params,
                 "'t', {'format': '%s', 'select': ['n'], 'limit': 2, 'batch': {'bytes': %zu}}",
                 formats[i], all.length);
        struct bytes fits = take_all("table.export", params, "");
        ck_assert_uint_eq(fits.length, all.length);
        ck_assert_mem_eq(fits.data, all.data, all.length);
        ck_assert_uint_eq(fits.answers, 1);
        free(fits.data);
        free(all.data);
    }
}
END_TEST

START_TEST(exports_are_cursors)
{
    fill();
    p.host.cursors_max = 2;
    for (int i = 0; i < 2; i++)
        ASK_HAS(&p, "table.export", "'t', {'format': 'csv', 'batch': {'bytes': 5}}", "'cursor': ");
    ASK_BEGINS(&p, "table.export", "'t', {'format': 'csv', 'batch': {'bytes': 5}}",
               "! LIMIT table.export: this session has 2 scans, exports and imports open, "
               "the limit (table-cursors)");
    ASK_BEGINS(&p, "table.scan", "'t', {'format': 'arrow'}", "! LIMIT");
    ASK(&p, "table.close", "1", "true");
    ASK_BEGINS(&p, "table.next", "1", "! NOT_FOUND");
    ASK_BEGINS(&p, "table.next", "2, {'bytes': 'x'}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "table.next", "2, {'bytes': 4}", "{'rows': ");
    p.host.cursor_idle_ns = 1;
    ASK_BEGINS(&p, "table.next", "2", "! NOT_FOUND");
    p.host.cursor_idle_ns = 0;
    /* The rest goes with the session. */
    ASK_HAS(&p, "table.export", "'t', {'format': 'arrow', 'batch': {'bytes': 5}}", "'cursor': 3");
    ASK_HAS(&p, "table.scan", "'t', {'format': 'arrow', 'batch': {'bytes': 5}}", "'cursor': 4");
}
END_TEST

START_TEST(answers_keep_to_reply_bytes)
{
    ASK(&p, "table.create", "'u', " TYPES "]", "true");
    append_random("u", 1000, false);
    p.host.reply_bytes_max = 3000;
    struct bytes b = take_all("table.export", "'u', {'format': 'csv', 'batch': {'bytes': 3000}}",
                              ", {'bytes': 3000}");
    ck_assert_uint_gt(b.answers, 10);
    free(b.data);
    ASK_BEGINS(&p, "table.export", "'u', {'format': 'csv', 'batch': {'bytes': 3001}}",
               "! OUT_OF_RANGE");
    ASK_BEGINS(&p, "table.slice", "'u', 0, 1000, {'format': 'arrow'}",
               "! LIMIT table.slice: the result would be longer than reply-bytes (3000)");
    ASK_BEGINS(&p, "table.slice", "'u', 0, 2, {'format': 'arrow', 'select': ['i']}", "{'cols'");
    p.host.reply_room = 1500;
    b = take_all("table.export", "'u', {'format': 'csv', 'batch': {'bytes': 3000}}",
                 ", {'bytes': 3000}");
    ck_assert_uint_le(b.longest, 1500);
    free(b.data);
}
END_TEST

/* An answer has one batch then, of at most so many rows. */
START_TEST(rows_of_a_scan)
{
    p.host.reply_elements_max = 10000000;
    ASK(&p, "table.create", "'t', " TYPES "]", "true");
    append_random("t", 5000, false);
    struct bytes b = {NULL, 0, 0, 0, 0};
    take(&b, "table.scan", "'t', {'format': 'arrow', 'batch': {'rows': 2048}}");
    take_next(&b, ", {'rows': 1}");
    ck_assert_ptr_nonnull(strstr(ask(&p, "table.next", "1, {'rows': 100}"), "'rows': 100,"));
    free(b.data);
    ASK(&p, "table.close", "1", "true");
    b = take_all("table.scan", "'t', {'format': 'arrow', 'batch': {'rows': 1100}}",
                 ", {'rows': 90}");
    ck_assert_uint_ge(b.answers, 40);
    read_arrow(&b);
    same_rows("{'batch': {'rows': 100000}}");
}
END_TEST

START_TEST(long_exports_are_done_in_steps)
{
    p.budget_ns = 0;
    ASK(&p, "table.create", "'u', " TYPES ", ['t', 'str']]", "true");
    for (int i = 0; i < 10; i++) append_random("u", 1000, true);
    static const char *const formats[] = {"'arrow'", "'csv'", "'jsonl'",
                                          "'npy', 'select': ['i'], 'order': ['i']"};
    for (int i = 0; i < 4; i++) {
        char params[200];
        uint64_t before = p.steps;
        snprintf(params, sizeof params, "'u', {'format': %s}", formats[i]);
        struct bytes b = take_all("table.export", params, "");
        ck_assert_msg(p.steps - before > 3, "%s: %d", params, (int)(p.steps - before));
        free(b.data);
    }
}
END_TEST

/* One row of 64 texts of 4,096 bytes. */
START_TEST(a_long_row_is_written_in_steps)
{
    static char params[64 * 5000];
    char *to = params + sprintf(params, "'u', [");
    for (int i = 0; i < 64; i++) to += sprintf(to, "%s['c%d', 'str']", i ? ", " : "", i);
    sprintf(to, "]");
    ASK(&p, "table.create", params, "true");
    to = params + sprintf(params, "'u', {'rows': [[");
    for (int i = 0; i < 64; i++) to += sprintf(to, "%s'%04096d'", i ? ", " : "", i);
    sprintf(to, "]]}");
    ASK(&p, "table.append", params, "{'first': 0, 'n': 1}");
    p.budget_ns = 0;
    static const char *const formats[] = {"'csv'", "'jsonl'"};
    for (int i = 0; i < 2; i++) {
        uint64_t before = p.steps;
        snprintf(params, sizeof params, "'u', {'format': %s}", formats[i]);
        struct bytes b = take_all("table.export", params, "");
        ck_assert_uint_gt(b.length, 64 * 4096);
        ck_assert_uint_gt(p.steps - before, 16);
        free(b.data);
    }
}
END_TEST

/* --- faults -----------------------------------------------------------------------------------*/

START_TEST(an_export_goes_on_or_fails_whole)
{
    static const char *const formats[] = {"'arrow'", "'csv'", "'jsonl'", "'npy', 'select': ['i']"};
    ASK(&p, "table.create", "'u', " TYPES ", ['t', 'str']]", "true");
    append_random("u", 1500, true);
    for (int format = 0; format < 4; format++) {
        for (uint64_t n = 1;; n++) {
            char params[100];
            snprintf(params, sizeof params, "'u', {'format': %s, 'batch': {'bytes': 100}}",
                     formats[format]);
            ASK_HAS(&p, "table.export", params, "'cursor': ");
            snprintf(params, sizeof params, "%lld, {'bytes': 100000}",
                     (long long)p.refs.cursors.last);
            heap_fail_nth(p.heap, n);
            const char *got = ask(&p, "table.next", params);
            bool failed = !heap_fail_pending(p.heap);
            heap_fail_nth(p.heap, 0);
            if (failed) ck_assert_int_eq(strncmp(got, "! OUT_OF_MEMORY ", 16), 0);
            else ck_assert_int_eq(strncmp(got, "{'rows': ", 9), 0);
            in_process_verify(&p);
            snprintf(params, sizeof params, "%lld", (long long)p.refs.cursors.last);
            ask(&p, "table.close", params);
            ck_assert_uint_eq(p.refs.cursors.count, 0);
            if (!failed) break;
        }
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_table_export");
    TCase *tcase = tcase_create("exports");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, csv_has_the_options_of_csv);
    tcase_add_test(tcase, whole_doubles_come_back_as_doubles);
    tcase_add_test(tcase, the_query_decides_what_goes_out);
    tcase_add_test(tcase, bad_exports);
    tcase_add_test(tcase, arrow_is_cut_anywhere);
    tcase_add_test(tcase, an_empty_table_is_a_stream_too);
    tcase_add_test(tcase, npy_counts_rows_first);
    tcase_add_test(tcase, an_export_is_of_one_moment);
    tcase_add_test(tcase, texts_of_any_length_are_cut);
    tcase_add_test(tcase, an_export_whose_piece_is_its_last_leaves_no_cursor);
    tcase_add_test(tcase, exports_are_cursors);
    tcase_add_test(tcase, answers_keep_to_reply_bytes);
    tcase_add_test(tcase, rows_of_a_scan);
    tcase_add_test(tcase, long_exports_are_done_in_steps);
    tcase_add_test(tcase, a_long_row_is_written_in_steps);
    tcase_add_test(tcase, an_export_goes_on_or_fails_whole);
    tcase_add_test(tcase, no_column_comes_twice);
    tcase_add_test(tcase, options_of_csv_are_those_of_both_ways);
    tcase_add_test(tcase, numbers_are_exact_or_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
