/* table_schema.h - the columns that a table is to have, from
 * [[name, type, {null, sorted, index}]...] or inferred. Functions that return int return 0, or -1
 * after call_fail. */
#ifndef CAIRN_SERVER_TABLE_SCHEMA_H
#define CAIRN_SERVER_TABLE_SCHEMA_H

#include "heap/table.h"
#include "heap/table_index.h"
#include "server/call.h"

struct table_schema {
    struct table_field *fields;
    char *names; /* TABLE_NAME_BYTES_MAX for each */
    enum table_index_kind *indexes; /* for each; none at first */
    uint32_t count;
};

/* Room for `count` columns; there is none yet. */
warn_unused int table_schema_open(struct call *call, struct table_schema *s, size_t count);
/* Gives the column at `count`, which is there next, its name; the caller fills in the rest and
 * counts it. */
warn_unused int table_schema_name(struct call *call, struct table_schema *s, value name);
/* The type that a text names; `of` is for the message, and says of what. */
warn_unused int table_type_read(struct call *call, const char *of, value type,
                                struct table_field *field);
/* The same of the column of that number. */
warn_unused int table_schema_type(struct call *call, uint32_t column, value type,
                                  struct table_field *field);
warn_unused int table_schema_read(struct call *call, value list, struct table_schema *s);
/* [name, type, {null, sorted}], as table_schema_read takes it. */
void table_field_write(struct writer *w, const struct table_field *field,
                       enum table_index_kind index);
void table_schema_close(struct table_schema *s);
/* Reads "sorted", "hash" or nil. */
warn_unused int table_schema_index(struct call *call, value v, enum table_index_kind *kind);
/* An empty table; VALUE_ABSENT after call_fail. */
warn_unused value table_schema_make(struct call *call, const struct table_schema *s);

#endif
