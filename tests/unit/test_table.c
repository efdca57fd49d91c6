/* Tables as their users meet them: schemas, cells and their errors, appends that are whole or
 * nothing, pinned versions, the heap's accounts, and their end. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/list.h"
#include "heap/number.h"
#include "heap/table_int.h"
#include "heap/text.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

static struct heap *h;

static void setup(void) { h = heap_fixture_open(0); }
static void teardown(void) { heap_fixture_close(h); }

#define FIELD(n, t, null, sorted) {n, sizeof n - 1, TABLE_##t, null, sorted}

static value make(const struct table_field *fields, uint32_t count)
{
    struct table_error error;
    value v;
    ck_assert_int_eq(table_create(h, fields, count, &v, &error), 0);
    return v;
}

static const struct table_field points[] = {
    FIELD("id", I32, false, true), FIELD("x", F64, true, false), FIELD("name", STR, true, false),
    FIELD("city", SYM, false, false),
};
#define POINT_COLUMNS 4

/* Rows `from`..`from + rows - 1` of points. 0 or the error of the append. */
static int append_points(struct table *t, int32_t from, uint32_t rows)
{
    struct table_append a;
    int failed = table_append_begin(t, rows, &a, NULL);
    if (failed) return failed;
    for (uint32_t i = 0; i < rows && !failed; i++) {
        char room[32];
        int32_t id = from + (int32_t)i;
        double x = id * 0.25;
        snprintf(room, sizeof room, "point number %d", id);
        struct table_text name = {id % 5 ? room : NULL, strlen(room)};
        struct table_text city = {id % 2 ? "Rome" : "Oslo", 4};
        failed = table_append_raw(&a, 0, 1, &id, NULL, 0, NULL);
        if (!failed) failed = table_append_raw(&a, 1, 1, &x, NULL, 0, NULL);
        if (!failed) failed = table_append_texts(&a, 2, 1, &name, NULL);
        if (!failed) failed = table_append_texts(&a, 3, 1, &city, NULL);
    }
    if (!failed) failed = table_append_commit(&a, NULL, NULL);
    if (failed) table_append_abort(&a);
    return failed;
}

static void check_points(const struct table_version *v, uint64_t rows)
{
    expect_equal(table_version_rows(v), rows);
    for (uint64_t i = 0; i < rows; i++) {
        uint32_t chunk, slot;
        struct table_cell cell;
        char room[32];
        expect_true(table_locate(v, i, &chunk, &slot));
        table_cell(v, chunk, slot, 0, &cell);
        expect_true(cell.i == (int64_t)i);
        table_cell(v, chunk, slot, 1, &cell);
        expect_true(cell.d == (double)i * 0.25);
        table_cell(v, chunk, slot, 2, &cell);
        snprintf(room, sizeof room, "point number %d", (int)i);
        struct table_text wanted = {room, strlen(room)};
        expect_true(cell.null ? i % 5 == 0 : text_bytes_compare(cell.text, wanted) == 0);
        table_cell(v, chunk, slot, 3, &cell);
        wanted = (struct table_text){i % 2 ? "Rome" : "Oslo", 4};
        expect_true(text_bytes_compare(cell.text, wanted) == 0);
    }
}

static int seal_all(struct table *t)
{
    int more;
    while ((more = table_seal_step(t, 1000000)) == 1) continue;
    return more;
}

/* --- schemas -----------------------------------------------------------------------------------*/

static void refuse_schema(const struct table_field *fields, uint32_t count, const char *text)
{
    struct table_error error;
    value v;
    ck_assert_int_eq(table_create(h, fields, count, &v, &error), -EINVAL);
    ck_assert(v == VALUE_ABSENT && error.fault == TABLE_FAULT_SCHEMA);
    ck_assert_msg(strstr(error.text, text), "%s", error.text);
}

START_TEST(a_schema_that_cannot_be_is_refused)
{
    refuse_schema(NULL, 0, "1 to 1024 columns, not 0");
    refuse_schema((struct table_field[]){FIELD("", I8, false, false)}, 1, "0 bytes");
    refuse_schema((struct table_field[]){FIELD("a", I8, false, false), FIELD("b", I8, false, false),
                                         FIELD("a", STR, false, false)}, 3, "\"a\"");
    refuse_schema((struct table_field[]){FIELD("a", I8, true, true)}, 1, "sorted");
    refuse_schema((struct table_field[]){FIELD("a", SYM, false, true)}, 1, "str");
    for (unsigned i = 0; i < TABLE_TYPE_COUNT; i++) {
        const char *name = table_type_name((enum table_type)i);
        ck_assert_int_eq(table_type_named(name, strlen(name)), i);
    }
    ck_assert_int_eq(table_type_named("i128", 4), TABLE_TYPE_COUNT);
}
END_TEST

/* --- cells -------------------------------------------------------------------------------------*/

static void accept(enum table_type type, value v, const char *back)
{
    struct table_field f = {"c", 1, type, false, false};
    struct table_scratch scratch = {.capacity = 0};
    struct table_error error;
    struct table_cell cell;
    char room[64] = "";
    int failed = table_cell_from_value(h, &f, 0, 0, v, &cell, &scratch, &error);
    ck_assert_msg(failed == 0, "%s", error.text);
    value again = table_cell_to_value(h, &cell);
    struct number n = number_read(h, again);
    if (n.class == NUMBER_INT64) snprintf(room, sizeof room, "%" PRId64, n.i);
    if (n.class == NUMBER_UINT64) snprintf(room, sizeof room, "%" PRIu64, n.u);
    if (n.class == NUMBER_DOUBLE) snprintf(room, sizeof room, "%.17g", n.d);
    if (value_is_bool(again)) strcpy(room, again == VALUE_TRUE ? "true" : "false");
    if (value_is_text(again)) room[text_copy(h, again, 0, room, sizeof room - 1)] = 0;
    ck_assert_str_eq(room, back);
    value_release(h, again);
    value_release(h, v);
    table_scratch_close(&scratch);
}

static void refuse(enum table_type type, value v, enum table_fault fault, const char *text)
{
    struct table_field f = {"price", 5, type, false, false};
    struct table_scratch scratch = {.capacity = 0};
    struct table_error error;
    struct table_cell cell;
    ck_assert_int_lt(table_cell_from_value(h, &f, 17, 3, v, &cell, &scratch, &error), 0);
    ck_assert_int_eq(error.fault, fault);
    ck_assert(error.row == 17 && error.column == 3);
    ck_assert_msg(strncmp(error.text, "row 17, column \"price\": ", 24) == 0 &&
                      strcmp(error.text + 24, text) == 0, "%s", error.text);
    value_release(h, v);
    table_scratch_close(&scratch);
}

START_TEST(values_become_cells_without_loss_or_not_at_all)
{
    accept(TABLE_I8, value_int(-128), "-128");
    refuse(TABLE_I8, value_int(128), TABLE_FAULT_RANGE, "128 is beyond what type i8 holds");
    refuse(TABLE_U8, value_int(-1), TABLE_FAULT_RANGE, "-1 is beyond what type u8 holds");
    accept(TABLE_I32, value_double(5), "5");
    refuse(TABLE_I32, value_double(5.5), TABLE_FAULT_TYPE, "5.5 is not of type i32");
    refuse(TABLE_I64, value_double(1e30), TABLE_FAULT_RANGE,
           "1e+30 is beyond what type i64 holds");
    accept(TABLE_U64, number_from_uint64(h, UINT64_MAX), "18446744073709551615");
    refuse(TABLE_I64, number_from_uint64(h, UINT64_MAX), TABLE_FAULT_RANGE,
           "18446744073709551615 is beyond what type i64 holds");
    accept(TABLE_F64, value_int(3), "3");
    accept(TABLE_F64, number_from_int64(h, INT64_MIN), "-9.2233720368547758e+18");
    refuse(TABLE_F64, value_int(((int64_t)1 << 53) + 1), TABLE_FAULT_RANGE,
           "9007199254740993 is an integer that no f64 holds exactly");
    refuse(TABLE_F64, number_from_int64(h, INT64_MAX), TABLE_FAULT_RANGE,
           "9223372036854775807 is an integer that no f64 holds exactly");
    accept(TABLE_F32, value_double(0.5), "0.5");
    refuse(TABLE_F32, value_double(1e39), TABLE_FAULT_RANGE,
           "1e+39 is beyond what type f32 holds");
    accept(TABLE_BOOL, VALUE_TRUE, "true");
    refuse(TABLE_BOOL, value_int(1), TABLE_FAULT_TYPE, "1 is not of type bool");
    refuse(TABLE_I8, VALUE_NIL, TABLE_FAULT_NOT_NULL, "nil in a column without nulls");
    accept(TABLE_STR, text_new(h, "short", 5, false), "short");
    accept(TABLE_SYM, text_new(h, "not so short any more", 21, false), "not so short any more");
    refuse(TABLE_F64, text_new(h, "abc", 3, false), TABLE_FAULT_TYPE, "\"abc\" is not of type f64");
    refuse(TABLE_STR, text_new(h, "\xff\xfe", 2, true), TABLE_FAULT_TYPE,
           "2 bytes are no text, which is a str in UTF-8; use the type bin");
    refuse(TABLE_STR, value_int(1), TABLE_FAULT_TYPE, "1 is not of type str");
    refuse(TABLE_STR, list_new(h), TABLE_FAULT_TYPE, "a list is not of type str");
}
END_TEST

START_TEST(long_texts_come_back)
{
    static char text[100000];
    struct table_field f = FIELD("t", STR, false, false);
    struct table_append a;
    struct table_cell cell;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 26);
    value v = make(&f, 1), rope = text_new(h, text, sizeof text, false);
    struct table *t = table_of(h, v);
    ck_assert_int_eq(table_append_begin(t, 1, &a, NULL), 0);
    ck_assert_int_eq(table_append_values(&a, 0, 1, &rope, 1, NULL), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
    value_release(h, rope);
    struct table_version *version = table_pin(t);
    table_cell(version, 0, 0, 0, &cell);
    ck_assert(cell.text.length == sizeof text && memcmp(cell.text.data, text, sizeof text) == 0);
    table_unpin(version);
    value_release(h, v);
}
END_TEST

/* --- appending ---------------------------------------------------------------------------------*/

START_TEST(an_append_with_one_bad_cell_changes_nothing)
{
    value v = make(points, POINT_COLUMNS), cells[3];
    struct table *t = table_of(h, v);
    struct table_append a;
    struct table_error error;
    ck_assert_int_eq(append_points(t, 0, 100), 0);
    size_t bytes = table_bytes(t);
    uint32_t symbols = table_symbol_count(t, 3);
    for (uint32_t rows = 3; rows <= TABLE_CHUNK_ROWS; rows += TABLE_CHUNK_ROWS - 3) {
        ck_assert_int_eq(table_append_begin(t, rows, &a, &error), 0);
        for (unsigned i = 0; i < 3; i++)
            cells[i] = text_new(h, "a new city of this name", 23, false);
        ck_assert_int_eq(table_append_values(&a, 3, 3, cells, 1, &error), 0);
        ck_assert_int_eq(table_append_values(&a, 2, 3, cells, 1, &error), 0);
        for (unsigned i = 0; i < 3; i++) value_release(h, cells[i]);
        cells[0] = value_int(100);
        cells[1] = value_int(101);
        cells[2] = VALUE_TRUE;
        ck_assert_int_eq(table_append_values(&a, 0, 3, cells, 1, &error), -EINVAL);
        ck_assert_str_eq(error.text, "row 2, column \"id\": true is not of type i32");
        ck_assert(error.row == 2 && error.column == 0);
        table_append_abort(&a);
        while (heap_drop_pending(h)) heap_drop_step(h, 1000);
        ck_assert_uint_eq(table_bytes(t), bytes);
        ck_assert_uint_eq(table_symbol_count(t, 3), symbols);
        heap_fixture_verify(h, "after an abort");
    }
    ck_assert_int_eq(append_points(t, 100, 100), 0);
    struct table_version *version = table_pin(t);
    check_points(version, 200);
    table_unpin(version);
    value_release(h, v);
}
END_TEST

START_TEST(symbols_of_an_aborted_append_are_forgotten)
{
    struct table_field f = FIELD("s", SYM, false, false);
    value v = make(&f, 1);
    struct table *t = table_of(h, v);
    struct table_append a;
    uint32_t code, kept = 0;
    char room[32];
    for (uint32_t round = 0; round < 40; round++) { /* buckets split and are joined again */
        size_t bytes = table_bytes(t);
        ck_assert_int_eq(table_append_begin(t, 1, &a, NULL), 0);
        for (uint32_t i = 0; i < 1 + round * 60; i++) {
            int length = snprintf(room, sizeof room, "aborted %u", i);
            ck_assert_int_eq(table_symbol_intern(t, 0, room, (size_t)length, &code, NULL), 0);
            ck_assert_uint_eq(code, kept + i);
        }
        table_append_abort(&a);
        ck_assert_uint_eq(table_symbol_count(t, 0), kept);
        ck_assert_uint_le(table_bytes(t), bytes + 64);
        ck_assert_uint_eq(table_symbol_find(t, 0, "aborted 0", 9), UINT32_MAX);
        for (uint32_t i = 0; i < 37; i++, kept++) {
            int length = snprintf(room, sizeof room, "kept %u", kept);
            ck_assert_int_eq(table_symbol_intern(t, 0, room, (size_t)length, &code, NULL), 0);
        }
        for (uint32_t i = 0; i < kept; i++) {
            size_t length = (size_t)snprintf(room, sizeof room, "kept %u", i);
            expect_true(table_symbol_find(t, 0, room, length) == i);
            struct table_text text = table_symbol(t, 0, i);
            expect_true(text.length == length && memcmp(text.data, room, length) == 0);
        }
    }
    value_release(h, v);
}
END_TEST

/* What a dictionary takes follows what is in it: tables of a few rows may be many. */
START_TEST(a_small_dictionary_is_small)
{
    struct table_field field = FIELD("s", SYM, false, false);
    value v = make(&field, 1);
    struct table *t = table_of(h, v);
    uint32_t code;
    char room[32];
    ck_assert_uint_le(table_bytes(t), 1024);
    for (uint32_t i = 0; i < 20000; i++) {
        int length = snprintf(room, sizeof room, "symbol %u", i);
        ck_assert_int_eq(table_symbol_intern(t, 0, room, (size_t)length, &code, NULL), 0);
        ck_assert_uint_eq(code, i);
        /* Of 32 bytes and a text of 12 at most, with as much room again, up to what a segment
         * and a piece of texts have. */
        size_t bytes = 1500 + (i < 1024 ? 0 : 8192) + 2 * (32 + 12) * (size_t)(i + 1);
        ck_assert_msg(table_bytes(t) <= bytes, "%zu bytes for %u symbols", table_bytes(t), i + 1);
        ck_assert(i % 97 || table_symbol_find(t, 0, "symbol 0", 8) == 0);
    }
    value_release(h, v);
}
END_TEST

START_TEST(a_sorted_column_stays_sorted)
{
    value v = make(points, POINT_COLUMNS);
    struct table *t = table_of(h, v);
    struct table_error error;
    struct table_append a;
    int32_t ids[] = {5, 6, 4};
    double xs[3] = {0};
    struct table_text texts[] = {{"a", 1}, {"a", 1}, {"a", 1}};
    struct table_cell cell = {.type = TABLE_I32, .i = 1};
    ck_assert_int_eq(append_points(t, 0, 5), 0);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(table_append_begin(t, 3, &a, &error), 0);
        ck_assert_int_eq(table_append_raw(&a, 0, 3, ids, NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_raw(&a, 1, 3, xs, NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_texts(&a, 2, 3, texts, &error), 0);
        ck_assert_int_eq(table_append_texts(&a, 3, 3, texts, &error), 0);
        ck_assert_int_eq(table_append_commit(&a, NULL, &error), -EINVAL);
        ck_assert(error.fault == TABLE_FAULT_ORDER && error.row == (round ? 0 : 2));
        table_append_abort(&a);
        ids[0] = 3; /* less than the last row that is there */
    }
    ck_assert_int_eq(table_set(t, 0, 0, 0, &cell, &error), -EINVAL);
    ck_assert_int_eq(error.fault, TABLE_FAULT_ORDER);
    ck_assert_uint_eq(table_row_count(t), 5);
    value_release(h, v);
}
END_TEST

START_TEST(raw_arrays_are_checked)
{
    const struct table_field fields[] = {FIELD("b", BOOL, false, false),
                                         FIELD("s", SYM, true, false),
                                         FIELD("i", I16, false, false)};
    value v = make(fields, 3);
    struct table *t = table_of(h, v);
    struct table_append a;
    struct table_error error;
    uint8_t flags[] = {0, 1, 2}, valid = 5;
    uint32_t codes[] = {0, 9, 1};
    int16_t numbers[] = {1, 2, 3};
    ck_assert_int_eq(table_append_begin(t, 3, &a, &error), 0);
    ck_assert_int_eq(table_append_raw(&a, 0, 3, flags, NULL, 0, &error), -ERANGE);
    ck_assert_str_eq(error.text, "row 2, column \"b\": 2 is no boolean, 0 or 1");
    ck_assert_int_eq(table_append_raw(&a, 1, 3, codes, NULL, 0, &error), -ERANGE);
    ck_assert_str_eq(error.text, "row 0, column \"s\": 0 is no code of a symbol");
    ck_assert_int_eq(table_append_raw(&a, 2, 3, numbers, &valid, 0, &error), -EINVAL);
    ck_assert_str_eq(error.text, "row 1, column \"i\": a null in a column without nulls");
    ck_assert_int_eq(table_append_nulls(&a, 2, 1, &error), -EINVAL);
    table_append_abort(&a);
    ck_assert_uint_eq(table_row_count(t), 0);
    value_release(h, v);
}
END_TEST

START_TEST(a_byte_that_is_no_boolean_is_found_anywhere)
{
    const struct table_field field = FIELD("b", BOOL, false, false);
    enum { ROWS = 21 };
    value v = make(&field, 1);
    for (unsigned at = 0; at < ROWS; at++)
        for (unsigned bit = 1; bit < 8; bit++) {
            struct table_append a;
            struct table_error error;
            uint8_t flags[ROWS] = {1, 0, 1, [ROWS - 1] = 1};
            flags[at] |= (uint8_t)(1 << bit);
            ck_assert_int_eq(table_append_begin(table_of(h, v), ROWS, &a, &error), 0);
            ck_assert_int_eq(table_append_raw(&a, 0, ROWS, flags, NULL, 0, &error), -ERANGE);
            ck_assert_uint_eq(error.row, at);
            flags[at] = 1;
            ck_assert_int_eq(table_append_raw(&a, 0, ROWS, flags, NULL, 0, &error), 0);
            table_append_abort(&a);
        }
    value_release(h, v);
}
END_TEST

/* --- versions ----------------------------------------------------------------------------------*/

START_TEST(a_pinned_version_outlives_everything)
{
    value v = make(points, POINT_COLUMNS);
    struct table *t = table_of(h, v);
    uint32_t rows = TABLE_CHUNK_ROWS + 1000;
    ck_assert_int_eq(append_points(t, 0, rows), 0);
    struct table_version *first = table_pin(t);
    ck_assert_int_eq(append_points(t, (int32_t)rows, 500), 0);
    ck_assert_int_eq(seal_all(t), 0);
    struct table_cell nothing = {.type = TABLE_F64, .null = true};
    for (uint32_t slot = 0; slot < TABLE_CHUNK_ROWS; slot += 7) {
        ck_assert_int_eq(table_set(t, 0, slot, 1, &nothing, NULL), 0);
        ck_assert_int_eq(table_delete(t, 0, (slot + 1) % TABLE_CHUNK_ROWS, NULL, NULL), 0);
    }
    while (table_compact_step(t, true, 0) == 1) continue;
    ck_assert_int_eq(seal_all(t), 0);
    check_points(first, rows);
    heap_fixture_verify(h, "with a pinned version");
    value_release(h, v); /* the table itself goes */
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    check_points(first, rows);
    table_unpin(first);
}
END_TEST

START_TEST(a_table_goes_back_to_a_version)
{
    value v = make(points, POINT_COLUMNS);
    struct table *t = table_of(h, v);
    ck_assert_int_eq(append_points(t, 0, 100), 0);
    ck_assert_int_eq(append_points(t, 100, 60), 0); /* leaves room for more in the columns */
    struct table_version *before = table_pin(t);
    ck_assert_int_eq(append_points(t, 160, 50), 0);
    struct table_version *after = table_pin(t);
    ck_assert_int_eq(table_delete(t, 0, 5, NULL, NULL), 0);
    table_restore(t, before);
    ck_assert_int_eq(append_points(t, 1000, 20), 0); /* where `after` has other rows */
    check_points(after, 210);
    table_restore(t, before);
    ck_assert_int_eq(append_points(t, 160, 30), 0);
    struct table_version *now = table_pin(t);
    check_points(before, 160);
    check_points(after, 210);
    check_points(now, 190);
    table_unpin(before);
    table_unpin(after);
    table_unpin(now);
    value_release(h, v);
}
END_TEST

START_TEST(versions_may_differ_in_where_a_chunk_ends)
{
    value v = make(points, POINT_COLUMNS);
    struct table *t = table_of(h, v);
    ck_assert_int_eq(append_points(t, 0, 10), 0);
    struct table_version *ten = table_pin(t);
    ck_assert_int_eq(append_points(t, 10, 10), 0);
    table_close_tail(t);
    ck_assert_int_eq(append_points(t, 20, 5), 0);
    struct table_version *long_one = table_pin(t);
    table_restore(t, ten);
    table_close_tail(t);
    ck_assert_int_eq(append_points(t, 10, 3), 0);
    ck_assert_int_eq(seal_all(t), 0);
    struct table_version *short_one = table_pin(t);
    check_points(ten, 10);
    check_points(long_one, 25);
    check_points(short_one, 13);
    ck_assert_uint_eq(table_version_chunks(short_one), 2);
    table_unpin(ten);
    table_unpin(long_one);
    table_unpin(short_one);
    while (table_compact_step(t, false, 0) == 1) continue; /* two small chunks become one */
    short_one = table_pin(t);
    check_points(short_one, 13);
    ck_assert_uint_eq(table_version_chunks(short_one), 1);
    table_unpin(short_one);
    value_release(h, v);
}
END_TEST

/* --- quiet tables ------------------------------------------------------------------------------*/

static bool last_is_sealed(const struct table *t)
{
    const struct table_version *v = t->current;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (!version_chunk(v, v->chunk_count - 1)->columns[i].column->sealed) return false;
    return true;
}

/* Until nothing more may become quiet, as a server's timer would. */
static void rest(struct table *t)
{
    while (tables_note_quiet(h)) continue;
    ck_assert_int_eq(seal_all(t), 0);
}

START_TEST(the_end_of_a_quiet_table_is_sealed_and_goes_on)
{
    value v = make(points, POINT_COLUMNS);
    struct table *t = table_of(h, v);
    uint64_t rows = 0, parts[] = {TABLE_QUIET_ROWS_MIN - 1, 1, 700, 1, TABLE_CHUNK_ROWS, 3};
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        ck_assert_int_eq(append_points(t, rows, parts[i]), 0);
        rows += parts[i];
        ck_assert(!last_is_sealed(t));
        ck_assert(tables_note_quiet(h) == (rows % TABLE_CHUNK_ROWS >= TABLE_QUIET_ROWS_MIN));
        ck_assert_int_eq(seal_all(t), 0);
        ck_assert(!last_is_sealed(t)); /* a look at a time */
        size_t bytes = table_bytes(t);
        rest(t);
        ck_assert(last_is_sealed(t) == (rows % TABLE_CHUNK_ROWS >= TABLE_QUIET_ROWS_MIN));
        ck_assert(!last_is_sealed(t) || table_bytes(t) < bytes);
        ck_assert(!tables_note_quiet(h) && !table_seal_pending(t));
        check_points(t->current, rows);
        ck_assert_uint_eq(table_version_chunks(t->current),
                          (rows + TABLE_CHUNK_ROWS - 1) / TABLE_CHUNK_ROWS);
        heap_fixture_verify(h, "at rest");
    }
    ck_assert(t->current->even);
    value_release(h, v);
}
END_TEST

START_TEST(an_append_in_one_step_leaves_what_rests_as_it_is)
{
    const uint64_t rows = TABLE_QUIET_ROWS_MIN + 100;
    value v = make(points, POINT_COLUMNS);
    struct table *t = table_of(h, v);
    ck_assert_int_eq(append_points(t, 0, rows), 0);
    table_append_spare_tail(t); /* still plain */
    ck_assert_int_eq(append_points(t, rows, 10), 0);
    ck_assert_uint_eq(table_version_chunks(t->current), 1);
    rest(t);
    const struct column *sealed = version_chunk(t->current, 0)->columns[0].column;
    table_append_spare_tail(t);
    ck_assert_int_eq(append_points(t, rows + 10, 50), 0);
    ck_assert_uint_eq(table_version_chunks(t->current), 2);
    ck_assert_ptr_eq(version_chunk(t->current, 0)->columns[0].column, sealed);
    table_append_spare_tail(t);
    ck_assert_int_eq(append_points(t, rows + 60, 50), 0);
    ck_assert_uint_eq(table_version_chunks(t->current), 2);
    check_points(t->current, rows + 110);
    heap_fixture_verify(h, "beside what rests");
    value_release(h, v);
}
END_TEST

START_TEST(an_append_to_what_rests_may_fail_or_find_it_half_sealed)
{
    const uint64_t rows = TABLE_QUIET_ROWS_MIN + 100;
    for (unsigned n = 0, failed = 1; failed; n++) {
        struct table_append a;
        value v = make(points, POINT_COLUMNS);
        struct table *t = table_of(h, v);
        ck_assert_int_eq(append_points(t, 0, rows), 0);
        while (tables_note_quiet(h)) continue;
        for (unsigned step = 0; step < n && table_seal_step(t, 0) == 1; step++) continue;
        ck_assert_int_eq(table_append_begin(t, 50, &a, NULL), 0);
        ck_assert_int_eq(table_append_nulls(&a, 2, 50, NULL), 0);
        table_append_abort(&a);
        check_points(t->current, rows);
        heap_fixture_verify(h, "an append is aborted");
        rest(t);
        struct table_version *sealed = table_pin(t);
        heap_fail_nth(h, n + 1);
        failed = append_points(t, rows, 50) != 0;
        heap_fail_nth(h, 0);
        ck_assert(!failed || last_is_sealed(t));
        if (failed) ck_assert_int_eq(append_points(t, rows, 50), 0);
        check_points(t->current, rows + 50);
        check_points(sealed, rows);
        ck_assert_uint_eq(table_version_chunks(t->current), 1);
        table_unpin(sealed);
        rest(t);
        check_points(t->current, rows + 50);
        heap_fixture_verify(h, "an append has failed");
        value_release(h, v);
        while (heap_drop_pending(h)) heap_drop_step(h, 4096);
    }
}
END_TEST

/* At each unit of the work that seals a column, a cell of it changes. */
START_TEST(a_column_that_changes_while_it_is_sealed_keeps_the_change)
{
    struct table_field f = FIELD("n", I64, false, false);
    static int64_t numbers[TABLE_CHUNK_ROWS];
    for (unsigned units = 1;; units++) {
        struct table_append a;
        struct table_cell cell = {.type = TABLE_I64, .i = 4711};
        value v = make(&f, 1);
        struct table *t = table_of(h, v);
        for (int64_t i = 0; i < TABLE_CHUNK_ROWS; i++) numbers[i] = i * i % 10007;
        ck_assert_int_eq(table_append_begin(t, TABLE_CHUNK_ROWS, &a, NULL), 0);
        ck_assert_int_eq(table_append_raw(&a, 0, TABLE_CHUNK_ROWS, numbers, NULL, 0, NULL), 0);
        ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
        unsigned done = 0;
        while (done < units && table_seal_step(t, 0) == 1) done++;
        ck_assert_int_eq(table_set(t, 0, 77, 0, &cell, NULL), 0);
        ck_assert_int_eq(seal_all(t), 0);
        numbers[77] = 4711;
        struct table_version *version = table_pin(t);
        for (uint32_t i = 0; i < TABLE_CHUNK_ROWS; i++) {
            table_cell(version, 0, i, 0, &cell);
            expect(cell.i == numbers[i], "slot %u after %u units", i, units);
        }
        table_unpin(version);
        value_release(h, v);
        if (done < units) break;
    }
}
END_TEST

/* --- the heap's accounts -----------------------------------------------------------------------*/

static size_t external_bytes(void)
{
    struct heap_stats stats;
    heap_stats(h, &stats);
    return stats.external_bytes;
}

START_TEST(tables_count_against_the_limit)
{
    struct heap *saved = h;
    h = heap_fixture_open((size_t)24 << 20);
    value v = make(points, POINT_COLUMNS), w = VALUE_NIL;
    struct table *t = table_of(h, v);
    uint32_t rows = 0;
    while (append_points(t, (int32_t)rows, 1000) == 0) rows += 1000;
    struct heap_stats stats;
    heap_stats(h, &stats);
    ck_assert_uint_eq(stats.external_bytes, table_bytes(t));
    ck_assert_uint_gt(stats.external_bytes, (size_t)12 << 20);
    ck_assert_uint_le(stats.external_bytes + stats.page_bytes, stats.max_bytes);
    heap_fixture_verify(h, "with the heap full");
    struct table_version *version = table_pin(t);
    check_points(version, rows);
    table_unpin(version);
    value_release(h, v);
    w = make(points, POINT_COLUMNS); /* what is dying makes room for what comes */
    for (uint32_t i = 0; i < rows / 2; i += 1000)
        ck_assert_int_eq(append_points(table_of(h, w), (int32_t)i, 1000), 0);
    value_release(h, w);
    heap_fixture_close(h);
    h = saved;
}
END_TEST

START_TEST(a_large_table_is_dropped_in_steps)
{
    struct table_field f = FIELD("n", I64, false, false);
    static int64_t numbers[TABLE_CHUNK_ROWS];
    value v = make(&f, 1);
    struct table_append a;
    for (unsigned chunk = 0; chunk < 50; chunk++) {
        ck_assert_int_eq(table_append_begin(table_of(h, v), TABLE_CHUNK_ROWS, &a, NULL), 0);
        ck_assert_int_eq(table_append_raw(&a, 0, TABLE_CHUNK_ROWS, numbers, NULL, 0, NULL), 0);
        ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
    }
    size_t before = external_bytes();
    ck_assert_uint_ge(before, sizeof numbers * 50);
    value_release(h, v);
    ck_assert_uint_eq(external_bytes(), before);
    unsigned steps = 0;
    while (heap_drop_pending(h)) {
        size_t held = external_bytes();
        heap_drop_step(h, 512);
        ck_assert_uint_le(held - external_bytes(), 2 * sizeof numbers + 65536);
        steps++;
    }
    ck_assert_uint_ge(steps, 10);
    ck_assert_uint_eq(external_bytes(), 0);
}
END_TEST

START_TEST(a_shared_table_is_finalised_by_the_sweep)
{
    value v = make(points, POINT_COLUMNS), list = list_new(h);
    ck_assert_int_eq(append_points(table_of(h, v), 0, 100), 0);
    value_share(h, v);
    ck_assert_int_eq(list_push_take(h, list, v), 0);
    heap_root_set_take(h, ROOT_KEYS, list);
    gc_collect(h);
    ck_assert_uint_gt(external_bytes(), 0);
    struct table_version *version = table_pin(table_of(h, v));
    check_points(version, 100);
    table_unpin(version);
    heap_root_set_take(h, ROOT_KEYS, VALUE_NIL);
    gc_collect(h);
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    ck_assert_uint_eq(external_bytes(), 0);
}
END_TEST

START_TEST(a_heap_ends_with_its_tables)
{
    struct heap *saved = h;
    h = heap_fixture_open(0);
    value v = make(points, POINT_COLUMNS), w = make(points, POINT_COLUMNS);
    ck_assert_int_eq(append_points(table_of(h, v), 0, 5000), 0);
    ck_assert_int_eq(append_points(table_of(h, w), 0, 10), 0);
    value_release(h, w);
    heap_destroy(h); /* the sanitizer tells if anything is left */
    h = saved;
}
END_TEST

/* --- memory that is short ----------------------------------------------------------------------*/

/* Everything that allocates, in one go. Returns 0 or the first error. */
static int everything(value *table)
{
    struct table_error error;
    struct table_cell text = {.type = TABLE_STR, .text = {"changed", 7}};
    int failed = table_create(h, points, POINT_COLUMNS, table, &error);
    if (failed) return failed;
    struct table *t = table_of(h, *table);
    if ((failed = append_points(t, 0, TABLE_CHUNK_ROWS + 100))) return failed;
    struct table_version *version = table_pin(t);
    failed = seal_all(t);
    for (uint32_t i = 0; i < 20 && !failed; i++) failed = table_set(t, 0, i, 2, &text, &error);
    if (!failed) failed = table_delete(t, 0, 30, NULL, &error);
    if (!failed) failed = table_set(t, 1, 3, 2, &text, &error);
    for (int more = 1; more == 1 && !failed;) {
        more = table_compact_step(t, true, 1000000);
        if (more < 0) failed = more;
    }
    if (!failed) failed = seal_all(t);
    check_points(version, TABLE_CHUNK_ROWS + 100);
    table_unpin(version);
    return failed;
}

START_TEST(every_allocation_may_fail)
{
    unsigned failures = 0;
    for (uint64_t n = 1;; n++) {
        value v = VALUE_ABSENT;
        heap_fail_nth(h, n);
        int failed = everything(&v);
        bool pending = heap_fail_pending(h);
        heap_fail_nth(h, 0);
        if (n % 8 == 0) heap_fixture_verify(h, "after a failure");
        if (v != VALUE_ABSENT) value_release(h, v);
        while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
        expect_true(external_bytes() == 0);
        expect_true(failed == 0 || failed == -ENOMEM);
        failures += failed != 0;
        if (pending) break;
    }
    ck_assert_uint_gt(failures, 30);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *table = tcase_create("table");
    tcase_set_timeout(table, 300);
    tcase_add_checked_fixture(table, setup, teardown);
    tcase_add_test(table, a_schema_that_cannot_be_is_refused);
    tcase_add_test(table, values_become_cells_without_loss_or_not_at_all);
    tcase_add_test(table, long_texts_come_back);
    tcase_add_test(table, an_append_with_one_bad_cell_changes_nothing);
    tcase_add_test(table, symbols_of_an_aborted_append_are_forgotten);
    tcase_add_test(table, a_small_dictionary_is_small);
    tcase_add_test(table, a_sorted_column_stays_sorted);
    tcase_add_test(table, raw_arrays_are_checked);
    tcase_add_test(table, a_byte_that_is_no_boolean_is_found_anywhere);
    tcase_add_test(table, a_pinned_version_outlives_everything);
    tcase_add_test(table, a_table_goes_back_to_a_version);
    tcase_add_test(table, versions_may_differ_in_where_a_chunk_ends);
    tcase_add_test(table, a_column_that_changes_while_it_is_sealed_keeps_the_change);
    tcase_add_test(table, tables_count_against_the_limit);
    tcase_add_test(table, a_large_table_is_dropped_in_steps);
    tcase_add_test(table, a_shared_table_is_finalised_by_the_sweep);
    tcase_add_test(table, a_heap_ends_with_its_tables);
    tcase_add_test(table, the_end_of_a_quiet_table_is_sealed_and_goes_on);
    tcase_add_test(table, an_append_in_one_step_leaves_what_rests_as_it_is);
    tcase_add_test(table, an_append_to_what_rests_may_fail_or_find_it_half_sealed);
    tcase_add_test(table, every_allocation_may_fail);
    suite_add_tcase(suite, table);
    return suite;
}
