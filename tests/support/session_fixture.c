/* session_fixture.c - see session_fixture.h. */
#include "tests/support/session_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LOG_LOOK_MS 100
#define IDLE_LOOK_MS 1000

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

void wait_for_log(const char *text)
{
    for (int tries = 0; !server_process_logged(&server, text); tries++) {
        ck_assert_msg(tries < HANG_MS / LOG_LOOK_MS, "the log has no \"%s\"", text);
        sleep_ms(LOG_LOOK_MS);
    }
}

void wait_until_idle(void)
{
    for (int tries = 0;; tries++) {
        long before = server_process_cpu_ticks(&server);
        sleep_ms(IDLE_LOOK_MS);
        long used = server_process_cpu_ticks(&server) - before;
        if (used <= 1) return;
        ck_assert_msg(tries < HANG_MS / IDLE_LOOK_MS, "%ld ticks of CPU in a second without work",
                      used);
    }
}
