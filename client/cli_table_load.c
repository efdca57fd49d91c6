/* cli_table_load.c - cairn-cli table create and append: a file to table.import, block by block.
 *
 * create reads a file of CSV or JSON twice: the first time the server only finds the types, so
 * that what they are does not depend on the first rows; what comes through a pipe can be read once
 * only, and there its first block tells. Either way the server keeps the rows to itself until the
 * last block: if anything fails, there is no table, or none of the rows. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/cli_json.h"
#include "client/cli_json_lines.h"
#include "client/cli_path.h"
#include "client/cli_progress.h"
#include "client/cli_stop.h"
#include "client/cli_table.h"
#include "client/cli_table_format.h"

#define BLOCK_BYTES ((size_t)4 << 20)

struct load {
    struct cli *cli;
    const struct table_command *command;
    bool creates;
    const char *path, *file;
    const char *format, *schema, *types, *delimiter, *null, *ttl;
    bool no_header;
    bool is_text;    /* CSV or JSON, whose types are found */
    bool is_binary;  /* it does not look like one */
    bool from_array; /* JSON, to be read as lines */
    bool wraps_list; /* JSON whose first list has objects in it */
    int descriptor;
    off_t start;     /* where a file that can be read twice begins */
    bool twice;
    struct cli_json_lines lines;
    char *block;            /* owned: BLOCK_BYTES */
    size_t length;
    bool at_end;
    char suspect;           /* what seems to separate the cells of CSV; 0: the delimiter does */
    struct cli_text made;   /* of the block, if it is not sent as it is */
    struct cairn_args *args;
    struct cairn_reply *inferred; /* of the first pass; its schema makes the table */
    uint64_t bytes, bytes_done, bytes_total, rows;
    struct cli_progress progress;
};

/* --- the file ---------------------------------------------------------------------------*/

/* As messages call it. */
static const char *file_name(const struct load *l)
{
    return strcmp(l->file, "-") == 0 ? "standard input" : l->file;
}

static int file_open(struct load *l)
{
    struct stat status;
    l->descriptor = STDIN_FILENO;
    if (strcmp(l->file, "-") == 0 && l->cli->reads_commands)
        return cli_error(CLI_USAGE, "table %s: name a file; commands come from standard input here",
                         l->command->name);
    if (strcmp(l->file, "-") != 0) l->descriptor = open(l->file, O_RDONLY | O_CLOEXEC);
    if (l->descriptor < 0 || fstat(l->descriptor, &status) < 0)
        return cli_error(CLI_DATA, "%s: %s", l->file, strerror(errno));
    if (S_ISDIR(status.st_mode)) return cli_error(CLI_DATA, "%s: is a directory", l->file);
    l->start = S_ISREG(status.st_mode) ? lseek(l->descriptor, 0, SEEK_CUR) : -1;
    if (l->start >= 0 && status.st_size > l->start)
        l->bytes_total = (uint64_t)(status.st_size - l->start);
    return CLI_OK;
}

/* A whole block, or what is left. */
static int block_read(struct load *l)
{
    l->length = 0;
    while (l->length < BLOCK_BYTES && !l->at_end) {
        ssize_t got = cli_stop_asked() ? 0
                                       : read(l->descriptor, l->block + l->length,
                                              BLOCK_BYTES - l->length);
        if (cli_stop_asked()) return CLI_DATA;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return cli_error(CLI_DATA, "%s: cannot read: %s", file_name(l), strerror(errno));
        l->at_end = got == 0;
        l->length += (size_t)got;
    }
    l->bytes += l->length;
    l->bytes_done += l->length;
    return CLI_OK;
}

static int rewind_file(struct load *l)
{
    if (lseek(l->descriptor, l->start, SEEK_SET) < 0)
        return cli_error(CLI_DATA, "%s: cannot read it again: %s", l->file, strerror(errno));
    l->at_end = false;
    l->bytes = 0;
    l->lines = (struct cli_json_lines){.wrong = NULL};
    return block_read(l);
}

/* --- the format -------------------------------------------------------------------------*/

static void hint_delimiter(const struct load *l)
{
    if (!l->suspect || l->cli->options.quiet) return;
    if (l->suspect == '\t')
        fputs("the first line has tabulators, but no commas: is --delimiter tab missing?\n",
              stderr);
    else
        fprintf(stderr, "the first line has %c, but no commas: is --delimiter '%c' missing?\n",
                l->suspect, l->suspect);
}

/* csv, json, jsonl, arrow or npy; *tabs: between tabulators. */
static int format_find(struct load *l, bool *tabs)
{
    const char *said = l->format, *foreign = table_foreign_kind(l->block, l->length);
    l->format = said ? table_format_of_word(said, tabs) : table_format_of_name(l->file, tabs);
    if (said && !l->format)
        return cli_error(CLI_USAGE,
                         "table %s: --format %s: expected csv, json, jsonl, arrow or npy",
                         l->command->name, said);
    if (!l->format) l->format = table_format_of_bytes(l->block, l->length);
    if (foreign)
        return cli_error(CLI_DATA, "%s: is %s; table %s reads CSV, JSON, Arrow and .npy",
                         file_name(l), foreign, l->command->name);
    return CLI_OK;
}

/* Whether the first list of JSON has records in it. */
static bool wraps_records(const char *data, size_t length)
{
    const char *list = memchr(data, '[', length), *end = data + length;
    if (list) list++;
    while (list && list < end && *list && strchr(" \t\r\n", *list)) list++;
    return list && list < end && *list == '{';
}

static int format_check(struct load *l)
{
    bool tabs = false;
    int result = format_find(l, &tabs);
    if (result != CLI_OK) return result;
    bool csv = strcmp(l->format, "csv") == 0;
    if (!csv && (l->delimiter || l->no_header || l->null))
        return cli_error(CLI_USAGE, "table %s: --delimiter, --no-header and --null are for CSV; "
                         "this is %s", l->command->name, l->format);
    if (csv && !l->delimiter && tabs) l->delimiter = "\t";
    if (csv && !l->delimiter) l->suspect = table_other_delimiter(l->block, l->length);
    if (l->delimiter && (strcmp(l->delimiter, "tab") == 0 || strcmp(l->delimiter, "\\t") == 0))
        l->delimiter = "\t";
    if (l->types && (strcmp(l->format, "arrow") == 0 || strcmp(l->format, "npy") == 0))
        return cli_error(CLI_USAGE, "table %s: --types is for CSV and JSON; this is %s",
                         l->command->name, l->format);
    l->from_array = strcmp(l->format, "json") == 0;
    l->is_text = csv || l->from_array || strcmp(l->format, "jsonl") == 0;
    l->is_binary = table_is_binary(l->block, l->length);
    l->wraps_list = l->is_text && !csv && wraps_records(l->block, l->length);
    if (l->from_array) l->format = "jsonl";
    l->twice = l->creates && l->start >= 0 && !l->schema && l->is_text;
    if (l->twice) l->bytes_total *= 2;
    return CLI_OK;
}

/* The bytes of the block as they are sent. */
static int block_made(struct load *l, const char **data, size_t *length)
{
    *data = l->block;
    *length = l->length;
    if (!l->from_array) return CLI_OK;
    cli_text_clear(&l->made);
    bool done = cli_json_lines_feed(&l->lines, l->block, l->length, &l->made) &&
                (!l->at_end || cli_json_lines_finish(&l->lines));
    if (!done)
        return cli_error(CLI_DATA, "%s: line %" PRIu64 ", record %" PRIu64 ": %s",
                         file_name(l), l->lines.line + 1, l->lines.record + 1, l->lines.wrong);
    if (l->made.failed) return table_no_memory();
    *data = l->made.data ? l->made.data : "";
    *length = l->made.length;
    return CLI_OK;
}

/* --- calls ------------------------------------------------------------------------------*/

/* The schema that was found, or the one that was given. */
static int add_schema(struct load *l)
{
    struct cli_json_error error;
    cairn_args_cstr(l->args, "create");
    cairn_args_bool(l->args, true);
    if (l->ttl) {
        struct cli_number ms = cli_number_parse(l->ttl, strlen(l->ttl));
        if (ms.type != CLI_NUMBER_INT)
            return cli_error(CLI_USAGE, "--ttl %s: expected milliseconds", l->ttl);
        cairn_args_cstr(l->args, "ttl");
        cairn_args_int(l->args, ms.integer);
    }
    if (l->schema) {
        cairn_args_cstr(l->args, "schema");
        if (!cli_json_parse(l->args, l->schema, strlen(l->schema), &error))
            return cli_error(CLI_USAGE, "--schema: at byte %zu: %s; expected [[name, type]...]",
                             error.offset + 1, error.text);
    } else if (l->inferred) {
        cairn_args_cstr(l->args, "schema");
        cairn_args_value(l->args, cairn_field(cairn_reply_result(l->inferred), "schema"));
    }
    return CLI_OK;
}

/* a=f64,b=str, or {"a": "f64"} for odd names. */
static int add_types(struct load *l)
{
    struct cli_json_error error;
    const char *at = l->types;
    cairn_args_cstr(l->args, "types");
    if (*at == '{') {
        if (cli_json_parse(l->args, at, strlen(at), &error)) return CLI_OK;
        return cli_error(CLI_USAGE, "--types: at byte %zu: %s", error.offset + 1, error.text);
    }
    cairn_args_map_open(l->args);
    for (;;) {
        size_t length = strcspn(at, ","), name = length;
        while (name > 0 && at[name - 1] != '=') name--;
        if (name < 2 || name == length)
            return cli_error(CLI_USAGE, "--types %s: expected NAME=TYPE,..., or a map as in "
                             "'{\"NAME\": \"TYPE\"}'", l->types);
        cli_path_key(l->args, at, name - 1);
        cairn_args_str(l->args, at + name, length - name);
        at += length;
        if (!*at) break;
        at++;
    }
    cairn_args_map_close(l->args);
    return CLI_OK;
}

/* What the first call of an import says. */
static int add_beginning(struct load *l, bool infers)
{
    table_add_text(l->args, "format", l->format);
    cairn_args_cstr(l->args, "atomic");
    cairn_args_bool(l->args, true);
    table_add_text(l->args, "delimiter", l->delimiter);
    table_add_text(l->args, "null", l->null);
    if (l->no_header) {
        cairn_args_cstr(l->args, "header");
        cairn_args_bool(l->args, false);
    }
    if (l->types && !l->inferred) {
        int result = add_types(l);
        if (result != CLI_OK) return result;
    }
    if (infers) {
        cairn_args_cstr(l->args, "infer");
        cairn_args_bool(l->args, true);
        return CLI_OK;
    }
    return l->creates ? add_schema(l) : CLI_OK;
}

/* The name in `column "name"` of a message, if it is a plain one, else NAME. */
static void column_named(const char *message, char name[64])
{
    const char *at = strstr(message, "column \"");
    size_t length = at ? strcspn(at + 8, "\"\\ ,=") : 0;
    bool plain = length > 0 && length < 64 && at[8 + length] == '"';
    snprintf(name, 64, "%.*s", plain ? (int)length : 4, plain ? at + 8 : "NAME");
}

/* What helps against an error of the file. */
static void hint(const struct load *l)
{
    char name[64];
    const char *message = cairn_error_message(l->cli->cairn);
    bool is_type = strstr(message, " is no ") || strstr(message, ": nil, in a column");
    column_named(message, name);
    if (strstr(message, "is not UTF-8") || strstr(message, "in UTF8 string"))
        fputs("if the file is in Latin-1: iconv -f LATIN1 -t UTF-8 makes it readable\n", stderr);
    else if (!l->creates && strcmp(l->format, "csv") == 0 &&
             strstr(message, "the table has no column"))
        fprintf(stderr, "columns of a file go by their names; those of the table: table describe "
                        "%s. --no-header: the first line is data, and columns go by their places\n",
                l->path);
    else if (l->wraps_list && strstr(message, "record 1: a list as a cell"))
        fprintf(stderr, "if the records are what is in there: jq .%s FILE | cairn-cli table create "
                        "NAME -\n", name);
    else if (strstr(message, "record 1: a list as a cell") ||
             strstr(message, "record 1: an object as a cell") ||
             strstr(message, "outside of an object"))
        fputs("a table is made of flat records, [{\"a\": 1}, {\"a\": 2}], or one on each line\n",
              stderr);
    else if (is_type && l->creates && l->is_text && !l->twice && !l->schema)
        fprintf(stderr, "of a pipe the first 4 MiB tell the types; --types %s=TYPE (str holds all) "
                        "says another one. A file is read twice, and needs no option\n", name);
    else
        hint_delimiter(l);
}

/* The server's error is about the file as soon as the table is known to be there. */
static int fail_import(struct load *l)
{
    const char *code = cairn_error_code(l->cli->cairn);
    bool data = cairn_status(l->cli->cairn) == CAIRN_SERVER &&
                (strcmp(code, "WRONG_TYPE") == 0 || strcmp(code, "OUT_OF_RANGE") == 0);
    if (data && l->is_text && l->is_binary)
        return cli_error(CLI_DATA, "%s: is no text, as CSV and JSON are", file_name(l));
    int result = cli_report(l->cli, file_name(l));
    if (data) hint(l);
    return data ? CLI_DATA : result;
}

/* Sends the block at hand; `cursor` is that of the last reply, or NULL. */
static int block_send(struct load *l, bool infers, const struct cairn_value *cursor,
                      struct cairn_reply **reply)
{
    const char *data;
    size_t length;
    int result = block_made(l, &data, &length);
    cairn_args_clear(l->args);
    if (result == CLI_OK) result = table_path(l->args, l->path);
    if (result != CLI_OK) return result;
    cairn_args_bin(l->args, data, length);
    cairn_args_map_open(l->args);
    if (!l->at_end) {
        cairn_args_cstr(l->args, "more");
        cairn_args_bool(l->args, true);
    }
    if (cursor) {
        cairn_args_cstr(l->args, "cursor");
        cairn_args_value(l->args, cursor);
    } else {
        result = add_beginning(l, infers);
    }
    cairn_args_map_close(l->args);
    if (result != CLI_OK) return result;
    if (cli_call_ext(l->cli, "table.import", l->args, reply) != CAIRN_OK) return fail_import(l);
    l->rows = cairn_uint(cairn_field(cairn_reply_result(*reply), "rows"), 0);
    cli_progress_show(&l->progress, l->bytes_done, l->bytes_total, true, l->rows);
    return CLI_OK;
}

/* All of the file, of which the first block has been read. *last is the last reply, owned. */
static int pass(struct load *l, bool infers, struct cairn_reply **last)
{
    struct cairn_reply *reply = NULL;
    int result = CLI_OK;
    *last = NULL;
    for (;;) {
        bool ends = l->at_end;
        const struct cairn_value *cursor =
            *last ? cairn_field(cairn_reply_result(*last), "cursor") : NULL;
        result = block_send(l, infers, cursor, &reply);
        if (result != CLI_OK) break;
        cairn_reply_destroy(*last);
        *last = reply;
        if (ends) break;
        result = block_read(l);
        if (result != CLI_OK) break;
    }
    return result;
}

/* --- before and after -------------------------------------------------------------------*/

/* create needs a free place, append a table. */
static int place_check(struct load *l)
{
    struct cairn_reply *reply = NULL;
    struct cli_fields fields = {0};
    int result = CLI_OK;
    if (!l->creates) {
        result = table_fields(l->cli, l->path, &fields);
        cli_fields_close(&fields);
        return result;
    }
    cairn_args_clear(l->args);
    result = table_path(l->args, l->path);
    if (result == CLI_OK) result = table_ask(l->cli, "exists", l->args, &reply);
    if (result == CLI_OK && cairn_uint(cairn_reply_result(reply), 0) > 0)
        result = cli_error(CLI_USAGE, "there is something at %s already; table append adds rows, "
                           "table drop takes a table away", l->path);
    cairn_reply_destroy(reply);
    return result;
}

/* What was loaded in one go is rarely appended to soon: its last rows are compressed as well. */
static int compact(struct load *l)
{
    struct cairn_reply *reply = NULL;
    if (!l->creates) return CLI_OK;
    cairn_args_clear(l->args);
    int result = table_path(l->args, l->path);
    if (result == CLI_OK) result = table_ask(l->cli, "table.compact", l->args, &reply);
    cairn_reply_destroy(reply);
    return result;
}

static int stats_ask(struct load *l, struct cairn_reply **reply)
{
    cairn_args_clear(l->args);
    int result = table_path(l->args, l->path);
    return result == CLI_OK ? table_ask(l->cli, "table.stats", l->args, reply) : result;
}

static void print_columns(const struct cli_fields *fields)
{
    struct cli_grid grid = {0};
    cli_grid_column(&grid, "column", 6, NULL, false);
    cli_grid_column(&grid, "type", 4, NULL, false);
    for (size_t i = 0; i < fields->count; i++) {
        cli_grid_cell(&grid, fields->list[i].name, fields->list[i].length);
        cli_grid_cell(&grid, fields->list[i].type_name, strlen(fields->list[i].type_name));
    }
    cli_grid_print(&grid, stderr, 0);
    cli_grid_close(&grid);
}

static int summary(struct load *l)
{
    char before[CLI_BYTES_TEXT_MAX], after[CLI_BYTES_TEXT_MAX];
    struct cairn_reply *stats = NULL;
    struct cli_fields fields = {0};
    double seconds = cli_progress_seconds(&l->progress);
    int result = compact(l);
    if (result != CLI_OK || l->cli->options.quiet) return result;
    result = stats_ask(l, &stats);
    if (result == CLI_OK && l->creates) result = table_fields(l->cli, l->path, &fields);
    if (result == CLI_OK) {
        const struct cairn_value *s = cairn_reply_result(stats);
        uint64_t all = cairn_uint(cairn_field(s, "rows"), 0);
        if (l->creates) print_columns(&fields);
        if (l->creates && fields.count == 1) hint_delimiter(l);
        fprintf(stderr, "%s %" PRIu64 " row%s", l->creates ? "created a table of" : "appended",
                l->rows, l->rows == 1 ? "" : "s");
        if (!l->creates) fprintf(stderr, ", now %" PRIu64, all);
        fprintf(stderr, ": %s of file, %s in memory%s, %.2f s\n",
                cli_bytes_format(before, l->bytes),
                cli_bytes_format(after, cairn_uint(cairn_field(s, "bytes"), 0)),
                l->creates ? "" : " with all of it", seconds);
    }
    cairn_reply_destroy(stats);
    cli_fields_close(&fields);
    return result;
}

/* --- both commands ----------------------------------------------------------------------*/

/* The first pass has found columns. */
static int found_check(const struct load *l)
{
    const struct cairn_value *answer = cairn_reply_result(l->inferred);
    if (cairn_length(cairn_field(answer, "schema")) > 0) return CLI_OK;
    return cli_error(CLI_DATA, "%s: has no record that tells columns; --schema says them",
                     file_name(l));
}

static int load_file(struct load *l)
{
    struct cairn_reply *last = NULL;
    int result = block_read(l);
    if (result == CLI_OK && l->length == 0 && l->creates && !l->schema)
        result = cli_error(CLI_DATA, "%s: is empty", file_name(l));
    if (result == CLI_OK) result = format_check(l);
    if (result == CLI_OK && l->twice) {
        result = pass(l, true, &l->inferred);
        if (result == CLI_OK) result = found_check(l);
        if (result == CLI_OK) result = rewind_file(l);
    }
    if (result == CLI_OK) result = pass(l, false, &last);
    cairn_reply_destroy(last);
    if (result != CLI_OK && cli_stop_asked())
        cli_error(0, "stopped after %" PRIu64 " rows; none of them is kept", l->rows);
    return result;
}

static int load_run(struct load *l)
{
    int result = file_open(l);
    l->block = malloc(BLOCK_BYTES);
    l->args = cairn_args_create();
    if (result == CLI_OK && (!l->block || !l->args)) result = table_no_memory();
    if (result == CLI_OK) result = place_check(l);
    if (result == CLI_OK) {
        cli_stop_begin();
        cli_progress_start(&l->progress, l->cli->options.quiet);
        result = load_file(l);
        cli_progress_end(&l->progress);
        if (result == CLI_OK) result = summary(l);
        /* An import that is not at its end would wait for the rest. */
        if (result != CLI_OK) cairn_disconnect(l->cli->cairn);
        cli_stop_end(l->cli->interactive);
    }
    if (l->descriptor > STDIN_FILENO) close(l->descriptor);
    cairn_reply_destroy(l->inferred);
    cairn_args_destroy(l->args);
    cli_text_close(&l->made);
    free(l->block);
    return result;
}

static int load(struct cli *cli, const struct table_command *command, bool creates, int count,
                char **words)
{
    struct load l = {.cli = cli, .command = command, .creates = creates, .descriptor = -1};
    const struct table_option options[] = {
        {"format", &l.format, NULL},       {"delimiter", &l.delimiter, NULL},
        {"no-header", NULL, &l.no_header}, {"null", &l.null, NULL},
        {"schema", &l.schema, NULL},       {"types", &l.types, NULL},
        {"ttl", &l.ttl, NULL}};
    int result = table_options(cli, command, options, creates ? 7 : 4, &count, words);
    if (result >= 0) return result;
    if (l.schema && l.types)
        return table_usage(command, "only one of --schema and --types");
    if (count != 2)
        return table_usage(command, count < 1   ? "the name of a table is missing"
                                    : count < 2 ? "the file is missing (-: standard input)"
                                                : "only one file at a time");
    l.path = words[0];
    l.file = words[1];
    return load_run(&l);
}

int table_create(struct cli *cli, const struct table_command *command, int count, char **words)
{
    return load(cli, command, true, count, words);
}

int table_append(struct cli *cli, const struct table_command *command, int count, char **words)
{
    return load(cli, command, false, count, words);
}
