/* method_cases.c - see method_cases.h. */
#include "tests/support/method_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/text.h"
#include "tests/support/arrow_sample.h"
#include "tests/support/ask.h"

const struct method_case method_cases[] = {
    {"ping", "['a text that takes a cell', [1, {'a': 2}]]", "['a text that"},
    {"hello", "{'ext': true, 'any_keys': false}", "{"},
    {"methods", "", "["},
    {"get", "['m', 'eight bytes']", "'some text'"},
    {"get", "'rope'", "'sss"},
    {"get", "'no such key at all', {'default': ['a text that takes a cell']}", "['a text that"},
    {"set", "'x', {'a': ['some text of a cell', 2], 'b': nil}", "true"},
    {"set", "'l', ['some text of a cell']", "true"},
    {"set", "['m', 'new and long name'], [1]", "true"},
    {"set", "['m', 'p', 'q', 'a third level'], 'v', {'create': true}", "true"},
    {"set", "['l', 1], 'a text of more than seven bytes'", "true"},
    {"set", "'l', 5, {'match': [1, 'two', ['three']]}", "true"},
    {"set", "'x', {'self': <1:00>}", "true"},
    {"set", "'a new key', ['some text of a cell', 2], {'ttl': 100000000}", "true"},
    {"set", "'l', 'a text of a cell', {'ttl': 100000000}", "true"},
    {"set", "'l', 'a text of a cell', {'keep_ttl': true}", "true"},
    {"del", "'rope', ['m', 'eight bytes'], 'no such key at all'", "2"},
    {"exists", "'rope', ['m', 'eight bytes'], 'no such key at all'", "2"},
    {"type", "['m', 'eight bytes']", "'string'"},
    {"len", "['m', 'eight bytes']", "9"},
    {"add", "'n', 1", "9223372036854775807"},
    {"add", "'n', 1e300", "1e+300"},
    {"add", "'a new key', 1", "1"},
    {"append", "'s', ' and more of it'", "31"},
    {"append", "'a new key', 'text'", "4"},
    {"append", "'rope', ' and more of it'", ""},
    {"append", "'shared rope', b'\\xff'", ""},
    {"append", "'rope', LONG", ""},
    {"append", "'s', LONG", ""},
    {"mget", "['rope', ['m', 'eight bytes'], 'no such key at all']", "['sss"},
    {"mset", "[['x', [1]], ['y', 'a text of a cell'], ['l', 2]]", "true"},
    {"mset", "[[['m', 'new name'], 1], [['m', 'b', 'd'], {}], [['l', 0], 'a longer text'], "
             "['x', 1], ['x', 2]]", "true"},
    {"push", "'l', ['a text of a cell', 2]", "5"},
    {"push", "['m', 'q', 'r'], [1, 2], {'create': true}", "2"},
    {"push", "'l', [LONG, 1, 2, 3], {'front': true}", "7"},
    {"pop", "['m', 'a list of its own']", "3"},
    {"pop", "['m', 'a list of its own'], 2, {'front': true}", "["},
    {"insert", "'l', 1, ['a text of a cell', [5]]", "5"},
    {"splice", "'l', 0, 2, ['a text of a cell', [5]]", "[1, 'two']"},
    {"swap", "'m', ['a text of a cell']", "{"},
    {"take", "['m', 'eight bytes']", "'some text'"},
    {"rename", "'l', 'a new key of a cell'", "true"},
    {"include", "'set', ['a new member of it', 3, 'a text of a cell']", "2"},
    {"include", "['m', 'a new set'], ['a text of a cell'], {'create': true}", "1"},
    {"exclude", "'set', ['a text of a cell', 'no such member']", "1"},
    {"contains", "'set', 'a text of a cell'", "true"},
    {"union", "['set', 'other set'], {'into': 'x'}", ""},
    {"intersect", "['set', 'other set'], {'into': 'x'}", ""},
    {"difference", "['set', 'other set']", ""},
    {"sorted.add", "'sorted', [['a new member of it', 3], ['a text of a cell', 9]]", "1"},
    {"sorted.add", "'y', [['a new member of it', 3]], {'create': true}", "1"},
    {"sorted.increment", "'sorted', 'a text of a cell', 0.5", "1.5"},
    {"sorted.remove", "'sorted', ['a text of a cell', 'no such member']", "1"},
    {"sorted.score", "'sorted', 'a text of a cell'", "1"},
    {"sorted.rank", "'sorted', 'a text of a cell'", "0"},
    {"sorted.range", "'sorted', 0, nil, {'scores': true}", "[["},
    {"sorted.count", "'sorted', 0, 10", "2"},
    {"sorted.pop", "'sorted'", "['a text of a cell', 1]"},
    {"table.create", "'y', [['a name of its own', 'i32'], ['b', 'str', {'null': true}]]", "true"},
    {"table.append", "'table', {'rows': [[7, 'a text of a cell'], [8, nil]]}", "{'first': 3"},
    {"table.append", "'table', {'cols': {'id': b'abcdefgh', 'a longer name': ['x']}, 'n': 1}",
     "{'first': 3"},
    {"table.get", "'table', -1", "{'id': 3"},
    {"table.slice", "'table', 1, 2, {'format': 'cols'}", "{'cols'"},
    {"table.scan", "'table', {'where': ['>', 'id', 1], 'order': [['id', 'desc']]}", "{'cols'"},
    {"table.scan", "'table', {'format': 'arrow', 'where': ['>', 'id', 1]}", "{'cols'"},
    {"table.slice", "'table', 1, 2, {'format': 'arrow', 'select': ['id']}", "{'cols'"},
    {"table.agg", "'table', {'agg': {'n': ['sum', 'id']}, 'format': 'arrow'}", "{'cols'"},
    {"table.export", "'table', {'format': 'arrow'}", "{'format': 'arrow', 'rows': 3"},
    {"table.export", "'table', {'format': 'arrow', 'select': ['id'], 'batch': {'bytes': 100}}",
     "{'format': 'arrow'"},
    {"table.export", "'table', {'format': 'csv', 'null': 'none', 'batch': {'bytes': 20}}",
     "{'format': 'csv'"},
    {"table.export", "'table', {'format': 'jsonl', 'order': [['id', 'desc']]}",
     "{'format': 'jsonl', 'rows': 3"},
    {"table.export", "'table', {'format': 'npy', 'select': ['id'], 'order': ['id']}",
     "{'format': 'npy', 'rows': 3"},
    {"table.next", "1000000", "! NOT_FOUND"},
    {"table.close", "1000000", "false"},
    {"table.agg", "'table', {'group': ['a longer name'], 'agg': {'n': ['sum', 'id']}}", "{'cols'"},
    {"table.explain", "'table', {'where': ['=', 'a longer name', 'a text of a cell']}", "{'plan'"},
    {"table.set", "'table', 0, 'a longer name', 'another text of a cell'", "true"},
    {"table.update", "'table', ['>', 'id', 1], {'a longer name': 'another text', 'id': 9}", "2"},
    {"table.delete", "'table', ['>', 'id', 1]", "2"},
    {"table.delete", "'table', [0, -1]", "2"},
    {"table.index", "'indexed', 'a longer name', 'sorted'", "{'rows': 3"},
    {"table.index", "'indexed', 'id', 'sorted'", "{'rows': 3"},
    {"table.index", "'indexed', 'a longer name', 'hash'", "{'rows': 3"},
    {"table.scan", "'indexed', {'where': ['in', 'id', [2, 9]]}", "{'cols'"},
    {"table.explain", "'indexed', {'where': ['=', 'id', 2]}", "{'plan'"},
    {"table.update", "'indexed', ['=', 'id', 2], {'a longer name': 'another text'}", "1"},
    {"table.alter", "'table', [['add', 'more', 'str', {'default': 'a text of a cell'}], "
                    "['type', 'id', 'f64'], ['rename', 'a longer name', 'name']]", "true"},
    {"table.schema", "'table'", "[['id', 'i64'"},
    {"table.stats", "'table'", "{'rows': 3"},
    {"table.compact", "'table'", "{'bytes_before'"},
    {"table.from", "'records', ['m', 'a new table']", "{'rows': 2"},
    {"table.from", "'records', nil, [['a longer name', 'sym'], ['x', 'f32', {'null': true}]]",
     "{'rows': 2"},
    {"table.import", "'table', b'id,a longer name\\n7,a text of a cell\\n8,\\n', {'format': 'csv'}",
     "{'rows': 2"},
    {"table.import", "'table', b'id,a longer name\\n7,a text of a cell\\n8', {'format': 'csv', "
                     "'more': true}", "{'rows': 1, 'cursor': "},
    {"table.import", "'y', b'a,b\\n1,a text of', {'format': 'csv', 'create': true, 'more': true}",
     "{'rows': 0, 'cursor'"},
    {"table.import", "'table', b'id,a longer name\\n7,a text of a cell\\n8,\\n', {'format': 'csv', "
                     "'atomic': true}", "{'rows': 2, 'cursor': nil"},
    {"table.import", "'table', b'id,a longer name\\n7,a text of a cell\\n8', {'format': 'csv', "
                     "'atomic': true, 'more': true}", "{'rows': 1, 'cursor': "},
    {"table.import", "'y', b'{\"a\": 1, \"b\": \"a text of a cell\"}\\n{\"b\": \"more\"}', "
                     "{'format': 'jsonl', 'create': true, 'atomic': true}",
     "{'rows': 2, 'cursor': nil"},
    {"table.import", "'y', b'a,b\\n1,a text of a cell\\n', {'format': 'csv', 'create': true}",
     "{'rows': 1"},
    {"table.import", "'y', b'{\"a\": 1, \"b\": \"an \\\\u0041 and more of it\"}\\n{\"c\": 2}', "
     "{'format': 'jsonl', 'create': true, 'ttl': 100000000}", "{'rows': 2"},
    {"table.import", "'y', b'a,b\\n1,a text of a cell\\n', {'format': 'csv', 'create': true, "
                     "'types': {'a': 'f64', 'b': 'sym'}}", "{'rows': 1"},
    {"table.import", "'y', b'{\"a\": 1}', {'format': 'jsonl', 'create': true, 'types': "
                     "{'a longer name': 'str'}}", "{'rows': 1"},
    {"table.import", "nil, b'{\"a\": 1, \"b\": \"a text of a cell\"}', {'format': 'jsonl', "
                     "'infer': true}", "{'rows': 1"},
    {"table.import", "['m', 'new', 'x'], b'\\x93NUMPY\\x01\\x00\\x3a\\x00{\\'descr\\': \\'<f8\\', "
                     "\\'fortran_order\\': False, \\'shape\\': (1,), }\\nabcdefgh', "
                     "{'format': 'npy', 'create': true}", "{'rows': 1"},
    {"table.import", "'y', ARROW, {'format': 'arrow', 'create': true}", "{'rows'"},
    {"table.to", "'table', 'x'", "3"},
    {"get", "['table', 0]", "{'id': 1"},
    {"get", "['table', 1, 'a longer name']", "nil"},
    {"set", "['table', 1, 'a longer name'], 'a text of a cell'", "true"},
    {"get", "'table'", "[{'id': 1"},
    {"slice", "'table', 0, 2", "[{'id': 1"},
    {"slice", "['m', 'a list of its own'], 0, -1, 2", "["},
    {"keys", "'m'", "[0, ["},
    {"items", "'m', 0, {'count': 100}", "[0, ["},
    {"scan", "0, {'match': 'a pattern of a cell*', 'count': 100}", "[0, []]"},
    {"expire", "'l', 100000000", "true"},
    {"expire", "'l', nil, {'at': 1}", "true"},
    {"ttl", "'l'", "nil"},
    {"count", "", "13"},
    {"clear", "", "true"},
    {"link", "'a new key', 'l'", "true"},
    {"link", "['m', 'a new key'], ['m', 'b']", "true"},
    {"weak", "'a new key', 'l'", "true"},
    {"same", "['m', 'a list of its own'], ['m', 'eight bytes']", "false"},
    {"hold", "['m', 'a list of its own']", "<2:"},
    {"new", "['a text of a cell', {}]", "<2:"},
    {"release", "<2:0000000000000001>", "1"},
    {"gc.disable", "", "true"},
    {"gc.enable", "", "true"},
    {"gc.is_enabled", "", "true"},
    {"gc.collect", "", ""},
    {"gc.step", "100", ""},
    {"gc.threshold", "0", ""},
    {"gc.mem_alloc", "", ""},
    {"gc.mem_free", "", ""},
    {"gc.stats", "", "{"},
    {"mem.info", "", "{"},
    {"mem.map", "{'count': 10}", "{"},
    {"mem.census", "", "["},
    {"mem.size", "['m', 'a list of its own']", ""},
    {"server.info", "'memory'", "{"},
    {"server.shutdown", "", "true"},
};
const size_t method_case_count = sizeof method_cases / sizeof *method_cases;

static char *with_long_text(const char *params)
{
    size_t length = (size_t)2 * TEXT_CELL_MAX + 10;
    const char *mark = strstr(params, "LONG");
    char *result = malloc(strlen(params) + length + 3);
    if (!mark) return strcpy(result, params);
    size_t before = (size_t)(mark - params);
    memcpy(result, params, before);
    result[before] = '\'';
    memset(result + before + 1, 's', length);
    result[before + 1 + length] = '\'';
    strcpy(result + before + length + 2, mark + strlen("LONG"));
    return result;
}

/* The same for ARROW; consumes the parameters. */
static char *with_arrow(char *params)
{
    const char *mark = strstr(params, "ARROW");
    if (!mark) return params;
    char *stream = arrow_sample_literal();
    char *result = malloc(strlen(params) + strlen(stream) + 1);
    sprintf(result, "%.*s%s%s", (int)(mark - params), params, stream, mark + strlen("ARROW"));
    free(stream);
    free(params);
    return result;
}

char *method_case_params(const struct method_case *c)
{
    return with_arrow(with_long_text(c->params));
}

void method_cases_check(void)
{
    for (size_t i = 0; i < method_count; i++) {
        size_t at = 0;
        while (at < method_case_count && strcmp(method_cases[at].method, method_list[i].name) != 0)
            at++;
        ck_assert_msg(at < method_case_count,
                      "tests/support/method_cases.c has no call of %s", method_list[i].name);
    }
}

void method_cases_fill(struct in_process *p)
{
    char *rope = with_long_text("'rope', LONG");
    ASK(p, "clear", "", "true");
    ASK(p, "mset",
        "[['l', [1, 'two', ['three']]], ['s', 'a text of a cell'], ['n', 9223372036854775806], "
        "['m', {'a': 1, 'b': {'c': 2}, 'eight bytes': 'some text', "
        "'a list of its own': ['a text of a cell', [1], 2, 3]}]]",
        "true");
    ASK(p, "set", rope, "true");
    ASK(p, "include", "'set', ['a text of a cell', 1, 2], {'create': true}", "3");
    ASK(p, "include", "'other set', ['a text of a cell', 7], {'create': true}", "2");
    ASK(p, "sorted.add", "'sorted', [['a text of a cell', 1], ['b', 2]], {'create': true}", "2");
    ASK(p, "table.create",
        "'table', [['id', 'i64'], ['a longer name', 'str', {'null': true}]]", "true");
    ASK_HAS(p, "table.append", "'table', {'rows': [[1, 'a text of a cell'], [2, nil], [3, 'c']]}",
            "'n': 3");
    ASK(p, "table.create",
        "'indexed', [['id', 'i64', {'index': 'hash'}], ['a longer name', 'sym']]", "true");
    ASK_HAS(p, "table.append", "'indexed', {'rows': [[1, 'a text'], [2, 'b'], [3, 'c']]}",
            "'n': 3");
    ASK_HAS(p, "table.compact", "'indexed'", "'bytes_before'"); /* seals it */
    ASK(p, "set",
        "'records', [{'a longer name': 'a text of a cell', 'x': 0.5}, {'a longer name': 'b', "
        "'x': 2}]", "true");
    ASK(p, "link", "['m', 'l'], 'l'", "true");
    ASK(p, "link", "['shared rope'], 'rope'", "true");
    ASK(p, "weak", "'weak', 'l'", "true");
    free(rope);
}

char *method_cases_data(struct in_process *p)
{
    uint64_t seed = p->seed;
    p->seed = 0;
    char *data = strdup(ask(p, "mget",
                            "['l', 'm', 's', 'n', 'rope', 'shared rope', 'weak', 'x', 'y', 'q', "
                            "'a new key', 'set', 'sorted', 'table', 'indexed']"));
    const char *count = ask(p, "count", "");
    size_t length = strlen(data);
    data = realloc(data, length + strlen(count) + 1);
    strcpy(data + length, count);
    p->seed = seed;
    return data;
}
