/* pause_server.c - what a client sees of the collector, from outside.
 *
 *     bench_pause_server [--gib=N] [--seconds=N]
 *
 * A server is filled with records (1 GiB unless told otherwise). Then one client makes shared,
 * cyclic garbage without a rest, a bounded number of requests in flight, while another pings,
 * one at a time, and measures how long each answer takes: first with the garbage, and before
 * that without, which is what the load itself, this machine and the system's scheduler cost. Both
 * clients are processes of their own. The server's own figures, gc.stats, follow; they are by the
 * monotonic clock, as everything here, and have no goals: bench_pause tells the machine's part of
 * it from the collector's. What the heap grows to meanwhile is compared with what lives in it. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/measure.h"
#include "bench/server_child.h"

#define GIB ((size_t)1 << 30)
#define FILL_WINDOW 512
#define LOAD_WINDOW 16
#define RINGS 20000
#define RING_NODES 8
#define WATCH_PINGS 100

static struct server_child server;
static struct cairn *client;
static struct cairn_args *args;
static size_t window = FILL_WINDOW;
static double peak_bytes; /* that the heap had committed, planes included */

static void call(const char *method)
{
    server_child_send(client, method, args, window);
    cairn_args_clear(args);
}

static void put_name(const char *prefix, uint64_t i)
{
    char name[32];
    snprintf(name, sizeof name, "%s%011lu", prefix, i);
    cairn_args_cstr(args, name);
}

static double figure(const char *method, const char *a, const char *b, const char *c)
{
    return server_child_figure(client, method, (const char *[]){a, b, c, NULL});
}

static void put_record(uint64_t i)
{
    char payload[100];
    memset(payload, 'a' + (int)(i % 26), sizeof payload);
    cairn_args_map_open(args);
    cairn_args_cstr(args, "id");
    cairn_args_uint(args, i);
    cairn_args_cstr(args, "payload");
    cairn_args_str(args, payload, sizeof payload);
    cairn_args_map_close(args);
}

static void fill(size_t bytes)
{
    for (uint64_t i = 0; i % 100000 || figure("mem.info", "used_bytes", NULL, NULL) < (double)bytes;
         i++) {
        put_name("user:", i);
        put_record(i);
        call("set");
        if (i % 100000 == 99999) server_child_finish(client);
    }
}

static void watch_memory(void)
{
    double bytes = figure("mem.info", "committed_bytes", NULL, NULL) +
                   figure("mem.info", "metadata_bytes", NULL, NULL);
    if (bytes > peak_bytes) peak_bytes = bytes;
}

/* --- the load -------------------------------------------------------------------------------*/

/* Nested maps whose innermost refers to the outermost. */
static void ring_set(uint64_t id)
{
    put_name("ring:", id);
    for (unsigned i = 0; i < RING_NODES; i++) {
        cairn_args_map_open(args);
        cairn_args_cstr(args, "text");
        cairn_args_cstr(args, "a node of a ring");
        cairn_args_cstr(args, "next");
    }
    cairn_args_nil(args);
    for (unsigned i = 0; i < RING_NODES; i++) cairn_args_map_close(args);
    call("set");
}

static void ring_close(uint64_t id)
{
    cairn_args_array_open(args);
    put_name("ring:", id);
    for (unsigned i = 0; i < RING_NODES; i++) cairn_args_cstr(args, "next");
    cairn_args_array_close(args);
    put_name("ring:", id);
    call("link");
}

/* In a process of its own, until it is killed. With cycles it leaves garbage for the collector,
 * without it the same for the drop queue. */
static pid_t load_start(bool cyclic)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) measure_fail("fork");
    if (pid > 0) return pid;
    client = server_child_connect(&server);
    args = cairn_args_create();
    window = LOAD_WINDOW;
    uint64_t random = 6;
    for (;;) {
        uint64_t id = measure_random_below(&random, RINGS);
        ring_set(id);
        if (cyclic) ring_close(id);
    }
}

static void load_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --- the pings ------------------------------------------------------------------------------*/

static double collector_us(void)
{
    return figure("gc.stats", "pauses", "step", "total_us") +
           figure("gc.stats", "pauses", "drop", "total_us");
}

static void pings_figure(const char *name, uint64_t gib, uint64_t seconds, bool cyclic)
{
    static struct histogram h;
    char what[96];
    histogram_reset(&h);
    pid_t load = load_start(cyclic);
    double worked_us = collector_us();
    uint64_t begin = measure_ns(), cpu = measure_process_cpu_ns(server.pid);
    while (measure_ns() - begin < seconds * 1000000000) {
        uint64_t sent = measure_ns();
        server_child_call(client, "ping", NULL);
        histogram_add(&h, measure_ns() - sent);
        if (h.count % WATCH_PINGS == 0) watch_memory();
        usleep(200);
    }
    double cpu_us = (double)(measure_process_cpu_ns(server.pid) - cpu) / 1e3;
    worked_us = collector_us() - worked_us;
    load_stop(load);
    static const struct {
        const char *name;
        double q;
    } lines[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"longest", 1}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(what, sizeof what, "server of %lu GiB, ping %s, %s", gib, name, lines[i].name);
        figure_print_with(&(struct figure){what, (double)histogram_quantile(&h, lines[i].q) / 1e3,
                                           "us", GOAL_NONE, 0, NULL},
                          "\"pings\":%lu", h.count);
    }
    snprintf(what, sizeof what, "server of %lu GiB, collector and drops, share of CPU %s", gib,
             name);
    figure_print(&(struct figure){what, 100 * worked_us / cpu_us, "%", GOAL_NONE, 0, NULL});
}

static void stats_figures(uint64_t gib)
{
    static const struct {
        const char *name, *text;
    } classes[] = {{"step", "collector step"},
                   {"drop", "drop step"},
                   {"start", "atomic work of a cycle"}};
    double cycles = figure("gc.stats", "cycles", NULL, NULL);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        char what[96];
        const char *name = classes[i].name;
        snprintf(what, sizeof what, "server of %lu GiB, %s, longest as it happened", gib,
                 classes[i].text);
        figure_print_with(&(struct figure){what, figure("gc.stats", "pauses", name, "max_us"), "us",
                                           GOAL_NONE, 0, NULL},
                          "\"count\":%.0f,\"p99_99_us\":%.4g,\"cycles\":%.0f",
                          figure("gc.stats", "pauses", name, "count"),
                          figure("gc.stats", "pauses", name, "p99_99_us"), cycles);
    }
}

static void growth_figure(uint64_t gib)
{
    char what[96];
    server_child_call(client, "gc.collect", NULL);
    double live = figure("mem.info", "used_bytes", NULL, NULL);
    snprintf(what, sizeof what, "server of %lu GiB, peak / live, shared cyclic garbage", gib);
    figure_print_with(&(struct figure){what, peak_bytes / live, "ratio", GOAL_MAX, 1.4,
                                       "Go, Lua: 2"},
                      "\"peak_bytes\":%.0f,\"live_bytes\":%.0f", peak_bytes, live);
}

int main(int argc, char **argv)
{
    uint64_t gib = 1, seconds = 10;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"gib", &gib, "live bytes, in GiB"},
                        {"seconds", &seconds, "of pings, with and without cyclic garbage"},
                        {NULL, NULL, NULL},
                    });
    server_child_start(&server, gib * 2 * GIB + GIB / 2, 100);
    client = server_child_connect(&server);
    args = cairn_args_create();
    fill(gib * GIB);
    server_child_finish(client);
    pings_figure("beside a load without cycles", gib, seconds, false);
    pings_figure("while the collector works", gib, seconds, true);
    stats_figures(gib);
    growth_figure(gib);
    cairn_args_destroy(args);
    cairn_destroy(client);
    server_child_stop(&server);
    return 0;
}
