/* table_npy.h - columns of numbers as a NumPy array file (.npy, version 1.0), in and out.
 *
 * Out (table_export.h): one column is an array of one dimension, several of one type an array of
 * rows in C order. Dates are <i4 (days), times <M8[us]. Nulls are NaN in f32 and f64, and refused
 * elsewhere; texts, symbols, bytes and columns of different types are refused, too. */
#ifndef CAIRN_HEAP_TABLE_NPY_H
#define CAIRN_HEAP_TABLE_NPY_H

#include "heap/table_arrow.h" /* table_open_cb, enum table_feed */

/* \x93NUMPY 1 0, u16 bytes of the header, the header. */
#define NPY_MARK "\x93NUMPY\x01"
#define NPY_MARK_BYTES 10 /* with the versions and the header's length */
/* The type of an array, as the header has it; NULL: no array has this type. */
const char *npy_type_name(enum table_type type);

/* Arrays of one or two dimensions, of little-endian numbers and booleans, in C order. Columns are
 * called column1, column2, ...; without nulls. */
struct npy_reader;
/* `open` is called with `data` from npy_reader_feed, once. NULL: no memory. */
struct npy_reader *npy_reader_create(table_open_cb *open, void *data);
warn_unused int npy_reader_feed(struct npy_reader *r, const void *data, size_t length,
                                size_t *used, struct table_error *error);
warn_unused int npy_reader_end(struct npy_reader *r, struct table_error *error);
/* Appends the rows that are whole by now. */
warn_unused int npy_reader_flush(struct npy_reader *r, struct table_error *error);
uint64_t npy_reader_rows(const struct npy_reader *r);
size_t npy_reader_bytes(const struct npy_reader *r); /* the memory it holds */
void npy_reader_destroy(struct npy_reader *r);

#endif
