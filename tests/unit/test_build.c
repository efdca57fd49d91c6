/* test_build.c - parameters become values: ping gives back what it is given, so what goes in
 * must come out. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "server/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/map.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

static void check_echo(const char *literal) { ASK(&p, "ping", literal, literal); }

START_TEST(scalars_come_through)
{
    static const char *const cases[] = {
        "nil", "true", "false", "0", "-1", "127", "128", "-32", "-33", "255", "256", "65535",
        "65536", "4294967295", "4294967296", "9223372036854775807", "-9223372036854775808",
        "4611686018427387904", "-4611686018427387905", "0.0", "-0.0", "2.5", "1e+300",
        "4.94065645841247e-324",
        "inf", "''", "'a'", "'pebbles'", "'eight by'", "b''", "b'a'", "b'\\xff\\xfe and more'"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_echo(cases[i]);
}
END_TEST

START_TEST(a_str_that_is_not_utf8_becomes_bytes)
{
    ASK(&p, "ping", "'a\\xff'", "b'a\\xff'");
    ASK(&p, "ping", "'\\xc3\\xa9'", "'\\xc3\\xa9'");
}
END_TEST

START_TEST(containers_come_through)
{
    static const char *const cases[] = {
        "[]", "{}", "[[], {}]", "[1, [2, [3, []]], {'a': {'b': [nil]}}]",
        "{'x': 1, 'y': [1, 2], 'z': {}}", "[{'a': 1}, {'a': 2}, {'a': 3}]"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_echo(cases[i]);
}
END_TEST

/* A list or a map of `count` entries as a literal. */
static char *large_literal(size_t count, bool is_map)
{
    char *text = malloc(count * 40 + 3), *at = text;
    *at++ = is_map ? '{' : '[';
    for (size_t i = 0; i < count; i++) {
        if (i > 0) at += sprintf(at, ", ");
        if (is_map) at += sprintf(at, "'key %zu': ", i);
        at += i % 3 == 0 ? sprintf(at, "['item %zu']", i) : sprintf(at, "%zu", i);
    }
    sprintf(at, "%c", is_map ? '}' : ']');
    return text;
}

START_TEST(containers_around_the_limits_of_collecting_come_through)
{
    static const size_t counts[] = {8, 9, 64, 65, 127, 128, 129, 511, 512, 513, 1024, 1025, 5000};
    for (int ext = 0; ext < 2; ext++) {
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            char *list = large_literal(counts[i], false), *map = large_literal(counts[i], true);
            check_echo(list);
            ASK(&p, "set", (sprintf(map + strlen(map), ", nil"), "'m', nil"), "true");
            map[strlen(map) - 5] = 0;
            if (counts[i] <= MAP_ORDERED_MAX) check_echo(map);
            free(list);
            free(map);
        }
        ask_extensions(&p, true);
    }
}
END_TEST

START_TEST(a_map_of_many_entries_has_them_all)
{
    char *map = large_literal(20000, true), *params = malloc(strlen(map) + 20);
    sprintf(params, "'m', %s", map);
    ASK(&p, "set", params, "true");
    ASK(&p, "len", "'m'", "20000");
    for (int i = 0; i < 20000; i += 997) {
        char path[60], answer[60];
        sprintf(path, "['m', 'key %d']", i);
        sprintf(answer, i % 3 == 0 ? "['item %d']" : "%d", i);
        ASK(&p, "get", path, answer);
    }
    free(map);
    free(params);
}
END_TEST

START_TEST(the_last_of_equal_keys_wins)
{
    ASK(&p, "ping", "{'a': 1, 'b': 2, 'a': [3]}", "{'a': [3], 'b': 2}");
}
END_TEST

START_TEST(str_and_bin_are_the_same_key)
{
    ASK_BEGINS(&p, "ping", "{'a': 1, b'a': 2}", "{'a': 2}");
    ASK(&p, "ping", "{b'\\xff': 2}", "{b'\\xff': 2}");
}
END_TEST

START_TEST(keys_that_no_map_takes_are_refused)
{
    ASK(&p, "ping", "{[1]: 1}",
        "! BAD_PARAMS ping: a map key is an array; keys are strings, bytes, integers, floats and "
        "booleans");
    ASK_BEGINS(&p, "ping", "{{}: 1}", "! BAD_PARAMS ping: a map key is a map;");
    ASK_BEGINS(&p, "ping", "{nil: 1}", "! BAD_PARAMS ping: a map key is nil;");
    ASK_BEGINS(&p, "ping", "{<50:00>: 1}", "! BAD_PARAMS ping: a map key is an extension type;");
    ASK_BEGINS(&p, "no such", "[[{nil: 1}]]", "! BAD_PARAMS a map key is nil;");
    check_echo("[1]"); /* the session goes on */
}
END_TEST

START_TEST(a_key_that_is_too_long_is_refused)
{
    char params[MAP_KEY_BYTES_MAX + 100], error[100];
    memset(params, 'k', sizeof params);
    memcpy(params, "{'", 2);
    strcpy(params + MAP_KEY_BYTES_MAX + 2, "': 1}");
    ASK(&p, "ping", params, params);
    strcpy(params + MAP_KEY_BYTES_MAX + 2, "k': 1}");
    sprintf(error, "! LIMIT ping: a map key has %zu bytes; the limit is %zu",
            (size_t)MAP_KEY_BYTES_MAX + 1, (size_t)MAP_KEY_BYTES_MAX);
    ASK(&p, "ping", params, error);
}
END_TEST

/* Feeds one request for ping in pieces; the answer must not depend on them. */
static void check_pieces(const struct writer *request, const char *expected, size_t piece)
{
    writer_rewind(&p.out, 0);
    for (size_t at = 0; at < request->length; at += piece) {
        size_t length = request->length - at < piece ? request->length - at : piece;
        ck_assert_int_eq(in_process_feed(&p, request->data + at, length), 0);
    }
    size_t used;
    char *answer = literal_read(p.out.data, p.out.length, &used);
    ck_assert_str_eq(answer, expected);
    free(answer);
}

START_TEST(messages_in_pieces_of_any_size_are_the_same)
{
    static const char params[] =
        "[{'name': 'Ada Lovelace', 'born': 1815, 'works': [['notes', -1.5e+200], b'\\x00\\xff'], "
        "'flags': {1: true, 2.5: nil, true: 18446744073709551615}}, <1:01>, <99:0102030405>]";
    struct writer request, expected;
    size_t used;
    ask_extensions(&p, true);
    writer_init(&request, 0);
    writer_init(&expected, 0);
    writer_request(&request, 7, "ping", 1);
    literal_write(&request, params);
    writer_response(&expected, 7);
    writer_nil(&expected);
    literal_write(&expected, params);
    char *text = literal_read(expected.data, expected.length, &used);
    for (size_t piece = 1; piece <= request.length; piece++) check_pieces(&request, text, piece);
    free(text);
    writer_close(&request);
    writer_close(&expected);
}
END_TEST

START_TEST(long_texts_arrive_in_parts)
{
    size_t length = 300000;
    char *text = malloc(length + 20);
    text[0] = '\'';
    for (size_t i = 1; i <= length; i++) text[i] = (char)('a' + i % 26);
    strcpy(text + length + 1, "'");
    struct writer request, expected;
    size_t used;
    writer_init(&request, 0);
    writer_init(&expected, 0);
    writer_request(&request, 7, "ping", 1);
    literal_write(&request, text);
    writer_response(&expected, 7);
    writer_nil(&expected);
    literal_write(&expected, text);
    char *wanted = literal_read(expected.data, expected.length, &used);
    check_pieces(&request, wanted, 4093);
    check_pieces(&request, wanted, request.length);
    free(wanted);
    free(text);
    writer_close(&request);
    writer_close(&expected);
}
END_TEST

START_TEST(an_announced_count_costs_nothing)
{
    struct heap_stats before, after;
    struct writer request;
    writer_init(&request, 0);
    writer_request(&request, 7, "ping", 3);
    writer_array(&request, 1 << 23);
    for (int i = 0; i < 10; i++) writer_int(&request, i);
    heap_stats(p.heap, &before);
    ck_assert_int_eq(in_process_feed(&p, request.data, request.length), 0);
    heap_stats(p.heap, &after);
    ck_assert_uint_lt(after.used_bytes, before.used_bytes + 4096);
    ck_assert_uint_lt(p.builder.frame.capacity, 10000);
    writer_close(&request);
}
END_TEST

START_TEST(plain_sessions_keep_foreign_extension_types)
{
    ASK(&p, "set", "'e', [<40:0102>, <-1:00000001>]", "true");
    ASK(&p, "get", "'e'",
        "! NEEDS_EXT get: the value holds an extension value, which plain MessagePack cannot "
        "carry; "
        "hello({\"ext\": true}) allows it");
    ASK(&p, "type", "['e', 0]", "'ext'");
    ask_extensions(&p, true);
    ASK(&p, "get", "'e'", "[<40:0102>, <-1:00000001>]");
}
END_TEST

START_TEST(extension_types_with_a_meaning_need_hello)
{
    ASK(&p, "ping", "[<1:00>]",
        "! NEEDS_EXT ping: extension type 1 needs hello({\"ext\": true}) first");
    ask_extensions(&p, true);
    ASK(&p, "ping", "[<9:00>]", "! BAD_PARAMS ping: extension type 9 is reserved");
    ASK(&p, "hello", "{'ext': false}",
        "{'server': 'cairn', 'version': '" PACKAGE_VERSION
        "', 'ext': false, 'any_keys': false, 'structured_errors': false}");
    ASK_BEGINS(&p, "ping", "[<1:00>]", "! NEEDS_EXT");
}
END_TEST

START_TEST(an_extension_value_has_a_limit)
{
    char *params = malloc(EXT_BYTES_MAX * 2 + 100), *at = params;
    at += sprintf(at, "<40:");
    for (size_t i = 0; i <= EXT_BYTES_MAX; i++) at += sprintf(at, "00");
    strcpy(at, ">");
    ASK_BEGINS(&p, "ping", params, "! LIMIT ping: an extension value has");
    strcpy(at - 2, ">");
    ASK(&p, "set", "'x', 1", "true");
    ASK_BEGINS(&p, "ping", params, "! NEEDS_EXT ping");
    free(params);
}
END_TEST

START_TEST(shared_and_cyclic_values_round_trip)
{
    ask_extensions(&p, true);
    check_echo("[<1:00>]");
    check_echo("{'self': <1:00>}");
    check_echo("[[1], <1:01>, <1:01>]");
    check_echo("[{'next': {'next': [<1:01>, <1:02>, <1:00>]}}]");
    check_echo("{'parent': nil, 'children': [{'parent': <3:00>}, {'parent': <3:00>}]}");
    ASK(&p, "ping", "[<1:0000>, <3:>]", "[<1:00>, nil]");
    ASK(&p, "set", "'a', {'self': <1:00>}", "true");
    ASK(&p, "same", "'a', ['a', 'self', 'self']", "true");
    ASK(&p, "set", "'a', nil", "true"); /* the cycle is left to the collector */
    ASK_BEGINS(&p, "gc.collect", "", "");
    ASK(&p, "mset", "[['x', [1]], ['y', <1:02>]]", "true");
    ASK(&p, "same", "'x', 'y'", "true");
}
END_TEST

START_TEST(many_containers_can_be_referred_to)
{
    struct writer params;
    ask_extensions(&p, true);
    writer_init(&params, 0);
    writer_array(&params, 1);
    writer_array(&params, 2000);
    for (int i = 0; i < 1000; i++) literal_write(&params, "[1]");
    for (int i = 0; i < 1000; i++) {
        unsigned n = 1000 - (unsigned)i;
        unsigned char bytes[2] = {(unsigned char)(n >> 8), (unsigned char)n};
        writer_ext(&params, EXT_REF, bytes, 2);
    }
    ask_bytes(&p, "new", &params);
    ASK(&p, "same", "[<2:01>, 0], [<2:01>, 1999]", "true");
    ASK(&p, "same", "[<2:01>, 0], [<2:01>, 1998]", "false");
    ASK(&p, "same", "[<2:01>, 999], [<2:01>, 1000]", "true");
    writer_close(&params);
}
END_TEST

START_TEST(bad_references_are_refused)
{
    ask_extensions(&p, true);
    ASK(&p, "ping", "[<1:01>]",
        "! BAD_PARAMS ping: a REF to container 1, but only 1 came before it");
    ASK(&p, "ping", "[<3:05>]",
        "! BAD_PARAMS ping: a WEAK to container 5, but only 1 came before it");
    ASK(&p, "ping", "[<1:010203>]",
        "! BAD_PARAMS ping: a REF of 3 bytes; it is a number of 1, 2, 4 or 8 bytes");
    ASK(&p, "ping", "{'a': [], 'a': <1:01>}",
        "! BAD_PARAMS ping: a map has a key twice, which is not possible with extension types");
    ASK_BEGINS(&p, "ping", "{<1:00>: 1}", "! BAD_PARAMS ping: a map key is an extension type");
}
END_TEST

START_TEST(a_failed_allocation_fails_the_request_only)
{
    static const char params[] =
        "[{'name': 'a name that is longer', 'n': 9223372036854775807, 'l': [1.5e300, ['deep']]}]";
    for (int ext = 0; ext < 2; ext++) {
        uint64_t n = 1;
        for (;; n++) {
            heap_fail_nth(p.heap, n);
            const char *answer = ask(&p, "ping", params);
            bool reached = !heap_fail_pending(p.heap);
            heap_fail_nth(p.heap, 0);
            if (!reached) break;
            ck_assert_str_eq(
                answer, "! OUT_OF_MEMORY ping: the memory limit (max-memory) has no room for the "
                        "parameters; nothing was changed");
            in_process_verify(&p);
            check_echo("['still there']");
        }
        ck_assert_uint_gt(n, 4);
        ask_extensions(&p, true);
    }
}
END_TEST

START_TEST(a_full_heap_refuses_and_goes_on)
{
    in_process_close(&p);
    in_process_open(&p, (size_t)4 << 20);
    char *list = large_literal(1000, false), *params = malloc(strlen(list) + 100);
    const char *answer = "true";
    int kept = 0;
    while (strcmp(answer, "true") == 0) {
        sprintf(params, "'key %d', %s", kept++, list);
        answer = ask(&p, "set", params);
        ck_assert_int_lt(kept, 10000);
    }
    ck_assert_int_eq(strncmp(answer, "! OUT_OF_MEMORY ", 16), 0);
    ck_assert_int_gt(kept, 10);
    in_process_verify(&p);
    ASK(&p, "clear", "", "true");
    ask(&p, "gc.collect", "");
    sprintf(params, "'key', %s", list);
    ASK(&p, "set", params, "true");
    free(list);
    free(params);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("build");
    TCase *tcase = tcase_create("build");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, scalars_come_through);
    tcase_add_test(tcase, a_str_that_is_not_utf8_becomes_bytes);
    tcase_add_test(tcase, containers_come_through);
    tcase_add_test(tcase, containers_around_the_limits_of_collecting_come_through);
    tcase_add_test(tcase, a_map_of_many_entries_has_them_all);
    tcase_add_test(tcase, the_last_of_equal_keys_wins);
    tcase_add_test(tcase, str_and_bin_are_the_same_key);
    tcase_add_test(tcase, keys_that_no_map_takes_are_refused);
    tcase_add_test(tcase, a_key_that_is_too_long_is_refused);
    tcase_add_test(tcase, messages_in_pieces_of_any_size_are_the_same);
    tcase_add_test(tcase, long_texts_arrive_in_parts);
    tcase_add_test(tcase, an_announced_count_costs_nothing);
    tcase_add_test(tcase, plain_sessions_keep_foreign_extension_types);
    tcase_add_test(tcase, extension_types_with_a_meaning_need_hello);
    tcase_add_test(tcase, an_extension_value_has_a_limit);
    tcase_add_test(tcase, shared_and_cyclic_values_round_trip);
    tcase_add_test(tcase, many_containers_can_be_referred_to);
    tcase_add_test(tcase, bad_references_are_refused);
    tcase_add_test(tcase, a_failed_allocation_fails_the_request_only);
    tcase_add_test(tcase, a_full_heap_refuses_and_goes_on);
    suite_add_tcase(suite, tcase);
    return suite;
}
