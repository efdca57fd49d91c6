/* methods_mem.c - who uses the memory: mem.info, mem.map, mem.census, mem.size. */
#include "server/method_list.h"

#include <errno.h>
#include <stdlib.h>

#include "heap/census.h"
#include "heap/heap.h"
#include "heap/intern.h"
#include "server/clock.h"
#include "server/keys.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"

#define MAP_PAGES_DEFAULT 4096
#define MAP_PAGES_MAX 65536
/* Work between two looks at the clock: some ten microseconds. */
#define CENSUS_PAGES 16
#define WALK_WORDS 2048

enum call_outcome method_mem_info(struct call *call)
{
    struct writer *w = call->reply;
    struct heap_stats s;
    heap_stats(call->heap, &s);
    struct intern_stats interned;
    intern_stats(call->heap, &interned);
    writer_map(w, 20);
    reply_figure(w, "max_bytes", s.max_bytes);
    reply_figure(w, "used_bytes", s.used_bytes);
    reply_figure(w, "page_bytes", s.page_bytes);
    reply_figure(w, "committed_bytes", s.committed_bytes);
    reply_figure(w, "external_bytes", s.external_bytes);
    reply_figure(w, "metadata_bytes", s.metadata_bytes);
    reply_figure(w, "objects", s.object_count);
    reply_figure(w, "shared_objects", s.shared_count);
    reply_figure(w, "shapes", s.shape_count);
    reply_figure(w, "weak_targets", s.weak_slot_count);
    reply_figure(w, "interned", interned.entries);
    reply_figure(w, "interned_hits", interned.hits);
    reply_figure(w, "interned_saved_bytes", interned.saved_bytes);
    reply_figure(w, "drop_queue", s.drop_queue_length);
    reply_figure(w, "allocations", s.allocations);
    reply_figure(w, "expired", call->host->keys->expired);
    reply_figure(w, "evicted", call->host->keys->evicted);
    reply_figure(w, "bytes_of_page", PAGE_BYTES);
    writer_cstr(w, "huge_pages");
    writer_bool(w, s.huge_pages);
    writer_cstr(w, "used_of_pages");
    writer_double(w, s.page_bytes > 0 ? (double)s.used_bytes / (double)s.page_bytes : 1.0);
    return CALL_DONE;
}

enum call_outcome method_mem_map(struct call *call)
{
    value first_option, count_option;
    const struct option known[] = {{"first", &first_option}, {"count", &count_option}};
    int64_t first = 0, count = MAP_PAGES_DEFAULT;
    if (options_read(call, 0, known, 2) < 0 ||
        option_int(call, "first", first_option, 0, UINT32_MAX, &first) < 0 ||
        option_int(call, "count", count_option, 1, MAP_PAGES_MAX, &count) < 0)
        return CALL_FAILED;
    char *map = malloc((size_t)count);
    if (map == NULL) return fail_no_memory(call);
    size_t pages = heap_map(call->heap, (size_t)first, (size_t)count, map);
    struct writer *w = call->reply;
    writer_map(w, 4);
    reply_figure(w, "first", (uint64_t)first);
    reply_figure(w, "pages", pages);
    reply_figure(w, "page_bytes", PAGE_BYTES);
    writer_cstr(w, "map");
    writer_str(w, map, pages);
    free(map);
    return CALL_DONE;
}

/* --- mem.census -----------------------------------------------------------------------------*/

struct named_row {
    const char *name;
    struct census_row row;
};

static int compare_rows(const void *a, const void *b)
{
    const struct named_row *x = a, *y = b;
    return (x->row.bytes < y->row.bytes) - (x->row.bytes > y->row.bytes);
}

static enum call_outcome census_reply(struct call *call, const struct census *census)
{
    struct named_row rows[KIND_COUNT + 1];
    size_t count = 0;
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        if (census->by_kind[kind].count > 0)
            rows[count++] = (struct named_row){kind_name((enum kind)kind), census->by_kind[kind]};
    if (census->dropped.count > 0)
        rows[count++] = (struct named_row){"waiting to be freed", census->dropped};
    qsort(rows, count, sizeof *rows, compare_rows);
    struct writer *w = call->reply;
    writer_array(w, count);
    for (size_t i = 0; i < count; i++) {
        writer_map(w, 3);
        writer_cstr(w, "kind");
        writer_cstr(w, rows[i].name);
        reply_figure(w, "count", rows[i].row.count);
        reply_figure(w, "bytes", rows[i].row.bytes);
    }
    return CALL_DONE;
}

static void census_abort(struct call *call)
{
    free(call->state);
    call->state = NULL;
}

static enum call_outcome census_call_step(struct call *call, uint64_t budget_ns)
{
    uint64_t end = clock_ns() + budget_ns;
    bool done;
    do done = census_step(call->heap, call->state, CENSUS_PAGES);
    while (!done && clock_ns() < end);
    if (!done) return CALL_PENDING;
    enum call_outcome outcome = census_reply(call, call->state);
    census_abort(call);
    return outcome;
}

enum call_outcome method_mem_census(struct call *call)
{
    call->state = malloc(sizeof(struct census));
    if (call->state == NULL) return fail_no_memory(call);
    census_init(call->state);
    call->step = census_call_step;
    call->abort = census_abort;
    return CALL_PENDING;
}

/* --- mem.size -------------------------------------------------------------------------------*/

static void size_abort(struct call *call)
{
    heap_walk_end(call->state);
    call->state = NULL;
}

static enum call_outcome size_step(struct call *call, uint64_t budget_ns)
{
    uint64_t end = clock_ns() + budget_ns;
    bool done;
    do done = heap_walk_step(call->state, WALK_WORDS);
    while (!done && clock_ns() < end);
    if (!done) return CALL_PENDING;
    uint64_t bytes = heap_walk_total(call->state).bytes;
    size_abort(call);
    return reply_uint(call, bytes);
}

enum call_outcome method_mem_size(struct call *call)
{
    value of, v;
    const struct option known[] = {{"of", &of}};
    int deep = 1, error = 0;
    if (options_read(call, 1, known, 1) < 0 ||
        option_word(call, "of", of, "shallow deep", &deep) < 0 ||
        path_read_through(call, call->args[0], 0, &v) < 0)
        return CALL_FAILED;
    if (v == VALUE_ABSENT) return fail_not_found(call, call->args[0]);
    /* It lies in a part of a map, with the byte of its length. */
    if (value_is_view(v)) return reply_uint(call, text_length(call->heap, v) + 1);
    if (!deep || !value_is_ref(v)) return reply_uint(call, value_cell_bytes(call->heap, v));
    call->state = heap_walk_start(call->heap, v, &error);
    if (call->state == NULL && error == -EBUSY)
        return call_fail(call, ERROR_BUSY, "mem.size: another value is being measured; try again");
    if (call->state == NULL) return fail_no_memory(call);
    call->step = size_step;
    call->abort = size_abort;
    return CALL_PENDING;
}
