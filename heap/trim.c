/* trim.c - giving memory back to the system.
 *
 * Pages that became free keep their memory for a while, because they are likely to be taken
 * again: up to an eighth of what is in use, and TRIM_KEEP_BYTES; or, when no page was taken for
 * TRIM_IDLE_NS, a sixty-fourth and TRIM_KEEP_IDLE_BYTES; the pages that classes allocate from, and
 * that are empty, become free then. What is above goes back in small pieces while there is nothing
 * better to do, from the top of the heap down, where pages are taken last. */
#include <sys/mman.h>

#include "heap/heap_int.h"

#define TRIM_KEEP_BYTES ((size_t)4 << 20)
#define TRIM_KEEP_IDLE_BYTES ((size_t)64 << 10)
#define TRIM_IDLE_NS ((uint64_t)1000000000)
/* One call to the system gives back at most so much: it takes about 30 us. */
#define TRIM_PIECE_BYTES ((size_t)512 << 10)
#define TRIM_LOOK_PAGES 1024

static uint32_t taken_count(const struct heap *h) { return h->page_count - h->free_page_count; }

bool trim_wanted_when_idle(const struct heap *h)
{
    return h->retire_wanted ||
           h->touched_free_count > taken_count(h) / 64 + TRIM_KEEP_IDLE_BYTES / PAGE_BYTES;
}

uint64_t trim_wait_ns(const struct heap *h)
{
    uint64_t due = h->page_taken_ns + TRIM_IDLE_NS, now = clock_ns();
    return due > now ? due - now : 0;
}

bool trim_wanted(const struct heap *h)
{
    if (h->touched_free_count > taken_count(h) / 8 + TRIM_KEEP_BYTES / PAGE_BYTES) return true;
    return trim_wanted_when_idle(h) && trim_wait_ns(h) == 0;
}

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
}

size_t trim_step(struct heap *h)
{
    if (!trim_wanted(h)) return 0;
    if (h->retire_wanted && trim_wait_ns(h) == 0) {
        allocators_retire_empty(h);
        h->retire_wanted = false;
        return 1;
    }
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
