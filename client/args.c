/* args.c - parameters of a call, written as MessagePack while they are given.
 *
 * MessagePack wants the number of items before the items, and those who build a request from
 * a stream do not know it yet. A container is therefore opened with the one-byte header of
 * an empty one, and gets its count when it is closed: up to 15 entries by setting that byte,
 * beyond that by moving the contents 2 or 4 bytes up. */
#include "client/cairn_int.h"

#include <stdlib.h>
#include <string.h>

#define FIX_ARRAY 0x90
#define FIX_MAP 0x80

struct cairn_args *cairn_args_create(void)
{
    struct cairn_args *args = calloc(1, sizeof *args);
    if (args) writer_init(&args->bytes, CAIRN_REQUEST_BYTES_MAX);
    return args;
}

void cairn_args_destroy(struct cairn_args *args)
{
    if (!args) return;
    writer_close(&args->bytes);
    free(args->stack);
    free(args);
}

void cairn_args_clear(struct cairn_args *args)
{
    writer_rewind(&args->bytes, 0);
    args->depth = 0;
    args->count = 0;
    args->last = 0;
    args->status = CAIRN_OK;
}

enum cairn_status cairn_args_status(const struct cairn_args *args)
{
    if (args->status != CAIRN_OK) return args->status;
    if (args->bytes.error == WRITER_NO_MEMORY) return CAIRN_NO_MEMORY;
    if (args->bytes.error == WRITER_LIMIT) return CAIRN_LIMIT;
    return args->depth > 0 ? CAIRN_MISUSE : CAIRN_OK;
}

size_t cairn_args_count(const struct cairn_args *args)
{
    return args->depth > 0 ? args->count - 1 : args->count;
}

void cairn_args_pop(struct cairn_args *args)
{
    if (args->count == 0 || args->depth > 0 || args->last >= args->bytes.length) {
        args->status = CAIRN_MISUSE;
        return;
    }
    writer_rewind(&args->bytes, args->last);
    args->count--;
}

const char *cairn_args_bytes(const struct cairn_args *args, size_t *length)
{
    *length = args->bytes.length;
    return args->bytes.length > 0 ? args->bytes.data : "";
}

/* An item is about to be written. */
static struct writer *args_item(struct cairn_args *args)
{
    if (args->depth > 0) {
        args->stack[args->depth - 1].items++;
    } else {
        args->last = args->bytes.length;
        args->count++;
    }
    return &args->bytes;
}

void cairn_args_nil(struct cairn_args *args)
{
    writer_nil(args_item(args));
}

void cairn_args_bool(struct cairn_args *args, bool value)
{
    writer_bool(args_item(args), value);
}

void cairn_args_int(struct cairn_args *args, int64_t value)
{
    writer_int(args_item(args), value);
}

void cairn_args_uint(struct cairn_args *args, uint64_t value)
{
    writer_uint(args_item(args), value);
}

void cairn_args_double(struct cairn_args *args, double value)
{
    writer_double(args_item(args), value);
}

/* A length that MessagePack cannot write would be cut without a word. */
static bool args_length_fits(struct cairn_args *args, size_t length)
{
    if (length > CAIRN_REQUEST_BYTES_MAX && args->status == CAIRN_OK) args->status = CAIRN_LIMIT;
    return length <= CAIRN_REQUEST_BYTES_MAX;
}

void cairn_args_str(struct cairn_args *args, const char *data, size_t length)
{
    if (args_length_fits(args, length)) writer_str(args_item(args), data, length);
}

void cairn_args_cstr(struct cairn_args *args, const char *text)
{
    cairn_args_str(args, text, strlen(text));
}

void cairn_args_bin(struct cairn_args *args, const void *data, size_t length)
{
    if (args_length_fits(args, length)) writer_bin(args_item(args), data, length);
}

void cairn_args_ext(struct cairn_args *args, int8_t type, const void *data, size_t length)
{
    if (args_length_fits(args, length)) writer_ext(args_item(args), type, data, length);
}

/* --- containers -------------------------------------------------------------------------*/

static bool args_stack_grow(struct cairn_args *args)
{
    if (args->depth == CAIRN_DEPTH_MAX) {
        args->status = CAIRN_LIMIT;
        return false;
    }
    if (args->depth < args->capacity) return true;
    unsigned capacity = args->capacity ? args->capacity * 2 : 8;
    struct args_frame *stack = realloc(args->stack, capacity * sizeof *stack);
    if (!stack) {
        args->status = CAIRN_NO_MEMORY;
        return false;
    }
    args->stack = stack;
    args->capacity = capacity;
    return true;
}

static void args_open(struct cairn_args *args, bool is_map)
{
    if (args->status != CAIRN_OK || !args_stack_grow(args)) return;
    struct writer *w = args_item(args);
    args->stack[args->depth++] = (struct args_frame){.offset = w->length, .is_map = is_map};
    if (is_map)
        writer_map(w, 0);
    else
        writer_array(w, 0);
}

/* Makes room for `extra` bytes of count behind the header at `offset`. */
static unsigned char *args_widen(struct writer *w, size_t offset, size_t extra)
{
    size_t end = w->length;
    writer_bytes(w, "\0\0\0", extra);
    if (w->error != WRITER_OK) return NULL;
    memmove(w->data + offset + 1 + extra, w->data + offset + 1, end - offset - 1);
    return (unsigned char *)w->data + offset;
}

static void args_header_set(struct writer *w, const struct args_frame *frame, size_t count)
{
    if (w->error != WRITER_OK) return;
    unsigned char *at = (unsigned char *)w->data + frame->offset;
    if (count <= 15) {
        *at = (unsigned char)((frame->is_map ? FIX_MAP : FIX_ARRAY) | count);
        return;
    }
    size_t extra = count <= UINT16_MAX ? 2 : 4;
    at = args_widen(w, frame->offset, extra);
    if (!at) return;
    /* 0xdc array 16, 0xdd array 32, 0xde map 16, 0xdf map 32 */
    *at++ = (unsigned char)(0xdc + (frame->is_map ? 2 : 0) + (extra == 4 ? 1 : 0));
    for (size_t i = extra; i-- > 0;) *at++ = (unsigned char)(count >> (8 * i));
}

static void args_close(struct cairn_args *args, bool is_map)
{
    if (args->status != CAIRN_OK) return;
    struct args_frame *frame = args->depth > 0 ? &args->stack[args->depth - 1] : NULL;
    if (!frame || frame->is_map != is_map || (is_map && frame->items % 2 != 0)) {
        args->status = CAIRN_MISUSE;
        return;
    }
    args_header_set(&args->bytes, frame, is_map ? frame->items / 2 : frame->items);
    args->depth--;
}

void cairn_args_array_open(struct cairn_args *args)
{
    args_open(args, false);
}

void cairn_args_array_close(struct cairn_args *args)
{
    args_close(args, false);
}

void cairn_args_map_open(struct cairn_args *args)
{
    args_open(args, true);
}

void cairn_args_map_close(struct cairn_args *args)
{
    args_close(args, true);
}

void cairn_args_append(struct cairn_args *args, const struct cairn_args *from)
{
    enum cairn_status status = cairn_args_status(from);
    if (status != CAIRN_OK && args->status == CAIRN_OK) args->status = status;
    if (args->status != CAIRN_OK || from->count == 0) return;
    if (args->depth > 0) {
        args->stack[args->depth - 1].items += from->count;
    } else {
        args->last = args->bytes.length + from->last;
        args->count += from->count;
    }
    writer_bytes(&args->bytes, from->bytes.data, from->bytes.length);
}

/* --- copies -----------------------------------------------------------------------------*/

static void args_scalar(struct cairn_args *args, const struct cairn_value *v)
{
    switch (cairn_type(v)) {
    case CAIRN_BOOL: cairn_args_bool(args, v->boolean); break;
    case CAIRN_INT: cairn_args_int(args, v->integer); break;
    case CAIRN_UINT: cairn_args_uint(args, v->unsigned_integer); break;
    case CAIRN_DOUBLE: cairn_args_double(args, v->real); break;
    case CAIRN_STR: cairn_args_str(args, v->text, v->length); break;
    case CAIRN_BIN: cairn_args_bin(args, v->text, v->length); break;
    case CAIRN_EXT: cairn_args_ext(args, v->ext_type, v->text, v->length); break;
    default: cairn_args_nil(args); break;
    }
}

void cairn_args_value(struct cairn_args *args, const struct cairn_value *value)
{
    /* The open containers of the copy: what is left of each. args_open refuses more. */
    struct { const struct cairn_value *next, *end; bool is_map; } stack[CAIRN_DEPTH_MAX];
    unsigned depth = 0;
    const struct cairn_value *v = value;
    for (;;) {
        bool is_map = cairn_type(v) == CAIRN_MAP;
        if (is_map || cairn_type(v) == CAIRN_ARRAY) {
            args_open(args, is_map);
            if (args->status != CAIRN_OK) return;
            size_t items = (size_t)v->length * (is_map ? 2 : 1);
            stack[depth].next = v->items;
            stack[depth].end = items > 0 ? v->items + items : v->items;
            stack[depth++].is_map = is_map;
        } else {
            args_scalar(args, v);
        }
        while (depth > 0 && stack[depth - 1].next == stack[depth - 1].end)
            args_close(args, stack[--depth].is_map);
        if (depth == 0) return;
        v = stack[depth - 1].next++;
    }
}
