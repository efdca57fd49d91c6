/* query_test.c - tests over a vector, and over zone maps.
 *
 * The cheapest way first: ranges are selected on the packed data (table_select_range); texts with a
 * dictionary are looked at once per entry, and then by code; only what is left is decoded. */
#include "heap/query_int.h"

#include <string.h>

/* --- one text, one key -------------------------------------------------------------------------*/

static bool contains(struct table_text t, struct table_text part)
{
    return part.length == 0 || (t.length >= part.length &&
                                memmem(t.data, t.length, part.data, part.length) != NULL);
}

static bool in_texts(const struct query_test *test, struct table_text t)
{
    uint32_t low = 0, high = test->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = text_order(test->texts[middle], t);
        if (order == 0) return true;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return false;
}

static bool text_matches(const struct query_test *test, struct table_text t)
{
    int order;
    switch (test->form) {
    case TEST_TEXTS: return in_texts(test, t);
    case TEST_CONTAINS: return contains(t, test->low);
    case TEST_PREFIX:
        return t.length >= test->low.length && memcmp(t.data, test->low.data,
                                                      test->low.length) == 0;
    default:
        if (test->low.data) {
            order = text_order(t, test->low);
            if (order < 0 || (order == 0 && test->low_strict)) return false;
        }
        if (test->high.data) {
            order = text_order(t, test->high);
            if (order > 0 || (order == 0 && test->high_strict)) return false;
        }
        return true;
    }
}

/* Whether any key lies in low..high. */
static bool any_key_within(const struct query_test *test, uint64_t low, uint64_t high)
{
    uint32_t first = 0, last = test->count;
    while (first < last) {
        uint32_t middle = first + (last - first) / 2;
        if (test->keys[middle] < low) first = middle + 1;
        else last = middle;
    }
    return first < test->count && test->keys[first] <= high;
}

static enum query_kind key_kind(const struct query_test *test)
{
    return test->class == TABLE_CLASS_FLOAT  ? QUERY_FLOAT
           : test->class == TABLE_CLASS_UINT ? QUERY_UINT
                                             : QUERY_INT;
}

/* --- by code -----------------------------------------------------------------------------------*/

static int verdicts_open(struct query *q, struct query_test *test, uint32_t count, uint32_t chunk)
{
    if (test->verdicts && test->verdict_count >= count) {
        if (test->chunk != chunk) memset(test->verdicts, 0, count);
        test->chunk = chunk;
        return 0;
    }
    query_free(q, test->verdicts);
    uint32_t room = count < TABLE_VECTOR_ROWS ? TABLE_VECTOR_ROWS : count;
    test->verdicts = query_alloc(q, room);
    test->verdict_count = room;
    test->chunk = chunk;
    return test->verdicts ? 0 : query_fail_memory(q);
}

static bool code_matches(struct query *q, const struct query_source *s, struct query_test *test,
                         uint32_t code)
{
    if (!test->verdicts[code]) {
        struct table_text t = test->class == TABLE_CLASS_SYMBOL
                                  ? table_symbol(q->table, test->column, code)
                                  : table_chunk_entry(q->version, s->chunk, test->column, code);
        test->verdicts[code] = text_matches(test, t) ? 2 : 1;
    }
    return test->verdicts[code] == 2;
}

/* Bits of `mask` whose code matches. */
static int run_codes(struct query *q, const struct query_source *s, struct query_test *test,
                     uint32_t count, const uint64_t *mask, uint64_t *matches, uint64_t *valid)
{
    bool symbol = test->class == TABLE_CLASS_SYMBOL;
    int error = verdicts_open(q, test, count, symbol ? 0 : s->chunk);
    if (error) return error;
    uint32_t rows = table_read_codes(q->version, s->chunk, test->column, s->vector, q->codes,
                                     valid);
    q->stats.bytes_decoded += rows * sizeof(uint64_t);
    for (unsigned w = 0; w < QUERY_WORDS; w++) {
        uint64_t left = mask[w] & valid[w];
        matches[w] = 0;
        for (; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzl(left);
            if (code_matches(q, s, test, q->codes[w * 64 + bit])) matches[w] |= (uint64_t)1 << bit;
        }
    }
    return 0;
}

/* --- on decoded values -------------------------------------------------------------------------*/

static void select_range(const struct query_test *test, const struct query_vector *v,
                         uint64_t *matches)
{
    const struct table_range *r = &test->range;
    if (test->class != TABLE_CLASS_FLOAT) {
        table_kernels()->select_integers(v->u, r->min.u, r->max.u, matches);
        return;
    }
    uint64_t low = key_of_double(r->min.d), high = key_of_double(r->max.d);
    bits_clear(matches);
    for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++) {
        uint64_t key = key_of_double(v->d[i]);
        matches[i / 64] |= (uint64_t)(key >= low && key <= high) << i % 64;
    }
}

static void run_values(const struct query_test *test, const struct query_vector *v,
                       const uint64_t *mask, uint64_t *matches)
{
    enum query_kind kind = key_kind(test);
    if (test->form == TEST_RANGE) {
        select_range(test, v, matches);
        return;
    }
    for (unsigned w = 0; w < QUERY_WORDS; w++) {
        uint64_t left = mask[w] & v->valid[w];
        matches[w] = 0;
        for (; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzl(left), i = w * 64 + bit;
            bool match;
            if (test->form == TEST_SET) {
                uint64_t key = key_of_lane(kind, v->u[i]);
                match = any_key_within(test, key, key);
            } else {
                match = text_matches(test, v->t[i]);
            }
            matches[w] |= (uint64_t)match << bit;
        }
    }
}

/* --- a test on a vector ------------------------------------------------------------------------*/

static void read_valid(struct query *q, const struct query_source *s, const struct query_test *test,
                       uint64_t *valid)
{
    if (s->form == SOURCE_VECTOR) {
        table_vector_valid(q->version, s->chunk, test->column, s->vector, valid);
        return;
    }
    query_load(q, s, test->column, &q->scratch);
    bits_copy(valid, q->scratch.valid);
}

static void apply(const struct query_test *test, const uint64_t *mask, const uint64_t *matches,
                  const uint64_t *valid, uint64_t *truth)
{
    for (unsigned i = 0; i < QUERY_WORDS; i++)
        truth[i] = mask[i] & valid[i] & (test->negate ? ~matches[i] : matches[i]);
}

static int run_in_vector(struct query *q, const struct query_source *s, struct query_test *test,
                         const uint64_t *mask, uint64_t *truth)
{
    uint64_t matches[QUERY_WORDS], valid[QUERY_WORDS];
    int error = 0;
    if (test->form == TEST_RANGE) {
        table_select_range(q->version, s->chunk, test->column, s->vector, &test->range, matches);
        if (test->negate)
            table_vector_valid(q->version, s->chunk, test->column, s->vector, valid);
        else memset(valid, 0xff, sizeof valid); /* what is null is not selected */
        apply(test, mask, matches, valid, truth);
        return 0;
    }
    uint32_t count = 0;
    if (kind_is_text(test->kind))
        count = test->class == TABLE_CLASS_SYMBOL
                    ? table_symbol_count(q->table, test->column)
                    : table_chunk_dictionary(q->version, s->chunk, test->column);
    if (count) {
        error = run_codes(q, s, test, count, mask, matches, valid);
    } else {
        query_load_codes(q, s, test->column, &q->scratch);
        bits_copy(valid, q->scratch.valid);
        run_values(test, &q->scratch, mask, matches);
    }
    if (!error) apply(test, mask, matches, valid, truth);
    return error;
}

int query_test_run(struct query *q, const struct query_source *s, struct query_test *test,
                   const uint64_t *mask, uint64_t *truth)
{
    uint64_t valid[QUERY_WORDS];
    switch (test->form) {
    case TEST_UNKNOWN: bits_clear(truth); return 0;
    case TEST_ALWAYS: bits_copy(truth, mask); return 0;
    case TEST_VALID:
    case TEST_NULL:
        if (test->form == TEST_VALID && test->negate) {
            bits_clear(truth);
            return 0;
        }
        read_valid(q, s, test, valid);
        for (unsigned i = 0; i < QUERY_WORDS; i++)
            truth[i] = mask[i] &
                       (test->form == TEST_NULL && !test->negate ? ~valid[i] : valid[i]);
        return 0;
    default: break;
    }
    if (s->form == SOURCE_VECTOR) return run_in_vector(q, s, test, mask, truth);
    bool codes = test->class == TABLE_CLASS_SYMBOL && test->form == TEST_RANGE;
    if (codes) query_load_codes(q, s, test->column, &q->scratch);
    else query_load(q, s, test->column, &q->scratch);
    run_values(test, &q->scratch, mask, truth);
    apply(test, mask, truth, q->scratch.valid, truth);
    return 0;
}

/* --- zone maps ---------------------------------------------------------------------------------*/

/* How low..high of a zone lies to the test, for rows that are not null. */
static enum query_zone zone_of_bounds(const struct query_test *test, const struct table_zone *z)
{
    if (test->class == TABLE_CLASS_TEXT) {
        struct table_text low = test->low, high = test->high;
        if (test->form == TEST_CONTAINS) return ZONE_SOME;
        if (test->form == TEST_TEXTS) {
            if (test->count == 0) return ZONE_NONE;
            low = test->texts[0];
            high = test->texts[test->count - 1];
        }
        uint64_t below = low.data ? key_of_text(low) : 0;
        uint64_t above = high.data ? key_of_text(high) : UINT64_MAX;
        if (test->form == TEST_PREFIX)
            above = low.length < 8 ? below | (UINT64_MAX >> 8 * low.length) : below;
        return z->max.u < below || z->min.u > above ? ZONE_NONE : ZONE_SOME;
    }
    enum query_kind kind = key_kind(test);
    uint64_t min = key_of_lane(kind, z->min.u), max = key_of_lane(kind, z->max.u);
    if (test->form == TEST_SET) return any_key_within(test, min, max) ? ZONE_SOME : ZONE_NONE;
    uint64_t low = key_of_lane(kind, test->range.min.u);
    uint64_t high = key_of_lane(kind, test->range.max.u);
    if (max < low || min > high) return ZONE_NONE;
    return min >= low && max <= high ? ZONE_ALL : ZONE_SOME;
}

static enum query_zone zone_of_test(const struct query *q, const struct query_test *test,
                                    uint32_t chunk, uint32_t vector)
{
    struct table_zone z;
    if (test->form == TEST_UNKNOWN) return ZONE_NONE;
    if (test->form == TEST_ALWAYS) return ZONE_ALL;
    if (test->form == TEST_VALID && test->negate) return ZONE_NONE;
    if (vector == QUERY_NONE) table_chunk_zone(q->version, chunk, test->column, &z);
    else table_vector_zone(q->version, chunk, test->column, vector, &z);
    if (test->form == TEST_NULL || test->form == TEST_VALID) {
        bool nulls = test->form == TEST_NULL && !test->negate;
        if (z.nulls == 0) return nulls ? ZONE_NONE : ZONE_ALL;
        if (z.nulls == z.rows) return nulls ? ZONE_ALL : ZONE_NONE;
        return ZONE_SOME;
    }
    if (z.nulls == z.rows) return ZONE_NONE;
    if (!z.known || test->class == TABLE_CLASS_SYMBOL) return ZONE_SOME;
    enum query_zone zone = zone_of_bounds(test, &z);
    if (test->negate && zone != ZONE_SOME) zone = zone == ZONE_ALL ? ZONE_NONE : ZONE_ALL;
    return zone == ZONE_ALL && z.nulls ? ZONE_SOME : zone;
}

enum query_zone query_zone_of(struct query *q, uint32_t chunk, uint32_t vector, bool count)
{
    enum query_zone stack[QUERY_DEPTH_MAX + 2];
    uint8_t ops[QUERY_DEPTH_MAX + 2];
    unsigned depth = 0;
    stack[0] = ZONE_ALL;
    ops[0] = OP_AND;
    if (!q->has_where) return ZONE_ALL;
    for (uint32_t at = q->where.start; at < q->where.end; at++) {
        const struct query_instr *in = &q->code[at];
        enum query_zone zone = ZONE_SOME;
        if (in->op == OP_AND || in->op == OP_OR) {
            ops[++depth] = in->op;
            stack[depth] = in->op == OP_AND ? ZONE_ALL : ZONE_NONE;
            continue;
        }
        if (in->op == OP_TEST) {
            struct query_test *test = &q->tests[in->index];
            zone = zone_of_test(q, test, chunk, vector);
            if (count && zone == ZONE_NONE)
                (*(vector == QUERY_NONE ? &test->chunks_skipped : &test->vectors_skipped))++;
        } else if (in->op == OP_END) {
            zone = stack[depth--];
        } else { /* OP_CMP: not known */
            at = in->jump;
        }
        if (ops[depth] == OP_AND) stack[depth] = zone < stack[depth] ? zone : stack[depth];
        else stack[depth] = zone > stack[depth] ? zone : stack[depth];
    }
    return stack[0];
}

const char *query_test_on(const struct query *q, const struct query_test *test)
{
    if (test->form == TEST_UNKNOWN || test->form == TEST_VALID || test->form == TEST_NULL)
        return "zone";
    if (test->form == TEST_RANGE)
        return test->class == TABLE_CLASS_SYMBOL ? "codes" : "packed";
    if (test->class == TABLE_CLASS_SYMBOL) return "dictionary";
    if (test->class == TABLE_CLASS_TEXT)
        for (uint32_t c = 0; c < table_version_chunks(q->version) && c < 64; c++)
            if (table_chunk_dictionary(q->version, c, test->column)) return "dictionary";
    return "decoded";
}
