/* expect.h - assertions for inner loops. Check's own write a mark to a file each time, which a loop
 * over a million cells would feel. */
#ifndef CAIRN_TESTS_EXPECT_H
#define CAIRN_TESTS_EXPECT_H

#include <check.h>

#define expect(condition, ...)                       \
    do {                                             \
        if (!(condition)) ck_abort_msg(__VA_ARGS__); \
    } while (0)
#define expect_true(condition) expect(condition, "%s", #condition)
#define expect_equal(a, b) expect((a) == (b), "%s is not %s", #a, #b)

#endif
