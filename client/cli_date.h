/* cli_date.h - dates and times of tables as people write them.
 *
 * A date is a count of days, a time one of microseconds, both since 1970-01-01, UTC, in the
 * proleptic Gregorian calendar. */
#ifndef CAIRN_CLIENT_CLI_DATE_H
#define CAIRN_CLIENT_CLI_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_DATE_BYTES_MAX 64
/* "2024-05-01"; years before 0 have a minus ("-0001-12-31"), those after 9999 more digits. Returns
 * the length. */
size_t cli_date_format(char text[CLI_DATE_BYTES_MAX], int64_t days);
/* "2024-05-01 12:30:00", with as many digits of a fraction as it needs, or `separator` in place
 * of the blank. */
size_t cli_time_format(char text[CLI_DATE_BYTES_MAX], int64_t us, char separator);

/* Reads YYYY-MM-DD, with a year as cli_date_format writes it, or that with T or a blank and HH:MM,
 * HH:MM:SS or HH:MM:SS.ffffff behind it, and Z or nothing. *us is the time; *is_date: it was a date
 * alone. False if it is none of these. */
bool cli_time_parse(const char *text, size_t length, int64_t *us, bool *is_date);
#define CLI_DAY_US ((int64_t)86400000000)

#endif
