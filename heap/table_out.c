/* table_out.c - see table_out.h. */
#include "heap/table_out.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "heap/query.h"

unsigned char *out_room(struct table_out *o, size_t bytes)
{
    if (o->failed) return NULL;
    if (o->data && bytes <= o->capacity - o->length) return o->data + o->length;
    size_t wanted = o->capacity + o->capacity / 2 + 256;
    if (wanted < o->length + bytes) wanted = o->length + bytes;
    unsigned char *data = NULL;
    size_t more = wanted - o->capacity;
    if (bytes <= SIZE_MAX / 4 && (!o->query || query_charge(o->query, more) == 0)) {
        data = realloc(o->data, wanted);
        if (!data && o->query) query_charge_failed(o->query, more);
    }
    if (!data) {
        o->failed = true;
        return NULL;
    }
    o->data = data;
    o->capacity = wanted;
    return data + o->length;
}

unsigned char *out_zeros(struct table_out *o, size_t bytes)
{
    unsigned char *p = out_room(o, bytes);
    if (!p) return NULL;
    memset(p, 0, bytes);
    o->length += bytes;
    return p;
}

void out_align(struct table_out *o, size_t to)
{
    out_zeros(o, -o->length & (to - 1));
}

void out_put(struct table_out *o, const void *data, size_t length)
{
    unsigned char *p = out_room(o, length);
    if (!p) return;
    if (length) memcpy(p, data, length);
    o->length += length;
}

void out_text(struct table_out *o, const char *text)
{
    out_put(o, text, strlen(text));
}

void out_print(struct table_out *o, const char *format, ...)
{
    char room[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(room, sizeof room, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof room);
    out_put(o, room, (size_t)length);
}

void out_base64(struct table_out *o, const char *data, size_t length)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)data;
    size_t bytes = (length + 2) / 3 * 4;
    unsigned char *p = out_room(o, bytes);
    for (size_t i = 0; p && i < length; i += 3, p += 4) {
        size_t left = length - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0);
        p[0] = (unsigned char)digits[group >> 18];
        p[1] = (unsigned char)digits[group >> 12 & 63];
        p[2] = left > 1 ? (unsigned char)digits[group >> 6 & 63] : '=';
        p[3] = left > 2 ? (unsigned char)digits[group & 63] : '=';
    }
    out_add(o, bytes);
}

void out_close(struct table_out *o)
{
    free(o->data);
    if (o->query) query_refund(o->query, o->capacity);
    *o = (struct table_out){.query = o->query};
}

uint64_t table_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
