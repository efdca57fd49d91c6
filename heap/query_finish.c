/* query_finish.c - from accumulators to columns of a result. */
#include "heap/query_int.h"

#include <math.h>

enum table_type aggregate_type(const struct query_aggregate *a)
{
    switch (a->function) {
    case AGG_COUNT:
    case AGG_DISTINCT:
    case AGG_APPROX: return TABLE_I64;
    case AGG_SUM:
        return a->code.kind == QUERY_FLOAT  ? TABLE_F64
               : a->code.kind == QUERY_UINT ? TABLE_U64
                                            : TABLE_I64;
    case AGG_MIN:
    case AGG_MAX: return a->code.type == TABLE_SYM ? TABLE_STR : a->code.type;
    case AGG_FIRST:
    case AGG_LAST:
        return a->code.type == TABLE_SYM && a->code.column == QUERY_NONE ? TABLE_STR
                                                                         : a->code.type;
    default: return TABLE_F64;
    }
}

/* --- keys --------------------------------------------------------------------------------------*/

static void finish_key(struct query *q, uint32_t index, uint32_t count, struct query_vector *to)
{
    struct query_agg *agg = q->agg;
    const struct query_key *k = &agg->keys[index];
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *record = array_at(&agg->records, agg->addresses[i]);
        uint64_t nulls = 0, lane;
        if (agg->null_offset) memcpy(&nulls, record + agg->null_offset, sizeof nulls);
        memcpy(&lane, record + agg->key_offset + index * sizeof lane, sizeof lane);
        bool null = nulls >> index & 1;
        if (!null) bits_set(to->valid, i);
        if (k->text) {
            to->t[i] = null ? (struct table_text){.data = ""}
                            : *(struct table_text *)array_at(&k->interner->texts, lane);
        } else if (k->code.kind == QUERY_FLOAT) {
            to->d[i] = null ? 0 : key_to_double(lane);
        } else {
            to->u[i] = lane;
        }
    }
}

/* --- aggregates --------------------------------------------------------------------------------*/

static uint64_t count_of(const struct query_aggregate *a, const unsigned char *record)
{
    uint64_t count;
    memcpy(&count, record + a->count_offset, sizeof count);
    return count;
}

static __int128 integer_sum(const struct query_aggregate *a, const unsigned char *record)
{
    uint64_t low;
    int64_t high;
    if (a->whole) return a->sum.integer;
    memcpy(&low, record + a->offset, sizeof low);
    memcpy(&high, record + a->offset + sizeof low, sizeof high);
    __int128 sum = (__int128)((unsigned __int128)high << 64);
    return sum + (a->code.kind == QUERY_UINT ? (__int128)low : (__int128)(int64_t)low);
}

static double number_sum(const struct query_aggregate *a, const unsigned char *record)
{
    double sum;
    if (a->whole) return a->sum.number;
    memcpy(&sum, record + a->offset, sizeof sum);
    return sum;
}

static int finish_sum(struct query *q, const struct query_aggregate *a, const char *name,
                      size_t name_length, const unsigned char *record, uint64_t *lane)
{
    if (a->code.kind == QUERY_FLOAT) {
        double d = number_sum(a, record);
        memcpy(lane, &d, sizeof d);
        return 0;
    }
    __int128 sum = integer_sum(a, record);
    bool is_signed = a->code.kind != QUERY_UINT;
    if (is_signed ? sum < INT64_MIN || sum > INT64_MAX : sum < 0 || sum > UINT64_MAX)
        return query_fail(q, QUERY_FAULT_OVERFLOW, "agg.%.*s: the sum is out of the range of %s, "
                          "about %.17g; a sum of doubles (cast to f64) has no such limit",
                          (int)(name_length < 60 ? name_length : 60), name,
                          is_signed ? "i64" : "u64", (double)sum);
    *lane = (uint64_t)sum;
    return 0;
}

static double finish_quantile(const struct query_aggregate *a, const unsigned char *record,
                              uint64_t count)
{
    uint64_t first;
    memcpy(&first, record + a->offset, sizeof first);
    double rank = a->quantile * (double)(count - 1), below = floor(rank), share = rank - below;
    double ends[2];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t place = (uint64_t)below + (i && share > 0);
        uint64_t key = sorter_entry(a->values, first + place)[1];
        uint64_t lane = lane_of_key(a->code.kind, key);
        if (a->code.kind == QUERY_FLOAT) memcpy(&ends[i], &lane, sizeof lane);
        else ends[i] = a->code.kind == QUERY_UINT ? (double)lane : (double)(int64_t)lane;
    }
    /* Equal ends first: infinity minus infinity is not a number. */
    if (ends[0] == ends[1] || share == 0) return ends[0];
    double between = ends[0] + (ends[1] - ends[0]) * share;
    /* Ends whose difference is no double. */
    return between - between == 0 ? between : ends[0] * (1 - share) + ends[1] * share;
}

static uint64_t finish_approximate(const struct query_aggregate *a, const unsigned char *record)
{
    const struct query_sketch *sketch;
    memcpy(&sketch, record + a->offset, sizeof sketch);
    return sketch_estimate(sketch);
}

/* min and max of whole columns, as order keys. */
static uint64_t whole_extreme(const struct query_aggregate *a)
{
    return key_of_lane(a->code.kind, a->function == AGG_MIN ? a->extremes.min.u
                                                            : a->extremes.max.u);
}

/* How many values were seen. */
static uint64_t values_of(const struct query_agg *agg, const struct query_aggregate *a,
                          const unsigned char *record)
{
    bool extreme = a->function == AGG_MIN || a->function == AGG_MAX;
    if (a->whole) return extreme ? a->extremes.count : a->sum.count;
    if (a->function == AGG_APPROX) return 1;
    /* A group has a row, and its rows are not counted for this. */
    if (agg->key_count && !a->code.null && (extreme || a->function == AGG_SUM)) return 1;
    return count_of(a, record);
}

static double moments_of(const struct query_aggregate *a, const unsigned char *record,
                         uint64_t count)
{
    double squares;
    memcpy(&squares, record + a->offset + sizeof squares, sizeof squares);
    double variance = squares / (double)(count - 1);
    return a->function == AGG_STDDEV ? sqrt(variance) : variance;
}

static int finish_one(struct query *q, const struct query_aggregate *a,
                      const struct query_column *column, const unsigned char *record,
                      uint64_t count, uint64_t *lane)
{
    double d = 0;
    switch (a->function) {
    case AGG_COUNT:
    case AGG_DISTINCT: *lane = count; return 0;
    case AGG_APPROX: *lane = finish_approximate(a, record); return 0;
    case AGG_SUM: return finish_sum(q, a, column->name, column->name_length, record, lane);
    case AGG_MIN:
    case AGG_MAX: {
        uint64_t key;
        memcpy(&key, record + a->offset, sizeof key);
        *lane = lane_of_key(a->code.kind, a->whole ? whole_extreme(a) : key);
        return 0;
    }
    case AGG_FIRST:
    case AGG_LAST: memcpy(lane, record + a->offset, sizeof *lane); return 0;
    case AGG_AVG:
        d = a->code.kind == QUERY_FLOAT ? number_sum(a, record) : (double)integer_sum(a, record);
        d /= (double)count;
        break;
    case AGG_VAR:
    case AGG_STDDEV: d = moments_of(a, record, count); break;
    default: d = finish_quantile(a, record, count); break;
    }
    memcpy(lane, &d, sizeof d);
    return 0;
}

static int finish_aggregate(struct query *q, uint32_t index, uint32_t count,
                            struct query_vector *to)
{
    struct query_agg *agg = q->agg;
    const struct query_aggregate *a = &agg->aggregates[index];
    const struct query_column *column = &q->columns[agg->key_count + index];
    bool moments = a->function == AGG_VAR || a->function == AGG_STDDEV;
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *record = array_at(&agg->records, agg->addresses[i]);
        uint64_t values = values_of(agg, a, record);
        bool null = column->null && values < (moments ? 2 : 1);
        if (!null) bits_set(to->valid, i);
        if (a->text && table_type_class(column->type) == TABLE_CLASS_TEXT) {
            memcpy(&to->t[i], record + a->offset, sizeof to->t[i]);
            if (null) to->t[i] = (struct table_text){.data = ""};
            continue;
        }
        to->u[i] = 0;
        int error = null ? 0 : finish_one(q, a, column, record, values, &to->u[i]);
        if (error) return error;
    }
    return 0;
}

int finish_groups(struct query *q, uint32_t count)
{
    struct query_agg *agg = q->agg;
    int error = 0;
    for (uint32_t c = 0; c < q->column_count && !error; c++) {
        bits_clear(agg->result[c].valid);
        if (c < agg->key_count) finish_key(q, c, count, &agg->result[c]);
        else error = finish_aggregate(q, c - agg->key_count, count, &agg->result[c]);
    }
    return error;
}
