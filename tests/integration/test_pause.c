/* test_pause.c - with ten million live objects, a garbage graph of a million shared, cyclic
 * nodes is reclaimed while a client pings, and no step of the collector takes over 1 ms.
 *
 * Steps are timed by the wall clock, so time in which the system runs another process counts.
 * Therefore the server gets real-time priority for as long as it reclaims, where that is
 * allowed. What remains are stalls of the (virtual) machine. They do not come again, while a long
 * step of the collector's own does: so it is enough that one of a few rounds is free of any. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/runner.h"
#include "tests/support/server_process.h"
#include "tests/support/wire.h"

#define LIVE_LISTS 5000000 /* each with one string: ten million objects */
#define GARBAGE_NODES 1000000
#define BATCH 5000
#define STEP_US_MAX 1000
#define ROUNDS 4
#define RECLAIM_SECONDS_MAX 60

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

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

static void priority_raise(pid_t pid)
{
    struct sched_param first = {.sched_priority = 1};
    if (sched_setscheduler(pid, SCHED_FIFO, &first) != 0)
        printf("# no real-time priority to be had: other processes will show in the figures\n");
}

/* One round: garbage comes, is given up, and goes, while another connection pings. Returns the
 * longest step of the collector so far, in microseconds. */
static uint64_t reclaim_round(struct wire *w, struct wire *pinger, struct writer *out, pid_t server)
{
    uint64_t before = objects(w, out);
    load_garbage(w, out);
    uint64_t with_garbage = objects(w, out);
    ck_assert_uint_ge(with_garbage, before + GARBAGE_NODES);
    priority_raise(server);
    writer_request(out, 3, "del", 1);
    writer_cstr(out, "garbage");
    send_and_expect(w, out, "[1,3,nil,1]");
    double begin = now();
    uint32_t pings = 0;
    while (objects(w, out) > before + 1000) {
        for (int i = 0; i < 20; i++) wire_ping(pinger, pings++);
        ck_assert_msg(now() - begin < RECLAIM_SECONDS_MAX, "%lu objects are left after %d s",
                      (unsigned long)objects(w, out), RECLAIM_SECONDS_MAX);
    }
    printf("# reclaimed in %.2f s, with %u pings\n", now() - begin, pings);
    const char *stats = ask(w, out, "gc.stats");
    ck_assert_uint_ge(figure(stats, NULL, "cycles"), 1);
    uint64_t longest = 0;
    const char *classes[] = {"\"step\":", "\"drop\":", "\"start\":"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        uint64_t us = figure(stats, classes[i], "max_us");
        printf("# longest %s %lu us\n", classes[i], (unsigned long)us);
        if (us > longest) longest = us;
    }
    return longest;
}

START_TEST(a_million_cyclic_nodes_go_without_a_long_step)
{
    const char *options[] = {"--max-memory=4g", NULL};
    uint64_t longest = UINT64_MAX;
    for (int round = 0; round < ROUNDS && longest > STEP_US_MAX; round++) {
        struct server_process server;
        struct wire loader, pinger;
        struct writer out;
        server_process_start(&server, options);
        wire_open_tcp(&loader, server.port);
        wire_open_tcp(&pinger, server.port);
        writer_init(&out, 0);
        load_live(&loader, &out);
        ck_assert_uint_ge(objects(&loader, &out), 2 * LIVE_LISTS);
        longest = reclaim_round(&loader, &pinger, &out, server.pid);
        writer_close(&out);
        wire_close(&loader);
        wire_close(&pinger);
        server_process_stop(&server);
    }
    ck_assert_uint_le(longest, STEP_US_MAX);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pause");
    TCase *tcase = tcase_create("pause");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, a_million_cyclic_nodes_go_without_a_long_step);
    suite_add_tcase(suite, tcase);
    return suite;
}
