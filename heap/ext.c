/* ext.c - opaque MessagePack extension values.
 *
 * What the server does not understand it keeps and gives back as it came. An extension is
 * one leaf, so its size is limited to that of an object of one piece:
 *
 *   [type:1][length:7 little-endian][data…]
 */
#include "heap/store.h"
#include "heap/text.h"

#include <endian.h>

value ext_new(struct heap *h, int8_t type, const void *data, size_t length)
{
    if (length > EXT_BYTES_MAX) return VALUE_ABSENT;
    uint64_t prefix = htole64((uint64_t)length << 8 | (uint8_t)type);
    value v = cell_take(h, KIND_EXT, sizeof prefix + length, 0);
    if (v == VALUE_ABSENT) return v;
    store_bytes(h, v, 0, &prefix, sizeof prefix);
    if (length > 0) store_bytes(h, v, sizeof prefix, data, length);
    return v;
}

int8_t ext_type(const struct heap *h, value v)
{
    const int8_t *cell = cell_bytes(h, v);
    return *cell;
}

const char *ext_data(const struct heap *h, value v, size_t *length)
{
    uint64_t prefix;
    memcpy(&prefix, cell_bytes(h, v), sizeof prefix);
    *length = le64toh(prefix) >> 8;
    return (const char *)cell_bytes(h, v) + sizeof prefix;
}
