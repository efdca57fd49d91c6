/* map_page.c - paging through a map that changes meanwhile.
 *
 * Entries have a position in the order of their hashes that depends on nothing else. A page is
 * the entries with the least positions above the cursor, and the last of them is the next
 * cursor; so what stays in the map is met whatever comes, goes, or turns around it. A segmented
 * map keeps that order roughly and is read part by part; smaller ones are looked at whole. */
#include "heap/map_packed.h"

#define PAGE_ENTRIES_MAX (CELL_PAIRS_MAX + 1)
/* Parts of the hash space of a segmented map that one call looks at: most may be empty. */
#define PAGE_PARTS_MAX 1024

struct candidate {
    uint64_t position;
    value key, v;
};

/* The least candidates so far: a heap with the greatest of them on top. */
struct page_heap {
    struct candidate entries[PAGE_ENTRIES_MAX];
    size_t count, capacity;
    uint64_t cursor;   /* up to here all was seen */
    uint64_t left_out; /* the least position that had no room, or UINT64_MAX */
};

static uint64_t hash_position(uint64_t hash) { return hash >> 1 ? hash >> 1 : 1; }

uint64_t map_page_cursor(const struct heap *h, value key)
{
    return hash_position(map_key_hash(h, key));
}

static void heap_down(struct candidate *entries, size_t count, size_t i)
{
    struct candidate moving = entries[i];
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && entries[child + 1].position > entries[child].position) child++;
        if (entries[child].position <= moving.position) break;
        entries[i] = entries[child];
    }
    entries[i] = moving;
}

static void heap_up(struct candidate *entries, size_t i)
{
    struct candidate moving = entries[i];
    for (; i > 0 && entries[(i - 1) / 2].position < moving.position; i = (i - 1) / 2)
        entries[i] = entries[(i - 1) / 2];
    entries[i] = moving;
}

static void page_offer(struct page_heap *page, uint64_t hash, value key, value v)
{
    struct candidate c = {hash_position(hash), key, v};
    if (c.position <= page->cursor) return;
    if (page->count < page->capacity) {
        page->entries[page->count] = c;
        heap_up(page->entries, page->count++);
        return;
    }
    uint64_t worst = page->entries[0].position;
    uint64_t loser = c.position < worst ? worst : c.position;
    if (loser < page->left_out) page->left_out = loser;
    if (c.position >= worst) return;
    page->entries[0] = c;
    heap_down(page->entries, page->count, 0);
}

static void page_sort(struct page_heap *page)
{
    for (size_t n = page->count; n > 1; n--) {
        struct candidate top = page->entries[0];
        page->entries[0] = page->entries[n - 1];
        heap_down(page->entries, n - 1, 0);
        page->entries[n - 1] = top;
    }
}

/* Writes the page; the next cursor if something had no room, else 0. */
static uint64_t page_write(struct page_heap *page, value *out)
{
    page_sort(page);
    size_t count = page->count;
    /* Entries of one position are not torn apart. */
    while (count > 0 && page->entries[count - 1].position == page->left_out) count--;
    if (count > 0) page->count = count;
    for (size_t i = 0; i < page->count; i++) {
        out[2 * i] = page->entries[i].key;
        out[2 * i + 1] = page->entries[i].v;
    }
    return page->left_out == UINT64_MAX ? 0 : page->entries[page->count - 1].position;
}

static size_t page_whole(const struct heap *h, value map, value *out)
{
    struct map_iterator it = {0};
    size_t count = 0;
    while (map_next(h, map, &it, &out[2 * count], &out[2 * count + 1])) count++;
    return count;
}

static void page_offer_segment(const struct heap *h, struct page_heap *page,
                               const struct segment *s)
{
    for (size_t i = 0; i < s->slots; i++) {
        if (!slot_is_live(s, i)) continue;
        struct entry e = slot_entry(s, i);
        page_offer(page, entry_hash(h, s, &e), entry_key(h, s, &e), entry_value(h, s, &e));
    }
}

/* Where to go on if all that was looked at had room; 0 at the end. */
static uint64_t page_segments(const struct heap *h, struct page_heap *page, value body)
{
    uint64_t hash = page->cursor ? (page->cursor + 1) << 1 : 0;
    for (unsigned parts = 0; parts < PAGE_PARTS_MAX; parts++) {
        value values, cell = segmented_part(h, body, hash, &hash, &values);
        if (cell != VALUE_NIL) {
            struct segment s = segment_open(h, cell, values);
            page_offer_segment(h, page, &s);
        }
        if (hash == 0) return 0;
        if (page->count == page->capacity) break;
    }
    return (hash >> 1) - 1;
}

size_t map_page(const struct heap *h, value map, uint64_t cursor, uint64_t *next, value *out,
                size_t capacity)
{
    bool segmented = map_is_segmented(h, map);
    assert(capacity >= MAP_PAGE_MIN);
    *next = 0;
    if (cursor >= UINT64_MAX >> 1) return 0;
    if (cursor == 0 && !segmented && map_count(h, map) <= capacity) return page_whole(h, map, out);

    struct page_heap page;
    page.count = 0;
    page.capacity = capacity < PAGE_ENTRIES_MAX ? capacity : PAGE_ENTRIES_MAX;
    page.cursor = cursor;
    page.left_out = UINT64_MAX;
    uint64_t end = 0;
    if (segmented) {
        end = page_segments(h, &page, *map_body(h, map));
    } else {
        struct map_iterator it = {0};
        value key, v;
        while (map_next(h, map, &it, &key, &v)) page_offer(&page, map_key_hash(h, key), key, v);
    }
    *next = page_write(&page, out);
    if (*next == 0) *next = end;
    return page.count;
}
