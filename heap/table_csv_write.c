/* table_csv_write.c - what a query finds as CSV or as JSON lines, row by row.
 *
 * A batch of the query is formatted cell by cell into the piece. A piece may end within a row,
 * so that it is never longer than it should be by more than one cell, which has up to a mebibyte of
 * text. Most cells are numbers: they are formatted without printf (table_digits.h), into room that
 * was asked for once a cell. */
#include <math.h>

#include "heap/table_csv.h"
#include "heap/table_digits.h"
#include "heap/table_export_int.h"

/* Work between two looks at the clock. */
#define WORK_ROWS 16
#define WORK_BYTES ((size_t)16 << 10)

struct text_column {
    enum table_type type;
    uint32_t symbols;       /* sym: the column whose dictionary it is */
    size_t before, length;  /* what stands before the cell, in `texts` */
    unsigned places;        /* digits_double */
    const struct query_batch_column *cells; /* of the batch */
};

struct text_export {
    struct export e; /* first */
    bool json, header;
    char delimiter;
    char null_text[EXPORT_NULL_BYTES_MAX];
    size_t null_length;
    unsigned char special[256]; /* bytes that a text without quotes, or escapes, cannot have */
    uint32_t column_count;
    struct text_column *columns;
    struct table_out texts;
    struct query_batch batch;
    uint32_t row, column; /* the next cell; row == batch.rows: a new batch is needed */
    bool over;
};

/* --- texts -------------------------------------------------------------------------------------*/

static bool csv_is_plain(const struct text_export *x, const char *data, size_t length)
{
    unsigned char special = 0;
    for (size_t i = 0; i < length; i++) special |= x->special[(unsigned char)data[i]];
    /* A text that begins or ends with a blank survives readers that trim. */
    return !special && length > 0 && data[0] != ' ' && data[length - 1] != ' ' &&
           (length != x->null_length || memcmp(data, x->null_text, length) != 0);
}

static void csv_text(const struct text_export *x, struct table_out *o, const char *data,
                     size_t length)
{
    if (csv_is_plain(x, data, length)) {
        out_put(o, data, length);
        return;
    }
    unsigned char *p = out_room(o, 2 * length + 2), *to = p;
    if (!p) return;
    *to++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '"') *to++ = '"';
        *to++ = (unsigned char)data[i];
    }
    *to++ = '"';
    out_add(o, (size_t)(to - p));
}

static void json_escape(struct table_out *o, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char escape[] = {'\\', 'u', '0', '0', (unsigned char)digits[c >> 4],
                              (unsigned char)digits[c & 15]};
    if (c >= 0x20) {
        out_byte(o, '\\');
        out_byte(o, c);
    } else {
        out_put(o, escape, sizeof escape);
    }
}

static void json_text(const struct text_export *x, struct table_out *o, const char *data,
                      size_t length)
{
    size_t from = 0;
    out_byte(o, '"');
    for (size_t i = 0; i < length; i++) {
        if (!x->special[(unsigned char)data[i]]) continue;
        out_put(o, data + from, i - from);
        from = i + 1;
        json_escape(o, (unsigned char)data[i]);
    }
    out_put(o, data + from, length - from);
    out_byte(o, '"');
}

static void put_text(const struct text_export *x, struct table_out *o, struct table_text text)
{
    (x->json ? json_text : csv_text)(x, o, text.data, text.length);
}

/* Bytes, in base64. */
static void put_bytes(struct text_export *x, struct table_text text)
{
    bool quotes = x->json || text.length == 0;
    if (quotes) out_byte(&x->e.out, '"');
    out_base64(&x->e.out, text.data, text.length);
    if (quotes) out_byte(&x->e.out, '"');
}

/* --- cells -------------------------------------------------------------------------------------*/

static void put_null(struct text_export *x)
{
    if (x->json) out_put(&x->e.out, "null", 4);
    else out_put(&x->e.out, x->null_text, x->null_length);
}

static size_t put_date(const struct text_export *x, unsigned char *p, enum table_type type,
                       int64_t i)
{
    unsigned char *to = p;
    if (x->json) *to++ = '"';
    to += (type == TABLE_DATE ? digits_date : digits_time)(to, i);
    if (x->json) *to++ = '"';
    return (size_t)(to - p);
}

/* Numbers, booleans, dates: where there is room for DIGITS_ROOM bytes and two quotes. */
static size_t put_number(const struct text_export *x, struct text_column *c, unsigned char *p,
                         uint64_t lane)
{
    double d;
    switch (c->type) {
    case TABLE_F32: case TABLE_F64:
        memcpy(&d, &lane, sizeof d);
        if (x->json && !isfinite(d)) {
            memcpy(p, "null", 4);
            return 4;
        }
        return c->type == TABLE_F64 ? digits_double(p, d, &c->places) : digits_float(p, (float)d);
    case TABLE_BOOL:
        memcpy(p, lane ? "true" : "false", lane ? 4 : 5);
        return lane ? 4 : 5;
    case TABLE_DATE: case TABLE_TS: return put_date(x, p, c->type, (int64_t)lane);
    case TABLE_U8: case TABLE_U16: case TABLE_U32: case TABLE_U64: return digits_uint(p, lane);
    default: return digits_int(p, (int64_t)lane);
    }
}

static void put_cell(struct text_export *x, struct text_column *c, uint32_t row)
{
    struct table_out *o = &x->e.out;
    unsigned char *p = out_room(o, c->length + DIGITS_ROOM + 2);
    if (!p) return;
    if (c->length) memcpy(p, x->texts.data + c->before, c->length);
    o->length += c->length;
    if (!(c->cells->valid[row / 64] >> row % 64 & 1)) {
        put_null(x);
        return;
    }
    uint64_t lane;
    switch (c->type) {
    case TABLE_STR: put_text(x, o, ((const struct table_text *)c->cells->data)[row]); break;
    case TABLE_BIN: put_bytes(x, ((const struct table_text *)c->cells->data)[row]); break;
    case TABLE_SYM:
        lane = ((const uint64_t *)c->cells->data)[row];
        put_text(x, o, table_symbol(table_version_table(query_version(x->e.query)), c->symbols,
                                    (uint32_t)lane));
        break;
    default:
        lane = ((const uint64_t *)c->cells->data)[row];
        o->length += put_number(x, c, p + c->length, lane);
    }
}

/* --- rows --------------------------------------------------------------------------------------*/

/* What is left of a row, until the piece has so many bytes. */
static void put_row(struct text_export *x, size_t length_max)
{
    for (; x->column < x->column_count && x->e.out.length < length_max; x->column++)
        put_cell(x, &x->columns[x->column], x->row);
    if (x->column < x->column_count) return;
    out_put(&x->e.out, x->json ? "}\n" : "\r\n", 2);
    x->column = 0;
    x->row++;
    x->e.rows++;
}

static void put_header(struct text_export *x)
{
    for (uint32_t i = 0; i < x->column_count; i++) {
        const struct query_column *c = query_column(x->e.query, i);
        if (i) out_byte(&x->e.out, (unsigned char)x->delimiter);
        csv_text(x, &x->e.out, c->name, c->name_length);
    }
    out_put(&x->e.out, "\r\n", 2);
}

/* 0, or an error. */
static int next_batch(struct text_export *x, uint64_t budget_ns)
{
    int found = query_next(x->e.query, budget_ns, 0, x->e.piece_bytes, &x->batch, &x->e.error);
    if (found < 0) return found;
    x->row = 0;
    if (found != QUERY_ROWS) x->batch.rows = 0;
    x->over = found == QUERY_END;
    for (uint32_t i = 0; i < x->column_count && found == QUERY_ROWS; i++)
        x->columns[i].cells = &x->batch.columns[i];
    return 0;
}

static int text_work(struct export *e, uint64_t budget_ns)
{
    struct text_export *x = (struct text_export *)e;
    size_t limit = e->out.length + WORK_BYTES;
    if (limit > e->piece_bytes) limit = e->piece_bytes;
    if (x->header) put_header(x);
    x->header = false;
    if (x->row == x->batch.rows) {
        int failed = next_batch(x, budget_ns);
        if (failed) return failed;
        if (x->over) return EXPORT_END;
    }
    for (unsigned i = 0; i < WORK_ROWS && x->row < x->batch.rows && !e->out.failed; i++) {
        put_row(x, limit);
        if (e->out.length >= e->piece_bytes) return EXPORT_PIECE;
        if (e->out.length >= limit) break;
    }
    return EXPORT_BUSY;
}

/* --- from beginning to end ---------------------------------------------------------------------*/

/* JSON: {"name": or ,"name": CSV: a delimiter. */
static void column_open(struct text_export *x, uint32_t i)
{
    struct text_column *c = &x->columns[i];
    const struct query_column *info = query_column(x->e.query, i);
    struct table_out *o = &x->texts;
    *c = (struct text_column){.type = info->type, .symbols = info->column, .before = o->length};
    if (x->json) {
        out_byte(o, i ? ',' : '{');
        json_text(x, o, info->name, info->name_length);
        out_byte(o, ':');
    } else if (i) {
        out_byte(o, (unsigned char)x->delimiter);
    }
    c->length = o->length - c->before;
}

static bool text_settled(const struct export *e)
{
    const struct text_export *x = (const struct text_export *)e;
    return x->row == x->batch.rows;
}

static void text_close(struct export *e) { out_close(&((struct text_export *)e)->texts); }

static void mark_special(struct text_export *x)
{
    if (x->json) {
        memset(x->special, 1, 0x20);
        x->special['\\'] = 1;
    } else {
        x->special[0] = x->special['\r'] = x->special['\n'] = 1;
        x->special[(unsigned char)x->delimiter] = 1;
    }
    x->special['"'] = 1;
}

static int text_create(struct query *q, const struct export_options *o, bool json,
                       struct export **e, struct query_error *error)
{
    struct text_export *x = query_keep(q, sizeof *x);
    if (!x) return export_fail_memory(q, error);
    x->e.query = x->e.out.query = x->texts.query = q;
    x->json = json;
    x->header = !json && !o->no_header;
    x->delimiter = o->delimiter ? o->delimiter : ',';
    if (o->null_length) memcpy(x->null_text, o->null_text, o->null_length);
    x->null_length = o->null_length;
    mark_special(x);
    x->column_count = query_column_count(q);
    x->columns = query_keep(q, x->column_count * sizeof *x->columns);
    if (!x->columns) return export_fail_memory(q, error);
    for (uint32_t i = 0; i < x->column_count; i++) column_open(x, i);
    *e = &x->e;
    if (!x->texts.failed) return 0;
    text_close(&x->e);
    return export_fail_memory(q, error);
}

static int csv_create(struct query *q, struct query *counter, const struct export_options *o,
                      struct export **e, struct query_error *error)
{
    (void)counter;
    return text_create(q, o, false, e, error);
}

static int jsonl_create(struct query *q, struct query *counter, const struct export_options *o,
                        struct export **e, struct query_error *error)
{
    (void)counter;
    int failed = export_check_names(q, "JSON", error);
    return failed ? failed : text_create(q, o, true, e, error);
}

const struct export_class csv_export = {csv_create, text_work, text_close, text_settled, NULL};
const struct export_class jsonl_export = {jsonl_create, text_work, text_close, text_settled, NULL};
