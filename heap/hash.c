/* hash.c - the keyed hash of map keys and texts.
 *
 * SipHash-1-3 (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012, with
 * one compression and three finalisation rounds). Clients choose keys; without knowing the
 * server's key they cannot choose keys that collide. */
#include "heap/heap_int.h"

static inline uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

#define SIP_ROUND(v0, v1, v2, v3)                                                             \
    do {                                                                                      \
        v0 += v1, v1 = rotate(v1, 13), v1 ^= v0, v0 = rotate(v0, 32);                         \
        v2 += v3, v3 = rotate(v3, 16), v3 ^= v2;                                              \
        v0 += v3, v3 = rotate(v3, 21), v3 ^= v0;                                              \
        v2 += v1, v1 = rotate(v1, 17), v1 ^= v2, v2 = rotate(v2, 32);                         \
    } while (0)

uint64_t heap_hash(const struct heap *h, const void *data, size_t length)
{
    uint64_t v0 = h->hash_key[0] ^ 0x736f6d6570736575, v1 = h->hash_key[1] ^ 0x646f72616e646f6d;
    uint64_t v2 = h->hash_key[0] ^ 0x6c7967656e657261, v3 = h->hash_key[1] ^ 0x7465646279746573;
    const unsigned char *p = data;
    uint64_t word;
    for (size_t n = length / 8; n; n--, p += 8) {
        memcpy(&word, p, 8);
        v3 ^= word;
        SIP_ROUND(v0, v1, v2, v3);
        v0 ^= word;
    }
    word = 0;
    memcpy(&word, p, length % 8);
    word |= (uint64_t)length << 56;
    v3 ^= word;
    SIP_ROUND(v0, v1, v2, v3);
    v0 ^= word;
    v2 ^= 0xff;
    for (int i = 0; i < 3; i++) SIP_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}
