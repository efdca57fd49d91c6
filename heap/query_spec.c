/* query_spec.c - what scans and aggregates have in common: reading the options, compiling `let`,
 * `where` and `order`, and giving results out. */
#include "heap/query_index.h"

#include <stdio.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"

/* --- options -----------------------------------------------------------------------------------*/

/* X(name, of scans, of aggregates) */
#define OPTIONS(X)            \
    X(where, true, true)      \
    X(let, true, true)        \
    X(order, true, true)      \
    X(limit, true, true)      \
    X(offset, true, true)     \
    X(select, true, false)    \
    X(group, false, true)     \
    X(agg, false, true)       \
    X(having, false, true)

static bool set_option(const struct heap *h, value name, value v, bool aggregate,
                       struct query_spec *spec)
{
#define X(option, scan, agg)                                             \
    if ((aggregate ? (agg) : (scan)) && query_text_is(h, name, #option)) { \
        spec->option = v;                                                \
        return true;                                                     \
    }
    OPTIONS(X)
#undef X
    return (!aggregate && query_text_is(h, name, "batch")) || query_text_is(h, name, "format");
}

static bool is_one_of(const struct heap *h, value name, const char *const *words)
{
    for (; *words; words++)
        if (query_text_is(h, name, *words)) return true;
    return false;
}

int query_spec_read(const struct heap *h, value options, bool aggregate, struct query_spec *spec,
                    struct query_error *error)
{
    return query_spec_read_also(h, options, aggregate, (const char *const[]){NULL}, spec, error);
}

int query_spec_read_also(const struct heap *h, value options, bool aggregate,
                         const char *const *also, struct query_spec *spec,
                         struct query_error *error)
{
    struct map_iterator it = {0};
    value name, v;
    char shown[80];
    *spec = (struct query_spec){
#define X(option, scan, agg) .option = VALUE_ABSENT,
        OPTIONS(X)
#undef X
    };
    if (options == VALUE_NIL) return 0;
    *error = (struct query_error){.fault = QUERY_FAULT_SYNTAX};
    if (!value_is_kind(options, KIND_MAP)) {
        snprintf(error->text, sizeof error->text, "the query: a map of options is needed, not %s",
                 query_show(h, options, shown, sizeof shown));
        return -EINVAL;
    }
    while (map_next(h, options, &it, &name, &v)) {
        if (set_option(h, name, v, aggregate, spec) || is_one_of(h, name, also)) continue;
        int wrote = snprintf(error->text, sizeof error->text, "the query: there is no option %s; "
                             "it can be where, let, %s, order, limit, offset, format",
                             query_show(h, name, shown, sizeof shown),
                             aggregate ? "group, agg, having" : "select, batch");
        for (size_t at = (size_t)wrote; *also && at < sizeof error->text; also++)
            at += (size_t)snprintf(error->text + at, sizeof error->text - at, ", %s", *also);
        return -EINVAL;
    }
    *error = (struct query_error){.fault = QUERY_FAULT_NONE};
    return 0;
}

int query_read_count(struct query *q, value v, const char *place, uint64_t *count)
{
    char shown[80];
    if (!given(v)) return 0;
    struct number n = number_read(q->heap, v);
    if (n.class != NUMBER_UINT64 && (n.class != NUMBER_INT64 || n.i < 0))
        return query_fail(q, QUERY_FAULT_SYNTAX, "%s: an integer from 0 on is needed, not %s",
                          place, query_show(q->heap, v, shown, sizeof shown));
    *count = n.u; /* of one that is not negative it is the same */
    return 0;
}

/* --- names -------------------------------------------------------------------------------------*/

static int add_let(struct query *q, value name, value expression)
{
    char shown[80], place[100];
    struct query_field *f = &q->fields[q->field_count];
    struct table_text copy;
    struct query_scope columns = {.fields = q->fields, .count = table_column_count(q->table),
                                  .table = true};
    if (!value_is_text(name) || text_length(q->heap, name) == 0)
        return query_fail(q, QUERY_FAULT_SYNTAX, "let: a name is a text that is not empty, not %s",
                          query_show(q->heap, name, shown, sizeof shown));
    if (text_length(q->heap, name) > TABLE_NAME_BYTES_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "let: the name %s is longer than %d bytes",
                          query_show(q->heap, name, shown, sizeof shown), TABLE_NAME_BYTES_MAX);
    for (uint32_t i = 0; i < columns.count; i++)
        if (text_equals(q->heap, name, q->fields[i].name, q->fields[i].length))
            return query_fail(q, QUERY_FAULT_SYNTAX, "let: there is a column %s already",
                              query_show(q->heap, name, shown, sizeof shown));
    int error = query_copy_value_text(q, name, &copy);
    if (error) return error;
    *f = (struct query_field){.name = copy.data, .length = copy.length, .let = expression};
    snprintf(place, sizeof place, "let.%.*s", (int)(copy.length < 60 ? copy.length : 60),
             copy.data);
    error = query_compile(q, &columns, expression, false, place, &f->code);
    f->type = f->code.type;
    f->null = f->code.null;
    q->field_count++;
    return error;
}

static int open_fields(struct query *q, value let)
{
    struct map_iterator it = {0};
    value name, expression;
    char shown[80];
    uint32_t columns = table_column_count(q->table);
    if (given(let) && !value_is_kind(let, KIND_MAP))
        return query_fail(q, QUERY_FAULT_SYNTAX, "let: a map {name: expr} is needed, not %s",
                          query_show(q->heap, let, shown, sizeof shown));
    size_t lets = given(let) ? map_count(q->heap, let) : 0;
    if (lets > QUERY_COLUMNS_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "let: %zu names; at most %d are possible", lets,
                          QUERY_COLUMNS_MAX);
    q->fields = query_alloc(q, (columns + lets) * sizeof *q->fields);
    if (!q->fields) return query_fail_memory(q);
    for (uint32_t i = 0; i < columns; i++) {
        const struct table_field *f = table_field(q->table, i);
        q->fields[i] = (struct query_field){.name = f->name, .length = f->name_length,
                                            .type = f->type, .null = f->null,
                                            .let = VALUE_ABSENT};
    }
    q->field_count = columns;
    int error = 0;
    while (lets && !error && map_next(q->heap, let, &it, &name, &expression))
        error = add_let(q, name, expression);
    return error;
}

int query_compile_field(struct query *q, const struct query_scope *scope, uint32_t field,
                        struct query_code *code)
{
    const struct query_field *f = &scope->fields[field];
    if (f->let != VALUE_ABSENT) {
        *code = f->code;
        return 0;
    }
    query_use_register(q, 0);
    *code = (struct query_code){.start = q->code_count, .end = q->code_count + 1,
                                .kind = query_kind_of(f->type), .type = f->type,
                                .null = f->null, .column = field};
    return query_emit(q, (struct query_instr){.op = OP_LOAD, .index = field});
}

int query_open_common(struct query *q, const struct query_spec *spec)
{
    q->stats.rows_total = table_version_rows(q->version) + table_version_deleted(q->version);
    int error = query_read_count(q, spec->limit, "limit", &q->limit);
    if (!error) error = query_read_count(q, spec->offset, "offset", &q->offset);
    if (!error) error = open_fields(q, spec->let);
    if (error || !given(spec->where)) return error;
    struct query_scope scope = {.fields = q->fields, .count = q->field_count, .table = true};
    q->has_where = true;
    return query_compile(q, &scope, spec->where, true, "where", &q->where);
}

/* --- order -------------------------------------------------------------------------------------*/

static int compile_order_item(struct query *q, const struct query_scope *scope, value item,
                              uint32_t index)
{
    char place[40], shown[80];
    uint32_t field;
    value name = item, way = VALUE_ABSENT;
    snprintf(place, sizeof place, "order[%u]", index);
    if (value_is_kind(item, KIND_LIST)) {
        size_t length = list_length(q->heap, item);
        if (length != 1 && length != 2)
            return query_fail(q, QUERY_FAULT_SYNTAX, "%s: [name, \"asc\" | \"desc\"] is needed, "
                              "not a list of %zu", place, length);
        name = list_get(q->heap, item, 0);
        if (length == 2) way = list_get(q->heap, item, 1);
    }
    if (given(way) && !query_text_is(q->heap, way, "asc") && !query_text_is(q->heap, way, "desc"))
        return query_fail(q, QUERY_FAULT_SYNTAX, "%s[1]: \"asc\" or \"desc\" is needed, not %s",
                          place, query_show(q->heap, way, shown, sizeof shown));
    q->descending[index] = given(way) && query_text_is(q->heap, way, "desc");
    int error = query_find_name(q, scope, name, place, &field);
    return error ? error : query_compile_field(q, scope, field, &q->order[index]);
}

int query_compile_order(struct query *q, const struct query_scope *scope, value order)
{
    char shown[80];
    if (!given(order)) return 0;
    if (!value_is_kind(order, KIND_LIST))
        return query_fail(q, QUERY_FAULT_SYNTAX, "order: a list of [name, \"asc\" | \"desc\"] is "
                          "needed, not %s", query_show(q->heap, order, shown, sizeof shown));
    size_t count = list_length(q->heap, order);
    if (count > QUERY_ORDER_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "order: %zu names; at most %d are possible",
                          count, QUERY_ORDER_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int error = compile_order_item(q, scope, list_get(q->heap, order, i), i);
        if (error) return error;
    }
    q->order_count = (uint32_t)count;
    return 0;
}

/* --- the clock ---------------------------------------------------------------------------------*/

/* Of the aggregates and keys: how many instructions each is like. */
static uint32_t agg_weight(const struct query_agg *agg)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < agg->key_count; i++) weight += agg->direct ? 0 : 4;
    for (uint32_t i = 0; i < agg->aggregate_count; i++)
        switch (agg->aggregates[i].function) {
        case AGG_VAR:
        case AGG_STDDEV:
        case AGG_QUANTILE:
        case AGG_MEDIAN:
        case AGG_APPROX: weight += 4; break;
        case AGG_DISTINCT: weight += 8; break; /* a miss of the caches for each row, or more */
        default: break;
        }
    return weight;
}

/* Instructions take a microsecond or two for each vector; a look at the clock a fraction of one. */
void query_weigh(struct query *q)
{
    uint32_t weight = q->code_count + (q->agg ? agg_weight(q->agg) : 0);
    q->looks = weight <= 3 ? 4 : weight <= 7 ? 2 : 1;
}

/* --- results -----------------------------------------------------------------------------------*/

uint32_t query_column_count(const struct query *q) { return q->column_count; }

const struct query_column *query_column(const struct query *q, uint32_t index)
{
    assert(index < q->column_count);
    return &q->columns[index];
}

int query_next(struct query *q, uint64_t budget_ns, uint32_t rows_max, size_t bytes_max,
               struct query_batch *batch, struct query_error *error)
{
    uint64_t now = clock_ns(), deadline = budget_ns < UINT64_MAX - now ? now + budget_ns
                                                                       : UINT64_MAX;
    if (rows_max == 0 || rows_max > QUERY_ROWS_VECTOR) rows_max = QUERY_ROWS_VECTOR;
    q->work = 0;
    int prepared = query_prepare(q, budget_ns, error);
    if (prepared) return prepared;
    int outcome = q->failed ? q->failed
                  : q->limit == 0 && q->output_rows == 0 && !q->agg && q->sorter
                      ? QUERY_END
                  : q->scan ? scan_step(q, deadline, rows_max, bytes_max)
                            : agg_step(q, deadline, rows_max, bytes_max);
    if (outcome < 0) {
        *error = q->error;
        return outcome;
    }
    if (outcome == QUERY_BUSY) return QUERY_BUSY;
    return q->output_rows ? query_give(q, batch) : QUERY_END;
}

void query_batch_cell(const struct query *q, const struct query_batch *batch, uint32_t row,
                      uint32_t column, struct table_cell *cell)
{
    const struct query_column *c = query_column(q, column);
    const struct query_batch_column *data = &batch->columns[column];
    assert(row < batch->rows);
    *cell = (struct table_cell){.type = c->type, .null = !bits_get(data->valid, row)};
    if (cell->null) return;
    switch (table_type_class(c->type)) {
    case TABLE_CLASS_TEXT: cell->text = ((const struct table_text *)data->data)[row]; break;
    case TABLE_CLASS_SYMBOL:
        cell->text = table_symbol(q->table, c->column,
                                  (uint32_t)((const uint64_t *)data->data)[row]);
        break;
    default: cell->u = ((const uint64_t *)data->data)[row]; break;
    }
}

void query_stats(const struct query *q, struct query_stats *stats)
{
    *stats = q->stats;
    stats->memory = q->external.bytes;
    stats->memory_peak = q->memory_peak;
    if (!q->index) return;
    stats->index_chunks = q->index->chunks_used;
    stats->index_skipped = q->index->chunks_skipped;
    stats->index_rows = q->index->rows;
}
