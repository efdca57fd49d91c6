/* table_levels.c - which of the compiled kernels this machine runs. */
#include "heap/table_kernels.h"

#ifdef HAVE_X86_LEVELS
#include <cpuid.h>
#endif
#include <stdlib.h>
#include <string.h>

extern const struct table_kernels table_kernels_generic;
#ifdef HAVE_X86_LEVELS
extern const struct table_kernels table_kernels_v3, table_kernels_v4;
#endif

const char *kernel_level_name(enum kernel_level level)
{
    static const char *const names[] = {
#define X(name, suffix, text) text,
        KERNEL_LEVELS(X)
#undef X
    };
    return names[level];
}

#ifdef HAVE_X86_LEVELS
/* What x86-64-v3 has besides the vectors, and compilers use. Read from the CPU, since not all
 * compilers that know the level know these names. */
static bool has_small_of_v3(void)
{
    unsigned a, b, c, d, extended;
    return __get_cpuid(1, &a, &b, &c, &d) && __get_cpuid(0x80000001, &a, &b, &extended, &d) &&
           (c & bit_MOVBE) && (c & bit_F16C) && (c & bit_POPCNT) && (extended & bit_LZCNT);
}
#endif

/* NULL if this build or this CPU does not have the level. */
static const struct table_kernels *kernels_of(enum kernel_level level)
{
    switch (level) {
#ifdef HAVE_X86_LEVELS
    case KERNEL_V4:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl") && kernels_of(KERNEL_V3)
                   ? &table_kernels_v4
                   : NULL;
    case KERNEL_V3:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
                       has_small_of_v3()
                   ? &table_kernels_v3
                   : NULL;
#endif
    case KERNEL_GENERIC: return &table_kernels_generic;
    default: return NULL;
    }
}

static const struct table_kernels *in_use;

static const struct table_kernels *choose(void)
{
    const char *wanted = getenv("CAIRN_CPU_LEVEL");
    const struct table_kernels *best = &table_kernels_generic;
    for (unsigned i = 0; i < KERNEL_LEVEL_COUNT; i++) {
        const struct table_kernels *kernels = kernels_of((enum kernel_level)i);
        if (!kernels) continue;
        best = kernels;
        if (wanted && strcmp(wanted, kernel_level_name(kernels->level)) == 0) break;
    }
    return best;
}

const struct table_kernels *table_kernels(void)
{
    if (!in_use) in_use = choose();
    return in_use;
}

bool table_kernels_use(enum kernel_level level)
{
    const struct table_kernels *kernels = kernels_of(level);
    if (kernels) in_use = kernels;
    return kernels != NULL;
}
