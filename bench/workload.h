/* workload.h - what cairn-bench asks for: operations, keys and values.
 *
 * Everything is determined by the seed. The value of a key is a piece of one pattern, at an
 * offset that depends on the key: so writing it copies nothing into a second buffer first,
 * and every byte that a get brings back can be compared. */
#ifndef CAIRN_BENCH_WORKLOAD_H
#define CAIRN_BENCH_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

/* X(NAME, name on the command line) */
#define WORKLOAD_KINDS(X) \
    X(GET, "get")         \
    X(SET, "set")         \
    X(MIXED, "mixed")
enum workload_kind {
#define X(name, text) WORKLOAD_##name,
    WORKLOAD_KINDS(X)
#undef X
};
const char *workload_kind_name(enum workload_kind kind);

enum operation { OPERATION_GET, OPERATION_SET, OPERATION_COUNT };
const char *operation_name(enum operation operation);

enum distribution { DISTRIBUTION_UNIFORM, DISTRIBUTION_ZIPF };

#define WORKLOAD_KEYSPACE_MAX 1000000000
#define WORKLOAD_VALUE_BYTES_MAX (64u << 20)
#define WORKLOAD_KEY_BYTES 16 /* "bench:" and ten digits */

struct workload {
    enum workload_kind kind;
    unsigned get_percent; /* of a mixed workload */
    uint64_t keyspace;
    size_t value_bytes;
    enum distribution distribution;
    double zipf_theta; /* in 0..1, without the ends */
    uint64_t random;   /* state; the seed at first */

    char *pattern; /* owned */
    double zipf_alpha, zipf_eta, zipf_zeta;
};

/* Prepares what the other functions need, from the fields above `pattern`. 0 or -ENOMEM.
 * Zipf takes time proportional to the key space. */
int workload_open(struct workload *w);
void workload_close(struct workload *w);

enum operation workload_operation(struct workload *w);
/* 0..keyspace-1; with Zipf's distribution 0 is the most frequent. */
uint64_t workload_key(struct workload *w);
/* Writes WORKLOAD_KEY_BYTES bytes, unterminated. */
void workload_key_text(uint64_t key, char *out);
/* `value_bytes` bytes of ASCII; valid until workload_close. */
const char *workload_value(const struct workload *w, uint64_t key);

#endif
