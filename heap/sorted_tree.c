/* sorted_tree.c - the order-statistic tree of a sorted set; sorted_int.h has its layout.
 *
 * An insertion rewrites one leaf; if that is full, it is split, and so are the full nodes above it.
 * All memory that this takes is taken first, so a failure leaves the tree as it was. A
 * removal needs none: it joins small neighbours where it can, and where memory for a joined leaf
 * is short it lets them be. */
#include <stdio.h>

#include "heap/sorted_int.h"

/* A child of a node: three words. */
enum { CHILD_COUNT, CHILD, CHILD_BOUND, CHILD_WORDS };

/* The way from the top to an entry. */
struct path {
    unsigned height; /* nodes above the leaf */
    struct {
        value node;
        unsigned slot;
    } step[SORTED_HEIGHT_MAX]; /* from the top down */
    value leaf;
    size_t index;  /* of the first entry not before the target; the leaf's count if there is none */
    size_t before; /* entries in the leaves before this one */
};

/* --- nodes ----------------------------------------------------------------------------------*/

static unsigned node_size(const struct heap *h, value node)
{
    return (unsigned)header_payload(cell_words(h, node)[0]);
}

static void node_set_size(struct heap *h, value node, unsigned size)
{
    store(h, &cell_words(h, node)[0], cell_header(KIND_SORTED_NODE, size));
}

static value *node_child(const struct heap *h, value node, unsigned slot)
{
    return cell_words(h, node) + 1 + CHILD_WORDS * slot;
}

static size_t child_count(const value *child) { return (size_t)value_to_int(child[CHILD_COUNT]); }

static value node_new(struct heap *h)
{
    size_t bytes = (1 + CHILD_WORDS * SORTED_FANOUT) * sizeof(value);
    value node = cell_take(h, KIND_SORTED_NODE, bytes, 0);
    if (node != VALUE_ABSENT)
        store_new(&cell_words(h, node)[0], cell_header(KIND_SORTED_NODE, 0));
    return node;
}

static size_t node_total(const struct heap *h, value node)
{
    size_t total = 0;
    for (unsigned i = 0; i < node_size(h, node); i++) total += child_count(node_child(h, node, i));
    return total;
}

static size_t chunk_total(const struct heap *h, value chunk)
{
    return value_is_kind(chunk, KIND_SORTED_NODE) ? node_total(h, chunk)
                                                  : sorted_leaf_count(h, chunk);
}

static void child_add(struct heap *h, value node, unsigned slot, int64_t count)
{
    value *child = node_child(h, node, slot);
    store(h, &child[CHILD_COUNT], value_int((int64_t)child_count(child) + count));
}

/* The bound of a chunk that begins with this score. */
static value bound_of(struct number score)
{
    if (score.class == NUMBER_INT64)
        return value_int_fits(score.i) ? value_int(score.i) : VALUE_NIL;
    return value_double_fits(score.d) ? value_double(score.d) : VALUE_NIL;
}

/* Puts a child into a node that has room, before `slot`. The chunk is new. */
static void node_insert(struct heap *h, value node, unsigned slot, value chunk, value bound)
{
    unsigned size = node_size(h, node);
    value *child = node_child(h, node, slot);
    assert(size < SORTED_FANOUT && slot <= size);
    store_move(child + CHILD_WORDS, child, CHILD_WORDS * (size - slot));
    for (unsigned i = 0; i < CHILD_WORDS; i++) store_new(&child[i], VALUE_NIL);
    cell_moved_in(h, node);
    store(h, &child[CHILD_COUNT], value_int((int64_t)chunk_total(h, chunk)));
    store(h, &child[CHILD], chunk);
    store(h, &child[CHILD_BOUND], bound);
    node_set_size(h, node, size + 1);
}

/* Takes the reference to a child out, which the caller frees. */
static void node_remove(struct heap *h, value node, unsigned slot)
{
    unsigned last = node_size(h, node) - 1;
    value *child = node_child(h, node, slot), *end = node_child(h, node, last);
    store(h, &child[CHILD], VALUE_NIL);
    store_move(child, child + CHILD_WORDS, CHILD_WORDS * (last - slot));
    for (unsigned i = 0; i < CHILD_WORDS; i++) store_new(&end[i], VALUE_NIL);
    cell_moved_in(h, node);
    node_set_size(h, node, last);
}

/* Moves the children from `slot` on behind those of another node, which has room. */
static void node_move(struct heap *h, value from, unsigned slot, value to)
{
    unsigned size = node_size(h, from), at = node_size(h, to), count = size - slot;
    value *source = node_child(h, from, slot);
    store_move(node_child(h, to, at), source, CHILD_WORDS * count);
    for (unsigned i = 0; i < CHILD_WORDS * count; i++) store_new(&source[i], VALUE_NIL);
    cell_moved_in(h, to);
    node_set_size(h, to, at + count);
    node_set_size(h, from, slot);
}

/* --- finding --------------------------------------------------------------------------------*/

static void first_entry(const struct heap *h, value chunk, struct sorted_entry *entry)
{
    while (value_is_kind(chunk, KIND_SORTED_NODE)) chunk = node_child(h, chunk, 0)[CHILD];
    sorted_leaf_get(h, chunk, 0, entry);
}

/* Whether everything before this child lies before the target: then it may be in the child. */
static bool child_begins(const struct heap *h, const value *child,
                         const struct sorted_target *target)
{
    struct number bound = number_read(h, child[CHILD_BOUND]);
    if (bound.class != NUMBER_NONE) {
        int order = sorted_score_compare(bound, target->score);
        if (order != 0) return order < 0;
    }
    struct sorted_entry first;
    first_entry(h, child[CHILD], &first);
    return sorted_compare(&first, target) <= 0;
}

static unsigned node_find(const struct heap *h, value node, const struct sorted_target *target)
{
    unsigned low = 0, high = node_size(h, node); /* child `low` begins, child `high` does not */
    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        if (child_begins(h, node_child(h, node, middle), target)) low = middle;
        else high = middle;
    }
    return low;
}

static void path_find(const struct heap *h, value top, const struct sorted_target *target,
                      struct path *path)
{
    path->height = 0;
    path->before = 0;
    while (value_is_kind(top, KIND_SORTED_NODE)) {
        unsigned slot = node_find(h, top, target);
        assert(path->height < SORTED_HEIGHT_MAX);
        path->step[path->height].node = top;
        path->step[path->height++].slot = slot;
        for (unsigned i = 0; i < slot; i++) path->before += child_count(node_child(h, top, i));
        top = node_child(h, top, slot)[CHILD];
    }
    path->leaf = top;
    path->index = sorted_leaf_find(h, top, target);
}

size_t sorted_tree_rank(const struct heap *h, value top, const struct sorted_target *target)
{
    struct path path;
    if (top == VALUE_NIL) return 0;
    path_find(h, top, target, &path);
    return path.before + path.index;
}

value sorted_tree_select(const struct heap *h, value top, size_t rank, size_t *index)
{
    while (value_is_kind(top, KIND_SORTED_NODE)) {
        const value *child = node_child(h, top, 0);
        for (; rank >= child_count(child); child += CHILD_WORDS) rank -= child_count(child);
        top = child[CHILD];
    }
    *index = rank;
    return top;
}

/* The slot that refers to the chunk at this depth: 0 is the top. */
static value *path_owner(const struct heap *h, value *top, const struct path *path, unsigned depth)
{
    if (depth == 0) return top;
    return &node_child(h, path->step[depth - 1].node, path->step[depth - 1].slot)[CHILD];
}

/* --- inserting ------------------------------------------------------------------------------*/

/* What a split needs: leaves in place of the full one, nodes beside the full ones above. */
struct split {
    value left, right;
    value nodes[SORTED_HEIGHT_MAX + 1]; /* from the bottom; the last may be a new top */
    unsigned count;
};

/* A leaf of `bytes` with the first `to` entries of another from `from` on, and the new entry at
 * `index` of those unless that lies outside. */
static value leaf_copy(struct heap *h, const struct path *path, size_t from, size_t to,
                       const struct sorted_entry *entry, size_t bytes)
{
    value leaf = sorted_leaf_new(h, bytes);
    if (leaf == VALUE_ABSENT) return leaf;
    size_t middle = path->index < from ? from : path->index > to ? to : path->index;
    sorted_leaf_append(h, leaf, path->leaf, from, middle);
    if (entry) sorted_leaf_insert(h, leaf, middle - from, entry);
    sorted_leaf_append(h, leaf, path->leaf, middle, to);
    return leaf;
}

#define LEAF_HEADER_BYTES (2 * sizeof(uint16_t))

/* The bytes of entry `i` of the leaf as it will be. */
static size_t entry_bytes_at(const struct heap *h, const struct path *path,
                             const struct sorted_entry *entry, size_t i)
{
    struct sorted_entry there;
    if (i == path->index) return sorted_entry_bytes(entry);
    sorted_leaf_get(h, path->leaf, i < path->index ? i : i - 1, &there);
    return sorted_entry_bytes(&there);
}

/* How many of the entries, the new one among them, go to the left: about half of the bytes; all
 * but the new one if that is the last of all, as when entries come in order. */
static size_t split_at(const struct heap *h, const struct path *path,
                       const struct sorted_entry *entry, size_t total, size_t *left_bytes)
{
    size_t count = sorted_leaf_count(h, path->leaf) + 1, at = 0, bytes = LEAF_HEADER_BYTES;
    bool last = path->index + 1 == count;
    for (unsigned i = 0; i < path->height; i++)
        last = last && path->step[i].slot + 1 == node_size(h, path->step[i].node);
    while (at + 1 < count) {
        size_t next = entry_bytes_at(h, path, entry, at);
        if (at > 0 && !last && bytes + next / 2 > total / 2) break;
        bytes += next;
        at++;
    }
    *left_bytes = bytes;
    return at;
}

static void split_free(struct heap *h, struct split *split)
{
    if (value_is_ref(split->left)) cell_free(h, split->left);
    if (value_is_ref(split->right)) cell_free(h, split->right);
    while (split->count > 0) cell_free(h, split->nodes[--split->count]);
}

static int split_prepare(struct heap *h, const struct path *path, const struct sorted_entry *entry,
                         struct split *split)
{
    size_t count = sorted_leaf_count(h, path->leaf), left_bytes;
    size_t total = sorted_leaf_bytes(h, path->leaf) + sorted_entry_bytes(entry);
    size_t at = split_at(h, path, entry, total, &left_bytes);
    bool goes_left = path->index < at; /* the new one */
    split->count = 0;
    split->right = VALUE_NIL;
    split->left = leaf_copy(h, path, 0, at - goes_left, goes_left ? entry : NULL, left_bytes);
    if (split->left != VALUE_ABSENT)
        split->right = leaf_copy(h, path, at - goes_left, count, goes_left ? NULL : entry,
                                 total - left_bytes + LEAF_HEADER_BYTES);
    bool failed = split->left == VALUE_ABSENT || split->right == VALUE_ABSENT;
    unsigned full = 0;
    while (full < path->height &&
           node_size(h, path->step[path->height - 1 - full].node) == SORTED_FANOUT)
        full++;
    unsigned wanted = full + (full == path->height);
    while (!failed && split->count < wanted) {
        value node = node_new(h);
        failed = node == VALUE_ABSENT;
        if (!failed) split->nodes[split->count++] = node;
    }
    if (!failed) return 0;
    split_free(h, split);
    return -ENOMEM;
}

/* Puts `right` behind the chunk at this step's slot, which has changed, into a full node: half
 * of it goes to `sibling`. Returns the sibling's bound. */
static value node_split(struct heap *h, value node, unsigned slot, value right, value bound,
                        value sibling)
{
    unsigned half = SORTED_FANOUT / 2 + 1;
    /* Those that come in order leave full nodes behind. */
    if (slot + 1 == SORTED_FANOUT) half = SORTED_FANOUT - 1;
    value sibling_bound = node_child(h, node, half)[CHILD_BOUND];
    node_move(h, node, half, sibling);
    if (slot < half) node_insert(h, node, slot + 1, right, bound);
    else node_insert(h, sibling, slot - half + 1, right, bound);
    return sibling_bound;
}

static void split_link(struct heap *h, value *top, const struct path *path, struct split *split)
{
    struct sorted_entry first;
    sorted_leaf_get(h, split->right, 0, &first);
    value right = split->right, bound = bound_of(first.score), old = path->leaf;
    store(h, path_owner(h, top, path, path->height), split->left);
    cell_free(h, old);
    unsigned used = 0, depth = path->height;
    while (right != VALUE_NIL && depth > 0) {
        value node = path->step[--depth].node;
        unsigned slot = path->step[depth].slot;
        value *child = node_child(h, node, slot);
        store(h, &child[CHILD_COUNT], value_int((int64_t)chunk_total(h, child[CHILD])));
        if (node_size(h, node) < SORTED_FANOUT) {
            node_insert(h, node, slot + 1, right, bound);
            right = VALUE_NIL;
        } else {
            value sibling = split->nodes[used++];
            bound = node_split(h, node, slot, right, bound, sibling);
            right = sibling;
        }
    }
    while (depth-- > 0) child_add(h, path->step[depth].node, path->step[depth].slot, 1);
    if (right == VALUE_NIL) return;
    value node = split->nodes[used], left = *top;
    store(h, top, VALUE_NIL);
    node_insert(h, node, 0, left, VALUE_NIL);
    node_insert(h, node, 1, right, bound);
    cell_moved_in(h, node);
    store(h, top, node);
}

int sorted_tree_insert(struct heap *h, value *top, const struct sorted_entry *entry)
{
    struct sorted_target target = {entry->score, entry->member, entry->length, 0};
    if (*top == VALUE_NIL) {
        value leaf = sorted_leaf_new(h, LEAF_HEADER_BYTES + sorted_entry_bytes(entry));
        if (leaf == VALUE_ABSENT) return -ENOMEM;
        sorted_leaf_insert(h, leaf, 0, entry);
        store(h, top, leaf);
        return 0;
    }
    struct path path;
    path_find(h, *top, &target, &path);
    size_t needed = sorted_leaf_bytes(h, path.leaf) + sorted_entry_bytes(entry);
    if (sorted_leaf_has_room(h, path.leaf, entry)) {
        sorted_leaf_insert(h, path.leaf, path.index, entry);
    } else if (needed <= LEAF_BYTES) {
        value old = path.leaf;
        value leaf = leaf_copy(h, &path, 0, sorted_leaf_count(h, old), entry, needed);
        if (leaf == VALUE_ABSENT) return -ENOMEM;
        store(h, path_owner(h, top, &path, path.height), leaf);
        cell_free(h, old);
    } else {
        struct split split;
        if (split_prepare(h, &path, entry, &split) < 0) return -ENOMEM;
        split_link(h, top, &path, &split);
        return 0;
    }
    for (unsigned i = 0; i < path.height; i++)
        child_add(h, path.step[i].node, path.step[i].slot, 1);
    return 0;
}

/* --- removing -------------------------------------------------------------------------------*/

/* Puts one leaf in place of two neighbours, if they are small enough for that and there is memory
 * for it. `slot` is that of the left one. */
static bool leaves_join(struct heap *h, value node, unsigned slot)
{
    value *left = node_child(h, node, slot), *right = node_child(h, node, slot + 1);
    value old[2] = {left[CHILD], right[CHILD]};
    size_t bytes = sorted_leaf_bytes(h, old[0]) + sorted_leaf_bytes(h, old[1]) - LEAF_HEADER_BYTES;
    if (bytes > LEAF_BYTES * 3 / 4) return false;
    value leaf = sorted_leaf_new(h, bytes);
    if (leaf == VALUE_ABSENT) return false;
    for (unsigned i = 0; i < 2; i++)
        sorted_leaf_append(h, leaf, old[i], 0, sorted_leaf_count(h, old[i]));
    store(h, &left[CHILD], leaf);
    store(h, &left[CHILD_COUNT], value_int((int64_t)sorted_leaf_count(h, leaf)));
    node_remove(h, node, slot + 1);
    cell_free(h, old[0]);
    cell_free(h, old[1]);
    return true;
}

/* The same with nodes; the right one's children move to the left. */
static bool nodes_join(struct heap *h, value parent, unsigned slot)
{
    value *left = node_child(h, parent, slot), *right = node_child(h, parent, slot + 1);
    value from = right[CHILD], to = left[CHILD];
    if (node_size(h, from) + node_size(h, to) > SORTED_FANOUT * 3 / 4) return false;
    store(h, &node_child(h, from, 0)[CHILD_BOUND], right[CHILD_BOUND]);
    node_move(h, from, 0, to);
    store(h, &left[CHILD_COUNT], value_int((int64_t)node_total(h, to)));
    node_remove(h, parent, slot + 1);
    cell_free(h, from);
    return true;
}

/* Joins the chunk at the slot with a neighbour if it is small. */
static void join(struct heap *h, value parent, unsigned slot)
{
    value chunk = node_child(h, parent, slot)[CHILD];
    bool is_node = value_is_kind(chunk, KIND_SORTED_NODE);
    bool (*join_two)(struct heap *, value, unsigned) = is_node ? nodes_join : leaves_join;
    if (is_node ? node_size(h, chunk) > SORTED_FANOUT / 3
                : sorted_leaf_bytes(h, chunk) > LEAF_BYTES / 3)
        return;
    if (slot + 1 < node_size(h, parent) && join_two(h, parent, slot)) return;
    if (slot > 0) join_two(h, parent, slot - 1);
}

/* A cell of the size that is needed, for a leaf that has become much smaller. */
static void leaf_shrink(struct heap *h, value *owner)
{
    value old = *owner;
    size_t bytes = sorted_leaf_bytes(h, old);
    if (bytes > value_cell_bytes(h, old) / 2) return;
    value leaf = sorted_leaf_new(h, bytes + bytes / 4);
    if (leaf == VALUE_ABSENT) return;
    sorted_leaf_append(h, leaf, old, 0, sorted_leaf_count(h, old));
    store(h, owner, leaf);
    cell_free(h, old);
}

void sorted_tree_remove(struct heap *h, value *top, const struct sorted_entry *entry)
{
    struct sorted_target target = {entry->score, entry->member, entry->length, 0};
    struct path path;
    path_find(h, *top, &target, &path);
    sorted_leaf_remove(h, path.leaf, path.index);
    for (unsigned i = 0; i < path.height; i++)
        child_add(h, path.step[i].node, path.step[i].slot, -1);

    /* What is empty goes, from the leaf up. */
    value chunk = path.leaf;
    unsigned depth = path.height;
    bool empty = sorted_leaf_count(h, chunk) == 0;
    while (empty && depth > 0) {
        depth--;
        node_remove(h, path.step[depth].node, path.step[depth].slot);
        cell_free(h, chunk);
        chunk = path.step[depth].node;
        empty = node_size(h, chunk) == 0;
    }
    if (empty) {
        store(h, top, VALUE_NIL);
        cell_free(h, chunk);
        return;
    }
    if (depth == path.height) leaf_shrink(h, path_owner(h, top, &path, depth));
    while (depth > 0) {
        depth--;
        join(h, path.step[depth].node, path.step[depth].slot);
    }
    while (value_is_kind(*top, KIND_SORTED_NODE) && node_size(h, *top) == 1) {
        value old = *top, only = node_child(h, old, 0)[CHILD];
        store(h, &node_child(h, old, 0)[CHILD], VALUE_NIL);
        store(h, top, only);
        cell_free(h, old);
    }
}

/* --- checking -------------------------------------------------------------------------------*/

static struct sorted_target target_of(const struct sorted_entry *entry)
{
    return (struct sorted_target){entry->score, entry->member, entry->length, 0};
}

/* The last entry of a chunk. */
static void last_entry(const struct heap *h, value chunk, struct sorted_entry *entry)
{
    while (value_is_kind(chunk, KIND_SORTED_NODE))
        chunk = node_child(h, chunk, node_size(h, chunk) - 1)[CHILD];
    sorted_leaf_get(h, chunk, sorted_leaf_count(h, chunk) - 1, entry);
}

static int verify_leaf(const struct heap *h, value leaf, char *message, size_t size)
{
    size_t count = sorted_leaf_count(h, leaf);
    struct sorted_entry a, b;
    if (count == 0) return verify_fail(message, size, "a leaf is empty");
    if (sorted_leaf_bytes(h, leaf) > value_cell_bytes(h, leaf))
        return verify_fail(message, size, "a leaf has %zu bytes in a cell of %zu",
                           sorted_leaf_bytes(h, leaf), value_cell_bytes(h, leaf));
    for (size_t i = 0; i + 1 < count; i++) {
        sorted_leaf_get(h, leaf, i, &a);
        sorted_leaf_get(h, leaf, i + 1, &b);
        struct sorted_target target = target_of(&b);
        if (sorted_compare(&a, &target) >= 0)
            return verify_fail(message, size, "entries %zu and %zu of a leaf are out of order", i,
                               i + 1);
    }
    return 0;
}

static int verify_children(const struct heap *h, value node, char *message, size_t size)
{
    for (unsigned i = 0; i < node_size(h, node); i++) {
        const value *child = node_child(h, node, i);
        if (child_count(child) != chunk_total(h, child[CHILD]))
            return verify_fail(message, size, "a node counts %zu entries below a child of %zu",
                               child_count(child), chunk_total(h, child[CHILD]));
        if (i == 0) continue;
        struct sorted_entry last, first;
        last_entry(h, node_child(h, node, i - 1)[CHILD], &last);
        first_entry(h, child[CHILD], &first);
        struct sorted_target target = target_of(&first);
        if (sorted_compare(&last, &target) >= 0)
            return verify_fail(message, size, "children %u and %u of a node are out of order",
                               i - 1, i);
        struct number bound = number_read(h, child[CHILD_BOUND]);
        if (bound.class != NUMBER_NONE && (sorted_score_compare(last.score, bound) > 0 ||
                                           sorted_score_compare(bound, first.score) > 0))
            return verify_fail(message, size, "the bound of child %u of a node is wrong", i);
    }
    return 0;
}

/* Depth first; as many nodes are open as the tree is high. */
int sorted_tree_verify(const struct heap *h, value top, size_t *count, char *message, size_t size)
{
    struct path path = {.height = 0};
    unsigned leaf_height = SORTED_HEIGHT_MAX;
    *count = top == VALUE_NIL ? 0 : chunk_total(h, top);
    if (top == VALUE_NIL) return 0;
    if (value_is_kind(top, KIND_SORTED_NODE) && node_size(h, top) < 2)
        return verify_fail(message, size, "the top is a node of one child");
    for (value chunk = top;;) {
        if (value_is_kind(chunk, KIND_SORTED_NODE)) {
            if (path.height == SORTED_HEIGHT_MAX || node_size(h, chunk) == 0 ||
                node_size(h, chunk) > SORTED_FANOUT)
                return verify_fail(message, size, "a node is too low or has %u children",
                                   node_size(h, chunk));
            if (verify_children(h, chunk, message, size) < 0) return -EINVAL;
            path.step[path.height].node = chunk;
            path.step[path.height++].slot = 0;
        } else {
            if (leaf_height == SORTED_HEIGHT_MAX) leaf_height = path.height;
            if (path.height != leaf_height)
                return verify_fail(message, size, "leaves are not equally deep");
            if (verify_leaf(h, chunk, message, size) < 0) return -EINVAL;
            while (path.height > 0 && ++path.step[path.height - 1].slot ==
                                          node_size(h, path.step[path.height - 1].node))
                path.height--;
            if (path.height == 0) return 0;
        }
        unsigned last = path.height - 1;
        chunk = node_child(h, path.step[last].node, path.step[last].slot)[CHILD];
    }
}
