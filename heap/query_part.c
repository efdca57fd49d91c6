/* query_part.c - the rows of a scan by address, for those who read columns in another form than
 * that of batches: an Arrow stream takes elements of a column's own width from where they lie. */
#include "heap/query_int.h"

bool query_has_parts(const struct query *q)
{
    if (!q->scan || q->order_count) return false;
    for (uint32_t i = 0; i < q->column_count; i++)
        if (q->columns[i].column == QUERY_NONE) return false;
    return true;
}

struct table_version *query_version(const struct query *q) { return q->version; }

int query_next_part(struct query *q, uint64_t budget_ns, struct query_part *part,
                    struct query_error *error)
{
    uint64_t now = clock_ns();
    uint64_t deadline = budget_ns < UINT64_MAX - now ? now + budget_ns : UINT64_MAX;
    assert(q->scan && !q->order_count);
    q->work = 0;
    int prepared = query_prepare(q, budget_ns, error);
    if (prepared) return prepared;
    if (q->failed) *error = q->error;
    if (q->failed) return q->failed;
    if (scan_take_pending(q, part)) return QUERY_ROWS;
    while (q->limit > 0) {
        struct query_source s;
        int found = query_next_vector(q, &s, part->selected);
        if (found < 0) *error = q->error;
        if (found <= 0) return found;
        if (found == QUERY_ROWS) {
            q->stats.rows_matched -= query_trim(q, part->selected);
            part->chunk = s.chunk;
            part->vector = s.vector;
            part->rows = (uint32_t)bitmap_count(part->selected);
            q->stats.rows_returned += part->rows;
            if (part->rows > 0) return QUERY_ROWS;
        }
        if (query_budget_over(q, deadline)) return QUERY_BUSY;
    }
    return QUERY_END;
}
