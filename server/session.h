/* session.h - one connection: requests in, replies out, in order.
 *
 * The happy path: bytes arrive in the server's one read buffer and go straight into the
 * rpc_reader, whose sink builds the parameters in the heap; a message that is complete runs
 * at once and its response is written to `out`; when the read is used up, `out` leaves in
 * one write.
 *
 *   OPEN --> DRAINING --> LINGERING --> CLOSING
 *     `---------'-------------------------^
 *
 *   OPEN       reads and runs requests
 *   DRAINING   takes no more input; a call that runs may end, replies that wait leave
 *   LINGERING  has sent everything and its end of stream; throws away what still arrives,
 *              because closing with bytes unread would cost the peer its last replies
 *   CLOSING    uv_close was called; freed by its callback
 *
 * An open session does not read while it waits for its turn on the list `ready`, while
 * a call is pending, or while too many replies wait to be read (`paused`).
 *
 * Failure: a stream that cannot be followed gets an error and is drained. A peer that is
 * gone, does not read, or is idle too long is closed. A pending call is then aborted; whether
 * the peer has gone meanwhile is looked for between its steps (session_peer.c).
 *
 * An idle session owns no buffers and no decoder: they are the server's, and are lent while
 * a message is under way (struct intake). */
#ifndef CAIRN_SERVER_SESSION_H
#define CAIRN_SERVER_SESSION_H

#include <uv.h>

#include "protocol/writer.h"
#include "server/build.h"
#include "server/call.h"
#include "server/refs.h"
#include "server/server.h"
#include "server/tasks.h"

#define READ_BUFFER_BYTES ((size_t)64 << 10)
/* Replies leave when so much has gathered, even within a turn. */
#define OUTPUT_FLUSH_BYTES ((size_t)64 << 10)
/* A client that reads less counts as not reading; bytes a second. */
#define READING_RATE_MIN 4096
/* There is always room for a reply of so many bytes. */
#define REPLY_ROOM_MIN ((size_t)16 << 10)
/* A reader has so long before it can be dropped only because others want its room. */
#define ROOM_GRACE_MS 1000
/* The same for requests that have begun. */
#define SENDING_RATE_MIN 4096
/* Unfinished requests that take less are not given up in favour of others. */
#define REQUEST_SMALL_BYTES ((size_t)64 << 10)
#define LINGER_MS 1000
#define LINGER_BYTES_MAX ((size_t)4 << 20)
#define REFUSED_MAX 64
#define SPARE_INTAKES_MAX 8
/* So often a session whose call is pending looks whether its peer is still there. */
#define PEER_CHECK_MS 50

enum session_state { SESSION_OPEN, SESSION_DRAINING, SESSION_LINGERING, SESSION_CLOSING };

/* What a message under way needs. */
struct intake {
    struct intake *next_spare;
    struct rpc_reader *reader;
    struct builder builder;
    struct call call;
};

enum session_link { LINK_ALL, LINK_READY, LINK_TIMED, LINK_UNFINISHED, LINK_COUNT };

struct session {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct server *server;
    struct {
        struct session *prev, *next;
        bool listed;
    } links[LINK_COUNT];
    uint64_t id;
    enum session_state state;
    bool reading;
    bool greeted;      /* its first byte was seen */
    bool ended;        /* the peer has sent its end of stream */
    bool paused;       /* too many replies wait */
    bool must_linger;
    bool refused;      /* counted in server->refused */
    bool call_pending;
    bool write_busy;   /* `write` is under way with `written` */

    struct session_features features;
    struct session_refs refs;
    struct intake *intake;  /* NULL between messages */
    struct task call_task;  /* resumes the pending call */
    uint64_t peer_ms;       /* uv_now when that began, or its peer was last looked for */

    size_t request_heap;    /* bytes of the heap that the unfinished request has taken */
    size_t request_bytes;   /* that it takes in all, as counted in unfinished_bytes */
    unsigned request_waits; /* turns that it has waited for room in the heap */
    size_t request_taken;   /* bytes that have come since ... */
    uint64_t request_ms;    /* ... uv_now when it began, or had last come fast enough */

    char *input;            /* read, and left for the next turn; owned */
    size_t input_used, input_length;

    uint64_t turn;          /* the server's, when the three below were counted */
    size_t turn_requests, turn_bytes;
    uint64_t turn_spent_ns;
    bool passed_over;       /* had something to read when this turn's time was over */

    struct writer out;      /* not yet handed to the system */
    struct writer written;  /* on its way */
    union {
        uv_write_t write;
        uv_shutdown_t shutdown;
    };
    size_t held_bytes;        /* of its buffers, as counted in the server's held_bytes */
    size_t write_left;        /* of `written`, when progress_ms was set */
    uint64_t write_ms;        /* uv_now when the write began */
    uint64_t progress_ms;     /* uv_now when the peer last had read enough, or lingering began */
    size_t discarded;         /* bytes thrown away while lingering */
    uint64_t active_ms;       /* uv_now when a request last came */
};

/* Makes a session for a connection that waits on `listener`. */
void session_accept(struct server *server, struct listener *listener, bool is_tcp);
/* Makes a session for one end of a socket pair, which it closes in the end. 0 or negative. */
int session_adopt(struct server *server, int fd);
/* The next turn of a session on the ready list; takes it off. */
void session_take_turn(struct session *s);
/* Takes no more input; closes when everything has been answered and has left. */
void session_drain(struct session *s);
/* Ends it now. */
void session_close(struct session *s);
/* Once a second: closes sessions whose time is over. */
void session_check_deadlines(struct server *server);

/* Once in each turn: if the buffers of all sessions are over reply-memory, or a reply found no
 * room, closes the one that has left the most unread for the longest time. */
void session_make_room(struct server *server);

/* Replies handed over or gathered that the peer has not taken. */
size_t session_pending_bytes(const struct session *s);

/* --- between the files of the session ---------------------------------------------------*/

void session_list_add(struct session_list *list, enum session_link link, struct session *s);
void session_list_remove(struct session_list *list, enum session_link link, struct session *s);

/* Runs what `data` holds, as far as turn, pause and call allow; returns the bytes used. */
size_t session_run(struct session *s, const char *data, size_t length);
/* Whether it has had its share of requests, bytes or time in this turn of the loop. */
bool session_turn_is_over(const struct session *s);
/* After anything happened: sends, and decides what comes next. */
void session_settle(struct session *s);
/* Counts what its buffers take: after they have changed. */
void session_account(struct session *s);
/* Whether memory for replies is so short that it must read those it has before it gets more. */
bool session_must_read(const struct session *s);
/* Hands `out` to the system as far as it takes it. May close the session. */
void session_flush(struct session *s);
/* After each message: flushes, pauses or drops as the limits ask. May close the session. */
void session_check_output(struct session *s);
/* Gives `out` the server's spare buffer if it has none. */
void output_borrow(struct session *s);
/* Starts reading; negative libuv error. */
int session_read_start(struct session *s);
/* An error response for a message that never became a call; `message` may be NULL. */
void session_write_error(struct session *s, const struct rpc_message *message,
                         enum error_code code, const char *text);
/* The request under way has ended, or is given up: it is no longer counted. */
void session_request_end(struct session *s);
/* Whether the peer, who waits for the pending call, is known to have gone. Looks, and asks it,
 * every PEER_CHECK_MS; false in between. */
bool session_peer_has_gone(struct session *s);
/* Aborts the pending call. */
void session_call_stop(struct session *s);

/* Lends an intake; NULL when memory is short. */
struct intake *intake_lend(struct server *server, struct session *s);
/* Takes it back: kept as a spare if it is sound (its reader stands between two messages) and
 * small. */
void intake_return(struct server *server, struct intake *intake, bool sound);
void intake_destroy_spares(struct server *server);

#endif
