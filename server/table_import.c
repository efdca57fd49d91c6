/* table_import.c - see table_import.h. */
#include "server/table_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/equal.h"
#include "heap/list.h"
#include "heap/table_csv.h"
#include "heap/table_npy.h"
#include "server/table_json.h"

/* --- from beginning to end --------------------------------------------------------------------*/

static size_t import_free_step(struct external *e, size_t words, bool *done)
{
    (void)words;
    external_subtract(e, e->bytes);
    *done = true;
    return 1;
}

static int import_verify(const struct external *e, char *message, size_t size)
{
    (void)e, (void)message, (void)size;
    return 0;
}

static const struct external_class import_class = {"import", import_free_step, import_verify};

struct table_import *import_create(struct heap *h, enum import_format format, bool infers,
                                   const struct csv_form *csv_form, size_t bytes_max)
{
    struct table_import *x = calloc(1, sizeof *x);
    if (x == NULL) return NULL;
    x->external.class = &import_class;
    x->external.heap = h;
    external_open(&x->external);
    root_frame_open(h, &x->frame);
    x->format = format;
    x->infers = infers;
    x->csv_form = *csv_form;
    x->bytes_max = bytes_max;
    return x;
}

static void readers_close(struct table_import *x)
{
    csv_reader_destroy(x->csv);
    json_reader_destroy(x->json);
    arrow_reader_destroy(x->arrow);
    npy_reader_destroy(x->npy);
    x->csv = NULL;
    x->json = NULL;
    x->arrow = NULL;
    x->npy = NULL;
}

void import_destroy(struct table_import *x)
{
    if (x == NULL) return;
    table_fork_abandon(&x->fork);
    readers_close(x);
    infer_close(&x->types);
    out_close(&x->held);
    table_schema_close(&x->given);
    if (x->empty != NULL) table_unpin(x->empty);
    if (x->table != NULL) table_let_go_codes(x->table);
    root_frame_close(x->external.heap, &x->frame);
    external_let_go(&x->external);
}

/* --- tables -----------------------------------------------------------------------------------*/

void import_into(struct table_import *x, struct table *t)
{
    x->table = t;
    table_hold_codes(t);
}

int import_keep_path(struct table_import *x, value path)
{
    struct heap *h = x->external.heap;
    if (root_frame_push_take(h, &x->frame, value_share(h, path)) < 0) return -ENOMEM;
    x->has_path = true;
    return 0;
}

/* Of paths: values, and KiB of keys. */
#define EQUAL_LIMIT ((size_t)1 << 16)

/* A path of one segment may stand without its list. */
static value only_segment(const struct heap *h, value path)
{
    bool single = value_is_kind(path, KIND_LIST) && list_length(h, path) == 1;
    return single ? list_get(h, path, 0) : path;
}

bool import_is_at(struct table_import *x, value path)
{
    struct heap *h = x->external.heap;
    if (!x->has_path) return true;
    root_frame_touch(h, &x->frame);
    return value_equal(h, only_segment(h, x->frame.slots[0]), only_segment(h, path),
                       EQUAL_LIMIT) == 1;
}

int import_into_new_take(struct table_import *x, value v)
{
    if (root_frame_push_take(x->external.heap, &x->frame, v) < 0) return -ENOMEM;
    import_into(x, table_of(x->external.heap, v));
    x->fresh = true;
    return 0;
}

value import_stored(struct table_import *x)
{
    root_frame_touch(x->external.heap, &x->frame);
    value v = x->frame.slots[x->frame.count - 1];
    x->frame.slots[x->frame.count - 1] = VALUE_NIL;
    x->fresh = false;
    return v;
}

/* What readers call once they know their columns: the table that there is, or a new one. */
static int open_table(void *data, const struct table_field *fields, uint32_t count,
                      struct table **t, struct table_error *error)
{
    struct table_import *x = data;
    value v;
    if (x->table == NULL) {
        int failed = table_create(x->external.heap, fields, count, &v, error);
        if (failed) return failed;
        if (import_into_new_take(x, v) < 0) {
            value_release(x->external.heap, v);
            return text_memory(error, "a schema");
        }
        if (x->infers) x->empty = table_pin(x->table);
    }
    *t = x->table;
    return 0;
}

/* --- types ------------------------------------------------------------------------------------*/

static bool is_text(const struct table_import *x)
{
    return x->format == IMPORT_CSV || x->format == IMPORT_JSONL;
}

bool import_lacks_types(const struct table_import *x)
{
    return is_text(x) && x->table == NULL && !x->infers;
}

int import_types_given(struct table_import *x, struct table_error *error)
{
    for (uint32_t i = 0; i < x->given.count; i++) {
        char quoted[TEXT_QUOTE_BYTES];
        const struct table_field *f = &x->given.fields[i];
        if (infer_find(&x->types, f->name, f->name_length, i) != UINT32_MAX) continue;
        if (x->format == IMPORT_JSONL && x->types.count < TABLE_COLUMNS_MAX) {
            if (infer_add(&x->types, f->name, f->name_length) < 0)
                return text_memory(error, "a schema");
            continue;
        }
        *error = (struct table_error){.fault = TABLE_FAULT_TYPE, .row = UINT64_MAX};
        snprintf(error->text, sizeof error->text, "option types: the file has no column %.140s",
                 text_quote(quoted, f->name, f->name_length));
        return -EINVAL;
    }
    return 0;
}

void import_types_end(struct table_import *x) { readers_close(x); }

int import_hold(struct table_import *x, const void *data, size_t length, struct table_error *error)
{
    out_put(&x->held, data, length);
    return x->held.failed ? text_memory(error, "a file") : 0;
}

void import_hold_only(struct table_import *x, size_t length)
{
    if (length == 0) out_close(&x->held);
    else x->held.length = length;
}

size_t import_held(const struct table_import *x, const char **data)
{
    *data = (const char *)x->held.data + x->held_at;
    return x->held.length - x->held_at;
}

void import_held_read(struct table_import *x, size_t length)
{
    x->held_at += length;
    if (x->held_at < x->held.length) return;
    out_close(&x->held);
    x->held_at = 0;
}

uint32_t import_field_count(const struct table_import *x)
{
    if (is_text(x)) return x->types.count;
    return x->table != NULL ? table_column_count(x->table) : 0;
}

void import_field(const struct table_import *x, uint32_t i, struct table_field *field)
{
    if (!is_text(x)) {
        *field = *table_field(x->table, i);
        return;
    }
    infer_field(&x->types, i, field);
    for (uint32_t k = 0; k < x->given.count; k++) {
        const struct table_field *f = &x->given.fields[k];
        if (f->name_length != field->name_length ||
            memcmp(f->name, field->name, f->name_length) != 0)
            continue;
        field->type = f->type;
        field->null = true;
        return;
    }
}

/* --- reading ----------------------------------------------------------------------------------*/

static struct csv_reader *open_csv(struct table_import *x, bool types)
{
    struct csv_options options = {
        .delimiter = x->csv_form.delimiter,
        .no_header = x->csv_form.no_header,
        .match_names = true,
        .null_text = x->csv_form.null_text,
        .null_length = x->csv_form.null_length,
        .infer = types ? &x->types : NULL,
    };
    return csv_reader_create(&options, open_table, x);
}

static bool open_reader(struct table_import *x, bool types)
{
    const struct arrow_limits limits = {
        .metadata_bytes = (size_t)4 << 20,
        .body_bytes = x->bytes_max / 2, /* buffers grow by half, so they may take more */
        .dictionary_bytes = x->bytes_max / 8,
        .codes_bytes = x->bytes_max / 2,
    };
    switch (x->format) {
    case IMPORT_CSV: return (x->csv = open_csv(x, types)) != NULL;
    case IMPORT_JSONL:
        x->json = json_reader_create(types ? NULL : x->table, types ? &x->types : NULL);
        return x->json != NULL;
    case IMPORT_ARROW: return (x->arrow = arrow_reader_create(&limits, open_table, x)) != NULL;
    default: return (x->npy = npy_reader_create(open_table, x)) != NULL;
    }
}

int import_begin(struct table_import *x, bool types, struct table_error *error)
{
    bool begun = x->csv != NULL || x->json != NULL || x->arrow != NULL || x->npy != NULL;
    if (!begun && !open_reader(x, types && is_text(x))) return text_memory(error, "a file");
    if (types || x->table == NULL || x->fresh || x->fork.t != NULL) return 0;
    return table_fork_begin(x->table, &x->fork, error);
}

static size_t held_bytes(const struct table_import *x)
{
    return infer_bytes(&x->types) + x->held.capacity +
           x->given.count * (size_t)TABLE_NAME_BYTES_MAX +
           (x->csv != NULL ? csv_reader_bytes(x->csv) : 0) +
           (x->json != NULL ? json_reader_bytes(x->json) : 0) +
           (x->arrow != NULL ? arrow_reader_bytes(x->arrow) : 0) +
           (x->npy != NULL ? npy_reader_bytes(x->npy) : 0);
}

/* Counts what is held by now: 0 or an error. */
static int count_bytes(struct table_import *x, struct table_error *error)
{
    size_t bytes = held_bytes(x), counted = x->external.bytes;
    if (bytes > x->bytes_max) {
        *error = (struct table_error){.fault = TABLE_FAULT_LIMIT, .row = UINT64_MAX};
        snprintf(error->text, sizeof error->text,
                 "what is not whole yet takes %zu bytes; the limit is %zu (table-import-memory)",
                 bytes, x->bytes_max);
        return -E2BIG;
    }
    if (bytes < counted) external_subtract(&x->external, counted - bytes);
    else if (bytes > counted && external_add(&x->external, bytes - counted) < 0)
        return text_memory(error, "a file");
    return 0;
}

static int feed(struct table_import *x, const void *data, size_t length, size_t *used,
                struct table_error *error)
{
    switch (x->format) {
    case IMPORT_CSV: return csv_reader_feed(x->csv, data, length, used, error);
    case IMPORT_JSONL: return json_reader_feed(x->json, data, length, used, error);
    case IMPORT_ARROW: return arrow_reader_feed(x->arrow, data, length, used, error);
    default: return npy_reader_feed(x->npy, data, length, used, error);
    }
}

int import_feed(struct table_import *x, const void *data, size_t length, size_t *used,
                struct table_error *error)
{
    bool forked = x->fork.t != NULL;
    if (forked) table_fork_enter(&x->fork);
    int status = feed(x, data, length, used, error);
    if (forked) table_fork_leave(&x->fork);
    int failed = status < 0 ? 0 : count_bytes(x, error);
    return failed < 0 ? failed : status;
}

static int flush(struct table_import *x, bool last, struct table_error *error)
{
    switch (x->format) {
    case IMPORT_CSV:
        return last ? csv_reader_end(x->csv, error) : csv_reader_flush(x->csv, error);
    case IMPORT_JSONL:
        return last ? json_reader_end(x->json, error) : json_reader_flush(x->json, error);
    case IMPORT_ARROW: return last ? arrow_reader_end(x->arrow, error) : 0;
    default: return last ? npy_reader_end(x->npy, error) : npy_reader_flush(x->npy, error);
    }
}

int import_flush(struct table_import *x, bool last, struct table_error *error)
{
    bool forked = x->fork.t != NULL;
    if (forked) table_fork_enter(&x->fork);
    int failed = flush(x, last, error);
    if (forked) table_fork_leave(&x->fork);
    if (!failed) failed = count_bytes(x, error);
    /* A table that is only read into keeps no rows. */
    if (!failed && x->empty != NULL) table_restore(x->table, x->empty);
    return failed;
}

int import_join(struct table_import *x, uint64_t end_ns, struct table_error *error)
{
    return x->fork.t != NULL ? table_fork_join(&x->fork, end_ns, error) : 0;
}

uint64_t import_rows(const struct table_import *x)
{
    if (x->csv != NULL) return csv_reader_rows(x->csv);
    if (x->json != NULL) return json_reader_rows(x->json);
    if (x->arrow != NULL) return arrow_reader_rows(x->arrow);
    return x->npy != NULL ? npy_reader_rows(x->npy) : 0;
}
