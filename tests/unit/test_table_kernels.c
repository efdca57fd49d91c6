/* Kernels of tables: every level that this machine has, against loops over single elements. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heap/table_kernels.h"
#include "tests/support/expect.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define ROWS KERNEL_ROWS

static uint64_t seed;

static uint64_t masked(unsigned width) { return width ? UINT64_MAX >> (64 - width) : 0; }

/* Values of a width: random, with all extremes among them. */
static void fill(uint64_t *values, unsigned width, uint64_t *random)
{
    for (unsigned i = 0; i < ROWS; i++) {
        uint64_t x = random_next(random);
        switch (random_below(random, 8)) {
        case 0: x = 0; break;
        case 1: x = UINT64_MAX; break;
        case 2: x = UINT64_MAX - 1; break;
        }
        values[i] = x & masked(width);
    }
}

static void random_bitmap(uint64_t *bits, uint64_t *random)
{
    for (unsigned i = 0; i < KERNEL_WORDS; i++)
        switch (random_below(random, 4)) {
        case 0: bits[i] = 0; break;
        case 1: bits[i] = UINT64_MAX; break;
        default: bits[i] = random_next(random) & random_next(random); break;
        }
}

static bool bit(const uint64_t *bits, unsigned i) { return bits[i / 64] >> i % 64 & 1; }

/* A double of any kind: every exponent, NaNs, infinities, zeros of both signs. */
static double any_double(uint64_t *random)
{
    static const double special[] = {0.0, -0.0, INFINITY, -INFINITY, 1, -1, 0x1p-1074, 0x1p1023};
    uint64_t bits = random_next(random);
    double d;
    if (random_below(random, 4) == 0) return special[random_below(random, 8)];
    memcpy(&d, &bits, sizeof d);
    return d;
}

#define FOR_LEVELS(k)                                                               \
    for (unsigned level_ = 0; level_ < KERNEL_LEVEL_COUNT; level_++)                \
        if (table_kernels_use((enum kernel_level)level_))                           \
            for (const struct table_kernels *k = table_kernels(); k; k = NULL)

START_TEST(every_width_packs_and_unpacks)
{
    uint64_t random = seed;
    for (unsigned width = 0; width <= 64; width++) {
        uint64_t values[ROWS], out[ROWS], base = random_next(&random);
        _Alignas(8) unsigned char packed[8192 + 8], first[8192];
        fill(values, width, &random);
        FOR_LEVELS(k)
        {
            memset(packed, 0xa5, sizeof packed);
            k->pack(values, width, 0, packed);
            expect(packed[packed_bytes(width)] == 0xa5, "width %u writes beyond", width);
            if (k->level == KERNEL_GENERIC) memcpy(first, packed, packed_bytes(width));
            expect(memcmp(packed, first, packed_bytes(width)) == 0,
                          "width %u is packed differently at %s", width,
                          kernel_level_name(k->level));
            k->unpack(packed, width, base, out);
            for (unsigned i = 0; i < ROWS; i++)
                expect(out[i] == base + values[i], "width %u, element %u at %s", width, i,
                              kernel_level_name(k->level));
            if (width > 32) continue;
            uint32_t narrow[ROWS];
            k->unpack32(packed, width, narrow);
            for (unsigned i = 0; i < ROWS; i++) expect_equal(narrow[i], values[i]);
        }
    }
}
END_TEST

START_TEST(packed_values_are_selected_by_range)
{
    uint64_t random = seed;
    for (unsigned round = 0; round < 65 * 8; round++) {
        unsigned width = round % 65;
        uint64_t values[ROWS], selected[KERNEL_WORDS];
        _Alignas(8) unsigned char packed[8192];
        fill(values, width, &random);
        uint64_t min = values[random_below(&random, ROWS)];
        uint64_t max = values[random_below(&random, ROWS)];
        if (random_below(&random, 4) == 0) max = random_next(&random);
        if (random_below(&random, 8) == 0) min = random_next(&random);
        FOR_LEVELS(k)
        {
            k->pack(values, width, 0, packed);
            k->select_packed(packed, width, min, max, selected);
            for (unsigned i = 0; i < ROWS; i++)
                expect(bit(selected, i) == (values[i] >= min && values[i] <= max),
                              "width %u, element %u at %s", width, i, kernel_level_name(k->level));
        }
    }
}
END_TEST

START_TEST(integers_and_doubles_are_selected_by_range)
{
    uint64_t random = seed;
    for (unsigned round = 0; round < 200; round++) {
        uint64_t values[ROWS], selected[KERNEL_WORDS];
        double doubles[ROWS];
        fill(values, 64, &random);
        for (unsigned i = 0; i < ROWS; i++) doubles[i] = any_double(&random);
        int64_t min = (int64_t)values[0], max = (int64_t)values[1];
        if (min > max) min = max;
        double low = doubles[random_below(&random, ROWS)];
        double high = doubles[random_below(&random, ROWS)];
        bool nan = random_below(&random, 2);
        FOR_LEVELS(k)
        {
            k->select_integers(values, (uint64_t)min, (uint64_t)max, selected);
            for (unsigned i = 0; i < ROWS; i++)
                expect_equal(bit(selected, i),
                                 (int64_t)values[i] >= min && (int64_t)values[i] <= max);
            k->select_doubles(doubles, low, high, nan, selected);
            for (unsigned i = 0; i < ROWS; i++)
                expect_equal(bit(selected, i), (doubles[i] >= low && doubles[i] <= high) ||
                                                       (nan && isnan(doubles[i])));
        }
    }
}
END_TEST

START_TEST(integers_are_summed_exactly)
{
    uint64_t random = seed;
    for (unsigned round = 0; round < 200; round++) {
        uint64_t values[ROWS], bits[KERNEL_WORDS];
        fill(values, 64, &random);
        random_bitmap(bits, &random);
        __int128 sum = 0;
        unsigned __int128 unsigned_sum = 0;
        int64_t least = INT64_MAX, most = INT64_MIN;
        uint64_t unsigned_least = UINT64_MAX, unsigned_most = 0;
        for (unsigned i = 0; i < ROWS; i++) {
            if (!bit(bits, i)) continue;
            int64_t x = (int64_t)values[i];
            sum += x;
            unsigned_sum += values[i];
            if (x < least) least = x;
            if (x > most) most = x;
            if (values[i] < unsigned_least) unsigned_least = values[i];
            if (values[i] > unsigned_most) unsigned_most = values[i];
        }
        FOR_LEVELS(k)
        {
            int64_t high, min = INT64_MAX, max = INT64_MIN;
            uint64_t unsigned_high, low, unsigned_min = UINT64_MAX, unsigned_max = 0;
            k->sum_signed((const int64_t *)values, bits, &high, &low);
            expect_true((__int128)high * ((__int128)1 << 32) + (__int128)low == sum);
            k->sum_unsigned(values, bits, &unsigned_high, &low);
            expect_true(((unsigned __int128)unsigned_high << 32) + low == unsigned_sum);
            k->extremes_signed((const int64_t *)values, bits, &min, &max);
            k->extremes_unsigned(values, bits, &unsigned_min, &unsigned_max);
            expect_true(min == least && max == most);
            expect_true(unsigned_min == unsigned_least && unsigned_max == unsigned_most);
        }
    }
}
END_TEST

/* The definition: 16 sums, then halves onto halves. */
static double sum_of(const double *in, const uint64_t *bits)
{
    volatile double sums[16] = {0};
    for (unsigned i = 0; i < ROWS; i++)
        if (bit(bits, i)) sums[i % 16] = sums[i % 16] + in[i];
    for (unsigned step = 8; step; step /= 2)
        for (unsigned i = 0; i < step; i++) sums[i] = sums[i] + sums[i + step];
    return sums[0];
}

START_TEST(doubles_are_summed_to_the_same_bits_everywhere)
{
    uint64_t random = seed;
    for (unsigned round = 0; round < 200; round++) {
        double doubles[ROWS];
        uint64_t bits[KERNEL_WORDS];
        random_bitmap(bits, &random);
        for (unsigned i = 0; i < ROWS; i++)
            doubles[i] = (double)(int64_t)random_next(&random) *
                         ldexp(1, (int)random_below(&random, 200) - 100);
        double sum = sum_of(doubles, bits), least = INFINITY, most = -INFINITY;
        for (unsigned i = 0; i < ROWS; i++) {
            if (bit(bits, i) && doubles[i] < least) least = doubles[i];
            if (bit(bits, i) && doubles[i] > most) most = doubles[i];
        }
        FOR_LEVELS(k)
        {
            double got = k->sum_doubles(doubles, bits), min = INFINITY, max = -INFINITY;
            expect(memcmp(&got, &sum, sizeof sum) == 0, "%.17g at %s, not %.17g", got,
                          kernel_level_name(k->level), sum);
            k->extremes_doubles(doubles, bits, &min, &max);
            expect_true(min == least && max == most);
        }
    }
}
END_TEST

START_TEST(integers_are_scaled_alike_everywhere)
{
    uint64_t random = seed;
    for (unsigned round = 0; round < 100; round++) {
        uint64_t values[ROWS];
        double out[ROWS];
        for (unsigned i = 0; i < ROWS; i++)
            values[i] = (uint64_t)((int64_t)random_next(&random) >> random_below(&random, 64));
        double a = ldexp(1, (int)random_below(&random, 60) - 30), b = 0.01;
        FOR_LEVELS(k)
        {
            k->scale(values, a, b, out);
            for (unsigned i = 0; i < ROWS; i++) {
                volatile double step = (double)(int64_t)values[i] * a;
                expect(out[i] == step * b, "%ld at %s", (long)values[i],
                              kernel_level_name(k->level));
            }
        }
    }
}
END_TEST

START_TEST(lines_floats_and_widths)
{
    uint64_t random = seed;
    for (unsigned round = 0; round < 100; round++) {
        uint64_t values[ROWS], copy[ROWS], floats[ROWS];
        uint32_t codes[ROWS];
        double doubles[ROWS];
        fill(values, 64, &random);
        int64_t slope = (int64_t)random_next(&random) >> 17;
        unsigned bits = (unsigned)random_below(&random, 17);
        for (unsigned i = 0; i < ROWS; i++) codes[i] = (uint32_t)random_below(&random, ROWS);
        for (unsigned i = 0; i < ROWS; i++) doubles[i] = any_double(&random);
        FOR_LEVELS(k)
        {
            memcpy(copy, values, sizeof copy);
            k->add_line(copy, slope, bits);
            for (unsigned i = 0; i < ROWS; i++)
                expect_equal(copy[i], values[i] + (uint64_t)((slope * (int64_t)i) >> bits));
            k->look_up(values, codes, copy);
            for (unsigned i = 0; i < ROWS; i++) expect_equal(copy[i], values[codes[i]]);
            k->narrow_floats(doubles, floats);
            for (unsigned i = 0; i < ROWS; i++) {
                float f = (float)doubles[i];
                if (!isnan(doubles[i])) expect_true(memcmp(&f, &floats[i], sizeof f) == 0);
            }
            for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
                unsigned char narrow[ROWS * 8];
                k->narrow(values, bytes, ROWS, narrow);
                k->widen(narrow, bytes, false, ROWS, copy);
                for (unsigned i = 0; i < ROWS; i++)
                    expect_equal(copy[i], values[i] & masked(bytes * 8));
                k->widen(narrow, bytes, true, ROWS, copy);
                for (unsigned i = 0; i < ROWS; i++)
                    expect_equal((int64_t)copy[i],
                                     (int64_t)(values[i] << (64 - bytes * 8)) >> (64 - bytes * 8));
            }
        }
    }
}
END_TEST

/* What the compiler knows of a level may use is what the machine is asked for. */
START_TEST(levels_are_those_of_the_machine)
{
#if defined HAVE_X86_LEVELS && __GNUC__ >= 12
    expect_equal(table_kernels_use(KERNEL_V3), __builtin_cpu_supports("x86-64-v3") != 0);
    expect_equal(table_kernels_use(KERNEL_V4), __builtin_cpu_supports("x86-64-v4") != 0);
#endif
    expect_true(table_kernels_use(KERNEL_GENERIC));
}
END_TEST

START_TEST(selected_elements_are_brought_together)
{
    uint64_t random = seed, values[ROWS], bits[KERNEL_WORDS], out[ROWS];
    uint16_t places[ROWS];
    fill(values, 64, &random);
    for (unsigned round = 0; round < 50; round++) {
        random_bitmap(bits, &random);
        for (unsigned i = 0; i < KERNEL_WORDS && round < 10; i++) /* words that are full */
            if (round == 0 || random_below(&random, 2)) bits[i] = UINT64_MAX;
        FOR_LEVELS(k)
        {
            size_t count = k->compress(values, bits, out), next = 0;
            expect_equal(k->positions(bits, places), count);
            expect_equal(bitmap_count(bits), count);
            for (unsigned i = 0; i < ROWS; i++) {
                if (!bit(bits, i)) continue;
                expect_equal(out[next], values[i]);
                expect_equal(places[next++], i);
            }
            expect_equal(next, count);
        }
    }
}
END_TEST

/* Integers of few or of all bits, above any base. */
static void fill_near(uint64_t *values, uint64_t *base, uint64_t *random)
{
    fill(values, (unsigned)random_below(random, 65), random);
    *base = random_below(random, 2) ? 0 : random_next(random);
    for (unsigned i = 0; i < ROWS; i++) values[i] += *base;
    for (unsigned i = 1; i < ROWS; i++)
        if (random_below(random, 3) == 0) values[i] = values[i - 1];
}

START_TEST(integers_are_looked_over_for_an_encoding)
{
    uint64_t random = seed, values[ROWS], out[ROWS], packed[ROWS], unpacked[ROWS], base;
    for (unsigned round = 0; round < 200; round++) {
        fill_near(values, &base, &random);
        unsigned runs = 1, width = (unsigned)random_below(&random, 65), beyond = 0;
        unsigned bits = (unsigned)random_below(&random, 17);
        unsigned enough = (unsigned)random_below(&random, ROWS);
        int64_t least = 0, most = 0, slope = (int64_t)random_next(&random) >> 17;
        for (unsigned i = 0; i < ROWS; i++) {
            int64_t difference = (int64_t)(values[i] - base);
            runs += i && values[i] != values[i - 1];
            if (difference < least) least = difference;
            if (difference > most) most = difference;
            beyond += (values[i] - base) > masked(width);
        }
        FOR_LEVELS(k)
        {
            int64_t low, high;
            expect_equal(k->runs(values), runs);
            k->differences(values, base, &low, &high);
            expect_true(low == least && high == most);
            expect_equal(k->count_beyond(values, base, width, ROWS + 1), beyond);
            unsigned counted = k->count_beyond(values, base, width, enough);
            expect_true(beyond < enough ? counted == beyond
                                        : counted >= enough && counted <= beyond);
            k->subtract_line(values, slope, bits, out);
            k->add_line(out, slope, bits);
            expect_true(memcmp(out, values, sizeof out) == 0);
            for (unsigned i = 0; i < ROWS; i++)
                out[i] = base + ((values[i] - base) & masked(width));
            k->pack(out, width, base, packed);
            k->unpack(packed, width, base, unpacked);
            expect_true(memcmp(out, unpacked, sizeof out) == 0);
        }
    }
}
END_TEST

START_TEST(halves_differ_by_the_same_bits_everywhere)
{
    uint64_t random = seed, values[ROWS], base;
    for (unsigned round = 0; round < 100; round++) {
        double first = 0, exact = 0;
        unsigned seen = 0;
        fill_near(values, &base, &random);
        if (round % 2)
            for (unsigned i = 0; i < ROWS; i++) values[i] %= 1000000;
        for (unsigned i = 0; i < ROWS / 2; i++)
            exact += (double)(int64_t)(values[i + ROWS / 2] - values[i]);
        FOR_LEVELS(k)
        {
            double got = k->half_difference(values);
            if (seen++ == 0) first = got;
            expect_true(memcmp(&first, &got, sizeof got) == 0);
            if (round % 2) expect_true(got == exact / (ROWS / 2));
        }
    }
}
END_TEST

static uint64_t bits_of_double(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* Decimals, dyadic fractions, whole numbers at the edge of what is possible, and anything. */
static uint64_t some_double(uint64_t *random, bool is_f32)
{
    double d = (double)((int64_t)random_next(random) >> random_below(random, 64));
    switch (random_below(random, 5)) {
    case 0: d = any_double(random); break;
    case 1: d = ldexp(d, -(int)random_below(random, 60)); break;
    case 2: d /= 100; break;
    case 3: d = (double)(int64_t)(((uint64_t)1 << (50 + random_below(random, 5))) - 2 +
                                  random_below(random, 4)); break;
    }
    float f = (float)d;
    uint32_t narrow;
    memcpy(&narrow, &f, sizeof narrow);
    return is_f32 ? narrow : bits_of_double(d);
}

static double lane_double(uint64_t lane, bool is_f32)
{
    double d;
    float f;
    uint32_t narrow = (uint32_t)lane;
    memcpy(&f, &narrow, sizeof f);
    memcpy(&d, &lane, sizeof d);
    return is_f32 ? (double)f : d;
}

static bool gives_back(volatile double d, uint64_t lane, bool is_f32)
{
    float f = (float)d;
    uint32_t narrow;
    memcpy(&narrow, &f, sizeof narrow);
    return (is_f32 ? narrow : bits_of_double(d)) == lane;
}

/* Integers of one lane as C makes them: the kernel's `factors`. False: none gives it back. */
static bool expected_alp(uint64_t lane, bool is_f32, const double *factors, int64_t *integer)
{
    volatile double scaled = lane_double(lane, is_f32) * factors[0];
    scaled *= factors[1];
    if (!(fabs(scaled) < 0x1p51)) return false;
    *integer = llrint(scaled);
    volatile double back = (double)*integer * factors[2];
    return gives_back(back * factors[3], lane, is_f32);
}

static bool expected_fix(uint64_t lane, bool is_f32, const double *factors, int64_t *integer)
{
    volatile double scaled = lane_double(lane, is_f32) * factors[0];
    if (!(fabs(scaled) <= 0x1p53)) return false;
    *integer = (int64_t)scaled;
    return gives_back((double)*integer * factors[1], lane, is_f32);
}

START_TEST(doubles_become_the_same_integers_everywhere)
{
    uint64_t random = seed, lanes[ROWS], integers[ROWS], failed[KERNEL_WORDS];
    for (unsigned round = 0; round < 400; round++) {
        bool is_f32 = round & 1, alp = round & 2;
        int k = (int)random_below(&random, 80) - 20;
        double fix[4] = {ldexp(1, k), ldexp(1, -k), 1, 1}, decimals[4] = {1e4, 1e-2, 1e2, 1e-4};
        for (unsigned i = 0; i < ROWS; i++) lanes[i] = some_double(&random, is_f32);
        if (round % 3 == 0) /* nothing fails */
            for (unsigned i = 0; i < ROWS; i++) {
                double d = alp ? (double)random_below(&random, 10000) / 100 : ldexp(3, -k);
                float f = (float)d;
                uint32_t narrow;
                memcpy(&narrow, &f, sizeof narrow);
                lanes[i] = is_f32 ? narrow : bits_of_double(d);
            }
        FOR_LEVELS(kernels)
        {
            const double *factors = alp ? decimals : fix;
            (alp ? kernels->alp_integers : kernels->fix_integers)(lanes, is_f32, factors, integers,
                                                                  failed);
            for (unsigned i = 0; i < ROWS; i++) {
                int64_t wanted = 0;
                bool possible = (alp ? expected_alp : expected_fix)(lanes[i], is_f32, factors,
                                                                    &wanted);
                expect(bit(failed, i) == !possible, "lane %lx at %s", (unsigned long)lanes[i],
                       kernel_level_name(kernels->level));
                if (possible) expect_equal((int64_t)integers[i], wanted);
            }
        }
    }
}
END_TEST

Suite *test_suite(void)
{
    seed = random_seed();
    printf("# CAIRN_SEED=%lu, levels:", (unsigned long)seed);
    FOR_LEVELS(k) printf(" %s", kernel_level_name(k->level));
    printf("\n");
    Suite *suite = suite_create("table kernels");
    TCase *kernels = tcase_create("kernels");
    tcase_set_timeout(kernels, 120);
    tcase_add_test(kernels, every_width_packs_and_unpacks);
    tcase_add_test(kernels, packed_values_are_selected_by_range);
    tcase_add_test(kernels, integers_and_doubles_are_selected_by_range);
    tcase_add_test(kernels, integers_are_summed_exactly);
    tcase_add_test(kernels, doubles_are_summed_to_the_same_bits_everywhere);
    tcase_add_test(kernels, integers_are_scaled_alike_everywhere);
    tcase_add_test(kernels, lines_floats_and_widths);
    tcase_add_test(kernels, levels_are_those_of_the_machine);
    tcase_add_test(kernels, selected_elements_are_brought_together);
    tcase_add_test(kernels, integers_are_looked_over_for_an_encoding);
    tcase_add_test(kernels, halves_differ_by_the_same_bits_everywhere);
    tcase_add_test(kernels, doubles_become_the_same_integers_everywhere);
    suite_add_tcase(suite, kernels);
    return suite;
}
