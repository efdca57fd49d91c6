/* decoder.c - a resumable MessagePack decoder, driven by a table of first bytes.
 *
 * The first byte of an item tells how long its *head* is: that byte, its operand (a number,
 * a length or a count) and the type of an extension; 1 to 9 bytes in all. Whatever follows
 * a head is the body of a text or the items of a container. So between two feeds there is
 * little to keep: a head of which some bytes are missing (`carry`), or how much of a text is
 * still to come (`text_left`), and how many items each open container still wants (`open`).
 *
 * Workload: many small messages that lie in one buffer. Then heads are read in place,
 * texts are handed over in one call, and the only memory touched is the buffer and `open`.
 *
 * msgpack-c's unpack template was looked at and left alone. It reads a text only when
 * all of it lies in the buffer, so that streaming would mean setting its private state by
 * hand and feeding it invented bytes; it has no call for the head of a text, where the budget
 * must be charged, nor for the end of a container, so that items would be counted twice;
 * the length of an ext 32 wraps at 2^32 - 1; split numbers need a carry all the same; and each
 * level of nesting takes 24 bytes in every decoder. What would remain of it is the table below.
 *
 * Invariants. `elements_left` and `bytes_left` were reduced before anything that they paid
 * for was announced to the sink. A container on the stack wants at least one more item. */
#include "protocol/decoder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum op {
    OP_MALFORMED,
    OP_NIL,
    OP_FALSE,
    OP_TRUE,
    OP_UNSIGNED,
    OP_SIGNED,
    OP_FLOAT,
    OP_DOUBLE,
    OP_STR,
    OP_BIN,
    OP_EXT,
    OP_FIXEXT,
    OP_ARRAY,
    OP_MAP,
};

#define HEAD_BYTES_MAX 9

/* What a first byte says. The operand is the big-endian number of `width` bytes that
 * follows; or, when `width` is 0, `mask` of the first byte itself. */
static const struct first_byte {
    uint8_t op;
    uint8_t head_bytes;
    uint8_t width;
    uint8_t mask;
} first_bytes[256] = {
    [0x00 ... 0x7f] = {OP_UNSIGNED, 1, 0, 0x7f},
    [0x80 ... 0x8f] = {OP_MAP, 1, 0, 0x0f},
    [0x90 ... 0x9f] = {OP_ARRAY, 1, 0, 0x0f},
    [0xa0 ... 0xbf] = {OP_STR, 1, 0, 0x1f},
    [0xc0] = {OP_NIL, 1, 0, 0},
    [0xc1] = {OP_MALFORMED, 1, 0, 0},
    [0xc2] = {OP_FALSE, 1, 0, 0},
    [0xc3] = {OP_TRUE, 1, 0, 0},
    [0xc4] = {OP_BIN, 2, 1, 0},
    [0xc5] = {OP_BIN, 3, 2, 0},
    [0xc6] = {OP_BIN, 5, 4, 0},
    [0xc7] = {OP_EXT, 3, 1, 0},
    [0xc8] = {OP_EXT, 4, 2, 0},
    [0xc9] = {OP_EXT, 6, 4, 0},
    [0xca] = {OP_FLOAT, 5, 4, 0},
    [0xcb] = {OP_DOUBLE, 9, 8, 0},
    [0xcc] = {OP_UNSIGNED, 2, 1, 0},
    [0xcd] = {OP_UNSIGNED, 3, 2, 0},
    [0xce] = {OP_UNSIGNED, 5, 4, 0},
    [0xcf] = {OP_UNSIGNED, 9, 8, 0},
    [0xd0] = {OP_SIGNED, 2, 1, 0},
    [0xd1] = {OP_SIGNED, 3, 2, 0},
    [0xd2] = {OP_SIGNED, 5, 4, 0},
    [0xd3] = {OP_SIGNED, 9, 8, 0},
    [0xd4 ... 0xd8] = {OP_FIXEXT, 2, 0, 0x0f}, /* operands 4 to 8, for 2^(n-4) bytes */
    [0xd9] = {OP_STR, 2, 1, 0},
    [0xda] = {OP_STR, 3, 2, 0},
    [0xdb] = {OP_STR, 5, 4, 0},
    [0xdc] = {OP_ARRAY, 3, 2, 0},
    [0xdd] = {OP_ARRAY, 5, 4, 0},
    [0xde] = {OP_MAP, 3, 2, 0},
    [0xdf] = {OP_MAP, 5, 4, 0},
    [0xe0 ... 0xff] = {OP_SIGNED, 1, 0, 0xff},
};

/* An open container: the number of items still to come, times two, plus one for a map. */
#define OPEN_MAP 1u
#define OPEN_ITEM 2u

struct decoder {
    struct decoder_sink sink;
    void *context;
    struct decoder_limits limits;
    /* The message under way. */
    int failed; /* the error that ended it, or 0 */
    unsigned depth;
    unsigned depth_max;
    uint64_t bytes_left;
    uint64_t elements_left;
    bool in_text;
    uint8_t carry_bytes;
    unsigned char carry[HEAD_BYTES_MAX];
    uint64_t text_left;
    uint64_t open[DECODER_DEPTH_MAX + DECODER_ENVELOPE_DEPTH];
};

/* --- life --------------------------------------------------------------------------------*/

static void message_start(struct decoder *d)
{
    d->failed = 0;
    d->depth = 0;
    d->in_text = false;
    d->carry_bytes = 0;
    d->depth_max = d->limits.depth_max;
    d->bytes_left = d->limits.bytes_max;
    d->elements_left = d->limits.elements_max;
}

struct decoder *decoder_create(const struct decoder_sink *sink, void *context,
                               const struct decoder_limits *limits)
{
    struct decoder *d = malloc(sizeof *d);
    if (!d) return NULL;
    d->sink = *sink;
    d->context = context;
    assert(limits->depth_max <= DECODER_DEPTH_MAX + DECODER_ENVELOPE_DEPTH);
    d->limits = *limits;
    message_start(d);
    return d;
}

void decoder_destroy(struct decoder *d)
{
    free(d);
}

void decoder_reset(struct decoder *d)
{
    message_start(d);
}

bool decoder_at_start(const struct decoder *d)
{
    return d->depth == 0 && !d->in_text && d->carry_bytes == 0 && d->failed == 0;
}

void decoder_limits_set(struct decoder *d, const struct decoder_limits *limits)
{
    assert(limits->depth_max <= DECODER_DEPTH_MAX + DECODER_ENVELOPE_DEPTH);
    d->limits = *limits;
    if (decoder_at_start(d)) message_start(d);
}

/* --- items ------------------------------------------------------------------------------*/

static uint64_t load_operand(const unsigned char *head, const struct first_byte *first)
{
    const unsigned char *p = head + 1;
    switch (first->width) {
    case 0: return head[0] & first->mask;
    case 1: return p[0];
    case 2: return (uint64_t)p[0] << 8 | p[1];
    case 4: break;
    default:
        return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
               (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
               (uint64_t)p[6] << 8 | p[7];
    }
    return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

static int item_unsigned(struct decoder *d, uint64_t number)
{
    if (number > INT64_MAX) return d->sink.unsigned_integer(d->context, number);
    return d->sink.integer(d->context, (int64_t)number);
}

/* A negative fixint is a signed byte that is its own operand. */
static int item_signed(struct decoder *d, uint64_t operand, unsigned width)
{
    unsigned shift = 64 - 8 * (width ? width : 1);
    return d->sink.integer(d->context, (int64_t)(operand << shift) >> shift);
}

static int item_float(struct decoder *d, uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return d->sink.real(d->context, (double)number);
}

static int item_double(struct decoder *d, uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return d->sink.real(d->context, number);
}

/* The head of a text was read: hands the text over when all of it is there. */
static int text_start(struct decoder *d, enum decoder_text type, int8_t ext_type,
                      uint64_t length, const unsigned char **next, const unsigned char *end)
{
    if (length > d->bytes_left) return DECODER_LIMIT_BYTES;
    d->bytes_left -= length;
    const char *data = (const char *)*next;
    if (length <= (uint64_t)(end - *next)) {
        *next += length;
        return d->sink.text(d->context, type, ext_type, data, length);
    }
    d->in_text = true;
    d->text_left = length;
    return d->sink.text_open(d->context, type, ext_type, length);
}

/* The type of an extension is the last byte of its head. */
static int ext_start(struct decoder *d, const unsigned char *head, uint64_t length,
                     const unsigned char **next, const unsigned char *end)
{
    int8_t type = (int8_t)head[first_bytes[*head].head_bytes - 1];
    return text_start(d, DECODER_EXT, type, length, next, end);
}

/* Hands over what there is of a text that came in parts. */
static int text_continue(struct decoder *d, const unsigned char **next,
                         const unsigned char *end)
{
    size_t part = (size_t)(end - *next);
    if (part > d->text_left) part = (size_t)d->text_left;
    const char *data = (const char *)*next;
    *next += part;
    d->text_left -= part;
    int status = d->sink.text_data(d->context, data, part);
    if (status < 0 || d->text_left > 0) return status;
    d->in_text = false;
    return d->sink.text_close(d->context);
}

static int container_end(struct decoder *d)
{
    uint64_t open = d->open[--d->depth];
    return open & OPEN_MAP ? d->sink.map_close(d->context) : d->sink.array_close(d->context);
}

/* All items of the container are paid for here, so that items need not count themselves. */
static int container_start(struct decoder *d, uint64_t items, unsigned map)
{
    if (d->depth >= d->depth_max) return DECODER_LIMIT_DEPTH;
    if (items > d->elements_left) return DECODER_LIMIT_ELEMENTS;
    d->elements_left -= items;
    d->open[d->depth++] = items * OPEN_ITEM | map;
    int status = map ? d->sink.map_open(d->context, items / 2) :
                       d->sink.array_open(d->context, items);
    if (status < 0 || items > 0) return status;
    return container_end(d);
}

/* One item whose head is complete; `next` stands behind the head, and moves on over a text. */
static int item(struct decoder *d, const unsigned char *head, const unsigned char **next,
                const unsigned char *end)
{
    const struct first_byte *first = &first_bytes[*head];
    uint64_t operand = load_operand(head, first);
    switch ((enum op)first->op) {
    case OP_NIL: return d->sink.nil(d->context);
    case OP_FALSE: return d->sink.boolean(d->context, false);
    case OP_TRUE: return d->sink.boolean(d->context, true);
    case OP_UNSIGNED: return item_unsigned(d, operand);
    case OP_SIGNED: return item_signed(d, operand, first->width);
    case OP_FLOAT: return item_float(d, (uint32_t)operand);
    case OP_DOUBLE: return item_double(d, operand);
    case OP_STR: return text_start(d, DECODER_STR, 0, operand, next, end);
    case OP_BIN: return text_start(d, DECODER_BIN, 0, operand, next, end);
    case OP_EXT: return ext_start(d, head, operand, next, end);
    case OP_FIXEXT: return ext_start(d, head, UINT64_C(1) << (operand - 4), next, end);
    case OP_ARRAY: return container_start(d, operand, 0);
    case OP_MAP: return container_start(d, 2 * operand, OPEN_MAP);
    case OP_MALFORMED: break;
    }
    return DECODER_MALFORMED;
}

/* An item is complete: ends the containers that are complete with it. */
static int item_end(struct decoder *d)
{
    while (d->depth > 0) {
        uint64_t *open = &d->open[d->depth - 1];
        *open -= OPEN_ITEM;
        if (*open >= OPEN_ITEM) return DECODER_MORE;
        int status = container_end(d);
        if (status < 0) return status;
    }
    return DECODER_DONE;
}

/* --- bytes ------------------------------------------------------------------------------*/

/* Pays for a head, and for the outermost item, which no container has paid for. */
static int head_charge(struct decoder *d, unsigned head_bytes)
{
    if (head_bytes > d->bytes_left) return DECODER_LIMIT_BYTES;
    d->bytes_left -= head_bytes;
    if (d->depth > 0) return 0;
    if (d->elements_left == 0) return DECODER_LIMIT_ELEMENTS;
    d->elements_left--;
    return 0;
}

/* A complete head, in the buffer or else put together in the carry; NULL when bytes are
 * missing or the budget is spent, with *status. */
static const unsigned char *head_take(struct decoder *d, const unsigned char **next,
                                      const unsigned char *end, int *status)
{
    const unsigned char *head = d->carry_bytes ? d->carry : *next;
    *status = DECODER_MORE;
    if (*next == end) return NULL;
    size_t head_bytes = first_bytes[*head].head_bytes;
    if (d->carry_bytes == 0) {
        *status = head_charge(d, (unsigned)head_bytes);
        if (*status < 0) return NULL;
        if ((size_t)(end - *next) >= head_bytes) {
            *next += head_bytes;
            return head;
        }
    }
    while (d->carry_bytes < head_bytes) {
        if (*next == end) return NULL;
        d->carry[d->carry_bytes++] = *(*next)++;
    }
    d->carry_bytes = 0;
    return d->carry;
}

static int feed(struct decoder *d, const unsigned char **next, const unsigned char *end)
{
    for (;;) {
        int status;
        if (d->in_text) {
            if (*next == end) return DECODER_MORE;
            status = text_continue(d, next, end);
            if (status < 0) return status;
            if (d->in_text) continue;
        } else {
            const unsigned char *head = head_take(d, next, end, &status);
            if (!head) return status;
            unsigned depth = d->depth;
            status = item(d, head, next, end);
            if (status < 0) return status;
            if (d->in_text || d->depth > depth) continue;
        }
        status = item_end(d);
        if (status != DECODER_MORE) return status;
    }
}

int decoder_feed(struct decoder *d, const char *data, size_t length, size_t *used)
{
    const unsigned char *next = (const unsigned char *)data;
    int status = d->failed ? d->failed : feed(d, &next, next + length);
    if (status == DECODER_DONE) message_start(d);
    if (status < 0) d->failed = status;
    *used = (size_t)(next - (const unsigned char *)data);
    return status;
}
