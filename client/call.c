/* call.c - requests out, replies in.
 *
 * The happy path: cairn_send writes a request behind those that wait in `out`; cairn_receive
 * sends them all, decodes what has come in, and reads more until the next reply is
 * complete. Replies come in the order of the requests, and carry their numbers.
 *
 * Failure modes. A peer that reads nothing while it writes: whoever sends also takes in what
 * comes, so that neither side waits for the other. A peer that does not go on: every wait
 * has a limit, after which all is left as it is and can be waited for again. A peer that
 * closes: what it had sent before is still handed over, then the connection is reported
 * as lost. A peer that sends nonsense: the connection is ended at once. */
#include "client/cairn_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES ((size_t)64 << 10)
/* So many bytes of queued requests are worth a write. */
#define SEND_BYTES ((size_t)256 << 10)

/* --- input ------------------------------------------------------------------------------*/

/* Makes room for READ_BYTES behind in_end. */
static bool in_reserve(struct cairn *c)
{
    if (c->in_start == c->in_end) c->in_start = c->in_end = 0;
    if (c->in_capacity - c->in_end >= READ_BYTES) return true;
    if (c->in_start > 0) {
        memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
        c->in_end -= c->in_start;
        c->in_start = 0;
        if (c->in_capacity - c->in_end >= READ_BYTES) return true;
    }
    size_t capacity = c->in_capacity ? c->in_capacity * 2 : READ_BYTES;
    char *in = realloc(c->in, capacity);
    if (!in) return false;
    c->in = in;
    c->in_capacity = capacity;
    return true;
}

static enum cairn_status lost(struct cairn *c)
{
    c->is_lost = true;
    bool within = c->reader && !rpc_reader_at_start(c->reader);
    return cairn_fail(c, CAIRN_CLOSED, "the server closed the connection%s (%zu %s awaited)",
                      within ? " in the middle of a reply" : "", c->pending,
                      c->pending == 1 ? "reply was" : "replies were");
}

/* Takes in what is there. CAIRN_OK if that was something or nothing yet. */
static enum cairn_status in_read(struct cairn *c)
{
    if (!in_reserve(c)) return cairn_fail(c, CAIRN_NO_MEMORY, "out of memory for a reply");
    ssize_t count = recv(c->descriptor, c->in + c->in_end, c->in_capacity - c->in_end, 0);
    if (count > 0) {
        c->in_end += (size_t)count;
        return CAIRN_OK;
    }
    if (count == 0) return lost(c);
    if (errno == EAGAIN || errno == EINTR) return CAIRN_OK;
    if (errno == ECONNRESET || errno == EPIPE) return lost(c);
    c->is_lost = true;
    return cairn_fail_errno(c, CAIRN_CLOSED, "cannot read from the server");
}

static enum cairn_status timeout(struct cairn *c, const char *what)
{
    return cairn_fail(c, CAIRN_TIMEOUT, "the server %s for %.3g seconds", what,
                      c->call_ms / 1000.0);
}

/* --- output -----------------------------------------------------------------------------*/

static enum cairn_status unconnected(struct cairn *c)
{
    if (c->is_lost) return cairn_fail(c, CAIRN_CLOSED, "the connection was lost earlier");
    return cairn_fail(c, CAIRN_NO_CONNECTION, "there is no connection");
}

/* Waits until sending can go on, taking in replies meanwhile. */
static enum cairn_status out_wait(struct cairn *c)
{
    int ready = cairn_wait_server(c, POLLIN | POLLOUT);
    if (ready < 0) return cairn_fail_errno(c, CAIRN_CLOSED, "cannot wait for the server");
    if (ready == 0) return timeout(c, "took no requests");
    if (ready & POLLOUT && !(ready & POLLIN)) return CAIRN_OK;
    if (c->in_end - c->in_start > c->limits.bytes_max)
        return cairn_fail(c, CAIRN_LIMIT,
                          "more than %zu bytes of replies wait unread; receive before sending more",
                          c->limits.bytes_max);
    return in_read(c);
}

enum cairn_status cairn_flush(struct cairn *c)
{
    if (!cairn_is_connected(c)) return unconnected(c);
    while (c->out_sent < c->out.length) {
        ssize_t count = send(c->descriptor, c->out.data + c->out_sent,
                             c->out.length - c->out_sent, MSG_NOSIGNAL);
        if (count >= 0) {
            c->out_sent += (size_t)count;
        } else if (errno == EAGAIN) {
            enum cairn_status status = out_wait(c);
            if (status != CAIRN_OK) return status;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return lost(c);
        } else if (errno != EINTR) {
            c->is_lost = true;
            return cairn_fail_errno(c, CAIRN_CLOSED, "cannot send to the server");
        }
    }
    c->out_sent = 0;
    writer_rewind(&c->out, 0);
    return cairn_succeed(c);
}

enum cairn_status cairn_send(struct cairn *c, const char *method, const struct cairn_args *args)
{
    size_t length = 0;
    const char *bytes = args ? cairn_args_bytes(args, &length) : "";
    enum cairn_status status = args ? cairn_args_status(args) : CAIRN_OK;
    if (!cairn_is_connected(c)) return unconnected(c);
    if (status != CAIRN_OK)
        return cairn_fail(c, status, "the parameters of %.64s cannot be sent: %s", method,
                          cairn_status_text(status));
    size_t mark = c->out.length;
    writer_request(&c->out, c->msgid_next, method, args ? cairn_args_count(args) : 0);
    writer_bytes(&c->out, bytes, length);
    if (c->out.error != WRITER_OK) {
        status = c->out.error == WRITER_LIMIT ? CAIRN_LIMIT : CAIRN_NO_MEMORY;
        writer_rewind(&c->out, mark);
        return cairn_fail(c, status, "a request of %zu bytes: %s", length,
                          cairn_status_text(status));
    }
    c->msgid_next++;
    c->pending++;
    if (c->out.length - c->out_sent < SEND_BYTES) return cairn_succeed(c);
    return cairn_flush(c);
}

size_t cairn_pending(const struct cairn *c)
{
    return c->pending;
}

/* --- replies ----------------------------------------------------------------------------*/

/* Ends the connection, keeping the error. */
static enum cairn_status give_up(struct cairn *c, enum cairn_status status)
{
    cairn_disconnect(c);
    return status;
}

static enum cairn_status decode_failed(struct cairn *c, int error)
{
    switch (error) {
    case DECODER_LIMIT_BYTES:
        cairn_fail(c, CAIRN_LIMIT, "a reply of more than %zu bytes", c->limits.bytes_max);
        break;
    case DECODER_LIMIT_ELEMENTS:
        cairn_fail(c, CAIRN_LIMIT, "a reply of more than %zu values", c->limits.elements_max);
        break;
    case DECODER_LIMIT_DEPTH:
        cairn_fail(c, CAIRN_LIMIT, "a reply nested more than %u deep", c->limits.depth_max);
        break;
    case REPLY_NO_MEMORY:
        cairn_fail(c, CAIRN_NO_MEMORY, "out of memory for a reply");
        break;
    default:
        cairn_fail(c, CAIRN_PROTOCOL,
                   "the peer's answer is not MessagePack; is it a Cairn server?");
    }
    return give_up(c, c->status);
}

/* Keeps the server's error: "CODE message", or {code, message}, or whatever it may be. */
static void error_keep(struct cairn *c, const struct cairn_value *error)
{
    const char *code = cairn_text(cairn_field(error, "code"), NULL);
    const char *message = cairn_text(cairn_field(error, "message"), NULL);
    const char *text = cairn_text(error, NULL);
    c->status = CAIRN_SERVER;
    if (code && message) {
        snprintf(c->text, sizeof c->text, "%s %s", code, message);
    } else if (text) {
        snprintf(c->text, sizeof c->text, "%s", text);
    } else {
        snprintf(c->text, sizeof c->text, "an error that is no text but of type %s",
                 cairn_type_name(cairn_type(error)));
    }
    size_t length = strspn(c->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    bool has_code = length > 0 && length < sizeof c->code &&
                    (c->text[length] == ' ' || c->text[length] == 0);
    snprintf(c->code, sizeof c->code, "%.*s", has_code ? (int)length : 6,
             has_code ? c->text : "SERVER");
    c->message = c->text + (has_code ? length + (c->text[length] == ' ') : 0);
}

/* A whole message has been read. *is_reply is false if it was one to be passed over. */
static enum cairn_status message_done(struct cairn *c, struct cairn_reply **reply, bool *is_reply)
{
    const struct rpc_message *message = rpc_reader_message(c->reader);
    *is_reply = message->fault != RPC_FAULT_NONE || message->type == RPC_RESPONSE;
    if (message->fault != RPC_FAULT_NONE) {
        cairn_fail(c, CAIRN_PROTOCOL, "the peer's answer is not MessagePack-RPC: %s",
                   rpc_fault_text(message->fault));
        return give_up(c, CAIRN_PROTOCOL);
    }
    if (!*is_reply) return CAIRN_OK;
    if (message->msgid != c->msgid_awaited) {
        cairn_fail(c, CAIRN_PROTOCOL, "a reply to request %u came instead of one to %u",
                   message->msgid, c->msgid_awaited);
        return give_up(c, CAIRN_PROTOCOL);
    }
    c->msgid_awaited++;
    c->pending--;
    struct cairn_reply *built = reply_builder_take(&c->builder);
    bool is_error = cairn_type(&built->root[0]) != CAIRN_NIL;
    if (is_error)
        error_keep(c, &built->root[0]);
    else
        cairn_succeed(c);
    if (is_error || !reply)
        cairn_reply_destroy(built);
    else
        *reply = built;
    return c->status;
}

/* Waits for more bytes. */
static enum cairn_status in_wait(struct cairn *c)
{
    int ready = cairn_wait_server(c, POLLIN);
    if (ready < 0) return cairn_fail_errno(c, CAIRN_CLOSED, "cannot wait for the server");
    if (ready == 0) return timeout(c, "sent no answer");
    return in_read(c);
}

/* Decodes what has come in, up to the end of a reply. *is_reply tells whether there was one. */
static enum cairn_status in_decode(struct cairn *c, struct cairn_reply **reply, bool *is_reply)
{
    *is_reply = false;
    while (c->in_start < c->in_end) {
        size_t used = 0;
        int result = rpc_reader_feed(c->reader, c->in + c->in_start, c->in_end - c->in_start,
                                     &used);
        c->in_start += used;
        if (result < 0) return decode_failed(c, result);
        if (result == DECODER_MORE) break;
        enum cairn_status status = message_done(c, reply, is_reply);
        if (*is_reply || status != CAIRN_OK) return status;
    }
    return CAIRN_OK;
}

enum cairn_status cairn_receive(struct cairn *c, struct cairn_reply **reply)
{
    if (reply) *reply = NULL;
    if (c->descriptor < 0) return unconnected(c);
    if (c->pending == 0) return cairn_fail(c, CAIRN_MISUSE, "no reply is awaited");
    for (;;) {
        bool is_reply;
        enum cairn_status status = in_decode(c, reply, &is_reply);
        if (is_reply || status != CAIRN_OK) return status;
        if (c->out.length > c->out_sent && !c->is_lost) {
            /* CLOSED and LIMIT do not keep from reading what has come. */
            status = cairn_flush(c);
            if (status == CAIRN_TIMEOUT || status == CAIRN_NO_MEMORY) return status;
            if (c->in_start < c->in_end) continue;
        }
        status = in_wait(c);
        if (status == CAIRN_TIMEOUT) return status;
        if (status != CAIRN_OK) return give_up(c, status);
    }
}

enum cairn_status cairn_call(struct cairn *c, const char *method, const struct cairn_args *args,
                             struct cairn_reply **reply)
{
    if (reply) *reply = NULL;
    if (c->pending > 0)
        return cairn_fail(c, CAIRN_MISUSE, "%zu replies are still awaited; receive them first",
                          c->pending);
    enum cairn_status status = cairn_send(c, method, args);
    /* A peer that refuses a long request may have answered before it closed. */
    bool is_sent = status == CAIRN_OK || (status == CAIRN_CLOSED && c->pending > 0);
    return is_sent ? cairn_receive(c, reply) : status;
}
