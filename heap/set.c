/* set.c - sets in terms of maps; map_int.h says what is different about their roots. */
#include "heap/set.h"

#include <stdlib.h>

#include "heap/map_int.h"

value set_new(struct heap *h) { return map_root_new(h, KIND_SET); }

value set_from_take(struct heap *h, value *members, size_t count)
{
    if (count == 0) return set_new(h);
    value *pairs = malloc(2 * count * sizeof *pairs);
    if (pairs == NULL) return VALUE_ABSENT;
    for (size_t i = 0; i < count; i++) {
        pairs[2 * i] = members[i];
        pairs[2 * i + 1] = VALUE_NIL;
    }
    value set = map_build_take(h, KIND_SET, pairs, count);
    for (size_t i = 0; set == VALUE_ABSENT && i < count; i++) members[i] = pairs[2 * i];
    free(pairs);
    return set;
}

size_t set_count(const struct heap *h, value set) { return map_count(h, set); }

bool set_contains(const struct heap *h, value set, const struct map_key *key)
{
    return map_get(h, set, key) != VALUE_ABSENT;
}

int set_include(struct heap *h, value set, const struct map_key *key)
{
    if (set_contains(h, set, key)) return 0;
    if (key->length > MAP_KEY_BYTES_MAX) return -EINVAL;
    int status = map_add_take(h, set, key, VALUE_NIL);
    return status < 0 ? status : 1;
}

bool set_exclude(struct heap *h, value set, const struct map_key *key)
{
    return map_remove(h, set, key, NULL) == 0;
}

bool set_next(const struct heap *h, value set, struct map_iterator *it, value *member)
{
    value nothing;
    return map_next(h, set, it, member, &nothing);
}

size_t set_page(const struct heap *h, value set, uint64_t cursor, uint64_t *next, value *out,
                size_t capacity)
{
    size_t count = map_page(h, set, cursor, next, out, capacity);
    for (size_t i = 1; i < count; i++) out[i] = out[2 * i];
    return count;
}
