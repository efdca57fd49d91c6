/* cli_filter_emit.c - the tree of a condition, written in the prefix form. */
#include <math.h>

#include "client/cli_filter_int.h"
#include "client/cli_path.h"

/* Nodes that are open at once: the tree is no deeper, and a node is one level of it. */
#define OPEN_MAX (CLI_FILTER_DEPTH_MAX + 4)

static void emit_name(const struct tree *t, const struct node *n, struct cairn_args *args)
{
    cli_path_key(args, t->text.data + n->text, n->length);
}

static void emit_literal(const struct tree *t, const struct node *n, struct cairn_args *args)
{
    switch (n->literal) {
    case LITERAL_NULL: cairn_args_nil(args); return;
    case LITERAL_BOOL: cairn_args_bool(args, n->number.integer != 0); return;
    case LITERAL_DATE:
    case LITERAL_TEXT:
        if (n->type == CLI_TYPE_BIN)
            cairn_args_bin(args, t->text.data + n->text, n->length);
        else
            emit_name(t, n, args);
        return;
    case LITERAL_NUMBER: break;
    }
    switch (n->number.type) {
    case CLI_NUMBER_INT: cairn_args_int(args, n->number.integer); return;
    case CLI_NUMBER_UINT: cairn_args_uint(args, n->number.unsigned_integer); return;
    default: cairn_args_double(args, n->number.real);
    }
}

static void emit_children(const struct tree *t, uint32_t child, struct cairn_args *args)
{
    for (; child; child = t->nodes[child].next) emit_literal(t, &t->nodes[child], args);
}

/* ["lit", 5]; a date in arithmetic stays one: ["cast", ["lit", 19844], "date"]. */
static void emit_literal_value(const struct tree *t, const struct node *n,
                               struct cairn_args *args)
{
    bool cast = n->literal == LITERAL_NUMBER &&
                (n->type == CLI_TYPE_DATE || n->type == CLI_TYPE_TIME);
    if (cast) {
        cairn_args_array_open(args);
        cairn_args_cstr(args, "cast");
    }
    cairn_args_array_open(args);
    cairn_args_cstr(args, "lit");
    emit_literal(t, n, args);
    cairn_args_array_close(args);
    if (!cast) return;
    cairn_args_cstr(args, n->type == CLI_TYPE_DATE ? "date" : "ts");
    cairn_args_array_close(args);
}

/* ["op", column, literal…]; of `in`, the literals in a list. */
static void emit_test(const struct tree *t, const struct node *n, const char *op,
                      struct cairn_args *args)
{
    const struct node *column = &t->nodes[n->first];
    cairn_args_array_open(args);
    cairn_args_cstr(args, op);
    emit_name(t, column, args);
    if (n->kind == NODE_IN) cairn_args_array_open(args);
    emit_children(t, column->next, args);
    if (n->kind == NODE_IN) cairn_args_array_close(args);
    cairn_args_array_close(args);
}

/* Writes a node, or opens it: true if its children follow. */
static bool emit_open(const struct tree *t, const struct node *n, struct cairn_args *args)
{
    static const char *const names[] = {
        [NODE_BUCKET] = "bucket", [NODE_CAST] = "cast",         [NODE_IF] = "if",
        [NODE_IN] = "in",         [NODE_BETWEEN] = "between",   [NODE_NULL] = "null",
        [NODE_PREFIX] = "prefix", [NODE_CONTAINS] = "contains", [NODE_AND] = "and",
        [NODE_OR] = "or",         [NODE_NOT] = "not",           [NODE_CMP] = "cmp"};
    switch (n->kind) {
    case NODE_COLUMN:
        cairn_args_array_open(args);
        cairn_args_cstr(args, "col");
        emit_name(t, n, args);
        cairn_args_array_close(args);
        return false;
    case NODE_LITERAL: emit_literal_value(t, n, args); return false;
    case NODE_COMPARE: emit_test(t, n, n->op, args); return false;
    case NODE_IN:
    case NODE_BETWEEN:
    case NODE_NULL:
    case NODE_PREFIX:
    case NODE_CONTAINS: emit_test(t, n, names[n->kind], args); return false;
    default: break;
    }
    cairn_args_array_open(args);
    cairn_args_cstr(args, n->kind == NODE_ARITHMETIC ? n->op : names[n->kind]);
    if (n->kind == NODE_CMP) cairn_args_cstr(args, n->op);
    return true;
}

static void emit_close(const struct tree *t, const struct node *n, struct cairn_args *args)
{
    if (n->kind == NODE_CAST) emit_name(t, n, args);
    cairn_args_array_close(args);
}

void tree_emit(const struct tree *t, uint32_t root, struct cairn_args *args)
{
    struct {
        const struct node *node;
        uint32_t child;
    } open[OPEN_MAX];
    size_t depth = 0;
    uint32_t at = root;
    while (at || depth > 0) {
        if (at && emit_open(t, &t->nodes[at], args)) {
            open[depth].node = &t->nodes[at];
            open[depth++].child = t->nodes[at].first;
        }
        /* What comes next: a child of the innermost open node, or its end. */
        for (at = 0; depth > 0; depth--) {
            const struct node *parent = open[depth - 1].node;
            uint32_t child = open[depth - 1].child;
            bool is_width = parent->kind == NODE_BUCKET && child == parent->last;
            if (child && is_width) { /* the width is a bare number */
                emit_literal(t, &t->nodes[child], args);
                child = 0;
            }
            if (child) {
                open[depth - 1].child = t->nodes[child].next;
                at = child;
                break;
            }
            emit_close(t, parent, args);
        }
    }
}
