/* method_cases.h - at least one call of every method, on data that all of them find; for the
 * tests in which memory fails during each. */
#ifndef CAIRN_TESTS_METHOD_CASES_H
#define CAIRN_TESTS_METHOD_CASES_H

#include "tests/support/in_process.h"

struct method_case {
    const char *method;
    const char *params; /* a literal; LONG: a text that is a rope; ARROW: arrow_sample.h */
    const char *answer; /* how the answer begins: ask.h */
};
extern const struct method_case method_cases[];
extern const size_t method_case_count;

/* The parameters with LONG and ARROW replaced. To be freed. */
char *method_case_params(const struct method_case *c);

/* Ends the test if a method of method_list.h has no case. */
void method_cases_check(void);

/* Replaces all data by what the cases are for. */
void method_cases_fill(struct in_process *p);
/* Everything there is, as text, without steps of the collector in between; to be freed. */
char *method_cases_data(struct in_process *p);

#endif
