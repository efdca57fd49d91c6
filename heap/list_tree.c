/* list_tree.c - long lists: a counted B+ tree (list_int.h draws it).
 *
 * Workload: lists of thousands to millions of items that are appended to, read by index and
 * in slices, used as queues, and now and then changed in the middle. Any of that touches
 * one leaf and the few nodes above it; nodes count the items below each child.
 *
 * An insertion that overflows a leaf is planned first, level by level (how many new chunks,
 * which old ones they replace); then all cells are taken; then nothing can fail. The same
 * code makes a whole tree, and splices a million items into the middle of one.
 * A removal takes no memory. It may ask for smaller cells, and goes on without. */
#include "heap/list_int.h"

#include <stdlib.h>

/* --- nodes ------------------------------------------------------------------------------*/

static inline size_t entry_items(const value *node, size_t slot)
{
    return (size_t)value_to_int(node[1 + 2 * slot]);
}
static inline value *entry_child(value *node, size_t slot) { return &node[2 + 2 * slot]; }

static inline void entry_set_items(struct heap *h, value *node, size_t slot, size_t items)
{
    store(h, &node[1 + 2 * slot], value_int((int64_t)items));
}

static inline bool chunk_is_node(value chunk) { return value_is_kind(chunk, KIND_LIST_NODE); }

static inline void node_set_size(struct heap *h, value node, size_t size)
{
    store(h, &cell_words(h, node)[LIST_HEADER], cell_header(KIND_LIST_NODE, size));
}

/* How many items are in a chunk or below it. */
static size_t chunk_items(const struct heap *h, value chunk)
{
    const value *words = cell_words(h, chunk);
    size_t size = list_chunk_size(words), items = 0;
    if (!chunk_is_node(chunk)) return size;
    for (size_t slot = 0; slot < size; slot++) items += entry_items(words, slot);
    return items;
}

/* The child with item *index of the `items` below the node; *index becomes relative to it.
 * The end belongs to the last child. Looks from the nearer side. */
static unsigned node_find(const value *node, size_t items, size_t *index)
{
    unsigned slot = 0;
    if (*index < items / 2) {
        while (*index >= entry_items(node, slot)) *index -= entry_items(node, slot++);
        return slot;
    }
    slot = (unsigned)list_chunk_size(node) - 1;
    size_t start = items - entry_items(node, slot);
    while (*index < start) start -= entry_items(node, --slot);
    *index -= start;
    return slot;
}

void list_tree_find(const struct heap *h, value list, size_t index, struct list_path *path)
{
    const value *root = cell_words(h, list);
    size_t items = list_root_length(root);
    value chunk = root[LIST_TOP];
    for (path->height = 0; chunk_is_node(chunk); path->height++) {
        assert(path->height < LIST_HEIGHT_MAX);
        value *node = cell_words(h, chunk);
        unsigned slot = node_find(node, items, &index);
        path->step[path->height].node = chunk;
        path->step[path->height].slot = slot;
        items = entry_items(node, slot);
        chunk = *entry_child(node, slot);
    }
    path->leaf = chunk;
    path->offset = index;
}

/* Adds to the counts on the way to a chunk of depth `depth`. */
static void path_add(struct heap *h, const struct list_path *path, unsigned depth, size_t items)
{
    for (unsigned i = 0; i < depth; i++) {
        value *node = cell_words(h, path->step[i].node);
        unsigned slot = path->step[i].slot;
        entry_set_items(h, node, slot, entry_items(node, slot) + items);
    }
}

/* The slot that refers to the chunk of depth `depth` on the path. */
static value *path_slot(const struct heap *h, value list, const struct list_path *path,
                        unsigned depth)
{
    if (depth == 0) return &cell_words(h, list)[LIST_TOP];
    return entry_child(cell_words(h, path->step[depth - 1].node), path->step[depth - 1].slot);
}

/* Moves a leaf to a cell for `room` items of that format. 0 or -ENOMEM. */
static int leaf_resize(struct heap *h, value list, struct list_path *path, unsigned format,
                       size_t room)
{
    value old = path->leaf, leaf = list_leaf_take(h, format, room);
    if (leaf == VALUE_ABSENT) return -ENOMEM;
    list_leaf_append(h, leaf, old);
    store(h, path_slot(h, list, path, path->height), leaf);
    cell_free(h, old);
    path->leaf = leaf;
    return 0;
}

/* --- planning ---------------------------------------------------------------------------*/

/* What an overflow does to one level of the tree: `members` (items or children) are dealt
 * out over `cells` new chunks. */
struct list_level {
    size_t members;
    size_t cells;
    value replaced; /* the old chunk whose members are among them, or VALUE_ABSENT */
};

struct list_plan {
    bool packed; /* appending: fill chunks to the brim */
    bool growing; /* more will follow: leave room in the last leaf */
    size_t leaf_most, old_most; /* items of a leaf: of new ones, of the old one */
    unsigned levels; /* how many levels get new chunks, from the leaves up */
    struct list_level level[LIST_HEIGHT_MAX + 1];
    size_t cell_count; /* of all levels */
    value *cells;      /* level by level */
    value *entries;    /* for one level: items, child, items, child… */
    value on_stack[64];
};

/* How many members the chunk `i` of a level gets. */
static size_t plan_share(const struct list_plan *plan, unsigned level, size_t i)
{
    const struct list_level *l = &plan->level[level];
    size_t most = level == 0 ? plan->leaf_most : LIST_FANOUT;
    if (plan->packed) return i + 1 < l->cells ? most : l->members - most * (l->cells - 1);
    return l->members / l->cells + (i < l->members % l->cells);
}

/* Plans a level: `have` members remain of the chunk `old`, `added` are new. Appending
 * leaves a full old chunk as it is. */
static struct list_level *plan_level(struct list_plan *plan, value old, size_t have, size_t added)
{
    assert(plan->levels <= LIST_HEIGHT_MAX);
    size_t most = plan->levels == 0 ? plan->leaf_most : LIST_FANOUT;
    size_t full = plan->levels == 0 ? plan->old_most : LIST_FANOUT;
    struct list_level *level = &plan->level[plan->levels++];
    bool keep = plan->packed && old != VALUE_ABSENT && have == full;
    level->members = keep ? added : have + added;
    level->cells = (level->members + most - 1) / most;
    level->replaced = keep ? VALUE_ABSENT : old;
    plan->cell_count += level->cells;
    return level;
}

/* Plans the levels above: up to the node on the path that has room, or to a new top. */
static void plan_nodes(struct heap *h, struct list_plan *plan, const struct list_path *path)
{
    struct list_level *below = &plan->level[0];
    for (unsigned depth = path != NULL ? path->height : 0; depth > 0; depth--) {
        value node = path->step[depth - 1].node;
        size_t have = list_chunk_size(cell_words(h, node)) - (below->replaced != VALUE_ABSENT);
        if (have + below->cells <= LIST_FANOUT) return;
        below = plan_level(plan, node, have, below->cells);
    }
    size_t have = path != NULL && below->replaced == VALUE_ABSENT; /* the old top */
    while (have + below->cells > 1) {
        below = plan_level(plan, VALUE_ABSENT, have, below->cells);
        have = 0;
    }
}

static void plan_close(struct list_plan *plan)
{
    if (plan->cells != plan->on_stack) free(plan->cells);
}

/* The next words of the source that lie together, at most `most` of them. */
static size_t source_next(struct list_source *source, const value **words, size_t most)
{
    unsigned i = 0;
    while (source->count[i] == 0) i++;
    size_t n = most < source->count[i] ? most : source->count[i];
    *words = source->part[i];
    source->part[i] += n;
    source->count[i] -= n;
    return n;
}

/* list_format() of the next `count` items. */
static unsigned source_format(struct list_source *source, size_t count)
{
    unsigned format = 0;
    for (size_t n; count > 0; count -= n) {
        const value *items;
        n = source_next(source, &items, count);
        unsigned wanted = list_format(items, n);
        format = format == 0 ? wanted : list_format_join(format, wanted);
    }
    return format;
}

/* Takes all cells of the plan, the leaves as the items of `source` ask. All or none. */
static int plan_take(struct heap *h, struct list_plan *plan, struct list_source source)
{
    size_t words = plan->cell_count + 2 * plan->level[0].cells, taken = 0;
    plan->cells = plan->on_stack;
    if (words > sizeof plan->on_stack / sizeof *plan->on_stack) {
        plan->cells = malloc(words * sizeof *plan->cells);
        if (plan->cells == NULL) return -ENOMEM;
    }
    plan->entries = plan->cells + plan->cell_count;
    while (taken < plan->cell_count) {
        value cell;
        if (taken < plan->level[0].cells) {
            size_t items = plan_share(plan, 0, taken), room = items;
            if (plan->growing && room < LIST_LEAF_MAX / 8) room = LIST_LEAF_MAX / 8;
            unsigned format = source_format(&source, items);
            if (items > list_format_most(format)) format = LIST_WIDE;
            cell = list_leaf_take(h, format, room);
        } else {
            cell = cell_take(h, KIND_LIST_NODE, LIST_NODE_WORDS * sizeof(value), 0);
        }
        if (cell == VALUE_ABSENT) {
            while (taken > 0) cell_free(h, plan->cells[--taken]);
            plan_close(plan);
            return -ENOMEM;
        }
        plan->cells[taken++] = cell;
    }
    return 0;
}

/* --- building ---------------------------------------------------------------------------*/

static void source_fill_leaf(struct heap *h, struct list_source *source, value leaf, size_t size)
{
    for (size_t n; size > 0; size -= n) {
        const value *items;
        n = source_next(source, &items, size);
        list_leaf_fill(h, leaf, items, n);
    }
}

static void source_fill_node(struct heap *h, struct list_source *source, value cell, size_t size)
{
    value *node = cell_words(h, cell);
    store_new(&node[LIST_HEADER], cell_header(KIND_LIST_NODE, size));
    for (size_t i = 1, n; i < 1 + 2 * size; i += n) {
        const value *words;
        n = source_next(source, &words, 1 + 2 * size - i);
        store_move(node + i, words, n);
    }
    cell_moved_in_for(h, cell, MOVED_NODE_FILL);
}

/* Deals the source out over the new chunks of a level, and lists these in plan->entries. */
static void plan_fill(struct heap *h, struct list_plan *plan, unsigned level, value *cells,
                      struct list_source *source)
{
    for (size_t i = 0; i < plan->level[level].cells; i++) {
        size_t size = plan_share(plan, level, i);
        if (level == 0)
            source_fill_leaf(h, source, cells[i], size);
        else
            source_fill_node(h, source, cells[i], size);
    }
    for (size_t i = 0; i < plan->level[level].cells; i++) {
        plan->entries[2 * i] = value_int((int64_t)chunk_items(h, cells[i]));
        plan->entries[2 * i + 1] = cells[i];
    }
}

/* Puts the new chunks of depth `depth` + 1 into the node of that depth, which has room. */
static void node_splice(struct heap *h, struct list_plan *plan, const struct list_path *path,
                        unsigned depth)
{
    const struct list_level *below = &plan->level[plan->levels - 1];
    value cell = path->step[depth].node, *node = cell_words(h, cell);
    size_t size = list_chunk_size(node), after = path->step[depth].slot + 1u;
    size_t replaced = below->replaced != VALUE_ABSENT, first = after - replaced;
    store_move(node + 1 + 2 * (first + below->cells), node + 1 + 2 * after, 2 * (size - after));
    for (size_t i = 0; i < 2 * below->cells; i++)
        store(h, &node[1 + 2 * first + i], plan->entries[i]);
    node_set_size(h, cell, size - replaced + below->cells);
    cell_moved_in(h, cell);
}

/* Carries the plan out: `source` are the items of the new leaves. Returns a new top, or
 * VALUE_ABSENT if the new chunks found room below the old one. */
static value plan_build(struct heap *h, struct list_plan *plan, const struct list_path *path,
                        struct list_source *source, value old_top, size_t old_items)
{
    value *cells = plan->cells;
    value old_entry[2] = {value_int((int64_t)old_items), old_top};
    plan_fill(h, plan, 0, cells, source);
    for (unsigned level = 1; level < plan->levels; level++) {
        const struct list_level *below = &plan->level[level - 1];
        struct list_source entries = {{NULL, plan->entries, NULL}, {0, 2 * below->cells, 0}};
        bool keeps_below = below->replaced == VALUE_ABSENT;
        if (path != NULL && level <= path->height) {
            unsigned depth = path->height - level;
            const value *node = cell_words(h, path->step[depth].node);
            size_t after = path->step[depth].slot + 1u;
            if (plan->level[level].replaced != VALUE_ABSENT) {
                entries.part[0] = node + 1;
                entries.count[0] = 2 * (after - !keeps_below);
                entries.part[2] = node + 1 + 2 * after;
                entries.count[2] = 2 * (list_chunk_size(node) - after);
            }
        } else if (path != NULL && level == path->height + 1 && keeps_below) {
            entries.part[0] = old_entry;
            entries.count[0] = 2;
        }
        cells += below->cells;
        plan_fill(h, plan, level, cells, &entries);
    }
    if (path == NULL || plan->levels > path->height) return cells[0];
    node_splice(h, plan, path, path->height - plan->levels);
    return VALUE_ABSENT;
}

value list_tree_build(struct heap *h, struct list_source *source, size_t total, bool packed)
{
    struct list_plan plan = {.packed = packed};
    struct list_source all = *source;
    plan.leaf_most = list_format_most(source_format(&all, total));
    plan_level(&plan, VALUE_ABSENT, 0, total);
    plan_nodes(h, &plan, NULL);
    if (plan_take(h, &plan, *source) != 0) return VALUE_ABSENT;
    value top = plan_build(h, &plan, NULL, source, VALUE_ABSENT, 0);
    plan_close(&plan);
    return top;
}

/* --- inserting --------------------------------------------------------------------------*/

/* Inserts where the leaf has no room for all. */
static int tree_overflow(struct heap *h, value list, const struct list_path *path, bool at_end,
                         const value *items, size_t count)
{
    value *root = cell_words(h, list), old[LIST_LEAF_MAX];
    size_t size = list_chunk_size(cell_words(h, path->leaf));
    unsigned has = list_leaf_format(cell_words(h, path->leaf)), format = list_format(items, count);
    struct list_plan plan = {.packed = at_end, .growing = at_end};
    plan.old_most = list_format_most(has);
    if (!at_end || size != plan.old_most) format = list_format_join(format, has);
    plan.leaf_most = list_format_most(format);
    struct list_level *leaves = plan_level(&plan, path->leaf, size, count);
    struct list_source source = {{NULL, items, NULL}, {0, count, 0}};
    if (leaves->replaced != VALUE_ABSENT) {
        list_leaf_read(h, path->leaf, 0, old, size);
        source = (struct list_source){{old, items, old + path->offset},
                                      {path->offset, count, size - path->offset}};
    }
    plan_nodes(h, &plan, path);
    if (plan_take(h, &plan, source) != 0) return -ENOMEM;

    value top = plan_build(h, &plan, path, &source, root[LIST_TOP], list_root_length(root));
    if (top != VALUE_ABSENT)
        store(h, &root[LIST_TOP], top);
    else
        path_add(h, path, path->height - plan.levels, count);
    for (unsigned level = 0; level < plan.levels; level++)
        if (plan.level[level].replaced != VALUE_ABSENT) cell_free(h, plan.level[level].replaced);
    plan_close(&plan);
    return 0;
}

int list_tree_insert(struct heap *h, value list, size_t index, const value *items, size_t count)
{
    struct list_path path;
    list_tree_find(h, list, index, &path);
    const value *leaf = cell_words(h, path.leaf);
    size_t size = list_chunk_size(leaf);
    bool at_end = index == list_root_length(cell_words(h, list));
    unsigned has = list_leaf_format(leaf), format = has;
    if (has != LIST_WIDE) format = list_format_join(has, list_format(items, count));
    size_t most = list_format_most(format);
    if (count > most - size || (at_end && size == list_format_most(has)))
        return tree_overflow(h, list, &path, at_end, items, count);
    if (format != has || size + count > list_leaf_room(h, path.leaf)) {
        size_t room = size + count;
        /* A tree that is appended to will need the whole leaf soon. */
        if (at_end && path.height > 0 && room < 2 * size) room = 2 * size;
        if (room > most) room = most;
        if (leaf_resize(h, list, &path, format, room) != 0) return -ENOMEM;
    }
    list_leaf_insert(h, path.leaf, path.offset, items, count);
    path_add(h, &path, path.height, count);
    return 0;
}

/* Finds the item at `index` and gives its leaf the format that `item` needs. */
static int leaf_ready(struct heap *h, value list, size_t index, value item,
                      struct list_path *path)
{
    list_tree_find(h, list, index, path);
    const value *leaf = cell_words(h, path->leaf);
    unsigned has = list_leaf_format(leaf), wanted = has;
    if (has != LIST_WIDE) wanted = list_format_join(has, list_format(&item, 1));
    if (wanted == has) return 0;
    return leaf_resize(h, list, path, wanted, list_chunk_size(leaf));
}

int list_tree_set_ready(struct heap *h, value list, size_t index, value item)
{
    struct list_path path;
    return leaf_ready(h, list, index, item, &path);
}

int list_tree_set_take(struct heap *h, value list, size_t index, value item)
{
    struct list_path path;
    if (leaf_ready(h, list, index, item, &path) != 0) return -ENOMEM;
    value old = list_leaf_get(h, path.leaf, path.offset);
    list_leaf_set(h, path.leaf, path.offset, item);
    value_release(h, old);
    return 0;
}

/* --- removing ---------------------------------------------------------------------------*/

/* Takes the entries [slot, end) out of a node, and what is below them apart in good time. */
static void node_unlink(struct heap *h, value cell, size_t slot, size_t end)
{
    value *node = cell_words(h, cell);
    size_t size = list_chunk_size(node), gone = end - slot;
    for (size_t i = slot; i < end; i++) {
        value child = *entry_child(node, i);
        store(h, entry_child(node, i), VALUE_NIL);
        value_release(h, child);
    }
    store_move(node + 1 + 2 * slot, node + 1 + 2 * end, 2 * (size - end));
    for (size_t i = 1 + 2 * (size - gone); i < 1 + 2 * size; i++) store(h, &node[i], VALUE_NIL);
    node_set_size(h, cell, size - gone);
    cell_moved_in_for(h, cell, MOVED_NODE_SHIFT);
}

static inline size_t child_size(const struct heap *h, value *node, size_t slot)
{
    return list_chunk_size(cell_words(h, *entry_child(node, slot)));
}

/* Moves the children of `right` into `left`. */
static value nodes_join(struct heap *h, value left, value right)
{
    value *to = cell_words(h, left), *from = cell_words(h, right);
    size_t had = list_chunk_size(to), more = list_chunk_size(from);
    store_move(to + 1 + 2 * had, from + 1, 2 * more);
    node_set_size(h, left, had + more);
    cell_moved_in_for(h, left, MOVED_NODE_JOIN);
    return left;
}

/* Moves the items of `right` into `left`, or those of both into a new leaf if `left` has not
 * the room or the format. Returns where they are; VALUE_ABSENT when memory is short. */
static value leaves_join(struct heap *h, value left, value right)
{
    const value *a = cell_words(h, left), *b = cell_words(h, right);
    unsigned format = list_format_join(list_leaf_format(a), list_leaf_format(b));
    size_t size = list_chunk_size(a) + list_chunk_size(b);
    if (format == list_leaf_format(a) && size <= list_leaf_room(h, left)) {
        list_leaf_append(h, left, right);
        return left;
    }
    value joined = list_leaf_take(h, format, size);
    if (joined == VALUE_ABSENT) return joined;
    list_leaf_append(h, joined, left);
    list_leaf_append(h, joined, right);
    return joined;
}

/* Joins the small chunk in `slot` of a node with its smaller neighbour, if that leaves
 * the result room to grow. False if it was left alone. */
static bool node_join(struct heap *h, value cell, size_t slot)
{
    value *node = cell_words(h, cell);
    bool is_node = chunk_is_node(*entry_child(node, slot));
    size_t most = is_node ? LIST_FANOUT : LIST_LEAF_MAX;
    size_t size = child_size(h, node, slot), siblings = list_chunk_size(node);
    if (4 * size >= most || siblings == 1) return false;
    if (slot > 0 && (slot + 1 == siblings ||
                     child_size(h, node, slot - 1) < child_size(h, node, slot + 1)))
        slot--;
    value left = *entry_child(node, slot), right = *entry_child(node, slot + 1);
    size_t left_size = child_size(h, node, slot), right_size = child_size(h, node, slot + 1);
    size_t size_sum = left_size + right_size;
    if (size_sum > most * 3 / 4) return false;

    value joined = is_node ? nodes_join(h, left, right) : leaves_join(h, left, right);
    if (joined == VALUE_ABSENT) return false;

    entry_set_items(h, node, slot, entry_items(node, slot) + entry_items(node, slot + 1));
    if (joined != left) store(h, entry_child(node, slot), joined);
    /* The right chunk's cell goes now; its members have moved. */
    size_t last = list_chunk_size(node) - 1;
    store(h, entry_child(node, slot + 1), VALUE_NIL);
    store_move(node + 1 + 2 * (slot + 1), node + 1 + 2 * (slot + 2), 2 * (last - slot - 1));
    store(h, &node[1 + 2 * last], VALUE_NIL);
    store(h, entry_child(node, last), VALUE_NIL);
    node_set_size(h, cell, last);
    cell_moved_in(h, cell);
    if (joined != left) cell_free(h, left);
    cell_free(h, right);
    return true;
}

/* Repairs the way up from the chunk of depth `depth`, which has lost members. True if chunks
 * were joined; then their members at the seam may be worth joining, too. */
static bool path_repair(struct heap *h, value list, const struct list_path *path, unsigned depth)
{
    bool joined = false;
    for (; depth > 0; depth--)
        joined |= node_join(h, path->step[depth - 1].node, path->step[depth - 1].slot);
    value *root = cell_words(h, list);
    for (;;) {
        value top = root[LIST_TOP];
        if (!chunk_is_node(top) || list_chunk_size(cell_words(h, top)) > 1) return joined;
        store(h, &root[LIST_TOP], *entry_child(cell_words(h, top), 0));
        cell_moved_in_for(h, list, MOVED_TREE_TOP);
        cell_free(h, top);
    }
}

void list_tree_settle(struct heap *h, value list, size_t index)
{
    struct list_path path;
    for (bool joined = true; joined;) {
        list_tree_find(h, list, index, &path);
        joined = path_repair(h, list, &path, path.height);
        if (index == 0) continue;
        list_tree_find(h, list, index - 1, &path);
        joined |= path_repair(h, list, &path, path.height);
    }
}

/* Gives an unlinked part of the tree up, beginning with the child of the node at `depth`. */
static void path_unlink(struct heap *h, value list, const struct list_path *path, unsigned depth,
                        size_t end, size_t items)
{
    node_unlink(h, path->step[depth].node, path->step[depth].slot, end);
    path_add(h, path, depth, -items);
    (void)path_repair(h, list, path, depth);
}

/* Looks for a node on the path that is to lose whole children. Returns how many items they
 * have, or 0; the children are those from *depth's slot up to *end. */
static size_t path_find_whole(const struct heap *h, const struct list_path *path, size_t index,
                              size_t count, size_t items, unsigned *depth, size_t *end)
{
    for (*depth = 0; *depth < path->height; ++*depth) {
        const value *node = cell_words(h, path->step[*depth].node);
        size_t slot = node_find(node, items, &index), size = list_chunk_size(node), whole = 0;
        items = entry_items(node, slot);
        if (index > 0) continue;
        for (*end = slot; *end < size && entry_items(node, *end) <= count - whole; ++*end)
            whole += entry_items(node, *end);
        if (whole > 0) return whole;
    }
    return 0;
}

/* Gives a leaf that has become small for its cell another, if there is memory for one. */
static void leaf_trim(struct heap *h, value list, struct list_path *path)
{
    const value *leaf = cell_words(h, path->leaf);
    size_t size = list_chunk_size(leaf), room = size + size / 8;
    unsigned format = list_leaf_format(leaf);
    size_t cell_bytes = value_cell_bytes(h, path->leaf);
    size_t bytes = sizeof(value) + list_format_width(format) * room;
    if (size > 0 && 8 * size <= 5 * list_leaf_room(h, path->leaf) &&
        size_class_of(bytes) < size_class_of(cell_bytes))
        (void)leaf_resize(h, list, path, format, room);
}

size_t list_tree_remove(struct heap *h, value list, size_t index, size_t count, value *out,
                        bool *unsettled)
{
    struct list_path path;
    size_t length = list_root_length(cell_words(h, list)), end;
    unsigned depth;
    list_tree_find(h, list, index, &path);
    if (out == NULL && count > 1) {
        size_t whole = path_find_whole(h, &path, index, count, length, &depth, &end);
        if (whole > 0) {
            path_unlink(h, list, &path, depth, end, whole);
            *unsettled = true;
            return whole;
        }
    }
    size_t size = list_chunk_size(cell_words(h, path.leaf)), removed = size - path.offset;
    if (removed > count) removed = count;
    list_leaf_remove(h, path.leaf, path.offset, removed, out);
    if (removed == size && path.height > 0) {
        /* The leaf is empty: it goes, with the nodes above that have nothing else. */
        for (depth = path.height - 1;
             depth > 0 && list_chunk_size(cell_words(h, path.step[depth].node)) == 1;)
            depth--;
        path_unlink(h, list, &path, depth, path.step[depth].slot + 1u, removed);
        *unsettled = true;
        return removed;
    }
    path_add(h, &path, path.height, -removed);
    leaf_trim(h, list, &path);
    *unsettled |= path_repair(h, list, &path, path.height);
    return removed;
}
