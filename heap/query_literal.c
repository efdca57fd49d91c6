/* query_literal.c - tests: a column against literals, made ready before the first row is read.
 *
 * A literal is checked against the column's type and becomes what can be compared without looking
 * at types again: an inclusive range of integers, doubles or codes; bounds of texts; a sorted set.
 * `x > 1.5` of an integer column is the range from 2 on; `x = 1.5` is never true.
 *
 * Lists of up to LIST_AT_ONCE literals, all together, are read while the query is compiled; others
 * are held, and read and sorted by query_prepare, some at a time. */
#include "heap/query_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/list.h"
#include "heap/number.h"
#include "heap/text.h"

#define PLACE_BYTES 240

/* --- kinds -------------------------------------------------------------------------------------*/

enum query_kind query_kind_of(enum table_type type)
{
    switch (type) {
    case TABLE_U64: return QUERY_UINT;
    case TABLE_F32:
    case TABLE_F64: return QUERY_FLOAT;
    case TABLE_BOOL: return QUERY_BOOL;
    case TABLE_STR:
    case TABLE_SYM: return QUERY_TEXT;
    case TABLE_BIN: return QUERY_BYTES;
    case TABLE_DATE: return QUERY_DATE;
    case TABLE_TS: return QUERY_TS;
    default: return QUERY_INT;
    }
}

enum table_type query_type_of(enum query_kind kind)
{
    static const enum table_type types[] = {TABLE_I64, TABLE_U64,  TABLE_F64, TABLE_BOOL, TABLE_STR,
                                            TABLE_BIN, TABLE_DATE, TABLE_TS,  TABLE_I64};
    return types[kind];
}

const char *query_kind_name(enum query_kind kind)
{
    static const char *const names[] = {"an integer", "a u64", "a double", "a bool", "a text",
                                        "bytes",      "a date", "a ts",    "nil"};
    return names[kind];
}

int query_relation_named(const struct heap *h, value v)
{
    static const char *const names[] = {"=", "!=", "<", "<=", ">", ">="};
    for (int i = 0; i < 6; i++)
        if (query_text_is(h, v, names[i])) return i;
    return -1;
}

int query_literal_read(struct query *q, value v, const char *place, struct query_literal *literal)
{
    char shown[80];
    struct number n = number_read(q->heap, v);
    *literal = (struct query_literal){.kind = QUERY_NOTHING};
    if (v == VALUE_NIL) return 0;
    if (value_is_bool(v)) {
        literal->kind = QUERY_BOOL;
        literal->lane = v == VALUE_TRUE;
    } else if (value_is_text(v)) {
        literal->kind = text_is_bytes(v) ? QUERY_BYTES : QUERY_TEXT;
        return query_copy_value_text(q, v, &literal->text);
    } else if (n.class == NUMBER_NONE) {
        return query_fail(q, QUERY_FAULT_TYPE, "%s: a literal is a number, text, bool or nil, "
                          "not %s", place, query_show(q->heap, v, shown, sizeof shown));
    } else {
        literal->kind = n.class == NUMBER_INT64    ? QUERY_INT
                        : n.class == NUMBER_UINT64 ? QUERY_UINT
                                                   : QUERY_FLOAT;
        memcpy(&literal->lane, &n.i, sizeof literal->lane);
    }
    return 0;
}

/* --- what goes with a column -------------------------------------------------------------------*/

static const char *wanted_for(enum query_kind kind)
{
    switch (kind) {
    case QUERY_BOOL: return "true or false is";
    case QUERY_TEXT:
    case QUERY_BYTES: return "a text is";
    case QUERY_DATE: return "an integer (days since 1970) is";
    case QUERY_TS: return "an integer (microseconds since 1970) is";
    default: return "a number is";
    }
}

/* Reads one literal for a column; *literal may be nil. */
static int read_for(struct query *q, const struct query_field *f, value v, const char *place,
                    struct query_literal *literal)
{
    char shown[80];
    int error = query_literal_read(q, v, place, literal);
    if (error) return error;
    enum query_kind column = query_kind_of(f->type), kind = literal->kind;
    bool fits = kind == QUERY_NOTHING || (kind_is_number(column) && kind_is_number(kind)) ||
                (kind_is_text(column) && kind_is_text(kind)) ||
                (kind_is_time(column) && kind == QUERY_INT) || column == kind;
    if (fits) return 0;
    return query_fail(q, QUERY_FAULT_TYPE, "%s: column \"%.*s\" is %s; %s needed, not %s", place,
                      (int)(f->length < 80 ? f->length : 80), f->name, table_type_name(f->type),
                      wanted_for(column), query_show(q->heap, v, shown, sizeof shown));
}

/* --- integers: all bounds in 128 bits ----------------------------------------------------------*/

#define wide __int128 /* any int64, uint64, and what is beyond them */

struct point {
    wide floor;
    bool exact; /* the literal is its floor */
};

static struct point point_of(const struct query_literal *l)
{
    double d;
    if (l->kind == QUERY_UINT) return (struct point){(wide)l->lane, true};
    if (l->kind != QUERY_FLOAT) return (struct point){(int64_t)l->lane, true};
    memcpy(&d, &l->lane, sizeof d);
    if (!(d < 0x1p65)) return (struct point){(wide)1 << 66, false}; /* NaN is above, too */
    if (d < -0x1p65) return (struct point){-((wide)1 << 66), false};
    return (struct point){(wide)floor(d), floor(d) == d};
}

/* An inclusive range of class INT or UINT, from bounds of 128 bits. False if it is empty. */
static bool integer_range(const struct query_field *f, wide min, wide max,
                          struct table_range *range)
{
    bool is_signed = table_type_class(f->type) == TABLE_CLASS_INT;
    wide least = is_signed ? INT64_MIN : 0;
    wide most = is_signed ? (wide)INT64_MAX : (wide)UINT64_MAX;
    if (min < least) min = least;
    if (max > most) max = most;
    if (min > max) return false;
    range->min.u = (uint64_t)min;
    range->max.u = (uint64_t)max;
    return true;
}

/* --- doubles: all bounds as order keys ---------------------------------------------------------*/

static double number_for(const struct query_field *f, const struct query_literal *l)
{
    double d;
    if (l->kind == QUERY_INT) d = (double)(int64_t)l->lane;
    else if (l->kind == QUERY_UINT) d = (double)l->lane;
    else memcpy(&d, &l->lane, sizeof d);
    return f->type == TABLE_F32 ? (double)(float)d : d;
}

static bool double_range(uint64_t min, uint64_t max, struct table_range *range)
{
    if (min == KEY_MINUS_ZERO) min++;
    if (max == KEY_MINUS_ZERO) max--;
    if (min > max) return false;
    range->min.d = key_to_double(min);
    range->max.d = key_to_double(max);
    return true;
}

#define KEY_MINUS_INFINITY 0x000fffffffffffffu

/* --- ranges ------------------------------------------------------------------------------------*/

/* low REL_GE or REL_GT, high REL_LE or REL_LT; NULL: no bound. False if nothing can be inside. */
static bool make_range(const struct query_field *f, const struct query_literal *low,
                       enum query_relation low_relation, const struct query_literal *high,
                       enum query_relation high_relation, struct table_range *range)
{
    if (table_type_class(f->type) == TABLE_CLASS_FLOAT) {
        uint64_t min = KEY_MINUS_INFINITY, max = KEY_NAN;
        if (low) min = key_of_double(number_for(f, low)) + (low_relation == REL_GT);
        if (high) max = key_of_double(number_for(f, high)) - (high_relation == REL_LT);
        return max <= KEY_NAN && min <= KEY_NAN && min >= KEY_MINUS_INFINITY &&
               double_range(min, max, range);
    }
    wide min = -((wide)1 << 70), max = (wide)1 << 70;
    if (low) {
        struct point p = point_of(low);
        min = low_relation == REL_GE && p.exact ? p.floor : p.floor + 1;
    }
    if (high) {
        struct point p = point_of(high);
        max = high_relation == REL_LT && p.exact ? p.floor - 1 : p.floor;
    }
    return integer_range(f, min, max, range);
}

/* `x relation literal` as bounds; != as the negation of =. */
static void set_bounds(struct query_test *t, const struct query_field *f,
                       const struct query_literal *low, enum query_relation low_relation,
                       const struct query_literal *high, enum query_relation high_relation)
{
    if (kind_is_text(t->kind)) {
        t->form = TEST_TEXT;
        if (low) t->low = low->text;
        if (high) t->high = high->text;
        t->low_strict = low_relation == REL_GT;
        t->high_strict = high_relation == REL_LT;
        return;
    }
    t->form = TEST_RANGE;
    if (make_range(f, low, low_relation, high, high_relation, &t->range)) return;
    t->form = TEST_VALID; /* never, for what is not null; negated: always */
    t->negate = !t->negate;
}

static void set_relation(struct query_test *t, const struct query_field *f,
                         enum query_relation relation, const struct query_literal *l)
{
    if (relation == REL_NE) t->negate = !t->negate;
    bool low = relation == REL_EQ || relation == REL_NE || relation >= REL_GT;
    bool high = relation <= REL_LE;
    set_bounds(t, f, low ? l : NULL, relation == REL_GT ? REL_GT : REL_GE, high ? l : NULL,
               relation == REL_LT ? REL_LT : REL_LE);
}

/* A symbol that is there is one code; one that is not is never met. */
static void find_symbol(struct query *q, struct query_test *t)
{
    if (t->class != TABLE_CLASS_SYMBOL || t->form != TEST_TEXT || t->low_strict ||
        t->high_strict || !t->low.data || !t->high.data || text_order(t->low, t->high) != 0)
        return;
    uint32_t code = table_symbol_find(q->table, t->column, t->low.data, t->low.length);
    if (code == UINT32_MAX) {
        t->form = TEST_VALID;
        t->negate = !t->negate;
        return;
    }
    t->form = TEST_RANGE;
    t->range.min.u = t->range.max.u = code;
}

/* --- lists -------------------------------------------------------------------------------------*/

static int keys_order(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int texts_order(const void *a, const void *b)
{
    return text_order(*(const struct table_text *)a, *(const struct table_text *)b);
}

/* Adds a literal to the set, if the column can have that value at all. */
static void add_key(struct query_test *t, const struct query_field *f,
                    const struct query_literal *l)
{
    struct table_range range;
    if (kind_is_text(t->kind)) {
        t->texts[t->count++] = l->text;
        return;
    }
    if (!make_range(f, l, REL_GE, l, REL_LE, &range)) return;
    enum query_kind kind = t->class == TABLE_CLASS_FLOAT  ? QUERY_FLOAT
                           : t->class == TABLE_CLASS_UINT ? QUERY_UINT
                                                          : QUERY_INT;
    t->keys[t->count++] = key_of_lane(kind, range.min.u);
}

#define LIST_AT_ONCE 256   /* literals of a query */
#define LIST_READ 64       /* between two looks at the clock, and texts of so many bytes: */
#define LIST_READ_BYTES ((size_t)64 << 10)
#define LIST_RUN 256       /* numbers that are sorted by qsort */
#define LIST_MERGE 1024    /* items that are moved, or blocks of texts compared */
#define LIST_BLOCK 64      /* bytes */

static size_t item_bytes(const struct query_test *t)
{
    return kind_is_text(t->kind) ? sizeof *t->texts : sizeof *t->keys;
}

static int items_order(const struct query_test *t, const void *a, const void *b)
{
    return kind_is_text(t->kind) ? texts_order(a, b) : keys_order(a, b);
}

/* The form of a test whose literals are there. */
static void set_list(struct query_test *t, size_t length, bool nulls)
{
    t->form = kind_is_text(t->kind) ? TEST_TEXTS : TEST_SET;
    if (nulls && t->negate) t->form = TEST_UNKNOWN;
    if (length == 0) t->form = t->negate ? TEST_ALWAYS : TEST_UNKNOWN;
}

/* Literals from *next on: LIST_READ of them, or fewer if they are long. */
static int read_some(struct query *q, struct query_test *t, const struct query_field *f, value list,
                     const char *place, uint32_t *next, uint32_t length, bool *nulls)
{
    char at[PLACE_BYTES + 32];
    size_t bytes = 0;
    for (unsigned i = 0; i < LIST_READ && *next < length && bytes < LIST_READ_BYTES; i++) {
        struct query_literal literal;
        value v = list_get(q->heap, list, *next);
        int error = read_for(q, f, v, place, &literal);
        if (error && q->error.fault == QUERY_FAULT_TYPE) { /* once more, to say where */
            snprintf(at, sizeof at, "%s[2][%u]", place, *next);
            error = read_for(q, f, v, at, &literal);
        }
        if (error) return error;
        ++*next;
        if (literal.kind == QUERY_NOTHING) *nulls = true;
        else add_key(t, f, &literal);
        if (kind_is_text(literal.kind)) bytes += literal.text.length;
    }
    return 0;
}

/* Holds a list until query_prepare; the test will be the next one. */
static int hold_list(struct query *q, const struct query_field *f, value list, uint32_t length,
                     const char *place)
{
    struct table_text copy;
    int error = query_grow(q, &q->lists, q->list_count, &q->list_capacity, sizeof *q->lists);
    if (!error) error = query_copy_text(q, place, strlen(place) + 1, &copy);
    if (error) return error;
    if (q->list_count == 0) root_frame_open(q->heap, &q->frame);
    q->lists[q->list_count++] = (struct query_list){.test = q->test_count, .field = f,
                                                    .place = copy.data, .length = length};
    if (root_frame_push_take(q->heap, &q->frame, value_share(q->heap, list)) == 0) return 0;
    return query_fail_memory(q);
}

/* The next items of two runs, the lesser ones first; a pair that is done leads to the next one. */
static void merge_some(struct query_list *l, const struct query_test *t)
{
    size_t size = item_bytes(t);
    uint32_t count = t->count;
    for (unsigned work = 0; work < LIST_MERGE && l->base < count; work++) {
        uint32_t middle = l->base + l->width < count ? l->base + l->width : count;
        uint32_t end = middle + l->width < count ? middle + l->width : count;
        bool left = l->left < middle, right = l->right < end;
        if (left && right) {
            const unsigned char *a = l->items + l->left * size, *b = l->items + l->right * size;
            left = items_order(t, a, b) <= 0;
            if (kind_is_text(t->kind))
                work += (unsigned)(((const struct table_text *)(const void *)a)->length /
                                   LIST_BLOCK);
        } else if (!left && !right) {
            l->base = l->left = end;
            l->right = end + l->width < count ? end + l->width : count;
            continue;
        }
        uint32_t to = l->left + (l->right - middle), from = left ? l->left++ : l->right++;
        memcpy(l->spare + to * size, l->items + from * size, size);
    }
    if (l->base < count) return;
    unsigned char *swap = l->items;
    l->items = l->spare;
    l->spare = swap;
    l->width *= 2;
    l->base = l->left = 0;
    l->right = l->width < count ? l->width : count;
}

/* Sorting begins: numbers in short runs, one at a time. True: there are runs to be merged. */
static bool sort_runs(struct query_list *l, const struct query_test *t)
{
    uint32_t run = kind_is_text(t->kind) ? 1 : LIST_RUN, left = t->count - l->base;
    if (run > 1 && left > 0) {
        uint32_t count = left < run ? left : run;
        qsort(l->items + l->base * item_bytes(t), count, item_bytes(t), keys_order);
        l->base += count;
        return false;
    }
    l->width = run;
    l->base = l->left = 0;
    l->right = run < t->count ? run : t->count;
    return true;
}

int query_list_work(struct query *q)
{
    struct query_list *l = &q->lists[q->list_next];
    struct query_test *t = &q->tests[l->test];
    if (l->at < l->length)
        return read_some(q, t, l->field, q->frame.slots[q->list_next], l->place, &l->at, l->length,
                         &l->nulls);
    if (!l->items) {
        l->items = kind_is_text(t->kind) ? (void *)t->texts : (void *)t->keys;
        l->spare = query_alloc(q, (t->count + 1) * item_bytes(t));
        return l->spare ? 0 : query_fail_memory(q);
    }
    if (l->width == 0 && !sort_runs(l, t)) return 0;
    if (l->width < t->count) {
        merge_some(l, t);
        return 0;
    }
    if (kind_is_text(t->kind)) t->texts = (void *)l->items;
    else t->keys = (void *)l->items;
    query_free(q, l->spare);
    set_list(t, l->length, l->nulls);
    q->list_next++;
    return 0;
}

static int compile_in(struct query *q, struct query_test *t, const struct query_field *f,
                      value list, const char *place)
{
    char shown[80];
    bool nulls = false;
    if (!value_is_kind(list, KIND_LIST))
        return query_fail(q, QUERY_FAULT_SYNTAX, "%s[2]: \"in\" needs a list of literals, not %s",
                          place, query_show(q->heap, list, shown, sizeof shown));
    size_t length = list_length(q->heap, list);
    if (length > QUERY_LIST_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "%s[2]: a list of %zu literals; at most %d are "
                          "possible", place, length, QUERY_LIST_MAX);
    bool texts = kind_is_text(t->kind);
    void *items = query_alloc(q, (length + 1) * (texts ? sizeof *t->texts : sizeof *t->keys));
    if (!items) return query_fail_memory(q);
    if (texts) t->texts = items;
    else t->keys = items;
    set_list(t, length, false);
    if (length > LIST_AT_ONCE - q->listed) return hold_list(q, f, list, (uint32_t)length, place);
    q->listed += (uint32_t)length;
    for (uint32_t i = 0; i < length;) {
        int error = read_some(q, t, f, list, place, &i, (uint32_t)length, &nulls);
        if (error) return error;
    }
    set_list(t, length, nulls);
    qsort(items, t->count, item_bytes(t), texts ? texts_order : keys_order);
    return 0;
}

/* --- tests -------------------------------------------------------------------------------------*/

/* A null bound leaves `between` unknown, unless the other bound excludes: that only a negated one
 * can tell. */
static void set_between(struct query_test *t, const struct query_field *f,
                        const struct query_literal *low, const struct query_literal *high)
{
    bool no_low = low->kind == QUERY_NOTHING, no_high = high->kind == QUERY_NOTHING;
    if ((no_low || no_high) && (!t->negate || (no_low && no_high))) t->form = TEST_UNKNOWN;
    else set_bounds(t, f, no_low ? NULL : low, REL_GE, no_high ? NULL : high, REL_LE);
}

static int compile_find(struct query *q, struct query_test *t, const struct query_field *f,
                        value list, const char *op, const char *place)
{
    struct query_literal literal;
    if (!kind_is_text(t->kind))
        return query_fail(q, QUERY_FAULT_TYPE, "%s: \"%s\" needs a column of texts; \"%.*s\" is %s",
                          place, op, (int)(f->length < 80 ? f->length : 80), f->name,
                          table_type_name(f->type));
    int error = read_for(q, f, list_get(q->heap, list, 2), place, &literal);
    if (error) return error;
    t->form = op[0] == 'p' ? TEST_PREFIX : TEST_CONTAINS;
    t->low = literal.text;
    if (literal.kind == QUERY_NOTHING) t->form = TEST_UNKNOWN;
    return 0;
}

static int compile_form(struct query *q, struct query_test *t, const struct query_field *f,
                        value list, const char *place)
{
    struct query_literal low, high;
    value op = list_get(q->heap, list, 0);
    int relation = query_relation_named(q->heap, op);
    int error = 0;
    t->form = TEST_NULL;
    if (query_text_is(q->heap, op, "null")) return 0;
    if (query_text_is(q->heap, op, "in"))
        return compile_in(q, t, f, list_get(q->heap, list, 2), place);
    if (query_text_is(q->heap, op, "prefix"))
        return compile_find(q, t, f, list, "prefix", place);
    if (query_text_is(q->heap, op, "contains"))
        return compile_find(q, t, f, list, "contains", place);
    error = read_for(q, f, list_get(q->heap, list, 2), place, &low);
    if (error) return error;
    if (relation >= 0) {
        if (low.kind == QUERY_NOTHING) t->form = TEST_UNKNOWN;
        else set_relation(t, f, (enum query_relation)relation, &low);
        return 0;
    }
    error = read_for(q, f, list_get(q->heap, list, 3), place, &high);
    if (!error) set_between(t, f, &low, &high);
    return error;
}

int query_compile_test(struct query *q, const struct query_field *f, uint32_t column, bool table,
                       value list, bool negate, const char *place)
{
    struct query_test t = {.negate = negate, .column = column, .kind = query_kind_of(f->type),
                           .class = table_type_class(f->type), .chunk = QUERY_NONE};
    if (!table && t.class == TABLE_CLASS_SYMBOL) t.class = TABLE_CLASS_TEXT;
    int error = compile_form(q, &t, f, list, place);
    if (error) return error;
    if (table) find_symbol(q, &t);
    error = query_grow(q, &q->tests, q->test_count, &q->test_capacity, sizeof *q->tests);
    if (error) return error;
    q->tests[q->test_count++] = t;
    return query_emit(q, (struct query_instr){.op = OP_TEST, .index = q->test_count - 1});
}
