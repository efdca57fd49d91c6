/* methods_table_import.c - table.import: a file's bytes become rows of a table.
 *
 * The happy path: the first call makes an import (server/table_import.h), once nobody else is
 * changing the table; its bytes are fed to the reader in steps, straight from the request; at their
 * end the rows that are whole join the table, and if more is to come the import becomes a cursor of
 * the session. A call that makes its table
 * without a schema passes over its bytes twice: the first time only to find types. Bytes without a
 * whole row tell none: then they are held, and the next call goes on with them.
 *
 * With `atomic` no rows join before the last call: those of a table that is there stay in one fork,
 * a table that is made stays the import's own.
 *
 * Failure: whatever the call has read is given up, and with it the import, since a reader that has
 * failed cannot go on. Parameters that are wrong leave an import that is open as it is. */
#include "server/method_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/map.h"
#include "heap/text.h"
#include "server/clock.h"
#include "server/keys.h"
#include "server/params.h"
#include "server/path.h"
#include "server/refs.h"
#include "server/reply.h"
#include "server/table_csv_form.h"
#include "server/table_import.h"
#include "server/table_schema.h"
#include "server/table_value.h"

/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)100000)
#define IMPORT_BYTES_DEFAULT ((size_t)64 << 20)

/* What a call says. */
struct request {
    enum import_format format;
    bool more, create, infers, atomic;
    int64_t cursor; /* 0: none */
    int64_t ttl_ms;
    value schema, types;
    struct csv_form csv;
};

/* A call under way. */
struct importing {
    struct table_cursor *cursor; /* owned, with its import */
    struct request request;      /* without schema and types: they may have moved */
    bool types;     /* this pass only finds types */
    size_t held;    /* bytes of earlier calls, when it began */
    size_t at;      /* in the bytes */
    int status;     /* of the last feed */
    bool over;      /* all is read; the rows wait for their turn to join the table */
};

static void importing_free(struct call *call)
{
    struct importing *s = call->state;
    if (s->cursor != NULL) table_cursor_destroy(s->cursor);
    free(s);
    call->state = NULL;
}

/* --- options ----------------------------------------------------------------------------------*/

static int read_request(struct call *call, struct request *r)
{
    value format, more, cursor, create, ttl, infer, atomic, header, delimiter, null;
    const struct option known[] = {
        {"format", &format}, {"more", &more},     {"cursor", &cursor}, {"create", &create},
        {"schema", &r->schema}, {"ttl", &ttl},    {"infer", &infer},   {"atomic", &atomic},
        {"types", &r->types}, {"header", &header},
        {"delimiter", &delimiter}, {"null", &null},
    };
    static const char *const formats[] = {"arrow", "csv", "jsonl", "npy"};
    int word = -1;
    int64_t now_ms = (int64_t)keys_now(call->host->keys);
    *r = (struct request){.format = IMPORT_FORMATS};
    if (options_read(call, 2, known, sizeof known / sizeof *known) < 0) return -1;
    if (cursor == VALUE_NIL) cursor = VALUE_ABSENT;
    if (r->schema == VALUE_NIL) r->schema = VALUE_ABSENT;
    if (r->types == VALUE_NIL) r->types = VALUE_ABSENT;
    if (option_word(call, "format", format, IMPORT_FORMAT_WORDS, &word) < 0 ||
        option_bool(call, "more", more, &r->more) < 0 ||
        option_bool(call, "create", create, &r->create) < 0 ||
        option_bool(call, "infer", infer, &r->infers) < 0 ||
        option_bool(call, "atomic", atomic, &r->atomic) < 0 ||
        option_int(call, "cursor", cursor, 1, INT64_MAX, &r->cursor) < 0 ||
        option_int(call, "ttl", ttl, 1, (int64_t)MAP_EXPIRES_MAX - now_ms, &r->ttl_ms) < 0)
        return -1;
    if (word >= 0) r->format = (enum import_format)word;
    if (csv_form_read(call, word < 0 ? NULL : formats[word], header, delimiter, null, &r->csv) < 0)
        return -1;
    if (value_is_text(call->args[1])) return 0;
    call_fail(call, ERROR_BAD_PARAMS, "%s: the second parameter is the bytes, a bin, not %s",
              call->method->name, value_describe(call->args[1]));
    return -1;
}

/* {name: type}: columns that may be null, as a file that is read once may show late. 0, or -1. */
static int read_types(struct call *call, value types, struct table_schema *s)
{
    struct map_iterator it = {0};
    value name, type;
    if (!value_is_kind(types, KIND_MAP)) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: option types must be a map of names and types, not "
                  "%s", call->method->name, value_describe(types));
        return -1;
    }
    size_t count = map_count(call->heap, types);
    if (count == 0) return 0;
    if (count > TABLE_COLUMNS_MAX) {
        call_fail(call, ERROR_LIMIT, "%s: option types: a table has 1 to %d columns, not %zu",
                  call->method->name, TABLE_COLUMNS_MAX, count);
        return -1;
    }
    if (table_schema_open(call, s, count) < 0) return -1;
    while (map_next(call->heap, types, &it, &name, &type)) {
        char of[360]; /* a name is quoted with some 300 bytes at most */
        snprintf(of, sizeof of, "option types: column %s", call_quote_value(call, name));
        if (table_schema_name(call, s, name) < 0 ||
            table_type_read(call, of, type, &s->fields[s->count]) < 0)
            return -1;
        s->count++;
    }
    return 0;
}

/* --- beginning --------------------------------------------------------------------------------*/

/* Where a table is to be made: nothing is there. */
static int check_place(struct call *call, int64_t ttl_ms, struct place *place)
{
    if (place_find(call, call->args[0], PATH_CREATE, place) < 0) return -1;
    if (ttl_ms > 0 && (!place_is_key(call, place) || place->missing > 0)) {
        call_fail(call, ERROR_BAD_PATH, "%s: only whole keys expire (ttl); %s is none",
                  call->method->name, quote_whole_path(call, call->args[0]));
        return -1;
    }
    if (place->held == VALUE_ABSENT || place->held == VALUE_NIL) return 0;
    call_fail(call, ERROR_BUSY, "%s: something was stored at %s meanwhile", call->method->name,
              quote_whole_path(call, call->args[0]));
    return -1;
}

/* A new table of the schema that the call has, or none yet. */
static int prepare_new(struct call *call, const struct request *r, struct table_import *x)
{
    struct table_schema schema;
    struct place place;
    if (check_place(call, r->ttl_ms, &place) < 0) return -1;
    if (import_keep_path(x, call->args[0]) < 0) {
        fail_no_memory(call);
        return -1;
    }
    if (r->schema == VALUE_ABSENT) return 0;
    if (table_schema_read(call, r->schema, &schema) < 0) return -1;
    value table = table_schema_make(call, &schema);
    table_schema_close(&schema);
    if (table == VALUE_ABSENT) return -1;
    if (import_into_new_take(x, table) == 0) return 0;
    value_release(call->heap, table);
    fail_no_memory(call);
    return -1;
}

/* The table at the path, or the beginning of a new one. */
static int prepare_table(struct call *call, const struct request *r, struct table_import *x)
{
    value v;
    struct table *t;
    if (r->infers) return 0;
    if (path_read_through(call, call->args[0], r->create ? PATH_LENIENT : 0, &v) < 0) return -1;
    if (r->create && (v == VALUE_ABSENT || v == VALUE_NIL)) return prepare_new(call, r, x);
    if (table_find(call, call->args[0], &t) < 0) return -1;
    import_into(x, t);
    return 0;
}

static int check_new(struct call *call, const struct request *r)
{
    const struct table_cursors *cursors = &call->refs->cursors;
    if (r->format == IMPORT_FORMATS)
        call_fail(call, ERROR_BAD_PARAMS, "%s: option format must be given: one of %s",
                  call->method->name, IMPORT_FORMAT_WORDS);
    else if (r->infers && (r->create || r->schema != VALUE_ABSENT || r->ttl_ms > 0))
        call_fail(call, ERROR_BAD_PARAMS, "%s: infer stores nothing; create, schema and ttl do not "
                  "go with it", call->method->name);
    else if (!r->create && (r->schema != VALUE_ABSENT || r->ttl_ms > 0))
        call_fail(call, ERROR_BAD_PARAMS, "%s: schema and ttl are of a table that is made: they "
                  "need create", call->method->name);
    else if (r->types != VALUE_ABSENT && (r->schema != VALUE_ABSENT || (!r->create && !r->infers)))
        call_fail(call, ERROR_BAD_PARAMS, "%s: types are of a table that is made without a schema, "
                  "or of infer", call->method->name);
    else if (r->types != VALUE_ABSENT && r->format != IMPORT_CSV && r->format != IMPORT_JSONL)
        call_fail(call, ERROR_BAD_PARAMS, "%s: types are for csv and jsonl; this format has its "
                  "own", call->method->name);
    else if (r->more && cursors->count >= call->host->cursors_max)
        call_fail(call, ERROR_LIMIT, "%s: this session has %zu scans and imports open, the limit "
                  "(table-cursors); end them, or table.close them", call->method->name,
                  cursors->count);
    else
        return 0;
    return -1;
}

/* The cursor of a new import; NULL after call_fail. */
static struct table_cursor *cursor_new(struct call *call, const struct request *r)
{
    size_t bytes = call->host->import_bytes_max;
    if (check_new(call, r) < 0) return NULL;
    struct table_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor != NULL)
        cursor->import = import_create(call->heap, r->format, r->infers, &r->csv,
                                       bytes > 0 ? bytes : IMPORT_BYTES_DEFAULT);
    if (cursor == NULL || cursor->import == NULL) {
        free(cursor);
        fail_no_memory(call);
        return NULL;
    }
    cursor->import->atomic = r->atomic;
    cursor->import->ttl_ms = r->ttl_ms;
    bool ready = r->types == VALUE_ABSENT ||
                 read_types(call, r->types, &cursor->import->given) == 0;
    if (ready && prepare_table(call, r, cursor->import) == 0) return cursor;
    table_cursor_destroy(cursor);
    return NULL;
}

/* Adds to the error how far the import was. */
static void tell_rows(struct call *call, const struct table_import *x)
{
    unsigned long long rows = x->rows;
    if (x->infers || x->atomic || rows == 0) return;
    size_t length = strlen(call->message);
    snprintf(call->message + length, sizeof call->message - length,
             "; %llu row%s had been appended by earlier calls of this import", rows,
             rows == 1 ? "" : "s");
}

/* Whether other columns have taken the place of those that the import reads into. */
static bool is_altered(const struct table_import *x)
{
    return x->table != NULL && table_is_altered(x->table);
}

static void fail_altered(struct call *call, const struct table_import *x)
{
    call_fail(call, ERROR_BUSY, "%s: the columns of the table were altered since this import "
              "began, which ends it", call->method->name);
    tell_rows(call, x);
}

/* Whether the table is where it was when the import began. 0, or -1 after call_fail. */
static int check_table(struct call *call, struct table_import *x)
{
    struct table *t;
    if (x->infers) return 0;
    if (x->table == NULL || x->fresh) {
        if (import_is_at(x, call->args[0])) return 0;
        call_fail(call, ERROR_NOT_FOUND, "%s: this import began at another path than %s; its table "
                  "is made there", call->method->name, quote_whole_path(call, call->args[0]));
        return -1;
    }
    if (is_altered(x)) {
        fail_altered(call, x);
        return -1;
    }
    int status = table_find(call, call->args[0], &t);
    if (status == 0 && t == x->table) return 0;
    if (status == 0)
        call_fail(call, ERROR_NOT_FOUND, "%s: the table at %s is another one than when this import "
                  "began", call->method->name, quote_whole_path(call, call->args[0]));
    tell_rows(call, x);
    return -1;
}

/* The cursor that the call goes on with, taken off the session; NULL after call_fail. */
static struct table_cursor *cursor_known(struct call *call, const struct request *r)
{
    struct table_cursors *cursors = &call->refs->cursors;
    struct table_cursor *cursor = table_cursors_take(cursors, r->cursor);
    if (cursor == NULL) {
        call_fail(call, ERROR_NOT_FOUND, "%s: this session has no cursor %lld; its import has "
                  "ended, failed, or was not used for too long (table-cursor-time)",
                  call->method->name, (long long)r->cursor);
        return NULL;
    }
    if (cursor->import == NULL)
        call_fail(call, ERROR_BAD_PARAMS, "%s: cursor %lld is a scan; table.next goes on with it",
                  call->method->name, (long long)r->cursor);
    else if (r->format != IMPORT_FORMATS && r->format != cursor->import->format)
        call_fail(call, ERROR_BAD_PARAMS, "%s: the import of cursor %lld is of another format",
                  call->method->name, (long long)r->cursor);
    else if (check_table(call, cursor->import) == 0)
        return cursor;
    else if (is_altered(cursor->import)) {
        table_cursor_destroy(cursor);
        return NULL;
    }
    table_cursors_add(cursors, cursor);
    return NULL;
}

/* Whether the call may begin its fork: not while somebody's change is open, or being taken back,
 * which ends early beside a fork. 0, or -1 after table_turn or call_fail. */
static int import_turn(struct call *call, const struct request *r)
{
    value v;
    bool stores = !r->infers;
    if (r->cursor != 0) {
        struct table_cursor *cursor = table_cursors_find(&call->refs->cursors, r->cursor);
        stores = cursor != NULL && cursor->import != NULL && !cursor->import->infers;
    }
    if (!stores) return 0;
    if (path_read_through(call, call->args[0], PATH_LENIENT, &v) < 0) return -1;
    return value_is_kind(v, KIND_TABLE) ? table_turn(call, table_of(call->heap, v)) : 0;
}

/* --- ending -----------------------------------------------------------------------------------*/

/* Bytes of the client in the text of an error, escaped. */
static void clean(struct table_error *error)
{
    char raw[TABLE_ERROR_BYTES];
    memcpy(raw, error->text, sizeof raw);
    size_t length = strnlen(raw, sizeof raw - 1), at = 0, good = utf8_prefix(raw, length);
    for (size_t i = 0; i < length && at + 5 < sizeof error->text; i++) {
        unsigned char c = (unsigned char)raw[i];
        if (c < 32 || c == 127 || (c >= 128 && i >= good))
            at += (size_t)snprintf(error->text + at, 5, "\\x%02x", c);
        else
            error->text[at++] = (char)c;
    }
    error->text[at] = 0;
}

static enum call_outcome fail_import(struct call *call, struct table_error *error)
{
    struct importing *s = call->state;
    const struct table_import *x = s->cursor->import;
    if (is_altered(x)) {
        fail_altered(call, x);
    } else {
        clean(error);
        call_fail_table(call, error);
        tell_rows(call, x);
    }
    importing_free(call);
    return CALL_FAILED;
}

static enum call_outcome fail_ended(struct call *call)
{
    importing_free(call);
    return CALL_FAILED;
}

static void write_schema(struct writer *w, const struct table_import *x)
{
    uint32_t count = import_field_count(x);
    writer_cstr(w, "schema");
    writer_array(w, count);
    for (uint32_t i = 0; i < count; i++) {
        struct table_field field;
        import_field(x, i, &field);
        table_field_write(w, &field, TABLE_INDEX_NONE);
    }
}

/* The new table goes to its place. 0, or -1 after call_fail. */
static int store_table(struct call *call, struct table_import *x)
{
    struct place place;
    if (check_place(call, x->ttl_ms, &place) < 0) return -1;
    uint64_t now_ms = keys_now(call->host->keys);
    value table = import_stored(x);
    return place_replace_take(call, &place, table,
                              x->ttl_ms > 0 ? now_ms + (uint64_t)x->ttl_ms : 0);
}

/* Whether it is the call's turn to join the table, or it has begun to. */
static bool may_join(struct call *call, const struct table_import *x)
{
    return x->fork.t == NULL || x->fork.joining != NULL || table_turn_take(&call->turn, x->table);
}

/* Writes the answer, which stays only if nothing is left to do. */
static enum call_outcome import_finish(struct call *call, uint64_t end_ns)
{
    struct importing *s = call->state;
    struct table_import *x = s->cursor->import;
    struct table_cursors *cursors = &call->refs->cursors;
    struct table_error error;
    struct writer *w = call->reply;
    bool told = x->infers && !s->request.more;
    bool joins = !x->atomic || !s->request.more;
    s->over = true;
    if (joins && !may_join(call, x)) return CALL_PENDING;
    int64_t id = !s->request.more ? 0 : s->cursor->id != 0 ? s->cursor->id : cursors->last + 1;
    writer_map(w, told ? 3 : 2);
    reply_figure(w, "rows", import_rows(x));
    writer_cstr(w, "cursor");
    if (id != 0) writer_int(w, id);
    else writer_nil(w);
    if (told) write_schema(w, x);
    if (reply_check(call) < 0 || check_table(call, x) < 0) return fail_ended(call);
    if (joins && x->fresh && !x->infers && store_table(call, x) < 0)
        return fail_ended(call);
    int more = joins ? import_join(x, end_ns, &error) : 0;
    if (more < 0) return fail_import(call, &error);
    if (more > 0) return CALL_PENDING;
    x->rows = import_rows(x);
    if (id != 0) {
        s->cursor->used_ns = clock_ns();
        table_cursors_add(cursors, s->cursor);
        s->cursor = NULL;
    }
    importing_free(call);
    return CALL_DONE;
}

/* --- steps ------------------------------------------------------------------------------------*/

/* The table of the types that were found; 0, or -1 with *error. */
static int make_table(struct call *call, struct table_import *x, struct table_error *error)
{
    uint32_t count = import_field_count(x);
    value table;
    struct table_field *fields = calloc(count + 1, sizeof *fields);
    if (fields == NULL) return text_memory(error, "a schema");
    for (uint32_t i = 0; i < count; i++) import_field(x, i, &fields[i]);
    int failed = 0;
    if (count == 0) {
        *error = (struct table_error){.fault = TABLE_FAULT_TYPE, .row = UINT64_MAX};
        snprintf(error->text, sizeof error->text,
                 "the file has no row, so it tells no columns; a schema would");
        failed = -EINVAL;
    }
    if (!failed) failed = table_create(call->heap, fields, count, &table, error);
    free(fields);
    if (failed) return failed;
    if (import_into_new_take(x, table) == 0) return 0;
    value_release(call->heap, table);
    return text_memory(error, "a schema");
}

/* All bytes of the call are read. 1: done, 0: another pass begins, negative: *error. */
static int pass_end(struct call *call, struct importing *s, struct table_error *error)
{
    struct table_import *x = s->cursor->import;
    int failed = import_flush(x, !s->request.more, error);
    if (!failed && s->types && s->request.more && import_rows(x) == 0)
        return 1; /* the next call may tell */
    if (!failed && (s->types || (x->infers && !s->request.more)))
        failed = import_types_given(x, error);
    if (failed || !s->types) return failed ? failed : 1;
    import_hold_only(x, s->held);
    import_types_end(x);
    failed = make_table(call, x, error);
    if (!failed) failed = import_begin(x, false, error);
    s->types = false;
    s->at = 0;
    s->status = TABLE_FEED_MORE;
    return failed;
}

/* Bytes of a call that may have no whole row are held. */
static int hold(struct importing *s, const char *data, size_t length, struct table_error *error)
{
    struct table_import *x = s->cursor->import;
    bool needed = s->types && s->request.more && import_rows(x) == 0;
    return needed && length > 0 ? import_hold(x, data, length, error) : 0;
}

/* What is fed at once of bytes that were held. */
#define HELD_PIECE ((size_t)32 << 10)

/* Bytes that were held come before those of the call. 1: there were some. */
static int held_work(struct importing *s, struct table_error *error)
{
    struct table_import *x = s->cursor->import;
    const char *data;
    size_t used = 0, length = s->types ? 0 : import_held(x, &data);
    if (length == 0) return 0;
    s->status = import_feed(x, data, length < HELD_PIECE ? length : HELD_PIECE, &used, error);
    import_held_read(x, used);
    return s->status < 0 ? s->status : 1;
}

/* One feed. 1: done, 0: more to do, negative: *error. */
static int import_work(struct call *call, struct importing *s, struct table_error *error)
{
    struct table_import *x = s->cursor->import;
    struct text_scratch scratch;
    const char *data = NULL;
    int held = held_work(s, error);
    if (held != 0) return held < 0 ? held : 0;
    size_t used = 0, length = text_piece(call->heap, call->args[1], s->at, &data, &scratch);
    bool over = length == 0 && s->status != TABLE_FEED_WORK;
    if (over || s->status == TABLE_FEED_DONE) return pass_end(call, s, error);
    s->status = import_feed(x, data, length, &used, error);
    s->at += used;
    return s->status < 0 ? s->status : hold(s, data, used, error);
}

static enum call_outcome import_step(struct call *call, uint64_t budget_ns)
{
    struct importing *s = call->state;
    struct table_error error;
    uint64_t end = clock_ns() + budget_ns;
    int done;
    root_frame_touch(call->heap, &s->cursor->import->frame);
    if (s->over) return table_turn_come(&call->turn) ? import_finish(call, end) : CALL_PENDING;
    do done = import_work(call, s, &error);
    while (done == 0 && clock_ns() < end);
    if (done < 0) return fail_import(call, &error);
    return done > 0 ? import_finish(call, end) : CALL_PENDING;
}

enum call_outcome method_table_import(struct call *call)
{
    struct request r;
    struct table_error error;
    if (read_request(call, &r) < 0) return CALL_FAILED;
    /* Its own cursor was there when the call came, however long that has waited since. */
    if (!call->waited)
        table_cursors_expire(&call->refs->cursors, clock_ns(), call->host->cursor_idle_ns);
    if (import_turn(call, &r) < 0) return CALL_FAILED;
    struct importing *s = calloc(1, sizeof *s);
    if (s == NULL) return fail_no_memory(call);
    s->cursor = r.cursor != 0 ? cursor_known(call, &r) : cursor_new(call, &r);
    if (s->cursor == NULL) {
        free(s);
        return CALL_FAILED;
    }
    r.schema = r.types = VALUE_ABSENT;
    s->request = r;
    s->types = import_lacks_types(s->cursor->import);
    s->held = s->cursor->import->held.length;
    call->state = s;
    call->abort = importing_free;
    call->step = import_step;
    if (import_begin(s->cursor->import, s->types || s->cursor->import->infers, &error) < 0)
        return fail_import(call, &error);
    return import_step(call, FIRST_STEP_NS);
}
