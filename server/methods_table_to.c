/* methods_table_to.c - table.to: a table becomes a list of records.
 *
 * It works in steps, on a pinned version: makes the rows, finds out how large the list is
 * (heap_walk, of which there is one at a time: it waits in line), and stores the list. Where the
 * list takes the table's own place, what others do to the table meanwhile would be gone. So the
 * call is a change of the table like any other: it waits for its turn, and keeps a draft open, in
 * which it changes nothing, so that writers wait for theirs. They then find what has become of the
 * table. */
#include "server/method_list.h"

#include <errno.h>
#include <stdlib.h>

#include "heap/census.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/table_draft.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_value.h"

/* Rows go into the list so many at a time. */
#define ROWS_BATCH 128
/* A unit of work, some tens of microseconds: so many cells, or bytes of texts. One text may be
 * longer. */
#define UNIT_CELLS 1024
#define UNIT_BYTES ((size_t)1 << 16)
#define WALK_WORDS 2048

struct to {
    struct table *table;         /* held by the version */
    struct table_version *version;
    struct table_draft *draft;   /* the list is to take the table's place; else NULL */
    uint64_t bytes_before;
    struct row_walk walk;        /* over the rows */
    bool made;                   /* all of them are in the list */
    struct heap_walk *sizing;    /* of the list then, or NULL: not yet */
    struct heap_walk_turn turn;  /* in line for that */
    struct root_frame frame;     /* the list, rows that are to go there, pairs of the next row */
    size_t rows;
    bool in_row;
    uint32_t chunk, slot, column; /* of the next cell then */
};

/* Where the list goes: the second path, or the first. */
static value target_path(const struct call *call)
{
    return param(call, 1) != VALUE_NIL ? call->args[1] : call->args[0];
}

static bool is_table(const struct call *call, value v, const struct table *t)
{
    v = path_follow(call->heap, v);
    return value_is_kind(v, KIND_TABLE) && table_of(call->heap, v) == t;
}

static void to_free(struct call *call)
{
    struct to *s = call->state;
    heap_walk_turn_leave(call->heap, &s->turn);
    if (s->sizing != NULL) heap_walk_end(s->sizing);
    if (s->draft != NULL) table_draft_abandon(s->draft);
    table_unpin(s->version);
    root_frame_close(call->heap, &s->frame);
    free(s);
    call->state = NULL;
}

/* The rows that are made go into the list. 0 or -ENOMEM. */
static int to_flush(struct heap *h, struct to *s)
{
    value list = s->frame.slots[0];
    int failed = list_insert_take(h, list, list_length(h, list), s->frame.slots + 1, s->rows);
    if (failed) return failed;
    s->frame.count -= s->rows;
    s->rows = 0;
    return 0;
}

/* The next cell of the row. 0 or -ENOMEM. */
static int to_cell(struct heap *h, struct to *s, size_t *bytes)
{
    const struct table_field *field = table_field(table_version_table(s->version), s->column);
    struct table_cell cell;
    table_cell(s->version, s->chunk, s->slot, s->column, &cell);
    enum table_class class = table_type_class(field->type);
    if (!cell.null && (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL))
        *bytes += cell.text.length;
    value pair[2] = {text_new(h, field->name, field->name_length, false),
                     table_cell_to_value(h, &cell)};
    size_t kept = 0;
    while (kept < 2 && pair[kept] != VALUE_ABSENT &&
           root_frame_push_take(h, &s->frame, pair[kept]) == 0)
        kept++;
    for (size_t i = kept; i < 2; i++) value_release(h, pair[i]);
    s->column++;
    return kept == 2 ? 0 : -ENOMEM;
}

/* All pairs of the row are there. 0 or -ENOMEM. */
static int to_row(struct heap *h, struct to *s)
{
    value *pairs = s->frame.slots + 1 + s->rows;
    value map = map_from_take(h, pairs, s->column);
    if (map == VALUE_ABSENT) return -ENOMEM;
    *pairs = map;
    s->frame.count = 2 + s->rows++;
    s->in_row = false;
    return 0;
}

/* Some rows. 1 when all are in the list, 0 if not yet, -ENOMEM. */
static int to_rows(struct heap *h, struct to *s)
{
    uint32_t columns = table_column_count(table_version_table(s->version));
    size_t bytes = 0;
    int failed = 0;
    for (size_t cells = 0; cells < UNIT_CELLS && bytes < UNIT_BYTES && !failed; cells++) {
        if (!s->in_row) {
            if (s->rows == ROWS_BATCH && (failed = to_flush(h, s)) != 0) break;
            s->in_row = row_walk_next(&s->walk, &s->chunk, &s->slot);
            s->column = 0;
            if (!s->in_row) return (failed = to_flush(h, s)) != 0 ? failed : 1;
        }
        failed = to_cell(h, s, &bytes);
        if (!failed && s->column == columns) failed = to_row(h, s);
    }
    return failed;
}

/* A part of finding out how large the list is. The same. */
static int to_size(struct heap *h, struct to *s)
{
    int error = 0;
    if (s->sizing == NULL) s->sizing = heap_walk_await(h, s->frame.slots[0], &s->turn, &error);
    if (s->sizing == NULL) return error == -EBUSY ? 0 : -ENOMEM;
    return heap_walk_step(s->sizing, WALK_WORDS);
}

/* A unit of work. 1 when nothing is left but to store the list, 0 if not yet, -ENOMEM. */
static int to_unit(struct heap *h, struct to *s)
{
    if (s->made) return to_size(h, s);
    int done = to_rows(h, s);
    s->made = done > 0;
    return done > 0 ? 0 : done;
}

/* Whether the list may go to `place`: not if changes would be lost that were answered. 0, or -1
 * after call_fail. */
static int to_check(struct call *call, struct to *s, const struct place *place)
{
    value v;
    if (s->draft != NULL) {
        if (path_read_through(call, call->args[0], 0, &v) < 0) return -1;
        if (is_table(call, v, s->table)) return 0;
        call_fail(call, ERROR_NOT_FOUND, "%s: the table is not at %s any more",
                  call->method->name, quote_whole_path(call, call->args[0]));
        return -1;
    }
    if (!is_table(call, place->held, s->table)) return 0;
    /* It was linked to that place meanwhile. */
    struct table_version *now = table_pin(s->table);
    bool same = now == s->version;
    table_unpin(now);
    if (same) return 0;
    call_fail(call, ERROR_BUSY, "%s: the table was changed meanwhile; try again",
              call->method->name);
    return -1;
}

static enum call_outcome to_finish(struct call *call, struct to *s)
{
    struct place place;
    value list = s->frame.slots[0];
    struct writer *w = call->reply;
    enum call_outcome outcome = CALL_FAILED;
    writer_map(w, 3);
    reply_figure(w, "rows", table_version_rows(s->version));
    reply_figure(w, "bytes_before", s->bytes_before);
    reply_figure(w, "bytes_after", heap_walk_total(s->sizing).bytes);
    if (reply_check(call) == 0 && place_find(call, target_path(call), 0, &place) == 0 &&
        to_check(call, s, &place) == 0) {
        s->frame.slots[0] = VALUE_NIL;
        if (place_set_take(call, &place, list) == 0) outcome = CALL_DONE;
    }
    to_free(call);
    return outcome;
}

static enum call_outcome to_step(struct call *call, uint64_t budget_ns)
{
    struct to *s = call->state;
    uint64_t end = clock_ns() + budget_ns;
    int done;
    root_frame_touch(call->heap, &s->frame);
    do done = to_unit(call->heap, s);
    while (done == 0 && clock_ns() < end && !(s->made && s->sizing == NULL));
    if (done == 0) return CALL_PENDING;
    if (done > 0) return to_finish(call, s);
    fail_no_memory(call);
    to_free(call);
    return CALL_FAILED;
}

/* Everything that `s` starts with. 0, or -1 after call_fail. */
static int to_begin(struct call *call, struct to *s, bool in_place)
{
    struct table_error error;
    value list = list_new(call->heap);
    if (list == VALUE_ABSENT || root_frame_push_take(call->heap, &s->frame, list) < 0) {
        value_release(call->heap, list);
        fail_no_memory(call);
        return -1;
    }
    if (!in_place || table_draft_open(s->table, &s->draft, &error) == 0) return 0;
    s->draft = NULL;
    call_fail_table(call, &error);
    return -1;
}

enum call_outcome method_table_to(struct call *call)
{
    struct table *t;
    struct place place;
    value table;
    if (table_find(call, call->args[0], &t) < 0 ||
        path_read_through(call, call->args[0], 0, &table) < 0 ||
        place_find(call, target_path(call), 0, &place) < 0)
        return CALL_FAILED;
    bool in_place = is_table(call, place.held, t);
    if (in_place && table_turn(call, t) < 0) return CALL_FAILED;
    struct to *s = calloc(1, sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    root_frame_open(call->heap, &s->frame);
    s->table = t;
    s->bytes_before = value_cell_bytes(call->heap, table) + table_bytes(t);
    s->version = table_pin(t);
    row_walk_from(&s->walk, s->version, 0);
    call->state = s;
    if (to_begin(call, s, in_place) < 0) {
        to_free(call);
        return CALL_FAILED;
    }
    call->abort = to_free;
    call->step = to_step;
    return CALL_PENDING;
}
