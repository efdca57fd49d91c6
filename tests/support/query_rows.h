/* query_rows.h - the model of queries: a table as an array of rows of cells, and predicates,
 * expressions over it as naively as can be, from the same heap values that the engine
 * compiles. Recursive, one row at a time, without types worked out beforehand. */
#ifndef CAIRN_TESTS_QUERY_ROWS_H
#define CAIRN_TESTS_QUERY_ROWS_H

#include "heap/query.h"

struct model_rows {
    const struct table_field *fields;
    uint32_t columns;
    struct table_cell *cells; /* row by row; texts are the model's own */
    size_t count;
};

enum truth { FALSE_, TRUE_, UNKNOWN };

struct model_query {
    struct heap *h;
    const struct model_rows *rows;
    value let;        /* a map or VALUE_ABSENT */
    bool overflow;    /* some value was out of range: the engine may fail */
    const struct table_cell *row;
    const struct table_field *fields; /* names of `row` */
    uint32_t columns;
};

/* A value with its kind: type is I64, U64, F64, BOOL, STR, BIN, DATE or TS. */
enum truth model_predicate(struct model_query *m, value p);
struct table_cell model_expression(struct model_query *m, value e);
/* The cell under a name: a column or a let. */
struct table_cell model_name(struct model_query *m, value name);
/* By value across types of numbers; texts by bytes. */
int model_compare(const struct table_cell *a, const struct table_cell *b);
/* Equal for groups and results: NaN is NaN, null is null. */
bool model_same(const struct table_cell *a, const struct table_cell *b);

#endif
