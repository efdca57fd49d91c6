/* table_batch.h - rows whose cells are texts, on their way from CSV or JSON lines into a table: the
 * readers fill a batch; it is appended column by column, or its cells tell which types would hold
 * them (struct table_infer). */
#ifndef CAIRN_HEAP_TABLE_BATCH_H
#define CAIRN_HEAP_TABLE_BATCH_H

#include "heap/table_out.h"

/* A batch is appended once it has so many cells or bytes: that takes some hundred microseconds. */
#define TEXT_BATCH_CELLS 4096
#define TEXT_BATCH_BYTES ((size_t)256 << 10)
/* Of one row, which must be whole before it is appended. */
#define TEXT_ROW_BYTES_MAX ((size_t)16 << 20)

/* What the format says of a cell. */
enum text_kind {
    TEXT_NULL,
    TEXT_PLAIN,  /* of CSV: anything */
    TEXT_STRING, /* of JSON, unescaped */
    TEXT_NUMBER,
    TEXT_BOOL,
};

struct text_cell {
    uint32_t begin, length; /* in the batch's bytes */
    uint32_t line;          /* counted from the batch's */
    uint32_t kind;          /* enum text_kind */
};

struct text_batch {
    const char *format;     /* "CSV", for messages */
    struct table_out bytes; /* of all cells */
    struct table_out cells; /* row by row, `columns` each */
    uint32_t columns;       /* of the input */
    uint32_t rows;          /* that are whole; another one may have begun */
    uint64_t line;          /* where cells count their lines from */
    uint64_t first_row;     /* how many rows of the input came before */
};

static inline const struct text_cell *batch_cells(const struct text_batch *b)
{
    return (const struct text_cell *)(const void *)b->cells.data;
}
static inline size_t batch_cell_count(const struct text_batch *b)
{
    return b->cells.length / sizeof(struct text_cell);
}
/* Forgets the whole rows; bytes from `from` on belong to the one that has begun. */
void batch_shift(struct text_batch *b, size_t from);
/* Memory. */
static inline size_t batch_bytes(const struct text_batch *b)
{
    return b->bytes.capacity + b->cells.capacity;
}
void batch_close(struct text_batch *b);

/* Appends the whole rows, all or none. `map`: for each column of the table the one of the input, or
 * UINT32_MAX: null. An error names line, column, record of the input
 * (from 1, as lines; a row is a place in a table, from 0), and value. */
warn_unused int batch_append(const struct text_batch *b, struct table *t, const uint32_t *map,
                             struct table_error *error);

/* Fills *error: "CSV line 7, column "price", record 6: " and what is wrong; returns -EINVAL.
 * `row`, from 1; UINT64_MAX: none; name NULL: none. */
__attribute__((format(printf, 7, 8)))
int text_wrong(struct table_error *error, const char *format, uint64_t line, uint64_t row,
               const char *name, size_t name_length, const char *what, ...);
int text_memory(struct table_error *error, const char *format);
/* Bytes of a client as they may stand in a message: escaped, cut after some 60. Returns `room`. */
#define TEXT_QUOTE_BYTES 260
const char *text_quote(char room[TEXT_QUOTE_BYTES], const char *data, size_t length);

/* --- types from texts ---------------------------------------------------------------------------
 *
 * A column is of the first of these types that holds all of its cells exactly:
 *
 *   bool    true, false (CSV: in any case)
 *   i64     digits, maybe behind a minus; no leading zeros
 *   u64     the same, from 0 to 2^64-1
 *   f64     decimals; whole numbers only if a double holds them exactly, and none that overflow
 *   date    2026-11-25
 *   ts      2026-11-25T18:00, maybe with seconds, a fraction of up to 6 digits, a zone
 *   sym     any texts, if there are at most INFER_DIFFERENT different ones of at most
 *           INFER_TEXT_BYTES bytes, and INFER_REPEATS times as many cells
 *   str     any texts
 *
 * Of JSON, only numbers are numbers, only true and false are bool, and only strings are dates,
 * times and texts, except where a column has more than one of these: that is a text, and numbers
 * and booleans in it are as they were written. Without any cell it is a str. A column may be null
 * if one of its cells is. */
#define INFER_DIFFERENT 256
#define INFER_TEXT_BYTES 64
#define INFER_REPEATS 8

struct infer_column; /* table_infer.c */
struct table_infer {
    struct infer_column *columns;
    uint32_t count, capacity;
    struct table_out names;
    uint64_t rows;
};
/* 0 or -ENOMEM; there is room for TABLE_COLUMNS_MAX, no more may be added. */
warn_unused int infer_add(struct table_infer *x, const char *name, size_t length);
/* The column of that name, which probably is `guess`; UINT32_MAX if there is none. */
uint32_t infer_find(const struct table_infer *x, const char *name, size_t length, uint32_t guess);
/* A cell of a column. 0 or -ENOMEM. */
warn_unused int infer_cell(struct table_infer *x, uint32_t column, enum text_kind kind,
                           const char *data, size_t length);
/* A row has ended: columns that it lacks are null in it. */
void infer_row(struct table_infer *x);
/* What column `i` is. The name is valid until the next infer_add. */
void infer_field(const struct table_infer *x, uint32_t i, struct table_field *field);
/* Memory, about. */
size_t infer_bytes(const struct table_infer *x);
void infer_close(struct table_infer *x);

#endif
