/* table_update.c - the same cells for many rows, in steps, on a draft.
 *
 * Chunk by chunk, and within one column by column. Few cells of a sealed column go into its
 * overlay. Many, or any of a plain column, make a new plain column, vector by vector: the old one
 * decoded, with the new cell where the rows are. So a step ends a vector after its time, whatever
 * the size of the chunk: some tens of microseconds, and more if texts are long. A text is stored
 * once for all rows of a chunk. */
#include <inttypes.h>

#include "heap/table_draft.h"
#include "heap/table_int.h"

/* What is copied of texts between two looks at the clock. */
#define TEXT_STEP_BYTES ((size_t)1 << 17)

void table_rows_add(struct table_rows *rows, uint32_t chunk, uint32_t vector, const uint64_t *bits)
{
    assert(rows->count == 0 || rows->chunk == chunk);
    rows->chunk = chunk;
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++) {
        rows->bits[vector * TABLE_VECTOR_WORDS + i] |= bits[i];
        rows->count += (uint32_t)__builtin_popcountl(bits[i]);
    }
}

/* --- the cell ----------------------------------------------------------------------------------*/

static const struct table_assignment *assignment(const struct table_update *u)
{
    return &u->assignments[u->next];
}
static const struct table_field *field_of(const struct table_update *u)
{
    return table_field(table_draft_table(u->draft), assignment(u)->column);
}

/* Few cells, of a sealed column. */
static int set_cells(struct table_update *u, struct table_error *error)
{
    struct table *t = table_draft_table(u->draft);
    const struct table_assignment *a = assignment(u);
    for (uint32_t word = 0; word < TABLE_CHUNK_ROWS / 64; word++)
        for (uint64_t bits = u->rows.bits[word]; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzl(bits);
            int failed = table_set(t, u->rows.chunk, slot, a->column, &a->cell, error);
            if (failed) return failed;
        }
    return 0;
}

/* --- a new column ------------------------------------------------------------------------------*/

static int copy_text(struct table_update *u, struct table_text *text, struct table_error *error)
{
    struct plain_column *p = u->out;
    if (p->text_bytes + text->length > TABLE_CHUNK_TEXT_BYTES_MAX)
        return table_fail_texts(field_of(u), assignment(u)->column, error);
    if (text->data != u->text.data) {
        text->data = arena_add(table_draft_table(u->draft), &p->arena, text->data, text->length);
        if (!text->data) return table_fail_memory(error);
    }
    p->text_bytes += text->length;
    return 0;
}

/* Texts of a vector, from u->row on, until some bytes are copied. */
static int copy_texts(struct table_update *u, const struct column_view *view,
                      struct table_error *error)
{
    struct table_text texts[TABLE_VECTOR_ROWS];
    uint64_t valid[TABLE_VECTOR_WORDS];
    const struct table_cell *cell = &assignment(u)->cell;
    uint32_t rows = view_texts(view, u->vector, texts), base = u->vector * TABLE_VECTOR_ROWS;
    view_valid(view, u->vector, valid);
    for (size_t bytes = 0; u->row < rows && bytes < TEXT_STEP_BYTES; u->row++) {
        bool set = bit_get(u->rows.bits, base + u->row);
        bool null = set ? cell->null : !bit_get(valid, u->row);
        struct table_text text = {NULL, 0};
        if (!null) text = set ? u->text : texts[u->row];
        int failed = null ? 0 : copy_text(u, &text, error);
        if (failed) return failed;
        plain_store(u->out, view->field, base + u->row, null, 0, text);
        if (!set) bytes += text.length;
    }
    if (u->row < rows) return 0;
    u->row = 0;
    u->vector++;
    return 0;
}

static void copy_lanes(struct table_update *u, const struct column_view *view)
{
    uint64_t lanes[TABLE_VECTOR_ROWS], valid[TABLE_VECTOR_WORDS];
    const struct table_cell *cell = &assignment(u)->cell;
    struct table_text none = {NULL, 0};
    uint64_t lane = cell->null                        ? 0
                    : view->field->type == TABLE_SYM ? u->code
                                                      : cell_lane(view->field, cell);
    uint32_t rows = view_lanes(view, u->vector, lanes), base = u->vector * TABLE_VECTOR_ROWS;
    view_valid(view, u->vector, valid);
    for (uint32_t i = 0; i < rows; i++) {
        bool set = bit_get(u->rows.bits, base + i);
        bool null = set ? cell->null : !bit_get(valid, i);
        plain_store(u->out, view->field, base + i, null, null ? 0 : set ? lane : lanes[i], none);
    }
    u->vector++;
}

/* The text or the symbol that all rows get. */
static int store_cell(struct table_update *u, struct table_error *error)
{
    struct table *t = table_draft_table(u->draft);
    const struct table_assignment *a = assignment(u);
    const struct table_field *f = field_of(u);
    struct table_text text = a->cell.text;
    if (a->cell.null) return 0;
    if (f->type == TABLE_SYM)
        return table_symbol_intern(t, a->column, text.data, text.length, &u->code, error);
    if (!field_is_text(f)) return 0;
    text.data = arena_add(t, &u->out->arena, text.data, text.length);
    if (!text.data) return table_fail_memory(error);
    u->text = text;
    return 0;
}

static int put_column(struct table_update *u, uint32_t slots, struct table_error *error)
{
    struct table *t = table_draft_table(u->draft);
    struct chunk *c = chunk_writable(t, u->rows.chunk);
    if (!c) return table_fail_memory(error);
    struct chunk_column *place = &c->columns[assignment(u)->column];
    u->out->written = slots;
    column_unref(t, place->column);
    overlay_unref(t, place->overlay);
    *place = (struct chunk_column){.column = &u->out->head};
    u->out = NULL;
    if (u->rows.chunk < t->sealed_below) t->sealed_below = u->rows.chunk;
    return 0;
}

/* --- steps -------------------------------------------------------------------------------------*/

static void next_column(struct table_update *u)
{
    u->next++;
    u->vector = u->row = 0;
    u->begun = false;
    u->text = (struct table_text){NULL, 0};
}

/* Whether the cells go into an overlay; notes what its arena holds before. 1, 0 or an error. */
static int wants_overlay(struct table_update *u, const struct column_view *view,
                         struct table_error *error)
{
    const struct overlay *o = view->overlay;
    if (!view->column->sealed || u->rows.count + (o ? o->count : 0) > OVERLAY_CELLS_MAX) return 0;
    bool texts = field_is_text(view->field);
    const struct table_cell *cell = &assignment(u)->cell;
    size_t held = texts && o ? o->arena->bytes : 0, length = cell->null ? 0 : cell->text.length;
    if (texts && held + u->rows.count * length > DEAD_TEXT_BYTES) return 0;
    if (field_is_text(view->field) && o && table_draft_mark(u->draft, o->arena, NULL) != 0)
        return table_fail_memory(error);
    return 1;
}

/* 0, or an error that says why these cells cannot be set. */
static int check_assignment(struct table_update *u, struct table_error *error)
{
    uint32_t word = 0;
    while (!u->rows.bits[word]) word++;
    uint32_t slot = word * 64 + (uint32_t)__builtin_ctzl(u->rows.bits[word]);
    return table_check_set(table_draft_table(u->draft), u->rows.chunk, slot, assignment(u)->column,
                           &assignment(u)->cell, error);
}

static int begin_column(struct table_update *u, const struct column_view *view,
                        struct table_error *error)
{
    struct table *t = table_draft_table(u->draft);
    int failed = check_assignment(u, error);
    if (failed) return failed;
    int overlay = wants_overlay(u, view, error);
    if (overlay < 0) return overlay;
    if (overlay) {
        failed = set_cells(u, error);
        if (!failed) next_column(u);
        return failed;
    }
    u->out = plain_column_new(t, assignment(u)->column, view->slots);
    if (!u->out) return table_fail_memory(error);
    u->begun = true;
    return store_cell(u, error);
}

/* Begins a column, or does one vector of it, or a part of one. */
static int update_unit(struct table_update *u, struct table_error *error)
{
    struct table *t = table_draft_table(u->draft);
    struct column_view view = column_view(t->current, u->rows.chunk, assignment(u)->column);
    if (!u->begun) return begin_column(u, &view, error);
    int failed = 0;
    if (field_is_text(view.field))
        failed = copy_texts(u, &view, error);
    else
        copy_lanes(u, &view);
    if (failed || u->vector < table_slots_vectors(view.slots)) return failed;
    failed = put_column(u, view.slots, error);
    if (!failed) next_column(u);
    return failed;
}

int table_update_step(struct table_update *u, uint64_t end_ns, struct table_error *error)
{
    int failed = 0;
    if (u->rows.count == 0) return 0;
    table_draft_enter(u->draft);
    while (!failed && u->next < u->count) {
        failed = update_unit(u, error);
        if (clock_ns() >= end_ns) break;
    }
    table_draft_leave(u->draft);
    if (failed) return failed;
    if (u->next < u->count) return 1;
    u->rows.count = u->next = 0;
    memset(u->rows.bits, 0, sizeof u->rows.bits);
    return 0;
}

void table_update_close(struct table_update *u)
{
    if (u->out) column_unref(table_draft_table(u->draft), &u->out->head);
    u->out = NULL;
}

int table_delete_rows(struct table *t, const struct table_rows *rows, struct table_error *error)
{
    if (rows->count == 0) return 0;
    struct chunk *c = chunk_writable(t, rows->chunk);
    struct deletions *d = c ? deletions_writable(t, c) : NULL;
    if (!d) return table_fail_memory(error);
    for (uint32_t i = 0; i < TABLE_CHUNK_ROWS / 64; i++) {
        assert(!(d->bits[i] & rows->bits[i]));
        d->bits[i] |= rows->bits[i];
    }
    d->count += rows->count;
    t->current->deleted += rows->count;
    t->current->even = false;
    return 0;
}
