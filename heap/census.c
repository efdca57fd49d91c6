/* census.c - objects by kind, counted page by page. */
#include "heap/census.h"

#include "heap/external.h"

#include "heap/store.h"

void census_init(struct census *c) { *c = (struct census){0}; }

/* The kind of a container is in its header; a waiting one's made room for the queue's link. */
static struct census_row *container_row(struct census *c, value first_word)
{
    if (value_is_int(first_word)) return &c->by_kind[header_kind(first_word)];
    if (value_is_kind(first_word, KIND_SHAPE)) return &c->by_kind[KIND_RECORD];
    return &c->dropped;
}

static void count_page(const struct heap *h, struct census *c, uint32_t page)
{
    const struct page *p = &h->pages[page];
    bool unswept = page_unswept(h, p);
    size_t bytes = page_cell_bytes(p);
    unsigned groups = p->state == PAGE_RUN ? 1 : PAGE_GROUPS;
    for (unsigned i = 0; i < groups; i++) {
        uint64_t group = (uint64_t)page * PAGE_GROUPS + i;
        uint64_t live = h->groups[group].head;
        if (unswept) live &= h->groups[group].mark;
        if (p->content != CONTENT_CONTAINERS) {
            unsigned count = (unsigned)__builtin_popcountl(live);
            c->by_kind[p->content].count += count;
            c->by_kind[p->content].bytes += count * bytes;
            for (; live && p->content == KIND_TABLE; live &= live - 1) {
                uint64_t granule = group * GROUP_GRANULES + (unsigned)__builtin_ctzl(live);
                value table = ref_make(KIND_TABLE, granule, 0);
                c->by_kind[KIND_TABLE].bytes += external_counted(external_of(h, table));
            }
            continue;
        }
        for (; live; live &= live - 1) {
            uint64_t granule = group * GROUP_GRANULES + (unsigned)__builtin_ctzl(live);
            value first_word = *(const value *)(h->base + granule * GRANULE_BYTES);
            struct census_row *row = container_row(c, first_word);
            row->count++;
            row->bytes += bytes;
        }
    }
}

bool census_step(const struct heap *h, struct census *c, size_t pages)
{
    for (; pages > 0 && c->next_page < h->page_top; pages--, c->next_page++) {
        const struct page *p = &h->pages[c->next_page];
        if (p->state == PAGE_CELLS || p->state == PAGE_RUN)
            count_page(h, c, (uint32_t)c->next_page);
    }
    return c->next_page >= h->page_top;
}
