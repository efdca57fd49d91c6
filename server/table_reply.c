/* table_reply.c - tables, rows and cells in replies: see reply.h. */
#include "server/reply.h"

#include "heap/text.h"
#include "server/build.h"
#include "server/table_value.h"

size_t table_items(uint64_t rows, uint32_t columns)
{
    size_t of_row = 1 + 2 * (size_t)columns;
    return rows > SIZE_MAX / of_row ? SIZE_MAX : (size_t)rows * of_row;
}

int reply_cell(struct reply *r, const struct table_cell *cell)
{
    struct writer *w = r->w;
    if (cell->null) {
        writer_nil(w);
        return 0;
    }
    switch (table_type_class(cell->type)) {
    case TABLE_CLASS_INT: writer_int(w, cell->i); break;
    case TABLE_CLASS_FLOAT: writer_double(w, cell->d); break;
    case TABLE_CLASS_UINT:
        if (cell->type == TABLE_BOOL) {
            writer_bool(w, cell->u != 0);
        } else if (cell->u > INT64_MAX && !r->call->features->ext) {
            call_fail(r->call, ERROR_NEEDS_EXT,
                      "%s: the value holds an integer above int64, which plain MessagePack cannot "
                      "carry; hello({\"ext\": true}) allows it",
                      r->call->method->name);
            return -1;
        } else {
            writer_uint(w, cell->u);
        }
        break;
    case TABLE_CLASS_SYMBOL:
    case TABLE_CLASS_TEXT:
        if (cell->type == TABLE_BIN)
            writer_bin(w, cell->text.data, cell->text.length);
        else
            reply_text(w, cell->text.data, cell->text.length);
        break;
    }
    return 0;
}

static void write_name(struct writer *w, const struct table_field *field)
{
    reply_text(w, field->name, field->name_length);
}

/* A row as a map. */
static int write_row(struct reply *r, const struct table_version *v, uint32_t chunk, uint32_t slot)
{
    const struct table *t = table_version_table(v);
    uint32_t columns = table_column_count(t);
    writer_map(r->w, columns);
    r->opened++;
    for (uint32_t i = 0; i < columns; i++) {
        struct table_cell cell;
        write_name(r->w, table_field(t, i));
        table_cell(v, chunk, slot, i, &cell);
        if (reply_cell(r, &cell) < 0) return -1;
    }
    return 0;
}

static int write_rows(struct reply *r, const struct table_version *v, uint64_t start,
                      uint64_t count, int64_t step)
{
    struct row_walk walk;
    uint32_t chunk, slot;
    row_walk_from(&walk, v, start);
    for (uint64_t i = 0; i < count && r->w->error == WRITER_OK; i++) {
        bool there = step == 1 ? row_walk_next(&walk, &chunk, &slot)
                               : table_locate(v, start + i * (uint64_t)step, &chunk, &slot);
        if (!there) break;
        if (write_row(r, v, chunk, slot) < 0) return -1;
    }
    return 0;
}

int reply_table_rows(struct reply *r, value table, uint64_t start, uint64_t count, int64_t step)
{
    struct table *t = table_of(r->call->heap, table);
    if (reply_charge(r, table_items(count, table_column_count(t))) < 0) return -1;
    struct table_version *v = table_pin(t);
    writer_array(r->w, (size_t)count);
    r->opened++;
    int status = write_rows(r, v, start, count, step);
    table_unpin(v);
    return status;
}

/* ext 6: [rows, bytes, [[name, type]...]] */
static void write_summary(struct writer *w, const struct table *t)
{
    uint32_t columns = table_column_count(t);
    size_t mark = writer_ext_open(w);
    writer_array(w, 3);
    writer_uint(w, table_row_count(t));
    writer_uint(w, table_bytes(t));
    writer_array(w, columns);
    for (uint32_t i = 0; i < columns; i++) {
        writer_array(w, 2);
        write_name(w, table_field(t, i));
        writer_cstr(w, table_type_name(table_field(t, i)->type));
    }
    writer_ext_close(w, mark, EXT_TABLE);
}

/* Whether the rows may be written: a byte for each item at least. */
static bool fits(const struct reply *r, size_t items)
{
    const struct call_host *host = r->call->host;
    return items <= host->reply_elements_max && r->elements <= host->reply_elements_max - items &&
           items <= host->reply_bytes_max;
}

int reply_table(struct reply *r, value table)
{
    const struct table *t = table_of(r->call->heap, table);
    uint64_t rows = table_row_count(t);
    if (!r->call->features->ext || fits(r, table_items(rows, table_column_count(t)))) {
        size_t mark = r->w->length;
        uint64_t opened = r->opened;
        int status = reply_table_rows(r, table, 0, rows, 1);
        if (!r->call->features->ext || r->w->error != WRITER_LIMIT) return status;
        writer_rewind(r->w, mark); /* too many bytes after all */
        r->opened = opened;
    }
    r->opened++;
    write_summary(r->w, t);
    return 0;
}
