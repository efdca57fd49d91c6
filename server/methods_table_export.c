/* methods_table_export.c - answers of bytes: table.export, and format "arrow" of the others.
 *
 * The happy path: the cursor's query pins one version; its export (heap/table_export.h) makes
 * pieces of the stream in steps; once there is enough for an answer the last piece goes from where
 * it lies into the reply, in steps, too (server/reply_parts.h). Only pieces that came before it are
 * copied together first (`gathered`).
 * What does not fit any more stays lent, and begins the next answer.
 *
 * What is held meanwhile, one piece and what is gathered, is charged to the query: its limit is
 * table-query-memory. An answer has at most `bytes`, and ends early once it has half of that and
 * a piece ends.
 *
 * Failure: an error of the query or of the format ends the export, and its cursor. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/table_export.h"
#include "heap/table_out.h"
#include "heap/text.h"
#include "server/build.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/refs.h"
#include "server/reply.h"
#include "server/table_csv_form.h"
#include "server/reply_parts.h"
#include "server/table_query.h"
#include "server/table_value.h"

/* What is over by then is answered at once. */
#define FIRST_STEP_NS ((uint64_t)100000)
/* So long an answer that is long enough looks for one more row, which says whether a cursor is
 * left. */
#define AHEAD_NS ((uint64_t)500000)
/* Of an answer beside its data and its columns. */
#define FRAME_BYTES ((size_t)512)

/* An answer under way. */
struct sending {
    struct table_cursor *cursor; /* owned; its query may have a number already */
    enum table_read kind;
    struct table_out gathered;   /* pieces, but for the last one; charged to the query */
    uint64_t rows_before;        /* export_rows when it began */
    uint64_t ahead_ns;           /* that were spent looking for one more row */
    bool answering;              /* the answer has its head, and of the data so much: */
    size_t gathered_at, piece_at;
    size_t share;                /* of the piece: so much is to be in the answer */
    struct reply_parts answer;
};

static void sending_free(struct call *call)
{
    struct sending *s = call->state;
    out_close(&s->gathered);
    reply_parts_close(&s->answer);
    if (s->cursor != NULL) table_cursor_destroy(s->cursor);
    free(s);
    call->state = NULL;
}

static uint64_t sending_rows(const struct sending *s)
{
    return export_rows(s->cursor->export) - s->rows_before;
}

static size_t sending_bytes(const struct sending *s)
{
    return s->gathered.length + s->cursor->piece_length;
}

/* What the answer takes beside the data. */
static size_t frame_bytes(const struct sending *s)
{
    const struct query *q = s->cursor->query;
    size_t bytes = FRAME_BYTES;
    if (s->cursor->format == TABLE_FORMAT_BYTES || s->kind == READ_NEXT) return bytes;
    for (uint32_t i = 0; i < query_column_count(q); i++)
        bytes += query_column(q, i)->name_length + 16;
    return bytes;
}

/* --- the answer -------------------------------------------------------------------------------*/

static void write_bytes_header(struct writer *w, const struct call *call, const struct sending *s)
{
    size_t length = s->gathered.length + s->share;
    writer_cstr(w, "data");
    if (s->cursor->format == TABLE_FORMAT_ARROW && call->features->ext)
        writer_ext_header(w, EXT_ARROW, length);
    else
        writer_bin_header(w, length);
}

/* How much of the piece goes into the answer: as far as it is allowed to be long, and there is
 * memory for replies. */
static size_t piece_share(const struct call *call, const struct sending *s)
{
    const struct writer *w = call->reply;
    size_t room = w->limit > w->length ? w->limit - w->length : 0;
    size_t taken = frame_bytes(s) + s->gathered.length, share = s->cursor->piece_length;
    if (s->kind == READ_ALL) return share;
    if (share > s->cursor->bytes_max - s->gathered.length)
        share = s->cursor->bytes_max - s->gathered.length;
    if (w->limit > 0 && share + taken > room) share = room > taken ? room - taken : 0;
    return share;
}

static bool is_described(const struct sending *s)
{
    return s->cursor->format == TABLE_FORMAT_ARROW && s->kind != READ_NEXT;
}

static void answer_begin(struct call *call, struct sending *s)
{
    struct table_cursor *cursor = s->cursor;
    struct writer *w = &s->answer.w;
    bool exported = cursor->format == TABLE_FORMAT_BYTES && s->kind != READ_NEXT;
    bool described = is_described(s);
    s->share = piece_share(call, s);
    reply_parts_open(&s->answer, call, frame_bytes(s) + s->gathered.length + s->share);
    writer_map(w, (size_t)2 + exported + 2 * (size_t)described + (s->kind != READ_ALL));
    if (described) table_write_cols(w, cursor->query);
    if (exported) {
        writer_cstr(w, "format");
        writer_cstr(w, export_format_name(export_format_of(cursor->export)));
    }
    reply_figure(w, "rows", sending_rows(s));
    write_bytes_header(w, call, s);
    s->answering = true;
}

/* Puts more of the answer together; a cursor that is to be read on goes to the session. */
static enum call_outcome sending_finish(struct call *call, uint64_t end_ns)
{
    struct sending *s = call->state;
    struct table_cursor *cursor = s->cursor;
    struct writer *w = &s->answer.w;
    if (!s->answering) answer_begin(call, s);
    if (!reply_parts_copy(&s->answer, s->gathered.data, s->gathered.length, &s->gathered_at,
                          end_ns) ||
        !reply_parts_copy(&s->answer, cursor->piece, s->share, &s->piece_at, end_ns))
        return CALL_PENDING;
    bool goes_on = s->kind != READ_ALL &&
                   !(cursor->export_over && s->share == cursor->piece_length);
    if (s->kind != READ_ALL) {
        writer_cstr(w, "cursor");
        if (goes_on) writer_int(w, table_cursor_number(call, cursor, goes_on));
        else writer_nil(w);
    }
    if (is_described(s)) table_write_stats(w, cursor->query);
    reply_parts_end(&s->answer, call);
    int status = reply_check(call);
    if (status == 0 && goes_on) {
        cursor->piece += s->share;
        cursor->piece_length -= s->share;
        cursor->used_ns = clock_ns();
        out_close(&s->gathered);
        table_cursors_add(&call->refs->cursors, cursor);
        s->cursor = NULL;
    }
    sending_free(call);
    return status < 0 ? CALL_FAILED : CALL_DONE;
}

/* --- steps ------------------------------------------------------------------------------------*/

static bool is_enough(const struct sending *s)
{
    const struct table_cursor *c = s->cursor;
    if (c->export_over) return true;
    if (s->kind == READ_ALL) return false;
    /* A batch that may have `rows` rows is the last one. */
    return sending_bytes(s) >= (c->bytes_max + 1) / 2 || (c->rows_max > 0 && sending_rows(s) > 0);
}

/* An answer that is long enough: is what it has the end? CALL_PENDING: not known yet. What ends the
 * stream and does not fit any more is left for a cursor. */
static enum call_outcome sending_look_ahead(const struct call *call, struct sending *s,
                                            uint64_t budget_ns)
{
    struct table_cursor *c = s->cursor;
    if (c->export_over || s->kind == READ_ALL || s->ahead_ns >= AHEAD_NS) return CALL_DONE;
    if (piece_share(call, s) < c->piece_length || c->piece_length == 0) return CALL_DONE;
    uint64_t begin = clock_ns(), left = AHEAD_NS - s->ahead_ns;
    int more = export_look_ahead(c->export, budget_ns < left ? budget_ns : left, &c->piece,
                                 &c->piece_length);
    c->export_over = more == 0;
    s->ahead_ns += clock_ns() - begin;
    return more == QUERY_BUSY && s->ahead_ns < AHEAD_NS ? CALL_PENDING : CALL_DONE;
}

/* An answer that is long enough. */
static enum call_outcome sending_end(struct call *call, struct sending *s, uint64_t end_ns)
{
    uint64_t now = clock_ns();
    if (sending_look_ahead(call, s, now < end_ns ? end_ns - now : 0) == CALL_PENDING)
        return CALL_PENDING;
    return sending_finish(call, end_ns);
}

static enum call_outcome fail(struct call *call, const struct query_error *error)
{
    sending_free(call);
    return call_fail_query(call, error);
}

/* The export's next step overwrites the piece: it moves to what is gathered. */
static int gather(struct call *call, struct sending *s)
{
    size_t max = call->host->reply_bytes_max;
    if (s->kind == READ_ALL && sending_bytes(s) > max) {
        call_fail(call, ERROR_LIMIT,
                  "%s: the result would be longer than reply-bytes (%zu) allows; ask for less of "
                  "it, or read it with table.scan",
                  call->method->name, max);
        return -1;
    }
    out_put(&s->gathered, s->cursor->piece, s->cursor->piece_length);
    s->cursor->piece_length = 0;
    if (!s->gathered.failed) return 0;
    call_fail_query(call, query_error_last(s->cursor->query));
    return -1;
}

static enum call_outcome sending_step(struct call *call, uint64_t budget_ns)
{
    struct sending *s = call->state;
    struct table_cursor *cursor = s->cursor;
    uint64_t now = clock_ns(), end = now + budget_ns;
    if (s->answering) return sending_finish(call, end);
    struct query_error wrong;
    int prepared = query_prepare(cursor->query, budget_ns, &wrong);
    if (prepared == QUERY_BUSY) return CALL_PENDING;
    if (prepared < 0) return fail(call, &wrong);
    do {
        struct query_error error;
        if (is_enough(s)) return sending_end(call, s, end);
        if (gather(call, s) < 0) {
            sending_free(call);
            return CALL_FAILED;
        }
        int more = export_step(cursor->export, end - now, &cursor->piece, &cursor->piece_length,
                               &error);
        if (more < 0) return fail(call, &error);
        cursor->export_over = more == 0;
        if (is_enough(s)) return sending_end(call, s, end);
        now = clock_ns();
    } while (now < end);
    return CALL_PENDING;
}

/* Sizes of the pieces to come: such that an answer is one piece, if that may be. */
static void fit_sizes(const struct call *call, struct sending *s)
{
    struct table_cursor *c = s->cursor;
    size_t frame = frame_bytes(s), max = call->host->reply_bytes_max;
    if (s->kind == READ_ALL) {
        export_set_sizes(c->export, 0, 0);
        return;
    }
    max = max > frame ? max - frame : 1;
    if (c->bytes_max > max) c->bytes_max = max;
    export_set_sizes(c->export, c->bytes_max, c->rows_max);
}

static int open_arrow(struct call *call, struct table_cursor *cursor)
{
    struct export_options options = {
        .format = EXPORT_ARROW, .dictionary = (enum export_dictionary)cursor->dictionary};
    struct query_error error;
    if (cursor->export != NULL) return 0;
    if (export_create(cursor->query, NULL, &options, &cursor->export, &error) == 0) return 0;
    call_fail_query(call, &error);
    return -1;
}

enum call_outcome table_send(struct call *call, struct table_cursor *cursor, enum table_read kind)
{
    if (open_arrow(call, cursor) < 0) {
        table_cursor_destroy(cursor);
        return CALL_FAILED;
    }
    struct sending *s = calloc(1, sizeof *s);
    if (s == NULL) {
        table_cursor_destroy(cursor);
        return fail_no_memory(call);
    }
    s->cursor = cursor;
    s->kind = kind;
    s->gathered.query = cursor->query;
    s->rows_before = export_rows(cursor->export);
    fit_sizes(call, s);
    call->state = s;
    call->abort = sending_free;
    call->step = sending_step;
    return sending_step(call, FIRST_STEP_NS);
}

/* --- table.export -----------------------------------------------------------------------------*/

/* The options that a scan does not have, and the one that all have who write Arrow. */
static const char *const own_options[] = {"dictionary", "header", "delimiter", "null", NULL};

static const char *const format_names[] = {"arrow", "csv", "jsonl", "npy"};

int table_dictionary_read(struct call *call, value options, bool arrow, int *dictionary)
{
    value v = table_option(call, options, "dictionary");
    if (v == VALUE_ABSENT || v == VALUE_NIL) return 0;
    if (!arrow) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: dictionary is an option of format \"arrow\"",
                  call->method->name);
        return -1;
    }
    return option_word(call, "dictionary", v, "auto delta whole", dictionary);
}

static int read_export_format(struct call *call, value map, enum export_format *format)
{
    int word = -1;
    if (option_word(call, "format", table_option(call, map, "format"),
                    "arrow csv jsonl npy", &word) < 0)
        return -1;
    if (word < 0) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "%s: the option format is needed: \"arrow\", \"csv\", \"jsonl\" or \"npy\"",
                  call->method->name);
        return -1;
    }
    *format = (enum export_format)word;
    return 0;
}

/* The query, the one that counts its rows, and what makes bytes of them. */
static int export_open(struct call *call, struct table *t, struct query_spec *spec,
                       const struct export_options *options, struct table_cursor *cursor)
{
    struct query *counter = NULL;
    struct query_error error;
    if (table_compile(call, t, spec, false, &cursor->query) < 0) return -1;
    if (options->format == EXPORT_NPY) {
        spec->order = VALUE_ABSENT;
        if (table_compile(call, t, spec, false, &counter) < 0) return -1;
    }
    if (export_create(cursor->query, counter, options, &cursor->export, &error) == 0) return 0;
    if (counter != NULL) query_destroy(counter);
    call_fail_query(call, &error);
    return -1;
}

enum call_outcome method_table_export(struct call *call)
{
    struct export_options options = {.format = EXPORT_ARROW};
    int dictionary = EXPORT_DICTIONARY_AUTO;
    struct csv_form form;
    struct query_error error;
    struct query_spec spec;
    struct table *t;
    value map = param(call, 1);
    if (table_cursors_check(call) < 0 || table_find(call, call->args[0], &t) < 0)
        return CALL_FAILED;
    if (query_spec_read_also(call->heap, map, false, own_options, &spec, &error) < 0)
        return call_fail_query(call, &error);
    if (read_export_format(call, map, &options.format) < 0 ||
        csv_form_read(call, format_names[options.format], table_option(call, map, "header"),
                      table_option(call, map, "delimiter"), table_option(call, map, "null"),
                      &form) < 0 ||
        table_dictionary_read(call, map, options.format == EXPORT_ARROW, &dictionary) < 0)
        return CALL_FAILED;
    options.no_header = form.no_header;
    options.delimiter = form.delimiter;
    options.null_text = form.null_text;
    options.null_length = form.null_length;
    options.dictionary = (enum export_dictionary)dictionary;
    value rows = table_option(call, table_option(call, map, "batch"), "rows");
    if (options.format != EXPORT_ARROW && rows != VALUE_ABSENT && rows != VALUE_NIL)
        return call_fail(call, ERROR_BAD_PARAMS,
                         "%s: rows of batch are those of a record batch, in format \"arrow\"; "
                         "pieces of \"%s\" have bytes",
                         call->method->name, format_names[options.format]);
    struct table_cursor *cursor = table_cursor_open(call, TABLE_FORMAT_BYTES, map);
    if (cursor == NULL) return CALL_FAILED;
    if (export_open(call, t, &spec, &options, cursor) < 0) {
        table_cursor_destroy(cursor);
        return CALL_FAILED;
    }
    return table_send(call, cursor, READ_FIRST);
}
