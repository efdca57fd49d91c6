/* table_bytes.c - bytes a row of records with eight fields: as a table, as a list, key by key.
 *
 *     bench_table_bytes [--count=N] [--ways=N] [--mix=N]
 *
 * Three mixes, each stored in the three ways by a server of its own over its protocol, then left
 * alone until it rests: the resident memory that it has gained, divided by the number of rows.
 * The table is compacted, as table.compact does it. "Raw" is what the same cells take as arrays of
 * their types, a string as its bytes and an offset of four bytes. docs/memory.md has results. */
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/server_child.h"

#define WINDOW 256
#define PART 1000
#define MEMORY ((size_t)3 << 30)
#define COLUMNS 8

static struct server_child server;
static struct cairn *client;
static struct cairn_args *args;
static uint64_t seed;

/* --- mixes -------------------------------------------------------------------------------------*/

enum content { ID, TIME, CITY, CENTS, QUANTITY, FLAG, WALK, NOTE, DEVICE, LEVEL, ANY, DIGEST };

struct column {
    const char *name, *type;
    enum content content;
};

struct mix {
    const char *name;
    struct column columns[COLUMNS];
};

static const struct mix mixes[] = {
    {"orders",
     {{"id", "i64", ID}, {"time", "ts", TIME}, {"city", "sym", CITY}, {"price", "f64", CENTS},
      {"quantity", "i32", QUANTITY}, {"paid", "bool", FLAG}, {"temperature", "f64", WALK},
      {"note", "str", NOTE}}},
    {"sensors",
     {{"time", "ts", TIME}, {"device", "sym", DEVICE}, {"temperature", "f64", WALK},
      {"humidity", "f64", WALK}, {"pressure", "f64", WALK}, {"battery", "u8", LEVEL},
      {"errors", "i32", QUANTITY}, {"online", "bool", FLAG}}},
    {"noise",
     {{"a", "f64", ANY}, {"b", "f64", ANY}, {"c", "f64", ANY}, {"d", "f64", ANY},
      {"e", "f64", ANY}, {"f", "f64", ANY}, {"id", "i64", ID}, {"digest", "str", DIGEST}}},
};

static const char *const cities[20] = {
    "Amsterdam", "Athens", "Berlin", "Bern", "Brussels", "Budapest", "Copenhagen",
    "Dublin", "Helsinki", "Lisbon", "London", "Madrid", "Oslo", "Paris", "Prague",
    "Rome", "Stockholm", "Vienna", "Warsaw", "Zagreb"};

static double walks[COLUMNS]; /* the value of each column that goes up and down a little */

static uint64_t below(uint64_t n) { return measure_random_below(&seed, n); }

/* One cell; returns its bytes as raw data. */
static size_t put_cell(const struct column *c, size_t index, uint64_t row)
{
    char text[64];
    switch (c->content) {
    case ID: cairn_args_uint(args, row); return 8;
    case TIME:
        cairn_args_int(args, 1700000000000000 + (int64_t)(row * 1000000 + below(10000)));
        return 8;
    case CITY: {
        const char *city = cities[below(20)];
        cairn_args_cstr(args, city);
        return strlen(city) + 4;
    }
    case DEVICE:
        snprintf(text, sizeof text, "device-%03u", (unsigned)below(500));
        cairn_args_cstr(args, text);
        return strlen(text) + 4;
    case CENTS: cairn_args_double(args, (double)below(1000000) / 100); return 8;
    case QUANTITY: cairn_args_uint(args, below(1000)); return 4;
    case FLAG: cairn_args_bool(args, below(2)); return 1;
    case LEVEL: cairn_args_uint(args, 100 - row / 1000 % 100); return 1;
    case WALK: /* a tenth at a time */
        walks[index] += (double)below(5) - 2;
        cairn_args_double(args, (200 + walks[index]) / 10);
        return 8;
    case NOTE:
        snprintf(text, sizeof text, "leave at door %u, ring %u times", (unsigned)below(100),
                 (unsigned)below(10));
        cairn_args_cstr(args, text);
        return strlen(text) + 4;
    case ANY:
        cairn_args_double(args, (double)(measure_random(&seed) >> 11) * 0x1p-53);
        return 8;
    case DIGEST:
        snprintf(text, sizeof text, "%016lx%016lx", measure_random(&seed), measure_random(&seed));
        cairn_args_cstr(args, text);
        return strlen(text) + 4;
    }
    return 0;
}

/* --- three ways --------------------------------------------------------------------------------*/

static void call(const char *method, size_t window)
{
    server_child_send(client, method, args, window);
    cairn_args_clear(args);
}

static size_t put_list(const struct mix *m, uint64_t row)
{
    size_t raw = 0;
    cairn_args_array_open(args);
    for (size_t i = 0; i < COLUMNS; i++) raw += put_cell(&m->columns[i], i, row);
    cairn_args_array_close(args);
    return raw;
}

static size_t put_record(const struct mix *m, uint64_t row)
{
    size_t raw = 0;
    cairn_args_map_open(args);
    for (size_t i = 0; i < COLUMNS; i++) {
        cairn_args_cstr(args, m->columns[i].name);
        raw += put_cell(&m->columns[i], i, row);
    }
    cairn_args_map_close(args);
    return raw;
}

static size_t make_table(const struct mix *m, uint64_t count)
{
    size_t raw = 0;
    cairn_args_cstr(args, "rows");
    cairn_args_array_open(args);
    for (size_t i = 0; i < COLUMNS; i++) {
        cairn_args_array_open(args);
        cairn_args_cstr(args, m->columns[i].name);
        cairn_args_cstr(args, m->columns[i].type);
        cairn_args_array_close(args);
    }
    cairn_args_array_close(args);
    call("table.create", 4);
    for (uint64_t row = 0; row < count;) {
        cairn_args_cstr(args, "rows");
        cairn_args_map_open(args);
        cairn_args_cstr(args, "rows");
        cairn_args_array_open(args);
        for (unsigned n = 0; n < PART && row < count; n++, row++) raw += put_list(m, row);
        cairn_args_array_close(args);
        cairn_args_map_close(args);
        call("table.append", 4);
    }
    cairn_args_cstr(args, "rows");
    call("table.compact", 4);
    return raw;
}

static size_t make_list(const struct mix *m, uint64_t count)
{
    size_t raw = 0;
    for (uint64_t row = 0; row < count;) {
        cairn_args_cstr(args, "rows");
        cairn_args_array_open(args);
        for (unsigned n = 0; n < PART && row < count; n++, row++) raw += put_record(m, row);
        cairn_args_array_close(args);
        cairn_args_map_open(args);
        cairn_args_cstr(args, "create");
        cairn_args_bool(args, true);
        cairn_args_map_close(args);
        call("push", 4);
    }
    return raw;
}

static size_t make_keys(const struct mix *m, uint64_t count)
{
    size_t raw = 0;
    for (uint64_t row = 0; row < count; row++) {
        char name[32];
        snprintf(name, sizeof name, "row:%012lu", row);
        cairn_args_cstr(args, name);
        raw += put_record(m, row);
        call("set", WINDOW);
    }
    return raw;
}

static const struct {
    const char *name;
    size_t (*make)(const struct mix *m, uint64_t count);
} ways[] = {{"table", make_table}, {"list of records", make_list},
            {"key for each record", make_keys}};

/* What table.stats says of it. */
static double table_bytes(void)
{
    struct cairn_reply *reply;
    cairn_args_cstr(args, "rows");
    if (cairn_call(client, "table.stats", args, &reply) != CAIRN_OK)
        measure_fail("%s", cairn_error_text(client));
    double bytes = cairn_double(cairn_field(cairn_reply_result(reply), "bytes"), -1);
    cairn_reply_destroy(reply);
    return bytes;
}

static void measure(const struct mix *m, size_t way, uint64_t count)
{
    char name[96];
    seed = 1; /* the same rows each way */
    memset(walks, 0, sizeof walks);
    server_child_start(&server, MEMORY, 100);
    client = server_child_connect(&server);
    args = cairn_args_create();
    for (unsigned i = 0; i < 1000; i++) call("ping", WINDOW);
    server_child_finish(client);
    server_child_settle(&server, 10);
    size_t before = measure_process_rss_bytes(server.pid);
    size_t raw = ways[way].make(m, count);
    server_child_finish(client);
    server_child_settle(&server, 60);
    size_t gained = measure_process_rss_bytes(server.pid) - before;
    double own = ways[way].make == make_table ? table_bytes() : 0;
    snprintf(name, sizeof name, "eight columns, %s, %s", m->name, ways[way].name);
    figure_print_with(&(struct figure){name, (double)gained / (double)count, "bytes a row",
                                       GOAL_NONE, 0, NULL},
                      "\"raw_bytes_row\":%.4g,\"table_bytes_row\":%.4g,\"rows\":%lu",
                      (double)raw / (double)count, own / (double)count, count);
    cairn_args_destroy(args);
    cairn_destroy(client);
    server_child_stop(&server);
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000, some = sizeof ways / sizeof *ways, mix = 0;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"count", &count, "rows of each mix"},
                        {"ways", &some, "1: as tables only; 2: as lists, too; 3: all"},
                        {"mix", &mix, "1, 2 or 3: only this one; 0: all"},
                        {NULL, NULL, NULL},
                    });
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        for (size_t way = 0; way < sizeof ways / sizeof *ways && way < some; way++)
            if (mix == 0 || mix == i + 1) measure(&mixes[i], way, count);
    return 0;
}
