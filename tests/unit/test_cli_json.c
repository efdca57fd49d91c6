/* test_cli_json.c - literals in and out. */
#include "client/cli_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct cli_json_error error;

/* The literal printed again; NULL if it is none. */
static char *shown(const char *literal, const struct cli_json_style *style)
{
    struct cairn_args *args = cairn_args_create();
    char *text = NULL;
    size_t size, used;
    if (cli_json_parse(args, literal, strlen(literal), &error)) {
        struct cairn_reply *reply;
        FILE *out = open_memstream(&text, &size);
        const char *bytes = cairn_args_bytes(args, &size);
        ck_assert_int_eq(cairn_decode(bytes, size, &used, &reply), CAIRN_OK);
        ck_assert_uint_eq(used, size);
        cli_json_print(out, cairn_reply_result(reply), style);
        fclose(out);
        cairn_reply_destroy(reply);
    }
    cairn_args_destroy(args);
    return text;
}

static void prints(const char *literal, const struct cli_json_style *style, const char *expected)
{
    char *text = shown(literal, style);
    ck_assert_msg(text, "%s: %s", literal, error.text);
    ck_assert_str_eq(text, expected);
    free(text);
}

static void reads_as(const char *literal, const char *expected)
{
    prints(literal, &(struct cli_json_style){.width = 0}, expected);
}

static void strictly(const char *literal, const char *expected)
{
    prints(literal, &(struct cli_json_style){.strict = true}, expected);
}

static void refused(const char *literal, size_t offset, const char *says)
{
    char *text = shown(literal, &(struct cli_json_style){.width = 0});
    ck_assert_msg(!text, "%s was read as %s", literal, text);
    ck_assert_msg(strstr(error.text, says), "%s: %s", literal, error.text);
    ck_assert_msg(error.offset == offset, "%s: at %zu, not %zu", literal, error.offset, offset);
}

START_TEST(json_reads_as_itself)
{
    reads_as("null", "null");
    reads_as(" true ", "true");
    reads_as("[false, 0, -1, \"x\", [], {}]", "[false, 0, -1, \"x\", [], {}]");
    reads_as("{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":2}",
             "{\"a\": {\"b\": [1, {\"c\": null}]}, \"d\": 2}");
    reads_as("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
             "\"\\\"\\\\/\\b\\f\\n\\r\\té😀\"");
    reads_as("[[[[]]]]", "[[[[]]]]");
    reads_as("{\"\": {}}", "{\"\": {}}");
}
END_TEST

START_TEST(what_json_lacks_reads_as_itself)
{
    reads_as("nil", "null");
    reads_as("[inf, -inf, nan]", "[inf, -inf, nan]");
    reads_as("b\"a\\x00\\xff\\\"\\\\\"", "b\"a\\x00\\xff\\\"\\\\\"");
    reads_as("b\"\"", "b\"\"");
    reads_as("ext(-5, b\"\\x01\")", "ext(-5, b\"\\x01\")");
    reads_as("[ext( 5 , b\"\" ), 1]", "[ext(5, b\"\"), 1]");
    reads_as("set()", "set()");
    reads_as("{\"s\": set( 1,\"two\", b\"\\xff\" ,-inf), \"t\": 1}",
             "{\"s\": set(1, \"two\", b\"\\xff\", -inf), \"t\": 1}");
    reads_as("ext(8, b\"\\xff\\xff\")", "arrow(2 bytes)");
    reads_as("ext(4, b\"\\x91\\x01\")", "set(1)");
    reads_as("ext(4, b\"\\x91\\x91\\x01\")", "ext(4, b\"\\x91\\x91\\x01\")");
    reads_as("ext(4, b\"\\x91\")", "ext(4, b\"\\x91\")");
    reads_as("{1: \"a\", true: 2, -1.5: 3, b\"\\xfe\": 4, null: 5}",
             "{1: \"a\", true: 2, -1.5: 3, b\"\\xfe\": 4, null: 5}");
    reads_as("{if: \"absent\", _x1: 2}", "{\"if\": \"absent\", \"_x1\": 2}");
}
END_TEST

START_TEST(integers_are_exact_to_their_edges)
{
    static const char *const exact[] = {
        "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "-9223372036854775808", "-9223372036854775807", "-9007199254740993", "4294967296"};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        reads_as(exact[i], exact[i]);
        strictly(exact[i], exact[i]);
    }
    reads_as("-0", "0");
    refused("18446744073709551616", 0, "too large");
    refused("[-9223372036854775809]", 1, "too large");
    refused("1e999", 0, "1e999 is too large for a double");
    refused("[-1.5e400]", 1, "too large for a double");
}
END_TEST

START_TEST(doubles_print_in_their_shortest_form)
{
    reads_as("1.0", "1.0");
    reads_as("1e0", "1.0");
    reads_as("-0.0", "-0.0");
    reads_as("0.1", "0.1");
    reads_as("0.30000000000000004", "0.30000000000000004");
    reads_as("5e-324", "5e-324");
    reads_as("4.94065645841247e-324", "5e-324");
    reads_as("1.7976931348623157e308", "1.7976931348623157e+308");
    reads_as("1e300", "1e+300");
    reads_as("123456789012345680.0", "1.2345678901234568e+17");
    reads_as("3.14", "3.14");
}
END_TEST

START_TEST(doubles_survive_being_printed)
{
    uint64_t state = random_seed();
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = random_next(&state);
        double d, back;
        memcpy(&d, &bits, sizeof d);
        if (!isfinite(d)) continue;
        char text[CLI_DOUBLE_BYTES_MAX];
        size_t length = cli_double_format(text, d);
        struct cli_number number = cli_number_parse(text, length);
        back = number.real;
        ck_assert_int_eq(number.type, CLI_NUMBER_DOUBLE);
        ck_assert_msg(memcmp(&back, &d, sizeof d) == 0, "%s is not %a", text, d);
    }
}
END_TEST

START_TEST(what_is_no_literal_is_refused_with_its_place)
{
    refused("", 0, "missing");
    refused("[", 1, "missing");
    refused("[1", 2, "closing ]");
    refused("[1,", 3, "missing");
    refused("[1 2]", 3, "expected ','");
    refused("[1,]", 3, "expected a value");
    refused("]", 0, "expected a value");
    refused("{\"a\"}", 4, "expected ':'");
    refused("{\"a\":}", 5, "expected a value");
    refused("{\"a\":1,}", 7, "expected a value");
    refused("{[1]: 2}", 1, "key");
    refused("{", 1, "closing }");
    refused("{\"a\":1", 6, "closing }");
    refused("\"abc", 4, "closing \"");
    refused("\"\\x41\"", 2, "escape");
    refused("\"\\ud800\"", 3, "surrogate");
    refused("\"\\ud800\\u0041\"", 3, "surrogate");
    refused("\"\\udc00\"", 3, "surrogate");
    refused("b\"\\xg0\"", 4, "hexadecimal");
    refused("[hello]", 1, "quotes");
    refused("01", 0, "not a value");
    refused("1.", 0, "not a value");
    refused("+1", 0, "not a value");
    refused("1 2", 2, "more follows");
    refused("{} x", 3, "more follows");
    refused("ext(200, b\"\")", 4, "-128..127");
    refused("ext(2)", 5, "bytes");
    refused("set(1", 0, "closing )");
    refused("set(1 2)", 6, "','");
    refused("set([1])", 4, "cannot be a list");
    refused("set(set(1))", 4, "cannot be a set");
}
END_TEST

START_TEST(nesting_is_limited)
{
    char literal[2 * CLI_JSON_DEPTH_MAX + 8];
    memset(literal, '[', CLI_JSON_DEPTH_MAX);
    memset(literal + CLI_JSON_DEPTH_MAX, ']', CLI_JSON_DEPTH_MAX);
    literal[2 * CLI_JSON_DEPTH_MAX] = 0;
    reads_as(literal, literal);
    memmove(literal + 1, literal, strlen(literal) + 1);
    strcat(literal, "]");
    refused(literal, CLI_JSON_DEPTH_MAX, "512 deep");
}
END_TEST

START_TEST(strict_output_is_json)
{
    strictly("b\"text\"", "\"text\"");
    strictly("b\"\\xff\\x00\"", "{\"$bytes\": \"/wA=\"}");
    strictly("b\"\\xff\\x00\\x01\"", "{\"$bytes\": \"/wAB\"}");
    strictly("b\"\\xff\"", "{\"$bytes\": \"/w==\"}");
    strictly("[inf, nan]", "[{\"$double\": \"inf\"}, {\"$double\": \"nan\"}]");
    strictly("set(1, \"a\", 2.5)", "[1, \"a\", 2.5]");
    strictly("ext(5, b\"\\x01\")", "{\"$ext\": [5, \"AQ==\"]}");
    strictly("ext(8, b\"\\x01\")", "{\"$ext\": [8, \"AQ==\"]}");
    strictly("{1: 2, true: 3, 1.5: 4, null: 5}",
             "{\"1\": 2, \"true\": 3, \"1.5\": 4, \"null\": 5}");
    strictly("\"\\u0001\\u007f\\u0085\"", "\"\\u0001\\u007f\\u0085\"");
}
END_TEST

START_TEST(long_containers_are_spread_over_lines)
{
    const struct cli_json_style style = {.width = 20};
    prints("[1, 2, 3]", &style, "[1, 2, 3]");
    prints("{\"name\": \"Ada Lovelace\", \"tags\": [1, 2], \"none\": {}}", &style,
           "{\n  \"name\": \"Ada Lovelace\",\n  \"tags\": [1, 2],\n  \"none\": {}\n}");
    prints("[[[\"aaaaaaaaaaaaaaaa\"]]]", &style,
           "[\n  [\n    [\n      \"aaaaaaaaaaaaaaaa\"\n    ]\n  ]\n]");
}
END_TEST

START_TEST(colours_do_not_change_the_layout)
{
    const struct cli_json_style style = {.width = 80, .colour = true};
    prints("{\"a\": 1}", &style, "{\033[34m\"a\"\033[0m: \033[36m1\033[0m}");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cli_json");
    TCase *tcase = tcase_create("cli_json");
    tcase_add_test(tcase, json_reads_as_itself);
    tcase_add_test(tcase, what_json_lacks_reads_as_itself);
    tcase_add_test(tcase, integers_are_exact_to_their_edges);
    tcase_add_test(tcase, doubles_print_in_their_shortest_form);
    tcase_add_test(tcase, doubles_survive_being_printed);
    tcase_add_test(tcase, what_is_no_literal_is_refused_with_its_place);
    tcase_add_test(tcase, nesting_is_limited);
    tcase_add_test(tcase, strict_output_is_json);
    tcase_add_test(tcase, long_containers_are_spread_over_lines);
    tcase_add_test(tcase, colours_do_not_change_the_layout);
    suite_add_tcase(suite, tcase);
    return suite;
}
