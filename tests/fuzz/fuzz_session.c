/* fuzz_session.c - any bytes on a connection of a whole server: what comes back are responses,
 * the connection ends, and the heap is sound and loses nothing.
 *
 * Input: one byte of options (small turns, cuts), one that seeds the random cuts, then what
 * the client sends. The server runs in this process, on one end of a socket pair; it is used
 * for one input after the other, until one shuts it down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "heap/gc.h"
#include "heap/map.h"
#include "heap/verify.h"
#include "server/log.h"
#include "server/server.h"
#include "server/session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/random.h"
#include "tests/support/trace.h"

enum option { SMALL_TURNS = 1, CUTS = 2, VANISH = 4 };

/* Turns of the loop that an input gets before it counts as stuck. */
#define TURNS_MAX 2000000

static struct server *server;
static uint64_t objects_at_start;

static uint64_t object_count(void)
{
    struct heap_stats stats;
    heap_stats(server->heap, &stats);
    return stats.object_count;
}

/* Ends the run, saying why. */
static void fail(const char *why)
{
    fprintf(stderr, "fuzz_session: %s\n", why);
    abort();
}

static void server_begin(void)
{
    struct settings settings;
    char error[200];
    if (settings_init(&settings) != 0) fail("out of memory");
    static const char *const changes[][2] = {
        {"max-memory", "4m"},       {"request-bytes", "64k"},        {"request-elements", "4096"},
        {"reply-bytes", "64k"},     {"pending-reply-bytes", "256k"}, {"pending-reply-pause", "16k"},
        {"handles", "20"},          {"shutdown-time", "0"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (settings_set(&settings, changes[i][0], changes[i][1], error, sizeof error) != 0)
            fail(error);
    if (log_open("error", "") != 0) fail("no log");
    if (server_create(&server, &settings, error, sizeof error) != 0) fail(error);
    gc_collect(server->heap);
    objects_at_start = object_count();
}

/* The client's end of the connection. */
struct client {
    int fd; /* -1: closed */
    struct rpc_reader *reader;
    struct trace trace;
};

static void client_close(struct client *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

/* Everything that the server says must be a response. Only its msgid may be unfit: nil. */
static void client_read(struct client *c)
{
    char data[4096];
    ssize_t got = c->fd >= 0 ? recv(c->fd, data, sizeof data, MSG_DONTWAIT) : -1;
    if (got == 0) client_close(c);
    for (size_t offset = 0; got > 0 && offset < (size_t)got;) {
        size_t used = 0;
        int status = rpc_reader_feed(c->reader, data + offset, (size_t)got - offset, &used);
        offset += used;
        if (status < 0) fail("a reply is malformed");
        if (status != DECODER_DONE) continue;
        const struct rpc_message *message = rpc_reader_message(c->reader);
        if (message->fault != RPC_FAULT_NONE && message->fault != RPC_FAULT_MSGID)
            fail(rpc_fault_text(message->fault));
        if (message->type != RPC_RESPONSE) fail("a message is not a response");
        trace_clear(&c->trace);
    }
}

/* One turn of the loop; false once the server has shut down. */
static bool turn(void) { return uv_run(&server->loop, UV_RUN_NOWAIT) != 0; }

static void client_run(struct client *c, const char *data, size_t size, unsigned options,
                       uint64_t rng)
{
    bool running = true;
    size_t sent = 0;
    for (long turns = 0; running && server->sessions.count > 0; turns++) {
        if (turns == TURNS_MAX) fail("the session does not end");
        if (c->fd >= 0 && sent < size) {
            size_t part = size - sent;
            if (options & CUTS) part = 1 + random_below(&rng, part < 64 ? part : 64);
            ssize_t took = send(c->fd, data + sent, part, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (took > 0) sent += (size_t)took;
            if (took < 0 && errno != EAGAIN) sent = size;
            if (sent == size && (options & VANISH)) client_close(c);
            if (sent == size && c->fd >= 0) shutdown(c->fd, SHUT_WR);
        }
        running = turn();
        client_read(c);
    }
    client_close(c);
}

/* Without its keys and sessions the heap is as it was. */
static void check_heap(void)
{
    char message[300];
    struct heap *h = server->heap;
    if (heap_verify(h, message, sizeof message) != 0) fail(message);
    value handles = heap_root(h, ROOT_HANDLES);
    if (handles != VALUE_NIL && map_count(h, handles) != 0) fail("handles outlived their session");
    keys_clear(&server->keys);
    if (keys_root_make(&server->keys) == VALUE_ABSENT) fail("no memory for an empty map");
    heap_root_set_take(h, ROOT_HANDLES, VALUE_NIL);
    gc_enable(h, true);
    gc_threshold_set(h, 0);
    gc_collect(h);
    while (heap_drop_step(h, 1 << 20) > 0) {}
    gc_collect(h);
    if (heap_verify(h, message, sizeof message) != 0) fail(message);
    if (object_count() != objects_at_start) {
        fprintf(stderr, "%llu objects instead of %llu\n", (unsigned long long)object_count(),
                (unsigned long long)objects_at_start);
        fail("objects have leaked");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct decoder_limits limits = {1 << 20, 1 << 20, DECODER_DEPTH_MAX};
    int ends[2];
    if (size < 3) return 0;
    if (!server) server_begin();
    bool small = data[0] & SMALL_TURNS;
    server->settings.turn_requests = small ? 1 : 1000;
    server->settings.turn_bytes = small ? 16 : 256 * SIZE_K;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("no socket pair");
    struct client client = {.fd = ends[0]};
    trace_init(&client.trace);
    client.reader = rpc_reader_create(&trace_rpc_sink, &client.trace, &limits);
    if (!client.reader || session_adopt(server, ends[1]) != 0) fail("no session");
    client_run(&client, (const char *)data + 2, size - 2, data[0], data[1]);
    rpc_reader_destroy(client.reader);
    trace_close(&client.trace);
    bool ended = server->phase != SERVER_RUNNING;
    while (ended && turn()) {}
    check_heap();
    if (ended) {
        server_destroy(server);
        server = NULL;
    }
    return 0;
}
