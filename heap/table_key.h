/* table_key.h - order keys: unsigned numbers that order as the values do, for sorting and for
 * indexes. Texts: the first 8 bytes, and then text_order. Only for files of heap/. */
#ifndef CAIRN_HEAP_TABLE_KEY_H
#define CAIRN_HEAP_TABLE_KEY_H

#include <string.h>

#include "heap/table.h"

#define KEY_SIGN ((uint64_t)1 << 63)
#define KEY_NAN (0x7ff0000000000000u + KEY_SIGN + 1)
#define KEY_MINUS_ZERO (KEY_SIGN - 1) /* never the key of a double */
static inline uint64_t key_of_int(int64_t i) { return (uint64_t)i ^ KEY_SIGN; }
static inline int64_t key_to_int(uint64_t key) { return (int64_t)(key ^ KEY_SIGN); }
static inline uint64_t key_of_double(double d)
{
    uint64_t bits;
    if (d != d) return KEY_NAN;
    d += 0.0; /* -0.0 becomes 0.0 */
    memcpy(&bits, &d, sizeof bits);
    return bits & KEY_SIGN ? ~bits : bits | KEY_SIGN;
}
static inline double key_to_double(uint64_t key)
{
    uint64_t bits = key & KEY_SIGN ? key ^ KEY_SIGN : ~key;
    double d;
    if (key >= KEY_NAN) bits = 0x7ff8000000000000u;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static inline uint64_t key_of_text(struct table_text t)
{
    uint64_t bits = 0;
    memcpy(&bits, t.data, t.length < 8 ? t.length : 8);
    return __builtin_bswap64(bits);
}
static inline int text_order(struct table_text a, struct table_text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

#endif
