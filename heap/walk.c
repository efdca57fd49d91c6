/* walk.c - the deep size of a value: everything reachable from it, each object once.
 *
 * A walk has two planes of its own, `met` and `todo`, in reserved address space, and works in steps
 * between events, while others change the heap. So it keeps no references, only bits; and it
 * hears of every cell that is freed, whose bits then go. What is attached meanwhile to a
 * container that it has already looked at is left out. */
#include <stdlib.h>
#include <sys/mman.h>

#include "heap/census.h"
#include "heap/external.h"
#include "heap/store.h"

#define TODO_LEVELS 4

struct heap_walk {
    struct heap *h;
    uint64_t *met;  /* per group of 64 granules */
    /* Level 0 has a bit per granule; a bit of level n+1 says that a word of level n is not zero.
     * So the next object is found in a few steps, however sparse they are. */
    uint64_t *todo[TODO_LEVELS];
    size_t words[TODO_LEVELS];
    struct census_row total;
};

void *plane_map(size_t words)
{
    void *plane = mmap(NULL, words * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return plane == MAP_FAILED ? NULL : plane;
}

void plane_unmap(void *plane, size_t words) { munmap(plane, words * sizeof(uint64_t)); }

static void walk_todo_set(struct heap_walk *w, uint64_t index)
{
    for (unsigned level = 0; level < TODO_LEVELS; level++, index /= 64) {
        uint64_t *word = &w->todo[level][index / 64], old = *word;
        *word |= (uint64_t)1 << index % 64;
        if (old) return;
    }
}

static void walk_todo_clear(struct heap_walk *w, uint64_t group, uint64_t bits)
{
    w->todo[0][group] &= ~bits;
    for (unsigned level = 1; level < TODO_LEVELS && w->todo[level - 1][group] == 0; level++) {
        w->todo[level][group / 64] &= ~((uint64_t)1 << group % 64);
        group /= 64;
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
    if (value_is_kind(v, KIND_TABLE)) w->total.bytes += external_of(w->h, v)->bytes;
    /* Shapes belong to no value in particular, and what they hold is not followed. */
    if (!kind_is_leaf(ref_kind(v)) && ref_kind(v) != KIND_SHAPE) walk_todo_set(w, ref_granule(v));
}

void heap_walk_freed(struct heap *h, uint64_t group, uint64_t freed)
{
    walk_todo_clear(h->walk, group, freed);
    h->walk->met[group] &= ~freed;
}

static struct heap_walk *walk_begin(struct heap *h, value from, int *error)
{
    struct heap_walk *w = calloc(1, sizeof *w);
    *error = -ENOMEM;
    if (!w) return NULL;
    w->h = h;
    h->walk = w;
    h->walking = true;
    heap_pin(h); /* it knows objects by their places */
    size_t words = (size_t)h->page_count * PAGE_GROUPS;
    bool mapped = (w->met = plane_map(words)) != NULL;
    for (unsigned level = 0; level < TODO_LEVELS; level++, words = (words + 63) / 64) {
        w->words[level] = words;
        mapped = (w->todo[level] = plane_map(words)) != NULL && mapped;
    }
    if (!mapped) {
        heap_walk_end(w);
        return NULL;
    }
    *error = 0;
    walk_meet(w, from);
    return w;
}

struct heap_walk *heap_walk_start(struct heap *h, value from, int *error)
{
    *error = -EBUSY;
    return h->walk || h->walk_line ? NULL : walk_begin(h, from, error);
}

struct heap_walk *heap_walk_await(struct heap *h, value from, struct heap_walk_turn *turn,
                                  int *error)
{
    if (!turn->waits) {
        struct heap_walk_turn **last = &h->walk_line;
        while (*last) last = &(*last)->next;
        *turn = (struct heap_walk_turn){.waits = true};
        *last = turn;
    }
    *error = -EBUSY;
    if (h->walk || h->walk_line != turn) return NULL;
    heap_walk_turn_leave(h, turn);
    return walk_begin(h, from, error);
}

void heap_walk_turn_leave(struct heap *h, struct heap_walk_turn *turn)
{
    struct heap_walk_turn **at = &h->walk_line;
    if (!turn->waits) return;
    while (*at != turn) at = &(*at)->next;
    *at = turn->next;
    *turn = (struct heap_walk_turn){0};
}

/* The granule of the lowest object to look at; 0 if there is none. The top level has a word for
 * each 16 million granules. */
static uint64_t todo_first(const struct heap_walk *w)
{
    for (size_t i = 0; i < w->words[TODO_LEVELS - 1]; i++) {
        if (!w->todo[TODO_LEVELS - 1][i]) continue;
        uint64_t index = i;
        for (unsigned level = TODO_LEVELS; level-- > 0;)
            index = index * 64 + (uint64_t)__builtin_ctzl(w->todo[level][index]);
        return index;
    }
    return 0;
}

bool heap_walk_step(struct heap_walk *w, size_t words)
{
    uint64_t granule;
    for (size_t done = 0; (granule = todo_first(w)) != 0;) {
        if (done >= words) return false;
        walk_todo_clear(w, granule / GROUP_GRANULES, (uint64_t)1 << granule % GROUP_GRANULES);
        value v = ref_make(KIND_FIRST_CONTAINER, granule, 0);
        debug_assert(ref_group(w->h, v)->head & ref_bit(v));
        const value *slots = cell_words(w->h, v);
        size_t count = cell_word_count(w->h, v);
        /* A reference in the first word is a shape, or a link of the drop queue: none of it. */
        for (size_t i = 1; i < count; i++) walk_meet(w, slots[i]);
        done += count;
    }
    return true;
}

struct census_row heap_walk_total(const struct heap_walk *w) { return w->total; }

void heap_walk_end(struct heap_walk *w)
{
    w->h->walk = NULL;
    w->h->walking = false;
    heap_unpin(w->h);
    if (w->met) plane_unmap(w->met, w->words[0]);
    for (unsigned level = 0; level < TODO_LEVELS; level++)
        if (w->todo[level]) plane_unmap(w->todo[level], w->words[level]);
    free(w);
}
