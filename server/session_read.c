/* session_read.c - requests: from the bytes of a read to calls that have run. */
#include "server/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/gc.h"
#include "server/log.h"
#include "server/table_value.h"

/* After one to two of these without new rows, the last chunk of a table is sealed as well. */
#define TABLE_QUIET_MS 5000
/* A builder that once held a larger message is not kept. */
#define SPARE_SLOTS_MAX 4096
/* A request that has taken so much of the heap may wait for room. */
#define ROOM_REQUEST_BYTES ((size_t)32 << 10)

/* --- intakes --------------------------------------------------------------------------------*/

static void intake_destroy(struct intake *intake)
{
    rpc_reader_destroy(intake->reader);
    builder_close(&intake->builder);
    free(intake);
}

static struct intake *intake_create(struct server *server, struct session *s)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (!intake) return NULL;
    struct decoder_limits limits = {
        .bytes_max = server->settings.request_bytes,
        .elements_max = server->settings.request_elements,
        .depth_max = (unsigned)server->settings.request_depth,
    };
    builder_init(&intake->builder, server->heap, &s->features);
    intake->reader = rpc_reader_create(builder_sink(), &intake->builder, &limits);
    intake->builder.reader = intake->reader;
    if (intake->reader) return intake;
    builder_close(&intake->builder);
    free(intake);
    return NULL;
}

struct intake *intake_lend(struct server *server, struct session *s)
{
    struct intake *intake = server->spare_intakes;
    if (!intake) return intake_create(server, s);
    server->spare_intakes = intake->next_spare;
    server->spare_intake_count--;
    intake->builder.features = &s->features;
    return intake;
}

void intake_return(struct server *server, struct intake *intake, bool sound)
{
    if (!sound || server->spare_intake_count >= SPARE_INTAKES_MAX ||
        intake->builder.frame.capacity > SPARE_SLOTS_MAX) {
        intake_destroy(intake);
        return;
    }
    builder_reset(&intake->builder);
    intake->builder.features = NULL;
    intake->next_spare = server->spare_intakes;
    server->spare_intakes = intake;
    server->spare_intake_count++;
}

void intake_destroy_spares(struct server *server)
{
    while (server->spare_intakes) {
        struct intake *intake = server->spare_intakes;
        server->spare_intakes = intake->next_spare;
        intake_destroy(intake);
    }
    server->spare_intake_count = 0;
}

/* --- unfinished requests ----------------------------------------------------------------------*/

static void request_count(struct session *s, size_t bytes)
{
    s->server->unfinished_bytes += bytes - s->request_bytes;
    s->request_bytes = bytes;
}

void session_request_end(struct session *s)
{
    request_count(s, 0);
    s->request_heap = 0;
    session_list_remove(&s->server->unfinished, LINK_UNFINISHED, s);
}

/* The rest of it is read and thrown away; the answer is an error. */
static void request_give_up(struct session *s)
{
    static struct log_limit limit;
    struct builder *b = &s->intake->builder;
    unsigned long long allowed = s->server->settings.request_memory;
    log_limited(&limit, LOG_LEVEL_WARN,
                "client %llu: a request was given up at %zu bytes; unfinished requests take more "
                "than %llu bytes (request-memory)",
                (unsigned long long)s->id, s->request_bytes, allowed);
    builder_reset(b);
    b->failed = true;
    b->error = ERROR_LIMIT;
    snprintf(b->message, sizeof b->message,
             "the unfinished requests of all clients take more than the limit of %llu bytes "
             "(request-memory); try again later",
             allowed);
    rpc_reader_skip(s->intake->reader);
    s->request_heap = 0;
    request_count(s, 0);
}

/* Memory of unfinished requests is over its limit, and that of `s` has just grown. The newest
 * of the large ones goes, but not the only one: a limit on the sum is not one on the size. */
static void requests_make_room(struct session *s)
{
    struct server *server = s->server;
    struct session *newest = NULL, *older = server->unfinished.last;
    for (; older; older = older->links[LINK_UNFINISHED].prev) {
        if (older->request_bytes < REQUEST_SMALL_BYTES) continue;
        if (newest) break;
        newest = older;
    }
    if (older)
        request_give_up(newest);
    else if (!newest ||
             server->unfinished_bytes - newest->request_bytes > server->settings.request_memory)
        request_give_up(s);
}

/* `taken` bytes of a request have come that did not end it; they changed the heap. */
static void request_continue(struct session *s, size_t taken, size_t used_before)
{
    struct server *server = s->server;
    const struct builder *b = &s->intake->builder;
    if (rpc_reader_at_start(s->intake->reader)) return;
    if (!s->links[LINK_UNFINISHED].listed) {
        session_list_add(&server->unfinished, LINK_UNFINISHED, s);
        s->request_taken = 0;
        s->request_waits = 0;
        s->request_ms = uv_now(&server->loop);
    }
    s->request_taken += taken;
    size_t heap = s->request_heap + heap_used_bytes(server->heap);
    s->request_heap = heap > used_before ? heap - used_before : 0;
    request_count(s, s->request_heap + b->frame.count * sizeof(value) +
                         b->opened_capacity * sizeof(value) + b->ext_capacity);
    if (server->unfinished_bytes > server->settings.request_memory) requests_make_room(s);
}

/* --- calls -----------------------------------------------------------------------------------*/

/* The message has been dealt with: a safe point. */
static void message_end(struct session *s)
{
    builder_reset(&s->intake->builder);
    gc_safe_point(s->server->heap);
}

static enum task_outcome table_step(struct task *task, uint64_t budget_ns)
{
    struct server *server =
        (struct server *)(void *)((char *)task - offsetof(struct server, table_task));
    return tables_work(server->heap, budget_ns) ? TASK_MORE : TASK_DONE;
}

static void tables_start(struct server *server)
{
    if (server->table_task.queued || !tables_want_work(server->heap)) return;
    server->table_task = (struct task){.name = "tables", .step = table_step};
    tasks_start(&server->tasks, &server->table_task);
}

static void on_quiet_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;
    server_turn_begin(server);
    if (!tables_note_quiet(server->heap)) uv_timer_stop(timer);
    tables_start(server);
}

/* After a call that may have left tables something to seal or to compact, now or once they have
 * been quiet for a time. */
static void tables_wake(struct server *server, const struct call *call)
{
    if (call->method == NULL || !(call->method->flags & METHOD_WRITE) ||
        strncmp(call->method->name, "table.", 6) != 0)
        return;
    if (server->phase == SERVER_RUNNING && !uv_is_active((uv_handle_t *)&server->quiet_timer))
        uv_timer_start(&server->quiet_timer, on_quiet_timer, TABLE_QUIET_MS, TABLE_QUIET_MS);
    tables_start(server);
}

static void call_end(struct session *s, enum call_outcome outcome)
{
    struct server *server = s->server;
    const struct call *call = &s->intake->call;
    tables_wake(server, call);
    if (outcome == CALL_FAILED && call->wants_reply) server->counters.errors++;
    if (outcome == CALL_FAILED && call->error == ERROR_LIMIT &&
        server->host.reply_room < server->host.reply_bytes_max)
        server->room_wanted = true;
    message_end(s);
}

static enum task_outcome call_step(struct task *task, uint64_t budget_ns)
{
    struct session *s =
        (struct session *)(void *)((char *)task - offsetof(struct session, call_task));
    if (session_peer_has_gone(s)) {
        session_close(s);
        return TASK_DONE;
    }
    builder_touch(&s->intake->builder);
    enum call_outcome outcome = call_resume(&s->intake->call, budget_ns);
    if (outcome == CALL_PENDING) {
        gc_safe_point(s->server->heap);
        return TASK_MORE;
    }
    s->call_pending = false;
    call_end(s, outcome);
    intake_return(s->server, s->intake, true);
    s->intake = NULL;
    session_check_output(s);
    session_settle(s);
    return TASK_DONE;
}

void session_call_stop(struct session *s)
{
    tasks_stop(&s->server->tasks, &s->call_task);
    builder_touch(&s->intake->builder);
    call_abort(&s->intake->call);
    tables_wake(s->server, &s->intake->call); /* an index that was begun is to be taken back */
    s->call_pending = false;
}

static void call_run(struct session *s, const struct rpc_message *message)
{
    struct server *server = s->server;
    struct intake *intake = s->intake;
    struct call *call = &intake->call;
    if (message->type == RPC_REQUEST)
        server->counters.requests++;
    else
        server->counters.notifications++;
    call->host = &server->host;
    call->session = s;
    call->features = &s->features;
    call->refs = &s->refs;
    call->frame = &intake->builder.frame;
    call->args = intake->builder.frame.slots;
    call->arg_count = intake->builder.frame.count;
    call->packed_rows = intake->builder.packed_rows;
    enum call_outcome outcome = call_begin(call, message, &s->out);
    if (outcome != CALL_PENDING) {
        call_end(s, outcome);
        return;
    }
    s->call_pending = true;
    s->peer_ms = uv_now(&server->loop);
    s->call_task = (struct task){.name = call->method->name, .step = call_step};
    tasks_start(&server->tasks, &s->call_task);
}

/* --- messages ----------------------------------------------------------------------------------*/

static void faulty_message(struct session *s, const struct rpc_message *message)
{
    char text[160];
    snprintf(text, sizeof text, "not a MessagePack-RPC message: %s",
             rpc_fault_text(message->fault));
    bool silent = !message->has_msgid && message->type == RPC_NOTIFICATION &&
                  message->fault != RPC_FAULT_NOT_ARRAY && message->fault != RPC_FAULT_TYPE;
    if (!silent) session_write_error(s, message, ERROR_BAD_MESSAGE, text);
}

static void session_message(struct session *s)
{
    struct intake *intake = s->intake;
    const struct rpc_message *message = rpc_reader_message(intake->reader);
    s->turn_requests++;
    if (message->fault == RPC_FAULT_NONE && !intake->builder.failed &&
        message->type != RPC_RESPONSE) {
        call_run(s, message);
        return;
    }
    if (intake->builder.failed && intake->builder.error == ERROR_OUT_OF_MEMORY)
        keys_memory_short(&s->server->keys);
    if (message->fault != RPC_FAULT_NONE)
        faulty_message(s, message);
    else if (message->type == RPC_REQUEST)
        session_write_error(s, message, intake->builder.error, intake->builder.message);
    message_end(s); /* a response answers nothing that we asked: it is ignored */
}

/* The stream cannot be followed any more: says why, once, and ends. */
static void lose_stream(struct session *s, int status)
{
    static struct log_limit limit;
    const struct settings *settings = &s->server->settings;
    enum error_code code = ERROR_LIMIT;
    char text[160];
    switch (status) {
    case DECODER_MALFORMED:
        code = ERROR_BAD_MESSAGE;
        snprintf(text, sizeof text, "byte 0xc1 is not MessagePack; the connection ends");
        break;
    case DECODER_LIMIT_BYTES:
        snprintf(text, sizeof text, "the request is larger than the limit of %llu bytes "
                 "(request-bytes); the connection ends",
                 (unsigned long long)settings->request_bytes);
        break;
    case DECODER_LIMIT_ELEMENTS:
        snprintf(text, sizeof text, "the request has more than the limit of %llu items "
                 "(request-elements); the connection ends",
                 (unsigned long long)settings->request_elements);
        break;
    case DECODER_LIMIT_DEPTH:
        snprintf(text, sizeof text, "the request is nested deeper than the limit of %llu "
                 "(request-depth); the connection ends",
                 (unsigned long long)settings->request_depth);
        break;
    default:
        code = ERROR_INTERNAL;
        snprintf(text, sizeof text, "decoding failed (%d); the connection ends", status);
        break;
    }
    log_limited(&limit, LOG_LEVEL_INFO, "client %llu: %s", (unsigned long long)s->id, text);
    s->server->counters.dropped_malformed++;
    session_write_error(s, rpc_reader_message(s->intake->reader), code, text);
    intake_return(s->server, s->intake, false);
    s->intake = NULL;
    s->must_linger = true;
    session_drain(s);
}

/* Other protocols are told what this port speaks; HTTP in particular must not get any
 * further, or web pages could make browsers talk to a server on their own machine. */
static bool greet(struct session *s, const char *data)
{
    static struct log_limit limit;
    unsigned char first = (unsigned char)*data;
    s->greeted = true;
    if (first == 0x93 || first == 0x94 || first == 0xdc || first == 0xdd) return true;
    log_limited(&limit, LOG_LEVEL_INFO,
                "client %llu does not speak MessagePack-RPC (its first byte is 0x%02x)",
                (unsigned long long)s->id, first);
    s->server->counters.dropped_malformed++;
    session_write_error(s, NULL, ERROR_BAD_MESSAGE,
                        "this port speaks MessagePack-RPC, not HTTP, RESP or anything else: a "
                        "message is an array of 3 or 4, so it begins with byte 0x93, 0x94, 0xdc or "
                        "0xdd");
    s->must_linger = true;
    session_drain(s);
    return false;
}

bool session_turn_is_over(const struct session *s)
{
    const struct settings *settings = &s->server->settings;
    return s->turn == s->server->turn && (s->turn_requests >= settings->turn_requests ||
                                          s->turn_bytes >= settings->turn_bytes ||
                                          s->turn_spent_ns >= settings->turn_time * 1000000);
}

/* What has come of a long request is not to fail for want of the room that eviction would make. */
static bool waits_for_room(struct session *s, size_t length)
{
    if (!s->intake || !s->links[LINK_UNFINISHED].listed || s->intake->builder.failed ||
        s->request_heap < ROOM_REQUEST_BYTES)
        return false;
    if (!keys_wait_for_room(&s->server->keys, length + READ_BUFFER_BYTES, s->request_waits))
        return false;
    s->request_waits++;
    return true;
}

static bool may_run(const struct session *s)
{
    return s->state == SESSION_OPEN && !s->call_pending && !s->paused && !session_must_read(s) &&
           s->server->phase == SERVER_RUNNING && !session_turn_is_over(s);
}

size_t session_run(struct session *s, const char *data, size_t length)
{
    size_t used = 0;
    if (s->turn != s->server->turn) {
        s->turn = s->server->turn;
        s->turn_requests = s->turn_bytes = 0;
        s->turn_spent_ns = 0;
    }
    uint64_t start_ns = uv_hrtime() - s->turn_spent_ns;
    if (!s->greeted && !greet(s, data)) return length;
    output_borrow(s);
    keys_turn(&s->server->keys);
    keys_evict(&s->server->keys, EVICT_CALL_KEYS); /* what comes is built in the heap at once */
    while (used < length && may_run(s) && !waits_for_room(s, length - used)) {
        if (!s->intake) s->intake = intake_lend(s->server, s);
        if (!s->intake) {
            log_error("client %llu was dropped: no memory for a request",
                      (unsigned long long)s->id);
            session_close(s);
            return length;
        }
        size_t taken = 0;
        builder_touch(&s->intake->builder);
        size_t heap_before = heap_used_bytes(s->server->heap);
        int status = rpc_reader_feed(s->intake->reader, data + used, length - used, &taken);
        used += taken;
        s->turn_bytes += taken;
        if (status == DECODER_MORE)
            request_continue(s, taken, heap_before);
        else
            session_request_end(s);
        if (status == DECODER_DONE)
            session_message(s);
        else if (status != DECODER_MORE)
            lose_stream(s, status);
        s->turn_spent_ns = uv_hrtime() - start_ns;
        if (status == DECODER_MORE) break;
        if (s->state != SESSION_CLOSING) session_check_output(s);
    }
    if (s->intake && !s->call_pending && rpc_reader_at_start(s->intake->reader)) {
        intake_return(s->server, s->intake, true);
        s->intake = NULL;
    }
    return used;
}

/* --- reading -----------------------------------------------------------------------------------*/

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct session *s = (struct session *)handle;
    bool pass_over = s->state == SESSION_OPEN && server_turn_is_over(s->server);
    buffer->base = pass_over ? NULL : s->server->read_buffer;
    buffer->len = pass_over ? 0 : READ_BUFFER_BYTES;
}

static void keep_input(struct session *s, const char *data, size_t length)
{
    s->input = malloc(length);
    if (!s->input) {
        log_error("client %llu was dropped: no memory for its requests", (unsigned long long)s->id);
        session_close(s);
        return;
    }
    memcpy(s->input, data, length);
    s->input_used = 0;
    s->input_length = length;
}

static void on_bytes(struct session *s, const char *data, size_t length)
{
    struct server *server = s->server;
    server->counters.bytes_read += length;
    if (s->state == SESSION_LINGERING) {
        s->discarded += length;
        if (s->discarded > LINGER_BYTES_MAX) session_close(s);
        return;
    }
    s->active_ms = uv_now(&server->loop);
    session_list_remove(&server->sessions, LINK_ALL, s);
    session_list_add(&server->sessions, LINK_ALL, s);
    size_t used = session_run(s, data, length);
    if (used < length && s->state == SESSION_OPEN) keep_input(s, data + used, length - used);
    session_settle(s);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct session *s = (struct session *)stream;
    if (count == 0) return;
    server_turn_begin(s->server);
    if (count > 0) {
        on_bytes(s, buffer->base, (size_t)count);
    } else if (count == UV_ENOBUFS) { /* on_alloc gave none */
        s->passed_over = true;
        session_settle(s);
    } else if (count == UV_EOF && s->state == SESSION_OPEN) {
        s->ended = true;
        session_settle(s);
    } else {
        session_close(s);
    }
}

int session_read_start(struct session *s)
{
    return uv_read_start(&s->stream, on_alloc, on_read);
}

/* A session that was passed over reads by itself when its turn has come: if it went back to
 * the poll, those that come earlier there could have the time of every turn. */
static void read_now(struct session *s)
{
    int fd;
    s->passed_over = false;
    if (s->state != SESSION_OPEN || s->ended || uv_fileno(&s->handle, &fd) != 0) return;
    ssize_t count = read(fd, s->server->read_buffer, READ_BUFFER_BYTES);
    if (count > 0) {
        on_bytes(s, s->server->read_buffer, (size_t)count);
    } else if (count == 0) {
        s->ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        session_close(s);
    }
}

void session_take_turn(struct session *s)
{
    struct server *server = s->server;
    session_list_remove(&server->ready, LINK_READY, s);
    char *data = s->input;
    if (data) {
        /* Out of the session's hands while it runs: draining would free it. */
        size_t used = s->input_used, length = s->input_length;
        s->input = NULL;
        used += session_run(s, data + used, length - used);
        if (used < length && s->state == SESSION_OPEN) {
            s->input = data;
            s->input_used = used;
            s->input_length = length;
        } else {
            free(data);
        }
    } else if (s->passed_over) {
        read_now(s);
    }
    if (s->state != SESSION_CLOSING) session_settle(s);
}
