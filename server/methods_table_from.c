/* methods_table_from.c - table.from: a list of records becomes a table.
 *
 * It works in steps: how large the list is (heap_walk, for which it waits in line), what types its
 * fields have (unless a schema is given), then the rows, then sealing; only the finished table is
 * stored. The list is held and watched (watch.h) meanwhile: if it is changed, or a record that was
 * read, what has been made is not what is there, and the call fails, so that no change which was
 * answered is lost. So it does if the list is not at its path in the end. Failure at any time gives
 * up what was made; nothing was changed. */
#include "server/method_list.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "heap/census.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/table_draft.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_schema.h"
#include "server/table_value.h"
#include "server/watch.h"

#define ROWS_BATCH 512
/* A unit of work, some tens of microseconds: so many cells, or bytes of texts. One text may be
 * longer. */
#define UNIT_CELLS 1024
#define UNIT_BYTES ((size_t)1 << 16)
#define WALK_WORDS 2048

enum from_phase { FROM_MEASURE, FROM_INFER, FROM_FILL, FROM_SEAL };

/* What the values of a field have been so far. */
struct seen {
    bool null, boolean, integer, unsigned64, real, string, bytes;
};

struct from {
    enum from_phase phase;
    struct heap_walk *walk;      /* NULL while it is in line, and after it */
    struct heap_walk_turn turn;
    uint64_t bytes_before;
    struct root_frame frame; /* the list; then the table */
    struct watch watch;
    size_t length, at;
    bool given;              /* the schema is */
    struct table_schema schema;
    struct seen *seen;
    struct {                 /* rows under way */
        struct table_draft *draft; /* NULL: none are */
        struct table_append append;
        size_t count, row;   /* the next one, of the next column */
        uint32_t column;
        bool reserved;
        value records[ROWS_BATCH]; /* watched, so they stay where they are */
        uint32_t met[ROWS_BATCH];  /* columns that are fields of each */
    } batch;
};

static void from_free(struct call *call)
{
    struct from *f = call->state;
    heap_walk_turn_leave(call->heap, &f->turn);
    if (f->walk != NULL) heap_walk_end(f->walk);
    if (f->batch.draft != NULL) {
        table_append_close(&f->batch.append);
        table_draft_abandon(f->batch.draft);
    }
    watch_close(&f->watch);
    root_frame_close(call->heap, &f->frame);
    table_schema_close(&f->schema);
    free(f->seen);
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

/* --- reading ----------------------------------------------------------------------------------*/

/* The next record, which is watched from now on. (Its texts need not be: one that is known from
 * elsewhere, too, never changes.) */
static value record_read(struct call *call, struct from *f)
{
    value record = list_get(call->heap, f->frame.slots[0], f->at);
    watch_add(&f->watch, record);
    return record;
}

static value record_get(struct heap *h, value record, const struct table_field *field)
{
    struct map_key key;
    map_key_text(h, &key, field->name, field->name_length);
    return map_get(h, record, &key);
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

/* Names a field of the first row that the record lacks, or one of the record that that lacks. */
static int fail_fields(struct call *call, const struct from *f, value record)
{
    struct map_iterator it = {0};
    value name, v;
    for (uint32_t i = 0; i < f->schema.count; i++) {
        const struct table_field *field = &f->schema.fields[i];
        if (record_get(call->heap, record, field) != VALUE_ABSENT) continue;
        call_fail(call, ERROR_WRONG_TYPE,
                  "%s: row %zu has other fields than the first row: it has no %s",
                  call->method->name, f->at, call_quote(field->name, field->name_length));
        return -1;
    }
    while (map_next(call->heap, record, &it, &name, &v)) {
        uint32_t i = 0;
        while (i < f->schema.count && !(value_is_text(name) &&
                                        text_equals(call->heap, name, f->schema.fields[i].name,
                                                    f->schema.fields[i].name_length)))
            i++;
        if (i < f->schema.count) continue;
        call_fail(call, ERROR_WRONG_TYPE,
                  "%s: row %zu has other fields than the first row, which has no %s",
                  call->method->name, f->at, call_quote_value(call, name));
        return -1;
    }
    return fail_row(call, f->at, "has other fields than the first row");
}

static int see_record(struct call *call, struct from *f, value record)
{
    struct heap *h = call->heap;
    if (!value_is_kind(record, KIND_MAP)) return fail_row(call, f->at, "is not a map");
    if (map_count(h, record) != f->schema.count)
        return fail_fields(call, f, record);
    for (uint32_t i = 0; i < f->schema.count; i++) {
        value v = record_get(h, record, &f->schema.fields[i]);
        if (v == VALUE_ABSENT) return fail_fields(call, f, record);
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

static struct table *from_table(const struct call *call, const struct from *f)
{
    return table_of(call->heap, f->frame.slots[1]);
}

static int fail_batch(struct call *call, const struct from *f, const struct table_error *error)
{
    if (error->fault != TABLE_FAULT_MEMORY && f->at > 0 && error->row != UINT64_MAX)
        call_fail(call, ERROR_WRONG_TYPE, "%s: behind row %zu: %s", call->method->name, f->at,
                  error->text);
    else
        call_fail_table(call, error);
    return -1;
}

/* The next records, and room for their rows. */
static int batch_begin(struct call *call, struct from *f)
{
    struct table_error error;
    size_t left = f->length - f->at;
    f->batch.count = list_read(call->heap, f->frame.slots[0], f->at, f->batch.records,
                               left < ROWS_BATCH ? left : ROWS_BATCH);
    for (size_t i = 0; i < f->batch.count; i++) {
        watch_add(&f->watch, f->batch.records[i]);
        f->batch.met[i] = 0;
        if (!value_is_kind(f->batch.records[i], KIND_MAP))
            return fail_row(call, f->at + i, "is not a map");
    }
    if (table_draft_open(from_table(call, f), &f->batch.draft, &error) != 0) {
        f->batch.draft = NULL;
        return fail_batch(call, f, &error);
    }
    f->batch.append = (struct table_append){.before = NULL};
    f->batch.column = 0;
    f->batch.row = 0;
    f->batch.reserved = false;
    table_draft_enter(f->batch.draft);
    int failed = table_append_open(f->batch.draft, f->batch.count, &f->batch.append, &error);
    table_draft_leave(f->batch.draft);
    return failed ? fail_batch(call, f, &error) : 0;
}

/* Some cells of the next column. With a schema that was given, fields may be missing: they are
 * nil. 0, or an error. */
static int batch_cells(struct call *call, struct from *f, size_t *cells, size_t *bytes,
                       struct table_error *error)
{
    value some[ROWS_BATCH];
    const struct table_field *field = &f->schema.fields[f->batch.column];
    size_t count = 0, first = f->batch.row;
    while (f->batch.row < f->batch.count && *cells < UNIT_CELLS && *bytes < UNIT_BYTES) {
        value v = record_get(call->heap, f->batch.records[f->batch.row], field);
        f->batch.met[f->batch.row++] += v != VALUE_ABSENT;
        if (value_is_text(v)) *bytes += text_length(call->heap, v);
        some[count++] = v == VALUE_ABSENT ? VALUE_NIL : v;
        ++*cells;
    }
    assert(count == f->batch.row - first);
    int failed = table_append_values(&f->batch.append, f->batch.column, count, some, 1, error);
    if (f->batch.row < f->batch.count) return failed;
    f->batch.column++;
    f->batch.row = 0;
    return failed;
}

static int batch_unit(struct call *call, struct from *f, uint64_t end_ns, struct table_error *error)
{
    size_t cells = 0, bytes = 0;
    int failed = 0;
    if (!f->batch.reserved) {
        int more = table_append_reserve(&f->batch.append, end_ns);
        f->batch.reserved = more == 0;
        if (more >= 0) return 1;
        *error = (struct table_error){.fault = TABLE_FAULT_MEMORY};
        return more;
    }
    while (f->batch.column < f->schema.count && cells < UNIT_CELLS && bytes < UNIT_BYTES && !failed)
        failed = batch_cells(call, f, &cells, &bytes, error);
    if (failed) return failed;
    if (cells > 0) return 1;
    int more = table_append_check(&f->batch.append, end_ns, error);
    if (more == 0) more = table_append_commit(&f->batch.append, NULL, error);
    return more;
}

/* A unit of the rows that are next. 0, or -1 after call_fail. */
static int fill_unit(struct call *call, struct from *f, uint64_t end_ns)
{
    struct table_error error;
    if (f->batch.draft == NULL) return batch_begin(call, f);
    table_draft_enter(f->batch.draft);
    int more = batch_unit(call, f, end_ns, &error);
    table_draft_leave(f->batch.draft);
    if (more < 0) return fail_batch(call, f, &error);
    if (more > 0) return 0;
    for (size_t i = 0; i < f->batch.count; i++)
        if (f->batch.met[i] != map_count(call->heap, f->batch.records[i]))
            return fail_row(call, f->at + i, "has a field that is no column");
    table_draft_publish(f->batch.draft);
    f->batch.draft = NULL;
    f->at += f->batch.count;
    return 0;
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
    return 0;
}

/* --- steps ------------------------------------------------------------------------------------*/

/* Each works a little; 1: the phase is over, 0: there is more, -1 after call_fail. */
static int from_measure(struct call *call, struct from *f)
{
    int error;
    if (f->walk == NULL)
        f->walk = heap_walk_await(call->heap, f->frame.slots[0], &f->turn, &error);
    if (f->walk == NULL && error == -EBUSY) return 0;
    if (f->walk == NULL) {
        fail_no_memory(call);
        return -1;
    }
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
    for (size_t cells = 0; cells < UNIT_CELLS && !f->given && f->at < f->length;
         cells += f->schema.count + 1, f->at++)
        if (see_record(call, f, record_read(call, f)) < 0) return -1;
    if (!f->given && f->at < f->length) return 0;
    if (!f->given) infer_end(f);
    f->at = 0;
    return fill_begin(call, f) < 0 ? -1 : 1;
}

static int from_seal(struct call *call, struct from *f, uint64_t end_ns)
{
    struct table *t = from_table(call, f);
    uint64_t now = clock_ns();
    table_close_tail(t);
    int status = table_seal_step(t, now < end_ns ? end_ns - now : 0);
    if (status < 0) fail_no_memory(call);
    return status < 0 ? -1 : status == 0;
}

/* Whether the list is still at its path. 0, or -1 after call_fail. */
static int check_source(struct call *call, const struct from *f)
{
    value v;
    if (path_read_through(call, call->args[0], PATH_LOOKS, &v) < 0) return -1;
    if (v == f->frame.slots[0]) return 0;
    call_fail(call, ERROR_NOT_FOUND, "%s: the list is not at %s any more", call->method->name,
              quote_whole_path(call, call->args[0]));
    return -1;
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
    if (reply_check(call) == 0 && check_source(call, f) == 0 &&
        place_find(call, target_path(call), 0, &place) == 0) {
        f->frame.slots[1] = VALUE_NIL;
        outcome = place_set_take(call, &place, table) < 0 ? CALL_FAILED : CALL_DONE;
    }
    from_free(call);
    return outcome;
}

static int from_work(struct call *call, struct from *f, uint64_t end_ns)
{
    if (f->watch.touched) {
        if (check_source(call, f) < 0) return -1;
        call_fail(call, ERROR_BUSY, "%s: the list, or a record in it, was changed meanwhile; try "
                  "again", call->method->name);
        return -1;
    }
    assert(list_length(call->heap, f->frame.slots[0]) == f->length);
    switch (f->phase) {
    case FROM_MEASURE: return from_measure(call, f);
    case FROM_INFER: return from_infer(call, f);
    case FROM_FILL:
        if (f->at < f->length && fill_unit(call, f, end_ns) < 0) return -1;
        return f->at == f->length;
    case FROM_SEAL: break;
    }
    return from_seal(call, f, end_ns);
}

static enum call_outcome from_step(struct call *call, uint64_t budget_ns)
{
    struct from *f = call->state;
    uint64_t end = clock_ns() + budget_ns;
    root_frame_touch(call->heap, &f->frame);
    do {
        int done = from_work(call, f, end);
        if (done < 0) {
            from_free(call);
            return CALL_FAILED;
        }
        if (done > 0 && f->phase++ == FROM_SEAL) return from_finish(call, f);
    } while (clock_ns() < end && !f->turn.waits);
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
    if (watch_open(&f->watch, call->host->keys) != 0) {
        fail_no_memory(call);
        return -1;
    }
    watch_add(&f->watch, list);
    f->walk = heap_walk_await(call->heap, list, &f->turn, &error);
    if (f->walk != NULL || error == -EBUSY) return 0;
    fail_no_memory(call);
    return -1;
}

enum call_outcome method_table_from(struct call *call)
{
    value list;
    struct place place;
    if (path_read_through(call, call->args[0], PATH_LOOKS, &list) < 0) return CALL_FAILED;
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
