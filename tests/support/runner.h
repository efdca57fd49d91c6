/* runner.h - what every Check program shares: each defines test_suite() and links the main
 * of runner.c, which reports in TAP on standard output. */
#ifndef CAIRN_TESTS_RUNNER_H
#define CAIRN_TESTS_RUNNER_H

#include <check.h>

Suite *test_suite(void);

#endif
