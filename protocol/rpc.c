/* rpc.c - takes the envelope of MessagePack-RPC messages apart.
 *
 * The reader is the decoder's sink. It counts open containers to know where it is:
 *
 *     depth 0        the message itself, which should be an array of 3 or 4
 *     depth 1        the fields of the envelope
 *     depth 2, …     contents of a request or notification (the items of params),
 *                    or of fields that are not what they should be
 *
 * The contents of a response begin at depth 1 already, with its third field. `forward` is
 * true exactly while contents are met that the receiver wants: then every call goes straight
 * on to its sink. In all other places an item is either a field, or nobody's business.
 *
 * A fault is noted, and the first one stays. Reading goes on, so that a msgid that comes
 * later is still found and the next message begins where it should. */
#include "protocol/rpc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct rpc_reader {
    struct decoder *decoder;
    struct rpc_sink sink;
    void *context;
    unsigned depth_max;
    bool ended; /* the next byte begins a message */
    /* The message under way. */
    bool forward;
    bool skip;
    bool in_method;          /* its text arrives in parts */
    unsigned depth;          /* open containers */
    unsigned contents_depth; /* `depth` at the first item of the contents */
    unsigned field_index;    /* of the next field */
    size_t field_count;
    struct rpc_message message;
};

#define FIELDS_MAX 4
enum field { FIELD_TYPE, FIELD_MSGID, FIELD_METHOD, FIELD_PARAMS, FIELD_OTHER };

const char *rpc_fault_text(enum rpc_fault fault)
{
    switch (fault) {
    case RPC_FAULT_NONE: break;
    case RPC_FAULT_NOT_ARRAY: return "a message is an array of 3 or 4 items";
    case RPC_FAULT_TYPE:
        return "the first item must be 0 (request) or 1 (response) with 4 items in all, "
               "or 2 (notification) with 3";
    case RPC_FAULT_MSGID: return "the msgid must be an integer from 0 to 4294967295";
    case RPC_FAULT_METHOD: return "the method must be a string of 1 to 64 bytes";
    case RPC_FAULT_PARAMS: return "the params must be an array";
    }
    return "the message is well-formed";
}
_Static_assert(RPC_METHOD_BYTES_MAX == 64, "rpc_fault_text names it");

/* --- the envelope -----------------------------------------------------------------------*/

static void message_start(struct rpc_reader *r)
{
    r->ended = false;
    r->forward = false;
    r->skip = false;
    r->in_method = false;
    r->depth = 0;
    r->contents_depth = 2;
    r->field_index = 0;
    r->field_count = 0;
    r->message.type = RPC_REQUEST;
    r->message.has_msgid = false;
    r->message.msgid = 0;
    r->message.method[0] = '\0';
    r->message.method_length = 0;
    r->message.fault = RPC_FAULT_NONE;
}

static void fault(struct rpc_reader *r, enum rpc_fault fault)
{
    if (r->message.fault == RPC_FAULT_NONE) r->message.fault = fault;
}

/* What the field at hand should be; counts it. */
static enum field field_next(struct rpc_reader *r)
{
    static const enum field fields[][FIELDS_MAX] = {
        [RPC_REQUEST] = {FIELD_TYPE, FIELD_MSGID, FIELD_METHOD, FIELD_PARAMS},
        [RPC_RESPONSE] = {FIELD_TYPE, FIELD_MSGID, FIELD_OTHER, FIELD_OTHER},
        [RPC_NOTIFICATION] = {FIELD_TYPE, FIELD_METHOD, FIELD_PARAMS, FIELD_OTHER},
    };
    unsigned index = r->field_index;
    if (index >= FIELDS_MAX) return FIELD_OTHER;
    r->field_index++;
    return fields[r->message.type][index];
}

/* The field is of another type than it should be. */
static void field_misfit(struct rpc_reader *r, enum field field)
{
    static const enum rpc_fault faults[] = {
        [FIELD_TYPE] = RPC_FAULT_TYPE,
        [FIELD_MSGID] = RPC_FAULT_MSGID,
        [FIELD_METHOD] = RPC_FAULT_METHOD,
        [FIELD_PARAMS] = RPC_FAULT_PARAMS,
        [FIELD_OTHER] = RPC_FAULT_NONE,
    };
    if (field != FIELD_OTHER) fault(r, faults[field]);
}

/* The contents begin with the next item. */
static int contents_start(struct rpc_reader *r, size_t count)
{
    if (r->message.fault != RPC_FAULT_NONE || r->skip) return 0;
    r->forward = true;
    return r->sink.begin(r->context, &r->message, count);
}

static void field_type(struct rpc_reader *r, uint64_t type)
{
    if (type > RPC_NOTIFICATION) {
        fault(r, RPC_FAULT_TYPE);
        return;
    }
    r->message.type = (enum rpc_type)type;
    if (type == RPC_RESPONSE) r->contents_depth = 1;
    if (r->field_count != (type == RPC_NOTIFICATION ? 3 : 4)) fault(r, RPC_FAULT_TYPE);
}

static int field_msgid(struct rpc_reader *r, uint64_t msgid)
{
    if (msgid > UINT32_MAX) {
        fault(r, RPC_FAULT_MSGID);
        return 0;
    }
    r->message.msgid = (uint32_t)msgid;
    r->message.has_msgid = true;
    return r->message.type == RPC_RESPONSE ? contents_start(r, 2) : 0;
}

/* --- items that are no contents ---------------------------------------------------------*/

/* Something that is nowhere right in an envelope. If it is the message itself (a map,
 * perhaps), then what it holds are no fields. */
static int envelope_item(struct rpc_reader *r)
{
    if (r->depth == 0) {
        fault(r, RPC_FAULT_NOT_ARRAY);
        r->field_index = FIELDS_MAX;
    } else if (r->depth == 1) {
        field_misfit(r, field_next(r));
    }
    return 0;
}

/* Negative integers come as numbers above INT64_MAX, which are too large wherever they
 * stand. */
static int envelope_integer(struct rpc_reader *r, uint64_t number)
{
    if (r->depth != 1) return envelope_item(r);
    enum field field = field_next(r);
    switch (field) {
    case FIELD_TYPE: field_type(r, number); return 0;
    case FIELD_MSGID: return field_msgid(r, number);
    default: field_misfit(r, field); return 0;
    }
}

/* True if the text is the name of a method, to be kept. */
static bool envelope_text(struct rpc_reader *r, enum decoder_text type, size_t length)
{
    if (r->depth != 1) {
        envelope_item(r);
        return false;
    }
    enum field field = field_next(r);
    bool fits = field == FIELD_METHOD && type != DECODER_EXT && length >= 1 &&
                length <= RPC_METHOD_BYTES_MAX;
    if (!fits) field_misfit(r, field);
    return fits;
}

static int method_append(struct rpc_reader *r, const char *data, size_t length)
{
    struct rpc_message *m = &r->message;
    assert(length <= RPC_METHOD_BYTES_MAX - m->method_length);
    memcpy(m->method + m->method_length, data, length);
    m->method_length += length;
    m->method[m->method_length] = '\0';
    return 0;
}

static int envelope_array(struct rpc_reader *r, size_t count)
{
    unsigned depth = r->depth++;
    if (depth == 0) {
        r->field_count = count;
        if (count != 3 && count != 4) fault(r, RPC_FAULT_NOT_ARRAY);
    } else if (depth == 1) {
        enum field field = field_next(r);
        if (field == FIELD_PARAMS) return contents_start(r, count);
        field_misfit(r, field);
    }
    return 0;
}

/* True while the container that just closed was one of the contents. */
static bool container_close(struct rpc_reader *r)
{
    r->depth--;
    if (r->depth < r->contents_depth) r->forward = false;
    return r->forward;
}

/* --- the decoder's sink -----------------------------------------------------------------*/

static int on_nil(void *context)
{
    struct rpc_reader *r = context;
    return r->forward ? r->sink.items.nil(r->context) : envelope_item(r);
}

static int on_boolean(void *context, bool value)
{
    struct rpc_reader *r = context;
    return r->forward ? r->sink.items.boolean(r->context, value) : envelope_item(r);
}

static int on_integer(void *context, int64_t value)
{
    struct rpc_reader *r = context;
    return r->forward ? r->sink.items.integer(r->context, value) :
                        envelope_integer(r, (uint64_t)value);
}

static int on_unsigned_integer(void *context, uint64_t value)
{
    struct rpc_reader *r = context;
    return r->forward ? r->sink.items.unsigned_integer(r->context, value) :
                        envelope_integer(r, value);
}

static int on_real(void *context, double value)
{
    struct rpc_reader *r = context;
    return r->forward ? r->sink.items.real(r->context, value) : envelope_item(r);
}

static int on_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                   size_t length)
{
    struct rpc_reader *r = context;
    if (r->forward) return r->sink.items.text(r->context, type, ext_type, data, length);
    return envelope_text(r, type, length) ? method_append(r, data, length) : 0;
}

static int on_text_open(void *context, enum decoder_text type, int8_t ext_type, size_t length)
{
    struct rpc_reader *r = context;
    if (r->forward) return r->sink.items.text_open(r->context, type, ext_type, length);
    r->in_method = envelope_text(r, type, length);
    return 0;
}

static int on_text_data(void *context, const char *data, size_t length)
{
    struct rpc_reader *r = context;
    if (r->forward) return r->sink.items.text_data(r->context, data, length);
    return r->in_method ? method_append(r, data, length) : 0;
}

static int on_text_close(void *context)
{
    struct rpc_reader *r = context;
    if (r->forward) return r->sink.items.text_close(r->context);
    r->in_method = false;
    return 0;
}

static int on_array_open(void *context, size_t count)
{
    struct rpc_reader *r = context;
    if (r->depth >= r->contents_depth + r->depth_max) return DECODER_LIMIT_DEPTH;
    if (!r->forward) return envelope_array(r, count);
    r->depth++;
    return r->sink.items.array_open(r->context, count);
}

static int on_array_close(void *context)
{
    struct rpc_reader *r = context;
    return container_close(r) ? r->sink.items.array_close(r->context) : 0;
}

static int on_map_open(void *context, size_t count)
{
    struct rpc_reader *r = context;
    if (r->depth >= r->contents_depth + r->depth_max) return DECODER_LIMIT_DEPTH;
    if (!r->forward) envelope_item(r);
    r->depth++;
    return r->forward ? r->sink.items.map_open(r->context, count) : 0;
}

static int on_map_close(void *context)
{
    struct rpc_reader *r = context;
    return container_close(r) ? r->sink.items.map_close(r->context) : 0;
}

static int on_rows(void *context, const char *data, size_t length)
{
    struct rpc_reader *r = context;
    return r->forward ? r->sink.items.rows(r->context, data, length) : 0;
}

static const struct decoder_sink reader_sink = {
    .nil = on_nil,
    .boolean = on_boolean,
    .integer = on_integer,
    .unsigned_integer = on_unsigned_integer,
    .real = on_real,
    .text = on_text,
    .text_open = on_text_open,
    .text_data = on_text_data,
    .text_close = on_text_close,
    .array_open = on_array_open,
    .array_close = on_array_close,
    .map_open = on_map_open,
    .map_close = on_map_close,
    .rows = on_rows,
};

/* --- the reader -------------------------------------------------------------------------*/

struct rpc_reader *rpc_reader_create(const struct rpc_sink *sink, void *context,
                                     const struct decoder_limits *limits)
{
    assert(limits->depth_max <= DECODER_DEPTH_MAX);
    struct rpc_reader *r = malloc(sizeof *r);
    if (!r) return NULL;
    struct decoder_limits whole = *limits;
    whole.depth_max += DECODER_ENVELOPE_DEPTH;
    r->decoder = decoder_create(&reader_sink, r, &whole);
    if (!r->decoder) {
        free(r);
        return NULL;
    }
    r->sink = *sink;
    r->context = context;
    r->depth_max = limits->depth_max;
    message_start(r);
    r->ended = true;
    return r;
}

void rpc_reader_destroy(struct rpc_reader *r)
{
    if (!r) return;
    decoder_destroy(r->decoder);
    free(r);
}

int rpc_reader_feed(struct rpc_reader *r, const char *data, size_t length, size_t *used)
{
    if (r->ended && length > 0) message_start(r);
    int status = decoder_feed(r->decoder, data, length, used);
    if (status == DECODER_DONE) r->ended = true;
    return status;
}

const struct rpc_message *rpc_reader_message(const struct rpc_reader *r)
{
    return &r->message;
}

void rpc_reader_skip(struct rpc_reader *r)
{
    r->skip = true;
    r->forward = false;
}

void rpc_reader_take_rows(struct rpc_reader *r)
{
    decoder_take_rows(r->decoder);
}

bool rpc_reader_charge(struct rpc_reader *r, size_t elements)
{
    return decoder_charge(r->decoder, elements);
}

bool rpc_reader_at_start(const struct rpc_reader *r)
{
    return r->ended;
}
