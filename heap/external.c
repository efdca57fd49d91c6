/* external.c - memory outside of the heap's pages: its accounts, and how it is let go. */
#include "heap/external.h"

#include <stdio.h>
#include <stdlib.h>

#include "heap/store.h"

/* Work of freeing a block, in words of the drop queue: what unmapping it costs. */
#define FREE_WORDS 64
#define BYTES_PER_FREE_WORD 512

/* --- lists -------------------------------------------------------------------------------------*/

static void list_push(struct external **list, struct external *e)
{
    e->previous = NULL;
    e->next = *list;
    if (*list) (*list)->previous = e;
    *list = e;
}

static void list_remove(struct external **list, struct external *e)
{
    if (e->previous)
        e->previous->next = e->next;
    else
        *list = e->next;
    if (e->next) e->next->previous = e->previous;
    e->previous = e->next = NULL;
}

/* --- accounts ----------------------------------------------------------------------------------*/

static bool fits(const struct heap *h, size_t bytes)
{
    return bytes <= (size_t)pages_available(h) * PAGE_BYTES;
}

/* How often one allocation may ask for relief besides freeing what is dying. */
#define RELIEFS_MAX 16
#define DYING_WORDS 65536

int external_add(struct external *e, size_t bytes)
{
    struct heap *h = e->heap;
    if (e->account) e = e->account;
    if (allocation_fails(h)) return -ENOMEM;
    /* Each step frees memory, so this takes as long as what is asked for is large. */
    while (!fits(h, bytes) && h->external.dying) external_drop_step(h, DYING_WORDS);
    for (unsigned i = 0; i < RELIEFS_MAX && !fits(h, bytes); i++)
        if (!heap_relieve(h)) break;
    if (!fits(h, bytes)) return -ENOMEM;
    h->external.bytes += bytes;
    e->bytes += bytes;
    external_spares_limit(h);
    return 0;
}

void external_subtract(struct external *e, size_t bytes)
{
    if (e->account) e = e->account;
    assert(bytes <= e->bytes);
    e->bytes -= bytes;
    e->heap->external.bytes -= bytes;
}

void *external_alloc(struct external *e, size_t bytes)
{
    if (external_add(e, bytes) != 0) return NULL;
    void *memory = malloc(bytes);
    if (!memory) external_subtract(e, bytes);
    return memory;
}

void external_free(struct external *e, void *memory, size_t bytes)
{
    if (!memory) return;
    external_subtract(e, bytes);
    free(memory);
}

size_t external_free_words(size_t bytes) { return FREE_WORDS + bytes / BYTES_PER_FREE_WORD; }

size_t external_counted(const struct external *e)
{
    return e->account ? e->account->bytes : e->bytes;
}

/* --- accounts of many --------------------------------------------------------------------------*/

static size_t account_free_step(struct external *e, size_t words, bool *done)
{
    (void)words;
    external_subtract(e, sizeof *e);
    *done = true;
    return 1;
}

static int account_verify(const struct external *e, char *message, size_t size)
{
    if (e->holds > 0) return 0;
    snprintf(message, size, "an account of external bytes lives, and nobody has it");
    return -EINVAL;
}

static const struct external_class account_class = {
    .name = "account",
    .free_step = account_free_step,
    .verify = account_verify,
};

static struct external *account_new(struct heap *h)
{
    struct external head = {.class = &account_class, .heap = h};
    if (external_add(&head, sizeof head) != 0) return NULL;
    struct external *account = malloc(sizeof *account);
    if (!account) {
        external_subtract(&head, sizeof head);
        return NULL;
    }
    *account = head;
    external_open(account);
    return account;
}

static void account_take(struct external *account, struct external *e)
{
    account->bytes += e->bytes;
    e->bytes = 0;
    e->account = account;
}

int external_join(struct external *e, struct external *with)
{
    assert(!e->account);
    if (!with->account) {
        struct external *account = account_new(with->heap);
        if (!account) return -ENOMEM;
        account_take(account, with); /* it holds it from the beginning */
    }
    external_hold(with->account);
    account_take(with->account, e);
    return 0;
}

/* --- leaves ------------------------------------------------------------------------------------*/

value external_leaf_new(struct heap *h, struct external *e)
{
    value leaf = cell_take(h, KIND_TABLE, sizeof e, 0);
    if (leaf == VALUE_ABSENT) return VALUE_ABSENT;
    store_bytes(h, leaf, 0, &e, sizeof e);
    e->holds = 1;
    e->dying = false;
    list_push(&h->external.living, e);
    return leaf;
}

static struct external *leaf_external(const void *cell)
{
    struct external *e;
    memcpy(&e, cell, sizeof e);
    return e;
}

struct external *external_of(const struct heap *h, value leaf)
{
    assert(value_is_kind(leaf, KIND_TABLE));
    return leaf_external(cell_bytes(h, leaf));
}

void external_open(struct external *e)
{
    e->holds = 1;
    e->dying = false;
    e->leaf_freed = true;
    list_push(&e->heap->external.living, e);
}

void external_move_leaf(struct heap *h, value leaf, struct external *from, struct external *to)
{
    assert(external_of(h, leaf) == from && to->leaf_freed && to->holds > 0);
    store_bytes(h, leaf, 0, &to, sizeof to);
    to->leaf_freed = false;
    from->leaf_freed = true;
    external_let_go(from);
}

void external_hold(struct external *e)
{
    assert(!e->dying);
    e->holds++;
}

void external_abandon(struct external *e)
{
    e->dying = true;
    list_push(&e->heap->external.dying, e);
}

void external_discard(struct external *e)
{
    assert(e->holds == 1 && !e->dying && e->leaf_freed && e->bytes == 0 && !e->account);
    list_remove(&e->heap->external.living, e);
    free(e);
}

void external_let_go(struct external *e)
{
    assert(e->holds > 0 && !e->dying);
    if (--e->holds) return;
    list_remove(&e->heap->external.living, e);
    external_abandon(e);
}

void external_leaf_freed(struct heap *h, const void *cell)
{
    struct external *e = leaf_external(cell);
    assert(e->heap == h);
    e->leaf_freed = true;
    external_let_go(e);
}

size_t external_drop_step(struct heap *h, size_t words)
{
    size_t done = 0;
    while (h->external.dying && done < words) {
        struct external *e = h->external.dying;
        bool finished = false;
        done += e->class->free_step(e, words - done, &finished);
        if (!finished) continue;
        assert(e->bytes == 0 && "what an external object counted must be given back");
        struct external *account = e->account;
        list_remove(&h->external.dying, e);
        free(e);
        if (account) external_let_go(account);
        done++;
    }
    return done;
}

void external_destroy_all(struct heap *h)
{
    while (h->external.dying) external_drop_step(h, SIZE_MAX / 2); /* they may hold living ones */
    while (h->external.living) {
        struct external *e = h->external.living;
        while (e->next && e->class == &account_class) e = e->next;
        assert(e->holds == 1 && !e->leaf_freed && "pinned while its heap is destroyed");
        external_let_go(e);
        while (h->external.dying) external_drop_step(h, SIZE_MAX / 2); /* and with it its account */
    }
    while (h->external.dying) external_drop_step(h, SIZE_MAX / 2);
    while (external_spares_release(h) > 0) continue;
}

/* --- the checker -------------------------------------------------------------------------------*/

static uint64_t count_leaves(const struct heap *h)
{
    uint64_t count = 0;
    for (uint32_t page = 0; page < h->page_top; page++)
        if (h->pages[page].state == PAGE_CELLS && h->pages[page].content == KIND_TABLE)
            count += page_live(h, &h->pages[page]);
    return count;
}

int external_verify(struct heap *h, char *message, size_t size)
{
    size_t bytes = 0;
    uint64_t with_leaves = 0;
    for (const struct external *e = h->external.living; e; e = e->next) {
        bytes += e->bytes;
        with_leaves += !e->leaf_freed;
        if (e->class->verify(e, message, size) != 0) return -EINVAL;
    }
    for (const struct external *e = h->external.dying; e; e = e->next) bytes += e->bytes;
    uint64_t leaves = count_leaves(h);
    if (bytes == h->external.bytes && leaves == with_leaves)
        return external_spares_verify(h, message, size);
    snprintf(message, size,
             "the heap counts %zu external bytes, their owners %zu; %lu leaves, %lu owners",
             h->external.bytes, bytes, leaves, with_leaves);
    return -EINVAL;
}
