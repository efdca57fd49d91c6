/* methods_gc.c - the collector, as MicroPython's module gc shows it. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/gc.h"
#include "server/params.h"
#include "server/reply.h"

#define STEP_US_DEFAULT 100
#define STEP_US_MAX 10000

enum call_outcome method_gc_enable(struct call *call)
{
    gc_enable(call->heap, true);
    return reply_bool(call, true);
}

enum call_outcome method_gc_disable(struct call *call)
{
    gc_enable(call->heap, false);
    return reply_bool(call, true);
}

enum call_outcome method_gc_is_enabled(struct call *call)
{
    return reply_bool(call, gc_enabled(call->heap));
}

/* --- gc.collect -----------------------------------------------------------------------------*/

/* What was unreachable when the call came is freed when it answers. So a cycle that is under
 * way, which may have passed garbage by, is ended first; and the drop queue is worked off,
 * because what hangs from it is marked; then a whole cycle runs. */
struct collect {
    uint64_t cycles_wanted; /* 0: the cycle has not begun */
    uint64_t freed_before;
};

static uint64_t freed_bytes(const struct gc_stats *stats)
{
    return stats->swept_bytes + stats->released_bytes;
}

static void collect_abort(struct call *call)
{
    free(call->state);
    call->state = NULL;
}

static enum call_outcome collect_step(struct call *call, uint64_t budget_ns)
{
    struct heap *h = call->heap;
    struct collect *collect = call->state;
    struct gc_stats stats;
    gc_run(h, budget_ns, GC_BESIDE_EVENTS);
    gc_stats(h, &stats);
    if (collect->cycles_wanted == 0 && gc_phase(h) == GC_IDLE && !heap_drop_pending(h)) {
        gc_start(h);
        collect->cycles_wanted = stats.cycles + 1;
    }
    if (collect->cycles_wanted == 0 || stats.cycles < collect->cycles_wanted) return CALL_PENDING;
    uint64_t freed = freed_bytes(&stats) - collect->freed_before;
    collect_abort(call);
    return reply_uint(call, freed);
}

enum call_outcome method_gc_collect(struct call *call)
{
    struct collect *collect = calloc(1, sizeof *collect);
    struct gc_stats stats;
    if (collect == NULL) return fail_no_memory(call);
    gc_stats(call->heap, &stats);
    collect->freed_before = freed_bytes(&stats);
    call->state = collect;
    call->step = collect_step;
    call->abort = collect_abort;
    return CALL_PENDING;
}

/* --- the rest ---------------------------------------------------------------------------------*/

enum call_outcome method_gc_step(struct call *call)
{
    int64_t us = STEP_US_DEFAULT;
    struct gc_stats before, after;
    if (param_int(call, 0, "us", 1, STEP_US_MAX, &us) < 0) return CALL_FAILED;
    gc_stats(call->heap, &before);
    gc_start(call->heap);
    gc_run(call->heap, (uint64_t)us * 1000, GC_BESIDE_EVENTS);
    gc_stats(call->heap, &after);
    return reply_bool(call, after.cycles > before.cycles);
}

enum call_outcome method_gc_threshold(struct call *call)
{
    int64_t bytes = INT64_MIN;
    if (param_int(call, 0, "bytes", -1, INT64_MAX, &bytes) < 0) return CALL_FAILED;
    if (bytes != INT64_MIN) gc_threshold_set(call->heap, bytes > 0 ? (size_t)bytes : 0);
    return reply_uint(call, gc_threshold(call->heap));
}

enum call_outcome method_gc_mem_alloc(struct call *call)
{
    struct heap_stats stats;
    heap_stats(call->heap, &stats);
    return reply_uint(call, stats.used_bytes);
}

enum call_outcome method_gc_mem_free(struct call *call)
{
    struct heap_stats stats;
    heap_stats(call->heap, &stats);
    return reply_uint(call, stats.max_bytes - stats.used_bytes);
}

/* One class of pauses, in microseconds. */
static void write_pauses(struct writer *w, const char *name, const struct gc_histogram *pauses)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50_us", 0.5}, {"p99_us", 0.99}, {"p99_99_us", 0.9999}};
    writer_cstr(w, name);
    size_t buckets = GC_HISTOGRAM_BUCKETS;
    while (buckets > 0 && pauses->buckets[buckets - 1] == 0) buckets--;
    writer_map(w, 7);
    reply_figure(w, "count", pauses->count);
    reply_figure(w, "total_us", pauses->total_ns / 1000);
    reply_figure(w, "max_us", pauses->max_ns / 1000);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        writer_cstr(w, quantiles[i].name);
        writer_double(w, (double)gc_histogram_quantile(pauses, quantiles[i].q) / 1000.0);
    }
    writer_cstr(w, "buckets");
    writer_array(w, buckets);
    for (size_t i = 0; i < buckets; i++) writer_uint(w, pauses->buckets[i]);
}

#define X(name, text) +1
enum { PAUSE_CLASSES = GC_PAUSES(X) };
#undef X

enum call_outcome method_gc_stats(struct call *call)
{
    struct writer *w = call->reply;
    struct gc_stats stats;
    gc_stats(call->heap, &stats);
    writer_map(w, 18);
    writer_cstr(w, "phase");
    writer_cstr(w, gc_phase_name(gc_phase(call->heap)));
    writer_cstr(w, "enabled");
    writer_bool(w, gc_enabled(call->heap));
    reply_figure(w, "threshold", gc_threshold(call->heap));
    reply_figure(w, "cycles", stats.cycles);
    reply_figure(w, "steps", stats.steps);
    reply_figure(w, "marked_objects", stats.marked_objects);
    reply_figure(w, "swept_bytes", stats.swept_bytes);
    reply_figure(w, "swept_bytes_last", stats.swept_bytes_last);
    reply_figure(w, "released_bytes", stats.released_bytes);
    reply_figure(w, "live_bytes", stats.live_bytes);
    reply_figure(w, "debt_bytes", stats.debt_bytes);
    reply_figure(w, "weak_cleared", stats.weak_cleared);
    reply_figure(w, "moved_objects", stats.moved_objects);
    reply_figure(w, "moved_bytes", stats.moved_bytes);
    reply_figure(w, "collector_us", stats.collector_ns / 1000);
    reply_figure(w, "permille_second", stats.permille_second);
    reply_figure(w, "permille_minute", stats.permille_minute);
    writer_cstr(w, "pauses");
    writer_map(w, PAUSE_CLASSES);
#define X(name, text) write_pauses(w, #name, &stats.name);
    GC_PAUSES(X)
#undef X
    return CALL_DONE;
}
