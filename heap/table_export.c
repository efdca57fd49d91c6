/* table_export.c - see table_export.h: the steps that all formats share. */
#include "heap/table_export_int.h"

#include <stdarg.h>
#include <stdio.h>

#include "heap/text.h"

/* A buffer that grew beyond this is not kept between pieces. */
#define KEPT_BYTES ((size_t)8 << 20)

static const struct export_class *const classes[] = {
    [EXPORT_ARROW] = &arrow_export,
    [EXPORT_CSV] = &csv_export,
    [EXPORT_JSONL] = &jsonl_export,
    [EXPORT_NPY] = &npy_export,
};

const char *export_format_name(enum export_format format)
{
    static const char *const names[] = {
#define X(name, text) text,
        EXPORT_FORMATS(X)
#undef X
    };
    return names[format];
}

int export_fail(struct query_error *error, enum query_fault fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->fault = fault;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return query_fault_errno(fault);
}

int export_fail_memory(struct query *q, struct query_error *error)
{
    *error = *query_error_last(q);
    return error->fault == QUERY_FAULT_LIMIT ? -E2BIG : -ENOMEM;
}

int export_check_names(struct query *q, const char *what, struct query_error *error)
{
    for (uint32_t i = 0; i < query_column_count(q); i++) {
        const struct query_column *c = query_column(q, i);
        if (utf8_valid(c->name, c->name_length)) continue;
        return export_fail(error, QUERY_FAULT_TYPE,
                           "the name of column %u is not UTF-8, as names in %s must be; let can "
                           "give it another one, and select leave this one out", i, what);
    }
    return 0;
}

int export_create(struct query *query, struct query *counter, const struct export_options *options,
                  struct export **export, struct query_error *error)
{
    const struct export_class *class = classes[options->format];
    struct export *e;
    *error = (struct query_error){.fault = QUERY_FAULT_NONE};
    int failed = class->create(query, counter, options, &e, error);
    if (failed) return failed;
    e->class = class;
    e->query = e->out.query = query;
    export_set_sizes(e, options->piece_bytes, options->rows_max);
    *export = e;
    return 0;
}

void export_set_sizes(struct export *e, size_t piece_bytes, uint32_t rows_max)
{
    e->piece_bytes = piece_bytes ? piece_bytes : EXPORT_PIECE_BYTES;
    if (e->piece_bytes > EXPORT_PIECE_BYTES_MAX) e->piece_bytes = EXPORT_PIECE_BYTES_MAX;
    e->rows_max = rows_max;
}

int export_step(struct export *e, uint64_t budget_ns, const unsigned char **data, size_t *length,
                struct query_error *error)
{
    uint64_t begin = table_clock_ns(), spent = 0;
    int outcome;
    if (e->lent) {
        if (e->out.capacity > KEPT_BYTES) out_close(&e->out);
        e->out.length = 0;
        e->lent = false;
    }
    *data = NULL;
    *length = 0;
    do {
        outcome = e->class->work(e, budget_ns - spent);
        if (outcome >= 0 && e->out.failed) outcome = export_fail_memory(e->query, &e->error);
        spent = table_clock_ns() - begin;
    } while (outcome == EXPORT_BUSY && spent < budget_ns);
    if (outcome < 0) {
        *error = e->error;
        return outcome;
    }
    if (outcome == EXPORT_BUSY) return 1;
    e->lent = true;
    *data = e->out.data;
    *length = e->out.length;
    return outcome == EXPORT_PIECE;
}

int export_look_ahead(struct export *e, uint64_t budget_ns, const unsigned char **data,
                      size_t *length)
{
    if (!e->lent || !e->class->settled(e)) return 1;
    int found = query_look_ahead(e->query, budget_ns);
    if (found != QUERY_END) return found == QUERY_BUSY ? QUERY_BUSY : 1;
    size_t used = (size_t)(*data - e->out.data);
    if (e->class->end) e->class->end(e);
    if (e->out.failed) return 1;
    *data = e->out.data + used;
    *length = e->out.length - used;
    return 0;
}

uint64_t export_rows(const struct export *e) { return e->rows; }

enum export_format export_format_of(const struct export *e)
{
    int format = 0;
    while (classes[format] != e->class) format++;
    return (enum export_format)format;
}

void export_destroy(struct export *e)
{
    if (!e) return;
    if (e->class->close) e->class->close(e);
    out_close(&e->out);
}
