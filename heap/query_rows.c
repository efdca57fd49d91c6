/* query_rows.c - see query_rows.h. */
#include "heap/query_rows.h"

#include "heap/query_index.h"

int query_rows_create(struct heap *h, struct table_version *version, value where,
                      size_t memory_max, struct query **query, struct query_error *error)
{
    struct query_spec spec = {.where = where,
                              .let = VALUE_ABSENT,
                              .order = VALUE_ABSENT,
                              .limit = VALUE_ABSENT,
                              .offset = VALUE_ABSENT,
                              .select = VALUE_ABSENT,
                              .group = VALUE_ABSENT,
                              .agg = VALUE_ABSENT,
                              .having = VALUE_ABSENT};
    int status = query_new(h, version, memory_max, query, error);
    if (status) return status;
    status = query_open_common(*query, &spec);
    if (!status) status = query_eval_open(*query);
    if (!status) query_weigh(*query);
    if (!status) status = query_compiled(*query);
    return status ? query_new_failed(*query, status, error) : 0;
}

int query_rows_next(struct query *query, uint32_t *chunk, uint32_t *vector, uint64_t *rows,
                    struct query_error *error)
{
    struct query_source source;
    query->work = 0; /* the caller looks at the clock each time */
    int prepared = query_prepare(query, 0, error);
    if (prepared) return prepared;
    int found = query_next_vector(query, &source, rows);
    if (found == 0) return QUERY_END;
    if (found == QUERY_ROWS) {
        *chunk = source.chunk;
        *vector = source.vector;
    } else if (found < 0) {
        *error = query->error;
    }
    return found;
}
