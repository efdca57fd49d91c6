/* query_agg.c - aggregates: from rows to groups to rows.
 *
 *   READ    each vector: where, groups of its rows, accumulators
 *   VALUES  quantiles only: values are sorted by group, and each group told where its begin
 *   KEYS    with order: groups are finished, `having` looks at them, their keys go to a sorter
 *   SORT
 *   WRITE   groups are finished, 1,024 at a time, and given out
 */
#include "heap/query_index.h"

#include <stdio.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"

/* --- reading -----------------------------------------------------------------------------------*/

static int read_ungrouped(struct query *q, uint32_t count)
{
    struct query_agg *agg = q->agg;
    unsigned char *record = array_at(&agg->records, 0);
    for (uint32_t i = 0; i < count; i++) agg->at[i] = record; /* groups[] are zeros */
    *(uint64_t *)(void *)record += count;
    return 0;
}

static bool all_whole(const struct query_agg *agg)
{
    for (uint32_t i = 0; i < agg->aggregate_count; i++) {
        const struct query_aggregate *a = &agg->aggregates[i];
        if (!a->whole && !(a->function == AGG_COUNT && !a->has_argument)) return false;
    }
    return true;
}

static void begin_vector(struct query_agg *agg)
{
    agg->reading = true;
    agg->grouped = agg->finding = false;
    agg->loaded = QUERY_NONE;
    agg->aggregate_next = agg->row_next = 0;
    agg->argument_loaded = false;
}

/* The groups of its rows. */
static int group_rows(struct query *q)
{
    struct query_agg *agg = q->agg;
    const struct query_source *s = &agg->read_source;
    const uint64_t *mask = agg->read_mask;
    int error = 0;
    if (agg->key_count == 0 && all_whole(agg)) {
        *(uint64_t *)array_at(&agg->records, 0) += bitmap_count(mask);
        agg->read_count = 0;
    } else {
        if (!agg->finding) agg->read_count = query_positions(mask, agg->positions);
        uint32_t count = agg->read_count;
        error = agg->key_count ? groups_find(q, s, mask, count) : read_ungrouped(q, count);
        if (agg->key_count && agg->count_rows)
            for (uint32_t i = 0; i < count && !error; i++) ++*(uint64_t *)(void *)agg->at[i];
    }
    agg->grouped = error == 0;
    return error;
}

/* Its rows to the aggregates, all of them or some. */
static int read_part(struct query *q)
{
    struct query_agg *agg = q->agg;
    int error = agg->grouped ? 0 : group_rows(q);
    if (error) return error;
    while (agg->aggregate_next < agg->aggregate_count) {
        struct query_aggregate *a = &agg->aggregates[agg->aggregate_next];
        error = accumulate(q, &agg->read_source, a, agg->read_mask, agg->read_count);
        if (error) return error;
        agg->row_next = 0;
        agg->argument_loaded = false;
        if (++agg->aggregate_next < agg->aggregate_count && q->work >= q->work_max)
            return QUERY_BUSY;
    }
    agg->reading = false;
    return 0;
}

static int read_all(struct query *q, uint64_t deadline)
{
    struct query_agg *agg = q->agg;
    for (;;) {
        int found = agg->reading ? QUERY_ROWS
                                 : query_next_vector(q, &agg->read_source, agg->read_mask);
        if (found <= 0) return found;
        if (found == QUERY_ROWS) {
            if (!agg->reading) begin_vector(agg);
            int error = read_part(q);
            if (error < 0) return error;
        }
        if (agg->reading ? query_budget_over(q, deadline) : query_vectors_over(q, deadline))
            return QUERY_BUSY;
    }
}

/* --- quantiles ---------------------------------------------------------------------------------*/

#define PLACES_STEP 1024
/* What finishing one takes, as other cells: 4,096 registers; two places far apart. */
#define APPROXIMATE_CELLS 128
#define QUANTILE_CELLS 8

/* Tells each group where its values begin among the sorted ones. */
static int place_values(struct query *q, const struct query_aggregate *a, uint64_t deadline)
{
    struct query_agg *agg = q->agg;
    while (agg->value_group < agg->records.count) {
        for (unsigned i = 0; i < PLACES_STEP && agg->value_group < agg->records.count; i++) {
            unsigned char *record = array_at(&agg->records, agg->value_group++);
            memcpy(record + a->offset, &agg->value_place, sizeof agg->value_place);
            agg->value_place += *(uint64_t *)(void *)(record + a->count_offset);
        }
        if (query_budget_over(q, deadline)) return QUERY_BUSY;
    }
    return 0;
}

static int sort_values(struct query *q, uint64_t deadline)
{
    struct query_agg *agg = q->agg;
    for (; agg->value_next < agg->aggregate_count; agg->value_next++) {
        const struct query_aggregate *a = &agg->aggregates[agg->value_next];
        if (!a->values) continue; /* of another function, or without values */
        int outcome = sorter_step(q, a->values, deadline);
        if (outcome) return outcome < 0 ? outcome : QUERY_BUSY;
        outcome = place_values(q, a, deadline);
        if (outcome) return outcome;
        agg->value_group = agg->value_place = 0;
    }
    return 0;
}

/* --- having and order --------------------------------------------------------------------------*/

/* Finishes the next groups; those that `having` keeps are in *mask, when it is done with them:
 * they begin at agg->next - *count. 0, QUERY_BUSY or an error. */
static int next_groups(struct query *q, uint64_t *mask, uint32_t *count)
{
    struct query_agg *agg = q->agg;
    int error = 0;
    if (!agg->filtering) {
        uint64_t left = agg->records.count - agg->next;
        agg->filtering = query_piece_rows(agg->finish_cells);
        if (left < agg->filtering) agg->filtering = (uint32_t)left;
        for (uint32_t i = 0; i < agg->filtering; i++) agg->addresses[i] = agg->next + i;
        agg->next += agg->filtering;
        error = finish_groups(q, agg->filtering);
    }
    *count = agg->filtering;
    bitmap_first(mask, *count);
    agg->source = (struct query_source){.form = SOURCE_RESULT, .rows = *count,
                                        .result = agg->result};
    if (!error && agg->has_having)
        error = query_run_predicate(q, &agg->source, &agg->having, mask, mask);
    if (error != QUERY_BUSY) agg->filtering = 0;
    return error;
}

/* Keys of the next groups, or those of them that were not added yet, go to the sorter. */
static int add_keys(struct query *q)
{
    struct query_agg *agg = q->agg;
    if (!agg->has_pending) {
        int error = next_groups(q, agg->pending, &agg->source.rows);
        if (error) return error;
        for (uint32_t k = 0; k < q->order_count; k++)
            query_load(q, &agg->source, q->order[k].column, &q->sorter->vectors[k]);
    }
    int error = sorter_add(q, q->sorter, agg->pending, agg->next - agg->source.rows);
    agg->has_pending = error == QUERY_BUSY;
    return error;
}

static int sort_keys(struct query *q, uint64_t deadline)
{
    struct query_agg *agg = q->agg;
    while (agg->next < agg->records.count || agg->filtering || agg->has_pending) {
        int error = add_keys(q);
        if (error < 0) return error;
        if (query_budget_over(q, deadline)) return QUERY_BUSY;
    }
    return 0;
}

/* --- writing -----------------------------------------------------------------------------------*/

/* The next groups to give out go to agg->pending; *any is false at the end. 0, QUERY_BUSY or an
 * error. */
static int refill(struct query *q, bool *any)
{
    struct query_agg *agg = q->agg;
    uint32_t count;
    *any = false;
    if (!q->sorter) {
        if (agg->next >= agg->records.count && !agg->filtering) return 0;
        *any = true;
        int error = next_groups(q, agg->pending, &count);
        if (error == QUERY_BUSY) bits_clear(agg->pending);
        if (!error) query_trim(q, agg->pending);
        return error;
    }
    uint32_t wanted = query_piece_rows(agg->finish_cells);
    if (wanted > q->limit) wanted = (uint32_t)q->limit;
    count = sorter_read(q->sorter, agg->addresses, wanted);
    if (count == 0) return 0;
    *any = true;
    if (q->limit != UINT64_MAX) q->limit -= count;
    agg->source = (struct query_source){.form = SOURCE_RESULT, .rows = count,
                                        .result = agg->result};
    bitmap_first(agg->pending, count);
    return finish_groups(q, count);
}

static int write_groups(struct query *q, uint64_t deadline, uint32_t rows_max, size_t bytes_max)
{
    struct query_agg *agg = q->agg;
    for (;;) {
        if (agg->has_pending) {
            int error = query_append(q, &agg->source, agg->pending, rows_max, bytes_max);
            if (error == QUERY_BUSY && !query_budget_over(q, deadline)) continue;
            if (error) return error;
            agg->has_pending = bits_any(agg->pending);
        }
        if (query_batch_full(q, rows_max, bytes_max)) return QUERY_ROWS;
        bool any;
        if (q->limit == 0) return QUERY_END;
        int error = refill(q, &any);
        if (error < 0) return error;
        if (!any) return QUERY_END;
        agg->has_pending = bits_any(agg->pending);
        if (query_budget_over(q, deadline)) return QUERY_BUSY;
    }
}

int agg_step(struct query *q, uint64_t deadline, uint32_t rows_max, size_t bytes_max)
{
    struct query_agg *agg = q->agg;
    int outcome;
    switch (agg->phase) {
    case AGG_READ:
        outcome = read_all(q, deadline);
        if (outcome) return outcome;
        q->stats.groups = agg->records.count;
        agg->phase = AGG_VALUES;
        /* fall through */
    case AGG_VALUES:
        outcome = sort_values(q, deadline);
        if (outcome) return outcome;
        agg->phase = q->sorter ? AGG_KEYS : AGG_WRITE;
        if (!q->sorter) return write_groups(q, deadline, rows_max, bytes_max);
        /* fall through */
    case AGG_KEYS:
        outcome = sort_keys(q, deadline);
        if (outcome) return outcome;
        agg->phase = AGG_SORT;
        /* fall through */
    case AGG_SORT:
        outcome = sorter_step(q, q->sorter, deadline);
        if (outcome) return outcome < 0 ? outcome : QUERY_BUSY;
        q->sorter->read = q->offset;
        agg->phase = AGG_WRITE;
        /* fall through */
    default: return write_groups(q, deadline, rows_max, bytes_max);
    }
}

/* --- compiling: groups -------------------------------------------------------------------------*/

static int compile_key(struct query *q, const struct query_scope *scope, value item, uint32_t index)
{
    struct query_key *k = &q->agg->keys[index];
    struct table_text name;
    char place[40];
    uint32_t field;
    int error;
    snprintf(place, sizeof place, "group[%u]", index);
    if (value_is_kind(item, KIND_LIST)) { /* an expression has its place as its name */
        char text[24];
        int length = snprintf(text, sizeof text, "group%u", index);
        error = query_copy_text(q, text, (size_t)length, &name);
        if (!error) error = query_compile(q, scope, item, false, place, &k->code);
    } else {
        error = query_find_name(q, scope, item, place, &field);
        if (!error) error = query_compile_field(q, scope, field, &k->code);
        if (!error)
            name = (struct table_text){scope->fields[field].name, scope->fields[field].length};
    }
    if (error) return error;
    q->columns[index] = (struct query_column){.name = name.data, .name_length = name.length,
                                              .type = k->code.type, .null = k->code.null,
                                              .column = k->code.column};
    return query_check_name(q, index, place);
}

/* --- compiling: aggregates ---------------------------------------------------------------------*/

/* X(name, function, items in the list, at least and at most, help) */
#define FUNCTIONS(X)                                                       \
    X("count", AGG_COUNT, 1, 2, "[\"count\"] or [\"count\", name]")         \
    X("sum", AGG_SUM, 2, 2, "[\"sum\", name]")                              \
    X("min", AGG_MIN, 2, 2, "[\"min\", name]")                              \
    X("max", AGG_MAX, 2, 2, "[\"max\", name]")                              \
    X("avg", AGG_AVG, 2, 2, "[\"avg\", name]")                              \
    X("var", AGG_VAR, 2, 2, "[\"var\", name]")                              \
    X("stddev", AGG_STDDEV, 2, 2, "[\"stddev\", name]")                     \
    X("quantile", AGG_QUANTILE, 3, 3, "[\"quantile\", name, 0 to 1]")       \
    X("median", AGG_MEDIAN, 2, 2, "[\"median\", name]")                     \
    X("distinct", AGG_DISTINCT, 2, 2, "[\"distinct\", name]")               \
    X("approx_distinct", AGG_APPROX, 2, 2, "[\"approx_distinct\", name]")   \
    X("first", AGG_FIRST, 2, 2, "[\"first\", name]")                        \
    X("last", AGG_LAST, 2, 2, "[\"last\", name]")
static const struct function_entry {
    const char *name;
    enum query_function function;
    size_t least, most;
    const char *help;
} functions[] = {
#define X(name, function, least, most, help) {name, function, least, most, help},
    FUNCTIONS(X)
#undef X
};

static const struct function_entry *function_named(const struct heap *h, value list)
{
    value name = value_is_kind(list, KIND_LIST) && list_length(h, list)
                     ? list_get(h, list, 0) : VALUE_NIL;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (query_text_is(h, name, functions[i].name)) return &functions[i];
    return NULL;
}

static int check_argument(struct query *q, const struct query_aggregate *a, const char *place,
                          const char *name)
{
    enum query_kind kind = a->code.kind;
    bool numbers = a->function == AGG_SUM || a->function == AGG_AVG || a->function == AGG_VAR ||
                   a->function == AGG_STDDEV || a->function == AGG_QUANTILE ||
                   a->function == AGG_MEDIAN;
    bool truths = a->function == AGG_SUM || a->function == AGG_AVG;
    if (!numbers || kind_is_number(kind) || (truths && kind == QUERY_BOOL)) return 0;
    return query_fail(q, QUERY_FAULT_TYPE, "%s[1]: \"%s\" of %s; a number is needed", place, name,
                      query_kind_name(kind));
}

static int compile_argument(struct query *q, const struct query_scope *scope,
                            struct query_aggregate *a, value argument, const char *place)
{
    char at[160];
    uint32_t field;
    snprintf(at, sizeof at, "%s[1]", place);
    a->has_argument = true;
    if (value_is_kind(argument, KIND_LIST))
        return query_compile(q, scope, argument, false, at, &a->code);
    int error = query_find_name(q, scope, argument, at, &field);
    return error ? error : query_compile_field(q, scope, field, &a->code);
}

static int read_quantile(struct query *q, struct query_aggregate *a, value v, const char *place)
{
    char shown[80];
    struct number n = number_read(q->heap, v);
    double d = n.class == NUMBER_DOUBLE ? n.d : n.class == NUMBER_INT64 ? (double)n.i : -1;
    if (!(d >= 0 && d <= 1))
        return query_fail(q, QUERY_FAULT_TYPE, "%s[2]: a number from 0 to 1 is needed, not %s",
                          place, query_show(q->heap, v, shown, sizeof shown));
    a->quantile = d;
    return 0;
}

#define WORK_OPEN 8192 /* some tens of KiB of zeros */

int aggregate_open(struct query *q, struct query_aggregate *a)
{
    const struct query_sort_key keys[] = {{.kind = QUERY_UINT}, {.kind = a->code.kind}};
    int error = 0;
    a->opened = true;
    if (a->function == AGG_QUANTILE || a->function == AGG_MEDIAN || a->function == AGG_DISTINCT)
        query_work(q, WORK_OPEN);
    if (a->function == AGG_QUANTILE || a->function == AGG_MEDIAN)
        return sorter_create(q, 2, keys, 0, &a->values);
    if (a->function != AGG_DISTINCT) return 0;
    error = pairs_new(q, &a->pairs);
    if (!error && a->text) error = interner_new(q, &a->interner);
    return error;
}

static int compile_function(struct query *q, const struct query_scope *scope, value list,
                            const char *place, struct query_aggregate *a)
{
    char shown[80];
    const struct function_entry *f = function_named(q->heap, list);
    if (!f) {
        bool named = value_is_kind(list, KIND_LIST) && list_length(q->heap, list) > 0;
        value what = named ? list_get(q->heap, list, 0) : list;
        return query_fail(q, QUERY_FAULT_SYNTAX, "%s: %s %s; functions are count sum min max avg "
                          "var stddev quantile median distinct approx_distinct first last", place,
                          named ? "there is no function" : "[function, name] is needed, not",
                          query_show(q->heap, what, shown, sizeof shown));
    }
    size_t length = list_length(q->heap, list);
    if (length < f->least || length > f->most)
        return query_fail(q, QUERY_FAULT_SYNTAX, "%s: %s is needed, not a list of %zu", place,
                          f->help, length);
    a->function = f->function;
    a->quantile = 0.5;
    a->code.column = QUERY_NONE;
    int error = length > 1 ? compile_argument(q, scope, a, list_get(q->heap, list, 1), place) : 0;
    if (!error && length > 2) error = read_quantile(q, a, list_get(q->heap, list, 2), place);
    if (!error && a->has_argument) error = check_argument(q, a, place, f->name);
    if (error) return error;
    bool symbol = a->code.column != QUERY_NONE &&
                  table_field(q->table, a->code.column)->type == TABLE_SYM;
    bool codes = symbol && a->function != AGG_MIN && a->function != AGG_MAX;
    a->text = a->has_argument && kind_is_text(a->code.kind) && !codes;
    return 0;
}

static int compile_aggregates(struct query *q, const struct query_scope *scope, value map)
{
    struct map_iterator it = {0};
    struct query_agg *agg = q->agg;
    value name, list;
    char place[100], shown[80];
    bool bytes = false;
    for (uint32_t i = 0; map_next(q->heap, map, &it, &name, &list); i++) {
        struct query_aggregate *a = &agg->aggregates[i];
        struct table_text copy;
        if (!value_is_text(name) || text_length(q->heap, name) == 0 ||
            text_length(q->heap, name) > TABLE_NAME_BYTES_MAX)
            return query_fail(q, QUERY_FAULT_SYNTAX, "agg: a name is a text of 1 to %d bytes, "
                              "not %s", TABLE_NAME_BYTES_MAX,
                              query_show(q->heap, name, shown, sizeof shown));
        int error = query_copy_value_text(q, name, &copy);
        if (error) return error;
        snprintf(place, sizeof place, "agg.%.*s", (int)(copy.length < 60 ? copy.length : 60),
                 copy.data);
        /* Keys of a map differ, but the same one may be there as str and as bin. */
        bytes |= text_is_bytes(name);
        for (uint32_t j = 0; j < agg->key_count + (bytes ? i : 0); j++)
            if (text_equals(q->heap, name, q->columns[j].name, q->columns[j].name_length))
                return query_fail(q, QUERY_FAULT_SYNTAX, "%s: the result has a column of that name "
                                  "already", place);
        error = compile_function(q, scope, list, place, a);
        if (error) return error;
        bool shown_as_is = a->function == AGG_FIRST || a->function == AGG_LAST;
        q->columns[agg->key_count + i] = (struct query_column){
            .name = copy.data, .name_length = copy.length, .type = aggregate_type(a),
            .null = a->function != AGG_COUNT && a->function != AGG_DISTINCT &&
                    a->function != AGG_APPROX,
            .column = shown_as_is ? a->code.column : QUERY_NONE};
    }
    return 0;
}

/* --- records -----------------------------------------------------------------------------------*/

/* Functions that need a count even if no value is null. */
static bool counts_itself(const struct query_aggregate *a)
{
    switch (a->function) {
    case AGG_COUNT:
    case AGG_AVG:
    case AGG_SUM:
    case AGG_MIN:
    case AGG_MAX: return a->has_argument && a->code.null;
    default: return a->function != AGG_APPROX;
    }
}

static void lay_out(struct query *q)
{
    struct query_agg *agg = q->agg;
    uint32_t bytes = sizeof(uint64_t); /* rows */
    for (uint32_t i = 0; i < agg->key_count; i++)
        if (agg->keys[i].code.null) agg->null_offset = bytes;
    if (agg->null_offset) bytes += (uint32_t)sizeof(uint64_t);
    agg->key_offset = bytes;
    bytes += agg->key_count * (uint32_t)sizeof(uint64_t);
    for (uint32_t i = 0; i < agg->aggregate_count; i++) {
        struct query_aggregate *a = &agg->aggregates[i];
        a->offset = bytes;
        bytes += accumulator_bytes(a);
        enum table_class class = a->code.column == QUERY_NONE
                                     ? TABLE_CLASS_TEXT
                                     : table_type_class(
                                           table_field(q->table, a->code.column)->type);
        a->whole = !agg->key_count && class <= TABLE_CLASS_FLOAT && a->has_argument &&
                   (a->function == AGG_SUM || a->function == AGG_AVG || a->function == AGG_MIN ||
                    a->function == AGG_MAX);
        if (!counts_itself(a) && !a->whole) {
            agg->count_rows |= a->function == AGG_COUNT || a->function == AGG_AVG;
            continue;
        }
        a->count_offset = bytes;
        bytes += (uint32_t)sizeof(uint64_t);
    }
    unsigned shift = RECORD_BLOCK_SHIFT;
    while (shift && (uint64_t)bytes << shift > RECORD_BLOCK_BYTES) shift--;
    array_init(&agg->records, bytes, shift);
    agg->finish_cells = q->column_count;
    for (uint32_t i = 0; i < agg->aggregate_count; i++) {
        enum query_function function = agg->aggregates[i].function;
        if (function == AGG_APPROX) agg->finish_cells += APPROXIMATE_CELLS;
        if (function == AGG_QUANTILE || function == AGG_MEDIAN) agg->finish_cells += QUANTILE_CELLS;
    }
}

/* --- creation ----------------------------------------------------------------------------------*/

static int open_result(struct query *q)
{
    struct query_agg *agg = q->agg;
    agg->result = query_alloc(q, (q->column_count + 1) * sizeof *agg->result);
    agg->addresses = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *agg->addresses);
    if (!agg->result || !agg->addresses) return query_fail_memory(q);
    uint32_t rows = query_piece_rows(agg->finish_cells);
    for (uint32_t i = 0; i < q->column_count; i++) {
        agg->result[i].any = query_alloc(q, rows * sizeof(struct table_text));
        if (!agg->result[i].any) return query_fail_memory(q);
    }
    return 0;
}

/* `having` and `order` see the result's columns. */
static int compile_result(struct query *q, const struct query_spec *spec)
{
    struct query_field *fields = query_alloc(q, (q->column_count + 1) * sizeof *fields);
    if (!fields) return query_fail_memory(q);
    for (uint32_t i = 0; i < q->column_count; i++)
        fields[i] = (struct query_field){.name = q->columns[i].name,
                                         .length = q->columns[i].name_length,
                                         .type = q->columns[i].type, .null = q->columns[i].null,
                                         .let = VALUE_ABSENT};
    struct query_scope scope = {.fields = fields, .count = q->column_count};
    int error = 0;
    if (given(spec->having)) {
        q->agg->has_having = true;
        error = query_compile(q, &scope, spec->having, true, "having", &q->agg->having);
    }
    if (!error) error = query_compile_order(q, &scope, spec->order);
    return error;
}

static int agg_open(struct query *q, const struct query_spec *spec)
{
    char shown[80];
    struct query_agg *agg = q->agg = query_alloc(q, sizeof *agg);
    if (!agg) return query_fail_memory(q);
    if (given(spec->group) && !value_is_kind(spec->group, KIND_LIST))
        return query_fail(q, QUERY_FAULT_SYNTAX, "group: a list of names or expressions is needed, "
                          "not %s", query_show(q->heap, spec->group, shown, sizeof shown));
    if (given(spec->agg) && !value_is_kind(spec->agg, KIND_MAP))
        return query_fail(q, QUERY_FAULT_SYNTAX, "agg: a map {name: [function, name]} is needed, "
                          "not %s", query_show(q->heap, spec->agg, shown, sizeof shown));
    size_t keys = given(spec->group) ? list_length(q->heap, spec->group) : 0;
    size_t aggregates = given(spec->agg) ? map_count(q->heap, spec->agg) : 0;
    if (keys > QUERY_GROUP_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "group: %zu keys; at most %d are possible", keys,
                          QUERY_GROUP_MAX);
    if (aggregates > QUERY_COLUMNS_MAX - QUERY_GROUP_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "agg: %zu aggregates; at most %d are possible",
                          aggregates, QUERY_COLUMNS_MAX - QUERY_GROUP_MAX);
    if (keys + aggregates == 0)
        return query_fail(q, QUERY_FAULT_SYNTAX, "agg: nothing is asked for; give agg, group or "
                          "both");
    agg->key_count = (uint32_t)keys;
    agg->aggregate_count = (uint32_t)aggregates;
    agg->keys = query_alloc(q, (keys + 1) * sizeof *agg->keys);
    agg->aggregates = query_alloc(q, (aggregates + 1) * sizeof *agg->aggregates);
    if (!agg->keys || !agg->aggregates) return query_fail_memory(q);
    agg->sketch_slots_max = SKETCH_SLOTS_MAX;
    agg->seed[0] = heap_hash(q->heap, "groups", 6);
    agg->seed[1] = heap_hash(q->heap, "values", 6);
    return query_open_output(q, (uint32_t)(keys + aggregates));
}

static int agg_compile(struct query *q, const struct query_spec *spec)
{
    struct query_agg *agg;
    uint32_t group;
    int error = query_open_common(q, spec);
    if (!error) error = agg_open(q, spec);
    agg = q->agg;
    struct query_scope scope = {.fields = q->fields, .count = q->field_count, .table = true};
    for (uint32_t i = 0; !error && i < agg->key_count; i++)
        error = compile_key(q, &scope, list_get(q->heap, spec->group, i), i);
    if (!error && agg->aggregate_count) error = compile_aggregates(q, &scope, spec->agg);
    if (!error) error = compile_result(q, spec);
    query_use_register(q, 0);
    if (!error) error = query_eval_open(q);
    if (!error) lay_out(q);
    if (!error) error = groups_open(q);
    if (!error && agg->key_count == 0) error = group_new(q, &group);
    if (!error) error = open_result(q);
    if (!error && q->order_count) error = query_open_sorter(q);
    if (!error) query_weigh(q);
    return error ? error : query_compiled(q);
}

int query_agg_create(struct heap *h, struct table_version *version, const struct query_spec *spec,
                     size_t memory_max, struct query **query, struct query_error *error)
{
    int status = query_new(h, version, memory_max, query, error);
    if (status) return status;
    status = agg_compile(*query, spec);
    return status ? query_new_failed(*query, status, error) : 0;
}
