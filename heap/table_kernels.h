/* table_kernels.h - loops over vectors, compiled for several levels of the CPU.
 *
 * heap/table_kernels.c is compiled once for the plain architecture and, on x86-64, for the levels
 * v3 (AVX2) and v4 (AVX-512) too. Every kernel gives the same bits at every level: no contraction
 * to fused operations, and sums of doubles in 16 partial sums, element i into sum i % 16, added
 * up in one fixed order.
 *
 * A vector is 1,024 elements, always all of them (callers mask the rest by bitmaps); a bitmap is 16
 * words, element 0 the lowest bit of the first. Pointers to elements need their natural
 * alignment. */
#ifndef CAIRN_HEAP_TABLE_KERNELS_H
#define CAIRN_HEAP_TABLE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_ROWS 1024
#define KERNEL_WORDS (KERNEL_ROWS / 64)

#define KERNEL_LEVELS(X)                   \
    X(GENERIC, generic, "generic")         \
    X(V3, v3, "x86-64-v3")                 \
    X(V4, v4, "x86-64-v4")
enum kernel_level {
#define X(name, suffix, text) KERNEL_##name,
    KERNEL_LEVELS(X) KERNEL_LEVEL_COUNT
#undef X
};

/* Bytes of 1,024 packed integers. */
static inline size_t packed_bytes(unsigned width) { return (size_t)width * 128; }

struct table_kernels {
    enum kernel_level level;

    /* Interleaved bit-packing of in[i] - base, wrapping; widths 0..64, which that must fit. Packed
     * data is 8-byte aligned. */
    void (*pack)(const uint64_t *in, unsigned width, uint64_t base, void *packed);
    /* out[i] = base + packed[i], wrapping */
    void (*unpack)(const void *packed, unsigned width, uint64_t base, uint64_t *out);
    /* Widths up to 32. */
    void (*unpack32)(const void *packed, unsigned width, uint32_t *out);
    /* Bit i: min <= packed[i] <= max, unsigned. */
    void (*select_packed)(const void *packed, unsigned width, uint64_t min, uint64_t max,
                          uint64_t *selected);
    /* Bit i: in[i] - min <= max - min, unsigned: for signed and unsigned integers alike. */
    void (*select_integers)(const uint64_t *in, uint64_t min, uint64_t max, uint64_t *selected);
    /* Bit i: min <= in[i] <= max; or in[i] is NaN, if `nan`. */
    void (*select_doubles)(const double *in, double min, double max, bool nan,
                           uint64_t *selected);

    /* out[i] += (slope * i) >> fraction_bits, wrapping; the shift is arithmetic. */
    void (*add_line)(uint64_t *out, int64_t slope, unsigned fraction_bits);
    /* Signed integers to doubles: in[i] * a * b, in this order. In place, if the same. |in[i]| <
     * 2^53 gives no rounding before the multiplication. */
    void (*scale)(const uint64_t *in, double a, double b, double *out);
    /* The doubles that narrow to floats: bits of (float)in[i], zero-extended. */
    void (*narrow_floats)(const double *in, uint64_t *out);
    void (*widen_floats)(const uint64_t *in, double *out);
    void (*look_up)(const uint64_t *dictionary, const uint32_t *codes, uint64_t *out);

    /* Sums over selected elements. Integers: the 64-bit halves' sums, which cannot overflow:
     * sum = high * 2^32 + low. */
    void (*sum_signed)(const int64_t *in, const uint64_t *selected, int64_t *high, uint64_t *low);
    void (*sum_unsigned)(const uint64_t *in, const uint64_t *selected, uint64_t *high,
                         uint64_t *low);
    double (*sum_doubles)(const double *in, const uint64_t *selected);
    /* Extremes over selected elements, folded into *min and *max. Doubles: NaNs are passed over;
     * the caller finds them by select_doubles. */
    void (*extremes_signed)(const int64_t *in, const uint64_t *selected, int64_t *min,
                            int64_t *max);
    void (*extremes_unsigned)(const uint64_t *in, const uint64_t *selected, uint64_t *min,
                              uint64_t *max);
    void (*extremes_doubles)(const double *in, const uint64_t *selected, double *min,
                             double *max);
    /* How often an element differs from the one before it, and 1 for the first. */
    unsigned (*runs)(const uint64_t *in);
    /* The extremes of in[i] - origin, signed, and of 0. */
    void (*differences)(const uint64_t *in, uint64_t origin, int64_t *least, int64_t *most);
    /* How many of in[i] - base, unsigned, need more than `width` bits; if that is `enough` or more,
     * any number from there on. */
    unsigned (*count_beyond)(const uint64_t *in, uint64_t base, unsigned width, unsigned enough);
    /* What add_line undoes. */
    void (*subtract_line)(const uint64_t *in, int64_t slope, unsigned fraction_bits,
                          uint64_t *out);
    /* How much more the elements of the second half are than those of the first, signed, on
     * average; the same bits on every CPU. */
    double (*half_difference)(const uint64_t *in);
    /* Doubles (is_f32: floats) to integers, and which of them, bit i, these would not give back;
     * the integers of those mean nothing. alp: x * factors[0] * factors[1], rounded, and back by
     * factors[2] and factors[3]; below 2^51. fix: x * factors[0], whole, and back by factors[1];
     * up to 2^53; always four factors. */
    void (*alp_integers)(const uint64_t *lanes, bool is_f32, const double *factors,
                         uint64_t *integers, uint64_t *failed);
    void (*fix_integers)(const uint64_t *lanes, bool is_f32, const double *factors,
                         uint64_t *integers, uint64_t *failed);

    /* The selected elements, close together. Returns how many. `out` has room for 1,024. */
    size_t (*compress)(const uint64_t *in, const uint64_t *selected, uint64_t *out);
    /* The positions of the set bits. */
    size_t (*positions)(const uint64_t *selected, uint16_t *out);

    /* `count` elements of 1, 2, 4 or 8 bytes to lanes and back. */
    void (*widen)(const void *in, unsigned bytes, bool is_signed, size_t count, uint64_t *out);
    void (*narrow)(const uint64_t *in, unsigned bytes, size_t count, void *out);
};

/* The kernels in use: of the highest level that this CPU has; or of CAIRN_CPU_LEVEL (generic,
 * x86-64-v3, x86-64-v4), if the environment sets it to one that it has. */
const struct table_kernels *table_kernels(void);
/* Tests: use this level from now on. False if the CPU, or this build, does not have it. */
bool table_kernels_use(enum kernel_level level);
const char *kernel_level_name(enum kernel_level level);

static inline size_t bitmap_count(const uint64_t *words)
{
    size_t count = 0;
    for (unsigned i = 0; i < KERNEL_WORDS; i++) count += (size_t)__builtin_popcountl(words[i]);
    return count;
}
/* Sets the lowest `count` bits of a vector's bitmap, and clears the rest. */
static inline void bitmap_first(uint64_t *words, size_t count)
{
    for (size_t i = 0; i < KERNEL_WORDS; i++, count = count > 64 ? count - 64 : 0)
        words[i] = count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1;
}

#endif
