/* cli_filter.h - readable conditions and expressions, to the prefix form that the server takes.
 *
 *   price > 10 and city in ("Oslo", "Rome") and not (day between 2024-05-01 and 2024-05-31)
 *   name starts with 'A' or note is not null or price * amount >= limit + 5
 *
 *   condition  = condition or condition | condition and condition | not condition
 *              | ( condition ) | value relation value | column [not] in ( literal, … )
 *              | value [not] between value and value | column is [not] null
 *              | column [not] starts with text | column [not] contains text
 *              | a column of type bool
 *   relation   = = == != <> < <= > >=
 *   value      = column | literal | value + - * / % value | - value | ( value )
 *              | bucket(value, width) | cast(value as type) | if(condition, value, value)
 *   literal    = number | text | date | true | false | null (in lists only) | inf | nan
 *
 * not binds closer than and, and closer than or. Words in any case; columns as they are called, or
 * in backticks (cli_lexer.h). A text is read as a date or time where a column of these types is
 * compared with it. [op, column, literal] becomes of what can be that; the rest is ["cmp", …].
 *
 * The parser keeps stacks of its own: no recursion, CLI_FILTER_DEPTH_MAX as on the server. */
#ifndef CAIRN_CLIENT_CLI_FILTER_H
#define CAIRN_CLIENT_CLI_FILTER_H

#include "client/cairn.h"
#include "client/cli_lexer.h"

#define CLI_FILTER_DEPTH_MAX 32
#define CLI_FILTER_NODES_MAX 1024
#define CLI_FILTER_LIST_MAX 65536

/* Columns that names can mean. */
enum cli_type {
    CLI_TYPE_UNKNOWN, /* anything goes */
    CLI_TYPE_INT,
    CLI_TYPE_FLOAT,
    CLI_TYPE_BOOL,
    CLI_TYPE_TEXT,
    CLI_TYPE_BIN,
    CLI_TYPE_DATE,
    CLI_TYPE_TIME
};
struct cli_field {
    char *name; /* owned by the list, with a zero behind it that length does not count */
    size_t length;
    char type_name[8]; /* "i64"; empty: not known */
    enum cli_type type;
    bool computed; /* called as it is written: "price * 2" */
};
struct cli_fields {
    struct cli_field *list; /* owned */
    size_t count;
    bool results; /* columns of a result: sum(price) is a name */
};
enum cli_type cli_type_of(const char *type_name);
/* False when memory is short. */
bool cli_fields_add(struct cli_fields *f, const char *name, size_t length, const char *type_name);
/* NULL if there is none. */
const struct cli_field *cli_fields_find(const struct cli_fields *f, const char *name,
                                        size_t length);
/* The computed one that is written like this, but for the blanks between its parts; NULL. */
/* The same, or else one that differs in capitals only. */
const struct cli_field *cli_fields_find_any_case(const struct cli_fields *f, const char *name,
                                                 size_t length);
const struct cli_field *cli_fields_find_written(const struct cli_fields *f, const char *text,
                                                size_t length);
void cli_fields_close(struct cli_fields *f);
/* Fails with "there is no column NAME": and which there are, the nearest first. */
#define CLI_TEXT_HINT "A text has quotes of its own inside of the shell's: 'name = \"x\"'"
bool cli_fields_unknown(const struct cli_fields *f, const char *name, size_t length, size_t offset,
                        struct cli_query_error *error);

/* The function over rows of this name, in any case: "count", "sum", …; NULL if there is none. */
const char *cli_aggregate(const char *name, size_t length);
/* What such a function is called elsewhere ("mean") to what it is called here; NULL. */
const char *cli_aggregate_meant(const char *name, size_t length);

/* What an expression is, besides its prefix form. */
struct cli_expression {
    bool is_column;
    const struct cli_field *field; /* of a column */
    enum cli_type type;
    size_t from, to; /* its text */
};

/* Reads a condition (`expression` NULL) or a value from the lexer, up to the first token that does
 * not go on with it, and adds its prefix form to `args`: of a value that is a column alone, its
 * name. False and *error; `args` is then as it was. */
bool cli_filter_read(struct cli_lexer *l, const struct cli_fields *fields,
                     struct cli_expression *expression, struct cairn_args *args,
                     struct cli_query_error *error) CAIRN_MUST_CHECK;

#endif
