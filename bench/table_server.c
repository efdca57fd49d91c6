/* table_server.c - tables over loopback: how fast rows come in, and what scans cost others.
 *
 *     bench_table_server [--rows=N] [--cols=N] [--big=N] [--rounds=N] [--seconds=N]
 *
 * A server of its own is asked over TCP by the loopback interface. Requests are encoded before the
 * clock starts and sent several at a time, so that the client is little more than send and receive.
 * Rates are by the monotonic clock and end with the last reply; the CPU time that either side used
 * stands beside them, and the rate by the server's CPU time alone, which a busy machine changes
 * less. Sealing between the events is part of it.
 *
 * Then a table of --big rows answers aggregates and scans of one client without a rest, while
 * another pings, one at a time. What a ping takes longer at the 99th percentile than beside no
 * load is the figure. Both clients are processes of their own. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/measure.h"
#include "bench/server_child.h"

#define MEMORY ((size_t)3 << 30)
#define ROWS_REQUEST 5000   /* by rows: eight cells each */
#define COLS_REQUEST 65536  /* by columns */
#define WINDOW 8
#define PING_EVERY_US 200

static struct server_child server;
static struct cairn *client;
static uint64_t seed = 1;

/* --- columns -----------------------------------------------------------------------------------*/

enum content { ID, TIME, PRICE, QUANTITY, CITY, PAID, SCORE, LOAD, CODE, SMALL };

struct column {
    const char *name, *type;
    enum content content;
};

static const struct column mixed[] = {
    {"id", "i64", ID},     {"time", "ts", TIME},   {"price", "f64", PRICE},
    {"quantity", "i32", QUANTITY}, {"city", "sym", CITY}, {"paid", "bool", PAID},
    {"score", "f64", PRICE}, {"load", "f64", LOAD},
};
static const struct column numbers[] = {
    {"id", "i64", ID},     {"time", "ts", TIME},   {"price", "f64", PRICE},
    {"quantity", "i32", QUANTITY}, {"paid", "bool", PAID}, {"score", "f64", SCORE},
};
static const struct column narrow[] = {
    {"price", "f64", PRICE}, {"code", "u8", CODE}, {"quantity", "u16", SMALL},
};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *const cities[20] = {
    "Amsterdam", "Athens", "Berlin", "Bern", "Brussels", "Budapest", "Copenhagen",
    "Dublin", "Helsinki", "Lisbon", "London", "Madrid", "Oslo", "Paris", "Prague",
    "Rome", "Stockholm", "Vienna", "Warsaw", "Zagreb"};

static double price(void) { return (double)measure_random_below(&seed, 1000000) / 100; }
static double any_double(void) { return (double)(measure_random(&seed) >> 11) * 0x1p-53; }
static int64_t time_of(uint64_t row)
{
    return 1700000000000000 + (int64_t)row * 1000000 + (int64_t)measure_random_below(&seed, 10000);
}

static void put_cell(struct cairn_args *args, enum content content, uint64_t row)
{
    switch (content) {
    case ID: cairn_args_uint(args, row); break;
    case TIME: cairn_args_int(args, time_of(row)); break;
    case PRICE:
    case SCORE: cairn_args_double(args, price()); break;
    case QUANTITY:
    case SMALL: cairn_args_uint(args, measure_random_below(&seed, 1000)); break;
    case CITY: cairn_args_cstr(args, cities[measure_random_below(&seed, 20)]); break;
    case PAID: cairn_args_bool(args, measure_random(&seed) & 1); break;
    case LOAD: cairn_args_double(args, any_double()); break;
    case CODE: cairn_args_uint(args, measure_random_below(&seed, 20)); break;
    }
}

/* Little-endian elements, as this machine has them; the bytes of one in the return value. */
static size_t fill_cell(unsigned char *to, enum content content, uint64_t row)
{
    union {
        int64_t i;
        double d;
        int32_t n;
        uint16_t s;
        unsigned char b;
    } cell = {.i = 0};
    size_t bytes = 8;
    switch (content) {
    case ID: cell.i = (int64_t)row; break;
    case TIME: cell.i = time_of(row); break;
    case PRICE:
    case SCORE: cell.d = price(); break;
    case LOAD: cell.d = any_double(); break;
    case QUANTITY: cell.n = (int32_t)measure_random_below(&seed, 1000), bytes = 4; break;
    case SMALL: cell.s = (uint16_t)measure_random_below(&seed, 1000), bytes = 2; break;
    case PAID: cell.b = measure_random(&seed) & 1, bytes = 1; break;
    case CODE: cell.b = (unsigned char)measure_random_below(&seed, 20), bytes = 1; break;
    case CITY: measure_fail("strings do not go into bins");
    }
    memcpy(to, &cell, bytes);
    return bytes;
}

/* --- requests ----------------------------------------------------------------------------------*/

static void create(const char *table, const struct column *columns, size_t count)
{
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, table);
    cairn_args_array_open(args);
    for (size_t i = 0; i < count; i++) {
        cairn_args_array_open(args);
        cairn_args_cstr(args, columns[i].name);
        cairn_args_cstr(args, columns[i].type);
        cairn_args_array_close(args);
    }
    cairn_args_array_close(args);
    server_child_call(client, "table.create", args);
    cairn_args_destroy(args);
}

/* The parameters of a table.append of `rows` rows, as lists. */
static struct cairn_args *rows_request(const char *table, const struct column *columns,
                                       size_t count, uint64_t first, size_t rows)
{
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, table);
    cairn_args_map_open(args);
    cairn_args_cstr(args, "rows");
    cairn_args_array_open(args);
    for (size_t row = 0; row < rows; row++) {
        cairn_args_array_open(args);
        for (size_t i = 0; i < count; i++) put_cell(args, columns[i].content, first + row);
        cairn_args_array_close(args);
    }
    cairn_args_array_close(args);
    cairn_args_map_close(args);
    return args;
}

/* The same as bins. */
static struct cairn_args *cols_request(const char *table, const struct column *columns,
                                       size_t count, uint64_t first, size_t rows)
{
    static unsigned char bytes[COLS_REQUEST * 8];
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, table);
    cairn_args_map_open(args);
    cairn_args_cstr(args, "n");
    cairn_args_uint(args, rows);
    cairn_args_cstr(args, "cols");
    cairn_args_map_open(args);
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        for (size_t row = 0; row < rows; row++)
            length += fill_cell(bytes + length, columns[i].content, first + row);
        cairn_args_cstr(args, columns[i].name);
        cairn_args_bin(args, bytes, length);
    }
    cairn_args_map_close(args);
    cairn_args_map_close(args);
    return args;
}

typedef struct cairn_args *(*request_cb)(const char *table, const struct column *columns,
                                         size_t count, uint64_t first, size_t rows);

/* --- ingest ------------------------------------------------------------------------------------*/

struct ingest {
    const char *name;
    const struct column *columns;
    size_t count, rows_request;
    request_cb request;
    uint64_t rows;
    double goal;
    const char *anchor;
    struct measure_rounds clock, cpu, server_share, client_share;
};

static double table_bytes(const char *table)
{
    struct cairn_args *args = cairn_args_create();
    struct cairn_reply *reply;
    cairn_args_cstr(args, table);
    if (cairn_call(client, "table.stats", args, &reply) != CAIRN_OK)
        measure_fail("%s", cairn_error_text(client));
    double bytes = cairn_double(cairn_field(cairn_reply_result(reply), "bytes"), -1);
    cairn_reply_destroy(reply);
    cairn_args_destroy(args);
    return bytes;
}

static void drop(const char *table)
{
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, table);
    server_child_call(client, "del", args);
    cairn_args_destroy(args);
}

/* Sends requests, one of `variants` after the other, until there are that many rows. */
static uint64_t send_rows(struct cairn_args *const *requests, size_t variants, size_t rows_request,
                          uint64_t rows)
{
    uint64_t sent = 0;
    for (size_t i = 0; sent < rows; i++, sent += rows_request)
        server_child_send(client, "table.append", requests[i % variants], WINDOW);
    server_child_finish(client);
    return sent;
}

static void ingest_round(struct ingest *in)
{
    enum { VARIANTS = 4 };
    struct cairn_args *requests[VARIANTS];
    for (size_t i = 0; i < VARIANTS; i++)
        requests[i] = in->request("rows", in->columns, in->count, i * in->rows_request,
                                  in->rows_request);
    create("rows", in->columns, in->count);
    uint64_t cpu = measure_process_cpu_ns(server.pid), own = measure_cpu_ns(), began = measure_ns();
    double sent = (double)send_rows(requests, VARIANTS, in->rows_request, in->rows);
    double clock = (double)(measure_ns() - began), own_cpu = (double)(measure_cpu_ns() - own);
    double server_cpu = (double)(measure_process_cpu_ns(server.pid) - cpu);
    measure_rounds_add(&in->clock, sent * 1e3 / clock);
    measure_rounds_add(&in->cpu, sent * 1e3 / server_cpu);
    measure_rounds_add(&in->server_share, server_cpu / sent);
    measure_rounds_add(&in->client_share, own_cpu / sent);
    drop("rows");
    server_child_settle(&server, 10);
    for (size_t i = 0; i < VARIANTS; i++) cairn_args_destroy(requests[i]);
}

static void ingest_figures(uint64_t rows, uint64_t cols, unsigned rounds)
{
    struct ingest all[] = {
        {.name = "ingest over loopback by rows, eight columns", .columns = mixed,
         .count = COUNT(mixed), .rows_request = ROWS_REQUEST, .request = rows_request,
         .rows = rows, .goal = 5, .anchor = "QuestDB 1.4 (2021); DuckDB appender 1.0, CSV 1.3"},
        {.name = "ingest over loopback by columns, six columns", .columns = numbers,
         .count = COUNT(numbers), .rows_request = COLS_REQUEST, .request = cols_request,
         .rows = cols, .goal = 20, .anchor = "QuestDB 1.4 (2021); DuckDB appender 1.0, CSV 1.3"},
    };
    for (unsigned round = 0; round < rounds; round++)
        for (size_t i = 0; i < COUNT(all); i++)
            if (all[i].rows > 0) ingest_round(&all[i]);
    for (size_t i = 0; i < COUNT(all); i++) {
        struct ingest *in = &all[i];
        if (in->rows == 0) continue;
        double server_ns = measure_median(&in->server_share);
        double client_ns = measure_median(&in->client_share);
        char name[96];
        figure_print_with(&(struct figure){in->name, measure_median(&in->clock), "M rows/s",
                                           GOAL_MIN, in->goal, in->anchor},
                          "\"server_cpu_ns_row\":%.4g,\"client_cpu_ns_row\":%.4g", server_ns,
                          client_ns);
        snprintf(name, sizeof name, "%s, by the server's CPU time", in->name);
        figure_print(&(struct figure){name, measure_median(&in->cpu), "M rows/s", GOAL_NONE, 0,
                                      NULL});
    }
}

/* --- other clients -----------------------------------------------------------------------------*/

struct query {
    const char *name, *method;
    void (*put)(struct cairn_args *args);
};

static void put_where(struct cairn_args *args, double above)
{
    cairn_args_cstr(args, "where");
    cairn_args_array_open(args);
    cairn_args_cstr(args, ">");
    cairn_args_cstr(args, "price");
    cairn_args_double(args, above);
    cairn_args_array_close(args);
}

static void put_sum(struct cairn_args *args)
{
    cairn_args_cstr(args, "agg");
    cairn_args_map_open(args);
    cairn_args_cstr(args, "s");
    cairn_args_array_open(args);
    cairn_args_cstr(args, "sum");
    cairn_args_cstr(args, "price");
    cairn_args_array_close(args);
    cairn_args_map_close(args);
}

static void put_filter_sum(struct cairn_args *args)
{
    put_where(args, 5000);
    put_sum(args);
}
static void put_group(struct cairn_args *args)
{
    cairn_args_cstr(args, "group");
    cairn_args_array_open(args);
    cairn_args_cstr(args, "quantity");
    cairn_args_array_close(args);
    put_sum(args);
}
/* Looks at every row to find one in ten thousand. */
static void put_scan(struct cairn_args *args)
{
    put_where(args, 9999);
    cairn_args_cstr(args, "limit");
    cairn_args_uint(args, 1000000);
}

static const struct query queries[] = {
    {"filter + sum", "table.agg", put_filter_sum},
    {"group by 1,000 integers", "table.agg", put_group},
    {"scan for one row in 10,000", "table.scan", put_scan},
};

/* Asks for the rest of a scan, so that all of the table is read. */
static void scan_rest(struct cairn *c, struct cairn_reply *reply)
{
    for (;;) {
        int64_t cursor = cairn_int(cairn_field(cairn_reply_result(reply), "cursor"), -1);
        cairn_reply_destroy(reply);
        if (cursor < 0) return;
        struct cairn_args *args = cairn_args_create();
        cairn_args_int(args, cursor);
        if (cairn_call(c, "table.next", args, &reply) != CAIRN_OK)
            measure_fail("%s", cairn_error_text(c));
        cairn_args_destroy(args);
    }
}

static void ask(struct cairn *c, const struct query *query)
{
    struct cairn_args *args = cairn_args_create();
    struct cairn_reply *reply;
    cairn_args_cstr(args, "big");
    cairn_args_map_open(args);
    query->put(args);
    cairn_args_map_close(args);
    if (cairn_call(c, query->method, args, &reply) != CAIRN_OK)
        measure_fail("%s", cairn_error_text(c));
    scan_rest(c, reply);
    cairn_args_destroy(args);
}

/* In a process of its own, until it is killed. A byte into the pipe for each answer. */
static pid_t load_start(const struct query *query, int *answers)
{
    int ends[2];
    if (pipe(ends) != 0) measure_fail("no pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) measure_fail("fork");
    if (pid > 0) {
        close(ends[1]);
        *answers = ends[0];
        return pid;
    }
    close(ends[0]);
    struct cairn *c = server_child_connect(&server);
    for (;;) {
        ask(c, query);
        if (write(ends[1], "", 1) != 1) _exit(1);
    }
}

static uint64_t load_stop(pid_t pid, int answers)
{
    char bytes[4096];
    uint64_t count = 0;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (ssize_t n; (n = read(answers, bytes, sizeof bytes)) > 0;) count += (uint64_t)n;
    close(answers);
    return count;
}

static void ping(struct histogram *h, uint64_t ns)
{
    uint64_t began = measure_ns();
    while (measure_ns() - began < ns) {
        uint64_t sent = measure_ns();
        server_child_call(client, "ping", NULL);
        histogram_add(h, measure_ns() - sent);
        usleep(PING_EVERY_US);
    }
}

static double p99_us(const struct histogram *h)
{
    return (double)histogram_quantile(h, 0.99) / 1e3;
}

/* Alone and beside the query in turn, a second each. */
static void pings_figure(const struct query *query, const char *size, uint64_t seconds)
{
    static struct histogram alone, beside;
    char name[112];
    uint64_t answers = 0, cpu = 0, began_cpu;
    histogram_reset(&alone);
    histogram_reset(&beside);
    for (uint64_t second = 0; second < seconds; second++) {
        int pipe_end;
        ping(&alone, 500000000);
        began_cpu = measure_process_cpu_ns(server.pid);
        pid_t load = load_start(query, &pipe_end);
        ping(&beside, 1000000000);
        answers += load_stop(load, pipe_end);
        cpu += measure_process_cpu_ns(server.pid) - began_cpu;
    }
    snprintf(name, sizeof name, "added p99 of pings, %s rows, %s", size, query->name);
    figure_print_with(&(struct figure){name, p99_us(&beside) - p99_us(&alone), "us", GOAL_MAX,
                                       1000, NULL},
                      "\"p99_alone_us\":%.4g,\"p99_beside_us\":%.4g,\"p50_beside_us\":%.4g,"
                      "\"longest_us\":%.4g,\"pings\":%lu,\"answers\":%lu,\"server_cpu_s\":%.3g",
                      p99_us(&alone), p99_us(&beside),
                      (double)histogram_quantile(&beside, 0.5) / 1e3,
                      (double)histogram_quantile(&beside, 1) / 1e3, (unsigned long)beside.count,
                      (unsigned long)answers, (double)cpu / 1e9);
}

static void big_table(uint64_t rows, uint64_t seconds)
{
    enum { VARIANTS = 8 };
    struct cairn_args *requests[VARIANTS];
    char size[16], name[64];
    for (size_t i = 0; i < VARIANTS; i++)
        requests[i] = cols_request("big", narrow, COUNT(narrow), 0, COLS_REQUEST);
    create("big", narrow, COUNT(narrow));
    double sent = (double)send_rows(requests, VARIANTS, COLS_REQUEST, rows);
    for (size_t i = 0; i < VARIANTS; i++) cairn_args_destroy(requests[i]);
    server_child_settle(&server, 120);
    measure_count_text(rows, size);
    snprintf(name, sizeof name, "table of %s rows, three columns, bytes a row", size);
    figure_print(&(struct figure){name, table_bytes("big") / sent, "bytes", GOAL_NONE, 0, NULL});
    for (size_t i = 0; i < COUNT(queries); i++) pings_figure(&queries[i], size, seconds);
}

int main(int argc, char **argv)
{
    uint64_t rows = 2000000, cols = 10000000, big = 100000000, rounds = 5, seconds = 6;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"rows", &rows, "rows to send as rows; 0: none"},
                        {"cols", &cols, "rows to send as columns; 0: none"},
                        {"big", &big, "rows of the table that is read beside pings; 0: none"},
                        {"rounds", &rounds, "rounds of each ingest"},
                        {"seconds", &seconds, "seconds of pings beside each query"},
                        {NULL, NULL, NULL},
                    });
    server_child_start_tcp(&server, MEMORY, 100);
    client = server_child_connect(&server);
    if (rounds > 0) ingest_figures(rows, cols, (unsigned)rounds);
    if (big > 0) big_table(big, seconds);
    cairn_destroy(client);
    server_child_stop(&server);
    return 0;
}
