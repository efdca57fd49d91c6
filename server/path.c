/* path.c - see path.h. */
#include "server/path.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/number.h"
#include "heap/text.h"
#include "heap/weak.h"
#include "server/build.h"
#include "server/keys.h"
#include "server/params.h"
#include "server/refs.h"
#include "server/table_value.h"
#include "server/watch.h"

/* --- small parts ------------------------------------------------------------------------*/

value path_follow(struct heap *h, value v) { return value_is_weak(v) ? weak_read(h, v) : v; }

bool path_handle(const struct heap *h, value v, int64_t *handle)
{
    if (value_is_kind(v, KIND_EXT) && ext_type(h, v) == EXT_HANDLE) {
        size_t length;
        const unsigned char *data = (const unsigned char *)ext_data(h, v, &length);
        if (length == 0 || length > 8) return false;
        uint64_t n = 0;
        for (size_t i = 0; i < length; i++) n = n << 8 | data[i];
        *handle = (int64_t)(n & INT64_MAX);
        return n <= INT64_MAX;
    }
    if (!value_is_kind(v, KIND_MAP) || map_count(h, v) != 1) return false;
    struct map_key key;
    map_key_text(h, &key, "handle", strlen("handle"));
    struct number n = number_read(h, map_get(h, v, &key));
    *handle = n.class == NUMBER_INT64 ? n.i : 0;
    return n.class == NUMBER_INT64;
}

/* --- walking ------------------------------------------------------------------------------*/

/* A path under way: `held` is what the first `done` segments lead to. */
struct walk {
    struct call *call;
    value path;
    size_t count, done;
    bool through_handle;
    bool bounded;   /* what is made on the way may be no more than a reply holds */
    size_t *length; /* of path_look; else NULL */
    struct place *at;
    struct watch *watches; /* that are told what is met */
};

/* Who is to know what a call meets; nobody if it changes nothing. */
static struct watch *walk_watches(const struct call *call, unsigned flags)
{
    bool changes = (call->method->flags & METHOD_WRITE) != 0 && !(flags & PATH_LOOKS);
    return changes ? call->host->keys->watches : NULL;
}

static void walk_met(const struct walk *w, value v)
{
    if (w->watches != NULL) watch_met(w->watches, v);
}

static value path_segment(const struct walk *w, size_t index)
{
    return value_is_kind(w->path, KIND_LIST) ? list_get(w->call->heap, w->path, index) : w->path;
}

static int bad_path(struct call *call, const char *what)
{
    call_fail(call, ERROR_BAD_PATH,
              "%s: a path is a key (a string or bytes) or an array of a key and segments; "
              "this is %s",
              call->method->name, what);
    return -1;
}

/* Readies the key for a look-up in a map. */
static int path_key(struct walk *w, value segment, struct map_key *key)
{
    struct call *call = w->call;
    if (value_is_text(segment) && text_length(call->heap, segment) > MAP_KEY_BYTES_MAX) {
        call_fail(call, ERROR_LIMIT, "%s: a key of %zu bytes; the limit is %zu",
                  call->method->name, text_length(call->heap, segment),
                  (size_t)MAP_KEY_BYTES_MAX);
        return -1;
    }
    if (map_key_value(call->heap, key, segment) == 0) return 0;
    call_fail(call, ERROR_BAD_PATH,
              "%s: segment %zu of a path is %s; segments are keys of maps and indices of lists",
              call->method->name, w->done, value_describe(segment));
    return -1;
}

/* The first segment: a key of the root map, or a handle. */
static int walk_begin(struct walk *w)
{
    struct call *call = w->call;
    struct heap *h = call->heap;
    struct place *at = w->at;
    bool is_list = value_is_kind(w->path, KIND_LIST);
    w->count = is_list ? list_length(h, w->path) : 1;
    if (w->count == 0) return bad_path(call, "an empty array");
    if (w->count > PATH_SEGMENTS_MAX) {
        call_fail(call, ERROR_LIMIT, "%s: a path of %zu segments; the limit is %d",
                  call->method->name, w->count, PATH_SEGMENTS_MAX);
        return -1;
    }
    value first = path_segment(w, 0);
    int64_t handle;
    if (value_is_text(first)) {
        if (path_key(w, first, &at->key) < 0) return -1;
        at->kind = PLACE_ENTRY;
        at->container = keys_root(call->host->keys);
        at->held = keys_get(call->host->keys, &at->key);
    } else if (path_handle(h, first, &handle)) {
        at->kind = PLACE_HANDLE;
        at->container = VALUE_ABSENT;
        at->held = session_refs_get(h, call->refs, handle);
        w->through_handle = true;
        if (at->held == VALUE_ABSENT) {
            call_fail(call, ERROR_NOT_FOUND, "%s: this session holds no handle %lld",
                      call->method->name, (long long)handle);
            return -1;
        }
    } else if (is_list) {
        call_fail(call, ERROR_BAD_PATH,
                  "%s: a path begins with a key (a string or bytes) or a handle; this one with %s",
                  call->method->name, value_describe(first));
        return -1;
    } else {
        return bad_path(call, value_describe(first));
    }
    w->done = 1;
    return 0;
}

/* Whether the integer `segment` is in the list; *index is set then. */
static bool walk_index(struct heap *h, value list, value segment, size_t *index)
{
    struct number n = number_read(h, segment);
    if (n.class != NUMBER_INT64) return false;
    int64_t length = (int64_t)list_length(h, list);
    int64_t i = n.i < 0 ? n.i + length : n.i;
    *index = (size_t)i;
    return i >= 0 && i < length;
}

enum step_result { STEP_OK, STEP_MISFIT, STEP_OUTSIDE, STEP_BAD };

/* The column that the segment behind the index of a row names; UINT32_MAX if there is none. */
static uint32_t walk_column(struct walk *w, value table)
{
    char name[TABLE_NAME_BYTES_MAX + 1];
    value segment = path_segment(w, w->done + 1);
    if (!value_is_text(segment)) return UINT32_MAX;
    size_t length = text_copy(w->call->heap, segment, 0, name, sizeof name);
    return table_column_named(table_of(w->call->heap, table), name, length);
}

/* From a table to a row, which is read as a map, or straight to one of its cells. */
static enum step_result walk_table(struct walk *w, value table)
{
    struct call *call = w->call;
    struct place *at = w->at;
    struct map_key unused;
    value segment = path_segment(w, w->done);
    if (path_key(w, segment, &unused) < 0) return STEP_BAD;
    struct number n = number_read(call->heap, segment);
    if (n.class != NUMBER_INT64) return STEP_MISFIT;
    int64_t rows = (int64_t)table_row_count(table_of(call->heap, table));
    int64_t row = n.i < 0 ? n.i + rows : n.i;
    if (row < 0 || row >= rows) return STEP_OUTSIDE;
    bool last = w->done + 1 == w->count;
    uint32_t column = last ? 0 : walk_column(w, table);
    if (column == UINT32_MAX) {
        w->done++;
        return STEP_OUTSIDE;
    }
    at->kind = last ? PLACE_ROW : PLACE_CELL;
    at->container = table;
    at->index = (size_t)row;
    at->column = column;
    w->done += last ? 1 : 2;
    if (last) column = TABLE_ROW;
    at->held = w->length != NULL && w->done == w->count
                   ? table_look_at(call, table, (uint64_t)row, column, w->length)
                   : table_value_at(call, table, (uint64_t)row, column, w->bounded);
    return at->held == VALUE_ABSENT ? STEP_BAD : STEP_OK;
}

/* One segment further, from the container `from`. */
static enum step_result walk_step(struct walk *w, value from)
{
    struct heap *h = w->call->heap;
    struct place *at = w->at;
    value segment = path_segment(w, w->done);
    if (value_is_kind(from, KIND_MAP)) {
        if (path_key(w, segment, &at->key) < 0) return STEP_BAD;
        at->kind = PLACE_ENTRY;
        at->held = map_get(h, from, &at->key);
    } else if (value_is_kind(from, KIND_LIST)) {
        struct map_key unused;
        if (path_key(w, segment, &unused) < 0) return STEP_BAD;
        if (number_read(h, segment).class != NUMBER_INT64) return STEP_MISFIT;
        at->kind = PLACE_ITEM;
        if (!walk_index(h, from, segment, &at->index)) return STEP_OUTSIDE;
        at->held = list_get(h, from, at->index);
    } else if (value_is_kind(from, KIND_TABLE)) {
        return walk_table(w, from);
    } else {
        return STEP_MISFIT;
    }
    at->container = from;
    w->done++;
    return STEP_OK;
}

/* Says why segment `done` does not suit `from`. */
static int walk_misfit(struct walk *w, value from)
{
    struct call *call = w->call;
    value segment = path_segment(w, w->done);
    const char *where = quote_path(call->heap, w->path, w->done);
    if (value_is_kind(from, KIND_LIST))
        call_fail(call, ERROR_WRONG_TYPE,
                  "%s: %s is a list; its items have integer indices, not %s", call->method->name,
                  where, call_quote_value(call, segment));
    else if (value_is_kind(from, KIND_TABLE))
        call_fail(call, ERROR_WRONG_TYPE,
                  "%s: %s is a table; its rows have integer indices, not %s", call->method->name,
                  where, call_quote_value(call, segment));
    else if (value_is_kind(from, KIND_SET) || value_is_kind(from, KIND_SORTED_SET))
        call_fail(call, ERROR_WRONG_TYPE, "%s: %s is %s; no path leads into it (%s looks into it)",
                  call->method->name, where, value_describe(from),
                  value_is_kind(from, KIND_SET) ? "contains" : "sorted.score");
    else
        call_fail(call, ERROR_WRONG_TYPE, "%s: %s is %s; only maps and lists have members",
                  call->method->name, where, value_describe(from));
    return -1;
}

/* --- reading --------------------------------------------------------------------------------*/

static int walk_to_end(struct walk *w, unsigned flags, value *found)
{
    *found = VALUE_ABSENT;
    if (walk_begin(w) < 0) return -1;
    while (w->done < w->count) {
        value from = path_follow(w->call->heap, w->at->held);
        walk_met(w, from);
        if (from == VALUE_ABSENT || from == VALUE_NIL) return 0;
        switch (walk_step(w, from)) {
        case STEP_OK: break;
        case STEP_OUTSIDE: return 0;
        case STEP_BAD: return -1;
        case STEP_MISFIT: return flags & PATH_LENIENT ? 0 : walk_misfit(w, from);
        }
    }
    walk_met(w, path_follow(w->call->heap, w->at->held));
    *found = w->at->held;
    return 0;
}

int path_read(struct call *call, value path, unsigned flags, value *found)
{
    struct place at;
    struct walk w = {.call = call, .path = path, .at = &at, .watches = walk_watches(call, flags),
                     .bounded = true};
    return walk_to_end(&w, flags, found);
}

int path_look(struct call *call, value path, unsigned flags, value *found, size_t *length)
{
    struct place at;
    struct walk w = {.call = call, .path = path, .at = &at, .watches = walk_watches(call, flags),
                     .bounded = true, .length = length};
    *length = PATH_NO_LENGTH;
    return walk_to_end(&w, flags, found);
}

int path_read_through(struct call *call, value path, unsigned flags, value *found)
{
    if (path_read(call, path, flags, found) < 0) return -1;
    *found = path_follow(call->heap, *found);
    return 0;
}

/* --- writing --------------------------------------------------------------------------------*/

/* The segments from `done` on lead through what is not there. */
static int place_missing(struct walk *w, unsigned flags)
{
    struct call *call = w->call;
    const char *where = quote_path(call->heap, w->path, w->done);
    if (!(flags & PATH_CREATE)) {
        call_fail(call, ERROR_NOT_FOUND,
                  "%s: there is nothing at %s; set it first, or give the option create where the "
                  "method has it",
                  call->method->name, where);
        return -1;
    }
    if (w->at->kind == PLACE_HANDLE) {
        call_fail(call, ERROR_NOT_FOUND, "%s: %s holds nil, which create cannot replace",
                  call->method->name, where);
        return -1;
    }
    w->at->missing = w->done;
    for (size_t i = w->done; i < w->count; i++) {
        value segment = path_segment(w, i);
        struct map_key unused;
        if (path_key(w, segment, &unused) < 0) return -1;
        if (value_is_text(segment)) continue;
        call_fail(call, ERROR_BAD_PATH,
                  "%s: there is nothing at %s; create makes maps with text keys, not %s",
                  call->method->name, where, call_quote_value(call, segment));
        return -1;
    }
    w->at->held = VALUE_ABSENT;
    return 0;
}

/* The segment `done` is a row, or a column, that the table has not. */
static int place_outside_table(struct walk *w, value table)
{
    struct call *call = w->call;
    bool row = number_read(call->heap, path_segment(w, w->done)).class == NUMBER_INT64;
    const char *what = call_quote_value(call, path_segment(w, w->done));
    const char *where = quote_path(call->heap, w->path, w->done);
    if (row)
        call_fail(call, w->done + 1 >= w->count ? ERROR_OUT_OF_RANGE : ERROR_NOT_FOUND,
                  "%s: %s is a table of %llu rows; there is no row %s (table.append adds rows)",
                  call->method->name, where,
                  (unsigned long long)table_row_count(table_of(call->heap, table)), what);
    else
        call_fail(call, ERROR_NOT_FOUND,
                  "%s: %s is a row of a table that has no column %s (table.schema lists them)",
                  call->method->name, where, what);
    return -1;
}

static int place_outside(struct walk *w, value list)
{
    struct call *call = w->call;
    if (value_is_kind(list, KIND_TABLE)) return place_outside_table(w, list);
    bool last = w->done + 1 == w->count;
    call_fail(call, last ? ERROR_OUT_OF_RANGE : ERROR_NOT_FOUND,
              "%s: %s is a list of %zu items; there is no index %s (push adds items)",
              call->method->name, quote_path(call->heap, w->path, w->done),
              list_length(call->heap, list), call_quote_value(call, path_segment(w, w->done)));
    return -1;
}

int place_find(struct call *call, value path, unsigned flags, struct place *at)
{
    struct walk w = {.call = call, .path = path, .at = at, .watches = walk_watches(call, flags)};
    at->path = path;
    at->missing = 0;
    at->index = 0;
    if (walk_begin(&w) < 0) return -1;
    while (w.done < w.count) {
        value from = path_follow(call->heap, at->held);
        walk_met(&w, from);
        if (from == VALUE_ABSENT || from == VALUE_NIL) return place_missing(&w, flags);
        switch (walk_step(&w, from)) {
        case STEP_OK: break;
        case STEP_BAD: return -1;
        case STEP_OUTSIDE: return place_outside(&w, from);
        case STEP_MISFIT: return walk_misfit(&w, from);
        }
    }
    walk_met(&w, path_follow(call->heap, at->held));
    /* Whoever finds a cell is about to change it. */
    if (at->kind == PLACE_CELL)
        return table_turn_cell(call, table_of(call->heap, at->container), at->index, at->column);
    return 0;
}

static int compare_values(const void *a, const void *b)
{
    value x = *(const value *)a, y = *(const value *)b;
    return x < y ? -1 : x > y;
}

void place_sort(value *containers, size_t count)
{
    qsort(containers, count, sizeof *containers, compare_values);
}

bool place_passes(struct call *call, const struct place *place, const value *sorted, size_t count)
{
    struct place at;
    struct walk w = {.call = call, .path = place->path, .at = &at};
    if (count == 0 || walk_begin(&w) < 0) return false;
    while (w.done < w.count) {
        value from = path_follow(call->heap, at.held);
        if (bsearch(&from, sorted, count, sizeof from, compare_values) != NULL) return true;
        if (walk_step(&w, from) != STEP_OK) return false;
    }
    return false;
}

/* Wraps `v` into the maps that are missing, the innermost first: {last: v}, … Consumes `v`;
 * VALUE_ABSENT when memory is short. */
static value place_wrap(struct call *call, struct place *place, value v)
{
    struct heap *h = call->heap;
    for (size_t i = list_length(h, place->path); i-- > place->missing;) {
        struct map_key key;
        value map = map_new(h);
        if (map == VALUE_ABSENT || map_key_value(h, &key, list_get(h, place->path, i)) < 0 ||
            map_set_take(h, map, &key, v) < 0) {
            value_release(h, v);
            value_release(h, map);
            return VALUE_ABSENT;
        }
        v = map;
    }
    return v;
}

int place_fail_row(struct call *call, const struct place *place)
{
    call_fail(call, ERROR_WRONG_TYPE,
              "%s: %s is in a table; set changes single cells ([..., row, column]), table.update "
              "and table.delete rows",
              call->method->name, quote_whole_path(call, place->path));
    return -1;
}

bool place_is_key(const struct call *call, const struct place *place)
{
    return place->kind == PLACE_ENTRY && (place->container == VALUE_ABSENT ||
                                          place->container == keys_root(call->host->keys));
}

int place_replace_take(struct call *call, struct place *place, value v, uint64_t expires_ms)
{
    struct heap *h = call->heap;
    if (place->kind == PLACE_HANDLE) {
        value_release(h, v);
        call_fail(call, ERROR_BAD_PATH,
                  "%s: a handle cannot be given another value; hold or new make another handle",
                  call->method->name);
        return -1;
    }
    if (place->kind == PLACE_ROW || place->kind == PLACE_CELL) {
        int status = place->kind == PLACE_ROW ? place_fail_row(call, place)
                                              : table_cell_store(call, place->container,
                                                                 place->index, place->column, v);
        value_release(h, v);
        return status;
    }
    if (place->missing > 0) v = place_wrap(call, place, v);
    if (v == VALUE_ABSENT) {
        fail_no_memory(call);
        return -1;
    }
    int status;
    if (place->kind == PLACE_ITEM) {
        status = list_set_take(h, place->container, place->index, v);
    } else if (place_is_key(call, place)) {
        status = keys_set_take(call->host->keys, &place->key, v, expires_ms);
        if (place->container == VALUE_ABSENT) place->container = keys_root(call->host->keys);
    } else {
        status = map_set_take(h, place->container, &place->key, v);
    }
    if (status == 0) return 0;
    value_release(h, v);
    fail_no_memory(call);
    return -1;
}

int place_set_take(struct call *call, struct place *place, value v)
{
    return place_replace_take(call, place, v, KEYS_KEEP);
}

void place_remove(struct call *call, struct place *place)
{
    assert(place->kind <= PLACE_ITEM && place->held != VALUE_ABSENT);
    if (place->kind == PLACE_ITEM)
        list_remove(call->heap, place->container, place->index, 1, NULL);
    else if (place_is_key(call, place))
        keys_remove(call->host->keys, &place->key);
    else
        map_remove(call->heap, place->container, &place->key, NULL);
}
