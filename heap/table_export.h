/* table_export.h - what a query finds, as bytes in another format, piece by piece.
 *
 *     query_scan_create -> export_create -> export_step ... -> export_destroy -> query_destroy
 *
 * The query pins a version, so the bytes are of one moment. Formats are drawn in table_arrow.h,
 * table_csv.h and table_npy.h. What an export holds (the piece that it makes, a batch's texts) is
 * charged to its query, and so bounded by the query's limit; usually it is about one piece. */
#ifndef CAIRN_HEAP_TABLE_EXPORT_H
#define CAIRN_HEAP_TABLE_EXPORT_H

#include "heap/query.h"

/* X(NAME, name) */
#define EXPORT_FORMATS(X) X(ARROW, "arrow") X(CSV, "csv") X(JSONL, "jsonl") X(NPY, "npy")
enum export_format {
#define X(name, text) EXPORT_##name,
    EXPORT_FORMATS(X) EXPORT_FORMAT_COUNT
#undef X
};

#define EXPORT_NULL_BYTES_MAX 64

/* How an Arrow stream has the dictionary of a sym column. Not all readers know deltas. */
enum export_dictionary {
    EXPORT_DICTIONARY_AUTO,  /* whole, if it is not longer than readers like ours take */
    EXPORT_DICTIONARY_DELTA, /* some symbols a message */
    EXPORT_DICTIONARY_WHOLE, /* one message, whose texts have at most 2 GiB */
};

struct export_options {
    enum export_format format;
    bool no_header;        /* CSV: no line with the names */
    char delimiter;        /* CSV; 0: a comma */
    /* CSV: what null is written as, without quotes; texts that are the same get quotes. At most
     * EXPORT_NULL_BYTES_MAX. */
    const char *null_text;
    size_t null_length;
    size_t piece_bytes;    /* about so long a piece should be; 0: EXPORT_PIECE_BYTES */
    uint32_t rows_max;     /* of a record batch; 0: as many as fit */
    enum export_dictionary dictionary; /* Arrow */
    /* Arrow, EXPORT_DICTIONARY_AUTO: up to here, in bytes of the message's body, it is whole. 0:
     * EXPORT_DICTIONARY_BYTES. */
    size_t dictionary_bytes;
};
/* What readers take as one message: ARROW_LIMITS_DEFAULT. */
#define EXPORT_DICTIONARY_BYTES ((size_t)256 << 20)
#define EXPORT_PIECE_BYTES ((size_t)1 << 20)
/* More is taken for this: a piece is put together in one go. */
#define EXPORT_PIECE_BYTES_MAX EXPORT_PIECE_BYTES

struct export;

/* The query is the caller's, and stays until after export_destroy; nobody else reads from it.
 * `counter`: for .npy, whose header tells the number of rows, a second query without order that
 * keeps the same rows, else NULL; it passes to the export, if that succeeds. 0 or an error, as of
 * queries: columns that the format does not have, or no memory. */
warn_unused int export_create(struct query *query, struct query *counter,
                              const struct export_options *options, struct export **export,
                              struct query_error *error);
/* From the next piece, or batch, on. */
void export_set_sizes(struct export *export, size_t piece_bytes, uint32_t rows_max);
/* Works about `budget_ns`, some tens of microseconds at least. 1: more to do; `*data` and `*length`
 * are the next piece, often empty, valid until the next call. 0: that was the last piece. Or an
 * error, after which only export_destroy is left. */
warn_unused int export_step(struct export *export, uint64_t budget_ns, const unsigned char **data,
                            size_t *length, struct query_error *error);
/* Of the last piece, or what the caller has not used of its front: is it the last one? 0: it is,
 * and has got longer by what ends the stream; 1: it is not; QUERY_BUSY: that could not be said in
 * about `budget_ns`. Whatever fails meanwhile fails the next step. */
warn_unused int export_look_ahead(struct export *export, uint64_t budget_ns,
                                  const unsigned char **data, size_t *length);
/* Of all pieces so far. */
uint64_t export_rows(const struct export *export);
enum export_format export_format_of(const struct export *export);
/* May be NULL. */
void export_destroy(struct export *export);

const char *export_format_name(enum export_format format);

#endif
