/* utf8.c - which bytes are UTF-8.
 *
 * Every string that enters the heap is checked once, so the check must run near the speed
 * of memory for plain ASCII and may be ordinary for the rest. Well-formed is what table 3-7
 * of the Unicode standard (and RFC 3629) lists: no overlong forms, no surrogates, nothing
 * above U+10FFFF. All of that is decided by the first byte, which fixes how many bytes
 * follow and the range of the second; the others are 80..BF. */
#include "heap/text_int.h"

/* A state between bytes: how many are still to come, and the range of the next. 0: none. */
static inline uint32_t utf8_expect(unsigned bytes, unsigned low, unsigned high)
{
    return bytes << 16 | low << 8 | high;
}

/* The state after the first byte of a sequence of two or more. */
static uint32_t utf8_lead(unsigned char c)
{
    if (c < 0xc2) return UTF8_INVALID; /* a continuation, or overlong */
    if (c < 0xe0) return utf8_expect(1, 0x80, 0xbf);
    if (c == 0xe0) return utf8_expect(2, 0xa0, 0xbf); /* below: overlong */
    if (c == 0xed) return utf8_expect(2, 0x80, 0x9f); /* above: surrogates */
    if (c < 0xf0) return utf8_expect(2, 0x80, 0xbf);
    if (c == 0xf0) return utf8_expect(3, 0x90, 0xbf); /* below: overlong */
    if (c < 0xf4) return utf8_expect(3, 0x80, 0xbf);
    if (c == 0xf4) return utf8_expect(3, 0x80, 0x8f); /* above: beyond U+10FFFF */
    return UTF8_INVALID;
}

/* The state after byte `c` in state `state`, which is neither 0 nor UTF8_INVALID. */
static inline uint32_t utf8_continue(uint32_t state, unsigned char c)
{
    if (c < (state >> 8 & 0xff) || c > (state & 0xff)) return UTF8_INVALID;
    unsigned left = (state >> 16) - 1;
    return left == 0 ? 0 : utf8_expect(left, 0x80, 0xbf);
}

/* The first byte at or after `p` that is not ASCII, or `end`. */
static const unsigned char *utf8_skip_ascii(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= 16) {
        uint64_t words[2];
        memcpy(words, p, sizeof words);
        if ((words[0] | words[1]) & 0x8080808080808080) break;
        p += sizeof words;
    }
    while (p < end && *p < 0x80) p++;
    return p;
}

size_t utf8_prefix(const void *data, size_t length)
{
    const unsigned char *begin = data, *end = begin + length, *p = begin;
    for (;;) {
        p = utf8_skip_ascii(p, end);
        if (p == end) return length;
        /* A stretch of other scripts: stay here until the next ASCII byte. */
        do {
            const unsigned char *q = p + 1;
            uint32_t state = utf8_lead(*p);
            while (state != 0 && state != UTF8_INVALID && q < end)
                state = utf8_continue(state, *q++);
            if (state != 0) return (size_t)(p - begin);
            p = q;
        } while (p < end && *p >= 0x80);
    }
}

uint32_t utf8_feed(uint32_t state, const void *data, size_t length)
{
    const unsigned char *p = data, *end = p + length;
    while (p < end && state != UTF8_INVALID) {
        if (state != 0) {
            state = utf8_continue(state, *p++);
            continue;
        }
        p += utf8_prefix(p, (size_t)(end - p));
        if (p < end) state = utf8_lead(*p++);
    }
    return state;
}
