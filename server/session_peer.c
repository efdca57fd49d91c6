/* session_peer.c - whether anybody still waits for the answer of a call that runs.
 *
 * A session does not read while a call is pending: what the client sends meanwhile stays with the
 * system, whose buffers are bounded and push back. So the session does not read its end either, and
 * looks for it instead, every PEER_CHECK_MS between two steps of the call. A client that has gone
 * has its session closed; the call is aborted, and nobody waits for it in line.
 *
 * What the system knows of the client:
 *
 *     error or hang-up        it has reset the connection, or closed a Unix socket: gone
 *     end of stream           it has closed its own direction and waits for the answers
 *                             (printf ... | nc), or, over TCP, it has gone: either is sent as FIN,
 *                             and nothing that the client sends will ever tell which
 *     something to read       later requests; there may be an end of stream behind them
 *     none of these           it is there
 *
 * In the two cases in the middle the client is asked: with the first byte of the answer, which is
 * the same for every answer. A client that waits finds the rest behind it in time. The system of
 * one that has gone answers it with a reset, which is the first case next time. One byte is enough:
 * later ones would find out only about a client that goes after it has taken that and closed its
 * direction; and this the keepalive of TCP does.
 *
 * A notification asks for no answer, so nobody is missed while it runs. */
#include "server/session.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "server/log.h"

enum peer { PEER_THERE, PEER_SILENT, PEER_GONE };

static enum peer peer_look(int fd)
{
    struct pollfd events = {.fd = fd};
    char byte;
    if (poll(&events, 1, 0) > 0 && events.revents & (POLLERR | POLLHUP)) return PEER_GONE;
    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) return PEER_SILENT;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? PEER_THERE : PEER_GONE;
}

/* Sends the first byte of the answer, once, unless earlier replies are on their way, which do as
 * well. False if the client has gone. */
static bool peer_ask(struct session *s)
{
    struct call *call = &s->intake->call;
    char first = (char)RPC_RESPONSE_FIRST_BYTE;
    if (call->answer_begun || s->write_busy || s->out.length > 0) return true;
    uv_buf_t buffer = {.base = &first, .len = 1};
    int sent = uv_try_write(&s->stream, &buffer, 1);
    call->answer_begun = sent == 1;
    s->server->counters.bytes_written += sent == 1;
    return sent == 1 || sent == UV_EAGAIN;
}

bool session_peer_has_gone(struct session *s)
{
    uint64_t now_ms = uv_now(&s->server->loop);
    int fd;
    if (!s->intake->call.wants_reply || now_ms - s->peer_ms < PEER_CHECK_MS) return false;
    s->peer_ms = now_ms;
    if (uv_fileno(&s->handle, &fd) != 0) return false;
    enum peer peer = peer_look(fd);
    bool gone = peer == PEER_GONE || (peer == PEER_SILENT && !peer_ask(s));
    if (gone) log_debug("client %llu is gone; its call ends", (unsigned long long)s->id);
    return gone;
}
