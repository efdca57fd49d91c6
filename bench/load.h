/* load.h - connections that keep a server busy, and what came of it.
 *
 * A closed loop: each client has `pipeline` requests in flight and sends the next one when
 * a reply arrives. So a slow server is asked less, and its latencies say nothing of what
 * clients would have waited who come at their own pace.
 *
 * Phases, each ended before the next begins: connect; fill (every key is set once, where the
 * workload reads); warm-up; measurement. */
#ifndef CAIRN_BENCH_LOAD_H
#define CAIRN_BENCH_LOAD_H

#include <stdbool.h>

#include "bench/histogram.h"
#include "bench/workload.h"

#define LOAD_CLIENTS_MAX 20000
#define LOAD_PIPELINE_MAX 100000

struct load_options {
    const char *host; /* name or address */
    unsigned port;
    const char *unix_path; /* NULL: TCP */
    unsigned clients;
    unsigned pipeline;
    bool fill;
    uint64_t requests;      /* to measure; 0: for `duration_ns` */
    uint64_t duration_ns;
    uint64_t warmup_ns;     /* 0: none */
    uint64_t timeout_ns;    /* without any reply */
    long server_pid;        /* 0: unknown */
};

struct load_result {
    uint64_t fill_ns;     /* 0: was not done */
    uint64_t measured_ns; /* from the first request to the last reply */
    uint64_t requests;    /* answered in that time */
    uint64_t bytes_sent, bytes_received;
    uint64_t server_cpu_ns; /* in that time; 0: unknown */
    uint64_t errors;      /* error replies, in all phases */
    uint64_t wrong;       /* replies that are not what was asked for, in all phases */
    char first_error[256]; /* what the first of these was */
    struct histogram latency[OPERATION_COUNT]; /* ns, measured phase */
};

/* Runs the phases. 0, or -1 with a sentence in `error` if they could not be ended: no
 * connection, a connection lost, a reply that cannot be followed, a timeout, no memory.
 * Error replies and wrong ones are counted and do not end it. */
int load_run(const struct load_options *options, struct workload *workload,
             struct load_result *result, char *error, size_t error_size);

#endif
