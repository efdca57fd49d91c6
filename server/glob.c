/* glob.c - see glob.h.
 *
 * A star first matches nothing; when what follows it fails, it takes one byte more and the
 * rest is tried again. Only the last star met needs that: whatever an earlier one could
 * take, the last can take as well. So one position to go back to is enough. */
#include "server/glob.h"

#include <assert.h>
#include <string.h>

/* The end of the class that begins with '[' at `at`, after its ']'; 0 if it has none. A
 * ']' right after the '[' or '[^' is a member. */
static size_t class_end(const char *pattern, size_t length, size_t at)
{
    size_t i = at + 1;
    if (i < length && pattern[i] == '^') i++;
    if (i < length && pattern[i] == ']') i++;
    for (; i < length; i++) {
        if (pattern[i] == '\\' && i + 1 < length) i++;
        else if (pattern[i] == ']') return i + 1;
    }
    return 0;
}

/* Reads the class at pattern[at .. end), brackets included. */
static void class_compile(uint64_t members[4], const char *pattern, size_t at, size_t end)
{
    size_t i = at + 1;
    bool negated = pattern[i] == '^';
    memset(members, 0, 4 * sizeof *members);
    if (negated) i++;
    while (i < end - 1) {
        if (pattern[i] == '\\' && i + 1 < end - 1) i++;
        unsigned low = (unsigned char)pattern[i++], high = low;
        if (i + 1 < end - 1 && pattern[i] == '-') {
            i++;
            if (pattern[i] == '\\' && i + 1 < end - 1) i++;
            high = (unsigned char)pattern[i++];
        }
        for (unsigned c = low; c <= high; c++) members[c / 64] |= (uint64_t)1 << c % 64;
    }
    for (unsigned word = 0; word < 4 && negated; word++) members[word] = ~members[word];
}

void glob_compile(struct glob *glob, const char *pattern, size_t length)
{
    assert(length <= GLOB_PATTERN_MAX);
    size_t classes = 0;
    glob->count = 0;
    for (size_t at = 0, end; at < length;) {
        struct glob_element *e = &glob->elements[glob->count++];
        *e = (struct glob_element){.kind = GLOB_BYTE, .byte = (unsigned char)pattern[at]};
        if (pattern[at] == '*') {
            e->kind = GLOB_STAR;
            /* More stars in a row say no more than one. */
            while (at + 1 < length && pattern[at + 1] == '*') at++;
        } else if (pattern[at] == '?') {
            e->kind = GLOB_ANY;
        } else if (pattern[at] == '[' && (end = class_end(pattern, length, at)) > 0) {
            *e = (struct glob_element){.kind = GLOB_CLASS, .byte = (unsigned char)classes};
            class_compile(glob->classes[classes++], pattern, at, end);
            at = end - 1;
        } else if (pattern[at] == '\\' && at + 1 < length) {
            e->byte = (unsigned char)pattern[++at];
        }
        at++;
    }
}

static bool element_match(const struct glob *glob, struct glob_element e, unsigned char c)
{
    switch ((enum glob_kind)e.kind) {
    case GLOB_BYTE: return e.byte == c;
    case GLOB_ANY: return true;
    case GLOB_CLASS: return glob->classes[e.byte][c / 64] >> c % 64 & 1;
    case GLOB_STAR: break;
    }
    return false;
}

bool glob_match(const struct glob *glob, const char *text, size_t length, uint64_t *steps)
{
    const struct glob_element *elements = glob->elements;
    size_t p = 0, t = 0, retry_p = 0, retry_t = 0, count = glob->count;
    bool star = false, matches = true;
    while (t < length && matches) {
        ++*steps;
        if (p < count && elements[p].kind == GLOB_STAR) {
            star = true;
            retry_p = ++p;
            retry_t = t;
        } else if (p < count && element_match(glob, elements[p], (unsigned char)text[t])) {
            p++;
            t++;
        } else if (star && p == count && retry_p == count) {
            t = length; /* a star at the end takes the rest */
        } else if (star) {
            p = retry_p;
            t = ++retry_t;
        } else {
            matches = false;
        }
    }
    while (p < count && elements[p].kind == GLOB_STAR) p++;
    return matches && p == count;
}
