/* methods_values.c - reading and writing values at paths.
 *
 * Every writing method finds all its places first, then makes what it will store, and
 * stores last; so a failure on the way leaves everything as it was. */
#include "server/method_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heap/equal.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/set.h"
#include "heap/sorted_set.h"
#include "heap/table.h"
#include "heap/text.h"
#include "server/keys.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"

/* How many values, and KiB of texts, set's option match looks at. */
#define MATCH_VALUES_MAX 100000

enum call_outcome method_get(struct call *call)
{
    value depth, fallback, v;
    const struct option known[] = {{"depth", &depth}, {"default", &fallback}};
    int64_t depth_max = 0;
    if (options_read(call, 1, known, 2) < 0 ||
        option_int(call, "depth", depth, 1, REPLY_DEPTH_EXT, &depth_max) < 0 ||
        path_read_through(call, call->args[0], 0, &v) < 0)
        return CALL_FAILED;
    if (v == VALUE_ABSENT) v = fallback;
    struct reply r;
    reply_open(&r, call);
    r.depth_max = (unsigned)depth_max;
    return reply_finish(&r, reply_value(&r, v));
}

/* Whether the option match holds: 1, 0, or -1 after call_fail. */
static int set_matches(struct call *call, value held, value match)
{
    held = path_follow(call->heap, held);
    int equal = value_equal(call->heap, held == VALUE_ABSENT ? VALUE_NIL : held, match,
                            MATCH_VALUES_MAX);
    if (equal == -E2BIG)
        call_fail(call, ERROR_LIMIT,
                  "set: match compares up to %d values and KiB of texts, and these have more",
                  MATCH_VALUES_MAX);
    else if (equal < 0)
        fail_no_memory(call);
    return equal < 0 ? -1 : equal;
}

struct set_options {
    enum { IF_ABSENT, IF_PRESENT, IF_EITHER } condition;
    value match;
    bool creates;
    bool expires; /* ttl is given */
    uint64_t expires_ms; /* 0, or KEYS_KEEP, if it is not */
};

/* The options ttl and keep_ttl. */
static int set_time(struct call *call, value ttl, value keep_ttl, struct set_options *o)
{
    int64_t now_ms = 0, ms = 0;
    bool keeps = false;
    o->expires = ttl != VALUE_ABSENT;
    if (o->expires) now_ms = (int64_t)keys_now(call->host->keys);
    if (option_int(call, "ttl", ttl, 1, (int64_t)MAP_EXPIRES_MAX - now_ms, &ms) < 0 ||
        option_bool(call, "keep_ttl", keep_ttl, &keeps) < 0)
        return -1;
    if (keeps && o->expires) {
        call_fail(call, ERROR_BAD_PARAMS, "set: give either the option ttl or keep_ttl");
        return -1;
    }
    o->expires_ms = keeps ? KEYS_KEEP : (uint64_t)(now_ms + ms);
    return 0;
}

static int set_options(struct call *call, struct set_options *o)
{
    value if_word, create, ttl, keep_ttl;
    const struct option known[] = {{"if", &if_word},
                                   {"match", &o->match},
                                   {"create", &create},
                                   {"ttl", &ttl},
                                   {"keep_ttl", &keep_ttl}};
    int condition = IF_EITHER;
    *o = (struct set_options){.condition = IF_EITHER, .match = VALUE_ABSENT};
    if (call->arg_count <= 2) return 0;
    if (options_read(call, 2, known, 5) < 0 || set_time(call, ttl, keep_ttl, o) < 0 ||
        option_word(call, "if", if_word, "absent present", &condition) < 0 ||
        option_bool(call, "create", create, &o->creates) < 0)
        return -1;
    o->condition = condition;
    return 0;
}

enum call_outcome method_set(struct call *call)
{
    struct set_options o;
    struct place place;
    if (set_options(call, &o) < 0 ||
        place_find(call, call->args[0], o.creates ? PATH_CREATE : 0, &place) < 0)
        return CALL_FAILED;
    if (o.expires && (!place_is_key(call, &place) || place.missing > 0))
        return call_fail(call, ERROR_BAD_PATH, "set: only whole keys expire (ttl); %s is none",
                         quote_whole_path(call, call->args[0]));
    bool present = place.held != VALUE_ABSENT;
    if (o.condition != IF_EITHER && present != (o.condition == IF_PRESENT))
        return reply_bool(call, false);
    if (o.match != VALUE_ABSENT) {
        int equal = set_matches(call, place.held, o.match);
        if (equal < 0) return CALL_FAILED;
        if (equal == 0) return reply_bool(call, false);
    }
    if (place_replace_take(call, &place, param_take(call, 1), o.expires_ms) < 0)
        return CALL_FAILED;
    return reply_bool(call, true);
}

enum call_outcome method_del(struct call *call)
{
    value v;
    if (paths_check(call, call->arg_count) < 0) return CALL_FAILED;
    for (size_t i = 0; i < call->arg_count; i++) {
        int64_t handle;
        if (path_read(call, call->args[i], PATH_LENIENT, &v) < 0) return CALL_FAILED;
        value path = call->args[i];
        if (value_is_kind(path, KIND_LIST) && list_length(call->heap, path) == 1)
            path = list_get(call->heap, path, 0);
        if (path_handle(call->heap, path, &handle))
            return call_fail(call, ERROR_BAD_PATH, "del: %s is a handle; release gives it up",
                             call_quote_value(call, path));
        struct place place;
        if (v != VALUE_ABSENT && value_is_kind(path, KIND_LIST) &&
            (place_find(call, call->args[i], 0, &place) < 0 ||
             (place.kind >= PLACE_ROW && place_fail_row(call, &place) < 0)))
            return CALL_FAILED;
    }
    int64_t count = 0;
    for (size_t i = 0; i < call->arg_count; i++) {
        struct place place;
        if (path_read(call, call->args[i], PATH_LENIENT, &v) < 0 || v == VALUE_ABSENT ||
            place_find(call, call->args[i], 0, &place) < 0)
            continue;
        place_remove(call, &place);
        count++;
    }
    return reply_int(call, count);
}

/* Writes what is at a place that is then to be replaced or emptied. 0, or -1 after call_fail. */
static int write_held(struct call *call, const struct place *place)
{
    struct reply r;
    if (place->kind == PLACE_HANDLE) {
        call_fail(call, ERROR_BAD_PATH, "%s: a handle cannot be given another value, or none",
                  call->method->name);
        return -1;
    }
    reply_open(&r, call);
    return reply_finish(&r, reply_value(&r, path_follow(call->heap, place->held))) == CALL_DONE
               ? 0 : -1;
}

enum call_outcome method_swap(struct call *call)
{
    struct place place;
    if (place_find(call, call->args[0], 0, &place) < 0 || write_held(call, &place) < 0 ||
        place_replace_take(call, &place, param_take(call, 1), 0) < 0)
        return CALL_FAILED;
    return CALL_DONE;
}

enum call_outcome method_take(struct call *call)
{
    value v;
    struct place place;
    if (path_read(call, call->args[0], PATH_LENIENT, &v) < 0) return CALL_FAILED;
    if (v == VALUE_ABSENT) {
        writer_nil(call->reply);
        return CALL_DONE;
    }
    if (place_find(call, call->args[0], 0, &place) < 0) return CALL_FAILED;
    if (place.kind >= PLACE_ROW && place_fail_row(call, &place) < 0) return CALL_FAILED;
    if (write_held(call, &place) < 0) return CALL_FAILED;
    place_remove(call, &place);
    return CALL_DONE;
}

enum call_outcome method_exists(struct call *call)
{
    int64_t count = 0;
    if (paths_check(call, call->arg_count) < 0) return CALL_FAILED;
    for (size_t i = 0; i < call->arg_count; i++) {
        value v;
        size_t length;
        if (path_look(call, call->args[i], PATH_LENIENT, &v, &length) < 0) return CALL_FAILED;
        count += v != VALUE_ABSENT;
    }
    return reply_int(call, count);
}

enum call_outcome method_type(struct call *call)
{
    value v;
    size_t length;
    if (path_look(call, call->args[0], PATH_LENIENT, &v, &length) < 0) return CALL_FAILED;
    if (v == VALUE_ABSENT) writer_nil(call->reply);
    else writer_cstr(call->reply, value_type_name(v));
    return CALL_DONE;
}

enum call_outcome method_len(struct call *call)
{
    struct heap *h = call->heap;
    value v;
    size_t length;
    if (path_look(call, call->args[0], 0, &v, &length) < 0) return CALL_FAILED;
    if (length != PATH_NO_LENGTH) return reply_uint(call, length);
    v = path_follow(h, v);
    if (v == VALUE_ABSENT || v == VALUE_NIL) return reply_uint(call, 0);
    if (value_is_text(v)) return reply_uint(call, text_length(h, v));
    if (value_is_kind(v, KIND_LIST)) return reply_uint(call, list_length(h, v));
    if (value_is_kind(v, KIND_MAP)) return reply_uint(call, map_count(h, v));
    if (value_is_kind(v, KIND_SET)) return reply_uint(call, set_count(h, v));
    if (value_is_kind(v, KIND_SORTED_SET)) return reply_uint(call, sorted_set_count(h, v));
    if (value_is_kind(v, KIND_TABLE)) return reply_uint(call, table_row_count(table_of(h, v)));
    return fail_type(call, call->args[0], v,
                     "a list, a map, a set, a sorted set, a table, a string or bytes");
}

enum call_outcome method_add(struct call *call)
{
    struct heap *h = call->heap;
    struct place place;
    struct number delta = number_read(h, call->args[1]), old, sum;
    if (delta.class == NUMBER_NONE)
        return call_fail(call, ERROR_BAD_PARAMS, "add: number must be a number, not %s",
                         value_describe(call->args[1]));
    if (place_find(call, call->args[0], 0, &place) < 0) return CALL_FAILED;
    bool empty = place.held == VALUE_ABSENT || place.held == VALUE_NIL;
    old = empty ? (struct number){.class = NUMBER_INT64} : number_read(h, place.held);
    if (old.class == NUMBER_NONE) return fail_type(call, call->args[0], place.held, "a number");
    if (number_add(old, delta, &sum) < 0)
        return call_fail(call, ERROR_OUT_OF_RANGE,
                         "add: the sum of %s and %s does not fit int64 or uint64",
                         call_quote_value(call, place.held), call_quote_value(call, call->args[1]));
    value v = number_make(h, sum);
    if (v == VALUE_ABSENT) return fail_no_memory(call);

    struct reply r;
    reply_open(&r, call);
    int status = reply_value(&r, v);
    if (status == 0) status = place_set_take(call, &place, v);
    else value_release(h, v);
    return reply_finish(&r, status);
}

/* --- append ---------------------------------------------------------------------------------*/

/* The text `old` with `data` after it, as a new value that place_set_take can store in its
 * place; or `old` itself, changed, which needs no store. VALUE_ABSENT: no memory. */
static value appended(struct heap *h, value old, value data)
{
    size_t old_length = text_length(h, old), length = text_length(h, data);
    bool is_rope = value_is_kind(old, KIND_ROPE) || value_is_kind(old, KIND_ROPE_BYTES);
    size_t start = is_rope ? 0 : old_length;
    char *bytes = malloc(start + length + 1);
    if (bytes == NULL) return VALUE_ABSENT;
    text_copy(h, old, 0, bytes, start);
    text_copy(h, data, 0, bytes + start, length);
    value result;
    if (is_rope) {
        /* A rope grows in place; one that turns from string to bytes becomes another object,
         * and then the old one must not be taken apart before it is replaced. */
        bool turns = !text_is_bytes(old) && !utf8_valid(bytes, length);
        result = text_append_take(h, turns ? value_share(h, old) : old, bytes, length);
    } else {
        result = text_new(h, bytes, start + length, text_is_bytes(old));
    }
    free(bytes);
    return result;
}

enum call_outcome method_append(struct call *call)
{
    struct heap *h = call->heap;
    struct place place;
    value data = call->args[1];
    if (!value_is_text(data))
        return call_fail(call, ERROR_BAD_PARAMS, "append: data must be a string or bytes, not %s",
                         value_describe(data));
    if (place_find(call, call->args[0], 0, &place) < 0) return CALL_FAILED;
    if (place.kind == PLACE_HANDLE)
        return call_fail(call, ERROR_BAD_PATH, "append: a handle cannot be given another value");
    if (place.kind >= PLACE_ROW)
        return call_fail(call, ERROR_BAD_PATH,
                         "append: %s is in a table; set gives the cell another text",
                         quote_whole_path(call, place.path));
    value old = place.held, v;
    if (old == VALUE_ABSENT || old == VALUE_NIL) {
        v = param_take(call, 1);
    } else if (!value_is_text(old)) {
        return fail_type(call, call->args[0], old,
                         value_is_kind(old, KIND_LIST) ? "a string or bytes (push adds to a list)"
                                                       : "a string or bytes");
    } else {
        v = appended(h, old, data);
        if (v == VALUE_ABSENT) return fail_no_memory(call);
    }
    size_t length = text_length(h, v);
    if (v != old && place_set_take(call, &place, v) < 0) return CALL_FAILED;
    return reply_uint(call, length);
}

/* --- many at once -----------------------------------------------------------------------------*/

enum call_outcome method_mget(struct call *call)
{
    size_t count;
    if (param_list(call, 0, "paths", &count) < 0 || paths_check(call, count) < 0)
        return CALL_FAILED;
    struct reply r;
    reply_open(&r, call);
    reply_array(&r, count);
    int status = reply_room(&r, count);
    for (size_t i = 0; i < count && status == 0 && r.w->error == WRITER_OK; i++) {
        value v;
        status = path_read_through(call, list_get(call->heap, call->args[0], i), 0, &v);
        if (status == 0) status = reply_value(&r, v);
    }
    return reply_finish(&r, status);
}

/* mset: the pairs and their places. */
struct mset {
    value pairs; /* the parameter */
    size_t count;
    struct place *places;
    value *replaced; /* containers that the call replaces, sorted */
    size_t replaced_count;
};

/* Finds all places, in the state before the call. */
static int mset_find(struct call *call, struct mset *m)
{
    struct heap *h = call->heap;
    for (size_t i = 0; i < m->count; i++) {
        value pair = list_get(h, m->pairs, i);
        if (!value_is_kind(pair, KIND_LIST) || list_length(h, pair) != 2) {
            call_fail(call, ERROR_BAD_PARAMS, "mset: pair %zu must be a list of a path and a value",
                      i + 1);
            return -1;
        }
        struct place *place = &m->places[i];
        if (place_find(call, list_get(h, pair, 0), 0, place) < 0) return -1;
        if (place->kind == PLACE_HANDLE) {
            call_fail(call, ERROR_BAD_PATH, "mset: a handle cannot be given another value");
            return -1;
        }
        if (place->kind >= PLACE_ROW) {
            call_fail(call, ERROR_BAD_PATH,
                      "mset: %s is in a table; set changes a cell, table.update many",
                      quote_whole_path(call, place->path));
            return -1;
        }
        if (value_is_ref(place->held) && !value_is_text(place->held))
            m->replaced[m->replaced_count++] = place->held;
    }
    place_sort(m->replaced, m->replaced_count);
    return 0;
}

/* A place inside of something that the same call replaces would be lost. */
static int mset_check(struct call *call, struct mset *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (!place_passes(call, &m->places[i], m->replaced, m->replaced_count)) continue;
        call_fail(call, ERROR_BAD_PARAMS,
                  "mset: %s lies inside of what another pair of the same call replaces",
                  quote_whole_path(call, m->places[i].path));
        return -1;
    }
    return 0;
}

static value mset_value(struct heap *h, const struct mset *m, size_t i)
{
    return list_get(h, list_get(h, m->pairs, i), 1);
}

/* Takes the entries that mset_prepare made out again, of the first `count` pairs. */
static void mset_undo(struct call *call, struct mset *m, size_t count)
{
    while (count-- > 0) {
        struct place *place = &m->places[count];
        if (place->kind != PLACE_ENTRY || place->held != VALUE_ABSENT) continue;
        if (place_is_key(call, place)) keys_remove(call->host->keys, &place->key);
        else map_remove(call->heap, place->container, &place->key, NULL);
    }
}

/* Makes an entry, nil for now, for each place that has none, and readies all entries and items for
 * what they are to hold; this is what can fail. To store in them then needs no memory. */
static int mset_prepare(struct call *call, struct mset *m)
{
    struct heap *h = call->heap;
    for (size_t i = 0; i < m->count; i++) {
        struct place *place = &m->places[i];
        if (place->kind != PLACE_ENTRY || place->held != VALUE_ABSENT) continue;
        if (place_set_take(call, place, VALUE_NIL) == 0) continue;
        mset_undo(call, m, i);
        return -1;
    }
    int status = 0;
    for (size_t i = 0; i < m->count && status == 0; i++) {
        struct place *place = &m->places[i];
        value v = mset_value(h, m, i);
        status = place->kind == PLACE_ITEM ? list_set_ready(h, place->container, place->index, v)
                                           : map_ready(h, place->container, &place->key, v);
    }
    if (status == 0) return 0;
    fail_no_memory(call);
    for (size_t i = 0; i < m->count; i++)
        if (m->places[i].kind == PLACE_ENTRY)
            map_settle(h, m->places[i].container, &m->places[i].key);
    mset_undo(call, m, m->count);
    return -1;
}

/* Stores everything; cannot fail any more. */
static int mset_store(struct call *call, struct mset *m)
{
    struct heap *h = call->heap;
    struct keys *k = call->host->keys;
    int status = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct place *place = &m->places[i];
        value v = param_item_take(call, m->pairs, list_get(h, m->pairs, i), 1);
        if (place->kind == PLACE_ENTRY) map_set_ready_take(h, place->container, &place->key, v);
        else if (place_set_take(call, place, v) < 0) status = -1;
    }
    for (size_t i = 0; i < m->count; i++)
        if (m->places[i].kind == PLACE_ENTRY)
            map_settle(h, m->places[i].container, &m->places[i].key);
    for (size_t i = 0; i < m->count; i++)
        if (place_is_key(call, &m->places[i]) && keys_expire(k, &m->places[i].key, 0) < 0)
            status = -1; /* cannot be: it never expires from now on */
    return status;
}

enum call_outcome method_mset(struct call *call)
{
    struct mset m = {.pairs = call->args[0]};
    if (param_list(call, 0, "the pairs", &m.count) < 0 || paths_check(call, m.count) < 0)
        return CALL_FAILED;
    m.places = malloc((m.count + 1) * sizeof *m.places);
    m.replaced = malloc((m.count + 1) * sizeof *m.replaced);
    int status = -1;
    if (m.places == NULL || m.replaced == NULL) fail_no_memory(call);
    else if (mset_find(call, &m) == 0 && mset_check(call, &m) == 0 && mset_prepare(call, &m) == 0)
        status = mset_store(call, &m);
    free(m.places);
    free(m.replaced);
    return status < 0 ? CALL_FAILED : reply_bool(call, true);
}
