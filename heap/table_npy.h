/* table_npy.h - columns of numbers as a NumPy array file (.npy, version 1.0), out and in.
 *
 * One column is an array of one dimension, several of one type an array of rows in C order. Dates
 * are <i4 (days), times <M8[us]. Nulls are NaN in f32 and f64, and refused elsewhere. */
#ifndef CAIRN_HEAP_TABLE_NPY_H
#define CAIRN_HEAP_TABLE_NPY_H

#include "heap/table_arrow.h" /* table_open_cb, enum table_feed */

struct npy_writer;
/* NULL with an error: columns of several types, texts, or memory is short. */
struct npy_writer *npy_writer_create(const struct table_export *e, struct table_error *error);
/* As arrow_writer_step; at least a vector. -EINVAL, told in `error`: a null. The file's
 * header tells the number of rows: with `select`, the rows are counted first, by calling it twice
 * for every vector. */
warn_unused int npy_writer_step(struct npy_writer *w, uint64_t budget_ns,
                                const unsigned char **data, size_t *length,
                                struct table_error *error);
void npy_writer_destroy(struct npy_writer *w);

/* Arrays of one or two dimensions, of little-endian numbers and booleans, in C order. Columns are
 * called column1, column2, ...; without nulls. */
struct npy_reader;
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
