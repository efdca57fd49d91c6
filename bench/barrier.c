/* barrier.c - what the collector adds to each store, while it rests and while it marks.
 *
 *     bench_barrier [--rounds=N]
 *
 * The same loop over the slots of a cell of 8 KiB, with store() and with a plain assignment, in
 * turn; the figure is the difference per store. While marking, three cases of what is overwritten:
 * a number; a reference to an object that is marked already, as nearly all are soon; and references
 * to a million objects that are not, each of which is met for the first time. */
#include "bench/measure.h"
#include "heap/store.h"

#define LOOPS 2000
#define SLOTS (CELL_VALUES_MAX - 1)
#define FIRST_CELLS 1000
#define FIRST_LEAVES (FIRST_CELLS * SLOTS)

static struct heap *heap;

static value container(void)
{
    value v = cell_take(heap, KIND_LIST, CELL_BYTES_MAX, 0);
    if (v == VALUE_ABSENT) measure_fail("the heap is full");
    store_new(&cell_words(heap, v)[0], cell_header(KIND_LIST, 0));
    return v;
}

/* Nanoseconds per store into the slots of a cell. The fence keeps both loops scalar. */
static double store_time(value cell, value v, bool with_barrier, unsigned loops)
{
    value *slots = cell_words(heap, cell) + 1;
    uint64_t begin = measure_cpu_ns();
    for (unsigned n = 0; n < loops; n++)
        for (size_t i = 0; i < SLOTS; i++) {
            if (with_barrier)
                store(heap, &slots[i], v);
            else
                slots[i] = v;
            measure_fence();
        }
    return (double)(measure_cpu_ns() - begin) / (double)(loops * SLOTS);
}

static void barrier_figure(const char *name, value v, unsigned rounds, enum goal_kind is,
                           double goal)
{
    value cell = container();
    struct measure_rounds plain = {.count = 0}, added = {.count = 0};
    for (unsigned i = 0; i < rounds; i++) {
        double without = store_time(cell, v, false, LOOPS);
        measure_rounds_add(&plain, without);
        measure_rounds_add(&added, store_time(cell, v, true, LOOPS) - without);
    }
    figure_print_with(&(struct figure){name, measure_median(&added), "ns", is, goal, NULL},
                      "\"plain_ns\":%.3g,\"rounds\":%u", measure_median(&plain), rounds);
}

/* Overwrites references to leaves that this cycle has not met. */
static void first_figure(unsigned rounds)
{
    static value cells[FIRST_CELLS];
    struct measure_rounds times = {.count = 0};
    for (unsigned i = 0; i < FIRST_CELLS; i++) cells[i] = container();
    for (unsigned n = 0; n < rounds; n++) {
        for (unsigned i = 0; i < FIRST_CELLS; i++)
            for (size_t slot = 0; slot < SLOTS; slot++) {
                value leaf = cell_take(heap, KIND_STRING, 16, 0);
                if (leaf == VALUE_ABSENT) measure_fail("the heap is full");
                store_new(&cell_words(heap, cells[i])[1 + slot], value_share(heap, leaf));
            }
        gc_start(heap);
        double ns = 0;
        for (unsigned i = 0; i < FIRST_CELLS; i++)
            ns += store_time(cells[i], VALUE_NIL, true, 1) / FIRST_CELLS;
        measure_rounds_add(&times, ns);
        /* The cells are reachable from nothing: they stay ours if they are marked. */
        for (unsigned i = 0; i < FIRST_CELLS; i++) gc_shade(heap, cells[i]);
        while (gc_phase(heap) != GC_IDLE) gc_step(heap, 65536);
    }
    figure_print_with(&(struct figure){"store while marking, unmarked object overwritten",
                                       measure_median(&times), "ns", GOAL_NONE, 0, NULL},
                      "\"objects\":%lu", (unsigned long)FIRST_LEAVES);
}

int main(int argc, char **argv)
{
    uint64_t rounds = 15;
    measure_options(argc, argv,
                    (struct measure_option[]){{"rounds", &rounds, "rounds of each"},
                                              {NULL, NULL, NULL}});
    heap = measure_heap((size_t)256 << 20);
    barrier_figure("barrier, idle", value_int(1), (unsigned)rounds, GOAL_MAX, 1);

    gc_start(heap);
    barrier_figure("barrier while marking, number overwritten", value_int(1), (unsigned)rounds,
                   GOAL_NONE, 0);
    value leaf = cell_take(heap, KIND_STRING, 16, 0); /* black: born while marking */
    barrier_figure("barrier while marking, marked object overwritten", leaf, (unsigned)rounds,
                   GOAL_NONE, 0);
    while (gc_phase(heap) != GC_IDLE) gc_step(heap, 65536);

    first_figure((unsigned)rounds);
    heap_destroy(heap);
    return 0;
}
