/* test_query_index.c - the same questions with and without indexes must have the same answers, bit
 * for bit and in the same order: random tables that are appended to, changed, deleted from, sealed
 * and compacted in between, with random indexes, built in part or whole, and old versions pinned
 * meanwhile. Indexes are used as the rule says, or wherever they can be. And what explain says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/query_index.h"
#include "heap/query_rows.h"
#include "heap/table_draft.h"
#include "heap/table_int.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/heap_literal.h"
#include "tests/support/query_world.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

/* --- answers -----------------------------------------------------------------------------------*/

struct answer {
    struct query *q;
    struct table_cell *cells; /* row by row; texts belong to the query */
    size_t rows, capacity;
    uint32_t columns;
    int status;
    struct query_error error;
    struct query_stats stats;
};

static bool use_everywhere;

static struct query *create(struct world *w, struct table_version *v, value spec, bool aggregate)
{
    struct query_spec s;
    struct query_error error;
    struct query *q = NULL;
    expect(query_spec_read(w->h, spec, aggregate, &s, &error) == 0, "%s", error.text);
    v->refs++; /* another pin */
    external_hold(&w->t->external);
    int status = (aggregate ? query_agg_create : query_scan_create)(w->h, v, &s, 0, &q, &error);
    expect(status == 0, "%s: %s", w->text, error.text);
    if (use_everywhere && q->index) q->index->rows_per_vector = TABLE_VECTOR_ROWS;
    return q;
}

static void ask(struct world *w, struct table_version *v, value spec, bool aggregate, bool indexed,
                struct answer *r)
{
    struct query_batch batch;
    uint32_t rows_max = chance(w, 50) ? 0 : 1 + (uint32_t)below(w, 300);
    size_t bytes_max = chance(w, 70) ? 0 : 1 + below(w, 5000);
    uint64_t budget = chance(w, 50) ? 0 : 1000000;
    *r = (struct answer){.q = create(w, v, spec, aggregate)};
    if (!indexed) r->q->index = NULL;
    r->columns = query_column_count(r->q);
    while ((r->status = query_next(r->q, budget, rows_max, bytes_max, &batch, &r->error)) > 0) {
        if (r->status == QUERY_BUSY) continue;
        if (r->rows + batch.rows > r->capacity) {
            r->capacity = 2 * r->capacity + batch.rows;
            r->cells = realloc(r->cells, r->capacity * r->columns * sizeof *r->cells);
        }
        for (uint32_t i = 0; i < batch.rows; i++, r->rows++)
            for (uint32_t c = 0; c < r->columns; c++)
                query_batch_cell(r->q, &batch, i, c, &r->cells[r->rows * r->columns + c]);
    }
    query_stats(r->q, &r->stats);
}

static void answer_close(struct answer *r)
{
    query_destroy(r->q);
    free(r->cells);
}

static bool same_cell(const struct table_cell *a, const struct table_cell *b)
{
    if (a->type != b->type || a->null != b->null) return false;
    if (a->null) return true;
    if (table_type_class(a->type) >= TABLE_CLASS_SYMBOL)
        return a->text.length == b->text.length &&
               memcmp(a->text.data, b->text.data, a->text.length) == 0;
    return a->u == b->u; /* bits, also of doubles */
}

static void expect_foretold(struct world *w, const char *name, value map, uint64_t figure)
{
    struct map_key key;
    map_key_text(w->h, &key, name, strlen(name));
    value v = map_get(w->h, map, &key);
    uint64_t foretold = v == VALUE_ABSENT ? 0 : number_read(w->h, v).u;
    expect(foretold == figure, "seed %" PRIu64 ": explain says %s %" PRIu64 ", stats %" PRIu64
           " of %s", w->seed, name, foretold, figure, w->text);
}

/* Words of explain and of stats mean the same: of a query that looks at the whole table they have
 * the same figures. */
static void check_figures(struct world *w, struct table_version *v, value spec, bool aggregate,
                          const char *text, const struct answer *r)
{
    const struct query_stats *s = &r->stats;
    bool ordered = strstr(text, "'order'") != NULL, limited = strstr(text, "'limit'") != NULL;
    if (r->status != 0) return;
    if (!aggregate && !ordered && !strstr(text, "'offset'"))
        expect(s->rows_matched == r->rows, "seed %" PRIu64 ": %zu rows, %" PRIu64 " matched: %s",
               w->seed, r->rows, s->rows_matched, text);
    if (limited) return;
    struct query *q = create(w, v, spec, aggregate);
    value map = query_explain(q);
    expect_true(map != VALUE_ABSENT);
    expect_foretold(w, "chunks", map, s->chunks);
    expect_foretold(w, "chunks_skipped", map, s->chunks_skipped);
    expect_foretold(w, "vectors", map, s->vectors);
    expect_foretold(w, "vectors_skipped", map, s->vectors_skipped);
    expect_foretold(w, "index_chunks", map, s->index_chunks);
    expect_foretold(w, "index_skipped", map, s->index_skipped);
    expect_foretold(w, "index_rows", map, s->index_rows);
    value_release(w->h, map);
    query_destroy(q);
}

static uint64_t used_chunks, used_rows, skipped_queries, used_unions;

static bool used_union(const struct query *q)
{
    for (uint32_t i = 0; q->index && i < q->index->term_count; i++) {
        const struct query_term *term = &q->index->terms[i];
        if (term->form == TERM_UNION && term->branches[0].chunks_used) return true;
    }
    return false;
}

static void compare(struct world *w, struct table_version *v, const char *text, bool aggregate)
{
    struct answer with, without;
    value spec = heap_literal(w->h, text);
    ask(w, v, spec, aggregate, true, &with);
    ask(w, v, spec, aggregate, false, &without);
    /* An overflow in a row that is excluded anyway may go unnoticed. */
    bool overflow = without.status == -ERANGE && with.status == 0;
    if (!overflow) {
        expect(with.status == without.status, "seed %" PRIu64 ": status %d instead of %d in %s",
               w->seed, with.status, without.status, text);
        expect(with.rows == without.rows, "seed %" PRIu64 ": %zu rows instead of %zu in %s",
               w->seed, with.rows, without.rows, text);
        for (size_t i = 0; i < with.rows * with.columns; i++)
            expect(same_cell(&with.cells[i], &without.cells[i]),
                   "seed %" PRIu64 ": row %zu, column %zu differs in %s", w->seed,
                   i / with.columns, i % with.columns, text);
    }
    check_figures(w, v, spec, aggregate, text, &with);
    used_chunks += with.stats.index_chunks;
    used_rows += with.stats.index_rows;
    skipped_queries += with.q->index == NULL;
    used_unions += used_union(with.q);
    answer_close(&with);
    answer_close(&without);
    value_release(w->h, spec);
}

/* The rows that update and delete would find. */
static void compare_rows(struct world *w, const char *text)
{
    struct query *q[2];
    struct query_error error;
    value where = heap_literal(w->h, text);
    for (unsigned i = 0; i < 2; i++)
        expect(query_rows_create(w->h, table_pin(w->t), where, 0, &q[i], &error) == 0, "%s",
               error.text);
    q[1]->index = NULL;
    if (q[0]->index && use_everywhere) q[0]->index->rows_per_vector = TABLE_VECTOR_ROWS;
    for (;;) {
        uint64_t rows[2][TABLE_VECTOR_WORDS];
        uint32_t chunk[2] = {0}, vector[2] = {0};
        int found[2];
        for (unsigned i = 0; i < 2; i++)
            do found[i] = query_rows_next(q[i], &chunk[i], &vector[i], rows[i], &error);
            while (found[i] == QUERY_BUSY);
        if (found[0] < 0 || found[1] < 0) break; /* an overflow */
        expect(found[0] == found[1], "seed %" PRIu64 ": %s", w->seed, text);
        if (found[0] == QUERY_END) break;
        expect(chunk[0] == chunk[1] && vector[0] == vector[1] &&
                   memcmp(rows[0], rows[1], sizeof rows[0]) == 0,
               "seed %" PRIu64 ": other rows in %s", w->seed, text);
    }
    for (unsigned i = 0; i < 2; i++) query_destroy(q[i]);
    value_release(w->h, where);
}

/* --- questions ---------------------------------------------------------------------------------*/

static const char *const names[] = {"a", "b", "c", "d", "x", "y", "t", "s", "k", "n", "e", "w"};

/* An `or` of tests, or of `and`s and `or`s of them. */
static void put_union(struct world *w)
{
    put(w, "['or'");
    for (unsigned i = 1 + (unsigned)below(w, 3); i > 0; i--) {
        unsigned tests = chance(w, 70) ? 0 : (unsigned)below(w, 3) + chance(w, 80);
        put(w, ", ");
        if (tests) put(w, chance(w, 70) ? "['and'" : "['or'");
        for (unsigned j = 0; j < tests; j++) {
            put(w, ", ");
            put_predicate(w, chance(w, 80) ? 0 : 1);
        }
        if (tests) put(w, "]");
        else put_predicate(w, 0);
    }
    put(w, "]");
}

static void put_where(struct world *w)
{
    if (chance(w, 30)) {
        bool both = chance(w, 30);
        put(w, both ? "['and', " : "");
        put_union(w);
        if (both) put(w, ", ");
        if (both) put_predicate(w, 0);
        put(w, both ? "]" : "");
        return;
    }
    unsigned terms = 1 + (unsigned)below(w, 3);
    put(w, terms > 1 ? "['and'" : "");
    for (unsigned i = 0; i < terms; i++) {
        put(w, terms > 1 ? ", " : "");
        put_predicate(w, chance(w, 70) ? 0 : 2);
    }
    put(w, terms > 1 ? "]" : "");
}

static void put_order(struct world *w)
{
    put(w, ", 'order': [['%s', '%s']", names[below(w, 12)], chance(w, 50) ? "asc" : "desc");
    if (chance(w, 30)) put(w, ", '%s'", names[below(w, 12)]);
    put(w, "]");
}

static void put_scan(struct world *w)
{
    const char *one = names[below(w, 12)], *two = names[below(w, 12)];
    put(w, "{'select': ['b'");
    if (strcmp(one, "b") != 0) put(w, ", '%s'", one);
    if (strcmp(two, "b") != 0 && two != one) put(w, ", '%s'", two);
    put(w, "]");
    if (chance(w, 75)) {
        put(w, ", 'where': ");
        put_where(w);
    }
    if (chance(w, 60)) put_order(w);
    if (chance(w, 70)) put(w, ", 'limit': %u", (unsigned)below(w, chance(w, 70) ? 12 : 600));
    if (chance(w, 30)) put(w, ", 'offset': %u", (unsigned)below(w, 20));
    put(w, "}");
}

static void put_agg(struct world *w)
{
    put(w, "{'agg': {'f0': ['%s', '%s'], 'f1': ['%s', '%s']", chance(w, 50) ? "min" : "max",
        names[below(w, 12)], chance(w, 50) ? "min" : "max", names[below(w, 12)]);
    bool more = chance(w, 50);
    if (more) put(w, ", 'f2': ['sum', 'x'], 'f3': ['count']");
    put(w, "}");
    if (more && chance(w, 50)) put(w, ", 'group': ['t']");
    if (chance(w, 50)) {
        put(w, ", 'where': ");
        put_where(w);
    }
    put(w, "}");
}

/* A question goes to w->text. Returns whether it is an aggregate. */
static bool put_question(struct world *w)
{
    w->length = 0;
    bool aggregate = chance(w, 30);
    if (aggregate) put_agg(w);
    else put_scan(w);
    return aggregate;
}

/* --- programs ----------------------------------------------------------------------------------*/

static void index_some(struct world *w)
{
    for (unsigned i = 0; i < WORLD_COLUMNS; i++)
        if (chance(w, 40)) table_index_set(w->t, i, (enum table_index_kind)below(w, 3));
}

/* Steps of all kinds, some of them without memory. */
static void work(struct world *w)
{
    uint64_t budget = 0; /* a unit each: random numbers must not depend on the time */
    uint64_t steps = chance(w, 30) ? below(w, 40) : 100000;
    if (chance(w, 40)) table_close_tail(w->t);
    for (uint64_t i = 0; i < steps; i++) {
        if (chance(w, 5)) heap_fail_nth(w->h, 1 + below(w, 3));
        int more = chance(w, 10) ? table_compact_step(w->t, chance(w, 30), budget) : 0;
        if (more == 0) more = table_seal_step(w->t, budget);
        if (more == 0) more = table_index_step(w->t, budget);
        heap_fail_nth(w->h, 0);
        expect_true(more == 1 || more == 0 || more == -ENOMEM);
        if (more == 0) break;
    }
}

static void mutate(struct world *w)
{
    if (chance(w, 50)) world_append(w, below(w, 400));
    for (unsigned i = (unsigned)below(w, chance(w, 15) ? 300 : 20); i > 0 && w->rows.count; i--)
        world_change(w, below(w, w->rows.count));
    for (unsigned i = (unsigned)below(w, chance(w, 10) ? 400 : 10); i > 0 && w->rows.count; i--)
        world_delete(w, below(w, w->rows.count));
}

#define OLD_QUESTIONS 3

static void run(struct world *w, size_t rows, unsigned rounds, unsigned questions)
{
    struct table_version *old = NULL;
    char kept[OLD_QUESTIONS][2000];
    bool aggregates[OLD_QUESTIONS];
    world_open(w, w->seed, rows);
    for (unsigned round = 0; round < rounds; round++) {
        index_some(w);
        work(w);
        use_everywhere = chance(w, 50);
        struct table_version *now = table_pin(w->t);
        for (unsigned i = 0; i < questions; i++) {
            bool aggregate = put_question(w);
            compare(w, now, w->text, aggregate);
            w->length = 0;
            put_where(w);
            if (chance(w, 30)) compare_rows(w, w->text);
        }
        if (old) {
            for (unsigned i = 0; i < OLD_QUESTIONS; i++) compare(w, old, kept[i], aggregates[i]);
            table_unpin(old);
            old = NULL;
        }
        if (chance(w, 50)) {
            old = now;
            for (unsigned i = 0; i < OLD_QUESTIONS; i++) {
                do aggregates[i] = put_question(w); while (w->length >= sizeof kept[i]);
                memcpy(kept[i], w->text, w->length + 1);
            }
        } else {
            table_unpin(now);
        }
        mutate(w);
        while (heap_drop_pending(w->h)) heap_drop_step(w->h, 1 << 20);
    }
    if (old) table_unpin(old);
    heap_fixture_verify(w->h, "at the end");
    world_close(w);
}

static void many(unsigned tables, size_t rows, unsigned rounds, unsigned questions)
{
    struct world *w = malloc(sizeof *w);
    uint64_t seed;
    struct seeds seeds = seeds_open("model", tables);
    used_chunks = used_rows = skipped_queries = used_unions = 0;
    while (seeds_next(&seeds, &seed)) {
        /* Large tables take long: of a range of seeds only some make one. */
        if (getenv("CAIRN_SEEDS") && seed % 40 >= tables) continue;
        w->seed = seed;
        uint64_t mixed = seed;
        run(w, rows / 2 + random_below(&mixed, rows / 2), rounds, questions);
    }
    printf("# by index: %" PRIu64 " chunks, %" PRIu64 " rows; %" PRIu64 " questions without, "
           "%" PRIu64 " with unions\n", used_chunks, used_rows, skipped_queries, used_unions);
    /* Of the seeds that are the same each time it is known that they use indexes. */
    if (!getenv("CAIRN_SEED") && !getenv("CAIRN_SEEDS")) {
        expect_true(used_chunks > 20 && used_rows > 20);
        if (tables >= 10) expect_true(used_unions > 20);
    }
    free(w);
}

START_TEST(small_chunks_that_come_and_go) { many(40, 2500, 12, 12); }
END_TEST

START_TEST(several_full_chunks) { many(2, TABLE_CHUNK_ROWS * 5 / 2, 4, 25); }
END_TEST

/* --- symbols that are taken back ---------------------------------------------------------------*/

#define STATIONS 64
#define LONG_BYTES 1000000

static void append_texts(struct table_append *a, const struct table_text *texts, uint64_t count)
{
    struct table_error error;
    ck_assert_msg(table_append_texts(a, 0, count, texts, &error) == 0, "%s", error.text);
}

static struct table *make_stations(struct heap *h, value *v)
{
    const struct table_field field = {.name = "s", .name_length = 1, .type = TABLE_SYM};
    static char room[STATIONS][24];
    struct table_text *texts = malloc(TABLE_CHUNK_ROWS * sizeof *texts);
    struct table_error error;
    struct table_append a;
    for (unsigned i = 0; i < TABLE_CHUNK_ROWS; i++) {
        char *name = room[i % STATIONS];
        texts[i] = (struct table_text){name, (size_t)sprintf(name, "station %u", i % STATIONS)};
    }
    ck_assert_int_eq(table_create(h, &field, 1, v, &error), 0);
    struct table *t = table_of(h, *v);
    ck_assert_int_eq(table_append_begin(t, TABLE_CHUNK_ROWS, &a, &error), 0);
    append_texts(&a, texts, TABLE_CHUNK_ROWS);
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    while (table_seal_step(t, UINT64_MAX) == 1) continue;
    free(texts);
    return t;
}

/* A query for a symbol that a draft had made, and that is gone when the query runs. */
static void ask_for_symbol_gone(struct heap *h, struct table *t, enum table_index_kind kind)
{
    static char text[LONG_BYTES]; /* in a piece of its own, which goes, too */
    struct table_text symbol = {text, sizeof text};
    struct table_draft *d;
    struct table_append a;
    struct table_error error;
    table_index_set(t, 0, kind);
    while (table_index_step(t, UINT64_MAX) == 1) continue;
    memset(text, 'y', sizeof text);
    memcpy(text, "station ", 8); /* the others' key, so that texts are compared */
    ck_assert_int_eq(table_draft_open(t, &d, &error), 0);
    table_draft_enter(d);
    ck_assert_int_eq(table_append_open(d, 1, &a, &error), 0);
    ck_assert_int_ge(table_append_reserve(&a, UINT64_MAX), 0);
    append_texts(&a, &symbol, 1);
    table_draft_leave(d);

    struct query_spec spec;
    struct query_error query_error;
    struct query_batch batch;
    struct query *q;
    value where = list_new(h), items[] = {text_new(h, "=", 1, false), text_new(h, "s", 1, false),
                                          text_new(h, text, sizeof text, false)};
    for (unsigned i = 0; i < 3; i++) ck_assert_int_eq(list_push_take(h, where, items[i]), 0);
    ck_assert_int_eq(query_spec_read(h, VALUE_NIL, false, &spec, &query_error), 0);
    spec.where = where;
    ck_assert_int_eq(query_scan_create(h, table_pin(t), &spec, 0, &q, &query_error), 0);
    value_release(h, where);

    table_append_close(&a);
    table_draft_abandon(d);
    while (table_is_busy(t)) heap_drop_step(h, 100000);
    ck_assert_uint_eq(table_symbol_count(t, 0), STATIONS);
    int found;
    do found = query_next(q, 1000000, 1024, 1 << 20, &batch, &query_error);
    while (found == QUERY_BUSY);
    ck_assert_int_eq(found, QUERY_END);
    query_destroy(q);
}

START_TEST(a_symbol_that_was_asked_for_may_be_taken_back)
{
    struct heap *h = heap_fixture_open(0);
    value v;
    struct table *t = make_stations(h, &v);
    ask_for_symbol_gone(h, t, TABLE_INDEX_SORTED);
    ask_for_symbol_gone(h, t, TABLE_INDEX_HASH);
    value_release(h, v);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("query_index");
    TCase *model = seeds_tcase("model");
    tcase_add_test(model, small_chunks_that_come_and_go);
    tcase_add_test(model, several_full_chunks);
    suite_add_tcase(suite, model);
    TCase *symbols = tcase_create("symbols");
    tcase_set_timeout(symbols, 60);
    tcase_add_test(symbols, a_symbol_that_was_asked_for_may_be_taken_back);
    suite_add_tcase(suite, symbols);
    return suite;
}
