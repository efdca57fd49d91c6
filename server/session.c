/* session.c - the life of a connection: accepted, open, drained, closed; and the lists it is
 * on. session_read.c has its requests, session_write.c its replies. */
#include "server/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "server/clock.h"
#include "server/log.h"

/* --- lists --------------------------------------------------------------------------------*/

void session_list_add(struct session_list *list, enum session_link link, struct session *s)
{
    if (s->links[link].listed) return;
    s->links[link].listed = true;
    s->links[link].next = NULL;
    s->links[link].prev = list->last;
    if (list->last)
        list->last->links[link].next = s;
    else
        list->first = s;
    list->last = s;
    list->count++;
}

void session_list_remove(struct session_list *list, enum session_link link, struct session *s)
{
    if (!s->links[link].listed) return;
    struct session *prev = s->links[link].prev, *next = s->links[link].next;
    if (prev)
        prev->links[link].next = next;
    else
        list->first = next;
    if (next)
        next->links[link].prev = prev;
    else
        list->last = prev;
    s->links[link].listed = false;
    list->count--;
}

static void list_set(struct session_list *list, enum session_link link, struct session *s,
                     bool listed)
{
    if (listed)
        session_list_add(list, link, s);
    else
        session_list_remove(list, link, s);
}

/* --- the end --------------------------------------------------------------------------------*/

static void on_closed(uv_handle_t *handle)
{
    struct session *s = (struct session *)handle;
    struct server *server = s->server;
    session_list_remove(&server->sessions, LINK_ALL, s);
    server->refused -= s->refused;
    log_debug("client %llu is gone", (unsigned long long)s->id);
    free(s);
    server_session_ended(server);
}

static void input_drop(struct session *s)
{
    free(s->input);
    s->input = NULL;
    s->input_used = s->input_length = 0;
}

static void intake_drop(struct session *s)
{
    if (!s->intake) return;
    struct intake *intake = s->intake;
    s->intake = NULL;
    session_request_end(s);
    intake_return(s->server, intake, rpc_reader_at_start(intake->reader));
}

void session_close(struct session *s)
{
    if (s->state == SESSION_CLOSING) return;
    struct server *server = s->server;
    s->state = SESSION_CLOSING;
    s->reading = false;
    if (s->call_pending) session_call_stop(s);
    intake_drop(s);
    session_refs_close(server->heap, &s->refs);
    input_drop(s);
    writer_close(&s->out);
    session_account(s);
    session_list_remove(&server->ready, LINK_READY, s);
    session_list_remove(&server->timed, LINK_TIMED, s);
    uv_close(&s->handle, on_closed);
}

void session_drain(struct session *s)
{
    if (s->state != SESSION_OPEN) return;
    s->state = SESSION_DRAINING;
    input_drop(s);
    if (!s->call_pending) intake_drop(s);
    session_settle(s);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request; /* the peer's own end, or the clock, closes the session */
    (void)status;
}

static bool has_unread(struct session *s)
{
    int fd, unread = 0;
    return uv_fileno(&s->handle, &fd) == 0 && ioctl(fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* Everything has left. If the peer may still be sending, a close would reset the connection
 * and could take the last replies with it: so the peer gets an end of stream first. */
static void session_finish(struct session *s)
{
    if (s->ended || !(s->must_linger || has_unread(s)) ||
        uv_shutdown(&s->shutdown, &s->stream, on_shutdown) != 0) {
        session_close(s);
        return;
    }
    s->state = SESSION_LINGERING;
    s->progress_ms = uv_now(&s->server->loop);
}

/* --- what comes next -----------------------------------------------------------------------*/

void session_settle(struct session *s)
{
    struct server *server = s->server;
    session_flush(s);
    if (s->state == SESSION_CLOSING) return;
    session_account(s);
    size_t pending = session_pending_bytes(s);
    if (s->paused && pending <= server->settings.pending_reply_pause / 2) s->paused = false;
    bool may_run = s->state == SESSION_OPEN && !s->call_pending && !s->paused &&
                   !session_must_read(s);
    if (may_run && s->ended && !s->input) {
        session_drain(s); /* comes back here */
        return;
    }
    if (s->state == SESSION_DRAINING && pending == 0 && !s->call_pending) {
        session_finish(s);
        if (s->state == SESSION_CLOSING) return;
    }
    bool ready = may_run && (s->input || s->passed_over || session_turn_is_over(s));
    bool reading =
        s->state == SESSION_LINGERING || (may_run && !ready && !s->ended);
    list_set(&server->ready, LINK_READY, s, ready);
    list_set(&server->timed, LINK_TIMED, s,
             s->write_busy || s->state == SESSION_LINGERING || s->refs.cursors.count > 0);
    if (reading == s->reading) return;
    s->reading = reading;
    if (!reading)
        uv_read_stop(&s->stream);
    else if (session_read_start(s) != 0)
        session_close(s);
}

/* --- the beginning ---------------------------------------------------------------------------*/

static void session_refuse(struct session *s)
{
    static struct log_limit limit;
    struct server *server = s->server;
    server->counters.connections_refused++;
    log_limited(&limit, LOG_LEVEL_WARN, "a client was refused: %llu are connected (clients)",
                (unsigned long long)server->settings.clients);
    s->refused = true;
    if (server->refused++ >= REFUSED_MAX) {
        session_close(s);
        return;
    }
    char text[120];
    snprintf(text, sizeof text, "the server has as many clients as it may (clients: %llu)",
             (unsigned long long)server->settings.clients);
    session_write_error(s, NULL, ERROR_LIMIT, text);
    s->must_linger = true;
    session_drain(s);
}

static struct session *session_create(struct server *server)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->server = server;
    s->id = ++server->next_session_id;
    s->active_ms = uv_now(&server->loop);
    writer_init(&s->out, 0);
    writer_init(&s->written, 0);
    session_list_add(&server->sessions, LINK_ALL, s);
    server->counters.connections++;
    return s;
}

/* `result`: whether it got its connection. */
static void session_begin(struct session *s, int result, const char *transport)
{
    struct server *server = s->server;
    if (result != 0) {
        log_warn("a client could not be accepted: %s", uv_strerror(result));
        session_close(s);
        return;
    }
    log_debug("client %llu is here, over %s", (unsigned long long)s->id, transport);
    if (server->sessions.count - server->refused > server->settings.clients)
        session_refuse(s);
    else
        session_settle(s);
}

void session_accept(struct server *server, struct listener *listener, bool is_tcp)
{
    struct session *s = session_create(server);
    listener->waiting = !s;
    if (!s) {
        log_error("no memory for a new client; trying again in a second");
        return;
    }
    int result = is_tcp ? uv_tcp_init(&server->loop, &s->tcp)
                        : uv_pipe_init(&server->loop, &s->pipe, 0);
    if (result == 0) result = uv_accept(&listener->stream, &s->stream);
    if (result == 0 && is_tcp) {
        uv_tcp_nodelay(&s->tcp, 1);
        uv_tcp_keepalive(&s->tcp, 1, 60);
    }
    session_begin(s, result, is_tcp ? "TCP" : "Unix");
}

int session_adopt(struct server *server, int fd)
{
    struct session *s = session_create(server);
    if (!s) return -ENOMEM;
    uv_pipe_init(&server->loop, &s->pipe, 0);
    int result = uv_pipe_open(&s->pipe, fd);
    session_begin(s, result, "a descriptor");
    return result;
}

/* --- deadlines --------------------------------------------------------------------------------*/

static void check_pending_replies(struct session *s, uint64_t now_ms)
{
    static struct log_limit limit;
    struct server *server = s->server;
    size_t left = uv_stream_get_write_queue_size(&s->stream);
    uint64_t allowed_ms = server->settings.pending_reply_time;
    uint64_t wanted = allowed_ms * READING_RATE_MIN / 1000;
    size_t taken = s->write_left - left;
    if (taken > 0 && taken >= wanted) {
        s->write_left = left;
        s->progress_ms = now_ms;
    }
    if (!allowed_ms || now_ms - s->progress_ms <= allowed_ms) return;
    log_limited(&limit, LOG_LEVEL_WARN,
                "client %llu was dropped: it read %zu bytes of replies in %llu ms, and %zu wait "
                "(pending-reply-time)",
                (unsigned long long)s->id, taken, (unsigned long long)(now_ms - s->progress_ms),
                session_pending_bytes(s));
    server->counters.dropped_slow++;
    session_close(s);
}

static void check_unfinished(struct server *server, uint64_t now_ms)
{
    static struct log_limit limit;
    uint64_t allowed_ms = server->settings.request_time;
    struct session *next;
    for (struct session *s = server->unfinished.first; s; s = next) {
        next = s->links[LINK_UNFINISHED].next;
        if (!s->reading || s->request_taken >= allowed_ms * SENDING_RATE_MIN / 1000) {
            s->request_taken = 0;
            s->request_ms = now_ms;
        }
        if (!allowed_ms || now_ms - s->request_ms <= allowed_ms || s->state != SESSION_OPEN)
            continue;
        char text[160];
        snprintf(text, sizeof text, "the request did not go on: %zu bytes of it came in %llu ms "
                 "(request-time); the connection ends",
                 s->request_taken, (unsigned long long)(now_ms - s->request_ms));
        log_limited(&limit, LOG_LEVEL_INFO, "client %llu: %s", (unsigned long long)s->id, text);
        server->counters.dropped_slow++;
        session_write_error(s, rpc_reader_message(s->intake->reader), ERROR_LIMIT, text);
        s->must_linger = true;
        session_drain(s);
    }
}

/* The list of all sessions begins with the one that has been idle longest. */
static void check_idle(struct server *server, uint64_t now_ms)
{
    uint64_t allowed_ms = server->settings.idle_time;
    struct session *next;
    for (struct session *s = server->sessions.first; s; s = next) {
        next = s->links[LINK_ALL].next;
        if (now_ms - s->active_ms <= allowed_ms) return;
        if (s->state != SESSION_OPEN || s->call_pending || s->write_busy) continue;
        log_debug("client %llu was dropped: idle for %llu ms (idle-time)",
                  (unsigned long long)s->id, (unsigned long long)(now_ms - s->active_ms));
        server->counters.dropped_idle++;
        session_drain(s);
    }
}

void session_check_deadlines(struct server *server)
{
    uint64_t now_ms = uv_now(&server->loop);
    struct session *next;
    for (struct session *s = server->timed.first; s; s = next) {
        next = s->links[LINK_TIMED].next;
        if (!s->call_pending)
            table_cursors_expire(&s->refs.cursors, clock_ns(), server->host.cursor_idle_ns);
        if (s->write_busy && s->state != SESSION_CLOSING) check_pending_replies(s, now_ms);
        if (s->state == SESSION_LINGERING && now_ms - s->progress_ms > LINGER_MS)
            session_close(s);
    }
    check_unfinished(server, now_ms);
    if (server->settings.idle_time) check_idle(server, now_ms);
}
