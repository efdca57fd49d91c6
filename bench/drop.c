/* drop.c - giving up a value of ten million elements.
 *
 *     bench_drop [--elements=N] [--runs=N]
 *
 * A list of strings of 24 bytes, and a map of keys of 16 bytes to strings of 10: what the command
 * takes (value_release), and how long each step of the drop queue is afterwards, one step after
 * the other as the server would run them. That nothing is left is checked. */
#include <stdio.h>
#include <string.h>

#include "bench/pieces.h"
#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/text.h"

#define LIST_PART 1000
#define STEP_GOAL_US 100
#define RELEASE_GOAL_US 50
#define ANCHOR "Redis, Valkey: DEL of 1 M fields 430-860 ms, UNLINK 4-12 ms"

/* `i` in so many digits, after a prefix. */
static value text(struct heap *h, const char *prefix, int digits, uint64_t i)
{
    char buffer[64];
    int length = snprintf(buffer, sizeof buffer, "%s%0*lu", prefix, digits, i);
    value v = text_new(h, buffer, (size_t)length, false);
    if (v == VALUE_ABSENT) measure_fail("the heap is full");
    return v;
}

static value build_list(struct heap *h, uint64_t count)
{
    value list = list_new(h), part[LIST_PART];
    for (uint64_t i = 0; i < count;) {
        size_t n = 0;
        for (; n < LIST_PART && i < count; n++, i++) part[n] = text(h, "element ", 16, i);
        if (list_insert_take(h, list, list_length(h, list), part, n) != 0)
            measure_fail("the heap is full");
    }
    return list;
}

static value build_map(struct heap *h, uint64_t count)
{
    value map = map_new(h);
    for (uint64_t i = 0; i < count; i++) {
        char name[32];
        struct map_key key;
        snprintf(name, sizeof name, "field:%010lu", i);
        map_key_text(h, &key, name, strlen(name));
        if (map_set_take(h, map, &key, text(h, "", 10, i)) != 0)
            measure_fail("the heap is full");
    }
    return map;
}

/* Builds the value and drops it. Returns how many objects it had. */
static uint64_t drop_once(uint64_t count, value (*build)(struct heap *h, uint64_t count),
                          struct pieces *command, struct pieces *steps, struct measure_rounds *ms)
{
    struct heap *h = measure_heap(count * 400 + ((size_t)64 << 20));
    struct heap_stats before, after;
    value v = build(h, count);
    heap_stats(h, &before);

    struct piece_begin begin = piece_begin();
    value_release(h, v);
    piece_end(command, begin);
    uint64_t cpu = measure_cpu_ns();
    while (heap_drop_pending(h)) {
        begin = piece_begin();
        gc_run(h, 1, GC_BESIDE_EVENTS); /* one step */
        piece_end(steps, begin);
    }
    measure_rounds_add(ms, (double)(measure_cpu_ns() - cpu) / 1e6);

    gc_collect(h); /* shapes are shared, and go with the next cycle */
    heap_stats(h, &after);
    /* The shape of nothing stays. */
    if (after.object_count > 1) measure_fail("%lu objects are left", after.object_count);
    heap_destroy(h);
    return before.object_count;
}

static void drop(const char *name, uint64_t count, unsigned runs,
                 value (*build)(struct heap *h, uint64_t count))
{
    static struct pieces steps, command;
    struct measure_rounds ms = {.count = 0};
    char full[96], details[128], n[16];
    measure_count_text(count, n);
    uint64_t objects = 0;
    for (unsigned i = 0; i < runs; i++) {
        objects = drop_once(count, build, &command, &steps, &ms);
        pieces_run_end(&command);
        pieces_run_end(&steps);
    }
    double total_ms = measure_median(&ms);
    snprintf(details, sizeof details, "\"elements\":%lu,\"total_ms\":%.5g,\"objects\":%lu", count,
             total_ms, objects);
    snprintf(full, sizeof full, "drop of a %s of %s, command", name, n);
    figure_print_with(&(struct figure){full, (double)command.least[0] / 1e3, "us", GOAL_MAX,
                                       RELEASE_GOAL_US, ANCHOR},
                      "%s", details);
    snprintf(full, sizeof full, "drop of a %s of %s, step", name, n);
    pieces_print(&steps, full, -1, STEP_GOAL_US, NULL, details);
    snprintf(full, sizeof full, "drop of a %s of %s, elements", name, n);
    figure_print_with(&(struct figure){full, (double)count / total_ms / 1e3, "M/s", GOAL_NONE, 0,
                                       NULL},
                      "%s", details);
    pieces_close(&steps);
    pieces_close(&command);
}

int main(int argc, char **argv)
{
    uint64_t elements = 10000000, runs = 3;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"elements", &elements, "elements of each value"},
                        {"runs", &runs, "runs of each"},
                        {NULL, NULL, NULL},
                    });
    drop("list", elements, (unsigned)runs, build_list);
    drop("map", elements, (unsigned)runs, build_map);
    return 0;
}
