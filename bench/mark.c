/* mark.c - how fast the collector marks and sweeps, and what its planes cost.
 *
 *     bench_mark [--objects=N] [--leaves=N] [--rounds=N]
 *
 * Graphs of bare cells, so that nothing but the collector is measured:
 *
 *   list      a chain of N containers, in the order of their addresses
 *   graph     N containers of 32 bytes with three references each, to objects anywhere: a binary
 *             tree over a random permutation of all, and a further edge at random
 *   leaves    N leaves of 32 bytes under containers of 8 KiB, in the order of their addresses
 *             (as a request leaves them), and in random order
 *
 * Rates are objects per second of CPU time of one core, by a whole mark phase each; the sweep is
 * what follows the mark phase of the graph, and then that of leaves half of which, at random, are
 * garbage. The goal is for 100 million objects: --objects=100m takes a minute or two and 4 GiB.
 * The number of objects marked is checked. */
#include <stdio.h>

#include "bench/measure.h"
#include "heap/store.h"

#define STEP_UNITS 512
#define NODE_BYTES 32
#define NODE_REFS 3
#define READS_ANCHOR "prefetched random reads 46 M/s with huge pages, 26 without"

/* --- a permutation that needs no memory -------------------------------------------------------
 *
 * Four rounds of a Feistel network over the smallest even number of bits that holds n, walked
 * until the result is below n (Black and Rogaway 2002). */
struct permutation {
    uint64_t n;
    unsigned half_bits;
};

static struct permutation permutation_of(uint64_t n)
{
    struct permutation p = {n, 1};
    while ((uint64_t)1 << 2 * p.half_bits < n) p.half_bits++;
    return p;
}

static uint64_t permutation_round(const struct permutation *p, uint64_t half, uint64_t key)
{
    return ((half + key) * 0x9e3779b97f4a7c15 >> 29) & (((uint64_t)1 << p->half_bits) - 1);
}

static uint64_t permute(const struct permutation *p, uint64_t i)
{
    uint64_t mask = ((uint64_t)1 << p->half_bits) - 1;
    do {
        uint64_t left = i >> p->half_bits, right = i & mask;
        for (uint64_t round = 1; round <= 4; round++) {
            uint64_t next = left ^ permutation_round(p, right, round * 0x51ed2701);
            left = right;
            right = next;
        }
        i = left << p->half_bits | right;
    } while (i >= p->n);
    return i;
}

static uint64_t permute_back(const struct permutation *p, uint64_t i)
{
    uint64_t mask = ((uint64_t)1 << p->half_bits) - 1;
    do {
        uint64_t left = i >> p->half_bits, right = i & mask;
        for (uint64_t round = 4; round >= 1; round--) {
            uint64_t previous = right ^ permutation_round(p, left, round * 0x51ed2701);
            right = left;
            left = previous;
        }
        i = left << p->half_bits | right;
    } while (i >= p->n);
    return i;
}

/* --- graphs ---------------------------------------------------------------------------------*/

/* Cells of one class fill fresh pages in order, so the i-th is found by arithmetic. */
struct cells {
    uint64_t first;
    enum kind kind;
};

static value take(struct heap *h, enum kind kind, size_t bytes)
{
    value v = cell_take(h, kind, bytes, 0);
    if (v == VALUE_ABSENT) measure_fail("the heap is full");
    return v;
}

static struct cells cells_take(struct heap *h, enum kind kind, uint64_t count)
{
    struct cells cells = {.kind = kind};
    for (uint64_t i = 0; i < count; i++) {
        value v = take(h, kind, NODE_BYTES);
        if (i == 0) cells.first = ref_granule(v);
        if (ref_granule(v) != cells.first + i * (NODE_BYTES / GRANULE_BYTES))
            measure_fail("the cells are not in one row");
        if (kind_is_leaf(kind)) continue;
        store_new(&cell_words(h, v)[0], cell_header(kind, NODE_REFS));
        value_share(h, v);
    }
    return cells;
}

static value cells_at(const struct cells *cells, uint64_t i)
{
    return ref_make(cells->kind, cells->first + i * (NODE_BYTES / GRANULE_BYTES), 0);
}

static void build_list(struct heap *h, uint64_t count)
{
    struct cells cells = cells_take(h, KIND_LIST, count);
    for (uint64_t i = 0; i + 1 < count; i++)
        store_new(&cell_words(h, cells_at(&cells, i))[1], cells_at(&cells, i + 1));
    heap_root_set_take(h, ROOT_KEYS, cells_at(&cells, 0));
}

static void build_graph(struct heap *h, uint64_t count)
{
    struct cells cells = cells_take(h, KIND_LIST, count);
    struct permutation p = permutation_of(count);
    uint64_t random = 3;
    for (uint64_t address = 0; address < count; address++) {
        value *words = cell_words(h, cells_at(&cells, address));
        uint64_t i = permute_back(&p, address);
        for (uint64_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < count)
                store_new(&words[child - 2 * i], cells_at(&cells, permute(&p, child)));
        store_new(&words[3], cells_at(&cells, measure_random_below(&random, count)));
    }
    heap_root_set_take(h, ROOT_KEYS, cells_at(&cells, permute(&p, 0)));
}

/* Every leaf has its place, or with `every` = 2 every second one, and nothing holds the others. */
static void build_leaves(struct heap *h, uint64_t count, bool shuffled, unsigned every)
{
    struct cells leaves = cells_take(h, KIND_STRING, count);
    struct permutation p = permutation_of(count);
    value first = VALUE_NIL;
    for (uint64_t i = 0; i < count;) {
        value chunk = take(h, KIND_LIST, CELL_BYTES_MAX);
        value *words = cell_words(h, chunk);
        store_new(&words[0], cell_header(KIND_LIST, 0));
        store_new(&words[1], first);
        for (size_t w = 2; w < CELL_VALUES_MAX && i < count; w++, i += every)
            store_new(&words[w], cells_at(&leaves, shuffled ? permute(&p, i) : i));
        first = chunk;
    }
    heap_root_set_take(h, ROOT_KEYS, first);
}

/* --- measuring ------------------------------------------------------------------------------*/

struct cycle {
    double mark_s, sweep_s; /* CPU time */
    double mark_wall_s;
};

/* So many objects are garbage. */
static struct cycle cycle_run(struct heap *h, uint64_t garbage)
{
    struct heap_stats before;
    struct gc_stats stats;
    heap_stats(h, &before);
    uint64_t wall = measure_ns(), begin = measure_cpu_ns();
    gc_start(h);
    while (gc_phase(h) == GC_MARK) gc_step(h, STEP_UNITS);
    uint64_t marked = measure_cpu_ns(), wall_marked = measure_ns();
    while (gc_phase(h) == GC_DRAIN) gc_step(h, 1);
    if (gc_phase(h) != GC_SWEEP) measure_fail("too few objects: a step took them all");
    uint64_t sweep = measure_cpu_ns();
    while (gc_phase(h) != GC_IDLE) gc_step(h, STEP_UNITS);
    uint64_t swept = measure_cpu_ns();
    gc_stats(h, &stats);
    if (stats.marked_objects + garbage != before.object_count)
        measure_fail("marked %lu of %lu objects", stats.marked_objects,
                     before.object_count - garbage);
    return (struct cycle){(double)(marked - begin) / 1e9, (double)(swept - sweep) / 1e9,
                          (double)(wall_marked - wall) / 1e9};
}

static struct heap *heap_for(uint64_t objects)
{
    return measure_heap(objects * NODE_BYTES * 5 / 4 + ((size_t)64 << 20));
}

/* Ends the heap. */
static void mark_figure(struct heap *h, const char *what, uint64_t objects, unsigned rounds,
                        double goal, struct measure_rounds *sweeps)
{
    struct measure_rounds rates = {.count = 0}, walls = {.count = 0};
    struct heap_stats stats;
    char name[96], count[16];
    heap_stats(h, &stats);
    for (unsigned i = 0; i < rounds; i++) {
        struct cycle cycle = cycle_run(h, 0);
        measure_rounds_add(&rates, (double)stats.object_count / cycle.mark_s / 1e6);
        measure_rounds_add(&walls, (double)stats.object_count / cycle.mark_wall_s / 1e6);
        if (sweeps) measure_rounds_add(sweeps, (double)stats.page_bytes / cycle.sweep_s / 1e9);
    }
    snprintf(name, sizeof name, "mark, %s, %s", what, measure_count_text(objects, count));
    figure_print_with(&(struct figure){name, measure_median(&rates), "M/s",
                                       goal > 0 ? GOAL_MIN : GOAL_NONE, goal, READS_ANCHOR},
                      "\"objects\":%lu,\"rounds\":%u,\"by_wall_clock\":%.4g,\"page_bytes\":%zu",
                      objects, rounds, measure_median(&walls), stats.page_bytes);
    heap_destroy(h);
}

static void sweep_figure(const char *what, uint64_t objects, struct measure_rounds *rates)
{
    char name[96], count[16];
    snprintf(name, sizeof name, "sweep, %s, %s", what, measure_count_text(objects, count));
    size_t rounds = rates->count;
    figure_print_with(&(struct figure){name, measure_median(rates), "GB/s", GOAL_MIN, 100,
                                       "walkers of headers 1-10"},
                      "\"rounds\":%zu", rounds);
}

static void sweep_garbage(uint64_t leaves, unsigned rounds)
{
    struct measure_rounds rates = {.count = 0};
    for (unsigned i = 0; i < rounds; i++) {
        struct heap *h = heap_for(leaves);
        struct heap_stats stats;
        build_leaves(h, leaves, true, 2);
        heap_stats(h, &stats);
        struct cycle cycle = cycle_run(h, leaves / 2);
        measure_rounds_add(&rates, (double)stats.page_bytes / cycle.sweep_s / 1e9);
        heap_destroy(h);
    }
    sweep_figure("half of it garbage", leaves, &rates);
}

static void metadata_figure(const struct heap *h)
{
    struct heap_stats stats;
    heap_stats(h, &stats);
    double percent = 100 * (double)stats.metadata_bytes / (double)stats.page_bytes;
    figure_print_with(&(struct figure){"metadata, of the pages", percent, "%", GOAL_MAX, 3.5,
                                       "CPython 16 bytes per object"},
                      "\"metadata_bytes\":%zu,\"page_bytes\":%zu", stats.metadata_bytes,
                      stats.page_bytes);
}

int main(int argc, char **argv)
{
    uint64_t objects = 10000000, leaves = 0, rounds = 5;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"objects", &objects, "containers of list and graph"},
                        {"leaves", &leaves, "leaves, an even number; 0: as many as objects"},
                        {"rounds", &rounds, "cycles of each"},
                        {"huge", &measure_huge, "1: ask for huge pages"},
                        {NULL, NULL, NULL},
                    });
    if (leaves == 0) leaves = objects;
    leaves -= leaves % 2;
    struct measure_rounds sweeps = {.count = 0};
    unsigned times = (unsigned)rounds;

    struct heap *h = heap_for(objects);
    build_list(h, objects);
    mark_figure(h, "list in order", objects, times, 0, NULL);
    h = heap_for(objects);
    build_graph(h, objects);
    metadata_figure(h);
    mark_figure(h, "shuffled graph", objects, times, 12, &sweeps);
    sweep_figure("no garbage", objects, &sweeps);
    h = heap_for(leaves);
    build_leaves(h, leaves, false, 1);
    mark_figure(h, "leaves in order", leaves, times, 60, NULL);
    h = heap_for(leaves);
    build_leaves(h, leaves, true, 1);
    mark_figure(h, "leaves shuffled", leaves, times, 60, NULL);
    sweep_garbage(leaves, times < 3 ? times : 3);
    return 0;
}
