/* histogram.c - see histogram.h.
 *
 * The bucket of a value: below 2^8 the value itself; above, with `shift` chosen so that
 * value >> shift has eight bits, (shift << 7) + (value >> shift). Neighbouring values are
 * in the same bucket or in neighbouring ones, without gaps. */
#include "bench/histogram.h"

#include <math.h>
#include <string.h>

static size_t bucket_of(uint64_t value)
{
    if (value < (uint64_t)1 << (HISTOGRAM_SUB_BITS + 1)) return value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return ((size_t)shift << HISTOGRAM_SUB_BITS) + (value >> shift);
}

uint64_t histogram_bucket_top(size_t bucket)
{
    if (bucket < (size_t)1 << (HISTOGRAM_SUB_BITS + 1)) return bucket;
    unsigned shift = (unsigned)(bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t leading = bucket - ((size_t)shift << HISTOGRAM_SUB_BITS);
    return ((leading + 1) << shift) - 1;
}

void histogram_reset(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    if (!h->count || value < h->min) h->min = value;
    if (value > h->max) h->max = value;
    h->count++;
    h->sum += value;
    h->buckets[bucket_of(value < HISTOGRAM_VALUE_MAX ? value : HISTOGRAM_VALUE_MAX)]++;
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
    if (!other->count) return;
    if (!h->count || other->min < h->min) h->min = other->min;
    if (other->max > h->max) h->max = other->max;
    h->count += other->count;
    h->sum += other->sum;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) h->buckets[i] += other->buckets[i];
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    if (!h->count) return 0;
    double rank = ceil(q * (double)h->count);
    uint64_t wanted = rank < 1 ? 1 : rank >= (double)h->count ? h->count : (uint64_t)rank;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen < wanted) continue;
        uint64_t top = histogram_bucket_top(i);
        return top < h->max ? top : h->max;
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0;
}
