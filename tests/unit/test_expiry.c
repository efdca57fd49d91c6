/* test_expiry.c - what wakes the server for its keys' sake, and that nothing does when there is
 * nothing to do: turns of the loop are played, and asked whether the next may block. */
#include "server/expiry.h"

#include "heap/gc.h"
#include "heap/text.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

#define HEAP_BYTES ((size_t)16 << 20)
#define BEGIN_MS 1000000

static struct heap *heap;
static uv_loop_t loop;
static struct tasks tasks;
static struct keys keys;
static struct expiry expiry;

static void setup(void)
{
    heap = heap_fixture_open(HEAP_BYTES);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    tasks_init(&tasks, heap);
    keys_init(&keys, heap, POLICY_REFUSE);
    keys.fixed_ms = BEGIN_MS;
    expiry_init(&expiry, &keys, &tasks, &loop);
}

static void teardown(void)
{
    uv_close((uv_handle_t *)&expiry.timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    heap_fixture_close(heap);
}

static bool set(unsigned id, uint64_t expires_ms)
{
    char text[24], data[100] = {0};
    struct map_key key;
    map_key_text(heap, &key, text, (size_t)sprintf(text, "key:%u", id));
    value v = text_new(heap, data, sizeof data, false);
    if (v != VALUE_ABSENT && keys_set_take(&keys, &key, v, expires_ms) == 0) return true;
    value_release(heap, v);
    return false;
}

static size_t key_count(void) { return map_count(heap, keys_root(&keys)); }

/* A turn without events, as server.c has it. Whether the next one need not wait for any. */
static bool turn(void)
{
    expiry_turn(&expiry);
    tasks_run(&tasks, 0);
    expiry_turn(&expiry);
    return tasks_want_time(&tasks);
}

/* Turns until the loop may block; afterwards it may at once. */
static void turn_until_idle(void)
{
    unsigned turns = 0;
    while (turn()) ck_assert_uint_lt(turns++, 100000);
    for (unsigned i = 0; i < 10; i++) ck_assert(!turn());
}

/* Until memory is short, and more than there should be is in use. Returns the next id. */
static unsigned fill(unsigned id, uint64_t expires_ms)
{
    while (set(id, expires_ms)) {
        keys_evict_wanted(&keys); /* as at the beginning of each call */
        id++;
    }
    ck_assert(keys_evict_wanted(&keys));
    return id;
}

START_TEST(a_server_whose_keys_may_not_go_sleeps)
{
    keys_policy(&keys, POLICY_EVICT_TTL);
    fill(0, 0);
    size_t count = key_count();
    turn_until_idle();
    ck_assert(keys_evict_wanted(&keys));
    ck_assert_uint_eq(key_count(), count);
}
END_TEST

/* It slept because nothing could go; when something can, it wakes. */
START_TEST(it_evicts_again_when_there_is_something_to_evict)
{
    keys_policy(&keys, POLICY_EVICT_TTL);
    unsigned count = fill(0, 0);
    turn_until_idle();
    for (unsigned id = 0; id < count; id++) {
        struct map_key key;
        char text[24];
        if (id % 4 == 0) continue;
        map_key_text(heap, &key, text, (size_t)sprintf(text, "key:%u", id));
        keys_remove(&keys, &key);
    }
    gc_collect(heap); /* moves what is left together */
    turn_until_idle();
    unsigned added = fill(count, BEGIN_MS + 1000000) - count;
    ck_assert_uint_gt(added, count / 4);
    turn_until_idle();
    ck_assert_uint_gt(keys.evicted, 0);
    ck_assert_uint_le(keys.evicted, added);
}
END_TEST

START_TEST(it_waits_for_the_first_key_that_expires)
{
    for (unsigned id = 0; id < 1000; id++) ck_assert(set(id, BEGIN_MS + 5000 + id % 2 * 100000));
    turn_until_idle();
    ck_assert(uv_is_active((uv_handle_t *)&expiry.timer));
    ck_assert_uint_eq(expiry.timer_ms, BEGIN_MS + 5000);
    keys.fixed_ms += 5000;
    turn_until_idle();
    ck_assert_uint_eq(key_count(), 500);
    ck_assert_uint_eq(expiry.timer_ms, BEGIN_MS + 105000);
    keys_clear(&keys);
    turn_until_idle();
    ck_assert(!uv_is_active((uv_handle_t *)&expiry.timer));
}
END_TEST

START_TEST(a_change_of_policy_is_carried_through)
{
    for (unsigned id = 0; id < 5000; id++) ck_assert(set(id, id % 3 ? 0 : BEGIN_MS + 5000));
    keys_policy(&keys, POLICY_EVICT_LRU);
    turn_until_idle();
    ck_assert(!keys_convert_wanted(&keys));
    for (unsigned id = 0; id < 5000; id++) {
        struct map_key key;
        char text[24];
        map_key_text(heap, &key, text, (size_t)sprintf(text, "key:%u", id));
        ck_assert(map_touch(heap, keys_root(&keys), &key, 1));
    }
    keys_policy(&keys, POLICY_EVICT_LFU);
    keys_clear(&keys);
    turn_until_idle();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("expiry");
    TCase *tcase = tcase_create("expiry");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_server_whose_keys_may_not_go_sleeps);
    tcase_add_test(tcase, it_evicts_again_when_there_is_something_to_evict);
    tcase_add_test(tcase, it_waits_for_the_first_key_that_expires);
    tcase_add_test(tcase, a_change_of_policy_is_carried_through);
    suite_add_tcase(suite, tcase);
    return suite;
}
