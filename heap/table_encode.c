/* table_encode.c - choosing the smallest encoding of a vector, and writing it.
 *
 * Statistics are exact: each candidate is tried on all of the vector's lanes and its bytes are
 * counted. Only the candidates themselves (exponents of ALP, the k of FIX, slopes) come from a
 * sample of the chunk. FOR, LIN, ALP and FIX all end in the same place: 64-bit integers, of which
 * the base and width with the fewest bytes are found by a histogram; what does not fit becomes an
 * exception.
 *
 * ALP: Afroozeh, Kuffo, Boncz, "ALP: Adaptive Lossless floating-Point Compression", SIGMOD 2023. */
#include "heap/table_int.h"

#include <math.h>

#define ROWS TABLE_VECTOR_ROWS
#define WORDS TABLE_VECTOR_WORDS

/* --- integers with exceptions ------------------------------------------------------------------*/

/* What a candidate made of the lanes; `excluded` ones can only be exceptions, and their values mean
 * nothing. */
struct integers {
    const uint64_t *values; /* `own`, or, if none is excluded, the lanes where they lie */
    uint64_t own[ROWS];
    uint64_t excluded[WORDS];
    unsigned excluded_count;
};

struct fit {
    uint64_t base;
    unsigned width, exceptions;
    size_t bytes; /* the limit: nothing is below it, and the rest means nothing */
};

/* Gives all that are excluded the same value. */
static void set_excluded(struct integers *in, uint64_t x)
{
    for (unsigned word = 0; in->excluded_count && word < WORDS; word++)
        for (uint64_t bits = in->excluded[word]; bits; bits &= bits - 1)
            in->own[word * 64 + (unsigned)__builtin_ctzl(bits)] = x;
}

/* How many values need so many bits above a base. Most need one of two widths: counts of four
 * neighbours are kept apart, so that none waits for the one before it to be written. */
static void count_widths(const struct integers *in, uint64_t base, unsigned histogram[65])
{
    uint16_t parts[4][65] = {{0}};
    for (unsigned i = 0; i < ROWS; i += 4)
        for (unsigned j = 0; j < 4; j++) parts[j][bits_of(in->values[i + j] - base)]++;
    for (unsigned width = 0; width < 65; width++)
        histogram[width] = (unsigned)parts[0][width] + parts[1][width] + parts[2][width] +
                           parts[3][width];
}

static void consider_width(struct fit *best, unsigned width, unsigned exceptions, unsigned element)
{
    size_t bytes = packed_bytes(width) + exceptions_bytes(exceptions, element);
    if (bytes > best->bytes || (bytes == best->bytes && width >= best->width)) return;
    best->bytes = bytes;
    best->width = width;
    best->exceptions = exceptions;
}

static void try_widths_below(const struct integers *in, unsigned top, unsigned element,
                             struct fit *best)
{
    unsigned histogram[65], beyond = in->excluded_count;
    count_widths(in, best->base, histogram);
    for (unsigned width = 65; width-- > 0;) {
        if (width < top) consider_width(best, width, beyond, element);
        beyond += histogram[width];
    }
}

/* Some widths are tried one by one; where that takes more, all are counted at once. */
#define WIDTHS_COUNTED 5

/* The best width for a base, of those that take less than `limit` bytes. `top` bits are enough for
 * all that are not excluded. Fewer bits leave at least as many exceptions, so that the width must
 * be as much less again as these take. */
static struct fit fit_width(struct integers *in, uint64_t base, unsigned top, unsigned element,
                            size_t limit)
{
    struct fit best = {.base = base, .bytes = limit};
    unsigned width = top, beyond = in->excluded_count;
    set_excluded(in, base);
    consider_width(&best, width, beyond, element);
    for (unsigned n = 0; width > 0; n++) {
        size_t taken = exceptions_bytes(beyond, element);
        if (taken > best.bytes) break;
        size_t most = (best.bytes - taken) / packed_bytes(1);
        width = most < width - 1 ? (unsigned)most : width - 1;
        if (n == WIDTHS_COUNTED) {
            try_widths_below(in, width + 1, element, &best);
            break;
        }
        /* So many exceptions are too many already, whatever the width. */
        unsigned many = (unsigned)(best.bytes / (element + sizeof(uint16_t))) + 1;
        beyond = in->excluded_count + table_kernels()->count_beyond(in->values, base, width, many);
        consider_width(&best, width, beyond, element);
    }
    return best;
}

#define FIT_SAMPLES 32
#define FIT_STRIDE (ROWS / FIT_SAMPLES)

/* Differences to a first value: of all, and of a sample the second lowest and the highest. Values
 * that are excluded count as no difference. */
struct spread {
    int64_t least, most, second, highest;
};

static struct spread spread_of(const struct integers *in, uint64_t origin)
{
    int64_t lowest = INT64_MAX;
    struct spread s = {.second = INT64_MAX, .highest = INT64_MIN};
    table_kernels()->differences(in->values, origin, &s.least, &s.most);
    for (unsigned i = 0; i < ROWS; i += FIT_STRIDE) {
        int64_t difference = (int64_t)(in->values[i] - origin);
        int64_t higher = difference < lowest ? lowest : difference;
        if (difference < lowest) lowest = difference;
        if (higher < s.second) s.second = higher;
        if (difference > s.highest) s.highest = difference;
    }
    return s;
}

static unsigned first_included(const struct integers *in)
{
    for (unsigned word = 0; word < WORDS; word++)
        if (~in->excluded[word]) return word * 64 + (unsigned)__builtin_ctzl(~in->excluded[word]);
    return 0; /* all are exceptions */
}

/* Bases to try: the least value, and one that leaves some outliers below. Differences to a first
 * value are signed, so that unsigned integers of all sizes do as well. */
static struct fit fit_integers(struct integers *in, unsigned element, size_t limit)
{
    uint64_t origin = in->values[first_included(in)];
    set_excluded(in, origin);
    struct spread s = spread_of(in, origin);
    unsigned top = bits_of((uint64_t)s.most - (uint64_t)s.least);
    struct fit best = fit_width(in, origin + (uint64_t)s.least, top, element, limit);
    unsigned width = best.bytes < limit ? best.width : top;
    if (width < 2) return best;
    uint64_t span = (uint64_t)s.highest - (uint64_t)s.second;
    if (bits_of(span) >= width || packed_bytes(bits_of(span)) >= best.bytes) return best;
    /* Below the second lowest of the sample by as much as the sample spans: a power of two. */
    uint64_t base = origin + (uint64_t)s.second - span / 8;
    struct fit other = fit_width(in, base, 64, element, best.bytes);
    return other.bytes < best.bytes ? other : best;
}

/* What is not excluded and fits. */
static void select_packable(const struct integers *in, const struct vector_header *header,
                            uint64_t *packable)
{
    uint64_t span = header->width ? UINT64_MAX >> (64 - header->width) : 0;
    table_kernels()->select_integers(in->values, header->base, header->base + span, packable);
    for (unsigned word = 0; word < WORDS; word++) packable[word] &= ~in->excluded[word];
}

static void write_exceptions(struct integers *in, const uint64_t *lanes,
                             const struct vector_header *header, unsigned element,
                             unsigned char *elements)
{
    uint64_t bits[WORDS];
    uint16_t places[ROWS];
    if (in->values != in->own) memcpy(in->own, in->values, sizeof in->own);
    in->values = in->own;
    size_t distance = exceptions_positions((unsigned)header->exceptions, element);
    select_packable(in, header, bits);
    for (unsigned word = 0; word < WORDS; word++) bits[word] = ~bits[word];
    size_t count = table_kernels()->positions(bits, places);
    assert(count == header->exceptions);
    memcpy(elements + distance, places, count * sizeof *places);
    for (size_t i = 0; i < count; i++) {
        memcpy(elements + i * element, &lanes[places[i]], element);
        in->own[places[i]] = header->base;
    }
}

static void write_integers(struct integers *in, const uint64_t *lanes,
                           const struct vector_header *header, unsigned element,
                           unsigned char *data)
{
    if (header->exceptions)
        write_exceptions(in, lanes, header, element, data + packed_bytes(header->width));
    table_kernels()->pack(in->values, header->width, header->base, data);
}

static void take_fit(struct vector_header *header, enum table_encoding encoding,
                     const struct fit *fit)
{
    *header = (struct vector_header){.encoding = (uint8_t)encoding,
                                     .width = (uint8_t)fit->width,
                                     .base = fit->base,
                                     .exceptions = fit->exceptions & 0xffff};
}

/* --- lines -------------------------------------------------------------------------------------*/

/* Bits of fraction with which a slope fits 47 bits; -1: too steep. */
static int slope_bits(double slope)
{
    int bits = 16;
    while (bits >= 0 && fabs(ldexp(slope, bits)) >= 0x1p46) bits--;
    return bits;
}

static void exclude_none(struct integers *in, const uint64_t *values)
{
    in->values = values;
    in->excluded_count = 0;
    memset(in->excluded, 0, sizeof in->excluded);
}

static void try_line(const struct encode_hints *hints, const uint64_t *lanes, double slope,
                     int bits, struct vector_header *header, size_t *bytes)
{
    struct integers in;
    int64_t fixed = (int64_t)llrint(ldexp(slope, bits));
    if (fixed == 0 || *bytes == 0) return;
    exclude_none(&in, in.own);
    table_kernels()->subtract_line(lanes, fixed, (unsigned)bits, in.own);
    struct fit fit = fit_integers(&in, hints->element, *bytes);
    if (fit.bytes >= *bytes) return;
    *bytes = fit.bytes;
    take_fit(header, TABLE_ENCODING_LIN, &fit);
    header->slope = fixed;
    header->p = (uint8_t)bits;
}

/* What is within `span` of a base becomes little narrower by a line that rises by less than such a
 * share of it in all: 0.1 bits at best, and mostly nothing. */
#define RISE_SHARE 16

static void plan_line(const struct encode_hints *hints, const uint64_t *lanes, double span,
                      struct vector_header *header, size_t *bytes)
{
    const double least = span / RISE_SHARE / ROWS;
    /* The means of the halves are 512 rows apart. */
    double slope = table_kernels()->half_difference(lanes) / (ROWS / 2);
    int bits = slope_bits(slope), chunk_bits = slope_bits(hints->slope);
    if (fabs(hints->slope) >= least) {
        if (chunk_bits >= 0) try_line(hints, lanes, hints->slope, 0, header, bytes);
        if (chunk_bits > 0) try_line(hints, lanes, hints->slope, chunk_bits, header, bytes);
    }
    if (bits >= 0 && fabs(slope) >= least) try_line(hints, lanes, slope, bits, header, bytes);
}

/* --- doubles -----------------------------------------------------------------------------------*/

static double lane_double(const struct encode_hints *hints, uint64_t lane)
{
    double d;
    float narrow;
    if (hints->is_f32) {
        memcpy(&narrow, &lane, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&d, &lane, sizeof d);
    return d;
}

static uint64_t double_lane(const struct encode_hints *hints, double d)
{
    uint64_t lane = 0;
    float narrow = (float)d;
    if (hints->is_f32)
        memcpy(&lane, &narrow, sizeof narrow);
    else
        memcpy(&lane, &d, sizeof d);
    return lane;
}

#define ALP_INTEGERS_MAX 0x1p51

/* False if no integer gives the lane back, to the bit. */
static bool alp_encode(const struct encode_hints *hints, uint64_t lane, unsigned e, unsigned f,
                       uint64_t *integer)
{
    double scaled = lane_double(hints, lane) * alp_powers[e] * alp_inverses[f];
    if (!(fabs(scaled) < ALP_INTEGERS_MAX)) return false;
    double rounded = (scaled + 0x1.8p52) - 0x1.8p52;
    *integer = (uint64_t)(int64_t)rounded;
    return double_lane(hints, alp_decode(*integer, e, f)) == lane;
}

/* `scale` is 2^k, `back` 2^-k. */
static bool fix_encode(const struct encode_hints *hints, uint64_t lane, double scale, double back,
                       uint64_t *integer)
{
    double scaled = lane_double(hints, lane) * scale;
    if (!(fabs(scaled) <= 0x1p53)) return false;
    int64_t whole = (int64_t)scaled;
    *integer = (uint64_t)whole;
    return double_lane(hints, (double)whole * back) == lane;
}

static void count_excluded(struct integers *in)
{
    in->excluded_count = (unsigned)bitmap_count(in->excluded);
}

static void alp_integers(const struct encode_hints *hints, const uint64_t *lanes, unsigned e,
                         unsigned f, struct integers *out)
{
    const double factors[4] = {alp_powers[e], alp_inverses[f], alp_powers[f], alp_inverses[e]};
    out->values = out->own;
    table_kernels()->alp_integers(lanes, hints->is_f32, factors, out->own, out->excluded);
    count_excluded(out);
}

static void fix_integers(const struct encode_hints *hints, const uint64_t *lanes, int k,
                         struct integers *out)
{
    const double factors[4] = {ldexp(1, k), ldexp(1, -k), 1, 1};
    out->values = out->own;
    table_kernels()->fix_integers(lanes, hints->is_f32, factors, out->own, out->excluded);
    count_excluded(out);
}

static void plan_doubles(const struct encode_hints *hints, const uint64_t *lanes,
                         struct vector_header *header, size_t *bytes)
{
    struct integers in;
    for (unsigned i = 0; i < hints->alp_count; i++) {
        alp_integers(hints, lanes, hints->alp[i].e, hints->alp[i].f, &in);
        if (in.excluded_count > ROWS / 2) continue;
        struct fit fit = fit_integers(&in, hints->element, *bytes);
        if (fit.bytes >= *bytes) continue;
        *bytes = fit.bytes;
        take_fit(header, TABLE_ENCODING_ALP, &fit);
        header->p = hints->alp[i].e;
        header->q = hints->alp[i].f;
        if (in.excluded_count == 0) break; /* the candidates come in the order of the sample */
    }
    if (!hints->fix) return;
    fix_integers(hints, lanes, hints->fix_k, &in);
    if (in.excluded_count > ROWS / 2) return;
    struct fit fit = fit_integers(&in, hints->element, *bytes);
    if (fit.bytes >= *bytes) return;
    *bytes = fit.bytes;
    take_fit(header, TABLE_ENCODING_FIX, &fit);
    header->p = (uint8_t)(hints->fix_k & 0xff);
    header->q = (uint8_t)(hints->fix_k >> 8 & 0xff);
}

/* --- samples -----------------------------------------------------------------------------------*/

#define ALP_SAMPLES 64
#define ALP_EXPONENT_MAX 18
#define ALP_EXPONENT_MAX_F32 10

/* Bits that ALP would need for the sample with these exponents; SIZE_MAX: not worth it, or not
 * below `limit`. */
static size_t alp_cost(const struct encode_hints *hints, const uint64_t *lanes, size_t count,
                       unsigned e, unsigned f, size_t limit)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    const size_t exception_bits = hints->element * 8 + 16;
    size_t exceptions = 0, allowed = limit / exception_bits;
    if (allowed > count / 2) allowed = count / 2;
    for (size_t i = 0; i < count; i++) {
        uint64_t integer;
        if (!alp_encode(hints, lanes[i], e, f, &integer)) {
            if (++exceptions > allowed) return SIZE_MAX;
            continue;
        }
        if ((int64_t)integer < min) min = (int64_t)integer;
        if ((int64_t)integer > max) max = (int64_t)integer;
    }
    unsigned width = max >= min ? bits_of((uint64_t)max - (uint64_t)min) : 0;
    return count * width + exceptions * exception_bits;
}

static void sample_alp(struct encode_hints *hints, const uint64_t *lanes, size_t count)
{
    size_t costs[ALP_CANDIDATES];
    unsigned exponent_max = hints->is_f32 ? ALP_EXPONENT_MAX_F32 : ALP_EXPONENT_MAX;
    for (unsigned e = 0; e <= exponent_max; e++)
        for (unsigned f = 0; f <= e; f++) {
            size_t limit = hints->alp_count == ALP_CANDIDATES ? costs[ALP_CANDIDATES - 1]
                                                              : count * hints->element * 8;
            size_t cost = alp_cost(hints, lanes, count, e, f, limit);
            if (cost >= limit) continue;
            unsigned place = hints->alp_count;
            while (place > 0 && cost < costs[place - 1]) place--;
            if (place == ALP_CANDIDATES) continue;
            if (hints->alp_count < ALP_CANDIDATES) hints->alp_count++;
            for (unsigned i = hints->alp_count - 1; i > place; i--) {
                costs[i] = costs[i - 1];
                hints->alp[i] = hints->alp[i - 1];
            }
            costs[place] = cost;
            hints->alp[place].e = (uint8_t)e;
            hints->alp[place].f = (uint8_t)f;
        }
}

/* The least k for which d * 2^k is whole. */
static int whole_from(double d)
{
    int exponent;
    double mantissa = frexp(d, &exponent); /* 0.5 <= |mantissa| < 1 */
    uint64_t integer = (uint64_t)fabs(ldexp(mantissa, 53));
    return 53 - __builtin_ctzl(integer) - exponent;
}

#define FIX_K_MAX 1000

static void sample_fix(struct encode_hints *hints, const uint64_t *lanes, size_t count)
{
    int k = -FIX_K_MAX;
    size_t fits = 0;
    for (size_t i = 0; i < count; i++) {
        double d = lane_double(hints, lanes[i]);
        if (!isfinite(d) || d == 0) continue;
        int needed = whole_from(d);
        if (needed > k) k = needed;
    }
    if (k <= -FIX_K_MAX || k > FIX_K_MAX) return;
    for (size_t i = 0; i < count; i++) {
        uint64_t integer;
        fits += fix_encode(hints, lanes[i], ldexp(1, k), ldexp(1, -k), &integer);
    }
    hints->fix = fits >= count - count / 8;
    hints->fix_k = k;
}

/* The different lanes of a sample, found by their hashes in a table that is half empty at least. */
static size_t count_different(const uint64_t *lanes, size_t count)
{
    enum { PLACES = 2 * ENCODE_SAMPLES };
    uint64_t found[PLACES];
    bool taken[PLACES] = {false};
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        size_t place = (size_t)(lanes[i] * 0x9e3779b97f4a7c15 >> 32) % PLACES;
        while (taken[place] && found[place] != lanes[i]) place = (place + 1) % PLACES;
        different += !taken[place];
        taken[place] = true;
        found[place] = lanes[i];
    }
    return different;
}

void encode_sample(struct encode_hints *hints, const uint64_t *lanes, size_t count)
{
    assert(count > 0 && count <= ENCODE_SAMPLES);
    hints->few = count_different(lanes, count) <= count * 3 / 4;
    if (hints->class != TABLE_CLASS_FLOAT) return;
    uint64_t some[ALP_SAMPLES];
    size_t step = (count + ALP_SAMPLES - 1) / ALP_SAMPLES, taken = 0;
    for (size_t i = 0; i < count; i += step) some[taken++] = lanes[i];
    sample_alp(hints, some, taken);
    sample_fix(hints, lanes, count);
}

/* --- planning and writing ----------------------------------------------------------------------*/

static void plan_integers(const struct encode_hints *hints, const uint64_t *lanes,
                          struct vector_header *header, size_t *bytes)
{
    struct integers in;
    double span = 0;
    exclude_none(&in, lanes);
    struct fit fit = fit_integers(&in, hints->element, *bytes);
    if (fit.bytes < *bytes) {
        *bytes = fit.bytes;
        take_fit(header, TABLE_ENCODING_FOR, &fit);
        if (fit.width <= 1) return;
        span = ldexp(1, (int)fit.width);
    }
    if (hints->line) plan_line(hints, lanes, span, header, bytes);
}

size_t encode_plan(const struct encode_hints *hints, const uint64_t *lanes,
                   struct vector_header *header)
{
    unsigned runs = table_kernels()->runs(lanes);
    if (runs == 1) {
        *header = (struct vector_header){.encoding = TABLE_ENCODING_CONST, .base = lanes[0]};
        return 0;
    }
    size_t bytes = (size_t)ROWS * hints->element;
    *header = (struct vector_header){.encoding = TABLE_ENCODING_RAW,
                                     .width = (uint8_t)(hints->element * 8)};
    if (hints->codes) {
        bytes = packed_bytes(hints->code_width);
        *header = (struct vector_header){.encoding = TABLE_ENCODING_DICT,
                                         .width = (uint8_t)hints->code_width};
    } else if (hints->class == TABLE_CLASS_FLOAT) {
        plan_doubles(hints, lanes, header, &bytes);
    } else {
        plan_integers(hints, lanes, header, &bytes);
    }
    size_t run_bytes = exceptions_bytes(runs, hints->element);
    if (run_bytes < bytes) {
        bytes = run_bytes;
        *header = (struct vector_header){.encoding = TABLE_ENCODING_RLE, .base = runs};
    }
    return bytes;
}

static void write_runs(const uint64_t *lanes, unsigned count, uint64_t runs, unsigned element,
                       unsigned char *data)
{
    uint16_t *ends = (uint16_t *)(void *)(data + exceptions_positions((unsigned)runs, element));
    unsigned run = 0;
    for (unsigned i = 1; i <= count; i++) {
        if (i < count && lanes[i] == lanes[i - 1]) continue;
        memcpy(data + (size_t)run * element, &lanes[i - 1], element);
        ends[run++] = (uint16_t)i;
    }
    assert(run == runs);
}

void encode_write(const struct encode_hints *hints, const uint64_t *lanes, unsigned count,
                  const struct vector_header *header, unsigned char *data)
{
    struct integers in;
    exclude_none(&in, in.own);
    switch (header->encoding) {
    case TABLE_ENCODING_CONST: return;
    case TABLE_ENCODING_RLE:
        write_runs(lanes, count, header->base, hints->element, data);
        return;
    case TABLE_ENCODING_RAW:
        table_kernels()->narrow(lanes, hints->element, ROWS, data);
        return;
    case TABLE_ENCODING_DICT:
        table_kernels()->pack(lanes, header->width, 0, data);
        return;
    case TABLE_ENCODING_FOR: in.values = lanes; break;
    case TABLE_ENCODING_LIN:
        table_kernels()->subtract_line(lanes, header->slope, header->p, in.own);
        break;
    case TABLE_ENCODING_ALP: alp_integers(hints, lanes, header->p, header->q, &in); break;
    case TABLE_ENCODING_FIX: fix_integers(hints, lanes, header_k(header), &in); break;
    }
    write_integers(&in, lanes, header, hints->element, data);
}
