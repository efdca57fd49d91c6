/* cli_table_query.c - cairn-cli table show, query and group: rows for eyes, or as JSON or CSV.
 *
 * Rows come in batches and are printed as they come, so a result of any length takes no more memory
 * than a batch. The columns of a grid are as wide as the widest cell so far. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_date.h"
#include "client/cli_json.h"
#include "client/cli_stop.h"
#include "client/cli_table.h"

#define BATCH_ROWS 1000
#define BATCH_BYTES ((int64_t)1 << 20)
#define SHOW_ROWS "20"

enum output { OUTPUT_GRID, OUTPUT_JSON, OUTPUT_CSV };

struct rows {
    struct cli *cli;
    enum output output;
    struct cli_fields columns; /* of the result */
    struct cli_grid grid;
    struct cli_text cell;
    uint64_t count;
    bool started;
};

static void rows_close(struct rows *r)
{
    cli_fields_close(&r->columns);
    cli_grid_close(&r->grid);
    cli_text_close(&r->cell);
}

/* --- one row ----------------------------------------------------------------------------*/

static bool is_numeric(const struct cli_field *f)
{
    return f->type == CLI_TYPE_INT || f->type == CLI_TYPE_FLOAT;
}

static void csv_text(const char *data, size_t length)
{
    bool quotes = length == 0 || data[0] == ' ' || data[length - 1] == ' ';
    for (size_t i = 0; i < length && !quotes; i++) quotes = strchr(",\"\r\n", data[i]) != NULL;
    if (!quotes) {
        fwrite(data, 1, length, stdout);
        return;
    }
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '"') putchar('"');
        putchar(data[i]);
    }
    putchar('"');
}

static void print_json(struct rows *r, const struct cairn_value *row)
{
    putchar('{');
    for (size_t i = 0; i < r->columns.count; i++) {
        if (i > 0) fputs(", ", stdout);
        const struct cli_field *f = &r->columns.list[i];
        cli_json_print_text(stdout, f->name, f->length);
        fputs(": ", stdout);
        table_cell_json(stdout, cairn_at(row, (ptrdiff_t)i), f, &r->cell);
    }
    puts("}");
}

static void print_csv(struct rows *r, const struct cairn_value *row)
{
    for (size_t i = 0; i < r->columns.count; i++) {
        const struct cairn_value *v = cairn_at(row, (ptrdiff_t)i);
        if (i > 0) putchar(',');
        if (cairn_type(v) == CAIRN_NIL) continue;
        cli_text_clear(&r->cell);
        table_cell(&r->cell, v, &r->columns.list[i], true);
        csv_text(r->cell.data ? r->cell.data : "", r->cell.length);
    }
    fputs("\r\n", stdout);
}

/* Texts that would not be seen, or taken for null, stand in quotes, and those that begin with one.
 * */
static bool wants_quotes(const struct cairn_value *v)
{
    size_t length;
    const char *data = cairn_type(v) == CAIRN_NIL ? NULL : cairn_text(v, &length);
    if (!data) return false;
    return length == 0 || *data == ' ' || *data == '"' || data[length - 1] == ' ' ||
           (length == 4 && memcmp(data, "null", 4) == 0);
}

static void grid_row(struct rows *r, const struct cairn_value *row)
{
    for (size_t i = 0; i < r->columns.count; i++) {
        const struct cairn_value *v = cairn_at(row, (ptrdiff_t)i);
        bool quotes = wants_quotes(v);
        cli_text_clear(&r->cell);
        if (quotes) cli_text_add_char(&r->cell, '"');
        table_cell(&r->cell, v, &r->columns.list[i], false);
        if (quotes) cli_text_add_char(&r->cell, '"');
        if (r->cell.failed) r->grid.failed = true;
        cli_grid_cell(&r->grid, r->cell.data ? r->cell.data : "", r->cell.length);
    }
}

/* --- a batch ----------------------------------------------------------------------------*/

/* The columns of the result, from the first reply. */
static bool rows_begin(struct rows *r, const struct cairn_value *cols)
{
    for (size_t i = 0; i < cairn_length(cols); i++) {
        size_t length;
        const struct cairn_value *column = cairn_at(cols, (ptrdiff_t)i);
        const char *name = cairn_text(cairn_at(column, 0), &length);
        const char *type = cairn_text(cairn_at(column, 1), NULL);
        if (!name || !type || !cli_fields_add(&r->columns, name, length, type)) return false;
        const struct cli_field *f = &r->columns.list[i];
        if (r->output == OUTPUT_GRID)
            cli_grid_column(&r->grid, name, length, type, is_numeric(f));
        if (r->output != OUTPUT_CSV) continue;
        if (i > 0) putchar(',');
        csv_text(name, length);
    }
    if (r->output == OUTPUT_CSV) fputs("\r\n", stdout);
    r->grid.colour = r->cli->colour;
    r->started = true;
    return !r->grid.failed;
}

static int rows_print(struct rows *r, const struct cairn_value *data)
{
    for (size_t i = 0; i < cairn_length(data); i++) {
        const struct cairn_value *row = cairn_at(data, (ptrdiff_t)i);
        if (r->output == OUTPUT_JSON)
            print_json(r, row);
        else if (r->output == OUTPUT_CSV)
            print_csv(r, row);
        else
            grid_row(r, row);
        r->count++;
    }
    if (r->output == OUTPUT_GRID)
        cli_grid_print(&r->grid, stdout, r->cli->is_terminal ? cli_columns() : 0);
    return r->grid.failed || r->cell.failed ? table_no_memory() : CLI_OK;
}

/* Batch by batch, until the cursor ends. `first`: the reply that began it, owned. */
static int rows_all(struct rows *r, struct cairn_reply *first)
{
    struct cairn_args *args = cairn_args_create();
    struct cairn_reply *reply = first, *next = NULL;
    const struct cairn_value *cols = cairn_field(cairn_reply_result(first), "cols");
    int result = args && rows_begin(r, cols) ? CLI_OK : table_no_memory();
    while (result == CLI_OK) {
        const struct cairn_value *answer = cairn_reply_result(reply);
        const struct cairn_value *cursor = cairn_field(answer, "cursor");
        result = rows_print(r, cairn_field(answer, "data"));
        if (cairn_type(cursor) == CAIRN_NIL || result != CLI_OK) break;
        cairn_args_clear(args);
        cairn_args_value(args, cursor);
        bool stops = cli_stop_asked() || ferror(stdout);
        if (stops) {
            int closed = table_ask(r->cli, "table.close", args, &next);
            if (closed == CLI_OK && ferror(stdout)) result = CLI_DATA;
            break;
        }
        result = table_ask(r->cli, "table.next", args, &next);
        if (reply != first) cairn_reply_destroy(reply);
        reply = next;
        next = NULL;
    }
    if (reply != first) cairn_reply_destroy(reply);
    cairn_reply_destroy(next);
    cairn_reply_destroy(first);
    cairn_args_destroy(args);
    return result;
}

/* --- show and query ---------------------------------------------------------------------*/

struct question {
    struct cli *cli;
    const char *path;
    const char *method;
    enum cli_clauses_kind kind;
    struct cli_text prefix, suffix; /* clauses that options stand for */
    struct cairn_args *args, *where;
    struct cli_clauses said;
    struct rows rows;
};

/* Reads the clauses into the parameters of the call. */
static int question_read(struct question *q, int count, char **words)
{
    struct cli_fields fields = {0};
    int result = table_fields(q->cli, q->path, &fields);
    if (result == CLI_OK) result = table_path(q->args, q->path);
    if (result == CLI_OK) {
        cairn_args_map_open(q->args);
        result = table_clauses(q->cli, q->kind, q->prefix.data ? q->prefix.data : "", count, words,
                               q->suffix.data ? q->suffix.data : "", &fields, q->args, q->where,
                               &q->said);
    }
    if (result == CLI_OK && q->kind == CLI_CLAUSES_QUERY) {
        cairn_args_cstr(q->args, "batch");
        cairn_args_map_open(q->args);
        cairn_args_cstr(q->args, "rows");
        cairn_args_int(q->args, BATCH_ROWS);
        cairn_args_cstr(q->args, "bytes");
        cairn_args_int(q->args, BATCH_BYTES);
        cairn_args_map_close(q->args);
    }
    if (result == CLI_OK) cairn_args_map_close(q->args);
    cli_fields_close(&fields);
    return result;
}

static int question_run(struct question *q, int count, char **words)
{
    struct cairn_reply *reply;
    q->args = cairn_args_create();
    q->where = cairn_args_create();
    q->rows.cli = q->cli;
    if (!q->args || !q->where || q->prefix.failed || q->suffix.failed) return table_no_memory();
    int result = question_read(q, count, words);
    if (result == CLI_OK) result = table_ask(q->cli, q->method, q->args, &reply);
    if (result != CLI_OK) return result;
    cli_stop_begin();
    result = rows_all(&q->rows, reply);
    cli_stop_end(q->cli->interactive);
    return result;
}

static void question_close(struct question *q)
{
    cairn_args_destroy(q->args);
    cairn_args_destroy(q->where);
    cli_text_close(&q->prefix);
    cli_text_close(&q->suffix);
    rows_close(&q->rows);
}

/* Reads options; q->path is the first word that is left. Returns -1 to go on. */
static int question_options(struct question *q, const struct table_command *command,
                            const struct table_option *more, size_t more_count, int *count,
                            char **words)
{
    bool json = q->cli->options.json, csv = false;
    struct table_option options[8] = {{"json", NULL, &json}, {"csv", NULL, &csv}};
    for (size_t i = 0; i < more_count; i++) options[2 + i] = more[i];
    int result = table_options(q->cli, command, options, 2 + more_count, count, words);
    if (result >= 0) return result;
    if (*count < 1) return table_usage(command, "the name of a table is missing");
    if (json && csv && !q->cli->options.json)
        return table_usage(command, "only one of --json and --csv");
    q->rows.output = csv ? OUTPUT_CSV : json ? OUTPUT_JSON : OUTPUT_GRID;
    q->path = words[0];
    return -1;
}

static int rows_run(struct cli *cli, const struct table_command *command, const char *method,
                    enum cli_clauses_kind kind, int count, char **words)
{
    struct question q = {.cli = cli, .method = method, .kind = kind};
    int result = question_options(&q, command, NULL, 0, &count, words);
    if (result < 0) result = question_run(&q, count - 1, words + 1);
    question_close(&q);
    return result;
}

int table_query(struct cli *cli, const struct table_command *command, int count, char **words)
{
    return rows_run(cli, command, "table.scan", CLI_CLAUSES_QUERY, count, words);
}

int table_group(struct cli *cli, const struct table_command *command, int count, char **words)
{
    return rows_run(cli, command, "table.agg", CLI_CLAUSES_GROUP, count, words);
}

/* Names of columns, which may be odd ones, between commas; what has quotes or is computed stays. */
static void add_columns(struct cli_text *out, const char *columns)
{
    bool plain = strpbrk(columns, "`'\"(*+/%") == NULL;
    cli_text_add_cstr(out, "select ");
    while (plain) {
        size_t length = strcspn(columns, ","), skipped = strspn(columns, " ");
        size_t from = skipped < length ? skipped : length, to = length;
        while (to > from && columns[to - 1] == ' ') to--;
        cli_text_add_char(out, '`');
        cli_text_add(out, columns + from, to - from);
        cli_text_add_char(out, '`');
        columns += length;
        if (!*columns) return;
        cli_text_add_char(out, *columns++);
    }
    cli_text_add_cstr(out, columns);
}

/* How many rows there are besides those shown. */
static int print_rest(struct question *q)
{
    struct cairn_reply *reply = NULL;
    size_t where_bytes;
    struct cairn_args *args = cairn_args_create();
    int result = args ? table_path(args, q->path) : table_no_memory();
    if (result == CLI_OK) {
        cairn_args_bytes(q->where, &where_bytes);
        cairn_args_map_open(args);
        if (where_bytes > 0) cairn_args_cstr(args, "where");
        cairn_args_append(args, q->where);
        cairn_args_cstr(args, "agg");
        cairn_args_map_open(args);
        cairn_args_cstr(args, "n");
        cairn_args_array_open(args);
        cairn_args_cstr(args, "count");
        cairn_args_array_close(args);
        cairn_args_map_close(args);
        cairn_args_map_close(args);
        result = table_ask(q->cli, "table.agg", args, &reply);
    }
    uint64_t all = 0, seen = (uint64_t)q->said.offset + q->rows.count;
    if (result == CLI_OK) {
        const struct cairn_value *data = cairn_field(cairn_reply_result(reply), "data");
        all = cairn_uint(cairn_at(cairn_at(data, 0), 0), 0);
    }
    if (all > seen)
        printf("… %" PRIu64 " more row%s\n", all - seen, all - seen == 1 ? "" : "s");
    cairn_reply_destroy(reply);
    cairn_args_destroy(args);
    return result;
}

/* Whether the words have a clause of their own that says how many rows. */
static bool says_limit(int count, char **words)
{
    for (int i = 0; i < count; i++) {
        struct cli_lexer l;
        for (cli_lexer_init(&l, words[i], strlen(words[i])); l.token.type != CLI_TOKEN_END;
             cli_lexer_next(&l))
            if (cli_lexer_is(&l, "limit")) return true;
    }
    return false;
}

int table_show(struct cli *cli, const struct table_command *command, int count, char **words)
{
    struct question q = {.cli = cli, .method = "table.scan", .kind = CLI_CLAUSES_QUERY};
    const char *limit = NULL, *offset = NULL, *columns = NULL;
    const struct table_option options[] = {
        {"limit", &limit, NULL}, {"offset", &offset, NULL}, {"columns", &columns, NULL}};
    int result = question_options(&q, command, options, 3, &count, words);
    if (result < 0 && columns) add_columns(&q.prefix, columns);
    if (result < 0 && (limit || !says_limit(count - 1, words + 1))) {
        cli_text_add_cstr(&q.suffix, " limit ");
        cli_text_add_cstr(&q.suffix, limit ? limit : SHOW_ROWS);
    }
    if (result < 0 && offset) {
        cli_text_add_cstr(&q.suffix, " offset ");
        cli_text_add_cstr(&q.suffix, offset);
    }
    if (result < 0) {
        result = question_run(&q, count - 1, words + 1);
        if (result == CLI_OK && q.rows.output == OUTPUT_GRID) result = print_rest(&q);
    }
    question_close(&q);
    return result;
}
