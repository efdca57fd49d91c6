/* query_explain.c - what a query will do, as a map for people. */
#include "heap/query_index.h"

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"

#define EXPLAIN_ZONES_MAX 65536
#define EXPLAIN_PROBES_MAX 16384 /* look-ups in indexes */

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
        {"never", "never"},    {"always", "always"},      {"not null", "never"},
        {"null", "not null"},
        {"range", "not range"}, {"in", "not in"},          {"text range", "not text range"},
        {"in", "not in"},      {"prefix", "not prefix"},  {"contains", "not contains"}};
    return names[t->form][t->negate];
}

static const struct query_term *term_of(const struct query *q, uint32_t test)
{
    for (uint32_t i = 0; q->index && i < q->index->term_count; i++) {
        const struct query_term *term = &q->index->terms[i];
        if (term->form != TERM_UNION && term->test == test) return term;
        for (uint32_t j = 0; j < term->branch_count; j++)
            if (term->branches[j].test == test) return &term->branches[j];
    }
    return NULL;
}

/* Why an index that could serve a term is used in no chunk; NULL if it is used. */
static const char *why_unused(const struct query *q, const struct query_term *term,
                              uint64_t skipped)
{
    if (term->chunks_used || term->chunks_skipped) return NULL;
    if (term->candidates) return "reading it all is cheaper than its candidates";
    if (skipped || q->index->chunks_skipped) return "zone maps or other terms leave no chunk to it";
    return "no chunk has the index yet";
}

/* Which index serves a term, or why none does. */
static int put_index(struct query *q, value map, const struct query_term *term,
                     const struct query_test *t, uint64_t skipped)
{
    struct heap *h = q->heap;
    if (!term) {
        int error = put_take(h, map, "index", VALUE_NIL);
        const char *why = t->unindexed ? t->unindexed : "its column has no index";
        return error ? error : put_text(h, map, "why", why);
    }
    int error = put_text(h, map, "index", table_index_kind_name(term->kind));
    if (!error) error = put_number(h, map, "candidates", term->candidates);
    if (!error) error = put_number(h, map, "index_chunks", term->chunks_used);
    if (!error) error = put_number(h, map, "index_skipped", term->chunks_skipped);
    const char *why = why_unused(q, term, skipped);
    return error || !why ? error : put_text(h, map, "why", why);
}

static int add_test(struct query *q, value list, uint32_t index, uint64_t skipped)
{
    const struct query_test *t = &q->tests[index];
    struct heap *h = q->heap;
    const struct query_field *f = &q->fields[t->column];
    value map = map_new(h);
    if (map == VALUE_ABSENT) return -ENOMEM;
    int error = put_take(h, map, "column", text_new(h, f->name, f->length, false));
    if (!error) error = put_text(h, map, "test", test_name(t));
    if (!error) error = put_text(h, map, "on", query_test_on(q, t));
    if (!error) error = put_number(h, map, "chunks_skipped", t->chunks_skipped);
    if (!error) error = put_number(h, map, "vectors_skipped", t->vectors_skipped);
    if (!error) error = put_index(q, map, term_of(q, index), t, skipped);
    if (!error) error = list_push_take(h, list, map);
    if (error) value_release(h, map);
    return error;
}

struct query_counts {
    uint64_t chunks, chunks_skipped, vectors, vectors_skipped;
    uint64_t zones, probes; /* that were looked at */
    uint32_t next;          /* chunk */
    bool done;
};

/* What indexes leave of a chunk. */
static enum index_use count_index(struct query *q, uint32_t chunk, struct query_counts *n)
{
    if (!q->index || n->probes > EXPLAIN_PROBES_MAX) return INDEX_SCAN;
    q->chunk = chunk;
    q->index->probes = 0;
    enum index_use use = query_index_enter(q);
    n->probes += q->index->probes;
    q->index->active = false;
    q->chunk = 0;
    return use;
}

static void count_vectors(struct query *q, uint32_t chunk, enum index_use use,
                          struct query_counts *n)
{
    uint32_t vectors = table_slots_vectors(table_chunk_slots(q->version, chunk));
    for (uint32_t v = 0; v < vectors; v++) {
        bool none = query_zone_of(q, chunk, v, true) == ZONE_NONE;
        bool empty = use == INDEX_CANDIDATES && !(q->index->vectors >> v & 1);
        n->vectors_skipped += none || empty;
    }
    n->vectors += vectors;
    n->zones += vectors;
}

/* What zone maps exclude of a chunk, without reading anything, and what indexes do of the rest. */
static void count_chunk(struct query *q, uint32_t chunk, struct query_counts *n)
{
    n->chunks++;
    n->zones++;
    if (query_zone_of(q, chunk, QUERY_NONE, true) == ZONE_NONE) {
        n->chunks_skipped++;
        return;
    }
    enum index_use use = count_index(q, chunk, n);
    if (use != INDEX_NOTHING) count_vectors(q, chunk, use, n);
}

int query_explain_work(struct query *q, uint64_t budget_ns)
{
    uint64_t begin = clock_ns();
    assert(q->prepared);
    if (!q->explained) {
        q->explained = query_alloc(q, sizeof *q->explained);
        if (!q->explained) return query_fail_memory(q);
        for (uint32_t i = 0; i < q->test_count; i++)
            q->tests[i].chunks_skipped = q->tests[i].vectors_skipped = 0;
    }
    struct query_counts *n = q->explained;
    while (n->next < table_version_chunks(q->version) && n->zones < EXPLAIN_ZONES_MAX) {
        count_chunk(q, n->next++, n);
        if (clock_ns() - begin >= budget_ns) return QUERY_BUSY;
    }
    n->done = true;
    return QUERY_END;
}

/* That of `order`, if an index serves it. */
static const struct query_term *order_term(const struct query *q)
{
    const struct query_term *term = term_of(q, QUERY_NONE);
    return term && term->form == TERM_ORDER ? term : NULL;
}

static const char *plan_of(const struct query *q)
{
    if (!q->agg) {
        if (!q->sorter) return "scan";
        if (order_term(q)) return "scan, keep the best, by index";
        return q->sorter->top ? "scan, keep the best" : "scan, sort";
    }
    if (q->index && q->index->extremes) return "extremes, by index";
    if (q->agg->key_count == 0) return "aggregate";
    if (q->agg->direct) return "aggregate, groups by array";
    return q->agg->key_count == 1 && q->agg->keys[0].text ? "aggregate, groups by text"
                                                           : "aggregate, groups by hash";
}

value query_explain(struct query *q)
{
    struct heap *h = q->heap;
    int error = 0;
    while (!error && !(q->explained && q->explained->done))
        if (query_explain_work(q, UINT64_MAX) < 0) error = -ENOMEM;
    if (error) return VALUE_ABSENT;
    const struct query_counts *n = q->explained;
    value map = map_new(h), list = list_new(h);
    if (map == VALUE_ABSENT || list == VALUE_ABSENT) error = -ENOMEM;
    /* Only the tests of `where`: they look at the table. */
    for (uint32_t at = q->where.start; at < q->where.end && !error; at++)
        if (q->code[at].op == OP_TEST)
            error = add_test(q, list, q->code[at].index, n->chunks_skipped);
    if (!error) error = put_text(h, map, "plan", plan_of(q));
    if (!error) error = put_number(h, map, "chunks", n->chunks);
    if (!error) error = put_number(h, map, "chunks_skipped", n->chunks_skipped);
    if (!error) error = put_number(h, map, "vectors", n->vectors);
    if (!error) error = put_number(h, map, "vectors_skipped", n->vectors_skipped);
    if (!error && q->index) error = put_number(h, map, "index_chunks", q->index->chunks_used);
    if (!error && q->index) error = put_number(h, map, "index_skipped", q->index->chunks_skipped);
    if (!error && q->index) error = put_number(h, map, "index_rows", q->index->rows);
    if (!error) {
        error = put_take(h, map, "tests", list);
        list = VALUE_ABSENT; /* put_take has released it, if it failed */
    }
    if (!error) return map;
    if (list != VALUE_ABSENT) value_release(h, list);
    if (map != VALUE_ABSENT) value_release(h, map);
    return VALUE_ABSENT;
}
