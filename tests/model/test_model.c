/* test_model.c - random programs on the heap's containers, with the collector at work between
 * and allocations failing now and then, against the naive model.
 *
 * The seeds are chosen, and a failing one is printed, as tests/support/seeds.h says. */
#include <errno.h>
#include <stdio.h>

#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/text.h"
#include "heap/verify.h"
#include "heap/weak.h"
#include "tests/model/model.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

#if defined(CAIRN_GC_STRESS)
#define SEEDS 1000
#define STEPS 1200
#elif defined(__SANITIZE_ADDRESS__)
#define SEEDS 40
#define STEPS 2500
#else
#define SEEDS 100
#define STEPS 3000
#endif
#define BATCH_MAX 700

/* One container, in the heap and in the model. */
struct pair {
    value v;
    struct model_object *object;
};

struct program {
    struct heap *h;
    struct model m;
    struct pair root;
    uint64_t rng;
    uint64_t seed;
    unsigned step;
    unsigned failures; /* operations that failed for want of memory */
};

static uint64_t below(struct program *p, uint64_t n) { return random_below(&p->rng, n); }

static void random_key(struct program *p, char key[MODEL_KEY_MAX])
{
    /* Few names, so that alike maps come about; sometimes many, so that maps grow. */
    uint64_t names = below(p, 4) ? 12 : 4000;
    snprintf(key, MODEL_KEY_MAX, below(p, 2) ? "k%lu" : "a longer key %lu", below(p, names));
}

static value key_get(struct program *p, value map, const char *name)
{
    struct map_key key;
    map_key_text(p->h, &key, name, strlen(name));
    return map_get(p->h, map, &key);
}

/* --- picking --------------------------------------------------------------------------------*/

/* The container that item `index` of `at` refers to; false if it is none. */
static bool pair_child(struct program *p, struct pair at, size_t index, struct pair *child)
{
    struct model_value expected = at.object->items[index];
    if (expected.type != MODEL_OBJECT) return false;
    value v = at.object->is_map ? key_get(p, at.v, at.object->keys[index])
                                : list_get(p->h, at.v, index);
    *child = (struct pair){v, expected.object};
    return true;
}

static struct pair pick(struct program *p)
{
    struct pair at = p->root, child;
    for (int depth = 0; depth < 8 && at.object->count && below(p, 5); depth++)
        if (pair_child(p, at, below(p, at.object->count), &child)) at = child;
    return at;
}

/* --- new values -----------------------------------------------------------------------------*/

static char text_bytes[40000];

/* A new scalar or empty container in both worlds. VALUE_ABSENT if memory "fails". */
static value fresh(struct program *p, struct model_value *expected)
{
    uint64_t choice = below(p, 20);
    if (choice < 6) {
        int64_t i = (int64_t)below(p, choice < 3 ? 100 : (uint64_t)1 << 60);
        *expected = (struct model_value){.type = MODEL_INT, .i = i};
        return value_int(i);
    }
    if (choice < 12) {
        size_t length = below(p, choice == 11 ? sizeof text_bytes : choice < 9 ? 8 : 60);
        size_t start = below(p, sizeof text_bytes - length + 1);
        *expected = model_text_new(&p->m, text_bytes + start, length);
        return text_new(p->h, text_bytes + start, length, false);
    }
    if (choice == 12) {
        *expected = (struct model_value){.type = MODEL_NIL};
        return VALUE_NIL;
    }
    bool is_map = choice & 1;
    *expected = (struct model_value){.type = MODEL_OBJECT,
                                     .object = model_object_new(&p->m, is_map)};
    return is_map ? map_new(p->h) : list_new(p->h);
}

/* Puts a value into a container, in both worlds: at a random place of a list, under a random
 * key of a map. Takes `v` over. */
static void put_take(struct program *p, struct pair into, value v, struct model_value expected)
{
    if (v == VALUE_ABSENT) {
        p->failures++;
        return;
    }
    int error;
    if (into.object->is_map) {
        char name[MODEL_KEY_MAX];
        random_key(p, name);
        struct map_key key;
        map_key_text(p->h, &key, name, strlen(name));
        error = map_set_take(p->h, into.v, &key, v);
        if (error == 0) model_set(into.object, name, expected);
    } else if (into.object->count && below(p, 3) == 0) {
        size_t index = below(p, into.object->count);
        error = list_set_take(p->h, into.v, index, v);
        if (error == 0) into.object->items[index] = expected;
    } else {
        size_t index = below(p, into.object->count + 1);
        error = list_insert_take(p->h, into.v, index, &v, 1);
        if (error == 0) model_insert(into.object, index, expected);
    }
    if (error == 0) return;
    ck_assert_int_eq(error, -ENOMEM);
    p->failures++;
    value_release(p->h, v);
}

/* --- operations -----------------------------------------------------------------------------*/

static void op_put(struct program *p)
{
    struct model_value expected;
    struct pair into = pick(p);
    value v = fresh(p, &expected);
    put_take(p, into, v, expected);
}

static void op_link(struct program *p)
{
    struct pair from = pick(p), into = pick(p);
    struct model_value expected = {.type = MODEL_OBJECT, .object = from.object};
    put_take(p, into, value_share(p->h, from.v), expected);
}

static void op_weak(struct program *p)
{
    struct pair from = pick(p), into = pick(p);
    struct model_value expected = {.type = MODEL_WEAK, .object = from.object};
    put_take(p, into, weak_make(p->h, from.v), expected);
}

/* Follows a weak reference and stores what it finds. */
static void op_follow(struct program *p)
{
    struct pair at = pick(p), into = pick(p);
    if (!at.object->count) return;
    size_t index = below(p, at.object->count);
    struct model_value expected = at.object->items[index];
    if (expected.type != MODEL_WEAK) return;
    value weak = at.object->is_map ? key_get(p, at.v, at.object->keys[index])
                                   : list_get(p->h, at.v, index);
    value target = weak_read(p->h, weak);
    if (target == VALUE_NIL) return;
    expected.type = MODEL_OBJECT;
    put_take(p, into, value_share(p->h, target), expected);
}

/* An item leaves its place and goes to another. */
static void op_move(struct program *p)
{
    struct pair from = pick(p), into = pick(p);
    if (!from.object->count) return;
    size_t index = below(p, from.object->count);
    struct model_value expected = from.object->items[index];
    value v;
    if (from.object->is_map) {
        struct map_key key;
        const char *name = from.object->keys[index];
        map_key_text(p->h, &key, name, strlen(name));
        int error = map_remove(p->h, from.v, &key, &v);
        if (error == -ENOMEM) { /* a packed text needs a cell of its own outside */
            p->failures++;
            return;
        }
        ck_assert_int_eq(error, 0);
    } else {
        list_remove(p->h, from.v, index, 1, &v);
    }
    model_remove(from.object, index, 1);
    put_take(p, into, v, expected);
}

static void op_remove(struct program *p)
{
    struct pair at = pick(p);
    if (!at.object->count) return;
    size_t index = below(p, at.object->count);
    if (!at.object->is_map) {
        size_t count = 1 + below(p, below(p, 10) ? 2 : at.object->count - index);
        if (count > at.object->count - index) count = at.object->count - index;
        list_remove(p->h, at.v, index, count, NULL);
        model_remove(at.object, index, count);
        return;
    }
    struct map_key key;
    map_key_text(p->h, &key, at.object->keys[index], strlen(at.object->keys[index]));
    ck_assert_int_eq(map_remove(p->h, at.v, &key, NULL), 0);
    ck_assert_int_eq(map_remove(p->h, at.v, &key, NULL), -ENOENT);
    model_remove(at.object, index, 1);
}

static void op_append_text(struct program *p)
{
    struct pair at = pick(p);
    if (at.object->is_map || !at.object->count) return;
    size_t index = below(p, at.object->count);
    struct model_value before = at.object->items[index];
    if (before.type != MODEL_TEXT) return;
    size_t length = below(p, below(p, 5) ? 20 : 9000);
    value old;
    list_remove(p->h, at.v, index, 1, &old);
    value v = text_append_take(p->h, old, text_bytes, length);
    struct model_value expected = before;
    if (v == VALUE_ABSENT)
        v = old;
    else
        expected = model_text_joined(&p->m, before, text_bytes, length);
    model_remove(at.object, index, 1);
    put_take(p, at, v, expected);
}

static void op_batch(struct program *p)
{
    struct pair into = pick(p);
    size_t count = 1 + below(p, BATCH_MAX);
    value items[BATCH_MAX];
    for (size_t i = 0; i < count; i++) items[i] = value_int((int64_t)i);
    if (into.object->is_map) {
        for (size_t i = 0; i < count; i++)
            put_take(p, into, items[i],
                     (struct model_value){.type = MODEL_INT, .i = (int64_t)i});
        return;
    }
    size_t index = below(p, into.object->count + 1);
    if (list_insert_take(p->h, into.v, index, items, count) != 0) {
        p->failures++;
        return;
    }
    for (size_t i = 0; i < count; i++)
        model_insert(into.object, index + i,
                     (struct model_value){.type = MODEL_INT, .i = (int64_t)i});
}

static void op_clear(struct program *p)
{
    value fresh_root = map_new(p->h);
    if (fresh_root == VALUE_ABSENT) return;
    heap_root_set_take(p->h, ROOT_KEYS, fresh_root);
    p->root = (struct pair){fresh_root, model_object_new(&p->m, true)};
}

/* How often, and what. */
static const struct {
    unsigned weight;
    void (*run)(struct program *p);
} operations[] = {
    {300, op_put},  {60, op_link}, {40, op_weak},        {40, op_follow}, {80, op_move},
    {80, op_remove}, {40, op_append_text}, {12, op_batch}, {1, op_clear},
};

static void run_operation(struct program *p)
{
    unsigned total = 0;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        total += operations[i].weight;
    uint64_t choice = below(p, total);
    for (size_t i = 0;; i++) {
        if (choice < operations[i].weight) {
            operations[i].run(p);
            return;
        }
        choice -= operations[i].weight;
    }
}

static void check(struct program *p)
{
    char message[256];
    ck_assert_msg(heap_verify(p->h, message, sizeof message) == 0, "seed %lu, step %u: %s", p->seed,
                  p->step, message);
    struct model_value root = {.type = MODEL_OBJECT, .object = p->root.object};
    ck_assert_msg(model_compare(&p->m, p->h, p->root.v, root, message, sizeof message) == 0,
                  "seed %lu, step %u: %s", p->seed, p->step, message);
}

static void collector_turn(struct program *p)
{
    if (below(p, 300) == 0) gc_start(p->h);
    if (below(p, 4) == 0) gc_step(p->h, below(p, 100));
    gc_safe_point(p->h);
    if (below(p, 1000) == 0) gc_collect(p->h);
}

/* How memory fails in a program. */
enum shortage { SHORTAGE_NONE, SHORTAGE_RANDOM, SHORTAGE_REAL };

/* Takes all pages but a few, so that allocations fail because the heap is full. */
static void fill(struct program *p)
{
    static char filler[PAGE_BYTES - 100];
    value hog = list_new(p->h);
    uint64_t pages_left = 2 + below(p, 30);
    struct heap_stats stats;
    for (;;) {
        heap_stats(p->h, &stats);
        if (stats.max_bytes - stats.page_bytes <= pages_left * PAGE_BYTES) break;
        value block = ext_new(p->h, 1, filler, sizeof filler);
        if (block == VALUE_ABSENT) break;
        if (list_push_take(p->h, hog, block) != 0) {
            value_release(p->h, block);
            break;
        }
    }
    heap_root_set_take(p->h, ROOT_HANDLES, hog);
}

static void run_program(uint64_t seed, enum shortage shortage)
{
    size_t max_bytes = shortage == SHORTAGE_REAL ? (size_t)8 << 20 : 0;
    struct program p = {.h = heap_fixture_open(max_bytes), .rng = seed, .seed = seed};
    gc_compact_always(p.h, true);
    model_open(&p.m);
    bool failing = shortage == SHORTAGE_RANDOM;
    value root = map_new(p.h);
    heap_root_set_take(p.h, ROOT_KEYS, root);
    p.root = (struct pair){root, model_object_new(&p.m, true)};
    if (shortage == SHORTAGE_REAL) fill(&p);
    for (p.step = 0; p.step < STEPS; p.step++) {
        if (failing && below(&p, 6) == 0) heap_fail_nth(p.h, 1 + below(&p, 4));
        run_operation(&p);
        heap_fail_nth(p.h, 0);
        collector_turn(&p);
        if (below(&p, 150) == 0) check(&p);
    }
    check(&p);
    if (failing) ck_assert_uint_gt(p.failures, 0);
    model_close(&p.m);
    heap_fixture_close(p.h);
}

static void run_programs(const char *tcase, enum shortage shortage)
{
    uint64_t seed;
    struct seeds seeds = seeds_open(tcase, SEEDS);
    while (seeds_next(&seeds, &seed)) run_program(seed, shortage);
}

START_TEST(random_programs_agree_with_the_model)
{
    run_programs("agree", SHORTAGE_NONE);
}
END_TEST

START_TEST(random_programs_survive_failing_allocations)
{
    run_programs("failing", SHORTAGE_RANDOM);
}
END_TEST

START_TEST(random_programs_survive_a_full_heap)
{
    run_programs("full", SHORTAGE_REAL);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = seeds_tcase(name);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
}

Suite *test_suite(void)
{
    for (size_t i = 0; i < sizeof text_bytes; i++) text_bytes[i] = (char)('a' + i % 26);
    Suite *suite = suite_create("model");
    add(suite, "agree", random_programs_agree_with_the_model);
    add(suite, "failing", random_programs_survive_failing_allocations);
    add(suite, "full", random_programs_survive_a_full_heap);
    return suite;
}
