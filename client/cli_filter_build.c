/* cli_filter_build.c - the nodes of a condition: which operands go together, and what a literal
 * means beside the column that it is compared with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli_date.h"
#include "client/cli_filter_int.h"

/* --- nodes ------------------------------------------------------------------------------*/

static uint32_t fail_memory(struct tree *t)
{
    cli_query_fail(t->error, 0, "out of memory");
    return 0;
}

uint32_t tree_add(struct tree *t, enum node_kind kind, size_t from, size_t to)
{
    if (t->count - t->literals > CLI_FILTER_NODES_MAX) {
        cli_query_fail(t->error, from, "more than %d parts", CLI_FILTER_NODES_MAX);
        return 0;
    }
    if (t->count + 2 > t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 64;
        struct node *nodes = realloc(t->nodes, capacity * sizeof *nodes);
        if (!nodes) return fail_memory(t);
        t->nodes = nodes;
        t->capacity = capacity;
    }
    if (t->count == 0) t->nodes[t->count++] = (struct node){.depth = 0};
    t->nodes[t->count] = (struct node){.kind = kind, .depth = 1, .from = from, .to = to};
    return (uint32_t)t->count++;
}

bool tree_append(struct tree *t, uint32_t parent, uint32_t child)
{
    struct node *p = &t->nodes[parent], *c = &t->nodes[child];
    if (p->last)
        t->nodes[p->last].next = child;
    else
        p->first = child;
    p->last = child;
    /* What a test compares is written into it. */
    bool is_level = p->kind == NODE_CMP || p->kind >= NODE_AND || p->kind < NODE_COMPARE;
    if (is_level && c->depth >= p->depth) p->depth = c->depth + 1;
    if (p->depth <= CLI_FILTER_DEPTH_MAX) return true;
    return cli_query_fail(t->error, p->from, "nested more than %d deep", CLI_FILTER_DEPTH_MAX);
}

/* A node with up to three children; 0 as a child: none. */
static uint32_t make(struct tree *t, enum node_kind kind, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t last = c ? c : b ? b : a;
    uint32_t n = tree_add(t, kind, t->nodes[a].from, t->nodes[last].to);
    if (!n || !tree_append(t, n, a)) return 0;
    if (b && !tree_append(t, n, b)) return 0;
    if (c && !tree_append(t, n, c)) return 0;
    return n;
}

/* Where what follows a node should have stood. */
static size_t behind(const struct tree *t, const struct node *n)
{
    size_t at = n->to;
    while (at < t->lexer->length && t->lexer->text[at] == ' ') at++;
    return at;
}

static int shown_length(const struct node *n)
{
    size_t length = n->to - n->from;
    return length < 60 ? (int)length : 60;
}

/* --- what operands are ------------------------------------------------------------------*/

uint32_t build_value(struct tree *t, uint32_t value)
{
    const struct node *n = &t->nodes[value];
    if (!node_is_condition(n)) return value;
    cli_query_fail(t->error, n->from, "%.*s is a condition, but a value is expected here",
                   shown_length(n), t->lexer->text + n->from);
    return 0;
}

static bool says_like(const struct tree *t, size_t at)
{
    static const char *const words[] = {"like", "ilike", "~", NULL};
    for (size_t i = 0; words[i]; i++) {
        size_t length = strlen(words[i]);
        if (at + length <= t->lexer->length &&
            strncasecmp(t->lexer->text + at, words[i], length) == 0)
            return true;
    }
    return false;
}

uint32_t build_condition(struct tree *t, uint32_t value)
{
    const struct node *n = &t->nodes[value];
    if (node_is_condition(n)) return value;
    if (n->kind == NODE_COLUMN && n->type == CLI_TYPE_BOOL) {
        uint32_t yes = tree_add(t, NODE_LITERAL, n->from, n->to);
        if (!yes) return 0;
        t->nodes[yes].literal = LITERAL_BOOL;
        t->nodes[yes].number.integer = 1;
        uint32_t compare = make(t, NODE_COMPARE, value, yes, 0);
        if (compare) t->nodes[compare].op = "=";
        return compare;
    }
    if (says_like(t, behind(t, n))) {
        cli_query_fail(t->error, behind(t, n), "there is no like; there are starts with and "
                       "contains");
        return 0;
    }
    cli_query_fail(t->error, behind(t, n),
                   "expected a comparison behind %.*s: = != < <= > >= in between is starts with "
                   "contains", shown_length(n), t->lexer->text + n->from);
    return 0;
}

static const char *expected_of(enum cli_type type)
{
    switch (type) {
    case CLI_TYPE_BOOL: return "true or false";
    case CLI_TYPE_TEXT:
    case CLI_TYPE_BIN: return "a text in quotes";
    case CLI_TYPE_DATE: return "a date, as in '2024-05-01'";
    case CLI_TYPE_TIME: return "a date or time, as in '2024-05-01' or '2024-05-01 12:30:00'";
    default: return "a number";
    }
}

static bool is_number(enum cli_type type)
{
    return type == CLI_TYPE_INT || type == CLI_TYPE_FLOAT;
}

static bool has_time(enum cli_type type)
{
    return type == CLI_TYPE_DATE || type == CLI_TYPE_TIME;
}

static bool fail_literal(struct tree *t, const struct node *n, enum cli_type type,
                         const struct node *column)
{
    const char *text = t->lexer->text;
    if (column && column->field)
        return cli_query_fail(t->error, n->from, "%.*s is a column of %s: expected %s",
                              shown_length(column), text + column->from, column->field->type_name,
                              expected_of(type));
    return cli_query_fail(t->error, n->from, "expected %s", expected_of(type));
}

/* A text becomes the number of its date or time. */
static bool read_date(struct tree *t, struct node *n, enum cli_type type,
                      const struct node *column)
{
    int64_t us;
    bool is_date;
    const char *text = t->text.data + n->text;
    if (!cli_time_parse(text, n->length, &us, &is_date)) return fail_literal(t, n, type, column);
    if (type == CLI_TYPE_DATE && us % CLI_DAY_US != 0)
        return cli_query_fail(t->error, n->from, "a date has no time of day: expected %s",
                              expected_of(type));
    n->literal = LITERAL_NUMBER;
    n->type = type;
    n->number.type = CLI_NUMBER_INT;
    n->number.integer = type == CLI_TYPE_DATE ? us / CLI_DAY_US : us;
    return true;
}

/* Makes a literal one of the type that it meets; `column` is what it is compared with, or NULL. */
static bool convert(struct tree *t, uint32_t literal, enum cli_type type,
                    const struct node *column)
{
    struct node *n = &t->nodes[literal];
    bool is_text = n->literal == LITERAL_TEXT;
    if (n->literal == LITERAL_NULL)
        return cli_query_fail(t->error, n->from, "nothing equals null: write \"is null\" or \"is "
                              "not null\"");
    if (type == CLI_TYPE_UNKNOWN) return true;
    if (has_time(type) && (is_text || n->literal == LITERAL_DATE))
        return read_date(t, n, type, column);
    /* A number would count days or microseconds, which nobody means by "year > 1980". */
    if (has_time(type)) return fail_literal(t, n, type, column);
    bool fits = type == CLI_TYPE_BOOL   ? n->literal == LITERAL_BOOL
                : type == CLI_TYPE_TEXT || type == CLI_TYPE_BIN ? is_text
                                        : n->literal == LITERAL_NUMBER;
    if (!fits) return fail_literal(t, n, type, column);
    if (type == CLI_TYPE_BIN) n->type = type;
    return true;
}

/* --- conditions -------------------------------------------------------------------------*/

uint32_t build_junction(struct tree *t, enum node_kind kind, uint32_t left, uint32_t right)
{
    left = build_condition(t, left);
    right = left ? build_condition(t, right) : 0;
    if (!right) return 0;
    if (t->nodes[left].kind != kind) return make(t, kind, left, right, 0);
    t->nodes[left].to = t->nodes[right].to; /* a and b and c: one list */
    return tree_append(t, left, right) ? left : 0;
}

uint32_t build_not(struct tree *t, uint32_t condition, size_t from)
{
    condition = build_condition(t, condition);
    uint32_t n = condition ? make(t, NODE_NOT, condition, 0, 0) : 0;
    if (n) t->nodes[n].from = from;
    return n;
}

static const char *turned(const char *op)
{
    switch (op[0]) {
    case '<': return op[1] ? ">=" : ">";
    case '>': return op[1] ? "<=" : "<";
    default: return op;
    }
}

/* Two values, of which at most one is a literal of a type of its own. */
static bool agree(struct tree *t, uint32_t left, uint32_t right)
{
    struct node *a = &t->nodes[left], *b = &t->nodes[right];
    if (b->kind == NODE_LITERAL && a->kind != NODE_LITERAL)
        return convert(t, right, a->type, a->kind == NODE_COLUMN ? a : NULL);
    if (a->kind == NODE_LITERAL && b->kind != NODE_LITERAL)
        return convert(t, left, b->type, b->kind == NODE_COLUMN ? b : NULL);
    return true;
}

uint32_t build_compare(struct tree *t, const char *op, uint32_t left, uint32_t right)
{
    if (node_is_condition(&t->nodes[left])) {
        cli_query_fail(t->error, t->nodes[right].from,
                       "a comparison has two sides: join two of them with and");
        return 0;
    }
    if (!build_value(t, left) || !build_value(t, right) || !agree(t, left, right)) return 0;
    if (t->nodes[left].kind == NODE_LITERAL && t->nodes[right].kind == NODE_COLUMN) {
        uint32_t other = left;
        left = right;
        right = other;
        op = turned(op);
    }
    bool simple = t->nodes[left].kind == NODE_COLUMN && t->nodes[right].kind == NODE_LITERAL;
    uint32_t n = make(t, simple ? NODE_COMPARE : NODE_CMP, left, right, 0);
    if (n) t->nodes[n].op = op;
    return n;
}

/* A copy of a value that is needed twice; literals and columns only. */
static uint32_t copy_leaf(struct tree *t, uint32_t value)
{
    struct node n = t->nodes[value];
    uint32_t copy = tree_add(t, n.kind, n.from, n.to);
    n.next = 0;
    if (copy) t->nodes[copy] = n;
    return copy;
}

/* Of what is no column between two literals: value >= low and value <= high. The value is one of
 * the table's expressions, and it is written twice, so it must be a column. */
uint32_t build_between(struct tree *t, uint32_t value, uint32_t low, uint32_t high)
{
    if (!build_value(t, value) || !build_value(t, low) || !build_value(t, high)) return 0;
    const struct node *v = &t->nodes[value];
    if (v->kind != NODE_COLUMN) {
        cli_query_fail(t->error, v->from, "between needs a column in front of it; write \">= low "
                       "and <= high\" for what is computed");
        return 0;
    }
    if (t->nodes[low].kind == NODE_LITERAL && t->nodes[high].kind == NODE_LITERAL) {
        bool done = convert(t, low, v->type, v) && convert(t, high, v->type, v);
        return done ? make(t, NODE_BETWEEN, value, low, high) : 0;
    }
    uint32_t copy = copy_leaf(t, value);
    uint32_t from = copy ? build_compare(t, ">=", value, low) : 0;
    uint32_t to = from ? build_compare(t, "<=", copy, high) : 0;
    return to ? make(t, NODE_AND, from, to, 0) : 0;
}

static bool needs_column(struct tree *t, uint32_t value, const char *what)
{
    const struct node *n = &t->nodes[value];
    return n->kind == NODE_COLUMN ||
           cli_query_fail(t->error, n->from, "%s needs a column in front of it", what);
}

uint32_t build_null(struct tree *t, uint32_t column)
{
    return needs_column(t, column, "is null") ? make(t, NODE_NULL, column, 0, 0) : 0;
}

uint32_t build_find(struct tree *t, enum node_kind kind, uint32_t column, uint32_t literal)
{
    const char *what = kind == NODE_PREFIX ? "starts with" : "contains";
    if (!needs_column(t, column, what)) return 0;
    const struct node *c = &t->nodes[column];
    if (c->type != CLI_TYPE_UNKNOWN && c->type != CLI_TYPE_TEXT && c->type != CLI_TYPE_BIN) {
        cli_query_fail(t->error, c->from, "%s needs a column of texts; this one is %s", what,
                       c->field->type_name);
        return 0;
    }
    return convert(t, literal, c->type, c) ? make(t, kind, column, literal, 0) : 0;
}

uint32_t build_in(struct tree *t, uint32_t column)
{
    return needs_column(t, column, "in") ? make(t, NODE_IN, column, 0, 0) : 0;
}

bool build_in_add(struct tree *t, uint32_t in, uint32_t literal)
{
    const struct node *column = &t->nodes[t->nodes[in].first];
    t->literals++;
    if (t->literals > CLI_FILTER_LIST_MAX)
        return cli_query_fail(t->error, t->nodes[literal].from, "more than %d literals in lists",
                              CLI_FILTER_LIST_MAX);
    bool fits = t->nodes[literal].literal == LITERAL_NULL ||
                convert(t, literal, column->type, column);
    return fits && tree_append(t, in, literal);
}

/* --- values -----------------------------------------------------------------------------*/

/* Texts and truth cannot be computed with. */
static bool can_compute(struct tree *t, uint32_t value)
{
    const struct node *n = &t->nodes[value];
    bool literal = n->kind == NODE_LITERAL && n->literal != LITERAL_NUMBER;
    bool other = n->type == CLI_TYPE_TEXT || n->type == CLI_TYPE_BOOL || n->type == CLI_TYPE_BIN;
    if (!literal && !other) return true;
    return cli_query_fail(t->error, n->from, "%.*s is no number to compute with", shown_length(n),
                          t->lexer->text + n->from);
}

static enum cli_type arithmetic_type(const char *op, enum cli_type a, enum cli_type b)
{
    if (*op == '/') return CLI_TYPE_FLOAT;
    if (has_time(a) && has_time(b)) return CLI_TYPE_INT;
    if (has_time(a)) return a;
    if (has_time(b)) return b;
    if (a == CLI_TYPE_UNKNOWN || b == CLI_TYPE_UNKNOWN) return CLI_TYPE_UNKNOWN;
    return is_number(a) && a == b ? a : CLI_TYPE_FLOAT;
}

uint32_t build_arithmetic(struct tree *t, const char *op, uint32_t left, uint32_t right)
{
    if (!build_value(t, left) || !build_value(t, right)) return 0;
    /* day + 7: the 7 are days. day - '2024-05-01': that is a date. */
    for (int i = 0; i < 2; i++) {
        struct node *n = &t->nodes[i ? left : right];
        const struct node *other = &t->nodes[i ? right : left];
        if (n->kind == NODE_LITERAL && n->literal >= LITERAL_TEXT && has_time(other->type) &&
            !read_date(t, n, other->type, NULL))
            return 0;
    }
    if (!can_compute(t, left) || !can_compute(t, right)) return 0;
    uint32_t n = make(t, NODE_ARITHMETIC, left, right, 0);
    if (!n) return 0;
    t->nodes[n].op = op;
    t->nodes[n].type = arithmetic_type(op, t->nodes[left].type, t->nodes[right].type);
    return n;
}

uint32_t build_bucket(struct tree *t, uint32_t value, uint32_t width)
{
    if (!build_value(t, value) || !can_compute(t, value)) return 0;
    if (t->nodes[width].literal != LITERAL_NUMBER) {
        cli_query_fail(t->error, t->nodes[width].from, "expected a number: the width of a bucket");
        return 0;
    }
    uint32_t n = make(t, NODE_BUCKET, value, width, 0);
    if (n) t->nodes[n].type = t->nodes[value].type;
    return n;
}

uint32_t build_cast(struct tree *t, uint32_t value, struct cli_token type)
{
    char name[8] = "";
    const char *text = t->lexer->text + type.from;
    size_t length = type.to - type.from;
    if (length < sizeof name) memcpy(name, text, length);
    if (!build_value(t, value)) return 0;
    if (type.type != CLI_TOKEN_NAME || cli_type_of(name) == CLI_TYPE_UNKNOWN) {
        cli_query_fail(t->error, type.from, "expected a type: i8 i16 i32 i64 u8 u16 u32 u64 f32 "
                       "f64 bool date ts");
        return 0;
    }
    size_t at = t->text.length;
    cli_text_add(&t->text, text, length);
    uint32_t n = t->text.failed ? fail_memory(t) : make(t, NODE_CAST, value, 0, 0);
    if (!n) return 0;
    t->nodes[n].text = at;
    t->nodes[n].length = length;
    t->nodes[n].type = cli_type_of(name);
    return n;
}

uint32_t build_if(struct tree *t, uint32_t condition, uint32_t yes, uint32_t no)
{
    condition = build_condition(t, condition);
    if (!condition || !build_value(t, yes) || !build_value(t, no) || !agree(t, yes, no)) return 0;
    uint32_t n = make(t, NODE_IF, condition, yes, no);
    if (n) t->nodes[n].type = t->nodes[t->nodes[yes].kind == NODE_LITERAL ? no : yes].type;
    return n;
}
