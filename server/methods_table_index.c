/* methods_table_index.c - table.index: an index on a column, built while the call waits.
 *
 * The column is told to have it at once, so that what is appended meanwhile gets it too; steps then
 * seal what is full and index what is sealed, until nothing is left. Others change the table
 * meanwhile; if that keeps the last rows from being sealed, the call stands in line with them, and
 * has its turn to end in. A call that fails, or whose session ends, takes the column back to what
 * it had; a call that finds it told otherwise by another one, or the table altered, is BUSY. What
 * is taken back is freed by the task that indexes. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/table_index.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/table_schema.h"
#include "server/table_value.h"

struct index_state {
    struct table *t; /* held */
    uint32_t column;
    enum table_index_kind kind;
    bool in_line;    /* of those who change the table */
};

static void index_close(struct call *call)
{
    struct index_state *s = call->state;
    table_let_go(s->t);
    free(s);
    call->state = NULL;
}

/* The column is as it was, unless somebody else has decided meanwhile. A table that has taken the
 * place of this one never had what was only tried. */
static void index_abort(struct call *call)
{
    struct index_state *s = call->state;
    if (table_index_kind(s->t, s->column) == s->kind) table_index_give_up(s->t, s->column);
    index_close(call);
}

static enum call_outcome index_finish(struct call *call)
{
    struct index_state *s = call->state;
    struct table_index_stats stats = {.rows = 0};
    table_index_set(s->t, s->column, s->kind);
    if (s->kind != TABLE_INDEX_NONE) {
        struct table_version *now = table_pin(s->t);
        table_index_stats(now, s->column, &stats);
        table_unpin(now);
    }
    writer_map(call->reply, 2);
    reply_figure(call->reply, "rows", stats.rows);
    reply_figure(call->reply, "bytes", stats.bytes);
    index_close(call);
    return CALL_DONE;
}

/* Whether all is indexed that is to be, or what else: as steps of heap/table.h. Sealing rests while
 * the table is being changed, and what is full by then is to be indexed as well. */
static int index_work(struct call *call, struct index_state *s, uint64_t budget_ns)
{
    bool mine = s->in_line && table_turn_hold(&call->turn, s->t);
    bool waits = !mine && s->kind != TABLE_INDEX_NONE && (s->in_line || table_is_busy(s->t));
    int status = waits ? 0 : table_seal_step(s->t, budget_ns);
    if (status == 0) status = table_index_step(s->t, budget_ns);
    if (status != 0 || !waits) return status;
    s->in_line = true;
    (void)!table_turn_hold(&call->turn, s->t); /* the next step asks */
    return 1;
}

static enum call_outcome index_step(struct call *call, uint64_t budget_ns)
{
    struct index_state *s = call->state;
    if (table_is_altered(s->t)) {
        index_close(call);
        return call_fail_altered(call);
    }
    if (table_index_kind(s->t, s->column) != s->kind) {
        index_close(call);
        return call_fail(call, ERROR_BUSY, "%s: the index was changed by another call meanwhile",
                         call->method->name);
    }
    int status = index_work(call, s, budget_ns);
    if (status == 1) return CALL_PENDING;
    if (status == 0) return index_finish(call);
    index_abort(call);
    return fail_no_memory(call);
}

enum call_outcome method_table_index(struct call *call)
{
    struct table *t;
    uint32_t column;
    enum table_index_kind kind;
    if (table_find(call, call->args[0], &t) < 0 ||
        table_column_read(call, t, call->args[1], &column) < 0 ||
        table_schema_index(call, call->args[2], &kind) < 0)
        return CALL_FAILED;
    struct index_state *s = malloc(sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    *s = (struct index_state){.t = t, .column = column, .kind = kind};
    table_hold(t);
    table_index_try(t, column, kind);
    call->state = s;
    call->abort = index_abort;
    call->step = index_step;
    return CALL_PENDING;
}
