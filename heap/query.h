/* query.h - questions to a table: scans and aggregates, in steps.
 *
 * A query is compiled from heap values (the prefix arrays below) against one pinned version of a
 * table, and then gives its result in batches of columns. It works in steps of a time budget, so
 * that nobody waits for it; between steps the table may change, and the query does not see it.
 *
 *     pred := [= != < <= > >=, name, literal] | ["in", name, [literal…]]
 *           | ["between", name, low, high] | ["null", name] | ["prefix" | "contains", name, text]
 *           | ["and" | "or", pred…] | ["not", pred] | ["cmp", relation, expr, expr]
 *     expr := ["col", name] | ["lit", v] | [+ - * / %, expr, expr] | ["bucket", expr, width]
 *           | ["if", pred, expr, expr] | ["cast", expr, type]
 *
 * A name is that of a column, or of an expression in `let`; those see columns only. Depth up to 32,
 * 1,024 nodes in all, 65,536 literals in a list.
 *
 * What they mean:
 *
 *   null      a comparison with null is unknown, but `in` an empty list is false; `where` and
 *             `having` keep what is true; `if` takes its second branch unless the predicate is
 *             true; aggregates pass nulls over
 *   NaN       is a value: above +infinity, equal to itself; -0.0 equals 0.0
 *   literals  are compared exactly with integers, also if they are doubles; with f32 they are
 *             rounded to f32 first; dates and times are integers (days, microseconds)
 *   + - *     of integers are exact or the query fails (ERANGE). i8…i64, u8…u32 count as int64;
 *             with a u64 the result is a u64. A double on either side gives a double. date +
 *             integer is a date, date - date an integer; ts likewise
 *   /         always gives a double. Division by zero is null
 *   %         the sign of the dividend, as in C; by zero is null
 *   bucket    the largest multiple of width that is not above; also of dates and times
 *   cast      of doubles to integers rounds half to even; out of range the query fails. From and
 *             to texts there is none
 *   cmp       of an integer and a double compares doubles
 *
 * An operand of `and`, `or` and `if` is evaluated only for rows that it can decide; a row that is
 * excluded anyway may or may not be looked at, so that an overflow in it may go unnoticed.
 *
 * Order: nulls last, whether asc or desc; rows that are equal keep the table's order. Without
 * `order` rows come in the table's order, groups in that of their first row.
 *
 * Aggregates, [function, name or expr, …]:
 *
 *   count            rows; with a name: those that are not null
 *   sum              int64, uint64 or double; integers exact or ERANGE; of nothing: null
 *   min max          by the order of table.h; -0.0 comes as 0.0
 *   avg              double
 *   var stddev       of a sample (n - 1); null below two values
 *   quantile median  [.., name, q]: interpolated, a double; of numbers
 *   distinct         exact; approx_distinct: HyperLogLog, standard error 1.6 %
 *   first last       that is not null, in the table's order
 *
 * Sums of doubles have the same bits on every CPU and however the steps fall. */
#ifndef CAIRN_HEAP_QUERY_H
#define CAIRN_HEAP_QUERY_H

#include "heap/table.h"

#define QUERY_DEPTH_MAX 32
#define QUERY_NODES_MAX 1024
#define QUERY_LIST_MAX 65536
#define QUERY_ORDER_MAX 16
#define QUERY_GROUP_MAX 16
#define QUERY_COLUMNS_MAX 1024
/* `limit` + `offset` up to which order keeps only the best rows instead of sorting all. */
#define QUERY_TOP_MAX 16384
#define QUERY_MEMORY_DEFAULT ((size_t)1 << 30)

/* X(NAME, errno) */
#define QUERY_FAULTS(X)                                                                   \
    X(SYNTAX, EINVAL)   /* not a predicate, an expression, an option */                    \
    X(NAME, ENOENT)     /* no such column */                                               \
    X(TYPE, EINVAL)     /* does not go with that type */                                   \
    X(LIMIT, E2BIG)     /* a limit of this file, or the query's memory */                  \
    X(OVERFLOW, ERANGE) /* a result that its type does not hold */                         \
    X(MEMORY, ENOMEM)   /* the heap's limit, or the system's */
enum query_fault {
    QUERY_FAULT_NONE,
#define X(name, error) QUERY_FAULT_##name,
    QUERY_FAULTS(X)
#undef X
};

#define QUERY_ERROR_BYTES 512
struct query_error {
    enum query_fault fault;
    char text[QUERY_ERROR_BYTES]; /* "where[1][2]: …": the place, what is wrong, what is right */
};

/* What a client asks for. VALUE_ABSENT or nil: not given. Used during creation only; lists of many
 * literals the query holds itself. */
struct query_spec {
    value where, let, order, limit, offset;
    value select;             /* scans: a list of names; all columns and lets if not given */
    value group, agg, having; /* aggregates */
};
/* Reads a map with these names (nil: an empty one). Others are an error, but for "batch" and
 * "format", which are the caller's. */
warn_unused int query_spec_read(const struct heap *h, value options, bool aggregate,
                                struct query_spec *spec, struct query_error *error);

/* The same; names in `also` (the last one NULL) are the caller's, too. */
warn_unused int query_spec_read_also(const struct heap *h, value options, bool aggregate,
                                     const char *const *also, struct query_spec *spec,
                                     struct query_error *error);

struct query;

/* Compiles. The pin on `version` passes to the query, if it succeeds. `memory_max` bounds what the
 * query holds besides (0: the default). 0 or an error. */
warn_unused int query_scan_create(struct heap *h, struct table_version *version,
                                  const struct query_spec *spec, size_t memory_max,
                                  struct query **query, struct query_error *error);
warn_unused int query_agg_create(struct heap *h, struct table_version *version,
                                 const struct query_spec *spec, size_t memory_max,
                                 struct query **query, struct query_error *error);
/* Reads and sorts lists of many literals, for about `budget_ns`: what is left of a creation.
 * QUERY_END: nothing is; QUERY_BUSY; or a negative error. query_next and query_next_part do that
 * first, query_explain demands that it is done. */
warn_unused int query_prepare(struct query *query, uint64_t budget_ns, struct query_error *error);
/* Gives the pin back. What was allocated is freed by heap_drop_step. */
void query_destroy(struct query *query);

/* --- results -----------------------------------------------------------------------------------*/

struct query_column {
    const char *name;
    size_t name_length;
    enum table_type type;
    bool null;
    uint32_t column; /* the table's column that it shows unchanged, or UINT32_MAX */
};
uint32_t query_column_count(const struct query *query);
const struct query_column *query_column(const struct query *query, uint32_t index);

/* Up to 1,024 rows. Valid until the next call on this query; texts as long as the query. */
struct query_batch {
    uint32_t rows;
    struct query_batch_column {
        /* By the class of the column's type: int64_t, uint64_t, double or struct table_text. For
         * sym: codes of the dictionary of query_column()->column. */
        const void *data;
        const uint64_t *valid; /* 16 words */
    } *columns;
};

enum query_outcome {
    QUERY_END,  /* nothing is left */
    QUERY_ROWS, /* *batch has at least one row */
    QUERY_BUSY, /* the budget is used up: call again */
};
/* Works until there is a batch, or for about `budget_ns`. A batch has at most `rows_max` rows (0:
 * 1,024) and ends with the row that reaches `bytes_max` (8 for each cell, plus texts; 0: no limit);
 * but rows that were found under larger limits, before QUERY_BUSY, come together.
 * One of enum query_outcome, or a negative error; after that only query_destroy. */
warn_unused int query_next(struct query *query, uint64_t budget_ns, uint32_t rows_max,
                           size_t bytes_max, struct query_batch *batch,
                           struct query_error *error);
/* After a batch or a part of a scan was used: whether another one follows. QUERY_END: none does;
 * QUERY_ROWS: one does, or an error, which query_next then gives; QUERY_BUSY: that could not be
 * said in about `budget_ns`. What was looked at is not looked at again. */
warn_unused int query_look_ahead(struct query *query, uint64_t budget_ns);
/* Instead of batches, where a scan's rows lie: for whoever reads columns in other forms. */
struct query_part {
    uint32_t chunk, vector;
    uint32_t rows; /* of them; at least one */
    /* Those that are not deleted, kept by `where`, and within offset and limit. */
    uint64_t selected[TABLE_VECTOR_WORDS];
};
/* Whether parts say the same as batches: a scan without order, whose columns all are columns of the
 * table. Parts may be changed for batches on the way, batches for parts not. */
bool query_has_parts(const struct query *query);
/* Of any scan without order. As query_next: QUERY_END, QUERY_ROWS, QUERY_BUSY or an error. */
warn_unused int query_next_part(struct query *query, uint64_t budget_ns, struct query_part *part,
                                struct query_error *error);

/* Counts `bytes` more that the caller is about to allocate on behalf of the query, against its
 * limit and the heap's. 0 or an error, which query_error_last tells. */
warn_unused int query_charge(struct query *query, size_t bytes);
/* Gives back what was charged; all of it before query_destroy. */
void query_refund(struct query *query, size_t bytes);
/* The system had none of what was charged: as if it had been refused. */
void query_charge_failed(struct query *query, size_t bytes);
/* Zeroed memory that lives as long as the query, and is charged to it; NULL: see
 * query_error_last. */
warn_unused void *query_keep(struct query *query, size_t bytes);
/* What was wrong last. Valid as long as the query. */
const struct query_error *query_error_last(const struct query *query);
/* The version that it reads. */
struct table_version *query_version(const struct query *query);

/* One cell of a batch. */
void query_batch_cell(const struct query *query, const struct query_batch *batch, uint32_t row,
                      uint32_t column, struct table_cell *cell);

/* --- figures -----------------------------------------------------------------------------------*/

struct query_stats {
    uint64_t rows_total;       /* of the version, deleted ones included */
    uint64_t rows_matched;     /* that `where` kept, of those that had to be looked at so far: none
                                * beyond the limit of a scan without order */
    uint64_t rows_returned;
    uint64_t groups;
    /* Words that mean the same in query_explain, where they are of the query to come. */
    uint64_t chunks;           /* that were looked at: left out by zone maps, */
    uint64_t chunks_skipped;
    uint64_t index_skipped;    /* left out by indexes, which list no row, */
    uint64_t index_chunks;     /* or read by candidates of indexes; the others are read otherwise */
    uint64_t index_rows;       /* the candidates */
    uint64_t vectors;          /* of the chunks that were not left out; of these, */
    uint64_t vectors_skipped;  /* left out by zone maps, or without candidates */
    uint64_t vectors_whole;    /* whose zone maps said that all rows match */
    uint64_t bytes_decoded;    /* as decoded: 8 for each number, 16 for each text */
    size_t memory, memory_peak; /* of the query itself */
};
void query_stats(const struct query *query, struct query_stats *stats);

/* What the query will do, what zone maps and indexes will skip, and which index serves which test,
 * as a map:
 *   {plan, chunks, chunks_skipped, vectors, vectors_skipped, and if an index serves anything
 *    index_chunks, index_skipped, index_rows: as of struct query_stats,
 *    tests: [{column, test, on, chunks_skipped, vectors_skipped: by this test's zone maps alone;
 *             index: its kind or nil, candidates: rows that it lists, index_chunks: where they are
 *             used, index_skipped: where it lists none; why, if none is used}…]}
 * `on` is "packed", "codes", "dictionary", "decoded" or "zone". Looks at 65,536 zone maps at most,
 * and into indexes 16,384 times; the figures are of the chunks up to there. VALUE_ABSENT when
 * memory is short. Before query_next only, and after query_prepare. */
warn_unused value query_explain(struct query *query);

#endif
