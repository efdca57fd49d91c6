/* cairn_int.h - what the files of libcairn share and its users do not see. */
#ifndef CAIRN_CLIENT_CAIRN_INT_H
#define CAIRN_CLIENT_CAIRN_INT_H

#include "client/cairn.h"
#include "protocol/decoder.h"
#include "protocol/rpc.h"
#include "protocol/writer.h"

#define CAIRN_REPLY_BYTES_MAX ((size_t)256 << 20)
#define CAIRN_REPLY_VALUES_MAX ((size_t)16 << 20)
#define CAIRN_REPLY_DEPTH_MAX 128

/* One value in 16 bytes. A map of n entries has 2n items: key, value, … */
struct cairn_value {
    uint8_t type; /* enum cairn_type */
    int8_t ext_type;
    uint32_t length; /* bytes, items or entries: MessagePack has no longer ones */
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        const char *text;
        struct cairn_value *items;
    };
};
_Static_assert(sizeof(struct cairn_value) == 16, "a value is meant to be small");

/* Memory of a reply: blocks that are only ever added to, and all freed at once. */
struct reply_block {
    struct reply_block *older;
    size_t size;
    size_t used;
    _Alignas(16) char data[];
};

struct cairn_reply {
    struct cairn_value root[2]; /* of a response: error, result; of a decoded value: it, nil */
    struct reply_block *blocks; /* newest first */
};

/* Builds a reply from the calls of a decoder. `next[depth]` is where the next item of the
 * innermost open container goes. */
struct reply_builder {
    struct cairn_reply *reply; /* owned, until reply_builder_take */
    unsigned depth;
    unsigned depth_max;
    struct cairn_value **next; /* depth_max + 1 of them; owned */
    char *text;                /* where the next part of an open text goes */
    struct rpc_reader *reader; /* borrowed: the one that calls, if one does */
};

/* The sink for a `struct reply_builder *`; its functions fail only for want of memory, with
 * REPLY_NO_MEMORY. */
#define REPLY_NO_MEMORY (-1)
extern const struct decoder_sink reply_sink;

/* False when memory is short. */
bool reply_builder_init(struct reply_builder *b, unsigned depth_max) CAIRN_MUST_CHECK;
void reply_builder_close(struct reply_builder *b);
/* Starts a new reply, dropping an unfinished one. 0 or REPLY_NO_MEMORY. */
int reply_builder_begin(struct reply_builder *b);
/* The reply is the caller's from now on. */
struct cairn_reply *reply_builder_take(struct reply_builder *b);

/* --- the connection ---------------------------------------------------------------------*/

#define CAIRN_ERROR_CODE_MAX 32
#define CAIRN_ERROR_TEXT_MAX 1024

/* A connection, or the want of one (descriptor is -1).
 *
 *   out   requests not sent yet: out.data[out_sent, out.length)
 *   in    bytes received and not decoded yet: in[in_start, in_end)
 *
 * `pending` replies are awaited, the next one for the request `msgid_awaited`; requests are
 * numbered in sequence. A lost connection is noticed in three places (send, receive, poll).
 * When it is noticed while sending, replies may be left to read, so the descriptor stays open,
 * and `is_lost` says that sending makes no sense any more. */
struct cairn {
    int descriptor;
    bool is_lost;
    unsigned connect_ms, call_ms;
    void (*waiting)(void *data, unsigned ms); /* or NULL */
    void *waiting_data;
    struct decoder_limits limits;

    struct writer out;
    size_t out_sent;
    char *in;
    size_t in_start, in_end, in_capacity;

    struct rpc_reader *reader;
    struct reply_builder builder;
    uint32_t msgid_next, msgid_awaited;
    size_t pending;

    enum cairn_status status;
    char code[CAIRN_ERROR_CODE_MAX];
    char text[CAIRN_ERROR_TEXT_MAX];
    const char *message; /* within text, behind the code */
};

/* Sets the error and returns `status`. */
enum cairn_status cairn_fail(struct cairn *c, enum cairn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, with errno's text at the end. */
enum cairn_status cairn_fail_errno(struct cairn *c, enum cairn_status status, const char *what);
enum cairn_status cairn_succeed(struct cairn *c);
/* Waits until `descriptor` is ready for `events` (of poll) or the time is over: the ready
 * events, 0 after `timeout_ms` (0: never), -1 and errno. */
int cairn_wait(int descriptor, short events, unsigned timeout_ms);
/* The same for the server, as long as it may be silent, with cairn_waiting_set's function called
 * meanwhile. */
int cairn_wait_server(struct cairn *c, short events);

/* --- parameters -------------------------------------------------------------------------*/

/* The parameters as they go into a request. */
struct args_frame {
    size_t offset; /* of the header byte, to be set when the container is closed */
    size_t items;
    bool is_map;
};
struct cairn_args {
    struct writer bytes;
    struct args_frame *stack; /* the open containers; owned */
    unsigned depth;
    unsigned capacity;
    size_t count;
    size_t last; /* where the last parameter begins */
    enum cairn_status status;
};

#endif
