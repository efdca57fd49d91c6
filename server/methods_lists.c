/* methods_lists.c - push, pop, slice, insert, splice. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/table_value.h"

#define READ_BATCH 256

/* Puts all items of the parameter `from` into `to` at `index`. They are moved, unless `from`
 * is shared: then something else in the parameters, or what they become, holds it too. All or
 * nothing. */
static int push_items(struct call *call, value from, value to, size_t index)
{
    struct heap *h = call->heap;
    size_t count = list_length(h, from);
    bool shared = value_is_shared(h, from);
    value *items = malloc((count + 1) * sizeof *items);
    if (items == NULL) {
        fail_no_memory(call);
        return -1;
    }
    if (shared) {
        list_read(h, from, 0, items, count);
        for (size_t i = 0; i < count; i++) value_share(h, items[i]);
    } else {
        list_remove(h, from, 0, count, items);
    }
    int status = list_insert_take(h, to, index, items, count);
    if (status < 0) {
        for (size_t i = 0; i < count && !shared; i++) value_release(h, items[i]);
        fail_no_memory(call);
    }
    free(items);
    return status;
}

/* The list that push makes out of its values; VALUE_ABSENT after call_fail. */
static value push_list(struct call *call)
{
    if (!value_is_shared(call->heap, call->args[1])) return param_take(call, 1);
    value list = list_new(call->heap);
    if (list == VALUE_ABSENT) {
        fail_no_memory(call);
    } else if (push_items(call, call->args[1], list, 0) < 0) {
        value_release(call->heap, list);
        list = VALUE_ABSENT;
    }
    return list;
}

enum call_outcome method_push(struct call *call)
{
    struct heap *h = call->heap;
    value front, create;
    const struct option known[] = {{"front", &front}, {"create", &create}};
    bool at_front = false, creates = false;
    size_t count;
    struct place place;
    if (param_list(call, 1, "the values", &count) < 0 || options_read(call, 2, known, 2) < 0 ||
        option_bool(call, "front", front, &at_front) < 0 ||
        option_bool(call, "create", create, &creates) < 0 ||
        place_find(call, call->args[0], creates ? PATH_CREATE : 0, &place) < 0)
        return CALL_FAILED;

    value list = path_follow(h, place.held);
    if (list == VALUE_ABSENT || list == VALUE_NIL) {
        if (!creates)
            return call_fail(call, ERROR_NOT_FOUND,
                             "push: there is no list at %s; the option create makes it",
                             quote_whole_path(call, call->args[0]));
        list = push_list(call);
        if (list == VALUE_ABSENT || place_set_take(call, &place, list) < 0) return CALL_FAILED;
        return reply_uint(call, count);
    }
    if (!value_is_kind(list, KIND_LIST)) return fail_type(call, call->args[0], list, "a list");
    if (push_items(call, call->args[1], list, at_front ? 0 : list_length(h, list)) < 0)
        return CALL_FAILED;
    return reply_uint(call, list_length(h, list));
}

/* Writes `count` items of a list from `start` on, every `step`-th. Reads stretches of the list,
 * in the direction of the step, unless so few of their items are wanted that one at a time is
 * less. */
static int write_items(struct reply *r, value list, size_t start, size_t count, int64_t step)
{
    struct heap *h = r->call->heap;
    value batch[READ_BATCH];
    size_t stride = (size_t)(step < 0 ? -step : step), batch_max = stride < 64 ? READ_BATCH : 1;
    if (reply_room(r, count) < 0) return -1;
    reply_array(r, count);
    for (size_t done = 0; done < count && r->w->error == WRITER_OK;) {
        size_t at = step < 0 ? start - done * stride : start + done * stride;
        size_t wanted = (count - done - 1) * stride + 1;
        if (wanted > batch_max) wanted = batch_max;
        size_t got = list_read(h, list, step < 0 ? at + 1 - wanted : at, batch, wanted);
        for (size_t i = 0; i < got; i += stride, done++)
            if (reply_value(r, batch[step < 0 ? got - 1 - i : i]) < 0) return -1;
    }
    reply_leave(r);
    return 0;
}

enum call_outcome method_pop(struct call *call)
{
    struct heap *h = call->heap;
    value front, list;
    const struct option known[] = {{"front", &front}};
    bool at_front = false, many = param(call, 1) != VALUE_NIL;
    int64_t wanted = 1;
    if (param_int(call, 1, "count", 0, INT64_MAX, &wanted) < 0 ||
        options_read(call, 2, known, 1) < 0 || option_bool(call, "front", front, &at_front) < 0 ||
        path_read_through(call, call->args[0], 0, &list) < 0)
        return CALL_FAILED;
    bool empty = list == VALUE_ABSENT || list == VALUE_NIL;
    if (!empty && !value_is_kind(list, KIND_LIST))
        return fail_type(call, call->args[0], list, "a list");

    size_t length = empty ? 0 : list_length(h, list);
    size_t count = (uint64_t)wanted < length ? (size_t)wanted : length;
    size_t start = at_front ? 0 : length - count;
    struct reply r;
    int status = 0;
    reply_open(&r, call);
    if (many) status = write_items(&r, list, start, count, 1);
    else status = reply_value(&r, count == 0 ? VALUE_NIL
                                             : path_follow(h, list_get(h, list, start)));
    /* Only now that the items are on their way out do they leave the list. */
    enum call_outcome outcome = reply_finish(&r, status);
    if (outcome == CALL_DONE && count > 0) list_remove(h, list, start, count, NULL);
    return outcome;
}

/* The list at parameter 0, which must be there, and in *start the place in it that parameter 1
 * names: 0 to its length, or counted from its end. 0, or -1 after call_fail. */
static int find_place_in_list(struct call *call, value *list, size_t *start)
{
    int64_t index = 0;
    if (param_int(call, 1, "index", INT64_MIN, INT64_MAX, &index) < 0 ||
        path_read_through(call, call->args[0], 0, list) < 0)
        return -1;
    if (*list == VALUE_ABSENT || *list == VALUE_NIL) {
        fail_not_found(call, call->args[0]);
        return -1;
    }
    if (!value_is_kind(*list, KIND_LIST)) {
        fail_type(call, call->args[0], *list, "a list");
        return -1;
    }
    int64_t length = (int64_t)list_length(call->heap, *list);
    if (index < -length || index > length) {
        call_fail(call, ERROR_OUT_OF_RANGE,
                  "%s: %s is a list of %lld items; index %lld is outside of it",
                  call->method->name, quote_whole_path(call, call->args[0]), (long long)length,
                  (long long)index);
        return -1;
    }
    *start = (size_t)(index < 0 ? index + length : index);
    return 0;
}

enum call_outcome method_insert(struct call *call)
{
    value list;
    size_t start, count;
    if (param_list(call, 2, "the values", &count) < 0 ||
        find_place_in_list(call, &list, &start) < 0 ||
        push_items(call, call->args[2], list, start) < 0)
        return CALL_FAILED;
    return reply_uint(call, list_length(call->heap, list));
}

enum call_outcome method_splice(struct call *call)
{
    struct heap *h = call->heap;
    value list;
    size_t start, added = 0;
    int64_t wanted = INT64_MAX;
    bool adds = param(call, 3) != VALUE_NIL;
    if (param_int(call, 2, "count", 0, INT64_MAX, &wanted) < 0 ||
        (adds && param_list(call, 3, "the values", &added) < 0) ||
        find_place_in_list(call, &list, &start) < 0)
        return CALL_FAILED;
    size_t count = list_length(h, list) - start;
    if ((uint64_t)wanted < count) count = (size_t)wanted;
    struct reply r;
    reply_open(&r, call);
    /* What goes is written first, then what comes is put behind it, and only then it goes: each
     * of these may fail but the last. */
    enum call_outcome outcome = reply_finish(&r, write_items(&r, list, start, count, 1));
    if (outcome != CALL_DONE) return outcome;
    if (adds && push_items(call, call->args[3], list, start + count) < 0) return CALL_FAILED;
    list_remove(h, list, start, count, NULL);
    return CALL_DONE;
}

enum call_outcome method_slice(struct call *call)
{
    value list;
    int64_t start = 0, stop = INT64_MAX, step = 1;
    if (param_int(call, 1, "start", INT64_MIN, INT64_MAX, &start) < 0 ||
        param_int(call, 3, "step", -INT32_MAX, INT32_MAX, &step) < 0)
        return CALL_FAILED;
    if (step == 0) return call_fail(call, ERROR_OUT_OF_RANGE, "slice: step is 0");
    if (step < 0) stop = INT64_MIN;
    bool open_end = param(call, 2) == VALUE_NIL;
    if (param_int(call, 2, "stop", INT64_MIN, INT64_MAX, &stop) < 0 ||
        path_read_through(call, call->args[0], 0, &list) < 0)
        return CALL_FAILED;
    bool empty = list == VALUE_ABSENT || list == VALUE_NIL;
    bool table = value_is_kind(list, KIND_TABLE);
    if (!empty && !table && !value_is_kind(list, KIND_LIST))
        return fail_type(call, call->args[0], list, "a list or a table");

    /* Indices from the end become plain ones, then both are brought to where a walk in the
     * direction of the step begins and ends: 0..length forwards, length-1..-1 backwards. */
    int64_t length = empty ? 0 : table ? (int64_t)table_row_count(table_of(call->heap, list))
                                       : (int64_t)list_length(call->heap, list);
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
    if (start < 0) start = start < -length ? low : start + length;
    if (start > high) start = high;
    if (open_end) stop = step > 0 ? high : low;
    else if (stop < 0) stop = stop < -length ? low : stop + length;
    if (stop > high) stop = high;
    int64_t span = step > 0 ? stop - start : start - stop, stride = step > 0 ? step : -step;
    size_t count = span > 0 ? (size_t)((span + stride - 1) / stride) : 0;

    struct reply r;
    reply_open(&r, call);
    int status = table ? reply_table_rows(&r, list, (uint64_t)start, count, step)
                       : write_items(&r, list, (size_t)start, count, step);
    return reply_finish(&r, status);
}
