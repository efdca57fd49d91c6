/* cli_text.h - small things about text that all of cairn-cli needs: a growing buffer, UTF-8,
 * numbers. */
#ifndef CAIRN_CLIENT_CLI_TEXT_H
#define CAIRN_CLIENT_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing buffer. Zeroed is empty. A failed allocation is remembered in `failed`, and adding
 * does nothing from then on. data is NULL or ends in a zero that length does not count. */
struct cli_text {
    char *data; /* owned */
    size_t length;
    size_t capacity;
    bool failed;
};
void cli_text_add(struct cli_text *t, const char *data, size_t length);
void cli_text_add_cstr(struct cli_text *t, const char *text);
void cli_text_add_char(struct cli_text *t, char c);
/* A code point in UTF-8. */
void cli_text_add_code(struct cli_text *t, uint32_t code);
/* Empties it, keeping the memory. */
void cli_text_clear(struct cli_text *t);
void cli_text_close(struct cli_text *t);

/* The code point at the start of `data` and its bytes, 0 if there is no valid one: shortest
 * form, no surrogates, at most U+10FFFF. */
unsigned cli_utf8_next(const char *data, size_t length, uint32_t *code);
bool cli_utf8_valid(const char *data, size_t length);

/* Adds the bytes in base64 (RFC 4648), as table.export and strict JSON write them. */
void cli_text_add_base64(struct cli_text *text, const char *data, size_t length);
/* The four digits of up to three bytes. */
void cli_base64_group(char digits[4], const char *data, size_t count);

/* What a word of a number is. */
enum cli_number_type {
    CLI_NUMBER_NONE,  /* not written as a number */
    CLI_NUMBER_INT,   /* in int64 */
    CLI_NUMBER_UINT,  /* above INT64_MAX, in uint64 */
    CLI_NUMBER_DOUBLE,
    CLI_NUMBER_RANGE  /* an integer of more than 64 bits, or a double that is too large */
};
struct cli_number {
    enum cli_number_type type;
    int64_t integer;
    uint64_t unsigned_integer;
    double real;
};
/* Reads the whole of `text` as JSON writes numbers: digits alone are an integer and exact,
 * a point or an exponent makes a double. */
struct cli_number cli_number_parse(const char *text, size_t length);
/* Why such a text is CLI_NUMBER_RANGE: "too large: ...". Static storage. */
const char *cli_number_range(const char *text, size_t length);

/* Writes the shortest text that reads back as the same double, with a point or an exponent in it;
 * "inf", "-inf", "nan". Returns the length. */
#define CLI_DOUBLE_BYTES_MAX 32
size_t cli_double_format(char text[CLI_DOUBLE_BYTES_MAX], double value);

#endif
