/* pieces.c - see pieces.h. */
#include "bench/pieces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pieces_close(struct pieces *pieces)
{
    free(pieces->least);
    memset(pieces, 0, sizeof *pieces);
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
        if (ns < pieces->least[pieces->at]) pieces->least[pieces->at] = ns;
        pieces->at++;
        return;
    }
    if (pieces->runs > 0) measure_fail("a run has more than the %zu pieces of the first",
                                       pieces->count);
    if (pieces->count == pieces->capacity) {
        pieces->capacity = pieces->capacity ? pieces->capacity * 2 : 65536;
        pieces->least = realloc(pieces->least, pieces->capacity * sizeof *pieces->least);
        if (!pieces->least) measure_fail("out of memory");
    }
    pieces->least[pieces->count++] = ns;
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

static size_t pieces_above(const struct pieces *pieces, double us)
{
    size_t count = 0;
    for (size_t i = 0; i < pieces->count; i++) count += pieces->least[i] > us * 1e3;
    return count;
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
    char more[512];
    histogram_reset(&least);
    for (size_t i = 0; i < pieces->count; i++) histogram_add(&least, pieces->least[i]);
    snprintf(more, sizeof more, "\"runs\":%u%s%s", pieces->runs, *details ? "," : "", details);
    line(name, "p99.99", (double)histogram_quantile(&least, 0.9999) / 1e3, goal_p9999, anchor,
         &least, more);
    if (goal_longest >= 0)
        snprintf(more, sizeof more, "\"runs\":%u,\"above_goal\":%zu,\"longest_is\":%zu%s%s",
                 pieces->runs, pieces_above(pieces, goal_longest), piece_longest(pieces),
                 *details ? "," : "", details);
    line(name, "longest", (double)least.max / 1e3, goal_longest, anchor, &least, more);
    snprintf(more, sizeof more, "\"longest_by_cpu_us\":%.4g,\"p99_99_by_cpu_us\":%.4g",
             (double)pieces->cpu.max / 1e3, (double)histogram_quantile(&pieces->cpu, 0.9999) / 1e3);
    line(name, "longest as it happened", (double)pieces->wall.max / 1e3, -1, NULL, &pieces->wall,
         more);
}
