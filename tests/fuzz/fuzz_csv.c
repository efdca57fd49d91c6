/* fuzz_csv.c - any bytes as CSV: read or refused with a sentence, the same way however they are
 * cut; and what was read is written, and read again as the same CSV. The types that are inferred of
 * all of it hold all of it, when it is read in pieces, each of which is appended at once.
 *
 * Input: a byte that seeds the cuts, then the file. Pieces lie in blocks of their exact size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "heap/table_batch.h"
#include "heap/table_csv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_table.h"
#include "tests/support/export_all.h"
#include "tests/support/random.h"

struct target {
    struct fuzz_table made;
    int status;
    struct table_error error;
};

/* All of the input; in random pieces if there is `rng`, flushed after each if `flushes`. */
static int feed_all(struct csv_reader *r, const unsigned char *data, size_t size, uint64_t *rng,
                    bool flushes, struct table_error *error)
{
    int status = 0;
    for (size_t at = 0, used; at < size && status >= 0; at += used) {
        size_t part = size - at;
        if (rng) part = 1 + (size_t)random_below(rng, part < 40 ? part : 40);
        unsigned char *copy = malloc(part);
        if (!copy) abort();
        memcpy(copy, data + at, part);
        status = csv_reader_feed(r, copy, part, &used, error);
        free(copy);
        if (used > part || (used == 0 && status >= 0)) abort();
        if (status >= 0 && flushes) status = csv_reader_flush(r, error);
    }
    if (status >= 0) status = csv_reader_end(r, error);
    if ((status < 0) != (error->text[0] != 0)) abort();
    return status;
}

/* Whole (`rng` NULL) or in random pieces. */
static void read_csv(struct target *t, const unsigned char *data, size_t size, uint64_t *rng)
{
    struct csv_options options = {.delimiter = ','};
    *t = (struct target){.made = {fuzz_heap_open(), VALUE_NIL}};
    struct csv_reader *r = csv_reader_create(&options, fuzz_table_open, &t->made);
    if (!r) abort();
    t->status = feed_all(r, data, size, rng, false, &t->error);
    csv_reader_destroy(r);
}

/* --- types that are inferred -------------------------------------------------------------------*/

static int open_given(void *data, const struct table_field *fields, uint32_t count,
                      struct table **t, struct table_error *error)
{
    struct target *target = data;
    (void)fields, (void)count, (void)error;
    *t = table_of(target->made.h, target->made.table);
    return 0;
}

/* A table of what was inferred; false if there can be none, as with two columns of a name. */
static bool make_table(struct target *t, const struct table_infer *x)
{
    struct table_field *fields = calloc(x->count + 1, sizeof *fields);
    if (!fields) abort();
    for (uint32_t i = 0; i < x->count; i++) infer_field(x, i, &fields[i]);
    int failed = table_create(t->made.h, fields, x->count, &t->made.table, &t->error);
    free(fields);
    t->error.text[0] = 0;
    return failed == 0;
}

static void infer_and_read(const unsigned char *data, size_t size, uint64_t *rng)
{
    struct table_infer x = {.columns = NULL};
    struct target t = {.made = {fuzz_heap_open(), VALUE_NIL}};
    struct csv_options infers = {.infer = &x}, named = {.match_names = true};
    struct csv_reader *r = csv_reader_create(&infers, NULL, NULL);
    if (!r) abort();
    int status = feed_all(r, data, size, rng, random_below(rng, 2), &t.error);
    csv_reader_destroy(r);
    if (status == 0 && make_table(&t, &x)) {
        r = csv_reader_create(&named, open_given, &t);
        if (!r) abort();
        status = feed_all(r, data, size, rng, true, &t.error);
        if (status < 0 && !strstr(t.error.text, "is not UTF-8")) {
            fprintf(stderr, "inferred, but not read: %s\n", t.error.text);
            abort();
        }
        if (status == 0 && table_row_count(table_of(t.made.h, t.made.table)) != x.rows) abort();
        csv_reader_destroy(r);
    }
    infer_close(&x);
    value_release(t.made.h, t.made.table);
    heap_destroy(t.made.h);
}

static void target_close(struct target *t)
{
    value_release(t->made.h, t->made.table);
    heap_destroy(t->made.h);
}

static struct table_out write_csv(struct target *t)
{
    struct table_out csv = {.data = NULL};
    struct query_error error;
    if (export_all(t->made.h, table_of(t->made.h, t->made.table), NULL, 0, EXPORT_CSV, 0, &csv,
                   &error) != 0 ||
        csv.failed)
        abort();
    return csv;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target whole, parts, again;
    if (size < 2) return 0;
    uint64_t rng = data[0];
    read_csv(&whole, data + 1, size - 1, NULL);
    read_csv(&parts, data + 1, size - 1, &rng);
    if (whole.status != parts.status || strcmp(whole.error.text, parts.error.text) != 0) {
        fprintf(stderr, "whole: %s\nparts: %s\n", whole.error.text, parts.error.text);
        abort();
    }
    if (whole.status == 0) {
        struct table_out first = write_csv(&whole);
        read_csv(&again, first.data, first.length, NULL);
        if (again.status != 0) {
            fprintf(stderr, "written, but not read: %s\n", again.error.text);
            abort();
        }
        struct table_out second = write_csv(&again);
        if (first.length != second.length || memcmp(first.data, second.data, first.length) != 0)
            abort();
        out_close(&first);
        out_close(&second);
        target_close(&again);
    }
    target_close(&whole);
    target_close(&parts);
    infer_and_read(data + 1, size - 1, &rng);
    return 0;
}
