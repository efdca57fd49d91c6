/* literal.c - MessagePack as text that tests can read, both ways. It decodes on its own, so
 * that it is a second opinion on what the writer wrote. Recursive: tests choose their depth. */
#include "tests/support/literal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *where)
{
    fprintf(stderr, "literal: %s at: %.40s\n", what, where);
    abort();
}

/* --- text to MessagePack ------------------------------------------------------------------*/

static void skip_blanks(const char **at)
{
    while (isspace((unsigned char)**at)) (*at)++;
}

static bool take(const char **at, const char *word)
{
    skip_blanks(at);
    if (strncmp(*at, word, strlen(word)) != 0) return false;
    *at += strlen(word);
    return true;
}

static unsigned hex_byte(const char **at)
{
    unsigned byte;
    if (sscanf(*at, "%2x", &byte) != 1) fail("no hexadecimal byte", *at);
    *at += 2;
    return byte;
}

/* The rest of a quoted text; its bytes go to `out`. */
static size_t read_quoted(const char **at, char *out)
{
    size_t length = 0;
    while (**at != '\'') {
        char c = *(*at)++;
        if (c == 0) fail("a text does not end", "");
        if (c == '\\') {
            c = *(*at)++;
            if (c == 'n') c = '\n';
            if (c == 'x') c = (char)hex_byte(at);
        }
        out[length++] = c;
    }
    (*at)++;
    return length;
}

static void write_value(struct writer *w, const char **at);

static void write_container(struct writer *w, const char **at, bool is_map)
{
    /* The header needs the count, so the items go to a writer of their own first. */
    struct writer items;
    size_t count = 0;
    writer_init(&items, 0);
    const char *end = is_map ? "}" : "]";
    while (!take(at, end)) {
        if (count > 0 && !take(at, ",")) fail("no comma", *at);
        write_value(&items, at);
        if (is_map && !take(at, ":")) fail("no colon", *at);
        if (is_map) write_value(&items, at);
        count++;
    }
    if (is_map) writer_map(w, count);
    else writer_array(w, count);
    writer_bytes(w, items.data, items.length);
    writer_close(&items);
}

static void write_number(struct writer *w, const char **at)
{
    char *end;
    size_t length = strspn(*at, "+-0123456789.eE");
    if (length == 0) fail("no value", *at);
    if (memchr(*at, '.', length) != NULL || memchr(*at, 'e', length) != NULL)
        writer_double(w, strtod(*at, &end));
    else if (**at == '-') writer_int(w, strtoll(*at, &end, 10));
    else writer_uint(w, strtoull(*at, &end, 10));
    *at = end;
}

static void write_value(struct writer *w, const char **at)
{
    char *bytes = malloc(strlen(*at) + 1);
    if (take(at, "nil")) writer_nil(w);
    else if (take(at, "true")) writer_bool(w, true);
    else if (take(at, "false")) writer_bool(w, false);
    else if (take(at, "inf")) writer_double(w, (double)__builtin_inf());
    else if (take(at, "b'")) writer_bin(w, bytes, read_quoted(at, bytes));
    else if (take(at, "'")) writer_str(w, bytes, read_quoted(at, bytes));
    else if (take(at, "[")) write_container(w, at, false);
    else if (take(at, "{")) write_container(w, at, true);
    else if (take(at, "<")) {
        char *end;
        long type = strtol(*at, &end, 10);
        size_t length = 0;
        if (*end++ != ':') fail("no colon", *at);
        *at = end;
        while (!take(at, ">")) bytes[length++] = (char)hex_byte(at);
        writer_ext(w, (int8_t)type, bytes, length);
    } else write_number(w, at);
    free(bytes);
}

size_t literal_write(struct writer *w, const char *text)
{
    size_t count = 0;
    skip_blanks(&text);
    while (*text != 0) {
        if (count++ > 0 && !take(&text, ",")) fail("no comma", text);
        write_value(w, &text);
        skip_blanks(&text);
    }
    return count;
}

/* --- MessagePack to text --------------------------------------------------------------------*/

struct reading {
    const unsigned char *at, *end;
    char *text;
    size_t length, capacity;
};

static void add(struct reading *r, const char *text)
{
    size_t length = strlen(text);
    if (r->length + length + 1 > r->capacity) {
        r->capacity = (r->length + length + 64) * 2;
        r->text = realloc(r->text, r->capacity);
    }
    memcpy(r->text + r->length, text, length + 1);
    r->length += length;
}

static uint64_t get(struct reading *r, unsigned bytes)
{
    uint64_t n = 0;
    if ((size_t)(r->end - r->at) < bytes) fail("MessagePack ends too early", r->text);
    while (bytes-- > 0) n = n << 8 | *r->at++;
    return n;
}

static void add_int(struct reading *r, int64_t n)
{
    char text[40];
    snprintf(text, sizeof text, "%" PRId64, n);
    add(r, text);
}

static void add_uint(struct reading *r, uint64_t n)
{
    char text[40];
    snprintf(text, sizeof text, "%" PRIu64, n);
    add(r, text);
}

static void add_double(struct reading *r, double d)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", d);
    for (int digits = 15; digits < 17; digits++) {
        char shorter[40];
        snprintf(shorter, sizeof shorter, "%.*g", digits, d);
        if (strtod(shorter, NULL) == d) {
            strcpy(text, shorter);
            break;
        }
    }
    if (strpbrk(text, ".enif") == NULL) strcat(text, ".0");
    add(r, text);
}

static void add_text(struct reading *r, uint64_t length, const char *open)
{
    if ((uint64_t)(r->end - r->at) < length) fail("MessagePack ends too early", r->text);
    add(r, open);
    for (; length > 0; length--, r->at++) {
        char text[8];
        if (*r->at == '\n') strcpy(text, "\\n");
        else if (*r->at == '\'' || *r->at == '\\') snprintf(text, sizeof text, "\\%c", *r->at);
        else if (*r->at < 0x20 || *r->at >= 0x7f) snprintf(text, sizeof text, "\\x%02x", *r->at);
        else snprintf(text, sizeof text, "%c", *r->at);
        add(r, text);
    }
    add(r, "'");
}

static void add_ext(struct reading *r, uint64_t length)
{
    add(r, "<");
    add_int(r, (int8_t)get(r, 1));
    add(r, ":");
    while (length-- > 0) {
        char text[4];
        snprintf(text, sizeof text, "%02x", (unsigned char)get(r, 1));
        add(r, text);
    }
    add(r, ">");
}

static void add_value(struct reading *r);

static void add_container(struct reading *r, uint64_t count, bool is_map)
{
    add(r, is_map ? "{" : "[");
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) add(r, ", ");
        add_value(r);
        if (is_map) add(r, ": ");
        if (is_map) add_value(r);
    }
    add(r, is_map ? "}" : "]");
}

static void add_real(struct reading *r, unsigned bytes)
{
    uint64_t bits = get(r, bytes);
    uint32_t half = (uint32_t)bits;
    float f;
    double d;
    memcpy(&f, &half, sizeof f);
    memcpy(&d, &bits, sizeof d);
    add_double(r, bytes == 4 ? (double)f : d);
}

static void add_value(struct reading *r)
{
    unsigned c = (unsigned)get(r, 1);
    if (c < 0x80) add_int(r, c);
    else if (c < 0x90) add_container(r, c & 15, true);
    else if (c < 0xa0) add_container(r, c & 15, false);
    else if (c < 0xc0) add_text(r, c & 31, "'");
    else if (c == 0xc0) add(r, "nil");
    else if (c == 0xc2 || c == 0xc3) add(r, c == 0xc3 ? "true" : "false");
    else if (c >= 0xc4 && c <= 0xc6) add_text(r, get(r, 1u << (c - 0xc4)), "b'");
    else if (c >= 0xc7 && c <= 0xc9) add_ext(r, get(r, 1u << (c - 0xc7)));
    else if (c == 0xca || c == 0xcb) add_real(r, c == 0xca ? 4 : 8);
    else if (c >= 0xcc && c <= 0xcf) add_uint(r, get(r, 1u << (c - 0xcc)));
    else if (c == 0xd0) add_int(r, (int8_t)get(r, 1));
    else if (c == 0xd1) add_int(r, (int16_t)get(r, 2));
    else if (c == 0xd2) add_int(r, (int32_t)get(r, 4));
    else if (c == 0xd3) add_int(r, (int64_t)get(r, 8));
    else if (c >= 0xd4 && c <= 0xd8) add_ext(r, 1u << (c - 0xd4));
    else if (c >= 0xd9 && c <= 0xdb) add_text(r, get(r, 1u << (c - 0xd9)), "'");
    else if (c == 0xdc || c == 0xdd) add_container(r, get(r, c == 0xdc ? 2 : 4), false);
    else if (c == 0xde || c == 0xdf) add_container(r, get(r, c == 0xde ? 2 : 4), true);
    else if (c >= 0xe0) add_int(r, (int8_t)c);
    else fail("byte 0xc1", r->text);
}

char *literal_read(const char *data, size_t length, size_t *used)
{
    struct reading r = {.at = (const unsigned char *)data};
    r.end = r.at + length;
    add(&r, "");
    add_value(&r);
    *used = (size_t)((const char *)r.at - data);
    return r.text;
}
