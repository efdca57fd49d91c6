/* query_rows.c - predicates and expressions on one row, naively. */
#include "tests/support/query_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"

/* --- cells -------------------------------------------------------------------------------------*/

static bool is_text(const struct table_cell *c)
{
    return c->type == TABLE_STR || c->type == TABLE_BIN;
}

static __int128 whole(const struct table_cell *c)
{
    return c->type == TABLE_U64 || c->type == TABLE_BOOL ? (__int128)c->u : (__int128)c->i;
}

static double real(const struct table_cell *c)
{
    if (c->type == TABLE_F64) return c->d;
    return c->type == TABLE_U64 || c->type == TABLE_BOOL ? (double)c->u : (double)c->i;
}

static int order_doubles(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

int model_compare(const struct table_cell *a, const struct table_cell *b)
{
    if (is_text(a)) {
        size_t shorter = a->text.length < b->text.length ? a->text.length : b->text.length;
        int order = shorter ? memcmp(a->text.data, b->text.data, shorter) : 0;
        if (order) return order < 0 ? -1 : 1;
        return (a->text.length > b->text.length) - (a->text.length < b->text.length);
    }
    if (a->type == TABLE_F64 || b->type == TABLE_F64) return order_doubles(real(a), real(b));
    return (whole(a) > whole(b)) - (whole(a) < whole(b));
}

bool model_same(const struct table_cell *a, const struct table_cell *b)
{
    if (a->null || b->null) return a->null == b->null;
    return model_compare(a, b) == 0;
}

/* A stored cell as what is computed with. */
static struct table_cell widened(struct table_cell c)
{
    switch (c.type) {
    case TABLE_SYM: c.type = TABLE_STR; break;
    case TABLE_F32: c.type = TABLE_F64; break;
    case TABLE_STR:
    case TABLE_BIN:
    case TABLE_F64:
    case TABLE_U64:
    case TABLE_BOOL:
    case TABLE_DATE:
    case TABLE_TS: break;
    default: c.type = TABLE_I64;
    }
    return c;
}

/* --- names and literals ------------------------------------------------------------------------*/

static bool word_is(struct model_query *m, value v, const char *word)
{
    return text_equals(m->h, v, word, strlen(word));
}

static uint32_t column_named(struct model_query *m, value name)
{
    for (uint32_t i = 0; i < m->columns; i++)
        if (text_equals(m->h, name, m->fields[i].name, m->fields[i].name_length)) return i;
    return UINT32_MAX;
}

struct table_cell model_name(struct model_query *m, value name)
{
    uint32_t column = column_named(m, name);
    if (column != UINT32_MAX) return widened(m->row[column]);
    struct map_iterator it = {0};
    value key, expression;
    while (map_next(m->h, m->let, &it, &key, &expression))
        if (text_compare(m->h, key, name) == 0) return model_expression(m, expression);
    abort();
}

#define LITERALS 64
/* Texts of literals live until so many more were read. */
static struct table_cell literal(struct model_query *m, value v)
{
    static char room[LITERALS][128];
    static unsigned next;
    struct number n = number_read(m->h, v);
    if (v == VALUE_NIL) return (struct table_cell){.type = TABLE_I64, .null = true};
    if (value_is_bool(v)) return (struct table_cell){.type = TABLE_BOOL, .u = v == VALUE_TRUE};
    if (n.class == NUMBER_INT64) return (struct table_cell){.type = TABLE_I64, .i = n.i};
    if (n.class == NUMBER_UINT64) return (struct table_cell){.type = TABLE_U64, .u = n.u};
    if (n.class == NUMBER_DOUBLE) return (struct table_cell){.type = TABLE_F64, .d = n.d};
    char *bytes = room[next++ % LITERALS];
    if (text_length(m->h, v) > sizeof room[0]) abort();
    text_copy(m->h, v, 0, bytes, sizeof room[0]);
    return (struct table_cell){.type = text_is_bytes(v) ? TABLE_BIN : TABLE_STR,
                               .text = {bytes, text_length(m->h, v)}};
}

/* --- predicates --------------------------------------------------------------------------------*/

/* Exactly: an integer against a double. */
static int compare_exact(__int128 i, double d)
{
    if (isnan(d) || d >= 0x1p100) return -1;
    if (d < -0x1p100) return 1;
    __int128 below = (__int128)floor(d);
    if (i != below) return i < below ? -1 : 1;
    return floor(d) == d ? 0 : -1;
}

static int compare_literal(struct model_query *m, value name, const struct table_cell *cell,
                           struct table_cell l)
{
    uint32_t column = column_named(m, name);
    if (column != UINT32_MAX && m->fields[column].type == TABLE_F32)
        l = (struct table_cell){.type = TABLE_F64, .d = (double)(float)real(&l)};
    bool is_real = cell->type == TABLE_F64 || is_text(cell);
    /* A let is compared as cmp does. */
    if (!is_real && l.type == TABLE_F64 && column != UINT32_MAX)
        return compare_exact(whole(cell), l.d);
    return model_compare(cell, &l);
}

static enum truth negated(enum truth t) { return t == UNKNOWN ? t : t == TRUE_ ? FALSE_ : TRUE_; }
static enum truth truth_of(bool b) { return b ? TRUE_ : FALSE_; }

static bool relation_holds(struct model_query *m, value op, int order)
{
    if (word_is(m, op, "=")) return order == 0;
    if (word_is(m, op, "!=")) return order != 0;
    if (word_is(m, op, "<")) return order < 0;
    if (word_is(m, op, "<=")) return order <= 0;
    if (word_is(m, op, ">")) return order > 0;
    return order >= 0;
}

static enum truth relation(struct model_query *m, value op, value name, value lit)
{
    struct table_cell cell = model_name(m, name), l = literal(m, lit);
    if (cell.null || l.null) return UNKNOWN;
    return truth_of(relation_holds(m, op, compare_literal(m, name, &cell, l)));
}

static enum truth both(enum truth a, enum truth b)
{
    if (a == FALSE_ || b == FALSE_) return FALSE_;
    return a == UNKNOWN || b == UNKNOWN ? UNKNOWN : TRUE_;
}

static enum truth in_list(struct model_query *m, value name, value list)
{
    struct table_cell cell = model_name(m, name);
    enum truth t = FALSE_;
    if (list_length(m->h, list) == 0) return FALSE_; /* no comparison, so none is unknown */
    if (cell.null) return UNKNOWN;
    for (size_t i = 0; i < list_length(m->h, list); i++) {
        struct table_cell l = literal(m, list_get(m->h, list, i));
        if (l.null) t = t == TRUE_ ? t : UNKNOWN;
        else if (compare_literal(m, name, &cell, l) == 0) t = TRUE_;
    }
    return t;
}

static bool find(const struct table_text t, const struct table_text part, bool at_start)
{
    if (part.length > t.length) return false;
    for (size_t i = 0; i <= (at_start ? 0 : t.length - part.length); i++)
        if (memcmp(t.data + i, part.data, part.length) == 0) return true;
    return false;
}

static enum truth logic(struct model_query *m, value p, bool all)
{
    enum truth t = all ? TRUE_ : FALSE_;
    for (size_t i = 1; i < list_length(m->h, p); i++) {
        enum truth next = model_predicate(m, list_get(m->h, p, i));
        t = all ? both(t, next) : negated(both(negated(t), negated(next)));
        if (t == (all ? FALSE_ : TRUE_)) break;
    }
    return t;
}

enum truth model_predicate(struct model_query *m, value p)
{
    value op = list_get(m->h, p, 0), first = VALUE_NIL, second = VALUE_NIL;
    if (list_length(m->h, p) > 1) first = list_get(m->h, p, 1);
    if (list_length(m->h, p) > 2) second = list_get(m->h, p, 2);
    if (word_is(m, op, "and")) return logic(m, p, true);
    if (word_is(m, op, "or")) return logic(m, p, false);
    if (word_is(m, op, "not")) return negated(model_predicate(m, first));
    if (word_is(m, op, "null")) return truth_of(model_name(m, first).null);
    if (word_is(m, op, "in")) return in_list(m, first, second);
    if (word_is(m, op, "between"))
        return both(relation(m, value_inline_text(">=", 2, false), first, second),
                    relation(m, value_inline_text("<=", 2, false), first, list_get(m->h, p, 3)));
    if (word_is(m, op, "cmp")) {
        struct table_cell a = model_expression(m, second);
        struct table_cell b = model_expression(m, list_get(m->h, p, 3));
        if (a.null || b.null) return UNKNOWN;
        return truth_of(relation_holds(m, first, model_compare(&a, &b)));
    }
    if (word_is(m, op, "prefix") || word_is(m, op, "contains")) {
        struct table_cell cell = model_name(m, first), l = literal(m, second);
        if (cell.null || l.null) return UNKNOWN;
        return truth_of(find(cell.text, l.text, word_is(m, op, "prefix")));
    }
    return relation(m, op, first, second);
}

/* --- expressions -------------------------------------------------------------------------------*/

static struct table_cell fitted(struct model_query *m, enum table_type type, __int128 n)
{
    struct table_cell c = {.type = type};
    __int128 min = type == TABLE_DATE ? INT32_MIN : type == TABLE_U64 ? 0 : INT64_MIN;
    __int128 max = type == TABLE_DATE  ? INT32_MAX
                   : type == TABLE_U64 ? (__int128)UINT64_MAX
                                       : INT64_MAX;
    if (n < min || n > max) m->overflow = true;
    c.u = (uint64_t)n;
    return c;
}

static enum table_type result_type(const struct table_cell *a, const struct table_cell *b, char op)
{
    bool time_a = a->type == TABLE_DATE || a->type == TABLE_TS;
    bool time_b = b->type == TABLE_DATE || b->type == TABLE_TS;
    if (time_a && time_b) return TABLE_I64;
    if (time_a || time_b) return time_a ? a->type : b->type;
    if (op == '/' || a->type == TABLE_F64 || b->type == TABLE_F64) return TABLE_F64;
    return a->type == TABLE_U64 || b->type == TABLE_U64 ? TABLE_U64 : TABLE_I64;
}

static struct table_cell arithmetic(struct model_query *m, char op, value left, value right)
{
    struct table_cell a = model_expression(m, left), b = model_expression(m, right);
    enum table_type type = result_type(&a, &b, op);
    struct table_cell c = {.type = type, .null = a.null || b.null};
    bool divides = op == '/' || op == '%';
    if (!c.null && divides && (type == TABLE_F64 ? real(&b) == 0 : whole(&b) == 0)) c.null = true;
    if (c.null) return c;
    if (type == TABLE_F64) {
        double x = real(&a), y = real(&b);
        c.d = op == '+'   ? x + y
              : op == '-' ? x - y
              : op == '*' ? x * y
              : op == '/' ? x / y
                          : fmod(x, y);
        return c;
    }
    __int128 x = whole(&a), y = whole(&b), n;
    if (op == '*' && __builtin_mul_overflow(x, y, &n)) {
        m->overflow = true;
        return c;
    }
    n = op == '+' ? x + y : op == '-' ? x - y : op == '*' ? n : x % y;
    return fitted(m, type, n);
}

static struct table_cell bucket(struct model_query *m, value e, value width)
{
    struct table_cell a = model_expression(m, e), w = literal(m, width);
    if (a.type == TABLE_F64 || w.type == TABLE_F64) {
        struct table_cell c = {.type = TABLE_F64, .null = a.null};
        if (c.null) return c;
        double x = real(&a), step = real(&w), n = floor(x / step);
        c.d = n * step > x ? (n - 1) * step : n * step;
        if (!isfinite(n) || c.d > x) c.d = x;
        return c;
    }
    if (a.null) return a;
    __int128 rest = whole(&a) % whole(&w);
    if (rest < 0) rest += whole(&w);
    return fitted(m, a.type, whole(&a) - rest);
}

static struct table_cell cast(struct model_query *m, value e, value to)
{
    struct table_cell a = model_expression(m, e);
    char name[8] = "";
    text_copy(m->h, to, 0, name, sizeof name - 1);
    enum table_type type = table_type_named(name, strlen(name));
    if (type == TABLE_F64 || type == TABLE_F32) {
        struct table_cell c = {.type = TABLE_F64, .null = a.null};
        if (!c.null) c.d = type == TABLE_F32 ? (double)(float)real(&a) : real(&a);
        return c;
    }
    struct table_cell c = {.type = type == TABLE_I8 ? TABLE_I64 : type, .null = a.null};
    if (a.null) return c;
    __int128 n;
    if (a.type == TABLE_F64) {
        if (!(fabs(a.d) < 0x1p70)) {
            m->overflow = true;
            return c;
        }
        n = (__int128)rint(a.d);
    } else {
        n = whole(&a);
    }
    if (type == TABLE_I8 && (n < INT8_MIN || n > INT8_MAX)) m->overflow = true;
    return fitted(m, c.type, n);
}

struct table_cell model_expression(struct model_query *m, value e)
{
    char op[8] = "";
    text_copy(m->h, list_get(m->h, e, 0), 0, op, sizeof op - 1);
    value first = list_get(m->h, e, 1), second = VALUE_NIL;
    if (list_length(m->h, e) > 2) second = list_get(m->h, e, 2);
    if (strcmp(op, "col") == 0) return model_name(m, first);
    if (strcmp(op, "lit") == 0) return literal(m, first);
    if (strcmp(op, "bucket") == 0) return bucket(m, first, second);
    if (strcmp(op, "cast") == 0) return cast(m, first, second);
    if (strcmp(op, "if") == 0)
        return model_expression(m, model_predicate(m, first) == TRUE_ ? second
                                                                      : list_get(m->h, e, 3));
    return arithmetic(m, op[0], first, second);
}
