/* test_methods_malloc.c - when the C library has no memory, a request is answered with an error or
 * its connection is dropped; the server goes on, nothing leaks, and nothing is half done.
 *
 * The linker sends this program's malloc, calloc and realloc through the functions below. During a
 * request the first of them fails, then the second, until none is left to fail: only that one, or
 * all from it on. What the debug
 * builds check when marking begins and ends is left out: it has bits and stacks of its own. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/method_cases.h"
#include "tests/support/runner.h"

static struct {
    bool armed;
    unsigned left; /* until one fails */
    bool lasting;  /* and all that follow fail, too */
} fault;

static bool fails(void)
{
    if (!fault.armed) return false;
    if (fault.left == 0) return fault.lasting;
    return --fault.left == 0;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

void *__wrap_malloc(size_t bytes) { return fails() ? NULL : __real_malloc(bytes); }
void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}
void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_realloc(memory, bytes);
}

#ifdef CAIRN_DEBUG
int __real_heap_shadow_mark(struct heap *h, char *message, size_t size);
int __wrap_heap_shadow_mark(struct heap *h, char *message, size_t size);
void __real_oracle_begin(struct heap *h);
void __wrap_oracle_begin(struct heap *h);

int __wrap_heap_shadow_mark(struct heap *h, char *message, size_t size)
{
    bool armed = fault.armed;
    fault.armed = false;
    int status = __real_heap_shadow_mark(h, message, size);
    fault.armed = armed;
    return status;
}
void __wrap_oracle_begin(struct heap *h)
{
    bool armed = fault.armed;
    fault.armed = false;
    __real_oracle_begin(h);
    fault.armed = armed;
}
#endif

static struct in_process p; /* holds the heap; requests come from sessions of their own */

static void setup(void)
{
    in_process_open(&p, 0);
    ask_extensions(&p, true);
}
static void teardown(void) { in_process_close(&p); }

enum outcome { DONE, REFUSED, DROPPED, OUTCOMES };
static unsigned outcomes[OUTCOMES]; /* how often each followed a failure */

/* What became of the request whose bytes the session was fed. */
static enum outcome outcome(struct in_process *session, int status, const char *what, unsigned n)
{
    size_t used;
    if (status < 0 || session->out.error != WRITER_OK) return DROPPED;
    ck_assert_uint_gt(session->out.length, 0);
    char *text = literal_read(session->out.data, session->out.length, &used);
    ck_assert_msg(used == session->out.length, "%s, allocation %u: %s", what, n, text);
    bool refused = strstr(text, "OUT_OF_MEMORY") != NULL;
    ck_assert_msg(refused || strstr(text, "[1, 1, nil, ") == text, "%s, allocation %u: %s", what, n,
                  text);
    free(text);
    return refused ? REFUSED : DONE;
}

/* A session of its own sends the request, and the n-th allocation fails, if it comes to that. */
static bool request(const struct writer *w, const char *what, unsigned n)
{
    struct in_process session;
    char *before = method_cases_data(&p);
    in_process_join(&session, &p);
    session.features.ext = true;
    fault.left = n;
    fault.armed = true;
    int status = in_process_feed(&session, w->data, w->length);
    fault.armed = false;
    bool failed = fault.left == 0;
    enum outcome got = outcome(&session, status, what, n);
    ck_assert_msg(failed || got == DONE, "%s: nothing failed, and yet it did", what);
    outcomes[got] += failed;
    in_process_end(&session);
    in_process_verify(&p);
    if (got == REFUSED) {
        char *after = method_cases_data(&p);
        ck_assert_msg(strcmp(after, before) == 0, "%s, allocation %u: %s became %s", what, n,
                      before, after);
        free(after);
    }
    free(before);
    return failed;
}

START_TEST(every_method_outlives_a_failing_malloc)
{
    method_cases_check();
    for (size_t i = 0; i < method_case_count; i++) {
        const struct method_case *c = &method_cases[i];
        if (c->answer[0] == '!') continue;
        char *params = method_case_params(c), *list = malloc(strlen(params) + 3);
        struct writer w;
        sprintf(list, "[%s]", params);
        writer_init(&w, 0);
        writer_array(&w, 4);
        writer_int(&w, 0);
        writer_int(&w, 1);
        writer_cstr(&w, c->method);
        literal_write(&w, list);
        for (unsigned n = 1;; n++) {
            method_cases_fill(&p);
            fault.lasting = _i;
            if (!request(&w, c->method, n)) break;
        }
        writer_close(&w);
        free(params);
        free(list);
    }
    printf("# after a failure %u were done, %u refused, %u dropped\n", outcomes[DONE],
           outcomes[REFUSED], outcomes[DROPPED]);
    /* With lasting shortage there may be no room for the answer. */
    ck_assert_uint_gt(outcomes[_i ? DROPPED : REFUSED], method_case_count);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_malloc");
    TCase *tcase = tcase_create("malloc");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, every_method_outlives_a_failing_malloc, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
