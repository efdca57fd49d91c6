/* test_methods_more.c - lists, maps, keys, references, the collector, memory, the server. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

/* --- lists ----------------------------------------------------------------------------------*/

START_TEST(push_pushes)
{
    ASK(&p, "push", "'l', [1]", "! NOT_FOUND push: there is no list at \"l\"; the option create "
                                "makes it");
    ASK(&p, "push", "'l', [1], {'create': true}", "1");
    ASK(&p, "push", "'l', [2, [3]]", "3");
    ASK(&p, "push", "'l', ['a', 'b'], {'front': true}", "5");
    ASK(&p, "push", "'l', []", "5");
    ASK(&p, "get", "'l'", "['a', 'b', 1, 2, [3]]");
    ASK(&p, "push", "'l', 5", "! BAD_PARAMS push: the values must be a list, not an integer");
    ASK(&p, "set", "'user:1', {}", "true");
    ASK(&p, "push", "'user:1', [1]", "! WRONG_TYPE push: \"user:1\" is a map; push needs a list");
    ASK(&p, "push", "['user:1', 'x'], [1]",
        "! NOT_FOUND push: there is no list at [\"user:1\", \"x\"]; the option create makes it");
    ASK_BEGINS(&p, "push", "['none', 'x'], [1]", "! NOT_FOUND");
    ASK(&p, "new", "[1]", "{'handle': 1}");
    ASK(&p, "push", "{'handle': 1}, [2]", "2");
    ASK(&p, "new", "nil", "{'handle': 2}");
    ASK_BEGINS(&p, "push", "{'handle': 2}, [2], {'create': true}", "! BAD_PATH");
}
END_TEST

START_TEST(pop_pops)
{
    ASK(&p, "set", "'l', [1, 2, [3], 4, 5, 6]", "true");
    ASK(&p, "pop", "'l'", "6");
    ASK(&p, "pop", "'l', nil, {'front': true}", "1");
    ASK(&p, "pop", "'l', 2", "[4, 5]");
    ASK(&p, "pop", "'l', 0", "[]");
    ASK(&p, "pop", "'l', 1, {'front': true}", "[2]");
    ASK(&p, "pop", "'l', 100", "[[3]]");
    ASK(&p, "pop", "'l', 100", "[]");
    ASK(&p, "pop", "'l'", "nil");
    ASK(&p, "pop", "'none'", "nil");
    ASK(&p, "pop", "'none', 2", "[]");
    ASK(&p, "pop", "'l', -1",
        "! OUT_OF_RANGE pop: count is -1; it may be 0 to 9223372036854775807");
    ASK(&p, "pop", "'l', 'x'", "! BAD_PARAMS pop: count must be an integer, not a string");
    ASK(&p, "set", "'l', 5", "true");
    ASK(&p, "pop", "'l'", "! WRONG_TYPE pop: \"l\" is an integer; pop needs a list");
    ASK(&p, "set", "'l', [18446744073709551615]", "true");
    ASK_BEGINS(&p, "pop", "'l'", "! NEEDS_EXT pop");
    ASK(&p, "len", "'l'", "1");
}
END_TEST

START_TEST(slice_is_pythons)
{
    static const struct {
        const char *params, *answer;
    } cases[] = {
        {"'l', 0", "[0, 1, 2, 3, 4]"}, {"'l', 2", "[2, 3, 4]"},
        {"'l', -2", "[3, 4]"},         {"'l', -9", "[0, 1, 2, 3, 4]"},
        {"'l', 9", "[]"},              {"'l', 1, 3", "[1, 2]"},
        {"'l', 1, -1", "[1, 2, 3]"},   {"'l', 3, 1", "[]"},
        {"'l', 0, 99, 2", "[0, 2, 4]"}, {"'l', 1, nil, 3", "[1, 4]"},
        {"'l', 4, nil, -1", "[4, 3, 2, 1, 0]"}, {"'l', -1, nil, -2", "[4, 2, 0]"},
        {"'l', 99, 1, -1", "[4, 3, 2]"}, {"'l', 3, -4, -1", "[3, 2]"},
        {"'l', 3, -99, -1", "[3, 2, 1, 0]"}, {"'l', -99, nil, -1", "[]"},
        {"'l', -9223372036854775808, 9223372036854775807, 1", "[0, 1, 2, 3, 4]"},
        {"'l', 9223372036854775807, -9223372036854775808, -2147483647", "[4]"},
        {"'none', 0", "[]"},           {"'empty', 0, nil, -1", "[]"},
    };
    ASK(&p, "set", "'l', [0, 1, 2, 3, 4]", "true");
    ASK(&p, "set", "'empty', []", "true");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ASK(&p, "slice", cases[i].params, cases[i].answer);
    ASK(&p, "slice", "'l', 0, 5, 0", "! OUT_OF_RANGE slice: step is 0");
    ASK(&p, "slice", "'l', 'x'", "! BAD_PARAMS slice: start must be an integer, not a string");
    ASK(&p, "set", "'s', 'text'", "true");
    ASK(&p, "slice", "'s', 0",
        "! WRONG_TYPE slice: \"s\" is a string; slice needs a list or a table");
}
END_TEST

START_TEST(insert_inserts)
{
    ASK(&p, "insert", "'l', 0, [1]", "! NOT_FOUND insert: there is nothing at \"l\"");
    ASK(&p, "set", "'l', [1, 2, 3]", "true");
    ASK(&p, "insert", "'l', 1, ['a', 'b']", "5");
    ASK(&p, "insert", "'l', -1, ['c']", "6");
    ASK(&p, "insert", "'l', 6, ['end']", "7");
    ASK(&p, "insert", "'l', -7, ['begin']", "8");
    ASK(&p, "insert", "'l', 3, []", "8");
    ASK(&p, "get", "'l'", "['begin', 1, 'a', 'b', 2, 'c', 3, 'end']");
    ASK(&p, "insert", "'l', 9, [1]",
        "! OUT_OF_RANGE insert: \"l\" is a list of 8 items; index 9 is outside of it");
    ASK(&p, "insert", "'l', -9, [1]",
        "! OUT_OF_RANGE insert: \"l\" is a list of 8 items; index -9 is outside of it");
    ASK(&p, "insert", "'l', 0, 1", "! BAD_PARAMS insert: the values must be a list, not an "
                                  "integer");
    ASK(&p, "set", "'m', {}", "true");
    ASK(&p, "insert", "'m', 0, [1]", "! WRONG_TYPE insert: \"m\" is a map; insert needs a list");
}
END_TEST

START_TEST(splice_splices)
{
    ASK(&p, "set", "'l', [0, 1, 2, 3, 4, 5]", "true");
    ASK(&p, "splice", "'l', 1, 2, ['a', ['b'], 'c']", "[1, 2]");
    ASK(&p, "get", "'l'", "[0, 'a', ['b'], 'c', 3, 4, 5]");
    ASK(&p, "splice", "'l', -2, 9, ['end']", "[4, 5]");
    ASK(&p, "splice", "'l', 2, 1", "[['b']]");
    ASK(&p, "splice", "'l', 5, 0, ['more']", "[]");
    ASK(&p, "get", "'l'", "[0, 'a', 'c', 3, 'end', 'more']");
    ASK(&p, "splice", "'l', 1, nil, nil", "['a', 'c', 3, 'end', 'more']");
    ASK(&p, "splice", "'l', 0, 1, []", "[0]");
    ASK(&p, "get", "'l'", "[]");
    ASK(&p, "splice", "'l', 1, 0, [1]",
        "! OUT_OF_RANGE splice: \"l\" is a list of 0 items; index 1 is outside of it");
    ASK(&p, "splice", "'l', 0, -1, [1]",
        "! OUT_OF_RANGE splice: count is -1; it may be 0 to 9223372036854775807");
    ASK_BEGINS(&p, "splice", "'none', 0, 0, [1]", "! NOT_FOUND");
    ASK(&p, "set", "'l', [1, 2, 3, 4, 5]", "true");
    p.host.reply_elements_max = 3;
    ASK_BEGINS(&p, "splice", "'l', 0, 4, [9]", "! LIMIT splice:");
    ASK(&p, "len", "'l'", "5");
}
END_TEST

START_TEST(swap_take_and_rename)
{
    ASK(&p, "swap", "'a', 1", "nil");
    ASK(&p, "swap", "'a', [2, 3]", "1");
    ASK(&p, "swap", "['a', -1], 'x'", "3");
    ASK(&p, "take", "['a', 0]", "2");
    ASK(&p, "take", "'a'", "['x']");
    ASK(&p, "take", "'a'", "nil");
    ASK(&p, "take", "['a', 'b', 'c']", "nil");
    ASK(&p, "count", "", "0");
    ASK(&p, "new", "[1]", "{'handle': 1}");
    ASK_BEGINS(&p, "take", "{'handle': 1}", "! BAD_PATH take: a handle");
    ASK_BEGINS(&p, "swap", "{'handle': 1}, 2", "! BAD_PATH swap: a handle");
    ASK(&p, "rename", "'a', 'b'", "! NOT_FOUND rename: there is nothing at \"a\"");
    ASK(&p, "mset", "[['a', [1]], ['b', 'a text of a cell']]", "true");
    ASK(&p, "rename", "'a', 'b', {'if': 'absent'}", "false");
    ASK(&p, "rename", "'a', 'a'", "true");
    ASK(&p, "rename", "'a', b'a'", "true");
    ASK(&p, "rename", "'a', 'b'", "true");
    ASK(&p, "mget", "['a', 'b']", "[nil, [1]]");
    ASK(&p, "rename", "'b', 'a longer key', {'if': 'absent'}", "true");
    ASK(&p, "get", "'a longer key'", "[1]");
    ASK(&p, "count", "", "1");
    ASK(&p, "rename", "['b'], 'c'", "! BAD_PARAMS rename: a key must be a string or bytes, not a "
        "list");
    ASK(&p, "rename", "'a longer key', 'c', {'if': 'present'}",
        "! BAD_PARAMS rename: option if is \"present\"; it may be one of: absent");
}
END_TEST

START_TEST(a_long_list_works_like_a_short_one)
{
    struct writer params;
    writer_init(&params, 0);
    writer_array(&params, 3);
    writer_cstr(&params, "l");
    writer_array(&params, 20000);
    for (int i = 0; i < 20000; i++) writer_int(&params, i);
    literal_write(&params, "{'create': true}");
    ck_assert_str_eq(ask_bytes(&p, "push", &params), "20000");
    ck_assert_str_eq(ask_bytes(&p, "push", &params), "40000");
    ASK(&p, "slice", "'l', 19998, 20002", "[19998, 19999, 0, 1]");
    ASK(&p, "pop", "'l', 2", "[19998, 19999]");
    ASK(&p, "pop", "'l', 2, {'front': true}", "[0, 1]");
    ASK(&p, "slice", "'l', 0, 30000, 9999", "[2, 10001, 0, 9999]");
    ASK(&p, "insert", "'l', 5000, ['in', 'between']", "39998");
    ASK(&p, "splice", "'l', 4999, 4, []", "[5001, 'in', 'between', 5002]");
    ASK(&p, "splice", "'l', 4999, 0, [5001, 5002]", "[]");
    ASK(&p, "del", "['l', 0], ['l', -1]", "2");
    ASK(&p, "mget", "[['l', 0], ['l', -1]]", "[3, 19996]");
    writer_close(&params);
}
END_TEST

/* --- maps and keys -------------------------------------------------------------------------*/

START_TEST(keys_and_items)
{
    ASK(&p, "set", "'m', {'a': 1, 'b': [2]}", "true");
    ASK(&p, "keys", "'m'", "[0, ['a', 'b']]");
    ASK(&p, "items", "'m'", "[0, [['a', 1], ['b', [2]]]]");
    ASK(&p, "keys", "'none'", "[0, []]");
    ASK(&p, "items", "['m', 'none']", "[0, []]");
    ASK(&p, "keys", "['m', 'a']", "! WRONG_TYPE keys: [\"m\", \"a\"] is an integer; keys needs a "
        "map, a set or a sorted set");
    ASK(&p, "keys", "'m', -1",
        "! OUT_OF_RANGE keys: cursor is -1; it may be 0 to 9223372036854775807");
    ASK(&p, "keys", "'m', 0, {'count': 0}",
        "! OUT_OF_RANGE keys: option count is 0; it may be 1 to 10000");
    ASK(&p, "items", "'m', 'x'", "! BAD_PARAMS items: cursor must be an integer, not a string");
}
END_TEST

/* Pages through with `method`, and counts how often each of "key 0" … comes up. */
static unsigned page_all(const char *method, const char *before, const char *after, size_t count,
                         unsigned *seen)
{
    char params[200];
    unsigned pages = 0;
    uint64_t cursor = 0;
    memset(seen, 0, count * sizeof *seen);
    do {
        sprintf(params, "%s%llu, %s", before, (unsigned long long)cursor, after);
        const char *answer = ask(&p, method, params);
        ck_assert_int_eq(sscanf(answer, "[%llu", (unsigned long long *)&cursor), 1);
        for (const char *at = strstr(answer, "'key "); at != NULL; at = strstr(at + 1, "'key ")) {
            unsigned long index = strtoul(at + 5, NULL, 10);
            ck_assert_uint_lt(index, count);
            seen[index]++;
        }
        ck_assert_uint_lt(++pages, 10000);
    } while (cursor != 0);
    return pages;
}

START_TEST(pages_show_everything)
{
    enum { COUNT = 5000 };
    static unsigned seen[COUNT];
    struct writer params;
    writer_init(&params, 0);
    writer_array(&params, 1);
    writer_array(&params, COUNT + 1);
    literal_write(&params, "['m', {}]");
    for (int i = 0; i < COUNT; i++) {
        char name[20];
        sprintf(name, "key %d", i);
        writer_array(&params, 2);
        writer_cstr(&params, name);
        writer_int(&params, i);
    }
    ck_assert_str_eq(ask_bytes(&p, "mset", &params), "true");
    ASK(&p, "count", "", "5001");
    ck_assert_uint_gt(page_all("scan", "", "{'count': 100}", COUNT, seen), 10);
    for (int i = 0; i < COUNT; i++) ck_assert_uint_ge(seen[i], 1);
    page_all("scan", "", "{'count': 1000, 'match': 'key *7'}", COUNT, seen);
    for (int i = 0; i < COUNT; i++) ck_assert_int_eq(seen[i] > 0, i % 10 == 7);
    page_all("scan", "", "{'type': 'map', 'count': 1000}", COUNT, seen);
    for (int i = 0; i < COUNT; i++) ck_assert_uint_eq(seen[i], 0);

    writer_rewind(&params, 0);
    writer_array(&params, 2);
    writer_cstr(&params, "m");
    writer_map(&params, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char name[20];
        sprintf(name, "key %d", i);
        writer_cstr(&params, name);
        writer_int(&params, i);
    }
    ck_assert_str_eq(ask_bytes(&p, "set", &params), "true");
    page_all("keys", "'m', ", "{'count': 7}", COUNT, seen);
    for (int i = 0; i < COUNT; i++) ck_assert_uint_ge(seen[i], 1);
    page_all("items", "'m', ", "nil", COUNT, seen);
    for (int i = 0; i < COUNT; i++) ck_assert_uint_ge(seen[i], 1);
    writer_close(&params);
}
END_TEST

START_TEST(scan_filters)
{
    ASK(&p, "mset", "[['user:1', {}], ['user:2', {}], ['hits', 5], ['list', []]]", "true");
    ASK(&p, "scan", "0, {'match': 'user:?', 'type': 'map'}", "[0, ['user:1', 'user:2']]");
    ASK(&p, "scan", "0, {'type': 'int'}", "[0, ['hits']]");
    ASK(&p, "scan", "0, {'match': b'h*'}", "[0, ['hits']]");
    ASK(&p, "scan", "0, {'match': 5}",
        "! BAD_PARAMS scan: option match must be a pattern (a string), not an integer");
    ASK(&p, "scan", "0, {'type': 'tree'}",
        "! BAD_PARAMS scan: option type is \"tree\"; it may be one of: nil bool int float string "
        "bytes list map set sorted_set table weak ext");
    char params[1200] = "0, {'match': '";
    memset(params + 14, '*', 257);
    strcpy(params + 14 + 257, "'}");
    ASK(&p, "scan", params, "! LIMIT scan: a pattern of 257 bytes; the limit is 256");
}
END_TEST

START_TEST(clear_deletes_all_keys)
{
    ASK(&p, "clear", "", "true");
    ASK(&p, "mset", "[['a', 1], ['b', [1, 2, {'x': 3}]]]", "true");
    ASK(&p, "hold", "'b'", "{'handle': 1}");
    ASK(&p, "clear", "", "true");
    ASK(&p, "count", "", "0");
    ASK(&p, "scan", "", "[0, []]");
    ASK(&p, "mget", "['a', 'b', {'handle': 1}]", "[nil, nil, [1, 2, {'x': 3}]]");
    ASK(&p, "set", "'a', 2", "true");
    ASK(&p, "count", "", "1");
}
END_TEST

/* --- references ----------------------------------------------------------------------------*/

START_TEST(link_shares)
{
    ASK(&p, "set", "'a', {'x': [1]}", "true");
    ASK(&p, "link", "'b', ['a', 'x']", "true");
    ASK(&p, "push", "'b', [2]", "2");
    ASK(&p, "get", "'a'", "{'x': [1, 2]}");
    ASK(&p, "same", "'b', ['a', 'x']", "true");
    ASK(&p, "del", "'a'", "1");
    ASK(&p, "get", "'b'", "[1, 2]");
    ASK(&p, "link", "'b', 'b'", "true");
    ASK(&p, "link", "'c', 'none'", "! NOT_FOUND link: there is nothing at \"none\"");
    ASK_BEGINS(&p, "link", "['none', 'x'], 'b'", "! NOT_FOUND link: there is nothing at "
        "\"none\"; set");
    ASK(&p, "set", "'n', 5", "true");
    ASK(&p, "link", "'m', 'n'", "true");
    ASK(&p, "add", "'m', 1", "6");
    ASK(&p, "get", "'n'", "5");
    /* A part takes the place of the whole. */
    ASK(&p, "set", "'t', {'left': {'v': 1}}", "true");
    ASK(&p, "link", "'t', ['t', 'left']", "true");
    ASK(&p, "get", "'t'", "{'v': 1}");
}
END_TEST

START_TEST(same_compares_identities)
{
    ASK(&p, "mset", "[['a', [1]], ['b', [1]], ['m', 5], ['n', 5]]", "true");
    ASK(&p, "same", "'a', 'b'", "false");
    ASK(&p, "same", "'a', 'a'", "true");
    ASK(&p, "same", "'m', 'n'", "true");
    ASK(&p, "same", "'none', 'none'", "false");
    ASK_BEGINS(&p, "same", "'a', 5", "! BAD_PATH");
}
END_TEST

START_TEST(weak_does_not_keep)
{
    ASK(&p, "mset", "[['a', {'x': 1}], ['s', 'text'], ['l', []]]", "true");
    ASK(&p, "weak", "'w', 'a'", "true");
    ASK(&p, "weak", "['a', 'self'], 'a'", "true");
    ASK(&p, "get", "['w', 'self', 'self', 'x']", "1");
    ASK(&p, "same", "'a', 'w'", "true");
    ASK(&p, "weak", "'w2', 'w'", "true");
    ASK(&p, "weak", "'v', 's'",
        "! WRONG_TYPE weak: \"s\" is a string; weak needs a list, a map, a set or a sorted set as "
        "its target");
    ASK(&p, "weak", "'v', 'none'", "! NOT_FOUND weak: there is nothing at \"none\"");
    ASK_BEGINS(&p, "weak", "['none', 'x'], 'a'", "! NOT_FOUND weak: there is nothing at "
        "\"none\"; set");
    ASK_BEGINS(&p, "gc.collect", "", "");
    ASK(&p, "get", "['w', 'x']", "1");
    ASK(&p, "hold", "'w'", "{'handle': 1}");
    ASK(&p, "del", "'a'", "1");
    ASK_BEGINS(&p, "gc.collect", "", "");
    ASK(&p, "get", "['w', 'x']", "1"); /* the handle keeps it */
    ASK(&p, "release", "{'handle': 1}", "1");
    ASK_BEGINS(&p, "gc.collect", "", "");
    ASK(&p, "mget", "['w', 'w2']", "[nil, nil]");
    ASK_HAS(&p, "gc.stats", "", "'weak_cleared': 1");
}
END_TEST

START_TEST(handles_hold)
{
    ASK(&p, "set", "'a', [1]", "true");
    ASK(&p, "hold", "'a'", "{'handle': 1}");
    ASK(&p, "new", "{'k': [5]}", "{'handle': 2}");
    ASK(&p, "hold", "[{'handle': 2}, 'k']", "{'handle': 3}");
    ASK(&p, "link", "'k', {'handle': 3}", "true");
    ASK(&p, "push", "'k', [6]", "2");
    ASK(&p, "get", "{'handle': 2}", "{'k': [5, 6]}");
    ASK(&p, "release", "{'handle': 2}, {'handle': 9}, {'handle': 2}", "1");
    ASK(&p, "get", "{'handle': 3}", "[5, 6]");
    ASK(&p, "release", "'a'", "! BAD_PARAMS release: parameter 1 is \"a\", not a handle");
    ASK(&p, "release", "{'handle': 3}, [1]",
        "! BAD_PARAMS release: parameter 2 is a list, not a handle");
    ASK(&p, "hold", "'none'", "! NOT_FOUND hold: there is nothing at \"none\"");
    ck_assert_uint_eq(p.refs.count, 2);
    p.host.handles_max = 2;
    ASK(&p, "hold", "'a'", "! LIMIT hold: this session holds 2 handles, the limit (handles)");
    ASK(&p, "new", "1", "! LIMIT new: this session holds 2 handles, the limit (handles)");
    ASK(&p, "release", "{'handle': 1}", "1");
    ASK(&p, "new", "1", "{'handle': 4}");
}
END_TEST

START_TEST(handles_belong_to_their_session)
{
    struct in_process other;
    in_process_join(&other, &p);
    ASK(&p, "new", "['mine']", "{'handle': 1}");
    ASK(&other, "get", "{'handle': 1}", "! NOT_FOUND get: this session holds no handle 1");
    ASK(&other, "new", "['yours']", "{'handle': 1}");
    ASK(&p, "get", "{'handle': 1}", "['mine']");
    ASK(&other, "link", "'kept', {'handle': 1}", "true");
    in_process_end(&other);
    ASK(&p, "get", "'kept'", "['yours']");
    ASK(&p, "get", "{'handle': 1}", "['mine']");
}
END_TEST

/* --- the collector -------------------------------------------------------------------------*/

START_TEST(gc_methods)
{
    ASK(&p, "gc.is_enabled", "", "true");
    ASK(&p, "gc.disable", "", "true");
    ASK(&p, "gc.is_enabled", "", "false");
    ASK(&p, "gc.enable", "", "true");
    ASK(&p, "gc.is_enabled", "", "true");
    long chosen = atol(ask(&p, "gc.threshold", ""));
    ck_assert_int_gt(chosen, 0);
    ASK(&p, "gc.threshold", "1234567", "1234567");
    ASK(&p, "gc.threshold", "", "1234567");
    ck_assert_int_eq(atol(ask(&p, "gc.threshold", "0")), chosen);
    ASK(&p, "gc.threshold", "1234567", "1234567");
    ck_assert_int_eq(atol(ask(&p, "gc.threshold", "-1")), chosen);
    ASK(&p, "gc.threshold", "-2",
        "! OUT_OF_RANGE gc.threshold: bytes is -2; it may be -1 to 9223372036854775807");
    ASK(&p, "gc.step", "0", "! OUT_OF_RANGE gc.step: us is 0; it may be 1 to 10000");
    ASK(&p, "gc.step", "'x'", "! BAD_PARAMS gc.step: us must be an integer, not a string");
    for (int i = 0; strcmp(ask(&p, "gc.step", "1000"), "true") != 0; i++) ck_assert_int_lt(i, 1000);
}
END_TEST

START_TEST(collect_frees_shared_garbage)
{
    p.seed = 0;
    ASK(&p, "gc.disable", "", "true");
    long before = atol(ask(&p, "gc.mem_alloc", ""));
    for (int i = 0; i < 500; i++) {
        ASK(&p, "set", "'a', {'x': ['some text of a few bytes', 2, 3]}", "true");
        ASK(&p, "link", "['a', 'self'], 'a'", "true");
    }
    long used = atol(ask(&p, "gc.mem_alloc", ""));
    ck_assert_int_gt(used, before + 500 * 64);
    ASK(&p, "del", "'a'", "1");
    long freed = atol(ask(&p, "gc.collect", ""));
    long after = atol(ask(&p, "gc.mem_alloc", ""));
    ck_assert_int_gt(freed, 500 * 64);
    ck_assert_int_lt(after, before + 1000);
    ck_assert_int_gt(atol(ask(&p, "gc.mem_free", "")), (60 << 20));
    ASK_HAS(&p, "gc.stats", "", "'phase': 'idle', 'enabled': false");
    ASK_HAS(&p, "gc.stats", "", "'pauses': {'step': {'count': ");
    ASK_HAS(&p, "gc.stats", "", "'p99_99_us': ");
}
END_TEST

/* What hangs from a deleted container waits in the drop queue when the call begins. */
START_TEST(collect_frees_what_was_just_deleted)
{
    p.seed = 0;
    ASK(&p, "set", "'a', {'list': [1, 2, 3]}", "true");
    ASK(&p, "weak", "'w', ['a', 'list']", "true");
    ASK(&p, "del", "'a'", "1");
    ck_assert(heap_drop_pending(p.heap));
    ck_assert_int_gt(atol(ask(&p, "gc.collect", "")), 0);
    ASK(&p, "get", "'w'", "nil");
}
END_TEST

START_TEST(collect_ends_the_cycle_under_way_first)
{
    p.seed = 0;
    ASK(&p, "set", "'a', {}", "true");
    ASK(&p, "link", "['a', 'self'], 'a'", "true");
    gc_start(p.heap);
    ASK(&p, "del", "'a'", "1"); /* was reachable when the cycle began */
    struct gc_stats before, after;
    gc_stats(p.heap, &before);
    ck_assert_int_gt(atol(ask(&p, "gc.collect", "")), 0);
    gc_stats(p.heap, &after);
    ck_assert_uint_ge(after.cycles, before.cycles + 2);
}
END_TEST

/* --- memory --------------------------------------------------------------------------------*/

START_TEST(mem_methods)
{
    ASK(&p, "set", "'a', {'x': ['some text of a few bytes', 'and another one', [1, 2, "
        "3]]}", "true");
    ASK_HAS(&p, "mem.info", "", "'max_bytes': 67108864, 'used_bytes': ");
    ASK_BEGINS(&p, "mem.map", "", "{'first': 0, 'pages': ");
    ASK_HAS(&p, "mem.map", "{'first': 0, 'count': 3}", "'pages': 3, 'page_bytes': ");
    ASK(&p, "mem.map", "{'count': 0}",
        "! OUT_OF_RANGE mem.map: option count is 0; it may be 1 to 65536");
    ASK_HAS(&p, "mem.map", "{'first': 4000000000}", "'pages': 0, ");
    ASK_HAS(&p, "mem.census", "", "{'kind': 'list', 'count': 2, 'bytes': ");
    long deep = atol(ask(&p, "mem.size", "'a'"));
    long explicit_deep = atol(ask(&p, "mem.size", "'a', {'of': 'deep'}"));
    long shallow = atol(ask(&p, "mem.size", "'a', {'of': 'shallow'}"));
    ck_assert_int_eq(deep, explicit_deep);
    ck_assert_int_gt(shallow, 0);
    ck_assert_int_gt(deep, shallow + 32);
    ASK(&p, "mem.size", "['a', 'x', 2, 0]", "0");
    ASK(&p, "mem.size", "'none'", "! NOT_FOUND mem.size: there is nothing at \"none\"");
    ASK(&p, "mem.size", "'a', {'of': 'all'}",
        "! BAD_PARAMS mem.size: option of is \"all\"; it may be one of: shallow deep");
    ASK(&p, "link", "['a', 'self'], 'a'", "true");
    ck_assert_int_ge(atol(ask(&p, "mem.size", "'a'")), deep);
}
END_TEST

START_TEST(mem_size_counts_packed_texts)
{
    char params[64];
    ASK(&p, "set", "'m', {}", "true");
    for (unsigned i = 0; i < 200; i++) { /* more than an ordered map has */
        snprintf(params, sizeof params, "['m', %u], 'twenty-two characters.'", i);
        ASK(&p, "set", params, "true");
    }
    ASK(&p, "mem.size", "['m', 7]", "23");
    ASK(&p, "mem.size", "['m', 7], {'of': 'shallow'}", "23");
}
END_TEST

START_TEST(mem_size_counts_what_is_shared_once)
{
    ASK(&p, "set", "'t', {'a': ['a text of more than seven bytes'], 'b': nil}", "true");
    long once = atol(ask(&p, "mem.size", "'t'"));
    ASK(&p, "link", "['t', 'b'], ['t', 'a']", "true");
    ck_assert_int_eq(atol(ask(&p, "mem.size", "'t'")), once);
}
END_TEST

/* --- the server, and calls that are cut short ----------------------------------------------*/

START_TEST(server_methods)
{
    ASK_BEGINS(&p, "server.info", "", "{'server': {'version': '" PACKAGE_VERSION "', 'pid': ");
    ASK_HAS(&p, "server.info", "", "'addresses': ['memory']}, 'clients': {'clients': 1, ");
    ASK_BEGINS(&p, "server.info", "'memory'", "{'max_bytes': 67108864, ");
    ASK_BEGINS(&p, "server.info", "'gc'", "{'phase': ");
    ASK(&p, "server.info", "'keys'", "{'keys': 0, 'expiring': 0, 'expired': 0, 'evicted': 0}");
    ASK(&p, "server.info", "'weather'",
        "! BAD_PARAMS server.info: there is no section \"weather\"; there are: server, clients, "
        "memory, gc, keys");
    ck_assert(!p.shutdown);
    ASK(&p, "server.shutdown", "", "true");
    ck_assert(p.shutdown);
}
END_TEST

/* Begins a long call and does not go on with it. */
static void begin_call(struct call *call, const char *name, struct writer *out, value *args,
                       size_t arg_count)
{
    struct rpc_message message = {.type = RPC_REQUEST, .has_msgid = true, .msgid = 9,
                                  .method_length = strlen(name)};
    strcpy(message.method, name);
    call->host = &p.host;
    call->session = NULL;
    call->features = &p.features;
    call->refs = &p.refs;
    static struct root_frame no_frame; /* the parameters are no objects */
    call->frame = &no_frame;
    call->args = args;
    call->arg_count = arg_count;
    ck_assert_int_eq(call_begin(call, &message, out), CALL_PENDING);
    ck_assert_uint_eq(out->length, 0);
}

START_TEST(a_long_call_can_be_given_up)
{
    static const char *const names[] = {"gc.collect", "mem.census", "mem.size"};
    struct writer out;
    value args[1] = {value_inline_text("a", 1, false)};
    ASK(&p, "set", "'a', [[1], [2]]", "true");
    writer_init(&out, 0);
    for (size_t i = 0; i < 3; i++) {
        struct call call;
        begin_call(&call, names[i], &out, args, i == 2);
        call_abort(&call);
    }
    struct call call;
    begin_call(&call, "mem.size", &out, args, 1);
    ASK(&p, "mem.size", "'a'", "! BUSY mem.size: another value is being measured; try again");
    call_abort(&call);
    ASK_BEGINS(&p, "mem.size", "'a'", "");
    ck_assert_uint_eq(out.length, 0);
    writer_close(&out);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_more");
    TCase *tcase = tcase_create("methods");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, push_pushes);
    tcase_add_test(tcase, pop_pops);
    tcase_add_test(tcase, slice_is_pythons);
    tcase_add_test(tcase, insert_inserts);
    tcase_add_test(tcase, splice_splices);
    tcase_add_test(tcase, swap_take_and_rename);
    tcase_add_test(tcase, a_long_list_works_like_a_short_one);
    tcase_add_test(tcase, keys_and_items);
    tcase_add_test(tcase, pages_show_everything);
    tcase_add_test(tcase, scan_filters);
    tcase_add_test(tcase, clear_deletes_all_keys);
    tcase_add_test(tcase, link_shares);
    tcase_add_test(tcase, same_compares_identities);
    tcase_add_test(tcase, weak_does_not_keep);
    tcase_add_test(tcase, handles_hold);
    tcase_add_test(tcase, handles_belong_to_their_session);
    tcase_add_test(tcase, gc_methods);
    tcase_add_test(tcase, collect_frees_shared_garbage);
    tcase_add_test(tcase, collect_frees_what_was_just_deleted);
    tcase_add_test(tcase, collect_ends_the_cycle_under_way_first);
    tcase_add_test(tcase, mem_methods);
    tcase_add_test(tcase, mem_size_counts_packed_texts);
    tcase_add_test(tcase, mem_size_counts_what_is_shared_once);
    tcase_add_test(tcase, server_methods);
    tcase_add_test(tcase, a_long_call_can_be_given_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
