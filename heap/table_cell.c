/* table_cell.c - cells: from values and to them, their order, and their place in plain columns. */
#include "heap/table_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/number.h"
#include "heap/table_key.h"
#include "heap/text.h"

/* --- the order of values -----------------------------------------------------------------------*/

int text_bytes_compare(struct table_text a, struct table_text b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order) return order < 0 ? -1 : 1;
    return (a.length > b.length) - (a.length < b.length);
}

static int double_compare(double a, double b)
{
    if (a < b) return -1;
    if (a > b) return 1;
    return isnan(a) ? !isnan(b) : isnan(b) ? -1 : 0;
}

int bound_compare(enum table_class class, union table_bound a, union table_bound b)
{
    switch (class) {
    case TABLE_CLASS_INT: return (a.i > b.i) - (a.i < b.i);
    case TABLE_CLASS_FLOAT: return double_compare(a.d, b.d);
    default: return (a.u > b.u) - (a.u < b.u);
    }
}

int table_cell_compare(const struct table_cell *a, const struct table_cell *b)
{
    enum table_class class = table_type_class(a->type);
    assert(!a->null && !b->null && class == table_type_class(b->type));
    if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL)
        return text_bytes_compare(a->text, b->text);
    union table_bound x = {.u = a->u}, y = {.u = b->u};
    return bound_compare(class, x, y);
}

uint64_t text_prefix(const char *data, size_t length)
{
    return length ? key_of_text((struct table_text){data, length}) : 0;
}

/* --- lanes -------------------------------------------------------------------------------------*/



/* Not for texts and symbols. */
uint64_t cell_lane(const struct table_field *f, const struct table_cell *cell)
{
    if (f->type != TABLE_F32) return cell->u;
    float narrow = (float)cell->d;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return bits;
}

union table_bound lane_bound(const struct table_field *f, uint64_t lane)
{
    union table_bound bound = {.u = lane};
    if (f->type == TABLE_F32) {
        uint32_t bits = (uint32_t)lane;
        float narrow;
        memcpy(&narrow, &bits, sizeof narrow);
        bound.d = (double)narrow;
    }
    return bound;
}

void lane_cell(const struct table *t, uint32_t column, uint64_t lane, struct table_cell *cell)
{
    const struct table_field *f = &t->fields[column];
    *cell = (struct table_cell){.type = f->type};
    if (f->type == TABLE_SYM)
        cell->text = table_symbol(t, column, (uint32_t)lane);
    else
        cell->u = lane_bound(f, lane).u;
}

/* --- plain columns -----------------------------------------------------------------------------*/

void plain_store(struct plain_column *p, const struct table_field *f, uint32_t slot, bool null,
                 uint64_t lane, struct table_text text)
{
    assert(slot < p->capacity && (!null || p->valid));
    if (p->valid) null ? bit_clear(p->valid, slot) : bit_set(p->valid, slot);
    if (field_is_text(f)) {
        ((struct table_text *)(void *)p->elements)[slot] = text;
        return;
    }
    switch (table_type_bytes(f->type)) {
    case 1: p->elements[slot] = (uint8_t)lane; break;
    case 2: ((uint16_t *)(void *)p->elements)[slot] = (uint16_t)lane; break;
    case 4: ((uint32_t *)(void *)p->elements)[slot] = (uint32_t)lane; break;
    default: ((uint64_t *)(void *)p->elements)[slot] = lane;
    }
}

uint64_t plain_lane(const struct plain_column *p, const struct table_field *f, uint32_t slot)
{
    bool is_signed = table_type_class(f->type) == TABLE_CLASS_INT;
    switch (table_type_bytes(f->type)) {
    case 1: return is_signed ? (uint64_t)(int8_t)p->elements[slot] : p->elements[slot];
    case 2: {
        uint16_t x = ((const uint16_t *)(const void *)p->elements)[slot];
        return is_signed ? (uint64_t)(int16_t)x : x;
    }
    case 4: {
        uint32_t x = ((const uint32_t *)(const void *)p->elements)[slot];
        return is_signed ? (uint64_t)(int32_t)x : x;
    }
    default: return ((const uint64_t *)(const void *)p->elements)[slot];
    }
}

bool plain_null(const struct plain_column *p, uint32_t slot)
{
    return p->valid && !bit_get(p->valid, slot);
}

/* --- values to cells ---------------------------------------------------------------------------*/

/* A value as people read it, cut to fit. */
static const char *describe(const struct heap *h, value v, char *out, size_t size)
{
    struct number n = number_read(h, v);
    char text[48];
    switch (n.class) {
    case NUMBER_INT64: snprintf(out, size, "%" PRId64, n.i); return out;
    case NUMBER_UINT64: snprintf(out, size, "%" PRIu64, n.u); return out;
    case NUMBER_DOUBLE: number_print(out, size, n.d); return out;
    case NUMBER_NONE: break;
    }
    if (v == VALUE_NIL) return "nil";
    if (value_is_bool(v)) return v == VALUE_TRUE ? "true" : "false";
    if (!value_is_text(v)) {
        snprintf(out, size, "a %s", value_is_ref(v) ? kind_name(ref_kind(v)) : "reference");
        return out;
    }
    size_t length = text_length(h, v), part = text_copy(h, v, 0, text, sizeof text - 1);
    if (!text_is_bytes(v)) part = utf8_prefix(text, part);
    for (size_t i = 0; i < part; i++)
        if ((unsigned char)text[i] < ' ') text[i] = ' ';
    text[part] = 0;
    if (text_is_bytes(v))
        snprintf(out, size, "%zu bytes", length);
    else
        snprintf(out, size, "\"%s%s\"", text, part < length ? "…" : "");
    return out;
}

struct conversion {
    const struct heap *h;
    const struct table_field *field;
    uint64_t row;
    uint32_t column;
    value v;
    struct table_error *error;
};

/* Where a cell is: row and column, or the column alone, if the value is for many rows. */
#define CELL_PLACE_BYTES (TABLE_NAME_BYTES_MAX + 64)
static const char *cell_place(const struct table_field *f, uint64_t row, char *out)
{
    int length = row == UINT64_MAX ? 0 : snprintf(out, CELL_PLACE_BYTES, "row %" PRIu64 ", ", row);
    snprintf(out + length, CELL_PLACE_BYTES - (size_t)length, "column \"%.*s\"",
             (int)f->name_length, f->name);
    return out;
}

static int refuse(const struct conversion *c, enum table_fault fault, const char *why)
{
    char text[96], place[CELL_PLACE_BYTES];
    return table_fail(c->error, fault, c->row, c->column, "%s: %s %s",
                      cell_place(c->field, c->row, place),
                      describe(c->h, c->v, text, sizeof text), why);
}

static int wrong_type(const struct conversion *c)
{
    char why[64];
    snprintf(why, sizeof why, "is not of type %s", table_type_name(c->field->type));
    return refuse(c, TABLE_FAULT_TYPE, why);
}

static int out_of_range(const struct conversion *c)
{
    char why[64];
    snprintf(why, sizeof why, "is beyond what type %s holds", table_type_name(c->field->type));
    return refuse(c, TABLE_FAULT_RANGE, why);
}

/* A whole double as an integer. */
static struct number whole_number(struct number n)
{
    if (n.class != NUMBER_DOUBLE || n.d != trunc(n.d)) return n;
    if (n.d >= -0x1p63 && n.d < 0x1p63) return (struct number){NUMBER_INT64, .i = (int64_t)n.d};
    if (n.d >= 0x1p63 && n.d < 0x1p64) return (struct number){NUMBER_UINT64, .u = (uint64_t)n.d};
    return n;
}

static int to_integer(const struct conversion *c, struct table_cell *cell)
{
    struct number n = whole_number(number_read(c->h, c->v));
    unsigned bits = (unsigned)table_type_bytes(c->field->type) * 8;
    if (n.class == NUMBER_DOUBLE)
        return fabs(n.d) >= 0x1p63 ? out_of_range(c) : wrong_type(c);
    if (n.class == NUMBER_NONE) return wrong_type(c);
    if (table_type_class(c->field->type) == TABLE_CLASS_INT) {
        int64_t max = INT64_MAX >> (64 - bits);
        if (n.class == NUMBER_UINT64 || n.i > max || n.i < -max - 1) return out_of_range(c);
    } else {
        uint64_t max = UINT64_MAX >> (64 - bits);
        if ((n.class == NUMBER_INT64 && n.i < 0) || n.u > max) return out_of_range(c);
    }
    cell->u = n.u;
    return 0;
}

static int to_double(const struct conversion *c, struct table_cell *cell)
{
    struct number n = number_read(c->h, c->v);
    switch (n.class) {
    case NUMBER_NONE: return wrong_type(c);
    case NUMBER_DOUBLE: cell->d = n.d; break;
    case NUMBER_INT64: cell->d = (double)n.i; break;
    case NUMBER_UINT64: cell->d = (double)n.u; break;
    }
    if (c->field->type == TABLE_F32) {
        if (isfinite(cell->d) && isinf((float)cell->d)) return out_of_range(c);
        cell->d = (double)(float)cell->d;
        return 0;
    }
    bool exact = n.class == NUMBER_DOUBLE ||
                 (n.class == NUMBER_INT64
                      ? cell->d < 0x1p63 && (int64_t)cell->d == n.i
                      : cell->d < 0x1p64 && (uint64_t)cell->d == n.u);
    return exact ? 0 : refuse(c, TABLE_FAULT_RANGE, "is an integer that no f64 holds exactly");
}

static int scratch_reserve(struct table_scratch *s, size_t length)
{
    if (length <= s->capacity) return 0;
    char *bytes = realloc(s->bytes, length);
    if (!bytes) return -ENOMEM;
    s->bytes = bytes;
    s->capacity = length;
    return 0;
}

void table_scratch_close(struct table_scratch *s)
{
    free(s->bytes);
    *s = (struct table_scratch){.capacity = 0};
}

/* A text that does not come from a value. */
int table_check_text(const struct table_field *f, uint64_t row, uint32_t column,
                     struct table_text text, struct table_error *error)
{
    char place[CELL_PLACE_BYTES];
    if (text.length > TABLE_TEXT_BYTES_MAX)
        return table_fail(error, TABLE_FAULT_LIMIT, row, column,
                          "%s: a text of %zu bytes; %zu is the limit",
                          cell_place(f, row, place), text.length, TABLE_TEXT_BYTES_MAX);
    if (f->type != TABLE_BIN && !utf8_valid(text.data, text.length))
        return table_fail(error, TABLE_FAULT_TYPE, row, column,
                          "%s: not valid UTF-8; use the type bin", cell_place(f, row, place));
    return 0;
}

static int to_text(const struct conversion *c, struct table_cell *cell,
                   struct table_scratch *scratch)
{
    if (!value_is_text(c->v)) return wrong_type(c);
    if (text_is_bytes(c->v) && c->field->type != TABLE_BIN)
        return refuse(c, TABLE_FAULT_TYPE,
                      "are no text, which is a str in UTF-8; use the type bin");
    size_t length = text_length(c->h, c->v);
    if (length > TABLE_TEXT_BYTES_MAX)
        return table_check_text(c->field, c->row, c->column, (struct table_text){NULL, length},
                                c->error);
    const char *data = scratch->room.bytes;
    if (value_is_inline_text(c->v)) {
        text_copy(c->h, c->v, 0, scratch->room.bytes, sizeof scratch->room.bytes);
    } else {
        struct text_scratch unused;
        if (text_piece(c->h, c->v, 0, &data, &unused) < length) { /* a rope */
            if (scratch_reserve(scratch, length) != 0) return table_fail_memory(c->error);
            text_copy(c->h, c->v, 0, scratch->bytes, length);
            data = scratch->bytes;
        }
    }
    cell->text = (struct table_text){data, length};
    return 0;
}

int table_cell_from_value(const struct heap *h, const struct table_field *field, uint64_t row,
                          uint32_t column, value v, struct table_cell *cell,
                          struct table_scratch *scratch, struct table_error *error)
{
    struct conversion c = {h, field, row, column, v, error};
    *cell = (struct table_cell){.type = field->type};
    if (v == VALUE_NIL) {
        cell->null = true;
        return field->null ? 0 : refuse(&c, TABLE_FAULT_NOT_NULL, "in a column without nulls");
    }
    if (field->type == TABLE_BOOL) {
        cell->u = v == VALUE_TRUE;
        return value_is_bool(v) ? 0 : wrong_type(&c);
    }
    switch (table_type_class(field->type)) {
    case TABLE_CLASS_INT:
    case TABLE_CLASS_UINT: return to_integer(&c, cell);
    case TABLE_CLASS_FLOAT: return to_double(&c, cell);
    default: return to_text(&c, cell, scratch);
    }
}

value table_cell_to_value(struct heap *h, const struct table_cell *cell)
{
    if (cell->null) return VALUE_NIL;
    if (cell->type == TABLE_BOOL) return value_bool(cell->u);
    switch (table_type_class(cell->type)) {
    case TABLE_CLASS_INT: return number_from_int64(h, cell->i);
    case TABLE_CLASS_UINT: return number_from_uint64(h, cell->u);
    case TABLE_CLASS_FLOAT: return number_from_double(h, cell->d);
    default: return text_new(h, cell->text.data, cell->text.length, cell->type == TABLE_BIN);
    }
}
