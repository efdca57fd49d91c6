/* table_parse.c - cells from text: numbers, booleans, dates and times. */
#include <strings.h>

#include "heap/text.h"
#include "heap/table_csv.h"
#include "heap/table_digits.h"

struct scan {
    const char *p, *end;
};

static bool scan_char(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

/* Exactly `digits` digits. */
static bool scan_digits(struct scan *s, int digits, int64_t *v)
{
    *v = 0;
    for (; digits; digits--, s->p++) {
        if (s->p == s->end || *s->p < '0' || *s->p > '9') return false;
        *v = *v * 10 + (*s->p - '0');
    }
    return true;
}

/* --- numbers -----------------------------------------------------------------------------------*/

/* Digits without leading zeros; the magnitude. */
static bool parse_magnitude(const char *p, const char *end, uint64_t *v)
{
    if (p == end || (*p == '0' && end - p > 1)) return false;
    for (*v = 0; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        if (__builtin_mul_overflow(*v, (uint64_t)10, v)) return false;
        if (__builtin_add_overflow(*v, (uint64_t)(*p - '0'), v)) return false;
    }
    return true;
}

static bool parse_int(enum table_type type, const char *p, const char *end, struct table_cell *c)
{
    uint64_t magnitude;
    unsigned bits = (unsigned)table_type_bytes(type) * 8;
    bool minus = p < end && *p == '-';
    if (!parse_magnitude(p + minus, end, &magnitude)) return false;
    if (table_type_class(type) == TABLE_CLASS_UINT) {
        c->u = magnitude;
        return !minus && (bits == 64 || magnitude >> bits == 0);
    }
    uint64_t limit = ((uint64_t)1 << (bits - 1)) - !minus;
    c->i = minus ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return magnitude <= limit;
}

/* -digits[.digits] of at most 15 digits: a quotient of two integers that doubles hold, and so
 * rounded once, as it should be (Clinger 1990). */
static bool parse_short_decimal(const char *p, const char *end, double *d)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15};
    bool minus = p < end && *p == '-';
    int64_t mantissa = 0;
    const char *point = NULL, *first = p += minus;
    if (end - p < 1 || end - p > 15 || *p == '.' || end[-1] == '.') return false;
    for (; p < end; p++) {
        if (*p == '.' && !point) {
            point = p;
        } else {
            if (*p < '0' || *p > '9') return false;
            mantissa = mantissa * 10 + (*p - '0');
        }
    }
    if (first[0] == '0' && end - first > 1 && first[1] != '.') return false; /* postcodes */
    *d = (double)mantissa / powers[point ? end - point - 1 : 0];
    if (minus) *d = -*d;
    return true;
}

/* [-+]digits[.digits][e[-+]digits], nan, inf, infinity. */
static bool parse_double(const char *p, size_t length, double *d)
{
    char room[64], *end;
    if (length == 0 || length >= sizeof room) return false;
    if (parse_short_decimal(p, p + length, d)) return true;
    bool special = false;
    for (size_t i = 0; i < length; i++)
        special |= !((p[i] >= '0' && p[i] <= '9') || p[i] == '+' || p[i] == '-' || p[i] == '.' ||
                     p[i] == 'e' || p[i] == 'E');
    memcpy(room, p, length);
    room[length] = 0;
    const char *word = room + (*room == '-' || *room == '+');
    if (special && strcasecmp(word, "nan") != 0 && strcasecmp(word, "inf") != 0 &&
        strcasecmp(word, "infinity") != 0)
        return false;
    if (word[0] == '0' && word[1] >= '0' && word[1] <= '9') return false;
    *d = strtod(room, &end);
    /* Digits of more than a double holds are no infinity. */
    return *end == 0 && end != room && (special || *d - *d == 0);
}

/* A number that is too large for a float is no infinity, either. */
static bool float_holds(double d)
{
    float f = (float)d;
    return f - f == 0 || d - d != 0;
}

static bool parse_bool(const char *p, size_t length, uint64_t *v)
{
    *v = length == 4;
    return (length == 4 && strncasecmp(p, "true", 4) == 0) ||
           (length == 5 && strncasecmp(p, "false", 5) == 0);
}

/* --- dates and times ---------------------------------------------------------------------------*/

/* Days from 1970-01-01 of the proleptic Gregorian calendar, years that begin in March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - (month <= 2), m = (month + 9) % 12;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * m + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Four digits, or up to seven that begin with no zero; a minus, but no year -0: each year is
 * written in one way. */
static bool scan_year(struct scan *s, int64_t *year)
{
    bool minus = scan_char(s, '-');
    const char *first = s->p;
    for (*year = 0; s->p < s->end && *s->p >= '0' && *s->p <= '9' && s->p - first < 7; s->p++)
        *year = *year * 10 + (*s->p - '0');
    if (s->p - first < 4 || (s->p - first > 4 && *first == '0') || (minus && *year == 0))
        return false;
    if (minus) *year = -*year;
    return true;
}

static bool scan_date(struct scan *s, int64_t *days)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!scan_year(s, &year) || !scan_char(s, '-') || !scan_digits(s, 2, &month) ||
        !scan_char(s, '-') || !scan_digits(s, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > lengths[month - 1] + (month == 2 && leap)) return false;
    *days = days_of(year, month, day);
    return true;
}

static bool scan_fraction(struct scan *s, int64_t *us)
{
    int digits = 0;
    *us = 0;
    if (!scan_char(s, '.')) return true;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, digits++)
        if (digits < 6) *us = *us * 10 + (*s->p - '0');
    for (int i = digits; i < 6; i++) *us *= 10;
    return digits > 0 && digits <= 9;
}

/* Z, +01:00, or nothing: UTC. */
static bool scan_zone(struct scan *s, int64_t *minutes)
{
    int64_t hour, minute;
    *minutes = 0;
    if (s->p == s->end || scan_char(s, 'Z')) return true;
    bool minus = *s->p == '-';
    if (!scan_char(s, '-') && !scan_char(s, '+')) return false;
    if (!scan_digits(s, 2, &hour)) return false;
    scan_char(s, ':');
    if (!scan_digits(s, 2, &minute) || hour > 23 || minute > 59) return false;
    *minutes = (hour * 60 + minute) * (minus ? -1 : 1);
    return true;
}

static bool scan_time(struct scan *s, int64_t *us)
{
    int64_t days, hour, minute, second = 0, fraction = 0, zone;
    if (!scan_date(s, &days) || (!scan_char(s, 'T') && !scan_char(s, ' '))) return false;
    if (!scan_digits(s, 2, &hour) || !scan_char(s, ':') || !scan_digits(s, 2, &minute))
        return false;
    if (scan_char(s, ':') && (!scan_digits(s, 2, &second) || !scan_fraction(s, &fraction)))
        return false;
    if (hour > 23 || minute > 59 || second > 59 || !scan_zone(s, &zone)) return false;
    int64_t seconds = ((days * 24 + hour) * 60 + minute - zone) * 60 + second;
    __int128 exact = (__int128)seconds * 1000000 + fraction;
    *us = (int64_t)exact;
    return *us == exact;
}

bool cell_parse(enum table_type type, const char *text, size_t length, struct table_cell *cell)
{
    struct scan s = {text, text + length};
    *cell = (struct table_cell){.type = type};
    switch (type) {
    case TABLE_F32: return parse_double(text, length, &cell->d) && float_holds(cell->d);
    case TABLE_F64: return parse_double(text, length, &cell->d);
    case TABLE_BOOL: return parse_bool(text, length, &cell->u);
    case TABLE_DATE:
        return scan_date(&s, &cell->i) && s.p == s.end && cell->i == (int32_t)cell->i;
    case TABLE_TS: return scan_time(&s, &cell->i) && s.p == s.end;
    case TABLE_STR: case TABLE_SYM: case TABLE_BIN:
        cell->text = (struct table_text){text, length};
        return type == TABLE_BIN || utf8_valid(text, length);
    default: return parse_int(type, text, text + length, cell);
    }
}
