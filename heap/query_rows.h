/* query_rows.h - which rows a predicate keeps, by address: for updates and deletions. */
#ifndef CAIRN_HEAP_QUERY_ROWS_H
#define CAIRN_HEAP_QUERY_ROWS_H

#include "heap/query.h"

/* As query_scan_create; of the spec only `where` counts. To be ended by query_destroy. */
warn_unused int query_rows_create(struct heap *h, struct table_version *version, value where,
                                  size_t memory_max, struct query **query,
                                  struct query_error *error);
/* The next vector in which rows are kept: their bits in `rows` (16 words). QUERY_ROWS, QUERY_BUSY
 * (some vectors were looked at: call again), QUERY_END, or a negative error. */
warn_unused int query_rows_next(struct query *query, uint32_t *chunk, uint32_t *vector,
                                uint64_t *rows, struct query_error *error);

#endif
