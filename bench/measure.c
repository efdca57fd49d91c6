/* measure.c - see measure.h. */
#include "bench/measure.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "heap/heap.h"

/* --- clocks and memory ----------------------------------------------------------------------*/

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t measure_ns(void) { return read_clock(CLOCK_MONOTONIC); }
uint64_t measure_cpu_ns(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

uint64_t measure_process_cpu_ns(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? read_clock(clock) : 0;
}

size_t measure_process_rss_bytes(pid_t pid)
{
    char path[64];
    size_t pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* --- figures --------------------------------------------------------------------------------*/

void measure_rounds_add(struct measure_rounds *rounds, double figure)
{
    if (rounds->count == MEASURE_ROUNDS_MAX)
        measure_fail("more than %d rounds", MEASURE_ROUNDS_MAX);
    rounds->values[rounds->count++] = figure;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double measure_median(struct measure_rounds *rounds)
{
    size_t n = rounds->count;
    if (n == 0) return 0;
    qsort(rounds->values, n, sizeof *rounds->values, by_size);
    return n % 2 ? rounds->values[n / 2] : (rounds->values[n / 2 - 1] + rounds->values[n / 2]) / 2;
}

static const char *build_name(void)
{
#if defined(CAIRN_GC_STRESS)
    return "stress";
#elif defined(__SANITIZE_ADDRESS__)
    return "sanitize";
#elif defined(CAIRN_DEBUG)
    return "debug";
#else
    return "release";
#endif
}

static void print_goal(const struct figure *f)
{
    if (f->goal_is == GOAL_NONE)
        printf(",\"goal\":null,\"goal_is\":null");
    else
        printf(",\"goal\":%.6g,\"goal_is\":\"%s\"", f->goal,
               f->goal_is == GOAL_MAX ? "max" : "min");
    printf(",\"anchor\":\"%s\",\"build\":\"%s\"", f->anchor ? f->anchor : "", build_name());
}

static void print_begin(const struct figure *f)
{
    printf("{\"figure\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"", f->name, f->value, f->unit);
    print_goal(f);
}

static void print_end(void)
{
    printf("}\n");
    fflush(stdout);
}

void figure_print(const struct figure *f)
{
    print_begin(f);
    print_end();
}

void figure_print_with(const struct figure *f, const char *details, ...)
{
    va_list args;
    print_begin(f);
    putchar(',');
    va_start(args, details);
    vprintf(details, args);
    va_end(args);
    print_end();
}

void figure_skip(const struct figure *f, const char *why)
{
    printf("{\"figure\":\"%s\",\"value\":null,\"unit\":\"%s\"", f->name, f->unit);
    print_goal(f);
    printf(",\"skipped\":\"%s\"", why);
    print_end();
}

/* --- programs -------------------------------------------------------------------------------*/

void measure_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(EXIT_FAILURE);
}

const char *measure_count_text(uint64_t count, char text[16])
{
    if (count && count % 1000000 == 0)
        snprintf(text, 16, "%u M", (unsigned)(count / 1000000));
    else if (count && count % 1000 == 0)
        snprintf(text, 16, "%u k", (unsigned)(count / 1000));
    else
        snprintf(text, 16, "%u", (unsigned)count);
    return text;
}

static bool parse_count(const char *text, uint64_t *count)
{
    char *end;
    uint64_t unit = 1;
    uint64_t n = strtoull(text, &end, 10);
    if (end == text) return false;
    switch (*end) {
    case 'k': unit = 1000, end++; break;
    case 'm': unit = 1000000, end++; break;
    case 'g': unit = 1000000000, end++; break;
    default: break;
    }
    *count = n * unit;
    return *end == '\0' && n <= UINT64_MAX / unit;
}

static bool read_option(const char *argument, const struct measure_option *options)
{
    for (const struct measure_option *o = options; o->name; o++) {
        size_t length = strlen(o->name);
        if (strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, o->name, length) == 0 &&
            argument[2 + length] == '=')
            return parse_count(argument + 2 + length + 1, o->value);
    }
    return false;
}

void measure_options(int argc, char **argv, const struct measure_option *options)
{
    for (int i = 1; i < argc; i++) {
        if (read_option(argv[i], options)) continue;
        bool help = strcmp(argv[i], "--help") == 0;
        if (!help) fprintf(stderr, "bench: what does %s mean?\n", argv[i]);
        for (const struct measure_option *o = options; o->name; o++)
            fprintf(help ? stdout : stderr, "  --%s=N  %s (%" PRIu64 ")\n", o->name, o->help,
                    *o->value);
        exit(help ? EXIT_SUCCESS : EXIT_FAILURE);
    }
}

uint64_t measure_huge;

struct heap *measure_heap(size_t max_bytes)
{
    struct heap_config config = {
        .max_bytes = max_bytes, .hash_key = "fixed for bench", .huge_pages = measure_huge != 0};
    struct heap *h;
    int error = heap_create(&h, &config);
    if (error) measure_fail("a heap of %zu bytes: %s", max_bytes, strerror(-error));
    return h;
}
