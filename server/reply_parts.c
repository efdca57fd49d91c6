/* reply_parts.c - see reply_parts.h. */
#include "server/reply_parts.h"

#include <stdlib.h>

#include "server/clock.h"

/* What call.c writes before a result. */
static void write_head(struct writer *w, const struct call *call)
{
    if (!call->wants_reply) return;
    writer_response(w, call->msgid);
    writer_nil(w);
}

void reply_parts_open(struct reply_parts *p, const struct call *call, size_t bytes)
{
    writer_init(&p->w, 0);
    /* At once, since to grow by and by is to copy; without it, that is what happens. */
    p->w.data = malloc(bytes + 64);
    if (p->w.data != NULL) p->w.capacity = bytes + 64;
    write_head(&p->w, call);
    p->head_bytes = p->w.length;
}

void reply_parts_close(struct reply_parts *p) { writer_close(&p->w); }

bool reply_parts_copy(struct reply_parts *p, const void *data, size_t length, size_t *at,
                      uint64_t end_ns)
{
    while (*at < length && p->w.error == WRITER_OK) {
        size_t slice = length - *at < REPLY_SLICE_BYTES ? length - *at : REPLY_SLICE_BYTES;
        writer_bytes(&p->w, (const char *)data + *at, slice);
        *at += slice;
        if (clock_ns() >= end_ns) break;
    }
    return *at >= length || p->w.error != WRITER_OK;
}

void reply_parts_end(struct reply_parts *p, struct call *call)
{
    struct writer *w = call->reply;
    size_t limit = w->limit;
    if (p->w.error != WRITER_OK) {
        w->error = p->w.error;
    } else if (call->wants_reply && w->length == p->head_bytes &&
               (limit == 0 || p->w.length <= limit)) {
        struct writer old = *w;
        *w = p->w;
        w->limit = limit;
        p->w = old;
    } else {
        writer_bytes(w, p->w.data + p->head_bytes, p->w.length - p->head_bytes);
    }
    writer_close(&p->w);
}
