/* table.c - making tables, their schemas, and how they end. */
#include "heap/table_draft.h"
#include "heap/table_index.h"
#include "heap/table_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- names -------------------------------------------------------------------------------------*/

struct type_facts {
    const char *name;
    size_t bytes;
};
static const struct type_facts types[] = {
#define X(name, text, class, bytes) {text, bytes},
    TABLE_TYPES(X)
#undef X
};

const char *table_type_name(enum table_type type) { return types[type].name; }
size_t table_type_bytes(enum table_type type) { return types[type].bytes; }

enum table_type table_type_named(const char *name, size_t length)
{
    for (unsigned i = 0; i < TABLE_TYPE_COUNT; i++)
        if (strlen(types[i].name) == length && memcmp(types[i].name, name, length) == 0)
            return (enum table_type)i;
    return TABLE_TYPE_COUNT;
}

const char *table_encoding_name(enum table_encoding encoding)
{
    static const char *const names[] = {
#define X(name, text) text,
        TABLE_ENCODINGS(X)
#undef X
    };
    return names[encoding];
}

/* --- errors ------------------------------------------------------------------------------------*/

int table_fail(struct table_error *error, enum table_fault fault, uint64_t row, uint32_t column,
               const char *format, ...)
{
    static const int numbers[] = {
        0,
#define X(name, number) number,
        TABLE_FAULTS(X)
#undef X
    };
    if (error) {
        *error = (struct table_error){.fault = fault, .row = row, .column = column};
        va_list args;
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return -numbers[fault];
}

int table_fail_memory(struct table_error *error)
{
    return table_fail(error, TABLE_FAULT_MEMORY, UINT64_MAX, UINT32_MAX, "memory is short");
}

void table_error_tell_row(struct table_error *error, const char *what, uint64_t done)
{
    char copy[TABLE_ERROR_BYTES];
    const char *rest = strchr(error->text, ',');
    if (error->row == UINT64_MAX || strncmp(error->text, "row ", 4) != 0 || !rest) return;
    snprintf(copy, sizeof copy, "%s", rest);
    snprintf(error->text, sizeof error->text, "%s record %" PRIu64 "%.280s", what,
             done + error->row + 1, copy);
}

int table_fail_texts(const struct table_field *f, uint32_t column, struct table_error *error)
{
    return table_fail(error, TABLE_FAULT_LIMIT, UINT64_MAX, column,
                      "column \"%.*s\": the texts of %d rows would have more than %zu bytes, which "
                      "is the limit", (int)f->name_length, f->name, TABLE_CHUNK_ROWS,
                      TABLE_CHUNK_TEXT_BYTES_MAX);
}

/* --- schemas -----------------------------------------------------------------------------------*/

static int check_field(const struct table_field *f, uint32_t column, struct table_error *error)
{
    if (f->name_length == 0 || f->name_length > TABLE_NAME_BYTES_MAX)
        return table_fail(error, TABLE_FAULT_SCHEMA, UINT64_MAX, column,
                          "the name of column %u has %zu bytes; 1 to %d are possible", column,
                          f->name_length, TABLE_NAME_BYTES_MAX);
    if (f->sorted && f->null)
        return table_fail(error, TABLE_FAULT_SCHEMA, UINT64_MAX, column,
                          "column \"%.*s\" is to be sorted and to have nulls; null has no place in "
                          "the order",
                          (int)f->name_length, f->name);
    if (f->sorted && table_type_class(f->type) == TABLE_CLASS_SYMBOL)
        return table_fail(error, TABLE_FAULT_SCHEMA, UINT64_MAX, column,
                          "column \"%.*s\" of type sym cannot be sorted; use the type str",
                          (int)f->name_length, f->name);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct table_field *x = *(const struct table_field *const *)a;
    const struct table_field *y = *(const struct table_field *const *)b;
    return text_bytes_compare((struct table_text){x->name, x->name_length},
                              (struct table_text){y->name, y->name_length});
}

static int check_names(const struct table_field *fields, uint32_t count,
                       struct table_error *error)
{
    const struct table_field *sorted[TABLE_COLUMNS_MAX];
    for (uint32_t i = 0; i < count; i++) sorted[i] = &fields[i];
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (uint32_t i = 1; i < count; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            return table_fail(error, TABLE_FAULT_SCHEMA, UINT64_MAX,
                              (uint32_t)(sorted[i] - fields), "two columns are named \"%.*s\"",
                              (int)sorted[i]->name_length, sorted[i]->name);
    return 0;
}

int table_check_schema(const struct table_field *fields, uint32_t count,
                       struct table_error *error)
{
    if (count == 0 || count > TABLE_COLUMNS_MAX)
        return table_fail(error, TABLE_FAULT_SCHEMA, UINT64_MAX, UINT32_MAX,
                          "a table has 1 to %d columns, not %u", TABLE_COLUMNS_MAX, count);
    for (uint32_t i = 0; i < count; i++) {
        int failed = check_field(&fields[i], i, error);
        if (failed) return failed;
    }
    return check_names(fields, count, error);
}

/* --- tables --------------------------------------------------------------------------------------
 *
 * One block: the structure, fields, symbols' places, kinds of indexes, names. */

static size_t table_free_step(struct external *e, size_t words, bool *done);
static int table_check(const struct external *e, char *message, size_t size);

static const struct external_class table_class = {
    .name = "table",
    .free_step = table_free_step,
    .verify = table_check,
};

bool external_is_table(const struct external *e) { return e->class == &table_class; }

struct table *table_new(struct heap *h, const struct table_field *fields, uint32_t count)
{
    size_t names = 0;
    for (uint32_t i = 0; i < count; i++) names += fields[i].name_length;
    size_t bytes = sizeof(struct table) + count * sizeof(struct table_field) +
                   count * sizeof(struct symbols *) + 2 * (size_t)count + names;
    struct external account = {.class = &table_class, .heap = h};
    if (external_add(&account, bytes) != 0) return NULL;
    struct table *t = calloc(1, bytes);
    if (!t) {
        external_subtract(&account, bytes);
        return NULL;
    }
    t->external = account;
    t->struct_bytes = bytes;
    t->column_count = count;
    t->fields = (struct table_field *)(t + 1);
    t->symbols = (struct symbols **)(t->fields + count);
    t->index_kinds = (uint8_t *)(t->symbols + count);
    t->index_settled = t->index_kinds + count;
    char *name = (char *)(t->index_settled + count);
    for (uint32_t i = 0; i < count; i++) {
        t->fields[i] = fields[i];
        t->fields[i].name = memcpy(name, fields[i].name, fields[i].name_length);
        name += fields[i].name_length;
    }
    return t;
}

/* Everything but the block itself, for a table that nobody else holds. */
static size_t table_empty(struct table *t, size_t words, bool *done)
{
    size_t work = 1;
    bool version_done = !t->current;
    sealer_close(t);
    compactor_close(t);
    indexer_close(t);
    if (t->current) work += version_dispose(t->current, words, &version_done);
    if (!version_done) return work;
    free(t->current);
    t->current = NULL;
    for (uint32_t i = 0; i < t->column_count; i++)
        while (t->symbols[i]) {
            if (work >= words) return work;
            if (symbols_free_some(t, t->symbols[i], &work)) t->symbols[i] = NULL;
        }
    if (t->dying_parts) return work; /* they are first in the queue now, and need the table */
    *done = true;
    return work;
}

static size_t table_free_step(struct external *e, size_t words, bool *done)
{
    struct table *t = table_of_external(e);
    size_t work = table_empty(t, words, done);
    if (*done) external_subtract(e, t->struct_bytes);
    return work;
}

static int table_fill(struct table *t)
{
    t->current = version_new(t);
    if (!t->current) return -ENOMEM;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->fields[i].type == TABLE_SYM && !(t->symbols[i] = symbols_new(t))) return -ENOMEM;
    return 0;
}

int table_create(struct heap *h, const struct table_field *fields, uint32_t count, value *table,
                 struct table_error *error)
{
    *table = VALUE_ABSENT;
    int failed = table_check_schema(fields, count, error);
    if (failed) return failed;
    struct table *t = table_new(h, fields, count);
    if (!t) return table_fail_memory(error);
    if (table_fill(t) == 0) *table = external_leaf_new(h, &t->external);
    if (*table != VALUE_ABSENT) return 0;
    bool done = false;
    table_free_step(&t->external, SIZE_MAX / 2, &done);
    assert(done);
    free(t);
    return table_fail_memory(error);
}

struct table *table_of(const struct heap *h, value v)
{
    return table_of_external(external_of(h, v));
}

uint32_t table_column_count(const struct table *t) { return t->column_count; }

const struct table_field *table_field(const struct table *t, uint32_t column)
{
    assert(column < t->column_count);
    return &t->fields[column];
}

uint32_t table_column_named(const struct table *t, const char *name, size_t length)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->fields[i].name_length == length && memcmp(t->fields[i].name, name, length) == 0)
            return i;
    return UINT32_MAX;
}

uint64_t table_row_count(const struct table *t) { return table_version_rows(t->current); }
size_t table_bytes(const struct table *t) { return external_counted(&t->external); }

/* The first living table of which `is` holds, or NULL. */
static struct table *first_table(struct heap *h, bool (*is)(struct table *t))
{
    for (struct external *e = h->external.living; e; e = e->next)
        if (external_is_table(e) && is(table_of_external(e))) return table_of_external(e);
    return NULL;
}

static bool is_unsealed(struct table *t) { return table_seal_pending(t); }
static bool is_uncompacted(struct table *t) { return table_compact_pending(t, false); }
static bool is_droppable(struct table *t) { return table_drop_pending(t); }
static bool is_recovering(struct table *t) { return table_is_recovering(t); }

struct table *table_first_unsealed(struct heap *h) { return first_table(h, is_unsealed); }
struct table *table_first_uncompacted(struct heap *h) { return first_table(h, is_uncompacted); }
struct table *table_first_droppable(struct heap *h) { return first_table(h, is_droppable); }
struct table *table_first_recovering(struct heap *h) { return first_table(h, is_recovering); }
struct table *table_first_unindexed(struct heap *h) { return first_table(h, table_index_pending); }

/* --- the checker -------------------------------------------------------------------------------*/

/* What the current version says of itself. Bytes are checked by the heap, and by their being 0 at
 * the end. */
static int table_check(const struct external *e, char *message, size_t size)
{
    const struct table *t = (const struct table *)e;
    const struct table_version *v = t->current;
    uint64_t slots = 0, deleted = 0;
    bool even = true;
    for (uint32_t i = 0; i < v->chunk_count; i++) {
        const struct chunk *c = version_chunk(v, i);
        uint32_t here = version_slots(v, i), marked = 0;
        slots += here;
        if (here == 0 || here > TABLE_CHUNK_ROWS)
            return verify_fail(message, size, "chunk %u of a table has %u slots", i, here);
        if (i + 1 < v->chunk_count && here != TABLE_CHUNK_ROWS) even = false;
        for (uint32_t s = 0; c->deletions && s < here; s++)
            marked += bit_get(c->deletions->bits, s);
        if (c->deletions && marked != c->deletions->count)
            return verify_fail(message, size, "chunk %u counts %u deletions, and has %u", i,
                               c->deletions->count, marked);
        deleted += marked;
        for (uint32_t k = 0; k < t->column_count; k++) {
            const struct column *column = c->columns[k].column;
            if (!column || column->refs == 0)
                return verify_fail(message, size, "chunk %u of a table lacks column %u", i, k);
            if (!column->sealed && ((const struct plain_column *)column)->capacity < here)
                return verify_fail(message, size, "column %u of chunk %u has less room than rows",
                                   k, i);
            if (column->sealed && ((const struct sealed_column *)column)->slots != here)
                return verify_fail(message, size, "column %u of chunk %u has %u slots, not %u", k,
                                   i, ((const struct sealed_column *)column)->slots, here);
            if (!column->sealed && c->columns[k].overlay)
                return verify_fail(message, size, "plain column %u of chunk %u has an overlay", k,
                                   i);
            const char *index = index_check(v, i, k);
            if (index)
                return verify_fail(message, size, "the index on column %u of chunk %u %s", k, i,
                                   index);
        }
    }
    if (slots != v->slots || deleted != v->deleted || (v->even && (deleted || !even)))
        return verify_fail(message, size,
                           "a table counts %lu slots, %lu deleted, and has %lu and %lu", v->slots,
                           v->deleted, slots, deleted);
    return 0;
}
