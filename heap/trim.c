/* trim.c - giving memory back to the system.
 *
 * Pages that became free keep their memory for a while, because they are likely to be taken
 * again: up to an eighth of what is in use, and TRIM_KEEP_BYTES; or, when no page was taken for
 * TRIM_IDLE_NS, a sixty-fourth and TRIM_KEEP_IDLE_BYTES; the pages that classes allocate from, and
 * that are empty, become free then. What is above goes back in small pieces while there is nothing
 * better to do, from the top of the heap down, where pages are taken last. An idle heap gives back
 * its spare blocks of external memory, too (external_block.c).
 *
 * With huge pages, the first page that is taken of a range (HUGE_BYTES) touches all of it, and only
 * a range that is free as a whole goes back: the system would split a huge page of which a part is
 * given back, and keep it small. */
#include <sys/mman.h>

#include "heap/heap_int.h"

#define TRIM_KEEP_BYTES ((size_t)4 << 20)
#define TRIM_KEEP_IDLE_BYTES ((size_t)64 << 10)
#define TRIM_IDLE_NS ((uint64_t)1000000000)
/* One call to the system gives back at most so much: it takes about 30 us. */
#define TRIM_PIECE_BYTES ((size_t)512 << 10)
#define TRIM_LOOK_PAGES 1024

static uint32_t taken_count(const struct heap *h) { return h->page_count - h->free_page_count; }

/* --- ranges ---------------------------------------------------------------------------------*/

static uint32_t range_first(uint32_t page) { return page - page % RANGE_PAGES; }

static uint32_t range_end(const struct heap *h, uint32_t page)
{
    uint32_t end = range_first(page) + RANGE_PAGES;
    return end < h->page_count ? end : h->page_count;
}

static bool range_is_free(const struct heap *h, uint32_t page)
{
    _Static_assert(RANGE_PAGES % 64 == 0 && SEGMENT_PAGES % 64 == 0, "a range has whole words");
    for (uint32_t i = range_first(page); i < range_end(h, page); i += 64)
        if (h->free_pages.level[0][i / 64] != UINT64_MAX) return false;
    return true;
}

void range_page_take(struct heap *h, uint32_t page)
{
    if (!range_is_free(h, page)) return;
    if (h->pages[page].touched) {
        h->free_ranges--;
        return;
    }
    uint32_t first = range_first(page), end = range_end(h, page);
    for (uint32_t i = first; i < end; i++) h->pages[i].touched = true;
    h->touched_count += end - first;
    h->touched_free_count += end - first;
}

void range_page_given(struct heap *h, uint32_t page)
{
    if (range_is_free(h, page)) h->free_ranges++;
}

/* --- when -----------------------------------------------------------------------------------*/

/* Pages that could go back. */
static uint32_t spare_count(const struct heap *h)
{
    return h->huge_pages ? h->free_ranges * RANGE_PAGES : h->touched_free_count;
}

bool trim_wanted_when_idle(const struct heap *h)
{
    return h->retire_wanted || h->external.spares.bytes > 0 ||
           spare_count(h) > taken_count(h) / 64 + TRIM_KEEP_IDLE_BYTES / PAGE_BYTES;
}

uint64_t trim_wait_ns(const struct heap *h)
{
    uint64_t taken = h->page_taken_ns, used = h->external.spares.used_ns, now = clock_ns();
    uint64_t due = (taken > used ? taken : used) + TRIM_IDLE_NS;
    return due > now ? due - now : 0;
}

bool trim_wanted(const struct heap *h)
{
    if (spare_count(h) > taken_count(h) / 8 + TRIM_KEEP_BYTES / PAGE_BYTES) return true;
    return trim_wanted_when_idle(h) && trim_wait_ns(h) == 0;
}

/* --- what ----------------------------------------------------------------------------------*/

static bool can_go(const struct heap *h, uint32_t page)
{
    return h->pages[page].state == PAGE_FREE && h->pages[page].touched;
}

/* Gives back the free pages [first, end). The system promises zeroes if they are touched again. */
static void give_back(struct heap *h, uint32_t first, uint32_t end)
{
    unsigned char *start = h->base + (size_t)first * PAGE_BYTES;
    if (madvise(start, (size_t)(end - first) * PAGE_BYTES, MADV_DONTNEED) != 0) return;
    for (uint32_t i = first; i < end; i++) h->pages[i].touched = false;
    h->touched_count -= end - first;
    h->touched_free_count -= end - first;
    if (h->huge_pages) h->free_ranges--;
}

/* Looks for a range to give back, from h->trim_next down, and gives back one at most. */
static size_t trim_range(struct heap *h)
{
    if (h->trim_next == 0 || h->trim_next > h->page_top) h->trim_next = h->page_top;
    for (size_t looked = 1; h->trim_next > 0; looked++) {
        uint32_t page = h->trim_next - 1;
        h->trim_next = range_first(page);
        if (range_is_free(h, page) && h->pages[page].touched) {
            give_back(h, range_first(page), range_end(h, page));
            return looked + RANGE_PAGES;
        }
        if (looked == TRIM_LOOK_PAGES) return looked;
    }
    return 1;
}

size_t trim_step(struct heap *h)
{
    if (!trim_wanted(h)) return 0;
    if (h->retire_wanted && trim_wait_ns(h) == 0) {
        allocators_retire_empty(h);
        h->retire_wanted = false;
        return 1;
    }
    if (h->external.spares.bytes > 0 && trim_wait_ns(h) == 0)
        return external_spares_release(h) / PAGE_BYTES + 1;
    if (h->huge_pages) return trim_range(h);
    if (h->trim_next == 0 || h->trim_next > h->page_top) h->trim_next = h->page_top;
    uint32_t looked = 0, end = h->trim_next;
    while (end > 0 && looked < TRIM_LOOK_PAGES && !can_go(h, end - 1)) end--, looked++;
    uint32_t first = end;
    while (first > 0 && end - first < TRIM_PIECE_BYTES / PAGE_BYTES && can_go(h, first - 1))
        first--;
    if (first < end) give_back(h, first, end);
    h->trim_next = first;
    return looked + (end - first) + 1;
}
