/* pieces.c - see pieces.h. */
#include "bench/pieces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pieces_close(struct pieces *pieces)
{
    free(pieces->least);
    free(pieces->second);
    memset(pieces, 0, sizeof *pieces);
}

static void pieces_resize(struct pieces *pieces, size_t capacity)
{
    pieces->capacity = capacity;
    pieces->least = realloc(pieces->least, capacity * sizeof *pieces->least);
    pieces->second = realloc(pieces->second, capacity * sizeof *pieces->second);
    if (!pieces->least || !pieces->second) measure_fail("out of memory");
}

void pieces_reserve(struct pieces *pieces, size_t count)
{
    pieces_resize(pieces, count);
    memset(pieces->least, 0xff, count * sizeof *pieces->least);
    memset(pieces->second, 0xff, count * sizeof *pieces->second);
}

void pieces_run_end(struct pieces *pieces)
{
    if (pieces->at != pieces->count)
        measure_fail("a run had %zu pieces, the first had %zu", pieces->at, pieces->count);
    pieces->at = 0;
    pieces->runs++;
}

void pieces_add(struct pieces *pieces, uint64_t wall_ns, uint64_t cpu_ns)
{
    uint64_t less = wall_ns < cpu_ns ? wall_ns : cpu_ns;
    uint32_t ns = less < UINT32_MAX ? (uint32_t)less : UINT32_MAX;
    histogram_add(&pieces->wall, wall_ns);
    histogram_add(&pieces->cpu, cpu_ns);
    if (pieces->at < pieces->count) {
        uint32_t *least = &pieces->least[pieces->at], *second = &pieces->second[pieces->at];
        if (ns < *least) {
            *second = *least;
            *least = ns;
        } else if (ns < *second) {
            *second = ns;
        }
        pieces->at++;
        return;
    }
    if (pieces->runs > 0) measure_fail("a run has more than the %zu pieces of the first",
                                       pieces->count);
    if (pieces->count == pieces->capacity)
        pieces_resize(pieces, pieces->capacity ? pieces->capacity * 2 : 65536);
    pieces->least[pieces->count] = ns;
    pieces->second[pieces->count++] = UINT32_MAX;
    pieces->at = pieces->count;
}

static void line(const char *name, const char *what, double us, double goal, const char *anchor,
                 const struct histogram *h, const char *details)
{
    char full[160];
    snprintf(full, sizeof full, "%s, %s", name, what);
    struct figure f = {full, us, "us", goal < 0 ? GOAL_NONE : GOAL_MAX, goal, anchor};
    figure_print_with(&f,
                      "\"count\":%lu,\"mean_us\":%.4g,\"p50_us\":%.4g,\"p99_us\":%.4g,"
                      "\"p99_99_us\":%.4g%s%s",
                      (unsigned long)h->count, histogram_mean(h) / 1e3,
                      (double)histogram_quantile(h, 0.5) / 1e3,
                      (double)histogram_quantile(h, 0.99) / 1e3,
                      (double)histogram_quantile(h, 0.9999) / 1e3, *details ? "," : "", details);
}

static size_t pieces_above(const struct pieces *pieces, const uint32_t *times, double us)
{
    size_t count = 0;
    for (size_t i = 0; i < pieces->count; i++) count += times[i] > us * 1e3;
    return count;
}

/* As a JSON object: from below 1 us, by doubling, as far as there is anything. */
static const char *doublings(const struct histogram *h, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "\"below_us\":{");
    uint64_t bucket_end = 0, seen = 0;
    for (unsigned us = 1; seen < h->count; us *= 2) {
        uint64_t before = seen;
        for (; bucket_end < HISTOGRAM_BUCKETS && histogram_bucket_top(bucket_end) < us * 1000ull;
             bucket_end++)
            seen += h->buckets[bucket_end];
        if (bucket_end == HISTOGRAM_BUCKETS) seen = h->count;
        at += (size_t)snprintf(text + at, size - at, "%s\"%u\":%lu", us == 1 ? "" : ",", us,
                               (unsigned long)(seen - before));
    }
    snprintf(text + at, size - at, "}");
    return text;
}

static size_t piece_longest(const struct pieces *pieces)
{
    size_t longest = 0;
    for (size_t i = 0; i < pieces->count; i++)
        if (pieces->least[i] > pieces->least[longest]) longest = i;
    return longest;
}

void pieces_print(struct pieces *pieces, const char *name, double goal_p9999, double goal_longest,
                  const char *anchor, const char *details)
{
    static struct histogram least;
    static struct histogram second;
    char more[1536], shape[768];
    if (pieces->count == 0) return;
    histogram_reset(&least);
    histogram_reset(&second);
    for (size_t i = 0; i < pieces->count; i++) {
        histogram_add(&least, pieces->least[i]);
        if (pieces->runs > 1) histogram_add(&second, pieces->second[i]);
    }
    snprintf(more, sizeof more, "\"runs\":%u%s%s", pieces->runs, *details ? "," : "", details);
    line(name, "p99.99", (double)histogram_quantile(&least, 0.9999) / 1e3, goal_p9999, anchor,
         &least, more);
    doublings(&least, shape, sizeof shape);
    if (goal_longest >= 0)
        snprintf(more, sizeof more,
                 "\"runs\":%u,\"above_goal\":%zu,\"above_goal_second\":%zu,"
                 "\"second_longest_us\":%.4g,\"second_p99_99_us\":%.4g,\"longest_is\":%zu,%s%s%s",
                 pieces->runs, pieces_above(pieces, pieces->least, goal_longest),
                 pieces->runs > 1 ? pieces_above(pieces, pieces->second, goal_longest) : 0,
                 (double)second.max / 1e3, (double)histogram_quantile(&second, 0.9999) / 1e3,
                 piece_longest(pieces), shape, *details ? "," : "", details);
    else
        snprintf(more, sizeof more, "\"runs\":%u,%s%s%s", pieces->runs, shape,
                 *details ? "," : "", details);
    line(name, "longest", (double)least.max / 1e3, goal_longest, anchor, &least, more);
    snprintf(more, sizeof more, "\"longest_by_cpu_us\":%.4g,\"p99_99_by_cpu_us\":%.4g,%s",
             (double)pieces->cpu.max / 1e3, (double)histogram_quantile(&pieces->cpu, 0.9999) / 1e3,
             doublings(&pieces->wall, shape, sizeof shape));
    line(name, "longest as it happened", (double)pieces->wall.max / 1e3, -1, NULL, &pieces->wall,
         more);
}
