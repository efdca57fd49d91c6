/* test_text.c - texts in all their forms; appending, sharing and building; extensions. */
#include "heap/text_int.h"

#include <stdio.h>

#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

#define CHUNK ROPE_CHUNK_BYTES

/* Text of the letters a-z that does not repeat soon. */
static void fill(char *to, size_t length, uint64_t seed)
{
    for (size_t i = 0; i < length; i++) to[i] = (char)('a' + random_next(&seed) % 26);
}

/* That `v` has exactly this content and the form that its length asks for. */
static void check_text(const struct heap *h, value v, const char *data, size_t length,
                       bool is_bytes)
{
    ck_assert(value_is_text(v));
    ck_assert_uint_eq(text_length(h, v), length);
    ck_assert_int_eq(text_is_bytes(v), is_bytes);
    ck_assert(text_equals(h, v, data, length));
    if (length <= VALUE_INLINE_TEXT_MAX) {
        ck_assert_uint_eq(v, value_inline_text(data, length, is_bytes));
    } else if (length <= TEXT_CELL_MAX) {
        ck_assert(value_is_kind(v, is_bytes ? KIND_BYTES : KIND_STRING));
        ck_assert_uint_eq(ref_hash(v), heap_hash(h, data, length) & REF_HASH_MASK);
    } else {
        ck_assert(value_is_kind(v, is_bytes ? KIND_ROPE_BYTES : KIND_ROPE));
    }
}

static const size_t lengths[] = {
    0, 1, 6, 7, 8, 9, 63, 253, 254, 255, 256, 900, TEXT_CELL_MAX - 1, TEXT_CELL_MAX,
    TEXT_CELL_MAX + 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1,
    7 * CHUNK, 7 * CHUNK + 1, 8 * CHUNK, 49 * CHUNK, 49 * CHUNK + 1, 127 * CHUNK,
    127 * CHUNK + 1, 130 * CHUNK + 77};
#define LENGTHS (sizeof lengths / sizeof *lengths)
#define LENGTH_MOST (131 * CHUNK)

START_TEST(the_form_follows_the_length)
{
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(LENGTH_MOST), *copy = malloc(LENGTH_MOST);
    fill(data, LENGTH_MOST, 1);
    for (size_t i = 0; i < 2 * LENGTHS; i++) {
        size_t length = lengths[i / 2];
        value v = text_new(h, data, length, i % 2);
        check_text(h, v, data, length, i % 2);
        ck_assert_uint_eq(text_copy(h, v, 0, copy, LENGTH_MOST), length);
        ck_assert_mem_eq(copy, data, length);
        ck_assert_uint_eq(text_copy(h, v, length, copy, 10), 0);
        if (length > 3) {
            ck_assert_uint_eq(text_copy(h, v, length - 2, copy, 10), 2);
            ck_assert_mem_eq(copy, data + length - 2, 2);
            ck_assert_uint_eq(text_copy(h, v, length / 2, copy, 1), 1);
            ck_assert_int_eq(copy[0], data[length / 2]);
        }
        struct text_scratch scratch;
        const char *piece;
        size_t offset = 0, n;
        while ((n = text_piece(h, v, offset, &piece, &scratch)) > 0) {
            ck_assert_mem_eq(piece, data + offset, n);
            offset += n;
        }
        ck_assert_uint_eq(offset, length);
        if (length > 0) {
            data[length - 1] ^= 1;
            ck_assert(!text_equals(h, v, data, length));
            data[length - 1] ^= 1;
            ck_assert(!text_equals(h, v, data, length - 1));
        }
        value_release(h, v);
    }
    free(data);
    free(copy);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_string_that_is_not_utf8_is_bytes)
{
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(LENGTH_MOST);
    fill(data, LENGTH_MOST, 2);
    for (size_t i = 1; i < LENGTHS; i++) {
        char last = data[lengths[i] - 1];
        data[lengths[i] - 1] = '\xc3';
        value v = text_new(h, data, lengths[i], false);
        check_text(h, v, data, lengths[i], true);
        value_release(h, v);
        data[lengths[i] - 1] = last;
    }
    free(data);
    heap_fixture_close(h);
}
END_TEST

START_TEST(texts_compare_by_bytes)
{
    struct heap *h = heap_fixture_open(0);
    char *a = malloc(LENGTH_MOST), *b = malloc(LENGTH_MOST);
    uint64_t state = 3;
    fill(a, LENGTH_MOST, 3);
    for (size_t i = 0; i < LENGTHS; i++)
        for (size_t j = 0; j < LENGTHS; j++) {
            size_t n = lengths[i] < lengths[j] ? lengths[i] : lengths[j];
            memcpy(b, a, lengths[j]);
            value v = text_new(h, a, lengths[i], false), w = text_new(h, b, lengths[j], true);
            int expected = (lengths[i] > lengths[j]) - (lengths[i] < lengths[j]);
            ck_assert_int_eq(text_compare(h, v, w), expected);
            ck_assert_int_eq(text_compare(h, w, v), -expected);
            ck_assert_int_eq(text_compare(h, v, v), 0);
            value_release(h, w);
            if (n > 0) {
                b[random_below(&state, n)] = '\xff'; /* bytes are unsigned */
                w = text_new(h, b, lengths[j], true);
                ck_assert_int_eq(text_compare(h, v, w), -1);
                ck_assert_int_eq(text_compare(h, w, v), 1);
                value_release(h, w);
            }
            value_release(h, v);
        }
    free(a);
    free(b);
    heap_fixture_close(h);
}
END_TEST

START_TEST(appending_gives_what_making_it_whole_gives)
{
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(LENGTH_MOST);
    fill(data, LENGTH_MOST, 4);
    for (size_t i = 0; i < LENGTHS; i++)
        for (size_t j = i; j < LENGTHS; j++)
            for (int shared = 0; shared < 2; shared++) {
                value v = text_new(h, data, lengths[i], false);
                heap_root_set_take(h, ROOT_KEYS, shared ? value_share(h, v) : VALUE_NIL);
                value w = text_append_take(h, v, data + lengths[i], lengths[j] - lengths[i]);
                check_text(h, w, data, lengths[j], false);
                if (shared) check_text(h, heap_root(h, ROOT_KEYS), data, lengths[i], false);
                value_release(h, w);
            }
    free(data);
    heap_fixture_close(h);
}
END_TEST

START_TEST(an_append_that_breaks_utf8_makes_bytes_without_copying)
{
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(LENGTH_MOST);
    fill(data, LENGTH_MOST, 5);
    for (size_t i = 0; i < LENGTHS; i++)
        for (int shared = 0; shared < 2; shared++) {
            value v = text_new(h, data, lengths[i], false);
            heap_root_set_take(h, ROOT_KEYS, shared ? value_share(h, v) : VALUE_NIL);
            char after = data[lengths[i]];
            data[lengths[i]] = '\xc3';
            uint64_t before = heap_fixture_allocations(h);
            value w = text_append_take(h, v, "\xc3", 1);
            check_text(h, w, data, lengths[i] + 1, true);
            ck_assert_uint_le(heap_fixture_allocations(h) - before, 10);
            /* Bytes stay bytes, even if they would be a string again. */
            w = text_append_take(h, w, "\xa9", 1);
            ck_assert(text_is_bytes(w));
            ck_assert_uint_eq(text_length(h, w), lengths[i] + 2);
            data[lengths[i]] = after;
            if (shared) check_text(h, heap_root(h, ROOT_KEYS), data, lengths[i], false);
            value_release(h, w);
        }
    free(data);
    heap_fixture_close(h);
}
END_TEST

START_TEST(many_small_appends_copy_little)
{
    struct heap *h = heap_fixture_open(0);
    const size_t chunks = 40;
    value v = text_new(h, "", 0, false);
    char *data = malloc(chunks * CHUNK);
    fill(data, chunks * CHUNK, 6);
    uint64_t before = 0;
    for (size_t i = 0; i < chunks * CHUNK; i++) {
        if (i == 2 * CHUNK) before = heap_fixture_allocations(h);
        v = text_append_take(h, v, data + i, 1);
    }
    check_text(h, v, data, chunks * CHUNK, false);
    /* Each chunk starts at a granule and doubles; nodes double, too. */
    ck_assert_uint_le(heap_fixture_allocations(h) - before, (chunks - 2) * 14);
    value_release(h, v);
    free(data);
    heap_fixture_close(h);
}
END_TEST

START_TEST(appending_to_a_shared_rope_copies_its_edge_only)
{
    struct heap *h = heap_fixture_open(0);
    const size_t length = 130 * CHUNK + 77;
    char *data = malloc(length + 1);
    fill(data, length + 1, 7);
    value v = text_new(h, data, length, false);
    heap_root_set_take(h, ROOT_KEYS, value_share(h, v));
    struct heap_stats before, after;
    heap_stats(h, &before);
    value w = text_append_take(h, v, data + length, 1);
    heap_stats(h, &after);
    ck_assert_uint_lt(after.used_bytes - before.used_bytes, 4 * CHUNK);
    check_text(h, w, data, length + 1, false);
    check_text(h, v, data, length, false);
    /* The copy has one owner: it changes where it is. */
    value x = text_append_take(h, w, "!", 1);
    ck_assert_uint_eq(x, w);
    check_text(h, v, data, length, false);
    heap_root_set_take(h, ROOT_HANDLES, x);
    heap_root_set_take(h, ROOT_KEYS, VALUE_NIL);
    gc_collect(h);
    ck_assert_uint_eq(text_length(h, x), length + 2);
    free(data);
    heap_fixture_close(h);
}
END_TEST

/* Appends that fail at their n-th allocation leave everything as it was. */
START_TEST(appends_fail_whole)
{
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(2 * LENGTH_MOST);
    fill(data, 2 * LENGTH_MOST, 8);
    const size_t added[] = {1, 8, 300, CHUNK, 9 * CHUNK + 5};
    for (size_t i = 0; i < LENGTHS * 4 * (sizeof added / sizeof *added); i++) {
        size_t length = lengths[i / 4 % LENGTHS], more = added[i / 4 / LENGTHS];
        bool shared = i & 1, breaks = i & 2;
        char at_end = data[length + more - 1];
        if (breaks) data[length + more - 1] = '\xff';
        value v = text_new(h, data, length, false), w = VALUE_ABSENT;
        heap_root_set_take(h, ROOT_KEYS, shared ? value_share(h, v) : VALUE_NIL);
        uint64_t objects = heap_fixture_objects(h);
        for (uint64_t n = 1; w == VALUE_ABSENT; n++) {
            heap_fail_nth(h, n);
            w = text_append_take(h, v, data + length, more);
            heap_fail_nth(h, 0);
            if (w != VALUE_ABSENT) break;
            ck_assert(text_equals(h, v, data, length) && !text_is_bytes(v));
            ck_assert_uint_eq(heap_fixture_objects(h), objects);
            if (n % 4 == 1 && i % 16 < 4) heap_fixture_verify(h, "after a failed append");
        }
        check_text(h, w, data, length + more, breaks);
        if (shared) check_text(h, heap_root(h, ROOT_KEYS), data, length, false);
        data[length + more - 1] = at_end;
        value_release(h, w);
    }
    free(data);
    heap_fixture_close(h);
}
END_TEST

/* Texts in a frame with their naive models. */
#define TEXTS 12
#ifdef CAIRN_GC_STRESS
#define MODEL_MOST 30000
#else
#define MODEL_MOST 1200000
#endif
struct model {
    char *data[TEXTS];
    size_t length[TEXTS];
    bool is_bytes[TEXTS];
};

static void model_append(struct heap *h, struct root_frame *frame, struct model *m,
                         uint64_t *state)
{
    static char data[5 * CHUNK];
    size_t i = random_below(state, TEXTS), n = random_below(state, 4) == 0
                                                   ? random_below(state, sizeof data)
                                                   : random_below(state, 300);
    if (m->length[i] + n > MODEL_MOST) return;
    fill(data, n, random_next(state));
    bool breaks = n > 0 && random_below(state, 100) == 0;
    if (breaks) data[random_below(state, n)] = '\x80';
    if (random_below(state, 8) == 0) heap_fail_nth(h, 1 + random_below(state, 8));
    value v = text_append_take(h, frame->slots[i], data, n);
    heap_fail_nth(h, 0);
    if (v == VALUE_ABSENT) return;
    frame->slots[i] = v;
    memcpy(m->data[i] + m->length[i], data, n);
    m->length[i] += n;
    m->is_bytes[i] |= breaks;
}

#ifdef CAIRN_GC_STRESS /* many short programs; elsewhere one long one */
#define SEEDS 1000
#define STEPS 600
#else
#define SEEDS 1
#define STEPS 6000
#endif

static void random_program(uint64_t seed)
{
    uint64_t state = seed;
    struct heap *h = heap_fixture_open(0);
    struct model m = {.length = {0}};
    struct root_frame frame;
    root_frame_open(h, &frame);
    for (size_t i = 0; i < TEXTS; i++) {
        m.data[i] = malloc(MODEL_MOST);
        ck_assert_int_eq(root_frame_push_take(h, &frame, text_new(h, "", 0, false)), 0);
    }
    for (int step = 0; step < STEPS; step++) {
        heap_fixture_jitter(h, &state);
        root_frame_touch(h, &frame);
        size_t i = random_below(&state, TEXTS), j = random_below(&state, TEXTS);
        uint64_t r = random_below(&state, 100);
        if (r < 88) {
            model_append(h, &frame, &m, &state);
        } else if (r < 94) {
            value v = value_share(h, frame.slots[i]);
            value_release(h, frame.slots[j]);
            frame.slots[j] = v;
            memmove(m.data[j], m.data[i], m.length[i]);
            m.length[j] = m.length[i];
            m.is_bytes[j] = m.is_bytes[i];
        } else if (r == 94) {
            value_release(h, frame.slots[i]);
            frame.slots[i] = text_new(h, "", 0, false);
            m.length[i] = 0;
            m.is_bytes[i] = false;
        } else {
            check_text(h, frame.slots[i], m.data[i], m.length[i], m.is_bytes[i]);
        }
    }
    for (size_t i = 0; i < TEXTS; i++) {
        check_text(h, frame.slots[i], m.data[i], m.length[i], m.is_bytes[i]);
        free(m.data[i]);
    }
    heap_fixture_verify(h, "before the frame is closed");
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}

START_TEST(random_appends_to_shared_texts_follow_the_model)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("random", SEEDS);
    while (seeds_next(&seeds, &seed)) random_program(seed);
}
END_TEST

START_TEST(a_builder_takes_parts_of_any_size)
{
    uint64_t state = 9;
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(LENGTH_MOST);
    fill(data, LENGTH_MOST, 9);
    for (size_t i = 0; i < 3 * LENGTHS; i++) {
        size_t length = lengths[i % LENGTHS];
        bool is_bytes = i / LENGTHS == 1, breaks = i / LENGTHS == 2 && length > 0;
        char at_end = length > 0 ? data[length - 1] : 0;
        if (breaks) data[length - 1] = '\xe2';
        struct root_frame frame;
        struct text_builder b;
        root_frame_open(h, &frame);
        ck_assert_int_eq(root_frame_push_take(h, &frame, value_int(17)), 0);
        ck_assert_int_eq(text_builder_open(h, &b, &frame, length, is_bytes), 0);
        for (size_t offset = 0; offset < length;) {
            size_t n = length < 600 ? 1 : 1 + random_below(&state, length / 16);
            if (n > length - offset) n = length - offset;
            ck_assert_int_eq(text_builder_add(h, &b, data + offset, n), 0);
            offset += n;
            heap_fixture_jitter(h, &state);
        }
        ck_assert_int_eq(text_builder_close(h, &b), 0);
        ck_assert_uint_eq(frame.count, 2);
        check_text(h, frame.slots[1], data, length, is_bytes || breaks);
        if (length > 0) data[length - 1] = at_end;
        root_frame_close(h, &frame);
    }
    free(data);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_builder_judges_utf8_across_its_parts)
{
    struct heap *h = heap_fixture_open(0);
    const char *text = "\xf0\x9f\x8f\x94 \xe2\x82\xac \xc3\xa9";
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct root_frame frame;
        struct text_builder b;
        root_frame_open(h, &frame);
        ck_assert_int_eq(text_builder_open(h, &b, &frame, strlen(text), false), 0);
        ck_assert_int_eq(text_builder_add(h, &b, text, cut), 0);
        ck_assert_int_eq(text_builder_add(h, &b, text + cut, strlen(text) - cut), 0);
        ck_assert_int_eq(text_builder_close(h, &b), 0);
        check_text(h, frame.slots[0], text, strlen(text), false);
        root_frame_close(h, &frame);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(an_announced_length_costs_nothing)
{
    struct heap *h = heap_fixture_open(0);
    struct root_frame frame;
    struct text_builder b;
    struct heap_stats stats;
    root_frame_open(h, &frame);
    ck_assert_int_eq(text_builder_open(h, &b, &frame, (size_t)1 << 40, false), 0);
    ck_assert_int_eq(text_builder_add(h, &b, "Hi", 2), 0);
    heap_stats(h, &stats);
    ck_assert_uint_le(stats.used_bytes, 64);
    root_frame_close(h, &frame);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_builder_that_runs_out_of_memory_can_be_given_up)
{
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(3 * CHUNK);
    fill(data, 3 * CHUNK, 10);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct root_frame frame;
        struct text_builder b;
        root_frame_open(h, &frame);
        heap_fail_nth(h, n);
        failed = text_builder_open(h, &b, &frame, 3 * CHUNK, false) != 0 ||
                 text_builder_add(h, &b, data, CHUNK / 2) != 0 ||
                 text_builder_add(h, &b, data + CHUNK / 2, 2 * CHUNK) != 0 ||
                 text_builder_close(h, &b) != 0;
        failed |= !heap_fail_pending(h);
        heap_fail_nth(h, 0);
        heap_fixture_verify(h, "after a builder");
        if (!failed) check_text(h, frame.slots[0], data, CHUNK / 2 + 2 * CHUNK, false);
        root_frame_close(h, &frame);
        ck_assert_uint_eq(heap_fixture_objects(h), 0);
    }
    free(data);
    heap_fixture_close(h);
}
END_TEST

START_TEST(extensions_come_back_as_they_were)
{
    struct heap *h = heap_fixture_open(0);
    char *data = malloc(EXT_BYTES_MAX + 1);
    fill(data, EXT_BYTES_MAX + 1, 11);
    const size_t sizes[] = {0, 1, 8, 254, 255, 256, CELL_BYTES_MAX - 8, CELL_BYTES_MAX - 7,
                            PAGE_BYTES, EXT_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int8_t type = (int8_t)(i % 2 ? -1 - (int)i : 100 + (int)i);
        value v = ext_new(h, type, data, sizes[i]);
        ck_assert(value_is_kind(v, KIND_EXT) && !value_is_text(v));
        ck_assert_int_eq(ext_type(h, v), type);
        size_t length;
        const char *content = ext_data(h, v, &length);
        ck_assert_uint_eq(length, sizes[i]);
        ck_assert_mem_eq(content, data, length);
        value_release(h, v);
    }
    ck_assert_uint_eq(ext_new(h, 1, data, EXT_BYTES_MAX + 1), VALUE_ABSENT);
    free(data);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_form_follows_the_length);
    tcase_add_test(tcase, a_string_that_is_not_utf8_is_bytes);
    tcase_add_test(tcase, texts_compare_by_bytes);
    tcase_add_test(tcase, appending_gives_what_making_it_whole_gives);
    tcase_add_test(tcase, an_append_that_breaks_utf8_makes_bytes_without_copying);
    tcase_add_test(tcase, many_small_appends_copy_little);
    tcase_add_test(tcase, appending_to_a_shared_rope_copies_its_edge_only);
    tcase_add_test(tcase, appends_fail_whole);
    tcase_add_test(tcase, a_builder_takes_parts_of_any_size);
    tcase_add_test(tcase, a_builder_judges_utf8_across_its_parts);
    tcase_add_test(tcase, an_announced_length_costs_nothing);
    tcase_add_test(tcase, a_builder_that_runs_out_of_memory_can_be_given_up);
    tcase_add_test(tcase, extensions_come_back_as_they_were);
    suite_add_tcase(suite, tcase);
    TCase *random = seeds_tcase("random");
    tcase_add_test(random, random_appends_to_shared_texts_follow_the_model);
    suite_add_tcase(suite, random);
    return suite;
}
