/* wire.h - a raw connection for tests: bytes out, messages in, shown as text.
 *
 * A message reads like this: [1,7,nil,{"a":[1,2.5,true]}]; bytes are b"…", an extension
 * ext(type,length). */
#ifndef CAIRN_TESTS_WIRE_H
#define CAIRN_TESTS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/decoder.h"
#include "protocol/writer.h"

struct wire {
    int fd;
    struct decoder *decoder;
    char *text; /* of the message under way */
    size_t text_length, text_capacity;
    struct {
        size_t left; /* items until it closes */
        bool is_map;
    } levels[DECODER_DEPTH_MAX];
    size_t level_count;
    size_t used, length; /* of buffer */
    char buffer[65536];
};

void wire_open_tcp(struct wire *w, int port);
void wire_open_unix(struct wire *w, const char *path);
void wire_close(struct wire *w);

/* All bytes leave, or the test ends. */
void wire_send(struct wire *w, const void *data, size_t length);
/* Sends without waiting: how many bytes left. */
size_t wire_send_some(struct wire *w, const void *data, size_t length);
/* The next message as text, valid until the next call; NULL when the peer has closed (or
 * reset) the connection. Ends the test after minutes of nothing. */
const char *wire_receive(struct wire *w);
/* Asserts that the next message reads so; NULL: that the connection is closed. */
void wire_expect(struct wire *w, const char *text);
/* Asserts that the next message begins so. */
void wire_expect_prefix(struct wire *w, const char *text);

/* Requests into a writer: ping(msgid) answers msgid. */
void wire_put_ping(struct writer *out, uint32_t msgid);
/* A ping on this connection, answered. */
void wire_ping(struct wire *w, uint32_t msgid);
/* Sends what `out` holds, and empties it. */
void wire_send_writer(struct wire *w, struct writer *out);

#endif
