/* sorted_int.h - between sorted_set.c, sorted_tree.c and sorted_leaf.c.
 *
 *   root   KIND_SORTED_SET   [header][scores: a map of member to score][top or nil][nil]
 *   node   KIND_SORTED_NODE  [header: children]([entries below][child][bound])…
 *   leaf   KIND_RAW          [count:16][end:16][entry]…   …[offset of entry 1:16][of entry 0:16]
 *   entry                    [format:8][score: 0..8 bytes][member]   (sorted_leaf.c)
 *
 * The tree is a counted B+ tree of the entries in order. A leaf's entries lie in order without
 * gaps, so an entry ends where the next begins; `end` is where the last does. Their offsets grow
 * from the cell's end downwards. A leaf has a cell of just the size class that it needs, of up to
 * LEAF_BYTES, or up to twice the longest entry if that is more. Nodes are taken whole. All
 * leaves are equally deep, no chunk is empty, and the top is no node with one child.
 *
 * The bound of a child (of all but a node's first, whose bound means nothing) spares looks into
 * leaves: no entry before the child has a higher score, no entry in it a lower one. It stays when
 * entries go, and so need not be the score of an entry. It is nil where the score is none that
 * a word holds; then, and where it equals the score that is sought, the child's first entry
 * decides.
 *
 * A member is in the tree twice, under its old score and its new one, only while a change of it is
 * open. */
#ifndef CAIRN_HEAP_SORTED_INT_H
#define CAIRN_HEAP_SORTED_INT_H

#include "heap/map.h"
#include "heap/sorted_set.h"
#include "heap/store.h"

/* About 3 KiB: ten fill a page. */
#define LEAF_BYTES (PAGE_BYTES / 10 / GRANULE_BYTES * GRANULE_BYTES)
#ifdef CAIRN_GC_STRESS
#define SORTED_FANOUT 7
#else
#define SORTED_FANOUT 42 /* 1 KiB */
#endif
/* Every node but the rightmost ones has a third of the fanout at the very least. */
#define SORTED_HEIGHT_MAX 40

enum { SORTED_HEADER, SORTED_SCORES, SORTED_TOP, SORTED_ROOT_WORDS = 4 };

/* What is sought: the entry of a member, or with an edge the place before (-1) or behind (1) all
 * entries of its score. */
struct sorted_target {
    struct number score;
    const char *member;
    size_t length;
    int edge;
};

/* -1, 0, 1: where the entry lies as seen from the target. */
int sorted_compare(const struct sorted_entry *entry, const struct sorted_target *target);

/* --- sorted_leaf.c */

size_t sorted_entry_bytes(const struct sorted_entry *entry); /* its offset included */
size_t sorted_leaf_count(const struct heap *h, value leaf);
size_t sorted_leaf_bytes(const struct heap *h, value leaf);  /* that it needs */
void sorted_leaf_get(const struct heap *h, value leaf, size_t index, struct sorted_entry *entry);
/* The first entry that does not lie before the target. */
size_t sorted_leaf_find(const struct heap *h, value leaf, const struct sorted_target *target);
/* An empty leaf of at least `bytes`. VALUE_ABSENT when memory is short. */
warn_unused value sorted_leaf_new(struct heap *h, size_t bytes);
/* Whether the leaf's cell has room for the entry. */
bool sorted_leaf_has_room(const struct heap *h, value leaf, const struct sorted_entry *entry);
/* There is room. */
void sorted_leaf_insert(struct heap *h, value leaf, size_t index,
                        const struct sorted_entry *entry);
void sorted_leaf_remove(struct heap *h, value leaf, size_t index);
/* Copies entries [from, to) of another leaf behind those that are there. There is room. */
void sorted_leaf_append(struct heap *h, value leaf, value source, size_t from, size_t to);

/* --- sorted_tree.c; `top` is the root's slot */

/* 0 or -ENOMEM. */
warn_unused int sorted_tree_insert(struct heap *h, value *top, const struct sorted_entry *entry);
/* The entry is there. Never fails. */
void sorted_tree_remove(struct heap *h, value *top, const struct sorted_entry *entry);
/* The number of entries before the target. */
size_t sorted_tree_rank(const struct heap *h, value top, const struct sorted_target *target);
/* The leaf with the entry of this rank, which exists, and its index there. */
value sorted_tree_select(const struct heap *h, value top, size_t rank, size_t *index);
int sorted_tree_verify(const struct heap *h, value top, size_t *count, char *message, size_t size);

#endif
