/* query_compile.c - predicates and expressions from heap values to code.
 *
 * The prefix arrays are walked with a stack of our own, QUERY_DEPTH_MAX deep, operands before
 * operators, so the code that comes out is a list without jumps backwards. Types are checked on the
 * way up. An expression leaves its value in the register that its frame says; nested ones use the
 * registers above. */
#include "heap/query_int.h"

#include <stdio.h>
#include <string.h>

#include "heap/list.h"
#include "heap/number.h"
#include "heap/table_digits.h"
#include "heap/text.h"

/* Forms of list: X(text, form, items, predicate, help) */
#define FORMS(X)                                                                              \
    X("and", FORM_AND, 0, true, "[\"and\", pred…]")                                           \
    X("or", FORM_OR, 0, true, "[\"or\", pred…]")                                              \
    X("not", FORM_NOT, 2, true, "[\"not\", pred]")                                            \
    X("cmp", FORM_CMP, 4, true, "[\"cmp\", relation, expr, expr]")                            \
    X("=", FORM_TEST, 3, true, "[\"=\", column, literal]")                                    \
    X("!=", FORM_TEST, 3, true, "[\"!=\", column, literal]")                                  \
    X("<", FORM_TEST, 3, true, "[\"<\", column, literal]")                                    \
    X("<=", FORM_TEST, 3, true, "[\"<=\", column, literal]")                                  \
    X(">", FORM_TEST, 3, true, "[\">\", column, literal]")                                    \
    X(">=", FORM_TEST, 3, true, "[\">=\", column, literal]")                                  \
    X("in", FORM_TEST, 3, true, "[\"in\", column, [literal…]]")                               \
    X("between", FORM_TEST, 4, true, "[\"between\", column, low, high]")                      \
    X("null", FORM_TEST, 2, true, "[\"null\", column]")                                       \
    X("prefix", FORM_TEST, 3, true, "[\"prefix\", column, text]")                             \
    X("contains", FORM_TEST, 3, true, "[\"contains\", column, text]")                         \
    X("col", FORM_COL, 2, false, "[\"col\", column]")                                         \
    X("lit", FORM_LIT, 2, false, "[\"lit\", value]")                                          \
    X("+", FORM_ADD, 3, false, "[\"+\", expr, expr]")                                         \
    X("-", FORM_SUBTRACT, 3, false, "[\"-\", expr, expr]")                                    \
    X("*", FORM_MULTIPLY, 3, false, "[\"*\", expr, expr]")                                    \
    X("/", FORM_DIVIDE, 3, false, "[\"/\", expr, expr]")                                      \
    X("%", FORM_MODULO, 3, false, "[\"%\", expr, expr]")                                      \
    X("bucket", FORM_BUCKET, 3, false, "[\"bucket\", expr, width]")                           \
    X("if", FORM_IF, 4, false, "[\"if\", pred, expr, expr]")                                  \
    X("cast", FORM_CAST, 3, false, "[\"cast\", expr, type]")

enum form {
    FORM_AND, FORM_OR, FORM_NOT, FORM_CMP, FORM_TEST, FORM_COL, FORM_LIT, FORM_ADD, FORM_SUBTRACT,
    FORM_MULTIPLY, FORM_DIVIDE, FORM_MODULO, FORM_BUCKET, FORM_IF, FORM_CAST
};
struct form_entry {
    const char *text;
    enum form form;
    unsigned items;
    bool predicate;
    const char *help;
};
static const struct form_entry forms[] = {
#define X(text, form, items, predicate, help) {text, form, items, predicate, help},
    FORMS(X)
#undef X
};

/* What an expression gives. */
struct typed {
    enum query_kind kind;
    enum table_type type;
    bool null;
    uint32_t column;
};

struct frame {
    value list;
    size_t length, next; /* the item to look at next */
    const struct form_entry *form;
    bool predicate;      /* what is wanted */
    bool negate;
    bool entered;
    uint8_t reg;
    uint32_t opened;     /* the instruction that opened it */
    int relation;
    bool let;            /* the expression of a let: names are columns only */
    struct typed operand[2];
    unsigned operands;
};
struct compiler {
    struct query *q;
    const struct query_scope *scope;
    const char *place;
    unsigned depth;
    struct frame frames[QUERY_DEPTH_MAX];
};

/* --- saying where ------------------------------------------------------------------------------*/

#define PLACE_BYTES 200

/* "where[1][2]": the path of items from the place to the frame on top. */
static const char *place_of(const struct compiler *c, char *out)
{
    int length = snprintf(out, PLACE_BYTES, "%s", c->place);
    for (unsigned i = 0; i + 1 < c->depth && length < PLACE_BYTES - 16; i++)
        if (c->frames[i].list != VALUE_ABSENT)
            length += snprintf(out + length, PLACE_BYTES - (size_t)length, "[%zu]",
                               c->frames[i].next - 1);
    return out;
}

void query_show_double(double d, char *out, size_t size)
{
    unsigned char digits[DIGITS_ROOM];
    unsigned places = 0;
    snprintf(out, size, "%.*s", (int)digits_double(digits, d, &places), (const char *)digits);
}

const char *query_show(const struct heap *h, value v, char *out, size_t size)
{
    struct number n = number_read(h, v);
    switch (n.class) {
    case NUMBER_INT64: snprintf(out, size, "%lld", (long long)n.i); return out;
    case NUMBER_UINT64: snprintf(out, size, "%llu", (unsigned long long)n.u); return out;
    case NUMBER_DOUBLE: query_show_double(n.d, out, size); return out;
    default: break;
    }
    if (v == VALUE_NIL || v == VALUE_ABSENT) return "nil";
    if (value_is_bool(v)) return v == VALUE_TRUE ? "true" : "false";
    if (value_is_text(v)) {
        char start[48];
        size_t copied = text_copy(h, v, 0, start, sizeof start - 1);
        copied = utf8_prefix(start, copied);
        snprintf(out, size, "\"%.*s%s\"", (int)copied, start,
                 copied < text_length(h, v) ? "…" : "");
        return out;
    }
    snprintf(out, size, "a %s", value_is_ref(v) ? kind_name(ref_kind(v)) : "value");
    return out;
}

bool query_text_is(const struct heap *h, value v, const char *text)
{
    return value_is_text(v) && text_equals(h, v, text, strlen(text));
}

/* --- code --------------------------------------------------------------------------------------*/

int query_emit(struct query *q, struct query_instr instr)
{
    int error = query_grow(q, &q->code, q->code_count, &q->code_capacity, sizeof *q->code);
    if (!error) q->code[q->code_count++] = instr;
    return error;
}

void query_use_register(struct query *q, unsigned reg)
{
    if (reg >= q->register_count) q->register_count = reg + 1;
}

static int emit_op(struct compiler *c, enum query_op op, unsigned to, uint32_t index)
{
    query_use_register(c->q, to + 1);
    return query_emit(c->q, (struct query_instr){.op = (uint8_t)op, .to = (uint8_t)to,
                                                 .a = (uint8_t)to, .b = (uint8_t)(to + 1),
                                                 .index = index});
}

static int convert(struct compiler *c, unsigned reg, struct typed *t, enum query_kind to)
{
    enum query_kind from = t->kind;
    if (from == to) return 0;
    t->kind = to;
    t->type = query_type_of(to);
    t->column = QUERY_NONE;
    return query_emit(c->q, (struct query_instr){.op = OP_CONVERT, .to = (uint8_t)reg,
                                                 .kind = (uint8_t)from, .kind_to = (uint8_t)to});
}

/* --- names -------------------------------------------------------------------------------------*/

/* The first ones, as many as there is room for. */
static void show_names(const struct query_scope *scope, char *out, size_t size)
{
    size_t at = 0;
    *out = 0;
    for (uint32_t i = 0; i < scope->count; i++) {
        const struct query_field *f = &scope->fields[i];
        size_t shown = utf8_prefix(f->name, f->length);
        if (at + shown + sizeof ", ..." > size) {
            snprintf(out + at, size - at, "%s...", i ? ", " : "");
            return;
        }
        at += (size_t)snprintf(out + at, size - at, "%s%.*s%s", i ? ", " : "", (int)shown, f->name,
                               shown < f->length ? "..." : "");
    }
    if (scope->count == 0) snprintf(out, size, "none");
}

int query_find_name(struct query *q, const struct query_scope *scope, value name,
                    const char *place, uint32_t *field)
{
    char shown[80], names[160];
    if (!value_is_text(name))
        return query_fail(q, QUERY_FAULT_SYNTAX, "%s: the name of a column is needed, not %s",
                          place, query_show(q->heap, name, shown, sizeof shown));
    for (uint32_t i = 0; i < scope->count; i++)
        if (text_equals(q->heap, name, scope->fields[i].name, scope->fields[i].length)) {
            *field = i;
            return 0;
        }
    show_names(scope, names, sizeof names);
    return query_fail(q, QUERY_FAULT_NAME, "%s: there is no column %s; there are %s", place,
                      query_show(q->heap, name, shown, sizeof shown), names);
}

int query_check_name(struct query *q, uint32_t index, const char *place)
{
    const struct query_column *c = &q->columns[index];
    for (uint32_t i = 0; i < index; i++) {
        const struct query_column *other = &q->columns[i];
        if (other->name_length == c->name_length &&
            memcmp(other->name, c->name, c->name_length) == 0)
            return query_fail(q, QUERY_FAULT_SYNTAX, "%s: column \"%.*s\" comes twice; a result "
                              "has each name once", place,
                              (int)(c->name_length < 80 ? c->name_length : 80), c->name);
    }
    return 0;
}

/* --- frames ------------------------------------------------------------------------------------*/

static int push(struct compiler *c, value list, bool predicate, bool negate, unsigned reg)
{
    char place[PLACE_BYTES];
    if (c->depth == QUERY_DEPTH_MAX)
        return query_fail(c->q, QUERY_FAULT_LIMIT, "%s: nested deeper than %d",
                          place_of(c, place), QUERY_DEPTH_MAX);
    if (c->q->nodes++ == QUERY_NODES_MAX)
        return query_fail(c->q, QUERY_FAULT_LIMIT, "%s: the query has more than %d nodes",
                          place_of(c, place), QUERY_NODES_MAX);
    bool let = c->depth > 0 && c->frames[c->depth - 1].let;
    c->frames[c->depth++] = (struct frame){
        .list = list, .predicate = predicate, .negate = negate, .reg = (uint8_t)reg, .let = let};
    return 0;
}

static int fail_form(struct compiler *c, const char *what)
{
    char place[PLACE_BYTES];
    return query_fail(c->q, QUERY_FAULT_SYNTAX, "%s: %s", place_of(c, place), what);
}

/* Finds the form of the list on top. */
static int enter(struct compiler *c, struct frame *f)
{
    struct heap *h = c->q->heap;
    char what[256], shown[80];
    const char *wanted = f->predicate ? "a predicate" : "an expression";
    if (!value_is_kind(f->list, KIND_LIST) || list_length(h, f->list) == 0) {
        snprintf(what, sizeof what, "%s is needed, such as %s, not %s", wanted,
                 f->predicate ? "[\"=\", column, literal]" : "[\"col\", column]",
                 value_is_kind(f->list, KIND_LIST) ? "an empty list" :
                     query_show(h, f->list, shown, sizeof shown));
        return fail_form(c, what);
    }
    f->length = list_length(h, f->list);
    f->next = 1;
    f->entered = true;
    value op = list_get(h, f->list, 0);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (query_text_is(h, op, forms[i].text)) f->form = &forms[i];
    if (!f->form || f->form->predicate != f->predicate) {
        snprintf(what, sizeof what, "%s is %s; %s is needed",
                 query_show(h, op, shown, sizeof shown),
                 !f->form ? "no operator" : f->predicate ? "an expression" : "a predicate",
                 wanted);
        return fail_form(c, what);
    }
    if (f->form->items && f->length != f->form->items) {
        snprintf(what, sizeof what, "%s has %u items, not %zu", f->form->help, f->form->items,
                 f->length);
        return fail_form(c, what);
    }
    return 0;
}

/* The frame on top is done and has given `t`. */
static void deliver(struct compiler *c, struct typed t)
{
    c->depth--;
    if (c->depth == 0) {
        c->frames[0].operand[0] = t;
        return;
    }
    struct frame *parent = &c->frames[c->depth - 1];
    if (!c->frames[c->depth].predicate && parent->operands < 2)
        parent->operand[parent->operands++] = t;
}

/* --- leaves ------------------------------------------------------------------------------------*/

static int emit_load(struct compiler *c, const struct frame *f, uint32_t column)
{
    const struct query_field *field = &c->scope->fields[column];
    struct typed t = {.kind = query_kind_of(field->type), .type = field->type,
                      .null = field->null, .column = column};
    int error = emit_op(c, OP_LOAD, f->reg, column);
    if (!error) deliver(c, t);
    return error;
}

static int compile_column(struct compiler *c, struct frame *f)
{
    char place[PLACE_BYTES];
    uint32_t field;
    place_of(c, place);
    int error = query_find_name(c->q, c->scope, list_get(c->q->heap, f->list, 1), place, &field);
    if (error) return error;
    value let = c->scope->fields[field].let;
    if (let == VALUE_ABSENT) return emit_load(c, f, field);
    if (f->let) return fail_form(c, "an expression of let sees the table's columns only");
    /* The let's expression takes the place of the name. */
    *f = (struct frame){.list = let, .reg = f->reg, .let = true};
    return 0;
}

static int add_literal(struct compiler *c, struct query_literal literal, unsigned reg)
{
    struct query *q = c->q;
    int error = query_grow(q, &q->literals, q->literal_count, &q->literal_capacity,
                           sizeof *q->literals);
    if (error) return error;
    q->literals[q->literal_count++] = literal;
    return emit_op(c, OP_LITERAL, reg, q->literal_count - 1);
}

static int compile_literal(struct compiler *c, struct frame *f)
{
    char place[PLACE_BYTES];
    struct query_literal literal;
    int error = query_literal_read(c->q, list_get(c->q->heap, f->list, 1), place_of(c, place),
                                   &literal);
    if (!error) error = add_literal(c, literal, f->reg);
    if (!error)
        deliver(c, (struct typed){.kind = literal.kind, .type = query_type_of(literal.kind),
                                  .null = literal.kind == QUERY_NOTHING, .column = QUERY_NONE});
    return error;
}

/* A test of a column; of a let, the same as a comparison of its expression with a literal. */
static int compile_test(struct compiler *c, struct frame *f)
{
    char place[PLACE_BYTES];
    uint32_t field;
    place_of(c, place);
    int error = query_find_name(c->q, c->scope, list_get(c->q->heap, f->list, 1), place, &field);
    if (error) return error;
    const struct query_field *known = &c->scope->fields[field];
    if (known->let != VALUE_ABSENT) {
        f->relation = query_relation_named(c->q->heap, list_get(c->q->heap, f->list, 0));
        if (f->relation < 0)
            return fail_form(c, "with a name of let only = != < <= > >= are possible");
        if (f->let) return fail_form(c, "an expression of let sees the table's columns only");
        f->opened = c->q->code_count;
        error = query_emit(c->q, (struct query_instr){.op = OP_CMP});
        f->next = 3; /* of the operands, the expression is compiled; the literal comes at the end */
        if (!error) error = push(c, known->let, false, false, f->reg);
        if (!error) c->frames[c->depth - 1].let = true;
        return error;
    }
    error = query_compile_test(c->q, known, field, c->scope->table, f->list, f->negate, place);
    if (!error) deliver(c, (struct typed){0});
    return error;
}

/* --- operators ---------------------------------------------------------------------------------*/

static int fail_types(struct compiler *c, const char *right)
{
    struct frame *f = &c->frames[c->depth - 1];
    char place[PLACE_BYTES];
    return query_fail(c->q, QUERY_FAULT_TYPE, "%s: \"%s\" of %s and %s; %s", place_of(c, place),
                      f->form->text, query_kind_name(f->operand[0].kind),
                      query_kind_name(f->operand[1].kind), right);
}

/* Makes both operands of one kind, as far as it goes; *mixed: INT and UINT, left as they are. */
static int unify(struct compiler *c, struct frame *f, bool *mixed)
{
    struct typed *a = &f->operand[0], *b = &f->operand[1];
    *mixed = false;
    if (a->kind == b->kind) return 0;
    if (kind_is_text(a->kind) && kind_is_text(b->kind)) {
        a->kind = b->kind = QUERY_BYTES;
        return 0;
    }
    struct typed *to = NULL, *from = NULL;
    if (a->kind == QUERY_NOTHING || b->kind == QUERY_NOTHING) {
        from = a->kind == QUERY_NOTHING ? a : b;
    } else if (kind_is_number(a->kind) && kind_is_number(b->kind)) {
        if (a->kind != QUERY_FLOAT && b->kind != QUERY_FLOAT) {
            *mixed = true;
            return 0;
        }
        from = a->kind == QUERY_FLOAT ? b : a;
    } else if (kind_is_time(a->kind) && kind_is_time(b->kind)) {
        from = a->kind == QUERY_DATE ? a : b;
    } else if (kind_is_time(a->kind) && b->kind == QUERY_INT) {
        from = b;
    } else if (kind_is_time(b->kind) && a->kind == QUERY_INT) {
        from = a;
    } else {
        return fail_types(c, "both must be numbers, or of one type");
    }
    to = from == a ? b : a;
    return convert(c, from == a ? f->reg : f->reg + 1u, from, to->kind);
}

static int finish_compare(struct compiler *c, struct frame *f)
{
    static const enum query_relation opposite[] = {REL_NE, REL_EQ, REL_GE, REL_GT, REL_LE, REL_LT};
    static const enum query_relation swapped[] = {REL_EQ, REL_NE, REL_GT, REL_GE, REL_LT, REL_LE};
    bool mixed;
    int error = unify(c, f, &mixed);
    if (error) return error;
    enum query_relation relation = (enum query_relation)f->relation;
    if (f->negate) relation = opposite[relation];
    struct query_instr in = {.op = OP_COMPARE, .kind = (uint8_t)f->operand[0].kind, .a = f->reg,
                             .b = (uint8_t)(f->reg + 1)};
    if (mixed) {
        in.op = OP_COMPARE_MIXED;
        if (f->operand[0].kind == QUERY_UINT) {
            in.a = (uint8_t)(f->reg + 1);
            in.b = f->reg;
            relation = swapped[relation];
        }
    }
    in.relation = (uint8_t)relation;
    error = query_emit(c->q, in);
    if (error) return error;
    c->q->code[f->opened].jump = c->q->code_count - 1;
    deliver(c, (struct typed){0});
    return 0;
}

/* The literal of a test on a let. */
static int finish_let_test(struct compiler *c, struct frame *f)
{
    char place[PLACE_BYTES];
    struct query_literal literal;
    int error = query_literal_read(c->q, list_get(c->q->heap, f->list, 2), place_of(c, place),
                                   &literal);
    if (!error) error = add_literal(c, literal, f->reg + 1u);
    if (error) return error;
    f->operand[1] = (struct typed){.kind = literal.kind};
    return finish_compare(c, f);
}

/* What + and - of dates and times give, or QUERY_NOTHING. */
static enum query_kind time_result(enum form form, enum query_kind a, enum query_kind b)
{
    if (kind_is_time(a) && b == QUERY_INT) return a;
    if (a == QUERY_INT && kind_is_time(b)) return form == FORM_ADD ? b : QUERY_NOTHING;
    if (a == b && form == FORM_SUBTRACT) return QUERY_INT;
    return QUERY_NOTHING;
}

/* What nil is beside a `kind`: the same, but an integer is added to a time. */
static enum query_kind beside(enum form form, enum query_kind kind)
{
    return form == FORM_ADD && kind_is_time(kind) ? QUERY_INT : kind;
}

static int finish_arithmetic(struct compiler *c, struct frame *f)
{
    static const uint8_t ops[] = {OP_ADD, OP_SUBTRACT, OP_MULTIPLY, OP_DIVIDE, OP_MODULO};
    struct typed *a = &f->operand[0], *b = &f->operand[1];
    enum form form = f->form->form;
    enum query_kind kind = QUERY_INT, result;
    int error = 0;
    if (a->kind == QUERY_NOTHING) error = convert(c, f->reg, a, beside(form, b->kind));
    if (b->kind == QUERY_NOTHING) error = convert(c, f->reg + 1u, b, beside(form, a->kind));
    if (a->kind == QUERY_NOTHING) error = convert(c, f->reg, a, QUERY_INT);
    if (b->kind == QUERY_NOTHING) error = convert(c, f->reg + 1u, b, QUERY_INT);
    if (error) return error;
    if (kind_is_time(a->kind) || kind_is_time(b->kind)) {
        result = form == FORM_ADD || form == FORM_SUBTRACT ? time_result(form, a->kind, b->kind)
                                                           : QUERY_NOTHING;
        if (result == QUERY_NOTHING)
            return fail_types(c, "dates and times: + or - an integer, or - one of the same type");
    } else if (!kind_is_number(a->kind) || !kind_is_number(b->kind)) {
        return fail_types(c, "numbers are needed");
    } else {
        if (form == FORM_DIVIDE || a->kind == QUERY_FLOAT || b->kind == QUERY_FLOAT)
            kind = QUERY_FLOAT;
        else if (a->kind == QUERY_UINT || b->kind == QUERY_UINT)
            kind = QUERY_UINT;
        if (kind == QUERY_FLOAT) {
            error = convert(c, f->reg, a, kind);
            if (!error) error = convert(c, f->reg + 1u, b, kind);
        }
        result = kind;
    }
    if (error) return error;
    error = query_emit(c->q, (struct query_instr){
        .op = ops[form - FORM_ADD], .kind = (uint8_t)kind, .to = f->reg, .a = f->reg,
        .b = (uint8_t)(f->reg + 1), .type = (uint8_t)a->kind, .kind_to = (uint8_t)b->kind,
        .relation = (uint8_t)result});
    if (error) return error;
    deliver(c, (struct typed){.kind = result, .type = query_type_of(result),
                              .null = a->null || b->null || form >= FORM_DIVIDE,
                              .column = QUERY_NONE});
    return 0;
}

static int finish_bucket(struct compiler *c, struct frame *f)
{
    char place[PLACE_BYTES], shown[80];
    struct typed *a = &f->operand[0];
    value width = list_get(c->q->heap, f->list, 2);
    struct number n = number_read(c->q->heap, width);
    place_of(c, place);
    int error = a->kind == QUERY_NOTHING ? convert(c, f->reg, a, QUERY_INT) : 0;
    if (error) return error;
    if (!kind_is_number(a->kind) && !kind_is_time(a->kind))
        return query_fail(c->q, QUERY_FAULT_TYPE, "%s: \"bucket\" of %s; a number, date or time "
                          "is needed", place, query_kind_name(a->kind));
    bool whole = n.class == NUMBER_INT64 && n.i > 0;
    bool large = n.class == NUMBER_UINT64 && n.u > INT64_MAX; /* only these columns have such */
    whole |= large && (a->kind == QUERY_UINT || a->kind == QUERY_FLOAT);
    bool real = n.class == NUMBER_DOUBLE && n.d > 0 && n.d < __builtin_inf();
    if (!whole && !(real && kind_is_number(a->kind)))
        return query_fail(c->q, QUERY_FAULT_TYPE, "%s[2]: the width of a bucket of %s is %s, "
                          "not %s", place, query_kind_name(a->kind),
                          large || !kind_is_number(a->kind)
                              ? "an integer from 1 to 9223372036854775807" : "a positive number",
                          query_show(c->q->heap, width, shown, sizeof shown));
    if (real && a->kind != QUERY_FLOAT) error = convert(c, f->reg, a, QUERY_FLOAT);
    if (error) return error;
    struct query_literal literal = {.kind = QUERY_INT, .lane = n.u};
    if (a->kind == QUERY_FLOAT) {
        double d = large ? (double)n.u : whole ? (double)n.i : n.d;
        literal.kind = QUERY_FLOAT;
        memcpy(&literal.lane, &d, sizeof d);
    }
    error = add_literal(c, literal, f->reg + 1u);
    if (!error)
        error = query_emit(c->q, (struct query_instr){.op = OP_BUCKET, .kind = (uint8_t)a->kind,
            .to = f->reg, .a = f->reg, .b = (uint8_t)(f->reg + 1)});
    if (!error)
        deliver(c, (struct typed){.kind = a->kind, .type = query_type_of(a->kind),
                                  .null = a->null, .column = QUERY_NONE});
    return error;
}

static int finish_cast(struct compiler *c, struct frame *f)
{
    char place[PLACE_BYTES], shown[80], name[16] = "";
    struct typed *a = &f->operand[0];
    value wanted = list_get(c->q->heap, f->list, 2);
    place_of(c, place);
    if (value_is_text(wanted) && text_length(c->q->heap, wanted) < sizeof name)
        text_copy(c->q->heap, wanted, 0, name, sizeof name);
    enum table_type type = table_type_named(name, strlen(name));
    if (type == TABLE_TYPE_COUNT)
        return query_fail(c->q, QUERY_FAULT_TYPE, "%s[2]: there is no type %s; there are i8 i16 "
                          "i32 i64 u8 u16 u32 u64 f32 f64 bool str sym bin date ts", place,
                          query_show(c->q->heap, wanted, shown, sizeof shown));
    if (type == TABLE_SYM) type = TABLE_STR;
    enum query_kind to = query_kind_of(type);
    int error = a->kind == QUERY_NOTHING ? convert(c, f->reg, a, to) : 0;
    if (error) return error;
    bool texts = kind_is_text(a->kind) && (to == a->kind || to == QUERY_BYTES);
    bool times = kind_is_time(to) && (kind_is_time(a->kind) || a->kind == QUERY_INT);
    bool numbers = kind_is_number(to) || to == QUERY_BOOL;
    if (!texts && !times && !(numbers && !kind_is_text(a->kind)))
        return query_fail(c->q, QUERY_FAULT_TYPE, "%s: there is no cast from %s to %s", place,
                          query_kind_name(a->kind), table_type_name(type));
    if (!texts)
        error = query_emit(c->q, (struct query_instr){
            .op = OP_CAST, .kind = (uint8_t)a->kind, .kind_to = (uint8_t)to,
            .type = (uint8_t)type, .to = f->reg, .a = f->reg});
    if (!error)
        deliver(c, (struct typed){.kind = to, .type = type, .null = a->null,
                                  .column = QUERY_NONE});
    return error;
}

/* Puts the conversion of the first branch, if there is one at code[at], where that branch's rows
 * are looked at: those of the second are by now. */
static int convert_first_branch(struct compiler *c, const struct frame *f, uint32_t at)
{
    struct query *q = c->q;
    if (at == q->code_count || q->code[at].to != f->reg) return 0;
    struct query_instr conversion = q->code[at];
    q->code[at] = (struct query_instr){.op = OP_THEN, .to = f->reg};
    return query_emit(q, conversion);
}

static int finish_if(struct compiler *c, struct frame *f)
{
    struct typed *a = &f->operand[0], *b = &f->operand[1];
    bool mixed;
    uint32_t at = c->q->code_count;
    enum table_type type = a->type == b->type ? a->type : TABLE_TYPE_COUNT;
    int error = unify(c, f, &mixed);
    if (!error && mixed)
        error = convert(c, a->kind == QUERY_INT ? f->reg : f->reg + 1u,
                        a->kind == QUERY_INT ? a : b, QUERY_UINT);
    if (!error) error = convert_first_branch(c, f, at);
    if (!error) error = emit_op(c, OP_BLEND, f->reg, 0);
    if (error) return error;
    c->q->code[c->q->code_count - 1].kind = (uint8_t)a->kind;
    if (type == TABLE_TYPE_COUNT || type == TABLE_SYM) type = query_type_of(a->kind);
    deliver(c, (struct typed){.kind = a->kind, .type = type, .null = a->null || b->null,
                              .column = QUERY_NONE});
    return 0;
}

/* --- the walk ----------------------------------------------------------------------------------*/

/* and, or: the next operand, or the end. */
static int step_logic(struct compiler *c, struct frame *f)
{
    if (f->next == 1) {
        bool both = (f->form->form == FORM_AND) != f->negate;
        f->opened = c->q->code_count;
        int error = query_emit(c->q, (struct query_instr){.op = both ? OP_AND : OP_OR});
        if (error) return error;
    }
    if (f->next < f->length)
        return push(c, list_get(c->q->heap, f->list, f->next++), true, f->negate, f->reg);
    int error = query_emit(c->q, (struct query_instr){.op = OP_END});
    if (error) return error;
    c->q->code[f->opened].jump = c->q->code_count - 1;
    deliver(c, (struct typed){0});
    return 0;
}

static int step_not(struct compiler *c, struct frame *f)
{
    if (f->next == 1)
        return push(c, list_get(c->q->heap, f->list, f->next++), true, !f->negate, f->reg);
    deliver(c, (struct typed){0});
    return 0;
}

static int step_cmp(struct compiler *c, struct frame *f)
{
    value items[4];
    char what[160], shown[80];
    list_read(c->q->heap, f->list, 0, items, 4);
    if (f->next == 1) {
        f->relation = query_relation_named(c->q->heap, items[1]);
        if (f->relation < 0) {
            snprintf(what, sizeof what, "a relation is needed (= != < <= > >=), not %s",
                     query_show(c->q->heap, items[1], shown, sizeof shown));
            return fail_form(c, what);
        }
        f->next = 2;
        f->opened = c->q->code_count;
        int error = query_emit(c->q, (struct query_instr){.op = OP_CMP});
        if (error) return error;
    }
    if (f->next == 4) return finish_compare(c, f);
    f->next++;
    return push(c, items[f->next - 1], false, false, f->reg + (unsigned)f->next - 3);
}

static int step_if(struct compiler *c, struct frame *f)
{
    int error = 0;
    if (f->next == 4) return finish_if(c, f);
    if (f->next == 2) error = emit_op(c, OP_THEN, f->reg, 0);
    if (f->next == 1) error = emit_op(c, OP_IF, f->reg, 0);
    if (f->next == 3) error = emit_op(c, OP_ELSE, f->reg, 0);
    if (error) return error;
    size_t item = f->next++;
    return push(c, list_get(c->q->heap, f->list, item), item == 1, false,
                item == 3 ? f->reg + 1u : f->reg);
}

static int step(struct compiler *c)
{
    struct frame *f = &c->frames[c->depth - 1];
    if (!f->entered) {
        int error = enter(c, f);
        if (error) return error;
    }
    enum form form = f->form->form;
    switch (form) {
    case FORM_AND:
    case FORM_OR: return step_logic(c, f);
    case FORM_NOT: return step_not(c, f);
    case FORM_CMP: return step_cmp(c, f);
    case FORM_TEST: return f->next == 1 ? compile_test(c, f) : finish_let_test(c, f);
    case FORM_COL: return compile_column(c, f);
    case FORM_LIT: return compile_literal(c, f);
    case FORM_IF: return step_if(c, f);
    case FORM_BUCKET:
    case FORM_CAST:
        if (f->next == 2) return form == FORM_CAST ? finish_cast(c, f) : finish_bucket(c, f);
        break;
    default:
        if (f->next == 3) return finish_arithmetic(c, f);
        break;
    }
    f->next++;
    return push(c, list_get(c->q->heap, f->list, f->next - 1), false, false,
                f->reg + (unsigned)f->next - 2);
}

static int compile(struct compiler *c, struct query_code *code)
{
    int error = 0;
    while (c->depth && !error) error = step(c);
    if (error) return error;
    struct typed t = c->frames[0].operand[0];
    code->end = c->q->code_count;
    code->kind = t.kind;
    code->type = t.type;
    code->null = t.null;
    code->column = t.column;
    if (code->kind == QUERY_NOTHING) { /* a column of nulls has some type */
        error = query_emit(c->q, (struct query_instr){.op = OP_CONVERT, .kind = QUERY_NOTHING,
                                                      .kind_to = QUERY_INT});
        code->kind = QUERY_INT;
        code->type = TABLE_I64;
        code->end = c->q->code_count;
    }
    return error;
}

int query_compile(struct query *q, const struct query_scope *scope, value source, bool predicate,
                  const char *place, struct query_code *code)
{
    struct compiler c;
    c.q = q;
    c.scope = scope;
    c.place = place;
    c.depth = 0;
    code->start = q->code_count;
    int error = push(&c, source, predicate, false, 0);
    return error ? error : compile(&c, code);
}
