/* session_write.c - replies on their way out.
 *
 * Replies gather in `out`. A flush tries to write them at once, which nearly always takes
 * all; what the system does not take moves to `written` and leaves by and by, while `out`
 * gathers again. So at most one write of a session is under way, and whatever gathered
 * meanwhile leaves in one next write. */
#include "server/session.h"

#include <stdlib.h>
#include <string.h>

#include "server/log.h"

/* More than a socket takes at once; and libuv counts in int. */
#define TRY_BYTES_MAX ((size_t)4 << 20)
/* Larger buffers are not kept as a spare. */
#define SPARE_BYTES_MAX ((size_t)256 << 10)

size_t session_pending_bytes(const struct session *s)
{
    return s->out.length + (s->write_busy ? uv_stream_get_write_queue_size(&s->stream) : 0);
}

void session_account(struct session *s)
{
    struct server *server = s->server;
    size_t held = s->out.capacity + (s->input ? s->input_length : 0) +
                  (s->write_busy && s->state != SESSION_CLOSING ? s->written.capacity : 0);
    server->held_bytes += held - s->held_bytes;
    s->held_bytes = held;
    uint64_t memory = server->settings.reply_memory;
    uint64_t room = server->held_bytes < memory ? memory - server->held_bytes : 0;
    server->host.reply_room = room > REPLY_ROOM_MIN ? room : REPLY_ROOM_MIN;
}

bool session_must_read(const struct session *s)
{
    uint64_t memory = s->server->settings.reply_memory;
    return s->server->held_bytes > memory - memory / 4 && session_pending_bytes(s) > 0;
}

/* The one that has left the most unread for the longest time, the product of both deciding. */
static struct session *slowest_reader(const struct server *server, uint64_t now_ms)
{
    struct session *slowest = NULL;
    uint64_t most = 0;
    for (struct session *s = server->timed.first; s; s = s->links[LINK_TIMED].next) {
        uint64_t weight = s->write_busy ? s->held_bytes * (now_ms - s->write_ms + 1) : 0;
        if (weight <= most) continue;
        most = weight;
        slowest = s;
    }
    return slowest;
}

void session_make_room(struct server *server)
{
    static struct log_limit limit;
    uint64_t memory = server->settings.reply_memory, now_ms = uv_now(&server->loop);
    bool over = server->held_bytes > memory, wanted = server->room_wanted;
    server->room_wanted = false;
    if (!over && !wanted) return;
    struct session *s = slowest_reader(server, now_ms);
    if (!s || (!over && now_ms - s->write_ms < ROOM_GRACE_MS)) return;
    log_limited(&limit, LOG_LEVEL_WARN,
                "client %llu was dropped: %zu bytes of replies wait for it to read since %llu ms, "
                "and others need the memory (reply-memory: %llu)",
                (unsigned long long)s->id, session_pending_bytes(s),
                (unsigned long long)(now_ms - s->write_ms), (unsigned long long)memory);
    server->counters.dropped_slow++;
    session_close(s);
}

void output_borrow(struct session *s)
{
    struct writer *spare = &s->server->spare_output;
    if (s->out.data || !spare->data) return;
    s->out.data = spare->data;
    s->out.capacity = spare->capacity;
    writer_init(spare, 0);
}

/* Empties `w`; its buffer becomes the spare one if there is none. */
static void output_give_back(struct server *server, struct writer *w)
{
    if (!server->spare_output.data && w->data && w->capacity <= SPARE_BYTES_MAX) {
        server->spare_output.data = w->data;
        server->spare_output.capacity = w->capacity;
    } else {
        writer_close(w);
    }
    writer_init(w, 0);
}

static void on_written(uv_write_t *request, int status)
{
    struct session *s = request->data;
    s->write_busy = false;
    output_give_back(s->server, &s->written);
    if (s->state == SESSION_CLOSING) return;
    if (status < 0) {
        log_debug("client %llu: %s", (unsigned long long)s->id, uv_strerror(status));
        session_close(s);
        return;
    }
    server_turn_begin(s->server);
    session_settle(s);
}

/* What uv_try_write did not take of `out`. */
static void write_rest(struct session *s, size_t sent)
{
    s->written = s->out;
    writer_init(&s->out, 0);
    if (s->written.capacity - s->written.length > OUTPUT_FLUSH_BYTES) {
        char *fitting = realloc(s->written.data, s->written.length);
        if (fitting) {
            s->written.data = fitting;
            s->written.capacity = s->written.length;
        }
    }
    uv_buf_t rest = {.base = s->written.data + sent, .len = s->written.length - sent};
    s->write.data = s;
    int result = uv_write(&s->write, &s->stream, &rest, 1, on_written);
    if (result != 0) {
        writer_close(&s->written);
        session_close(s);
        return;
    }
    s->write_busy = true;
    s->write_left = uv_stream_get_write_queue_size(&s->stream);
    s->write_ms = s->progress_ms = uv_now(&s->server->loop);
}

void session_flush(struct session *s)
{
    if (s->state == SESSION_CLOSING || s->write_busy || s->out.length == 0) return;
    uv_buf_t buffer = {.base = s->out.data, .len = s->out.length};
    if (buffer.len > TRY_BYTES_MAX) buffer.len = TRY_BYTES_MAX;
    int sent = uv_try_write(&s->stream, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        log_debug("client %llu: %s", (unsigned long long)s->id, uv_strerror(sent));
        session_close(s);
        return;
    }
    s->server->counters.bytes_written += s->out.length;
    if (sent < 0) sent = 0;
    if ((size_t)sent == s->out.length)
        output_give_back(s->server, &s->out);
    else
        write_rest(s, (size_t)sent);
}

void session_check_output(struct session *s)
{
    static struct log_limit limit;
    const struct settings *settings = &s->server->settings;
    if (s->out.error != WRITER_OK) {
        log_error("client %llu was dropped: no memory for a reply", (unsigned long long)s->id);
        session_close(s);
        return;
    }
    if (s->out.length >= OUTPUT_FLUSH_BYTES) session_flush(s);
    if (s->state == SESSION_CLOSING) return;
    session_account(s);
    size_t pending = session_pending_bytes(s);
    if (pending >= settings->pending_reply_pause) s->paused = true;
    if (pending <= settings->pending_reply_bytes) return;
    session_flush(s);
    if (s->state == SESSION_CLOSING) return;
    pending = session_pending_bytes(s);
    if (pending <= settings->pending_reply_bytes) return;
    log_limited(&limit, LOG_LEVEL_WARN,
                "client %llu was dropped: %zu bytes of replies wait for it to read "
                "(pending-reply-bytes: %llu)",
                (unsigned long long)s->id, pending,
                (unsigned long long)settings->pending_reply_bytes);
    s->server->counters.dropped_slow++;
    session_close(s);
}

/* [1, nil, error, nil]: for what has no msgid. */
static void write_error_without_msgid(struct session *s, enum error_code code, const char *text)
{
    struct writer *w = &s->out;
    const char *name = error_code_name(code);
    writer_array(w, 4);
    writer_int(w, RPC_RESPONSE);
    writer_nil(w);
    if (s->features.structured_errors) {
        writer_map(w, 2);
        writer_cstr(w, "code");
        writer_cstr(w, name);
        writer_cstr(w, "message");
        writer_cstr(w, text);
    } else {
        size_t name_length = strlen(name), text_length = strlen(text);
        writer_str_header(w, name_length + 1 + text_length);
        writer_bytes(w, name, name_length);
        writer_bytes(w, " ", 1);
        writer_bytes(w, text, text_length);
    }
    writer_nil(w);
}

void session_write_error(struct session *s, const struct rpc_message *message,
                         enum error_code code, const char *text)
{
    output_borrow(s);
    s->server->counters.errors++;
    if (message && message->has_msgid)
        call_write_error(&s->out, message->msgid, &s->features, code, text);
    else
        write_error_without_msgid(s, code, text);
}
