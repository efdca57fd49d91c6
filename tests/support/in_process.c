/* in_process.c - a session without a socket: bytes in, responses out, in memory. */
#include "tests/support/in_process.h"

#include <stdio.h>
#include <stdlib.h>

#include "heap/gc.h"
#include "heap/verify.h"
#include "tests/support/random.h"

#define STEP_NS 20000
#define MESSAGE_BYTES_MAX ((size_t)1 << 26)
#define MESSAGE_ELEMENTS_MAX ((size_t)1 << 24)

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "in_process: %s: %s\n", what, detail);
    abort();
}

static void host_info(struct server *server, struct server_info *info)
{
    static const char *const addresses[] = {"memory"};
    (void)server;
    *info = (struct server_info){.clients = 1, .addresses = addresses, .address_count = 1};
}

static void host_shutdown(struct server *server)
{
    struct in_process *p = (struct in_process *)(void *)server;
    p->shutdown = true;
}

/* Everything but the heap. */
static void session_open(struct in_process *p, struct keys *keys)
{
    const struct decoder_limits limits = {.bytes_max = MESSAGE_BYTES_MAX,
                                          .elements_max = MESSAGE_ELEMENTS_MAX,
                                          .depth_max = DECODER_DEPTH_MAX};
    p->host = (struct call_host){
        .server = (struct server *)(void *)p,
        .heap = p->heap,
        .keys = keys,
        .reply_bytes_max = (size_t)1 << 26,
        .reply_elements_max = 1000000,
        .call_paths_max = 10000,
        .handles_max = 1000,
        .cursors_max = 8,
        .info = host_info,
        .shutdown = host_shutdown,
    };
    p->budget_ns = STEP_NS;
    builder_init(&p->builder, p->heap, &p->features);
    p->reader = rpc_reader_create(builder_sink(), &p->builder, &limits);
    if (p->reader == NULL) fail("open", "no memory");
    p->builder.reader = p->reader;
    writer_init(&p->out, 0);
}

void in_process_open_heap(struct in_process *p, const struct heap_config *config)
{
    memset(p, 0, sizeof *p);
    if (heap_create(&p->heap, config) < 0) fail("open", "no memory");
    gc_compact_always(p->heap, true);
    keys_init(&p->own_keys, p->heap, POLICY_REFUSE);
    session_open(p, &p->own_keys);
}

void in_process_open(struct in_process *p, size_t max_bytes)
{
    struct heap_config config = {.max_bytes = max_bytes > 0 ? max_bytes : (size_t)64 << 20,
                                 .hash_key = "fixed for tests"};
    in_process_open_heap(p, &config);
}

void in_process_join(struct in_process *p, const struct in_process *first)
{
    memset(p, 0, sizeof *p);
    p->heap = first->heap;
    session_open(p, first->host.keys);
}

void in_process_end(struct in_process *p)
{
    builder_close(&p->builder);
    rpc_reader_destroy(p->reader);
    session_refs_close(p->heap, &p->refs);
    writer_close(&p->out);
}

void in_process_verify(struct in_process *p)
{
    char message[256];
    if (heap_verify(p->heap, message, sizeof message) < 0) fail("damaged heap", message);
}

void in_process_close(struct in_process *p)
{
    struct heap *h = p->heap;
    struct heap_stats stats;
    in_process_verify(p);
    in_process_end(p);
    for (unsigned i = 0; i < ROOT_COUNT; i++) heap_root_set_take(h, (enum heap_root)i, VALUE_NIL);
    while (heap_drop_pending(h)) heap_drop_step(h, SIZE_MAX / 2);
    gc_collect(h);
    in_process_verify(p);
    heap_stats(h, &stats);
    if (stats.object_count != 0) {
        char detail[80];
        snprintf(detail, sizeof detail, "%llu objects of %zu bytes",
                 (unsigned long long)stats.object_count, stats.used_bytes);
        fail("leak", detail);
    }
    heap_destroy(h);
}

void in_process_safe_point(struct in_process *p)
{
    gc_safe_point(p->heap);
    if (p->seed == 0) return;
    uint64_t chance = random_below(&p->seed, 8);
    if (chance == 0) gc_start(p->heap);
    if (chance < 4) gc_step(p->heap, 1 + random_below(&p->seed, 200));
    if (chance == 7 && random_below(&p->seed, 20) == 0) gc_collect(p->heap);
}

static void call_start(struct in_process *p, const struct rpc_message *message)
{
    p->call.host = &p->host;
    p->call.session = NULL;
    p->call.features = &p->features;
    p->call.refs = &p->refs;
    p->call.frame = &p->builder.frame;
    p->call.args = p->builder.frame.slots;
    p->call.arg_count = p->builder.frame.count;
    p->call.packed_rows = p->builder.packed_rows;
    p->outcome = call_begin(&p->call, message, &p->out);
}

enum call_outcome in_process_begin(struct in_process *p, const char *data, size_t length)
{
    size_t used = 0;
    builder_touch(&p->builder);
    if (rpc_reader_feed(p->reader, data, length, &used) != DECODER_DONE)
        fail("in_process_begin", "not one whole message");
    call_start(p, rpc_reader_message(p->reader));
    return p->outcome;
}

static void run_call(struct in_process *p, const struct rpc_message *message)
{
    call_start(p, message);
    while (p->outcome == CALL_PENDING) {
        in_process_safe_point(p);
        if (p->between != NULL) p->between();
        in_process_safe_point(p);
        builder_touch(&p->builder);
        p->steps++;
        p->outcome = call_resume(&p->call, p->budget_ns);
    }
}

static void run_message(struct in_process *p)
{
    const struct rpc_message *message = rpc_reader_message(p->reader);
    p->calls++;
    p->outcome = CALL_FAILED;
    if (message->fault != RPC_FAULT_NONE || message->type == RPC_RESPONSE)
        call_write_error(&p->out, message->msgid, &p->features, ERROR_BAD_MESSAGE,
                         rpc_fault_text(message->fault));
    else if (!p->builder.failed)
        run_call(p, message);
    else if (message->type == RPC_REQUEST)
        call_write_error(&p->out, message->msgid, &p->features, p->builder.error,
                         p->builder.message);
    p->failures += p->outcome == CALL_FAILED;
    builder_reset(&p->builder);
}

int in_process_feed(struct in_process *p, const char *data, size_t length)
{
    while (length > 0) {
        size_t used = 0;
        builder_touch(&p->builder);
        int status = rpc_reader_feed(p->reader, data, length, &used);
        if (status < 0) return status;
        data += used;
        length -= used;
        if (status == DECODER_DONE) run_message(p);
        in_process_safe_point(p);
    }
    return 0;
}
