/* cli_date.c - dates and times; see cli_date.h. */
#include "client/cli_date.h"

#include <inttypes.h>
#include <stdio.h>

#define DAYS_400_YEARS 146097
#define DAYS_0_TO_1970 719468 /* from 0000-03-01 */

/* Years are counted from March, so that a leap day is a year's last. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * DAYS_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           DAYS_0_TO_1970;
}

static void date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t era = days / DAYS_400_YEARS, rest = days % DAYS_400_YEARS + DAYS_0_TO_1970;
    /* The rest is in any of three eras. */
    while (rest < 0) rest += DAYS_400_YEARS, era--;
    while (rest >= DAYS_400_YEARS) rest -= DAYS_400_YEARS, era++;
    int64_t of_era = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    int64_t of_year = rest - (365 * of_era + of_era / 4 - of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (unsigned)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = era * 400 + of_era + (*month <= 2);
}

size_t cli_date_format(char text[CLI_DATE_BYTES_MAX], int64_t days)
{
    int64_t year;
    unsigned month, day;
    date_from_days(days, &year, &month, &day);
    int length = snprintf(text, CLI_DATE_BYTES_MAX, "%s%04" PRIu64 "-%02u-%02u",
                          year < 0 ? "-" : "", (uint64_t)(year < 0 ? -year : year), month, day);
    return (size_t)length;
}

size_t cli_time_format(char text[CLI_DATE_BYTES_MAX], int64_t us, char separator)
{
    int64_t days = us / CLI_DAY_US, rest = us % CLI_DAY_US;
    if (rest < 0) {
        rest += CLI_DAY_US;
        days--;
    }
    size_t length = cli_date_format(text, days);
    int64_t seconds = rest / 1000000;
    unsigned fraction = (unsigned)(rest % 1000000);
    length += (size_t)snprintf(text + length, CLI_DATE_BYTES_MAX - length,
                               "%c%02u:%02u:%02u", separator, (unsigned)(seconds / 3600),
                               (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    if (fraction == 0) return length;
    length += (size_t)snprintf(text + length, CLI_DATE_BYTES_MAX - length, ".%06u", fraction);
    while (text[length - 1] == '0') text[--length] = 0;
    return length;
}

/* --- reading ----------------------------------------------------------------------------*/

struct reader {
    const char *at, *end;
    bool failed;
};

/* Four digits, or up to seven that begin with no zero, after a minus if it is before 0. */
static int64_t take_year(struct reader *r)
{
    bool minus = r->at < r->end && *r->at == '-';
    const char *first = r->at += minus;
    int64_t year = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - first < 7; r->at++)
        year = year * 10 + (*r->at - '0');
    if (r->at - first < 4 || (r->at - first > 4 && *first == '0') || (minus && year == 0))
        r->failed = true;
    return minus ? -year : year;
}

static unsigned take_digits(struct reader *r, unsigned count)
{
    unsigned number = 0;
    for (; count > 0; count--) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9') {
            r->failed = true;
            return 0;
        }
        number = number * 10 + (unsigned)(*r->at++ - '0');
    }
    return number;
}

static bool take_char(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool date_is_valid(int64_t year, unsigned month, unsigned day)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (unsigned)(leap && month == 2);
}

/* Up to six digits behind the point, as microseconds. */
static unsigned take_fraction(struct reader *r)
{
    unsigned fraction = 0, digits = 0;
    while (digits < 6 && r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        fraction = fraction * 10 + (unsigned)(*r->at++ - '0');
        digits++;
    }
    if (digits == 0) r->failed = true;
    for (; digits < 6; digits++) fraction *= 10;
    return fraction;
}

static int64_t take_time(struct reader *r)
{
    unsigned hour = take_digits(r, 2), minute = 0, second = 0, fraction = 0;
    if (!take_char(r, ':')) r->failed = true;
    minute = take_digits(r, 2);
    if (take_char(r, ':')) {
        second = take_digits(r, 2);
        if (take_char(r, '.')) fraction = take_fraction(r);
    }
    if (!take_char(r, 'Z')) take_char(r, 'z');
    if (hour > 23 || minute > 59 || second > 59) r->failed = true;
    return ((int64_t)hour * 3600 + minute * 60 + second) * 1000000 + fraction;
}

bool cli_time_parse(const char *text, size_t length, int64_t *us, bool *is_date)
{
    struct reader r = {.at = text, .end = text + length};
    int64_t year = take_year(&r);
    unsigned month = 0, day = 0;
    if (!take_char(&r, '-')) return false;
    month = take_digits(&r, 2);
    if (!take_char(&r, '-')) return false;
    day = take_digits(&r, 2);
    if (r.failed || !date_is_valid(year, month, day)) return false;
    __int128 exact = (__int128)days_from_date(year, month, day) * CLI_DAY_US;
    *is_date = r.at == r.end;
    *us = (int64_t)exact;
    if (*is_date) return *us == exact;
    if (!take_char(&r, 'T') && !take_char(&r, 't') && !take_char(&r, ' ')) return false;
    exact += take_time(&r);
    *us = (int64_t)exact;
    return !r.failed && r.at == r.end && *us == exact;
}
