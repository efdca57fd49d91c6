/* text_builder.c - texts whose bytes arrive in parts, with safe points between them.
 *
 * What has come so far is a rope in the caller's frame, whatever its length, so that each
 * part is added without looking at the earlier ones. Closing gives the text its proper form:
 * that costs one copy of at most TEXT_CELL_MAX bytes, or, for ropes, none. Memory grows with
 * what has arrived, not with what was announced. */
#include "heap/text_int.h"

int text_builder_open(struct heap *h, struct text_builder *b, struct root_frame *frame,
                      size_t expected, bool is_bytes)
{
    value rope = rope_new(h, is_bytes ? KIND_ROPE_BYTES : KIND_ROPE);
    if (rope == VALUE_ABSENT) return -ENOMEM;
    root_frame_touch(h, frame);
    int error = root_frame_push_take(h, frame, rope);
    if (error != 0) {
        value_release(h, rope);
        return error;
    }
    *b = (struct text_builder){
        .frame = frame, .slot = frame->count - 1, .expected = expected, .is_bytes = is_bytes};
    return 0;
}

int text_builder_add(struct heap *h, struct text_builder *b, const void *data, size_t length)
{
    assert(length <= b->expected - b->received);
    if (length == 0) return 0;
    root_frame_touch(h, b->frame);
    value *slot = &b->frame->slots[b->slot];
    value rope = rope_append_take(h, *slot, ref_kind(*slot), data, length);
    if (rope == VALUE_ABSENT) return -ENOMEM;
    *slot = rope;
    b->received += length;
    if (!b->is_bytes) b->utf8_state = utf8_feed(b->utf8_state, data, length);
    return 0;
}

int text_builder_close(struct heap *h, struct text_builder *b)
{
    root_frame_touch(h, b->frame);
    value *slot = &b->frame->slots[b->slot], rope = *slot;
    bool is_bytes = b->is_bytes || b->utf8_state != 0;
    if (b->received > TEXT_CELL_MAX) {
        value text = rope_convert_take(h, rope, is_bytes ? KIND_ROPE_BYTES : KIND_ROPE);
        if (text == VALUE_ABSENT) return -ENOMEM;
        *slot = text;
        return 0;
    }
    _Static_assert(TEXT_CELL_MAX <= ROPE_CHUNK_BYTES, "so there is one chunk at most");
    const char *data = "";
    size_t length = rope_piece(h, rope, 0, &data);
    value text = text_new(h, data, length, is_bytes);
    if (text == VALUE_ABSENT) return -ENOMEM;
    *slot = text;
    value_release(h, rope);
    return 0;
}
