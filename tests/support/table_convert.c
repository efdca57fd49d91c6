/* table_convert.c - reads a table from one file, and writes it to others; for the tests of formats.
 *
 *     table_convert IN OUT...     formats by the files' names: .arrows (a stream) .csv .jsonl .npy
 *     table_convert --sample OUT...    a table with a column of every type
 *     table_convert --symbols=N OUT... a table with N different symbols, two columns
 *
 * Prints "ROWS rows, COLUMNS columns: NAME TYPE, ..." and ends with 0; or prints the error and
 * ends with 1. Reads in pieces of an odd size, and writes in the smallest steps there are. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "heap/table_csv.h"
#include "heap/table_npy.h"
#include "tests/support/export_all.h"

#define PIECE 65521

static struct heap *h;
static struct table_error error;

static _Noreturn void fail(const char *what)
{
    printf("%s\n", what);
    exit(EXIT_FAILURE);
}

static bool ends_with(const char *path, const char *end)
{
    size_t a = strlen(path), b = strlen(end);
    return a >= b && strcmp(path + a - b, end) == 0;
}

static int open_table(void *data, const struct table_field *fields, uint32_t count,
                      struct table **t, struct table_error *e)
{
    value *v = data;
    int failed = table_create(h, fields, count, v, e);
    if (!failed) *t = table_of(h, *v);
    return failed;
}

/* --- reading -----------------------------------------------------------------------------------*/

struct readers {
    struct arrow_reader *arrow;
    struct csv_reader *csv;
    struct npy_reader *npy;
};

static int feed(struct readers *r, const void *data, size_t length, size_t *used)
{
    if (r->arrow) return arrow_reader_feed(r->arrow, data, length, used, &error);
    if (r->csv) return csv_reader_feed(r->csv, data, length, used, &error);
    return npy_reader_feed(r->npy, data, length, used, &error);
}

static int feed_end(struct readers *r)
{
    if (r->arrow) return arrow_reader_end(r->arrow, &error);
    if (r->csv) return csv_reader_end(r->csv, &error);
    return npy_reader_end(r->npy, &error);
}

static void read_table(const char *path, value *v)
{
    struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct csv_options options = {.delimiter = ends_with(path, ".tsv") ? '\t' : ','};
    struct readers r = {.arrow = NULL};
    static char piece[PIECE];
    size_t length;
    FILE *file = fopen(path, "rb");
    if (!file) fail("no such file");
    if (ends_with(path, ".arrows"))
        r.arrow = arrow_reader_create(&limits, open_table, v);
    else if (ends_with(path, ".npy"))
        r.npy = npy_reader_create(open_table, v);
    else
        r.csv = csv_reader_create(&options, open_table, v);
    while ((length = fread(piece, 1, sizeof piece, file)) > 0) {
        size_t at = 0, used;
        int status;
        do {
            status = feed(&r, piece + at, length - at, &used);
            at += used;
        } while (status == TABLE_FEED_WORK);
        if (status < 0) fail(error.text);
    }
    fclose(file);
    if (feed_end(&r) != 0) fail(error.text);
    arrow_reader_destroy(r.arrow);
    csv_reader_destroy(r.csv);
    npy_reader_destroy(r.npy);
}

/* --- samples -----------------------------------------------------------------------------------*/

#define SAMPLE_ROWS 3000

static int64_t sample_int(uint32_t row, unsigned bits)
{
    int64_t max = (int64_t)(UINT64_MAX >> (65 - bits));
    return row % 5 == 0 ? max : row % 5 == 1 ? -max - 1 : (int64_t)row % 100;
}

static double sample_double(uint32_t row)
{
    static const double some[] = {NAN, INFINITY, -INFINITY, -0.0, 1e308, 5e-324, 0.1, 1.0 / 3};
    return row % 11 < 8 ? some[row % 11] : row * 0.25;
}

static void append_sample(struct table_append *a, uint32_t column, const struct table_field *f,
                          uint32_t row)
{
    size_t bytes = table_type_bytes(f->type);
    union {
        int64_t i;
        double d;
        float f;
    } e = {.i = sample_int(row, bytes ? 8 * (unsigned)bytes : 8)};
    char room[40];
    int failed, length = snprintf(room, sizeof room, "søte \"bær\", %u\n", row % 300);
    struct table_text text = {room, (size_t)length};
    if (f->type == TABLE_F64) e.d = sample_double(row);
    if (f->type == TABLE_F32) e.f = (float)sample_double(row);
    if (f->type == TABLE_BOOL) e.i = row % 3 == 0;
    if (f->type == TABLE_DATE) e.i = (int64_t)row - 1000;
    if (f->type == TABLE_TS) e.i = ((int64_t)row - 1000) * 86400000001;
    if (row % 4 == 1) text.length = 0;
    if (f->null && row % 7 == 3)
        failed = table_append_nulls(a, column, 1, &error);
    else if (f->type == TABLE_STR || f->type == TABLE_SYM || f->type == TABLE_BIN)
        failed = table_append_texts(a, column, 1, &text, &error);
    else
        failed = table_append_raw(a, column, 1, &e, NULL, 0, &error);
    if (failed) fail(error.text);
}

static void make_sample(value *v)
{
    struct table_field fields[2 * TABLE_TYPE_COUNT];
    char names[2 * TABLE_TYPE_COUNT][16];
    struct table_append a;
    for (unsigned i = 0; i < 2 * TABLE_TYPE_COUNT; i++) {
        enum table_type type = i / 2;
        int length = snprintf(names[i], sizeof names[i], "%s%s", table_type_name(type),
                              i % 2 ? "_null" : "");
        fields[i] = (struct table_field){names[i], (size_t)length, type, i % 2 == 1, false};
    }
    if (table_create(h, fields, 2 * TABLE_TYPE_COUNT, v, &error) != 0 ||
        table_append_begin(table_of(h, *v), SAMPLE_ROWS, &a, &error) != 0)
        fail(error.text);
    for (unsigned i = 0; i < 2 * TABLE_TYPE_COUNT; i++)
        for (uint32_t row = 0; row < SAMPLE_ROWS; row++) append_sample(&a, i, &fields[i], row);
    if (table_append_commit(&a, NULL, &error) != 0) fail(error.text);
}

static void make_symbols(value *v, uint32_t count)
{
    struct table_field fields[] = {{"number", 6, TABLE_U32, false, false},
                                   {"symbol", 6, TABLE_SYM, false, false}};
    struct table_append a;
    if (table_create(h, fields, 2, v, &error) != 0 ||
        table_append_begin(table_of(h, *v), count, &a, &error) != 0)
        fail(error.text);
    for (uint32_t i = 0; i < count; i++) {
        char room[24];
        struct table_text text = {room, (size_t)snprintf(room, sizeof room, "symbol %" PRIu32, i)};
        if (table_append_raw(&a, 0, 1, &i, NULL, 0, &error) != 0 ||
            table_append_texts(&a, 1, 1, &text, &error) != 0)
            fail(error.text);
    }
    if (table_append_commit(&a, NULL, &error) != 0) fail(error.text);
}

/* --- writing -----------------------------------------------------------------------------------*/

static void write_table(const char *path, struct table *t)
{
    struct table_out out = {.data = NULL};
    struct query_error wrong;
    FILE *file = fopen(path, "wb");
    if (!file) fail("cannot write");
    enum export_format format = ends_with(path, ".arrows")  ? EXPORT_ARROW
                                : ends_with(path, ".npy")   ? EXPORT_NPY
                                : ends_with(path, ".jsonl") ? EXPORT_JSONL
                                                            : EXPORT_CSV;
    if (export_all(h, t, NULL, 0, format, 0, &out, &wrong) != 0) fail(wrong.text);
    if (out.length) fwrite(out.data, 1, out.length, file);
    if (out.failed || fclose(file) != 0) fail("cannot write");
    out_close(&out);
}

int main(int argc, char **argv)
{
    struct heap_config config = {.max_bytes = (size_t)1 << 30, .hash_key = "fixed for tests"};
    value v = VALUE_ABSENT;
    uint32_t symbols;
    if (argc < 2) fail("table_convert IN OUT...");
    if (heap_create(&h, &config) != 0) fail("no heap");
    if (strcmp(argv[1], "--sample") == 0)
        make_sample(&v);
    else if (sscanf(argv[1], "--symbols=%" SCNu32, &symbols) == 1)
        make_symbols(&v, symbols);
    else
        read_table(argv[1], &v);
    struct table *t = table_of(h, v);
    table_close_tail(t);
    while (table_seal_step(t, 1000000) == 1) continue;
    printf("%" PRIu64 " rows, %" PRIu32 " columns:", table_row_count(t), table_column_count(t));
    for (uint32_t i = 0; i < table_column_count(t); i++)
        printf("%s %.*s %s", i ? "," : "", (int)table_field(t, i)->name_length,
               table_field(t, i)->name, table_type_name(table_field(t, i)->type));
    printf("\n");
    for (int i = 2; i < argc; i++) write_table(argv[i], t);
    heap_destroy(h);
    return 0;
}
