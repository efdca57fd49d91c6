/* measure.h - what the benchmark programs share: clocks, medians, and the line they print.
 *
 * Each program answers one question and prints one JSON object a line for each figure:
 *
 *     {"figure":"free, hot","value":3.1,"unit":"ns","goal":5,"goal_is":"max",
 *      "anchor":"malloc 6.0","build":"release", further details}
 *
 * goal is null where there is none; value is null where the figure could not be taken, and
 * "skipped" then says why. bench/report makes a table of such lines.
 *
 * Machines that serve others as well are noisy. So what is compared is measured in rounds that
 * alternate, in one run, and the median is kept; and where work of one thread is timed in bulk,
 * it is the time that the thread had on its core (measure_cpu_ns). Pauses are the exception: they
 * are what the monotonic clock says, with the CPU time beside them. */
#ifndef CAIRN_BENCH_MEASURE_H
#define CAIRN_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct heap;

/* --- clocks and memory ----------------------------------------------------------------------*/

/* Monotonic. */
uint64_t measure_ns(void);
/* CPU time of this thread. */
uint64_t measure_cpu_ns(void);
/* CPU time of another process; 0 if it is gone. Exact to what the scheduler keeps. */
uint64_t measure_process_cpu_ns(pid_t pid);
/* Resident memory of a process; 0 if it is gone. */
size_t measure_process_rss_bytes(pid_t pid);

/* --- figures --------------------------------------------------------------------------------*/

#define MEASURE_ROUNDS_MAX 64

struct measure_rounds {
    double values[MEASURE_ROUNDS_MAX];
    size_t count;
};
/* Further values than MEASURE_ROUNDS_MAX are an error and end the program. */
void measure_rounds_add(struct measure_rounds *rounds, double figure);
/* 0 of none. Sorts the values. */
double measure_median(struct measure_rounds *rounds);

enum goal_kind { GOAL_NONE, GOAL_MAX, GOAL_MIN };

struct figure {
    const char *name;
    double value;
    const char *unit;
    enum goal_kind goal_is;
    double goal;
    const char *anchor; /* what others do; NULL: none */
};
/* Prints a line. */
void figure_print(const struct figure *f);
/* The same with further members: `details` is a format, as "\"rounds\":%d". */
void figure_print_with(const struct figure *f, const char *details, ...)
    __attribute__((format(printf, 2, 3)));
/* A figure that cannot be taken here, and why. */
void figure_skip(const struct figure *f, const char *why);

/* --- programs -------------------------------------------------------------------------------*/

/* A count in short, for names of figures: "10 M", "500 k". Into `text`, which it returns. */
const char *measure_count_text(uint64_t count, char text[16]);

/* Ends the program with a sentence on standard error. */
_Noreturn void measure_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An option "--name=N": a count, with k, m or g for powers of 1000. */
struct measure_option {
    const char *name; /* NULL ends the list */
    uint64_t *value;  /* its default before, what was given afterwards */
    const char *help;
};
/* Reads the command line. Ends the program on --help and on what it does not know. */
void measure_options(int argc, char **argv, const struct measure_option *options);

/* The option "huge" of those that offer it: measure_heap asks for huge pages. */
extern uint64_t measure_huge;
/* A heap of up to `max_bytes`, with a fixed hash key. */
struct heap *measure_heap(size_t max_bytes);

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t measure_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
/* 0..n-1 */
static inline uint64_t measure_random_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)measure_random(state) * n) >> 64);
}

/* Keeps the compiler from seeing through memory. */
#define measure_fence() __asm__ volatile("" ::: "memory")

#endif
