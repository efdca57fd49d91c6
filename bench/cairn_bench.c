/* cairn_bench.c - cairn-bench: how many requests a second a server answers, and how fast.
 *
 * Its options, and its report for people and, with --json, for programs. The work is
 * load.c's. Exit status: 0; 1 if a reply was an error or not what was asked for, or the
 * run could not be ended; 2 for a wrong command line. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"

/* What may wait in this process's own buffers. */
#define IN_FLIGHT_BYTES_MAX ((uint64_t)4 << 30)

struct bench {
    struct workload workload;
    struct load_options load;
    bool json;
};

static const char usage_text[] =
    "Usage: cairn-bench [OPTION]... [get | set | mixed]\n"
    "Keeps a Cairn server busy over MessagePack-RPC and reports throughput and latency.\n"
    "Every reply is checked. \"mixed\" is the default.\n"
    "\n"
    "  -h, --host HOST          connect to HOST (127.0.0.1)\n"
    "  -p, --port PORT          at PORT (22476)\n"
    "  -u, --unix PATH          connect to a Unix socket instead\n"
    "  -c, --clients N          connections (50)\n"
    "  -P, --pipeline N         requests in flight on each (1)\n"
    "  -n, --requests N         measure N requests; or\n"
    "  -d, --duration SECONDS   measure for that long (5)\n"
    "  -w, --warmup SECONDS     run before measuring (0.5)\n"
    "  -s, --value-size BYTES   of each value (100)\n"
    "  -k, --keyspace N         different keys (100000)\n"
    "  -D, --distribution NAME  of keys: uniform or zipf (uniform)\n"
    "      --theta T            skew of zipf, between 0 and 1 (0.99)\n"
    "  -g, --get-percent N      share of get in a mixed workload (50)\n"
    "      --no-fill            do not set all keys before reading them\n"
    "      --seed N             of the random numbers (1)\n"
    "      --timeout SECONDS    without any reply, then give up (30)\n"
    "      --server-pid PID     also report that process's CPU time per request\n"
    "      --json               report in JSON\n"
    "      --help, --version\n"
    "\n"
    "Counts may end in k (thousand) or m (million).\n"
    "Keys are \"bench:\" and ten digits; they stay in the server.\n";

enum { OPTION_THETA = 256, OPTION_NO_FILL, OPTION_SEED, OPTION_TIMEOUT, OPTION_SERVER_PID,
       OPTION_JSON, OPTION_HELP, OPTION_VERSION };

static const struct option option_list[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"unix", required_argument, NULL, 'u'},
    {"clients", required_argument, NULL, 'c'},
    {"pipeline", required_argument, NULL, 'P'},
    {"requests", required_argument, NULL, 'n'},
    {"duration", required_argument, NULL, 'd'},
    {"warmup", required_argument, NULL, 'w'},
    {"value-size", required_argument, NULL, 's'},
    {"keyspace", required_argument, NULL, 'k'},
    {"distribution", required_argument, NULL, 'D'},
    {"theta", required_argument, NULL, OPTION_THETA},
    {"get-percent", required_argument, NULL, 'g'},
    {"no-fill", no_argument, NULL, OPTION_NO_FILL},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"server-pid", required_argument, NULL, OPTION_SERVER_PID},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static void usage_fail(const char *what, const char *text)
{
    fprintf(stderr, "cairn-bench: %s: \"%s\"\nTry: cairn-bench --help\n", what, text);
    exit(2);
}

static uint64_t parse_count(const char *what, const char *text, uint64_t min, uint64_t max)
{
    char *end, message[128];
    unsigned long long n = strtoull(text, &end, 10);
    if (end != text && *end == 'k') n *= 1000, end++;
    else if (end != text && *end == 'm') n *= 1000000, end++;
    if (end == text || *end || text[0] == '-' || n < min || n > max) {
        snprintf(message, sizeof message, "%s must be a number from %" PRIu64 " to %" PRIu64, what,
                 min, max);
        usage_fail(message, text);
    }
    return n;
}

static double parse_real(const char *what, const char *text, double min, double max)
{
    char *end, message[128];
    double d = strtod(text, &end);
    if (end == text || *end || !(d >= min && d <= max)) {
        snprintf(message, sizeof message, "%s must be a number from %g to %g", what, min, max);
        usage_fail(message, text);
    }
    return d;
}

static uint64_t parse_seconds(const char *what, const char *text, double min)
{
    return (uint64_t)(parse_real(what, text, min, 1e6) * 1e9);
}

static void parse_option(struct bench *b, int option, const char *text)
{
    struct workload *w = &b->workload;
    struct load_options *l = &b->load;
    switch (option) {
    case 'h': l->host = text; break;
    case 'p': l->port = (unsigned)parse_count("--port", text, 1, 65535); break;
    case 'u': l->unix_path = text; break;
    case 'c': l->clients = (unsigned)parse_count("--clients", text, 1, LOAD_CLIENTS_MAX); break;
    case 'P': l->pipeline = (unsigned)parse_count("--pipeline", text, 1, LOAD_PIPELINE_MAX); break;
    case 'n': l->requests = parse_count("--requests", text, 1, UINT64_MAX / 2); break;
    case 'd': l->duration_ns = parse_seconds("--duration", text, 0.001); break;
    case 'w': l->warmup_ns = parse_seconds("--warmup", text, 0); break;
    case 's':
        w->value_bytes = parse_count("--value-size", text, 0, WORKLOAD_VALUE_BYTES_MAX);
        break;
    case 'k': w->keyspace = parse_count("--keyspace", text, 1, WORKLOAD_KEYSPACE_MAX); break;
    case 'D':
        if (strcmp(text, "uniform") == 0) w->distribution = DISTRIBUTION_UNIFORM;
        else if (strcmp(text, "zipf") == 0) w->distribution = DISTRIBUTION_ZIPF;
        else usage_fail("--distribution must be uniform or zipf", text);
        break;
    case OPTION_THETA: w->zipf_theta = parse_real("--theta", text, 0.001, 0.999); break;
    case 'g': w->get_percent = (unsigned)parse_count("--get-percent", text, 0, 100); break;
    case OPTION_NO_FILL: l->fill = false; break;
    case OPTION_SEED: w->random = parse_count("--seed", text, 0, UINT64_MAX / 2); break;
    case OPTION_TIMEOUT: l->timeout_ns = parse_seconds("--timeout", text, 0.1); break;
    case OPTION_SERVER_PID:
        l->server_pid = (long)parse_count("--server-pid", text, 1, 1 << 30);
        break;
    case OPTION_JSON: b->json = true; break;
    case OPTION_HELP: fputs(usage_text, stdout); exit(0);
    case OPTION_VERSION: puts("cairn-bench " PACKAGE_VERSION); exit(0);
    default: fputs("Try: cairn-bench --help\n", stderr); exit(2);
    }
}

static void parse_kind(struct bench *b, const char *text)
{
    for (int kind = WORKLOAD_GET; kind <= WORKLOAD_MIXED; kind++)
        if (strcmp(text, workload_kind_name(kind)) == 0) {
            b->workload.kind = kind;
            return;
        }
    usage_fail("the workload must be get, set or mixed", text);
}

static void parse_arguments(struct bench *b, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "h:p:u:c:P:n:d:w:s:k:D:g:", option_list, NULL)) != -1)
        parse_option(b, option, optarg);
    if (optind < argc) parse_kind(b, argv[optind++]);
    if (optind < argc) usage_fail("one workload only, not also", argv[optind]);
    if (b->workload.kind == WORKLOAD_SET) b->load.fill = false;
    uint64_t in_flight = (uint64_t)b->load.clients * b->load.pipeline;
    if (in_flight * (b->workload.value_bytes + 64) > IN_FLIGHT_BYTES_MAX) {
        fprintf(stderr, "cairn-bench: %u clients with %u requests of %zu bytes in flight each are "
                        "more than %" PRIu64 " bytes\n",
                b->load.clients, b->load.pipeline, b->workload.value_bytes, IN_FLIGHT_BYTES_MAX);
        exit(2);
    }
}

/* --- the report ----------------------------------------------------------------------------*/

static const struct {
    const char *name;
    double q;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
#define QUANTILE_COUNT (sizeof quantiles / sizeof *quantiles)

static double requests_per_second(const struct load_result *r)
{
    return r->measured_ns ? (double)r->requests * 1e9 / (double)r->measured_ns : 0;
}

static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') printf("\\%c", byte);
        else if (byte < ' ') printf("\\u%04x", byte);
        else putchar(byte);
    }
    putchar('"');
}

static void print_json_latency(const char *name, const struct histogram *h, const char *after)
{
    printf("    \"%s\": {\"count\": %" PRIu64 ", \"min\": %.3f, \"mean\": %.3f", name, h->count,
           (double)h->min / 1e3, histogram_mean(h) / 1e3);
    for (size_t i = 0; i < QUANTILE_COUNT; i++)
        printf(", \"%s\": %.3f", quantiles[i].name,
               (double)histogram_quantile(h, quantiles[i].q) / 1e3);
    printf(", \"max\": %.3f}%s\n", (double)h->max / 1e3, after);
}

static void report_json(const struct bench *b, const struct load_result *r,
                        const struct histogram *all)
{
    const struct workload *w = &b->workload;
    printf("{\n  \"workload\": \"%s\",\n  \"get_percent\": %u,\n", workload_kind_name(w->kind),
           w->kind == WORKLOAD_GET ? 100 : w->kind == WORKLOAD_SET ? 0 : w->get_percent);
    printf("  \"clients\": %u,\n  \"pipeline\": %u,\n  \"value_bytes\": %zu,\n"
           "  \"keyspace\": %" PRIu64 ",\n  \"distribution\": \"%s\",\n",
           b->load.clients, b->load.pipeline, w->value_bytes, w->keyspace,
           w->distribution == DISTRIBUTION_ZIPF ? "zipf" : "uniform");
    printf("  \"fill_seconds\": %.6f,\n  \"seconds\": %.6f,\n  \"requests\": %" PRIu64
           ",\n  \"requests_per_second\": %.1f,\n",
           (double)r->fill_ns / 1e9, (double)r->measured_ns / 1e9, r->requests,
           requests_per_second(r));
    printf("  \"bytes_sent\": %" PRIu64 ",\n  \"bytes_received\": %" PRIu64 ",\n", r->bytes_sent,
           r->bytes_received);
    printf("  \"errors\": %" PRIu64 ",\n  \"wrong_replies\": %" PRIu64 ",\n", r->errors, r->wrong);
    if (r->first_error[0]) {
        printf("  \"first_error\": ");
        print_json_string(r->first_error);
        printf(",\n");
    }
    if (r->server_cpu_ns)
        printf("  \"server_cpu_seconds\": %.3f,\n  \"server_cpu_us_per_request\": %.4f,\n",
               (double)r->server_cpu_ns / 1e9,
               (double)r->server_cpu_ns / 1e3 / (double)(r->requests ? r->requests : 1));
    printf("  \"latency_us\": {\n");
    print_json_latency("get", &r->latency[OPERATION_GET], ",");
    print_json_latency("set", &r->latency[OPERATION_SET], ",");
    print_json_latency("all", all, "");
    printf("  }\n}\n");
}

static void print_latency(const char *name, const struct histogram *h)
{
    if (!h->count) return;
    printf("  %-4s %11" PRIu64 " %9.1f", name, h->count, histogram_mean(h) / 1e3);
    for (size_t i = 0; i < QUANTILE_COUNT; i++)
        printf(" %9.1f", (double)histogram_quantile(h, quantiles[i].q) / 1e3);
    printf(" %9.1f\n", (double)h->max / 1e3);
}

static void report_text(const struct bench *b, const struct load_result *r,
                        const struct histogram *all)
{
    const struct workload *w = &b->workload;
    printf("%s", workload_kind_name(w->kind));
    if (w->kind == WORKLOAD_MIXED) printf(" (%u %% get)", w->get_percent);
    printf(", values of %zu bytes, %" PRIu64 " keys, %s; %u clients, %u in flight each\n",
           w->value_bytes, w->keyspace,
           w->distribution == DISTRIBUTION_ZIPF ? "zipf" : "uniform", b->load.clients,
           b->load.pipeline);
    if (r->fill_ns)
        printf("filled in %.2f s\n", (double)r->fill_ns / 1e9);
    printf("%" PRIu64 " requests in %.2f s: %.0f requests/s\n", r->requests,
           (double)r->measured_ns / 1e9, requests_per_second(r));
    if (r->server_cpu_ns)
        printf("server: %.2f us of CPU time per request, %.0f %% of a core\n",
               (double)r->server_cpu_ns / 1e3 / (double)(r->requests ? r->requests : 1),
               100.0 * (double)r->server_cpu_ns / (double)r->measured_ns);
    printf("latency, us:      count      mean");
    for (size_t i = 0; i < QUANTILE_COUNT; i++) printf(" %9s", quantiles[i].name);
    printf("       max\n");
    print_latency("get", &r->latency[OPERATION_GET]);
    print_latency("set", &r->latency[OPERATION_SET]);
    if (w->kind == WORKLOAD_MIXED) print_latency("all", all);
    printf("error replies: %" PRIu64 ", wrong replies: %" PRIu64 "\n", r->errors, r->wrong);
}

int main(int argc, char **argv)
{
    static struct load_result result;
    static struct histogram all;
    struct bench b = {
        .workload = {.kind = WORKLOAD_MIXED, .get_percent = 50, .keyspace = 100000,
                     .value_bytes = 100, .zipf_theta = 0.99, .random = 1},
        .load = {.host = "127.0.0.1", .port = 22476, .clients = 50, .pipeline = 1, .fill = true,
                 .duration_ns = 5000000000, .warmup_ns = 500000000, .timeout_ns = 30000000000},
    };
    char error[256];
    parse_arguments(&b, argc, argv);
    if (workload_open(&b.workload) < 0) {
        fputs("cairn-bench: out of memory\n", stderr);
        return 1;
    }
    int status = load_run(&b.load, &b.workload, &result, error, sizeof error);
    workload_close(&b.workload);
    if (status < 0) {
        fprintf(stderr, "cairn-bench: %s\n", error);
        return 1;
    }
    for (int i = 0; i < OPERATION_COUNT; i++) histogram_merge(&all, &result.latency[i]);
    if (b.json) report_json(&b, &result, &all);
    else report_text(&b, &result, &all);
    if (result.first_error[0]) fprintf(stderr, "cairn-bench: %s\n", result.first_error);
    if (fflush(stdout) != 0 || ferror(stdout)) return 1;
    return result.errors || result.wrong ? 1 : 0;
}
