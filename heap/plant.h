/* plant.h - deliberate bugs, built one at a time by -DCAIRN_PLANT=n, that the tests must catch;
 * tests/plants.md lists them. */
#ifndef CAIRN_HEAP_PLANT_H
#define CAIRN_HEAP_PLANT_H

#ifdef CAIRN_PLANT
#define planted(n) (CAIRN_PLANT == (n))
#else
#define planted(n) ((void)(n), 0)
#endif

/* Why references were moved into a cell: a bug of its own for each, that leaves the cell as it
 * is instead of graying it again. */
enum moved {
    MOVED = 3,             /* whatever has no name of its own */
    MOVED_LIST_SHIFT = 9,  /* items of a leaf move down, over those that were removed */
    MOVED_LEAF_FILL = 10,  /* a leaf is filled from others: splits and joins */
    MOVED_NODE_FILL = 11,  /* a new node is filled from an old one */
    MOVED_NODE_SHIFT = 12, /* children move down, over those that were removed */
    MOVED_NODE_JOIN = 13,  /* a node takes over its neighbour's children */
    MOVED_TREE_TOP = 14,   /* the only child of the top becomes the top */
    MOVED_HASH_SPLIT = 15, /* a segment's pairs are dealt out over two */
    MOVED_HASH_NODE = 16,  /* a node of twice the size takes over its segments */
    MOVED_RECORD = 17,     /* a record's values move to a larger body */
    MOVED_LINEAR = 31,     /* a linear map's pairs move to a larger body */
    MOVED_ORDERED = 32,    /* an ordered map's entries move down, over those that were removed */
    MOVED_ENTRIES = 33,    /* an ordered map's entries move to a larger chunk */
    MOVED_ROPE_NODE = 34,  /* a rope's node moves to a larger cell */
    MOVED_ROPE = 35,       /* what a rope has goes over to a root of another kind */
    MOVED_VALUES = 36,     /* the values of a segment move to a larger cell */
    MOVED_FIELDS = 37,     /* a record's values move down, over those that were removed */
};

#endif
