/* test_table_index.c - indexes on columns: how small they are, what they list, how they are built
 * in steps, shared by versions, freed, and given up when memory is short; and when queries use
 * them. That answers are the same is test_query_index.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/query_index.h"
#include "heap/table_index_int.h"
#include "heap/text.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/heap_literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define ROWS TABLE_CHUNK_ROWS

enum { ID, NUMBER, REAL, NAME, CITY, FEW, COLUMNS };
static const struct table_field fields[COLUMNS] = {
    [ID] = {"id", 2, TABLE_I64, false, false},     [NUMBER] = {"number", 6, TABLE_I32, true, false},
    [REAL] = {"real", 4, TABLE_F64, true, false},  [NAME] = {"name", 4, TABLE_STR, true, false},
    [CITY] = {"city", 4, TABLE_SYM, false, false}, [FEW] = {"few", 3, TABLE_U8, false, false},
};

struct place {
    struct heap *h;
    value table;
    struct table *t;
    uint64_t random;
};

/* ids ascend; numbers, reals and names are random; each 50th number is null; few is row % 7. */
static void append(struct place *p, uint64_t first, uint64_t rows)
{
    struct table_error error;
    struct table_append a;
    int64_t *ids = malloc(rows * sizeof *ids);
    int32_t *numbers = malloc(rows * sizeof *numbers);
    double *reals = malloc(rows * sizeof *reals);
    uint8_t *few = malloc(rows), *valid = calloc(1, rows / 8 + 1);
    struct table_text *names = malloc(rows * sizeof *names), *cities = malloc(rows * sizeof *names);
    char(*room)[16] = malloc(rows * sizeof *room);
    static const char *const towns[] = {"Oslo", "Rome", "Bergen", "Oxford", ""};
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t x = random_next(&p->random);
        ids[i] = (int64_t)(first + i) * 3;
        numbers[i] = (int32_t)(x % 1000000) - 500000;
        reals[i] = x % 1000 == 0 ? NAN : x % 1000 == 1 ? -0.0 : (double)(x % 100000) / 4;
        if (i % 50 != 0) valid[i / 8] |= (uint8_t)(1u << i % 8);
        few[i] = (uint8_t)(i % 7);
        names[i] = (struct table_text){room[i], (size_t)sprintf(room[i], "name %06u",
                                                                (unsigned)(x >> 20) % 1000000)};
        cities[i] = (struct table_text){towns[x % 5], strlen(towns[x % 5])};
    }
    int failed = table_append_begin(p->t, rows, &a, &error);
    if (!failed) failed = table_append_raw(&a, ID, rows, ids, NULL, 0, &error);
    if (!failed) failed = table_append_raw(&a, NUMBER, rows, numbers, valid, 0, &error);
    if (!failed) failed = table_append_raw(&a, REAL, rows, reals, NULL, 0, &error);
    if (!failed) failed = table_append_texts(&a, NAME, rows, names, &error);
    if (!failed) failed = table_append_texts(&a, CITY, rows, cities, &error);
    if (!failed) failed = table_append_raw(&a, FEW, rows, few, NULL, 0, &error);
    if (!failed) failed = table_append_commit(&a, NULL, &error);
    expect(failed == 0, "%s", error.text);
    free(ids), free(numbers), free(reals), free(few), free(valid);
    free(names), free(cities), free(room);
}

static void seal(struct place *p)
{
    while (table_seal_step(p->t, 1000000) == 1) continue;
}

static void build(struct place *p)
{
    int more;
    while ((more = table_index_step(p->t, 1000000)) == 1) continue;
    expect_equal(more, 0);
}

static struct place place_open(uint64_t chunks)
{
    struct table_error error;
    struct place p = {.h = heap_fixture_open((size_t)512 << 20), .random = random_seed()};
    expect_true(table_create(p.h, fields, COLUMNS, &p.table, &error) == 0);
    p.t = table_of(p.h, p.table);
    for (uint64_t i = 0; i < chunks; i++) append(&p, i * ROWS, ROWS);
    seal(&p);
    return p;
}

static void place_close(struct place *p)
{
    heap_fixture_verify(p->h, "at the end");
    value_release(p->h, p->table);
    heap_fixture_close(p->h);
}

/* --- what it is --------------------------------------------------------------------------------*/

static double bytes_per_row(struct place *p, uint32_t column, enum table_index_kind kind)
{
    struct table_index_stats stats;
    table_index_set(p->t, column, kind);
    build(p);
    heap_fixture_verify(p->h, "with the index");
    table_index_stats(p->t->current, column, &stats);
    expect_equal(stats.rows, 2 * ROWS);
    return (double)stats.bytes / (double)stats.rows;
}

START_TEST(indexes_are_small_and_give_their_memory_back)
{
    struct place p = place_open(2);
    size_t before = table_bytes(p.t);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        double sorted = bytes_per_row(&p, c, TABLE_INDEX_SORTED);
        double hash = bytes_per_row(&p, c, TABLE_INDEX_HASH);
        expect(sorted <= (c == ID ? 0.13 : 3.13) + 400.0 / ROWS,
               "column %u: %g bytes a row, sorted", c, sorted);
        expect(hash <= 3.52 + 64.0 / ROWS, "column %u: %g bytes a row, hash", c, hash);
    }
    expect_true(table_bytes(p.t) > before + COLUMNS * 3 * ROWS);
    for (uint32_t c = 0; c < COLUMNS; c++) table_index_set(p.t, c, TABLE_INDEX_NONE);
    build(&p);
    expect_equal(table_bytes(p.t), before);
    expect_true(!table_index_pending(p.t) && table_first_unindexed(p.h) == NULL);
    place_close(&p);
}
END_TEST

/* Every row of the chunk whose cell is `key`, and nothing else, is listed. */
static void expect_listed(struct place *p, const struct table_index_view *view, uint32_t slot)
{
    static uint64_t slots[TABLE_CHUNK_ROWS / 64];
    struct table_version *v = p->t->current;
    struct table_cell wanted, cell;
    table_cell(v, 0, slot, view->column, &wanted);
    if (wanted.null) return;
    bool text = view->column == NAME || view->column == CITY;
    struct table_index_key key =
        text ? table_index_text_key(wanted.text)
             : (struct table_index_key){.key = view->column == REAL   ? key_of_double(wanted.d)
                                               : view->column == FEW ? wanted.u
                                                                     : key_of_int(wanted.i)};
    key.hash = table_index_hash(p->t, &key);
    struct table_index_range range = table_index_equal(view, &key);
    memset(slots, 0, sizeof slots);
    table_index_mark(view, &range, slots);
    uint32_t count = 0, exact = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        bool listed = slots[i / 64] >> i % 64 & 1;
        count += listed;
        table_cell(v, 0, i, view->column, &cell);
        bool equal = !cell.null && table_cell_compare(&cell, &wanted) == 0;
        exact += equal;
        expect(!equal || listed, "slot %u of column %u is not listed", i, view->column);
    }
    expect_equal(table_index_range_count(view, &range, ROWS), count);
    if (table_index_view_kind(view) == TABLE_INDEX_SORTED) expect_equal(count, exact);
    else expect_true(count <= exact + ROWS / 256);
}

START_TEST(equal_rows_are_listed)
{
    struct place p = place_open(1);
    for (uint32_t c = 0; c < COLUMNS; c++)
        for (int kind = TABLE_INDEX_SORTED; kind <= TABLE_INDEX_HASH; kind++) {
            struct table_index_view view;
            table_index_set(p.t, c, (enum table_index_kind)kind);
            expect_true(!table_index_open(p.t->current, 0, c, &view));
            build(&p);
            expect_true(table_index_open(p.t->current, 0, c, &view));
            expect_equal((int)table_index_view_kind(&view), kind);
            for (unsigned i = 0; i < 3; i++)
                expect_listed(&p, &view, (uint32_t)random_below(&p.random, ROWS));
        }
    place_close(&p);
}
END_TEST

/* Of a sym column, nothing is in the dictionary then, whatever the lanes of nulls are. */
START_TEST(columns_of_nulls_only_are_indexed)
{
    static const struct table_field texts[3] = {{"sym", 3, TABLE_SYM, true, false},
                                                {"str", 3, TABLE_STR, true, false},
                                                {"bin", 3, TABLE_BIN, true, false}};
    static value cells[ROWS];
    struct table_error error;
    struct table_append a;
    struct place p = {.h = heap_fixture_open((size_t)512 << 20)};
    for (uint32_t i = 0; i < ROWS; i++) cells[i] = VALUE_NIL;
    expect_true(table_create(p.h, texts, 3, &p.table, &error) == 0);
    p.t = table_of(p.h, p.table);
    expect_true(table_append_begin(p.t, ROWS, &a, &error) == 0);
    for (uint32_t c = 0; c < 3; c++)
        expect_true(table_append_values(&a, c, ROWS, cells, 1, &error) == 0);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
    seal(&p);
    for (uint32_t c = 0; c < 3; c++)
        for (int kind = TABLE_INDEX_SORTED; kind <= TABLE_INDEX_HASH; kind++) {
            struct table_index_view view;
            struct table_index_key key = table_index_text_key((struct table_text){"", 0});
            table_index_set(p.t, c, (enum table_index_kind)kind);
            build(&p);
            expect_true(table_index_open(p.t->current, 0, c, &view));
            key.hash = table_index_hash(p.t, &key);
            struct table_index_range range = table_index_equal(&view, &key);
            expect_equal(table_index_range_count(&view, &range, ROWS), 0);
            heap_fixture_verify(p.h, "with the index");
        }
    place_close(&p);
}
END_TEST

/* --- building ----------------------------------------------------------------------------------*/

START_TEST(indexes_are_built_in_small_steps_and_can_be_given_up)
{
    struct place p = place_open(2);
    struct table_index_stats stats;
    size_t before = table_bytes(p.t), steps = 0;
    table_index_set(p.t, NUMBER, TABLE_INDEX_SORTED);
    expect_true(table_index_pending(p.t) && table_first_unindexed(p.h) == p.t);
    while (table_index_step(p.t, 0) == 1) steps++;
    expect_true(steps > 2 * (TABLE_CHUNK_VECTORS + ROWS / 4096));
    table_index_stats(p.t->current, NUMBER, &stats);
    expect_equal(table_bytes(p.t), before + stats.bytes); /* nothing else is left */

    /* Given up at each moment: what was made is freed. */
    for (size_t at = 0; at < steps; at += 1 + steps / 50) {
        table_index_set(p.t, NAME, TABLE_INDEX_SORTED);
        for (size_t i = 0; i < at; i++) expect_true(table_index_step(p.t, 0) == 1);
        table_index_set(p.t, NAME, TABLE_INDEX_NONE);
        build(&p);
        expect_equal(table_bytes(p.t), before + stats.bytes);
    }
    place_close(&p);
}
END_TEST

START_TEST(a_table_that_goes_away_while_it_is_indexed)
{
    struct place p = place_open(1);
    table_index_set(p.t, NAME, TABLE_INDEX_HASH);
    for (unsigned i = 0; i < 3; i++) expect_true(table_index_step(p.t, 0) == 1);
    place_close(&p); /* which looks for what leaked */
}
END_TEST

START_TEST(short_memory_fails_a_step_and_nothing_else)
{
    for (int kind = TABLE_INDEX_SORTED; kind <= TABLE_INDEX_HASH; kind++) {
        struct place p = place_open(1);
        size_t before = table_bytes(p.t);
        unsigned failures = 0;
        table_index_set(p.t, NAME, (enum table_index_kind)kind);
        for (uint64_t n = 1;; n++) {
            heap_fail_nth(p.h, n);
            int more;
            while ((more = table_index_step(p.t, 1000000)) == 1) continue;
            heap_fail_nth(p.h, 0);
            if (more == 0) break;
            expect_equal(more, -ENOMEM);
            failures++;
            heap_fixture_verify(p.h, "after a failure");
            table_index_set(p.t, NAME, TABLE_INDEX_NONE); /* from the beginning */
            build(&p);
            expect_equal(table_bytes(p.t), before);
            table_index_set(p.t, NAME, (enum table_index_kind)kind);
        }
        expect_true(failures >= 4);
        place_close(&p);
    }
}
END_TEST

/* --- versions ----------------------------------------------------------------------------------*/

static void change_number(struct place *p, uint32_t slot, int32_t number)
{
    struct table_error error;
    struct table_cell cell = {.type = TABLE_I32, .i = number};
    expect(table_set(p->t, 0, slot, NUMBER, &cell, &error) == 0, "%s", error.text);
}

START_TEST(versions_share_an_index_and_the_last_one_frees_it)
{
    struct place p = place_open(1);
    struct table_index_view view, old_view;
    table_index_set(p.t, NUMBER, TABLE_INDEX_SORTED);
    build(&p);
    size_t before = table_bytes(p.t);
    struct table_version *old = table_pin(p.t);
    for (uint32_t i = 0; i < 300; i++) change_number(&p, i, 7);
    /* So many changes make the column plain: no index. The old version still has it. */
    expect_true(!table_index_open(p.t->current, 0, NUMBER, &view));
    expect_true(table_index_open(old, 0, NUMBER, &old_view));
    const struct column_index *index = old_view.index;
    seal(&p);
    build(&p);
    expect_true(table_index_open(p.t->current, 0, NUMBER, &view) && view.index != index);
    expect_true(table_index_open(old, 0, NUMBER, &old_view) && old_view.index == index);
    heap_fixture_verify(p.h, "with both");
    table_unpin(old);
    while (heap_drop_pending(p.h)) heap_drop_step(p.h, 1 << 20);
    expect_true(table_bytes(p.t) < before + 4096);
    place_close(&p);
}
END_TEST

START_TEST(going_back_to_a_version_looks_at_its_chunks_again)
{
    struct place p = place_open(1);
    struct table_version *old = table_pin(p.t);
    struct table_index_view view;
    for (uint32_t i = 0; i < 300; i++) change_number(&p, i, 7);
    seal(&p);
    table_index_set(p.t, NUMBER, TABLE_INDEX_HASH);
    build(&p);
    expect_true(!table_index_open(old, 0, NUMBER, &view));
    table_restore(p.t, old);
    build(&p);
    expect_true(table_index_open(p.t->current, 0, NUMBER, &view));
    table_unpin(old);
    place_close(&p);
}
END_TEST

START_TEST(compacted_chunks_are_indexed_anew)
{
    struct place p = place_open(2);
    struct table_index_view view;
    struct table_index_stats stats;
    table_index_set(p.t, NAME, TABLE_INDEX_SORTED);
    build(&p);
    for (uint32_t i = 0; i < ROWS; i += 2)
        expect_true(table_delete(p.t, 1, i, NULL, NULL) == 0);
    table_close_tail(p.t);
    while (table_compact_step(p.t, true, 1000000) == 1) continue;
    expect_true(!table_index_open(p.t->current, 1, NAME, &view));
    seal(&p); /* the last chunk was closed, and still is */
    build(&p);
    table_index_stats(p.t->current, NAME, &stats);
    expect_equal(stats.rows, ROWS + ROWS / 2);
    place_close(&p);
}
END_TEST

/* --- when queries use them ---------------------------------------------------------------------*/

struct outcome {
    struct query_stats stats;
    uint64_t rows;
    struct table_cell first; /* of the first row */
};

static struct outcome ask(struct place *p, const char *text, bool aggregate)
{
    struct outcome o = {.rows = 0};
    struct query_spec spec;
    struct query_error error;
    struct query_batch batch;
    struct query *q;
    int outcome;
    value options = heap_literal(p->h, text);
    expect(query_spec_read(p->h, options, aggregate, &spec, &error) == 0, "%s", error.text);
    expect((aggregate ? query_agg_create : query_scan_create)(p->h, table_pin(p->t), &spec, 0, &q,
                                                              &error) == 0,
           "%s", error.text);
    while ((outcome = query_next(q, 1000000, 0, 0, &batch, &error)) > 0) {
        if (outcome != QUERY_ROWS) continue;
        if (!o.rows) query_batch_cell(q, &batch, 0, 0, &o.first);
        o.rows += batch.rows;
    }
    expect(outcome == 0, "%s", error.text);
    query_stats(q, &o.stats);
    query_destroy(q);
    value_release(p->h, options);
    return o;
}

START_TEST(few_rows_are_read_by_index_and_many_are_not)
{
    struct place p = place_open(2);
    struct outcome o = ask(&p, "{'where': ['=', 'number', 77777]}", false);
    uint64_t rows = o.rows;
    expect_equal(o.stats.index_chunks, 0);
    for (int kind = TABLE_INDEX_SORTED; kind <= TABLE_INDEX_HASH; kind++) {
        table_index_set(p.t, NUMBER, (enum table_index_kind)kind);
        table_index_set(p.t, FEW, (enum table_index_kind)kind);
        build(&p);
        o = ask(&p, "{'where': ['=', 'number', 77777]}", false);
        expect_equal(o.rows, rows);
        expect_equal(o.stats.index_chunks + o.stats.index_skipped, 2);
        expect_true(o.stats.index_rows <= rows + 2 * ROWS / 1024);
        /* A seventh of the rows is no use. */
        o = ask(&p, "{'where': ['=', 'few', 3]}", false);
        expect_equal(o.stats.index_chunks, 0);
        expect_equal(o.stats.index_rows, 0);
        /* But with another term that lists few. */
        o = ask(&p, "{'where': ['and', ['=', 'few', 3], ['=', 'number', 77777]]}", false);
        expect_equal(o.stats.index_chunks + o.stats.index_skipped, 2);
    }
    /* None at all: chunks are left out, though zone maps do not tell; beyond those, they do. */
    char text[100];
    int absent = 0;
    do {
        snprintf(text, sizeof text, "{'where': ['=', 'number', %d]}", absent++);
        o = ask(&p, text, false);
    } while (o.rows > 0);
    expect_true(o.stats.index_skipped == 2 && o.stats.chunks_skipped == 0);
    expect_equal(o.stats.vectors, 0);
    o = ask(&p, "{'where': ['=', 'few', 200]}", false);
    expect_true(o.stats.index_skipped == 0 && o.stats.chunks_skipped == 2 && o.rows == 0);
    place_close(&p);
}
END_TEST

START_TEST(the_best_rows_and_extremes_are_found_by_index)
{
    struct place p = place_open(3);
    static const char *const best[] = {
        "{'select': ['number'], 'order': [['number', 'asc']], 'limit': 5}",
        "{'select': ['number'], 'order': [['number', 'desc']], 'limit': 5}"};
    struct outcome before[2], o;
    for (unsigned i = 0; i < 2; i++) before[i] = ask(&p, best[i], false);
    table_index_set(p.t, NUMBER, TABLE_INDEX_SORTED);
    table_index_set(p.t, REAL, TABLE_INDEX_SORTED);
    build(&p);
    for (unsigned i = 0; i < 2; i++) {
        o = ask(&p, best[i], false);
        expect_true(o.rows == 5 && o.first.i == before[i].first.i);
        expect_equal(o.stats.index_chunks, 3);
        expect_true(o.stats.index_rows <= 3 * 5 + 10);
        o = ask(&p, i ? "{'agg': {'m': ['max', 'number'], 'n': ['max', 'real']}}"
                      : "{'agg': {'m': ['min', 'number'], 'n': ['max', 'real']}}", true);
        expect_equal(o.first.i, before[i].first.i);
        expect_true(o.stats.index_rows == 6 || o.stats.index_rows == 5);
    }
    place_close(&p);
}
END_TEST

/* The row that the index has at its end is not what it was, or is gone. */
START_TEST(extremes_look_beyond_changed_and_deleted_rows)
{
    struct place p = place_open(1);
    table_index_set(p.t, NUMBER, TABLE_INDEX_SORTED);
    build(&p);
    struct table_index_view view;
    expect_true(table_index_open(p.t->current, 0, NUMBER, &view));
    uint32_t least = table_index_slot(&view, 0), second = table_index_slot(&view, 1);
    uint32_t third = table_index_slot(&view, 2);
    struct table_cell cell;
    table_cell(p.t->current, 0, third, NUMBER, &cell);
    change_number(&p, least, 0);
    expect_true(table_delete(p.t, 0, second, NULL, NULL) == 0);
    struct outcome o = ask(&p, "{'agg': {'m': ['min', 'number']}}", true);
    expect_equal(o.first.i, cell.i);
    expect_equal(o.stats.index_chunks, 1);
    o = ask(&p, "{'select': ['number'], 'order': ['number'], 'limit': 1}", false);
    expect_equal(o.first.i, cell.i);
    change_number(&p, third, -2000000000);
    o = ask(&p, "{'agg': {'m': ['min', 'number']}}", true);
    expect_equal(o.first.i, -2000000000);
    place_close(&p);
}
END_TEST

/* --- explain -----------------------------------------------------------------------------------*/

static value entry(struct heap *h, value map, const char *name)
{
    struct map_key key;
    map_key_text(h, &key, name, strlen(name));
    return map_get(h, map, &key);
}

static void expect_explained(struct place *p, const char *text, bool aggregate, const char *plan,
                             const char *index, const char *why)
{
    struct query_spec spec;
    struct query_error error;
    struct query *q;
    value options = heap_literal(p->h, text);
    expect(query_spec_read(p->h, options, aggregate, &spec, &error) == 0, "%s", error.text);
    expect((aggregate ? query_agg_create : query_scan_create)(p->h, table_pin(p->t), &spec, 0, &q,
                                                              &error) == 0,
           "%s", error.text);
    value map = query_explain(q), tests = entry(p->h, map, "tests");
    value got = entry(p->h, map, "plan");
    expect(text_equals(p->h, got, plan, strlen(plan)), "another plan than %s for %s", plan, text);
    if (index || why) {
        value test = list_get(p->h, tests, 0);
        got = entry(p->h, test, "index");
        expect(index ? text_equals(p->h, got, index, strlen(index)) : got == VALUE_NIL,
               "another index for %s", text);
        got = entry(p->h, test, "why");
        expect(why ? got != VALUE_ABSENT && text_equals(p->h, got, why, strlen(why))
                   : got == VALUE_ABSENT,
               "another reason for %s", text);
    }
    value_release(p->h, map);
    query_destroy(q);
    value_release(p->h, options);
}

START_TEST(explain_says_which_index_and_why_not)
{
    struct place p = place_open(1);
    table_index_set(p.t, NUMBER, TABLE_INDEX_SORTED);
    table_index_set(p.t, NAME, TABLE_INDEX_HASH);
    build(&p);
    static const struct {
        const char *text, *index, *why;
    } scans[] = {
        {"{'where': ['=', 'number', 5]}", "sorted", NULL},
        {"{'where': ['between', 'number', 5, 25]}", "sorted", NULL},
        {"{'where': ['=', 'name', 'name 5']}", "hash", NULL},
        {"{'where': ['=', 'name', 'zone']}", "hash",
         "zone maps or other terms leave no chunk to it"},
        {"{'where': ['in', 'name', ['name 5', 'name 6']]}", "hash", NULL},
        {"{'where': ['=', 'id', 5]}", NULL, "its column has no index"},
        {"{'where': ['>', 'name', 'a']}", NULL, "a hash serves = and in only"},
        {"{'where': ['prefix', 'name', 'a']}", NULL, "a hash serves = and in only"},
        {"{'where': ['contains', 'name', 'a']}", NULL, "contains reads all texts"},
        {"{'where': ['>', 'number', -400000]}", "sorted",
         "reading it all is cheaper than its candidates"},
        {"{'where': ['or', ['=', 'number', 5], ['=', 'id', 3]]}", NULL,
         "another operand of its or is not served by an index"},
        {"{'where': ['or', ['=', 'number', 5], ['cmp', '=', ['col', 'id'], ['lit', 3]]]}", NULL,
         "another operand of its or is not served by an index"},
        {"{'where': ['or', ['=', 'number', 5], ['=', 'name', 'name 5']]}", "sorted", NULL},
        {"{'where': ['or', ['and', ['=', 'number', 5], ['>', 'id', 3]], "
         "['or', ['in', 'name', ['name 5', 'name 6']]]]}", "sorted", NULL},
        {"{'where': ['or', ['and', ['=', 'id', 5], ['=', 'number', 5]], ['=', 'number', 7]]}",
         NULL, "its column has no index"},
        {"{'where': ['not', ['and', ['!=', 'name', 'name 5'], ['!=', 'name', 'name 6']]]}", "hash",
         NULL},
        {"{'where': ['not', ['in', 'number', [5]]]}", NULL, "what is not in a list is most rows"},
        {"{'where': ['=', 'number', nil]}", NULL, "it is never true"},
    };
    char many[600] = "{'where': ['in', 'number', [1", *at = many + strlen(many);
    for (unsigned i = 2; i <= INDEX_KEYS_MAX; i++) at += sprintf(at, ", %u", i);
    strcpy(at, "]]}");
    expect_explained(&p, many, false, "scan", "sorted", NULL);
    strcpy(at, ", 0]]}");
    expect_explained(&p, many, false, "scan", NULL, "it has more than 64 literals");
    char both[700];
    snprintf(both, sizeof both, "{'where': ['or', ['=', 'name', 'a'], %.*s]]]}",
             (int)(at - strchr(many, '[')), strchr(many, '['));
    expect_explained(&p, both, false, "scan", NULL,
                     "another operand of its or is not served by an index");
    for (size_t i = 0; i < sizeof scans / sizeof *scans; i++)
        expect_explained(&p, scans[i].text, false, "scan", scans[i].index, scans[i].why);
    expect_explained(&p, "{'order': ['number'], 'limit': 3}", false,
                     "scan, keep the best, by index", NULL, NULL);
    expect_explained(&p, "{'order': ['name'], 'limit': 3}", false, "scan, keep the best", NULL,
                     NULL);
    expect_explained(&p, "{'agg': {'m': ['min', 'number']}}", true, "extremes, by index", NULL,
                     NULL);
    expect_explained(&p, "{'agg': {'m': ['min', 'id']}}", true, "aggregate", NULL, NULL);
    place_close(&p);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("table_index");
    TCase *index = tcase_create("index");
    tcase_set_timeout(index, 120);
    tcase_add_test(index, indexes_are_small_and_give_their_memory_back);
    tcase_add_test(index, equal_rows_are_listed);
    tcase_add_test(index, columns_of_nulls_only_are_indexed);
    tcase_add_test(index, indexes_are_built_in_small_steps_and_can_be_given_up);
    tcase_add_test(index, a_table_that_goes_away_while_it_is_indexed);
    tcase_add_test(index, short_memory_fails_a_step_and_nothing_else);
    tcase_add_test(index, versions_share_an_index_and_the_last_one_frees_it);
    tcase_add_test(index, going_back_to_a_version_looks_at_its_chunks_again);
    tcase_add_test(index, compacted_chunks_are_indexed_anew);
    tcase_add_test(index, few_rows_are_read_by_index_and_many_are_not);
    tcase_add_test(index, the_best_rows_and_extremes_are_found_by_index);
    tcase_add_test(index, explain_says_which_index_and_why_not);
    suite_add_tcase(suite, index);
    /* tests/plants.sh runs it by its name. */
    TCase *extremes = tcase_create("extremes_look_beyond_changed_and_deleted_rows");
    tcase_add_test(extremes, extremes_look_beyond_changed_and_deleted_rows);
    suite_add_tcase(suite, extremes);
    return suite;
}
