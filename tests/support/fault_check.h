/* fault_check.h - a call whose n-th allocation fails, for all n: it fails whole. */
#ifndef CAIRN_TESTS_FAULT_CHECK_H
#define CAIRN_TESTS_FAULT_CHECK_H

#include "tests/support/in_process.h"

/* What is there before each call, and everything that must be as before after a failure. */
struct fault_data {
    void (*fill)(void);
    char *(*all)(void); /* to be freed */
};

/* Until no allocation is left to fail, each failure is OUT_OF_MEMORY, the data as they were, the
 * heap sound and the collector able to work; in the end the answer begins with `answer`. What can
 * do without the memory may be done at once: what shrinks may keep its larger cell. Returns how
 * many allocations could fail. */
uint64_t fault_check(struct in_process *p, const struct fault_data *data, const char *method,
                     const char *params, const char *answer);

/* A whole cycle ends, and takes nothing from the heap for it. */
void fault_check_collector(struct in_process *p);

#endif
