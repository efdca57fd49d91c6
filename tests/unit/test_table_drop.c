/* test_table_drop.c - chunks whose rows are all deleted are dropped without any memory, and what is
 * left is what it was. */
#include <string.h>

#include "heap/table_index.h"
#include "heap/table_int.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define CHUNKS (3 * CHUNK_PAGE_SLOTS + 5)
#define ROWS_OF_CHUNK 3
#define ROWS (CHUNKS * ROWS_OF_CHUNK)

static struct heap *h;
static value v;
static struct table *t;
static bool there[ROWS];

static void append(int32_t first, uint32_t rows)
{
    struct table_append a;
    ck_assert_int_eq(table_append_begin(t, rows, &a, NULL), 0);
    for (uint32_t i = 0; i < rows; i++) {
        int32_t n = first + (int32_t)i;
        struct table_text text = {n % 2 ? "odd" : "even", n % 2 ? 3 : 4};
        ck_assert_int_eq(table_append_raw(&a, 0, 1, &n, NULL, 0, NULL), 0);
        ck_assert_int_eq(table_append_texts(&a, 1, 1, &text, NULL), 0);
    }
    ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
}

/* Many chunks of a few rows each, more than the first two pages of the directory hold. */
static void setup(void)
{
    static const struct table_field fields[] = {{"n", 1, TABLE_I32, false, true},
                                                {"s", 1, TABLE_STR, false, false}};
    struct table_error error;
    h = heap_fixture_open(0);
    ck_assert_int_eq(table_create(h, fields, 2, &v, &error), 0);
    t = table_of(h, v);
    for (int32_t i = 0; i < CHUNKS; i++) {
        append(i * ROWS_OF_CHUNK, ROWS_OF_CHUNK);
        table_close_tail(t);
    }
    memset(there, true, sizeof there);
}

static void teardown(void)
{
    value_release(h, v);
    heap_fixture_close(h);
}

static void delete_chunk(uint32_t chunk)
{
    struct table_cell cell;
    for (uint32_t i = 0; i < table_chunk_slots(t->current, chunk); i++) {
        table_cell(t->current, chunk, i, 0, &cell);
        if (!there[cell.i]) continue;
        ck_assert_int_eq(table_delete(t, chunk, i, NULL, NULL), 0);
        there[cell.i] = false;
    }
}

/* The rows that are there, in order. */
static void check_rows(const struct table_version *version, const bool *wanted)
{
    uint64_t position = 0;
    for (int32_t n = 0; n < ROWS; n++) {
        uint32_t chunk, slot;
        struct table_cell cell;
        if (!wanted[n]) continue;
        expect_true(table_locate(version, position++, &chunk, &slot));
        table_cell(version, chunk, slot, 0, &cell);
        expect_true(cell.i == n);
        table_cell(version, chunk, slot, 1, &cell);
        expect_true(cell.text.length == (n % 2 ? 3 : 4));
    }
    expect_equal(table_version_rows(version), position);
}

static void drop_all(void)
{
    while (true) {
        heap_fail_nth(h, 1);
        bool dropped = table_drop_step(t, 0);
        ck_assert(heap_fail_pending(h)); /* nothing was allocated */
        heap_fail_nth(h, 0);
        if (!dropped) break;
        check_rows(t->current, there);
    }
    heap_fixture_verify(h, "after dropping");
}

START_TEST(chunks_are_dropped_wherever_they_are)
{
    static const struct {
        uint32_t first, count;
    } parts[] = {{0, 1}, {1, 2}, {63, 1}, {63, 2}, {60, 70}, {CHUNKS - 1, 1}, {64, CHUNKS - 64},
                 {0, CHUNKS}, {0, CHUNKS - 1}};
    uint32_t first = parts[_i].first, count = parts[_i].count;
    for (uint32_t i = 0; i < count; i++) delete_chunk(first + i);
    ck_assert(table_drop_pending(t));
    drop_all();
    ck_assert_uint_eq(t->current->chunk_count, CHUNKS - count);
    ck_assert_uint_eq(t->current->deleted, 0);
    memset(there, true, sizeof there);
    if (count < CHUNKS) return;
    append(0, ROWS); /* to a table in which nothing is left */
    check_rows(t->current, there);
}
END_TEST

START_TEST(random_chunks_are_dropped)
{
    uint64_t rng = random_seed();
    for (int round = 0; round < 30 && t->current->chunk_count; round++) {
        for (uint64_t i = random_below(&rng, 20); i > 0; i--) {
            uint32_t chunk = (uint32_t)random_below(&rng, t->current->chunk_count);
            if (random_below(&rng, 3)) delete_chunk(chunk);
            else if (!table_is_deleted(t->current, chunk, 1)) {
                struct table_cell cell;
                table_cell(t->current, chunk, 1, 0, &cell);
                ck_assert_int_eq(table_delete(t, chunk, 1, NULL, NULL), 0);
                there[cell.i] = false;
            }
        }
        drop_all();
        for (uint32_t i = 0; i < t->current->chunk_count; i++)
            ck_assert_uint_lt(table_chunk_deleted(t->current, i), table_chunk_slots(t->current, i));
    }
}
END_TEST

/* It would have to be copied; and it would free nothing. */
START_TEST(what_others_read_stays_until_they_have)
{
    bool before[ROWS];
    struct table_version *pin = table_pin(t);
    memcpy(before, there, sizeof before);
    delete_chunk(CHUNKS - 2); /* its page is the current version's alone, now */
    delete_chunk(0);          /* and this one, but not those behind it */
    drop_all();
    ck_assert_uint_eq(t->current->chunk_count, CHUNKS - 1);
    check_rows(pin, before);
    struct table_version *now = table_pin(t);
    memcpy(before, there, sizeof before);
    ck_assert(!table_drop_pending(t));
    table_unpin(pin);
    ck_assert(!table_drop_pending(t));
    check_rows(now, before);
    table_unpin(now);
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    drop_all();
    ck_assert_uint_eq(t->current->chunk_count, CHUNKS - 2);
}
END_TEST

/* Whoever compacts, seals or indexes meanwhile finds other chunks. */
START_TEST(work_that_is_under_way_begins_anew)
{
    uint64_t rng = random_seed();
    table_index_set(t, 0, TABLE_INDEX_SORTED);
    while (t->current->chunk_count > 1) {
        delete_chunk((uint32_t)random_below(&rng, t->current->chunk_count));
        for (uint64_t i = random_below(&rng, 20); i > 0; i--)
            switch (random_below(&rng, 4)) {
            case 0: ck_assert_int_ge(table_compact_step(t, true, 0), 0); break;
            case 1: ck_assert_int_ge(table_seal_step(t, 0), 0); break;
            case 2: ck_assert_int_ge(table_index_step(t, 0), 0); break;
            case 3: table_drop_step(t, 0); break;
            }
        check_rows(t->current, there);
        heap_fixture_verify(h, "beside other work");
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("table_drop");
    TCase *tcase = tcase_create("drop");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, chunks_are_dropped_wherever_they_are, 0, 9);
    tcase_add_test(tcase, random_chunks_are_dropped);
    tcase_add_test(tcase, what_others_read_stays_until_they_have);
    tcase_add_test(tcase, work_that_is_under_way_begins_anew);
    suite_add_tcase(suite, tcase);
    return suite;
}
