/* table_npy.c - see table_npy.h.
 *
 *   \x93NUMPY 1 0   u16 bytes of the header   {'descr': '<f8', 'fortran_order': False,
 *   'shape': (3, 2), }, blanks and a line feed up to a multiple of 64   elements, row by row */
#include "heap/table_npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define ROOM_ROWS 1024
#define STEP_ELEMENTS 16384

static const struct npy_type {
    enum table_type type;
    char name[8];
} npy_types[] = {
    {TABLE_I8, "|i1"}, {TABLE_I16, "<i2"}, {TABLE_I32, "<i4"}, {TABLE_I64, "<i8"},
    {TABLE_U8, "|u1"}, {TABLE_U16, "<u2"}, {TABLE_U32, "<u4"}, {TABLE_U64, "<u8"},
    {TABLE_F32, "<f4"}, {TABLE_F64, "<f8"}, {TABLE_BOOL, "|b1"}, {TABLE_TS, "<M8[us]"},
    {TABLE_DATE, "<i4"},
};
#define NPY_TYPES (sizeof npy_types / sizeof *npy_types)

__attribute__((format(printf, 2, 3)))
static int npy_wrong(struct table_error *error, const char *format, ...)
{
    va_list arguments;
    if (!error) return -EINVAL;
    *error = (struct table_error){.fault = TABLE_FAULT_TYPE, .row = UINT64_MAX,
                                  .column = UINT32_MAX};
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static int npy_memory(struct table_error *error)
{
    npy_wrong(error, "out of memory");
    if (error) error->fault = TABLE_FAULT_MEMORY;
    return -ENOMEM;
}

const char *npy_type_name(enum table_type type)
{
    for (size_t i = 0; i < NPY_TYPES; i++)
        if (npy_types[i].type == type) return npy_types[i].name;
    return NULL;
}

/* --- reading -----------------------------------------------------------------------------------*/

enum npy_state { NPY_MAGIC, NPY_HEADER, NPY_ROWS, NPY_DONE };

struct npy_reader {
    table_open_cb *open;
    void *open_data;
    enum npy_state state;
    struct table_out buffer; /* the header; then rows that are not whole */
    size_t header_bytes, row_bytes, bytes;
    uint64_t rows, columns, done;
    enum table_type type;
    struct table *table;
    struct table_error error;
    int failure;
    unsigned char room[ROOM_ROWS * 8];
};

/* What follows a key of the header, after blanks; NULL: no such key. */
static const char *header_value(const char *header, const char *key)
{
    const char *p = strstr(header, key);
    if (!p) return NULL;
    p += strlen(key);
    while (*p == ' ' || *p == ':') p++;
    return p;
}

static int header_shape(struct npy_reader *r, const char *p)
{
    char *end;
    if (!p || *p++ != '(') return npy_wrong(&r->error, ".npy: a header without a shape");
    r->columns = 1;
    r->rows = strtoull(p, &end, 10);
    if (end == p || *end++ != ',') return npy_wrong(&r->error, ".npy: an array of no dimension");
    while (*end == ' ') end++;
    if (*end == ')') return 0;
    p = end;
    r->columns = strtoull(p, &end, 10);
    if (end == p || *end != ')')
        return npy_wrong(&r->error, ".npy: an array of more than two dimensions");
    if (r->columns >= 1 && r->columns <= TABLE_COLUMNS_MAX) return 0;
    return npy_wrong(&r->error, ".npy: %" PRIu64 " columns; a table has 1 to %d", r->columns,
                     TABLE_COLUMNS_MAX);
}

static int header_type(struct npy_reader *r, const char *p)
{
    char name[16] = "";
    const char *end = p && *p == '\'' ? strchr(p + 1, '\'') : NULL;
    if (!end || end - p > 15) return npy_wrong(&r->error, ".npy: a header without a type");
    memcpy(name, p + 1, (size_t)(end - p - 1));
    for (size_t i = 0; i < NPY_TYPES; i++) {
        if (strcmp(npy_types[i].name, name) != 0) continue;
        r->type = npy_types[i].type;
        r->bytes = table_type_bytes(r->type);
        return 0;
    }
    return npy_wrong(&r->error, ".npy: elements of type %s, which tables do not read", name);
}

static int open_table(struct npy_reader *r)
{
    struct table_field *fields = calloc(r->columns, sizeof *fields);
    char (*names)[16] = calloc(r->columns, sizeof *names);
    int failed = fields && names ? 0 : npy_memory(&r->error);
    for (uint32_t i = 0; i < r->columns && !failed; i++) {
        int length = snprintf(names[i], sizeof names[i], "column%" PRIu32, i + 1);
        fields[i] = (struct table_field){names[i], (size_t)length, r->type, false, false};
    }
    if (!failed)
        failed = r->open(r->open_data, fields, (uint32_t)r->columns, &r->table, &r->error);
    free(names);
    free(fields);
    if (failed || table_column_count(r->table) == r->columns) return failed;
    return npy_wrong(&r->error, ".npy: %" PRIu64 " columns; the table has %" PRIu32, r->columns,
                     table_column_count(r->table));
}

static int read_header(struct npy_reader *r)
{
    out_byte(&r->buffer, 0);
    if (r->buffer.failed) return npy_memory(&r->error);
    const char *header = (const char *)r->buffer.data;
    const char *order = header_value(header, "'fortran_order'");
    if (!order || strncmp(order, "False", 5) != 0)
        return npy_wrong(&r->error, ".npy: an array in Fortran's order; it should be in C's");
    int failed = header_type(r, header_value(header, "'descr'"));
    if (!failed) failed = header_shape(r, header_value(header, "'shape'"));
    if (!failed) failed = open_table(r);
    for (uint32_t i = 0; !failed && i < r->columns; i++)
        if (table_field(r->table, i)->type != r->type)
            failed = npy_wrong(&r->error, ".npy: elements of type %s; the table's are %s",
                               table_type_name(r->type),
                               table_type_name(table_field(r->table, i)->type));
    r->row_bytes = r->columns * r->bytes;
    r->buffer.length = 0;
    r->state = r->rows ? NPY_ROWS : NPY_DONE;
    return failed;
}

/* What one call appends: some thousand elements, however wide the rows are. */
static uint32_t step_rows(const struct npy_reader *r)
{
    uint64_t left = r->rows - r->done, rows = STEP_ELEMENTS / r->columns;
    if (rows > ROOM_ROWS) rows = ROOM_ROWS;
    return (uint32_t)(rows < left ? rows : left);
}

static int append_rows(struct npy_reader *r, const unsigned char *data, uint32_t rows)
{
    struct table_append a;
    if (rows == 0) return 0;
    table_append_spare_tail(r->table);
    int failed = table_append_begin(r->table, rows, &a, &r->error);
    if (failed) return failed;
    for (uint32_t i = 0; i < r->columns && !failed; i++) {
        for (uint32_t row = 0; row < rows; row++)
            memcpy(r->room + row * r->bytes, data + row * r->row_bytes + i * r->bytes, r->bytes);
        failed = table_append_raw(&a, i, rows, r->room, NULL, 0, &r->error);
    }
    if (!failed) failed = table_append_commit(&a, NULL, &r->error);
    if (failed) table_append_abort(&a);
    if (failed) table_error_tell_row(&r->error, ".npy:", r->done);
    r->done += rows;
    return failed;
}

/* Collects up to `wanted` bytes; true once they are there. */
static bool collect(struct npy_reader *r, size_t wanted, const unsigned char *data, size_t length,
                    size_t *used)
{
    size_t left = wanted - r->buffer.length, take = left < length - *used ? left : length - *used;
    out_put(&r->buffer, data + *used, take);
    *used += take;
    return r->buffer.length == wanted;
}

static int feed_rows(struct npy_reader *r, const unsigned char *data, size_t length, size_t *used)
{
    uint32_t rows = step_rows(r);
    if (!collect(r, rows * r->row_bytes, data, length, used)) return 0;
    int failed = append_rows(r, r->buffer.data, rows);
    r->buffer.length = 0;
    if (r->done == r->rows) r->state = NPY_DONE;
    return failed;
}

static int read_magic(struct npy_reader *r)
{
    const unsigned char *p = r->buffer.data;
    if (memcmp(p, NPY_MARK, sizeof NPY_MARK - 1) != 0)
        return npy_wrong(&r->error, "no .npy file: it should begin with \\x93NUMPY\\x01\\x00");
    r->header_bytes = p[8] | (size_t)p[9] << 8;
    r->buffer.length = 0;
    r->state = NPY_HEADER;
    return 0;
}

int npy_reader_feed(struct npy_reader *r, const void *data, size_t length, size_t *used,
                    struct table_error *error)
{
    *used = 0;
    while (r->state != NPY_DONE && !r->failure) {
        enum npy_state before = r->state;
        bool waits = before != NPY_HEADER || r->buffer.length < r->header_bytes;
        if (waits && *used == length) return TABLE_FEED_MORE;
        if (before == NPY_MAGIC && collect(r, NPY_MARK_BYTES, data, length, used))
            r->failure = read_magic(r);
        else if (before == NPY_HEADER && collect(r, r->header_bytes, data, length, used))
            r->failure = read_header(r);
        else if (before == NPY_ROWS)
            r->failure = feed_rows(r, data, length, used);
        if (!r->failure && r->buffer.failed) r->failure = npy_memory(&r->error);
        if (before == NPY_ROWS && !r->failure) return TABLE_FEED_WORK;
    }
    if (r->failure && error) *error = r->error;
    return r->failure ? r->failure : TABLE_FEED_DONE;
}

int npy_reader_end(struct npy_reader *r, struct table_error *error)
{
    if (!r->failure && (r->state == NPY_MAGIC || r->state == NPY_HEADER))
        r->failure = npy_wrong(&r->error, ".npy: ends in its header");
    if (!r->failure && r->state != NPY_DONE)
        r->failure = npy_wrong(&r->error, ".npy: ends after %" PRIu64 " of %" PRIu64 " rows",
                               r->done + (r->row_bytes ? r->buffer.length / r->row_bytes : 0),
                               r->rows);
    if (r->failure && error) *error = r->error;
    return r->failure;
}

int npy_reader_flush(struct npy_reader *r, struct table_error *error)
{
    if (!r->failure && r->state == NPY_ROWS) {
        size_t whole = r->buffer.length / r->row_bytes;
        r->failure = append_rows(r, r->buffer.data, (uint32_t)whole);
        size_t used = whole * r->row_bytes;
        r->buffer.length -= used;
        if (used) memmove(r->buffer.data, r->buffer.data + used, r->buffer.length);
    }
    if (r->failure && error) *error = r->error;
    return r->failure;
}

uint64_t npy_reader_rows(const struct npy_reader *r) { return r->done; }
size_t npy_reader_bytes(const struct npy_reader *r) { return sizeof *r + r->buffer.capacity; }

struct npy_reader *npy_reader_create(table_open_cb *open, void *data)
{
    struct npy_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->open = open;
    r->open_data = data;
    return r;
}

void npy_reader_destroy(struct npy_reader *r)
{
    if (!r) return;
    out_close(&r->buffer);
    free(r);
}
