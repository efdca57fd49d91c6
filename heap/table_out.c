/* table_out.c - see table_out.h. */
#include "heap/table_out.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

unsigned char *out_room(struct table_out *o, size_t bytes)
{
    if (o->failed) return NULL;
    if (bytes <= o->capacity - o->length) return o->data + o->length;
    size_t wanted = o->capacity + o->capacity / 2 + 256;
    if (wanted < o->length + bytes) wanted = o->length + bytes;
    unsigned char *data = bytes > SIZE_MAX / 4 ? NULL : realloc(o->data, wanted);
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
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0);
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        out_put(o, four, 4);
    }
}

static bool out_special(struct table_out *o, double d)
{
    if (isfinite(d)) return false;
    out_text(o, isnan(d) ? "nan" : d < 0 ? "-inf" : "inf");
    return true;
}

void out_double(struct table_out *o, double d)
{
    char room[40];
    if (out_special(o, d)) return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(room, sizeof room, "%.*g", digits, d);
        if (strtod(room, NULL) == d) break;
    }
    out_text(o, room);
}

void out_float(struct table_out *o, float f)
{
    char room[40];
    if (out_special(o, (double)f)) return;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(room, sizeof room, "%.*g", digits, (double)f);
        if (strtof(room, NULL) == f) break;
    }
    out_text(o, room);
}

void out_close(struct table_out *o)
{
    free(o->data);
    *o = (struct table_out){.data = NULL};
}

/* --- what goes out -----------------------------------------------------------------------------*/

uint32_t export_column_count(const struct table_export *e)
{
    return e->columns ? e->column_count : table_column_count(table_version_table(e->version));
}

uint32_t export_column(const struct table_export *e, uint32_t i)
{
    return e->columns ? e->columns[i] : i;
}

const struct table_field *export_field(const struct table_export *e, uint32_t i)
{
    return table_field(table_version_table(e->version), export_column(e, i));
}

bool table_walk_next(struct table_walk *w, const struct table_export *e, struct table_part *part)
{
    const struct table_version *v = e->version;
    if (w->chunk >= table_version_chunks(v)) return false;
    part->chunk = w->chunk;
    part->vector = w->vector;
    part->rows = e->select ? e->select(e->select_data, v, w->chunk, w->vector, part->selected)
                           : table_vector_live(v, w->chunk, w->vector, part->selected);
    if (++w->vector == table_slots_vectors(table_chunk_slots(v, w->chunk))) {
        w->vector = 0;
        w->chunk++;
    }
    return true;
}

uint64_t table_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
