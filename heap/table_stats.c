/* table_stats.c - where the bytes of a column are. */
#include "heap/table_index_int.h"

static size_t data_bytes(const struct vector_header *h, unsigned element)
{
    if (h->encoding == TABLE_ENCODING_CONST) return 0;
    if (h->encoding == TABLE_ENCODING_RLE) return exceptions_bytes((unsigned)h->base, element);
    return packed_bytes(h->width) + exceptions_bytes((unsigned)h->exceptions, element);
}

static void sealed_stats(const struct sealed_column *s, const struct table_field *f,
                         struct table_column_stats *stats)
{
    size_t data = 0;
    for (uint32_t i = 0; i < table_slots_vectors(s->slots); i++) {
        struct vector_header h = sealed_header(s, i);
        size_t bytes = data_bytes(&h, lane_element(f));
        stats->encodings[h.encoding].vectors++;
        stats->encodings[h.encoding].bytes += bytes;
        data += bytes;
    }
    size_t dictionary = s->has_dictionary
                            ? s->dictionary_count * (field_is_text(f) ? sizeof(uint32_t)
                                                                      : sizeof(uint64_t))
                            : 0;
    size_t texts = s->text_bytes + dictionary;
    size_t validity = s->validity ? s->data - s->null_counts : 0;
    stats->validity_bytes += validity;
    stats->text_bytes += texts;
    if (s->index) stats->index_bytes += s->index->bytes;
    stats->header_bytes += s->head.bytes - data - texts - validity;
    stats->nulls += s->nulls;
}

static void plain_stats(const struct plain_column *p, const struct table_field *f, uint32_t slots,
                        struct table_column_stats *stats)
{
    size_t elements = p->capacity * element_bytes(f->type);
    stats->encodings[TABLE_ENCODING_PLAIN].vectors += table_slots_vectors(slots);
    stats->encodings[TABLE_ENCODING_PLAIN].bytes += elements;
    stats->validity_bytes += p->valid ? p->capacity / 8 : 0;
    stats->header_bytes += sizeof *p;
    if (p->arena) stats->text_bytes += sizeof *p->arena + p->arena->bytes;
    for (uint32_t i = 0; p->valid && i < slots; i++) stats->nulls += !bit_get(p->valid, i);
}

void table_column_stats(const struct table_version *v, uint32_t column, uint32_t first,
                        uint32_t count, struct table_column_stats *stats)
{
    const struct table_field *f = &v->table->fields[column];
    *stats = (struct table_column_stats){.bytes = 0};
    for (uint32_t i = first; i < v->chunk_count && i - first < count; i++) {
        struct column_view c = column_view(v, i, column);
        if (c.column->sealed)
            sealed_stats((const struct sealed_column *)c.column, f, stats);
        else
            plain_stats((const struct plain_column *)c.column, f, c.slots, stats);
        const struct overlay *o = c.overlay;
        if (o) stats->overlay_bytes += sizeof *o + o->capacity * sizeof *o->cells;
        if (o && o->arena) stats->overlay_bytes += sizeof *o->arena + o->arena->bytes;
    }
    if (v->table->symbols[column])
        stats->dictionary_bytes = symbols_bytes(v->table->symbols[column]);
    for (unsigned i = 0; i < TABLE_ENCODING_COUNT; i++) stats->bytes += stats->encodings[i].bytes;
    stats->bytes += stats->header_bytes + stats->validity_bytes + stats->text_bytes +
                    stats->dictionary_bytes + stats->overlay_bytes + stats->index_bytes;
}

enum table_encoding table_vector_encoding(const struct table_version *v, uint32_t chunk,
                                          uint32_t column, uint32_t vector)
{
    struct column_view c = column_view(v, chunk, column);
    assert(vector < table_slots_vectors(c.slots));
    if (!c.column->sealed) return TABLE_ENCODING_PLAIN;
    return (enum table_encoding)sealed_header((const struct sealed_column *)c.column, vector)
        .encoding;
}
