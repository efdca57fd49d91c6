/* test_external_block.c - large blocks of external memory: spare ones are used again, make way for
 * whatever else needs memory, hold columns like new ones, and go back to the system. */
#include "heap/external.h"

#include <stdlib.h>
#include <string.h>

#include "heap/heap_int.h"
#include "heap/table_int.h"
#include "heap/text.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

#define LARGE ((size_t)512 << 10)
#define SPARES_MAX ((size_t)8 << 20)

static struct heap *h;
static struct external *owner;

static int owner_verify(const struct external *e, char *message, size_t size)
{
    (void)e, (void)message, (void)size;
    return 0;
}
static const struct external_class owner_class = {.name = "owner", .verify = owner_verify};

static void open_heap(size_t max_bytes)
{
    h = heap_fixture_open(max_bytes);
    owner = malloc(sizeof *owner);
    ck_assert_ptr_nonnull(owner);
    *owner = (struct external){.class = &owner_class, .heap = h};
    external_open(owner);
}
static void setup(void) { open_heap((size_t)64 << 20); }
static void teardown(void)
{
    external_discard(owner);
    heap_fixture_close(h);
}

static size_t external_bytes(void) { return h->external.bytes; }
static size_t spare_bytes(void) { return h->external.spares.bytes; }

static struct external_block take(size_t bytes)
{
    struct external_block b;
    ck_assert_int_eq(external_block_take(owner, bytes, &b), 0);
    ck_assert_uint_ge(b.bytes, bytes);
    unsigned char *memory = b.memory;
    for (size_t i = 0; b.zero && i < b.bytes; i += 512) ck_assert_uint_eq(memory[i], 0);
    memset(memory, 0x55, b.bytes);
    return b;
}

static void leave_spares(size_t count, size_t bytes)
{
    struct external_block blocks[64];
    ck_assert_uint_le(count, 64);
    for (size_t i = 0; i < count; i++) blocks[i] = take(bytes);
    for (size_t i = 0; i < count; i++) external_block_give(owner, &blocks[i]);
}

START_TEST(a_block_that_was_given_back_is_taken_again)
{
    struct external_block b = take(LARGE + 48);
    ck_assert(b.mapped && b.zero);
    ck_assert_uint_eq(external_bytes(), b.bytes);
    ck_assert_uint_eq(spare_bytes(), 0);
    external_block_give(owner, &b);
    ck_assert_uint_eq(external_bytes(), 0);
    ck_assert_uint_eq(spare_bytes(), b.bytes);
    heap_fixture_verify(h, "with a spare block");
    struct external_block again = take(LARGE);
    ck_assert_ptr_eq(again.memory, b.memory);
    ck_assert_uint_eq(again.bytes, b.bytes);
    ck_assert(again.mapped && !again.zero);
    ck_assert_uint_eq(external_bytes(), b.bytes);
    ck_assert_uint_eq(spare_bytes(), 0);
    external_block_give(owner, &again);
}
END_TEST

START_TEST(small_blocks_and_much_larger_ones_are_not)
{
    struct external_block small = take(1000), large = take(LARGE);
    ck_assert(!small.mapped && !small.zero && small.bytes == 1000);
    external_block_give(owner, &small);
    ck_assert_uint_eq(spare_bytes(), 0);
    external_block_give(owner, &large);
    struct external_block half = take(LARGE / 2), more = take(LARGE + 1);
    ck_assert(half.zero && more.zero);
    ck_assert_uint_eq(spare_bytes(), large.bytes);
    external_block_give(owner, &half);
    external_block_give(owner, &more);
}
END_TEST

START_TEST(the_newest_spare_is_taken_first)
{
    struct external_block blocks[3] = {take(LARGE), take(LARGE), take(LARGE)};
    for (int i = 0; i < 3; i++) external_block_give(owner, &blocks[i]);
    for (int i = 3; i-- > 0;) {
        struct external_block b = take(LARGE);
        ck_assert_ptr_eq(b.memory, blocks[i].memory);
        blocks[i] = b;
    }
    for (int i = 0; i < 3; i++) external_block_give(owner, &blocks[i]);
}
END_TEST

START_TEST(there_are_so_many_spares_and_no_more)
{
    leave_spares(40, LARGE);
    ck_assert_uint_le(spare_bytes(), SPARES_MAX);
    ck_assert_uint_gt(spare_bytes(), SPARES_MAX - 2 * LARGE);
    heap_fixture_verify(h, "with as many spare blocks as there may be");
}
END_TEST

/* What is free, with what is held back for commands that free memory. */
static size_t unclaimed_bytes(void) { return (size_t)pages_unclaimed(h) * PAGE_BYTES; }

START_TEST(spares_make_way_for_external_memory)
{
    leave_spares(16, LARGE);
    size_t all = (size_t)pages_available(h) * PAGE_BYTES, before = spare_bytes();
    ck_assert_uint_gt(all, (size_t)56 << 20); /* spares count for nothing */
    ck_assert_int_eq(external_add(owner, all - 2 * LARGE), 0);
    ck_assert_uint_lt(spare_bytes(), before);
    ck_assert_uint_le(spare_bytes(), unclaimed_bytes());
    heap_fixture_verify(h, "with little room for spare blocks");
    before = spare_bytes();
    ck_assert_uint_gt(before, 0);
    ck_assert_int_eq(external_add(owner, 2 * LARGE), 0);
    ck_assert_uint_lt(spare_bytes(), before);
    ck_assert_uint_le(spare_bytes(), unclaimed_bytes());
    external_subtract(owner, all);
}
END_TEST

START_TEST(spares_make_way_for_pages)
{
    static char bytes[30000];
    value texts[4096];
    size_t count = 0;
    leave_spares(16, LARGE);
    size_t before = spare_bytes();
    while (count < 4096 && (texts[count] = text_new(h, bytes, sizeof bytes, true)) != VALUE_ABSENT)
        count++;
    ck_assert_uint_lt(count, 4096);
    ck_assert_uint_gt(count * sizeof bytes, (size_t)50 << 20);
    ck_assert_uint_lt(spare_bytes(), before);
    ck_assert_uint_le(spare_bytes(), unclaimed_bytes());
    heap_fixture_verify(h, "with the heap full");
    while (count > 0) value_release(h, texts[--count]);
}
END_TEST

START_TEST(a_heap_that_rests_gives_them_back)
{
    leave_spares(4, LARGE);
    ck_assert(trim_wanted_when_idle(h));
    ck_assert_uint_gt(trim_wait_ns(h), 0);
    h->page_taken_ns = h->external.spares.used_ns = 0; /* long ago */
    ck_assert_uint_eq(trim_wait_ns(h), 0);
    ck_assert(trim_wanted(h));
    size_t before = spare_bytes(), steps = 0;
    while (trim_step(h) > 0) {
        ck_assert_uint_le(before - spare_bytes(), LARGE + 4096); /* one a step */
        before = spare_bytes();
        ck_assert_uint_lt(++steps, 100000);
    }
    ck_assert_uint_eq(spare_bytes(), 0);
    ck_assert(!trim_wanted_when_idle(h));
}
END_TEST

START_TEST(an_allocation_that_fails_leaves_the_spare)
{
    struct external_block b;
    leave_spares(1, LARGE);
    size_t spare = spare_bytes();
    for (size_t bytes = 1000; bytes <= 2 * LARGE; bytes = bytes == 1000 ? LARGE : bytes * 2) {
        heap_fail_nth(h, 1);
        ck_assert_int_eq(external_block_take(owner, bytes, &b), -ENOMEM);
        ck_assert(!heap_fail_pending(h));
        ck_assert_uint_eq(external_bytes(), 0);
        ck_assert_uint_eq(spare_bytes(), spare);
        heap_fixture_verify(h, "after a failure");
    }
    b = take(LARGE);
    ck_assert_uint_eq(spare_bytes(), 0);
    external_block_give(owner, &b);
}
END_TEST

START_TEST(a_spare_that_is_larger_than_what_is_free_fails_nothing)
{
    struct external_block b;
    size_t bytes = LARGE - LARGE / 16;
    leave_spares(1, LARGE);
    size_t filler = (size_t)pages_available(h) * PAGE_BYTES - bytes;
    filler -= filler % PAGE_BYTES;
    ck_assert_int_eq(external_add(owner, filler), 0);
    ck_assert_int_eq(external_block_take(owner, bytes, &b), 0);
    ck_assert_uint_lt(b.bytes, LARGE);
    heap_fixture_verify(h, "with a block beside a spare that is too large");
    external_block_give(owner, &b);
    external_subtract(owner, filler);
}
END_TEST

/* Rows of the table, as many as there may be in a chunk or less: their texts are `text`, or nil. */
static struct plain_column *append_texts(struct table *t, uint32_t rows, const char *text)
{
    struct table_append a;
    struct table_text cell = {text, text ? strlen(text) : 0};
    ck_assert_int_eq(table_append_begin(t, rows, &a, NULL), 0);
    for (uint32_t i = 0; i < rows && text; i++)
        ck_assert(table_append_texts(&a, 0, 1, &cell, NULL) == 0);
    if (!text) ck_assert_int_eq(table_append_nulls(&a, 0, rows, NULL), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
    return (struct plain_column *)version_chunk(t->current, 0)->columns[0].column;
}

START_TEST(a_column_in_a_spare_block_is_as_good_as_new)
{
    const struct table_field f = {.name = "s", .name_length = 1, .type = TABLE_STR, .null = true};
    value v, w;
    struct table_error error;
    ck_assert_int_eq(table_create(h, &f, 1, &v, &error), 0);
    ck_assert_int_eq(table_create(h, &f, 1, &w, &error), 0);
    void *block = append_texts(table_of(h, v), TABLE_CHUNK_ROWS, "not nil");
    while (table_seal_step(table_of(h, v), 1000000) == 1) continue;
    ck_assert(!table_seal_pending(table_of(h, v)));
    ck_assert_uint_gt(h->external.spares.bytes, 0);
    const uint32_t rows = TABLE_CHUNK_ROWS - 10; /* so the room is for all of a chunk */
    const struct plain_column *p = append_texts(table_of(h, w), rows, NULL);
    ck_assert_ptr_eq(p, block);
    ck_assert_uint_eq(h->external.spares.bytes, 0);
    const struct table_text *texts = (const void *)p->elements;
    for (uint32_t i = 0; i < p->capacity; i++)
        ck_assert(!bit_get(p->valid, i) && !texts[i].data && !texts[i].length);
    value_release(h, v);
    value_release(h, w);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("external_block");
    TCase *c = tcase_create("external_block");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_block_that_was_given_back_is_taken_again);
    tcase_add_test(c, small_blocks_and_much_larger_ones_are_not);
    tcase_add_test(c, the_newest_spare_is_taken_first);
    tcase_add_test(c, there_are_so_many_spares_and_no_more);
    tcase_add_test(c, spares_make_way_for_external_memory);
    tcase_add_test(c, spares_make_way_for_pages);
    tcase_add_test(c, a_heap_that_rests_gives_them_back);
    tcase_add_test(c, an_allocation_that_fails_leaves_the_spare);
    tcase_add_test(c, a_spare_that_is_larger_than_what_is_free_fails_nothing);
    tcase_add_test(c, a_column_in_a_spare_block_is_as_good_as_new);
    suite_add_tcase(suite, c);
    return suite;
}
