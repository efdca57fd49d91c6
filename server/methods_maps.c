/* methods_maps.c - paging through maps, the key space among them: keys, items, scan. */
#include "server/method_list.h"

#include <stdlib.h>

#include "heap/map.h"
#include "heap/sorted_set.h"
#include "heap/text.h"
#include "server/glob.h"
#include "server/keys.h"
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
    bool is_set = value_is_kind(map, KIND_SET);
    if (value_is_kind(map, KIND_SORTED_SET))
        map = sorted_set_scores(call->heap, map);
    else if (map != VALUE_ABSENT && map != VALUE_NIL && !value_is_kind(map, KIND_MAP) &&
             (with_values || !is_set))
        return fail_type(call, call->args[0], map,
                         with_values ? "a map or a sorted set" : "a map, a set or a sorted set");
    if (slice_read(call, map, cursor, count, &slice) < 0) return CALL_FAILED;

    struct reply r;
    int status = 0;
    reply_open(&r, call);
    if (!is_set) status = reply_charge(&r, slice.count);
    reply_array(&r, 2);
    writer_uint(r.w, slice.next);
    reply_array(&r, slice.count);
    for (size_t i = 0; i < slice.count && status == 0 && r.w->error == WRITER_OK; i++) {
        if (with_values) reply_array(&r, 2);
        if (is_set) status = reply_value(&r, slice.pairs[2 * i]); /* as it is, and not as a key */
        else reply_key(&r, slice.pairs[2 * i]);
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

/* A scan looks at whole pages as long as matching them is cheap. If it might not be, keys are
 * looked at in the order of cursors and the page ends where the steps are used up. */
#define SCAN_STEPS_MAX 1000000 /* some milliseconds */

struct scan_filter {
    bool has_pattern;
    struct glob pattern;
    const char *type; /* NULL: all */
    uint64_t steps;   /* of matching so far */
};

static bool scan_wants(struct heap *h, struct scan_filter *filter, value key, value v)
{
    struct text_scratch scratch;
    const char *name;
    if (filter->type != NULL && strcmp(value_type_name(v), filter->type) != 0) return false;
    if (!filter->has_pattern) return true;
    size_t length = text_piece(h, key, 0, &name, &scratch); /* keys are of one piece */
    return glob_match(&filter->pattern, name, length, &filter->steps);
}

/* Reads the options match and type. */
static int scan_filter_read(struct call *call, value match, value type, struct scan_filter *filter)
{
    static const char types[] = "nil bool int float string bytes list map set sorted_set "
                                "table weak ext";
    static const char *const names[] = {"nil",  "bool", "int", "float",      "string", "bytes",
                                        "list", "map",  "set", "sorted set", "table",  "weak",
                                        "ext"};
    char pattern[GLOB_PATTERN_MAX];
    int index = -1;
    filter->type = NULL;
    filter->steps = 0;
    filter->has_pattern = match != VALUE_ABSENT;
    if (type != VALUE_ABSENT && value_is_text(type) &&
        text_equals(call->heap, type, "sorted set", strlen("sorted set")))
        filter->type = "sorted set";
    else if (option_word(call, "type", type, types, &index) < 0)
        return -1;
    if (index >= 0) filter->type = names[index];
    if (match == VALUE_ABSENT) return 0;
    if (!value_is_text(match)) {
        call_fail(call, ERROR_BAD_PARAMS, "scan: option match must be a pattern (a string), not %s",
                  value_describe(match));
        return -1;
    }
    size_t length = text_length(call->heap, match);
    if (length > GLOB_PATTERN_MAX) {
        call_fail(call, ERROR_LIMIT, "scan: a pattern of %zu bytes; the limit is %d", length,
                  GLOB_PATTERN_MAX);
        return -1;
    }
    text_copy(call->heap, match, 0, pattern, length);
    glob_compile(&filter->pattern, pattern, length);
    return 0;
}

/* Whether matching the whole page stays within the steps, whatever the keys are. */
static bool scan_is_cheap(struct heap *h, const struct scan_filter *filter,
                          const struct map_slice *slice)
{
    uint64_t bytes = 0;
    if (!filter->has_pattern) return true;
    for (size_t i = 0; i < slice->count; i++) bytes += text_length(h, slice->pairs[2 * i]) + 1;
    return bytes * (filter->pattern.count + 1) <= SCAN_STEPS_MAX;
}

struct scan_entry {
    uint64_t cursor;
    value key, v;
};

static int compare_entries(const void *a, const void *b)
{
    uint64_t x = ((const struct scan_entry *)a)->cursor, y = ((const struct scan_entry *)b)->cursor;
    return x < y ? -1 : x > y;
}

/* Brings a page into the order of cursors. 0, or -1 after call_fail. */
static int scan_sort(struct call *call, struct map_slice *slice)
{
    struct scan_entry *entries = malloc((slice->count + 1) * sizeof *entries);
    if (entries == NULL) {
        fail_no_memory(call);
        return -1;
    }
    for (size_t i = 0; i < slice->count; i++) {
        value key = slice->pairs[2 * i];
        entries[i] = (struct scan_entry){map_page_cursor(call->heap, key), key,
                                         slice->pairs[2 * i + 1]};
    }
    qsort(entries, slice->count, sizeof *entries, compare_entries);
    for (size_t i = 0; i < slice->count; i++) {
        slice->pairs[2 * i] = entries[i].key;
        slice->pairs[2 * i + 1] = entries[i].v;
    }
    free(entries);
    return 0;
}

/* Keeps the keys that the filter wants, at the beginning of the pairs; returns how many. Ends
 * the page early when the steps are used up, but after one key at least. */
static int scan_choose(struct call *call, struct scan_filter *filter, struct map_slice *slice,
                       size_t *wanted)
{
    struct heap *h = call->heap;
    bool cheap = scan_is_cheap(h, filter, slice);
    *wanted = 0;
    if (!cheap && scan_sort(call, slice) < 0) return -1;
    for (size_t i = 0; i < slice->count; i++) {
        value key = slice->pairs[2 * i];
        if (scan_wants(h, filter, key, slice->pairs[2 * i + 1]))
            slice->pairs[(*wanted)++] = key; /* behind what is still to be read */
        if (cheap || filter->steps < SCAN_STEPS_MAX || i + 1 == slice->count) continue;
        slice->next = map_page_cursor(h, key);
        break;
    }
    return 0;
}

/* Writes the keys that the filter wants: [next, [key...]]. */
static enum call_outcome scan_reply(struct call *call, struct scan_filter *filter,
                                    struct map_slice *slice)
{
    size_t wanted;
    struct reply r;
    if (scan_choose(call, filter, slice, &wanted) < 0) return CALL_FAILED;
    reply_open(&r, call);
    if (reply_charge(&r, wanted) < 0) return CALL_FAILED;
    reply_array(&r, 2);
    writer_uint(r.w, slice->next);
    reply_array(&r, wanted);
    for (size_t i = 0; i < wanted && r.w->error == WRITER_OK; i++) reply_key(&r, slice->pairs[i]);
    return reply_finish(&r, 0);
}

/* Takes the keys that have expired out of a page. */
static void scan_hide(struct call *call, struct map_slice *slice)
{
    size_t kept = 0;
    for (size_t i = 0; i < slice->count; i++) {
        if (!keys_shows(call->host->keys, slice->pairs[2 * i])) continue;
        slice->pairs[2 * kept] = slice->pairs[2 * i];
        slice->pairs[2 * kept++ + 1] = slice->pairs[2 * i + 1];
    }
    slice->count = kept;
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
    if (slice_read(call, keys_root(call->host->keys), cursor, count, &slice) == 0) {
        scan_hide(call, &slice);
        outcome = scan_reply(call, &filter, &slice);
        free(slice.pairs);
    }
    return outcome;
}
