/* table_index_build.c - indexes are built, and freed again, in steps between events.
 *
 *   LOAD     the keys of a sealed column, vector by vector; hash: their hashes, and how many there
 *            are of each bucket
 *   SORT     sorted: runs of 32 by insertion, then merged two by two
 *   LAYOUT   one block of exactly the size it takes
 *   WRITE    rows in their order; hash: each to its bucket
 *   ATTACH   the block is hung at the column, if that is still in use and still to have it
 *
 * A unit of work is a vector or INDEX_UNIT_ROWS entries, some tens of microseconds. The indexer
 * holds a reference to the column, which never changes; when that is replaced meanwhile, its
 * successor is found later as any chunk without an index is. t->indexed_below says from where to
 * look: what is sealed anew, compacted or restored sets it back. */
#include "heap/table_index_int.h"

#define INDEX_UNIT_ROWS 4096u
#define RUN_ROWS 32u

enum index_phase { INDEX_LOAD, INDEX_SORT, INDEX_LAYOUT, INDEX_WRITE, INDEX_ATTACH, INDEX_DONE };

/* An entry is a key and a slot. */
struct entries {
    uint64_t keys[TABLE_CHUNK_ROWS];
    uint16_t slots[TABLE_CHUNK_ROWS];
};

struct indexer {
    struct sealed_column *source;  /* a reference */
    uint32_t column;
    enum table_index_kind kind;
    enum index_phase phase;
    uint32_t next;                 /* vector or entry */
    uint32_t valid, nulls;         /* loaded so far; nulls go to null_slots */
    bool texts;
    bool ascending;                /* so far, and no null before a value */
    unsigned bucket_bits;
    struct column_index *out;      /* from LAYOUT on */
    struct entries *from, *to;     /* both until SORT is over */
    struct table_text *by_slot;    /* texts: of each slot */
    struct {                       /* SORT: the merge under way */
        uint32_t width;            /* of the runs; 0: they are not made yet */
        uint32_t left, right;      /* the next ones of the pair */
    } merge;
    uint16_t null_slots[TABLE_CHUNK_ROWS];
};

/* --- keys --------------------------------------------------------------------------------------*/

static bool entry_above(const struct indexer *x, uint64_t key, uint16_t slot, uint64_t other,
                        uint16_t other_slot)
{
    if (key != other || !x->texts) return key > other;
    return text_order(x->by_slot[slot], x->by_slot[other_slot]) > 0;
}

static void add_entry(const struct table *t, struct indexer *x, uint32_t slot, uint64_t key,
                      struct table_text text)
{
    if (x->texts) x->by_slot[slot] = text;
    if (x->kind == TABLE_INDEX_HASH) {
        struct table_index_key k = {.key = key, .text = text};
        key = table_index_hash(t, &k);
    } else if (x->nulls || (x->valid && entry_above(x, x->from->keys[x->valid - 1],
                                                    x->from->slots[x->valid - 1], key,
                                                    (uint16_t)slot))) {
        x->ascending = false;
    }
    x->from->keys[x->valid] = key;
    x->from->slots[x->valid++] = (uint16_t)slot;
}

/* The texts of a vector, of a str, bin or sym column; NULL data where null. The lane of a null is
 * no code: there may be no symbol at all. */
static void load_texts(const struct table *t, const struct indexer *x, uint32_t vector,
                       const uint64_t *lanes, struct table_text *texts, uint32_t rows)
{
    const struct sealed_column *s = x->source;
    const uint64_t *valid = sealed_validity(s);
    const struct table_field *f = &t->fields[x->column];
    const char *bytes = (const char *)sealed_at(s, s->texts);
    uint64_t begin = 0;
    if (f->type != TABLE_SYM && !s->has_dictionary && vector)
        begin = sealed_lane(s, f, vector * TABLE_VECTOR_ROWS - 1);
    for (uint32_t i = 0; i < rows; i++) {
        bool null = valid && !bit_get(valid, vector * TABLE_VECTOR_ROWS + i);
        if (null) texts[i] = (struct table_text){NULL, 0};
        else if (f->type == TABLE_SYM) texts[i] = table_symbol(t, x->column, (uint32_t)lanes[i]);
        else if (s->has_dictionary) texts[i] = sealed_entry(s, (uint32_t)lanes[i]);
        else texts[i] = (struct table_text){bytes + begin, lanes[i] - begin};
        begin = lanes[i];
    }
}

static enum index_phase index_load(const struct table *t, struct indexer *x)
{
    uint64_t lanes[TABLE_VECTOR_ROWS];
    struct table_text texts[TABLE_VECTOR_ROWS];
    const struct table_field *f = &t->fields[x->column];
    const uint64_t *valid = sealed_validity(x->source);
    uint32_t rows = vector_rows(x->source->slots, x->next), base = x->next * TABLE_VECTOR_ROWS;
    sealed_lanes(x->source, f, x->next, lanes);
    if (x->texts) load_texts(t, x, x->next, lanes, texts, rows);
    for (uint32_t i = 0; i < rows; i++) {
        if (valid && !bit_get(valid, base + i)) {
            x->null_slots[x->nulls++] = (uint16_t)(base + i);
            continue;
        }
        if (x->texts) add_entry(t, x, base + i, key_of_text(texts[i]), texts[i]);
        else
            add_entry(t, x, base + i, index_lane_key(f, lanes[i]), (struct table_text){NULL, 0});
    }
    if (++x->next < table_slots_vectors(x->source->slots)) return INDEX_LOAD;
    bool sorts = x->kind == TABLE_INDEX_SORTED && !x->ascending;
    return sorts ? INDEX_SORT : INDEX_LAYOUT;
}

/* --- sort --------------------------------------------------------------------------------------*/

static void sort_run(struct indexer *x, uint32_t first, uint32_t end)
{
    uint64_t *keys = x->from->keys;
    uint16_t *slots = x->from->slots;
    for (uint32_t i = first + 1; i < end; i++) {
        uint64_t key = keys[i];
        uint16_t slot = slots[i];
        uint32_t at = i;
        for (; at > first && entry_above(x, keys[at - 1], slots[at - 1], key, slot); at--) {
            keys[at] = keys[at - 1];
            slots[at] = slots[at - 1];
        }
        keys[at] = key;
        slots[at] = slot;
    }
}

/* Runs of INDEX_UNIT_ROWS entries. Returns whether all are made. */
static bool make_runs(struct indexer *x)
{
    uint32_t end = min_u32(x->next + INDEX_UNIT_ROWS, x->valid);
    for (; x->next < end; x->next += RUN_ROWS)
        sort_run(x, x->next, min_u32(x->next + RUN_ROWS, end));
    return x->next >= x->valid;
}

/* Merges up to INDEX_UNIT_ROWS entries; x->next is where they go. */
static void merge_some(struct indexer *x)
{
    const struct entries *from = x->from;
    uint32_t width = x->merge.width, pair = x->next / (2 * width) * (2 * width);
    uint32_t middle = min_u32(pair + width, x->valid), end = min_u32(pair + 2 * width, x->valid);
    uint32_t left = x->merge.left, right = x->merge.right;
    uint32_t stop = min_u32(x->next + INDEX_UNIT_ROWS, end);
    for (; x->next < stop; x->next++) {
        bool take_right = left == middle ||
                          (right < end && entry_above(x, from->keys[left], from->slots[left],
                                                      from->keys[right], from->slots[right]));
        uint32_t taken = take_right ? right : left;
        x->to->keys[x->next] = from->keys[taken];
        x->to->slots[x->next] = from->slots[taken];
        right += take_right;
        left += !take_right;
    }
    x->merge.left = left;
    x->merge.right = right;
    if (x->next < end) return;
    x->merge.left = end;
    x->merge.right = min_u32(end + width, x->valid);
}

static void begin_pass(struct indexer *x, uint32_t width)
{
    x->next = 0;
    x->merge.width = width;
    x->merge.left = 0;
    x->merge.right = min_u32(width, x->valid);
}

static enum index_phase index_sort(struct indexer *x)
{
    if (!x->merge.width) {
        if (make_runs(x)) begin_pass(x, RUN_ROWS);
    } else {
        merge_some(x);
        if (x->next == x->valid) {
            struct entries *swap = x->from;
            x->from = x->to;
            x->to = swap;
            begin_pass(x, x->merge.width * 2);
        }
    }
    return x->merge.width >= x->valid && x->merge.width ? INDEX_LAYOUT : INDEX_SORT;
}

/* --- write -------------------------------------------------------------------------------------*/

/* The starts of buckets: counts first, then sums. The ends of the buckets, while rows are written,
 * are the next places. */
static void sum_buckets(struct indexer *x)
{
    uint32_t *starts = index_starts(x->out), buckets = (uint32_t)1 << x->bucket_bits, sum = 0;
    memset(starts, 0, ((size_t)buckets + 1) * sizeof *starts);
    for (uint32_t i = 0; i < x->valid; i++)
        starts[index_bucket(x->from->keys[i], x->bucket_bits)]++;
    for (uint32_t b = 0; b <= buckets; b++) {
        uint32_t count = starts[b];
        starts[b] = sum;
        sum += count;
    }
}

static enum index_phase index_layout(struct table *t, struct indexer *x)
{
    uint32_t count = x->source->slots;
    bool identity = x->kind == TABLE_INDEX_SORTED && x->ascending;
    x->bucket_bits = index_bucket_bits(x->valid);
    size_t bytes = index_size(x->kind, count, x->valid, identity, x->bucket_bits);
    x->out = external_alloc(&t->external, bytes);
    if (!x->out) return INDEX_LAYOUT;
    *x->out = (struct column_index){.kind = x->kind, .count = count, .valid = x->valid,
                                    .bucket_bits = (uint8_t)x->bucket_bits, .identity = identity,
                                    .bytes = bytes};
    if (x->kind == TABLE_INDEX_HASH) sum_buckets(x);
    return INDEX_WRITE;
}

static void write_hashes(struct indexer *x, uint32_t end)
{
    uint32_t *starts = index_starts(x->out);
    for (; x->next < end; x->next++) {
        uint64_t hash = x->from->keys[x->next];
        uint32_t place = starts[index_bucket(hash, x->bucket_bits)]++;
        index_slots(x->out)[place] = x->from->slots[x->next];
        index_marks(x->out)[place] = index_mark_of(hash);
    }
    if (end < x->valid) return;
    /* Each start has become the next one's. */
    uint32_t buckets = (uint32_t)1 << x->bucket_bits;
    memmove(starts + 1, starts, buckets * sizeof *starts);
    starts[0] = 0;
}

static void write_order(struct indexer *x, uint32_t end)
{
    const uint64_t *keys = x->from->keys;
    uint64_t *fences = index_fences(x->out);
    for (; x->next < end; x->next++) {
        uint32_t block = x->next / INDEX_FENCE_ROWS;
        if (x->next % INDEX_FENCE_ROWS == 0) {
            fences[block] = keys[x->next];
            fences[block + 1] = keys[min_u32(x->next + INDEX_FENCE_ROWS, x->valid - 1)];
        }
        if (x->next % (INDEX_FENCE_ROWS * INDEX_TOP_FENCES) == 0)
            index_tops(x->out)[block / INDEX_TOP_FENCES] = keys[x->next];
        if (x->out->identity) continue;
        index_slots(x->out)[x->next] = x->from->slots[x->next];
        index_codes(x->out)[x->next] = (uint8_t)index_code(x->out, block, keys[x->next]);
    }
    if (end == x->valid && !x->out->identity && x->nulls)
        memcpy(index_slots(x->out) + x->valid, x->null_slots, x->nulls * sizeof *x->null_slots);
}

static enum index_phase index_write(struct indexer *x)
{
    uint32_t end = min_u32(x->next + INDEX_UNIT_ROWS, x->valid);
    if (x->kind == TABLE_INDEX_HASH) write_hashes(x, end);
    else write_order(x, end);
    return end < x->valid ? INDEX_WRITE : INDEX_ATTACH;
}

static enum index_phase index_attach(struct table *t, struct indexer *x)
{
    bool wanted = x->source->head.refs > 1 && t->index_kinds[x->column] == x->kind;
    if (wanted && !x->source->index) {
        x->source->index = x->out;
        x->out = NULL;
    }
    return INDEX_DONE;
}

/* --- what there is to do -----------------------------------------------------------------------*/

void index_look_from(struct table *t, uint32_t chunk)
{
    if (chunk < t->indexed_below) t->indexed_below = chunk;
}

void table_index_try(struct table *t, uint32_t column, enum table_index_kind kind)
{
    assert(column < t->column_count && kind < TABLE_INDEX_KIND_COUNT);
    if (t->index_kinds[column] == kind) return;
    t->index_kinds[column] = (uint8_t)kind;
    t->index_work = true;
    index_look_from(t, 0);
    if (t->indexer && t->indexer->column == column) indexer_close(t);
}

void table_index_set(struct table *t, uint32_t column, enum table_index_kind kind)
{
    table_index_try(t, column, kind);
    t->index_settled[column] = (uint8_t)kind;
}

void table_index_give_up(struct table *t, uint32_t column)
{
    table_index_try(t, column, (enum table_index_kind)t->index_settled[column]);
}

enum table_index_kind table_index_kind(const struct table *t, uint32_t column)
{
    return (enum table_index_kind)t->index_kinds[column];
}

/* The sealed column at a place, if its index is not the one it is to have. */
static struct sealed_column *unindexed(const struct table *t, uint32_t chunk, uint32_t column)
{
    struct column *c = version_chunk(t->current, chunk)->columns[column].column;
    if (!c->sealed) return NULL;
    struct sealed_column *s = (struct sealed_column *)c;
    enum table_index_kind has = s->index ? s->index->kind : TABLE_INDEX_NONE;
    return has == table_index_kind(t, column) ? NULL : s;
}

static bool any_index(const struct table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->index_kinds[i]) return true;
    return false;
}

/* What one call of it looks at. */
#define LOOKS_MAX 65536u

/* The first chunk and column with something to do; moves t->indexed_below there. NULL if there is
 * none, or (*more) none so far. */
static struct sealed_column *find_unindexed(struct table *t, uint32_t *column, bool *more)
{
    *more = false;
    /* Tables of which one was made from the other share columns: only the newest has its way. */
    if (!t->index_work || t->altered || t->hidden) return NULL;
    for (uint32_t looks = 0; t->indexed_below < t->current->chunk_count; t->indexed_below++) {
        if ((looks += t->column_count) > LOOKS_MAX) {
            *more = true;
            return NULL;
        }
        for (*column = 0; *column < t->column_count; ++*column) {
            struct sealed_column *s = unindexed(t, t->indexed_below, *column);
            if (s) return s;
        }
    }
    if (!any_index(t)) t->index_work = false;
    return NULL;
}

bool table_index_pending(struct table *t)
{
    uint32_t column;
    bool more;
    return t->indexer || find_unindexed(t, &column, &more) || more;
}

/* --- steps -------------------------------------------------------------------------------------*/

void indexer_close(struct table *t)
{
    struct indexer *x = t->indexer;
    if (!x) return;
    t->indexer = NULL;
    size_t texts = x->by_slot ? TABLE_CHUNK_ROWS * sizeof *x->by_slot : 0;
    index_free(t, x->out);
    external_free(&t->external, x->from, sizeof *x->from);
    external_free(&t->external, x->to, sizeof *x->to);
    external_free(&t->external, x->by_slot, texts);
    column_unref(t, &x->source->head);
    external_free(&t->external, x, sizeof *x);
}

static int indexer_open(struct table *t, struct sealed_column *source, uint32_t column)
{
    struct indexer *x = external_alloc(&t->external, sizeof *x);
    if (!x) return -ENOMEM;
    memset(x, 0, sizeof *x);
    x->source = source;
    x->column = column;
    x->kind = table_index_kind(t, column);
    x->ascending = true;
    x->texts = table_type_class(t->fields[column].type) >= TABLE_CLASS_SYMBOL;
    source->head.refs++;
    t->indexer = x;
    x->from = external_alloc(&t->external, sizeof *x->from);
    if (x->kind == TABLE_INDEX_SORTED) x->to = external_alloc(&t->external, sizeof *x->to);
    if (x->texts)
        x->by_slot = external_alloc(&t->external, TABLE_CHUNK_ROWS * sizeof *x->by_slot);
    bool ready = x->from && (x->to || x->kind == TABLE_INDEX_HASH) && (x->by_slot || !x->texts);
    if (ready) return 1;
    indexer_close(t);
    return -ENOMEM;
}

static enum index_phase index_unit(struct table *t, struct indexer *x)
{
    switch (x->phase) {
    case INDEX_LOAD: return index_load(t, x);
    case INDEX_SORT: return index_sort(x);
    case INDEX_LAYOUT: return index_layout(t, x);
    case INDEX_WRITE: return index_write(x);
    case INDEX_ATTACH: return index_attach(t, x);
    case INDEX_DONE: break;
    }
    return INDEX_DONE;
}

/* 1, or -ENOMEM: then the unit is to be done again. */
static int indexer_step(struct table *t)
{
    struct indexer *x = t->indexer;
    enum index_phase phase = index_unit(t, x);
    if (phase == INDEX_LAYOUT && x->phase == INDEX_LAYOUT) return -ENOMEM;
    if (phase != x->phase) x->next = 0;
    x->phase = phase;
    if (phase == INDEX_DONE) indexer_close(t);
    return 1;
}

int table_index_step(struct table *t, uint64_t budget_ns)
{
    uint64_t begin = clock_ns();
    do {
        uint32_t column = 0;
        int state = 1;
        bool more = false;
        struct sealed_column *s = t->indexer ? NULL : find_unindexed(t, &column, &more);
        if (t->indexer) {
            state = indexer_step(t);
        } else if (!s) {
            if (!more) return 0;
        } else if (s->index) { /* of another kind than is wanted, or not wanted any more */
            index_free(t, s->index);
            s->index = NULL;
        } else {
            state = indexer_open(t, s, column);
        }
        if (state < 0) return state;
    } while (clock_ns() - begin < budget_ns);
    return 1;
}
