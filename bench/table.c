/* table.c - bytes of sealed columns, rates of reading them, and of formats made of them.
 *
 *     bench_table [--rows=N] [--rounds=N]
 *
 * Bytes are all that the table holds: data, headers, zones, dictionaries, whatever is not full yet;
 * of a million rows each. Rates are of one core, by CPU time, over --rows sealed rows. The
 * kernels are those of the highest level of this CPU (CAIRN_CPU_LEVEL chooses a lower one). */
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "heap/heap.h"
#include "heap/list.h"
#include "heap/table.h"
#include "heap/table_csv.h"
#include "heap/table_export.h"
#include "heap/text.h"
#include "heap/table_kernels.h"

#define CHUNK TABLE_CHUNK_ROWS
#define MILLION 1000000
#define ANCHOR_MEMORY "DuckDB's file 7.1 MB; numpy 7.6 MB"

static uint64_t seed = 1;

/* --- columns -----------------------------------------------------------------------------------*/

struct source {
    const char *name;
    enum table_type type;
    void (*fill)(uint64_t first, uint32_t count, void *out);
};

static void random_doubles(uint64_t first, uint32_t count, void *out)
{
    (void)first;
    for (uint32_t i = 0; i < count; i++)
        ((double *)out)[i] = (double)(measure_random(&seed) >> 11) * 0x1p-53;
}
static void decimals(uint64_t first, uint32_t count, void *out)
{
    (void)first;
    for (uint32_t i = 0; i < count; i++)
        ((double *)out)[i] = (double)measure_random_below(&seed, 1000000) / 100;
}
static void ids(uint64_t first, uint32_t count, void *out)
{
    for (uint32_t i = 0; i < count; i++) ((int64_t *)out)[i] = (int64_t)(first + i);
}
static void times(uint64_t first, uint32_t count, void *out)
{
    for (uint32_t i = 0; i < count; i++)
        ((int64_t *)out)[i] = 1700000000000000 + (int64_t)(first + i) * 1000000 +
                              (int64_t)measure_random_below(&seed, 10000);
}
static void booleans(uint64_t first, uint32_t count, void *out)
{
    (void)first;
    for (uint32_t i = 0; i < count; i++) ((uint8_t *)out)[i] = measure_random(&seed) & 1;
}
static void quantities(uint64_t first, uint32_t count, void *out)
{
    (void)first;
    for (uint32_t i = 0; i < count; i++)
        ((int32_t *)out)[i] = (int32_t)measure_random_below(&seed, 1000);
}
static void cities(uint64_t first, uint32_t count, void *out)
{
    static const char *const names[20] = {
        "Amsterdam", "Athens", "Berlin", "Bern", "Brussels", "Budapest", "Copenhagen",
        "Dublin", "Helsinki", "Lisbon", "London", "Madrid", "Oslo", "Paris", "Prague",
        "Rome", "Stockholm", "Vienna", "Warsaw", "Zagreb"};
    (void)first;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = names[measure_random_below(&seed, 20)];
        ((struct table_text *)out)[i] = (struct table_text){name, strlen(name)};
    }
}

static const struct source columns[] = {
    {"id", TABLE_I64, ids},          {"time", TABLE_TS, times},
    {"price", TABLE_F64, decimals},  {"quantity", TABLE_I32, quantities},
    {"city", TABLE_STR, cities},     {"paid", TABLE_BOOL, booleans},
    {"score", TABLE_F64, decimals},  {"load", TABLE_F64, random_doubles},
};

static _Alignas(64) unsigned char buffer[CHUNK * sizeof(struct table_text)];

static struct table *make(struct heap *h, const struct source *sources, uint32_t count, value *v)
{
    struct table_field fields[8];
    struct table_error error;
    for (uint32_t i = 0; i < count; i++)
        fields[i] = (struct table_field){sources[i].name, strlen(sources[i].name), sources[i].type,
                                         false, false};
    if (table_create(h, fields, count, v, &error) != 0) measure_fail("%s", error.text);
    return table_of(h, *v);
}

/* Returns the CPU time of the appends alone. */
static uint64_t append(struct table *t, const struct source *sources, uint32_t count, uint64_t rows)
{
    uint64_t ns = 0;
    struct table_error error;
    for (uint64_t first = 0; first < rows;) {
        struct table_append a;
        uint32_t part = rows - first < CHUNK ? (uint32_t)(rows - first) : CHUNK;
        uint64_t begin = measure_cpu_ns();
        if (table_append_begin(t, part, &a, &error) != 0) measure_fail("%s", error.text);
        ns += measure_cpu_ns() - begin;
        for (uint32_t i = 0; i < count; i++) {
            sources[i].fill(first, part, buffer);
            begin = measure_cpu_ns();
            int failed = sources[i].type == TABLE_STR
                             ? table_append_texts(&a, i, part, (void *)buffer, &error)
                             : table_append_raw(&a, i, part, buffer, NULL, 0, &error);
            if (failed) measure_fail("%s", error.text);
            ns += measure_cpu_ns() - begin;
        }
        if (table_append_commit(&a, NULL, &error) != 0) measure_fail("%s", error.text);
        first += part;
    }
    return ns;
}

/* Seals all that is full. Returns the CPU time; the longest step in *max_ns. */
static uint64_t seal(struct heap *h, struct table *t, uint64_t *max_ns)
{
    uint64_t begin = measure_cpu_ns(), last = begin;
    for (int more = 1; more == 1;) {
        more = table_seal_step(t, 0);
        uint64_t now = measure_cpu_ns();
        if (now - last > *max_ns) *max_ns = now - last;
        last = now;
        if (more < 0) measure_fail("no memory to seal with");
    }
    while (heap_drop_pending(h)) heap_drop_step(h, 512); /* versions that are over */
    return last - begin;
}

/* --- bytes -------------------------------------------------------------------------------------*/

/* With the last chunk closed, as an idle server leaves it. */
static double sealed_bytes(const struct source *sources, uint32_t count)
{
    struct heap *h = measure_heap((size_t)1 << 30);
    uint64_t rows = MILLION, max_ns = 0;
    value v;
    struct table *t = make(h, sources, count, &v);
    append(t, sources, count, rows);
    table_close_tail(t);
    seal(h, t, &max_ns);
    double bytes = (double)table_bytes(t) / (double)rows;
    heap_destroy(h);
    return bytes;
}

static void bytes_of(const char *name, const struct source *source, double goal, const char *anchor)
{
    bool whole = goal > 2;
    double bytes = sealed_bytes(source, 1);
    figure_print(&(struct figure){name, bytes, whole ? "MB" : "bytes", GOAL_MAX, goal, anchor});
}

/* --- rates -------------------------------------------------------------------------------------*/

/* sum(price) where price between min and max, over all vectors. */
static double filter_sum(const struct table_version *v, uint32_t filter, uint32_t column,
                         const struct table_range *r, uint64_t *count)
{
    struct table_sum sum = {.count = 0};
    for (uint32_t chunk = 0; chunk < table_version_chunks(v); chunk++)
        for (uint32_t i = 0; i < table_slots_vectors(table_chunk_slots(v, chunk)); i++) {
            uint64_t selected[TABLE_VECTOR_WORDS];
            if (table_select_range(v, chunk, filter, i, r, selected))
                table_sum_vector(v, chunk, column, i, selected, &sum);
        }
    *count = sum.count;
    return sum.number;
}

static void print_rate(const char *name, struct measure_rounds *rounds, double goal,
                       const char *anchor)
{
    figure_print_with(&(struct figure){name, measure_median(rounds), "M/s",
                                       goal > 0 ? GOAL_MIN : GOAL_NONE, goal, anchor},
                      "\"level\":\"%s\"", kernel_level_name(table_kernels()->level));
}

static void rate_of_filters(const struct table_version *v, uint64_t rows, unsigned rounds)
{
    struct table_range half = {{.d = 2500}, {.d = 7500}}, hundredth = {{.d = 100}, {.d = 200}};
    struct {
        const char *name;
        uint32_t filter, column;
        struct table_range range;
        double goal;
        struct measure_rounds rates;
    } cases[] = {
        {"filter + sum of one decimal column, half", 0, 0, half, 500, {.count = 0}},
        {"filter + sum of another decimal column, half", 0, 1, half, 500, {.count = 0}},
        {"filter + sum of another decimal column, 1 %", 0, 1, hundredth, 500, {.count = 0}},
    };
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
            uint64_t count, begin = measure_cpu_ns();
            filter_sum(v, cases[i].filter, cases[i].column, &cases[i].range, &count);
            uint64_t ns = measure_cpu_ns() - begin;
            if (count == 0) measure_fail("nothing was selected");
            measure_rounds_add(&cases[i].rates, (double)rows * 1e3 / (double)ns);
        }
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        print_rate(cases[i].name, &cases[i].rates, cases[i].goal,
                   "DuckDB compressed 48, uncompressed 108; Polars 150; AVX2 loop over raw 568");
}

static void rate_of_decoding(const struct table_version *v, uint32_t column, const char *name,
                             uint64_t rows, unsigned rounds)
{
    static _Alignas(64) uint64_t out[TABLE_VECTOR_ROWS * 2];
    struct measure_rounds rates = {.count = 0};
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t valid[TABLE_VECTOR_WORDS], begin = measure_cpu_ns();
        for (uint32_t chunk = 0; chunk < table_version_chunks(v); chunk++)
            for (uint32_t i = 0; i < table_slots_vectors(table_chunk_slots(v, chunk)); i++)
                table_read_vector(v, chunk, column, i, out, valid);
        measure_rounds_add(&rates, (double)rows * 1e3 / (double)(measure_cpu_ns() - begin));
    }
    print_rate(name, &rates, 0, NULL);
}

/* Cells at random positions among the first `rows`. */
static void rate_of_cells(const struct table_version *v, uint32_t column, const char *name,
                          uint64_t rows, unsigned rounds)
{
    struct measure_rounds each = {.count = 0};
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t reads = 300000, sum = 0, begin = measure_cpu_ns();
        for (uint64_t n = 0; n < reads; n++) {
            uint32_t chunk, slot;
            struct table_cell cell;
            table_locate(v, measure_random_below(&seed, rows), &chunk, &slot);
            table_cell(v, chunk, slot, column, &cell);
            sum += cell.u;
        }
        measure_fence();
        measure_rounds_add(&each, (double)(measure_cpu_ns() - begin) / (double)reads);
    }
    figure_print(&(struct figure){name, measure_median(&each), "ns", GOAL_MAX, 100, NULL});
}

/* Rows as values, as a request brings them: eight cells each, stored column by column. */
static void rate_of_values(unsigned rounds)
{
    enum { ROWS = 1000, COLUMNS = sizeof columns / sizeof *columns };
    static value cells[ROWS * COLUMNS];
    struct heap *h = measure_heap((size_t)2 << 30);
    struct measure_rounds rates = {.count = 0};
    for (uint32_t i = 0; i < ROWS * COLUMNS; i++) {
        int64_t n = (int64_t)measure_random_below(&seed, 1000);
        enum table_type type = columns[i % COLUMNS].type;
        cells[i] = type == TABLE_F64    ? value_double((double)n / 100)
                   : type == TABLE_BOOL ? value_bool(n & 1)
                   : type == TABLE_STR  ? value_inline_text("Athens", 6, false)
                                        : value_int(n);
    }
    for (unsigned round = 0; round < rounds; round++) {
        value v;
        struct table *t = make(h, columns, COLUMNS, &v);
        uint64_t begin = measure_cpu_ns();
        for (unsigned batch = 0; batch < 300; batch++) {
            struct table_append a;
            struct table_error error;
            int failed = table_append_begin(t, ROWS, &a, &error);
            for (uint32_t i = 0; i < COLUMNS && !failed; i++)
                failed = table_append_values(&a, i, ROWS, cells + i, COLUMNS, &error);
            if (!failed) failed = table_append_commit(&a, NULL, &error);
            if (failed) measure_fail("%s", error.text);
        }
        measure_rounds_add(&rates, 300.0 * ROWS * 1e3 / (double)(measure_cpu_ns() - begin));
        value_release(h, v);
        while (heap_drop_pending(h)) heap_drop_step(h, 512);
    }
    figure_print(&(struct figure){"append of rows of values, eight columns",
                                  measure_median(&rates), "M/s", GOAL_MIN, 5,
                                  "over loopback: QuestDB 1.4, DuckDB appender 1.0"});
    heap_destroy(h);
}

/* --- formats -----------------------------------------------------------------------------------*/

/* A scan of chosen columns (NULL: all) of a table as it is now, as an export. */
static struct export *export_of(struct heap *h, struct table *t, const uint32_t *chosen,
                                uint32_t count, enum export_format format, struct query **q)
{
    struct export_options options = {.format = format};
    struct query_spec spec;
    struct query_error error;
    struct export *e;
    if (query_spec_read(h, VALUE_NIL, false, &spec, &error) != 0) measure_fail("no query");
    if (chosen) spec.select = list_new(h);
    for (uint32_t i = 0; chosen && i < count; i++) {
        const struct table_field *f = table_field(t, chosen[i]);
        if (list_push_take(h, spec.select, text_new(h, f->name, f->name_length, true)) != 0)
            measure_fail("no memory for names");
    }
    if (query_scan_create(h, table_pin(t), &spec, 0, q, &error) != 0 ||
        export_create(*q, NULL, &options, &e, &error) != 0)
        measure_fail("no memory to export with");
    value_release(h, spec.select);
    return e;
}

/* Of chosen columns as an Arrow stream: bytes produced, and not sent anywhere. */
static void rate_of_arrow(struct heap *h, struct table_version *v, const char *name,
                          const uint32_t *chosen, uint32_t count, double goal, unsigned rounds)
{
    struct measure_rounds rates = {.count = 0};
    for (unsigned round = 0; round < rounds; round++) {
        const unsigned char *data;
        size_t length, bytes = 0;
        struct query *q;
        struct query_error error;
        uint64_t begin = measure_cpu_ns();
        struct export *e = export_of(h, table_version_table(v), chosen, count, EXPORT_ARROW, &q);
        int more = 1;
        for (; more == 1; bytes += length) more = export_step(e, 500000, &data, &length, &error);
        if (more < 0) measure_fail("no memory to export with");
        export_destroy(e);
        query_destroy(q);
        measure_rounds_add(&rates, (double)bytes / (double)(measure_cpu_ns() - begin));
    }
    figure_print(&(struct figure){name, measure_median(&rates), "GB/s",
                                  goal > 0 ? GOAL_MIN : GOAL_NONE, goal, NULL});
}

struct copy {
    struct heap *h;
    value v;
};

static int open_copy(void *data, const struct table_field *fields, uint32_t count,
                     struct table **t, struct table_error *error)
{
    struct copy *copy = data;
    int failed = table_create(copy->h, fields, count, &copy->v, error);
    if (!failed) *t = table_of(copy->h, copy->v);
    return failed;
}

/* The first rows of a version as CSV, in one piece that the caller frees. */
static struct table_out csv_of(struct heap *h, struct table_version *v, size_t bytes)
{
    struct query *q;
    struct query_error error;
    struct export *e = export_of(h, table_version_table(v), NULL, 0, EXPORT_CSV, &q);
    struct table_out csv = {.data = NULL};
    const unsigned char *data;
    size_t length;
    while (csv.length < bytes && export_step(e, UINT64_MAX, &data, &length, &error) == 1)
        out_put(&csv, data, length);
    export_destroy(e);
    query_destroy(q);
    if (csv.failed) measure_fail("no memory for CSV");
    while (csv.length && csv.data[csv.length - 1] != '\n') csv.length--;
    return csv;
}

static void rate_of_csv(struct heap *h, struct table_version *v, unsigned rounds)
{
    struct measure_rounds reading = {.count = 0}, writing = {.count = 0};
    for (unsigned round = 0; round < rounds; round++) {
        struct copy copy = {measure_heap((size_t)1 << 30), VALUE_NIL};
        struct csv_options options = {.delimiter = ','};
        struct table_error error;
        uint64_t begin = measure_cpu_ns();
        struct table_out csv = csv_of(h, v, (size_t)16 << 20);
        uint64_t middle = measure_cpu_ns();
        struct csv_reader *r = csv_reader_create(&options, open_copy, &copy);
        for (size_t at = 0, used; at < csv.length; at += used)
            if (csv_reader_feed(r, csv.data + at, csv.length - at, &used, &error) < 0)
                measure_fail("%s", error.text);
        if (csv_reader_end(r, &error) != 0) measure_fail("%s", error.text);
        uint64_t end = measure_cpu_ns();
        measure_rounds_add(&writing, (double)csv.length * 1e3 / (double)(middle - begin));
        measure_rounds_add(&reading, (double)csv.length * 1e3 / (double)(end - middle));
        csv_reader_destroy(r);
        out_close(&csv);
        heap_destroy(copy.h);
    }
    figure_print(&(struct figure){"CSV read into a table, six columns", measure_median(&reading),
                                  "MB/s", GOAL_NONE, 0, NULL});
    figure_print(&(struct figure){"CSV written, six columns", measure_median(&writing), "MB/s",
                                  GOAL_NONE, 0, NULL});
}

static void rates_of_formats(struct heap *h, struct table_version *v, unsigned rounds)
{
    static const uint32_t all[] = {0, 1, 2, 3, 4, 5};
    rate_of_arrow(h, v, "Arrow stream of six sealed columns", all, 6, 1.5, rounds);
    rate_of_arrow(h, v, "Arrow stream of decimals", all, 1, 0, rounds);
    rate_of_arrow(h, v, "Arrow stream of random doubles", all + 2, 1, 0, rounds);
    rate_of_arrow(h, v, "Arrow stream of timestamps", all + 3, 1, 0, rounds);
    rate_of_arrow(h, v, "Arrow stream of 20 strings", all + 4, 1, 0, rounds);
    rate_of_arrow(h, v, "Arrow stream of integers", all + 5, 1, 0, rounds);
    rate_of_csv(h, v, rounds);
}

static void rates(uint64_t rows, unsigned rounds)
{
    static const struct source sources[] = {
        {"price", TABLE_F64, decimals}, {"score", TABLE_F64, decimals},
        {"load", TABLE_F64, random_doubles}, {"time", TABLE_TS, times},
        {"city", TABLE_STR, cities}, {"quantity", TABLE_I32, quantities},
    };
    enum { COUNT = sizeof sources / sizeof *sources };
    struct heap *h = measure_heap((size_t)2 << 30);
    uint64_t max_ns = 0;
    value v;
    rows = rows / CHUNK * CHUNK;
    struct table *t = make(h, sources, COUNT, &v);
    uint64_t ns = 0, seal_ns = 0;
    for (uint64_t done = 0; done < rows; done += CHUNK) { /* sealed as it grows */
        ns += append(t, sources, COUNT, CHUNK);
        seal_ns += seal(h, t, &max_ns);
    }
    figure_print(&(struct figure){"append of raw columns, six of them",
                                  (double)rows * 1e3 / (double)ns, "M/s", GOAL_MIN, 20,
                                  "over loopback: DuckDB appender 1.0"});
    figure_print_with(&(struct figure){"sealing, six columns", (double)rows * 1e3 / (double)seal_ns,
                                       "M/s", GOAL_NONE, 0, NULL},
                      "\"step_max_us\":%.4g", (double)max_ns / 1e3);
    struct table_version *version = table_pin(t);
    rate_of_filters(version, rows, rounds);
    rate_of_decoding(version, 0, "decoding decimals", rows, rounds);
    rate_of_decoding(version, 2, "decoding random doubles", rows, rounds);
    rate_of_decoding(version, 3, "decoding timestamps", rows, rounds);
    rate_of_decoding(version, 4, "decoding 20 strings", rows, rounds);
    rate_of_decoding(version, 5, "decoding integers", rows, rounds);
    rate_of_cells(version, 0, "read of one cell, decimal, in one chunk", CHUNK, rounds);
    rate_of_cells(version, 0, "read of one cell, decimal", rows, rounds);
    rate_of_cells(version, 3, "read of one cell, timestamp", rows, rounds);
    rate_of_cells(version, 4, "read of one cell, string", rows, rounds);
    rates_of_formats(h, version, rounds);
    table_unpin(version);
    heap_destroy(h);
}

int main(int argc, char **argv)
{
    uint64_t rows = 10000000, rounds = 7;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"rows", &rows, "rows to read"},
                        {"rounds", &rounds, "rounds of each rate"},
                        {NULL, NULL, NULL},
                    });
    const struct source *c = columns;
    bytes_of("a million random doubles", &c[7], 6.8, ANCHOR_MEMORY);
    bytes_of("a million doubles with two decimals", &c[2], 2.7, "DuckDB's file 2.6 MB");
    bytes_of("ids, bytes each", &c[0], 0.05, "DuckDB 0.05");
    bytes_of("timestamps with jitter, bytes each", &c[1], 1.8, "DuckDB 1.88");
    bytes_of("20 strings, bytes each", &c[4], 0.65, "DuckDB 0.76");
    bytes_of("booleans, bytes each", &c[5], 0.15, NULL);
    figure_print(&(struct figure){"mix of eight columns, bytes a row", sealed_bytes(columns, 8),
                                  "bytes", GOAL_MAX, 16, "DuckDB in memory 73, compressed 16.5"});
    rate_of_values((unsigned)rounds);
    rates(rows, (unsigned)rounds);
    return 0;
}
