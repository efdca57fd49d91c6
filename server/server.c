/* server.c - the loop: its turns, its clock, its beginning and its end. */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "heap/map.h"
#include "heap/verify.h"
#include "server/log.h"
#include "server/session.h"

#define CLOCK_MS 1000
/* Descriptors that are not clients. */
#define DESCRIPTORS_OWN 64

/* --- turns ----------------------------------------------------------------------------------*/

void server_turn_begin(struct server *server)
{
    if (server->turn_start_ns == 0) server->turn_start_ns = uv_hrtime();
}

bool server_turn_is_over(const struct server *server)
{
    return server->turn_start_ns && uv_hrtime() - server->turn_start_ns >= TURN_NS;
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* that it is active keeps the poll from blocking */
}

static void on_collector_timer(uv_timer_t *timer)
{
    (void)timer; /* it has woken the loop: the rest follows from gc_urgency */
}

static void on_clock(uv_timer_t *timer)
{
    struct server *server = timer->data;
    server_turn_begin(server);
    listeners_retry(server);
    session_check_deadlines(server);
}

static void stop_begin(struct server *server);

/* May the poll block, and if so, how long? */
static void set_idle(struct server *server)
{
    if (server->ready.count > 0 || tasks_want_time(&server->tasks)) {
        uv_idle_start(&server->idle, on_idle);
        return;
    }
    uv_idle_stop(&server->idle);
    uint64_t wait_ms = tasks_wait_ms(&server->tasks);
    if (wait_ms && !uv_is_active((uv_handle_t *)&server->collector_timer))
        uv_timer_start(&server->collector_timer, on_collector_timer, wait_ms, 0);
}

/* Before the poll. */
static void on_prepare(uv_prepare_t *handle)
{
    struct server *server = handle->data;
    if (server->phase == SERVER_STOP_WANTED) stop_begin(server);
    if (server->phase == SERVER_CLOSING) return;
    server->turn++;
    expiry_turn(&server->expiry);
    set_idle(server);
    bool clock = server->timed.count > 0 || server->unfinished.count > 0 ||
                 server->tcp.waiting || server->local.waiting ||
                 (server->settings.idle_time && server->sessions.count > 0);
    if (!clock)
        uv_timer_stop(&server->clock);
    else if (!uv_is_active((uv_handle_t *)&server->clock))
        uv_timer_start(&server->clock, on_clock, CLOCK_MS, CLOCK_MS);
}

/* Those who wait, as many as there is time for; the others stay first on the list. */
static void run_ready(struct server *server)
{
    uint64_t start_ns = server->ready.count ? uv_hrtime() : 0;
    for (size_t left = server->ready.count; left > 0 && server->ready.first; left--) {
        server_turn_begin(server);
        session_take_turn(server->ready.first);
        if (uv_hrtime() - start_ns >= TURN_NS) return;
    }
}

/* After the poll: whoever had more than one turn's worth, then tasks and the collector. */
static void on_check(uv_check_t *handle)
{
    struct server *server = handle->data;
    run_ready(server);
    session_make_room(server);
    uint64_t events_ns = server->turn_start_ns ? uv_hrtime() - server->turn_start_ns : 0;
    server->turn_start_ns = 0;
    tasks_run(&server->tasks, events_ns);
    if (server->phase == SERVER_STOP_WANTED) stop_begin(server);
}

/* --- the end ----------------------------------------------------------------------------------*/

void server_shutdown(struct server *server)
{
    if (server->phase == SERVER_RUNNING) server->phase = SERVER_STOP_WANTED;
}

/* With its handles closed the loop has nothing to wait for, and ends. */
static void close_handles(struct server *server)
{
    uv_handle_t *handles[] = {
        (uv_handle_t *)&server->prepare,        (uv_handle_t *)&server->check,
        (uv_handle_t *)&server->idle,           (uv_handle_t *)&server->clock,
        (uv_handle_t *)&server->shutdown_timer, (uv_handle_t *)&server->collector_timer,
        (uv_handle_t *)&server->on_term,        (uv_handle_t *)&server->on_int,
        (uv_handle_t *)&server->on_hup,         (uv_handle_t *)&server->expiry.timer,
        (uv_handle_t *)&server->quiet_timer,
    };
    server->phase = SERVER_CLOSING;
    listeners_close(server);
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        if (!uv_is_closing(handles[i])) uv_close(handles[i], NULL);
}

void server_session_ended(struct server *server)
{
    if (server->phase == SERVER_STOPPING && server->sessions.count == 0) close_handles(server);
}

static void on_shutdown_deadline(uv_timer_t *timer)
{
    struct server *server = timer->data;
    log_warn("%zu clients did not take their replies, or had a call running, after %llu ms "
             "(shutdown-time); dropped",
             server->sessions.count, (unsigned long long)server->settings.shutdown_time);
    struct session *next;
    for (struct session *s = server->sessions.first; s; s = next) {
        next = s->links[LINK_ALL].next;
        session_close(s);
    }
}

static void stop_begin(struct server *server)
{
    server->phase = SERVER_STOPPING;
    log_info("shutting down, with %zu clients", server->sessions.count);
    listeners_close(server);
    uv_timer_start(&server->shutdown_timer, on_shutdown_deadline, server->settings.shutdown_time,
                   0);
    struct session *next;
    for (struct session *s = server->sessions.first; s; s = next) {
        next = s->links[LINK_ALL].next;
        session_drain(s);
    }
    server_session_ended(server);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    server_turn_begin(server);
    if (server->signals++ > 0) {
        log_warn("a second signal: ending at once");
        _exit(EXIT_FAILURE);
    }
    log_info("%s", number == SIGTERM ? "asked to end (SIGTERM)" : "interrupted (SIGINT)");
    server_shutdown(server);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
    log_reopen();
    log_info("the log was opened again (SIGHUP)");
}

/* --- the beginning -----------------------------------------------------------------------------*/

static void host_info(struct server *server, struct server_info *info)
{
    *info = (struct server_info){
        .uptime_s = (uv_hrtime() - server->start_time_ns) / 1000000000,
        .clients = server->sessions.count - server->refused,
        .clients_total = server->counters.connections,
        .requests = server->counters.requests,
        .errors = server->counters.errors,
        .addresses = server->addresses,
        .address_count = server->address_count,
    };
}

static int heap_open(struct server *server, char *error, size_t size)
{
    struct settings *settings = &server->settings;
    if (settings->max_memory == 0) {
        uint64_t memory = uv_get_total_memory(), constrained = uv_get_constrained_memory();
        if (constrained && constrained < memory) memory = constrained;
        settings->max_memory = memory / 2;
    }
    if (settings->request_memory == 0)
        settings->request_memory =
            settings->max_memory / 8 < 256 * SIZE_M ? settings->max_memory / 8 : 256 * SIZE_M;
    struct heap_config config = {
        .max_bytes = settings->max_memory,
        .shapes_max = (uint32_t)settings->shapes,
        .weak_slots_max = (uint32_t)settings->weak_slots,
        .intern_bytes_max = (uint32_t)settings->intern_strings,
        .huge_pages = settings->huge_pages,
    };
    int result = uv_random(NULL, NULL, config.hash_key, sizeof config.hash_key, 0, NULL);
    if (result != 0) {
        snprintf(error, size, "no random numbers: %s", uv_strerror(result));
        return result;
    }
    result = heap_create(&server->heap, &config);
    if (result == 0) {
        struct heap_stats stats;
        heap_stats(server->heap, &stats);
        if (settings->huge_pages && !stats.huge_pages)
            log_warn("huge-pages: the system refused them; going on without");
        enum memory_policy policy = POLICY_REFUSE;
        memory_policy_read(settings->memory_policy, &policy);
        keys_init(&server->keys, server->heap, policy);
        if (keys_root_make(&server->keys) != VALUE_ABSENT) return 0;
        result = -ENOMEM;
    }
    snprintf(error, size, "max-memory: a heap of %llu bytes cannot be made: %s",
             (unsigned long long)settings->max_memory, strerror(-result));
    return result;
}

static void loop_open(struct server *server)
{
    uv_loop_t *loop = &server->loop;
    uv_prepare_init(loop, &server->prepare);
    uv_check_init(loop, &server->check);
    uv_idle_init(loop, &server->idle);
    uv_timer_init(loop, &server->clock);
    uv_timer_init(loop, &server->collector_timer);
    uv_timer_init(loop, &server->quiet_timer);
    uv_timer_init(loop, &server->shutdown_timer);
    uv_signal_init(loop, &server->on_term);
    uv_signal_init(loop, &server->on_int);
    uv_signal_init(loop, &server->on_hup);
    server->prepare.data = server->check.data = server->clock.data = server;
    server->quiet_timer.data = server;
    server->shutdown_timer.data = server->on_term.data = server->on_int.data = server;
    uv_prepare_start(&server->prepare, on_prepare);
    uv_check_start(&server->check, on_check);
}

int server_create(struct server **out, struct settings *settings, char *error, size_t error_size)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, error_size, "out of memory");
        settings_close(settings);
        return -ENOMEM;
    }
    server->settings = *settings;
    memset(settings, 0, sizeof *settings);
    server->start_time_ns = uv_hrtime();
    server->read_buffer = malloc(READ_BUFFER_BYTES);
    writer_init(&server->spare_output, 0);
    snprintf(error, error_size, "out of memory");
    int result = server->read_buffer ? heap_open(server, error, error_size) : -ENOMEM;
    if (result == 0) {
        result = uv_loop_init(&server->loop);
        if (result != 0) snprintf(error, error_size, "no event loop: %s", uv_strerror(result));
    }
    if (result != 0) {
        if (server->heap) heap_destroy(server->heap);
        settings_close(&server->settings);
        free(server->read_buffer);
        free(server);
        return result;
    }
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of the write, not our end */
    loop_open(server);
    tasks_init(&server->tasks, server->heap);
    expiry_init(&server->expiry, &server->keys, &server->tasks, &server->loop);
    server->host = (struct call_host){
        .server = server,
        .heap = server->heap,
        .keys = &server->keys,
        .reply_bytes_max = server->settings.reply_bytes,
        .reply_room = server->settings.reply_memory,
        .reply_elements_max = server->settings.reply_elements,
        .call_paths_max = server->settings.call_paths,
        .handles_max = server->settings.handles,
        .cursors_max = server->settings.table_cursors,
        .cursor_idle_ns = server->settings.table_cursor_time * 1000000,
        .import_bytes_max = server->settings.table_import_memory,
        .query_bytes_max = server->settings.table_query_memory,
        .info = host_info,
        .shutdown = server_shutdown,
    };
    *out = server;
    return 0;
}

/* A descriptor for each client: as many as the system lets us have. */
static void descriptors_raise(struct server *server)
{
    struct rlimit limit;
    uint64_t wanted = server->settings.clients + DESCRIPTORS_OWN;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return;
    uint64_t possible = limit.rlim_cur > 2 * DESCRIPTORS_OWN ? limit.rlim_cur - DESCRIPTORS_OWN
                                                             : DESCRIPTORS_OWN;
    log_warn("the system allows %llu open files; clients is lowered from %llu to %llu",
             (unsigned long long)limit.rlim_cur, (unsigned long long)server->settings.clients,
             (unsigned long long)possible);
    server->settings.clients = possible;
}

int server_listen(struct server *server, char *error, size_t error_size)
{
    uv_signal_start(&server->on_term, on_signal, SIGTERM);
    uv_signal_start(&server->on_int, on_signal, SIGINT);
    uv_signal_start(&server->on_hup, on_hangup, SIGHUP);
    descriptors_raise(server);
    return listeners_open(server, error, error_size);
}

int server_run(struct server *server)
{
    uv_run(&server->loop, UV_RUN_DEFAULT);
    intake_destroy_spares(server);
    if (!server->settings.verify) return 0;
    char message[400];
    if (heap_verify(server->heap, message, sizeof message) == 0) {
        log_info("the heap is sound");
        return 0;
    }
    log_error("the heap is damaged: %s", message);
    return -EINVAL;
}

void server_destroy(struct server *server)
{
    if (server->phase != SERVER_CLOSING) {
        close_handles(server);
        uv_run(&server->loop, UV_RUN_DEFAULT);
    }
    int result = uv_loop_close(&server->loop);
    if (result != 0) log_error("the loop could not be closed: %s", uv_strerror(result));
    intake_destroy_spares(server);
    writer_close(&server->spare_output);
    heap_destroy(server->heap);
    settings_close(&server->settings);
    free(server->read_buffer);
    free(server);
}
