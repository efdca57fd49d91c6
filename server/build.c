/* build.c - see build.h.
 *
 * Workload: millions of small maps and lists in small messages, and now and then one list of
 * many megabytes. The stack of open containers and the frame grow with the nesting and with
 * what waits in small containers; a container that announces more than COLLECT_* items
 * empties its part of the frame every BATCH_ITEMS.
 *
 * Invariant: slots[level.base .. next level's start) wait for the container of `level`. Its
 * own value, once made, lies in slots[level.base - 1] and so counts already among the items
 * of the level below, which looks at its items only when nothing above it is open. */
#include "server/build_int.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/intern.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/plant.h"
#include "heap/weak.h"
#include "protocol/decoder.h"

#define COLLECT_ITEMS_MAX 512 /* announced items of a list that is made when it closes */
#define COLLECT_PAIRS_MAX 128
#define BATCH_ITEMS 512
#define KEPT_CAPACITY 4096 /* entries of C memory that a builder keeps between messages */

struct builder_level {
    size_t base;
    value container; /* VALUE_ABSENT until it is made */
    bool is_map;
    bool is_rows;    /* they are left packed, in slots[base - 1]; what is above is not of them */
};

/* --- failure ------------------------------------------------------------------------------*/

/* `opened` borrows values across safe points, so meanwhile they must not move. Others may: a client
 * can take its time over a message. */
static void builder_opened_forget(struct builder *b)
{
    while (b->opened_count > 0) value_unpin(b->heap, b->opened[--b->opened_count]);
}

int builder_fail(struct builder *b, enum error_code code, const char *format, ...)
{
    b->failed = true;
    b->error = code;
    const struct rpc_message *message = rpc_reader_message(b->reader);
    const struct method *method = method_find(message->method, message->method_length);
    size_t used = 0;
    if (method != NULL)
        used = (size_t)snprintf(b->message, sizeof b->message, "%s: ", method->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(b->message + used, sizeof b->message - used, format, arguments);
    va_end(arguments);
    b->level_count = 0;
    builder_opened_forget(b);
    root_frame_truncate(b->heap, &b->frame, 0);
    rpc_reader_skip(b->reader);
    return 0;
}

int builder_no_memory(struct builder *b)
{
    return builder_fail(b, ERROR_OUT_OF_MEMORY,
                        "the memory limit (max-memory) has no room for the parameters; nothing was "
                        "changed");
}

/* --- items --------------------------------------------------------------------------------*/

static struct builder_level *builder_top(const struct builder *b)
{
    return b->level_count > 0 ? &b->levels[b->level_count - 1] : NULL;
}

/* Whether the item that comes next is a key. */
static bool builder_at_key(const struct builder *b)
{
    const struct builder_level *top = builder_top(b);
    return top != NULL && top->is_map && (b->frame.count - top->base) % 2 == 0;
}

static int builder_fail_key(struct builder *b, const char *what)
{
    return builder_fail(b, ERROR_BAD_PARAMS,
                        "a map key is %s; keys are strings, bytes, integers, floats and booleans",
                        what);
}

/* A key was completed: it must be one that a map takes. */
static int builder_check_key(struct builder *b, value key)
{
    struct map_key prepared;
    if (value_is_text(key)) {
        size_t length = text_length(b->heap, key);
        if (length > MAP_KEY_BYTES_MAX)
            return builder_fail(b, ERROR_LIMIT, "a map key has %zu bytes; the limit is %zu", length,
                                (size_t)MAP_KEY_BYTES_MAX);
    } else if (value_is_kind(key, KIND_EXT)) {
        return builder_fail_key(b, "an extension type");
    } else if (key == VALUE_NIL) {
        return builder_fail_key(b, "nil");
    }
    if (map_key_value(b->heap, &prepared, key) < 0)
        return builder_fail_key(b, "of another type");
    return 0;
}

/* Whether the item that comes next is the option `rows` of a method that takes packed ones. */
static bool builder_at_rows(const struct builder *b)
{
    if (!b->packing || b->level_count != 1 || !b->levels[0].is_map) return false;
    const struct builder_level *top = &b->levels[0];
    size_t parameter = top->base - (top->container != VALUE_ABSENT);
    return parameter == 1 && (b->frame.count - top->base) % 2 == 1 &&
           value_is_text(b->frame.slots[b->frame.count - 1]) &&
           text_equals(b->heap, b->frame.slots[b->frame.count - 1], "rows", 4);
}

/* Moves the pair on top of the frame into the map below it. */
static int builder_insert_pair(struct builder *b, struct builder_level *level)
{
    struct root_frame *frame = &b->frame;
    value v = frame->slots[frame->count - 1];
    struct map_key key;
    int status = map_key_value(b->heap, &key, frame->slots[frame->count - 2]);
    /* A second entry would release the first, which a back-reference may name. */
    if (status == 0 && b->making && map_get(b->heap, level->container, &key) != VALUE_ABSENT)
        return builder_fail(b, ERROR_BAD_PARAMS,
                            "a map has a key twice, which is not possible with extension types");
    if (status == 0) status = map_set_take(b->heap, level->container, &key, v);
    if (status < 0) return builder_no_memory(b);
    frame->count--;
    root_frame_truncate(b->heap, frame, frame->count - 1);
    return 0;
}

static int sink_rows(void *context, const char *data, size_t length)
{
    struct builder *b = context;
    if (text_builder_add(b->heap, &b->rows, data, length) < 0) return builder_no_memory(b);
    return 0;
}

static int builder_flush_list(struct builder *b, struct builder_level *level)
{
    size_t count = b->frame.count - level->base;
    if (count == 0) return 0;
    if (list_insert_take(b->heap, level->container, list_length(b->heap, level->container),
                         b->frame.slots + level->base, count) < 0)
        return builder_no_memory(b);
    b->frame.count = level->base;
    return 0;
}

/* What is in the rows besides scalars, strings and bytes was built; as no column holds it, one
 * byte or two tell what it was. */
static int builder_pack_odd(struct builder *b)
{
    static const char list[] = {(char)0x90}, map[] = {(char)0x80}, ext[] = {(char)0xc7, 0, 0};
    value odd = b->frame.slots[b->frame.count - 1];
    bool is_list = value_is_kind(odd, KIND_LIST), is_map = value_is_kind(odd, KIND_MAP);
    assert(is_list || is_map || value_is_kind(odd, KIND_EXT));
    root_frame_truncate(b->heap, &b->frame, b->frame.count - 1);
    return sink_rows(b, is_list ? list : is_map ? map : ext, is_list || is_map ? 1 : sizeof ext);
}

int builder_item_done(struct builder *b)
{
    struct builder_level *top = builder_top(b);
    if (top == NULL) return 0;
    size_t waiting = b->frame.count - top->base;
    if (top->is_rows) return builder_pack_odd(b);
    if (top->is_map) {
        if (waiting % 2 == 1) {
            if (b->packed_rows && builder_at_rows(b)) b->packed_rows = false; /* the last counts */
            return builder_check_key(b, b->frame.slots[b->frame.count - 1]);
        }
        return top->container == VALUE_ABSENT ? 0 : builder_insert_pair(b, top);
    }
    if (top->container == VALUE_ABSENT || waiting < BATCH_ITEMS) return 0;
    return builder_flush_list(b, top);
}

/* Pushes `v`, which the builder owns from here on. */
static int builder_push(struct builder *b, value v)
{
    if (v == VALUE_ABSENT) return builder_no_memory(b);
    if (root_frame_push_take(b->heap, &b->frame, v) < 0) {
        value_release(b->heap, v);
        return builder_no_memory(b);
    }
    return 0;
}

static int builder_add(struct builder *b, value v)
{
    builder_push(b, v);
    return b->failed ? 0 : builder_item_done(b);
}

static int sink_nil(void *context) { return builder_add(context, VALUE_NIL); }
static int sink_boolean(void *context, bool v) { return builder_add(context, value_bool(v)); }
static int sink_integer(void *context, int64_t i)
{
    struct builder *b = context;
    return builder_add(b, number_from_int64(b->heap, i));
}
static int sink_unsigned(void *context, uint64_t u)
{
    struct builder *b = context;
    return builder_add(b, number_from_uint64(b->heap, u));
}
static int sink_real(void *context, double d)
{
    struct builder *b = context;
    return builder_add(b, number_from_double(b->heap, d));
}

/* --- extension types ------------------------------------------------------------------------*/

/* The big-endian number that is the payload; false if its length is not one of a number. */
static bool payload_number(const char *data, size_t length, uint64_t *number)
{
    if (length != 1 && length != 2 && length != 4 && length != 8) return false;
    *number = 0;
    for (size_t i = 0; i < length; i++) *number = *number << 8 | (unsigned char)data[i];
    return true;
}

/* The n-th container of this message, shared; VALUE_ABSENT after a failure. */
static value builder_opened(struct builder *b, const char *what, const char *data, size_t length)
{
    uint64_t n;
    if (!payload_number(data, length, &n)) {
        builder_fail(b, ERROR_BAD_PARAMS, "a %s of %zu bytes; it is a number of 1, 2, 4 or 8 bytes",
                     what, length);
        return VALUE_ABSENT;
    }
    if (n >= b->opened_count) {
        builder_fail(b, ERROR_BAD_PARAMS, "a %s to container %llu, but only %zu came before it",
                     what, (unsigned long long)n, b->opened_count);
        return VALUE_ABSENT;
    }
    return value_share(b->heap, b->opened[n]);
}

static int builder_add_weak(struct builder *b, const char *data, size_t length)
{
    if (length == 0) return builder_add(b, VALUE_NIL);
    value target = builder_opened(b, "WEAK", data, length);
    if (b->failed) return 0;
    value weak = weak_make(b->heap, target);
    if (weak == VALUE_ABSENT)
        return builder_fail(b, ERROR_LIMIT,
                            "more targets of weak references than weak-slots allows");
    return builder_add(b, weak);
}

static int builder_add_ext(struct builder *b, int8_t type, const char *data, size_t length)
{
    if (type > 0 && type < 32 && !b->making)
        return builder_fail(b, ERROR_NEEDS_EXT,
                            "extension type %d needs hello({\"ext\": true}) first", type);
    if (builder_at_key(b)) return builder_fail_key(b, "an extension type");
    switch (type) {
    case EXT_REF: {
        value target = builder_opened(b, "REF", data, length);
        return b->failed ? 0 : builder_add(b, target);
    }
    case EXT_WEAK: return builder_add_weak(b, data, length);
    case EXT_HANDLE: break;
    default:
        if (type > 0 && type < 32)
            return builder_fail(b, ERROR_BAD_PARAMS, "extension type %d is reserved", type);
    }
    if (length > EXT_BYTES_MAX)
        return builder_fail(b, ERROR_LIMIT,
                            "an extension value has %zu bytes; the limit is %zu", length,
                            (size_t)EXT_BYTES_MAX);
    return builder_add(b, ext_new(b->heap, type, data, length));
}

bool builder_grow(void *array_pointer, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity) return true;
    size_t wanted = *capacity < 16 ? 16 : *capacity;
    while (wanted < needed) wanted *= 2;
    void **array = array_pointer;
    void *larger = realloc(*array, wanted * size);
    if (larger == NULL) return false;
    *array = larger;
    *capacity = wanted;
    return true;
}

/* --- text -------------------------------------------------------------------------------------*/

/* Whether an extension value is a set, to be built as it arrives. */
static bool builder_at_set(const struct builder *b, enum decoder_text type, int8_t ext_type)
{
    return type == DECODER_EXT && ext_type == EXT_SET && b->making && !builder_at_key(b);
}

/* Whether a string that comes now may become one that others own too (intern.h). It lies inside
 * of a container that is to be stored: what is given to set itself is freed or overwritten alone.
 * The first parameter is a path, or, two levels further in, holds values of mset. And what a
 * request that reads makes must go when it ends, as it may take the memory held back. */
static bool builder_interns(const struct builder *b)
{
    if (b->level_count == 0 || b->holding) return false;
    return b->level_count > 2 || b->levels[0].base > (b->levels[0].container != VALUE_ABSENT);
}

static int sink_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                     size_t length)
{
    struct builder *b = context;
    if (builder_at_set(b, type, ext_type)) {
        builder_set_open(b, length);
        if (!b->failed) builder_set_data(b, data, length);
        return b->failed ? 0 : builder_set_close(b);
    }
    if (type == DECODER_EXT) return builder_add_ext(b, ext_type, data, length);
    if (type == DECODER_STR && builder_interns(b))
        return builder_add(b, intern_text(b->heap, data, length));
    return builder_add(b, text_new(b->heap, data, length, type == DECODER_BIN));
}

static int sink_text_open(void *context, enum decoder_text type, int8_t ext_type, size_t length)
{
    struct builder *b = context;
    b->text_type = type;
    if (type == DECODER_EXT) {
        b->ext_type = ext_type;
        b->ext_length = 0;
        b->in_set = builder_at_set(b, type, ext_type);
        if (b->in_set) return builder_set_open(b, length);
        if (length <= EXT_BYTES_MAX) return 0;
        return builder_fail(b, ERROR_LIMIT, "an extension value has %zu bytes; the limit is %zu",
                            length, (size_t)EXT_BYTES_MAX);
    }
    if (text_builder_open(b->heap, &b->text, &b->frame, length, type == DECODER_BIN) < 0)
        return builder_no_memory(b);
    return 0;
}

static int sink_text_data(void *context, const char *data, size_t length)
{
    struct builder *b = context;
    if (b->text_type == DECODER_EXT) {
        if (b->in_set) return builder_set_data(b, data, length);
        char **buffer = &b->ext_data;
        if (!builder_grow(buffer, &b->ext_capacity, b->ext_length + length, 1))
            return builder_no_memory(b);
        memcpy(b->ext_data + b->ext_length, data, length);
        b->ext_length += length;
        return 0;
    }
    if (text_builder_add(b->heap, &b->text, data, length) < 0) return builder_no_memory(b);
    return 0;
}

static int sink_text_close(void *context)
{
    struct builder *b = context;
    if (b->text_type == DECODER_EXT && b->in_set) return builder_set_close(b);
    if (b->text_type == DECODER_EXT)
        return builder_add_ext(b, b->ext_type, b->ext_data, b->ext_length);
    if (text_builder_close(b->heap, &b->text) < 0) return builder_no_memory(b);
    return builder_item_done(b);
}

/* --- containers ----------------------------------------------------------------------------*/

void builder_push_container(struct builder *b, value v)
{
    builder_push(b, v);
    if (b->failed || !b->making) return;
    if (!builder_grow(&b->opened, &b->opened_capacity, b->opened_count + 1, sizeof *b->opened)) {
        builder_no_memory(b);
        return;
    }
    value_pin(b->heap, v);
    b->opened[b->opened_count++] = v;
}

static int builder_push_level(struct builder *b, struct builder_level level)
{
    if (!builder_grow(&b->levels, &b->level_capacity, b->level_count + 1, sizeof *b->levels))
        return builder_no_memory(b);
    level.base = b->frame.count;
    b->levels[b->level_count++] = level;
    return 0;
}

/* The array of `count` rows opens: its head, as an array 32, begins the packed bytes. */
static int builder_open_rows(struct builder *b, size_t count)
{
    char head[5] = {(char)0xdd, (char)(count >> 24), (char)(count >> 16), (char)(count >> 8),
                    (char)count};
    if (text_builder_open(b->heap, &b->rows, &b->frame, SIZE_MAX, true) < 0)
        return builder_no_memory(b);
    sink_rows(b, head, sizeof head);
    if (b->failed) return 0;
    rpc_reader_take_rows(b->reader);
    b->packed_rows = true;
    return builder_push_level(
        b, (struct builder_level){.container = VALUE_ABSENT, .is_rows = true});
}

static int builder_open(struct builder *b, bool is_map, size_t count)
{
    if (!is_map && builder_at_rows(b)) return builder_open_rows(b, count);
    if (builder_at_key(b)) return builder_fail_key(b, is_map ? "a map" : "an array");
    bool now = b->making || count > (is_map ? COLLECT_PAIRS_MAX : COLLECT_ITEMS_MAX);
    if (now) builder_push_container(b, is_map ? map_new(b->heap) : list_new(b->heap));
    if (b->failed) return 0;
    return builder_push_level(b, (struct builder_level){
        .container = now ? b->frame.slots[b->frame.count - 1] : VALUE_ABSENT,
        .is_map = is_map,
    });
}

static int sink_array_open(void *context, size_t count)
{
    return builder_open(context, false, count);
}
static int sink_map_open(void *context, size_t count) { return builder_open(context, true, count); }

static int builder_close_container(struct builder *b)
{
    struct builder_level *top = builder_top(b);
    if (top->is_rows) {
        if (text_builder_close(b->heap, &b->rows) < 0) return builder_no_memory(b);
        b->level_count--;
        return builder_item_done(b);
    }
    if (top->container != VALUE_ABSENT) {
        if (!top->is_map) builder_flush_list(b, top);
        if (b->failed) return 0;
        b->level_count--;
        return builder_item_done(b);
    }
    value none, *items = &none;
    size_t count = b->frame.count - top->base;
    if (count > 0) items = b->frame.slots + top->base;
    value v = top->is_map ? map_from_take(b->heap, items, count / 2)
                          : list_from_take(b->heap, items, count);
    if (v == VALUE_ABSENT) return builder_no_memory(b);
    b->frame.count = top->base;
    b->level_count--;
    return builder_add(b, v);
}

static int sink_close(void *context) { return builder_close_container(context); }

/* --- messages ------------------------------------------------------------------------------*/

static int sink_begin(void *context, const struct rpc_message *message, size_t params_count)
{
    struct builder *b = context;
    (void)params_count;
    b->making = b->features->ext;
    const struct method *method = method_find(message->method, message->method_length);
    b->packing = !b->making && method != NULL && method->flags & METHOD_ROWS;
    b->packed_rows = false;
    b->holding = method != NULL &&
                 (!(method->flags & METHOD_WRITE) || method->flags & METHOD_FREES);
    heap_hold_use(b->heap, b->holding);
    return 0;
}

void builder_init(struct builder *b, struct heap *heap, const struct session_features *features)
{
    memset(b, 0, sizeof *b);
    b->heap = heap;
    b->features = features;
    root_frame_open(heap, &b->frame);
}

void builder_close(struct builder *b)
{
    builder_opened_forget(b);
    root_frame_close(b->heap, &b->frame);
    free(b->levels);
    free(b->opened);
    free(b->ext_data);
    decoder_destroy(b->set_decoder);
}

/* Gives back what an unusually large message made it grow to. */
static void shrink(void *array_pointer, size_t *capacity)
{
    void **array = array_pointer;
    if (*capacity <= KEPT_CAPACITY) return;
    free(*array);
    *array = NULL;
    *capacity = 0;
}

void builder_reset(struct builder *b)
{
    root_frame_truncate(b->heap, &b->frame, 0);
    heap_hold_use(b->heap, b->holding = false);
    b->failed = b->packed_rows = false;
    b->level_count = 0;
    builder_opened_forget(b);
    b->ext_length = 0;
    shrink(&b->opened, &b->opened_capacity);
    shrink(&b->ext_data, &b->ext_capacity);
}

void builder_touch(struct builder *b)
{
    if (!planted(25)) root_frame_touch(b->heap, &b->frame);
    heap_hold_use(b->heap, b->holding);
}

const struct rpc_sink *builder_sink(void)
{
    static const struct rpc_sink sink = {
        .begin = sink_begin,
        .items =
            {
                .nil = sink_nil,
                .boolean = sink_boolean,
                .integer = sink_integer,
                .unsigned_integer = sink_unsigned,
                .real = sink_real,
                .text = sink_text,
                .text_open = sink_text_open,
                .text_data = sink_text_data,
                .text_close = sink_text_close,
                .array_open = sink_array_open,
                .array_close = sink_close,
                .map_open = sink_map_open,
                .map_close = sink_close,
                .rows = sink_rows,
            },
    };
    return &sink;
}
