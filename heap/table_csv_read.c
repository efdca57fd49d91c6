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

enum csv_state { CSV_START, CSV_PLAIN, CSV_QUOTED, CSV_CLOSED };

struct csv_cell {
    size_t end; /* in `bytes`; it begins where the one before ends */
    uint64_t line;
    bool quoted;
};

struct csv_reader {
    char delimiter;
    bool header; /* the first line is one, and has not come */
    bool opened;
    table_open_cb *open;
    void *open_data;
    const enum table_type *types;
    uint32_t type_count;
    enum csv_state state;
    bool carriage; /* a CR came that may belong to a line end */
    unsigned mark; /* how many bytes of a byte order mark came; 3: no longer possible */
    uint64_t line;
    bool quoted;   /* this cell */
    uint64_t cell_line;
    struct table_out bytes, cells, names, name_ends;
    uint32_t row_cells;  /* of the row that has not ended */
    uint32_t columns;    /* 0: not known yet */
    uint32_t batch_rows;
    uint64_t rows;
    struct table *table;
    struct table_error error;
    int failure;
};

/* --- errors ------------------------------------------------------------------------------------*/

__attribute__((format(printf, 4, 5)))
static int csv_wrong(struct csv_reader *r, uint64_t line, uint32_t column, const char *format, ...)
{
    char what[TABLE_ERROR_BYTES - 60];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    r->error = (struct table_error){.fault = TABLE_FAULT_TYPE, .row = UINT64_MAX, .column = column};
    snprintf(r->error.text, sizeof r->error.text, "CSV line %" PRIu64 ", cell %" PRIu32 ": %s",
             line, column + 1, what);
    return -EINVAL;
}

static int csv_memory(struct csv_reader *r)
{
    r->error = (struct table_error){.fault = TABLE_FAULT_MEMORY, .row = UINT64_MAX,
                                    .column = UINT32_MAX};
    snprintf(r->error.text, sizeof r->error.text, "out of memory while reading CSV");
    return -ENOMEM;
}

/* --- cells of the batch ------------------------------------------------------------------------*/

static const struct csv_cell *cells_of(const struct csv_reader *r)
{
    return (const struct csv_cell *)(const void *)r->cells.data;
}

struct csv_text {
    const char *data;
    size_t length;
    uint64_t line;
    bool null; /* empty, and not in quotes */
};

static struct csv_text cell_at(const struct csv_reader *r, uint32_t row, uint32_t column)
{
    size_t i = (size_t)row * r->columns + column;
    const struct csv_cell *c = cells_of(r) + i;
    size_t begin = i ? c[-1].end : 0;
    return (struct csv_text){(const char *)r->bytes.data + begin, c->end - begin, c->line,
                             c->end == begin && !c->quoted};
}

/* --- types -------------------------------------------------------------------------------------*/

static bool column_is(const struct csv_reader *r, uint32_t column, enum table_type type)
{
    bool any = false;
    for (uint32_t row = 0; row < r->batch_rows; row++) {
        struct csv_text text = cell_at(r, row, column);
        struct table_cell cell;
        if (text.null) continue;
        any = true;
        if (!cell_parse(type, text.data, text.length, &cell)) return false;
    }
    return any;
}

static enum table_type column_type(const struct csv_reader *r, uint32_t column)
{
    static const enum table_type tried[] = {TABLE_I64, TABLE_U64, TABLE_F64, TABLE_BOOL,
                                            TABLE_DATE, TABLE_TS};
    if (column < r->type_count) return r->types[column];
    for (unsigned i = 0; i < sizeof tried / sizeof *tried; i++)
        if (column_is(r, column, tried[i])) return tried[i];
    return TABLE_STR;
}

static void column_name(const struct csv_reader *r, uint32_t column, struct table_out *room,
                        struct table_field *f)
{
    const size_t *ends = (const size_t *)(const void *)r->name_ends.data;
    size_t begin = ends && column ? ends[column - 1] : 0, from = room->length;
    if (ends && ends[column] > begin)
        out_put(room, r->names.data + begin, ends[column] - begin);
    else
        out_print(room, "column%" PRIu32, column + 1);
    f->name_length = room->length - from;
}

static int open_table(struct csv_reader *r)
{
    struct table_out names = {.data = NULL};
    struct table_field *fields = calloc(r->columns, sizeof *fields);
    size_t at = 0;
    if (!fields) return csv_memory(r);
    for (uint32_t i = 0; i < r->columns; i++) {
        fields[i].type = column_type(r, i);
        fields[i].null = true;
        column_name(r, i, &names, &fields[i]);
    }
    int failed = names.failed ? csv_memory(r) : 0;
    for (uint32_t i = 0; i < r->columns && !failed; at += fields[i++].name_length)
        fields[i].name = (const char *)names.data + at;
    if (!failed) failed = r->open(r->open_data, fields, r->columns, &r->table, &r->error);
    free(fields);
    out_close(&names);
    if (failed) return failed;
    r->opened = true;
    if (table_column_count(r->table) != r->columns)
        return csv_wrong(r, r->line, 0, "%" PRIu32 " cells; the table has %" PRIu32 " columns",
                         r->columns, table_column_count(r->table));
    return 0;
}

/* --- appending ---------------------------------------------------------------------------------*/

static int refuse_cell(struct csv_reader *r, const struct csv_text *text, uint32_t column,
                       enum table_type type)
{
    return csv_wrong(r, text->line, column, "\"%.*s\" is no %s", (int)(text->length > 60 ? 60
                     : text->length), text->data, table_type_name(type));
}

static void store_element(unsigned char *to, enum table_type type, const struct table_cell *c)
{
    float f = (float)c->d;
    if (type == TABLE_F32)
        memcpy(to, &f, sizeof f);
    else /* little-endian: the low bytes of an integer are a narrow one */
        memcpy(to, &c->u, table_type_bytes(type));
}

#define CSV_ROOM_ROWS 512

static int append_numbers(struct csv_reader *r, struct table_append *a, uint32_t column,
                          enum table_type type, uint32_t first, uint32_t count)
{
    unsigned char elements[CSV_ROOM_ROWS * 8];
    uint8_t valid[CSV_ROOM_ROWS / 8] = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct csv_text text = cell_at(r, first + i, column);
        struct table_cell cell = {.u = 0};
        if (!text.null) {
            if (!cell_parse(type, text.data, text.length, &cell))
                return refuse_cell(r, &text, column, type);
            valid[i / 8] |= (uint8_t)(1 << i % 8);
        }
        store_element(elements + i * table_type_bytes(type), type, &cell);
    }
    return table_append_raw(a, column, count, elements, valid, 0, &r->error);
}

static int append_texts(struct csv_reader *r, struct table_append *a, uint32_t column,
                        enum table_type type, uint32_t first, uint32_t count)
{
    struct table_text texts[CSV_ROOM_ROWS];
    for (uint32_t i = 0; i < count; i++) {
        struct csv_text text = cell_at(r, first + i, column);
        struct table_cell cell;
        texts[i] = (struct table_text){NULL, 0};
        if (text.null) continue;
        if (!cell_parse(type, text.data, text.length, &cell))
            return csv_wrong(r, text.line, column, "a text that is not UTF-8");
        texts[i] = cell.text;
    }
    return table_append_texts(a, column, count, texts, &r->error);
}

static int append_column(struct csv_reader *r, struct table_append *a, uint32_t column)
{
    enum table_type type = table_field(r->table, column)->type;
    bool texts = type == TABLE_STR || type == TABLE_SYM || type == TABLE_BIN;
    int failed = 0;
    for (uint32_t row = 0; row < r->batch_rows && !failed; row += CSV_ROOM_ROWS) {
        uint32_t left = r->batch_rows - row, count = left < CSV_ROOM_ROWS ? left : CSV_ROOM_ROWS;
        failed = texts ? append_texts(r, a, column, type, row, count)
                       : append_numbers(r, a, column, type, row, count);
    }
    return failed;
}

static void batch_clear(struct csv_reader *r)
{
    r->bytes.length = r->cells.length = 0;
    r->batch_rows = 0;
}

static int flush(struct csv_reader *r)
{
    struct table_append a;
    int failed = 0;
    if (!r->columns) return 0;
    if (!r->opened) failed = open_table(r);
    if (failed || r->batch_rows == 0) return failed;
    failed = table_append_begin(r->table, r->batch_rows, &a, &r->error);
    if (failed) return failed;
    for (uint32_t i = 0; i < r->columns && !failed; i++) failed = append_column(r, &a, i);
    if (!failed) failed = table_append_commit(&a, NULL, &r->error);
    if (failed) {
        table_append_abort(&a);
        return failed;
    }
    r->rows += r->batch_rows;
    batch_clear(r);
    return 0;
}

/* --- rows --------------------------------------------------------------------------------------*/

/* The first line names the columns. */
static int take_header(struct csv_reader *r)
{
    const struct csv_cell *c = cells_of(r);
    for (uint32_t i = 0; i < r->columns; i++)
        out_put(&r->name_ends, &c[i].end, sizeof c[i].end);
    out_put(&r->names, r->bytes.data, r->bytes.length);
    r->header = false;
    batch_clear(r);
    return r->names.failed || r->name_ends.failed ? csv_memory(r) : 0;
}

static int cell_end(struct csv_reader *r)
{
    if (r->state == CSV_START) r->cell_line = r->line; /* an empty one */
    struct csv_cell cell = {r->bytes.length, r->cell_line, r->quoted};
    if (r->row_cells == TABLE_COLUMNS_MAX)
        return csv_wrong(r, r->line, r->row_cells, "a table has at most %d columns",
                         TABLE_COLUMNS_MAX);
    out_put(&r->cells, &cell, sizeof cell);
    r->row_cells++;
    r->quoted = false;
    r->state = CSV_START;
    return r->cells.failed || r->bytes.failed ? csv_memory(r) : 0;
}

static int row_end(struct csv_reader *r)
{
    /* An empty line: nothing, unless it is the null of a table of one column. */
    if (r->state == CSV_START && r->row_cells == 0 && (r->columns != 1 || r->header)) return 0;
    int failed = cell_end(r);
    if (failed) return failed;
    uint32_t cells = r->row_cells;
    r->row_cells = 0;
    if (!r->columns) {
        r->columns = cells;
        if (r->header) return take_header(r);
    }
    if (cells != r->columns)
        return csv_wrong(r, r->line, cells - 1, "%" PRIu32 " cells; the first line has %" PRIu32,
                         cells, r->columns);
    r->batch_rows++;
    return 0;
}

static bool batch_full(const struct csv_reader *r)
{
    if (r->row_cells) return false;
    if (!r->opened && r->batch_rows >= CSV_SAMPLE_ROWS) return true;
    return r->bytes.length >= CSV_BATCH_BYTES ||
           r->cells.length / sizeof(struct csv_cell) >= CSV_BATCH_CELLS;
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
        if (r->state == CSV_CLOSED) out_byte(&r->bytes, '"');
        r->quoted = true;
        r->state = CSV_QUOTED;
        return 0;
    }
    out_byte(&r->bytes, (unsigned char)c);
    r->state = CSV_PLAIN;
    return 0;
}

/* As many bytes as need no thought: inside of quotes up to the next quote, or plain ones. */
static size_t take_run(struct csv_reader *r, const char *data, size_t length)
{
    size_t n = 0;
    if (r->carriage || (r->state != CSV_QUOTED && r->state != CSV_PLAIN)) return 0;
    if (r->state == CSV_QUOTED) {
        for (; n < length && data[n] != '"'; n++) r->line += data[n] == '\n';
    } else {
        char d = r->delimiter;
        while (n < length && data[n] != d && data[n] != '\n' && data[n] != '\r' && data[n] != '"')
            n++;
    }
    out_put(&r->bytes, data, n);
    return n;
}

static int check_cell_size(struct csv_reader *r)
{
    size_t cells = r->cells.length / sizeof(struct csv_cell);
    size_t begin = cells ? cells_of(r)[cells - 1].end : 0;
    if (r->bytes.failed) return csv_memory(r);
    if (r->bytes.length - begin <= TABLE_TEXT_BYTES_MAX) return 0;
    return csv_wrong(r, r->cell_line, r->row_cells, "more than %zu bytes; is a quote not closed?",
                     TABLE_TEXT_BYTES_MAX);
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
        out_put(&r->bytes, mark, r->mark);
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
        if (*used < length && r->state == CSV_QUOTED) {
            r->state = CSV_CLOSED; /* at a quote, if the run ended before the input */
            (*used)++;
        } else if (*used < length) {
            failed = take_byte(r, bytes[(*used)++]);
        }
        if (!failed) failed = check_cell_size(r);
        bool full = !failed && batch_full(r);
        if (full) failed = flush(r);
        if (failed) return feed_failed(r, failed, error);
        if (full) return TABLE_FEED_WORK;
    }
    return TABLE_FEED_MORE;
}

int csv_reader_end(struct csv_reader *r, struct table_error *error)
{
    int failed = 0;
    if (r->failure) return feed_failed(r, r->failure, error);
    if (r->state == CSV_QUOTED)
        failed = csv_wrong(r, r->cell_line, r->row_cells, "its quote is not closed");
    r->carriage = false;
    if (!failed && (r->state != CSV_START || r->row_cells)) failed = row_end(r);
    if (!failed && !r->columns) failed = csv_wrong(r, 1, 0, "nothing, not even a header");
    if (!failed) failed = flush(r);
    return failed ? feed_failed(r, failed, error) : 0;
}

struct csv_reader *csv_reader_create(const struct csv_options *options, table_open_cb *open,
                                     void *data)
{
    struct csv_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->delimiter = options->delimiter ? options->delimiter : ',';
    r->header = !options->no_header;
    r->types = options->types;
    r->type_count = options->type_count;
    r->open = open;
    r->open_data = data;
    r->line = r->cell_line = 1;
    return r;
}

void csv_reader_destroy(struct csv_reader *r)
{
    if (!r) return;
    out_close(&r->bytes);
    out_close(&r->cells);
    out_close(&r->names);
    out_close(&r->name_ends);
    free(r);
}
