/* methods_table_index.c - table.index: an index on a column, built while the call waits.
 *
 * The column is told to have it at once, so that what is appended meanwhile gets it too; steps then
 * seal what is full and index what is sealed, until nothing is left. A call that fails, or whose
 * session ends, takes the column back to what it had; a call that finds it told otherwise by
 * another one, or the table altered, is BUSY. What is taken back is freed by the task that
 * indexes. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/table_index.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/table_schema.h"
#include "server/table_value.h"

struct index_state {
    struct table_version *pin; /* keeps the table; the steps work on what it is by then */
    uint32_t column;
    enum table_index_kind kind;
};

static void index_close(struct call *call)
{
    struct index_state *s = call->state;
    table_unpin(s->pin);
    free(s);
    call->state = NULL;
}

/* The column is as it was, unless somebody else has decided meanwhile. A table that has taken the
 * place of this one never had what was only tried. */
static void index_abort(struct call *call)
{
    struct index_state *s = call->state;
    struct table *t = table_version_table(s->pin);
    if (table_index_kind(t, s->column) == s->kind) table_index_give_up(t, s->column);
    index_close(call);
}

static enum call_outcome index_finish(struct call *call)
{
    struct index_state *s = call->state;
    struct table_index_stats stats = {.rows = 0};
    table_index_set(table_version_table(s->pin), s->column, s->kind);
    if (s->kind != TABLE_INDEX_NONE) table_index_stats(s->pin, s->column, &stats);
    writer_map(call->reply, 2);
    reply_figure(call->reply, "rows", stats.rows);
    reply_figure(call->reply, "bytes", stats.bytes);
    index_close(call);
    return CALL_DONE;
}

static enum call_outcome index_step(struct call *call, uint64_t budget_ns)
{
    struct index_state *s = call->state;
    struct table *t = table_version_table(s->pin);
    struct table_version *now = table_pin(t);
    table_unpin(s->pin);
    s->pin = now;
    if (table_is_altered(t)) {
        index_close(call);
        return call_fail_altered(call);
    }
    if (table_index_kind(t, s->column) != s->kind) {
        index_close(call);
        return call_fail(call, ERROR_BUSY, "%s: the index was changed by another call meanwhile",
                         call->method->name);
    }
    /* Sealing rests while the table is being changed; what is full by then is to be indexed as
     * well. */
    bool waits = table_is_busy(t) && s->kind != TABLE_INDEX_NONE;
    /* A step may put a new column in the place of an old one that the pin would keep. */
    int status = waits ? 0 : table_seal_step(t, budget_ns);
    if (status == 0) status = table_index_step(t, budget_ns);
    if (status == 1 || (status == 0 && waits)) return CALL_PENDING;
    now = table_pin(t);
    table_unpin(s->pin);
    s->pin = now;
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
    *s = (struct index_state){.pin = table_pin(t), .column = column, .kind = kind};
    table_index_try(t, column, kind);
    call->state = s;
    call->abort = index_abort;
    call->step = index_step;
    return CALL_PENDING;
}
