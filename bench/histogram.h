/* histogram.h - durations counted in log-linear buckets.
 *
 * A load generator sees millions of latencies and must tell the 99.99th percentile without
 * keeping them. Each doubling of the value is cut into 128 buckets, so that a quantile is
 * exact below 256 and within 0.8 % above, at 34 KB and a few instructions a value. The
 * method is that of G. Tene's HdrHistogram. */
#ifndef CAIRN_BENCH_HISTOGRAM_H
#define CAIRN_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
/* Larger values are counted as the largest: 2^40 ns are 18 minutes. */
#define HISTOGRAM_VALUE_BITS 40
#define HISTOGRAM_VALUE_MAX (((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1)
#define HISTOGRAM_BUCKETS ((HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t sum; /* of the values as given, for the mean */
    uint64_t min; /* 0 if empty */
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
/* Adds what `other` counted. */
void histogram_merge(struct histogram *h, const struct histogram *other);
/* The smallest value that at least the share `q` (0..1) of the values does not pass, as an
 * upper bound of its bucket, never above the largest value seen. 0 if empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* The largest value that falls into a bucket. */
uint64_t histogram_bucket_top(size_t bucket);
double histogram_mean(const struct histogram *h);

#endif
