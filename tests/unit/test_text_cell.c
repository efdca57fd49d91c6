/* test_text_cell.c - texts in cells: each length around each size class, and appends from one to
 * the other. What test_text.c says about texts of all sizes is said here of each length. */
#include "heap/heap_int.h"
#include "heap/text.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

#define DENSE_MOST 300 /* every length up to here */

static void fill(char *to, size_t length, uint64_t seed)
{
    for (size_t i = 0; i < length; i++) to[i] = (char)('a' + random_next(&seed) % 26);
}

/* The next length to look at: every one up to DENSE_MOST, then those around the classes. */
static size_t next_length(size_t length)
{
    if (length < DENSE_MOST) return length + 1;
    size_t at = heap_cell_bytes(length);
    if (length + 1 < at - 3) return at - 3;
    return length + 1;
}

/* That `v` has this content, in the smallest cell that can have it. */
static void check_cell(const struct heap *h, value v, const char *data, size_t length,
                       bool is_bytes)
{
    struct text_scratch scratch;
    const char *piece;
    ck_assert(value_is_kind(v, is_bytes ? KIND_BYTES : KIND_STRING));
    ck_assert_uint_eq(text_length(h, v), length);
    ck_assert_uint_eq(text_piece(h, v, 0, &piece, &scratch), length);
    ck_assert_mem_eq(piece, data, length);
    ck_assert_uint_eq(ref_hash(v), heap_hash(h, data, length) & REF_HASH_MASK);
    ck_assert_uint_eq(value_cell_bytes(h, v), heap_cell_bytes(length + is_bytes));
}

/* What a string may begin with: what could be taken for a prefix, but is none. */
static const char *const string_heads[] = {
    "\0", "\x01", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xef\xbf\xbf",
    "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
};
static const char *const byte_heads[] = {"\x80\x80", "\x90\xff", "\xbf", "\xc0", "\xf8",
                                         "\xff", "\xff\xff", "\0", "a"};
#define HEADS (sizeof string_heads / sizeof *string_heads)
_Static_assert(HEADS == sizeof byte_heads / sizeof *byte_heads, "as many of both");

START_TEST(each_length_has_the_smallest_cell)
{
    struct heap *h = heap_fixture_open(0);
    char data[TEXT_CELL_MAX];
    fill(data, sizeof data, 1);
    for (size_t length = 8; length <= TEXT_CELL_MAX; length = next_length(length))
        for (unsigned i = 0; i < 2 * HEADS; i++) {
            bool is_bytes = i % 2;
            const char *head = is_bytes ? byte_heads[i / 2] : string_heads[i / 2];
            memcpy(data, "abcd", 4);
            memcpy(data, head, head[0] ? strlen(head) : 1);
            value v = text_new(h, data, length, is_bytes);
            check_cell(h, v, data, length, is_bytes);
            heap_root_set_take(h, ROOT_KEYS, v);
        }
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_text_of_zeros_is_as_long_as_it_was)
{
    struct heap *h = heap_fixture_open(0);
    char data[TEXT_CELL_MAX] = "";
    for (size_t length = 8; length <= TEXT_CELL_MAX; length = next_length(length))
        for (int is_bytes = 0; is_bytes < 2; is_bytes++) {
            value v = text_new(h, data, length, is_bytes);
            check_cell(h, v, data, length, is_bytes);
            ck_assert(text_equals(h, v, data, length) && !text_equals(h, v, data, length - 1));
            value_release(h, v);
        }
    heap_fixture_close(h);
}
END_TEST

/* One append: whole or not at all, and where the text is if its cell has room for it. */
static void check_append(struct heap *h, const char *data, size_t length, size_t added,
                         bool is_bytes, bool shared)
{
    value v = text_new(h, data, length, is_bytes), w;
    heap_root_set_take(h, ROOT_KEYS, shared ? value_share(h, v) : VALUE_NIL);
    bool in_place = !shared && length + added + is_bytes <= value_cell_bytes(h, v);
    uint64_t before = heap_fixture_allocations(h);
    heap_fail_nth(h, 1);
    w = text_append_take(h, v, data + length, added);
    ck_assert_int_eq(w == VALUE_ABSENT, !in_place);
    heap_fail_nth(h, 0);
    if (w == VALUE_ABSENT) {
        check_cell(h, v, data, length, is_bytes);
        w = text_append_take(h, v, data + length, added);
    } else {
        ck_assert_uint_eq(heap_fixture_allocations(h), before);
        ck_assert_uint_eq(ref_granule(w), ref_granule(v));
    }
    check_cell(h, w, data, length + added, is_bytes);
    if (shared) check_cell(h, heap_root(h, ROOT_KEYS), data, length, is_bytes);
    value_release(h, w);
}

START_TEST(appends_cross_each_boundary)
{
    struct heap *h = heap_fixture_open(0);
    char data[TEXT_CELL_MAX + 1];
    fill(data, sizeof data, 2);
    for (size_t length = 8; length < TEXT_CELL_MAX; length = next_length(length))
        for (size_t added = 1; added <= 36; added++)
            for (unsigned i = 0; i < 4 && length + added <= TEXT_CELL_MAX; i++)
                check_append(h, data, length, added, i & 1, i & 2);
    heap_fixture_verify(h, "after the appends");
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_string_grows_byte_by_byte)
{
    struct heap *h = heap_fixture_open(0);
    char data[TEXT_CELL_MAX];
    fill(data, sizeof data, 3);
    for (int is_bytes = 0; is_bytes < 2; is_bytes++) {
        value v = text_new(h, data, 8, is_bytes);
        for (size_t length = 9; length <= TEXT_CELL_MAX; length++) {
            v = text_append_take(h, v, data + length - 1, 1);
            check_cell(h, v, data, length, is_bytes);
        }
        value_release(h, v);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_full_string_that_becomes_bytes_gets_a_prefix)
{
    struct heap *h = heap_fixture_open(0);
    char data[DENSE_MOST + 1];
    fill(data, sizeof data, 4);
    for (size_t length = 8; length < DENSE_MOST; length++) {
        char last = data[length];
        value v = text_new(h, data, length, false);
        data[length] = '\xff';
        v = text_append_take(h, v, "\xff", 1);
        check_cell(h, v, data, length + 1, true);
        data[length] = last;
        value_release(h, v);
    }
    heap_fixture_close(h);
}
END_TEST

/* Short texts in a frame with their models, appended to in small steps and shared, while the
 * collector and compaction work. */
#define TEXTS 24
#define MODEL_MOST 700
struct model {
    char data[TEXTS][MODEL_MOST];
    size_t length[TEXTS];
    bool is_bytes[TEXTS];
};

static void model_append(struct heap *h, value *slot, struct model *m, size_t i, uint64_t *state)
{
    char data[20];
    size_t n = random_below(state, sizeof data);
    if (m->length[i] + n > MODEL_MOST) return;
    fill(data, n, random_next(state));
    bool breaks = n > 0 && random_below(state, 200) == 0;
    if (breaks) data[random_below(state, n)] = (char)(0x80 + random_below(state, 0x40));
    if (random_below(state, 4) == 0) heap_fail_nth(h, 1);
    value v = text_append_take(h, *slot, data, n);
    heap_fail_nth(h, 0);
    if (v == VALUE_ABSENT) return;
    *slot = v;
    memcpy(m->data[i] + m->length[i], data, n);
    m->length[i] += n;
    m->is_bytes[i] |= breaks;
}

static void random_program(uint64_t seed)
{
    uint64_t state = seed;
    struct heap *h = heap_fixture_open(0);
    struct model *m = calloc(1, sizeof *m);
    struct root_frame frame;
    root_frame_open(h, &frame);
    for (size_t i = 0; i < TEXTS; i++)
        ck_assert_int_eq(root_frame_push_take(h, &frame, text_new(h, "", 0, false)), 0);
    for (int step = 0; step < 3000; step++) {
        heap_fixture_jitter(h, &state);
        root_frame_touch(h, &frame);
        size_t i = random_below(&state, TEXTS), j = random_below(&state, TEXTS);
        uint64_t r = random_below(&state, 100);
        if (r < 85) {
            model_append(h, &frame.slots[i], m, i, &state);
        } else if (r < 90 && i != j) {
            value_release(h, frame.slots[j]);
            frame.slots[j] = value_share(h, frame.slots[i]);
            memcpy(m->data[j], m->data[i], m->length[i]);
            m->length[j] = m->length[i];
            m->is_bytes[j] = m->is_bytes[i];
        } else if (r < 93) {
            value_release(h, frame.slots[i]);
            m->length[i] = random_below(&state, 140);
            m->is_bytes[i] = false;
            fill(m->data[i], m->length[i], random_next(&state));
            frame.slots[i] = text_new(h, m->data[i], m->length[i], false);
        }
        ck_assert_uint_eq(text_length(h, frame.slots[i]), m->length[i]);
        ck_assert(text_equals(h, frame.slots[i], m->data[i], m->length[i]));
        ck_assert_int_eq(text_is_bytes(frame.slots[i]), m->is_bytes[i]);
        if (m->length[i] > VALUE_INLINE_TEXT_MAX)
            check_cell(h, frame.slots[i], m->data[i], m->length[i], m->is_bytes[i]);
    }
    root_frame_close(h, &frame);
    free(m);
    heap_fixture_close(h);
}

START_TEST(random_appends_to_short_texts_follow_the_model)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("random", 20);
    while (seeds_next(&seeds, &seed)) random_program(seed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("text cell");
    TCase *tcase = tcase_create("text cell");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, each_length_has_the_smallest_cell);
    tcase_add_test(tcase, a_text_of_zeros_is_as_long_as_it_was);
    tcase_add_test(tcase, appends_cross_each_boundary);
    tcase_add_test(tcase, a_string_grows_byte_by_byte);
    tcase_add_test(tcase, a_full_string_that_becomes_bytes_gets_a_prefix);
    suite_add_tcase(suite, tcase);
    TCase *random = seeds_tcase("random");
    tcase_add_test(random, random_appends_to_short_texts_follow_the_model);
    suite_add_tcase(suite, random);
    return suite;
}
