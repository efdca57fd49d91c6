/* table_column.c - the pieces that versions share: columns, texts, overlays, chunks. Each counts
 * its references, and its bytes with its table. */
#include "heap/table_int.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- texts -------------------------------------------------------------------------------------*/

#define PIECE_BYTES_MIN 256
#define PIECE_BYTES_MAX ((size_t)256 << 10)

static struct text_arena *arena_new(struct table *t)
{
    struct text_arena *arena = external_alloc(&t->external, sizeof *arena);
    if (arena) *arena = (struct text_arena){.refs = 1};
    return arena;
}

/* Pieces grow with what there is, so that small columns stay small. */
static struct text_piece *piece_new(struct table *t, struct text_arena *arena, size_t length)
{
    size_t capacity = arena->bytes < PIECE_BYTES_MIN   ? PIECE_BYTES_MIN
                      : arena->bytes > PIECE_BYTES_MAX ? PIECE_BYTES_MAX
                                                       : arena->bytes;
    if (capacity < length) capacity = length;
    struct text_piece *piece = external_alloc(&t->external, sizeof *piece + capacity);
    if (!piece) return NULL;
    *piece = (struct text_piece){.next = arena->pieces, .capacity = capacity};
    arena->pieces = piece;
    arena->bytes += sizeof *piece + capacity;
    return piece;
}

const char *arena_add(struct table *t, struct text_arena **arena, const char *data, size_t length)
{
    if (!*arena && !(*arena = arena_new(t))) return NULL;
    struct text_piece *piece = (*arena)->pieces;
    if (!piece || piece->capacity - piece->used < length) piece = piece_new(t, *arena, length);
    if (!piece) return NULL;
    char *copy = piece->data + piece->used;
    if (length) memcpy(copy, data, length);
    piece->used += length;
    return copy;
}

void arena_rewind(struct table *t, struct text_arena *arena, const struct text_piece *piece,
                  size_t used)
{
    while (arena->pieces != piece) {
        struct text_piece *newest = arena->pieces;
        size_t bytes = sizeof *newest + newest->capacity;
        arena->pieces = newest->next;
        arena->bytes -= bytes;
        external_free(&t->external, newest, bytes);
    }
    if (arena->pieces) arena->pieces->used = used;
}

void arena_unref(struct table *t, struct text_arena *arena)
{
    if (!arena || --arena->refs) return;
    arena_rewind(t, arena, NULL, 0);
    external_free(&t->external, arena, sizeof *arena);
}

/* --- columns -----------------------------------------------------------------------------------*/

struct plain_column *plain_column_new(struct table *t, uint32_t column, uint32_t capacity)
{
    const struct table_field *f = &t->fields[column];
    capacity = (capacity + 63) & ~63u;
    size_t elements = (size_t)capacity * element_bytes(f->type);
    size_t bytes = sizeof(struct plain_column) + elements + (f->null ? capacity / 8 : 0);
    struct external_block block;
    if (external_block_take(&t->external, bytes, &block) != 0) return NULL;
    struct plain_column *p = block.memory;
    *p = (struct plain_column){.head = {.refs = 1, .bytes = block.bytes},
                               .capacity = capacity,
                               .mapped = block.mapped};
    if (f->null) p->valid = (uint64_t *)(void *)(p->elements + elements);
    /* Texts that are not written yet have no bytes, and bits of valid ones are only set. What comes
     * fresh from the system is zero already, and first touched when it is filled. */
    if (!block.zero && field_is_text(f)) memset(p->elements, 0, elements);
    if (!block.zero && f->null) memset(p->valid, 0, capacity / 8);
    return p;
}

static void plain_column_free(struct table *t, struct plain_column *p)
{
    struct external_block block = {
        .memory = p, .bytes = p->head.bytes, .mapped = p->mapped};
    arena_unref(t, p->arena);
    external_block_give(&t->external, &block);
}

struct plain_column *plain_column_copy(struct table *t, uint32_t column,
                                       const struct plain_column *from, uint32_t count,
                                       uint32_t capacity)
{
    struct plain_column *p = plain_column_new(t, column, capacity);
    if (!p) return NULL;
    memcpy(p->elements, from->elements, count * element_bytes(t->fields[column].type));
    if (p->valid) {
        memcpy(p->valid, from->valid, count / 64 * 8);
        for (uint32_t i = count & ~63u; i < count; i++)
            if (bit_get(from->valid, i)) bit_set(p->valid, i);
    }
    p->written = count;
    p->text_bytes = from->text_bytes;
    p->dead_bytes = from->dead_bytes;
    p->arena = from->arena;
    if (p->arena) p->arena->refs++;
    return p;
}

static void column_free(struct table *t, struct column *c)
{
    if (!c->sealed) {
        plain_column_free(t, (struct plain_column *)c);
        return;
    }
    index_free(t, ((struct sealed_column *)c)->index);
    external_free(&t->external, c, c->bytes);
}

/* --- large columns -----------------------------------------------------------------------------
 *
 * A column of long texts may have a GiB, which the system takes back at no more than some GB/s. So
 * it is left to the drop queue, which frees it in parts. It holds its table as long, unless that is
 * being taken apart itself: then it comes before it in the queue. */

#define LARGE_BYTES ((size_t)2 << 20)
#define PART_BYTES ((size_t)1 << 20)

struct dying_column {
    struct external dying; /* first */
    struct table *t;
    struct column *column;
    bool holds;
};

static struct text_arena *own_arena(const struct column *c)
{
    struct text_arena *arena = c->sealed ? NULL : ((const struct plain_column *)c)->arena;
    return arena && arena->refs == 1 ? arena : NULL;
}

/* The end of a block goes back to the system, but for its last page. */
static void block_shrink(struct table *t, struct column *c, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = (uintptr_t)c + c->bytes;
    uintptr_t first = (end - bytes + page - 1) & ~(page - 1), last = end & ~(page - 1);
    if (first < last) (void)!madvise((void *)first, last - first, MADV_DONTNEED);
    c->bytes -= bytes;
    external_subtract(&t->external, bytes);
}

/* Frees a part of it. Returns the bytes; 0: all that is left is small. */
static size_t column_free_part(struct table *t, struct column *c)
{
    struct text_arena *arena = own_arena(c);
    if (arena && arena->pieces) {
        size_t before = arena->bytes;
        arena_rewind(t, arena, arena->pieces->next, arena->pieces->next
                                                        ? arena->pieces->next->used : 0);
        return before - arena->bytes;
    }
    if (!c->sealed || c->bytes < LARGE_BYTES) return 0;
    block_shrink(t, c, PART_BYTES);
    return PART_BYTES;
}

static size_t column_free_step(struct external *e, size_t words, bool *done)
{
    struct dying_column *d = (struct dying_column *)e;
    struct table *t = d->t;
    size_t work = 0;
    while (work < words) {
        size_t bytes = column_free_part(t, d->column);
        work += external_free_words(bytes ? bytes : d->column->bytes);
        if (bytes) continue;
        column_free(t, d->column);
        t->dying_parts--;
        if (d->holds) external_let_go(&t->external);
        *done = true;
        break;
    }
    return work;
}

static const struct external_class column_class = {
    .name = "column",
    .free_step = column_free_step,
};

static bool is_large(const struct column *c)
{
    const struct text_arena *arena = own_arena(c);
    return c->bytes + (arena ? arena->bytes : 0) >= 2 * LARGE_BYTES;
}

void column_unref(struct table *t, struct column *c)
{
    if (!c || --c->refs) return;
    struct dying_column *d = is_large(c) ? malloc(sizeof *d) : NULL;
    if (!d) {
        column_free(t, c);
        return;
    }
    *d = (struct dying_column){.dying = {.class = &column_class, .heap = t->external.heap},
                               .t = t,
                               .column = c,
                               .holds = !t->external.dying};
    if (d->holds) external_hold(&t->external);
    t->dying_parts++;
    external_abandon(&d->dying);
}

/* --- overlays ----------------------------------------------------------------------------------*/

static size_t overlay_size(uint32_t capacity)
{
    return sizeof(struct overlay) + capacity * sizeof(struct overlay_cell);
}

struct overlay *overlay_copy(struct table *t, bool texts, const struct overlay *from,
                             uint32_t capacity)
{
    struct overlay *o = external_alloc(&t->external, overlay_size(capacity));
    if (!o) return NULL;
    *o = (struct overlay){.refs = 1, .capacity = (uint16_t)capacity};
    if (texts && !(o->arena = from ? from->arena : arena_new(t))) {
        external_free(&t->external, o, overlay_size(capacity));
        return NULL;
    }
    if (!from) return o;
    if (texts) o->arena->refs++;
    o->count = from->count;
    memcpy(o->cells, from->cells, from->count * sizeof *o->cells);
    return o;
}

void overlay_unref(struct table *t, struct overlay *o)
{
    if (!o || --o->refs) return;
    arena_unref(t, o->arena);
    external_free(&t->external, o, overlay_size(o->capacity));
}

/* --- chunks ------------------------------------------------------------------------------------*/

static size_t chunk_size(const struct table *t)
{
    return sizeof(struct chunk) + t->column_count * sizeof(struct chunk_column);
}

struct chunk *chunk_new(struct table *t)
{
    struct chunk *c = external_alloc(&t->external, chunk_size(t));
    if (!c) return NULL;
    memset(c, 0, chunk_size(t));
    c->refs = 1;
    return c;
}

struct chunk *chunk_copy(struct table *t, const struct chunk *from)
{
    struct chunk *c = external_alloc(&t->external, chunk_size(t));
    if (!c) return NULL;
    memcpy(c, from, chunk_size(t));
    c->refs = 1;
    if (c->deletions) c->deletions->refs++;
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (c->columns[i].column) c->columns[i].column->refs++;
        if (c->columns[i].overlay) c->columns[i].overlay->refs++;
    }
    return c;
}

size_t chunk_unref(struct table *t, struct chunk *c)
{
    if (--c->refs) return 1;
    size_t before = external_counted(&t->external), pieces = 2;
    for (uint32_t i = 0; i < t->column_count; i++) {
        column_unref(t, c->columns[i].column);
        overlay_unref(t, c->columns[i].overlay);
        pieces += 2;
    }
    if (c->deletions && --c->deletions->refs == 0)
        external_free(&t->external, c->deletions, sizeof *c->deletions);
    external_free(&t->external, c, chunk_size(t));
    return pieces * external_free_words(0) / 4 +
           external_free_words(before - external_counted(&t->external));
}
