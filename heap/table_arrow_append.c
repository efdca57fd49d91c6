/* table_arrow_append.c - rows of a checked Arrow batch go into the table, some thousands a call, or
 * some hundred kilobytes of texts. */
#include "heap/table_arrow_int.h"

#include <inttypes.h>

#define NAME(length, data) (int)((length) > 64 ? 64 : (length)), (const char *)(data)

/* Some rows of one column, and where they go. */
struct slice {
    struct arrow_reader *r;
    struct table_append *append;
    uint32_t column; /* of the table */
    struct arrow_column *c;
    const struct arrow_array *array;
    uint64_t first; /* in the batch */
    uint32_t count;
};

/* As a client counts rows: from 1, of the whole stream. */
static uint64_t slice_row(const struct slice *s, uint32_t i)
{
    return s->r->rows - s->r->batch_done + s->first + i + 1;
}

static bool slice_null(const struct slice *s, uint32_t i)
{
    uint64_t row = s->first + i;
    return s->array->valid && !(s->array->valid[row / 8] >> row % 8 & 1);
}

static int slice_raw(const struct slice *s, const void *elements)
{
    return table_append_raw(s->append, s->column, s->count, elements, s->array->valid, s->first,
                            &s->r->error);
}

static int slice_bits(const struct slice *s)
{
    unsigned char *bytes = s->r->room.elements;
    for (uint32_t i = 0; i < s->count; i++) {
        uint64_t row = s->first + i;
        bytes[i] = s->array->values[row / 8] >> row % 8 & 1;
    }
    return slice_raw(s, bytes);
}

static int slice_texts(const struct slice *s)
{
    struct table_text *texts = s->r->room.texts;
    bool large = s->c->layout == LAYOUT_LARGE_TEXTS;
    for (uint32_t i = 0; i < s->count; i++) {
        int failed = arrow_text(s->r, s->array, large, s->first + i, &texts[i]);
        if (failed) return failed;
        if (slice_null(s, i)) texts[i].data = NULL;
    }
    return table_append_texts(s->append, s->column, s->count, texts, &s->r->error);
}

/* --- dates and times in other units ------------------------------------------------------------*/

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int slice_times(const struct slice *s)
{
    const struct arrow_column *c = s->c;
    bool date = c->field.type == TABLE_DATE;
    unsigned char *to = s->r->room.elements;
    for (uint32_t i = 0; i < s->count; i++) {
        int64_t given, v;
        memcpy(&given, s->array->values + (s->first + i) * 8, 8);
        bool bad = __builtin_mul_overflow(given, c->multiply, &v);
        v = divide_down(v, c->divide);
        if (date) bad |= v < INT32_MIN || v > INT32_MAX;
        if (bad && !slice_null(s, i))
            return arrow_wrong(s->r, "column \"%.*s\", record %" PRIu64 ": %" PRId64 " is too far "
                                     "from 1970 for a %s",
                               NAME(c->field.name_length, c->field.name), slice_row(s, i), given,
                               table_type_name(c->field.type));
        if (date)
            put32(to + i * 4, bad ? 0 : (uint32_t)(int32_t)v);
        else
            put64(to + i * 8, bad ? 0 : (uint64_t)v);
    }
    return slice_raw(s, to);
}

/* --- symbols -----------------------------------------------------------------------------------*/

static uint64_t slice_index(const struct slice *s, uint32_t i)
{
    const unsigned char *at = s->array->values + (s->first + i) * s->c->width;
    uint64_t index = 0;
    memcpy(&index, at, s->c->width);
    unsigned unused = 64 - s->c->width * 8;
    /* A negative index becomes a large one, which no dictionary has. */
    return s->c->index_signed ? (uint64_t)((int64_t)(index << unused) >> unused) : index;
}

static struct table_text entry_of(const struct arrow_dictionary *d, uint32_t index)
{
    uint64_t begin = index ? d->ends[index - 1] : 0;
    const char *bytes = d->bytes.data ? (const char *)d->bytes.data : "";
    return (struct table_text){bytes + begin, d->ends[index] - begin};
}

/* 0, and the entry of row `i`, which is not null; or an error. */
static int slice_entry(const struct slice *s, uint32_t i, uint32_t *index)
{
    uint64_t given = slice_index(s, i);
    uint32_t values = s->r->dictionaries[s->c->dictionary].count;
    *index = (uint32_t)given;
    if (given < values) return 0;
    return arrow_wrong(s->r, "column \"%.*s\", record %" PRIu64 ": index %" PRId64 " in a "
                             "dictionary of %" PRIu32 " values", NAME(s->c->field.name_length,
                       s->c->field.name), slice_row(s, i), (int64_t)given, values);
}

/* The block of an entry, or NULL. What it tells of a dictionary that was replaced is forgotten. */
static struct arrow_codes *codes_find(const struct arrow_column *c, uint32_t index)
{
    struct arrow_codes *codes = c->blocks[index / ARROW_BLOCK_CODES];
    if (codes && codes->generation != c->generation) {
        memset(codes->codes, 0xff, sizeof codes->codes);
        codes->generation = c->generation;
    }
    return codes;
}

static int codes_add(struct arrow_reader *r, const struct arrow_column *c, uint32_t index)
{
    struct arrow_codes *codes;
    if (sizeof *codes > r->limits.codes_bytes - r->codes_bytes)
        return arrow_wrong(r, "dictionaries whose codes take more than %zu bytes, which is the "
                              "limit; columns share them, but have codes of their own",
                           r->limits.codes_bytes);
    codes = malloc(sizeof *codes);
    if (!codes) return arrow_fail_memory(r);
    r->codes_bytes += sizeof *codes;
    memset(codes->codes, 0xff, sizeof codes->codes);
    codes->generation = c->generation;
    c->blocks[index / ARROW_BLOCK_CODES] = codes;
    return 0;
}

static int symbol_code(const struct slice *s, uint32_t index, uint32_t *code)
{
    struct arrow_codes *codes = codes_find(s->c, index);
    *code = codes ? codes->codes[index % ARROW_BLOCK_CODES] : UINT32_MAX;
    if (*code != UINT32_MAX) return 0;
    if (!codes) {
        int failed = codes_add(s->r, s->c, index);
        if (failed) return failed;
        codes = codes_find(s->c, index);
    }
    struct table_text text = entry_of(&s->r->dictionaries[s->c->dictionary], index);
    int failed = table_symbol_intern(s->r->table, s->column, text.data, text.length, code,
                                     &s->r->error);
    if (failed) return failed;
    codes->codes[index % ARROW_BLOCK_CODES] = *code;
    s->c->known++;
    return 0;
}

static int slice_symbols(const struct slice *s)
{
    unsigned char *to = s->r->room.elements;
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t code = 0, index;
        if (!slice_null(s, i)) {
            int failed = slice_entry(s, i, &index);
            if (!failed) failed = symbol_code(s, index, &code);
            if (failed) return failed;
        }
        put32(to + i * 4, code);
    }
    return slice_raw(s, to);
}

/* A dictionary's texts for a column of str. */
static int slice_entries(const struct slice *s)
{
    struct table_text *texts = s->r->room.texts;
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t index;
        texts[i] = (struct table_text){NULL, 0};
        if (slice_null(s, i)) continue;
        int failed = slice_entry(s, i, &index);
        if (failed) return failed;
        texts[i] = entry_of(&s->r->dictionaries[s->c->dictionary], index);
    }
    return table_append_texts(s->append, s->column, s->count, texts, &s->r->error);
}

/* --- rows --------------------------------------------------------------------------------------*/

static int append_slice(const struct slice *s)
{
    if (s->c->dictionary != UINT32_MAX)
        return table_field(s->r->table, s->column)->type == TABLE_SYM ? slice_symbols(s)
                                                                      : slice_entries(s);
    switch (s->c->layout) {
    case LAYOUT_BITS: return slice_bits(s);
    case LAYOUT_TEXTS: case LAYOUT_LARGE_TEXTS: return slice_texts(s);
    default:
        if (s->c->multiply != 1 || s->c->divide != 1) return slice_times(s);
        return slice_raw(s, s->array->values + s->first * s->c->width);
    }
}

static int append_column(struct arrow_reader *r, struct table_append *a, uint32_t column,
                         uint32_t rows)
{
    struct slice s = {r, a, r->columns[column].target, &r->columns[column], &r->arrays[column],
                      r->batch_done, 0};
    uint32_t left = rows;
    int failed = 0;
    for (; left && !failed; left -= s.count, s.first += s.count) {
        s.count = left < ARROW_ROOM_ROWS ? left : ARROW_ROOM_ROWS;
        failed = append_slice(&s);
    }
    return failed;
}

static int append_columns(struct arrow_reader *r, struct table_append *a, uint32_t rows)
{
    int failed = 0;
    for (uint32_t i = 0; i < r->column_count && !failed; i++)
        failed = append_column(r, a, i, rows);
    for (uint32_t i = 0; i < table_column_count(r->table) && !failed; i++)
        if (!r->filled[i]) failed = table_append_nulls(a, i, rows, &r->error);
    return failed;
}

/* --- how many rows -----------------------------------------------------------------------------*/

/* What row `i` copies from a dictionary: a text, or a symbol that is new and the block for it. */
static size_t entry_bytes(const struct slice *s, uint32_t i, bool symbols)
{
    const struct arrow_dictionary *d = &s->r->dictionaries[s->c->dictionary];
    uint64_t index = slice_index(s, i);
    if (slice_null(s, i) || index >= d->count) return 0; /* which will be refused */
    size_t bytes = entry_of(d, (uint32_t)index).length;
    if (!symbols) return bytes;
    const struct arrow_codes *codes = codes_find(s->c, (uint32_t)index);
    if (!codes) return bytes + sizeof *codes;
    return codes->codes[index % ARROW_BLOCK_CODES] == UINT32_MAX ? bytes : 0;
}

/* About how many bytes of texts the slice copies, as far as they matter: more than `most` is told
 * as some number above it. */
static size_t slice_bytes(const struct slice *s, size_t most)
{
    bool large = s->c->layout == LAYOUT_LARGE_TEXTS;
    size_t bytes = 0;
    if (s->c->dictionary != UINT32_MAX) {
        bool symbols = table_field(s->r->table, s->column)->type == TABLE_SYM;
        if (symbols && s->c->known == s->r->dictionaries[s->c->dictionary].count) return 0;
        for (uint32_t i = 0; i < s->count && bytes <= most; i++)
            bytes += entry_bytes(s, i, symbols);
    } else if (large || s->c->layout == LAYOUT_TEXTS) {
        uint64_t width = large ? 8 : 4, begin = 0, end = 0;
        memcpy(&begin, s->array->offsets + s->first * width, width);
        memcpy(&end, s->array->offsets + (s->first + s->count) * width, width);
        /* Offsets that go back, or outside, are refused. */
        if (end > begin && end <= s->array->values_bytes) bytes = (size_t)(end - begin);
    }
    return bytes;
}

static size_t rows_bytes(struct arrow_reader *r, uint32_t rows, size_t most)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < r->column_count && bytes <= most; i++) {
        struct slice s = {r, NULL, r->columns[i].target, &r->columns[i], &r->arrays[i],
                          r->batch_done, rows};
        bytes += slice_bytes(&s, most - bytes);
    }
    return bytes;
}

/* How many of the next `*rows` rows one call may append: at least one, which must not be longer
 * than a body, though its texts may come from dictionaries. 0 or an error. */
static int limit_rows(struct arrow_reader *r, uint32_t *rows)
{
    while (*rows > 1 && rows_bytes(r, *rows, ARROW_STEP_BYTES) > ARROW_STEP_BYTES) *rows /= 2;
    if (*rows > 1 || rows_bytes(r, 1, r->limits.body_bytes) <= r->limits.body_bytes) return 0;
    return arrow_wrong(r, "record %" PRIu64 " has texts of more than %zu bytes, which is the limit",
                       r->rows + 1, r->limits.body_bytes);
}

int arrow_append_rows(struct arrow_reader *r)
{
    uint64_t left = r->batch_rows - r->batch_done;
    uint32_t rows = ARROW_STEP_CELLS / table_column_count(r->table);
    struct table_append a;
    if (rows > ARROW_STEP_ROWS) rows = ARROW_STEP_ROWS;
    if (rows > left) rows = (uint32_t)left;
    if (rows == 0) return 0;
    int failed = limit_rows(r, &rows);
    if (failed) return failed;
    table_append_spare_tail(r->table);
    failed = table_append_begin(r->table, rows, &a, &r->error);
    if (failed) return failed;
    failed = append_columns(r, &a, rows);
    if (!failed) failed = table_append_commit(&a, NULL, &r->error);
    if (failed) {
        table_append_abort(&a);
        table_error_tell_row(&r->error, "Arrow", r->rows);
        return failed;
    }
    r->batch_done += rows;
    r->rows += rows;
    return 0;
}
