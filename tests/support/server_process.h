/* server_process.h - a real cairn-server as a child process, for integration tests.
 *
 * It listens on a free port of loopback and on a Unix socket in a directory of its own, logs
 * to a file there, and verifies its heap at the end. */
#ifndef CAIRN_TESTS_SERVER_PROCESS_H
#define CAIRN_TESTS_SERVER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* What takes longer hangs, also on a busy machine: ten million objects are verified in seconds. */
#define HANG_MS 300000

void sleep_ms(long ms);

struct server_process {
    pid_t pid; /* 0: none */
    int port;
    char directory[64];
    char unix_path[96];
    char log_path[96];
};

/* Starts it with further options ("--clients=3", …, NULL) and waits until it listens. Ends
 * the test if it does not. */
void server_process_start(struct server_process *p, const char *const *options);
/* Sends SIGTERM, and asserts what server_process_join does. */
void server_process_stop(struct server_process *p);
/* Waits for the end and asserts status 0 and a sound heap. */
void server_process_join(struct server_process *p);

/* Stops it where it is, until it goes on: what is sent meanwhile it sees at once. */
void server_process_halt(struct server_process *p);
void server_process_go_on(struct server_process *p);

/* Whether the log holds `text`. */
bool server_process_logged(const struct server_process *p, const char *text);
/* Clock ticks of CPU that it has used. */
long server_process_cpu_ticks(const struct server_process *p);
long server_process_rss_kib(const struct server_process *p);

#endif
