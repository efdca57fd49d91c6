/* gc.h - the collector's controls.
 *
 * Incremental mark-sweep, snapshot at the beginning (Yuasa 1990): everything that was
 * reachable when a cycle began survives it. Steps run at safe points only. It never
 * allocates. Most garbage never reaches it: what has one owner is freed when the owner
 * lets go (value_release). Its work is what was shared, and what hangs from that. */
#ifndef CAIRN_HEAP_GC_H
#define CAIRN_HEAP_GC_H

#include "heap/heap.h"

/* X(NAME, text). The order is the order of a cycle. */
#define GC_PHASES(X)                                                          \
    X(IDLE, "idle")                                                           \
    X(MARK, "mark")   /* gray objects are scanned until there is none */      \
    X(DRAIN, "drain") /* weak tables lose what was not marked */              \
    X(SWEEP, "sweep") /* page by page, white cells become free */
enum gc_phase {
#define X(name, text) GC_##name,
    GC_PHASES(X)
#undef X
};
const char *gc_phase_name(enum gc_phase phase);

/* How much the collector has to do. */
enum gc_urgency {
    GC_RESTING,  /* nothing to do: the server may sleep */
    GC_RELAXED,  /* a cycle is worth it while there is nothing else to do */
    GC_INDEBTED, /* a cycle is under way or due: work after each batch of events */
    GC_PRESSED,  /* the same, above the soft limit: work harder */
};

enum gc_phase gc_phase(const struct heap *h);
enum gc_urgency gc_urgency(const struct heap *h);

/* While resting: whether there will be something worth doing (GC_RELAXED) without further events,
 * and how long to wait for it: the server sets a timer. Idle cycles keep a distance that depends
 * on what the last one cost; memory is given back when it was not asked for during a second. */
bool gc_idle_work_wanted(const struct heap *h);
uint64_t gc_idle_wait_ns(const struct heap *h);

/* A turn of the loop is over, whose events took so long (0: there were none). Returns how long
 * gc_run may work now: gc_share.h has the rules. With events, what it took is to be charged. */
uint64_t gc_budget_ns(struct heap *h, uint64_t events_ns);
void gc_charge(struct heap *h, uint64_t worked_ns);

/* A turn of the loop with events is over: gives the pages that will be taken next their memory,
 * for about `budget_ns`. Nothing to do if no page was taken lately. Returns the time used, which
 * the next events would have spent otherwise. */
uint64_t heap_ahead(struct heap *h, uint64_t budget_ns);

/* Begins a cycle if none is under way. */
void gc_start(struct heap *h);

/* Works on the cycle under way for about `units` units (one unit: one word looked at, or
 * one plane group swept) and on the drop queue first. Returns the units done; 0 when
 * there is nothing to do. Does not begin a cycle. */
size_t gc_step(struct heap *h, size_t units);

/* What gc_run may begin. */
enum gc_moment {
    GC_BESIDE_EVENTS, /* a cycle that is due (GC_INDEBTED); no other */
    GC_WHEN_IDLE,     /* the turn had no events: one that is worth it then as well (GC_RELAXED) */
};

/* Runs steps, and begins a cycle where one is due at that moment, for about `budget_ns` by the
 * monotonic clock, and records each in the histogram. Returns the time used. */
uint64_t gc_run(struct heap *h, uint64_t budget_ns, enum gc_moment moment);

/* Stops the world: ends the cycle under way, then runs a whole one. Returns bytes freed. */
size_t gc_collect(struct heap *h);

/* To be called at every safe point. In the stress build a step of one unit; else free. */
void gc_safe_point(struct heap *h);

/* Off: no cycle begins by itself. On by default. */
void gc_enable(struct heap *h, bool enabled);
bool gc_enabled(const struct heap *h);

/* Tests: every cycle moves what it can. */
void gc_compact_always(struct heap *h, bool always);

/* Bytes of debt at which a cycle begins; 0: chosen from the live size (the default). */
void gc_threshold_set(struct heap *h, size_t bytes);
size_t gc_threshold(const struct heap *h);

/* Durations in powers of two of nanoseconds: bucket i counts [2^i, 2^(i+1)). */
#define GC_HISTOGRAM_BUCKETS 32
struct gc_histogram {
    uint64_t count;
    uint64_t total_ns;
    uint64_t max_ns;
    uint64_t buckets[GC_HISTOGRAM_BUCKETS];
};
/* Around a piece of work of such a class: gc_timed_end(h, &…->split, gc_timed_begin()). */
uint64_t gc_timed_begin(void);
void gc_timed_end(struct gc_histogram *histogram, uint64_t begin);
void gc_histogram_add(struct gc_histogram *histogram, uint64_t ns);
/* An upper bound of the quantile `q` in 0..1, in nanoseconds; 0 if empty. */
uint64_t gc_histogram_quantile(const struct gc_histogram *histogram, double q);

/* Whatever holds everything else up, in classes: X(name, what it is). */
#define GC_PAUSES(X)                                                                     \
    X(step, "a step of marking or sweeping")                                             \
    X(compact, "a step that moved objects as well")                                      \
    X(drop, "a step of the drop queue")                                                  \
    X(trim, "giving memory back to the system")                                          \
    X(ahead, "asking the system for the memory of a page before it is needed")           \
    X(start, "beginning a cycle, and the turn to sweeping: what is done in one go")      \
    X(assist, "sweeping or taking garbage apart in the midst of a request")              \
    X(split, "splitting or renewing a segment of a large map")                           \
    X(growth, "turning a map or a list into its next representation")

struct gc_stats {
    uint64_t cycles;          /* ended */
    uint64_t steps;           /* gc_run's, with work in them */
    uint64_t marked_objects;  /* in the last ended cycle */
    uint64_t swept_bytes;     /* freed by sweeping, ever */
    uint64_t swept_bytes_last; /* freed by sweeping in the last ended cycle */
    uint64_t released_bytes;  /* freed by their one owner, ever */
    uint64_t live_bytes;      /* in use at the end of the last cycle */
    uint64_t debt_bytes;      /* what may have become garbage since */
    uint64_t weak_cleared;    /* weak targets that died */
    uint64_t moved_objects;   /* from sparse pages to fuller ones, ever */
    uint64_t moved_bytes;
    uint64_t collector_ns;    /* in all of these, but ahead, split and growth, ever */
    unsigned permille_second; /* share of the last second that this took */
    unsigned permille_minute;
#define X(name, text) struct gc_histogram name;
    GC_PAUSES(X)
#undef X
};
void gc_stats(const struct heap *h, struct gc_stats *stats);

#endif
