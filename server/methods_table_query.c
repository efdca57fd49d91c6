/* methods_table_query.c - slice, scan, next, close, agg, explain.
 *
 * The happy path: a query is compiled and pins a version of its table; steps gather its batches in
 * buffers of their own, since a pending call has written nothing; when enough rows are there or
 * the query has ended, steps put the answer together (server/reply_parts.h). A scan with more to
 * come becomes a cursor of the session.
 *
 * What is gathered, and the answer until it is the session's, is charged to the query, before it is
 * allocated: so table-query-memory bounds one answer, and max-memory those of all sessions. Of what
 * reply-bytes does not allow nothing is gathered.
 *
 * Failure: an error of the query ends it, and its cursor. A session that vanishes gives all its
 * queries up, and with them their pins. */
#include "server/method_list.h"

#include <assert.h>
#include <stdlib.h>

#include "heap/table_export.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/refs.h"
#include "server/reply.h"
#include "server/reply_parts.h"
#include "server/table_query.h"
#include "server/table_value.h"

#define BATCH_ROWS_DEFAULT 4096
#define BATCH_ROWS_MAX 1000000
#define BATCH_BYTES_DEFAULT ((size_t)1 << 20)
#define SLICE_ROWS_MAX 1000000
/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)100000)
/* So long an answer that is full looks for one more row, which says whether a cursor is left. */
#define AHEAD_NS ((uint64_t)500000)

/* A column as a bin or as the items of a list, and which rows are not null. */
struct gathered {
    struct writer data;
    unsigned char *valid;
    size_t valid_bytes;
    bool nulls;
};

/* An answer under way. */
struct reading {
    struct table_cursor *cursor; /* owned; its query may have a number already */
    enum table_read kind;
    struct writer rows;          /* format rows */
    struct gathered *columns;    /* format cols */
    uint64_t count;              /* of rows */
    size_t bytes;                /* that are gathered: in `rows`, or all columns' data */
    size_t charged;              /* to the query, for the buffers here */
    struct query_batch batch;    /* what is being written; rows 0: nothing is */
    uint32_t next;               /* the batch's next row, or (format cols) column; */
    uint32_t cell;               /* in it the next cell */
    bool ended;
    uint64_t ahead_ns;           /* that were spent looking for one more row */
    bool answering;              /* all is gathered; the answer has its head, and columns up to */
    uint32_t column;
    size_t at;                   /* in the column's bytes, or in `rows` */
    struct reply_parts answer;
};

static struct query *reading_query(const struct reading *r) { return r->cursor->query; }

/* Counts bytes that are about to be allocated. 0, or -1 after call_fail. */
static int reading_charge(struct call *call, struct reading *r, size_t bytes)
{
    if (query_charge(reading_query(r), bytes) != 0) {
        call_fail_query(call, query_error_last(reading_query(r)));
        return -1;
    }
    r->charged += bytes;
    return 0;
}

static void reading_refund(struct reading *r, size_t bytes)
{
    r->charged -= bytes;
    query_refund(reading_query(r), bytes);
}

/* Gives up what was gathered. */
static void gathered_free(struct reading *r)
{
    uint32_t columns = r->columns != NULL ? query_column_count(reading_query(r)) : 0;
    for (uint32_t i = 0; i < columns; i++) {
        writer_close(&r->columns[i].data);
        free(r->columns[i].valid);
    }
    free(r->columns);
    r->columns = NULL;
    writer_close(&r->rows);
    reply_parts_close(&r->answer);
    reading_refund(r, r->charged);
}

static void reading_free(struct call *call)
{
    struct reading *r = call->state;
    if (r->cursor != NULL) gathered_free(r);
    if (r->cursor != NULL) table_cursor_destroy(r->cursor);
    free(r);
    call->state = NULL;
}

/* --- gathering --------------------------------------------------------------------------------*/

/* Items of the answer, with those of the batch. */
static size_t item_count(const struct reading *r)
{
    return (size_t)(r->count + r->batch.rows) * (1 + (size_t)query_column_count(reading_query(r)));
}

/* One element, little-endian, of the type's own width. */
static void write_element(struct writer *w, const struct table_cell *cell)
{
    unsigned char bytes[8] = {0};
    size_t width = table_type_bytes(cell->type);
    uint64_t bits = cell->null ? 0 : cell->u;
    float narrow = cell->type == TABLE_F32 && !cell->null ? (float)cell->d : 0;
    if (cell->type == TABLE_F32) {
        uint32_t low;
        memcpy(&low, &narrow, sizeof low);
        bits = low;
    }
    for (size_t i = 0; i < width; i++) bytes[i] = (unsigned char)(bits >> 8 * i);
    writer_bytes(w, bytes, width);
}

static bool is_listed(enum table_type type)
{
    enum table_class class = table_type_class(type);
    return class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL;
}

static int grow_valid(struct call *call, struct reading *r, struct gathered *g, uint64_t rows)
{
    size_t bytes = (size_t)(rows + 7) / 8;
    if (bytes <= g->valid_bytes) return 0;
    bytes *= 2;
    if (reading_charge(call, r, bytes - g->valid_bytes) < 0) return -1;
    unsigned char *valid = realloc(g->valid, bytes);
    if (valid == NULL) {
        reading_refund(r, bytes - g->valid_bytes);
        fail_no_memory(call);
        return -1;
    }
    memset(valid + g->valid_bytes, 0, bytes - g->valid_bytes);
    g->valid = valid;
    g->valid_bytes = bytes;
    return 0;
}

/* Makes room in a buffer, so that its writer never has to. */
static int grow_buffer(struct call *call, struct reading *r, struct writer *w, size_t bytes)
{
    if (bytes <= w->capacity - w->length) return 0;
    size_t wanted = w->capacity + w->capacity / 2 + 256;
    if (wanted < w->length + bytes) wanted = w->length + bytes;
    size_t more = wanted - w->capacity;
    if (reading_charge(call, r, more) < 0) return -1;
    char *data = realloc(w->data, wanted);
    if (data == NULL) {
        reading_refund(r, more);
        fail_no_memory(call);
        return -1;
    }
    w->data = data;
    w->capacity = wanted;
    return 0;
}

/* Whether an answer with `more` bytes is still one that may be. */
static int gather_room(struct call *call, const struct reading *r, size_t more)
{
    size_t max = call->host->reply_bytes_max;
    if (r->bytes <= max && more <= max - r->bytes) return 0;
    call_fail(call, ERROR_LIMIT,
              "%s: the result would be longer than reply-bytes (%zu) allows; ask for less of it, "
              "or in smaller batches",
              call->method->name, max);
    return -1;
}

/* A cell and the header of a row before it, besides a text. */
#define CELL_BYTES 16
/* What is written between two looks at the clock, each cell counting as so many bytes besides its
 * text: some tens of microseconds. */
#define GATHER_BYTES ((size_t)64 << 10)
#define GATHER_CELL_BYTES 32

/* Writes one cell of the batch. Returns what it counts, or 0 after call_fail. */
static size_t gather_cell(struct reply *reply, struct reading *r, uint32_t row, uint32_t column)
{
    struct call *call = reply->call;
    struct gathered *g = r->columns != NULL ? &r->columns[column] : NULL;
    struct writer *w = g != NULL ? &g->data : &r->rows;
    struct table_cell cell;
    query_batch_cell(reading_query(r), &r->batch, row, column, &cell);
    bool listed = is_listed(cell.type);
    size_t text = listed && !cell.null ? cell.text.length : 0, before = w->length;
    if (gather_room(call, r, text) < 0 || grow_buffer(call, r, w, CELL_BYTES + text) < 0) return 0;
    reply->w = w;
    if (g == NULL && column == 0) writer_array(w, query_column_count(reading_query(r)));
    if (g != NULL) {
        uint64_t at = r->count + row;
        if (cell.null) g->nulls = true;
        else g->valid[at / 8] |= (unsigned char)(1u << at % 8);
    }
    if (g != NULL && !listed) write_element(w, &cell);
    else if (reply_cell(reply, &cell) < 0) return 0;
    assert(w->error == WRITER_OK);
    r->bytes += w->length - before;
    return gather_room(call, r, 0) < 0 ? 0 : GATHER_CELL_BYTES + text;
}

/* Writes a part of the batch: rows one after the other, or columns. 0, or -1 after call_fail. */
static int gather(struct call *call, struct reading *r)
{
    struct reply reply;
    bool rows = r->columns == NULL;
    uint32_t columns = query_column_count(reading_query(r)), batch_rows = r->batch.rows;
    uint32_t count = rows ? batch_rows : columns, cells = rows ? columns : batch_rows;
    size_t work = 0;
    reply_open(&reply, call);
    if (r->next == 0 && r->cell == 0 && reply_room(&reply, item_count(r)) < 0) return -1;
    for (; r->next < count; r->next++, r->cell = 0) {
        if (!rows && r->cell == 0 &&
            grow_valid(call, r, &r->columns[r->next], r->count + batch_rows) < 0)
            return -1;
        for (; r->cell < cells; r->cell++) {
            if (work >= GATHER_BYTES) return 0;
            size_t counts = rows ? gather_cell(&reply, r, r->next, r->cell)
                                 : gather_cell(&reply, r, r->cell, r->next);
            if (counts == 0) return -1;
            work += counts;
        }
    }
    r->count += batch_rows;
    r->batch.rows = 0;
    r->next = 0;
    return 0;
}

/* --- the answer -------------------------------------------------------------------------------*/

static void write_name(struct writer *w, const struct query_column *column)
{
    reply_text(w, column->name, column->name_length);
}

void table_write_cols(struct writer *w, const struct query *q)
{
    uint32_t columns = query_column_count(q);
    writer_cstr(w, "cols");
    writer_array(w, columns);
    for (uint32_t i = 0; i < columns; i++) {
        writer_array(w, 2);
        write_name(w, query_column(q, i));
        writer_cstr(w, table_type_name(query_column(q, i)->type));
    }
}

static void write_count(struct writer *w, const struct reading *r)
{
    reply_figure(w, "rows", r->count);
    writer_cstr(w, "data");
    if (r->cursor->format == TABLE_FORMAT_ROWS) writer_array(w, (size_t)r->count);
    else writer_map(w, query_column_count(reading_query(r)));
}

/* What is before the bytes of a column. */
static void write_column_head(struct writer *w, const struct reading *r, uint32_t i)
{
    const struct query_column *column = query_column(reading_query(r), i);
    write_name(w, column);
    if (is_listed(column->type)) writer_array(w, (size_t)r->count);
    else writer_bin_header(w, r->columns[i].data.length);
}

static bool has_nulls(const struct reading *r, uint32_t i)
{
    return r->columns[i].nulls && !is_listed(query_column(reading_query(r), i)->type);
}

static void write_valid(struct writer *w, const struct reading *r)
{
    uint32_t columns = query_column_count(reading_query(r)), nulls = 0;
    for (uint32_t i = 0; i < columns; i++) nulls += has_nulls(r, i);
    writer_cstr(w, "valid");
    writer_map(w, nulls);
    for (uint32_t i = 0; i < columns; i++) {
        if (!has_nulls(r, i)) continue;
        write_name(w, query_column(reading_query(r), i));
        writer_bin(w, r->columns[i].valid, (size_t)(r->count + 7) / 8);
    }
}

void table_write_stats(struct writer *w, const struct query *q)
{
    struct query_stats s;
    query_stats(q, &s);
    writer_cstr(w, "stats");
    writer_map(w, 11);
    reply_figure(w, "rows_total", s.rows_total);
    reply_figure(w, "rows_matched", s.rows_matched);
    reply_figure(w, "groups", s.groups);
    reply_figure(w, "chunks", s.chunks);
    reply_figure(w, "chunks_skipped", s.chunks_skipped);
    reply_figure(w, "vectors", s.vectors);
    reply_figure(w, "vectors_skipped", s.vectors_skipped);
    reply_figure(w, "index_chunks", s.index_chunks);
    reply_figure(w, "index_skipped", s.index_skipped);
    reply_figure(w, "index_rows", s.index_rows);
    reply_figure(w, "memory_peak", s.memory_peak);
}

int64_t table_cursor_number(const struct call *call, const struct table_cursor *cursor,
                            bool goes_on)
{
    return !goes_on ? 0 : cursor->id != 0 ? cursor->id : call->refs->cursors.last + 1;
}

static bool goes_on(const struct reading *r) { return !r->ended && r->kind != READ_ALL; }

/* About how long the answer will be, a little more rather than less. */
static size_t answer_bytes(const struct reading *r)
{
    const struct query *q = reading_query(r);
    size_t bytes = r->bytes + 1024;
    for (uint32_t i = 0; i < query_column_count(q); i++) {
        bytes += 3 * (query_column(q, i)->name_length + 16);
        if (r->columns != NULL) bytes += r->columns[i].valid_bytes;
    }
    return bytes;
}

static int answer_begin(struct call *call, struct reading *r)
{
    struct writer *w = &r->answer.w;
    bool cols = r->cursor->format == TABLE_FORMAT_COLS;
    size_t bytes = answer_bytes(r);
    if (reading_charge(call, r, bytes) < 0) return -1;
    reply_parts_open(&r->answer, call, bytes);
    writer_map(w, (size_t)2 + cols + (r->kind != READ_NEXT) * (size_t)2 + (r->kind != READ_ALL));
    if (r->kind != READ_NEXT) table_write_cols(w, reading_query(r));
    write_count(w, r);
    r->answering = true;
    return 0;
}

/* Whether all that was gathered is in the answer. */
static bool answer_copy(struct reading *r, uint64_t end_ns)
{
    uint32_t columns = r->columns != NULL ? query_column_count(reading_query(r)) : 0;
    if (columns == 0)
        return reply_parts_copy(&r->answer, r->rows.data, r->rows.length, &r->at, end_ns);
    for (; r->column < columns; r->column++, r->at = 0) {
        struct writer *data = &r->columns[r->column].data;
        if (r->at == 0) write_column_head(&r->answer.w, r, r->column);
        if (!reply_parts_copy(&r->answer, data->data, data->length, &r->at, end_ns)) return false;
        reading_refund(r, data->capacity);
        writer_close(data);
    }
    return true;
}

/* The cursor goes to the session, and what was gathered is given up. */
static void cursor_return(struct call *call, struct reading *r)
{
    struct table_cursor *cursor = r->cursor;
    gathered_free(r);
    r->cursor = NULL;
    cursor->used_ns = clock_ns();
    table_cursors_add(&call->refs->cursors, cursor);
}

/* Puts more of the answer together; a cursor that is to be read on goes to the session. */
static enum call_outcome reading_finish(struct call *call, uint64_t end_ns)
{
    struct reading *r = call->state;
    struct writer *w = &r->answer.w;
    if (!r->answering && answer_begin(call, r) < 0) {
        reading_free(call);
        return CALL_FAILED;
    }
    if (!answer_copy(r, end_ns)) return CALL_PENDING;
    if (r->cursor->format == TABLE_FORMAT_COLS) write_valid(w, r);
    if (r->kind != READ_ALL) {
        writer_cstr(w, "cursor");
        if (goes_on(r)) writer_int(w, table_cursor_number(call, r->cursor, true));
        else writer_nil(w);
    }
    if (r->kind != READ_NEXT) table_write_stats(w, reading_query(r));
    reply_parts_end(&r->answer, call);
    int status = reply_check(call);
    if (status == 0 && goes_on(r)) cursor_return(call, r);
    reading_free(call);
    return status < 0 ? CALL_FAILED : CALL_DONE;
}

/* --- steps ------------------------------------------------------------------------------------*/

/* Whether the query is at its end, once the answer is full. QUERY_END, or QUERY_BUSY: not yet
 * known. A scan with a limit that is reached is known at once to be over. */
static int reading_look_ahead(struct reading *r, uint64_t budget_ns)
{
    uint64_t begin = clock_ns(), left = AHEAD_NS - r->ahead_ns;
    int outcome = query_look_ahead(reading_query(r), budget_ns < left ? budget_ns : left);
    r->ahead_ns += clock_ns() - begin;
    r->ended = outcome == QUERY_END;
    return outcome == QUERY_BUSY && r->ahead_ns < AHEAD_NS ? QUERY_BUSY : QUERY_END;
}

/* The next batch, for about `budget_ns`. An outcome of query_next; an error after call_fail. */
static int reading_next(struct call *call, struct reading *r, uint64_t budget_ns)
{
    const struct table_cursor *cursor = r->cursor;
    struct query_error error;
    uint64_t rows = cursor->rows_max - r->count;
    size_t bytes = r->bytes;
    if (rows == 0 || (bytes >= cursor->bytes_max && r->count > 0))
        return reading_look_ahead(r, budget_ns);
    int outcome = query_next(cursor->query, budget_ns,
                             rows < TABLE_VECTOR_ROWS ? (uint32_t)rows : TABLE_VECTOR_ROWS,
                             cursor->bytes_max - bytes, &r->batch, &error);
    if (outcome < 0) call_fail_query(call, &error);
    if (outcome != QUERY_ROWS) r->batch.rows = 0;
    r->ended = outcome == QUERY_END;
    return outcome;
}

static enum call_outcome reading_step(struct call *call, uint64_t budget_ns)
{
    struct reading *r = call->state;
    uint64_t now = clock_ns(), end = now + budget_ns;
    if (r->answering) return reading_finish(call, end);
    do {
        int outcome = r->batch.rows ? QUERY_ROWS : reading_next(call, r, end - now);
        int status = outcome == QUERY_ROWS ? gather(call, r) : 0;
        if (outcome < 0 || status < 0) {
            reading_free(call);
            return CALL_FAILED;
        }
        if (outcome == QUERY_END) return reading_finish(call, end);
        if (outcome == QUERY_BUSY) break;
        now = clock_ns();
    } while (now < end);
    return CALL_PENDING;
}

/* Takes the cursor over. */
static enum call_outcome reading_start(struct call *call, struct table_cursor *cursor,
                                       enum table_read kind)
{
    if (cursor->format == TABLE_FORMAT_ARROW || cursor->format == TABLE_FORMAT_BYTES)
        return table_send(call, cursor, kind);
    struct reading *r = calloc(1, sizeof *r);
    uint32_t columns = query_column_count(cursor->query);
    struct gathered *gathered = NULL;
    if (r != NULL && cursor->format == TABLE_FORMAT_COLS)
        gathered = calloc(columns, sizeof *gathered);
    if (r == NULL || (cursor->format == TABLE_FORMAT_COLS && gathered == NULL)) {
        free(r);
        table_cursor_destroy(cursor);
        return fail_no_memory(call);
    }
    r->cursor = cursor;
    r->kind = kind;
    r->columns = gathered;
    writer_init(&r->rows, 0); /* bounded by gather_cell */
    for (uint32_t i = 0; i < columns && gathered != NULL; i++)
        writer_init(&gathered[i].data, 0);
    call->state = r;
    call->abort = reading_free;
    call->step = reading_step;
    return reading_step(call, FIRST_STEP_NS);
}

/* --- methods ----------------------------------------------------------------------------------*/

static int read_format(struct call *call, value v, enum table_format *format)
{
    int word = TABLE_FORMAT_ROWS;
    if (v == VALUE_NIL) v = VALUE_ABSENT;
    if (option_word(call, "format", v, "rows cols arrow", &word) < 0) return -1;
    *format = (enum table_format)word;
    return 0;
}

value table_option(struct call *call, value options, const char *name)
{
    struct map_key key;
    if (!value_is_kind(options, KIND_MAP)) return VALUE_ABSENT;
    map_key_text(call->heap, &key, name, strlen(name));
    return map_get(call->heap, options, &key);
}

/* Names in {rows, bytes} that are others. */
static int check_batch_names(struct call *call, value batch)
{
    struct map_iterator it = {0};
    value name, v;
    while (map_next(call->heap, batch, &it, &name, &v)) {
        if (value_is_text(name) && (text_equals(call->heap, name, "rows", 4) ||
                                    text_equals(call->heap, name, "bytes", 5)))
            continue;
        call_fail(call, ERROR_BAD_PARAMS, "%s: batch has no option %s; it can be rows, bytes",
                  call->method->name, call_quote_value(call, name));
        return -1;
    }
    return 0;
}

int table_batch_read(struct call *call, value batch, struct table_cursor *cursor)
{
    int64_t rows = cursor->rows_max, bytes = (int64_t)cursor->bytes_max;
    if (batch == VALUE_ABSENT || batch == VALUE_NIL) return 0;
    if (!value_is_kind(batch, KIND_MAP)) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: batch must be a map {rows, bytes}, not %s",
                  call->method->name, value_describe(batch));
        return -1;
    }
    if (check_batch_names(call, batch) < 0 ||
        option_int(call, "rows", table_option(call, batch, "rows"), 1, BATCH_ROWS_MAX, &rows) < 0 ||
        option_int(call, "bytes", table_option(call, batch, "bytes"), 1,
                   (int64_t)call->host->reply_bytes_max, &bytes) < 0)
        return -1;
    cursor->rows_max = (uint32_t)rows;
    cursor->bytes_max = (size_t)bytes;
    return 0;
}

struct table_cursor *table_cursor_open(struct call *call, enum table_format format, value options)
{
    struct table_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        fail_no_memory(call);
        return NULL;
    }
    cursor->format = format;
    if (format == TABLE_FORMAT_ROWS || format == TABLE_FORMAT_COLS)
        cursor->rows_max = BATCH_ROWS_DEFAULT;
    cursor->bytes_max = BATCH_BYTES_DEFAULT;
    if (cursor->bytes_max > call->host->reply_bytes_max / 2)
        cursor->bytes_max = call->host->reply_bytes_max / 2;
    if (table_batch_read(call, table_option(call, options, "batch"), cursor) == 0) return cursor;
    table_cursor_destroy(cursor);
    return NULL;
}

/* The same, in the format that the options wish. */
static struct table_cursor *cursor_create(struct call *call, value options)
{
    enum table_format format;
    int dictionary = EXPORT_DICTIONARY_AUTO;
    if (read_format(call, table_option(call, options, "format"), &format) < 0 ||
        table_dictionary_read(call, options, format == TABLE_FORMAT_ARROW, &dictionary) < 0)
        return NULL;
    struct table_cursor *cursor = table_cursor_open(call, format, options);
    if (cursor != NULL) cursor->dictionary = dictionary;
    return cursor;
}

int table_compile(struct call *call, struct table *t, const struct query_spec *spec, bool agg,
                  struct query **query)
{
    struct query_error error;
    struct table_version *v = table_pin(t);
    size_t memory = call->host->query_bytes_max;
    int status = agg ? query_agg_create(call->heap, v, spec, memory, query, &error)
                     : query_scan_create(call->heap, v, spec, memory, query, &error);
    if (status == 0) return 0;
    *query = NULL;
    table_unpin(v);
    call_fail_query(call, &error);
    return -1;
}

/* Into the cursor, which is destroyed on failure. */
static int compile(struct call *call, struct table *t, const struct query_spec *spec, bool agg,
                   struct table_cursor *cursor)
{
    int status = table_compile(call, t, spec, agg, &cursor->query);
    if (status < 0) table_cursor_destroy(cursor);
    return status;
}

/* Beside those of queries. */
static const char *const formats_options[] = {"dictionary", NULL};

/* Everything up to the first step of table.scan and table.agg. */
static enum call_outcome query_start(struct call *call, bool agg)
{
    struct query_error error;
    struct query_spec spec;
    struct table *t;
    if (table_find(call, call->args[0], &t) < 0) return CALL_FAILED;
    if (query_spec_read_also(call->heap, param(call, 1), agg, formats_options, &spec, &error) < 0)
        return call_fail_query(call, &error);
    struct table_cursor *cursor = cursor_create(call, param(call, 1));
    if (cursor == NULL || compile(call, t, &spec, agg, cursor) < 0) return CALL_FAILED;
    if (agg) {
        cursor->rows_max = UINT32_MAX;
        cursor->bytes_max = SIZE_MAX;
    }
    return reading_start(call, cursor, agg ? READ_ALL : READ_FIRST);
}

int table_cursors_check(struct call *call)
{
    struct table_cursors *cursors = &call->refs->cursors;
    table_cursors_expire(cursors, clock_ns(), call->host->cursor_idle_ns);
    if (cursors->count < call->host->cursors_max) return 0;
    call_fail(call, ERROR_LIMIT,
              "%s: this session has %zu scans, exports and imports open, the limit "
              "(table-cursors); read them to the end, or table.close them",
              call->method->name, cursors->count);
    return -1;
}

enum call_outcome method_table_scan(struct call *call)
{
    return table_cursors_check(call) < 0 ? CALL_FAILED : query_start(call, false);
}

enum call_outcome method_table_agg(struct call *call) { return query_start(call, true); }

enum call_outcome method_table_slice(struct call *call)
{
    struct table *t;
    value select, format, dictionary;
    const struct option known[] = {
        {"select", &select}, {"format", &format}, {"dictionary", &dictionary}};
    int64_t start = 0, count = 0;
    if (options_read(call, 3, known, 3) < 0 ||
        param_int(call, 1, "start", INT64_MIN, INT64_MAX, &start) < 0 ||
        param_int(call, 2, "n", 0, SLICE_ROWS_MAX, &count) < 0 ||
        table_find(call, call->args[0], &t) < 0)
        return CALL_FAILED;
    int64_t rows = (int64_t)table_row_count(t);
    if (start < 0) start = start < -rows ? 0 : start + rows;
    if (start > rows) start = rows;
    struct query_spec spec = {.where = VALUE_ABSENT, .let = VALUE_ABSENT, .order = VALUE_ABSENT,
                              .limit = value_int(count), .offset = value_int(start),
                              .select = select, .group = VALUE_ABSENT, .agg = VALUE_ABSENT,
                              .having = VALUE_ABSENT};
    struct table_cursor *cursor = cursor_create(call, param(call, 3));
    if (cursor == NULL || compile(call, t, &spec, false, cursor) < 0) return CALL_FAILED;
    cursor->rows_max = UINT32_MAX;
    cursor->bytes_max = SIZE_MAX;
    return reading_start(call, cursor, READ_ALL);
}

/* The number of a cursor. 0, or -1. */
static int read_cursor(struct call *call, int64_t *id)
{
    *id = 0;
    if (param(call, 0) == VALUE_NIL) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: cursor must be an integer, not nil",
                  call->method->name);
        return -1;
    }
    return param_int(call, 0, "cursor", INT64_MIN, INT64_MAX, id);
}

enum call_outcome method_table_next(struct call *call)
{
    int64_t id;
    value rows, bytes;
    const struct option known[] = {{"rows", &rows}, {"bytes", &bytes}};
    if (read_cursor(call, &id) < 0 || options_read(call, 1, known, 2) < 0) return CALL_FAILED;
    table_cursors_expire(&call->refs->cursors, clock_ns(), call->host->cursor_idle_ns);
    struct table_cursor *cursor = table_cursors_take(&call->refs->cursors, id);
    if (cursor == NULL)
        return call_fail(call, ERROR_NOT_FOUND,
                         "%s: this session has no cursor %lld; it was read to the end, closed, or "
                         "not used for too long (table-cursor-time)",
                         call->method->name, (long long)id);
    if (cursor->import != NULL)
        call_fail(call, ERROR_BAD_PARAMS, "%s: cursor %lld is an import; table.import goes on with "
                  "it", call->method->name, (long long)id);
    if (cursor->import != NULL || table_batch_read(call, param(call, 1), cursor) < 0) {
        table_cursors_add(&call->refs->cursors, cursor);
        return CALL_FAILED;
    }
    return reading_start(call, cursor, READ_NEXT);
}

enum call_outcome method_table_close(struct call *call)
{
    int64_t id;
    if (read_cursor(call, &id) < 0) return CALL_FAILED;
    struct table_cursor *cursor = table_cursors_take(&call->refs->cursors, id);
    if (cursor != NULL) table_cursor_destroy(cursor);
    return reply_bool(call, cursor != NULL);
}

static void explain_free(struct call *call)
{
    table_cursor_destroy(call->state);
    call->state = NULL;
}

static enum call_outcome explain_step(struct call *call, uint64_t budget_ns)
{
    struct query_error error;
    struct query *q = ((struct table_cursor *)call->state)->query;
    int status = query_prepare(q, budget_ns, &error);
    if (status == QUERY_END) {
        status = query_explain_work(q, budget_ns);
        error = *query_error_last(q);
    }
    if (status == QUERY_BUSY) return CALL_PENDING;
    if (status < 0) {
        explain_free(call);
        return call_fail_query(call, &error);
    }
    value map = query_explain(q);
    explain_free(call);
    map = call_keep_take(call, map);
    if (map == VALUE_ABSENT) return fail_no_memory(call);
    struct reply r;
    reply_open(&r, call);
    return reply_finish(&r, reply_value(&r, map));
}

enum call_outcome method_table_explain(struct call *call)
{
    struct table *t;
    struct query_error error;
    struct query_spec spec;
    if (table_find(call, call->args[0], &t) < 0) return CALL_FAILED;
    bool agg = table_option(call, param(call, 1), "agg") != VALUE_ABSENT ||
               table_option(call, param(call, 1), "group") != VALUE_ABSENT;
    if (query_spec_read_also(call->heap, param(call, 1), agg, formats_options, &spec, &error) < 0)
        return call_fail_query(call, &error);
    struct table_cursor *cursor = cursor_create(call, param(call, 1));
    if (cursor == NULL || compile(call, t, &spec, agg, cursor) < 0) return CALL_FAILED;
    call->state = cursor;
    call->abort = explain_free;
    call->step = explain_step;
    return explain_step(call, FIRST_STEP_NS);
}
