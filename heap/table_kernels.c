/* table_kernels.c - the loops over vectors; compiled once for each level of the CPU.
 *
 * Plain loops with fixed trip counts over 16 or 32 lanes, which compilers turn into vector code of
 * whatever width the level has. Nothing here depends on that width: each result is defined element
 * by element, and sums of doubles have 16 partial sums whatever the machine.
 *
 * The build defines KERNEL_SUFFIX (generic, v3, v4) and KERNEL_ID. */
#include "heap/table_kernels.h"

#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>
#elif defined(__SSE2__)
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

/* Each word of the output is gathered before it is written, once. */
#define PACK(name, word, lanes)                                                                  \
    static void name(const uint64_t *restrict in, unsigned width, uint64_t base,                 \
                     word *restrict out)                                                         \
    {                                                                                            \
        enum { BITS = sizeof(word) * 8 };                                                        \
        word gathered[lanes] = {0}, part[lanes];                                                 \
        unsigned used = 0; /* bits of `gathered` */                                              \
        for (unsigned row = 0; row < BITS; row++, in += lanes) {                                 \
            for (unsigned i = 0; i < lanes; i++) part[i] = (word)in[i] - (word)base;             \
            for (unsigned i = 0; i < lanes; i++) gathered[i] |= part[i] << used;                 \
            used += width;                                                                       \
            if (used < BITS) continue;                                                           \
            for (unsigned i = 0; i < lanes; i++) out[i] = gathered[i];                           \
            out += lanes;                                                                        \
            used -= BITS;                                                                        \
            for (unsigned i = 0; i < lanes; i++)                                                 \
                gathered[i] = used ? part[i] >> (width - used) : 0;                              \
        }                                                                                        \
    }
PACK(pack32, uint32_t, LANES32)
PACK(pack64, uint64_t, LANES64)

static void pack(const uint64_t *in, unsigned width, uint64_t base, void *packed)
{
    if (width == 0) return;
    if (width <= 32)
        pack32(in, width, base, packed);
    else
        pack64(in, width, base, packed);
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

/* Folds 64 elements into 16 least and greatest ones. Where a loop keeps an extreme of what it has
 * seen, GCC turns it round and shuffles every element; vectors say what is meant. Several of them
 * are folded side by side, so that none waits for the one before it. Without instructions for these
 * the loop is better. */
#if defined(__AVX512F__) || defined(__AVX2__)
#ifdef __AVX512F__
#define WIDE 8
#else
#define WIDE 4
#endif
typedef int64_t signed_wide __attribute__((vector_size(WIDE * 8), aligned(8), may_alias));
typedef uint64_t unsigned_wide __attribute__((vector_size(WIDE * 8), aligned(8), may_alias));
typedef double double_wide __attribute__((vector_size(WIDE * 8), aligned(8), may_alias));
#define AT(wide, at) (*(wide *)(void *)(at))
#define AT_CONST(wide, at) (*(const wide *)(const void *)(at))
/* `mask`, all ones or zeros: a or b. */
#define CHOOSE(wide, mask, a, b)                                                               \
    ((wide)(((signed_wide)(a) & (signed_wide)(mask)) | ((signed_wide)(b) & ~(signed_wide)(mask))))
#ifdef __AVX512F__
INLINE signed_wide lesser_signed_wide(signed_wide a, signed_wide b)
{
    return (signed_wide)_mm512_min_epi64((__m512i)a, (__m512i)b);
}
INLINE signed_wide greater_signed_wide(signed_wide a, signed_wide b)
{
    return (signed_wide)_mm512_max_epi64((__m512i)a, (__m512i)b);
}
INLINE unsigned_wide lesser_unsigned_wide(unsigned_wide a, unsigned_wide b)
{
    return (unsigned_wide)_mm512_min_epu64((__m512i)a, (__m512i)b);
}
INLINE unsigned_wide greater_unsigned_wide(unsigned_wide a, unsigned_wide b)
{
    return (unsigned_wide)_mm512_max_epu64((__m512i)a, (__m512i)b);
}
/* a < b ? a : b, as it says, with NaN and zeros too. */
INLINE double_wide lesser_double_wide(double_wide a, double_wide b)
{
    return (double_wide)_mm512_min_pd((__m512d)a, (__m512d)b);
}
INLINE double_wide greater_double_wide(double_wide a, double_wide b)
{
    return (double_wide)_mm512_max_pd((__m512d)a, (__m512d)b);
}
#else
#define CHOICES(wide)                                                                          \
    INLINE wide lesser_##wide(wide a, wide b) { return CHOOSE(wide, a < b, a, b); }            \
    INLINE wide greater_##wide(wide a, wide b) { return CHOOSE(wide, a > b, a, b); }
CHOICES(signed_wide)
CHOICES(unsigned_wide)
CHOICES(double_wide)
#endif
#define FOLD_WORD(type, wide, in, mins, maxs)                                                  \
    for (unsigned part_ = 0; part_ < SUMS; part_ += 2 * WIDE) {                                \
        wide low0 = AT(wide, mins + part_), low1 = AT(wide, mins + part_ + WIDE);              \
        wide high0 = AT(wide, maxs + part_), high1 = AT(wide, maxs + part_ + WIDE);            \
        for (unsigned row_ = part_; row_ < 64; row_ += SUMS) {                                 \
            wide x0 = AT_CONST(wide, (in) + row_), x1 = AT_CONST(wide, (in) + row_ + WIDE);    \
            low0 = lesser_##wide(x0, low0), low1 = lesser_##wide(x1, low1);                    \
            high0 = greater_##wide(x0, high0), high1 = greater_##wide(x1, high1);              \
        }                                                                                      \
        AT(wide, mins + part_) = low0, AT(wide, mins + part_ + WIDE) = low1;                   \
        AT(wide, maxs + part_) = high0, AT(wide, maxs + part_ + WIDE) = high1;                 \
    }
#else
#define FOLD_WORD(type, wide, in, mins, maxs)                                            \
    for (unsigned row = 0; row < 64; row += SUMS)                                        \
        for (unsigned i = 0; i < SUMS; i++) {                                            \
            type x = (in)[row + i];                                                      \
            mins[i] = x < mins[i] ? x : mins[i];                                         \
            maxs[i] = x > maxs[i] ? x : maxs[i];                                         \
        }
#endif

#define EXTREMES(name, type, wide, lowest, highest)                                            \
    static void name(const type *in, const uint64_t *selected, type *min, type *max)     \
    {                                                                                    \
        type mins[SUMS], maxs[SUMS];                                                     \
        uint64_t mask[SUMS];                                                             \
        for (unsigned i = 0; i < SUMS; i++) mins[i] = highest, maxs[i] = lowest;         \
        for (unsigned word = 0; word < KERNEL_WORDS; word++) {                           \
            if (selected[word] == UINT64_MAX) {                                          \
                FOLD_WORD(type, wide, in + word * 64, mins, maxs);                       \
                continue;                                                                \
            }                                                                            \
            if (!selected[word]) continue;                                               \
            for (unsigned row = word * 64; row < word * 64 + 64; row += SUMS) {          \
                spread(selected[word] >> row % 64, mask);                                \
                for (unsigned i = 0; i < SUMS; i++) {                                    \
                    type x = in[row + i];                                                \
                    type down = mask[i] ? x : highest, up = mask[i] ? x : lowest;        \
                    mins[i] = down < mins[i] ? down : mins[i];                           \
                    maxs[i] = up > maxs[i] ? up : maxs[i];                               \
                }                                                                        \
            }                                                                            \
        }                                                                                \
        for (unsigned step = SUMS / 2; step; step /= 2)                                  \
            for (unsigned i = 0; i < step; i++) {                                        \
                mins[i] = mins[i + step] < mins[i] ? mins[i + step] : mins[i];           \
                maxs[i] = maxs[i + step] > maxs[i] ? maxs[i + step] : maxs[i];           \
            }                                                                            \
        *min = mins[0] < *min ? mins[0] : *min;                                          \
        *max = maxs[0] > *max ? maxs[0] : *max;                                          \
    }
EXTREMES(extremes_signed, int64_t, signed_wide, INT64_MIN, INT64_MAX)
EXTREMES(extremes_unsigned, uint64_t, unsigned_wide, 0, UINT64_MAX)
EXTREMES(extremes_doubles, double, double_wide, -__builtin_inf(), __builtin_inf())

/* --- encoding ----------------------------------------------------------------------------------*/

static unsigned runs(const uint64_t *in)
{
    unsigned count = 1;
    for (unsigned i = 1; i < SUMS; i++) count += in[i] != in[i - 1];
#ifdef __AVX512F__
    __m512i before = _mm512_loadu_si512(in + SUMS - WIDE);
    for (unsigned row = SUMS; row < KERNEL_ROWS; row += WIDE) {
        __m512i x = _mm512_loadu_si512(in + row);
        __m512i neighbours = _mm512_alignr_epi64(x, before, WIDE - 1);
        count += (unsigned)__builtin_popcount(_mm512_cmpneq_epi64_mask(x, neighbours));
        before = x;
    }
#else
    uint64_t counts[SUMS] = {0};
    for (unsigned row = SUMS; row < KERNEL_ROWS; row += SUMS)
        for (unsigned i = 0; i < SUMS; i++) counts[i] += in[row + i] != in[row + i - 1];
    for (unsigned i = 0; i < SUMS; i++) count += (unsigned)counts[i];
#endif
    return count;
}

static void differences(const uint64_t *in, uint64_t origin, int64_t *least, int64_t *most)
{
    int64_t mins[SUMS] = {0}, maxs[SUMS] = {0};
#if defined(__AVX512F__) || defined(__AVX2__)
    enum { PARTS = SUMS / WIDE };
    signed_wide low[PARTS] = {{0}}, high[PARTS] = {{0}};
    for (unsigned row = 0; row < KERNEL_ROWS; row += SUMS)
        for (unsigned i = 0; i < PARTS; i++) {
            signed_wide x = (signed_wide)(AT_CONST(unsigned_wide, in + row + i * WIDE) - origin);
            low[i] = lesser_signed_wide(x, low[i]);
            high[i] = greater_signed_wide(x, high[i]);
        }
    memcpy(mins, low, sizeof mins);
    memcpy(maxs, high, sizeof maxs);
#else
    for (unsigned word = 0; word < KERNEL_WORDS; word++) {
        int64_t part[64];
        for (unsigned i = 0; i < 64; i++) part[i] = (int64_t)(in[word * 64 + i] - origin);
        FOLD_WORD(int64_t, signed_wide, part, mins, maxs);
    }
#endif
    for (unsigned step = SUMS / 2; step; step /= 2)
        for (unsigned i = 0; i < step; i++) {
            mins[i] = mins[i + step] < mins[i] ? mins[i + step] : mins[i];
            maxs[i] = maxs[i + step] > maxs[i] ? maxs[i + step] : maxs[i];
        }
    *least = mins[0];
    *most = maxs[0];
}

/* Rows between two looks at whether there are enough. */
#define COUNTED_ROWS 256

/* How many of COUNTED_ROWS. */
INLINE unsigned count_rows_beyond(const uint64_t *in, uint64_t base, unsigned width)
{
#ifdef __AVX512F__
    const __m512i origin = _mm512_set1_epi64((int64_t)base);
    const __m512i most = _mm512_set1_epi64((int64_t)(((uint64_t)1 << width) - 1));
    unsigned count = 0;
    for (unsigned row = 0; row < COUNTED_ROWS; row += WIDE) {
        __m512i x = _mm512_sub_epi64(_mm512_loadu_si512(in + row), origin);
        count += (unsigned)__builtin_popcount(_mm512_cmpgt_epu64_mask(x, most));
    }
    return count;
#else
    uint64_t counts[SUMS] = {0};
    unsigned within = 0;
    for (unsigned row = 0; row < COUNTED_ROWS; row += SUMS)
        for (unsigned i = 0; i < SUMS; i++) counts[i] += (in[row + i] - base) >> width == 0;
    for (unsigned i = 0; i < SUMS; i++) within += (unsigned)counts[i];
    return COUNTED_ROWS - within;
#endif
}

static unsigned count_beyond(const uint64_t *in, uint64_t base, unsigned width, unsigned enough)
{
    unsigned beyond = 0;
    if (width >= 64) return 0;
    for (unsigned row = 0; row < KERNEL_ROWS && beyond < enough; row += COUNTED_ROWS)
        beyond += count_rows_beyond(in + row, base, width);
    return beyond;
}

/* The shift of a sum with 2^63 is a logical one, which every level has. */
static void subtract_line(const uint64_t *restrict in, int64_t slope, unsigned fraction_bits,
                          uint64_t *restrict out)
{
    const uint64_t sign = (uint64_t)1 << 63, back = sign >> fraction_bits;
    for (unsigned i = 0; i < KERNEL_ROWS; i++)
        out[i] = in[i] - ((((uint64_t)slope * i + sign) >> fraction_bits) - back);
}

static double half_difference(const uint64_t *in)
{
    double sums[SUMS] = {0};
    for (unsigned row = 0; row < KERNEL_ROWS / 2; row += SUMS)
        for (unsigned i = 0; i < SUMS; i++)
            sums[i] += double_of(in[KERNEL_ROWS / 2 + row + i] - in[row + i]);
    for (unsigned step = SUMS / 2; step; step /= 2)
        for (unsigned i = 0; i < step; i++) sums[i] += sums[i + step];
    return sums[0] / (KERNEL_ROWS / 2);
}

INLINE uint64_t bits_of_double(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

INLINE double double_of_lane(uint64_t lane, bool is_f32)
{
    double d;
    float narrow;
    uint32_t bits = (uint32_t)lane;
    memcpy(&narrow, &bits, sizeof narrow);
    memcpy(&d, &lane, sizeof d);
    return is_f32 ? (double)narrow : d;
}

INLINE uint64_t lane_of_double(double d, bool is_f32)
{
    float narrow = (float)d;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return is_f32 ? bits : bits_of_double(d);
}

#define ROUNDING 0x1.8p52 /* to add it rounds what is below 2^51 */

/* What differs between the lane and what the integer gives back; not 0, too, if no integer would
 * be right. */
INLINE uint64_t alp_integer(uint64_t lane, bool is_f32, const double *factors, uint64_t *integer)
{
    double scaled = double_of_lane(lane, is_f32) * factors[0] * factors[1];
    double shifted = scaled + ROUNDING, rounded = shifted - ROUNDING;
    uint64_t out_of_range = !(__builtin_fabs(scaled) < 0x1p51);
    *integer = bits_of_double(shifted) - bits_of_double(ROUNDING);
    return (lane_of_double(rounded * factors[2] * factors[3], is_f32) ^ lane) | out_of_range;
}

/* The same. The conversion is that of C, which cuts the fraction off: the mantissa, with one bit
 * more for 2^53, is shifted to its place. */
INLINE uint64_t fix_integer(uint64_t lane, bool is_f32, const double *factors, uint64_t *integer)
{
    double scaled = double_of_lane(lane, is_f32) * factors[0];
    uint64_t bits = bits_of_double(scaled), exponent = bits >> 52 & 2047;
    uint64_t mantissa = ((bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52) << 1;
    uint64_t shift = exponent > 1023 + 53 ? 0 : 1023 + 53 - exponent, sign = 0 - (bits >> 63);
    uint64_t out_of_range = !(__builtin_fabs(scaled) <= 0x1p53);
    uint64_t whole = shift < 64 ? mantissa >> (shift & 63) : 0;
    *integer = (whole ^ sign) - sign;
    return (lane_of_double(double_of(*integer) * factors[1], is_f32) ^ lane) | out_of_range;
}

/* Mostly nothing fails, and then there is one loop, and no bits are gathered. */
#define INTEGERS(name, integer_of, is_f32)                                                      \
    static void name(const uint64_t *restrict lanes, const double *factors,                      \
                     uint64_t *restrict integers, uint64_t *restrict failed)                     \
    {                                                                                            \
        const double f[4] = {factors[0], factors[1], factors[2], factors[3]};                    \
        for (unsigned word = 0; word < KERNEL_WORDS; word++) {                                   \
            uint64_t wrong[64], all = 0;                                                         \
            uint8_t bytes[64];                                                                   \
            for (unsigned i = 0; i < 64; i++) {                                                  \
                unsigned at = word * 64 + i;                                                     \
                wrong[i] = integer_of(lanes[at], is_f32, f, &integers[at]);                      \
                all |= wrong[i];                                                                 \
            }                                                                                    \
            failed[word] = 0;                                                                    \
            if (!all) continue;                                                                  \
            for (unsigned i = 0; i < 64; i++) bytes[i] = wrong[i] != 0;                          \
            failed[word] = gather_bits(bytes);                                                   \
        }                                                                                        \
    }
INTEGERS(alp_integers_f64, alp_integer, false)
INTEGERS(alp_integers_f32, alp_integer, true)
INTEGERS(fix_integers_f64, fix_integer, false)
INTEGERS(fix_integers_f32, fix_integer, true)

static void alp_integers(const uint64_t *lanes, bool is_f32, const double *factors,
                         uint64_t *integers, uint64_t *failed)
{
    (is_f32 ? alp_integers_f32 : alp_integers_f64)(lanes, factors, integers, failed);
}

static void fix_integers(const uint64_t *lanes, bool is_f32, const double *factors,
                         uint64_t *integers, uint64_t *failed)
{
    (is_f32 ? fix_integers_f32 : fix_integers_f64)(lanes, factors, integers, failed);
}

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
    .runs = runs,
    .differences = differences,
    .count_beyond = count_beyond,
    .subtract_line = subtract_line,
    .half_difference = half_difference,
    .alp_integers = alp_integers,
    .fix_integers = fix_integers,
    .compress = compress,
    .positions = positions,
    .widen = widen,
    .narrow = narrow,
};
