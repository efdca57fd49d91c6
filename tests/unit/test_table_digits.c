/* Numbers as text: what is written reads back as the same number, and no printf has fewer
 * digits. */
#include "heap/table_digits.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table_csv.h"
#include "tests/support/expect.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static uint64_t rng;
static void setup(void)
{
    rng = random_seed();
    printf("# CAIRN_SEED=%" PRIu64 "\n", rng);
}

/* How many digits count, those between the first and the last that are not zero. */
static int digits_of(const char *text)
{
    int first = -1, last = -1, at = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9') continue;
        if (*text != '0') {
            if (first < 0) first = at;
            last = at;
        }
        at++;
    }
    return last < 0 ? 0 : last - first + 1;
}

static void check_double(double d, unsigned *places)
{
    char text[DIGITS_ROOM + 1], other[64];
    int fewest = 0;
    size_t length = digits_double((unsigned char *)text, d, places);
    ck_assert_uint_le(length, DIGITS_ROOM);
    text[length] = 0;
    double back = strtod(text, NULL);
    expect(memcmp(&back, &d, sizeof d) == 0 || (isnan(d) && isnan(back)), "%.17g is \"%s\"", d,
           text);
    if (!isfinite(d)) return;
    do snprintf(other, sizeof other, "%.*g", ++fewest, d);
    while (strtod(other, NULL) != d);
    /* Whole numbers have all of their digits. */
    bool whole = d == floor(d) && fabs(d) < 0x1p53;
    expect(whole || digits_of(text) <= fewest || fewest < 15, "\"%s\": %s is shorter", text, other);
}

START_TEST(doubles_read_back)
{
    static const double some[] = {0.0, -0.0, 1, -1, 0.1, 0.3, 1.0 / 3, 2.0 / 3, 1e15, 1e16, 1e22,
        1e23, 9007199254740991, 9007199254740993, 4503599627370495.5, 4503599627370496.5, 0.001,
        0.0001, 1e-5, 1e-6, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0x1p-9,
        0x1.fffffffffffffp-10, 0x1p-1, 0x1p-3, 1 + 0x1p-52, 0x1p53, 0x1p63, 123456789012345.6,
        99999999999999.99, 0.999999999999999, 9.995, 1.005, NAN, INFINITY, -INFINITY};
    unsigned places = 0;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        check_double(some[i], &places);
        check_double(nextafter(some[i], INFINITY), &places);
        check_double(-nextafter(some[i], -INFINITY), &places);
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random_next(&rng), decimals = random_below(&rng, 12);
        double d = 0;
        memcpy(&d, &bits, sizeof d);
        check_double(d, &places);
        check_double((double)(bits >> 11) * 0x1p-53, &places);
        check_double((double)(bits >> 20) / pow(10, (double)decimals), &places);
        check_double(ldexp((double)(bits >> 11), (int)random_below(&rng, 70) - 66), &places);
        check_double((double)random_below(&rng, 100000) / 100, &places);
    }
}
END_TEST

static const char *text_of(double d, unsigned *places)
{
    static char text[DIGITS_ROOM + 1];
    text[digits_double((unsigned char *)text, d, places)] = 0;
    return text;
}

START_TEST(doubles_look_as_they_were_typed)
{
    unsigned places = 0;
    ck_assert_str_eq(text_of(0.1, &places), "0.1");
    ck_assert_str_eq(text_of(9.95, &places), "9.95");
    ck_assert_str_eq(text_of(9.5, &places), "9.5");
    ck_assert_str_eq(text_of(-100, &places), "-100.0");
    ck_assert_str_eq(text_of(0.001, &places), "0.001");
    ck_assert_str_eq(text_of(1.0 / 3, &places), "0.3333333333333333");
    ck_assert_str_eq(text_of(0.1 + 0.2, &places), "0.30000000000000004");
    ck_assert_str_eq(text_of(-0.0, &places), "-0.0");
    ck_assert_str_eq(text_of(1e300, &places), "1e+300");
    ck_assert_str_eq(text_of(9007199254740991, &places), "9007199254740991.0");
}
END_TEST

START_TEST(floats_read_back)
{
    for (int i = 0; i < 300000; i++) {
        char text[DIGITS_ROOM + 1], other[64];
        uint32_t bits = (uint32_t)random_next(&rng);
        int fewest = 0;
        float f = i % 2 ? (float)random_below(&rng, 1000000) / 1000 : 0;
        if (i % 2 == 0) memcpy(&f, &bits, sizeof f);
        text[digits_float((unsigned char *)text, f)] = 0;
        float back = strtof(text, NULL);
        expect(memcmp(&back, &f, sizeof f) == 0 || (isnan(f) && isnan(back)), "%.9g is \"%s\"",
               (double)f, text);
        if (!isfinite(f)) continue;
        do snprintf(other, sizeof other, "%.*g", ++fewest, (double)f);
        while (strtof(other, NULL) != f);
        bool whole = f == floorf(f) && fabsf(f) < 0x1p24f;
        expect(whole || fewest < 6 || digits_of(text) <= fewest, "\"%s\": %s is shorter", text,
               other);
    }
}
END_TEST

START_TEST(integers_have_their_digits)
{
    for (int i = 0; i < 200000; i++) {
        char text[DIGITS_ROOM + 1], other[32];
        uint64_t v = random_next(&rng) >> random_below(&rng, 64);
        if (i < 80) v = i < 20 ? 0 : (uint64_t)pow(10, i % 20) - (uint64_t)(i / 20 % 2);
        text[digits_uint((unsigned char *)text, v)] = 0;
        snprintf(other, sizeof other, "%" PRIu64, v);
        expect(strcmp(text, other) == 0, "%s, not %s", text, other);
        text[digits_int((unsigned char *)text, (int64_t)v)] = 0;
        snprintf(other, sizeof other, "%" PRId64, (int64_t)v);
        expect(strcmp(text, other) == 0, "%s, not %s", text, other);
    }
}
END_TEST

START_TEST(dates_and_times)
{
    static const struct { int64_t us; const char *text; } some[] = {
        {0, "1970-01-01T00:00:00Z"}, {-1, "1969-12-31T23:59:59.999999Z"},
        {951782400000000, "2000-02-29T00:00:00Z"}, {1, "1970-01-01T00:00:00.000001Z"},
        {INT64_MAX, "294247-01-10T04:00:54.775807Z"}, {INT64_MIN, "-290308-12-21T19:59:05.224192Z"},
        {-62135596800000000, "0001-01-01T00:00:00Z"},
        {253402300799999999, "9999-12-31T23:59:59.999999Z"},
    };
    struct table_cell cell;
    char text[DIGITS_ROOM + 1];
    text[digits_date((unsigned char *)text, -719529)] = 0;
    ck_assert_str_eq(text, "-0001-12-31");
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        text[digits_time((unsigned char *)text, some[i].us)] = 0;
        ck_assert_str_eq(text, some[i].text);
        ck_assert(cell_parse(TABLE_TS, text, strlen(text), &cell) && cell.i == some[i].us);
    }
    for (int64_t day = INT32_MIN; day <= INT32_MAX; day += 99991) { /* as far as dates go */
        size_t length = digits_date((unsigned char *)text, day);
        expect(cell_parse(TABLE_DATE, text, length, &cell) && cell.i == day, "%.*s", (int)length,
               text);
    }
    static const char *const none[] = {"-0000-01-01", "02024-01-01", "-999-01-01", "+2024-01-01",
                                       "9999999-01-01", "12345678-01-01", "-"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        expect(!cell_parse(TABLE_DATE, none[i], strlen(none[i]), &cell), "%s", none[i]);
    expect_true(!cell_parse(TABLE_TS, "294247-01-10T05:00", 18, &cell));
    for (int64_t day = -719162; day < 2932896; day += 97) { /* of the years 1 to 9999 */
        int64_t year, month, date;
        digits_split_date(day, &year, &month, &date);
        char other[32];
        snprintf(other, sizeof other, "%04d-%02d-%02d", (int)year, (int)month, (int)date);
        text[digits_date((unsigned char *)text, day)] = 0;
        expect(strcmp(text, other) == 0, "%s, not %s", text, other);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("table_digits");
    TCase *c = tcase_create("digits");
    tcase_set_timeout(c, 300);
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, doubles_read_back);
    tcase_add_test(c, doubles_look_as_they_were_typed);
    tcase_add_test(c, floats_read_back);
    tcase_add_test(c, integers_have_their_digits);
    tcase_add_test(c, dates_and_times);
    suite_add_tcase(s, c);
    return s;
}
