/* test_utf8.c - what counts as UTF-8, against a checker that decodes and compares numbers. */
#include "heap/text_int.h"

#include <stdio.h>

#include "tests/support/random.h"
#include "tests/support/runner.h"

/* The length of the well-formed sequence at `p`, or 0: decodes by the bit patterns, then
 * asks whether the code point may be written so. */
static size_t naive_sequence(const unsigned char *p, size_t length)
{
    size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3
               : (p[0] & 0xf8) == 0xf0                 ? 4
                                                       : 0;
    if (n == 0 || n > length) return 0;
    uint32_t point = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        point = point << 6 | (p[i] & 0x3f);
    }
    const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0;
    return n;
}

static size_t naive_prefix(const unsigned char *p, size_t length)
{
    size_t i = 0, n;
    while (i < length && (n = naive_sequence(p + i, length - i)) > 0) i += n;
    return i;
}

/* Check's own assertions are slow: they are reached only if something is wrong. */
static void check(const void *data, size_t length)
{
    size_t expected = naive_prefix(data, length), prefix = utf8_prefix(data, length);
    bool whole = utf8_feed(0, data, length) == 0;
    if (prefix == expected && whole == (expected == length)) return;
    ck_assert_uint_eq(prefix, expected);
    ck_assert_int_eq(whole, expected == length);
}

START_TEST(all_sequences_of_up_to_three_bytes)
{
    for (unsigned i = 0; i < 1u << 24; i++) {
        unsigned char s[3] = {(unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i};
        size_t expected = naive_prefix(s, 3);
        if (utf8_prefix(s, 3) != expected) ck_abort_msg("%02x %02x %02x", s[0], s[1], s[2]);
        if (i < 1u << 16) check(s + 1, 2);
        if (i < 1u << 8) check(s + 2, 1);
    }
}
END_TEST

START_TEST(four_bytes_at_every_boundary)
{
    const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                   0xbf, 0xc0, 0xed, 0xf0, 0xf4, 0xff};
    const size_t n = sizeof edges;
    for (unsigned first = 0xe0; first <= 0xff; first++)
        for (size_t i = 0; i < n * n * n; i++) {
            unsigned char s[4] = {(unsigned char)first, edges[i / n / n], edges[i / n % n],
                                  edges[i % n]};
            check(s, 4);
        }
}
END_TEST

static size_t encode(uint32_t point, unsigned char *out)
{
    if (point < 0x80) return out[0] = (unsigned char)point, 1;
    size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, point >>= 6) out[i] = 0x80 | (point & 0x3f);
    out[0] = (unsigned char)((0xf00 >> n & 0xff) | point);
    return n;
}

START_TEST(every_code_point_but_surrogates_is_valid)
{
    for (uint32_t point = 0; point < 0x120000; point++) {
        unsigned char s[4];
        size_t n = encode(point, s);
        bool valid = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        if (utf8_valid(s, n) != valid || utf8_prefix(s, n - 1) != 0)
            ck_abort_msg("U+%X", point);
    }
}
END_TEST

START_TEST(cut_sequences_are_not_whole)
{
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8f\x94z";
    const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t n = 0; n <= strlen(text); n++) ck_assert_uint_eq(utf8_prefix(text, n), whole[n]);
    ck_assert_uint_eq(utf8_prefix("", 0), 0);
}
END_TEST

START_TEST(parts_are_judged_like_the_whole)
{
    uint64_t seed = random_seed(), state = seed;
    printf("# seed %lu\n", (unsigned long)seed);
    for (int round = 0; round < 20000; round++) {
        unsigned char text[96];
        size_t length = 0;
        while (length < sizeof text - 20) {
            uint64_t r = random_below(&state, 100);
            if (r < 40)
                for (unsigned i = 0; i < 16; i++) text[length++] = 'a' + (unsigned char)i;
            else if (r < 97)
                length += encode((uint32_t)random_below(&state, 0xd800), text + length);
            else
                text[length++] = (unsigned char)random_next(&state);
        }
        check(text, length);
        uint32_t utf8 = 0;
        for (size_t offset = 0; offset < length;) {
            size_t n = 1 + random_below(&state, 5);
            if (n > length - offset) n = length - offset;
            utf8 = utf8_feed(utf8, text + offset, n);
            offset += n;
        }
        ck_assert_int_eq(utf8 == 0, utf8_valid(text, length));
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_sequences_of_up_to_three_bytes);
    tcase_add_test(tcase, four_bytes_at_every_boundary);
    tcase_add_test(tcase, every_code_point_but_surrogates_is_valid);
    tcase_add_test(tcase, cut_sequences_are_not_whole);
    tcase_add_test(tcase, parts_are_judged_like_the_whole);
    suite_add_tcase(suite, tcase);
    return suite;
}
