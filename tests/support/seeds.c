/* seeds.c - see seeds.h. */
#include "tests/support/seeds.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TCASE_SECONDS_MAX 1800

static struct {
    const char *tcase;
    bool active; /* a program with this seed has begun and not ended */
    uint64_t seed;
} running;

/* Called by signal handlers, too: dprintf is good enough for a program that is about to end. */
static void tell(void)
{
    if (!running.active) return;
    running.active = false;
    dprintf(STDERR_FILENO, "# seed %" PRIu64 " failed. To repeat it: CK_FORK=no CK_RUN_CASE=%s "
            "CAIRN_SEED=%" PRIu64 " ./%s\n",
            running.seed, running.tcase, running.seed, program_invocation_short_name);
}

static void on_signal(int number)
{
    tell();
    signal(number, SIG_DFL);
    raise(number);
}

/* AddressSanitizer calls this before its report. */
void __asan_on_error(void);
void __asan_on_error(void) { tell(); }

struct seeds seeds_open(const char *tcase, uint64_t count)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], on_signal);
    struct seeds seeds = {1, count};
    const char *one = getenv("CAIRN_SEED"), *range = getenv("CAIRN_SEEDS");
    if (one) {
        seeds.next = seeds.last = strtoull(one, NULL, 0);
    } else if (range && sscanf(range, "%" SCNu64 "-%" SCNu64, &seeds.next, &seeds.last) != 2) {
        fprintf(stderr, "CAIRN_SEEDS=%s: should be first and last seed, as 1-1000\n", range);
        exit(EXIT_FAILURE);
    }
    running.tcase = tcase;
    running.active = false;
    return seeds;
}

bool seeds_next(struct seeds *seeds, uint64_t *seed)
{
    running.active = seeds->next <= seeds->last;
    if (!running.active) return false;
    *seed = running.seed = seeds->next++;
    return true;
}

TCase *seeds_tcase(const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, TCASE_SECONDS_MAX);
    tcase_add_checked_fixture(tcase, NULL, tell);
    return tcase;
}
