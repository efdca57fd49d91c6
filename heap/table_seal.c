/* table_seal.c - full chunks become compressed blocks, one column at a time, in steps; so does the
 * last chunk of a table that has been quiet for a time.
 *
 *   SAMPLE   a few lanes from all over the chunk: candidates for encodings
 *   COUNT    texts: where each vector's bytes begin, and a dictionary if there are few different
 *   PLAN     the smallest encoding of each vector, its zone, its nulls
 *   MAP      numbers with few different values: a dictionary
 *   LAYOUT   one block of exactly the size it takes
 *   WRITE    the vectors
 *   TEXTS    the bytes of texts, or of the dictionary
 *   SWAP     the block takes the place of the plain column, if that is still what it was
 *
 * Each phase goes vector by vector, so a step ends some tens of microseconds after its budget. The
 * sealer holds a reference to the plain column: whoever changes a cell meanwhile makes a copy,
 * which SWAP notices, and the work is done again. Versions that are pinned keep the plain column.
 * */
#include "heap/table_int.h"

#define VECTORS TABLE_CHUNK_VECTORS
#define ROWS TABLE_VECTOR_ROWS
#define NUMBERS_MAX (TABLE_CHUNK_ROWS / 16)
#define TEXTS_MAX (TABLE_CHUNK_ROWS / 4)
/* A dictionary of numbers is tried where a vector takes more bytes than this on average. */
#define SMALL_VECTOR_BYTES 256

enum seal_phase {
    SEAL_SAMPLE,
    SEAL_COUNT,
    SEAL_PLAN,
    SEAL_MAP,
    SEAL_LAYOUT,
    SEAL_WRITE,
    SEAL_TEXTS,
    SEAL_SWAP,
    SEAL_DONE,
};

struct sealer {
    uint32_t chunk, column;
    struct plain_column *source; /* a reference */
    const struct table_field *field;
    uint32_t slots, vectors;
    enum seal_phase phase;
    uint32_t next;               /* vector; TEXTS: row, or code */
    uint32_t row;                /* COUNT: the next one of the vector */
    struct encode_hints hints;
    struct code_map *map;        /* NULL: none (any more) */
    struct sealed_column *out;   /* from LAYOUT on */
    size_t text_at;              /* TEXTS: bytes written */
    uint64_t text_begin[VECTORS + 1];
    size_t bytes[VECTORS];
    uint16_t nulls[VECTORS];
    bool zone_known[VECTORS];
    struct zone_bounds zones[VECTORS];
    struct vector_header headers[VECTORS];
};

static uint32_t rows_in(const struct sealer *s, uint32_t vector)
{
    return vector_rows(s->slots, vector);
}

static const struct table_text *texts_of(const struct sealer *s)
{
    return (const struct table_text *)(const void *)s->source->elements;
}

static bool is_null(const struct sealer *s, uint32_t slot) { return plain_null(s->source, slot); }

/* The rows of a vector that are not null. Returns how many. */
static uint32_t valid_rows(const struct sealer *s, uint32_t vector, uint32_t rows, uint64_t *valid)
{
    bitmap_first(valid, rows);
    if (!s->source->valid) return rows;
    for (uint32_t i = 0; i < (rows + 63) / 64; i++)
        valid[i] &= s->source->valid[vector * TABLE_VECTOR_WORDS + i];
    return (uint32_t)bitmap_count(valid);
}

/* --- lanes -------------------------------------------------------------------------------------*/

/* Nulls take the value before them (the first ones, the value after), so that they cost little. */
static void fill_nulls(const struct sealer *s, uint32_t vector, uint32_t rows, uint64_t *lanes)
{
    uint64_t valid[TABLE_VECTOR_WORDS], lane = 0;
    if (!s->source->valid || valid_rows(s, vector, rows, valid) == rows) return;
    for (uint32_t word = 0; word < TABLE_VECTOR_WORDS; word++)
        if (valid[word]) {
            lane = lanes[word * 64 + (uint32_t)__builtin_ctzl(valid[word])];
            break;
        }
    for (uint32_t i = 0; i < rows; i++) lanes[i] = lane = bit_get(valid, i) ? lanes[i] : lane;
}

static void number_lanes(const struct sealer *s, uint32_t vector, uint32_t rows, uint64_t *lanes)
{
    unsigned bytes = lane_element(s->field);
    table_kernels()->widen(s->source->elements + (size_t)vector * ROWS * bytes, bytes,
                           table_type_class(s->field->type) == TABLE_CLASS_INT, rows, lanes);
    fill_nulls(s, vector, rows, lanes);
}

static void code_lanes(const struct sealer *s, uint32_t vector, uint32_t rows, uint64_t *lanes)
{
    for (uint32_t i = 0; i < rows; i++) lanes[i] = s->map->codes[vector * ROWS + i];
}

static void end_lanes(const struct sealer *s, uint32_t vector, uint32_t rows, uint64_t *lanes)
{
    uint64_t end = s->text_begin[vector];
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t slot = vector * ROWS + i;
        if (!is_null(s, slot)) end += texts_of(s)[slot].length;
        lanes[i] = end;
    }
}

/* All 1,024 lanes of a vector; the last one repeats. Returns how many are rows. */
static uint32_t load_lanes(const struct sealer *s, uint32_t vector, uint64_t *lanes)
{
    uint32_t rows = rows_in(s, vector);
    if (!field_is_text(s->field))
        number_lanes(s, vector, rows, lanes);
    else if (s->map)
        code_lanes(s, vector, rows, lanes);
    else
        end_lanes(s, vector, rows, lanes);
    for (uint32_t i = rows; i < ROWS; i++) lanes[i] = lanes[rows - 1];
    return rows;
}

/* The same, in `room`, or where they lie already. */
static const uint64_t *find_lanes(const struct sealer *s, uint32_t vector, uint64_t *room,
                                  uint32_t *rows)
{
    const struct plain_column *p = s->source;
    bool as_they_are = !field_is_text(s->field) && lane_element(s->field) == sizeof *room &&
                       !p->valid && rows_in(s, vector) == ROWS;
    *rows = as_they_are ? ROWS : load_lanes(s, vector, room);
    return as_they_are ? (const uint64_t *)(const void *)p->elements + (size_t)vector * ROWS : room;
}

/* What one step of COUNT or TEXTS looks at or copies at most, besides one text. */
#define TEXT_STEP_BYTES ((size_t)128 << 10)

/* --- sample, count -----------------------------------------------------------------------------*/

static double mean_of(const uint64_t *lanes, uint64_t origin)
{
    double sum = 0;
    for (uint32_t i = 0; i < ROWS; i++) sum += (double)(int64_t)(lanes[i] - origin);
    return sum / ROWS;
}

/* The slope of the chunk as a whole: the means of its first and last full vectors. */
static void sample_line(struct sealer *s)
{
    uint64_t first[ROWS], last[ROWS];
    uint32_t full = s->slots / ROWS;
    s->hints.line = s->hints.class != TABLE_CLASS_FLOAT && s->field->type != TABLE_BOOL;
    if (!s->hints.line || full < 2) return;
    load_lanes(s, 0, first);
    load_lanes(s, full - 1, last);
    s->hints.slope = (mean_of(last, first[0]) - mean_of(first, first[0])) / ((full - 1.0) * ROWS);
}

static void sample_numbers(struct sealer *s)
{
    uint64_t lanes[ROWS], sample[ENCODE_SAMPLES];
    uint32_t spots = s->vectors < 8 ? s->vectors : 8, taken = 0;
    for (uint32_t spot = 0; spot < spots; spot++) {
        uint32_t vector = spot * s->vectors / spots, rows = rows_in(s, vector);
        uint32_t wanted = ENCODE_SAMPLES / spots, step = rows > wanted ? rows / wanted : 1;
        bool nulls = s->source->valid;
        if (nulls) load_lanes(s, vector, lanes);
        for (uint32_t i = spot % step; i < rows && wanted-- > 0; i += step)
            sample[taken++] = nulls ? lanes[i]
                                    : plain_lane(s->source, s->field, vector * ROWS + i);
    }
    encode_sample(&s->hints, sample, taken);
}

static enum seal_phase seal_sample(struct table *t, struct sealer *s)
{
    s->hints = (struct encode_hints){
        .class = table_type_class(s->field->type),
        .is_f32 = s->field->type == TABLE_F32,
        .element = lane_element(s->field),
    };
    if (field_is_text(s->field)) {
        s->map = code_map_new(t, true, TEXTS_MAX); /* without memory, without a dictionary */
        return SEAL_COUNT;
    }
    sample_numbers(s);
    sample_line(s);
    return SEAL_PLAN;
}

static void map_drop(struct table *t, struct sealer *s)
{
    code_map_destroy(t, s->map);
    s->map = NULL;
}

/* Adds a text to the map. False if there are too many different ones. */
static bool map_text(struct table *t, struct sealer *s, uint32_t slot)
{
    if (!is_null(s, slot))
        return code_map_text(s->map, t->external.heap, slot, texts_of(s)[slot]);
    s->map->codes[slot] = slot ? s->map->codes[slot - 1] : 0;
    return true;
}

/* All texts are counted: is the dictionary smaller than the texts? */
static void decide_texts(struct table *t, struct sealer *s)
{
    if (!s->map) return;
    if (s->map->count == 0) { /* nulls only */
        code_map_text(s->map, t->external.heap, 0, (struct table_text){"", 0});
    }
    unsigned width = bits_of(s->map->count - 1);
    size_t with = s->map->text_bytes + s->map->count * sizeof(uint32_t) +
                  packed_bytes(width) * s->vectors;
    size_t without = s->text_begin[s->vectors] + packed_bytes(2) * s->vectors;
    if (with >= without) {
        map_drop(t, s);
        return;
    }
    s->hints.codes = true;
    s->hints.code_width = width;
}

/* A vector, or a part of it if texts are long. */
static enum seal_phase seal_count(struct table *t, struct sealer *s)
{
    uint32_t vector = s->next, rows = rows_in(s, vector);
    uint64_t begin = s->text_begin[vector], end = s->row ? s->text_begin[vector + 1] : begin;
    uint64_t limit = end + TEXT_STEP_BYTES;
    for (; s->row < rows && end < limit; s->row++) {
        uint32_t slot = vector * ROWS + s->row;
        if (!is_null(s, slot)) end += texts_of(s)[slot].length;
        if (s->map && !map_text(t, s, slot)) map_drop(t, s);
    }
    s->text_begin[vector + 1] = end;
    if (s->row < rows) return SEAL_COUNT;
    s->row = 0;
    if (++s->next < s->vectors) return SEAL_COUNT;
    decide_texts(t, s);
    if (!s->map) sample_line(s);
    return SEAL_PLAN;
}

/* --- plan --------------------------------------------------------------------------------------*/

static void widen_zone(struct zone_bounds *zone, bool *known, enum table_class class,
                       union table_bound min, union table_bound max)
{
    if (!*known || bound_compare(class, min, zone->min) < 0) zone->min = min;
    if (!*known || bound_compare(class, max, zone->max) > 0) zone->max = max;
    *known = true;
}

static void zone_of_texts(struct sealer *s, uint32_t vector, uint32_t rows)
{
    for (uint32_t i = vector * ROWS; i < vector * ROWS + rows; i++) {
        if (is_null(s, i)) continue;
        union table_bound bound = {.u = text_prefix(texts_of(s)[i].data, texts_of(s)[i].length)};
        widen_zone(&s->zones[vector], &s->zone_known[vector], TABLE_CLASS_TEXT, bound, bound);
    }
}

static void zone_of_numbers(struct sealer *s, uint32_t vector, const uint64_t *lanes,
                            const uint64_t *valid)
{
    struct table_extremes e = {.count = 0};
    lanes_extremes(s->field, lanes, valid, &e);
    if (!e.count) return;
    widen_zone(&s->zones[vector], &s->zone_known[vector], s->hints.class, e.min, e.max);
}

static void plan_zone(struct sealer *s, uint32_t vector, uint32_t rows, const uint64_t *lanes)
{
    uint64_t valid[TABLE_VECTOR_WORDS];
    s->nulls[vector] = (uint16_t)(rows - valid_rows(s, vector, rows, valid));
    if (s->hints.class == TABLE_CLASS_TEXT)
        zone_of_texts(s, vector, rows);
    else if (s->hints.class != TABLE_CLASS_SYMBOL)
        zone_of_numbers(s, vector, lanes, valid);
}

/* A dictionary of numbers may be worth it: there seem to be few, and the vectors are not small. */
static bool wants_map(const struct sealer *s)
{
    size_t total = 0;
    if (field_is_text(s->field) || !s->hints.few || s->hints.element == 1) return false;
    for (uint32_t i = 0; i < s->vectors; i++) total += s->bytes[i];
    return total > (size_t)SMALL_VECTOR_BYTES * s->vectors;
}

/* Asks for a vector's elements before they are needed: what came with a large request has left the
 * processor's nearer caches. */
#define CACHE_LINE 64
static void prefetch_vector(const struct sealer *s, uint32_t vector)
{
    if (vector >= s->vectors) return;
    size_t bytes = element_bytes(s->field->type);
    const unsigned char *from = s->source->elements + (size_t)vector * ROWS * bytes;
    for (size_t at = 0; at < rows_in(s, vector) * bytes; at += CACHE_LINE)
        __builtin_prefetch(from + at);
}

static enum seal_phase seal_plan(struct table *t, struct sealer *s)
{
    uint64_t room[ROWS];
    uint32_t rows;
    const uint64_t *lanes = find_lanes(s, s->next, room, &rows);
    prefetch_vector(s, s->next + 1);
    s->bytes[s->next] = encode_plan(&s->hints, lanes, &s->headers[s->next]);
    plan_zone(s, s->next, rows, lanes);
    if (++s->next < s->vectors) return SEAL_PLAN;
    if (!wants_map(s)) return SEAL_LAYOUT;
    s->map = code_map_new(t, false, NUMBERS_MAX);
    return s->map ? SEAL_MAP : SEAL_LAYOUT; /* without memory, without a dictionary */
}

/* --- map: numbers ------------------------------------------------------------------------------*/

static void decide_numbers(struct table *t, struct sealer *s)
{
    unsigned width = bits_of(s->map->count - 1);
    size_t with = s->map->count * sizeof(uint64_t), without = 0, coded = packed_bytes(width);
    for (uint32_t i = 0; i < s->vectors; i++) {
        without += s->bytes[i];
        with += coded < s->bytes[i] ? coded : s->bytes[i];
    }
    if (with >= without) {
        map_drop(t, s);
        return;
    }
    for (uint32_t i = 0; i < s->vectors; i++) {
        if (coded >= s->bytes[i]) continue;
        s->bytes[i] = coded;
        s->headers[i] = (struct vector_header){.encoding = TABLE_ENCODING_DICT,
                                               .width = (uint8_t)width};
    }
}

static enum seal_phase seal_map(struct table *t, struct sealer *s)
{
    uint64_t lanes[ROWS];
    uint32_t rows = load_lanes(s, s->next, lanes);
    for (uint32_t i = 0; i < rows; i++)
        if (!code_map_lane(s->map, s->next * ROWS + i, lanes[i])) {
            map_drop(t, s);
            return SEAL_LAYOUT;
        }
    if (++s->next < s->vectors) return SEAL_MAP;
    decide_numbers(t, s);
    return SEAL_LAYOUT;
}

/* --- layout ------------------------------------------------------------------------------------*/

static bool header_follows(const struct vector_header *first, const struct vector_header *h,
                           uint32_t vector)
{
    uint64_t base = first->base;
    if (h->encoding == TABLE_ENCODING_RLE || h->exceptions) return false;
    if (h->encoding == TABLE_ENCODING_LIN) {
        if (h->p) return false;
        base += (uint64_t)first->slope * ((uint64_t)vector * ROWS);
    }
    return h->encoding == first->encoding && h->width == first->width && h->p == first->p &&
           h->q == first->q && h->slope == first->slope && h->base == base;
}

static bool headers_uniform(const struct sealer *s)
{
    for (uint32_t i = 0; i < s->vectors; i++)
        if (!header_follows(&s->headers[0], &s->headers[i], i)) return false;
    return true;
}

static bool zones_uniform(const struct sealer *s, const struct zone_bounds *zone)
{
    for (uint32_t i = 0; i < s->vectors; i++)
        if (s->zone_known[i] && memcmp(&s->zones[i], zone, sizeof *zone) != 0) return false;
    return true;
}

static size_t take_space(size_t *at, size_t bytes)
{
    size_t place = *at;
    *at += (bytes + 7) & ~(size_t)7;
    return place;
}

static void layout_heads(struct sealer *s, struct sealed_column *c, size_t *at)
{
    enum table_class class = table_type_class(s->field->type);
    for (uint32_t i = 0; i < s->vectors; i++) {
        c->nulls += s->nulls[i];
        if (s->zone_known[i])
            widen_zone(&c->zone, &c->zone_known, class, s->zones[i].min, s->zones[i].max);
    }
    c->header_count = headers_uniform(s) ? 1 : (uint16_t)s->vectors;
    *at += c->header_count * sizeof(struct vector_header);
    if (c->zone_known && !zones_uniform(s, &c->zone)) {
        c->zone_count = (uint16_t)s->vectors;
        c->zones = take_space(at, s->vectors * sizeof(struct zone_bounds));
    }
    if (c->nulls) {
        c->null_counts = take_space(at, s->vectors * sizeof(uint16_t));
        c->validity = take_space(at, s->vectors * (ROWS / 8));
    }
}

static void layout_dictionary(struct sealer *s, struct sealed_column *c, size_t *at)
{
    bool texts = field_is_text(s->field);
    if (s->map) {
        c->has_dictionary = true;
        c->dictionary_count = s->map->count;
        size_t entry = texts ? sizeof(uint32_t) : sizeof(uint64_t);
        c->dictionary = take_space(at, s->map->count * entry);
    }
    if (!texts) return;
    c->text_bytes = s->map ? s->map->text_bytes : s->text_begin[s->vectors];
    c->texts = take_space(at, c->text_bytes);
}

static void write_heads(struct sealer *s, struct sealed_column *c)
{
    unsigned char *block = (unsigned char *)c;
    memcpy(c->headers, s->headers, c->header_count * sizeof *c->headers);
    if (c->zones)
        for (uint32_t i = 0; i < s->vectors; i++)
            memcpy(block + c->zones + i * sizeof s->zones[i],
                   s->zone_known[i] ? &s->zones[i] : &c->zone, sizeof s->zones[i]);
    if (!c->nulls) return;
    memset(block + c->null_counts, 0, c->data - c->null_counts);
    memcpy(block + c->null_counts, s->nulls, s->vectors * sizeof *s->nulls);
    uint64_t *valid = (uint64_t *)(void *)(block + c->validity);
    for (uint32_t i = 0; i < s->vectors; i++)
        valid_rows(s, i, rows_in(s, i), valid + (size_t)i * TABLE_VECTOR_WORDS);
}

#define POPULATE_BYTES_MIN ((size_t)32 << 10)
/* More would take long in one step: then pages come one by one, as texts are copied. */
#define POPULATE_BYTES_MAX ((size_t)1 << 20)

static enum seal_phase seal_layout(struct table *t, struct sealer *s)
{
    struct sealed_column c = {.head = {.refs = 1, .sealed = true}, .slots = s->slots};
    size_t at = sizeof c, data = 0;
    for (uint32_t i = 0; i < s->vectors; i++) {
        s->headers[i].offset = (uint32_t)(data / 8);
        take_space(&data, s->bytes[i]);
    }
    layout_heads(s, &c, &at);
    c.data = take_space(&at, data);
    layout_dictionary(s, &c, &at);
    c.head.bytes = at;
    s->out = external_alloc(&t->external, at);
    if (!s->out) return SEAL_LAYOUT;
    /* All of it will be written: the system's pages cost less in one go than one by one. */
    if (at >= POPULATE_BYTES_MIN && at <= POPULATE_BYTES_MAX) (void)!memory_populate(s->out, at);
    *s->out = c;
    write_heads(s, s->out);
    return SEAL_WRITE;
}

/* --- write -------------------------------------------------------------------------------------*/

static enum seal_phase seal_write(struct sealer *s)
{
    uint64_t room[ROWS];
    uint32_t rows;
    const struct vector_header *header = &s->headers[s->next];
    const uint64_t *lanes = find_lanes(s, s->next, room, &rows);
    prefetch_vector(s, s->next + 1);
    if (header->encoding == TABLE_ENCODING_DICT) {
        code_lanes(s, s->next, rows, room);
        for (uint32_t i = rows; i < ROWS; i++) room[i] = room[rows - 1];
        lanes = room;
    }
    encode_write(&s->hints, lanes, rows, header,
                 (unsigned char *)s->out + s->out->data + (size_t)header->offset * 8);
    return ++s->next < s->vectors ? SEAL_WRITE : SEAL_TEXTS;
}

static void copy_text(struct sealer *s, struct table_text text)
{
    char *to = (char *)s->out + s->out->texts;
    if (text.length) memcpy(to + s->text_at, text.data, text.length);
    s->text_at += text.length;
}

static enum seal_phase write_dictionary(struct sealer *s)
{
    unsigned char *place = (unsigned char *)s->out + s->out->dictionary;
    if (!field_is_text(s->field)) {
        memcpy(place, s->map->lanes, s->map->count * sizeof *s->map->lanes);
        return SEAL_SWAP;
    }
    uint32_t *ends = (uint32_t *)(void *)place;
    size_t limit = s->text_at + TEXT_STEP_BYTES;
    for (uint32_t n = 0; s->next < s->map->count && n < ROWS && s->text_at < limit; n++) {
        copy_text(s, s->map->texts[s->next]);
        ends[s->next++] = (uint32_t)s->text_at;
    }
    return s->next < s->map->count ? SEAL_TEXTS : SEAL_SWAP;
}

static enum seal_phase seal_texts(struct sealer *s)
{
    if (s->map) return write_dictionary(s);
    if (!field_is_text(s->field)) return SEAL_SWAP;
    size_t limit = s->text_at + TEXT_STEP_BYTES;
    for (uint32_t n = 0; s->next < s->slots && n < ROWS && s->text_at < limit; n++, s->next++)
        if (!is_null(s, s->next)) copy_text(s, texts_of(s)[s->next]);
    return s->next < s->slots ? SEAL_TEXTS : SEAL_SWAP;
}

/* --- swap --------------------------------------------------------------------------------------*/

static struct column *current_column(const struct table *t, uint32_t chunk, uint32_t column)
{
    const struct table_version *v = t->current;
    return chunk < v->chunk_count ? version_chunk(v, chunk)->columns[column].column : NULL;
}

static enum seal_phase seal_swap(struct table *t, struct sealer *s)
{
    struct column *source = &s->source->head;
    if (current_column(t, s->chunk, s->column) != source ||
        version_slots(t->current, s->chunk) != s->slots)
        return SEAL_DONE;
    struct chunk *c = chunk_writable(t, s->chunk);
    if (!c) return SEAL_SWAP;
    c->columns[s->column].column = &s->out->head;
    s->out = NULL;
    column_unref(t, source);
    index_look_from(t, s->chunk);
    return SEAL_DONE;
}

/* --- steps -------------------------------------------------------------------------------------*/

void sealer_close(struct table *t)
{
    struct sealer *s = t->sealer;
    if (!s) return;
    t->sealer = NULL;
    map_drop(t, s);
    if (s->out) column_unref(t, &s->out->head);
    column_unref(t, &s->source->head);
    external_free(&t->external, s, sizeof *s);
}

static enum seal_phase seal_unit(struct table *t, struct sealer *s)
{
    switch (s->phase) {
    case SEAL_SAMPLE: return seal_sample(t, s);
    case SEAL_COUNT: return seal_count(t, s);
    case SEAL_PLAN: return seal_plan(t, s);
    case SEAL_MAP: return seal_map(t, s);
    case SEAL_LAYOUT: return seal_layout(t, s);
    case SEAL_WRITE: return seal_write(s);
    case SEAL_TEXTS: return seal_texts(s);
    case SEAL_SWAP: return seal_swap(t, s);
    case SEAL_DONE: break;
    }
    return SEAL_DONE;
}

/* The chunk takes no more appends. */
static bool is_full(const struct table *t, uint32_t chunk)
{
    const struct table_version *v = t->current;
    return chunk + 1 < v->chunk_count || v->tail_slots == TABLE_CHUNK_ROWS ||
           t->closed_count == v->chunk_count;
}

/* The last chunk, which is not full, is to be sealed until rows come. */
static bool tail_is_quiet(const struct table *t)
{
    const struct table_version *v = t->current;
    return v->slots == t->quiet_slots && v->tail_slots >= TABLE_QUIET_ROWS_MIN;
}

void table_close_tail(struct table *t) { t->closed_count = t->current->chunk_count; }

static bool find_plain_column(const struct table *t, uint32_t chunk, uint32_t *column)
{
    for (*column = 0; *column < t->column_count; ++*column)
        if (!version_chunk(t->current, chunk)->columns[*column].column->sealed) return true;
    return false;
}

/* The first plain column of the first chunk to seal that has one. If there is none, *chunk is the
 * first one that takes rows: later it may be plain again. */
static bool find_plain(const struct table *t, uint32_t *chunk, uint32_t *column)
{
    const struct table_version *v = t->current;
    for (*chunk = t->sealed_below; *chunk < v->chunk_count && is_full(t, *chunk); ++*chunk)
        if (find_plain_column(t, *chunk, column)) return true;
    return *chunk < v->chunk_count && tail_is_quiet(t) && find_plain_column(t, *chunk, column);
}

/* Whether a later look may find the table quiet. */
static bool note_quiet(struct table *t)
{
    const struct table_version *v = t->current;
    uint32_t column;
    if (t->draft) return true;
    if (t->altered || t->hidden || v->slots == t->quiet_slots) return false;
    bool same = v->slots == t->seen_slots;
    t->seen_slots = v->slots;
    if (v->chunk_count == 0 || v->tail_slots < TABLE_QUIET_ROWS_MIN ||
        is_full(t, v->chunk_count - 1) || !find_plain_column(t, v->chunk_count - 1, &column))
        return false;
    if (same) t->quiet_slots = v->slots;
    return !same;
}

bool tables_note_quiet(struct heap *h)
{
    bool later = false;
    for (struct external *e = h->external.living; e; e = e->next)
        if (external_is_table(e) && note_quiet(table_of_external(e))) later = true;
    return later;
}

bool table_seal_pending(const struct table *t)
{
    uint32_t chunk, column;
    if (t->draft || t->altered || t->hidden) return false;
    return t->sealer || find_plain(t, &chunk, &column);
}

/* 1 if there is something to seal, and a sealer for it; 0; -ENOMEM. */
static int sealer_open(struct table *t)
{
    uint32_t chunk, column;
    bool found = find_plain(t, &chunk, &column);
    t->sealed_below = chunk;
    if (!found) return 0;
    struct sealer *s = external_alloc(&t->external, sizeof *s);
    if (!s) return -ENOMEM;
    memset(s, 0, sizeof *s);
    s->chunk = chunk;
    s->column = column;
    s->field = &t->fields[column];
    s->slots = version_slots(t->current, chunk);
    s->vectors = table_slots_vectors(s->slots);
    s->source = (struct plain_column *)current_column(t, chunk, column);
    s->source->head.refs++;
    t->sealer = s;
    return 1;
}

int table_seal_step(struct table *t, uint64_t budget_ns)
{
    uint64_t begin = clock_ns();
    if (t->draft) return 0; /* which is to find the columns as they were */
    do {
        int state = t->sealer ? 1 : sealer_open(t);
        if (state <= 0) return state;
        struct sealer *s = t->sealer;
        uint32_t before = s->next, row = s->row;
        enum seal_phase phase = seal_unit(t, s);
        if (phase == SEAL_DONE) {
            sealer_close(t);
            continue;
        }
        if (phase != s->phase)
            s->next = 0;
        else if (s->next == before && s->row == row)
            return -ENOMEM; /* the phases that allocate stay where they are */
        s->phase = phase;
    } while (clock_ns() - begin < budget_ns);
    return 1;
}
