/* test_table_fork.c - rows that are appended in a fork: unseen until they join, then all there,
 * whatever others do to the table meanwhile, in drafts (table_draft.h) too; and nothing left of a
 * fork that is given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/table_draft.h"
#include "heap/table_int.h"
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
static void empty_table(void)
{
    value_release(h, leaf);
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

/* The next `count` cells of a column, of rows `first` and so on. */
static int fill(struct table_append *a, uint32_t column, int64_t first, uint32_t count)
{
    char room[2][40];
    int failed = 0;
    for (int64_t n = first; n < first + count && !failed; n++) {
        float f = (float)n / 4;
        uint8_t valid = n % 3 != 0;
        struct table_text texts[2];
        texts_of(n, room, texts);
        if (column == 0) failed = table_append_raw(a, 0, 1, &n, NULL, 0, &error);
        else if (column == 3) failed = table_append_raw(a, 3, 1, &f, &valid, 0, &error);
        else failed = table_append_texts(a, column, 1, &texts[column - 1], &error);
    }
    return failed;
}

static int append(int64_t first, uint32_t count)
{
    struct table_append a;
    int failed = table_append_begin(t, count, &a, &error);
    if (failed) return failed;
    for (uint32_t i = 0; i < 4 && !failed; i++) failed = fill(&a, i, first, count);
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
    ck_assert_int_eq(table_fork_join(&f, UINT64_MAX, &error), 0);
    check_rows(rows, 7);
    ck_assert_ptr_null(f.t);
    table_fork_abandon(&f);
    check_rows(rows, 7);
    begin(&f);
    ck_assert_int_eq(table_fork_join(&f, UINT64_MAX, &error), 0);
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

/* Of as many texts as this, symbols all different. */
static void append_symbols(uint32_t count)
{
    struct table_append a;
    char room[20];
    ck_assert_int_eq(table_append_begin(t, count, &a, &error), 0);
    for (uint32_t i = 0; i < count; i++) {
        int64_t n = i;
        struct table_text text = {room, (size_t)sprintf(room, "only %u", i)};
        ck_assert_int_eq(table_append_raw(&a, 0, 1, &n, NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_texts(&a, 1, 1, &text, &error), 0);
        ck_assert_int_eq(table_append_texts(&a, 2, 1, &text, &error), 0);
    }
    ck_assert_int_eq(table_append_nulls(&a, 3, count, &error), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
}

START_TEST(a_fork_is_taken_back_in_steps)
{
    struct table_fork f;
    ck_assert_int_eq(append(1, 3), 0);
    uint32_t symbols = table_symbol_count(t, 2);
    for (int again = 0; again < 2; again++) {
        begin(&f);
        table_fork_enter(&f);
        append_symbols(20000);
        table_fork_leave(&f);
        table_fork_abandon(&f);
        ck_assert(table_is_busy(t));
        ck_assert_uint_gt(table_symbol_count(t, 2), symbols + 10000);
        ck_assert_int_eq(append(4, 1), -EBUSY);
        check_rows((const int64_t[]){1, 2, 3}, 3);
        unsigned steps = 0;
        for (; table_is_busy(t); steps++) heap_drop_step(h, 10000);
        ck_assert_uint_gt(steps, 5);
        ck_assert_uint_eq(table_symbol_count(t, 2), symbols);
    }
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
    ck_assert_int_eq(table_fork_join(&g, UINT64_MAX, &error), 0);
    check_rows((const int64_t[]){1, 2, 30, 20, 21}, 5);
    ck_assert_int_eq(table_fork_join(&f, UINT64_MAX, &error), 0);
    check_rows((const int64_t[]){1, 2, 30, 20, 21, 10, 11, 12}, 8);
    /* One is given up while the other has symbols and texts from behind its mark. */
    begin(&f);
    begin(&g);
    append_in(&g, 45, 1);
    append_in(&f, 46, 2);
    table_fork_abandon(&g);
    ck_assert_int_eq(table_fork_join(&f, UINT64_MAX, &error), 0);
    check_rows((const int64_t[]){1, 2, 30, 20, 21, 10, 11, 12, 46, 47}, 10);
}
END_TEST

/* --- beside a draft ----------------------------------------------------------------------------*/

/* An append in steps; `d` NULL: not open. */
static struct {
    struct table_draft *d;
    struct table_append a;
    int64_t first;
    uint32_t count, filled[4];
} draft;

static void open_draft(int64_t first, uint32_t count)
{
    ck_assert_int_eq(table_draft_open(t, &draft.d, &error), 0);
    table_draft_enter(draft.d);
    ck_assert_int_eq(table_append_open(draft.d, count, &draft.a, &error), 0);
    table_draft_leave(draft.d);
    draft.first = first;
    draft.count = count;
    memset(draft.filled, 0, sizeof draft.filled);
}

static void abandon_draft(void)
{
    if (!draft.d) return;
    table_append_close(&draft.a);
    table_draft_abandon(draft.d);
    draft.d = NULL;
}

/* Room for one column more; or up to `most` cells of the next one; or the commit. 1, 0 once the
 * rows are there, or an error. */
static int advance_draft(uint32_t most)
{
    uint32_t i = 0;
    table_draft_enter(draft.d);
    int status = table_append_reserve(&draft.a, 0);
    while (i < 4 && draft.filled[i] == draft.count) i++;
    if (!status && i < 4) {
        uint32_t left = draft.count - draft.filled[i], count = left < most ? left : most;
        status = fill(&draft.a, i, draft.first + draft.filled[i], count);
        draft.filled[i] += count;
        if (!status) status = 1;
    } else if (!status) {
        status = table_append_commit(&draft.a, NULL, &error);
    }
    table_draft_leave(draft.d);
    if (status) return status;
    table_draft_publish(draft.d);
    draft.d = NULL;
    return 0;
}

/* The fork appends when the draft has made `steps` steps. */
static void append_beside_a_draft(unsigned steps)
{
    struct table_fork f;
    empty_table();
    ck_assert_int_eq(append(1, 10), 0);
    open_draft(100, 5);
    while (steps--) ck_assert_int_eq(advance_draft(2), 1);
    begin(&f);
    append_in(&f, 200, 5);
    while (advance_draft(2) == 1) continue;
    check_rows((const int64_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 101, 102, 103, 104}, 15);
    ck_assert_int_eq(table_fork_join(&f, UINT64_MAX, &error), 0);
    check_rows((const int64_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 101, 102, 103, 104, 200, 201,
                                 202, 203, 204}, 20);
}

START_TEST(a_draft_and_a_fork_do_not_take_the_same_room)
{
    for (unsigned steps = 0; steps <= 4 + 4 * 3; steps++) append_beside_a_draft(steps);
}
END_TEST

static const struct plain_column *tail_column(uint32_t column)
{
    const struct chunk *c = version_chunk(t->current, t->current->chunk_count - 1);
    return (const struct plain_column *)c->columns[column].column;
}

START_TEST(a_draft_that_is_given_up_beside_a_fork_gives_its_room_back)
{
    struct table_fork f;
    for (unsigned before = 0; before < 2; before++) {
        empty_table();
        ck_assert_int_eq(append(1, 10), 0);
        const struct plain_column *p = tail_column(1);
        size_t text_bytes = p->text_bytes;
        if (before) begin(&f);
        open_draft(100, 5);
        for (unsigned i = 0; i < 4 + 4; i++) ck_assert_int_eq(advance_draft(5), 1);
        ck_assert_uint_gt(p->text_bytes, text_bytes);
        if (!before) begin(&f);
        append_in(&f, 200, 5);
        abandon_draft();
        while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
        ck_assert_uint_eq(p->text_bytes, text_bytes);
        table_fork_abandon(&f);
        ck_assert_uint_eq(p->text_bytes, text_bytes);
        ck_assert_int_eq(append(11, 3), 0);
        ck_assert_ptr_eq(p, tail_column(1));
        check_rows((const int64_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, 13);
    }
}
END_TEST

/* --- ends --------------------------------------------------------------------------------------*/

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

/* Rows in a chunk of their own are put behind theirs, others are copied: both may be too small. */
START_TEST(a_sorted_column_stays_sorted)
{
    static const int64_t mine[] = {6, 8, 8}, theirs[] = {7, 7, 9};
    static const struct table_field sorted[] = {{"n", 1, TABLE_I64, false, true}};
    struct table_fork f;
    struct table_append a;
    value_release(h, leaf);
    ck_assert_int_eq(table_create(h, sorted, 1, &leaf, &error), 0);
    t = table_of(h, leaf);
    for (int round = 0; round < 3; round++) {
        begin(&f);
        table_fork_enter(&f);
        ck_assert_int_eq(table_append_begin(t, 1, &a, &error), 0);
        ck_assert_int_eq(table_append_raw(&a, 0, 1, &mine[round], NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
        table_fork_leave(&f);
        ck_assert_int_eq(table_append_begin(t, 1, &a, &error), 0);
        ck_assert_int_eq(table_append_raw(&a, 0, 1, &theirs[round], NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
        int status = table_fork_join(&f, UINT64_MAX, &error);
        ck_assert_int_eq(status, round == 1 ? 0 : -EINVAL);
        ck_assert(round == 1 || error.fault == TABLE_FAULT_ORDER);
    }
    ck_assert_uint_eq(table_row_count(t), 4);
}
END_TEST

static const struct table_field sorted_fields[] = {
    {"n", 1, TABLE_I64, false, true}, {"s", 1, TABLE_STR, false, false}};

/* Rows first, first + 1 and so on, with texts of `bytes` bytes. */
static void append_sorted(int64_t first, uint32_t count, size_t bytes)
{
    static char room[5000];
    struct table_append a;
    memset(room, 'x', sizeof room);
    ck_assert_int_eq(table_append_begin(t, count, &a, &error), 0);
    for (int64_t n = first; n < first + count; n++) {
        struct table_text text = {room, bytes};
        ck_assert_int_eq(table_append_raw(&a, 0, 1, &n, NULL, 0, &error), 0);
        ck_assert_int_eq(table_append_texts(&a, 1, 1, &text, &error), 0);
    }
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
}

/* A fork whose rows follow those of somebody else, who was quicker. */
static void fork_sorted(struct table_fork *f, uint32_t count)
{
    value_release(h, leaf);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    ck_assert_int_eq(table_create(h, sorted_fields, 2, &leaf, &error), 0);
    t = table_of(h, leaf);
    append_sorted(1, 5, 10);
    begin(f);
    table_fork_enter(f);
    append_sorted(1000, count, 200);
    table_fork_leave(f);
    append_sorted(6, 5, 10);
}

#define COPIED (TABLE_CHUNK_ROWS - 100)

START_TEST(rows_that_are_copied_join_in_steps)
{
    struct table_fork f;
    struct table_append a;
    unsigned steps = 0;
    fork_sorted(&f, COPIED);
    while (table_fork_join(&f, 0, &error) == 1) {
        steps++;
        ck_assert_uint_eq(table_row_count(t), 10);
        ck_assert_int_eq(table_append_begin(t, 1, &a, &error), -EBUSY);
        ck_assert_int_eq(table_seal_step(t, 0), 0);
    }
    ck_assert_uint_gt(steps, COPIED / TABLE_VECTOR_ROWS * 2);
    ck_assert_uint_eq(table_row_count(t), 10 + COPIED);
    append_sorted(1000 + COPIED, 1, 10);
    for (uint32_t i = 0; i < COPIED; i += 777) {
        uint32_t chunk, slot;
        struct table_cell c;
        struct table_version *v = table_pin(t);
        ck_assert(table_locate(v, 10 + i, &chunk, &slot));
        table_cell(v, chunk, slot, 0, &c);
        ck_assert_int_eq(c.i, 1000 + i);
        table_cell(v, chunk, slot, 1, &c);
        ck_assert_uint_eq(c.text.length, 200);
        table_unpin(v);
    }
}
END_TEST

START_TEST(a_join_in_steps_ends_at_any_time)
{
    struct table_fork f;
    for (unsigned steps = 1; steps < TABLE_CHUNK_VECTORS; steps *= 2) {
        fork_sorted(&f, COPIED);
        for (unsigned i = 0; i < steps; i++) ck_assert_int_eq(table_fork_join(&f, 0, &error), 1);
        table_fork_abandon(&f);
        while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
        ck_assert_uint_eq(table_row_count(t), 10);
        append_sorted(11, 1, 10);
    }
    for (unsigned nth = 1;; nth++) {
        fork_sorted(&f, COPIED);
        heap_fail_nth(h, nth);
        int status = table_fork_join(&f, UINT64_MAX, &error);
        bool failed = !heap_fail_pending(h);
        heap_fail_nth(h, 0);
        while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
        ck_assert_int_eq(status, failed ? -ENOMEM : 0);
        ck_assert_uint_eq(table_row_count(t), failed ? 10 : 10 + COPIED);
        append_sorted(1000 + COPIED, 1, 10);
        if (!failed) break;
    }
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
    if (random_below(rng, 2)) most = 3; /* which fit into what columns have left */
    return sizes[random_below(rng, most)];
}

static void delete_some(uint64_t *rng)
{
    uint64_t count = now.count && !table_is_busy(t) ? 1 + random_below(rng, 5) : 0;
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
    bool empty = !f->t || !m->count;
    if (!f->t) {
        begin(f);
        m->count = 0;
    }
    if (random_below(rng, 8) == 0) {
        table_fork_abandon(f);
    } else if (random_below(rng, empty || table_is_busy(t) ? 30 : 3) == 0) {
        bool fails = table_is_busy(t) || random_below(rng, 3) == 0;
        if (fails) heap_fail_nth(h, 1 + random_below(rng, 10));
        int status = table_fork_join(f, random_below(rng, 2) ? 0 : UINT64_MAX, &error);
        while (status == 1) {
            ck_assert_int_eq(append(0, 1), -EBUSY);
            status = table_fork_join(f, 0, &error);
        }
        heap_fail_nth(h, 0);
        ck_assert(status == 0 || fails);
        for (size_t i = 0; i < m->count && status == 0; i++) now.rows[now.count++] = m->rows[i];
    } else if (m->count + count < ROWS_MAX / 4) {
        append_in(f, *next, count);
        model_append(m, *next, count);
        *next += count;
    }
}

static void change_draft(uint64_t *rng, int64_t *next)
{
    uint32_t count = some_rows(rng);
    bool fails = random_below(rng, 10) == 0;
    if (!draft.d) {
        while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2); /* of what was given up */
        if (now.count + count >= ROWS_MAX / 4) return;
        open_draft(*next, count);
        *next += count;
    }
    if (random_below(rng, 12) == 0) {
        abandon_draft();
        return;
    }
    if (fails) heap_fail_nth(h, 1 + random_below(rng, 5));
    int status = 1;
    for (uint64_t n = 1 + random_below(rng, 5); n && status == 1; n--)
        status = advance_draft(1 + (uint32_t)random_below(rng, draft.count));
    heap_fail_nth(h, 0);
    ck_assert(status >= 0 || fails);
    if (status < 0) abandon_draft();
    if (status == 0) model_append(&now, draft.first, draft.count);
}

static void append_or_be_refused(int64_t first, uint32_t count)
{
    if (now.count + count >= ROWS_MAX / 4) return;
    bool busy = table_is_busy(t);
    ck_assert_int_eq(append(first, count), busy ? -EBUSY : 0);
    if (!busy) model_append(&now, first, count);
}

static void run_program(uint64_t seed)
{
    uint64_t rng = seed;
    int64_t next = 1;
    for (int step = 0; step < 80; step++) {
        unsigned which = (unsigned)random_below(&rng, FORKS);
        uint32_t count = some_rows(&rng);
        switch (random_below(&rng, 13)) {
        case 0:
            append_or_be_refused(next, count);
            next += count;
            break;
        case 1: delete_some(&rng); break;
        case 2: seal(); break;
        case 3:
            if (random_below(&rng, 3) == 0) table_close_tail(t);
            else if (tables_note_quiet(h)) tables_note_quiet(h);
            break;
        case 4:
            if (random_below(&rng, 2)) heap_drop_step(h, 1 + random_below(&rng, 20000));
            while (table_compact_step(t, random_below(&rng, 2), 100000) == 1) continue;
            break;
        case 5:
        case 6:
        case 7: change_draft(&rng, &next); break;
        default:
            if (now.count + mine[which].count < ROWS_MAX)
                change_fork(&rng, &forks[which], &mine[which], &next);
        }
    }
    if (random_below(&rng, 2)) abandon_draft();
    for (unsigned i = 0; i < FORKS; i++) table_fork_abandon(&forks[i]);
    abandon_draft();
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
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
        empty_table();
    }
    free(now.rows);
    for (int i = 0; i < FORKS; i++) free(mine[i].rows);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = tcase_create(name); /* tests/plants.sh runs it by its name */
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
}
#define ADD(suite, test) add_case(suite, #test, test)

Suite *test_suite(void)
{
    Suite *s = suite_create("table_fork");
    TCase *c = tcase_create("fork");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 300);
    tcase_add_test(c, rows_show_when_they_join);
    tcase_add_test(c, a_fork_is_taken_back_in_steps);
    tcase_add_test(c, what_others_append_stays_and_comes_first);
    tcase_add_test(c, a_draft_and_a_fork_do_not_take_the_same_room);
    tcase_add_test(c, a_draft_that_is_given_up_beside_a_fork_gives_its_room_back);
    tcase_add_test(c, a_table_that_is_gone_lets_its_fork_end);
    tcase_add_test(c, rows_that_are_copied_join_in_steps);
    tcase_add_test(c, a_join_in_steps_ends_at_any_time);
    suite_add_tcase(s, c);
    ADD(s, nothing_is_left_of_a_fork_that_is_given_up);
    ADD(s, a_sorted_column_stays_sorted);
    TCase *programs = seeds_tcase("forks");
    tcase_add_checked_fixture(programs, setup, teardown);
    tcase_set_timeout(programs, 300);
    tcase_add_test(programs, random_programs_agree_with_a_model);
    suite_add_tcase(s, programs);
    return s;
}
