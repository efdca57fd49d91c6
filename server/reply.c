/* reply.c - see reply.h.
 *
 * Workload: many small values; now and then a graph of millions of objects. Nothing
 * recurses: the open containers are a stack of fixed size. The work is bounded because
 * a container charges its items to the limit reply-elements when it is opened, and the writer
 * stops at the limit reply-bytes. Only shared containers can be met twice, so only those are
 * remembered. */
#include "server/reply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/number.h"
#include "heap/set.h"
#include "heap/sorted_set.h"
#include "heap/text.h"
#include "heap/weak.h"
#include "server/build.h"
#include "server/path.h"
#include "server/table_value.h"

#define LIST_BATCH 16
#define KEY_TEXT_BYTES 40 /* of the longest number */

/* --- the table of shared containers -------------------------------------------------------*/

struct reply_ref {
    value container; /* 0: empty */
    uint64_t number;
};

static struct reply_ref *refs_slot(struct reply_ref *refs, size_t capacity, value container)
{
    size_t i = (size_t)((container * 0x9e3779b97f4a7c15) >> 32) & (capacity - 1);
    while (refs[i].container != 0 && refs[i].container != container) i = (i + 1) & (capacity - 1);
    return &refs[i];
}

static int refs_grow(struct reply *r)
{
    size_t capacity = r->ref_capacity == 0 ? 64 : r->ref_capacity * 2;
    struct reply_ref *refs = calloc(capacity, sizeof *refs);
    if (refs == NULL) {
        call_fail(r->call, ERROR_OUT_OF_MEMORY, "%s: no memory for the reply",
                  r->call->method->name);
        return -1;
    }
    for (size_t i = 0; i < r->ref_capacity; i++)
        if (r->refs[i].container != 0)
            *refs_slot(refs, capacity, r->refs[i].container) = r->refs[i];
    free(r->refs);
    r->refs = refs;
    r->ref_capacity = capacity;
    return 0;
}

/* The number of a container that was written before; false if it was not. */
static bool refs_find(const struct reply *r, value container, uint64_t *number)
{
    if (r->ref_count == 0) return false;
    struct reply_ref *slot = refs_slot(r->refs, r->ref_capacity, container);
    *number = slot->number;
    return slot->container != 0;
}

static int refs_add(struct reply *r, value container, uint64_t number)
{
    if (r->ref_count >= REPLY_REFS_MAX) {
        call_fail(r->call, ERROR_LIMIT, "%s: more than %zu shared containers in one reply",
                  r->call->method->name, REPLY_REFS_MAX);
        return -1;
    }
    if (r->ref_count * 2 >= r->ref_capacity && refs_grow(r) < 0) return -1;
    *refs_slot(r->refs, r->ref_capacity, container) =
        (struct reply_ref){.container = container, .number = number};
    r->ref_count++;
    return 0;
}

/* --- scalars --------------------------------------------------------------------------------*/

static int fail_needs_ext(struct reply *r, const char *what)
{
    call_fail(r->call, ERROR_NEEDS_EXT,
              "%s: the value holds %s, which plain MessagePack cannot carry; "
              "hello({\"ext\": true}) allows it",
              r->call->method->name, what);
    return -1;
}

static void write_text(struct writer *w, const struct heap *h, value v, bool is_bytes)
{
    size_t length = text_length(h, v), at = 0, got;
    struct text_scratch scratch;
    const char *data;
    if (is_bytes) writer_bin_header(w, length);
    else writer_str_header(w, length);
    while ((got = text_piece(h, v, at, &data, &scratch)) > 0) {
        writer_bytes(w, data, got);
        at += got;
    }
}

static void write_payload(struct writer *w, int8_t type, uint64_t n)
{
    unsigned char bytes[8];
    size_t length = n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : n <= UINT32_MAX ? 4 : 8;
    for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)(n >> 8 * (length - 1 - i));
    writer_ext(w, type, bytes, length);
}

/* A weak reference inside of a value. */
static int write_weak(struct reply *r, value weak)
{
    value target = weak_read(r->call->heap, weak);
    uint64_t number;
    if (target == VALUE_NIL) writer_nil(r->w);
    else if (!r->call->features->ext) return fail_needs_ext(r, "a weak reference");
    else if (refs_find(r, target, &number)) write_payload(r->w, EXT_WEAK, number);
    else writer_ext(r->w, EXT_WEAK, "", 0);
    return 0;
}

static int write_number(struct reply *r, struct number n)
{
    switch (n.class) {
    case NUMBER_INT64: writer_int(r->w, n.i); return 0;
    case NUMBER_DOUBLE: writer_double(r->w, n.d); return 0;
    case NUMBER_UINT64:
        if (!r->call->features->ext) return fail_needs_ext(r, "an integer above int64");
        writer_uint(r->w, n.u);
        return 0;
    case NUMBER_NONE: break;
    }
    return -1;
}

/* Anything but a container. */
static int write_scalar(struct reply *r, value v)
{
    struct heap *h = r->call->heap;
    struct number n = number_read(h, v);
    if (n.class != NUMBER_NONE) return write_number(r, n);
    if (value_is_text(v)) {
        write_text(r->w, h, v, text_is_bytes(v));
    } else if (value_is_bool(v)) {
        writer_bool(r->w, v == VALUE_TRUE);
    } else if (value_is_weak(v)) {
        return write_weak(r, v);
    } else if (value_is_kind(v, KIND_EXT)) {
        if (!r->call->features->ext) return fail_needs_ext(r, "an extension value");
        size_t length;
        const char *data = ext_data(h, v, &length);
        writer_ext(r->w, ext_type(h, v), data, length);
    } else {
        writer_nil(r->w);
    }
    return 0;
}

/* A float as text that reads back as the same number, and as a float. */
static void format_double(char *text, size_t size, double d)
{
    number_print(text, size, d);
    if (isfinite(d) && strpbrk(text, ".e") == NULL) strncat(text, ".0", size - strlen(text) - 1);
}

static void write_text_key(struct writer *w, const struct heap *h, value key)
{
    struct text_scratch scratch;
    const char *data;
    bool is_bytes = false;
    /* Keys are byte strings, one cell each; which of str and bin came first is no matter. */
    if (text_is_bytes(key)) {
        size_t length = text_piece(h, key, 0, &data, &scratch);
        is_bytes = !utf8_valid(data, length);
    }
    write_text(w, h, key, is_bytes);
}

/* Whether this key, which is no text, is written as one, and what that is. Different keys have
 * different texts. */
static bool key_becomes_text(const struct reply *r, value key, char text[KEY_TEXT_BYTES])
{
    const struct session_features *features = r->call->features;
    struct number n = number_read(r->call->heap, key);
    if (features->ext || features->any_keys) return false;
    if (n.class == NUMBER_INT64) snprintf(text, KEY_TEXT_BYTES, "%lld", (long long)n.i);
    else if (n.class == NUMBER_UINT64)
        snprintf(text, KEY_TEXT_BYTES, "%llu", (unsigned long long)n.u);
    else if (n.class == NUMBER_DOUBLE) format_double(text, KEY_TEXT_BYTES, n.d);
    else snprintf(text, KEY_TEXT_BYTES, "%s", key == VALUE_TRUE ? "true" : "false");
    return true;
}

void reply_key(struct reply *r, value key)
{
    struct heap *h = r->call->heap;
    struct number n = number_read(h, key);
    char text[KEY_TEXT_BYTES];
    if (value_is_text(key)) write_text_key(r->w, h, key);
    else if (key_becomes_text(r, key, text)) writer_cstr(r->w, text);
    else if (n.class == NUMBER_UINT64) writer_uint(r->w, n.u);
    else if (write_scalar(r, key) < 0) return;
}

/* A key of a map that is written as one: its text may not be another key of the same map. */
static int write_map_key(struct reply *r, value map, value key)
{
    char text[KEY_TEXT_BYTES], what[2 * KEY_TEXT_BYTES + 40];
    struct map_key other;
    if (!value_is_text(key) && key_becomes_text(r, key, text)) {
        map_key_text(r->call->heap, &other, text, strlen(text));
        if (map_get(r->call->heap, map, &other) != VALUE_ABSENT) {
            snprintf(what, sizeof what, "a map with both of the keys %s and \"%s\"", text, text);
            return fail_needs_ext(r, what);
        }
    }
    reply_key(r, key);
    return 0;
}

/* --- limits ---------------------------------------------------------------------------------*/

int reply_room(struct reply *r, size_t count)
{
    size_t limit = r->call->host->reply_elements_max;
    if (count <= limit && r->elements <= limit - count) return 0;
    call_fail(r->call, ERROR_LIMIT,
              "%s: the reply would have more items than reply-elements (%zu) allows; ask for less "
              "of it",
              r->call->method->name, limit);
    return -1;
}

int reply_charge(struct reply *r, size_t count)
{
    if (reply_room(r, count) < 0) return -1;
    r->elements += count;
    return 0;
}

/* --- containers -------------------------------------------------------------------------------*/

struct reply_level {
    value container;
    bool is_map;
    size_t index; /* of a list: the next item */
    struct map_iterator iterator;
};

struct reply_stack {
    struct reply_level levels[REPLY_DEPTH_EXT + 1];
    unsigned count;
};

static unsigned reply_depth_limit(const struct reply *r)
{
    return r->call->features->ext ? REPLY_DEPTH_EXT : REPLY_DEPTH_PLAIN;
}

static int fail_depth(struct reply *r)
{
    const char *name = r->call->method->name;
    if (r->call->features->ext)
        call_fail(r->call, ERROR_LIMIT,
                  "%s: the value is nested deeper than the limit of %d; get it in parts, or with "
                  "the option depth of get",
                  name, REPLY_DEPTH_EXT);
    else
        call_fail(r->call, ERROR_LIMIT,
                  "%s: the value is nested deeper than %d, the limit of plain replies; "
                  "the option depth of get cuts it, hello({\"ext\": true}) allows %d",
                  name, REPLY_DEPTH_PLAIN, REPLY_DEPTH_EXT);
    return -1;
}

static bool stack_has(const struct reply_stack *stack, value container)
{
    for (unsigned i = 0; i < stack->count; i++)
        if (stack->levels[i].container == container) return true;
    return false;
}

/* Members are scalars, so a set is written in one go. */
static int write_set(struct reply *r, value set)
{
    struct map_iterator it = {0};
    bool ext = r->call->features->ext;
    size_t mark = ext ? writer_ext_open(r->w) : 0;
    value member;
    writer_array(r->w, set_count(r->call->heap, set));
    while (set_next(r->call->heap, set, &it, &member) && r->w->error == WRITER_OK)
        if (write_scalar(r, member) < 0) return -1;
    if (ext) writer_ext_close(r->w, mark, EXT_SET);
    return 0;
}

static int write_sorted_set(struct reply *r, value set)
{
    struct heap *h = r->call->heap;
    struct sorted_cursor at;
    struct sorted_entry entry;
    size_t count = sorted_set_count(h, set);
    writer_array(r->w, count);
    r->opened += count;
    sorted_set_seek(h, set, 0, &at);
    while (sorted_set_next(h, &at, &entry) && r->w->error == WRITER_OK)
        if (reply_sorted_entry(r, &entry, true) < 0) return -1;
    return 0;
}

int reply_sorted_entry(struct reply *r, const struct sorted_entry *entry, bool with_score)
{
    if (with_score) writer_array(r->w, 2);
    if (utf8_valid(entry->member, entry->length))
        writer_str(r->w, entry->member, entry->length);
    else
        writer_bin(r->w, entry->member, entry->length);
    return with_score ? write_number(r, entry->score) : 0;
}

/* The items that a container charges to the limit when it is opened. */
static size_t container_items(const struct heap *h, value v)
{
    switch (ref_kind(v)) {
    case KIND_MAP: return 2 * map_count(h, v);
    case KIND_SET: return set_count(h, v);
    case KIND_SORTED_SET: return 3 * sorted_set_count(h, v);
    default: return list_length(h, v);
    }
}

/* Writes the header of a list or map and makes it the innermost, or a whole set; or, if it was
 * written before, refers back to it. */
static int stack_push(struct reply *r, struct reply_stack *stack, value v)
{
    struct heap *h = r->call->heap;
    bool is_map = value_is_kind(v, KIND_MAP);
    if (r->depth_max > 0 && stack->count >= r->depth_max) {
        writer_nil(r->w);
        return 0;
    }
    if (value_is_shared(h, v)) {
        uint64_t number;
        if (r->call->features->ext) {
            if (refs_find(r, v, &number)) {
                write_payload(r->w, EXT_REF, number);
                return 0;
            }
            if (refs_add(r, v, r->opened) < 0) return -1;
        } else if (r->depth_max == 0 && stack_has(stack, v)) {
            return fail_needs_ext(r, "a cycle");
        }
    }
    unsigned levels = value_is_kind(v, KIND_SORTED_SET) || value_is_kind(v, KIND_TABLE) ? 2 : 1;
    if (stack->count + r->depth + levels > reply_depth_limit(r)) return fail_depth(r);
    if (value_is_kind(v, KIND_TABLE)) return reply_table(r, v);
    if (reply_charge(r, container_items(h, v)) < 0) return -1;
    r->opened++;
    if (value_is_kind(v, KIND_SET)) return write_set(r, v);
    if (value_is_kind(v, KIND_SORTED_SET)) return write_sorted_set(r, v);
    if (is_map) writer_map(r->w, map_count(h, v));
    else writer_array(r->w, list_length(h, v));
    struct reply_level *level = &stack->levels[stack->count++];
    level->container = v;
    level->is_map = is_map;
    level->index = 0;
    memset(&level->iterator, 0, sizeof level->iterator);
    return 0;
}

static bool is_container(value v)
{
    return value_is_kind(v, KIND_LIST) || value_is_kind(v, KIND_MAP) ||
           value_is_kind(v, KIND_SET) || value_is_kind(v, KIND_SORTED_SET) ||
           value_is_kind(v, KIND_TABLE);
}

/* Writes items of the innermost container, up to and with the next container in it. */
static int stack_step_list(struct reply *r, struct reply_stack *stack)
{
    struct reply_level *level = &stack->levels[stack->count - 1];
    value items[LIST_BATCH];
    size_t got = list_read(r->call->heap, level->container, level->index, items, LIST_BATCH);
    if (got == 0) stack->count--;
    for (size_t i = 0; i < got; i++) {
        level->index++;
        if (is_container(items[i])) return stack_push(r, stack, items[i]);
        if (write_scalar(r, items[i]) < 0) return -1;
    }
    return 0;
}

static int stack_step_map(struct reply *r, struct reply_stack *stack)
{
    struct reply_level *level = &stack->levels[stack->count - 1];
    value key, v;
    for (unsigned i = 0; i < LIST_BATCH; i++) {
        if (!map_next(r->call->heap, level->container, &level->iterator, &key, &v)) {
            stack->count--;
            return 0;
        }
        if (write_map_key(r, level->container, key) < 0) return -1;
        if (is_container(v)) return stack_push(r, stack, v);
        if (write_scalar(r, v) < 0) return -1;
    }
    return 0;
}

int reply_value(struct reply *r, value v)
{
    if (reply_charge(r, 1) < 0) return -1;
    if (!is_container(v)) return write_scalar(r, v);
    struct reply_stack stack;
    stack.count = 0;
    if (stack_push(r, &stack, v) < 0) return -1;
    while (stack.count > 0 && r->w->error == WRITER_OK) {
        bool is_map = stack.levels[stack.count - 1].is_map;
        if ((is_map ? stack_step_map(r, &stack) : stack_step_list(r, &stack)) < 0) return -1;
    }
    return 0;
}

/* --- the frame around it -------------------------------------------------------------------*/

void reply_open(struct reply *r, struct call *call)
{
    *r = (struct reply){.call = call, .w = call->reply};
}

void reply_close(struct reply *r)
{
    free(r->refs);
    r->refs = NULL;
}

enum call_outcome reply_finish(struct reply *r, int status)
{
    reply_close(r);
    if (status == 0) status = reply_check(r->call);
    return status < 0 ? CALL_FAILED : CALL_DONE;
}

int reply_check(struct call *call)
{
    switch (call->reply->error) {
    case WRITER_OK: return 0;
    case WRITER_NO_MEMORY:
        call_fail(call, ERROR_OUT_OF_MEMORY, "%s: no memory for the reply", call->method->name);
        break;
    case WRITER_LIMIT:
        call_fail(call, ERROR_LIMIT,
                  "%s: the reply would be longer than reply-bytes (%zu) allows; ask for less of it",
                  call->method->name, call->host->reply_bytes_max);
        break;
    }
    return -1;
}

void reply_array(struct reply *r, size_t count)
{
    writer_array(r->w, count);
    r->opened++;
    r->depth++;
}

void reply_map(struct reply *r, size_t count)
{
    writer_map(r->w, count);
    r->opened++;
    r->depth++;
}

void reply_leave(struct reply *r) { r->depth--; }

void reply_handle(struct reply *r, int64_t handle)
{
    if (r->call->features->ext) {
        write_payload(r->w, EXT_HANDLE, (uint64_t)handle);
        return;
    }
    reply_map(r, 1);
    writer_cstr(r->w, "handle");
    writer_int(r->w, handle);
    reply_leave(r);
}

void reply_figure(struct writer *w, const char *name, uint64_t figure)
{
    writer_cstr(w, name);
    writer_uint(w, figure);
}

enum call_outcome reply_bool(struct call *call, bool v)
{
    writer_bool(call->reply, v);
    return CALL_DONE;
}

enum call_outcome reply_int(struct call *call, int64_t v)
{
    writer_int(call->reply, v);
    return CALL_DONE;
}

enum call_outcome reply_uint(struct call *call, uint64_t v)
{
    writer_uint(call->reply, v);
    return CALL_DONE;
}
