/* table_out.h - what writers of tables share: a growing buffer of bytes, and a walk over the
 * vectors of a version.
 *
 * A buffer that could not grow has `failed`, ignores all that is put into it, and its writer gives
 * up when it looks; so that code that formats has no errors to pass on. Memory is the system's:
 * writers bound it by the size of their pieces. */
#ifndef CAIRN_HEAP_TABLE_OUT_H
#define CAIRN_HEAP_TABLE_OUT_H

#include <stdlib.h>
#include <string.h>

#include "heap/table.h"

struct table_out {
    unsigned char *data;
    size_t length, capacity;
    bool failed;
};

/* Room for `bytes` more, or NULL; out_add makes it part of the buffer. */
unsigned char *out_room(struct table_out *o, size_t bytes);
static inline void out_add(struct table_out *o, size_t bytes)
{
    if (!o->failed) o->length += bytes;
}
/* `bytes` zeros more. Where they are, valid until the buffer grows; NULL: failed. */
unsigned char *out_zeros(struct table_out *o, size_t bytes);
/* Zeros until the length is a multiple of `to`, a power of two. */
void out_align(struct table_out *o, size_t to);
void out_put(struct table_out *o, const void *data, size_t length);
void out_text(struct table_out *o, const char *text);
static inline void out_byte(struct table_out *o, unsigned char byte)
{
    unsigned char *p = out_room(o, 1);
    if (p) *p = byte;
    out_add(o, 1);
}
__attribute__((format(printf, 2, 3))) void out_print(struct table_out *o, const char *format, ...);
void out_base64(struct table_out *o, const char *data, size_t length);
/* A decimal of 15 to 17 digits that reads back as the same double; "nan", "inf", "-inf". */
void out_double(struct table_out *o, double d);
/* 6 to 9 digits, as a float. */
void out_float(struct table_out *o, float f);
void out_close(struct table_out *o);

/* Little-endian numbers at any address. */
static inline void put16(unsigned char *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void put32(unsigned char *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void put64(unsigned char *p, uint64_t v) { memcpy(p, &v, sizeof v); }

/* Which rows of a vector go out: fills 16 words, returns how many. Called once per vector, in
 * order; it must leave out deleted rows (table_vector_live). */
typedef uint32_t table_select_cb(void *data, const struct table_version *v, uint32_t chunk,
                                 uint32_t vector, uint64_t *selected);

/* What goes out. All of it is the caller's, until the writer is destroyed. */
struct table_export {
    struct table_version *version; /* pinned */
    const uint32_t *columns;       /* NULL: all, in their order */
    uint32_t column_count;
    table_select_cb *select;       /* NULL: all rows that are not deleted */
    void *select_data;
};

/* The number of columns, and which the i-th one is. */
uint32_t export_column_count(const struct table_export *e);
uint32_t export_column(const struct table_export *e, uint32_t i);
const struct table_field *export_field(const struct table_export *e, uint32_t i);

struct table_walk {
    uint32_t chunk, vector;
};
/* One vector: false at the end. `*rows` may be 0. */
struct table_part {
    uint32_t chunk, vector, rows; /* selected ones */
    uint64_t selected[TABLE_VECTOR_WORDS];
};
bool table_walk_next(struct table_walk *w, const struct table_export *e, struct table_part *part);

/* CPU-independent clock for budgets, nanoseconds. */
uint64_t table_clock_ns(void);

#endif
