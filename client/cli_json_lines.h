/* cli_json_lines.h - an array of records as JSON lines, piece by piece.
 *
 * [{…}, {…}] becomes {…}\n{…}\n: line ends between the records go, those within become blanks, and
 * each record gets one behind it. So it is with records that follow each other without an array,
 * as {…} {…}, each on one line or on several. A file that begins with neither [ nor { passes
 * unchanged. Inside of a record only texts and brackets are looked at: whoever reads the lines
 * checks the rest. */
#ifndef CAIRN_CLIENT_CLI_JSON_LINES_H
#define CAIRN_CLIENT_CLI_JSON_LINES_H

#include "client/cli_text.h"

enum json_lines_state {
    JSON_LINES_START,
    JSON_LINES_PASS,   /* neither an array nor a record: as it is */
    JSON_LINES_FIRST,  /* behind the [ */
    JSON_LINES_RECORD, /* behind a comma */
    JSON_LINES_INSIDE,
    JSON_LINES_BEHIND, /* a record */
    JSON_LINES_ENDED
};

struct cli_json_lines {
    enum json_lines_state state; /* zeroed: at the start */
    bool in_array;
    unsigned mark; /* bytes of a byte order mark that have come */
    bool in_text, escaped;
    uint64_t depth; /* of brackets inside of the record */
    uint64_t line, record, record_line; /* from 0 */
    const char *wrong; /* static storage; NULL: nothing yet */
};

/* Adds to `out` what the piece becomes. False: see `wrong`, in line + 1. */
bool cli_json_lines_feed(struct cli_json_lines *j, const char *data, size_t length,
                         struct cli_text *out);
/* The file ends. */
bool cli_json_lines_finish(struct cli_json_lines *j);

#endif
