/* table_csv_read.c - CSV, cut anywhere, into a table.
 *
 * Bytes go through a small automaton into a batch: the bytes of all cells one after the other, and
 * where each ends. A full batch is appended column by column. The first batch is the sample from
 * which the types follow.
 *
 *   START  -> a byte        PLAIN  -> delimiter, line end   START
 *          -> quote         QUOTED -> quote  CLOSED -> quote  QUOTED   (a quote as a byte)
 *                                                   -> delimiter, line end  START
 *
 * An error names line and cell, and is final. */
#include "heap/table_csv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "heap/table_batch.h"
#include "heap/text.h"

enum csv_state { CSV_START, CSV_PLAIN, CSV_QUOTED, CSV_CLOSED };

struct csv_reader {
    struct csv_options options;
    char delimiter;
    bool special[256]; /* bytes that end a run of plain ones */
    bool header;       /* the first line is one, and has not come */
    bool opened, matched; /* matched: its columns with those of the table */
    bool naming;   /* names of the header are looked at: errors are of no record */
    table_open_cb *open;
    void *open_data;
    enum csv_state state;
    bool carriage; /* a CR came that may belong to a line end */
    unsigned mark; /* how many bytes of a byte order mark came; 3: no longer possible */
    uint64_t line;
    bool quoted;   /* this cell */
    size_t cell_begin;
    uint64_t cell_line;
    struct text_batch batch;
    struct table_out names, name_ends;
    uint32_t row_cells;  /* of the row that has not ended */
    struct table *table;
    uint32_t *map;       /* batch_append */
    struct table_error error;
    int failure;
};

/* --- errors ------------------------------------------------------------------------------------*/

/* The name of a column that the input has; false: there is none. */
static bool column_name(const struct csv_reader *r, uint32_t column, const char **name,
                        size_t *length)
{
    const size_t *ends = (const size_t *)(const void *)r->name_ends.data;
    if (!ends || column >= r->batch.columns) return false;
    size_t begin = column ? ends[column - 1] : 0;
    if (ends[column] == begin) return false;
    *name = (const char *)r->names.data + begin;
    *length = ends[column] - begin;
    return true;
}

__attribute__((format(printf, 4, 5)))
static int csv_wrong(struct csv_reader *r, uint64_t line, uint32_t column, const char *format, ...)
{
    char what[TABLE_ERROR_BYTES];
    const char *name = NULL;
    size_t length = 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    column_name(r, column, &name, &length);
    uint64_t row = r->batch.first_row + r->batch.rows + 1;
    bool heads = r->header || r->naming || (r->opened && !r->matched);
    text_wrong(&r->error, "CSV", line, heads ? UINT64_MAX : row, name, length,
               "cell %" PRIu32 ": %s", column + 1, what);
    r->error.column = column;
    return -EINVAL;
}

static int csv_memory(struct csv_reader *r) { return text_memory(&r->error, "CSV"); }

/* --- the table ---------------------------------------------------------------------------------*/

/* The name that a column has in a table: that of the header, or its number. */
#define NUMBER_BYTES 24
static void table_name(const struct csv_reader *r, uint32_t column, char number[NUMBER_BYTES],
                       const char **name, size_t *length)
{
    if (column_name(r, column, name, length)) return;
    *length = (size_t)snprintf(number, NUMBER_BYTES, "column%" PRIu32, column + 1);
    *name = number;
}

static int infer_names(struct csv_reader *r, struct table_infer *x)
{
    char number[NUMBER_BYTES], quoted[TEXT_QUOTE_BYTES];
    r->naming = true;
    for (uint32_t i = x->count; i < r->batch.columns; i++) {
        const char *name;
        size_t length;
        table_name(r, i, number, &name, &length);
        if (!utf8_valid(name, length))
            return csv_wrong(r, 1, i, "%.140s is not UTF-8", text_quote(quoted, name, length));
        if (infer_find(x, name, length, i) != UINT32_MAX)
            return csv_wrong(r, 1, i, "a second column %.140s", text_quote(quoted, name, length));
        if (infer_add(x, name, length) != 0) return csv_memory(r);
    }
    r->naming = false;
    return 0;
}

static int infer_batch(struct csv_reader *r, struct table_infer *x)
{
    const struct text_batch *b = &r->batch;
    const struct text_cell *c = batch_cells(b);
    int failed = infer_names(r, x);
    if (failed) return failed;
    for (uint32_t row = 0; row < b->rows; row++) {
        for (uint32_t i = 0; i < b->columns; i++, c++)
            if (infer_cell(x, i, c->kind, c->length ? (const char *)b->bytes.data + c->begin : "",
                           c->length) != 0)
                return csv_memory(r);
        infer_row(x);
    }
    return 0;
}

/* The columns as the first batch has them; texts are never sym, and all may be null. */
static int sample(struct csv_reader *r, struct table_infer *x, struct table_field *fields)
{
    int failed = infer_batch(r, x);
    for (uint32_t i = 0; i < r->batch.columns && !failed; i++) {
        infer_field(x, i, &fields[i]);
        if (fields[i].type == TABLE_SYM) fields[i].type = TABLE_STR;
        if (i < r->options.type_count) fields[i].type = r->options.types[i];
        fields[i].null = true;
    }
    return failed;
}

/* Every column of the input is one of the table. */
static int match_names(struct csv_reader *r)
{
    char number[NUMBER_BYTES], quoted[TEXT_QUOTE_BYTES];
    for (uint32_t i = 0; i < r->batch.columns; i++) {
        const char *name;
        size_t length;
        table_name(r, i, number, &name, &length);
        uint32_t column = table_column_named(r->table, name, length);
        text_quote(quoted, name, length);
        if (column == UINT32_MAX)
            return csv_wrong(r, 1, i, "the table has no column %.140s", quoted);
        if (r->map[column] != UINT32_MAX)
            return csv_wrong(r, 1, i, "a second column %.140s", quoted);
        r->map[column] = i;
    }
    return 0;
}

static int match_columns(struct csv_reader *r)
{
    uint32_t count = table_column_count(r->table), columns = r->batch.columns;
    r->map = malloc(count * sizeof *r->map);
    if (!r->map) return csv_memory(r);
    bool named = r->options.match_names && r->name_ends.length;
    for (uint32_t i = 0; i < count; i++) r->map[i] = named ? UINT32_MAX : i;
    if (named) return match_names(r);
    if (count == columns) return 0;
    return csv_wrong(r, r->line, 0, "%" PRIu32 " cells; the table has %" PRIu32 " columns", columns,
                     count);
}

static int open_table(struct csv_reader *r)
{
    struct table_infer x = {.columns = NULL};
    struct table_field *fields = calloc(r->batch.columns, sizeof *fields);
    int failed = fields ? 0 : csv_memory(r);
    if (!failed) failed = sample(r, &x, fields);
    if (!failed) failed = r->open(r->open_data, fields, r->batch.columns, &r->table, &r->error);
    free(fields);
    infer_close(&x);
    r->opened = !failed;
    if (!failed) failed = match_columns(r);
    r->matched = !failed;
    return failed;
}

static int flush(struct csv_reader *r)
{
    int failed = 0;
    if (!r->batch.columns) return 0;
    if (r->options.infer) {
        failed = infer_batch(r, r->options.infer);
    } else {
        if (!r->opened) failed = open_table(r);
        if (!failed) failed = batch_append(&r->batch, r->table, r->map, &r->error);
    }
    if (failed) return failed;
    /* A row may have begun: its cells, and the bytes of one that has not ended. */
    size_t whole = (size_t)r->batch.rows * r->batch.columns;
    size_t from = r->row_cells ? batch_cells(&r->batch)[whole].begin : r->cell_begin;
    batch_shift(&r->batch, from);
    r->cell_begin -= from;
    return 0;
}

/* --- rows --------------------------------------------------------------------------------------*/

/* A row that is shorter than the first line names the first column that it lacks. */
static int wrong_count(struct csv_reader *r, uint32_t cells)
{
    uint32_t wanted = r->batch.columns;
    if (cells < wanted)
        return csv_wrong(r, r->line, cells, "it is missing: the line has %" PRIu32 " cell%s, and "
                         "the first line %" PRIu32, cells, cells == 1 ? "" : "s", wanted);
    return csv_wrong(r, r->line, wanted, "%" PRIu32 " cells, where the first line has %" PRIu32
                     "; a cell with %s in it stands in quotes", cells, wanted,
                     r->delimiter == ',' ? "a comma" : "the delimiter");
}

/* The first line names the columns. */
static int take_header(struct csv_reader *r)
{
    const struct text_cell *c = batch_cells(&r->batch);
    for (uint32_t i = 0; i < r->batch.columns; i++) {
        size_t end = (size_t)c[i].begin + c[i].length;
        out_put(&r->name_ends, &end, sizeof end);
    }
    out_put(&r->names, r->batch.bytes.data, r->batch.bytes.length);
    r->header = false;
    r->batch.bytes.length = r->batch.cells.length = 0;
    r->cell_begin = 0;
    return r->names.failed || r->name_ends.failed ? csv_memory(r) : 0;
}

static bool is_null(const struct csv_reader *r, const struct text_cell *c)
{
    const struct csv_options *o = &r->options;
    return !r->quoted && c->length == o->null_length &&
           (c->length == 0 || memcmp(r->batch.bytes.data + c->begin, o->null_text, c->length) == 0);
}

static int cell_end(struct csv_reader *r)
{
    struct text_batch *b = &r->batch;
    if (r->state == CSV_START) r->cell_line = r->line; /* an empty one */
    if (b->cells.length == 0) b->line = r->cell_line;
    struct text_cell cell = {(uint32_t)r->cell_begin, (uint32_t)(b->bytes.length - r->cell_begin),
                             (uint32_t)(r->cell_line - b->line), TEXT_PLAIN};
    if (is_null(r, &cell)) cell.kind = TEXT_NULL;
    if (r->row_cells == TABLE_COLUMNS_MAX)
        return csv_wrong(r, r->line, r->row_cells, "a table has at most %d columns",
                         TABLE_COLUMNS_MAX);
    out_put(&b->cells, &cell, sizeof cell);
    r->cell_begin = b->bytes.length;
    r->row_cells++;
    r->quoted = false;
    r->state = CSV_START;
    return b->cells.failed || b->bytes.failed ? csv_memory(r) : 0;
}

static int row_end(struct csv_reader *r)
{
    /* An empty line: nothing, unless it is the null of a table of one column. */
    if (r->state == CSV_START && r->row_cells == 0 && (r->batch.columns != 1 || r->header))
        return 0;
    int failed = cell_end(r);
    if (failed) return failed;
    uint32_t cells = r->row_cells;
    if (!r->batch.columns) {
        r->batch.columns = cells;
        r->row_cells = 0;
        if (r->header) return take_header(r);
    }
    if (cells != r->batch.columns) return wrong_count(r, cells);
    r->row_cells = 0;
    r->batch.rows++;
    return 0;
}

/* As long as there is no table, a batch is the sample. */
static bool batch_full(const struct csv_reader *r)
{
    size_t cells = batch_cell_count(&r->batch);
    if (r->row_cells || !r->batch.rows) return false;
    if (r->opened || r->options.infer)
        return cells >= TEXT_BATCH_CELLS || r->batch.bytes.length >= TEXT_BATCH_BYTES;
    return r->batch.rows >= CSV_SAMPLE_ROWS || cells >= CSV_SAMPLE_CELLS ||
           r->batch.bytes.length >= CSV_SAMPLE_BYTES;
}

/* --- bytes -------------------------------------------------------------------------------------*/

static int line_end(struct csv_reader *r)
{
    int failed = row_end(r);
    r->line++;
    return failed;
}

/* A byte that is neither in quotes nor part of a run of plain ones. */
static int take_byte(struct csv_reader *r, char c)
{
    if (r->carriage) {
        r->carriage = false;
        if (c != '\n')
            return csv_wrong(r, r->line, r->row_cells, "a carriage return without a line feed");
    }
    if (c == '\n') return line_end(r);
    if (c == '\r') {
        r->carriage = true;
        return 0;
    }
    if (c == r->delimiter) return cell_end(r);
    if (r->state == CSV_CLOSED && c != '"')
        return csv_wrong(r, r->line, r->row_cells, "a byte after the closing quote; a quote inside "
                                                   "is doubled");
    if (r->state == CSV_START) r->cell_line = r->line;
    if (c == '"' && r->state == CSV_PLAIN)
        return csv_wrong(r, r->line, r->row_cells, "a quote in a cell that is not in quotes");
    if (c == '"') {
        if (r->state == CSV_CLOSED) out_byte(&r->batch.bytes, '"');
        r->quoted = true;
        r->state = CSV_QUOTED;
        return 0;
    }
    out_byte(&r->batch.bytes, (unsigned char)c);
    r->state = CSV_PLAIN;
    return 0;
}

/* As many bytes as need no thought: inside of quotes up to the next quote, or plain ones. */
static size_t take_run(struct csv_reader *r, const char *data, size_t length)
{
    size_t n = 0;
    if (r->carriage || r->state == CSV_CLOSED) return 0;
    if (length > TABLE_TEXT_BYTES_MAX) length = TABLE_TEXT_BYTES_MAX;
    if (r->state == CSV_QUOTED) {
        for (; n < length && data[n] != '"'; n++) r->line += data[n] == '\n';
    } else {
        while (n < length && !r->special[(unsigned char)data[n]]) n++;
        if (n && r->state == CSV_START) {
            r->cell_line = r->line;
            r->state = CSV_PLAIN;
        }
    }
    if (n) out_put(&r->batch.bytes, data, n);
    return n;
}

static int check_sizes(struct csv_reader *r)
{
    const struct text_batch *b = &r->batch;
    size_t whole = (size_t)b->rows * b->columns;
    size_t row = r->row_cells ? batch_cells(b)[whole].begin : r->cell_begin;
    if (b->bytes.failed) return csv_memory(r);
    if (b->bytes.length - r->cell_begin > TABLE_TEXT_BYTES_MAX)
        return csv_wrong(r, r->cell_line, r->row_cells, "more than %zu bytes; is a quote not "
                                                        "closed?", TABLE_TEXT_BYTES_MAX);
    if (b->bytes.length - row <= TEXT_ROW_BYTES_MAX) return 0;
    return csv_wrong(r, r->line, r->row_cells, "a row of more than %zu bytes, which is the limit",
                     TEXT_ROW_BYTES_MAX);
}

/* The byte order mark, which may come in pieces. Returns how many bytes it took. */
static size_t skip_mark(struct csv_reader *r, const unsigned char *data, size_t length)
{
    static const unsigned char mark[3] = {0xef, 0xbb, 0xbf};
    size_t n = 0;
    while (r->mark < 3 && n < length && data[n] == mark[r->mark]) {
        n++;
        r->mark++;
    }
    if (r->mark < 3 && n < length) {
        /* No mark after all: what was taken for one belongs to the first cell. */
        out_put(&r->batch.bytes, mark, r->mark);
        if (r->mark) r->state = CSV_PLAIN;
        r->mark = 3;
    }
    return n;
}

/* --- feeding -----------------------------------------------------------------------------------*/

static int feed_failed(struct csv_reader *r, int failure, struct table_error *error)
{
    r->failure = failure;
    if (error) *error = r->error;
    return failure;
}

int csv_reader_feed(struct csv_reader *r, const void *data, size_t length, size_t *used,
                    struct table_error *error)
{
    const char *bytes = data;
    int failed = 0;
    *used = 0;
    if (r->failure) return feed_failed(r, r->failure, error);
    if (r->mark < 3) *used = skip_mark(r, data, length);
    while (*used < length) {
        *used += take_run(r, bytes + *used, length - *used);
        if (*used < length && r->state == CSV_QUOTED && bytes[*used] == '"') {
            r->state = CSV_CLOSED;
            (*used)++;
        } else if (*used < length && r->state != CSV_QUOTED) {
            failed = take_byte(r, bytes[(*used)++]);
        }
        if (!failed) failed = check_sizes(r);
        bool full = !failed && batch_full(r);
        if (full) failed = flush(r);
        if (failed) return feed_failed(r, failed, error);
        if (full) return TABLE_FEED_WORK;
    }
    return TABLE_FEED_MORE;
}

int csv_reader_flush(struct csv_reader *r, struct table_error *error)
{
    if (r->failure) return feed_failed(r, r->failure, error);
    int failed = flush(r);
    return failed ? feed_failed(r, failed, error) : 0;
}

int csv_reader_end(struct csv_reader *r, struct table_error *error)
{
    int failed = 0;
    if (r->failure) return feed_failed(r, r->failure, error);
    if (r->state == CSV_QUOTED)
        failed = csv_wrong(r, r->cell_line, r->row_cells, "its quote is not closed");
    r->carriage = false;
    if (!failed && (r->state != CSV_START || r->row_cells)) failed = row_end(r);
    if (!failed && !r->batch.columns) failed = csv_wrong(r, 1, 0, "nothing, not even a header");
    if (!failed) failed = flush(r);
    return failed ? feed_failed(r, failed, error) : 0;
}

uint64_t csv_reader_rows(const struct csv_reader *r) { return r->batch.first_row; }

size_t csv_reader_bytes(const struct csv_reader *r)
{
    return sizeof *r + batch_bytes(&r->batch) + r->names.capacity + r->name_ends.capacity;
}

struct csv_reader *csv_reader_create(const struct csv_options *options, table_open_cb *open,
                                     void *data)
{
    struct csv_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->options = *options;
    r->delimiter = options->delimiter ? options->delimiter : ',';
    r->special[(unsigned char)r->delimiter] = r->special['"'] = true;
    r->special['\r'] = r->special['\n'] = true;
    r->header = !options->no_header;
    r->open = open;
    r->open_data = data;
    r->batch.format = "CSV";
    r->line = r->cell_line = 1;
    return r;
}

void csv_reader_destroy(struct csv_reader *r)
{
    if (!r) return;
    batch_close(&r->batch);
    out_close(&r->names);
    out_close(&r->name_ends);
    free(r->map);
    free(r);
}
