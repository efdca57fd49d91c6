/* table_alter.h - other columns for the same rows, in steps, all or nothing.
 *
 *     table_alter_open(t, columns, count, &a, &error)
 *     table_alter_step(a, end_ns, &error) until it returns 0
 *     table_alter_publish(a, value)        or, at any time,       table_alter_abandon(a)
 *
 * A table with the new columns is made beside the old one. It shares with it what stays as it is:
 * the chunks of columns that are kept, and dictionaries. Publishing makes it the table of the
 * value. Pinned versions stay versions of the old table, with its columns. Meanwhile the old one
 * is busy, as with a draft (table_draft.h). */
#ifndef CAIRN_HEAP_TABLE_ALTER_H
#define CAIRN_HEAP_TABLE_ALTER_H

#include "heap/table.h"

#define TABLE_ALTER_NEW UINT32_MAX

struct table_alter_column {
    struct table_field field;  /* what it is to be */
    uint32_t source;           /* a column of the table; or TABLE_ALTER_NEW: */
    struct table_cell fill;    /* then all cells are this one, of the field's type */
    bool renew;                /* sym: with a dictionary of its own, of what rows have */
};

struct table_alter;
/* `columns` and what they point to stay the caller's, and where they are. */
warn_unused int table_alter_open(struct table *t, const struct table_alter_column *columns,
                                 uint32_t count, struct table_alter **a,
                                 struct table_error *error);
/* Works until about `end_ns` on the clock. 1: there is more to do; 0: it can be published; or an
 * error, which tells row and value: nulls where there may be none, what a type does not hold, a row
 * that is less than the one before it where the column is to be sorted. */
warn_unused int table_alter_step(struct table_alter *a, uint64_t end_ns,
                                 struct table_error *error);
/* `v` is the value of the table that was altered. Never fails. */
void table_alter_publish(struct table_alter *a, value v);
void table_alter_abandon(struct table_alter *a);

#endif
