/* table_export.c - how fast do tables leave the server, over TCP on loopback?
 *
 * A real server has tables of several million sealed rows. A client that does nothing but
 * receive fetches each as a stream, with table.export and table.next, the next request on its way
 * before the last answer is (as a client that wants speed does): what is measured is the
 * server and the loopback. The rate is of bytes of the stream a second, by the clock, median of
 * rounds; beside it what it costs the server, by its own CPU time. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/server_child.h"
#include "protocol/writer.h"

#define APPEND_ROWS 65536
#define RECEIVE_BYTES ((size_t)4 << 20)
/* Requests under way. */
#define WINDOW 3

struct stream {
    int fd;
    unsigned char *data;  /* what was received and not used yet */
    size_t begin, end;
    uint32_t msgid;
};

/* --- tables -----------------------------------------------------------------------------------*/

static uint64_t seed = 1;

static double random_double(uint64_t row)
{
    (void)row;
    return (double)(measure_random(&seed) >> 11) * 0x1p-53;
}
static double price(uint64_t row)
{
    (void)row;
    return (double)measure_random_below(&seed, 1000000) / 100;
}
static double number(uint64_t row) { return (double)row; }
/* Any 64 bits: no encoding makes them smaller. */
static double any_bits(uint64_t row)
{
    double d;
    uint64_t bits = (measure_random(&seed) & ~((uint64_t)0x7ff << 52)) | (uint64_t)(row % 2000 + 1)
                                                                            << 52;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static const struct source {
    const char *name, *type;
    double (*make)(uint64_t row);
} sources[] = {
    {"raw", "f64", any_bits},      {"random", "f64", random_double}, {"price", "f64", price},
    {"id", "i64", number},         {"quantity", "i32", price},
};
#define SOURCES (sizeof sources / sizeof *sources)

static void put_column(struct cairn_args *args, const struct source *s, uint64_t first)
{
    static double wide[APPEND_ROWS];
    static int32_t narrow[APPEND_ROWS];
    static int64_t integers[APPEND_ROWS];
    for (uint64_t i = 0; i < APPEND_ROWS; i++) {
        wide[i] = s->make(first + i);
        if (s->type[0] == 'i') integers[i] = (int64_t)wide[i];
        if (s->type[1] == '3') narrow[i] = (int32_t)wide[i];
    }
    cairn_args_cstr(args, s->name);
    if (s->type[0] == 'f') cairn_args_bin(args, wide, sizeof wide);
    else if (s->type[1] == '3') cairn_args_bin(args, narrow, sizeof narrow);
    else cairn_args_bin(args, integers, sizeof integers);
}

static void fill(struct cairn *c, uint64_t rows)
{
    struct cairn_args *args = cairn_args_create();
    cairn_args_cstr(args, "t");
    cairn_args_array_open(args);
    for (size_t i = 0; i < SOURCES; i++) {
        cairn_args_array_open(args);
        cairn_args_cstr(args, sources[i].name);
        cairn_args_cstr(args, sources[i].type);
        cairn_args_array_close(args);
    }
    cairn_args_array_close(args);
    server_child_call(c, "table.create", args);
    for (uint64_t row = 0; row < rows; row += APPEND_ROWS) {
        cairn_args_clear(args);
        cairn_args_cstr(args, "t");
        cairn_args_map_open(args);
        cairn_args_cstr(args, "n");
        cairn_args_int(args, APPEND_ROWS);
        cairn_args_cstr(args, "cols");
        cairn_args_map_open(args);
        for (size_t i = 0; i < SOURCES; i++) put_column(args, &sources[i], row);
        cairn_args_map_close(args);
        cairn_args_map_close(args);
        server_child_call(c, "table.append", args);
    }
    cairn_args_destroy(args);
}

/* --- a client that receives -------------------------------------------------------------------*/

static void connect_to(struct stream *s, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    *s = (struct stream){.fd = socket(AF_INET, SOCK_STREAM, 0), .data = malloc(RECEIVE_BYTES)};
    if (s->fd < 0 || !s->data || connect(s->fd, (struct sockaddr *)&address, sizeof address) != 0)
        measure_fail("no connection to port %u", port);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void send_all(struct stream *s, struct writer *w)
{
    if (send(s->fd, w->data, w->length, MSG_NOSIGNAL) != (ssize_t)w->length)
        measure_fail("a request was not taken");
    writer_close(w);
}

static void receive(struct stream *s)
{
    if (s->begin == s->end) s->begin = s->end = 0;
    if (s->end == RECEIVE_BYTES) {
        memmove(s->data, s->data + s->begin, s->end - s->begin);
        s->end -= s->begin;
        s->begin = 0;
    }
    ssize_t got = recv(s->fd, s->data + s->end, RECEIVE_BYTES - s->end, 0);
    if (got <= 0) measure_fail("the server hung up");
    s->end += (size_t)got;
}

static unsigned char next_byte(struct stream *s)
{
    while (s->begin == s->end) receive(s);
    return s->data[s->begin++];
}

static uint64_t next_number(struct stream *s, unsigned bytes)
{
    uint64_t v = 0;
    while (bytes--) v = v << 8 | next_byte(s);
    return v;
}

static void skip(struct stream *s, uint64_t bytes)
{
    while (bytes > 0) {
        if (s->begin == s->end) receive(s);
        size_t some = s->end - s->begin < bytes ? s->end - s->begin : (size_t)bytes;
        s->begin += some;
        bytes -= some;
    }
}

/* A value of an answer is passed over. Returns the length of bins and texts, the number of items,
 * the integer; UINT64_MAX: nil. */
static uint64_t pass(struct stream *s, bool *bin)
{
    unsigned char head = next_byte(s);
    uint64_t v = 0;
    *bin = head >= 0xc4 && head <= 0xc6;
    if (head < 0x80) return head;
    if (head < 0xa0) return head & 15;
    if (head < 0xc0) v = head & 31;
    else if (*bin) v = next_number(s, 1u << (head - 0xc4));
    else if (head >= 0xd9 && head <= 0xdb) v = next_number(s, 1u << (head - 0xd9));
    else if (head >= 0xcc && head <= 0xcf) return next_number(s, 1u << (head - 0xcc));
    else if (head == 0xc0) return UINT64_MAX;
    else measure_fail("an answer has the byte %#x", head);
    skip(s, v);
    return v;
}

/* One answer: adds the length of its data; returns its cursor, 0: none. */
static uint64_t take_answer(struct stream *s, uint64_t *bytes)
{
    bool bin;
    pass(s, &bin); /* [1, msgid, error, result] */
    pass(s, &bin);
    pass(s, &bin);
    if (pass(s, &bin) != UINT64_MAX) { /* an error, and nil: asked for beyond the end */
        pass(s, &bin);
        return 0;
    }
    uint64_t entries = pass(s, &bin), last = 0;
    for (uint64_t i = 0; i < entries; i++) {
        pass(s, &bin);
        last = pass(s, &bin);
        if (bin) *bytes += last;
    }
    return last == UINT64_MAX ? 0 : last;
}

static void ask_next(struct stream *s, uint64_t cursor)
{
    struct writer w;
    writer_init(&w, 0);
    writer_request(&w, ++s->msgid, "table.next", 1);
    writer_uint(&w, cursor);
    send_all(s, &w);
}

static void ask_export(struct stream *s, const char *format, const char *const *columns,
                       uint64_t piece)
{
    struct writer w;
    size_t count = 0;
    while (columns[count]) count++;
    writer_init(&w, 0);
    writer_request(&w, ++s->msgid, "table.export", 2);
    writer_cstr(&w, "t");
    writer_map(&w, 3);
    writer_cstr(&w, "format");
    writer_cstr(&w, format);
    writer_cstr(&w, "select");
    writer_array(&w, count);
    for (size_t i = 0; i < count; i++) writer_cstr(&w, columns[i]);
    writer_cstr(&w, "batch");
    writer_map(&w, 1);
    writer_cstr(&w, "bytes");
    writer_uint(&w, piece);
    send_all(s, &w);
}

/* The whole stream. Returns its bytes. */
static uint64_t fetch(struct stream *s, const char *format, const char *const *columns,
                      uint64_t piece)
{
    uint64_t bytes = 0;
    unsigned under_way = 0;
    ask_export(s, format, columns, piece);
    uint64_t cursor = take_answer(s, &bytes), going = cursor;
    while (going || under_way) {
        while (going && under_way < WINDOW) {
            ask_next(s, cursor);
            under_way++;
        }
        if (take_answer(s, &bytes) == 0) going = 0;
        under_way--;
    }
    return bytes;
}

/* --- figures ----------------------------------------------------------------------------------*/

static void rate(struct stream *s, const struct server_child *child, const char *name,
                 const char *format, const char *const *columns, uint64_t piece, unsigned rounds,
                 double unit_bytes, const char *unit, double goal)
{
    struct measure_rounds rates = {.count = 0}, cpu = {.count = 0};
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t began = measure_ns(), began_cpu = measure_process_cpu_ns(child->pid);
        double bytes = (double)fetch(s, format, columns, piece);
        measure_rounds_add(&rates, bytes / (double)(measure_ns() - began) * 1e9 / unit_bytes);
        measure_rounds_add(&cpu, (double)(measure_process_cpu_ns(child->pid) - began_cpu) / bytes);
    }
    figure_print_with(&(struct figure){name, measure_median(&rates), unit,
                                       goal > 0 ? GOAL_MIN : GOAL_NONE, goal, NULL},
                      "\"server_ns_per_byte\":%.3f", measure_median(&cpu));
}

int main(int argc, char **argv)
{
    uint64_t rows = 2000000, rounds = 5, piece = 1 << 20;
    const struct measure_option options[] = {
        {"rows", &rows, "rows of the table"},
        {"rounds", &rounds, "fetches of each stream"},
        {"piece", &piece, "bytes of an answer"},
        {NULL, NULL, NULL},
    };
    struct server_child child;
    struct stream s;
    measure_options(argc, argv, options);
    server_child_start_tcp(&child, (size_t)2 << 30, 16);
    struct cairn *c = server_child_connect(&child);
    fill(c, rows);
    server_child_settle(&child, 30);
    connect_to(&s, child.port);
    static const struct {
        const char *name, *format;
        const char *columns[SOURCES + 1];
        double unit_bytes;
        const char *unit;
        double goal;
    } figures[] = {
        {"Arrow export, raw f64", "arrow", {"raw"}, 1e9, "GB/s", 1.5},
        {"Arrow export, five sealed columns", "arrow", {"raw", "random", "price", "id", "quantity"},
         1e9, "GB/s", 1.5},
        {"Arrow export, prices", "arrow", {"price"}, 1e9, "GB/s", 0},
        {".npy export, prices", "npy", {"price"}, 1e9, "GB/s", 0},
        {"CSV export, prices, ids and quantities", "csv", {"price", "id", "quantity"}, 1e6, "MB/s",
         150},
        {"CSV export, random doubles", "csv", {"random"}, 1e6, "MB/s", 0},
        {"JSON lines export, prices, ids and quantities", "jsonl", {"price", "id", "quantity"}, 1e6,
         "MB/s", 0},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        rate(&s, &child, figures[i].name, figures[i].format, figures[i].columns, piece,
             (unsigned)rounds, figures[i].unit_bytes, figures[i].unit, figures[i].goal);
    close(s.fd);
    free(s.data);
    cairn_destroy(c);
    server_child_stop(&child);
    return 0;
}
