/* test_query.c - queries, case by case: what is refused and how that is said, nulls and NaN, having
 * and order of groups, explanations, skipped vectors, limits, memory that is short. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/query_int.h"
#include "heap/text.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/heap_literal.h"
#include "tests/support/runner.h"

#define ROWS (TABLE_VECTOR_ROWS * 3 + 10)

/* A table of ROWS rows: n ascending, half of the rows grouped alike, some nulls and NaN. */
static const struct table_field fields[] = {
    {"n", 1, TABLE_I64, false, false}, {"g", 1, TABLE_I32, true, false},
    {"x", 1, TABLE_F64, true, false},  {"s", 1, TABLE_STR, true, false},
    {"k", 1, TABLE_SYM, false, false}, {"u", 1, TABLE_U64, false, false},
    {"f", 1, TABLE_BOOL, false, false}, {"d", 1, TABLE_DATE, false, false},
};
#define COLUMNS (sizeof fields / sizeof *fields)

struct place {
    struct heap *h;
    value table;
    struct table *t;
};

static void append(struct place *p, uint64_t rows)
{
    struct table_error error;
    struct table_append a;
    static int64_t n[ROWS];
    static int32_t g[ROWS], d[ROWS];
    static double x[ROWS];
    static uint64_t u[ROWS];
    static uint8_t f[ROWS], valid[ROWS / 8 + 1];
    static struct table_text s[ROWS], k[ROWS];
    static const char *const words[] = {"Oslo", "Rome", "Bergen", "Oxford"};
    memset(valid, 0xff, sizeof valid);
    valid[0] = 0xfe; /* the first row's g and x are null */
    for (uint64_t i = 0; i < rows; i++) {
        n[i] = (int64_t)i;
        g[i] = (int32_t)(i % 5);
        x[i] = i == 1 ? NAN : (double)i / 4;
        u[i] = i == 2 ? UINT64_MAX : i;
        f[i] = i % 2;
        d[i] = (int32_t)i;
        s[i] = (struct table_text){words[i % 4], strlen(words[i % 4])};
        if (i % 7 == 0) s[i] = (struct table_text){0};
        k[i] = (struct table_text){words[i % 3], strlen(words[i % 3])};
    }
    expect_true(table_append_begin(p->t, rows, &a, &error) == 0);
    expect_true(table_append_raw(&a, 0, rows, n, NULL, 0, &error) == 0);
    expect_true(table_append_raw(&a, 1, rows, g, valid, 0, &error) == 0);
    expect_true(table_append_raw(&a, 2, rows, x, valid, 0, &error) == 0);
    expect_true(table_append_texts(&a, 3, rows, s, &error) == 0);
    expect_true(table_append_texts(&a, 4, rows, k, &error) == 0);
    expect_true(table_append_raw(&a, 5, rows, u, NULL, 0, &error) == 0);
    expect_true(table_append_raw(&a, 6, rows, f, NULL, 0, &error) == 0);
    expect_true(table_append_raw(&a, 7, rows, d, NULL, 0, &error) == 0);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
}

static void open_place(struct place *p)
{
    struct table_error error;
    p->h = heap_fixture_open(0);
    expect_true(table_create(p->h, fields, COLUMNS, &p->table, &error) == 0);
    p->t = table_of(p->h, p->table);
    append(p, ROWS);
}

static void close_place(struct place *p)
{
    value_release(p->h, p->table);
    heap_fixture_close(p->h);
}

/* --- asking ------------------------------------------------------------------------------------*/

static int create(struct place *p, const char *text, size_t memory_max, struct query **q,
                  struct query_error *error)
{
    struct query_spec spec;
    value options = heap_literal(p->h, text);
    bool aggregate = strstr(text, "'agg'") || strstr(text, "'group'");
    struct table_version *v = table_pin(p->t);
    int status = query_spec_read(p->h, options, aggregate, &spec, error);
    if (!status)
        status = (aggregate ? query_agg_create : query_scan_create)(p->h, v, &spec, memory_max, q,
                                                                    error);
    if (status) table_unpin(v);
    value_release(p->h, options);
    return status;
}

static void show_cell(const struct table_cell *c, char *out)
{
    out += strlen(out);
    if (c->null) strcpy(out, "null");
    else if (table_type_class(c->type) == TABLE_CLASS_FLOAT) sprintf(out, "%g", c->d);
    else if (table_type_class(c->type) == TABLE_CLASS_INT) sprintf(out, "%lld", (long long)c->i);
    else if (table_type_class(c->type) == TABLE_CLASS_UINT)
        sprintf(out, "%llu", (unsigned long long)c->u);
    else sprintf(out, "%.*s", (int)c->text.length, c->text.data);
}

/* "a b; c d": all rows. To be read before the next call. */
static int run(struct query *q, uint64_t budget, char *out, size_t size, struct query_error *error)
{
    struct query_batch batch;
    struct table_cell cell;
    int outcome;
    out[0] = '\0';
    while ((outcome = query_next(q, budget, 0, 0, &batch, error)) > 0) {
        if (outcome == QUERY_BUSY) continue;
        for (uint32_t i = 0; i < batch.rows && strlen(out) + 200 < size; i++) {
            if (out[0]) strcat(out, "; ");
            for (uint32_t c = 0; c < query_column_count(q); c++) {
                if (c) strcat(out, " ");
                query_batch_cell(q, &batch, i, c, &cell);
                show_cell(&cell, out);
            }
        }
    }
    return outcome;
}

static const char *ask(struct place *p, const char *text)
{
    static char out[20000];
    struct query_error error;
    struct query *q;
    int status = create(p, text, 0, &q, &error);
    if (!status) {
        status = run(q, 0, out, sizeof out, &error);
        query_destroy(q);
    }
    if (status) snprintf(out, sizeof out, "%s", error.text);
    return out;
}

static void expect_answer(struct place *p, const char *text, const char *wanted)
{
    const char *got = ask(p, text);
    expect(strcmp(got, wanted) == 0, "%s\ngives %s\ninstead of %s", text, got, wanted);
}

static void expect_refused(struct place *p, const char *text, const char *part)
{
    struct query_error error = {0};
    struct query *q;
    int status = create(p, text, 0, &q, &error);
    expect(status < 0 && error.fault, "%s is not refused", text);
    expect(strstr(error.text, part) != NULL, "%s\nsays %s\ninstead of %s", text, error.text, part);
}

/* --- meaning -----------------------------------------------------------------------------------*/

START_TEST(nulls_nan_and_literals_mean_what_query_h_says)
{
    struct place p;
    open_place(&p);
    expect_answer(&p, "{'select': ['n'], 'where': ['null', 'x']}", "0");
    expect_answer(&p, "{'select': ['n'], 'where': ['and', ['<', 'n', 4], "
                      "['not', ['=', 'x', 0.5]]]}",
                  "1; 3");
    expect_answer(&p, "{'select': ['n'], 'where': ['=', 'x', nan]}", "1");
    expect_answer(&p, "{'select': ['n'], 'where': ['and', ['>', 'n', 1.5], ['<=', 'n', 3.5]]}",
                  "2; 3");
    expect_answer(&p, "{'select': ['n'], 'where': ['=', 'n', 1.5]}", "");
    expect_answer(&p, "{'select': ['n'], 'where': ['=', 'u', 18446744073709551615]}", "2");
    expect_answer(&p, "{'select': ['n'], 'where': ['not', ['in', 'n', [1, nil]]]}", "");
    expect_answer(&p, "{'select': ['n'], 'where': ['in', 'x', []]}", "");
    expect_answer(&p, "{'select': ['n'], 'where': ['and', ['<', 'n', 2], "
                      "['not', ['in', 'x', []]]]}",
                  "0; 1");
    expect_answer(&p, "{'select': ['n', 'x'], 'order': [['x', 'desc']], 'limit': 2}",
                  "1 nan; 3081 770.25");
    expect_answer(&p, "{'select': ['n'], 'order': ['x'], 'offset': 3080}", "1; 0");
    expect_answer(&p, "{'select': ['n', 'h'], 'limit': 2, "
                      "'let': {'h': ['/', ['col', 'n'], ['lit', 2]]}}",
                  "0 0; 1 0.5");
    expect_answer(&p, "{'select': ['h'], 'limit': 3, "
                      "'let': {'h': ['%', ['lit', 7], ['col', 'n']]}}",
                  "null; 0; 1");
    expect_answer(&p, "{'select': ['h'], 'limit': 1, "
                      "'let': {'h': ['-', ['col', 'd'], ['lit', 5]]}}", "-5");
    expect_answer(&p, "{'select': ['h'], 'order': [['n', 'desc']], 'limit': 3, "
                      "'let': {'h': ['if', ['=', 'k', 'Oslo'], ['lit', 1], ['lit', 0]]}}",
                  "1; 0; 0");
    expect_answer(&p, "{'select': ['n', 'k'], 'where': ['prefix', 'k', 'B'], 'limit': 2}",
                  "2 Bergen; 5 Bergen");
    expect_answer(&p, "{'agg': {'s': ['sum', 'n']}, 'where': ['<', 'n', 0]}", "null");
    expect_answer(&p, "{'agg': {'c': ['count'], 'x': ['count', 'x']}}", "3082 3081");
    close_place(&p);
}
END_TEST

/* Never above the value, though the quotient is rounded; the value where there is no quotient. */
START_TEST(buckets_of_doubles_are_not_above)
{
    static const struct { const char *x, *width, *wanted; } cases[] = {
        {"644.0999999999999", "0.3", "643.8"}, {"643.9", "0.3", "643.8"},
        {"4.3", "0.1", "4.3"},                 {"-0.1", "0.3", "-0.3"},
        {"1e300", "1e-300", "1e+300"},         {"-1e300", "1e-300", "-1e+300"},
        {"7", "2.5", "5"},                     {"-5e-324", "1e300", "-1e+300"},
    };
    struct place p;
    open_place(&p);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "{'let': {'b': ['bucket', ['lit', %s], %s]}, 'select': ['b'], "
                 "'limit': 1}", cases[i].x, cases[i].width);
        expect_answer(&p, text, cases[i].wanted);
    }
    /* The same double for all values of a bucket, and none of them below it. */
    for (double width = 0.1; width < 4; width += 0.37) {
        for (int i = -16000; i < 16000; i++) {
            double x = i * 0.0458, v = i % 2 ? x : nextafter(rint(x / width) * width, x);
            double b = query_bucket(v, width);
            expect(b <= v && (rint(b / width) + 1) * width > v && b == rint(b / width) * width,
                   "bucket(%.17g, %g) = %.17g", v, width, b);
        }
    }
    expect_true(isnan(query_bucket(NAN, 1)) && query_bucket(-INFINITY, 1) == -INFINITY);
    close_place(&p);
}
END_TEST

/* Between two values, whatever lies between them. */
START_TEST(quantiles_of_values_far_apart)
{
    static const struct { double low, high; const char *wanted; } cases[] = {
        {-1.5e308, 1.5e308, "0"}, {-INFINITY, 7, "-inf"}, {7, INFINITY, "inf"}, {1, 2, "1.5"},
        {-INFINITY, INFINITY, "nan"}, {INFINITY, INFINITY, "inf"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct place p = {.h = heap_fixture_open(0)};
        static const struct table_field field = {"x", 1, TABLE_F64, false, false};
        struct table_append a;
        double both[] = {cases[i].high, cases[i].low};
        ck_assert_int_eq(table_create(p.h, &field, 1, &p.table, NULL), 0);
        p.t = table_of(p.h, p.table);
        ck_assert(!table_append_begin(p.t, 2, &a, NULL) &&
                  !table_append_raw(&a, 0, 2, both, NULL, 0, NULL) &&
                  !table_append_commit(&a, NULL, NULL));
        const char *got = ask(&p, "{'agg': {'m': ['median', 'x']}}"), *wanted = cases[i].wanted;
        got += strcmp(got, "-nan") == 0;
        expect(strcmp(got, wanted) == 0, "%g: %s", cases[i].low, got);
        close_place(&p);
    }
}
END_TEST

START_TEST(nothing_and_large_numbers_have_their_place)
{
    struct place p;
    open_place(&p);
    expect_answer(&p, "{'let': {'a': ['+', ['col', 'd'], ['lit', nil]], 'b': ['+', ['lit', nil], "
                      "['col', 'd']], 'c': ['-', ['col', 'd'], ['lit', nil]], 'e': ['-', ['lit', "
                      "nil], ['col', 'd']]}, 'select': ['a', 'b', 'c', 'e'], 'limit': 1}",
                  "null null null null");
    expect_answer(&p, "{'let': {'b': ['bucket', ['col', 'u'], 9223372036854775808]}, 'select': "
                      "['b'], 'limit': 1, 'offset': 2}", "9223372036854775808");
    expect_answer(&p, "{'let': {'b': ['bucket', ['col', 'u'], 18446744073709551615]}, 'select': "
                      "['b'], 'limit': 2, 'offset': 2}", "18446744073709551615; 0");
    expect_answer(&p, "{'let': {'b': ['bucket', ['col', 'x'], 9223372036854775808]}, 'select': "
                      "['b'], 'limit': 1, 'offset': 3}", "0");
    expect_refused(&p, "{'let': {'b': ['bucket', ['col', 'n'], 9223372036854775808]}}",
                   "is an integer from 1 to 9223372036854775807");
    expect_answer(&p, "{'select': ['n'], 'where': ['<', 'n', 2], 'limit': 18446744073709551615}",
                  "0; 1");
    expect_answer(&p, "{'select': ['n'], 'offset': 18446744073709551615}", "");
    expect_answer(&p, "{'select': ['n'], 'order': ['n'], 'limit': 18446744073709551615, 'offset': "
                      "18446744073709551615}", "");
    expect_refused(&p, "{'limit': -1}", "limit: an integer from 0 on is needed, not -1");
    close_place(&p);
}
END_TEST

START_TEST(groups_are_filtered_ordered_and_limited)
{
    struct place p;
    open_place(&p);
    expect_answer(&p, "{'group': ['g'], 'agg': {'c': ['count']}}",
                  "null 1; 1 617; 2 616; 3 616; 4 616; 0 616");
    expect_answer(&p, "{'group': ['g'], 'agg': {'c': ['count']}, "
                      "'order': [['g', 'desc']], 'limit': 3}",
                  "4 616; 3 616; 2 616");
    expect_answer(&p, "{'group': ['g'], 'agg': {'c': ['count']}, 'having': ['=', 'c', 616], "
                      "'order': ['g'], 'offset': 1, 'limit': 2}", "2 616; 3 616");
    expect_answer(&p, "{'group': ['k'], 'agg': {'m': ['max', 'n']}, 'having': ['>=', 'k', 'Oslo'], "
                      "'order': ['k']}", "Oslo 3081; Rome 3079");
    expect_answer(&p, "{'group': ['s'], 'agg': {'c': ['count']}, "
                      "'order': [['c', 'desc'], 's'], 'limit': 2}",
                  "Rome 661; Bergen 660");
    expect_answer(&p, "{'group': [['bucket', ['col', 'n'], 1000]], 'agg': {'c': ['count']}}",
                  "0 1000; 1000 1000; 2000 1000; 3000 82");
    expect_answer(&p, "{'group': ['f'], 'agg': {'m': ['median', 'n'], 'd': ['distinct', 'k'], "
                      "'l': ['last', 'k'], 'a': ['min', 'k']}}",
                  "0 1540 3 Bergen Bergen; 1 1541 3 Oslo Bergen");
    close_place(&p);
}
END_TEST

/* The second vector finds groups by codes alone; the third has one that is not known yet. */
START_TEST(texts_with_a_dictionary_are_grouped_by_their_codes)
{
    static const struct table_field word[] = {{"w", 1, TABLE_STR, false, false}};
    static const char *const words[] = {"Oslo", "Rome", "Bergen", "Turku"};
    static struct table_text w[ROWS];
    struct place p = {.h = heap_fixture_open(0)};
    struct table_append a;
    struct table_error error;
    for (uint64_t i = 0; i < ROWS; i++) {
        const char *text = words[i >= 2100 && i % 10 == 0 ? 3 : i % 3];
        w[i] = (struct table_text){text, strlen(text)};
    }
    expect_true(table_create(p.h, word, 1, &p.table, &error) == 0);
    p.t = table_of(p.h, p.table);
    expect_true(table_append_begin(p.t, ROWS, &a, &error) == 0);
    expect_true(table_append_texts(&a, 0, ROWS, w, &error) == 0);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
    const char *wanted = "Oslo 995; Rome 994; Bergen 994; Turku 99";
    expect_answer(&p, "{'group': ['w'], 'agg': {'c': ['count']}}", wanted);
    table_close_tail(p.t);
    while (table_seal_step(p.t, 1000000) == 1) continue;
    struct table_version *v = table_pin(p.t);
    ck_assert_uint_eq(table_chunk_dictionary(v, 0, 0), 4);
    table_unpin(v);
    expect_answer(&p, "{'group': ['w'], 'agg': {'c': ['count']}}", wanted);
    close_place(&p);
}
END_TEST

START_TEST(approximate_counts_are_near)
{
    struct place p;
    open_place(&p);
    long estimate = atol(ask(&p, "{'agg': {'a': ['approx_distinct', 'n']}}"));
    expect(estimate > ROWS * 0.93 && estimate < ROWS * 1.07, "%ld", estimate);
    close_place(&p);
}
END_TEST

/* --- refusals ----------------------------------------------------------------------------------*/

START_TEST(what_is_wrong_is_said_with_its_place)
{
    static const char *const cases[][2] = {
        {"{'were': 1}", "there is no option \"were\""},
        {"{'where': 5}", "where: a predicate is needed"},
        {"{'where': []}", "not an empty list"},
        {"{'where': ['~', 'n', 1]}", "\"~\" is no operator"},
        {"{'where': ['col', 'n']}", "\"col\" is an expression; a predicate is needed"},
        {"{'where': ['=', 'n']}", "has 3 items, not 2"},
        {"{'where': ['=', 'm', 1]}", "where: there is no column \"m\""},
        {"{'where': ['and', ['=', 'n', 1], ['=', 'n', 'x']]}",
         "where[2]: column \"n\" is i64; a number is needed, not \"x\""},
        {"{'where': ['=', 's', 1]}", "column \"s\" is str; a text is needed, not 1"},
        {"{'where': ['=', 'f', 1]}", "true or false is needed"},
        {"{'where': ['=', 'd', 1.5]}", "days since 1970"},
        {"{'where': ['=', 'n', ['lit', 1]]}", "a literal is a number, text, bool or nil"},
        {"{'where': ['in', 'n', 1]}", "\"in\" needs a list"},
        {"{'where': ['in', 'n', [1, 'a']]}", "where[2][1]: column \"n\""},
        {"{'where': ['prefix', 'n', 'a']}", "\"prefix\" needs a column of texts"},
        {"{'where': ['cmp', '~', ['col', 'n'], ['lit', 1]]}", "a relation is needed"},
        {"{'where': ['cmp', '=', ['col', 'n'], ['lit', 'a']]}",
         "\"cmp\" of an integer and a text"},
        {"{'where': ['cmp', '=', ['+', ['col', 's'], ['lit', 1]], ['lit', 1]]}",
         "where[2]: \"+\" of a text and an integer"},
        {"{'let': {'h': ['*', ['col', 'd'], ['lit', 2]]}}", "let.h: \"*\" of a date"},
        {"{'let': {'h': ['bucket', ['col', 'n'], 0]}}", "let.h[2]: the width of a bucket"},
        {"{'let': {'h': ['cast', ['col', 'n'], 'i65']}}", "there is no type \"i65\""},
        {"{'let': {'h': ['cast', ['col', 's'], 'i64']}}", "there is no cast from a text to i64"},
        {"{'let': {'n': ['lit', 1]}}", "there is a column \"n\" already"},
        {"{'let': {'h': ['lit', 1], 'i': ['col', 'h']}}", "there is no column \"h\""},
        {"{'let': 1}", "let: a map"},
        {"{'select': 'n'}", "select: a list of names"},
        {"{'select': []}", "select: the name of a column is needed; without"},
        {"{'select': ['z']}", "select[0]: there is no column \"z\"; there are "},
        {"{'select': [1]}", "the name of a column is needed, not 1"},
        {"{'order': [['n', 'up']]}", "order[0][1]: \"asc\" or \"desc\" is needed, not \"up\""},
        {"{'order': [['n', 'asc', 1]]}", "order[0]: [name"},
        {"{'order': 'n'}", "order: a list"},
        {"{'limit': -1}", "limit: an integer from 0 on is needed, not -1"},
        {"{'offset': 'a'}", "offset: an integer"},
        {"{'group': 'n'}", "group: a list"},
        {"{'group': []}", "nothing is asked for"},
        {"{'agg': {'a': ['mode', 'n']}}",
         "agg.a: there is no function \"mode\"; functions are count"},
        {"{'agg': {'a': ['sum']}}", "agg.a: [\"sum\", name] is needed"},
        {"{'agg': {'a': ['sum', 's']}}", "agg.a[1]: \"sum\" of a text"},
        {"{'agg': {'a': ['quantile', 'n', 2]}}", "agg.a[2]: a number from 0 to 1"},
        {"{'group': ['n'], 'agg': {'n': ['count']}}", "agg.n: the result has a column"},
        {"{'agg': {'a': ['count']}, 'having': ['=', 'n', 1]}", "having: there is no column \"n\""},
    };
    struct place p;
    open_place(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refused(&p, cases[i][0], cases[i][1]);
    close_place(&p);
}
END_TEST

/* A row is a map in some of the formats. */
START_TEST(a_result_has_no_name_twice)
{
    struct place p;
    open_place(&p);
    expect_refused(&p, "{'select': ['n', 'g', 'n']}", "select[2]: column \"n\" comes twice");
    expect_refused(&p, "{'let': {'l': ['+', ['col', 'n'], ['lit', 1]]}, 'select': ['l', 'l']}",
                   "select[1]: column \"l\" comes twice");
    expect_refused(&p, "{'group': ['g', 'g']}", "group[1]: column \"g\" comes twice");
    expect_refused(&p, "{'let': {'group1': ['+', ['col', 'n'], ['lit', 1]]}, 'group': ['group1', "
                       "['bucket', ['col', 'n'], 5]]}", "group[1]: column \"group1\" comes twice");
    close_place(&p);
}
END_TEST

START_TEST(depth_and_size_are_limited)
{
    static char text[200000];
    struct place p;
    open_place(&p);
    strcpy(text, "{'where': ");
    for (unsigned i = 0; i < QUERY_DEPTH_MAX; i++) strcat(text, "['not', ");
    strcat(text, "['=', 'n', 1]");
    for (unsigned i = 0; i < QUERY_DEPTH_MAX; i++) strcat(text, "]");
    strcat(text, "}");
    expect_refused(&p, text, "nested deeper than 32");
    strcpy(text, "{'where': ['or'");
    for (unsigned i = 0; i < QUERY_NODES_MAX; i++) strcat(text, ", ['=', 'n', 1]");
    strcat(text, "]}");
    expect_refused(&p, text, "more than 1024 nodes");
    strcpy(text, "{'where': ['in', 'n', [1");
    size_t length = strlen(text);
    for (unsigned i = 0; i < QUERY_LIST_MAX; i++) {
        memcpy(text + length, ",1", 3);
        length += 2;
    }
    strcpy(text + length, "]]}");
    expect_refused(&p, text, "a list of 65537 literals");
    close_place(&p);
}
END_TEST

/* n - 5 is negative in the rows below 5 only, and an int beside a u64 must become one. */
START_TEST(a_branch_of_if_is_converted_in_its_own_rows)
{
    struct place p;
    open_place(&p);
    expect_true(strstr(ask(&p, "{'agg': {'s': ['max', ['if', ['<', 'n', 5], ['-', ['col', 'n'], "
                               "['lit', 5]], ['col', 'u']]]}}"),
                       "-5 is out of the range of u64") != NULL);
    expect_true(strstr(ask(&p, "{'agg': {'s': ['max', ['if', ['>=', 'n', 5], ['col', 'u'], "
                               "['-', ['col', 'n'], ['lit', 5]]]]}}"),
                       "-5 is out of the range of u64") != NULL);
    expect_answer(&p, "{'where': ['<', 'n', 8], 'agg': {'s': ['sum', ['if', ['>=', 'n', 5], "
                      "['-', ['col', 'n'], ['lit', 5]], ['cast', ['lit', 7], 'u64']]]}}", "38");
    expect_answer(&p, "{'where': ['<', 'n', 8], 'agg': {'s': ['sum', ['if', ['<', 'n', 5], "
                      "['cast', ['lit', 7], 'u64'], ['-', ['col', 'n'], ['lit', 5]]]]}}", "38");
    /* A date beside a ts: days that are too many for microseconds, in rows of the other branch. */
    expect_answer(&p, "{'where': ['<', 'n', 8], 'agg': {'m': ['max', ['if', ['<', 'n', 5], "
                      "['+', ['col', 'd'], ['*', ['if', ['<', 'n', 5], ['lit', 0], ['lit', 1]], "
                      "['lit', 2000000000]]], ['cast', ['lit', 9], 'ts']]]}}", "345600000000");
    close_place(&p);
}
END_TEST

START_TEST(overflows_and_memory_end_a_query_with_a_reason)
{
    struct place p;
    struct query_error error;
    struct query *q;
    static char out[2000];
    open_place(&p);
    expect_true(strstr(ask(&p, "{'select': ['h'], 'let': {'h': ['+', ['col', 'u'], ['lit', 1]]}}"),
                       "18446744073709551615 + 1 is out of the range of u64") != NULL);
    expect_true(strstr(ask(&p, "{'agg': {'a': ['sum', 'u']}}"),
                       "the sum is out of the range of u64") != NULL);
    expect_true(strstr(ask(&p, "{'select': ['h'], 'let': {'h': ['cast', ['col', 'n'], 'i8']}}"),
                       "128 is out of the range of i8") != NULL);
    /* Also where the values are of no use: n has no nulls, so neither has what is counted. */
    expect_true(strstr(ask(&p, "{'agg': {'a': ['count', ['cast', ['col', 'n'], 'i8']]}}"),
                       "128 is out of the range of i8") != NULL);
    expect_true(strstr(ask(&p, "{'let': {'h': ['cast', ['col', 'n'], 'i8']},"
                               " 'agg': {'a': ['count', 'h']}}"),
                       "128 is out of the range of i8") != NULL);
    expect_answer(&p, "{'agg': {'s': ['sum', ['if', ['<', 'u', 100], "
                      "['+', ['col', 'u'], ['lit', 1]],"
                      " ['lit', 0]]]}}", "5047");
    expect_true(create(&p, "{'order': ['s', 'n']}", 400000, &q, &error) == 0);
    expect_true(run(q, 1000000, out, sizeof out, &error) == -E2BIG);
    expect(strstr(error.text, "limit of 400000 bytes") != NULL, "%s", error.text);
    query_destroy(q);
    close_place(&p);
}
END_TEST

/* --- what is skipped ---------------------------------------------------------------------------*/

static uint64_t number_of(struct heap *h, value map, const char *name)
{
    struct map_key key;
    map_key_text(h, &key, name, strlen(name));
    return (uint64_t)value_to_int(map_get(h, map, &key));
}

START_TEST(explanations_tell_what_zone_maps_skip)
{
    struct place p;
    struct query_error error;
    struct query_stats stats;
    struct query *q;
    static char out[20000];
    open_place(&p);
    while (table_seal_step(p.t, 1000000) == 1) continue;
    const char *some = "{'select': ['n'], 'where': ['between', 'n', 2000, 2010]}";
    expect_true(create(&p, some, 0, &q, &error) == 0);
    value map = query_explain(q);
    expect_true(map != VALUE_ABSENT);
    ck_assert_uint_eq(number_of(p.h, map, "vectors"), 4);
    ck_assert_uint_le(number_of(p.h, map, "vectors_skipped"), 3);
    value_release(p.h, map);
    ck_assert_int_eq(run(q, 1000000, out, sizeof out, &error), 0);
    ck_assert_str_eq(out, "2000; 2001; 2002; 2003; 2004; 2005; 2006; 2007; 2008; 2009; 2010");
    query_stats(q, &stats);
    ck_assert_uint_eq(stats.rows_total, ROWS);
    ck_assert_uint_eq(stats.rows_matched, 11);
    ck_assert_uint_eq(stats.rows_returned, 11);
    query_destroy(q);
    expect_true(create(&p, "{'where': ['>', 'n', 1000000]}", 0, &q, &error) == 0);
    ck_assert_int_eq(run(q, 1000000, out, sizeof out, &error), 0);
    query_stats(q, &stats);
    ck_assert_uint_eq(stats.rows_matched, 0);
    query_destroy(q);
    close_place(&p);
}
END_TEST

/* --- steps -------------------------------------------------------------------------------------*/

/* How many steps a query takes if each has no time: so many that none does much. */
static unsigned steps_of(struct place *p, const char *text)
{
    struct query_error error;
    struct query_batch batch;
    struct query *q;
    unsigned steps = 0;
    int outcome;
    expect_true(create(p, text, 0, &q, &error) == 0);
    while ((outcome = query_next(q, 0, 0, 0, &batch, &error)) > 0) steps++;
    ck_assert_int_eq(outcome, QUERY_END);
    query_destroy(q);
    return steps;
}

/* Rows that a call with larger limits has found wait for the next call, whatever its limits. */
START_TEST(rows_wait_when_limits_shrink)
{
    struct place p;
    struct query *q;
    struct query_error error;
    struct query_batch batch;
    uint64_t rows = 0;
    int outcome;
    open_place(&p);
    ck_assert_int_eq(create(&p, "{'where': ['cmp', '<', ['%', ['col', 'n'], ['lit', 10]], "
                                "['lit', 6]]}", 0, &q, &error), 0);
    while (q->output_rows == 0)
        ck_assert_int_eq(query_next(q, 0, 1024, 0, &batch, &error), QUERY_BUSY);
    ck_assert_uint_gt(q->output_rows, 512);
    while ((outcome = query_next(q, 0, 10, 0, &batch, &error)) > 0) {
        if (outcome == QUERY_BUSY) continue;
        ck_assert_uint_le(batch.rows, rows ? 10 : 1024);
        for (uint32_t i = 0; i < batch.rows; i++, rows++) {
            struct table_cell cell;
            query_batch_cell(q, &batch, i, 0, &cell);
            ck_assert_int_eq(cell.i, (int64_t)(rows / 6 * 10 + rows % 6));
        }
    }
    ck_assert_int_eq(outcome, QUERY_END);
    ck_assert_uint_eq(rows, ROWS / 10 * 6 + (ROWS % 10 < 6 ? ROWS % 10 : 6));
    query_destroy(q);
    close_place(&p);
}
END_TEST

START_TEST(rows_that_do_not_match_take_steps_too)
{
    struct place p;
    open_place(&p);
    while (table_seal_step(p.t, 1000000) == 1) continue;
    ck_assert_uint_ge(steps_of(&p, "{'where': ['cmp', '<', ['*', ['col', 'n'], ['lit', 0]], "
                                   "['lit', 0]]}"), 4);
    close_place(&p);
}
END_TEST

START_TEST(many_aggregates_take_a_step_for_each_vector)
{
    struct place p;
    open_place(&p);
    ck_assert_uint_ge(steps_of(&p, "{'group': ['s'], 'agg': {'a': ['sum', 'n'], 'b': ['sum', 'g'], "
                                   "'c': ['first', 'n'], 'd': ['var', 'x']}}"), 4);
    /* Values that are counted one by one: more than one for each. */
    ck_assert_uint_ge(steps_of(&p, "{'agg': {'a': ['distinct', 's'], 'b': ['sum', 'n'], "
                                   "'c': ['distinct', 'n']}}"), 2 * (ROWS / 256));
    close_place(&p);
}
END_TEST

START_TEST(groups_that_take_long_to_finish_are_finished_in_pieces)
{
    struct place p;
    open_place(&p);
    ck_assert_uint_ge(steps_of(&p, "{'group': [['bucket', ['col', 'n'], 3]], "
                                   "'agg': {'a': ['approx_distinct', 'n']}}"), ROWS / 3 / 16);
    ck_assert_uint_ge(steps_of(&p, "{'group': [['bucket', ['col', 'n'], 3]], 'order': ['a'], "
                                   "'agg': {'a': ['approx_distinct', 'n']}}"), 2 * (ROWS / 3 / 16));
    close_place(&p);
}
END_TEST

START_TEST(texts_are_sorted_in_small_parts)
{
    struct place p;
    open_place(&p);
    for (unsigned i = 0; i < 4; i++) append(&p, ROWS); /* four blocks */
    unsigned blocks = (5 * ROWS + SORT_BLOCK_ROWS - 1) / SORT_BLOCK_ROWS;
    ck_assert_uint_ge(steps_of(&p, "{'select': ['n'], 'order': ['s', 'n']}"),
                      (blocks - 1) * 12 + 5 * ROWS / 512 + 5 * ROWS / TABLE_VECTOR_ROWS);
    close_place(&p);
}
END_TEST

START_TEST(rows_of_many_columns_are_fetched_in_pieces)
{
    struct place p;
    open_place(&p);
    ck_assert_uint_ge(steps_of(&p, "{'order': ['n']}"), ROWS * COLUMNS / 2048);
    close_place(&p);
}
END_TEST

/* --- approximate counts ------------------------------------------------------------------------*/

/* What is answered if groups have up to `slots` entries; the memory goes to *peak. */
static void estimates(struct place *p, unsigned width, uint32_t slots, char *out, size_t size,
                      size_t *peak)
{
    struct query_error error;
    struct query_stats stats;
    struct query *q;
    char text[200];
    snprintf(text, sizeof text, "{'group': [['bucket', ['col', 'n'], %u]], 'agg': {"
             "'a': ['approx_distinct', 'n'], 'b': ['approx_distinct', 's']}}", width);
    expect_true(create(p, text, 0, &q, &error) == 0);
    q->agg->sketch_slots_max = slots;
    ck_assert_int_eq(run(q, 1000000, out, size, &error), 0);
    query_stats(q, &stats);
    *peak = stats.memory_peak;
    query_destroy(q);
}

START_TEST(few_values_take_little_memory_and_give_the_same_estimate)
{
    static const unsigned widths[] = {1, 2, 5, 6, 7, 12, 13, 50, 200, 384, 385, 500, 1000, 4000};
    static char dense[200000], sparse[200000];
    struct place p;
    open_place(&p);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        size_t most, peak;
        estimates(&p, widths[i], 0, dense, sizeof dense, &most);
        for (uint32_t slots = 8; slots <= SKETCH_SLOTS_MAX; slots *= 4) {
            estimates(&p, widths[i], slots, sparse, sizeof sparse, &peak);
            ck_assert_str_eq(sparse, dense);
        }
        estimates(&p, widths[i], SKETCH_SLOTS_MAX, sparse, sizeof sparse, &peak);
        ck_assert_str_eq(sparse, dense);
        if (widths[i] > 50) continue;
        size_t groups = ROWS / widths[i];
        ck_assert_uint_le(peak + groups * 3500, most);
    }
    close_place(&p);
}
END_TEST

/* --- one moment --------------------------------------------------------------------------------*/

START_TEST(a_query_sees_one_moment)
{
    struct place p;
    struct query_error error;
    struct query *q;
    static char out[20000];
    open_place(&p);
    expect_true(create(&p, "{'agg': {'c': ['count'], 's': ['sum', 'n']}}", 0, &q, &error) == 0);
    append(&p, 100);
    for (uint32_t slot = 0; slot < 50; slot++) {
        struct table_error table_error;
        expect_true(table_delete(p.t, 0, slot, NULL, &table_error) == 0);
    }
    ck_assert_int_eq(run(q, 0, out, sizeof out, &error), 0);
    ck_assert_str_eq(out, "3082 4747821");
    query_destroy(q);
    expect_answer(&p, "{'agg': {'c': ['count']}}", "3132");
    close_place(&p);
}
END_TEST

/* --- memory that is short ----------------------------------------------------------------------*/

static const char *const hungry[] = {
    "{'select': ['n', 's', 'h'], "
    "'let': {'h': ['if', ['prefix', 'k', 'O'], ['col', 'x'], ['lit', 0.5]]},"
    " 'where': ['in', 's', ['Oslo', 'Rome']], 'order': [['s', 'desc'], ['h', 'asc']]}",
    "{'select': ['n'], 'order': ['g', 'n']}",
    "{'select': ['n'], 'order': ['x'], 'limit': 10}",
    "{'group': ['s', 'g'], 'agg': {'a': ['distinct', 's'], 'm': ['median', 'x'], 'p': "
    "['approx_distinct', 'n']}, 'order': [['m', 'desc']], 'having': ['>', 'a', 0]}",
    "{'group': ['x'], 'agg': {'a': ['count']}}",
};

START_TEST(every_allocation_may_fail)
{
    struct place p;
    static char whole[20000], out[20000];
    open_place(&p);
    for (size_t i = 0; i < sizeof hungry / sizeof *hungry; i++) {
        value options = heap_literal(p.h, hungry[i]);
        bool aggregate = strstr(hungry[i], "'group'") != NULL;
        strcpy(whole, ask(&p, hungry[i]));
        int status = -ENOMEM;
        for (uint64_t n = 1; status; n++) {
            struct query_spec spec;
            struct query_error error = {0};
            struct query *q;
            struct table_version *v = table_pin(p.t);
            expect_true(query_spec_read(p.h, options, aggregate, &spec, &error) == 0);
            heap_fail_nth(p.h, n);
            status = (aggregate ? query_agg_create : query_scan_create)(p.h, v, &spec, 0, &q,
                                                                        &error);
            if (status) {
                table_unpin(v);
            } else {
                status = run(q, 1000000, out, sizeof out, &error);
                query_destroy(q);
            }
            bool pending = heap_fail_pending(p.h);
            heap_fail_nth(p.h, 0);
            expect(status == 0 || (status == -ENOMEM && !pending), "%s", error.text);
            if (status == 0) expect_true(pending && strcmp(out, whole) == 0);
            while (heap_drop_pending(p.h)) heap_drop_step(p.h, 1000);
        }
        value_release(p.h, options);
    }
    close_place(&p);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("query");
    TCase *all = tcase_create("query");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, nulls_nan_and_literals_mean_what_query_h_says);
    tcase_add_test(all, buckets_of_doubles_are_not_above);
    tcase_add_test(all, quantiles_of_values_far_apart);
    tcase_add_test(all, nothing_and_large_numbers_have_their_place);
    tcase_add_test(all, groups_are_filtered_ordered_and_limited);
    tcase_add_test(all, texts_with_a_dictionary_are_grouped_by_their_codes);
    tcase_add_test(all, approximate_counts_are_near);
    tcase_add_test(all, few_values_take_little_memory_and_give_the_same_estimate);
    tcase_add_test(all, rows_wait_when_limits_shrink);
    tcase_add_test(all, rows_that_do_not_match_take_steps_too);
    tcase_add_test(all, many_aggregates_take_a_step_for_each_vector);
    tcase_add_test(all, groups_that_take_long_to_finish_are_finished_in_pieces);
    tcase_add_test(all, texts_are_sorted_in_small_parts);
    tcase_add_test(all, rows_of_many_columns_are_fetched_in_pieces);
    tcase_add_test(all, what_is_wrong_is_said_with_its_place);
    tcase_add_test(all, a_result_has_no_name_twice);
    tcase_add_test(all, depth_and_size_are_limited);
    tcase_add_test(all, a_branch_of_if_is_converted_in_its_own_rows);
    tcase_add_test(all, overflows_and_memory_end_a_query_with_a_reason);
    tcase_add_test(all, explanations_tell_what_zone_maps_skip);
    tcase_add_test(all, a_query_sees_one_moment);
    tcase_add_test(all, every_allocation_may_fail);
    suite_add_tcase(suite, all);
    return suite;
}
