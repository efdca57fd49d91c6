/* query_index_plan.c - see query_index.h: which tests are terms, which `or`s are unions of them. */
#include "heap/query_index.h"

/* --- terms -------------------------------------------------------------------------------------*/

static enum table_index_kind kind_on(const struct query *q, uint32_t column)
{
    return column < table_column_count(q->table) ? table_index_kind(q->table, column)
                                                 : TABLE_INDEX_NONE;
}

struct table_index_key query_index_number(enum table_class class, uint64_t lane)
{
    double d;
    memcpy(&d, &lane, sizeof d);
    return (struct table_index_key){
        .key = class == TABLE_CLASS_FLOAT ? key_of_double(d)
               : class == TABLE_CLASS_INT ? key_of_int((int64_t)lane)
                                          : lane};
}

static void set_equal(struct query_term *term, struct table_index_key key)
{
    term->form = TERM_RANGE;
    term->low = term->high = key;
    term->has_low = term->has_high = true;
    term->high_after = true;
}

/* The least text above all that begin with `prefix`: its last byte that is not 0xff, one more. */
static int above_prefix(struct query *q, struct query_term *term, struct table_text prefix)
{
    struct table_text copy;
    size_t length = prefix.length;
    while (length && (unsigned char)prefix.data[length - 1] == 0xff) length--;
    if (length == 0) return 0;
    int error = query_copy_text(q, prefix.data, length, &copy);
    if (error) return error;
    ((char *)(uintptr_t)copy.data)[length - 1]++;
    term->high = table_index_text_key(copy);
    term->has_high = true;
    return 0;
}

static int set_keys(struct query *q, struct query_term *term, const struct query_test *test)
{
    term->form = TERM_KEYS;
    term->key_count = test->count;
    term->keys = query_alloc(q, (test->count + 1) * sizeof *term->keys);
    if (!term->keys) return query_fail_memory(q);
    for (uint32_t i = 0; i < test->count; i++) {
        term->keys[i] = test->form == TEST_SET ? (struct table_index_key){.key = test->keys[i]}
                                               : table_index_text_key(test->texts[i]);
        term->keys[i].hash = table_index_hash(q->table, &term->keys[i]);
    }
    return 0;
}

static void set_text_range(struct query_term *term, const struct query_test *test)
{
    term->form = TERM_RANGE;
    term->has_low = test->low.data != NULL;
    term->has_high = test->high.data != NULL;
    if (term->has_low) term->low = table_index_text_key(test->low);
    if (term->has_high) term->high = table_index_text_key(test->high);
    term->low_after = test->low_strict;
    term->high_after = !test->high_strict;
}

static void set_range(struct query_term *term, const struct query_test *test)
{
    if (test->class == TABLE_CLASS_SYMBOL) { /* a single code, of this text; the table's copy of it
                                              * goes if the symbol is taken back */
        set_equal(term, table_index_text_key(test->low));
        return;
    }
    set_equal(term, query_index_number(test->class, test->range.min.u));
    term->high = query_index_number(test->class, test->range.max.u);
}

static bool is_equality(const struct query_term *term)
{
    if (term->form == TERM_KEYS) return true;
    return term->form == TERM_RANGE && !term->negate && term->has_low && term->has_high &&
           !term->low_after && term->high_after && term->low.key == term->high.key &&
           (!term->low.text.data || text_order(term->low.text, term->high.text) == 0);
}

/* 0, and in test->unindexed why not, if no index serves the test. */
static int make_term(struct query *q, struct query_test *test, struct query_term *term)
{
    bool negate = test->negate;
    int error = 0;
    term->negate = negate;
    switch (test->form) {
    case TEST_UNKNOWN: test->unindexed = "it is never true"; return 0;
    case TEST_ALWAYS: test->unindexed = "it is always true"; return 0;
    case TEST_CONTAINS: test->unindexed = "contains reads all texts"; return 0;
    case TEST_SET:
    case TEST_TEXTS:
        if (negate) test->unindexed = "what is not in a list is most rows";
        else if (test->count > INDEX_KEYS_MAX) test->unindexed = "it has more than 64 literals";
        else error = set_keys(q, term, test);
        break;
    case TEST_VALID:
        if (negate) test->unindexed = "it is never true";
        term->form = TERM_VALID;
        break;
    case TEST_NULL: term->form = negate ? TERM_VALID : TERM_NULL; break;
    case TEST_RANGE: set_range(term, test); break;
    case TEST_TEXT: set_text_range(term, test); break;
    case TEST_PREFIX:
        term->form = TERM_RANGE;
        term->low = table_index_text_key(test->low);
        term->has_low = true;
        error = above_prefix(q, term, test->low);
        break;
    }
    if (error || test->unindexed) return error;
    term->equality = term->form == TERM_RANGE && is_equality(term);
    if (term->kind == TABLE_INDEX_SORTED) return 0;
    if (!is_equality(term)) test->unindexed = "a hash serves = and in only";
    term->low.hash = table_index_hash(q->table, &term->low);
    return 0;
}

/* A term for the test, or in test->unindexed why there is none. */
static int open_term(struct query *q, uint32_t index, struct query_term *term)
{
    struct query_test *test = &q->tests[index];
    *term = (struct query_term){.column = test->column, .test = index,
                                .kind = kind_on(q, test->column)};
    test->unindexed = NULL;
    int error = make_term(q, test, term);
    if (error || test->unindexed) return error;
    uint32_t ranges = term->key_count > 2 ? term->key_count : 2;
    term->ranges = query_alloc(q, ranges * sizeof *term->ranges);
    return term->ranges ? 0 : query_fail_memory(q);
}

static int add_term(struct query *q, uint32_t index)
{
    struct query_index *x = q->index;
    if (x->term_count == INDEX_TERMS_MAX) {
        q->tests[index].unindexed = "eight terms use indexes already";
        return 0;
    }
    int error = open_term(q, index, &x->terms[x->term_count]);
    if (!error && !q->tests[index].unindexed) x->term_count++;
    return error;
}

/* --- unions ------------------------------------------------------------------------------------*/

/* The frames between an `or` and the instruction that is looked at. An `and` is served once a test
 * in it is; an `or` if all in it is. */
struct union_frame {
    bool both;           /* `and` */
    bool served;
    uint32_t branches;   /* of the union when it was opened */
};

static const char *const not_served = "another operand of its or is not served by an index";

/* How often the branches look into an index, for each chunk. */
static uint32_t look_ups(const struct query_term *u)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < u->branch_count; i++)
        count += u->branches[i].key_count ? u->branches[i].key_count : 1;
    return count;
}

/* A test as a branch, if it is served and wanted. */
static int add_branch(struct query *q, uint32_t index, struct query_term *u,
                      struct union_frame *frame)
{
    struct query_test *test = &q->tests[index];
    bool served = frame->both && frame->served;
    if (served) {
        test->unindexed = "another test of its and is used";
        return 0;
    }
    if (kind_on(q, test->column) != TABLE_INDEX_NONE) {
        struct query_term *term = &u->branches[u->branch_count];
        uint32_t before = look_ups(u);
        int error = before < INDEX_KEYS_MAX ? open_term(q, index, term) : 0;
        if (error) return error;
        if (before + (before < INDEX_KEYS_MAX ? term->key_count : 1) > INDEX_KEYS_MAX)
            test->unindexed = "its or has more than 64 literals";
        served = !test->unindexed;
        u->branch_count += served;
    }
    frame->served = frame->both ? served : frame->served && served;
    return 0;
}

/* What an operand that is an `and` or an `or` says to the frame above it. An `and` whose first
 * operand was served has no use for the branches of a second one. */
static void close_frame(struct union_frame *above, const struct union_frame *frame,
                        struct query_term *u)
{
    bool needless = above->both && above->served;
    if (!frame->served || needless) u->branch_count = frame->branches;
    if (above->both) above->served |= frame->served;
    else above->served &= frame->served;
}

/* The branches of the `or` at `start`. u->branch_count 0: it is not served. */
static int find_branches(struct query *q, uint32_t start, struct query_term *u)
{
    struct union_frame frames[QUERY_DEPTH_MAX + 2];
    uint32_t depth = 0;
    frames[0] = (struct union_frame){.both = false, .served = true};
    for (uint32_t at = start + 1; at < q->code[start].jump; at++) {
        const struct query_instr *in = &q->code[at];
        int error = 0;
        switch (in->op) {
        case OP_AND:
        case OP_OR:
            frames[++depth] = (struct union_frame){.both = in->op == OP_AND,
                                                   .served = in->op == OP_OR,
                                                   .branches = u->branch_count};
            break;
        case OP_END:
            close_frame(&frames[depth - 1], &frames[depth], u);
            depth--;
            break;
        case OP_TEST: error = add_branch(q, in->index, u, &frames[depth]); break;
        default: /* OP_CMP: read row by row */
            at = in->jump;
            if (!frames[depth].both) frames[depth].served = false;
            break;
        }
        if (error) return error;
    }
    if (!frames[0].served) u->branch_count = 0;
    return 0;
}

/* The tests of an `or` that are no branches have a reason. */
static void tell_branches(struct query *q, uint32_t start, const struct query_term *u)
{
    for (uint32_t at = start; at < q->code[start].jump; at++) {
        if (q->code[at].op != OP_TEST) continue;
        bool used = false;
        for (uint32_t i = 0; i < u->branch_count; i++)
            used |= u->branches[i].test == q->code[at].index;
        struct query_test *test = &q->tests[q->code[at].index];
        if (!used && !test->unindexed) test->unindexed = not_served;
    }
}

static int add_union(struct query *q, uint32_t start)
{
    struct query_index *x = q->index;
    struct query_term *u = &x->terms[x->term_count];
    if (x->term_count == INDEX_TERMS_MAX) return 0;
    *u = (struct query_term){.form = TERM_UNION, .test = QUERY_NONE, .column = QUERY_NONE};
    u->branches = query_alloc(q, INDEX_KEYS_MAX * sizeof *u->branches);
    if (!u->branches) return query_fail_memory(q);
    int error = find_branches(q, start, u);
    if (error) return error;
    tell_branches(q, start, u);
    if (u->branch_count) x->term_count++;
    else query_free(q, u->branches);
    return 0;
}

/* Tests and unions below nothing but `and`. */
static int add_terms(struct query *q)
{
    for (uint32_t at = q->where.start; at < q->where.end; at++)
        if (q->code[at].op == OP_TEST) {
            struct query_test *test = &q->tests[q->code[at].index];
            bool none = kind_on(q, test->column) == TABLE_INDEX_NONE;
            test->unindexed = none ? "its column has no index"
                                   : "only what all rows must meet uses an index";
        }
    for (uint32_t at = q->where.start; at < q->where.end; at++) {
        const struct query_instr *in = &q->code[at];
        int error = 0;
        if (in->op == OP_OR) error = add_union(q, at);
        if (in->op == OP_OR || in->op == OP_CMP) at = in->jump;
        if (in->op == OP_TEST && kind_on(q, q->tests[in->index].column) != TABLE_INDEX_NONE)
            error = add_term(q, in->index);
        if (error) return error;
    }
    return 0;
}

static int add_order(struct query *q)
{
    struct query_index *x = q->index;
    bool top = q->scan && q->sorter && q->sorter->top;
    if (!top || q->order[0].column == QUERY_NONE ||
        kind_on(q, q->order[0].column) != TABLE_INDEX_SORTED)
        return 0;
    struct query_term *term = &x->terms[x->term_count];
    *term = (struct query_term){.form = TERM_ORDER, .column = q->order[0].column,
                                .test = QUERY_NONE, .kind = TABLE_INDEX_SORTED};
    term->ranges = query_alloc(q, 2 * sizeof *term->ranges);
    if (!term->ranges) return query_fail_memory(q);
    x->term_count++;
    return 0;
}

static bool wants_extremes(const struct query *q)
{
    const struct query_agg *agg = q->agg;
    if (!agg || agg->key_count || q->has_where || !agg->aggregate_count) return false;
    for (uint32_t i = 0; i < agg->aggregate_count; i++) {
        const struct query_aggregate *a = &agg->aggregates[i];
        if ((a->function != AGG_MIN && a->function != AGG_MAX) || a->code.column == QUERY_NONE ||
            kind_on(q, a->code.column) != TABLE_INDEX_SORTED)
            return false;
    }
    return true;
}

static bool any_index(const struct query *q)
{
    for (uint32_t i = 0; i < table_column_count(q->table); i++)
        if (kind_on(q, i) != TABLE_INDEX_NONE) return true;
    return false;
}

int query_index_plan(struct query *q)
{
    if (!any_index(q)) return 0;
    struct query_index *x = q->index = query_alloc(q, sizeof *x);
    if (!x) return query_fail_memory(q);
    x->rows_per_vector = INDEX_ROWS_PER_VECTOR;
    int error = add_terms(q);
    if (!error) error = add_order(q);
    if (error) return error;
    x->extremes = wants_extremes(q);
    if (!x->term_count && !x->extremes) {
        query_free(q, x);
        q->index = NULL;
        return 0;
    }
    x->candidates = query_alloc(q, TABLE_CHUNK_ROWS / 8);
    x->other = query_alloc(q, TABLE_CHUNK_ROWS / 8);
    return x->candidates && x->other ? 0 : query_fail_memory(q);
}
