/* query_int.h - the inside of queries. Only files of heap/query_*.c and their tests include it.
 *
 *   spec (heap values) ── query_compile.c, query_literal.c ──> code: instructions and tests
 *   code × source (a vector; some rows; groups) ── query_eval.c, query_math.c ──> bitmap, registers
 *   scan:  vectors -> where -> output                                        query_scan.c
 *          vectors -> where -> keys -> sorter -> rows by address -> output   query_sort.c
 *   agg:   vectors -> where -> keys -> groups -> accumulators                query_group.c, _agg.c
 *          groups -> finished columns -> having -> (sorter) -> output
 *
 * `not` is gone after compilation: it is pushed down to the tests (in three-valued logic too, not
 * (a and b) is (not a) or (not b)), and a test that is negated keeps the rows that are not null
 * and do not match. So what is evaluated is one bitmap, "true"; unknown and false are alike. */
#ifndef CAIRN_HEAP_QUERY_INT_H
#define CAIRN_HEAP_QUERY_INT_H

#include <float.h>
#include <math.h>
#include <stdarg.h>

#include "heap/external.h"
#include "heap/heap_int.h"
#include "heap/query.h"
#include "heap/table_index.h"
#include "heap/table_kernels.h"
#include "heap/table_key.h"

#define QUERY_ROWS_VECTOR TABLE_VECTOR_ROWS
#define QUERY_WORDS TABLE_VECTOR_WORDS
#define QUERY_NONE UINT32_MAX

/* What is done between two looks at the clock is counted, as about so many nanoseconds. Whatever
 * grows with what clients send (bytes of texts, instructions, aggregates, columns, new groups)
 * stops with QUERY_BUSY when this much is counted, keeps in the query how far it is, and goes on
 * when it is called again with the same arguments. Each call gets at least one thing done. */
#define QUERY_WORK_MAX 65536

/* What is computed with. Columns up to u32 are INT. */
enum query_kind {
    QUERY_INT,
    QUERY_UINT,
    QUERY_FLOAT,
    QUERY_BOOL,
    QUERY_TEXT,
    QUERY_BYTES,
    QUERY_DATE,
    QUERY_TS,
    QUERY_NOTHING, /* a literal null */
};
/* In which kind of lane expressions compute with cells of a type. */
enum query_kind query_kind_of(enum table_type type);
enum table_type query_type_of(enum query_kind kind);
const char *query_kind_name(enum query_kind kind);
static inline bool kind_is_text(enum query_kind k) { return k == QUERY_TEXT || k == QUERY_BYTES; }
static inline bool kind_is_number(enum query_kind k) { return k <= QUERY_FLOAT; }
static inline bool kind_is_time(enum query_kind k) { return k == QUERY_DATE || k == QUERY_TS; }

/* The order key of a lane (a decoded element) of a kind that is not a text. */
static inline uint64_t key_of_lane(enum query_kind kind, uint64_t lane)
{
    double d;
    if (kind == QUERY_UINT) return lane;
    if (kind != QUERY_FLOAT) return key_of_int((int64_t)lane);
    memcpy(&d, &lane, sizeof d);
    return key_of_double(d);
}
static inline uint64_t lane_of_key(enum query_kind kind, uint64_t key)
{
    uint64_t lane;
    if (kind == QUERY_UINT) return key;
    if (kind != QUERY_FLOAT) return (uint64_t)key_to_int(key);
    double d = key_to_double(key);
    memcpy(&lane, &d, sizeof lane);
    return lane;
}

/* --- bitmaps -----------------------------------------------------------------------------------*/

static inline bool bits_any(const uint64_t *b)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < QUERY_WORDS; i++) any |= b[i];
    return any != 0;
}
static inline void bits_copy(uint64_t *to, const uint64_t *from)
{
    memcpy(to, from, QUERY_WORDS * sizeof *to);
}
static inline void bits_and(uint64_t *b, const uint64_t *with)
{
    for (unsigned i = 0; i < QUERY_WORDS; i++) b[i] &= with[i];
}
static inline void bits_clear(uint64_t *b) { memset(b, 0, QUERY_WORDS * sizeof *b); }
static inline bool bits_get(const uint64_t *b, size_t i) { return b[i / 64] >> i % 64 & 1; }
static inline void bits_set(uint64_t *b, size_t i) { b[i / 64] |= (uint64_t)1 << i % 64; }

/* --- code --------------------------------------------------------------------------------------*/

/* One column of 1,024 rows, decoded. */
struct query_vector {
    union {
        int64_t *i;
        uint64_t *u;
        double *d;
        struct table_text *t;
        void *any;
    };
    uint64_t valid[QUERY_WORDS];
};

enum query_relation { REL_EQ, REL_NE, REL_LT, REL_LE, REL_GT, REL_GE };

/* Frames hold the rows that are still to be decided (active) and those that are true. */
enum query_op {
    OP_AND,     /* opens a frame; jump: its OP_END */
    OP_OR,
    OP_IF,      /* opens a frame for the predicate and both branches */
    OP_THEN,    /* active: where the predicate is true */
    OP_ELSE,    /* active: where not */
    OP_BLEND,   /* closes it; register to = b where not */
    OP_END,
    OP_TEST,    /* index: of the test */
    OP_CMP,     /* before the operands; jump: its OP_COMPARE */
    OP_COMPARE, /* registers a and b, by kind */
    OP_COMPARE_MIXED, /* a is INT, b is UINT */
    OP_LOAD,    /* index: of the column */
    OP_LITERAL, /* index: of the literal */
    OP_CONVERT, /* in place, from kind to kind_to */
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_MODULO,
    OP_BUCKET,
    OP_CAST,    /* to `type`, from kind */
};
struct query_instr {
    uint8_t op, kind, kind_to, type;
    uint8_t to, a, b;
    uint8_t relation; /* comparisons; of arithmetic: the kind of the result */
    uint32_t index;
    uint32_t jump;
};

enum query_test_form {
    TEST_UNKNOWN, /* never true */
    TEST_ALWAYS,  /* true of every row, null or not */
    TEST_VALID,   /* not null; negated: never */
    TEST_NULL,
    TEST_RANGE,   /* numbers and codes: an inclusive range */
    TEST_SET,     /* numbers: one of keys[] */
    TEST_TEXT,    /* texts: low and high */
    TEST_TEXTS,   /* one of texts[] */
    TEST_PREFIX,
    TEST_CONTAINS,
};
struct query_test {
    enum query_test_form form;
    bool negate;
    uint32_t column;
    enum query_kind kind;
    enum table_class class;
    struct table_range range;
    uint64_t *keys;              /* sorted order keys */
    struct table_text *texts;    /* sorted */
    uint32_t count;
    struct table_text low, high; /* data NULL: unbounded. Prefix, contains: low is what to find */
    bool low_strict, high_strict;
    /* What is known of codes: 0 nothing yet, 1 no, 2 yes. For a chunk's dictionary: of `chunk`. */
    uint8_t *verdicts;
    uint32_t verdict_count, chunk;
    /* query_search.c, of long texts to find: where to go on at, after a mismatch at i; -1: with
     * the next byte. Those below skip_count are known; skip_next: what the next one depends on. */
    int32_t *skips;
    uint32_t skip_count;
    int32_t skip_next;
    uint64_t chunks_skipped, vectors_skipped; /* explain */
    const char *unindexed;       /* why no index serves it; NULL: one does */
};

/* The literals of an `in` that are too many for the step that compiles: query_prepare reads and
 * sorts them. Sorting merges runs of `width` items to and fro between `items` and `spare`. */
struct query_list {
    uint32_t test;
    const struct query_field *field;
    const char *place;
    uint32_t at, length;  /* literals that are read, of so many */
    bool nulls;           /* one is nil */
    unsigned char *items, *spare;
    uint32_t width;       /* 0: sorting has not begun */
    uint32_t base, left, right; /* the pair of runs that is merged, and how far each is taken */
};

struct query_literal {
    enum query_kind kind;
    uint64_t lane;
    struct table_text text;
};

/* A compiled predicate or expression: a part of the code. */
struct query_code {
    uint32_t start, end;
    enum query_kind kind;   /* of an expression's value, in register 0 */
    enum table_type type;
    bool null;
    uint32_t column;        /* an expression that is just a column: which; else QUERY_NONE */
};

/* What names mean: columns of the table, or of an aggregate's result. */
struct query_field {
    const char *name;
    size_t length;
    enum table_type type;
    bool null;
    value let; /* an expression to put in its place, or VALUE_ABSENT */
    struct query_code code; /* of the let, by itself */
};
struct query_scope {
    const struct query_field *fields;
    uint32_t count;
    bool table; /* fields are the table's columns first, then lets */
};

/* --- sources: what code runs over --------------------------------------------------------------*/

enum query_source_form { SOURCE_VECTOR, SOURCE_ADDRESSES, SOURCE_RESULT };
struct query_source {
    enum query_source_form form;
    uint32_t chunk, vector;
    const uint64_t *addresses; /* chunk << 16 | slot; or groups */
    uint32_t rows;
    struct query_vector *result; /* finished columns of `rows` groups */
};
static inline uint64_t address_make(uint32_t chunk, uint32_t slot)
{
    return (uint64_t)chunk << 16 | slot;
}

/* --- sorting -----------------------------------------------------------------------------------*/

/* An entry: for each key one word (texts: three: prefix, data, length), then the address, with
 * one bit for each null key from bit SORT_NULL_SHIFT on. A descending key is inverted; a null one
 * is all ones. */
#define SORT_NULL_SHIFT 40
#define SORT_BLOCK_ROWS 4096
#define SORT_WAYS 16
#define SORT_DIGITS 9 /* of a word: 8 bytes, then whether it is null */
struct query_sort_key {
    enum query_kind kind;
    bool descending;
    uint8_t word;
};
struct query_sorter {
    uint32_t key_count, words;
    struct query_sort_key keys[QUERY_ORDER_MAX];
    struct query_vector *vectors; /* of the keys, for the callers of sorter_add */
    bool texts;
    uint64_t top;               /* keep so many only; 0: all */
    uint64_t count;
    uint64_t *heap;             /* top: the worst first; when done, in order */
    uint64_t heap_left;         /* still to be taken out of the heap */
    uint64_t bytes_compared;    /* of texts; at most, since who calls has counted them */
    uint64_t **blocks, **other; /* SORT_BLOCK_ROWS entries each */
    uint32_t block_count, block_capacity;
    uint32_t (*histograms)[256]; /* radix: of each digit of each key; NULL: merge */
    uint32_t digit;             /* the pass under way */
    bool pass_open;
    uint64_t at;                /* entries done in this pass */
    uint64_t places[256];
    struct {                    /* merge */
        uint32_t width;         /* blocks in a run; 0: blocks are not sorted yet */
        uint32_t rows;          /* entries in a run of the block that is being sorted; 0: none */
        uint32_t first, left, right; /* of the two runs that are being merged: what is next */
        uint32_t group;         /* the first block of the runs that are being merged */
        uint32_t ways;
        struct { uint32_t block, end, row; } runs[SORT_WAYS];
        uint8_t heap[SORT_WAYS];
        uint64_t *spare;
    } merge;
    bool done;
    uint64_t read;
};

/* --- groups ------------------------------------------------------------------------------------*/

#define GROUP_DIRECT_MAX ((uint64_t)1 << 20)
#define GROUP_CHUNKS_MAX 4096 /* whose zone maps are looked at for the domain of a key */
#define RECORD_BLOCK_SHIFT 10 /* records in a block, unless they take more than so many bytes: */
#define RECORD_BLOCK_BYTES ((uint64_t)1 << 18)
#define GROUPS_MAX (UINT32_MAX - 1)
#define SEGMENT_SLOTS 2048
#define SEGMENT_DEPTH_MAX 17

/* Extendible hashing from 32 bits of a hash to the index of a thing: growth splits one segment at a
 * time. Who asks compares the things. */
struct query_segment {
    uint32_t depth, count;
    struct query_slot {
        uint32_t tag, index; /* index + 1; 0: free */
    } slots[SEGMENT_SLOTS];
};
struct query_hash {
    struct query_segment **directory; /* 1 << depth, by the highest bits of the tag */
    uint32_t depth;
};
static inline struct query_segment *hash_segment(const struct query_hash *h, uint32_t tag)
{
    return h->directory[(uint64_t)tag << h->depth >> 32];
}

/* Things of one size, in blocks that never move. */
struct query_array {
    uint32_t item_bytes;
    uint32_t shift;       /* items in a block: 1 << shift */
    uint64_t count;
    unsigned char **blocks;
    uint32_t block_count, block_capacity;
};
static inline void *array_at(const struct query_array *a, uint64_t i)
{
    return a->blocks[i >> a->shift] + (i & (((uint64_t)1 << a->shift) - 1)) * a->item_bytes;
}

/* Texts to numbers 0, 1, …: equal texts have one. */
struct query_interner {
    struct query_hash hash;
    struct query_array texts; /* struct table_text */
};

/* Pairs of numbers: is it new? */
struct query_pairs {
    struct query_hash hash;
    struct query_array pairs;
};

struct query_key {
    struct query_code code;
    bool text;             /* lanes are numbers of the interner */
    struct query_interner *interner;
    uint64_t min, span;    /* direct: lanes min..min+span-1, and null */
    uint64_t factor;
    struct query_vector lanes;
    uint32_t *cache;       /* by code of the chunk's dictionary: number + 1 */
    uint32_t cache_count, cache_chunk;
};

enum query_function {
    AGG_COUNT, AGG_SUM, AGG_MIN, AGG_MAX, AGG_AVG, AGG_VAR, AGG_STDDEV, AGG_QUANTILE, AGG_MEDIAN,
    AGG_DISTINCT, AGG_APPROX, AGG_FIRST, AGG_LAST, AGG_FUNCTIONS
};
struct query_aggregate {
    enum query_function function;
    bool has_argument;
    bool text;           /* its values are texts */
    bool opened;         /* what it keeps besides accumulators is made with its first rows */
    bool whole;          /* without groups: from packed data, into `sum` and `extremes` */
    struct query_code code;
    double quantile;
    uint32_t offset;     /* of its accumulator in a group's record */
    uint32_t count_offset; /* of the count of values: its own, or of the group's rows */
    struct table_sum sum;
    struct table_extremes extremes;
    struct query_interner *interner; /* distinct */
    struct query_pairs *pairs;
    struct query_sorter *values;     /* quantile: by group and value */
};

enum agg_phase { AGG_READ, AGG_VALUES, AGG_KEYS, AGG_SORT, AGG_WRITE };

/* A group's record: [rows][which keys are null, if any can be][keys][accumulators]. */
struct query_agg {
    enum agg_phase phase;
    uint32_t key_count, aggregate_count;
    struct query_key *keys;
    struct query_aggregate *aggregates;
    bool count_rows;         /* somebody needs the count of a group's rows */
    uint32_t null_offset;    /* 0: keys are never null */
    uint32_t key_offset;
    struct query_array records;
    uint32_t *direct;        /* group + 1, by key; NULL: hash */
    struct query_hash hash;
    uint64_t seed[2];
    unsigned char **at;      /* the record of each selected row of the vector */
    uint32_t *groups;
    uint32_t *tags;
    uint16_t *positions;
    unsigned char **kept_at; /* those of them with a value */
    uint16_t *kept_positions;
    bool reading;            /* a vector that is not done with: */
    bool grouped;            /* groups of its rows are known; else, if they are being found: */
    bool finding;
    bool key_loaded;         /* of a key of texts, that rows get numbers for */
    uint32_t key_next;       /* the next key to load */
    bool argument_loaded;    /* of the next aggregate */
    struct query_source read_source;
    uint64_t read_mask[QUERY_WORDS];
    uint32_t read_count;     /* rows of it */
    uint32_t aggregate_next; /* the next aggregate that it goes to */
    uint32_t row_next;       /* the next row of what is under way, one of positions[] */
    uint32_t sketch_slots_max; /* SKETCH_SLOTS_MAX; tests set others */
    uint32_t finish_cells;   /* a group as cells: query_piece_rows */
    uint32_t null_group;     /* of a single key of texts; QUERY_NONE: not met yet */
    uint32_t loaded;         /* the column in register 0, or QUERY_NONE */
    struct query_vector *result; /* finished columns of as many groups as a piece has */
    uint64_t *addresses;     /* their numbers */
    struct query_source source;
    uint64_t pending[QUERY_WORDS];
    bool has_pending;
    uint32_t filtering;      /* so many groups are finished, and `having` is looking at them */
    struct query_code having;
    bool has_having;
    uint64_t next;           /* the next group to finish */
    uint32_t value_next;     /* the next quantile to sort */
    uint64_t value_group, value_place;
};

struct query_scan;
struct query_index; /* query_index.h */

/* --- the query ---------------------------------------------------------------------------------*/

struct query_memory; /* query_memory.c: head of a block */

struct query_frame {
    uint8_t op;
    uint32_t end;
    uint64_t base[QUERY_WORDS], active[QUERY_WORDS], truth[QUERY_WORDS];
};

/* Code that is being run: what remains of it when it stopped with QUERY_BUSY. */
struct query_eval {
    bool open;                /* it did: at this instruction, in this frame */
    uint32_t at, frame;
    struct {                  /* a test that stopped at a row: what it has found so far */
        bool open, codes;
        uint32_t row;
        uint64_t matches[QUERY_WORDS], valid[QUERY_WORDS];
    } test;
    struct {                  /* a search that stopped within a text */
        bool open;
        size_t at;
        int64_t matched;
    } search;
};

/* Zone maps that are being looked at. */
struct query_zones {
    bool open;
    uint32_t at;
    unsigned depth;
    uint8_t zones[QUERY_DEPTH_MAX + 2], ops[QUERY_DEPTH_MAX + 2];
};

/* Rows that are being appended to the output. */
struct query_appending {
    bool open;
    uint32_t column;          /* the next one */
    uint32_t count;
    uint16_t positions[QUERY_ROWS_VECTOR];
    size_t text_bytes[QUERY_ROWS_VECTOR]; /* of each row's texts so far */
};

struct query {
    struct external external; /* first: counts the memory */
    struct heap *heap;
    struct table_version *version;
    struct table *table;
    struct query_memory *memory;
    size_t memory_max, memory_peak;
    size_t charged;           /* of query_charge */
    struct query_error error;
    int failed;               /* found while looking ahead; the next batch is this error */

    struct query_instr *code;
    uint32_t code_count, code_capacity;
    struct query_test *tests;
    uint32_t test_count, test_capacity;
    struct query_literal *literals;
    uint32_t literal_count, literal_capacity;
    uint32_t nodes;
    uint32_t listed;             /* literals of lists that were read at once */
    struct query_list *lists;    /* the others; their values are in `frame`, which is then open */
    uint32_t list_count, list_capacity, list_next;
    struct root_frame frame;
    bool prepared;               /* they are read, and it is known which indexes are used */
    uint32_t register_count;
    struct query_vector *registers;
    struct query_vector scratch; /* of tests */
    uint32_t *codes;             /* 1,024 of them */
    struct query_frame *frames;
    uint64_t work, work_max;     /* since the last look at the clock; QUERY_WORK_MAX, or less */
    uint64_t work_most;          /* that there was between two looks; for tests */
    struct query_eval eval;
    struct query_zones zones;
    struct query_appending appending;

    struct query_field *fields; /* columns, lets */
    uint32_t field_count;
    bool has_where;
    struct query_code where;

    struct query_column *columns; /* of the result */
    uint32_t column_count;
    struct query_vector *output;  /* one for each, made with its first rows */
    struct query_batch_column *batch;
    uint32_t output_rows;         /* gathered so far */
    size_t output_bytes;

    uint64_t limit, offset;       /* what is left of them */
    uint32_t chunk, vector;       /* the next one */
    uint32_t looked, looks;       /* vectors since the last look at the clock; at most so many */
    struct query_counts *explained; /* query_explain.c; NULL: not begun */
    bool chunk_open;              /* zone maps of the chunk were looked at */
    bool testing;                 /* `where` has begun with this vector: */
    struct query_source tested;
    struct query_sorter *sorter;
    uint32_t order_count;
    struct query_code order[QUERY_ORDER_MAX];
    bool descending[QUERY_ORDER_MAX];
    struct query_scan *scan;      /* one of the two */
    struct query_agg *agg;
    struct query_index *index; /* NULL: none can serve */
    struct query_stats stats;
};

/* query_memory.c */
__attribute__((format(printf, 3, 4)))
int query_fail(struct query *q, enum query_fault fault, const char *format, ...);
int query_fail_memory(struct query *q);
/* Counted, up to the query's limit; NULL and q->error if there is none. Zeroed. */
warn_unused void *query_alloc(struct query *q, size_t bytes);
void query_free(struct query *q, void *memory);
/* Makes room for one more in an array; *array may move. 0 or an error. */
warn_unused int query_grow(struct query *q, void *array, uint32_t count, uint32_t *capacity,
                           size_t item_bytes);
warn_unused int query_copy_text(struct query *q, const void *data, size_t length,
                                struct table_text *copy);
warn_unused int query_copy_value_text(struct query *q, value v, struct table_text *copy);
void array_init(struct query_array *a, size_t item_bytes, unsigned shift);
warn_unused int array_push(struct query *q, struct query_array *a);
warn_unused int query_new(struct heap *h, struct table_version *version, size_t memory_max,
                          struct query **query, struct query_error *error);
/* After a failed creation: q's error goes to *error, the version stays the caller's. */
int query_new_failed(struct query *q, int status, struct query_error *error);

/* Whether an option was given: nil is as if it was not. */
static inline bool given(value v) { return v != VALUE_ABSENT && v != VALUE_NIL; }

/* query_compile.c */
warn_unused int query_compile(struct query *q, const struct query_scope *scope, value source,
                              bool predicate, const char *place, struct query_code *code);
/* That no column of the result before column `index` has the same name: a row may go out as a map.
 * `place` is for the error. */
warn_unused int query_check_name(struct query *q, uint32_t index, const char *place);
warn_unused int query_find_name(struct query *q, const struct query_scope *scope, value name,
                                const char *place, uint32_t *field);
/* A short form of a value for messages. Returns `out`. */
/* With the fewest digits that read back as the same double, as CSV has them. */
void query_show_double(double d, char *out, size_t size);
const char *query_show(const struct heap *h, value v, char *out, size_t size);
bool query_text_is(const struct heap *h, value v, const char *text);
warn_unused int query_emit(struct query *q, struct query_instr instr);
void query_use_register(struct query *q, unsigned reg);

/* query_literal.c: a test `items` = [op, name, literal…] on a column. */
warn_unused int query_compile_test(struct query *q, const struct query_field *field,
                                   uint32_t column, bool table, value list, bool negate,
                                   const char *place);
warn_unused int query_literal_read(struct query *q, value v, const char *place,
                                   struct query_literal *literal);
/* One small part of the list that is next; 0 or an error. */
warn_unused int query_list_work(struct query *q);
/* REL_EQ…, or -1. */
int query_relation_named(const struct heap *h, value v);

/* More work was done. Whether it is enough before the next look at the clock. */
static inline bool query_work(struct query *q, uint64_t work)
{
    q->work += work;
    return unlikely(q->work >= q->work_max);
}

/* query_eval.c */
warn_unused int query_eval_open(struct query *q);
/* Bits of `mask` for which the predicate is true. 0, QUERY_BUSY or an error. */
warn_unused int query_run_predicate(struct query *q, const struct query_source *s,
                                    const struct query_code *code, const uint64_t *mask,
                                    uint64_t *truth);
/* The value in register 0, for rows of `mask`. Others are anything. 0, QUERY_BUSY or an error. */
warn_unused int query_run(struct query *q, const struct query_source *s,
                          const struct query_code *code, const uint64_t *mask);
/* The same, but sym columns as codes. Not of results. */
void query_load_codes(struct query *q, const struct query_source *s, uint32_t column,
                      struct query_vector *to);
void query_load(struct query *q, const struct query_source *s, uint32_t column,
                struct query_vector *to);

/* query_search.c: whether `t` contains the test's text: 1, 0, QUERY_BUSY or an error. */
warn_unused int query_search(struct query *q, struct query_test *test, struct table_text t);

/* query_test.c: 0, QUERY_BUSY or an error. */
warn_unused int query_test_run(struct query *q, const struct query_source *s,
                               struct query_test *test, const uint64_t *mask, uint64_t *truth);
enum query_zone { ZONE_NONE, ZONE_SOME, ZONE_ALL };
/* vector QUERY_NONE: of the whole chunk. With `count`, what tests exclude is counted in them. */
enum query_zone query_zone_of(struct query *q, uint32_t chunk, uint32_t vector, bool count);
/* The same, without `count`: 0 or QUERY_BUSY. */
warn_unused int query_zone_step(struct query *q, uint32_t chunk, uint32_t vector,
                                enum query_zone *zone);
const char *query_test_on(const struct query *q, const struct query_test *test);

/* query_math.c */
warn_unused int query_arithmetic(struct query *q, const struct query_instr *in,
                                 const uint64_t *active);
warn_unused int query_cast(struct query *q, const struct query_instr *in, const uint64_t *active);
warn_unused int query_convert(struct query *q, const struct query_instr *in,
                              const uint64_t *active);
void query_compare(struct query *q, const struct query_instr *in, const uint64_t *active,
                   uint64_t *truth);

/* query_sort.c. `top` 0: sort all. */
warn_unused int sorter_create(struct query *q, uint32_t key_count,
                              const struct query_sort_key *keys, uint64_t top,
                              struct query_sorter **sorter);
/* Adds the rows of `mask`; key i is in s->vectors[i], and row j has address base + j. Those that
 * are added leave the mask. 0, QUERY_BUSY (if keys are texts) or an error. */
warn_unused int sorter_add(struct query *q, struct query_sorter *s, uint64_t *mask,
                           uint64_t base);
/* 1: more to do, 0: sorted. */
warn_unused int sorter_step(struct query *q, struct query_sorter *s, uint64_t deadline);
/* Addresses in order, up to `count`; returns how many. */
uint32_t sorter_read(struct query_sorter *s, uint64_t *addresses, uint32_t count);
/* A key of the `count` entries that were read last; not of texts. -0.0 comes as 0.0. */
void sorter_read_key(const struct query_sorter *s, uint32_t key, uint32_t count,
                     struct query_vector *to);
/* An entry of what was sorted whole. */
const uint64_t *sorter_entry(const struct query_sorter *s, uint64_t index);
/* Top: whether there are as many as are kept; then the first key of the worst, as a lane or a text,
 * or that it is null. */
bool sorter_worst(const struct query_sorter *s, uint64_t *lane, struct table_text *text,
                  bool *null);
/* Top: rows whose first key is outside of the range cannot get in any more. False: any can. */
bool sorter_range(const struct query_sorter *s, struct table_range *range);

/* query_spec.c */
warn_unused int query_compile_field(struct query *q, const struct query_scope *scope,
                                    uint32_t field, struct query_code *code);
warn_unused int query_open_common(struct query *q, const struct query_spec *spec);
warn_unused int query_read_count(struct query *q, value v, const char *place, uint64_t *count);
/* The end of a creation: what is left is done now if it is little, else by query_prepare. */
warn_unused int query_compiled(struct query *q);
warn_unused int query_compile_order(struct query *q, const struct query_scope *scope, value order);

/* query_scan.c: shared by both */
warn_unused int query_open_output(struct query *q, uint32_t count);
warn_unused int query_open_sorter(struct query *q);
/* Appends rows of `mask` to the output as long as there is room; they leave the mask. 0,
 * QUERY_BUSY or an error. */
warn_unused int query_append(struct query *q, const struct query_source *s, uint64_t *mask,
                             uint32_t rows_max, size_t bytes_max);
/* Takes rows before the offset and beyond the limit off the mask. Returns how many were beyond the
 * limit. */
uint64_t query_trim(struct query *q, uint64_t *mask);
bool query_batch_full(const struct query *q, uint32_t rows_max, size_t bytes_max);
/* The next vector with rows that match: 1, and its source and mask; 0: the
 * end; QUERY_BUSY: none yet, and it is time for a look at the clock. */
warn_unused int query_next_vector(struct query *q, struct query_source *s, uint64_t *mask);
uint32_t query_positions(const uint64_t *mask, uint16_t *positions);
/* Looks at the clock; what is counted begins anew. */
bool query_budget_over(struct query *q, uint64_t deadline);
/* The same for those who read vectors: looks at the clock when enough of them have been read, or
 * enough work was done. */
bool query_vectors_over(struct query *q, uint64_t deadline);
/* How many rows of `cells` cells each take about as long as some vectors do: what is read cell by
 * cell, or finished group by group, is cut into such pieces. At least one, at most 1,024. */
uint32_t query_piece_rows(uint32_t cells);
/* query_spec.c: once all is compiled, how often the clock is looked at. */
void query_weigh(struct query *q);
/* Moves gathered rows out as a batch. */
int query_give(struct query *q, struct query_batch *batch);

/* query_scan.c */
/* The rows of a part that were found while looking ahead. False: there are none. */
bool scan_take_pending(struct query *q, struct query_part *part);
/* The largest multiple of `width`, above 0, that is not above `x`: the same double for all values
 * between two multiples. `x` itself where doubles are too coarse for that, or if it is NaN. */
static inline double query_bucket(double x, double width)
{
    double n = floor(x / width), multiple = n * width;
    if (multiple > x) multiple = (n - 1) * width; /* the quotient was rounded up */
    else if ((n + 1) * width <= x) multiple = (n + 1) * width; /* or down */
    bool exists = n >= -DBL_MAX && n <= DBL_MAX && multiple <= x;
    return exists ? multiple : x;
}

warn_unused int scan_step(struct query *q, uint64_t deadline, uint32_t rows_max,
                          size_t bytes_max);

/* query_hash.c */
warn_unused int hash_open(struct query *q, struct query_hash *h);
warn_unused int hash_insert(struct query *q, struct query_hash *h, uint32_t tag, uint32_t index);
warn_unused int interner_new(struct query *q, struct query_interner **interner);
warn_unused int intern(struct query *q, struct query_interner *n, struct table_text text,
                       uint32_t *number);
warn_unused int pairs_new(struct query *q, struct query_pairs **pairs);
/* 1 if the pair is new, 0 if not, or an error. */
warn_unused int pairs_add(struct query *q, struct query_pairs *p, uint64_t a, uint64_t b);
#define WORK_HASH(bytes) ((bytes) / 8) /* of a text that is hashed, and then compared */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15) *
                                (b ^ 0xd6e8feb86659fd93);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* query_group.c */
warn_unused int groups_open(struct query *q);
/* The record of each selected row goes to agg->at, its group to agg->groups. `mask` has the rows
 * that are selected, agg->positions the same `count` rows as numbers. 0, QUERY_BUSY or an error. */
warn_unused int groups_find(struct query *q, const struct query_source *s, const uint64_t *mask,
                            uint32_t count);
warn_unused int group_new(struct query *q, uint32_t *group);

/* query_agg.c */
/* What a function keeps besides its accumulators. 0 or an error. */
warn_unused int aggregate_open(struct query *q, struct query_aggregate *a);
warn_unused int agg_step(struct query *q, uint64_t deadline, uint32_t rows_max, size_t bytes_max);

/* query_accumulate.c */
/* Bytes of the accumulator, without its count. */
uint32_t accumulator_bytes(const struct query_aggregate *a);
void accumulator_init(const struct query_aggregate *a, unsigned char *record);
/* 0, QUERY_BUSY or an error; agg->row_next and agg->argument_loaded say how far it is. */
warn_unused int accumulate(struct query *q, const struct query_source *s,
                           struct query_aggregate *a, const uint64_t *mask, uint32_t count);

/* query_approximate.c: the registers of a group; NULL before the first value. Entries of the sparse
 * form are up to SKETCH_SLOTS_MAX, half of what the dense form takes. */
#define SKETCH_SLOTS_MAX 512
struct query_sketch;
/* Adds a hash; makes the sketch, or a larger form of it, if need be. 0 or -ENOMEM. */
warn_unused int sketch_add(struct query *q, struct query_sketch **sketch, uint64_t hash);
uint64_t sketch_estimate(const struct query_sketch *sketch);

/* query_finish.c */
enum table_type aggregate_type(const struct query_aggregate *a);
/* The groups agg->addresses[0..count) as columns in agg->result. 0 or an error. */
warn_unused int finish_groups(struct query *q, uint32_t count);

#endif
