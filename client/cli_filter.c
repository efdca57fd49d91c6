/* cli_filter.c - readable conditions: operators by their precedence, on stacks of our own.
 *
 * The parser is always in one of two places: in front of an operand, or behind one. Operators wait
 * on a stack until one that binds less comes; then they take their operands from the other stack
 * and become a node (cli_filter_build.c). A parenthesis or a function on the stack stops that. */
#include "client/cli_filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_filter_int.h"
#include "client/cli_path.h"

/* Open parentheses, functions, nots and signs count as levels; in each there can wait one operator
 * of each precedence. */
#define LEVELS_MAX CLI_FILTER_DEPTH_MAX
#define STACK_MAX (LEVELS_MAX * 8 + 16)

enum precedence { P_OPEN, P_OR, P_AND, P_NOT, P_COMPARE, P_ADD, P_MULTIPLY, P_SIGN };
enum operator_kind {
    O_PAREN,
    O_IF,
    O_BUCKET,
    O_CAST,
    O_OR,
    O_AND,
    O_NOT,
    O_COMPARE,
    O_BETWEEN,     /* its `and` has not come yet */
    O_BETWEEN_AND,
    O_ARITHMETIC,
    O_NEGATE
};

struct pending {
    enum operator_kind kind;
    enum precedence precedence;
    const char *op;
    bool negated; /* not between */
    unsigned commas;
    size_t from;
};

struct parser {
    struct cli_lexer *l;
    struct tree tree;
    struct pending ops[STACK_MAX];
    uint32_t values[STACK_MAX];
    size_t op_count, value_count, levels;
    struct cli_query_error *error;
};

enum step { STEP_FAILED, STEP_OPERAND, STEP_OPERATOR, STEP_END };

static enum step fail_expected(struct parser *p, const char *what)
{
    cli_lexer_expected(p->l, what, p->error);
    return STEP_FAILED;
}

/* --- stacks -----------------------------------------------------------------------------*/

static bool push_value(struct parser *p, uint32_t value)
{
    if (value == 0) return false;
    if (p->value_count == STACK_MAX)
        return cli_query_fail(p->error, p->l->before.from, "nested more than %d deep", LEVELS_MAX);
    p->values[p->value_count++] = value;
    return true;
}

static uint32_t pop_value(struct parser *p)
{
    return p->values[--p->value_count];
}

static bool is_level(enum operator_kind kind)
{
    return kind <= O_CAST || kind == O_NOT || kind == O_NEGATE;
}

static bool push_op(struct parser *p, struct pending op)
{
    p->levels += is_level(op.kind);
    if (p->levels > LEVELS_MAX || p->op_count == STACK_MAX)
        return cli_query_fail(p->error, op.from, "nested more than %d deep", LEVELS_MAX);
    p->ops[p->op_count++] = op;
    return true;
}

static struct pending pop_op(struct parser *p)
{
    struct pending op = p->ops[--p->op_count];
    p->levels -= is_level(op.kind);
    return op;
}

static struct pending *innermost(struct parser *p)
{
    return p->op_count > 0 ? &p->ops[p->op_count - 1] : NULL;
}

static bool negate(struct parser *p, size_t from)
{
    struct tree *t = &p->tree;
    uint32_t zero = tree_add(t, NODE_LITERAL, from, from);
    if (!zero) return false;
    t->nodes[zero].literal = LITERAL_NUMBER;
    t->nodes[zero].type = CLI_TYPE_INT;
    t->nodes[zero].number = (struct cli_number){.type = CLI_NUMBER_INT};
    return push_value(p, build_arithmetic(t, "-", zero, pop_value(p)));
}

static bool between(struct parser *p, const struct pending *op)
{
    uint32_t high = pop_value(p), low = pop_value(p), value = pop_value(p);
    uint32_t n = build_between(&p->tree, value, low, high);
    if (n && op->negated) n = build_not(&p->tree, n, p->tree.nodes[n].from);
    return push_value(p, n);
}

/* The operator on top takes its operands. */
static bool apply(struct parser *p)
{
    struct pending op = pop_op(p);
    struct tree *t = &p->tree;
    switch (op.kind) {
    case O_NOT: return push_value(p, build_not(t, pop_value(p), op.from));
    case O_NEGATE: return negate(p, op.from);
    case O_BETWEEN_AND: return between(p, &op);
    case O_BETWEEN:
        return cli_query_fail(p->error, p->l->token.from, "expected and: between LOW and HIGH");
    default: break;
    }
    uint32_t right = pop_value(p), left = pop_value(p), n = 0;
    if (op.kind == O_OR || op.kind == O_AND)
        n = build_junction(t, op.kind == O_OR ? NODE_OR : NODE_AND, left, right);
    else if (op.kind == O_COMPARE)
        n = build_compare(t, op.op, left, right);
    else
        n = build_arithmetic(t, op.op, left, right);
    return push_value(p, n);
}

/* All that binds at least as much as what comes next. */
static bool reduce(struct parser *p, enum precedence precedence)
{
    while (p->op_count > 0 && innermost(p)->precedence >= precedence)
        if (!apply(p)) return false;
    return true;
}

/* --- operands ---------------------------------------------------------------------------*/

static bool is_word(const struct parser *p, struct cli_token token, const char *word)
{
    size_t length = token.to - token.from;
    return token.type == CLI_TOKEN_NAME && strlen(word) == length &&
           memcmp(p->l->text + token.from, word, length) == 0;
}

/* A literal node of the text's meaning. */
static uint32_t text_literal(struct parser *p, enum literal_kind kind)
{
    struct tree *t = &p->tree;
    struct cli_token token = p->l->token;
    size_t at = t->text.length;
    if (!cli_lexer_meaning(p->l, token, &t->text, p->error)) return 0;
    if (t->text.length == at) cli_text_add(&t->text, "", 0); /* so that data is not NULL */
    if (kind == LITERAL_TEXT && !cli_utf8_valid(t->text.data + at, t->text.length - at)) {
        cli_query_fail(p->error, token.from, "this text is not UTF-8");
        return 0;
    }
    uint32_t n = tree_add(t, NODE_LITERAL, token.from, token.to);
    if (!n) return 0;
    t->nodes[n].literal = kind;
    t->nodes[n].type = kind == LITERAL_TEXT ? CLI_TYPE_TEXT : CLI_TYPE_UNKNOWN;
    t->nodes[n].text = at;
    t->nodes[n].length = t->text.length - at;
    return n;
}

/* A number, with its sign if there is one in front. */
static uint32_t number_literal(struct parser *p, size_t from, bool negative)
{
    char copy[400];
    struct cli_token token = p->l->token;
    size_t length = token.to - token.from;
    copy[0] = '-';
    if (length >= sizeof copy - 1) length = sizeof copy - 2;
    memcpy(copy + 1, p->l->text + token.from, length);
    struct cli_number number = cli_number_parse(copy + !negative, length + negative);
    if (number.type == CLI_NUMBER_NONE) {
        bool zero = length > 1 && copy[1] == '0' && copy[2] >= '0' && copy[2] <= '9';
        fail_expected(p, zero ? "a number, which does not begin with 0 (and a date has a day, too: "
                                "'2024-05-01')"
                              : "a number");
        return 0;
    }
    if (number.type == CLI_NUMBER_RANGE) {
        cli_query_fail(p->error, token.from, "%s", cli_number_range(copy + 1, length));
        return 0;
    }
    uint32_t n = tree_add(&p->tree, NODE_LITERAL, from, token.to);
    if (!n) return 0;
    p->tree.nodes[n].literal = LITERAL_NUMBER;
    p->tree.nodes[n].number = number;
    p->tree.nodes[n].type = number.type == CLI_NUMBER_DOUBLE ? CLI_TYPE_FLOAT : CLI_TYPE_INT;
    return n;
}

/* true, false, null, inf, nan; 0 without an error if it is none of these. */
static uint32_t word_literal(struct parser *p, size_t from, bool negative)
{
    bool yes = cli_lexer_is(p->l, "true"), no = cli_lexer_is(p->l, "false");
    bool null = cli_lexer_is(p->l, "null") || cli_lexer_is(p->l, "nil");
    bool inf = is_word(p, p->l->token, "inf"), nan = is_word(p, p->l->token, "nan");
    if (negative ? !inf : !yes && !no && !null && !inf && !nan) return 0;
    uint32_t n = tree_add(&p->tree, NODE_LITERAL, from, p->l->token.to);
    if (!n) return 0;
    struct node *node = &p->tree.nodes[n];
    node->literal = null ? LITERAL_NULL : yes || no ? LITERAL_BOOL : LITERAL_NUMBER;
    node->type = null ? CLI_TYPE_UNKNOWN : yes || no ? CLI_TYPE_BOOL : CLI_TYPE_FLOAT;
    node->number = (struct cli_number){.type = CLI_NUMBER_DOUBLE, .integer = yes};
    node->number.real = nan ? NAN : negative ? -INFINITY : INFINITY;
    return n;
}

/* The literal at hand, not taken yet; 0 and an error if it is none. */
static uint32_t literal(struct parser *p, const char *expected)
{
    size_t from = p->l->token.from, before = p->tree.count;
    bool negative = cli_lexer_is(p->l, "-");
    if (negative) cli_lexer_next(p->l);
    switch (p->l->token.type) {
    case CLI_TOKEN_NUMBER: return number_literal(p, from, negative);
    case CLI_TOKEN_TEXT:
        if (!negative) return text_literal(p, LITERAL_TEXT);
        break;
    case CLI_TOKEN_DATE:
        if (!negative) return text_literal(p, LITERAL_DATE);
        break;
    case CLI_TOKEN_NAME: {
        uint32_t n = word_literal(p, from, negative);
        if (n || p->tree.count != before) return n;
        break;
    }
    default: break;
    }
    fail_expected(p, expected);
    return 0;
}

static uint32_t column_of(struct parser *p, const struct cli_field *field, size_t from, size_t to)
{
    struct tree *t = &p->tree;
    size_t at = t->text.length;
    cli_text_add(&t->text, field->name, field->length);
    if (t->text.failed) {
        cli_query_fail(p->error, from, "out of memory");
        return 0;
    }
    uint32_t n = tree_add(t, NODE_COLUMN, from, to);
    if (!n) return 0;
    t->nodes[n].text = at;
    t->nodes[n].length = field->length;
    t->nodes[n].field = field;
    t->nodes[n].type = field->type;
    return n;
}

static enum step push_column(struct parser *p, const struct cli_field *field, const char *name,
                             size_t length, size_t from)
{
    if (!field) {
        cli_fields_unknown(p->tree.fields, name, length, from, p->error);
        return STEP_FAILED;
    }
    return push_value(p, column_of(p, field, from, p->l->before.to)) ? STEP_OPERATOR : STEP_FAILED;
}

static enum step column(struct parser *p)
{
    struct cli_text name = {0};
    size_t from = p->l->token.from;
    enum step step = STEP_FAILED;
    if (cli_lexer_meaning(p->l, p->l->token, &name, p->error)) {
        const char *data = name.data ? name.data : "";
        cli_lexer_next(p->l);
        step = push_column(p, cli_fields_find(p->tree.fields, data, name.length), data, name.length,
                           from);
    }
    cli_text_close(&name);
    return step;
}

/* The end of "function(…)", at whose name the lexer is; 0 if it has none. */
static size_t call_end(const struct cli_lexer *l)
{
    struct cli_lexer ahead = *l;
    size_t open = 0;
    do {
        cli_lexer_next(&ahead);
        if (ahead.token.type == CLI_TOKEN_END || ahead.token.type == CLI_TOKEN_BAD) return 0;
        if (cli_lexer_is(&ahead, "(")) open++;
        if (cli_lexer_is(&ahead, ")")) open--;
    } while (open > 0);
    return ahead.token.to;
}

/* What a result calls "function(…)", the lexer being at its name. */
static const struct cli_field *result_called(const struct parser *p, size_t end)
{
    size_t from = p->l->token.from;
    if (!p->tree.fields->results || end == 0) return NULL;
    return cli_fields_find_written(p->tree.fields, p->l->text + from, end - from);
}

static enum step result_column(struct parser *p, const struct cli_field *field, size_t end)
{
    size_t from = p->l->token.from;
    while (p->l->before.to < end) cli_lexer_next(p->l);
    return push_column(p, field, p->l->text + from, end - from, from);
}

static enum step fail_function(struct parser *p, struct cli_token token)
{
    const char *name = p->l->text + token.from;
    size_t length = token.to - token.from;
    int shown = (int)(length < 40 ? length : 40);
    if (cli_aggregate(name, length))
        cli_query_fail(p->error, token.from, "%.*s is for table group, and sums up rows", shown,
                       name);
    else
        cli_query_fail(p->error, token.from, "there is no function %.*s here; there are bucket, "
                       "cast and if", shown, name);
    return STEP_FAILED;
}

/* bucket( if( cast( are at hand; or, in a result, a name like sum(price). */
static enum step function(struct parser *p)
{
    static const struct {
        const char *name;
        enum operator_kind kind;
    } known[] = {{"if", O_IF}, {"bucket", O_BUCKET}, {"cast", O_CAST}};
    struct cli_token token = p->l->token;
    size_t end = call_end(p->l);
    const struct cli_field *result = result_called(p, end);
    if (result) return result_column(p, result, end);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!cli_lexer_is(p->l, known[i].name)) continue;
        cli_lexer_next(p->l);
        cli_lexer_next(p->l);
        struct pending op = {.kind = known[i].kind, .from = token.from};
        return push_op(p, op) ? STEP_OPERAND : STEP_FAILED;
    }
    if (p->tree.fields->results && end > 0) return result_column(p, NULL, end);
    return fail_function(p, token);
}

#define OPERAND "a column, a value, not or ("

/* A word of the language stands where a column could: perhaps the column of that name is meant. */
static enum step fail_reserved(struct parser *p, const char *what)
{
    struct cli_token token = p->l->token;
    const struct cli_field *f = cli_fields_find_any_case(p->tree.fields, p->l->text + token.from,
                                                         token.to - token.from);
    if (!f) return fail_expected(p, what);
    cli_query_fail(p->error, token.from, "%s is a word of queries, too: the column is "
                   "written `%s`, in backticks (within single quotes of a shell)", f->name,
                   f->name);
    return STEP_FAILED;
}

static enum step prefix_operator(struct parser *p, struct pending op)
{
    op.from = p->l->token.from;
    cli_lexer_next(p->l);
    return push_op(p, op) ? STEP_OPERAND : STEP_FAILED;
}

static enum step operand_literal(struct parser *p)
{
    if (!push_value(p, literal(p, OPERAND))) return STEP_FAILED;
    cli_lexer_next(p->l);
    return STEP_OPERATOR;
}

static enum step operand_name(struct parser *p)
{
    struct cli_token token = p->l->token, next = cli_lexer_peek(p->l);
    const char *name = p->l->text + token.from;
    size_t length = token.to - token.from;
    bool is_call = next.type == CLI_TOKEN_SIGN && p->l->text[next.from] == '(';
    if (is_call && !cli_lexer_is_reserved(name, length))
        return function(p);
    if (cli_lexer_is(p->l, "true") || cli_lexer_is(p->l, "false") || cli_lexer_is(p->l, "null") ||
        cli_lexer_is(p->l, "nil"))
        return operand_literal(p);
    if (cli_lexer_is_reserved(name, length))
        return fail_reserved(p, OPERAND);
    if ((is_word(p, token, "inf") || is_word(p, token, "nan")) &&
        !cli_fields_find(p->tree.fields, name, length))
        return operand_literal(p);
    return column(p);
}

static enum step operand(struct parser *p)
{
    struct cli_token next;
    switch (p->l->token.type) {
    case CLI_TOKEN_NAME:
        if (cli_lexer_is(p->l, "not"))
            return prefix_operator(p, (struct pending){.kind = O_NOT, .precedence = P_NOT});
        return operand_name(p);
    case CLI_TOKEN_QUOTED_NAME: return column(p);
    case CLI_TOKEN_NUMBER:
    case CLI_TOKEN_TEXT:
    case CLI_TOKEN_DATE: return operand_literal(p);
    case CLI_TOKEN_SIGN:
        if (cli_lexer_is(p->l, "(")) return prefix_operator(p, (struct pending){.kind = O_PAREN});
        if (!cli_lexer_is(p->l, "-")) break;
        next = cli_lexer_peek(p->l);
        if (next.type == CLI_TOKEN_NUMBER || is_word(p, next, "inf")) return operand_literal(p);
        return prefix_operator(p, (struct pending){.kind = O_NEGATE, .precedence = P_SIGN});
    default: break;
    }
    return fail_expected(p, OPERAND);
}

/* --- operators --------------------------------------------------------------------------*/

/* The parenthesis or function that is open, or NULL. All inside of it must be reduced. */
static struct pending *enclosing(struct parser *p)
{
    return innermost(p);
}

static bool close_function(struct parser *p, const struct pending *open)
{
    struct tree *t = &p->tree;
    size_t here = p->l->token.from;
    if (open->kind == O_PAREN) return true;
    if (open->kind == O_IF && open->commas == 2) {
        uint32_t no = pop_value(p), yes = pop_value(p), condition = pop_value(p);
        return push_value(p, build_if(t, condition, yes, no));
    }
    return cli_query_fail(p->error, here, "expected %s",
                          open->kind == O_IF       ? ", and a value: if(condition, value, value)"
                          : open->kind == O_BUCKET ? ", and a width: bucket(value, width)"
                                                   : "as and a type: cast(value as type)");
}

static enum step close_paren(struct parser *p)
{
    if (!reduce(p, P_OR)) return STEP_FAILED;
    if (!enclosing(p)) return STEP_END;
    struct pending open = *enclosing(p);
    if (!close_function(p, &open)) return STEP_FAILED;
    pop_op(p);
    if (p->value_count > 0) {
        struct node *n = &p->tree.nodes[p->values[p->value_count - 1]];
        n->from = open.from; /* for messages, and names */
        n->to = p->l->token.to;
    }
    cli_lexer_next(p->l);
    return STEP_OPERATOR;
}

/* The rest of bucket(value, 10) and cast(value as f64). */
static enum step close_special(struct parser *p, const struct pending *open)
{
    uint32_t n;
    cli_lexer_next(p->l);
    if (open->kind == O_BUCKET) {
        n = literal(p, "a number: the width of a bucket");
        n = n ? build_bucket(&p->tree, pop_value(p), n) : 0;
    } else {
        n = build_cast(&p->tree, pop_value(p), p->l->token);
    }
    if (n) cli_lexer_next(p->l);
    if (!push_value(p, n)) return STEP_FAILED;
    if (!cli_lexer_take(p->l, ")")) return fail_expected(p, ")");
    p->tree.nodes[n].from = open->from;
    p->tree.nodes[n].to = p->l->before.to;
    pop_op(p);
    return STEP_OPERATOR;
}

static enum step comma(struct parser *p)
{
    if (!reduce(p, P_OR)) return STEP_FAILED;
    struct pending *open = enclosing(p);
    if (!open) return STEP_END;
    if (open->kind == O_PAREN) return fail_expected(p, ")");
    struct pending copy = *open;
    if (open->kind != O_IF) return close_special(p, &copy);
    if (++open->commas > 2) return fail_expected(p, ")");
    cli_lexer_next(p->l);
    return STEP_OPERAND;
}

static bool in_list(struct parser *p, uint32_t in)
{
    struct tree *t = &p->tree;
    if (!cli_lexer_take(p->l, "("))
        return cli_lexer_expected(p->l, "( and a list: in ('a', 'b')", p->error);
    do {
        uint32_t n = literal(p, "a literal: a text in quotes, a number, a date, true or false");
        if (!n || !build_in_add(t, in, n)) return false;
        cli_lexer_next(p->l);
    } while (cli_lexer_take(p->l, ","));
    if (!cli_lexer_is(p->l, ")")) return cli_lexer_expected(p->l, ", or )", p->error);
    cli_lexer_next(p->l);
    t->nodes[in].to = p->l->before.to;
    return true;
}

/* Behind `column`, a value on the stack: in (…), starts with '…', contains '…', [not] null. */
static enum step test(struct parser *p, enum node_kind kind, bool negated)
{
    struct tree *t = &p->tree;
    if (!reduce(p, P_COMPARE)) return STEP_FAILED;
    uint32_t value = build_value(t, pop_value(p)), n = 0;
    if (!value) return STEP_FAILED;
    if (kind == NODE_IN) {
        n = build_in(t, value);
        if (n && !in_list(p, n)) n = 0;
    } else if (kind == NODE_NULL) {
        n = build_null(t, value);
    } else {
        uint32_t text = literal(p, "a text in quotes (a text has quotes of its own inside of the "
                                   "shell's)");
        n = text ? build_find(t, kind, value, text) : 0;
        if (n) cli_lexer_next(p->l);
    }
    if (!n) return STEP_FAILED;
    t->nodes[n].to = p->l->before.to;
    if (negated) n = build_not(t, n, t->nodes[n].from);
    return push_value(p, n) ? STEP_OPERATOR : STEP_FAILED;
}

static enum step binary(struct parser *p, struct pending op)
{
    op.from = p->l->token.from;
    if (!reduce(p, op.precedence)) return STEP_FAILED;
    cli_lexer_next(p->l);
    return push_op(p, op) ? STEP_OPERAND : STEP_FAILED;
}

/* The words that test a value; `not` may stand in front of most. */
static enum step word_operator(struct parser *p)
{
    bool negated = cli_lexer_take(p->l, "not");
    if (cli_lexer_take(p->l, "in")) return test(p, NODE_IN, negated);
    if (cli_lexer_take(p->l, "contains")) return test(p, NODE_CONTAINS, negated);
    if (cli_lexer_take(p->l, "starts"))
        return cli_lexer_take(p->l, "with") ? test(p, NODE_PREFIX, negated)
                                            : fail_expected(p, "with: starts with");
    if (cli_lexer_is(p->l, "between"))
        return binary(p, (struct pending){.kind = O_BETWEEN, .precedence = P_COMPARE,
                                          .negated = negated});
    if (!negated && cli_lexer_take(p->l, "is")) {
        negated = cli_lexer_take(p->l, "not");
        if (cli_lexer_take(p->l, "null") || cli_lexer_take(p->l, "nil"))
            return test(p, NODE_NULL, negated);
        return fail_expected(p, negated ? "null" : "null or not null");
    }
    if (negated) return fail_expected(p, "in, between, starts with or contains behind not");
    return STEP_END;
}

/* `and` ends the low part of a between, if one waits for it, and else joins conditions. */
static enum step and_operator(struct parser *p)
{
    if (!reduce(p, P_ADD)) return STEP_FAILED;
    struct pending *top = innermost(p);
    if (!top || top->kind != O_BETWEEN)
        return binary(p, (struct pending){.kind = O_AND, .precedence = P_AND});
    top->kind = O_BETWEEN_AND;
    cli_lexer_next(p->l);
    return STEP_OPERAND;
}

static enum step sign_operator(struct parser *p)
{
    static const char *const relations[] = {"=",  "==", "!=", "<>", "<",
                                            "<=", ">",  ">=", NULL};
    static const char *const meanings[] = {"=", "=", "!=", "!=", "<", "<=", ">", ">="};
    static const char *const sums[] = {"+", "-", NULL}, *const products[] = {"*", "/", "%", NULL};
    for (size_t i = 0; relations[i]; i++)
        if (cli_lexer_is(p->l, relations[i]))
            return binary(p, (struct pending){.kind = O_COMPARE, .precedence = P_COMPARE,
                                              .op = meanings[i]});
    for (size_t i = 0; sums[i]; i++)
        if (cli_lexer_is(p->l, sums[i]))
            return binary(p, (struct pending){.kind = O_ARITHMETIC, .precedence = P_ADD,
                                              .op = sums[i]});
    for (size_t i = 0; products[i]; i++)
        if (cli_lexer_is(p->l, products[i]))
            return binary(p, (struct pending){.kind = O_ARITHMETIC, .precedence = P_MULTIPLY,
                                              .op = products[i]});
    return STEP_END;
}

static bool is_as(const struct parser *p)
{
    if (!cli_lexer_is(p->l, "as")) return false;
    for (size_t i = p->op_count; i-- > 0;)
        if (p->ops[i].precedence == P_OPEN) return p->ops[i].kind == O_CAST;
    return false;
}

static enum step operator(struct parser *p)
{
    if (cli_lexer_is(p->l, ")")) return close_paren(p);
    if (cli_lexer_is(p->l, ",") || is_as(p)) return comma(p);
    if (cli_lexer_is(p->l, "and")) return and_operator(p);
    if (cli_lexer_is(p->l, "or"))
        return binary(p, (struct pending){.kind = O_OR, .precedence = P_OR});
    return p->l->token.type == CLI_TOKEN_SIGN ? sign_operator(p) : word_operator(p);
}

/* --- all of it --------------------------------------------------------------------------*/

static bool parse(struct parser *p)
{
    enum step step = STEP_OPERAND;
    while (step == STEP_OPERAND || step == STEP_OPERATOR)
        step = step == STEP_OPERAND ? operand(p) : operator(p);
    if (step == STEP_FAILED || !reduce(p, P_OR)) return false;
    if (!enclosing(p)) return true;
    /* What stands here goes on with nothing. */
    uint32_t value = p->values[p->value_count - 1];
    bool condition = node_is_condition(&p->tree.nodes[value]);
    return cli_lexer_expected(p->l, condition ? "and, or, or )" : "an operator or )", p->error);
}

static void describe(const struct parser *p, uint32_t root, struct cli_expression *e)
{
    const struct node *n = &p->tree.nodes[root];
    *e = (struct cli_expression){.is_column = n->kind == NODE_COLUMN,
                                 .field = n->field,
                                 .type = n->type,
                                 .from = n->from,
                                 .to = n->to};
}

bool cli_filter_read(struct cli_lexer *l, const struct cli_fields *fields,
                     struct cli_expression *expression, struct cairn_args *args,
                     struct cli_query_error *error)
{
    struct parser p = {
        .l = l, .error = error, .tree = {.lexer = l, .fields = fields, .error = error}};
    uint32_t root = 0;
    if (parse(&p)) {
        root = p.values[0];
        root = expression ? build_value(&p.tree, root) : build_condition(&p.tree, root);
    }
    if (root && expression) describe(&p, root, expression);
    if (root && expression && expression->is_column)
        cli_path_key(args, p.tree.text.data + p.tree.nodes[root].text,
                     p.tree.nodes[root].length);
    else if (root)
        tree_emit(&p.tree, root, args);
    free(p.tree.nodes);
    cli_text_close(&p.tree.text);
    return root != 0;
}
