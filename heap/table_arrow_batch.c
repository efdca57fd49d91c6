/* table_arrow_batch.c - the arrays of record batches and dictionaries, checked to lie inside of
 * their message's body; and dictionaries themselves. */
#include "heap/table_arrow_int.h"

#include <inttypes.h>

#define NAME(length, data) (int)((length) > 64 ? 64 : (length)), (const char *)(data)

/* --- arrays ------------------------------------------------------------------------------------*/

int arrow_batch_begin(struct arrow_reader *r, struct flat *f, const struct flat_view *header,
                      struct arrow_batch *batch)
{
    int64_t rows = (int64_t)flat_view_number(f, header, ARROW_BATCH_LENGTH, 8, 0);
    *batch = (struct arrow_batch){.rows = (uint64_t)rows};
    batch->nodes = flat_view_vector(f, header, ARROW_BATCH_NODES, 16);
    batch->buffers = flat_view_vector(f, header, ARROW_BATCH_BUFFERS, 16);
    if (flat_view_has(f, header, ARROW_BATCH_COMPRESSION))
        return arrow_wrong(r, "a compressed body; only uncompressed ones are read");
    /* Every column needs a bit per row at least. */
    if (rows < 0 || (uint64_t)rows > r->body.length * 8)
        return arrow_wrong(r, "a batch of %" PRId64 " rows in a body of %zu bytes", rows,
                           r->body.length);
    return 0;
}

/* The next buffer, of at least `needed` bytes. */
static int next_buffer(struct arrow_reader *r, const struct flat *f, struct arrow_batch *b,
                       uint64_t needed, const char *what, const char *name, size_t name_length,
                       const unsigned char **data, uint64_t *bytes)
{
    if (b->buffer == b->buffers.count)
        return arrow_wrong(r, "column \"%.*s\": its %s buffer is missing", NAME(name_length, name),
                           what);
    size_t at = b->buffers.at + 16 * (size_t)b->buffer++;
    int64_t offset = flat_int64(f, at), length = flat_int64(f, at + 8);
    uint64_t size = r->body.length;
    if (offset < 0 || length < 0 || (uint64_t)length > size ||
        (uint64_t)offset > size - (uint64_t)length)
        return arrow_wrong(r, "column \"%.*s\": its %s buffer, %" PRId64 " bytes at %" PRId64
                              ", is outside of the body of %" PRIu64 " bytes",
                           NAME(name_length, name), what, length, offset, size);
    if ((uint64_t)length < needed)
        return arrow_wrong(r, "column \"%.*s\": its %s buffer has %" PRId64 " bytes; %" PRIu64
                              " rows need %" PRIu64, NAME(name_length, name), what, length, b->rows,
                           needed);
    *data = r->body.data ? r->body.data + offset : NULL;
    *bytes = (uint64_t)length;
    return 0;
}

int arrow_batch_array(struct arrow_reader *r, struct flat *f, struct arrow_batch *b,
                      enum arrow_layout layout, unsigned width, const char *name,
                      size_t name_length, struct arrow_array *array)
{
    const unsigned char *valid;
    uint64_t bytes, rows = b->rows, bitmap = (rows + 7) / 8;
    if (b->node == b->nodes.count)
        return arrow_wrong(r, "column \"%.*s\" is missing in a batch", NAME(name_length, name));
    size_t at = b->nodes.at + 16 * (size_t)b->node++;
    int64_t length = flat_int64(f, at), nulls = flat_int64(f, at + 8);
    if (length < 0 || (uint64_t)length != rows || nulls < 0 || (uint64_t)nulls > rows)
        return arrow_wrong(r, "column \"%.*s\": %" PRId64 " rows, %" PRId64 " of them null, in a "
                              "batch of %" PRIu64, NAME(name_length, name), length, nulls, rows);
    int failed = next_buffer(r, f, b, nulls ? bitmap : 0, "validity", name, name_length, &valid,
                             &bytes);
    if (failed) return failed;
    array->valid = nulls ? valid : NULL;
    bool texts = layout == LAYOUT_TEXTS || layout == LAYOUT_LARGE_TEXTS;
    uint64_t offsets = rows ? (rows + 1) * (layout == LAYOUT_TEXTS ? 4 : 8) : 0;
    if (texts)
        failed = next_buffer(r, f, b, offsets, "offsets", name, name_length, &array->offsets,
                             &bytes);
    if (failed) return failed;
    uint64_t needed = texts ? 0 : layout == LAYOUT_BITS ? bitmap : rows * width;
    return next_buffer(r, f, b, needed, "values", name, name_length, &array->values,
                       &array->values_bytes);
}

int arrow_text(struct arrow_reader *r, const struct arrow_array *array, bool large, uint64_t row,
               struct table_text *text)
{
    int64_t begin, end;
    if (large) {
        memcpy(&begin, array->offsets + row * 8, 8);
        memcpy(&end, array->offsets + row * 8 + 8, 8);
    } else {
        int32_t two[2];
        memcpy(two, array->offsets + row * 4, 8);
        begin = two[0];
        end = two[1];
    }
    if (begin < 0 || end < begin || (uint64_t)end > array->values_bytes)
        return arrow_wrong(r, "record %" PRIu64 " of a batch: a text from %" PRId64 " to %"
                              PRId64 " of %" PRIu64 " bytes", row + 1, begin, end,
                           array->values_bytes);
    *text = (struct table_text){array->values ? (const char *)array->values + begin : "",
                                (size_t)(end - begin)};
    return 0;
}

/* --- dictionaries ------------------------------------------------------------------------------*/

static int dictionary_reserve(struct arrow_reader *r, struct arrow_dictionary *d, uint64_t count)
{
    if (count <= d->capacity) return 0;
    uint64_t capacity = d->capacity + d->capacity / 2; /* many small pieces may come */
    if (capacity < count || capacity > TABLE_SYMBOLS_MAX) capacity = count;
    if (count > TABLE_SYMBOLS_MAX)
        return arrow_wrong(r, "dictionary %" PRId64 " would have %" PRIu64 " values; the limit is "
                              "%" PRIu32, d->id, count, TABLE_SYMBOLS_MAX);
    uint64_t *ends = realloc(d->ends, capacity * sizeof *ends);
    if (!ends) return arrow_fail_memory(r);
    d->ends = ends;
    d->capacity = (uint32_t)capacity;
    return 0;
}

static size_t dictionaries_bytes(const struct arrow_reader *r)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < r->dictionary_count; i++) bytes += r->dictionaries[i].bytes.length;
    return bytes;
}

int arrow_add_values(struct arrow_reader *r)
{
    struct arrow_dictionary *d = r->growing;
    const struct arrow_array *array = &r->values;
    size_t room = r->limits.dictionary_bytes - dictionaries_bytes(r), begin = d->bytes.length;
    uint64_t end = r->batch_rows;
    if (end - r->batch_done > ARROW_STEP_VALUES) end = r->batch_done + ARROW_STEP_VALUES;
    while (r->batch_done < end && d->bytes.length - begin < ARROW_STEP_BYTES) {
        struct table_text text;
        uint64_t i = r->batch_done++;
        if (array->valid && !(array->valid[i / 8] >> i % 8 & 1))
            return arrow_wrong(r, "dictionary %" PRId64 " has a null, value %" PRIu64
                                  "; nulls belong into the column", d->id, i);
        int failed = arrow_text(r, array, d->large, i, &text);
        if (failed) return failed;
        if (text.length > room)
            return arrow_wrong(r, "dictionaries of more than %zu bytes, which is the limit",
                               r->limits.dictionary_bytes);
        room -= text.length;
        out_put(&d->bytes, text.data, text.length);
        if (d->bytes.failed) return arrow_fail_memory(r);
        d->ends[d->count++] = d->bytes.length;
    }
    return 0;
}

int arrow_read_dictionary(struct arrow_reader *r, struct flat *f, const struct flat_view *header)
{
    int64_t id = (int64_t)flat_view_number(f, header, ARROW_DICTIONARY_ID, 8, 0);
    bool delta = flat_view_number(f, header, ARROW_DICTIONARY_DELTA, 1, 0) != 0;
    struct flat_view data = flat_view_table(f, header, ARROW_DICTIONARY_DATA);
    struct arrow_dictionary *d = NULL;
    struct arrow_batch batch;
    struct arrow_array array = {.valid = NULL};
    for (uint32_t i = 0; i < r->dictionary_count; i++)
        if (r->dictionaries[i].id == id) d = &r->dictionaries[i];
    if (f->wrong) return 0;
    if (!d) return arrow_wrong(r, "dictionary %" PRId64 " belongs to no column", id);
    int failed = arrow_batch_begin(r, f, &data, &batch);
    if (failed || f->wrong) return failed;
    failed = arrow_batch_array(r, f, &batch, d->large ? LAYOUT_LARGE_TEXTS : LAYOUT_TEXTS, 0,
                               "(dictionary)", 12, &array);
    if (failed) return failed;
    if (!delta) {
        d->count = 0;
        d->bytes.length = 0;
        d->generation++;
    }
    failed = dictionary_reserve(r, d, d->count + batch.rows);
    if (failed) return failed;
    r->growing = d;
    r->values = array;
    r->batch_rows = batch.rows;
    r->batch_done = 0;
    r->state = READ_VALUES;
    return 0;
}

/* --- record batches ----------------------------------------------------------------------------*/

/* Places for the blocks of a map from a dictionary's codes to the table's, as long as the dictionary
 * is now. */
static int prepare_codes(struct arrow_reader *r, struct arrow_column *c)
{
    const struct arrow_dictionary *d = &r->dictionaries[c->dictionary];
    uint32_t count = (d->count + ARROW_BLOCK_CODES - 1) / ARROW_BLOCK_CODES;
    if (c->generation != d->generation) c->known = 0;
    c->generation = d->generation;
    if (count <= c->block_count || table_field(r->table, c->target)->type != TABLE_SYM) return 0;
    struct arrow_codes **blocks = realloc(c->blocks, count * sizeof(*blocks));
    if (!blocks) return arrow_fail_memory(r);
    memset(blocks + c->block_count, 0, (count - c->block_count) * sizeof(*blocks));
    c->blocks = blocks;
    c->block_count = count;
    return 0;
}

int arrow_read_batch(struct arrow_reader *r, struct flat *f, const struct flat_view *header)
{
    struct arrow_batch batch;
    int failed = arrow_batch_begin(r, f, header, &batch);
    if (failed || f->wrong) return failed;
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct arrow_column *c = &r->columns[i];
        failed = arrow_batch_array(r, f, &batch, c->layout, c->width, c->field.name,
                                   c->field.name_length, &r->arrays[i]);
        if (!failed && c->dictionary != UINT32_MAX) failed = prepare_codes(r, c);
        if (failed) return failed;
    }
    r->batch_rows = batch.rows;
    r->batch_done = 0;
    r->state = READ_ROWS;
    return 0;
}
