/* arrow_sample.c - see arrow_sample.h. */
#include "tests/support/arrow_sample.h"

#include <stdio.h>

#include "tests/support/export_all.h"

static value make_table(struct heap *h)
{
    static const struct table_field fields[] = {
        {"id", 2, TABLE_I64, false, false}, {"a longer name", 13, TABLE_SYM, true, false}};
    static const int64_t ids[] = {7, 8, 9};
    static const struct table_text names[] = {{"a text of a cell", 16}, {NULL, 0}, {"b", 1}};
    struct table_append a;
    struct table_error e;
    value v;
    if (table_create(h, fields, 2, &v, &e) || table_append_begin(table_of(h, v), 3, &a, &e) ||
        table_append_raw(&a, 0, 3, ids, NULL, 0, &e) || table_append_texts(&a, 1, 3, names, &e) ||
        table_append_commit(&a, NULL, &e))
        abort();
    return v;
}

char *arrow_sample_literal(void)
{
    struct heap_config config = {.max_bytes = (size_t)16 << 20, .hash_key = "fixed for tests"};
    struct table_out stream = {.data = NULL}, text = {.data = NULL};
    struct query_error error;
    struct heap *h;
    if (heap_create(&h, &config) != 0) abort();
    value v = make_table(h);
    if (export_all(h, table_of(h, v), NULL, 0, EXPORT_ARROW, 0, &stream, &error) != 0) abort();
    out_text(&text, "b'");
    for (size_t i = 0; i < stream.length; i++) {
        char escape[5];
        snprintf(escape, sizeof escape, "\\x%02x", stream.data[i]);
        out_text(&text, escape);
    }
    out_put(&text, "'", 2);
    if (text.failed) abort();
    out_close(&stream);
    value_release(h, v);
    heap_destroy(h);
    return (char *)text.data;
}
