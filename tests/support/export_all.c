/* export_all.c - see export_all.h. */
#include "tests/support/export_all.h"

#include "heap/list.h"
#include "heap/text.h"

/* The names of columns; VALUE_ABSENT when memory is short. */
static value names_of(struct heap *h, const struct table *t, const uint32_t *columns,
                      uint32_t count)
{
    value list = list_new(h);
    for (uint32_t i = 0; i < count && list != VALUE_ABSENT; i++) {
        const struct table_field *f = table_field(t, columns[i]);
        value name = text_new(h, f->name, f->name_length, true);
        if (name != VALUE_ABSENT && list_push_take(h, list, name) == 0) continue;
        value_release(h, name);
        value_release(h, list);
        return VALUE_ABSENT;
    }
    return list;
}

int export_scan(struct heap *h, struct table *t, const uint32_t *columns, uint32_t count,
                struct query **query, struct query_error *error)
{
    struct query_spec spec;
    int failed = query_spec_read(h, VALUE_NIL, false, &spec, error);
    if (failed) return failed;
    if (columns) {
        spec.select = names_of(h, t, columns, count);
        *error = (struct query_error){.fault = QUERY_FAULT_MEMORY};
        if (spec.select == VALUE_ABSENT) return -ENOMEM;
    }
    struct table_version *pin = table_pin(t);
    failed = query_scan_create(h, pin, &spec, 0, query, error);
    if (failed) table_unpin(pin);
    value_release(h, spec.select);
    return failed;
}

int export_query(struct query *q, struct query *counter, const struct export_options *options,
                 uint64_t budget_ns, struct table_out *stream, struct query_error *error)
{
    struct export *e;
    const unsigned char *data;
    size_t length;
    int more = export_create(q, counter, options, &e, error);
    if (more < 0) {
        if (counter) query_destroy(counter);
        return more;
    }
    do {
        more = export_step(e, budget_ns, &data, &length, error);
        if (more >= 0 && length) out_put(stream, data, length);
    } while (more > 0);
    export_destroy(e);
    return more;
}

int export_all(struct heap *h, struct table *t, const uint32_t *columns, uint32_t count,
               enum export_format format, uint64_t budget_ns, struct table_out *stream,
               struct query_error *error)
{
    struct export_options options = {.format = format};
    struct query *q, *counter = NULL;
    int failed = export_scan(h, t, columns, count, &q, error);
    if (failed) return failed;
    if (format == EXPORT_NPY) failed = export_scan(h, t, columns, count, &counter, error);
    if (!failed) failed = export_query(q, counter, &options, budget_ns, stream, error);
    query_destroy(q);
    return failed;
}
