/* table_kernels.c - the loops over vectors; compiled once for each level of the CPU.
 *
 * Plain loops with fixed trip counts over 16 or 32 lanes, which compilers turn into vector code of
 * whatever width the level has. Nothing here depends on that width: each result is defined element
 * by element, and sums of doubles have 16 partial sums whatever the machine.
 *
 * The build defines KERNEL_SUFFIX (generic, v3, v4) and KERNEL_ID. */
#include "heap/table_kernels.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The user's CFLAGS come last and may say -O2, at which GCC hardly vectorises. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize("O3")
#endif

#ifndef KERNEL_SUFFIX
#define KERNEL_SUFFIX generic
#define KERNEL_ID KERNEL_GENERIC
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#define LANES32 32
#define LANES64 16
#define SUMS 16
#define INLINE static inline __attribute__((always_inline))

/* --- packing -----------------------------------------------------------------------------------*/

static void pack32(const uint64_t *restrict in, unsigned width, uint32_t *restrict out)
{
    memset(out, 0, packed_bytes(width));
    for (unsigned row = 0; row < 32; row++) {
        unsigned bit = row * width, shift = bit % 32;
        const uint64_t *from = in + row * LANES32;
        uint32_t *low = out + bit / 32 * LANES32;
        for (unsigned i = 0; i < LANES32; i++) low[i] |= (uint32_t)from[i] << shift;
        if (shift + width <= 32) continue;
        for (unsigned i = 0; i < LANES32; i++)
            low[LANES32 + i] = (uint32_t)from[i] >> (32 - shift);
    }
}

static void pack64(const uint64_t *restrict in, unsigned width, uint64_t *restrict out)
{
    memset(out, 0, packed_bytes(width));
    for (unsigned row = 0; row < 64; row++) {
        unsigned bit = row * width, shift = bit % 64;
        const uint64_t *from = in + row * LANES64;
        uint64_t *low = out + bit / 64 * LANES64;
        for (unsigned i = 0; i < LANES64; i++) low[i] |= from[i] << shift;
        if (shift + width <= 64) continue;
        for (unsigned i = 0; i < LANES64; i++) low[LANES64 + i] = from[i] >> (64 - shift);
    }
}

static void pack(const uint64_t *in, unsigned width, void *packed)
{
    if (width == 0) return;
    if (width <= 32)
        pack32(in, width, packed);
    else
        pack64(in, width, packed);
}

/* Row `row` of 32 lanes; width is 1..32. */
INLINE void row32(const uint32_t *restrict in, unsigned width, unsigned row,
                  uint32_t *restrict out)
{
    unsigned bit = row * width, shift = bit % 32;
    uint32_t mask = UINT32_MAX >> (32 - width);
    const uint32_t *low = in + bit / 32 * LANES32;
    if (shift + width <= 32) {
        for (unsigned i = 0; i < LANES32; i++) out[i] = low[i] >> shift & mask;
    } else {
        unsigned rest = 32 - shift;
        for (unsigned i = 0; i < LANES32; i++)
            out[i] = (low[i] >> shift | low[LANES32 + i] << rest) & mask;
    }
}

/* Row `row` of 16 lanes; width is 33..64. */
INLINE void row64(const uint64_t *restrict in, unsigned width, unsigned row, uint64_t base,
                  uint64_t *restrict out)
{
    unsigned bit = row * width, shift = bit % 64;
    uint64_t mask = UINT64_MAX >> (64 - width);
    const uint64_t *low = in + bit / 64 * LANES64;
    if (shift + width <= 64) {
        for (unsigned i = 0; i < LANES64; i++) out[i] = (low[i] >> shift & mask) + base;
    } else {
        unsigned rest = 64 - shift;
        for (unsigned i = 0; i < LANES64; i++)
            out[i] = ((low[i] >> shift | low[LANES64 + i] << rest) & mask) + base;
    }
}

static void unpack32(const void *packed, unsigned width, uint32_t *out)
{
    if (width == 0) {
        memset(out, 0, KERNEL_ROWS * sizeof *out);
        return;
    }
    for (unsigned row = 0; row < 32; row++) row32(packed, width, row, out + row * LANES32);
}

static void unpack(const void *packed, unsigned width, uint64_t base, uint64_t *out)
{
    if (width == 0) {
        for (unsigned i = 0; i < KERNEL_ROWS; i++) out[i] = base;
    } else if (width <= 32) {
        for (unsigned row = 0; row < 32; row++) {
            uint32_t part[LANES32];
            row32(packed, width, row, part);
            for (unsigned i = 0; i < LANES32; i++) out[row * LANES32 + i] = base + part[i];
        }
    } else {
        for (unsigned row = 0; row < 64; row++)
            row64(packed, width, row, base, out + row * LANES64);
    }
}

/* --- selecting ---------------------------------------------------------------------------------*/

/* 64 bytes, each 0 or 1, as the bits of a word. */
INLINE uint64_t gather_bits(const uint8_t *bytes)
{
    uint64_t word = 0;
#ifdef __SSE2__
    for (unsigned i = 0; i < 4; i++) {
        __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i));
        word |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_slli_epi16(part, 7)) << 16 * i;
    }
#else
    for (unsigned i = 0; i < 64; i++) word |= (uint64_t)bytes[i] << i;
#endif
    return word;
}

static void select_packed32(const uint32_t *in, unsigned width, uint32_t min, uint32_t span,
                            uint64_t *selected)
{
    for (unsigned word = 0; word < KERNEL_WORDS; word++) {
        uint8_t bytes[64];
        for (unsigned half = 0; half < 2; half++) {
            uint32_t part[LANES32];
            row32(in, width, word * 2 + half, part);
            for (unsigned i = 0; i < LANES32; i++)
                bytes[half * LANES32 + i] = part[i] - min <= span;
        }
        selected[word] = gather_bits(bytes);
    }
}

static void select_packed64(const uint64_t *in, unsigned width, uint64_t min, uint64_t span,
                            uint64_t *selected)
{
    for (unsigned word = 0; word < KERNEL_WORDS; word++) {
        uint8_t bytes[64];
        for (unsigned quarter = 0; quarter < 4; quarter++) {
            uint64_t part[LANES64];
            row64(in, width, word * 4 + quarter, 0, part);
            for (unsigned i = 0; i < LANES64; i++)
                bytes[quarter * LANES64 + i] = part[i] - min <= span;
        }
        selected[word] = gather_bits(bytes);
    }
}

static void select_packed(const void *packed, unsigned width, uint64_t min, uint64_t max,
                          uint64_t *selected)
{
    uint64_t limit = width == 0 ? 0 : UINT64_MAX >> (64 - width);
    if (max > limit) max = limit;
    if (min > max) {
        memset(selected, 0, KERNEL_WORDS * sizeof *selected);
    } else if (min == 0 && max == limit) {
        memset(selected, 0xff, KERNEL_WORDS * sizeof *selected);
    } else if (width <= 32) {
        select_packed32(packed, width, (uint32_t)min, (uint32_t)(max - min), selected);
    } else {
        select_packed64(packed, width, min, max - min, selected);
    }
}

static void select_integers(const uint64_t *in, uint64_t min, uint64_t max, uint64_t *selected)
{
    uint64_t span = max - min;
    for (unsigned word = 0; word < KERNEL_WORDS; word++) {
        uint8_t bytes[64];
        for (unsigned i = 0; i < 64; i++) bytes[i] = in[word * 64 + i] - min <= span;
        selected[word] = gather_bits(bytes);
    }
}

static void select_doubles(const double *in, double min, double max, bool nan, uint64_t *selected)
{
    for (unsigned word = 0; word < KERNEL_WORDS; word++) {
        uint8_t bytes[64];
        const double *x = in + word * 64;
        for (unsigned i = 0; i < 64; i++) bytes[i] = (x[i] >= min) & (x[i] <= max);
        if (nan)
            for (unsigned i = 0; i < 64; i++) bytes[i] |= x[i] != x[i];
        selected[word] = gather_bits(bytes);
    }
}

/* --- decoding ----------------------------------------------------------------------------------*/

static void add_line(uint64_t *out, int64_t slope, unsigned fraction_bits)
{
    if (fraction_bits == 0) {
        for (unsigned i = 0; i < KERNEL_ROWS; i++) out[i] += (uint64_t)slope * i;
        return;
    }
    for (unsigned i = 0; i < KERNEL_ROWS; i++)
        out[i] += (uint64_t)((slope * (int64_t)i) >> fraction_bits);
}

/* The nearest double, exact up to 2^53, without the conversion that only AVX-512 has: the halves
 * become the mantissas of doubles near 2^84 and 2^52. */
INLINE double double_of(uint64_t integer)
{
    uint64_t flipped = integer ^ (uint64_t)1 << 63; /* integer + 2^63, unsigned */
    uint64_t high_bits = flipped >> 32 | 0x4530000000000000;
    uint64_t low_bits = (flipped & UINT32_MAX) | 0x4330000000000000;
    double high, low;
    memcpy(&high, &high_bits, sizeof high);
    memcpy(&low, &low_bits, sizeof low);
    return (high - (0x1p84 + 0x1p63 + 0x1p52)) + low;
}

static void scale(const uint64_t *in, double a, double b, double *out)
{
    for (unsigned i = 0; i < KERNEL_ROWS; i++) out[i] = double_of(in[i]) * a * b;
}

static void narrow_floats(const double *in, uint64_t *out)
{
    for (unsigned i = 0; i < KERNEL_ROWS; i++) {
        float narrow = (float)in[i];
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        out[i] = bits;
    }
}

static void widen_floats(const uint64_t *in, double *out)
{
    for (unsigned i = 0; i < KERNEL_ROWS; i++) {
        uint32_t bits = (uint32_t)in[i];
        float narrow;
        memcpy(&narrow, &bits, sizeof narrow);
        out[i] = (double)narrow;
    }
}

static void look_up(const uint64_t *dictionary, const uint32_t *codes, uint64_t *out)
{
    for (unsigned i = 0; i < KERNEL_ROWS; i++) out[i] = dictionary[codes[i]];
}

/* --- sums and extremes ---------------------------------------------------------------------------
 *
 * mask[i]: all ones if bit i of the 16 is set. */
INLINE void spread(uint64_t bits, uint64_t *mask)
{
    for (unsigned i = 0; i < SUMS; i++) mask[i] = 0 - (bits >> i & 1);
}

/* The four quarters of every word that has any bit. */
#define FOR_SELECTED_QUARTERS(selected, row, bits)                                      \
    for (unsigned word_ = 0; word_ < KERNEL_WORDS; word_++)                             \
        if (selected[word_])                                                            \
            for (unsigned row = word_ * 64, end_ = row + 64; row < end_; row += SUMS)   \
                for (uint64_t bits = selected[word_] >> row % 64 & 0xffff, once_ = 1; once_; \
                     once_ = 0)

INLINE uint64_t sum_halves(const uint64_t *in, const uint64_t *selected, uint64_t flip,
                           uint64_t *high, uint64_t *low)
{
    uint64_t highs[SUMS] = {0}, lows[SUMS] = {0}, mask[SUMS], count = 0;
    FOR_SELECTED_QUARTERS (selected, row, bits) {
        spread(bits, mask);
        for (unsigned i = 0; i < SUMS; i++) {
            uint64_t x = (in[row + i] ^ flip) & mask[i];
            highs[i] += x >> 32;
            lows[i] += x & UINT32_MAX;
        }
        count += (uint64_t)__builtin_popcountl(bits);
    }
    *high = *low = 0;
    for (unsigned i = 0; i < SUMS; i++) {
        *high += highs[i];
        *low += lows[i];
    }
    return count;
}

static void sum_signed(const int64_t *in, const uint64_t *selected, int64_t *high, uint64_t *low)
{
    uint64_t flipped_high;
    uint64_t count = sum_halves((const uint64_t *)in, selected, (uint64_t)1 << 63, &flipped_high,
                                low);
    *high = (int64_t)(flipped_high - (count << 31)); /* each was 2^63 too large */
}

static void sum_unsigned(const uint64_t *in, const uint64_t *selected, uint64_t *high,
                         uint64_t *low)
{
    sum_halves(in, selected, 0, high, low);
}

static double sum_doubles(const double *in, const uint64_t *selected)
{
    double sums[SUMS] = {0};
    uint64_t mask[SUMS];
    FOR_SELECTED_QUARTERS (selected, row, bits) {
        spread(bits, mask);
        for (unsigned i = 0; i < SUMS; i++) {
            uint64_t x;
            double d;
            memcpy(&x, &in[row + i], sizeof x);
            x &= mask[i];
            memcpy(&d, &x, sizeof d);
            sums[i] += d;
        }
    }
    for (unsigned step = SUMS / 2; step; step /= 2)
        for (unsigned i = 0; i < step; i++) sums[i] += sums[i + step];
    return sums[0];
}

#define EXTREMES(name, type, lowest, highest)                                            \
    static void name(const type *in, const uint64_t *selected, type *min, type *max)     \
    {                                                                                    \
        type mins[SUMS], maxs[SUMS];                                                     \
        uint64_t mask[SUMS];                                                             \
        for (unsigned i = 0; i < SUMS; i++) mins[i] = highest, maxs[i] = lowest;         \
        FOR_SELECTED_QUARTERS (selected, row, bits) {                                    \
            spread(bits, mask);                                                          \
            for (unsigned i = 0; i < SUMS; i++) {                                        \
                type x = in[row + i];                                                    \
                type down = mask[i] ? x : highest, up = mask[i] ? x : lowest;            \
                mins[i] = down < mins[i] ? down : mins[i];                               \
                maxs[i] = up > maxs[i] ? up : maxs[i];                                   \
            }                                                                            \
        }                                                                                \
        for (unsigned i = 0; i < SUMS; i++) {                                            \
            *min = mins[i] < *min ? mins[i] : *min;                                      \
            *max = maxs[i] > *max ? maxs[i] : *max;                                      \
        }                                                                                \
    }
EXTREMES(extremes_signed, int64_t, INT64_MIN, INT64_MAX)
EXTREMES(extremes_unsigned, uint64_t, 0, UINT64_MAX)
EXTREMES(extremes_doubles, double, -__builtin_inf(), __builtin_inf())

/* --- moving elements ---------------------------------------------------------------------------*/

static size_t compress(const uint64_t *in, const uint64_t *selected, uint64_t *out)
{
    size_t count = 0;
    for (unsigned word = 0; word < KERNEL_WORDS; word++)
        for (uint64_t bits = selected[word]; bits; bits &= bits - 1)
            out[count++] = in[word * 64 + (unsigned)__builtin_ctzl(bits)];
    return count;
}

static size_t positions(const uint64_t *selected, uint16_t *out)
{
    size_t count = 0;
    for (unsigned word = 0; word < KERNEL_WORDS; word++) {
        if (selected[word] == UINT64_MAX) { /* most words of a query without `where` */
            for (unsigned i = 0; i < 64; i++) out[count + i] = (uint16_t)(word * 64 + i);
            count += 64;
            continue;
        }
        for (uint64_t bits = selected[word]; bits; bits &= bits - 1)
            out[count++] = (uint16_t)(word * 64 + (unsigned)__builtin_ctzl(bits));
    }
    return count;
}

#define WIDEN(type, wide)                                                   \
    for (size_t i = 0; i < count; i++) out[i] = (uint64_t)(wide)((const type *)in)[i]

static void widen(const void *in, unsigned bytes, bool is_signed, size_t count, uint64_t *out)
{
    switch (bytes) {
    case 1:
        if (is_signed)
            WIDEN(int8_t, int64_t);
        else
            WIDEN(uint8_t, uint64_t);
        break;
    case 2:
        if (is_signed)
            WIDEN(int16_t, int64_t);
        else
            WIDEN(uint16_t, uint64_t);
        break;
    case 4:
        if (is_signed)
            WIDEN(int32_t, int64_t);
        else
            WIDEN(uint32_t, uint64_t);
        break;
    default: memcpy(out, in, count * sizeof *out);
    }
}

#define NARROW(type)                                                        \
    for (size_t i = 0; i < count; i++) ((type *)out)[i] = (type)in[i]

static void narrow(const uint64_t *in, unsigned bytes, size_t count, void *out)
{
    switch (bytes) {
    case 1: NARROW(uint8_t); break;
    case 2: NARROW(uint16_t); break;
    case 4: NARROW(uint32_t); break;
    default: memcpy(out, in, count * sizeof *in);
    }
}

extern const struct table_kernels JOIN(table_kernels_, KERNEL_SUFFIX);
const struct table_kernels JOIN(table_kernels_, KERNEL_SUFFIX) = {
    .level = KERNEL_ID,
    .pack = pack,
    .unpack = unpack,
    .unpack32 = unpack32,
    .select_packed = select_packed,
    .select_integers = select_integers,
    .select_doubles = select_doubles,
    .add_line = add_line,
    .scale = scale,
    .narrow_floats = narrow_floats,
    .widen_floats = widen_floats,
    .look_up = look_up,
    .sum_signed = sum_signed,
    .sum_unsigned = sum_unsigned,
    .sum_doubles = sum_doubles,
    .extremes_signed = extremes_signed,
    .extremes_unsigned = extremes_unsigned,
    .extremes_doubles = extremes_doubles,
    .compress = compress,
    .positions = positions,
    .widen = widen,
    .narrow = narrow,
};
