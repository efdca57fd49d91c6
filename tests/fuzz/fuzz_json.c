/* fuzz_json.c - any bytes as JSON lines: types are inferred, or there is a sentence, the same way
 * however they are cut; a table of these types holds all of it; and what was read is written, and
 * read again as the same lines.
 *
 * Input: a byte that seeds the cuts, then the file. Pieces lie in blocks of their exact size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "server/table_json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_table.h"
#include "tests/support/export_all.h"
#include "tests/support/random.h"

static _Noreturn void fail(const char *what, const char *more)
{
    fprintf(stderr, "fuzz_json: %s: %s\n", what, more);
    abort();
}

/* All of the input; in random pieces if there is `rng`, flushed after each if `flushes`. */
static int feed_all(struct json_reader *r, const unsigned char *data, size_t size, uint64_t *rng,
                    bool flushes, struct table_error *error)
{
    int status = 0;
    error->text[0] = 0;
    for (size_t at = 0, used; at < size && status >= 0; at += used) {
        size_t part = size - at;
        if (rng) part = 1 + (size_t)random_below(rng, part < 40 ? part : 40);
        unsigned char *copy = malloc(part);
        if (!copy) abort();
        memcpy(copy, data + at, part);
        status = json_reader_feed(r, copy, part, &used, error);
        free(copy);
        if (used > part || (used == 0 && status >= 0)) fail("nothing was used", "");
        if (status >= 0 && flushes) status = json_reader_flush(r, error);
    }
    if (status >= 0) status = json_reader_end(r, error);
    if ((status < 0) != (error->text[0] != 0)) fail("an error without a text", error->text);
    json_reader_destroy(r);
    return status;
}

static int infer(struct table_infer *x, const unsigned char *data, size_t size, uint64_t *rng,
                 struct table_error *error)
{
    *x = (struct table_infer){.columns = NULL};
    struct json_reader *r = json_reader_create(NULL, x);
    if (!r) abort();
    return feed_all(r, data, size, rng, rng && random_below(rng, 2), error);
}

static void compare_fields(const struct table_infer *a, const struct table_infer *b)
{
    if (a->count != b->count || a->rows != b->rows) fail("other columns or rows", "");
    for (uint32_t i = 0; i < a->count; i++) {
        struct table_field f, g;
        infer_field(a, i, &f);
        infer_field(b, i, &g);
        if (f.type != g.type || f.null != g.null || f.name_length != g.name_length ||
            memcmp(f.name, g.name, f.name_length) != 0)
            fail("another column", table_type_name(f.type));
    }
}

static value make_table(struct heap *h, const struct table_infer *x)
{
    struct table_field *fields = calloc(x->count, sizeof *fields);
    struct table_error error;
    value table;
    if (!fields) abort();
    for (uint32_t i = 0; i < x->count; i++) infer_field(x, i, &fields[i]);
    if (table_create(h, fields, x->count, &table, &error) != 0) fail("no table", error.text);
    free(fields);
    return table;
}

static value read_table(struct heap *h, const struct table_infer *x, const unsigned char *data,
                        size_t size, uint64_t *rng)
{
    struct table_error error;
    value table = make_table(h, x);
    struct json_reader *r = json_reader_create(table_of(h, table), NULL);
    if (!r) abort();
    if (feed_all(r, data, size, rng, rng != NULL, &error) != 0)
        fail("inferred, but not read", error.text);
    return table;
}

static struct table_out write_lines(struct heap *h, value table)
{
    struct table_out lines = {.data = NULL};
    struct query_error error;
    if (export_all(h, table_of(h, table), NULL, 0, EXPORT_JSONL, 0, &lines, &error) != 0 ||
        lines.failed)
        abort();
    return lines;
}

static void compare_lines(const struct table_out *a, const struct table_out *b)
{
    if (a->length != b->length || (a->length && memcmp(a->data, b->data, a->length) != 0))
        fail("other rows", "");
}

static void read_and_write(const struct table_infer *x, const unsigned char *data, size_t size,
                           uint64_t *rng)
{
    struct heap *h = fuzz_heap_open();
    value tables[3] = {read_table(h, x, data, size, NULL), read_table(h, x, data, size, rng)};
    struct table_out lines[3] = {write_lines(h, tables[0]), write_lines(h, tables[1])};
    compare_lines(&lines[0], &lines[1]);
    tables[2] = read_table(h, x, lines[0].data, lines[0].length, rng);
    lines[2] = write_lines(h, tables[2]);
    compare_lines(&lines[0], &lines[2]);
    for (int i = 0; i < 3; i++) {
        out_close(&lines[i]);
        value_release(h, tables[i]);
    }
    heap_destroy(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table_infer whole, parts;
    struct table_error error, second;
    if (size < 2) return 0;
    uint64_t rng = data[0];
    int status = infer(&whole, data + 1, size - 1, NULL, &error);
    if (infer(&parts, data + 1, size - 1, &rng, &second) != status ||
        strcmp(error.text, second.text) != 0) {
        fprintf(stderr, "whole: %s\nparts: %s\n", error.text, second.text);
        abort();
    }
    if (status == 0) {
        compare_fields(&whole, &parts);
        if (whole.count) read_and_write(&whole, data + 1, size - 1, &rng);
    }
    infer_close(&whole);
    infer_close(&parts);
    return 0;
}
