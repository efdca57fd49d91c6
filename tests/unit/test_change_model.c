/* test_change_model.c - random programs of several sessions that change one table at the same time,
 * step by step, in any order, against an array of rows. Each change must look as if it had
 * been made in one go at the moment when it was answered, or not at all: wrong rows, memory that is
 * short, and sessions that end in the middle. Readers keep versions meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "heap/map.h"
#include "heap/table_draft.h"
#include "server/table_value.h"
#include "tests/support/expect.h"
#include "tests/support/in_process.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

#define WRITERS 3
#define PINS 2
#define ROWS_MAX (TABLE_CHUNK_ROWS * 2)
#define MSGID "7"

struct row {
    int64_t id;
    int k, s, c, x; /* -1: nil */
};

struct rows {
    struct row *rows;
    size_t count;
    bool has_x;
};

enum change_kind { APPEND, UPDATE, DELETE, POSITIONS, SET, ALTER, COMPACT };

struct writer_state {
    struct in_process p;
    bool pending;
    enum change_kind kind;
    bool wrong; /* an append whose last row cannot be */
    int a, b;   /* of the operation */
    size_t n;
    int64_t first_id;
    unsigned altered; /* how often the table had been when it began */
};

struct world {
    struct writer_state writers[WRITERS];
    struct rows now;
    struct {
        struct table_version *version;
        struct rows rows;
    } pins[PINS];
    uint64_t random;
    int64_t last_id;
    unsigned answered[COMPACT + 1], failed, aborted;
};

/* --- comparing --------------------------------------------------------------------------------*/

static struct heap *heap_of(struct world *w) { return w->writers[0].p.heap; }

static struct table *table_now(struct world *w)
{
    struct map_key key;
    map_key_text(heap_of(w), &key, "t", 1);
    return table_of(heap_of(w), map_get(heap_of(w), heap_root(heap_of(w), ROOT_KEYS), &key));
}

static int64_t number_of(const struct table_version *v, uint32_t chunk, uint32_t slot,
                         const char *name, char prefix)
{
    struct table_cell cell;
    uint32_t column = table_column_named(table_version_table(v), name, 1 + (name[1] != 0));
    expect(column != UINT32_MAX, "there is no column %s", name);
    table_cell(v, chunk, slot, column, &cell);
    if (cell.null) return -1;
    if (table_type_class(cell.type) == TABLE_CLASS_INT) return cell.i;
    if (table_type_class(cell.type) == TABLE_CLASS_FLOAT) return (int64_t)cell.d;
    char text[24] = "";
    expect_true(cell.text.length < sizeof text && cell.text.data[0] == prefix);
    memcpy(text, cell.text.data, cell.text.length);
    return atoi(text + 1);
}

static void check_version(const struct table_version *v, const struct rows *rows)
{
    struct row_walk walk;
    uint32_t chunk, slot;
    size_t n = 0;
    row_walk_from(&walk, v, 0);
    expect_equal(table_version_rows(v), rows->count);
    expect_equal(table_column_count(table_version_table(v)), rows->has_x ? 5u : 4u);
    for (; row_walk_next(&walk, &chunk, &slot); n++) {
        const struct row *row = &rows->rows[n];
        expect_equal(number_of(v, chunk, slot, "id", 0), row->id);
        expect_equal(number_of(v, chunk, slot, "k", 0), row->k);
        expect_equal(number_of(v, chunk, slot, "s", 's'), row->s);
        expect_equal(number_of(v, chunk, slot, "c", 'c'), row->c);
        if (rows->has_x) expect_equal(number_of(v, chunk, slot, "x", 'x'), row->x);
    }
    expect_equal(n, rows->count);
}

static void check_now(struct world *w)
{
    struct table_version *v = table_pin(table_now(w));
    check_version(v, &w->now);
    table_unpin(v);
}

static void pin_or_unpin(struct world *w, unsigned i)
{
    struct rows *kept = &w->pins[i].rows;
    if (w->pins[i].version) {
        check_version(w->pins[i].version, kept);
        table_unpin(w->pins[i].version);
        w->pins[i].version = NULL;
        free(kept->rows);
        return;
    }
    w->pins[i].version = table_pin(table_now(w));
    *kept = w->now;
    kept->rows = malloc((w->now.count + 1) * sizeof *kept->rows);
    memcpy(kept->rows, w->now.rows, w->now.count * sizeof *kept->rows);
}

/* --- what a change does -----------------------------------------------------------------------*/

static void make_row(struct writer_state *s, size_t i, struct row *row)
{
    *row = (struct row){s->first_id + (int64_t)i, (s->a + (int)i) % 8, (int)i % 30, s->b, -1};
    if (row->k == 7) row->k = -1;
    if (i % 11 == 5) row->s = -1;
}

static size_t remove_rows(struct world *w, int k)
{
    size_t kept = 0, count = w->now.count;
    for (size_t i = 0; i < count; i++)
        if (w->now.rows[i].k != k) w->now.rows[kept++] = w->now.rows[i];
    w->now.count = kept;
    return count - kept;
}

static size_t update_rows(struct world *w, const struct writer_state *s)
{
    size_t count = 0;
    for (size_t i = 0; i < w->now.count; i++) {
        struct row *row = &w->now.rows[i];
        if (s->a >= 0 && row->k != s->a) continue;
        row->k = s->b;
        row->s = s->b;
        row->c = s->b + 100;
        count++;
    }
    return count;
}

static size_t remove_ends(struct world *w)
{
    size_t count = w->now.count;
    if (count == 0) return 0;
    memmove(w->now.rows, w->now.rows + 1, (count - 1) * sizeof *w->now.rows);
    w->now.count = count > 1 ? count - 2 : 0;
    return count - w->now.count;
}

/* Applies it to the model; writes the answer that must come. */
static void apply(struct world *w, struct writer_state *s, char *answer)
{
    struct rows *now = &w->now;
    switch (s->kind) {
    case APPEND:
        if (now->has_x) sprintf(answer, "! BAD_PARAMS"); /* a cell is missing in each row */
        else if (s->wrong) sprintf(answer, "! WRONG_TYPE");
        else sprintf(answer, "{'first': %zu, 'n': %zu}", now->count, s->n);
        if (s->wrong || now->has_x) break;
        for (size_t i = 0; i < s->n; i++) make_row(s, i, &now->rows[now->count++]);
        break;
    case UPDATE: sprintf(answer, "%zu", update_rows(w, s)); break;
    case DELETE: sprintf(answer, "%zu", remove_rows(w, s->a)); break;
    case POSITIONS:
        if (now->count) sprintf(answer, "%zu", remove_ends(w));
        else sprintf(answer, "! OUT_OF_RANGE");
        break;
    case SET:
        sprintf(answer, now->count ? "true" : "! OUT_OF_RANGE");
        if (now->count) now->rows[now->count - 1].k = s->a;
        break;
    case ALTER:
        sprintf(answer, "true");
        if (s->a == 0 && now->has_x) sprintf(answer, "! BAD_PARAMS");
        if (s->a == 1 && !now->has_x) sprintf(answer, "! NOT_FOUND");
        for (size_t i = 0; s->a == 0 && !now->has_x && i < now->count; i++) now->rows[i].x = s->b;
        if (s->a < 2) now->has_x = s->a == 0;
        break;
    case COMPACT: sprintf(answer, "{'bytes_before'");
    }
}

/* --- what is asked for ------------------------------------------------------------------------*/

static void write_request(struct writer *w, const char *method, const char *params)
{
    struct writer items;
    writer_init(&items, 0);
    size_t count = literal_write(&items, params);
    writer_array(w, 4);
    writer_int(w, 0);
    writer_int(w, atoi(MSGID));
    writer_cstr(w, method);
    writer_array(w, count);
    writer_bytes(w, items.data, items.length);
    writer_close(&items);
}

static void write_append(struct world *w, struct writer_state *s, char *params)
{
    char *to = params + sprintf(params, "'t', {'rows': [");
    static const size_t most[] = {3, 200, TABLE_CHUNK_ROWS / 8};
    s->n = 1 + random_below(&w->random, most[random_below(&w->random, 3)]);
    s->wrong = random_below(&w->random, 8) == 0;
    s->first_id = w->last_id;
    w->last_id += (int64_t)s->n;
    for (size_t i = 0; i < s->n; i++) {
        struct row row;
        make_row(s, i, &row);
        to += sprintf(to, "[%" PRId64 ", ", row.id);
        to += sprintf(to, row.k < 0 ? "nil, " : "%d, ", row.k);
        to += sprintf(to, row.s < 0 ? "nil, " : "'s%d', ", row.s);
        to += sprintf(to, s->wrong && i + 1 == s->n ? "7]," : "'c%d'],", row.c);
    }
    sprintf(to - 1, "]}");
}

static void write_alter(struct writer_state *s, char *params)
{
    static const char *const types[] = {"i16", "i64", "f64"};
    switch (s->a) {
    case 0: sprintf(params, "'t', [['add', 'x', 'str', {'default': 'x%d'}]]", s->b); break;
    case 1: sprintf(params, "'t', [['drop', 'x']]"); break;
    case 2:
        sprintf(params, "'t', [['type', 'k', '%s'], ['rename', 'k', 'kk'], ['rename', 'kk', 'k']]",
                types[s->b % 3]);
        break;
    default: sprintf(params, "'t', [['type', 's', '%s']]", s->b % 2 ? "sym" : "str");
    }
}

/* A random change; returns its method. */
static const char *choose(struct world *w, struct writer_state *s, char *params)
{
    s->a = (int)random_below(&w->random, 7);
    s->b = (int)random_below(&w->random, 7);
    switch (random_below(&w->random, 14)) {
    case 0: case 1: case 2: case 3:
        if (w->now.count + WRITERS * (TABLE_CHUNK_ROWS / 8 + 1) > ROWS_MAX) break;
        s->kind = APPEND;
        write_append(w, s, params);
        return "table.append";
    case 4: case 5: case 6:
        s->kind = UPDATE;
        if (random_below(&w->random, 4) == 0) {
            s->a = -1;
            sprintf(params, "'t', nil, {'k': %d, 's': 's%d', 'c': 'c%d'}", s->b, s->b, s->b + 100);
        } else {
            sprintf(params, "'t', ['=', 'k', %d], {'k': %d, 's': 's%d', 'c': 'c%d'}", s->a, s->b,
                    s->b, s->b + 100);
        }
        return "table.update";
    case 7: case 8:
        s->kind = POSITIONS;
        sprintf(params, "'t', [0, -1, 0]");
        return "table.delete";
    case 9: case 10:
        s->kind = SET;
        sprintf(params, "'t', -1, 'k', %d", s->a);
        return "table.set";
    case 11:
        s->kind = ALTER;
        s->a %= 4;
        write_alter(s, params);
        return "table.alter";
    case 12:
        s->kind = COMPACT;
        sprintf(params, "'t'");
        return "table.compact";
    default: break;
    }
    s->kind = DELETE;
    sprintf(params, "'t', ['=', 'k', %d]", s->a);
    return "table.delete";
}

/* --- running ----------------------------------------------------------------------------------*/

static void answered(struct world *w, struct writer_state *s)
{
    char wanted[80];
    size_t used;
    char *got = literal_read(s->p.out.data, s->p.out.length, &used);
    const char *content = got + strlen("[1, " MSGID ", ");
    bool short_of_memory = strncmp(content, "'OUT_OF_MEMORY ", 15) == 0;
    bool busy = s->kind == COMPACT && s->altered < w->answered[ALTER] &&
                strncmp(content, "'BUSY ", 6) == 0;
    s->pending = false;
    writer_rewind(&s->p.out, 0);
    builder_reset(&s->p.builder);
    if (short_of_memory || busy) {
        w->failed++;
    } else {
        apply(w, s, wanted);
        const char *part = wanted[0] == '!' ? content + 1 : content + strlen("nil, ");
        const char *expected = wanted[0] == '!' ? wanted + 2 : wanted;
        expect(strncmp(part, expected, strlen(expected)) == 0, "kind %d: %s, not %s", s->kind, got,
               wanted);
        w->answered[s->kind]++;
    }
    free(got);
}

static void begin(struct world *w, struct writer_state *s)
{
    static char params[64 * (TABLE_CHUNK_ROWS / 8 + 2)];
    struct writer request;
    writer_init(&request, 0);
    const char *method = choose(w, s, params);
    write_request(&request, method, params);
    s->altered = w->answered[ALTER];
    s->pending = true;
    if (in_process_begin(&s->p, request.data, request.length) != CALL_PENDING) answered(w, s);
    writer_close(&request);
}

static void go_on(struct world *w, struct writer_state *s)
{
    uint64_t budget = random_below(&w->random, 3) ? 0 : random_below(&w->random, 100000);
    builder_touch(&s->p.builder);
    if (random_below(&w->random, 80) == 0) {
        call_abort(&s->p.call);
        builder_reset(&s->p.builder);
        writer_rewind(&s->p.out, 0);
        s->pending = false;
        w->aborted++;
    } else if (call_resume(&s->p.call, budget) != CALL_PENDING) {
        answered(w, s);
    }
}

static void step(struct world *w)
{
    struct writer_state *s = &w->writers[random_below(&w->random, WRITERS)];
    struct heap *h = heap_of(w);
    if (s->pending && random_below(&w->random, 12) == 0)
        heap_fail_nth(h, 1 + random_below(&w->random, 60));
    if (s->pending) go_on(w, s);
    else begin(w, s);
    heap_fail_nth(h, 0);
    if (random_below(&w->random, 4) == 0) tables_work(h, 0);
    if (random_below(&w->random, 4) == 0) heap_drop_step(h, 1 + random_below(&w->random, 500));
    if (random_below(&w->random, 40) == 0)
        pin_or_unpin(w, (unsigned)random_below(&w->random, PINS));
    if (random_below(&w->random, 60) == 0) check_now(w);
    in_process_safe_point(&w->writers[0].p);
}

static void finish(struct world *w)
{
    for (unsigned i = 0; i < WRITERS;) {
        struct writer_state *s = &w->writers[i];
        /* Whoever waits for others needs them to go on. */
        for (unsigned k = 0; k < WRITERS; k++) {
            if (!w->writers[k].pending) continue;
            builder_touch(&w->writers[k].p.builder);
            if (call_resume(&w->writers[k].p.call, 100000) != CALL_PENDING)
                answered(w, &w->writers[k]);
        }
        i += !s->pending;
    }
    for (unsigned i = 0; i < PINS; i++)
        if (w->pins[i].version) pin_or_unpin(w, i);
    check_now(w);
}

static void first_table(struct world *w, bool large)
{
    struct in_process *p = &w->writers[0].p;
    struct writer request;
    writer_init(&request, 0);
    write_request(&request, "table.create",
                  "'t', [['id', 'i64'], ['k', 'i32', {'null': true}], ['s', 'str', {'null': true}],"
                  " ['c', 'sym']]");
    expect_true(in_process_feed(p, request.data, request.length) == 0);
    writer_rewind(&p->out, 0);
    writer_close(&request);
    if (!large) return;
    struct table_append a;
    uint32_t count = TABLE_CHUNK_ROWS + TABLE_CHUNK_ROWS / 8, code;
    struct table *t = table_now(w);
    struct table_text text = {"s1", 2};
    int32_t k = 1;
    expect_true(table_symbol_intern(t, 3, "c2", 2, &code, NULL) == 0);
    expect_true(table_append_begin(t, count, &a, NULL) == 0);
    for (uint32_t i = 0; i < count; i++) {
        int64_t id = w->last_id++;
        k = (int)(i / 1000 % 7);
        expect_true(table_append_raw(&a, 0, 1, &id, NULL, 0, NULL) == 0);
        expect_true(table_append_raw(&a, 1, 1, &k, NULL, 0, NULL) == 0);
        expect_true(table_append_texts(&a, 2, 1, &text, NULL) == 0);
        expect_true(table_append_raw(&a, 3, 1, &code, NULL, 0, NULL) == 0);
        w->now.rows[w->now.count++] = (struct row){id, k, 1, 2, -1};
    }
    expect_true(table_append_commit(&a, NULL, NULL) == 0);
    while (tables_work(heap_of(w), 1000000)) continue;
}

static void run(uint64_t seed, struct world *w, bool large)
{
    memset(w, 0, sizeof *w);
    w->random = seed;
    w->now.rows = calloc(ROWS_MAX + TABLE_CHUNK_ROWS, sizeof *w->now.rows);
    in_process_open(&w->writers[0].p, 0);
    w->writers[0].p.seed = seed;
    for (unsigned i = 1; i < WRITERS; i++)
        in_process_join(&w->writers[i].p, &w->writers[0].p);
    first_table(w, large);
    for (unsigned i = 0; i < 600; i++) step(w);
    finish(w);
    for (unsigned i = 1; i < WRITERS; i++) in_process_end(&w->writers[i].p);
    in_process_close(&w->writers[0].p);
    free(w->now.rows);
}

#define SEEDS 40
static struct world world;

START_TEST(changes_at_the_same_time_are_as_if_one_came_after_the_other)
{
    unsigned sums[COMPACT + 1] = {0}, aborted = 0, failed = 0;
    uint64_t seed;
    struct seeds seeds = seeds_open("changes", SEEDS);
    while (seeds_next(&seeds, &seed)) {
        run(seed, &world, seed % 4 == 0);
        for (unsigned i = 0; i <= COMPACT; i++) sums[i] += world.answered[i];
        aborted += world.aborted;
        failed += world.failed;
    }
    if (getenv("CAIRN_SEED") || getenv("CAIRN_SEEDS")) return;
    for (unsigned i = 0; i <= COMPACT; i++) ck_assert_uint_gt(sums[i], SEEDS);
    ck_assert_uint_gt(aborted, SEEDS);
    ck_assert_uint_gt(failed, 0); /* how many depends on when collections fall */
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("change_model");
    TCase *changes = seeds_tcase("changes");
    tcase_set_timeout(changes, 600);
    tcase_add_test(changes, changes_at_the_same_time_are_as_if_one_came_after_the_other);
    suite_add_tcase(suite, changes);
    return suite;
}
