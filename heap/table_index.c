/* table_index.c - what an index is, and what is asked of it.
 *
 * The problem: to find the few rows with a value without reading a column, at a small part of the
 * memory that a tree of keys would take, under versions that never change, and without work for an
 * append beyond its own chunk.
 *
 * So an index belongs to one sealed column of one chunk, which never changes either. It holds no
 * keys but row numbers, and the cells themselves are the keys: a sealed cell is read in some ten
 * nanoseconds. It hangs at the sealed column, is shared with it by all versions, old ones too, and
 * is freed with it. Appends, changes and deletions do nothing to it:
 *
 *   the tail, and what is not sealed   is scanned
 *   changed cells (the overlay)        are candidates, all of them; whoever uses an index looks at
 *                                      each candidate again
 *   deleted rows                       are candidates that the deletions take off
 *
 * Sorted:  [fences]  the order key of each 32nd place, 8 bytes
 *          [slots]   row numbers in the order of their cells, equal ones by row, nulls last:
 *                    2 bytes a row. A chunk whose cells ascend needs none.
 * Hash:    [starts]  of each bucket, 4 bytes; one bucket for 8 rows
 *          [marks]   8 more bits of each row's hash, 1 byte
 *          [slots]   2 bytes. Nulls are left out.
 *
 * Costs. Memory: sorted 2.25 bytes a row (0.25 where cells ascend), hash 3.5, plus 1.3 MB (texts:
 * 2.3) while a chunk is built. Building: one sort of 65,536 keys a chunk. Asking: sorted about 11
 * steps through fences and 5 reads of cells for each bound and chunk, hash a bucket; so a look-up
 * goes up with the number of chunks that zone maps leave, some hundred nanoseconds (sorted) or some
 * ten (hash) for each 65,536 rows. */
#include "heap/table_index_int.h"

const char *table_index_kind_name(enum table_index_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        TABLE_INDEX_KINDS(X)
#undef X
    };
    return names[kind];
}

/* --- layout ------------------------------------------------------------------------------------*/

size_t index_fence_count(uint32_t valid)
{
    return (valid + INDEX_FENCE_ROWS - 1) / INDEX_FENCE_ROWS;
}

size_t index_size(enum table_index_kind kind, uint32_t count, uint32_t valid, bool identity,
                  unsigned bucket_bits)
{
    size_t bytes = sizeof(struct column_index);
    if (kind == TABLE_INDEX_SORTED) {
        bytes += index_fence_count(valid) * sizeof(uint64_t);
        return bytes + (identity ? 0 : count * sizeof(uint16_t));
    }
    bytes += (((size_t)1 << bucket_bits) + 1) * sizeof(uint32_t);
    return bytes + valid * sizeof(uint16_t) + valid;
}

unsigned index_bucket_bits(uint32_t valid)
{
    return valid <= INDEX_BUCKET_ROWS ? 0 : bits_of((valid - 1) / INDEX_BUCKET_ROWS);
}

void index_free(struct table *t, struct column_index *x)
{
    if (x) external_free(&t->external, x, x->bytes);
}

/* --- keys --------------------------------------------------------------------------------------*/

struct table_index_key table_index_text_key(struct table_text text)
{
    return (struct table_index_key){key_of_text(text), text, 0};
}

uint64_t index_lane_key(const struct table_field *f, uint64_t lane)
{
    switch (table_type_class(f->type)) {
    case TABLE_CLASS_INT: return key_of_int((int64_t)lane);
    case TABLE_CLASS_FLOAT: return key_of_double(lane_bound(f, lane).d);
    default: return lane;
    }
}

uint64_t table_index_hash(const struct table *t, const struct table_index_key *key)
{
    if (key->text.data) return heap_hash(t->external.heap, key->text.data, key->text.length);
    return heap_hash(t->external.heap, &key->key, sizeof key->key);
}

static struct table_index_key cell_key(const struct table_index_view *view, uint32_t slot)
{
    struct column_view c = column_view(view->version, view->chunk, view->column);
    const struct sealed_column *s = (const struct sealed_column *)c.column;
    if (field_is_text(c.field)) return table_index_text_key(sealed_text(s, c.field, slot));
    uint64_t lane = sealed_lane(s, c.field, slot);
    if (c.field->type == TABLE_SYM)
        return table_index_text_key(table_symbol(c.t, view->column, (uint32_t)lane));
    return (struct table_index_key){.key = index_lane_key(c.field, lane)};
}

int index_key_order(const struct table_index_key *a, const struct table_index_key *b)
{
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->text.data ? text_order(a->text, b->text) : 0;
}

/* --- views -------------------------------------------------------------------------------------*/

bool table_index_open(const struct table_version *v, uint32_t chunk, uint32_t column,
                      struct table_index_view *view)
{
    const struct column *c = version_chunk(v, chunk)->columns[column].column;
    if (!c->sealed) return false;
    const struct column_index *x = ((const struct sealed_column *)c)->index;
    if (!x || x->kind != table_index_kind(v->table, column)) return false;
    *view = (struct table_index_view){v, chunk, column, x};
    return true;
}

enum table_index_kind table_index_view_kind(const struct table_index_view *view)
{
    return view->index->kind;
}

static const struct overlay *overlay_of(const struct table_index_view *view)
{
    return version_chunk(view->version, view->chunk)->columns[view->column].overlay;
}

uint32_t table_index_changed(const struct table_index_view *view, uint64_t *slots)
{
    const struct overlay *o = overlay_of(view);
    for (unsigned i = 0; o && slots && i < o->count; i++) bit_set(slots, o->cells[i].slot);
    return o ? o->count : 0;
}

bool table_index_is_changed(const struct table_index_view *view, uint32_t slot)
{
    return overlay_find(overlay_of(view), slot) != NULL;
}

/* --- sorted ------------------------------------------------------------------------------------*/

uint32_t table_index_valid(const struct table_index_view *view) { return view->index->valid; }
uint32_t table_index_count(const struct table_index_view *view) { return view->index->count; }

uint32_t table_index_slot(const struct table_index_view *view, uint32_t place)
{
    const struct column_index *x = view->index;
    assert(place < x->count);
    return x->identity ? place : index_slots(x)[place];
}

/* How many fences are below the key; `through`: or equal it. */
static uint32_t fences_below(const struct column_index *x, uint64_t key, bool through)
{
    const uint64_t *fences = index_fences(x);
    uint32_t low = 0, count = (uint32_t)index_fence_count(x->valid);
    while (count) {
        uint32_t half = count / 2;
        uint64_t fence = fences[low + half];
        bool below = fence < key || (through && fence == key);
        low = below ? low + half + 1 : low;
        count = below ? count - half - 1 : half;
    }
    return low;
}

uint32_t table_index_place(const struct table_index_view *view, const struct table_index_key *key,
                           bool after)
{
    const struct column_index *x = view->index;
    assert(x->kind == TABLE_INDEX_SORTED);
    /* Fences of texts are prefixes: of those that equal the key's nothing is known. */
    bool text = key->text.data;
    uint32_t below = fences_below(x, key->key, after && !text);
    uint32_t above = text ? fences_below(x, key->key, true) : below;
    uint32_t low = below ? (below - 1) * INDEX_FENCE_ROWS + 1 : 0;
    uint32_t high = min_u32(above * INDEX_FENCE_ROWS, x->valid);
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        struct table_index_key here = cell_key(view, table_index_slot(view, middle));
        int order = index_key_order(&here, key);
        if (order < 0 || (after && order == 0)) low = middle + 1;
        else high = middle;
    }
    return low;
}

uint32_t table_index_after_equals(const struct table_index_view *view, uint32_t place)
{
    struct table_index_key key = cell_key(view, table_index_slot(view, place));
    return table_index_place(view, &key, true);
}

uint32_t table_index_first_equal(const struct table_index_view *view, uint32_t place)
{
    struct table_index_key key = cell_key(view, table_index_slot(view, place));
    return table_index_place(view, &key, false);
}

/* --- both --------------------------------------------------------------------------------------*/

struct table_index_range table_index_equal(const struct table_index_view *view,
                                           const struct table_index_key *key)
{
    const struct column_index *x = view->index;
    struct table_index_range r = {.mark = -1};
    if (x->kind == TABLE_INDEX_SORTED) {
        r.first = table_index_place(view, key, false);
        r.end = r.first;
        if (r.first == x->valid) return r;
        struct table_index_key here = cell_key(view, table_index_slot(view, r.first));
        if (index_key_order(&here, key) == 0) r.end = table_index_place(view, key, true);
        return r;
    }
    const uint32_t *start = index_starts(x) + index_bucket(key->hash, x->bucket_bits);
    r.first = start[0];
    r.end = start[1];
    r.mark = index_mark_of(key->hash);
    return r;
}

uint32_t table_index_range_count(const struct table_index_view *view,
                                 const struct table_index_range *range, uint32_t most)
{
    uint32_t count = 0;
    if (range->mark < 0) return range->end - range->first;
    const uint8_t *marks = index_marks(view->index);
    for (uint32_t i = range->first; i < range->end && count < most; i++)
        count += marks[i] == range->mark;
    return count;
}

void table_index_mark(const struct table_index_view *view, const struct table_index_range *range,
                      uint64_t *slots)
{
    const struct column_index *x = view->index;
    const uint8_t *marks = range->mark < 0 ? NULL : index_marks(x);
    for (uint32_t i = range->first; i < range->end; i++)
        if (!marks || marks[i] == range->mark) bit_set(slots, table_index_slot(view, i));
}

/* --- figures -----------------------------------------------------------------------------------*/

void table_index_stats(const struct table_version *v, uint32_t column,
                       struct table_index_stats *stats)
{
    *stats = (struct table_index_stats){.rows = 0};
    for (uint32_t i = 0; i < v->chunk_count; i++) {
        struct table_index_view view;
        if (!table_index_open(v, i, column, &view)) continue;
        stats->rows += version_slots(v, i);
        stats->chunks++;
        stats->bytes += view.index->bytes;
    }
}

/* --- the checker -------------------------------------------------------------------------------*/

static const char *check_sorted(const struct table_index_view *view, uint64_t *seen)
{
    const struct column_index *x = view->index;
    struct table_index_key before = {.key = 0}, key;
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t slot = table_index_slot(view, i);
        if (slot >= x->count || bit_get(seen, slot)) return "lists a row twice, or one too many";
        bit_set(seen, slot);
        if (i >= x->valid) continue;
        key = cell_key(view, slot);
        int order = i ? index_key_order(&before, &key) : -1;
        if (order > 0 || (order == 0 && table_index_slot(view, i - 1) > slot))
            return "is not in order";
        if (i % INDEX_FENCE_ROWS == 0 && index_fences(x)[i / INDEX_FENCE_ROWS] != key.key)
            return "has a wrong fence";
        before = key;
    }
    return NULL;
}

static const char *check_hash(const struct table_index_view *view, uint64_t *seen)
{
    const struct column_index *x = view->index;
    uint32_t buckets = (uint32_t)1 << x->bucket_bits;
    if (index_starts(x)[0] != 0 || index_starts(x)[buckets] != x->valid)
        return "has wrong buckets";
    for (uint32_t b = 0; b < buckets; b++)
        for (uint32_t i = index_starts(x)[b]; i < index_starts(x)[b + 1]; i++) {
            uint32_t slot = index_slots(x)[i];
            if (slot >= x->count || bit_get(seen, slot))
                return "lists a row twice, or one too many";
            bit_set(seen, slot);
            struct table_index_key key = cell_key(view, slot);
            uint64_t hash = table_index_hash(view->version->table, &key);
            if (index_bucket(hash, x->bucket_bits) != b || index_mark_of(hash) != index_marks(x)[i])
                return "has a row in a wrong bucket";
        }
    return NULL;
}

const char *index_check(const struct table_version *v, uint32_t chunk, uint32_t column)
{
    uint64_t seen[TABLE_CHUNK_ROWS / 64] = {0};
    struct table_index_view view;
    if (!table_index_open(v, chunk, column, &view)) return NULL;
    const struct column_index *x = view.index;
    struct column_view c = column_view(v, chunk, column);
    const struct sealed_column *s = (const struct sealed_column *)c.column;
    if (x->count != s->slots || x->valid != s->slots - s->nulls) return "counts other rows";
    return x->kind == TABLE_INDEX_SORTED ? check_sorted(&view, seen) : check_hash(&view, seen);
}
