/* machine.c - what the machine takes from a program that does nothing but look at the clock.
 *
 *     bench_machine [--seconds=N]
 *
 * Pauses are read from the monotonic clock, and every gap of this loop would be a pause of whatever
 * ran then. So this is the floor below which no single time of the other programs says anything:
 * interrupts, other processes, and the host's other machines. */
#include <sys/resource.h>

#include "bench/histogram.h"
#include "bench/measure.h"

int main(int argc, char **argv)
{
    static struct histogram gaps;
    uint64_t seconds = 20;
    measure_options(argc, argv,
                    (struct measure_option[]){{"seconds", &seconds, "to look at the clock"},
                                              {NULL, NULL, NULL}});
    uint64_t begin = measure_ns(), last = begin, above_20 = 0, above_50 = 0, above_250 = 0;
    while (last - begin < seconds * 1000000000) {
        uint64_t now = measure_ns(), gap = now - last;
        histogram_add(&gaps, gap);
        above_20 += gap > 20000;
        above_50 += gap > 50000;
        above_250 += gap > 250000;
        last = now;
    }
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) measure_fail("the system does not tell of switches");
    figure_print_with(
        &(struct figure){"an idle loop, gaps above 20 us a second",
                         (double)above_20 / (double)seconds, "", GOAL_NONE, 0, NULL},
        "\"seconds\":%lu,\"above_20_us\":%lu,\"above_50_us\":%lu,\"above_250_us\":%lu,"
        "\"switches\":%ld",
        seconds, above_20, above_50, above_250, usage.ru_nivcsw);
    figure_print(&(struct figure){"an idle loop, longest gap", (double)gaps.max / 1e3, "us",
                                  GOAL_NONE, 0, NULL});
    return 0;
}
