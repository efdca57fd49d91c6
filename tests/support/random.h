/* random.h - the tests' random numbers: SplitMix64 (Steele, Lea, Flood 2014). Tests that run many
 * short programs take their seeds from seeds.h. */
#ifndef CAIRN_TESTS_RANDOM_H
#define CAIRN_TESTS_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
/* 0..n-1 */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random_next(state) * n) >> 64);
}
/* CAIRN_SEED, or the first of CAIRN_SEEDS, or 1: a test fails each time or never. It is printed by
 * whoever uses it. */
static inline uint64_t random_seed(void)
{
    const char *seed = getenv("CAIRN_SEED");
    if (!seed) seed = getenv("CAIRN_SEEDS");
    return seed ? strtoull(seed, NULL, 0) : 1;
}

#endif
