/* build_set.c - sets in requests: extension type 4, whose payload is an array of the members.
 *
 * A set may be as long as a request, so its payload is decoded as it arrives, by a decoder of its
 * own, and the members go straight into the set on top of the frame. Each is charged to the
 * message's budget of elements as those of an array are. */
#include <errno.h>
#include <string.h>

#include "heap/number.h"
#include "heap/set.h"
#include "protocol/decoder.h"
#include "server/build_int.h"

#define SET_STOP -1 /* the builder has failed */

enum set_progress { SET_EMPTY, SET_OPEN, SET_CLOSED };

static int set_fail(struct builder *b, const char *what)
{
    builder_fail(b, ERROR_BAD_PARAMS,
                 "the payload of a SET is one array of members (strings, bytes, integers, floats "
                 "and booleans); this one has %s",
                 what);
    return SET_STOP;
}

static int set_add(struct builder *b, const struct map_key *key)
{
    if (b->set_progress != SET_OPEN) return set_fail(b, "no array");
    int status = set_include(b->heap, b->frame.slots[b->frame.count - 1], key);
    if (status >= 0) return 0;
    builder_no_memory(b);
    return SET_STOP;
}

/* A number or boolean; it is copied where it is kept. */
static int set_add_scalar(struct builder *b, value v)
{
    struct map_key key;
    if (v == VALUE_ABSENT) {
        builder_no_memory(b);
        return SET_STOP;
    }
    int status = map_key_value(b->heap, &key, v);
    status = status < 0 ? set_fail(b, "something else in it") : set_add(b, &key);
    value_release(b->heap, v);
    return status;
}

static int set_nil(void *context) { return set_fail(context, "nil in it"); }
static int set_boolean(void *context, bool v) { return set_add_scalar(context, value_bool(v)); }
static int set_integer(void *context, int64_t i)
{
    struct builder *b = context;
    return set_add_scalar(b, number_from_int64(b->heap, i));
}
static int set_unsigned(void *context, uint64_t u)
{
    struct builder *b = context;
    return set_add_scalar(b, number_from_uint64(b->heap, u));
}
static int set_real(void *context, double d)
{
    struct builder *b = context;
    return set_add_scalar(b, number_from_double(b->heap, d));
}

static int set_check_text(struct builder *b, enum decoder_text type, size_t length)
{
    if (type == DECODER_EXT) return set_fail(b, "an extension value in it");
    if (length <= MAP_KEY_BYTES_MAX) return 0;
    builder_fail(b, ERROR_LIMIT, "a member of a set has %zu bytes; the limit is %zu", length,
                 (size_t)MAP_KEY_BYTES_MAX);
    return SET_STOP;
}

static int set_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                    size_t length)
{
    struct builder *b = context;
    struct map_key key;
    (void)ext_type;
    if (set_check_text(b, type, length) < 0) return SET_STOP;
    map_key_text(b->heap, &key, data, length);
    return set_add(b, &key);
}

static int set_text_open(void *context, enum decoder_text type, int8_t ext_type, size_t length)
{
    struct builder *b = context;
    (void)ext_type;
    b->ext_length = 0;
    return set_check_text(b, type, length);
}

static int set_text_data(void *context, const char *data, size_t length)
{
    struct builder *b = context;
    if (!builder_grow(&b->ext_data, &b->ext_capacity, b->ext_length + length, 1)) {
        builder_no_memory(b);
        return SET_STOP;
    }
    memcpy(b->ext_data + b->ext_length, data, length);
    b->ext_length += length;
    return 0;
}

static int set_text_close(void *context)
{
    struct builder *b = context;
    return set_text(b, DECODER_STR, 0, b->ext_data, b->ext_length);
}

static int set_array_open(void *context, size_t count)
{
    struct builder *b = context;
    if (b->set_progress != SET_EMPTY) return set_fail(b, "a list in it");
    b->set_progress = SET_OPEN;
    if (rpc_reader_charge(b->reader, count)) return 0;
    builder_fail(b, ERROR_LIMIT,
                 "a set of %zu members passes the limit on items (request-elements)",
                 count);
    return SET_STOP;
}

static int set_array_close(void *context)
{
    struct builder *b = context;
    b->set_progress = SET_CLOSED;
    return 0;
}

static int set_map_open(void *context, size_t count)
{
    (void)count;
    return set_fail(context, "a map in it");
}
static int set_map_close(void *context)
{
    (void)context;
    return 0;
}

static const struct decoder_sink set_sink = {
    .nil = set_nil,
    .boolean = set_boolean,
    .integer = set_integer,
    .unsigned_integer = set_unsigned,
    .real = set_real,
    .text = set_text,
    .text_open = set_text_open,
    .text_data = set_text_data,
    .text_close = set_text_close,
    .array_open = set_array_open,
    .array_close = set_array_close,
    .map_open = set_map_open,
    .map_close = set_map_close,
};

int builder_set_open(struct builder *b, size_t length)
{
    /* The members were charged as bytes already; a list in the array is told from the array. */
    struct decoder_limits limits = {.bytes_max = length, .elements_max = length, .depth_max = 2};
    if (b->set_decoder == NULL) b->set_decoder = decoder_create(&set_sink, b, &limits);
    if (b->set_decoder == NULL) return builder_no_memory(b);
    decoder_reset(b->set_decoder);
    decoder_limits_set(b->set_decoder, &limits);
    b->set_progress = SET_EMPTY;
    builder_push_container(b, set_new(b->heap));
    return 0;
}

int builder_set_data(struct builder *b, const char *data, size_t length)
{
    size_t used = 0;
    if (b->set_progress == SET_CLOSED) {
        if (length > 0) set_fail(b, "more behind it");
        return 0;
    }
    int status = decoder_feed(b->set_decoder, data, length, &used);
    if (b->failed) return 0;
    if (status < 0) set_fail(b, "an error in it, or is cut short");
    else if (used < length) set_fail(b, "more behind it");
    return 0;
}

int builder_set_close(struct builder *b)
{
    if (b->set_progress != SET_CLOSED) {
        set_fail(b, "an error in it, or is cut short");
        return 0;
    }
    return builder_item_done(b);
}
