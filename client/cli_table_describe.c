/* cli_table_describe.c - cairn-cli table describe: what is in each column, and what it costs.
 *
 * One question a column: nulls, distinct values, range and mean; a second one, of columns of
 * numbers and times, counts the rows in equal parts of the range, which a line of bars draws; of
 * integers and dates a bar is a whole number of values, so that none has more of them by chance.
 * What is not finite is left out of range, mean and bars, and counted. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_json.h"
#include "client/cli_progress.h"
#include "client/cli_stop.h"
#include "client/cli_table.h"

#define BARS_MAX 20
/* On a terminal of fewer columns there is no room for more than BARS_NARROW. */
#define WIDE_COLUMNS 100
#define BARS_NARROW 10
/* Up to so many rows distinct values are counted; of more, about. */
#define EXACT_ROWS 100000

struct describe {
    struct cli *cli;
    const char *path;
    struct cli_fields fields;
    struct cairn_args *args;
    struct cli_grid grid;
    struct cli_text cell;
    const struct cairn_value *stats; /* of table.stats */
    uint64_t rows;
    size_t bars;
    bool json;
};

/* Of one column. */
struct figures {
    const struct cli_field *field;
    uint64_t nulls, distinct, bytes;
    struct cairn_reply *range; /* owned; of what has one, it has these: */
    const struct cairn_value *low, *high, *mean; /* NULL: none */
    uint64_t counts[BARS_MAX];
    double width; /* of a bar */
    size_t bars;  /* 0: nothing to count */
    const struct cairn_value *encodings; /* of stats */
};

/* --- questions --------------------------------------------------------------------------*/

static void add_name(struct cairn_args *args, const struct cli_field *f)
{
    cairn_args_str(args, f->name, f->length);
}

/* ["name", …] under `out`. */
static void add_function(struct cairn_args *args, const char *out, const char *function,
                         const struct cli_field *f)
{
    cairn_args_cstr(args, out);
    cairn_args_array_open(args);
    cairn_args_cstr(args, function);
    if (f) add_name(args, f);
    cairn_args_array_close(args);
}

/* ["between", name, -DBL_MAX, DBL_MAX]: what is finite. Beside f32 literals become f32, in which
 * DBL_MAX is infinite. */
static void add_finite(struct cairn_args *args, const struct cli_field *f)
{
    double most = strcmp(f->type_name, "f32") == 0 ? (double)FLT_MAX : DBL_MAX;
    cairn_args_cstr(args, "where");
    cairn_args_array_open(args);
    cairn_args_cstr(args, "between");
    add_name(args, f);
    cairn_args_double(args, -most);
    cairn_args_double(args, most);
    cairn_args_array_close(args);
}

static bool is_number(const struct cli_field *f)
{
    return f->type == CLI_TYPE_INT || f->type == CLI_TYPE_FLOAT;
}

static bool has_range(const struct cli_field *f)
{
    return is_number(f) || f->type == CLI_TYPE_DATE || f->type == CLI_TYPE_TIME;
}

/* count, distinct; or of what is finite min, max, avg. */
static int ask_figures(struct describe *d, const struct cli_field *f, bool range,
                       struct cairn_reply **reply)
{
    struct cairn_args *args = d->args;
    cairn_args_clear(args);
    int result = table_path(args, d->path);
    if (result != CLI_OK) return result;
    cairn_args_map_open(args);
    if (range && f->type == CLI_TYPE_FLOAT) add_finite(args, f);
    cairn_args_cstr(args, "agg");
    cairn_args_map_open(args);
    if (range) {
        add_function(args, "min", "min", f);
        add_function(args, "max", "max", f);
        add_function(args, "count", "count", f);
        if (is_number(f)) add_function(args, "avg", "avg", f);
    } else {
        add_function(args, "rows", "count", NULL);
        add_function(args, "count", "count", f);
        add_function(args, "distinct", d->rows > EXACT_ROWS ? "approx_distinct" : "distinct", f);
    }
    cairn_args_map_close(args);
    cairn_args_map_close(args);
    return table_ask(d->cli, "table.agg", args, reply);
}

/* ["bucket", ["-", ["cast", ["col", name], "f64"], ["lit", low]], width] as the group "b". */
static int ask_bars(struct describe *d, const struct cli_field *f, double low, double width,
                    struct cairn_reply **reply)
{
    struct cairn_args *args = d->args;
    cairn_args_clear(args);
    int result = table_path(args, d->path);
    if (result != CLI_OK) return result;
    cairn_args_map_open(args);
    if (f->type == CLI_TYPE_FLOAT) add_finite(args, f);
    cairn_args_cstr(args, "group");
    cairn_args_array_open(args);
    cairn_args_array_open(args);
    cairn_args_cstr(args, "bucket");
    cairn_args_array_open(args);
    cairn_args_cstr(args, "-");
    cairn_args_array_open(args);
    cairn_args_cstr(args, "cast");
    cairn_args_array_open(args);
    cairn_args_cstr(args, "col");
    add_name(args, f);
    cairn_args_array_close(args);
    cairn_args_cstr(args, "f64");
    cairn_args_array_close(args);
    cairn_args_array_open(args);
    cairn_args_cstr(args, "lit");
    cairn_args_double(args, low);
    cairn_args_array_close(args);
    cairn_args_array_close(args);
    cairn_args_double(args, width);
    cairn_args_array_close(args);
    cairn_args_array_close(args);
    cairn_args_cstr(args, "agg");
    cairn_args_map_open(args);
    add_function(args, "n", "count", f);
    cairn_args_map_close(args);
    cairn_args_map_close(args);
    return table_ask(d->cli, "table.agg", args, reply);
}

/* --- figures ----------------------------------------------------------------------------*/

/* How wide a bar is, and how many there are. */
static double bar_width(const struct describe *d, const struct cli_field *f, double low,
                        double high, size_t *bars)
{
    double span = high - low;
    *bars = d->bars;
    if (span == 0) *bars = 1;
    if (span == 0 || f->type == CLI_TYPE_FLOAT) return span == 0 ? 1 : span / (double)*bars;
    double width = ceil((span + 1) / (double)*bars);
    *bars = (size_t)ceil((span + 1) / width);
    if (*bars > d->bars) *bars = d->bars;
    return width;
}

/* Counts by bar; those of the maximum may lie on the far edge of the last one. */
static void count_bars(struct figures *c, const struct cairn_value *data)
{
    for (size_t i = 0; i < cairn_length(data); i++) {
        const struct cairn_value *row = cairn_at(data, (ptrdiff_t)i);
        double from = cairn_double(cairn_at(row, 0), NAN), bar = floor(from / c->width + 0.5);
        if (!(bar >= 0)) continue; /* nil, of what is nil */
        c->counts[bar < (double)c->bars ? (size_t)bar : c->bars - 1] +=
            cairn_uint(cairn_at(row, 1), 0);
    }
}

/* min, max, avg and the bars. */
static int range_read(struct describe *d, struct figures *c)
{
    struct cairn_reply *bars = NULL;
    int result = ask_figures(d, c->field, true, &c->range);
    if (result != CLI_OK) return result;
    const struct cairn_value *row = cairn_at(cairn_field(cairn_reply_result(c->range), "data"), 0);
    c->low = cairn_at(row, 0);
    c->high = cairn_at(row, 1);
    if (is_number(c->field)) c->mean = cairn_at(row, 3);
    double from = cairn_double(c->low, NAN);
    c->width = bar_width(d, c->field, from, cairn_double(c->high, NAN), &c->bars);
    if (cairn_type(c->low) == CAIRN_NIL || !isfinite(c->width)) {
        c->bars = 0;
        return CLI_OK;
    }
    result = ask_bars(d, c->field, from, c->width, &bars);
    if (result == CLI_OK) count_bars(c, cairn_field(cairn_reply_result(bars), "data"));
    cairn_reply_destroy(bars);
    return result;
}

static int figures_read(struct describe *d, size_t i, struct figures *c)
{
    struct cairn_reply *reply = NULL;
    *c = (struct figures){.field = &d->fields.list[i]};
    int result = ask_figures(d, c->field, false, &reply);
    if (result != CLI_OK) return result;
    const struct cairn_value *row = cairn_at(cairn_field(cairn_reply_result(reply), "data"), 0);
    const struct cairn_value *costs = cairn_at(cairn_field(d->stats, "columns"), (ptrdiff_t)i);
    uint64_t present = cairn_uint(cairn_at(row, 1), 0);
    c->nulls = cairn_uint(cairn_at(row, 0), 0) - present;
    c->distinct = cairn_uint(cairn_at(row, 2), 0);
    /* About how many, which are never more than there are. */
    if (c->distinct > present) c->distinct = present;
    c->bytes = cairn_uint(cairn_field(costs, "bytes"), 0);
    c->encodings = cairn_field(costs, "encodings");
    cairn_reply_destroy(reply);
    return has_range(c->field) ? range_read(d, c) : CLI_OK;
}

/* --- as a row of the grid ---------------------------------------------------------------*/

static void put(struct describe *d, const char *text)
{
    cli_grid_cell(&d->grid, text, strlen(text));
}

/* What has been put together in d->cell. */
static void put_made(struct describe *d)
{
    if (d->cell.failed) d->grid.failed = true;
    cli_grid_cell(&d->grid, d->cell.data ? d->cell.data : "", d->cell.length);
}

static void put_value(struct describe *d, const struct cairn_value *v, const struct cli_field *f)
{
    cli_text_clear(&d->cell);
    if (v && cairn_type(v) != CAIRN_NIL) table_cell(&d->cell, v, f, false);
    put_made(d);
}

static void put_mean(struct describe *d, const struct cairn_value *v)
{
    char text[32] = "";
    double mean = v ? cairn_double(v, 0) : 0;
    bool whole = fabs(mean) >= 1e6 && fabs(mean) < 1e15;
    if (v && cairn_type(v) != CAIRN_NIL)
        snprintf(text, sizeof text, whole ? "%.0f" : "%.6g", mean);
    put(d, text);
}

/* "FOR 61, RAW 3": encodings by their vectors. */
static void put_encodings(struct describe *d, const struct cairn_value *encodings)
{
    cli_text_clear(&d->cell);
    for (size_t i = 0; i < cairn_length(encodings); i++) {
        char count[32];
        const char *name = cairn_text(cairn_map_key(encodings, i), NULL);
        uint64_t vectors = cairn_uint(cairn_field(cairn_map_value(encodings, i), "vectors"), 0);
        if (i > 0) cli_text_add_cstr(&d->cell, ", ");
        cli_text_add_cstr(&d->cell, name ? name : "?");
        snprintf(count, sizeof count, " %" PRIu64, vectors);
        if (cairn_length(encodings) > 1) cli_text_add_cstr(&d->cell, count);
    }
    put_made(d);
}

static void put_column(struct describe *d, const struct figures *c)
{
    char text[32];
    cli_grid_cell(&d->grid, c->field->name, c->field->length);
    put(d, c->field->type_name);
    snprintf(text, sizeof text, "%" PRIu64, c->nulls);
    put(d, text);
    snprintf(text, sizeof text, "%s%" PRIu64, d->rows > EXACT_ROWS ? "~" : "", c->distinct);
    put(d, text);
    put_value(d, c->low, c->field);
    put_value(d, c->high, c->field);
    put_mean(d, c->mean);
    cli_text_clear(&d->cell);
    cli_sparkline(&d->cell, c->counts, c->bars);
    put_made(d);
    snprintf(text, sizeof text, "%.2f", d->rows ? (double)c->bytes / (double)d->rows : 0.0);
    put(d, text);
    put_encodings(d, c->encodings);
}

/* --- as a record of JSON ----------------------------------------------------------------*/

static void print_double(double value)
{
    char text[CLI_DOUBLE_BYTES_MAX];
    cli_double_format(text, value);
    fputs(isfinite(value) ? text : "null", stdout);
}

static void print_value(struct describe *d, const char *name, const struct cairn_value *v,
                        const struct cli_field *f)
{
    printf(", \"%s\": ", name);
    if (v) table_cell_json(stdout, v, f, &d->cell);
    else fputs("null", stdout);
}

static void print_histogram(const struct figures *c)
{
    fputs(", \"histogram\": ", stdout);
    if (c->bars == 0) {
        fputs("null", stdout);
        return;
    }
    fputs("{\"width\": ", stdout);
    print_double(c->width);
    for (size_t i = 0; i < c->bars; i++)
        printf("%s%" PRIu64, i ? ", " : ", \"counts\": [", c->counts[i]);
    fputs("]}", stdout);
}

static void print_column(struct describe *d, const struct figures *c)
{
    fputs("{\"column\": ", stdout);
    cli_json_print_text(stdout, c->field->name, c->field->length);
    printf(", \"type\": \"%s\", \"rows\": %" PRIu64 ", \"nulls\": %" PRIu64, c->field->type_name,
           d->rows, c->nulls);
    printf(", \"distinct\": %" PRIu64 ", \"distinct_exact\": %s", c->distinct,
           d->rows > EXACT_ROWS ? "false" : "true");
    print_value(d, "min", c->low, c->field);
    print_value(d, "max", c->high, c->field);
    fputs(", \"avg\": ", stdout);
    print_double(c->mean ? cairn_double(c->mean, NAN) : NAN);
    print_histogram(c);
    printf(", \"bytes\": %" PRIu64 ", \"encodings\": {", c->bytes);
    for (size_t i = 0; i < cairn_length(c->encodings); i++) {
        const char *name = cairn_text(cairn_map_key(c->encodings, i), NULL);
        uint64_t vectors = cairn_uint(cairn_field(cairn_map_value(c->encodings, i), "vectors"), 0);
        printf("%s\"%s\": %" PRIu64, i ? ", " : "", name ? name : "?", vectors);
    }
    puts("}}");
}

static int each_column(struct describe *d)
{
    int result = CLI_OK;
    for (size_t i = 0; i < d->fields.count && result == CLI_OK && !cli_stop_asked(); i++) {
        struct figures c;
        result = figures_read(d, i, &c);
        if (result == CLI_OK && d->json) print_column(d, &c);
        else if (result == CLI_OK) put_column(d, &c);
        if (d->grid.failed || d->cell.failed) result = table_no_memory();
        cairn_reply_destroy(c.range);
    }
    return cli_stop_asked() && result == CLI_OK ? CLI_DATA : result;
}

/* --- all of it --------------------------------------------------------------------------*/

static int print_all(struct describe *d)
{
    enum { HISTOGRAM = 7 };
    static const struct {
        const char *name;
        bool right;
    } columns[] = {{"column", false}, {"type", false},     {"nulls", true}, {"distinct", true},
                   {"min", true},     {"max", true},       {"avg", true},   {"histogram", false},
                   {"bytes/row", true}, {"encoding", false}};
    char bytes[CLI_BYTES_TEXT_MAX];
    int result = CLI_OK;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        cli_grid_column(&d->grid, columns[i].name, strlen(columns[i].name), NULL,
                        columns[i].right);
    d->grid.colour = d->cli->colour;
    size_t terminal = d->cli->is_terminal ? cli_columns() : 0;
    d->bars = terminal > 0 && terminal < WIDE_COLUMNS ? BARS_NARROW : BARS_MAX;
    if (d->grid.failed) return table_no_memory();
    d->grid.columns[HISTOGRAM].whole = true;
    result = each_column(d);
    if (result != CLI_OK) return result;
    cli_grid_print(&d->grid, stdout, terminal);
    printf("%" PRIu64 " row%s, %s\n", d->rows, d->rows == 1 ? "" : "s",
           cli_bytes_format(bytes, cairn_uint(cairn_field(d->stats, "bytes"), 0)));
    return CLI_OK;
}

int table_describe(struct cli *cli, const struct table_command *command, int count, char **words)
{
    struct describe d = {.cli = cli, .json = cli->options.json, .bars = BARS_MAX};
    struct cairn_reply *stats = NULL;
    const struct table_option options[] = {{"json", NULL, &d.json}};
    int result = table_options(cli, command, options, 1, &count, words);
    if (result >= 0) return result;
    if (count != 1) return table_usage(command, count < 1 ? "the name of a table is missing"
                                                          : "only one table at a time");
    d.path = words[0];
    d.args = cairn_args_create();
    result = d.args ? table_fields(cli, d.path, &d.fields) : table_no_memory();
    if (result == CLI_OK) result = table_path(d.args, d.path);
    if (result == CLI_OK) result = table_ask(cli, "table.stats", d.args, &stats);
    if (result == CLI_OK) {
        d.stats = cairn_reply_result(stats);
        d.rows = cairn_uint(cairn_field(d.stats, "rows"), 0);
        cli_stop_begin();
        result = d.json ? each_column(&d) : print_all(&d);
        cli_stop_end(cli->interactive);
    }
    cairn_reply_destroy(stats);
    cairn_args_destroy(d.args);
    cli_fields_close(&d.fields);
    cli_grid_close(&d.grid);
    cli_text_close(&d.cell);
    return result;
}
