/* table_json.c - see table_json.h.
 *
 * Bytes go to yajl line by line, so that the line of an error is known and a line is bounded. Its
 * callbacks put cells into the batch, in the order of the columns; the row is whole with the end of
 * its object. Only once a line has ended is a batch appended, so nothing that was given to yajl is
 * looked at after a change of the heap.
 *
 * A line may have 16 MiB, and a feed does a bounded part of it. But yajl begins anew with a token
 * that is cut, which takes forever if it is long; so it gets whole tokens only, what has come of
 * one is *held*, and of a string that grows long it sees two quotes: its text is decoded beside it,
 * into the batch (server/json_text.h). */
#include "server/table_json.h"

#include <assert.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <yajl/yajl_parse.h>

#include "heap/text.h"
#include "server/json_text.h"

/* What one feed looks at. */
#define FEED_BYTES ((size_t)64 << 10)
/* What is held of a token at most. */
#define HELD_BYTES_MAX ((size_t)16 << 10)

/* Memory of yajl's, in a list, to be freed when it was left in its middle. */
struct block {
    struct block *previous, *next;
    _Alignas(16) char bytes[];
};

struct json_reader {
    struct table *table;       /* or NULL */
    struct table_infer *infer; /* or NULL */
    yajl_handle yajl;
    struct block blocks; /* head of the list */
    jmp_buf out_of_memory;
    struct text_batch batch;
    uint32_t *map;       /* batch_append: each column is itself */
    uint64_t line;
    size_t line_bytes;   /* of this line so far */
    unsigned mark;       /* how many bytes of a byte order mark came; 3: no longer possible */
    struct table_out held; /* what has come of a token that is cut */
    bool in_string, escaped; /* of the bytes that have come: within one, and behind a backslash */
    bool in_text;        /* a long string is being decoded */
    bool has_text;       /* it is what yajl's two quotes stand for */
    struct json_text text;
    size_t text_begin;   /* in the batch's bytes: to their end */
    size_t row_begin;    /* in the batch's bytes, of the row that has begun */
    bool in_object, any; /* any: the line had an object */
    uint32_t column;     /* of the cell that comes; UINT32_MAX: none */
    uint32_t next;       /* the column that probably is next */
    size_t work;         /* of this feed: lines, and cells whose types were found */
    struct table_error error;
    int failure;
};

/* --- memory ------------------------------------------------------------------------------------*/

static void block_link(struct json_reader *r, struct block *b)
{
    b->previous = &r->blocks;
    b->next = r->blocks.next;
    if (b->next) b->next->previous = b;
    r->blocks.next = b;
}

static void block_unlink(struct block *b)
{
    b->previous->next = b->next;
    if (b->next) b->next->previous = b->previous;
}

static struct block *block_of(void *bytes)
{
    return (struct block *)(void *)((char *)bytes - offsetof(struct block, bytes));
}

static void *json_malloc(void *context, size_t size)
{
    struct json_reader *r = context;
    struct block *b = malloc(sizeof *b + size);
    if (!b) longjmp(r->out_of_memory, 1);
    block_link(r, b);
    return b->bytes;
}

static void json_free(void *context, void *bytes)
{
    (void)context;
    if (!bytes) return;
    block_unlink(block_of(bytes));
    free(block_of(bytes));
}

static void *json_realloc(void *context, void *bytes, size_t size)
{
    struct json_reader *r = context;
    if (!bytes) return json_malloc(context, size);
    struct block *old = block_of(bytes);
    block_unlink(old);
    struct block *b = realloc(old, sizeof *b + size);
    block_link(r, b ? b : old);
    if (!b) longjmp(r->out_of_memory, 1);
    return b->bytes;
}

/* --- errors ------------------------------------------------------------------------------------*/

static void column_name(const struct json_reader *r, uint32_t column, const char **name,
                        size_t *length)
{
    struct table_field f = {.name = NULL};
    if (r->table && column < table_column_count(r->table)) f = *table_field(r->table, column);
    if (!r->table && column < r->infer->count) infer_field(r->infer, column, &f);
    *name = f.name;
    *length = f.name_length;
}

__attribute__((format(printf, 2, 3)))
static int json_wrong(struct json_reader *r, const char *format, ...)
{
    char what[TABLE_ERROR_BYTES];
    const char *name;
    size_t length;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    column_name(r, r->column, &name, &length);
    r->failure = text_wrong(&r->error, "JSON", r->line, r->batch.first_row + r->batch.rows + 1,
                            name, length, "%s", what);
    return 0; /* for yajl: stop */
}

static int json_memory(struct json_reader *r)
{
    r->failure = text_memory(&r->error, "JSON");
    return 0;
}

/* --- what yajl calls: 1 to go on, 0 to stop ----------------------------------------------------*/

static struct text_cell *row_cells(const struct json_reader *r)
{
    return (struct text_cell *)(void *)r->batch.cells.data +
           (size_t)r->batch.rows * r->batch.columns;
}

/* yajl makes bytes that are no UTF-8 of a low surrogate by itself, and of nothing else. */
static bool has_half(const void *text, size_t length)
{
    return memchr(text, 0xed, length) && !utf8_valid(text, length);
}

static int take_cell(struct json_reader *r, enum text_kind kind, const void *data, size_t length)
{
    struct text_batch *b = &r->batch;
    if (!r->in_object)
        return json_wrong(r, "%s outside of an object; JSON lines are one object a line",
                          kind == TEXT_STRING   ? "a string"
                          : kind == TEXT_NUMBER ? "a number"
                          : kind == TEXT_BOOL   ? "a boolean"
                                                : "null");
    if (kind == TEXT_STRING && has_half(data, length))
        return json_wrong(r, "a surrogate without its other half");
    struct text_cell *c = row_cells(r) + r->column;
    c->begin = (uint32_t)(r->has_text ? r->text_begin : b->bytes.length);
    if (length) out_put(&b->bytes, data, length);
    c->length = (uint32_t)(b->bytes.failed ? 0 : b->bytes.length - c->begin);
    c->kind = kind;
    r->next = r->column + 1;
    r->column = UINT32_MAX;
    return b->bytes.failed ? json_memory(r) : 1;
}

static int on_null(void *data) { return take_cell(data, TEXT_NULL, NULL, 0); }

static int on_boolean(void *data, int v)
{
    return take_cell(data, TEXT_BOOL, v ? "true" : "false", v ? 4 : 5);
}

static int on_number(void *data, const char *number, size_t length)
{
    return take_cell(data, TEXT_NUMBER, number, length);
}

static int on_string(void *data, const unsigned char *text, size_t length)
{
    return take_cell(data, TEXT_STRING, text, length);
}

static int on_map_open(void *data)
{
    struct json_reader *r = data;
    struct text_batch *b = &r->batch;
    if (r->in_object) return json_wrong(r, "an object as a cell; tables are flat");
    if (r->any) return json_wrong(r, "a second object in a line");
    if (b->cells.length == 0) b->line = r->line;
    struct text_cell *cells = (struct text_cell *)(void *)out_zeros(
        &b->cells, b->columns * sizeof *cells);
    if (!cells && (b->columns || b->cells.failed)) return json_memory(r);
    for (uint32_t i = 0; i < b->columns; i++) cells[i].line = (uint32_t)(r->line - b->line);
    r->in_object = r->any = true;
    r->row_begin = b->bytes.length;
    r->next = 0;
    return 1;
}

/* Another column, in the row that is under way: there is no other in the batch. */
static int add_column(struct json_reader *r, const char *name, size_t length)
{
    struct text_batch *b = &r->batch;
    struct text_cell cell = {.line = (uint32_t)(r->line - b->line)};
    if (length == 0 || length > TABLE_NAME_BYTES_MAX)
        return json_wrong(r, "a name of %zu bytes; names of columns have 1 to %d", length,
                          TABLE_NAME_BYTES_MAX);
    if (b->columns == TABLE_COLUMNS_MAX)
        return json_wrong(r, "a table has at most %d columns", TABLE_COLUMNS_MAX);
    if (infer_add(r->infer, name, length) != 0) return json_memory(r);
    out_put(&b->cells, &cell, sizeof cell);
    if (b->cells.failed) return json_memory(r);
    r->column = b->columns++;
    return 1;
}

static uint32_t find_column(const struct json_reader *r, const char *name, size_t length)
{
    if (!r->table) return infer_find(r->infer, name, length, r->next);
    if (r->next < table_column_count(r->table)) {
        const struct table_field *f = table_field(r->table, r->next);
        if (f->name_length == length && memcmp(f->name, name, length) == 0) return r->next;
    }
    return table_column_named(r->table, name, length);
}

/* A cell whose field has come has a length or a kind; a null is marked by its line. */
#define LINE_SEEN ((uint32_t)1 << 31)

static int on_key(void *data, const unsigned char *key, size_t length)
{
    struct json_reader *r = data;
    const char *name = (const char *)key;
    char quoted[TEXT_QUOTE_BYTES];
    r->column = UINT32_MAX;
    if (r->has_text) {
        name = (const char *)r->batch.bytes.data + r->text_begin;
        length = r->batch.bytes.length - r->text_begin;
        r->batch.bytes.length = r->text_begin; /* it stays there until something is added */
        key = (const unsigned char *)name;
    }
    if (has_half(key, length)) return json_wrong(r, "a surrogate without its other half");
    r->column = find_column(r, name, length);
    if (r->column == UINT32_MAX && r->table) {
        text_quote(quoted, name, length);
        return json_wrong(r, "the table has no column %.140s", quoted);
    }
    if (r->column == UINT32_MAX && !add_column(r, name, length)) return 0;
    struct text_cell *c = row_cells(r) + r->column;
    if (c->line & LINE_SEEN) return json_wrong(r, "the field comes twice");
    c->line |= LINE_SEEN;
    return 1;
}

static int infer_cells(struct json_reader *r)
{
    const struct text_cell *c = row_cells(r);
    for (uint32_t i = 0; i < r->batch.columns; i++, c++)
        if (infer_cell(r->infer, i, c->kind,
                       c->length ? (const char *)r->batch.bytes.data + c->begin : "",
                       c->length) != 0)
            return json_memory(r);
    infer_row(r->infer);
    return 1;
}

static int on_map_close(void *data)
{
    struct json_reader *r = data;
    struct text_cell *c = row_cells(r);
    for (uint32_t i = 0; i < r->batch.columns; i++) c[i].line &= ~LINE_SEEN;
    r->in_object = false;
    if (!r->table && !infer_cells(r)) return 0;
    r->batch.rows++;
    if (r->table) return 1;
    /* Columns may be added, so that batches of rows do not do. */
    batch_shift(&r->batch, r->batch.bytes.length);
    r->work += r->batch.columns;
    return 1;
}

static int on_array(void *data)
{
    struct json_reader *r = data;
    if (r->in_object) return json_wrong(r, "a list as a cell; tables are flat");
    return json_wrong(r, "a list outside of an object; JSON lines are one object a line");
}

static int on_array_close(void *data) { return on_array(data); }

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_map_open,
    .yajl_map_key = on_key,
    .yajl_end_map = on_map_close,
    .yajl_start_array = on_array,
    .yajl_end_array = on_array_close,
};

/* --- yajl --------------------------------------------------------------------------------------*/

static void yajl_end(struct json_reader *r)
{
    struct block *next;
    for (struct block *b = r->blocks.next; b; b = next) {
        next = b->next;
        free(b);
    }
    r->blocks.next = NULL;
    r->yajl = NULL;
}

static void yajl_failed(struct json_reader *r)
{
    unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
    char what[80];
    snprintf(what, sizeof what, "%s", text ? (const char *)text : "no JSON");
    what[strcspn(what, "\n")] = 0;
    if (text) yajl_free_error(r->yajl, text);
    json_wrong(r, "%s", what);
}

/* The next bytes of a line; 0 or r->failure. `end`: of the input. */
static int parse(struct json_reader *r, const char *data, size_t length, bool end)
{
    if (setjmp(r->out_of_memory)) {
        yajl_end(r);
        json_memory(r);
        return r->failure;
    }
    yajl_alloc_funcs memory = {json_malloc, json_realloc, json_free, r};
    if (!r->yajl) {
        r->yajl = yajl_alloc(&callbacks, &memory, r);
        yajl_config(r->yajl, yajl_allow_multiple_values, 1);
    }
    yajl_status status = end ? yajl_complete_parse(r->yajl)
                             : yajl_parse(r->yajl, (const unsigned char *)data, length);
    if (status == yajl_status_error && !r->failure) yajl_failed(r);
    return r->failure;
}

/* --- tokens that are cut -----------------------------------------------------------------------*/

/* Whether a token ends before it at the latest. */
static bool is_between(char c)
{
    switch (c) {
    case ',': case ':': case '{': case '}': case '[': case ']':
    case ' ': case '\t': case '\r': case '\n': return true;
    default: return false;
    }
}

/* Looks at the next bytes of a line. Returns how many are whole tokens, maybe with the end of one
 * that is held. */
static size_t scan(struct json_reader *r, const char *data, size_t length)
{
    size_t whole = 0;
    for (size_t i = 0; i < length; i++) {
        char c = data[i];
        if (r->escaped) {
            r->escaped = false;
        } else if (c == '"') {
            whole = r->in_string ? i + 1 : i;
            r->in_string = !r->in_string;
        } else if (r->in_string) {
            r->escaped = c == '\\';
        } else if (is_between(c)) {
            whole = i + 1;
        }
    }
    return whole;
}

/* 0 or r->failure. */
static int parse_held(struct json_reader *r)
{
    size_t length = r->held.length;
    r->held.length = 0;
    return length ? parse(r, (const char *)r->held.data, length, false) : r->failure;
}

static int hold(struct json_reader *r, const char *data, size_t length)
{
    if (length) out_put(&r->held, data, length);
    if (r->held.failed) json_memory(r);
    return r->failure;
}

/* More of a long string. Returns how many bytes were taken. */
static size_t feed_text(struct json_reader *r, const char *data, size_t length)
{
    size_t used;
    const char *wrong;
    enum json_text_status status =
        json_text_feed(&r->text, data, length, &used, &r->batch.bytes, r->text_begin, &wrong);
    if (r->batch.bytes.failed) json_memory(r);
    else if (status == JSON_TEXT_WRONG) json_wrong(r, "%s", wrong);
    if (status != JSON_TEXT_END || r->failure) return used;
    r->in_text = r->in_string = r->escaped = false;
    r->has_text = true;
    parse(r, "\"\"", 2, false);
    r->has_text = false;
    return used;
}

/* What is held becomes the beginning of a long string, unless it is short enough. */
static void begin_text(struct json_reader *r)
{
    if (r->held.length <= HELD_BYTES_MAX || r->failure) return;
    if (!r->in_string) {
        json_wrong(r, "a number or a word of more than %zu bytes", HELD_BYTES_MAX);
        return;
    }
    assert(r->held.data[0] == '"');
    r->in_text = true;
    r->text = (struct json_text){.escape = false};
    r->text_begin = r->batch.bytes.length;
    feed_text(r, (const char *)r->held.data + 1, r->held.length - 1);
    r->held.length = 0;
}

/* Bytes of a line that did not come whole. */
static void feed_part(struct json_reader *r, const char *data, size_t length)
{
    size_t at = r->in_text ? feed_text(r, data, length) : 0;
    if (r->failure || at == length) return;
    /* A string ends whatever is held before it, which must not be taken for its beginning. */
    if (r->held.length > 0 && !r->in_string && data[at] == '"' && parse_held(r)) return;
    size_t whole = at + scan(r, data + at, length - at);
    if (whole > at && r->held.length > 0) {
        if (hold(r, data + at, whole - at) == 0) parse_held(r);
    } else if (whole > at) {
        parse(r, data + at, whole - at, false);
    }
    if (!r->failure && hold(r, data + whole, length - whole) == 0) begin_text(r);
}

/* --- lines -------------------------------------------------------------------------------------*/

/* The rows that are whole; the cells of one that has begun stay. */
static int append_batch(struct json_reader *r)
{
    size_t end = r->in_text ? r->text_begin : r->batch.bytes.length;
    size_t from = r->in_object ? r->row_begin : end;
    r->failure = r->table ? batch_append(&r->batch, r->table, r->map, &r->error) : 0;
    if (r->failure) return r->failure;
    batch_shift(&r->batch, from);
    r->row_begin = 0;
    if (r->in_text) r->text_begin -= from;
    return 0;
}

static int line_end(struct json_reader *r)
{
    /* A string that goes on behind the line's end is for yajl to refuse. */
    if (parse_held(r) == 0 && r->in_object) json_wrong(r, "the object does not end in its line");
    r->in_string = r->escaped = false;
    r->line++;
    r->work++;
    r->line_bytes = 0;
    r->any = false;
    return r->failure;
}

/* Up to the end of the line, or of the data. Returns how many bytes were taken. */
static size_t feed_line(struct json_reader *r, const char *data, size_t length)
{
    if (length > FEED_BYTES) length = FEED_BYTES;
    const char *end = memchr(data, '\n', length);
    size_t take = end ? (size_t)(end - data) + 1 : length;
    bool whole = end && r->line_bytes == 0;
    r->line_bytes += take;
    if (r->line_bytes > TEXT_ROW_BYTES_MAX) {
        json_wrong(r, "a line of more than %zu bytes, which is the limit", TEXT_ROW_BYTES_MAX);
        return take;
    }
    if (whole) parse(r, data, take, false);
    else feed_part(r, data, take);
    if (!r->failure && end) line_end(r);
    return take;
}

static int feed_failed(const struct json_reader *r, struct table_error *error)
{
    if (r->failure && error) *error = r->error;
    return r->failure;
}

/* Or enough is done for one feed: where types are found, a batch is never full, and a row of three
 * bytes has a cell in each column. */
static bool batch_full(const struct json_reader *r)
{
    return !r->in_object && r->line_bytes == 0 &&
           (batch_cell_count(&r->batch) >= TEXT_BATCH_CELLS || r->work >= TEXT_BATCH_CELLS ||
            r->batch.bytes.length >= TEXT_BATCH_BYTES);
}

/* The byte order mark, which may come in pieces. Returns how many bytes it took. */
static size_t skip_mark(struct json_reader *r, const char *data, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t n = 0;
    while (r->mark < 3 && n < length && data[n] == mark[r->mark]) {
        n++;
        r->mark++;
    }
    if (n == length || r->mark == 3) return n;
    if (r->mark > 0) json_wrong(r, "it begins as a byte order mark does, but has none");
    r->mark = 3;
    return n;
}

int json_reader_feed(struct json_reader *r, const void *data, size_t length, size_t *used,
                     struct table_error *error)
{
    const char *bytes = data;
    *used = 0;
    r->work = 0;
    if (r->mark < 3) *used = skip_mark(r, bytes, length);
    while (!r->failure && *used < length) {
        *used += feed_line(r, bytes + *used, length - *used);
        if (r->failure) break;
        if (batch_full(r) ? append_batch(r) == 0 : *used >= FEED_BYTES) return TABLE_FEED_WORK;
    }
    return r->failure ? feed_failed(r, error) : TABLE_FEED_MORE;
}

int json_reader_flush(struct json_reader *r, struct table_error *error)
{
    if (!r->failure) append_batch(r);
    return feed_failed(r, error);
}

int json_reader_end(struct json_reader *r, struct table_error *error)
{
    if (!r->failure && r->line_bytes) {
        if (r->in_text) json_wrong(r, "parse error: premature EOF");
        else if (parse_held(r) == 0 && parse(r, NULL, 0, true) == 0) line_end(r);
    }
    if (!r->failure) append_batch(r);
    return feed_failed(r, error);
}

uint64_t json_reader_rows(const struct json_reader *r) { return r->batch.first_row; }

/* yajl copies a string that has escapes. */
size_t json_reader_bytes(const struct json_reader *r)
{
    return sizeof *r + batch_bytes(&r->batch) + 2 * r->held.capacity;
}

/* --- from beginning to end ---------------------------------------------------------------------*/

struct json_reader *json_reader_create(struct table *t, struct table_infer *infer)
{
    struct json_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->table = t;
    r->infer = infer;
    r->batch.format = "JSON";
    r->batch.columns = t ? table_column_count(t) : infer->count;
    r->line = 1;
    r->column = UINT32_MAX;
    r->map = malloc((r->batch.columns + 1) * sizeof *r->map);
    if (!r->map) {
        free(r);
        return NULL;
    }
    for (uint32_t i = 0; i < r->batch.columns; i++) r->map[i] = i;
    return r;
}

void json_reader_destroy(struct json_reader *r)
{
    if (!r) return;
    yajl_end(r);
    batch_close(&r->batch);
    out_close(&r->held);
    free(r->map);
    free(r);
}
