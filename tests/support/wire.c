/* wire.c - see wire.h. */
#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/runner.h"

#define TIMEOUT_S 300 /* of nothing; then the server hangs */

/* --- a message as text ---------------------------------------------------------------------*/

static void append(struct wire *w, const char *data, size_t length)
{
    while (w->text_length + length + 1 > w->text_capacity) {
        w->text_capacity = w->text_capacity ? 2 * w->text_capacity : 4096;
        w->text = realloc(w->text, w->text_capacity);
        ck_assert_ptr_nonnull(w->text);
    }
    memcpy(w->text + w->text_length, data, length);
    w->text_length += length;
    w->text[w->text_length] = '\0';
}

__attribute__((format(printf, 2, 3))) static void appendf(struct wire *w, const char *format, ...)
{
    char part[128];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(part, sizeof part, format, args);
    va_end(args);
    append(w, part, (size_t)length);
}

/* After an item: what stands between it and the next. */
static int item_end(struct wire *w)
{
    if (w->level_count == 0) return 0;
    size_t left = --w->levels[w->level_count - 1].left;
    if (left > 0) append(w, w->levels[w->level_count - 1].is_map && left % 2 ? ":" : ",", 1);
    return 0;
}

static int on_nil(void *context)
{
    append(context, "nil", 3);
    return item_end(context);
}

static int on_boolean(void *context, bool value)
{
    appendf(context, "%s", value ? "true" : "false");
    return item_end(context);
}

static int on_integer(void *context, int64_t value)
{
    appendf(context, "%" PRId64, value);
    return item_end(context);
}

static int on_unsigned(void *context, uint64_t value)
{
    appendf(context, "%" PRIu64, value);
    return item_end(context);
}

static int on_real(void *context, double value)
{
    appendf(context, "%.17g", value);
    return item_end(context);
}

static int on_text_open(void *context, enum decoder_text type, int8_t ext_type, size_t length)
{
    if (type == DECODER_EXT)
        appendf(context, "ext(%d,%zu)\"", ext_type, length);
    else
        appendf(context, type == DECODER_BIN ? "b\"" : "\"");
    return 0;
}

static int on_text_data(void *context, const char *data, size_t length)
{
    append(context, data, length);
    return 0;
}

static int on_text_close(void *context)
{
    append(context, "\"", 1);
    return item_end(context);
}

static int on_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                   size_t length)
{
    on_text_open(context, type, ext_type, length);
    append(context, data, length);
    return on_text_close(context);
}

static int on_open(struct wire *w, size_t items, bool is_map)
{
    append(w, is_map ? "{" : "[", 1);
    w->levels[w->level_count].left = items;
    w->levels[w->level_count++].is_map = is_map;
    return 0;
}

static int on_array_open(void *context, size_t count) { return on_open(context, count, false); }
static int on_map_open(void *context, size_t count) { return on_open(context, 2 * count, true); }

static int on_close(void *context)
{
    struct wire *w = context;
    append(w, w->levels[--w->level_count].is_map ? "}" : "]", 1);
    return item_end(w);
}

static const struct decoder_sink sink = {
    .nil = on_nil,
    .boolean = on_boolean,
    .integer = on_integer,
    .unsigned_integer = on_unsigned,
    .real = on_real,
    .text = on_text,
    .text_open = on_text_open,
    .text_data = on_text_data,
    .text_close = on_text_close,
    .array_open = on_array_open,
    .array_close = on_close,
    .map_open = on_map_open,
    .map_close = on_close,
};

/* --- the connection --------------------------------------------------------------------------*/

static void wire_open(struct wire *w, int family, const struct sockaddr *address, socklen_t size)
{
    static const struct decoder_limits limits = {
        .bytes_max = (size_t)1 << 30, .elements_max = (size_t)1 << 30, .depth_max = 500};
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    memset(w, 0, offsetof(struct wire, buffer));
    w->decoder = decoder_create(&sink, w, &limits);
    ck_assert_ptr_nonnull(w->decoder);
    w->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(w->fd, 0);
    setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    ck_assert_msg(connect(w->fd, address, size) == 0, "connect: %s", strerror(errno));
    if (family == AF_INET) {
        int on = 1;
        setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

void wire_open_tcp(struct wire *w, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    wire_open(w, AF_INET, (struct sockaddr *)&address, sizeof address);
}

void wire_open_unix(struct wire *w, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    wire_open(w, AF_UNIX, (struct sockaddr *)&address, sizeof address);
}

void wire_close(struct wire *w)
{
    close(w->fd);
    decoder_destroy(w->decoder);
    free(w->text);
    w->fd = -1;
}

size_t wire_send_some(struct wire *w, const void *data, size_t length)
{
    ssize_t sent = send(w->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? (size_t)sent : 0;
}

void wire_send(struct wire *w, const void *data, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t sent = send(w->fd, (const char *)data + done, length - done, MSG_NOSIGNAL);
        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        done += (size_t)sent;
    }
}

const char *wire_receive(struct wire *w)
{
    w->text_length = 0;
    for (;;) {
        if (w->used == w->length) {
            ssize_t got = recv(w->fd, w->buffer, sizeof w->buffer, 0);
            if (got == 0 || (got < 0 && (errno == ECONNRESET || errno == EPIPE))) return NULL;
            ck_assert_msg(got > 0, "nothing arrives: %s", strerror(errno));
            w->used = 0;
            w->length = (size_t)got;
        }
        size_t used = 0;
        int status = decoder_feed(w->decoder, w->buffer + w->used, w->length - w->used, &used);
        w->used += used;
        ck_assert_msg(status >= 0, "not MessagePack: %d", status);
        if (status == DECODER_DONE) return w->text;
    }
}

void wire_expect(struct wire *w, const char *text)
{
    const char *got = wire_receive(w);
    if (!text) {
        ck_assert_msg(!got, "the connection is open, and said %.200s", got ? got : "");
        return;
    }
    ck_assert_msg(got, "the connection is closed; expected %.200s", text);
    ck_assert_str_eq(got, text);
}

void wire_expect_prefix(struct wire *w, const char *text)
{
    const char *got = wire_receive(w);
    ck_assert_msg(got, "the connection is closed; expected %.200s", text);
    ck_assert_msg(strncmp(got, text, strlen(text)) == 0, "got %.200s; expected %.200s…", got, text);
}

void wire_put_ping(struct writer *out, uint32_t msgid)
{
    writer_request(out, msgid, "ping", 1);
    writer_uint(out, msgid);
}

void wire_send_writer(struct wire *w, struct writer *out)
{
    ck_assert_int_eq(out->error, WRITER_OK);
    wire_send(w, out->data, out->length);
    writer_rewind(out, 0);
}

void wire_ping(struct wire *w, uint32_t msgid)
{
    char expected[64];
    struct writer out;
    writer_init(&out, 0);
    wire_put_ping(&out, msgid);
    wire_send_writer(w, &out);
    writer_close(&out);
    snprintf(expected, sizeof expected, "[1,%u,nil,%u]", msgid, msgid);
    wire_expect(w, expected);
}
