/* fuzz_csv.c - any bytes as CSV: read or refused with a sentence, the same way however they are
 * cut; and what was read is written, and read again as the same CSV.
 *
 * Input: a byte that seeds the cuts, then the file. Pieces lie in blocks of their exact size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "heap/table_csv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/export_all.h"
#include "tests/support/random.h"

struct target {
    struct heap *h;
    value table;
    int status;
    struct table_error error;
};

static int open_table(void *data, const struct table_field *fields, uint32_t count,
                      struct table **t, struct table_error *error)
{
    struct target *target = data;
    int failed = table_create(target->h, fields, count, &target->table, error);
    if (failed) target->table = VALUE_NIL;
    else *t = table_of(target->h, target->table);
    return failed;
}

/* Whole (`rng` NULL) or in random pieces. */
static void read_csv(struct target *t, const unsigned char *data, size_t size, uint64_t *rng)
{
    struct csv_options options = {.delimiter = ','};
    struct heap_config config = {.max_bytes = (size_t)64 << 20, .hash_key = "fixed for tests"};
    struct csv_reader *r = csv_reader_create(&options, open_table, t);
    size_t at = 0;
    *t = (struct target){.table = VALUE_NIL};
    if (!r || heap_create(&t->h, &config) != 0) abort();
    while (at < size && t->status >= 0) {
        size_t used, part = size - at;
        if (rng) part = 1 + (size_t)random_below(rng, part < 40 ? part : 40);
        unsigned char *copy = malloc(part);
        if (!copy) abort();
        memcpy(copy, data + at, part);
        t->status = csv_reader_feed(r, copy, part, &used, &t->error);
        free(copy);
        if (used > part || (used == 0 && t->status >= 0)) abort();
        at += used;
    }
    if (t->status >= 0) t->status = csv_reader_end(r, &t->error);
    if ((t->status < 0) != (t->error.text[0] != 0)) abort();
    csv_reader_destroy(r);
}

static void target_close(struct target *t)
{
    value_release(t->h, t->table);
    heap_destroy(t->h);
}

static struct table_out write_csv(struct target *t)
{
    struct table_out csv = {.data = NULL};
    struct query_error error;
    if (export_all(t->h, table_of(t->h, t->table), NULL, 0, EXPORT_CSV, 0, &csv, &error) != 0 ||
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
    return 0;
}
