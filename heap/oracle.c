/* oracle.c - debug builds: what the collector promises, checked against a list made beforehand.
 *
 * The promise of snapshot-at-the-beginning is that everything that was reachable when a cycle
 * began is marked when marking ends, whatever became of the path that led there, unless its one
 * owner freed it meanwhile; and that what was made meanwhile is black. The shadow mark of verify.c
 * asks less: that what is reachable at the *end* is marked. A barrier that is missing harms it only
 * if the object that was lost is still in use. Here it shows in every cycle in which the marker
 * was misled, even if nobody has suffered yet.
 *
 * So when a cycle begins, two bits are kept for each granule, in C memory:
 *
 *   snapshot   an object that is reachable begins here
 *   old        an object begins here, reachable or not: all others are newborn
 *
 * Both are cleared when the object's owner frees it (then what is made in that cell is new), and
 * go along when the marker moves it. When marking ends,
 *
 *   snapshot ⊆ MARK      and      HEAD \ old ⊆ MARK.
 *
 * Heaps of more than ORACLE_OBJECTS_MAX objects are left alone: the list takes time. */
#include "heap/oracle.h"

#ifdef CAIRN_DEBUG
#include <stdio.h>
#include <stdlib.h>

#include "heap/store.h"
#include "heap/traversal.h"

#define ORACLE_OBJECTS_MAX 100000

struct oracle {
    struct traversal snapshot;
    uint64_t *old;
    uint64_t groups; /* that both cover: pages that were taken since have newborns only */
};

static void reach(struct traversal *t, value v)
{
    if (value_is_ref(v)) traversal_meet(t, v);
}

static void reach_all(struct traversal *t)
{
    struct heap *h = t->h;
    for (unsigned i = 0; i < ROOT_COUNT; i++) reach(t, h->roots[i]);
    for (const struct root_frame *f = h->frames; f; f = f->next)
        for (size_t i = 0; i < f->count; i++) reach(t, f->slots[i]);
    reach(t, h->drop.first);
    reach(t, h->drop.current);
    while (t->count) {
        value container = t->stack[--t->count];
        const value *words = cell_words(h, container);
        size_t count = cell_word_count(h, container);
        for (size_t i = 0; i < count; i++) reach(t, words[i]);
    }
}

static struct oracle *oracle_create(struct heap *h)
{
    struct oracle *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    o->groups = (uint64_t)h->page_top * PAGE_GROUPS;
    o->old = malloc((o->groups + 1) * sizeof *o->old);
    if (!o->old || traversal_open(&o->snapshot, h) != 0) {
        free(o->old);
        free(o);
        return NULL;
    }
    return o;
}

void oracle_begin(struct heap *h)
{
    oracle_end(h);
    if (heap_object_count(h) > ORACLE_OBJECTS_MAX) return;
    struct oracle *o = h->oracle = oracle_create(h);
    if (!o) return; /* no memory to spare for it, and nothing depends on it */
    for (uint64_t i = 0; i < o->groups; i++) o->old[i] = h->groups[i].head;
    reach_all(&o->snapshot);
}

void oracle_end(struct heap *h)
{
    struct oracle *o = h->oracle;
    if (!o) return;
    h->oracle = NULL;
    traversal_close(&o->snapshot);
    free(o->old);
    free(o);
}

void oracle_freed(struct heap *h, value v)
{
    struct oracle *o = h->oracle;
    uint64_t group = ref_granule(v) / GROUP_GRANULES;
    if (!o || group >= o->groups) return;
    o->snapshot.met[group] &= ~ref_bit(v);
    o->old[group] &= ~ref_bit(v);
}

/* Beyond what the list covers the bits get lost; there all objects must be black anyhow. */
void oracle_moved(struct heap *h, value from, value to)
{
    struct oracle *o = h->oracle;
    uint64_t group = ref_granule(to) / GROUP_GRANULES;
    uint64_t source = ref_granule(from) / GROUP_GRANULES;
    if (!o) return;
    if (group < o->groups && source < o->groups) {
        if (o->snapshot.met[source] & ref_bit(from)) o->snapshot.met[group] |= ref_bit(to);
        if (o->old[source] & ref_bit(from)) o->old[group] |= ref_bit(to);
    }
    oracle_freed(h, from);
}

/* What begins at a granule, for people. A record's header is its shape; a waiting container's has
 * made room for a link. */
static const char *object_name(const struct heap *h, uint64_t granule)
{
    unsigned content = h->pages[granule / PAGE_GRANULES].content;
    if (content != CONTENT_CONTAINERS) return kind_name((enum kind)content);
    value first_word = *(const value *)(h->base + granule * GRANULE_BYTES);
    if (value_is_kind(first_word, KIND_SHAPE)) return "record";
    return value_is_int(first_word) ? kind_name(header_kind(first_word)) : "container";
}

int oracle_check(const struct heap *h, char *message, size_t size)
{
    const struct oracle *o = h->oracle;
    if (size) message[0] = 0;
    if (!o) return 0;
    for (uint64_t i = 0; i < (uint64_t)h->page_top * PAGE_GROUPS; i++) {
        bool covered = i < o->groups;
        uint64_t white = h->groups[i].head & ~h->groups[i].mark;
        uint64_t lost = covered ? o->snapshot.met[i] & ~h->groups[i].mark : 0;
        uint64_t newborn = white & (covered ? ~o->old[i] : ~(uint64_t)0);
        if (!lost && !newborn) continue;
        uint64_t granule = i * GROUP_GRANULES + (unsigned)__builtin_ctzl(lost ? lost : newborn);
        snprintf(message, size,
                 lost ? "the %s at granule %lu was reachable when the cycle began, nobody freed "
                        "it, and marking ended without it"
                      : "the %s at granule %lu was made during the cycle, and is white",
                 object_name(h, granule), granule);
        return -EINVAL;
    }
    return 0;
}
#else
typedef int oracle_is_for_debug_builds; /* a file must not be empty */
#endif
