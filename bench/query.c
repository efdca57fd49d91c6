/* query.c - how fast do questions to a table go, on one core?
 *
 * A table of 10 million rows (first argument: another number), sealed: an id, a price with two
 * decimals, integers of which 1,000 and a million are different, 20 cities as sym and as str. Each
 * figure is rows of the table per second of CPU time, compilation and result included; the median
 * of rounds. The second argument chooses figures by a part of their name. Into a directory that is
 * the third, the columns are written as raw elements, one file each, for others to be asked the
 * same (bench/table_duckdb.mjs): id, price, small, large as they are, city as the u32 n of
 * "city n".
 *
 * Then questions that an index helps, of codes that are nearly all different: a row by its value, a
 * range of 0.01 % of the rows, the best ten. Each is asked without an index and with each kind that
 * serves it, for other values each time; the median in microseconds of CPU time a question. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "heap/query.h"
#include "heap/table_index.h"
#include "tests/support/heap_literal.h"
#include "tests/support/random.h"

#define ROWS ((uint64_t)10000000)
#define BATCH 65536
#define ROUNDS 5
#define HEAP_BYTES ((size_t)3 << 30)

enum { ID, PRICE, SMALL, LARGE, CITY, NAME, CODE, COLUMNS };
static const struct table_field fields[COLUMNS] = {
    {"id", 2, TABLE_I64, false, false},   {"price", 5, TABLE_F64, false, false},
    {"small", 5, TABLE_I32, false, false}, {"large", 5, TABLE_I32, false, false},
    {"city", 4, TABLE_SYM, false, false}, {"name", 4, TABLE_STR, false, false},
    {"code", 4, TABLE_I64, false, false},
};
#define CODES ((uint64_t)1000000000) /* numbers that a code may be */

static const struct question {
    const char *name, *text;
    bool aggregate;
    double goal; /* million rows a second */
    const char *anchor;
} questions[] = {
    {"filter + sum, compressed decimals",
     "{'where': ['>', 'price', 5000], 'agg': {'s': ['sum', 'price']}}", true, 500,
     "DuckDB 48 to 108, Polars 150"},
    {"group by 1,000 integers", "{'group': ['small'], 'agg': {'s': ['sum', 'price']}}", true, 180,
     "DuckDB 181, compressed 75"},
    {"group by a million integers", "{'group': ['large'], 'agg': {'s': ['sum', 'price']}}", true,
     15, "DuckDB 13"},
    {"group by 20 strings, sym", "{'group': ['city'], 'agg': {'s': ['sum', 'price']}}", true, 250,
     "DuckDB 36"},
    {"group by 20 strings, str", "{'group': ['name'], 'agg': {'s': ['sum', 'price']}}", true, 250,
     "DuckDB 36"},
    {"top 10", "{'select': ['id', 'price'], 'order': [['price', 'desc']], 'limit': 10}", false, 500,
     "DuckDB 539"},
    {"full sort", "{'select': ['price'], 'order': ['price']}", false, 8, "DuckDB 4.1, Polars 16.6"},
};

static void fail(const char *what)
{
    fprintf(stderr, "bench_query: %s\n", what);
    exit(1);
}

/* Files of the columns but the last, which says the same as city; NULL: not wanted. */
static FILE *dumps[NAME];

static void dump_open(const char *directory)
{
    char path[4096];
    for (unsigned c = 0; c < NAME; c++) {
        snprintf(path, sizeof path, "%s/%s", directory, fields[c].name);
        dumps[c] = fopen(path, "wb");
        if (!dumps[c]) fail(path);
    }
}

static void dump(unsigned column, const void *data, size_t width, uint64_t count)
{
    if (dumps[column] && fwrite(data, width, count, dumps[column]) != count)
        fail("a column cannot be written");
}

static void dump_close(void)
{
    for (unsigned c = 0; c < NAME; c++)
        if (dumps[c] && fclose(dumps[c]) != 0) fail("a column cannot be written");
}

static void append(struct table *t, uint64_t first, uint64_t count, uint64_t *random)
{
    static int64_t ids[BATCH], codes[BATCH];
    static double prices[BATCH];
    static int32_t small[BATCH], large[BATCH];
    static uint32_t cities[BATCH], numbers[BATCH];
    static struct table_text names[BATCH];
    static char texts[20][16];
    struct table_append a;
    struct table_error error;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t city = random_below(random, 20);
        int length = snprintf(texts[city], sizeof texts[city], "city %u", (unsigned)city);
        ids[i] = (int64_t)(first + i);
        codes[i] = (int64_t)random_below(random, CODES);
        prices[i] = (double)random_below(random, 1000000) / 100;
        small[i] = (int32_t)random_below(random, 1000);
        large[i] = (int32_t)random_below(random, 1000000);
        names[i] = (struct table_text){texts[city], (size_t)length};
        numbers[i] = (uint32_t)city;
        if (table_symbol_intern(t, CITY, texts[city], (size_t)length, &cities[i], &error) != 0)
            fail(error.text);
    }
    dump(ID, ids, sizeof *ids, count);
    dump(PRICE, prices, sizeof *prices, count);
    dump(SMALL, small, sizeof *small, count);
    dump(LARGE, large, sizeof *large, count);
    dump(CITY, numbers, sizeof *numbers, count);
    if (table_append_begin(t, count, &a, &error) != 0 ||
        table_append_raw(&a, ID, count, ids, NULL, 0, &error) != 0 ||
        table_append_raw(&a, PRICE, count, prices, NULL, 0, &error) != 0 ||
        table_append_raw(&a, SMALL, count, small, NULL, 0, &error) != 0 ||
        table_append_raw(&a, LARGE, count, large, NULL, 0, &error) != 0 ||
        table_append_raw(&a, CITY, count, cities, NULL, 0, &error) != 0 ||
        table_append_texts(&a, NAME, count, names, &error) != 0 ||
        table_append_raw(&a, CODE, count, codes, NULL, 0, &error) != 0 ||
        table_append_commit(&a, NULL, &error) != 0)
        fail(error.text);
    while (table_seal_step(t, 1000000) == 1) continue;
}

/* Seconds of CPU time; the rows of the result go to *found. */
static double run(struct heap *h, struct table *t, const char *text, bool aggregate,
                  uint64_t *found)
{
    struct query_spec spec;
    struct query_error error;
    struct query_batch batch;
    struct query *q;
    int outcome;
    value options = heap_literal(h, text);
    struct table_version *v = table_pin(t);
    uint64_t began = measure_cpu_ns();
    *found = 0;
    if (query_spec_read(h, options, aggregate, &spec, &error) != 0 ||
        (aggregate ? query_agg_create : query_scan_create)(h, v, &spec, 0, &q, &error) != 0)
        fail(error.text);
    while ((outcome = query_next(q, 500000, 0, 0, &batch, &error)) > 0)
        *found += outcome == QUERY_ROWS ? batch.rows : 0;
    if (outcome < 0) fail(error.text);
    double seconds = (double)(measure_cpu_ns() - began) / 1e9;
    query_destroy(q);
    value_release(h, options);
    while (heap_drop_pending(h)) heap_drop_step(h, 1 << 20);
    return seconds;
}

/* Rows a second, in millions. */
static double ask(struct heap *h, struct table *t, const struct question *asked)
{
    uint64_t found, rows = table_row_count(t);
    return (double)rows / run(h, t, asked->text, asked->aggregate, &found) / 1e6;
}

/* --- indexes -----------------------------------------------------------------------------------*/

enum lookup { LOOKUP_POINT, LOOKUP_RANGE, LOOKUP_BEST, LOOKUPS };
static const char *const lookup_names[LOOKUPS] = {"one row by its value", "a range of 0.01 %",
                                                  "the best 10"};

/* The code of some row. */
static uint64_t code_at(struct table *t, uint64_t *random)
{
    struct table_version *v = table_pin(t);
    struct table_cell cell;
    uint32_t chunk = 0, slot = 0;
    if (!table_locate(v, random_below(random, table_version_rows(v)), &chunk, &slot))
        fail("no rows");
    table_cell(v, chunk, slot, CODE, &cell);
    table_unpin(v);
    return cell.u;
}

/* The median of questions that differ, in microseconds. */
static double look_up(struct heap *h, struct table *t, enum lookup lookup, unsigned rounds,
                      uint64_t *random)
{
    struct measure_rounds times = {.count = 0};
    uint64_t found;
    char text[200];
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t code = random_below(random, CODES - CODES / 10000);
        if (lookup == LOOKUP_POINT) /* one that is there */
            snprintf(text, sizeof text, "{'select': ['id', 'price'], 'where': ['=', 'code', %llu]}",
                     (unsigned long long)code_at(t, random));
        else if (lookup == LOOKUP_RANGE)
            snprintf(text, sizeof text, "{'select': ['id', 'price'], 'where': ['between', 'code', "
                     "%llu, %llu]}", (unsigned long long)code,
                     (unsigned long long)(code + CODES / 10000 - 1));
        else
            snprintf(text, sizeof text, "{'select': ['id', 'code'], 'order': [['code', '%s']], "
                     "'limit': 10}", i % 2 ? "asc" : "desc");
        measure_rounds_add(&times, run(h, t, text, false, &found) * 1e6);
        if (found == 0) fail("nothing was found");
    }
    return measure_median(&times);
}

static void print_lookup(enum lookup lookup, const char *how, double us, double goal)
{
    char name[80];
    snprintf(name, sizeof name, "%s, %s", lookup_names[lookup], how);
    struct figure f = {.name = name, .value = us, .unit = "us", .goal = goal,
                       .goal_is = goal > 0 ? GOAL_MAX : GOAL_NONE};
    figure_print(&f);
}

static void measure_indexes(struct heap *h, struct table *t, uint64_t *random)
{
    static const double goals[LOOKUPS] = {100, 0, 0};
    for (int i = 0; i < LOOKUPS; i++)
        print_lookup((enum lookup)i, "scan", look_up(h, t, (enum lookup)i, 9, random), 0);
    for (int kind = TABLE_INDEX_SORTED; kind <= TABLE_INDEX_HASH; kind++) {
        struct table_index_stats stats;
        struct table_version *v;
        const char *how = table_index_kind_name((enum table_index_kind)kind);
        table_index_set(t, CODE, (enum table_index_kind)kind);
        uint64_t began = measure_cpu_ns();
        while (table_index_step(t, 1000000) == 1) continue;
        double seconds = (double)(measure_cpu_ns() - began) / 1e9;
        v = table_pin(t);
        table_index_stats(v, CODE, &stats);
        table_unpin(v);
        printf("# %s: %.2f bytes a row, built in %.2f s\n", how,
               (double)stats.bytes / (double)stats.rows, seconds);
        int last = kind == TABLE_INDEX_HASH ? LOOKUP_POINT : LOOKUPS - 1;
        for (int i = 0; i <= last; i++)
            print_lookup((enum lookup)i, how, look_up(h, t, (enum lookup)i, MEASURE_ROUNDS_MAX,
                                                      random), goals[i]);
    }
    table_index_set(t, CODE, TABLE_INDEX_NONE);
    while (table_index_step(t, 1000000) == 1) continue;
}

int main(int argc, char **argv)
{
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : ROWS, random = 1;
    struct heap_config config = {.max_bytes = HEAP_BYTES, .hash_key = "fixed for bench"};
    struct table_error error;
    struct heap *h;
    value table;
    if (heap_create(&h, &config) != 0) fail("no heap");
    if (table_create(h, fields, COLUMNS, &table, &error) != 0) fail(error.text);
    struct table *t = table_of(h, table);
    if (argc > 3) dump_open(argv[3]);
    for (uint64_t i = 0; i < rows; i += BATCH)
        append(t, i, rows - i < BATCH ? rows - i : BATCH, &random);
    dump_close();
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct measure_rounds rounds = {.count = 0};
        if (argc > 2 && !strstr(questions[i].name, argv[2])) continue;
        for (unsigned j = 0; j < ROUNDS; j++) measure_rounds_add(&rounds, ask(h, t, &questions[i]));
        struct figure f = {.name = questions[i].name, .value = measure_median(&rounds),
                           .unit = "M rows/s", .goal_is = GOAL_MIN, .goal = questions[i].goal,
                           .anchor = questions[i].anchor};
        figure_print(&f);
    }
    if (argc <= 2 || strstr("index", argv[2])) measure_indexes(h, t, &random);
    value_release(h, table);
    while (heap_drop_pending(h)) heap_drop_step(h, 1 << 20);
    heap_destroy(h);
    return 0;
}
