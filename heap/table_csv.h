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
 * The types of the columns are those that fit the first CSV_SAMPLE_ROWS rows: i64, u64, f64, bool,
 * date, ts, or else str; all may be null. A number with leading zeros is a text (a postcode). A
 * later cell that does not fit is an error that names its line and column. */
#define CSV_SAMPLE_ROWS 1000
#define CSV_BATCH_BYTES ((size_t)4 << 20) /* a batch is appended when it has so many, */
#define CSV_BATCH_CELLS 65536             /* or so many cells */

struct csv_options {
    char delimiter;      /* 0: a comma */
    bool no_header;      /* the first line is data; columns are called column1, column2, ... */
    const enum table_type *types; /* of all columns, instead of what the sample says; or NULL */
    uint32_t type_count;
};

struct csv_reader;
struct csv_reader *csv_reader_create(const struct csv_options *options, table_open_cb *open,
                                     void *data);
/* As arrow_reader_feed: bytes cut anywhere, a bounded part of them per call. */
warn_unused int csv_reader_feed(struct csv_reader *r, const void *data, size_t length,
                                size_t *used, struct table_error *error);
/* No more input: the last rows are appended. */
warn_unused int csv_reader_end(struct csv_reader *r, struct table_error *error);
void csv_reader_destroy(struct csv_reader *r);

/* --- cells as text ----------------------------------------------------------------------------*/

/* Whether all of a text is a cell of the type (of its class; not sym). Texts are borrowed. */
bool cell_parse(enum table_type type, const char *text, size_t length, struct table_cell *cell);

#endif
