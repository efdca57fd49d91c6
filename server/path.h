/* path.h - where a value is: a key, or an array [key, segment, ...].
 *
 * A segment is a key of the map that it meets, or an index of the list or table that it meets
 * (negative: from the end); behind the index of a row comes the name of a column. Weak references
 * on the way are followed. Instead of the key a handle may stand (ext 2, or the map
 * {"handle": n}). Nothing is parsed out of strings.
 *
 * A path can be found for reading, which ends at a value or at nothing, or for writing,
 * which ends at a *place*: the container and the key or index in it that a store goes to.
 * Errors are reported through call_fail; functions then return -1. */
#ifndef CAIRN_SERVER_PATH_H
#define CAIRN_SERVER_PATH_H

#include "heap/map.h"
#include "server/call.h"

#define PATH_SEGMENTS_MAX 256

enum path_flags {
    PATH_LENIENT = 1, /* read: a segment that does not suit its container finds nothing */
    PATH_CREATE = 2,  /* write: maps that are missing on the way are made by place_set_take */
    PATH_LOOKS = 4,   /* the call does not change what it finds, though it changes data */
};

/* The value at `path` in *found (borrowed), VALUE_ABSENT if there is none. The last value is
 * not followed if it is a weak reference: path_read_through does that. */
warn_unused int path_read(struct call *call, value path, unsigned flags, value *found);
/* As path_read, for whoever asks what is there and need not have it: in place of a row of a table
 * *found is an empty map, of a text in one an empty text; *length is then how long it is, else
 * PATH_NO_LENGTH. */
#define PATH_NO_LENGTH SIZE_MAX
warn_unused int path_look(struct call *call, value path, unsigned flags, value *found,
                          size_t *length);
/* As path_read; a weak reference is followed, and reads as nil when it is dead. */
warn_unused int path_read_through(struct call *call, value path, unsigned flags, value *found);

enum place_kind {
    PLACE_ENTRY,  /* of a map; the root map is one */
    PLACE_ITEM,   /* of a list; it exists */
    PLACE_HANDLE, /* what a handle holds: can be read, or changed inside, but not replaced */
    PLACE_ROW,    /* of a table: `held` is a copy, as a map; it can be read only */
    PLACE_CELL,   /* of a row: `held` is a copy, and a store puts another value in its place */
};

/* Borrows from the path; do not copy. Valid until the next change of what it passes. */
struct place {
    enum place_kind kind;
    value path;
    value container;    /* VALUE_ABSENT: the root map, which is yet to be made */
    struct map_key key; /* PLACE_ENTRY */
    size_t index;       /* PLACE_ITEM; of the row: PLACE_ROW, PLACE_CELL */
    uint32_t column;    /* PLACE_CELL */
    value held;         /* what is there; VALUE_ABSENT if nothing */
    size_t missing;     /* segments of the path from this one on lead through maps to be made */
};

warn_unused int place_find(struct call *call, value path, unsigned flags, struct place *place);
/* Whether the way to `place` leads through one of the `count` containers at `sorted`, which
 * place_sort has put in order. */
bool place_passes(struct call *call, const struct place *place, const value *sorted,
                  size_t count);
void place_sort(value *containers, size_t count);
/* Stores `v`, which it consumes even when it fails; what was there is released. All or
 * nothing: -1 for want of memory. */
warn_unused int place_set_take(struct call *call, struct place *place, value v);
/* The same for a value that has nothing to do with what was there: a key then expires at
 * `expires_ms`, 0: never. (After place_set_take it expires when it did before.) */
warn_unused int place_replace_take(struct call *call, struct place *place, value v,
                                   uint64_t expires_ms);
/* Whether the place is a key: an entry of the root map. */
bool place_is_key(const struct call *call, const struct place *place);
/* The error of a method that would replace or remove a row of a table, or remove a cell. -1. */
int place_fail_row(struct call *call, const struct place *place);
/* Removes the entry or item, which exists. Cannot fail; not for the other kinds. */
void place_remove(struct call *call, struct place *place);

/* Whether `v` names a handle. */
bool path_handle(const struct heap *h, value v, int64_t *handle);
/* The value, or what it refers to if it is a weak reference (nil if that is dead). */
value path_follow(struct heap *h, value v);

/* `path` up to its first `segments` as it may stand in a message; see call_quote. */
const char *quote_path(struct heap *h, value path, size_t segments);
#define quote_whole_path(call, path) quote_path((call)->heap, (path), SIZE_MAX)

/* --- types, as clients know them ----------------------------------------------------------*/

enum value_type {
    TYPE_NIL, TYPE_BOOL, TYPE_INT, TYPE_FLOAT, TYPE_STRING, TYPE_BYTES, TYPE_LIST, TYPE_MAP,
    TYPE_SET, TYPE_SORTED_SET, TYPE_TABLE, TYPE_WEAK, TYPE_EXT, TYPE_UNKNOWN,
};
enum value_type value_type(value v);
const char *value_type_name(value v); /* "map" */
const char *value_describe(value v);  /* "a map" */

#endif
