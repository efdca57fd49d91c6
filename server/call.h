/* call.h - one call of a method: what a handler gets and how it answers.
 *
 * The happy path: the session decodes a request straight into heap values (build.h), the
 * message ends, call_begin looks the method up, checks the number of parameters and runs
 * the handler, which writes one value to call->reply. Between two calls is a safe point.
 *
 * Failure: the handler returns call_fail(...); whatever it wrote is taken back, and an error
 * goes out. It must not have changed anything.
 *
 * Long work: the handler sets call->step (and call->abort, call->state) and returns
 * CALL_PENDING. The scheduler then calls step between events, each time with a budget,
 * until it returns something else. The session's later requests wait. If the session ends
 * first, abort is called and the answer is dropped. */
#ifndef CAIRN_SERVER_CALL_H
#define CAIRN_SERVER_CALL_H

#include "heap/heap.h"
#include "protocol/rpc.h"
#include "protocol/writer.h"
#include "server/errors.h"

struct server;
struct session;
struct method;

enum call_outcome { CALL_DONE, CALL_FAILED, CALL_PENDING };

/* What hello switched on for a session; all off at first (plain mode). */
struct session_features {
    bool ext;               /* extension types REF, HANDLE, WEAK, EXT in replies and requests */
    bool any_keys;          /* map keys of any scalar type in replies */
    bool structured_errors; /* errors as maps */
};

struct call {
    struct server *server;
    struct session *session; /* NULL while nobody waits (a notification whose peer left) */
    struct heap *heap;
    const struct method *method;
    /* Owned by the call and released after it. A handler takes one over by storing it and
     * setting it to VALUE_NIL here. */
    value *args;
    size_t arg_count;
    struct session_features features;
    struct writer *reply; /* exactly one value */

    enum error_code error;
    char message[512];

    enum call_outcome (*step)(struct call *call, uint64_t budget_ns);
    void (*abort)(struct call *call);
    void *state;
};

/* Sets the error. Returns CALL_FAILED. Bytes of a client must go through call_quote. */
enum call_outcome call_fail(struct call *call, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A value (or the bytes of a key) as it may stand in a message: quoted, escaped, cut after
 * some 60 bytes. Valid until the third next call_quote. */
const char *call_quote_value(struct call *call, value v);
const char *call_quote(const char *data, size_t length);

/* --- methods, declared once: method_list.h ----------------------------------------------*/

enum method_flags {
    METHOD_READ = 1,   /* does not change data */
    METHOD_WRITE = 2,  /* changes data */
    METHOD_ADMIN = 4,  /* about the server */
    METHOD_LONG = 8,   /* may run as a task */
};

struct method {
    const char *name;    /* "gc.collect" */
    const char *params;  /* "path, value, [opts: if, match, create]" */
    const char *result;  /* "bool" */
    unsigned params_min, params_max; /* UINT_MAX: any number */
    unsigned flags;
    enum call_outcome (*handler)(struct call *call);
    const char *help;    /* one sentence */
};
extern const struct method method_list[];
extern const size_t method_count;
const struct method *method_find(const char *name, size_t length);

/* --- for the session ---------------------------------------------------------------------*/

/* Runs a decoded message; writes the whole response into `out` unless the message was a
 * notification. CALL_PENDING: `call` must stay where it is, and call_resume be called until
 * it returns something else, or call_abort. `args` are in the caller's root frame; what is
 * left of them is the caller's to release afterwards. `call` is filled in by this. */
enum call_outcome call_begin(struct call *call, const struct rpc_message *message,
                             struct writer *out);
enum call_outcome call_resume(struct call *call, uint64_t budget_ns);
void call_abort(struct call *call);

/* Writes a whole error response (for messages that never became a call). */
void call_write_error(struct writer *out, uint32_t msgid, const struct session_features *features,
                      enum error_code code, const char *message);

#endif
