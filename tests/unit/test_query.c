/* test_query.c - queries, case by case: what is refused and how that is said, nulls and NaN, having
 * and order of groups, explanations, skipped vectors, limits, memory that is short. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/query.h"
#include "heap/text.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/heap_literal.h"
#include "tests/support/runner.h"

Suite *test_suite(void) { return suite_create("query"); }
