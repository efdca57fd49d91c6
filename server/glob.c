/* glob.c - see glob.h.
 *
 * A star first matches nothing; when what follows it fails, it takes one byte more and the
 * rest is tried again. Only the last star met needs that: whatever an earlier one could
 * take, the last can take as well. So one position to go back to is enough. */
#include "server/glob.h"

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

/* Whether `c` is in the class at pattern[at .. end), brackets included. */
static bool class_has(const char *pattern, size_t at, size_t end, unsigned char c)
{
    size_t i = at + 1;
    bool negated = pattern[i] == '^', found = false;
    if (negated) i++;
    while (i < end - 1) {
        if (pattern[i] == '\\' && i + 1 < end - 1) i++;
        unsigned char low = (unsigned char)pattern[i++], high = low;
        if (i + 1 < end - 1 && pattern[i] == '-') {
            i++;
            if (pattern[i] == '\\' && i + 1 < end - 1) i++;
            high = (unsigned char)pattern[i++];
        }
        if (c >= low && c <= high) found = true;
    }
    return found != negated;
}

/* Matches one element of the pattern (not a star) with `c`; its length, or 0. */
static size_t element_match(const char *pattern, size_t length, size_t at, unsigned char c)
{
    size_t end;
    if (pattern[at] == '?') return 1;
    if (pattern[at] == '[' && (end = class_end(pattern, length, at)) > 0)
        return class_has(pattern, at, end, c) ? end - at : 0;
    if (pattern[at] == '\\' && at + 1 < length)
        return (unsigned char)pattern[at + 1] == c ? 2 : 0;
    return (unsigned char)pattern[at] == c ? 1 : 0;
}

bool glob_match(const char *pattern, size_t pattern_length, const char *text, size_t length)
{
    size_t p = 0, t = 0, retry_p = 0, retry_t = 0;
    bool star = false;
    while (t < length) {
        size_t taken = 0;
        if (p < pattern_length && pattern[p] == '*') {
            star = true;
            retry_p = ++p;
            retry_t = t;
            continue;
        }
        if (p < pattern_length)
            taken = element_match(pattern, pattern_length, p, (unsigned char)text[t]);
        if (taken > 0) {
            p += taken;
            t++;
        } else if (star) {
            p = retry_p;
            t = ++retry_t;
        } else {
            return false;
        }
    }
    while (p < pattern_length && pattern[p] == '*') p++;
    return p == pattern_length;
}
