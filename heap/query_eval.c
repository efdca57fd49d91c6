/* query_eval.c - runs code over 1,024 rows at a time.
 *
 * A machine of two stacks: frames hold bitmaps (the rows still to decide, and those that are true),
 * registers hold values. The compiler says which register; frames nest as the code does. An operand
 * that has no row left to decide is jumped over.
 *
 * Code may be long, and a test of texts may take long, so that it all stops between instructions
 * or within a test, and goes on there: q->eval. Nothing else of the query is evaluated then. */
#include "heap/query_int.h"

int query_eval_open(struct query *q)
{
    q->registers = query_alloc(q, (q->register_count + 1) * sizeof *q->registers);
    q->frames = query_alloc(q, (QUERY_DEPTH_MAX + 2) * sizeof *q->frames);
    q->codes = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *q->codes);
    if (!q->registers || !q->frames || !q->codes) return query_fail_memory(q);
    size_t bytes = QUERY_ROWS_VECTOR * sizeof(struct table_text);
    for (uint32_t i = 0; i < q->register_count; i++)
        if (!(q->registers[i].any = query_alloc(q, bytes))) return query_fail_memory(q);
    q->scratch.any = query_alloc(q, bytes);
    return q->scratch.any ? 0 : query_fail_memory(q);
}

/* --- loading -----------------------------------------------------------------------------------*/

static void symbols_to_texts(struct query *q, uint32_t column, struct query_vector *v)
{
    uint32_t count = table_symbol_count(q->table, column);
    for (unsigned i = QUERY_ROWS_VECTOR; i-- > 0;) { /* texts are wider: from the end */
        uint64_t code = v->u[i];
        v->t[i] = bits_get(v->valid, i) && code < count
                      ? table_symbol(q->table, column, (uint32_t)code)
                      : (struct table_text){.data = ""};
    }
}

static void load_vector(struct query *q, const struct query_source *s, uint32_t column,
                        struct query_vector *to)
{
    uint32_t rows = table_read_vector(q->version, s->chunk, column, s->vector, to->any, to->valid);
    bool texts = table_type_class(table_field(q->table, column)->type) == TABLE_CLASS_TEXT;
    q->stats.bytes_decoded += rows * (texts ? sizeof(struct table_text) : sizeof(uint64_t));
}

static void load_addresses(struct query *q, const struct query_source *s, uint32_t column,
                           bool codes, struct query_vector *to)
{
    enum table_class class = table_type_class(table_field(q->table, column)->type);
    struct table_cell cell;
    bits_clear(to->valid);
    for (uint32_t i = 0; i < s->rows; i++) {
        table_cell(q->version, (uint32_t)(s->addresses[i] >> 16),
                   (uint32_t)(s->addresses[i] & 0xffff), column, &cell);
        if (cell.null) {
            if (class == TABLE_CLASS_TEXT || (class == TABLE_CLASS_SYMBOL && !codes))
                to->t[i] = (struct table_text){.data = ""};
            else to->u[i] = 0;
            continue;
        }
        bits_set(to->valid, i);
        if (class == TABLE_CLASS_SYMBOL && codes)
            to->u[i] = table_symbol_find(q->table, column, cell.text.data, cell.text.length);
        else if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL) to->t[i] = cell.text;
        else to->u[i] = cell.u;
    }
}

void query_load_codes(struct query *q, const struct query_source *s, uint32_t column,
                      struct query_vector *to)
{
    if (s->form == SOURCE_VECTOR) load_vector(q, s, column, to);
    else load_addresses(q, s, column, true, to);
}

void query_load(struct query *q, const struct query_source *s, uint32_t column,
                struct query_vector *to)
{
    if (s->form == SOURCE_RESULT) {
        const struct query_vector *from = &s->result[column];
        enum table_class class = table_type_class(q->columns[column].type);
        size_t bytes = class == TABLE_CLASS_TEXT ? sizeof *to->t : sizeof *to->u;
        memcpy(to->any, from->any, s->rows * bytes);
        bits_copy(to->valid, from->valid);
        if (class == TABLE_CLASS_SYMBOL) symbols_to_texts(q, q->columns[column].column, to);
        return;
    }
    if (s->form == SOURCE_ADDRESSES) {
        load_addresses(q, s, column, false, to);
        return;
    }
    load_vector(q, s, column, to);
    if (table_field(q->table, column)->type == TABLE_SYM) symbols_to_texts(q, column, to);
}

static void load_literal(const struct query_literal *l, struct query_vector *to)
{
    memset(to->valid, l->kind == QUERY_NOTHING ? 0 : 0xff, sizeof to->valid);
    if (kind_is_text(l->kind))
        for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++) to->t[i] = l->text;
    else
        for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++) to->u[i] = l->lane;
}

/* --- frames ------------------------------------------------------------------------------------*/

/* A result for the frame on top. */
static void combine(struct query_frame *f, const uint64_t *truth)
{
    if (f->op == OP_AND) {
        bits_copy(f->active, truth);
        return;
    }
    for (unsigned i = 0; i < QUERY_WORDS; i++) {
        f->truth[i] |= truth[i];
        f->active[i] &= ~truth[i];
    }
}

static void blend(struct query *q, const struct query_instr *in, const struct query_frame *f)
{
    struct query_vector *to = &q->registers[in->to], *other = &q->registers[in->b];
    bool texts = kind_is_text((enum query_kind)in->kind);
    for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++) {
        if (bits_get(f->truth, i)) continue;
        if (texts) to->t[i] = other->t[i];
        else to->u[i] = other->u[i];
    }
    for (unsigned i = 0; i < QUERY_WORDS; i++)
        to->valid[i] = (to->valid[i] & f->truth[i]) | (other->valid[i] & ~f->truth[i]);
}

static void open_frame(struct query_frame *f, const struct query_instr *in, const uint64_t *active)
{
    f->op = in->op;
    f->end = in->jump;
    bits_copy(f->base, active);
    bits_copy(f->active, active);
    bits_clear(f->truth);
}

/* The rows of an IF that the branch to come is for. */
static void choose_branch(struct query_frame *f, bool otherwise)
{
    for (unsigned i = 0; i < QUERY_WORDS; i++)
        f->active[i] = f->base[i] & (otherwise ? ~f->truth[i] : f->truth[i]);
}

static int run_value(struct query *q, const struct query_source *s, const struct query_instr *in,
                     const uint64_t *active)
{
    switch (in->op) {
    case OP_LOAD: query_load(q, s, in->index, &q->registers[in->to]); return 0;
    case OP_LITERAL: load_literal(&q->literals[in->index], &q->registers[in->to]); return 0;
    case OP_CONVERT: return query_convert(q, in, active);
    case OP_CAST: return query_cast(q, in, active);
    default: return query_arithmetic(q, in, active);
    }
}

/* --- the loop ----------------------------------------------------------------------------------*/

#define WORK_CELL 64     /* a cell by its address */
#define WORK_LANE_TEXT 4 /* one of a vector of texts */

/* What an instruction takes, as work. Tests count theirs. */
static uint64_t instr_work(const struct query *q, const struct query_source *s,
                           const struct query_instr *in)
{
    if (in->op == OP_TEST) return 0;
    if (in->op == OP_LOAD && s->form == SOURCE_ADDRESSES) return (uint64_t)s->rows * WORK_CELL;
    if (in->op == OP_LOAD && s->form == SOURCE_VECTOR) {
        enum table_class class = table_type_class(table_field(q->table, in->index)->type);
        if (class >= TABLE_CLASS_TEXT) return QUERY_ROWS_VECTOR * WORK_LANE_TEXT;
    }
    return QUERY_ROWS_VECTOR;
}

static int stop(struct query *q, uint32_t at, const struct query_frame *f)
{
    q->eval.open = true;
    q->eval.at = at;
    q->eval.frame = (uint32_t)(f - q->frames);
    return QUERY_BUSY;
}

/* Runs code[start, end); f->active at the end is what the outermost AND kept. */
static int run(struct query *q, const struct query_source *s, uint32_t start, uint32_t end,
               const uint64_t *mask)
{
    struct query_frame *f = q->frames;
    uint64_t truth[QUERY_WORDS];
    if (q->eval.open) {
        assert(q->eval.at >= start && q->eval.at < end);
        f += q->eval.frame;
        start = q->eval.at;
        q->eval.open = false;
    } else {
        open_frame(f, &(struct query_instr){.op = OP_AND, .jump = end}, mask);
    }
    for (uint32_t at = start; at < end; at++) {
        const struct query_instr *in = &q->code[at];
        int error = 0;
        bool decided = false;
        switch (in->op) {
        case OP_AND:
        case OP_OR:
        case OP_IF:
            open_frame(f + 1, in, f->active);
            f++;
            continue;
        case OP_THEN: choose_branch(f, false); continue;
        case OP_ELSE: choose_branch(f, true); continue;
        case OP_BLEND: blend(q, in, f--); continue;
        case OP_CMP: continue;
        case OP_END:
            bits_copy(truth, f->op == OP_AND ? f->active : f->truth);
            f--;
            decided = true;
            break;
        case OP_TEST:
            error = query_test_run(q, s, &q->tests[in->index], f->active, truth);
            decided = true;
            break;
        case OP_COMPARE:
        case OP_COMPARE_MIXED:
            query_compare(q, in, f->active, truth);
            decided = true;
            break;
        default: error = run_value(q, s, in, f->active); break;
        }
        if (error == QUERY_BUSY) return stop(q, at, f);
        if (error) return error;
        if (decided) {
            combine(f, truth);
            /* Nothing left to decide: on to the end of the frame. An IF has branches to come. */
            if (f->op != OP_IF && !bits_any(f->active)) at = f->end - 1;
        }
        if (query_work(q, instr_work(q, s, in)) && at + 1 < end) return stop(q, at + 1, f);
    }
    return 0;
}

int query_run_predicate(struct query *q, const struct query_source *s,
                        const struct query_code *code, const uint64_t *mask, uint64_t *truth)
{
    int error = run(q, s, code->start, code->end, mask);
    if (!error) bits_copy(truth, q->frames[0].active);
    return error;
}

int query_run(struct query *q, const struct query_source *s, const struct query_code *code,
              const uint64_t *mask)
{
    return run(q, s, code->start, code->end, mask);
}
