/* map_linear.c - maps of up to MAP_LINEAR_MAX entries: pairs in order of insertion, searched
 * from the first on. For small maps whose keys are not names, which records do not take. */
#include "heap/map_int.h"

static value *linear_pair(const struct heap *h, value body, size_t i)
{
    return cell_words(h, body) + PAIRS_BEGIN + 2 * i;
}

value linear_new(struct heap *h, size_t capacity)
{
    value body = cell_take(h, KIND_MAP_LINEAR, pairs_bytes(capacity), 0);
    if (body != VALUE_ABSENT)
        store_new(&cell_words(h, body)[0], cell_header(KIND_MAP_LINEAR, 0));
    return body;
}

int linear_make_room(struct heap *h, value map)
{
    value *slot = map_body(h, map), old = *slot;
    size_t count = map_root_count(h, map);
    if (count < cell_pair_count(h, old)) return 0;
    value body = linear_new(h, count < MAP_LINEAR_MAX - 2 ? count + 2 : MAP_LINEAR_MAX);
    if (body == VALUE_ABSENT) return -ENOMEM;
    store_move(linear_pair(h, body, 0), linear_pair(h, old, 0), 2 * count);
    cell_moved_in_for(h, body, MOVED_LINEAR);
    store(h, slot, body);
    cell_free(h, old);
    return 0;
}

void linear_append(struct heap *h, value body, size_t count, value key, value v)
{
    value *pair = linear_pair(h, body, count);
    store(h, &pair[0], key);
    store(h, &pair[1], v);
}

value *linear_find(const struct heap *h, value body, size_t count, const struct map_key *key)
{
    for (value *pair = linear_pair(h, body, 0); count > 0; count--, pair += 2)
        if (map_key_is(h, pair[0], key)) return &pair[1];
    return NULL;
}

value linear_remove(struct heap *h, value body, size_t count, value *slot, value *key)
{
    value *pair = slot - 1, *last = linear_pair(h, body, count - 1);
    value removed = *slot;
    *key = *pair;
    store(h, &pair[0], VALUE_NIL);
    store(h, &pair[1], VALUE_NIL);
    store_move(pair, pair + 2, (size_t)(last - pair));
    words_forget(last, 2);
    cell_moved_in(h, body);
    return removed;
}
