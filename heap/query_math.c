/* query_math.c - arithmetic, comparisons and casts over 1,024 values.
 *
 * All lanes are computed, also of rows that are null or not active, whose values are anything; what
 * overflows there is no error. */
#include "heap/query_int.h"

#include <math.h>
#include <stdio.h>

#define LANES for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++)

/* --- errors ------------------------------------------------------------------------------------*/

static void show_lane(enum query_kind kind, uint64_t lane, char *out, size_t size)
{
    double d;
    memcpy(&d, &lane, sizeof d);
    if (kind == QUERY_FLOAT) query_show_double(d, out, size);
    else if (kind == QUERY_UINT) snprintf(out, size, "%llu", (unsigned long long)lane);
    else snprintf(out, size, "%lld", (long long)lane);
}

/* The first active, valid row among `bad`, or QUERY_NONE. */
static uint32_t first_bad(const uint64_t *bad, const uint64_t *active, const uint64_t *a,
                          const uint64_t *b)
{
    for (unsigned w = 0; w < QUERY_WORDS; w++) {
        uint64_t hit = bad[w] & active[w] & a[w] & b[w];
        if (hit) return w * 64 + (unsigned)__builtin_ctzl(hit);
    }
    return QUERY_NONE;
}

static int fail_binary(struct query *q, const struct query_instr *in, uint64_t a, uint64_t b)
{
    static const char signs[] = "+-*/%";
    char left[40], right[40];
    show_lane((enum query_kind)in->type, a, left, sizeof left);
    show_lane((enum query_kind)in->kind_to, b, right, sizeof right);
    return query_fail(q, QUERY_FAULT_OVERFLOW, "%s %c %s is out of the range of %s", left,
                      signs[in->op - OP_ADD], right,
                      table_type_name(query_type_of((enum query_kind)in->relation)));
}

/* --- integers ----------------------------------------------------------------------------------*/

static bool overflows_int(uint8_t op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case OP_ADD: return __builtin_add_overflow(a, b, out);
    case OP_SUBTRACT: return __builtin_sub_overflow(a, b, out);
    default: return __builtin_mul_overflow(a, b, out);
    }
}

/* Operands in 128 bits, as at least one is a u64. */
static bool overflows_uint(const struct query_instr *in, uint64_t a, uint64_t b, uint64_t *out)
{
    bool negative_a = in->type == QUERY_INT && (int64_t)a < 0;
    bool negative_b = in->kind_to == QUERY_INT && (int64_t)b < 0;
    __int128 x = negative_a ? (__int128)(int64_t)a : (__int128)a;
    __int128 y = negative_b ? (__int128)(int64_t)b : (__int128)b, result;
    bool over = in->op == OP_ADD        ? __builtin_add_overflow(x, y, &result)
                : in->op == OP_SUBTRACT ? __builtin_sub_overflow(x, y, &result)
                                        : __builtin_mul_overflow(x, y, &result);
    *out = (uint64_t)result;
    return over || result < 0 || result > UINT64_MAX;
}

static void add_loop(int64_t *a, const int64_t *b, bool subtract, uint64_t *bad)
{
    LANES
    {
        uint64_t x = (uint64_t)a[i], y = (uint64_t)b[i];
        uint64_t r = subtract ? x - y : x + y;
        uint64_t over = subtract ? (x ^ y) & (x ^ r) : (x ^ r) & (y ^ r);
        bad[i / 64] |= (over >> 63) << i % 64;
        a[i] = (int64_t)r;
    }
}

static void modulo_int(struct query *q, const struct query_instr *in, uint64_t *bad)
{
    struct query_vector *a = &q->registers[in->a], *b = &q->registers[in->b];
    LANES
    {
        if (b->u[i] == 0) {
            a->valid[i / 64] &= ~((uint64_t)1 << i % 64);
        } else if (in->kind == QUERY_INT) {
            a->i[i] = b->i[i] == -1 ? 0 : a->i[i] % b->i[i];
        } else {
            bool negative_a = in->type == QUERY_INT && a->i[i] < 0;
            bool negative_b = in->kind_to == QUERY_INT && b->i[i] < 0;
            uint64_t divisor = negative_b ? -b->u[i] : b->u[i];
            uint64_t rest = (negative_a ? -a->u[i] : a->u[i]) % divisor;
            if (negative_a && rest) bits_set(bad, i);
            a->u[i] = rest;
        }
    }
}

static void check_dates(const int64_t *a, uint64_t *bad)
{
    LANES if (a[i] < INT32_MIN || a[i] > INT32_MAX) bits_set(bad, i);
}

/* Operands are kept for the message: their sum and so on is in place of the first. */
static int integer_op(struct query *q, const struct query_instr *in, const uint64_t *active)
{
    struct query_vector *a = &q->registers[in->a], *b = &q->registers[in->b];
    uint64_t bad[QUERY_WORDS] = {0};
    uint64_t *before = q->scratch.u;
    memcpy(before, a->u, QUERY_ROWS_VECTOR * sizeof *before);
    if (in->op == OP_MODULO) modulo_int(q, in, bad);
    else if (in->kind == QUERY_INT && in->op != OP_MULTIPLY)
        add_loop(a->i, b->i, in->op == OP_SUBTRACT, bad);
    else if (in->kind == QUERY_INT)
        LANES bad[i / 64] |= (uint64_t)overflows_int(in->op, a->i[i], b->i[i], &a->i[i]) << i % 64;
    else
        LANES bad[i / 64] |= (uint64_t)overflows_uint(in, a->u[i], b->u[i], &a->u[i]) << i % 64;
    if (in->relation == QUERY_DATE) check_dates(a->i, bad);
    if (bits_any(bad)) {
        uint32_t row = first_bad(bad, active, a->valid, b->valid);
        if (row != QUERY_NONE) return fail_binary(q, in, before[row], b->u[row]);
    }
    bits_and(a->valid, b->valid);
    return 0;
}

/* --- doubles -----------------------------------------------------------------------------------*/

static void double_op(struct query *q, const struct query_instr *in)
{
    struct query_vector *a = &q->registers[in->a], *b = &q->registers[in->b];
    double *x = a->d;
    const double *y = b->d;
    bits_and(a->valid, b->valid);
    if (in->op == OP_DIVIDE || in->op == OP_MODULO)
        LANES a->valid[i / 64] &= ~((uint64_t)(y[i] == 0) << i % 64);
    switch (in->op) {
    case OP_ADD: LANES x[i] += y[i]; break;
    case OP_SUBTRACT: LANES x[i] -= y[i]; break;
    case OP_MULTIPLY: LANES x[i] *= y[i]; break;
    case OP_DIVIDE: LANES x[i] /= y[i]; break;
    default: LANES if (bits_get(a->valid, i)) x[i] = fmod(x[i], y[i]); break;
    }
}

/* --- buckets -----------------------------------------------------------------------------------*/

static int bucket(struct query *q, const struct query_instr *in, const uint64_t *active)
{
    struct query_vector *a = &q->registers[in->a];
    uint64_t bad[QUERY_WORDS] = {0};
    if (in->kind == QUERY_FLOAT) {
        double width = q->registers[in->b].d[0];
        LANES a->d[i] = query_bucket(a->d[i], width);
        return 0;
    }
    int64_t width = q->registers[in->b].i[0];
    uint64_t *before = q->scratch.u;
    memcpy(before, a->u, QUERY_ROWS_VECTOR * sizeof *before);
    LANES
    {
        if (in->kind == QUERY_UINT) {
            a->u[i] -= a->u[i] % (uint64_t)width;
            continue;
        }
        int64_t rest = a->i[i] % width;
        if (rest < 0) rest += width;
        if (__builtin_sub_overflow(a->i[i], rest, &a->i[i])) bits_set(bad, i);
    }
    if (in->kind == QUERY_DATE) check_dates(a->i, bad);
    uint32_t row = first_bad(bad, active, a->valid, a->valid);
    if (row == QUERY_NONE) return 0;
    return query_fail(q, QUERY_FAULT_OVERFLOW, "the bucket of %lld with the width %lld begins out "
                      "of the range of %s", (long long)before[row], (long long)width,
                      table_type_name(query_type_of((enum query_kind)in->kind)));
}

int query_arithmetic(struct query *q, const struct query_instr *in, const uint64_t *active)
{
    if (in->op == OP_BUCKET) return bucket(q, in, active);
    if (in->kind != QUERY_FLOAT) return integer_op(q, in, active);
    double_op(q, in);
    return 0;
}

/* --- conversions -------------------------------------------------------------------------------*/

static int days_to_us(struct query *q, struct query_vector *v, const uint64_t *active)
{
    uint64_t bad[QUERY_WORDS] = {0};
    uint64_t *before = q->scratch.u;
    memcpy(before, v->u, QUERY_ROWS_VECTOR * sizeof *before);
    LANES if (__builtin_mul_overflow(v->i[i], TABLE_DAY_US, &v->i[i])) bits_set(bad, i);
    uint32_t row = first_bad(bad, active, v->valid, v->valid);
    if (row == QUERY_NONE) return 0;
    return query_fail(q, QUERY_FAULT_OVERFLOW, "the date %lld is out of the range of ts",
                      (long long)before[row]);
}

int query_convert(struct query *q, const struct query_instr *in, const uint64_t *active)
{
    struct query_vector *v = &q->registers[in->to];
    uint64_t bad[QUERY_WORDS] = {0};
    if (in->kind == QUERY_NOTHING) {
        bits_clear(v->valid);
        if (kind_is_text((enum query_kind)in->kind_to))
            LANES v->t[i] = (struct table_text){.data = ""};
        else
            memset(v->u, 0, QUERY_ROWS_VECTOR * sizeof *v->u);
        return 0;
    }
    if (in->kind_to == QUERY_FLOAT) {
        if (in->kind == QUERY_UINT) LANES v->d[i] = (double)v->u[i];
        else LANES v->d[i] = (double)v->i[i];
    } else if (in->kind_to == QUERY_TS && in->kind == QUERY_DATE) {
        return days_to_us(q, v, active);
    } else if (in->kind_to == QUERY_UINT) {
        LANES if (v->i[i] < 0) bits_set(bad, i);
        uint32_t row = first_bad(bad, active, v->valid, v->valid);
        if (row != QUERY_NONE)
            return query_fail(q, QUERY_FAULT_OVERFLOW, "%lld is out of the range of u64",
                              (long long)v->i[row]);
    }
    return 0; /* integers as dates and times are as they are */
}

/* --- casts -------------------------------------------------------------------------------------*/

struct type_bounds {
    __int128 min, max;
};

static struct type_bounds bounds_of(enum table_type type)
{
    switch (type) {
    case TABLE_I8: return (struct type_bounds){INT8_MIN, INT8_MAX};
    case TABLE_I16: return (struct type_bounds){INT16_MIN, INT16_MAX};
    case TABLE_I32:
    case TABLE_DATE: return (struct type_bounds){INT32_MIN, INT32_MAX};
    case TABLE_U8: return (struct type_bounds){0, UINT8_MAX};
    case TABLE_U16: return (struct type_bounds){0, UINT16_MAX};
    case TABLE_U32: return (struct type_bounds){0, UINT32_MAX};
    case TABLE_U64: return (struct type_bounds){0, UINT64_MAX};
    default: return (struct type_bounds){INT64_MIN, INT64_MAX};
    }
}

/* The value as an integer; false if no integer type holds it. */
static bool whole(enum query_kind kind, uint64_t lane, __int128 *out)
{
    double d;
    if (kind == QUERY_UINT) *out = (__int128)lane;
    else if (kind != QUERY_FLOAT) *out = (int64_t)lane;
    else {
        memcpy(&d, &lane, sizeof d);
        d = rint(d);
        if (!(d >= -0x1p63 && d < 0x1p64)) return false;
        *out = (__int128)d;
    }
    return true;
}

static int64_t floor_days(int64_t us)
{
    return us / TABLE_DAY_US - (us % TABLE_DAY_US < 0);
}

static void cast_to_double(struct query_vector *v, const struct query_instr *in)
{
    if (in->kind == QUERY_UINT) LANES v->d[i] = (double)v->u[i];
    else if (in->kind != QUERY_FLOAT) LANES v->d[i] = (double)v->i[i];
    if (in->type == TABLE_F32) LANES v->d[i] = (double)(float)v->d[i];
}

int query_cast(struct query *q, const struct query_instr *in, const uint64_t *active)
{
    struct query_vector *v = &q->registers[in->to];
    enum query_kind from = (enum query_kind)in->kind;
    enum table_type type = (enum table_type)in->type;
    if (in->kind_to == QUERY_FLOAT) {
        cast_to_double(v, in);
        return 0;
    }
    if (in->kind_to == QUERY_BOOL) {
        if (from == QUERY_FLOAT) LANES v->u[i] = v->d[i] != 0;
        else LANES v->u[i] = v->u[i] != 0;
        return 0;
    }
    if (from == QUERY_DATE && type == TABLE_TS) return days_to_us(q, v, active);
    if (from == QUERY_TS && type == TABLE_DATE) {
        LANES v->i[i] = floor_days(v->i[i]);
        from = QUERY_INT;
    }
    struct type_bounds bounds = bounds_of(type);
    for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++) {
        __int128 n = 0;
        if (!bits_get(active, i) || !bits_get(v->valid, i)) continue;
        if (!whole(from, v->u[i], &n) || n < bounds.min || n > bounds.max) {
            char shown[40];
            show_lane(from, v->u[i], shown, sizeof shown);
            return query_fail(q, QUERY_FAULT_OVERFLOW, "%s is out of the range of %s", shown,
                              table_type_name(type));
        }
        v->u[i] = (uint64_t)n;
    }
    return 0;
}

/* --- comparisons -------------------------------------------------------------------------------*/

/* less and equal, as bitmaps. */
static void order_lanes(const struct query_instr *in, const struct query_vector *a,
                        const struct query_vector *b, uint64_t *less, uint64_t *equal)
{
#define ORDER(x, y)                                         \
    LANES                                                   \
    {                                                       \
        less[i / 64] |= (uint64_t)((x) < (y)) << i % 64;    \
        equal[i / 64] |= (uint64_t)((x) == (y)) << i % 64;  \
    }                                                       \
    break
    if (in->op == OP_COMPARE_MIXED) {
        LANES
        {
            bool negative = a->i[i] < 0;
            less[i / 64] |= (uint64_t)(negative || a->u[i] < b->u[i]) << i % 64;
            equal[i / 64] |= (uint64_t)(!negative && a->u[i] == b->u[i]) << i % 64;
        }
        return;
    }
    switch ((enum query_kind)in->kind) {
    case QUERY_UINT: ORDER(a->u[i], b->u[i]);
    case QUERY_FLOAT: ORDER(key_of_double(a->d[i]), key_of_double(b->d[i]));
    default: ORDER(a->i[i], b->i[i]);
    }
#undef ORDER
}

static void order_texts(const struct query_vector *a, const struct query_vector *b,
                        const uint64_t *rows, uint64_t *less, uint64_t *equal)
{
    LANES
    {
        if (!bits_get(rows, i)) continue;
        int order = text_order(a->t[i], b->t[i]);
        less[i / 64] |= (uint64_t)(order < 0) << i % 64;
        equal[i / 64] |= (uint64_t)(order == 0) << i % 64;
    }
}

void query_compare(struct query *q, const struct query_instr *in, const uint64_t *active,
                   uint64_t *truth)
{
    const struct query_vector *a = &q->registers[in->a], *b = &q->registers[in->b];
    uint64_t less[QUERY_WORDS] = {0}, equal[QUERY_WORDS] = {0}, rows[QUERY_WORDS];
    for (unsigned i = 0; i < QUERY_WORDS; i++) rows[i] = active[i] & a->valid[i] & b->valid[i];
    if (kind_is_text((enum query_kind)in->kind) && in->op == OP_COMPARE)
        order_texts(a, b, rows, less, equal);
    else order_lanes(in, a, b, less, equal);
    for (unsigned i = 0; i < QUERY_WORDS; i++) {
        uint64_t t;
        switch ((enum query_relation)in->relation) {
        case REL_EQ: t = equal[i]; break;
        case REL_NE: t = ~equal[i]; break;
        case REL_LT: t = less[i]; break;
        case REL_LE: t = less[i] | equal[i]; break;
        case REL_GT: t = ~(less[i] | equal[i]); break;
        default: t = ~less[i]; break;
        }
        truth[i] = t & rows[i];
    }
}
