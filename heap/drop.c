/* drop.c - what one owner gives up is freed without a collector.
 *
 * A leaf goes at once. A container goes to the drop queue and is taken apart in steps, so that
 * giving up ten million objects costs what giving up one costs. The queue needs no memory: it is
 * linked through the first words of the containers that wait in it, by ordinary references. So
 * a marker that meets one follows the link to the next, and the whole queue stays marked. */
#include "heap/external.h"
#include "heap/store.h"

/* The header (or shape) of a waiting container makes room for the link. */
static void drop_push(struct heap *h, value container)
{
    value *words = cell_words(h, container);
    /* Its subtree was reachable when the cycle began, and must last until it is taken apart. */
    if (h->marking && !planted(5)) gc_shade(h, container);
    store(h, &words[0], h->drop.first);
    h->drop.first = container;
    h->drop.length++;
}

void value_release(struct heap *h, value v)
{
    if (!value_is_ref(v)) return;
    if (ref_group(h, v)->shared & ref_bit(v)) {
        if (h->marking && !planted(5)) gc_shade(h, v);
        gc_shared_released(h, v);
    } else if (kind_is_leaf(ref_kind(v))) {
        cell_free(h, v);
    } else {
        drop_push(h, v);
    }
}

/* What freeing touches is asked for so many words before it is needed. */
#define DROP_AHEAD 8

static inline void value_prefetch(const struct heap *h, value v)
{
    if (!value_is_ref(v)) return;
    __builtin_prefetch(ref_group(h, v), 1);
    __builtin_prefetch(ref_page(h, v), 1);
    if (!kind_is_leaf(ref_kind(v))) __builtin_prefetch(ref_cell(h, v), 1);
}

bool heap_drop_pending(const struct heap *h)
{
    return h->drop.length != 0 || h->external.dying;
}

size_t heap_drop_step(struct heap *h, size_t words)
{
    struct drop_queue *drop = &h->drop;
    size_t done = 0;
    while (drop->length && done < words) {
        if (!drop->current) {
            drop->current = drop->first;
            value *first_word = cell_words(h, drop->current);
            drop->first = *first_word;
            store(h, first_word, VALUE_NIL);
            drop->word = 1;
            if (value_is_ref(drop->first)) __builtin_prefetch(cell_words(h, drop->first));
        }
        value *slots = cell_words(h, drop->current);
        size_t count = cell_word_count(h, drop->current);
        for (; drop->word < count && done < words; drop->word++, done++) {
            value child = slots[drop->word];
            if (drop->word + DROP_AHEAD < count) value_prefetch(h, slots[drop->word + DROP_AHEAD]);
            if (!value_is_ref(child)) continue;
            store_new(&slots[drop->word], VALUE_NIL); /* value_release shades the child */
            value_release(h, child);
        }
        if (drop->word < count) break;
        value finished = drop->current;
        drop->current = VALUE_NIL;
        drop->length--;
        cell_free(h, finished);
        done++;
    }
    if (h->external.dying && done < words) done += external_drop_step(h, words - done);
    return done;
}
