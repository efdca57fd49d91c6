/* cli_table_save.c - cairn-cli table export: what a query finds to a file, in a format of tables.
 * */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "client/cli_file.h"
#include "client/cli_progress.h"
#include "client/cli_stop.h"
#include "client/cli_table.h"
#include "client/cli_table_format.h"

#define BATCH_BYTES ((int64_t)1 << 20)

struct save {
    struct cli *cli;
    const char *path, *file;
    const char *format, *delimiter, *null;
    bool no_header;
    bool to_array;     /* JSON lines become an array */
    bool record_ends;  /* what comes next begins a record */
    bool records;      /* there has been one */
    struct cairn_args *args;
    struct cli_clauses said;
    struct cli_file to;
    struct cli_progress progress;
    uint64_t rows, rows_total, bytes;
};

static int format_check(struct save *s)
{
    const char *dot = strrchr(s->file, '.'), *wanted = s->format ? s->format : dot ? dot + 1 : "";
    bool tabs = false;
    s->format = s->format ? table_format_of_word(s->format, &tabs)
                          : table_format_of_name(s->file, &tabs);
    if (!s->format)
        return cli_error(CLI_USAGE,
                         "table export: say --format csv, json, jsonl, arrow or npy%s%s%s",
                         *wanted ? "; \"" : "", wanted, *wanted ? "\" is none of these" : "");
    if (strcmp(s->format, "csv") != 0 && (s->delimiter || s->no_header || s->null))
        return cli_error(CLI_USAGE, "table export: --delimiter, --no-header and --null are for "
                         "CSV; this is %s", s->format);
    if (tabs && !s->delimiter) s->delimiter = "\t";
    if (s->delimiter && (strcmp(s->delimiter, "tab") == 0 || strcmp(s->delimiter, "\\t") == 0))
        s->delimiter = "\t";
    s->to_array = strcmp(s->format, "json") == 0;
    if (s->to_array) s->format = "jsonl";
    return CLI_OK;
}

static void add_batch(struct cairn_args *args)
{
    cairn_args_map_open(args);
    cairn_args_cstr(args, "bytes");
    cairn_args_int(args, BATCH_BYTES);
    cairn_args_map_close(args);
}

/* The parameters of table.export. */
static int question(struct save *s, int count, char **words)
{
    struct cli_fields fields = {0};
    int result = table_fields(s->cli, s->path, &fields);
    if (result == CLI_OK) result = table_path(s->args, s->path);
    if (result == CLI_OK) {
        cairn_args_map_open(s->args);
        result = table_clauses(s->cli, CLI_CLAUSES_QUERY, "", count, words, "", &fields, s->args,
                               NULL, &s->said);
    }
    if (result == CLI_OK) {
        table_add_text(s->args, "format", s->format);
        table_add_text(s->args, "delimiter", s->delimiter);
        table_add_text(s->args, "null", s->null);
        if (s->no_header) {
            cairn_args_cstr(s->args, "header");
            cairn_args_bool(s->args, false);
        }
        cairn_args_cstr(s->args, "batch");
        add_batch(s->args);
        cairn_args_map_close(s->args);
    }
    cli_fields_close(&fields);
    return result;
}

/* For the progress: all rows, where no clause leaves some out. */
static void count_rows(struct save *s)
{
    struct cairn_reply *reply = NULL;
    struct cairn_args *args = cairn_args_create();
    bool all = !s->said.has_where && !s->said.has_limit && !s->said.has_offset;
    if (args && all && table_path(args, s->path) == CLI_OK &&
        cli_call_ext(s->cli, "len", args, &reply) == CAIRN_OK)
        s->rows_total = cairn_uint(cairn_reply_result(reply), 0);
    cairn_reply_destroy(reply);
    cairn_args_destroy(args);
}

static bool put(struct save *s, const char *data, size_t length)
{
    s->bytes += length;
    return length == 0 || fwrite(data, 1, length, s->to.out) == length;
}

/* JSON lines as the records of an array: a line end is a comma as soon as one more line follows. */
static bool put_records(struct save *s, const char *data, size_t length)
{
    bool done = true;
    while (length > 0 && done) {
        const char *end = memchr(data, '\n', length);
        size_t piece = end ? (size_t)(end - data) : length;
        if (s->record_ends) done = put(s, s->records ? ",\n" : "[\n", 2);
        if (s->record_ends) s->records = true;
        s->record_ends = end != NULL;
        done = done && put(s, data, piece);
        data += piece + (end != NULL);
        length -= piece + (end != NULL);
    }
    return done;
}

static bool put_array_end(struct save *s)
{
    return s->records ? put(s, "\n]\n", 3) : put(s, "[]\n", 3);
}

static int write_piece(struct save *s, const struct cairn_value *answer)
{
    size_t length;
    const char *data = cairn_text(cairn_field(answer, "data"), &length);
    bool ends = cairn_type(cairn_field(answer, "cursor")) == CAIRN_NIL;
    bool done = s->to_array ? put_records(s, data, length) : put(s, data, length);
    if (done && s->to_array && ends) done = put_array_end(s);
    if (!done) return cli_file_fail(&s->to);
    s->rows += cairn_uint(cairn_field(answer, "rows"), 0);
    cli_progress_show(&s->progress, s->rows, s->rows_total, false, s->rows);
    return cli_stop_asked() ? CLI_DATA : CLI_OK;
}

static int write_all(struct save *s)
{
    struct cairn_reply *reply = NULL;
    int result = table_ask(s->cli, "table.export", s->args, &reply);
    while (result == CLI_OK) {
        const struct cairn_value *answer = cairn_reply_result(reply);
        const struct cairn_value *cursor = cairn_field(answer, "cursor");
        result = write_piece(s, answer);
        if (result != CLI_OK || cairn_type(cursor) == CAIRN_NIL) break;
        cairn_args_clear(s->args);
        cairn_args_value(s->args, cursor);
        add_batch(s->args);
        cairn_reply_destroy(reply);
        result = table_ask(s->cli, "table.next", s->args, &reply);
    }
    cairn_reply_destroy(reply);
    return result;
}

static void summary(const struct save *s)
{
    char bytes[CLI_BYTES_TEXT_MAX];
    if (s->cli->options.quiet) return;
    fprintf(stderr, "%s %" PRIu64 " row%s, %s, in %.2f s\n",
            cli_stop_asked() ? "stopped after" : "exported", s->rows, s->rows == 1 ? "" : "s",
            cli_bytes_format(bytes, s->bytes), cli_progress_seconds(&s->progress));
}

static int save_run(struct save *s, int count, char **words)
{
    s->args = cairn_args_create();
    int result = s->args ? question(s, count, words) : table_no_memory();
    if (result != CLI_OK) return result;
    cli_stop_begin();
    bool mixes = strcmp(s->file, "-") == 0 && s->cli->is_terminal;
    cli_progress_start(&s->progress, s->cli->options.quiet || mixes);
    count_rows(s);
    result = cli_file_open(&s->to, s->file);
    if (result == CLI_OK) result = cli_file_close(&s->to, write_all(s));
    cli_progress_end(&s->progress);
    if (result == CLI_OK || cli_stop_asked()) summary(s);
    /* A cursor that is not at its end would wait for the rest. */
    if (result != CLI_OK) cairn_disconnect(s->cli->cairn);
    cli_stop_end(s->cli->interactive);
    return result;
}

int table_export(struct cli *cli, const struct table_command *command, int count, char **words)
{
    struct save s = {.cli = cli, .record_ends = true};
    const struct table_option options[] = {{"format", &s.format, NULL},
                                           {"delimiter", &s.delimiter, NULL},
                                           {"no-header", NULL, &s.no_header},
                                           {"null", &s.null, NULL}};
    int result = table_options(cli, command, options, 4, &count, words);
    if (result >= 0) return result;
    if (count < 2)
        return table_usage(command, count < 1 ? "the name of a table is missing"
                                              : "the file is missing (-: standard output)");
    s.path = words[0];
    s.file = words[1];
    result = format_check(&s);
    if (result == CLI_OK) result = save_run(&s, count - 2, words + 2);
    cairn_args_destroy(s.args);
    return result;
}
