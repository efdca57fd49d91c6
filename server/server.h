/* server.h - the server: one loop, one heap, its sessions, its tasks.
 *
 * The happy path: server_create, server_listen, server_run; some time later a signal or the
 * method server.shutdown calls server_shutdown; listeners close, sessions flush what they
 * owe, server_run returns; server_destroy.
 *
 * One turn of the loop: events are polled, and each readable session decodes and runs
 * requests, bounded in number and time (session.h); then (uv_check) the sessions that have
 * requests left get their next turn, then tasks and the collector their share of time
 * (tasks.h). Polled and waiting sessions may each use TURN_NS in all; whoever comes later
 * waits on the list of the next turn, first come first served, so that new clients, timers,
 * signals and the collector wait for a few requests and not for all.
 * While anybody has work left an idle handle keeps the poll from blocking; else the
 * process sleeps. */
#ifndef CAIRN_SERVER_SERVER_H
#define CAIRN_SERVER_SERVER_H

#include <uv.h>

#include "heap/heap.h"
#include "server/call.h"
#include "server/expiry.h"
#include "server/keys.h"
#include "server/settings.h"
#include "server/tasks.h"

/* Time for the polled sessions of a turn of the loop, and as much for the waiting ones. */
#define TURN_NS ((uint64_t)2000000)

struct intake;
struct session;

/* Counted since the start; for server.info. */
struct server_counters {
    uint64_t connections;      /* accepted */
    uint64_t connections_refused; /* over the limit of clients */
    uint64_t requests;         /* with a response */
    uint64_t notifications;
    uint64_t errors;           /* responses that are errors */
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t dropped_slow;     /* clients that did not read */
    uint64_t dropped_idle;
    uint64_t dropped_malformed; /* streams that could not be followed */
};

enum server_phase {
    SERVER_RUNNING,
    SERVER_STOP_WANTED, /* server_shutdown was called in this turn */
    SERVER_STOPPING,    /* listeners are closed, sessions flush */
    SERVER_CLOSING,     /* every handle is being closed */
};

/* A doubly linked list of sessions, through one of their links. */
struct session_list {
    struct session *first, *last;
    size_t count;
};

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    bool open;
    bool waiting; /* a connection could not be taken for want of memory: to be tried again */
};

struct server {
    uv_loop_t loop;
    struct heap *heap;
    struct settings settings;
    struct keys keys;
    struct expiry expiry;
    struct call_host host; /* what the methods see of all this */
    struct tasks tasks;
    struct task table_task;       /* seals and compacts tables */
    struct server_counters counters;

    struct session_list sessions; /* all, the least recently active first */
    struct session_list ready;    /* have input, or something to read, for their next turn */
    struct session_list timed;    /* have a deadline of their own: unread replies, closing */
    struct session_list unfinished; /* have begun a request that has not ended, oldest first */
    size_t unfinished_bytes;      /* that these requests take */
    uint64_t next_session_id;
    size_t held_bytes;            /* in the sessions' buffers: session_account */
    bool room_wanted;             /* a reply did not fit into reply-memory in this turn */
    size_t refused;               /* of them here only to be told that the server is full */

    struct listener tcp, local;
    char tcp_name[80];            /* "127.0.0.1:22476"; empty: none */
    const char *addresses[2];     /* where it listens */
    size_t address_count;

    enum server_phase phase;
    uint64_t start_time_ns;      /* uv_hrtime */
    uint64_t turn;               /* counts turns of the loop */
    uint64_t turn_start_ns;      /* of the first event of this turn; 0: there was none */
    unsigned signals;            /* caught so far */

    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t clock;            /* once a second while a session may run into a deadline */
    uv_timer_t collector_timer;  /* to a collector's cycle that is worth it when idle */
    uv_timer_t quiet_timer;      /* while a table may come to rest, so that its end is sealed */
    uv_timer_t shutdown_timer;
    uv_signal_t on_term, on_int, on_hup;

    /* What sessions share, so that an idle one holds none: intake.h. */
    char *read_buffer;
    struct writer spare_output;
    struct intake *spare_intakes;
    size_t spare_intake_count;
};

/* Makes a server with a heap of its own; takes `settings` over (also on failure). 0 or a
 * negative error number with a sentence in `error`. */
int server_create(struct server **server, struct settings *settings, char *error,
                  size_t error_size);
/* Opens the listeners that the settings ask for, and minds signals. 0 or negative, as above. */
int server_listen(struct server *server, char *error, size_t error_size);
/* Runs until shut down. 0, or -EINVAL if `verify` is set and the heap is damaged. */
int server_run(struct server *server);
void server_destroy(struct server *server);

/* Begins to shut down after this turn: no more connections and requests; calls that run and
 * replies that wait get `shutdown-time`. May be called from a method. */
void server_shutdown(struct server *server);

/* To be called first by every callback that brings work, so that the time it takes is known. */
void server_turn_begin(struct server *server);
/* Whether the polled sessions have used up their time in this turn. */
bool server_turn_is_over(const struct server *server);

/* --- between the files of the server -----------------------------------------------------*/

/* Whether the address that the settings name is one, and allowed: as below, opens nothing. */
int listeners_check(const struct settings *settings, char *error, size_t error_size);
/* Opens what the settings ask for: 0 or negative with a sentence in `error`. */
int listeners_open(struct server *server, char *error, size_t error_size);
void listeners_close(struct server *server);
/* Takes connections that had to wait for memory. */
void listeners_retry(struct server *server);
/* A session has been closed and freed. */
void server_session_ended(struct server *server);

#endif
