/* decode.c - what it costs to take a small request apart.
 *
 *     bench_decode [SECONDS per case]
 *
 * The request is 25 bytes, [0, msgid, "get", ["user:NNNNNNNNN"]]; 1,024 different ones lie in
 * one buffer, as if they had been pipelined. Each case goes over the buffer again and again:
 * the RPC reader with a sink that does nothing, the bare decoder, and msgpack-c's own
 * unpacker, which builds a tree. One line of JSON per case: the nanoseconds per request, of
 * the fastest and of the median pass over the buffer. */
#include <inttypes.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/rpc.h"
#include "protocol/writer.h"

#define REQUESTS 1024
#define REQUEST_BYTES 25
#define PASSES_MAX 100000

static uint64_t items; /* so that the sink is not quite empty */

static int on_nil(void *context)
{
    (void)context;
    items++;
    return 0;
}

static int on_boolean(void *context, bool value)
{
    (void)value;
    return on_nil(context);
}

static int on_integer(void *context, int64_t value)
{
    (void)value;
    return on_nil(context);
}

static int on_unsigned_integer(void *context, uint64_t value)
{
    (void)value;
    return on_nil(context);
}

static int on_real(void *context, double value)
{
    (void)value;
    return on_nil(context);
}

static int on_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                   size_t length)
{
    (void)type, (void)ext_type, (void)data, (void)length;
    return on_nil(context);
}

static int on_text_open(void *context, enum decoder_text type, int8_t ext_type, size_t length)
{
    (void)type, (void)ext_type, (void)length;
    return on_nil(context);
}

static int on_text_data(void *context, const char *data, size_t length)
{
    (void)data, (void)length;
    return on_nil(context);
}

static int on_open(void *context, size_t count)
{
    (void)count;
    return on_nil(context);
}

static int on_begin(void *context, const struct rpc_message *message, size_t params_count)
{
    (void)message;
    return on_open(context, params_count);
}

static const struct rpc_sink null_sink = {
    .begin = on_begin,
    .items = {
        .nil = on_nil,
        .boolean = on_boolean,
        .integer = on_integer,
        .unsigned_integer = on_unsigned_integer,
        .real = on_real,
        .text = on_text,
        .text_open = on_text_open,
        .text_data = on_text_data,
        .text_close = on_nil,
        .array_open = on_open,
        .array_close = on_nil,
        .map_open = on_open,
        .map_close = on_nil,
    },
};

static const struct decoder_limits limits = {1 << 20, 1 << 16, 31};

static void fail(const char *what)
{
    fprintf(stderr, "bench_decode: %s\n", what);
    exit(EXIT_FAILURE);
}

static struct rpc_reader *reader;
static struct decoder *decoder;

/* Each takes the whole buffer apart once, and returns the number of requests it saw. */
static unsigned pass_reader(const char *data, size_t length)
{
    unsigned requests = 0;
    size_t used;
    for (size_t offset = 0; offset < length; offset += used, requests++) {
        if (rpc_reader_feed(reader, data + offset, length - offset, &used) != DECODER_DONE)
            fail("rpc_reader_feed");
        if (rpc_reader_message(reader)->fault != RPC_FAULT_NONE) fail("a faulty request");
    }
    return requests;
}

static unsigned pass_decoder(const char *data, size_t length)
{
    unsigned requests = 0;
    size_t used;
    for (size_t offset = 0; offset < length; offset += used, requests++)
        if (decoder_feed(decoder, data + offset, length - offset, &used) != DECODER_DONE)
            fail("decoder_feed");
    return requests;
}

static unsigned pass_msgpack(const char *data, size_t length)
{
    unsigned requests = 0;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    for (size_t offset = 0; offset < length; requests++)
        if (msgpack_unpack_next(&unpacked, data, length, &offset) != MSGPACK_UNPACK_SUCCESS)
            fail("msgpack_unpack_next");
    msgpack_unpacked_destroy(&unpacked);
    return requests;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void measure(const char *name, unsigned (*pass)(const char *, size_t),
                    const struct writer *w, double seconds)
{
    static uint64_t times[PASSES_MAX];
    size_t passes = 0;
    uint64_t start = now_ns();
    do {
        uint64_t before = now_ns();
        if (pass(w->data, w->length) != REQUESTS) fail("requests are missing");
        times[passes++] = now_ns() - before;
    } while (passes < PASSES_MAX && (double)(now_ns() - start) < seconds * 1e9);
    qsort(times, passes, sizeof *times, by_size);
    printf("{\"bench\": \"decode\", \"case\": \"%s\", \"request_bytes\": %d, \"passes\": %zu, "
           "\"ns_min\": %.1f, \"ns_median\": %.1f}\n",
           name, REQUEST_BYTES, passes, (double)times[0] / REQUESTS,
           (double)times[passes / 2] / REQUESTS);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    struct writer w;
    writer_init(&w, 0);
    for (unsigned i = 0; i < REQUESTS; i++) {
        char key[16];
        snprintf(key, sizeof key, "user:%09u", i * 977);
        writer_request(&w, 1000 + i, "get", 1);
        writer_cstr(&w, key);
    }
    if (w.error != WRITER_OK || w.length != REQUESTS * REQUEST_BYTES) fail("the requests");
    reader = rpc_reader_create(&null_sink, NULL, &limits);
    decoder = decoder_create(&null_sink.items, NULL, &limits);
    if (!reader || !decoder) fail("out of memory");

    measure("rpc_reader", pass_reader, &w, seconds);
    measure("decoder", pass_decoder, &w, seconds);
    measure("msgpack_unpack_next", pass_msgpack, &w, seconds);

    rpc_reader_destroy(reader);
    decoder_destroy(decoder);
    writer_close(&w);
    return EXIT_SUCCESS;
}
