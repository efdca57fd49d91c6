/* table_infer.c - which types hold the cells of text columns: table_batch.h has the rules.
 *
 * A column keeps the types that have held all of its cells so far, as bits, and tries the first one
 * first, so that a usual cell is parsed once. Different texts are kept until there are too many. */
#include "heap/table_batch.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#include "heap/table_csv.h"

#define SLOTS (INFER_DIFFERENT * 2)

/* The texts of a column, by open addressing: slots hold an entry's number + 1. */
struct different {
    uint32_t count;
    uint16_t slots[SLOTS];
    struct {
        uint8_t length;
        char bytes[INFER_TEXT_BYTES];
    } texts[INFER_DIFFERENT];
};

struct infer_column {
    size_t name_at, name_length;
    unsigned types; /* bits of enum table_type */
    bool null, many; /* many: too many different texts */
    uint64_t cells;  /* that are not null */
    uint64_t rows;   /* that had this column */
    struct different *different;
};

#define BIT(type) (1u << TABLE_##type)
#define NUMBERS (BIT(I64) | BIT(U64) | BIT(F64))
#define TIMES (BIT(DATE) | BIT(TS))

int infer_add(struct table_infer *x, const char *name, size_t length)
{
    if (x->count == x->capacity) {
        uint32_t capacity = x->capacity ? x->capacity * 2 : 16;
        struct infer_column *columns = realloc(x->columns, capacity * sizeof *columns);
        if (!columns) return -ENOMEM;
        x->columns = columns;
        x->capacity = capacity;
    }
    size_t at = x->names.length;
    out_put(&x->names, name, length);
    if (x->names.failed) return -ENOMEM;
    x->columns[x->count++] = (struct infer_column){
        .name_at = at, .name_length = length, .types = NUMBERS | TIMES | BIT(BOOL)};
    return 0;
}

static bool is_named(const struct table_infer *x, uint32_t i, const char *name, size_t length)
{
    const struct infer_column *c = &x->columns[i];
    return c->name_length == length && memcmp(x->names.data + c->name_at, name, length) == 0;
}

uint32_t infer_find(const struct table_infer *x, const char *name, size_t length, uint32_t guess)
{
    if (guess < x->count && is_named(x, guess, name, length)) return guess;
    for (uint32_t i = 0; i < x->count; i++)
        if (is_named(x, i, name, length)) return i;
    return UINT32_MAX;
}

/* --- numbers -----------------------------------------------------------------------------------*/

static bool int_is_exact(int64_t v)
{
    double d = (double)v;
    return d < 0x1p63 && (int64_t)d == v;
}

static bool uint_is_exact(uint64_t v)
{
    double d = (double)v;
    return d < 0x1p64 && (uint64_t)d == v;
}

/* Whether a whole number as text, of up to 63 bytes, is `d`. */
static bool digits_are(double d, const char *data, size_t length)
{
    char digits[400];
    int wrote = snprintf(digits, sizeof digits, "%.0f", d);
    return (size_t)wrote == length && memcmp(digits, data, length) == 0;
}

static bool is_whole(const char *data, size_t length)
{
    size_t minus = length && data[0] == '-';
    for (size_t i = minus; i < length; i++)
        if (!isdigit((unsigned char)data[i])) return false;
    return length > minus;
}

static unsigned as_number(unsigned types, const char *data, size_t length)
{
    struct table_cell c;
    if (types & BIT(I64)) {
        if (cell_parse(TABLE_I64, data, length, &c))
            return types & (BIT(I64) | (c.i >= 0 ? BIT(U64) : 0) |
                            (int_is_exact(c.i) ? BIT(F64) : 0));
        types &= ~BIT(I64);
    }
    if (types & BIT(U64)) {
        if (cell_parse(TABLE_U64, data, length, &c))
            return types & (BIT(U64) | (uint_is_exact(c.u) ? BIT(F64) : 0));
        types &= ~BIT(U64);
    }
    if (types & BIT(F64) && cell_parse(TABLE_F64, data, length, &c) &&
        (!is_whole(data, length) || digits_are(c.d, data, length)))
        return types & BIT(F64);
    return types & ~NUMBERS;
}

/* --- types -------------------------------------------------------------------------------------*/

/* Times with more digits than a microsecond has would lose something. */
static bool is_fine(const char *data, size_t length)
{
    const char *point = memchr(data, '.', length);
    size_t digits = 0;
    while (point && ++point < data + length && isdigit((unsigned char)*point)) digits++;
    return digits > 6;
}

/* Other years than those of four digits are read where a date is wanted; found by chance, they are
 * rather numbers of something. */
static bool has_usual_year(const char *data, size_t length)
{
    return length > 4 && data[0] != '-' && data[4] == '-';
}

static unsigned as_time(unsigned types, const char *data, size_t length)
{
    struct table_cell c;
    if (!has_usual_year(data, length)) return 0;
    if (types & BIT(DATE) && cell_parse(TABLE_DATE, data, length, &c)) return types & BIT(DATE);
    if (types & BIT(TS) && cell_parse(TABLE_TS, data, length, &c) && !is_fine(data, length))
        return types & BIT(TS);
    return 0;
}

static unsigned narrow(unsigned types, enum text_kind kind, const char *data, size_t length)
{
    struct table_cell c;
    if (kind == TEXT_BOOL) return types & BIT(BOOL);
    if (kind == TEXT_STRING) return as_time(types, data, length);
    if (types & NUMBERS) {
        unsigned left = as_number(types, data, length);
        if (left & NUMBERS || kind == TEXT_NUMBER) return left & NUMBERS;
        types = left;
    }
    if (kind == TEXT_NUMBER) return 0;
    if (types & BIT(BOOL) && cell_parse(TABLE_BOOL, data, length, &c)) return BIT(BOOL);
    return as_time(types, data, length);
}

/* --- few texts or many -------------------------------------------------------------------------*/

static uint32_t hash(const char *data, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)data[i]) * 16777619u;
    return h ^ h >> 15;
}

static void too_many(struct infer_column *c)
{
    free(c->different);
    c->different = NULL;
    c->many = true;
}

static int count_different(struct infer_column *c, const char *data, size_t length)
{
    if (!c->different && !(c->different = calloc(1, sizeof *c->different))) return -ENOMEM;
    struct different *d = c->different;
    uint32_t at = hash(data, length) % SLOTS;
    for (; d->slots[at]; at = (at + 1) % SLOTS) {
        uint32_t i = d->slots[at] - 1u;
        if (d->texts[i].length == length && memcmp(d->texts[i].bytes, data, length) == 0) return 0;
    }
    if (d->count == INFER_DIFFERENT) {
        too_many(c);
        return 0;
    }
    d->texts[d->count].length = (uint8_t)length;
    memcpy(d->texts[d->count].bytes, data, length);
    d->slots[at] = (uint16_t)++d->count;
    return 0;
}

/* --- cells and rows ----------------------------------------------------------------------------*/

int infer_cell(struct table_infer *x, uint32_t column, enum text_kind kind, const char *data,
               size_t length)
{
    struct infer_column *c = &x->columns[column];
    c->rows++;
    if (kind == TEXT_NULL) {
        c->null = true;
        return 0;
    }
    c->cells++;
    if (c->types) c->types = narrow(c->types, kind, data, length);
    if (c->many) return 0;
    if (length > INFER_TEXT_BYTES) {
        too_many(c);
        return 0;
    }
    return count_different(c, data, length);
}

void infer_row(struct table_infer *x) { x->rows++; }

void infer_field(const struct table_infer *x, uint32_t i, struct table_field *field)
{
    static const enum table_type order[] = {TABLE_BOOL, TABLE_I64,  TABLE_U64,
                                            TABLE_F64,  TABLE_DATE, TABLE_TS};
    const struct infer_column *c = &x->columns[i];
    assert(i < x->count);
    *field = (struct table_field){.name = (const char *)x->names.data + c->name_at,
                                  .name_length = c->name_length, .type = TABLE_STR,
                                  .null = c->null || c->rows < x->rows};
    if (c->cells == 0) return;
    if (c->different && c->cells >= (uint64_t)c->different->count * INFER_REPEATS)
        field->type = TABLE_SYM;
    for (unsigned k = sizeof order / sizeof *order; k-- > 0;)
        if (c->types & 1u << order[k]) field->type = order[k];
}

size_t infer_bytes(const struct table_infer *x)
{
    size_t bytes = x->capacity * sizeof *x->columns + x->names.capacity;
    for (uint32_t i = 0; i < x->count; i++)
        if (x->columns[i].different) bytes += sizeof *x->columns[i].different;
    return bytes;
}

void infer_close(struct table_infer *x)
{
    for (uint32_t i = 0; i < x->count; i++) free(x->columns[i].different);
    free(x->columns);
    out_close(&x->names);
    *x = (struct table_infer){.columns = NULL};
}
