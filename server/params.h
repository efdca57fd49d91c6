/* params.h - parameters of methods, checked. Errors are reported through call_fail; the
 * functions then return -1. */
#ifndef CAIRN_SERVER_PARAMS_H
#define CAIRN_SERVER_PARAMS_H

#include "server/call.h"

/* The parameter, nil if it was left out. Borrowed. */
value param(const struct call *call, size_t index);
/* Takes the parameter over from the call. */
value param_take(struct call *call, size_t index);
/* A back-reference may name any container of the parameters from any other, so what is shared
 * must stay as it is while the call runs. Takes the item at `index` over from `list`, which
 * lies in `outer` (or is it): moved out if nobody else can see that, shared otherwise. */
value param_item_take(struct call *call, value outer, value list, size_t index);

/* An integer in min..max; `name` is for the message. A parameter that is nil or was left out
 * leaves *result as it is. */
warn_unused int param_int(struct call *call, size_t index, const char *name, int64_t min,
                          int64_t max, int64_t *result);
/* The parameter must be a list; *count is its length. */
warn_unused int param_list(struct call *call, size_t index, const char *name, size_t *count);

/* Whether the call may have `count` paths: 0, or -1 after call_fail. */
warn_unused int paths_check(struct call *call, size_t count);

/* The same for `count` members of sets, which have the same limit. */
warn_unused int members_check(struct call *call, size_t count);

/* One option of a method. Its value goes to *v (borrowed), VALUE_ABSENT if it is not given. One
 * without a place for its value is refused as not supported yet. */
struct option {
    const char *name;
    value *v;
};
/* Reads parameter `index`, a map of options or nil. An option that is not among the `count`
 * known ones is an error that names them. */
warn_unused int options_read(struct call *call, size_t index, const struct option *known,
                             size_t count);
/* Checks of one option's value; absent leaves *result as it is. */
warn_unused int option_bool(struct call *call, const char *name, value v, bool *result);
warn_unused int option_int(struct call *call, const char *name, value v, int64_t min, int64_t max,
                           int64_t *result);
/* The index of a text among `words`, separated by single spaces: "absent present". */
warn_unused int option_word(struct call *call, const char *name, value v, const char *words,
                            int *result);

/* The error of a method that found something else at `path` than it `needs` ("a list"). */
enum call_outcome fail_type(struct call *call, value path, value found, const char *needs);
#define NO_MEMORY_TEXT "%s: the memory limit (max-memory) was reached; nothing was changed"
enum call_outcome fail_no_memory(struct call *call);
enum call_outcome fail_not_found(struct call *call, value path);

#endif
