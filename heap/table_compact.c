/* table_compact.c - closing up chunks in which rows are deleted, and merging overlays, in steps.
 *
 * A group of neighbouring chunks whose live rows fit into one is copied, column by column and
 * vector by vector, into a new chunk of plain columns, which then takes the group's place and is
 * sealed in its turn. The compactor holds references to the group's chunks: whoever changes one
 * meanwhile gets a copy, so that a change shows at the end; then the work is thrown away and
 * begun again.
 *
 * Chunks of which nothing is left are dropped where they are, all of them before anything is
 * copied, and without any memory, unless a version that somebody reads shares the way to them.
 *
 * An overlay is merged likewise: one column of one chunk is copied as it reads, and then takes the
 * column's place.
 *
 * Where a cell changes all the time, such work would be thrown away for ever. So after it was once,
 * it is not begun again for LOST_REST_NS, but for overlays of columns that are no texts: these are
 * merged in one go then, which takes about a millisecond at most. */
#include "heap/table_int.h"

#define GROUP_MAX 64
/* An overlay with fewer cells waits for more. */
#define OVERLAY_MERGE_CELLS 64
#define LOST_REST_NS UINT64_C(10000000000)
/* What is copied of texts between two looks at the clock, besides one text. */
#define TEXT_STEP_BYTES ((size_t)128 << 10)

struct compactor {
    uint32_t first, count;          /* chunks of the group */
    struct chunk *sources[GROUP_MAX]; /* references */
    uint32_t slots[GROUP_MAX];
    uint32_t live;                  /* rows of the result */
    struct chunk *out;              /* NULL if nothing is left */
    uint32_t column, source, vector, row; /* where to go on; row: of those to copy of the vector */
    uint32_t filled;                /* rows of the column that are copied */
    bool merge;                     /* of one chunk only the column, with its overlay: */
    struct plain_column *merged;
};

/* --- what is worth it --------------------------------------------------------------------------*/

static uint32_t deleted_in(const struct table_version *v, uint32_t chunk)
{
    const struct deletions *d = version_chunk(v, chunk)->deletions;
    return d ? d->count : 0;
}

static bool wants_closing(const struct table_version *v, uint32_t chunk, bool all)
{
    uint32_t deleted = deleted_in(v, chunk);
    return deleted && (all || deleted * 4 >= version_slots(v, chunk));
}

static bool is_small(const struct table_version *v, uint32_t chunk)
{
    return version_slots(v, chunk) - deleted_in(v, chunk) < TABLE_CHUNK_ROWS / 2;
}

static bool begins_group(const struct table_version *v, uint32_t chunk, bool all)
{
    if (wants_closing(v, chunk, all)) return true;
    return chunk + 1 < v->chunk_count && is_small(v, chunk) && is_small(v, chunk + 1);
}

/* Whether the last copy was thrown away, not long ago. */
static bool rests(const struct table *t)
{
    return t->copy_lost_ns && clock_ns() - t->copy_lost_ns < LOST_REST_NS;
}

/* The first group of chunks to close up. Returns its size; 0: none. */
static uint32_t find_group(const struct table *t, bool all, uint32_t *first)
{
    const struct table_version *v = t->current;
    if (!all && rests(t)) return 0;
    for (*first = 0; *first < v->chunk_count; ++*first) {
        if (!begins_group(v, *first, all)) continue;
        uint32_t count = 0, live = 0;
        for (uint32_t i = *first; i < v->chunk_count && count < GROUP_MAX; i++, count++) {
            uint32_t here = version_slots(v, i) - deleted_in(v, i);
            if (count && (live + here > TABLE_CHUNK_ROWS ||
                          !(wants_closing(v, i, all) || is_small(v, i))))
                break;
            live += here;
        }
        return count;
    }
    return 0;
}

/* Work that needs no memory: so a full heap gets room by it. */
bool table_drop_pending(const struct table *t)
{
    if (t->draft || t->altered || t->hidden) return false;
    return version_first_empty(t->current) != UINT32_MAX;
}

static bool find_overlay(const struct table *t, bool all, uint32_t *chunk, uint32_t *column)
{
    const struct table_version *v = t->current;
    bool texts = all || !rests(t);
    for (*chunk = 0; *chunk < v->chunk_count; ++*chunk)
        for (*column = 0; *column < t->column_count; ++*column) {
            const struct overlay *o = version_chunk(v, *chunk)->columns[*column].overlay;
            bool large = o && o->arena && o->arena->bytes > DEAD_TEXT_BYTES;
            if (o && (all || large || o->count >= OVERLAY_MERGE_CELLS) &&
                (texts || !field_is_text(&t->fields[*column])))
                return true;
        }
    return false;
}

bool table_compact_pending(const struct table *t, bool all)
{
    uint32_t a, b;
    if (t->draft || t->altered || t->hidden) return false;
    return t->compactor || find_group(t, all, &a) || find_overlay(t, all, &a, &b);
}

/* --- copying -----------------------------------------------------------------------------------*/

void compactor_close(struct table *t)
{
    struct compactor *x = t->compactor;
    if (!x) return;
    t->compactor = NULL;
    for (uint32_t i = 0; i < x->count; i++) chunk_unref(t, x->sources[i]);
    if (x->out) chunk_unref(t, x->out);
    if (x->merged) column_unref(t, &x->merged->head);
    external_free(&t->external, x, sizeof *x);
}

static int merge_open(struct table *t, uint32_t chunk, uint32_t column)
{
    struct compactor *x = external_alloc(&t->external, sizeof *x);
    uint32_t slots = version_slots(t->current, chunk);
    if (!x) return -ENOMEM;
    *x = (struct compactor){.first = chunk, .count = 1, .column = column, .merge = true,
                            .live = slots, .slots = {slots}};
    x->sources[0] = version_chunk(t->current, chunk);
    x->sources[0]->refs++;
    t->compactor = x;
    x->merged = plain_column_new(t, column, slots);
    if (x->merged) return 0;
    compactor_close(t);
    return -ENOMEM;
}

static int compactor_open(struct table *t, uint32_t first, uint32_t count)
{
    const struct table_version *v = t->current;
    struct compactor *x = external_alloc(&t->external, sizeof *x);
    if (!x) return -ENOMEM;
    *x = (struct compactor){.first = first, .count = count};
    for (uint32_t i = 0; i < count; i++) {
        x->sources[i] = version_chunk(v, first + i);
        x->sources[i]->refs++;
        x->slots[i] = version_slots(v, first + i);
        x->live += x->slots[i] - deleted_in(v, first + i);
    }
    t->compactor = x;
    if (x->live == 0 || (x->out = chunk_new(t))) return 0;
    compactor_close(t);
    return -ENOMEM;
}

static void live_rows(const struct compactor *x, uint64_t *live)
{
    const struct deletions *d = x->sources[x->source]->deletions;
    bitmap_first(live, vector_rows(x->slots[x->source], x->vector));
    if (x->merge) return; /* slots stay where they are */
    for (uint32_t i = 0; d && i < TABLE_VECTOR_WORDS; i++)
        live[i] &= ~d->bits[x->vector * TABLE_VECTOR_WORDS + i];
}

static int copy_row(struct table *t, struct plain_column *p, const struct table_field *f,
                    uint32_t slot, bool null, uint64_t lane, struct table_text text)
{
    if (field_is_text(f) && !null) {
        text.data = arena_add(t, &p->arena, text.data, text.length);
        if (!text.data) return -ENOMEM;
        p->text_bytes += text.length;
    }
    plain_store(p, f, slot, null, lane, text);
    return 0;
}

/* What is left of a vector, or a part of it if texts are long: then x->row is not 0. */
static int copy_vector(struct table *t, struct compactor *x, struct plain_column *p)
{
    union {
        uint64_t lanes[TABLE_VECTOR_ROWS];
        struct table_text texts[TABLE_VECTOR_ROWS];
    } u;
    uint64_t live[TABLE_VECTOR_WORDS], valid[TABLE_VECTOR_WORDS];
    uint16_t rows[TABLE_VECTOR_ROWS];
    const struct chunk_column *from = &x->sources[x->source]->columns[x->column];
    const struct table_field *f = &t->fields[x->column];
    struct column_view view = {t, f, from->column, from->overlay, x->slots[x->source]};
    bool texts = field_is_text(f);
    if (texts)
        view_texts(&view, x->vector, u.texts);
    else
        view_lanes(&view, x->vector, u.lanes);
    view_valid(&view, x->vector, valid);
    live_rows(x, live);
    size_t count = table_kernels()->positions(live, rows), bytes = 0;
    for (size_t i = x->row; i < count; i++) {
        if (bytes >= TEXT_STEP_BYTES) {
            x->row = (uint32_t)i;
            return 0;
        }
        bool null = !bit_get(valid, rows[i]);
        struct table_text text = texts && !null ? u.texts[rows[i]] : (struct table_text){NULL, 0};
        uint64_t lane = texts || null ? 0 : u.lanes[rows[i]];
        if (copy_row(t, p, f, x->filled + (uint32_t)i, null, lane, text) != 0) {
            x->row = (uint32_t)i;
            return -ENOMEM;
        }
        bytes += text.length;
    }
    x->row = 0;
    x->filled += (uint32_t)count;
    return 0;
}

/* --- putting in place --------------------------------------------------------------------------*/

static bool unchanged(const struct table *t, const struct compactor *x)
{
    const struct table_version *v = t->current;
    if (x->first + x->count > v->chunk_count) return false;
    for (uint32_t i = 0; i < x->count; i++)
        if (version_chunk(v, x->first + i) != x->sources[i] ||
            version_slots(v, x->first + i) != x->slots[i])
            return false;
    return true;
}

/* From `first` on, chunks are other ones than before. `closed`: the last one took no more rows. */
static void chunks_have_moved(struct table *t, uint32_t first, bool closed)
{
    if (closed) table_close_tail(t); /* as it was, with fewer chunks */
    if (first < t->sealed_below) t->sealed_below = first;
    index_look_from(t, first);
    sealer_close(t); /* its chunk may be another one now */
}

static bool tail_is_closed(const struct table *t)
{
    return t->closed_count == t->current->chunk_count;
}

static int finish(struct table *t, struct compactor *x)
{
    if (unchanged(t, x) || planted(42)) {
        bool closed = tail_is_closed(t);
        if (x->out) x->out->slots = x->live;
        if (version_replace_take(t, x->first, x->count, x->out) != 0) return -ENOMEM;
        x->out = NULL;
        chunks_have_moved(t, x->first, closed);
        t->copy_lost_ns = 0;
    } else {
        t->copy_lost_ns = clock_ns();
    }
    compactor_close(t);
    return 0;
}

bool table_drop_step(struct table *t, uint64_t budget_ns)
{
    if (!table_drop_pending(t)) return false;
    uint32_t first = version_first_empty(t->current);
    bool closed = tail_is_closed(t);
    compactor_close(t); /* it may hold one of them, and counts from the first */
    version_drop_empty(t, first, clock_ns() + budget_ns);
    chunks_have_moved(t, first, closed);
    return true;
}

static int finish_merge(struct table *t, struct compactor *x)
{
    struct chunk *c = NULL;
    bool same = unchanged(t, x);
    t->copy_lost_ns = same ? 0 : clock_ns();
    if (same) {
        x->count = 0; /* for the chunk to be ours, unless others hold it */
        chunk_unref(t, x->sources[0]);
        c = chunk_writable(t, x->first);
    }
    if (c) {
        struct chunk_column *place = &c->columns[x->column];
        column_unref(t, place->column);
        overlay_unref(t, place->overlay);
        *place = (struct chunk_column){.column = &x->merged->head};
        x->merged = NULL;
        if (x->first < t->sealed_below) t->sealed_below = x->first;
    }
    compactor_close(t);
    return same && !c ? -ENOMEM : 0;
}

static void next_vector(struct compactor *x, struct plain_column *p)
{
    if (++x->vector < table_slots_vectors(x->slots[x->source])) return;
    x->vector = 0;
    if (++x->source < x->count) return;
    assert(x->filled == x->live);
    p->written = x->live;
    x->source = 0;
    x->filled = 0;
    x->column++;
}

/* One vector, or a part of it. */
static int merge_unit(struct table *t, struct compactor *x)
{
    if (x->filled == x->live) return finish_merge(t, x);
    int error = copy_vector(t, x, x->merged);
    if (error || x->row) return error;
    x->vector++;
    x->merged->written = x->filled;
    return 0;
}

/* One vector of one column, or a part of it. */
static int compact_unit(struct table *t, struct compactor *x)
{
    if (x->merge) return merge_unit(t, x);
    if (!x->out || x->column == t->column_count) return finish(t, x);
    struct column **place = &x->out->columns[x->column].column;
    if (!*place) {
        struct plain_column *fresh = plain_column_new(t, x->column, x->live);
        if (!fresh) return -ENOMEM;
        *place = &fresh->head;
    }
    struct plain_column *p = (struct plain_column *)*place;
    int error = copy_vector(t, x, p);
    if (!error && !x->row) next_vector(x, p);
    return error;
}

int table_compact_step(struct table *t, bool all, uint64_t budget_ns)
{
    uint64_t begin = clock_ns();
    if (t->draft) return 0;
    do {
        uint32_t first, count, column;
        int error = 0;
        if (!t->compactor && table_drop_step(t, budget_ns)) continue;
        if (t->compactor)
            error = compact_unit(t, t->compactor);
        else if ((count = find_group(t, all, &first)))
            error = compactor_open(t, first, count);
        else if (find_overlay(t, all, &first, &column))
            error = rests(t) && !field_is_text(&t->fields[column])
                        ? table_merge_overlay(t, first, column)
                        : merge_open(t, first, column);
        else
            return 0;
        if (error && !table_drop_step(t, budget_ns)) return error;
    } while (clock_ns() - begin < budget_ns);
    return 1;
}

int table_merge_step(struct table *t, uint32_t chunk, uint32_t column, uint64_t budget_ns)
{
    uint64_t begin = clock_ns();
    do {
        if (t->draft || t->altered || t->hidden) return 0;
        if (!column_wants_merge(t, chunk, column)) return 0;
        /* What is being copied already is ended first. */
        int error = t->compactor ? compact_unit(t, t->compactor) : merge_open(t, chunk, column);
        if (error && !table_drop_step(t, budget_ns)) return error;
    } while (clock_ns() - begin < budget_ns);
    return 1;
}
