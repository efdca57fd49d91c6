/* pieces.h - how long pieces of work take, one by one.
 *
 * The longest of a million pieces tells more about the machine than about the program: whatever
 * is preempted, by another process or by the host, has a piece that takes milliseconds. So the
 * same work is done several times over, piece by piece the same, and each piece counts with the
 * least time that it took, by the monotonic clock or the thread's CPU clock: what is long then is
 * long because of what it does. The times as they came are shown beside it. */
#ifndef CAIRN_BENCH_PIECES_H
#define CAIRN_BENCH_PIECES_H

#include "bench/histogram.h"
#include "bench/measure.h"

struct pieces {
    struct histogram wall, cpu; /* ns, of all runs */
    uint32_t *least;            /* ns, of each piece, by either clock; owned */
    size_t count, capacity;     /* pieces of a run */
    size_t at;                  /* the next piece */
    unsigned runs;
};

/* Begins with zeroed memory, or after pieces_close. */
void pieces_close(struct pieces *pieces);
/* The next piece is the first of a further run. Runs of other lengths than the first end the
 * program. */
void pieces_run_end(struct pieces *pieces);

struct piece_begin {
    uint64_t wall, cpu;
};
static inline struct piece_begin piece_begin(void)
{
    struct piece_begin b = {.cpu = measure_cpu_ns()};
    b.wall = measure_ns();
    return b;
}
void pieces_add(struct pieces *pieces, uint64_t wall_ns, uint64_t cpu_ns);
/* Adds the time since then, and returns it by the monotonic clock. */
static inline uint64_t piece_end(struct pieces *pieces, struct piece_begin begin)
{
    uint64_t wall = measure_ns() - begin.wall;
    pieces_add(pieces, wall, measure_cpu_ns() - begin.cpu);
    return wall;
}
/* The same, and the next piece begins there: for pieces that are shorter than reading clocks. */
static inline struct piece_begin piece_next(struct pieces *pieces, struct piece_begin begin)
{
    struct piece_begin now = piece_begin();
    pieces_add(pieces, now.wall - begin.wall, now.cpu - begin.cpu);
    return now;
}

/* Three lines, in us: NAME, p99.99 and NAME, longest, of the least times; these are what the goals
 * are for (below 0: none); and NAME, longest as it happened. `details` are further JSON members. */
void pieces_print(struct pieces *pieces, const char *name, double goal_p9999, double goal_longest,
                  const char *anchor, const char *details);

#endif
