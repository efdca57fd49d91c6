/* table_int.h - the inside of tables. Only files of heap/table_*.c and their tests include it.
 *
 *   table -- current --> version --> directory --> page of 64 chunks --> chunk --> column
 *                          ^                                               |-----> deletions
 *   reader -- pin ---------+                                               +-----> overlay
 *
 * Everything below a version is counted (refs) and shared between versions. What only the current
 * version reaches, and it alone (all counts on the way are 1), may be changed in place; anything
 * else is copied first, path by path (table_chunk_writable). Two changes need no copy, because no
 * version can see them: elements of a plain column beyond all watermarks (`written`), and texts
 * added to its arena.
 *
 * A version's last chunk has version->tail_slots rows for it; all others are as the chunk says.
 *
 * Lanes. Between its types and its encodings an element is a *lane* of 64 bits: integers sign- or
 * zero-extended, f64 its bits, f32 its 32 bits, sym its code, a text the end of its bytes among
 * those of the chunk (or its code, if the chunk has a dictionary). */
#ifndef CAIRN_HEAP_TABLE_INT_H
#define CAIRN_HEAP_TABLE_INT_H

#include "heap/external.h"
#include "heap/heap_int.h"
#include "heap/table.h"
#include "heap/table_kernels.h"

/* --- columns -----------------------------------------------------------------------------------*/

/* Head of both forms. */
struct column {
    uint32_t refs;
    bool sealed;
    size_t bytes; /* of the block, as external memory */
};

/* Texts of plain columns and overlays: pieces that are filled and never move. */
struct text_arena {
    uint32_t refs;
    struct text_piece *pieces; /* the newest first */
    size_t bytes;              /* of all pieces */
};
struct text_piece {
    struct text_piece *next;
    size_t capacity, used;
    char data[];
};

/* Not sealed: `capacity` elements of the type's width (texts: struct table_text), then, if the
 * field may be null, a bitmap of valid ones. It is an external block; numbers that are not written
 * yet are whatever that held before. */
struct plain_column {
    struct column head;
    uint32_t capacity;   /* a multiple of 64 */
    uint32_t written;    /* elements from here on are free: no version sees them, no draft has
                            claimed them */
    bool mapped;         /* as of the external block */
    uint64_t *valid;     /* into this block; NULL: the field has no nulls */
    struct text_arena *arena; /* texts only, else NULL */
    size_t text_bytes;   /* of the texts appended, for the chunk's limit */
    size_t dead_bytes;   /* of these, of texts that were overwritten */
    _Alignas(16) unsigned char elements[];
};

/* 24 bytes: how one vector is stored.
 *
 * Packed integers take 128 * width bytes, interleaved: for a width up to 32, element i is in lane
 * i % 32 of 32 lanes of 32 bits, else in lane i % 16 of 16 lanes of 64. Exceptions follow the
 * packed data: `exceptions` elements of the type's own width, ascending by position, filled up to
 * 8 bytes; then their positions (uint16_t), filled up likewise. They overwrite what unpacking
 * gave. */
struct vector_header {
    uint32_t offset;       /* of the data, in units of 8 bytes, from sealed->data on */
    uint8_t encoding;      /* enum table_encoding */
    uint8_t width;         /* of the packed integers, 0..64 */
    uint8_t p, q;          /* ALP: exponents e, f; FIX: k, low byte first; LIN: p = bits of
                              fraction in slope */
    uint64_t base;         /* CONST: the lane; RLE: the number of runs; else what is added */
    int64_t slope : 48;    /* LIN */
    uint64_t exceptions : 16;
};
_Static_assert(sizeof(struct vector_header) == 24, "a vector's header is 24 bytes");

struct zone_bounds {
    union table_bound min, max;
};

/* Sealed: one block of exactly the size it needs.
 *
 *   [struct sealed_column]
 *   [vector_header × header_count]  one per vector; or 1 that holds for all (see uniform headers)
 *   [zone_bounds × zone_count]      one per vector; or 0: `zone` is all that is known
 *   [uint16_t nulls × vectors]      nulls per vector, if there are any, filled up to 8 bytes
 *   [validity bitmap]               if there are nulls
 *   [data]                          vector by vector, each 8-byte aligned
 *   [dictionary]                    numbers: lanes; texts: uint32_t ends[dictionary_count]
 *   [texts]                         bytes of all texts, or of the dictionary's
 *
 * A uniform header stands for vector v with offset + v * 16 * width (CONST, FOR, DICT, ALP, FIX
 * without exceptions), or base + v * 1024 * slope (LIN with p = 0). */
struct sealed_column {
    struct column head;
    /* What reading a cell needs comes first, in one line of the cache. Distances are from the start
     * of this block, in bytes; 0: there is none. */
    uint16_t header_count;
    uint16_t zone_count;
    uint32_t dictionary_count;
    size_t data, validity, dictionary;
    size_t texts;
    bool has_dictionary;
    bool zone_known;
    uint32_t slots;
    uint32_t nulls;
    size_t zones, null_counts;
    size_t text_bytes;
    struct zone_bounds zone;
    struct column_index *index; /* NULL: none (yet). What it says holds for all versions */
    struct vector_header headers[];
};

/* --- overlays ----------------------------------------------------------------------------------*/

/* When a sealed column gets more changed cells than this, it becomes plain again. */
#define OVERLAY_CELLS_MAX 256
/* Texts that were overwritten stay in its arena, or in a plain column's. With so many bytes there
 * the column is copied without them. */
#define DEAD_TEXT_BYTES ((size_t)4 << 20)

struct overlay_cell {
    uint16_t slot;
    bool null;
    union {
        uint64_t lane;
        struct table_text text; /* in the overlay's arena */
    };
};
struct overlay {
    uint32_t refs;
    uint16_t count, capacity;
    struct text_arena *arena; /* texts only */
    struct overlay_cell cells[]; /* by slot */
};

/* --- chunks ------------------------------------------------------------------------------------*/

struct deletions {
    uint32_t refs;
    uint32_t count;
    uint64_t bits[TABLE_CHUNK_ROWS / 64];
};

struct chunk_column {
    struct column *column;
    struct overlay *overlay; /* sealed columns only; NULL: nothing changed */
};

struct chunk {
    uint32_t refs;
    uint32_t slots;      /* means nothing while it is a version's last: see tail_slots */
    struct deletions *deletions; /* NULL: none */
    struct chunk_column columns[]; /* table->column_count */
};

#define CHUNK_PAGE_SLOTS 64
struct chunk_page {
    uint32_t refs;
    struct chunk *chunks[CHUNK_PAGE_SLOTS];
};

struct directory {
    uint32_t refs;
    uint32_t capacity;
    struct chunk_page *pages[];
};

struct table_version {
    struct external dying;    /* first: once nobody holds it, it is taken apart as one of those */
    uint32_t refs;            /* table->current counts as one, each pin as one */
    struct table *table;      /* held by each pin */
    struct directory *directory; /* NULL while there is no chunk */
    uint32_t chunk_count;
    uint32_t tail_slots;      /* of the last chunk */
    uint64_t slots;           /* of all chunks */
    uint64_t deleted;
    bool even;                /* all chunks but the last are full, and nothing is deleted */
};

/* --- tables ------------------------------------------------------------------------------------*/

struct symbols; /* table_symbols.c */
struct sealer;  /* table_seal.c */
struct compactor; /* table_compact.c */
struct column_index; /* table_index.c */
struct indexer; /* table_index_build.c */
struct table_draft; /* table_draft.h */
struct table_turn;

struct table {
    struct external external; /* first: the heap's side of it */
    uint32_t column_count;
    struct table_field *fields;
    struct symbols **symbols;  /* per column; NULL for other types */
    struct table_version *current;
    struct sealer *sealer;     /* the column being sealed, or NULL */
    uint32_t sealed_below;     /* chunks below have nothing to seal */
    uint32_t closed_count;     /* with so many chunks, the last one takes no more rows */
    uint64_t seen_slots;       /* how many there were when tables_note_quiet looked last */
    uint64_t quiet_slots;      /* while there are so many, the last chunk is to be sealed, too */
    struct compactor *compactor;
    uint64_t copy_lost_ns;     /* when a copy of it was thrown away; 0: the last one was not */
    uint32_t forks;            /* open ones: table_fork.c */
    uint32_t code_holders;     /* who remember codes of symbols: table_hold_codes */
    uint8_t *index_kinds;      /* per column: enum table_index_kind, what it is to have */
    uint8_t *index_settled;    /* the same, without what is tried (table_index_try) */
    struct indexer *indexer;   /* the column being indexed, or NULL */
    uint32_t indexed_below;    /* chunks below have the indexes that they are to have */
    bool index_work;           /* there are indexes, or were: chunks are to be looked at */
    bool forked;               /* the version of one is the current one, for one step */
    struct table_draft *draft;  /* open, or being taken back: only it changes the table */
    bool entered;               /* the draft's version is the current one, for one step */
    bool hidden;                /* it is being made from another: table_alter.c */
    bool altered;               /* another table has taken the place of this one */
    struct table_turn *turn_first, *turn_last; /* writers in line */
    uint32_t dying_parts;      /* versions and columns that are yet to be taken apart */
    size_t struct_bytes;       /* of this structure, fields and names included */
};

static inline struct table *table_of_external(struct external *e) { return (struct table *)e; }

static inline struct chunk *version_chunk(const struct table_version *v, uint32_t chunk)
{
    return v->directory->pages[chunk / CHUNK_PAGE_SLOTS]->chunks[chunk % CHUNK_PAGE_SLOTS];
}
static inline uint32_t version_slots(const struct table_version *v, uint32_t chunk)
{
    return chunk + 1 == v->chunk_count ? v->tail_slots : version_chunk(v, chunk)->slots;
}

static inline bool bit_get(const uint64_t *bits, size_t i) { return bits[i / 64] >> i % 64 & 1; }
static inline void bit_set(uint64_t *bits, size_t i) { bits[i / 64] |= (uint64_t)1 << i % 64; }
static inline void bit_clear(uint64_t *bits, size_t i) { bits[i / 64] &= ~((uint64_t)1 << i % 64); }

static inline uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* The bytes of an element of a plain column. */
static inline size_t element_bytes(enum table_type type)
{
    size_t bytes = table_type_bytes(type);
    return bytes ? bytes : sizeof(struct table_text);
}
static inline bool field_is_text(const struct table_field *f)
{
    return table_type_class(f->type) == TABLE_CLASS_TEXT;
}

/* --- between the files -------------------------------------------------------------------------*/

/* table.c */
bool external_is_table(const struct external *e);
/* Fills *error (if given) and returns its errno, negative. */
int table_fail(struct table_error *error, enum table_fault fault, uint64_t row, uint32_t column,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
int table_fail_memory(struct table_error *error);
/* A chunk's texts would pass TABLE_CHUNK_TEXT_BYTES_MAX. */
int table_fail_texts(const struct table_field *f, uint32_t column, struct table_error *error);
warn_unused int table_check_schema(const struct table_field *fields, uint32_t count,
                                   struct table_error *error);
/* Without a leaf, a version and dictionaries; NULL when memory is short. */
warn_unused struct table *table_new(struct heap *h, const struct table_field *fields,
                                    uint32_t count);

/* table_column.c: counted memory, and what is made of it. All return NULL when it is short. */
warn_unused struct plain_column *plain_column_new(struct table *t, uint32_t column,
                                                  uint32_t capacity);
/* A copy with room for `capacity` elements; the first `count` are copied. */
warn_unused struct plain_column *plain_column_copy(struct table *t, uint32_t column,
                                                   const struct plain_column *from, uint32_t count,
                                                   uint32_t capacity);
void column_unref(struct table *t, struct column *c);
/* A copy of a text that stays where it is; *arena is made if it is NULL. */
warn_unused const char *arena_add(struct table *t, struct text_arena **arena, const char *data,
                                  size_t length);
void arena_unref(struct table *t, struct text_arena *arena);
/* Gives back what was added after `piece` had `used` bytes (piece NULL: everything). */
void arena_rewind(struct table *t, struct text_arena *arena, const struct text_piece *piece,
                  size_t used);
warn_unused struct overlay *overlay_copy(struct table *t, bool texts, const struct overlay *from,
                                         uint32_t capacity);
void overlay_unref(struct table *t, struct overlay *o);
warn_unused struct chunk *chunk_new(struct table *t); /* without columns */
warn_unused struct chunk *chunk_copy(struct table *t, const struct chunk *from);
/* Frees it if that was the last reference. Returns the work that was, in words of the drop queue.
 * */
size_t chunk_unref(struct table *t, struct chunk *c);

/* table_append.c: how full texts and dictionaries are, at the beginning of a change. 0 or -ENOMEM;
 * ended by append_unmark. `leaves`: it was given up, and what it has added is left where it is. */
warn_unused int append_mark(struct table *t, struct table_append *a);
/* Back to the mark: t->current is the version from then, and nothing of later is in use. */
void append_rewind(struct table_append *a);
/* The same in steps, by a draft that is abandoned; the table is busy until then. Without memory for
 * it, at once. */
void append_rewind_slowly(struct table_append *a);
void append_unmark(struct table_append *a, bool leaves);

/* table_draft.c: 0, or that the table is busy. */
warn_unused int table_check_writable(const struct table *t, struct table_error *error);
/* What an arena (NULL: the column has none yet) holds now, before the draft adds to it. `column`:
 * the base's, if the draft is about to claim elements of it, or NULL. */
warn_unused int table_draft_mark(struct table_draft *d, struct text_arena *arena,
                                 struct plain_column *column);
/* What somebody else has added already is to be taken back as if the draft had: from an arena of a
 * column of the base, and from a dictionary, behind its first `count` symbols. */
warn_unused int table_draft_mark_before(struct table_draft *d, struct plain_column *column,
                                        bool had_arena, const struct text_piece *piece,
                                        size_t used, size_t text_bytes);
void table_draft_symbols_before(struct table_draft *d, uint32_t column, uint32_t count);

/* table_version.c */
warn_unused struct table_version *version_new(struct table *t);
/* Another version with the same content. */
warn_unused struct table_version *version_copy(struct table *t, const struct table_version *v);
void version_unref(struct table_version *v);
/* t->current, changeable: a copy if somebody else holds it. NULL when memory is short. */
warn_unused struct table_version *version_writable(struct table *t);
/* A chunk of t->current that nobody else sees. NULL when memory is short; nothing has changed then,
 * as far as anybody can see. */
warn_unused struct chunk *chunk_writable(struct table *t, uint32_t chunk);
/* Adds a chunk at the end of t->current (changeable already), consuming the reference. */
warn_unused int version_push_chunk_take(struct table *t, struct chunk *c, uint32_t slots);
/* Puts `by` (a reference, consumed; or NULL) in place of `count` chunks from `chunk` on. */
warn_unused int version_replace_take(struct table *t, uint32_t chunk, uint32_t count,
                                     struct chunk *by);
/* The first chunk of a version that can be dropped without memory: all of its rows are deleted, and
 * nobody else shares what leads to it and to the chunks behind. UINT32_MAX: there is none. */
uint32_t version_first_empty(const struct table_version *v);
/* Drops it, and more like it until `end_ns` on the clock, from t->current. */
void version_drop_empty(struct table *t, uint32_t first, uint64_t end_ns);
/* Takes a version apart, about `words` of work; true once nothing is left but its memory. */
size_t version_dispose(struct table_version *v, size_t words, bool *done);

/* table_symbols.c */
warn_unused struct symbols *symbols_new(struct table *t);
/* Another table has it, too. */
struct symbols *symbols_share(struct symbols *s);
/* Frees some; true once all is gone, or another table has it. */
bool symbols_free_some(struct table *t, struct symbols *s, size_t *work);
void symbols_truncate(struct table *t, struct symbols *s, uint32_t count);
size_t symbols_bytes(const struct symbols *s);
uint32_t symbols_count(const struct symbols *s);
/* How many are surely of changes that others have seen. */
uint32_t symbols_settled(struct symbols *s);
/* Around a change of more than one step. `stains`: it was given up, and left symbols behind. */
void symbols_open(struct symbols *s);
void symbols_close(struct symbols *s, bool stains);

/* table_cell.c: elements and lanes */
int table_check_text(const struct table_field *f, uint64_t row, uint32_t column,
                     struct table_text text, struct table_error *error);
uint64_t cell_lane(const struct table_field *f, const struct table_cell *cell);
void lane_cell(const struct table *t, uint32_t column, uint64_t lane, struct table_cell *cell);
/* Writes a cell of the right type; texts must be where they stay. Symbols: the code. */
void plain_store(struct plain_column *p, const struct table_field *f, uint32_t slot, bool null,
                 uint64_t lane, struct table_text text);
uint64_t plain_lane(const struct plain_column *p, const struct table_field *f, uint32_t slot);
bool plain_null(const struct plain_column *p, uint32_t slot);
union table_bound lane_bound(const struct table_field *f, uint64_t lane);
uint64_t text_prefix(const char *data, size_t length);
/* -1, 0, 1 in the order of the class. */
int bound_compare(enum table_class class, union table_bound a, union table_bound b);
int text_bytes_compare(struct table_text a, struct table_text b);

/* table_encode.c: one vector of lanes -> the smallest encoding.
 *
 * What is known about the whole chunk, by sampling, before its vectors are planned. */
#define ALP_CANDIDATES 3
#define ENCODE_SAMPLES 256
struct encode_hints {
    enum table_class class;
    bool is_f32;
    unsigned element;  /* bytes of an element in RAW, RLE and exceptions */
    bool codes;        /* the lanes are codes of the chunk's dictionary: DICT, of this width */
    unsigned code_width;
    unsigned alp_count;
    struct {
        uint8_t e, f;
    } alp[ALP_CANDIDATES];
    bool fix;
    int fix_k;
    bool line;    /* integers: LIN is worth a try, and the chunk as a whole has this slope */
    double slope;
    bool few;     /* the sample has few different lanes: a dictionary is worth a try */
};
/* Fills the rest of *hints from up to ENCODE_SAMPLES lanes that were taken from all over the
 * chunk. */
void encode_sample(struct encode_hints *hints, const uint64_t *lanes, size_t count);
/* Plans the vector: fills all of *header but its offset; returns the bytes of its data. There are
 * always 1,024 lanes, of which those behind the last row repeat it. */
size_t encode_plan(const struct encode_hints *hints, const uint64_t *lanes,
                   struct vector_header *header);
/* Writes what was planned; `count`: rows. */
void encode_write(const struct encode_hints *hints, const uint64_t *lanes, unsigned count,
                  const struct vector_header *header, unsigned char *data);
static inline unsigned bits_of(uint64_t x)
{
    return x ? 64 - (unsigned)__builtin_clzl(x) : 0;
}

/* table_codes.c: different lanes or texts of a chunk, with codes in order of first sight. */
struct code_map {
    uint32_t capacity, count, limit;
    size_t text_bytes; /* of all entries */
    size_t bytes;      /* of this block, which holds the following too */
    uint64_t key;
    uint32_t *slots;   /* code + 1; 0: free */
    uint16_t *codes;   /* by row of the chunk */
    union {
        uint64_t *lanes; /* by code */
        struct table_text *texts;
    };
};
/* NULL when memory is short. */
warn_unused struct code_map *code_map_new(struct table *t, bool texts, uint32_t limit);
void code_map_destroy(struct table *t, struct code_map *m);
/* Sets the code of a row. False if there would be more than `limit`. */
bool code_map_lane(struct code_map *m, uint32_t row, uint64_t lane);
bool code_map_text(struct code_map *m, const struct heap *h, uint32_t row, struct table_text text);

/* table_decode.c */
struct vector_header sealed_header(const struct sealed_column *s, uint32_t vector);
static inline const unsigned char *sealed_at(const struct sealed_column *s, size_t distance)
{
    return (const unsigned char *)s + distance;
}
static inline const uint64_t *sealed_validity(const struct sealed_column *s)
{
    return s->validity ? (const uint64_t *)(const void *)sealed_at(s, s->validity) : NULL;
}
/* Where the exceptions' elements and positions lie; the bytes of packed data are before them. */
static inline size_t exceptions_positions(unsigned count, unsigned element)
{
    return ((size_t)count * element + 7) & ~(size_t)7;
}
static inline size_t exceptions_bytes(unsigned count, unsigned element)
{
    return exceptions_positions(count, element) + (((size_t)count * 2 + 7) & ~(size_t)7);
}
/* The bytes of an element where lanes are stored unpacked. */
unsigned lane_element(const struct table_field *f);
/* All 1,024 lanes of a vector. Texts: codes or ends. */
void sealed_lanes(const struct sealed_column *s, const struct table_field *f, uint32_t vector,
                  uint64_t *lanes);
uint64_t sealed_lane(const struct sealed_column *s, const struct table_field *f, uint32_t slot);
struct table_text sealed_text(const struct sealed_column *s, const struct table_field *f,
                              uint32_t slot);
struct table_text sealed_entry(const struct sealed_column *s, uint32_t code);
/* Doubles of a vector of FLOAT, through the packed form. */
void sealed_doubles(const struct sealed_column *s, const struct table_field *f, uint32_t vector,
                    double *out);
extern const double alp_powers[]; /* 10^0..10^18 */
extern const double alp_inverses[];
/* As the kernel `scale` does it. */
static inline double alp_decode(uint64_t integer, unsigned e, unsigned f)
{
    return (double)(int64_t)integer * alp_powers[f] * alp_inverses[e];
}
/* The double of an integer that was packed with the factor `k`. */
double fix_decode(uint64_t integer, int k);
static inline int header_k(const struct vector_header *h) { return (int16_t)(h->p | h->q << 8); }

/* table_read.c: the overlay of a column, and its cells in one vector: [*first, *end). */
void overlay_range(const struct overlay *o, uint32_t vector, unsigned *first, unsigned *end);
const struct overlay_cell *overlay_find(const struct overlay *o, uint32_t slot);
/* A column of a version in any form, overlay included; valid as long as the version is pinned. */
struct column_view {
    const struct table *t;
    const struct table_field *field;
    const struct column *column;
    const struct overlay *overlay;
    uint32_t slots;
};
struct column_view column_view(const struct table_version *v, uint32_t chunk, uint32_t column);
/* One vector of it. Any of the outputs may be NULL. */
uint32_t view_lanes(const struct column_view *c, uint32_t vector, uint64_t *lanes);
uint32_t view_texts(const struct column_view *c, uint32_t vector, struct table_text *texts);
uint32_t view_valid(const struct column_view *c, uint32_t vector, uint64_t *valid);
static inline uint32_t vector_rows(uint32_t slots, uint32_t vector)
{
    return min_u32(slots - vector * TABLE_VECTOR_ROWS, TABLE_VECTOR_ROWS);
}

/* table_select.c: folds the selected lanes of a vector into *e. */
void lanes_extremes(const struct table_field *f, const uint64_t *lanes, const uint64_t *bits,
                    struct table_extremes *e);

/* table_change.c: copies cells from *row on, with what the overlay changed, to the same place of a
 * plain column: up to the end of the vector, or the text with which they have `bytes_max` bytes.
 * *row goes on. 0 or -ENOMEM. */
warn_unused int plain_part(struct table *t, struct plain_column *p,
                           const struct column_view *view, uint32_t *row, size_t bytes_max);
/* The column as a plain one with its overlay merged, in one go. */
warn_unused struct plain_column *column_to_plain(struct table *t, const struct column_view *view,
                                                 uint32_t column);

/* Whether table_set could set this cell: 0 or an error. */
warn_unused int table_check_set(const struct table *t, uint32_t chunk, uint32_t slot,
                                uint32_t column, const struct table_cell *cell,
                                struct table_error *error);
/* Those of a chunk that is writable, so that they are too. NULL when memory is short. */
warn_unused struct deletions *deletions_writable(struct table *t, struct chunk *c);

/* A sealed column of the current version, with its overlay, becomes plain. 0 or -ENOMEM. */
warn_unused int table_merge_overlay(struct table *t, uint32_t chunk, uint32_t column);
/* Whether that is to be done in steps before a cell of the column is set: it has texts, and its
 * overlay, or what its chunk may hold of texts, is full, or much of them was overwritten. */
bool column_wants_merge(const struct table *t, uint32_t chunk, uint32_t column);

/* table_convert.c: a cell as one of another type, without loss. False: that cannot be. Texts stay
 * what they are; whether one is a str is not looked at. */
bool cell_convert(const struct table_cell *from, enum table_type type, struct table_cell *to);
/* Whether cells of one type can be of another at all. */
bool types_convert(enum table_type from, enum table_type to);
/* The same cell (of sym: its code) in each of `slots` rows. NULL when memory is short. */
warn_unused struct sealed_column *sealed_const(struct table *t, uint32_t column, uint32_t slots,
                                               const struct table_cell *cell, uint32_t code);

/* table_seal.c, table_compact.c, table_index_build.c: what is under way is given up. */
void sealer_close(struct table *t);
void compactor_close(struct table *t);
void indexer_close(struct table *t);

/* table_index.c */
void index_free(struct table *t, struct column_index *x);
/* The checker: what is wrong with the index of a column of a chunk, or NULL. */
const char *index_check(const struct table_version *v, uint32_t chunk, uint32_t column);
/* table_index_build.c: chunks from here on may lack an index. */
void index_look_from(struct table *t, uint32_t chunk);

#endif
