/* table_change.c - changing cells and deleting rows.
 *
 * Plain columns are changed in place, or as a copy while somebody else sees them. A changed cell
 * of a sealed column goes into its overlay; with OVERLAY_CELLS_MAX of them the column becomes
 * plain again, and is sealed anew later. Of texts that may be long work: whoever can wait asks
 * table_set_is_long before, and lets table_merge_step do it. */
#include "heap/table_int.h"

#include <inttypes.h>

/* --- sealed to plain ---------------------------------------------------------------------------*/

int plain_part(struct table *t, struct plain_column *p, const struct column_view *view,
               uint32_t *row, size_t bytes_max)
{
    union {
        uint64_t lanes[TABLE_VECTOR_ROWS];
        struct table_text texts[TABLE_VECTOR_ROWS];
    } u;
    uint64_t valid[TABLE_VECTOR_WORDS];
    bool texts = field_is_text(view->field);
    size_t bytes = 0;
    uint32_t vector = *row / TABLE_VECTOR_ROWS;
    uint32_t rows = texts ? view_texts(view, vector, u.texts) : view_lanes(view, vector, u.lanes);
    view_valid(view, vector, valid);
    for (uint32_t i = *row % TABLE_VECTOR_ROWS; i < rows && bytes < bytes_max; i++, ++*row) {
        bool null = !bit_get(valid, i);
        struct table_text text = {NULL, 0};
        if (texts && !null) {
            text.length = u.texts[i].length;
            text.data = arena_add(t, &p->arena, u.texts[i].data, text.length);
            if (!text.data) return -ENOMEM;
            p->text_bytes += text.length;
            bytes += text.length;
        }
        plain_store(p, view->field, *row, null,
                    texts || null ? 0 : u.lanes[i], text);
    }
    return 0;
}

struct plain_column *column_to_plain(struct table *t, const struct column_view *view,
                                     uint32_t column)
{
    struct plain_column *p = plain_column_new(t, column, view->slots);
    if (!p) return NULL;
    for (uint32_t row = 0; row < view->slots;)
        if (plain_part(t, p, view, &row, SIZE_MAX) != 0) {
            column_unref(t, &p->head);
            return NULL;
        }
    p->written = view->slots;
    return p;
}

int table_merge_overlay(struct table *t, uint32_t chunk, uint32_t column)
{
    struct column_view view = column_view(t->current, chunk, column);
    struct plain_column *p = column_to_plain(t, &view, column);
    struct chunk *c = p ? chunk_writable(t, chunk) : NULL;
    if (!c) {
        if (p) column_unref(t, &p->head);
        return -ENOMEM;
    }
    column_unref(t, c->columns[column].column);
    overlay_unref(t, c->columns[column].overlay);
    c->columns[column] = (struct chunk_column){.column = &p->head};
    if (chunk < t->sealed_below) t->sealed_below = chunk;
    return 0;
}

/* --- cells -------------------------------------------------------------------------------------*/

struct change {
    struct table *t;
    uint32_t chunk, slot, column;
    const struct table_field *field;
    bool null;
    uint64_t lane;
    struct table_text text; /* the caller's, until it is stored */
};

/* The bytes of a plain column's texts that count still. */
static size_t live_text_bytes(const struct column_view *view)
{
    const struct plain_column *p = (const struct plain_column *)view->column;
    const struct table_text *texts = (const void *)p->elements;
    size_t bytes = 0;
    for (uint32_t i = 0; i < view->slots; i++)
        if (!p->valid || bit_get(p->valid, i)) bytes += texts[i].length;
    return bytes;
}

static bool overlay_is_full(const struct overlay *o)
{
    return o && (o->count >= OVERLAY_CELLS_MAX || (o->arena && o->arena->bytes > DEAD_TEXT_BYTES));
}

bool column_wants_merge(const struct table *t, uint32_t chunk, uint32_t column)
{
    const struct table_version *v = t->current;
    if (chunk >= v->chunk_count || !field_is_text(table_field(t, column))) return false;
    struct column_view view = column_view(v, chunk, column);
    if (view.column->sealed) return overlay_is_full(view.overlay);
    const struct plain_column *p = (const struct plain_column *)view.column;
    if (p->dead_bytes > DEAD_TEXT_BYTES && p->dead_bytes > p->text_bytes / 2) return true;
    return p->text_bytes + TABLE_TEXT_BYTES_MAX > TABLE_CHUNK_TEXT_BYTES_MAX &&
           live_text_bytes(&view) + TABLE_TEXT_BYTES_MAX <= TABLE_CHUNK_TEXT_BYTES_MAX / 2;
}

bool table_set_is_long(const struct table *t, uint32_t chunk, uint32_t slot, uint32_t column)
{
    if (!column_wants_merge(t, chunk, column)) return false;
    const struct overlay *o = column_view(t->current, chunk, column).overlay;
    return !o || o->count < OVERLAY_CELLS_MAX || !overlay_find(o, slot);
}

/* -EFBIG if the chunk has no room for the text. Texts that were changed leave their bytes behind:
 * where most are of these, those that count are copied together first. */
static int make_text_room(const struct change *x)
{
    if (!field_is_text(x->field) || x->null) return 0;
    struct column_view view = column_view(x->t->current, x->chunk, x->column);
    const struct plain_column *p = (const struct plain_column *)view.column;
    size_t bytes = x->text.length;
    if (p->text_bytes + bytes <= TABLE_CHUNK_TEXT_BYTES_MAX) return 0;
    if (live_text_bytes(&view) + bytes > TABLE_CHUNK_TEXT_BYTES_MAX / 2) return -EFBIG;
    return table_merge_overlay(x->t, x->chunk, x->column);
}

static int change_plain(const struct change *x)
{
    struct table *t = x->t;
    int failed = make_text_room(x);
    if (failed) return failed;
    struct chunk *c = chunk_writable(t, x->chunk);
    if (!c) return -ENOMEM;
    struct plain_column *p = (struct plain_column *)c->columns[x->column].column;
    if (p->head.refs > 1 && !planted(38)) {
        uint32_t slots = version_slots(t->current, x->chunk);
        struct plain_column *copy = plain_column_copy(t, x->column, p, slots, p->capacity);
        if (!copy) return -ENOMEM;
        c->columns[x->column].column = &copy->head;
        column_unref(t, &p->head);
        p = copy;
    }
    struct table_text text = x->text;
    if (field_is_text(x->field) && !x->null) {
        text.data = arena_add(t, &p->arena, text.data, text.length);
        if (!text.data) return -ENOMEM;
        p->text_bytes += text.length;
    }
    if (field_is_text(x->field) && (!p->valid || bit_get(p->valid, x->slot)))
        p->dead_bytes += ((const struct table_text *)(const void *)p->elements)[x->slot].length;
    plain_store(p, x->field, x->slot, x->null, x->lane, text);
    return 0;
}

#define OVERLAY_CAPACITY_MIN 8

/* An overlay of the chunk's column that can be changed and has room for a cell more. */
static struct overlay *overlay_writable(struct table *t, struct chunk_column *c, bool texts)
{
    struct overlay *o = c->overlay;
    if (o && (o->refs == 1 || planted(39)) && o->count < o->capacity) return o;
    uint32_t capacity = !o                      ? OVERLAY_CAPACITY_MIN
                        : o->count < o->capacity ? o->capacity
                                                 : o->capacity * 2u;
    struct overlay *copy = overlay_copy(t, texts, o, capacity);
    if (!copy) return NULL;
    c->overlay = copy;
    overlay_unref(t, o);
    return copy;
}

static int change_sealed(const struct change *x)
{
    bool texts = field_is_text(x->field);
    struct chunk *c = chunk_writable(x->t, x->chunk);
    if (!c) return -ENOMEM;
    struct overlay *o = overlay_writable(x->t, &c->columns[x->column], texts);
    if (!o) return -ENOMEM;
    struct overlay_cell cell = {.slot = (uint16_t)x->slot, .null = x->null};
    if (texts && !x->null) {
        cell.text = x->text;
        cell.text.data = arena_add(x->t, &o->arena, x->text.data, x->text.length);
        if (!cell.text.data) return -ENOMEM;
    } else if (!texts) {
        cell.lane = x->lane;
    }
    unsigned at = 0;
    while (at < o->count && o->cells[at].slot < x->slot) at++;
    if (at == o->count || o->cells[at].slot != x->slot) {
        memmove(&o->cells[at + 1], &o->cells[at], (o->count - at) * sizeof *o->cells);
        o->count++;
    }
    o->cells[at] = cell;
    return 0;
}

static int apply(const struct change *x)
{
    struct column_view view = column_view(x->t->current, x->chunk, x->column);
    if (!view.column->sealed) return change_plain(x);
    const struct overlay *o = view.overlay;
    if (o && o->count >= OVERLAY_CELLS_MAX && !overlay_find(o, x->slot)) {
        int error = table_merge_overlay(x->t, x->chunk, x->column);
        return error ? error : change_plain(x);
    }
    return change_sealed(x);
}

static int check_row(const struct table *t, uint32_t chunk, uint32_t slot,
                     struct table_error *error)
{
    const struct table_version *v = t->current;
    int failed = table_check_writable(t, error);
    if (failed) return failed;
    if (chunk < v->chunk_count && slot < version_slots(v, chunk)) return 0;
    return table_fail(error, TABLE_FAULT_ROW, UINT64_MAX, UINT32_MAX,
                      "there is no row at chunk %u, slot %u", chunk, slot);
}

int table_check_set(const struct table *t, uint32_t chunk, uint32_t slot, uint32_t column,
                    const struct table_cell *cell, struct table_error *error)
{
    const struct table_field *f = table_field(t, column);
    int failed = check_row(t, chunk, slot, error);
    if (failed) return failed;
    assert(cell->type == f->type);
    const struct deletions *d = version_chunk(t->current, chunk)->deletions;
    if (d && bit_get(d->bits, slot))
        return table_fail(error, TABLE_FAULT_ROW, UINT64_MAX, column, "the row is deleted");
    if (f->sorted)
        return table_fail(error, TABLE_FAULT_ORDER, UINT64_MAX, column,
                          "column \"%.*s\" is sorted, and its cells cannot be changed",
                          (int)f->name_length, f->name);
    if (cell->null && !f->null)
        return table_fail(error, TABLE_FAULT_NOT_NULL, UINT64_MAX, column,
                          "column \"%.*s\": a null in a column without nulls", (int)f->name_length,
                          f->name);
    bool text = field_is_text(f) || f->type == TABLE_SYM;
    return text && !cell->null ? table_check_text(f, UINT64_MAX, column, cell->text, error) : 0;
}

int table_set(struct table *t, uint32_t chunk, uint32_t slot, uint32_t column,
              const struct table_cell *cell, struct table_error *error)
{
    int failed = table_check_set(t, chunk, slot, column, cell, error);
    if (failed) return failed;
    struct change x = {t, chunk, slot, column, &t->fields[column], cell->null, 0, {NULL, 0}};
    uint32_t code = 0, symbols = table_symbol_count(t, column);
    if (!cell->null && x.field->type == TABLE_SYM) {
        failed = table_symbol_intern(t, column, cell->text.data, cell->text.length, &code, error);
        if (failed) return failed;
        x.lane = code;
    } else if (!cell->null && field_is_text(x.field)) {
        x.text = cell->text;
    } else if (!cell->null) {
        x.lane = cell_lane(x.field, cell);
    }
    failed = apply(&x);
    if (failed && x.field->type == TABLE_SYM) symbols_truncate(t, t->symbols[column], symbols);
    if (failed == -EFBIG) return table_fail_texts(x.field, column, error);
    return failed ? table_fail_memory(error) : 0;
}

/* --- rows --------------------------------------------------------------------------------------*/

struct deletions *deletions_writable(struct table *t, struct chunk *c)
{
    struct deletions *d = c->deletions;
    if (d && (d->refs == 1 || planted(40))) return d;
    struct deletions *copy = external_alloc(&t->external, sizeof *copy);
    if (!copy) return NULL;
    if (d)
        *copy = *d;
    else
        memset(copy, 0, sizeof *copy);
    copy->refs = 1;
    if (d) d->refs--;
    c->deletions = copy;
    return copy;
}

int table_delete(struct table *t, uint32_t chunk, uint32_t slot, bool *changed,
                 struct table_error *error)
{
    int failed = check_row(t, chunk, slot, error);
    if (failed) return failed;
    const struct deletions *now = version_chunk(t->current, chunk)->deletions;
    bool fresh = !now || !bit_get(now->bits, slot);
    if (changed) *changed = fresh;
    if (!fresh) return 0;
    struct chunk *c = chunk_writable(t, chunk);
    struct deletions *d = c ? deletions_writable(t, c) : NULL;
    if (!d) return table_fail_memory(error);
    bit_set(d->bits, slot);
    d->count++;
    t->current->deleted++;
    t->current->even = false;
    return 0;
}
