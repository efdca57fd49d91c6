/* heap_literal.c - heap values from text. */
#include "tests/support/heap_literal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"

struct reader {
    struct heap *h;
    const char *text, *at;
};

static void fail(const struct reader *r, const char *what)
{
    fprintf(stderr, "heap_literal: %s at \"%s\" of %s\n", what, r->at, r->text);
    abort();
}

static value made(const struct reader *r, value v)
{
    if (v == VALUE_ABSENT) fail(r, "no memory");
    return v;
}

static bool skip(struct reader *r, const char *word)
{
    while (isspace((unsigned char)*r->at)) r->at++;
    if (strncmp(r->at, word, strlen(word)) != 0) return false;
    r->at += strlen(word);
    return true;
}

static value read_value(struct reader *r);

static value read_text(struct reader *r, bool is_bytes)
{
    char *bytes = malloc(strlen(r->at) + 1);
    size_t length = 0;
    if (!bytes) abort();
    for (; *r->at != '\''; r->at++) {
        if (!*r->at) fail(r, "a text without an end");
        bytes[length++] = *r->at;
        if (strncmp(r->at, "\\x", 2) != 0) continue;
        char digits[3] = {r->at[2], r->at[3], 0};
        bytes[length - 1] = (char)strtol(digits, NULL, 16);
        r->at += 3;
    }
    r->at++;
    value v = made(r, text_new(r->h, bytes, length, is_bytes));
    free(bytes);
    return v;
}

static value read_list(struct reader *r)
{
    value list = made(r, list_new(r->h));
    if (skip(r, "]")) return list;
    do {
        if (list_push_take(r->h, list, read_value(r)) != 0) fail(r, "no memory");
    } while (skip(r, ","));
    if (!skip(r, "]")) fail(r, "a list without an end");
    return list;
}

static value read_map(struct reader *r)
{
    size_t count = 0, capacity = 0;
    value *pairs = NULL;
    if (!skip(r, "}")) {
        do {
            if (count == capacity) {
                capacity = capacity ? capacity * 2 : 16;
                pairs = realloc(pairs, capacity * sizeof *pairs);
                if (!pairs) abort();
            }
            pairs[count++] = read_value(r);
            if (!skip(r, ":")) fail(r, "no colon");
            pairs[count++] = read_value(r);
        } while (skip(r, ","));
        if (!skip(r, "}")) fail(r, "a map without an end");
    }
    value map = made(r, map_from_take(r->h, pairs, count / 2));
    free(pairs);
    return map;
}

static value read_number(struct reader *r)
{
    char *end, *end_double;
    errno = 0;
    long long i = strtoll(r->at, &end, 10);
    bool too_large = errno == ERANGE;
    double d = strtod(r->at, &end_double);
    if (end_double == r->at) fail(r, "no value");
    if (end_double > end) {
        r->at = end_double;
        return made(r, number_from_double(r->h, d));
    }
    value v = too_large ? number_from_uint64(r->h, strtoull(r->at, &end, 10))
                        : number_from_int64(r->h, i);
    r->at = end;
    return made(r, v);
}

static value read_value(struct reader *r)
{
    if (skip(r, "nil")) return VALUE_NIL;
    if (skip(r, "true")) return VALUE_TRUE;
    if (skip(r, "false")) return VALUE_FALSE;
    if (skip(r, "nan")) return made(r, number_from_double(r->h, NAN));
    if (skip(r, "inf")) return made(r, number_from_double(r->h, INFINITY));
    if (skip(r, "-inf")) return made(r, number_from_double(r->h, -INFINITY));
    if (skip(r, "b'")) return read_text(r, true);
    if (skip(r, "'")) return read_text(r, false);
    if (skip(r, "[")) return read_list(r);
    if (skip(r, "{")) return read_map(r);
    return read_number(r);
}

value heap_literal(struct heap *h, const char *text)
{
    struct reader r = {h, text, text};
    value v = read_value(&r);
    while (isspace((unsigned char)*r.at)) r.at++;
    if (*r.at) fail(&r, "more than one value");
    return v;
}
