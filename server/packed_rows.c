/* packed_rows.c - see packed_rows.h.
 *
 * Workload: millions of rows of some eight cells, in requests of a few thousand. Bytes are read in
 * *windows*: a chunk of the packed value where it lies, or, across the end of a chunk, a copy of a
 * few bytes from either side. The structure needs no second look, since the decoder has counted it.
 *
 * Invariant: between two rows of a batch every column has the same number of cells; `flushed` of
 * them are in the append. Texts are staged where they lie in their window, which is the heap
 * and stays during a batch; one that does not lie in one piece is appended at once, from a copy. */
#include "server/packed_rows.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "server/params.h"
#include "server/path.h"

#define BATCH_CELLS 4096 /* at most, but for a row of more */
#define BATCH_ROWS 512
#define BATCH_BYTES ((size_t)128 << 10) /* a batch ends behind so many */
#define HEAD_BYTES 9                    /* of a scalar, or the head of a text, at most */
#define BRIDGE_BYTES 64
#define SCRATCH_BYTES_KEPT ((size_t)64 << 10) /* of the scratch for a text, between batches */

enum cell_class { CELL_SIGNED, CELL_UNSIGNED, CELL_F64, CELL_F32, CELL_BOOL, CELL_SYMBOL, CELL_STR,
                  CELL_BIN };

/* Symbols that came not long ago, by a hash of their ends. Good for one step: what happens to
 * the table's dictionaries between two is not known here. */
#define SYMBOLS_BITS_MIN 4
#define SYMBOLS_BITS_MAX 8
struct cached_symbol {
    struct table_text text; /* the dictionary's; data NULL: none */
    uint32_t code;
};

struct lane {
    enum cell_class class;
    bool null;          /* the column may have nulls */
    bool nulls;         /* this batch has some */
    uint8_t bytes;      /* of an element */
    uint8_t symbol_shift;
    uint32_t flushed;   /* cells of this batch that are appended */
    int64_t min;        /* CELL_SIGNED: the range */
    uint64_t max;       /* CELL_UNSIGNED, too */
    uint64_t seen;      /* rows as maps: the last one that had it, counted from 1 */
    unsigned char *elements; /* or struct table_text */
    uint8_t *valid;     /* a bit for each cell; set anew for each batch */
    struct cached_symbol *symbols;
};

struct packed_rows {
    uint64_t done;
    size_t offset;      /* of the next row, between batches */
    uint32_t columns, capacity;
    unsigned symbol_bits; /* of the index of a cached symbol */
    unsigned char *room; /* what the lanes point into */
    uint32_t *order;    /* rows as maps: the column of each key of the last one */
    /* Of the step that runs. */
    struct call *call;
    struct table_append *append;
    struct table_error *error;
    value packed;
    uint32_t n;         /* whole rows of the batch that are staged */
    const unsigned char *next, *end; /* the window */
    size_t end_offset;  /* of `end`, in the packed bytes */
    bool bridged;       /* the window is `bridge` */
    unsigned char bridge[BRIDGE_BYTES + 2 * HEAD_BYTES]; /* zeros behind the last byte */
    char *scratch;      /* of a text that is in more than one piece */
    size_t scratch_capacity;
    struct lane lanes[];
};

uint64_t packed_rows_done(const struct packed_rows *r) { return r->done; }

static uint64_t big_endian(const unsigned char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return be64toh(x);
}

uint64_t packed_rows_count(const struct heap *h, value packed)
{
    unsigned char head[8] = {0};
    text_copy(h, packed, 1, head, 4);
    return big_endian(head) >> 32;
}

/* --- making ------------------------------------------------------------------------------------*/

static void lane_init(struct lane *l, const struct table_field *f)
{
    unsigned bits = (unsigned)table_type_bytes(f->type) * 8;
    *l = (struct lane){.null = f->null, .bytes = (uint8_t)table_type_bytes(f->type)};
    switch (table_type_class(f->type)) {
    case TABLE_CLASS_INT:
        l->class = CELL_SIGNED;
        l->max = (uint64_t)INT64_MAX >> (64 - bits);
        l->min = -(int64_t)l->max - 1;
        break;
    case TABLE_CLASS_UINT:
        l->class = f->type == TABLE_BOOL ? CELL_BOOL : CELL_UNSIGNED;
        l->max = UINT64_MAX >> (64 - bits);
        break;
    case TABLE_CLASS_FLOAT: l->class = f->type == TABLE_F32 ? CELL_F32 : CELL_F64; break;
    case TABLE_CLASS_SYMBOL: l->class = CELL_SYMBOL; break;
    case TABLE_CLASS_TEXT:
        l->class = f->type == TABLE_BIN ? CELL_BIN : CELL_STR;
        l->bytes = sizeof(struct table_text);
    }
}

static size_t aligned(size_t bytes) { return (bytes + 15) & ~(size_t)15; }

/* The bytes of a lane's buffers. Elements are stored eight bytes at a time, the narrow ones each
 * over the end of the one before. */
static size_t lane_room(const struct packed_rows *r, const struct lane *l)
{
    return aligned((size_t)r->capacity * l->bytes + 8) + aligned(r->capacity / 8 + 1) +
           (l->class == CELL_SYMBOL ? sizeof(struct cached_symbol) << r->symbol_bits : 0);
}

static void lane_place(const struct packed_rows *r, struct lane *l, unsigned char *room)
{
    l->elements = room;
    l->valid = room + aligned((size_t)r->capacity * l->bytes + 8);
    l->symbols = (struct cached_symbol *)(void *)(l->valid + aligned(r->capacity / 8 + 1));
    l->symbol_shift = (uint8_t)(64 - r->symbol_bits);
}

struct packed_rows *packed_rows_create(const struct table *t)
{
    uint32_t columns = table_column_count(t);
    struct packed_rows *r = calloc(1, sizeof *r + columns * sizeof *r->lanes);
    if (r == NULL) return NULL;
    r->columns = columns;
    r->offset = 5;
    r->capacity = BATCH_CELLS / columns;
    if (r->capacity > BATCH_ROWS) r->capacity = BATCH_ROWS;
    r->symbol_bits = columns <= 16 ? SYMBOLS_BITS_MAX : SYMBOLS_BITS_MIN;
    size_t bytes = 0;
    for (uint32_t i = 0; i < columns; i++) {
        lane_init(&r->lanes[i], table_field(t, i));
        bytes += lane_room(r, &r->lanes[i]);
    }
    r->order = calloc(columns, sizeof *r->order);
    r->room = malloc(bytes);
    if (r->order == NULL || r->room == NULL) {
        packed_rows_destroy(r);
        return NULL;
    }
    unsigned char *room = r->room;
    for (uint32_t i = 0; i < columns; i++) {
        lane_place(r, &r->lanes[i], room);
        room += lane_room(r, &r->lanes[i]);
    }
    return r;
}

void packed_rows_destroy(struct packed_rows *r)
{
    if (r == NULL) return;
    free(r->scratch);
    free(r->order);
    free(r->room);
    free(r);
}

/* --- windows -----------------------------------------------------------------------------------*/

static size_t offset_of(const struct packed_rows *r)
{
    return r->end_offset - (size_t)(r->end - r->next);
}

/* The window begins at `offset`. It has all bytes of what begins there, if that is a scalar or the
 * head of a text: HEAD_BYTES, or all that there are, with room to read as many. */
static void window_open(struct packed_rows *r, size_t offset)
{
    const struct heap *h = r->call->heap;
    const char *data;
    struct text_scratch scratch;
    size_t length = text_piece(h, r->packed, offset, &data, &scratch);
    /* Bytes within the word of the value do not stay where they are. */
    r->bridged = length < BRIDGE_BYTES || (const char *)data == scratch.bytes;
    if (r->bridged) {
        length = text_copy(h, r->packed, offset, r->bridge, BRIDGE_BYTES);
        memset(r->bridge + length, 0, sizeof r->bridge - length);
        data = (const char *)r->bridge;
    }
    r->next = (const unsigned char *)data;
    r->end = r->next + length;
    r->end_offset = offset + length;
}

/* Makes sure that HEAD_BYTES can be read. */
static inline void window_need(struct packed_rows *r)
{
    if (r->end - r->next < HEAD_BYTES) window_open(r, offset_of(r));
}

static void window_skip(struct packed_rows *r, size_t bytes)
{
    if (bytes <= (size_t)(r->end - r->next))
        r->next += bytes;
    else
        window_open(r, offset_of(r) + bytes);
}

/* --- heads -------------------------------------------------------------------------------------*/

/* The head of a text or a container: how many bytes or items; *head: its bytes. */
enum head_kind { HEAD_STR, HEAD_BIN, HEAD_LIST, HEAD_MAP, HEAD_SCALAR };
static inline enum head_kind head_read(const unsigned char *p, size_t *head, uint64_t *count)
{
    unsigned char first = *p;
    *head = 1;
    *count = first & (first < 0xa0 ? 0x0f : 0x1f);
    if (first < 0x80 || first >= 0xe0) return HEAD_SCALAR;
    if (first < 0xc0) return first < 0x90 ? HEAD_MAP : first < 0xa0 ? HEAD_LIST : HEAD_STR;
    unsigned size; /* of the count: 0, 1, 2 for 1, 2, 4 bytes */
    enum head_kind kind;
    switch (first) {
    case 0xc4: case 0xc5: case 0xc6: kind = HEAD_BIN, size = first - 0xc4u; break;
    case 0xd9: case 0xda: case 0xdb: kind = HEAD_STR, size = first - 0xd9u; break;
    case 0xdc: case 0xdd: kind = HEAD_LIST, size = first - 0xdcu + 1; break;
    case 0xde: case 0xdf: kind = HEAD_MAP, size = first - 0xdeu + 1; break;
    default: return HEAD_SCALAR;
    }
    *head = 1 + ((size_t)1 << size);
    *count = big_endian(p + 1) >> (64 - (8u << size));
    return kind;
}

/* An integer: false if the item is none. *x has its bits, *negative what they mean; if they are an
 * unsigned number above INT64_MAX, neither range has it but that of u64. */
static inline bool integer_read(const unsigned char *p, uint64_t *x, bool *negative, size_t *bytes)
{
    unsigned char first = *p;
    if (first < 0x80 || first >= 0xe0) {
        *x = (uint64_t)(int64_t)(int8_t)first;
        *negative = first >= 0xe0;
        *bytes = 1;
        return true;
    }
    if (first < 0xcc || first > 0xd3) return false;
    unsigned size = first & 3, shift = 64 - (8u << size);
    uint64_t number = big_endian(p + 1);
    *x = first < 0xd0 ? number >> shift : (uint64_t)((int64_t)number >> shift);
    *negative = first >= 0xd0 && number >> 63;
    *bytes = 1 + ((size_t)1 << size);
    return true;
}

/* A float or double. */
static inline bool real_read(const unsigned char *p, double *d, size_t *bytes)
{
    uint64_t bits = big_endian(p + 1);
    if (*p == 0xcb) {
        memcpy(d, &bits, sizeof *d);
        *bytes = 9;
        return true;
    }
    if (*p != 0xca) return false;
    uint32_t half = (uint32_t)(bits >> 32);
    float narrow;
    memcpy(&narrow, &half, sizeof narrow);
    *d = (double)narrow;
    *bytes = 5;
    return true;
}

/* --- staging -----------------------------------------------------------------------------------*/

static inline void stage(struct lane *l, uint32_t n, uint64_t element)
{
    uint64_t little = htole64(element);
    memcpy(l->elements + (size_t)n * l->bytes, &little, sizeof little);
}

static inline struct table_text *lane_texts(const struct lane *l)
{
    return (struct table_text *)(void *)l->elements;
}

static void stage_null(struct packed_rows *r, struct lane *l)
{
    if (!l->nulls) memset(l->valid, 0xff, r->capacity / 8 + 1);
    l->nulls = true;
    l->valid[r->n / 8] &= (uint8_t)~(1u << r->n % 8);
    if (l->class == CELL_STR || l->class == CELL_BIN)
        lane_texts(l)[r->n] = (struct table_text){NULL, 0};
    else
        stage(l, r->n, 0);
}

static int no_memory(struct packed_rows *r)
{
    fail_no_memory(r->call);
    return -1;
}

static const struct table_field *field_of(const struct packed_rows *r, uint32_t column)
{
    return table_field(r->append->t, column);
}

/* Says what is wrong with a value as a cell of row `row` of the batch. Releases it. */
static int refuse_take(struct packed_rows *r, uint32_t column, uint32_t row, value v)
{
    struct table_scratch scratch = {.capacity = 0};
    struct table_cell cell;
    if (v == VALUE_ABSENT) return no_memory(r);
    int failed = table_cell_from_value(r->call->heap, field_of(r, column), r->done + row, column, v,
                                       &cell, &scratch, r->error);
    assert(failed && "a cell that fits was refused");
    (void)failed;
    table_scratch_close(&scratch);
    value_release(r->call->heap, v);
    return -2;
}

/* Appends what the lane has staged of rows up to `end`. */
static int lane_flush(struct packed_rows *r, uint32_t column, uint32_t end)
{
    struct lane *l = &r->lanes[column];
    uint32_t first = l->flushed, count = end - first;
    if (count == 0) return 0;
    l->flushed = end;
    if (l->class != CELL_STR && l->class != CELL_BIN)
        return table_append_raw(r->append, column, count, l->elements + (size_t)first * l->bytes,
                                l->nulls ? l->valid : NULL, first, r->error) < 0 ? -2 : 0;
    struct table_text *texts = lane_texts(l);
    if (table_append_texts(r->append, column, count, texts + first, r->error) == 0) return 0;
    if (r->error->fault != TABLE_FAULT_TYPE) return -2;
    uint32_t row = (uint32_t)(r->error->row - r->done); /* it is not UTF-8 */
    struct heap *h = r->call->heap;
    return refuse_take(r, column, row, text_new(h, texts[row].data, texts[row].length, false));
}

/* --- texts -------------------------------------------------------------------------------------*/

static bool utf8_needed(const struct lane *l) { return l->class != CELL_BIN; }

static inline struct cached_symbol *symbol_slot(const struct lane *l, const unsigned char *data,
                                                size_t length)
{
    uint64_t first = 0, last = 0;
    if (length >= sizeof first) {
        memcpy(&first, data, sizeof first);
        memcpy(&last, data + length - sizeof last, sizeof last);
    } else if (length >= 4) {
        memcpy(&first, data, 4);
        memcpy(&last, data + length - 4, 4);
    } else if (length > 0) {
        first = data[0];
        last = (uint64_t)data[length / 2] << 8 | data[length - 1];
    }
    uint64_t hash = (first + (last << 29 | last >> 35) + length) * 0x9e3779b97f4a7c15u;
    return &l->symbols[hash >> l->symbol_shift];
}

/* The code of a symbol that came before in this batch; false if there is none. */
static inline bool symbol_cached(const struct lane *l, const unsigned char *data, size_t length,
                                 uint32_t *code)
{
    const struct cached_symbol *slot = symbol_slot(l, data, length);
    *code = slot->code;
    return slot->text.data != NULL && slot->text.length == length &&
           memcmp(slot->text.data, data, length) == 0;
}

static int stage_symbol(struct packed_rows *r, uint32_t column, const unsigned char *data,
                        size_t length)
{
    struct lane *l = &r->lanes[column];
    struct table *t = r->append->t;
    uint32_t code;
    if (!symbol_cached(l, data, length, &code)) {
        if (!utf8_valid(data, length))
            return refuse_take(r, column, r->n,
                               text_new(r->call->heap, data, length, false));
        if (table_symbol_intern(t, column, (const char *)data, length, &code, r->error) < 0)
            return -2;
        *symbol_slot(l, data, length) =
            (struct cached_symbol){table_symbol(t, column, code), code};
    }
    stage(l, r->n, code);
    return 0;
}

/* `length` bytes of a text from here on, in one piece; NULL when memory is short. In place, unless
 * *copied, when they stay only until the next text that is copied. */
static const unsigned char *text_bytes(struct packed_rows *r, size_t length, bool *copied)
{
    *copied = r->bridged || length > (size_t)(r->end - r->next);
    if (length <= (size_t)(r->end - r->next)) return r->next;
    if (length > r->scratch_capacity) {
        char *scratch = realloc(r->scratch, length);
        if (scratch == NULL) return NULL;
        r->scratch = scratch;
        r->scratch_capacity = length;
    }
    text_copy(r->call->heap, r->packed, offset_of(r), r->scratch, length);
    return (const unsigned char *)r->scratch;
}

static int append_text(struct packed_rows *r, uint32_t column, const unsigned char *data,
                       size_t length)
{
    struct lane *l = &r->lanes[column];
    int failed = lane_flush(r, column, r->n);
    if (failed) return failed;
    lane_texts(l)[r->n] = (struct table_text){(const char *)data, length};
    return lane_flush(r, column, r->n + 1);
}

/* A text whose head is read. */
static int put_text(struct packed_rows *r, uint32_t column, bool is_bytes, size_t length)
{
    struct lane *l = &r->lanes[column];
    bool copied;
    if (length > TABLE_TEXT_BYTES_MAX) { /* so its bytes are not looked at */
        int failed = lane_flush(r, column, r->n);
        if (failed) return failed;
        const struct table_text text = {"", length};
        failed = table_append_texts(r->append, column, 1, &text, r->error);
        assert(failed);
        return failed ? -2 : 0;
    }
    const unsigned char *data = text_bytes(r, length, &copied);
    if (data == NULL) return no_memory(r);
    int failed = 0;
    if (l->class < CELL_SYMBOL || (is_bytes && utf8_needed(l)))
        failed = refuse_take(r, column, r->n, text_new(r->call->heap, data, length, is_bytes));
    else if (l->class == CELL_SYMBOL)
        failed = stage_symbol(r, column, data, length);
    else if (copied)
        failed = append_text(r, column, data, length);
    else
        lane_texts(l)[r->n] = (struct table_text){(const char *)data, length};
    if (!failed) window_skip(r, length);
    return failed;
}

/* --- cells -------------------------------------------------------------------------------------*/

/* A scalar, or what stands for something odd, as a value; *bytes of it. */
static value scalar_value(struct packed_rows *r, size_t *bytes)
{
    struct heap *h = r->call->heap;
    uint64_t x;
    bool negative;
    double d;
    if (integer_read(r->next, &x, &negative, bytes))
        return negative ? number_from_int64(h, (int64_t)x) : number_from_uint64(h, x);
    if (real_read(r->next, &d, bytes)) return number_from_double(h, d);
    *bytes = *r->next == 0xc7 ? 3 : 1;
    switch (*r->next) {
    case 0x80: return map_new(h);
    case 0x90: return list_new(h);
    case 0xc2: return VALUE_FALSE;
    case 0xc3: return VALUE_TRUE;
    case 0xc7: return ext_new(h, 0, "", 0);
    default: assert(*r->next == 0xc0); return VALUE_NIL;
    }
}

/* Cells that are converted, and those that are wrong. */
static int put_scalar(struct packed_rows *r, uint32_t column)
{
    struct lane *l = &r->lanes[column];
    struct heap *h = r->call->heap;
    struct table_scratch scratch = {.capacity = 0};
    struct table_cell cell;
    size_t bytes;
    value v = scalar_value(r, &bytes);
    if (v == VALUE_ABSENT) return no_memory(r);
    int failed = table_cell_from_value(h, field_of(r, column), r->done + r->n, column, v, &cell,
                                       &scratch, r->error);
    value_release(h, v);
    if (failed) return -2;
    if (cell.null) {
        stage_null(r, l);
    } else if (l->class == CELL_F32) {
        float narrow = (float)cell.d;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        stage(l, r->n, bits);
    } else {
        assert(l->class < CELL_SYMBOL);
        stage(l, r->n, cell.u);
    }
    window_skip(r, bytes);
    return 0;
}

/* Any cell. */
static int put_cell(struct packed_rows *r, uint32_t column)
{
    size_t head;
    uint64_t count;
    window_need(r);
    enum head_kind kind = head_read(r->next, &head, &count);
    if (kind != HEAD_STR && kind != HEAD_BIN) return put_scalar(r, column);
    window_skip(r, head);
    return put_text(r, column, kind == HEAD_BIN, count);
}

/* The usual cells, from at least HEAD_BYTES of a window that is no bridge: returns what is behind,
 * or NULL if it is none of these. */
static inline const unsigned char *put_usual(struct lane *l, uint32_t n, const unsigned char *p,
                                             const unsigned char *end)
{
    uint64_t x, count;
    bool negative;
    double d;
    size_t bytes;
    switch (l->class) {
    case CELL_SIGNED:
        if (!integer_read(p, &x, &negative, &bytes)) return NULL;
        if (negative ? (int64_t)x < l->min : x > l->max) return NULL;
        stage(l, n, x);
        return p + bytes;
    case CELL_UNSIGNED:
        if (!integer_read(p, &x, &negative, &bytes) || negative || x > l->max) return NULL;
        stage(l, n, x);
        return p + bytes;
    case CELL_F64:
        if (*p == 0xcb) {
            stage(l, n, big_endian(p + 1));
            return p + 9;
        }
        if (!integer_read(p, &x, &negative, &bytes)) return NULL;
        if (negative ? x < -((uint64_t)1 << 53) : x > (uint64_t)1 << 53) return NULL;
        d = (double)(int64_t)x; /* exact up to 2^53 */
        memcpy(&x, &d, sizeof x);
        stage(l, n, x);
        return p + bytes;
    case CELL_BOOL:
        if ((*p & 0xfe) != 0xc2) return NULL;
        stage(l, n, *p & 1);
        return p + 1;
    case CELL_SYMBOL:
    case CELL_STR: {
        enum head_kind kind = head_read(p, &bytes, &count);
        p += bytes;
        if (kind != HEAD_STR || count > (uint64_t)(end - p)) return NULL;
        if (l->class == CELL_STR) {
            lane_texts(l)[n] = (struct table_text){(const char *)p, count};
            return p + count;
        }
        uint32_t code;
        if (!symbol_cached(l, p, count, &code)) return NULL;
        stage(l, n, code);
        return p + count;
    }
    default: return NULL;
    }
}

/* --- rows --------------------------------------------------------------------------------------*/

static int cells_of_list(struct packed_rows *r)
{
    const unsigned char *next = r->next, *end = r->end;
    uint32_t n = r->n, columns = r->columns;
    for (uint32_t i = 0; i < columns; i++) {
        if (end - next >= HEAD_BYTES && !r->bridged) {
            const unsigned char *behind = put_usual(&r->lanes[i], n, next, end);
            if (behind != NULL) {
                next = behind;
                continue;
            }
        }
        r->next = next;
        int failed = put_cell(r, i);
        if (failed) return failed;
        next = r->next;
        end = r->end;
    }
    r->next = next;
    return 0;
}

/* The column that a key names, probably `guess`; -1 after call_fail. */
static int key_read(struct packed_rows *r, uint32_t guess, uint32_t *column)
{
    const struct table *t = r->append->t;
    size_t head;
    uint64_t length;
    bool copied;
    window_need(r);
    enum head_kind kind = head_read(r->next, &head, &length);
    unsigned long long row = r->done + r->n;
    if (kind != HEAD_STR && kind != HEAD_BIN) {
        value v = scalar_value(r, &head);
        if (v == VALUE_ABSENT) return no_memory(r);
        call_fail(r->call, ERROR_BAD_PARAMS, "%s: row %llu has a field whose name is %s",
                  r->call->method->name, row, value_describe(v));
        value_release(r->call->heap, v);
        return -1;
    }
    window_skip(r, head);
    const char *name = (const char *)text_bytes(
        r, length > TABLE_NAME_BYTES_MAX + 1 ? TABLE_NAME_BYTES_MAX + 1 : length, &copied);
    if (name == NULL) return no_memory(r);
    const struct table_field *f = table_field(t, guess);
    bool right = f->name_length == length && memcmp(f->name, name, length) == 0;
    *column = right ? guess : length > TABLE_NAME_BYTES_MAX ? UINT32_MAX
                                                            : table_column_named(t, name, length);
    if (*column == UINT32_MAX) {
        if (length > TABLE_NAME_BYTES_MAX) length = TABLE_NAME_BYTES_MAX;
        call_fail(r->call, ERROR_NOT_FOUND,
                  "%s: row %llu: the table has no column %s; table.schema lists them",
                  r->call->method->name, row, call_quote(name, length));
        return -1;
    }
    window_skip(r, length);
    return 0;
}

static int cells_of_map(struct packed_rows *r, uint64_t count)
{
    uint64_t row = r->done + r->n + 1;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t column;
        int failed = key_read(r, i < r->columns ? r->order[i] : 0, &column);
        if (failed) return failed;
        struct lane *l = &r->lanes[column];
        if (l->seen == row) {
            const struct table_field *f = field_of(r, column);
            call_fail(r->call, ERROR_BAD_PARAMS, "%s: row %llu has the field %s twice",
                      r->call->method->name, (unsigned long long)row - 1,
                      call_quote(f->name, f->name_length));
            return -1;
        }
        l->seen = row;
        r->order[i] = column; /* below r->columns, as no column comes twice */
        failed = put_cell(r, column);
        if (failed) return failed;
    }
    for (uint32_t i = 0; count < r->columns && i < r->columns; i++) {
        if (r->lanes[i].seen == row) continue;
        if (!r->lanes[i].null) return refuse_take(r, i, r->n, VALUE_NIL);
        stage_null(r, &r->lanes[i]);
        count++;
    }
    return 0;
}

/* What a row is instead of a list or a map, as a value that is described alike. */
static value row_stand_in(struct packed_rows *r, enum head_kind kind, size_t head, uint64_t length)
{
    size_t bytes;
    bool copied;
    if (kind == HEAD_SCALAR) return scalar_value(r, &bytes);
    window_skip(r, head);
    size_t seen = length < TABLE_TEXT_BYTES_MAX ? length : TABLE_TEXT_BYTES_MAX;
    const unsigned char *data = text_bytes(r, seen, &copied);
    if (data == NULL) return VALUE_ABSENT;
    size_t valid = utf8_prefix(data, seen), cut = seen < length ? 3 : 0; /* in a character */
    return value_inline_text("", 0, kind == HEAD_BIN || valid + cut < seen);
}

/* A row that is neither a map nor a list of a cell for each column. */
static int refuse_row(struct packed_rows *r, enum head_kind kind, size_t head, uint64_t count)
{
    struct call *call = r->call;
    unsigned long long row = r->done + r->n;
    if (kind == HEAD_LIST) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: row %llu has %llu cells; the table has %u columns",
                  call->method->name, row, (unsigned long long)count, r->columns);
        return -1;
    }
    value v = row_stand_in(r, kind, head, count);
    if (v == VALUE_ABSENT) return no_memory(r);
    call_fail(call, ERROR_BAD_PARAMS,
              "%s: row %llu must be a list of %u cells, or a map, not %s", call->method->name, row,
              r->columns, value_describe(v));
    value_release(call->heap, v);
    return -1;
}

static int put_row(struct packed_rows *r)
{
    size_t head;
    uint64_t count;
    window_need(r);
    enum head_kind kind = head_read(r->next, &head, &count);
    if (kind != HEAD_MAP && (kind != HEAD_LIST || count != r->columns))
        return refuse_row(r, kind, head, count);
    window_skip(r, head);
    return kind == HEAD_LIST ? cells_of_list(r) : cells_of_map(r, count);
}

void packed_rows_step(struct packed_rows *r, struct call *call, value packed,
                      struct table_append *a, struct table_error *error)
{
    r->call = call;
    r->packed = packed;
    r->append = a;
    r->error = error;
    for (uint32_t i = 0; i < r->columns; i++) {
        struct lane *l = &r->lanes[i];
        if (l->class == CELL_SYMBOL) memset(l->symbols, 0, sizeof *l->symbols << r->symbol_bits);
    }
}

static void batch_begin(struct packed_rows *r)
{
    r->n = 0;
    for (uint32_t i = 0; i < r->columns; i++) {
        r->lanes[i].flushed = 0;
        r->lanes[i].nulls = false;
    }
    if (r->scratch_capacity > SCRATCH_BYTES_KEPT) {
        free(r->scratch);
        r->scratch = NULL;
        r->scratch_capacity = 0;
    }
    window_open(r, r->offset);
}

int packed_rows_append(struct packed_rows *r, size_t rows)
{
    int failed = 0;
    if (rows > r->capacity) rows = r->capacity;
    batch_begin(r);
    while (r->n < rows && (r->n == 0 || offset_of(r) - r->offset < BATCH_BYTES)) {
        failed = put_row(r);
        if (failed) return failed;
        r->n++;
    }
    for (uint32_t i = 0; i < r->columns; i++) {
        failed = lane_flush(r, i, r->n);
        if (failed) return failed;
    }
    r->done += r->n;
    r->offset = offset_of(r);
    return 0;
}
