/* table_arrow_message.c - see table_arrow_message.h. */
#include "heap/table_arrow_message.h"

size_t arrow_message_begin(struct table_out *o, enum arrow_kind kind, uint64_t body,
                           struct flat_table *message)
{
    out_zeros(o, ARROW_PREFIX_BYTES);
    size_t base = o->length, root = flat_root(o);
    *message = flat_table_begin(o, base, root, "2148");
    flat_set(message, ARROW_MESSAGE_VERSION, ARROW_VERSION_5, 2);
    flat_set(message, ARROW_MESSAGE_KIND, kind, 1);
    flat_set(message, ARROW_MESSAGE_BODY, body, 8);
    return base;
}

void arrow_message_end(struct table_out *o, size_t base)
{
    out_align(o, ARROW_ALIGNMENT);
    if (o->failed) return;
    put32(o->data + base - ARROW_PREFIX_BYTES, UINT32_MAX);
    put32(o->data + base - ARROW_PREFIX_BYTES + 4, (uint32_t)(o->length - base));
}

static void put_integer(struct table_out *o, size_t base, size_t at, unsigned bits, bool is_signed)
{
    struct flat_table t = flat_table_begin(o, base, at, "41");
    flat_set(&t, 0, bits, 4);
    flat_set(&t, 1, is_signed, 1);
}

static enum arrow_type arrow_type_of(enum table_type type)
{
    switch (type) {
    case TABLE_F32: case TABLE_F64: return ARROW_FLOAT;
    case TABLE_BOOL: return ARROW_BOOL;
    case TABLE_STR: case TABLE_SYM: return ARROW_UTF8;
    case TABLE_BIN: return ARROW_BINARY;
    case TABLE_DATE: return ARROW_DATE;
    case TABLE_TS: return ARROW_TIMESTAMP;
    default: return ARROW_INT;
    }
}

static void put_type(struct table_out *o, size_t base, size_t at, enum table_type type)
{
    struct flat_table t;
    size_t bytes = table_type_bytes(type);
    switch (arrow_type_of(type)) {
    case ARROW_INT:
        put_integer(o, base, at, (unsigned)bytes * 8, table_type_class(type) == TABLE_CLASS_INT);
        return;
    case ARROW_FLOAT:
        t = flat_table_begin(o, base, at, "2");
        flat_set(&t, 0, type == TABLE_F32 ? 1 : 2, 2);
        return;
    case ARROW_DATE: /* days: 0 */
        flat_table_begin(o, base, at, "2");
        return;
    case ARROW_TIMESTAMP:
        t = flat_table_begin(o, base, at, "24");
        flat_set(&t, 0, 2, 2); /* microseconds */
        flat_string(o, t.at[1], "UTC", 3);
        return;
    default:
        flat_table_begin(o, base, at, "");
    }
}

static void put_field(struct table_out *o, size_t base, size_t at, const struct query_column *f,
                      uint32_t id)
{
    bool dictionary = f->type == TABLE_SYM;
    struct flat_table t = flat_table_begin(o, base, at, dictionary ? "411444" : "411404");
    flat_set(&t, ARROW_FIELD_NULLABLE, f->null, 1);
    flat_set(&t, ARROW_FIELD_TYPE_ID, arrow_type_of(f->type), 1);
    flat_string(o, t.at[ARROW_FIELD_NAME], f->name, f->name_length);
    put_type(o, base, t.at[ARROW_FIELD_TYPE], f->type);
    if (dictionary) {
        struct flat_table d = flat_table_begin(o, base, t.at[ARROW_FIELD_DICTIONARY], "84");
        flat_set(&d, ARROW_ENCODING_ID, id, 8);
        put_integer(o, base, d.at[ARROW_ENCODING_INDEX], 32, true);
    }
    flat_vector(o, base, t.at[ARROW_FIELD_CHILDREN], 0, 4);
}

void arrow_schema_put(struct table_out *o, const struct query *q)
{
    struct flat_table message;
    uint32_t count = query_column_count(q);
    size_t base = arrow_message_begin(o, ARROW_SCHEMA, 0, &message);
    struct flat_table schema = flat_table_begin(o, base, message.at[ARROW_MESSAGE_HEADER], "24");
    size_t fields = flat_vector(o, base, schema.at[ARROW_SCHEMA_FIELDS], count, 4);
    for (uint32_t i = 0; i < count; i++)
        put_field(o, base, fields + 4 * (size_t)i, query_column(q, i), i);
    arrow_message_end(o, base);
}

void arrow_batch_put(struct table_out *o, size_t base, size_t at, uint64_t rows,
                      const uint64_t *nulls, uint32_t nodes, const struct arrow_place *places,
                      uint32_t place_count)
{
    struct flat_table t = flat_table_begin(o, base, at, "844");
    flat_set(&t, ARROW_BATCH_LENGTH, rows, 8);
    size_t first = flat_vector(o, base, t.at[ARROW_BATCH_NODES], nodes * 2, 8);
    size_t second = flat_vector(o, base, t.at[ARROW_BATCH_BUFFERS], place_count * 2, 8);
    if (o->failed) return;
    /* The elements are structs of two words each; the counts are theirs. */
    put32(o->data + first - 4, nodes);
    put32(o->data + second - 4, place_count);
    for (uint32_t i = 0; i < nodes; i++) {
        put64(o->data + first + 16 * (size_t)i, rows);
        put64(o->data + first + 16 * (size_t)i + 8, nulls[i]);
    }
    if (place_count) memcpy(o->data + second, places, place_count * sizeof *places);
}
