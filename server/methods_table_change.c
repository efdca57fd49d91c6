/* methods_table_change.c - update and delete: all or nothing.
 *
 * Which rows a predicate keeps is found in steps, on a pinned version. The change itself is made in
 * one go, so that nobody sees a half of it, if the table still is that version; if it has changed
 * meanwhile, the rows are sought again, at last in one go. A change that fails takes the table
 * back to what it was. */
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

/* Rows of one call: what is done in one go. */
#define CHANGE_ROWS_MAX ((uint64_t)1000000)
#define TRIES_MAX 3
/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)100000)

struct change_vector {
    uint32_t chunk, vector;
    uint64_t rows[TABLE_VECTOR_WORDS];
};

struct assignment {
    uint32_t column;
    struct table_cell cell;
    struct table_scratch scratch;
};

struct change {
    struct table_version *version; /* pinned, besides the query's own pin */
    struct query *query;           /* NULL while no search is under way */
    value where;                   /* the parameter */
    bool deletes;
    unsigned tries;
    struct change_vector *found;
    size_t count, capacity;
    uint64_t rows;
};

static void change_free(struct call *call)
{
    struct change *c = call->state;
    if (c->query != NULL) query_destroy(c->query);
    table_unpin(c->version);
    free(c->found);
    free(c);
    call->state = NULL;
}

static enum call_outcome change_fail(struct call *call)
{
    change_free(call);
    return CALL_FAILED;
}

/* --- finding rows -----------------------------------------------------------------------------*/

/* From the version that is current. 0, or -1 after call_fail. */
static int search_begin(struct call *call, struct change *c)
{
    struct query_error error;
    struct table *t = table_version_table(c->version);
    struct table_version *now = table_pin(t);
    table_unpin(c->version);
    c->version = now;
    c->count = 0;
    c->rows = 0;
    c->tries++;
    if (query_rows_create(call->heap, table_pin(t), c->where, call->host->query_bytes_max,
                          &c->query, &error) == 0)
        return 0;
    c->query = NULL;
    table_unpin(now);
    call_fail_query(call, &error);
    return -1;
}

static int found_add(struct call *call, struct change *c, const struct change_vector *v)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 16 : c->capacity * 2;
        struct change_vector *found = realloc(c->found, capacity * sizeof *found);
        if (found == NULL) {
            fail_no_memory(call);
            return -1;
        }
        c->found = found;
        c->capacity = capacity;
    }
    c->found[c->count++] = *v;
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++)
        c->rows += (uint64_t)__builtin_popcountll(v->rows[i]);
    if (c->rows <= CHANGE_ROWS_MAX) return 0;
    call_fail(call, ERROR_LIMIT,
              "%s: more than %llu rows match, the limit of one call; change them in parts",
              call->method->name, (unsigned long long)CHANGE_ROWS_MAX);
    return -1;
}

/* 1 when all are found, 0 if time was over, -1 after call_fail. */
static int search_step(struct call *call, struct change *c, uint64_t end)
{
    struct query_error error;
    struct change_vector v;
    for (;;) {
        int found = query_rows_next(c->query, &v.chunk, &v.vector, v.rows, &error);
        if (found < 0) {
            call_fail_query(call, &error);
            return -1;
        }
        if (found == QUERY_END) break;
        if (found == QUERY_ROWS && found_add(call, c, &v) < 0) return -1;
        if (clock_ns() >= end) return 0;
    }
    query_destroy(c->query);
    c->query = NULL;
    return 1;
}

/* --- changing ---------------------------------------------------------------------------------*/

/* The cells that {column: value} gives. The count, or -1 after call_fail. */
static int64_t assignments_read(struct call *call, const struct table *t, struct assignment *list)
{
    struct map_iterator it = {0};
    value name, v;
    int64_t count = 0;
    while (map_next(call->heap, call->args[2], &it, &name, &v)) {
        struct assignment *a = &list[count];
        struct table_error error;
        if (table_column_read(call, t, name, &a->column) < 0) break;
        count++;
        if (table_cell_from_value(call->heap, table_field(t, a->column), UINT64_MAX, a->column, v,
                                  &a->cell, &a->scratch, &error) == 0)
            continue;
        call_fail_table(call, &error);
        count = -count;
        break;
    }
    return count == (int64_t)map_count(call->heap, call->args[2]) ? count : -1;
}

static int change_row(struct table *t, uint32_t chunk, uint32_t slot,
                      const struct assignment *list, int64_t count, struct table_error *error)
{
    int status = 0;
    if (list == NULL) return table_delete(t, chunk, slot, NULL, error);
    for (int64_t i = 0; i < count && status == 0; i++)
        status = table_set(t, chunk, slot, list[i].column, &list[i].cell, error);
    return status;
}

static int change_rows(struct change *c, const struct assignment *list, int64_t count,
                       struct table_error *error)
{
    struct table *t = table_version_table(c->version);
    int status = 0;
    for (size_t i = 0; i < c->count && status == 0; i++) {
        const struct change_vector *v = &c->found[i];
        for (unsigned word = 0; word < TABLE_VECTOR_WORDS && status == 0; word++)
            for (uint64_t bits = v->rows[word]; bits != 0 && status == 0; bits &= bits - 1) {
                uint32_t slot = v->vector * TABLE_VECTOR_ROWS + word * 64 +
                                (uint32_t)__builtin_ctzll(bits);
                status = change_row(t, v->chunk, slot, list, count, error);
            }
    }
    if (status < 0) table_restore(t, c->version);
    return status;
}

static enum call_outcome change_apply(struct call *call)
{
    struct change *c = call->state;
    struct table *t = table_version_table(c->version);
    struct table_error error;
    struct assignment *list = NULL;
    size_t columns = c->deletes ? 0 : map_count(call->heap, call->args[2]);
    int64_t count = 0;
    int status = 0;
    if (!c->deletes) {
        list = calloc(columns + 1, sizeof *list);
        if (list == NULL) {
            fail_no_memory(call);
            return change_fail(call);
        }
        count = assignments_read(call, t, list);
    }
    if (count >= 0) {
        status = change_rows(c, list, count, &error);
        if (status < 0) call_fail_table(call, &error);
    }
    for (size_t i = 0; i < columns; i++) table_scratch_close(&list[i].scratch);
    free(list);
    uint64_t rows = c->rows;
    if (count < 0 || status < 0) return change_fail(call);
    change_free(call);
    return reply_uint(call, rows);
}

static enum call_outcome change_step(struct call *call, uint64_t budget_ns)
{
    struct change *c = call->state;
    uint64_t end = c->tries > TRIES_MAX ? UINT64_MAX : clock_ns() + budget_ns;
    c->where = call->args[1];
    for (;;) {
        int done = c->query == NULL ? 0 : search_step(call, c, end);
        if (done < 0) return change_fail(call);
        if (done == 0 && c->query != NULL) return CALL_PENDING;
        struct table_version *now = table_pin(table_version_table(c->version));
        bool same = now == c->version;
        table_unpin(now);
        if (done == 1 && same) return change_apply(call);
        if (search_begin(call, c) < 0) return change_fail(call);
        if (c->tries > TRIES_MAX) end = UINT64_MAX;
    }
}

static enum call_outcome change_start(struct call *call, struct table *t, bool deletes)
{
    struct change *c = calloc(1, sizeof *c);
    if (c == NULL) return fail_no_memory(call);
    c->version = table_pin(t);
    c->where = call->args[1];
    c->deletes = deletes;
    call->state = c;
    if (search_begin(call, c) < 0) return change_fail(call);
    call->abort = change_free;
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

/* All positions count in the version before. */
static int delete_positions(struct call *call, struct table *t, struct table_version *before,
                            uint64_t *deleted)
{
    struct table_error error;
    size_t count = list_length(call->heap, call->args[1]);
    int64_t rows = (int64_t)table_version_rows(before);
    for (size_t i = 0; i < count; i++) {
        value v = list_get(call->heap, call->args[1], i);
        struct number n = number_read(call->heap, v);
        int64_t row = n.class != NUMBER_INT64 ? -1 : n.i < 0 ? n.i + rows : n.i;
        uint32_t chunk, slot;
        bool changed = false;
        if (row < 0 || !table_locate(before, (uint64_t)row, &chunk, &slot)) {
            call_fail(call, n.class == NUMBER_INT64 ? ERROR_OUT_OF_RANGE : ERROR_BAD_PARAMS,
                      "%s: the table has %lld rows; there is no row %s", call->method->name,
                      (long long)rows, call_quote_value(call, v));
            return -1;
        }
        if (table_delete(t, chunk, slot, &changed, &error) < 0) {
            call_fail_table(call, &error);
            return -1;
        }
        *deleted += changed;
    }
    return 0;
}

enum call_outcome method_table_delete(struct call *call)
{
    struct table *t;
    uint64_t deleted = 0;
    if (table_find(call, call->args[0], &t) < 0) return CALL_FAILED;
    if (!is_positions(call, call->args[1])) return change_start(call, t, true);
    struct table_version *before = table_pin(t);
    int status = delete_positions(call, t, before, &deleted);
    if (status < 0) table_restore(t, before);
    table_unpin(before);
    return status < 0 ? CALL_FAILED : reply_uint(call, deleted);
}
