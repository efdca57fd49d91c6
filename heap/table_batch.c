/* table_batch.c - see table_batch.h. */
#include "heap/table_batch.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "heap/table_csv.h"
#include "heap/text.h"

/* --- messages ----------------------------------------------------------------------------------*/

const char *text_quote(char room[TEXT_QUOTE_BYTES], const char *data, size_t length)
{
    size_t shown = length > 60 ? 60 : length, at = 0;
    while (shown < length && shown > 56 && ((unsigned char)data[shown] & 0xc0) == 0x80) shown--;
    bool text = utf8_valid(data, shown);
    room[at++] = '"';
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '"' || c == '\\' || c < 32 || c == 127 || (c >= 128 && !text))
            at += (size_t)snprintf(room + at, 5, c == '"' || c == '\\' ? "\\%c" : "\\x%02x", c);
        else
            room[at++] = (char)c;
    }
    snprintf(room + at, TEXT_QUOTE_BYTES - at, "\"%s", shown < length ? "..." : "");
    return room;
}

int text_wrong(struct table_error *error, const char *format, uint64_t line, uint64_t row,
               const char *name, size_t name_length, const char *what, ...)
{
    char quoted[TEXT_QUOTE_BYTES];
    size_t at, size = sizeof error->text;
    va_list arguments;
    *error = (struct table_error){.fault = TABLE_FAULT_TYPE, .row = row, .column = UINT32_MAX};
    at = (size_t)snprintf(error->text, size, "%s line %" PRIu64, format, line);
    if (name)
        at += (size_t)snprintf(error->text + at, size - at, ", column %.140s",
                               text_quote(quoted, name, name_length));
    if (row != UINT64_MAX)
        at += (size_t)snprintf(error->text + at, size - at, ", record %" PRIu64, row);
    at += (size_t)snprintf(error->text + at, size - at, ": ");
    va_start(arguments, what);
    vsnprintf(error->text + at, size - at, what, arguments);
    va_end(arguments);
    return -EINVAL;
}

int text_memory(struct table_error *error, const char *format)
{
    *error = (struct table_error){.fault = TABLE_FAULT_MEMORY, .row = UINT64_MAX,
                                  .column = UINT32_MAX};
    snprintf(error->text, sizeof error->text, "out of memory while reading %s", format);
    return -ENOMEM;
}

/* --- cells -------------------------------------------------------------------------------------*/

static const struct text_cell *cell_at(const struct text_batch *b, uint32_t row, uint32_t column)
{
    return batch_cells(b) + (size_t)row * b->columns + column;
}

static const char *cell_text(const struct text_batch *b, const struct text_cell *c)
{
    return c->length ? (const char *)b->bytes.data + c->begin : "";
}

#define DIGITS_MAX 20 /* of the largest integers */

/* The power of ten of a number that is written well, 0 if there is none. What is out of any range
 * is told as something that is, too. */
static int64_t exponent_of(const char *p, const char *end)
{
    int64_t exponent = 0;
    bool minus = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    for (; p < end && exponent < 1000000000; p++) exponent = exponent * 10 + (*p - '0');
    return minus ? -exponent : exponent;
}

/* The digits of a whole number that is written with a point or an exponent: exact, whatever doubles
 * hold. How many there are, with the sign; 0: it is not whole, or longer than any integer. */
static size_t whole_digits(const char *p, const char *end, char digits[DIGITS_MAX + 1])
{
    int64_t shift = 0; /* the power of ten that the digits are to be multiplied by */
    int64_t scale = 0;
    bool minus = p < end && *p == '-', fraction = false;
    size_t count = 0;
    digits[0] = '-';
    char *kept = digits + minus;
    for (p += minus; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        scale -= fraction;
        if (*p == '0') {
            shift += count > 0;
            continue;
        }
        if (count + (size_t)shift >= DIGITS_MAX) return 0;
        for (; shift; shift--) kept[count++] = '0';
        kept[count++] = *p;
    }
    shift = count ? shift + scale + (p < end ? exponent_of(p + 1, end) : 0) : 1;
    if (shift < 0 || (int64_t)count + shift > DIGITS_MAX) return 0;
    for (; shift; shift--) kept[count++] = '0';
    return minus + count;
}

/* A number as whole as the type wants it: 3.0 and 1e3, too. */
static bool read_whole(enum table_type type, const char *text, size_t length,
                       struct table_cell *cell)
{
    struct table_cell real;
    char digits[DIGITS_MAX + 1];
    if (!cell_parse(TABLE_F64, text, length, &real) || real.d - real.d != 0) return false;
    size_t count = whole_digits(text, text + length, digits);
    return count && cell_parse(type, digits, count, cell);
}

static bool read_number(enum table_type type, const char *text, size_t length,
                        struct table_cell *cell)
{
    enum table_class class = table_type_class(type);
    switch (type) {
    case TABLE_STR: case TABLE_SYM: case TABLE_F32: case TABLE_F64:
        return cell_parse(type, text, length, cell);
    case TABLE_BOOL: case TABLE_BIN:
        return false;
    case TABLE_DATE: case TABLE_TS: /* days, microseconds */
        return cell_parse(type == TABLE_DATE ? TABLE_I32 : TABLE_I64, text, length, cell);
    default:
        return (class == TABLE_CLASS_INT || class == TABLE_CLASS_UINT) &&
               (cell_parse(type, text, length, cell) ||
                read_whole(type, text, length, cell));
    }
}

static bool read_cell(enum table_type type, enum text_kind kind, const char *text, size_t length,
                      struct table_cell *cell)
{
    enum table_class class = table_type_class(type);
    bool texts = class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL;
    switch (kind) {
    case TEXT_NUMBER:
        return read_number(type, text, length, cell);
    case TEXT_BOOL:
        return (type == TABLE_BOOL || (texts && type != TABLE_BIN)) &&
               cell_parse(type, text, length, cell);
    case TEXT_STRING:
        return (texts || type == TABLE_DATE || type == TABLE_TS) &&
               cell_parse(type, text, length, cell);
    default:
        return cell_parse(type, text, length, cell);
    }
}

static int refuse_cell(const struct text_batch *b, const struct table_field *f, uint32_t row,
                       const struct text_cell *c, struct table_error *error)
{
    char quoted[TEXT_QUOTE_BYTES];
    text_quote(quoted, cell_text(b, c), c->length);
    if (c->kind == TEXT_PLAIN && (f->type == TABLE_STR || f->type == TABLE_SYM))
        return text_wrong(error, b->format, b->line + c->line, b->first_row + row + 1, f->name,
                          f->name_length, "%.130s is not UTF-8", quoted);
    return text_wrong(error, b->format, b->line + c->line, b->first_row + row + 1, f->name,
                      f->name_length, "%s%.130s is no %s",
                      c->kind == TEXT_STRING ? "the string " : "", quoted,
                      table_type_name(f->type));
}

static int refuse_null(const struct text_batch *b, const struct table_field *f, uint32_t row,
                       uint32_t line, struct table_error *error)
{
    text_wrong(error, b->format, b->line + line, b->first_row + row + 1, f->name, f->name_length,
               "nil, in a column of type %s without nils", table_type_name(f->type));
    error->fault = TABLE_FAULT_NOT_NULL;
    return -EINVAL;
}

/* --- columns -----------------------------------------------------------------------------------*/

#define ROOM_ROWS 512

struct filling {
    const struct text_batch *b;
    struct table_append append;
    const struct table_field *field;
    uint32_t column, source; /* of the table, of the input */
    struct table_out bytes;  /* of bin cells, decoded */
};

static void store_element(unsigned char *to, enum table_type type, const struct table_cell *c)
{
    float f = (float)c->d;
    if (type == TABLE_F32)
        memcpy(to, &f, sizeof f);
    else /* little-endian: the low bytes of an integer are a narrow one */
        memcpy(to, &c->u, table_type_bytes(type));
}

static int fill_numbers(struct filling *x, uint32_t first, uint32_t count,
                        struct table_error *error)
{
    unsigned char elements[ROOM_ROWS * 8];
    uint8_t valid[ROOM_ROWS / 8] = {0};
    enum table_type type = x->field->type;
    size_t bytes = table_type_bytes(type);
    bool nulls = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct text_cell *c = cell_at(x->b, first + i, x->source);
        struct table_cell cell = {.u = 0};
        if (c->kind == TEXT_NULL) {
            if (!x->field->null) return refuse_null(x->b, x->field, first + i, c->line, error);
            nulls = true;
        } else if (!read_cell(type, c->kind, cell_text(x->b, c), c->length, &cell)) {
            return refuse_cell(x->b, x->field, first + i, c, error);
        } else {
            valid[i / 8] |= (uint8_t)(1 << i % 8);
        }
        store_element(elements + i * bytes, type, &cell);
    }
    return table_append_raw(&x->append, x->column, count, elements, nulls ? valid : NULL, 0, error);
}

/* The value of a byte of base64 (RFC 4648), or -1. */
static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 with its padding, as exports write it, to `out`. The length, or -1. */
static int64_t decode_base64(const char *text, size_t length, unsigned char *out)
{
    size_t padding = 0, at = 0;
    if (length % 4) return -1;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=') padding++;
    uint32_t bits = 0;
    for (size_t i = 0; i < length - padding; i++) {
        int v = base64_value((unsigned char)text[i]);
        if (v < 0) return -1;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4) out[at++] = (unsigned char)(bits >> (6 - i % 4 * 2));
    }
    return (int64_t)at;
}

/* The texts that are not null become the bytes that they stand for, in `x->bytes`. */
static int decode_texts(struct filling *x, uint32_t first, uint32_t count,
                        struct table_text *texts, struct table_error *error)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += texts[i].length;
    x->bytes.length = 0;
    unsigned char *to = out_room(&x->bytes, bytes + 1);
    if (!to) return text_memory(error, x->b->format);
    for (uint32_t i = 0; i < count; i++) {
        if (!texts[i].data) continue;
        int64_t length = decode_base64(texts[i].data, texts[i].length, to);
        if (length < 0)
            return refuse_cell(x->b, x->field, first + i, cell_at(x->b, first + i, x->source),
                               error);
        texts[i] = (struct table_text){(const char *)to, (size_t)length};
        to += length;
    }
    return 0;
}

static int fill_texts(struct filling *x, uint32_t first, uint32_t count, struct table_error *error)
{
    struct table_text texts[ROOM_ROWS];
    for (uint32_t i = 0; i < count; i++) {
        const struct text_cell *c = cell_at(x->b, first + i, x->source);
        struct table_cell cell;
        texts[i] = (struct table_text){NULL, 0};
        if (c->kind == TEXT_NULL) {
            if (!x->field->null) return refuse_null(x->b, x->field, first + i, c->line, error);
            continue;
        }
        if (!read_cell(x->field->type, c->kind, cell_text(x->b, c), c->length,
                       &cell))
            return refuse_cell(x->b, x->field, first + i, c, error);
        texts[i] = cell.text;
    }
    if (x->field->type == TABLE_BIN) {
        int failed = decode_texts(x, first, count, texts, error);
        if (failed) return failed;
    }
    return table_append_texts(&x->append, x->column, count, texts, error);
}

static int fill_column(struct filling *x, struct table_error *error)
{
    enum table_class class = table_type_class(x->field->type);
    bool texts = class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL;
    int failed = 0;
    if (x->source == UINT32_MAX && x->field->null)
        return table_append_nulls(&x->append, x->column, x->b->rows, error);
    if (x->source == UINT32_MAX)
        return refuse_null(x->b, x->field, 0, batch_cells(x->b)->line, error);
    for (uint32_t row = 0; row < x->b->rows && !failed; row += ROOM_ROWS) {
        uint32_t left = x->b->rows - row, count = left < ROOM_ROWS ? left : ROOM_ROWS;
        failed = (texts ? fill_texts : fill_numbers)(x, row, count, error);
    }
    return failed;
}

/* An error of table_append_*, whose rows count from the batch's: "row 3, column "x": ...". */
static int tell_place(const struct text_batch *b, struct table_error *error)
{
    char what[TABLE_ERROR_BYTES];
    const char *rest = strstr(error->text, ", ");
    if (error->row >= b->rows || strncmp(error->text, "row ", 4) != 0 || !rest) return 0;
    snprintf(what, sizeof what, "%s", rest + 2);
    enum table_fault fault = error->fault;
    text_wrong(error, b->format, b->line + cell_at(b, (uint32_t)error->row, 0)->line,
               b->first_row + error->row + 1, NULL, 0, "%s", what);
    error->fault = fault;
    return 0;
}

int batch_append(const struct text_batch *b, struct table *t, const uint32_t *map,
                 struct table_error *error)
{
    struct filling x = {.b = b};
    if (b->rows == 0) return 0;
    table_append_spare_tail(t);
    int failed = table_append_begin(t, b->rows, &x.append, error);
    if (failed) return failed;
    error->text[0] = 0;
    for (uint32_t i = 0; i < table_column_count(t) && !failed; i++) {
        x.field = table_field(t, i);
        x.column = i;
        x.source = map[i];
        failed = fill_column(&x, error);
    }
    out_close(&x.bytes);
    if (!failed) failed = table_append_commit(&x.append, NULL, error);
    if (!failed) return 0;
    table_append_abort(&x.append);
    tell_place(b, error);
    return failed;
}

/* --- what is left ------------------------------------------------------------------------------*/

void batch_shift(struct text_batch *b, size_t from)
{
    size_t whole = (size_t)b->rows * b->columns, left = batch_cell_count(b) - whole;
    struct text_cell *cells = (struct text_cell *)(void *)b->cells.data;
    b->first_row += b->rows;
    b->rows = 0;
    if (left) memmove(cells, cells + whole, left * sizeof *cells);
    for (size_t i = 0; i < left; i++) cells[i].begin -= (uint32_t)from;
    b->cells.length = left * sizeof *cells;
    b->bytes.length -= from;
    if (b->bytes.length) memmove(b->bytes.data, b->bytes.data + from, b->bytes.length);
}

void batch_close(struct text_batch *b)
{
    out_close(&b->bytes);
    out_close(&b->cells);
}
