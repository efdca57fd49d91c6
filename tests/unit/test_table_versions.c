/* test_table_versions.c - what versions of a table share is never changed in place, and what is
 * derived from cells follows their changes. Small scenes, for a planted bug each (plants.md);
 * random programs are in test_table_model.c. */
#include <string.h>

#include "heap/table_int.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

#define ROWS ((TABLE_CHUNK_VECTORS > 40 ? 40 : 3) * TABLE_VECTOR_ROWS) /* of one chunk */

static struct heap *h;
static value leaf;
static struct table *t;

/* Rows whose cell is their number. */
static void setup(void)
{
    static const struct table_field field = {"n", 1, TABLE_I64, true, false};
    static int64_t numbers[ROWS];
    struct table_append a;
    h = heap_fixture_open(0);
    for (uint32_t i = 0; i < ROWS; i++) numbers[i] = i;
    ck_assert_int_eq(table_create(h, &field, 1, &leaf, NULL), 0);
    t = table_of(h, leaf);
    ck_assert_int_eq(table_append_begin(t, ROWS, &a, NULL), 0);
    ck_assert_int_eq(table_append_raw(&a, 0, ROWS, numbers, NULL, 0, NULL), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
}

static void teardown(void)
{
    value_release(h, leaf);
    heap_fixture_close(h);
}

static void seal(void)
{
    table_close_tail(t);
    while (table_seal_step(t, 0) == 1) continue;
    ck_assert(!table_seal_pending(t));
}

static void set(uint32_t slot, int64_t n)
{
    struct table_cell cell = {.type = TABLE_I64, .i = n};
    ck_assert_int_eq(table_set(t, 0, slot, 0, &cell, NULL), 0);
}

static int64_t get(const struct table_version *v, uint32_t slot)
{
    struct table_cell cell;
    table_cell(v, 0, slot, 0, &cell);
    return cell.i;
}

/* It is thrown away once at most, though each change makes another chunk of it. */
START_TEST(a_merge_ends_though_a_cell_changes)
{
    bool over = false;
    seal();
    for (uint32_t i = 0; i < 100; i++) set(i * 7, -5);
    for (unsigned round = 0; round < 60 && !over; round++) {
        set(0, -(int64_t)round);
        for (unsigned k = 0; k < ROWS / TABLE_VECTOR_ROWS && !over; k++) {
            ck_assert_int_ge(table_compact_step(t, false, 0), 0);
            over = !table_compact_pending(t, false);
        }
    }
    ck_assert(over);
    ck_assert_ptr_null(version_chunk(t->current, 0)->columns[0].overlay);
}
END_TEST

START_TEST(a_cell_of_a_pinned_version)
{
    struct table_version *before = table_pin(t);
    set(7, -7);
    int64_t old = get(before, 7);
    table_unpin(before); /* or a failure would be that of a heap that ends with a pin */
    ck_assert_int_eq(old, 7);
    ck_assert_int_eq(get(t->current, 7), -7);
}
END_TEST

START_TEST(a_changed_cell_of_a_pinned_version)
{
    seal();
    set(7, -7);
    struct table_version *before = table_pin(t);
    set(7, -8);
    set(9, -9);
    int64_t old = get(before, 7), other = get(before, 9);
    table_unpin(before);
    ck_assert_int_eq(old, -7);
    ck_assert_int_eq(other, 9);
    ck_assert_int_eq(get(t->current, 7), -8);
}
END_TEST

START_TEST(a_row_that_a_pinned_version_has)
{
    ck_assert_int_eq(table_delete(t, 0, 7, NULL, NULL), 0);
    struct table_version *before = table_pin(t);
    ck_assert_int_eq(table_delete(t, 0, 9, NULL, NULL), 0);
    bool first = table_is_deleted(before, 0, 7), second = table_is_deleted(before, 0, 9);
    table_unpin(before);
    ck_assert(first && !second);
    ck_assert(table_is_deleted(t->current, 0, 9));
}
END_TEST

START_TEST(a_zone_map_and_a_changed_cell)
{
    struct table_zone zone;
    seal();
    set(TABLE_VECTOR_ROWS + 5, 1000000);
    table_vector_zone(t->current, 0, 0, 1, &zone);
    ck_assert(!zone.known || zone.max.i >= 1000000);
    table_chunk_zone(t->current, 0, 0, &zone);
    ck_assert(!zone.known || zone.max.i >= 1000000);
}
END_TEST

/* What compaction copied is not what is there any more: it begins anew. */
START_TEST(a_row_deleted_while_its_chunk_is_compacted)
{
    seal();
    for (uint32_t slot = 0; slot < ROWS / 2; slot++)
        ck_assert_int_eq(table_delete(t, 0, slot, NULL, NULL), 0);
    ck_assert_int_eq(table_compact_step(t, true, 0), 1);
    ck_assert_int_eq(table_delete(t, 0, ROWS - 1, NULL, NULL), 0);
    while (table_compact_step(t, true, 0) == 1) continue;
    ck_assert_uint_eq(table_row_count(t), ROWS / 2 - 1);
    ck_assert_int_eq(get(t->current, ROWS / 2 - 2), ROWS - 2);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = tcase_create(name); /* tests/plants.sh runs one by its name */
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
}
#define ADD(suite, test) add_case(suite, #test, test)

Suite *test_suite(void)
{
    Suite *suite = suite_create("table_versions");
    ADD(suite, a_cell_of_a_pinned_version);
    ADD(suite, a_merge_ends_though_a_cell_changes);
    ADD(suite, a_changed_cell_of_a_pinned_version);
    ADD(suite, a_row_that_a_pinned_version_has);
    ADD(suite, a_zone_map_and_a_changed_cell);
    ADD(suite, a_row_deleted_while_its_chunk_is_compacted);
    return suite;
}
