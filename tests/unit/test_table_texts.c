/* test_table_texts.c - the texts of a chunk have a limit, whatever they come from; and long ones
 * are sealed and compacted in steps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/gc.h"
#include "heap/table_alter.h"
#include "heap/table_draft.h"
#include "heap/table_int.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

static struct heap *h;

static void setup(void) { h = heap_fixture_open(0); }
static void teardown(void) { heap_fixture_close(h); }

#define FIELD(n, t) {n, sizeof n - 1, TABLE_##t, false, false}

static value make(const struct table_field *field)
{
    struct table_error error;
    value v;
    ck_assert_int_eq(table_create(h, field, 1, &v, &error), 0);
    return v;
}

#define LONGEST_ROWS (uint32_t)(TABLE_CHUNK_TEXT_BYTES_MAX / TABLE_TEXT_BYTES_MAX)

static void refuse_to_be_str(value v)
{
    const struct table_alter_column to = {.field = FIELD("s", STR)};
    struct table_alter *a;
    struct table_error error;
    int more;
    ck_assert_int_eq(table_alter_open(table_of(h, v), &to, 1, &a, &error), 0);
    while ((more = table_alter_step(a, UINT64_MAX, &error)) == 1) continue;
    ck_assert_int_lt(more, 0);
    ck_assert_int_eq(error.fault, TABLE_FAULT_LIMIT);
    table_alter_abandon(a);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
}

static int set_text(struct table *t, struct table_text text, struct table_error *error)
{
    struct table_cell cell = {.type = TABLE_STR, .text = text};
    return table_set(t, 0, 0, 0, &cell, error);
}

/* One symbol is many long texts once the column is of type str. */
START_TEST(the_texts_of_a_chunk_have_a_limit)
{
    const struct table_field field = FIELD("s", SYM);
    static char room[TABLE_TEXT_BYTES_MAX];
    static const uint32_t codes[LONGEST_ROWS];
    struct table_text text = {memset(room, 'x', sizeof room), sizeof room};
    struct table_error error;
    struct table_append a;
    heap_fixture_close(h);
    h = heap_fixture_open(2 * TABLE_CHUNK_TEXT_BYTES_MAX);
    value v = make(&field);
    ck_assert_int_eq(table_append_begin(table_of(h, v), LONGEST_ROWS + 1, &a, &error), 0);
    ck_assert_int_eq(table_append_texts(&a, 0, 1, &text, &error), 0);
    ck_assert_int_eq(table_append_raw(&a, 0, LONGEST_ROWS, codes, NULL, 0, &error), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    refuse_to_be_str(v);
    value_release(h, v);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
}
END_TEST

START_TEST(a_text_that_is_set_keeps_to_the_limit)
{
    const struct table_field field = FIELD("s", STR);
    struct table_text text = {"a text", 6}, other = {"another one", 11};
    struct table_error error;
    struct table_append a;
    struct table_cell cell;
    value v = make(&field);
    struct table *t = table_of(h, v);
    ck_assert_int_eq(table_append_begin(t, 2, &a, &error), 0);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(table_append_texts(&a, 0, 1, &text, &error), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    struct plain_column *p = (struct plain_column *)version_chunk(t->current, 0)->columns[0].column;
    struct table_text *texts = (void *)p->elements;
    p->text_bytes = TABLE_CHUNK_TEXT_BYTES_MAX - other.length + 1; /* as if it had them */
    texts[1].length = TABLE_CHUNK_TEXT_BYTES_MAX / 2;
    ck_assert_int_lt(set_text(t, other, &error), 0);
    ck_assert_int_eq(error.fault, TABLE_FAULT_LIMIT);
    ck_assert_msg(strstr(error.text, "column \"s\": the texts of ") != NULL, "%s",
                  error.text);
    texts[1].length = text.length;
    ck_assert_int_eq(set_text(t, other, &error), 0); /* what nobody reads any more goes */
    p = (struct plain_column *)version_chunk(t->current, 0)->columns[0].column;
    ck_assert_uint_eq(p->text_bytes, 2 * text.length + other.length);
    ck_assert(!table_set_is_long(t, 0, 0, 0));
    p->text_bytes = TABLE_CHUNK_TEXT_BYTES_MAX - other.length + 1;
    ck_assert(table_set_is_long(t, 0, 0, 0)); /* the same in steps */
    while (table_merge_step(t, 0, 0, 0) == 1) continue;
    ck_assert(!table_set_is_long(t, 0, 0, 0));
    p = (struct plain_column *)version_chunk(t->current, 0)->columns[0].column;
    ck_assert_uint_eq(p->text_bytes, text.length + other.length);
    struct table_version *now = table_pin(t);
    table_cell(now, 0, 0, 0, &cell);
    expect_true(text_bytes_compare(cell.text, other) == 0);
    table_cell(now, 0, 1, 0, &cell);
    expect_true(text_bytes_compare(cell.text, text) == 0);
    table_unpin(now);
    heap_fixture_verify(h, "after a change");
    value_release(h, v);
}
END_TEST

/* --- steps -------------------------------------------------------------------------------------*/

#define LONG_ROWS 64
#define LONG_BYTES ((size_t)1 << 18)

static void append_long(struct table *t)
{
    struct table_text texts[LONG_ROWS];
    struct table_error error;
    struct table_append a;
    char *room = malloc(LONG_BYTES + LONG_ROWS);
    memset(room, 'x', LONG_BYTES + LONG_ROWS);
    for (unsigned i = 0; i < LONG_ROWS; i++)
        texts[i] = (struct table_text){room, LONG_BYTES + i};
    ck_assert_int_eq(table_append_begin(t, LONG_ROWS, &a, &error), 0);
    ck_assert_int_eq(table_append_texts(&a, 0, LONG_ROWS, texts, &error), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    free(room);
}

static void expect_lengths(struct table *t, uint32_t rows, uint32_t set, uint32_t first)
{
    struct table_version *v = table_pin(t);
    struct table_cell cell;
    ck_assert_uint_eq(table_version_rows(v), rows);
    for (uint32_t i = 0; i < rows; i++) {
        table_cell(v, 0, i, 0, &cell);
        ck_assert_uint_eq(cell.text.length, i == set ? 3 : LONG_BYTES + first + i);
    }
    table_unpin(v);
}

static size_t resident_bytes(void)
{
    unsigned long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu %lu", &size, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* A step asks the system for a small part of the sixteen MiB that the column takes. */
START_TEST(long_texts_get_their_memory_step_by_step)
{
    const struct table_field field = FIELD("s", STR);
    heap_fixture_close(h);
    h = heap_fixture_open(0);
    value v = make(&field);
    struct table *t = table_of(h, v);
    size_t before = resident_bytes(), most = 0;
    append_long(t);
    table_close_tail(t);
    ck_assert_uint_gt(resident_bytes() - before, LONG_ROWS * LONG_BYTES / 2);
    before = resident_bytes();
    while (table_seal_step(t, 0) == 1) {
        size_t now = resident_bytes();
        if (now > before && now - before > most) most = now - before;
        before = now;
    }
    ck_assert_uint_lt(most, LONG_ROWS * LONG_BYTES / 4);
    expect_lengths(t, LONG_ROWS, UINT32_MAX, 0);
    value_release(h, v);
}
END_TEST

static size_t external_bytes_now(void)
{
    struct heap_stats stats;
    heap_stats(h, &stats);
    return stats.external_bytes;
}

/* No more than a quarter of what a column takes is freed in one step: when it has been sealed, when
 * it has been copied, and when its table goes. */
START_TEST(long_texts_are_freed_step_by_step)
{
    const struct table_field field = FIELD("s", STR);
    struct table_error error;
    heap_fixture_close(h);
    h = heap_fixture_open(0);
    value v = make(&field);
    struct table *t = table_of(h, v);
    append_long(t);
    table_close_tail(t);
    size_t before = external_bytes_now(), all = LONG_ROWS * LONG_BYTES, most = 0;
    for (int phase = 0; phase < 4; phase++) {
        if (phase == 1) ck_assert_int_eq(table_delete(t, 0, 0, NULL, &error), 0);
        if (phase == 3) value_release(h, v);
        for (bool more = true; more;) {
            more = phase == 1 ? table_compact_step(t, true, 0) == 1
                              : phase < 3 && table_seal_step(t, 0) == 1;
            if (!more && (more = heap_drop_pending(h))) heap_drop_step(h, 1);
            size_t now = external_bytes_now();
            if (now < before && before - now > most) most = before - now;
            before = now;
        }
        ck_assert_uint_le(before, phase == 3 ? 0 : all + all / 4);
        if (phase < 3) expect_lengths(t, LONG_ROWS - (phase > 0), UINT32_MAX, phase > 0);
    }
    ck_assert_uint_lt(most, all / 4);
}
END_TEST

/* Each step has no time, and copies or reads less than the sixteen MiB that there are. */
START_TEST(long_texts_are_sealed_and_compacted_in_many_steps)
{
    const struct table_field field = FIELD("s", STR);
    struct table_error error;
    heap_fixture_close(h);
    h = heap_fixture_open(0);
    value v = make(&field);
    struct table *t = table_of(h, v);
    unsigned steps = 0;
    append_long(t);
    table_close_tail(t);
    while (table_seal_step(t, 0) == 1) steps++;
    ck_assert_uint_gt(steps, 2 * LONG_ROWS); /* once to count, once to copy */
    expect_lengths(t, LONG_ROWS, UINT32_MAX, 0);

    ck_assert_int_eq(set_text(t, (struct table_text){"new", 3}, &error), 0);
    for (steps = 0; table_compact_step(t, true, 0) == 1; steps++) continue;
    ck_assert_uint_gt(steps, LONG_ROWS - 2);
    ck_assert(!table_compact_pending(t, true));
    expect_lengths(t, LONG_ROWS, 0, 0);

    ck_assert_int_eq(table_delete(t, 0, 0, NULL, &error), 0);
    for (steps = 0; table_compact_step(t, true, 0) == 1; steps++) continue;
    ck_assert_uint_gt(steps, LONG_ROWS - 2);
    expect_lengths(t, LONG_ROWS - 1, UINT32_MAX, 1);
    value_release(h, v);
}
END_TEST

/* A cell that is set while its overlay is being merged is not lost. */
START_TEST(a_cell_that_is_set_during_a_merge_stays)
{
    const struct table_field field = FIELD("s", STR);
    struct table_error error;
    value v = make(&field);
    struct table *t = table_of(h, v);
    append_long(t);
    table_close_tail(t);
    while (table_seal_step(t, 1000000) == 1) continue;
    ck_assert_int_eq(set_text(t, (struct table_text){"old", 3}, &error), 0);
    for (unsigned i = 0; i < 10; i++) ck_assert_int_eq(table_compact_step(t, true, 0), 1);
    struct table_version *before = table_pin(t);
    ck_assert_int_eq(set_text(t, (struct table_text){"new", 3}, &error), 0);
    while (table_compact_step(t, true, 0) == 1) continue;
    expect_lengths(t, LONG_ROWS, 0, 0);
    struct table_cell cell;
    table_cell(before, 0, 0, 0, &cell);
    ck_assert_mem_eq(cell.text.data, "old", 3);
    table_cell(t->current, 0, 0, 0, &cell);
    ck_assert_mem_eq(cell.text.data, "new", 3);
    table_unpin(before);
    value_release(h, v);
}
END_TEST

/* A column of long texts that was sealed while it rested becomes plain again in pieces of so many
 * bytes, between which whoever appends can look at the clock. */
START_TEST(long_texts_are_opened_again_piece_by_piece)
{
    enum { ROWS = TABLE_QUIET_ROWS_MIN, BYTES = 2000 };
    const struct table_field field = FIELD("s", STR);
    static char room[ROWS][BYTES];
    static struct table_text texts[ROWS];
    struct table_draft *d;
    struct table_error error;
    struct table_append a;
    struct table_cell cell;
    value v = make(&field);
    struct table *t = table_of(h, v);
    for (uint32_t i = 0; i < ROWS; i++) {
        memset(room[i], 'a' + (int)(i % 26), BYTES);
        room[i][0] = (char)(32 + i / 64);
        room[i][1] = (char)(32 + i % 64);
        texts[i] = (struct table_text){room[i], BYTES};
    }
    ck_assert_int_eq(table_append_begin(t, ROWS, &a, &error), 0);
    ck_assert_int_eq(table_append_texts(&a, 0, ROWS, texts, &error), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    while (tables_note_quiet(h)) continue;
    while (table_seal_step(t, 1000000) == 1) continue;
    ck_assert(version_chunk(t->current, 0)->columns[0].column->sealed);
    ck_assert_int_eq(table_draft_open(t, &d, &error), 0);
    table_draft_enter(d);
    ck_assert_int_eq(table_append_open(d, 1, &a, &error), 0);
    unsigned steps = 0;
    while (table_append_reserve(&a, 0) == 1) steps++;
    ck_assert_uint_ge(steps, (size_t)ROWS * BYTES / (160 << 10));
    ck_assert_int_eq(table_append_texts(&a, 0, 1, texts, &error), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, &error), 0);
    table_draft_leave(d);
    table_draft_publish(d);
    for (uint32_t i = 0; i <= ROWS; i++) {
        table_cell(t->current, 0, i, 0, &cell);
        expect_true(text_bytes_compare(cell.text, texts[i % ROWS]) == 0);
    }
    heap_fixture_verify(h, "after an append");
    value_release(h, v);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("table_texts");
    TCase *texts = tcase_create("texts");
    tcase_set_timeout(texts, 300);
    tcase_add_checked_fixture(texts, setup, teardown);
    tcase_add_test(texts, the_texts_of_a_chunk_have_a_limit);
    tcase_add_test(texts, a_text_that_is_set_keeps_to_the_limit);
    tcase_add_test(texts, long_texts_get_their_memory_step_by_step);
    tcase_add_test(texts, long_texts_are_freed_step_by_step);
    tcase_add_test(texts, long_texts_are_sealed_and_compacted_in_many_steps);
    tcase_add_test(texts, a_cell_that_is_set_during_a_merge_stays);
    tcase_add_test(texts, long_texts_are_opened_again_piece_by_piece);
    suite_add_tcase(suite, texts);
    return suite;
}
