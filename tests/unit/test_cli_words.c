/* test_cli_words.c - lines to words, and words to parameters. */
#include "client/cli_words.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli_params.h"
#include "tests/support/runner.h"

static void splits(const char *line, const char *expected)
{
    struct cli_words words;
    const char *error;
    struct cli_text joined = {0};
    ck_assert_msg(cli_words_split(&words, line, &error), "%s", line);
    for (size_t i = 0; i < words.count; i++) {
        if (i > 0) cli_text_add_char(&joined, '|');
        cli_text_add_cstr(&joined, words.list[i]);
    }
    ck_assert_str_eq(joined.data ? joined.data : "", expected);
    cli_text_close(&joined);
    cli_words_close(&words);
}

static void does_not_split(const char *line, const char *says)
{
    struct cli_words words;
    const char *error;
    ck_assert(!cli_words_split(&words, line, &error));
    ck_assert_msg(strstr(error, says), "%s: %s", line, error);
    ck_assert_uint_eq(words.count, 0);
}

START_TEST(words_are_split_where_a_reader_would)
{
    splits("", "");
    splits("  get  user:1\t", "get|user:1");
    splits("set a {\"b c\": [1, 2], \"d}\": 3} if=absent",
           "set|a|{\"b c\": [1, 2], \"d}\": 3}|if=absent");
    splits("set a 'hello world' x", "set|a|hello world|x");
    splits("set a 'it\\'s' ''", "set|a|it's|");
    splits("set a \"x \\\" y\"", "set|a|\"x \\\" y\"");
    splits("get \"odd key\".f a[\"x y\"].z it's", "get|\"odd key\".f|a[\"x y\"].z|it's");
    splits("get a # the rest", "get|a");
    splits("get a#b", "get|a#b");
}
END_TEST

/* What is asked in words has texts in quotes of either kind, and they must arrive as such. */
START_TEST(queries_keep_their_quotes)
{
    splits("table query trips where city = 'New  York' and x > 1",
           "table|query|trips|where|city|=|'New  York'|and|x|>|1");
    splits("table query 'my trips' where 'x > 1'", "table|query|my trips|where|'x > 1'");
    splits("table group t by `a  b` count", "table|group|t|by|`a  b`|count");
    splits("table show t where city in('a b', \"c d\")",
           "table|show|t|where|city|in('a b',|\"c d\")");
    splits("table query t where a = 'it\\'s  so'", "table|query|t|where|a|=|'it\\'s  so'");
    splits("table export t 'my file.csv' where a = 'x y'",
           "table|export|t|my file.csv|where|a|=|'x y'");
    splits("table create t 'my file.csv'", "table|create|t|my file.csv");
    does_not_split("table query t where a = 'x", "closing '");
    does_not_split("table query t where `a", "closing `");
}
END_TEST

START_TEST(lines_that_do_not_end_are_refused)
{
    does_not_split("set a 'x", "closing '");
    does_not_split("set a \"x", "closing \"");
    does_not_split("set a {\"x\": [1}", "closing bracket");
}
END_TEST

/* What `line` sends to the method; a literal list. NULL, and `failure`, if nothing. */
static char failure[600];
static char *sent(const char *name, const char *params, const char *line)
{
    const struct cli_method method = {.name = name, .params = params, .result = "", .help = ""};
    struct cairn_args *args = cairn_args_create(), *list = cairn_args_create();
    struct cli_text error = {0};
    struct cli_words words;
    const char *what;
    char *text = NULL;
    size_t size, used;
    ck_assert(cli_words_split(&words, line, &what));
    if (cli_params_build(args, &method, words.list, words.count, &error)) {
        struct cairn_reply *reply;
        cairn_args_array_open(list);
        cairn_args_append(list, args);
        cairn_args_array_close(list);
        const char *bytes = cairn_args_bytes(list, &size);
        ck_assert_int_eq(cairn_decode(bytes, size, &used, &reply), CAIRN_OK);
        FILE *out = open_memstream(&text, &size);
        cli_json_print(out, cairn_reply_result(reply), &(struct cli_json_style){.width = 0});
        fclose(out);
        cairn_reply_destroy(reply);
    }
    snprintf(failure, sizeof failure, "%s", error.data ? error.data : "");
    cairn_args_destroy(args);
    cairn_args_destroy(list);
    cli_words_close(&words);
    cli_text_close(&error);
    return text;
}

static void sends(const char *params, const char *line, const char *expected)
{
    char *text = sent("m", params, line);
    ck_assert_msg(text, "%s: %s", line, failure);
    ck_assert_str_eq(text, expected);
    free(text);
}

static void not_sent(const char *params, const char *line, const char *says)
{
    char *text = sent("m", params, line);
    ck_assert_msg(!text, "%s: %s", line, text);
    ck_assert_msg(strstr(failure, says), "%s: %s", line, failure);
}

START_TEST(words_are_read_by_the_names_of_parameters)
{
    const char *set = "path, value, [opts: if, match, create]";
    sends("path", "a.b[0]", "[[\"a\", \"b\", 0]]");
    sends(set, "k 5", "[\"k\", 5]");
    sends(set, "k '5'", "[\"k\", 5]");
    sends(set, "k \"5\"", "[\"k\", \"5\"]");
    sends(set, "k hello", "[\"k\", \"hello\"]");
    sends(set, "k 'hello world'", "[\"k\", \"hello world\"]");
    sends(set, "k {\"a\": [1.5, null]}", "[\"k\", {\"a\": [1.5, null]}]");
    sends(set, "[\"k.x\", 1] 0", "[[\"k.x\", 1], 0]");
    sends("path, data", "log 123", "[\"log\", \"123\"]");
    sends("path, data", "log \"1\\n\"", "[\"log\", \"1\\n\"]");
    sends("handle, ...", "3 @4", "[{\"handle\": 3}, {\"handle\": 4}]");
    sends("path, target", "a b.c", "[\"a\", [\"b\", \"c\"]]");
    sends("path, path", "a[1] b", "[[\"a\", 1], \"b\"]");
    sends("", "", "[]");
}
END_TEST

START_TEST(lists_take_the_words_that_are_left)
{
    const char *push = "path, [value...], [opts: front, create]";
    sends("path, ...", "a b c.d", "[\"a\", \"b\", [\"c\", \"d\"]]");
    sends("path, …", "a b", "[\"a\", \"b\"]");
    sends("paths", "a b.c", "[[\"a\", [\"b\", \"c\"]]]");
    sends(push, "l 1 two [3]", "[\"l\", [1, \"two\", [3]]]");
    sends(push, "l [1, 2]", "[\"l\", [1, 2]]");
    sends(push, "l [1, 2] {\"front\": true}", "[\"l\", [1, 2], {\"front\": true}]");
    sends(push, "l 1 front=true create=true",
          "[\"l\", [1], {\"front\": true, \"create\": true}]");
    sends("path, [value…], [opts: x]", "l 1 2", "[\"l\", [1, 2]]");
    sends("[[path, value]...]", "a.b 1 c x", "[[[[\"a\", \"b\"], 1], [\"c\", \"x\"]]]");
    sends("[[path, value]...]", "[[\"a\", 1]]", "[[[\"a\", 1]]]");
}
END_TEST

START_TEST(nil_is_a_path_that_is_left_out)
{
    const char *from = "path, [path], [schema]";
    sends(from, "l nil [[\"a\",\"i64\"]]", "[\"l\", null, [[\"a\", \"i64\"]]]");
    sends(from, "l null", "[\"l\", null]");
    sends(from, "l \"nil\"", "[\"l\", \"nil\"]");
    sends(from, "nil", "[\"nil\"]");
    sends("path", "nil", "[\"nil\"]");
}
END_TEST

START_TEST(options_follow_at_the_end)
{
    const char *scan = "[cursor], [opts: match, type, count]";
    const char *set = "path, value, [opts: if, match, create]";
    sends(scan, "", "[]");
    sends(scan, "0", "[0]");
    sends(scan, "match=user:* count=10", "[null, {\"match\": \"user:*\", \"count\": 10}]");
    sends(scan, "0 match=[a-z]*", "[0, {\"match\": \"[a-z]*\"}]");
    sends(set, "k \"if=absent\"", "[\"k\", \"if=absent\"]");
    sends(set, "k v if=absent", "[\"k\", \"v\", {\"if\": \"absent\"}]");
    sends(set, "k v {if: \"absent\"}", "[\"k\", \"v\", {\"if\": \"absent\"}]");
    sends("path, [count], [opts: front]", "l 2 front=true", "[\"l\", 2, {\"front\": true}]");
}
END_TEST

START_TEST(mistyped_options_are_neither_paths_nor_values)
{
    const char *intersect = "paths, [opts: into]";
    const char *push = "path, [value...], [opts: front, create]";
    sends(intersect, "sa sb into=x", "[[\"sa\", \"sb\"], {\"into\": \"x\"}]");
    not_sent(intersect, "sa sb in=x", "in=x is no option: is it into=; the options are into");
    not_sent(intersect, "sa sb where=x", "where=x is no option; the options are into");
    sends(intersect, "sa \"in=x\"", "[[\"sa\", \"in=x\"]]");
    sends(intersect, "a=b", "[[\"a=b\"]]");
    not_sent(push, "nl create=true", "create=true is an option, and parameters are missing");
    not_sent(push, "nl 1 crate=true", "is it create=; the options are front, create");
    not_sent(push, "nl 1 create=true 2", "is it create=");
    sends(push, "nl 1 a=b", "[\"nl\", [1, \"a=b\"]]");
    sends(push, "nl \"create=true\"", "[\"nl\", [\"create=true\"]]");
    not_sent("path, value, [opts: if, match, create]", "k if=absent", "if=absent is an option");
    not_sent("path, [opts: depth]", "depth=1", "depth=1 is an option");
    sends("path, ...", "a b=c", "[\"a\", \"b=c\"]");
}
END_TEST

START_TEST(words_that_do_not_fit_are_refused)
{
    const char *set = "path, value, [opts: if, match, create]";
    not_sent(set, "", "parameters are missing; it takes path, value");
    not_sent(set, "k", "too few");
    not_sent(set, "k 1 {} 2", "too many");
    not_sent(set, "k 1 whatever=2", "no option");
    not_sent(set, "k '{a'", "at byte 3");
    not_sent(set, "k 99999999999999999999", "too large");
    not_sent("path", "a[", "path a[: at byte 3");
    not_sent("", "x", "no parameters");
    not_sent("handle, ...", "x", "@N");
    not_sent("[[path, value]...]", "a 1 b", "pairs");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cli_words");
    TCase *tcase = tcase_create("cli_words");
    tcase_add_test(tcase, words_are_split_where_a_reader_would);
    tcase_add_test(tcase, queries_keep_their_quotes);
    tcase_add_test(tcase, lines_that_do_not_end_are_refused);
    tcase_add_test(tcase, words_are_read_by_the_names_of_parameters);
    tcase_add_test(tcase, lists_take_the_words_that_are_left);
    tcase_add_test(tcase, nil_is_a_path_that_is_left_out);
    tcase_add_test(tcase, options_follow_at_the_end);
    tcase_add_test(tcase, mistyped_options_are_neither_paths_nor_values);
    tcase_add_test(tcase, words_that_do_not_fit_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
