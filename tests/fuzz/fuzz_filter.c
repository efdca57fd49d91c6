/* fuzz_filter.c - any text as the clauses of a readable query: read, or refused with a place and a
 * sentence; what was read is well-formed MessagePack, no deeper and no larger than the server
 * takes.
 *
 * Input: a byte (even: query, odd: group), then the text, in a block of its exact size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_clauses.h"
#include "tests/fuzz/fuzz.h"

static unsigned depth_of(const struct cairn_value *v, unsigned depth)
{
    unsigned deepest = depth;
    if (depth > 100) abort();
    for (size_t i = 0; cairn_type(v) == CAIRN_ARRAY && i < cairn_length(v); i++) {
        unsigned inner = depth_of(cairn_at(v, (ptrdiff_t)i), depth + 1);
        if (inner > deepest) deepest = inner;
    }
    return deepest;
}

static void check_read(struct cairn_args *args)
{
    struct cairn_reply *reply;
    size_t length, used;
    if (cairn_args_status(args) != CAIRN_OK || cairn_args_count(args) != 1) abort();
    const char *bytes = cairn_args_bytes(args, &length);
    if (cairn_decode(bytes, length, &used, &reply) != CAIRN_OK || used != length) abort();
    const struct cairn_value *where = cairn_field(cairn_reply_result(reply), "where");
    /* A list of literals, or ["cast", ["lit", n], type], goes below the last level. */
    if (depth_of(where, 0) > CLI_FILTER_DEPTH_MAX + 4) abort();
    cairn_reply_destroy(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const columns[][2] = {{"id", "i64"}, {"city", "sym"}, {"price", "f64"},
                                             {"day", "date"}, {"at", "ts"}, {"ok", "bool"},
                                             {"raw", "bin"}, {"a b", "str"}, {"n", ""}};
    struct cli_fields fields = {0};
    struct cli_clauses said;
    struct cli_query_error error = {.text = ""};
    if (size < 1) return 0;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (!cli_fields_add(&fields, columns[i][0], strlen(columns[i][0]), columns[i][1])) abort();
    struct cairn_args *args = cairn_args_create();
    char *text = malloc(size); /* no more than there is */
    if (!args || !text) abort();
    memcpy(text, data + 1, size - 1);
    cairn_args_map_open(args);
    if (cli_clauses_read(data[0] & 1 ? CLI_CLAUSES_GROUP : CLI_CLAUSES_QUERY, text, size - 1,
                         &fields, args, NULL, &said, &error)) {
        cairn_args_map_close(args);
        check_read(args);
    } else if (error.text[0] == 0 || error.offset > size - 1) {
        abort();
    } else {
        FILE *sink = fopen("/dev/null", "w");
        if (!sink) abort();
        cli_query_error_print(sink, text, size - 1, &error, data[0]);
        fclose(sink);
    }
    cairn_args_destroy(args);
    cli_fields_close(&fields);
    free(text);
    return 0;
}
