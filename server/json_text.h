/* json_text.h - one long string of JSON, decoded while it comes, in pieces that are cut anywhere.
 *
 * yajl begins anew with a token whenever more of it comes, and takes a whole one at once: for short
 * strings that is nothing. */
#ifndef CAIRN_SERVER_JSON_TEXT_H
#define CAIRN_SERVER_JSON_TEXT_H

#include "heap/table_out.h"

/* Zeroed: behind the quote that begins the string. */
struct json_text {
    bool escape;         /* a backslash has come */
    unsigned hex_left;   /* digits of \uXXXX that are missing */
    uint32_t code, high; /* that; and a surrogate whose other half is missing, or 0 */
    size_t checked;      /* bytes of the text that are valid UTF-8 */
};

enum json_text_status { JSON_TEXT_MORE, JSON_TEXT_END, JSON_TEXT_WRONG };

/* Decodes up to the quote that ends the string, or all of `data`; `*used` bytes are taken. What it
 * is goes behind the first `begin` bytes of `to` (look at to->failed). WRONG: *wrong says what. */
enum json_text_status json_text_feed(struct json_text *t, const char *data, size_t length,
                                     size_t *used, struct table_out *to, size_t begin,
                                     const char **wrong);

#endif
