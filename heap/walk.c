/* walk.c - the deep size of a value: everything reachable from it, each object once.
 *
 * A walk has two planes of its own, `met` and `todo`, in reserved address space, and works in steps
 * between events, while others change the heap. So it keeps no references, only bits; and it
 * hears of every cell that is freed, whose bits then go. What is attached meanwhile to a
 * container that it has already looked at is left out. */
#include <stdlib.h>
#include <sys/mman.h>

#include "heap/census.h"
#include "heap/store.h"

struct heap_walk {
    struct heap *h;
    uint64_t *met;   /* per group of 64 granules */
    uint64_t *todo;
    uint64_t *groups_todo; /* a bit per group: its word of `todo` is not zero */
    size_t plane_bytes, summary_bytes;
    uint64_t groups;
    uint64_t cursor; /* word of groups_todo where the search goes on */
    uint64_t todo_count; /* groups with something to do */
    struct census_row total;
};

static void *plane_map(size_t bytes)
{
    void *plane = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return plane == MAP_FAILED ? NULL : plane;
}

static void walk_todo_set(struct heap_walk *w, uint64_t group, uint64_t bit)
{
    if (w->todo[group] == 0) {
        w->groups_todo[group / 64] |= (uint64_t)1 << group % 64;
        w->todo_count++;
    }
    w->todo[group] |= bit;
}

static void walk_todo_clear(struct heap_walk *w, uint64_t group, uint64_t bits)
{
    if ((w->todo[group] & bits) == 0) return;
    w->todo[group] &= ~bits;
    if (w->todo[group] == 0) {
        w->groups_todo[group / 64] &= ~((uint64_t)1 << group % 64);
        w->todo_count--;
    }
}

static void walk_meet(struct heap_walk *w, value v)
{
    if (!value_is_ref(v)) return;
    uint64_t group = ref_granule(v) / GROUP_GRANULES, bit = ref_bit(v);
    if (w->met[group] & bit) return;
    w->met[group] |= bit;
    w->total.count++;
    w->total.bytes += value_cell_bytes(w->h, v);
    /* Shapes belong to no value in particular, and what they hold is not followed. */
    if (!kind_is_leaf(ref_kind(v)) && ref_kind(v) != KIND_SHAPE) walk_todo_set(w, group, bit);
}

void heap_walk_freed(struct heap *h, uint64_t group, uint64_t freed)
{
    walk_todo_clear(h->walk, group, freed);
    h->walk->met[group] &= ~freed;
}

struct heap_walk *heap_walk_start(struct heap *h, value from, int *error)
{
    *error = h->walk ? -EBUSY : -ENOMEM;
    struct heap_walk *w = h->walk ? NULL : calloc(1, sizeof *w);
    if (!w) return NULL;
    w->h = h;
    w->groups = (uint64_t)h->page_count * PAGE_GROUPS;
    w->plane_bytes = w->groups * sizeof(uint64_t);
    w->summary_bytes = (w->groups + 63) / 64 * sizeof(uint64_t);
    w->met = plane_map(w->plane_bytes);
    w->todo = plane_map(w->plane_bytes);
    w->groups_todo = plane_map(w->summary_bytes);
    h->walk = w;
    h->walking = true;
    if (!w->met || !w->todo || !w->groups_todo) {
        heap_walk_end(w);
        return NULL;
    }
    *error = 0;
    walk_meet(w, from);
    return w;
}

static uint64_t next_group(struct heap_walk *w)
{
    uint64_t words = w->summary_bytes / sizeof(uint64_t);
    while (w->groups_todo[w->cursor] == 0)
        if (++w->cursor == words) w->cursor = 0;
    return w->cursor * 64 + (uint64_t)__builtin_ctzl(w->groups_todo[w->cursor]);
}

bool heap_walk_step(struct heap_walk *w, size_t words)
{
    size_t done = 0;
    while (w->todo_count && done < words) {
        uint64_t group = next_group(w);
        uint64_t bit = w->todo[group] & -w->todo[group];
        walk_todo_clear(w, group, bit);
        value v = ref_make(KIND_FIRST_CONTAINER,
                           group * GROUP_GRANULES + (unsigned)__builtin_ctzl(bit), 0);
        const value *slots = cell_words(w->h, v);
        size_t count = cell_word_count(w->h, v);
        for (size_t i = 0; i < count; i++) walk_meet(w, slots[i]);
        done += count;
    }
    return w->todo_count == 0;
}

struct census_row heap_walk_total(const struct heap_walk *w) { return w->total; }

void heap_walk_end(struct heap_walk *w)
{
    w->h->walk = NULL;
    w->h->walking = false;
    if (w->met) munmap(w->met, w->plane_bytes);
    if (w->todo) munmap(w->todo, w->plane_bytes);
    if (w->groups_todo) munmap(w->groups_todo, w->summary_bytes);
    free(w);
}
