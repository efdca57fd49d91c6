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

#include "client/cli_progress.h"
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

/* --- cells ------------------------------------------------------------------------------*/

static void put(struct describe *d, const char *text)
{
    cli_grid_cell(&d->grid, text, strlen(text));
}

static void put_count(struct describe *d, uint64_t count)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, count);
    put(d, text);
}

static void put_value(struct describe *d, const struct cairn_value *v, const struct cli_field *f)
{
    cli_text_clear(&d->cell);
    if (cairn_type(v) != CAIRN_NIL) table_cell(&d->cell, v, f, false);
    if (d->cell.failed) d->grid.failed = true;
    cli_grid_cell(&d->grid, d->cell.data ? d->cell.data : "", d->cell.length);
}

static void put_mean(struct describe *d, const struct cairn_value *v)
{
    char text[32] = "";
    double mean = cairn_double(v, 0);
    bool whole = fabs(mean) >= 1e6 && fabs(mean) < 1e15;
    if (cairn_type(v) != CAIRN_NIL) snprintf(text, sizeof text, whole ? "%.0f" : "%.6g", mean);
    put(d, text);
}

/* About how many, which are never more than there are. */
static void put_distinct(struct describe *d, uint64_t count, uint64_t present)
{
    char text[24];
    snprintf(text, sizeof text, "%s%" PRIu64, d->rows > EXACT_ROWS ? "~" : "",
             count < present ? count : present);
    put(d, text);
}

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
static void put_bars(struct describe *d, const struct cairn_value *data, double width, size_t bars)
{
    uint64_t counts[BARS_MAX] = {0};
    for (size_t i = 0; i < cairn_length(data); i++) {
        const struct cairn_value *row = cairn_at(data, (ptrdiff_t)i);
        double from = cairn_double(cairn_at(row, 0), NAN), bar = floor(from / width + 0.5);
        if (!(bar >= 0)) continue; /* nil, of what is nil */
        counts[bar < (double)bars ? (size_t)bar : bars - 1] += cairn_uint(cairn_at(row, 1), 0);
    }
    cli_text_clear(&d->cell);
    cli_sparkline(&d->cell, counts, bars);
    if (d->cell.failed) d->grid.failed = true;
    cli_grid_cell(&d->grid, d->cell.data ? d->cell.data : "", d->cell.length);
}

/* min, max, avg and the bars. */
static int put_range(struct describe *d, const struct cli_field *f, struct cairn_reply **figures)
{
    struct cairn_reply *bars = NULL;
    int result = ask_figures(d, f, true, figures);
    if (result != CLI_OK) return result;
    const struct cairn_value *row = cairn_at(cairn_field(cairn_reply_result(*figures), "data"), 0);
    const struct cairn_value *low = cairn_at(row, 0), *high = cairn_at(row, 1);
    size_t count;
    double from = cairn_double(low, NAN);
    double width = bar_width(d, f, from, cairn_double(high, NAN), &count);
    put_value(d, low, f);
    put_value(d, high, f);
    if (is_number(f)) put_mean(d, cairn_at(row, 3));
    else put(d, "");
    if (cairn_type(low) == CAIRN_NIL || !isfinite(width)) {
        put(d, "");
        return CLI_OK;
    }
    result = ask_bars(d, f, from, width, &bars);
    if (result != CLI_OK) return result;
    put_bars(d, cairn_field(cairn_reply_result(bars), "data"), width, count);
    cairn_reply_destroy(bars);
    return CLI_OK;
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
    if (d->cell.failed) d->grid.failed = true;
    cli_grid_cell(&d->grid, d->cell.data ? d->cell.data : "", d->cell.length);
}

static int put_column(struct describe *d, size_t i)
{
    const struct cli_field *f = &d->fields.list[i];
    struct cairn_reply *figures = NULL, *range = NULL;
    char text[32];
    int result = ask_figures(d, f, false, &figures);
    if (result != CLI_OK) return result;
    const struct cairn_value *row = cairn_at(cairn_field(cairn_reply_result(figures), "data"), 0);
    uint64_t rows = cairn_uint(cairn_at(row, 0), 0), present = cairn_uint(cairn_at(row, 1), 0);
    const struct cairn_value *costs = cairn_at(cairn_field(d->stats, "columns"), (ptrdiff_t)i);
    uint64_t bytes = cairn_uint(cairn_field(costs, "bytes"), 0);
    cli_grid_cell(&d->grid, f->name, f->length);
    put(d, f->type_name);
    put_count(d, rows - present);
    put_distinct(d, cairn_uint(cairn_at(row, 2), 0), present);
    cairn_reply_destroy(figures);
    if (has_range(f))
        result = put_range(d, f, &range);
    else
        for (int n = 0; n < 4; n++) put(d, "");
    cairn_reply_destroy(range);
    if (result != CLI_OK) return result;
    snprintf(text, sizeof text, "%.2f", d->rows ? (double)bytes / (double)d->rows : 0.0);
    put(d, text);
    put_encodings(d, cairn_field(costs, "encodings"));
    return d->grid.failed ? table_no_memory() : CLI_OK;
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
    for (size_t i = 0; i < d->fields.count && result == CLI_OK; i++) result = put_column(d, i);
    if (result != CLI_OK) return result;
    cli_grid_print(&d->grid, stdout, terminal);
    printf("%" PRIu64 " row%s, %s\n", d->rows, d->rows == 1 ? "" : "s",
           cli_bytes_format(bytes, cairn_uint(cairn_field(d->stats, "bytes"), 0)));
    return CLI_OK;
}

int table_describe(struct cli *cli, const struct table_command *command, int count, char **words)
{
    struct describe d = {.cli = cli};
    struct cairn_reply *stats = NULL;
    int result = table_options(cli, command, NULL, 0, &count, words);
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
        result = print_all(&d);
    }
    cairn_reply_destroy(stats);
    cairn_args_destroy(d.args);
    cli_fields_close(&d.fields);
    cli_grid_close(&d.grid);
    cli_text_close(&d.cell);
    return result;
}
