/* query_index.c - see query_index.h: what indexes say of a chunk. */
#include "heap/query_index.h"

/* --- ranges of a chunk -------------------------------------------------------------------------*/

static void add_range(struct query_term *term, uint32_t first, uint32_t end)
{
    if (first < end)
        term->ranges[term->range_count++] = (struct table_index_range){first, end, -1};
}

/* Look-ups wait for memory; so that of some chunks ahead is asked for already. */
#define PREFETCH_EARLY 16
#define PREFETCH 8

static void find_range(struct query_index *x, struct query_term *term)
{
    const struct table_index_view *view = &term->view;
    table_index_prefetch(view->version, view->chunk + PREFETCH_EARLY, view->column, &term->low,
                         true);
    table_index_prefetch(view->version, view->chunk + PREFETCH, view->column, &term->low, false);
    if (term->equality) {
        term->ranges[term->range_count++] = table_index_equal(view, &term->low);
        x->probes++;
        return;
    }
    uint32_t valid = table_index_valid(view);
    uint32_t first = term->has_low ? table_index_place(view, &term->low, term->low_after) : 0;
    uint32_t end = term->has_high ? table_index_place(view, &term->high, term->high_after) : valid;
    x->probes += 2;
    if (end < first) end = first;
    if (!term->negate) {
        add_range(term, first, end);
        return;
    }
    add_range(term, 0, first);
    add_range(term, end, valid);
}

static bool is_live(const struct query *q, const struct query_term *term, uint32_t place)
{
    uint32_t slot = table_index_slot(&term->view, place);
    if (table_index_is_changed(&term->view, slot)) return false;
    return planted(44) || !table_is_deleted(q->version, term->view.chunk, slot);
}

/* The chunk's own best `top` rows, and all that equal the last of them. */
static void find_best(const struct query *q, struct query_term *term, uint64_t top)
{
    const struct table_index_view *view = &term->view;
    uint32_t valid = table_index_valid(view), count = table_index_count(view);
    uint64_t found = 0;
    bool descending = q->descending[0];
    for (uint32_t i = 0; i < valid; i++) {
        uint32_t place = descending ? valid - 1 - i : i;
        found += is_live(q, term, place);
        if (found < top) continue;
        if (descending) add_range(term, table_index_first_equal(view, place), valid);
        else add_range(term, 0, table_index_after_equals(view, place));
        return;
    }
    add_range(term, 0, count);
}

/* Rows that can still get in among the best. Rows come in the table's order, so that one that
 * equals the worst in its only key comes too late. False if that is not known. */
static bool find_order(struct query_index *x, const struct query *q, struct query_term *term)
{
    const struct table_index_view *view = &term->view;
    const struct query_sorter *s = q->sorter;
    struct table_text text;
    uint64_t lane;
    bool null, equal = q->order_count > 1, descending = q->descending[0];
    uint32_t vectors = table_slots_vectors(table_chunk_slots(q->version, q->chunk));
    x->probes += 2;
    if (!q->has_where && s->top <= (uint64_t)x->rows_per_vector * vectors) {
        find_best(q, term, s->top);
        x->probes += (uint32_t)s->top / 8;
        if (!sorter_worst(s, &lane, &text, &null)) return true;
    } else if (!sorter_worst(s, &lane, &text, &null)) {
        return false;
    }
    uint32_t valid = table_index_valid(view), first = 0, end = valid;
    if (null) {
        if (equal) end = table_index_count(view);
    } else {
        enum table_class class = table_type_class(table_field(q->table, term->column)->type);
        struct table_index_key key = text.data ? table_index_text_key(text)
                                               : query_index_number(class, lane);
        uint32_t place = table_index_place(view, &key, descending != equal);
        if (descending) first = place;
        else end = place;
    }
    /* Both hold: the best of the chunk, and what can get in. */
    if (term->range_count) {
        struct table_index_range *r = &term->ranges[0];
        if (first > r->first) r->first = first;
        if (end < r->end) r->end = end;
        if (r->first >= r->end) term->range_count = 0;
    } else {
        add_range(term, first, end);
    }
    return true;
}

static void find_ranges(struct query *q, struct query_term *term)
{
    struct query_index *x = q->index;
    term->range_count = 0;
    switch (term->form) {
    case TERM_RANGE: find_range(x, term); break;
    case TERM_KEYS:
        for (uint32_t i = 0; i < term->key_count; i++)
            term->ranges[term->range_count++] = table_index_equal(&term->view, &term->keys[i]);
        x->probes += term->key_count;
        break;
    case TERM_NULL:
        add_range(term, table_index_valid(&term->view), table_index_count(&term->view));
        break;
    case TERM_VALID: add_range(term, 0, table_index_valid(&term->view)); break;
    case TERM_ORDER: term->found = find_order(x, q, term); break;
    case TERM_UNION: break; /* it has branches instead */
    }
}

/* Counts the rows of the term in the open chunk, if it has the index. */
static void count_listed(struct query *q, struct query_term *term)
{
    term->found = table_index_open(q->version, q->chunk, term->column, &term->view) &&
                  table_index_view_kind(&term->view) == term->kind;
    if (!term->found) return;
    find_ranges(q, term);
    term->rows = table_index_changed(&term->view, NULL);
    for (uint32_t i = 0; i < term->range_count; i++)
        term->rows += table_index_range_count(&term->view, &term->ranges[i], TABLE_CHUNK_ROWS);
    if (!term->found) return;
    term->candidates += term->rows;
    term->chunks_found++;
}

/* The rows of a union are at most those of all branches. */
static void count_rows(struct query *q, struct query_term *term)
{
    if (term->form != TERM_UNION) {
        count_listed(q, term);
        return;
    }
    uint64_t rows = 0;
    term->found = true;
    for (uint32_t i = 0; i < term->branch_count && term->found; i++) {
        count_listed(q, &term->branches[i]);
        term->found = term->branches[i].found;
        rows += term->branches[i].rows;
    }
    term->rows = rows < TABLE_CHUNK_ROWS ? (uint32_t)rows : TABLE_CHUNK_ROWS;
}

static void count_skipped(struct query_term *term)
{
    term->chunks_skipped++;
    for (uint32_t i = 0; i < term->branch_count; i++) term->branches[i].chunks_skipped++;
}

/* --- candidates --------------------------------------------------------------------------------*/

static void mark_listed(struct query_term *term, uint64_t *slots)
{
    for (uint32_t i = 0; i < term->range_count; i++)
        table_index_mark(&term->view, &term->ranges[i], slots);
    table_index_changed(&term->view, slots);
    term->chunks_used++;
}

static void mark_term(struct query_term *term, uint64_t *slots, uint32_t words)
{
    memset(slots, 0, words * sizeof *slots);
    if (term->form != TERM_UNION) mark_listed(term, slots);
    for (uint32_t i = 0; i < term->branch_count; i++) mark_listed(&term->branches[i], slots);
}

/* Takes deleted rows off, and finds out which vectors are left. Returns the candidates. */
static uint64_t settle_candidates(struct query *q, uint32_t vectors)
{
    struct query_index *x = q->index;
    bool deletions = table_chunk_deleted(q->version, q->chunk) != 0;
    uint64_t rows = 0;
    x->vectors = 0;
    for (uint32_t i = 0; i < vectors; i++) {
        uint64_t *bits = x->candidates + i * QUERY_WORDS, live[QUERY_WORDS];
        if (!bits_any(bits)) continue;
        if (deletions) {
            table_vector_live(q->version, q->chunk, i, live);
            bits_and(bits, live);
        }
        uint64_t here = bitmap_count(bits);
        rows += here;
        x->vectors |= (uint64_t)(here != 0) << i;
    }
    return rows;
}

/* The first row from one end that is neither deleted nor changed. */
static void mark_extreme(const struct query *q, struct query_term *term, bool greatest,
                         uint64_t *slots)
{
    uint32_t valid = table_index_valid(&term->view);
    for (uint32_t i = 0; i < valid; i++) {
        uint32_t place = greatest ? valid - 1 - i : i;
        if (!is_live(q, term, place)) continue;
        bits_set(slots, table_index_slot(&term->view, place));
        return;
    }
}

static bool mark_extremes(struct query *q, uint32_t words)
{
    struct query_index *x = q->index;
    memset(x->candidates, 0, words * sizeof *x->candidates);
    for (uint32_t i = 0; i < q->agg->aggregate_count; i++) {
        const struct query_aggregate *a = &q->agg->aggregates[i];
        struct query_term term = {.column = a->code.column};
        if (!table_index_open(q->version, q->chunk, term.column, &term.view) ||
            table_index_view_kind(&term.view) != TABLE_INDEX_SORTED)
            return false;
        mark_extreme(q, &term, a->function == AGG_MAX, x->candidates);
        table_index_changed(&term.view, x->candidates);
        x->probes += 2;
    }
    return true;
}

/* --- the decision ------------------------------------------------------------------------------*/

#define WORTH_CODE_MAX 64 /* instructions whose zone maps are looked at for each vector */

/* The most candidates that are worth it; see the header. */
static uint32_t rows_worth(struct query *q, uint32_t vectors, uint32_t rows)
{
    uint32_t left = vectors;
    if (rows > vectors && q->has_where && q->where.end - q->where.start <= WORTH_CODE_MAX) {
        left = 0;
        for (uint32_t i = 0; i < vectors; i++)
            left += query_zone_of(q, q->chunk, i, false) != ZONE_NONE;
        q->index->probes += vectors / 8;
    }
    return left * q->index->rows_per_vector;
}

static bool mark_terms(struct query *q, uint32_t vectors)
{
    struct query_index *x = q->index;
    uint32_t words = vectors * QUERY_WORDS, least = UINT32_MAX;
    for (uint32_t i = 0; i < x->term_count; i++)
        if (x->terms[i].found && x->terms[i].rows < least) least = x->terms[i].rows;
    if (least == UINT32_MAX) return false;
    uint32_t worth = rows_worth(q, vectors, least);
    if (least > worth) return false;
    bool any = false;
    for (uint32_t i = 0; i < x->term_count; i++) {
        struct query_term *term = &x->terms[i];
        if (!term->found || term->rows > worth) continue;
        mark_term(term, any ? x->other : x->candidates, words);
        for (uint32_t w = 0; any && w < words; w++) x->candidates[w] &= x->other[w];
        any = true;
    }
    return true;
}

enum index_use query_index_enter(struct query *q)
{
    struct query_index *x = q->index;
    uint32_t vectors = table_slots_vectors(table_chunk_slots(q->version, q->chunk));
    x->active = false;
    for (uint32_t i = 0; i < x->term_count; i++) {
        struct query_term *term = &x->terms[i];
        count_rows(q, term);
        if (!term->found || term->rows) continue;
        count_skipped(term);
        x->chunks_skipped++;
        return INDEX_NOTHING;
    }
    bool use = x->extremes ? mark_extremes(q, vectors * QUERY_WORDS) : mark_terms(q, vectors);
    if (!use) return INDEX_SCAN;
    uint64_t rows = settle_candidates(q, vectors);
    x->rows += rows;
    if (!rows) {
        x->chunks_skipped++;
        return INDEX_NOTHING;
    }
    x->chunks_used++;
    x->active = true;
    return INDEX_CANDIDATES;
}

uint32_t query_index_next_vector(const struct query_index *x, uint32_t vector)
{
    uint64_t left = vector < 64 ? x->vectors >> vector << vector : 0;
    return left ? (uint32_t)__builtin_ctzl(left) : QUERY_NONE;
}

/* --- rows one by one ---------------------------------------------------------------------------*/

/* Takes candidates of the open chunk, in order, until `most` are there. */
static uint32_t take_candidates(struct query *q, uint32_t count, uint32_t most)
{
    struct query_index *x = q->index;
    uint32_t vector;
    while ((vector = query_index_next_vector(x, 0)) != QUERY_NONE) {
        uint64_t *bits = x->candidates + vector * QUERY_WORDS;
        for (unsigned w = 0; w < QUERY_WORDS; w++)
            for (; bits[w]; bits[w] &= bits[w] - 1) {
                if (count == most) return count;
                uint32_t slot = vector * QUERY_ROWS_VECTOR + w * 64 +
                                (uint32_t)__builtin_ctzl(bits[w]);
                x->addresses[count++] = address_make(q->chunk, slot);
            }
        x->vectors &= x->vectors - 1;
    }
    query_chunk_leave(q);
    return count;
}

#define GATHER_CHUNKS_MAX 64
#define GATHER_PROBES_MAX 1024

/* Candidates to look at, up to `limit`. If there is none yet, *end: nor will there be. */
static uint32_t gather(struct query *q, uint32_t limit, bool *end)
{
    struct query_index *x = q->index;
    uint32_t count = 0;
    bool otherwise = false;
    x->probes = 0;
    for (unsigned i = 0; i < GATHER_CHUNKS_MAX && x->probes < GATHER_PROBES_MAX; i++) {
        if (i && q->work >= q->work_max) break;
        if (count == limit || q->chunk == table_version_chunks(q->version)) break;
        if (!query_chunk_open(q)) continue;
        otherwise = !x->active;
        if (otherwise) break;
        count = take_candidates(q, count, limit);
    }
    *end = otherwise || q->chunk == table_version_chunks(q->version);
    return count;
}

int query_index_gather(struct query *q, uint64_t most, struct query_source *s, uint64_t *mask)
{
    struct query_index *x = q->index;
    uint32_t count = x->gathered, limit = query_piece_rows(q->column_count + q->test_count);
    bool end = false;
    if (most < limit) limit = (uint32_t)most;
    if (count == 0) count = gather(q, limit, &end);
    if (count == 0) return end ? QUERY_END : QUERY_BUSY;
    *s = (struct query_source){.form = SOURCE_ADDRESSES, .addresses = x->addresses, .rows = count};
    bitmap_first(mask, count);
    if (q->has_where) {
        int error = query_run_predicate(q, s, &q->where, mask, mask);
        x->gathered = error == QUERY_BUSY ? count : 0;
        if (error) return error;
    }
    uint64_t matched = bitmap_count(mask);
    q->stats.rows_matched += matched;
    return matched ? QUERY_ROWS : QUERY_BUSY;
}
