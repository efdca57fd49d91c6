/* intern.h - short strings that repeat are stored once.
 *
 * Documents say the same short things again and again ("Debian Python Team", "not-for-us"), but
 * most strings that a server takes in are unique, and what has one owner is freed at once, which
 * must stay so. So a string becomes shared only when it is seen to repeat. The table is an array
 * of sets of four words, and a content's hash chooses the set:
 *
 *   [nil]          free
 *   [hash | 1]     an integer: the content was seen once; nothing refers to it
 *   [reference]    weak: a shared string, which whoever brings that content in will get
 *
 *   first sight    leaves its hash; the string is its owner's alone
 *   second sight   the new string becomes shared and takes the place of the hash
 *   third sight    gets the string of the second
 *
 * The table has a fixed size, made with the heap, and takes no part in keeping strings alive: the
 * drain phase takes out what was not marked. While marking a look-up shades what it finds, and
 * while draining it does not find what is not marked.
 *
 * An interned string that loses an owner makes no debt (gc_pace.c): a client that overwrites
 * keys with the same few strings must not keep the collector awake, and what can become garbage
 * unseen is no more than the table holds. A string that another pushes out of its set does
 * count, for then nothing bounds it. */
#ifndef CAIRN_HEAP_INTERN_H
#define CAIRN_HEAP_INTERN_H

#include "heap/heap.h"

/* The longest string that heap_config.intern_bytes_max may allow. */
#define INTERN_BYTES_MAX 254

/* text_new(h, data, length, false), but the result may be a shared string that others own too.
 * VALUE_ABSENT when memory is short. */
warn_unused value intern_text(struct heap *h, const void *data, size_t length);

struct intern_stats {
    uint64_t entries;     /* strings in the table */
    uint64_t hits;        /* how often one of them was given out, ever */
    uint64_t saved_bytes; /* of the cells that were not taken for it, ever */
};
/* All zero if strings are not interned. */
void intern_stats(const struct heap *h, struct intern_stats *stats);

#endif
