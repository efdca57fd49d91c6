/* arrow_sample.c - see arrow_sample.h. */
#include "tests/support/arrow_sample.h"

#include <stdio.h>

#include "heap/table_arrow.h"

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
    struct table_out text = {.data = NULL};
    struct heap *h;
    const unsigned char *data;
    size_t length;
    int more = 1;
    if (heap_create(&h, &config) != 0) abort();
    value v = make_table(h);
    struct table_export e = {.version = table_pin(table_of(h, v))};
    struct arrow_writer *w = arrow_writer_create(&e);
    out_text(&text, "b'");
    while (w && more == 1) {
        more = arrow_writer_step(w, 0, &data, &length);
        for (size_t i = 0; more >= 0 && i < length; i++) out_print(&text, "\\x%02x", data[i]);
    }
    out_put(&text, "'", 2);
    if (!w || more < 0 || text.failed) abort();
    arrow_writer_destroy(w);
    table_unpin(e.version);
    value_release(h, v);
    heap_destroy(h);
    return (char *)text.data;
}
