/* alloc.c - what taking and freeing a small cell costs, against malloc, jemalloc and mimalloc.
 *
 *     bench_alloc [--rounds=N]
 *
 * The program runs itself as a child, with each allocator preloaded in turn, round after
 * round; each child measures three things, with the same loops for all subjects:
 *
 *   hot     batches of 256 objects of 32 bytes are taken, then freed in shuffled order: all of it
 *           stays in the first cache
 *   mixed   the same with sizes of 16 to 128 bytes
 *   swept   of 2 million objects half (at random) are garbage, and as many are taken again. The
 *           heap finds them by sweeping while it allocates; malloc is told by free(), in the order
 *           of allocation, which suits it best. The time of both is counted.
 *
 * Every object is written to, 8 bytes. In the heap, objects are leaves, which like malloc's come
 * uninitialised; containers, which come filled with nil and are freed through the drop queue,
 * have a line of their own.
 * Allocators that are not installed are left out, and the line says so. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "heap/store.h"

#define BATCH 256
#define BATCHES 4000
#define SWEPT 2000000
#define SWEPT_TIMES 3
#define SMALL_BYTES 32
#define STATUS_MISSING 77

/* X(NAME, name, preloaded library, a function that only it has) */
#define SUBJECTS(X)                                                  \
    X(CAIRN, "cairn", NULL, NULL)                                    \
    X(MALLOC, "malloc", NULL, NULL)                                  \
    X(JEMALLOC, "jemalloc", "libjemalloc.so.2", "malloc_stats_print") \
    X(MIMALLOC, "mimalloc", "libmimalloc.so.2", "mi_version")
enum subject {
#define X(name, text, library, symbol) SUBJECT_##name,
    SUBJECTS(X)
#undef X
    SUBJECT_COUNT
};
static const struct {
    const char *name, *library, *symbol;
} subjects[] = {
#define X(name, text, library, symbol) {text, library, symbol},
    SUBJECTS(X)
#undef X
};

#define MEASURES(X) X(HOT_TAKE) X(HOT_FREE) X(MIXED_TAKE) X(MIXED_FREE) X(CONTAINER_TAKE) X(SWEPT)
enum measure {
#define X(name) MEASURE_##name,
    MEASURES(X)
#undef X
    MEASURE_COUNT
};

/* --- one subject, in a child ----------------------------------------------------------------*/

static struct heap *heap; /* NULL: malloc's turn */
static uint16_t sizes[BATCH];
static uint16_t order[BATCH];
static uint64_t objects[SWEPT];

/* An object is a pointer, or a value. The flag is known when this is compiled. */
static inline __attribute__((always_inline)) uint64_t object_take(bool in_heap, enum kind kind,
                                                                  size_t bytes)
{
    if (in_heap) {
        value v = cell_take(heap, kind, bytes, 0);
        *(uint64_t *)ref_cell(heap, v) = 1;
        return v;
    }
    uint64_t *p = malloc(bytes);
    *p = 1;
    return (uintptr_t)p;
}

static inline __attribute__((always_inline)) void object_free(bool in_heap, uint64_t object)
{
    if (in_heap)
        value_release(heap, object);
    else
        free((void *)(uintptr_t)object);
}

static void batches_prepare(bool mixed)
{
    uint64_t random = 1;
    for (unsigned i = 0; i < BATCH; i++) {
        sizes[i] = (uint16_t)(mixed ? 16 + measure_random_below(&random, 113) : SMALL_BYTES);
        unsigned j = (unsigned)measure_random_below(&random, i + 1);
        order[i] = order[j];
        order[j] = (uint16_t)i;
    }
}

/* Nanoseconds to take and to free an object: medians over the batches. */
static inline __attribute__((always_inline)) void batches_time(bool in_heap, enum kind kind,
                                                               double *take_ns, double *free_ns)
{
    struct measure_rounds takes = {.count = 0}, frees = {.count = 0};
    for (unsigned round = 0; round < MEASURE_ROUNDS_MAX; round++) {
        uint64_t take = 0, give = 0;
        for (unsigned n = 0; n < BATCHES / MEASURE_ROUNDS_MAX; n++) {
            uint64_t t0 = measure_ns();
            for (unsigned i = 0; i < BATCH; i++) objects[i] = object_take(in_heap, kind, sizes[i]);
            uint64_t t1 = measure_ns();
            for (unsigned i = 0; i < BATCH; i++) object_free(in_heap, objects[order[i]]);
            while (in_heap && heap_drop_pending(heap)) heap_drop_step(heap, BATCH);
            uint64_t t2 = measure_ns();
            take += t1 - t0;
            give += t2 - t1;
        }
        double per_object = 1.0 / (BATCH * (BATCHES / MEASURE_ROUNDS_MAX));
        measure_rounds_add(&takes, (double)take * per_object);
        measure_rounds_add(&frees, (double)give * per_object);
    }
    *take_ns = measure_median(&takes);
    *free_ns = measure_median(&frees);
}

/* Half of the objects are garbage; chooses which, the same in every subject. */
static size_t garbage_choose(unsigned char *garbage)
{
    uint64_t random = 2;
    size_t count = 0;
    for (size_t i = 0; i < SWEPT; i++) count += garbage[i] = measure_random(&random) & 1;
    return count;
}

static double swept_malloc(const unsigned char *garbage, size_t garbage_count)
{
    for (size_t i = 0; i < SWEPT; i++) objects[i] = object_take(false, KIND_STRING, SMALL_BYTES);
    uint64_t begin = measure_cpu_ns();
    for (size_t i = 0; i < SWEPT; i++)
        if (garbage[i]) object_free(false, objects[i]);
    for (size_t i = 0; i < SWEPT; i++)
        if (garbage[i]) objects[i] = object_take(false, KIND_STRING, SMALL_BYTES);
    uint64_t took = measure_cpu_ns() - begin;
    for (size_t i = 0; i < SWEPT; i++) object_free(false, objects[i]);
    return (double)took / (double)garbage_count;
}

static double swept_heap(const unsigned char *garbage, size_t garbage_count)
{
    for (size_t i = 0; i < SWEPT; i++)
        objects[i] = value_share(heap, object_take(true, KIND_STRING, SMALL_BYTES));
    gc_start(heap);
    for (size_t i = 0; i < SWEPT; i++)
        if (!garbage[i]) gc_shade(heap, objects[i]); /* as if a container held it */
    while (gc_phase(heap) != GC_SWEEP) gc_step(heap, 1);
    uint64_t begin = measure_cpu_ns();
    for (size_t i = 0; i < SWEPT; i++)
        if (garbage[i]) objects[i] = object_take(true, KIND_STRING, SMALL_BYTES);
    uint64_t took = measure_cpu_ns() - begin;
    gc_collect(heap); /* the rest are garbage that nobody shares: they go as well */
    return (double)took / (double)garbage_count;
}

static double swept_time(void)
{
    static unsigned char garbage[SWEPT];
    struct measure_rounds times = {.count = 0};
    size_t count = garbage_choose(garbage);
    for (unsigned i = 0; i < SWEPT_TIMES; i++)
        measure_rounds_add(&times,
                           heap ? swept_heap(garbage, count) : swept_malloc(garbage, count));
    return measure_median(&times);
}

static int child(enum subject subject)
{
    double ns[MEASURE_COUNT] = {0}, none;
    if (subjects[subject].symbol && !dlsym(RTLD_DEFAULT, subjects[subject].symbol))
        return STATUS_MISSING;
    batches_prepare(false);
    if (subject == SUBJECT_CAIRN) {
        heap = measure_heap((size_t)1 << 30);
        batches_time(true, KIND_STRING, &ns[MEASURE_HOT_TAKE], &ns[MEASURE_HOT_FREE]);
        batches_time(true, KIND_LIST, &ns[MEASURE_CONTAINER_TAKE], &none);
        batches_prepare(true);
        batches_time(true, KIND_STRING, &ns[MEASURE_MIXED_TAKE], &ns[MEASURE_MIXED_FREE]);
    } else {
        batches_time(false, KIND_STRING, &ns[MEASURE_HOT_TAKE], &ns[MEASURE_HOT_FREE]);
        batches_prepare(true);
        batches_time(false, KIND_STRING, &ns[MEASURE_MIXED_TAKE], &ns[MEASURE_MIXED_FREE]);
    }
    ns[MEASURE_SWEPT] = swept_time();
    fwrite(ns, sizeof ns, 1, stdout);
    return EXIT_SUCCESS;
}

/* --- all of them ----------------------------------------------------------------------------*/

static struct measure_rounds results[SUBJECT_COUNT][MEASURE_COUNT];
static double medians[SUBJECT_COUNT][MEASURE_COUNT];
static bool missing[SUBJECT_COUNT];

static void child_run(enum subject subject)
{
    int out[2], status;
    double ns[MEASURE_COUNT];
    if (pipe(out) != 0) measure_fail("pipe");
    pid_t pid = fork();
    if (pid < 0) measure_fail("fork");
    if (pid == 0) {
        if (subjects[subject].library) setenv("LD_PRELOAD", subjects[subject].library, 1);
        dup2(out[1], STDOUT_FILENO);
        execl("/proc/self/exe", "bench_alloc", "child", subjects[subject].name, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    close(out[1]);
    ssize_t got = read(out[0], ns, sizeof ns);
    close(out[0]);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        measure_fail("%s ended badly", subjects[subject].name);
    missing[subject] = WEXITSTATUS(status) == STATUS_MISSING;
    if (missing[subject]) return;
    if (got != sizeof ns) measure_fail("%s gave no figures", subjects[subject].name);
    for (unsigned i = 0; i < MEASURE_COUNT; i++) measure_rounds_add(&results[subject][i], ns[i]);
}

static void figures(const char *name, const char *ratio_name, enum measure m, enum goal_kind is,
                    double goal)
{
    char anchor[256] = "", *end = anchor;
    double best = 0;
    for (unsigned s = SUBJECT_MALLOC; s < SUBJECT_COUNT; s++) {
        size_t left = sizeof anchor - (size_t)(end - anchor);
        const char *separator = s == SUBJECT_MALLOC ? "" : ", ";
        if (missing[s]) {
            end += snprintf(end, left, "%s%s not installed", separator, subjects[s].name);
            continue;
        }
        end += snprintf(end, left, "%s%s %.1f", separator, subjects[s].name, medians[s][m]);
        if (best == 0 || medians[s][m] < best) best = medians[s][m];
    }
    double ns = medians[SUBJECT_CAIRN][m];
    figure_print_with(&(struct figure){name, ns, "ns", is, goal, anchor}, "\"rounds\":%zu",
                      results[SUBJECT_CAIRN][m].count);
    /* What has no goal of its own is shown beside the others, no more. */
    figure_print(&(struct figure){ratio_name, ns / best, "ratio", is, 1, "the best of them"});
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "child") == 0)
        for (unsigned s = 0; s < SUBJECT_COUNT; s++)
            if (strcmp(argv[2], subjects[s].name) == 0) return child((enum subject)s);
    uint64_t rounds = 5;
    measure_options(argc, argv,
                    (struct measure_option[]){{"rounds", &rounds, "rounds over all allocators"},
                                              {NULL, NULL, NULL}});
    for (uint64_t round = 0; round < rounds; round++)
        for (unsigned s = 0; s < SUBJECT_COUNT; s++)
            if (!missing[s]) child_run((enum subject)s);
    for (unsigned s = 0; s < SUBJECT_COUNT; s++)
        for (unsigned m = 0; m < MEASURE_COUNT; m++) medians[s][m] = measure_median(&results[s][m]);

    figures("take a cell, hot", "take a cell, hot, of the best malloc", MEASURE_HOT_TAKE, GOAL_MAX,
            5);
    figures("take a cell, with sweep", "take a cell, with sweep, of the best malloc and free",
            MEASURE_SWEPT, GOAL_MAX, 15);
    figures("take a cell, mixed sizes", "take a cell, mixed sizes, of the best malloc",
            MEASURE_MIXED_TAKE, GOAL_NONE, 0);
    figures("free a cell, hot", "free a cell, hot, of the best free", MEASURE_HOT_FREE, GOAL_NONE,
            0);
    figures("free a cell, mixed sizes", "free a cell, mixed sizes, of the best free",
            MEASURE_MIXED_FREE, GOAL_NONE, 0);
    figure_print(&(struct figure){"take a container cell, hot",
                                  medians[SUBJECT_CAIRN][MEASURE_CONTAINER_TAKE], "ns", GOAL_NONE,
                                  0, "cells come filled with nil"});
    return EXIT_SUCCESS;
}
