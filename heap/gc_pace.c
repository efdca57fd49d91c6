/* gc_pace.c - when the collector works, how much, and how long it took.
 *
 * Without sharing nothing is left to collect: one owner frees what it gives up. Garbage for the
 * collector can only come about where a shared object lost an owner. So that is what is
 * counted, as *debt*: the bytes of such objects. What hangs from a container is not known, so
 * growth of the heap since the last cycle counts as debt as well, once a shared container was let
 * go at all. Leaves count alone: a record shares its field names with its shape, and lets go of
 * them when it becomes a map of another kind, which says nothing about all that comes later.
 *
 *   debt >= an eighth of the live size (and DEBT_MIN)   a cycle is due, beside other work
 *   any debt, and the last cycle is long enough ago     a cycle is due when idle
 *   above 90 % of the limit: debt >= an eighth of what is still free, likewise, and hurries
 *
 * Or where memory lies thinly on sparse pages, which marking can move together (compact.c):
 *
 *   that would regain half of what is in use, and as    a cycle is due, beside other work
 *   much as is still free below the limit
 *   a thirty-second of what is in use                   a cycle is due when idle
 *   above 90 % of the limit: an eighth                  likewise beside work, and hurries
 *
 * always beyond what the last attempt could not regain. So memory that no one is short of starts
 * no cycle beside other work: neither overwriting keys at full speed does, nor a key space that
 * grows, whose segments pass through the classes together and leave sparse pages behind. What is
 * wanted when idle begins in turns without events only (gc_run is told which they are).
 *
 * "Long enough ago": IDLE_REST_FACTOR times what the last cycle cost, so that idle cycles take
 * no more than a small share of a core however large the heap is. */
#include <time.h>

#include "heap/external.h"
#include "heap/store.h"

#define DEBT_MIN ((size_t)1 << 20)
#define IDLE_REST_FACTOR 16
#define IDLE_REST_MIN_NS 200000000
/* The clock is looked at after so many: a batch of the marker, some tens of cold objects. */
#define STEP_UNITS 128
/* Containers that may wait in the drop queue at any time. */
#define DROP_WAITING_MIN 1024
#define COMPACT_MIN ((size_t)1 << 20)
#define COMPACT_MIN_IDLE ((size_t)256 << 10)
#define SOFT_LIMIT_TENTHS 9

uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- debt -----------------------------------------------------------------------------------*/

void gc_shared_released(struct heap *h, value shared)
{
    /* Shapes are shared from birth and limited in number; interned strings are limited as well. */
    if (ref_kind(shared) == KIND_SHAPE || intern_holds(h, shared)) return;
    h->gc.debt_bytes += value_cell_bytes(h, shared);
    if (ref_kind(shared) == KIND_TABLE) h->gc.debt_bytes += external_of(h, shared)->bytes;
    h->gc.debt_is_open |= !kind_is_leaf(ref_kind(shared));
}

/* A shape that no record uses any more is found by the collector only. Programs have few; one
 * that goes on making new ones leaves old ones behind, so these count from DEBT_MIN on. */
void gc_shape_made(struct heap *h, size_t bytes)
{
    h->gc.shape_bytes += bytes;
    if (h->gc.shape_bytes <= DEBT_MIN) return;
    h->gc.debt_bytes += bytes;
    h->gc.debt_is_open = true;
}

static size_t debt(const struct heap *h)
{
    const struct collector *gc = &h->gc;
    if (!gc->debt_is_open) return gc->debt_bytes;
    size_t used = heap_used_bytes(h);
    size_t growth = used > gc->stats.live_bytes ? used - gc->stats.live_bytes : 0;
    return gc->debt_bytes > growth ? gc->debt_bytes : growth;
}

/* An eighth of the live size; less when the heap holds garbage already (what died while the last
 * cycle marked), or will grow much while the next one marks: in all it is to stay below five
 * quarters of what lives. */
size_t gc_threshold(const struct heap *h)
{
    const struct collector *gc = &h->gc;
    if (gc->threshold) return gc->threshold;
    size_t live = gc->stats.live_bytes, wanted = live / 8, least = live / 32;
    size_t most = gc->lived_bytes + gc->lived_bytes / 4, certain = live + gc->mark_growth_last;
    if (gc->lived_bytes && wanted > (most > certain ? most - certain : 0))
        wanted = most > certain ? most - certain : 0;
    if (wanted < least) wanted = least;
    return wanted > DEBT_MIN ? wanted : DEBT_MIN;
}

void gc_threshold_set(struct heap *h, size_t bytes) { h->gc.threshold = bytes; }
void gc_enable(struct heap *h, bool enabled) { h->gc.enabled = enabled; }
bool gc_enabled(const struct heap *h) { return h->gc.enabled; }

void gc_pace_cycle_began(struct heap *h)
{
    h->gc.debt_bytes = 0;
    h->gc.debt_is_open = false;
    h->gc.shape_bytes = 0;
    h->gc.work_ns = 0;
    h->gc.began_used = heap_used_bytes(h);
    h->gc.began_objects = heap_object_count(h);
}

static size_t growth(const struct heap *h)
{
    size_t used = heap_used_bytes(h);
    return used > h->gc.began_used ? used - h->gc.began_used : 0;
}

void gc_pace_marked(struct heap *h) { h->gc.mark_growth_last = growth(h); }

void gc_pace_cycle_ended(struct heap *h)
{
    struct collector *gc = &h->gc;
    gc->work_ns_last = gc->work_ns;
    gc->ended_ns = clock_ns();
    size_t swept = gc->cycle_swept_bytes;
    gc->lived_bytes = gc->began_used > swept ? gc->began_used - swept : 0;
}

static bool above_soft_limit(const struct heap *h)
{
    uint64_t taken = h->page_count - pages_unclaimed(h);
    return taken * 10 > (uint64_t)h->page_count * SOFT_LIMIT_TENTHS;
}

/* --- compaction -----------------------------------------------------------------------------*/

size_t compact_worth_idle(const struct heap *h)
{
    return heap_used_bytes(h) / 32 + COMPACT_MIN_IDLE;
}

static size_t compact_worth_busy(const struct heap *h)
{
    size_t used = heap_used_bytes(h);
    if (above_soft_limit(h)) return used / 8 + COMPACT_MIN;
    size_t half = used / 2, free_bytes = (size_t)h->free_page_count * PAGE_BYTES;
    return (half > free_bytes ? half : free_bytes) + COMPACT_MIN;
}

static bool compaction_due(const struct heap *h, size_t worth_bytes)
{
    return compact_regainable_bytes(h) >= worth_bytes + h->gc.unmovable_bytes;
}

/* --- how much -------------------------------------------------------------------------------*/

/* Garbage comes about faster than the cycle gets on: while it marks everything, the heap may grow
 * by a twelfth, and it should have marked in proportion. Or too much waits to be taken apart. */
static bool falling_behind(const struct heap *h)
{
    const struct collector *gc = &h->gc;
    if (h->drop.length > DROP_WAITING_MIN && h->drop.length > heap_object_count(h) / 256)
        return true;
    if (gc->phase == GC_IDLE) return false;
    double done = gc->phase == GC_MARK && gc->began_objects
                      ? (double)gc->marked / (double)gc->began_objects
                      : 1;
    size_t lived = gc->lived_bytes ? gc->lived_bytes : gc->began_used; /* the first cycle */
    double allowed = (double)lived / 12 * (done + 0.2);
    return growth(h) > DEBT_MIN && (double)growth(h) > allowed;
}

uint64_t gc_budget_ns(struct heap *h, uint64_t events_ns)
{
    enum gc_urgency urgency = gc_urgency(h);
    if (events_ns == 0) return urgency == GC_RESTING ? 0 : GC_TURN_NS;
    if (urgency < GC_INDEBTED) return 0;
    bool hurry = urgency == GC_PRESSED || falling_behind(h);
    return gc_share_earn(&h->gc.share, events_ns, hurry ? GC_SHARE_MOST : GC_SHARE_USUAL);
}

void gc_charge(struct heap *h, uint64_t worked_ns) { gc_share_spend(&h->gc.share, worked_ns); }

/* --- when -----------------------------------------------------------------------------------*/

static bool idle_cycle_wanted(const struct heap *h)
{
    if (h->gc.phase != GC_IDLE || !h->gc.enabled) return false;
    return h->gc.debt_bytes != 0 || compaction_due(h, compact_worth_idle(h));
}

static uint64_t idle_cycle_wait_ns(const struct heap *h)
{
    const struct collector *gc = &h->gc;
    uint64_t rest = gc->work_ns_last * IDLE_REST_FACTOR;
    if (rest < IDLE_REST_MIN_NS) rest = IDLE_REST_MIN_NS;
    uint64_t due = gc->ended_ns + rest, now = clock_ns();
    return due > now ? due - now : 0;
}

bool gc_idle_work_wanted(const struct heap *h)
{
    return idle_cycle_wanted(h) || trim_wanted_when_idle(h);
}

uint64_t gc_idle_wait_ns(const struct heap *h)
{
    uint64_t cycle = idle_cycle_wanted(h) ? idle_cycle_wait_ns(h) : UINT64_MAX;
    uint64_t trim = trim_wanted_when_idle(h) ? trim_wait_ns(h) : UINT64_MAX;
    return cycle < trim ? cycle : trim;
}

static bool idle_cycle_due(const struct heap *h)
{
    return idle_cycle_wanted(h) && !heap_drop_pending(h) && idle_cycle_wait_ns(h) == 0;
}

static bool cycle_due(const struct heap *h)
{
    if (h->gc.phase != GC_IDLE || !h->gc.enabled) return false;
    if (compaction_due(h, compact_worth_busy(h))) return true;
    if (h->gc.debt_bytes == 0) return false;
    if (debt(h) >= gc_threshold(h)) return true;
    return above_soft_limit(h) && debt(h) >= (size_t)pages_unclaimed(h) * PAGE_BYTES / 8;
}

enum gc_urgency gc_urgency(const struct heap *h)
{
    bool busy = h->gc.phase != GC_IDLE || heap_drop_pending(h) || cycle_due(h);
    if (busy) return above_soft_limit(h) ? GC_PRESSED : GC_INDEBTED;
    if (trim_wanted(h)) return GC_RELAXED;
    return idle_cycle_due(h) ? GC_RELAXED : GC_RESTING;
}

/* --- running --------------------------------------------------------------------------------*/

uint64_t gc_run(struct heap *h, uint64_t budget_ns, enum gc_moment moment)
{
    struct collector *gc = &h->gc;
    if (gc_urgency(h) < (moment == GC_WHEN_IDLE ? GC_RELAXED : GC_INDEBTED)) return 0;
    uint64_t begin = clock_ns(), now = begin;
    size_t regainable = compact_regainable_bytes(h);
    if (gc->unmovable_bytes > regainable) gc->unmovable_bytes = regainable;
    if (cycle_due(h))
        gc_begin(h, compact_worth_busy(h));
    else if (moment == GC_WHEN_IDLE && idle_cycle_due(h))
        gc_begin(h, compact_worth_idle(h));
    while (now - begin < budget_ns) {
        struct gc_histogram *histogram = heap_drop_pending(h) ? &gc->stats.drop : &gc->stats.step;
        uint64_t moved = gc->stats.moved_objects;
        if (gc_step(h, STEP_UNITS) == 0) {
            if (trim_step(h) == 0) break;
            histogram = &gc->stats.trim;
        }
        if (gc->stats.moved_objects != moved) histogram = &gc->stats.compact;
        uint64_t end = clock_ns();
        gc_histogram_add(histogram, end - now);
        gc->work_ns += end - now;
        gc->stats.steps++;
        now = end;
    }
    now = clock_ns();
    gc_pace_worked(h, now - begin, now);
    return now - begin;
}

void gc_pace_worked(struct heap *h, uint64_t ns, uint64_t now)
{
    h->gc.stats.collector_ns += ns;
    gc_share_record(&h->gc.share, now, ns);
}

/* --- figures --------------------------------------------------------------------------------*/

uint64_t gc_timed_begin(void) { return clock_ns(); }

void gc_timed_end(struct gc_histogram *histogram, uint64_t begin)
{
    gc_histogram_add(histogram, clock_ns() - begin);
}

void gc_histogram_add(struct gc_histogram *histogram, uint64_t ns)
{
    unsigned bucket = ns ? 63 - (unsigned)__builtin_clzl(ns) : 0;
    if (bucket >= GC_HISTOGRAM_BUCKETS) bucket = GC_HISTOGRAM_BUCKETS - 1;
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->total_ns += ns;
    if (ns > histogram->max_ns) histogram->max_ns = ns;
}

uint64_t gc_histogram_quantile(const struct gc_histogram *histogram, double q)
{
    if (histogram->count == 0) return 0;
    double wanted = q * (double)histogram->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < GC_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if ((double)seen < wanted || seen == 0) continue;
        uint64_t bound = (uint64_t)2 << i;
        return bound < histogram->max_ns ? bound : histogram->max_ns;
    }
    return histogram->max_ns;
}

void gc_stats(const struct heap *h, struct gc_stats *stats)
{
    *stats = h->gc.stats;
    stats->debt_bytes = debt(h);
    stats->permille_second = gc_share_permille(&h->gc.share, clock_ns(), 1);
    stats->permille_minute = gc_share_permille(&h->gc.share, clock_ns(), 60);
}
