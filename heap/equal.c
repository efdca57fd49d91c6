/* equal.c - equality by content.
 *
 * Numbers, texts and the inline values have one form each, so most comparisons end with two
 * words. Lists and maps are compared member by member with a stack of our own: data may be
 * nested deeper than any C stack, or in itself. Two cycles that unfold to the same endless
 * tree are not recognised as equal: the limit ends the comparison. */
#include "heap/equal.h"

#include <stdlib.h>

#include "heap/list.h"
#include "heap/map.h"
#include "heap/sorted_set.h"
#include "heap/store.h"
#include "heap/text.h"

/* A pair of lists or maps of which members are still to be compared. */
struct equal_frame {
    value a, b;
    size_t index; /* of lists: the next item */
    struct map_iterator iterator; /* of maps: through `a` */
};

struct equal_stack {
    struct equal_frame *frames;
    size_t count;
    size_t capacity;
};

/* Two values are equal or different, or it depends on their members; or the limit is reached. */
enum equality { DIFFERENT, EQUAL, MEMBERS, LIMIT };

static bool boxes_equal(const struct heap *h, value a, value b)
{
    return memcmp(cell_bytes(h, a), cell_bytes(h, b), sizeof(uint64_t)) == 0;
}

static bool exts_equal(const struct heap *h, value a, value b)
{
    size_t length_a, length_b;
    const char *data_a = ext_data(h, a, &length_a), *data_b = ext_data(h, b, &length_b);
    return ext_type(h, a) == ext_type(h, b) && length_a == length_b &&
           memcmp(data_a, data_b, length_a) == 0;
}

/* Takes what looking at `bytes` of text costs, above the one for the value, off the limit. */
static bool charge(size_t *limit, size_t bytes)
{
    if (bytes / 1024 > *limit) return false;
    *limit -= bytes / 1024;
    return true;
}

/* Texts of which at least one is a view. */
static enum equality views_compare(const struct heap *h, value a, value b, size_t *limit)
{
    if (!value_is_text(a) || !value_is_text(b) || text_is_bytes(a) != text_is_bytes(b) ||
        text_length(h, a) != text_length(h, b))
        return DIFFERENT;
    if (!charge(limit, text_length(h, a))) return LIMIT;
    return text_compare(h, a, b) == 0 ? EQUAL : DIFFERENT;
}

/* Compares two values but not their members. */
static enum equality pair_compare(const struct heap *h, value a, value b, size_t *limit)
{
    if (a == b) return EQUAL;
    if (value_is_view(a) || value_is_view(b)) return views_compare(h, a, b, limit);
    if (!value_is_ref(a) || !value_is_ref(b) || ref_kind(a) != ref_kind(b)) return DIFFERENT;
    size_t size;
    switch (ref_kind(a)) {
    case KIND_STRING:
    case KIND_BYTES:
        size = text_length(h, a);
        if (ref_hash(a) != ref_hash(b) || size != text_length(h, b)) return DIFFERENT;
        if (!charge(limit, size)) return LIMIT;
        return text_compare(h, a, b) == 0 ? EQUAL : DIFFERENT;
    case KIND_ROPE:
    case KIND_ROPE_BYTES:
        size = text_length(h, a);
        if (size != text_length(h, b)) return DIFFERENT;
        if (!charge(limit, size)) return LIMIT;
        return text_compare(h, a, b) == 0 ? EQUAL : DIFFERENT;
    case KIND_INT64:
    case KIND_UINT64:
    case KIND_DOUBLE: return boxes_equal(h, a, b) ? EQUAL : DIFFERENT;
    case KIND_EXT:
        ext_data(h, a, &size);
        if (!charge(limit, size)) return LIMIT;
        return exts_equal(h, a, b) ? EQUAL : DIFFERENT;
    case KIND_LIST:
        size = list_length(h, a);
        if (size != list_length(h, b)) return DIFFERENT;
        return size == 0 ? EQUAL : MEMBERS;
    case KIND_MAP:
    case KIND_SET:
        size = map_count(h, a);
        if (size != map_count(h, b)) return DIFFERENT;
        return size == 0 ? EQUAL : MEMBERS;
    case KIND_SORTED_SET:
        size = sorted_set_count(h, a);
        if (size != sorted_set_count(h, b)) return DIFFERENT;
        return size == 0 ? EQUAL : MEMBERS;
    default: return DIFFERENT; /* an object is itself only */
    }
}

static int stack_push(const struct heap *h, struct equal_stack *stack, value a, value b)
{
    if (stack->count == stack->capacity) {
        size_t capacity = stack->capacity ? 2 * stack->capacity : 16;
        void *frames = realloc(stack->frames, capacity * sizeof *stack->frames);
        if (frames == NULL) return -ENOMEM;
        stack->frames = frames;
        stack->capacity = capacity;
    }
    if (value_is_kind(a, KIND_SORTED_SET)) {
        a = sorted_set_scores(h, a);
        b = sorted_set_scores(h, b);
    }
    stack->frames[stack->count++] = (struct equal_frame){.a = a, .b = b};
    return 0;
}

/* Sets are maps whose values are nil.
 * The next pair of members; b is VALUE_ABSENT if the other map has no such key. False when
 * all have been compared. A long key, which must be hashed, is charged as far as the limit
 * goes. */
static bool frame_next(const struct heap *h, struct equal_frame *frame, size_t *limit, value *a,
                       value *b)
{
    if (value_is_kind(frame->a, KIND_LIST)) {
        if (frame->index == list_length(h, frame->a)) return false;
        *a = list_get(h, frame->a, frame->index);
        *b = list_get(h, frame->b, frame->index++);
        return true;
    }
    value key_value;
    struct map_key key;
    if (!map_next(h, frame->a, &frame->iterator, &key_value, a)) return false;
    if (value_is_text(key_value) && !charge(limit, text_length(h, key_value))) *limit = 0;
    bool is_key = map_key_value(h, &key, key_value) == 0;
    *b = is_key ? map_get(h, frame->b, &key) : VALUE_ABSENT;
    return true;
}

/* The next pair on the stack. False when nothing is left. */
static bool stack_next(const struct heap *h, struct equal_stack *stack, size_t *limit, value *a,
                       value *b)
{
    while (stack->count > 0) {
        if (frame_next(h, &stack->frames[stack->count - 1], limit, a, b)) return true;
        stack->count--;
    }
    return false;
}

int value_equal(const struct heap *h, value a, value b, size_t limit)
{
    struct equal_stack stack = {NULL, 0, 0};
    int result = 1;
    do {
        if (limit == 0) {
            result = -E2BIG;
            break;
        }
        limit--;
        switch (b == VALUE_ABSENT ? DIFFERENT : pair_compare(h, a, b, &limit)) {
        case EQUAL: break;
        case DIFFERENT: result = 0; break;
        case MEMBERS: result = stack_push(h, &stack, a, b) == 0 ? 1 : -ENOMEM; break;
        case LIMIT: result = -E2BIG; break;
        }
    } while (result == 1 && stack_next(h, &stack, &limit, &a, &b));
    free(stack.frames);
    return result;
}
