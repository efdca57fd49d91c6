/* seeds.h - which seeds a test of random programs runs, and how a failure names its own.
 *
 *     START_TEST(random_programs)
 *     {
 *         uint64_t seed;
 *         struct seeds seeds = seeds_open("programs", 1000);
 *         while (seeds_next(&seeds, &seed)) run_program(seed);
 *     }
 *
 * Seeds are 1, 2, … count, so that a run is the same each time; CAIRN_SEEDS=a-b gives others,
 * and CAIRN_SEED=n runs one. When the program ends by a failed assertion, a signal or a sanitizer,
 * the command that repeats the seed is printed. A test case that uses this is a TCase of its own,
 * made by seeds_tcase. */
#ifndef CAIRN_TESTS_SEEDS_H
#define CAIRN_TESTS_SEEDS_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

struct seeds {
    uint64_t next, last;
};

/* `tcase` is the name of the TCase, for the command; static storage. */
struct seeds seeds_open(const char *tcase, uint64_t count);
/* The next seed, or false when all were run. */
bool seeds_next(struct seeds *seeds, uint64_t *seed);

/* A TCase that tells which seed failed. */
TCase *seeds_tcase(const char *name);

#endif
