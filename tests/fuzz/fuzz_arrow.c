/* fuzz_arrow.c - any bytes as an Arrow stream: read or refused with a sentence, the same way
 * however they are cut, and never a read outside. What is read is written, and read again.
 *
 * Input: one byte that seeds the cuts, then the stream. Pieces lie in blocks of their exact
 * size, for AddressSanitizer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "heap/table_arrow.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_table.h"
#include "tests/support/export_all.h"
#include "tests/support/random.h"

struct outcome {
    int status;
    uint64_t rows;
    char text[TABLE_ERROR_BYTES];
};

/* Feeds the stream whole (`rng` NULL) or in random pieces. */
static struct outcome read_stream(struct fuzz_table *target, const uint8_t *data, size_t size,
                                  uint64_t *rng)
{
    struct arrow_limits limits = {1 << 16, 1 << 20, 1 << 20, 1 << 20};
    struct arrow_reader *r = arrow_reader_create(&limits, fuzz_table_open, target);
    struct table_error error = {.text = ""};
    size_t at = 0;
    int status = TABLE_FEED_MORE;
    if (!r) abort();
    while (status >= 0 && status != TABLE_FEED_DONE && (at < size || status == TABLE_FEED_WORK)) {
        size_t used, part = size - at;
        if (rng && part > 1) part = 1 + (size_t)random_below(rng, part < 300 ? part : 300);
        uint8_t *copy = malloc(part);
        if (!copy && part) abort();
        if (part) memcpy(copy, data + at, part);
        status = arrow_reader_feed(r, copy, part, &used, &error);
        free(copy);
        if (used > part) abort();
        at += used;
    }
    if (status >= 0) status = arrow_reader_end(r, &error);
    if ((status < 0) != (error.text[0] != 0)) abort();
    struct outcome o = {status, arrow_reader_rows(r), ""};
    memcpy(o.text, error.text, sizeof o.text);
    arrow_reader_destroy(r);
    return o;
}

static void write_again(struct fuzz_table *target, uint64_t rows)
{
    struct table *t = table_of(target->h, target->table);
    struct fuzz_table copy = {target->h, VALUE_NIL};
    struct table_out stream = {.data = NULL};
    struct query_error error;
    if (export_all(target->h, t, NULL, 0, EXPORT_ARROW, 0, &stream, &error) != 0 || stream.failed)
        abort();
    struct outcome o = read_stream(&copy, stream.data, stream.length, NULL);
    if (o.status == 0 && o.rows != rows) abort();
    out_close(&stream);
    value_release(target->h, copy.table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct fuzz_table whole = {fuzz_heap_open(), VALUE_NIL};
    struct fuzz_table parts = {fuzz_heap_open(), VALUE_NIL};
    uint64_t rng = data[0];
    struct outcome a = read_stream(&whole, data + 1, size - 1, NULL);
    struct outcome b = read_stream(&parts, data + 1, size - 1, &rng);
    if (a.status != b.status || a.rows != b.rows || strcmp(a.text, b.text) != 0) {
        fprintf(stderr, "whole: %d %s\nparts: %d %s\n", a.status, a.text, b.status, b.text);
        abort();
    }
    if (a.status == 0) write_again(&whole, a.rows);
    value_release(whole.h, whole.table);
    value_release(parts.h, parts.table);
    heap_destroy(whole.h);
    heap_destroy(parts.h);
    return 0;
}
