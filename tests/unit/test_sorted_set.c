/* test_sorted_set.c - sorted sets against a naive model (an array, sorted when it is asked), with
 * the collector at work in between, with every allocation failing once, and with batches of
 * changes that are undone. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heap/census.h"
#include "heap/equal.h"
#include "heap/map.h"
#include "heap/sorted_set.h"
#include "heap/verify.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#if defined(CAIRN_GC_STRESS)
#define LARGE 700
#define OPERATIONS 6000
#elif defined(__SANITIZE_ADDRESS__)
#define LARGE 6000
#define OPERATIONS 15000
#else
#define LARGE 20000
#define OPERATIONS 30000
#endif
#define NAME_MAX_BYTES SORTED_MEMBER_MAX

struct model_member {
    bool there;
    struct number score;
};

struct sorted_model {
    struct heap *h;
    value set; /* in ROOT_KEYS */
    size_t universe, count;
    unsigned names;  /* which sort of member names */
    unsigned scores; /* which sort of scores */
    struct model_member members[LARGE];
};

enum { NAMES_SHORT, NAMES_LONG };
enum { SCORES_FEW, SCORES_INTS, SCORES_ALL };

/* --- members and scores ---------------------------------------------------------------------*/

static size_t name_of(const struct sorted_model *m, size_t id, char *name)
{
    if (id == 0) return 0; /* the empty text */
    const char *begin = id % 5 == 0 ? "\xff" : id % 3 == 0 ? "a member of the set " : "";
    size_t length = (size_t)sprintf(name, "%s%zu", begin, id);
    if (m->names == NAMES_SHORT) return length;
    size_t total = id % 7 == 0 ? NAME_MAX_BYTES : id % 7 < 4 ? length : length + id % 200;
    if (total > NAME_MAX_BYTES) total = NAME_MAX_BYTES;
    memset(name + length, 'x', total - length);
    return total;
}

static struct number int_score(int64_t i)
{
    return (struct number){.class = NUMBER_INT64, .i = i};
}

static struct number double_score(double d)
{
    struct number score;
    model_assert(sorted_score((struct number){.class = NUMBER_DOUBLE, .d = d}, &score) == 0);
    return score;
}

static struct number random_score(const struct sorted_model *m, uint64_t *random)
{
    int64_t small = (int64_t)random_below(random, 2000) - 1000;
    if (m->scores == SCORES_FEW) return int_score(small % 3);
    if (m->scores == SCORES_INTS) return int_score((int64_t)random_next(random));
    switch (random_below(random, 10)) {
    case 0: return double_score(small % 2 ? INFINITY : -INFINITY);
    case 1: return double_score((double)small * 1e300);
    case 2: return double_score((double)small * 1e-300);
    case 3: return int_score(((int64_t)1 << 53) + small % 4);
    case 4: return double_score(0x1p53 + 2 * (double)(small % 4));
    case 5: return int_score(small % 2 ? INT64_MAX - small * small : INT64_MIN + small * small);
    case 6: return double_score(small % 2 ? 0x1p63 : -0x1p63);
    case 7: return double_score((double)small / 8);
    default: return int_score(small);
    }
}

/* --- the model ------------------------------------------------------------------------------*/

static void open_model(struct sorted_model *m, struct heap *h, size_t universe, unsigned names,
                       unsigned scores)
{
    *m = (struct sorted_model){.h = h, .set = sorted_set_new(h), .universe = universe,
                               .names = names, .scores = scores};
    model_assert(m->set != VALUE_ABSENT);
    heap_root_set_take(h, ROOT_KEYS, m->set);
}

static int set_score(struct sorted_model *m, size_t id, struct number score)
{
    static char name[NAME_MAX_BYTES + 64];
    struct sorted_change change;
    size_t length = name_of(m, id, name);
    int status = sorted_set_put(m->h, m->set, name, length, score, &change);
    if (status < 0) return status;
    model_assert(change.was_there == m->members[id].there);
    sorted_set_keep(m->h, m->set, &change);
    sorted_set_settle(m->h, m->set, &change);
    m->count += !m->members[id].there;
    m->members[id] = (struct model_member){true, score};
    return 0;
}

static void remove_member(struct sorted_model *m, size_t id)
{
    static char name[NAME_MAX_BYTES + 64];
    size_t length = name_of(m, id, name);
    model_assert(sorted_set_remove(m->h, m->set, name, length) == m->members[id].there);
    m->count -= m->members[id].there;
    m->members[id].there = false;
}

static void check_score(const struct sorted_model *m, size_t id)
{
    static char name[NAME_MAX_BYTES + 64];
    struct number score;
    bool there = sorted_set_score(m->h, m->set, name, name_of(m, id, name), &score);
    model_assert(there == m->members[id].there);
    if (there) model_assert(sorted_score_compare(score, m->members[id].score) == 0);
}

static const struct sorted_model *sorting;

static int compare_ids(const void *a, const void *b)
{
    static char name_a[NAME_MAX_BYTES + 64], name_b[NAME_MAX_BYTES + 64];
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = sorted_score_compare(sorting->members[x].score, sorting->members[y].score);
    if (order != 0) return order;
    size_t length_a = name_of(sorting, x, name_a), length_b = name_of(sorting, y, name_b);
    order = memcmp(name_a, name_b, length_a < length_b ? length_a : length_b);
    return order != 0 ? order : (length_a > length_b) - (length_a < length_b);
}

static void check_entry(const struct sorted_model *m, size_t id, const struct sorted_entry *entry)
{
    static char name[NAME_MAX_BYTES + 64];
    model_assert(entry->length == name_of(m, id, name));
    model_assert(memcmp(entry->member, name, entry->length) == 0);
    model_assert(sorted_score_compare(entry->score, m->members[id].score) == 0);
}

static void check_order(const struct sorted_model *m, const size_t *ids, uint64_t *random)
{
    static char name[NAME_MAX_BYTES + 64];
    struct sorted_cursor at;
    struct sorted_entry entry;
    size_t rank, from = random_below(random, m->count + 1);
    sorted_set_seek(m->h, m->set, from, &at);
    for (size_t i = from; i < m->count && i < from + 500; i++) {
        model_assert(sorted_set_next(m->h, &at, &entry));
        check_entry(m, ids[i], &entry);
    }
    sorted_set_seek(m->h, m->set, from, &at);
    for (size_t i = from; i > 0 && i + 500 > from; i--) {
        model_assert(sorted_set_previous(m->h, &at, &entry));
        check_entry(m, ids[i - 1], &entry);
    }
    for (unsigned n = 0; n < 50 && m->count > 0; n++) {
        size_t i = random_below(random, m->count), below = i, above = i + 1;
        model_assert(sorted_set_rank(m->h, m->set, name, name_of(m, ids[i], name), &rank));
        model_assert(rank == i);
        struct number score = m->members[ids[i]].score;
        while (below > 0 && sorted_score_compare(m->members[ids[below - 1]].score, score) == 0)
            below--;
        while (above < m->count && sorted_score_compare(m->members[ids[above]].score, score) == 0)
            above++;
        model_assert(sorted_set_below(m->h, m->set, score, false) == below);
        model_assert(sorted_set_below(m->h, m->set, score, true) == above);
    }
}

static void check_model(const struct sorted_model *m, uint64_t *random)
{
    static size_t ids[LARGE];
    char message[200];
    size_t count = 0;
    model_assert_msg(sorted_set_verify(m->h, m->set, message, sizeof message) == 0, "%s", message);
    model_assert(sorted_set_count(m->h, m->set) == m->count);
    for (size_t id = 0; id < m->universe; id++) {
        check_score(m, id);
        if (m->members[id].there) ids[count++] = id;
    }
    model_assert(count == m->count);
    sorting = m;
    qsort(ids, count, sizeof *ids, compare_ids);
    for (unsigned i = 0; i < 3; i++) check_order(m, ids, random);
}

/* --- random programs ------------------------------------------------------------------------*/

static const struct {
    size_t universe;
    unsigned names, scores;
} programs[] = {
    {5, NAMES_SHORT, SCORES_ALL},      {60, NAMES_LONG, SCORES_ALL},
    {300, NAMES_LONG, SCORES_FEW},     {LARGE, NAMES_SHORT, SCORES_INTS},
    {LARGE, NAMES_SHORT, SCORES_FEW},  {LARGE / 2, NAMES_LONG, SCORES_ALL},
};
#define PROGRAM_COUNT (int)(sizeof programs / sizeof *programs)

START_TEST(random_programs)
{
    uint64_t seed = random_seed() + (uint64_t)_i, random = seed;
    printf("# seed %lu\n", seed - (uint64_t)_i);
    struct heap *h = heap_fixture_open(0);
    static struct sorted_model m;
    open_model(&m, h, programs[_i].universe, programs[_i].names, programs[_i].scores);
    uint64_t share = 8;
    size_t operations = OPERATIONS < 4 * m.universe ? 4 * m.universe : OPERATIONS;
    for (size_t i = 0; i < operations; i++) {
        if (m.count >= m.universe * 9 / 10) share = 2;
        if (m.count <= m.universe / 20) share = 9;
        size_t id = random_below(&random, m.universe);
        if (random_below(&random, 10) < share)
            model_assert(set_score(&m, id, random_score(&m, &random)) == 0);
        else
            remove_member(&m, id);
        check_score(&m, random_below(&random, m.universe));
        heap_fixture_jitter(h, &random);
        if (i % (operations / 20) == 0) check_model(&m, &random);
    }
    check_model(&m, &random);
    for (size_t id = 0; id < m.universe; id++) {
        remove_member(&m, id);
        if (id % 64 == 0) heap_fixture_jitter(h, &random);
    }
    check_model(&m, &random);
    ck_assert_uint_eq(heap_fixture_objects(h), 2);
    heap_fixture_close(h);
}
END_TEST

/* In order of scores, both ways: chunks are then full, or nearly so, and all is found. */
START_TEST(in_order)
{
    struct heap *h = heap_fixture_open(0);
    static struct sorted_model m;
    uint64_t random = 5;
    open_model(&m, h, LARGE, NAMES_SHORT, SCORES_INTS);
    for (size_t id = 0; id < m.universe; id++)
        model_assert(set_score(&m, id, int_score(_i ? -(int64_t)id : (int64_t)id)) == 0);
    check_model(&m, &random);
    for (size_t id = 0; id < m.universe; id++) {
        remove_member(&m, id);
        if (id % (m.universe / 10) == 0) check_model(&m, &random);
    }
    heap_fixture_close(h);
}
END_TEST

/* --- failing allocations, and undoing --------------------------------------------------------*/

START_TEST(failing_allocations)
{
    struct heap *h = heap_fixture_open(0);
    static struct sorted_model m;
    uint64_t random = 7 + (uint64_t)_i;
    open_model(&m, h, LARGE / 4, programs[_i].names, programs[_i].scores);
    size_t failures = 0;
    for (size_t i = 0; i < 2 * m.universe; i++) {
        size_t id = random_below(&random, m.universe);
        struct number score = random_score(&m, &random);
        for (uint64_t n = 1;; n++) {
            heap_fail_nth(h, n);
            int status = set_score(&m, id, score);
            heap_fail_nth(h, 0);
            if (status == 0) break;
            failures++;
            check_score(&m, id);
            if (failures % 200 == 0) {
                check_model(&m, &random);
                heap_fixture_verify(h, "after a failure");
            }
        }
        if (i % 16 == 0) heap_fixture_jitter(h, &random);
    }
    check_model(&m, &random);
    ck_assert_uint_gt(failures, m.universe / 20);
    /* Removing works when nothing can be allocated, and leaves a sound tree. */
    for (size_t i = 0; i < m.universe; i++) {
        for (uint64_t n = 1; n < 4; n++) heap_fail_nth(h, 1);
        remove_member(&m, i);
        heap_fail_nth(h, 0);
        if (i % (m.universe / 8) == 0) check_model(&m, &random);
    }
    heap_fixture_close(h);
}
END_TEST

/* Batches, those of members that are not there in front, ended by keeping or by undoing all. */
START_TEST(batches)
{
    uint64_t seed = random_seed() + (uint64_t)_i, random = seed;
    printf("# seed %lu\n", seed - (uint64_t)_i);
    enum { BATCH = 60 };
    struct heap *h = heap_fixture_open(0);
    static struct sorted_model m, before;
    static struct sorted_change changes[BATCH];
    static char names[BATCH][NAME_MAX_BYTES + 64];
    open_model(&m, h, 80, programs[_i].names, programs[_i].scores);
    for (unsigned round = 0; round < 200; round++) {
        size_t made = 0, tried = 0;
        bool keep = random_below(&random, 2);
        before = m;
        heap_fail_nth(h, keep ? 0 : random_below(&random, 400));
        bool full = true;
        size_t start = random_below(&random, m.universe);
        for (; tried < 2 * m.universe && made < BATCH; tried++) {
            size_t id = (start + 7 * tried) % m.universe; /* each once in a round of all */
            if (before.members[id].there != (tried >= m.universe)) continue;
            if (random_below(&random, 3) == 0) continue;
            struct number score = random_score(&m, &random);
            size_t length = name_of(&m, id, names[made]);
            if (sorted_set_put(h, m.set, names[made], length, score, &changes[made]) < 0) {
                full = false;
                break;
            }
            made++;
            m.count += !m.members[id].there;
            m.members[id] = (struct model_member){true, score};
        }
        heap_fail_nth(h, 0);
        ck_assert(!keep || full);
        for (size_t i = 0; i < made && keep; i++) sorted_set_keep(h, m.set, &changes[i]);
        for (size_t i = made; i-- > 0 && !keep;) sorted_set_undo(h, m.set, &changes[i]);
        for (size_t i = 0; i < made; i++) sorted_set_settle(h, m.set, &changes[i]);
        if (!keep) m = before;
        check_model(&m, &random);
        if (round % 3 == 0) remove_member(&m, random_below(&random, m.universe));
        heap_fixture_jitter(h, &random);
    }
    heap_fixture_close(h);
}
END_TEST

/* --- the rest -------------------------------------------------------------------------------*/

START_TEST(scores_are_canonical)
{
    struct number s;
    struct number nan = {.class = NUMBER_DOUBLE, .d = NAN}, none = {.class = NUMBER_NONE};
    ck_assert_int_eq(sorted_score(nan, &s), -EINVAL);
    ck_assert_int_eq(sorted_score(none, &s), -EINVAL);
    struct number odd = {.class = NUMBER_UINT64, .u = UINT64_MAX};
    ck_assert_int_eq(sorted_score(odd, &s), -ERANGE);
    odd.u = (uint64_t)1 << 63;
    ck_assert_int_eq(sorted_score(odd, &s), 0);
    ck_assert_int_eq(s.class, NUMBER_DOUBLE);
    static const double whole[] = {0.0, -0.0, 1.0, -7.0, 0x1p62, -0x1p63, 1e18};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        s = double_score(whole[i]);
        ck_assert_int_eq(s.class, NUMBER_INT64);
        ck_assert(s.i == (int64_t)whole[i]);
    }
    static const double others[] = {0.5, 0x1p63, -0x1p64, INFINITY, -INFINITY, 1e300};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_int_eq(double_score(others[i]).class, NUMBER_DOUBLE);
    /* In ascending order. */
    struct number order[] = {double_score(-INFINITY),
                             double_score(-0x1p64),
                             int_score(INT64_MIN),
                             int_score(-3),
                             double_score(-2.5),
                             int_score(-2),
                             int_score(-1),
                             double_score(-0.5),
                             int_score(0),
                             double_score(0.5),
                             int_score(1),
                             int_score((1L << 53) + 1),
                             int_score(INT64_MAX),
                             double_score(0x1p63),
                             double_score(INFINITY)};
    int count = sizeof order / sizeof *order;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            ck_assert_int_eq(sorted_score_compare(order[i], order[j]), (i > j) - (i < j));
}
END_TEST

static value numbered(struct heap *h, size_t count, int64_t last)
{
    value set = sorted_set_new(h);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        struct sorted_change change;
        size_t length = (size_t)sprintf(name, "m%zu", i);
        struct number score = int_score(i + 1 == count ? last : (int64_t)i);
        model_assert(sorted_set_put(h, set, name, length, score, &change) == 0);
        sorted_set_keep(h, set, &change);
        sorted_set_settle(h, set, &change);
    }
    return set;
}

START_TEST(equality)
{
    struct heap *h = heap_fixture_open(0);
    value a = numbered(h, 100, 5), b = numbered(h, 100, 5), c = numbered(h, 100, 6);
    value none = numbered(h, 0, 0), none_too = numbered(h, 0, 0);
    ck_assert_int_eq(value_equal(h, a, b, 1000), 1);
    ck_assert_int_eq(value_equal(h, a, c, 1000), 0);
    ck_assert_int_eq(value_equal(h, a, none, 1000), 0);
    ck_assert_int_eq(value_equal(h, none, none_too, 1000), 1);
    value_release(h, a);
    value_release(h, b);
    value_release(h, c);
    value_release(h, none);
    value_release(h, none_too);
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_census_names_sorted_sets)
{
    struct heap *h = heap_fixture_open(0);
    struct census census;
    heap_root_set_take(h, ROOT_KEYS, numbered(h, 500, 3));
    census_init(&census);
    while (!census_step(h, &census, 100)) continue;
    ck_assert_uint_eq(census.by_kind[KIND_SORTED_SET].count, 1);
    ck_assert_uint_eq(census.by_kind[KIND_SCORES].count, 1);
    ck_assert_uint_ge(census.by_kind[KIND_SORTED_NODE].count, 1);
    ck_assert_uint_eq(census.by_kind[KIND_MAP].count, 0);
    ck_assert_uint_eq(census.by_kind[KIND_SHAPE].count, 0);
    heap_fixture_close(h);
}
END_TEST

START_TEST(the_verifier_looks_inside)
{
    struct heap *h = heap_fixture_open(0);
    value set = numbered(h, 500, 3), score = VALUE_NIL;
    char message[200];
    struct map_key key;
    heap_root_set_take(h, ROOT_KEYS, set);
    map_key_text(h, &key, "m17", 3);
    ck_assert_int_eq(map_remove(h, sorted_set_scores(h, set), &key, &score), 0);
    ck_assert_int_eq(heap_verify(h, message, sizeof message), -EINVAL);
    ck_assert_ptr_nonnull(strstr(message, "entry 18 has another score, or none, in the map"));
    ck_assert_int_eq(map_set_take(h, sorted_set_scores(h, set), &key, score), 0);
    ck_assert_int_eq(heap_verify(h, message, sizeof message), 0);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sorted set");
    TCase *random = tcase_create("random");
    tcase_set_timeout(random, 240);
    tcase_add_loop_test(random, random_programs, 0, PROGRAM_COUNT);
    tcase_add_loop_test(random, in_order, 0, 2);
    suite_add_tcase(suite, random);
    TCase *faults = tcase_create("faults");
    tcase_set_timeout(faults, 240);
    tcase_add_loop_test(faults, failing_allocations, 1, PROGRAM_COUNT);
    tcase_add_loop_test(faults, batches, 0, PROGRAM_COUNT);
    suite_add_tcase(suite, faults);
    TCase *whole = tcase_create("whole");
    tcase_add_test(whole, scores_are_canonical);
    tcase_add_test(whole, equality);
    tcase_add_test(whole, the_census_names_sorted_sets);
    tcase_add_test(whole, the_verifier_looks_inside);
    suite_add_tcase(suite, whole);
    return suite;
}
