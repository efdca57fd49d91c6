/* table_arrow_write.c - what a query finds as an Arrow IPC stream, message by message.
 *
 *   symbols in use -> schema -> dictionaries
 *                  -> [rows -> columns]... -> message -> ... -> end
 *
 * A batch is built in place: its message has room for the metadata, whose size depends on the
 * number of columns only, and for as many rows of each column as fit. Rows come from the query
 * vector by vector, and are added column by column. Where the result is columns of the table with
 * elements of known width, the query tells only which rows (query_next_part), and elements are
 * copied, or decoded, from the table to where they go; else they come as batches of cells. Texts
 * gather beside the message. In the end buffers close up and texts are put between them.
 *
 * The dictionary of a sym column has the symbols that the version may use. While a change is under
 * way, or after one has left some behind, others may be there that nobody is to see: then all rows
 * tell which are in use. The rest are empty texts, since codes are places in the dictionary.
 *
 * A dictionary goes out as one message, or as several with some symbols each. The length of the one
 * message is in its head, so first all symbols are measured; then offsets and texts follow, some in
 * each step, and so it takes no more memory than others do. */
#include "heap/table_arrow.h"

#include <inttypes.h>

#include "heap/table_arrow_message.h"
#include "heap/table_export_int.h"
#include "heap/table_kernels.h"

#define BATCH_ROWS_MAX ((uint32_t)1 << 20)
#define SYMBOLS_PIECE 16384
/* What a word of bits may write beyond its buffer. */
#define SLACK 8

struct arrow_column {
    enum table_type type;
    bool null, texts;
    size_t width;        /* bytes of an element; 0: bits, or texts */
    uint32_t column;     /* of the table, or UINT32_MAX */
    uint32_t settled;    /* sym: those below are everybody's; */
    uint32_t symbols;    /* the dictionary ends here, */
    uint64_t *used;      /* and in between these are in use; NULL: there are none */
    /* Of the batch. Offsets are those in `out`; lengths, of what is used, are known in the end. */
    struct arrow_place validity, offsets, values;
    uint64_t nulls;
    struct table_out bytes; /* of texts */
};

enum arrow_state {
    FIND_SYMBOLS, WRITE_SCHEMA, WRITE_DICTIONARIES, WRITE_ROWS, WRITE_COLUMNS, WRITE_END
};

/* Of WRITE_DICTIONARIES, for each of them. */
enum dictionary_state { MEASURE, WRITE_PIECES, WRITE_HEAD, WRITE_OFFSETS, WRITE_TEXTS };

struct arrow_export {
    struct export e; /* first */
    enum arrow_state state;
    uint32_t column_count;
    struct arrow_column *columns;
    size_t width;    /* bytes of a row, but for texts */
    bool parts;      /* rows come as parts, else as batches */
    /* symbols in use, and dictionaries */
    uint32_t chunk, vector;
    uint32_t dictionary, symbol;
    enum dictionary_state dictionary_state;
    enum export_dictionary dictionary_kind;
    size_t dictionary_bytes;        /* EXPORT_DICTIONARY_AUTO: more of them go in pieces */
    uint64_t symbol_bytes, offset;  /* of all texts of a dictionary; of those before `symbol` */
    /* the batch; no rows: it is not begun */
    uint32_t rows, rows_max;
    size_t text_bytes, head_bytes, batch_bytes;
    uint32_t column; /* of the rows under way, the next one to be added */
    struct query_part part;
    struct query_batch batch;
    struct arrow_place *places;
    uint64_t *nodes; /* null counts */
    _Alignas(16) uint64_t lanes[TABLE_VECTOR_ROWS];
    uint64_t valid[TABLE_VECTOR_WORDS];
};

/* --- dictionaries ------------------------------------------------------------------------------*/

static const struct table *table_read(const struct arrow_export *x)
{
    return table_version_table(query_version(x->e.query));
}

static bool is_used(const struct arrow_column *c, uint32_t code)
{
    uint32_t bit = code - c->settled;
    return code < c->settled || c->used[bit / 64] >> bit % 64 & 1;
}

static struct table_text symbol_of(const struct arrow_export *x, const struct arrow_column *c,
                                   uint32_t code)
{
    if (!is_used(c, code)) return (struct table_text){NULL, 0};
    return table_symbol(table_read(x), c->column, code);
}

/* Marks the symbols of one vector. */
static void find_symbols(struct arrow_export *x, struct arrow_column *c)
{
    const struct table_version *v = query_version(x->e.query);
    uint32_t *codes = (uint32_t *)x->lanes;
    uint32_t rows = table_read_codes(v, x->chunk, c->column, x->vector, codes, x->valid);
    for (uint32_t i = 0; i < rows; i++) {
        if (!(x->valid[i / 64] >> i % 64 & 1) || codes[i] < c->settled) continue;
        uint32_t bit = codes[i] - c->settled;
        c->used[bit / 64] |= (uint64_t)1 << bit % 64;
        if (codes[i] >= c->symbols) c->symbols = codes[i] + 1;
    }
    if (++x->vector < table_slots_vectors(table_chunk_slots(v, x->chunk))) return;
    x->vector = 0;
    x->chunk++;
}

/* A little of it, for the columns whose dictionaries may have more than is to be seen. */
static void find_work(struct arrow_export *x)
{
    while (x->dictionary < x->column_count && !x->columns[x->dictionary].used) x->dictionary++;
    if (x->dictionary == x->column_count) {
        x->dictionary = 0;
        x->state = WRITE_SCHEMA;
    } else if (x->chunk == table_version_chunks(query_version(x->e.query))) {
        x->chunk = 0;
        x->dictionary++;
    } else {
        find_symbols(x, &x->columns[x->dictionary]);
    }
}

/* How many symbols from the next one on go into one message. */
static uint32_t piece_symbols(const struct arrow_export *x, const struct arrow_column *c,
                              size_t *text_bytes)
{
    uint32_t count = c->symbols - x->symbol, i;
    if (count > SYMBOLS_PIECE) count = SYMBOLS_PIECE;
    *text_bytes = 0;
    for (i = 0; i < count && *text_bytes < x->e.piece_bytes; i++)
        *text_bytes += symbol_of(x, c, x->symbol + i).length;
    return i;
}

static void put_symbols(struct arrow_export *x, const struct arrow_column *c, uint32_t count,
                        size_t offsets, size_t values)
{
    struct table_out *o = &x->e.out;
    uint32_t end = 0;
    for (uint32_t i = 0; i < count && !o->failed; i++) {
        struct table_text text = symbol_of(x, c, x->symbol + i);
        if (text.length) memcpy(o->data + values + end, text.data, text.length);
        end += (uint32_t)text.length;
        put32(o->data + offsets + 4 * ((size_t)i + 1), end);
    }
}

static size_t align_up(size_t bytes)
{
    return (bytes + ARROW_ALIGNMENT - 1) & ~(size_t)(ARROW_ALIGNMENT - 1);
}

/* A message's metadata. */
static void put_dictionary_head(struct arrow_export *x, uint64_t body, uint32_t count,
                                const struct arrow_place places[3])
{
    struct table_out *o = &x->e.out;
    uint64_t nulls = 0;
    struct flat_table message;
    size_t base = arrow_message_begin(o, ARROW_DICTIONARY_BATCH, body, &message);
    struct flat_table d = flat_table_begin(o, base, message.at[ARROW_MESSAGE_HEADER], "841");
    flat_set(&d, ARROW_DICTIONARY_ID, x->dictionary, 8);
    flat_set(&d, ARROW_DICTIONARY_DELTA, x->symbol > 0, 1);
    arrow_batch_put(o, base, d.at[ARROW_DICTIONARY_DATA], count, &nulls, 1, places, 3);
    arrow_message_end(o, base);
}

/* The next piece of a column's dictionary. */
static void write_dictionary(struct arrow_export *x, const struct arrow_column *c)
{
    size_t text_bytes;
    uint32_t count = piece_symbols(x, c, &text_bytes);
    size_t offset_bytes = ((size_t)count + 1) * 4, values = align_up(offset_bytes);
    size_t body = align_up(values + text_bytes);
    struct arrow_place places[3] = {{0, 0}, {0, offset_bytes}, {values, text_bytes}};
    put_dictionary_head(x, body, count, places);
    size_t begin = x->e.out.length;
    out_zeros(&x->e.out, body);
    put_symbols(x, c, count, begin, begin + values);
    x->symbol += count;
}

/* A dictionary in one message: where its offsets end, before they are filled up, and its body. */
static uint64_t whole_offset_bytes(const struct arrow_column *c)
{
    return ((uint64_t)c->symbols + 1) * 4;
}

static uint64_t whole_body_bytes(const struct arrow_export *x, const struct arrow_column *c)
{
    return align_up(whole_offset_bytes(c)) + align_up(x->symbol_bytes);
}

/* All are measured: one message, or pieces? One piece is as good as a whole. */
static int choose_dictionary(struct arrow_export *x, const struct arrow_column *c)
{
    bool is_piece = c->symbols <= SYMBOLS_PIECE && x->symbol_bytes < x->e.piece_bytes;
    bool is_long = whole_body_bytes(x, c) > x->dictionary_bytes;
    x->dictionary_state = is_piece || (is_long && x->dictionary_kind == EXPORT_DICTIONARY_AUTO)
                              ? WRITE_PIECES
                              : WRITE_HEAD;
    x->symbol = 0;
    if (x->dictionary_state == WRITE_PIECES || x->symbol_bytes <= INT32_MAX) return EXPORT_BUSY;
    return export_fail(&x->e.error, QUERY_FAULT_LIMIT,
                       "column %u: its symbols have %" PRIu64 " bytes; a whole dictionary can have "
                       "%d; with dictionary: \"delta\" it comes in pieces",
                       x->dictionary, x->symbol_bytes, INT32_MAX);
}

static int measure_symbols(struct arrow_export *x, const struct arrow_column *c)
{
    uint32_t left = c->symbols - x->symbol, count = left < SYMBOLS_PIECE ? left : SYMBOLS_PIECE;
    if (x->symbol == 0) x->symbol_bytes = x->offset = 0;
    for (uint32_t i = 0; i < count; i++)
        x->symbol_bytes += symbol_of(x, c, x->symbol + i).length;
    x->symbol += count;
    return x->symbol == c->symbols ? choose_dictionary(x, c) : EXPORT_BUSY;
}

static void write_whole_head(struct arrow_export *x, const struct arrow_column *c)
{
    uint64_t offsets = whole_offset_bytes(c);
    struct arrow_place places[3] = {{0, 0}, {0, offsets}, {align_up(offsets), x->symbol_bytes}};
    put_dictionary_head(x, whole_body_bytes(x, c), c->symbols, places);
    out_zeros(&x->e.out, 4); /* the first offset */
    x->dictionary_state = WRITE_OFFSETS;
}

static size_t padding(uint64_t bytes) { return (size_t)(align_up(bytes) - bytes); }

static void write_offsets(struct arrow_export *x, const struct arrow_column *c)
{
    uint32_t left = c->symbols - x->symbol, count = left < SYMBOLS_PIECE ? left : SYMBOLS_PIECE;
    unsigned char *p = out_room(&x->e.out, 4 * (size_t)count);
    if (!p) return;
    for (uint32_t i = 0; i < count; i++) {
        x->offset += symbol_of(x, c, x->symbol + i).length;
        put32(p + 4 * (size_t)i, (uint32_t)x->offset);
    }
    out_add(&x->e.out, 4 * (size_t)count);
    x->symbol += count;
    if (x->symbol < c->symbols) return;
    out_zeros(&x->e.out, padding(whole_offset_bytes(c)));
    x->symbol = 0;
    x->dictionary_state = WRITE_TEXTS;
}

static void write_texts(struct arrow_export *x, const struct arrow_column *c)
{
    size_t bytes;
    uint32_t count = piece_symbols(x, c, &bytes);
    unsigned char *p = out_room(&x->e.out, bytes);
    for (uint32_t i = 0; i < count && !x->e.out.failed; i++) {
        struct table_text text = symbol_of(x, c, x->symbol + i);
        if (text.length) memcpy(p, text.data, text.length);
        if (text.length) p += text.length;
    }
    out_add(&x->e.out, bytes);
    x->symbol += count;
    if (x->symbol == c->symbols) out_zeros(&x->e.out, padding(x->symbol_bytes));
}

/* --- adding rows -------------------------------------------------------------------------------*/

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
static uint32_t gather_bits(const struct query_part *part, const uint64_t *words, uint64_t *out)
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

static void gather_elements(const struct query_part *part, const unsigned char *from, size_t bytes,
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

/* Which of the rows under way are not null, bit by bit, close together. */
static void add_valid(struct arrow_export *x, struct arrow_column *c, const uint64_t *valid,
                      uint32_t rows)
{
    if (!c->null) return;
    uint32_t set = 0;
    for (uint32_t i = 0; i < rows; i += 64) {
        uint64_t word = valid[i / 64];
        if (rows - i < 64) word &= ((uint64_t)1 << (rows - i)) - 1;
        set += (uint32_t)__builtin_popcountll(word);
    }
    c->nulls += rows - set;
    put_bits(x->e.out.data + c->validity.offset, x->rows, valid, rows);
}

static void add_bools(struct arrow_export *x, struct arrow_column *c, const uint64_t *set,
                      uint32_t rows)
{
    put_bits(x->e.out.data + c->values.offset, x->rows, set, rows);
}

/* Are these all rows of the vector, so that it can be decoded in place? */
static bool part_whole(const struct arrow_export *x, const struct query_part *p)
{
    uint32_t slots = table_chunk_slots(query_version(x->e.query), p->chunk);
    uint32_t left = slots - p->vector * TABLE_VECTOR_ROWS;
    return p->rows == (left < TABLE_VECTOR_ROWS ? left : TABLE_VECTOR_ROWS);
}

/* A column of a part: elements from where they lie. */
static void add_part(struct arrow_export *x, struct arrow_column *c)
{
    const struct query_part *p = &x->part;
    uint64_t bits[TABLE_VECTOR_WORDS], *valid = x->valid;
    bool whole = part_whole(x, p), in_place = whole && c->type != TABLE_BOOL;
    unsigned char *room = (unsigned char *)x->lanes;
    unsigned char *to = x->e.out.data + c->values.offset + x->rows * c->width;
    uint32_t rows = table_read_raw(query_version(x->e.query), p->chunk, c->column, p->vector,
                                   in_place ? to : room, valid);
    if (!whole) {
        gather_bits(p, valid, bits);
        valid = bits;
    }
    add_valid(x, c, valid, p->rows);
    if (in_place) return;
    if (c->type != TABLE_BOOL) {
        gather_elements(p, room, c->width, to);
        return;
    }
    uint64_t set[TABLE_VECTOR_WORDS] = {0}, gathered[TABLE_VECTOR_WORDS];
    for (uint32_t i = 0; i < rows; i++) set[i / 64] |= (uint64_t)(room[i] & 1) << i % 64;
    if (!whole) gather_bits(p, set, gathered);
    add_bools(x, c, whole ? set : gathered, p->rows);
}

static void add_texts(struct arrow_export *x, struct arrow_column *c,
                      const struct query_batch_column *cells, uint32_t rows)
{
    const struct table_text *texts = cells->data;
    unsigned char *offsets = x->e.out.data + c->offsets.offset + 4 * ((size_t)x->rows + 1);
    size_t bytes = 0;
    for (uint32_t i = 0; i < rows; i++)
        if (cells->valid[i / 64] >> i % 64 & 1) bytes += texts[i].length;
    unsigned char *to = out_room(&c->bytes, bytes), *end = to; /* NULL, too, if all is empty */
    x->e.out.failed |= c->bytes.failed;
    if (c->bytes.failed) return;
    for (uint32_t i = 0; i < rows; i++, offsets += 4) {
        if (cells->valid[i / 64] >> i % 64 & 1 && texts[i].length) {
            memcpy(end, texts[i].data, texts[i].length);
            end += texts[i].length;
        }
        put32(offsets, (uint32_t)(c->bytes.length + (size_t)(end - to)));
    }
    out_add(&c->bytes, bytes);
    x->text_bytes += bytes;
}

/* A column of a batch: cells as lanes of 64 bits, or texts. */
static void add_cells(struct arrow_export *x, struct arrow_column *c)
{
    const struct query_batch_column *cells = &x->batch.columns[x->column];
    uint32_t rows = x->batch.rows;
    const uint64_t *lanes = cells->data;
    unsigned char *to = x->e.out.data + c->values.offset + x->rows * c->width;
    add_valid(x, c, cells->valid, rows);
    if (c->texts) {
        add_texts(x, c, cells, rows);
    } else if (c->type == TABLE_BOOL) {
        uint64_t set[TABLE_VECTOR_WORDS] = {0};
        for (uint32_t i = 0; i < rows; i++) set[i / 64] |= (lanes[i] & 1) << i % 64;
        add_bools(x, c, set, rows);
    } else {
        if (c->type == TABLE_F32) {
            table_kernels()->narrow_floats(cells->data, x->lanes);
            lanes = x->lanes;
        }
        table_kernels()->narrow(lanes, (unsigned)c->width, rows, to);
    }
}

/* --- batches -----------------------------------------------------------------------------------*/

/* Room for `bytes`, which are zeros if bits are to be added to them. */
static struct arrow_place reserve(struct table_out *o, size_t bytes, bool zeros)
{
    out_align(o, ARROW_ALIGNMENT);
    struct arrow_place place = {o->length, 0};
    if (zeros) {
        out_zeros(o, bytes + SLACK);
    } else {
        out_room(o, bytes);
        out_add(o, bytes);
    }
    return place;
}

static size_t bits_bytes(uint32_t rows) { return (size_t)(rows + 63) / 64 * 8; }

/* How many rows fit: whole vectors, if it is more than one. */
static uint32_t batch_rows(const struct arrow_export *x)
{
    size_t padding = x->head_bytes + x->column_count * 3 * (size_t)ARROW_ALIGNMENT;
    size_t room = x->e.piece_bytes > padding ? x->e.piece_bytes - padding : 0;
    size_t rows = x->width ? room / x->width : BATCH_ROWS_MAX;
    const struct table_version *v = query_version(x->e.query);
    uint64_t all = table_version_rows(v) + table_version_deleted(v) + TABLE_VECTOR_ROWS - 1;
    if (rows > BATCH_ROWS_MAX) rows = BATCH_ROWS_MAX;
    if (rows > all) rows = (size_t)all;
    rows -= rows % TABLE_VECTOR_ROWS;
    if (rows < TABLE_VECTOR_ROWS) rows = TABLE_VECTOR_ROWS;
    return x->e.rows_max && rows > x->e.rows_max ? x->e.rows_max : (uint32_t)rows;
}

static void batch_begin(struct arrow_export *x)
{
    struct table_out *o = &x->e.out;
    x->rows_max = batch_rows(x);
    x->batch_bytes = x->e.piece_bytes;
    x->text_bytes = 0;
    if (x->rows_max < TABLE_VECTOR_ROWS) x->parts = false;
    reserve(o, x->head_bytes, false);
    for (uint32_t i = 0; i < x->column_count; i++) {
        struct arrow_column *c = &x->columns[i];
        c->nulls = 0;
        c->bytes.length = 0;
        c->validity = c->offsets = (struct arrow_place){o->length, 0};
        if (c->null) c->validity = reserve(o, bits_bytes(x->rows_max), true);
        if (c->texts) c->offsets = reserve(o, ((size_t)x->rows_max + 1) * 4, false);
        if (c->texts && !o->failed) put32(o->data + c->offsets.offset, 0);
        c->values = c->type == TABLE_BOOL ? reserve(o, bits_bytes(x->rows_max), true)
                    : c->texts            ? reserve(o, 0, false)
                                          : reserve(o, x->rows_max * c->width, false);
    }
}

/* What is used of each buffer. */
static void batch_lengths(struct arrow_export *x)
{
    for (uint32_t i = 0; i < x->column_count; i++) {
        struct arrow_column *c = &x->columns[i];
        if (c->null) c->validity.length = bits_bytes(x->rows);
        if (c->texts) c->offsets.length = ((size_t)x->rows + 1) * 4;
        c->values.length = c->texts               ? c->bytes.length
                           : c->type == TABLE_BOOL ? bits_bytes(x->rows)
                                                  : x->rows * c->width;
    }
}

/* Moves a buffer to `*at`, and that behind it; what is between is zeros. */
static void close_up(struct table_out *o, struct arrow_place *place, size_t *at)
{
    size_t end = *at + place->length;
    if (place->offset != *at) memmove(o->data + *at, o->data + place->offset, place->length);
    place->offset = *at;
    *at = align_up(end);
    memset(o->data + end, 0, *at - end);
}

/* Moves a buffer so that it ends, filled up, at `*end`. */
static void move_up(struct table_out *o, struct arrow_place *place, const void *from, size_t *end)
{
    size_t padded = align_up(place->length), at = *end - padded;
    if (from != o->data + at && place->length) memmove(o->data + at, from, place->length);
    memset(o->data + at + place->length, 0, padded - place->length);
    place->offset = *end = at;
}

/* Buffers move together, then, where there are texts, apart again. */
static void batch_settle(struct arrow_export *x)
{
    struct table_out *o = &x->e.out;
    size_t at = x->head_bytes, texts = 0;
    for (uint32_t i = 0; i < x->column_count; i++) {
        struct arrow_column *c = &x->columns[i];
        close_up(o, &c->validity, &at);
        close_up(o, &c->offsets, &at);
        if (!c->texts) close_up(o, &c->values, &at);
        else texts += align_up(c->values.length);
    }
    o->length = at;
    out_room(o, texts);
    out_add(o, texts);
    if (o->failed || texts == 0) return;
    size_t end = o->length;
    for (uint32_t i = x->column_count; i-- > 0;) {
        struct arrow_column *c = &x->columns[i];
        move_up(o, &c->values, c->texts ? c->bytes.data : o->data + c->values.offset, &end);
        move_up(o, &c->offsets, o->data + c->offsets.offset, &end);
        move_up(o, &c->validity, o->data + c->validity.offset, &end);
    }
}

static uint32_t place_add(struct arrow_export *x, uint32_t count, struct arrow_place place)
{
    if (place.length) place.offset -= x->head_bytes;
    else place.offset = 0;
    x->places[count] = place;
    return count + 1;
}

/* A record batch's metadata; `count` places. Its size depends on neither. */
static void put_head(struct arrow_export *x, struct table_out *o, uint64_t body, uint32_t count)
{
    struct flat_table message;
    size_t base = arrow_message_begin(o, ARROW_RECORD_BATCH, body, &message);
    arrow_batch_put(o, base, message.at[ARROW_MESSAGE_HEADER], x->rows, x->nodes, x->column_count,
              x->places, count);
    arrow_message_end(o, base);
}

/* The message is whole once its metadata is written into the room before its body. */
static void batch_end(struct arrow_export *x)
{
    struct table_out *o = &x->e.out, head = {.query = x->e.query};
    uint32_t count = 0;
    if (o->failed) return;
    batch_lengths(x);
    batch_settle(x);
    for (uint32_t i = 0; i < x->column_count; i++) {
        const struct arrow_column *c = &x->columns[i];
        x->nodes[i] = c->nulls;
        count = place_add(x, count, c->validity);
        if (c->texts) count = place_add(x, count, c->offsets);
        count = place_add(x, count, c->values);
    }
    put_head(x, &head, o->length - x->head_bytes, count);
    o->failed |= head.failed;
    if (!o->failed) memcpy(o->data, head.data, x->head_bytes);
    out_close(&head);
    x->e.rows += x->rows;
    x->rows = 0;
}

static bool batch_full(const struct arrow_export *x)
{
    if (x->parts) return x->rows + TABLE_VECTOR_ROWS > x->rows_max;
    return x->rows == x->rows_max ||
           (x->text_bytes && x->rows * x->width + x->text_bytes >= x->batch_bytes);
}

/* --- steps -------------------------------------------------------------------------------------*/

/* The rows that come next are known: WRITE_COLUMNS; or none are left; or not yet. */
static int rows_work(struct arrow_export *x, uint64_t budget_ns)
{
    struct query *q = x->e.query;
    size_t used = x->rows * x->width + x->text_bytes;
    if (x->rows == 0 && x->e.out.length == 0) batch_begin(x);
    if (x->e.out.failed) return EXPORT_BUSY;
    int found = x->parts ? query_next_part(q, budget_ns, &x->part, &x->e.error)
                         : query_next(q, budget_ns, x->rows_max - x->rows,
                                      used < x->batch_bytes ? x->batch_bytes - used : 1, &x->batch,
                                      &x->e.error);
    if (found < 0) return found;
    if (found == QUERY_ROWS) {
        x->column = 0;
        x->state = WRITE_COLUMNS;
    } else if (found == QUERY_END) {
        x->state = WRITE_END;
        if (x->rows == 0) x->e.out.length = 0;
        else batch_end(x);
        if (x->e.out.length > 0) return EXPORT_PIECE;
    }
    return EXPORT_BUSY;
}

/* One column of the rows under way. */
static int column_work(struct arrow_export *x)
{
    struct arrow_column *c = &x->columns[x->column];
    if (x->parts) add_part(x, c);
    else add_cells(x, c);
    if (++x->column < x->column_count) return EXPORT_BUSY;
    x->rows += x->parts ? x->part.rows : x->batch.rows;
    x->state = WRITE_ROWS;
    if (!batch_full(x)) return EXPORT_BUSY;
    batch_end(x);
    return EXPORT_PIECE;
}

/* A piece ends where a message does, or where it is long enough. */
static int whole_outcome(const struct arrow_export *x)
{
    return x->e.out.length >= x->e.piece_bytes ? EXPORT_PIECE : EXPORT_BUSY;
}

static int dictionary_end(struct arrow_export *x)
{
    x->symbol = 0;
    x->dictionary++;
    x->dictionary_state = MEASURE;
    return EXPORT_PIECE;
}

/* Of the dictionary of one column, which may be empty. */
static int symbols_work(struct arrow_export *x, const struct arrow_column *c)
{
    switch (x->dictionary_state) {
    case MEASURE:
        if (x->dictionary_kind == EXPORT_DICTIONARY_DELTA) {
            x->dictionary_state = WRITE_PIECES;
        } else {
            int outcome = measure_symbols(x, c);
            if (x->dictionary_state != WRITE_PIECES) return outcome;
        }
        __attribute__((fallthrough)); /* nobody makes pieces shorter meanwhile */
    case WRITE_PIECES:
        write_dictionary(x, c);
        return x->symbol == c->symbols ? dictionary_end(x) : EXPORT_PIECE;
    case WRITE_HEAD:
        write_whole_head(x, c);
        return EXPORT_BUSY;
    case WRITE_OFFSETS:
        write_offsets(x, c);
        return whole_outcome(x);
    case WRITE_TEXTS:
        write_texts(x, c);
        return x->symbol == c->symbols ? dictionary_end(x) : whole_outcome(x);
    }
    return EXPORT_BUSY;
}

static int dictionary_work(struct arrow_export *x)
{
    while (x->dictionary < x->column_count && x->columns[x->dictionary].type != TABLE_SYM)
        x->dictionary++;
    if (x->dictionary < x->column_count) return symbols_work(x, &x->columns[x->dictionary]);
    x->state = WRITE_ROWS;
    return EXPORT_BUSY;
}

static bool arrow_settled(const struct export *e)
{
    const struct arrow_export *x = (const struct arrow_export *)e;
    return (x->state == WRITE_ROWS && x->rows == 0) || x->state == WRITE_END;
}

static void arrow_end(struct export *e)
{
    unsigned char *p = out_zeros(&e->out, ARROW_PREFIX_BYTES);
    if (p) put32(p, UINT32_MAX);
}

static int arrow_work(struct export *e, uint64_t budget_ns)
{
    struct arrow_export *x = (struct arrow_export *)e;
    switch (x->state) {
    case FIND_SYMBOLS:
        find_work(x);
        return EXPORT_BUSY;
    case WRITE_SCHEMA:
        arrow_schema_put(&e->out, e->query);
        x->state = WRITE_DICTIONARIES;
        return EXPORT_PIECE;
    case WRITE_DICTIONARIES: return dictionary_work(x);
    case WRITE_ROWS: return rows_work(x, budget_ns);
    case WRITE_COLUMNS: return column_work(x);
    case WRITE_END:
        arrow_end(e);
        return EXPORT_END;
    }
    return EXPORT_END;
}

/* --- from beginning to end --------------------------------------------------------------------*/

static void arrow_close(struct export *e)
{
    struct arrow_export *x = (struct arrow_export *)e;
    for (uint32_t i = 0; i < x->column_count; i++) out_close(&x->columns[i].bytes);
}

/* False: no memory. */
static bool symbols_begin(struct arrow_export *x, struct arrow_column *c)
{
    uint32_t count = table_symbol_count(table_read(x), c->column);
    c->symbols = c->settled = table_symbols_settled(table_read(x), c->column);
    if (count == c->settled) return true;
    c->used = query_keep(x->e.query, ((size_t)count - c->settled + 63) / 64 * sizeof *c->used);
    return c->used;
}

/* False: no memory. */
static bool column_open(struct arrow_export *x, uint32_t i)
{
    const struct query_column *info = query_column(x->e.query, i);
    struct arrow_column *c = &x->columns[i];
    c->type = info->type;
    c->null = info->null;
    c->column = info->column;
    c->texts = table_type_class(c->type) == TABLE_CLASS_TEXT;
    c->bytes.query = x->e.query;
    if (!c->texts && c->type != TABLE_BOOL) c->width = table_type_bytes(c->type);
    x->width += c->texts ? 4 : c->width;
    if (c->texts) x->parts = false;
    return c->type != TABLE_SYM || symbols_begin(x, c);
}

/* The size of a record batch's metadata. False: no memory. */
static bool measure_head(struct arrow_export *x)
{
    struct table_out head = {.query = x->e.query};
    uint32_t count = 0;
    for (uint32_t i = 0; i < x->column_count; i++) count += x->columns[i].texts ? 3 : 2;
    put_head(x, &head, 0, count);
    x->head_bytes = head.length;
    bool failed = head.failed;
    out_close(&head);
    return !failed;
}

static int arrow_create(struct query *q, struct query *counter, const struct export_options *o,
                        struct export **e, struct query_error *error)
{
    (void)counter;
    int failed = export_check_names(q, "Arrow", error);
    if (failed) return failed;
    struct arrow_export *x = query_keep(q, sizeof *x);
    if (!x) return export_fail_memory(q, error);
    x->e.query = q;
    x->column_count = query_column_count(q);
    x->dictionary_kind = o->dictionary;
    x->dictionary_bytes = o->dictionary_bytes ? o->dictionary_bytes : EXPORT_DICTIONARY_BYTES;
    x->parts = query_has_parts(q);
    x->columns = query_keep(q, x->column_count * sizeof *x->columns);
    x->places = query_keep(q, x->column_count * 3 * sizeof *x->places);
    x->nodes = query_keep(q, x->column_count * sizeof *x->nodes);
    if (!x->columns || !x->places || !x->nodes) return export_fail_memory(q, error);
    for (uint32_t i = 0; i < x->column_count; i++)
        if (!column_open(x, i)) return export_fail_memory(q, error);
    if (!measure_head(x)) return export_fail_memory(q, error);
    *e = &x->e;
    return 0;
}

const struct export_class arrow_export = {arrow_create, arrow_work, arrow_close, arrow_settled,
                                         arrow_end};
