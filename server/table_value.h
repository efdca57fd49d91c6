/* table_value.h - tables among the values of the server: found at paths, read as rows, errors of
 * heap/table.h and heap/query.h as errors of a call. Functions that return int return 0, or -1
 * after call_fail, unless they say otherwise. */
#ifndef CAIRN_SERVER_TABLE_VALUE_H
#define CAIRN_SERVER_TABLE_VALUE_H

#include "heap/query.h"
#include "heap/table.h"
#include "heap/table_index.h"
#include "server/call.h"

/* The table at a path, which must be there. A method whose first step may come later holds on to
 * it by a pin. */
warn_unused int table_find(struct call *call, value path, struct table **table);
/* Whether the call may change the table now: 0; or -1, when another call is changing it, and the
 * handler must return CALL_FAILED at once, having taken nothing over, to be run again. (In a later
 * step of a call it cannot, and that is an error.) Good until the handler or step returns. */
warn_unused int table_turn(struct call *call, struct table *t);
/* The same for a call that is about to set a cell: it also waits until the column of texts has been
 * merged with what was changed before, if there is too much of that. */
warn_unused int table_turn_cell(struct call *call, struct table *t, uint64_t row,
                                uint32_t column);
/* The same at the beginning of a call that works without a draft: nobody else changes the table
 * until the call has ended, which holds it until then. */
warn_unused int table_turn_keep(struct call *call, struct table *t);
/* The row that parameter `index` names, from the end if it is negative. */
warn_unused int table_param_row(struct call *call, size_t index, const struct table *t,
                                uint64_t *row);
/* The column that a parameter names. */
warn_unused int table_column_read(struct call *call, const struct table *t, value name,
                                  uint32_t *column);

/* In place of the number of a column: the whole row. */
#define TABLE_ROW UINT32_MAX
/* A row as a map, a cell as a value; kept by the call (call_keep_take). They exist. VALUE_ABSENT
 * after call_fail. `bounded`: what the call reads in this way may be no more than a reply holds. */
warn_unused value table_value_at(struct call *call, value table, uint64_t row, uint32_t column,
                                 bool bounded);
/* The same for whoever need not have it: in place of a row there is an empty map, of a text an
 * empty one; *length is how long it would be, and stays as it is for other values. */
warn_unused value table_look_at(struct call *call, value table, uint64_t row, uint32_t column,
                                size_t *length);
/* A row as a map, the caller's; VALUE_ABSENT when memory is short. */
warn_unused value table_row_make(struct heap *h, const struct table_version *v, uint32_t chunk,
                                 uint32_t slot);
/* Puts `v`, which stays the caller's, into a cell. */
warn_unused int table_cell_store(struct call *call, value table, uint64_t row, uint32_t column,
                                 value v);

/* What writing all of `rows` rows charges to reply-elements. */
size_t table_items(uint64_t rows, uint32_t columns);

/* CALL_FAILED, with the code that suits the fault. */
enum call_outcome call_fail_table(struct call *call, const struct table_error *error);
enum call_outcome call_fail_query(struct call *call, const struct query_error *error);

/* BUSY: another table has taken the place of the one that the call works on. */
enum call_outcome call_fail_altered(struct call *call);

/* Between events: seals, compacts and indexes what methods have left to do, and takes back changes
 * that they have given up, for about `budget_ns`.
 * False when nothing is left. */
bool tables_work(struct heap *h, uint64_t budget_ns);
/* Whether there is such work. */
bool tables_want_work(struct heap *h);

/* Rows of a version, one after the other, those that are deleted left out. */
struct row_walk {
    const struct table_version *version;
    uint32_t chunk, slot;
    uint64_t live[TABLE_VECTOR_WORDS]; /* of the vector that `slot` is in */
    bool loaded;
};
/* From the position on; which may be the number of rows. */
void row_walk_from(struct row_walk *w, const struct table_version *v, uint64_t position);
/* False at the end. */
bool row_walk_next(struct row_walk *w, uint32_t *chunk, uint32_t *slot);

#endif
