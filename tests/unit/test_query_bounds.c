/* test_query_bounds.c - how much a query does between two looks at the clock, whatever the lengths
 * of its texts and however many instructions, aggregates and columns it has. What is done is
 * counted (struct query: work), so that no test depends on how fast a machine is; and each query
 * must take the steps that it needs if each has no time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/query_int.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/heap_literal.h"
#include "tests/support/runner.h"

struct place {
    struct heap *h;
    value table;
    struct table *t;
};

static void open_place(struct place *p, const struct table_field *fields, uint32_t count)
{
    struct table_error error;
    p->h = heap_fixture_open(0);
    expect_true(table_create(p->h, fields, count, &p->table, &error) == 0);
    p->t = table_of(p->h, p->table);
}

static void close_place(struct place *p)
{
    value_release(p->h, p->table);
    heap_fixture_close(p->h);
}

/* --- asking ------------------------------------------------------------------------------------*/

struct effort {
    unsigned steps;     /* each without any time */
    uint64_t work_most; /* between two looks */
    uint64_t hash;      /* of the answer */
};

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

static uint64_t hash_batch(const struct query *q, const struct query_batch *batch, uint64_t hash)
{
    struct table_cell cell;
    for (uint32_t i = 0; i < batch->rows; i++)
        for (uint32_t c = 0; c < query_column_count(q); c++) {
            query_batch_cell(q, batch, i, c, &cell);
            hash = hash_bytes(hash, &cell.null, sizeof cell.null);
            if (cell.null) continue;
            enum table_class class = table_type_class(cell.type);
            bool text = class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL;
            hash = text ? hash_bytes(hash, cell.text.data, cell.text.length < 16
                                                               ? cell.text.length : 16)
                        : hash_bytes(hash, &cell.u, sizeof cell.u);
        }
    return hash;
}

static struct effort measure(struct place *p, const char *text, uint64_t work_max)
{
    struct query_spec spec;
    struct query_error error;
    struct query_batch batch;
    struct query *q;
    struct effort e = {.hash = 14695981039346656037u};
    value options = heap_literal(p->h, text);
    bool aggregate = strstr(text, "'agg'") || strstr(text, "'group'");
    struct table_version *v = table_pin(p->t);
    expect(query_spec_read(p->h, options, aggregate, &spec, &error) == 0, "%s", error.text);
    int status = (aggregate ? query_agg_create : query_scan_create)(p->h, v, &spec, 0, &q, &error);
    expect(status == 0, "%s", error.text);
    value_release(p->h, options);
    q->work_max = work_max;
    int outcome;
    while ((outcome = query_next(q, 0, 0, 0, &batch, &error)) > 0) {
        e.steps++;
        if (outcome == QUERY_ROWS) e.hash = hash_batch(q, &batch, e.hash);
    }
    expect(outcome == 0, "%s", error.text);
    e.work_most = q->work_most;
    query_destroy(q);
    while (heap_drop_pending(p->h)) heap_drop_step(p->h, 1 << 20);
    return e;
}

/* The most that one row, or one column, may take beyond the limit. */
#define UNIT_MAX (4 * QUERY_WORK_MAX)

/* It stops at least `steps_least` times for the clock, does little in between, and gives the same
 * answer as without a bound, or when it stops wherever it can. */
static void expect_bounded(struct place *p, const char *text, unsigned steps_least)
{
    struct effort bounded = measure(p, text, QUERY_WORK_MAX);
    struct effort whole = measure(p, text, UINT64_MAX), pieces = measure(p, text, 0);
    expect(bounded.work_most <= QUERY_WORK_MAX + UNIT_MAX, "%.60s: work of %llu in one go", text,
           (unsigned long long)bounded.work_most);
    expect(bounded.steps >= steps_least, "%.60s: %u steps", text, bounded.steps);
    expect(whole.steps < steps_least || whole.work_most > QUERY_WORK_MAX + UNIT_MAX,
           "%.60s: %u steps without a bound", text, whole.steps);
    expect(bounded.hash == whole.hash && pieces.hash == whole.hash,
           "%.60s: the answer depends on the steps", text);
}

/* before, piece × count with commas, after; %u in the piece is its number. */
static char *repeat(const char *before, const char *piece, unsigned count, const char *after)
{
    size_t each = strlen(piece) + 24, length = strlen(before);
    char *text = malloc(length + count * each + strlen(after) + 1);
    strcpy(text, before);
    for (unsigned i = 0; i < count; i++) {
        const char *number = strstr(piece, "%u");
        length += (size_t)sprintf(text + length, "%s%.*s%u%s", i ? ", " : "",
                                  (int)(number - piece), piece, i, number + 2);
    }
    strcpy(text + length, after);
    return text;
}

static void expect_repeated(struct place *p, const char *before, const char *piece, unsigned count,
                            const char *after, unsigned steps_least)
{
    char *text = repeat(before, piece, count, after);
    expect_bounded(p, text, steps_least);
    free(text);
}

/* --- texts -------------------------------------------------------------------------------------*/

#define LONG_BYTES ((size_t)1 << 18)
#define LONG_ROWS 64

/* Texts of x's that differ in their last bytes only. */
static void open_long_texts(struct place *p, bool sealed)
{
    static const struct table_field fields[] = {{"s", 1, TABLE_STR, false, false}};
    struct table_text texts[LONG_ROWS];
    struct table_error error;
    struct table_append a;
    open_place(p, fields, 1);
    for (unsigned i = 0; i < LONG_ROWS; i++) {
        char *bytes = malloc(LONG_BYTES + 16);
        memset(bytes, 'x', LONG_BYTES);
        int more = sprintf(bytes + LONG_BYTES, "%u", i * 7 % LONG_ROWS);
        texts[i] = (struct table_text){bytes, LONG_BYTES + (size_t)more};
    }
    expect_true(table_append_begin(p->t, LONG_ROWS, &a, &error) == 0);
    expect_true(table_append_texts(&a, 0, LONG_ROWS, texts, &error) == 0);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
    for (unsigned i = 0; i < LONG_ROWS; i++) free((char *)(uintptr_t)texts[i].data);
    if (sealed) table_close_tail(p->t);
    while (sealed && table_seal_step(p->t, 1000000) == 1) continue;
}

static char *contains_long(size_t length, const char *end)
{
    static const char before[] = "{'where': ['contains', 's', '";
    char *text = malloc(length + 100);
    size_t at = (size_t)sprintf(text, "%s", before);
    memset(text + at, 'x', length);
    sprintf(text + at + length, "%s']}", end);
    return text;
}

START_TEST(long_texts_are_searched_in_pieces)
{
    struct place p;
    open_long_texts(&p, _i);
    expect_bounded(&p, "{'where': ['contains', 's', 'xxxxy']}", 200);
    expect_bounded(&p, "{'where': ['contains', 's', 'y']}", 200);
    expect_bounded(&p, "{'where': ['contains', 's', 'x63']}", 200);
    expect_bounded(&p, "{'where': ['not', ['contains', 's', 'x63']], "
                       "'let': {'n': ['lit', 1]}, 'select': ['n']}", 200);
    static const char *const ends[] = {"y", "63", ""};
    static const size_t lengths[] = {65, 5000, LONG_BYTES};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 2; j++) {
            char *text = contains_long(lengths[i], ends[j]);
            expect_bounded(&p, text, 200);
            free(text);
        }
    close_place(&p);
}
END_TEST

START_TEST(long_texts_are_compared_and_counted_in_pieces)
{
    struct place p;
    open_long_texts(&p, _i);
    expect_bounded(&p, "{'agg': {'a': ['min', 's'], 'b': ['max', 's']}}", 16);
    expect_bounded(&p, "{'agg': {'a': ['distinct', 's']}}", 16);
    expect_bounded(&p, "{'agg': {'a': ['approx_distinct', 's']}}", 16);
    expect_bounded(&p, "{'group': ['s'], 'agg': {'n': ['count']}}", 16);
    expect_bounded(&p, "{'order': ['s']}", 40);
    expect_bounded(&p, "{'order': [['s', 'desc']], 'limit': 20}", 30);
    close_place(&p);
}
END_TEST

/* --- many --------------------------------------------------------------------------------------*/

#define ROWS (TABLE_VECTOR_ROWS * 4 + 10)

static void open_numbers(struct place *p, bool sealed)
{
    static const struct table_field fields[] = {{"n", 1, TABLE_I64, false, false},
                                                {"x", 1, TABLE_F64, false, false},
                                                {"s", 1, TABLE_STR, false, false}};
    static int64_t n[ROWS];
    static double x[ROWS];
    static char bytes[ROWS][16];
    static struct table_text s[ROWS];
    struct table_error error;
    struct table_append a;
    open_place(p, fields, 3);
    for (unsigned i = 0; i < ROWS; i++) {
        n[i] = i % 50;
        x[i] = i * 0.37;
        s[i] = (struct table_text){bytes[i], (size_t)sprintf(bytes[i], "text %u", i)};
    }
    expect_true(table_append_begin(p->t, ROWS, &a, &error) == 0);
    expect_true(table_append_raw(&a, 0, ROWS, n, NULL, 0, &error) == 0);
    expect_true(table_append_raw(&a, 1, ROWS, x, NULL, 0, &error) == 0);
    expect_true(table_append_texts(&a, 2, ROWS, s, &error) == 0);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
    if (sealed) table_close_tail(p->t);
    while (sealed && table_seal_step(p->t, 1000000) == 1) continue;
}

START_TEST(long_code_is_run_in_pieces)
{
    struct place p;
    open_numbers(&p, _i);
    expect_repeated(&p, "{'where': ['or', ", "['contains', 's', 'zz%u']", 900,
                    "], 'agg': {'n': ['count']}}", 1000);
    expect_repeated(&p, "{'where': ['or', ", "['prefix', 's', 'text 0%u']", 900,
                    "], 'agg': {'n': ['count']}}", 10);
    expect_repeated(&p, "{'where': ['or', ", "['=', 'x', 3.1%u]", 900,
                    "], 'agg': {'n': ['count']}}", 10);
    expect_repeated(&p, "{'where': ['or', ",
                    "['cmp', '>', ['*', ['col', 'x'], ['col', 'x']], ['lit', 900000%u]]", 150,
                    "], 'agg': {'n': ['count']}}", 30);
    expect_repeated(&p, "{'let': {'e': ['if', ['or', ",
                    "['cmp', '>', ['*', ['col', 'x'], ['col', 'x']], ['lit', 900000%u]]", 150,
                    "], ['col', 'n'], ['lit', 7]]}, 'order': ['e'], 'select': ['e', 'n']}", 30);
    expect_repeated(&p, "{'group': ['s'], 'agg': {'n': ['count']}, 'having': ['or', ",
                    "['=', 'n', 10%u]", 900, "], 'order': ['s']}", 40);
    close_place(&p);
}
END_TEST

START_TEST(many_aggregates_are_computed_in_pieces)
{
    struct place p;
    open_numbers(&p, _i);
    expect_repeated(&p, "{'agg': {", "'q%u': ['quantile', 'x', 0.5]", 500, "}}", 100);
    expect_repeated(&p, "{'group': ['n'], 'agg': {", "'q%u': ['sum', 'x']", 1000, "}}", 100);
    expect_repeated(&p, "{'group': ['n'], 'agg': {", "'q%u': ['approx_distinct', 's']", 50,
                    "}}", 150);
    close_place(&p);
}
END_TEST

START_TEST(many_groups_are_made_in_pieces)
{
    struct place p;
    open_numbers(&p, _i);
    expect_bounded(&p, "{'group': ['s'], 'agg': {'n': ['count']}, 'order': ['n'], 'limit': 1}", 20);
    expect_bounded(&p, "{'group': ['x'], 'agg': {'n': ['count']}, 'order': ['n'], 'limit': 1}", 20);
    expect_bounded(&p, "{'group': ['s', 'x'], 'agg': {'n': ['count']}, 'order': ['n'], "
                       "'limit': 1}", 20);
    close_place(&p);
}
END_TEST

#define COLUMNS_MANY 1024

/* A vector of rows; each cell is its row's number. */
static void open_wide(struct place *p)
{
    static struct table_field fields[COLUMNS_MANY];
    static char names[COLUMNS_MANY][8];
    static int64_t n[TABLE_VECTOR_ROWS];
    struct table_error error;
    struct table_append a;
    for (unsigned i = 0; i < COLUMNS_MANY; i++)
        fields[i] = (struct table_field){names[i], (size_t)sprintf(names[i], "c%u", i), TABLE_I64,
                                         false, false};
    open_place(p, fields, COLUMNS_MANY);
    for (unsigned i = 0; i < TABLE_VECTOR_ROWS; i++) n[i] = i;
    expect_true(table_append_begin(p->t, TABLE_VECTOR_ROWS, &a, &error) == 0);
    for (unsigned i = 0; i < COLUMNS_MANY; i++)
        expect_true(table_append_raw(&a, i, TABLE_VECTOR_ROWS, n, NULL, 0, &error) == 0);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
}

START_TEST(many_columns_are_read_in_pieces)
{
    struct place p;
    open_wide(&p);
    expect_bounded(&p, "{}", 20);
    close_place(&p);
}
END_TEST

/* Some columns of the rows are in the batch when a call comes that wants fewer rows. */
START_TEST(limits_may_shrink_between_two_columns)
{
    struct place p;
    struct query_spec spec;
    struct query_error error;
    struct query_batch batch;
    struct query *q;
    uint64_t rows = 0;
    int outcome;
    open_wide(&p);
    value options = heap_literal(p.h, "{'order': ['c0']}");
    expect_true(query_spec_read(p.h, options, false, &spec, &error) == 0);
    expect_true(query_scan_create(p.h, table_pin(p.t), &spec, 0, &q, &error) == 0);
    value_release(p.h, options);
    q->work_max = 1;
    while (!q->appending.open || q->appending.column < COLUMNS_MANY / 2)
        expect_true(query_next(q, 0, 1024, 0, &batch, &error) == QUERY_BUSY);
    while ((outcome = query_next(q, 0, 10, 0, &batch, &error)) > 0) {
        if (outcome == QUERY_BUSY) continue;
        for (uint32_t i = 0; i < batch.rows; i++, rows++)
            for (uint32_t c = 0; c < COLUMNS_MANY; c += COLUMNS_MANY - 1) {
                struct table_cell cell;
                query_batch_cell(q, &batch, i, c, &cell);
                expect(cell.i == (int64_t)rows, "row %llu, column %u: %lld",
                       (unsigned long long)rows, c, (long long)cell.i);
            }
    }
    expect_true(outcome == QUERY_END && rows == TABLE_VECTOR_ROWS);
    query_destroy(q);
    close_place(&p);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("query_bounds");
    TCase *all = tcase_create("bounds");
    tcase_set_timeout(all, 240);
    tcase_add_loop_test(all, long_texts_are_searched_in_pieces, 0, 2);
    tcase_add_loop_test(all, long_texts_are_compared_and_counted_in_pieces, 0, 2);
    tcase_add_loop_test(all, long_code_is_run_in_pieces, 0, 2);
    tcase_add_loop_test(all, many_aggregates_are_computed_in_pieces, 0, 2);
    tcase_add_loop_test(all, many_groups_are_made_in_pieces, 0, 2);
    tcase_add_test(all, many_columns_are_read_in_pieces);
    tcase_add_test(all, limits_may_shrink_between_two_columns);
    suite_add_tcase(suite, all);
    return suite;
}
