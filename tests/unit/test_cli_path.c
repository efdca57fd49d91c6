/* test_cli_path.c - paths as they are typed, and what goes over the wire. */
#include "client/cli_path.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"

/* The path as one line of a literal; NULL if it is none, and the error is in `error`. */
static struct cli_json_error error;
static char *shown(const char *path, size_t length)
{
    const struct cli_json_style style = {.width = 0};
    struct cairn_args *args = cairn_args_create();
    char *text = NULL;
    size_t size, used;
    if (cli_path_parse(args, path, length, &error)) {
        struct cairn_reply *reply;
        FILE *out = open_memstream(&text, &size);
        const char *bytes = cairn_args_bytes(args, &size);
        ck_assert_int_eq(cairn_decode(bytes, size, &used, &reply), CAIRN_OK);
        cli_json_print(out, cairn_reply_result(reply), &style);
        fclose(out);
        cairn_reply_destroy(reply);
    }
    cairn_args_destroy(args);
    return text;
}

static void reads_as(const char *path, const char *expected)
{
    char *text = shown(path, strlen(path));
    ck_assert_msg(text, "%s: %s", path, error.text);
    ck_assert_str_eq(text, expected);
    free(text);
}

static void refused(const char *path, size_t offset, const char *says)
{
    char *text = shown(path, strlen(path));
    ck_assert_msg(!text, "%s was read as %s", path, text);
    ck_assert_msg(strstr(error.text, says), "%s: %s", path, error.text);
    ck_assert_uint_eq(error.offset, offset);
}

START_TEST(a_key_alone_is_a_string)
{
    reads_as("user:1", "\"user:1\"");
    reads_as("1", "\"1\"");
    reads_as("a b]{}'", "\"a b]{}'\"");
    reads_as("größe", "\"größe\"");
    reads_as("\"odd.key\"", "\"odd.key\"");
    reads_as("\"\"", "\"\"");
    reads_as("\"a\\n\\u00e9\\\"\"", "\"a\\né\\\"\"");
    reads_as("\xff\xfe", "b\"\\xff\\xfe\"");
}
END_TEST

START_TEST(segments_are_names_and_indices)
{
    reads_as("user:1.name", "[\"user:1\", \"name\"]");
    reads_as("points[5].x", "[\"points\", 5, \"x\"]");
    reads_as("a[-1]", "[\"a\", -1]");
    reads_as("a[0][1][2]", "[\"a\", 0, 1, 2]");
    reads_as("a.5", "[\"a\", \"5\"]");
    reads_as("a[\"x.y\"].\"[0]\"", "[\"a\", \"x.y\", \"[0]\"]");
    reads_as("\"odd.key\".field", "[\"odd.key\", \"field\"]");
    reads_as("\"q\\\"[\"[9223372036854775807]", "[\"q\\\"[\", 9223372036854775807]");
}
END_TEST

START_TEST(a_handle_stands_where_a_key_can)
{
    reads_as("@3", "{\"handle\": 3}");
    reads_as("@12.name[0]", "[{\"handle\": 12}, \"name\", 0]");
    reads_as("@x", "\"@x\"");
    reads_as("@3x", "\"@3x\"");
    reads_as("@", "\"@\"");
    reads_as("\"@3\"", "\"@3\"");
}
END_TEST

START_TEST(what_is_no_path_is_refused_with_its_place)
{
    refused("", 0, "key is missing");
    refused(".a", 0, "key is missing");
    refused("a.", 2, "field is missing");
    refused("a..b", 2, "field is missing");
    refused("a[", 2, "index");
    refused("a[]", 2, "index");
    refused("a[x]", 2, "index");
    refused("a[1", 3, "closing ]");
    refused("a[1]b", 4, "expected . or [");
    refused("a[1.5]", 2, "index");
    refused("a[99999999999999999999]", 2, "index");
    refused("\"a", 2, "closing \"");
    refused("\"a\"b", 3, "expected . or [");
    refused("a.\"\\q\"", 4, "escape");
    refused("@99999999999999999999", 0, "handle");
}
END_TEST

START_TEST(the_number_of_segments_is_limited)
{
    char path[2 * CLI_PATH_SEGMENTS_MAX + 4] = "a";
    for (int i = 0; i < CLI_PATH_SEGMENTS_MAX; i++) strcat(path, ".b");
    char *text = shown(path, strlen(path));
    ck_assert_ptr_nonnull(text);
    free(text);
    strcat(path, ".b");
    refused(path, strlen(path) - 2, "256 segments");
}
END_TEST

START_TEST(quoted_keys_read_back_as_themselves)
{
    static const char *const keys[] = {"plain", "a.b", "a[0]", "", "\"", "a\\b", "tab\there", "@1",
                                       "with space", "it's", "größe", "\x01\x7f", "\xff.\xfe"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct cli_text quoted = {0};
        struct cairn_args *args = cairn_args_create(), *direct = cairn_args_create();
        cli_path_quote(&quoted, keys[i], strlen(keys[i]));
        ck_assert(cli_path_parse(args, quoted.data, quoted.length, &error));
        cli_path_key(direct, keys[i], strlen(keys[i]));
        size_t length, direct_length;
        const char *bytes = cairn_args_bytes(args, &length);
        const char *direct_bytes = cairn_args_bytes(direct, &direct_length);
        ck_assert_uint_eq(length, direct_length);
        ck_assert_mem_eq(bytes, direct_bytes, length);
        cli_text_close(&quoted);
        cairn_args_destroy(args);
        cairn_args_destroy(direct);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cli_path");
    TCase *tcase = tcase_create("cli_path");
    tcase_add_test(tcase, a_key_alone_is_a_string);
    tcase_add_test(tcase, segments_are_names_and_indices);
    tcase_add_test(tcase, a_handle_stands_where_a_key_can);
    tcase_add_test(tcase, what_is_no_path_is_refused_with_its_place);
    tcase_add_test(tcase, the_number_of_segments_is_limited);
    tcase_add_test(tcase, quoted_keys_read_back_as_themselves);
    suite_add_tcase(suite, tcase);
    return suite;
}
