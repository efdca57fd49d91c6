/* query_test.c - tests over a vector, and over zone maps.
 *
 * The cheapest way first: ranges are selected on the packed data (table_select_range); texts with a
 * dictionary are looked at once per entry, and then by code; only what is left is decoded. What
 * looks at texts stops at any of them, or within it, and keeps what it has found: q->eval.test. */
#include "heap/query_int.h"

#include <string.h>

/* --- one text, one key -------------------------------------------------------------------------*/

/* A comparison reads two texts from memory, up to where they differ. */
#define WORK_COMPARE 16
#define WORK_BYTES_COMPARED(bytes) ((bytes) / 16)

static int compare(struct query *q, struct table_text a, struct table_text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    query_work(q, WORK_COMPARE + WORK_BYTES_COMPARED(shorter));
    return text_order(a, b);
}

static bool in_texts(struct query *q, const struct query_test *test, struct table_text t)
{
    uint32_t low = 0, high = test->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare(q, test->texts[middle], t);
        if (order == 0) return true;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return false;
}

/* 1 or 0; of TEST_CONTAINS also QUERY_BUSY, or an error. */
static int text_matches(struct query *q, struct query_test *test, struct table_text t)
{
    int order;
    switch (test->form) {
    case TEST_TEXTS: return in_texts(q, test, t);
    case TEST_CONTAINS: return query_search(q, test, t);
    case TEST_PREFIX:
        query_work(q, WORK_COMPARE + WORK_BYTES_COMPARED(test->low.length));
        return t.length >= test->low.length && memcmp(t.data, test->low.data,
                                                      test->low.length) == 0;
    default:
        if (test->low.data) {
            order = compare(q, t, test->low);
            if (order < 0 || (order == 0 && test->low_strict)) return 0;
        }
        if (test->high.data) {
            order = compare(q, t, test->high);
            if (order > 0 || (order == 0 && test->high_strict)) return 0;
        }
        return 1;
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

/* Finds out whether the code matches: 0, QUERY_BUSY or an error. */
static int find_verdict(struct query *q, const struct query_source *s, struct query_test *test,
                        uint32_t code)
{
    struct table_text t = test->class == TABLE_CLASS_SYMBOL
                              ? table_symbol(q->table, test->column, code)
                              : table_chunk_entry(q->version, s->chunk, test->column, code);
    int match = text_matches(q, test, t);
    if (match < 0 || match == QUERY_BUSY) return match;
    test->verdicts[code] = match ? 2 : 1;
    return q->work < q->work_max ? 0 : QUERY_BUSY;
}

/* The rows to look at in a word of the mask, where the first ones may be done with. */
static uint64_t rows_left(const struct query *q, const uint64_t *mask, unsigned word)
{
    uint64_t rows = mask[word] & q->eval.test.valid[word];
    uint32_t row = q->eval.test.row;
    return word == row / 64 ? rows & UINT64_MAX << row % 64 : rows;
}

/* Bits of `mask` whose code matches. */
static int run_codes(struct query *q, const struct query_source *s, struct query_test *test,
                     const uint64_t *mask)
{
    uint64_t *matches = q->eval.test.matches;
    for (unsigned w = q->eval.test.row / 64; w < QUERY_WORDS; w++) {
        uint64_t left = rows_left(q, mask, w), found = matches[w];
        for (; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzl(left);
            uint32_t code = q->codes[w * 64 + bit];
            int error = test->verdicts[code] ? 0 : find_verdict(q, s, test, code);
            if (error) {
                matches[w] = found;
                q->eval.test.row = w * 64 + bit;
                return error;
            }
            found |= (uint64_t)(test->verdicts[code] == 2) << bit;
        }
        matches[w] = found;
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

/* Numbers that are one of many, and texts, in rows of `mask`. */
static int match_rows(struct query *q, struct query_test *test, const struct query_vector *v,
                      const uint64_t *mask)
{
    enum query_kind kind = key_kind(test);
    uint64_t *matches = q->eval.test.matches;
    for (unsigned w = q->eval.test.row / 64; w < QUERY_WORDS; w++) {
        uint64_t left = rows_left(q, mask, w);
        for (; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzl(left), i = w * 64 + bit;
            int match;
            if (test->form == TEST_SET) {
                uint64_t key = key_of_lane(kind, v->u[i]);
                match = any_key_within(test, key, key);
            } else {
                match = text_matches(q, test, v->t[i]);
                if (match < 0) return match;
                q->eval.test.row = i + (match != QUERY_BUSY);
                if (match == QUERY_BUSY) return match;
            }
            matches[w] |= (uint64_t)match << bit;
            if (q->work >= q->work_max && test->form != TEST_SET && i + 1 < QUERY_ROWS_VECTOR)
                return QUERY_BUSY;
        }
    }
    return 0;
}

#define WORK_RANGE 512
#define WORK_KEYS 32 /* looking for one among the keys */

static int run_values(struct query *q, struct query_test *test, const struct query_vector *v,
                      const uint64_t *mask)
{
    if (test->form == TEST_RANGE) {
        select_range(test, v, q->eval.test.matches);
        query_work(q, WORK_RANGE);
        return 0;
    }
    if (test->form == TEST_SET) query_work(q, bitmap_count(mask) * WORK_KEYS);
    return match_rows(q, test, v, mask);
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

/* Reads what the test looks at. *codes: of a dictionary. */
static int read_for_test(struct query *q, const struct query_source *s, struct query_test *test,
                         bool *codes)
{
    uint32_t count = 0;
    bool symbol = test->class == TABLE_CLASS_SYMBOL;
    *codes = false;
    query_work(q, WORK_RANGE);
    if (s->form != SOURCE_VECTOR) {
        query_work(q, s->form == SOURCE_ADDRESSES ? (uint64_t)s->rows * WORK_RANGE / 8 : 0);
        if (symbol && test->form == TEST_RANGE) query_load_codes(q, s, test->column, &q->scratch);
        else query_load(q, s, test->column, &q->scratch);
        return 0;
    }
    if (kind_is_text(test->kind))
        count = symbol ? table_symbol_count(q->table, test->column)
                       : table_chunk_dictionary(q->version, s->chunk, test->column);
    if (!count) {
        query_load_codes(q, s, test->column, &q->scratch);
        return 0;
    }
    int error = verdicts_open(q, test, count, symbol ? 0 : s->chunk);
    if (error) return error;
    *codes = true;
    uint32_t rows = table_read_codes(q->version, s->chunk, test->column, s->vector, q->codes,
                                     q->eval.test.valid);
    q->stats.bytes_decoded += rows * sizeof(uint64_t);
    return 0;
}

/* By codes or on values, on from where it stopped. */
static int run_rows(struct query *q, const struct query_source *s, struct query_test *test,
                    const uint64_t *mask, uint64_t *truth)
{
    if (!q->eval.test.open) {
        int error = read_for_test(q, s, test, &q->eval.test.codes);
        if (error) return error;
        if (!q->eval.test.codes) bits_copy(q->eval.test.valid, q->scratch.valid);
        bits_clear(q->eval.test.matches);
        q->eval.test.row = 0;
    }
    q->eval.test.open = false;
    int error = q->eval.test.codes ? run_codes(q, s, test, mask)
                                   : run_values(q, test, &q->scratch, mask);
    q->eval.test.open = error == QUERY_BUSY;
    if (!error) apply(test, mask, q->eval.test.matches, q->eval.test.valid, truth);
    return error;
}

static void select_in_vector(struct query *q, const struct query_source *s,
                             const struct query_test *test, const uint64_t *mask, uint64_t *truth)
{
    uint64_t matches[QUERY_WORDS], valid[QUERY_WORDS];
    query_work(q, WORK_RANGE);
    table_select_range(q->version, s->chunk, test->column, s->vector, &test->range, matches);
    if (test->negate) table_vector_valid(q->version, s->chunk, test->column, s->vector, valid);
    else memset(valid, 0xff, sizeof valid); /* what is null is not selected */
    apply(test, mask, matches, valid, truth);
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
        query_work(q, WORK_RANGE);
        read_valid(q, s, test, valid);
        for (unsigned i = 0; i < QUERY_WORDS; i++)
            truth[i] = mask[i] &
                       (test->form == TEST_NULL && !test->negate ? ~valid[i] : valid[i]);
        return 0;
    default: break;
    }
    if (s->form == SOURCE_VECTOR && test->form == TEST_RANGE) {
        select_in_vector(q, s, test, mask, truth);
        return 0;
    }
    return run_rows(q, s, test, mask, truth);
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
    /* A range in an array is selected sooner than its least and greatest are found. */
    if (vector != QUERY_NONE && test->form == TEST_RANGE &&
        table_vector_encoding(q->version, chunk, test->column, vector) == TABLE_ENCODING_PLAIN)
        return ZONE_SOME;
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

/* A zone map that is there, and one that is made by a look at the rows of a plain column. */
#define WORK_ZONE 64
#define WORK_ZONE_PLAIN 4096

static uint64_t zone_work(const struct query *q, const struct query_test *test, uint32_t chunk,
                          uint32_t vector)
{
    if (test->form == TEST_UNKNOWN || test->form == TEST_ALWAYS) return WORK_ZONE;
    uint32_t any = vector == QUERY_NONE ? 0 : vector;
    bool plain = table_vector_encoding(q->version, chunk, test->column, any) ==
                 TABLE_ENCODING_PLAIN;
    return plain ? WORK_ZONE_PLAIN : WORK_ZONE;
}

static void zone_combine(struct query_zones *z, enum query_zone zone)
{
    uint8_t *here = &z->zones[z->depth];
    if (z->ops[z->depth] == OP_AND ? zone < *here : zone > *here) *here = (uint8_t)zone;
}

/* Looks at the zone maps of one instruction after the other, until the end: 0. With `bounded` until
 * enough work is done: QUERY_BUSY. */
static int zones_run(struct query *q, struct query_zones *z, uint32_t chunk, uint32_t vector,
                     bool count, bool bounded)
{
    if (!z->open) {
        z->zones[0] = ZONE_ALL;
        z->ops[0] = OP_AND;
        z->depth = 0;
        z->at = q->where.start;
    }
    z->open = false;
    for (; z->at < q->where.end; z->at++) {
        const struct query_instr *in = &q->code[z->at];
        if (in->op == OP_AND || in->op == OP_OR) {
            z->ops[++z->depth] = in->op;
            z->zones[z->depth] = in->op == OP_AND ? ZONE_ALL : ZONE_NONE;
        } else if (in->op == OP_TEST) {
            struct query_test *test = &q->tests[in->index];
            enum query_zone zone = zone_of_test(q, test, chunk, vector);
            if (count && zone == ZONE_NONE)
                (*(vector == QUERY_NONE ? &test->chunks_skipped : &test->vectors_skipped))++;
            zone_combine(z, zone);
            if (bounded && q->where.end - q->where.start > 1 &&
                query_work(q, zone_work(q, test, chunk, vector))) {
                z->at++;
                z->open = true;
                return QUERY_BUSY;
            }
        } else if (in->op == OP_END) {
            enum query_zone zone = z->zones[z->depth--];
            zone_combine(z, zone);
        } else { /* OP_CMP: not known */
            z->at = in->jump;
            zone_combine(z, ZONE_SOME);
        }
    }
    return 0;
}

enum query_zone query_zone_of(struct query *q, uint32_t chunk, uint32_t vector, bool count)
{
    struct query_zones z;
    z.open = false;
    if (!q->has_where) return ZONE_ALL;
    int done = zones_run(q, &z, chunk, vector, count, false);
    assert(done == 0);
    return z.zones[0];
}

int query_zone_step(struct query *q, uint32_t chunk, uint32_t vector, enum query_zone *zone)
{
    *zone = ZONE_ALL;
    if (!q->has_where) return 0;
    int busy = zones_run(q, &q->zones, chunk, vector, false, true);
    *zone = q->zones.zones[0];
    return busy;
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
