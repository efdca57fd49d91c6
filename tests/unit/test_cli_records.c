/* test_cli_records.c - records found in JSON of every layout, whatever the pieces it comes in. */
#include "client/cli_records.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli_json.h"
#include "tests/support/runner.h"

struct seen {
    struct cli_text text; /* "key=value;" of each record */
    struct cli_key *key;
    int stop_after;
    int count;
};

static bool record(void *context, const struct cairn_args *value)
{
    struct seen *seen = context;
    struct cairn_reply *reply;
    size_t length, used;
    char *text;
    const char *bytes = cairn_args_bytes(value, &length);
    ck_assert_int_eq(cairn_decode(bytes, length, &used, &reply), CAIRN_OK);
    ck_assert_uint_eq(used, length);
    FILE *out = open_memstream(&text, &length);
    cli_json_print(out, cairn_reply_result(reply), &(struct cli_json_style){.width = 0});
    fclose(out);
    cairn_reply_destroy(reply);
    if (seen->key) {
        const char *missing = cli_key_make(seen->key, &seen->text);
        if (missing) cli_text_add_cstr(&seen->text, "(none)");
        cli_text_add_char(&seen->text, '=');
    }
    cli_text_add_cstr(&seen->text, text);
    cli_text_add_char(&seen->text, ';');
    free(text);
    return ++seen->count != seen->stop_after;
}

struct outcome {
    char records[1024];
    char error[400];
    uint64_t line, number;
};

/* Reads `json` in pieces of `piece` bytes. */
static struct outcome run(enum cli_layout layout, const char *at, const char *template_text,
                          const char *json, size_t piece)
{
    struct outcome outcome = {.records = ""};
    struct cli_key key = {.count = 0};
    struct seen seen = {.key = NULL};
    if (template_text) {
        const char *wrong = cli_key_parse(&key, template_text);
        ck_assert_msg(!wrong, "%s: %s", template_text, wrong);
        seen.key = &key;
    }
    struct cli_records *r = cli_records_create(layout, at, seen.key, record, &seen);
    size_t length = strlen(json);
    bool done = true;
    for (size_t i = 0; i < length && done; i += piece) {
        /* A copy of its own, so that a read beyond the piece shows. */
        size_t count = length - i < piece ? length - i : piece;
        char *copy = malloc(count);
        memcpy(copy, json + i, count);
        done = cli_records_feed(r, copy, count);
        free(copy);
    }
    if (done) done = cli_records_finish(r);
    ck_assert(done == (cli_records_error(r)[0] == 0));
    snprintf(outcome.records, sizeof outcome.records, "%s", seen.text.data ? seen.text.data : "");
    snprintf(outcome.error, sizeof outcome.error, "%s", cli_records_error(r));
    outcome.line = cli_records_line(r);
    outcome.number = cli_records_number(r);
    cli_records_destroy(r);
    cli_text_close(&seen.text);
    cli_key_close(&key);
    return outcome;
}

static void reads(enum cli_layout layout, const char *at, const char *template_text,
                  const char *json, const char *expected)
{
    for (size_t piece = 1; piece <= strlen(json) + 1; piece++) {
        struct outcome o = run(layout, at, template_text, json, piece);
        ck_assert_msg(o.error[0] == 0, "%s (pieces of %zu): %s", json, piece, o.error);
        ck_assert_str_eq(o.records, expected);
    }
}

static void refused(enum cli_layout layout, const char *at, const char *template_text,
                    const char *json, uint64_t number, uint64_t line, const char *says)
{
    for (size_t piece = 1; piece <= strlen(json) + 1; piece += strlen(json)) {
        struct outcome o = run(layout, at, template_text, json, piece);
        ck_assert_msg(strstr(o.error, says), "%s: \"%s\"", json, o.error);
        ck_assert_uint_eq(o.number, number);
        ck_assert_uint_eq(o.line, line);
    }
}

START_TEST(lines_are_records)
{
    reads(CLI_LAYOUT_AUTO, NULL, NULL, "{\"a\":1}\n{\"b\":[2,{\"c\":null}]}\n",
          "{\"a\": 1};{\"b\": [2, {\"c\": null}]};");
    reads(CLI_LAYOUT_AUTO, NULL, NULL, " \n{\"a\":1}{\"a\":2} {}", "{\"a\": 1};{\"a\": 2};{};");
    reads(CLI_LAYOUT_LINES, NULL, NULL, "[1,[2]]\n3\n\"x\"\ntrue\nnull\n-1.5\n",
          "[1, [2]];3;\"x\";true;null;-1.5;");
    reads(CLI_LAYOUT_AUTO, NULL, NULL, "", "");
    reads(CLI_LAYOUT_AUTO, NULL, NULL, "\n\n", "");
}
END_TEST

START_TEST(arrays_hold_records)
{
    reads(CLI_LAYOUT_AUTO, NULL, NULL, "[{\"a\":1},{\"a\":[{}]},7]", "{\"a\": 1};{\"a\": [{}]};7;");
    reads(CLI_LAYOUT_JSON, NULL, NULL, "[]", "");
    reads(CLI_LAYOUT_JSON, NULL, NULL, "[1]\n[2]", "1;2;");
}
END_TEST

START_TEST(a_member_holds_the_array)
{
    const char *iso = "{\"version\":{\"x\":[1]},\"3166-1\":[{\"n\":1},{\"n\":2}],\"end\":\"z\"}";
    reads(CLI_LAYOUT_JSON, NULL, NULL, "{\"3166-1\":[{\"n\":1}]}", "{\"n\": 1};");
    reads(CLI_LAYOUT_JSON, NULL, NULL, iso, "{\"n\": 1};{\"n\": 2};");
    reads(CLI_LAYOUT_AUTO, "3166-1", NULL, iso, "{\"n\": 1};{\"n\": 2};");
    reads(CLI_LAYOUT_AUTO, "version.x", NULL, iso, "1;");
    reads(CLI_LAYOUT_AUTO, "b", NULL, "{\"a\":[1],\"b\":[2],\"c\":[3]}", "2;");
    reads(CLI_LAYOUT_AUTO, "a.b", NULL, "{\"b\":[0],\"a\":{\"a\":[9],\"b\":[2]},\"c\":{\"b\":[3]}}",
          "2;");
}
END_TEST

START_TEST(keys_are_made_of_fields)
{
    reads(CLI_LAYOUT_LINES, NULL, "{id}", "{\"id\":\"x\",\"v\":{\"id\":\"inner\"}}",
          "x={\"id\": \"x\", \"v\": {\"id\": \"inner\"}};");
    reads(CLI_LAYOUT_LINES, NULL, "p:{a}-{b}-{a}!", "{\"b\":12,\"a\":\"x\"}{\"a\":true,\"b\":1.50}",
          "p:x-12-x!={\"b\": 12, \"a\": \"x\"};p:true-1.50-true!={\"a\": true, \"b\": 1.5};");
    reads(CLI_LAYOUT_LINES, NULL, "{{{a}}}", "{\"a\":1}", "{1}={\"a\": 1};");
    /* A field of the record before does not show through. */
    reads(CLI_LAYOUT_LINES, NULL, "{a}", "{\"a\":1}{\"b\":2}", "1={\"a\": 1};(none)={\"b\": 2};");
}
END_TEST

START_TEST(templates_that_make_no_sense_are_refused)
{
    static const char *const wrong[] = {"", "x", "{", "a{b", "}", "{}", "{a}}", "{{a}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct cli_key key = {.count = 0};
        ck_assert_msg(cli_key_parse(&key, wrong[i]), "%s", wrong[i]);
        cli_key_close(&key);
    }
}
END_TEST

START_TEST(numbers_stay_exact)
{
    reads(CLI_LAYOUT_LINES, NULL, NULL,
          "[9223372036854775807,-9223372036854775808,18446744073709551615,9007199254740993]",
          "[9223372036854775807, -9223372036854775808, 18446744073709551615, 9007199254740993];");
    reads(CLI_LAYOUT_LINES, NULL, NULL, "[0.1,1e3,1.0,5e-324]", "[0.1, 1000.0, 1.0, 5e-324];");
    refused(CLI_LAYOUT_LINES, NULL, NULL, "1\n18446744073709551616 ", 2, 2, "exactly");
    refused(CLI_LAYOUT_LINES, NULL, NULL, "{\"x\":1e400}", 1, 1, "exactly");
}
END_TEST

START_TEST(errors_say_which_record_and_line)
{
    refused(CLI_LAYOUT_LINES, NULL, NULL, "{\"a\":1}\n{\"a\":}\n{\"a\":3}\n", 2, 2, "parse error");
    refused(CLI_LAYOUT_LINES, NULL, NULL, "{\"a\":1}\n{\"a\":1\n", 2, 3, "premature EOF");
    refused(CLI_LAYOUT_LINES, NULL, "{a}", "{\"a\":1}\n{\n\"a\":[1]}\n", 2, 3, "neither text");
    refused(CLI_LAYOUT_LINES, NULL, "{a}", "{\"a\":1}\n7\n", 2, 2, "no object");
    refused(CLI_LAYOUT_AUTO, NULL, NULL, "[{\"a\":\"\xff\"}]", 1, 1, "invalid bytes in UTF8");
}
END_TEST

START_TEST(files_without_the_expected_array_are_refused)
{
    refused(CLI_LAYOUT_AUTO, "x", NULL, "[1]", 1, 1, "has no member");
    refused(CLI_LAYOUT_AUTO, "x", NULL, "{\"y\":[1]}", 1, 1, "no member as --at names it");
    refused(CLI_LAYOUT_AUTO, "x", NULL, "{\"x\":{\"y\":[1]}}", 1, 1, "an object, not an array");
    refused(CLI_LAYOUT_AUTO, "x", NULL, "{\"x\":5}", 1, 1, "no array");
    refused(CLI_LAYOUT_JSON, NULL, NULL, "{\"x\":5}", 1, 1, "--format jsonl");
    refused(CLI_LAYOUT_JSON, NULL, NULL, "{\"x\":[1],\"y\":[2]}", 2, 1, "second array");
    refused(CLI_LAYOUT_JSON, NULL, NULL, "5 ", 1, 1, "single value");
}
END_TEST

START_TEST(nesting_is_limited)
{
    char json[2 * CAIRN_DEPTH_MAX + 8] = "";
    memset(json, '[', CAIRN_DEPTH_MAX + 1);
    memset(json + CAIRN_DEPTH_MAX + 1, ']', CAIRN_DEPTH_MAX + 1);
    refused(CLI_LAYOUT_LINES, NULL, NULL, json, 1, 1, "512 deep");
}
END_TEST

START_TEST(the_receiver_can_stop_the_reading)
{
    struct seen seen = {.stop_after = 2};
    struct cli_records *r = cli_records_create(CLI_LAYOUT_LINES, NULL, NULL, record, &seen);
    ck_assert(!cli_records_feed(r, "1\n2\n3\n", 6));
    ck_assert_str_eq(cli_records_error(r), "");
    ck_assert_str_eq(seen.text.data, "1;2;");
    cli_records_destroy(r);
    cli_text_close(&seen.text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cli_records");
    TCase *tcase = tcase_create("cli_records");
    tcase_add_test(tcase, lines_are_records);
    tcase_add_test(tcase, arrays_hold_records);
    tcase_add_test(tcase, a_member_holds_the_array);
    tcase_add_test(tcase, keys_are_made_of_fields);
    tcase_add_test(tcase, templates_that_make_no_sense_are_refused);
    tcase_add_test(tcase, numbers_stay_exact);
    tcase_add_test(tcase, errors_say_which_record_and_line);
    tcase_add_test(tcase, files_without_the_expected_array_are_refused);
    tcase_add_test(tcase, nesting_is_limited);
    tcase_add_test(tcase, the_receiver_can_stop_the_reading);
    suite_add_tcase(suite, tcase);
    return suite;
}
