/* table_alter.c - see table_alter.h.
 *
 * Chunk by chunk, and within one column by column, each of them
 *
 *   shared     the same column block and overlay: what keeps its type, and has no nulls that it may
 *              not have
 *   filled     a new column: one CONST block for all full chunks, or, where rows are still
 *              appended, a plain column
 *   converted  read, converted and stored as a plain column, vector by vector, and sealed before
 *              the next chunk is begun, so that little is plain at any time
 *
 * Deleted rows have cells, too. What does not convert there becomes 0 or "", which is a symbol like
 * others: no query shows it, but indexes read it. At the end columns that are to be sorted are
 * checked. */
#include "heap/table_alter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/table_draft.h"
#include "heap/table_index.h"
#include "heap/table_int.h"

/* Looks at the clock come after so many rows, or bytes of texts. */
#define UNIT_ROWS 256
#define UNIT_TEXT_BYTES ((size_t)1 << 17)

struct table_alter {
    struct table_draft *draft;     /* of the old table, which it keeps busy */
    const struct table_version *base;
    struct table *from, *to;
    const struct table_alter_column *columns;
    uint32_t count;
    enum { ALTER_CHUNKS, ALTER_SEAL, ALTER_ORDER, ALTER_DONE } phase;
    uint32_t chunk, column;        /* where it is; ALTER_ORDER: of the new table */
    uint32_t slot;
    struct chunk *building;
    struct plain_column *out;
    struct table_text text;        /* of the cell that fills `out`, where it stays */
    struct sealed_column **fills;  /* per column, for full chunks; NULL: none yet */
};

static int no_memory(struct table_error *error) { return table_fail_memory(error); }

/* --- begin and end -----------------------------------------------------------------------------*/

static int fill_symbols(struct table_alter *a)
{
    struct table *t = a->to;
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t source = a->columns[i].source;
        if (t->fields[i].type != TABLE_SYM) continue;
        if (source != TABLE_ALTER_NEW && a->from->symbols[source] && !a->columns[i].renew)
            t->symbols[i] = symbols_share(a->from->symbols[source]);
        else if (!(t->symbols[i] = symbols_new(t)))
            return -ENOMEM;
    }
    return 0;
}

/* The new table, without rows and unseen. */
static int open_table(struct table_alter *a)
{
    struct table_field fields[TABLE_COLUMNS_MAX];
    for (uint32_t i = 0; i < a->count; i++) fields[i] = a->columns[i].field;
    a->to = table_new(a->from->external.heap, fields, a->count);
    if (!a->to) return -ENOMEM;
    a->to->hidden = true;
    external_open(&a->to->external);
    if (external_join(&a->to->external, &a->from->external) != 0) return -ENOMEM;
    a->to->current = version_new(a->to);
    return a->to->current ? fill_symbols(a) : -ENOMEM;
}

static int check_columns(const struct table *t, const struct table_alter_column *columns,
                         uint32_t count, struct table_error *error)
{
    struct table_field fields[TABLE_COLUMNS_MAX] = {{.name = NULL}};
    for (uint32_t i = 0; i < count && i < TABLE_COLUMNS_MAX; i++) fields[i] = columns[i].field;
    int failed = table_check_schema(fields, count, error);
    for (uint32_t i = 0; i < count && !failed; i++) {
        const struct table_field *f = &columns[i].field;
        if (columns[i].source == TABLE_ALTER_NEW) {
            if (columns[i].fill.null && !f->null && table_row_count(t))
                failed = table_fail(error, TABLE_FAULT_NOT_NULL, UINT64_MAX, i,
                                    "column \"%.*s\" has no nulls, so it needs a default for the "
                                    "rows that there are", (int)f->name_length, f->name);
            continue;
        }
        enum table_type type = table_field(t, columns[i].source)->type;
        if (!types_convert(type, f->type))
            failed = table_fail(error, TABLE_FAULT_TYPE, UINT64_MAX, i,
                                "column \"%.*s\" of type %s cannot become %s",
                                (int)f->name_length, f->name, table_type_name(type),
                                table_type_name(f->type));
    }
    return failed;
}

int table_alter_open(struct table *t, const struct table_alter_column *columns, uint32_t count,
                     struct table_alter **out, struct table_error *error)
{
    int failed = check_columns(t, columns, count, error);
    if (failed) return failed;
    struct table_alter *a = calloc(1, sizeof *a);
    if (!a) return no_memory(error);
    *a = (struct table_alter){.from = t, .columns = columns, .count = count};
    failed = table_draft_open(t, &a->draft, error);
    if (failed) {
        free(a);
        return failed;
    }
    a->base = table_draft_base(a->draft);
    a->fills = calloc(count, sizeof(struct sealed_column *));
    if (a->fills && open_table(a) == 0) {
        *out = a;
        return 0;
    }
    table_alter_abandon(a);
    return no_memory(error);
}

/* Everything but the new table. */
static void alter_close(struct table_alter *a)
{
    for (uint32_t i = 0; a->fills && i < a->count; i++)
        if (a->fills[i]) column_unref(a->to, &a->fills[i]->head);
    if (a->out) column_unref(a->to, &a->out->head);
    if (a->building) chunk_unref(a->to, a->building);
    free(a->fills);
}

void table_alter_abandon(struct table_alter *a)
{
    alter_close(a);
    if (a->to) external_let_go(&a->to->external);
    table_draft_abandon(a->draft);
    free(a);
}

void table_alter_publish(struct table_alter *a, value v)
{
    struct table *from = a->from, *to = a->to;
    assert(a->phase == ALTER_DONE);
    alter_close(a);
    /* Nothing was changed in it. What was added to dictionaries that both tables share stays: to
     * be abandoned would take that back. */
    table_draft_publish(a->draft);
    from->altered = true;
    sealer_close(from);
    compactor_close(from);
    indexer_close(from);
    to->hidden = false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->columns[i].source != TABLE_ALTER_NEW)
            table_index_set(to, i, (enum table_index_kind)
                                       from->index_settled[a->columns[i].source]);
    to->index_work |= from->index_work; /* columns may bring indexes that are to go */
    external_move_leaf(from->external.heap, v, &from->external, &to->external);
    free(a);
}

/* --- filling -----------------------------------------------------------------------------------*/

/* Whether rows are still appended to the chunk. */
static bool chunk_is_open(const struct table_alter *a, uint32_t chunk)
{
    const struct table_version *v = a->base;
    if (chunk + 1 < v->chunk_count || v->tail_slots == TABLE_CHUNK_ROWS) return false;
    if (a->from->closed_count == v->chunk_count) return false;
    for (uint32_t i = 0; i < a->from->column_count; i++)
        if (version_chunk(v, chunk)->columns[i].column->sealed) return false;
    return true;
}

/* What deleted rows get. */
static struct table_cell zero_cell(enum table_type type)
{
    enum table_class class = table_type_class(type);
    struct table_cell cell = {.type = type}; /* its text and its numbers are in one place */
    if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL)
        cell.text = (struct table_text){"", 0};
    return cell;
}

/* The code of `cell`, which fills the column. */
static int fill_code(struct table_alter *a, const struct table_cell *cell, uint32_t *code,
                     struct table_error *error)
{
    *code = 0;
    if (a->columns[a->column].field.type != TABLE_SYM || cell->null) return 0;
    return table_symbol_intern(a->to, a->column, cell->text.data, cell->text.length, code, error);
}

static void put_column(struct table_alter *a, struct column *column)
{
    a->building->columns[a->column].column = column;
    a->column++;
    a->slot = 0;
}

/* A default that is null, and may not, is of a table without rows that are seen. */
static struct table_cell fill_cell(const struct table_alter_column *c)
{
    return c->fill.null && !c->field.null ? zero_cell(c->field.type) : c->fill;
}

static int fill_const(struct table_alter *a, uint32_t slots, struct table_error *error)
{
    struct sealed_column **kept = slots == TABLE_CHUNK_ROWS ? &a->fills[a->column] : NULL;
    struct sealed_column *s = kept ? *kept : NULL;
    struct table_cell cell = fill_cell(&a->columns[a->column]);
    uint32_t code;
    int failed = fill_code(a, &cell, &code, error);
    if (failed) return failed;
    if (s) s->head.refs++;
    else if (!(s = sealed_const(a->to, a->column, slots, &cell, code))) return no_memory(error);
    else if (kept) {
        *kept = s;
        s->head.refs++;
    }
    put_column(a, &s->head);
    return 0;
}

/* Some rows of a plain column. */
static int fill_plain(struct table_alter *a, uint32_t slots, struct table_error *error)
{
    const struct table_field *f = &a->to->fields[a->column];
    struct table_cell cell = fill_cell(&a->columns[a->column]);
    struct plain_column *p = a->out;
    bool text = field_is_text(f) && !cell.null;
    uint32_t code;
    int failed = fill_code(a, &cell, &code, error);
    if (failed) return failed;
    if (a->slot == 0 && text) {
        if (cell.text.length * slots > TABLE_CHUNK_TEXT_BYTES_MAX)
            return table_fail_texts(f, a->column, error);
        a->text.data = arena_add(a->to, &p->arena, cell.text.data, cell.text.length);
        a->text.length = cell.text.length;
        if (!a->text.data) return no_memory(error);
        p->text_bytes = a->text.length * slots;
    }
    uint64_t lane = cell.null || text ? 0 : f->type == TABLE_SYM ? code : cell_lane(f, &cell);
    for (unsigned n = 0; n < UNIT_ROWS && a->slot < slots; n++, a->slot++)
        plain_store(p, f, a->slot, cell.null, lane,
                    text ? a->text : (struct table_text){NULL, 0});
    return 0;
}

/* --- converting --------------------------------------------------------------------------------*/

/* Whether the column of the chunk can be the same one. */
static bool is_shared(const struct table_alter *a)
{
    const struct table_alter_column *c = &a->columns[a->column];
    const struct table_field *old = table_field(a->from, c->source);
    const struct chunk_column *from = &version_chunk(a->base, a->chunk)->columns[c->source];
    if (old->type != c->field.type || c->renew) return false;
    if (!from->column->sealed) return old->null == c->field.null;
    if (c->field.null) return true;
    return !old->null || (!from->overlay && !((const struct sealed_column *)from->column)->nulls);
}

static void share(struct table_alter *a)
{
    const struct chunk_column *from =
        &version_chunk(a->base, a->chunk)->columns[a->columns[a->column].source];
    from->column->refs++;
    if (from->overlay) from->overlay->refs++;
    a->building->columns[a->column].overlay = from->overlay;
    put_column(a, from->column);
}

static int fail_cell(const struct table_alter *a, const struct table_cell *cell,
                     struct table_error *error)
{
    const struct table_field *f = &a->columns[a->column].field;
    uint64_t row = table_position(a->base, a->chunk, a->slot);
    char text[40] = "null";
    if (cell->null)
        return table_fail(error, TABLE_FAULT_NOT_NULL, row, a->column,
                          "row %" PRIu64 ", column \"%.*s\": a null, in a column that is to be "
                          "without nulls", row, (int)f->name_length, f->name);
    switch (table_type_class(cell->type)) {
    case TABLE_CLASS_INT: snprintf(text, sizeof text, "%" PRId64, cell->i); break;
    case TABLE_CLASS_UINT: snprintf(text, sizeof text, "%" PRIu64, cell->u); break;
    default: snprintf(text, sizeof text, "%.17g", cell->d);
    }
    return table_fail(error, TABLE_FAULT_RANGE, row, a->column,
                      "row %" PRIu64 ", column \"%.*s\": %s cannot become %s without loss", row,
                      (int)f->name_length, f->name, text, table_type_name(f->type));
}

/* Stores a converted cell. */
static int store_cell(struct table_alter *a, const struct table_cell *cell,
                      struct table_error *error)
{
    const struct table_field *f = &a->to->fields[a->column];
    struct plain_column *p = a->out;
    struct table_text text = {NULL, 0};
    uint64_t lane = 0;
    uint32_t code = 0;
    int failed = 0;
    if (cell->null) {
        ;
    } else if (f->type == TABLE_SYM) {
        failed = table_symbol_intern(a->to, a->column, cell->text.data, cell->text.length, &code,
                                     error);
        lane = code;
    } else if (field_is_text(f)) {
        text.length = cell->text.length;
        if (p->text_bytes + text.length > TABLE_CHUNK_TEXT_BYTES_MAX)
            return table_fail_texts(f, a->column, error);
        text.data = arena_add(a->to, &p->arena, cell->text.data, text.length);
        if (!text.data) return no_memory(error);
        p->text_bytes += text.length;
    } else {
        lane = cell_lane(f, cell);
    }
    if (!failed) plain_store(p, f, a->slot, cell->null, lane, text);
    return failed;
}

static int convert_cell(struct table_alter *a, size_t *bytes, struct table_error *error)
{
    const struct table_alter_column *c = &a->columns[a->column];
    enum table_class class = table_type_class(c->field.type);
    bool texts = class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL;
    bool deleted = false, good;
    struct table_cell from, to;
    int failed = 0;
    const struct deletions *d = version_chunk(a->base, a->chunk)->deletions;
    if (d) deleted = bit_get(d->bits, a->slot);
    table_cell(a->base, a->chunk, a->slot, c->source, &from);
    good = cell_convert(&from, c->field.type, &to) && (!from.null || c->field.null);
    if (good && texts && !from.null) {
        *bytes += from.text.length;
        failed = deleted ? table_check_text(&c->field, 0, a->column, from.text, NULL)
                         : table_check_text(&c->field, table_position(a->base, a->chunk, a->slot),
                                            a->column, from.text, error);
        if (failed && !deleted) return failed;
        good = !failed;
    }
    if (!good && !deleted) return fail_cell(a, &from, error);
    if (!good) to = zero_cell(c->field.type);
    return store_cell(a, &to, error);
}

static int convert_some(struct table_alter *a, uint32_t slots, struct table_error *error)
{
    size_t bytes = 0;
    int failed = 0;
    for (unsigned n = 0; n < UNIT_ROWS && a->slot < slots && bytes < UNIT_TEXT_BYTES && !failed;
         n++) {
        failed = convert_cell(a, &bytes, error);
        if (!failed) a->slot++;
    }
    return failed;
}

/* --- chunks ------------------------------------------------------------------------------------*/

static int push_chunk(struct table_alter *a, struct table_error *error)
{
    struct table *t = a->to;
    struct deletions *d = version_chunk(a->base, a->chunk)->deletions;
    if (version_push_chunk_take(t, a->building, version_slots(a->base, a->chunk)) != 0)
        return no_memory(error);
    a->building->deletions = d;
    if (d) {
        d->refs++;
        t->current->deleted += d->count;
        t->current->even = false;
    }
    a->building = NULL;
    a->column = 0;
    a->chunk++;
    a->phase = ALTER_SEAL;
    if (a->chunk == a->base->chunk_count && a->from->closed_count == a->chunk)
        t->closed_count = a->chunk;
    return 0;
}

/* A part of a column, or a column, of the chunk that is being made. */
static int column_unit(struct table_alter *a, struct table_error *error)
{
    uint32_t slots = version_slots(a->base, a->chunk);
    bool fresh = a->columns[a->column].source == TABLE_ALTER_NEW;
    if (!a->out) {
        if (fresh && !chunk_is_open(a, a->chunk)) return fill_const(a, slots, error);
        if (!fresh && is_shared(a)) {
            share(a);
            return 0;
        }
        a->out = plain_column_new(a->to, a->column, slots);
        return a->out ? 0 : no_memory(error);
    }
    int failed = fresh ? fill_plain(a, slots, error) : convert_some(a, slots, error);
    if (failed || a->slot < slots) return failed;
    a->out->written = slots;
    struct column *made = &a->out->head;
    a->out = NULL;
    put_column(a, made);
    return 0;
}

static int chunk_unit(struct table_alter *a, struct table_error *error)
{
    if (a->chunk == a->base->chunk_count) {
        a->phase = ALTER_ORDER;
        a->chunk = a->column = a->slot = 0;
        return 0;
    }
    if (!a->building) {
        a->building = chunk_new(a->to);
        return a->building ? 0 : no_memory(error);
    }
    return a->column < a->count ? column_unit(a, error) : push_chunk(a, error);
}

static int seal_unit(struct table_alter *a, uint64_t end_ns, struct table_error *error)
{
    uint64_t now = clock_ns();
    int more = table_seal_step(a->to, now < end_ns ? end_ns - now : 0);
    if (more < 0) return no_memory(error);
    if (!more) a->phase = ALTER_CHUNKS;
    return 0;
}

/* --- order -------------------------------------------------------------------------------------*/

/* Whether it is to be sorted, and was not known to be. */
static bool wants_order(const struct table_alter *a, uint32_t column)
{
    const struct table_alter_column *c = &a->columns[column];
    if (!c->field.sorted || c->source == TABLE_ALTER_NEW) return false;
    const struct table_field *old = table_field(a->from, c->source);
    return !old->sorted || old->type != c->field.type;
}

/* The address before (chunk, slot), which is not the first one. */
static void cell_before(const struct table_alter *a, struct table_cell *cell)
{
    uint32_t chunk = a->slot ? a->chunk : a->chunk - 1;
    uint32_t slot = a->slot ? a->slot - 1 : version_slots(a->to->current, chunk) - 1;
    table_cell(a->to->current, chunk, slot, a->column, cell);
}

static int check_order(struct table_alter *a, struct table_error *error)
{
    const struct table_version *v = a->to->current;
    const struct table_field *f = &a->to->fields[a->column];
    struct table_cell before, cell;
    if (a->chunk || a->slot) {
        cell_before(a, &before);
        table_cell(v, a->chunk, a->slot, a->column, &cell);
        if (table_cell_compare(&before, &cell) > 0) {
            uint64_t row = table_position(v, a->chunk, a->slot);
            return table_fail(error, TABLE_FAULT_ORDER, row, a->column,
                              "row %" PRIu64 ", column \"%.*s\": it, or a deleted row beside it "
                              "(table.compact removes those), is less than the one before, in a "
                              "column that is to be sorted", row, (int)f->name_length, f->name);
        }
    }
    if (++a->slot < version_slots(v, a->chunk)) return 0;
    a->slot = 0;
    a->chunk++;
    return 0;
}

static int order_unit(struct table_alter *a, struct table_error *error)
{
    int failed = 0;
    if (a->column == a->count) {
        a->phase = ALTER_DONE;
        return 0;
    }
    bool wanted = wants_order(a, a->column);
    bool text = field_is_text(&a->to->fields[a->column]);
    for (unsigned n = 0; wanted && n < UNIT_ROWS && !failed; n++) {
        if (a->chunk == a->to->current->chunk_count) break;
        failed = check_order(a, error);
        if (text && n == UNIT_ROWS / 16) break;
    }
    if (failed || (wanted && a->chunk < a->to->current->chunk_count)) return failed;
    a->column++;
    a->chunk = a->slot = 0;
    return 0;
}

int table_alter_step(struct table_alter *a, uint64_t end_ns, struct table_error *error)
{
    while (a->phase != ALTER_DONE) {
        int failed = a->phase == ALTER_CHUNKS ? chunk_unit(a, error)
                     : a->phase == ALTER_SEAL ? seal_unit(a, end_ns, error)
                                              : order_unit(a, error);
        if (failed) return failed;
        if (clock_ns() >= end_ns) break;
    }
    return a->phase != ALTER_DONE;
}
