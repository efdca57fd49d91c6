/* test_pause.c - with ten million live objects, a garbage graph of a million shared, cyclic nodes
 * is reclaimed in small steps, while a client pings.
 *
 * Steps and answers are counted. How long they take is for bench_pause and bench_pause_server,
 * which can tell the machine's part of a time from the collector's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"
#include "tests/support/server_process.h"
#include "tests/support/wire.h"

#define LIVE_LISTS 5000000 /* each with one string: ten million objects */
#define GARBAGE_NODES 1000000
#define BATCH 5000
#define STEP_OBJECTS_MAX 256
#define PINGS_MIN 100

static void put_push(struct writer *out, uint32_t msgid, const char *key, size_t count)
{
    writer_request(out, msgid, "push", 3);
    writer_cstr(out, key);
    writer_array(out, count);
}

static void put_create(struct writer *out)
{
    writer_map(out, 1);
    writer_cstr(out, "create");
    writer_bool(out, true);
}

static void send_and_expect(struct wire *w, struct writer *out, const char *expected)
{
    wire_send_writer(w, out);
    wire_expect(w, expected);
}

/* Lists of one string of ten bytes. */
static void load_live(struct wire *w, struct writer *out)
{
    char expected[64];
    for (unsigned n = 0; n < LIVE_LISTS; n += BATCH) {
        put_push(out, n, "live", BATCH);
        for (unsigned i = 0; i < BATCH; i++) {
            char text[16];
            snprintf(text, sizeof text, "s%09u", n + i);
            writer_array(out, 1);
            writer_str(out, text, 10);
        }
        put_create(out);
        snprintf(expected, sizeof expected, "[1,%u,nil,%u]", n, n + BATCH);
        send_and_expect(w, out, expected);
    }
}

/* Pairs of lists, the inner of which refers back to the outer one. */
static void load_garbage(struct wire *w, struct writer *out)
{
    char expected[64];
    writer_request(out, 1, "hello", 1);
    writer_map(out, 1);
    writer_cstr(out, "ext");
    writer_bool(out, true);
    wire_send_writer(w, out);
    wire_expect_prefix(w, "[1,1,nil,");
    for (unsigned n = 0; n < GARBAGE_NODES / 2; n += BATCH) {
        put_push(out, n, "garbage", BATCH);
        for (unsigned i = 0; i < BATCH; i++) {
            uint32_t outer = 1 + 2 * i; /* container 0 is the list of what is pushed */
            unsigned char back[4] = {(unsigned char)(outer >> 24), (unsigned char)(outer >> 16),
                                     (unsigned char)(outer >> 8), (unsigned char)outer};
            writer_array(out, 1);
            writer_array(out, 1);
            writer_ext(out, 1, back, sizeof back);
        }
        put_create(out);
        snprintf(expected, sizeof expected, "[1,%u,nil,%u]", n, n + BATCH);
        send_and_expect(w, out, expected);
    }
}

static const char *ask(struct wire *w, struct writer *out, const char *method)
{
    writer_request(out, 9, method, 0);
    wire_send_writer(w, out);
    return wire_receive(w);
}

/* The number behind "name": in the text of a reply, from `from` on. */
static uint64_t figure(const char *text, const char *from, const char *name)
{
    char quoted[64];
    const char *at = from ? strstr(text, from) : text;
    ck_assert_msg(at, "no %s in %s", from, text);
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    at = strstr(at, quoted);
    ck_assert_msg(at, "no %s in %s", name, text);
    return strtoull(at + strlen(quoted), NULL, 10);
}

static uint64_t objects(struct wire *w, struct writer *out)
{
    return figure(ask(w, out, "mem.info"), NULL, "objects");
}

/* Of all classes of `stats` that hold others up while garbage goes. */
static uint64_t steps(const char *stats)
{
    return figure(stats, "\"step\":", "count") + figure(stats, "\"compact\":", "count") +
           figure(stats, "\"drop\":", "count");
}

/* A step may do so many units of work; it looks at a word, or sweeps 64 granules, for one. */
static void check_steps(const char *stats, uint64_t steps_before)
{
    uint64_t taken = steps(stats) - steps_before;
    uint64_t looked_at = figure(stats, NULL, "marked_objects");
    printf("# %lu objects marked, %lu steps; the longest %lu us\n", (unsigned long)looked_at,
           (unsigned long)taken, (unsigned long)figure(stats, "\"step\":", "max_us"));
    ck_assert_uint_ge(figure(stats, NULL, "cycles"), 1);
    ck_assert_uint_ge(looked_at, LIVE_LISTS);
    ck_assert_uint_le(looked_at, STEP_OBJECTS_MAX * taken);
}

START_TEST(a_million_cyclic_nodes_go_in_small_steps)
{
    struct server_process server;
    struct wire loader, pinger;
    struct writer out;
    server_process_start(&server, (const char *const[]){"--max-memory=4g", NULL});
    wire_open_tcp(&loader, server.port);
    wire_open_tcp(&pinger, server.port);
    writer_init(&out, 0);
    load_live(&loader, &out);
    uint64_t live = objects(&loader, &out);
    ck_assert_uint_ge(live, 2 * LIVE_LISTS);
    load_garbage(&loader, &out);
    ck_assert_uint_ge(objects(&loader, &out), live + GARBAGE_NODES);
    uint64_t steps_before = steps(ask(&loader, &out, "gc.stats"));
    writer_request(&out, 3, "del", 1);
    writer_cstr(&out, "garbage");
    send_and_expect(&loader, &out, "[1,3,nil,1]");
    uint32_t pings = 0;
    while (objects(&loader, &out) > live + 1000) wire_ping(&pinger, pings++);
    printf("# reclaimed beside %u pings\n", pings);
    ck_assert_uint_ge(pings, PINGS_MIN);
    check_steps(ask(&loader, &out, "gc.stats"), steps_before);
    writer_close(&out);
    wire_close(&loader);
    wire_close(&pinger);
    server_process_stop(&server);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pause");
    TCase *tcase = tcase_create("pause");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, a_million_cyclic_nodes_go_in_small_steps);
    suite_add_tcase(suite, tcase);
    return suite;
}
