/* refs.h - handles: objects that a session holds by number.
 *
 * ROOT_HANDLES holds a map: session number -> map of that session's handles: number ->
 * value. So what a session holds is one map, and the end of a session, however much it
 * held, takes constant time. Handle numbers begin with 1 and are never used again within
 * a session.
 *
 * A session embeds one struct session_refs (zeroed is empty) and calls session_refs_close
 * when it ends. */
#ifndef CAIRN_SERVER_REFS_H
#define CAIRN_SERVER_REFS_H

#include "heap/heap.h"
#include "server/table_cursor.h"

struct session_refs {
    int64_t session; /* its number in ROOT_HANDLES; 0 while it holds nothing */
    int64_t last;    /* the handle given out last */
    size_t count;    /* handles held */
    struct table_cursors cursors;
};

/* Gives `v` a handle; `*handle` > 0. Consumes `v`. 0 or -ENOMEM (then nothing changed). */
warn_unused int session_refs_add_take(struct heap *h, struct session_refs *refs, value v,
                                      int64_t *handle);
/* The value behind a handle, or VALUE_ABSENT. Borrowed. */
value session_refs_get(struct heap *h, const struct session_refs *refs, int64_t handle);
/* Gives the value up. False if there is no such handle. */
bool session_refs_release(struct heap *h, struct session_refs *refs, int64_t handle);
/* Gives all up, in constant time. */
void session_refs_close(struct heap *h, struct session_refs *refs);

#endif
