/* external_block.c - large blocks of external memory, and spare ones.
 *
 * The workload: plain columns of tables, half a megabyte each, come with every chunk of rows and go
 * when it is sealed. Beside smaller memory that stays, what they leave in malloc's heap are holes
 * that do not go back to the system; and if each new one is a new mapping, its page faults cost
 * more than filling it. So a block from EXTERNAL_BLOCK_BYTES_MIN on is a mapping, and one that is
 * given back is a spare for a while. The next one of about its size takes it, the newest first,
 * while the processor's caches still know it.
 *
 *   spares.bytes <= SPARES_BYTES_MAX, and <= what is free below the heap's limit
 *
 * So spares lie where nobody has claimed memory yet: they count for nothing, and nothing fails
 * because of them. What is above goes back to the system at once; when no block has been taken or
 * given back for a second, all of it does (trim.c). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "heap/external.h"
#include "heap/heap_int.h"

#define SYSTEM_PAGE_BYTES ((size_t)4096)
#define SPARES_BYTES_MAX ((size_t)8 << 20)
/* A spare may be larger than what is asked for by an eighth of that. */
#define SURPLUS_SHARE 8

_Static_assert(EXTERNAL_BLOCK_BYTES_MIN % SYSTEM_PAGE_BYTES == 0, "blocks are whole pages");

/* What lies at the beginning of a spare block. */
struct external_spare {
    struct external_spare *next; /* given back before this one */
    size_t bytes;
};

static void spares_push(struct heap *h, void *memory, size_t bytes)
{
    struct spares *s = &h->external.spares;
    struct external_spare *spare = memory;
    *spare = (struct external_spare){.next = s->newest, .bytes = bytes};
    s->newest = spare;
    s->bytes += bytes;
    block_poison(spare + 1, bytes - sizeof *spare);
}

static void *spares_unlink(struct heap *h, struct external_spare **place)
{
    struct external_spare *spare = *place;
    *place = spare->next;
    h->external.spares.bytes -= spare->bytes;
    memory_unpoison(spare, spare->bytes);
    return spare;
}

size_t external_spares_release(struct heap *h)
{
    struct external_spare **place = &h->external.spares.newest;
    if (!*place) return 0;
    while ((*place)->next) place = &(*place)->next;
    size_t bytes = (*place)->bytes;
    void *memory = spares_unlink(h, place);
    munmap(memory, bytes);
    return bytes;
}

void external_spares_limit(struct heap *h)
{
    const struct spares *s = &h->external.spares;
    while (s->bytes > SPARES_BYTES_MAX || s->bytes > (size_t)pages_unclaimed(h) * PAGE_BYTES)
        external_spares_release(h);
}

/* The newest spare that has `bytes`, and not many more. */
static struct external_spare **spares_find(struct heap *h, size_t bytes)
{
    struct external_spare **place = &h->external.spares.newest;
    while (*place && ((*place)->bytes < bytes || (*place)->bytes - bytes > bytes / SURPLUS_SHARE))
        place = &(*place)->next;
    return *place ? place : NULL;
}

/* Without a mapping (there may be too many), memory of malloc's will do. */
static bool block_map(struct external_block *b)
{
    void *memory = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b->mapped = memory != MAP_FAILED;
    b->memory = b->mapped ? memory : malloc(b->bytes);
    b->zero = b->mapped;
    return b->memory;
}

static void block_unmap(struct heap *h, const struct external_block *b)
{
    if (!b->mapped) {
        free(b->memory);
        return;
    }
    spares_push(h, b->memory, b->bytes);
    external_spares_limit(h);
}

/* The newest spare that suits, if what it is larger by fits as well. */
static bool take_spare(struct external *e, size_t bytes, struct external_block *b)
{
    struct heap *h = e->heap;
    struct external_spare **place = spares_find(h, bytes);
    if (!place) return false;
    b->bytes = (*place)->bytes;
    b->memory = spares_unlink(h, place);
    b->mapped = true;
    if (external_add(e, b->bytes) == 0) return true;
    block_unmap(h, b);
    return false;
}

int external_block_take(struct external *e, size_t bytes, struct external_block *b)
{
    struct heap *h = e->heap;
    bool large = bytes >= EXTERNAL_BLOCK_BYTES_MIN;
    size_t exact = large ? (bytes + SYSTEM_PAGE_BYTES - 1) & ~(SYSTEM_PAGE_BYTES - 1) : bytes;
    *b = (struct external_block){.bytes = exact};
    bool spare = large && take_spare(e, bytes, b);
    if (!spare) {
        bool tried = b->mapped && b->bytes == exact; /* and did not fit */
        *b = (struct external_block){.bytes = exact};
        if (tried || external_add(e, exact) != 0) return -ENOMEM;
    }
    if (large) h->external.spares.used_ns = clock_ns();
    if (spare || (large && block_map(b)) || (b->memory = malloc(exact))) return 0;
    external_subtract(e, exact);
    return -ENOMEM;
}

void external_block_give(struct external *e, const struct external_block *b)
{
    struct heap *h = e->heap;
    external_subtract(e, b->bytes);
    if (b->mapped) h->external.spares.used_ns = clock_ns();
    block_unmap(h, b);
}

int external_spares_verify(const struct heap *h, char *message, size_t size)
{
    const struct spares *s = &h->external.spares;
    size_t bytes = 0;
    for (const struct external_spare *spare = s->newest; spare; spare = spare->next)
        bytes += spare->bytes;
    if (bytes == s->bytes && bytes <= SPARES_BYTES_MAX &&
        bytes <= (size_t)pages_unclaimed(h) * PAGE_BYTES)
        return 0;
    snprintf(message, size, "the heap counts %zu bytes of spare blocks, of %zu that there are",
             s->bytes, bytes);
    return -EINVAL;
}
