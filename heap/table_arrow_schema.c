/* table_arrow_schema.c - the columns that an Arrow schema tells, as far as tables have them. */
#include "heap/table_arrow_int.h"

#include <inttypes.h>
#include <stddef.h>

#include "heap/text.h"

static const char *type_text(uint64_t type)
{
    switch (type) {
#define X(name, number, text) case number: return text;
        ARROW_TYPES(X)
#undef X
    default: return "unknown type";
    }
}

/* For "%.*s", of a name that may be long. */
#define NAME(length, data) (int)((length) > 64 ? 64 : (length)), (const char *)(data)

struct reading {
    struct arrow_reader *r;
    struct flat *f;
    const char *name;
    size_t name_length;
};

static int refuse_type(const struct reading *s, const char *what)
{
    return arrow_wrong(s->r, "column \"%.*s\" is of type %s, which tables do not have; flat types "
                             "only: int, float, bool, utf8, binary, date, timestamp",
                       NAME(s->name_length, s->name), what);
}

static int integer_type(const struct reading *s, uint64_t bits, bool is_signed,
                        enum table_type *type)
{
    static const enum table_type types[2][4] = {
        {TABLE_U8, TABLE_U16, TABLE_U32, TABLE_U64}, {TABLE_I8, TABLE_I16, TABLE_I32, TABLE_I64}};
    for (unsigned i = 0; i < 4; i++) {
        if (bits != 8u << i) continue;
        *type = types[is_signed][i];
        return 0;
    }
    return arrow_wrong(s->r, "column \"%.*s\": integers of %" PRIu64 " bits; 8, 16, 32 or 64",
                       NAME(s->name_length, s->name), bits);
}

static int timestamp_type(const struct reading *s, const struct flat_view *t,
                          struct arrow_column *c)
{
    uint64_t unit = flat_view_number(s->f, t, 0, 2, 0);
    static const int64_t factors[][2] = {{1000000, 1}, {1000, 1}, {1, 1}, {1, 1000}};
    if (unit > 3) return refuse_type(s, "timestamp of an unknown unit");
    c->field.type = TABLE_TS;
    c->multiply = factors[unit][0];
    c->divide = factors[unit][1];
    return 0;
}

static int date_type(const struct reading *s, const struct flat_view *t, struct arrow_column *c)
{
    uint64_t unit = flat_view_number(s->f, t, 0, 2, 1);
    if (unit > 1) return refuse_type(s, "date of an unknown unit");
    c->field.type = TABLE_DATE;
    if (unit == 1) {
        c->divide = 86400000;
        c->width = 8;
    }
    return 0;
}

/* Type, layout and width of the values. */
static int column_type(const struct reading *s, uint64_t type, const struct flat_view *t,
                       struct arrow_column *c)
{
    int failed = 0;
    c->multiply = c->divide = 1;
    c->layout = LAYOUT_ELEMENTS;
    switch (type) {
    case ARROW_INT:
        failed = integer_type(s, flat_view_number(s->f, t, 0, 4, 0),
                              flat_view_number(s->f, t, 1, 1, 0) != 0, &c->field.type);
        break;
    case ARROW_FLOAT: {
        uint64_t precision = flat_view_number(s->f, t, 0, 2, 0);
        if (precision != 1 && precision != 2) return refuse_type(s, "float of 16 bits");
        c->field.type = precision == 1 ? TABLE_F32 : TABLE_F64;
        break;
    }
    case ARROW_BOOL:
        c->field.type = TABLE_BOOL;
        c->layout = LAYOUT_BITS;
        break;
    case ARROW_UTF8: case ARROW_LARGE_UTF8: case ARROW_BINARY: case ARROW_LARGE_BINARY:
        c->field.type = type == ARROW_UTF8 || type == ARROW_LARGE_UTF8 ? TABLE_STR : TABLE_BIN;
        c->layout = type == ARROW_UTF8 || type == ARROW_BINARY ? LAYOUT_TEXTS : LAYOUT_LARGE_TEXTS;
        break;
    case ARROW_DATE: failed = date_type(s, t, c); break;
    case ARROW_TIMESTAMP: failed = timestamp_type(s, t, c); break;
    default: return refuse_type(s, type_text(type));
    }
    if (!failed && !c->width) c->width = (unsigned)table_type_bytes(c->field.type);
    return failed;
}

/* --- dictionaries ------------------------------------------------------------------------------*/

static int dictionary_find(const struct reading *s, int64_t id, bool large, uint32_t *index)
{
    struct arrow_reader *r = s->r;
    for (uint32_t i = 0; i < r->dictionary_count; i++) {
        if (r->dictionaries[i].id != id) continue;
        *index = i;
        if (r->dictionaries[i].large == large) return 0;
        return arrow_wrong(r, "column \"%.*s\": dictionary %" PRId64 " has values of two types",
                           NAME(s->name_length, s->name), id);
    }
    *index = r->dictionary_count; /* there is one per column at most */
    r->dictionaries[r->dictionary_count++] = (struct arrow_dictionary){.id = id, .large = large};
    return 0;
}

static int column_dictionary(const struct reading *s, const struct flat_view *encoding,
                             struct arrow_column *c)
{
    struct flat *f = s->f;
    int64_t id = (int64_t)flat_view_number(f, encoding, ARROW_ENCODING_ID, 8, 0);
    struct flat_view index = flat_view_table(f, encoding, ARROW_ENCODING_INDEX);
    uint64_t bits = index.at ? flat_view_number(f, &index, 0, 4, 0) : 32;
    bool is_signed = index.at ? flat_view_number(f, &index, 1, 1, 0) != 0 : true;
    enum table_type type;
    if (c->field.type != TABLE_STR) return refuse_type(s, "dictionary of other values than utf8");
    int failed = integer_type(s, bits, is_signed, &type);
    if (!failed) failed = dictionary_find(s, id, c->layout == LAYOUT_LARGE_TEXTS, &c->dictionary);
    c->field.type = TABLE_SYM;
    c->layout = LAYOUT_ELEMENTS;
    c->width = (unsigned)(bits / 8);
    c->index_signed = is_signed;
    return failed;
}

/* --- the schema --------------------------------------------------------------------------------*/

static int read_field(struct reading *s, const struct flat_view *field, struct arrow_column *c)
{
    struct flat *f = s->f;
    struct flat_elements name = flat_view_vector(f, field, ARROW_FIELD_NAME, 1);
    uint64_t type = flat_view_number(f, field, ARROW_FIELD_TYPE_ID, 1, 0);
    struct flat_view t = flat_view_table(f, field, ARROW_FIELD_TYPE);
    struct flat_view encoding = flat_view_table(f, field, ARROW_FIELD_DICTIONARY);
    if (f->wrong) return 0;
    s->name = (const char *)f->data + name.at;
    s->name_length = name.count;
    if (!utf8_valid(s->name, s->name_length)) /* as the format wants it; nor are others written */
        return arrow_wrong(s->r, "the name of column %td is not UTF-8", c - s->r->columns + 1);
    c->dictionary = UINT32_MAX;
    c->field.null = flat_view_number(f, field, ARROW_FIELD_NULLABLE, 1, 0) != 0;
    c->field.name_length = name.count;
    c->name_at = s->r->names.length;
    out_put(&s->r->names, s->name, name.count);
    if (s->r->names.failed) return arrow_fail_memory(s->r);
    if (flat_view_vector(f, field, ARROW_FIELD_CHILDREN, 4).count)
        return refuse_type(s, type_text(type));
    int failed = column_type(s, type, &t, c);
    if (!failed && encoding.at) failed = column_dictionary(s, &encoding, c);
    return failed;
}

/* Texts go into both kinds of text columns. */
static bool suits(enum table_type ours, enum table_type theirs)
{
    bool texts = theirs == TABLE_STR || theirs == TABLE_SYM;
    return ours == theirs || (texts && (ours == TABLE_STR || ours == TABLE_SYM));
}

/* The table that the caller gives has the columns of the stream, by name. */
static int check_table(struct arrow_reader *r)
{
    r->filled = calloc(table_column_count(r->table), sizeof *r->filled);
    if (!r->filled) return arrow_fail_memory(r);
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct arrow_column *c = &r->columns[i];
        const struct table_field *theirs = &c->field;
        c->target = table_column_named(r->table, theirs->name, theirs->name_length);
        if (c->target == UINT32_MAX)
            return arrow_wrong(r, "the table has no column \"%.*s\"",
                               NAME(theirs->name_length, theirs->name));
        if (r->filled[c->target])
            return arrow_wrong(r, "a second column \"%.*s\"",
                               NAME(theirs->name_length, theirs->name));
        r->filled[c->target] = true;
        const struct table_field *ours = table_field(r->table, c->target);
        if (!suits(ours->type, theirs->type))
            return arrow_wrong(r, "column \"%.*s\" is of type %s; the table's is of type %s",
                               NAME(theirs->name_length, theirs->name),
                               table_type_name(theirs->type), table_type_name(ours->type));
    }
    return 0;
}

static int open_table(struct arrow_reader *r)
{
    struct table_field *fields = calloc(r->column_count, sizeof *fields);
    if (!fields) return arrow_fail_memory(r);
    for (uint32_t i = 0; i < r->column_count; i++) {
        r->columns[i].field.name = (const char *)r->names.data + r->columns[i].name_at;
        fields[i] = r->columns[i].field;
    }
    struct table *t = NULL;
    int failed = r->open(r->open_data, fields, r->column_count, &t, &r->error);
    free(fields);
    if (failed) return failed;
    r->table = t;
    return check_table(r);
}

int arrow_read_schema(struct arrow_reader *r, struct flat *f, const struct flat_view *schema)
{
    struct reading s = {r, f, "", 0};
    struct flat_elements fields = flat_view_vector(f, schema, ARROW_SCHEMA_FIELDS, 4);
    if (f->wrong) return 0;
    if (flat_view_number(f, schema, ARROW_SCHEMA_ENDIANNESS, 2, 0) != 0)
        return arrow_wrong(r, "big-endian numbers; only little-endian ones are read");
    if (fields.count == 0 || fields.count > TABLE_COLUMNS_MAX)
        return arrow_wrong(r, "%" PRIu32 " columns; a table has 1 to %d", fields.count,
                           TABLE_COLUMNS_MAX);
    r->columns = calloc(fields.count, sizeof *r->columns);
    r->dictionaries = calloc(fields.count, sizeof *r->dictionaries);
    r->arrays = calloc(fields.count, sizeof *r->arrays);
    if (!r->columns || !r->dictionaries || !r->arrays) return arrow_fail_memory(r);
    r->column_count = fields.count;
    for (uint32_t i = 0; i < fields.count; i++) {
        struct flat_view field = flat_view_element(f, fields.at + 4 * (size_t)i);
        int failed = f->wrong ? 0 : read_field(&s, &field, &r->columns[i]);
        if (failed || f->wrong) return failed;
    }
    return open_table(r);
}
