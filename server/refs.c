/* refs.c - see refs.h. */
#include "server/refs.h"

#include <errno.h>

#include "heap/map.h"

/* The entry `number` of a map of the handle tree. Numbers are small integers. */
static value refs_entry(struct heap *h, value map, int64_t number)
{
    struct map_key key;
    if (map == VALUE_NIL || map == VALUE_ABSENT) return VALUE_ABSENT;
    if (map_key_value(h, &key, value_int(number)) < 0) return VALUE_ABSENT;
    return map_get(h, map, &key);
}

static int refs_set_take(struct heap *h, value map, int64_t number, value v)
{
    struct map_key key;
    int status = map_key_value(h, &key, value_int(number));
    return status < 0 ? status : map_set_take(h, map, &key, v);
}

static bool refs_remove(struct heap *h, value map, int64_t number)
{
    struct map_key key;
    return map_key_value(h, &key, value_int(number)) == 0 && map_remove(h, map, &key, NULL) == 0;
}

/* Makes the session's own map, and the root map over it. */
static int refs_open(struct heap *h, struct session_refs *refs)
{
    static int64_t last_session;
    if (heap_root(h, ROOT_HANDLES) == VALUE_NIL) {
        value root = map_new(h);
        if (root == VALUE_ABSENT) return -ENOMEM;
        heap_root_set_take(h, ROOT_HANDLES, root);
    }
    value own = map_new(h);
    if (own == VALUE_ABSENT) return -ENOMEM;
    int status = refs_set_take(h, heap_root(h, ROOT_HANDLES), last_session + 1, own);
    if (status < 0) {
        value_release(h, own);
        return status;
    }
    refs->session = ++last_session;
    return 0;
}

int session_refs_add_take(struct heap *h, struct session_refs *refs, value v, int64_t *handle)
{
    int status = refs->session == 0 ? refs_open(h, refs) : 0;
    if (status < 0) return status;
    value own = refs_entry(h, heap_root(h, ROOT_HANDLES), refs->session);
    status = refs_set_take(h, own, refs->last + 1, v);
    if (status < 0) return status;
    *handle = ++refs->last;
    refs->count++;
    return 0;
}

value session_refs_get(struct heap *h, const struct session_refs *refs, int64_t handle)
{
    if (refs->session == 0 || handle <= 0 || handle > refs->last) return VALUE_ABSENT;
    return refs_entry(h, refs_entry(h, heap_root(h, ROOT_HANDLES), refs->session), handle);
}

bool session_refs_release(struct heap *h, struct session_refs *refs, int64_t handle)
{
    if (session_refs_get(h, refs, handle) == VALUE_ABSENT) return false;
    refs->count--;
    return refs_remove(h, refs_entry(h, heap_root(h, ROOT_HANDLES), refs->session), handle);
}

void session_refs_close(struct heap *h, struct session_refs *refs)
{
    if (refs->session != 0) refs_remove(h, heap_root(h, ROOT_HANDLES), refs->session);
    table_cursors_close(&refs->cursors);
    *refs = (struct session_refs){0};
}
