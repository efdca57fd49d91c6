/* export_all.h - exports of tables in one go, for tests of formats. */
#ifndef CAIRN_TESTS_EXPORT_ALL_H
#define CAIRN_TESTS_EXPORT_ALL_H

#include "heap/table_export.h"
#include "heap/table_out.h"

/* A scan of all rows of a table as it is now, and of these columns (NULL: all). */
int export_scan(struct heap *h, struct table *t, const uint32_t *columns, uint32_t count,
                struct query **query, struct query_error *error);
/* Appends the bytes to `stream`, in steps of `budget_ns`. 0 or an error. */
int export_query(struct query *q, struct query *counter, const struct export_options *options,
                 uint64_t budget_ns, struct table_out *stream, struct query_error *error);
/* Both. */
int export_all(struct heap *h, struct table *t, const uint32_t *columns, uint32_t count,
               enum export_format format, uint64_t budget_ns, struct table_out *stream,
               struct query_error *error);

#endif
