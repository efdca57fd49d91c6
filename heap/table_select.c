/* table_select.c - predicates, sums and extremes over one vector.
 *
 * A range over packed integers is a range of the packed values, modulo 2^64: value - min <= max -
 * min holds for base + packed exactly if it holds for packed against min - base and max - base.
 * ALP and FIX decode monotonically, so a range of doubles is a range of their integers, found by
 * bisection. Then exceptions, overlay and nulls correct single bits. */
#include "heap/table_int.h"

#include <math.h>

static bool in_range(const struct table_field *f, uint64_t lane, const struct table_range *r)
{
    enum table_class class = table_type_class(f->type);
    union table_bound bound = lane_bound(f, lane);
    return bound_compare(class, r->min, bound) <= 0 && bound_compare(class, bound, r->max) <= 0;
}

static void set_bit(uint64_t *bits, unsigned i, bool on)
{
    on ? bit_set(bits, i) : bit_clear(bits, i);
}

static const unsigned char *data_of(const struct sealed_column *s, const struct vector_header *h)
{
    return sealed_at(s, s->data + (size_t)h->offset * 8);
}

static void correct_exceptions(const struct sealed_column *s, const struct table_field *f,
                               const struct vector_header *h, const struct table_range *r,
                               uint64_t *selected)
{
    const unsigned char *elements = data_of(s, h) + packed_bytes(h->width);
    unsigned count = (unsigned)h->exceptions, bytes = lane_element(f);
    if (count == 0) return;
    const uint16_t *positions =
        (const uint16_t *)(const void *)(elements + exceptions_positions(count, bytes));
    uint64_t lanes[TABLE_VECTOR_ROWS];
    bool is_signed = table_type_class(f->type) == TABLE_CLASS_INT;
    table_kernels()->widen(elements, bytes, is_signed, count, lanes);
    for (unsigned i = 0; i < count; i++)
        set_bit(selected, positions[i], in_range(f, lanes[i], r));
}

/* --- packed integers ---------------------------------------------------------------------------*/

/* Selects packed values from `first` to `last`, modulo 2^64: that may go through 0. */
static void select_modular(const unsigned char *data, unsigned width, uint64_t first, uint64_t last,
                           uint64_t *selected)
{
    const struct table_kernels *k = table_kernels();
    if (first <= last) {
        k->select_packed(data, width, first, last, selected);
        return;
    }
    if (last + 1 == first) { /* all of them */
        bitmap_first(selected, TABLE_VECTOR_ROWS);
        return;
    }
    k->select_packed(data, width, last + 1, first - 1, selected);
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++) selected[i] = ~selected[i];
}

static void select_sealed_integers(const struct sealed_column *s, const struct table_field *f,
                                   uint32_t vector, const struct table_range *r,
                                   uint64_t *selected)
{
    struct vector_header h = sealed_header(s, vector);
    if (h.encoding == TABLE_ENCODING_FOR) {
        select_modular(data_of(s, &h), h.width, r->min.u - h.base, r->max.u - h.base, selected);
        correct_exceptions(s, f, &h, r, selected);
        return;
    }
    uint64_t lanes[TABLE_VECTOR_ROWS];
    sealed_lanes(s, f, vector, lanes);
    table_kernels()->select_integers(lanes, r->min.u, r->max.u, selected);
}

/* --- doubles -----------------------------------------------------------------------------------*/

static double decode_scaled(const struct table_field *f, const struct vector_header *h,
                            double scale, uint64_t packed)
{
    uint64_t integer = h->base + packed;
    double d = h->encoding == TABLE_ENCODING_ALP ? alp_decode(integer, h->p, h->q)
                                                 : (double)(int64_t)integer * scale;
    return f->type == TABLE_F32 ? (double)(float)d : d;
}

/* How many packed values, of all that the width holds, decode to less than `bound` (or to no more,
 * if `through`). */
static uint64_t count_below(const struct table_field *f, const struct vector_header *h,
                            double bound, bool through)
{
    double scale = h->encoding == TABLE_ENCODING_FIX ? ldexp(1, -header_k(h)) : 0;
    uint64_t low = 0, high = (uint64_t)1 << h->width;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        double d = decode_scaled(f, h, scale, middle);
        if (d < bound || (through && d == bound))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void select_scaled(const struct sealed_column *s, const struct table_field *f,
                          const struct vector_header *h, const struct table_range *r,
                          uint64_t *selected)
{
    /* Packed values are finite: NaN as an upper bound is beyond them, as a lower one too. */
    uint64_t end = (uint64_t)1 << h->width;
    if (!isnan(r->max.d)) end = count_below(f, h, r->max.d, true);
    uint64_t first = isnan(r->min.d) ? end : count_below(f, h, r->min.d, false);
    if (first < end)
        table_kernels()->select_packed(data_of(s, h), h->width, first, end - 1, selected);
    else
        memset(selected, 0, TABLE_VECTOR_WORDS * sizeof *selected);
    correct_exceptions(s, f, h, r, selected);
}

static void select_doubles(const double *in, const struct table_range *r, uint64_t *selected)
{
    bool nan = isnan(r->max.d);
    double min = isnan(r->min.d) ? INFINITY : r->min.d, max = nan ? INFINITY : r->max.d;
    if (isnan(r->min.d)) max = -INFINITY; /* no number at all */
    table_kernels()->select_doubles(in, min, max, nan, selected);
}

/* Widths beyond this are not what ALP and FIX give; they would make the bisection overflow. */
#define SCALED_WIDTH_MAX 56

static void select_sealed_doubles(const struct sealed_column *s, const struct table_field *f,
                                  uint32_t vector, const struct table_range *r,
                                  uint64_t *selected)
{
    struct vector_header h = sealed_header(s, vector);
    bool scaled = h.encoding == TABLE_ENCODING_ALP || h.encoding == TABLE_ENCODING_FIX;
    if (scaled && h.width <= SCALED_WIDTH_MAX) {
        select_scaled(s, f, &h, r, selected);
        return;
    }
    double doubles[TABLE_VECTOR_ROWS];
    sealed_doubles(s, f, vector, doubles);
    select_doubles(doubles, r, selected);
}

/* --- one vector --------------------------------------------------------------------------------*/

static void select_plain(const struct column_view *c, uint32_t vector, const struct table_range *r,
                         uint64_t *selected)
{
    uint64_t lanes[TABLE_VECTOR_ROWS];
    view_lanes(c, vector, lanes);
    if (table_type_class(c->field->type) != TABLE_CLASS_FLOAT) {
        table_kernels()->select_integers(lanes, r->min.u, r->max.u, selected);
        return;
    }
    double *doubles = (double *)(void *)lanes;
    if (c->field->type == TABLE_F32) table_kernels()->widen_floats(lanes, doubles);
    select_doubles(doubles, r, selected);
}

static void correct_overlay(const struct column_view *c, uint32_t vector,
                            const struct table_range *r, uint64_t *selected)
{
    unsigned i, end;
    overlay_range(c->overlay, vector, &i, &end);
    for (; i < end; i++) {
        const struct overlay_cell *cell = &c->overlay->cells[i];
        set_bit(selected, cell->slot % TABLE_VECTOR_ROWS,
                !cell->null && in_range(c->field, cell->lane, r));
    }
}

/* What zones tell: -1 none is in the range, 1 all that are not null are, 0 neither is known. */
static int zone_verdict(const struct table_version *v, uint32_t chunk, uint32_t column,
                        uint32_t vector, const struct table_range *r)
{
    struct table_zone z;
    enum table_class class = table_type_class(v->table->fields[column].type);
    table_vector_zone(v, chunk, column, vector, &z);
    if (z.nulls == z.rows) return -1;
    if (!z.known) return 0;
    if (bound_compare(class, z.max, r->min) < 0 || bound_compare(class, z.min, r->max) > 0)
        return -1;
    return bound_compare(class, r->min, z.min) <= 0 && bound_compare(class, z.max, r->max) <= 0;
}

uint32_t table_select_range(const struct table_version *v, uint32_t chunk, uint32_t column,
                            uint32_t vector, const struct table_range *range, uint64_t *selected)
{
    struct column_view c = column_view(v, chunk, column);
    enum table_class class = table_type_class(c.field->type);
    assert(class != TABLE_CLASS_TEXT);
    int verdict = bound_compare(class, range->min, range->max) > 0 ? -1
                  : c.column->sealed ? zone_verdict(v, chunk, column, vector, range)
                                     : 0;
    if (verdict < 0) {
        memset(selected, 0, TABLE_VECTOR_WORDS * sizeof *selected);
        return 0;
    }
    uint64_t valid[TABLE_VECTOR_WORDS];
    view_valid(&c, vector, valid);
    if (verdict > 0) {
        memcpy(selected, valid, sizeof valid);
        return (uint32_t)bitmap_count(valid);
    }
    if (!c.column->sealed)
        select_plain(&c, vector, range, selected);
    else if (class == TABLE_CLASS_FLOAT)
        select_sealed_doubles((const struct sealed_column *)c.column, c.field, vector, range,
                              selected);
    else
        select_sealed_integers((const struct sealed_column *)c.column, c.field, vector, range,
                               selected);
    correct_overlay(&c, vector, range, selected);
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++) selected[i] &= valid[i];
    return (uint32_t)bitmap_count(selected);
}

/* --- sums and extremes -------------------------------------------------------------------------*/

/* Selected rows that are not null; false if there are none. */
static bool effective(const struct column_view *c, uint32_t vector, const uint64_t *selected,
                      uint64_t *out)
{
    uint64_t any = 0;
    view_valid(c, vector, out);
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++) any |= out[i] &= selected[i];
    return any;
}

static void load_numbers(const struct column_view *c, uint32_t vector, uint64_t *lanes)
{
    view_lanes(c, vector, lanes);
    if (c->field->type == TABLE_F32)
        table_kernels()->widen_floats(lanes, (double *)(void *)lanes);
}

void table_sum_vector(const struct table_version *v, uint32_t chunk, uint32_t column,
                      uint32_t vector, const uint64_t *selected, struct table_sum *sum)
{
    const struct table_kernels *k = table_kernels();
    struct column_view c = column_view(v, chunk, column);
    uint64_t bits[TABLE_VECTOR_WORDS], lanes[TABLE_VECTOR_ROWS], high, low;
    int64_t signed_high;
    if (!effective(&c, vector, selected, bits)) return;
    load_numbers(&c, vector, lanes);
    sum->count += bitmap_count(bits);
    switch (table_type_class(c.field->type)) {
    case TABLE_CLASS_FLOAT:
        sum->number += k->sum_doubles((const double *)(const void *)lanes, bits);
        break;
    case TABLE_CLASS_INT:
        k->sum_signed((const int64_t *)(const void *)lanes, bits, &signed_high, &low);
        sum->integer += (__int128)signed_high * ((__int128)1 << 32) + (__int128)low;
        break;
    default:
        k->sum_unsigned(lanes, bits, &high, &low);
        sum->integer += ((__int128)high << 32) + (__int128)low;
    }
}

static void extremes_doubles(const double *in, const uint64_t *bits, union table_bound *min,
                             union table_bound *max)
{
    uint64_t nan[TABLE_VECTOR_WORDS], any_nan = 0, any_number = 0;
    table_kernels()->select_doubles(in, INFINITY, -INFINITY, true, nan);
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++) {
        any_nan |= nan[i] & bits[i];
        any_number |= ~nan[i] & bits[i];
    }
    min->d = INFINITY;
    max->d = -INFINITY;
    table_kernels()->extremes_doubles(in, bits, &min->d, &max->d);
    if (any_nan) max->d = NAN;
    if (!any_number) min->d = NAN;
}

void lanes_extremes(const struct table_field *f, const uint64_t *lanes, const uint64_t *bits,
                    struct table_extremes *e)
{
    const struct table_kernels *k = table_kernels();
    enum table_class class = table_type_class(f->type);
    size_t count = bitmap_count(bits);
    union table_bound min = {.u = UINT64_MAX}, max = {.u = 0};
    double doubles[TABLE_VECTOR_ROWS];
    if (count == 0) return;
    if (f->type == TABLE_F32) k->widen_floats(lanes, doubles);
    if (class == TABLE_CLASS_FLOAT) {
        const double *in = (const double *)(const void *)lanes;
        extremes_doubles(f->type == TABLE_F32 ? doubles : in, bits, &min, &max);
    } else if (class == TABLE_CLASS_INT) {
        min.i = INT64_MAX;
        max.i = INT64_MIN;
        k->extremes_signed((const int64_t *)(const void *)lanes, bits, &min.i, &max.i);
    } else {
        k->extremes_unsigned(lanes, bits, &min.u, &max.u);
    }
    if (e->count == 0 || bound_compare(class, min, e->min) < 0) e->min = min;
    if (e->count == 0 || bound_compare(class, max, e->max) > 0) e->max = max;
    e->count += count;
}

void table_extremes_vector(const struct table_version *v, uint32_t chunk, uint32_t column,
                           uint32_t vector, const uint64_t *selected, struct table_extremes *e)
{
    struct column_view c = column_view(v, chunk, column);
    uint64_t bits[TABLE_VECTOR_WORDS], lanes[TABLE_VECTOR_ROWS];
    assert(!field_is_text(c.field) && c.field->type != TABLE_SYM);
    if (!effective(&c, vector, selected, bits)) return;
    view_lanes(&c, vector, lanes);
    lanes_extremes(c.field, lanes, bits, e);
}
