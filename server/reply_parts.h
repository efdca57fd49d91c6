/* reply_parts.h - a response of many MiB, that is put together between events.
 *
 * The happy path: the response is written into a buffer of its own, from its first byte on; long
 * bytes are copied a slice at a time; at the end the buffer takes the place of the session's, in
 * constant time, if nothing else waits there. (If something does, because the client reads slowly,
 * the response is copied behind it.)
 *
 *     reply_parts_open(&p, call, bytes)
 *     writer_...(&p.w, ...), and in each step reply_parts_copy(&p, data, length, &at, end_ns)
 *     reply_parts_end(&p, call)        or, at any time,       reply_parts_close(&p)
 *
 * What reply-bytes and reply-memory allow holds as for any other answer. */
#ifndef CAIRN_SERVER_REPLY_PARTS_H
#define CAIRN_SERVER_REPLY_PARTS_H

#include "protocol/writer.h"
#include "server/call.h"

/* What is copied between two looks at the clock. */
#define REPLY_SLICE_BYTES ((size_t)64 << 10)

struct reply_parts {
    struct writer w;     /* the response; the result follows */
    size_t head_bytes;   /* before the result */
};

/* `bytes`: about how long the result will be. */
void reply_parts_open(struct reply_parts *p, const struct call *call, size_t bytes);
void reply_parts_close(struct reply_parts *p);
/* Appends bytes from *at on, until about `end_ns` on the clock, one slice at least. Whether all are
 * copied. */
bool reply_parts_copy(struct reply_parts *p, const void *data, size_t length, size_t *at,
                      uint64_t end_ns);
/* The result is whole: it becomes that of the call, whose reply is still empty. What went wrong,
 * the call's writer says then (reply_check). */
void reply_parts_end(struct reply_parts *p, struct call *call);

#endif
