/* table_decode.c - reading sealed columns: a vector at once, or one cell in O(1) (RLE: O(log
 * runs)).
 *
 * An encoding of integers gives base + packed; LIN adds its line; ALP and FIX scale the result to
 * doubles. Then exceptions overwrite single elements. */
#include "heap/table_int.h"

#include <math.h>

const double alp_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                             1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
const double alp_inverses[] = {1e0,   1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8, 1e-9,
                               1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18};

/* 2^-k; made of its bits where ldexp would take longer than the rest of a cell. */
static double scale_of(int k)
{
    double scale;
    uint64_t bits = (uint64_t)(1023 - k) << 52;
    if (k < -1023 || k > 1022) return ldexp(1, -k);
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

double fix_decode(uint64_t integer, int k) { return (double)(int64_t)integer * scale_of(k); }

unsigned lane_element(const struct table_field *f)
{
    size_t bytes = table_type_bytes(f->type);
    return bytes ? (unsigned)bytes : 4;
}

struct vector_header sealed_header(const struct sealed_column *s, uint32_t vector)
{
    if (s->header_count > 1) return s->headers[vector];
    struct vector_header header = s->headers[0];
    if (header.encoding == TABLE_ENCODING_LIN)
        header.base += (uint64_t)header.slope * (vector * (uint64_t)TABLE_VECTOR_ROWS);
    header.offset += vector * header.width * (uint32_t)(packed_bytes(1) / 8);
    return header;
}

static const unsigned char *vector_data(const struct sealed_column *s,
                                        const struct vector_header *header)
{
    return sealed_at(s, s->data + (size_t)header->offset * 8);
}

static const uint64_t *dictionary_lanes(const struct sealed_column *s)
{
    return (const uint64_t *)(const void *)sealed_at(s, s->dictionary);
}

static uint64_t element_lane(const void *elements, unsigned bytes, bool is_signed, size_t i)
{
    switch (bytes) {
    case 1:
        return is_signed ? (uint64_t)((const int8_t *)elements)[i]
                         : ((const uint8_t *)elements)[i];
    case 2:
        return is_signed ? (uint64_t)((const int16_t *)elements)[i]
                         : ((const uint16_t *)elements)[i];
    case 4:
        return is_signed ? (uint64_t)((const int32_t *)elements)[i]
                         : ((const uint32_t *)elements)[i];
    default: return ((const uint64_t *)elements)[i];
    }
}

static bool lane_signed(const struct table_field *f)
{
    return table_type_class(f->type) == TABLE_CLASS_INT;
}

/* --- exceptions --------------------------------------------------------------------------------*/

struct exceptions {
    const unsigned char *elements;
    const uint16_t *positions;
    unsigned count;
};

static struct exceptions exceptions_of(const struct sealed_column *s, const struct table_field *f,
                                       const struct vector_header *header)
{
    const unsigned char *elements = vector_data(s, header) + packed_bytes(header->width);
    unsigned count = (unsigned)header->exceptions;
    size_t positions = exceptions_positions(count, lane_element(f));
    return (struct exceptions){elements, (const uint16_t *)(const void *)(elements + positions),
                               count};
}

static void patch(const struct sealed_column *s, const struct table_field *f,
                  const struct vector_header *header, uint64_t *lanes)
{
    struct exceptions x = exceptions_of(s, f, header);
    for (unsigned i = 0; i < x.count; i++)
        lanes[x.positions[i]] = element_lane(x.elements, lane_element(f), lane_signed(f), i);
}

/* Whether the element at `row` is an exception; then its lane. */
static bool find_exception(const struct sealed_column *s, const struct table_field *f,
                           const struct vector_header *header, uint32_t row, uint64_t *lane)
{
    struct exceptions x = exceptions_of(s, f, header);
    unsigned low = 0, high = x.count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (x.positions[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == x.count || x.positions[low] != row) return false;
    *lane = element_lane(x.elements, lane_element(f), lane_signed(f), low);
    return true;
}

/* --- runs ----------------------------------------------------------------------------------------
 *
 * base elements, filled up to 8 bytes, then as many ends (uint16_t). */

static const uint16_t *run_ends(const unsigned char *data, const struct table_field *f,
                                uint64_t runs)
{
    return (const uint16_t *)(const void *)(data + exceptions_positions((unsigned)runs,
                                                                        lane_element(f)));
}

static void decode_runs(const unsigned char *data, const struct table_field *f, uint64_t runs,
                        uint64_t *lanes)
{
    const uint16_t *ends = run_ends(data, f, runs);
    unsigned row = 0;
    uint64_t lane = 0;
    for (unsigned run = 0; run < runs; run++) {
        lane = element_lane(data, lane_element(f), lane_signed(f), run);
        for (; row < ends[run]; row++) lanes[row] = lane;
    }
    for (; row < TABLE_VECTOR_ROWS; row++) lanes[row] = lane;
}

static uint64_t run_lane(const unsigned char *data, const struct table_field *f, uint64_t runs,
                         uint32_t row)
{
    const uint16_t *ends = run_ends(data, f, runs);
    unsigned low = 0, high = (unsigned)runs - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (ends[middle] <= row)
            low = middle + 1;
        else
            high = middle;
    }
    return element_lane(data, lane_element(f), lane_signed(f), low);
}

/* --- vectors -----------------------------------------------------------------------------------*/

static void scale_vector(const struct vector_header *header, const uint64_t *integers, double *out)
{
    const struct table_kernels *k = table_kernels();
    if (header->encoding == TABLE_ENCODING_ALP)
        k->scale(integers, alp_powers[header->q], alp_inverses[header->p], out);
    else
        k->scale(integers, ldexp(1, -header_k(header)), 1, out);
}

static void decode_scaled(const struct sealed_column *s, const struct table_field *f,
                          const struct vector_header *header, uint64_t *lanes)
{
    const struct table_kernels *k = table_kernels();
    double *doubles = (double *)(void *)lanes;
    k->unpack(vector_data(s, header), header->width, header->base, lanes);
    scale_vector(header, lanes, doubles);
    if (f->type == TABLE_F32) k->narrow_floats(doubles, lanes);
    patch(s, f, header, lanes);
}

void sealed_lanes(const struct sealed_column *s, const struct table_field *f, uint32_t vector,
                  uint64_t *lanes)
{
    const struct table_kernels *k = table_kernels();
    struct vector_header header = sealed_header(s, vector);
    const unsigned char *data = vector_data(s, &header);
    switch (header.encoding) {
    case TABLE_ENCODING_CONST: k->unpack(data, 0, header.base, lanes); break;
    case TABLE_ENCODING_LIN:
        k->unpack(data, header.width, header.base, lanes);
        k->add_line(lanes, header.slope, header.p);
        patch(s, f, &header, lanes);
        break;
    case TABLE_ENCODING_FOR:
        k->unpack(data, header.width, header.base, lanes);
        patch(s, f, &header, lanes);
        break;
    case TABLE_ENCODING_DICT:
        if (field_is_text(f)) {
            k->unpack(data, header.width, 0, lanes);
        } else {
            uint32_t codes[TABLE_VECTOR_ROWS];
            k->unpack32(data, header.width, codes);
            k->look_up(dictionary_lanes(s), codes, lanes);
        }
        break;
    case TABLE_ENCODING_ALP:
    case TABLE_ENCODING_FIX: decode_scaled(s, f, &header, lanes); break;
    case TABLE_ENCODING_RLE: decode_runs(data, f, header.base, lanes); break;
    default:
        k->widen(data, lane_element(f), lane_signed(f), TABLE_VECTOR_ROWS, lanes);
    }
}

void sealed_doubles(const struct sealed_column *s, const struct table_field *f, uint32_t vector,
                    double *out)
{
    uint64_t *lanes = (uint64_t *)(void *)out;
    sealed_lanes(s, f, vector, lanes);
    if (f->type == TABLE_F32) table_kernels()->widen_floats(lanes, out);
}

/* --- cells -------------------------------------------------------------------------------------*/

/* A value may lie in two words, which are 128 bytes apart. Both are read in any case, the second
 * one by where its last bit is, so that neither read waits for a branch. */
static uint64_t packed_lane(const unsigned char *data, unsigned width, uint32_t row)
{
    if (width == 0) return 0;
    uint64_t mask = UINT64_MAX >> (64 - width);
    if (width <= 32) {
        const uint32_t *lane = (const uint32_t *)(const void *)data + row % 32;
        unsigned bit = row / 32 * width;
        uint64_t low = lane[bit / 32 * 32], high = lane[(bit + width - 1) / 32 * 32];
        return (high << 32 | low) >> bit % 32 & mask;
    }
    const uint64_t *lane = (const uint64_t *)(const void *)data + row % 16;
    unsigned bit = row / 16 * width;
    uint64_t low = lane[bit / 64 * 16], high = lane[(bit + width - 1) / 64 * 16];
    return (uint64_t)(((unsigned __int128)high << 64 | low) >> bit % 64) & mask;
}

static uint64_t double_lane(const struct table_field *f, double d)
{
    uint64_t lane = 0;
    float narrow = (float)d;
    if (f->type == TABLE_F32)
        memcpy(&lane, &narrow, sizeof narrow);
    else
        memcpy(&lane, &d, sizeof d);
    return lane;
}

/* What is not packed, or an exception of what is. */
static uint64_t other_lane(const struct sealed_column *s, const struct table_field *f,
                           uint32_t slot, bool *is_packed)
{
    struct vector_header header = sealed_header(s, slot / TABLE_VECTOR_ROWS);
    const unsigned char *data = vector_data(s, &header);
    uint32_t row = slot % TABLE_VECTOR_ROWS;
    uint64_t lane = 0;
    if (header.encoding == TABLE_ENCODING_RLE) return run_lane(data, f, header.base, row);
    if (header.encoding == TABLE_ENCODING_RAW)
        return element_lane(data, lane_element(f), lane_signed(f), row);
    *is_packed = !find_exception(s, f, &header, row, &lane);
    return lane;
}

/* Of the header only what a cell needs is read, where it lies. */
uint64_t sealed_lane(const struct sealed_column *s, const struct table_field *f, uint32_t slot)
{
    uint32_t vector = slot / TABLE_VECTOR_ROWS, row = slot % TABLE_VECTOR_ROWS;
    bool uniform = s->header_count == 1;
    const struct vector_header *h = &s->headers[uniform ? 0 : vector];
    unsigned encoding = h->encoding, width = h->width;
    size_t offset = (size_t)h->offset * 8 + (uniform ? vector * packed_bytes(width) : 0);
    if (encoding == TABLE_ENCODING_RLE || encoding == TABLE_ENCODING_RAW || h->exceptions) {
        bool is_packed = false;
        uint64_t lane = other_lane(s, f, slot, &is_packed);
        if (!is_packed) return lane;
    }
    uint64_t lane = h->base + packed_lane(sealed_at(s, s->data + offset), width, row);
    switch (encoding) {
    case TABLE_ENCODING_LIN: /* p is 0 if it is uniform */
        return lane + (uint64_t)((h->slope * (int64_t)(uniform ? slot : row)) >> h->p);
    case TABLE_ENCODING_DICT: return field_is_text(f) ? lane : dictionary_lanes(s)[lane];
    case TABLE_ENCODING_ALP: return double_lane(f, alp_decode(lane, h->p, h->q));
    case TABLE_ENCODING_FIX: return double_lane(f, fix_decode(lane, header_k(h)));
    default: return lane; /* CONST: of width 0; FOR */
    }
}

/* --- texts -------------------------------------------------------------------------------------*/

struct table_text sealed_entry(const struct sealed_column *s, uint32_t code)
{
    const uint32_t *ends = (const uint32_t *)(const void *)sealed_at(s, s->dictionary);
    uint32_t begin = code ? ends[code - 1] : 0;
    return (struct table_text){(const char *)sealed_at(s, s->texts) + begin, ends[code] - begin};
}

struct table_text sealed_text(const struct sealed_column *s, const struct table_field *f,
                              uint32_t slot)
{
    uint64_t lane = sealed_lane(s, f, slot);
    if (s->has_dictionary) return sealed_entry(s, (uint32_t)lane);
    uint64_t begin = slot ? sealed_lane(s, f, slot - 1) : 0;
    return (struct table_text){(const char *)sealed_at(s, s->texts) + begin, lane - begin};
}
