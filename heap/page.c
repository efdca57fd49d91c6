/* page.c - free pages, found through a hierarchy of bitmaps.
 *
 * Level 0 has a bit per page; a bit of level n+1 says that a word of level n is not zero. So
 * the lowest free page is found in as many steps as there are levels, however large the heap:
 * low pages are used first, and the top of the heap stays free. Runs have at most two pages;
 * a second, two-level map knows the words of level 0 with two free neighbours. */
#include "heap/heap_int.h"

#define NEXT_FREE_WORDS 256

static uint32_t words_for(uint32_t bits) { return (bits + 63) / 64; }

/* The words that each level of the maps has, from the number of pages. */
static unsigned level_words(uint32_t pages, uint32_t words[4])
{
    unsigned levels = 0;
    uint32_t n = pages;
    do {
        n = words_for(n);
        words[levels++] = n;
    } while (n > 1 && levels < 4);
    return levels;
}

size_t page_bitmap_bytes(uint32_t pages)
{
    uint32_t words[4];
    unsigned levels = level_words(pages, words);
    size_t total = 0;
    for (unsigned i = 0; i < levels; i++) total += words[i];
    uint32_t pair_words = words_for(words[0]);
    return (total + pair_words + words_for(pair_words)) * sizeof(uint64_t);
}

static void bitmap_refresh(struct page_bitmap *b, uint32_t word)
{
    uint64_t w = b->level[0][word];
    uint64_t *pairs = &b->pairs[word / 64];
    *pairs = (*pairs & ~((uint64_t)1 << word % 64)) | (uint64_t)((w & w >> 1) != 0) << word % 64;
    uint64_t *summary = &b->pairs_summary[word / 64 / 64];
    *summary = (*summary & ~((uint64_t)1 << word / 64 % 64)) |
               (uint64_t)(*pairs != 0) << word / 64 % 64;
    uint32_t index = word;
    for (unsigned level = 1; level < b->levels; level++) {
        uint64_t bit = (uint64_t)1 << index % 64;
        uint64_t *up = &b->level[level][index / 64];
        uint64_t old = *up;
        *up = b->level[level - 1][index] ? old | bit : old & ~bit;
        if (*up == old) return;
        index /= 64;
    }
}

/* `words` are page_bitmap_bytes of zeroed memory; all pages are free afterwards. */
void page_bitmap_init(struct page_bitmap *b, uint64_t *words, uint32_t pages)
{
    b->levels = level_words(pages, b->words);
    for (unsigned i = 0; i < b->levels; i++) {
        b->level[i] = words;
        words += b->words[i];
    }
    b->pairs = words;
    b->pairs_summary = words + words_for(b->words[0]);
    for (uint32_t i = 0; i < pages; i++) b->level[0][i / 64] |= (uint64_t)1 << i % 64;
    for (uint32_t i = 0; i < b->words[0]; i++) bitmap_refresh(b, i);
}

static uint32_t find_single(const struct page_bitmap *b)
{
    unsigned level = b->levels - 1;
    uint32_t index = 0;
    while (index < b->words[level] && !b->level[level][index]) index++;
    if (index == b->words[level]) return NO_PAGE;
    for (;;) {
        index = index * 64 + (uint32_t)__builtin_ctzl(b->level[level][index]);
        if (level-- == 0) return index;
    }
}

uint32_t page_next_free(const struct heap *h, uint32_t page)
{
    const struct page_bitmap *b = &h->free_pages;
    uint32_t word = page / 64;
    if (word >= b->words[0]) return NO_PAGE;
    uint64_t bits = b->level[0][word] & UINT64_MAX << page % 64;
    for (uint32_t looked = 0; bits == 0; looked++) {
        if (++word >= b->words[0] || looked == NEXT_FREE_WORDS) return NO_PAGE;
        bits = b->level[0][word];
    }
    return word * 64 + (uint32_t)__builtin_ctzl(bits);
}

/* Pairs that straddle two words of level 0 are not looked for. */
static uint32_t find_pair(const struct page_bitmap *b)
{
    uint32_t summaries = words_for(words_for(b->words[0]));
    for (uint32_t i = 0; i < summaries; i++) {
        if (!b->pairs_summary[i]) continue;
        uint32_t pair = i * 64 + (uint32_t)__builtin_ctzl(b->pairs_summary[i]);
        uint32_t word = pair * 64 + (uint32_t)__builtin_ctzl(b->pairs[pair]);
        uint64_t w = b->level[0][word];
        return word * 64 + (uint32_t)__builtin_ctzl(w & w >> 1);
    }
    return NO_PAGE;
}

uint32_t page_take(struct heap *h, unsigned count)
{
    struct page_bitmap *b = &h->free_pages;
    assert(count == 1 || count == 2);
    if (pages_available(h) < count) return NO_PAGE;
    uint32_t page = count == 1 ? find_single(b) : find_pair(b);
    if (page == NO_PAGE) return NO_PAGE;
    if (h->huge_pages) range_page_take(h, page);
    b->level[0][page / 64] &= ~((((uint64_t)1 << count) - 1) << page % 64);
    bitmap_refresh(b, page / 64);
    h->free_page_count -= count;
    external_spares_limit(h);
    h->page_taken_ns = clock_ns();
    h->ahead_taken += count;
    h->retire_wanted = true;
    h->held_taken |= pages_unclaimed(h) < h->held_count;
    if (page + count > h->page_top) h->page_top = page + count;
    memory_unpoison(h->base + (size_t)page * PAGE_BYTES, (size_t)count * PAGE_BYTES);
    for (unsigned i = 0; i < count; i++) {
        struct page *p = &h->pages[page + i];
        assert(p->state == PAGE_FREE);
        if (p->touched)
            h->touched_free_count--;
        else
            h->touched_count++;
        *p = (struct page){.touched = true,
                           .bin = FULLNESS_BINS,
                           .previous = NO_PAGE,
                           .next = NO_PAGE,
                           /* It may have been given back while it was in the gray queue. */
                           .gray_queued = p->gray_queued,
                           .gray_next = p->gray_next,
                           .weak_first = NO_SLOT,
                           /* During marking its cells are born black, so it needs a sweep. */
                           .swept = h->gc.phase == GC_SWEEP ? h->gc.cycle : h->gc.cycle - 1};
    }
    return page;
}

void page_give(struct heap *h, uint32_t page, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct page *p = &h->pages[page + i];
        assert(p->weak_first == NO_SLOT && p->bin == FULLNESS_BINS && p->pins == 0);
        p->state = PAGE_FREE;
        cell_poison(h->base + (size_t)(page + i) * PAGE_BYTES, PAGE_BYTES);
        memset(&h->groups[(size_t)(page + i) * PAGE_GROUPS], 0,
               PAGE_GROUPS * sizeof(struct plane_group));
        h->free_pages.level[0][(page + i) / 64] |= (uint64_t)1 << (page + i) % 64;
        bitmap_refresh(&h->free_pages, (page + i) / 64);
    }
    h->free_page_count += count;
    h->touched_free_count += count;
    if (h->huge_pages) range_page_given(h, page);
}
