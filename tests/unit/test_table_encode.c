/* Sealed columns give back what was put in, to the bit: every type, random and adversarial data, at
 * every level of the CPU; and ranges, sums and zones agree with the plain rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heap/table_int.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/expect.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define ROWS TABLE_CHUNK_ROWS

static uint64_t seed;
static uint64_t data[ROWS], out[TABLE_VECTOR_ROWS];

static double as_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static uint64_t as_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* --- data --------------------------------------------------------------------------------------*/

static uint64_t extreme_integer(uint64_t i, uint64_t *random)
{
    static const uint64_t some[] = {0, 1, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN,
                                    (uint64_t)INT64_MIN + 1, 0x8000, 0x7fff, 0x80, 0x7f};
    (void)i;
    return some[random_below(random, 10)];
}
static uint64_t any_integer(uint64_t i, uint64_t *random)
{
    (void)i;
    return random_next(random) >> random_below(random, 64);
}
static uint64_t constant(uint64_t i, uint64_t *random) { return (void)i, (void)random, 42; }
static uint64_t counter(uint64_t i, uint64_t *random) { return (void)random, 1000000 + i * 7; }
static uint64_t falling(uint64_t i, uint64_t *random) { return (void)random, (uint64_t)-3 * i; }
static uint64_t thirds(uint64_t i, uint64_t *random) { return (void)random, i / 3; }
static uint64_t jitter(uint64_t i, uint64_t *random)
{
    return 1700000000000000 + i * 1000000 + random_below(random, 10000);
}
static uint64_t steep(uint64_t i, uint64_t *random)
{
    return i * ((uint64_t)1 << 50) + random_below(random, 100);
}
static uint64_t small(uint64_t i, uint64_t *random)
{
    return (void)i, 100 + random_below(random, 50);
}
static uint64_t outliers(uint64_t i, uint64_t *random)
{
    (void)i;
    if (random_below(random, 50) == 0) return random_next(random);
    return (uint64_t)-500 + random_below(random, 1000);
}
static uint64_t runs(uint64_t i, uint64_t *random) { return (void)random, (i / 300) * 0x123456789; }
static uint64_t few(uint64_t i, uint64_t *random)
{
    (void)i;
    return random_below(random, 12) * 0x9e3779b97f4a7c15;
}
static uint64_t two(uint64_t i, uint64_t *random) { return (void)i, random_below(random, 2); }

static uint64_t uniform(uint64_t i, uint64_t *random)
{
    (void)i;
    return as_bits((double)(random_next(random) >> 11) * 0x1p-53);
}
static uint64_t decimal(uint64_t i, uint64_t *random)
{
    (void)i;
    return as_bits((double)random_below(random, 1000000) / 100);
}
static uint64_t dirty_decimal(uint64_t i, uint64_t *random)
{
    static const double bad[] = {0x1p-1074, -0.0, 1e308, 3.14159265358979, INFINITY, -INFINITY};
    if (random_below(random, 40) == 0) return as_bits(bad[random_below(random, 6)]);
    if (random_below(random, 40) == 0) return 0x7ff0000000000001 + random_below(random, 1000);
    return decimal(i, random);
}
static uint64_t any_bits(uint64_t i, uint64_t *random) { return (void)i, random_next(random); }
static uint64_t any_exponent(uint64_t i, uint64_t *random)
{
    return (i % 2048) << 52 | (random_next(random) >> 12) | (i & 1) << 63;
}
static uint64_t dyadic(uint64_t i, uint64_t *random)
{
    (void)i;
    return as_bits((double)((int64_t)random_below(random, 4096) - 2048) / 64);
}
static uint64_t whole(uint64_t i, uint64_t *random)
{
    (void)i;
    return as_bits((double)((int64_t)random_below(random, 100000) - 50000));
}
static uint64_t nans(uint64_t i, uint64_t *random)
{
    return (i % 3 ? 0x7ff8000000000000 : 0xfff4000000000000) | random_below(random, 5);
}
static uint64_t zeros(uint64_t i, uint64_t *random)
{
    (void)i;
    return random_below(random, 2) << 63;
}
/* Floats. */
static uint64_t float_decimal(uint64_t i, uint64_t *random)
{
    uint32_t bits;
    float f = (float)random_below(random, 100000) / 10;
    (void)i;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}
static uint64_t float_uniform(uint64_t i, uint64_t *random)
{
    uint32_t bits;
    float f = (float)(random_next(random) >> 40) * 0x1p-24f;
    (void)i;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}
static uint64_t float_bits(uint64_t i, uint64_t *random)
{
    (void)i;
    return (uint32_t)random_next(random);
}

struct pattern {
    const char *name;
    uint64_t (*make)(uint64_t i, uint64_t *random);
};
static const struct pattern integer_patterns[] = {
    {"extreme", extreme_integer}, {"any", any_integer}, {"constant", constant},
    {"counter", counter}, {"falling", falling}, {"thirds", thirds}, {"jitter", jitter},
    {"steep", steep}, {"small", small}, {"outliers", outliers}, {"runs", runs}, {"few", few},
    {"two", two}, {NULL, NULL},
};
static const struct pattern double_patterns[] = {
    {"uniform", uniform}, {"decimal", decimal}, {"dirty decimal", dirty_decimal},
    {"any bits", any_bits}, {"any exponent", any_exponent}, {"dyadic", dyadic}, {"whole", whole},
    {"nans", nans}, {"zeros", zeros}, {"runs", runs}, {"few", few}, {"constant", constant},
    {NULL, NULL},
};
static const struct pattern float_patterns[] = {
    {"decimal", float_decimal}, {"uniform", float_uniform}, {"any bits", float_bits},
    {"runs", runs}, {NULL, NULL},
};

/* --- tables of one column ----------------------------------------------------------------------*/

static uint8_t valid_bytes[ROWS / 8];

static value table_with(struct heap *h, enum table_type type, bool null, uint32_t rows,
                        const void *elements)
{
    struct table_field field = {.name = "x", .name_length = 1, .type = type, .null = null};
    struct table_append a;
    struct table_error error;
    value v;
    expect_equal(table_create(h, &field, 1, &v, &error), 0);
    struct table *t = table_of(h, v);
    expect_equal(table_append_begin(t, rows, &a, &error), 0);
    expect_equal(table_append_raw(&a, 0, rows, elements, null ? valid_bytes : NULL, 0, &error), 0);
    expect_equal(table_append_commit(&a, NULL, &error), 0);
    return v;
}

static void seal(struct table *t)
{
    int more;
    while ((more = table_seal_step(t, 0)) == 1) continue;
    expect_equal(more, 0);
    expect_true(!table_seal_pending(t));
}

/* The elements in their own width. */
static void narrow(enum table_type type, void *elements)
{
    unsigned bytes = (unsigned)table_type_bytes(type);
    for (uint32_t i = 0; i < ROWS; i++) memcpy((char *)elements + i * bytes, &data[i], bytes);
}

static void check_reads(const struct table_version *v, enum table_type type, bool null,
                        const unsigned char *elements, const char *what)
{
    size_t bytes = table_type_bytes(type);
    uint64_t valid[TABLE_VECTOR_WORDS];
    for (uint32_t vector = 0; vector < TABLE_CHUNK_VECTORS; vector++) {
        table_read_raw(v, 0, 0, vector, out, valid);
        for (uint32_t i = 0; i < TABLE_VECTOR_ROWS; i++) {
            uint32_t slot = vector * TABLE_VECTOR_ROWS + i;
            bool is_valid = !null || (valid_bytes[slot / 8] >> slot % 8 & 1);
            expect(bit_get(valid, i) == is_valid, "%s: validity of row %u", what, slot);
            if (is_valid)
                expect(memcmp((char *)out + i * bytes, elements + slot * bytes, bytes) == 0,
                              "%s: row %u of a %s vector, at %s", what, slot,
                              table_encoding_name(table_vector_encoding(v, 0, 0, vector)),
                              kernel_level_name(table_kernels()->level));
        }
    }
}

static void check_cells(const struct table_version *v, bool null, uint64_t *random,
                        const struct plain_column *plain, const char *what)
{
    const struct table_field *f = table_field(table_version_table(v), 0);
    for (unsigned n = 0; n < 3000; n++) {
        uint32_t slot = (uint32_t)random_below(random, ROWS);
        struct table_cell cell;
        table_cell(v, 0, slot, 0, &cell);
        expect_equal(cell.null, null && !(valid_bytes[slot / 8] >> slot % 8 & 1));
        union table_bound wanted = lane_bound(f, plain_lane(plain, f, slot));
        if (!cell.null)
            expect(cell.u == wanted.u, "%s: cell of row %u: %lx, not %lx (%s)", what, slot,
                          cell.u, wanted.u,
                          table_encoding_name(table_vector_encoding(v, 0, 0, slot / 1024)));
    }
}

/* Ranges whose bounds are values of the column, or beyond. */
static void check_ranges(const struct table_version *v, const struct plain_column *plain,
                         uint64_t *random, const char *what)
{
    const struct table_field *f = table_field(table_version_table(v), 0);
    enum table_class class = table_type_class(f->type);
    for (uint32_t vector = 0; vector < TABLE_CHUNK_VECTORS; vector++)
        for (unsigned n = 0; n < 3; n++) {
            struct table_range r;
            uint32_t base = vector * TABLE_VECTOR_ROWS, count = 0;
            uint64_t selected[TABLE_VECTOR_WORDS];
            uint32_t one = (uint32_t)random_below(random, 1024);
            uint32_t other = (uint32_t)random_below(random, 1024);
            r.min = lane_bound(f, plain_lane(plain, f, base + one));
            r.max = lane_bound(f, plain_lane(plain, f, base + other));
            if (random_below(random, 5) == 0) r.max.u = random_next(random);
            if (bound_compare(class, r.min, r.max) > 0 && random_below(random, 4)) {
                union table_bound swap = r.min;
                r.min = r.max;
                r.max = swap;
            }
            uint32_t got = table_select_range(v, 0, 0, vector, &r, selected);
            for (uint32_t i = 0; i < TABLE_VECTOR_ROWS; i++) {
                union table_bound x = lane_bound(f, plain_lane(plain, f, base + i));
                bool wanted = !plain_null(plain, base + i) && bound_compare(class, r.min, x) <= 0 &&
                              bound_compare(class, x, r.max) <= 0;
                count += wanted;
                expect(bit_get(selected, i) == wanted,
                              "%s: row %u (%lx) in %lx..%lx, of a %s vector", what, base + i, x.u,
                              r.min.u, r.max.u,
                              table_encoding_name(table_vector_encoding(v, 0, 0, vector)));
            }
            expect_equal(got, count);
        }
}

/* The sealed vector's sums and extremes are those of the plain one; zones hold all values. */
static void check_sums(const struct table_version *sealed, const struct table_version *plain,
                       const char *what)
{
    enum table_class class = table_type_class(table_field(table_version_table(sealed), 0)->type);
    uint64_t all[TABLE_VECTOR_WORDS];
    memset(all, 0xff, sizeof all);
    struct table_sum a = {.count = 0}, b = {.count = 0};
    for (uint32_t vector = 0; vector < TABLE_CHUNK_VECTORS; vector++) {
        struct table_extremes x = {.count = 0}, y = {.count = 0};
        struct table_zone zone;
        table_sum_vector(sealed, 0, 0, vector, all, &a);
        table_sum_vector(plain, 0, 0, vector, all, &b);
        table_extremes_vector(sealed, 0, 0, vector, all, &x);
        table_extremes_vector(plain, 0, 0, vector, all, &y);
        table_vector_zone(sealed, 0, 0, vector, &zone);
        expect_equal(x.count, y.count);
        expect_equal(zone.nulls, TABLE_VECTOR_ROWS - x.count);
        if (!x.count) continue;
        expect(bound_compare(class, x.min, y.min) == 0, "%s: min", what);
        expect(bound_compare(class, x.max, y.max) == 0, "%s: max", what);
        expect_true(zone.known && bound_compare(class, zone.min, x.min) <= 0 &&
                  bound_compare(class, zone.max, x.max) >= 0);
    }
    expect_equal(a.count, b.count);
    expect_true(a.integer == b.integer);
    expect(memcmp(&a.number, &b.number, sizeof a.number) == 0 ||
                      (isnan(a.number) && isnan(b.number)), "%s: sum", what);
}

static void check_pattern(enum table_type type, const struct pattern *pattern, bool null)
{
    static _Alignas(8) unsigned char elements[ROWS * 8];
    char what[96];
    uint64_t random = seed;
    struct heap *h = heap_fixture_open(0);
    snprintf(what, sizeof what, "%s%s %s", null ? "nullable " : "", table_type_name(type),
             pattern->name);
    for (uint32_t i = 0; i < ROWS; i++) data[i] = pattern->make(i, &random);
    if (type == TABLE_BOOL)
        for (uint32_t i = 0; i < ROWS; i++) data[i] &= 1;
    narrow(type, elements);
    for (uint32_t i = 0; i < ROWS / 8; i++)
        valid_bytes[i] = i / 128 == 1   ? 0 /* a vector of nulls, and one with none */
                         : i / 128 == 2 ? 0xff
                                        : (uint8_t)random_next(&random);
    value v = table_with(h, type, null, ROWS, elements);
    struct table *t = table_of(h, v);
    struct table_version *before = table_pin(t);
    const struct plain_column *plain =
        (const struct plain_column *)version_chunk(before, 0)->columns[0].column;
    seal(t);
    struct table_version *after = table_pin(t);
    ck_assert_int_ne(table_vector_encoding(after, 0, 0, 0), TABLE_ENCODING_PLAIN);
    for (unsigned level = 0; level < KERNEL_LEVEL_COUNT; level++) {
        if (!table_kernels_use((enum kernel_level)level)) continue;
        check_reads(after, type, null, elements, what);
        check_ranges(after, plain, &random, what);
        check_ranges(before, plain, &random, what);
        check_sums(after, before, what);
    }
    check_cells(after, null, &random, plain, what);
    table_unpin(before);
    table_unpin(after);
    heap_fixture_verify(h, what);
    value_release(h, v);
    heap_fixture_close(h);
}

START_TEST(numbers_of_every_type_come_back)
{
    for (unsigned type = 0; type < TABLE_TYPE_COUNT; type++) {
        enum table_class class = table_type_class((enum table_type)type);
        if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL) continue;
        const struct pattern *p = class != TABLE_CLASS_FLOAT ? integer_patterns
                                  : type == TABLE_F32        ? float_patterns
                                                             : double_patterns;
        for (; p->name; p++) {
            check_pattern((enum table_type)type, p, false);
            check_pattern((enum table_type)type, p, true);
        }
    }
}
END_TEST

/* --- which encoding ----------------------------------------------------------------------------*/

/* Bytes a value, headers and zones included, of a sealed chunk of this pattern. */
static double bytes_each(enum table_type type, const struct pattern *pattern,
                         enum table_encoding expected)
{
    static _Alignas(8) unsigned char elements[ROWS * 8];
    uint64_t random = seed;
    struct heap *h = heap_fixture_open(0);
    struct table_column_stats stats;
    for (uint32_t i = 0; i < ROWS; i++) data[i] = pattern->make(i, &random);
    narrow(type, elements);
    value v = table_with(h, type, false, ROWS, elements);
    struct table *t = table_of(h, v);
    seal(t);
    struct table_version *version = table_pin(t);
    for (uint32_t i = 0; i < TABLE_CHUNK_VECTORS; i++)
        expect(table_vector_encoding(version, 0, 0, i) == expected, "%s: %s, not %s",
                      pattern->name, table_encoding_name(table_vector_encoding(version, 0, 0, i)),
                      table_encoding_name(expected));
    table_column_stats(version, 0, 0, UINT32_MAX, &stats);
    expect_equal(stats.bytes, version_chunk(version, 0)->columns[0].column->bytes);
    table_unpin(version);
    value_release(h, v);
    heap_fixture_close(h);
    return (double)stats.bytes / ROWS;
}

START_TEST(each_encoding_is_chosen_where_it_is_smallest)
{
    /* A chunk's own header counts for more where chunks are small. */
    double more = 300.0 / ROWS;
    ck_assert_double_le(bytes_each(TABLE_I64, &(struct pattern){"constant", constant},
                                   TABLE_ENCODING_CONST), 0.01 + more);
    ck_assert_double_le(bytes_each(TABLE_I64, &(struct pattern){"counter", counter},
                                   TABLE_ENCODING_LIN), 0.05 + more);
    ck_assert_double_le(bytes_each(TABLE_TS, &(struct pattern){"jitter", jitter},
                                   TABLE_ENCODING_LIN), 1.8 + more);
    ck_assert_double_le(bytes_each(TABLE_I32, &(struct pattern){"small", small},
                                   TABLE_ENCODING_FOR), 0.80 + more);
    ck_assert_double_le(bytes_each(TABLE_I64, &(struct pattern){"runs", runs},
                                   TABLE_ENCODING_RLE), 0.15 + more);
    ck_assert_double_le(bytes_each(TABLE_I64, &(struct pattern){"few", few},
                                   TABLE_ENCODING_DICT), 0.55 + more);
    ck_assert_double_le(bytes_each(TABLE_BOOL, &(struct pattern){"two", two},
                                   TABLE_ENCODING_FOR), 0.15 + more);
    ck_assert_double_le(bytes_each(TABLE_F64, &(struct pattern){"uniform", uniform},
                                   TABLE_ENCODING_FIX), 6.8 + more);
    ck_assert_double_le(bytes_each(TABLE_F64, &(struct pattern){"decimal", decimal},
                                   TABLE_ENCODING_ALP), 2.7 + more);
    ck_assert_double_le(bytes_each(TABLE_F64, &(struct pattern){"any bits", any_bits},
                                   TABLE_ENCODING_RAW), 8.1 + more);
    ck_assert_double_le(bytes_each(TABLE_F32, &(struct pattern){"decimal", float_decimal},
                                   TABLE_ENCODING_ALP), 2.3 + more);
}
END_TEST

/* --- exceptions --------------------------------------------------------------------------------*/

START_TEST(an_exception_may_be_at_every_place)
{
    static double doubles[ROWS];
    struct heap *h = heap_fixture_open(0);
    for (uint32_t place = 0; place < TABLE_VECTOR_ROWS; place += 37) {
        uint64_t random = seed, valid[TABLE_VECTOR_WORDS];
        for (uint32_t i = 0; i < ROWS; i++) doubles[i] = as_double(decimal(i, &random));
        for (uint32_t vector = 0; vector < TABLE_CHUNK_VECTORS; vector++)
            for (uint32_t n = 0; n <= vector; n++)
                doubles[vector * 1024 + (place + n) % 1024] = n % 2 ? -0.0 : 0x1.23456789abcdep-300;
        value v = table_with(h, TABLE_F64, false, ROWS, doubles);
        struct table *t = table_of(h, v);
        seal(t);
        struct table_version *version = table_pin(t);
        for (uint32_t vector = 0; vector < TABLE_CHUNK_VECTORS; vector++) {
            expect_equal(table_vector_encoding(version, 0, 0, vector), TABLE_ENCODING_ALP);
            table_read_vector(version, 0, 0, vector, out, valid);
            expect_true(memcmp(out, doubles + vector * 1024, sizeof out) == 0);
            for (uint32_t n = 0; n < TABLE_VECTOR_ROWS; n++) {
                struct table_cell cell;
                table_cell(version, 0, vector * 1024 + n, 0, &cell);
                expect_true(cell.u == as_bits(doubles[vector * 1024 + n]));
            }
        }
        table_unpin(version);
        value_release(h, v);
    }
    heap_fixture_close(h);
}
END_TEST

/* --- texts -------------------------------------------------------------------------------------*/

static char text_pool[ROWS][24];
static struct table_text texts[ROWS];

static void check_texts(unsigned different, bool null, bool dictionary)
{
    uint64_t random = seed;
    struct heap *h = heap_fixture_open(0);
    struct table_field field = {.name = "s", .name_length = 1, .type = TABLE_STR, .null = null};
    struct table_append a;
    value v;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t n = different ? random_below(&random, different) : i * 0x9e3779b97f4a7c15;
        int length = n % 7 == 0 ? 0 : snprintf(text_pool[i], sizeof text_pool[i], "text %lx", n);
        texts[i] = (struct table_text){text_pool[i], (size_t)length};
        if (null && random_below(&random, 3) == 0) texts[i].data = NULL;
    }
    expect_equal(table_create(h, &field, 1, &v, NULL), 0);
    struct table *t = table_of(h, v);
    expect_equal(table_append_begin(t, ROWS, &a, NULL), 0);
    expect_equal(table_append_texts(&a, 0, ROWS, texts, NULL), 0);
    expect_equal(table_append_commit(&a, NULL, NULL), 0);
    seal(t);
    struct table_version *version = table_pin(t);
    expect_equal(table_chunk_dictionary(version, 0, 0) != 0, dictionary);
    for (uint32_t vector = 0; vector < TABLE_CHUNK_VECTORS; vector++) {
        static struct table_text read[TABLE_VECTOR_ROWS];
        static uint32_t codes[TABLE_VECTOR_ROWS];
        uint64_t valid[TABLE_VECTOR_WORDS];
        table_read_vector(version, 0, 0, vector, read, valid);
        if (dictionary) table_read_codes(version, 0, 0, vector, codes, valid);
        for (uint32_t i = 0; i < TABLE_VECTOR_ROWS; i++) {
            const struct table_text *wanted = &texts[vector * TABLE_VECTOR_ROWS + i];
            struct table_cell cell;
            table_cell(version, 0, vector * TABLE_VECTOR_ROWS + i, 0, &cell);
            expect_equal(cell.null, wanted->data == NULL);
            expect_equal(bit_get(valid, i), wanted->data != NULL);
            if (cell.null) continue;
            expect_equal(text_bytes_compare(cell.text, *wanted), 0);
            expect_equal(text_bytes_compare(read[i], *wanted), 0);
            if (dictionary)
                expect_equal(
                    text_bytes_compare(table_chunk_entry(version, 0, 0, codes[i]), *wanted), 0);
        }
    }
    table_unpin(version);
    value_release(h, v);
    heap_fixture_close(h);
}

START_TEST(texts_come_back)
{
    check_texts(20, false, true);
    check_texts(20, true, true);
    check_texts(1, false, true);
    check_texts(0, false, false);
    check_texts(0, true, false);
    check_texts(ROWS * 3, true, false);
}
END_TEST

Suite *test_suite(void)
{
    seed = random_seed();
    printf("# CAIRN_SEED=%lu\n", (unsigned long)seed);
    Suite *suite = suite_create("table encodings");
    TCase *encodings = tcase_create("encodings");
    tcase_set_timeout(encodings, 600);
    tcase_add_test(encodings, numbers_of_every_type_come_back);
    tcase_add_test(encodings, each_encoding_is_chosen_where_it_is_smallest);
    tcase_add_test(encodings, an_exception_may_be_at_every_place);
    tcase_add_test(encodings, texts_come_back);
    suite_add_tcase(suite, encodings);
    return suite;
}
