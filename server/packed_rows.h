/* packed_rows.h - rows that were left as the MessagePack that they came as, on their way into a
 * table.
 *
 * A request's longest list of lists would be made in the heap only to be taken apart again: a value
 * for each cell, a list for each row. So the builder keeps these bytes together in one value of
 * bytes (build.h), and the method, which knows the columns, reads them a few hundred rows at a time
 * into buffers, one for each column, from which the append copies. Whatever is not as plain as a
 * number of its column's type, or a short text, becomes a value and goes the way of all values, so
 * that conversions and errors are the same.
 *
 * A packed value is a whole array of rows, as an array 32. For a container inside of a row an empty
 * one stands in it, for an extension type an empty one of type 0. */
#ifndef CAIRN_SERVER_PACKED_ROWS_H
#define CAIRN_SERVER_PACKED_ROWS_H

#include "heap/table.h"
#include "server/call.h"

struct packed_rows;

uint64_t packed_rows_count(const struct heap *h, value packed);

/* For a table with these columns. NULL when memory is short. */
warn_unused struct packed_rows *packed_rows_create(const struct table *t);
void packed_rows_destroy(struct packed_rows *r);

/* Begins a step of the call, in which nothing else touches heap or table. `packed` is the same each
 * time, wherever it is by then. All are borrowed until the step ends. */
void packed_rows_step(struct packed_rows *r, struct call *call, value packed,
                      struct table_append *a, struct table_error *error);
/* Appends up to `rows` of the next ones, at least one; fewer if they are long. 0, -1 after
 * call_fail, or -2 with *error set; after an error the append is to be given up. */
warn_unused int packed_rows_append(struct packed_rows *r, size_t rows);
/* How many are appended. */
uint64_t packed_rows_done(const struct packed_rows *r);

#endif
