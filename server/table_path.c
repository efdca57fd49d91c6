/* table_path.c - see table_value.h: tables at paths, their rows and cells as values, errors. */
#include "server/table_value.h"

#include <assert.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "server/params.h"
#include "server/path.h"

/* --- finding ----------------------------------------------------------------------------------*/

int table_find(struct call *call, value path, struct table **table)
{
    value v;
    if (path_read_through(call, path, 0, &v) < 0) return -1;
    if (v == VALUE_ABSENT || v == VALUE_NIL) {
        call_fail(call, ERROR_NOT_FOUND, "%s: there is no table at %s; table.create makes one",
                  call->method->name, quote_whole_path(call, path));
        return -1;
    }
    if (!value_is_kind(v, KIND_TABLE)) {
        fail_type(call, path, v, "a table");
        return -1;
    }
    *table = table_of(call->heap, v);
    return 0;
}

int table_turn(struct call *call, struct table *t)
{
    bool waits = call->state == NULL; /* else it would have to begin anew in the middle */
    if (waits ? table_turn_take(&call->turn, t) : !table_is_busy(t)) return 0;
    call->waits = waits;
    call_fail(call, ERROR_BUSY, "%s: another call is changing the table; try again",
              call->method->name);
    return -1;
}

int table_turn_cell(struct call *call, struct table *t, uint64_t row, uint32_t column)
{
    struct table_version *now = table_pin(t);
    uint32_t chunk, slot;
    bool there = table_locate(now, row, &chunk, &slot);
    table_unpin(now);
    if (there && call->state == NULL &&
        table_turn_hold_to_merge(&call->turn, t, chunk, slot, column)) {
        call->waits = true;
        return -1;
    }
    return table_turn(call, t);
}

int table_turn_keep(struct call *call, struct table *t)
{
    assert(call->state == NULL);
    if (table_turn_hold(&call->turn, t)) return 0;
    call->waits = true;
    return -1;
}

int table_param_row(struct call *call, size_t index, const struct table *t, uint64_t *row)
{
    struct number n = number_read(call->heap, param(call, index));
    int64_t rows = (int64_t)table_row_count(t);
    if (n.class != NUMBER_INT64) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: row must be an integer, not %s",
                  call->method->name, value_describe(param(call, index)));
        return -1;
    }
    int64_t at = n.i < 0 ? n.i + rows : n.i;
    *row = (uint64_t)at;
    if (at >= 0 && at < rows) return 0;
    call_fail(call, ERROR_OUT_OF_RANGE, "%s: the table has %lld rows; there is no row %lld",
              call->method->name, (long long)rows, (long long)n.i);
    return -1;
}

int table_column_read(struct call *call, const struct table *t, value name, uint32_t *column)
{
    char bytes[TABLE_NAME_BYTES_MAX + 1];
    *column = UINT32_MAX;
    if (value_is_text(name)) {
        size_t length = text_copy(call->heap, name, 0, bytes, sizeof bytes);
        *column = table_column_named(t, bytes, length);
        if (*column != UINT32_MAX) return 0;
    }
    call_fail(call, value_is_text(name) ? ERROR_NOT_FOUND : ERROR_BAD_PARAMS,
              "%s: the table has no column %s; table.schema lists them", call->method->name,
              call_quote_value(call, name));
    return -1;
}

/* --- walking ----------------------------------------------------------------------------------*/

void row_walk_from(struct row_walk *w, const struct table_version *v, uint64_t position)
{
    *w = (struct row_walk){.version = v};
    if (!table_locate(v, position, &w->chunk, &w->slot)) w->chunk = table_version_chunks(v);
}

bool row_walk_next(struct row_walk *w, uint32_t *chunk, uint32_t *slot)
{
    while (w->chunk < table_version_chunks(w->version)) {
        if (w->slot >= table_chunk_slots(w->version, w->chunk)) {
            w->chunk++;
            w->slot = 0;
            w->loaded = false;
            continue;
        }
        uint32_t vector = w->slot / TABLE_VECTOR_ROWS, row = w->slot % TABLE_VECTOR_ROWS;
        if (!w->loaded) table_vector_live(w->version, w->chunk, vector, w->live);
        w->loaded = row + 1 < TABLE_VECTOR_ROWS;
        w->slot++;
        if (!(w->live[row / 64] >> row % 64 & 1)) continue;
        *chunk = w->chunk;
        *slot = w->slot - 1;
        return true;
    }
    return false;
}

/* --- values -----------------------------------------------------------------------------------*/

/* The cells of a row as pairs for map_from_take. 0 or -ENOMEM, with `*made` pairs to release. */
static int row_pairs(struct heap *h, const struct table_version *v, uint32_t chunk, uint32_t slot,
                     value *pairs, uint32_t *made)
{
    const struct table *t = table_version_table(v);
    for (*made = 0; *made < table_column_count(t); (*made)++) {
        const struct table_field *field = table_field(t, *made);
        struct table_cell cell;
        table_cell(v, chunk, slot, *made, &cell);
        value key = text_new(h, field->name, field->name_length, false);
        value item = key == VALUE_ABSENT ? VALUE_ABSENT : table_cell_to_value(h, &cell);
        if (item == VALUE_ABSENT) {
            value_release(h, key);
            return -ENOMEM;
        }
        pairs[2 * *made] = key;
        pairs[2 * *made + 1] = item;
    }
    return 0;
}

value table_row_make(struct heap *h, const struct table_version *v, uint32_t chunk, uint32_t slot)
{
    uint32_t columns = table_column_count(table_version_table(v)), made = 0;
    value *pairs = malloc(2 * columns * sizeof *pairs), map = VALUE_ABSENT;
    if (pairs == NULL) return VALUE_ABSENT;
    if (row_pairs(h, v, chunk, slot, pairs, &made) == 0) map = map_from_take(h, pairs, columns);
    for (uint32_t i = 0; i < 2 * made && map == VALUE_ABSENT; i++) value_release(h, pairs[i]);
    free(pairs);
    return map;
}

/* Bytes that a cell takes in a reply, at the least. */
static size_t cell_bytes(const struct table_cell *cell)
{
    enum table_class class = table_type_class(cell->type);
    bool text = class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL;
    return 1 + (text && !cell->null ? cell->text.length : 0);
}

/* Counts what is about to be made. A reply that has it all must be possible. 0, or -1 after
 * call_fail. */
static int count_made(struct call *call, size_t bytes, size_t items)
{
    struct call_made *made = &call->made;
    size_t bytes_max = call->host->reply_bytes_max, items_max = call->host->reply_elements_max;
    if (made->bytes <= bytes_max && bytes <= bytes_max - made->bytes &&
        made->items <= items_max && items <= items_max - made->items) {
        made->bytes += bytes;
        made->items += items;
        return 0;
    }
    call_fail(call, ERROR_LIMIT,
              "%s: what this reads of tables would be longer than reply-bytes (%zu), or have more "
              "items than reply-elements (%zu), allow; ask for less of it",
              call->method->name, bytes_max, items_max);
    return -1;
}

static int count_row(struct call *call, const struct table_version *v, uint32_t chunk,
                     uint32_t slot)
{
    const struct table *t = table_version_table(v);
    uint32_t columns = table_column_count(t);
    size_t bytes = 1;
    for (uint32_t i = 0; i < columns; i++) {
        struct table_cell cell;
        table_cell(v, chunk, slot, i, &cell);
        bytes += 1 + table_field(t, i)->name_length + cell_bytes(&cell);
    }
    return count_made(call, bytes, 1 + 2 * (size_t)columns);
}

/* *made is VALUE_ABSENT when memory is short. 0, or -1 after call_fail. */
static int make_at(struct call *call, const struct table_version *v, uint64_t row, uint32_t column,
                   bool bounded, value *made)
{
    struct table_cell cell;
    uint32_t chunk, slot;
    bool there = table_locate(v, row, &chunk, &slot);
    assert(there);
    if (column == TABLE_ROW) {
        if (bounded && count_row(call, v, chunk, slot) < 0) return -1;
        *made = table_row_make(call->heap, v, chunk, slot);
    } else {
        table_cell(v, chunk, slot, column, &cell);
        if (bounded && count_made(call, cell_bytes(&cell), 1) < 0) return -1;
        *made = table_cell_to_value(call->heap, &cell);
    }
    return 0;
}

value table_value_at(struct call *call, value table, uint64_t row, uint32_t column, bool bounded)
{
    struct table_version *v = table_pin(table_of(call->heap, table));
    value made = VALUE_ABSENT;
    if (make_at(call, v, row, column, bounded, &made) == 0) {
        made = call_keep_take(call, made);
        if (made == VALUE_ABSENT) fail_no_memory(call);
    }
    table_unpin(v);
    return made;
}

value table_look_at(struct call *call, value table, uint64_t row, uint32_t column, size_t *length)
{
    struct heap *h = call->heap;
    struct table *t = table_of(h, table);
    struct table_version *v = table_pin(t);
    struct table_cell cell;
    uint32_t chunk, slot;
    value made = VALUE_ABSENT;
    if (column == TABLE_ROW) {
        *length = table_column_count(t);
        made = map_new(h);
    } else if (table_locate(v, row, &chunk, &slot)) {
        table_cell(v, chunk, slot, column, &cell);
        size_t bytes = cell_bytes(&cell) - 1;
        if (bytes > 0) {
            *length = bytes;
            cell.text.length = 0;
        }
        made = table_cell_to_value(h, &cell);
    }
    table_unpin(v);
    made = call_keep_take(call, made);
    if (made == VALUE_ABSENT) fail_no_memory(call);
    return made;
}

int table_cell_store(struct call *call, value table, uint64_t row, uint32_t column, value v)
{
    struct table *t = table_of(call->heap, table);
    struct table_scratch scratch = {.bytes = NULL};
    struct table_error error;
    struct table_cell cell;
    uint32_t chunk, slot;
    struct table_version *now = table_pin(t);
    bool there = table_locate(now, row, &chunk, &slot);
    table_unpin(now);
    if (!there) {
        call_fail(call, ERROR_OUT_OF_RANGE, "%s: there is no such row", call->method->name);
        return -1;
    }
    int status = table_cell_from_value(call->heap, table_field(t, column), row, column, v, &cell,
                                       &scratch, &error);
    if (status == 0) status = table_set(t, chunk, slot, column, &cell, &error);
    table_scratch_close(&scratch);
    if (status < 0) call_fail_table(call, &error);
    return status < 0 ? -1 : 0;
}

/* --- errors -----------------------------------------------------------------------------------*/

enum call_outcome call_fail_table(struct call *call, const struct table_error *error)
{
    static const enum error_code codes[] = {
        [TABLE_FAULT_NONE] = ERROR_INTERNAL,       [TABLE_FAULT_SCHEMA] = ERROR_BAD_PARAMS,
        [TABLE_FAULT_TYPE] = ERROR_WRONG_TYPE,     [TABLE_FAULT_RANGE] = ERROR_OUT_OF_RANGE,
        [TABLE_FAULT_NOT_NULL] = ERROR_WRONG_TYPE, [TABLE_FAULT_ORDER] = ERROR_OUT_OF_RANGE,
        [TABLE_FAULT_LIMIT] = ERROR_LIMIT,         [TABLE_FAULT_ROW] = ERROR_NOT_FOUND,
        [TABLE_FAULT_BUSY] = ERROR_BUSY,
    };
    if (error->fault == TABLE_FAULT_MEMORY) return fail_no_memory(call);
    return call_fail(call, codes[error->fault], "%s: %s", call->method->name, error->text);
}

enum call_outcome call_fail_altered(struct call *call)
{
    return call_fail(call, ERROR_BUSY,
                     "%s: the columns of the table were altered meanwhile; try again",
                     call->method->name);
}

enum call_outcome call_fail_query(struct call *call, const struct query_error *error)
{
    static const enum error_code codes[] = {
        [QUERY_FAULT_NONE] = ERROR_INTERNAL,   [QUERY_FAULT_SYNTAX] = ERROR_BAD_PARAMS,
        [QUERY_FAULT_NAME] = ERROR_NOT_FOUND,  [QUERY_FAULT_TYPE] = ERROR_WRONG_TYPE,
        [QUERY_FAULT_LIMIT] = ERROR_LIMIT,     [QUERY_FAULT_OVERFLOW] = ERROR_OUT_OF_RANGE,
    };
    if (error->fault == QUERY_FAULT_MEMORY) return fail_no_memory(call);
    return call_fail(call, codes[error->fault], "%s: %s", call->method->name, error->text);
}

/* --- work between events ----------------------------------------------------------------------*/

bool tables_want_work(struct heap *h)
{
    return table_first_recovering(h) != NULL || table_first_unsealed(h) != NULL ||
           table_first_uncompacted(h) != NULL || table_first_unindexed(h) != NULL;
}

bool tables_work(struct heap *h, uint64_t budget_ns)
{
    /* First what is left of changes that were given up: sealing rests until then. */
    struct table *t = table_first_recovering(h);
    if (t != NULL) {
        table_recover_step(t, budget_ns);
        return true;
    }
    /* Then what needs no memory and gives some back. The rest may be short of it, each of another
     * amount: compacting one table may make the room that sealing another one needs. */
    t = table_first_droppable(h);
    if (t != NULL) return table_drop_step(t, budget_ns);
    t = table_first_unsealed(h);
    if (t != NULL && table_seal_step(t, budget_ns) >= 0) return true;
    t = table_first_uncompacted(h);
    if (t != NULL && table_compact_step(t, false, budget_ns) >= 0) return true;
    t = table_first_unindexed(h);
    return t != NULL && table_index_step(t, budget_ns) >= 0;
}
