/* churn.c - how much memory the heap holds beyond what lives in it.
 *
 *     bench_churn [--keys=N] [--seconds=N]
 *
 * Two questions. After a change of what is stored, once the server has been idle for a moment:
 * live / committed, where live is what cells in use take, and committed is pages that have
 * memory, and their planes. Patterns, of a map of N keys to strings:
 *
 *   sizes shift      every value is overwritten, in random order, with one of the next size
 *   alternate sizes  long and short values alternate; the short ones go, longer ones come
 *   swing            all but 40 keys go, and N new ones come
 *   half deleted     half of the keys go, at random
 *
 * And under load: peak / live, where peak is the most that was ever committed.
 *
 *   no sharing       values are overwritten at full speed: one owner frees, and no cycle runs
 *   cyclic garbage   rings of shared nodes are replaced at full speed; what lives is what is
 *                    left after a whole collection
 *
 * Between batches of changes the collector gets its time by the server's own scheduler. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/text.h"
#include "server/tasks.h"

#define VALUE_BYTES_MAX 4096
#define BATCH 64
#define RING_NODES 8
#define SWING_LEFT 40

static struct heap *heap;
static struct tasks tasks;
static value keys;
static uint64_t random_state;
static uint64_t changes;       /* since the last turn of the scheduler */
static uint64_t turn_began_ns;
static size_t peak_bytes;

static size_t committed_bytes(void)
{
    struct heap_stats stats;
    heap_stats(heap, &stats);
    return stats.committed_bytes + stats.metadata_bytes;
}

static size_t used_bytes(void)
{
    struct heap_stats stats;
    heap_stats(heap, &stats);
    return stats.used_bytes;
}

static void open_heap(void)
{
    heap = measure_heap((size_t)4 << 30);
    tasks_init(&tasks, heap);
    random_state = 5;
    keys = map_new(heap);
    if (keys == VALUE_ABSENT) measure_fail("the heap is full");
    heap_root_set_take(heap, ROOT_KEYS, keys);
    peak_bytes = 0;
    changes = 0;
    turn_began_ns = measure_ns();
}

/* After each change: the scheduler's turn comes after so many of them. */
static void changed(void)
{
    if (++changes % BATCH) return;
    size_t committed = committed_bytes();
    if (committed > peak_bytes) peak_bytes = committed;
    tasks_run(&tasks, measure_ns() - turn_began_ns);
    turn_began_ns = measure_ns();
}

/* Nothing happens for a while: as in the server, until there is nothing left to do. */
static void rest(void)
{
    for (uint64_t ms = 1; ms != 0; ms = tasks_wait_ms(&tasks)) {
        usleep((useconds_t)ms * 1000);
        while (tasks_want_time(&tasks)) tasks_run(&tasks, 0);
    }
}

static void key_of(struct map_key *key, char *name, uint64_t id)
{
    snprintf(name, 32, "key:%012lu", id);
    map_key_text(heap, key, name, strlen(name));
}

static void key_set(uint64_t id, size_t bytes)
{
    static const char pattern[VALUE_BYTES_MAX];
    char name[32];
    struct map_key key;
    key_of(&key, name, id);
    value text = text_new(heap, pattern, bytes, true);
    if (text == VALUE_ABSENT || map_set_take(heap, keys, &key, text) != 0)
        measure_fail("the heap is full");
    changed();
}

static void key_remove(uint64_t id)
{
    char name[32];
    struct map_key key;
    key_of(&key, name, id);
    if (map_remove(heap, keys, &key, NULL) != 0) measure_fail("key %lu is not there", id);
    changed();
}

/* --- after churn ----------------------------------------------------------------------------*/

static void utilisation_figure(const char *pattern)
{
    char name[96];
    rest();
    snprintf(name, sizeof name, "live / committed, %s", pattern);
    struct heap_stats stats;
    heap_stats(heap, &stats);
    size_t used = stats.used_bytes, committed = committed_bytes();
    figure_print_with(&(struct figure){name, (double)used / (double)committed, "ratio", GOAL_MIN,
                                       0.87, "Redis 0.35-0.79 in its users' reports"},
                      "\"live_bytes\":%zu,\"page_bytes\":%zu,\"committed_bytes\":%zu,"
                      "\"keys\":%zu", used, stats.page_bytes, committed, map_count(heap, keys));
    heap_destroy(heap);
}

/* The keys 0..n-1 in a random order: steps of a number that is prime to n, which is not a
 * multiple of 7919. */
static uint64_t scattered(uint64_t i, uint64_t n) { return i * 7919 * 7919 % n; }

static void sizes_shift(uint64_t n)
{
    static const size_t sizes[] = {16, 40, 100, 250, 70, 500, 30, 120};
    open_heap();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint64_t i = 0; i < n; i++) key_set(s ? scattered(i, n) : i, sizes[s]);
    utilisation_figure("sizes shift");
}

static void alternate_sizes(uint64_t n)
{
    open_heap();
    for (uint64_t i = 0; i < n; i++) key_set(i, i % 2 ? 40 : 200);
    for (uint64_t i = 1; i < n; i += 2) key_remove(i);
    for (uint64_t i = 1; i < n; i += 2) key_set(i, 230);
    utilisation_figure("alternate sizes");
}

static void swing(uint64_t n)
{
    open_heap();
    for (uint64_t i = 0; i < 2 * n; i++) key_set(i, 40 + i % 60);
    for (uint64_t i = SWING_LEFT; i < 2 * n; i++) key_remove(i);
    rest();
    for (uint64_t i = SWING_LEFT; i < n; i++) key_set(i, 90 + i % 60);
    utilisation_figure("swing");
}

static void half_deleted(uint64_t n)
{
    open_heap();
    for (uint64_t i = 0; i < n; i++) key_set(i, 100);
    for (uint64_t i = 0; i < n; i++)
        if (measure_random(&random_state) & 1) key_remove(i);
    utilisation_figure("half deleted");
}

/* --- under load -----------------------------------------------------------------------------*/

static void no_sharing(uint64_t n, uint64_t seconds)
{
    struct gc_stats stats;
    uint64_t sets = 0, begin = measure_ns();
    open_heap();
    for (uint64_t i = 0; i < n; i++) key_set(i, 80 + i % 40);
    size_t live = used_bytes();
    for (; measure_ns() - begin < seconds * 1000000000 || sets < 2 * n; sets++)
        key_set(measure_random_below(&random_state, n), 80 + sets % 40);
    gc_stats(heap, &stats);
    if (used_bytes() > live) live = used_bytes();
    figure_print_with(&(struct figure){"peak / live, no sharing, overwritten at full speed",
                                       (double)peak_bytes / (double)live, "ratio", GOAL_MAX, 1.1,
                                       NULL},
                      "\"peak_bytes\":%zu,\"live_bytes\":%zu,\"sets\":%lu", peak_bytes, live, sets);
    figure_print(&(struct figure){"cycles run, no sharing, overwritten at full speed",
                                  (double)stats.cycles, "cycles", GOAL_MAX, 0, NULL});
    heap_destroy(heap);
}

static void ring_set(uint64_t id)
{
    char name[32];
    struct map_key key;
    value first = VALUE_NIL, next = VALUE_NIL;
    key_of(&key, name, id);
    for (unsigned i = 0; i < RING_NODES; i++) {
        value text = text_new(heap, "a node of a ring", 16, false);
        value items[] = {next, text, value_int((int64_t)i)};
        value node = text == VALUE_ABSENT ? text : list_from_take(heap, items, 3);
        if (node == VALUE_ABSENT) measure_fail("the heap is full");
        next = value_share(heap, node);
        if (i == 0) first = node;
    }
    if (list_set_take(heap, first, 0, next) != 0 || map_set_take(heap, keys, &key, first) != 0)
        measure_fail("the heap is full");
    changed();
}

static void cyclic_garbage(uint64_t n, uint64_t seconds)
{
    struct gc_stats stats;
    uint64_t sets = 0;
    open_heap();
    for (uint64_t i = 0; i < n / 4; i++) ring_set(i);
    gc_collect(heap);
    peak_bytes = 0;
    uint64_t begin = measure_ns(), before = tasks.collector_ns;
    for (; measure_ns() - begin < seconds * 1000000000 || sets < n; sets++)
        ring_set(measure_random_below(&random_state, n / 4));
    double share = 100 * (double)(tasks.collector_ns - before) / (double)(measure_ns() - begin);
    gc_stats(heap, &stats);
    gc_collect(heap);
    size_t live = used_bytes();
    figure_print_with(&(struct figure){"peak / live, shared cyclic garbage at full speed",
                                       (double)peak_bytes / (double)live, "ratio", GOAL_MAX, 1.4,
                                       "Go, Lua: 2"},
                      "\"peak_bytes\":%zu,\"live_bytes\":%zu,\"rings\":%lu,\"cycles\":%lu,"
                      "\"collector_percent\":%.3g",
                      peak_bytes, live, sets, stats.cycles, share);
    figure_print(&(struct figure){"cycles run, shared cyclic garbage at full speed",
                                  (double)stats.cycles, "cycles", GOAL_NONE, 0, NULL});
    figure_print(&(struct figure){"collector, share of time, shared cyclic garbage at full speed",
                                  share, "%", GOAL_NONE, 0, NULL});
    heap_destroy(heap);
}

int main(int argc, char **argv)
{
    uint64_t n = 1000000, seconds = 10;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"keys", &n, "keys; not a multiple of 7919"},
                        {"seconds", &seconds, "of load, at least"},
                        {NULL, NULL, NULL},
                    });
    sizes_shift(n);
    alternate_sizes(n);
    swing(n);
    half_deleted(n);
    no_sharing(n, seconds);
    cyclic_garbage(n, seconds);
    return 0;
}
