/* table_arrow.h - tables as Arrow IPC streams, out and in.
 *
 * Out (table_export.h): a schema; for every sym column its dictionary, in pieces (the first whole,
 * the others deltas); record batches of about a piece; the end of the stream. Types:
 *
 *     i8..u64, f32, f64, bool, str, bin   int, float, bool, utf8, binary
 *     sym                                 dictionary<int32, utf8>
 *     date, ts                            date32[day], timestamp[us, UTC]
 *
 * Messages and buffers are aligned to 64 bytes from the stream's beginning. Columns that may be
 * null always have a validity bitmap, the others never.
 *
 * In: the same, and integers as indices of any width, 64-bit offsets, date64, timestamps in other
 * units (nanoseconds lose what is below a microsecond); and files, as far as they are a stream
 * with a footer (schema and dictionaries come first). Nested types, views, decimals, times and
 * compressed bodies are refused by name. */
#ifndef CAIRN_HEAP_TABLE_ARROW_H
#define CAIRN_HEAP_TABLE_ARROW_H

#include "heap/table_out.h"

/* --- reading ----------------------------------------------------------------------------------*/

/* Who gives a reader its table once the columns are known: a new one, or one that has columns of
 * these names and types; what it has besides is null. 0 or an error that is told in `error`. */
typedef int table_open_cb(void *data, const struct table_field *fields, uint32_t count,
                          struct table **t, struct table_error *error);

struct arrow_limits {
    size_t metadata_bytes; /* of one message */
    size_t body_bytes;
    size_t dictionary_bytes; /* of all dictionaries together */
    size_t codes_bytes;      /* of what is known of them, column by column */
};
#define ARROW_LIMITS_DEFAULT                                                                      \
    {(size_t)4 << 20, (size_t)256 << 20, (size_t)256 << 20, (size_t)256 << 20}

enum table_feed {
    TABLE_FEED_MORE, /* all of the input was used; more is wanted */
    TABLE_FEED_WORK, /* call again with what was not used, even if that is nothing */
    TABLE_FEED_DONE, /* the stream has ended; the rest of the input does not belong to it */
};

struct arrow_reader;
struct arrow_reader *arrow_reader_create(const struct arrow_limits *limits, table_open_cb *open,
                                         void *data);
/* Takes bytes, cut anywhere. One call appends at most some thousands of rows, or one row if it is
 * long; what it allocates is little beside what arrow_reader_bytes told before. Rows that were
 * appended before an error stay (pin a version before, and table_restore it). The table must
 * live, and be changed by nobody else, until the reader is destroyed. enum table_feed, or an
 * error: every later call fails, too. */
warn_unused int arrow_reader_feed(struct arrow_reader *r, const void *data, size_t length,
                                  size_t *used, struct table_error *error);
/* No more input. 0 if the stream was whole (its end mark may lack), or an error. */
warn_unused int arrow_reader_end(struct arrow_reader *r, struct table_error *error);
uint64_t arrow_reader_rows(const struct arrow_reader *r);
size_t arrow_reader_bytes(const struct arrow_reader *r); /* the memory it holds, about */
void arrow_reader_destroy(struct arrow_reader *r);

/* --- what both know of the format ---------------------------------------------------------------
 *
 * Field numbers of the tables of Schema.fbs and Message.fbs. */
enum { ARROW_VERSION_5 = 4 };
enum { ARROW_MESSAGE_VERSION, ARROW_MESSAGE_KIND, ARROW_MESSAGE_HEADER, ARROW_MESSAGE_BODY };
enum arrow_kind { ARROW_SCHEMA = 1, ARROW_DICTIONARY_BATCH, ARROW_RECORD_BATCH };
enum { ARROW_SCHEMA_ENDIANNESS, ARROW_SCHEMA_FIELDS };
enum { ARROW_FIELD_NAME, ARROW_FIELD_NULLABLE, ARROW_FIELD_TYPE_ID, ARROW_FIELD_TYPE,
       ARROW_FIELD_DICTIONARY, ARROW_FIELD_CHILDREN };
enum { ARROW_ENCODING_ID, ARROW_ENCODING_INDEX };
enum { ARROW_BATCH_LENGTH, ARROW_BATCH_NODES, ARROW_BATCH_BUFFERS, ARROW_BATCH_COMPRESSION };
enum { ARROW_DICTIONARY_ID, ARROW_DICTIONARY_DATA, ARROW_DICTIONARY_DELTA };

/* X(NAME, number, name) */
#define ARROW_TYPES(X)                                                                           \
    X(NULL, 1, "null") X(INT, 2, "int") X(FLOAT, 3, "float") X(BINARY, 4, "binary")               \
    X(UTF8, 5, "utf8") X(BOOL, 6, "bool") X(DECIMAL, 7, "decimal") X(DATE, 8, "date")             \
    X(TIME, 9, "time") X(TIMESTAMP, 10, "timestamp") X(INTERVAL, 11, "interval")                  \
    X(LIST, 12, "list") X(STRUCT, 13, "struct") X(UNION, 14, "union")                             \
    X(FIXED_BINARY, 15, "fixed_size_binary") X(FIXED_LIST, 16, "fixed_size_list")                 \
    X(MAP, 17, "map") X(DURATION, 18, "duration") X(LARGE_BINARY, 19, "large_binary")             \
    X(LARGE_UTF8, 20, "large_utf8") X(LARGE_LIST, 21, "large_list")                               \
    X(RUNS, 22, "run_end_encoded") X(BINARY_VIEW, 23, "binary_view") X(UTF8_VIEW, 24, "utf8_view")
enum arrow_type {
#define X(name, number, text) ARROW_##name = number,
    ARROW_TYPES(X)
#undef X
};

#endif
