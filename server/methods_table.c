/* methods_table.c - tables: create, schema, get, set, stats, compact. */
#include "server/method_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/table_renew.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/keys.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_schema.h"
#include "server/table_value.h"

/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)100000)

/* --- schemas ----------------------------------------------------------------------------------*/

void table_schema_close(struct table_schema *s)
{
    free(s->fields);
    free(s->names);
    free(s->indexes);
    *s = (struct table_schema){0};
}

int table_schema_open(struct call *call, struct table_schema *s, size_t count)
{
    *s = (struct table_schema){0};
    if (count == 0 || count > TABLE_COLUMNS_MAX) {
        call_fail(call, count == 0 ? ERROR_BAD_PARAMS : ERROR_LIMIT,
                  "%s: a table has 1 to %d columns, not %zu", call->method->name,
                  TABLE_COLUMNS_MAX, count);
        return -1;
    }
    s->fields = calloc(count, sizeof *s->fields);
    s->names = malloc(count * TABLE_NAME_BYTES_MAX);
    s->indexes = calloc(count, sizeof *s->indexes);
    if (s->fields != NULL && s->names != NULL && s->indexes != NULL) return 0;
    table_schema_close(s);
    fail_no_memory(call);
    return -1;
}

int table_schema_name(struct call *call, struct table_schema *s, value name)
{
    struct table_field *field = &s->fields[s->count];
    size_t length = value_is_text(name) ? text_length(call->heap, name) : 0;
    if (length == 0 || length > TABLE_NAME_BYTES_MAX) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "%s: column %u: a name is a string of 1 to %d bytes, not %s",
                  call->method->name, s->count, TABLE_NAME_BYTES_MAX,
                  call_quote_value(call, name));
        return -1;
    }
    char *to = s->names + (size_t)s->count * TABLE_NAME_BYTES_MAX;
    field->name = to;
    field->name_length = text_copy(call->heap, name, 0, to, length);
    return 0;
}

int table_type_read(struct call *call, const char *of, value type, struct table_field *field)
{
    char name[16];
    size_t length = value_is_text(type) ? text_copy(call->heap, type, 0, name, sizeof name) : 0;
    field->type = table_type_named(name, length);
    if (field->type != TABLE_TYPE_COUNT) return 0;
    call_fail(call, ERROR_BAD_PARAMS,
              "%s: %s: there is no type %s; there are i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 "
              "bool str sym bin date ts",
              call->method->name, of, call_quote_value(call, type));
    return -1;
}

int table_schema_type(struct call *call, uint32_t column, value type, struct table_field *field)
{
    char of[32];
    snprintf(of, sizeof of, "column %u", column);
    return table_type_read(call, of, type, field);
}

int table_schema_index(struct call *call, value v, enum table_index_kind *kind)
{
    *kind = TABLE_INDEX_NONE;
    if (v == VALUE_NIL) return 0;
    for (int i = TABLE_INDEX_NONE + 1; i < TABLE_INDEX_KIND_COUNT; i++) {
        const char *name = table_index_kind_name((enum table_index_kind)i);
        if (value_is_text(v) && text_equals(call->heap, v, name, strlen(name)))
            *kind = (enum table_index_kind)i;
    }
    if (*kind != TABLE_INDEX_NONE) return 0;
    call_fail(call, ERROR_BAD_PARAMS, "%s: an index is \"sorted\", \"hash\" or nil, not %s",
              call->method->name, call_quote_value(call, v));
    return -1;
}

/* 0, or -1 after call_fail. */
static int read_flags(struct call *call, value flags, struct table_schema *s)
{
    struct map_iterator it = {0};
    value name, v;
    struct table_field *field = &s->fields[s->count];
    if (flags == VALUE_NIL) return 0;
    bool good = value_is_kind(flags, KIND_MAP);
    while (good && map_next(call->heap, flags, &it, &name, &v)) {
        if (value_is_text(name) && text_equals(call->heap, name, "index", 5)) {
            if (table_schema_index(call, v, &s->indexes[s->count]) < 0) return -1;
            continue;
        }
        bool *flag = !value_is_text(name)                             ? NULL
                     : text_equals(call->heap, name, "null", 4)   ? &field->null
                     : text_equals(call->heap, name, "sorted", 6) ? &field->sorted
                                                                  : NULL;
        good = flag != NULL && value_is_bool(v);
        if (good) *flag = v == VALUE_TRUE;
    }
    if (good) return 0;
    call_fail(call, ERROR_BAD_PARAMS,
              "%s: column %u: the third item is a map of null and sorted, true or false each, and "
              "index, \"sorted\", \"hash\" or nil",
              call->method->name, s->count);
    return -1;
}

int table_schema_read(struct call *call, value list, struct table_schema *s)
{
    struct heap *h = call->heap;
    if (!value_is_kind(list, KIND_LIST)) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "%s: a schema is a list of columns, [name, type, {null, sorted}] each, not %s",
                  call->method->name, value_describe(list));
        return -1;
    }
    size_t count = list_length(h, list);
    if (table_schema_open(call, s, count) < 0) return -1;
    for (; s->count < count; s->count++) {
        value column = list_get(h, list, s->count);
        size_t items = value_is_kind(column, KIND_LIST) ? list_length(h, column) : 0;
        int status = 0;
        if (items < 2 || items > 3) {
            status = -1;
            call_fail(call, ERROR_BAD_PARAMS,
                      "%s: column %u must be a list [name, type, {null, sorted}], not %s",
                      call->method->name, s->count, value_describe(column));
        }
        if (status == 0) status = table_schema_name(call, s, list_get(h, column, 0));
        if (status == 0)
            status = table_schema_type(call, s->count, list_get(h, column, 1),
                                       &s->fields[s->count]);
        if (status == 0 && items == 3)
            status = read_flags(call, list_get(h, column, 2), s);
        if (status == 0) continue;
        table_schema_close(s);
        return -1;
    }
    return 0;
}

value table_schema_make(struct call *call, const struct table_schema *s)
{
    struct table_error error;
    value table;
    if (table_create(call->heap, s->fields, s->count, &table, &error) < 0) {
        call_fail_table(call, &error);
        return VALUE_ABSENT;
    }
    for (uint32_t i = 0; i < s->count; i++)
        table_index_set(table_of(call->heap, table), i, s->indexes[i]);
    return table;
}

enum call_outcome method_table_create(struct call *call)
{
    value create, ttl;
    const struct option known[] = {{"create", &create}, {"ttl", &ttl}};
    bool creates = false;
    int64_t now_ms = (int64_t)keys_now(call->host->keys), ms = 0;
    struct table_schema schema;
    struct place place;
    if (options_read(call, 2, known, 2) < 0 || option_bool(call, "create", create, &creates) < 0 ||
        option_int(call, "ttl", ttl, 1, (int64_t)MAP_EXPIRES_MAX - now_ms, &ms) < 0 ||
        place_find(call, call->args[0], creates ? PATH_CREATE : 0, &place) < 0)
        return CALL_FAILED;
    if (ms > 0 && (!place_is_key(call, &place) || place.missing > 0))
        return call_fail(call, ERROR_BAD_PATH, "%s: only whole keys expire (ttl); %s is none",
                         call->method->name, quote_whole_path(call, call->args[0]));
    if (place.held != VALUE_ABSENT && place.held != VALUE_NIL) return reply_bool(call, false);
    if (table_schema_read(call, call->args[1], &schema) < 0) return CALL_FAILED;
    value table = table_schema_make(call, &schema);
    table_schema_close(&schema);
    if (table == VALUE_ABSENT ||
        place_replace_take(call, &place, table, ms > 0 ? (uint64_t)(now_ms + ms) : 0) < 0)
        return CALL_FAILED;
    return reply_bool(call, true);
}

void table_field_write(struct writer *w, const struct table_field *field,
                       enum table_index_kind index)
{
    writer_array(w, 3);
    reply_text(w, field->name, field->name_length);
    writer_cstr(w, table_type_name(field->type));
    writer_map(w, index == TABLE_INDEX_NONE ? 2 : 3);
    writer_cstr(w, "null");
    writer_bool(w, field->null);
    writer_cstr(w, "sorted");
    writer_bool(w, field->sorted);
    if (index == TABLE_INDEX_NONE) return;
    writer_cstr(w, "index");
    writer_cstr(w, table_index_kind_name(index));
}

enum call_outcome method_table_schema(struct call *call)
{
    struct table *t;
    if (table_find(call, call->args[0], &t) < 0) return CALL_FAILED;
    writer_array(call->reply, table_column_count(t));
    for (uint32_t i = 0; i < table_column_count(t); i++)
        table_field_write(call->reply, table_field(t, i), table_index_kind(t, i));
    return CALL_DONE;
}

/* --- single rows ------------------------------------------------------------------------------*/

enum call_outcome method_table_get(struct call *call)
{
    struct table *t;
    uint64_t row;
    size_t count = 0;
    bool some = param(call, 2) != VALUE_NIL;
    uint32_t chunk = 0, slot = 0, column = 0;
    bool seen[TABLE_COLUMNS_MAX] = {false};
    if ((some && param_list(call, 2, "the columns", &count) < 0) ||
        table_find(call, call->args[0], &t) < 0 || table_param_row(call, 1, t, &row) < 0)
        return CALL_FAILED;
    if (!some) count = table_column_count(t);
    struct reply r;
    struct table_version *v = table_pin(t);
    reply_open(&r, call);
    int status = table_locate(v, row, &chunk, &slot) ? reply_charge(&r, 2 * count + 1) : -1;
    reply_map(&r, count);
    for (uint32_t i = 0; i < count && status == 0 && r.w->error == WRITER_OK; i++) {
        struct table_cell cell;
        column = i;
        if (some) status = table_column_read(call, t, list_get(call->heap, call->args[2], i),
                                             &column);
        const struct table_field *field = status < 0 ? NULL : table_field(t, column);
        if (field != NULL && seen[column]) {
            call_fail(call, ERROR_BAD_PARAMS, "%s: column %s comes twice", call->method->name,
                      call_quote_value(call, list_get(call->heap, call->args[2], i)));
            status = -1;
        }
        if (status < 0) break;
        seen[column] = true;
        reply_text(r.w, field->name, field->name_length);
        table_cell(v, chunk, slot, column, &cell);
        status = reply_cell(&r, &cell);
    }
    table_unpin(v);
    return reply_finish(&r, status);
}

enum call_outcome method_table_set(struct call *call)
{
    value table;
    struct table *t;
    uint64_t row;
    uint32_t column;
    if (table_find(call, call->args[0], &t) < 0 || table_param_row(call, 1, t, &row) < 0 ||
        table_column_read(call, t, call->args[2], &column) < 0 ||
        path_read_through(call, call->args[0], 0, &table) < 0 ||
        table_turn_cell(call, t, row, column) < 0 ||
        table_cell_store(call, table, row, column, call->args[3]) < 0)
        return CALL_FAILED;
    return reply_bool(call, true);
}

/* --- figures ----------------------------------------------------------------------------------*/

/* The index of a column, as far as it is built. */
static void write_index_stats(struct writer *w, const struct table_version *v, uint32_t column)
{
    struct table_index_stats s;
    enum table_index_kind kind = table_index_kind(table_version_table(v), column);
    writer_cstr(w, "index");
    if (kind == TABLE_INDEX_NONE) {
        writer_nil(w);
        return;
    }
    table_index_stats(v, column, &s);
    writer_map(w, 3);
    writer_cstr(w, "kind");
    writer_cstr(w, table_index_kind_name(kind));
    reply_figure(w, "rows", s.rows);
    reply_figure(w, "bytes", s.bytes);
}

static void write_column_stats(struct writer *w, const struct table_version *v, uint32_t column,
                               const struct table_column_stats *s)
{
    const struct table_field *field = table_field(table_version_table(v), column);
    unsigned encodings = 0;
    for (unsigned e = 0; e < TABLE_ENCODING_COUNT; e++) encodings += s->encodings[e].vectors > 0;
    writer_map(w, 10);
    writer_cstr(w, "name");
    reply_text(w, field->name, field->name_length);
    writer_cstr(w, "type");
    writer_cstr(w, table_type_name(field->type));
    reply_figure(w, "bytes", s->bytes);
    reply_figure(w, "nulls", s->nulls);
    reply_figure(w, "header_bytes", s->header_bytes);
    reply_figure(w, "validity_bytes", s->validity_bytes);
    reply_figure(w, "text_bytes", s->text_bytes + s->dictionary_bytes);
    reply_figure(w, "overlay_bytes", s->overlay_bytes);
    write_index_stats(w, v, column);
    writer_cstr(w, "encodings");
    writer_map(w, encodings);
    for (unsigned e = 0; e < TABLE_ENCODING_COUNT; e++) {
        if (s->encodings[e].vectors == 0) continue;
        writer_cstr(w, table_encoding_name((enum table_encoding)e));
        writer_map(w, 2);
        reply_figure(w, "vectors", s->encodings[e].vectors);
        reply_figure(w, "bytes", s->encodings[e].bytes);
    }
}

/* Chunks of a column between two looks at the clock: where they are not sealed, their nulls are
 * counted one by one. */
#define STATS_CHUNKS 8

/* The figures of one moment, whose version stays pinned meanwhile; those of columns are written one
 * after the other, each after some of its chunks at a time. */
struct stats_state {
    struct table_version *version;
    size_t bytes;
    bool sealing;
    uint32_t column, chunk;
    struct table_column_stats sum; /* of the column's chunks so far */
    struct writer columns;
};

static void stats_free(struct call *call)
{
    struct stats_state *s = call->state;
    table_unpin(s->version);
    writer_close(&s->columns);
    free(s);
    call->state = NULL;
}

/* The dictionary, which the columns of all chunks share, counts in each part. */
static void stats_add(struct table_column_stats *sum, const struct table_column_stats *part)
{
    for (unsigned e = 0; e < TABLE_ENCODING_COUNT; e++) {
        sum->encodings[e].vectors += part->encodings[e].vectors;
        sum->encodings[e].bytes += part->encodings[e].bytes;
    }
    sum->header_bytes += part->header_bytes;
    sum->validity_bytes += part->validity_bytes;
    sum->text_bytes += part->text_bytes;
    sum->overlay_bytes += part->overlay_bytes;
    sum->index_bytes += part->index_bytes;
    sum->nulls += part->nulls;
    sum->bytes += part->bytes - part->dictionary_bytes;
    sum->dictionary_bytes = part->dictionary_bytes;
}

/* The next chunks of a column. */
static void stats_work(struct stats_state *s)
{
    struct table_column_stats part;
    uint32_t chunks = table_version_chunks(s->version), left = chunks - s->chunk;
    table_column_stats(s->version, s->column, s->chunk, STATS_CHUNKS, &part);
    stats_add(&s->sum, &part);
    s->chunk += left < STATS_CHUNKS ? left : STATS_CHUNKS;
    if (s->chunk < chunks) return;
    s->sum.bytes += s->sum.dictionary_bytes;
    write_column_stats(&s->columns, s->version, s->column, &s->sum);
    s->sum = (struct table_column_stats){.bytes = 0};
    s->chunk = 0;
    s->column++;
}

static void write_stats(struct writer *w, const struct stats_state *s)
{
    writer_map(w, 6);
    reply_figure(w, "rows", table_version_rows(s->version));
    reply_figure(w, "deleted", table_version_deleted(s->version));
    reply_figure(w, "chunks", table_version_chunks(s->version));
    reply_figure(w, "bytes", s->bytes);
    writer_cstr(w, "sealing");
    writer_bool(w, s->sealing);
    writer_cstr(w, "columns");
    writer_array(w, s->column);
    writer_bytes(w, s->columns.data, s->columns.length);
    if (s->columns.error != WRITER_OK) w->error = s->columns.error;
}

static enum call_outcome stats_step(struct call *call, uint64_t budget_ns)
{
    struct stats_state *s = call->state;
    uint32_t columns = table_column_count(table_version_table(s->version));
    uint64_t end = clock_ns() + budget_ns;
    do {
        stats_work(s);
    } while (s->column < columns && clock_ns() < end);
    if (s->column < columns) return CALL_PENDING;
    write_stats(call->reply, s);
    stats_free(call);
    return reply_check(call) < 0 ? CALL_FAILED : CALL_DONE;
}

enum call_outcome method_table_stats(struct call *call)
{
    struct table *t;
    if (table_find(call, call->args[0], &t) < 0) return CALL_FAILED;
    struct stats_state *s = calloc(1, sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    s->version = table_pin(t);
    s->bytes = table_bytes(t);
    s->sealing = table_seal_pending(t);
    writer_init(&s->columns, call->host->reply_bytes_max);
    call->state = s;
    call->abort = stats_free;
    call->step = stats_step;
    return stats_step(call, FIRST_STEP_NS);
}

/* --- compact ----------------------------------------------------------------------------------*/

/* Between looks at the clock. */
#define DROP_WORDS ((size_t)2000)

/* A change like the others, in line with them: whoever wants to change the table waits until it is
 * done, since each change in a chunk that is being copied would have it begun anew. Its place in
 * the line holds the table, whatever becomes of its value. No version is held while chunks are
 * copied, which would keep the old ones, and count, too; the renewal holds one only later, while it
 * counts symbols (table_renew.c). */
struct compact_state {
    size_t bytes_before;
    struct table_renewal *renewal; /* NULL: not begun */
    struct table *made;            /* held; the table with new dictionaries, once it is seen */
    size_t dropped_words;          /* of the old one, or of others */
};

static void compact_free(struct call *call)
{
    struct compact_state *s = call->state;
    if (s->renewal != NULL) table_renewal_close(s->renewal);
    if (s->made != NULL) table_let_go(s->made);
    free(s);
    call->state = NULL;
}

/* The new dictionaries become the table's, if that still is at the path. The turn ends, which held
 * the old table. 1: there is more to do; 0; -1 after call_fail. */
static int renewal_finish(struct call *call, struct compact_state *s, struct table *t)
{
    value v;
    if (!table_renewal_ready(s->renewal)) return 0;
    if (path_read_through(call, call->args[0], PATH_LENIENT, &v) < 0) return -1;
    if (!value_is_kind(v, KIND_TABLE) || table_of(call->heap, v) != t) return 0;
    s->made = table_renewal_publish(s->renewal, v);
    table_hold(s->made);
    table_renewal_close(s->renewal);
    s->renewal = NULL;
    table_turn_end(&call->turn);
    return 1;
}

/* What is left of the old table counts as the new one's until it is freed. Others may leave more to
 * be freed all the time: so no more is done than the old table may have been. */
static int drop_some(struct compact_state *s, struct heap *h, uint64_t budget_ns)
{
    uint64_t end_ns = clock_ns() + budget_ns;
    while (heap_drop_pending(h) && s->dropped_words < s->bytes_before) {
        s->dropped_words += heap_drop_step(h, DROP_WORDS) + 1;
        if (clock_ns() >= end_ns) break;
    }
    return heap_drop_pending(h) && s->dropped_words < s->bytes_before;
}

/* Chunks; then, once they are compact, dictionaries. As renewal_finish, or -ENOMEM. */
static int compact_work(struct call *call, struct compact_state *s, uint64_t budget_ns)
{
    struct table *t = call->turn.t;
    int status;
    if (s->made != NULL) return drop_some(s, call->heap, budget_ns);
    if (s->renewal != NULL) {
        status = table_renewal_step(s->renewal, clock_ns() + budget_ns);
        return status == 0 ? renewal_finish(call, s, t) : status;
    }
    status = table_compact_step(t, true, budget_ns);
    if (status == 0) status = table_seal_step(t, budget_ns);
    if (status == 0) status = table_settle_step(t, budget_ns);
    if (status == 0) status = table_renewal_open(t, &s->renewal) == 0 ? 1 : -ENOMEM;
    return status;
}

static enum call_outcome compact_step(struct call *call, uint64_t budget_ns)
{
    struct compact_state *s = call->state;
    int status = compact_work(call, s, budget_ns);
    if (status == 1) return CALL_PENDING;
    if (status == 0) {
        writer_map(call->reply, 2);
        reply_figure(call->reply, "bytes_before", s->bytes_before);
        reply_figure(call->reply, "bytes_after",
                     table_bytes(s->made != NULL ? s->made : call->turn.t));
    }
    compact_free(call);
    if (status == -ENOMEM) return fail_no_memory(call);
    return status == 0 ? CALL_DONE : CALL_FAILED;
}

enum call_outcome method_table_compact(struct call *call)
{
    struct table *t;
    if (table_find(call, call->args[0], &t) < 0 || table_turn_keep(call, t) < 0) return CALL_FAILED;
    struct compact_state *s = calloc(1, sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    table_close_tail(t);
    s->bytes_before = table_bytes(t);
    call->state = s;
    call->abort = compact_free;
    call->step = compact_step;
    return CALL_PENDING;
}
