/* table_npy_write.c - columns of numbers as a .npy file: see table_npy.h for its form.
 *
 * The header tells how many rows follow, so they are counted first, by a second query. Cells come
 * from batches as lanes of 64 bits, and go to their places in rows of the file. */
#include <inttypes.h>
#include <math.h>

#include "heap/table_export_int.h"
#include "heap/table_kernels.h"
#include "heap/table_npy.h"

struct npy_export {
    struct export e; /* first */
    struct query *counter;
    uint32_t columns;
    size_t bytes; /* of an element */
    enum table_type type;
    uint64_t rows;
    bool counted;
    _Alignas(16) uint64_t lanes[TABLE_VECTOR_ROWS];
    unsigned char elements[TABLE_VECTOR_ROWS * 8];
};

static void put_header(struct npy_export *x)
{
    struct table_out *o = &x->e.out;
    out_put(o, NPY_MARK "\0\0\0", NPY_MARK_BYTES);
    out_print(o, "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRIu64 ",",
              npy_type_name(x->type), x->rows);
    if (x->columns > 1) out_print(o, " %" PRIu32, x->columns);
    out_text(o, "), }");
    while (!o->failed && o->length % 64 != 63) out_byte(o, ' ');
    out_byte(o, '\n');
    if (!o->failed) put16(o->data + 8, (uint16_t)(o->length - NPY_MARK_BYTES));
}

/* 0 or an error. */
static int count_rows(struct npy_export *x, uint64_t budget_ns)
{
    struct query_part part;
    int found = query_next_part(x->counter, budget_ns, &part, &x->e.error);
    if (found < 0) return found;
    if (found == QUERY_ROWS) x->rows += part.rows;
    if (found != QUERY_END) return 0;
    x->counted = true;
    put_header(x);
    return 0;
}

/* The cells of a batch's column as elements of the type's own width; null is NaN. */
static int read_elements(struct npy_export *x, const struct query_batch *batch, uint32_t column)
{
    const struct query_column *c = query_column(x->e.query, column);
    const struct query_batch_column *cells = &batch->columns[column];
    bool real = table_type_class(x->type) == TABLE_CLASS_FLOAT;
    const double null = NAN;
    memcpy(x->lanes, cells->data, batch->rows * sizeof *x->lanes);
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (cells->valid[row / 64] >> row % 64 & 1) continue;
        if (!real)
            return export_fail(&x->e.error, QUERY_FAULT_TYPE,
                               "column \"%.*s\" has a null; in .npy only f32 and f64 have one "
                               "(NaN)",
                               (int)c->name_length, c->name);
        memcpy(&x->lanes[row], &null, sizeof null);
    }
    if (x->type == TABLE_F32)
        table_kernels()->narrow_floats((const double *)(const void *)x->lanes, x->lanes);
    table_kernels()->narrow(x->lanes, (unsigned)x->bytes, batch->rows, x->elements);
    return 0;
}

/* At their places in `rows`, of which each has an element of every column. */
static void place_elements(const struct npy_export *x, uint32_t count, uint32_t column,
                           unsigned char *rows)
{
    size_t stride = x->columns * x->bytes;
    if (x->columns == 1) {
        memcpy(rows, x->elements, count * x->bytes);
        return;
    }
    rows += column * x->bytes;
    for (uint32_t row = 0; row < count; row++, rows += stride)
        memcpy(rows, x->elements + row * x->bytes, x->bytes);
}

static int put_batch(struct npy_export *x, const struct query_batch *batch)
{
    size_t bytes = batch->rows * x->columns * x->bytes;
    unsigned char *rows = out_room(&x->e.out, bytes);
    for (uint32_t i = 0; i < x->columns && rows; i++) {
        int failed = read_elements(x, batch, i);
        if (failed) return failed;
        place_elements(x, batch->rows, i, rows);
    }
    out_add(&x->e.out, bytes);
    x->e.rows += batch->rows;
    return 0;
}

static int npy_work(struct export *e, uint64_t budget_ns)
{
    struct npy_export *x = (struct npy_export *)e;
    struct query_batch batch;
    if (!x->counted) {
        int failed = count_rows(x, budget_ns);
        return failed ? failed : EXPORT_BUSY;
    }
    size_t room = e->piece_bytes > e->out.length ? e->piece_bytes - e->out.length : 1;
    size_t fit = room / (x->columns * x->bytes);
    uint32_t rows = fit < 1 ? 1 : fit < TABLE_VECTOR_ROWS ? (uint32_t)fit : TABLE_VECTOR_ROWS;
    int found = query_next(e->query, budget_ns, rows, 0, &batch, &e->error);
    if (found == QUERY_END) return EXPORT_END;
    if (found != QUERY_ROWS) return found < 0 ? found : EXPORT_BUSY;
    int failed = put_batch(x, &batch);
    if (failed) return failed;
    return e->out.length + x->columns * x->bytes > e->piece_bytes ? EXPORT_PIECE : EXPORT_BUSY;
}

/* --- from beginning to end ---------------------------------------------------------------------*/

static bool npy_settled(const struct export *e)
{
    return ((const struct npy_export *)e)->counted;
}

static void npy_close(struct export *e) { query_destroy(((struct npy_export *)e)->counter); }

static int npy_create(struct query *q, struct query *counter, const struct export_options *o,
                      struct export **e, struct query_error *error)
{
    enum table_type type = query_column(q, 0)->type;
    (void)o;
    for (uint32_t i = 0; i < query_column_count(q); i++) {
        const struct query_column *c = query_column(q, i);
        if (c->type == type && npy_type_name(type)) continue;
        return export_fail(error, QUERY_FAULT_TYPE,
                           "column \"%.*s\" is of type %s; .npy has numbers of one type (select "
                           "says of which columns)",
                           (int)c->name_length, c->name, table_type_name(c->type));
    }
    struct npy_export *x = query_keep(q, sizeof *x);
    if (!x) return export_fail_memory(q, error);
    x->counter = counter;
    x->type = type;
    x->bytes = table_type_bytes(type);
    x->columns = query_column_count(q);
    *e = &x->e;
    return 0;
}

const struct export_class npy_export = {npy_create, npy_work, npy_close, npy_settled, NULL};
