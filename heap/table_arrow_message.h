/* table_arrow_message.h - the metadata of the messages of an Arrow stream, as they go out:
 *
 *     u32 -1, u32 bytes of the metadata, the metadata (FlatBuffers), zeros to 64 bytes, the body
 *
 * Its size does not depend on the numbers in it, so room for it can be left before a body. */
#ifndef CAIRN_HEAP_TABLE_ARROW_MESSAGE_H
#define CAIRN_HEAP_TABLE_ARROW_MESSAGE_H

#include "heap/query.h"
#include "heap/table_arrow.h"
#include "heap/table_flat.h"

#define ARROW_ALIGNMENT 64
#define ARROW_PREFIX_BYTES 8

/* A buffer, in the body. */
struct arrow_place {
    uint64_t offset, length;
};

/* The prefix and the beginning of a message; returns where the metadata's buffer begins. */
size_t arrow_message_begin(struct table_out *o, enum arrow_kind kind, uint64_t body,
                           struct flat_table *message);
void arrow_message_end(struct table_out *o, size_t base);
/* The whole message: the columns of a query; sym columns have their own number as that of their
 * dictionary. */
void arrow_schema_put(struct table_out *o, const struct query *q);
/* The table of a record batch, to which the offset at `at` points: `nodes` columns of `rows` rows,
 * with so many nulls each. */
void arrow_batch_put(struct table_out *o, size_t base, size_t at, uint64_t rows,
                     const uint64_t *nulls, uint32_t nodes, const struct arrow_place *places,
                     uint32_t place_count);

#endif
