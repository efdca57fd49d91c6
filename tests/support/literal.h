/* literal.h - MessagePack as text that tests can read, both ways.
 *
 *   nil true false 12 -3 2.5 'text' b'bytes' [1, 2] {'a': 1} <5:0a0b>
 *
 * The last is an extension value: type and hexadecimal bytes. In texts, \' \\ \n \xNN. */
#ifndef CAIRN_TESTS_LITERAL_H
#define CAIRN_TESTS_LITERAL_H

#include "protocol/writer.h"

/* Writes the values in `text`, separated by commas; returns how many. Aborts on nonsense. */
size_t literal_write(struct writer *w, const char *text);

/* The MessagePack value at `data` as text; *used is its length. To be freed. Aborts on what is
 * not MessagePack or goes past the end. */
char *literal_read(const char *data, size_t length, size_t *used);

#endif
