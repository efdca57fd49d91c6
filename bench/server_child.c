/* server_child.c - see server_child.h. */
#include "bench/server_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"

#define START_MS 20000
#define SETTLE_MS 300
/* A server gives memory back when it has been idle for a second. */
#define QUIET_MS 2500

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void child_run(const struct server_child *s, size_t max_memory_bytes, unsigned clients)
{
    char program[4096], unix_option[128], memory_option[64], clients_option[64];
    const char *build = getenv("CAIRN_BUILD");
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* it does not outlive the benchmark */
    snprintf(program, sizeof program, "%s/cairn-server", build ? build : ".");
    snprintf(unix_option, sizeof unix_option, "--unix=%s", s->socket);
    snprintf(memory_option, sizeof memory_option, "--max-memory=%zu", max_memory_bytes);
    snprintf(clients_option, sizeof clients_option, "--clients=%u", clients);
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log >= 0) {
        dup2(log, STDERR_FILENO);
        dup2(log, STDOUT_FILENO);
    }
    execl(program, program, s->tcp ? "--port=0" : "--bind=none", unix_option, memory_option,
          clients_option, (char *)NULL);
    _exit(127);
}

static void start(struct server_child *s, size_t max_memory_bytes, unsigned clients, bool tcp)
{
    memset(s, 0, sizeof *s);
    s->tcp = tcp;
    strcpy(s->directory, "/tmp/cairn-bench.XXXXXX");
    if (!mkdtemp(s->directory)) measure_fail("no directory %s", s->directory);
    snprintf(s->socket, sizeof s->socket, "%s/socket", s->directory);
    snprintf(s->log, sizeof s->log, "%s/log", s->directory);
    fflush(stdout);
    s->pid = fork();
    if (s->pid < 0) measure_fail("fork");
    if (s->pid == 0) child_run(s, max_memory_bytes, clients);
    struct cairn *c = cairn_create();
    for (int waited = 0; waited < START_MS; waited += 10) {
        if (waitpid(s->pid, NULL, WNOHANG) != 0) measure_fail("the server ended: see %s", s->log);
        if (cairn_connect_unix(c, s->socket) == CAIRN_OK) {
            cairn_destroy(c);
            return;
        }
        sleep_ms(10);
    }
    measure_fail("the server does not listen: %s; see %s", cairn_error_text(c), s->log);
}

void server_child_start(struct server_child *s, size_t max_memory_bytes, unsigned clients)
{
    start(s, max_memory_bytes, clients, false);
}

void server_child_start_tcp(struct server_child *s, size_t max_memory_bytes, unsigned clients)
{
    char line[256];
    start(s, max_memory_bytes, clients, true);
    FILE *log = fopen(s->log, "r");
    while (log && s->port == 0 && fgets(line, sizeof line, log)) {
        const char *at = strstr(line, "listening on 127.0.0.1:");
        if (at) s->port = (unsigned)strtoul(strchr(at, ':') + 1, NULL, 10);
    }
    if (log) fclose(log);
    if (s->port == 0) measure_fail("the log does not tell the port: see %s", s->log);
}

void server_child_stop(struct server_child *s)
{
    int status;
    kill(s->pid, SIGTERM);
    if (waitpid(s->pid, &status, 0) != s->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        measure_fail("the server ended badly: see %s", s->log);
    unlink(s->log);
    unlink(s->socket);
    rmdir(s->directory);
    s->pid = 0;
}

static void must(struct cairn *c, enum cairn_status status)
{
    if (status != CAIRN_OK) measure_fail("%s", cairn_error_text(c));
}

struct cairn *server_child_connect(const struct server_child *s)
{
    struct cairn *c = cairn_create();
    if (!c) measure_fail("out of memory");
    must(c, s->tcp ? cairn_connect_tcp(c, "127.0.0.1", s->port)
                   : cairn_connect_unix(c, s->socket));
    cairn_timeouts_set(c, 5000, 120000);
    return c;
}

void server_child_call(struct cairn *c, const char *method, const struct cairn_args *args)
{
    must(c, cairn_call(c, method, args, NULL));
}

static void receive(struct cairn *c)
{
    struct cairn_reply *reply;
    must(c, cairn_receive(c, &reply));
    cairn_reply_destroy(reply);
}

void server_child_send(struct cairn *c, const char *method, const struct cairn_args *args,
                       size_t window)
{
    must(c, cairn_send(c, method, args));
    if (cairn_pending(c) < window) return;
    while (cairn_pending(c) > window / 2) receive(c);
}

void server_child_finish(struct cairn *c)
{
    while (cairn_pending(c) > 0) receive(c);
}

double server_child_figure(struct cairn *c, const char *method, const char *const *names)
{
    struct cairn_reply *reply;
    must(c, cairn_call(c, method, NULL, &reply));
    const struct cairn_value *v = cairn_reply_result(reply);
    for (; *names; names++) v = cairn_field(v, *names);
    double figure = cairn_double(v, -1);
    cairn_reply_destroy(reply);
    if (figure < 0) measure_fail("%s does not tell a figure that is looked for", method);
    return figure;
}

void server_child_settle(const struct server_child *s, unsigned seconds)
{
    uint64_t deadline = measure_ns() + seconds * (uint64_t)1000000000, before, now;
    unsigned quiet_ms = 0;
    now = measure_process_cpu_ns(s->pid);
    do {
        before = now;
        sleep_ms(SETTLE_MS);
        now = measure_process_cpu_ns(s->pid);
        quiet_ms = now - before > 1000000 ? 0 : quiet_ms + SETTLE_MS;
    } while (quiet_ms < QUIET_MS && measure_ns() < deadline);
}
