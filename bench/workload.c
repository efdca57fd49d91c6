/* workload.c - see workload.h. */
#include "bench/workload.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_OFFSETS 4096 /* different values at most */

const char *workload_kind_name(enum workload_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        WORKLOAD_KINDS(X)
#undef X
    };
    return names[kind];
}

const char *operation_name(enum operation operation)
{
    return operation == OPERATION_GET ? "get" : "set";
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t random_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random_next(state) * n) >> 64);
}

static double zeta(uint64_t n, double theta)
{
    double sum = 0;
    for (uint64_t i = 1; i <= n; i++) sum += pow((double)i, -theta);
    return sum;
}

/* Constants of J. Gray et al., "Quickly generating billion-record synthetic databases",
 * 1994, which draws from Zipf's distribution in constant time. */
static void zipf_prepare(struct workload *w)
{
    if (w->keyspace <= 2) return; /* workload_key treats these by themselves */
    w->zipf_zeta = zeta(w->keyspace, w->zipf_theta);
    w->zipf_alpha = 1 / (1 - w->zipf_theta);
    w->zipf_eta = (1 - pow(2.0 / (double)w->keyspace, 1 - w->zipf_theta)) /
                  (1 - zeta(2, w->zipf_theta) / w->zipf_zeta);
}

int workload_open(struct workload *w)
{
    size_t length = w->value_bytes + PATTERN_OFFSETS;
    w->pattern = malloc(length);
    if (!w->pattern) return -ENOMEM;
    for (size_t i = 0; i < length; i++) w->pattern[i] = (char)('!' + random_below(&w->random, 94));
    if (w->distribution == DISTRIBUTION_ZIPF) zipf_prepare(w);
    return 0;
}

void workload_close(struct workload *w)
{
    free(w->pattern);
    w->pattern = NULL;
}

enum operation workload_operation(struct workload *w)
{
    if (w->kind == WORKLOAD_GET) return OPERATION_GET;
    if (w->kind == WORKLOAD_SET) return OPERATION_SET;
    return random_below(&w->random, 100) < w->get_percent ? OPERATION_GET : OPERATION_SET;
}

static uint64_t zipf_key(struct workload *w)
{
    double u = (double)(random_next(&w->random) >> 11) * 0x1p-53;
    if (w->keyspace == 1) return 0;
    if (w->keyspace == 2) return u * (1 + pow(2, -w->zipf_theta)) < 1 ? 0 : 1;
    double scaled = u * w->zipf_zeta;
    if (scaled < 1) return 0;
    if (scaled < 1 + pow(0.5, w->zipf_theta)) return 1;
    double key = (double)w->keyspace * pow(w->zipf_eta * u - w->zipf_eta + 1, w->zipf_alpha);
    return key < (double)w->keyspace ? (uint64_t)key : w->keyspace - 1;
}

uint64_t workload_key(struct workload *w)
{
    if (w->distribution == DISTRIBUTION_ZIPF) return zipf_key(w);
    return random_below(&w->random, w->keyspace);
}

void workload_key_text(uint64_t key, char *out)
{
    memcpy(out, "bench:", 6);
    for (int i = WORKLOAD_KEY_BYTES - 1; i >= 6; i--, key /= 10) out[i] = (char)('0' + key % 10);
}

const char *workload_value(const struct workload *w, uint64_t key)
{
    return w->pattern + key * 0x9e3779b97f4a7c15 / (UINT64_MAX / PATTERN_OFFSETS + 1);
}
