/* methods_sorted.c - sorted sets: the methods sorted.*.
 *
 * Ranks count from 0 and ranges of ranks are those of slice; ranges of scores have their ends with
 * them unless the option exclusive says otherwise. */
#include "server/method_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/sorted_set.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"

/* --- parameters -----------------------------------------------------------------------------*/

/* The bytes of a member; do not copy. */
struct member {
    const char *data; /* borrowed from the parameter, or the scratch */
    size_t length;
    struct text_scratch scratch;
};

/* `number` counts from 1; 0: it is the only one. 0, or -1 after call_fail. */
static int read_member(struct call *call, value v, size_t number, struct member *m)
{
    char which[32] = "the member";
    if (number > 0) snprintf(which, sizeof which, "member %zu", number);
    if (!value_is_text(v)) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: %s is %s; members are strings or bytes",
                  call->method->name, which, value_describe(v));
        return -1;
    }
    m->length = text_length(call->heap, v);
    if (m->length > SORTED_MEMBER_MAX) {
        call_fail(call, ERROR_LIMIT, "%s: %s has %zu bytes; the limit is %zu", call->method->name,
                  which, m->length, (size_t)SORTED_MEMBER_MAX);
        return -1;
    }
    if (m->length > 0) text_piece(call->heap, v, 0, &m->data, &m->scratch);
    else m->data = "";
    return 0;
}

static int read_score(struct call *call, const char *name, value v, struct number *score)
{
    int status = sorted_score(number_read(call->heap, v), score);
    if (status == -EINVAL)
        call_fail(call, ERROR_BAD_PARAMS, "%s: %s is %s; scores are numbers, and not NaN",
                  call->method->name, name,
                  value_type(v) == TYPE_FLOAT ? "NaN" : value_describe(v));
    else if (status < 0)
        call_fail(call, ERROR_OUT_OF_RANGE,
                  "%s: %s is %s, which neither an int64 nor a float is equal to",
                  call->method->name, name, call_quote_value(call, v));
    return status < 0 ? -1 : 0;
}

/* The sorted set at parameter 0, VALUE_ABSENT if there is nothing. 0, or -1. */
static int read_set(struct call *call, value *set)
{
    if (path_read_through(call, call->args[0], 0, set) < 0) return -1;
    if (*set == VALUE_NIL) *set = VALUE_ABSENT;
    if (*set == VALUE_ABSENT || value_is_kind(*set, KIND_SORTED_SET)) return 0;
    fail_type(call, call->args[0], *set, "a sorted set");
    return -1;
}

/* --- adding ---------------------------------------------------------------------------------*/

enum condition { IF_ABSENT, IF_PRESENT, IF_GREATER, IF_LESS, IF_ANY };

/* A set that is to be changed: one that is there, or a new one for the place. */
struct target {
    struct place place;
    value set;
    bool is_new;
};

/* 0, or -1 after call_fail. */
static int target_find(struct call *call, bool creates, struct target *t)
{
    if (place_find(call, call->args[0], creates ? PATH_CREATE : 0, &t->place) < 0) return -1;
    t->set = path_follow(call->heap, t->place.held);
    t->is_new = t->set == VALUE_ABSENT || t->set == VALUE_NIL;
    if (!t->is_new && !value_is_kind(t->set, KIND_SORTED_SET)) {
        fail_type(call, call->args[0], t->set, "a sorted set");
        return -1;
    }
    if (t->is_new && !creates) {
        call_fail(call, ERROR_NOT_FOUND,
                  "%s: there is no sorted set at %s; the option create makes it",
                  call->method->name, quote_whole_path(call, call->args[0]));
        return -1;
    }
    if (t->is_new) t->set = sorted_set_new(call->heap);
    if (t->set != VALUE_ABSENT) return 0;
    fail_no_memory(call);
    return -1;
}

/* Stores a new set, if the work that came before went well. 0, or -1. */
static int target_close(struct call *call, struct target *t, int status)
{
    if (!t->is_new) return status;
    if (status == 0) return place_set_take(call, &t->place, t->set);
    value_release(call->heap, t->set);
    return status;
}

/* A pair of sorted.add. A member may come more than once, and each time counts as if it were a
 * call of its own; what is to come of it in the end is kept with the first. */
struct addition {
    struct member member;
    struct number score;
    struct addition *first;
    bool was_there, is_there; /* these of the first */
    struct number old, final;
    struct sorted_change change;
};

static int read_additions(struct call *call, struct addition *additions, size_t count)
{
    struct heap *h = call->heap;
    for (size_t i = 0; i < count; i++) {
        value pair = list_get(h, call->args[1], i);
        if (!value_is_kind(pair, KIND_LIST) || list_length(h, pair) != 2) {
            call_fail(call, ERROR_BAD_PARAMS,
                      "sorted.add: pair %zu must be a list of a member and its score", i + 1);
            return -1;
        }
        char name[40];
        snprintf(name, sizeof name, "score %zu", i + 1);
        if (read_member(call, list_get(h, pair, 0), i + 1, &additions[i].member) < 0 ||
            read_score(call, name, list_get(h, pair, 1), &additions[i].score) < 0)
            return -1;
    }
    return 0;
}

static int compare_members(const void *a, const void *b)
{
    const struct addition *x = *(struct addition *const *)a, *y = *(struct addition *const *)b;
    size_t common = x->member.length < y->member.length ? x->member.length : y->member.length;
    int order = memcmp(x->member.data, y->member.data, common);
    if (order == 0)
        order = (x->member.length > y->member.length) - (x->member.length < y->member.length);
    return order != 0 ? order : (x > y) - (x < y);
}

/* Finds the first addition of each member, and what the set has of it. */
static int find_firsts(struct call *call, value set, struct addition *additions, size_t count)
{
    struct addition **sorted = malloc((count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        fail_no_memory(call);
        return -1;
    }
    for (size_t i = 0; i < count; i++) sorted[i] = &additions[i];
    qsort(sorted, count, sizeof *sorted, compare_members);
    for (size_t i = 0; i < count; i++) {
        struct addition *a = sorted[i], *last = i > 0 ? sorted[i - 1]->first : NULL;
        bool again = last != NULL && last->member.length == a->member.length &&
                     memcmp(last->member.data, a->member.data, a->member.length) == 0;
        a->first = again ? last : a;
        if (again) continue;
        a->was_there = a->is_there = sorted_set_score(call->heap, set, a->member.data,
                                                      a->member.length, &a->old);
        a->final = a->old;
    }
    free(sorted);
    return 0;
}

static bool condition_holds(const struct addition *a, enum condition condition)
{
    bool there = a->first->is_there;
    switch (condition) {
    case IF_ABSENT: return !there;
    case IF_PRESENT: return there;
    case IF_GREATER: return !there || sorted_score_compare(a->score, a->first->final) > 0;
    case IF_LESS: return !there || sorted_score_compare(a->score, a->first->final) < 0;
    case IF_ANY: break;
    }
    return true;
}

/* Whether the member's change is made in this one of two passes: first come those that are not
 * there, as sorted_set_put wants it. */
static bool is_put_in(const struct addition *a, unsigned pass)
{
    return a->first == a && a->is_there && a->was_there == pass;
}

/* All or none. 0, or -1. */
static int put_all(struct call *call, value set, struct addition *additions, size_t count)
{
    struct heap *h = call->heap;
    size_t done = 0, total = 2 * count;
    for (; done < total; done++) {
        struct addition *a = &additions[done % count];
        if (is_put_in(a, done >= count) &&
            sorted_set_put(h, set, a->member.data, a->member.length, a->final, &a->change) < 0)
            break;
    }
    bool failed = done < total;
    for (size_t i = done; i-- > 0;) {
        struct addition *a = &additions[i % count];
        if (!is_put_in(a, i >= count)) continue;
        if (failed) sorted_set_undo(h, set, &a->change);
        else sorted_set_keep(h, set, &a->change);
    }
    for (size_t i = 0; i < done; i++) {
        const struct addition *a = &additions[i % count];
        if (is_put_in(a, i >= count)) sorted_set_settle(h, set, &a->change);
    }
    if (failed) fail_no_memory(call);
    return failed ? -1 : 0;
}

/* All or none. The number of members that are new, or -1. */
static int64_t add_all(struct call *call, value set, struct addition *additions, size_t count,
                       enum condition condition)
{
    int64_t added = 0;
    if (find_firsts(call, set, additions, count) < 0) return -1;
    for (size_t i = 0; i < count; i++) {
        struct addition *first = additions[i].first;
        if (!condition_holds(&additions[i], condition)) continue;
        added += !first->is_there;
        first->is_there = true;
        first->final = additions[i].score;
    }
    return put_all(call, set, additions, count) < 0 ? -1 : added;
}

enum call_outcome method_sorted_add(struct call *call)
{
    value if_word, create;
    const struct option known[] = {{"if", &if_word}, {"create", &create}};
    int condition = IF_ANY;
    bool creates = false;
    size_t count;
    struct target t;
    if (param_list(call, 1, "the pairs", &count) < 0 || members_check(call, count) < 0 ||
        options_read(call, 2, known, 2) < 0 ||
        option_word(call, "if", if_word, "absent present greater less", &condition) < 0 ||
        option_bool(call, "create", create, &creates) < 0)
        return CALL_FAILED;
    struct addition *additions = malloc((count + 1) * sizeof *additions);
    if (additions == NULL) return fail_no_memory(call);
    int64_t added = -1;
    if (read_additions(call, additions, count) == 0 && target_find(call, creates, &t) == 0) {
        added = add_all(call, t.set, additions, count, (enum condition)condition);
        if (target_close(call, &t, added < 0 ? -1 : 0) < 0) added = -1;
    }
    free(additions);
    return added < 0 ? CALL_FAILED : reply_int(call, added);
}

/* The score that a member of this score has after `by`. 0, or -1 after call_fail. */
static int sum_scores(struct call *call, struct number old, struct number by, struct number *sum)
{
    if (number_add(old, by, sum) == 0 && sorted_score(*sum, sum) == 0) return 0;
    bool infinite = old.class == NUMBER_DOUBLE && by.class == NUMBER_DOUBLE;
    call_fail(call, ERROR_OUT_OF_RANGE,
              infinite ? "%s: the sum of two opposite infinities is no score"
                       : "%s: the sum does not fit int64",
              call->method->name);
    return -1;
}

enum call_outcome method_sorted_increment(struct call *call)
{
    struct heap *h = call->heap;
    value create;
    const struct option known[] = {{"create", &create}};
    bool creates = false;
    struct member m;
    struct number by, score = {.class = NUMBER_INT64};
    struct sorted_change change;
    struct target t;
    if (read_member(call, call->args[1], 0, &m) < 0 ||
        read_score(call, "by", call->args[2], &by) < 0 || options_read(call, 3, known, 1) < 0 ||
        option_bool(call, "create", create, &creates) < 0 || target_find(call, creates, &t) < 0)
        return CALL_FAILED;
    sorted_set_score(h, t.set, m.data, m.length, &score);
    int status = sum_scores(call, score, by, &score);
    if (status == 0 && sorted_set_put(h, t.set, m.data, m.length, score, &change) < 0) {
        fail_no_memory(call);
        status = -1;
    }
    if (status == 0) {
        sorted_set_keep(h, t.set, &change);
        sorted_set_settle(h, t.set, &change);
    }
    if (target_close(call, &t, status) < 0) return CALL_FAILED;
    if (score.class == NUMBER_INT64) return reply_int(call, score.i);
    writer_double(call->reply, score.d);
    return CALL_DONE;
}

/* --- one member -----------------------------------------------------------------------------*/

enum call_outcome method_sorted_remove(struct call *call)
{
    struct heap *h = call->heap;
    value set;
    size_t count;
    struct member m;
    uint64_t removed = 0;
    if (param_list(call, 1, "the members", &count) < 0 || members_check(call, count) < 0 ||
        read_set(call, &set) < 0)
        return CALL_FAILED;
    for (size_t i = 0; i < count; i++)
        if (read_member(call, list_get(h, call->args[1], i), i + 1, &m) < 0) return CALL_FAILED;
    for (size_t i = 0; i < count && set != VALUE_ABSENT; i++)
        if (read_member(call, list_get(h, call->args[1], i), i + 1, &m) == 0)
            removed += sorted_set_remove(h, set, m.data, m.length);
    return reply_uint(call, removed);
}

enum call_outcome method_sorted_score(struct call *call)
{
    value set;
    struct member m;
    struct number score;
    if (read_set(call, &set) < 0 || read_member(call, call->args[1], 0, &m) < 0)
        return CALL_FAILED;
    if (set == VALUE_ABSENT || !sorted_set_score(call->heap, set, m.data, m.length, &score))
        writer_nil(call->reply);
    else if (score.class == NUMBER_INT64)
        writer_int(call->reply, score.i);
    else
        writer_double(call->reply, score.d);
    return CALL_DONE;
}

enum call_outcome method_sorted_rank(struct call *call)
{
    value set, reverse;
    const struct option known[] = {{"reverse", &reverse}};
    bool backwards = false;
    struct member m;
    size_t rank;
    if (options_read(call, 2, known, 1) < 0 ||
        option_bool(call, "reverse", reverse, &backwards) < 0 || read_set(call, &set) < 0 ||
        read_member(call, call->args[1], 0, &m) < 0)
        return CALL_FAILED;
    if (set == VALUE_ABSENT || !sorted_set_rank(call->heap, set, m.data, m.length, &rank)) {
        writer_nil(call->reply);
        return CALL_DONE;
    }
    return reply_uint(call, backwards ? sorted_set_count(call->heap, set) - 1 - rank : rank);
}

/* --- ranges ---------------------------------------------------------------------------------*/

/* Entries [start, stop) in ascending order. */
struct range {
    size_t start, stop;
};

/* From parameters 1 and 2, ranks as in slice, counted from the greatest if `reverse`. */
static int range_by_rank(struct call *call, size_t count, bool reverse, struct range *range)
{
    int64_t start = 0, stop = INT64_MAX, length = (int64_t)count;
    if (param_int(call, 1, "start", INT64_MIN, INT64_MAX, &start) < 0 ||
        param_int(call, 2, "stop", INT64_MIN, INT64_MAX, &stop) < 0)
        return -1;
    if (start < 0) start = start < -length ? 0 : start + length;
    if (stop < 0) stop = stop < -length ? 0 : stop + length;
    if (stop > length) stop = length;
    if (start > stop) start = stop;
    range->start = (size_t)(reverse ? length - stop : start);
    range->stop = (size_t)(reverse ? length - start : stop);
    return 0;
}

enum { EXCLUDE_START, EXCLUDE_STOP, EXCLUDE_BOTH, EXCLUDE_NEITHER };

/* From parameters 1 and 2, scores or nil for no bound. `set` may be VALUE_ABSENT. */
static int range_by_score(struct call *call, value set, int exclude, const char *names[2],
                          struct range *range)
{
    struct heap *h = call->heap;
    struct number low, high;
    value start = param(call, 1), stop = param(call, 2);
    *range = (struct range){0, set == VALUE_ABSENT ? 0 : sorted_set_count(h, set)};
    if ((start != VALUE_NIL && read_score(call, names[0], start, &low) < 0) ||
        (stop != VALUE_NIL && read_score(call, names[1], stop, &high) < 0))
        return -1;
    if (set == VALUE_ABSENT) return 0;
    if (start != VALUE_NIL)
        range->start = sorted_set_below(h, set, low,
                                        exclude == EXCLUDE_START || exclude == EXCLUDE_BOTH);
    if (stop != VALUE_NIL)
        range->stop = sorted_set_below(h, set, high,
                                       exclude == EXCLUDE_NEITHER || exclude == EXCLUDE_START);
    if (range->stop < range->start) range->stop = range->start;
    return 0;
}

static void range_limit(struct range *range, uint64_t offset, uint64_t limit, bool reverse)
{
    size_t count = range->stop - range->start;
    if (offset > count) offset = count;
    count -= offset;
    if (count > limit) count = limit;
    if (reverse) range->stop -= offset;
    else range->start += offset;
    if (reverse) range->start = range->stop - count;
    else range->stop = range->start + count;
}

/* Writes the entries of a range. 0, or -1 after call_fail. */
static int write_range(struct reply *r, value set, const struct range *range, bool reverse,
                       bool scores)
{
    struct heap *h = r->call->heap;
    struct sorted_cursor at;
    struct sorted_entry entry;
    size_t count = range->stop - range->start;
    if (reply_charge(r, scores ? 3 * count : count) < 0) return -1;
    reply_array(r, count);
    if (count > 0) sorted_set_seek(h, set, reverse ? range->stop : range->start, &at);
    for (size_t i = 0; i < count && r->w->error == WRITER_OK; i++) {
        if (reverse) sorted_set_previous(h, &at, &entry);
        else sorted_set_next(h, &at, &entry);
        if (reply_sorted_entry(r, &entry, scores) < 0) return -1;
    }
    reply_leave(r);
    return 0;
}

enum call_outcome method_sorted_range(struct call *call)
{
    value by, reverse, limit, offset, scores, exclusive, set;
    const struct option known[] = {{"by", &by},         {"reverse", &reverse},
                                   {"limit", &limit},   {"offset", &offset},
                                   {"scores", &scores}, {"exclusive", &exclusive}};
    const char *names[2] = {"start", "stop"};
    int by_score = 0, exclude = EXCLUDE_NEITHER;
    bool backwards = false, with_scores = false;
    int64_t limit_max = INT64_MAX, skip = 0;
    struct range range;
    struct reply r;
    if (options_read(call, 3, known, 6) < 0 ||
        option_word(call, "by", by, "rank score", &by_score) < 0 ||
        option_bool(call, "reverse", reverse, &backwards) < 0 ||
        option_bool(call, "scores", scores, &with_scores) < 0 ||
        option_int(call, "limit", limit, 0, INT64_MAX, &limit_max) < 0 ||
        option_int(call, "offset", offset, 0, INT64_MAX, &skip) < 0 ||
        option_word(call, "exclusive", exclusive, "start stop both", &exclude) < 0 ||
        read_set(call, &set) < 0)
        return CALL_FAILED;
    if (!by_score && exclude != EXCLUDE_NEITHER)
        return call_fail(call, ERROR_BAD_PARAMS,
                         "sorted.range: option exclusive is for ranges by score");
    size_t count = set == VALUE_ABSENT ? 0 : sorted_set_count(call->heap, set);
    int status = by_score ? range_by_score(call, set, exclude, names, &range)
                          : range_by_rank(call, count, backwards, &range);
    if (status < 0) return CALL_FAILED;
    range_limit(&range, (uint64_t)skip, (uint64_t)limit_max, backwards);
    reply_open(&r, call);
    return reply_finish(&r, write_range(&r, set, &range, backwards, with_scores));
}

enum call_outcome method_sorted_count(struct call *call)
{
    value exclusive, set;
    const struct option known[] = {{"exclusive", &exclusive}};
    const char *names[2] = {"min", "max"};
    int exclude = EXCLUDE_NEITHER;
    struct range range;
    if (options_read(call, 3, known, 1) < 0 ||
        option_word(call, "exclusive", exclusive, "start stop both", &exclude) < 0 ||
        read_set(call, &set) < 0 || range_by_score(call, set, exclude, names, &range) < 0)
        return CALL_FAILED;
    return reply_uint(call, range.stop - range.start);
}

/* Takes the first entries of the set off; they have been written. */
static void pop_entries(struct heap *h, value set, size_t count, bool greatest)
{
    static char member[SORTED_MEMBER_MAX]; /* the entry's own bytes move while it is removed */
    struct sorted_cursor at;
    struct sorted_entry entry;
    for (; count > 0; count--) {
        sorted_set_seek(h, set, greatest ? sorted_set_count(h, set) - 1 : 0, &at);
        sorted_set_next(h, &at, &entry);
        memcpy(member, entry.member, entry.length);
        sorted_set_remove(h, set, member, entry.length);
    }
}

enum call_outcome method_sorted_pop(struct call *call)
{
    struct heap *h = call->heap;
    value greatest, set;
    const struct option known[] = {{"greatest", &greatest}};
    bool from_top = false, many = param(call, 1) != VALUE_NIL;
    int64_t wanted = 1;
    struct reply r;
    if (param_int(call, 1, "count", 0, (int64_t)call->host->call_paths_max, &wanted) < 0 ||
        options_read(call, 2, known, 1) < 0 ||
        option_bool(call, "greatest", greatest, &from_top) < 0 || read_set(call, &set) < 0)
        return CALL_FAILED;
    size_t length = set == VALUE_ABSENT ? 0 : sorted_set_count(h, set);
    size_t count = (uint64_t)wanted < length ? (size_t)wanted : length;
    struct range range = {from_top ? length - count : 0, from_top ? length : count};
    int status = 0;
    reply_open(&r, call);
    if (many) {
        status = write_range(&r, set, &range, from_top, true);
    } else if (count == 0) {
        writer_nil(r.w);
    } else {
        struct sorted_cursor at;
        struct sorted_entry entry;
        sorted_set_seek(h, set, range.start, &at);
        sorted_set_next(h, &at, &entry);
        status = reply_sorted_entry(&r, &entry, true);
    }
    /* Only now that they are on their way out do they leave the set. */
    enum call_outcome outcome = reply_finish(&r, status);
    if (outcome == CALL_DONE) pop_entries(h, set, count, from_top);
    return outcome;
}
