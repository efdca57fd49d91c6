/* test_methods_import.c - table.import: files cut anywhere, types found, errors that name their
 * place, all or nothing per call, what others do meanwhile, and limits. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table_batch.h"
#include "server/table_cursor.h"
#include "tests/support/arrow_sample.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct in_process p, other;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

/* --- calls ------------------------------------------------------------------------------------*/

static const char *import(const char *path, const char *text, const char *options)
{
    return ask_import(&p, path, text, strlen(text), options);
}

#define IMPORT(path, text, options, beginning)                                                   \
    do {                                                                                         \
        const char *answer_ = import(path, text, options);                                       \
        ck_assert_msg(strncmp(answer_, beginning, strlen(beginning)) == 0,                       \
                      "%s: '%s' does not begin with '%s'", text, answer_, beginning);            \
    } while (0)

static const char *import_cut(const char *path, const char *data, size_t length,
                              const char *options, size_t piece, uint64_t *rng)
{
    return ask_import_cut(&p, path, data, length, options, piece, rng);
}

/* --- CSV --------------------------------------------------------------------------------------*/

START_TEST(csv_makes_a_table)
{
    IMPORT("'t'", "a,b,c\n1,x,\n2,\"y\nz\",0.5\n", "{'format': 'csv', 'create': true}",
           "{'rows': 2, 'cursor': nil}");
    ASK(&p, "get", "'t'", "[{'a': 1, 'b': 'x', 'c': nil}, {'a': 2, 'b': 'y\\nz', 'c': 0.5}]");
    ASK(&p, "table.schema", "'t'",
        "[['a', 'i64', {'null': false, 'sorted': false}], "
        "['b', 'str', {'null': false, 'sorted': false}], "
        "['c', 'f64', {'null': true, 'sorted': false}]]");
    /* Columns go by name; those that lack are nil. */
    IMPORT("'t'", "b,a\nq,3\n", "{'format': 'csv'}", "{'rows': 1");
    ASK(&p, "get", "['t', -1]", "{'a': 3, 'b': 'q', 'c': nil}");
    ck_assert_str_eq(import("'t'", "4;r;NA\n5;NA;1\n",
                            "{'format': 'csv', 'header': false, 'delimiter': ';', 'null': 'NA'}"),
                     "! WRONG_TYPE table.import: CSV line 2, column \"b\", record 2: nil, in a "
                     "column of type str without nils");
    IMPORT("'t'", "4;r;NA\n5;;1\n",
           "{'format': 'csv', 'header': false, 'delimiter': ';', 'null': 'NA'}", "{'rows': 2");
    ASK(&p, "slice", "'t', 3", "[{'a': 4, 'b': 'r', 'c': nil}, {'a': 5, 'b': '', 'c': 1.0}]");
    IMPORT("'b'", "x\nAP8=\n\"\"\nYWJj\n",
           "{'format': 'csv', 'create': true, 'schema': [['x', 'bin']]}", "{'rows': 3");
    ASK_HAS(&p, "table.scan", "'b'", "[[b'\\x00\\xff'], [b''], [b'abc']]");
    static const char *const no_base64[] = {"A", "AA", "AAA", "A===", "AA=A", "AA A", "AAAA="};
    for (size_t i = 0; i < sizeof no_base64 / sizeof *no_base64; i++)
        ck_assert_ptr_nonnull(strstr(import("'b'", no_base64[i],
                                            "{'format': 'csv', 'header': false}"),
                                     "\" is no bin"));
    IMPORT("['deep', 'er']", "a\n1\n", "{'format': 'csv', 'create': true}", "{'rows': 1");
    ASK(&p, "get", "['deep', 'er', 0]", "{'a': 1}");
    /* A table that is there takes the rows. */
    IMPORT("'t'", "a,b\n6,s\n", "{'format': 'csv', 'create': true}", "{'rows': 1");
    ASK(&p, "len", "'t'", "6");
}
END_TEST

static const char *type_of(const char *format, const char *text)
{
    static char name[40];
    char options[60];
    snprintf(options, sizeof options, "{'format': '%s', 'infer': true}", format);
    const char *answer = import("nil", text, options), *at = strstr(answer, "[['a', '");
    ck_assert_msg(at != NULL, "%s: %s", text, answer);
    sscanf(at + strlen("[['a', '"), "%30[a-z0-9]", name);
    if (strstr(at, "'null': true")) strcat(name, "?");
    return name;
}

#define TYPE(format, text, type) \
    ck_assert_msg(strcmp(type_of(format, text), type) == 0, "%s is %s", text, type_of(format, text))

START_TEST(types_are_the_first_that_hold_all_cells)
{
    TYPE("csv", "a\n1\n-2\n", "i64");
    TYPE("csv", "a\n9223372036854775807\n", "i64");
    TYPE("csv", "a\n9223372036854775808\n1\n", "u64");
    TYPE("csv", "a\n9223372036854775808\n-1\n", "f64");
    TYPE("csv", "a\n9223372036854775807\n9223372036854775808\n-1\n", "str");
    TYPE("csv", "a\n18446744073709551616\n", "f64");
    TYPE("csv", "a\n18446744073709551617\n", "str");
    TYPE("csv", "a\n9007199254740993\n0.5\n", "str");
    TYPE("csv", "a\n9007199254740992\n0.5\n", "f64");
    TYPE("csv", "a\n0.5\n1e400\n", "str");
    TYPE("csv", "a\n1\n2.5\n", "f64");
    TYPE("csv", "a\n007\n1\n", "str");
    TYPE("csv", "a\n0.50\n1\n", "f64");
    TYPE("csv", "a\n0\n1\n", "i64");
    TYPE("csv", "a\ntrue\nFALSE\n", "bool");
    TYPE("csv", "a\ntrue\n0\n", "str");
    TYPE("csv", "a\n2026-11-25\n1900-01-01\n", "date");
    TYPE("csv", "a\n2026-11-25\n2026-02-30\n", "str");
    TYPE("csv", "a\n2026-11-25\n2026-11-25T10:00\n", "str");
    TYPE("csv", "a\n2026-11-25T10:00\n2026-11-25 10:00:00.123456Z\n", "ts");
    TYPE("csv", "a\n2026-11-25T10:00:00.1234567\n", "str");
    TYPE("csv", "a,b\n1,\n,\n", "i64?");
    TYPE("csv", "a,b\n,1\n", "str?");
    TYPE("csv", "a,b\n\"\",1\n", "str");
    TYPE("jsonl", "{\"a\":1}\n{\"a\":-5}", "i64");
    TYPE("jsonl", "{\"a\":1}\n{\"b\":2}", "i64?");
    TYPE("jsonl", "{\"a\":1}\n{\"a\":null}", "i64?");
    TYPE("jsonl", "{\"a\":1.0}", "f64");
    TYPE("jsonl", "{\"a\":true}", "bool");
    TYPE("jsonl", "{\"a\":true}\n{\"a\":1}", "str");
    TYPE("jsonl", "{\"a\":\"1\"}", "str");
    TYPE("jsonl", "{\"a\":\"true\"}", "str");
    TYPE("jsonl", "{\"a\":\"2026-11-25\"}", "date");
    TYPE("jsonl", "{\"a\":\"2026-11-25\"}\n{\"a\":1}", "str");
    TYPE("jsonl", "{\"a\":\"2026-11-25T00:00:00Z\"}", "ts");
    TYPE("jsonl", "{\"a\":18446744073709551615}", "u64");
    TYPE("jsonl", "{\"a\":99999999999999999999999999}", "str");
}
END_TEST

/* `rows` cells of `different` texts of `bytes` bytes. */
static const char *type_of_texts(unsigned different, unsigned rows, unsigned bytes)
{
    char *text = malloc(rows * (bytes + 1) + 3), *at = text + sprintf(text, "a\n");
    for (unsigned i = 0; i < rows; i++)
        at += sprintf(at, "%0*u%s\n", (int)bytes - 1, i % different, "x");
    const char *type = type_of("csv", text);
    free(text);
    return type;
}

START_TEST(few_texts_that_come_often_are_symbols)
{
    ck_assert_str_eq(type_of_texts(1, INFER_REPEATS, 3), "sym");
    ck_assert_str_eq(type_of_texts(1, INFER_REPEATS - 1, 3), "str");
    ck_assert_str_eq(type_of_texts(2, 2 * INFER_REPEATS, 3), "sym");
    ck_assert_str_eq(type_of_texts(INFER_DIFFERENT, INFER_DIFFERENT * INFER_REPEATS, 5), "sym");
    ck_assert_str_eq(type_of_texts(INFER_DIFFERENT + 1, 9 * INFER_DIFFERENT, 5), "str");
    ck_assert_str_eq(type_of_texts(1, INFER_REPEATS, INFER_TEXT_BYTES), "sym");
    ck_assert_str_eq(type_of_texts(1, INFER_REPEATS, INFER_TEXT_BYTES + 1), "str");
}
END_TEST

/* --- JSON lines -------------------------------------------------------------------------------*/

START_TEST(json_lines_make_a_table)
{
    IMPORT("'j'", "{\"a\": 1, \"b\": \"\\u00e6\\n\"}\n\n{\"c\": true, \"b\": \"x\"}\r\n{}",
           "{'format': 'jsonl', 'create': true}", "{'rows': 3, 'cursor': nil}");
    ASK(&p, "get", "'j'",
        "[{'a': 1, 'b': '\\xc3\\xa6\\n', 'c': nil}, {'a': nil, 'b': 'x', 'c': true}, "
        "{'a': nil, 'b': nil, 'c': nil}]");
    IMPORT("'j'", "{\"c\":false,\"a\":2e0}\n", "{'format': 'jsonl'}", "{'rows': 1");
    ASK(&p, "get", "['j', -1]", "{'a': 2, 'b': nil, 'c': false}");
    ASK(&p, "table.create", "'k', [['d', 'date'], ['t', 'ts'], ['s', 'sym'], ['f', 'f32']]",
        "true");
    IMPORT("'k'", "{\"d\":\"1970-01-02\",\"t\":\"1970-01-01T00:00:01Z\",\"s\":\"x\",\"f\":1}\n"
                  "{\"d\":3,\"t\":4,\"s\":5,\"f\":0.5}", "{'format': 'jsonl'}", "{'rows': 2");
    ASK(&p, "get", "'k'",
        "[{'d': 1, 't': 1000000, 's': 'x', 'f': 1.0}, {'d': 3, 't': 4, 's': '5', 'f': 0.5}]");
}
END_TEST

START_TEST(json_lines_are_flat_objects_of_known_fields)
{
    ASK(&p, "table.create", "'j', [['a', 'i8'], ['b', 'str', {'null': true}]]", "true");
    static const char *const wrong[][2] = {
        {"{\"a\":1}\n{\"a\":[1]}", "JSON line 2, column \"a\", record 2: a list as a cell"},
        {"{\"a\":{}}", "JSON line 1, column \"a\", record 1: an object as a cell"},
        {"[1]", "JSON line 1, record 1: a list outside of an object"},
        {"5", "JSON line 1, record 1: a number outside of an object"},
        {"{\"a\":1}{\"a\":1}", "JSON line 1, record 2: a second object in a line"},
        {"{\"a\":\n1}", "JSON line 1, column \"a\", record 1: the object does not end in its line"},
        {"{\"a\":1,\"a\":2}", "JSON line 1, column \"a\", record 1: the field comes twice"},
        {"{\"a\":1,\"a\\u0000\":2}", "the table has no column \"a\\\\x00\""},
        {"{\"a\":128}", "JSON line 1, column \"a\", record 1: \"128\" is no i8"},
        {"{\"a\":1.5}", "JSON line 1, column \"a\", record 1: \"1.5\" is no i8"},
        {"{\"a\":\"1\"}", "JSON line 1, column \"a\", record 1: the string \"1\" is no i8"},
        {"{\"a\":true}", "JSON line 1, column \"a\", record 1: \"true\" is no i8"},
        {"{\"a\":1}\n\n{\"b\":\"x\"}", "JSON line 3, column \"a\", record 2: nil, in a column of "
                                       "type i8 without nils"},
        {"{\"a\":1", "JSON line 1, record 1: "},
        {"{\"b\":\"\\ude00\"}", "JSON line 1, column \"b\", record 1: a surrogate without"},
        {"{\"a\\ude00\":1}", "JSON line 1, record 1: a surrogate without its other half"},
        {"{\"a\":01}", "JSON line 1, "},
        {"{\"b\":\"\xff\"}", "JSON line 1, column \"b\", record 1: "},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (int cut = 0; cut < 2; cut++) {
            uint64_t rng = i;
            const char *answer =
                cut ? import_cut("'j'", wrong[i][0], strlen(wrong[i][0]), "'format': 'jsonl'", 2,
                                 &rng)
                    : import("'j'", wrong[i][0], "{'format': 'jsonl'}");
            ck_assert_msg(strncmp(answer, "! WRONG_TYPE table.import: ", 27) == 0 &&
                          strstr(answer, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], answer);
            if (!cut) ASK(&p, "len", "'j'", "0");
            ask(&p, "table.delete", "'j', ['>=', 'a', -128]");
        }
}
END_TEST

/* --- calls that follow each other -------------------------------------------------------------*/

/* Long strings are decoded by us, not by yajl. */
START_TEST(long_strings_of_json_are_what_short_ones_are)
{
    static const struct {
        const char *json, *text;
    } parts[] = {
        {"\\u00e4\\\"\\\\\\/", "\xc3\xa4\"\\/"}, {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\\ud83d\\uDE00", "\xf0\x9f\x98\x80"}, {"\\b\\f\\n\\r\\t", "\b\f\n\r\t"},
        {"{[,:]} ", "{[,:]} "}, {"\\u20AC\\u0041", "\xe2\x82\xac" "A"},
    };
    static const struct {
        const char *json, *message;
    } wrong[] = {
        {"\\x", "inside a string, \\'\\\\\\' occurs before a character"},
        {"\\u12g4", "invalid (non-hex) character"},
        {"\\udc00", "a surrogate without its other half"},
        {"\xff", "invalid bytes in UTF8 string"}, {"\xe2\x82", "invalid bytes in UTF8 string"},
        {"\n", "invalid character inside string"}, {"\x01", "invalid character inside string"},
    };
    enum { PARTS = 6, TEXT_MAX = 400000 };
    char *json = malloc(TEXT_MAX), *text = malloc(TEXT_MAX);
    uint64_t rng = random_seed();
    for (size_t bytes = 100; bytes < 100000; bytes *= 9) {
        size_t json_length = (size_t)sprintf(json, "{\"a\":\""), text_length = 0;
        while (text_length < bytes) {
            size_t i = random_below(&rng, PARTS), plain = random_below(&rng, 100);
            json_length += (size_t)sprintf(json + json_length, "%s%0*d", parts[i].json,
                                           (int)plain + 1, 0);
            text_length += (size_t)sprintf(text + text_length, "%s%0*d", parts[i].text,
                                           (int)plain + 1, 0);
        }
        size_t end = json_length;
        json_length += (size_t)sprintf(json + json_length, "\",\"b\":1}\n");
        for (size_t piece = 50; piece < 200000; piece *= 20) {
            ASK(&p, "table.create", "'t', [['a', 'str'], ['b', 'u8']]", "true");
            ck_assert_str_eq(import_cut("'t'", json, json_length, "'format': 'jsonl'", piece, &rng),
                             "{'rows': 1, 'cursor': nil}");
            struct writer w;
            writer_init(&w, 0);
            writer_array(&w, 2);
            writer_cstr(&w, "t");
            writer_array(&w, 3);
            writer_cstr(&w, "=");
            writer_cstr(&w, "a");
            writer_str(&w, text, text_length);
            ck_assert_str_eq(ask_bytes(&p, "table.delete", &w), "1");
            writer_close(&w);
            ASK(&p, "del", "'t'", "1");
        }
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            sprintf(json + end, "%s\",\"b\":1}\n", wrong[i].json);
            ASK(&p, "table.create", "'t', [['a', 'str'], ['b', 'u8']]", "true");
            const char *got =
                import_cut("'t'", json, strlen(json), "'format': 'jsonl'", 3000, &rng);
            ck_assert_msg(strncmp(got, "! WRONG_TYPE table.import: JSON line 1, ", 40) == 0 &&
                          strstr(got, wrong[i].message), "%s: %s", wrong[i].json, got);
            ASK(&p, "del", "'t'", "1");
        }
    }
    free(json);
    free(text);
}
END_TEST

START_TEST(bytes_may_be_cut_anywhere)
{
    static const struct {
        const char *options, *text;
    } files[] = {
        {"'format': 'csv', 'create': true, 'schema': [['a', 'i64', {'null': true}], ['b', 'str'], "
         "['c', 'f64', {'null': true}]]",
         "\xef\xbb\xbf" "a,b,c\r\n1,\"x \"\"y\"\"\nz\",0.5\r\n,\"\",\r\n-3,w,1e9"},
        {"'format': 'jsonl', 'create': true, 'schema': [['a', 'i64', {'null': true}], "
         "['b', 'str'], ['c', 'f64', {'null': true}]]",
         "{\"a\":1,\"b\":\"x \\\"y\\\"\\nz\",\"c\":0.5}\n{ \"b\" : \"\" }\n"
         "{\"c\":1e9,\"b\":\"w\",\"a\":-3}"},
    };
    for (unsigned file = 0; file < 2; file++)
        for (uint64_t seed = 1; seed < 40; seed++) {
            uint64_t rng = seed;
            const char *text = files[file].text;
            const char *answer = import_cut("'t'", text, strlen(text), files[file].options,
                                            1 + (size_t)seed % 20, &rng);
            ck_assert_str_eq(answer, "{'rows': 3, 'cursor': nil}");
            ASK(&p, "get", "'t'",
                "[{'a': 1, 'b': 'x \"y\"\\nz', 'c': 0.5}, {'a': nil, 'b': '', 'c': nil}, "
                "{'a': -3, 'b': 'w', 'c': 1000000000.0}]");
            ck_assert_uint_eq(p.refs.cursors.count, 0);
            ASK(&p, "del", "'t'", "1");
        }
}
END_TEST

/* The bytes that a literal b'...' stands for. */
static char *bytes_of(const char *literal, size_t *length)
{
    struct writer w;
    writer_init(&w, 0);
    literal_write(&w, literal);
    unsigned head = (unsigned char)w.data[0] == 0xc4 ? 2 : 3;
    *length = w.length - head;
    char *bytes = malloc(*length);
    memcpy(bytes, w.data + head, *length);
    writer_close(&w);
    return bytes;
}

START_TEST(arrow_and_npy_may_be_cut_anywhere)
{
    char *literal = arrow_sample_literal();
    size_t length;
    char *stream = bytes_of(literal, &length);
    for (uint64_t seed = 1; seed < 20; seed++) {
        uint64_t rng = seed;
        const char *answer = import_cut("'t'", stream, length, "'format': 'arrow', 'create': true",
                                        1 + (size_t)seed * 7, &rng);
        ck_assert_str_eq(answer, "{'rows': 3, 'cursor': nil}");
        ASK(&p, "get", "'t'",
            "[{'id': 7, 'a longer name': 'a text of a cell'}, {'id': 8, 'a longer name': nil}, "
            "{'id': 9, 'a longer name': 'b'}]");
        ASK(&p, "del", "'t'", "1");
    }
    /* Other columns, and another kind of text; what lacks is nil. */
    ASK(&p, "table.create",
        "'t', [['x', 'f64', {'null': true}], ['a longer name', 'str', {'null': true}], "
        "['id', 'i64']]", "true");
    ck_assert_str_eq(ask_import(&p, "'t'", stream, length, "{'format': 'arrow'}"),
                     "{'rows': 3, 'cursor': nil}");
    ASK(&p, "get", "['t', 0]", "{'x': nil, 'a longer name': 'a text of a cell', 'id': 7}");
    ck_assert_str_eq(ask_import(&p, "nil", stream, length, "{'format': 'arrow', 'infer': true}"),
                     "{'rows': 3, 'cursor': nil, 'schema': [['id', 'i64', {'null': false, "
                     "'sorted': false}], ['a longer name', 'sym', {'null': true, "
                     "'sorted': false}]]}");
    ASK(&p, "table.create", "'u', [['id', 'i32'], ['a longer name', 'str', {'null': true}]]",
        "true");
    ck_assert_str_eq(ask_import(&p, "'u'", stream, length, "{'format': 'arrow'}"),
                     "! WRONG_TYPE table.import: Arrow message at byte 0: column \"id\" is of type "
                     "i64; the table\\'s is of type i32");
    ck_assert_ptr_nonnull(strstr(ask_import(&p, "'u'", stream, length - 9, "{'format': 'arrow'}"),
                                 "! WRONG_TYPE"));
    free(stream);
    free(literal);

    char npy[200];
    int head = sprintf(npy, "\x93NUMPY\x01%c\x36%c{'descr': '<i2', 'fortran_order': False, "
                            "'shape': (4,)}", 0, 0);
    npy[head++] = '\n';
    npy[8] = (char)(head - 10);
    memcpy(npy + head, "a\0b\0c\0d", 8);
    uint64_t rng = 1;
    ck_assert_str_eq(import_cut("'n'", npy, (size_t)head + 8, "'format': 'npy', 'create': true", 9,
                                &rng), "{'rows': 4, 'cursor': nil}");
    ASK(&p, "get", "['n', 3]", "{'column1': 100}");
    ck_assert_ptr_nonnull(strstr(ask_import(&p, "'n'", npy, (size_t)head + 5, "{'format': 'npy'}"),
                                 "ends after 2 of 4 rows"));
    ASK(&p, "len", "'n'", "4");
}
END_TEST

START_TEST(each_call_is_whole_or_nothing)
{
    ASK(&p, "table.create", "'t', [['a', 'i64'], ['k', 'sym']]", "true");
    IMPORT("'t'", "a,k\n1,x\n2,", "{'format': 'csv', 'more': true}", "{'rows': 1, 'cursor': 1}");
    ASK(&p, "len", "'t'", "1");
    IMPORT("'t'", "y\n3,z\n4", "{'cursor': 1, 'more': true}", "{'rows': 3, 'cursor': 1}");
    ASK(&p, "get", "['t', -1]", "{'a': 3, 'k': 'z'}");
    IMPORT("'t'", ",w\n5,v\nsix,\"u\n\"\n7,t\n", "{'cursor': 1}",
           "! WRONG_TYPE table.import: CSV line 7, column \"a\", record 6: \"six\" is no i64; 3 "
           "rows had been appended by earlier calls of this import");
    ASK(&p, "len", "'t'", "3");
    IMPORT("'t'", "8,s\n", "{'cursor': 1}", "! NOT_FOUND");
    /* No table is made of a file that is wrong. */
    IMPORT("'u'", "a\n1\nx,y\n", "{'format': 'csv', 'create': true}", "! WRONG_TYPE");
    IMPORT("'u'", "a\n1\nx\n",
           "{'format': 'csv', 'create': true, 'schema': [['a', 'i64']]}", "! WRONG_TYPE");
    ASK(&p, "exists", "'u'", "0");
    ck_assert_uint_eq(p.refs.cursors.count, 0);
    /* A cell beyond the first call's types. */
    IMPORT("'u'", "a\n1\n", "{'format': 'csv', 'create': true, 'more': true}", "{'rows': 1");
    IMPORT("'u'", "2\n2.5\n", "{'format': 'csv', 'cursor': 2}",
           "! WRONG_TYPE table.import: CSV line 4, column \"a\", record 3: \"2.5\" is no i64; 1 "
           "row had been appended by earlier calls of this import");
    ASK(&p, "get", "'u'", "[{'a': 1}]");
}
END_TEST

START_TEST(atomic_calls_join_at_the_last)
{
    ASK(&p, "table.create", "'t', [['n', 'i64'], ['s', 'sym']]", "true");
    ASK(&p, "table.append", "'t', {'rows': [[1, 'x']]}", "{'first': 0, 'n': 1}");
    IMPORT("'t'", "n,s\n2,y\n3", "{'format': 'csv', 'atomic': true, 'more': true}",
           "{'rows': 1, 'cursor': 1}");
    ASK(&p, "len", "'t'", "1");
    ASK(&p, "table.append", "'t', {'rows': [[7, 'z']]}", "{'first': 1, 'n': 1}");
    IMPORT("'t'", ",y\n4,z\n", "{'cursor': 1, 'more': true}", "{'rows': 3, 'cursor': 1}");
    ASK(&p, "len", "'t'", "2");
    IMPORT("'t'", "5,x\n", "{'cursor': 1}", "{'rows': 4, 'cursor': nil}");
    ASK(&p, "get", "'t'", "[{'n': 1, 's': 'x'}, {'n': 7, 's': 'z'}, {'n': 2, 's': 'y'}, "
                         "{'n': 3, 's': 'y'}, {'n': 4, 's': 'z'}, {'n': 5, 's': 'x'}]");
    /* An error of a later call leaves nothing of the earlier ones, and does not count them. */
    IMPORT("'t'", "n,s\n8,a\n", "{'format': 'csv', 'atomic': true, 'more': true}",
           "{'rows': 1, 'cursor': 2}");
    const char *answer = import("'t'", "x,y\n", "{'cursor': 2}");
    ck_assert_msg(strstr(answer, "WRONG_TYPE") && strstr(answer, "line 3"), "%s", answer);
    ck_assert_msg(!strstr(answer, "had been appended"), "%s", answer);
    ASK(&p, "len", "'t'", "6");
    IMPORT("'t'", "n,s\n8,a\n", "{'format': 'csv', 'atomic': true, 'more': true}",
           "{'rows': 1, 'cursor': 3}");
    ASK(&p, "table.close", "3", "true");
    ASK(&p, "len", "'t'", "6");
}
END_TEST

START_TEST(atomic_calls_make_a_table_at_the_last)
{
    IMPORT("'t'", "n,s\n2,y\n3", "{'format': 'csv', 'atomic': true, 'create': true, 'more': true}",
           "{'rows': 1, 'cursor': 1}");
    ASK(&p, "exists", "'t'", "0");
    IMPORT("'t'", ",y\n", "{'cursor': 1, 'create': true}", "{'rows': 2, 'cursor': nil}");
    ASK(&p, "len", "'t'", "2");
    IMPORT("'u'", "n\n1\n", "{'format': 'csv', 'atomic': true, 'create': true, 'more': true}",
           "{'rows': 1, 'cursor': 2}");
    ck_assert_ptr_nonnull(strstr(import("'u'", "x\n", "{'cursor': 2}"), "WRONG_TYPE"));
    ASK(&p, "exists", "'u'", "0");
}
END_TEST

START_TEST(a_table_is_made_where_its_import_began)
{
    for (int atomic = 0; atomic < 2; atomic++)
        for (int schema = 0; schema <= atomic; schema++) { /* else it is there at once */
            char options[160], last[40];
            snprintf(options, sizeof options, "{'format': 'csv', 'atomic': %s, 'create': true, "
                     "'more': true%s}", atomic ? "true" : "false",
                     schema ? ", 'schema': [['n', 'i64']]" : "");
            const char *got = import("['t']", "n\n", options);
            ck_assert_int_eq(strncmp(got, "{'rows': 0, 'cursor': ", 22), 0);
            snprintf(last, sizeof last, "{'cursor': %lld}", atoll(got + 22));
            got = import("'u'", "1\n", last);
            ck_assert_msg(strstr(got, "! NOT_FOUND table.import: this import began at another "
                                      "path than \"u\"") != NULL, "%s", got);
            ASK(&p, "exists", "'u'", "0");
            ASK(&p, "exists", "'t'", "0");
            got = import("'t'", "n\n", options);
            snprintf(last, sizeof last, "{'cursor': %lld}", atoll(got + 22));
            IMPORT("['t']", "1\n", last, "{'rows': 1, 'cursor': nil}");
            ASK(&p, "len", "'t'", "1");
            ASK(&p, "clear", "", "true");
        }
}
END_TEST

START_TEST(infer_reads_all_calls_and_stores_nothing)
{
    IMPORT("nil", "a,b\n1,", "{'format': 'csv', 'infer': true, 'more': true}",
           "{'rows': 0, 'cursor': 1}");
    IMPORT("nil", "x\n2.5,\n3", "{'cursor': 1, 'more': true}", "{'rows': 2, 'cursor': 1}");
    IMPORT("nil", ",y", "{'cursor': 1}",
           "{'rows': 3, 'cursor': nil, 'schema': [['a', 'f64', {'null': false, 'sorted': false}], "
           "['b', 'str', {'null': true, 'sorted': false}]]}");
    ASK(&p, "count", "", "0");
    IMPORT("nil", "{\"a\":1}\n{\"b\":", "{'format': 'jsonl', 'infer': true, 'more': true}",
           "{'rows': 1, 'cursor': 2}");
    IMPORT("nil", "2}", "{'cursor': 2}",
           "{'rows': 2, 'cursor': nil, 'schema': [['a', 'i64', {'null': true, 'sorted': false}], "
           "['b', 'i64', {'null': true, 'sorted': false}]]}");
}
END_TEST

/* --- parameters and limits --------------------------------------------------------------------*/

START_TEST(parameters_are_checked)
{
    ASK(&p, "table.create", "'t', [['a', 'i64']]", "true");
    ASK(&p, "set", "'s', 'text'", "true");
    static const char *const wrong[][3] = {
        {"'t'", "{}", "! BAD_PARAMS table.import: option format must be given: one of arrow csv"},
        {"'t'", "{'format': 'xml'}", "! BAD_PARAMS"},
        {"'t'", "{'format': 'csv', 'delimiter': ';;'}", "! BAD_PARAMS"},
        {"'t'", "{'format': 'csv', 'delimiter': '\"'}", "! BAD_PARAMS"},
        {"'t'", "{'format': 'csv', 'header': 1}", "! BAD_PARAMS"},
        {"'t'", "{'format': 'csv', 'null': 5}", "! BAD_PARAMS"},
        {"'t'", "{'format': 'csv', 'rows': 5}", "! BAD_PARAMS table.import: there is no option"},
        {"'t'", "{'format': 'csv', 'schema': [['a', 'i64']]}", "! BAD_PARAMS"},
        {"'t'", "{'format': 'csv', 'infer': true, 'create': true}", "! BAD_PARAMS"},
        {"'t'", "{'format': 'csv', 'cursor': 1}", "! NOT_FOUND"},
        {"'none'", "{'format': 'csv'}", "! NOT_FOUND table.import: there is no table at \"none\""},
        {"'s'", "{'format': 'csv'}", "! WRONG_TYPE"},
        {"'s'", "{'format': 'csv', 'create': true}", "! WRONG_TYPE"},
        {"['m', 'x']", "{'format': 'csv', 'create': true, 'ttl': 5}", "! BAD_PATH"},
        {"'u'", "{'format': 'csv', 'create': true, 'schema': [['a', 'i65']]}", "! BAD_PARAMS"},
        {"'u'", "{'format': 'csv', 'create': true}", "! WRONG_TYPE table.import: CSV line 1: cell "
                                                     "1: nothing, not even a header"},
        {"'u'", "{'format': 'jsonl', 'create': true}", "! WRONG_TYPE table.import: the file has "
                                                       "no row, so it tells no columns; a schema"},
        {"'u'", "{'format': 'arrow', 'create': true}", "! WRONG_TYPE"},
        {"'u'", "{'format': 'npy', 'create': true}", "! WRONG_TYPE"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        IMPORT(wrong[i][0], "", wrong[i][1], wrong[i][2]);
    ASK_BEGINS(&p, "table.import", "'t', 5, {'format': 'csv'}", "! BAD_PARAMS");
    IMPORT("'t'", "b\n1\n", "{'format': 'csv'}",
           "! WRONG_TYPE table.import: CSV line 1, column \"b\": cell 1: the table has no column");
    IMPORT("'t'", "a,a\n1,2\n", "{'format': 'csv'}", "! WRONG_TYPE");
    IMPORT("'u'", "a,a\n1,2\n", "{'format': 'csv', 'create': true}",
           "! WRONG_TYPE table.import: CSV line 1, column \"a\": cell 2: a second column");
    ASK(&p, "len", "'t'", "0");
    ASK(&p, "exists", "'u', 'm'", "0");
    IMPORT("'v'", "a\n1\n", "{'format': 'csv', 'create': true, 'ttl': 50000}", "{'rows': 1");
    ck_assert_int_gt(strtoll(ask(&p, "ttl", "'v'"), NULL, 10), 0);
}
END_TEST

START_TEST(cursors_of_imports_are_cursors)
{
    char options[80];
    ASK(&p, "table.create", "'t', [['a', 'i64']]", "true");
    ASK(&p, "table.create", "'u', [['a', 'i64']]", "true");
    for (size_t i = 0; i < p.host.cursors_max; i++)
        IMPORT("'t'", "a\n1\n", "{'format': 'csv', 'more': true}", "{'rows': 1, 'cursor': ");
    IMPORT("'t'", "a\n1\n", "{'format': 'csv', 'more': true}",
           "! LIMIT table.import: this session has 8 scans and imports open, the limit");
    ASK_BEGINS(&p, "table.scan", "'t'", "! LIMIT table.scan: this session has 8");
    IMPORT("'t'", "a\n2\n", "{'format': 'csv'}", "{'rows': 1");
    ASK_BEGINS(&p, "table.next", "1", "! BAD_PARAMS table.next: cursor 1 is an import");
    IMPORT("'u'", "1\n", "{'cursor': 1}", "! NOT_FOUND table.import: the table at \"u\"");
    IMPORT("'t'", "1\n", "{'cursor': 1, 'format': 'npy'}", "! BAD_PARAMS");
    ASK(&p, "table.close", "1", "true");
    IMPORT("'t'", "1\n", "{'cursor': 1}", "! NOT_FOUND");
    ASK_HAS(&p, "table.scan", "'t', {'batch': {'rows': 1}}", "'cursor': 9");
    IMPORT("'t'", "1\n", "{'cursor': 9}", "! BAD_PARAMS table.import: cursor 9 is a scan");
    /* The table goes, or another one comes. */
    ASK(&p, "rename", "'t', 'w'", "true");
    IMPORT("'t'", "1\n", "{'cursor': 2}", "! NOT_FOUND");
    ASK(&p, "rename", "'w', 't'", "true");
    IMPORT("'t'", "7\n", "{'cursor': 2}", "{'rows': 2, 'cursor': nil}");
    ASK(&p, "del", "'t'", "1");
    IMPORT("'t'", "1\n", "{'cursor': 3}", "! NOT_FOUND");
    p.host.cursor_idle_ns = 1;
    snprintf(options, sizeof options, "{'cursor': %lld}", (long long)4);
    IMPORT("'u'", "1\n", options, "! NOT_FOUND table.import: this session has no cursor 4");
    ck_assert_uint_eq(p.refs.cursors.count, 0);
}
END_TEST

START_TEST(what_is_not_whole_is_bounded)
{
    size_t size = (size_t)5 << 18;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = 0;
    ASK(&p, "table.create", "'t', [['a', 'str']]", "true");
    IMPORT("'t'", "a\n\"", "{'format': 'csv', 'more': true}", "{'rows': 0, 'cursor': 1}");
    IMPORT("'t'", text, "{'cursor': 1}", "! WRONG_TYPE table.import: CSV line 2, column \"a\", "
                                         "record 1: cell 1: more than 1048576 bytes");
    p.host.import_bytes_max = (size_t)1 << 20;
    IMPORT("'t'", "{\"a\":\"", "{'format': 'jsonl', 'more': true}", "{'rows': 0, 'cursor': 2}");
    IMPORT("'t'", text, "{'cursor': 2}", "! LIMIT table.import: what is not whole yet takes ");
    p.host.import_bytes_max = 0;
    IMPORT("'t'", "{\"a\":\"", "{'format': 'jsonl', 'more': true}", "{'rows': 0, 'cursor': 3}");
    for (int i = 0; i < 12; i++)
        IMPORT("'t'", text, "{'cursor': 3, 'more': true}", "{'rows': 0, 'cursor': 3}");
    IMPORT("'t'", text, "{'cursor': 3}",
           "! WRONG_TYPE table.import: JSON line 1, column \"a\", record 1: a line of more than");
    /* One text may have a mebibyte, in either. */
    text[((size_t)1 << 20) + 1] = 0;
    ASK(&p, "del", "'t'", "1");
    char *line = malloc(size + 20);
    sprintf(line, "{\"a\":\"%s\"}", text);
    IMPORT("'t'", line, "{'format': 'jsonl', 'create': true}",
           "! LIMIT table.import: JSON line 1, record 1: column \"a\"");
    free(line);
    free(text);
}
END_TEST

/* The second call of an import fails at each place where memory can. */
static void check_faults(const char *first, const char *second, const char *options)
{
    for (uint64_t n = 1;; n++) {
        char goes_on[40];
        ASK(&p, "clear", "", "true");
        ASK(&p, "table.create", "'t', [['a', 'i64'], ['k', 'sym', {'null': true}], ['s', 'str']]",
            "true");
        import("'t'", first, options);
        ck_assert_str_eq(ask(&p, "len", "'t'"), "1");
        snprintf(goes_on, sizeof goes_on, "{'cursor': %lld}", (long long)p.refs.cursors.last);
        heap_fail_nth(p.heap, n);
        bool failed = *import("'t'", second, goes_on) == '!';
        bool over = heap_fail_pending(p.heap);
        heap_fail_nth(p.heap, 0);
        ASK(&p, "len", "'t'", failed ? "1" : "3");
        if (failed) ASK(&p, "get", "['t', 0, 'k']", "'a symbol of a cell'");
        in_process_verify(&p);
        if (over) {
            ck_assert(!failed && n > 5);
            break;
        }
        ask(&p, "table.close", "1");
    }
}

START_TEST(a_call_goes_on_or_fails_whole)
{
    check_faults("a,k,s\n1,a symbol of a cell,x\n2,", "a second symbol,a longer text\n3,,y\n",
                 "{'format': 'csv', 'more': true}");
    check_faults("{\"a\":1,\"k\":\"a symbol of a cell\",\"s\":\"x\"}\n{\"a\":",
                 "2,\"k\":\"a second symbol\",\"s\":\"a longer text\"}\n{\"s\":\"y\",\"a\":3}",
                 "{'format': 'jsonl', 'more': true}");
}
END_TEST

/* --- others -----------------------------------------------------------------------------------*/

static const char *other_method, *other_params;

static void other_asks(void)
{
    if (other_method == NULL || p.call.state == NULL) return;
    const char *method = other_method;
    other_method = NULL;
    ask(&other, method, other_params);
}

#define MANY 20000

/* Imports MANY rows into 't' while the other session has its turn once. */
static const char *import_amid(const char *text, const char *meanwhile, const char *params)
{
    static char kept[300];
    other_method = meanwhile;
    other_params = params;
    snprintf(kept, sizeof kept, "%s", import("'t'", text, "{'format': 'csv'}"));
    ck_assert_msg(other_method == NULL, "the import took one step");
    return kept;
}

static char *many_rows(int64_t first, const char *last)
{
    char *text = malloc(MANY * 32 + 100), *at = text + sprintf(text, "a,k\n");
    for (int64_t i = 0; i < MANY; i++)
        at += sprintf(at, "%lld,symbol %lld\n", (long long)(first + i), (long long)(i % 9));
    strcpy(at, last);
    return text;
}

#define SUM "'t', {'agg': {'n': ['count'], 's': ['sum', 'a'], 'd': ['distinct', 'k']}}"

START_TEST(others_see_all_of_it_or_nothing)
{
    char *good = many_rows(0, ""), *bad = many_rows(0, "x,y\n");
    in_process_join(&other, &p);
    p.between = other_asks;
    ASK(&p, "table.create", "'t', [['a', 'i64'], ['k', 'sym', {'null': true}]]", "true");
    ASK(&p, "table.append", "'t', {'rows': [[-5, 'first']]}", "{'first': 0, 'n': 1}");
    ck_assert_str_eq(import_amid(good, "table.to", "'t', 'seen'"),
                     "{'rows': 20000, 'cursor': nil}");
    ASK(&p, "get", "'seen'", "[{'a': -5, 'k': 'first'}]");
    ASK_HAS(&p, "table.agg", SUM, "'data': [[20001, 199989995, 10]]");
    ck_assert_str_eq(import_amid(good, "table.append", "'t', {'rows': [[-7, 'theirs']]}"),
                     "{'rows': 20000, 'cursor': nil}");
    ASK_HAS(&p, "table.agg", SUM, "'data': [[40002, 399979988, 11]]");
    ASK(&p, "get", "['t', 20001]", "{'a': -7, 'k': 'theirs'}");
    ASK(&p, "get", "['t', 20002]", "{'a': 0, 'k': 'symbol 0'}");
    ck_assert_str_eq(import_amid(good, "table.delete", "'t', ['<', 'a', 10]"),
                     "{'rows': 20000, 'cursor': nil}");
    ASK_HAS(&p, "table.agg", "'t', {'agg': {'n': ['count'], 's': ['sum', 'a']}}",
            "'data': [[59980, 599969910]]");
    ASK(&p, "get", "['t', 39980]", "{'a': 0, 'k': 'symbol 0'}");
    ck_assert_int_eq(strncmp(import_amid(bad, "table.append", "'t', {'rows': [[1, 'a']]}"),
                             "! WRONG_TYPE", 12), 0);
    ASK(&p, "len", "'t'", "59981");
    ck_assert_int_eq(strncmp(import_amid(bad, "table.compact", "'t'"), "! WRONG_TYPE", 12), 0);
    ASK(&p, "len", "'t'", "59981");
    ck_assert_str_eq(import_amid(good, "table.compact", "'t'"), "{'rows': 20000, 'cursor': nil}");
    ASK(&p, "len", "'t'", "79981");
    ck_assert_int_eq(strncmp(import_amid(good, "del", "'t'"), "! NOT_FOUND", 11), 0);
    ASK(&p, "exists", "'t'", "0");
    free(good);
    free(bad);
    in_process_end(&other);
}
END_TEST

START_TEST(a_call_that_waits_keeps_its_cursor)
{
    ASK(&p, "table.create", "'t', [['a', 'i64'], ['k', 'sym']]", "true");
    char *rows = many_rows(0, "");
    /* So many that an update of all of them is not over with its first step. */
    for (int i = 0; i < 10; i++) IMPORT("'t'", rows, "{'format': 'csv'}", "{'rows': 20000");
    free(rows);
    in_process_join(&other, &p);
    ck_assert_str_eq(ask_import(&other, "'t'", "a,k\n1,x\n2,y", 11,
                                 "{'format': 'csv', 'atomic': true, 'more': true}"),
                     "{'rows': 1, 'cursor': 1}");
    ask_begin(&p, "table.update", "'t', nil, {'a': 5}");
    ask_begin(&other, "table.import", "'t', b'\\n', {'cursor': 1}");
    p.host.cursor_idle_ns = other.host.cursor_idle_ns = 1;
    ask_finish(&p);
    ask_finish(&other);
    ask_expect(&other, "[1, 1, nil, {'rows': 2, 'cursor': nil}]");
    in_process_end(&other);
}
END_TEST

START_TEST(a_place_that_was_taken_meanwhile_stays)
{
    char *good = many_rows(0, "");
    in_process_join(&other, &p);
    p.between = other_asks;
    other_method = "set";
    other_params = "'t', 5";
    ck_assert_int_eq(strncmp(import("'t'", good, "{'format': 'csv', 'create': true}"), "! BUSY", 6),
                     0);
    ASK(&p, "get", "'t'", "5");
    free(good);
    in_process_end(&other);
}
END_TEST

START_TEST(a_session_that_ends_takes_its_imports_along)
{
    ASK(&p, "table.create", "'t', [['a', 'i64']]", "true");
    in_process_join(&other, &p);
    ck_assert_str_eq(ask_import(&other, "'t'", "a\n1\n2", 5, "{'format': 'csv', 'more': true}"),
                     "{'rows': 1, 'cursor': 1}");
    ck_assert_str_eq(ask_import(&other, "'u'", "{\"a\": 1}", 8,
                                 "{'format': 'jsonl', 'create': true, 'more': true}"),
                     "{'rows': 1, 'cursor': 2}");
    ck_assert_str_eq(ask_import(&other, "nil", "{\"a\": 1, ", 8,
                                 "{'format': 'jsonl', 'infer': true, 'more': true}"),
                     "{'rows': 0, 'cursor': 3}");
    in_process_end(&other);
    ASK(&p, "get", "'t'", "[{'a': 1}]");
    ASK(&p, "get", "'u'", "[{'a': 1}]");
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("methods_import");
    TCase *c = tcase_create("import");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, csv_makes_a_table);
    tcase_add_test(c, types_are_the_first_that_hold_all_cells);
    tcase_add_test(c, few_texts_that_come_often_are_symbols);
    tcase_add_test(c, json_lines_make_a_table);
    tcase_add_test(c, json_lines_are_flat_objects_of_known_fields);
    tcase_add_test(c, long_strings_of_json_are_what_short_ones_are);
    tcase_add_test(c, bytes_may_be_cut_anywhere);
    tcase_add_test(c, arrow_and_npy_may_be_cut_anywhere);
    tcase_add_test(c, each_call_is_whole_or_nothing);
    tcase_add_test(c, atomic_calls_join_at_the_last);
    tcase_add_test(c, atomic_calls_make_a_table_at_the_last);
    tcase_add_test(c, a_table_is_made_where_its_import_began);
    tcase_add_test(c, infer_reads_all_calls_and_stores_nothing);
    tcase_add_test(c, parameters_are_checked);
    tcase_add_test(c, cursors_of_imports_are_cursors);
    tcase_add_test(c, what_is_not_whole_is_bounded);
    tcase_add_test(c, a_call_goes_on_or_fails_whole);
    tcase_add_test(c, others_see_all_of_it_or_nothing);
    tcase_add_test(c, a_call_that_waits_keeps_its_cursor);
    tcase_add_test(c, a_place_that_was_taken_meanwhile_stays);
    tcase_add_test(c, a_session_that_ends_takes_its_imports_along);
    suite_add_tcase(s, c);
    return s;
}
