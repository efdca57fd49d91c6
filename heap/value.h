/* value.h - the tagged word.
 *
 * Everything Cairn stores is one 64-bit word. Small things live inside it; a
 * reference names a heap cell by its distance from the heap's base, never by an
 * address, so that a heap image can be loaded anywhere.
 *
 *   63                                            4 3 2 1 0
 *   [ signed integer, 63 bits                            1]  integer
 *   [ double, rotated and offset, 62 bits              1 0]  double
 *   [ index of 16-byte granules:36 | hash:20 | kind:5| 1 0 0]  reference
 *   [ up to 7 bytes of text | length:3 | is_bytes:1|1 0 0 0]  inline string
 *   [ payload:56                 | special:4       |0 0 0 0]  special
 *
 * The all-zero word is nil, so fresh memory reads as nil.
 *
 * One property of this encoding carries the collector: a cell that holds values
 * holds nothing else. Headers and counts inside such cells are encoded as integer
 * values. So the marker and the drop queue may look at every word of a cell, and
 * a word is a reference exactly if its low three bits are 100.
 *
 * Equal bits mean "the same": the same number, the same short string, the same
 * object. Different bits may still be equal (two cells with the same text): see
 * equal.h.
 */
#ifndef CAIRN_HEAP_VALUE_H
#define CAIRN_HEAP_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t value;

/* Kinds of heap objects: X(NAME, name that people read).
 *
 * Leaves come first: their cells hold raw bytes and no references, so they are
 * marked without being read. The cells of all later kinds hold values only. */
#define HEAP_LEAF_KINDS(X)                                                            \
    X(STRING, "string")        /* valid UTF-8: text.h */                              \
    X(BYTES, "bytes")          /* any bytes, laid out as a string */                  \
    X(INT64, "int64")          /* an integer that 63 bits do not hold */              \
    X(UINT64, "uint64")        /* an integer above INT64_MAX */                       \
    X(DOUBLE, "double")        /* a double whose exponent does not fit the word */    \
    X(EXT, "ext")              /* opaque MessagePack extension: type and bytes */     \
    X(TABLE, "table")          /* table.h: columns outside of the pages */            \
    X(RAW, "raw")              /* bytes that belong to a container */                 \
    X(MAP_SEGMENT, "map segment") /* keys and short values: map_packed.h */

#define HEAP_CONTAINER_KINDS(X)                                                       \
    X(LIST, "list")            /* list.h */                                           \
    X(MAP, "map")              /* map.h: the root of a map or a record */             \
    X(SET, "set")              /* set.h: the root, laid out as that of a map */       \
    X(SORTED_SET, "sorted set") /* sorted_set.h */                                    \
    X(SHAPE, "shape")          /* shape.h: the field names that alike records share */ \
    X(ROPE, "string rope")     /* a string in chunks: text.h */                       \
    X(ROPE_BYTES, "bytes rope")                                                       \
    X(ROPE_NODE, "rope node")                                                         \
    X(LIST_LEAF, "list leaf")                                                         \
    X(LIST_NODE, "list node")                                                         \
    X(RECORD, "record")                                                               \
    X(MAP_LINEAR, "linear map body")                                                  \
    X(MAP_ORDERED, "ordered map body")                                                \
    X(MAP_ENTRIES, "ordered map entries")                                             \
    X(MAP_NODE, "segmented map node")                                                 \
    X(MAP_VALUES, "map values")                                                       \
    X(SCORES, "sorted set scores") /* the root of a map */                            \
    X(SORTED_NODE, "sorted set node")

enum kind {
#define X(name, text) KIND_##name,
    HEAP_LEAF_KINDS(X) KIND_FIRST_CONTAINER,
    KIND_BEFORE_CONTAINERS = KIND_FIRST_CONTAINER - 1,
    HEAP_CONTAINER_KINDS(X)
#undef X
    KIND_COUNT
};
_Static_assert(KIND_COUNT <= 32, "a kind has five bits");

#define VALUE_NIL ((value)0x00)
#define VALUE_FALSE ((value)0x10)
#define VALUE_TRUE ((value)0x20)
/* A slot that held an entry and may be taken again; never leaves its container. */
#define VALUE_TOMBSTONE ((value)0x30)
/* "There is none": what a look-up returns, distinct from a stored nil. */
#define VALUE_ABSENT ((value)0x40)
/* The low byte of a weak reference; slot and generation follow: weak.h. */
#define VALUE_WEAK_TAG ((value)0x50)
/* The low byte of a *view* of a text of more than 7 bytes that lies inside of a larger cell; 0x70
 * if it is bytes. Its place follows, in bytes from the heap's base: there stands the length, one
 * byte, then the text. A view is borrowed, valid until the next change of the heap, and never
 * stored in it: text_own (text.h) makes a text of it that can be. */
#define VALUE_VIEW_TAG ((value)0x60)

static inline bool value_is_int(value v) { return v & 1; }
static inline bool value_is_double(value v) { return (v & 3) == 2; }
static inline bool value_is_ref(value v) { return (v & 7) == 4; }
static inline bool value_is_inline_text(value v) { return (v & 15) == 8; }
static inline bool value_is_special(value v) { return (v & 15) == 0; }
static inline bool value_is_bool(value v) { return v == VALUE_FALSE || v == VALUE_TRUE; }
static inline bool value_is_weak(value v) { return (v & 0xff) == VALUE_WEAK_TAG; }

static inline bool value_is_view(value v) { return (v & 0xef) == VALUE_VIEW_TAG; }
static inline value value_view(uint64_t place, bool is_bytes)
{
    return place << 8 | VALUE_VIEW_TAG | (value)is_bytes << 4;
}
static inline uint64_t value_view_place(value v) { return v >> 8; }

static inline value value_bool(bool b) { return b ? VALUE_TRUE : VALUE_FALSE; }

/* --- integers of 63 bits; number.h makes and reads those of any size ---------- */

#define VALUE_INT_MAX (((int64_t)1 << 62) - 1)
#define VALUE_INT_MIN (-((int64_t)1 << 62))

static inline bool value_int_fits(int64_t i)
{
    return i >= VALUE_INT_MIN && i <= VALUE_INT_MAX;
}
static inline value value_int(int64_t i) { return (uint64_t)i << 1 | 1; }
static inline int64_t value_to_int(value v) { return (int64_t)v >> 1; }

/* --- doubles ------------------------------------------------------------------
 *
 * Rotating the sign to the bottom leaves the exponent on top. Magnitudes from
 * 2^-255 up to, not including, 2^257 have the top exponent bits 011 or 100; taking 3<<61 off
 * makes the two top bits zero, and the tag takes their place. The two smallest
 * codes (plus and minus 2^-255 exactly) stand for the two zeros. */

#define VALUE_DOUBLE_OFFSET ((uint64_t)3 << 61)

static inline bool value_double_fits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    uint64_t rotated = bits << 1 | bits >> 63;
    uint64_t code = rotated - VALUE_DOUBLE_OFFSET;
    return rotated <= 1 || (code >= 2 && code < (uint64_t)1 << 62);
}
/* `d` must fit (value_double_fits); number.h boxes the others. */
static inline value value_double(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    uint64_t rotated = bits << 1 | bits >> 63;
    uint64_t code = rotated <= 1 ? rotated : rotated - VALUE_DOUBLE_OFFSET;
    return code << 2 | 2;
}
static inline double value_to_double(value v)
{
    uint64_t code = v >> 2;
    uint64_t rotated = code <= 1 ? code : code + VALUE_DOUBLE_OFFSET;
    uint64_t bits = rotated >> 1 | rotated << 63;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* --- references ----------------------------------------------------------------*/

#define REF_INDEX_SHIFT 28
#define REF_HASH_SHIFT 8
#define REF_HASH_BITS 20
#define REF_HASH_MASK (((uint64_t)1 << REF_HASH_BITS) - 1)

static inline value ref_make(enum kind kind, uint64_t granule, uint32_t hash)
{
    return granule << REF_INDEX_SHIFT | (value)(hash & REF_HASH_MASK) << REF_HASH_SHIFT |
           (value)kind << 3 | 4;
}
static inline enum kind ref_kind(value v) { return (enum kind)(v >> 3 & 31); }
static inline uint32_t ref_hash(value v) { return v >> REF_HASH_SHIFT & REF_HASH_MASK; }
static inline uint64_t ref_granule(value v) { return v >> REF_INDEX_SHIFT; }
static inline bool kind_is_leaf(enum kind kind) { return kind < KIND_FIRST_CONTAINER; }
static inline bool value_is_kind(value v, enum kind kind)
{
    return (v & 0xff) == ((value)kind << 3 | 4);
}

/* The name of a kind, for messages and the census. Static storage. */
const char *kind_name(enum kind kind);

/* --- inline strings: up to 7 bytes, the first byte lowest ------------------------*/

#define VALUE_INLINE_TEXT_MAX 7

/* `length` <= VALUE_INLINE_TEXT_MAX; `is_bytes` tells bytes from a UTF-8 string. */
static inline value value_inline_text(const void *data, size_t length, bool is_bytes)
{
    uint64_t text = 0;
    memcpy(&text, data, length);
    return text << 8 | (uint64_t)length << 5 | (uint64_t)is_bytes << 4 | 8;
}
static inline size_t value_inline_length(value v) { return v >> 5 & 7; }
static inline bool value_inline_is_bytes(value v) { return v >> 4 & 1; }

#endif
