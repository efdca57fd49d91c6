/* table_json.h - JSON lines, cut anywhere, into a table: one object a line, flat, its fields the
 * columns by name, in any order. A field that is missing is null; a list or an object as a cell,
 * and a name that is no column, are errors with line, row and column.
 *
 * It is parsed by yajl, and so belongs to server/ and not to heap/. yajl knows no failed
 * allocation; its memory comes from functions that leave it by longjmp instead, and it is then
 * thrown away. */
#ifndef CAIRN_SERVER_TABLE_JSON_H
#define CAIRN_SERVER_TABLE_JSON_H

#include "heap/table_arrow.h" /* enum table_feed */
#include "heap/table_batch.h"

struct json_reader;
/* Into the table, or, if that is NULL, only into `infer` (table_batch.h). Both are the caller's.
 * NULL when memory is short. */
struct json_reader *json_reader_create(struct table *t, struct table_infer *infer);
/* The functions of csv_reader_*. */
warn_unused int json_reader_feed(struct json_reader *r, const void *data, size_t length,
                                 size_t *used, struct table_error *error);
warn_unused int json_reader_flush(struct json_reader *r, struct table_error *error);
warn_unused int json_reader_end(struct json_reader *r, struct table_error *error);
uint64_t json_reader_rows(const struct json_reader *r);
/* The memory it holds, about. */
size_t json_reader_bytes(const struct json_reader *r);
void json_reader_destroy(struct json_reader *r);

#endif
