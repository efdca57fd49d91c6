/* methods_maps.c - paging through maps, the key space among them: keys, items, scan. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/map.h"
#include "heap/text.h"
#include "server/glob.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"

#define PAGE_ENTRIES_DEFAULT 100
#define PAGE_ENTRIES_MAX 10000

/* One page of a map: its pairs, and the cursor of the next. */
struct map_slice {
    value *pairs; /* key, value, …; malloc'ed */
    size_t count;
    uint64_t next;
};

/* Reads a page of `map`, which may be VALUE_ABSENT. */
static int slice_read(struct call *call, value map, int64_t cursor, int64_t count,
                      struct map_slice *slice)
{
    *slice = (struct map_slice){0};
    if (map == VALUE_ABSENT || map == VALUE_NIL) return 0;
    slice->pairs = malloc((size_t)count * 2 * sizeof(value));
    if (slice->pairs == NULL) {
        fail_no_memory(call);
        return -1;
    }
    slice->count = map_page(call->heap, map, (uint64_t)cursor, &slice->next, slice->pairs,
                            (size_t)count);
    return 0;
}

/* keys and items: [next, [...]] */
static enum call_outcome page_map(struct call *call, bool with_values)
{
    value count_option, map;
    const struct option known[] = {{"count", &count_option}};
    int64_t cursor = 0, count = PAGE_ENTRIES_DEFAULT;
    struct map_slice slice;
    if (param_int(call, 1, "cursor", 0, INT64_MAX, &cursor) < 0 ||
        options_read(call, 2, known, 1) < 0 ||
        option_int(call, "count", count_option, 1, PAGE_ENTRIES_MAX, &count) < 0 ||
        path_read_through(call, call->args[0], 0, &map) < 0)
        return CALL_FAILED;
    if (map != VALUE_ABSENT && map != VALUE_NIL && !value_is_kind(map, KIND_MAP))
        return fail_type(call, call->args[0], map, "a map");
    if (slice_read(call, map, cursor, count, &slice) < 0) return CALL_FAILED;

    struct reply r;
    int status = 0;
    reply_open(&r, call);
    reply_array(&r, 2);
    writer_uint(r.w, slice.next);
    reply_array(&r, slice.count);
    for (size_t i = 0; i < slice.count && status == 0 && r.w->error == WRITER_OK; i++) {
        if (with_values) reply_array(&r, 2);
        reply_key(&r, slice.pairs[2 * i]);
        if (!with_values) continue;
        status = reply_value(&r, slice.pairs[2 * i + 1]);
        reply_leave(&r);
    }
    free(slice.pairs);
    return reply_finish(&r, status);
}

enum call_outcome method_keys(struct call *call) { return page_map(call, false); }
enum call_outcome method_items(struct call *call) { return page_map(call, true); }

/* --- the key space ------------------------------------------------------------------------*/

struct scan_filter {
    char *pattern; /* malloc'ed; NULL: all */
    size_t pattern_length;
    const char *type; /* NULL: all */
};

static bool scan_wants(struct heap *h, const struct scan_filter *filter, value key, value v)
{
    struct text_scratch scratch;
    const char *name;
    if (filter->type != NULL && strcmp(value_type_name(v), filter->type) != 0) return false;
    if (filter->pattern == NULL) return true;
    size_t length = text_piece(h, key, 0, &name, &scratch); /* keys are of one piece */
    return glob_match(filter->pattern, filter->pattern_length, name, length);
}

/* Reads the options match and type; the caller frees filter->pattern. */
static int scan_filter_read(struct call *call, value match, value type, struct scan_filter *filter)
{
    static const char types[] = "nil bool int float string bytes list map weak ext";
    static const char *const names[] = {"nil",   "bool", "int", "float", "string",
                                        "bytes", "list", "map", "weak",  "ext"};
    int index = -1;
    *filter = (struct scan_filter){0};
    if (option_word(call, "type", type, types, &index) < 0) return -1;
    if (index >= 0) filter->type = names[index];
    if (match == VALUE_ABSENT) return 0;
    if (!value_is_text(match)) {
        call_fail(call, ERROR_BAD_PARAMS, "scan: option match must be a pattern (a string), not %s",
                  value_describe(match));
        return -1;
    }
    filter->pattern_length = text_length(call->heap, match);
    if (filter->pattern_length > GLOB_PATTERN_MAX) {
        call_fail(call, ERROR_LIMIT, "scan: a pattern of %zu bytes; the limit is %d",
                  filter->pattern_length, GLOB_PATTERN_MAX);
        return -1;
    }
    filter->pattern = malloc(filter->pattern_length + 1);
    if (filter->pattern == NULL) {
        fail_no_memory(call);
        return -1;
    }
    text_copy(call->heap, match, 0, filter->pattern, filter->pattern_length);
    return 0;
}

/* Writes the keys that the filter wants: [next, [key...]]. */
static enum call_outcome scan_reply(struct call *call, const struct scan_filter *filter,
                                    struct map_slice *slice)
{
    size_t wanted = 0;
    for (size_t i = 0; i < slice->count; i++)
        if (scan_wants(call->heap, filter, slice->pairs[2 * i], slice->pairs[2 * i + 1]))
            slice->pairs[wanted++] = slice->pairs[2 * i]; /* behind what is still to be read */
    struct reply r;
    reply_open(&r, call);
    reply_array(&r, 2);
    writer_uint(r.w, slice->next);
    reply_array(&r, wanted);
    for (size_t i = 0; i < wanted && r.w->error == WRITER_OK; i++) reply_key(&r, slice->pairs[i]);
    return reply_finish(&r, 0);
}

enum call_outcome method_scan(struct call *call)
{
    value match, type, count_option;
    const struct option known[] = {{"match", &match}, {"type", &type}, {"count", &count_option}};
    int64_t cursor = 0, count = PAGE_ENTRIES_DEFAULT;
    struct scan_filter filter;
    struct map_slice slice;
    if (param_int(call, 0, "cursor", 0, INT64_MAX, &cursor) < 0 ||
        options_read(call, 1, known, 3) < 0 ||
        option_int(call, "count", count_option, 1, PAGE_ENTRIES_MAX, &count) < 0 ||
        scan_filter_read(call, match, type, &filter) < 0)
        return CALL_FAILED;
    enum call_outcome outcome = CALL_FAILED;
    if (slice_read(call, path_root(call->heap), cursor, count, &slice) == 0) {
        outcome = scan_reply(call, &filter, &slice);
        free(slice.pairs);
    }
    free(filter.pattern);
    return outcome;
}

enum call_outcome method_count_keys(struct call *call)
{
    value root = path_root(call->heap);
    return reply_uint(call, root == VALUE_ABSENT ? 0 : map_count(call->heap, root));
}

enum call_outcome method_clear(struct call *call)
{
    /* The old map goes to the drop queue: constant time, however much it holds. */
    heap_root_set_take(call->heap, ROOT_KEYS, VALUE_NIL);
    return reply_bool(call, true);
}
