/* session_fixture.c - see session_fixture.h. */
#include "tests/support/session_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LOG_TRIES_MAX 1200
#define IDLE_TRIES_MAX 60

struct server_process server;
struct writer out;

void session_setup(void)
{
    memset(&server, 0, sizeof server);
    writer_init(&out, 0);
}

void session_teardown(void)
{
    writer_close(&out);
    server_process_stop(&server);
}

static struct wire *wire_new(void)
{
    struct wire *w = malloc(sizeof *w);
    ck_assert_ptr_nonnull(w);
    return w;
}

struct wire *tcp(void)
{
    struct wire *w = wire_new();
    wire_open_tcp(w, server.port);
    return w;
}

struct wire *local(void)
{
    struct wire *w = wire_new();
    wire_open_unix(w, server.unix_path);
    return w;
}

void hang_up(struct wire *w)
{
    wire_close(w);
    free(w);
}

void reset(struct wire *w)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    hang_up(w);
}

void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

void wait_for_log(const char *text)
{
    for (int tries = 0; !server_process_logged(&server, text); tries++) {
        ck_assert_msg(tries < LOG_TRIES_MAX, "the log has no \"%s\"", text);
        sleep_ms(100);
    }
}

void wait_until_idle(void)
{
    for (int tries = 0;; tries++) {
        long before = server_process_cpu_ticks(&server);
        sleep_ms(1000);
        long used = server_process_cpu_ticks(&server) - before;
        if (used <= 1) return;
        ck_assert_msg(tries < IDLE_TRIES_MAX, "%ld ticks of CPU in a second without work", used);
    }
}
