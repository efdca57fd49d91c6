/* clock.h - the monotonic clock, for tasks that work to a budget of time. */
#ifndef CAIRN_SERVER_CLOCK_H
#define CAIRN_SERVER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
