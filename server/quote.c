/* quote.c - values and bytes of clients as they may stand in an error message.
 *
 * A message goes to terminals and logs, and it is a str: so quoted text is valid UTF-8, has
 * no control characters, and is short whatever it was made from. The results lie in a few
 * static buffers that take turns. */
#include <stdio.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "server/call.h"
#include "server/path.h"

#define QUOTE_BYTES_MAX 60 /* of the content, before it is cut */
#define QUOTE_BUFFERS 3
#define QUOTE_SEGMENTS_MAX 8

struct quote {
    char text[4 * QUOTE_BYTES_MAX + 80];
    size_t length;
    size_t budget; /* of content */
};

static struct quote *quote_next(void)
{
    static struct quote buffers[QUOTE_BUFFERS];
    static unsigned turn;
    struct quote *q = &buffers[turn++ % QUOTE_BUFFERS];
    q->length = 0;
    q->budget = QUOTE_BYTES_MAX;
    q->text[0] = 0;
    return q;
}

static void quote_add(struct quote *q, const char *data, size_t length)
{
    if (q->length + length >= sizeof q->text) return;
    memcpy(q->text + q->length, data, length);
    q->length += length;
    q->text[q->length] = 0;
}
static void quote_add_cstr(struct quote *q, const char *text) { quote_add(q, text, strlen(text)); }

/* The length of the character at `data` if it is whole and no control character, else 0. */
static size_t printable_length(const char *data, size_t length)
{
    unsigned char c = (unsigned char)data[0];
    if (c < 0x80) return c >= 0x20 && c != 0x7f;
    if (c == 0xc2 && length > 1 && (unsigned char)data[1] < 0xa0) return 0;
    size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return size <= length && utf8_prefix(data, size) == size ? size : 0;
}

/* Adds one character, or one byte escaped; returns how many bytes of `data` that was. */
static size_t quote_add_char(struct quote *q, const char *data, size_t length)
{
    size_t size = printable_length(data, length);
    if (size == 1 && (*data == '"' || *data == '\\')) quote_add_cstr(q, "\\");
    if (size > 0) {
        quote_add(q, data, size);
        return size;
    }
    char escape[8];
    if (*data == '\n') quote_add_cstr(q, "\\n");
    else if (*data == '\t') quote_add_cstr(q, "\\t");
    else {
        snprintf(escape, sizeof escape, "\\x%02x", (unsigned char)*data);
        quote_add_cstr(q, escape);
    }
    return 1;
}

static void quote_add_text(struct quote *q, const char *data, size_t length)
{
    quote_add_cstr(q, "\"");
    size_t at = 0;
    while (at < length && at < q->budget) at += quote_add_char(q, data + at, length - at);
    q->budget -= at < q->budget ? at : q->budget;
    quote_add_cstr(q, at < length ? "\"..." : "\"");
}

const char *call_quote(const char *data, size_t length)
{
    struct quote *q = quote_next();
    quote_add_text(q, data, length);
    return q->text;
}

static void quote_add_number(struct quote *q, struct number n)
{
    char text[32];
    if (n.class == NUMBER_INT64) snprintf(text, sizeof text, "%lld", (long long)n.i);
    else if (n.class == NUMBER_UINT64) snprintf(text, sizeof text, "%llu", (unsigned long long)n.u);
    else snprintf(text, sizeof text, "%.15g", n.d);
    quote_add_cstr(q, text);
}

/* Anything but the inside of lists. */
static void quote_add_value(struct quote *q, struct heap *h, value v)
{
    struct number n = number_read(h, v);
    if (value_is_text(v)) {
        char bytes[QUOTE_BYTES_MAX + 4]; /* some more than is shown, for a cut character */
        size_t got = text_copy(h, v, 0, bytes, sizeof bytes);
        quote_add_text(q, bytes, got);
    } else if (n.class != NUMBER_NONE) {
        quote_add_number(q, n);
    } else if (v == VALUE_NIL) {
        quote_add_cstr(q, "nil");
    } else if (value_is_bool(v)) {
        quote_add_cstr(q, v == VALUE_TRUE ? "true" : "false");
    } else {
        int64_t handle;
        char text[40];
        if (path_handle(h, v, &handle)) {
            snprintf(text, sizeof text, "{\"handle\": %lld}", (long long)handle);
            quote_add_cstr(q, text);
        } else {
            quote_add_cstr(q, value_describe(v));
        }
    }
}

const char *quote_path(struct heap *h, value path, size_t segments)
{
    struct quote *q = quote_next();
    if (!value_is_kind(path, KIND_LIST)) {
        quote_add_value(q, h, path);
        return q->text;
    }
    size_t length = list_length(h, path);
    if (segments > length) segments = length;
    if (segments == 1) {
        quote_add_value(q, h, list_get(h, path, 0));
        return q->text;
    }
    quote_add_cstr(q, "[");
    for (size_t i = 0; i < segments; i++) {
        if (i > 0) quote_add_cstr(q, ", ");
        if (i == QUOTE_SEGMENTS_MAX || q->budget == 0) {
            quote_add_cstr(q, "...");
            break;
        }
        quote_add_value(q, h, list_get(h, path, i));
    }
    quote_add_cstr(q, "]");
    return q->text;
}

const char *call_quote_value(struct call *call, value v)
{
    if (value_is_kind(v, KIND_LIST)) return value_describe(v);
    return quote_path(call->heap, v, SIZE_MAX);
}

/* --- names of types --------------------------------------------------------------------*/

static const struct {
    const char *name, *described;
} type_names[] = {
    [TYPE_NIL] = {"nil", "nil"},
    [TYPE_BOOL] = {"bool", "a boolean"},
    [TYPE_INT] = {"int", "an integer"},
    [TYPE_FLOAT] = {"float", "a float"},
    [TYPE_STRING] = {"string", "a string"},
    [TYPE_BYTES] = {"bytes", "bytes"},
    [TYPE_LIST] = {"list", "a list"},
    [TYPE_MAP] = {"map", "a map"},
    [TYPE_SET] = {"set", "a set"},
    [TYPE_SORTED_SET] = {"sorted set", "a sorted set"},
    [TYPE_TABLE] = {"table", "a table"},
    [TYPE_WEAK] = {"weak", "a weak reference"},
    [TYPE_EXT] = {"ext", "an extension value"},
    [TYPE_UNKNOWN] = {"unknown", "of an unknown type"},
};

enum value_type value_type(value v)
{
    if (value_is_int(v)) return TYPE_INT;
    if (value_is_double(v)) return TYPE_FLOAT;
    if (value_is_text(v)) return text_is_bytes(v) ? TYPE_BYTES : TYPE_STRING;
    if (v == VALUE_NIL || v == VALUE_ABSENT) return TYPE_NIL;
    if (value_is_bool(v)) return TYPE_BOOL;
    if (value_is_weak(v)) return TYPE_WEAK;
    if (!value_is_ref(v)) return TYPE_UNKNOWN;
    switch (ref_kind(v)) {
    case KIND_INT64:
    case KIND_UINT64: return TYPE_INT;
    case KIND_DOUBLE: return TYPE_FLOAT;
    case KIND_LIST: return TYPE_LIST;
    case KIND_MAP: return TYPE_MAP;
    case KIND_SET: return TYPE_SET;
    case KIND_SORTED_SET: return TYPE_SORTED_SET;
    case KIND_TABLE: return TYPE_TABLE;
    case KIND_EXT: return TYPE_EXT;
    default: return TYPE_UNKNOWN;
    }
}

const char *value_type_name(value v) { return type_names[value_type(v)].name; }
const char *value_describe(value v) { return type_names[value_type(v)].described; }
