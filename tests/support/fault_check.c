/* fault_check.c - see fault_check.h. */
#include "tests/support/fault_check.h"

#include <stdlib.h>
#include <string.h>

#include "heap/gc.h"
#include "tests/support/ask.h"

void fault_check_collector(struct in_process *p)
{
    struct heap_stats before, after;
    heap_stats(p->heap, &before);
    gc_collect(p->heap);
    heap_stats(p->heap, &after);
    ck_assert_uint_eq(after.allocations, before.allocations);
    ck_assert_int_eq(gc_phase(p->heap), GC_IDLE);
    in_process_verify(p);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

uint64_t fault_check(struct in_process *p, const struct fault_data *data, const char *method,
                     const char *params, const char *answer)
{
    data->fill();
    char *before = data->all();
    uint64_t n = 1;
    for (;; n++) {
        size_t handles = p->refs.count;
        heap_fail_nth(p->heap, n);
        const char *got = ask(p, method, params);
        bool failed = !heap_fail_pending(p->heap);
        heap_fail_nth(p->heap, 0);
        if (!failed) {
            ck_assert_msg(begins(got, answer), "%s(%s): %s", method, params, got);
            break;
        }
        in_process_verify(p);
        if (begins(got, answer) && !begins(got, "! ")) {
            data->fill();
            continue;
        }
        ck_assert_msg(begins(got, "! OUT_OF_MEMORY "), "%s(%s), allocation %u: %s", method, params,
                      (unsigned)n, got);
        char *after = data->all();
        ck_assert_msg(strcmp(after, before) == 0, "%s(%s), allocation %u: %s became %s", method,
                      params, (unsigned)n, before, after);
        ck_assert_uint_eq(p->refs.count, handles);
        free(after);
        if (n == 1) fault_check_collector(p);
    }
    in_process_verify(p);
    fault_check_collector(p);
    free(before);
    return n - 1;
}
