/* table_flat.c - see table_flat.h. */
#include "heap/table_flat.h"

#include <assert.h>

/* --- building ----------------------------------------------------------------------------------*/

static void flat_align(struct table_out *out, size_t base, size_t to)
{
    out_zeros(out, -(out->length - base) & (to - 1));
}

static void flat_point_to(struct table_out *out, size_t at, size_t target)
{
    if (!out->failed) put32(out->data + at, (uint32_t)(target - at));
}

size_t flat_root(struct table_out *out)
{
    size_t at = out->length;
    out_zeros(out, 4);
    return at;
}

struct flat_table flat_table_begin(struct table_out *out, size_t base, size_t at,
                                   const char *sizes)
{
    struct flat_table t = {out, base, {0}};
    unsigned count = (unsigned)strlen(sizes), vtable_bytes = 4 + 2 * count;
    assert(count <= FLAT_FIELDS_MAX);
    flat_align(out, base, 2);
    size_t vtable = out->length;
    out_zeros(out, vtable_bytes);
    flat_align(out, base, 4);
    size_t table = out->length;
    out_zeros(out, 4);
    for (unsigned i = 0; i < count; i++) {
        size_t bytes = (size_t)(sizes[i] - '0');
        if (!bytes) continue;
        flat_align(out, base, bytes);
        t.at[i] = out->length;
        out_zeros(out, bytes);
    }
    if (out->failed) return t;
    flat_point_to(out, at, table);
    put32(out->data + table, (uint32_t)(table - vtable));
    put16(out->data + vtable, (uint16_t)vtable_bytes);
    put16(out->data + vtable + 2, (uint16_t)(out->length - table));
    for (unsigned i = 0; i < count; i++)
        if (t.at[i]) put16(out->data + vtable + 4 + 2 * i, (uint16_t)(t.at[i] - table));
    return t;
}

void flat_set(struct flat_table *t, unsigned field, uint64_t v, unsigned bytes)
{
    if (!t->out->failed) memcpy(t->out->data + t->at[field], &v, bytes);
}

size_t flat_vector(struct table_out *out, size_t base, size_t at, uint32_t count, unsigned bytes)
{
    flat_align(out, base, 4);
    if (bytes > 4 && (out->length - base) % 8 == 0) out_zeros(out, 4);
    flat_point_to(out, at, out->length);
    unsigned char *p = out_zeros(out, 4);
    if (p) put32(p, count);
    size_t first = out->length;
    out_zeros(out, (size_t)count * bytes);
    return first;
}

void flat_string(struct table_out *out, size_t at, const char *data, size_t length)
{
    while (!out->failed && out->length % 4) out_byte(out, 0);
    flat_point_to(out, at, out->length);
    unsigned char *p = out_zeros(out, 4);
    if (p) put32(p, (uint32_t)length);
    out_put(out, data, length);
    out_byte(out, 0);
}

/* --- reading -----------------------------------------------------------------------------------*/

static bool flat_check(struct flat *f, size_t at, size_t bytes, const char *what)
{
    if (f->wrong) return false;
    if (at <= f->length && bytes <= f->length - at) return true;
    f->wrong = what;
    f->wrong_at = at;
    return false;
}

static uint16_t get16(const struct flat *f, size_t at)
{
    uint16_t v;
    memcpy(&v, f->data + at, sizeof v);
    return v;
}
static uint32_t get32(const struct flat *f, size_t at)
{
    uint32_t v;
    memcpy(&v, f->data + at, sizeof v);
    return v;
}

/* Where the offset at `at` points; 0: wrong. */
static size_t flat_follow(struct flat *f, size_t at)
{
    if (!flat_check(f, at, 4, "an offset that lies outside")) return 0;
    size_t target = at + get32(f, at);
    return flat_check(f, target, 4, "an offset that points outside") && target != at ? target : 0;
}

struct flat_view flat_view_element(struct flat *f, size_t at)
{
    struct flat_view t = {.at = flat_follow(f, at)};
    struct flat_view none = {.at = 0};
    if (!t.at) return none;
    int64_t vtable = (int64_t)t.at - (int32_t)get32(f, t.at);
    t.vtable = vtable < 0 ? SIZE_MAX : (size_t)vtable;
    if (!flat_check(f, t.vtable, 4, "a table whose vtable lies outside")) return none;
    t.vtable_bytes = get16(f, t.vtable);
    t.bytes = get16(f, t.vtable + 2);
    if (!flat_check(f, t.vtable, t.vtable_bytes, "a vtable that ends outside")) return none;
    if (!flat_check(f, t.at, t.bytes, "a table that ends outside")) return none;
    return t;
}

struct flat_view flat_view_root(struct flat *f)
{
    return flat_view_element(f, 0);
}

/* Where a field of `bytes` lies; 0: absent, or wrong. */
static size_t flat_field(struct flat *f, const struct flat_view *t, unsigned field, size_t bytes)
{
    size_t entry = 4 + 2 * (size_t)field;
    if (f->wrong || !t->at || entry + 2 > t->vtable_bytes) return 0;
    size_t offset = get16(f, t->vtable + entry);
    if (offset == 0) return 0;
    if (offset + bytes <= t->bytes) return t->at + offset;
    f->wrong = "a field that lies outside of its table";
    f->wrong_at = t->at;
    return 0;
}

bool flat_view_has(struct flat *f, const struct flat_view *t, unsigned field)
{
    return flat_field(f, t, field, 1) != 0;
}

struct flat_view flat_view_table(struct flat *f, const struct flat_view *t, unsigned field)
{
    size_t at = flat_field(f, t, field, 4);
    struct flat_view none = {.at = 0};
    return at ? flat_view_element(f, at) : none;
}

uint64_t flat_view_number(struct flat *f, const struct flat_view *t, unsigned field,
                          unsigned bytes, uint64_t otherwise)
{
    size_t at = flat_field(f, t, field, bytes);
    uint64_t v = 0;
    if (!at) return otherwise;
    memcpy(&v, f->data + at, bytes);
    return v;
}

struct flat_elements flat_view_vector(struct flat *f, const struct flat_view *t, unsigned field,
                                      unsigned bytes)
{
    struct flat_elements e = {0, 0};
    size_t at = flat_field(f, t, field, 4);
    size_t vector = at ? flat_follow(f, at) : 0;
    if (!vector) return e;
    uint32_t count = get32(f, vector);
    if (!flat_check(f, vector + 4, (size_t)count * bytes, "a vector that ends outside")) return e;
    e.at = vector + 4;
    e.count = count;
    return e;
}
