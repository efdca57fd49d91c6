/* table_digits.c - see table_digits.h.
 *
 * A double d = m / 2^e is rounded to n / 10^k in integers of 128 bits; whether n / 10^k reads
 * back as d shows from its distance, which must be below half of what m's last bit is worth:
 * |n * 2^e - m * 10^k| * 2 < 10^k. That is exact where 2^-9 <= d < 2^53; what is smaller or
 * larger, and not whole, is left to printf. */
#include "heap/table_digits.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/number.h"

#define PLACES_MAX 19 /* 10^19 is the largest power in 64 bits */

static const uint64_t powers[PLACES_MAX + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
    100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
    10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u};

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

/* --- integers ----------------------------------------------------------------------------------*/

/* Exactly `count` digits, with zeros in front. */
static void put_digits(unsigned char *to, uint64_t v, unsigned count)
{
    for (; count >= 2; count -= 2, v /= 100) memcpy(to + count - 2, pairs + v % 100 * 2, 2);
    if (count) *to = (unsigned char)('0' + v % 10);
}

static unsigned count_digits(uint64_t v)
{
    unsigned bits = v ? 64 - (unsigned)__builtin_clzll(v) : 1;
    unsigned guess = bits * 1233 >> 12; /* of log10(2): one too few at most */
    return guess + (guess == 0 || v >= powers[guess]);
}

size_t digits_uint(unsigned char *to, uint64_t v)
{
    unsigned count = count_digits(v);
    put_digits(to, v, count);
    return count;
}

size_t digits_int(unsigned char *to, int64_t v)
{
    if (v >= 0) return digits_uint(to, (uint64_t)v);
    *to = '-';
    return 1 + digits_uint(to + 1, 0 - (uint64_t)v);
}

/* --- doubles -----------------------------------------------------------------------------------*/

/* n / 10^k */
struct decimal {
    uint64_t n;
    unsigned k;
};

static void strip_zeros(struct decimal *x)
{
    static const unsigned steps[] = {8, 4, 2, 1};
    for (unsigned i = 0; i < 4; i++)
        while (x->k >= steps[i] && x->n % powers[steps[i]] == 0) {
            x->n /= powers[steps[i]];
            x->k -= steps[i];
        }
}

/* With at least one place, so that readers that find types take no whole number for an integer. */
static size_t put_decimal(unsigned char *to, struct decimal x)
{
    size_t length = digits_uint(to, x.n / powers[x.k]);
    to[length] = '.';
    if (x.k == 0) {
        to[length + 1] = '0';
        return length + 2;
    }
    put_digits(to + length + 1, x.n % powers[x.k], x.k);
    return length + 1 + x.k;
}

/* With up to 15 digits, and as many places as guessed: both are doubles, so that their quotient is
 * rounded once, as a reader does it (Clinger 1990). */
static bool decimal_guess(double d, unsigned places, struct decimal *x)
{
    double scaled = d * (double)powers[places];
    if (places > 15 || scaled >= 1e15) return false;
    *x = (struct decimal){(uint64_t)(scaled + 0.5), places};
    return (double)x->n / (double)powers[places] == d;
}

/* d = m / 2^e, e >= 1; `first`..`last` digits are tried, and the last number of them is taken
 * unseen. `lowest`: below m the doubles are twice as dense. */
static bool decimal_find(double d, uint64_t m, unsigned e, bool lowest, int first, int last,
                         struct decimal *x)
{
    int magnitude = d >= 0.1 ? -1 : d >= 0.01 ? -2 : -3;
    if (d >= 1)
        while (d >= (double)powers[magnitude + 1]) magnitude++;
    for (int digits = first; digits <= last; digits++) {
        int k = digits - 1 - magnitude;
        if (k < 0) continue;
        if (k > PLACES_MAX) return false;
        unsigned __int128 exact = (unsigned __int128)m * powers[k], back, distance;
        x->n = (uint64_t)((exact + ((unsigned __int128)1 << (e - 1))) >> e);
        x->k = (unsigned)k;
        back = (unsigned __int128)x->n << e;
        distance = back > exact ? back - exact : exact - back;
        if (digits == last || distance * (lowest ? 4 : 2) < powers[k]) return true;
    }
    return false;
}

/* The decimal of a positive double that is in range. */
static bool decimal_of(double d, struct decimal *x)
{
    uint64_t bits, top = (uint64_t)1 << 52;
    if (d < 0x1p-9 || d >= 0x1p53) return false;
    *x = (struct decimal){(uint64_t)d, 0};
    if ((double)x->n == d) return true;
    memcpy(&bits, &d, sizeof bits);
    uint64_t m = (bits & (top - 1)) | top;
    return decimal_find(d, m, 1075 - (unsigned)(bits >> 52), m == top, 15, 17, x);
}

/* Of small ones with few places: 0.001. */
static bool decimal_small(double d, struct decimal *x)
{
    if (d < 1e-5 || d >= 0x1p-9) return false;
    for (unsigned places = 3; places <= 15; places++)
        if (decimal_guess(d, places, x)) return true;
    return false;
}

/* "nan", "inf", "0.0"; 0: none of them. */
static size_t put_special(unsigned char *to, double d)
{
    const char *text = isnan(d) ? "nan" : isinf(d) ? "inf" : d == 0 ? "0.0" : "";
    memcpy(to, text, strlen(text));
    return strlen(text);
}

/* As printf has written it: "1e+300", or digits alone, to which a place is added. */
static size_t end_printed(unsigned char *to, size_t length)
{
    length += strlen((char *)to + length);
    if (strpbrk((char *)to, ".e")) return length;
    memcpy(to + length, ".0", 2);
    return length + 2;
}

size_t digits_double(unsigned char *to, double d, unsigned *places)
{
    struct decimal x;
    size_t length = 0;
    if (signbit(d) && !isnan(d)) {
        to[length++] = '-';
        d = -d;
    }
    size_t special = put_special(to + length, d);
    if (special) return length + special;
    if (decimal_guess(d, *places, &x) || decimal_of(d, &x) || decimal_small(d, &x)) {
        strip_zeros(&x);
        *places = x.k;
        return length + put_decimal(to + length, x);
    }
    number_print((char *)to + length, DIGITS_ROOM - 3, d);
    return end_printed(to, length);
}

size_t digits_float(unsigned char *to, float f)
{
    struct decimal x;
    size_t length = 0;
    uint32_t bits, top = (uint32_t)1 << 23;
    if (signbit(f) && !isnan(f)) {
        to[length++] = '-';
        f = -f;
    }
    size_t special = put_special(to + length, (double)f);
    if (special) return length + special;
    memcpy(&bits, &f, sizeof bits);
    uint32_t m = (bits & (top - 1)) | top;
    if (f >= 0x1p-9f && f < 0x1p24f) {
        x = (struct decimal){(uint64_t)f, 0};
        if ((float)x.n == f || decimal_find((double)f, m, 150 - (bits >> 23), m == top, 6, 9, &x)) {
            strip_zeros(&x);
            return length + put_decimal(to + length, x);
        }
    }
    for (int digits = fabsf(f) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
        snprintf((char *)to + length, DIGITS_ROOM - 3, "%.*g", digits, (double)f);
        if (strtof((char *)to + length, NULL) == f) break;
    }
    return end_printed(to, length);
}

/* --- dates -------------------------------------------------------------------------------------*/

void digits_split_date(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, d = days - era * 146097;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2);
}

size_t digits_date(unsigned char *to, int64_t days)
{
    int64_t year, month, day;
    size_t length = 4;
    digits_split_date(days, &year, &month, &day);
    if (year >= 0 && year <= 9999) put_digits(to, (uint64_t)year, 4);
    else length = (size_t)snprintf((char *)to, DIGITS_ROOM, "%s%04lld", year < 0 ? "-" : "",
                                   (long long)(year < 0 ? -year : year));
    to[length] = '-';
    put_digits(to + length + 1, (uint64_t)month, 2);
    to[length + 3] = '-';
    put_digits(to + length + 4, (uint64_t)day, 2);
    return length + 6;
}

size_t digits_time(unsigned char *to, int64_t us)
{
    int64_t day_us = (int64_t)86400 * 1000000;
    int64_t in_day = us % day_us, days = us / day_us - (in_day < 0);
    uint64_t rest = (uint64_t)(in_day < 0 ? in_day + day_us : in_day);
    size_t length = digits_date(to, days);
    unsigned char *p = to + length;
    p[0] = 'T';
    put_digits(p + 1, rest / 3600000000, 2);
    p[3] = ':';
    put_digits(p + 4, rest / 60000000 % 60, 2);
    p[6] = ':';
    put_digits(p + 7, rest / 1000000 % 60, 2);
    p += 9;
    if (rest % 1000000) {
        *p = '.';
        put_digits(p + 1, rest % 1000000, 6);
        p += 7;
    }
    *p++ = 'Z';
    return (size_t)(p - to);
}
