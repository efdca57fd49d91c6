/* methods_refs.c - objects in more than one place: link, weak, same, hold, new, release. */
#include "server/method_list.h"

#include "heap/plant.h"
#include "heap/text.h"
#include "heap/weak.h"
#include "server/params.h"
#include "server/path.h"
#include "server/refs.h"
#include "server/reply.h"

/* The value at parameter `index`, which must be there. */
static int read_target(struct call *call, size_t index, value *target)
{
    if (path_read_through(call, call->args[index], PATH_LOOKS, target) < 0) return -1;
    if (*target != VALUE_ABSENT) return 0;
    fail_not_found(call, call->args[index]);
    return -1;
}

enum call_outcome method_link(struct call *call)
{
    value target;
    struct place place;
    if (read_target(call, 1, &target) < 0 || place_find(call, call->args[0], 0, &place) < 0)
        return CALL_FAILED;
    /* A short text inside of a map has no cell to share: it is copied, which nobody can tell. A
     * call that fails after this leaves other targets marked as shared, which is harmless. */
    target = text_own(call->heap, target);
    if (target == VALUE_ABSENT) return fail_no_memory(call);
    if (place_replace_take(call, &place, target, 0) < 0) return CALL_FAILED;
    return reply_bool(call, true);
}

enum call_outcome method_weak(struct call *call)
{
    value target;
    struct place place;
    if (read_target(call, 1, &target) < 0) return CALL_FAILED;
    if (!value_is_kind(target, KIND_LIST) && !value_is_kind(target, KIND_MAP) &&
        !value_is_kind(target, KIND_SET) && !value_is_kind(target, KIND_SORTED_SET))
        return fail_type(call, call->args[1], target,
                         "a list, a map, a set or a sorted set as its target");
    if (place_find(call, call->args[0], 0, &place) < 0) return CALL_FAILED;
    value weak = weak_make(call->heap, target);
    if (weak == VALUE_ABSENT)
        return call_fail(call, ERROR_LIMIT,
                         "weak: there are as many targets of weak references as weak-slots "
                         "allows; there can be another when one is freed");
    if (place_replace_take(call, &place, weak, 0) < 0) return CALL_FAILED;
    return reply_bool(call, true);
}

enum call_outcome method_same(struct call *call)
{
    value a, b;
    if (path_read_through(call, call->args[0], 0, &a) < 0 ||
        path_read_through(call, call->args[1], 0, &b) < 0)
        return CALL_FAILED;
    /* A text that lies packed in a map has no identity of its own: it is the same as its equals. */
    bool equal_texts = (value_is_view(a) || value_is_view(b)) && value_is_text(a) &&
                       value_is_text(b) && text_is_bytes(a) == text_is_bytes(b) &&
                       text_compare(call->heap, a, b) == 0;
    return reply_bool(call, (a == b || equal_texts) && a != VALUE_ABSENT);
}

/* --- handles --------------------------------------------------------------------------------*/

static int check_handle_limit(struct call *call)
{
    if (call->refs->count < call->host->handles_max) return 0;
    call_fail(call, ERROR_LIMIT, "%s: this session holds %zu handles, the limit (handles)",
              call->method->name, call->refs->count);
    return -1;
}

/* Consumes `v`. */
static enum call_outcome reply_new_handle(struct call *call, value v)
{
    int64_t handle;
    if (session_refs_add_take(call->heap, call->refs, v, &handle) < 0) {
        value_release(call->heap, v);
        return fail_no_memory(call);
    }
    struct reply r;
    reply_open(&r, call);
    reply_handle(&r, handle);
    return reply_finish(&r, 0);
}

enum call_outcome method_hold(struct call *call)
{
    value v;
    if (check_handle_limit(call) < 0 || read_target(call, 0, &v) < 0) return CALL_FAILED;
    if (!planted(24)) v = text_own(call->heap, v);
    return v == VALUE_ABSENT ? fail_no_memory(call) : reply_new_handle(call, v);
}

enum call_outcome method_new(struct call *call)
{
    if (check_handle_limit(call) < 0) return CALL_FAILED;
    return reply_new_handle(call, param_take(call, 0));
}

enum call_outcome method_release(struct call *call)
{
    int64_t count = 0, handle;
    if (paths_check(call, call->arg_count) < 0) return CALL_FAILED;
    for (size_t i = 0; i < call->arg_count; i++)
        if (!path_handle(call->heap, call->args[i], &handle))
            return call_fail(call, ERROR_BAD_PARAMS, "release: parameter %zu is %s, not a handle",
                             i + 1, call_quote_value(call, call->args[i]));
    for (size_t i = 0; i < call->arg_count; i++) {
        path_handle(call->heap, call->args[i], &handle);
        count += session_refs_release(call->heap, call->refs, handle);
    }
    return reply_int(call, count);
}
