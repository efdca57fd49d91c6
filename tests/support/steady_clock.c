/* steady_clock.c - the clock of the tests that have a session in memory: each look at it takes
 * LOOK_NS, and nothing else takes any time.
 *
 * Calls work in steps of a time budget. By the machine's clock a step did more on a fast machine
 * and less on a busy one, so that a test that wanted a call to be under way could find it done, or
 * a random program was another one each time. By this one a step is a number of looks, and so
 * always the same work: two looks for the steps that in_process gives, ten for the first of a call.
 *
 * Programs that are linked with SESSION_TEST_WRAP have it: all that they are made of ask it
 * instead of clock_gettime; shared libraries and other clocks than CLOCK_MONOTONIC do not. */
#include <stdint.h>
#include <time.h>

#define LOOK_NS 10000

int __real_clock_gettime(clockid_t clock, struct timespec *time) __attribute__((weak));
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    static uint64_t now_ns = 1000000000;
    if (clock != CLOCK_MONOTONIC) return __real_clock_gettime(clock, time);
    now_ns += LOOK_NS;
    time->tv_sec = (time_t)(now_ns / 1000000000);
    time->tv_nsec = (long)(now_ns % 1000000000);
    return 0;
}
