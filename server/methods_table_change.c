/* methods_table_change.c - update and delete: all or nothing, in steps, of any number of rows.
 *
 * The happy path: a draft of the table is opened (heap/table_draft.h), which keeps other writers
 * waiting. A search on the version from before finds rows vector by vector; those of a chunk are
 * changed in the draft, then the search goes on. At the end the draft is published: nobody sees a
 * half of the change, and nobody waits for it but those who want to change the same table.
 *
 * Failure: a cell that cannot be set, memory that is short, and a session that ends give the draft
 * up; the table is what it was. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/query_rows.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_value.h"

/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)100000)
/* Positions between two looks at the clock. */
#define POSITIONS_BATCH 32

struct change {
    struct table_draft *draft;
    struct query *query;           /* NULL for positions, and once all is found */
    bool deletes;
    bool full;                     /* the rows of a chunk are found, and not yet changed */
    struct table_update update;    /* its rows are those of deletions, too */
    struct table_assignment *assignments;
    char *texts;                   /* of the assignments */
    bool waiting;                  /* a vector was found that is of the next chunk: */
    uint32_t chunk, vector;
    uint64_t bits[TABLE_VECTOR_WORDS];
    size_t at;                     /* positions that are done */
    uint64_t rows;
};

static void change_free(struct call *call)
{
    struct change *c = call->state;
    table_update_close(&c->update);
    if (c->query != NULL) query_destroy(c->query);
    if (c->draft != NULL) table_draft_abandon(c->draft);
    free(c->assignments);
    free(c->texts);
    free(c);
    call->state = NULL;
}

static enum call_outcome change_fail(struct call *call)
{
    change_free(call);
    return CALL_FAILED;
}

static enum call_outcome change_finish(struct call *call, struct change *c)
{
    uint64_t rows = c->rows;
    table_draft_publish(c->draft);
    c->draft = NULL;
    change_free(call);
    return reply_uint(call, rows);
}

/* --- finding rows -----------------------------------------------------------------------------*/

static void found_add(struct change *c)
{
    uint32_t before = c->update.rows.count;
    table_rows_add(&c->update.rows, c->chunk, c->vector, c->bits);
    c->rows += c->update.rows.count - before;
    c->waiting = false;
}

/* Looks at some vectors. 0, or -1 after call_fail. */
static int search_unit(struct call *call, struct change *c)
{
    struct query_error error;
    if (c->waiting) found_add(c);
    int found = query_rows_next(c->query, &c->chunk, &c->vector, c->bits, &error);
    if (found < 0) {
        call_fail_query(call, &error);
        return -1;
    }
    if (found == QUERY_END) {
        query_destroy(c->query);
        c->query = NULL;
        c->full = true;
    }
    if (found != QUERY_ROWS) return 0;
    c->full = c->update.rows.count > 0 && c->update.rows.chunk != c->chunk;
    c->waiting = c->full;
    if (!c->full) found_add(c);
    return 0;
}

/* --- changing ---------------------------------------------------------------------------------*/

/* The rows of a chunk. 1: there is more to do; 0; -1 after call_fail. */
static int change_chunk(struct call *call, struct change *c, uint64_t end_ns)
{
    struct table_error error;
    struct table_rows *rows = &c->update.rows;
    int status = 0;
    if (c->deletes) {
        table_draft_enter(c->draft);
        status = table_delete_rows(table_draft_table(c->draft), rows, &error);
        table_draft_leave(c->draft);
        memset(rows, 0, sizeof *rows);
    } else {
        status = table_update_step(&c->update, end_ns, &error);
    }
    if (status == 0) c->full = false;
    if (status < 0) call_fail_table(call, &error);
    return status < 0 ? -1 : status;
}

static enum call_outcome change_step(struct call *call, uint64_t budget_ns)
{
    struct change *c = call->state;
    uint64_t end_ns = clock_ns() + budget_ns;
    do {
        if (c->query == NULL && !c->full) return change_finish(call, c);
        int status = c->full ? change_chunk(call, c, end_ns) : search_unit(call, c);
        if (status < 0) return change_fail(call);
    } while (clock_ns() < end_ns);
    return CALL_PENDING;
}

/* --- beginning --------------------------------------------------------------------------------*/

/* One of {column: value}. Its text is copied behind *text, which moves on. */
static int assignment_read(struct call *call, const struct table *t, value name, value v,
                           struct table_assignment *a, char **text)
{
    struct table_scratch scratch = {.bytes = NULL};
    struct table_error error;
    if (table_column_read(call, t, name, &a->column) < 0) return -1;
    enum table_class class = table_type_class(table_field(t, a->column)->type);
    int failed = table_cell_from_value(call->heap, table_field(t, a->column), UINT64_MAX,
                                       a->column, v, &a->cell, &scratch, &error);
    if (failed) {
        call_fail_table(call, &error);
    } else if (!a->cell.null && (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL)) {
        size_t length = a->cell.text.length;
        if (length > 0) memcpy(*text, a->cell.text.data, length);
        a->cell.text.data = *text;
        *text += length;
    }
    table_scratch_close(&scratch);
    return failed ? -1 : 0;
}

/* The cells, with their texts where they stay: values move between steps. */
static int assignments_read(struct call *call, const struct table *t, struct change *c)
{
    struct map_iterator it = {0};
    value name, v, map = call->args[2];
    size_t bytes = 1;
    while (map_next(call->heap, map, &it, &name, &v))
        if (value_is_text(v)) bytes += text_length(call->heap, v);
    c->assignments = calloc(map_count(call->heap, map) + 1, sizeof *c->assignments);
    c->texts = malloc(bytes);
    if (c->assignments == NULL || c->texts == NULL) {
        fail_no_memory(call);
        return -1;
    }
    char *text = c->texts;
    it = (struct map_iterator){0};
    while (map_next(call->heap, map, &it, &name, &v))
        if (assignment_read(call, t, name, v, &c->assignments[c->update.count++], &text) < 0)
            return -1;
    c->update.assignments = c->assignments;
    return 0;
}

static int search_begin(struct call *call, struct change *c, struct table *t)
{
    struct query_error error;
    struct table_version *version = table_pin(t);
    if (query_rows_create(call->heap, version, call->args[1], call->host->query_bytes_max,
                          &c->query, &error) == 0)
        return 0;
    c->query = NULL;
    table_unpin(version);
    call_fail_query(call, &error);
    return -1;
}

static int draft_begin(struct call *call, struct change *c, struct table *t)
{
    struct table_error error;
    if (table_draft_open(t, &c->draft, &error) < 0) {
        c->draft = NULL;
        call_fail_table(call, &error);
        return -1;
    }
    c->update.draft = c->draft;
    return 0;
}

/* A change without rows, held by the call; NULL after call_fail. */
static struct change *change_create(struct call *call, struct table *t, bool deletes)
{
    if (table_turn(call, t) < 0) return NULL;
    struct change *c = calloc(1, sizeof *c);
    if (c == NULL) {
        fail_no_memory(call);
        return NULL;
    }
    c->deletes = deletes;
    call->state = c;
    call->abort = change_free;
    return c;
}

static enum call_outcome change_start(struct call *call, struct table *t, bool deletes)
{
    struct change *c = change_create(call, t, deletes);
    if (c == NULL) return CALL_FAILED;
    if ((!deletes && assignments_read(call, t, c) < 0) || search_begin(call, c, t) < 0 ||
        draft_begin(call, c, t) < 0)
        return change_fail(call);
    call->step = change_step;
    return change_step(call, FIRST_STEP_NS);
}

enum call_outcome method_table_update(struct call *call)
{
    struct table *t;
    value cells = call->args[2];
    if (!value_is_kind(cells, KIND_MAP))
        return call_fail(call, ERROR_BAD_PARAMS, "%s: the third parameter is a map {column: "
                         "value}, not %s", call->method->name, value_describe(cells));
    if (table_find(call, call->args[0], &t) < 0) return CALL_FAILED;
    return change_start(call, t, false);
}

/* --- rows by position -------------------------------------------------------------------------*/

/* Whether a list is one of positions: predicates begin with a text. */
static bool is_positions(struct call *call, value v)
{
    return value_is_kind(v, KIND_LIST) &&
           (list_length(call->heap, v) == 0 || !value_is_text(list_get(call->heap, v, 0)));
}

/* Deletes, in the draft, the row at a position of the version before. */
static int delete_position(struct call *call, struct change *c, value v)
{
    const struct table_version *before = table_draft_base(c->draft);
    struct table_error error;
    int64_t rows = (int64_t)table_version_rows(before);
    struct number n = number_read(call->heap, v);
    uint32_t chunk, slot;
    bool changed = false;
    if (n.class != NUMBER_INT64) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: a row is an integer, not %s", call->method->name,
                  n.class == NUMBER_DOUBLE ? "a double" : value_describe(v));
        return -1;
    }
    int64_t row = n.i < 0 ? n.i + rows : n.i;
    if (row < 0 || !table_locate(before, (uint64_t)row, &chunk, &slot)) {
        call_fail(call, ERROR_OUT_OF_RANGE,
                  "%s: the table has %lld rows; there is no row %s", call->method->name,
                  (long long)rows, call_quote_value(call, v));
        return -1;
    }
    if (table_delete(table_draft_table(c->draft), chunk, slot, &changed, &error) < 0) {
        call_fail_table(call, &error);
        return -1;
    }
    c->rows += changed;
    return 0;
}

static enum call_outcome positions_step(struct call *call, uint64_t budget_ns)
{
    struct change *c = call->state;
    uint64_t end_ns = clock_ns() + budget_ns;
    value list = call->args[1];
    size_t count = list_length(call->heap, list);
    int status = 0;
    do {
        if (c->at == count) return change_finish(call, c);
        table_draft_enter(c->draft);
        for (unsigned i = 0; i < POSITIONS_BATCH && c->at < count && status == 0; i++)
            status = delete_position(call, c, list_get(call->heap, list, c->at++));
        table_draft_leave(c->draft);
        if (status < 0) return change_fail(call);
    } while (clock_ns() < end_ns);
    return CALL_PENDING;
}

enum call_outcome method_table_delete(struct call *call)
{
    struct table *t;
    if (table_find(call, call->args[0], &t) < 0) return CALL_FAILED;
    if (call->args[1] == VALUE_NIL)
        return call_fail(call, ERROR_BAD_PARAMS,
                         "table.delete: which rows is nil; it can be a predicate, as [\"=\", "
                         "\"id\", 5], or a list of positions; [\"and\"] keeps all rows");
    if (!is_positions(call, call->args[1])) return change_start(call, t, true);
    struct change *c = change_create(call, t, true);
    if (c == NULL) return CALL_FAILED;
    if (draft_begin(call, c, t) < 0) return change_fail(call);
    call->step = positions_step;
    return positions_step(call, FIRST_STEP_NS);
}
