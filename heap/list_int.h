/* list_int.h - between list.c and list_tree.c.
 *
 *   root   KIND_LIST          [header: length, is_tree][item]…            short lists
 *                             [header: length, is_tree][top][nil]…        the others
 *   leaf   KIND_LIST_LEAF     [header: items][item]…                LIST_LEAF_MAX at most
 *   node   KIND_LIST_NODE     [header: children]([items below][child])…  LIST_FANOUT at most
 *
 * The root is the list's identity: its cell is never replaced, and a list goes over to a
 * tree when it outgrows it. Leaves have cells of just the size class that they need; nodes
 * are always taken whole. All leaves are equally deep. No chunk is empty, and the top is
 * not a node with one child. Chunks that an append made are full; others are split into
 * halves and joined with a neighbour when they are down to a quarter, so that neighbours
 * are never both small, unless memory for joining them was short: the tree then works as
 * well. Slots beyond what the header counts are nil. */
#ifndef CAIRN_HEAP_LIST_INT_H
#define CAIRN_HEAP_LIST_INT_H

#include "heap/heap_int.h"
#include "heap/list.h"
#include "heap/store.h"

#define LIST_LEAF_MAX (CELL_VALUES_MAX - 1)
#ifdef CAIRN_GC_STRESS
#define LIST_FANOUT 7
#else
#define LIST_FANOUT 63 /* 1 KiB: half of it is read to find a child */
#endif
#define LIST_NODE_WORDS (1 + 2 * LIST_FANOUT)
/* Every level has three times as many chunks as the one above, at the very least. */
#define LIST_HEIGHT_MAX 24

/* Items of a list that list_from_take puts into its root. */
#define LIST_ROOT_ITEMS_MAX 31

enum { LIST_HEADER, LIST_ITEMS, LIST_TOP = LIST_ITEMS };

static inline size_t list_root_length(const value *root)
{
    return header_payload(root[LIST_HEADER]) >> 1;
}
static inline bool list_root_is_tree(const value *root)
{
    return header_payload(root[LIST_HEADER]) & 1;
}
static inline value list_root_header(size_t length, bool is_tree)
{
    return cell_header(KIND_LIST, (uint64_t)length << 1 | is_tree);
}

/* The items of a leaf, or the children of a node. */
static inline size_t list_chunk_size(const value *chunk)
{
    return header_payload(chunk[LIST_HEADER]);
}

/* The way from the top of a tree to an item. */
struct list_path {
    unsigned height; /* nodes above the leaf */
    struct {
        value node;
        unsigned slot;
    } step[LIST_HEIGHT_MAX]; /* from the top down */
    value leaf;
    size_t offset; /* of the item in the leaf; behind its last item if the path leads to the end */
};

/* Up to three stretches of words that are read as if they were one. */
struct list_source {
    const value *part[3];
    size_t count[3];
};

/* Finds the item at `index` <= length in a list that is a tree. */
void list_tree_find(const struct heap *h, value list, size_t index, struct list_path *path);

/* Makes a tree of `total` items, with full leaves if `packed`. VALUE_ABSENT when memory is
 * short, and nothing has changed. */
warn_unused value list_tree_build(struct heap *h, struct list_source *source, size_t total,
                                  bool packed);

/* list_insert_take() for a list that is a tree, but for the length in the root. */
warn_unused int list_tree_insert(struct heap *h, value list, size_t index, const value *items,
                                 size_t count);

/* Removes at least one and at most `count` items, leaving the length in the root to the
 * caller; returns how many. `count` is less than the length, or `out` is not NULL. What lies
 * in whole subtrees goes in one piece if `out` is NULL. Sets *unsettled if, after the last
 * of such steps, list_tree_settle() must follow. */
size_t list_tree_remove(struct heap *h, value list, size_t index, size_t count, value *out,
                        bool *unsettled);
/* Joins what is small on both sides of `index`. */
void list_tree_settle(struct heap *h, value list, size_t index);

/* Takes `count` items out of the `size` words at `items`, which belong to `cell`: to `out`,
 * or released. Closes the gap. */
void list_items_remove(struct heap *h, value cell, value *items, size_t size, size_t index,
                       size_t count, value *out);
/* Makes a gap for `count` items and fills it. The cell has the room. */
void list_items_insert(struct heap *h, value cell, value *items, size_t size, size_t index,
                       const value *added, size_t count);

#endif
