/* table.h - rows in columns: a million of them in the space of their entropy.
 *
 * A table is one leaf of the heap (KIND_TABLE) that owns columns outside of the heap's pages; their
 * bytes count against the heap's limit (external.h). Rows are appended, read by address, changed
 * and deleted; readers pin a version, and see one moment however long they read.
 *
 *   column    one field of all rows: a name, a type, whether it may be null
 *   chunk     up to 65,536 rows. Rows are appended to plain arrays of the last chunk; once it is
 *             full its columns are *sealed*, one by one, into compressed blocks that never change
 *   vector    1,024 rows of one column in one chunk, the unit of decoding and of zone maps
 *   slot      a row's place in its chunk, 0..65,535. Deleted rows keep theirs until the chunk
 *             is compacted
 *   address   (chunk, slot); holds within one version
 *   position  the index of a row among the rows that are not deleted, as a client counts them
 *   cell      one column of one row
 *   version   an immutable moment of the table: which chunks, how many rows, which are deleted
 *   overlay   changed cells of a sealed column, kept beside it until it is sealed anew
 *
 * Order of values, in zone maps, ranges and sorted columns: integers, dates and times by number;
 * doubles with -0.0 equal to 0.0 and every NaN above +infinity; false below true; texts by
 * bytes. Null has no place in the order.
 *
 * One thread owns a table, as it owns the heap. Errors are negative errno numbers; functions that
 * take a `struct table_error` say in it what was wrong, with what, and where. */
#ifndef CAIRN_HEAP_TABLE_H
#define CAIRN_HEAP_TABLE_H

#include <errno.h>

#include "heap/heap.h"

/* --- limits: all of them ----------------------------------------------------------------------*/

#define TABLE_VECTOR_ROWS 1024
#ifdef CAIRN_GC_STRESS /* chunks fill, seal and turn over quickly */
#define TABLE_CHUNK_VECTORS 4
#else
#define TABLE_CHUNK_VECTORS 64
#endif
#define TABLE_CHUNK_ROWS (TABLE_VECTOR_ROWS * TABLE_CHUNK_VECTORS)
#define TABLE_VECTOR_WORDS (TABLE_VECTOR_ROWS / 64) /* of a bitmap of one vector */

#define TABLE_COLUMNS_MAX 1024
#define TABLE_NAME_BYTES_MAX 255
#define TABLE_CHUNKS_MAX ((uint32_t)1 << 22)
#define TABLE_ROWS_MAX ((uint64_t)TABLE_CHUNKS_MAX * TABLE_CHUNK_ROWS)
#define TABLE_TEXT_BYTES_MAX ((size_t)1 << 20)       /* of one str, sym or bin */
#define TABLE_CHUNK_TEXT_BYTES_MAX ((size_t)1 << 30) /* of one column of one chunk */
#define TABLE_SYMBOLS_MAX ((uint32_t)1 << 20)        /* different ones in one sym column */

/* --- types --------------------------------------------------------------------------------------
 *
 * X(NAME, name, class, bytes of a raw element; 0: texts). Dates are days, times microseconds,
 * both since 1970-01-01 UTC, both signed. */
#define TABLE_TYPES(X)      \
    X(I8, "i8", INT, 1)     \
    X(I16, "i16", INT, 2)   \
    X(I32, "i32", INT, 4)   \
    X(I64, "i64", INT, 8)   \
    X(U8, "u8", UINT, 1)    \
    X(U16, "u16", UINT, 2)  \
    X(U32, "u32", UINT, 4)  \
    X(U64, "u64", UINT, 8)  \
    X(F32, "f32", FLOAT, 4) \
    X(F64, "f64", FLOAT, 8) \
    X(BOOL, "bool", UINT, 1) \
    X(STR, "str", TEXT, 0)  \
    X(SYM, "sym", SYMBOL, 4) \
    X(BIN, "bin", TEXT, 0)  \
    X(DATE, "date", INT, 4) \
    X(TS, "ts", INT, 8)

enum table_type {
#define X(name, text, class, bytes) TABLE_##name,
    TABLE_TYPES(X) TABLE_TYPE_COUNT
#undef X
};

/* What a decoded element is: 64 bits wide, so that one loop serves all widths of a class. */
enum table_class {
    TABLE_CLASS_INT,    /* int64_t */
    TABLE_CLASS_UINT,   /* uint64_t; bool: 0 or 1 */
    TABLE_CLASS_FLOAT,  /* double */
    TABLE_CLASS_SYMBOL, /* uint64_t: a code of the column's dictionary (table_symbol) */
    TABLE_CLASS_TEXT,   /* struct table_text */
};

#define TABLE_DAY_US ((int64_t)86400 * 1000000) /* microseconds of ts in a day of date */

/* As schemas have it: "i64". */
const char *table_type_name(enum table_type type);
/* TABLE_TYPE_COUNT if there is no such type. */
enum table_type table_type_named(const char *name, size_t length);
static inline enum table_class table_type_class(enum table_type type)
{
    static const uint8_t classes[] = {
#define X(name, text, class, bytes) TABLE_CLASS_##class,
        TABLE_TYPES(X)
#undef X
    };
    return (enum table_class)classes[type];
}
/* Of an element of a raw array (table_append_raw, table_read_raw); 0 for texts. */
size_t table_type_bytes(enum table_type type);

/* --- errors -----------------------------------------------------------------------------------*/

/* X(NAME, errno) */
#define TABLE_FAULTS(X)                                                                   \
    X(SCHEMA, EINVAL)   /* a schema that cannot be: no columns, a name twice, … */         \
    X(TYPE, EINVAL)     /* a cell of the wrong type */                                     \
    X(RANGE, ERANGE)    /* a number that the column's type does not hold */                \
    X(NOT_NULL, EINVAL) /* a null in a column without nulls */                             \
    X(ORDER, EINVAL)    /* a cell that would break the order of a sorted column */         \
    X(LIMIT, E2BIG)     /* a limit of this file; the text says which */                    \
    X(ROW, ENOENT)      /* no such row */                                                  \
    X(BUSY, EBUSY)      /* another change is under way: table_draft.h */                   \
    X(MEMORY, ENOMEM)   /* the heap's limit, or the system's */
enum table_fault {
    TABLE_FAULT_NONE,
#define X(name, error) TABLE_FAULT_##name,
    TABLE_FAULTS(X)
#undef X
};

#define TABLE_ERROR_BYTES 320
struct table_error {
    enum table_fault fault;
    uint64_t row;    /* as the caller counts: within the rows of this call; UINT64_MAX: none */
    uint32_t column; /* UINT32_MAX: none */
    char text[TABLE_ERROR_BYTES]; /* a sentence with row, column and value */
};
/* "row 3, column ..." counts from what was appended last: tells the record of the whole file, of
 * which `done` were appended before, counted from 1, behind `what`. Errors of no row stay as they
 * are. */
void table_error_tell_row(struct table_error *error, const char *what, uint64_t done);

/* --- making tables ----------------------------------------------------------------------------*/

struct table; /* memory outside of the heap's pages, owned by the leaf */

struct table_field {
    const char *name; /* any bytes, as field names of maps; not empty */
    size_t name_length;
    enum table_type type;
    bool null;        /* cells may be null */
    bool sorted;      /* cells never descend from row to row; no nulls, no updates */
};

/* An empty table. The value has one owner, the caller. 0 or an error. */
warn_unused int table_create(struct heap *h, const struct table_field *fields, uint32_t count,
                             value *table, struct table_error *error);

/* The table behind a value of KIND_TABLE. Valid as long as the value is, or a version pinned. */
struct table *table_of(const struct heap *h, value v);

/* 1 to TABLE_COLUMNS_MAX. */
uint32_t table_column_count(const struct table *t);
/* Valid as long as the table. */
const struct table_field *table_field(const struct table *t, uint32_t column);
/* UINT32_MAX if there is none. */
uint32_t table_column_named(const struct table *t, const char *name, size_t length);
/* Of the table now, without deleted ones. */
uint64_t table_row_count(const struct table *t);
/* Outside of the heap's pages, all that the table holds, old versions too. */
size_t table_bytes(const struct table *t);

/* --- cells ------------------------------------------------------------------------------------*/

struct table_text {
    const char *data;
    size_t length;
};

struct table_cell {
    enum table_type type;
    bool null;
    union {
        int64_t i;              /* of class INT */
        uint64_t u;             /* UINT */
        double d;               /* FLOAT */
        struct table_text text; /* TEXT; SYMBOL: the text, not the code */
    };
};

/* -1, 0, 1 by the order above; neither is null, and both are of one class. */
int table_cell_compare(const struct table_cell *a, const struct table_cell *b);

/* Room for a text that does not lie in one piece (an inline or a long one). */
struct table_scratch {
    struct text_piece_room { char bytes[8]; } room;
    char *bytes; /* NULL at first */
    size_t capacity;
};
/* Frees what it has grown to; empty, it can be used again. */
void table_scratch_close(struct table_scratch *s);

/* What a value is as a cell of `field`, without loss: integers in range; doubles that are whole
 * for integer types, whole numbers that a double holds for f64; f32 rounds; nil is null. The
 * error, if any, tells the value and `row`. Texts are valid until the value or the scratch
 * changes. */
warn_unused int table_cell_from_value(const struct heap *h, const struct table_field *field,
                                      uint64_t row, uint32_t column, value v,
                                      struct table_cell *cell, struct table_scratch *scratch,
                                      struct table_error *error);
/* A cell as a value: numbers (dates and times as integers), booleans, strings, bytes, nil.
 * VALUE_ABSENT when memory is short. */
warn_unused value table_cell_to_value(struct heap *h, const struct table_cell *cell);

/* --- appending: all or nothing ------------------------------------------------------------------
 *
 *     table_append_begin(t, rows, &a, &error)
 *     for each column: one or more of table_append_values / _raw / _texts / _nulls,
 *                      until rows 0..rows-1 are filled, in order
 *     table_append_commit(&a, &error)        or, at any time,        table_append_abort(&a)
 *
 * The rows are invisible until the commit; after an abort the table is as it was. A
 * function that fails leaves the append to be aborted. Nothing else may change this table in
 * between, and it must end before the next safe point. Time is linear in the rows: callers cut
 * large appends into batches if they may be seen in parts.
 *
 * In steps, within a draft (table_draft.h), each line between enter and leave:
 *
 *     table_append_open(draft, rows, &a, &error)
 *     table_append_reserve(&a, end_ns) until it returns 0
 *     for each column: as above, in parts as small as need be
 *     table_append_check(&a, end_ns, &error) until it returns 0
 *     table_append_commit(&a, …), then table_draft_publish;  or  table_append_close(&a), then
 *     table_draft_abandon */
struct table_append {
    struct table *t;
    uint64_t rows;
    struct table_version *before;   /* what an abort goes back to */
    uint32_t first_chunk, first_slot; /* of the new rows */
    struct append_column *columns;  /* how far each is filled, and what was there before */
    /* private: how far the steps are */
    uint64_t left;                  /* rows without room */
    struct chunk *building;         /* the next one, with columns up to `column` */
    struct plain_column *opening;   /* of the last chunk, up to `row`; it was sealed */
    uint32_t row;
    uint32_t column, tail_rows;
    uint64_t checked;               /* rows of `column` */
    bool checking;
};
struct table_draft;
warn_unused int table_append_open(struct table_draft *d, uint64_t rows, struct table_append *a,
                                  struct table_error *error);
/* 1: there is more to do; 0; -ENOMEM. Works until about `end_ns` on the clock. */
warn_unused int table_append_reserve(struct table_append *a, uint64_t end_ns);
/* Whether sorted columns are. The same; or an error. */
warn_unused int table_append_check(struct table_append *a, uint64_t end_ns,
                                   struct table_error *error);
void table_append_close(struct table_append *a);
/* Before table_append_begin, where that must not take long: the last chunk, if it was sealed when
 * the table was quiet and would take long to open again, stays as it is, and rows begin another. */
void table_append_spare_tail(struct table *t);
warn_unused int table_append_begin(struct table *t, uint64_t rows, struct table_append *a,
                                   struct table_error *error);
/* Cells that lie `stride` values apart: 1 for a column, the number of columns for rows. */
warn_unused int table_append_values(struct table_append *a, uint32_t column, uint64_t count,
                                    const value *cells, size_t stride, struct table_error *error);
/* Little-endian elements of table_type_bytes each (bool: bytes 0 and 1), not texts; for sym the
 * codes are those of table_symbol_intern. `valid`: one bit per row, lowest first, from bit
 * `valid_offset` on; NULL: all. */
warn_unused int table_append_raw(struct table_append *a, uint32_t column, uint64_t count,
                                 const void *elements, const uint8_t *valid, size_t valid_offset,
                                 struct table_error *error);
/* str, sym and bin. A text whose data is NULL is null. */
warn_unused int table_append_texts(struct table_append *a, uint32_t column, uint64_t count,
                                   const struct table_text *texts, struct table_error *error);
warn_unused int table_append_nulls(struct table_append *a, uint32_t column, uint64_t count,
                                   struct table_error *error);
/* First position of the new rows in *first (may be NULL). */
warn_unused int table_append_commit(struct table_append *a, uint64_t *first,
                                    struct table_error *error);
void table_append_abort(struct table_append *a);

/* --- appending over many steps: a fork --------------------------------------------------------
 *
 * A fork is a version of the table that grows in private. Rows are appended to it step by step,
 * between other clients' events; then all of them join the table at once, or none. Others read and
 * change the table as they like meanwhile.
 *
 *     table_fork_begin(t, &f, &error)
 *     in each step: table_fork_enter(&f), appends to the table, table_fork_leave(&f)
 *     table_fork_join(&f, end_ns, &error) until it returns 0
 *                                          or, at any time but inside,     table_fork_abandon(&f)
 *
 * A fork may grow beside a draft (table_draft.h), but not join while there is one.
 * To join takes constant time, whatever was sealed meanwhile; if the end of the table was changed
 * by others, some rows are copied: a few, or with a sorted column up to TABLE_CHUNK_ROWS, in steps,
 * and the table is busy until the last one. A fork holds the table, and its version. */
struct table_fork {
    struct table *t;             /* NULL: not open */
    struct table_version *base;  /* where it began */
    struct table_version *other; /* outside: the fork's own version; inside: everybody else's */
    struct table_append mark;
    /* private: how far the join is */
    struct table_draft *joining; /* rows are being copied into it; or NULL */
    struct table_append copy;
    uint32_t copy_chunk, first_slot, copy_slot, copy_column;
};
warn_unused int table_fork_begin(struct table *t, struct table_fork *f, struct table_error *error);
void table_fork_enter(struct table_fork *f);
void table_fork_leave(struct table_fork *f);
/* Works until about `end_ns` on the clock. 1: there is more to do; 0; or an error, and the table is
 * as others left it. The fork has ended but for 1. */
warn_unused int table_fork_join(struct table_fork *f, uint64_t end_ns, struct table_error *error);
/* No effect on one that is not open. */
void table_fork_abandon(struct table_fork *f);

/* Keeps a table beyond its value, but no version of it. */
void table_hold(struct table *t);
void table_let_go(struct table *t);
/* The same for who remembers codes of its symbols between steps: they mean the same until it lets
 * go, unless the table is altered. */
void table_hold_codes(struct table *t);
void table_let_go_codes(struct table *t);

/* --- changing -----------------------------------------------------------------------------------
 *
 * Each changes one row and is whole by itself. For a change of many rows that is whole: pin the
 * version before, change, and on failure table_restore it. */
warn_unused int table_set(struct table *t, uint32_t chunk, uint32_t slot, uint32_t column,
                          const struct table_cell *cell, struct table_error *error);
/* No effect on a row that is deleted already (*changed, if given, says so). */
warn_unused int table_delete(struct table *t, uint32_t chunk, uint32_t slot, bool *changed,
                             struct table_error *error);
/* The table becomes what `version` (a pinned one of this table) was. Never fails. */
void table_restore(struct table *t, struct table_version *version);

/* --- work between events -------------------------------------------------------------------------
 *
 * Each step works about `budget_ns` (at least one vector: some tens of microseconds, or more with
 * long texts) and is resumable. Returns 1 if there is more to do, 0 if nothing is left, -ENOMEM if
 * memory was short (a later call tries again). Versions that are pinned do not change. */
int table_seal_step(struct table *t, uint64_t budget_ns);
bool table_seal_pending(const struct table *t);
/* Nothing is being appended: the last chunk, full or not, is to be sealed too. The next append
 * begins a chunk of its own; compaction joins small neighbours. */
void table_close_tail(struct table *t);
/* To be called now and then, in intervals as long as a table is to rest: where no rows have come
 * since the last time, the last chunk is to be sealed from now on, if it has TABLE_QUIET_ROWS_MIN.
 * The next append makes it plain again, in steps, and goes on in it; so a chunk is sealed and
 * opened once in an interval at most. True if there is a table that a later call may find quiet. */
bool tables_note_quiet(struct heap *h);
#define TABLE_QUIET_ROWS_MIN (TABLE_CHUNK_ROWS / 16)
/* Merges overlays into their columns, and closes up chunks in which a quarter of the rows are
 * deleted. `all`: also those with fewer. Addresses change; positions do not. */
int table_compact_step(struct table *t, bool all, uint64_t budget_ns);
bool table_compact_pending(const struct table *t, bool all);
/* Whether table_set of this cell would first copy a column of texts, all of it at once. Then
 * table_merge_step, called while it returns 1, does that in steps; 0: nothing is left to do, or
 * another change is under way; or -ENOMEM. */
bool table_set_is_long(const struct table *t, uint32_t chunk, uint32_t slot, uint32_t column);
int table_merge_step(struct table *t, uint32_t chunk, uint32_t column, uint64_t budget_ns);
/* The part of it that needs no memory, and gives some back: drops chunks whose rows are all
 * deleted. False if there are none that can be. */
bool table_drop_step(struct table *t, uint64_t budget_ns);
bool table_drop_pending(const struct table *t);

/* Frees what is left of versions that nobody reads, which still counts as the table's; the caller
 * holds the table. True if there is more of it. */
bool table_settle_step(struct table *t, uint64_t budget_ns);

/* Tables with something to seal, for the server's task: the first one, or NULL. The same for
 * compaction. */
struct table *table_first_unsealed(struct heap *h);
struct table *table_first_uncompacted(struct heap *h);
struct table *table_first_droppable(struct heap *h);

/* --- versions ------------------------------------------------------------------------------------
 *
 * A pinned version, its table's schema and dictionaries outlive the table's value; every pin must
 * be given back before the heap is destroyed. Pinning takes constant time and no memory. */
struct table_version;
struct table_version *table_pin(struct table *t);
void table_unpin(struct table_version *v);

/* The table that the version is of; it lives as long as a version is pinned. */
struct table *table_version_table(const struct table_version *v);
uint64_t table_version_rows(const struct table_version *v);    /* not deleted */
uint64_t table_version_deleted(const struct table_version *v);
uint32_t table_version_chunks(const struct table_version *v);
/* Slots in use, deleted or not: 1..TABLE_CHUNK_ROWS. */
uint32_t table_chunk_slots(const struct table_version *v, uint32_t chunk);
uint32_t table_chunk_deleted(const struct table_version *v, uint32_t chunk);
bool table_is_deleted(const struct table_version *v, uint32_t chunk, uint32_t slot);
/* Vectors of the chunk: slots / 1,024, rounded up. */
static inline uint32_t table_slots_vectors(uint32_t slots)
{
    return (slots + TABLE_VECTOR_ROWS - 1) / TABLE_VECTOR_ROWS;
}
/* The row at a position; false if there are not so many. */
bool table_locate(const struct table_version *v, uint64_t position, uint32_t *chunk,
                  uint32_t *slot);
/* The position of an address that is not deleted: how many live rows precede it. */
uint64_t table_position(const struct table_version *v, uint32_t chunk, uint32_t slot);

/* --- reading -------------------------------------------------------------------------------------
 *
 * Rows of a vector are bits of a bitmap of 16 words, the first row lowest. Bits at and above the
 * vector's count of rows are 0 on output and ignored on input. Functions on vectors do not look
 * at deletions: combine with table_vector_live. Texts are valid until the version is unpinned. */

/* One cell; chunk and slot must be in use (a deleted row reads as it was). */
void table_cell(const struct table_version *v, uint32_t chunk, uint32_t slot, uint32_t column,
                struct table_cell *cell);

/* Decodes one vector: int64_t, uint64_t, double or struct table_text, up to 1,024 of them, by the
 * column's class. `out` must have room for 1,024, aligned to 64 bytes at best. Null cells read as
 * anything. Fills valid[16]; returns the rows of the vector. */
uint32_t table_read_vector(const struct table_version *v, uint32_t chunk, uint32_t column,
                           uint32_t vector, void *out, uint64_t *valid);
/* The same as raw elements of the type's own width, bit for bit; not for texts. For sym: codes. */
uint32_t table_read_raw(const struct table_version *v, uint32_t chunk, uint32_t column,
                        uint32_t vector, void *out, uint64_t *valid);
/* Rows that are not deleted. Returns how many. */
uint32_t table_vector_live(const struct table_version *v, uint32_t chunk, uint32_t vector,
                           uint64_t *live);
/* Rows whose cell in the column is not null. Returns how many. */
uint32_t table_vector_valid(const struct table_version *v, uint32_t chunk, uint32_t column,
                            uint32_t vector, uint64_t *valid);

/* What is known about a vector without decoding it. Exact or wider, never narrower. */
struct table_zone {
    bool known;      /* min and max mean something; if not, nothing is known of them */
    uint32_t rows;   /* of the vector (or chunk) */
    uint32_t nulls;  /* deletions do not matter */
    union table_bound {
        int64_t i;   /* of class INT */
        uint64_t u;  /* UINT; TEXT: its first 8 bytes, big-endian, filled up with zeros; never
                        known of SYMBOL */
        double d;    /* FLOAT; a max of NaN says that there are NaNs */
    } min, max;
};
void table_vector_zone(const struct table_version *v, uint32_t chunk, uint32_t column,
                       uint32_t vector, struct table_zone *zone);
void table_chunk_zone(const struct table_version *v, uint32_t chunk, uint32_t column,
                      struct table_zone *zone);

/* An inclusive range in the order above; in a range of doubles a `max` of NaN includes NaNs, and a
 * `min` of NaN admits nothing else. Strict bounds are the neighbours: i + 1, nextafter(d). */
struct table_range {
    union table_bound min, max;
};
/* Selects the rows of a vector whose cell is not null and in the range: of classes INT, UINT and
 * FLOAT, and codes of class SYMBOL. Works on the packed form where it can. Returns how many. */
uint32_t table_select_range(const struct table_version *v, uint32_t chunk, uint32_t column,
                            uint32_t vector, const struct table_range *range, uint64_t *selected);

/* Sum and extremes over the selected rows that are not null, without a caller's buffer. */
struct table_sum {
    uint64_t count;   /* cells that were added */
    __int128 integer; /* of INT, UINT: exact */
    double number;    /* of FLOAT: 16 partial sums per vector, then in order of vectors; the same
                         bits on every CPU */
};
/* Adds to *sum, which begins with zeros. */
void table_sum_vector(const struct table_version *v, uint32_t chunk, uint32_t column,
                      uint32_t vector, const uint64_t *selected, struct table_sum *sum);
struct table_extremes {
    uint64_t count;     /* 0: min and max mean nothing yet */
    union table_bound min, max;
};
/* Widens *e, whose count begins with 0. */
void table_extremes_vector(const struct table_version *v, uint32_t chunk, uint32_t column,
                           uint32_t vector, const uint64_t *selected, struct table_extremes *e);

/* --- dictionaries -----------------------------------------------------------------------------*/

/* sym columns: codes 0..count-1, one dictionary per column, codes never change. */
uint32_t table_symbol_count(const struct table *t, uint32_t column);
/* Those below are of rows that everybody has seen. Of the others some may be of changes that are
 * under way, or were given up: nobody is to see them but in rows. */
uint32_t table_symbols_settled(const struct table *t, uint32_t column);
/* Valid as long as the table. */
struct table_text table_symbol(const struct table *t, uint32_t column, uint32_t code);
/* UINT32_MAX if the column has no such symbol. */
uint32_t table_symbol_find(const struct table *t, uint32_t column, const char *data,
                           size_t length);
/* The code of a text, new if need be. 0 or an error (memory, TABLE_SYMBOLS_MAX). */
warn_unused int table_symbol_intern(struct table *t, uint32_t column, const char *data,
                                    size_t length, uint32_t *code, struct table_error *error);

/* str and bin columns: a sealed chunk may have a dictionary of its own, in no order. Returns
 * its count, or 0 if this chunk has none (then read the texts). */
uint32_t table_chunk_dictionary(const struct table_version *v, uint32_t chunk, uint32_t column);
struct table_text table_chunk_entry(const struct table_version *v, uint32_t chunk,
                                    uint32_t column, uint32_t code);
/* Codes of a vector: of a sym column, or of a str or bin column whose chunk has a dictionary.
 * Null cells read as 0 or as some code that exists. Returns the rows. */
uint32_t table_read_codes(const struct table_version *v, uint32_t chunk, uint32_t column,
                          uint32_t vector, uint32_t *codes, uint64_t *valid);

/* --- figures ----------------------------------------------------------------------------------*/

/* How a vector is stored. X(NAME, name). */
#define TABLE_ENCODINGS(X)                                                               \
    X(PLAIN, "plain") /* not sealed: arrays that are appended to and changed in place */  \
    X(CONST, "const") /* one value */                                                    \
    X(FOR, "for")     /* base + packed */                                                \
    X(LIN, "lin")     /* base + slope * row + packed */                                  \
    X(DICT, "dict")   /* packed codes of a dictionary of the chunk */                    \
    X(ALP, "alp")     /* decimals: (base + packed) * 10^f * 10^-e */                     \
    X(FIX, "fix")     /* dyadic fractions: (base + packed) * 2^-k */                     \
    X(RLE, "rle")     /* runs */                                                         \
    X(RAW, "raw")     /* as they are */
enum table_encoding {
#define X(name, text) TABLE_ENCODING_##name,
    TABLE_ENCODINGS(X) TABLE_ENCODING_COUNT
#undef X
};
/* As table.stats has it. */
const char *table_encoding_name(enum table_encoding encoding);

struct table_column_stats {
    struct {
        uint64_t vectors;
        size_t bytes; /* data and exceptions */
    } encodings[TABLE_ENCODING_COUNT];
    size_t header_bytes;     /* of blocks and vectors, zone maps */
    size_t validity_bytes;
    size_t text_bytes;       /* bytes of texts, and of dictionaries */
    size_t dictionary_bytes; /* of a sym column */
    size_t overlay_bytes;
    size_t index_bytes;
    size_t bytes;            /* all of the above */
    uint64_t nulls;
};
/* Takes time in proportion to the number of chunks; of chunks first..first+count-1. */
void table_column_stats(const struct table_version *v, uint32_t column, uint32_t first,
                        uint32_t count, struct table_column_stats *stats);
/* The encoding of one vector. */
enum table_encoding table_vector_encoding(const struct table_version *v, uint32_t chunk,
                                          uint32_t column, uint32_t vector);

#endif
