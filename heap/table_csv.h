/* table_csv.h - tables as text: CSV in; CSV and JSON lines out (table_export.h).
 *
 * CSV is that of RFC 4180: cells in quotes may have delimiters, line ends and doubled quotes; lines
 * end with CR LF or LF; a byte order mark is skipped. An empty cell is null, an empty cell in
 * quotes the empty text (going out, null may be written as another text). Dates are 2026-11-25,
 * times 2026-11-25T18:00:00.000001Z. Bytes go out in base64 (RFC 4648). JSON has no NaN and no
 * infinities: they are null there. */
#ifndef CAIRN_HEAP_TABLE_CSV_H
#define CAIRN_HEAP_TABLE_CSV_H

#include "heap/table_arrow.h" /* table_open_cb, enum table_feed */

/* --- reading -------------------------------------------------------------------------------------
 *
 * Unless told, the types of the columns are those that hold the first CSV_SAMPLE_ROWS rows, or
 * fewer if they are large: table_batch.h has the rules; but texts are str, and all may be null. A
 * later cell that does not fit is an error that names its line and column. */
#define CSV_SAMPLE_ROWS 1000
#define CSV_SAMPLE_BYTES ((size_t)4 << 20)
#define CSV_SAMPLE_CELLS 65536

struct table_infer;
struct csv_options {
    char delimiter;      /* 0: a comma */
    bool no_header;      /* the first line is data; columns are called column1, column2, ... */
    bool match_names;    /* the header says which column of the table each is; others are null */
    const char *null_text; /* what means null, not in quotes; nothing: an empty cell */
    size_t null_length;
    struct table_infer *infer;    /* no table is opened; cells go here (table_batch.h) */
    const enum table_type *types; /* of all columns, instead of what the sample says; or NULL */
    uint32_t type_count;
};

struct csv_reader;
/* What the options point to must live as long as the reader. */
struct csv_reader *csv_reader_create(const struct csv_options *options, table_open_cb *open,
                                     void *data);
/* As arrow_reader_feed: bytes cut anywhere, a bounded part of them per call. */
warn_unused int csv_reader_feed(struct csv_reader *r, const void *data, size_t length,
                                size_t *used, struct table_error *error);
/* Appends the rows that are whole by now. Without this, up to a batch of them waits for more. */
warn_unused int csv_reader_flush(struct csv_reader *r, struct table_error *error);
/* No more input: the last rows are appended. */
warn_unused int csv_reader_end(struct csv_reader *r, struct table_error *error);
/* How many rows have been appended, or seen. */
uint64_t csv_reader_rows(const struct csv_reader *r);
/* The memory it holds, about. */
size_t csv_reader_bytes(const struct csv_reader *r);
void csv_reader_destroy(struct csv_reader *r);

/* --- cells as text ----------------------------------------------------------------------------*/

/* Whether all of a text is a cell of the type (of its class; not sym). Texts are borrowed. */
bool cell_parse(enum table_type type, const char *text, size_t length, struct table_cell *cell);

#endif
