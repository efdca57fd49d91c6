/* methods_table_convert.c - table.from: a list of records becomes a table; table.to: and back.
 *
 * Both work in steps. `from`: how large the list is (heap_walk), what types its fields have (unless
 * a schema is given), then the rows, a thousand a time, then sealing; only the finished table is
 * stored. The list is held meanwhile, and must not change: a list that does is refused. `to` reads
 * a pinned version. Failure at any time gives up what was made; nothing was changed. */
#include "server/method_list.h"

#include <errno.h>
#include <stdlib.h>

#include "heap/census.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_schema.h"
#include "server/table_value.h"

#define ROWS_BATCH 128
/* A batch has so many rows, but ends with the one that reaches so many cells or bytes of texts. */
#define CELLS_BATCH 1024
#define BYTES_BATCH ((size_t)1 << 18)
#define WALK_WORDS 2048

enum from_phase { FROM_MEASURE, FROM_INFER, FROM_FILL, FROM_SEAL };

/* What the values of a field have been so far. */
struct seen {
    bool null, boolean, integer, unsigned64, real, string, bytes;
};

struct from {
    enum from_phase phase;
    struct heap_walk *walk;
    uint64_t bytes_before;
    struct root_frame frame; /* the list; then the table */
    size_t length, at;
    bool given;              /* the schema is */
    struct table_schema schema;
    struct seen *seen;
    value *cells;            /* of a batch: room for columns * batch_rows */
    size_t bytes;            /* of its texts */
    uint32_t grown;          /* columns with room for it */
};

static size_t batch_rows(uint32_t columns)
{
    size_t rows = CELLS_BATCH / (columns ? columns : 1);
    return rows == 0 ? 1 : rows < ROWS_BATCH ? rows : ROWS_BATCH;
}

static void from_free(struct call *call)
{
    struct from *f = call->state;
    if (f->walk != NULL) heap_walk_end(f->walk);
    root_frame_close(call->heap, &f->frame);
    table_schema_close(&f->schema);
    free(f->seen);
    free(f->cells);
    free(f);
    call->state = NULL;
}

/* Where the result goes: the second path, or the first. */
static value target_path(const struct call *call)
{
    return param(call, 1) != VALUE_NIL ? call->args[1] : call->args[0];
}

static int fail_row(struct call *call, size_t row, const char *what)
{
    call_fail(call, ERROR_WRONG_TYPE, "%s: row %zu %s", call->method->name, row, what);
    return -1;
}

/* --- inference --------------------------------------------------------------------------------*/

/* The names of the first record. */
static int infer_begin(struct call *call, struct from *f, value record)
{
    struct map_iterator it = {0};
    value name, v;
    if (!value_is_kind(record, KIND_MAP)) return fail_row(call, 0, "is not a map");
    if (table_schema_open(call, &f->schema, map_count(call->heap, record)) < 0) return -1;
    f->seen = calloc(map_count(call->heap, record), sizeof *f->seen);
    if (f->seen == NULL) {
        fail_no_memory(call);
        return -1;
    }
    while (map_next(call->heap, record, &it, &name, &v)) {
        if (table_schema_name(call, &f->schema, name) < 0) return -1;
        f->schema.count++;
    }
    return 0;
}

static value record_get(struct heap *h, value record, const struct table_field *field)
{
    struct map_key key;
    map_key_text(h, &key, field->name, field->name_length);
    return map_get(h, record, &key);
}

static int see_value(struct call *call, struct from *f, uint32_t column, value v)
{
    struct seen *s = &f->seen[column];
    struct number n = number_read(call->heap, v);
    if (v == VALUE_NIL) s->null = true;
    else if (value_is_bool(v)) s->boolean = true;
    else if (n.class == NUMBER_INT64) s->integer = true;
    else if (n.class == NUMBER_UINT64) s->unsigned64 = true;
    else if (n.class == NUMBER_DOUBLE) s->real = true;
    else if (value_is_text(v) && text_is_bytes(v)) s->bytes = true;
    else if (value_is_text(v)) s->string = true;
    else {
        call_fail(call, ERROR_WRONG_TYPE,
                  "%s: row %zu, column %s: %s; cells of a table are numbers, booleans, strings, "
                  "bytes and nil",
                  call->method->name, f->at,
                  call_quote(f->schema.fields[column].name, f->schema.fields[column].name_length),
                  value_describe(v));
        return -1;
    }
    if (s->boolean + (s->integer || s->unsigned64 || s->real) + s->string + s->bytes <= 1) return 0;
    call_fail(call, ERROR_WRONG_TYPE,
              "%s: row %zu, column %s: %s, where rows before have values of another type",
              call->method->name, f->at,
              call_quote(f->schema.fields[column].name, f->schema.fields[column].name_length),
              value_describe(v));
    return -1;
}

static int see_record(struct call *call, struct from *f, value record)
{
    struct heap *h = call->heap;
    if (!value_is_kind(record, KIND_MAP)) return fail_row(call, f->at, "is not a map");
    if (map_count(h, record) != f->schema.count)
        return fail_row(call, f->at, "has other fields than the first row");
    for (uint32_t i = 0; i < f->schema.count; i++) {
        value v = record_get(h, record, &f->schema.fields[i]);
        if (v == VALUE_ABSENT) return fail_row(call, f->at, "has other fields than the first row");
        if (see_value(call, f, i, v) < 0) return -1;
    }
    return 0;
}

static void infer_end(struct from *f)
{
    for (uint32_t i = 0; i < f->schema.count; i++) {
        const struct seen *s = &f->seen[i];
        struct table_field *field = &f->schema.fields[i];
        field->null = s->null;
        field->type = s->boolean                    ? TABLE_BOOL
                      : s->real                     ? TABLE_F64
                      : s->unsigned64               ? TABLE_U64
                      : s->integer                  ? TABLE_I64
                      : s->bytes                    ? TABLE_BIN
                                                    : TABLE_STR;
    }
}

/* --- rows -------------------------------------------------------------------------------------*/

/* The cells of a record. With a schema that was given, fields may be missing: they are nil. */
static int record_cells(struct call *call, struct from *f, value record, value *cells)
{
    size_t met = 0;
    if (!value_is_kind(record, KIND_MAP)) return fail_row(call, f->at, "is not a map");
    for (uint32_t i = 0; i < f->schema.count; i++) {
        cells[i] = record_get(call->heap, record, &f->schema.fields[i]);
        met += cells[i] != VALUE_ABSENT;
        if (value_is_text(cells[i])) f->bytes += text_length(call->heap, cells[i]);
        if (cells[i] == VALUE_ABSENT) cells[i] = VALUE_NIL;
    }
    if (met == map_count(call->heap, record)) return 0;
    return fail_row(call, f->at, "has a field that is no column");
}

/* The next rows. 0, or -1 after call_fail. */
static int fill_batch(struct call *call, struct from *f)
{
    struct heap *h = call->heap;
    struct table_error error;
    struct table_append a;
    struct table *t = table_of(h, f->frame.slots[1]);
    uint32_t columns = f->schema.count;
    size_t first = f->at, count = batch_rows(columns);
    if (count > f->length - first) count = f->length - first;
    f->bytes = 0;
    for (; f->at < first + count && f->bytes < BYTES_BATCH; f->at++)
        if (record_cells(call, f, list_get(h, f->frame.slots[0], f->at),
                         f->cells + (f->at - first) * columns) < 0)
            return -1;
    count = f->at - first;
    int status = table_append_begin(t, count, &a, &error);
    bool begun = status == 0;
    for (uint32_t i = 0; i < columns && status == 0; i++)
        status = table_append_values(&a, i, count, f->cells + i, columns, &error);
    if (status == 0) status = table_append_commit(&a, NULL, &error);
    if (status == 0) return 0;
    if (begun) table_append_abort(&a);
    if (error.fault != TABLE_FAULT_MEMORY && first > 0 && error.row != UINT64_MAX)
        call_fail(call, ERROR_WRONG_TYPE, "%s: behind row %zu: %s", call->method->name, first,
                  error.text);
    else
        call_fail_table(call, &error);
    return -1;
}

static int fill_begin(struct call *call, struct from *f)
{
    value table = table_schema_make(call, &f->schema);
    if (table == VALUE_ABSENT) return -1;
    if (root_frame_push_take(call->heap, &f->frame, table) < 0) {
        value_release(call->heap, table);
        fail_no_memory(call);
        return -1;
    }
    f->cells = malloc((size_t)f->schema.count * batch_rows(f->schema.count) * sizeof *f->cells);
    if (f->cells != NULL) return 0;
    fail_no_memory(call);
    return -1;
}

/* --- steps ------------------------------------------------------------------------------------*/

/* Each works a little; 1: the phase is over, 0: there is more, -1 after call_fail. */
static int from_measure(struct from *f)
{
    if (!heap_walk_step(f->walk, WALK_WORDS)) return 0;
    f->bytes_before = heap_walk_total(f->walk).bytes;
    heap_walk_end(f->walk);
    f->walk = NULL;
    return 1;
}

static int from_infer(struct call *call, struct from *f)
{
    struct heap *h = call->heap;
    value list = f->frame.slots[0];
    if (f->at == 0 && !f->given && infer_begin(call, f, list_get(h, list, 0)) < 0) return -1;
    size_t rows = batch_rows(f->schema.count);
    for (size_t i = 0; i < rows && !f->given && f->at < f->length; i++, f->at++)
        if (see_record(call, f, list_get(h, list, f->at)) < 0) return -1;
    if (!f->given && f->at < f->length) return 0;
    if (!f->given) infer_end(f);
    f->at = 0;
    return fill_begin(call, f) < 0 ? -1 : 1;
}

/* Columns grow one by one before the rows of a batch come, which is not to take long. */
static int from_grow(struct call *call, struct from *f, uint64_t budget_ns)
{
    struct table *t = table_of(call->heap, f->frame.slots[1]);
    uint32_t rows = (uint32_t)batch_rows(f->schema.count);
    int status = table_append_grow(t, rows, &f->grown, clock_ns() + budget_ns);
    if (status == 0) f->grown = f->schema.count;
    if (status < 0) fail_no_memory(call);
    return status < 0 ? -1 : 0;
}

static int from_seal(struct call *call, struct from *f, uint64_t budget_ns)
{
    struct table *t = table_of(call->heap, f->frame.slots[1]);
    table_close_tail(t);
    int status = table_seal_step(t, budget_ns);
    if (status < 0) fail_no_memory(call);
    return status < 0 ? -1 : status == 0;
}

static enum call_outcome from_finish(struct call *call, struct from *f)
{
    struct heap *h = call->heap;
    struct place place;
    value table = f->frame.slots[1];
    struct writer *w = call->reply;
    writer_map(w, 3);
    reply_figure(w, "rows", f->length);
    reply_figure(w, "bytes_before", f->bytes_before);
    reply_figure(w, "bytes_after", value_cell_bytes(h, table) + table_bytes(table_of(h, table)));
    enum call_outcome outcome = CALL_FAILED;
    if (reply_check(call) == 0 && place_find(call, target_path(call), 0, &place) == 0) {
        f->frame.slots[1] = VALUE_NIL;
        outcome = place_set_take(call, &place, table) < 0 ? CALL_FAILED : CALL_DONE;
    }
    from_free(call);
    return outcome;
}

static int from_work(struct call *call, struct from *f, uint64_t budget_ns)
{
    if (f->phase != FROM_SEAL && list_length(call->heap, f->frame.slots[0]) != f->length) {
        call_fail(call, ERROR_BUSY, "%s: the list was changed meanwhile; try again",
                  call->method->name);
        return -1;
    }
    switch (f->phase) {
    case FROM_MEASURE: return from_measure(f);
    case FROM_INFER: return from_infer(call, f);
    case FROM_FILL:
        if (f->at < f->length && f->grown < f->schema.count) return from_grow(call, f, budget_ns);
        if (f->at < f->length && fill_batch(call, f) < 0) return -1;
        f->grown = 0;
        return f->at == f->length;
    case FROM_SEAL: break;
    }
    return from_seal(call, f, budget_ns);
}

static enum call_outcome from_step(struct call *call, uint64_t budget_ns)
{
    struct from *f = call->state;
    uint64_t end = clock_ns() + budget_ns;
    root_frame_touch(call->heap, &f->frame);
    do {
        int done = from_work(call, f, budget_ns);
        if (done < 0) {
            from_free(call);
            return CALL_FAILED;
        }
        if (done > 0 && f->phase++ == FROM_SEAL) return from_finish(call, f);
    } while (clock_ns() < end);
    return CALL_PENDING;
}

/* Everything that `f` starts with. 0, or -1 after call_fail. */
static int from_begin(struct call *call, struct from *f, value list)
{
    int error;
    f->given = param(call, 2) != VALUE_NIL;
    f->length = list_length(call->heap, list);
    if (f->given && table_schema_read(call, call->args[2], &f->schema) < 0) return -1;
    if (!f->given && f->length == 0) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "%s: an empty list tells no types; give a schema, or use table.create",
                  call->method->name);
        return -1;
    }
    value held = value_share(call->heap, list);
    if (root_frame_push_take(call->heap, &f->frame, held) < 0) {
        fail_no_memory(call);
        return -1;
    }
    f->walk = heap_walk_start(call->heap, list, &error);
    if (f->walk != NULL) return 0;
    if (error == -EBUSY)
        call_fail(call, ERROR_BUSY, "%s: another value is being measured; try again",
                  call->method->name);
    else
        fail_no_memory(call);
    return -1;
}

enum call_outcome method_table_from(struct call *call)
{
    value list;
    struct place place;
    if (path_read_through(call, call->args[0], 0, &list) < 0) return CALL_FAILED;
    if (list == VALUE_ABSENT) return fail_not_found(call, call->args[0]);
    if (!value_is_kind(list, KIND_LIST))
        return fail_type(call, call->args[0], list, "a list of records");
    if (place_find(call, target_path(call), 0, &place) < 0) return CALL_FAILED;
    struct from *f = calloc(1, sizeof *f);
    if (f == NULL) return fail_no_memory(call);
    root_frame_open(call->heap, &f->frame);
    call->state = f;
    if (from_begin(call, f, list) < 0) {
        from_free(call);
        return CALL_FAILED;
    }
    call->abort = from_free;
    call->step = from_step;
    return CALL_PENDING;
}

/* --- table.to ---------------------------------------------------------------------------------*/

struct to {
    struct table_version *version;
    struct row_walk walk;
    struct root_frame frame; /* the list */
};

static void to_free(struct call *call)
{
    struct to *s = call->state;
    table_unpin(s->version);
    root_frame_close(call->heap, &s->frame);
    free(s);
    call->state = NULL;
}

/* Adds some rows, until the time is over. 1 when all are there, 0 if not yet, -1 when memory is
 * short. */
static int to_batch(struct call *call, struct to *s, uint64_t end_ns)
{
    struct heap *h = call->heap;
    value rows[ROWS_BATCH];
    size_t count = 0;
    uint32_t chunk, slot;
    bool failed = false, over = false;
    do {
        over = !row_walk_next(&s->walk, &chunk, &slot);
        if (over) break;
        rows[count] = table_row_make(h, s->version, chunk, slot);
        failed = rows[count] == VALUE_ABSENT;
        if (!failed) count++;
    } while (!failed && count < ROWS_BATCH && clock_ns() < end_ns);
    value list = s->frame.slots[0];
    if (!failed && list_insert_take(h, list, list_length(h, list), rows, count) == 0)
        return over;
    for (size_t i = 0; i < count; i++) value_release(h, rows[i]);
    fail_no_memory(call);
    return -1;
}

static enum call_outcome to_finish(struct call *call, struct to *s)
{
    struct place place;
    uint64_t rows = table_version_rows(s->version);
    value list = s->frame.slots[0];
    enum call_outcome outcome = CALL_FAILED;
    if (place_find(call, target_path(call), 0, &place) == 0) {
        s->frame.slots[0] = VALUE_NIL;
        if (place_set_take(call, &place, list) == 0) outcome = CALL_DONE;
    }
    to_free(call);
    return outcome == CALL_DONE ? reply_uint(call, rows) : outcome;
}

static enum call_outcome to_step(struct call *call, uint64_t budget_ns)
{
    struct to *s = call->state;
    uint64_t end = clock_ns() + budget_ns;
    int done;
    root_frame_touch(call->heap, &s->frame);
    do done = to_batch(call, s, end);
    while (done == 0 && clock_ns() < end);
    if (done == 0) return CALL_PENDING;
    if (done > 0) return to_finish(call, s);
    to_free(call);
    return CALL_FAILED;
}

enum call_outcome method_table_to(struct call *call)
{
    struct table *t;
    struct place place;
    if (table_find(call, call->args[0], &t) < 0 ||
        place_find(call, target_path(call), 0, &place) < 0)
        return CALL_FAILED;
    struct to *s = calloc(1, sizeof *s);
    value list = s == NULL ? VALUE_ABSENT : list_new(call->heap);
    if (list == VALUE_ABSENT) {
        free(s);
        return fail_no_memory(call);
    }
    root_frame_open(call->heap, &s->frame);
    s->version = table_pin(t);
    row_walk_from(&s->walk, s->version, 0);
    call->state = s;
    if (root_frame_push_take(call->heap, &s->frame, list) < 0) {
        value_release(call->heap, list);
        to_free(call);
        return fail_no_memory(call);
    }
    call->abort = to_free;
    call->step = to_step;
    return CALL_PENDING;
}
