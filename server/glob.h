/* glob.h - patterns as the shell knows them, over bytes.
 *
 *   *       any bytes, none too        ?      any one byte
 *   [a-z]   one byte of the ranges     [^a-z] one byte outside of them
 *   \x      x itself
 *
 * A '[' without its ']' stands for itself. A pattern is compiled once and then matched with
 * many texts; a match takes at most pattern * text steps, which are counted, so that the
 * caller can stop before the next text. */
#ifndef CAIRN_SERVER_GLOB_H
#define CAIRN_SERVER_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLOB_PATTERN_MAX 256
#define GLOB_CLASSES_MAX (GLOB_PATTERN_MAX / 3 + 1) /* the shortest is [a] */

enum glob_kind { GLOB_BYTE, GLOB_ANY, GLOB_CLASS, GLOB_STAR };

struct glob_element {
    unsigned char kind; /* enum glob_kind */
    unsigned char byte; /* GLOB_BYTE: which; GLOB_CLASS: its index */
};

struct glob {
    size_t count;
    struct glob_element elements[GLOB_PATTERN_MAX];
    uint64_t classes[GLOB_CLASSES_MAX][4]; /* a bit for each byte that is in it */
};

/* `length` is at most GLOB_PATTERN_MAX. Any bytes are a pattern. */
void glob_compile(struct glob *glob, const char *pattern, size_t length);
/* Whether all of `text` matches. No recursion. Adds the steps it took to *steps. */
bool glob_match(const struct glob *glob, const char *text, size_t length, uint64_t *steps);

#endif
