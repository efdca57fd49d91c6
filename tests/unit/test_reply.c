/* test_reply.c - what a reply may hold, plain and with extension types. */
#include "server/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

/* [[[…]]], `depth` lists. */
static char *nested(size_t depth)
{
    char *text = malloc(2 * depth + 1);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = 0;
    return text;
}

START_TEST(plain_replies_nest_31_deep)
{
    char *fits = nested(31), *too_deep = nested(32);
    ASK(&p, "ping", fits, fits);
    ASK(&p, "ping", too_deep,
        "! LIMIT ping: the value is nested deeper than 31, the limit of plain replies; the option "
        "depth of get cuts it, hello({\"ext\": true}) allows 500");
    ask_extensions(&p, true);
    ASK(&p, "ping", too_deep, too_deep);
    free(fits);
    free(too_deep);
}
END_TEST

START_TEST(no_key_is_written_twice)
{
    ASK(&p, "ping", "{1: 'a', 2.5: 'b', true: 'c'}", "{'1': 'a', '2.5': 'b', 'true': 'c'}");
    ASK(&p, "ping", "{1: 'a', '1': 'b'}",
        "! NEEDS_EXT ping: the value holds a map with both of the keys 1 and \"1\", which plain "
        "MessagePack cannot carry; hello({\"ext\": true}) allows it");
    ASK_BEGINS(&p, "ping", "['x', {'m': {'true': 1, true: 2}}]", "! NEEDS_EXT ping: ");
    ASK_HAS(&p, "hello", "{'any_keys': true}", "'any_keys': true");
    ASK(&p, "ping", "{1: 'a', '1': 'b'}", "{1: 'a', '1': 'b'}");
}
END_TEST

START_TEST(what_a_method_puts_around_a_value_counts)
{
    char *fits = nested(30), *too_deep = nested(31), params[200], answer[200];
    sprintf(params, "'a', %s", fits);
    ASK(&p, "set", params, "true");
    sprintf(answer, "[%s]", fits);
    ASK(&p, "mget", "['a']", answer);
    sprintf(params, "'a', %s", too_deep);
    ASK(&p, "set", params, "true");
    ASK_BEGINS(&p, "mget", "['a']", "! LIMIT mget: the value is nested deeper than 31");
    free(fits);
    free(too_deep);
}
END_TEST

START_TEST(ext_replies_nest_500_deep)
{
    char *fits = nested(500), *too_deep = nested(501);
    ask_extensions(&p, true);
    ASK(&p, "ping", fits, fits);
    ASK(&p, "ping", too_deep,
        "! LIMIT ping: the value is nested deeper than the limit of 500; get it in parts, or with "
        "the option depth of get");
    free(fits);
    free(too_deep);
}
END_TEST

START_TEST(depth_cuts_what_is_deeper)
{
    ASK(&p, "set", "'a', {'x': [1, [2]], 'y': 3}", "true");
    ASK(&p, "get", "'a', {'depth': 1}", "{'x': nil, 'y': 3}");
    ASK(&p, "get", "'a', {'depth': 2}", "{'x': [1, nil], 'y': 3}");
    ASK(&p, "get", "'a', {'depth': 3}", "{'x': [1, [2]], 'y': 3}");
    ASK(&p, "get", "['a', 'y'], {'depth': 1}", "3");
}
END_TEST

START_TEST(integers_above_int64_need_ext)
{
    ASK(&p, "set", "'n', 18446744073709551615", "true");
    ASK(&p, "get", "'n'",
        "! NEEDS_EXT get: the value holds an integer above int64, which plain MessagePack cannot "
        "carry; hello({\"ext\": true}) allows it");
    ASK(&p, "add", "'n', -9223372036854775808", "9223372036854775807");
    ASK(&p, "get", "'n'", "9223372036854775807");
    ask_extensions(&p, true);
    ASK(&p, "add", "'n', 1", "9223372036854775808");
    ASK(&p, "get", "'n'", "9223372036854775808");
    ASK(&p, "set", "'n', -9223372036854775808", "true");
    ASK(&p, "get", "'n'", "-9223372036854775808");
}
END_TEST

START_TEST(plain_keys_are_strings)
{
    ASK(&p, "set", "'m', {1: 1}", "true");
    ASK(&p, "get", "'m'", "{'1': 1}");
    ASK(&p, "ping", "{-5: 1}", "{'-5': 1}");
    ASK(&p, "ping", "{18446744073709551615: 1}", "{'18446744073709551615': 1}");
    ASK(&p, "ping", "{true: 1}", "{'true': 1}");
    ASK(&p, "ping", "{false: 1}", "{'false': 1}");
    ASK(&p, "ping", "{2.5: 1}", "{'2.5': 1}");
    ASK(&p, "ping", "{2.0: 1}", "{'2.0': 1}");
    ASK(&p, "ping", "{0.1: 1}", "{'0.1': 1}");
    ASK(&p, "ping", "{1e300: 1}", "{'1e+300': 1}");
    ASK(&p, "ping", "{b'\\xff': 1}", "{b'\\xff': 1}");
    ASK(&p, "ping", "{b'text': 1}", "{'text': 1}");
}
END_TEST

START_TEST(keys_keep_their_types_when_asked_to)
{
    ASK_HAS(&p, "hello", "{'any_keys': true}", "'any_keys': true");
    ASK(&p, "ping", "{1: 1}", "{1: 1}");
    ASK(&p, "ping", "{2.0: 1}", "{2.0: 1}");
    ASK(&p, "ping", "{true: 1}", "{true: 1}");
    ASK(&p, "ping", "{18446744073709551615: 1}", "{18446744073709551615: 1}");
    ASK_HAS(&p, "hello", "{'any_keys': false}", "'any_keys': false");
    ASK(&p, "ping", "{1: 1}", "{'1': 1}");
    ask_extensions(&p, true);
    ASK(&p, "ping", "{1: 1}", "{1: 1}");
}
END_TEST

START_TEST(a_cycle_needs_ext)
{
    ASK(&p, "set", "'a', {'n': 1}", "true");
    ASK(&p, "link", "['a', 'self'], 'a'", "true");
    ASK(&p, "get", "'a'",
        "! NEEDS_EXT get: the value holds a cycle, which plain MessagePack cannot carry; "
        "hello({\"ext\": true}) allows it");
    ASK(&p, "get", "['a', 'self', 'self', 'n']", "1");
    ASK(&p, "get", "'a', {'depth': 1}", "{'n': 1, 'self': nil}");
    ASK(&p, "get", "'a', {'depth': 2}", "{'n': 1, 'self': {'n': 1, 'self': nil}}");
    ask_extensions(&p, true);
    ASK(&p, "get", "'a'", "{'n': 1, 'self': <1:00>}");
    ASK(&p, "mget", "['a', 'a']", "[{'n': 1, 'self': <1:01>}, <1:01>]");
}
END_TEST

START_TEST(a_longer_cycle_is_found_too)
{
    ASK(&p, "set", "'a', {'b': {'c': [{}]}}", "true");
    ASK(&p, "link", "['a', 'b', 'c', 0, 'a'], ['a', 'b']", "true");
    ASK_BEGINS(&p, "get", "'a'", "! NEEDS_EXT get: the value holds a cycle");
    ask_extensions(&p, true);
    ASK(&p, "get", "'a'", "{'b': {'c': [{'a': <1:01>}]}}");
}
END_TEST

START_TEST(shared_values_are_written_at_each_place_in_plain_mode)
{
    ASK(&p, "set", "'a', {'x': [1]}", "true");
    ASK(&p, "link", "['a', 'y'], ['a', 'x']", "true");
    ASK(&p, "get", "'a'", "{'x': [1], 'y': [1]}");
    ask_extensions(&p, true);
    ASK(&p, "get", "'a'", "{'x': [1], 'y': <1:01>}");
}
END_TEST

START_TEST(a_small_graph_cannot_unfold_without_bound)
{
    /* Each list holds the next one ten times: 10^20 leaves. */
    ASK(&p, "set", "'0', [1]", "true");
    for (int i = 1; i <= 20; i++) {
        char params[60];
        sprintf(params, "'%d', []", i);
        ASK(&p, "set", params, "true");
        sprintf(params, "'%d', [nil,nil,nil,nil,nil,nil,nil,nil,nil,nil]", i);
        ask(&p, "push", params);
        for (int k = 0; k < 10; k++) {
            sprintf(params, "['%d', %d], '%d'", i, k, i - 1);
            ASK(&p, "link", params, "true");
        }
    }
    ASK(&p, "get", "'20'",
        "! LIMIT get: the reply would have more items than reply-elements (1000000) allows; "
        "ask for less of it");
    p.host.reply_elements_max = SIZE_MAX;
    p.host.reply_bytes_max = 1 << 20;
    ASK(&p, "get", "'20'",
        "! LIMIT get: the reply would be longer than reply-bytes (1048576) allows; ask for less of "
        "it");
    ask_extensions(&p, true);
    ASK_BEGINS(&p, "get", "'20'", "[[[[[");
}
END_TEST

START_TEST(a_reply_at_its_limit_is_refused_and_changes_nothing)
{
    ASK(&p, "set", "'l', ['0123456789', '0123456789', '0123456789']", "true");
    p.host.reply_bytes_max = 100;
    ASK(&p, "pop", "'l', 3", "['0123456789', '0123456789', '0123456789']");
    ASK(&p, "push", "'l', ['0123456789', '0123456789', '0123456789']", "3");
    p.host.reply_bytes_max = 72;
    ASK(&p, "set", "'s', 'a text of some forty bytes that is too long with its envelope and the "
        "rest'",
        "true");
    ASK_BEGINS(&p, "mget", "['s', 's']", "! LIMIT mget: the reply would be longer than "
        "reply-bytes");
    ASK(&p, "append", "['l', 0], '0123456789012345678901234567890123456789'", "50");
    ASK_BEGINS(&p, "pop", "'l', 3", "! LIMIT pop: the reply would be longer");
    ASK(&p, "len", "'l'", "3");
}
END_TEST

START_TEST(weak_references_inside_of_values)
{
    ASK(&p, "set", "'tree', {'name': 'root', 'child': {}}", "true");
    ASK(&p, "weak", "['tree', 'child', 'parent'], 'tree'", "true");
    ASK(&p, "set", "'refs', [nil]", "true");
    ASK(&p, "weak", "['refs', 0], 'tree'", "true");
    ASK(&p, "get", "'tree'",
        "! NEEDS_EXT get: the value holds a weak reference, which plain MessagePack cannot carry; "
        "hello({\"ext\": true}) allows it");
    ASK(&p, "get", "['tree', 'child', 'parent', 'name']", "'root'");
    ask_extensions(&p, true);
    ASK(&p, "get", "'tree'", "{'name': 'root', 'child': {'parent': <3:00>}}");
    ASK(&p, "get", "'refs'", "[<3:>]");
    ASK(&p, "mget", "['tree', 'refs']",
        "[{'name': 'root', 'child': {'parent': <3:01>}}, [<3:01>]]");
    ask_extensions(&p, false);
    ASK(&p, "del", "'tree'", "1");
    ASK_BEGINS(&p, "gc.collect", "", "");
    ASK(&p, "get", "'refs'", "[nil]");
    ASK(&p, "get", "['refs', 0]", "nil");
    ASK(&p, "type", "['refs', 0]", "'weak'");
}
END_TEST

START_TEST(errors_can_be_maps)
{
    ASK_HAS(&p, "hello", "{'structured_errors': true}", "'structured_errors': true");
    ASK(&p, "nope", "",
        "! {'code': 'UNKNOWN_METHOD', 'message': 'there is no method \"nope\"; methods() lists "
        "them'}");
    ASK_HAS(&p, "hello", "{'structured_errors': false}", "'structured_errors': false");
    ASK(&p, "nope", "", "! UNKNOWN_METHOD there is no method \"nope\"; methods() lists them");
}
END_TEST

START_TEST(bytes_of_clients_are_escaped_in_errors)
{
    ASK(&p, "a\nb\x01\x7f\xff\xc2\x80\"\\\xc3\xa9", "",
        "! UNKNOWN_METHOD there is no method "
        "\"a\\\\nb\\\\x01\\\\x7f\\\\xff\\\\xc2\\\\x80\\\\\"\\\\\\\\"
        "\\xc3\\xa9\"; methods() lists them");
    char long_key[200], params[300];
    memset(long_key, 'k', sizeof long_key);
    long_key[199] = 0;
    sprintf(params, "'%s', 'x'", long_key);
    ASK(&p, "set", params, "true");
    sprintf(params, "'%s', [1]", long_key);
    ASK(&p, "push", params,
        "! WRONG_TYPE push: \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\"... "
        "is a "
        "string; push needs a list");
}
END_TEST

START_TEST(notifications_are_carried_out_and_not_answered)
{
    struct writer w;
    writer_init(&w, 0);
    writer_notification(&w, "set", 2);
    literal_write(&w, "'a', 5");
    writer_notification(&w, "nope", 0);
    writer_notification(&w, "push", 2);
    literal_write(&w, "'a', [1]");
    writer_notification(&w, "gc.collect", 0);
    writer_notification(&w, "set", 1);
    literal_write(&w, "{nil: 1}");
    writer_rewind(&p.out, 0);
    ck_assert_int_eq(in_process_feed(&p, w.data, w.length), 0);
    ck_assert_uint_eq(p.out.length, 0);
    ck_assert_uint_eq(p.calls, 5);
    ck_assert_uint_eq(p.failures, 3);
    ASK(&p, "get", "'a'", "5");
    writer_close(&w);
}
END_TEST

START_TEST(requests_in_one_piece_are_answered_in_order)
{
    struct writer w;
    size_t at = 0, used;
    writer_init(&w, 0);
    for (unsigned i = 0; i < 100; i++) {
        writer_request(&w, i, i % 10 == 9 ? "gc.collect" : "add", i % 10 == 9 ? 0 : 2);
        if (i % 10 != 9) literal_write(&w, "'n', 1");
    }
    writer_rewind(&p.out, 0);
    ck_assert_int_eq(in_process_feed(&p, w.data, w.length), 0);
    for (unsigned i = 0; i < 100; i++) {
        char begins[40];
        char *text = literal_read(p.out.data + at, p.out.length - at, &used);
        sprintf(begins, "[1, %u, nil, ", i);
        ck_assert_int_eq(strncmp(text, begins, strlen(begins)), 0);
        if (i % 10 != 9) ck_assert_int_eq(atoi(text + strlen(begins)), (int)(i - i / 10 + 1));
        free(text);
        at += used;
    }
    ck_assert_uint_eq(at, p.out.length);
    writer_close(&w);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, plain_replies_nest_31_deep);
    tcase_add_test(tcase, no_key_is_written_twice);
    tcase_add_test(tcase, what_a_method_puts_around_a_value_counts);
    tcase_add_test(tcase, ext_replies_nest_500_deep);
    tcase_add_test(tcase, depth_cuts_what_is_deeper);
    tcase_add_test(tcase, integers_above_int64_need_ext);
    tcase_add_test(tcase, plain_keys_are_strings);
    tcase_add_test(tcase, keys_keep_their_types_when_asked_to);
    tcase_add_test(tcase, a_cycle_needs_ext);
    tcase_add_test(tcase, a_longer_cycle_is_found_too);
    tcase_add_test(tcase, shared_values_are_written_at_each_place_in_plain_mode);
    tcase_add_test(tcase, a_small_graph_cannot_unfold_without_bound);
    tcase_add_test(tcase, a_reply_at_its_limit_is_refused_and_changes_nothing);
    tcase_add_test(tcase, weak_references_inside_of_values);
    tcase_add_test(tcase, errors_can_be_maps);
    tcase_add_test(tcase, bytes_of_clients_are_escaped_in_errors);
    tcase_add_test(tcase, notifications_are_carried_out_and_not_answered);
    tcase_add_test(tcase, requests_in_one_piece_are_answered_in_order);
    suite_add_tcase(suite, tcase);
    return suite;
}
