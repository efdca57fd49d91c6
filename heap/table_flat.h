/* table_flat.h - FlatBuffers, as much of them as Arrow's metadata needs: a builder that writes
 * from front to back, and a reader that checks every offset.
 *
 *     table    i32 back to its vtable, then the fields        vtable   u16 its bytes, u16 the
 *     vector   u32 count, elements                                     table's bytes, u16 per
 *     string   u32 bytes, bytes, NUL                                   field: offset, 0: absent
 *     offset   u32 forward, from where it stands
 *
 * The builder writes a parent before its children and points the parent's fields at them as they
 * are begun. Values are aligned to their size from the buffer's beginning, itself
 * at a multiple of 8. */
#ifndef CAIRN_HEAP_TABLE_FLAT_H
#define CAIRN_HEAP_TABLE_FLAT_H

#include "heap/table_out.h"

#define FLAT_FIELDS_MAX 8

/* --- building: `base` is where the buffer begins in `out` -------------------------------------*/

struct flat_table {
    struct table_out *out;
    size_t base;
    size_t at[FLAT_FIELDS_MAX]; /* of each field, in `out` */
};
/* The root's offset, which is to point at the root. */
size_t flat_root(struct table_out *out);
/* A table, to which the offset at `at` points, with fields of sizes[i] bytes ("1248"; '0': absent),
 * all zeros. */
struct flat_table flat_table_begin(struct table_out *out, size_t base, size_t at,
                                   const char *sizes);
void flat_set(struct flat_table *t, unsigned field, uint64_t v, unsigned bytes);
/* A vector of `count` elements of `bytes` each, zeros, aligned to `bytes`, at most 8, to which
 * the offset at `at` points. Where the first element is. */
size_t flat_vector(struct table_out *out, size_t base, size_t at, uint32_t count, unsigned bytes);
void flat_string(struct table_out *out, size_t at, const char *data, size_t length);

/* --- reading ----------------------------------------------------------------------------------*/

struct flat {
    const unsigned char *data; /* any alignment */
    size_t length;
    const char *wrong; /* NULL as long as nothing was; then the first thing */
    size_t wrong_at;
};
/* A table, checked: its vtable and all of it lie inside. `at` 0: none (its fields are defaults). */
struct flat_view {
    size_t at, vtable;
    uint16_t vtable_bytes, bytes;
};
struct flat_elements {
    size_t at; /* of the first */
    uint32_t count;
};

/* After something was wrong, everything reads as absent. */
struct flat_view flat_view_root(struct flat *f);
struct flat_view flat_view_table(struct flat *f, const struct flat_view *t, unsigned field);
/* The table that the offset at `at`, an element of a vector, points to. */
struct flat_view flat_view_element(struct flat *f, size_t at);
uint64_t flat_view_number(struct flat *f, const struct flat_view *t, unsigned field,
                          unsigned bytes, uint64_t otherwise);
bool flat_view_has(struct flat *f, const struct flat_view *t, unsigned field);
/* `bytes` per element; 1 for strings. */
struct flat_elements flat_view_vector(struct flat *f, const struct flat_view *t, unsigned field,
                                      unsigned bytes);
static inline int64_t flat_int64(const struct flat *f, size_t at)
{
    int64_t v;
    memcpy(&v, f->data + at, sizeof v);
    return v;
}

#endif
