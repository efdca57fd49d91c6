/* list.c - lists, and the short ones altogether; list_tree.c has the long ones.
 *
 * Most lists are short, and most of those are made whole and then only read, so the items
 * of a short list stand in its root cell, which is as large as they need. */
#include "heap/list_int.h"

void list_items_insert(struct heap *h, value cell, value *items, size_t size, size_t index,
                       const value *added, size_t count)
{
    if (index < size) {
        store_move(items + index + count, items + index, size - index);
        cell_moved_in(h, cell);
    }
    for (size_t i = 0; i < count; i++) store(h, &items[index + i], added[i]);
}

void list_items_remove(struct heap *h, value cell, value *items, size_t size, size_t index,
                       size_t count, value *out)
{
    for (size_t i = index; i < index + count; i++) {
        value item = items[i];
        store(h, &items[i], VALUE_NIL);
        if (out != NULL)
            *out++ = item;
        else
            value_release(h, item);
    }
    if (index + count == size) return;
    store_move(items + index, items + index + count, size - index - count);
    for (size_t i = size - count; i < size; i++) store(h, &items[i], VALUE_NIL);
    cell_moved_in_for(h, cell, MOVED_LIST_SHIFT);
}

value list_new(struct heap *h)
{
    value list = cell_take(h, KIND_LIST, 4 * sizeof(value), 0);
    if (list != VALUE_ABSENT) store_new(cell_words(h, list), list_root_header(0, false));
    return list;
}

value list_from_take(struct heap *h, const value *items, size_t count)
{
    if (count == 0) return list_new(h);
    bool is_tree = count > LIST_ROOT_ITEMS_MAX;
    value list = cell_take(h, KIND_LIST, (1 + (is_tree ? 1 : count)) * sizeof(value), 0);
    if (list == VALUE_ABSENT) return list;
    value *root = cell_words(h, list);
    if (is_tree) {
        struct list_source source = {{items, NULL, NULL}, {count, 0, 0}};
        value top = list_tree_build(h, &source, count, true);
        if (top == VALUE_ABSENT) {
            cell_free(h, list);
            return VALUE_ABSENT;
        }
        store_new(&root[LIST_TOP], top);
    } else {
        for (size_t i = 0; i < count; i++) store_new(&root[LIST_ITEMS + i], items[i]);
    }
    store_new(&root[LIST_HEADER], list_root_header(count, is_tree));
    return list;
}

size_t list_length(const struct heap *h, value list)
{
    return list_root_length(cell_words(h, list));
}

value list_get(const struct heap *h, value list, size_t index)
{
    const value *root = cell_words(h, list);
    assert(index < list_root_length(root));
    if (!list_root_is_tree(root)) return root[LIST_ITEMS + index];
    struct list_path path;
    list_tree_find(h, list, index, &path);
    return list_leaf_get(h, path.leaf, path.offset);
}

size_t list_read(const struct heap *h, value list, size_t index, value *out, size_t count)
{
    const value *root = cell_words(h, list);
    size_t length = list_root_length(root);
    if (index >= length) return 0;
    if (count > length - index) count = length - index;
    if (!list_root_is_tree(root)) {
        memcpy(out, root + LIST_ITEMS + index, count * sizeof *out);
        return count;
    }
    for (size_t done = 0; done < count;) {
        struct list_path path;
        list_tree_find(h, list, index + done, &path);
        size_t n = list_chunk_size(cell_words(h, path.leaf)) - path.offset;
        if (n > count - done) n = count - done;
        list_leaf_read(h, path.leaf, path.offset, out + done, n);
        done += n;
    }
    return count;
}

int list_set_take(struct heap *h, value list, size_t index, value item)
{
    value *root = cell_words(h, list);
    assert(index < list_root_length(root));
    if (list_root_is_tree(root)) return list_tree_set_take(h, list, index, item);
    value old = root[LIST_ITEMS + index];
    store(h, &root[LIST_ITEMS + index], item);
    value_release(h, old);
    return 0;
}

int list_set_ready(struct heap *h, value list, size_t index, value item)
{
    const value *root = cell_words(h, list);
    assert(index < list_root_length(root));
    return list_root_is_tree(root) ? list_tree_set_ready(h, list, index, item) : 0;
}

/* Turns a list with its items in the root into a tree, with `count` more. */
static int list_outgrow(struct heap *h, value list, size_t index, const value *items,
                        size_t count)
{
    value *root = cell_words(h, list);
    size_t length = list_root_length(root);
    struct list_source source = {
        {root + LIST_ITEMS, items, root + LIST_ITEMS + index}, {index, count, length - index}};
    value top = list_tree_build(h, &source, length + count, index == length);
    if (top == VALUE_ABSENT) return -ENOMEM;
    for (size_t i = 0; i < length; i++) store(h, &root[LIST_ITEMS + i], VALUE_NIL);
    store(h, &root[LIST_TOP], top);
    return 0;
}

int list_insert_take(struct heap *h, value list, size_t index, const value *items, size_t count)
{
    value *root = cell_words(h, list);
    size_t length = list_root_length(root);
    bool is_tree = list_root_is_tree(root);
    assert(index <= length);
    if (count == 0) return 0;
    if (is_tree) {
        if (list_tree_insert(h, list, index, items, count) != 0) return -ENOMEM;
    } else if (LIST_ITEMS + length + count <= cell_word_count(h, list)) {
        list_items_insert(h, list, root + LIST_ITEMS, length, index, items, count);
    } else {
        uint64_t begin = gc_timed_begin();
        if (list_outgrow(h, list, index, items, count) != 0) return -ENOMEM;
        gc_timed_end(&h->gc.stats.growth, begin);
        is_tree = true;
    }
    store(h, &root[LIST_HEADER], list_root_header(length + count, is_tree));
    return 0;
}

/* Takes the items of a tree that has become small back into the root. Half the root stays
 * free, lest a list that hovers about this size goes to and fro. */
static void list_shrink(struct heap *h, value list, size_t length)
{
    value *root = cell_words(h, list), top = root[LIST_TOP];
    if (value_is_kind(top, KIND_LIST_NODE) ||
        length > (cell_word_count(h, list) - LIST_ITEMS) / 2)
        return;
    value items[LIST_ROOT_ITEMS_MAX + 1];
    list_leaf_read(h, top, 0, items, length);
    store(h, &root[LIST_TOP], VALUE_NIL);
    store_move(root + LIST_ITEMS, items, length);
    cell_moved_in(h, list);
    cell_free(h, top);
    store(h, &root[LIST_HEADER], list_root_header(length, false));
}

void list_remove(struct heap *h, value list, size_t index, size_t count, value *out)
{
    value *root = cell_words(h, list);
    size_t length = list_root_length(root);
    assert(index <= length && count <= length - index);
    if (count == 0) return;
    if (!list_root_is_tree(root)) {
        list_items_remove(h, list, root + LIST_ITEMS, length, index, count, out);
        store(h, &root[LIST_HEADER], list_root_header(length - count, false));
        return;
    }
    if (count == length && out == NULL) {
        value top = root[LIST_TOP];
        store(h, &root[LIST_TOP], VALUE_NIL);
        store(h, &root[LIST_HEADER], list_root_header(0, false));
        value_release(h, top);
        return;
    }
    bool unsettled = false;
    while (count > 0) {
        size_t removed = list_tree_remove(h, list, index, count, out, &unsettled);
        if (out != NULL) out += removed;
        count -= removed;
        length -= removed;
        store(h, &root[LIST_HEADER], list_root_header(length, true));
    }
    if (unsettled && length > 0) list_tree_settle(h, list, index);
    list_shrink(h, list, length);
}
