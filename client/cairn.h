/* cairn.h - the C client of the Cairn object server.
 *
 * Synchronous: a call sends a request and waits for its reply. Requests can also be queued
 * and their replies read in the same order (pipelining), which is many times faster.
 *
 *     struct cairn *c = cairn_create();
 *     struct cairn_args *args = cairn_args_create();
 *     struct cairn_reply *reply;
 *     if (cairn_connect_tcp(c, "127.0.0.1", CAIRN_PORT) == CAIRN_OK) {
 *         cairn_args_cstr(args, "user:1");
 *         if (cairn_call(c, "get", args, &reply) == CAIRN_OK) {
 *             const struct cairn_value *user = cairn_reply_result(reply);
 *             printf("%s\n", cairn_text(cairn_field(user, "name"), NULL));
 *             cairn_reply_destroy(reply);
 *         }
 *     }
 *     if (cairn_status(c) != CAIRN_OK) fprintf(stderr, "%s\n", cairn_error_text(c));
 *     cairn_args_destroy(args);
 *     cairn_destroy(c);
 *
 * Build with `cc example.c $(pkg-config --cflags --libs cairn)`.
 *
 * Ownership. What a ..._create function or cairn_call, cairn_receive and cairn_decode return
 * belongs to the caller, who ends it with the matching ..._destroy. Values and their texts belong
 * to the reply they came in, and are valid until cairn_reply_destroy. Everything passed
 * in is copied before the function returns.
 *
 * Threads. An object may be used by one thread at a time; different objects are independent.
 * Signals. Writing to a connection that is gone never raises SIGPIPE. */
#ifndef CAIRN_H
#define CAIRN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAIRN_API __attribute__((visibility("default")))
#define CAIRN_MUST_CHECK __attribute__((warn_unused_result))

#define CAIRN_PORT 22476
/* Deepest nesting of a request, and the largest that a reply's limit can be set to. */
#define CAIRN_DEPTH_MAX 512
/* A request may not be longer than this. */
#define CAIRN_REQUEST_BYTES_MAX ((size_t)1 << 30)

/* X(NAME, number, meaning). Zero is success. */
#define CAIRN_STATUSES(X)                                                                \
    X(OK, 0, "success")                                                                  \
    X(SERVER, -1, "the server answered with an error")                                   \
    X(NO_MEMORY, -2, "out of memory in the client")                                      \
    X(BAD_ADDRESS, -3, "the address cannot be used")                                     \
    X(NO_CONNECTION, -4, "no connection could be made, or there is none")                \
    X(CLOSED, -5, "the connection was lost")                                             \
    X(TIMEOUT, -6, "the server did not answer in time")                                  \
    X(PROTOCOL, -7, "the peer sent what is not an answer in MessagePack-RPC")            \
    X(LIMIT, -8, "a limit of the client was reached")                                    \
    X(MISUSE, -9, "the library was called in a way that makes no sense")

enum cairn_status {
#define X(name, number, meaning) CAIRN_##name = number,
    CAIRN_STATUSES(X)
#undef X
};
/* "TIMEOUT", and what it means; static storage. */
CAIRN_API const char *cairn_status_name(enum cairn_status status);
CAIRN_API const char *cairn_status_text(enum cairn_status status);
/* "0.1.0"; static storage. */
CAIRN_API const char *cairn_version(void);

/* --- connection ------------------------------------------------------------------------*/

struct cairn;
struct cairn_args;
struct cairn_reply;
struct cairn_value;

/* An unconnected client. NULL when memory is short. */
CAIRN_API struct cairn *cairn_create(void);
/* Closes the connection, too. NULL is fine. */
CAIRN_API void cairn_destroy(struct cairn *c);

/* The longest wait for a connection (default 5000 ms), and the longest time that sending or
 * receiving may stand still without a single byte going through (default 30000 ms).
 * 0: no limit. Looking up a host name is not covered. */
CAIRN_API void cairn_timeouts_set(struct cairn *c, unsigned connect_ms, unsigned call_ms);
/* While the client waits for the server, `waiting` is called about ten times a second with the
 * milliseconds that this wait has taken so far: to show that something is going on. It must not
 * use the client. NULL (the default): nothing is called. */
CAIRN_API void cairn_waiting_set(struct cairn *c, void (*waiting)(void *data, unsigned ms),
                                 void *data);

/* What one reply may cost: bytes (default 256 MiB), values (default 16 Mi) and nesting (default
 * 128, at most CAIRN_DEPTH_MAX). Counts from the next connection on. */
CAIRN_API void cairn_limits_set(struct cairn *c, size_t bytes_max, size_t values_max,
                                unsigned depth_max);

/* Each ends an older connection first. Errors: BAD_ADDRESS, NO_CONNECTION, TIMEOUT, NO_MEMORY.
 * The url is "tcp://HOST[:PORT]", "tcp://[IPV6]:PORT" or "unix:PATH". */
CAIRN_API enum cairn_status cairn_connect_tcp(struct cairn *c, const char *host, unsigned port);
CAIRN_API enum cairn_status cairn_connect_unix(struct cairn *c, const char *path);
CAIRN_API enum cairn_status cairn_connect_url(struct cairn *c, const char *url);
/* Takes over a connected stream socket: the client closes it, also when this fails. */
CAIRN_API enum cairn_status cairn_connect_descriptor(struct cairn *c, int descriptor);
/* Ends the connection; requests without a reply are forgotten. */
CAIRN_API void cairn_disconnect(struct cairn *c);
CAIRN_API bool cairn_is_connected(const struct cairn *c);
/* The socket, for poll(2); -1 without a connection. It stays the client's. */
CAIRN_API int cairn_descriptor(const struct cairn *c);

/* --- errors ----------------------------------------------------------------------------*/

/* How the last function with this client ended. The texts are valid until the next such
 * function. */
CAIRN_API enum cairn_status cairn_status(const struct cairn *c);
/* One line that says what was wrong; of a server's error "CODE message". */
CAIRN_API const char *cairn_error_text(const struct cairn *c);
/* The two parts of a server's error; else the name of the status, and its text. */
CAIRN_API const char *cairn_error_code(const struct cairn *c);
CAIRN_API const char *cairn_error_message(const struct cairn *c);

/* --- calls -----------------------------------------------------------------------------*/

/* Sends, waits, and hands over the reply (which may be NULL if only success matters).
 * `args` may be NULL for none, and is left as it is. *reply is NULL after an error.
 *
 * Errors: SERVER and MISUSE leave the connection as it was, and so do LIMIT and NO_MEMORY if
 * they concern a request that cannot be made. After TIMEOUT the reply is still awaited:
 * cairn_receive can wait for it longer; a further call is MISUSE until then. After all others
 * the connection is ended. */
CAIRN_API enum cairn_status cairn_call(struct cairn *c, const char *method,
                                       const struct cairn_args *args,
                                       struct cairn_reply **reply);

/* Pipelining. cairn_send queues a request, and sends what is queued once it is worth it;
 * cairn_flush sends it now; cairn_receive sends it before it has to wait for the next reply.
 * Replies come in the order of the requests, each as cairn_call would return it (a SERVER error
 * concerns only its own request).
 *
 * Replies that arrive while requests are being sent wait in the client's memory, up to the
 * limit of one reply's bytes: receive before you send without end. */
CAIRN_API enum cairn_status cairn_send(struct cairn *c, const char *method,
                                       const struct cairn_args *args);
CAIRN_API enum cairn_status cairn_flush(struct cairn *c);
CAIRN_API enum cairn_status cairn_receive(struct cairn *c, struct cairn_reply **reply);
/* The number of replies still to come. */
CAIRN_API size_t cairn_pending(const struct cairn *c);

/* --- parameters ------------------------------------------------------------------------*/

/* The parameters of a call, one after the other. Errors (memory, nesting, length, a map with a
 * key but no value, a close without an open) are remembered, and reported by cairn_args_status
 * and by the call, so that each single step need not be checked. */
CAIRN_API struct cairn_args *cairn_args_create(void);
CAIRN_API void cairn_args_destroy(struct cairn_args *args);
/* Empties it for the next call, keeping its memory. Forgets an error. */
CAIRN_API void cairn_args_clear(struct cairn_args *args);
CAIRN_API enum cairn_status cairn_args_status(const struct cairn_args *args);
/* The number of complete parameters. */
CAIRN_API size_t cairn_args_count(const struct cairn_args *args);
/* Takes back the last parameter; once, then another has to be added first. */
CAIRN_API void cairn_args_pop(struct cairn_args *args);

CAIRN_API void cairn_args_nil(struct cairn_args *args);
CAIRN_API void cairn_args_bool(struct cairn_args *args, bool value);
CAIRN_API void cairn_args_int(struct cairn_args *args, int64_t value);
CAIRN_API void cairn_args_uint(struct cairn_args *args, uint64_t value);
CAIRN_API void cairn_args_double(struct cairn_args *args, double value);
CAIRN_API void cairn_args_str(struct cairn_args *args, const char *data, size_t length);
CAIRN_API void cairn_args_cstr(struct cairn_args *args, const char *text);
CAIRN_API void cairn_args_bin(struct cairn_args *args, const void *data, size_t length);
CAIRN_API void cairn_args_ext(struct cairn_args *args, int8_t type, const void *data,
                              size_t length);
/* What is added between open and close are the items; in a map key, value, key, value, … */
CAIRN_API void cairn_args_array_open(struct cairn_args *args);
CAIRN_API void cairn_args_array_close(struct cairn_args *args);
CAIRN_API void cairn_args_map_open(struct cairn_args *args);
CAIRN_API void cairn_args_map_close(struct cairn_args *args);
/* A copy of a value, with all that is in it. */
CAIRN_API void cairn_args_value(struct cairn_args *args, const struct cairn_value *value);
/* Copies of all parameters of `from`, as further parameters or items. */
CAIRN_API void cairn_args_append(struct cairn_args *args, const struct cairn_args *from);
/* The MessagePack of all parameters; *length is set. Valid until the next change. */
CAIRN_API const char *cairn_args_bytes(const struct cairn_args *args, size_t *length);

/* --- replies ---------------------------------------------------------------------------*/

/* The result; valid, with all that is in it, until the reply is destroyed. */
CAIRN_API const struct cairn_value *cairn_reply_result(const struct cairn_reply *reply);
/* NULL is fine. */
CAIRN_API void cairn_reply_destroy(struct cairn_reply *reply);

/* One value of MessagePack at the start of `data` as a reply; *used is set to its length.
 * The limits are those of cairn_limits_set's defaults. Errors: PROTOCOL (malformed, or the
 * data ends within the value), LIMIT, NO_MEMORY. */
CAIRN_API CAIRN_MUST_CHECK enum cairn_status cairn_decode(const void *data, size_t length,
                                                          size_t *used,
                                                          struct cairn_reply **reply);

enum cairn_type {
    CAIRN_NIL,
    CAIRN_BOOL,
    CAIRN_INT,    /* an integer in int64 */
    CAIRN_UINT,   /* an integer above INT64_MAX */
    CAIRN_DOUBLE,
    CAIRN_STR,
    CAIRN_BIN,
    CAIRN_ARRAY,
    CAIRN_MAP,
    CAIRN_EXT
};

/* All of these take NULL for nil, so that a look-up that fails can be passed on:
 * cairn_int(cairn_at(cairn_field(v, "sizes"), 0), -1). */
CAIRN_API enum cairn_type cairn_type(const struct cairn_value *value);
/* "array"; static storage. */
CAIRN_API const char *cairn_type_name(enum cairn_type type);

/* The value as what it is asked for, or `otherwise` if it is something else or does not fit:
 * an integer can be had as int64, uint64 and double, a double only as such. */
CAIRN_API bool cairn_bool(const struct cairn_value *value, bool otherwise);
CAIRN_API int64_t cairn_int(const struct cairn_value *value, int64_t otherwise);
CAIRN_API uint64_t cairn_uint(const struct cairn_value *value, uint64_t otherwise);
CAIRN_API double cairn_double(const struct cairn_value *value, double otherwise);

/* The bytes of a str, bin or ext, with a zero after them; else NULL. *length is set (to 0 if
 * NULL is returned) unless `length` is NULL. Valid as long as the reply. */
CAIRN_API const char *cairn_text(const struct cairn_value *value, size_t *length);
/* The type number of an ext; else 0. */
CAIRN_API int8_t cairn_ext_type(const struct cairn_value *value);

/* Bytes of a str, bin or ext, items of an array, entries of a map; else 0. */
CAIRN_API size_t cairn_length(const struct cairn_value *value);
/* An item of an array; a negative index counts from the end. NULL if there is none. */
CAIRN_API const struct cairn_value *cairn_at(const struct cairn_value *value, ptrdiff_t index);
/* The key and the value of a map's entry number `index`; NULL if there is none. */
CAIRN_API const struct cairn_value *cairn_map_key(const struct cairn_value *map, size_t index);
CAIRN_API const struct cairn_value *cairn_map_value(const struct cairn_value *map,
                                                    size_t index);
/* What a map has under a str or bin; NULL if nothing. Takes time in proportion to the
 * entries. */
CAIRN_API const struct cairn_value *cairn_field(const struct cairn_value *map,
                                                const char *name);

#ifdef __cplusplus
}
#endif

#endif
