/* table_query.h - between the files that answer queries of tables: methods_table_query.c (rows and
 * columns) and methods_table_export.c (bytes). Functions that return int return 0, or -1 after
 * call_fail. */
#ifndef CAIRN_SERVER_TABLE_QUERY_H
#define CAIRN_SERVER_TABLE_QUERY_H

#include "heap/query.h"
#include "server/call.h"
#include "server/table_cursor.h"

enum table_read {
    READ_FIRST, /* of a cursor: the result's columns and figures, too */
    READ_NEXT,
    READ_ALL,   /* no cursor */
};

/* An entry of a map of options; VALUE_ABSENT. */
value table_option(struct call *call, value options, const char *name);
/* A cursor without a query, with the batches that `options` wish; NULL after call_fail. */
warn_unused struct table_cursor *table_cursor_open(struct call *call, enum table_format format,
                                                   value options);
/* {rows, bytes} into the cursor. */
warn_unused int table_batch_read(struct call *call, value batch, struct table_cursor *cursor);
/* Whether the session may open one more. */
warn_unused int table_cursors_check(struct call *call);
/* Compiles a scan, or an aggregate, of the table as it is now. On failure there is no query. */
warn_unused int table_compile(struct call *call, struct table *t, const struct query_spec *spec,
                              bool agg, struct query **query);

/* Entries of answers: "cols", "stats". */
void table_write_cols(struct writer *w, const struct query *q);
void table_write_stats(struct writer *w, const struct query *q);
/* "cursor": the one that the session keeps if this is not the end of it. Returns its number. */
int64_t table_cursor_number(const struct call *call, const struct table_cursor *cursor,
                            bool goes_on);

/* The option dictionary, which is one of the format arrow. */
warn_unused int table_dictionary_read(struct call *call, value options, bool arrow,
                                      int *dictionary);
/* Answers with bytes: of a cursor whose export is open, or, of READ_FIRST and READ_ALL, shall be
 * (format arrow). Takes the cursor over. */
enum call_outcome table_send(struct call *call, struct table_cursor *cursor, enum table_read kind);

#endif
