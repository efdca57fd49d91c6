/* cli_json.h - values as people write and read them: JSON, and what JSON lacks.
 *
 *   null (or nil)  true  false  12  -1.5e3  "text"  [1, 2]  {"key": value}
 *   inf  -inf  nan
 *   b"raw bytes\x00\xff"      bytes; \xNN beside JSON's escapes
 *   set(1, "two")             a set
 *   ext(5, b"\x01")           an extension value: its type (-128..127) and its bytes
 *   ref(3) weak(3) handle(3)  only printed: the list or map number 3 of this result, counted
 *                             from 0 as they open, once more; the same, weak; a handle
 *   arrow(120 bytes)          only printed: a part of an Arrow stream
 *   {1: "a", true: "b"}       keys of other types than string
 *   {if: "absent"}            names need no quotes as keys
 *
 * Integers are exact over int64 and uint64, doubles are written in the shortest form that
 * reads back the same; a double always has a point or an exponent. */
#ifndef CAIRN_CLIENT_CLI_JSON_H
#define CAIRN_CLIENT_CLI_JSON_H

#include <stdio.h>

#include "client/cairn.h"
#include "client/cli_text.h"

/* The extension type of a set: its payload is an array of the members. */
#define CLI_EXT_SET 4
/* Bytes of an Arrow stream. */
#define CLI_EXT_ARROW 8

/* Containers within containers that a literal may have. */
#define CLI_JSON_DEPTH_MAX 512

struct cli_json_error {
    size_t offset; /* of the byte that was not understood */
    char text[160];
};

/* Reads `text`, which must hold one literal and nothing else, and adds it to `args`. False and
 * *error (args is then unfinished, and must be cleared) if it is not one. */
bool cli_json_parse(struct cairn_args *args, const char *text, size_t length,
                    struct cli_json_error *error) CAIRN_MUST_CHECK;

/* Reads a quoted text ("…") at the start of `text`; adds what it means to `out` and sets *used
 * to its length with the quotes. With `bytes`, \xNN is an escape, too. */
bool cli_json_string(const char *text, size_t length, bool bytes, struct cli_text *out,
                     size_t *used, struct cli_json_error *error) CAIRN_MUST_CHECK;

/* How a value is printed. */
struct cli_json_style {
    bool strict;    /* only what JSON knows: see below */
    unsigned width; /* containers that are longer are spread over lines; 0: all on one line */
    bool colour;    /* escape sequences of a terminal */
};

/* Prints without a newline at the end. In strict style inf, nan, bytes and extension values become
 * {"$double": "inf"}, {"$bytes": "base64"} and {"$ext": [type, "base64"]}; bytes that are
 * UTF-8 are a string, a set is a list; keys are strings always. */
void cli_json_print(FILE *out, const struct cairn_value *value,
                    const struct cli_json_style *style);
/* Prints a text in quotes, as a name of a member may be: what is not UTF-8 becomes U+FFFD. */
void cli_json_print_text(FILE *out, const char *data, size_t length);

#endif
