/* trace.c - see trace.h. */
#include "tests/support/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void trace_init(struct trace *t)
{
    memset(t, 0, sizeof *t);
    trace_note(t, "%s", "");
}

void trace_close(struct trace *t)
{
    free(t->text);
    t->text = NULL;
}

void trace_clear(struct trace *t)
{
    t->length = 0;
    t->text[0] = '\0';
    t->calls = 0;
    t->depth = 0;
    t->in_text = false;
}

static char *room(struct trace *t, size_t more)
{
    if (t->capacity - t->length < more + 1) {
        t->capacity = 2 * t->capacity + more + 1;
        t->text = realloc(t->text, t->capacity);
        if (!t->text) abort();
    }
    return t->text + t->length;
}

void trace_note(struct trace *t, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof line) abort();
    memcpy(room(t, (size_t)length), line, (size_t)length + 1);
    t->length += (size_t)length;
}

static void note_hex(struct trace *t, const char *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char *out = room(t, 2 * length);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)data[i];
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    *out = '\0';
    t->length += 2 * length;
}

static void must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "trace: %s\n", what);
    abort();
}

/* Every call begins here. */
static int call(struct trace *t)
{
    t->calls++;
    if (t->reader && t->calls == t->skip_at) {
        rpc_reader_skip(t->reader);
        t->depth = 0;
        t->in_text = false;
    }
    return t->calls == t->fail_at ? TRACE_STOP : 0;
}

/* Every item too: it is one of those that its container announced. */
static void item(struct trace *t)
{
    must(!t->in_text, "an item inside a text");
    if (t->depth == 0) return;
    must(t->open[t->depth - 1].items_left > 0, "more items than announced");
    t->open[t->depth - 1].items_left--;
}

static int on_nil(void *context)
{
    item(context);
    trace_note(context, "nil ");
    return call(context);
}

static int on_boolean(void *context, bool value)
{
    item(context);
    trace_note(context, value ? "true " : "false ");
    return call(context);
}

static int on_integer(void *context, int64_t value)
{
    item(context);
    trace_note(context, "%" PRId64 " ", value);
    return call(context);
}

static int on_unsigned_integer(void *context, uint64_t value)
{
    must(value > INT64_MAX, "a small number as an unsigned integer");
    item(context);
    trace_note(context, "%" PRIu64 " ", value);
    return call(context);
}

static int on_real(void *context, double value)
{
    struct trace *t = context;
    item(t);
    trace_note(t, t->plain ? "%.17g " : "r:%.17g ", value);
    return call(t);
}

static void text_begin(struct trace *t, enum decoder_text type, int8_t ext_type)
{
    item(t);
    switch (type) {
    case DECODER_STR: trace_note(t, "s:"); break;
    case DECODER_BIN: trace_note(t, "b:"); break;
    case DECODER_EXT: trace_note(t, "x%d:", ext_type); break;
    }
    must(type == DECODER_EXT || ext_type == 0, "a text with an extension type");
}

static int on_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                   size_t length)
{
    text_begin(context, type, ext_type);
    note_hex(context, data, length);
    trace_note(context, " ");
    return call(context);
}

static int on_text_open(void *context, enum decoder_text type, int8_t ext_type, size_t length)
{
    struct trace *t = context;
    text_begin(t, type, ext_type);
    must(length > 0, "an empty text in parts");
    t->in_text = true;
    t->text_left = length;
    return call(t);
}

static int on_text_data(void *context, const char *data, size_t length)
{
    struct trace *t = context;
    must(t->in_text && length <= t->text_left, "more text than announced");
    t->text_left -= length;
    note_hex(t, data, length);
    return call(t);
}

static int on_text_close(void *context)
{
    struct trace *t = context;
    must(t->in_text && t->text_left == 0, "less text than announced");
    t->in_text = false;
    trace_note(t, " ");
    return call(t);
}

static void container_open(struct trace *t, bool map, size_t count)
{
    item(t);
    must(t->depth < sizeof t->open / sizeof *t->open, "too deep");
    t->open[t->depth].map = map;
    t->open[t->depth].items_left = map ? 2 * (uint64_t)count : count;
    t->depth++;
    trace_note(t, "%c%zu ", map ? '{' : '[', count);
}

static void container_close(struct trace *t, bool map)
{
    must(t->depth > 0 && t->open[t->depth - 1].map == map, "a close without its open");
    must(t->open[t->depth - 1].items_left == 0, "fewer items than announced");
    t->depth--;
    trace_note(t, map ? "} " : "] ");
}

static int on_array_open(void *context, size_t count)
{
    container_open(context, false, count);
    return call(context);
}

static int on_array_close(void *context)
{
    container_close(context, false);
    return call(context);
}

static int on_map_open(void *context, size_t count)
{
    container_open(context, true, count);
    return call(context);
}

static int on_map_close(void *context)
{
    container_close(context, true);
    return call(context);
}

static int on_begin(void *context, const struct rpc_message *message, size_t params_count)
{
    struct trace *t = context;
    must(message->fault == RPC_FAULT_NONE, "the beginning of a faulty message");
    must(message->method_length <= RPC_METHOD_BYTES_MAX &&
             message->method[message->method_length] == '\0',
         "a method that is not terminated");
    trace_note(t, "begin %d %" PRIu32 " ", (int)message->type, message->msgid);
    note_hex(t, message->method, message->method_length);
    trace_note(t, " %zu: ", params_count);
    return call(t);
}

#define TRACE_ITEMS                                                                       \
    {                                                                                     \
        .nil = on_nil, .boolean = on_boolean, .integer = on_integer,                      \
        .unsigned_integer = on_unsigned_integer, .real = on_real, .text = on_text,        \
        .text_open = on_text_open, .text_data = on_text_data,                             \
        .text_close = on_text_close, .array_open = on_array_open,                         \
        .array_close = on_array_close, .map_open = on_map_open, .map_close = on_map_close \
    }

const struct decoder_sink trace_sink = TRACE_ITEMS;
const struct rpc_sink trace_rpc_sink = {.begin = on_begin, .items = TRACE_ITEMS};
