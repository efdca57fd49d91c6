/* test_list.c - lists of every size against C arrays, with the collector at work between
 * operations and allocations failing; and the shape of their trees. */
#include "heap/list_int.h"

#include <stdio.h>

#include "heap/gc.h"
#include "heap/text.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

#define LEAF LIST_LEAF_MAX

static void check_slots(const value *words, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        if (words[i] != VALUE_NIL) ck_abort_msg("slot %zu of %zu is not nil", i, end);
}

/* Checks one chunk of the tree and what is below; the items, and the height in *height.
 * (This is a test of trees that are a few levels deep, so it may recurse.) */
static size_t check_chunk(const struct heap *h, value chunk, unsigned *height)
{
    const value *words = cell_words(h, chunk);
    size_t size = list_chunk_size(words), items = 0;
    ck_assert_int_eq(header_kind(words[0]), ref_kind(chunk));
    ck_assert_uint_gt(size, 0);
    *height = 0;
    if (!value_is_kind(chunk, KIND_LIST_NODE)) {
        bool is_wide = list_leaf_width(words) == LIST_WIDE;
        ck_assert_uint_le(size, list_format_most(list_leaf_format(words)));
        ck_assert_uint_le(size, list_leaf_room(h, chunk));
        ck_assert(value_is_kind(chunk, is_wide ? KIND_LIST_LEAF : KIND_RAW));
        if (is_wide) check_slots(words, 1 + size, cell_word_count(h, chunk));
        return size;
    }
    ck_assert_uint_le(size, LIST_FANOUT);
    for (size_t i = 0; i < size; i++) {
        unsigned below;
        size_t counted = check_chunk(h, words[2 + 2 * i], &below);
        ck_assert_uint_eq(words[1 + 2 * i], value_int((int64_t)counted));
        if (i > 0) ck_assert_uint_eq(below + 1, *height);
        *height = below + 1;
        items += counted;
    }
    check_slots(words, 1 + 2 * size, cell_word_count(h, chunk));
    return items;
}

/* The height of the list's tree, -1 if its items are in the root. Checks the shape. */
static int check_shape(const struct heap *h, value list)
{
    const value *root = cell_words(h, list);
    size_t length = list_root_length(root);
    ck_assert_uint_eq(list_length(h, list), length);
    if (!list_root_is_tree(root)) {
        check_slots(root, LIST_ITEMS + length, cell_word_count(h, list));
        return -1;
    }
    unsigned height;
    check_slots(root, LIST_TOP + 1, cell_word_count(h, list));
    ck_assert_uint_eq(check_chunk(h, root[LIST_TOP], &height), length);
    if (height > 0) ck_assert_uint_gt(list_chunk_size(cell_words(h, root[LIST_TOP])), 1);
    return (int)height;
}

/* --- a list and its model ------------------------------------------------------------------*/

struct model {
    value *items;
    size_t count;
    size_t capacity;
};

static void model_open(struct model *m, size_t capacity)
{
    *m = (struct model){.items = malloc(capacity * sizeof(value)), .capacity = capacity};
    ck_assert_ptr_nonnull(m->items);
}
static void model_insert(struct model *m, size_t index, const value *items, size_t count)
{
    ck_assert_uint_le(m->count + count, m->capacity);
    memmove(m->items + index + count, m->items + index, (m->count - index) * sizeof(value));
    memcpy(m->items + index, items, count * sizeof(value));
    m->count += count;
}
static void model_remove(struct model *m, size_t index, size_t count)
{
    m->count -= count;
    memmove(m->items + index, m->items + index + count, (m->count - index) * sizeof(value));
}

/* Every item, and the shape. */
static void check_list(const struct heap *h, value list, const struct model *m)
{
    value *copy = malloc((m->count + 1) * sizeof *copy);
    check_shape(h, list);
    ck_assert_uint_eq(list_length(h, list), m->count);
    ck_assert_uint_eq(list_read(h, list, 0, copy, m->count + 1), m->count);
    ck_assert(m->count == 0 || memcmp(copy, m->items, m->count * sizeof *copy) == 0);
    for (size_t i = 0; i < m->count; i += 1 + m->count / 50)
        ck_assert_uint_eq(list_get(h, list, i), m->items[i]);
    free(copy);
}

static value *numbers(size_t count)
{
    value *items = malloc((count + 1) * sizeof *items);
    ck_assert_ptr_nonnull(items);
    for (size_t i = 0; i < count; i++) items[i] = value_int((int64_t)i);
    return items;
}

/* What lists are filled with: one in `objects` items is an object of the list's own, one in
 * `large` an integer of any size, or a double of any; the others fit `bits`, or are doubles whose
 * exponents do. */
struct mix {
    unsigned objects, large, bits;
    bool doubles;
};
static const struct mix mixes[] = {{4, 4, 62, false},       {1000000, 300, 6, false},
                                   {1500, 700, 31, false},  {50000, 40, 14, false},
                                   {1000000, 300, 3, true}, {1500, 700, 2, true}};

/* A double of an exponent below `span`, or of any. */
static value double_new(uint64_t *state, unsigned span, bool any)
{
    static const double whole[] = {0.0, -0.0, 1.0, -1.0, 32768.0, 1e100, -1e-100};
    double d = (double)(random_next(state) >> 11) / (double)((uint64_t)1 << 53);
    if (any) d = whole[random_below(state, sizeof whole / sizeof *whole)];
    else d = (0.5 + d / 2) * (double)((uint64_t)1 << random_below(state, span));
    return value_double_fits(d) ? value_double(d) : value_double(0.5);
}

static value item_new(struct heap *h, uint64_t *state, const struct mix *mix)
{
    if (random_below(state, mix->objects) == 0) {
        char text[32];
        int n = snprintf(text, sizeof text, "item %lu", (unsigned long)random_next(state));
        value v = random_below(state, 2) ? text_new(h, text, (size_t)n, false) : list_new(h);
        ck_assert(v != VALUE_ABSENT);
        return v;
    }
    if (mix->doubles)
        return double_new(state, (unsigned)1 << mix->bits, random_below(state, mix->large) == 0);
    unsigned bits = random_below(state, mix->large) == 0 ? 1 + (unsigned)random_below(state, 62)
                                                         : mix->bits;
    int64_t n = (int64_t)(random_next(state) >> (64 - bits));
    return value_int(random_below(state, 2) ? n : -n - 1);
}

static const size_t lengths[] = {
    0,        1,        2,        3,        4,       30,       31,
    32,       33,       100,      LEAF - 1, LEAF,    LEAF + 1, 2 * LEAF,
    2 * LEAF + 1, LIST_FANOUT * LEAF - 1, LIST_FANOUT * LEAF, LIST_FANOUT * LEAF + 1};
#define LENGTHS (sizeof lengths / sizeof *lengths)
#define LENGTH_MOST (LIST_FANOUT * LEAF + 1)

/* --- tests -----------------------------------------------------------------------------------*/

START_TEST(lists_of_every_length_come_whole)
{
    struct heap *h = heap_fixture_open(0);
    struct model m = {.items = numbers(LENGTH_MOST)};
    for (size_t i = 0; i < LENGTHS; i++) {
        m.count = lengths[i];
        value list = list_from_take(h, m.items, m.count);
        check_list(h, list, &m);
        ck_assert_int_eq(check_shape(h, list) >= 0, m.count > LIST_ROOT_ITEMS_MAX);
        if (m.count > 0) {
            value part[100];
            ck_assert_uint_eq(list_read(h, list, m.count - 1, part, 100), 1);
            ck_assert_uint_eq(part[0], m.items[m.count - 1]);
            ck_assert_uint_eq(list_read(h, list, m.count / 2, part, 1), 1);
            ck_assert_uint_eq(part[0], m.items[m.count / 2]);
        }
        ck_assert_uint_eq(list_read(h, list, m.count, NULL, 5), 0);
        value_release(h, list);
        ck_assert_uint_eq(heap_fixture_objects(h), 0);
    }
    free(m.items);
    heap_fixture_close(h);
}
END_TEST

START_TEST(pushing_fills_leaves_and_popping_empties_them)
{
    struct heap *h = heap_fixture_open(0);
    struct model m = {.items = numbers(LENGTH_MOST)};
    value list = list_new(h);
    for (m.count = 0; m.count < LENGTH_MOST;) {
        ck_assert_int_eq(list_push_take(h, list, m.items[m.count]), 0);
        m.count++;
        if (m.count % 977 == 0 || m.count < 100) check_list(h, list, &m);
    }
    struct heap_stats stats;
    heap_stats(h, &stats);
    ck_assert_uint_lt(stats.used_bytes, m.count * sizeof(int32_t) * 110 / 100 + 20000);
    while (m.count > 0) {
        value item;
        list_remove(h, list, --m.count, 1, &item);
        ck_assert_uint_eq(item, m.items[m.count]);
        if (m.count % 977 == 0 || m.count < 100) check_list(h, list, &m);
    }
    ck_assert_int_eq(check_shape(h, list), -1);
    ck_assert_uint_eq(heap_fixture_objects(h), 1);
    value_release(h, list);
    free(m.items);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_queue_stays_small)
{
    struct heap *h = heap_fixture_open(0);
    value list = list_new(h);
    struct heap_stats stats;
    int64_t in = 0, out = 0;
    for (int step = 0; step < 200000; step++) {
        ck_assert_int_eq(list_push_take(h, list, value_int(in++)), 0);
        if (in - out < 3 * (int)LEAF) continue;
        value item;
        list_remove(h, list, 0, 1, &item);
        if (item != value_int(out++)) ck_abort_msg("not first in, first out");
    }
    while (heap_drop_pending(h)) heap_drop_step(h, 1000);
    heap_stats(h, &stats);
    ck_assert_uint_lt(stats.used_bytes, 6 * CELL_BYTES_MAX);
    check_shape(h, list);
    value_release(h, list);
    heap_fixture_close(h);
}
END_TEST

START_TEST(splices_of_every_size_at_every_kind_of_place)
{
    struct heap *h = heap_fixture_open(0);
    const size_t had[] = {0, 1, 3, 31, 40, LEAF, 2 * LEAF + 9, 5 * LEAF, LIST_FANOUT * LEAF};
    const size_t added[] = {1, 2, 40, LEAF, LEAF + 1, 3 * LEAF, 8 * LEAF + 3, 70 * LEAF};
    value *items = numbers(LENGTH_MOST), *more = numbers(70 * LEAF);
    struct model m;
    model_open(&m, LENGTH_MOST + 70 * LEAF);
    for (size_t i = 0; i < sizeof had / sizeof *had; i++)
        for (size_t j = 0; j < sizeof added / sizeof *added; j++) {
            const size_t places[] = {0, had[i] / 3, had[i]};
            for (size_t k = 0; k < 3; k++) {
                m.count = 0;
                model_insert(&m, 0, items, had[i]);
                value list = list_from_take(h, items, had[i]);
                ck_assert_int_eq(list_insert_take(h, list, places[k], more, added[j]), 0);
                model_insert(&m, places[k], more, added[j]);
                check_list(h, list, &m);
                list_remove(h, list, places[k], added[j], NULL);
                model_remove(&m, places[k], added[j]);
                check_list(h, list, &m);
                value_release(h, list);
                ck_assert_uint_eq(heap_fixture_objects(h), 0);
            }
        }
    free(items);
    free(more);
    free(m.items);
    heap_fixture_close(h);
}
END_TEST

START_TEST(a_long_range_goes_in_one_piece)
{
    struct heap *h = heap_fixture_open(0);
    const size_t count = 200000;
    value *items = malloc(count * sizeof *items);
    for (size_t i = 0; i < count; i++) ck_assert((items[i] = list_new(h)) != VALUE_ABSENT);
    value list = list_from_take(h, items, count);
    ck_assert(list != VALUE_ABSENT);
    struct heap_stats before, after;
    heap_stats(h, &before);
    list_remove(h, list, 10, count - 20, NULL);
    heap_stats(h, &after);
    ck_assert_uint_lt(before.object_count - after.object_count, 100);
    ck_assert_uint_lt(after.drop_queue_length, 2 * LEAF + 100);
    ck_assert_uint_eq(list_length(h, list), 20);
    for (size_t i = 0; i < 20; i++)
        ck_assert_uint_eq(list_get(h, list, i), items[i < 10 ? i : count - 20 + i]);
    check_shape(h, list);
    ck_assert_uint_le(heap_fixture_objects(h), 20 + 3);
    value_release(h, list);
    free(items);
    heap_fixture_close(h);
}
END_TEST

START_TEST(replaced_and_removed_items_are_released)
{
    struct heap *h = heap_fixture_open(0);
    uint64_t state = 5;
    for (size_t i = 1; i < LENGTHS; i++) {
        size_t count = lengths[i];
        value *items = malloc(count * sizeof *items);
        for (size_t j = 0; j < count; j++) items[j] = item_new(h, &state, &mixes[0]);
        value list = list_from_take(h, items, count);
        for (size_t j = 0; j < count; j++)
            ck_assert_int_eq(list_set_take(h, list, j, value_int((int64_t)j)), 0);
        ck_assert_uint_le(heap_fixture_objects(h), 2 + count / 2);
        ck_assert_uint_eq(list_get(h, list, count - 1), value_int((int64_t)count - 1));
        for (size_t j = 0; j < count; j++)
            ck_assert_int_eq(list_set_take(h, list, j, item_new(h, &state, &mixes[0])), 0);
        list_remove(h, list, 0, count, NULL);
        ck_assert_uint_eq(heap_fixture_objects(h), 1);
        ck_assert_int_eq(check_shape(h, list), -1);
        value_release(h, list);
        free(items);
    }
    heap_fixture_close(h);
}
END_TEST

START_TEST(insertions_fail_whole)
{
    struct heap *h = heap_fixture_open(0);
    const size_t added[] = {1, 5, LEAF, 3 * LEAF, 70 * LEAF};
    value *items = numbers(LENGTH_MOST), *more = numbers(70 * LEAF);
    struct model m;
    model_open(&m, LENGTH_MOST + 70 * LEAF);
    for (size_t i = 0; i < LENGTHS * 5 * 3; i++) {
        size_t had = lengths[i % LENGTHS], count = added[i / LENGTHS % 5];
        size_t place = had * (i / LENGTHS / 5) / 2;
        m.count = 0;
        model_insert(&m, 0, items, had);
        value list = list_from_take(h, items, had);
        uint64_t objects = heap_fixture_objects(h);
        /* Every failure up to the 20th, and then some of the many. */
        for (uint64_t n = 1;; n += n < 20 ? 1 : 37) {
            heap_fail_nth(h, n);
            int error = list_insert_take(h, list, place, more, count);
            heap_fail_nth(h, 0);
            if (error == 0) break;
            ck_assert_int_eq(error, -ENOMEM);
            check_list(h, list, &m);
            ck_assert_uint_eq(heap_fixture_objects(h), objects);
            if (n < 3) heap_fixture_verify(h, "after a failed insertion");
        }
        model_insert(&m, place, more, count);
        check_list(h, list, &m);
        value_release(h, list);
    }
    for (uint64_t n = 1;; n++) {
        heap_fail_nth(h, n);
        value list = list_from_take(h, items, 5 * LEAF);
        heap_fail_nth(h, 0);
        if (list != VALUE_ABSENT) {
            value_release(h, list);
            break;
        }
        ck_assert_uint_eq(heap_fixture_objects(h), 0);
    }
    free(items);
    free(more);
    free(m.items);
    heap_fixture_close(h);
}
END_TEST

START_TEST(removing_needs_no_memory)
{
    uint64_t seed = random_seed(), state = seed;
    printf("# seed %lu\n", (unsigned long)seed);
    struct heap *h = heap_fixture_open(0);
    struct model m;
    model_open(&m, LENGTH_MOST);
    value *items = numbers(LENGTH_MOST);
    for (int round = 0; round < 6; round++) {
        m.count = 0;
        model_insert(&m, 0, items, LENGTH_MOST);
        value list = list_from_take(h, items, LENGTH_MOST);
        while (m.count > 0) {
            size_t index = random_below(&state, m.count);
            size_t count = 1 + random_below(&state, round < 3 ? 1 + m.count / 20 : 3 * LEAF);
            if (count > m.count - index) count = m.count - index;
            value *out = round % 2 ? malloc(count * sizeof *out) : NULL;
            for (unsigned i = 0; i < 4; i++) { /* whatever it asks for, it does not get */
                heap_fail_nth(h, 1);
                size_t n = i < 3 ? count / 4 : count - count / 4 * 3;
                list_remove(h, list, index, n, out ? out + count / 4 * i : NULL);
            }
            heap_fail_nth(h, 0);
            if (out) ck_assert_mem_eq(out, m.items + index, count * sizeof *out);
            free(out);
            model_remove(&m, index, count);
            check_list(h, list, &m);
        }
        value_release(h, list);
        ck_assert_uint_eq(heap_fixture_objects(h), 0);
    }
    free(m.items);
    free(items);
    heap_fixture_close(h);
}
END_TEST

/* One random operation on the list and its model. `growing` tells which way it drifts. */
static void random_operation(struct heap *h, value list, struct model *m, uint64_t *state,
                             const struct mix *mix, bool growing)
{
    static value batch[3 * LEAF];
    size_t many = random_below(state, 30) == 0 ? 3 * LEAF : 20;
    size_t n = random_below(state, 3) == 0 ? 1 + random_below(state, many) : 1;
    uint64_t where = random_below(state, 4);
    if (random_below(state, 10) < (growing ? 7u : 3u)) {
        if (m->count + n > m->capacity) return;
        size_t index = where == 0 ? 0 : where == 1 ? random_below(state, m->count + 1) : m->count;
        for (size_t i = 0; i < n; i++) batch[i] = item_new(h, state, mix);
        if (random_below(state, 6) == 0) heap_fail_nth(h, 1 + random_below(state, 4));
        int error = list_insert_take(h, list, index, batch, n);
        heap_fail_nth(h, 0);
        if (error == 0)
            model_insert(m, index, batch, n);
        else
            for (size_t i = 0; i < n; i++) value_release(h, batch[i]);
        return;
    }
    if (m->count == 0) return;
    if (random_below(state, 5) == 0) {
        size_t index = random_below(state, m->count);
        value item = item_new(h, state, mix);
        if (random_below(state, 6) == 0) heap_fail_nth(h, 1);
        int error = list_set_take(h, list, index, item);
        heap_fail_nth(h, 0);
        if (error == 0)
            m->items[index] = item;
        else
            value_release(h, item);
        return;
    }
    if (!growing && random_below(state, 60) == 0) n = random_below(state, m->count + 1);
    if (n > m->count) n = m->count;
    size_t index = where == 0   ? 0
                   : where == 1 ? random_below(state, m->count - n + 1)
                                : m->count - n;
    bool take = n <= 3 * LEAF && random_below(state, 2) == 0;
    list_remove(h, list, index, n, take ? batch : NULL);
    for (size_t i = 0; take && i < n; i++) {
        ck_assert_uint_eq(batch[i], m->items[index + i]);
        value_release(h, batch[i]);
    }
    model_remove(m, index, n);
}

#ifdef CAIRN_GC_STRESS /* many short programs; elsewhere a few longer ones */
#define SEEDS 1000
#define STEPS 300
#define ROUNDS 6
#else
#define SEEDS 1
#define STEPS 3000
#define ROUNDS 36
#endif

static void random_program(uint64_t seed)
{
    uint64_t state = seed;
    struct heap *h = heap_fixture_open(0);
    struct model m;
    model_open(&m, 40000);
    heap_pin(h); /* the model knows objects by their places */
    for (int round = 0; round < ROUNDS; round++) {
        const struct mix *mix = &mixes[random_below(&state, sizeof mixes / sizeof *mixes)];
        size_t most = (size_t[]){10, 60, LEAF + 50, 4 * LEAF, 40 * LEAF, 40000}[round % 6];
        if (most > m.capacity) most = m.capacity;
        heap_root_set_take(h, ROOT_KEYS, list_new(h));
        m.count = 0;
        bool growing = true;
        for (int step = 0; step < STEPS; step++) {
            heap_fixture_jitter(h, &state);
            value list = heap_root(h, ROOT_KEYS);
            if (m.count >= most) growing = false;
            if (m.count == 0) growing = true;
            random_operation(h, list, &m, &state, mix, growing);
            if (random_below(&state, 100) == 0) check_list(h, list, &m);
        }
        check_list(h, heap_root(h, ROOT_KEYS), &m);
        heap_fixture_verify(h, "after a round");
    }
    free(m.items);
    heap_unpin(h);
    heap_fixture_close(h);
}

START_TEST(random_operations_follow_the_model)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("random", SEEDS);
    while (seeds_next(&seeds, &seed)) random_program(seed);
}
END_TEST

START_TEST(a_long_list_is_compact_and_flat)
{
    struct heap *h = heap_fixture_open(0);
    const size_t count = 1000000;
    value *items = numbers(count);
    struct heap_stats stats;
    for (int pushed = 0; pushed < 2; pushed++) {
        value list = pushed ? list_new(h) : list_from_take(h, items, count);
        for (size_t i = 0; pushed && i < count; i++)
            ck_assert_int_eq(list_push_take(h, list, items[i]), 0);
        heap_stats(h, &stats);
        ck_assert_uint_lt(stats.used_bytes, count * (CELL_BYTES_MAX > 1024 ? 43 : 45) / 10);
        ck_assert_int_le(check_shape(h, list), CELL_BYTES_MAX > 1024 ? 2 : 8);
        ck_assert_uint_eq(list_get(h, list, 765432), value_int(765432));
        value_release(h, list);
        heap_fixture_objects(h);
    }
    free(items);
    heap_fixture_close(h);
}
END_TEST

/* A list of the items has `bytes` for each, and little more. */
static void check_compact(struct heap *h, value *items, size_t count, unsigned bytes)
{
    struct model m = {.items = items, .count = count};
    struct heap_stats stats;
    value list = list_from_take(h, items, count);
    heap_stats(h, &stats);
    check_list(h, list, &m);
    ck_assert_uint_ge(stats.used_bytes, count * bytes);
    ck_assert_uint_lt(stats.used_bytes, count * bytes * 102 / 100 + 20 * 1024);
    value_release(h, list);
    heap_fixture_objects(h);
}

START_TEST(small_integers_take_as_many_bytes_as_they_need)
{
    struct heap *h = heap_fixture_open(0);
    const size_t count = 50 * LEAF;
    /* The last that fit each width, and the first that do not. */
    const struct {
        int64_t low, high;
        unsigned bytes;
    } cases[] = {{INT8_MIN, INT8_MAX, 1},           {INT8_MIN - 1, INT8_MAX, 2},
                 {INT8_MIN, INT8_MAX + 1, 2},       {INT16_MIN, INT16_MAX, 2},
                 {INT16_MIN - 1, INT16_MAX, 4},     {INT32_MIN, INT32_MAX, 4},
                 {INT32_MIN - (int64_t)1, 0, 8},    {0, INT32_MAX + (int64_t)1, 8},
                 {VALUE_INT_MIN, VALUE_INT_MAX, 8}};
    value *items = malloc(count * sizeof *items);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t j = 0; j < count; j++)
            items[j] = value_int(j % 2 ? cases[i].low : cases[i].high);
        check_compact(h, items, count, cases[i].bytes);
    }
    free(items);
    heap_fixture_close(h);
}
END_TEST

START_TEST(doubles_of_about_one_size_take_seven_bytes)
{
    struct heap *h = heap_fixture_open(0);
    const size_t count = 50 * LEAF;
    /* The last that are close enough together, and the first that are not. */
    const struct {
        double low, high;
        unsigned bytes;
    } cases[] = {{0.1, 0.9, 7},        {1.0, 65535.9999, 7},     {1.0, 65536.0, 8},
                 {-1.5, -40000.25, 7}, {-1.0, 1.0, 8},           {0.0, 1.0, 8},
                 {1e-70, 1e-69, 7},    {5e70, 5.000001e70, 7},   {0.0, 0.0, 7},
                 {-0.0, -0.0, 7},      {0.0, -0.0, 8},           {1.0, 1.0000000000000002, 7}};
    value *items = malloc(count * sizeof *items);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(value_double_fits(cases[i].low) && value_double_fits(cases[i].high));
        for (size_t j = 0; j < count; j++)
            items[j] = value_double(j % 2 ? cases[i].low : cases[i].high);
        check_compact(h, items, count, cases[i].bytes);
    }
    free(items);
    heap_fixture_close(h);
}
END_TEST

/* Appended in parts, as clients do; now and then comes one that is much larger. */
START_TEST(a_list_of_doubles_that_grows_is_compact)
{
    struct heap *h = heap_fixture_open(0);
    enum { COUNT = 100 * LIST_LEAF_MAX };
    struct model m;
    model_open(&m, COUNT);
    value list = list_new(h);
    uint64_t state = 3;
    for (size_t part = 100; m.count + part < COUNT;) {
        value items[100];
        for (size_t i = 0; i < part; i++) items[i] = double_new(&state, 4, false);
        if (m.count > COUNT / 2 && random_below(&state, 100) == 0) items[7] = value_double(1e60);
        ck_assert_int_eq(list_insert_take(h, list, m.count, items, part), 0);
        model_insert(&m, m.count, items, part);
        if (m.count < COUNT / 2) continue;
        struct heap_stats stats;
        heap_stats(h, &stats);
        ck_assert_uint_lt(stats.used_bytes, m.count * 15 / 2 + 40 * 1024);
    }
    check_list(h, list, &m);
    heap_fixture_verify(h, "grown");
    value_release(h, list);
    free(m.items);
    heap_fixture_close(h);
}
END_TEST

START_TEST(an_item_that_does_not_fit_widens_its_leaf_or_nothing)
{
    struct heap *h = heap_fixture_open(0);
    value *items = calloc(3 * LEAF, sizeof *items);
    struct model m;
    model_open(&m, 3 * LEAF);
    const value wider[] = {value_int(300), value_int(70000), VALUE_TRUE};
    for (size_t i = 0; i < 3 * LEAF; i++) items[i] = value_int((int64_t)(i % 100));
    model_insert(&m, 0, items, 3 * LEAF);
    value list = list_from_take(h, items, 3 * LEAF);
    for (size_t i = 0; i < sizeof wider / sizeof *wider; i++)
        for (size_t j = 0; j < 3; j++) {
            size_t index = j * LEAF + 7 * i;
            heap_fail_nth(h, 1);
            ck_assert_int_eq(list_set_take(h, list, index, wider[i]), -ENOMEM);
            check_list(h, list, &m);
            ck_assert_int_eq(list_set_take(h, list, index, wider[i]), 0);
            m.items[index] = wider[i];
            check_list(h, list, &m);
            heap_fixture_verify(h, "after widening");
        }
    value_release(h, list);
    free(items);
    free(m.items);
    heap_fixture_close(h);
}
END_TEST

/* What list_set_ready has seen to needs no memory any more. */
START_TEST(a_list_made_ready_takes_its_items)
{
    struct heap *h = heap_fixture_open(0);
    enum { COUNT = 2 * LIST_LEAF_MAX };
    static value items[COUNT];
    for (int i = 0; i < COUNT; i++) items[i] = value_int(i % 100);
    value list = list_from_take(h, items, COUNT), text = text_new(h, "a text of a cell", 16, false);
    heap_fail_nth(h, 1);
    ck_assert_int_eq(list_set_ready(h, list, 7, text), -ENOMEM);
    ck_assert_int_eq(list_set_ready(h, list, 7, text), 0);
    ck_assert_int_eq(list_set_ready(h, list, COUNT - 1, value_int(100000)), 0);
    for (int i = 0; i < COUNT; i++) ck_assert_uint_eq(list_get(h, list, (size_t)i), items[i]);
    heap_fail_nth(h, 1);
    ck_assert_int_eq(list_set_take(h, list, COUNT - 1, value_int(100000)), 0);
    ck_assert_int_eq(list_set_take(h, list, 7, text), 0);
    ck_assert(heap_fail_pending(h));
    heap_fail_nth(h, 0);
    value_release(h, list);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *tcase = tcase_create("list");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, lists_of_every_length_come_whole);
    tcase_add_test(tcase, pushing_fills_leaves_and_popping_empties_them);
    tcase_add_test(tcase, a_queue_stays_small);
    tcase_add_test(tcase, splices_of_every_size_at_every_kind_of_place);
    tcase_add_test(tcase, a_long_range_goes_in_one_piece);
    tcase_add_test(tcase, replaced_and_removed_items_are_released);
    tcase_add_test(tcase, insertions_fail_whole);
    tcase_add_test(tcase, removing_needs_no_memory);
    tcase_add_test(tcase, a_long_list_is_compact_and_flat);
    tcase_add_test(tcase, small_integers_take_as_many_bytes_as_they_need);
    tcase_add_test(tcase, doubles_of_about_one_size_take_seven_bytes);
    tcase_add_test(tcase, a_list_of_doubles_that_grows_is_compact);
    tcase_add_test(tcase, a_list_made_ready_takes_its_items);
    tcase_add_test(tcase, an_item_that_does_not_fit_widens_its_leaf_or_nothing);
    suite_add_tcase(suite, tcase);
    TCase *random = seeds_tcase("random");
    tcase_add_test(random, random_operations_follow_the_model);
    suite_add_tcase(suite, random);
    return suite;
}
