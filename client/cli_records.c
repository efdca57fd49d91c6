/* cli_records.c - finds the records in a stream of JSON; see cli_records.h.
 *
 * yajl takes bytes in pieces and calls back for each item. Outside of records the items only
 * move us: down the path to the array of records, past members that are something else.
 * Within a record each item is added to the parameters of the call that will store it, so a
 * record exists once, and as MessagePack only.
 *
 *   outside --(the array opens)--> between --(a value begins)--> in a record
 *      ^                              |  ^                          |
 *      +-----(the array closes)-------+  +------(the value ends)----+ */
#include "client/cli_records.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define AT_MAX 16

/* What the member is whose value comes next. */
enum member { MEMBER_OTHER, MEMBER_ON_THE_WAY, MEMBER_RECORDS };

struct cli_records {
    yajl_handle yajl;
    enum cli_layout layout;
    struct cli_text at[AT_MAX]; /* names on the way to the array */
    unsigned at_count;
    struct cli_key *key;
    cli_record_cb record;
    void *context;

    struct cairn_args *value; /* the record at hand */
    unsigned outer;           /* open containers around the records */
    unsigned skipping;        /* open containers of a member that is passed over */
    unsigned inner;           /* open containers of the record */
    bool between;             /* the array of records is open */
    bool found;               /* one was open earlier */
    bool is_object;           /* the record is one */
    bool wants_value;         /* the field that `name` names is part of the key */
    enum member member;
    struct cli_text name;

    const char *piece; /* being read, for line numbers */
    size_t counted;    /* bytes of it that `line` has counted */
    uint64_t line;
    uint64_t begin;    /* line of the record at hand */
    uint64_t number;
    char error[400];
};

static int fail(struct cli_records *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int fail(struct cli_records *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->error, sizeof r->error, format, args);
    va_end(args);
    return 0;
}

static void count_lines(struct cli_records *r, size_t end)
{
    while (r->counted < end) {
        const char *found = memchr(r->piece + r->counted, '\n', end - r->counted);
        r->counted = found ? (size_t)(found - r->piece) + 1 : end;
        if (found) r->line++;
    }
}

/* --- records ----------------------------------------------------------------------------*/

/* Whether the value that begins now is a record. */
static bool begins_record(const struct cli_records *r)
{
    return r->inner == 0 && (r->between || (r->layout == CLI_LAYOUT_LINES && r->outer == 0));
}

static void record_begin(struct cli_records *r, bool is_object)
{
    count_lines(r, yajl_get_bytes_consumed(r->yajl));
    r->begin = r->line;
    cairn_args_clear(r->value);
    if (r->key) cli_key_clear(r->key);
    r->is_object = is_object;
    r->wants_value = false;
}

static int record_end(struct cli_records *r)
{
    count_lines(r, yajl_get_bytes_consumed(r->yajl));
    if (cairn_args_status(r->value) == CAIRN_LIMIT)
        return fail(r, "the record is nested more than %d deep, or longer than %zu bytes",
                    CAIRN_DEPTH_MAX, CAIRN_REQUEST_BYTES_MAX);
    if (cairn_args_status(r->value) != CAIRN_OK) return fail(r, "out of memory");
    if (r->key && !r->is_object)
        return fail(r, "the record is no object, so it has no field to make a key of");
    if (!r->record(r->context, r->value)) return 0;
    r->number++;
    return 1;
}

/* A scalar has been added to the record, or was the record. `text` is what a key would be
 * made of; NULL: it cannot be. */
static int scalar_end(struct cli_records *r, const char *text, size_t length)
{
    if (r->inner == 0) return record_end(r);
    if (r->wants_value && r->inner == 1) {
        if (!text)
            return fail(r, "the field %s is part of the key, and is neither text nor number",
                        r->name.data);
        cli_key_value(r->key, r->name.data, r->name.length, text, length);
        r->wants_value = false;
    }
    return 1;
}

/* Where to add a scalar; NULL if it is not part of a record (*result is then the callback's). */
static struct cairn_args *scalar_begin(struct cli_records *r, int *result)
{
    *result = 1;
    if (r->layout == CLI_LAYOUT_AUTO) r->layout = CLI_LAYOUT_LINES;
    if (r->inner > 0) return r->value;
    if (r->skipping > 0) return NULL;
    if (begins_record(r)) {
        record_begin(r, false);
        return r->value;
    }
    if (r->outer == 0)
        *result = fail(r, "the file is a single value, not %s",
                       r->layout == CLI_LAYOUT_ARRAY ? "an array of records"
                                                     : "an object with an array of records");
    else if (r->member == MEMBER_RECORDS && r->at_count > 0)
        *result = fail(r, "the member that --at names is no array");
    return NULL;
}

/* --- what yajl calls ----------------------------------------------------------------------*/

static int on_null(void *context)
{
    struct cli_records *r = context;
    int result;
    struct cairn_args *args = scalar_begin(r, &result);
    if (!args) return result;
    cairn_args_nil(args);
    return scalar_end(r, NULL, 0);
}

static int on_boolean(void *context, int value)
{
    struct cli_records *r = context;
    int result;
    struct cairn_args *args = scalar_begin(r, &result);
    if (!args) return result;
    cairn_args_bool(args, value);
    return scalar_end(r, value ? "true" : "false", value ? 4 : 5);
}

static int on_number(void *context, const char *text, size_t length)
{
    struct cli_records *r = context;
    int result;
    struct cairn_args *args = scalar_begin(r, &result);
    if (!args) return result;
    struct cli_number number = cli_number_parse(text, length);
    switch (number.type) {
    case CLI_NUMBER_INT: cairn_args_int(args, number.integer); break;
    case CLI_NUMBER_UINT: cairn_args_uint(args, number.unsigned_integer); break;
    case CLI_NUMBER_DOUBLE: cairn_args_double(args, number.real); break;
    default:
        return fail(r, "the number %.*s%s cannot be kept exactly: integers have 64 bits, and only "
                       "a point or an exponent makes a double",
                    length < 40 ? (int)length : 40, text, length < 40 ? "" : "…");
    }
    return scalar_end(r, text, length);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
    struct cli_records *r = context;
    int result;
    struct cairn_args *args = scalar_begin(r, &result);
    if (!args) return result;
    cairn_args_str(args, (const char *)text, length);
    return scalar_end(r, (const char *)text, length);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
    struct cli_records *r = context;
    const char *name = (const char *)text;
    if (r->skipping > 0) return 1;
    if (r->inner > 0) {
        cairn_args_str(r->value, name, length);
        if (r->inner > 1 || !r->key) return 1;
        r->wants_value = r->is_object && cli_key_names(r->key, name, length);
        if (!r->wants_value) return 1;
        cli_text_clear(&r->name);
        cli_text_add(&r->name, name, length);
        return r->name.failed ? fail(r, "out of memory") : 1;
    }
    if (r->at_count == 0) { /* any array will do, if there is only one */
        r->member = MEMBER_RECORDS;
        return 1;
    }
    const struct cli_text *wanted = r->outer <= r->at_count ? &r->at[r->outer - 1] : NULL;
    bool same = wanted && wanted->length == length && memcmp(wanted->data, name, length) == 0;
    r->member = !same                     ? MEMBER_OTHER
                : r->outer == r->at_count ? MEMBER_RECORDS
                                          : MEMBER_ON_THE_WAY;
    return 1;
}

/* A container opens outside of all records. */
static int open_outside(struct cli_records *r, bool is_map)
{
    bool at_top = r->outer == 0;
    if (at_top && r->layout == CLI_LAYOUT_ARRAY && is_map)
        return fail(r, "the file is an object, not an array of records; --at names the member "
                       "that holds the array");
    if (at_top && r->layout == CLI_LAYOUT_MEMBER && !is_map)
        return fail(r, "the file is an array, so it has no member that --at could name");
    bool is_records = at_top ? r->layout == CLI_LAYOUT_ARRAY : r->member == MEMBER_RECORDS;
    if (!at_top && is_records && is_map && r->at_count > 0)
        return fail(r, "the member that --at names is an object, not an array of records");
    if (!at_top && (is_records ? is_map : r->member == MEMBER_OTHER || !is_map)) {
        r->skipping = 1;
        return 1;
    }
    if (is_records && r->found && r->layout == CLI_LAYOUT_MEMBER)
        return fail(r, "the file has a second array; --at names the member to import (all records "
                       "of the first array were)");
    r->outer++;
    r->between = is_records;
    r->found |= is_records;
    return 1;
}

static int on_open(struct cli_records *r, bool is_map)
{
    if (r->layout == CLI_LAYOUT_AUTO || r->layout == CLI_LAYOUT_JSON)
        r->layout = !is_map                        ? CLI_LAYOUT_ARRAY
                    : r->layout == CLI_LAYOUT_AUTO ? CLI_LAYOUT_LINES
                                                   : CLI_LAYOUT_MEMBER;
    if (r->skipping > 0) {
        r->skipping++;
        return 1;
    }
    if (r->inner == 0 && !begins_record(r)) return open_outside(r, is_map);
    if (r->inner == 0) record_begin(r, is_map);
    if (r->wants_value && r->inner == 1)
        return fail(r, "the field %s is part of the key, and is neither text nor number",
                    r->name.data);
    r->inner++;
    if (is_map)
        cairn_args_map_open(r->value);
    else
        cairn_args_array_open(r->value);
    return 1;
}

static int on_close(struct cli_records *r, bool is_map)
{
    if (r->skipping > 0) {
        r->skipping--;
    } else if (r->inner > 0) {
        if (is_map)
            cairn_args_map_close(r->value);
        else
            cairn_args_array_close(r->value);
        if (--r->inner == 0) return record_end(r);
    } else {
        r->outer--;
        r->between = false;
    }
    return 1;
}

static int on_map_open(void *context)
{
    return on_open(context, true);
}

static int on_map_close(void *context)
{
    return on_close(context, true);
}

static int on_array_open(void *context)
{
    return on_open(context, false);
}

static int on_array_close(void *context)
{
    return on_close(context, false);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_map_open,
    .yajl_map_key = on_key,
    .yajl_end_map = on_map_close,
    .yajl_start_array = on_array_open,
    .yajl_end_array = on_array_close,
};

/* --- life -------------------------------------------------------------------------------*/

/* "a.b" to its names. */
static bool at_split(struct cli_records *r, const char *at)
{
    while (at) {
        size_t length = strcspn(at, ".");
        if (r->at_count == AT_MAX) return false;
        struct cli_text *name = &r->at[r->at_count++];
        cli_text_add(name, at, length);
        if (name->failed) return false;
        at = at[length] ? at + length + 1 : NULL;
    }
    return true;
}

struct cli_records *cli_records_create(enum cli_layout layout, const char *at, struct cli_key *key,
                                       cli_record_cb record, void *context)
{
    struct cli_records *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->layout = at ? CLI_LAYOUT_MEMBER : layout;
    r->key = key;
    r->record = record;
    r->context = context;
    r->line = r->number = 1;
    r->value = cairn_args_create();
    r->yajl = yajl_alloc(&callbacks, NULL, r);
    if (!r->value || !r->yajl || !at_split(r, at)) {
        cli_records_destroy(r);
        return NULL;
    }
    yajl_config(r->yajl, yajl_allow_multiple_values, 1);
    return r;
}

void cli_records_destroy(struct cli_records *r)
{
    if (!r) return;
    if (r->yajl) yajl_free(r->yajl);
    cairn_args_destroy(r->value);
    for (unsigned i = 0; i < r->at_count; i++) cli_text_close(&r->at[i]);
    cli_text_close(&r->name);
    free(r);
}

/* yajl's own complaint, without the newline at its end. */
static void yajl_failed(struct cli_records *r)
{
    unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
    if (r->error[0] == 0 && text)
        fail(r, "%.*s", (int)strcspn((const char *)text, "\n"), (const char *)text);
    if (text) yajl_free_error(r->yajl, text);
}

bool cli_records_feed(struct cli_records *r, const char *data, size_t length)
{
    r->piece = data;
    r->counted = 0;
    yajl_status status = yajl_parse(r->yajl, (const unsigned char *)data, length);
    size_t used = yajl_get_bytes_consumed(r->yajl);
    count_lines(r, status == yajl_status_ok || used > length ? length : used);
    if (status == yajl_status_error) yajl_failed(r);
    return status == yajl_status_ok;
}

bool cli_records_finish(struct cli_records *r)
{
    r->piece = "";
    r->counted = 0;
    if (r->layout == CLI_LAYOUT_AUTO) return true; /* nothing in it */
    yajl_status status = yajl_complete_parse(r->yajl);
    if (status == yajl_status_error) yajl_failed(r);
    if (status != yajl_status_ok) return false;
    if (r->inner > 0 || r->outer > 0 || r->skipping > 0)
        return fail(r, "the file ends in the middle of a value");
    if (r->layout == CLI_LAYOUT_MEMBER && !r->found)
        return fail(r, r->at_count > 0 ? "there is no member as --at names it"
                                       : "no member of the object is an array; if each line is "
                                         "a record, --format jsonl says so");
    return true;
}

const char *cli_records_error(const struct cli_records *r)
{
    return r->error;
}

uint64_t cli_records_number(const struct cli_records *r)
{
    return r->number;
}

uint64_t cli_records_begin(const struct cli_records *r)
{
    return r->inner > 0 ? r->begin : 0;
}

uint64_t cli_records_line(const struct cli_records *r)
{
    return r->line;
}
