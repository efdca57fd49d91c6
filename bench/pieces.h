/* pieces.h - how long pieces of work take, one by one.
 *
 * The longest of a million pieces tells more about the machine than about the program: whatever
 * is preempted, by another process or by the host, has a piece that takes milliseconds. So the
 * same work is done several times over, piece by piece the same, and each piece counts with the
 * least time that it took, by the monotonic clock or the thread's CPU clock: what is long then is
 * long because of what it does. What belongs to the work stays in: a page that the system clears
 * at first touch, a search, a miss of every cache, since each run meets it at the same piece.
 *
 * Two things guard against seeing too little. The second least time of each piece is summed up as
 * well: an outlier of our own that a single lucky run would hide shows there. And the times are
 * shown as they happened, the machine's stalls included. */
#ifndef CAIRN_BENCH_PIECES_H
#define CAIRN_BENCH_PIECES_H

#include "bench/histogram.h"
#include "bench/measure.h"

struct pieces {
    struct histogram wall, cpu; /* ns, of all runs */
    uint32_t *least;            /* ns, of each piece, by either clock; owned */
    uint32_t *second;           /* ns, the second least of each; UINT32_MAX in the first run */
    size_t count, capacity;     /* pieces of a run */
    size_t at;                  /* the next piece */
    unsigned runs;
};

/* Begins with zeroed memory, or after pieces_close. */
void pieces_close(struct pieces *pieces);
/* Before the first run: memory for so many pieces, all of it touched. Otherwise the first run pays
 * for it, a piece here and there, and at those pieces nothing but the other runs counts. */
void pieces_reserve(struct pieces *pieces, size_t count);
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

/* Both times of one piece; for a piece that counts in several classes. */
struct piece_time {
    uint64_t wall, cpu;
};
static inline struct piece_time piece_time(struct piece_begin begin)
{
    struct piece_time t = {.wall = measure_ns() - begin.wall};
    t.cpu = measure_cpu_ns() - begin.cpu;
    return t;
}

/* Three lines, in us: NAME, p99.99 and NAME, longest, of the least times; these are what the goals
 * are for (below 0: none); and NAME, longest as it happened. `details` are further JSON members.
 * The last two have histograms, "below_us":{"1":n,"2":n,...}: how many took less than so much, and
 * not less than half of it. Of a class without pieces nothing is printed. */
void pieces_print(struct pieces *pieces, const char *name, double goal_p9999, double goal_longest,
                  const char *anchor, const char *details);

#endif
