/* methods_table_to.c - table.to: a table becomes a list of records.
 *
 * It works in steps, on a pinned version, and stores the list when it is whole. Where the list takes
 * the table's own place, what others do to the table meanwhile would be gone. So the call is a change
 * of the table like any other: it waits for its turn, and keeps a draft open, in which it changes
 * nothing, so that writers wait for theirs. They then find what has become of the table. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/list.h"
#include "heap/table_draft.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_value.h"

#define ROWS_BATCH 128

struct to {
    struct table *table;         /* held by the version */
    struct table_version *version;
    struct table_draft *draft;   /* the list is to take the table's place; else NULL */
    struct row_walk walk;
    struct root_frame frame; /* the list */
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
    if (s->draft != NULL) table_draft_abandon(s->draft);
    table_unpin(s->version);
    root_frame_close(call->heap, &s->frame);
    free(s);
    call->state = NULL;
}

/* Adds some rows. 1 when all are there, 0 if not yet, -1 when memory is short. */
static int to_batch(struct call *call, struct to *s)
{
    struct heap *h = call->heap;
    value rows[ROWS_BATCH];
    size_t count = 0;
    uint32_t chunk, slot;
    while (count < ROWS_BATCH && row_walk_next(&s->walk, &chunk, &slot)) {
        rows[count] = table_row_make(h, s->version, chunk, slot);
        if (rows[count] == VALUE_ABSENT) break;
        count++;
    }
    bool failed = count < ROWS_BATCH && s->walk.chunk < table_version_chunks(s->version);
    value list = s->frame.slots[0];
    if (!failed && list_insert_take(h, list, list_length(h, list), rows, count) == 0)
        return count < ROWS_BATCH;
    for (size_t i = 0; i < count; i++) value_release(h, rows[i]);
    fail_no_memory(call);
    return -1;
}

/* Whether the list may go to `place`: not if changes would be lost that were answered. 0, or -1 after
 * call_fail. */
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
    uint64_t rows = table_version_rows(s->version);
    value list = s->frame.slots[0];
    enum call_outcome outcome = CALL_FAILED;
    if (place_find(call, target_path(call), 0, &place) == 0 && to_check(call, s, &place) == 0) {
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
    do done = to_batch(call, s);
    while (done == 0 && clock_ns() < end);
    if (done == 0) return CALL_PENDING;
    if (done > 0) return to_finish(call, s);
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
    if (table_find(call, call->args[0], &t) < 0 ||
        place_find(call, target_path(call), 0, &place) < 0)
        return CALL_FAILED;
    bool in_place = is_table(call, place.held, t);
    if (in_place && table_turn(call, t) < 0) return CALL_FAILED;
    struct to *s = calloc(1, sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    root_frame_open(call->heap, &s->frame);
    s->table = t;
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
