/* methods_table_append.c - table.append: rows as lists, or columns as lists or raw little-endian
 * bins. All or nothing. An append runs in one go: what it may hold is bounded by request-elements
 * and request-bytes. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_value.h"

#define ROWS_BATCH 1024

/* --- rows -------------------------------------------------------------------------------------*/

/* The cells of rows first..first+count-1, one row behind the other. 0, or -1. */
static int read_cells(struct call *call, value rows, size_t first, size_t count, uint32_t columns,
                      value *cells)
{
    struct heap *h = call->heap;
    for (size_t i = 0; i < count; i++) {
        value row = list_get(h, rows, first + i);
        bool list = value_is_kind(row, KIND_LIST);
        if (list && list_length(h, row) == columns) {
            list_read(h, row, 0, cells + i * columns, columns);
            continue;
        }
        if (list)
            call_fail(call, ERROR_BAD_PARAMS,
                      "%s: row %zu has %zu cells; the table has %u columns", call->method->name,
                      first + i, list_length(h, row), columns);
        else
            call_fail(call, ERROR_BAD_PARAMS, "%s: row %zu must be a list of %u cells, not %s",
                      call->method->name, first + i, columns, value_describe(row));
        return -1;
    }
    return 0;
}

/* 0, -1 after call_fail, or -2 with *error set. */
static int fill_rows(struct call *call, struct table_append *a, value rows, value *cells,
                     struct table_error *error)
{
    uint32_t columns = table_column_count(a->t);
    for (size_t first = 0; first < a->rows; first += ROWS_BATCH) {
        size_t count = a->rows - first < ROWS_BATCH ? a->rows - first : ROWS_BATCH;
        if (read_cells(call, rows, first, count, columns, cells) < 0) return -1;
        for (uint32_t i = 0; i < columns; i++)
            if (table_append_values(a, i, count, cells + i, columns, error) < 0) return -2;
    }
    return 0;
}

static enum call_outcome append_end(struct call *call, struct table_append *a, int status,
                                    struct table_error *error)
{
    uint64_t first, rows = a->rows;
    if (status == 0 && table_append_commit(a, &first, error) < 0) status = -2;
    if (status < 0) {
        table_append_abort(a);
        return status == -2 ? call_fail_table(call, error) : CALL_FAILED;
    }
    writer_map(call->reply, 2);
    reply_figure(call->reply, "first", first);
    reply_figure(call->reply, "n", rows);
    return CALL_DONE;
}

static enum call_outcome append_rows(struct call *call, struct table *t, value rows)
{
    struct table_error error;
    struct table_append a;
    if (!value_is_kind(rows, KIND_LIST))
        return call_fail(call, ERROR_BAD_PARAMS, "%s: rows must be a list of lists, not %s",
                         call->method->name, value_describe(rows));
    value *cells = malloc(ROWS_BATCH * (size_t)table_column_count(t) * sizeof *cells);
    if (cells == NULL) return fail_no_memory(call);
    if (table_append_begin(t, list_length(call->heap, rows), &a, &error) < 0) {
        free(cells);
        return call_fail_table(call, &error);
    }
    int status = fill_rows(call, &a, rows, cells, &error);
    free(cells);
    return append_end(call, &a, status, &error);
}

/* --- columns ----------------------------------------------------------------------------------*/

/* The bytes of a bin in one piece, in memory of the caller; NULL after call_fail. */
static unsigned char *copy_bin(struct call *call, value bin)
{
    size_t length = text_length(call->heap, bin);
    unsigned char *bytes = malloc(length + 1);
    if (bytes == NULL) fail_no_memory(call);
    else text_copy(call->heap, bin, 0, bytes, length);
    return bytes;
}

static value map_find(struct heap *h, value map, const struct table_field *field)
{
    struct map_key key;
    if (!value_is_kind(map, KIND_MAP)) return VALUE_ABSENT;
    map_key_text(h, &key, field->name, field->name_length);
    return map_get(h, map, &key);
}

static int fail_bin(struct call *call, const struct table_field *field, const char *what,
                    size_t got, size_t wanted)
{
    call_fail(call, ERROR_BAD_PARAMS, "%s: column %s: %s of %zu bytes; it must have %zu",
              call->method->name, call_quote(field->name, field->name_length), what, got, wanted);
    return -1;
}

static int fill_bin(struct call *call, struct table_append *a, uint32_t column, value bin,
                    value valid, struct table_error *error)
{
    const struct table_field *field = table_field(a->t, column);
    size_t width = table_type_bytes(field->type), length = text_length(call->heap, bin);
    enum table_class class = table_type_class(field->type);
    if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "%s: column %s of type %s is given as a list, not as a bin", call->method->name,
                  call_quote(field->name, field->name_length), table_type_name(field->type));
        return -1;
    }
    if (length != a->rows * width) return fail_bin(call, field, "a bin", length, a->rows * width);
    bool masked = value_is_text(valid);
    size_t bits = (a->rows + 7) / 8;
    if (masked && text_length(call->heap, valid) != bits)
        return fail_bin(call, field, "valid: a bin", text_length(call->heap, valid), bits);
    unsigned char *bytes = copy_bin(call, bin);
    unsigned char *mask = bytes != NULL && masked ? copy_bin(call, valid) : NULL;
    int status = bytes == NULL || (masked && mask == NULL) ? -1 : 0;
    if (status == 0 && table_append_raw(a, column, a->rows, bytes, mask, 0, error) < 0)
        status = -2;
    free(bytes);
    free(mask);
    return status;
}

static int fill_list(struct call *call, struct table_append *a, uint32_t column, value list,
                     struct table_error *error)
{
    const struct table_field *field = table_field(a->t, column);
    value cells[256];
    size_t length = value_is_kind(list, KIND_LIST) ? list_length(call->heap, list) : 0, got;
    if (!value_is_kind(list, KIND_LIST) || length != a->rows) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "%s: column %s must be a list or a bin of n (%llu) cells, not %s of %zu",
                  call->method->name, call_quote(field->name, field->name_length),
                  (unsigned long long)a->rows, value_describe(list), length);
        return -1;
    }
    for (size_t at = 0; at < length; at += got) {
        got = list_read(call->heap, list, at, cells, sizeof cells / sizeof *cells);
        if (table_append_values(a, column, got, cells, 1, error) < 0) return -2;
    }
    return 0;
}

static int fill_column(struct call *call, struct table_append *a, uint32_t column, value cols,
                       value valid, struct table_error *error)
{
    const struct table_field *field = table_field(a->t, column);
    value v = map_find(call->heap, cols, field);
    if (v == VALUE_ABSENT || v == VALUE_NIL)
        return table_append_nulls(a, column, a->rows, error) < 0 ? -2 : 0;
    if (value_is_text(v) && text_is_bytes(v))
        return fill_bin(call, a, column, v, map_find(call->heap, valid, field), error);
    return fill_list(call, a, column, v, error);
}

/* Names of columns that there are not. */
static int check_names(struct call *call, const struct table *t, value map, const char *what)
{
    struct map_iterator it = {0};
    value name, v;
    uint32_t column;
    if (map == VALUE_ABSENT || map == VALUE_NIL) return 0;
    if (!value_is_kind(map, KIND_MAP)) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: %s must be a map of columns, not %s",
                  call->method->name, what, value_describe(map));
        return -1;
    }
    while (map_next(call->heap, map, &it, &name, &v))
        if (table_column_read(call, t, name, &column) < 0) return -1;
    return 0;
}

/* The number of rows where n is not given: that of the first list. */
static int64_t rows_of_lists(struct call *call, value cols)
{
    struct map_iterator it = {0};
    value name, v;
    while (map_next(call->heap, cols, &it, &name, &v))
        if (value_is_kind(v, KIND_LIST)) return (int64_t)list_length(call->heap, v);
    return -1;
}

static enum call_outcome append_cols(struct call *call, struct table *t, value cols, value n,
                                     value valid)
{
    struct table_error error;
    struct table_append a;
    int64_t rows = -1;
    int status = 0;
    if (check_names(call, t, cols, "cols") < 0 || check_names(call, t, valid, "valid") < 0 ||
        option_int(call, "n", n, 0, (int64_t)1 << 32, &rows) < 0)
        return CALL_FAILED;
    if (rows < 0) rows = rows_of_lists(call, cols);
    if (rows < 0)
        return call_fail(call, ERROR_BAD_PARAMS,
                         "%s: n, the number of rows, must be given when there is no list",
                         call->method->name);
    if (table_append_begin(t, (uint64_t)rows, &a, &error) < 0) return call_fail_table(call, &error);
    for (uint32_t i = 0; i < table_column_count(t) && status == 0; i++)
        status = fill_column(call, &a, i, cols, valid, &error);
    return append_end(call, &a, status, &error);
}

enum call_outcome method_table_append(struct call *call)
{
    value rows, cols, n, valid;
    const struct option known[] = {{"rows", &rows}, {"cols", &cols}, {"n", &n}, {"valid", &valid}};
    struct table *t;
    if (options_read(call, 1, known, 4) < 0 || table_find(call, call->args[0], &t) < 0)
        return CALL_FAILED;
    if ((rows == VALUE_ABSENT) == (cols == VALUE_ABSENT))
        return call_fail(call, ERROR_BAD_PARAMS, "%s: give either rows or cols",
                         call->method->name);
    return rows != VALUE_ABSENT ? append_rows(call, t, rows) : append_cols(call, t, cols, n, valid);
}
