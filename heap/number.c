/* number.c - numbers that do not fit the value word live in boxes of one granule.
 *
 * Each number has exactly one form: an integer is boxed only if 63 bits do not hold it, as
 * INT64 if it fits one and as UINT64 otherwise; a double is boxed only if its exponent does
 * not fit. So numbers of the same class are equal exactly if their words are, or the
 * contents of their boxes. */
#include "heap/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/store.h"

static value number_box(struct heap *h, enum kind kind, const void *data)
{
    value v = cell_take(h, kind, sizeof(uint64_t), 0);
    if (v != VALUE_ABSENT) store_bytes(h, v, 0, data, sizeof(uint64_t));
    return v;
}

value number_from_int64(struct heap *h, int64_t i)
{
    return value_int_fits(i) ? value_int(i) : number_box(h, KIND_INT64, &i);
}

value number_from_uint64(struct heap *h, uint64_t u)
{
    return u <= INT64_MAX ? number_from_int64(h, (int64_t)u) : number_box(h, KIND_UINT64, &u);
}

value number_from_double(struct heap *h, double d)
{
    return value_double_fits(d) ? value_double(d) : number_box(h, KIND_DOUBLE, &d);
}

struct number number_read(const struct heap *h, value v)
{
    struct number n = {.class = NUMBER_NONE};
    if (value_is_int(v)) {
        n.class = NUMBER_INT64;
        n.i = value_to_int(v);
    } else if (value_is_double(v)) {
        n.class = NUMBER_DOUBLE;
        n.d = value_to_double(v);
    } else if (value_is_kind(v, KIND_INT64)) {
        n.class = NUMBER_INT64;
        memcpy(&n.i, cell_bytes(h, v), sizeof n.i);
    } else if (value_is_kind(v, KIND_UINT64)) {
        n.class = NUMBER_UINT64;
        memcpy(&n.u, cell_bytes(h, v), sizeof n.u);
    } else if (value_is_kind(v, KIND_DOUBLE)) {
        n.class = NUMBER_DOUBLE;
        memcpy(&n.d, cell_bytes(h, v), sizeof n.d);
    }
    return n;
}

static double number_to_double(struct number n)
{
    switch (n.class) {
    case NUMBER_INT64: return (double)n.i;
    case NUMBER_UINT64: return (double)n.u;
    default: return n.d;
    }
}

int number_add(struct number a, struct number b, struct number *sum)
{
    assert(a.class != NUMBER_NONE && b.class != NUMBER_NONE);
    if (a.class == NUMBER_DOUBLE || b.class == NUMBER_DOUBLE) {
        *sum = (struct number){.class = NUMBER_DOUBLE,
                               .d = number_to_double(a) + number_to_double(b)};
        return 0;
    }
    __int128 exact = a.class == NUMBER_INT64 ? (__int128)a.i : (__int128)a.u;
    exact += b.class == NUMBER_INT64 ? (__int128)b.i : (__int128)b.u;
    if (exact < INT64_MIN || exact > UINT64_MAX) return -ERANGE;
    if (exact <= INT64_MAX)
        *sum = (struct number){.class = NUMBER_INT64, .i = (int64_t)exact};
    else
        *sum = (struct number){.class = NUMBER_UINT64, .u = (uint64_t)exact};
    return 0;
}

void number_print(char *text, size_t size, double d)
{
    for (int digits = fabs(d) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
}

value number_make(struct heap *h, struct number n)
{
    switch (n.class) {
    case NUMBER_INT64: return number_from_int64(h, n.i);
    case NUMBER_UINT64: return number_from_uint64(h, n.u);
    case NUMBER_DOUBLE: return number_from_double(h, n.d);
    case NUMBER_NONE: break;
    }
    assert(!"not a number");
    return VALUE_ABSENT;
}
