/* list_int.h - between list.c, list_tree.c and list_leaf.c.
 *
 *   root   KIND_LIST          [header: length, is_tree][item]…            short lists
 *                             [header: length, is_tree][top][nil]…        the others
 *   leaf   KIND_LIST_LEAF     [header: items][item]…                LIST_LEAF_MAX at most
 *          KIND_RAW           [header: items, width][integer of `width` bytes]…
 *          KIND_RAW           [header: items, 7, base, sign][double in 7 bytes]…  LIST_FLOATS_MAX
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

/* With its header, a full leaf of any width just fits a size class; one of floats fits the last but
 * one. */
#define LIST_LEAF_MAX (CELL_VALUES_MAX - 8)
#define LIST_FLOATS_MAX \
    ((PAGE_GRANULES / 5 * GRANULE_BYTES - sizeof(value)) / LIST_FLOAT)
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

/* The *format* of items says what leaf they need:
 *
 *   width        how many bytes an item takes: 1, 2 or 4 if all are integers, LIST_FLOAT if all are
 *                doubles of one sign and of LIST_FLOAT_EXPONENTS neighbouring exponents, else
 *                LIST_WIDE
 *   sign, range  of LIST_FLOAT: the sign and the exponents that there are
 *
 * A word that is a double has [exponent:9][mantissa:52][sign:1][tag:2] (value.h), so without sign
 * and tag, and with the exponent counted from a base, it fits 7 bytes. */
#define LIST_WIDE 8
#define LIST_FLOAT 7
#define LIST_FLOAT_EXPONENTS 16
static inline unsigned list_format_width(unsigned format) { return format & 15; }
static inline unsigned list_format_sign(unsigned format) { return format >> 4 & 1; }
static inline unsigned list_format_low(unsigned format) { return format >> 5 & 0x1ff; }
static inline unsigned list_format_high(unsigned format) { return format >> 14; }
static inline unsigned list_format_floats(unsigned sign, unsigned low, unsigned high)
{
    return high << 14 | low << 5 | sign << 4 | LIST_FLOAT;
}
/* The most items of a leaf. */
static inline size_t list_format_most(unsigned format)
{
    return list_format_width(format) == LIST_FLOAT ? LIST_FLOATS_MAX : LIST_LEAF_MAX;
}

/* The header of a leaf or node: its size, and how many bytes an item takes if they are fewer than a
 * value's; of floats, the sign and the base of the exponents. A raw leaf's header is written like
 * the others, so it can be read alike. */
static inline value list_chunk_header(enum kind kind, unsigned width, size_t size)
{
    return cell_header(kind, (uint64_t)(width & (LIST_WIDE - 1)) << 16 | size);
}
/* The items of a leaf, or the children of a node. */
static inline size_t list_chunk_size(const value *chunk)
{
    return header_payload(chunk[LIST_HEADER]) & 0xffff;
}
static inline unsigned list_leaf_width(const value *leaf)
{
    unsigned width = (unsigned)(header_payload(leaf[LIST_HEADER]) >> 16 & 7);
    return width == 0 ? LIST_WIDE : width;
}
/* What the leaf takes: of floats all that its base allows. */
static inline unsigned list_leaf_format(const value *leaf)
{
    unsigned width = list_leaf_width(leaf);
    if (width != LIST_FLOAT) return width;
    unsigned rest = (unsigned)(header_payload(leaf[LIST_HEADER]) >> 19), base = rest >> 1;
    return list_format_floats(rest & 1, base, base + LIST_FLOAT_EXPONENTS - 1);
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

/* --- list_tree.c */

/* Finds the item at `index` <= length in a list that is a tree. */
void list_tree_find(const struct heap *h, value list, size_t index, struct list_path *path);

/* Makes a tree of `total` items, with full leaves if `packed`. VALUE_ABSENT when memory is
 * short, and nothing has changed. */
warn_unused value list_tree_build(struct heap *h, struct list_source *source, size_t total,
                                  bool packed);

/* list_insert_take() for a list that is a tree, but for the length in the root. */
warn_unused int list_tree_insert(struct heap *h, value list, size_t index, const value *items,
                                 size_t count);

/* list_set_take() for a list that is a tree. */
warn_unused int list_tree_set_take(struct heap *h, value list, size_t index, value item);

/* list_set_ready() for a list that is a tree. */
warn_unused int list_tree_set_ready(struct heap *h, value list, size_t index, value item);

/* Removes at least one and at most `count` items, leaving the length in the root to the
 * caller; returns how many. `count` is less than the length, or `out` is not NULL. What lies
 * in whole subtrees goes in one piece if `out` is NULL. Sets *unsettled if, after the last
 * of such steps, list_tree_settle() must follow. */
size_t list_tree_remove(struct heap *h, value list, size_t index, size_t count, value *out,
                        bool *unsettled);
/* Joins what is small on both sides of `index`. */
void list_tree_settle(struct heap *h, value list, size_t index);

/* --- list_leaf.c */

/* The narrowest format of these items, of which there are some; and of items of both formats. */
unsigned list_format(const value *items, size_t count);
unsigned list_format_join(unsigned a, unsigned b);
/* A leaf of no items yet, with room for `room` of that format. VALUE_ABSENT if memory is short. */
warn_unused value list_leaf_take(struct heap *h, unsigned format, size_t room);
/* How many items the leaf's cell holds. */
size_t list_leaf_room(const struct heap *h, value leaf);
value list_leaf_get(const struct heap *h, value leaf, size_t index);
void list_leaf_read(const struct heap *h, value leaf, size_t index, value *out, size_t count);

/* In what follows the leaf has the room and the format. */
void list_leaf_set(struct heap *h, value leaf, size_t index, value item);
void list_leaf_insert(struct heap *h, value leaf, size_t index, const value *items, size_t count);
/* Puts items at the end that may have been in the heap before. */
void list_leaf_fill(struct heap *h, value leaf, const value *items, size_t count);
/* The same with all items of another leaf, which keeps its copy. */
void list_leaf_append(struct heap *h, value leaf, value from);
/* Takes items out: to `out`, or released. */
void list_leaf_remove(struct heap *h, value leaf, size_t index, size_t count, value *out);

/* --- list.c */

/* Takes `count` items out of the `size` words at `items`, which belong to `cell`: to `out`,
 * or released. Closes the gap. */
void list_items_remove(struct heap *h, value cell, value *items, size_t size, size_t index,
                       size_t count, value *out);
/* Makes a gap for `count` items and fills it. The cell has the room. */
void list_items_insert(struct heap *h, value cell, value *items, size_t size, size_t index,
                       const value *added, size_t count);

#endif
