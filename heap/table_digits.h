/* table_digits.h - numbers, dates and times as decimal text, many millions of them a second: printf
 * takes a quarter of a microsecond for a double, and an export has eight a row.
 *
 * All write to where DIGITS_ROOM bytes are free, and return how many they wrote. */
#ifndef CAIRN_HEAP_TABLE_DIGITS_H
#define CAIRN_HEAP_TABLE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#define DIGITS_ROOM 48

/* Writes a number in decimal to at least DIGITS_ROOM bytes. Returns how many it took. */
size_t digits_uint(unsigned char *to, uint64_t v);
size_t digits_int(unsigned char *to, int64_t v);
/* A decimal that reads back as the same double: the shortest if 15 digits are enough, else the
 * nearest one of 16 digits, or 17; never without a point or an exponent. "nan", "inf", "-inf".
 * `*places` is how many decimal places the last one of this column had (at first 0), a guess that
 * makes columns of prices fast. */
size_t digits_double(unsigned char *to, double d, unsigned *places);
/* The same for a float, with 6 to 9 digits. */
size_t digits_float(unsigned char *to, float f);
/* 2026-11-25. Years beyond 0..9999 have more digits, or a minus. */
size_t digits_date(unsigned char *to, int64_t days);
/* 2026-11-25T18:00:00.000001Z; whole seconds without a fraction. */
size_t digits_time(unsigned char *to, int64_t us);

/* The civil date of a day since 1970-01-01. */
void digits_split_date(int64_t days, int64_t *year, int64_t *month, int64_t *day);

#endif
