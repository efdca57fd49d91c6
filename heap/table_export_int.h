/* table_export_int.h - inside of exports: what their formats have in common. Each has a struct that
 * begins with a struct export, all in memory of the query. */
#ifndef CAIRN_HEAP_TABLE_EXPORT_INT_H
#define CAIRN_HEAP_TABLE_EXPORT_INT_H

#include "heap/table_export.h"
#include "heap/table_out.h"

enum export_outcome {
    EXPORT_BUSY,  /* `out` is not a piece yet */
    EXPORT_PIECE, /* it is */
    EXPORT_END,   /* it is the last one */
};

struct export_class {
    /* Makes the struct. 0 or an error. */
    int (*create)(struct query *q, struct query *counter, const struct export_options *o,
                  struct export **e, struct query_error *error);
    /* Some tens of microseconds of work that appends to `out`; a query may be given `budget_ns`.
     * enum export_outcome, or an error, in export->error. `out` that failed is seen to. */
    int (*work)(struct export *e, uint64_t budget_ns);
    void (*close)(struct export *e); /* buffers of its own; NULL: none */
    /* After a piece: whether all rows that the query has given are in pieces. */
    bool (*settled)(const struct export *e);
    /* Then, if the query has no more: appends what is left. NULL: nothing is. */
    void (*end)(struct export *e);
};

extern const struct export_class arrow_export, csv_export, jsonl_export, npy_export;

struct export {
    const struct export_class *class;
    struct query *query;
    struct table_out out;
    bool lent;           /* `out` is what the caller reads */
    uint64_t rows;
    size_t piece_bytes;
    uint32_t rows_max;   /* 0: any */
    struct query_error error;
};

/* The error that a format has found; returns its errno. */
int export_fail(struct query_error *error, enum query_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* -ENOMEM or -E2BIG: what the query could not be charged with. */
int export_fail_memory(struct query *q, struct query_error *error);
/* Names must be UTF-8 in `what`. 0 or an error. */
warn_unused int export_check_names(struct query *q, const char *what, struct query_error *error);

#endif
