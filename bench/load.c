/* load.c - see load.h.
 *
 * The happy path of a client: connected, its requests are written into `out` and sent; each
 * read brings replies, which are checked against the ring of what is in flight, in order,
 * and each makes room for the next request; these leave together in one write.
 *
 * Failure: the first thing that cannot be gone on with is kept as a sentence, every
 * connection is closed, and the loop ends when the last close callback has run. */
#include "bench/load.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "protocol/rpc.h"
#include "protocol/writer.h"

#define READ_BUFFER_BYTES (256 * 1024)
#define WATCH_INTERVAL_MS 100

enum phase { PHASE_CONNECT, PHASE_FILL, PHASE_WARMUP, PHASE_MEASURE, PHASE_END };

struct request {
    uint64_t key;
    uint64_t sent_ns;
    uint32_t msgid;
    enum operation operation;
};

struct load;

struct client {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    uv_connect_t connect;
    uv_write_t write;
    bool writing;         /* `flying` belongs to the loop */
    struct load *load;
    struct writer out;    /* written, not yet sent */
    struct writer flying; /* the rest of what the socket did not take at once */
    uint32_t next_msgid;

    struct request *ring; /* of options->pipeline; the oldest at `first` */
    unsigned first, in_flight, unsent;

    struct rpc_reader *reader;
    /* The reply under way. */
    unsigned items;       /* complete ones at its top: the error, then the result */
    unsigned depth;       /* open containers */
    size_t text_offset;   /* of the text that arrives in parts */
    bool error_reply, as_expected;
    char error_text[128];
    size_t error_length;
};

struct load {
    const struct load_options *options;
    struct workload *workload;
    struct load_result *result;
    uv_loop_t loop;
    uv_timer_t watch;
    bool watch_open;
    struct client *clients;
    unsigned connected, open_handles;
    char *read_buffer;
    struct sockaddr_storage address;

    enum phase phase;
    uint64_t phase_start_ns, phase_end_ns; /* end: when no more is asked; 0: by count */
    uint64_t issued, answered;             /* in this phase */
    uint64_t last_reply_ns;
    uint64_t cpu_start_ns;
    bool failed, closing;
    char *error;
    size_t error_size;
};

static void phase_begin(struct load *load, enum phase phase);

static void load_fail(struct load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps the first failure in words, and ends the run. */
static void load_fail(struct load *load, const char *format, ...)
{
    if (!load->failed) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(load->error, load->error_size, format, arguments);
        va_end(arguments);
    }
    load->failed = true;
    phase_begin(load, PHASE_END);
}

static void fail_to_connect(struct load *load, int status)
{
    const struct load_options *o = load->options;
    const char *why = uv_strerror(status);
    if (o->unix_path) load_fail(load, "cannot connect to %s: %s", o->unix_path, why);
    else load_fail(load, "cannot connect to %s:%u: %s", o->host, o->port, why);
}

/* Processor time of the server so far, 0 if it cannot be told. Fields 14 and 15 of its stat
 * line, counted after the name in parentheses, which may contain anything. */
static uint64_t server_cpu_ns(const struct load *load)
{
    char path[64], line[1024];
    if (!load->options->server_pid) return 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", load->options->server_pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    const char *rest = strrchr(line, ')');
    uint64_t user, system;
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
                        &user, &system) != 2)
        return 0;
    return (user + system) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* --- requests ----------------------------------------------------------------------------*/

/* Whether the phase still asks for one more request. */
static bool phase_wants_more(const struct load *load, uint64_t now)
{
    if (load->phase_end_ns) return now < load->phase_end_ns;
    uint64_t wanted = load->phase == PHASE_FILL ? load->workload->keyspace
                                                : load->options->requests;
    return load->issued < wanted;
}

static void request_write(struct client *c)
{
    struct load *load = c->load;
    struct workload *workload = load->workload;
    bool filling = load->phase == PHASE_FILL;
    struct request *r = &c->ring[(c->first + c->in_flight) % load->options->pipeline];
    r->operation = filling ? OPERATION_SET : workload_operation(workload);
    r->key = filling ? load->issued : workload_key(workload);
    r->msgid = c->next_msgid++;
    char key[WORKLOAD_KEY_BYTES];
    workload_key_text(r->key, key);
    bool set = r->operation == OPERATION_SET;
    writer_request(&c->out, r->msgid, set ? "set" : "get", set ? 2 : 1);
    writer_str(&c->out, key, sizeof key);
    if (set) writer_str(&c->out, workload_value(workload, r->key), workload->value_bytes);
    c->in_flight++;
    c->unsent++;
    load->issued++;
}

static void on_written(uv_write_t *write, int status);

/* Sends what is in `out`, unless an earlier write is still under way. */
static void client_flush(struct client *c)
{
    struct load *load = c->load;
    uint64_t now = uv_hrtime();
    for (; c->unsent; c->unsent--) {
        unsigned i = c->first + c->in_flight - c->unsent;
        c->ring[i % load->options->pipeline].sent_ns = now;
    }
    if (c->writing || !c->out.length || load->closing) return;
    if (c->out.error != WRITER_OK) {
        load_fail(load, "out of memory");
        return;
    }
    uv_buf_t buffer = uv_buf_init(c->out.data, (unsigned)c->out.length);
    int sent = uv_try_write(&c->stream, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        load_fail(load, "cannot send: %s", uv_strerror(sent));
        return;
    }
    if (sent < 0) sent = 0;
    if (load->phase == PHASE_MEASURE) load->result->bytes_sent += c->out.length;
    if ((size_t)sent == c->out.length) {
        writer_rewind(&c->out, 0);
        return;
    }
    struct writer swap = c->flying;
    c->flying = c->out;
    c->out = swap;
    writer_rewind(&c->out, 0);
    buffer = uv_buf_init(c->flying.data + sent, (unsigned)(c->flying.length - (size_t)sent));
    int status = uv_write(&c->write, &c->stream, &buffer, 1, on_written);
    if (status < 0) {
        load_fail(load, "cannot send: %s", uv_strerror(status));
        return;
    }
    c->writing = true;
}

static void on_written(uv_write_t *write, int status)
{
    struct client *c = write->data;
    c->writing = false;
    writer_rewind(&c->flying, 0);
    if (c->load->closing) return;
    if (status < 0) {
        load_fail(c->load, "cannot send: %s", uv_strerror(status));
        return;
    }
    client_flush(c);
}

/* Fills the pipeline up and sends. */
static void client_continue(struct client *c, uint64_t now)
{
    while (c->in_flight < c->load->options->pipeline && phase_wants_more(c->load, now))
        request_write(c);
    client_flush(c);
}

/* --- replies: the sink of an rpc_reader ----------------------------------------------------*/

static struct request *oldest(struct client *c)
{
    return &c->ring[c->first];
}

static int item_ended(struct client *c)
{
    if (!c->depth) c->items++;
    return 0;
}

/* An item that is not what a reply may hold in its place. */
static int item_unexpected(struct client *c)
{
    if (!c->depth && c->items == 0) c->error_reply = true;
    return item_ended(c);
}

static int on_begin(void *context, const struct rpc_message *message, size_t params_count)
{
    (void)context, (void)message, (void)params_count;
    return 0;
}

static int on_nil(void *context)
{
    struct client *c = context;
    return item_ended(c); /* no error; as a result, never what was asked for */
}

static int on_boolean(void *context, bool b)
{
    struct client *c = context;
    if (c->depth || c->items != 1) return item_unexpected(c);
    if (b && oldest(c)->operation == OPERATION_SET) c->as_expected = true;
    return item_ended(c);
}

static int on_integer(void *context, int64_t i)
{
    (void)i;
    return item_unexpected(context);
}

static int on_unsigned(void *context, uint64_t i)
{
    (void)i;
    return item_unexpected(context);
}

static int on_real(void *context, double d)
{
    (void)d;
    return item_unexpected(context);
}

static int on_text_open(void *context, enum decoder_text type, int8_t ext_type, size_t length)
{
    struct client *c = context;
    (void)ext_type;
    c->text_offset = 0;
    if (c->depth || c->items > 1) return 0;
    if (c->items == 0) c->error_reply = true;
    else
        c->as_expected = type == DECODER_STR && oldest(c)->operation == OPERATION_GET &&
                         length == c->load->workload->value_bytes;
    return 0;
}

static int on_text_data(void *context, const char *data, size_t length)
{
    struct client *c = context;
    if (c->depth) return 0;
    if (c->items == 0) {
        size_t room = sizeof c->error_text - 1 - c->error_length;
        size_t part = length < room ? length : room;
        memcpy(c->error_text + c->error_length, data, part);
        c->error_length += part;
    } else if (c->as_expected) {
        const char *expected = workload_value(c->load->workload, oldest(c)->key);
        c->as_expected = memcmp(expected + c->text_offset, data, length) == 0;
    }
    c->text_offset += length;
    return 0;
}

static int on_text_close(void *context)
{
    return item_ended(context);
}

static int on_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                   size_t length)
{
    on_text_open(context, type, ext_type, length);
    on_text_data(context, data, length);
    return on_text_close(context);
}

static int on_container_open(void *context, size_t count)
{
    struct client *c = context;
    (void)count;
    if (!c->depth && c->items == 0) c->error_reply = true;
    c->depth++;
    return 0;
}

static int on_container_close(void *context)
{
    struct client *c = context;
    c->depth--;
    return item_ended(c);
}

static const struct rpc_sink reply_sink = {
    .begin = on_begin,
    .items =
        {
            .nil = on_nil,
            .boolean = on_boolean,
            .integer = on_integer,
            .unsigned_integer = on_unsigned,
            .real = on_real,
            .text = on_text,
            .text_open = on_text_open,
            .text_data = on_text_data,
            .text_close = on_text_close,
            .array_open = on_container_open,
            .array_close = on_container_close,
            .map_open = on_container_open,
            .map_close = on_container_close,
        },
};

/* Counts an error reply or a wrong one, and keeps the first in words. Bytes of the server
 * that a terminal might take for more than text are replaced. */
static void note_bad_reply(struct client *c)
{
    struct load_result *result = c->load->result;
    if (c->error_reply) result->errors++;
    else result->wrong++;
    if (result->first_error[0]) return;
    for (size_t i = 0; i < c->error_length; i++)
        if (c->error_text[i] < ' ' || c->error_text[i] > '~') c->error_text[i] = '?';
    const char *name = operation_name(oldest(c)->operation);
    if (c->error_reply)
        snprintf(result->first_error, sizeof result->first_error,
                 "%s of bench:%010" PRIu64 ": %.*s", name, oldest(c)->key, (int)c->error_length,
                 c->error_text);
    else
        snprintf(result->first_error, sizeof result->first_error,
                 "%s of bench:%010" PRIu64 " did not bring the %s", name, oldest(c)->key,
                 oldest(c)->operation == OPERATION_SET ? "answer true" : "value that was set");
}

static void reply_forget(struct client *c)
{
    c->items = c->depth = 0;
    c->error_reply = c->as_expected = false;
    c->error_length = 0;
}

/* One reply is complete. */
static void reply_ended(struct client *c, uint64_t now)
{
    struct load *load = c->load;
    const struct rpc_message *message = rpc_reader_message(c->reader);
    struct request *r = oldest(c);
    if (message->fault != RPC_FAULT_NONE || message->type != RPC_RESPONSE || !c->in_flight ||
        message->msgid != r->msgid) {
        load_fail(load, "a message that is not the reply to the oldest request");
        return;
    }
    if (c->error_reply || !c->as_expected) note_bad_reply(c);
    if (load->phase == PHASE_MEASURE)
        histogram_add(&load->result->latency[r->operation], now - r->sent_ns);
    c->first = (c->first + 1) % load->options->pipeline;
    c->in_flight--;
    load->answered++;
    reply_forget(c);
}

static void replies_read(struct client *c, const char *data, size_t length, uint64_t now)
{
    struct load *load = c->load;
    while (length && !load->failed) {
        size_t used = 0;
        int status = rpc_reader_feed(c->reader, data, length, &used);
        if (status < 0) load_fail(load, "a reply that is not MessagePack (%d)", status);
        else if (status == DECODER_DONE) reply_ended(c, now);
        data += used;
        length -= used;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct client *c = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(c->load->read_buffer, READ_BUFFER_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct client *c = stream->data;
    struct load *load = c->load;
    if (load->closing || length == 0) return;
    if (length < 0) {
        load_fail(load, "connection lost: %s", uv_strerror((int)length));
        return;
    }
    uint64_t now = uv_hrtime();
    load->last_reply_ns = now;
    if (load->phase == PHASE_MEASURE) load->result->bytes_received += (uint64_t)length;
    replies_read(c, buffer->base, (size_t)length, now);
    if (load->failed) return;
    client_continue(c, now);
    if (load->answered == load->issued && !phase_wants_more(load, now))
        phase_begin(load, load->phase + 1);
}

/* --- phases ----------------------------------------------------------------------------------*/

static void on_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    c->load->open_handles--;
}

static void close_all(struct load *load)
{
    load->closing = true;
    for (unsigned i = 0; i < load->options->clients; i++) {
        struct client *c = &load->clients[i];
        if (c->handle.data && !uv_is_closing(&c->handle)) uv_close(&c->handle, on_closed);
    }
    if (load->watch_open) uv_close((uv_handle_t *)&load->watch, NULL);
    load->watch_open = false;
}

static void measure_end(struct load *load)
{
    struct load_result *result = load->result;
    result->measured_ns = load->last_reply_ns - load->phase_start_ns;
    result->requests = load->answered;
    uint64_t cpu = server_cpu_ns(load);
    if (cpu && load->cpu_start_ns) result->server_cpu_ns = cpu - load->cpu_start_ns;
}

/* Leaves the phase under way and begins `phase`, or the first one after it that is wanted. */
static void phase_begin(struct load *load, enum phase phase)
{
    const struct load_options *options = load->options;
    if (load->closing) return;
    if (load->phase == PHASE_FILL)
        load->result->fill_ns = load->last_reply_ns - load->phase_start_ns;
    if (load->phase == PHASE_MEASURE && !load->failed) measure_end(load);
    if (phase == PHASE_FILL && !options->fill) phase++;
    if (phase == PHASE_WARMUP && !options->warmup_ns) phase++;
    load->phase = phase;
    if (phase == PHASE_END) {
        close_all(load);
        return;
    }
    uint64_t now = uv_hrtime();
    uint64_t duration = phase == PHASE_WARMUP                          ? options->warmup_ns
                        : phase == PHASE_MEASURE && !options->requests ? options->duration_ns
                                                                       : 0;
    load->phase_start_ns = now;
    load->phase_end_ns = duration ? now + duration : 0;
    load->issued = load->answered = 0;
    if (phase == PHASE_MEASURE) load->cpu_start_ns = server_cpu_ns(load);
    for (unsigned i = 0; i < options->clients && !load->failed; i++)
        client_continue(&load->clients[i], now);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct client *c = connect->data;
    struct load *load = c->load;
    if (load->closing) return;
    if (status < 0) {
        fail_to_connect(load, status);
        return;
    }
    if (!load->options->unix_path) uv_tcp_nodelay(&c->tcp, 1);
    status = uv_read_start(&c->stream, on_alloc, on_read);
    if (status < 0) {
        load_fail(load, "cannot read: %s", uv_strerror(status));
        return;
    }
    load->last_reply_ns = uv_hrtime();
    if (++load->connected == load->options->clients) phase_begin(load, PHASE_FILL);
}

static void on_watch(uv_timer_t *timer)
{
    struct load *load = timer->data;
    if (uv_hrtime() - load->last_reply_ns > load->options->timeout_ns)
        load_fail(load, "no reply within %.3g s", (double)load->options->timeout_ns / 1e9);
}

/* --- making and ending -------------------------------------------------------------------------*/

static int resolve(struct load *load)
{
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    snprintf(service, sizeof service, "%u", load->options->port);
    int status = getaddrinfo(load->options->host, service, &hints, &found);
    if (status) {
        load_fail(load, "cannot find %s: %s", load->options->host, gai_strerror(status));
        return -1;
    }
    memcpy(&load->address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

static int client_open(struct load *load, struct client *c)
{
    const struct load_options *options = load->options;
    const struct decoder_limits limits = {
        .bytes_max = (size_t)1 << 30, .elements_max = 1000000, .depth_max = 64};
    c->load = load;
    c->connect.data = c->write.data = c;
    writer_init(&c->out, 0);
    writer_init(&c->flying, 0);
    c->ring = calloc(options->pipeline, sizeof *c->ring);
    c->reader = rpc_reader_create(&reply_sink, c, &limits);
    if (!c->ring || !c->reader) {
        load_fail(load, "out of memory");
        return -1;
    }
    int status = options->unix_path ? uv_pipe_init(&load->loop, &c->pipe, 0)
                                    : uv_tcp_init(&load->loop, &c->tcp);
    if (status == 0) {
        c->handle.data = c;
        load->open_handles++;
        if (options->unix_path)
            uv_pipe_connect(&c->connect, &c->pipe, options->unix_path, on_connected);
        else
            status = uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&load->address,
                                    on_connected);
    }
    if (status < 0) fail_to_connect(load, status);
    return status < 0 ? -1 : 0;
}

static void clients_free(struct load *load)
{
    for (unsigned i = 0; load->clients && i < load->options->clients; i++) {
        struct client *c = &load->clients[i];
        if (!c->load) continue;
        writer_close(&c->out);
        writer_close(&c->flying);
        if (c->reader) rpc_reader_destroy(c->reader);
        free(c->ring);
    }
    free(load->clients);
    free(load->read_buffer);
}

int load_run(const struct load_options *options, struct workload *workload,
             struct load_result *result, char *error, size_t error_size)
{
    struct load load = {.options = options, .workload = workload, .result = result,
                        .error = error, .error_size = error_size};
    memset(result, 0, sizeof *result);
    if (uv_loop_init(&load.loop) < 0) {
        snprintf(error, error_size, "cannot make an event loop");
        return -1;
    }
    load.clients = calloc(options->clients, sizeof *load.clients);
    load.read_buffer = malloc(READ_BUFFER_BYTES);
    load.last_reply_ns = uv_hrtime();
    if (!load.clients || !load.read_buffer) {
        snprintf(error, error_size, "out of memory");
        load.failed = true;
    } else {
        uv_timer_init(&load.loop, &load.watch);
        load.watch.data = &load;
        load.watch_open = true;
        uv_timer_start(&load.watch, on_watch, WATCH_INTERVAL_MS, WATCH_INTERVAL_MS);
        if (options->unix_path || resolve(&load) == 0)
            for (unsigned i = 0; i < options->clients; i++)
                if (client_open(&load, &load.clients[i]) < 0) break;
        uv_run(&load.loop, UV_RUN_DEFAULT);
    }
    clients_free(&load);
    uv_loop_close(&load.loop);
    return load.failed ? -1 : 0;
}
