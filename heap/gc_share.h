/* gc_share.h - how much of the time the collector may have, and how much it had.
 *
 * Beside other work it lives on credit: a share of the time that events take, which is spent
 * as it works. So however short the turns of the loop are, its part of the time is bounded:
 *
 *   GC_SHARE_USUAL  a quarter of the events' time: a fifth of the whole
 *   GC_SHARE_MOST   twice the events' time: two thirds of the whole, when garbage comes about
 *                   faster than it is found, or memory is short
 *
 * Less than twice does not hold what bench_churn asks for, peak / live <= 1.40 while rings of
 * shared nodes are replaced at full speed: with at most 100, 150 and 200 % it measured 1.69, 1.43
 * and 1.38 (and took 45, 47 and 50 % of the whole time; 300,000 keys).
 *
 * Turns without events are nobody's time, and cost no credit. Time comes in from outside. */
#ifndef CAIRN_HEAP_GC_SHARE_H
#define CAIRN_HEAP_GC_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* Percent of the events' time. */
#define GC_SHARE_USUAL 25
#define GC_SHARE_MOST 200

/* At most so long between two turns: usually; and at all. */
#define GC_TURN_NS ((uint64_t)100000)
#define GC_TURN_MOST_NS ((uint64_t)600000)
/* Less credit than this is left to grow: a step would be longer. */
#define GC_TURN_LEAST_NS ((uint64_t)20000)

#define GC_SHARE_SECONDS 64

struct gc_share {
    int64_t credit_ns;
    uint64_t second;                    /* the last one with work */
    uint64_t worked_ns[GC_SHARE_SECONDS]; /* in each of the last seconds, by second % 64 */
};

/* A turn had events for so long: how long the collector may work now, 0: not yet. */
uint64_t gc_share_earn(struct gc_share *s, uint64_t events_ns, unsigned percent);
/* It has worked so long on credit. */
void gc_share_spend(struct gc_share *s, uint64_t worked_ns);

/* It has worked so long, up to now; on credit or not. */
void gc_share_record(struct gc_share *s, uint64_t now_ns, uint64_t worked_ns);
/* The share of the last `seconds` (1..60) in per mille. */
unsigned gc_share_permille(const struct gc_share *s, uint64_t now_ns, unsigned seconds);

#endif
