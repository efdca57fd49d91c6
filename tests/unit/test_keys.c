/* test_keys.c - keys that expire: what each method makes of them, under a clock that the tests
 * set; sweeps in bounded steps; random programs against a naive model. */
#include "server/keys.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

#define BEGIN_MS 1000000

static struct in_process p;

static void setup(void)
{
    in_process_open(&p, 0);
    p.seed = random_seed();
    p.own_keys.fixed_ms = BEGIN_MS;
}
static void teardown(void) { in_process_close(&p); }

static void pass_ms(uint64_t ms) { p.own_keys.fixed_ms += ms; }

/* Runs the sweep that is due, if one is; returns how many keys it freed. */
static size_t sweep(void)
{
    struct keys *k = &p.own_keys;
    size_t count = 0;
    keys_turn(k);
    while (keys_sweep_due(k) <= keys_now(k)) {
        size_t step = keys_sweep(k);
        ck_assert_uint_le(step, MAP_EXPIRED_MIN);
        count += step;
        in_process_safe_point(&p);
    }
    return count;
}

/* --- methods ----------------------------------------------------------------------------------*/

START_TEST(a_key_expires_when_its_time_has_come)
{
    ASK(&p, "set", "'a', 1, {'ttl': 100}", "true");
    ASK(&p, "ttl", "'a'", "100");
    pass_ms(99);
    ASK(&p, "ttl", "['a']", "1");
    ASK(&p, "get", "'a'", "1");
    pass_ms(1);
    ASK(&p, "get", "'a'", "nil");
    ASK(&p, "ttl", "'a'", "nil");
    ASK(&p, "count", "", "1"); /* it is yet to be swept */
    ck_assert_uint_eq(sweep(), 1);
    ASK(&p, "count", "", "0");
    ASK(&p, "server.info", "'keys'", "{'keys': 0, 'expiring': 0, 'expired': 1, 'evicted': 0}");
}
END_TEST

START_TEST(no_method_sees_what_has_expired)
{
    ASK(&p, "set", "'l', [1, 2, 3], {'ttl': 10}", "true");
    ASK(&p, "set", "'m', {'a': {'b': 1}}, {'ttl': 10}", "true");
    ASK(&p, "set", "'stays', 1", "true");
    pass_ms(10);
    ASK(&p, "exists", "'l', 'm', ['m', 'a', 'b'], ['l', 0], 'stays'", "1");
    ASK(&p, "mget", "['l', ['m', 'a'], 'stays']", "[nil, nil, 1]");
    ASK(&p, "type", "'l'", "nil");
    ASK(&p, "len", "'l'", "0");
    ASK(&p, "scan", "", "[0, ['stays']]");
    ASK(&p, "keys", "'m'", "[0, []]");
    ASK(&p, "del", "'l', 'm'", "0");
    ASK(&p, "take", "'l'", "nil");
    ASK(&p, "expire", "'l', 1000", "false");
    ASK(&p, "expire", "'l', nil", "false");
    ASK_BEGINS(&p, "rename", "'l', 'x'", "! NOT_FOUND");
    ASK_BEGINS(&p, "hold", "'l'", "! NOT_FOUND");
    ASK_BEGINS(&p, "link", "'x', 'l'", "! NOT_FOUND");
    ASK_BEGINS(&p, "set", "['m', 'a'], 1", "! NOT_FOUND");
    ASK_BEGINS(&p, "push", "'l', [1]", "! NOT_FOUND");
    ASK(&p, "set", "'l', 1, {'if': 'present'}", "false");
    ASK(&p, "rename", "'stays', 'm', {'if': 'absent'}", "true");
    ASK(&p, "push", "'l', [4], {'create': true}", "1");
    ASK(&p, "get", "'l'", "[4]");
    ASK(&p, "ttl", "'l'", "nil"); /* it is another key than that which expired */
    ASK(&p, "ttl", "'m'", "nil");
    ck_assert_uint_eq(sweep(), 0);
    ASK(&p, "count", "", "2");
    ck_assert_uint_eq(p.own_keys.expired, 2);
}
END_TEST

START_TEST(another_value_never_expires_and_a_changed_one_does)
{
    static const struct {
        const char *method, *params;
        bool keeps;
    } changes[] = {
        {"set", "'a', 2", false},
        {"set", "'a', 2, {'keep_ttl': true}", true},
        {"set", "'a', 2, {'keep_ttl': false}", false},
        {"set", "'a', 'a text of more than seven bytes'", false},
        {"set", "'a', [1, 2], {'keep_ttl': true}", true},
        {"set", "'a', 2, {'if': 'absent'}", true},
        {"swap", "'a', 2", false},
        {"mset", "[['b', 1], ['a', 2]]", false},
        {"link", "'a', 'other'", false},
        {"weak", "'a', 'other'", false},
        {"union", "['set'], {'into': 'a'}", false},
        {"add", "'a', 2", true},
        {"add", "'a', 1e300", true},
        {"get", "'a'", true},
        {"rename", "'a', 'a'", true},
        {"rename", "'other', 'a'", false},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        ASK(&p, "clear", "", "true");
        ck_assert_uint_eq(p.own_keys.expiring, 0);
        ASK(&p, "set", "'other', [1]", "true");
        ASK(&p, "include", "'set', [1], {'create': true}", "1");
        ASK(&p, "set", "'a', 1, {'ttl': 100}", "true");
        ck_assert_msg(ask(&p, changes[i].method, changes[i].params)[0] != '!', "%s(%s)",
                      changes[i].method, changes[i].params);
        const char *ttl = ask(&p, "ttl", "'a'");
        ck_assert_msg(strcmp(ttl, changes[i].keeps ? "100" : "nil") == 0, "%s(%s): %s",
                      changes[i].method, changes[i].params, ttl);
        ck_assert_uint_eq(p.own_keys.expiring, changes[i].keeps);
    }
    ASK(&p, "set", "'s', 'text', {'ttl': 100}", "true");
    ASK(&p, "append", "'s', ' and more of it'", "19");
    ASK(&p, "ttl", "'s'", "100");
    ASK(&p, "set", "'l', [1], {'ttl': 100}", "true");
    ASK(&p, "push", "'l', [2]", "2");
    ASK(&p, "set", "['l', 0], 5", "true");
    ASK(&p, "ttl", "'l'", "100");
}
END_TEST

START_TEST(rename_keeps_the_time)
{
    ASK(&p, "set", "'a', 'some text of a cell', {'ttl': 100}", "true");
    ASK(&p, "set", "'b', [1], {'ttl': 50}", "true");
    ASK(&p, "rename", "'a', 'b'", "true");
    ASK(&p, "ttl", "'b'", "100");
    ASK(&p, "get", "'b'", "'some text of a cell'");
    ASK(&p, "rename", "'b', 'a new key that is long'", "true");
    ASK(&p, "ttl", "'a new key that is long'", "100");
    ASK(&p, "exists", "'a', 'b'", "0");
    ck_assert_uint_eq(p.own_keys.expiring, 1);
    ASK(&p, "take", "'a new key that is long'", "'some text of a cell'");
    ck_assert_uint_eq(p.own_keys.expiring, 0);
}
END_TEST

START_TEST(expire_has_conditions)
{
    ASK(&p, "set", "'a', 1", "true");
    ASK(&p, "expire", "'a', nil", "false");
    ASK(&p, "expire", "'a', 100, {'if': 'present'}", "false");
    ASK(&p, "expire", "'a', 100, {'if': 'greater'}", "false"); /* never is later than any time */
    ASK(&p, "expire", "'a', 100, {'if': 'absent'}", "true");
    ASK(&p, "expire", "'a', 200, {'if': 'absent'}", "false");
    ASK(&p, "expire", "'a', 50, {'if': 'greater'}", "false");
    ASK(&p, "expire", "'a', 200, {'if': 'greater'}", "true");
    ASK(&p, "expire", "'a', 300, {'if': 'less'}", "false");
    ASK(&p, "expire", "'a', 150, {'if': 'less'}", "true");
    ASK(&p, "ttl", "'a'", "150");
    ASK(&p, "expire", "'a', nil, {'at': 1000300}", "true");
    ASK(&p, "ttl", "'a'", "300");
    ASK(&p, "expire", "'a', nil, {'if': 'less'}", "false");
    ASK(&p, "expire", "'a', nil", "true");
    ASK(&p, "ttl", "'a'", "nil");
    ASK(&p, "expire", "'a', 100, {'if': 'less'}", "true");
    ASK(&p, "expire", "'a', 0", "true"); /* at once */
    ASK(&p, "count", "", "0");
    ASK(&p, "set", "'a', 1", "true");
    ASK(&p, "expire", "'a', nil, {'at': 5}", "true");
    ASK(&p, "set", "'a', 1", "true");
    ASK(&p, "expire", "'a', -5", "true");
    ASK(&p, "count", "", "0");
    ck_assert_uint_eq(p.own_keys.expired, 3);
}
END_TEST

START_TEST(unfit_times_are_refused)
{
    ASK(&p, "set", "'a', {'b': 1}", "true");
    ASK(&p, "set", "'a', 1, {'ttl': 0}",
        "! OUT_OF_RANGE set: option ttl is 0; it may be 1 to 281474975710655");
    ASK_BEGINS(&p, "set", "'a', 1, {'ttl': -1}", "! OUT_OF_RANGE set: option ttl is -1;");
    ASK_BEGINS(&p, "set", "'a', 1, {'ttl': 281474976710655}", "! OUT_OF_RANGE");
    ASK_BEGINS(&p, "set", "'a', 1, {'ttl': 9223372036854775807}", "! OUT_OF_RANGE");
    ASK_BEGINS(&p, "set", "'a', 1, {'ttl': 18446744073709551615}", "! OUT_OF_RANGE");
    ASK_BEGINS(&p, "set", "'a', 1, {'ttl': 1.5}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "set", "'a', 1, {'ttl': nil}", "! BAD_PARAMS");
    ASK(&p, "set", "'a', 1, {'ttl': 5, 'keep_ttl': true}",
        "! BAD_PARAMS set: give either the option ttl or keep_ttl");
    ASK(&p, "set", "['a', 'b'], 1, {'ttl': 5}",
        "! BAD_PATH set: only whole keys expire (ttl); [\"a\", \"b\"] is none");
    ASK_BEGINS(&p, "set", "['x', 'b'], 1, {'ttl': 5, 'create': true}", "! BAD_PATH");
    ASK_BEGINS(&p, "expire", "['a', 'b'], 5", "! BAD_PATH");
    ASK_BEGINS(&p, "ttl", "['a', 'b']", "! BAD_PATH");
    ASK_BEGINS(&p, "ttl", "1", "! BAD_PATH");
    ASK_BEGINS(&p, "expire", "'a', 281474976710655", "! OUT_OF_RANGE expire: ms is");
    ASK_BEGINS(&p, "expire", "'a', -9223372036854775808", "! OUT_OF_RANGE");
    ASK_BEGINS(&p, "expire", "'a', nil, {'at': 281474976710656}", "! OUT_OF_RANGE");
    ASK_BEGINS(&p, "expire", "'a', 5, {'at': 5}", "! BAD_PARAMS");
    ASK_BEGINS(&p, "expire", "'a', 'soon'", "! BAD_PARAMS");
    ASK_BEGINS(&p, "expire", "'a', 5, {'if': 'sometimes'}", "! BAD_PARAMS");
    ASK(&p, "get", "'a'", "{'b': 1}");
    ASK(&p, "ttl", "'a'", "nil");
    ASK(&p, "set", "'a', 1, {'ttl': 281474975710655}", "true");
    ASK(&p, "ttl", "'a'", "281474975710655");
}
END_TEST

/* --- sweeps -----------------------------------------------------------------------------------*/

static void set_direct(unsigned id, uint64_t expires_ms)
{
    struct map_key key;
    char text[16];
    sprintf(text, "key:%u", id);
    map_key_text(p.heap, &key, text, strlen(text));
    keys_turn(&p.own_keys);
    ck_assert_int_eq(keys_set_take(&p.own_keys, &key, value_int(id), expires_ms), 0);
}

#if defined(CAIRN_GC_STRESS) || defined(__SANITIZE_ADDRESS__)
#define MANY 50000
#else
#define MANY 1000000
#endif

START_TEST(a_million_keys_at_once_go_in_small_steps)
{
    struct keys *k = &p.own_keys;
    for (unsigned i = 0; i < MANY; i++) set_direct(i, BEGIN_MS + 5);
    ASK(&p, "set", "'stays', 1", "true");
    ck_assert_uint_eq(keys_sweep_due(k), BEGIN_MS + 5);
    ck_assert_uint_eq(sweep(), 0);
    pass_ms(5);
    ASK(&p, "get", "'key:7'", "nil");
    size_t steps = 0, count = 0, step;
    keys_turn(k);
    for (; keys_sweep_due(k) <= keys_now(k); count += step, steps++) {
        step = keys_sweep(k);
        ck_assert_uint_le(step, MAP_EXPIRED_MIN);
    }
    ck_assert_uint_eq(count, MANY);
    ck_assert_uint_ge(steps, MANY / MAP_EXPIRED_MIN);
    ck_assert_uint_le(steps, MANY / (MAP_EXPIRED_MIN / 4) + 100);
    ASK(&p, "count", "", "1");
    ck_assert_uint_eq(keys_sweep_due(k), UINT64_MAX);
}
END_TEST

START_TEST(nothing_is_swept_before_something_is_due)
{
    struct keys *k = &p.own_keys;
    ck_assert_uint_eq(keys_sweep_due(k), UINT64_MAX);
    for (unsigned i = 0; i < 1000; i++) set_direct(i, BEGIN_MS + 10000 + 60000ull * i);
    ck_assert_uint_eq(keys_sweep_due(k), BEGIN_MS + 10000);
    pass_ms(10000);
    ck_assert_uint_eq(sweep(), 1);
    ck_assert_uint_eq(keys_sweep_due(k), BEGIN_MS + 70000);
    set_direct(5000, BEGIN_MS + 10001); /* sooner than any, but the sweep needs its rest */
    ck_assert_uint_gt(keys_sweep_due(k), BEGIN_MS + 10100);
    ck_assert_uint_lt(keys_sweep_due(k), BEGIN_MS + 10200);
    pass_ms(200);
    ck_assert_uint_eq(sweep(), 1);
    set_direct(1, 0);
    pass_ms(60000);
    sweep(); /* its time was the first one: nobody knows until that is over */
    ck_assert_uint_eq(keys_sweep_due(k), BEGIN_MS + 130000);
    ASK(&p, "clear", "", "true");
    ck_assert_uint_eq(keys_sweep_due(k), UINT64_MAX);
}
END_TEST

/* --- random programs --------------------------------------------------------------------------*/

#define UNIVERSE 300

struct model_key {
    bool there;
    int version;
    uint64_t expires_ms;
};
static struct model_key model[UNIVERSE];

static bool model_shows(const struct model_key *m)
{
    return m->there && (m->expires_ms == 0 || m->expires_ms > p.own_keys.fixed_ms);
}

static void check_key(unsigned id)
{
    char params[40], answer[40];
    const struct model_key *m = &model[id];
    bool there = model_shows(m);
    sprintf(params, "'k%u'", id);
    if (there) sprintf(answer, "%d", m->version);
    else strcpy(answer, "nil");
    ASK(&p, "get", params, answer);
    if (there && m->expires_ms)
        sprintf(answer, "%llu", (unsigned long long)(m->expires_ms - p.own_keys.fixed_ms));
    else strcpy(answer, "nil");
    ASK(&p, "ttl", params, answer);
}

static void run_step(uint64_t *random)
{
    unsigned id = (unsigned)random_below(random, UNIVERSE), other = (id + 1) % UNIVERSE;
    struct model_key *m = &model[id];
    uint64_t now = p.own_keys.fixed_ms;
    unsigned long long ms = 1 + random_below(random, 300);
    int version = (int)random_below(random, 1000000);
    char params[100];
    if (!model_shows(m)) *m = (struct model_key){0};
    switch (random_below(random, 9)) {
    case 0:
        sprintf(params, "'k%u', %d", id, version);
        ASK(&p, "set", params, "true");
        *m = (struct model_key){true, version, 0};
        break;
    case 1:
    case 2:
        sprintf(params, "'k%u', %d, {'ttl': %llu}", id, version, ms);
        ASK(&p, "set", params, "true");
        *m = (struct model_key){true, version, now + ms};
        break;
    case 3:
        sprintf(params, "'k%u', %d, {'keep_ttl': true}", id, version);
        ASK(&p, "set", params, "true");
        *m = (struct model_key){true, version, m->expires_ms};
        break;
    case 4:
        sprintf(params, "'k%u', %llu", id, ms);
        ASK(&p, "expire", params, m->there ? "true" : "false");
        if (m->there) m->expires_ms = now + ms;
        break;
    case 5:
        sprintf(params, "'k%u', nil", id);
        ASK(&p, "expire", params, m->there && m->expires_ms ? "true" : "false");
        m->expires_ms = 0;
        break;
    case 6:
        sprintf(params, "'k%u'", id);
        ASK(&p, "del", params, m->there ? "1" : "0");
        *m = (struct model_key){0};
        break;
    case 7:
        sprintf(params, "'k%u', 'k%u'", id, other);
        if (!m->there) break;
        ASK(&p, "rename", params, "true");
        model[other] = *m;
        *m = (struct model_key){0};
        break;
    default:
        p.own_keys.fixed_ms += random_below(random, 20);
        if (random_below(random, 10) == 0) sweep();
    }
    check_key(id);
    check_key(other);
}

static void check_all(void)
{
    size_t shown = 0, there = 0;
    for (unsigned id = 0; id < UNIVERSE; id++) {
        check_key(id);
        shown += model_shows(&model[id]);
    }
    char cursor[40] = "0";
    do {
        const char *page = ask(&p, "scan", cursor);
        for (const char *at = page; (at = strstr(at, "'k")) != NULL; at += 2) there++;
        snprintf(cursor, sizeof cursor, "%.*s", (int)strcspn(page + 1, ","), page + 1);
    } while (strcmp(cursor, "0") != 0);
    ck_assert_uint_eq(there, shown);
    p.own_keys.sweep.rest_until_ms = 0;
    sweep();
    keys_turn(&p.own_keys);
    value root = keys_root(&p.own_keys);
    ck_assert_uint_eq(root == VALUE_ABSENT ? 0 : map_count(p.heap, root), shown);
    size_t expiring = 0;
    for (unsigned id = 0; id < UNIVERSE; id++)
        expiring += model_shows(&model[id]) && model[id].expires_ms;
    ck_assert_uint_eq(p.own_keys.expiring, expiring);
    in_process_verify(&p);
}

START_TEST(random_programs)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("programs", 40);
    while (seeds_next(&seeds, &seed)) {
        uint64_t random = seed;
        setup();
        p.seed = seed;
        memset(model, 0, sizeof model);
        for (unsigned i = 0; i < 1500; i++) run_step(&random);
        check_all();
        teardown();
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("keys");
    TCase *tcase = tcase_create("expiry");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_key_expires_when_its_time_has_come);
    tcase_add_test(tcase, no_method_sees_what_has_expired);
    tcase_add_test(tcase, another_value_never_expires_and_a_changed_one_does);
    tcase_add_test(tcase, rename_keeps_the_time);
    tcase_add_test(tcase, expire_has_conditions);
    tcase_add_test(tcase, unfit_times_are_refused);
    tcase_add_test(tcase, a_million_keys_at_once_go_in_small_steps);
    tcase_add_test(tcase, nothing_is_swept_before_something_is_due);
    suite_add_tcase(suite, tcase);
    tcase = seeds_tcase("programs");
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, random_programs);
    suite_add_tcase(suite, tcase);
    return suite;
}
