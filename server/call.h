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
 * first, abort is called and the answer is dropped.
 *
 * Waiting: a handler that finds a table busy (table_turn, table_value.h) fails before it has
 * changed anything. Nothing is answered; the handler runs again, from its beginning, when its turn
 * has come. A handler that sets one cell waits likewise if a column has to be copied first
 * (table_turn_cell). */
#ifndef CAIRN_SERVER_CALL_H
#define CAIRN_SERVER_CALL_H

#include "heap/heap.h"
#include "heap/table_draft.h"
#include "protocol/rpc.h"
#include "protocol/writer.h"
#include "server/errors.h"

struct keys;
struct server;
struct session;
struct session_refs;
struct method;

enum call_outcome { CALL_DONE, CALL_FAILED, CALL_PENDING };

/* What hello switched on for a session; all off at first (plain mode). */
struct session_features {
    bool ext;               /* extension types REF, HANDLE, WEAK, EXT in replies and requests */
    bool any_keys;          /* map keys of any scalar type in replies */
    bool structured_errors; /* errors as maps */
};

/* What server.info tells about the process. The texts are borrowed until the next event. */
struct server_info {
    uint64_t uptime_s;
    uint64_t clients;
    uint64_t clients_total;
    uint64_t requests;
    uint64_t errors;
    const char *const *addresses; /* where it listens: "127.0.0.1:22476", "/run/cairn.sock" */
    size_t address_count;
};

/* What the methods need of the process around them: the server's loop, or a test. One for
 * all sessions; it outlives every call. */
struct call_host {
    struct server *server; /* passed to the functions */
    struct heap *heap;
    struct keys *keys; /* the key space: keys.h */
    size_t reply_bytes_max; /* of one reply */
    size_t reply_room;      /* bytes that one reply may have for want of memory; 0: any */
    size_t reply_elements_max; /* items of one reply, nested ones included */
    size_t call_paths_max;  /* paths, handles or members of one call */
    size_t handles_max;     /* of one session */
    size_t cursors_max;     /* of one session: table_cursor.h */
    uint64_t cursor_idle_ns; /* that one may go unused; 0: any time */
    size_t import_bytes_max; /* that one import into a table may hold; 0: the default */
    size_t query_bytes_max; /* that one query of a table may hold; 0: the default */
    void (*info)(struct server *server, struct server_info *info);
    void (*shutdown)(struct server *server); /* soon, after the replies of this turn */
};

/* Values that the call has made for itself. */
struct call_made {
    value *values;
    size_t count, capacity;
    size_t bytes, items; /* that a reply with those of tables has at the least: table_value_at */
};

struct call {
    /* Set by the session before call_begin; the rest is filled in there. */
    const struct call_host *host;
    struct session *session;           /* for the server's own use; may be NULL */
    struct session_features *features; /* the session's; hello changes them */
    struct session_refs *refs;         /* the session's handles: refs.h */
    /* Owned by the call and released after it. A handler takes one over by storing it and
     * setting it to VALUE_NIL here. */
    value *args;
    struct root_frame *frame; /* they lie in it */
    size_t arg_count;
    bool packed_rows; /* as the builder's */

    struct heap *heap; /* the host's */
    const struct method *method;
    struct writer *reply; /* exactly one value */
    bool wants_reply;     /* false for a notification */
    struct call_made made; /* call_keep_take */
    uint32_t msgid;
    bool answer_begun; /* the session has sent its first byte: session_peer.c */
    struct table_turn turn; /* in line for a table that another call changes */
    bool waits;             /* the handler failed only because of that */
    bool waited;            /* it has, and the handler runs once more */

    enum error_code error;
    char message[512];

    enum call_outcome (*step)(struct call *call, uint64_t budget_ns);
    void (*abort)(struct call *call);
    void *state;
};

/* Sets the error. Returns CALL_FAILED. Bytes of a client must go through call_quote. */
enum call_outcome call_fail(struct call *call, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Keeps a value that was made to be read (a row of a table as a map) until the handler, or the step
 * that runs, returns. Consumes `v`, which may be VALUE_ABSENT; returns it, or VALUE_ABSENT when
 * memory is short. */
warn_unused value call_keep_take(struct call *call, value v);

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
    METHOD_FREES = 16, /* makes room, so it must be possible when memory is full */
    METHOD_ROWS = 32,  /* takes the option `rows` of parameter 2 packed: packed_rows.h */
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

/* Runs a decoded message (a request or notification without fault); writes the whole
 * response into `out` unless the message was a notification, at most host->reply_bytes_max
 * bytes of it. CALL_PENDING: nothing was written yet; `call` and `out` must stay where they
 * are (what `out` holds may be sent meanwhile), and call_resume be called until it returns
 * something else, or call_abort. `args` are in the caller's root frame, touched before this
 * and before each call_resume; what is left of them is the caller's to release afterwards.
 * CALL_FAILED is for the server's statistics: the error response has been written. */
enum call_outcome call_begin(struct call *call, const struct rpc_message *message,
                             struct writer *out);
enum call_outcome call_resume(struct call *call, uint64_t budget_ns);
void call_abort(struct call *call);

/* Writes a whole error response (for messages that never became a call). */
void call_write_error(struct writer *out, uint32_t msgid, const struct session_features *features,
                      enum error_code code, const char *message);

#endif
