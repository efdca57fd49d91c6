/* connection.c - making and ending a connection, and how errors are kept.
 *
 * Sockets are non-blocking, and every wait is a poll with a limit, so that a server that
 * hangs never hangs its client for longer than asked for. */
#include "client/cairn_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#define CONNECT_MS_DEFAULT 5000
#define CALL_MS_DEFAULT 30000
/* How often cairn_waiting_set's function is called. */
#define WAITING_MS 100u

struct cairn *cairn_create(void)
{
    struct cairn *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->descriptor = -1;
    c->connect_ms = CONNECT_MS_DEFAULT;
    c->call_ms = CALL_MS_DEFAULT;
    c->message = c->text;
    cairn_limits_set(c, CAIRN_REPLY_BYTES_MAX, CAIRN_REPLY_VALUES_MAX, CAIRN_REPLY_DEPTH_MAX);
    writer_init(&c->out, CAIRN_REQUEST_BYTES_MAX);
    return c;
}

void cairn_destroy(struct cairn *c)
{
    if (!c) return;
    cairn_disconnect(c);
    writer_close(&c->out);
    free(c->in);
    free(c);
}

void cairn_timeouts_set(struct cairn *c, unsigned connect_ms, unsigned call_ms)
{
    c->connect_ms = connect_ms;
    c->call_ms = call_ms;
}

void cairn_waiting_set(struct cairn *c, void (*waiting)(void *data, unsigned ms), void *data)
{
    c->waiting = waiting;
    c->waiting_data = data;
}

void cairn_limits_set(struct cairn *c, size_t bytes_max, size_t values_max, unsigned depth_max)
{
    c->limits = (struct decoder_limits){
        .bytes_max = bytes_max,
        .elements_max = values_max,
        .depth_max = depth_max < CAIRN_DEPTH_MAX ? depth_max : CAIRN_DEPTH_MAX};
}

bool cairn_is_connected(const struct cairn *c)
{
    return c->descriptor >= 0 && !c->is_lost;
}

int cairn_descriptor(const struct cairn *c)
{
    return c->descriptor;
}

void cairn_disconnect(struct cairn *c)
{
    if (c->descriptor >= 0) close(c->descriptor);
    c->descriptor = -1;
    c->is_lost = false;
    c->pending = 0;
    c->in_start = c->in_end = 0;
    c->out_sent = 0;
    writer_rewind(&c->out, 0);
    if (c->reader) rpc_reader_destroy(c->reader);
    c->reader = NULL;
    reply_builder_close(&c->builder);
}

/* --- errors -----------------------------------------------------------------------------*/

const char *cairn_status_name(enum cairn_status status)
{
    switch (status) {
#define X(name, number, meaning) case CAIRN_##name: return #name;
        CAIRN_STATUSES(X)
#undef X
    }
    return "UNKNOWN";
}

const char *cairn_status_text(enum cairn_status status)
{
    switch (status) {
#define X(name, number, meaning) case CAIRN_##name: return meaning;
        CAIRN_STATUSES(X)
#undef X
    }
    return "an unknown status";
}

const char *cairn_version(void)
{
    return PACKAGE_VERSION;
}

enum cairn_status cairn_status(const struct cairn *c)
{
    return c->status;
}

const char *cairn_error_text(const struct cairn *c)
{
    return c->text;
}

const char *cairn_error_code(const struct cairn *c)
{
    return c->code;
}

const char *cairn_error_message(const struct cairn *c)
{
    return c->message;
}

enum cairn_status cairn_succeed(struct cairn *c)
{
    c->status = CAIRN_OK;
    c->code[0] = c->text[0] = 0;
    c->message = c->text;
    return CAIRN_OK;
}

enum cairn_status cairn_fail(struct cairn *c, enum cairn_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->text, sizeof c->text, format, args);
    va_end(args);
    snprintf(c->code, sizeof c->code, "%s", cairn_status_name(status));
    c->message = c->text;
    c->status = status;
    return status;
}

enum cairn_status cairn_fail_errno(struct cairn *c, enum cairn_status status, const char *what)
{
    return cairn_fail(c, status, "%s: %s", what, strerror(errno));
}

/* --- waiting ----------------------------------------------------------------------------*/

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int cairn_wait(int descriptor, short events, unsigned timeout_ms)
{
    struct pollfd ready = {.fd = descriptor, .events = events};
    int64_t end = clock_ms() + timeout_ms;
    for (;;) {
        int64_t left = timeout_ms == 0 ? -1 : end - clock_ms();
        if (timeout_ms != 0 && left < 0) left = 0;
        int count = poll(&ready, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (count > 0) return ready.revents;
        if (count == 0) return 0;
        if (errno != EINTR) return -1;
    }
}

int cairn_wait_server(struct cairn *c, short events)
{
    if (!c->waiting) return cairn_wait(c->descriptor, events, c->call_ms);
    for (unsigned waited = 0; c->call_ms == 0 || waited < c->call_ms;) {
        unsigned left = c->call_ms ? c->call_ms - waited : WAITING_MS;
        unsigned part = left < WAITING_MS ? left : WAITING_MS;
        int ready = cairn_wait(c->descriptor, events, part);
        if (ready != 0) return ready;
        waited += part;
        c->waiting(c->waiting_data, waited);
    }
    return 0;
}

/* Only responses are wanted; what else a server may send of itself is read and dropped. */
static int reply_begin(void *context, const struct rpc_message *message, size_t params_count)
{
    struct reply_builder *b = context;
    (void)params_count;
    if (message->type == RPC_RESPONSE) return reply_builder_begin(b);
    rpc_reader_skip(b->reader);
    return 0;
}

/* --- connecting -------------------------------------------------------------------------*/

enum cairn_status cairn_connect_descriptor(struct cairn *c, int descriptor)
{
    if (descriptor != c->descriptor) cairn_disconnect(c);
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) {
        int error = errno;
        close(descriptor);
        return cairn_fail(c, CAIRN_NO_CONNECTION, "descriptor %d: %s", descriptor,
                          strerror(error));
    }
    const struct rpc_sink sink = {.begin = reply_begin, .items = reply_sink};
    c->descriptor = descriptor;
    c->reader = rpc_reader_create(&sink, &c->builder, &c->limits);
    if (!c->reader || !reply_builder_init(&c->builder, c->limits.depth_max)) {
        cairn_disconnect(c);
        return cairn_fail(c, CAIRN_NO_MEMORY, "out of memory for a connection");
    }
    c->builder.reader = c->reader;
    c->msgid_next = c->msgid_awaited = 0;
    return cairn_succeed(c);
}

/* A connected socket, or -1 and errno (ETIMEDOUT when the time is over). */
static int connect_address(int family, const struct sockaddr *address, socklen_t length,
                           unsigned timeout_ms)
{
    int s = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return -1;
    int error = 0;
    if (connect(s, address, length) < 0) {
        error = errno;
        if (error == EINPROGRESS || error == EINTR) {
            socklen_t size = sizeof error;
            int ready = cairn_wait(s, POLLOUT, timeout_ms);
            if (ready == 0)
                error = ETIMEDOUT;
            else if (ready < 0 || getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        }
    }
    if (error == 0) return s;
    close(s);
    errno = error;
    return -1;
}

enum cairn_status cairn_connect_tcp(struct cairn *c, const char *host, unsigned port)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char service[16];
    cairn_disconnect(c);
    if (port == 0 || port > 65535)
        return cairn_fail(c, CAIRN_BAD_ADDRESS, "port %u: a port is in 1..65535", port);
    snprintf(service, sizeof service, "%u", port);
    int error = getaddrinfo(host, service, &wanted, &list);
    if (error)
        return cairn_fail(c, CAIRN_BAD_ADDRESS, "host %.200s: %s", host, gai_strerror(error));
    int s = -1;
    for (struct addrinfo *at = list; at && s < 0; at = at->ai_next)
        s = connect_address(at->ai_family, at->ai_addr, at->ai_addrlen, c->connect_ms);
    error = errno;
    freeaddrinfo(list);
    if (s < 0)
        return cairn_fail(c, error == ETIMEDOUT ? CAIRN_TIMEOUT : CAIRN_NO_CONNECTION,
                          "cannot connect to %.200s port %u: %s", host, port, strerror(error));
    /* A request is one write; waiting for more to send with it would only cost time. */
    int on = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return cairn_connect_descriptor(c, s);
}

enum cairn_status cairn_connect_unix(struct cairn *c, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    cairn_disconnect(c);
    if (length == 0 || length >= sizeof address.sun_path)
        return cairn_fail(c, CAIRN_BAD_ADDRESS,
                          "socket path \"%.200s\": a path has 1 to %zu bytes, this has %zu", path,
                          sizeof address.sun_path - 1, length);
    memcpy(address.sun_path, path, length + 1);
    int s = connect_address(AF_UNIX, (struct sockaddr *)&address, sizeof address, c->connect_ms);
    if (s < 0)
        return cairn_fail(c, errno == ETIMEDOUT ? CAIRN_TIMEOUT : CAIRN_NO_CONNECTION,
                          "cannot connect to socket %s: %s", path, strerror(errno));
    return cairn_connect_descriptor(c, s);
}

/* Splits "HOST", "HOST:PORT", "[IPV6]" or "[IPV6]:PORT"; false if it is none of them. */
static bool url_split(const char *text, char *host, size_t host_size, unsigned *port)
{
    bool bracketed = *text == '[';
    const char *start = text + bracketed;
    size_t length = bracketed ? strcspn(start, "]") : strcspn(start, ":");
    const char *rest = start + length;
    if (length == 0 || length >= host_size || (bracketed && *rest++ != ']')) return false;
    memcpy(host, start, length);
    host[length] = 0;
    *port = CAIRN_PORT;
    if (*rest == 0) return true;
    if (*rest++ != ':') return false;
    size_t digits = strspn(rest, "0123456789");
    if (digits == 0 || digits > 5 || rest[digits] != 0) return false;
    *port = (unsigned)strtoul(rest, NULL, 10);
    return true;
}

enum cairn_status cairn_connect_url(struct cairn *c, const char *url)
{
    char host[256];
    unsigned port;
    if (strncmp(url, "unix:", 5) == 0) return cairn_connect_unix(c, url + 5);
    if (strncmp(url, "tcp://", 6) == 0 && url_split(url + 6, host, sizeof host, &port))
        return cairn_connect_tcp(c, host, port);
    cairn_disconnect(c);
    return cairn_fail(c, CAIRN_BAD_ADDRESS,
                      "address \"%.200s\": expected tcp://HOST[:PORT] or unix:PATH", url);
}
