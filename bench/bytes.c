/* bytes.c - what an object costs, as the system sees it.
 *
 *     bench_bytes [--count=N] [--connections=N] [--article=1]
 *
 * For each shape a server is started, given so many of them over its protocol (a million), and
 * left alone until it rests: the resident memory that it has gained, divided by the number. The
 * heap's own figures stand beside it: bytes in cells, and in pages. Keys have 16 bytes.
 *
 * JSON documents from the wild are Debian's package list, a document for each package, and the
 * files of its iso-codes; each comes once, for copies would share their texts. They are compared
 * with their text without the white space between tokens. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/measure.h"
#include "bench/server_child.h"
#include "client/cli_json.h"

#define WINDOW 512
#define PART 1000
#define MEMORY ((size_t)4 << 30)
#define JSON_FILES "/usr/share/iso-codes/json/iso_*.json"
/* With less text than this the list is not the one that is meant, and pages that are not full
 * would count for much. */
#define PACKAGES_TEXT_MIN ((size_t)16 << 20)

static struct server_child server;
static struct cairn *client;
static struct cairn_args *args;
static size_t rss_before;

/* --- shapes ---------------------------------------------------------------------------------*/

static void call(const char *method)
{
    server_child_send(client, method, args, WINDOW);
    cairn_args_clear(args);
}

static void put_name(const char *prefix, uint64_t i)
{
    char name[32];
    int length = snprintf(name, sizeof name, "%s%0*lu", prefix, 16 - (int)strlen(prefix), i);
    cairn_args_str(args, name, (size_t)length);
}

static void put_text(size_t length, uint64_t i)
{
    char text[128];
    memset(text, '.', sizeof text);
    snprintf(text, sizeof text, "%010lu", i);
    text[10] = '.';
    cairn_args_str(args, text, length);
}

static void make_short_texts(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        put_name("key:", i);
        put_text(10, i);
        call("set");
    }
}

static void make_long_texts(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        put_name("key:", i);
        put_text(100, i);
        call("set");
    }
}

static void make_users(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        put_name("user:", i);
        cairn_args_map_open(args);
        cairn_args_cstr(args, "id");
        cairn_args_uint(args, i);
        cairn_args_cstr(args, "name");
        put_text(12, i);
        cairn_args_cstr(args, "score");
        cairn_args_double(args, (double)i * 0.37);
        cairn_args_map_close(args);
        call("set");
    }
}

static void make_points(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        put_name("point:", i);
        cairn_args_map_open(args);
        for (unsigned axis = 0; axis < 3; axis++) {
            cairn_args_str(args, &"xyz"[axis], 1);
            cairn_args_double(args, (double)i * 0.37 + axis);
        }
        cairn_args_map_close(args);
        call("set");
    }
}

static void make_fields(uint64_t count)
{
    cairn_args_cstr(args, "map");
    cairn_args_map_open(args);
    cairn_args_map_close(args);
    call("set");
    for (uint64_t i = 0; i < count; i++) {
        cairn_args_array_open(args);
        cairn_args_cstr(args, "map");
        put_name("field:", i);
        cairn_args_array_close(args);
        put_text(10, i);
        call("set");
    }
}

/* Gives values to `method` (push, include, …) by thousands, for what is at `key`, or in its
 * `field`. */
static void call_parts(const char *method, uint64_t count, const char *key, const char *field,
                       void (*put)(uint64_t i))
{
    for (uint64_t i = 0; i < count;) {
        if (field) cairn_args_array_open(args);
        cairn_args_cstr(args, key);
        if (field) cairn_args_cstr(args, field);
        if (field) cairn_args_array_close(args);
        cairn_args_array_open(args);
        for (unsigned n = 0; n < PART && i < count; n++, i++) put(i);
        cairn_args_array_close(args);
        cairn_args_map_open(args);
        cairn_args_cstr(args, "create");
        cairn_args_bool(args, true);
        cairn_args_map_close(args);
        server_child_send(client, method, args, 4);
        cairn_args_clear(args);
    }
}

static void put_integer(uint64_t i) { cairn_args_uint(args, i); }
static void put_float(uint64_t i) { cairn_args_double(args, (double)i * 0.37); }
static void put_float_map(uint64_t i)
{
    cairn_args_map_open(args);
    cairn_args_cstr(args, "x");
    put_float(i);
    cairn_args_map_close(args);
}

/* [member, score], in no order of scores. */
static uint64_t scattered(uint64_t i) { return i * 611953 % 1000003; }
static void put_int_scored(uint64_t i)
{
    cairn_args_array_open(args);
    put_name("member:", i);
    cairn_args_uint(args, scattered(i));
    cairn_args_array_close(args);
}
static void put_float_scored(uint64_t i)
{
    cairn_args_array_open(args);
    put_name("member:", i);
    cairn_args_double(args, (double)scattered(i) * 0.37);
    cairn_args_array_close(args);
}

static void make_integers(uint64_t count) { call_parts("push", count, "list", NULL, put_integer); }
static void make_set(uint64_t count) { call_parts("include", count, "set", NULL, put_integer); }
static void make_sorted_set(uint64_t count)
{
    call_parts("sorted.add", count, "sorted", NULL, put_int_scored);
}
static void make_float_sorted_set(uint64_t count)
{
    call_parts("sorted.add", count, "sorted", NULL, put_float_scored);
}
static void make_float_maps(uint64_t count)
{
    call_parts("push", count, "points", NULL, put_float_map);
}
static void make_float_list(uint64_t count) { call_parts("push", count, "frame", "x", put_float); }

/* The same for a table, of random doubles: a series like that of put_float it would compress. */
static void make_float_table(uint64_t count)
{
    static double floats[1 << 16];
    uint64_t random = 1;
    cairn_args_cstr(args, "table");
    cairn_args_array_open(args);
    cairn_args_array_open(args);
    cairn_args_cstr(args, "x");
    cairn_args_cstr(args, "f64");
    cairn_args_array_close(args);
    cairn_args_array_close(args);
    call("table.create");
    for (uint64_t i = 0; i < count;) {
        size_t n = 0;
        for (; n < sizeof floats / sizeof *floats && i < count; n++, i++)
            floats[n] = (double)(measure_random(&random) >> 11) * 0x1p-53;
        cairn_args_cstr(args, "table");
        cairn_args_map_open(args);
        cairn_args_cstr(args, "n");
        cairn_args_uint(args, n);
        cairn_args_cstr(args, "cols");
        cairn_args_map_open(args);
        cairn_args_cstr(args, "x");
        cairn_args_bin(args, floats, n * sizeof *floats); /* little-endian machines only */
        cairn_args_map_close(args);
        cairn_args_map_close(args);
        server_child_send(client, "table.append", args, 4);
        cairn_args_clear(args);
    }
    cairn_args_cstr(args, "table");
    call("table.compact");
}

/* --- measuring ------------------------------------------------------------------------------*/

static void begin(void)
{
    server_child_start(&server, MEMORY, 20000);
    client = server_child_connect(&server);
    args = cairn_args_create();
    /* What the first requests cost is not the objects'. */
    for (unsigned i = 0; i < 1000; i++) call("ping");
    server_child_finish(client);
    server_child_settle(&server, 10);
    rss_before = measure_process_rss_bytes(server.pid);
}

/* Nor is code that the first of them brings into memory: a few come and go before the others. */
static void warm_up(void (*make)(uint64_t count))
{
    make(1000);
    call("clear");
    server_child_finish(client);
    server_child_settle(&server, 10);
    rss_before = measure_process_rss_bytes(server.pid);
}

static size_t gained(void)
{
    server_child_finish(client);
    server_child_settle(&server, 60);
    return measure_process_rss_bytes(server.pid) - rss_before;
}

static double memory(const char *name)
{
    return server_child_figure(client, "mem.info", (const char *[]){name, NULL});
}

static void end(void)
{
    cairn_args_destroy(args);
    cairn_destroy(client);
    server_child_stop(&server);
}

/* The unit is what `count` of them are divided by to give the figure. */
static void shape(const char *name, void (*make)(uint64_t count), uint64_t count, const char *unit,
                  double per, double goal, const char *anchor)
{
    begin();
    warm_up(make);
    make(count);
    size_t rss = gained();
    double used = memory("used_bytes"), pages = memory("page_bytes");
    figure_print_with(&(struct figure){name, (double)rss / per, unit, GOAL_MAX, goal, anchor},
                      "\"count\":%lu,\"rss_bytes\":%zu,\"cell_bytes_each\":%.4g,"
                      "\"page_bytes_each\":%.4g,\"objects_each\":%.4g",
                      count, rss, used / (double)count, pages / (double)count,
                      memory("objects") / (double)count);
    end();
}

static void connections(uint64_t count)
{
    struct figure f = {"idle connection", 0, "bytes", GOAL_MAX, 4096, NULL};
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (count + 64 > files.rlim_cur) count = files.rlim_cur - 64;
    struct cairn **idle = calloc(count, sizeof *idle);
    if (!idle) measure_fail("out of memory");
    begin();
    for (uint64_t i = 0; i < count; i++) {
        idle[i] = server_child_connect(&server);
        server_child_call(idle[i], "ping", NULL);
    }
    size_t rss = gained();
    f.value = (double)rss / (double)count;
    figure_print_with(&f, "\"count\":%lu,\"rss_bytes\":%zu", count, rss);
    for (uint64_t i = 0; i < count; i++) cairn_destroy(idle[i]);
    free(idle);
    end();
}

/* --- JSON -----------------------------------------------------------------------------------*/

static char *file_read(const char *path, size_t *length)
{
    char *text = NULL;
    FILE *in = fopen(path, "r"), *out = open_memstream(&text, length);
    if (!in || !out) measure_fail("%s cannot be read", path);
    for (int c; (c = getc(in)) != EOF;) putc(c, out);
    fclose(in);
    fclose(out);
    return text;
}

/* Length without white space between tokens. */
static size_t json_compact_length(const char *text)
{
    size_t length = 0;
    bool quoted = false;
    for (const char *c = text; *c; c++) {
        if (*c == '"') quoted = !quoted;
        if (quoted && *c == '\\' && c[1]) c++, length++;
        if (quoted || !strchr(" \t\r\n", *c)) length++;
    }
    return length;
}

/* Documents that were set, each under a key of its own. */
struct documents {
    const char *source; /* of the one at hand, for messages */
    struct cairn_args *parsed;
    size_t count, text_bytes;
};

static void document_set(struct documents *d, const char *text, size_t length)
{
    struct cli_json_error error;
    cairn_args_clear(d->parsed);
    if (!cli_json_parse(d->parsed, text, length, &error))
        measure_fail("%s: %s", d->source, error.text);
    put_name("document:", d->count++);
    cairn_args_append(args, d->parsed);
    call("set");
    d->text_bytes += json_compact_length(text);
}

static void load_packages(struct documents *d)
{
    char *line = NULL;
    size_t capacity = 0;
    d->source = "the package list";
    FILE *in = popen("apt-cache dumpavail 2>/dev/null | perl '" DUMPAVAIL2JSONL "'", "r");
    if (!in) measure_fail("no pipe for the package list");
    for (ssize_t n; (n = getline(&line, &capacity, in)) > 0;) document_set(d, line, (size_t)n);
    if (pclose(in) != 0) d->text_bytes = 0;
    free(line);
}

static void load_iso_codes(struct documents *d)
{
    glob_t files;
    if (glob(JSON_FILES, 0, NULL, &files) != 0) return;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        size_t length;
        char *text = file_read(files.gl_pathv[i], &length);
        d->source = files.gl_pathv[i];
        document_set(d, text, length);
        free(text);
    }
    globfree(&files);
}

static void documents(struct figure f, void (*load)(struct documents *d), size_t text_min,
                      const char *why_not)
{
    struct documents d = {.parsed = cairn_args_create()};
    begin();
    load(&d);
    if (d.text_bytes < text_min) {
        figure_skip(&f, why_not);
    } else {
        size_t rss = gained();
        f.value = 100 * (double)rss / (double)d.text_bytes;
        figure_print_with(&f, "\"count\":%zu,\"text_bytes\":%zu,\"rss_bytes\":%zu,"
                          "\"cell_bytes\":%.0f,\"page_bytes\":%.0f,\"objects\":%.0f",
                          d.count, d.text_bytes, rss, memory("used_bytes"), memory("page_bytes"),
                          memory("objects"));
    }
    end();
    cairn_args_destroy(d.parsed);
}

/* The experiment of an article about Python: MB of a million objects with one float. */
static void article(uint64_t count)
{
    double each = (double)count;
    shape("a million {x: float}, records in a list", make_float_maps, count, "MB", each, 26,
          "CPython dict instances 130, __slots__ 84");
    shape("a million floats, a list for the field", make_float_list, count, "MB", each, 8.3,
          "CPython dict of lists 38, numpy 7.6");
    shape("a million floats, table", make_float_table, count, "MB", each, 6.8,
          "pandas 8, numpy 7.6");
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000, clients = 1000, only_article = 0;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"count", &count, "objects of each shape"},
                        {"connections", &clients, "idle connections"},
                        {"article", &only_article, "1: objects with one float only"},
                        {NULL, NULL, NULL},
                    });
    double each = (double)count;
    if (only_article) {
        article(count);
        return 0;
    }
    shape("key to 10-byte string", make_short_texts, count, "bytes", each, 50,
          "Redis 116, Valkey 87, Tarantool 66, memcached 105");
    shape("key to 100-byte string", make_long_texts, count, "bytes", each, 140,
          "Redis 208, Valkey 183, Tarantool 155, memcached 202");
    shape("key to {id, name, score}", make_users, count, "bytes", each, 88,
          "Redis 165, Valkey 127, Tarantool 72 (integer key)");
    shape("key to point {x, y, z}", make_points, count, "bytes", each, 74,
          "Redis 179, Valkey 153, Tarantool 82");
    shape("integer in a list", make_integers, count, "bytes", each, 4.3, "Redis 5.4, Valkey 5.5");
    shape("integer in a set", make_set, count, "bytes", each, 12, "Redis 58, Valkey 31");
    shape("field in a map", make_fields, count, "bytes", each, 45, "Redis 74, Valkey 63");
    shape("member of a sorted set", make_sorted_set, count, "bytes", each, 60,
          "Redis 116, Valkey 100");
    shape("member of a sorted set, scores of 8 bytes", make_float_sorted_set, count, "bytes", each,
          60, "Redis 116, Valkey 100");
    connections(clients);
    article(count);
    documents((struct figure){"JSON documents (package list), of their text", 0, "%", GOAL_MAX, 100,
                              NULL},
              load_packages, PACKAGES_TEXT_MIN, "apt has no package lists");
    documents((struct figure){"JSON documents (iso-codes), of their text", 0, "%", GOAL_NONE, 0,
                              "so small that pages not full yet count"},
              load_iso_codes, 1, "iso-codes is not installed");
    return 0;
}
