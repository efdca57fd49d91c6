/* test_methods_sets.c - sets and sorted sets through the methods: what they answer, plain and with
 * extension types, all or nothing when memory is short, and in steps. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/fault_check.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

#define CREATE "{'create': true}"

/* --- sets -----------------------------------------------------------------------------------*/

START_TEST(include_exclude_contains)
{
    ASK(&p, "include", "'s', [1]",
        "! NOT_FOUND include: there is no set at \"s\"; the option create makes it");
    ASK(&p, "include", "'s', [1, 'two', 2.5, true, 1], " CREATE, "4");
    ASK(&p, "include", "'s', [1, 'three']", "1");
    ASK(&p, "include", "'s', [b'two', 1.0]", "1");
    ASK(&p, "len", "'s'", "6");
    ASK(&p, "type", "'s'", "'set'");
    ASK(&p, "get", "'s'", "[1, 'two', 2.5, true, 'three', 1.0]");
    ASK(&p, "contains", "'s', 'two'", "true");
    ASK(&p, "contains", "'s', 1", "true");
    ASK(&p, "contains", "'s', 2", "false");
    ASK(&p, "contains", "'none', 2", "false");
    ASK(&p, "exclude", "'s', [1, 'two', 7, 'two']", "2");
    ASK(&p, "exclude", "'none', [1]", "0");
    ASK(&p, "get", "'s'", "[2.5, true, 'three', 1.0]");
    ASK(&p, "include", "['m', 'inner'], [], " CREATE, "0");
    ASK(&p, "get", "'m'", "{'inner': []}");
    ASK(&p, "include", "'s', [[1]]",
        "! BAD_PARAMS include: member 1 is a list; members are strings, bytes, integers, floats "
        "and booleans");
    ASK(&p, "include", "'s', ['x', nil]",
        "! BAD_PARAMS include: member 2 is nil; members are strings, bytes, integers, floats and "
        "booleans");
    ASK(&p, "contains", "'s', {}",
        "! BAD_PARAMS contains: the value is a map; members are strings, bytes, integers, floats "
        "and booleans");
    ASK(&p, "len", "'s'", "4");
    ASK(&p, "set", "'l', [1]", "true");
    ASK(&p, "include", "'l', [1]", "! WRONG_TYPE include: \"l\" is a list; include needs a set");
    ASK(&p, "exclude", "'l', [1]", "! WRONG_TYPE exclude: \"l\" is a list; exclude needs a set");
    ASK(&p, "get", "['s', 'x']",
        "! WRONG_TYPE get: \"s\" is a set; no path leads into it (contains looks into it)");
    ASK(&p, "push", "'s', [1]", "! WRONG_TYPE push: \"s\" is a set; push needs a list");
    p.host.call_paths_max = 3;
    ASK(&p, "include", "'s', [1, 2, 3, 4]",
        "! LIMIT include: 4 members in one call; the limit is 3 (call-paths)");
}
END_TEST

START_TEST(paging_through_members)
{
    ASK(&p, "include", "'s', [1, 'a', false], " CREATE, "3");
    ASK(&p, "keys", "'s'", "[0, [1, 'a', false]]");
    ASK(&p, "items", "'s'", "! WRONG_TYPE items: \"s\" is a set; items needs a map or a "
                           "sorted set");
    ASK(&p, "keys", "['s', 1]",
        "! WRONG_TYPE keys: \"s\" is a set; no path leads into it (contains looks into it)");
    ASK(&p, "set", "'n', 5", "true");
    ASK(&p, "keys", "'n'",
        "! WRONG_TYPE keys: \"n\" is an integer; keys needs a map, a set or a sorted set");
    ASK(&p, "scan", "0, {'type': 'set'}", "[0, ['s']]");
    ASK(&p, "sorted.add", "'z', [['a', 1], ['b', 2.5]], " CREATE, "2");
    ASK(&p, "keys", "'z'", "[0, ['a', 'b']]");
    ASK(&p, "items", "'z'", "[0, [['a', 1], ['b', 2.5]]]");
    ASK(&p, "scan", "0, {'type': 'sorted set'}", "[0, ['z']]");
    ASK(&p, "scan", "0, {'type': 'sorted_set'}", "[0, ['z']]");
}
END_TEST

START_TEST(combining_small_sets)
{
    ASK(&p, "include", "'a', [1, 2, 3, 'x'], " CREATE, "4");
    ASK(&p, "include", "'b', [3, 'x', 9], " CREATE, "3");
    ASK(&p, "include", "'c', ['x'], " CREATE, "1");
    ASK(&p, "union", "['a', 'b', 'c', 'none']", "[1, 2, 3, 'x', 9]");
    ASK(&p, "intersect", "['a', 'b']", "[3, 'x']");
    ASK(&p, "intersect", "['a', 'b', 'c']", "['x']");
    ASK(&p, "intersect", "['a', 'none']", "[]");
    ASK(&p, "difference", "['a', 'b']", "[1, 2]");
    ASK(&p, "difference", "['none', 'b']", "[]");
    ASK(&p, "union", "['a']", "[1, 2, 3, 'x']");
    ASK(&p, "union", "['a', 'b'], {'into': 'u'}", "5");
    ASK(&p, "type", "'u'", "'set'");
    ASK(&p, "intersect", "['u', 'b'], {'into': 'u'}", "3");
    ASK(&p, "get", "'u'", "[3, 'x', 9]");
    ASK(&p, "difference", "['u', 'c'], {'into': ['m', 'd']}",
        "! NOT_FOUND difference: there is nothing at \"m\"; set it first, or give the option "
        "create where the method has it");
    ASK(&p, "set", "'m', {}", "true");
    ASK(&p, "difference", "['u', 'c'], {'into': ['m', 'd']}", "2");
    ASK(&p, "get", "'m'", "{'d': [3, 9]}");
    ASK(&p, "union", "[]", "! BAD_PARAMS union: 0 paths; it takes 1 to 256");
    ASK(&p, "union", "'a'", "! BAD_PARAMS union: paths must be a list, not a string");
    ASK(&p, "union", "['a', 'm']", "! WRONG_TYPE union: \"m\" is a map; union needs a set");
    p.host.reply_elements_max = 4;
    ASK(&p, "union", "['a', 'b']",
        "! LIMIT union: the result has more members than reply-elements (4) allows; the option "
        "into stores it instead");
    ASK(&p, "union", "['a', 'b'], {'into': 'u'}", "5");
}
END_TEST

/* Includes from, from + step, … below to, as integers. */
static void include_many(const char *key, int from, int to, int step)
{
    struct writer params;
    for (int at = from; at < to;) {
        int count = (to - at + step - 1) / step;
        if (count > 9000) count = 9000;
        writer_init(&params, 0);
        writer_array(&params, 3);
        writer_cstr(&params, key);
        writer_array(&params, (size_t)count);
        for (int i = 0; i < count; i++, at += step) writer_int(&params, at);
        literal_write(&params, CREATE);
        ck_assert_int_eq(ask_bytes(&p, "include", &params)[0] == '!', 0);
        writer_close(&params);
    }
}

START_TEST(combining_large_sets_takes_steps)
{
    p.host.reply_elements_max = 1000;
    include_many("a", 0, 20000, 1);
    include_many("b", 10000, 30000, 1);
    include_many("c", 0, 30000, 3);
    ASK(&p, "len", "'a'", "20000");
    ASK(&p, "union", "['a', 'b', 'c'], {'into': 'u'}", "30000");
    ASK(&p, "len", "'u'", "30000");
    ASK(&p, "intersect", "['a', 'b'], {'into': 'i'}", "10000");
    ASK(&p, "contains", "'i', 9999", "false");
    ASK(&p, "contains", "'i', 10000", "true");
    ASK(&p, "difference", "['a', 'b', 'c'], {'into': 'd'}", "6666");
    ASK(&p, "difference", "['u', 'a'], {'into': 'u'}", "10000");
    ASK_BEGINS(&p, "union", "['a', 'b']", "! LIMIT union: the result has more members than");
    ASK(&p, "intersect", "['a', 'none'], {'into': 'i'}", "0");
}
END_TEST

/* Runs a long call by hand, one step at a time, with something else in between. */
START_TEST(sets_may_change_while_they_are_combined)
{
    include_many("a", 0, 20000, 1);
    include_many("b", 20000, 40000, 1);
    struct in_process other;
    in_process_join(&other, &p);
    struct writer w;
    writer_init(&w, 0);
    writer_request(&w, 1, "union", 2);
    literal_write(&w, "['a', 'b'], {'into': 'u'}");
    enum call_outcome outcome = in_process_begin(&p, w.data, w.length);
    writer_close(&w);
    ck_assert_int_eq(outcome, CALL_PENDING);
    for (unsigned step = 0; outcome == CALL_PENDING; step++) {
        in_process_safe_point(&p);
        if (step == 1) ASK(&other, "include", "'a', [-1, -2, -3]", "3");
        if (step == 2) ASK(&other, "exclude", "'a', [-2]", "1");
        if (step == 3) ASK(&other, "del", "'a'", "1");
        if (step == 4) ASK(&other, "clear", "", "true");
        builder_touch(&p.builder);
        outcome = call_resume(&p.call, 1000);
    }
    ck_assert_int_eq(outcome, CALL_DONE);
    writer_rewind(&p.out, 0);
    builder_reset(&p.builder);
    /* What was in a set all the time is there. */
    const char *length = ask(&other, "len", "'u'");
    ck_assert_int_ge(atoi(length), 40000);
    ck_assert_int_le(atoi(length), 40003);
    ASK(&other, "contains", "'u', 19999", "true");
    ASK(&other, "contains", "'u', 39999", "true");
    in_process_end(&other);
}
END_TEST

START_TEST(a_combination_can_be_broken_off)
{
    include_many("a", 0, 20000, 1);
    struct writer w;
    writer_init(&w, 0);
    writer_request(&w, 1, "union", 2);
    literal_write(&w, "['a'], {'into': 'u'}");
    ck_assert_int_eq(in_process_begin(&p, w.data, w.length), CALL_PENDING);
    writer_close(&w);
    in_process_safe_point(&p);
    builder_touch(&p.builder);
    ck_assert_int_eq(call_resume(&p.call, 1000), CALL_PENDING);
    in_process_safe_point(&p);
    call_abort(&p.call);
    builder_reset(&p.builder);
    writer_rewind(&p.out, 0);
    ASK(&p, "exists", "'u'", "0");
}
END_TEST

START_TEST(sets_as_extension_values)
{
    ASK_BEGINS(&p, "set", "'s', <4:9101>", "! NEEDS_EXT set: extension type 4 needs hello");
    ask_extensions(&p, true);
    ASK(&p, "set", "'s', <4:930102a161>", "true");
    ASK(&p, "type", "'s'", "'set'");
    ASK(&p, "get", "'s'", "<4:930102a161>");
    ASK(&p, "set", "'e', <4:90>", "true");
    ASK(&p, "get", "'e'", "<4:90>");
    ASK(&p, "set", "'twice', <4:9401010103>", "true");
    ASK(&p, "get", "'twice'", "<4:920103>");
    /* A set is a container of the message: it can be referred to, and counts. */
    ASK(&p, "set", "'l', [[1], <4:9105>, <1:02>, <1:01>]", "true");
    ASK(&p, "get", "'l'", "[[1], <4:9105>, <1:02>, <1:01>]");
    ASK(&p, "same", "['l', 1], ['l', 2]", "true");
    ASK(&p, "include", "['l', 1], [6]", "1");
    ASK(&p, "get", "['l', 2]", "<4:920506>");
    ASK(&p, "set", "'w', [<4:9107>, <3:01>]", "true");
    ASK(&p, "get", "'w'", "[<4:9107>, <3:01>]");
    ASK(&p, "set", "'u', 1, {'match': <4:91c0>}",
        "! BAD_PARAMS set: the payload of a SET is one array of members (strings, bytes, integers, "
        "floats and booleans); this one has nil in it");
    static const char *const wrong[] = {
        "<4:>",       "<4:01>",         "<4:9201>",       "<4:910101>", "<4:919101>",
        "<4:9181>",   "<4:91c1>",       "<4:9180>",       "<4:9101c0>", "<4:91d4050a>",
        "<4:80>",     "<4:dd00000001>", "<4:ddffffffff01>"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char params[80];
        snprintf(params, sizeof params, "'bad', %s", wrong[i]);
        ASK_BEGINS(&p, "set", params, "! BAD_PARAMS set: the payload of a SET is one array");
    }
    ASK_BEGINS(&p, "set", "'bad', {<4:90>: 1}", "! BAD_PARAMS set: a map key is");
    ASK(&p, "exists", "'bad'", "0");
    ASK(&p, "set", "'big', <4:92cfffffffffffffffffcb7e37e43c8800759c>", "true");
    ASK(&p, "get", "'big'", "<4:92cfffffffffffffffffcb7e37e43c8800759c>");
    ask_extensions(&p, false);
    ASK_BEGINS(&p, "get", "'big'", "! NEEDS_EXT get: the value holds an integer above int64");
    ASK(&p, "get", "'l'", "[[1], [5, 6], [5, 6], [1]]");
}
END_TEST

/* A set of many members arrives in pieces. */
START_TEST(a_large_set_arrives_in_pieces)
{
    struct writer members, message;
    writer_init(&members, 0);
    writer_init(&message, 0);
    writer_array(&members, 20000);
    for (int i = 0; i < 20000; i++) {
        char name[40];
        if (i % 2) writer_int(&members, i);
        else writer_str(&members, name, (size_t)sprintf(name, "member number %d", i));
    }
    ask_extensions(&p, true);
    writer_request(&message, 1, "set", 2);
    writer_cstr(&message, "s");
    writer_ext(&message, 4, members.data, members.length);
    for (size_t at = 0; at < message.length;) {
        size_t piece = 1 + random_below(&p.seed, 900);
        if (piece > message.length - at) piece = message.length - at;
        ck_assert_int_ge(in_process_feed(&p, message.data + at, piece), 0);
        in_process_safe_point(&p);
        at += piece;
    }
    writer_rewind(&p.out, 0);
    ASK(&p, "len", "'s'", "20000");
    ASK(&p, "contains", "'s', 'member number 19998'", "true");
    ASK(&p, "contains", "'s', 19999", "true");
    writer_close(&members);
    writer_close(&message);
}
END_TEST

/* --- sorted sets ----------------------------------------------------------------------------*/

START_TEST(sorted_add_and_look)
{
    ASK(&p, "sorted.add", "'z', [['a', 1]]",
        "! NOT_FOUND sorted.add: there is no sorted set at \"z\"; the option create makes it");
    ASK(&p, "sorted.add", "'z', [['b', 2.5], ['a', 1], ['c', 2.5], ['b', 7]], " CREATE, "3");
    ASK(&p, "type", "'z'", "'sorted set'");
    ASK(&p, "len", "'z'", "3");
    ASK(&p, "get", "'z'", "[['a', 1], ['c', 2.5], ['b', 7]]");
    ASK(&p, "sorted.add", "'z', [['a', 1.0], ['b', 2.5]]", "0");
    ASK(&p, "get", "'z'", "[['a', 1], ['b', 2.5], ['c', 2.5]]");
    ASK(&p, "sorted.score", "'z', 'b'", "2.5");
    ASK(&p, "sorted.score", "'z', b'a'", "1");
    ASK(&p, "sorted.score", "'z', 'q'", "nil");
    ASK(&p, "sorted.score", "'none', 'q'", "nil");
    ASK(&p, "sorted.rank", "'z', 'c'", "2");
    ASK(&p, "sorted.rank", "'z', 'c', {'reverse': true}", "0");
    ASK(&p, "sorted.rank", "'z', 'q'", "nil");
    ASK(&p, "sorted.remove", "'z', ['a', 'q', 'a']", "1");
    ASK(&p, "sorted.remove", "'none', ['a']", "0");
    ASK(&p, "get", "'z'", "[['b', 2.5], ['c', 2.5]]");
    ASK(&p, "sorted.add", "['m', 'z'], [], " CREATE, "0");
    ASK(&p, "get", "'m'", "{'z': []}");
}
END_TEST

START_TEST(sorted_conditions)
{
    ASK(&p, "sorted.add", "'z', [['a', 5], ['b', 5]], " CREATE, "2");
    ASK(&p, "sorted.add", "'z', [['a', 9], ['n', 1]], {'if': 'absent'}", "1");
    ASK(&p, "get", "'z'", "[['n', 1], ['a', 5], ['b', 5]]");
    ASK(&p, "sorted.add", "'z', [['a', 9], ['o', 1]], {'if': 'present'}", "0");
    ASK(&p, "get", "'z'", "[['n', 1], ['b', 5], ['a', 9]]");
    ASK(&p, "sorted.add", "'z', [['a', 8], ['b', 6], ['p', 0]], {'if': 'greater'}", "1");
    ASK(&p, "get", "'z'", "[['p', 0], ['n', 1], ['b', 6], ['a', 9]]");
    ASK(&p, "sorted.add", "'z', [['a', 8], ['b', 7]], {'if': 'less'}", "0");
    ASK(&p, "get", "'z'", "[['p', 0], ['n', 1], ['b', 6], ['a', 8]]");
    ASK(&p, "sorted.add", "'z', [], {'if': 'x'}",
        "! BAD_PARAMS sorted.add: option if is \"x\"; it may be one of: absent present "
        "greater less");
}
END_TEST

START_TEST(sorted_errors)
{
    ASK(&p, "sorted.add", "'z', [['a', 1]], " CREATE, "1");
    ASK(&p, "sorted.add", "'z', [['b', 1], ['a']]",
        "! BAD_PARAMS sorted.add: pair 2 must be a list of a member and its score");
    ASK(&p, "sorted.add", "'z', [['b', 1], [5, 1]]",
        "! BAD_PARAMS sorted.add: member 2 is an integer; members are strings or bytes");
    ASK(&p, "sorted.add", "'z', [['b', 'x']]",
        "! BAD_PARAMS sorted.add: score 1 is a string; scores are numbers, and not NaN");
    ASK(&p, "sorted.add", "'z', [['b', 18446744073709551615]]",
        "! OUT_OF_RANGE sorted.add: score 1 is 18446744073709551615, which neither an int64 nor a "
        "float is equal to");
    ASK(&p, "sorted.add", "'z', [['two', 2]]", "1");
    ASK(&p, "sorted.increment", "'z', 'two', 9223372036854775807",
        "! OUT_OF_RANGE sorted.increment: the sum does not fit int64");
    ASK(&p, "set", "'l', [1]", "true");
    ASK(&p, "sorted.add", "'l', [['a', 1]]",
        "! WRONG_TYPE sorted.add: \"l\" is a list; sorted.add needs a sorted set");
    ASK(&p, "sorted.range", "'l', 0",
        "! WRONG_TYPE sorted.range: \"l\" is a list; sorted.range needs a sorted set");
    ASK(&p, "get", "['z', 'a']",
        "! WRONG_TYPE get: \"z\" is a sorted set; no path leads into it (sorted.score looks into "
        "it)");
    ASK(&p, "get", "'z'", "[['a', 1], ['two', 2]]");
    struct writer params;
    static char member[5000];
    memset(member, 'm', sizeof member);
    writer_init(&params, 0);
    writer_array(&params, 2);
    writer_cstr(&params, "z");
    writer_array(&params, 1);
    writer_str(&params, member, sizeof member);
    ck_assert_int_eq(strncmp(ask_bytes(&p, "sorted.remove", &params),
                             "! LIMIT sorted.remove: member 1 has 5000 bytes; the limit is", 60),
                     0);
    writer_close(&params);
}
END_TEST

START_TEST(sorted_infinities)
{
    struct writer params;
    static const unsigned char bits[3][9] = {{0xcb, 0x7f, 0xf0}, {0xcb, 0xff, 0xf0},
                                             {0xcb, 0x7f, 0xf8}};
    static const char *const names[] = {"top", "bottom", "nan"};
    ASK(&p, "sorted.add", "'z', [['zero', -0.0], ['one', 1]], " CREATE, "2");
    for (unsigned i = 0; i < 3; i++) {
        writer_init(&params, 0);
        writer_array(&params, 2);
        writer_cstr(&params, "z");
        writer_array(&params, 1);
        writer_array(&params, 2);
        writer_cstr(&params, names[i]);
        writer_bytes(&params, bits[i], 9);
        ck_assert_str_eq(ask_bytes(&p, "sorted.add", &params),
                         i < 2 ? "1"
                               : "! BAD_PARAMS sorted.add: score 1 is NaN; scores are numbers, and "
                                 "not NaN");
        writer_close(&params);
    }
    ASK(&p, "sorted.range", "'z', 0", "['bottom', 'zero', 'one', 'top']");
    ASK(&p, "sorted.score", "'z', 'zero'", "0");
    ASK(&p, "sorted.increment", "'z', 'top', 5", "inf");
}
END_TEST

START_TEST(sorted_increments)
{
    ASK_BEGINS(&p, "sorted.increment", "'z', 'a', 2", "! NOT_FOUND sorted.increment: there is no");
    ASK(&p, "sorted.increment", "'z', 'a', 2, " CREATE, "2");
    ASK(&p, "sorted.increment", "'z', 'a', 0.5", "2.5");
    ASK(&p, "sorted.increment", "'z', 'a', 0.5", "3");
    ASK(&p, "sorted.increment", "'z', 'b', -4", "-4");
    ASK(&p, "get", "'z'", "[['b', -4], ['a', 3]]");
    ASK(&p, "sorted.increment", "'z', 'a', 'x'",
        "! BAD_PARAMS sorted.increment: by is a string; scores are numbers, and not NaN");
}
END_TEST

START_TEST(sorted_ranges)
{
    static const struct {
        const char *params, *answer;
    } cases[] = {
        {"'z', 0", "['a', 'b', 'c', 'd', 'e']"},
        {"'z', 1, 3", "['b', 'c']"},
        {"'z', -2", "['d', 'e']"},
        {"'z', 0, -1", "['a', 'b', 'c', 'd']"},
        {"'z', -100, 2", "['a', 'b']"},
        {"'z', 3, 100", "['d', 'e']"},
        {"'z', 3, 2", "[]"},
        {"'z', 9", "[]"},
        {"'z', 0, 2, {'reverse': true}", "['e', 'd']"},
        {"'z', -2, nil, {'reverse': true}", "['b', 'a']"},
        {"'z', 0, nil, {'limit': 2, 'offset': 1}", "['b', 'c']"},
        {"'z', 0, nil, {'limit': 2, 'offset': 1, 'reverse': true}", "['d', 'c']"},
        {"'z', 0, nil, {'offset': 9}", "[]"},
        {"'z', 0, 2, {'scores': true}", "[['a', 1], ['b', 2]]"},
        {"'z', 2, 3, {'by': 'score'}", "['b', 'c', 'd']"},
        {"'z', 2, 3, {'by': 'score', 'exclusive': 'start'}", "['d']"},
        {"'z', 2, 3, {'by': 'score', 'exclusive': 'stop'}", "['b', 'c']"},
        {"'z', 1, 4.5, {'by': 'score', 'exclusive': 'both'}", "['b', 'c', 'd']"},
        {"'z', nil, 2, {'by': 'score', 'reverse': true}", "['c', 'b', 'a']"},
        {"'z', 2.5, nil, {'by': 'score', 'limit': 1}", "['d']"},
        {"'z', 2, nil, {'by': 'score', 'limit': 1, 'reverse': true}", "['e']"},
        {"'z', 5, 2, {'by': 'score'}", "[]"},
        {"'none', 0", "[]"},
        {"'none', 0, 5, {'by': 'score', 'scores': true}", "[]"},
    };
    ASK(&p, "sorted.add", "'z', [['a', 1], ['b', 2], ['c', 2], ['d', 3], ['e', 4.5]], " CREATE,
        "5");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ASK(&p, "sorted.range", cases[i].params, cases[i].answer);
    ASK(&p, "sorted.range", "'z', 0, 1, {'exclusive': 'start'}",
        "! BAD_PARAMS sorted.range: option exclusive is for ranges by score");
    ASK(&p, "sorted.range", "'z', 'x', 1, {'by': 'score'}",
        "! BAD_PARAMS sorted.range: start is a string; scores are numbers, and not NaN");
    ASK(&p, "sorted.count", "'z', 2, 3", "3");
    ASK(&p, "sorted.count", "'z', 2, 3, {'exclusive': 'both'}", "0");
    ASK(&p, "sorted.count", "'z', nil, nil", "5");
    ASK(&p, "sorted.count", "'none', nil, 4", "0");
    p.host.reply_elements_max = 4;
    ASK_BEGINS(&p, "sorted.range", "'z', 0", "! LIMIT sorted.range: the reply would have more");
}
END_TEST

START_TEST(sorted_pops)
{
    ASK(&p, "sorted.add", "'z', [['a', 1], ['b', 2], ['c', 3], ['d', 4], ['e', 5]], " CREATE, "5");
    ASK(&p, "sorted.pop", "'z'", "['a', 1]");
    ASK(&p, "sorted.pop", "'z', nil, {'greatest': true}", "['e', 5]");
    ASK(&p, "sorted.pop", "'z', 2, {'greatest': true}", "[['d', 4], ['c', 3]]");
    ASK(&p, "sorted.pop", "'z', 9", "[['b', 2]]");
    ASK(&p, "sorted.pop", "'z', 9", "[]");
    ASK(&p, "sorted.pop", "'z'", "nil");
    ASK(&p, "sorted.pop", "'none'", "nil");
    ASK(&p, "len", "'z'", "0");
}
END_TEST

START_TEST(a_large_sorted_set)
{
    for (int part = 0; part < 4; part++) {
        struct writer params;
        writer_init(&params, 0);
        writer_array(&params, 3);
        writer_cstr(&params, "z");
        writer_array(&params, 5000);
        for (int i = 0; i < 5000; i++) {
            char name[20];
            int n = (part * 5000 + i) * 7919 % 20000;
            writer_array(&params, 2);
            writer_str(&params, name, (size_t)sprintf(name, "member:%09d", n));
            writer_double(&params, n / 2.0);
        }
        literal_write(&params, CREATE);
        ck_assert_str_eq(ask_bytes(&p, "sorted.add", &params), "5000");
        writer_close(&params);
        in_process_verify(&p);
    }
    ASK(&p, "sorted.rank", "'z', 'member:000012345'", "12345");
    ASK(&p, "sorted.count", "'z', 100, 200", "201");
    ASK(&p, "sorted.range", "'z', 9999.5, nil, {'by': 'score', 'scores': true}",
        "[['member:000019999', 9999.5]]");
    ASK(&p, "sorted.range", "'z', 10000, 10002", "['member:000010000', 'member:000010001']");
    ASK_HAS(&p, "mem.census", "", "'sorted set'");
}
END_TEST

/* --- failing --------------------------------------------------------------------------------*/

/* All but the set s, whose order may change; that must be equal to its copy. */
static char *all_data(void)
{
    uint64_t seed = p.seed;
    p.seed = 0;
    char *data = strdup(ask(&p, "mget", "['b', 'z', 'm', 'l', 'u']"));
    ASK(&p, "len", "'s'", "8");
    ASK_HAS(&p, "difference", "['s', 'copy of s']", p.features.ext ? "<4:90>" : "[]");
    p.seed = seed;
    return data;
}

static void fill_sets(void)
{
    ASK(&p, "clear", "", "true");
    ASK(&p, "include", "'s', [1, 'a member of a cell', 3, 4, 5, 6, 7, 8], " CREATE, "8");
    ASK(&p, "union", "['s'], {'into': 'copy of s'}", "8");
    ASK(&p, "include", "'b', [1, 'another member of a cell'], " CREATE, "2");
    ASK(&p, "sorted.add", "'z', [['a', 1], ['b', 1e300], ['a member of a cell', 3]], " CREATE, "3");
    ASK(&p, "set", "'l', [1, 2, 'three of a cell', [4]]", "true");
    ASK(&p, "set", "'m', {}", "true");
}

static void check_faults(const char *method, const char *params, const char *answer)
{
    static const struct fault_data data = {fill_sets, all_data};
    ck_assert_uint_gt(fault_check(&p, &data, method, params, answer), 0);
}

START_TEST(sets_fail_whole)
{
    check_faults("include", "'s', [9, 'a new member of a cell', 1, 10, 11]", "4");
    check_faults("include", "['m', 'x', 'y'], [9, 'a new member'], " CREATE, "2");
    check_faults("union", "['s', 'b'], {'into': ['m', 'a longer name']}", "9");
    check_faults("intersect", "['s', 'b']", "[1]");
    check_faults("difference", "['s', 'b'], {'into': 's'}", "7");
    check_faults("sorted.add", "'z', [['b', 1e301], ['new and longer', 5], ['b', 7], ['a', 2]]",
                 "1");
    check_faults("sorted.add", "['m', 'z'], [['b', 1], ['b', 2]], " CREATE, "1");
    check_faults("sorted.increment", "'z', 'b', 1e300", "2e+300");
    check_faults("sorted.increment", "['m', 'z'], 'b', 1, " CREATE, "1");
    ask_extensions(&p, true);
    check_faults("set", "'u', <4:93a9616161616161616161cb7e37e43c8800759c05>", "true");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_sets");
    TCase *sets = tcase_create("sets");
    tcase_set_timeout(sets, 120);
    tcase_add_checked_fixture(sets, setup, teardown);
    tcase_add_test(sets, include_exclude_contains);
    tcase_add_test(sets, paging_through_members);
    tcase_add_test(sets, combining_small_sets);
    tcase_add_test(sets, combining_large_sets_takes_steps);
    tcase_add_test(sets, sets_may_change_while_they_are_combined);
    tcase_add_test(sets, a_combination_can_be_broken_off);
    tcase_add_test(sets, sets_as_extension_values);
    tcase_add_test(sets, a_large_set_arrives_in_pieces);
    suite_add_tcase(suite, sets);
    TCase *sorted = tcase_create("sorted");
    tcase_set_timeout(sorted, 120);
    tcase_add_checked_fixture(sorted, setup, teardown);
    tcase_add_test(sorted, sorted_add_and_look);
    tcase_add_test(sorted, sorted_conditions);
    tcase_add_test(sorted, sorted_errors);
    tcase_add_test(sorted, sorted_infinities);
    tcase_add_test(sorted, sorted_increments);
    tcase_add_test(sorted, sorted_ranges);
    tcase_add_test(sorted, sorted_pops);
    tcase_add_test(sorted, a_large_sorted_set);
    suite_add_tcase(suite, sorted);
    TCase *faults = tcase_create("faults");
    tcase_set_timeout(faults, 120);
    tcase_add_checked_fixture(faults, setup, teardown);
    tcase_add_test(faults, sets_fail_whole);
    suite_add_tcase(suite, faults);
    return suite;
}
