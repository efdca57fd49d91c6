/* fuzz_table.h - where the fuzz targets of file formats put what they read. */
#ifndef CAIRN_TESTS_FUZZ_TABLE_H
#define CAIRN_TESTS_FUZZ_TABLE_H

#include <stdlib.h>

#include "heap/heap.h"
#include "heap/table.h"

static inline struct heap *fuzz_heap_open(void)
{
    struct heap_config config = {.max_bytes = (size_t)64 << 20, .hash_key = "fixed for tests"};
    struct heap *h;
    if (heap_create(&h, &config) != 0) abort();
    return h;
}

struct fuzz_table {
    struct heap *h;
    value table; /* VALUE_NIL until there is one */
};

/* A table_open_cb whose data is a struct fuzz_table: makes the table. */
static inline int fuzz_table_open(void *data, const struct table_field *fields, uint32_t count,
                                  struct table **t, struct table_error *error)
{
    struct fuzz_table *made = data;
    int failed = table_create(made->h, fields, count, &made->table, error);
    if (failed) made->table = VALUE_NIL;
    else *t = table_of(made->h, made->table);
    return failed;
}

#endif
