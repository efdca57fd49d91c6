/* query_explain.c - what a query will do, as a map for people. */
#include "heap/query_int.h"

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"

#define EXPLAIN_VECTORS_MAX 65536

/* Puts `v` under a name and consumes it. An absent value (no memory) is passed on. */
static int put_take(struct heap *h, value map, const char *name, value v)
{
    struct map_key key;
    if (v == VALUE_ABSENT) return -ENOMEM;
    map_key_text(h, &key, name, strlen(name));
    int error = map_set_take(h, map, &key, v);
    if (error) value_release(h, v);
    return error;
}

static int put_number(struct heap *h, value map, const char *name, uint64_t n)
{
    return put_take(h, map, name, number_from_uint64(h, n));
}

static int put_text(struct heap *h, value map, const char *name, const char *text)
{
    return put_take(h, map, name, text_new(h, text, strlen(text), false));
}

static const char *test_name(const struct query_test *t)
{
    static const char *const names[][2] = {
        {"never", "never"},    {"always", "always"},    {"not null", "never"},     {"null", "not null"},
        {"range", "not range"}, {"in", "not in"},          {"text range", "not text range"},
        {"in", "not in"},      {"prefix", "not prefix"},  {"contains", "not contains"}};
    return names[t->form][t->negate];
}

static int add_test(struct query *q, value list, const struct query_test *t)
{
    struct heap *h = q->heap;
    const struct query_field *f = &q->fields[t->column];
    value map = map_new(h);
    if (map == VALUE_ABSENT) return -ENOMEM;
    int error = put_take(h, map, "column", text_new(h, f->name, f->length, false));
    if (!error) error = put_text(h, map, "test", test_name(t));
    if (!error) error = put_text(h, map, "on", query_test_on(q, t));
    if (!error) error = put_number(h, map, "chunks_skipped", t->chunks_skipped);
    if (!error) error = put_number(h, map, "vectors_skipped", t->vectors_skipped);
    if (!error) error = list_push_take(h, list, map);
    if (error) value_release(h, map);
    return error;
}

struct counts {
    uint64_t chunks, chunks_skipped, vectors, vectors_skipped;
};

/* What zone maps exclude, without reading anything. */
static void count_zones(struct query *q, struct counts *n)
{
    for (uint32_t i = 0; i < q->test_count; i++)
        q->tests[i].chunks_skipped = q->tests[i].vectors_skipped = 0;
    *n = (struct counts){0};
    for (uint32_t c = 0; c < table_version_chunks(q->version); c++) {
        if (n->vectors >= EXPLAIN_VECTORS_MAX) break;
        n->chunks++;
        if (query_zone_of(q, c, QUERY_NONE, true) == ZONE_NONE) {
            n->chunks_skipped++;
            continue;
        }
        uint32_t vectors = table_slots_vectors(table_chunk_slots(q->version, c));
        for (uint32_t v = 0; v < vectors; v++, n->vectors++)
            n->vectors_skipped += query_zone_of(q, c, v, true) == ZONE_NONE;
    }
}

static const char *plan_of(const struct query *q)
{
    if (!q->agg) {
        if (!q->sorter) return "scan";
        return q->sorter->top ? "scan, keep the best" : "scan, sort";
    }
    if (q->agg->key_count == 0) return "aggregate";
    if (q->agg->direct) return "aggregate, groups by array";
    return q->agg->key_count == 1 && q->agg->keys[0].text ? "aggregate, groups by text"
                                                           : "aggregate, groups by hash";
}

value query_explain(struct query *q)
{
    struct heap *h = q->heap;
    struct counts n;
    value map = map_new(h), list = list_new(h);
    int error = map == VALUE_ABSENT || list == VALUE_ABSENT ? -ENOMEM : 0;
    count_zones(q, &n);
    /* Only the tests of `where`: they look at the table. */
    for (uint32_t at = q->where.start; at < q->where.end && !error; at++)
        if (q->code[at].op == OP_TEST) error = add_test(q, list, &q->tests[q->code[at].index]);
    if (!error) error = put_text(h, map, "plan", plan_of(q));
    if (!error) error = put_number(h, map, "chunks", n.chunks);
    if (!error) error = put_number(h, map, "chunks_skipped", n.chunks_skipped);
    if (!error) error = put_number(h, map, "vectors", n.vectors);
    if (!error) error = put_number(h, map, "vectors_skipped", n.vectors_skipped);
    if (!error) {
        error = put_take(h, map, "tests", list);
        list = VALUE_ABSENT; /* put_take has released it, if it failed */
    }
    if (!error) return map;
    if (list != VALUE_ABSENT) value_release(h, list);
    if (map != VALUE_ABSENT) value_release(h, map);
    return VALUE_ABSENT;
}
