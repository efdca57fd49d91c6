/* table_convert.c - cells as others, for changes of a table's columns: conversions that lose
 * nothing, and columns in which all cells are equal.
 *
 * Numbers, booleans, dates and times are numbers to each other; only between dates and times days
 * and microseconds are reckoned. What would come back as something else does not convert: 2.5 and
 * -0.0 to an integer, 2^53 + 1 to f64, a time within a day to a date. */
#include <math.h>

#include "heap/table_int.h"

/* --- numbers -----------------------------------------------------------------------------------*/

static bool fits_signed(__int128 x, enum table_type type)
{
    unsigned bits = (unsigned)table_type_bytes(type) * 8 - 1;
    return x >= -((__int128)1 << bits) && x < (__int128)1 << bits;
}

static bool fits_unsigned(__int128 x, enum table_type type)
{
    unsigned bits = type == TABLE_BOOL ? 1 : (unsigned)table_type_bytes(type) * 8;
    return x >= 0 && x < (__int128)1 << bits;
}

/* Exactly, or not at all. */
static bool whole_of(const struct table_cell *cell, __int128 *x)
{
    switch (table_type_class(cell->type)) {
    case TABLE_CLASS_INT: *x = cell->i; return true;
    case TABLE_CLASS_UINT: *x = cell->u; return true;
    default: break;
    }
    double d = cell->d;
    if (!(fabs(d) < 0x1p65) || d != trunc(d) || (d == 0 && signbit(d))) return false;
    *x = (__int128)d;
    return true;
}

static bool to_float(const struct table_cell *from, enum table_type type, struct table_cell *to)
{
    __int128 x;
    if (table_type_class(from->type) == TABLE_CLASS_FLOAT) {
        to->d = from->d;
    } else {
        if (!whole_of(from, &x)) return false;
        to->d = (double)x;
        if ((__int128)to->d != x) return false;
    }
    return type == TABLE_F64 || isnan(to->d) || (double)(float)to->d == to->d;
}

static bool is_text(enum table_type type)
{
    enum table_class class = table_type_class(type);
    return class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL;
}

bool types_convert(enum table_type from, enum table_type to)
{
    return is_text(from) == is_text(to);
}

bool cell_convert(const struct table_cell *from, enum table_type type, struct table_cell *to)
{
    __int128 x;
    enum table_class class = table_type_class(type);
    assert(types_convert(from->type, type));
    *to = *from;
    to->type = type;
    if (from->null || is_text(type) || from->type == type) return true;
    if (class == TABLE_CLASS_FLOAT) return to_float(from, type, to);
    if (!whole_of(from, &x)) return false;
    if (from->type == TABLE_DATE && type == TABLE_TS) x *= TABLE_DAY_US;
    if (from->type == TABLE_TS && type == TABLE_DATE) {
        if (x % TABLE_DAY_US) return false;
        x /= TABLE_DAY_US;
    }
    if (class == TABLE_CLASS_INT ? !fits_signed(x, type) : !fits_unsigned(x, type)) return false;
    if (class == TABLE_CLASS_INT) to->i = (int64_t)x;
    else to->u = (uint64_t)x;
    return true;
}

/* --- columns of equal cells --------------------------------------------------------------------*/

static size_t take_space(size_t *at, size_t bytes)
{
    size_t place = *at;
    *at += (bytes + 7) & ~(size_t)7;
    return place;
}

static void write_nulls(struct sealed_column *s)
{
    unsigned char *block = (unsigned char *)s;
    uint16_t *counts = (uint16_t *)(void *)(block + s->null_counts);
    memset(block + s->null_counts, 0, s->data - s->null_counts);
    for (uint32_t i = 0; i < table_slots_vectors(s->slots); i++)
        counts[i] = (uint16_t)vector_rows(s->slots, i);
}

static void write_text(struct sealed_column *s, struct table_text text)
{
    unsigned char *block = (unsigned char *)s;
    *(uint32_t *)(void *)(block + s->dictionary) = (uint32_t)text.length;
    if (text.length) memcpy(block + s->texts, text.data, text.length);
}

struct sealed_column *sealed_const(struct table *t, uint32_t column, uint32_t slots,
                                   const struct table_cell *cell, uint32_t code)
{
    const struct table_field *f = &t->fields[column];
    struct sealed_column c = {.head = {.refs = 1, .sealed = true}, .slots = slots,
                              .header_count = 1};
    size_t at = sizeof c + sizeof(struct vector_header), vectors = table_slots_vectors(slots);
    struct table_text text = {NULL, 0};
    uint64_t lane = 0;
    if (cell->null) {
        c.nulls = slots;
        c.null_counts = take_space(&at, vectors * sizeof(uint16_t));
        c.validity = take_space(&at, vectors * (TABLE_VECTOR_ROWS / 8));
    } else if (field_is_text(f)) {
        text = cell->text;
    } else {
        lane = f->type == TABLE_SYM ? code : cell_lane(f, cell);
    }
    c.data = at;
    if (field_is_text(f)) {
        c.has_dictionary = true;
        c.dictionary_count = 1;
        c.dictionary = take_space(&at, sizeof(uint32_t));
        c.text_bytes = text.length;
        c.texts = take_space(&at, text.length);
    }
    c.zone_known = !cell->null && f->type != TABLE_SYM;
    if (c.zone_known && field_is_text(f)) c.zone.min.u = text_prefix(text.data, text.length);
    if (c.zone_known && !field_is_text(f)) c.zone.min = lane_bound(f, lane);
    c.zone.max = c.zone.min;
    c.head.bytes = at;
    struct sealed_column *s = external_alloc(&t->external, at);
    if (!s) return NULL;
    *s = c;
    s->headers[0] = (struct vector_header){.encoding = TABLE_ENCODING_CONST, .base = lane};
    if (cell->null) write_nulls(s);
    if (field_is_text(f)) write_text(s, text);
    return s;
}
