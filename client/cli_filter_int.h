/* cli_filter_int.h - the tree between a readable condition and its prefix form.
 *
 * Nodes lie in one array and name each other by index, 0 being none; a node's children are a list:
 *
 *     OR ── first ──> CMP ── next ──> NOT          text of names and literals: one buffer
 *                      │               └ first ─> NULL
 *                      └ first ─> COLUMN ─ next ─> LITERAL */
#ifndef CAIRN_CLIENT_CLI_FILTER_INT_H
#define CAIRN_CLIENT_CLI_FILTER_INT_H

#include "client/cli_filter.h"

enum node_kind {
    /* values */
    NODE_COLUMN,
    NODE_LITERAL,
    NODE_ARITHMETIC,
    NODE_BUCKET, /* value, width */
    NODE_CAST,   /* value; text: the type */
    NODE_IF,     /* condition, value, value */
    /* conditions */
    NODE_COMPARE,  /* column, literal */
    NODE_CMP,      /* value, value */
    NODE_IN,       /* column, literal… */
    NODE_BETWEEN,  /* column, literal, literal */
    NODE_NULL,     /* column */
    NODE_PREFIX,   /* column, literal */
    NODE_CONTAINS, /* column, literal */
    NODE_AND,
    NODE_OR,
    NODE_NOT
};

enum literal_kind { LITERAL_NULL, LITERAL_BOOL, LITERAL_NUMBER, LITERAL_TEXT, LITERAL_DATE };

struct node {
    enum node_kind kind;
    enum literal_kind literal;
    const char *op;             /* "<=", "+"; static storage */
    const struct cli_field *field;
    uint32_t first, last, next; /* children; the next child of the parent */
    uint32_t depth;             /* of the prefix form */
    size_t text, length;        /* in tree.text: a column's name, a text */
    struct cli_number number;   /* or a bool: integer */
    enum cli_type type;         /* of a value */
    size_t from, to;            /* in the query */
};

struct tree {
    const struct cli_lexer *lexer;
    const struct cli_fields *fields;
    struct node *nodes; /* owned; the first is not used */
    size_t count, capacity;
    size_t literals;    /* of lists: they count by themselves */
    struct cli_text text;
    struct cli_query_error *error;
};

static inline bool node_is_condition(const struct node *n)
{
    return n->kind >= NODE_COMPARE;
}

/* A node; 0 and an error when there are too many, or memory is short. */
uint32_t tree_add(struct tree *t, enum node_kind kind, size_t from, size_t to);
/* Makes `child` the last child of `parent`; false if that is too deep. */
bool tree_append(struct tree *t, uint32_t parent, uint32_t child);

/* Operands to nodes, with the types checked (cli_filter_build.c). 0 after an error. */
/* A column of type bool becomes a condition; what is one already is left. */
uint32_t build_condition(struct tree *t, uint32_t value);
uint32_t build_value(struct tree *t, uint32_t value); /* checks that it is one */
uint32_t build_junction(struct tree *t, enum node_kind kind, uint32_t left, uint32_t right);
uint32_t build_not(struct tree *t, uint32_t condition, size_t from);
uint32_t build_arithmetic(struct tree *t, const char *op, uint32_t left, uint32_t right);
uint32_t build_compare(struct tree *t, const char *op, uint32_t left, uint32_t right);
uint32_t build_between(struct tree *t, uint32_t value, uint32_t low, uint32_t high);
uint32_t build_null(struct tree *t, uint32_t column);
uint32_t build_find(struct tree *t, enum node_kind kind, uint32_t column, uint32_t literal);
uint32_t build_in(struct tree *t, uint32_t column);
bool build_in_add(struct tree *t, uint32_t in, uint32_t literal);
uint32_t build_bucket(struct tree *t, uint32_t value, uint32_t width);
uint32_t build_cast(struct tree *t, uint32_t value, struct cli_token type);
uint32_t build_if(struct tree *t, uint32_t condition, uint32_t yes, uint32_t no);

/* Adds the prefix form to `args` (cli_filter_emit.c). */
void tree_emit(const struct tree *t, uint32_t root, struct cairn_args *args);

#endif
