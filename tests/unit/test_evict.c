/* test_evict.c - eviction: that the right keys go, about as many hits as the true order would
 * give; that no call does much; that the key space does not run empty because what was evicted
 * is freed late or not at all; that a server which evicts goes on taking writes. */
#include "server/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/list.h"
#include "tests/support/ask.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define BEGIN_MS 1000000
#define HEAP_BYTES ((size_t)16 << 20)
#if defined(CAIRN_GC_STRESS) || defined(__SANITIZE_ADDRESS__)
#define ACCESSES 600000
#else
#define ACCESSES 2000000
#endif
#define UNIVERSE 300000

static struct in_process p;
static struct keys *k;
static uint64_t random_state;

static void setup(void)
{
    in_process_open(&p, HEAP_BYTES);
    k = &p.own_keys;
    k->fixed_ms = BEGIN_MS;
    random_state = random_seed();
}
static void teardown(void) { in_process_close(&p); }

static void use_policy(enum memory_policy policy) { evict_init(k, policy); }

static void key_make(struct map_key *key, char *text, unsigned id)
{
    sprintf(text, "key:%u", id);
    map_key_text(p.heap, key, text, strlen(text));
}

static bool get(unsigned id)
{
    struct map_key key;
    char text[16];
    keys_turn(k);
    key_make(&key, text, id);
    return keys_get(k, &key) != VALUE_ABSENT;
}

/* As a call does: some keys go first. False for want of memory. */
static bool set(unsigned id, size_t length, uint64_t expires_ms)
{
    static char data[100000];
    struct map_key key;
    char text[16];
    keys_turn(k);
    /* As after a turn. */
    if (id % 64 == 0 || length >= 1000) gc_run(p.heap, 100000, GC_BESIDE_EVENTS);
    size_t evicted = keys_evict(k, EVICT_CALL_KEYS);
    ck_assert_uint_le(evicted, EVICT_CALL_KEYS);
    key_make(&key, text, id);
    memset(data, 'x', length);
    value v = text_new(p.heap, data, length, false);
    if (v != VALUE_ABSENT && keys_set_take(k, &key, v, expires_ms) == 0) return true;
    value_release(p.heap, v);
    return false;
}

/* As a client that tries again when it is told that memory is short, which it seldom is. */
static void set_surely(unsigned id, size_t length, uint64_t expires_ms)
{
    static size_t calls, failed;
    calls++;
    while (!set(id, length, expires_ms)) {
        failed++;
        ck_assert_uint_le(failed, 20 + calls / 200);
        keys_memory_short(k);
        gc_run(p.heap, 100000, GC_BESIDE_EVENTS);
    }
}

static size_t key_count(void) { return map_count(p.heap, keys_root(k)); }

/* Ids of low number are wanted much more often: the density falls as 1/sqrt of the id cubed. */
static unsigned skewed(void)
{
    double u = (double)random_below(&random_state, 1 << 30) / (1 << 30);
    return (unsigned)(u * u * u * u * UNIVERSE);
}

/* --- what goes --------------------------------------------------------------------------------*/

/* A cache that knows the true order: a list of ids, the last used first. */
struct lru {
    unsigned next[UNIVERSE + 1], prev[UNIVERSE + 1]; /* UNIVERSE is the head */
    bool there[UNIVERSE];
    size_t count;
};

static void lru_unlink(struct lru *l, unsigned id)
{
    l->next[l->prev[id]] = l->next[id];
    l->prev[l->next[id]] = l->prev[id];
}

static bool lru_use(struct lru *l, unsigned id, size_t capacity)
{
    bool hit = l->there[id];
    if (hit) lru_unlink(l, id);
    else l->count++;
    l->there[id] = true;
    l->prev[id] = UNIVERSE;
    l->next[id] = l->next[UNIVERSE];
    l->prev[l->next[id]] = id;
    l->next[UNIVERSE] = id;
    for (; l->count > capacity; l->count--) {
        unsigned last = l->prev[UNIVERSE];
        lru_unlink(l, last);
        l->there[last] = false;
    }
    return hit;
}

/* Accesses the cache; hits are counted in the second half. *capacity: how many keys there were, on
 * average. */
static size_t run_cache(unsigned *ids, size_t *capacity)
{
    size_t hits = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < ACCESSES; i++) {
        if (i % 100 == 0) k->fixed_ms++;
        ids[i] = skewed();
        bool hit = get(ids[i]);
        if (!hit) set_surely(ids[i], 100, 0);
        if (i < ACCESSES / 2) continue;
        hits += hit;
        sum += key_count();
    }
    *capacity = sum / (ACCESSES - ACCESSES / 2);
    return hits;
}

START_TEST(lru_hits_as_often_as_the_true_order)
{
    struct lru *l = calloc(1, sizeof *l);
    unsigned *ids = malloc(ACCESSES * sizeof *ids);
    size_t capacity, hits, ideal = 0;
    use_policy(POLICY_EVICT_LRU);
    hits = run_cache(ids, &capacity);
    l->next[UNIVERSE] = l->prev[UNIVERSE] = UNIVERSE;
    for (size_t i = 0; i < ACCESSES; i++)
        ideal += lru_use(l, ids[i], capacity) && i >= ACCESSES / 2;
    printf("# %zu keys, %zu evicted, %zu hits of %d; in true order %zu\n", capacity,
           (size_t)k->evicted, hits, ACCESSES - ACCESSES / 2, ideal);
    ck_assert_uint_gt(k->evicted, capacity / 2);
    ck_assert_uint_ge(hits * 100, ideal * 97);
    free(l);
    free(ids);
}
END_TEST

START_TEST(lfu_hits_nearly_as_often_as_can_be)
{
    unsigned *ids = malloc(ACCESSES * sizeof *ids);
    size_t capacity, hits, ideal = 0;
    use_policy(POLICY_EVICT_LFU);
    hits = run_cache(ids, &capacity);
    for (size_t i = ACCESSES / 2; i < ACCESSES; i++) ideal += ids[i] < capacity;
    printf("# %zu keys, %zu hits of %d; if the most wanted were kept %zu\n", capacity, hits,
           ACCESSES - ACCESSES / 2, ideal);
    ck_assert_uint_ge(hits * 100, ideal * 85);
    free(ids);
}
END_TEST

START_TEST(lfu_keeps_what_is_wanted_through_a_scan)
{
    use_policy(POLICY_EVICT_LFU);
    for (unsigned i = 0; i < 200; i++)
        for (unsigned id = 0; id < 1000; id++)
            if (!get(id)) set_surely(id, 100, 0);
    for (unsigned id = 1000; id < 300000; id++) set_surely(id, 100, 0);
    size_t kept = 0;
    for (unsigned id = 0; id < 1000; id++) kept += get(id);
    ck_assert_uint_gt(k->evicted, 100000);
    ck_assert_uint_ge(kept, 990);
}
END_TEST

START_TEST(ttl_takes_what_expires_first)
{
    unsigned count = 0, near = 0, far = 0;
    use_policy(POLICY_EVICT_TTL);
    for (unsigned id = 0; id < 1000; id++) set_surely(1000000 + id, 100, 0);
    while (k->evicted < 20000) {
        set_surely(count, 100, BEGIN_MS + 1000000 + random_below(&random_state, 1000000));
        count++;
    }
    for (unsigned id = 0; id < count; id++) {
        struct map_key key;
        char text[16];
        uint64_t expires_ms;
        key_make(&key, text, id);
        if (!keys_expires(k, &key, &expires_ms)) continue;
        if (expires_ms < BEGIN_MS + 1000000 + 500000) near++;
        else far++;
    }
    printf("# of %u keys %u are left of the nearer half, %u of the other\n", count, near, far);
    ck_assert_uint_ge(far, count / 2 - count / 50); /* the later half is all there */
    for (unsigned id = 0; id < 1000; id++) ck_assert(get(1000000 + id));
}
END_TEST

START_TEST(what_has_expired_goes_first)
{
    use_policy(POLICY_EVICT_LRU);
    unsigned count = 0;
    while (!keys_evict_wanted(k)) {
        set_surely(count, 100, count % 4 ? 0 : BEGIN_MS + 1);
        count++;
    }
    k->fixed_ms += 10;
    keys_turn(k);
    uint64_t evicted = k->evicted;
    for (unsigned id = count; k->evicted < evicted + count / 8; id++) set_surely(id, 100, 0);
    unsigned left = 0;
    for (unsigned id = 0; id < count; id++) left += id % 4 != 0 && get(id);
    ck_assert_uint_ge(left, count * 3 / 4 - count / 50);
}
END_TEST

/* --- how much goes ----------------------------------------------------------------------------*/

START_TEST(refuse_evicts_nothing)
{
    unsigned id = 0;
    while (set(id, 100, 0)) id++;
    ck_assert_uint_eq(k->evicted, 0);
    ck_assert_uint_eq(key_count(), id);
    ASK_BEGINS(&p, "set", "'a', 'a text that takes a cell of the heap'", "! OUT_OF_MEMORY");
    ck_assert_uint_eq(k->evicted, 0);
}
END_TEST

START_TEST(ttl_without_keys_that_expire_refuses)
{
    use_policy(POLICY_EVICT_TTL);
    unsigned id = 0;
    while (set(id, 100, 0)) id++;
    ck_assert_uint_eq(k->evicted, 0);
    ck_assert_uint_eq(key_count(), id);
}
END_TEST

START_TEST(no_more_goes_than_comes)
{
    use_policy(POLICY_EVICT_LRU);
    unsigned id = 0;
    while (k->evicted == 0) set_surely(id++, 100, 0);
    size_t full = key_count();
    for (unsigned end = id + 200000; id < end; id++) set_surely(id, 100, 0);
    ck_assert_uint_ge(key_count(), full - full / 4); /* segments that lose and gain are less full */
    ck_assert_uint_ge(heap_used_bytes(p.heap), HEAP_BYTES * 3 / 4);
    uint64_t evicted = k->evicted;
    for (unsigned i = 0; i < 100000; i++) keys_evict(k, EVICT_CALL_KEYS); /* idle */
    ck_assert_uint_le(k->evicted, evicted + EVICT_CALL_KEYS);
}
END_TEST

START_TEST(values_that_are_freed_in_steps_are_waited_for)
{
    use_policy(POLICY_EVICT_LRU);
    unsigned id = 0;
    for (; id < 20; id++) { /* big ones, and the oldest */
        struct map_key key;
        char text[16];
        value list = list_new(p.heap);
        for (unsigned i = 0; i < 4000; i++)
            ck_assert_int_eq(list_push_take(p.heap, list, list_new(p.heap)), 0);
        key_make(&key, text, id);
        ck_assert_int_eq(keys_set_take(k, &key, list, 0), 0);
    }
    k->evict.ticks += 10;
    while (!keys_evict_wanted(k)) set_surely(id++, 100, 0);
    size_t full = key_count();
    uint64_t most = 0;
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t before = k->evicted;
        set_surely(id++, 100, 0);
        if (k->evicted - before > most) most = k->evicted - before;
    }
    ck_assert_uint_le(most, EVICT_CALL_KEYS);
    ck_assert_uint_ge(key_count(), full - full / 20);
}
END_TEST

START_TEST(shared_values_are_left_to_the_collector)
{
    use_policy(POLICY_EVICT_LRU);
    unsigned id = 0;
    while (!keys_evict_wanted(k)) {
        struct map_key key;
        char text[16], data[300];
        memset(data, 'y', sizeof data);
        value list = list_new(p.heap), v = text_new(p.heap, data, sizeof data, false);
        ck_assert(list != VALUE_ABSENT && v != VALUE_ABSENT);
        ck_assert_int_eq(list_push_take(p.heap, list, v), 0);
        key_make(&key, text, id++);
        ck_assert_int_eq(keys_set_take(k, &key, value_share(p.heap, list), 0), 0);
    }
    k->evict.ceiling_bytes -= HEAP_BYTES / 64; /* some are to go */
    size_t full = key_count();
    for (unsigned i = 0; i < 10000; i++) keys_evict(k, EVICT_CALL_KEYS);
    ck_assert_uint_gt(k->evicted, 0);
    ck_assert_uint_le(k->evicted, 2 * EVICT_CALL_KEYS); /* and the rest waits */
    for (unsigned i = 0; i < 100000 && keys_evict_wanted(k); i++) {
        gc_step(p.heap, 1000);
        keys_evict(k, EVICT_CALL_KEYS);
    }
    ck_assert(!keys_evict_wanted(k));
    ck_assert_uint_ge(key_count(), full - full / 10);
}
END_TEST

START_TEST(other_sizes_get_their_pages)
{
    static const size_t lengths[] = {100, 1000, 20, 300, 5000, 60, 20000, 100};
    size_t failed = 0, calls = 0;
    use_policy(POLICY_EVICT_LRU);
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t bytes = 0;
        for (unsigned id = 0; bytes < 2 * HEAP_BYTES; id++, calls++) {
            bytes += lengths[i] + 30;
            if (set(i * 1000000 + id, lengths[i], 0)) continue;
            failed++;
            keys_memory_short(k);
        }
        printf("# after values of %zu bytes: %zu keys, %zu failed\n", lengths[i], key_count(),
               failed);
        in_process_verify(&p);
    }
    ck_assert_uint_le(failed, calls / 100);
}
END_TEST

START_TEST(a_call_evicts_before_it_runs)
{
    use_policy(POLICY_EVICT_LRU);
    char params[300];
    unsigned id = 0;
    for (; k->evicted < 1000; id++) {
        uint64_t before = k->evicted;
        sprintf(params, "'key:%u', '%0200u'", id, id);
        ASK(&p, "set", params, "true");
        ck_assert_uint_le(k->evicted - before, EVICT_CALL_KEYS);
    }
    sprintf(params, "'key:%u'", id - 1);
    ASK(&p, "exists", params, "1");
    ASK_HAS(&p, "server.info", "'keys'", "'evicted': 1");
}
END_TEST

/* --- another policy ---------------------------------------------------------------------------*/

/* The bytes in use when the entries are as the policy wants them. */
static size_t bytes_under(enum memory_policy policy)
{
    keys_policy(k, policy);
    ck_assert(keys_convert_wanted(k));
    for (unsigned i = 0; keys_convert_wanted(k); i++) {
        ck_assert_uint_lt(i, 10000);
        keys_convert(k);
    }
    in_process_verify(&p);
    return heap_used_bytes(p.heap);
}

START_TEST(keys_hold_access_state_only_for_policies_that_use_it)
{
    enum { KEYS = 20000 };
    for (unsigned id = 0; id < KEYS; id++) ck_assert(set(id, 20, 0));
    size_t lru = bytes_under(POLICY_EVICT_LRU), refuse = bytes_under(POLICY_REFUSE);
    size_t lfu = bytes_under(POLICY_EVICT_LFU), ttl = bytes_under(POLICY_EVICT_TTL);
    printf("# bytes: lru %zu, refuse %zu, lfu %zu, ttl %zu\n", lru, refuse, lfu, ttl);
    ck_assert_uint_ge(lru, refuse + KEYS * 3 / 2);
    ck_assert_uint_ge(lfu, ttl + KEYS * 3 / 2);
    for (unsigned id = 0; id < KEYS; id++) ck_assert(get(id));
}
END_TEST

/* What is used before the steps come to it is not known of; what is used later is. */
START_TEST(a_policy_that_comes_later_knows_what_was_used_since)
{
    unsigned count = 0;
    while (heap_available_bytes(p.heap) > HEAP_BYTES / 8) ck_assert(set(count++, 100, 0));
    keys_policy(k, POLICY_EVICT_LRU);
    for (unsigned id = 0; keys_convert_wanted(k); id++) {
        keys_convert(k);
        ck_assert(get(id % count)); /* as other sessions would */
    }
    k->fixed_ms += 1000000;
    for (unsigned id = 0; id < count; id += 10) ck_assert(get(id));
    unsigned id = count;
    for (; k->evicted < count / 2; id++) set_surely(id, 100, 0);
    unsigned used = 0, others = 0;
    for (unsigned i = 0; i < count; i++) {
        if (i % 10) others += get(i);
        else used += get(i);
    }
    printf("# of %u keys that were used %u are left, of the others %u\n", count / 10, used, others);
    ck_assert_uint_ge(used, count / 10 - count / 200);
    ck_assert_uint_le(others, count * 9 / 10 - count * 2 / 5);
}
END_TEST

START_TEST(a_policy_may_come_when_memory_is_out)
{
    unsigned id = 0;
    while (set(id, 100, 0)) id++;
    keys_policy(k, POLICY_EVICT_LRU);
    while (keys_convert_wanted(k)) keys_convert(k);
    in_process_verify(&p);
    unsigned failed = 0;
    for (unsigned end = id + 20000; id < end; id++)
        while (!set(id, 100, 0)) {
            ck_assert_uint_lt(failed++, 1000);
            keys_memory_short(k);
            gc_run(p.heap, 100000, GC_BESIDE_EVENTS);
        }
    printf("# %u failed\n", failed);
    ck_assert_uint_gt(k->evicted, 10000);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("evict");
    TCase *tcase = tcase_create("evict");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, lru_hits_as_often_as_the_true_order);
    tcase_add_test(tcase, lfu_hits_nearly_as_often_as_can_be);
    tcase_add_test(tcase, lfu_keeps_what_is_wanted_through_a_scan);
    tcase_add_test(tcase, ttl_takes_what_expires_first);
    tcase_add_test(tcase, what_has_expired_goes_first);
    tcase_add_test(tcase, refuse_evicts_nothing);
    tcase_add_test(tcase, ttl_without_keys_that_expire_refuses);
    tcase_add_test(tcase, no_more_goes_than_comes);
    tcase_add_test(tcase, values_that_are_freed_in_steps_are_waited_for);
    tcase_add_test(tcase, shared_values_are_left_to_the_collector);
    tcase_add_test(tcase, other_sizes_get_their_pages);
    tcase_add_test(tcase, a_call_evicts_before_it_runs);
    tcase_add_test(tcase, keys_hold_access_state_only_for_policies_that_use_it);
    tcase_add_test(tcase, a_policy_that_comes_later_knows_what_was_used_since);
    tcase_add_test(tcase, a_policy_may_come_when_memory_is_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
