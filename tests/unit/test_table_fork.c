/* test_table_fork.c - rows that are appended in a fork: unseen until they join, then all there,
 * whatever others do to the table meanwhile; and nothing left of a fork that is given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

static struct heap *h;
static value leaf;
static struct table *t;
static struct table_error error;

static const struct table_field fields[] = {
    {"n", 1, TABLE_I64, false, false}, {"s", 1, TABLE_STR, true, false},
    {"k", 1, TABLE_SYM, true, false}, {"f", 1, TABLE_F32, true, false}};

static void setup(void)
{
    h = heap_fixture_open(0);
    ck_assert_int_eq(table_create(h, fields, 4, &leaf, &error), 0);
    t = table_of(h, leaf);
}
static void teardown(void)
{
    value_release(h, leaf);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    struct heap_stats stats;
    heap_stats(h, &stats);
    ck_assert_uint_eq(stats.external_bytes, 0);
    heap_fixture_close(h);
}

/* Cells are functions of the number, so that a row can be checked by itself. */
static void texts_of(int64_t n, char room[2][40], struct table_text out[2])
{
    sprintf(room[0], "the text of row %lld", (long long)n);
    sprintf(room[1], "symbol %lld", (long long)(n % 50));
    for (int i = 0; i < 2; i++) out[i] = (struct table_text){room[i], strlen(room[i])};
    if (n % 7 == 0) out[0].data = NULL;
    if (n % 11 == 0) out[1].data = NULL;
}

static int append(int64_t first, uint32_t count)
{
    struct table_append a;
    char room[2][40];
    int failed = table_append_begin(t, count, &a, &error);
    if (failed) return failed;
    for (uint32_t i = 0; i < count && !failed; i++) {
        int64_t n = first + i;
        float f = (float)n / 4;
        uint8_t valid = n % 3 != 0;
        struct table_text texts[2];
        texts_of(n, room, texts);
        failed = table_append_raw(&a, 0, 1, &n, NULL, 0, &error);
        if (!failed) failed = table_append_texts(&a, 1, 1, &texts[0], &error);
        if (!failed) failed = table_append_texts(&a, 2, 1, &texts[1], &error);
        if (!failed) failed = table_append_raw(&a, 3, 1, &f, &valid, 0, &error);
    }
    if (!failed) failed = table_append_commit(&a, NULL, &error);
    if (failed) table_append_abort(&a);
    return failed;
}

static bool text_is(const struct table_cell *c, struct table_text wanted)
{
    if (c->null || !wanted.data) return c->null && !wanted.data;
    return c->text.length == wanted.length && memcmp(c->text.data, wanted.data, wanted.length) == 0;
}

/* The row at a position holds what row `n` of append has. */
static void check_row(const struct table_version *v, uint64_t position, int64_t n)
{
    uint32_t chunk, slot;
    struct table_cell c;
    char room[2][40];
    struct table_text texts[2];
    texts_of(n, room, texts);
    ck_assert(table_locate(v, position, &chunk, &slot));
    table_cell(v, chunk, slot, 0, &c);
    ck_assert_int_eq(c.i, n);
    table_cell(v, chunk, slot, 1, &c);
    ck_assert(text_is(&c, texts[0]));
    table_cell(v, chunk, slot, 2, &c);
    ck_assert(text_is(&c, texts[1]));
    table_cell(v, chunk, slot, 3, &c);
    ck_assert(c.null == (n % 3 == 0) && (c.null || c.d == (double)((float)n / 4)));
}

static void check_rows(const int64_t *rows, size_t count)
{
    struct table_version *v = table_pin(t);
    ck_assert_uint_eq(table_version_rows(v), count);
    for (size_t i = 0; i < count; i++) check_row(v, i, rows[i]);
    table_unpin(v);
}

static void seal(void)
{
    while (table_seal_step(t, 1000000) == 1) continue;
}

/* --- one fork ---------------------------------------------------------------------------------*/

static void begin(struct table_fork *f)
{
    ck_assert_int_eq(table_fork_begin(t, f, &error), 0);
}

static void append_in(struct table_fork *f, int64_t first, uint32_t count)
{
    table_fork_enter(f);
    ck_assert_int_eq(append(first, count), 0);
    table_fork_leave(f);
}

START_TEST(rows_show_when_they_join)
{
    static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7};
    struct table_fork f;
    ck_assert_int_eq(append(1, 3), 0);
    begin(&f);
    append_in(&f, 4, 2);
    check_rows(rows, 3);
    append_in(&f, 6, 2);
    check_rows(rows, 3);
    ck_assert_int_eq(table_fork_join(&f, &error), 0);
    check_rows(rows, 7);
    ck_assert_ptr_null(f.t);
    table_fork_abandon(&f);
    check_rows(rows, 7);
    begin(&f);
    ck_assert_int_eq(table_fork_join(&f, &error), 0);
    check_rows(rows, 7);
}
END_TEST

START_TEST(nothing_is_left_of_a_fork_that_is_given_up)
{
    static const int64_t rows[] = {1, 2, 3};
    struct table_fork f;
    ck_assert_int_eq(append(1, 3), 0);
    /* Where it takes no memory for good: a second time it needs what the first time did. */
    size_t bytes[3];
    uint32_t symbols = table_symbol_count(t, 2);
    for (int i = 0; i < 3; i++) {
        begin(&f);
        append_in(&f, 100, 3000);
        append_in(&f, 3100, TABLE_CHUNK_ROWS);
        table_fork_abandon(&f);
        while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
        check_rows(rows, 3);
        ck_assert_uint_eq(table_symbol_count(t, 2), symbols);
        bytes[i] = table_bytes(t);
    }
    ck_assert_uint_eq(bytes[1], bytes[2]);
    ck_assert_int_eq(append(4, 1), 0);
    check_rows((const int64_t[]){1, 2, 3, 4}, 4);
}
END_TEST

START_TEST(what_others_append_stays_and_comes_first)
{
    struct table_fork f, g;
    ck_assert_int_eq(append(1, 2), 0);
    begin(&f);
    begin(&g);
    append_in(&f, 10, 2);
    append_in(&g, 20, 2);
    ck_assert_int_eq(append(30, 1), 0);
    append_in(&f, 12, 1);
    ck_assert_int_eq(table_fork_join(&g, &error), 0);
    check_rows((const int64_t[]){1, 2, 30, 20, 21}, 5);
    ck_assert_int_eq(table_fork_join(&f, &error), 0);
    check_rows((const int64_t[]){1, 2, 30, 20, 21, 10, 11, 12}, 8);
    /* One is given up while the other has symbols and texts from behind its mark. */
    begin(&f);
    begin(&g);
    append_in(&g, 45, 1);
    append_in(&f, 46, 2);
    table_fork_abandon(&g);
    ck_assert_int_eq(table_fork_join(&f, &error), 0);
    check_rows((const int64_t[]){1, 2, 30, 20, 21, 10, 11, 12, 46, 47}, 10);
}
END_TEST

START_TEST(a_table_that_is_gone_lets_its_fork_end)
{
    struct table_fork f;
    ck_assert_int_eq(append(1, 2), 0);
    begin(&f);
    append_in(&f, 10, 2);
    value_release(h, leaf);
    leaf = VALUE_NIL;
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    append_in(&f, 12, 2);
    table_fork_abandon(&f);
}
END_TEST

START_TEST(a_sorted_column_stays_sorted)
{
    static const struct table_field sorted[] = {{"n", 1, TABLE_I64, false, true}};
    struct table_fork f;
    struct table_append a;
    value_release(h, leaf);
    ck_assert_int_eq(table_create(h, sorted, 1, &leaf, &error), 0);
    t = table_of(h, leaf);
    for (int64_t n = 5; n <= 6; n++) {
        begin(&f);
        table_fork_enter(&f);
        ck_assert_int_eq(table_append_begin(t, 1, &a, &error), 0);
        ck_assert_int_eq(table_append_raw(&a, 0, 1, &n, NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
        table_fork_leave(&f);
        int64_t theirs = n == 5 ? 5 : 7;
        ck_assert_int_eq(table_append_begin(t, 1, &a, &error), 0);
        ck_assert_int_eq(table_append_raw(&a, 0, 1, &theirs, NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
        ck_assert_int_eq(table_fork_join(&f, &error), n == 5 ? 0 : -EINVAL);
    }
    ck_assert_int_eq(error.fault, TABLE_FAULT_ORDER);
    ck_assert_uint_eq(table_row_count(t), 3);
}
END_TEST

/* --- random programs ---------------------------------------------------------------------------*/

#define ROWS_MAX 60000
#define FORKS 3

struct model {
    int64_t *rows;
    size_t count;
};
static struct model now, mine[FORKS];
static struct table_fork forks[FORKS];

static void model_append(struct model *m, int64_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) m->rows[m->count++] = first + i;
}

/* Numbers of rows around the size of a vector, of a chunk, and small ones. */
static uint32_t some_rows(uint64_t *rng)
{
    uint32_t sizes[] = {1, 2, 70, TABLE_VECTOR_ROWS, 2 * TABLE_VECTOR_ROWS + 5, TABLE_CHUNK_ROWS};
    uint32_t most = TABLE_CHUNK_ROWS > 8192 ? 5 : 6;
    return sizes[random_below(rng, most)];
}

static void delete_some(uint64_t *rng)
{
    uint64_t count = now.count ? 1 + random_below(rng, 5) : 0;
    for (; count && now.count; count--) {
        uint32_t chunk, slot;
        size_t at = (size_t)random_below(rng, now.count);
        if (random_below(rng, 2)) at = now.count - 1;
        struct table_version *v = table_pin(t);
        ck_assert(table_locate(v, at, &chunk, &slot));
        table_unpin(v);
        ck_assert_int_eq(table_delete(t, chunk, slot, NULL, &error), 0);
        memmove(now.rows + at, now.rows + at + 1, (now.count - at - 1) * sizeof *now.rows);
        now.count--;
    }
}

static void change_fork(uint64_t *rng, struct table_fork *f, struct model *m, int64_t *next)
{
    uint32_t count = some_rows(rng);
    if (!f->t) {
        begin(f);
        m->count = 0;
    } else if (random_below(rng, 4) == 0) {
        table_fork_abandon(f);
    } else if (random_below(rng, 3) == 0) {
        bool fails = random_below(rng, 3) == 0;
        if (fails) heap_fail_nth(h, 1 + random_below(rng, 10));
        int status = table_fork_join(f, &error);
        heap_fail_nth(h, 0);
        ck_assert(status == 0 || fails);
        for (size_t i = 0; i < m->count && status == 0; i++) now.rows[now.count++] = m->rows[i];
    } else if (m->count + count < ROWS_MAX / 4) {
        append_in(f, *next, count);
        model_append(m, *next, count);
        *next += count;
    }
}

static void run_program(uint64_t seed)
{
    uint64_t rng = seed;
    int64_t next = 1;
    for (int step = 0; step < 60; step++) {
        unsigned which = (unsigned)random_below(&rng, FORKS);
        uint32_t count = some_rows(&rng);
        switch (random_below(&rng, 10)) {
        case 0:
            if (now.count + count >= ROWS_MAX / 4) break;
            ck_assert_int_eq(append(next, count), 0);
            model_append(&now, next, count);
            next += count;
            break;
        case 1: delete_some(&rng); break;
        case 2: seal(); break;
        case 3: table_close_tail(t); break;
        case 4: while (table_compact_step(t, random_below(&rng, 2), 100000) == 1) continue; break;
        default:
            if (now.count + mine[which].count < ROWS_MAX)
                change_fork(&rng, &forks[which], &mine[which], &next);
        }
    }
    for (unsigned i = 0; i < FORKS; i++) table_fork_abandon(&forks[i]);
    check_rows(now.rows, now.count);
}

START_TEST(random_programs_agree_with_a_model)
{
    now.rows = malloc(2 * ROWS_MAX * sizeof *now.rows);
    for (int i = 0; i < FORKS; i++) mine[i].rows = malloc(ROWS_MAX * sizeof *now.rows);
    uint64_t seed;
    struct seeds seeds = seeds_open("forks", 60);
    while (seeds_next(&seeds, &seed)) {
        now.count = 0;
        for (int i = 0; i < FORKS; i++) mine[i].count = 0;
        run_program(seed);
        value_release(h, leaf);
        ck_assert_int_eq(table_create(h, fields, 4, &leaf, &error), 0);
        t = table_of(h, leaf);
    }
    free(now.rows);
    for (int i = 0; i < FORKS; i++) free(mine[i].rows);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("table_fork");
    TCase *c = tcase_create("fork");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 300);
    tcase_add_test(c, rows_show_when_they_join);
    tcase_add_test(c, nothing_is_left_of_a_fork_that_is_given_up);
    tcase_add_test(c, what_others_append_stays_and_comes_first);
    tcase_add_test(c, a_table_that_is_gone_lets_its_fork_end);
    tcase_add_test(c, a_sorted_column_stays_sorted);
    suite_add_tcase(s, c);
    TCase *programs = seeds_tcase("forks");
    tcase_add_checked_fixture(programs, setup, teardown);
    tcase_set_timeout(programs, 300);
    tcase_add_test(programs, random_programs_agree_with_a_model);
    suite_add_tcase(s, programs);
    return s;
}
