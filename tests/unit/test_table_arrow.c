/* Arrow streams: every type there and back, in any cut, with nulls, extremes and deletions; and
 * streams that are broken anywhere. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heap/table_arrow.h"
#include "heap/table_draft.h"
#include "heap/list.h"
#include "heap/table_npy.h"
#include "heap/text.h"
#include "tests/support/expect.h"
#include "tests/support/export_all.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/heap_literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct heap *h;
static value tables[2];

static void setup(void)
{
    h = heap_fixture_open(0);
    tables[0] = tables[1] = VALUE_NIL;
}
static void teardown(void)
{
    value_release(h, tables[0]);
    value_release(h, tables[1]);
    heap_fixture_close(h);
}

#define COLUMNS (2 * TABLE_TYPE_COUNT)

static uint64_t sample_bits(enum table_type type, uint64_t *rng)
{
    static const double some[] = {NAN, INFINITY, -INFINITY, -0.0, 1e308, 5e-324, 0.1};
    uint64_t bits = random_next(rng), pick = bits % 4;
    if (type == TABLE_BOOL) return bits & 1;
    if (pick == 0 && (type == TABLE_F64 || type == TABLE_F32)) {
        double d = some[bits / 4 % 7];
        float f = (float)d;
        bits = 0;
        if (type == TABLE_F64) memcpy(&bits, &d, 8);
        else memcpy(&bits, &f, 4);
        return bits;
    }
    return pick == 1 ? 0 : pick == 2 ? UINT64_MAX : pick == 3 ? (uint64_t)1 << 63 : bits;
}

static void fill_cell(struct table_append *a, uint32_t column, const struct table_field *f,
                      uint64_t *rng)
{
    char room[32];
    uint64_t bits = sample_bits(f->type, rng);
    int length = snprintf(room, sizeof room, "%u søt", (unsigned)(bits >> 20) % 700);
    struct table_text text = {room, (size_t)length};
    if (bits % 5 == 0) text.length = 0;
    if (f->null && random_below(rng, 3) == 0)
        ck_assert_int_eq(table_append_nulls(a, column, 1, NULL), 0);
    else if (f->type == TABLE_STR || f->type == TABLE_SYM || f->type == TABLE_BIN)
        ck_assert_int_eq(table_append_texts(a, column, 1, &text, NULL), 0);
    else
        expect_equal(table_append_raw(a, column, 1, &bits, NULL, 0, NULL), 0);
}

/* A table with two columns of every type: one without and one with nulls. */
static struct table *make(uint32_t rows, uint64_t seed)
{
    struct table_field fields[COLUMNS];
    char names[COLUMNS][16];
    struct table_append a;
    for (unsigned i = 0; i < COLUMNS; i++) {
        int length = snprintf(names[i], sizeof names[i], "%s%u", table_type_name(i / 2), i % 2);
        fields[i] = (struct table_field){names[i], (size_t)length, i / 2, i % 2, false};
    }
    ck_assert_int_eq(table_create(h, fields, COLUMNS, &tables[0], NULL), 0);
    struct table *t = table_of(h, tables[0]);
    ck_assert_int_eq(table_append_begin(t, rows, &a, NULL), 0);
    for (uint32_t i = 0; i < COLUMNS; i++)
        for (uint32_t row = 0; row < rows; row++) fill_cell(&a, i, table_field(t, i), &seed);
    ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
    return t;
}

static void write_all(struct table *t, uint64_t budget, struct table_out *stream)
{
    struct query_error error;
    int failed = export_all(h, t, NULL, 0, EXPORT_ARROW, budget, stream, &error);
    ck_assert_msg(failed == 0, "%s", error.text);
    expect_true(!stream->failed);
}

static int open_second(void *data, const struct table_field *fields, uint32_t count,
                       struct table **t, struct table_error *error)
{
    (void)data;
    int failed = table_create(h, fields, count, &tables[1], error);
    if (failed) tables[1] = VALUE_NIL;
    else *t = table_of(h, tables[1]);
    return failed;
}

/* Feeds pieces of up to `piece` bytes. 0 or the error. */
static int read_within(const struct arrow_limits *limits, const unsigned char *data, size_t length,
                       size_t piece, struct table_error *error)
{
    struct arrow_reader *r = arrow_reader_create(limits, open_second, NULL);
    size_t at = 0;
    int status = TABLE_FEED_MORE;
    ck_assert_ptr_nonnull(r);
    while (status >= 0 && status != TABLE_FEED_DONE && (at < length || status == TABLE_FEED_WORK)) {
        size_t used, part = length - at < piece ? length - at : piece;
        unsigned char *copy = malloc(part ? part : 1);
        memcpy(copy, data + at, part);
        status = arrow_reader_feed(r, copy, part, &used, error);
        free(copy);
        at += used;
    }
    if (status >= 0) status = arrow_reader_end(r, error);
    arrow_reader_destroy(r);
    return status;
}

static int read_all(const unsigned char *data, size_t length, size_t piece,
                    struct table_error *error)
{
    struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    return read_within(&limits, data, length, piece, error);
}

static bool cells_equal(const struct table_cell *a, const struct table_cell *b)
{
    if (a->null || b->null) return a->null && b->null;
    enum table_class class = table_type_class(a->type);
    if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL)
        return a->text.length == b->text.length &&
               memcmp(a->text.data, b->text.data, a->text.length) == 0;
    return a->u == b->u || (isnan(a->d) && isnan(b->d) && class == TABLE_CLASS_FLOAT);
}

static bool next_kept(struct table_version *v, uint64_t *row, uint32_t filter, uint32_t *chunk,
                      uint32_t *slot)
{
    for (; table_locate(v, *row, chunk, slot); ++*row) {
        struct table_cell cell;
        if (filter == UINT32_MAX) return true;
        table_cell(v, *chunk, *slot, filter, &cell);
        if (!cell.null && cell.u) return true;
    }
    return false;
}

/* The copy has the rows for which the bool column `filter` is true (UINT32_MAX: all), and of them
 * the columns `columns` (NULL: all). */
static void check_copy(struct table_version *a, const uint32_t *columns, uint32_t filter)
{
    struct table *copy = table_of(h, tables[1]);
    struct table_version *b = table_pin(copy);
    uint32_t chunk, slot, copy_chunk, copy_slot, count = table_column_count(copy);
    uint64_t from = 0;
    for (uint64_t row = 0; row < table_version_rows(b); row++, from++) {
        ck_assert(next_kept(a, &from, filter, &chunk, &slot));
        expect_true(table_locate(b, row, &copy_chunk, &copy_slot));
        for (uint32_t i = 0; i < count; i++) {
            struct table_cell one, two;
            uint32_t column = columns ? columns[i] : i;
            table_cell(a, chunk, slot, column, &one);
            table_cell(b, copy_chunk, copy_slot, i, &two);
            expect(cells_equal(&one, &two), "column %u, row %u", i, (unsigned)row);
            expect_equal(table_field(copy, i)->null,
                         table_field(table_version_table(a), column)->null);
        }
    }
    ck_assert(!next_kept(a, &from, filter, &chunk, &slot));
    table_unpin(b);
    value_release(h, tables[1]);
    tables[1] = VALUE_NIL;
}

static void seal(struct table *t)
{
    table_close_tail(t);
    while (table_seal_step(t, 1000000) == 1) continue;
}

static void round_trip(struct table *t, uint64_t budget, size_t piece)
{
    struct table_version *v = table_pin(t);
    struct table_out stream = {.data = NULL};
    struct table_error error;
    write_all(t, budget, &stream);
    int status = read_all(stream.data, stream.length, piece, &error);
    ck_assert_msg(status == 0, "%s", error.text);
    check_copy(v, NULL, UINT32_MAX);
    out_close(&stream);
    table_unpin(v);
}

START_TEST(every_type_comes_back)
{
    struct table *t = make(5000, 1);
    round_trip(t, 0, 4096);
    seal(t);
    round_trip(t, 0, 100000);
    round_trip(t, UINT64_MAX, SIZE_MAX);
}
END_TEST

START_TEST(a_stream_may_be_cut_anywhere)
{
    struct table *t = make(70, 2);
    round_trip(t, 0, 1);
    round_trip(t, 0, 7);
}
END_TEST

START_TEST(an_empty_table_has_a_schema)
{
    round_trip(make(0, 3), 0, 64);
}
END_TEST

START_TEST(deleted_rows_do_not_go_out)
{
    struct table *t = make(3000, 4);
    seal(t);
    uint64_t rng = 5;
    struct table_version *v = table_pin(t);
    for (unsigned i = 0; i < 700; i++) {
        uint32_t chunk, slot;
        table_locate(v, random_below(&rng, 3000), &chunk, &slot);
        ck_assert_int_eq(table_delete(t, chunk, slot, NULL, NULL), 0);
    }
    table_unpin(v);
    round_trip(t, 0, 9999);
}
END_TEST

/* Rows where bool0 is true, of these columns, and back. */
static void select_and_check(struct table *t, const uint32_t *columns, uint32_t count,
                             const char *where, uint32_t filter)
{
    struct query_spec spec;
    struct query_error error;
    struct table_error read_error;
    struct query *q;
    struct table_out stream = {.data = NULL};
    struct export_options options = {.format = EXPORT_ARROW, .piece_bytes = 60000};
    ck_assert_int_eq(query_spec_read(h, VALUE_NIL, false, &spec, &error), 0);
    spec.where = heap_literal(h, where);
    spec.select = list_new(h);
    for (uint32_t i = 0; i < count; i++) {
        const struct table_field *f = table_field(t, columns[i]);
        value name = text_new(h, f->name, f->name_length, true);
        ck_assert_int_eq(list_push_take(h, spec.select, name), 0);
    }
    struct table_version *v = table_pin(t);
    int failed = query_scan_create(h, table_pin(t), &spec, 0, &q, &error);
    ck_assert_msg(failed == 0, "%s", error.text);
    ck_assert_int_eq(export_query(q, NULL, &options, 0, &stream, &error), 0);
    query_destroy(q);
    ck_assert_int_eq(read_all(stream.data, stream.length, 5000, &read_error), 0);
    check_copy(v, columns, filter);
    out_close(&stream);
    table_unpin(v);
    value_release(h, spec.where);
    value_release(h, spec.select);
}

/* With texts rows come as batches, without as parts; whole vectors and bits of them. */
START_TEST(a_selection_of_rows_and_columns_goes_out)
{
    uint32_t fixed[COLUMNS], all[COLUMNS], count = 0;
    struct table *t = make(10000, 6);
    uint32_t filter = 2 * TABLE_BOOL;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        all[i] = COLUMNS - 1 - i;
        if (i / 2 != TABLE_STR && i / 2 != TABLE_BIN) fixed[count++] = i;
    }
    for (int sealed = 0; sealed < 2; sealed++) {
        select_and_check(t, fixed, count, "['=', 'bool0', true]", filter);
        select_and_check(t, fixed, count, "nil", UINT32_MAX);
        select_and_check(t, all, COLUMNS, "['=', 'bool0', true]", filter);
        select_and_check(t, (uint32_t[]){2 * TABLE_BOOL + 1}, 1, "['=', 'bool0', true]", filter);
        select_and_check(t, (uint32_t[]){25, 0, 21}, 3, "nil", UINT32_MAX);
        seal(t);
        struct table_version *v = table_pin(t);
        uint32_t chunk, slot;
        table_locate(v, 5000, &chunk, &slot);
        table_unpin(v);
        ck_assert_int_eq(table_delete(t, chunk, slot, NULL, NULL), 0);
    }
}
END_TEST

START_TEST(a_broken_stream_is_refused_wherever_it_is_broken)
{
    struct table *t = make(40, 7);
    struct table_out stream = {.data = NULL};
    struct table_error error;
    write_all(t, 0, &stream);
    for (size_t cut = 0; cut + 8 < stream.length; cut += cut < 200 ? 1 : 97) {
        int status = read_all(stream.data, cut, SIZE_MAX, &error);
        /* At the end of a message it is only the mark of the end that lacks. */
        expect(status == 0 || strstr(error.text, "Arrow"), "%s", error.text);
        value_release(h, tables[1]);
        tables[1] = VALUE_NIL;
    }
    uint64_t rng = 8;
    unsigned refused = 0;
    for (unsigned i = 0; i < 3000; i++) {
        size_t at = (size_t)random_below(&rng, stream.length);
        unsigned char old = stream.data[at];
        stream.data[at] = (unsigned char)random_next(&rng);
        if (read_all(stream.data, stream.length, SIZE_MAX, &error) != 0) {
            refused++;
            expect(strlen(error.text) > 10, "no text");
        }
        stream.data[at] = old;
        value_release(h, tables[1]);
        tables[1] = VALUE_NIL;
    }
    ck_assert_uint_gt(refused, 300);
    out_close(&stream);
}
END_TEST

START_TEST(names_are_utf8)
{
    struct table *t = make(1, 11);
    struct table_out stream = {.data = NULL};
    struct table_error error;
    write_all(t, 0, &stream);
    char *name = memmem(stream.data, stream.length, "u161", 4); /* of column 12 */
    ck_assert_ptr_nonnull(name);
    name[1] = '\xff';
    ck_assert_int_eq(read_all(stream.data, stream.length, SIZE_MAX, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, "the name of column 12 is not UTF-8"), "%s", error.text);
    out_close(&stream);
}
END_TEST

static int read_text(const char *text, size_t length, struct table_error *error)
{
    return read_all((const unsigned char *)text, length, 9, error);
}

START_TEST(what_is_no_arrow_is_named)
{
    struct table_error error;
    ck_assert_int_eq(read_text("PAR1\0\0\0\0", 8, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, "byte 0: begins with"), "%s", error.text);
    ck_assert_int_eq(read_text("ARROW1\0\0ARROW1\0\0", 16, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, "byte 8: begins with"), "%s", error.text);
    ck_assert_int_eq(read_text("", 0, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, "before its schema"), "%s", error.text);
    ck_assert_int_eq(read_text("\xff\xff\xff\xff\xff\xff\xff\x7f", 8, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, "the limit is"), "%s", error.text);
}
END_TEST

START_TEST(each_limit_is_named)
{
    static const char *const named[] = {"metadata of ", "a body of ",
                                        "dictionaries of more than 100 bytes"};
    struct table *t = make(1500, 10);
    struct table_out stream = {.data = NULL};
    write_all(t, 0, &stream);
    for (unsigned i = 0; i < 3; i++) {
        struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
        struct table_error error;
        size_t *const each[] = {&limits.metadata_bytes, &limits.body_bytes,
                                &limits.dictionary_bytes};
        *each[i] = 100;
        ck_assert_int_lt(read_within(&limits, stream.data, stream.length, 999, &error), 0);
        ck_assert_msg(strstr(error.text, named[i]) && strstr(error.text, "limit"), "%s",
                      error.text);
        value_release(h, tables[1]);
        tables[1] = VALUE_NIL;
    }
    out_close(&stream);
}
END_TEST

/* --- memory that is short ----------------------------------------------------------------------*/

/* The n-th allocation of the C library from now on fails; 0: none. */
static uint64_t fail_countdown;
static bool fails(void)
{
    return fail_countdown && --fail_countdown == 0;
}
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

static int read_straight(const struct table_out *stream)
{
    struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct arrow_reader *r = arrow_reader_create(&limits, open_second, NULL);
    struct table_error error;
    size_t at = 0, used;
    int status = r ? TABLE_FEED_MORE : -ENOMEM;
    while (status >= 0 && status != TABLE_FEED_DONE) {
        status = arrow_reader_feed(r, stream->data + at, stream->length - at, &used, &error);
        at += used;
    }
    arrow_reader_destroy(r);
    return status < 0 ? status : 0;
}

static int write_straight(struct table *t)
{
    struct table_out nothing = {.data = NULL};
    struct query_error error;
    uint64_t countdown = fail_countdown;
    struct export_options options = {.format = EXPORT_ARROW, .piece_bytes = 50000};
    struct query *q;
    fail_countdown = 0;
    int failed = export_scan(h, t, NULL, 0, &q, &error);
    ck_assert_int_eq(failed, 0);
    fail_countdown = countdown;
    failed = export_query(q, NULL, &options, 0, &nothing, &error);
    fail_countdown = 0;
    bool told = failed == 0 || nothing.failed || error.fault == QUERY_FAULT_MEMORY;
    query_destroy(q);
    if (failed == 0 && nothing.failed) failed = -ENOMEM;
    out_close(&nothing);
    expect_true(told);
    return failed;
}

/* What the heap counts is refused from the n-th time on. */
static int write_counted(struct table *t, uint64_t n)
{
    struct table_out stream = {.data = NULL};
    struct query_error error;
    heap_fail_nth(h, n);
    int failed = export_all(h, t, NULL, 0, EXPORT_ARROW, 0, &stream, &error);
    heap_fail_nth(h, 0);
    out_close(&stream);
    return failed;
}

START_TEST(every_allocation_may_fail)
{
    struct table *t = make(1500, 10);
    struct table_out stream = {.data = NULL};
    unsigned failures = 0;
    write_all(t, 0, &stream);
    for (int kind = 0; kind < 4; kind++) { /* the writer, the reader, the heap below each */
        int failed = -ENOMEM;
        for (uint64_t n = 1; failed; n++) {
            fail_countdown = kind < 2 ? n : 0;
            if (kind == 2) heap_fail_nth(h, n);
            failed = kind == 0   ? write_straight(t)
                     : kind == 3 ? write_counted(t, n)
                                 : read_straight(&stream);
            fail_countdown = 0;
            heap_fail_nth(h, 0);
            expect_true(failed == 0 || failed == -ENOMEM);
            failures += failed != 0;
            value_release(h, tables[1]);
            tables[1] = VALUE_NIL;
            while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
        }
    }
    ck_assert_uint_gt(failures, 50);
    out_close(&stream);
}
END_TEST

/* --- .npy --------------------------------------------------------------------------------------*/

static void npy_trip(struct table *t, const uint32_t *columns, uint32_t count)
{
    struct table_version *from = table_pin(t);
    struct table_out stream = {.data = NULL};
    struct table_error error;
    struct query_error export_error;
    ck_assert_msg(export_all(h, t, columns, count, EXPORT_NPY, 0, &stream, &export_error) == 0,
                  "%s", export_error.text);
    struct npy_reader *r = npy_reader_create(open_second, NULL);
    for (size_t at = 0, used; at < stream.length; at += used) {
        size_t part = stream.length - at < 1000 ? stream.length - at : 1000;
        ck_assert_int_ge(npy_reader_feed(r, stream.data + at, part, &used, &error), 0);
    }
    ck_assert_msg(npy_reader_end(r, &error) == 0, "%s", error.text);
    out_close(&stream);
    npy_reader_destroy(r);
    struct table_version *v = table_pin(table_of(h, tables[1]));
    ck_assert_uint_eq(table_version_rows(v), table_version_rows(from));
    for (uint32_t i = 0; i < count; i++)
        for (uint64_t row = 0; row < table_version_rows(v); row++) {
            uint32_t chunk, slot;
            struct table_cell one, two;
            table_locate(from, row, &chunk, &slot);
            table_cell(from, chunk, slot, columns[i], &one);
            table_locate(v, row, &chunk, &slot);
            table_cell(v, chunk, slot, i, &two);
            if (one.null) expect_true(isnan(two.d));
            else expect_true(cells_equal(&one, &two));
        }
    table_unpin(v);
    value_release(h, tables[1]);
    tables[1] = VALUE_NIL;
    table_unpin(from);
}

START_TEST(npy_files_come_back)
{
    struct table *t = make(3000, 9);
    for (uint32_t type = 0; type < TABLE_TYPE_COUNT; type++) {
        if (table_type_bytes(type) && type != TABLE_SYM && type != TABLE_DATE)
            npy_trip(t, (uint32_t[]){2 * type}, 1);
    }
    npy_trip(t, (uint32_t[]){2 * TABLE_F64, 2 * TABLE_F64 + 1}, 2);
    npy_trip(t, (uint32_t[]){2 * TABLE_F32 + 1}, 1);
    npy_trip(t, (uint32_t[]){2 * TABLE_DATE}, 1);
    struct table_out none = {.data = NULL};
    struct query_error error;
    int failed = export_all(h, t, (uint32_t[]){0, 2}, 2, EXPORT_NPY, 0, &none, &error);
    ck_assert_int_eq(failed, -EINVAL);
    ck_assert_msg(strstr(error.text, "one type"), "%s", error.text);
    failed = export_all(h, t, (uint32_t[]){1}, 1, EXPORT_NPY, 0, &none, &error);
    ck_assert_int_eq(failed, -EINVAL);
    ck_assert_msg(strstr(error.text, "has a null"), "%s", error.text);
    out_close(&none);
}
END_TEST

/* --- symbols that are taken back ---------------------------------------------------------------*/

#define COMING 3000

static void append_text(struct table_append *a, const char *text)
{
    struct table_error error;
    struct table_text cell = {text, strlen(text)};
    ck_assert_msg(table_append_texts(a, 0, 1, &cell, &error) == 0, "%s", error.text);
}

/* A draft with an append that made symbols. */
static struct table_draft *draft_symbols(struct table *t, struct table_append *a, const char *name)
{
    struct table_draft *d;
    struct table_error error;
    char text[20];
    ck_assert_int_eq(table_draft_open(t, &d, &error), 0);
    table_draft_enter(d);
    ck_assert_int_eq(table_append_open(d, COMING, a, &error), 0);
    ck_assert_int_ge(table_append_reserve(a, UINT64_MAX), 0);
    for (int i = 0; i < COMING; i++) {
        snprintf(text, sizeof text, "%s%d", name, i);
        append_text(a, text);
    }
    table_draft_leave(d);
    return d;
}

static void take_back(struct table *t, struct table_append *a, struct table_draft *d)
{
    table_append_close(a);
    table_draft_abandon(d);
    while (table_is_busy(t)) heap_drop_step(h, 100000);
    ck_assert_uint_eq(table_symbol_count(t, 0), 1);
}

/* The next piece. False: it was the last. */
static bool take_piece(struct export *e, struct table_out *stream)
{
    const unsigned char *data;
    size_t length = 0;
    struct query_error error;
    int more = 1;
    while (more == 1 && length == 0) more = export_step(e, 0, &data, &length, &error);
    ck_assert_msg(more >= 0, "%s", error.text);
    unsigned char *to = out_room(stream, length);
    if (length) memcpy(to, data, length);
    out_add(stream, length);
    return more;
}

/* An export that began when there were symbols nobody had committed; they go, and others may come,
 * when `pieces` of it are out. */
static void export_meanwhile(struct table *t, unsigned pieces, bool others)
{
    struct table_append a;
    struct table_out stream = {.data = NULL};
    struct export_options options = {.format = EXPORT_ARROW, .piece_bytes = 100};
    struct export *e;
    struct query *q;
    struct query_error error;
    struct table_draft *d = draft_symbols(t, &a, "one ");
    ck_assert_int_eq(export_scan(h, t, NULL, 0, &q, &error), 0);
    ck_assert_int_eq(export_create(q, NULL, &options, &e, &error), 0);
    for (unsigned i = 0; i < pieces; i++) expect_true(take_piece(e, &stream));
    take_back(t, &a, d);
    if (others) d = draft_symbols(t, &a, "other ");
    while (take_piece(e, &stream)) continue;
    if (others) take_back(t, &a, d);
    export_destroy(e);
    query_destroy(q);
    struct table_error read_error;
    ck_assert_msg(read_all(stream.data, stream.length, 1000, &read_error) == 0, "%s",
                  read_error.text);
    struct table_version *from = table_pin(t);
    check_copy(from, NULL, UINT32_MAX);
    table_unpin(from);
    out_close(&stream);
}

START_TEST(symbols_are_taken_back_while_they_go_out)
{
    const struct table_field field = {.name = "s", .name_length = 1, .type = TABLE_SYM};
    struct table_error error;
    struct table_append a;
    ck_assert_int_eq(table_create(h, &field, 1, &tables[0], &error), 0);
    struct table *t = table_of(h, tables[0]);
    ck_assert_int_eq(table_append_begin(t, 1, &a, &error), 0);
    append_text(&a, "kept");
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    for (unsigned pieces = 0; pieces < 3; pieces++) {
        export_meanwhile(t, pieces, false);
        export_meanwhile(t, pieces, true);
    }
}
END_TEST

/* --- dictionaries of many symbols --------------------------------------------------------------*/

#define MANY_SYMBOLS 40001

static struct table *make_symbols(void)
{
    const struct table_field fields[] = {{.name = "s", .name_length = 1, .type = TABLE_SYM},
                                         {.name = "i", .name_length = 1, .type = TABLE_I32},
                                         {.name = "few", .name_length = 3, .type = TABLE_SYM}};
    struct table_append a;
    ck_assert_int_eq(table_create(h, fields, 3, &tables[0], NULL), 0);
    struct table *t = table_of(h, tables[0]);
    ck_assert_int_eq(table_append_begin(t, MANY_SYMBOLS, &a, NULL), 0);
    for (uint32_t i = 0; i < MANY_SYMBOLS; i++) {
        char room[32];
        struct table_text text = {room, i == 9 ? 0 : (size_t)sprintf(room, "symbol %u", i)};
        struct table_text few = {"few", i % 4};
        if (few.length > 3) few.length = 0;
        ck_assert_int_eq(table_append_texts(&a, 0, 1, &text, NULL), 0);
        ck_assert_int_eq(table_append_raw(&a, 1, 1, &i, NULL, 0, NULL), 0);
        ck_assert_int_eq(table_append_texts(&a, 2, 1, &few, NULL), 0);
    }
    ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
    return t;
}

static int write_dictionaries(struct table *t, const struct export_options *options,
                              struct table_out *stream)
{
    struct query *q;
    struct query_error error;
    int failed = export_scan(h, t, NULL, 0, &q, &error);
    if (failed) return failed;
    failed = export_query(q, NULL, options, 0, stream, &error);
    query_destroy(q);
    return failed;
}

static struct table_out trip_dictionaries(struct table *t, struct export_options options)
{
    struct table_out stream = {.data = NULL};
    struct table_error error;
    ck_assert_int_eq(write_dictionaries(t, &options, &stream), 0);
    ck_assert_msg(read_all(stream.data, stream.length, 4096, &error) == 0, "%s", error.text);
    struct table_version *from = table_pin(t);
    check_copy(from, NULL, UINT32_MAX);
    table_unpin(from);
    return stream;
}

static bool same_bytes(const struct table_out *a, const struct table_out *b)
{
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

START_TEST(dictionaries_go_out_whole_or_in_pieces)
{
    struct table *t = make_symbols();
    const struct export_options options[] = {
        {.dictionary = EXPORT_DICTIONARY_DELTA},
        {.dictionary_bytes = 100000}, /* it has more */
        {.dictionary = EXPORT_DICTIONARY_AUTO},
        {.dictionary = EXPORT_DICTIONARY_WHOLE, .dictionary_bytes = 100000},
    };
    struct table_out streams[4];
    for (unsigned i = 0; i < 4; i++) streams[i] = trip_dictionaries(t, options[i]);
    expect_true(same_bytes(&streams[0], &streams[1]));
    expect_true(same_bytes(&streams[2], &streams[3]));
    expect_true(!same_bytes(&streams[0], &streams[2]));
    for (unsigned i = 0; i < 4; i++) out_close(&streams[i]);
    for (size_t piece = 1; piece < 1 << 20; piece = piece * 7 + 90) {
        struct table_out stream = trip_dictionaries(
            t, (struct export_options){.piece_bytes = piece,
                                       .dictionary = EXPORT_DICTIONARY_WHOLE});
        out_close(&stream);
    }
}
END_TEST

START_TEST(pieces_of_a_whole_dictionary_are_short)
{
    struct export_options options = {.dictionary = EXPORT_DICTIONARY_WHOLE, .piece_bytes = 50000};
    struct table *t = make_symbols();
    struct query_error error;
    struct query *q;
    struct export *e;
    const unsigned char *data;
    size_t length;
    unsigned pieces = 0;
    ck_assert_int_eq(export_scan(h, t, NULL, 0, &q, &error), 0);
    ck_assert_int_eq(export_create(q, NULL, &options, &e, &error), 0);
    while (export_rows(e) == 0 && export_step(e, 0, &data, &length, &error) == 1) {
        ck_assert_uint_lt(length, 3 * options.piece_bytes);
        pieces += length > 0;
    }
    ck_assert_uint_gt(pieces, 8); /* 160 kB of offsets, 450 kB of texts */
    export_destroy(e);
    query_destroy(q);
}
END_TEST

START_TEST(a_whole_dictionary_survives_every_failure)
{
    const struct export_options options = {.dictionary = EXPORT_DICTIONARY_WHOLE};
    struct table *t = make_symbols();
    unsigned failures = 0;
    for (int counted = 0; counted < 2; counted++) {
        int failed = -ENOMEM;
        for (uint64_t n = 1; failed; n++, failures++) {
            struct table_out stream = {.data = NULL};
            fail_countdown = counted ? 0 : n;
            heap_fail_nth(h, counted ? n : 0);
            failed = write_dictionaries(t, &options, &stream);
            fail_countdown = 0;
            heap_fail_nth(h, 0);
            failed |= stream.failed ? -ENOMEM : 0; /* the test's own buffer */
            expect_true(failed == 0 || failed == -ENOMEM);
            out_close(&stream);
        }
    }
    ck_assert_uint_gt(failures, 10);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("table_arrow");
    TCase *c = tcase_create("arrow");
    tcase_set_timeout(c, 300);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, every_type_comes_back);
    tcase_add_test(c, a_stream_may_be_cut_anywhere);
    tcase_add_test(c, an_empty_table_has_a_schema);
    tcase_add_test(c, deleted_rows_do_not_go_out);
    tcase_add_test(c, a_selection_of_rows_and_columns_goes_out);
    tcase_add_test(c, a_broken_stream_is_refused_wherever_it_is_broken);
    tcase_add_test(c, names_are_utf8);
    tcase_add_test(c, what_is_no_arrow_is_named);
    tcase_add_test(c, each_limit_is_named);
    tcase_add_test(c, every_allocation_may_fail);
    tcase_add_test(c, npy_files_come_back);
    tcase_add_test(c, symbols_are_taken_back_while_they_go_out);
    tcase_add_test(c, dictionaries_go_out_whole_or_in_pieces);
    tcase_add_test(c, pieces_of_a_whole_dictionary_are_short);
    tcase_add_test(c, a_whole_dictionary_survives_every_failure);
    suite_add_tcase(s, c);
    return s;
}
