/* methods_sets.c - sets: include, exclude, contains; union, intersect, difference.
 *
 * The last three may look at millions of members, so they run in steps. What they see: the sets
 * are those that lay at the paths when the call began, wherever they go meanwhile; a member that
 * is in a set all the time counts as in it, one that comes or goes meanwhile may or may not.
 * Nothing is copied to begin with: the sets are read page by page (map_page), and a page stands
 * for one moment. The result is stored, or written, only when it is complete. */
#include "server/method_list.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/plant.h"
#include "heap/set.h"
#include "server/clock.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"

/* --- members in parameters ------------------------------------------------------------------*/

/* Readies `v` for look-ups. `number` counts from 1; 0: it is the only one. 0, or -1. */
static int read_member(struct call *call, value v, size_t number, struct map_key *key)
{
    char which[32] = "the value";
    const char *method = call->method->name;
    if (number > 0) snprintf(which, sizeof which, "member %zu", number);
    if (value_is_text(v) && text_length(call->heap, v) > MAP_KEY_BYTES_MAX) {
        call_fail(call, ERROR_LIMIT, "%s: %s has %zu bytes; the limit is %zu", method, which,
                  text_length(call->heap, v), (size_t)MAP_KEY_BYTES_MAX);
        return -1;
    }
    if (map_key_value(call->heap, key, v) == 0) return 0;
    call_fail(call, ERROR_BAD_PARAMS,
              "%s: %s is %s; members are strings, bytes, integers, floats and booleans", method,
              which, value_describe(v));
    return -1;
}

/* The members of the list that is parameter 1. */
struct members {
    struct map_key *keys; /* they borrow from the parameter */
    bool *done;           /* what the method did with each */
    size_t count;
};

static void members_free(struct members *m)
{
    free(m->keys);
    free(m->done);
}

/* 0, or -1 after call_fail; then nothing is to be freed. */
static int members_read(struct call *call, struct members *m)
{
    if (param_list(call, 1, "the members", &m->count) < 0 || members_check(call, m->count) < 0)
        return -1;
    m->keys = malloc((m->count + 1) * sizeof *m->keys);
    m->done = calloc(m->count + 1, sizeof *m->done);
    int status = 0;
    if (m->keys == NULL || m->done == NULL) {
        fail_no_memory(call);
        status = -1;
    }
    for (size_t i = 0; i < m->count && status == 0; i++)
        status = read_member(call, list_get(call->heap, call->args[1], i), i + 1, &m->keys[i]);
    if (status < 0) members_free(m);
    return status;
}

/* Reads parameter 0: the set there, or VALUE_ABSENT if there is nothing. 0, or -1. */
static int read_set(struct call *call, value path, value *set)
{
    if (path_read_through(call, path, 0, set) < 0) return -1;
    if (*set == VALUE_NIL) *set = VALUE_ABSENT;
    if (*set == VALUE_ABSENT || value_is_kind(*set, KIND_SET)) return 0;
    fail_type(call, path, *set, "a set");
    return -1;
}

/* --- include, exclude, contains -------------------------------------------------------------*/

/* All or none. The number of members that are new, or -1. */
static int64_t include_all(struct call *call, value set, struct members *m)
{
    int64_t added = 0;
    for (size_t i = 0; i < m->count; i++) {
        int status = set_include(call->heap, set, &m->keys[i]);
        if (status >= 0) {
            m->done[i] = status;
            added += status;
            continue;
        }
        while (i-- > 0)
            if (m->done[i]) set_exclude(call->heap, set, &m->keys[i]);
        fail_no_memory(call);
        return -1;
    }
    return added;
}

/* Makes a set of the members at the place. */
static int64_t include_new(struct call *call, struct place *place, struct members *m)
{
    value set = set_new(call->heap);
    if (set == VALUE_ABSENT) {
        fail_no_memory(call);
        return -1;
    }
    int64_t added = include_all(call, set, m);
    if (added < 0) {
        value_release(call->heap, set);
        return -1;
    }
    return place_set_take(call, place, set) < 0 ? -1 : added;
}

enum call_outcome method_include(struct call *call)
{
    value create;
    const struct option known[] = {{"create", &create}};
    bool creates = false;
    struct place place;
    struct members m;
    if (options_read(call, 2, known, 1) < 0 || option_bool(call, "create", create, &creates) < 0 ||
        place_find(call, call->args[0], creates ? PATH_CREATE : 0, &place) < 0)
        return CALL_FAILED;
    value set = path_follow(call->heap, place.held);
    bool absent = set == VALUE_ABSENT || set == VALUE_NIL;
    if (absent && !creates)
        return call_fail(call, ERROR_NOT_FOUND,
                         "include: there is no set at %s; the option create makes it",
                         quote_whole_path(call, call->args[0]));
    if (!absent && !value_is_kind(set, KIND_SET))
        return fail_type(call, call->args[0], set, "a set");
    if (members_read(call, &m) < 0) return CALL_FAILED;
    int64_t added = absent ? include_new(call, &place, &m) : include_all(call, set, &m);
    members_free(&m);
    return added < 0 ? CALL_FAILED : reply_int(call, added);
}

enum call_outcome method_exclude(struct call *call)
{
    value set;
    struct members m;
    uint64_t removed = 0;
    if (read_set(call, call->args[0], &set) < 0 || members_read(call, &m) < 0) return CALL_FAILED;
    for (size_t i = 0; i < m.count && set != VALUE_ABSENT; i++)
        removed += set_exclude(call->heap, set, &m.keys[i]);
    members_free(&m);
    return reply_uint(call, removed);
}

enum call_outcome method_contains(struct call *call)
{
    value set;
    struct map_key key;
    if (read_set(call, call->args[0], &set) < 0 || read_member(call, call->args[1], 0, &key) < 0)
        return CALL_FAILED;
    return reply_bool(call, set != VALUE_ABSENT && set_contains(call->heap, set, &key));
}

/* --- union, intersect, difference -----------------------------------------------------------*/

#define COMBINE_SETS_MAX 256
/* Look-ups in a row, between two looks at the clock: some hundred microseconds. */
#define COMBINE_BATCH 1024
#define COMBINE_PAGE_MAX 512
/* Look-ups of a call that is answered at once. */
#define COMBINE_AT_ONCE 4096

enum combination { UNION, INTERSECT, DIFFERENCE };

struct combine {
    enum combination operation;
    bool stores; /* at the place that the option into names; else the result is the answer */
    size_t count;
    value sets[COMBINE_SETS_MAX]; /* until they are pinned; VALUE_ABSENT: none there */
    struct root_frame frame;      /* the result; then the sets, once they are pinned */
    bool pinned;
    size_t at;                    /* the set that is read */
    uint64_t cursor;
    struct place place;           /* where the result goes; found anew when all is done */
    value page[2 * COMBINE_PAGE_MAX];
};

/* The option into, looked up each time: between two steps what an option holds may move. */
static value combine_into(struct call *call)
{
    value into;
    const struct option known[] = {{"into", &into}};
    int status = options_read(call, 1, known, 1);
    assert(status == 0 && "they were read before");
    (void)status;
    return into;
}

static void combine_free(struct call *call)
{
    struct combine *c = call->state;
    root_frame_close(call->heap, &c->frame);
    free(c);
    call->state = NULL;
}

static value combine_set(const struct combine *c, size_t i)
{
    return c->pinned ? c->frame.slots[1 + i] : c->sets[i];
}

/* Whether a member of the first set belongs to the result. */
static bool combine_wants(const struct heap *h, const struct combine *c, const struct map_key *key)
{
    if (c->operation == UNION) return true;
    for (size_t i = 1; i < c->count; i++) {
        value set = combine_set(c, i);
        bool there = value_is_kind(set, KIND_SET) && set_contains(h, set, key);
        if (there != (c->operation == INTERSECT)) return false;
    }
    return true;
}

static int combine_fail_size(struct call *call)
{
    call_fail(call, ERROR_LIMIT,
              "%s: the result has more members than reply-elements (%zu) allows; the option into "
              "stores it instead",
              call->method->name, call->host->reply_elements_max);
    return -1;
}

/* One page. The look-ups made, 0 when all is done, -1 after call_fail. */
static int64_t combine_page(struct call *call, struct combine *c)
{
    struct heap *h = call->heap;
    size_t last = c->operation == UNION ? c->count : 1;
    size_t tests = c->operation == UNION ? 1 : c->count;
    size_t capacity = COMBINE_BATCH / tests;
    if (capacity > COMBINE_PAGE_MAX) capacity = COMBINE_PAGE_MAX;
    if (c->at == last) return 0;
    value set = combine_set(c, c->at), result = c->frame.slots[0];
    size_t count = 0;
    uint64_t next = 0;
    if (value_is_kind(set, KIND_SET)) count = set_page(h, set, c->cursor, &next, c->page, capacity);
    for (size_t i = 0; i < count; i++) {
        struct map_key key;
        int status = map_key_value(h, &key, c->page[i]);
        if (status == 0 && combine_wants(h, c, &key)) status = set_include(h, result, &key);
        if (status < 0) {
            fail_no_memory(call);
            return -1;
        }
    }
    if (!c->stores && set_count(h, result) > call->host->reply_elements_max)
        return combine_fail_size(call);
    c->cursor = next;
    if (next == 0) c->at++;
    return (int64_t)(count * tests) + 1;
}

static enum call_outcome combine_finish(struct call *call, struct combine *c)
{
    struct heap *h = call->heap;
    enum call_outcome outcome = CALL_FAILED;
    value result = c->frame.slots[0];
    size_t count = set_count(h, result);
    if (!c->stores) {
        struct reply r;
        reply_open(&r, call);
        outcome = reply_finish(&r, reply_value(&r, result));
    } else if (planted(29) || place_find(call, combine_into(call), 0, &c->place) == 0) {
        c->frame.slots[0] = VALUE_NIL;
        if (place_replace_take(call, &c->place, result, 0) == 0) outcome = reply_uint(call, count);
    }
    combine_free(call);
    return outcome;
}

static enum call_outcome combine_step(struct call *call, uint64_t budget_ns)
{
    struct combine *c = call->state;
    uint64_t end = clock_ns() + budget_ns;
    int64_t work;
    root_frame_touch(call->heap, &c->frame);
    do work = combine_page(call, c);
    while (work > 0 && clock_ns() < end);
    if (work > 0) return CALL_PENDING;
    if (work == 0) return combine_finish(call, c);
    combine_free(call);
    return CALL_FAILED;
}

/* The sets are from now on held across events: they have one owner more. 0, or -1. */
static int combine_pin(struct call *call, struct combine *c)
{
    for (size_t i = 0; i < c->count; i++) {
        value set = c->sets[i] == VALUE_ABSENT ? VALUE_NIL : value_share(call->heap, c->sets[i]);
        if (root_frame_push_take(call->heap, &c->frame, set) == 0) continue;
        fail_no_memory(call);
        return -1;
    }
    c->pinned = true;
    return 0;
}

/* Reads the paths and finds the sets. 0, or -1. */
static int combine_read(struct call *call, struct combine *c)
{
    struct heap *h = call->heap;
    if (param_list(call, 0, "paths", &c->count) < 0) return -1;
    if (c->count == 0 || c->count > COMBINE_SETS_MAX) {
        call_fail(call, c->count == 0 ? ERROR_BAD_PARAMS : ERROR_LIMIT,
                  "%s: %zu paths; it takes 1 to %d", call->method->name, c->count,
                  COMBINE_SETS_MAX);
        return -1;
    }
    for (size_t i = 0; i < c->count; i++)
        if (read_set(call, list_get(h, call->args[0], i), &c->sets[i]) < 0) return -1;
    /* Early, so that a wrong place costs no work; it is looked for again when it is needed. */
    return c->stores ? place_find(call, combine_into(call), 0, &c->place) : 0;
}

/* An intersection is sought among the members of the smallest set. */
static void combine_smallest_first(struct heap *h, struct combine *c)
{
    size_t best = 0, least = SIZE_MAX;
    for (size_t i = 0; i < c->count; i++) {
        size_t count = c->sets[i] == VALUE_ABSENT ? 0 : set_count(h, c->sets[i]);
        if (count >= least) continue;
        least = count;
        best = i;
    }
    value first = c->sets[0];
    c->sets[0] = c->sets[best];
    c->sets[best] = first;
}

static enum call_outcome combine(struct call *call, enum combination operation)
{
    struct heap *h = call->heap;
    value into;
    const struct option known[] = {{"into", &into}};
    if (options_read(call, 1, known, 1) < 0) return CALL_FAILED;
    struct combine *c = malloc(sizeof *c);
    if (c == NULL) return fail_no_memory(call);
    c->operation = operation;
    c->stores = into != VALUE_ABSENT;
    c->pinned = false;
    c->at = 0;
    c->cursor = 0;
    root_frame_open(h, &c->frame);
    call->state = c;
    call->abort = combine_free;

    int64_t work = combine_read(call, c), done = 0;
    if (work == 0) {
        value result = set_new(h);
        if (result == VALUE_ABSENT || root_frame_push_take(h, &c->frame, result) < 0) {
            if (result != VALUE_ABSENT) value_release(h, result);
            fail_no_memory(call);
            work = -1;
        }
    }
    if (work == 0) {
        if (operation == INTERSECT) combine_smallest_first(h, c);
        do {
            work = combine_page(call, c);
            done += work;
        } while (work > 0 && done < COMBINE_AT_ONCE);
        if (work == 0) return combine_finish(call, c);
        if (work > 0) work = combine_pin(call, c);
    }
    if (work < 0) {
        combine_free(call);
        return CALL_FAILED;
    }
    call->step = combine_step;
    return CALL_PENDING;
}

enum call_outcome method_union(struct call *call) { return combine(call, UNION); }
enum call_outcome method_intersect(struct call *call) { return combine(call, INTERSECT); }
enum call_outcome method_difference(struct call *call) { return combine(call, DIFFERENCE); }
