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
 * Sorted:  [tops]    the order key of each 2,048th place, 8 bytes, and
 *          [fences]  of each 64th, and of the last one
 *          [slots]   row numbers in the order of their cells, equal ones by row, nulls last:
 *                    2 bytes a row
 *          [codes]   of each row, the 8 highest bits of how far its key is between the fences
 *                    around it, so that few cells need be read: 1 byte
 *                    A chunk whose cells ascend has fences only.
 * Hash:    [starts]  of each bucket, 4 bytes; one bucket for 8 rows
 *          [marks]   8 more bits of each row's hash, 1 byte
 *          [slots]   2 bytes. Nulls are left out.
 *
 * Costs. Memory: sorted 3.13 bytes a row (0.13 where cells ascend), hash 3.5, plus 1.4 MB (texts:
 * 2.4) while a chunk is built. Building: one sort of 65,536 keys a chunk. Asking, for each bound
 * and chunk: sorted 32 tops, 32 fences, some codes, and a cell or two; hash a bucket's start and
 * its marks. Nearly all of it is waiting for memory, two to four times a chunk; so keys that lie
 * together are looked through, not halved, and who asks tells some chunks ahead
 * (table_index_prefetch). A look-up goes up with the number of chunks that zone maps leave. */
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

uint32_t index_fence_count(uint32_t valid)
{
    return (valid + INDEX_FENCE_ROWS - 1) / INDEX_FENCE_ROWS;
}

uint32_t index_top_count(uint32_t valid)
{
    return (index_fence_count(valid) + INDEX_TOP_FENCES - 1) / INDEX_TOP_FENCES;
}

size_t index_size(enum table_index_kind kind, uint32_t count, uint32_t valid, bool identity,
                  unsigned bucket_bits)
{
    size_t bytes = sizeof(struct column_index);
    if (kind == TABLE_INDEX_SORTED) {
        bytes += (index_top_count(valid) + index_fence_count(valid) + 1) * sizeof(uint64_t);
        return bytes + (identity ? 0 : count * sizeof(uint16_t) + valid);
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
    if (planted(43)) return 0;
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

static uint32_t keys_below(const uint64_t *keys, uint32_t count, uint64_t bound)
{
    uint32_t below = 0;
    for (uint32_t i = 0; i < count; i++) below += keys[i] < bound;
    return below;
}

/* How many fences are below the key; `through`: or equal it. */
static uint32_t fences_below(const struct column_index *x, uint64_t key, bool through)
{
    uint32_t count = index_fence_count(x->valid);
    if (count == 0 || (through && key == UINT64_MAX)) return count;
    uint64_t bound = key + through; /* what is below that */
    uint32_t tops = keys_below(index_tops(x), index_top_count(x->valid), bound);
    if (tops == 0) return 0;
    uint32_t first = (tops - 1) * INDEX_TOP_FENCES;
    return first + keys_below(index_fences(x) + first, min_u32(INDEX_TOP_FENCES, count - first),
                              bound);
}

unsigned index_code(const struct column_index *x, uint32_t block, uint64_t key)
{
    const uint64_t *fence = index_fences(x) + block;
    unsigned bits = bits_of(fence[1] - fence[0]);
    if (key <= fence[0]) return 0;
    if (key >= fence[1]) key = fence[1];
    return (unsigned)((key - fence[0]) >> (bits > 8 ? bits - 8 : 0));
}

/* How many of `count` codes, which ascend, are below `code`. */
static uint32_t codes_below(const uint8_t *codes, uint32_t count, unsigned code)
{
    const uint8_t *at = codes;
    while (count > 1) {
        uint32_t half = count / 2;
        at += (at[half - 1] < code) * half;
        count -= half;
    }
    return (uint32_t)(at - codes) + (count && *at < code);
}

/* Narrows places [*low, *high) of a block to those whose code is the key's. */
static void narrow(const struct column_index *x, uint32_t block, uint64_t key, uint32_t *low,
                   uint32_t *high)
{
    unsigned code = index_code(x, block, key);
    const uint8_t *codes = index_codes(x) + *low;
    uint32_t count = *high - *low, below = codes_below(codes, count, code);
    bool equal = below < count && codes[below] == code;
    *high = *low + (equal ? codes_below(codes, count, code + 1) : below);
    *low += below;
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
    if (low < high && below && above == below && !x->identity)
        narrow(x, below - 1, key->key, &low, &high);
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
        r.end = table_index_place(view, key, true); /* no cell is read that was not read before */
        return r;
    }
    const uint32_t *start = index_starts(x) + index_bucket(key->hash, x->bucket_bits);
    r.first = start[0];
    r.end = start[1];
    r.mark = index_mark_of(key->hash);
    return r;
}

void table_index_prefetch(const struct table_version *v, uint32_t chunk, uint32_t column,
                          const struct table_index_key *key, bool early)
{
    struct table_index_view view;
    if (chunk >= v->chunk_count || !table_index_open(v, chunk, column, &view)) return;
    const struct column_index *x = view.index;
    if (x->kind == TABLE_INDEX_SORTED) {
        for (uint32_t i = 0; early && i < index_top_count(x->valid); i += 8)
            __builtin_prefetch(index_tops(x) + i);
        uint32_t below = early || x->identity ? 0 : fences_below(x, key->key, false);
        if (below) __builtin_prefetch(index_codes(x) + (below - 1) * INDEX_FENCE_ROWS);
        if (below) __builtin_prefetch(index_codes(x) + below * INDEX_FENCE_ROWS - 1);
        return;
    }
    const uint32_t *start = index_starts(x) + index_bucket(key->hash, x->bucket_bits);
    if (early) __builtin_prefetch(start);
    else __builtin_prefetch(index_marks(x) + *start);
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
        uint32_t block = i / INDEX_FENCE_ROWS;
        if ((i % INDEX_FENCE_ROWS == 0 && index_fences(x)[block] != key.key) ||
            (i + 1 == x->valid && index_fences(x)[block + 1] != key.key))
            return "has a wrong fence";
        if (i % (INDEX_FENCE_ROWS * INDEX_TOP_FENCES) == 0 &&
            index_tops(x)[block / INDEX_TOP_FENCES] != key.key)
            return "has a wrong top";
        if (!x->identity && index_codes(x)[i] != index_code(x, block, key.key))
            return "has a wrong code";
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
    struct table_index_view view;
    if (!table_index_open(v, chunk, column, &view)) return NULL;
    uint64_t seen[TABLE_CHUNK_ROWS / 64] = {0};
    const struct column_index *x = view.index;
    struct column_view c = column_view(v, chunk, column);
    const struct sealed_column *s = (const struct sealed_column *)c.column;
    if (x->count != s->slots || x->valid != s->slots - s->nulls) return "counts other rows";
    return x->kind == TABLE_INDEX_SORTED ? check_sorted(&view, seen) : check_hash(&view, seen);
}
