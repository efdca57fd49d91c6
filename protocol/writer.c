/* writer.c - MessagePack out.
 *
 * msgpack-c's packing template chooses the encodings (it takes the shortest, always); this
 * file gives it a buffer that grows by doubling, up to a limit, and remembers failure. An
 * item's header is appended whole or not at all. */
#include "protocol/writer.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack/sysdep.h>
#include <msgpack/timestamp.h>

#define WRITER_BYTES_MIN 256

/* --- the buffer -------------------------------------------------------------------------*/

/* What `length` may not pass. Owners change the limit between messages, so it can lie below
 * the capacity. */
static inline size_t length_max(const struct writer *w)
{
    return w->limit > 0 && w->limit < w->capacity ? w->limit : w->capacity;
}

/* Makes room for `more` bytes, or notes the error. */
static bool grow(struct writer *w, size_t more)
{
    size_t limit = w->limit > 0 ? w->limit : PTRDIFF_MAX;
    if (w->length > limit || more > limit - w->length) {
        w->error = w->limit > 0 ? WRITER_LIMIT : WRITER_NO_MEMORY;
        return false;
    }
    size_t capacity = w->capacity > 0 ? w->capacity : WRITER_BYTES_MIN;
    while (capacity - w->length < more && capacity <= limit / 2) capacity *= 2;
    if (capacity > limit || capacity - w->length < more) capacity = limit;
    char *data = realloc(w->data, capacity);
    if (!data) {
        w->error = WRITER_NO_MEMORY;
        return false;
    }
    w->data = data;
    w->capacity = capacity;
    return true;
}

static inline int append(struct writer *w, const void *data, size_t length)
{
    if (w->error != WRITER_OK) return -1;
    size_t end = length_max(w);
    if ((w->length > end || length > end - w->length) && !grow(w, length)) return -1;
    if (length > 0) memcpy(w->data + w->length, data, length);
    w->length += length;
    return 0;
}

#define msgpack_pack_inline_func(name) static inline int msgpack_pack##name
#define msgpack_pack_inline_func_cint(name) static inline int msgpack_pack##name
#define msgpack_pack_user struct writer *
#define msgpack_pack_append_buffer(w, data, length) return append(w, data, length)
#include <msgpack/pack_template.h>

/* A header can announce no more than 2^32 - 1. */
static bool header_fits(struct writer *w, size_t count)
{
    if (count <= UINT32_MAX) return true;
    if (w->error == WRITER_OK) w->error = WRITER_LIMIT;
    return false;
}

void writer_init(struct writer *w, size_t limit)
{
    *w = (struct writer){.limit = limit};
}

void writer_close(struct writer *w)
{
    free(w->data);
    *w = (struct writer){.limit = w->limit};
}

void writer_rewind(struct writer *w, size_t length)
{
    assert(length <= w->length);
    w->length = length;
    w->error = WRITER_OK;
}

/* --- items ------------------------------------------------------------------------------*/

void writer_nil(struct writer *w)
{
    msgpack_pack_nil(w);
}

void writer_bool(struct writer *w, bool value)
{
    if (value)
        msgpack_pack_true(w);
    else
        msgpack_pack_false(w);
}

void writer_int(struct writer *w, int64_t value)
{
    msgpack_pack_int64(w, value);
}

void writer_uint(struct writer *w, uint64_t value)
{
    msgpack_pack_uint64(w, value);
}

void writer_double(struct writer *w, double value)
{
    msgpack_pack_double(w, value);
}

void writer_bytes(struct writer *w, const void *data, size_t length)
{
    append(w, data, length);
}

void writer_str_header(struct writer *w, size_t length)
{
    if (header_fits(w, length)) msgpack_pack_str(w, length);
}

void writer_str(struct writer *w, const char *data, size_t length)
{
    writer_str_header(w, length);
    writer_bytes(w, data, length);
}

void writer_cstr(struct writer *w, const char *text)
{
    writer_str(w, text, strlen(text));
}

void writer_bin_header(struct writer *w, size_t length)
{
    if (header_fits(w, length)) msgpack_pack_bin(w, length);
}

void writer_bin(struct writer *w, const void *data, size_t length)
{
    writer_bin_header(w, length);
    writer_bytes(w, data, length);
}

void writer_ext_header(struct writer *w, int8_t type, size_t length)
{
    if (header_fits(w, length)) msgpack_pack_ext(w, length, type);
}

void writer_ext(struct writer *w, int8_t type, const void *data, size_t length)
{
    writer_ext_header(w, type, length);
    writer_bytes(w, data, length);
}

#define EXT_HEADER_MAX 6

size_t writer_ext_open(struct writer *w)
{
    static const char header[EXT_HEADER_MAX];
    size_t mark = w->length;
    append(w, header, sizeof header);
    return mark;
}

void writer_ext_close(struct writer *w, size_t mark, int8_t type)
{
    if (w->error != WRITER_OK) return;
    size_t body = mark + EXT_HEADER_MAX, length = w->length - body;
    if (!header_fits(w, length)) return;
    w->length = mark;
    msgpack_pack_ext(w, length, type); /* the room is there: this and the body are no longer */
    memmove(w->data + w->length, w->data + body, length);
    w->length += length;
}

void writer_array(struct writer *w, size_t count)
{
    if (header_fits(w, count)) msgpack_pack_array(w, count);
}

void writer_map(struct writer *w, size_t count)
{
    if (header_fits(w, count)) msgpack_pack_map(w, count);
}

/* --- envelopes --------------------------------------------------------------------------*/

void writer_request(struct writer *w, uint32_t msgid, const char *method, size_t params_count)
{
    writer_array(w, 4);
    writer_uint(w, 0);
    writer_uint(w, msgid);
    writer_cstr(w, method);
    writer_array(w, params_count);
}

void writer_response(struct writer *w, uint32_t msgid)
{
    writer_array(w, 4);
    writer_response_rest(w, msgid);
}

void writer_response_rest(struct writer *w, uint32_t msgid)
{
    writer_uint(w, 1);
    writer_uint(w, msgid);
}

void writer_notification(struct writer *w, const char *method, size_t params_count)
{
    writer_array(w, 3);
    writer_uint(w, 2);
    writer_cstr(w, method);
    writer_array(w, params_count);
}
