/* table_int.h - the inside of tables. Only files of heap/table_*.c and their tests include it.
 *
 *   table ── current ──> version ──> directory ──> page of 64 chunks ──> chunk ──> column
 *                          ^                                               └────> deletions
 *   reader ── pin ─────────┘                                               └────> overlay
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
 * field may be null, a bitmap of valid ones. */
struct plain_column {
    struct column head;
    uint32_t capacity;   /* a multiple of 64 */
    uint32_t written;    /* elements from here on were never visible to any version */
    uint64_t *valid;     /* into this block; NULL: the field has no nulls */
    struct text_arena *arena; /* texts only, else NULL */
    size_t text_bytes;   /* of the texts appended, for the chunk's limit */
    _Alignas(64) unsigned char elements[];
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
    uint8_t p, q;          /* ALP: exponents e and f; FIX: p = k; LIN: p = bits of fraction in slope */
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
    uint32_t slots;
    uint32_t nulls;
    uint16_t header_count;
    uint16_t zone_count;
    bool zone_known;
    bool has_dictionary;
    uint32_t dictionary_count;
    struct zone_bounds zone;
    /* Distances from the start of this block, in bytes. 0: there is none. */
    size_t zones, null_counts, validity, data, dictionary, texts;
    size_t text_bytes;
    struct vector_header headers[];
};

/* --- overlays ----------------------------------------------------------------------------------*/

/* When a sealed column gets more changed cells than this, it becomes plain again. */
#define OVERLAY_CELLS_MAX 256

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
    uint32_t slots;      /* of the current version; older ones may see fewer (tail_slots) */
    uint32_t serial;     /* new for every chunk and copy: has it changed? */
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
    uint32_t refs;            /* table->current counts as one */
    struct table *table;      /* held */
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

struct table {
    struct external external; /* first: the heap's side of it */
    uint32_t column_count;
    uint32_t next_serial;
    struct table_field *fields;
    struct symbols **symbols;  /* per column; NULL for other types */
    struct table_version *current;
    struct sealer *sealer;     /* the column being sealed, or NULL */
    uint32_t sealed_below;     /* chunks below have nothing to seal */
    struct compactor *compactor;
    uint64_t pins;
};

static inline struct table *table_of_external(struct external *e) { return (struct table *)e; }

static inline uint32_t version_slots(const struct table_version *v, uint32_t chunk);
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

/* The bytes of an element of a plain column. */
static inline size_t element_bytes(enum table_type type)
{
    size_t bytes = table_type_bytes(type);
    return bytes ? bytes : sizeof(struct table_text);
}

#endif
