/* table_out.h - a growing buffer of bytes, for those who write tables in other formats.
 *
 * A buffer that could not grow has `failed`, ignores all that is put into it, and its writer gives
 * up when it looks; so that code that formats has no errors to pass on. Memory is the system's.
 * With a query it counts as what that query holds (query_charge); else whoever writes bounds it. */
#ifndef CAIRN_HEAP_TABLE_OUT_H
#define CAIRN_HEAP_TABLE_OUT_H

#include <stdlib.h>
#include <string.h>

#include "heap/table.h"

struct query;

struct table_out {
    unsigned char *data;
    size_t length, capacity;
    bool failed;
    struct query *query; /* NULL: not counted */
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
/* Frees it; empty, it can be used again. */
void out_close(struct table_out *o);

/* Little-endian numbers at any address. */
static inline void put16(unsigned char *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void put32(unsigned char *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void put64(unsigned char *p, uint64_t v) { memcpy(p, &v, sizeof v); }

/* CPU-independent clock for budgets, nanoseconds. */
uint64_t table_clock_ns(void);

#endif
