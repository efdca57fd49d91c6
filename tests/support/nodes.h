/* nodes.h - graphs of bare cells, for tests of the heap below its containers. */
#ifndef CAIRN_TESTS_NODES_H
#define CAIRN_TESTS_NODES_H

#include <check.h>

#include "heap/store.h"

/* A container of `count` slots after its header; VALUE_ABSENT when memory is short. */
static inline value node_new(struct heap *h, unsigned count)
{
    value node = cell_take(h, KIND_LIST, (count + 1) * sizeof(value), 0);
    if (node != VALUE_ABSENT) store_new(&cell_words(h, node)[0], cell_header(KIND_LIST, count));
    return node;
}

static inline value *node_slot(struct heap *h, value node, unsigned i)
{
    return &cell_words(h, node)[i + 1];
}

/* Replaces what is in a slot and releases it. Takes `v` over. */
static inline void node_set(struct heap *h, value node, unsigned i, value v)
{
    ck_assert_uint_ne(v, VALUE_ABSENT);
    value *slot = node_slot(h, node, i), old = *slot;
    store(h, slot, v);
    value_release(h, old);
}

static inline uint64_t object_count(struct heap *h)
{
    struct heap_stats stats;
    heap_stats(h, &stats);
    return stats.object_count;
}

#endif
