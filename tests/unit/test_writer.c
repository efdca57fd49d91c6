/* test_writer.c - the bytes that come out, at each boundary of the encodings; limits. */
#include "protocol/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"

static struct writer w;

static void setup(void)
{
    writer_init(&w, 0);
}

static void teardown(void)
{
    writer_close(&w);
}

/* What was written begins with the bytes `hex`, and is `length` long; then starts anew. */
static void check_written(const char *hex, size_t length)
{
    char digits[64] = "";
    ck_assert_int_eq(w.error, WRITER_OK);
    ck_assert_uint_eq(w.length, length);
    for (size_t i = 0; 2 * i < strlen(hex); i++)
        sprintf(digits + 2 * i, "%02x", (unsigned char)w.data[i]);
    ck_assert_str_eq(digits, hex);
    writer_rewind(&w, 0);
}

static void check_bytes(const char *hex)
{
    check_written(hex, strlen(hex) / 2);
}

START_TEST(integers_take_the_shortest_form)
{
    static const struct {
        int64_t value;
        const char *hex;
    } cases[] = {
        {0, "00"}, {1, "01"}, {127, "7f"}, {128, "cc80"}, {255, "ccff"}, {256, "cd0100"},
        {65535, "cdffff"}, {65536, "ce00010000"}, {UINT32_MAX, "ceffffffff"},
        {INT64_C(1) << 32, "cf0000000100000000"}, {INT64_MAX, "cf7fffffffffffffff"},
        {-1, "ff"}, {-32, "e0"}, {-33, "d0df"}, {-128, "d080"}, {-129, "d1ff7f"},
        {-32768, "d18000"}, {-32769, "d2ffff7fff"}, {INT32_MIN, "d280000000"},
        {(int64_t)INT32_MIN - 1, "d3ffffffff7fffffff"}, {INT64_MIN, "d38000000000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        writer_int(&w, cases[i].value);
        check_bytes(cases[i].hex);
        if (cases[i].value < 0) continue;
        writer_uint(&w, (uint64_t)cases[i].value);
        check_bytes(cases[i].hex);
    }
    writer_uint(&w, UINT64_C(1) << 63);
    check_bytes("cf8000000000000000");
    writer_uint(&w, UINT64_MAX);
    check_bytes("cfffffffffffffffff");
}
END_TEST

START_TEST(scalars_have_one_form)
{
    writer_nil(&w);
    writer_bool(&w, false);
    writer_bool(&w, true);
    check_bytes("c0c2c3");
    writer_double(&w, 1.5);
    check_bytes("cb3ff8000000000000");
    writer_double(&w, -0.0);
    check_bytes("cb8000000000000000");
    writer_double(&w, INFINITY);
    check_bytes("cb7ff0000000000000");
}
END_TEST

START_TEST(texts_take_the_shortest_header)
{
    static const struct {
        size_t length;
        const char *str, *bin, *ext;
    } cases[] = {
        {0, "a0", "c400", "c700f9"},
        {1, "a1", "c401", "d4f9"},
        {2, "a2", "c402", "d5f9"},
        {3, "a3", "c403", "c703f9"},
        {4, "a4", "c404", "d6f9"},
        {8, "a8", "c408", "d7f9"},
        {16, "b0", "c410", "d8f9"},
        {17, "b1", "c411", "c711f9"},
        {31, "bf", "c41f", "c71ff9"},
        {32, "d920", "c420", "c720f9"},
        {255, "d9ff", "c4ff", "c7fff9"},
        {256, "da0100", "c50100", "c80100f9"},
        {65535, "daffff", "c5ffff", "c8fffff9"},
        {65536, "db00010000", "c600010000", "c900010000f9"},
    };
    char *data = calloc(1, 65536);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = cases[i].length;
        writer_str(&w, data, length);
        check_written(cases[i].str, strlen(cases[i].str) / 2 + length);
        writer_bin(&w, data, length);
        check_written(cases[i].bin, strlen(cases[i].bin) / 2 + length);
        writer_ext(&w, -7, data, length);
        check_written(cases[i].ext, strlen(cases[i].ext) / 2 + length);
        writer_str_header(&w, length);
        check_bytes(cases[i].str);
        writer_bin_header(&w, length);
        check_bytes(cases[i].bin);
    }
    free(data);
    writer_str_header(&w, UINT32_MAX);
    check_bytes("dbffffffff");
    writer_cstr(&w, "stone");
    check_bytes("a573746f6e65");
    writer_str_header(&w, 5);
    writer_bytes(&w, "sto", 3);
    writer_bytes(&w, "ne", 2);
    check_bytes("a573746f6e65");
}
END_TEST

START_TEST(containers_take_the_shortest_header)
{
    static const struct {
        size_t count;
        const char *array, *map;
    } cases[] = {
        {0, "90", "80"},
        {15, "9f", "8f"},
        {16, "dc0010", "de0010"},
        {65535, "dcffff", "deffff"},
        {65536, "dd00010000", "df00010000"},
        {UINT32_MAX, "ddffffffff", "dfffffffff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        writer_array(&w, cases[i].count);
        check_bytes(cases[i].array);
        writer_map(&w, cases[i].count);
        check_bytes(cases[i].map);
    }
}
END_TEST

START_TEST(envelopes_begin_as_the_protocol_says)
{
    writer_request(&w, 4294967295u, "ping", 2);
    check_bytes("9400ceffffffffa470696e6792");
    writer_response(&w, 7);
    check_bytes("940107");
    writer_notification(&w, "gone", 0);
    check_bytes("9302a4676f6e6590");
}
END_TEST

START_TEST(a_limit_is_reached_exactly_and_remembered)
{
    writer_close(&w);
    writer_init(&w, 6);
    writer_str(&w, "abcde", 5);
    ck_assert_uint_eq(w.length, 6);
    ck_assert_int_eq(w.error, WRITER_OK);
    writer_nil(&w);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    ck_assert_uint_eq(w.length, 6);

    /* A header goes in whole or not at all, and nothing follows what failed. */
    writer_rewind(&w, 3);
    ck_assert_int_eq(w.error, WRITER_OK);
    writer_uint(&w, 100000);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    writer_nil(&w);
    writer_bytes(&w, "x", 1);
    ck_assert_uint_eq(w.length, 3);
    ck_assert_mem_eq(w.data, "\xa5" "ab", 3);
    writer_rewind(&w, 0);
    writer_uint(&w, 100000);
    check_bytes("ce000186a0");
}
END_TEST

START_TEST(a_limit_can_be_lowered_below_the_capacity)
{
    for (int i = 0; i < 100; i++) writer_nil(&w);
    writer_rewind(&w, 0);
    w.limit = 3;
    for (int i = 0; i < 4; i++) writer_nil(&w);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    ck_assert_uint_eq(w.length, 3);
    w.limit = 2; /* even below what is there */
    writer_rewind(&w, 3);
    writer_nil(&w);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    w.limit = 0;
    writer_rewind(&w, 3);
    writer_nil(&w);
    check_bytes("c0c0c0c0");
}
END_TEST

START_TEST(no_memory_is_remembered)
{
    writer_nil(&w);
    writer_bytes(&w, "", (size_t)PTRDIFF_MAX); /* never read: there is no room for it */
    ck_assert_int_eq(w.error, WRITER_NO_MEMORY);
    writer_nil(&w);
    ck_assert_uint_eq(w.length, 1);
    writer_rewind(&w, 1);
    writer_nil(&w);
    check_bytes("c0c0");
}
END_TEST

START_TEST(what_no_header_can_announce_is_over_the_limit)
{
    writer_array(&w, (size_t)UINT32_MAX + 1);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    writer_rewind(&w, 0);
    writer_map(&w, (size_t)UINT32_MAX + 1);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    writer_rewind(&w, 0);
    writer_str(&w, "", (size_t)UINT32_MAX + 1);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    writer_rewind(&w, 0);
    writer_bin(&w, "", (size_t)UINT32_MAX + 1);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    writer_rewind(&w, 0);
    writer_ext(&w, 1, "", (size_t)UINT32_MAX + 1);
    ck_assert_int_eq(w.error, WRITER_LIMIT);
    ck_assert_uint_eq(w.length, 0);
}
END_TEST

START_TEST(the_buffer_grows_and_keeps_what_it_has)
{
    for (int i = 0; i < 100000; i++) writer_int(&w, i % 100);
    ck_assert_int_eq(w.error, WRITER_OK);
    ck_assert_uint_eq(w.length, 100000);
    for (int i = 0; i < 100000; i++) ck_assert_int_eq(w.data[i], i % 100);
    ck_assert_uint_le(w.capacity, 2 * w.length);
    writer_close(&w);
    ck_assert_ptr_null(w.data);
    writer_nil(&w); /* closed is empty, and can be used again */
    check_bytes("c0");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("writer");
    TCase *tcase = tcase_create("writer");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, integers_take_the_shortest_form);
    tcase_add_test(tcase, scalars_have_one_form);
    tcase_add_test(tcase, texts_take_the_shortest_header);
    tcase_add_test(tcase, containers_take_the_shortest_header);
    tcase_add_test(tcase, envelopes_begin_as_the_protocol_says);
    tcase_add_test(tcase, a_limit_is_reached_exactly_and_remembered);
    tcase_add_test(tcase, a_limit_can_be_lowered_below_the_capacity);
    tcase_add_test(tcase, no_memory_is_remembered);
    tcase_add_test(tcase, what_no_header_can_announce_is_over_the_limit);
    tcase_add_test(tcase, the_buffer_grows_and_keeps_what_it_has);
    suite_add_tcase(suite, tcase);
    return suite;
}
