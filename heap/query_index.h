/* query_index.h - which rows of a chunk a query has to look at, by the indexes of the table.
 *
 * A plan is made when the query is compiled; for each chunk that zone maps leave it is decided
 * anew, from exact counts, whether indexes are used there:
 *
 *   terms     tests that are all of `where`, or operands of its outermost `and`s, on columns with
 *             an index that serves them. The rows that it lists, and those whose cells changed
 *             since, are *candidates*; each is looked at again
 *   unions    an `or` in such a place, if each of its operands has a branch that is served: one of
 *             these tests, one below nothing but `and`s of the operand, or further `or`s. The rows
 *             that any branch lists are candidates
 *   order     the first key of `order`, with a limit: a term too, whose range is what can still get
 *             in among the best rows so far; before there are enough of them, and without `where`,
 *             the chunk's own best
 *   extremes  nothing but min and max of whole columns: each chunk's least and greatest row
 *
 * The rule: a term that lists no row leaves the chunk out. Else indexes are used if the term with
 * the fewest candidates has at most INDEX_ROWS_PER_VECTOR for each vector that zone maps leave of
 * the chunk (which are looked at only if it has more than one); of the others, those with as few
 * narrow the candidates further. Reading a cell costs about a sixtieth of reading a vector. */
#ifndef CAIRN_HEAP_QUERY_INDEX_H
#define CAIRN_HEAP_QUERY_INDEX_H

#include "heap/query_int.h"

#define INDEX_TERMS_MAX 8
#define INDEX_KEYS_MAX 64 /* literals of an `in`, or in the branches of an `or`: more look-ups cost
                           * what reading a chunk does */
#define INDEX_ROWS_PER_VECTOR 8

enum term_form {
    TERM_RANGE, /* low to high; negated: what is outside, and not null */
    TERM_KEYS,  /* equal to one of keys */
    TERM_NULL,
    TERM_VALID,
    TERM_ORDER, /* what can be among the best rows */
    TERM_UNION, /* what any of the branches lists */
};
struct query_term {
    enum term_form form;
    enum table_index_kind kind;
    uint32_t column;
    uint32_t test;                    /* or QUERY_NONE */
    bool negate;
    bool equality;                    /* RANGE: of what equals low */
    bool has_low, has_high, low_after, high_after; /* `after`: beyond what equals the bound */
    struct table_index_key low, high;
    struct table_index_key *keys;
    uint32_t key_count;
    struct query_term *branches;      /* UNION: of the other forms */
    uint32_t branch_count;            /* up to INDEX_KEYS_MAX */
    /* of the chunk */
    bool found;                       /* it has the index */
    struct table_index_view view;
    struct table_index_range *ranges;
    uint32_t range_count, rows;
    /* figures */
    uint64_t candidates, chunks_found, chunks_used, chunks_skipped;
};

struct query_index {
    uint32_t term_count;
    struct query_term terms[INDEX_TERMS_MAX + 1];
    bool extremes;
    uint32_t rows_per_vector;         /* INDEX_ROWS_PER_VECTOR; tests set others */
    uint32_t probes;                  /* look-ups since the clock was looked at */
    bool active;                      /* the open chunk is read by candidates */
    uint64_t vectors;                 /* of the open chunk, with candidates */
    uint64_t *candidates, *other;     /* bitmaps of a chunk's slots */
    uint64_t addresses[QUERY_ROWS_VECTOR]; /* of rows that are read one by one */
    uint32_t gathered;                /* of these, that `where` is looking at */
    uint64_t chunks_used, chunks_skipped, rows; /* figures */
};

/* After everything else is compiled. q->index stays NULL if no index can serve. */
warn_unused int query_index_plan(struct query *q);

enum index_use { INDEX_SCAN, INDEX_CANDIDATES, INDEX_NOTHING };
/* Looks at the chunk q->chunk, which zone maps leave. */
enum index_use query_index_enter(struct query *q);
/* How many of the open chunk's vectors have no candidates. */
static inline uint32_t query_index_empty(const struct query_index *x, uint32_t vectors)
{
    return vectors - (uint32_t)__builtin_popcountl(x->vectors);
}
/* The open chunk's next vector with candidates, from `vector` on; QUERY_NONE: none. */
uint32_t query_index_next_vector(const struct query_index *x, uint32_t vector);
/* Candidates of chunks that are read by them, one by one, up to `most` (and 1,024), as a source of
 * addresses: those that `where` keeps are in *mask. QUERY_ROWS; QUERY_BUSY: none so far; QUERY_END:
 * the next chunk is read otherwise, or there is none. */
warn_unused int query_index_gather(struct query *q, uint64_t most, struct query_source *s,
                                   uint64_t *mask);

/* query_index_plan.c: the key of a lane of a column that has no texts. */
struct table_index_key query_index_number(enum table_class class, uint64_t lane);

/* query_scan.c: opens q->chunk if it is not open yet. False if it is left out: there is another
 * one, or none. */
bool query_chunk_open(struct query *q);
void query_chunk_leave(struct query *q);

#endif
