/* test_map.c - maps, call by call: keys, order, the turns between representations, bounded work. */
#include "heap/map.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/gc.h"
#include "heap/list.h"
#include "heap/number.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/scale.h"

static value root_map(struct heap *h)
{
    value map = map_new(h);
    ck_assert_uint_ne(map, VALUE_ABSENT);
    heap_root_set_take(h, ROOT_KEYS, map);
    return map;
}

static void set_text(struct heap *h, value map, const char *name, int64_t v)
{
    struct map_key key;
    map_key_text(h, &key, name, strlen(name));
    model_assert(map_set_take(h, map, &key, value_int(v)) == 0);
}

static value get_text(struct heap *h, value map, const char *name)
{
    struct map_key key;
    map_key_text(h, &key, name, strlen(name));
    return map_get(h, map, &key);
}

static void remove_text(struct heap *h, value map, const char *name)
{
    struct map_key key;
    map_key_text(h, &key, name, strlen(name));
    ck_assert_int_eq(map_remove(h, map, &key, NULL), 0);
}

/* Consumes the key. */
static void set_key(struct heap *h, value map, value key_value, int64_t v)
{
    struct map_key key;
    ck_assert_uint_ne(key_value, VALUE_ABSENT);
    ck_assert_int_eq(map_key_value(h, &key, key_value), 0);
    ck_assert_int_eq(map_set_take(h, map, &key, value_int(v)), 0);
    value_release(h, key_value);
}

static value get_key(struct heap *h, value map, value key_value)
{
    struct map_key key;
    ck_assert_uint_ne(key_value, VALUE_ABSENT);
    ck_assert_int_eq(map_key_value(h, &key, key_value), 0);
    value v = map_get(h, map, &key);
    value_release(h, key_value);
    return v;
}

/* --- keys -----------------------------------------------------------------------------------*/

START_TEST(strings_and_bytes_are_one_key)
{
    const char *const names[] = {"", "short", "seven b", "a name of many bytes"};
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h);
    for (size_t i = 0; i < 4; i++)
        set_key(h, map, text_new(h, names[i], strlen(names[i]), i % 2), (int64_t)i);
    for (size_t i = 0; i < 4; i++) {
        size_t length = strlen(names[i]);
        ck_assert_uint_eq(get_key(h, map, text_new(h, names[i], length, false)), value_int(i));
        ck_assert_uint_eq(get_key(h, map, text_new(h, names[i], length, true)), value_int(i));
        ck_assert_uint_eq(get_text(h, map, names[i]), value_int(i));
    }
    /* Whatever they came as, keys that are valid UTF-8 read as strings. */
    struct map_iterator it = {0};
    value key, v;
    while (map_next(h, map, &it, &key, &v)) ck_assert(!text_is_bytes(key));
    ck_assert_uint_eq(map_count(h, map), 4);

    set_key(h, map, text_new(h, "\xff", 1, true), 5);
    set_key(h, map, text_new(h, "\xff and many more bytes", 21, true), 6);
    ck_assert_uint_eq(get_text(h, map, "\xff"), value_int(5));
    ck_assert_uint_eq(get_text(h, map, "\xff and many more bytes"), value_int(6));
    it = (struct map_iterator){0};
    for (size_t bytes = 0; map_next(h, map, &it, &key, &v); bytes += text_is_bytes(key))
        ck_assert_uint_le(bytes, 2);
    heap_fixture_close(h);
}
END_TEST

START_TEST(keys_of_every_type_differ)
{
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h);
    const int64_t ints[] = {0, 1, -1, VALUE_INT_MAX, VALUE_INT_MIN, VALUE_INT_MAX + 1,
                            VALUE_INT_MIN - 1, INT64_MAX, INT64_MIN};
    const uint64_t uints[] = {(uint64_t)INT64_MAX + 1, UINT64_MAX};
    const double doubles[] = {0.0, -0.0, 1.0, -1.0, 1e300, -1e300, 5e-324,
                              INFINITY, -INFINITY, NAN};
    const char *const texts[] = {"", "0", "1", "true", "18446744073709551615"};
    int64_t n = 0;
    for (int round = 0; round < 2; round++) {
        int64_t expected = 0;
#define KEY(make)                                                                      \
    do {                                                                               \
        if (round == 0)                                                                \
            set_key(h, map, make, n++);                                                \
        else                                                                           \
            ck_assert_uint_eq(get_key(h, map, make), value_int(expected++));           \
    } while (0)
        for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) KEY(number_from_int64(h, ints[i]));
        for (size_t i = 0; i < sizeof uints / sizeof *uints; i++)
            KEY(number_from_uint64(h, uints[i]));
        for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
            KEY(number_from_double(h, doubles[i]));
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            KEY(text_new(h, texts[i], strlen(texts[i]), false));
        KEY(VALUE_FALSE);
        KEY(VALUE_TRUE);
#undef KEY
    }
    ck_assert_uint_eq(map_count(h, map), (size_t)n);
    /* All that is not a number is one key, whatever its bits. */
    ck_assert_uint_eq(get_key(h, map, number_from_double(h, -NAN)),
                      get_key(h, map, number_from_double(h, NAN)));
    uint64_t bits = 0x7ff0000000000001;
    double signalling;
    memcpy(&signalling, &bits, sizeof signalling);
    ck_assert_uint_eq(get_key(h, map, number_from_double(h, signalling)),
                      get_key(h, map, number_from_double(h, NAN)));
    heap_fixture_close(h);
}
END_TEST

/* Each key is one that a client can send; were hashes of words those of their bytes, it could
 * make as many pairs of equal hashes as it likes. */
START_TEST(a_text_cannot_have_the_hash_of_a_scalar)
{
    struct heap *h = heap_fixture_open(0);
    struct map_key word, text;
    map_key_text(h, &word, "ab", 2);
    value v = word.word;
    map_key_text(h, &text, &v, sizeof v);
    ck_assert_uint_ne(word.hash, text.hash);
    ck_assert_int_eq(map_key_value(h, &word, value_int(-7)), 0);
    v = value_int(-7);
    map_key_text(h, &text, &v, sizeof v);
    ck_assert_uint_ne(word.hash, text.hash);
    heap_fixture_close(h);
}
END_TEST

START_TEST(other_keys_are_refused)
{
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h), list = list_new(h), inner = map_new(h);
    char *large = calloc(1, TEXT_CELL_MAX + 1);
    value rope = text_new(h, large, TEXT_CELL_MAX + 1, false);
    struct map_key key;
    ck_assert_int_eq(map_key_value(h, &key, VALUE_NIL), -EINVAL);
    ck_assert_int_eq(map_key_value(h, &key, list), -EINVAL);
    ck_assert_int_eq(map_key_value(h, &key, inner), -EINVAL);
    ck_assert_int_eq(map_key_value(h, &key, rope), -EINVAL);
    map_key_text(h, &key, large, MAP_KEY_BYTES_MAX + 1);
    ck_assert_uint_eq(map_get(h, map, &key), VALUE_ABSENT);
    ck_assert_int_eq(map_set_take(h, map, &key, VALUE_TRUE), -EINVAL);
    ck_assert_int_eq(map_remove(h, map, &key, NULL), -ENOENT);
    ck_assert_uint_eq(map_count(h, map), 0);
    map_key_text(h, &key, large, MAP_KEY_BYTES_MAX);
    ck_assert_int_eq(map_set_take(h, map, &key, VALUE_TRUE), 0);
    ck_assert_uint_eq(map_get(h, map, &key), VALUE_TRUE);
    value_release(h, list);
    value_release(h, inner);
    value_release(h, rope);
    free(large);
    heap_fixture_close(h);
}
END_TEST

/* --- entries --------------------------------------------------------------------------------*/

/* In a record, a linear and an ordered map. */
START_TEST(what_is_set_again_after_removal_comes_last)
{
    static const size_t sizes[] = {5, 6, 40};
    static const enum model_keys keys[] = {KEYS_TEXT, KEYS_NUMBERS, KEYS_MIXED};
    static const char *const names[] = {"record", "linear", "ordered"};
    struct heap *h = heap_fixture_open(0);
    struct map_model m;
    model_open(&m, h, keys[_i], sizes[_i]);
    for (size_t id = 0; id < m.universe; id++) ck_assert_int_eq(model_set(&m, id), 0);
    ck_assert_str_eq(map_representation(h, m.map), names[_i]);
    for (size_t id = 0; id < m.universe; id += 2) {
        model_remove(&m, id);
        ck_assert_int_eq(model_set(&m, id), 0);
        model_check(&m, "after one was removed and set again");
    }
    model_remove(&m, 1);
    model_remove(&m, 3);
    ck_assert_int_eq(model_set(&m, 3), 0);
    ck_assert_int_eq(model_set(&m, 1), 0);
    ck_assert_int_eq(model_set(&m, 0), 0); /* replacing keeps the place */
    model_check(&m, "after two changed places");
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

START_TEST(replacing_releases_what_was_there)
{
    struct heap *h = heap_fixture_open(0);
    struct map_model m;
    static const size_t sizes[] = {4, 30, MAP_ORDERED_MAX + 10};
    model_open(&m, h, KEYS_TEXT, sizes[_i]);
    for (size_t id = 0; id < m.universe; id++) {
        m.entries[id].version = 1; /* the next one is a map with a leaf */
        ck_assert_int_eq(model_set(&m, id), 0);
    }
    uint64_t objects = heap_fixture_objects(h), kept = 0;
    for (size_t id = 0; id < m.universe; id++) ck_assert_int_eq(model_set(&m, id), 0);
    /* A segmented map has no cells for words either, once no value needs one. */
    if (m.universe > MAP_ORDERED_MAX) kept = MAP_ORDERED_MAX / 8;
    ck_assert_uint_le(heap_fixture_objects(h), objects - 2 * m.universe);
    ck_assert_uint_ge(heap_fixture_objects(h) + kept, objects - 2 * m.universe);
    model_check(&m, "when all values are words");
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_nil_value_is_there)
{
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h);
    struct map_key key;
    map_key_text(h, &key, "nothing", 7);
    ck_assert_uint_eq(map_get(h, map, &key), VALUE_ABSENT);
    ck_assert_int_eq(map_set_take(h, map, &key, VALUE_NIL), 0);
    ck_assert_uint_eq(map_get(h, map, &key), VALUE_NIL);
    ck_assert_uint_eq(map_count(h, map), 1);
    value v = VALUE_TRUE;
    ck_assert_int_eq(map_remove(h, map, &key, &v), 0);
    ck_assert_uint_eq(v, VALUE_NIL);
    ck_assert_int_eq(map_remove(h, map, &key, &v), -ENOENT);
    heap_fixture_close(h);
}
END_TEST

/* --- representations ------------------------------------------------------------------------*/

START_TEST(a_map_turns_as_it_grows)
{
    struct heap *h = heap_fixture_open(0);
    struct map_model m;
    model_open(&m, h, KEYS_NUMBERS, MAP_ORDERED_MAX * 3);
    for (size_t id = 0; id < m.universe; id++) {
        ck_assert_int_eq(model_set(&m, id), 0);
        const char *expected = id < MAP_LINEAR_MAX    ? "linear"
                               : id < MAP_ORDERED_MAX ? "ordered"
                                                      : "segmented";
        model_assert(strcmp(map_representation(h, m.map), expected) == 0);
    }
    model_check(&m, "grown");
    heap_fixture_verify(h, "grown");
    for (size_t id = m.universe; id-- > 0;) model_remove(&m, id);
    model_check(&m, "emptied");
    ck_assert_uint_eq(heap_fixture_objects(h), 1);
    /* And it may become anything again. */
    set_text(h, m.map, "name", 1);
    ck_assert_str_eq(map_representation(h, m.map), "record");
    ck_assert_uint_eq(get_text(h, m.map, "name"), value_int(1));
    remove_text(h, m.map, "name");
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_record_turns_when_a_key_is_no_name)
{
    struct heap *h = heap_fixture_open(0);
    static const size_t sizes[] = {1, 7, 8, 16};
    for (size_t i = 0; i < 4; i++) {
        struct map_model m;
        model_open(&m, h, KEYS_MIXED, 20);
        for (size_t id = 0, count = 0; count < sizes[i]; id++) {
            value key = model_key(h, KEYS_MIXED, id);
            bool is_text = value_is_text(key);
            value_release(h, key);
            if (!is_text) continue;
            if (count++ == 3) heap_fixture_verify(h, "while the record grows");
            ck_assert_int_eq(model_set(&m, id), 0);
            if (m.universe == id + 1) break;
        }
        ck_assert_str_eq(map_representation(h, m.map), "record");
        ck_assert_int_eq(model_set(&m, 0), 0); /* false */
        ck_assert_str_eq(map_representation(h, m.map),
                         m.count <= MAP_LINEAR_MAX ? "linear" : "ordered");
        model_check(&m, "turned");
        heap_fixture_verify(h, "turned");
        model_close(&m);
    }
    heap_fixture_close(h);
}
END_TEST

/* No insertion makes more than a few cells, whatever the size: the turn to a segmented map
 * makes its node and segments, a split two segments and a node. */
START_TEST(work_is_bounded)
{
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h);
    uint64_t before = heap_fixture_allocations(h);
    for (int64_t i = 0; i < MILLION / 4; i++) {
        const char *representation = map_representation(h, map);
        struct map_key key;
        model_assert(map_key_value(h, &key, value_int(i)) == 0);
        model_assert(map_set_take(h, map, &key, value_int(i)) == 0);
        uint64_t after = heap_fixture_allocations(h), made = after - before;
        bool turned = strcmp(map_representation(h, map), representation) != 0;
        model_assert_msg(made <= (turned ? 32 : 6), "entry %ld took %lu cells", i, made);
        before = after;
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_large_map_that_shrinks_gives_its_segments_back)
{
    struct heap *h = heap_fixture_open(0);
    struct map_model m;
    model_open(&m, h, KEYS_NUMBERS, MAP_ORDERED_MAX * 8);
    for (size_t id = 0; id < m.universe; id++) ck_assert_int_eq(model_set(&m, id), 0);
    uint64_t full = heap_fixture_objects(h);
    for (size_t id = 3; id < m.universe; id++) model_remove(&m, id);
    ck_assert_uint_gt(full, heap_fixture_objects(h));
    ck_assert_uint_le(heap_fixture_objects(h), 3 * 4 + (MAP_ORDERED_MAX * 8) / 64);
    model_check(&m, "with few entries left");
    for (size_t id = 0; id < m.universe; id++) ck_assert_int_eq(model_set(&m, id), 0);
    model_check(&m, "full again");
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

/* The next integer from *from on whose hash begins with 11 bits as asked. */
static int64_t integer_hashed(struct heap *h, int64_t *from, uint64_t first_bits)
{
    for (;;) {
        struct map_key key;
        model_assert(map_key_value(h, &key, value_int((*from)++)) == 0);
        if (key.hash >> 53 == first_bits) return *from - 1;
    }
}

/* Hashes that crowd in one place make a deep and uneven tree: nodes double while some of their
 * segments serve many slots, and nodes come to lie below others. No client can choose its hashes;
 * here the test does. Each step is taken at the beginning of a collector's cycle. */
START_TEST(an_uneven_tree_holds_everything)
{
    enum { CROWD = 900 };
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h);
    int64_t crowd[CROWD], from = 0, others = MAP_ORDERED_MAX + 1;
    uint64_t random = 1;
    for (int i = 0; i < CROWD; i++) crowd[i] = integer_hashed(h, &from, 0x2aa);
    for (int64_t i = 1; i <= others; i++) set_key(h, map, value_int(-i), -i);
    for (int i = 0; i < CROWD; i++) {
        gc_start(h);
        for (uint64_t steps = random_below(&random, 5); steps > 0; steps--) gc_step(h, 1);
        struct map_key key;
        model_assert(map_key_value(h, &key, value_int(crowd[i])) == 0);
        model_assert(map_set_take(h, map, &key, map_new(h)) == 0);
        if (i % 8 == 0 || i > CROWD / 2) heap_fixture_verify(h, "after an entry was added");
        while (gc_phase(h) != GC_IDLE) gc_step(h, 100000);
    }
    ck_assert_uint_eq(map_count(h, map), (size_t)(CROWD + others));
    for (int i = 0; i < CROWD; i++)
        ck_assert(value_is_kind(get_key(h, map, value_int(crowd[i])), KIND_MAP));
    for (int64_t i = 1; i <= others; i++)
        ck_assert_uint_eq(get_key(h, map, value_int(-i)), value_int(-i));
    value page[2 * 64];
    size_t met = 0;
    uint64_t cursor = 0;
    do met += map_page(h, map, cursor, &cursor, page, 64);
    while (cursor != 0);
    ck_assert_uint_eq(met, (size_t)(CROWD + others));
    for (int i = 0; i < CROWD; i++) {
        struct map_key key;
        model_assert(map_key_value(h, &key, value_int(crowd[i])) == 0);
        ck_assert_int_eq(map_remove(h, map, &key, NULL), 0);
    }
    ck_assert_uint_eq(map_count(h, map), (size_t)others);
    for (int64_t i = 1; i <= others; i++)
        ck_assert_uint_eq(get_key(h, map, value_int(-i)), value_int(-i));
    heap_fixture_close(h);
}
END_TEST

/* --- paging ---------------------------------------------------------------------------------*/

START_TEST(a_map_that_fits_comes_in_one_page)
{
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h), page[20];
    uint64_t next = 7;
    ck_assert_uint_eq(map_page(h, map, 0, &next, page, 10), 0);
    ck_assert_uint_eq(next, 0);
    static const char *const names[] = {"one", "two", "three", "four", "five"};
    for (int64_t i = 0; i < 5; i++) set_text(h, map, names[i], i);
    ck_assert_uint_eq(map_page(h, map, 0, &next, page, 5), 5);
    ck_assert_uint_eq(next, 0);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(text_equals(h, page[2 * i], names[i], strlen(names[i])));
        ck_assert_uint_eq(page[2 * i + 1], value_int((int64_t)i));
    }
    heap_fixture_close(h);
}
END_TEST

/* Pages of a map that does not change: each entry once, and any cursor is good. */
START_TEST(pages_part_a_map)
{
    struct heap *h = heap_fixture_open(0);
    static const size_t sizes[] = {9, 100, MAP_ORDERED_MAX * 4};
    static const size_t capacities[] = {1, 7, 10000};
    struct map_model m;
    model_open(&m, h, KEYS_MIXED, sizes[_i / 3]);
    for (size_t id = 0; id < m.universe; id++) ck_assert_int_eq(model_set(&m, id), 0);
    size_t capacity = capacities[_i % 3], met = 0;
    value *page = malloc(2 * capacity * sizeof *page);
    uint64_t cursor = 0, next;
    do {
        size_t count = map_page(h, m.map, cursor, &next, page, capacity);
        for (size_t i = 0; i < count; i++) {
            size_t id = model_key_id(h, m.keys, page[2 * i]);
            model_assert(m.entries[id].met++ == 0);
        }
        met += count;
        cursor = next;
        model_assert(cursor <= INT64_MAX);
    } while (cursor != 0);
    ck_assert_uint_eq(met, m.universe);
    uint64_t random = 5;
    for (int i = 0; i < 1000; i++) {
        cursor = random_next(&random) >> random_below(&random, 64);
        size_t count = map_page(h, m.map, cursor, &next, page, capacity);
        model_assert(count <= capacity && (next == 0 || next > cursor));
    }
    ck_assert_uint_eq(map_page(h, m.map, UINT64_MAX, &next, page, capacity), 0);
    ck_assert_uint_eq(next, 0);
    free(page);
    model_close(&m);
    heap_fixture_close(h);
}
END_TEST

/* --- size -----------------------------------------------------------------------------------*/

/* An entry with a key of 16 bytes and a small integer: 22 bytes with its share of the index, in
 * segments that are some nine tenths full. */
START_TEST(a_million_entries)
{
    struct heap *h = heap_fixture_open((size_t)512 << 20);
    value map = root_map(h);
    struct heap_stats stats;
    char name[32];
    struct map_key key;
    for (int64_t i = 0; i < MILLION; i++) {
        snprintf(name, sizeof name, "key:%012ld", i);
        set_text(h, map, name, i);
    }
    ck_assert_uint_eq(map_count(h, map), MILLION);
    heap_stats(h, &stats);
    ck_assert_uint_lt(stats.used_bytes / MILLION, 30);
    /* Pages are full, but for some of each size class. */
    ck_assert_uint_lt(stats.page_bytes, stats.used_bytes + stats.used_bytes / 8 + 64 * PAGE_BYTES);
    for (int64_t i = 0; i < MILLION; i++) {
        snprintf(name, sizeof name, "key:%012ld", i);
        model_assert(get_text(h, map, name) == value_int(i));
    }
    struct map_iterator it = {0};
    value k, v;
    int64_t count = 0, sum = 0;
    for (; map_next(h, map, &it, &k, &v); count++) sum += value_to_int(v);
    ck_assert_int_eq(count, MILLION);
    ck_assert_int_eq(sum, (int64_t)MILLION * (MILLION - 1) / 2);
    for (int64_t i = 0; i < MILLION; i += 2) {
        int length = snprintf(name, sizeof name, "key:%012ld", i);
        map_key_text(h, &key, name, (size_t)length);
        model_assert(map_remove(h, map, &key, NULL) == 0);
    }
    ck_assert_uint_eq(map_count(h, map), MILLION / 2);
    heap_fixture_close(h);
}
END_TEST

/* The names of a map that was a record are shared with its shape; no turn makes garbage of them. */
START_TEST(growing_makes_no_debt)
{
    struct heap *h = heap_fixture_open(0);
    value map = root_map(h);
    for (int i = 0; i < 2 * MAP_ORDERED_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "a name of a cell %d", i);
        set_text(h, map, name, i);
    }
    struct gc_stats stats;
    gc_stats(h, &stats);
    ck_assert_str_eq(map_representation(h, map), "segmented");
    ck_assert_uint_eq(stats.debt_bytes, 0);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("map");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, strings_and_bytes_are_one_key);
    tcase_add_test(tcase, keys_of_every_type_differ);
    tcase_add_test(tcase, a_text_cannot_have_the_hash_of_a_scalar);
    tcase_add_test(tcase, other_keys_are_refused);
    tcase_add_loop_test(tcase, what_is_set_again_after_removal_comes_last, 0, 3);
    tcase_add_loop_test(tcase, replacing_releases_what_was_there, 0, 3);
    tcase_add_test(tcase, a_nil_value_is_there);
    tcase_add_test(tcase, a_map_turns_as_it_grows);
    tcase_add_test(tcase, a_record_turns_when_a_key_is_no_name);
    tcase_add_test(tcase, work_is_bounded);
    tcase_add_test(tcase, growing_makes_no_debt);
    tcase_add_test(tcase, a_large_map_that_shrinks_gives_its_segments_back);
    tcase_add_test(tcase, an_uneven_tree_holds_everything);
    tcase_add_test(tcase, a_map_that_fits_comes_in_one_page);
    tcase_add_loop_test(tcase, pages_part_a_map, 0, 9);
    tcase_add_test(tcase, a_million_entries);
    suite_add_tcase(suite, tcase);
    return suite;
}
