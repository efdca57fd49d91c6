/* glob.h - patterns as the shell knows them, over bytes.
 *
 *   *       any bytes, none too        ?      any one byte
 *   [a-z]   one byte of the ranges     [^a-z] one byte outside of them
 *   \x      x itself
 *
 * A '[' without its ']' stands for itself. */
#ifndef CAIRN_SERVER_GLOB_H
#define CAIRN_SERVER_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#define GLOB_PATTERN_MAX 1024

/* Whether all of `text` matches. No recursion; at most pattern * text steps. */
bool glob_match(const char *pattern, size_t pattern_length, const char *text, size_t length);

#endif
