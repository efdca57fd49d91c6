/* table_arrow_write.c - a version as an Arrow IPC stream, piece by piece.
 *
 * A message is metadata, whose size depends on the number of columns only, and a body. The writer
 * leaves room for the metadata, builds the body behind it, column by column, vector by vector,
 * writes the metadata last, and lends the whole.
 *
 *   schema -> dictionaries, one piece each step -> [collect -> columns -> message]... -> end
 *
 * A batch collects vectors until their rows are enough; a selection that is sparse has many. */
#include "heap/table_arrow.h"

#include <assert.h>

#include "heap/table_flat.h"

#define BATCH_BYTES ((size_t)1 << 20) /* about; of the columns of known width */
#define BATCH_PARTS 64
#define SYMBOLS_PIECE 65536
#define SYMBOLS_PIECE_BYTES ((size_t)4 << 20)
#define ALIGNMENT 64
#define PREFIX_BYTES 8

struct buffer_place {
    uint64_t offset, length;
};

enum writer_state { WRITE_SCHEMA, WRITE_DICTIONARIES, WRITE_COLLECT, WRITE_COLUMNS, WRITE_END,
                    WRITE_DONE };

struct arrow_writer {
    struct table_export e;
    uint32_t columns;
    enum writer_state state;
    struct table_out out;
    /* dictionaries */
    uint32_t dictionary, symbol;
    /* the batch */
    struct table_walk walk;
    struct table_part parts[BATCH_PARTS];
    uint32_t part_count, rows, rows_max;
    uint32_t column, part;     /* where the work is */
    uint32_t done_rows, nulls; /* of this column */
    size_t body;               /* where the body begins in `out` */
    struct buffer_place validity, offsets, values; /* of this column; offset in `out` */
    struct buffer_place *places; /* all of the batch, relative to the body */
    uint32_t place_count;
    uint64_t *nodes; /* null counts */
    _Alignas(64) union {
        unsigned char raw[TABLE_VECTOR_ROWS * 8];
        struct table_text texts[TABLE_VECTOR_ROWS];
    } room;
};

/* --- metadata ----------------------------------------------------------------------------------*/

/* The prefix and the beginning of a message; returns where the metadata's buffer begins. */
static size_t message_begin(struct table_out *o, enum arrow_kind kind, uint64_t body,
                            struct flat_table *message)
{
    out_zeros(o, PREFIX_BYTES);
    size_t base = o->length, root = flat_root(o);
    *message = flat_table_begin(o, base, root, "2148");
    flat_set(message, ARROW_MESSAGE_VERSION, ARROW_VERSION_5, 2);
    flat_set(message, ARROW_MESSAGE_KIND, kind, 1);
    flat_set(message, ARROW_MESSAGE_BODY, body, 8);
    return base;
}

static void message_end(struct table_out *o, size_t base)
{
    out_align(o, ALIGNMENT);
    if (o->failed) return;
    put32(o->data + base - PREFIX_BYTES, UINT32_MAX);
    put32(o->data + base - PREFIX_BYTES + 4, (uint32_t)(o->length - base));
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

static void put_field(struct table_out *o, size_t base, size_t at, const struct table_field *f,
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

static void write_schema(struct arrow_writer *w)
{
    struct flat_table message;
    struct table_out *o = &w->out;
    size_t base = message_begin(o, ARROW_SCHEMA, 0, &message);
    struct flat_table schema = flat_table_begin(o, base, message.at[ARROW_MESSAGE_HEADER], "24");
    size_t fields = flat_vector(o, base, schema.at[ARROW_SCHEMA_FIELDS], w->columns, 4);
    for (uint32_t i = 0; i < w->columns; i++)
        put_field(o, base, fields + 4 * (size_t)i, export_field(&w->e, i), i);
    message_end(o, base);
}

/* The table of a record batch, to which the offset at `at` points. */
static void put_batch(struct table_out *o, size_t base, size_t at, uint64_t rows,
                      const uint64_t *nulls, uint32_t nodes, const struct buffer_place *places,
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

/* --- dictionaries ------------------------------------------------------------------------------*/

/* How many symbols from `first` on go into one piece. */
static uint32_t piece_symbols(const struct table *t, uint32_t column, uint32_t first,
                              size_t *text_bytes)
{
    uint32_t count = table_symbol_count(t, column) - first, i;
    if (count > SYMBOLS_PIECE) count = SYMBOLS_PIECE;
    *text_bytes = 0;
    for (i = 0; i < count && *text_bytes < SYMBOLS_PIECE_BYTES; i++)
        *text_bytes += table_symbol(t, column, first + i).length;
    return i;
}

static void put_symbols(struct table_out *o, const struct table *t, uint32_t column,
                        uint32_t first, uint32_t count, size_t offsets, size_t values)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < count && !o->failed; i++) {
        struct table_text text = table_symbol(t, column, first + i);
        if (text.length) memcpy(o->data + values + end, text.data, text.length);
        end += (uint32_t)text.length;
        put32(o->data + offsets + 4 * ((size_t)i + 1), end);
    }
}

/* The next piece of the dictionary of column `w->dictionary`. */
static void write_dictionary(struct arrow_writer *w)
{
    const struct table *t = table_version_table(w->e.version);
    uint32_t column = export_column(&w->e, w->dictionary);
    size_t text_bytes;
    uint32_t count = piece_symbols(t, column, w->symbol, &text_bytes);
    size_t offset_bytes = ((size_t)count + 1) * 4;
    size_t values = (offset_bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    size_t body = (values + text_bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct buffer_place places[3] = {{0, 0}, {0, offset_bytes}, {values, text_bytes}};
    uint64_t nulls = 0;
    struct flat_table message;
    struct table_out *o = &w->out;
    size_t base = message_begin(o, ARROW_DICTIONARY_BATCH, body, &message);
    struct flat_table d = flat_table_begin(o, base, message.at[ARROW_MESSAGE_HEADER], "841");
    flat_set(&d, ARROW_DICTIONARY_ID, w->dictionary, 8);
    flat_set(&d, ARROW_DICTIONARY_DELTA, w->symbol > 0, 1);
    put_batch(o, base, d.at[ARROW_DICTIONARY_DATA], count, &nulls, 1, places, 3);
    message_end(o, base);
    size_t begin = o->length;
    out_zeros(o, body);
    put_symbols(o, t, column, w->symbol, count, begin, begin + values);
    w->symbol += count;
}

/* --- record batches ----------------------------------------------------------------------------*/

static void put_record_batch(struct arrow_writer *w, struct table_out *o, uint64_t body)
{
    struct flat_table message;
    size_t base = message_begin(o, ARROW_RECORD_BATCH, body, &message);
    put_batch(o, base, message.at[ARROW_MESSAGE_HEADER], w->rows, w->nodes, w->columns, w->places,
              w->columns * 3); /* as many as there may be: the size must not depend on them */
    message_end(o, base);
}

/* Appends bits [0, count) of `words` at bit `at` of `bytes`, which are zeros from there on. */
static void put_bits(unsigned char *bytes, size_t at, const uint64_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += 64, at += 64) {
        uint64_t word = words[i / 64];
        if (count - i < 64) word &= ((uint64_t)1 << (count - i)) - 1;
        unsigned char *p = bytes + at / 8;
        unsigned shift = at % 8;
        uint64_t low;
        memcpy(&low, p, sizeof low);
        put64(p, low | word << shift);
        if (shift) p[8] |= (unsigned char)(word >> (64 - shift));
    }
}

/* Moves the bits of `words` that are selected together. Returns how many of them are set. */
static uint32_t gather_bits(const struct table_part *part, const uint64_t *words, uint64_t *out)
{
    uint32_t n = 0, set = 0;
    memset(out, 0, TABLE_VECTOR_WORDS * sizeof *out);
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++)
        for (uint64_t left = part->selected[i]; left; left &= left - 1, n++) {
            uint64_t bit = words[i] >> __builtin_ctzll(left) & 1;
            out[n / 64] |= bit << n % 64;
            set += (uint32_t)bit;
        }
    return set;
}

static uint32_t count_bits(const uint64_t *words)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(words[i]);
    return count;
}

static void gather_elements(const struct table_part *part, const unsigned char *from, size_t bytes,
                            unsigned char *to)
{
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++)
        for (uint64_t left = part->selected[i]; left; left &= left - 1, to += bytes) {
            const unsigned char *element = from + (i * 64 + (size_t)__builtin_ctzll(left)) * bytes;
            switch (bytes) { /* copies of known size */
            case 1: *to = *element; break;
            case 2: memcpy(to, element, 2); break;
            case 4: memcpy(to, element, 4); break;
            default: memcpy(to, element, 8); break;
            }
        }
}

/* The vector's rows in the batch: all of them, so that it can be decoded in place? */
static bool part_whole(const struct arrow_writer *w, const struct table_part *p)
{
    uint32_t left = table_chunk_slots(w->e.version, p->chunk) - p->vector * TABLE_VECTOR_ROWS;
    return p->rows == (left < TABLE_VECTOR_ROWS ? left : TABLE_VECTOR_ROWS);
}

static void column_validity(struct arrow_writer *w, const struct table_part *p,
                            const uint64_t *valid)
{
    uint64_t bits[TABLE_VECTOR_WORDS];
    if (!w->validity.length || w->out.failed) return;
    uint32_t set = part_whole(w, p) ? count_bits(valid) : gather_bits(p, valid, bits);
    w->nulls += p->rows - set;
    put_bits(w->out.data + w->validity.offset, w->done_rows, part_whole(w, p) ? valid : bits,
             p->rows);
}

/* Elements of a known width, bools among them. */
static void column_elements(struct arrow_writer *w, uint32_t column, const struct table_part *p)
{
    const struct table_field *f = table_field(table_version_table(w->e.version), column);
    uint64_t valid[TABLE_VECTOR_WORDS];
    size_t bytes = table_type_bytes(f->type);
    bool whole = part_whole(w, p), in_place = whole && f->type != TABLE_BOOL;
    unsigned char *values = w->out.data + w->values.offset;
    unsigned char *to = in_place ? values + w->done_rows * bytes : w->room.raw;
    uint32_t rows = table_read_raw(w->e.version, p->chunk, column, p->vector, to, valid);
    column_validity(w, p, valid);
    if (f->type != TABLE_BOOL) {
        if (!whole) gather_elements(p, w->room.raw, bytes, values + w->done_rows * bytes);
        return;
    }
    uint64_t set[TABLE_VECTOR_WORDS] = {0}, bits[TABLE_VECTOR_WORDS];
    for (uint32_t i = 0; i < rows; i++)
        set[i / 64] |= (uint64_t)(w->room.raw[i] & 1) << i % 64;
    if (!whole) gather_bits(p, set, bits);
    put_bits(values, w->done_rows, whole ? set : bits, p->rows);
}

static int column_texts(struct arrow_writer *w, uint32_t column, const struct table_part *p)
{
    uint64_t valid[TABLE_VECTOR_WORDS];
    table_read_vector(w->e.version, p->chunk, column, p->vector, w->room.texts, valid);
    column_validity(w, p, valid);
    size_t offsets = w->offsets.offset + 4 * ((size_t)w->done_rows + 1), bytes = 0;
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++)
        for (uint64_t left = p->selected[i] & valid[i]; left; left &= left - 1)
            bytes += w->room.texts[i * 64 + (unsigned)__builtin_ctzll(left)].length;
    if (w->values.length + bytes > INT32_MAX) return -E2BIG;
    unsigned char *to = out_room(&w->out, bytes);
    if (!to) return -ENOMEM;
    for (unsigned i = 0; i < TABLE_VECTOR_WORDS; i++)
        for (uint64_t left = p->selected[i]; left; left &= left - 1, offsets += 4) {
            unsigned bit = (unsigned)__builtin_ctzll(left);
            const struct table_text *text = &w->room.texts[i * 64 + bit];
            if ((left & -left) & valid[i]) {
                if (text->length) memcpy(to, text->data, text->length);
                to += text->length;
                w->values.length += text->length;
            }
            put32(w->out.data + offsets, (uint32_t)w->values.length);
        }
    out_add(&w->out, bytes);
    return 0;
}

/* Room for `bytes` and for what a whole vector, and a word of bits, may write beyond. */
static struct buffer_place column_buffer(struct arrow_writer *w, size_t bytes)
{
    out_align(&w->out, ALIGNMENT);
    struct buffer_place place = {w->out.length, bytes};
    out_zeros(&w->out, bytes);
    out_room(&w->out, TABLE_VECTOR_ROWS * 8 + 64);
    return place;
}

static bool is_texts(const struct table_field *f)
{
    return f->type == TABLE_STR || f->type == TABLE_BIN;
}

static void column_begin(struct arrow_writer *w)
{
    const struct table_field *f = export_field(&w->e, w->column);
    size_t rows = w->rows;
    w->done_rows = w->nulls = w->part = 0;
    w->validity = w->offsets = (struct buffer_place){w->out.length, 0};
    if (f->null) w->validity = column_buffer(w, (rows + 63) / 64 * 8);
    if (is_texts(f)) {
        w->offsets = column_buffer(w, (rows + 1) * 4);
        w->values = column_buffer(w, 0);
    } else {
        w->values = column_buffer(w, f->type == TABLE_BOOL ? (rows + 63) / 64 * 8
                                                           : rows * table_type_bytes(f->type));
    }
}

static void place_add(struct arrow_writer *w, struct buffer_place place)
{
    place.offset = place.length ? place.offset - w->body : 0;
    w->places[w->place_count++] = place;
}

static void column_end(struct arrow_writer *w)
{
    bool texts = is_texts(export_field(&w->e, w->column));
    w->nodes[w->column] = w->nulls;
    place_add(w, w->validity);
    if (texts) place_add(w, w->offsets);
    place_add(w, w->values);
    w->column++;
}

static void batch_begin(struct arrow_writer *w)
{
    w->out.length = 0;
    w->place_count = 0;
    w->column = 0;
    put_record_batch(w, &w->out, 0); /* to know its size */
    w->body = w->out.length;
    if (w->columns) column_begin(w);
}

/* Writes the metadata into the room before the body. */
static void batch_end(struct arrow_writer *w)
{
    struct table_out head = {.data = NULL};
    out_align(&w->out, ALIGNMENT);
    struct flat_table message;
    size_t base = message_begin(&head, ARROW_RECORD_BATCH, w->out.length - w->body, &message);
    put_batch(&head, base, message.at[ARROW_MESSAGE_HEADER], w->rows, w->nodes, w->columns,
              w->places, w->place_count);
    if (head.length < w->body) out_zeros(&head, w->body - head.length);
    message_end(&head, base);
    w->out.failed |= head.failed;
    if (!w->out.failed) memcpy(w->out.data, head.data, w->body);
    out_close(&head);
    w->rows = w->part_count = 0;
}

/* One vector of one column. 0 or an error. */
static int batch_step(struct arrow_writer *w)
{
    uint32_t column = export_column(&w->e, w->column);
    const struct table_part *p = &w->parts[w->part];
    int failed = 0;
    if (w->out.failed) return -ENOMEM;
    if (is_texts(export_field(&w->e, w->column)))
        failed = column_texts(w, column, p);
    else
        column_elements(w, column, p);
    w->done_rows += p->rows;
    if (failed || ++w->part < w->part_count) return failed;
    column_end(w);
    if (w->column < w->columns) column_begin(w);
    return 0;
}

/* --- steps -------------------------------------------------------------------------------------*/

/* One vector more for the batch. True once the batch is full, or there are no more. */
static bool collect_step(struct arrow_writer *w)
{
    struct table_part *p = &w->parts[w->part_count];
    if (!table_walk_next(&w->walk, &w->e, p)) return true;
    if (p->rows) {
        w->part_count++;
        w->rows += p->rows;
    }
    return w->part_count == BATCH_PARTS || w->rows + TABLE_VECTOR_ROWS > w->rows_max;
}

/* One piece of work. 1 if a message is complete. */
static int writer_work(struct arrow_writer *w)
{
    switch (w->state) {
    case WRITE_SCHEMA:
        write_schema(w);
        w->state = WRITE_DICTIONARIES;
        return 1;
    case WRITE_DICTIONARIES:
        if (w->dictionary == w->columns) {
            w->state = WRITE_COLLECT;
            return 0;
        }
        if (export_field(&w->e, w->dictionary)->type == TABLE_SYM) {
            const struct table *t = table_version_table(w->e.version);
            write_dictionary(w);
            if (w->symbol < table_symbol_count(t, export_column(&w->e, w->dictionary))) return 1;
            w->symbol = 0;
            w->dictionary++;
            return 1;
        }
        w->dictionary++;
        return 0;
    case WRITE_COLLECT:
        if (!collect_step(w)) return 0;
        w->state = w->rows ? WRITE_COLUMNS : WRITE_END;
        if (w->rows) batch_begin(w);
        return 0;
    case WRITE_COLUMNS: {
        int failed = w->column < w->columns ? batch_step(w) : 0;
        if (failed) return failed;
        if (w->column < w->columns) return 0;
        batch_end(w);
        w->state = WRITE_COLLECT;
        return 1;
    }
    case WRITE_END: {
        unsigned char *p = out_zeros(&w->out, PREFIX_BYTES);
        if (p) put32(p, UINT32_MAX);
        w->state = WRITE_DONE;
        return 1;
    }
    default:
        return 1;
    }
}

int arrow_writer_step(struct arrow_writer *w, uint64_t budget_ns, const unsigned char **data,
                      size_t *length)
{
    uint64_t begin = table_clock_ns();
    int status;
    *data = NULL;
    *length = 0;
    if (w->state != WRITE_COLUMNS) w->out.length = 0;
    do {
        status = writer_work(w);
        if (w->out.failed) return -ENOMEM;
    } while (status == 0 && table_clock_ns() - begin < budget_ns);
    if (status < 0) return status;
    if (status > 0) {
        *data = w->out.data;
        *length = w->out.length;
    }
    return w->state != WRITE_DONE;
}

/* --- from beginning to end --------------------------------------------------------------------*/

struct arrow_writer *arrow_writer_create(const struct table_export *e)
{
    struct arrow_writer *w;
    if (posix_memalign((void **)&w, 64, sizeof *w) != 0) return NULL;
    memset(w, 0, sizeof *w);
    w->e = *e;
    w->columns = export_column_count(e);
    size_t width = 0;
    for (uint32_t i = 0; i < w->columns; i++) {
        size_t bytes = table_type_bytes(export_field(e, i)->type);
        width += bytes ? bytes : 16;
    }
    size_t rows = width ? BATCH_BYTES / width : TABLE_VECTOR_ROWS;
    w->rows_max = rows < TABLE_VECTOR_ROWS ? TABLE_VECTOR_ROWS : (uint32_t)rows;
    w->places = calloc((size_t)w->columns * 3 + 1, sizeof *w->places);
    w->nodes = calloc((size_t)w->columns + 1, sizeof *w->nodes);
    if (w->places && w->nodes) return w;
    arrow_writer_destroy(w);
    return NULL;
}

void arrow_writer_destroy(struct arrow_writer *w)
{
    if (!w) return;
    out_close(&w->out);
    free(w->places);
    free(w->nodes);
    free(w);
}
