/* rope.c - long texts in chunks; text_int.h draws them.
 *
 * The workload is appending, and reading from front to back. Both find their place by
 * arithmetic on the offset, since every chunk but the last is full. An append touches the
 * last chunk, the nodes on the right edge and what is new, never the rest.
 *
 * Nothing here can fail half-way: an append of many chunks that runs out of memory takes
 * its own chunks back (which needs none) and leaves the length as it was; bytes beyond the
 * length mean nothing. */
#include "heap/text_int.h"

static inline size_t rope_chunks(size_t length)
{
    return length / ROPE_CHUNK_BYTES + (length % ROPE_CHUNK_BYTES != 0);
}

/* How many chunks a tree of this height holds. */
static inline size_t rope_span(unsigned height)
{
    size_t span = 1;
    while (height-- > 0) span *= ROPE_FANOUT;
    return span;
}

static inline unsigned rope_height(const value *root)
{
    return (unsigned)header_payload(root[ROPE_HEADER]);
}

static inline size_t node_children(const value *node)
{
    return header_payload(node[0]);
}

value rope_new(struct heap *h, enum kind kind)
{
    value rope = cell_take(h, kind, ROPE_WORDS * sizeof(value), 0);
    if (rope == VALUE_ABSENT) return rope;
    value *root = cell_words(h, rope);
    store_new(&root[ROPE_HEADER], cell_header(kind, 0));
    store_new(&root[ROPE_LENGTH], value_int(0));
    return rope;
}

/* The slot that refers to chunk `index`, which exists. */
static value *rope_chunk_slot(const struct heap *h, value rope, size_t index)
{
    value *slot = &cell_words(h, rope)[ROPE_TOP];
    unsigned height = rope_height(cell_words(h, rope));
    for (size_t span = rope_span(height); height > 0; height--) {
        span /= ROPE_FANOUT;
        slot = &cell_words(h, *slot)[1 + index / span];
        index %= span;
    }
    return slot;
}

size_t rope_piece(const struct heap *h, value rope, size_t offset, const char **data)
{
    size_t length = rope_length(h, rope);
    if (offset >= length) return 0;
    size_t start = offset % ROPE_CHUNK_BYTES, left = length - offset;
    value chunk = *rope_chunk_slot(h, rope, offset / ROPE_CHUNK_BYTES);
    *data = (const char *)cell_bytes(h, chunk) + start;
    return left < ROPE_CHUNK_BYTES - start ? left : ROPE_CHUNK_BYTES - start;
}

/* Takes `count` node cells of `words` words. All or none. */
static bool nodes_take(struct heap *h, value *nodes, unsigned count, size_t words)
{
    for (unsigned i = 0; i < count; i++) {
        nodes[i] = cell_take(h, KIND_ROPE_NODE, words * sizeof(value), 0);
        if (nodes[i] == VALUE_ABSENT) {
            while (i > 0) cell_free(h, nodes[--i]);
            return false;
        }
    }
    return true;
}

static inline void node_set_children(struct heap *h, value *node, size_t children)
{
    store(h, &node[0], cell_header(KIND_ROPE_NODE, children));
}

/* --- growing ----------------------------------------------------------------------------*/

/* Where the next chunk goes: as a child of *slot, a node of height `level`; or into the
 * empty *slot itself if `level` is 0; or beside *slot, the top, under a new top. */
struct rope_place {
    value *slot;
    unsigned level;
    bool taller;
};

static struct rope_place rope_find_place(const struct heap *h, value rope, size_t chunks)
{
    value *root = cell_words(h, rope);
    struct rope_place place = {.slot = &root[ROPE_TOP], .level = rope_height(root)};
    size_t span = rope_span(place.level), index = chunks;
    place.taller = chunks == span;
    if (place.taller) return place;
    for (; place.level > 0; place.level--) {
        const value *node = cell_words(h, *place.slot);
        span /= ROPE_FANOUT;
        if (index / span == node_children(node)) break;
        place.slot = &cell_words(h, *place.slot)[1 + index / span];
        index %= span;
    }
    return place;
}

/* Adds `child` to the node in *slot; `spare` is a larger cell for it, or VALUE_ABSENT. */
static void node_add_child(struct heap *h, value *slot, value child, value spare)
{
    value old = *slot;
    value *node = cell_words(h, old);
    size_t children = node_children(node);
    if (spare == VALUE_ABSENT) {
        store(h, &node[1 + children], child);
        node_set_children(h, node, children + 1);
        return;
    }
    value *larger = cell_words(h, spare);
    store_move(larger + 1, node + 1, children);
    store_new(&larger[1 + children], child);
    store_new(&larger[0], cell_header(KIND_ROPE_NODE, children + 1));
    cell_moved_in_for(h, spare, MOVED_ROPE_NODE);
    store(h, slot, spare);
    cell_free(h, old);
}

/* Puts a new top above the old one and `child`, into the cell `top`. */
static void rope_grow_taller(struct heap *h, value rope, value child, value top)
{
    value *root = cell_words(h, rope), *node = cell_words(h, top);
    store_new(&node[0], cell_header(KIND_ROPE_NODE, 2));
    store_new(&node[1], root[ROPE_TOP]);
    store_new(&node[2], child);
    cell_moved_in(h, top);
    store(h, &root[ROPE_TOP], top);
    store(h, &root[ROPE_HEADER], cell_header(ref_kind(rope), rope_height(root) + 1));
}

/* Adds a chunk of at least `bytes` to a rope that has `chunks` full ones and whose right
 * edge nobody shares. VALUE_ABSENT when memory is short. */
static value rope_push_chunk(struct heap *h, value rope, size_t chunks, size_t bytes)
{
    struct rope_place place = rope_find_place(h, rope, chunks);
    /* The chunk hangs from a chain of new nodes, each with one child so far. */
    unsigned chain_length = place.level == 0 ? 0 : place.level - 1;
    size_t larger = 0; /* words of a new top, or of a larger cell for the place's node */
    if (place.taller) {
        chain_length = place.level;
        larger = 1 + 2;
    } else if (place.level > 0) {
        size_t used = 1 + node_children(cell_words(h, *place.slot));
        if (used == cell_word_count(h, *place.slot))
            larger = 2 * used < 1 + ROPE_FANOUT ? 2 * used : 1 + ROPE_FANOUT;
    }
    assert(chain_length < ROPE_HEIGHT_MAX);

    value chain[ROPE_HEIGHT_MAX], spare = VALUE_ABSENT;
    value chunk = cell_take(h, KIND_RAW, bytes, 0);
    if (chunk == VALUE_ABSENT) return chunk;
    if (!nodes_take(h, chain, chain_length, 1 + 1)) {
        cell_free(h, chunk);
        return VALUE_ABSENT;
    }
    if (larger != 0 && !nodes_take(h, &spare, 1, larger)) {
        for (unsigned i = 0; i < chain_length; i++) cell_free(h, chain[i]);
        cell_free(h, chunk);
        return VALUE_ABSENT;
    }

    value child = chunk;
    for (unsigned i = 0; i < chain_length; i++) {
        value *node = cell_words(h, chain[i]);
        store_new(&node[0], cell_header(KIND_ROPE_NODE, 1));
        store_new(&node[1], child);
        child = chain[i];
    }
    if (place.taller)
        rope_grow_taller(h, rope, child, spare);
    else if (place.level == 0)
        store(h, place.slot, child);
    else
        node_add_child(h, place.slot, child, spare);
    return chunk;
}

/* Takes the last of `chunks` chunks away again. */
static void rope_pop_chunk(struct heap *h, value rope, size_t chunks)
{
    value *root = cell_words(h, rope);
    unsigned height = rope_height(root), kept = 0; /* levels above are not emptied by this */
    value path[ROPE_HEIGHT_MAX + 1];
    size_t span = rope_span(height), index = chunks - 1;
    path[0] = root[ROPE_TOP];
    for (unsigned i = 0; i < height; i++) {
        const value *node = cell_words(h, path[i]);
        if (node_children(node) > 1) kept = i + 1;
        span /= ROPE_FANOUT;
        path[i + 1] = node[1 + index / span];
        index %= span;
    }
    if (kept == 0) {
        store(h, &root[ROPE_TOP], VALUE_NIL);
        store(h, &root[ROPE_HEADER], cell_header(ref_kind(rope), 0));
    } else {
        value *node = cell_words(h, path[kept - 1]);
        size_t children = node_children(node);
        store(h, &node[children], VALUE_NIL);
        node_set_children(h, node, children - 1);
    }
    for (unsigned i = kept; i <= height; i++) cell_free(h, path[i]);
    if (kept == 1 && node_children(cell_words(h, path[0])) == 1) {
        store(h, &root[ROPE_TOP], cell_words(h, path[0])[1]);
        store(h, &root[ROPE_HEADER], cell_header(ref_kind(rope), height - 1));
        cell_moved_in(h, rope);
        cell_free(h, path[0]);
    }
}

/* Makes the last chunk, which holds `used` bytes, large enough for `wanted`. */
static int rope_reserve_tail(struct heap *h, value *slot, size_t used, size_t wanted)
{
    value old = *slot;
    if (wanted <= value_cell_bytes(h, old)) return 0;
    size_t bytes = 2 * used < ROPE_CHUNK_BYTES ? 2 * used : ROPE_CHUNK_BYTES;
    value chunk = cell_take(h, KIND_RAW, bytes > wanted ? bytes : wanted, 0);
    if (chunk == VALUE_ABSENT) return -ENOMEM;
    store_bytes(h, chunk, 0, cell_bytes(h, old), used);
    store(h, slot, chunk);
    cell_free(h, old);
    return 0;
}

/* Appends in place. The right edge has one owner. 0 or -ENOMEM. */
static int rope_extend(struct heap *h, value rope, const char *data, size_t length)
{
    size_t old_length = rope_length(h, rope), old_chunks = rope_chunks(old_length);
    size_t chunks = old_chunks, used = old_length % ROPE_CHUNK_BYTES, left = length;
    if (used > 0) {
        value *slot = rope_chunk_slot(h, rope, chunks - 1);
        size_t n = left < ROPE_CHUNK_BYTES - used ? left : ROPE_CHUNK_BYTES - used;
        if (rope_reserve_tail(h, slot, used, used + n) != 0) return -ENOMEM;
        store_bytes(h, *slot, used, data, n);
        data += n;
        left -= n;
    }
    while (left > 0) {
        size_t n = left < ROPE_CHUNK_BYTES ? left : ROPE_CHUNK_BYTES;
        value chunk = rope_push_chunk(h, rope, chunks, n);
        if (chunk == VALUE_ABSENT) {
            for (; chunks > old_chunks; chunks--) rope_pop_chunk(h, rope, chunks);
            return -ENOMEM;
        }
        store_bytes(h, chunk, 0, data, n);
        chunks++;
        data += n;
        left -= n;
    }
    store(h, &cell_words(h, rope)[ROPE_LENGTH], value_int((int64_t)(old_length + length)));
    return 0;
}

/* --- sharing ----------------------------------------------------------------------------*/

/* The right edge of a rope: path[0] is the top, path[height] the last chunk. */
struct rope_edge {
    unsigned height;
    unsigned first_shared; /* everything from here down is shared; height + 1: nothing */
    value path[ROPE_HEIGHT_MAX + 1];
};

static void rope_find_edge(struct heap *h, value rope, struct rope_edge *edge)
{
    const value *root = cell_words(h, rope);
    edge->height = rope_height(root);
    edge->first_shared = value_is_shared(h, rope) ? 0 : edge->height + 1;
    value v = root[ROPE_TOP];
    for (unsigned i = 0; i <= edge->height; i++) {
        edge->path[i] = v;
        if (i < edge->first_shared && value_is_shared(h, v)) edge->first_shared = i;
        if (i == edge->height) break;
        const value *node = cell_words(h, v);
        v = node[node_children(node)];
    }
}

/* Copies a node of the right edge. All its children but the last become shared; the last
 * is replaced by `last`. The copy has room for one more. */
static void node_copy(struct heap *h, value from, value to, value last)
{
    const value *node = cell_words(h, from);
    value *copy = cell_words(h, to);
    size_t children = node_children(node);
    store_new(&copy[0], cell_header(KIND_ROPE_NODE, children));
    for (size_t i = 1; i < children; i++) store_new(&copy[i], value_share(h, node[i]));
    store_new(&copy[children], last);
    cell_moved_in(h, to);
}

/* Gives `into` a right edge of its own: `into` is `rope` itself, or an empty rope that gets
 * the content of `rope`, which is then shared. 0, or -ENOMEM and nothing has changed. */
static int rope_own_edge(struct heap *h, value rope, value into)
{
    struct rope_edge edge;
    rope_find_edge(h, rope, &edge);
    unsigned first = edge.first_shared, height = edge.height;
    size_t used = rope_length(h, rope) % ROPE_CHUNK_BYTES;
    bool full = used == 0; /* a full chunk will not change, so it can be shared */
    if (first > height || (into == rope && first == height && full)) return 0;

    value copy[ROPE_HEIGHT_MAX + 1];
    for (unsigned i = first; i <= height; i++) {
        if (i == height && full) {
            copy[i] = value_share(h, edge.path[i]);
            break;
        }
        size_t words = i < height ? node_children(cell_words(h, edge.path[i])) + 2 : 0;
        if (words > 1 + ROPE_FANOUT) words = 1 + ROPE_FANOUT;
        copy[i] = i < height ? cell_take(h, KIND_ROPE_NODE, words * sizeof(value), 0)
                             : cell_take(h, KIND_RAW, used, 0);
        if (copy[i] == VALUE_ABSENT) {
            while (i > first) cell_free(h, copy[--i]);
            return -ENOMEM;
        }
    }
    if (!full) store_bytes(h, copy[height], 0, cell_bytes(h, edge.path[height]), used);
    for (unsigned i = height; i-- > first;) node_copy(h, edge.path[i], copy[i], copy[i + 1]);

    value *root = cell_words(h, into);
    if (into != rope) {
        store_new(&root[ROPE_HEADER], cell_header(ref_kind(into), height));
        store_new(&root[ROPE_LENGTH], cell_words(h, rope)[ROPE_LENGTH]);
        store_new(&root[ROPE_TOP], copy[0]);
        cell_moved_in(h, into);
        return 0;
    }
    value *slot = &root[ROPE_TOP];
    if (first > 0) {
        value *parent = cell_words(h, edge.path[first - 1]);
        slot = &parent[node_children(parent)];
    }
    store(h, slot, copy[first]);
    value_release(h, edge.path[first]);
    return 0;
}

value rope_append_take(struct heap *h, value rope, enum kind kind, const void *data,
                       size_t length)
{
    bool shared = value_is_shared(h, rope), convert = ref_kind(rope) != kind;
    value result = rope;
    if (shared || convert) result = rope_new(h, kind);
    if (result == VALUE_ABSENT) return result;
    value changed = shared ? result : rope;
    bool empty = rope_length(h, rope) == 0;
    if (!empty && rope_own_edge(h, rope, changed) != 0) {
        if (result != rope) cell_free(h, result);
        return VALUE_ABSENT;
    }
    if (rope_extend(h, changed, data, length) != 0) {
        if (result != rope) value_release(h, result);
        return VALUE_ABSENT;
    }
    if (shared) {
        value_release(h, rope);
    } else if (convert) {
        value *from = cell_words(h, rope), *to = cell_words(h, result);
        store_new(&to[ROPE_HEADER], cell_header(kind, rope_height(from)));
        store_new(&to[ROPE_LENGTH], from[ROPE_LENGTH]);
        store_new(&to[ROPE_TOP], from[ROPE_TOP]);
        cell_moved_in_for(h, result, MOVED_ROPE);
        cell_free(h, rope);
    }
    return result;
}

value rope_convert_take(struct heap *h, value rope, enum kind kind)
{
    return ref_kind(rope) == kind ? rope : rope_append_take(h, rope, kind, "", 0);
}
