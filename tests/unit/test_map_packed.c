/* test_map_packed.c - segmented maps: every form of key and value in a packed segment, and what
 * turns one into another; views; merging; entries that are readied. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "heap/equal.h"
#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map_packed.h"
#include "heap/number.h"
#include "heap/weak.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#if defined(CAIRN_GC_STRESS)
#define LARGE 3000
#define SMALL 60
#define CROWDED * 12 / 10 /* small segments have more overhead */
#elif defined(__SANITIZE_ADDRESS__) || defined(CAIRN_DEBUG)
#define LARGE 30000
#define SMALL 300
#else
#define LARGE 300000
#define SMALL 3000
#endif
#ifndef CROWDED
#define CROWDED
#endif
#define FILLING (MAP_ORDERED_MAX + 1)

/* A segmented map in ROOT_KEYS: it has integers from 1000000 on, which the tests leave alone. */
static value filled_map(struct heap *h)
{
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    for (int64_t i = 0; i < FILLING; i++) {
        struct map_key key;
        model_assert(map_key_value(h, &key, value_int(1000000 + i)) == 0);
        model_assert(map_set_take(h, map, &key, VALUE_NIL) == 0);
    }
    ck_assert_str_eq(map_representation(h, map), "segmented");
    return map;
}

/* --- forms ----------------------------------------------------------------------------------*/

#define VALUE_FORMS 31

static value text_of(struct heap *h, size_t length, bool is_bytes)
{
    char text[2000];
    for (size_t i = 0; i < length; i++) text[i] = (char)('a' + (i * 7 + length) % 26);
    if (is_bytes && length) text[0] = (char)0xff;
    return text_new(h, text, length, is_bytes);
}

/* An owned value of each form that an entry can hold. */
static value value_form(struct heap *h, unsigned form)
{
    static const int64_t ints[] = {0, -1, 127, -128, 128, 40000, -9000000, (int64_t)1 << 30,
                                   (int64_t)1 << 38, -((int64_t)1 << 46), (int64_t)1 << 54,
                                   VALUE_INT_MAX, VALUE_INT_MIN, INT64_MAX};
    if (form < 14) return number_from_int64(h, ints[form]);
    switch (form) {
    case 14: return VALUE_NIL;
    case 15: return VALUE_FALSE;
    case 16: return VALUE_TRUE;
    case 17: return number_from_double(h, 1.5);
    case 18: return number_from_double(h, 1e300);
    case 19: return number_from_uint64(h, UINT64_MAX);
    case 20: return text_of(h, 0, false);
    case 21: return text_of(h, 7, false);
    case 22: return text_of(h, 7, true);
    case 23: return text_of(h, 8, false);
    case 24: return text_of(h, 33, true);
    case 25: return text_of(h, PACKED_TEXT_MAX, false);
    case 26: return text_of(h, PACKED_TEXT_MAX + 1, false);
    case 27: return text_of(h, 1000, true);
    case 28: return list_new(h);
    case 29: return map_new(h);
    default: return value_share(h, text_of(h, 20, false));
    }
}

#define KEY_FORMS 17

static value key_form(struct heap *h, unsigned form)
{
    switch (form) {
    case 0: return text_of(h, 0, false);
    case 1: return text_of(h, 1, false);
    case 2: return text_of(h, 7, true);
    case 3: return text_of(h, 8, false);
    case 4: return text_of(h, 16, true);
    case 5: return text_of(h, PACKED_TEXT_MAX, false);
    case 6: return text_of(h, PACKED_TEXT_MAX + 1, true);
    case 7: return text_of(h, 900, false);
    case 8: return VALUE_TRUE;
    case 9: return value_int(-3);
    case 10: return value_int(300);
    case 11: return value_int(-70000);
    case 12: return value_int((int64_t)1 << 31);
    case 13: return value_int(-((int64_t)1 << 50));
    case 14: return value_double(0.25);
    case 15: return number_from_uint64(h, UINT64_MAX);
    default: return number_from_double(h, NAN);
    }
}

static bool value_has_form(struct heap *h, value v, unsigned form)
{
    value expected = value_form(h, form);
    bool equal = v != VALUE_ABSENT && value_equal(h, v, expected, 10000) == 1;
    value_release(h, expected);
    return equal;
}

static int set_form(struct heap *h, value map, unsigned key, unsigned form)
{
    struct map_key k;
    value key_value = key_form(h, key), v = value_form(h, form);
    int status = -ENOMEM;
    if (key_value != VALUE_ABSENT && v != VALUE_ABSENT) {
        model_assert(map_key_value(h, &k, key_value) == 0);
        status = map_set_take(h, map, &k, v);
    }
    if (status < 0) value_release(h, v);
    value_release(h, key_value);
    return status;
}

static value get_form(struct heap *h, value map, unsigned key)
{
    struct map_key k;
    value key_value = key_form(h, key);
    model_assert(map_key_value(h, &k, key_value) == 0);
    value v = map_get(h, map, &k);
    value_release(h, key_value);
    return v;
}

static int remove_form(struct heap *h, value map, unsigned key, value *out)
{
    struct map_key k;
    value key_value = key_form(h, key);
    model_assert(map_key_value(h, &k, key_value) == 0);
    int status = map_remove(h, map, &k, out);
    value_release(h, key_value);
    return status;
}

START_TEST(every_value_follows_every_other_under_every_key)
{
    struct heap *h = heap_fixture_open(0);
    value map = filled_map(h);
    uint64_t random = 1;
    for (unsigned from = 0; from < VALUE_FORMS; from++)
        for (unsigned to = 0; to < VALUE_FORMS; to++) {
            unsigned key = (from * VALUE_FORMS + to) % KEY_FORMS;
            model_assert(set_form(h, map, key, from) == 0);
            model_assert(value_has_form(h, get_form(h, map, key), from));
            model_assert(set_form(h, map, key, to) == 0);
            model_assert(value_has_form(h, get_form(h, map, key), to));
            heap_fixture_jitter(h, &random);
            if (to == 7) heap_fixture_verify(h, "between forms");
            if ((from + to) % 3) continue;
            value removed;
            model_assert(remove_form(h, map, key, &removed) == 0);
            model_assert(!value_is_view(removed) && value_has_form(h, removed, to));
            value_release(h, removed);
            model_assert(get_form(h, map, key) == VALUE_ABSENT);
        }
    for (unsigned key = 0; key < KEY_FORMS; key++) remove_form(h, map, key, NULL);
    ck_assert_uint_eq(map_count(h, map), FILLING);
    heap_fixture_verify(h, "with the filling only");
    heap_fixture_close(h);
}
END_TEST

/* Until it succeeds, with the n-th allocation failing: then what was there is there. */
START_TEST(every_change_of_form_is_whole_or_not_at_all)
{
    struct heap *h = heap_fixture_open(0);
    value map = filled_map(h);
    unsigned failures = 0;
    for (unsigned to = 0; to < VALUE_FORMS; to++) {
        unsigned from = (to + (unsigned)_i) % VALUE_FORMS;
        unsigned key = (to * 5 + (unsigned)_i) % KEY_FORMS;
        remove_form(h, map, key, NULL);
        for (unsigned n = 1;; n++) {
            model_assert(set_form(h, map, key, from) == 0);
            heap_fail_nth(h, n);
            int status = set_form(h, map, key, to);
            bool pending = heap_fail_pending(h);
            heap_fail_nth(h, 0);
            model_assert(value_has_form(h, get_form(h, map, key), status == 0 ? to : from));
            if (status == 0 && pending) break;
            failures++;
        }
        heap_fail_nth(h, 1);
        value removed = VALUE_ABSENT;
        struct map_key k;
        heap_fail_nth(h, 0);
        value key_value = key_form(h, key);
        model_assert(map_key_value(h, &k, key_value) == 0);
        bool packed_text = value_is_view(map_get(h, map, &k));
        heap_fail_nth(h, 1);
        int status = map_remove(h, map, &k, &removed);
        heap_fail_nth(h, 0);
        model_assert(status == (packed_text ? -ENOMEM : 0));
        if (status == 0) value_release(h, removed);
        value_release(h, key_value);
        if (packed_text) model_assert(value_has_form(h, get_form(h, map, key), to));
        heap_fixture_verify(h, "after failures");
    }
    ck_assert_uint_gt(failures, VALUE_FORMS / 2);
    heap_fixture_close(h);
}
END_TEST

/* --- views ----------------------------------------------------------------------------------*/

START_TEST(a_view_reads_as_the_text_it_is)
{
    struct heap *h = heap_fixture_open(0);
    value map = filled_map(h);
    for (unsigned form = 20; form <= 25; form++) {
        model_assert(set_form(h, map, 3, form) == 0);
        value v = get_form(h, map, 3), text = value_form(h, form);
        bool is_long = text_length(h, text) > VALUE_INLINE_TEXT_MAX;
        ck_assert_int_eq(value_is_view(v), is_long);
        ck_assert(value_is_text(v) && !value_is_ref(v) && !value_is_weak(v));
        ck_assert_int_eq(text_is_bytes(v), text_is_bytes(text));
        ck_assert_uint_eq(text_length(h, v), text_length(h, text));
        ck_assert_int_eq(text_compare(h, v, text), 0);
        ck_assert_int_eq(value_equal(h, v, text, 10), 1);
        ck_assert_int_eq(value_equal(h, text, v, 10), 1);
        struct map_key a, b;
        ck_assert_int_eq(map_key_value(h, &a, v), 0);
        ck_assert_int_eq(map_key_value(h, &b, text), 0);
        ck_assert_uint_eq(a.hash, b.hash);
        ck_assert_uint_eq(map_page_cursor(h, v), map_page_cursor(h, text));
        value own = text_own(h, v);
        ck_assert(!value_is_view(own) && value_equal(h, own, text, 10) == 1);
        ck_assert(!is_long || !value_is_shared(h, own));
        heap_fail_nth(h, 1);
        ck_assert(!is_long || text_own(h, v) == VALUE_ABSENT);
        heap_fail_nth(h, 0);
        value_release(h, own);
        value_release(h, text);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_shared_text_keeps_its_cell)
{
    struct heap *h = heap_fixture_open(0);
    value map = filled_map(h), list = list_new(h), text = value_share(h, text_of(h, 20, false));
    heap_root_set_take(h, ROOT_HANDLES, list);
    ck_assert_int_eq(list_push_take(h, list, text), 0);
    struct map_key key;
    map_key_text(h, &key, "a key of some length", 20);
    ck_assert_int_eq(map_set_take(h, map, &key, text), 0);
    ck_assert_uint_eq(map_get(h, map, &key), text);
    ck_assert_int_eq(map_remove(h, map, &key, NULL), 0);
    ck_assert_int_eq(text_compare(h, list_get(h, list, 0), text), 0);
    heap_fixture_close(h);
}
END_TEST

/* --- memory ---------------------------------------------------------------------------------*/

static size_t used_bytes(struct heap *h)
{
    struct heap_stats stats;
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    heap_stats(h, &stats);
    return stats.used_bytes;
}

static void set_number(struct heap *h, value map, int64_t i, value v)
{
    struct map_key key;
    model_assert(map_key_value(h, &key, value_int(i)) == 0);
    model_assert(map_set_take(h, map, &key, v) == 0);
}

/* Nearly all entries go, in any order; then all come again. */
START_TEST(a_map_that_shrinks_gives_its_memory_back)
{
    struct heap *h = heap_fixture_open(0);
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    for (unsigned round = 0; round < 3; round++) {
        for (int64_t i = 0; i < LARGE; i++)
            set_number(h, map, i, i % 4 ? value_int(i) : map_new(h));
        heap_fixture_verify(h, "full");
        uint64_t random = round;
        for (int64_t i = 0; i < LARGE; i++) {
            int64_t id = (i * 7919) % LARGE; /* 7919 is prime to it */
            if (id % (LARGE / SMALL) == 0) continue;
            struct map_key key;
            model_assert(map_key_value(h, &key, value_int(id)) == 0);
            model_assert(map_remove(h, map, &key, NULL) == 0);
            if (i % 16 == 0) heap_fixture_jitter(h, &random);
        }
        heap_fixture_verify(h, "shrunk");
        ck_assert_uint_eq(map_count(h, map), SMALL);
        gc_collect(h);
        ck_assert_uint_le(used_bytes(h), SMALL * 64 + 8 * SEGMENT_BYTES_MAX);
        for (int64_t id = 0; id < LARGE; id += LARGE / SMALL) {
            struct map_key key;
            model_assert(map_key_value(h, &key, value_int(id)) == 0);
            value v = map_get(h, map, &key);
            model_assert(id % 4 ? v == value_int(id) : value_is_kind(v, KIND_MAP));
        }
    }
    heap_fixture_close(h);
}
END_TEST

/* Bytes in cells for each entry of a large map: a set of integers, and short texts. */
START_TEST(entries_are_small)
{
    struct heap *h = heap_fixture_open(0);
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    for (int64_t i = 0; i < LARGE; i++) set_number(h, map, i, VALUE_NIL);
    ck_assert_uint_le(used_bytes(h), LARGE * 10 CROWDED);
    map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    for (int64_t i = 0; i < LARGE; i++) {
        char name[32];
        struct map_key key;
        int length = snprintf(name, sizeof name, "key:%012ld", i);
        map_key_text(h, &key, name, (size_t)length);
        model_assert(map_set_take(h, map, &key, text_new(h, name + 6, 10, false)) == 0);
    }
    ck_assert_uint_le(used_bytes(h), LARGE * 38 CROWDED);
    heap_fixture_close(h);
}
END_TEST

/* --- readiness ------------------------------------------------------------------------------*/

/* All keys are readied, then set with no allocation allowed, some of them twice. */
START_TEST(what_is_ready_needs_no_memory)
{
    struct heap *h = heap_fixture_open(0);
    value map = filled_map(h);
    for (unsigned round = 0; round < VALUE_FORMS; round++) {
        value keys[KEY_FORMS], values[2 * KEY_FORMS];
        struct map_key key[KEY_FORMS];
        for (unsigned i = 0; i < KEY_FORMS; i++) {
            keys[i] = key_form(h, i);
            ck_assert_int_eq(map_key_value(h, &key[i], keys[i]), 0);
            if (map_get(h, map, &key[i]) == VALUE_ABSENT)
                ck_assert_int_eq(map_set_take(h, map, &key[i], VALUE_NIL), 0);
        }
        for (unsigned i = 0; i < 2 * KEY_FORMS; i++) {
            values[i] = value_form(h, (i + round) % VALUE_FORMS);
            for (unsigned n = 1, status = 1; status; n++) {
                value held = map_get(h, map, &key[i % KEY_FORMS]);
                value before = value_is_ref(held) ? held : text_own(h, held);
                heap_fail_nth(h, n);
                status = map_ready(h, map, &key[i % KEY_FORMS], values[i]) != 0;
                heap_fail_nth(h, 0);
                value after = map_get(h, map, &key[i % KEY_FORMS]);
                model_assert(value_equal(h, before, after, 10000) == 1);
                if (before != held) value_release(h, before);
            }
        }
        heap_fixture_verify(h, "ready");
        uint64_t allocations = heap_fixture_allocations(h);
        for (unsigned i = 0; i < 2 * KEY_FORMS; i++)
            map_set_ready_take(h, map, &key[i % KEY_FORMS], values[i]);
        ck_assert_uint_eq(heap_fixture_allocations(h), allocations);
        heap_fixture_verify(h, "set");
        for (unsigned i = 0; i < KEY_FORMS; i++) {
            if (i % 2) map_settle(h, map, &key[i]);
            ck_assert(value_has_form(h, map_get(h, map, &key[i]),
                                     (i + KEY_FORMS + round) % VALUE_FORMS));
            value_release(h, keys[i]);
        }
        heap_fixture_verify(h, "settled");
    }
    heap_fixture_close(h);
}
END_TEST

/* --- paging and iterating -------------------------------------------------------------------*/

START_TEST(pages_and_iterators_lend_every_form)
{
    struct heap *h = heap_fixture_open(0);
    value map = filled_map(h), page[64];
    size_t met = 0, forms = 0;
    for (unsigned key = 0; key < KEY_FORMS; key++)
        ck_assert_int_eq(set_form(h, map, key, 20 + key % 9), 0);
    struct map_iterator it = {0};
    value key, v;
    for (; map_next(h, map, &it, &key, &v); met++) {
        struct map_key k;
        model_assert(map_key_value(h, &k, key) == 0 && map_get(h, map, &k) == v);
        forms += v != VALUE_NIL;
    }
    ck_assert_uint_eq(met, FILLING + KEY_FORMS);
    ck_assert_uint_eq(forms, KEY_FORMS);
    uint64_t cursor = 0;
    met = 0;
    do {
        size_t count = map_page(h, map, cursor, &cursor, page, 32);
        for (size_t i = 0; i < count; i++) {
            struct map_key k;
            model_assert(map_key_value(h, &k, page[2 * i]) == 0);
            model_assert(map_get(h, map, &k) == page[2 * i + 1]);
        }
        met += count;
    } while (cursor);
    ck_assert_uint_eq(met, FILLING + KEY_FORMS);
    heap_fixture_close(h);
}
END_TEST

/* An insertion splits one segment or renews one, never both, however long its key is; and besides
 * the cells of that it takes few others: of segments that leave a sparse page. */
START_TEST(an_insertion_changes_one_segment)
{
    struct heap *h = heap_fixture_open((size_t)256 << 20);
    value map = filled_map(h);
    struct gc_stats stats;
    gc_stats(h, &stats);
    uint64_t renewals = stats.split.count, allocations = heap_fixture_allocations(h);
    for (int64_t i = 0; i < LARGE; i++) {
        char name[PACKED_TEXT_MAX];
        struct map_key key;
        memset(name, '.', sizeof name);
        size_t length = 20 + (size_t)i * 7 % (sizeof name - 20);
        snprintf(name, 20, "%018ld", i);
        map_key_text(h, &key, name, length);
        model_assert(map_set_take(h, map, &key, value_int(i)) == 0);
        gc_stats(h, &stats);
        uint64_t after = heap_fixture_allocations(h);
        model_assert_msg(stats.split.count <= renewals + 1, "entry %ld renewed %lu segments", i,
                         stats.split.count - renewals);
        model_assert_msg(after <= allocations + 4, "entry %ld took %lu cells", i,
                         after - allocations);
        renewals = stats.split.count;
        allocations = after;
    }
    heap_fixture_verify(h, "grown");
    heap_fixture_close(h);
}
END_TEST

/* Entries whose keys are words of their own, and whose packed values take two bytes as the number
 * of a word does: not all of a full segment can get one more. */
START_TEST(values_that_become_words_split_a_segment)
{
#ifdef CAIRN_GC_STRESS
    enum { COUNT = 20000 };
#else
    enum { COUNT = 300000 };
#endif
    struct heap *h = heap_fixture_open((size_t)256 << 20);
    value map = map_new(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < COUNT; i++) {
            struct map_key key;
            value boxed = number_from_double(h, 1e300 * (1 + i));
            model_assert(map_key_value(h, &key, boxed) == 0);
            model_assert(map_set_take(h, map, &key, pass ? list_new(h) : value_int(1000)) == 0);
            value_release(h, boxed);
        }
    ck_assert_uint_eq(map_count(h, map), COUNT);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("map_packed");
    TCase *tcase = tcase_create("map_packed");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_value_follows_every_other_under_every_key);
    tcase_add_loop_test(tcase, every_change_of_form_is_whole_or_not_at_all, 0, 8);
    tcase_add_test(tcase, a_view_reads_as_the_text_it_is);
    tcase_add_test(tcase, a_shared_text_keeps_its_cell);
    tcase_add_test(tcase, a_map_that_shrinks_gives_its_memory_back);
    tcase_add_test(tcase, entries_are_small);
    tcase_add_test(tcase, what_is_ready_needs_no_memory);
    tcase_add_test(tcase, pages_and_iterators_lend_every_form);
    tcase_add_test(tcase, values_that_become_words_split_a_segment);
    tcase_add_test(tcase, an_insertion_changes_one_segment);
    suite_add_tcase(suite, tcase);
    return suite;
}
