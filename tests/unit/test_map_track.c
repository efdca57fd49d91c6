/* test_map_track.c - tracked maps against a naive model, with allocations that fail. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/gc.h"
#include "heap/map_track.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/map_model.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#if defined(CAIRN_GC_STRESS)
#define UNIVERSE 500
#define OPERATIONS 6000
#else
#define UNIVERSE 4000
#define OPERATIONS 40000
#endif

struct tracked_model {
    struct map_model m;
    struct map_meta meta[UNIVERSE];
    bool keeps;      /* entries are to have access state */
    bool settled;    /* so it is, for all of them */
    bool failed;     /* memory was short on the way there */
    uint64_t cursor; /* of that */
};

static void tracked_open(struct tracked_model *t, struct heap *h)
{
    *t = (struct tracked_model){0};
    model_open(&t->m, h, KEYS_MIXED, UNIVERSE);
    t->m.map = map_new_tracked(h);
    ck_assert(t->m.map != VALUE_ABSENT && map_is_tracked(h, t->m.map));
    t->settled = true;
    heap_root_set_take(h, ROOT_KEYS, t->m.map);
}

static void with_key(struct tracked_model *t, size_t id, struct map_key *key, value *key_value)
{
    *key_value = model_key(t->m.h, t->m.keys, id);
    model_assert(*key_value != VALUE_ABSENT);
    model_assert(map_key_value(t->m.h, key, *key_value) == 0);
}

static void check_meta(struct tracked_model *t, size_t id)
{
    struct heap *h = t->m.h;
    struct map_key key;
    struct map_meta meta;
    value key_value;
    with_key(t, id, &key, &key_value);
    model_assert(map_meta(h, t->m.map, &key, &meta) == t->m.entries[id].there);
    if (t->m.entries[id].there) {
        model_assert(meta.access == t->meta[id].access || (!t->settled && meta.access == 0));
        model_assert(meta.expires_ms == t->meta[id].expires_ms);
    }
    value_release(h, key_value);
}

static void change_meta(struct tracked_model *t, size_t id, uint64_t *random, bool may_fail)
{
    struct heap *h = t->m.h;
    struct map_key key;
    value key_value;
    with_key(t, id, &key, &key_value);
    bool there = t->m.entries[id].there;
    uint16_t access = (uint16_t)random_next(random);
    uint64_t expires = random_below(random, 3) ? random_next(random) & MAP_EXPIRES_MAX : 0;
    bool touched = map_touch(h, t->m.map, &key, access);
    model_assert(!touched || there);
    if (t->settled) model_assert(touched == (there && t->keeps));
    if (touched) t->meta[id].access = access;
    bool grows = there && t->meta[id].expires_ms == 0 && expires != 0;
    if (may_fail) heap_fail_nth(h, 1);
    int status = map_expire(h, t->m.map, &key, expires);
    heap_fail_nth(h, 0);
    model_assert(status == 0 || status == (there ? -ENOMEM : -ENOENT));
    if (status == -ENOMEM) model_assert(grows && may_fail);
    if (status == 0) t->meta[id].expires_ms = expires;
    value_release(h, key_value);
}

/* Changes what the map keeps, or goes on with that. */
static void change_keeping(struct tracked_model *t, uint64_t *random)
{
    struct heap *h = t->m.h;
    if (t->settled || random_below(random, 16) == 0) {
        t->keeps = !t->keeps;
        t->settled = t->failed = false;
        t->cursor = 0;
        map_keep_access(h, t->m.map, t->keeps);
        return;
    }
    bool fails = random_below(random, 64) == 0;
    if (fails) heap_fail_nth(h, 1 + random_below(random, 8));
    t->cursor = map_access_step(h, t->m.map, t->cursor);
    heap_fail_nth(h, 0);
    t->failed |= fails;
    if (t->cursor != 0 || t->failed) {
        t->failed &= t->cursor != 0; /* once more from the start */
        return;
    }
    for (size_t id = 0; id < UNIVERSE; id++) {
        struct map_key key;
        struct map_meta meta;
        value key_value;
        with_key(t, id, &key, &key_value);
        if (map_meta(h, t->m.map, &key, &meta)) {
            model_assert(meta.access == 0 || (t->keeps && meta.access == t->meta[id].access));
            t->meta[id].access = meta.access;
        }
        value_release(h, key_value);
    }
    t->settled = true;
}

static void step(struct tracked_model *t, uint64_t *random)
{
    size_t id = random_below(random, UNIVERSE);
    bool was_there = t->m.entries[id].there;
    if (random_below(random, 50) == 0) change_keeping(t, random);
    switch (random_below(random, 8)) {
    case 0:
    case 1:
    case 2:
        model_assert(model_set(&t->m, id) == 0);
        if (!was_there) t->meta[id] = (struct map_meta){0};
        break;
    case 3: model_remove(&t->m, id); break;
    case 4: change_meta(t, id, random, true); break;
    default: change_meta(t, id, random, false); break;
    }
    check_meta(t, id);
    model_check_key(&t->m, id);
}

/* All that has expired comes, each once, while the map rests. */
static void check_expired(struct tracked_model *t, uint64_t now)
{
    struct heap *h = t->m.h;
    static bool met[UNIVERSE];
    struct map_entry page[MAP_EXPIRED_MIN];
    memset(met, 0, sizeof met);
    uint64_t cursor = 0, soonest = UINT64_MAX, later = UINT64_MAX;
    do {
        size_t count = map_expired(h, t->m.map, now, cursor, &cursor, &soonest, page,
                                   MAP_EXPIRED_MIN);
        model_assert(count <= MAP_EXPIRED_MIN);
        for (size_t i = 0; i < count; i++) {
            size_t id = model_key_id(h, t->m.keys, page[i].key);
            model_assert(t->m.entries[id].there && !met[id]);
            model_assert(page[i].meta.expires_ms == t->meta[id].expires_ms);
            model_assert(model_value_is(h, page[i].v, id, t->m.entries[id].version));
            met[id] = true;
        }
    } while (cursor);
    for (size_t id = 0; id < UNIVERSE; id++) {
        uint64_t expires = t->m.entries[id].there ? t->meta[id].expires_ms : 0;
        model_assert(met[id] == (expires != 0 && expires <= now));
        if (expires > now && expires < later) later = expires;
    }
    model_assert(soonest == later);
}

static void check_sample(struct tracked_model *t, uint64_t *random)
{
    struct heap *h = t->m.h;
    struct map_entry sample[16];
    for (unsigned i = 0; i < 50; i++) {
        bool expiring = i % 2;
        size_t count = map_sample(h, t->m.map, random_next(random), expiring, sample, 16);
        model_assert(t->m.count < UNIVERSE / 2 || count == 16);
        for (size_t j = 0; j < count; j++) {
            size_t id = model_key_id(h, t->m.keys, sample[j].key);
            model_assert(t->m.entries[id].there);
            uint16_t access = sample[j].meta.access;
            model_assert(access == t->meta[id].access || (!t->settled && access == 0));
            model_assert(!expiring || sample[j].meta.expires_ms != 0);
            model_assert(sample[j].bytes > 4);
        }
    }
}

START_TEST(metadata_stays_with_its_entry)
{
    uint64_t seed = random_seed(), random = seed;
    printf("# seed %lu\n", seed);
    struct heap *h = heap_fixture_open(0);
    static struct tracked_model t;
    tracked_open(&t, h);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        step(&t, &random);
        heap_fixture_jitter(h, &random);
        if (i % (OPERATIONS / 10)) continue;
        model_check(&t.m, "now and then");
        for (size_t id = 0; id < UNIVERSE; id++) check_meta(&t, id);
        check_expired(&t, MAP_EXPIRES_MAX / 2);
        check_sample(&t, &random);
        heap_fixture_verify(h, "now and then");
    }
    for (size_t id = 0; id < UNIVERSE; id++) model_remove(&t.m, id);
    ck_assert(map_is_tracked(h, t.m.map));
    check_expired(&t, MAP_EXPIRES_MAX);
    ck_assert_int_eq(model_set(&t.m, 3), 0);
    model_check(&t.m, "with one entry again");
    model_close(&t.m);
    heap_fixture_close(h);
}
END_TEST

START_TEST(making_a_tracked_map_may_fail)
{
    struct heap *h = heap_fixture_open(0);
    for (unsigned n = 1; n <= 2; n++) {
        heap_fail_nth(h, n);
        ck_assert_uint_eq(map_new_tracked(h), VALUE_ABSENT);
        heap_fail_nth(h, 0);
    }
    heap_fixture_close(h);
}
END_TEST

/* With many samples of one entry each, every entry comes, and none much more often than others. */
START_TEST(samples_are_spread)
{
    enum { ENTRIES = UNIVERSE / 4, SAMPLES = ENTRIES * 40 };
    struct heap *h = heap_fixture_open(0);
    value map = map_new_tracked(h);
    heap_root_set_take(h, ROOT_KEYS, map);
    struct map_key key;
    for (int64_t i = 0; i < ENTRIES; i++) {
        ck_assert_int_eq(map_key_value(h, &key, value_int(i)), 0);
        ck_assert_int_eq(map_set_take(h, map, &key, VALUE_TRUE), 0);
    }
    static unsigned met[ENTRIES];
    memset(met, 0, sizeof met);
    uint64_t random = 5;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct map_entry entry;
        ck_assert_uint_eq(map_sample(h, map, random_next(&random), false, &entry, 1), 1);
        met[value_to_int(entry.key)]++;
    }
    unsigned rare = 0, often = 0;
    for (unsigned i = 0; i < ENTRIES; i++) {
        rare += met[i] < 4;
        often += met[i] > 400;
    }
    ck_assert_uint_lt(rare, ENTRIES / 10);
    ck_assert_uint_lt(often, ENTRIES / 100);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("map_track");
    TCase *tcase = tcase_create("map_track");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, metadata_stays_with_its_entry);
    tcase_add_test(tcase, making_a_tracked_map_may_fail);
    tcase_add_test(tcase, samples_are_spread);
    suite_add_tcase(suite, tcase);
    return suite;
}
