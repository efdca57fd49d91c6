/* methods_table_alter.c - table.alter: columns added, dropped, renamed, of another type; nulls and
 * order allowed or not. One call, all or nothing.
 *
 * The changes are applied, one after the other, to a list of columns. Then a table with these is
 * made in steps (heap/table_alter.h), while the old one can be read and takes no other changes; at
 * the end it takes the place of the old one, if that still is at the path. Open scans keep the
 * version that they began with, and its columns. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/table_alter.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_schema.h"
#include "server/table_value.h"

#define ALTER_CHANGES_MAX 256
/* While the changes are applied there may be more columns than in the end. */
#define ALTER_COLUMNS_MAX (TABLE_COLUMNS_MAX + ALTER_CHANGES_MAX)
/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)100000)

struct alter {
    struct table *table;           /* held by `alter`, once that is there */
    struct table_alter *alter;
    struct table_alter_column *columns;
    char *names;                   /* TABLE_NAME_BYTES_MAX each, for new ones and new names */
    char *texts[ALTER_CHANGES_MAX]; /* defaults */
    bool retyped[ALTER_COLUMNS_MAX];
    uint32_t count;
    size_t change;                 /* which is being read */
};

static void alter_free(struct call *call)
{
    struct alter *s = call->state;
    if (s->alter != NULL) table_alter_abandon(s->alter);
    for (size_t i = 0; i < ALTER_CHANGES_MAX; i++) free(s->texts[i]);
    free(s->columns);
    free(s->names);
    free(s);
    call->state = NULL;
}

static int fail_change(struct call *call, const struct alter *s, enum error_code code,
                       const char *what)
{
    call_fail(call, code, "%s: change %zu: %s", call->method->name, s->change, what);
    return -1;
}

/* --- one change -------------------------------------------------------------------------------*/

static uint32_t column_named(const struct alter *s, const char *name, size_t length)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->columns[i].field.name_length == length &&
            memcmp(s->columns[i].field.name, name, length) == 0)
            return i;
    return UINT32_MAX;
}

/* The column that a change is about. */
static int find_column(struct call *call, const struct alter *s, value name, uint32_t *column)
{
    char bytes[TABLE_NAME_BYTES_MAX + 1];
    *column = UINT32_MAX;
    if (value_is_text(name)) {
        size_t length = text_copy(call->heap, name, 0, bytes, sizeof bytes);
        *column = column_named(s, bytes, length);
    }
    if (*column != UINT32_MAX) return 0;
    call_fail(call, value_is_text(name) ? ERROR_NOT_FOUND : ERROR_BAD_PARAMS,
              "%s: change %zu: the table has no column %s", call->method->name, s->change,
              call_quote_value(call, name));
    return -1;
}

/* The same, of one that the table has had before the call. */
static int find_old(struct call *call, const struct alter *s, value name, uint32_t *column)
{
    if (find_column(call, s, name, column) < 0) return -1;
    if (s->columns[*column].source != TABLE_ALTER_NEW) return 0;
    return fail_change(call, s, ERROR_BAD_PARAMS,
                       "a column that the same call adds can only be renamed");
}

static int read_name(struct call *call, struct alter *s, value name, struct table_field *field)
{
    char *to = s->names + s->change * TABLE_NAME_BYTES_MAX;
    size_t length = value_is_text(name) ? text_length(call->heap, name) : 0;
    if (length == 0 || length > TABLE_NAME_BYTES_MAX)
        return fail_change(call, s, ERROR_BAD_PARAMS, "a name is a string of 1 to 255 bytes");
    text_copy(call->heap, name, 0, to, length);
    if (column_named(s, to, length) != UINT32_MAX) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: change %zu: there is a column %s already",
                  call->method->name, s->change, call_quote(to, length));
        return -1;
    }
    field->name = to;
    field->name_length = length;
    return 0;
}

/* {null, sorted, default} of a new column; *fill is the default or VALUE_NIL. */
static int read_flags(struct call *call, struct alter *s, value flags, struct table_field *field,
                      value *fill)
{
    struct map_iterator it = {0};
    value name, v;
    *fill = VALUE_NIL;
    if (flags == VALUE_NIL) return 0;
    bool good = value_is_kind(flags, KIND_MAP);
    while (good && map_next(call->heap, flags, &it, &name, &v)) {
        bool *flag = !value_is_text(name)                           ? NULL
                     : text_equals(call->heap, name, "null", 4)   ? &field->null
                     : text_equals(call->heap, name, "sorted", 6) ? &field->sorted
                                                                  : NULL;
        bool is_default = value_is_text(name) && text_equals(call->heap, name, "default", 7);
        good = is_default || (flag != NULL && value_is_bool(v));
        if (is_default) *fill = v;
        else if (good) *flag = v == VALUE_TRUE;
    }
    if (good) return 0;
    return fail_change(call, s, ERROR_BAD_PARAMS,
                       "the fourth item is a map of null and sorted, true or false each, and "
                       "default");
}

/* The cell that a new column is filled with; its text is copied, since values move. */
static int read_default(struct call *call, struct alter *s, value v,
                        struct table_alter_column *column)
{
    struct table_scratch scratch = {.bytes = NULL};
    struct table_error error;
    column->fill = (struct table_cell){.type = column->field.type, .null = true};
    if (v == VALUE_NIL) return 0;
    int status = 0;
    if (table_cell_from_value(call->heap, &column->field, UINT64_MAX, s->count, v, &column->fill,
                              &scratch, &error) < 0) {
        call_fail_table(call, &error);
        status = -1;
    }
    enum table_class class = table_type_class(column->field.type);
    if (status == 0 && (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL)) {
        size_t length = column->fill.text.length;
        char *copy = s->texts[s->change] = malloc(length + 1);
        if (copy == NULL) {
            fail_no_memory(call);
            status = -1;
        } else {
            memcpy(copy, column->fill.text.data, length);
            column->fill.text.data = copy;
        }
    }
    table_scratch_close(&scratch);
    return status;
}

static int change_add(struct call *call, struct alter *s, const value *items, size_t count)
{
    struct table_alter_column *column = &s->columns[s->count];
    value fill;
    *column = (struct table_alter_column){.source = TABLE_ALTER_NEW};
    if (read_name(call, s, items[1], &column->field) < 0 ||
        table_schema_type(call, s->count, items[2], &column->field) < 0 ||
        read_flags(call, s, count > 3 ? items[3] : VALUE_NIL, &column->field, &fill) < 0 ||
        read_default(call, s, fill, column) < 0)
        return -1;
    s->retyped[s->count++] = false;
    return 0;
}

static int change_drop(struct call *call, struct alter *s, const value *items)
{
    uint32_t column;
    if (find_old(call, s, items[1], &column) < 0) return -1;
    s->count--;
    memmove(&s->columns[column], &s->columns[column + 1],
            (s->count - column) * sizeof *s->columns);
    memmove(&s->retyped[column], &s->retyped[column + 1],
            (s->count - column) * sizeof *s->retyped);
    return 0;
}

static int change_rename(struct call *call, struct alter *s, const value *items)
{
    uint32_t column;
    if (find_column(call, s, items[1], &column) < 0) return -1;
    return read_name(call, s, items[2], &s->columns[column].field);
}

static int change_type(struct call *call, struct alter *s, const value *items)
{
    uint32_t column;
    if (find_old(call, s, items[1], &column) < 0 ||
        table_schema_type(call, column, items[2], &s->columns[column].field) < 0)
        return -1;
    if (s->retyped[column])
        return fail_change(call, s, ERROR_BAD_PARAMS,
                           "one call changes the type of a column once");
    s->retyped[column] = true;
    return 0;
}

static int change_flag(struct call *call, struct alter *s, const value *items, bool sorted)
{
    uint32_t column;
    if (find_old(call, s, items[1], &column) < 0) return -1;
    if (!value_is_bool(items[2]))
        return fail_change(call, s, ERROR_BAD_PARAMS, "the third item is true or false");
    struct table_field *field = &s->columns[column].field;
    *(sorted ? &field->sorted : &field->null) = items[2] == VALUE_TRUE;
    return 0;
}

static int change_read(struct call *call, struct alter *s, value change)
{
    static const struct {
        const char *name;
        size_t items_min, items_max;
    } verbs[] = {{"add", 3, 4}, {"drop", 2, 2}, {"rename", 3, 3},
                 {"type", 3, 3}, {"null", 3, 3}, {"sorted", 3, 3}};
    value items[4];
    size_t count = value_is_kind(change, KIND_LIST) ? list_length(call->heap, change) : 0;
    size_t verb = 0, verb_count = sizeof verbs / sizeof *verbs;
    if (count >= 2 && count <= 4) list_read(call->heap, change, 0, items, count);
    while (verb < verb_count && count >= 2 && count <= 4 &&
           !(value_is_text(items[0]) && text_equals(call->heap, items[0], verbs[verb].name,
                                                    strlen(verbs[verb].name))))
        verb++;
    if (count < 2 || count > 4 || verb == verb_count || count < verbs[verb].items_min ||
        count > verbs[verb].items_max)
        return fail_change(call, s, ERROR_BAD_PARAMS,
                           "must be [\"add\", name, type, {null, sorted, default}], [\"drop\", "
                           "name], [\"rename\", name, new name], [\"type\", name, type], [\"null\" "
                           "or \"sorted\", name, bool]");
    switch (verb) {
    case 0: return change_add(call, s, items, count);
    case 1: return change_drop(call, s, items);
    case 2: return change_rename(call, s, items);
    case 3: return change_type(call, s, items);
    default: return change_flag(call, s, items, verb == 5);
    }
}

/* --- all of them ------------------------------------------------------------------------------*/

static int changes_read(struct call *call, struct alter *s)
{
    size_t count = list_length(call->heap, call->args[1]);
    s->count = table_column_count(s->table);
    s->columns = calloc(s->count + count, sizeof *s->columns);
    s->names = malloc((count + 1) * TABLE_NAME_BYTES_MAX);
    if (s->columns == NULL || s->names == NULL) {
        fail_no_memory(call);
        return -1;
    }
    for (uint32_t i = 0; i < s->count; i++)
        s->columns[i] =
            (struct table_alter_column){.field = *table_field(s->table, i), .source = i};
    for (s->change = 0; s->change < count; s->change++)
        if (change_read(call, s, list_get(call->heap, call->args[1], s->change)) < 0) return -1;
    return 0;
}

static enum call_outcome alter_fail(struct call *call)
{
    alter_free(call);
    return CALL_FAILED;
}

static enum call_outcome alter_finish(struct call *call, struct alter *s)
{
    value v;
    if (path_read_through(call, call->args[0], 0, &v) < 0) return alter_fail(call);
    if (!value_is_kind(v, KIND_TABLE) || table_of(call->heap, v) != s->table) {
        call_fail(call, ERROR_NOT_FOUND, "%s: the table is not at %s any more",
                  call->method->name, quote_whole_path(call, call->args[0]));
        return alter_fail(call);
    }
    table_alter_publish(s->alter, v);
    s->alter = NULL;
    alter_free(call);
    return reply_bool(call, true);
}

static enum call_outcome alter_step(struct call *call, uint64_t budget_ns)
{
    struct alter *s = call->state;
    struct table_error error;
    int more = table_alter_step(s->alter, clock_ns() + budget_ns, &error);
    if (more > 0) return CALL_PENDING;
    if (more == 0) return alter_finish(call, s);
    call_fail_table(call, &error);
    return alter_fail(call);
}

static int alter_begin(struct call *call, struct alter *s)
{
    struct table_error error;
    if (changes_read(call, s) < 0) return -1;
    if (table_alter_open(s->table, s->columns, s->count, &s->alter, &error) == 0) return 0;
    s->alter = NULL;
    call_fail_table(call, &error);
    return -1;
}

enum call_outcome method_table_alter(struct call *call)
{
    struct table *t;
    size_t count;
    if (param_list(call, 1, "the changes", &count) < 0 ||
        table_find(call, call->args[0], &t) < 0)
        return CALL_FAILED;
    if (count > ALTER_CHANGES_MAX)
        return call_fail(call, ERROR_LIMIT, "%s: one call makes at most %d changes, not %zu",
                         call->method->name, ALTER_CHANGES_MAX, count);
    if (table_turn(call, t) < 0) return CALL_FAILED;
    struct alter *s = calloc(1, sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    s->table = t;
    call->state = s;
    if (alter_begin(call, s) < 0) return alter_fail(call);
    call->abort = alter_free;
    call->step = alter_step;
    return alter_step(call, FIRST_STEP_NS);
}
