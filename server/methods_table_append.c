/* methods_table_append.c - table.append: rows as lists or maps, or columns as lists or raw
 * little-endian bins. All or nothing, in steps.
 *
 * The rows are gathered in a draft of the table (heap/table_draft.h): room for all of them, then
 * the cells, a few at a time, then sorted columns are checked; then the draft is published. Others
 * read the table as it was until then; whoever wants to change it waits. An error in the last row,
 * memory that is short and a session that ends give the draft up.
 *
 * Rows come packed (packed_rows.h), or, where back-references may be among them, as values. */
#include "server/method_list.h"

#include <assert.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/packed_rows.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_value.h"

/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)300000)
/* Cells between two looks at the clock: at most, and to begin with. */
#define PIECE_CELLS_MAX 4096
#define PIECE_CELLS_FIRST 256
#define LIST_CELLS 256 /* of a list, at most */
/* A piece that takes longer than this is followed by a smaller one. */
#define PIECE_NS ((uint64_t)100000)

/* The options, read anew in each step: values move. */
struct source {
    value rows, cols, n, valid;
};

struct append {
    struct table_draft *draft;
    struct table_append a;
    enum { APPEND_RESERVE, APPEND_FILL, APPEND_CHECK } phase;
    uint64_t rows;
    uint64_t at;         /* rows that are filled, of `column` if there are columns */
    uint32_t column;
    size_t piece;        /* cells of the next piece */
    struct packed_rows *packed; /* how far those are read; or NULL, and */
    value *cells;        /* of a piece of rows */
    unsigned char *bin;  /* a piece of a bin with a mask, and behind it one of that */
    struct table_error error;
};

static void append_free(struct call *call)
{
    struct append *s = call->state;
    table_append_close(&s->a);
    if (s->draft != NULL) table_draft_abandon(s->draft);
    packed_rows_destroy(s->packed);
    free(s->cells);
    free(s->bin);
    free(s);
    call->state = NULL;
}

/* --- rows -------------------------------------------------------------------------------------*/

/* The cells of a row that is a map: nil where it has no such field. 0, or -1. */
static int read_map(struct call *call, const struct table *t, value map, size_t row, value *cells)
{
    struct map_iterator it = {0};
    value name, v;
    for (uint32_t i = 0; i < table_column_count(t); i++) cells[i] = VALUE_NIL;
    while (map_next(call->heap, map, &it, &name, &v)) {
        char bytes[TABLE_NAME_BYTES_MAX + 1];
        if (!value_is_text(name)) {
            call_fail(call, ERROR_BAD_PARAMS, "%s: row %zu has a field whose name is %s",
                      call->method->name, row, value_describe(name));
            return -1;
        }
        size_t length = text_copy(call->heap, name, 0, bytes, sizeof bytes);
        uint32_t column = table_column_named(t, bytes, length);
        if (column == UINT32_MAX) {
            if (length > TABLE_NAME_BYTES_MAX) length = TABLE_NAME_BYTES_MAX;
            call_fail(call, ERROR_NOT_FOUND,
                      "%s: row %zu: the table has no column %s; table.schema lists them",
                      call->method->name, row, call_quote(bytes, length));
            return -1;
        }
        cells[column] = v;
    }
    return 0;
}

/* The cells of rows first..first+count-1, one row behind the other. 0, or -1. */
static int read_cells(struct call *call, const struct table *t, value rows, size_t first,
                      size_t count, value *cells)
{
    struct heap *h = call->heap;
    uint32_t columns = table_column_count(t);
    for (size_t i = 0; i < count; i++) {
        value row = list_get(h, rows, first + i);
        bool list = value_is_kind(row, KIND_LIST);
        if (list && list_length(h, row) == columns) {
            list_read(h, row, 0, cells + i * columns, columns);
            continue;
        }
        if (value_is_kind(row, KIND_MAP)) {
            if (read_map(call, t, row, first + i, cells + i * columns) < 0) return -1;
            continue;
        }
        if (list)
            call_fail(call, ERROR_BAD_PARAMS,
                      "%s: row %zu has %zu cells; the table has %u columns", call->method->name,
                      first + i, list_length(h, row), columns);
        else
            call_fail(call, ERROR_BAD_PARAMS,
                      "%s: row %zu must be a list of %u cells, or a map, not %s",
                      call->method->name, first + i, columns, value_describe(row));
        return -1;
    }
    return 0;
}

/* Filling returns 0, -1 after call_fail, or -2 with s->error set. */
static int fill_rows(struct call *call, struct append *s, value rows)
{
    uint32_t columns = table_column_count(s->a.t);
    size_t count = s->piece / columns, left = (size_t)(s->rows - s->at);
    if (count == 0) count = 1;
    if (count > left) count = left;
    if (s->packed != NULL) {
        int status = packed_rows_append(s->packed, count);
        s->at = packed_rows_done(s->packed);
        return status;
    }
    if (read_cells(call, s->a.t, rows, (size_t)s->at, count, s->cells) < 0) return -1;
    for (uint32_t i = 0; i < columns; i++)
        if (table_append_values(&s->a, i, count, s->cells + i, columns, &s->error) < 0) return -2;
    s->at += count;
    return 0;
}

/* --- columns ----------------------------------------------------------------------------------*/

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

static int check_bin(struct call *call, const struct append *s, value bin, value valid)
{
    const struct table_field *field = table_field(s->a.t, s->column);
    size_t width = table_type_bytes(field->type), length = text_length(call->heap, bin);
    size_t bits = (size_t)(s->rows + 7) / 8;
    enum table_class class = table_type_class(field->type);
    if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "%s: column %s of type %s is given as a list, not as a bin", call->method->name,
                  call_quote(field->name, field->name_length), table_type_name(field->type));
        return -1;
    }
    if (length != s->rows * width) return fail_bin(call, field, "a bin", length, s->rows * width);
    if (value_is_text(valid) && text_length(call->heap, valid) != bits)
        return fail_bin(call, field, "valid: a bin", text_length(call->heap, valid), bits);
    return 0;
}

/* Cells of a bin without a mask, from where they lie: a piece of a rope holds whole elements. */
static int fill_pieces(struct call *call, struct append *s, value bin, size_t width)
{
    struct text_scratch scratch;
    const char *data;
    uint64_t left = s->rows - s->at, end = left < PIECE_CELLS_MAX ? s->rows
                                                                  : s->at + PIECE_CELLS_MAX;
    while (s->at < end) {
        size_t at = (size_t)s->at * width;
        size_t count = text_piece(call->heap, bin, at, &data, &scratch) / width;
        if (count > end - s->at) count = (size_t)(end - s->at);
        assert(count > 0);
        if (table_append_raw(&s->a, s->column, count, data, NULL, 0, &s->error) < 0) return -2;
        s->at += count;
    }
    return 0;
}

static int fill_bin(struct call *call, struct append *s, value bin, value valid)
{
    size_t width = table_type_bytes(table_field(s->a.t, s->column)->type), at = (size_t)s->at;
    size_t count = (size_t)(s->rows - s->at);
    if (!value_is_text(valid)) return fill_pieces(call, s, bin, width);
    if (count > PIECE_CELLS_MAX) count = PIECE_CELLS_MAX; /* so `at` is a multiple of 8 */
    if (s->bin == NULL) s->bin = malloc(PIECE_CELLS_MAX * 8 + PIECE_CELLS_MAX / 8);
    if (s->bin == NULL) {
        fail_no_memory(call);
        return -1;
    }
    unsigned char *mask = s->bin + PIECE_CELLS_MAX * 8;
    text_copy(call->heap, bin, at * width, s->bin, count * width);
    text_copy(call->heap, valid, at / 8, mask, (count + 7) / 8);
    if (table_append_raw(&s->a, s->column, count, s->bin, mask, 0, &s->error) < 0) return -2;
    s->at += count;
    return 0;
}

static int check_list(struct call *call, const struct append *s, value list)
{
    const struct table_field *field = table_field(s->a.t, s->column);
    size_t length = value_is_kind(list, KIND_LIST) ? list_length(call->heap, list) : 0;
    if (value_is_kind(list, KIND_LIST) && length == s->rows) return 0;
    call_fail(call, ERROR_BAD_PARAMS,
              "%s: column %s must be a list or a bin of n (%llu) cells, not %s of %zu",
              call->method->name, call_quote(field->name, field->name_length),
              (unsigned long long)s->rows, value_describe(list), length);
    return -1;
}

static int fill_list(struct call *call, struct append *s, value list)
{
    value cells[LIST_CELLS];
    size_t count = s->piece < LIST_CELLS ? s->piece : LIST_CELLS;
    count = list_read(call->heap, list, (size_t)s->at, cells, count);
    if (table_append_values(&s->a, s->column, count, cells, 1, &s->error) < 0) return -2;
    s->at += count;
    return 0;
}

static int fill_nulls(struct append *s)
{
    uint64_t left = s->rows - s->at, count = left < PIECE_CELLS_MAX ? left : PIECE_CELLS_MAX;
    if (table_append_nulls(&s->a, s->column, count, &s->error) < 0) return -2;
    s->at += count;
    return 0;
}

/* A piece of the column that is next. */
static int fill_columns(struct call *call, struct append *s, const struct source *from)
{
    const struct table_field *field = table_field(s->a.t, s->column);
    value v = map_find(call->heap, from->cols, field);
    value valid = map_find(call->heap, from->valid, field);
    bool null = v == VALUE_ABSENT || v == VALUE_NIL, bin = value_is_text(v) && text_is_bytes(v);
    int status = 0;
    if (s->at == 0 && !null)
        status = bin ? check_bin(call, s, v, valid) : check_list(call, s, v);
    if (status == 0 && s->at < s->rows)
        status = null ? fill_nulls(s) : bin ? fill_bin(call, s, v, valid) : fill_list(call, s, v);
    if (status == 0 && s->at == s->rows) {
        s->column++;
        s->at = 0;
    }
    return status;
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

/* --- steps ------------------------------------------------------------------------------------*/

static bool all_filled(const struct append *s, const struct source *from)
{
    return from->rows != VALUE_ABSENT ? s->at == s->rows
                                      : s->column == table_column_count(s->a.t);
}

/* Some pieces, until `end_ns`. 1: there is more to do; 0; -1 or -2. */
static int append_fill(struct call *call, struct append *s, const struct source *from,
                       uint64_t end_ns)
{
    uint64_t now = clock_ns();
    if (s->packed != NULL) packed_rows_step(s->packed, call, from->rows, &s->a, &s->error);
    while (!all_filled(s, from)) {
        uint64_t begin = now;
        int status = from->rows != VALUE_ABSENT ? fill_rows(call, s, from->rows)
                                                : fill_columns(call, s, from);
        if (status < 0) return status;
        now = clock_ns();
        if (now - begin > PIECE_NS && s->piece > 1) s->piece /= 2;
        else if (now - begin < PIECE_NS / 2 && s->piece < PIECE_CELLS_MAX) s->piece *= 2;
        if (now >= end_ns) break;
    }
    return !all_filled(s, from);
}

static int append_work(struct call *call, struct append *s, const struct source *from,
                       uint64_t end_ns)
{
    int status;
    switch (s->phase) {
    case APPEND_RESERVE:
        status = table_append_reserve(&s->a, end_ns);
        if (status >= 0) return status;
        fail_no_memory(call);
        return -1;
    case APPEND_FILL: return append_fill(call, s, from, end_ns);
    case APPEND_CHECK: break;
    }
    status = table_append_check(&s->a, end_ns, &s->error);
    return status < 0 ? -2 : status;
}

static enum call_outcome append_finish(struct call *call, struct append *s)
{
    uint64_t first;
    table_draft_enter(s->draft);
    int failed = table_append_commit(&s->a, &first, &s->error);
    table_draft_leave(s->draft);
    assert(!failed && "an append was checked, and then failed");
    table_draft_publish(s->draft);
    s->draft = NULL;
    writer_map(call->reply, 2);
    reply_figure(call->reply, "first", first);
    reply_figure(call->reply, "n", s->rows);
    append_free(call);
    return CALL_DONE;
}

static int source_read(struct call *call, struct source *from)
{
    const struct option known[] = {
        {"rows", &from->rows}, {"cols", &from->cols}, {"n", &from->n}, {"valid", &from->valid}};
    return options_read(call, 1, known, 4);
}

static enum call_outcome append_step(struct call *call, uint64_t budget_ns)
{
    struct append *s = call->state;
    struct source from;
    uint64_t end_ns = clock_ns() + budget_ns;
    int status = source_read(call, &from);
    while (status == 0) {
        table_draft_enter(s->draft);
        status = append_work(call, s, &from, end_ns);
        table_draft_leave(s->draft);
        if (status == 0 && s->phase++ == APPEND_CHECK) return append_finish(call, s);
        if (status == 0 && clock_ns() >= end_ns) status = 1;
    }
    if (status > 0) return CALL_PENDING;
    if (status == -2) call_fail_table(call, &s->error);
    append_free(call);
    return CALL_FAILED;
}

/* Opens the draft and the append in it. 0, or -1 after call_fail. */
static int append_open(struct call *call, struct append *s, struct table *t,
                       const struct source *from)
{
    if (from->rows != VALUE_ABSENT) {
        size_t columns = table_column_count(t);
        if (call->packed_rows) s->packed = packed_rows_create(t);
        else s->cells = malloc((columns + PIECE_CELLS_MAX) * sizeof *s->cells);
        if (s->packed == NULL && s->cells == NULL) {
            fail_no_memory(call);
            return -1;
        }
    }
    if (table_draft_open(t, &s->draft, &s->error) < 0) {
        call_fail_table(call, &s->error);
        return -1;
    }
    table_draft_enter(s->draft);
    int failed = table_append_open(s->draft, s->rows, &s->a, &s->error);
    table_draft_leave(s->draft);
    if (failed) call_fail_table(call, &s->error);
    return failed ? -1 : 0;
}

static enum call_outcome append_start(struct call *call, struct table *t, uint64_t rows,
                                      const struct source *from)
{
    if (table_turn(call, t) < 0) return CALL_FAILED;
    struct append *s = calloc(1, sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    s->rows = rows;
    s->piece = PIECE_CELLS_FIRST;
    call->state = s;
    if (append_open(call, s, t, from) < 0) {
        append_free(call);
        return CALL_FAILED;
    }
    call->abort = append_free;
    call->step = append_step;
    return append_step(call, FIRST_STEP_NS);
}

static enum call_outcome append_rows(struct call *call, struct table *t, const struct source *from)
{
    if (call->packed_rows)
        return append_start(call, t, packed_rows_count(call->heap, from->rows), from);
    if (!value_is_kind(from->rows, KIND_LIST))
        return call_fail(call, ERROR_BAD_PARAMS, "%s: rows must be a list of lists or maps, not %s",
                         call->method->name, value_describe(from->rows));
    return append_start(call, t, list_length(call->heap, from->rows), from);
}

static bool is_given(value v) { return v != VALUE_ABSENT && v != VALUE_NIL; }

/* Masks are of columns that are given as a bin: elsewhere they would mean nothing. */
static int check_masks(struct call *call, const struct source *from)
{
    struct map_iterator it = {0};
    value name, v;
    if (!value_is_kind(from->valid, KIND_MAP)) return 0;
    while (map_next(call->heap, from->valid, &it, &name, &v)) {
        struct map_key key;
        value column = VALUE_ABSENT;
        if (map_key_value(call->heap, &key, name) == 0)
            column = map_get(call->heap, from->cols, &key);
        const char *given = !is_given(column) ? "not given"
                            : value_is_text(column) && text_is_bytes(column) ? NULL
                                                                             : "no bin";
        if (v == VALUE_NIL && given == NULL) continue;
        if (given != NULL)
            call_fail(call, ERROR_BAD_PARAMS,
                      "%s: valid: column %s is %s; a mask is for a column that is given as a bin "
                      "(in lists, null is nil)", call->method->name, call_quote_value(call, name),
                      given);
        else if (!value_is_text(v) || !text_is_bytes(v))
            call_fail(call, ERROR_BAD_PARAMS,
                      "%s: valid: the mask of column %s must be a bin, not %s", call->method->name,
                      call_quote_value(call, name), value_describe(v));
        else continue;
        return -1;
    }
    return 0;
}

static enum call_outcome append_cols(struct call *call, struct table *t, const struct source *from)
{
    int64_t rows = -1;
    if (check_names(call, t, from->cols, "cols") < 0 ||
        check_names(call, t, from->valid, "valid") < 0 || check_masks(call, from) < 0 ||
        option_int(call, "n", from->n, 0, (int64_t)1 << 32, &rows) < 0)
        return CALL_FAILED;
    if (rows < 0) rows = rows_of_lists(call, from->cols);
    if (rows < 0)
        return call_fail(call, ERROR_BAD_PARAMS,
                         "%s: n, the number of rows, must be given when there is no list",
                         call->method->name);
    return append_start(call, t, (uint64_t)rows, from);
}

enum call_outcome method_table_append(struct call *call)
{
    struct source from;
    struct table *t;
    if (source_read(call, &from) < 0 || table_find(call, call->args[0], &t) < 0)
        return CALL_FAILED;
    if ((from.rows == VALUE_ABSENT) == (from.cols == VALUE_ABSENT))
        return call_fail(call, ERROR_BAD_PARAMS, "%s: give either rows or cols",
                         call->method->name);
    if (from.rows != VALUE_ABSENT && (is_given(from.n) || is_given(from.valid)))
        return call_fail(call, ERROR_BAD_PARAMS, "%s: %s goes with cols, not with rows",
                         call->method->name, is_given(from.n) ? "n" : "valid");
    return from.rows != VALUE_ABSENT ? append_rows(call, t, &from) : append_cols(call, t, &from);
}
