/* params.c - see params.h. */
#include "server/params.h"

#include <stdio.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/text.h"
#include "server/path.h"

value param(const struct call *call, size_t index)
{
    return index < call->arg_count ? call->args[index] : VALUE_NIL;
}

value param_take(struct call *call, size_t index)
{
    value v = call->args[index];
    call->args[index] = VALUE_NIL;
    return v;
}

value param_item_take(struct call *call, value outer, value list, size_t index)
{
    struct heap *h = call->heap;
    value v;
    if (value_is_shared(h, outer) || value_is_shared(h, list))
        return value_share(h, list_get(h, list, index));
    list_remove(h, list, index, 1, &v);
    return v;
}

/* An integer in min..max: a parameter or, if `option`, an option. */
static int check_int(struct call *call, const char *what, const char *name, value v, int64_t min,
                     int64_t max, int64_t *result)
{
    struct number n = number_read(call->heap, v);
    if (n.class == NUMBER_INT64 && n.i >= min && n.i <= max) {
        *result = n.i;
        return 0;
    }
    if (n.class == NUMBER_INT64 || n.class == NUMBER_UINT64)
        call_fail(call, ERROR_OUT_OF_RANGE, "%s: %s%s is %s; it may be %lld to %lld",
                  call->method->name, what, name, call_quote_value(call, v), (long long)min,
                  (long long)max);
    else
        call_fail(call, ERROR_BAD_PARAMS, "%s: %s%s must be an integer, not %s",
                  call->method->name, what, name, value_describe(v));
    return -1;
}

int param_int(struct call *call, size_t index, const char *name, int64_t min, int64_t max,
              int64_t *result)
{
    value v = param(call, index);
    return v == VALUE_NIL ? 0 : check_int(call, "", name, v, min, max, result);
}

int param_list(struct call *call, size_t index, const char *name, size_t *count)
{
    value v = param(call, index);
    if (value_is_kind(v, KIND_LIST)) {
        *count = list_length(call->heap, v);
        return 0;
    }
    call_fail(call, ERROR_BAD_PARAMS, "%s: %s must be a list, not %s", call->method->name, name,
              value_describe(v));
    return -1;
}

int paths_check(struct call *call, size_t count)
{
    if (count <= call->host->call_paths_max) return 0;
    call_fail(call, ERROR_LIMIT, "%s: %zu paths in one call; the limit is %zu (call-paths)",
              call->method->name, count, call->host->call_paths_max);
    return -1;
}

int members_check(struct call *call, size_t count)
{
    if (count <= call->host->call_paths_max) return 0;
    call_fail(call, ERROR_LIMIT, "%s: %zu members in one call; the limit is %zu (call-paths)",
              call->method->name, count, call->host->call_paths_max);
    return -1;
}

/* --- options ----------------------------------------------------------------------------*/

static int fail_unknown_option(struct call *call, value name, const struct option *known,
                               size_t count)
{
    char names[160];
    size_t used = 0;
    names[0] = 0;
    for (size_t i = 0; i < count && known[i].v != NULL && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                 known[i].name);
    call_fail(call, ERROR_BAD_PARAMS, "%s: there is no option %s; there are: %s",
              call->method->name, call_quote_value(call, name), names);
    return -1;
}

int options_read(struct call *call, size_t index, const struct option *known, size_t count)
{
    struct heap *h = call->heap;
    value opts = param(call, index), name, v;
    for (size_t i = 0; i < count; i++)
        if (known[i].v != NULL) *known[i].v = VALUE_ABSENT;
    if (opts == VALUE_NIL) return 0;
    if (!value_is_kind(opts, KIND_MAP)) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: parameter %zu is the options, a map, not %s",
                  call->method->name, index + 1, value_describe(opts));
        return -1;
    }
    struct map_iterator it = {0};
    while (map_next(h, opts, &it, &name, &v)) {
        size_t i = 0;
        while (i < count && !(value_is_text(name) &&
                              text_equals(h, name, known[i].name, strlen(known[i].name))))
            i++;
        if (i == count) return fail_unknown_option(call, name, known, count);
        if (known[i].v == NULL) {
            call_fail(call, ERROR_BAD_PARAMS, "%s: the option %s is not supported yet",
                      call->method->name, known[i].name);
            return -1;
        }
        *known[i].v = v;
    }
    return 0;
}

int option_bool(struct call *call, const char *name, value v, bool *result)
{
    if (v == VALUE_ABSENT) return 0;
    if (value_is_bool(v)) {
        *result = v == VALUE_TRUE;
        return 0;
    }
    call_fail(call, ERROR_BAD_PARAMS, "%s: option %s must be true or false, not %s",
              call->method->name, name, call_quote_value(call, v));
    return -1;
}

int option_int(struct call *call, const char *name, value v, int64_t min, int64_t max,
               int64_t *result)
{
    return v == VALUE_ABSENT ? 0 : check_int(call, "option ", name, v, min, max, result);
}

int option_word(struct call *call, const char *name, value v, const char *words, int *result)
{
    if (v == VALUE_ABSENT) return 0;
    int index = 0;
    for (const char *word = words;; index++) {
        size_t length = strcspn(word, " ");
        if (value_is_text(v) && text_equals(call->heap, v, word, length)) {
            *result = index;
            return 0;
        }
        if (word[length] == 0) break;
        word += length + 1;
    }
    call_fail(call, ERROR_BAD_PARAMS, "%s: option %s is %s; it may be one of: %s",
              call->method->name, name, call_quote_value(call, v), words);
    return -1;
}

/* --- errors that many methods have --------------------------------------------------------*/

enum call_outcome fail_type(struct call *call, value path, value found, const char *needs)
{
    return call_fail(call, ERROR_WRONG_TYPE, "%s: %s is %s; %s needs %s", call->method->name,
                     quote_whole_path(call, path), value_describe(found), call->method->name,
                     needs);
}

enum call_outcome fail_no_memory(struct call *call)
{
    return call_fail(call, ERROR_OUT_OF_MEMORY,
                     NO_MEMORY_TEXT, call->method->name);
}

enum call_outcome fail_not_found(struct call *call, value path)
{
    return call_fail(call, ERROR_NOT_FOUND, "%s: there is nothing at %s", call->method->name,
                     quote_whole_path(call, path));
}
