/* cli_records.h - the records of a JSON file, one after the other, in constant memory.
 *
 * Where the records are:
 *
 *   LINES    every value of the file is a record: {…} {…} … (JSON lines)
 *   ARRAY    the file is an array of records: [{…}, {…}, …]
 *   MEMBER   the file is an object, one member of which is the array. `at` names the member
 *            ("a.b": within a member); without it, the only member that is an array is taken
 *   JSON     ARRAY if the file begins with [, else MEMBER
 *   AUTO     ARRAY if the file begins with [, else LINES
 *
 * If `at` is given it is MEMBER.
 *
 * Nothing but the record at hand is kept. */
#ifndef CAIRN_CLIENT_CLI_RECORDS_H
#define CAIRN_CLIENT_CLI_RECORDS_H

#include "client/cairn.h"
#include "client/cli_key.h"
#include "client/cli_text.h"

enum cli_layout {
    CLI_LAYOUT_AUTO,
    CLI_LAYOUT_JSON,
    CLI_LAYOUT_LINES,
    CLI_LAYOUT_ARRAY,
    CLI_LAYOUT_MEMBER
};

struct cli_records;

/* A record: its one parameter in `value`, borrowed for the call. False stops the reading. */
typedef bool (*cli_record_cb)(void *context, const struct cairn_args *value);

/* `key` may be NULL; else records must be objects, and its values are those of the record while
 * `record` runs. Borrowed, like `at`. NULL when memory is short. */
struct cli_records *cli_records_create(enum cli_layout layout, const char *at, struct cli_key *key,
                                       cli_record_cb record, void *context);
void cli_records_destroy(struct cli_records *r);

/* The next piece of the file; after the last, finish. False: what is wrong is in
 * cli_records_error, which is empty if it was `record` that stopped. */
bool cli_records_feed(struct cli_records *r, const char *data, size_t length);
bool cli_records_finish(struct cli_records *r);
/* Valid until destroy. */
const char *cli_records_error(const struct cli_records *r);
/* The number of the record at hand or that comes next, and the line reached; both count from 1. */
uint64_t cli_records_number(const struct cli_records *r);
/* The line on which the record at hand begins; 0 outside of records. */
uint64_t cli_records_begin(const struct cli_records *r);
uint64_t cli_records_line(const struct cli_records *r);

#endif
