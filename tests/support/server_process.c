/* server_process.c - see server_process.h. */
#include "tests/support/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/runner.h"

#define OPTIONS_MAX 24
#define DESCRIPTORS_MAX 1024

void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* The text of the log, or "" - to be freed. */
static char *log_read(const struct server_process *p)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size), *in = fopen(p->log_path, "r");
    ck_assert_ptr_nonnull(out);
    for (int c; in && (c = getc(in)) != EOF;) putc(c, out);
    if (in) fclose(in);
    fclose(out);
    return text;
}

bool server_process_logged(const struct server_process *p, const char *text)
{
    char *log = log_read(p);
    bool found = strstr(log, text) != NULL;
    free(log);
    return found;
}

static void log_show(const struct server_process *p)
{
    char *log = log_read(p);
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
        printf("# server: %s\n", line);
    fflush(stdout);
    free(log);
}

static void child_run(const struct server_process *p, const char *const *options)
{
    char program[4096], unix_option[128];
    const char *build = getenv("CAIRN_BUILD");
    snprintf(program, sizeof program, "%s/cairn-server", build ? build : ".");
    snprintf(unix_option, sizeof unix_option, "--unix=%s", p->unix_path);
    const char *argv[OPTIONS_MAX + 8] = {program, "--port=0", unix_option, "--verify",
                                         "--max-memory=256m"};
    for (size_t i = 0; options && options[i] && i < OPTIONS_MAX; i++) argv[5 + i] = options[i];
    int log = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log >= 0) {
        dup2(log, STDERR_FILENO);
        dup2(log, STDOUT_FILENO);
    }
    /* A test that fails leaves without stopping the server: it must not outlive the test, nor
     * hold the pipe that the test's report goes through. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++) close(fd);
    execv(program, (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "cannot run %s\n", program);
    _exit(127);
}

void server_process_start(struct server_process *p, const char *const *options)
{
    memset(p, 0, sizeof *p);
    strcpy(p->directory, "/tmp/cairn-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->directory));
    snprintf(p->unix_path, sizeof p->unix_path, "%s/socket", p->directory);
    snprintf(p->log_path, sizeof p->log_path, "%s/log", p->directory);
    fflush(stdout);
    p->pid = fork();
    ck_assert_int_ge(p->pid, 0);
    if (p->pid == 0) child_run(p, options);
    for (int waited = 0; waited < HANG_MS; waited += 10) {
        char *log = log_read(p);
        const char *tcp = strstr(log, "listening on 127.0.0.1:");
        bool both = tcp && strstr(log, p->unix_path) && strchr(strstr(log, p->unix_path), '\n');
        if (both) p->port = atoi(strchr(tcp, ':') + 1);
        free(log);
        if (both) return;
        ck_assert_int_eq(waitpid(p->pid, NULL, WNOHANG), 0);
        sleep_ms(10);
    }
    log_show(p);
    ck_abort_msg("the server does not listen");
}

void server_process_join(struct server_process *p)
{
    int status = -1;
    pid_t ended = 0;
    for (int waited = 0; waited < HANG_MS && ended == 0; waited += 10) {
        ended = waitpid(p->pid, &status, WNOHANG);
        if (ended == 0) sleep_ms(10);
    }
    if (ended == 0) kill(p->pid, SIGKILL);
    bool good = ended == p->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
                server_process_logged(p, "the heap is sound") && access(p->unix_path, F_OK) != 0;
    if (!good) log_show(p);
    unlink(p->log_path);
    unlink(p->unix_path);
    rmdir(p->directory);
    p->pid = 0;
    ck_assert_msg(good, "the server ended badly (status %#x)", status);
}

void server_process_stop(struct server_process *p)
{
    if (!p->pid) return;
    kill(p->pid, SIGTERM);
    server_process_join(p);
}

void server_process_halt(struct server_process *p)
{
    int status = 0;
    kill(p->pid, SIGSTOP);
    ck_assert_int_eq(waitpid(p->pid, &status, WUNTRACED), p->pid);
    ck_assert_msg(WIFSTOPPED(status), "the server ended (status %#x)", status);
}

void server_process_go_on(struct server_process *p) { kill(p->pid, SIGCONT); }

long server_process_cpu_ticks(const struct server_process *p)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    /* Fields 14 and 15, counted behind the name, which may hold blanks. */
    long user = 0, system = 0;
    int found = sscanf(strrchr(text, ')') + 2,
                       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system);
    ck_assert_int_eq(found, 2);
    return user + system;
}

long server_process_rss_kib(const struct server_process *p)
{
    char path[64], line[256];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    fclose(file);
    ck_assert_int_gt(kib, 0);
    return kib;
}
