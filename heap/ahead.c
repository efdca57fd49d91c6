/* ahead.c - asking the system for memory before it is needed.
 *
 * The first touch of a page of the system costs its time where it happens: in the midst of
 * somebody's insert. Under a hypervisor that has to find the memory first it was 13 us as a rule,
 * and milliseconds at worst; asked for in one piece, beside the events, eight of them take about as
 * long as one. So the pages that page_take will take next, the lowest free ones, are given memory
 * between the turns of the loop: twice as many as the last turn took, since growth goes on as a
 * rule.
 *
 * What is not needed after all is a free page that has memory, and trim.c gives it back. With huge
 * pages there is nothing to do: the first page of a range touches all of it.
 *
 * MADV_POPULATE_WRITE (Linux 5.14) changes no contents. Where it is not known, all is as
 * before: memory comes when it is touched. */
#include <sys/mman.h>

#include "heap/heap_int.h"

#define AHEAD_PAGES_MIN 2
#define AHEAD_PAGES_MAX 64

#define SYSTEM_PAGE_BYTES ((uintptr_t)4096)

bool memory_populate(void *start, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    uintptr_t first = (uintptr_t)start & ~(SYSTEM_PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)start + bytes + SYSTEM_PAGE_BYTES - 1) & ~(SYSTEM_PAGE_BYTES - 1);
    return madvise((void *)first, end - first, MADV_POPULATE_WRITE) == 0;
#else
    (void)start, (void)bytes;
    return false;
#endif
}

/* A page, its planes and its descriptor. */
static bool page_touch(struct heap *h, uint32_t page)
{
    struct page *p = &h->pages[page];
    if (!memory_populate(&h->groups[(size_t)page * PAGE_GROUPS],
                  PAGE_GROUPS * sizeof(struct plane_group)) ||
        !memory_populate(h->base + (size_t)page * PAGE_BYTES, PAGE_BYTES))
        return false;
    p->touched = true;
    h->touched_count++;
    h->touched_free_count++;
    if (page >= h->page_top) h->page_top = page + 1;
    return true;
}

uint64_t heap_ahead(struct heap *h, uint64_t budget_ns)
{
    uint32_t taken = h->ahead_taken;
    h->ahead_taken = 0;
    if (taken > 0) {
        h->ahead_pages = 2 * taken < AHEAD_PAGES_MAX ? 2 * taken : AHEAD_PAGES_MAX;
        if (h->ahead_pages < AHEAD_PAGES_MIN) h->ahead_pages = AHEAD_PAGES_MIN;
        h->ahead_seen = 0;
        h->ahead_next = 0;
    }
    if (h->ahead_seen >= h->ahead_pages || h->huge_pages) return 0;
    uint64_t begin = clock_ns(), now = begin;
    while (h->ahead_seen < h->ahead_pages && now - begin < budget_ns) {
        uint32_t page = page_next_free(h, h->ahead_next);
        bool more = page != NO_PAGE && h->ahead_seen < pages_available(h);
        if (more && !h->pages[page].touched) {
            more = page_touch(h, page);
            uint64_t end = clock_ns();
            gc_histogram_add(&h->gc.stats.ahead, end - now);
            now = end;
        }
        h->ahead_seen = more ? h->ahead_seen + 1 : h->ahead_pages;
        h->ahead_next = page + 1;
    }
    return now - begin;
}
