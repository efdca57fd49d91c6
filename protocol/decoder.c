/* decoder.c - a resumable MessagePack decoder.
 *
 * The first byte of an item tells how long its *head* is: that byte, its operand (a number,
 * a length or a count) and the type of an extension; 1 to 9 bytes in all. Whatever follows
 * a head is the body of a text or the items of a container. So between two feeds there is
 * little to keep: a head of which some bytes are missing (`carry`), or how much of a text is
 * still to come (`text_left`), and how many items each open container still wants (`outer`, and
 * `open` for the innermost).
 *
 * Workload: many small messages that lie in one buffer, most of their heads one byte long.
 * Heads are read in place and texts handed over in one call. One-byte heads are told apart by
 * comparisons and longer ones by a table: so the processor can guess where the next
 * item begins, and need not wait for a table to say so.
 *
 * msgpack-c's unpack template was looked at and left alone. It reads a text only when
 * all of it lies in the buffer, so that streaming would mean setting its private state by
 * hand and feeding it invented bytes; it has no call for the head of a text, where the budget
 * must be charged, nor for the end of a container, so that items would be counted twice;
 * the length of an ext 32 wraps at 2^32 - 1; split numbers need a carry all the same; and each
 * level of nesting takes 24 bytes in every decoder. What would remain of it is the table below.
 *
 * Rows (decoder_take_rows) are skipped, not decoded, in a loop of their own: of most items the
 * first byte tells the length. Their bytes are handed over once a feed, or whenever something comes
 * that is announced.
 *
 * Invariants. `elements_left` and `bytes_left` were reduced before anything that they paid
 * for was announced to the sink. A container in `outer` still counts the item that is open inside
 * it, and is never done. */
#include "protocol/decoder.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX 9

/* All that is below works on one item inside the loop of decoder_feed, whose state then
 * stays in registers. Left to itself the compiler makes calls of it, at a third more time. */
#define INLINE static inline __attribute__((always_inline))

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

/* The first bytes 0xc0 to 0xdf. All others are a head by themselves, with an operand of a
 * few bits: see item_short. */
#define LONG_FIRST 0xc0
#define LONG_LAST 0xdf

static const struct head {
    uint8_t op;
    uint8_t bytes;   /* of the whole head */
    uint8_t operand; /* bytes of the big-endian number after the first byte; of a fixext,
                      * the length itself */
} heads[LONG_LAST - LONG_FIRST + 1] = {
    [0xc0 - LONG_FIRST] = {OP_NIL, 1, 0},
    [0xc1 - LONG_FIRST] = {OP_MALFORMED, 1, 0},
    [0xc2 - LONG_FIRST] = {OP_FALSE, 1, 0},
    [0xc3 - LONG_FIRST] = {OP_TRUE, 1, 0},
    [0xc4 - LONG_FIRST] = {OP_BIN, 2, 1},
    [0xc5 - LONG_FIRST] = {OP_BIN, 3, 2},
    [0xc6 - LONG_FIRST] = {OP_BIN, 5, 4},
    [0xc7 - LONG_FIRST] = {OP_EXT, 3, 1},
    [0xc8 - LONG_FIRST] = {OP_EXT, 4, 2},
    [0xc9 - LONG_FIRST] = {OP_EXT, 6, 4},
    [0xca - LONG_FIRST] = {OP_FLOAT, 5, 4},
    [0xcb - LONG_FIRST] = {OP_DOUBLE, 9, 8},
    [0xcc - LONG_FIRST] = {OP_UNSIGNED, 2, 1},
    [0xcd - LONG_FIRST] = {OP_UNSIGNED, 3, 2},
    [0xce - LONG_FIRST] = {OP_UNSIGNED, 5, 4},
    [0xcf - LONG_FIRST] = {OP_UNSIGNED, 9, 8},
    [0xd0 - LONG_FIRST] = {OP_SIGNED, 2, 1},
    [0xd1 - LONG_FIRST] = {OP_SIGNED, 3, 2},
    [0xd2 - LONG_FIRST] = {OP_SIGNED, 5, 4},
    [0xd3 - LONG_FIRST] = {OP_SIGNED, 9, 8},
    [0xd4 - LONG_FIRST] = {OP_FIXEXT, 2, 1},
    [0xd5 - LONG_FIRST] = {OP_FIXEXT, 2, 2},
    [0xd6 - LONG_FIRST] = {OP_FIXEXT, 2, 4},
    [0xd7 - LONG_FIRST] = {OP_FIXEXT, 2, 8},
    [0xd8 - LONG_FIRST] = {OP_FIXEXT, 2, 16},
    [0xd9 - LONG_FIRST] = {OP_STR, 2, 1},
    [0xda - LONG_FIRST] = {OP_STR, 3, 2},
    [0xdb - LONG_FIRST] = {OP_STR, 5, 4},
    [0xdc - LONG_FIRST] = {OP_ARRAY, 3, 2},
    [0xdd - LONG_FIRST] = {OP_ARRAY, 5, 4},
    [0xde - LONG_FIRST] = {OP_MAP, 3, 2},
    [0xdf - LONG_FIRST] = {OP_MAP, 5, 4},
};

static bool head_is_short(unsigned char first)
{
    return first < LONG_FIRST || first > LONG_LAST;
}

/* decoder_take_rows was called, for the array that is being opened. */
#define TAKE_ROWS UINT_MAX

/* An open container: the number of items still to come, times two, plus one for a map. The
 * message itself is, in this, a container of one item. */
#define OPEN_MAP 1u
#define OPEN_ITEM 2u

/* Where in a message we are. */
struct place {
    const unsigned char *next; /* this feed's bytes */
    const unsigned char *end;
    uint64_t bytes_left;
    uint64_t open;  /* the innermost container */
    unsigned depth; /* how many there are around it: outer[0 .. depth) */
};

struct decoder {
    struct decoder_sink sink;
    void *context;
    struct decoder_limits limits;
    /* The message under way. */
    int failed; /* the error that ended it, or 0 */
    unsigned depth_max;
    struct place place; /* between feeds; during one, a copy of it is used */
    uint64_t elements_left;
    uint64_t text_left;
    bool in_text;
    bool in_row_text;    /* the same of a text whose bytes go to sink.rows */
    unsigned rows_depth; /* place.depth inside of the array of rows; 0: there is none */
    uint8_t carry_bytes;
    unsigned char carry[HEAD_BYTES_MAX];
    uint64_t outer[DECODER_DEPTH_MAX + DECODER_ENVELOPE_DEPTH];
};

/* --- life --------------------------------------------------------------------------------*/

static void message_start(struct decoder *d)
{
    d->failed = 0;
    d->depth_max = d->limits.depth_max;
    d->place.bytes_left = d->limits.bytes_max;
    d->place.open = OPEN_ITEM;
    d->place.depth = 0;
    d->in_text = false;
    d->in_row_text = false;
    d->rows_depth = 0;
    d->carry_bytes = 0;
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

bool decoder_charge(struct decoder *d, size_t elements)
{
    if (elements > d->elements_left) return false;
    d->elements_left -= elements;
    return true;
}

void decoder_take_rows(struct decoder *d)
{
    d->rows_depth = TAKE_ROWS;
}

bool decoder_at_start(const struct decoder *d)
{
    return d->place.depth == 0 && !d->in_text && d->carry_bytes == 0 && d->failed == 0;
}

void decoder_limits_set(struct decoder *d, const struct decoder_limits *limits)
{
    assert(limits->depth_max <= DECODER_DEPTH_MAX + DECODER_ENVELOPE_DEPTH);
    d->limits = *limits;
    if (decoder_at_start(d)) message_start(d);
}

/* --- items ------------------------------------------------------------------------------*/

INLINE uint64_t load_operand(const unsigned char *p, unsigned bytes)
{
    switch (bytes) {
    case 0: return 0;
    case 1: return p[0];
    case 2: return (uint64_t)p[0] << 8 | p[1];
    case 4:
        return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
    default:
        return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
               (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
               (uint64_t)p[6] << 8 | p[7];
    }
}

INLINE int item_unsigned(struct decoder *d, uint64_t number)
{
    if (number > INT64_MAX) return d->sink.unsigned_integer(d->context, number);
    return d->sink.integer(d->context, (int64_t)number);
}

INLINE int item_signed(struct decoder *d, uint64_t operand, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;
    return d->sink.integer(d->context, (int64_t)(operand << shift) >> shift);
}

INLINE int item_float(struct decoder *d, uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return d->sink.real(d->context, (double)number);
}

INLINE int item_double(struct decoder *d, uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return d->sink.real(d->context, number);
}

/* The head of a text was read: hands the text over when all of it is there. */
INLINE int text_start(struct decoder *d, struct place *at, enum decoder_text type,
                      int8_t ext_type, uint64_t length)
{
    if (length > at->bytes_left) return DECODER_LIMIT_BYTES;
    at->bytes_left -= length;
    const char *data = (const char *)at->next;
    if (length <= (uint64_t)(at->end - at->next)) {
        at->next += length;
        return d->sink.text(d->context, type, ext_type, data, length);
    }
    d->in_text = true;
    d->text_left = length;
    return d->sink.text_open(d->context, type, ext_type, length);
}

/* Hands over what there is of a text that comes in parts; *whole when that is the rest. */
INLINE int text_continue(struct decoder *d, struct place *at, bool *whole)
{
    size_t part = (size_t)(at->end - at->next);
    if (part > d->text_left) part = (size_t)d->text_left;
    const char *data = (const char *)at->next;
    at->next += part;
    d->text_left -= part;
    int status = d->sink.text_data(d->context, data, part);
    *whole = d->text_left == 0;
    if (status < 0 || !*whole) return status;
    d->in_text = false;
    return d->sink.text_close(d->context);
}

/* All items of the container are paid for here, so that items need not count themselves. An
 * empty one is left open too, for containers_end to close. */
INLINE int container_enter(struct decoder *d, struct place *at, uint64_t items, unsigned map)
{
    if (at->depth >= d->depth_max) return DECODER_LIMIT_DEPTH;
    if (items > d->elements_left) return DECODER_LIMIT_ELEMENTS;
    d->elements_left -= items;
    d->outer[at->depth++] = at->open;
    at->open = items * OPEN_ITEM | map;
    return 0;
}

INLINE int container_start(struct decoder *d, struct place *at, uint64_t items, unsigned map)
{
    int status = container_enter(d, at, items, map);
    if (status < 0) return status;
    if (map) return d->sink.map_open(d->context, items / 2);
    status = d->sink.array_open(d->context, items);
    if (d->rows_depth == TAKE_ROWS) d->rows_depth = at->depth;
    return status;
}

/* An item with a head of one byte, which carries the operand. */
INLINE int item_short(struct decoder *d, struct place *at, unsigned char first)
{
    if (first < 0x80) return d->sink.integer(d->context, first);
    if (first < 0x90) return container_start(d, at, 2 * (uint64_t)(first & 0x0f), OPEN_MAP);
    if (first < 0xa0) return container_start(d, at, first & 0x0f, 0);
    if (first < 0xc0) return text_start(d, at, DECODER_STR, 0, first & 0x1f);
    return d->sink.integer(d->context, (int8_t)first);
}

/* An item with another head, all of which is there. The type of an extension is the last
 * byte of its head. */
INLINE int item_long(struct decoder *d, struct place *at, const unsigned char *bytes)
{
    const struct head *head = &heads[bytes[0] - LONG_FIRST];
    enum op op = (enum op)head->op;
    if (op == OP_EXT || op == OP_FIXEXT) {
        uint64_t length = op == OP_EXT ? load_operand(bytes + 1, head->operand) : head->operand;
        return text_start(d, at, DECODER_EXT, (int8_t)bytes[head->bytes - 1], length);
    }
    uint64_t operand = load_operand(bytes + 1, head->operand);
    switch (op) {
    case OP_NIL: return d->sink.nil(d->context);
    case OP_FALSE: return d->sink.boolean(d->context, false);
    case OP_TRUE: return d->sink.boolean(d->context, true);
    case OP_UNSIGNED: return item_unsigned(d, operand);
    case OP_SIGNED: return item_signed(d, operand, head->operand);
    case OP_FLOAT: return item_float(d, (uint32_t)operand);
    case OP_DOUBLE: return item_double(d, operand);
    case OP_STR: return text_start(d, at, DECODER_STR, 0, operand);
    case OP_BIN: return text_start(d, at, DECODER_BIN, 0, operand);
    case OP_ARRAY: return container_start(d, at, operand, 0);
    case OP_MAP: return container_start(d, at, 2 * operand, OPEN_MAP);
    default: return DECODER_MALFORMED;
    }
}

/* Closes the containers that want nothing more, and counts each as an item of the next. */
INLINE int containers_end(struct decoder *d, struct place *at)
{
    while (at->open < OPEN_ITEM) {
        if (at->depth == 0) return DECODER_DONE;
        bool map = at->open == OPEN_MAP;
        bool row = d->rows_depth > 0 && at->depth == d->rows_depth + 1;
        if (at->depth == d->rows_depth) d->rows_depth = 0;
        at->open = d->outer[--at->depth] - OPEN_ITEM;
        if (row) continue;
        int status = map ? d->sink.map_close(d->context) : d->sink.array_close(d->context);
        if (status < 0) return status;
    }
    return DECODER_MORE;
}

/* --- bytes ------------------------------------------------------------------------------*/

/* Pays for a head, and for the outermost item, which no container has paid for. */
INLINE int head_charge(struct decoder *d, struct place *at, unsigned head_bytes)
{
    if (head_bytes > at->bytes_left) return DECODER_LIMIT_BYTES;
    at->bytes_left -= head_bytes;
    if (at->depth > 0) return 0;
    if (d->elements_left == 0) return DECODER_LIMIT_ELEMENTS;
    d->elements_left--;
    return 0;
}

/* A complete long head, in the buffer or else put together in the carry; NULL when bytes are
 * missing or the budget is spent, with *status. */
INLINE const unsigned char *head_take(struct decoder *d, struct place *at, int *status)
{
    const unsigned char *bytes = d->carry_bytes > 0 ? d->carry : at->next;
    size_t head_bytes = heads[bytes[0] - LONG_FIRST].bytes;
    *status = DECODER_MORE;
    if (d->carry_bytes == 0) {
        *status = head_charge(d, at, (unsigned)head_bytes);
        if (*status < 0) return NULL;
        if ((size_t)(at->end - at->next) >= head_bytes) {
            at->next += head_bytes;
            return bytes;
        }
    }
    while (d->carry_bytes < head_bytes) {
        if (at->next == at->end) return NULL;
        d->carry[d->carry_bytes++] = *at->next++;
    }
    d->carry_bytes = 0;
    return d->carry;
}

/* One item, or as much as there is of it (at least a byte). Returns an error or, with *whole,
 * whether it is complete and to be counted; a container is when it has closed. */
INLINE int item(struct decoder *d, struct place *at, bool *whole)
{
    unsigned depth = at->depth;
    int status;
    *whole = false;
    if (d->carry_bytes == 0 && head_is_short(*at->next)) {
        unsigned char first = *at->next++;
        status = head_charge(d, at, 1);
        if (status < 0) return status;
        status = item_short(d, at, first);
    } else {
        const unsigned char *bytes = head_take(d, at, &status);
        if (!bytes) return status;
        status = item_long(d, at, bytes);
    }
    *whole = !d->in_text && at->depth == depth;
    return status;
}

/* --- rows -------------------------------------------------------------------------------*/

/* By first byte: the bytes of an item that are known from it alone; 0: it takes a closer look. */
static const uint8_t item_bytes[256] = {
    [0x00 ... 0x7f] = 1, /* fixint */
    [0xa0] = 1,  [0xa1] = 2,  [0xa2] = 3,  [0xa3] = 4,  [0xa4] = 5,  [0xa5] = 6,  [0xa6] = 7,
    [0xa7] = 8,  [0xa8] = 9,  [0xa9] = 10, [0xaa] = 11, [0xab] = 12, [0xac] = 13, [0xad] = 14,
    [0xae] = 15, [0xaf] = 16, [0xb0] = 17, [0xb1] = 18, [0xb2] = 19, [0xb3] = 20, [0xb4] = 21,
    [0xb5] = 22, [0xb6] = 23, [0xb7] = 24, [0xb8] = 25, [0xb9] = 26, [0xba] = 27, [0xbb] = 28,
    [0xbc] = 29, [0xbd] = 30, [0xbe] = 31, [0xbf] = 32, /* fixstr */
    [0xc0] = 1,  [0xc2] = 1,  [0xc3] = 1,               /* nil, booleans */
    [0xca] = 5,  [0xcb] = 9,                            /* floats */
    [0xcc] = 2,  [0xcd] = 3,  [0xce] = 5,  [0xcf] = 9,  /* unsigned */
    [0xd0] = 2,  [0xd1] = 3,  [0xd2] = 5,  [0xd3] = 9,  /* signed */
    [0xe0 ... 0xff] = 1, /* negative fixint */
};

enum row_head { HEAD_SCALAR, HEAD_TEXT, HEAD_ARRAY, HEAD_MAP, HEAD_OTHER };

static enum row_head row_head(unsigned char first)
{
    if (head_is_short(first)) {
        if (first < 0x80 || first >= 0xe0) return HEAD_SCALAR;
        return first < 0x90 ? HEAD_MAP : first < 0xa0 ? HEAD_ARRAY : HEAD_TEXT;
    }
    switch (heads[first - LONG_FIRST].op) {
    case OP_STR: case OP_BIN: return HEAD_TEXT;
    case OP_ARRAY: return HEAD_ARRAY;
    case OP_MAP: return HEAD_MAP;
    case OP_EXT: case OP_FIXEXT: case OP_MALFORMED: return HEAD_OTHER;
    default: return HEAD_SCALAR;
    }
}

/* Whether what comes next belongs to rows and is not announced, or is what stands in them. */
INLINE bool at_rows(const struct decoder *d, const struct place *at)
{
    return d->rows_depth > 0 && !d->in_text && at->depth >= d->rows_depth &&
           at->depth <= d->rows_depth + 1;
}

/* Skips up to `*open` items that lie whole before `end` and are told by their first byte. The usual
 * ones are told by comparisons: the processor then guesses where the next item begins, and need not
 * wait for the table to say so. */
INLINE const unsigned char *items_skip(const unsigned char *next, const unsigned char *end,
                                       uint64_t *open)
{
    uint64_t left = *open;
    while (left >= OPEN_ITEM && next != end) {
        unsigned char first = *next;
        if (first == 0xcb) {
            if (end - next < 9) break;
            next += 9;
        } else if (first < 0x80) {
            next++;
        } else if (first == 0xce) {
            if (end - next < 5) break;
            next += 5;
        } else if (first == 0xcd) {
            if (end - next < 3) break;
            next += 3;
        } else if (first == 0xcf) {
            if (end - next < 9) break;
            next += 9;
        } else {
            size_t bytes = item_bytes[first];
            if (bytes == 0 || bytes > (size_t)(end - next)) break;
            next += bytes;
        }
        left -= OPEN_ITEM;
    }
    *open = left;
    return next;
}

/* The same through rows. */
INLINE void rows_skip(struct decoder *d, struct place *at)
{
    const unsigned char *next = at->next, *end = at->end;
    if ((uint64_t)(end - next) > at->bytes_left) end = next + at->bytes_left;
    for (;;) {
        next = items_skip(next, end, &at->open);
        if (at->open < OPEN_ITEM) {
            if (at->depth == d->rows_depth) break;
            at->open = d->outer[--at->depth] - OPEN_ITEM;
            continue;
        }
        if (next == end || at->depth > d->rows_depth) break;
        unsigned first = *next, map = first < 0x90 ? OPEN_MAP : 0;
        if (first < 0x80 || first >= 0xa0) break;
        if (container_enter(d, at, (uint64_t)(first & 0x0f) << map, map) < 0) break;
        next++;
    }
    at->bytes_left -= (uint64_t)(next - at->next);
    at->next = next;
}

INLINE int rows_flush(struct decoder *d, const struct place *at, const unsigned char *run)
{
    if (run == at->next) return 0;
    return d->sink.rows(d->context, (const char *)run, (size_t)(at->next - run));
}

/* The part that is there of a text in a row. */
static void row_text_continue(struct decoder *d, struct place *at)
{
    size_t part = (size_t)(at->end - at->next);
    if (part > d->text_left) part = (size_t)d->text_left;
    at->next += part;
    d->text_left -= part;
    if (d->text_left > 0) return;
    d->in_row_text = false;
    at->open -= OPEN_ITEM;
}

/* An item of rows or in a row whose head is there. */
static int row_item(struct decoder *d, struct place *at, const unsigned char *head,
                    enum row_head kind)
{
    unsigned char first = head[0];
    bool is_short = head_is_short(first);
    uint64_t operand = is_short ? first & (kind == HEAD_TEXT ? 0x1f : 0x0f)
                                : load_operand(head + 1, heads[first - LONG_FIRST].operand);
    switch (kind) {
    case HEAD_ARRAY: return container_enter(d, at, operand, 0);
    case HEAD_MAP: return container_enter(d, at, 2 * operand, OPEN_MAP);
    case HEAD_TEXT:
        if (operand > at->bytes_left) return DECODER_LIMIT_BYTES;
        at->bytes_left -= operand;
        d->in_row_text = true;
        d->text_left = operand;
        row_text_continue(d, at);
        return 0;
    default:
        at->open -= OPEN_ITEM;
        return 0;
    }
}

/* One item that rows_skip did not skip, or as much as there is of it. *run: where bytes begin that
 * are not yet handed over. */
static int rows_step(struct decoder *d, struct place *at, const unsigned char **run)
{
    unsigned char first = d->carry_bytes > 0 ? d->carry[0] : *at->next;
    enum row_head kind = row_head(first);
    bool in_row = at->depth > d->rows_depth, whole;
    int status;
    if (kind == HEAD_OTHER || (in_row && (kind == HEAD_ARRAY || kind == HEAD_MAP))) {
        status = rows_flush(d, at, *run);
        if (status == 0) status = item(d, at, &whole);
        if (status == 0 && whole) at->open -= OPEN_ITEM;
        *run = at->next;
        return status;
    }
    if (d->carry_bytes == 0 && head_is_short(first)) {
        const unsigned char *head = at->next++;
        status = head_charge(d, at, 1);
        return status < 0 ? status : row_item(d, at, head, kind);
    }
    bool carried = d->carry_bytes > 0 ||
                   (size_t)(at->end - at->next) < heads[first - LONG_FIRST].bytes;
    if (carried) {
        status = rows_flush(d, at, *run);
        if (status < 0) return status;
    }
    const unsigned char *head = head_take(d, at, &status);
    if (carried) *run = at->next;
    if (!head) return status;
    if (carried) {
        status = d->sink.rows(d->context, (const char *)head, heads[first - LONG_FIRST].bytes);
        if (status < 0) return status;
    }
    return row_item(d, at, head, kind);
}

/* Bytes of rows, until something is announced or the array wants nothing more. */
static int rows_feed(struct decoder *d, struct place *at)
{
    const unsigned char *run = at->next;
    int status = DECODER_MORE;
    if (d->in_row_text) row_text_continue(d, at);
    while (status == DECODER_MORE && at->next != at->end && at_rows(d, at)) {
        if (d->carry_bytes == 0) rows_skip(d, at);
        if (at->open < OPEN_ITEM) {
            if (at->depth == d->rows_depth) break;
            at->open = d->outer[--at->depth] - OPEN_ITEM;
        } else if (at->next != at->end) {
            status = rows_step(d, at, &run);
        }
    }
    if (status < 0) return status;
    return rows_flush(d, at, run);
}

/* --- a feed -----------------------------------------------------------------------------*/

INLINE int feed(struct decoder *d, struct place *at)
{
    while (at->next != at->end) {
        bool whole = false;
        int status;
        if (at_rows(d, at)) {
            struct place rows = *at; /* `at` itself has no address, and stays in registers */
            status = rows_feed(d, &rows);
            *at = rows;
        } else {
            status = d->in_text ? text_continue(d, at, &whole) : item(d, at, &whole);
        }
        if (status < 0) return status;
        if (whole) at->open -= OPEN_ITEM;
        status = containers_end(d, at);
        if (status != DECODER_MORE) return status;
    }
    return DECODER_MORE;
}

int decoder_feed(struct decoder *d, const char *data, size_t length, size_t *used)
{
    *used = 0;
    if (d->failed || length == 0) return d->failed;
    struct place at = d->place;
    at.next = (const unsigned char *)data;
    at.end = at.next + length;
    int status = feed(d, &at);
    *used = length - (size_t)(at.end - at.next);
    if (status == DECODER_DONE) {
        message_start(d);
    } else {
        d->place = at;
        if (status < 0) d->failed = status;
    }
    return status;
}
