/* table_arrow_read.c - an Arrow IPC stream, cut anywhere, into a table.
 *
 * Happy path: a prefix of 8 bytes tells how long the metadata is, the metadata how long the body;
 * both are collected, then the message is understood as a whole. A schema opens the table; a
 * dictionary is copied, some thousands of values a call; a record batch is checked, and then
 * appended some thousands of rows a call, fewer if their texts are long.
 *
 *   PREFIX -> METADATA -> BODY -> PREFIX            a schema
 *                              -> VALUES -> PREFIX  a dictionary
 *                              -> ROWS -> PREFIX    a record batch
 *   PREFIX -> DONE                                  metadata of 0 bytes
 *
 * Lengths in the stream are not believed: buffers grow as bytes come, up to the limits. Any error
 * is final: the reader keeps it and tells it again. */
#include "heap/table_arrow_int.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

int arrow_wrong(struct arrow_reader *r, const char *format, ...)
{
    char what[TABLE_ERROR_BYTES - 40];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    r->error = (struct table_error){.fault = TABLE_FAULT_TYPE, .row = UINT64_MAX,
                                    .column = UINT32_MAX};
    snprintf(r->error.text, sizeof r->error.text, "Arrow message at byte %" PRIu64 ": %s",
             r->offset, what);
    return -EINVAL;
}

int arrow_fail_memory(struct arrow_reader *r)
{
    r->error = (struct table_error){.fault = TABLE_FAULT_MEMORY, .row = UINT64_MAX,
                                    .column = UINT32_MAX};
    snprintf(r->error.text, sizeof r->error.text, "out of memory while reading Arrow");
    return -ENOMEM;
}

/* --- collecting --------------------------------------------------------------------------------*/

/* Fills `out` up to `wanted` bytes. Returns how many were taken. */
static size_t collect(struct table_out *out, uint64_t wanted, const unsigned char *data,
                      size_t length)
{
    uint64_t left = wanted - out->length;
    size_t take = left < length ? (size_t)left : length;
    out_put(out, data, take);
    return take;
}

/* The prefix: FFFFFFFF and the length. (Before version 0.15 of Arrow it was the length alone.) A
 * file is a stream between eight bytes at its beginning and a footer, which is not needed. */
static int prefix_done(struct arrow_reader *r)
{
    uint32_t first, second;
    if (r->offset == 0 && memcmp(r->prefix, "ARROW1\0\0", 8) == 0) {
        r->offset = 8;
        r->prefix_length = 0;
        return 0;
    }
    memcpy(&first, r->prefix, 4);
    memcpy(&second, r->prefix + 4, 4);
    if (first != UINT32_MAX)
        return arrow_wrong(r, "begins with %08" PRIx32 "; it should be ffffffff, as in Arrow "
                              "0.15 or later", first);
    if (second == 0) {
        r->state = READ_DONE;
        return 0;
    }
    if (second > r->limits.metadata_bytes)
        return arrow_wrong(r, "metadata of %" PRIu32 " bytes; the limit is %zu", second,
                           r->limits.metadata_bytes);
    r->metadata_bytes = second;
    r->metadata.length = r->body.length = 0;
    r->state = READ_METADATA;
    return 0;
}

static int flat_wrong(struct arrow_reader *r, const struct flat *f)
{
    return arrow_wrong(r, "metadata has %s, at byte %zu of %zu", f->wrong, f->wrong_at, f->length);
}

static int metadata_done(struct arrow_reader *r)
{
    struct flat f = {r->metadata.data, r->metadata.length, NULL, 0};
    struct flat_view message = flat_view_root(&f);
    int64_t body = (int64_t)flat_view_number(&f, &message, ARROW_MESSAGE_BODY, 8, 0);
    if (f.wrong) return flat_wrong(r, &f);
    if (body < 0 || (uint64_t)body > r->limits.body_bytes)
        return arrow_wrong(r, "a body of %" PRId64 " bytes; the limit is %zu", body,
                           r->limits.body_bytes);
    r->body_bytes = (uint64_t)body;
    r->state = READ_BODY;
    return 0;
}

/* --- messages ----------------------------------------------------------------------------------*/

static int message_read(struct arrow_reader *r, struct flat *f)
{
    struct flat_view message = flat_view_root(f);
    uint64_t version = flat_view_number(f, &message, ARROW_MESSAGE_VERSION, 2, 0);
    uint64_t kind = flat_view_number(f, &message, ARROW_MESSAGE_KIND, 1, 0);
    struct flat_view header = flat_view_table(f, &message, ARROW_MESSAGE_HEADER);
    if (f->wrong) return 0;
    if (version < 3 || version > ARROW_VERSION_5)
        return arrow_wrong(r, "metadata version V%" PRIu64 "; it should be V4 or V5", version + 1);
    if (!header.at) return arrow_wrong(r, "a message without a header");
    if (kind != ARROW_SCHEMA && !r->table)
        return arrow_wrong(r, "a message of kind %" PRIu64 " before the schema", kind);
    switch (kind) {
    case ARROW_SCHEMA:
        if (r->table) return arrow_wrong(r, "a second schema");
        return arrow_read_schema(r, f, &header);
    case ARROW_DICTIONARY_BATCH:
        return arrow_read_dictionary(r, f, &header);
    case ARROW_RECORD_BATCH:
        return arrow_read_batch(r, f, &header);
    default:
        return arrow_wrong(r, "a message of kind %" PRIu64 "; it should be 1 (schema), 2 "
                              "(dictionary) or 3 (record batch)", kind);
    }
}

static int body_done(struct arrow_reader *r)
{
    struct flat f = {r->metadata.data, r->metadata.length, NULL, 0};
    r->state = READ_PREFIX;
    r->prefix_length = 0;
    int failed = message_read(r, &f);
    if (failed) return failed;
    if (f.wrong) return flat_wrong(r, &f);
    if (r->state == READ_PREFIX) r->offset += 8 + r->metadata_bytes + r->body_bytes;
    return 0;
}

/* Some of a batch. */
static int batch_step(struct arrow_reader *r)
{
    int failed = r->state == READ_ROWS ? arrow_append_rows(r) : arrow_add_values(r);
    if (failed || r->batch_done < r->batch_rows) return failed;
    r->state = READ_PREFIX;
    r->offset += 8 + r->metadata_bytes + r->body_bytes;
    return 0;
}

/* --- feeding -----------------------------------------------------------------------------------*/

/* Takes from `data` what the state wants. Returns how many bytes, and in *failed how it went. */
static size_t feed_state(struct arrow_reader *r, const unsigned char *data, size_t length,
                         int *failed)
{
    size_t used = 0;
    switch (r->state) {
    case READ_PREFIX:
        for (; used < length && r->prefix_length < 8; used++)
            r->prefix[r->prefix_length++] = data[used];
        if (r->prefix_length == 8) *failed = prefix_done(r);
        break;
    case READ_METADATA:
        used = collect(&r->metadata, r->metadata_bytes, data, length);
        if (r->metadata.failed) *failed = arrow_fail_memory(r);
        else if (r->metadata.length == r->metadata_bytes) *failed = metadata_done(r);
        break;
    case READ_BODY:
        used = collect(&r->body, r->body_bytes, data, length);
        if (r->body.failed) *failed = arrow_fail_memory(r);
        else if (r->body.length == r->body_bytes) *failed = body_done(r);
        break;
    case READ_VALUES: case READ_ROWS:
        *failed = batch_step(r);
        break;
    default:
        break;
    }
    return used;
}

static bool has_batch(enum reader_state state)
{
    return state == READ_VALUES || state == READ_ROWS;
}

static int feed_failed(struct arrow_reader *r, int failure, struct table_error *error)
{
    r->state = READ_FAILED;
    r->failure = failure;
    if (error) *error = r->error;
    return failure;
}

int arrow_reader_feed(struct arrow_reader *r, const void *data, size_t length, size_t *used,
                      struct table_error *error)
{
    int failed = 0;
    *used = 0;
    if (r->state == READ_FAILED) return feed_failed(r, r->failure, error);
    while (r->state != READ_DONE) {
        enum reader_state before = r->state;
        /* A body of no bytes is complete before more input comes. */
        bool waits = !has_batch(before) && !(before == READ_BODY && r->body_bytes == 0);
        if (waits && *used == length) return TABLE_FEED_MORE;
        size_t took = feed_state(r, (const unsigned char *)data + *used, length - *used, &failed);
        *used += took;
        r->fed += took;
        if (failed) return feed_failed(r, failed, error);
        if (has_batch(before) || before == READ_BODY) return TABLE_FEED_WORK;
    }
    return TABLE_FEED_DONE;
}

int arrow_reader_end(struct arrow_reader *r, struct table_error *error)
{
    if (r->state == READ_FAILED) return feed_failed(r, r->failure, error);
    if (r->state == READ_DONE && r->table) return 0;
    if (r->state == READ_PREFIX && r->prefix_length == 0 && r->table) return 0;
    int failed = r->table || r->state != READ_PREFIX || r->prefix_length
                     ? arrow_wrong(r, "the stream ends in its middle, at byte %" PRIu64, r->fed)
                     : arrow_wrong(r, "the stream ends before its schema");
    return feed_failed(r, failed, error);
}

uint64_t arrow_reader_rows(const struct arrow_reader *r)
{
    return r->rows;
}

size_t arrow_reader_bytes(const struct arrow_reader *r)
{
    size_t bytes = sizeof *r + r->codes_bytes + r->metadata.capacity + r->body.capacity + r->names.capacity;
    bytes += r->column_count * (sizeof *r->columns + sizeof *r->arrays);
    for (uint32_t i = 0; i < r->column_count; i++)
        bytes += r->columns[i].block_count * sizeof *r->columns[i].blocks;
    for (uint32_t i = 0; i < r->dictionary_count; i++)
        bytes += r->dictionaries[i].bytes.capacity +
                 r->dictionaries[i].capacity * sizeof *r->dictionaries[i].ends;
    return bytes;
}

/* --- from beginning to end --------------------------------------------------------------------*/

struct arrow_reader *arrow_reader_create(const struct arrow_limits *limits, table_open_cb *open,
                                         void *data)
{
    struct arrow_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->limits = *limits;
    r->open = open;
    r->open_data = data;
    return r;
}

void arrow_reader_destroy(struct arrow_reader *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct arrow_column *c = &r->columns[i];
        for (uint32_t j = 0; j < c->block_count; j++) free(c->blocks[j]);
        free(c->blocks);
    }
    for (uint32_t i = 0; i < r->dictionary_count; i++) {
        out_close(&r->dictionaries[i].bytes);
        free(r->dictionaries[i].ends);
    }
    out_close(&r->metadata);
    out_close(&r->body);
    out_close(&r->names);
    free(r->columns);
    free(r->dictionaries);
    free(r->arrays);
    free(r->filled);
    free(r);
}
