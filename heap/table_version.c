/* table_version.c - versions: immutable moments of a table, by copying what is shared.
 *
 * t->current is one of them. A change first makes the path from it to what is changed its own:
 * version, directory, page, chunk, each copied if it has another reference. So a pin costs a count,
 * and the first change after it a few small copies. */
#include "heap/table_int.h"

#include <stdlib.h>

/* --- making and counting -----------------------------------------------------------------------*/

static size_t version_free_step(struct external *e, size_t words, bool *done)
{
    return version_dispose((struct table_version *)e, words, done);
}

static const struct external_class version_class = {
    .name = "version",
    .free_step = version_free_step,
};

struct table_version *version_new(struct table *t)
{
    struct table_version *v = external_alloc(&t->external, sizeof *v);
    if (!v) return NULL;
    *v = (struct table_version){
        .dying = {.class = &version_class, .heap = t->external.heap},
        .refs = 1,
        .table = t,
        .even = true,
    };
    return v;
}

static size_t directory_size(uint32_t capacity)
{
    return sizeof(struct directory) + capacity * sizeof(struct chunk_page *);
}

static uint32_t page_count(uint32_t chunks)
{
    return (chunks + CHUNK_PAGE_SLOTS - 1) / CHUNK_PAGE_SLOTS;
}

/* Frees chunk by chunk from the end. A page that others share is only let go. */
static size_t directory_shrink(struct table *t, struct table_version *v, size_t words)
{
    size_t work = 0;
    struct directory *d = v->directory;
    while (v->chunk_count && work < words) {
        uint32_t last = v->chunk_count - 1;
        struct chunk_page *page = d->pages[last / CHUNK_PAGE_SLOTS];
        if (page->refs > 1) {
            page->refs--;
            v->chunk_count = last / CHUNK_PAGE_SLOTS * CHUNK_PAGE_SLOTS;
            work++;
            continue;
        }
        work += chunk_unref(t, page->chunks[last % CHUNK_PAGE_SLOTS]);
        v->chunk_count--;
        if (last % CHUNK_PAGE_SLOTS == 0) external_free(&t->external, page, sizeof *page);
    }
    return work;
}

size_t version_dispose(struct table_version *v, size_t words, bool *done)
{
    struct table *t = v->table;
    size_t work = 1;
    if (v->directory && v->directory->refs > 1) {
        v->directory->refs--;
        v->directory = NULL;
    } else if (v->directory) {
        work += directory_shrink(t, v, words);
        if (v->chunk_count) return work;
        external_free(&t->external, v->directory, directory_size(v->directory->capacity));
        v->directory = NULL;
    }
    /* Its memory is the caller's to free, its bytes are the table's. */
    external_subtract(&t->external, sizeof *v);
    if (v->dying.dying) {
        t->dying_parts--;
        external_let_go(&t->external);
    }
    *done = true;
    return work;
}

/* What is done at once when a version ends. */
#define DISPOSE_WORDS 64

/* Between two looks at the clock. */
#define SETTLE_WORDS 4096

/* The rest is left to the drop queue, which holds the table as long. */
void version_unref(struct table_version *v)
{
    if (--v->refs) return;
    bool done = false;
    version_dispose(v, DISPOSE_WORDS, &done);
    if (done) {
        free(v);
        return;
    }
    external_hold(&v->table->external);
    v->table->dying_parts++;
    external_abandon(&v->dying);
}

bool table_settle_step(struct table *t, uint64_t budget_ns)
{
    uint64_t begin = clock_ns();
    while (t->dying_parts && clock_ns() - begin < budget_ns)
        external_drop_step(t->external.heap, SETTLE_WORDS);
    return t->dying_parts;
}

/* --- pins --------------------------------------------------------------------------------------*/

struct table_version *table_pin(struct table *t)
{
    t->current->refs++;
    external_hold(&t->external);
    return t->current;
}

void table_unpin(struct table_version *v)
{
    struct table *t = v->table;
    version_unref(v);
    external_let_go(&t->external);
}

void table_restore(struct table *t, struct table_version *version)
{
    assert(version->table == t);
    if (t->current == version) return;
    version->refs++;
    version_unref(t->current);
    t->current = version;
    t->sealed_below = 0;
    index_look_from(t, 0);
}

struct table *table_version_table(const struct table_version *v) { return v->table; }
uint64_t table_version_rows(const struct table_version *v) { return v->slots - v->deleted; }
uint64_t table_version_deleted(const struct table_version *v) { return v->deleted; }
uint32_t table_version_chunks(const struct table_version *v) { return v->chunk_count; }

uint32_t table_chunk_slots(const struct table_version *v, uint32_t chunk)
{
    assert(chunk < v->chunk_count);
    return version_slots(v, chunk);
}

uint32_t table_chunk_deleted(const struct table_version *v, uint32_t chunk)
{
    assert(chunk < v->chunk_count);
    const struct deletions *d = version_chunk(v, chunk)->deletions;
    return d ? d->count : 0;
}

bool table_is_deleted(const struct table_version *v, uint32_t chunk, uint32_t slot)
{
    const struct deletions *d = version_chunk(v, chunk)->deletions;
    return d && bit_get(d->bits, slot);
}

/* --- paths that can be changed -----------------------------------------------------------------*/

struct table_version *version_copy(struct table *t, const struct table_version *v)
{
    struct table_version *copy = version_new(t);
    if (!copy) return NULL;
    struct external dying = copy->dying;
    *copy = *v;
    copy->dying = dying;
    copy->refs = 1;
    if (copy->directory) copy->directory->refs++;
    return copy;
}

struct table_version *version_writable(struct table *t)
{
    struct table_version *v = t->current;
    if (v->refs == 1) return v;
    struct table_version *copy = version_copy(t, v);
    if (!copy) return NULL;
    v->refs--;
    t->current = copy;
    return copy;
}

/* v->directory with room for `capacity` pages and no other reference. */
static int directory_writable(struct table *t, struct table_version *v, uint32_t capacity)
{
    struct directory *d = v->directory;
    uint32_t pages = page_count(v->chunk_count);
    if (capacity < pages) capacity = pages;
    if (d && d->refs == 1 && d->capacity >= capacity) return 0;
    if (d && capacity > d->capacity && capacity < d->capacity * 2) capacity = d->capacity * 2;
    struct directory *copy = external_alloc(&t->external, directory_size(capacity));
    if (!copy) return -ENOMEM;
    *copy = (struct directory){.refs = 1, .capacity = capacity};
    if (pages) memcpy(copy->pages, d->pages, pages * sizeof *copy->pages);
    v->directory = copy;
    if (!d) return 0;
    if (--d->refs == 0) {
        external_free(&t->external, d, directory_size(d->capacity));
        return 0;
    }
    for (uint32_t i = 0; i < pages; i++) copy->pages[i]->refs++;
    return 0;
}

/* Page `index` of a directory that is changeable, with `count` chunks in it. */
static struct chunk_page *page_writable(struct table *t, struct directory *d, uint32_t index,
                                        uint32_t count)
{
    struct chunk_page *page = d->pages[index];
    if (page->refs == 1) return page;
    struct chunk_page *copy = external_alloc(&t->external, sizeof *copy);
    if (!copy) return NULL;
    *copy = *page;
    copy->refs = 1;
    for (uint32_t i = 0; i < count; i++) copy->chunks[i]->refs++;
    page->refs--;
    d->pages[index] = copy;
    return copy;
}

static uint32_t chunks_in_page(const struct table_version *v, uint32_t index)
{
    return min_u32(v->chunk_count - index * CHUNK_PAGE_SLOTS, CHUNK_PAGE_SLOTS);
}

struct chunk *chunk_writable(struct table *t, uint32_t index)
{
    struct table_version *v = version_writable(t);
    if (!v || directory_writable(t, v, 0) != 0) return NULL;
    uint32_t page_index = index / CHUNK_PAGE_SLOTS;
    struct chunk_page *page = page_writable(t, v->directory, page_index,
                                            chunks_in_page(v, page_index));
    if (!page) return NULL;
    struct chunk **place = &page->chunks[index % CHUNK_PAGE_SLOTS];
    if ((*place)->refs == 1) return *place;
    struct chunk *copy = chunk_copy(t, *place);
    if (!copy) return NULL;
    copy->slots = version_slots(v, index);
    (*place)->refs--;
    *place = copy;
    return copy;
}

/* The last chunk is about to be one among others: it says itself how many slots it has, in a copy
 * if other versions see fewer or more of it. */
static int end_tail(struct table *t)
{
    struct table_version *v = t->current;
    if (v->chunk_count == 0) return 0;
    if (version_chunk(v, v->chunk_count - 1)->slots == v->tail_slots) return 0;
    struct chunk *last = chunk_writable(t, v->chunk_count - 1);
    if (!last) return -ENOMEM;
    last->slots = v->tail_slots;
    return 0;
}

int version_push_chunk_take(struct table *t, struct chunk *c, uint32_t slots)
{
    struct table_version *v = t->current;
    assert(v->refs == 1);
    uint32_t index = v->chunk_count, page_index = index / CHUNK_PAGE_SLOTS;
    if (end_tail(t) != 0) return -ENOMEM;
    if (directory_writable(t, v, page_index + 1) != 0) return -ENOMEM;
    struct chunk_page *page;
    if (index % CHUNK_PAGE_SLOTS == 0) {
        page = external_alloc(&t->external, sizeof *page);
        if (!page) return -ENOMEM;
        page->refs = 1;
        v->directory->pages[page_index] = page;
    } else {
        page = page_writable(t, v->directory, page_index, index % CHUNK_PAGE_SLOTS);
        if (!page) return -ENOMEM;
    }
    if (index && v->tail_slots != TABLE_CHUNK_ROWS) v->even = false;
    page->chunks[index % CHUNK_PAGE_SLOTS] = c;
    c->slots = slots;
    v->chunk_count++;
    v->tail_slots = slots;
    v->slots += slots;
    return 0;
}

/* --- replacing chunks --------------------------------------------------------------------------*/

static bool version_is_even(const struct table_version *v)
{
    if (v->deleted) return false;
    for (uint32_t i = 0; i + 1 < v->chunk_count; i++)
        if (version_slots(v, i) != TABLE_CHUNK_ROWS) return false;
    return true;
}

/* A version like the current one, but with `by` for `count` chunks from `first` on. */
static int rebuild(struct table *t, uint32_t first, uint32_t count, struct chunk *by)
{
    struct table_version *old = t->current, *v = version_new(t);
    if (!v) return -ENOMEM;
    int error = 0;
    t->current = v;
    for (uint32_t i = 0; i < old->chunk_count && !error; i++) {
        struct chunk *c = i == first ? by : version_chunk(old, i);
        if ((i > first && i < first + count) || !c) continue;
        uint32_t slots = i == first ? by->slots : version_slots(old, i);
        error = version_push_chunk_take(t, c, slots);
        if (error) break;
        c->refs++;
        if (c->deletions) v->deleted += c->deletions->count;
    }
    if (error) {
        t->current = old;
        version_unref(v);
        return error;
    }
    if (by) by->refs--; /* taken over */
    version_unref(old);
    return 0;
}

int version_replace_take(struct table *t, uint32_t first, uint32_t count, struct chunk *by)
{
    if (count != 1 || !by) {
        int error = rebuild(t, first, count, by);
        if (!error) t->current->even = version_is_even(t->current);
        return error;
    }
    struct chunk *old = chunk_writable(t, first);
    if (!old) return -ENOMEM;
    struct table_version *v = t->current;
    uint64_t before = version_slots(v, first);
    v->slots = v->slots - before + by->slots;
    if (old->deletions) v->deleted -= old->deletions->count;
    if (by->deletions) v->deleted += by->deletions->count;
    if (first + 1 == v->chunk_count) v->tail_slots = by->slots;
    v->directory->pages[first / CHUNK_PAGE_SLOTS]->chunks[first % CHUNK_PAGE_SLOTS] = by;
    chunk_unref(t, old);
    v->even = version_is_even(v);
    return 0;
}

/* --- dropping chunks ---------------------------------------------------------------------------*/

static bool chunk_is_empty(const struct table_version *v, uint32_t chunk)
{
    const struct deletions *d = version_chunk(v, chunk)->deletions;
    return d && d->count == version_slots(v, chunk);
}

uint32_t version_first_empty(const struct table_version *v)
{
    if (v->deleted == 0 || v->refs > 1 || v->directory->refs > 1) return UINT32_MAX;
    uint32_t pages = page_count(v->chunk_count), page = pages, first;
    while (page > 0 && v->directory->pages[page - 1]->refs == 1) page--;
    for (first = page * CHUNK_PAGE_SLOTS; first < v->chunk_count; first++)
        if (chunk_is_empty(v, first)) return first;
    return UINT32_MAX;
}

/* The directory of `before` chunks now has fewer. */
static void directory_trim(struct table *t, struct table_version *v, uint32_t before)
{
    struct directory *d = v->directory;
    for (uint32_t i = page_count(v->chunk_count); i < page_count(before); i++)
        external_free(&t->external, d->pages[i], sizeof **d->pages);
    if (v->chunk_count > 0) return;
    external_free(&t->external, d, directory_size(d->capacity));
    v->directory = NULL;
}

void version_drop_empty(struct table *t, uint32_t first, uint64_t end_ns)
{
    struct table_version *v = t->current;
    uint32_t count = v->chunk_count, kept = first, last_slots = 0;
    uint64_t slots = 0;
    bool go_on = true;
    assert(v->refs == 1 && v->directory->refs == 1);
    if (first > 0) last_slots = version_slots(v, first - 1);
    for (uint32_t i = first; i < count; i++) {
        struct chunk *c = version_chunk(v, i);
        assert(v->directory->pages[i / CHUNK_PAGE_SLOTS]->refs == 1);
        if (go_on && chunk_is_empty(v, i)) {
            slots += version_slots(v, i);
            chunk_unref(t, c);
            go_on = clock_ns() < end_ns;
            continue;
        }
        last_slots = version_slots(v, i);
        v->directory->pages[kept / CHUNK_PAGE_SLOTS]->chunks[kept % CHUNK_PAGE_SLOTS] = c;
        kept++;
    }
    v->chunk_count = kept;
    v->tail_slots = last_slots;
    v->slots -= slots;
    v->deleted -= slots;
    directory_trim(t, v, count);
    v->even = version_is_even(v);
}

/* --- positions ---------------------------------------------------------------------------------*/

/* The slot of the n-th row that is not deleted. */
static uint32_t slot_of_live(const struct deletions *d, uint32_t n)
{
    if (!d) return n;
    for (uint32_t word = 0;; word++) {
        uint64_t live = ~d->bits[word];
        uint32_t count = (uint32_t)__builtin_popcountl(live);
        if (n >= count) {
            n -= count;
            continue;
        }
        while (n--) live &= live - 1;
        return word * 64 + (uint32_t)__builtin_ctzl(live);
    }
}

bool table_locate(const struct table_version *v, uint64_t position, uint32_t *chunk,
                  uint32_t *slot)
{
    if (position >= v->slots - v->deleted) return false;
    if (v->even) {
        *chunk = (uint32_t)(position / TABLE_CHUNK_ROWS);
        *slot = (uint32_t)(position % TABLE_CHUNK_ROWS);
        return true;
    }
    for (uint32_t i = 0;; i++) {
        assert(i < v->chunk_count);
        const struct deletions *d = version_chunk(v, i)->deletions;
        uint32_t live = version_slots(v, i) - (d ? d->count : 0);
        if (position >= live) {
            position -= live;
            continue;
        }
        *chunk = i;
        *slot = slot_of_live(d, (uint32_t)position);
        return true;
    }
}

uint64_t table_position(const struct table_version *v, uint32_t chunk, uint32_t slot)
{
    assert(chunk < v->chunk_count && slot < version_slots(v, chunk));
    if (v->even) return (uint64_t)chunk * TABLE_CHUNK_ROWS + slot;
    uint64_t position = slot;
    for (uint32_t i = 0; i < chunk; i++)
        position += version_slots(v, i) - table_chunk_deleted(v, i);
    const struct deletions *d = version_chunk(v, chunk)->deletions;
    for (uint32_t i = 0; d && i < slot; i += 64) {
        uint64_t before = slot - i >= 64 ? UINT64_MAX : ((uint64_t)1 << (slot - i)) - 1;
        position -= (uint32_t)__builtin_popcountl(d->bits[i / 64] & before);
    }
    return position;
}
