/* query_accumulate.c - adding rows to groups: one loop per function and kind of value.
 *
 * A group's accumulators lie together in its record, so that a row touches one place in memory.
 * Doubles are added in the order of rows within each group, in one sequence: the same bits on
 * every machine. Without groups, sums and extremes of columns come from the packed data, where the
 * order is fixed as well (table.h). */
#include "heap/query_int.h"

/* Integers: the sum is high * 2^64 + low, low as signed or unsigned as the values are. */
struct integer_sum {
    uint64_t low;
    int64_t high;
};
struct moments {
    double mean, squares;
};

/* What an aggregate keeps, besides the count of values. */
uint32_t accumulator_bytes(const struct query_aggregate *a)
{
    switch (a->function) {
    case AGG_SUM:
    case AGG_AVG: return a->code.kind == QUERY_FLOAT ? sizeof(double) : sizeof(struct integer_sum);
    case AGG_MIN:
    case AGG_MAX:
    case AGG_FIRST:
    case AGG_LAST: return a->text ? sizeof(struct table_text) : sizeof(uint64_t);
    case AGG_VAR:
    case AGG_STDDEV: return sizeof(struct moments);
    case AGG_APPROX: return sizeof(struct query_sketch *);
    case AGG_QUANTILE:
    case AGG_MEDIAN: return sizeof(uint64_t); /* where its values begin */
    default: return 0;
    }
}

void accumulator_init(const struct query_aggregate *a, unsigned char *record)
{
    if (a->function == AGG_MIN && !a->text)
        memset(record + a->offset, 0xff, sizeof(uint64_t)); /* an order key above all */
}

/* --- loops -------------------------------------------------------------------------------------*/

struct rows {
    unsigned char **at;        /* records */
    const uint16_t *positions; /* rows in the vector */
    uint32_t count;
};

/* Keeps the rows whose value is not null, and counts them. */
static void count_valid(struct query *q, const struct query_aggregate *a, const uint64_t *valid,
                        struct rows *rows)
{
    struct query_agg *agg = q->agg;
    uint32_t kept = 0;
    unsigned char **at = agg->kept_at;
    uint16_t *positions = agg->kept_positions;
    for (uint32_t i = 0; i < rows->count; i++) {
        at[kept] = agg->at[i];
        positions[kept] = agg->positions[i];
        kept += bits_get(valid, agg->positions[i]);
    }
    for (uint32_t i = 0; i < kept; i++) ++*(uint64_t *)(void *)(at[i] + a->count_offset);
    *rows = (struct rows){.at = at, .positions = positions, .count = kept};
}

/* What the loops look at is copied first: they store through pointers that might point to it. */
#define EACH_ROW                                                                        \
    unsigned char *const *at = r->at;                                                   \
    const uint16_t *positions = r->positions;                                           \
    const uint32_t rows = r->count, offset = a->offset;                                 \
    for (uint32_t i = 0, row = 0; i < rows && (row = positions[i], true); i++)
#define ACCUMULATOR(type) ((type *)(void *)(at[i] + offset))

static void sum_integers(const struct query_aggregate *a, const struct rows *r, const int64_t *v)
{
    EACH_ROW
    {
        struct integer_sum *sum = ACCUMULATOR(struct integer_sum);
        int64_t low = (int64_t)sum->low;
        if (unlikely(__builtin_add_overflow(low, v[row], &low))) sum->high += v[row] < 0 ? -1 : 1;
        sum->low = (uint64_t)low;
    }
}

static void sum_unsigned(const struct query_aggregate *a, const struct rows *r, const uint64_t *v)
{
    EACH_ROW
    {
        struct integer_sum *sum = ACCUMULATOR(struct integer_sum);
        if (unlikely(__builtin_add_overflow(sum->low, v[row], &sum->low))) sum->high++;
    }
}

static void sum_doubles(const struct query_aggregate *a, const struct rows *r, const double *v)
{
    EACH_ROW
    {
        *ACCUMULATOR(double) += v[row];
    }
}

static void extreme_numbers(const struct query_aggregate *a, const struct rows *r,
                            const uint64_t *v)
{
    bool least = a->function == AGG_MIN;
    EACH_ROW
    {
        uint64_t key = key_of_lane(a->code.kind, v[row]), *best = ACCUMULATOR(uint64_t);
        if (least ? key < *best : key > *best) *best = key;
    }
}

/* Whether to stop after the row that agg->row_next is beyond: enough work is done, and rows are
 * left. */
static bool stop_at_row(struct query *q, uint32_t count, uint64_t work)
{
    return query_work(q, work) && q->agg->row_next < count;
}

#define WORK_TEXT 16        /* and what of it is read from memory */
#define WORK_BYTES(bytes) ((bytes) / 16)

static int extreme_texts(struct query *q, const struct query_aggregate *a,
                         const struct query_vector *v, uint32_t count)
{
    struct query_agg *agg = q->agg;
    bool least = a->function == AGG_MIN;
    while (agg->row_next < count) {
        unsigned char *at = agg->at[agg->row_next];
        unsigned row = agg->positions[agg->row_next++];
        struct table_text *best = (struct table_text *)(void *)(at + a->offset), text = v->t[row];
        if (a->code.null) {
            if (!bits_get(v->valid, row)) continue;
            ++*(uint64_t *)(void *)(at + a->count_offset);
        }
        size_t bytes = best->length < text.length ? best->length : text.length;
        int order = best->data ? text_order(text, *best) : 0;
        if (!best->data || (least ? order < 0 : order > 0)) *best = text;
        if (stop_at_row(q, count, WORK_TEXT + WORK_BYTES(bytes))) return QUERY_BUSY;
    }
    return 0;
}

/* Welford 1962: one value at a time, without cancellation. */
static void add_moments(const struct query_aggregate *a, const struct rows *r, const double *v)
{
    EACH_ROW
    {
        struct moments *m = ACCUMULATOR(struct moments);
        uint64_t count = *(uint64_t *)(void *)(at[i] + a->count_offset);
        double before = v[row] - m->mean;
        m->mean += before / (double)count;
        m->squares += before * (v[row] - m->mean);
    }
}

static void take_one(const struct query_aggregate *a, const struct rows *r,
                     const struct query_vector *v)
{
    bool first = a->function == AGG_FIRST;
    EACH_ROW
    {
        uint64_t count = *(uint64_t *)(void *)(at[i] + a->count_offset);
        if (first && count != 1) continue;
        if (a->text) *ACCUMULATOR(struct table_text) = v->t[row];
        else *ACCUMULATOR(uint64_t) = v->u[row];
    }
}

/* The count of each group moves with its rows one by one, for functions that look at it. */
static void one_by_one(struct query *q, const struct query_aggregate *a,
                       const struct query_vector *v, uint32_t count)
{
    struct query_agg *agg = q->agg;
    for (uint32_t i = 0; i < count; i++) {
        if (!bits_get(v->valid, agg->positions[i])) continue;
        struct rows row = {.at = &agg->at[i], .positions = &agg->positions[i], .count = 1};
        ++*(uint64_t *)(void *)(agg->at[i] + a->count_offset);
        if (a->function == AGG_FIRST || a->function == AGG_LAST) take_one(a, &row, v);
        else add_moments(a, &row, v->d);
    }
}

/* --- distinct ----------------------------------------------------------------------------------*/

/* Each row may wait for memory several times, and grow the sets. */
#define WORK_DISTINCT 256
#define WORK_SKETCH 64

static int add_distinct(struct query *q, const struct query_aggregate *a,
                        const struct query_vector *v, uint32_t count)
{
    struct query_agg *agg = q->agg;
    while (agg->row_next < count) {
        uint32_t i = agg->row_next++;
        unsigned row = agg->positions[i];
        if (!bits_get(v->valid, row)) continue;
        uint64_t lane;
        uint32_t number = 0;
        int error = a->text ? intern(q, a->interner, v->t[row], &number) : 0;
        if (error) return error;
        if (a->text) lane = number;
        else lane = a->code.kind == QUERY_FLOAT ? key_of_double(v->d[row]) : v->u[row];
        int added = pairs_add(q, a->pairs, agg->groups[i], lane);
        if (added < 0) return added;
        if (added) ++*(uint64_t *)(void *)(agg->at[i] + a->count_offset);
        if (stop_at_row(q, count, WORK_DISTINCT)) return QUERY_BUSY;
    }
    return 0;
}

static int add_approximate(struct query *q, const struct query_aggregate *a,
                           const struct query_vector *v, uint32_t count)
{
    struct query_agg *agg = q->agg;
    while (agg->row_next < count) {
        uint32_t i = agg->row_next++;
        unsigned row = agg->positions[i];
        if (!bits_get(v->valid, row)) continue;
        uint64_t lane = a->text ? heap_hash(q->heap, v->t[row].data, v->t[row].length)
                                : key_of_lane(a->code.kind, v->u[row]);
        uint64_t hash = hash_mix(hash_mix(agg->seed[0], lane), agg->seed[1]);
        struct query_sketch **sketch = (struct query_sketch **)(void *)(agg->at[i] + a->offset);
        int error = sketch_add(q, sketch, hash);
        if (error) return error;
        size_t bytes = a->text ? v->t[row].length : 0;
        if (stop_at_row(q, count, WORK_SKETCH + WORK_HASH(bytes))) return QUERY_BUSY;
    }
    return 0;
}

/* --- quantiles ---------------------------------------------------------------------------------*/

/* Values by group go to a sorter; what they are is seen once all are there. */
static int add_values(struct query *q, const struct query_aggregate *a,
                      const struct query_vector *v, uint32_t count)
{
    struct query_agg *agg = q->agg;
    struct query_vector *to = a->values->vectors;
    uint64_t mask[QUERY_WORDS] = {0};
    for (uint32_t i = 0; i < count; i++) {
        unsigned row = agg->positions[i];
        if (!bits_get(v->valid, row)) continue;
        to[0].u[row] = agg->groups[i];
        to[1].u[row] = v->u[row];
        bits_set(mask, row);
        ++*(uint64_t *)(void *)(agg->at[i] + a->count_offset);
    }
    memset(to[0].valid, 0xff, sizeof to[0].valid);
    memset(to[1].valid, 0xff, sizeof to[1].valid);
    return sorter_add(q, a->values, mask, 0);
}

/* --- one aggregate, one vector -----------------------------------------------------------------*/

static bool wants_codes(const struct query_aggregate *a)
{
    return a->function != AGG_MIN && a->function != AGG_MAX;
}

static int load_argument(struct query *q, const struct query_source *s,
                         const struct query_aggregate *a, const uint64_t *mask)
{
    struct query_agg *agg = q->agg;
    uint32_t column = a->code.column;
    if (column == QUERY_NONE) {
        agg->loaded = QUERY_NONE;
        return query_run(q, s, &a->code, mask);
    }
    if (agg->loaded == column) return 0;
    bool symbol = table_field(q->table, column)->type == TABLE_SYM;
    if (wants_codes(a)) query_load_codes(q, s, column, &q->registers[0]);
    else query_load(q, s, column, &q->registers[0]);
    agg->loaded = symbol ? QUERY_NONE : column;
    return 0;
}

#define WORK_ROW 4
#define WORK_ROW_SORTED 24
#define WORK_WHOLE 512

static void accumulate_whole(struct query *q, const struct query_source *s,
                             struct query_aggregate *a, const uint64_t *mask)
{
    if (a->function == AGG_MIN || a->function == AGG_MAX)
        table_extremes_vector(q->version, s->chunk, a->code.column, s->vector, mask,
                              &a->extremes);
    else
        table_sum_vector(q->version, s->chunk, a->code.column, s->vector, mask, &a->sum);
}

static int accumulate_values(struct query *q, struct query_aggregate *a,
                             const struct query_vector *v, uint32_t count)
{
    struct query_agg *agg = q->agg;
    struct rows rows = {.at = agg->at, .positions = agg->positions, .count = count};
    bool sorted = a->function == AGG_QUANTILE || a->function == AGG_MEDIAN;
    if (agg->row_next == 0) query_work(q, (uint64_t)count * (sorted ? WORK_ROW_SORTED : WORK_ROW));
    switch (a->function) {
    case AGG_DISTINCT: return add_distinct(q, a, v, count);
    case AGG_APPROX: return add_approximate(q, a, v, count);
    case AGG_QUANTILE:
    case AGG_MEDIAN: return add_values(q, a, v, count);
    case AGG_VAR:
    case AGG_STDDEV:
    case AGG_FIRST:
    case AGG_LAST:
        one_by_one(q, a, v, count);
        return 0;
    case AGG_MIN:
    case AGG_MAX:
        if (a->text) return extreme_texts(q, a, v, count);
        break;
    default: break;
    }
    if (a->code.null) count_valid(q, a, v->valid, &rows);
    if (a->function == AGG_COUNT) return 0;
    if (a->function == AGG_MIN || a->function == AGG_MAX) {
        extreme_numbers(a, &rows, v->u);
    } else if (a->code.kind == QUERY_FLOAT) {
        sum_doubles(a, &rows, v->d);
    } else if (a->code.kind == QUERY_UINT) {
        sum_unsigned(a, &rows, v->u);
    } else {
        sum_integers(a, &rows, v->i);
    }
    return 0;
}

int accumulate(struct query *q, const struct query_source *s, struct query_aggregate *a,
               const uint64_t *mask, uint32_t count)
{
    struct query_vector *v = &q->registers[0];
    /* An expression is computed even if none of its values can be null: it may be out of range. */
    bool computed = a->has_argument && a->code.column == QUERY_NONE;
    if (a->function == AGG_COUNT && !computed && (!a->has_argument || !a->code.null)) return 0;
    if (a->whole) {
        query_work(q, WORK_WHOLE);
        accumulate_whole(q, s, a, mask);
        return 0;
    }
    if (q->agg->argument_loaded) return accumulate_values(q, a, v, count);
    int error = a->opened ? 0 : aggregate_open(q, a);
    if (!error) error = load_argument(q, s, a, mask);
    if (error) return error;
    q->agg->argument_loaded = true;
    if ((a->function == AGG_VAR || a->function == AGG_STDDEV) && a->code.kind != QUERY_FLOAT) {
        for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++)
            v->d[i] = a->code.kind == QUERY_UINT ? (double)v->u[i] : (double)v->i[i];
        q->agg->loaded = QUERY_NONE;
    }
    return accumulate_values(q, a, v, count);
}
