/* cli_text.c - a growing buffer, UTF-8, and numbers that keep their value. */
#include "client/cli_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the buffer -------------------------------------------------------------------------*/

static bool text_reserve(struct cli_text *t, size_t length)
{
    if (t->failed) return false;
    if (length >= SIZE_MAX / 2 - t->length) {
        t->failed = true;
        return false;
    }
    size_t needed = t->length + length + 1;
    if (needed <= t->capacity) return true;
    size_t capacity = t->capacity ? t->capacity : 64;
    while (capacity < needed) capacity *= 2;
    char *data = realloc(t->data, capacity);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->capacity = capacity;
    return true;
}

void cli_text_add(struct cli_text *t, const char *data, size_t length)
{
    if (!text_reserve(t, length)) return;
    if (length > 0) memcpy(t->data + t->length, data, length);
    t->length += length;
    t->data[t->length] = 0;
}

void cli_text_add_cstr(struct cli_text *t, const char *text)
{
    cli_text_add(t, text, strlen(text));
}

void cli_text_add_char(struct cli_text *t, char c)
{
    cli_text_add(t, &c, 1);
}

void cli_text_add_code(struct cli_text *t, uint32_t code)
{
    char bytes[4];
    size_t length;
    if (code < 0x80) {
        bytes[0] = (char)code;
        length = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        length = 2;
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        length = 3;
    } else {
        bytes[0] = (char)(0xf0 | code >> 18);
        length = 4;
    }
    for (size_t i = 1; i < length; i++)
        bytes[i] = (char)(0x80 | (code >> (6 * (length - 1 - i)) & 0x3f));
    cli_text_add(t, bytes, length);
}

void cli_text_clear(struct cli_text *t)
{
    t->length = 0;
    t->failed = false;
    if (t->data) t->data[0] = 0;
}

void cli_text_close(struct cli_text *t)
{
    free(t->data);
    *t = (struct cli_text){0};
}

/* --- UTF-8 ------------------------------------------------------------------------------*/

unsigned cli_utf8_next(const char *data, size_t length, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (length == 0) return 0;
    unsigned char first = (unsigned char)data[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    unsigned bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes > length) return 0;
    uint32_t c = first & (0xffu >> (bytes + 1));
    for (unsigned i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)data[i];
        if ((next & 0xc0) != 0x80) return 0;
        c = c << 6 | (next & 0x3f);
    }
    if (c < least[bytes] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
    *code = c;
    return bytes;
}

bool cli_utf8_valid(const char *data, size_t length)
{
    uint32_t code;
    for (size_t at = 0; at < length;) {
        unsigned bytes = cli_utf8_next(data + at, length - at, &code);
        if (bytes == 0) return false;
        at += bytes;
    }
    return true;
}

/* --- base64 -----------------------------------------------------------------------------*/

void cli_base64_group(char digits[4], const char *data, size_t count)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t group = 0;
    for (size_t i = 0; i < 3; i++)
        group = group << 8 | (i < count ? (unsigned char)data[i] : 0);
    for (size_t i = 0; i < 4; i++)
        digits[i] = i <= count ? alphabet[group >> (18 - 6 * i) & 63] : '=';
}

void cli_text_add_base64(struct cli_text *text, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i += 3) {
        char digits[4];
        cli_base64_group(digits, data + i, length - i < 3 ? length - i : 3);
        cli_text_add(text, digits, sizeof digits);
    }
}

/* --- numbers ----------------------------------------------------------------------------*/

static size_t digits(const char *text, size_t at, size_t length)
{
    size_t start = at;
    while (at < length && text[at] >= '0' && text[at] <= '9') at++;
    return at - start;
}

/* JSON's grammar: -? (0|[1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)? */
static bool number_is_written(const char *text, size_t length, bool *is_integer)
{
    size_t at = length > 0 && text[0] == '-';
    size_t whole = digits(text, at, length);
    if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
    at += whole;
    *is_integer = at == length;
    if (at < length && text[at] == '.') {
        size_t fraction = digits(text, at + 1, length);
        if (fraction == 0) return false;
        at += 1 + fraction;
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < length && (text[at] == '+' || text[at] == '-')) at++;
        size_t exponent = digits(text, at, length);
        if (exponent == 0) return false;
        at += exponent;
    }
    return at == length;
}

static struct cli_number integer_parse(const char *text, size_t length)
{
    struct cli_number number = {.type = CLI_NUMBER_RANGE};
    bool negative = text[0] == '-';
    uint64_t value = 0;
    for (size_t i = negative; i < length; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) return number;
        value = value * 10 + digit;
    }
    if (negative) {
        if (value > (uint64_t)INT64_MAX + 1) return number;
        number.type = CLI_NUMBER_INT;
        number.integer = value == 0 ? 0 : -(int64_t)(value - 1) - 1;
    } else if (value <= INT64_MAX) {
        number.type = CLI_NUMBER_INT;
        number.integer = (int64_t)value;
    } else {
        number.type = CLI_NUMBER_UINT;
        number.unsigned_integer = value;
    }
    return number;
}

struct cli_number cli_number_parse(const char *text, size_t length)
{
    struct cli_number number = {.type = CLI_NUMBER_NONE};
    bool is_integer;
    if (!number_is_written(text, length, &is_integer)) return number;
    if (is_integer) return integer_parse(text, length);
    /* strtod wants a zero at the end, and digits can be many. */
    char space[64];
    char *copy = length < sizeof space ? space : malloc(length + 1);
    if (!copy) {
        number.type = CLI_NUMBER_RANGE;
        return number;
    }
    memcpy(copy, text, length);
    copy[length] = 0;
    number.real = strtod(copy, NULL);
    number.type = isinf(number.real) ? CLI_NUMBER_RANGE : CLI_NUMBER_DOUBLE;
    if (copy != space) free(copy);
    return number;
}

const char *cli_number_range(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (strchr(".eE", text[i]))
            return "too large for a double, of which the largest is 1.8e308; inf is beyond all of "
                   "them";
    return "too large: integers have 64 bits, and 1.0e20 means a double";
}

/* Every decimal of up to 15 digits survives a normal double, so 15 digits show the shortest
 * form if it is that short; subnormal ones have less, and are tried from 1 up. */
static void shortest(char text[CLI_DOUBLE_BYTES_MAX], double value)
{
    int precision = fabs(value) < 2.2250738585072014e-308 ? 1 : 15;
    do {
        snprintf(text, CLI_DOUBLE_BYTES_MAX, "%.*g", precision, value);
    } while (strtod(text, NULL) != value && ++precision <= 17);
}

size_t cli_double_format(char text[CLI_DOUBLE_BYTES_MAX], double value)
{
    if (isnan(value) || isinf(value)) {
        strcpy(text, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return strlen(text);
    }
    shortest(text, value);
    if (!strpbrk(text, ".e")) strcat(text, ".0");
    return strlen(text);
}
