/* decoder.h - MessagePack in, calls out.
 *
 * Bytes arrive in pieces of any size; the decoder can stop after any byte and go on with
 * the next. It keeps no tree and no copy: each item is handed to a *sink* as it is met, and
 * text longer than what lies in the buffer is handed over in parts. Nothing recurses: the
 * nesting is a stack of fixed size. Every message has one cumulative budget, charged as
 * headers arrive, so that a header that claims four billion elements costs nothing. */
#ifndef CAIRN_PROTOCOL_DECODER_H
#define CAIRN_PROTOCOL_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deepest nesting that a decoder can be configured for; and how many levels there are on
 * top of that for the envelope around the contents (rpc.c). */
#define DECODER_DEPTH_MAX 512
#define DECODER_ENVELOPE_DEPTH 2

enum decoder_text { DECODER_STR, DECODER_BIN, DECODER_EXT };

/* Each function returns 0, or a negative number of the sink's own, which stops the decoder
 * and is returned by decoder_feed. Containers are opened with their announced count and
 * closed when they are complete. A map of n entries passes 2n items: key, value, …
 *
 * Text arrives as text_open, then text_data any number of times (a part is borrowed, until
 * the call returns), then text_close; or, when the whole lies in the buffer, as one call
 * of `text`.
 *
 * The items of an array that decoder_take_rows was called for come as bytes, through `rows`, which
 * sinks that never call it may leave out. */
struct decoder_sink {
    int (*nil)(void *context);
    int (*boolean)(void *context, bool value);
    int (*integer)(void *context, int64_t value);
    int (*unsigned_integer)(void *context, uint64_t value); /* above INT64_MAX only */
    int (*real)(void *context, double value);
    int (*text)(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                size_t length);
    int (*text_open)(void *context, enum decoder_text type, int8_t ext_type, size_t length);
    int (*text_data)(void *context, const char *data, size_t length);
    int (*text_close)(void *context);
    int (*array_open)(void *context, size_t count);
    int (*array_close)(void *context);
    int (*map_open)(void *context, size_t count);
    int (*map_close)(void *context);
    int (*rows)(void *context, const char *data, size_t length);
};

/* What one message may cost. 0 means that nothing is allowed, not that all is. A text or a
 * container is charged whole when its header arrives: too large, it fails before a byte of
 * it and before the sink hears of it. */
struct decoder_limits {
    size_t bytes_max;    /* of the whole message */
    size_t elements_max; /* items, containers included, keys and values each one */
    unsigned depth_max;  /* open containers at once (empty ones too), at most
                          * DECODER_DEPTH_MAX (+ DECODER_ENVELOPE_DEPTH inside protocol/) */
};

enum decoder_status {
    DECODER_MORE = 0,  /* all bytes are used; the message goes on */
    DECODER_DONE = 1,  /* a message ended; *used tells where the next begins */
    DECODER_MALFORMED = -1001,      /* byte 0xc1: not MessagePack */
    DECODER_LIMIT_BYTES = -1002,
    DECODER_LIMIT_ELEMENTS = -1003,
    DECODER_LIMIT_DEPTH = -1004,
};

struct decoder;

/* A decoder for `sink`, whose functions get `context`. NULL when memory is short. */
struct decoder *decoder_create(const struct decoder_sink *sink, void *context,
                               const struct decoder_limits *limits);
void decoder_destroy(struct decoder *d);

/* Decodes one message from `data`, or as much as there is of it. *used counts the bytes
 * consumed. Returns a decoder_status or the sink's own negative number. After an error the
 * stream cannot be followed: further feeds return the same error, and only decoder_reset
 * helps. */
int decoder_feed(struct decoder *d, const char *data, size_t length, size_t *used);

/* Charges `elements` more to the message under way, for what a text of it turns out to hold. False
 * if there are not so many left. To be called from inside the sink. */
bool decoder_charge(struct decoder *d, size_t elements);

/* From inside of array_open: the items of this array are wanted as the MessagePack that they are.
 * Its arrays and maps, the rows, and the scalars, strings and bytes in them, are not announced;
 * their bytes go to `rows`, cut anywhere, checked and charged for like all others. What else there
 * is (containers inside of rows, extension types) is announced in its place, and lacks in the
 * bytes. array_close ends it. */
void decoder_take_rows(struct decoder *d);

/* Forgets a partial message. */
void decoder_reset(struct decoder *d);
/* True between messages; not to be asked from inside the sink. */
bool decoder_at_start(const struct decoder *d);
/* From the next message on. */
void decoder_limits_set(struct decoder *d, const struct decoder_limits *limits);

#endif
