/* table_server.c - tables from outside: how fast rows come in, and what others notice of a scan.
 *
 *     bench_table_server [--rows=N] [--scanned=N] [--seconds=N]
 *
 * Rows of five columns (id, time, price with two decimals, quantity, one of 20 cities) are appended
 * over a Unix socket, some calls in flight: as lists of cells, and as columns, the numbers of which
 * are bins of little-endian elements. The calls are made before the clock runs, and repeat, so that
 * the client only copies bytes; the server's CPU time stands beside the rate.
 *
 * Then a table of 100 million rows of two columns is filtered and summed up by one client without
 * rest, and scanned by a further one, while a third pings, one at a time. What its 99th percentile
 * is above that of an idle server is what the scan adds. Clients are processes of their own: on
 * two cores they share one with each other. */
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

#define MEMORY ((size_t)3 << 30)
#define CALLS 16 /* different ones */
#define ROWS_OF_A_CALL 10000
#define COLUMN_ROWS_OF_A_CALL 50000
#define WINDOW 4
#define CITIES 20
#define FILL_ROWS 100000

#define ROWS_GOAL 5
#define COLUMNS_GOAL 20
#define ADDED_P99_US 1000

static struct server_child server;
static struct cairn *client;
static uint64_t random_state = 8;

/* --- calls ----------------------------------------------------------------------------------*/

static void put_field(struct cairn_args *args, const char *name, const char *type)
{
    cairn_args_array_open(args);
    cairn_args_cstr(args, name);
    cairn_args_cstr(args, type);
    cairn_args_array_close(args);
}

static void create(const char *table, bool wide)
{
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, table);
    server_child_call(client, "del", args);
    cairn_args_array_open(args);
    put_field(args, "id", "i64");
    put_field(args, "price", "f64");
    if (wide) {
        put_field(args, "time", "ts");
        put_field(args, "quantity", "i32");
        put_field(args, "city", "sym");
    }
    cairn_args_array_close(args);
    server_child_call(client, "table.create", args);
    cairn_args_destroy(args);
}

static double price(void) { return (double)measure_random_below(&random_state, 1000000) / 100; }

static void put_city(struct cairn_args *args)
{
    char city[16];
    snprintf(city, sizeof city, "city %lu", measure_random_below(&random_state, CITIES));
    cairn_args_cstr(args, city);
}

/* table.append(table, {rows: [...]}) */
static struct cairn_args *rows_call(uint64_t first)
{
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, "t");
    cairn_args_map_open(args);
    cairn_args_cstr(args, "rows");
    cairn_args_array_open(args);
    for (uint64_t i = 0; i < ROWS_OF_A_CALL; i++) {
        cairn_args_array_open(args);
        cairn_args_uint(args, first + i);
        cairn_args_double(args, price());
        cairn_args_uint(args, 1700000000000000 + (first + i) * 1000);
        cairn_args_uint(args, measure_random_below(&random_state, 100));
        put_city(args);
        cairn_args_array_close(args);
    }
    cairn_args_array_close(args);
    cairn_args_map_close(args);
    return args;
}

/* Bins for id and price; with more columns for the others, and a list for the city. */
static struct cairn_args *columns_call(const char *table, uint64_t first, uint64_t rows, bool wide)
{
    struct cairn_args *args = cairn_args_create();
    int64_t *ids = malloc(rows * sizeof *ids), *times = malloc(rows * sizeof *times);
    double *prices = malloc(rows * sizeof *prices);
    int32_t *quantities = malloc(rows * sizeof *quantities);
    if (!args || !ids || !times || !prices || !quantities) measure_fail("out of memory");
    for (uint64_t i = 0; i < rows; i++) {
        ids[i] = (int64_t)(first + i);
        times[i] = 1700000000000000 + ids[i] * 1000;
        prices[i] = price();
        quantities[i] = (int32_t)measure_random_below(&random_state, 100);
    }
    cairn_args_cstr(args, table);
    cairn_args_map_open(args);
    cairn_args_cstr(args, "n");
    cairn_args_uint(args, rows);
    cairn_args_cstr(args, "cols");
    cairn_args_map_open(args);
    cairn_args_cstr(args, "id");
    cairn_args_bin(args, ids, rows * sizeof *ids);
    cairn_args_cstr(args, "price");
    cairn_args_bin(args, prices, rows * sizeof *prices);
    if (wide) {
        cairn_args_cstr(args, "time");
        cairn_args_bin(args, times, rows * sizeof *times);
        cairn_args_cstr(args, "quantity");
        cairn_args_bin(args, quantities, rows * sizeof *quantities);
        cairn_args_cstr(args, "city");
        cairn_args_array_open(args);
        for (uint64_t i = 0; i < rows; i++) put_city(args);
        cairn_args_array_close(args);
    }
    cairn_args_map_close(args);
    cairn_args_map_close(args);
    free(ids);
    free(times);
    free(prices);
    free(quantities);
    return args;
}

/* --- coming in ------------------------------------------------------------------------------*/

static void ingest_figure(const char *name, double goal, const char *anchor, uint64_t rows,
                          uint64_t rows_of_a_call, struct cairn_args *(*make)(uint64_t first))
{
    struct cairn_args *calls[CALLS];
    struct measure_rounds rates = {.count = 0}, cpu_ns = {.count = 0};
    for (unsigned i = 0; i < CALLS; i++) calls[i] = make(i * rows_of_a_call);
    for (unsigned round = 0; round < 3; round++) {
        create("t", true);
        uint64_t begin = measure_ns(), cpu = measure_process_cpu_ns(server.pid), sent = 0;
        for (unsigned i = 0; sent < rows; i++, sent += rows_of_a_call)
            server_child_send(client, "table.append", calls[i % CALLS], WINDOW);
        server_child_finish(client);
        measure_rounds_add(&rates, (double)sent * 1e3 / (double)(measure_ns() - begin));
        measure_rounds_add(&cpu_ns,
                           (double)(measure_process_cpu_ns(server.pid) - cpu) / (double)sent);
    }
    for (unsigned i = 0; i < CALLS; i++) cairn_args_destroy(calls[i]);
    figure_print_with(&(struct figure){name, measure_median(&rates), "M rows/s", GOAL_MIN, goal,
                                       anchor},
                      "\"columns\":5,\"server_cpu_ns_a_row\":%.4g,\"rows_of_a_call\":%lu",
                      measure_median(&cpu_ns), rows_of_a_call);
}

static struct cairn_args *wide_columns_call(uint64_t first)
{
    return columns_call("t", first, COLUMN_ROWS_OF_A_CALL, true);
}

/* --- beside a scan --------------------------------------------------------------------------*/

static void fill(uint64_t rows)
{
    create("large", false);
    struct cairn_args *calls[CALLS];
    for (unsigned i = 0; i < CALLS; i++) calls[i] = columns_call("large", 0, FILL_ROWS, false);
    for (uint64_t i = 0; i * FILL_ROWS < rows; i++)
        server_child_send(client, "table.append", calls[i % CALLS], WINDOW);
    server_child_finish(client);
    for (unsigned i = 0; i < CALLS; i++) cairn_args_destroy(calls[i]);
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, "large");
    server_child_call(client, "table.compact", args);
    cairn_args_destroy(args);
}

/* {where: [">", "price", bound], ...}: `aggregate`: the sum of half of the rows; else a scan that
 * reads all and finds few. */
static void query_put(struct cairn_args *args, bool aggregate)
{
    cairn_args_cstr(args, "large");
    cairn_args_map_open(args);
    cairn_args_cstr(args, "where");
    cairn_args_array_open(args);
    cairn_args_cstr(args, ">");
    cairn_args_cstr(args, "price");
    cairn_args_double(args, aggregate ? 5000 : 9999.98);
    cairn_args_array_close(args);
    if (aggregate) {
        cairn_args_cstr(args, "agg");
        cairn_args_map_open(args);
        cairn_args_cstr(args, "sum");
        cairn_args_array_open(args);
        cairn_args_cstr(args, "sum");
        cairn_args_cstr(args, "price");
        cairn_args_array_close(args);
        cairn_args_map_close(args);
    } else {
        cairn_args_cstr(args, "limit");
        cairn_args_uint(args, 1000);
    }
    cairn_args_map_close(args);
}

/* A process that asks without rest, until it is killed. */
static pid_t scans_start(bool aggregate)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) measure_fail("fork");
    if (pid > 0) return pid;
    client = server_child_connect(&server);
    struct cairn_args *args = cairn_args_create();
    query_put(args, aggregate);
    for (;;) server_child_call(client, aggregate ? "table.agg" : "table.scan", args);
}

static void pings(struct histogram *h, uint64_t seconds)
{
    histogram_reset(h);
    uint64_t begin = measure_ns();
    while (measure_ns() - begin < seconds * 1000000000) {
        uint64_t sent = measure_ns();
        server_child_call(client, "ping", NULL);
        histogram_add(h, measure_ns() - sent);
        usleep(200);
    }
}

static void beside_figures(uint64_t rows, uint64_t seconds)
{
    static struct histogram idle, busy;
    char name[96], count[16];
    pings(&idle, seconds);
    pid_t scans[] = {scans_start(true), scans_start(false)};
    usleep(100000);
    uint64_t cpu = measure_process_cpu_ns(server.pid), begin = measure_ns();
    pings(&busy, seconds);
    double load = (double)(measure_process_cpu_ns(server.pid) - cpu) / (double)(measure_ns() - begin);
    for (unsigned i = 0; i < 2; i++) {
        kill(scans[i], SIGKILL);
        waitpid(scans[i], NULL, 0);
    }
    double p99 = (double)histogram_quantile(&busy, 0.99) / 1e3;
    double p99_idle = (double)histogram_quantile(&idle, 0.99) / 1e3;
    snprintf(name, sizeof name, "p99 of a ping, added by scans of %s rows",
             measure_count_text(rows, count));
    figure_print_with(&(struct figure){name, p99 - p99_idle, "us", GOAL_MAX, ADDED_P99_US, NULL},
                      "\"idle_p50_us\":%.4g,\"idle_p99_us\":%.4g,\"p50_us\":%.4g,\"p99_us\":%.4g,"
                      "\"p99_9_us\":%.4g,\"longest_us\":%.4g,\"pings\":%lu,\"server_load\":%.3g",
                      (double)histogram_quantile(&idle, 0.5) / 1e3, p99_idle,
                      (double)histogram_quantile(&busy, 0.5) / 1e3, p99,
                      (double)histogram_quantile(&busy, 0.999) / 1e3, (double)busy.max / 1e3,
                      busy.count, load);
}

int main(int argc, char **argv)
{
    uint64_t rows = 10000000, scanned = 100000000, seconds = 10;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"rows", &rows, "rows that come in"},
                        {"scanned", &scanned, "rows of the table that is scanned"},
                        {"seconds", &seconds, "of pings, with and without scans"},
                        {NULL, NULL, NULL},
                    });
    server_child_start(&server, MEMORY, 100);
    client = server_child_connect(&server);
    ingest_figure("ingest of rows", ROWS_GOAL, "QuestDB 1.4 (2021); DuckDB appender 1.0", rows,
                  ROWS_OF_A_CALL, rows_call);
    ingest_figure("ingest of columns", COLUMNS_GOAL, "DuckDB appender 1.0, CSV 1.3", rows,
                  COLUMN_ROWS_OF_A_CALL, wide_columns_call);
    fill(scanned);
    beside_figures(scanned, seconds);
    cairn_destroy(client);
    server_child_stop(&server);
    return 0;
}
