/* fuzz_query.c - queries that nobody checked: whatever values come as options, the answer is rows
 * or an error with a text, and the heap is sound and without leaks after it.
 *
 * Input: a byte of options (below), then a program that builds one value: each byte says what comes
 * (see build). Words are those of the query language and of the table's columns, so that mutations
 * often are queries. */
#include <stdlib.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/query.h"
#include "heap/text.h"
#include "heap/verify.h"
#include "tests/fuzz/fuzz.h"

enum options {
    OPTION_AGGREGATE = 1,
    OPTION_FAULTS = 2, /* an allocation fails */
    OPTION_SMALL = 4   /* the query may hold little */
};

static const char *const words[] = {
    "where", "let", "order", "limit", "offset", "select", "group", "agg", "having", "and", "or",
    "not", "cmp", "=", "!=", "<", "<=", ">", ">=", "in", "between", "null", "prefix", "contains",
    "col", "lit", "+", "-", "*", "/", "%", "bucket", "if", "cast", "asc", "desc", "count", "sum",
    "min", "max", "avg", "var", "stddev", "quantile", "median", "distinct", "approx_distinct",
    "first", "last", "i", "u", "x", "b", "s", "k", "d", "t", "h", "i8", "u64", "f64", "f32", "bool",
    "date", "ts", "Oslo",
};
#define WORDS (sizeof words / sizeof *words)
enum {
    TAG_LIST = 200, TAG_MAP, TAG_BYTE, TAG_INT, TAG_DOUBLE, TAG_TEXT, TAG_NIL, TAG_TRUE, TAG_FALSE
};
#define DEPTH_MAX 40

struct input {
    const uint8_t *data;
    size_t size;
};

static unsigned next(struct input *in)
{
    if (!in->size) return TAG_NIL;
    in->size--;
    return *in->data++;
}

static uint64_t next_word(struct input *in)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++) word = word << 8 | next(in);
    return word;
}

static value checked(value v)
{
    if (v == VALUE_ABSENT) abort();
    return v;
}

static value build(struct heap *h, struct input *in, unsigned depth)
{
    unsigned tag = next(in);
    uint64_t word;
    double d;
    const char *known = words[tag % WORDS];
    if (tag < TAG_LIST) return checked(text_new(h, known, strlen(known), false));
    if (tag <= TAG_MAP && depth == DEPTH_MAX) return VALUE_NIL;
    switch (tag) {
    case TAG_LIST: {
        value list = checked(list_new(h));
        for (unsigned i = next(in) % 16; i > 0; i--)
            if (list_push_take(h, list, build(h, in, depth + 1)) != 0) abort();
        return list;
    }
    case TAG_MAP: {
        value map = checked(map_new(h));
        for (unsigned i = next(in) % 16; i > 0; i--) {
            struct map_key key;
            const char *name = words[next(in) % WORDS];
            map_key_text(h, &key, name, strlen(name));
            value v = build(h, in, depth + 1);
            if (map_set_take(h, map, &key, v) != 0) abort();
        }
        return map;
    }
    case TAG_BYTE: return value_int((int8_t)next(in));
    case TAG_INT: return checked(number_from_uint64(h, next_word(in)));
    case TAG_DOUBLE:
        word = next_word(in);
        memcpy(&d, &word, sizeof d);
        return checked(number_from_double(h, d));
    case TAG_TEXT: {
        char text[16];
        size_t length = next(in) % 16;
        for (size_t i = 0; i < length; i++) text[i] = (char)next(in);
        return checked(text_new(h, text, length, false));
    }
    case TAG_TRUE: return VALUE_TRUE;
    case TAG_FALSE: return VALUE_FALSE;
    default: return VALUE_NIL;
    }
}

/* --- the table ---------------------------------------------------------------------------------*/

#define ROWS 1500

static value make_table(struct heap *h)
{
    static const struct table_field fields[] = {
        {"i", 1, TABLE_I64, true, false}, {"u", 1, TABLE_U64, false, false},
        {"x", 1, TABLE_F64, true, false}, {"b", 1, TABLE_BOOL, false, false},
        {"s", 1, TABLE_STR, true, false}, {"k", 1, TABLE_SYM, false, false},
        {"d", 1, TABLE_DATE, false, false}, {"t", 1, TABLE_TS, false, false},
    };
    static int64_t numbers[ROWS];
    static double doubles[ROWS];
    static uint8_t truths[ROWS];
    static int32_t days[ROWS];
    static struct table_text texts[ROWS];
    struct table_append a;
    struct table_error e;
    value table;
    for (unsigned i = 0; i < ROWS; i++) {
        numbers[i] = i % 500 ? (int64_t)i - 700 : i % 1000 ? INT64_MAX : INT64_MIN;
        doubles[i] = i % 400 ? i / 8.0 : i % 800 ? __builtin_nan("") : -__builtin_inf();
        truths[i] = i & 1;
        days[i] = (int32_t)i;
        texts[i] = (struct table_text){words[i % WORDS], strlen(words[i % WORDS])};
    }
    if (table_create(h, fields, 8, &table, &e) != 0) abort();
    struct table *t = table_of(h, table);
    if (table_append_begin(t, ROWS, &a, &e) ||
        table_append_raw(&a, 0, ROWS, numbers, NULL, 0, &e) ||
        table_append_raw(&a, 1, ROWS, numbers, NULL, 0, &e) ||
        table_append_raw(&a, 2, ROWS, doubles, NULL, 0, &e) ||
        table_append_raw(&a, 3, ROWS, truths, NULL, 0, &e) ||
        table_append_texts(&a, 4, ROWS, texts, &e) || table_append_texts(&a, 5, ROWS, texts, &e) ||
        table_append_raw(&a, 6, ROWS, days, NULL, 0, &e) ||
        table_append_raw(&a, 7, ROWS, numbers, NULL, 0, &e) || table_append_commit(&a, NULL, &e))
        abort();
    return table;
}

/* --- asking ------------------------------------------------------------------------------------*/

static void read_all(struct query *q)
{
    struct query_batch batch;
    struct query_error error = {0};
    struct table_cell cell;
    int outcome;
    while ((outcome = query_next(q, 1000000, 0, 0, &batch, &error)) > 0) {
        if (outcome == QUERY_BUSY) continue;
        if (batch.rows == 0) abort();
        for (uint32_t c = 0; c < query_column_count(q); c++)
            query_batch_cell(q, &batch, batch.rows - 1, c, &cell);
    }
    if (outcome < 0 && (!error.fault || !error.text[0])) abort();
}

static void ask(struct heap *h, value table, value options, unsigned flags)
{
    struct query_spec spec;
    struct query_error error = {0};
    struct query *q;
    bool aggregate = flags & OPTION_AGGREGATE;
    if (query_spec_read(h, options, aggregate, &spec, &error) != 0) {
        if (!error.text[0]) abort();
        return;
    }
    struct table_version *v = table_pin(table_of(h, table));
    size_t memory = flags & OPTION_SMALL ? 500000 : 0;
    if (flags & OPTION_FAULTS) heap_fail_nth(h, 1 + (flags >> 3));
    int status = (aggregate ? query_agg_create : query_scan_create)(h, v, &spec, memory, &q,
                                                                    &error);
    if (status) {
        if (!error.fault || !error.text[0]) abort();
        table_unpin(v);
    } else {
        read_all(q);
        query_destroy(q);
    }
    heap_fail_nth(h, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heap_config config = {.max_bytes = (size_t)64 << 20, .hash_key = "fixed for fuzz"};
    struct input in = {data, size};
    char message[256];
    struct heap *h;
    if (size < 2) return 0;
    if (heap_create(&h, &config) != 0) abort();
    unsigned flags = next(&in);
    value table = make_table(h), options = build(h, &in, 0);
    ask(h, table, options, flags);
    value_release(h, options);
    value_release(h, table);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    struct heap_stats stats;
    heap_stats(h, &stats);
    if (stats.external_bytes || heap_verify(h, message, sizeof message) != 0) abort();
    heap_destroy(h);
    return 0;
}
