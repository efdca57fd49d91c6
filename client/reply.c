/* reply.c - replies as trees in memory, and how they are read.
 *
 * A reply is built once, read a few times, and freed whole. So its values lie in an arena:
 * the items of a container are contiguous, index and length cost nothing, and freeing is a
 * handful of calls however large the reply. Memory is claimed when a header announces it; the
 * decoder has checked by then that the announcement lies within the reply's budget. */
#include "client/cairn_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES_FIRST 480
#define BLOCK_BYTES_MAX ((size_t)1 << 20)

/* --- the arena --------------------------------------------------------------------------*/

static struct reply_block *block_add(struct cairn_reply *reply, size_t size)
{
    struct reply_block *block = malloc(sizeof *block + size);
    if (!block) return NULL;
    block->size = size;
    block->used = 0;
    block->older = reply->blocks;
    reply->blocks = block;
    return block;
}

/* `size` bytes aligned to 16, or NULL. Blocks double; what is larger than one gets its own. */
static void *reply_alloc(struct cairn_reply *reply, size_t size)
{
    struct reply_block *block = reply->blocks;
    size = (size + 15) & ~(size_t)15;
    if (!block || block->size - block->used < size) {
        size_t wanted = block ? block->size * 2 : BLOCK_BYTES_FIRST;
        if (wanted > BLOCK_BYTES_MAX) wanted = BLOCK_BYTES_MAX;
        block = block_add(reply, size > wanted ? size : wanted);
        if (!block) return NULL;
    }
    char *at = block->data + block->used;
    block->used += size;
    return at;
}

void cairn_reply_destroy(struct cairn_reply *reply)
{
    if (!reply) return;
    while (reply->blocks) {
        struct reply_block *block = reply->blocks;
        reply->blocks = block->older;
        free(block);
    }
    free(reply);
}

const struct cairn_value *cairn_reply_result(const struct cairn_reply *reply)
{
    return &reply->root[1];
}

/* --- the builder ------------------------------------------------------------------------*/

bool reply_builder_init(struct reply_builder *b, unsigned depth_max)
{
    *b = (struct reply_builder){.depth_max = depth_max};
    b->next = malloc((depth_max + 1) * sizeof *b->next);
    return b->next != NULL;
}

void reply_builder_close(struct reply_builder *b)
{
    cairn_reply_destroy(b->reply);
    free(b->next);
    *b = (struct reply_builder){0};
}

int reply_builder_begin(struct reply_builder *b)
{
    cairn_reply_destroy(b->reply);
    b->reply = calloc(1, sizeof *b->reply);
    if (!b->reply) return REPLY_NO_MEMORY;
    b->depth = 0;
    b->next[0] = b->reply->root;
    return 0;
}

struct cairn_reply *reply_builder_take(struct reply_builder *b)
{
    struct cairn_reply *reply = b->reply;
    b->reply = NULL;
    return reply;
}

static void build_value(struct reply_builder *b, struct cairn_value value)
{
    *b->next[b->depth]++ = value;
}

static int build_nil(void *context)
{
    build_value(context, (struct cairn_value){.type = CAIRN_NIL});
    return 0;
}

static int build_bool(void *context, bool value)
{
    build_value(context, (struct cairn_value){.type = CAIRN_BOOL, .boolean = value});
    return 0;
}

static int build_int(void *context, int64_t value)
{
    build_value(context, (struct cairn_value){.type = CAIRN_INT, .integer = value});
    return 0;
}

static int build_uint(void *context, uint64_t value)
{
    build_value(context, (struct cairn_value){.type = CAIRN_UINT, .unsigned_integer = value});
    return 0;
}

static int build_double(void *context, double value)
{
    build_value(context, (struct cairn_value){.type = CAIRN_DOUBLE, .real = value});
    return 0;
}

static int build_text_open(void *context, enum decoder_text type, int8_t ext_type,
                           size_t length)
{
    struct reply_builder *b = context;
    b->text = reply_alloc(b->reply, length + 1);
    if (!b->text) return REPLY_NO_MEMORY;
    struct cairn_value value = {
        .type = type == DECODER_STR ? CAIRN_STR : type == DECODER_BIN ? CAIRN_BIN : CAIRN_EXT,
        .ext_type = ext_type,
        .length = (uint32_t)length,
        .text = b->text};
    build_value(b, value);
    return 0;
}

static int build_text_data(void *context, const char *data, size_t length)
{
    struct reply_builder *b = context;
    memcpy(b->text, data, length);
    b->text += length;
    return 0;
}

static int build_text_close(void *context)
{
    struct reply_builder *b = context;
    *b->text = 0;
    return 0;
}

static int build_text(void *context, enum decoder_text type, int8_t ext_type, const char *data,
                      size_t length)
{
    int error = build_text_open(context, type, ext_type, length);
    if (error) return error;
    if (length > 0) build_text_data(context, data, length);
    return build_text_close(context);
}

static int build_open(struct reply_builder *b, enum cairn_type type, size_t count,
                      size_t items_per_entry)
{
    struct cairn_value *items = NULL;
    if (count > 0) {
        if (count > SIZE_MAX / sizeof *items / items_per_entry - 1) return REPLY_NO_MEMORY;
        items = reply_alloc(b->reply, count * items_per_entry * sizeof *items);
        if (!items) return REPLY_NO_MEMORY;
    }
    struct cairn_value value = {.type = (uint8_t)type, .length = (uint32_t)count, .items = items};
    build_value(b, value);
    assert(b->depth < b->depth_max); /* the decoder has the same limit */
    b->next[++b->depth] = items;
    return 0;
}

static int build_array_open(void *context, size_t count)
{
    return build_open(context, CAIRN_ARRAY, count, 1);
}

static int build_map_open(void *context, size_t count)
{
    return build_open(context, CAIRN_MAP, count, 2);
}

static int build_close(void *context)
{
    ((struct reply_builder *)context)->depth--;
    return 0;
}

const struct decoder_sink reply_sink = {
    .nil = build_nil,
    .boolean = build_bool,
    .integer = build_int,
    .unsigned_integer = build_uint,
    .real = build_double,
    .text = build_text,
    .text_open = build_text_open,
    .text_data = build_text_data,
    .text_close = build_text_close,
    .array_open = build_array_open,
    .array_close = build_close,
    .map_open = build_map_open,
    .map_close = build_close,
};

static enum cairn_status decode_with(struct decoder *d, const void *data, size_t length,
                                     size_t *used)
{
    switch (decoder_feed(d, data, length, used)) {
    case DECODER_DONE: return CAIRN_OK;
    case DECODER_LIMIT_BYTES:
    case DECODER_LIMIT_ELEMENTS:
    case DECODER_LIMIT_DEPTH: return CAIRN_LIMIT;
    case REPLY_NO_MEMORY: return CAIRN_NO_MEMORY;
    default: return CAIRN_PROTOCOL;
    }
}

enum cairn_status cairn_decode(const void *data, size_t length, size_t *used,
                               struct cairn_reply **reply)
{
    const struct decoder_limits limits = {.bytes_max = CAIRN_REPLY_BYTES_MAX,
                                          .elements_max = CAIRN_REPLY_VALUES_MAX,
                                          .depth_max = CAIRN_DEPTH_MAX};
    struct reply_builder builder;
    enum cairn_status status = CAIRN_NO_MEMORY;
    *reply = NULL;
    *used = 0;
    struct decoder *d = decoder_create(&reply_sink, &builder, &limits);
    if (reply_builder_init(&builder, limits.depth_max) && d && !reply_builder_begin(&builder)) {
        builder.next[0] = &builder.reply->root[1]; /* there is no error in front of it */
        status = decode_with(d, data, length, used);
        if (status == CAIRN_OK) *reply = reply_builder_take(&builder);
    }
    if (d) decoder_destroy(d);
    reply_builder_close(&builder);
    return status;
}

/* --- reading ----------------------------------------------------------------------------*/

enum cairn_type cairn_type(const struct cairn_value *value)
{
    return value ? (enum cairn_type)value->type : CAIRN_NIL;
}

const char *cairn_type_name(enum cairn_type type)
{
    static const char *const names[] = {"nil", "bool", "int", "uint",  "double",
                                        "str", "bin",  "array", "map", "ext"};
    return (unsigned)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

bool cairn_bool(const struct cairn_value *value, bool otherwise)
{
    return cairn_type(value) == CAIRN_BOOL ? value->boolean : otherwise;
}

int64_t cairn_int(const struct cairn_value *value, int64_t otherwise)
{
    return cairn_type(value) == CAIRN_INT ? value->integer : otherwise;
}

uint64_t cairn_uint(const struct cairn_value *value, uint64_t otherwise)
{
    switch (cairn_type(value)) {
    case CAIRN_UINT: return value->unsigned_integer;
    case CAIRN_INT: return value->integer >= 0 ? (uint64_t)value->integer : otherwise;
    default: return otherwise;
    }
}

double cairn_double(const struct cairn_value *value, double otherwise)
{
    switch (cairn_type(value)) {
    case CAIRN_DOUBLE: return value->real;
    case CAIRN_INT: return (double)value->integer;
    case CAIRN_UINT: return (double)value->unsigned_integer;
    default: return otherwise;
    }
}

static bool is_text(const struct cairn_value *value)
{
    enum cairn_type type = cairn_type(value);
    return type == CAIRN_STR || type == CAIRN_BIN || type == CAIRN_EXT;
}

const char *cairn_text(const struct cairn_value *value, size_t *length)
{
    bool has = is_text(value);
    if (length) *length = has ? value->length : 0;
    return has ? value->text : NULL;
}

int8_t cairn_ext_type(const struct cairn_value *value)
{
    return cairn_type(value) == CAIRN_EXT ? value->ext_type : 0;
}

size_t cairn_length(const struct cairn_value *value)
{
    enum cairn_type type = cairn_type(value);
    return is_text(value) || type == CAIRN_ARRAY || type == CAIRN_MAP ? value->length : 0;
}

const struct cairn_value *cairn_at(const struct cairn_value *value, ptrdiff_t index)
{
    if (cairn_type(value) != CAIRN_ARRAY) return NULL;
    if (index < 0) index += (ptrdiff_t)value->length;
    return index >= 0 && (size_t)index < value->length ? &value->items[index] : NULL;
}

const struct cairn_value *cairn_map_key(const struct cairn_value *map, size_t index)
{
    bool has = cairn_type(map) == CAIRN_MAP && index < map->length;
    return has ? &map->items[2 * index] : NULL;
}

const struct cairn_value *cairn_map_value(const struct cairn_value *map, size_t index)
{
    bool has = cairn_type(map) == CAIRN_MAP && index < map->length;
    return has ? &map->items[2 * index + 1] : NULL;
}

const struct cairn_value *cairn_field(const struct cairn_value *map, const char *name)
{
    size_t name_length = strlen(name);
    for (size_t i = 0; i < (cairn_type(map) == CAIRN_MAP ? map->length : 0); i++) {
        const struct cairn_value *key = &map->items[2 * i];
        if (key->type != CAIRN_STR && key->type != CAIRN_BIN) continue;
        if (key->length == name_length && memcmp(key->text, name, name_length) == 0)
            return key + 1;
    }
    return NULL;
}
