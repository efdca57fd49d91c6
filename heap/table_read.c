/* table_read.c - reading versions: cells, vectors, validity, zones, dictionaries.
 *
 * A column_view is one column of one chunk as a version has it: plain, or sealed with its
 * overlay. */
#include "heap/table_int.h"

#include <math.h>

static inline struct column_view view_of(const struct table_version *v, uint32_t chunk,
                                         uint32_t column)
{
    assert(chunk < v->chunk_count && column < v->table->column_count);
    const struct chunk_column *c = &version_chunk(v, chunk)->columns[column];
    return (struct column_view){v->table, &v->table->fields[column], c->column, c->overlay,
                                version_slots(v, chunk)};
}

struct column_view column_view(const struct table_version *v, uint32_t chunk, uint32_t column)
{
    return view_of(v, chunk, column);
}

static const struct plain_column *plain_of(const struct column_view *c)
{
    return (const struct plain_column *)c->column;
}
static const struct sealed_column *sealed_of(const struct column_view *c)
{
    return (const struct sealed_column *)c->column;
}

/* --- overlays ----------------------------------------------------------------------------------*/

/* The first cell at or after `slot`. */
static unsigned overlay_at(const struct overlay *o, uint32_t slot)
{
    unsigned low = 0, high = o->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (o->cells[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void overlay_range(const struct overlay *o, uint32_t vector, unsigned *first, unsigned *end)
{
    *first = *end = 0;
    if (!o) return;
    *first = overlay_at(o, vector * TABLE_VECTOR_ROWS);
    *end = overlay_at(o, (vector + 1) * TABLE_VECTOR_ROWS);
}

const struct overlay_cell *overlay_find(const struct overlay *o, uint32_t slot)
{
    if (!o) return NULL;
    unsigned i = overlay_at(o, slot);
    return i < o->count && o->cells[i].slot == slot ? &o->cells[i] : NULL;
}

/* --- cells -------------------------------------------------------------------------------------*/

static bool view_null(const struct column_view *c, uint32_t slot)
{
    if (!c->column->sealed) return plain_null(plain_of(c), slot);
    const uint64_t *valid = sealed_validity(sealed_of(c));
    return valid && !bit_get(valid, slot);
}

static struct table_text view_text(const struct column_view *c, uint32_t slot)
{
    if (c->column->sealed) return sealed_text(sealed_of(c), c->field, slot);
    return ((const struct table_text *)(const void *)plain_of(c)->elements)[slot];
}

void table_cell(const struct table_version *v, uint32_t chunk, uint32_t slot, uint32_t column,
                struct table_cell *cell)
{
    struct column_view c = view_of(v, chunk, column);
    assert(slot < c.slots);
    const struct overlay_cell *changed = unlikely(c.overlay) ? overlay_find(c.overlay, slot) : NULL;
    *cell = (struct table_cell){.type = c.field->type};
    cell->null = changed ? changed->null : view_null(&c, slot);
    if (cell->null) return;
    if (field_is_text(c.field)) {
        cell->text = changed ? changed->text : view_text(&c, slot);
        return;
    }
    uint64_t lane = changed            ? changed->lane
                    : c.column->sealed ? sealed_lane(sealed_of(&c), c.field, slot)
                                       : plain_lane(plain_of(&c), c.field, slot);
    if (cell->type == TABLE_SYM || cell->type == TABLE_F32) lane_cell(v->table, column, lane, cell);
    else cell->u = lane;
}

/* --- vectors -----------------------------------------------------------------------------------*/

static uint32_t rows_of(const struct column_view *c, uint32_t vector)
{
    assert(vector * TABLE_VECTOR_ROWS < c->slots);
    return vector_rows(c->slots, vector);
}

static void patch_lanes(const struct column_view *c, uint32_t vector, uint64_t *lanes)
{
    unsigned i, end;
    overlay_range(c->overlay, vector, &i, &end);
    for (; i < end; i++)
        lanes[c->overlay->cells[i].slot % TABLE_VECTOR_ROWS] = c->overlay->cells[i].lane;
}

uint32_t view_lanes(const struct column_view *c, uint32_t vector, uint64_t *lanes)
{
    uint32_t rows = rows_of(c, vector);
    if (c->column->sealed) {
        sealed_lanes(sealed_of(c), c->field, vector, lanes);
        patch_lanes(c, vector, lanes);
        return rows;
    }
    unsigned bytes = lane_element(c->field);
    bool is_signed = table_type_class(c->field->type) == TABLE_CLASS_INT;
    table_kernels()->widen(plain_of(c)->elements + (size_t)vector * TABLE_VECTOR_ROWS * bytes,
                           bytes, is_signed, rows, lanes);
    if (rows < TABLE_VECTOR_ROWS)
        memset(lanes + rows, 0, (TABLE_VECTOR_ROWS - rows) * sizeof *lanes);
    return rows;
}

static void sealed_texts(const struct sealed_column *s, const struct table_field *f,
                         uint32_t vector, uint32_t rows, struct table_text *texts)
{
    uint64_t lanes[TABLE_VECTOR_ROWS];
    sealed_lanes(s, f, vector, lanes);
    if (s->has_dictionary) {
        for (uint32_t i = 0; i < rows; i++) texts[i] = sealed_entry(s, (uint32_t)lanes[i]);
        return;
    }
    const char *bytes = (const char *)sealed_at(s, s->texts);
    uint64_t begin = vector ? sealed_lane(s, f, vector * TABLE_VECTOR_ROWS - 1) : 0;
    for (uint32_t i = 0; i < rows; i++) {
        texts[i] = (struct table_text){bytes + begin, lanes[i] - begin};
        begin = lanes[i];
    }
}

uint32_t view_texts(const struct column_view *c, uint32_t vector, struct table_text *texts)
{
    uint32_t rows = rows_of(c, vector);
    if (!c->column->sealed) {
        const struct table_text *from = (const void *)plain_of(c)->elements;
        memcpy(texts, from + vector * TABLE_VECTOR_ROWS, rows * sizeof *texts);
        return rows;
    }
    sealed_texts(sealed_of(c), c->field, vector, rows, texts);
    unsigned i, end;
    overlay_range(c->overlay, vector, &i, &end);
    for (; i < end; i++)
        texts[c->overlay->cells[i].slot % TABLE_VECTOR_ROWS] = c->overlay->cells[i].text;
    return rows;
}

uint32_t view_valid(const struct column_view *c, uint32_t vector, uint64_t *valid)
{
    uint32_t rows = rows_of(c, vector);
    const uint64_t *bits = c->column->sealed ? sealed_validity(sealed_of(c)) : plain_of(c)->valid;
    bitmap_first(valid, rows);
    if (bits)
        for (uint32_t i = 0; i < (rows + 63) / 64; i++)
            valid[i] &= bits[vector * TABLE_VECTOR_WORDS + i];
    unsigned i, end;
    overlay_range(c->overlay, vector, &i, &end);
    for (; i < end; i++) {
        uint32_t row = c->overlay->cells[i].slot % TABLE_VECTOR_ROWS;
        c->overlay->cells[i].null ? bit_clear(valid, row) : bit_set(valid, row);
    }
    return rows;
}

uint32_t table_read_vector(const struct table_version *v, uint32_t chunk, uint32_t column,
                           uint32_t vector, void *out, uint64_t *valid)
{
    struct column_view c = column_view(v, chunk, column);
    uint32_t rows = view_valid(&c, vector, valid);
    if (field_is_text(c.field)) return view_texts(&c, vector, out);
    view_lanes(&c, vector, out);
    if (c.field->type == TABLE_F32) table_kernels()->widen_floats(out, out);
    return rows;
}

uint32_t table_read_raw(const struct table_version *v, uint32_t chunk, uint32_t column,
                        uint32_t vector, void *out, uint64_t *valid)
{
    struct column_view c = column_view(v, chunk, column);
    assert(!field_is_text(c.field));
    uint32_t rows = view_valid(&c, vector, valid);
    unsigned bytes = lane_element(c.field);
    if (!c.column->sealed) {
        memcpy(out, plain_of(&c)->elements + (size_t)vector * TABLE_VECTOR_ROWS * bytes,
               (size_t)rows * bytes);
        return rows;
    }
    uint64_t lanes[TABLE_VECTOR_ROWS];
    view_lanes(&c, vector, lanes);
    table_kernels()->narrow(lanes, bytes, rows, out);
    return rows;
}

uint32_t table_vector_valid(const struct table_version *v, uint32_t chunk, uint32_t column,
                            uint32_t vector, uint64_t *valid)
{
    struct column_view c = column_view(v, chunk, column);
    view_valid(&c, vector, valid);
    return (uint32_t)bitmap_count(valid);
}

uint32_t table_vector_live(const struct table_version *v, uint32_t chunk, uint32_t vector,
                           uint64_t *live)
{
    uint32_t slots = table_chunk_slots(v, chunk);
    assert(vector * TABLE_VECTOR_ROWS < slots);
    const struct deletions *d = version_chunk(v, chunk)->deletions;
    bitmap_first(live, vector_rows(slots, vector));
    if (d)
        for (uint32_t i = 0; i < TABLE_VECTOR_WORDS; i++)
            live[i] &= ~d->bits[vector * TABLE_VECTOR_WORDS + i];
    return (uint32_t)bitmap_count(live);
}

/* --- zones -------------------------------------------------------------------------------------*/

static void zone_widen(struct table_zone *z, enum table_class class, union table_bound bound)
{
    if (!z->known || bound_compare(class, bound, z->min) < 0) z->min = bound;
    if (!z->known || bound_compare(class, bound, z->max) > 0) z->max = bound;
    z->known = true;
}

static void zone_add_overlay(struct table_zone *z, const struct column_view *c, unsigned i,
                             unsigned end)
{
    enum table_class class = table_type_class(c->field->type);
    for (; i < end; i++) {
        const struct overlay_cell *cell = &c->overlay->cells[i];
        uint32_t slot = cell->slot;
        z->nulls -= view_null(c, slot);
        z->nulls += cell->null;
        if (cell->null || class == TABLE_CLASS_SYMBOL) continue;
        union table_bound bound = lane_bound(c->field, cell->lane);
        if (class == TABLE_CLASS_TEXT) bound.u = text_prefix(cell->text.data, cell->text.length);
        zone_widen(z, class, bound);
    }
}

static void plain_text_zone(struct table_zone *z, const struct column_view *c, uint32_t vector,
                            const uint64_t *valid)
{
    struct table_text texts[TABLE_VECTOR_ROWS];
    view_texts(c, vector, texts);
    for (uint32_t i = 0; i < z->rows; i++) {
        if (!bit_get(valid, i)) continue;
        union table_bound bound = {.u = text_prefix(texts[i].data, texts[i].length)};
        zone_widen(z, TABLE_CLASS_TEXT, bound);
    }
}

/* Plain columns have no zones: min and max are found by a look at the vector. */
static void plain_zone(struct table_zone *z, const struct column_view *c, uint32_t vector)
{
    uint64_t valid[TABLE_VECTOR_WORDS], lanes[TABLE_VECTOR_ROWS];
    struct table_extremes e = {.count = 0};
    enum table_class class = table_type_class(c->field->type);
    view_valid(c, vector, valid);
    z->nulls += z->rows - (uint32_t)bitmap_count(valid);
    if (class == TABLE_CLASS_SYMBOL) return;
    if (class == TABLE_CLASS_TEXT) {
        plain_text_zone(z, c, vector, valid);
        return;
    }
    view_lanes(c, vector, lanes);
    lanes_extremes(c->field, lanes, valid, &e);
    z->known = e.count != 0;
    z->min = e.min;
    z->max = e.max;
}

static void sealed_zone(struct table_zone *z, const struct sealed_column *s,
                        const struct zone_bounds *bounds)
{
    z->known = s->zone_known && z->nulls < z->rows;
    z->min = bounds->min;
    z->max = bounds->max;
}

void table_vector_zone(const struct table_version *v, uint32_t chunk, uint32_t column,
                       uint32_t vector, struct table_zone *zone)
{
    struct column_view c = column_view(v, chunk, column);
    *zone = (struct table_zone){.rows = rows_of(&c, vector)};
    if (!c.column->sealed) {
        plain_zone(zone, &c, vector);
        return;
    }
    const struct sealed_column *s = sealed_of(&c);
    if (s->null_counts)
        zone->nulls = ((const uint16_t *)(const void *)sealed_at(s, s->null_counts))[vector];
    const struct zone_bounds *zones =
        (const struct zone_bounds *)(const void *)sealed_at(s, s->zones);
    sealed_zone(zone, s, s->zone_count ? &zones[vector] : &s->zone);
    unsigned i, end;
    overlay_range(c.overlay, vector, &i, &end);
    if (!planted(41)) zone_add_overlay(zone, &c, i, end);
}

void table_chunk_zone(const struct table_version *v, uint32_t chunk, uint32_t column,
                      struct table_zone *zone)
{
    struct column_view c = column_view(v, chunk, column);
    *zone = (struct table_zone){.rows = c.slots};
    if (c.column->sealed) {
        const struct sealed_column *s = sealed_of(&c);
        zone->nulls = s->nulls;
        sealed_zone(zone, s, &s->zone);
        if (c.overlay) zone_add_overlay(zone, &c, 0, c.overlay->count);
        return;
    }
    /* Not known without a look at all of them. */
    zone->known = false;
    for (uint32_t i = 0; i < table_slots_vectors(c.slots); i++) {
        uint64_t valid[TABLE_VECTOR_WORDS];
        uint32_t rows = view_valid(&c, i, valid);
        zone->nulls += rows - (uint32_t)bitmap_count(valid);
    }
}

/* --- dictionaries ------------------------------------------------------------------------------*/

uint32_t table_chunk_dictionary(const struct table_version *v, uint32_t chunk, uint32_t column)
{
    struct column_view c = column_view(v, chunk, column);
    if (!c.column->sealed || !field_is_text(c.field) || c.overlay) return 0;
    return sealed_of(&c)->has_dictionary ? sealed_of(&c)->dictionary_count : 0;
}

struct table_text table_chunk_entry(const struct table_version *v, uint32_t chunk,
                                    uint32_t column, uint32_t code)
{
    struct column_view c = column_view(v, chunk, column);
    assert(code < sealed_of(&c)->dictionary_count);
    return sealed_entry(sealed_of(&c), code);
}

uint32_t table_read_codes(const struct table_version *v, uint32_t chunk, uint32_t column,
                          uint32_t vector, uint32_t *codes, uint64_t *valid)
{
    struct column_view c = column_view(v, chunk, column);
    assert(c.field->type == TABLE_SYM || table_chunk_dictionary(v, chunk, column));
    uint32_t rows = view_valid(&c, vector, valid);
    if (c.column->sealed && !c.overlay) {
        struct vector_header header = sealed_header(sealed_of(&c), vector);
        if (header.encoding == TABLE_ENCODING_DICT && field_is_text(c.field)) {
            table_kernels()->unpack32(
                sealed_at(sealed_of(&c), sealed_of(&c)->data + (size_t)header.offset * 8),
                header.width, codes);
            return rows;
        }
    }
    uint64_t lanes[TABLE_VECTOR_ROWS];
    view_lanes(&c, vector, lanes);
    for (uint32_t i = 0; i < TABLE_VECTOR_ROWS; i++) codes[i] = (uint32_t)lanes[i];
    return rows;
}
