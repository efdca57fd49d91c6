/* test_cli_filter.c - readable queries: what they become, what is said of those that are wrong, and
 * random ones, printed and read back. */
#include "client/cli_filter.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli_clauses.h"
#include "client/cli_date.h"
#include "client/cli_json.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

static struct cli_fields fields;

static void setup(void)
{
    static const char *const columns[][2] = {
        {"id", "i64"},   {"city", "sym"}, {"name", "str"}, {"price", "f64"}, {"small", "f32"},
        {"day", "date"}, {"at", "ts"},    {"ok", "bool"},  {"raw", "bin"},   {"unit price", "i32"},
        {"limit", "u8"}, {"any", ""}};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        ck_assert(cli_fields_add(&fields, columns[i][0], strlen(columns[i][0]), columns[i][1]));
}

static void teardown(void)
{
    cli_fields_close(&fields);
}

/* MessagePack of one value, as it is printed. */
static char *printed(const struct cairn_args *args)
{
    struct cairn_reply *reply;
    size_t size, used, length;
    char *text = NULL;
    const char *bytes = cairn_args_bytes(args, &length);
    ck_assert_int_eq(cairn_args_status(args), CAIRN_OK);
    ck_assert_uint_eq(cairn_args_count(args), 1);
    ck_assert_int_eq(cairn_decode(bytes, length, &used, &reply), CAIRN_OK);
    ck_assert_uint_eq(used, length);
    FILE *out = open_memstream(&text, &size);
    cli_json_print(out, cairn_reply_result(reply), &(struct cli_json_style){.width = 0});
    fclose(out);
    cairn_reply_destroy(reply);
    return text;
}

/* A condition's prefix form; NULL and *error if it is none. All of it must be read. */
static char *read_condition(const char *text, struct cli_query_error *error)
{
    struct cairn_args *args = cairn_args_create();
    struct cli_lexer l;
    char *result = NULL;
    cli_lexer_init(&l, text, strlen(text));
    bool done = cli_filter_read(&l, &fields, NULL, args, error);
    if (done && l.token.type != CLI_TOKEN_END) done = cli_lexer_expected(&l, "the end", error);
    if (done) result = printed(args);
    cairn_args_destroy(args);
    return result;
}

static void becomes(const char *text, const char *expected)
{
    struct cli_query_error error;
    char *result = read_condition(text, &error);
    ck_assert_msg(result, "%s: at %zu: %s", text, error.offset, error.text);
    ck_assert_str_eq(result, expected);
    free(result);
}

/* `text` has a ^ in front of the byte that the error is about. */
static void refuses(const char *text, const char *says)
{
    char plain[512];
    struct cli_query_error error = {.text = ""};
    const char *caret = strchr(text, '^');
    size_t at = (size_t)(caret - text);
    snprintf(plain, sizeof plain, "%.*s%s", (int)at, text, caret + 1);
    char *result = read_condition(plain, &error);
    ck_assert_msg(!result, "%s: %s", plain, result);
    ck_assert_msg(strstr(error.text, says), "%s: %s", plain, error.text);
    ck_assert_msg(error.offset == at, "%s: at %zu, not %zu: %s", plain, error.offset, at,
                  error.text);
}

START_TEST(comparisons)
{
    becomes("price > 10", "[\">\", \"price\", 10]");
    becomes("price>=1.5e3", "[\">=\", \"price\", 1500.0]");
    becomes("id != -9223372036854775808", "[\"!=\", \"id\", -9223372036854775808]");
    becomes("id <> 3", "[\"!=\", \"id\", 3]");
    becomes("id == 3", "[\"=\", \"id\", 3]");
    becomes("10 < price", "[\">\", \"price\", 10]");
    becomes("10 >= price", "[\"<=\", \"price\", 10]");
    becomes("city = 'Oslo'", "[\"=\", \"city\", \"Oslo\"]");
    becomes("city = \"Oslo\"", "[\"=\", \"city\", \"Oslo\"]");
    becomes("name = ''", "[\"=\", \"name\", \"\"]");
    becomes("name = 'it''s'", "[\"=\", \"name\", \"it's\"]");
    becomes("name = 'it\\'s \\u00e9 \"so\"'", "[\"=\", \"name\", \"it's é \\\"so\\\"\"]");
    becomes("name = \"say \"\"so\"\" \\n\"", "[\"=\", \"name\", \"say \\\"so\\\" \\n\"]");
    becomes("raw = 'ab'", "[\"=\", \"raw\", b\"ab\"]");
    becomes("`unit price` = 3", "[\"=\", \"unit price\", 3]");
    becomes("`limit` = 3", "[\"=\", \"limit\", 3]");
    becomes("ok = true", "[\"=\", \"ok\", true]");
    becomes("ok", "[\"=\", \"ok\", true]");
    becomes("not ok and id = 1", "[\"and\", [\"not\", [\"=\", \"ok\", true]], [\"=\", \"id\", 1]]");
    becomes("price = inf or price < -inf", "[\"or\", [\"=\", \"price\", inf], "
                                           "[\"<\", \"price\", -inf]]");
    becomes("any = 'x' or any = 5", "[\"or\", [\"=\", \"any\", \"x\"], [\"=\", \"any\", 5]]");
}
END_TEST

START_TEST(dates_and_times)
{
    becomes("day >= '2024-05-01'", "[\">=\", \"day\", 19844]");
    becomes("day >= 2024-05-01", "[\">=\", \"day\", 19844]");
    becomes("day < '1969-12-31'", "[\"<\", \"day\", -1]");
    becomes("at < '2024-05-01'", "[\"<\", \"at\", 1714521600000000]");
    becomes("at < '2024-05-01 12:30'", "[\"<\", \"at\", 1714566600000000]");
    becomes("at < '2024-05-01T12:30:00.5Z'", "[\"<\", \"at\", 1714566600500000]");
    becomes("at < 2024-05-01 12:30:00.000001 and ok",
            "[\"and\", [\"<\", \"at\", 1714566600000001], [\"=\", \"ok\", true]]");
    becomes("day in ('2024-05-01', 2024-05-02)", "[\"in\", \"day\", [19844, 19845]]");
    becomes("day between '2024-05-01' and '2024-05-31'", "[\"between\", \"day\", 19844, 19874]");
    becomes("day + 7 > '2024-05-01'",
            "[\"cmp\", \">\", [\"+\", [\"col\", \"day\"], [\"lit\", 7]], "
            "[\"cast\", [\"lit\", 19844], \"date\"]]");
    becomes("day - '2024-05-01' > 7",
            "[\"cmp\", \">\", [\"-\", [\"col\", \"day\"], [\"cast\", [\"lit\", 19844], \"date\"]], "
            "[\"lit\", 7]]");
}
END_TEST

START_TEST(tests_of_one_column)
{
    becomes("city in (\"Oslo\",\"Rome\")", "[\"in\", \"city\", [\"Oslo\", \"Rome\"]]");
    becomes("id in (1)", "[\"in\", \"id\", [1]]");
    becomes("id in(-1, 2, null)", "[\"in\", \"id\", [-1, 2, null]]");
    becomes("id not in (1, 2)", "[\"not\", [\"in\", \"id\", [1, 2]]]");
    becomes("id between 1 and 5", "[\"between\", \"id\", 1, 5]");
    becomes("id not between 1 and 5 and ok",
            "[\"and\", [\"not\", [\"between\", \"id\", 1, 5]], [\"=\", \"ok\", true]]");
    becomes("id between 1 and 2 or ok",
            "[\"or\", [\"between\", \"id\", 1, 2], [\"=\", \"ok\", true]]");
    becomes("price between id and 5",
            "[\"and\", [\"cmp\", \">=\", [\"col\", \"price\"], [\"col\", \"id\"]], "
            "[\"<=\", \"price\", 5]]");
    becomes("price is null", "[\"null\", \"price\"]");
    becomes("price IS NOT NULL", "[\"not\", [\"null\", \"price\"]]");
    becomes("city starts with 'O'", "[\"prefix\", \"city\", \"O\"]");
    becomes("city not starts with 'O'", "[\"not\", [\"prefix\", \"city\", \"O\"]]");
    becomes("name contains 'sl' and not name contains 'x'",
            "[\"and\", [\"contains\", \"name\", \"sl\"], [\"not\", [\"contains\", \"name\", "
            "\"x\"]]]");
}
END_TEST

START_TEST(what_binds_closer)
{
    becomes("id = 1 or id = 2 and ok",
            "[\"or\", [\"=\", \"id\", 1], [\"and\", [\"=\", \"id\", 2], [\"=\", \"ok\", true]]]");
    becomes("(id = 1 or id = 2) and ok",
            "[\"and\", [\"or\", [\"=\", \"id\", 1], [\"=\", \"id\", 2]], [\"=\", \"ok\", true]]");
    becomes("id = 1 and id = 2 and id = 3",
            "[\"and\", [\"=\", \"id\", 1], [\"=\", \"id\", 2], [\"=\", \"id\", 3]]");
    becomes("not id = 1 or ok", "[\"or\", [\"not\", [\"=\", \"id\", 1]], [\"=\", \"ok\", true]]");
    becomes("not not (id = 1)", "[\"not\", [\"not\", [\"=\", \"id\", 1]]]");
    becomes("((id = 1))", "[\"=\", \"id\", 1]");
    becomes("(id) = (1)", "[\"=\", \"id\", 1]");
}
END_TEST

START_TEST(what_is_computed)
{
    becomes("price > id", "[\"cmp\", \">\", [\"col\", \"price\"], [\"col\", \"id\"]]");
    becomes("price * 2 + 1 > id - -3",
            "[\"cmp\", \">\", [\"+\", [\"*\", [\"col\", \"price\"], [\"lit\", 2]], [\"lit\", 1]], "
            "[\"-\", [\"col\", \"id\"], [\"lit\", -3]]]");
    becomes("price - id - 1 = 0",
            "[\"cmp\", \"=\", [\"-\", [\"-\", [\"col\", \"price\"], [\"col\", \"id\"]], "
            "[\"lit\", 1]], [\"lit\", 0]]");
    becomes("-(id) < 3 % id",
            "[\"cmp\", \"<\", [\"-\", [\"lit\", 0], [\"col\", \"id\"]], "
            "[\"%\", [\"lit\", 3], [\"col\", \"id\"]]]");
    becomes("2 * (id + 1) = 4",
            "[\"cmp\", \"=\", [\"*\", [\"lit\", 2], [\"+\", [\"col\", \"id\"], [\"lit\", 1]]], "
            "[\"lit\", 4]]");
    becomes("bucket(price, 2.5) = 10",
            "[\"cmp\", \"=\", [\"bucket\", [\"col\", \"price\"], 2.5], [\"lit\", 10]]");
    becomes("cast(price + 1 as i64) = id",
            "[\"cmp\", \"=\", [\"cast\", [\"+\", [\"col\", \"price\"], [\"lit\", 1]], \"i64\"], "
            "[\"col\", \"id\"]]");
    becomes("if(ok and id > 1, price, 0) > 5",
            "[\"cmp\", \">\", [\"if\", [\"and\", [\"=\", \"ok\", true], [\">\", \"id\", 1]], "
            "[\"col\", \"price\"], [\"lit\", 0]], [\"lit\", 5]]");
    becomes("1 < 2", "[\"cmp\", \"<\", [\"lit\", 1], [\"lit\", 2]]");
}
END_TEST

START_TEST(errors_point_at_the_place)
{
    refuses("price > ^", "expected a column, a value, not or (, but it ends here");
    refuses("price ^", "expected a comparison behind price");
    refuses("price + 1 ^and ok", "expected a comparison behind price + 1");
    refuses("price > 10 and ^", "but it ends here");
    refuses("^town = 5", "there is no column town; there are id, city, name");
    refuses("^prise > 5", "is it price?");
    refuses("^unit > 5", "is it `unit price` (in backticks)?");
    refuses("city = ^Oslo", "there is no column Oslo");
    refuses("city = ^Oslo", "text has quotes of its own inside of the shell's");
    refuses("city contains ^Oslo", "text has quotes of its own inside of the shell's");
    refuses("city ^like 'O%'", "there is no like; there are starts with and contains");
    refuses("day >= 2024-^05", "a date has a day, too: '2024-05-01'");
    refuses("city = ^5", "city is a column of sym: expected a text in quotes");
    refuses("price > ^'x'", "price is a column of f64: expected a number");
    refuses("ok = ^1", "expected true or false");
    refuses("day = ^'yesterday'", "day is a column of date: expected a date, as in '2024-05-01'");
    refuses("day = ^'2024-02-30'", "expected a date");
    refuses("day > ^1980", "expected a date, as in '2024-05-01'");
    refuses("at in (^5)", "expected a date or time");
    refuses("day = ^'2024-02-03 12:00:00'", "a date has no time of day");
    refuses("at = ^'2024-02-03 25:00:00'", "expected a date or time");
    refuses("price = ^null", "is null");
    refuses("(price > 1^", "expected and, or, or ), but it ends here");
    refuses("price > 1^)", "expected the end, found )");
    refuses("price > 1 ^price", "expected the end, found price");
    refuses("price > 1 ^; drop", "found ;");
    refuses("price in ^5", "expected ( and a list");
    refuses("price in (1, ^)", "expected a literal");
    refuses("price in (1 ^2)", "expected , or )");
    refuses("price in (^id)", "expected a literal");
    refuses("price between 1 ^or 2", "expected and: between LOW and HIGH");
    refuses("price between 1 ^", "expected and: between LOW and HIGH");
    refuses("^price + 1 in (2)", "in needs a column in front of it");
    refuses("price is ^5", "expected null or not null");
    refuses("city starts ^'x'", "expected with");
    refuses("^price contains 'x'", "contains needs a column of texts; this one is f64");
    refuses("price not ^= 3", "expected in, between, starts with or contains behind not");
    refuses("1 < price < ^5", "a comparison has two sides");
    refuses("^(price > 1) + 1 = 2", "is a condition, but a value is expected here");
    refuses("^city + 1 = 2", "no number to compute with");
    refuses("price + ^'x' = 2", "no number to compute with");
    refuses("city = ^'Oslo", "a closing ' is missing");
    refuses("^`unit price = 3", "a closing ` is missing");
    refuses("name = ^'\\q'", "unknown escape");
    refuses("price > ^99999999999999999999", "too large: integers have 64 bits");
    refuses("price > ^1e999", "too large for a double");
    refuses("price < -^1e999", "too large for a double");
    refuses("price in (1, ^1.0e400)", "too large for a double");
    refuses("^limit > 5", "the column is written `limit`, in backticks");
    refuses("id = 1 and ^LIMIT = 5", "the column is written `limit`, in backticks");
    refuses("price > ^order", "expected a column, a value, not or (, found order");
    refuses("price > ^12abc", "expected a number");
    refuses("^sqrt(price) > 2", "there is no function sqrt here; there are bucket, cast and if");
    refuses("bucket(price^) = 2", "a width");
    refuses("bucket(price, ^id) = 2", "expected a number: the width");
    refuses("cast(price as ^text) = 2", "expected a type");
    refuses("if(ok, 1^) = 2", "if(condition, value, value)");
    refuses("if(ok, 1, 2^, 3) = 2", "expected )");
    refuses("^", "but it ends here");
    refuses("^and ok", "expected a column");
}
END_TEST

/* `count` times a piece, then the end. */
static char *repeated(const char *piece, size_t count, const char *end)
{
    char *text = malloc(count * strlen(piece) + strlen(end) + 1);
    *text = 0;
    for (size_t i = 0; i < count; i++) memcpy(text + i * strlen(piece), piece, strlen(piece) + 1);
    memcpy(text + count * strlen(piece), end, strlen(end) + 1);
    return text;
}

static void limited(const char *piece, size_t most, const char *end, const char *says)
{
    struct cli_query_error error;
    char *good = repeated(piece, most, end), *bad = repeated(piece, most + 1, end);
    char *result = read_condition(good, &error);
    ck_assert_msg(result, "%zu times %s: %s", most, piece, error.text);
    free(result);
    ck_assert_msg(!read_condition(bad, &error), "%s", piece);
    ck_assert_msg(strstr(error.text, says), "%s", error.text);
    free(good);
    free(bad);
}

START_TEST(there_are_limits)
{
    struct cli_query_error error;
    limited("not ", 31, "id = 1", "nested more than 32 deep");
    limited("id + ", 30, "id = 1", "nested more than 32 deep");
    limited("id = 1 and ", 340, "id = 1", "more than 1024 parts");
    char *parens = repeated("(", 33, "id = 1");
    ck_assert(!read_condition(parens, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "nested more than 32 deep"));
    free(parens);
    char *list = repeated("1, ", 65535, "1)"), *text = malloc(strlen(list) + 32);
    sprintf(text, "id in (%s", list);
    char *result = read_condition(text, &error);
    ck_assert_ptr_nonnull(result);
    free(result);
    sprintf(text, "id in (1, %s", list);
    ck_assert(!read_condition(text, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "more than 65536 literals"));
    free(text);
    free(list);
}
END_TEST

/* --- clauses ----------------------------------------------------------------------------*/

static char *read_clauses(enum cli_clauses_kind kind, const char *text,
                          struct cli_query_error *error)
{
    struct cairn_args *args = cairn_args_create();
    struct cli_clauses said;
    char *result = NULL;
    cairn_args_map_open(args);
    if (cli_clauses_read(kind, text, strlen(text), &fields, args, NULL, &said, error)) {
        cairn_args_map_close(args);
        result = printed(args);
    }
    cairn_args_destroy(args);
    return result;
}

static void asks(enum cli_clauses_kind kind, const char *text, const char *expected)
{
    struct cli_query_error error;
    char *result = read_clauses(kind, text, &error);
    ck_assert_msg(result, "%s: at %zu: %s", text, error.offset, error.text);
    ck_assert_str_eq(result, expected);
    free(result);
}

static void asks_not(enum cli_clauses_kind kind, const char *text, size_t offset,
                     const char *says)
{
    struct cli_query_error error = {.text = ""};
    char *result = read_clauses(kind, text, &error);
    ck_assert_msg(!result, "%s: %s", text, result);
    ck_assert_msg(strstr(error.text, says), "%s: %s", text, error.text);
    ck_assert_msg(error.offset == offset, "%s: at %zu: %s", text, error.offset, error.text);
}

START_TEST(clauses_of_queries)
{
    enum cli_clauses_kind q = CLI_CLAUSES_QUERY;
    asks(q, "", "{}");
    asks(q, "select id, city", "{\"select\": [\"id\", \"city\"]}");
    asks(q, "select *", "{}");
    asks(q, "select id, price * 2, id as n",
         "{\"select\": [\"id\", \"price * 2\", \"n\"], \"let\": {\"price * 2\": [\"*\", [\"col\", "
         "\"price\"], [\"lit\", 2]], \"n\": [\"col\", \"id\"]}}");
    asks(q, "select price*2 as p where p > 3 order by p desc, id limit 5 offset 10",
         "{\"select\": [\"p\"], \"where\": [\">\", \"p\", 3], \"order\": [[\"p\", \"desc\"], "
         "[\"id\", \"asc\"]], \"limit\": 5, \"offset\": 10, \"let\": {\"p\": [\"*\", [\"col\", "
         "\"price\"], [\"lit\", 2]]}}");
    asks(q, "WHERE ok LIMIT 3", "{\"where\": [\"=\", \"ok\", true], \"limit\": 3}");
    asks(q, "where 'id = 1' limit 2", "{\"where\": [\"=\", \"id\", 1], \"limit\": 2}");
    asks(q, "where city = 'id = 1' limit 2", "{\"where\": [\"=\", \"city\", \"id = 1\"], "
                                             "\"limit\": 2}");
    asks_not(q, "where id = 1 limit", 18, "expected a number of rows");
    asks_not(q, "where id = 1 having ok", 13, "expected an operator, select, where, order by");
    asks_not(q, "where ok where ok", 9, "this clause was there already");
    asks_not(q, "order id", 6, "expected by");
    asks_not(q, "order by id + 1", 9, "rows are put in order by columns");
    asks_not(q, "order by -id", 9, "downwards with desc");
    asks_not(q, "select id, id", 11, "the name id is there already");
    asks_not(q, "select id * 2, id * 2", 15, "is there already");
    asks(q, "select *", "{}");
    asks(q, "select *, id * 2 as double where ok",
         "{\"select\": [\"id\", \"city\", \"name\", \"price\", \"small\", \"day\", \"at\", \"ok\", "
         "\"raw\", \"unit price\", \"limit\", \"any\", \"double\"], \"where\": [\"=\", \"ok\", "
         "true], \"let\": {\"double\": [\"*\", [\"col\", \"id\"], [\"lit\", 2]]}}");
    asks_not(q, "select *, id", 10, "the name id is there already");
    asks_not(q, "select distinct city", 7, "table group NAME by city");
    asks_not(q, "id = 1", 0, "a condition begins with where");
    asks_not(q, "select count(*)", 7, "count is for table group");
    asks_not(q, "where ok group by city", 9, "table group");
    asks_not(q, "where 'id = ' limit 2", 12, "expected a column");
    asks_not(q, "select id as", 12, "expected a name behind as");
    asks_not(q, "select id * 2 as city", 7, "the name city is there already");
    asks_not(q, "where ok ;", 9, "found ;");
}
END_TEST

START_TEST(clauses_of_groups)
{
    enum cli_clauses_kind g = CLI_CLAUSES_GROUP;
    asks(g, "count", "{\"agg\": {\"count\": [\"count\"]}}");
    asks(g, "by city count, sum(price), avg(price) as mean",
         "{\"group\": [\"city\"], \"agg\": {\"count\": [\"count\"], \"sum(price)\": [\"sum\", "
         "\"price\"], \"mean\": [\"avg\", \"price\"]}}");
    asks(g, "by city,ok count() as n where id > 3 having n > 1 order by n desc limit 2",
         "{\"group\": [\"city\", \"ok\"], \"agg\": {\"n\": [\"count\"]}, \"where\": [\">\", "
         "\"id\", 3], \"having\": [\">\", \"n\", 1], \"order\": [[\"n\", \"desc\"]], "
         "\"limit\": 2}");
    asks(g, "by city sum( price ) having sum(price) > 3 order by sum (price)",
         "{\"group\": [\"city\"], \"agg\": {\"sum( price )\": [\"sum\", \"price\"]}, \"having\": "
         "[\">\", \"sum( price )\", 3], \"order\": [[\"sum( price )\", \"asc\"]]}");
    asks(g, "count, sum(price) by city where ok",
         "{\"agg\": {\"count\": [\"count\"], \"sum(price)\": [\"sum\", \"price\"]}, \"group\": "
         "[\"city\"], \"where\": [\"=\", \"ok\", true]}");
    asks(g, "by city, ok, COUNT, Sum(price)",
         "{\"group\": [\"city\", \"ok\"], \"agg\": {\"COUNT\": [\"count\"], \"Sum(price)\": "
         "[\"sum\", \"price\"]}}");
    asks(g, "by bucket(price, 10) as b quantile(price, 0.9), sum(price * id) as s",
         "{\"group\": [\"b\"], \"agg\": {\"quantile(price, 0.9)\": [\"quantile\", \"price\", 0.9], "
         "\"s\": [\"sum\", [\"*\", [\"col\", \"price\"], [\"col\", \"id\"]]]}, \"let\": {\"b\": "
         "[\"bucket\", [\"col\", \"price\"], 10]}}");
    asks(g, "by city max(day) as last_day having last_day >= '2024-05-01'",
         "{\"group\": [\"city\"], \"agg\": {\"last_day\": [\"max\", \"day\"]}, \"having\": "
         "[\">=\", \"last_day\", 19844]}");
    asks(g, "by city", "{\"group\": [\"city\"]}");
    asks_not(g, "city", 0, "expected by and columns, or an aggregate");
    asks_not(g, "city count", 0, "write by in front of city");
    asks_not(g, "by city mean(price)", 8, "there is no aggregate mean; it is avg");
    asks_not(g, "nunique(city) by ok", 0, "there is no aggregate nunique; it is distinct");
    asks_not(g, "count(distinct city)", 6, "write distinct(city)");
    asks_not(g, "by ok, total(price)", 7, "there is no aggregate total; it is sum");
    asks_not(g, "mode(price)", 0, "there is no aggregate mode; there are count, sum");
    asks_not(g, "by city count by ok", 14, "this clause was there already");
    asks_not(g, "by city count, count", 15, "the name count is there already");
    asks_not(g, "by city sum", 11, "expected ( and a value");
    asks_not(g, "by city count, city", 15, "expected count, sum(");
    asks_not(g, "by city count having price > 3", 21, "the result has no column price");
    asks_not(g, "by city count order by sum(price)", 23, "the result has no column sum(price)");
    asks_not(g, "by city quantile(price)", 22, "a number from 0 to 1");
    asks_not(g, "by city quantile(price, 7)", 24, "a number from 0 to 1");
    asks_not(g, "by city count select id", 14, "expected an operator, a comma, where, having");
}
END_TEST

/* What is computed is called as it is written, and found again however blanks stand. */
START_TEST(names_are_as_written)
{
    enum cli_clauses_kind q = CLI_CLAUSES_QUERY, g = CLI_CLAUSES_GROUP;
    asks(q, "select -price, -(id + 1)",
         "{\"select\": [\"-price\", \"-(id + 1)\"], \"let\": {\"-price\": [\"-\", [\"lit\", 0], "
         "[\"col\", \"price\"]], \"-(id + 1)\": [\"-\", [\"lit\", 0], [\"+\", [\"col\", \"id\"], "
         "[\"lit\", 1]]]}}");
    asks(q, "select if(ok, 1, 2) limit 1",
         "{\"select\": [\"if(ok, 1, 2)\"], \"limit\": 1, \"let\": {\"if(ok, 1, 2)\": [\"if\", "
         "[\"=\", \"ok\", true], [\"lit\", 1], [\"lit\", 2]]}}");
    asks(q, "select id *  2 order by id*2 desc, id",
         "{\"select\": [\"id *  2\"], \"order\": [[\"id *  2\", \"desc\"], [\"id\", \"asc\"]], "
         "\"let\": {\"id *  2\": [\"*\", [\"col\", \"id\"], [\"lit\", 2]]}}");
    asks(g, "by bucket(price, 10) avg(`unit price`) having bucket(price,10) > 2 order by "
            "bucket( price,10 ), avg( `unit price` )",
         "{\"group\": [\"bucket(price, 10)\"], \"agg\": {\"avg(`unit price`)\": [\"avg\", "
         "\"unit price\"]}, \"having\": [\">\", \"bucket(price, 10)\", 2], \"order\": "
         "[[\"bucket(price, 10)\", \"asc\"], [\"avg(`unit price`)\", \"asc\"]], \"let\": "
         "{\"bucket(price, 10)\": [\"bucket\", [\"col\", \"price\"], 10]}}");
    asks_not(g, "by city avg(`unit price`) order by avg(`unitprice`)", 35,
             "the result has no column avg(`unitprice`)");
    char *list = repeated("id = 1000000000 or ", 15, "ok");
    char *text = malloc(strlen(list) + 64);
    sprintf(text, "select if(%s, 1, 2)", list);
    asks_not(q, text, 7, "give it one with as");
    free(text);
    free(list);
}
END_TEST

START_TEST(messages_have_a_caret)
{
    const char *query = "where na\x1bme = 'caf\xc3\xa9' and town = 5";
    struct cli_query_error error = {.offset = 28, .text = "there is no column town"};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    cli_query_error_print(out, query, strlen(query), &error, 0);
    fclose(out);
    ck_assert_str_eq(text, "  where na\\x1bme = 'café' and town = 5\n"
                           "                                ^ there is no column town\n");
    free(text);
    out = open_memstream(&text, &size);
    char *longer = repeated("id = 1 and ", 30, "town = 5");
    error.offset = 330;
    cli_query_error_print(out, longer, strlen(longer), &error, 60);
    fclose(out);
    ck_assert_msg(strstr(text, "…") && strstr(text, "town = 5\n"), "%s", text);
    ck_assert_uint_lt(strcspn(text, "\n"), 64);
    free(longer);
    free(text);
}
END_TEST

/* --- random conditions ------------------------------------------------------------------*/

/* A random condition, as text and as its prefix form, both printed while it is made. */
struct maker {
    uint64_t rng;
    FILE *text, *prefix;
};

static uint64_t below(struct maker *m, uint64_t n)
{
    return random_below(&m->rng, n);
}

static void blank(struct maker *m)
{
    fputs(below(m, 4) ? "" : "  ", m->text);
}

static const char *make_number_column(struct maker *m)
{
    static const char *const names[] = {"id", "price", "small", "unit price"};
    const char *name = names[below(m, 4)];
    fprintf(m->text, strchr(name, ' ') || !below(m, 3) ? "`%s`" : "%s", name);
    return name;
}

static void make_value(struct maker *m, unsigned depth)
{
    static const char ops[] = "+-*/%";
    if (depth == 0 || !below(m, 3)) {
        if (below(m, 2)) {
            fprintf(m->prefix, "[\"col\", \"%s\"]", make_number_column(m));
        } else {
            long number = (long)below(m, 2000) - 1000;
            fprintf(m->text, "%ld", number);
            fprintf(m->prefix, "[\"lit\", %ld]", number);
        }
        return;
    }
    char op = ops[below(m, 5)];
    fputc('(', m->text);
    fprintf(m->prefix, "[\"%c\", ", op);
    make_value(m, depth - 1);
    blank(m);
    fprintf(m->text, " %c ", op);
    fputs(", ", m->prefix);
    make_value(m, depth - 1);
    fputc(')', m->text);
    fputc(']', m->prefix);
}

static void make_test(struct maker *m)
{
    static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">="};
    const char *op = ops[below(m, 6)];
    long number = (long)below(m, 100) - 50;
    switch (below(m, 6)) {
    case 0:
        fprintf(m->prefix, "[\"%s\", \"%s\", %ld]", op, make_number_column(m), number);
        fprintf(m->text, " %s %ld", op, number);
        break;
    case 1:
        fprintf(m->text, "city in ('a%ld', \"b\")", number);
        fprintf(m->prefix, "[\"in\", \"city\", [\"a%ld\", \"b\"]]", number);
        break;
    case 2:
        char day[CLI_DATE_BYTES_MAX];
        cli_date_format(day, number);
        fprintf(m->text, "day between '%s' and '1970-01-11'", day);
        fprintf(m->prefix, "[\"between\", \"day\", %ld, 10]", number);
        break;
    case 3:
        fputs("name is null", m->text);
        fputs("[\"null\", \"name\"]", m->prefix);
        break;
    case 4:
        fputs("name starts with 'it''s'", m->text);
        fputs("[\"prefix\", \"name\", \"it's\"]", m->prefix);
        break;
    default: /* both sides in parentheses: neither is a bare column or literal */
        fputs("(id + ", m->text);
        fprintf(m->prefix, "[\"cmp\", \"%s\", [\"+\", [\"col\", \"id\"], ", op);
        make_value(m, 3);
        fprintf(m->text, ") %s (price * ", op);
        fputs("], [\"*\", [\"col\", \"price\"], ", m->prefix);
        make_value(m, 3);
        fputs(")", m->text);
        fputs("]]", m->prefix);
    }
}

/* Children that are of the same kind as their parent are put into `not`, since the parser makes one
 * list of them. */
static void make_condition(struct maker *m, unsigned depth, int parent)
{
    int kind = depth == 0 ? 3 : (int)below(m, 4);
    if (kind == 3) {
        make_test(m);
        return;
    }
    if (kind == 2 || kind == parent) {
        fputs("not (", m->text);
        fputs("[\"not\", ", m->prefix);
        make_condition(m, depth - 1, 2);
        fputc(')', m->text);
        fputc(']', m->prefix);
        return;
    }
    unsigned count = 2 + (unsigned)below(m, 3);
    fprintf(m->prefix, "[\"%s\", ", kind ? "or" : "and");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            blank(m);
            fputs(kind ? " or " : " AND ", m->text);
            fputs(", ", m->prefix);
        }
        fputc('(', m->text);
        make_condition(m, depth - 1, kind);
        fputc(')', m->text);
    }
    fputc(']', m->prefix);
}

START_TEST(random_conditions_are_read_back)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("random", 300);
    while (seeds_next(&seeds, &seed)) {
        struct maker m = {.rng = seed};
        char *text = NULL, *prefix = NULL;
        size_t text_size, prefix_size;
        m.text = open_memstream(&text, &text_size);
        m.prefix = open_memstream(&prefix, &prefix_size);
        make_condition(&m, 4, 3);
        fclose(m.text);
        fclose(m.prefix);
        becomes(text, prefix);
        free(text);
        free(prefix);
    }
}
END_TEST

/* --- dates ------------------------------------------------------------------------------*/

START_TEST(dates_are_written_and_read_back)
{
    char text[CLI_DATE_BYTES_MAX];
    int64_t us;
    bool is_date;
    cli_date_format(text, 0);
    ck_assert_str_eq(text, "1970-01-01");
    cli_date_format(text, 11016);
    ck_assert_str_eq(text, "2000-02-29");
    cli_date_format(text, -719528);
    ck_assert_str_eq(text, "0000-01-01");
    cli_date_format(text, -719529);
    ck_assert_str_eq(text, "-0001-12-31");
    cli_time_format(text, -1, 'T');
    ck_assert_str_eq(text, "1969-12-31T23:59:59.999999");
    cli_time_format(text, INT64_MIN, ' ');
    ck_assert_str_eq(text, "-290308-12-21 19:59:05.224192");
    cli_time_format(text, INT64_MAX, ' ');
    ck_assert_str_eq(text, "294247-01-10 04:00:54.775807");
    for (int64_t day = -100 * 719528; day <= 100 * 719528; day += 9973) {
        cli_date_format(text, day);
        ck_assert_msg(cli_time_parse(text, strlen(text), &us, &is_date), "%s", text);
        ck_assert(is_date && us == day * CLI_DAY_US);
    }
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -719529 * CLI_DAY_US - 1, INT64_MAX};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        cli_time_format(text, times[i], 'T');
        ck_assert_msg(cli_time_parse(text, strlen(text), &us, &is_date), "%s", text);
        ck_assert(!is_date && us == times[i]);
    }
    static const char *const none[] = {"-0000-01-01", "02024-01-01", "-999-01-01",
                                       "294247-01-10T05:00", "9999999-01-01", "12345678-01-01",
                                       "+2024-01-01", "-"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_msg(!cli_time_parse(none[i], strlen(none[i]), &us, &is_date), "%s", none[i]);
    cli_time_format(text, 1714566600123450, ' ');
    ck_assert(cli_time_parse(text, strlen(text), &us, &is_date));
    ck_assert(!is_date && us == 1714566600123450);
}
END_TEST

START_TEST(times_may_have_a_zone)
{
    static const char *const same[] = {
        "2024-05-01T12:30:00Z",      "2024-05-01 14:30+02:00", "2024-05-01T14:30:00.0+0200",
        "2024-05-01T14:30:00+02",    "2024-05-01T07:00-05:30", "2024-05-02T12:29+23:59",
        "2024-04-30T23:30:00-13:00", "2024-05-01T12:30"};
    static const char *const wrong[] = {"2024-05-01T12:30+1",     "2024-05-01T12:30+24:00",
                                        "2024-05-01T12:30+01:60", "2024-05-01T12:30+01:0",
                                        "2024-05-01T12:30Z+01",   "2024-05-01T12:30+",
                                        "2024-05-01T12:30+01:00x", "2024-05-01+01:00"};
    int64_t us;
    bool is_date;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ck_assert_msg(cli_time_parse(same[i], strlen(same[i]), &us, &is_date), "%s", same[i]);
        ck_assert_msg(us == 1714566600000000 && !is_date, "%s", same[i]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!cli_time_parse(wrong[i], strlen(wrong[i]), &us, &is_date), "%s", wrong[i]);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cli_filter");
    TCase *tcase = tcase_create("cli_filter"), *random = seeds_tcase("random");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, comparisons);
    tcase_add_test(tcase, dates_and_times);
    tcase_add_test(tcase, tests_of_one_column);
    tcase_add_test(tcase, what_binds_closer);
    tcase_add_test(tcase, what_is_computed);
    tcase_add_test(tcase, errors_point_at_the_place);
    tcase_add_test(tcase, there_are_limits);
    tcase_add_test(tcase, clauses_of_queries);
    tcase_add_test(tcase, clauses_of_groups);
    tcase_add_test(tcase, names_are_as_written);
    tcase_add_test(tcase, messages_have_a_caret);
    tcase_add_test(tcase, dates_are_written_and_read_back);
    tcase_add_test(tcase, times_may_have_a_zone);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(random, setup, teardown);
    tcase_add_test(random, random_conditions_are_read_back);
    suite_add_tcase(suite, random);
    return suite;
}
