/* table_append.c - new rows: all of them, or none.
 *
 * Room for all rows is made first, beyond what any version sees; then columns are filled one by
 * one; the commit makes them visible. The version from before is pinned meanwhile, and an abort
 * returns to it, takes back new symbols and the texts that went into the arenas of the chunk that
 * was the last. An append in steps leaves that to its draft. */
#include "heap/table_draft.h"
#include "heap/table_digits.h"
#include "heap/table_int.h"

#include <inttypes.h>
#include <stdlib.h>

struct append_column {
    uint64_t filled;
    uint32_t symbols;             /* how many there were */
    bool had_arena;
    const struct text_piece *piece; /* the arena's newest, and */
    size_t used;                  /* how full it was */
    size_t text_bytes;
};

/* --- room --------------------------------------------------------------------------------------*/

static struct plain_column *plain_at(const struct table *t, uint32_t chunk, uint32_t column)
{
    return (struct plain_column *)version_chunk(t->current, chunk)->columns[column].column;
}

/* Whether rows can be added to the last chunk. */
static bool tail_has_room(const struct table *t)
{
    const struct table_version *v = t->current;
    return v->chunk_count > 0 && v->tail_slots < TABLE_CHUNK_ROWS &&
           v->chunk_count != t->closed_count;
}

/* A column of texts of the last chunk to which rows can be added without more ado, or NULL. */
static struct plain_column *open_texts(const struct table *t, uint32_t column)
{
    if (!tail_has_room(t) || !field_is_text(&t->fields[column])) return NULL;
    struct plain_column *p = plain_at(t, t->current->chunk_count - 1, column);
    return p->head.sealed ? NULL : p;
}

/* Capacities double from 64 on, and then grow in steps: little is copied, and little is empty. Who
 * appends many rows at a time will go on: there is room for some more such appends at once, as a
 * copy of a column for each would cost more than the rows do. */
#define CAPACITY_STEP 8192
#define CAPACITY_APPENDS 16
static uint32_t grown(uint32_t capacity, uint32_t used, uint32_t needed)
{
    uint64_t step = (uint64_t)(needed - used) * CAPACITY_APPENDS;
    if (step < CAPACITY_STEP) step = capacity < CAPACITY_STEP ? capacity : CAPACITY_STEP;
    uint64_t wanted = capacity + step;
    if (wanted < needed) wanted = needed;
    if (wanted > TABLE_CHUNK_ROWS) return TABLE_CHUNK_ROWS;
    return wanted < 64 ? 64 : (uint32_t)wanted;
}

/* What a draft will change of the last chunk that it began with: texts go into its arenas; and
 * `kept`, if it is of that chunk. */
static int mark_for_draft(struct table *t, uint32_t column, struct plain_column *kept)
{
    const struct table_version *base = table_draft_base(t->draft);
    uint32_t chunk = t->current->chunk_count - 1;
    if (chunk >= base->chunk_count) return 0;
    struct column *c = version_chunk(base, chunk)->columns[column].column;
    if (c->sealed) return 0;
    struct plain_column *p = (struct plain_column *)c;
    if (p != kept && !p->arena) return 0;
    return table_draft_mark(t->draft, p->arena, p == kept ? p : NULL);
}

/* Of texts, between two looks at the clock: some tens of microseconds. */
#define OPEN_TEXT_BYTES ((size_t)128 << 10)

/* A part of a column of the last chunk, which was sealed when the table was quiet; behind the
 * last one the column is plain, as this version sees it. 1: there is more to do; 0; -ENOMEM. */
static int open_column(struct table_append *a, uint32_t column, uint32_t slots)
{
    struct table *t = a->t;
    uint32_t chunk = t->current->chunk_count - 1;
    struct column_view view = column_view(t->current, chunk, column);
    if (!a->opening) {
        a->opening = plain_column_new(t, column, grown(view.slots, view.slots, slots));
        a->row = 0;
        return a->opening ? 1 : -ENOMEM;
    }
    if (a->row < view.slots)
        return plain_part(t, a->opening, &view, &a->row, OPEN_TEXT_BYTES) ? -ENOMEM : 1;
    struct chunk *c = chunk_writable(t, chunk);
    if (!c) return -ENOMEM;
    column_unref(t, c->columns[column].column);
    overlay_unref(t, c->columns[column].overlay);
    a->opening->written = view.slots;
    c->columns[column] = (struct chunk_column){.column = &a->opening->head};
    a->opening = NULL;
    return 0;
}

/* Elements [used, slots) of one column of the last chunk become writable, unseen by anybody. A
 * draft fills them in later steps, and forks may append meanwhile: so it claims them at once. */
static int reserve_column(struct table *t, uint32_t column, uint32_t used, uint32_t slots)
{
    uint32_t chunk = t->current->chunk_count - 1;
    struct plain_column *p = plain_at(t, chunk, column);
    bool claimed = p->written > used; /* by a draft, a fork, or before the table went back */
    bool keep = p->capacity >= slots && !claimed;
    if (t->entered && mark_for_draft(t, column, keep ? p : NULL) != 0) return -ENOMEM;
    if (keep) {
        if (t->entered) p->written = slots;
        return 0;
    }
    uint32_t capacity = p->capacity;
    if (capacity < slots) capacity = grown(capacity, used, slots);
    struct chunk *c = chunk_writable(t, chunk);
    if (!c) return -ENOMEM;
    struct plain_column *copy = plain_column_copy(t, column, p, used, capacity);
    if (!copy) return -ENOMEM;
    c->columns[column].column = &copy->head;
    column_unref(t, &p->head);
    return 0;
}

/* One column of the last chunk, or a part of it; behind the last column the rows are there. */
static int extend_tail(struct table_append *a)
{
    struct table *t = a->t;
    struct table_version *v = t->current;
    uint32_t slots = v->tail_slots + a->tail_rows, chunk = v->chunk_count - 1;
    if (a->column < t->column_count) {
        if (version_chunk(v, chunk)->columns[a->column].column->sealed) {
            int more = open_column(a, a->column, slots);
            a->column += more == 0;
            return more < 0 ? -ENOMEM : 0;
        }
        return reserve_column(t, a->column++, v->tail_slots, slots);
    }
    v->slots += a->tail_rows;
    v->tail_slots = slots;
    a->left -= a->tail_rows;
    a->tail_rows = a->column = 0;
    return 0;
}

/* One column of a new chunk; behind the last column the chunk is there. */
static int add_chunk(struct table_append *a)
{
    struct table *t = a->t;
    uint32_t slots = a->left < TABLE_CHUNK_ROWS ? (uint32_t)a->left : TABLE_CHUNK_ROWS;
    if (!a->building && !(a->building = chunk_new(t))) return -ENOMEM;
    if (a->column < t->column_count) {
        struct plain_column *p = plain_column_new(t, a->column, slots);
        if (!p) return -ENOMEM;
        a->building->columns[a->column++].column = &p->head;
        return 0;
    }
    if (version_push_chunk_take(t, a->building, slots) != 0) return -ENOMEM;
    a->building = NULL;
    a->left -= slots;
    a->column = 0;
    return 0;
}

int table_append_reserve(struct table_append *a, uint64_t end_ns)
{
    do {
        if (!a->left) return 0;
        if ((a->tail_rows ? extend_tail(a) : add_chunk(a)) != 0) return -ENOMEM;
    } while (clock_ns() < end_ns);
    return a->left > 0;
}

/* Where the new rows will be. */
static int place_rows(struct table_append *a)
{
    struct table *t = a->t;
    if (!version_writable(t)) return -ENOMEM;
    a->left = a->rows;
    a->first_chunk = t->current->chunk_count;
    a->first_slot = 0;
    if (!a->rows || !tail_has_room(t)) return 0;
    uint32_t used = t->current->tail_slots, room = TABLE_CHUNK_ROWS - used;
    a->tail_rows = a->rows < room ? (uint32_t)a->rows : room;
    a->first_chunk--;
    a->first_slot = used;
    return 0;
}

/* --- begin and end -----------------------------------------------------------------------------*/

static void remember(struct table_append *a)
{
    struct table *t = a->t;
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct append_column *c = &a->columns[i];
        if (t->symbols[i]) c->symbols = symbols_count(t->symbols[i]);
        const struct plain_column *p = open_texts(t, i);
        if (!p) continue;
        c->text_bytes = p->text_bytes;
        c->had_arena = p->arena;
        if (!p->arena || !p->arena->pieces) continue;
        c->piece = p->arena->pieces;
        c->used = c->piece->used;
    }
}

/* Everything but the room. */
static int append_open(struct table *t, uint64_t rows, struct table_append *a,
                       struct table_error *error)
{
    *a = (struct table_append){.t = t, .rows = rows};
    int failed = table_check_writable(t, error);
    if (failed) return failed;
    uint64_t chunks = t->current->chunk_count + rows / TABLE_CHUNK_ROWS + 2;
    if (rows > TABLE_ROWS_MAX || chunks > TABLE_CHUNKS_MAX)
        return table_fail(error, TABLE_FAULT_LIMIT, UINT64_MAX, UINT32_MAX,
                          "%" PRIu64 " more rows would be more than the %" PRIu64
                          " that a table may have", rows, TABLE_ROWS_MAX);
    a->columns = external_alloc(&t->external, t->column_count * sizeof *a->columns);
    if (!a->columns) return table_fail_memory(error);
    memset(a->columns, 0, t->column_count * sizeof *a->columns);
    a->before = table_pin(t);
    if (place_rows(a) == 0) return 0;
    table_append_close(a);
    return table_fail_memory(error);
}

/* Whether opening the last chunk again, which was sealed when the table was quiet, would be too
 * long for one step. */
#define OPEN_CELLS_MAX 262144
static bool tail_is_dear(const struct table *t)
{
    if (!tail_has_room(t)) return false;
    uint32_t chunk = t->current->chunk_count - 1;
    uint64_t cells = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (!version_chunk(t->current, chunk)->columns[i].column->sealed) continue;
        if (field_is_text(&t->fields[i])) return true;
        cells += t->current->tail_slots;
    }
    return cells > OPEN_CELLS_MAX;
}

void table_append_spare_tail(struct table *t)
{
    if (tail_is_dear(t)) table_close_tail(t);
}

int table_append_begin(struct table *t, uint64_t rows, struct table_append *a,
                       struct table_error *error)
{
    int failed = append_open(t, rows, a, error);
    if (failed) return failed;
    remember(a);
    if (table_append_reserve(a, UINT64_MAX) == 0) return 0;
    table_append_abort(a);
    return table_fail_memory(error);
}

int table_append_open(struct table_draft *d, uint64_t rows, struct table_append *a,
                      struct table_error *error)
{
    return append_open(table_draft_table(d), rows, a, error);
}

void table_append_close(struct table_append *a)
{
    if (!a->before) return;
    if (a->building) chunk_unref(a->t, a->building);
    if (a->opening) column_unref(a->t, &a->opening->head);
    external_free(&a->t->external, a->columns, a->t->column_count * sizeof *a->columns);
    table_unpin(a->before);
    *a = (struct table_append){.rows = 0};
}

/* The texts that went into the last chunk of before. */
static void forget_texts(struct table_append *a)
{
    struct table *t = a->t;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct append_column *c = &a->columns[i];
        struct plain_column *p = open_texts(t, i);
        if (!p) continue;
        /* A draft that is gone may have lowered it since. */
        if (p->text_bytes > c->text_bytes) p->text_bytes = c->text_bytes;
        if (p->arena) arena_rewind(t, p->arena, c->piece, c->used);
        if (c->had_arena || !p->arena) continue;
        arena_unref(t, p->arena);
        p->arena = NULL;
    }
}

void append_rewind(struct table_append *a)
{
    struct table *t = a->t;
    forget_texts(a);
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->symbols[i]) symbols_truncate(t, t->symbols[i], a->columns[i].symbols);
}

static int mark_before(struct table_append *a, struct table_draft *d)
{
    struct table *t = a->t;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct append_column *c = &a->columns[i];
        if (t->symbols[i]) table_draft_symbols_before(d, i, c->symbols);
        struct plain_column *p = open_texts(t, i);
        if (p && table_draft_mark_before(d, p, c->had_arena, c->piece, c->used, c->text_bytes) != 0)
            return -ENOMEM;
    }
    return 0;
}

void append_rewind_slowly(struct table_append *a)
{
    struct table_draft *d;
    struct table_error error;
    if (table_draft_open(a->t, &d, &error) != 0) {
        append_rewind(a);
        return;
    }
    if (mark_before(a, d) != 0) append_rewind(a);
    table_draft_abandon(d);
}

void table_append_abort(struct table_append *a)
{
    if (!a->before) return;
    table_restore(a->t, a->before);
    append_rewind(a);
    table_append_close(a);
}

int append_mark(struct table *t, struct table_append *a)
{
    *a = (struct table_append){.t = t};
    a->columns = external_alloc(&t->external, t->column_count * sizeof *a->columns);
    if (!a->columns) return -ENOMEM;
    memset(a->columns, 0, t->column_count * sizeof *a->columns);
    remember(a);
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->symbols[i]) symbols_open(t->symbols[i]);
    return 0;
}

void append_unmark(struct table_append *a, bool leaves)
{
    struct table *t = a->t;
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct symbols *s = t->symbols[i];
        if (s) symbols_close(s, leaves && symbols_count(s) > a->columns[i].symbols);
    }
    external_free(&a->t->external, a->columns, a->t->column_count * sizeof *a->columns);
    a->columns = NULL;
}

/* --- filling -----------------------------------------------------------------------------------*/

struct span {
    struct plain_column *p;
    uint32_t slot, count;
};

/* Where the next rows of a column go, as far as they lie in one chunk. */
static struct span span_of(const struct table_append *a, uint32_t column, uint64_t count)
{
    uint64_t at = a->first_slot + a->columns[column].filled;
    struct span s = {.slot = (uint32_t)(at % TABLE_CHUNK_ROWS)};
    uint32_t room = TABLE_CHUNK_ROWS - s.slot;
    s.count = count < room ? (uint32_t)count : room;
    s.p = plain_at(a->t, a->first_chunk + (uint32_t)(at / TABLE_CHUNK_ROWS), column);
    return s;
}

static void check_call(const struct table_append *a, uint32_t column, uint64_t count)
{
    assert(a->before && column < a->t->column_count);
    assert(count <= a->rows - a->columns[column].filled);
}

static int store_text(struct table_append *a, uint32_t column, struct plain_column *p,
                      uint32_t slot, struct table_text text, struct table_error *error)
{
    struct table *t = a->t;
    const struct table_field *f = &t->fields[column];
    uint64_t row = a->columns[column].filled;
    uint32_t code;
    if (f->type == TABLE_SYM) {
        int failed = table_symbol_intern(t, column, text.data, text.length, &code, error);
        if (!failed) plain_store(p, f, slot, false, code, text);
        return failed;
    }
    if (p->text_bytes + text.length > TABLE_CHUNK_TEXT_BYTES_MAX)
        return table_fail(error, TABLE_FAULT_LIMIT, row, column,
                          "row %" PRIu64 ", column \"%.*s\": the texts of %d rows would have more "
                          "than %zu bytes, which is the limit", row, (int)f->name_length, f->name,
                          TABLE_CHUNK_ROWS, TABLE_CHUNK_TEXT_BYTES_MAX);
    text.data = arena_add(t, &p->arena, text.data, text.length);
    if (!text.data) return table_fail_memory(error);
    p->text_bytes += text.length;
    plain_store(p, f, slot, false, 0, text);
    return 0;
}

static int store_value(struct table_append *a, uint32_t column, const struct span *s, uint32_t i,
                       value v, struct table_scratch *scratch, struct table_error *error)
{
    const struct table_field *f = &a->t->fields[column];
    struct table_cell cell;
    struct table_text none = {NULL, 0};
    int failed = table_cell_from_value(a->t->external.heap, f, a->columns[column].filled, column, v,
                                       &cell, scratch, error);
    if (failed) return failed;
    enum table_class class = table_type_class(f->type);
    if (!cell.null && (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL))
        return store_text(a, column, s->p, s->slot + i, cell.text, error);
    plain_store(s->p, f, s->slot + i, cell.null, cell.null ? 0 : cell_lane(f, &cell), none);
    return 0;
}

#define STORE_WHILE(type, accepted, converted)                                   \
    for (; n < s->count; n++, cells += stride) {                                 \
        value v = *cells;                                                        \
        if (!(accepted)) break;                                                  \
        ((type *)(void *)s->p->elements)[s->slot + n] = (type)(converted);       \
    }
#define IN_RANGE (value_is_int(v) && value_to_int(v) >= min && value_to_int(v) <= max)

/* The usual values, without a detour: doubles of f64, small integers in range. Returns how many
 * cells were such before the first that was not. */
static uint32_t store_plainly(const struct table_field *f, const struct span *s, const value *cells,
                              size_t stride)
{
    size_t bytes = table_type_bytes(f->type);
    enum table_class class = table_type_class(f->type);
    bool is_signed = class == TABLE_CLASS_INT;
    unsigned bits = (unsigned)bytes * 8 - is_signed;
    uint32_t n = 0;
    if (f->type == TABLE_F64) {
        STORE_WHILE(double, value_is_double(v), value_to_double(v));
    } else if (is_signed || (class == TABLE_CLASS_UINT && f->type != TABLE_BOOL)) {
        int64_t max = bits > 62 ? INT64_MAX : ((int64_t)1 << bits) - 1;
        int64_t min = is_signed ? -max - 1 : 0;
        switch (bytes) {
        case 1: STORE_WHILE(uint8_t, IN_RANGE, value_to_int(v)); break;
        case 2: STORE_WHILE(uint16_t, IN_RANGE, value_to_int(v)); break;
        case 4: STORE_WHILE(uint32_t, IN_RANGE, value_to_int(v)); break;
        default: STORE_WHILE(uint64_t, IN_RANGE, value_to_int(v));
        }
    }
    for (uint32_t i = 0; s->p->valid && i < n; i++) bit_set(s->p->valid, s->slot + i);
    return n;
}

int table_append_values(struct table_append *a, uint32_t column, uint64_t count,
                        const value *cells, size_t stride, struct table_error *error)
{
    struct table_scratch scratch = {.capacity = 0};
    int failed = 0;
    check_call(a, column, count);
    while (count && !failed) {
        struct span s = span_of(a, column, count);
        uint32_t stored = store_plainly(&a->t->fields[column], &s, cells, stride);
        cells += stored * stride;
        count -= stored;
        a->columns[column].filled += stored;
        /* One that is not so plain, or, where hardly any are, some more. */
        for (uint32_t i = 0; i < 64 && stored + i < s.count && !failed; i++, cells += stride) {
            failed = store_value(a, column, &s, stored + i, *cells, &scratch, error);
            a->columns[column].filled += !failed;
            count--;
        }
    }
    table_scratch_close(&scratch);
    return failed;
}

static bool raw_valid(const uint8_t *valid, size_t bit)
{
    return !valid || (valid[bit / 8] >> bit % 8 & 1);
}

static int refuse_null(const struct table_append *a, uint32_t column, uint64_t row,
                       struct table_error *error)
{
    const struct table_field *f = &a->t->fields[column];
    return table_fail(error, TABLE_FAULT_NOT_NULL, row, column,
                      "row %" PRIu64 ", column \"%.*s\": a null in a column without nulls", row,
                      (int)f->name_length, f->name);
}

/* Whether all are 0 or 1. */
static bool all_booleans(const uint8_t *bytes, uint64_t count)
{
    uint64_t all = 0, eight;
    for (; count >= sizeof eight; bytes += sizeof eight, count -= sizeof eight) {
        memcpy(&eight, bytes, sizeof eight);
        all |= eight;
    }
    while (count > 0) all |= bytes[--count];
    return !(all & ~(uint64_t)0x0101010101010101);
}

/* Checks what the bytes of an array can have wrong, element by element. */
static int check_raw(const struct table_append *a, uint32_t column, uint64_t count,
                     const void *elements, const uint8_t *valid, size_t offset,
                     struct table_error *error)
{
    const struct table_field *f = &a->t->fields[column];
    uint64_t first = a->columns[column].filled;
    uint32_t symbols = table_symbol_count(a->t, column);
    if (f->type == TABLE_BOOL && !valid && all_booleans(elements, count)) return 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!raw_valid(valid, offset + i)) {
            if (!f->null) return refuse_null(a, column, first + i, error);
            continue;
        }
        uint32_t code = 0;
        uint8_t byte = 0;
        if (f->type == TABLE_SYM) memcpy(&code, (const char *)elements + i * 4, 4);
        if (f->type == TABLE_BOOL) byte = ((const uint8_t *)elements)[i];
        if ((f->type == TABLE_SYM && code >= symbols) || byte > 1)
            return table_fail(error, TABLE_FAULT_RANGE, first + i, column,
                              "row %" PRIu64 ", column \"%.*s\": %u is no %s", first + i,
                              (int)f->name_length, f->name, f->type == TABLE_SYM ? code : byte,
                              f->type == TABLE_SYM ? "code of a symbol" : "boolean, 0 or 1");
    }
    return 0;
}

int table_append_raw(struct table_append *a, uint32_t column, uint64_t count,
                     const void *elements, const uint8_t *valid, size_t valid_offset,
                     struct table_error *error)
{
    const struct table_field *f = &a->t->fields[column];
    size_t bytes = table_type_bytes(f->type);
    check_call(a, column, count);
    assert(bytes);
    if (valid || f->type == TABLE_SYM || f->type == TABLE_BOOL) {
        int failed = check_raw(a, column, count, elements, valid, valid_offset, error);
        if (failed) return failed;
    }
    const unsigned char *from = elements;
    while (count) {
        struct span s = span_of(a, column, count);
        memcpy(s.p->elements + s.slot * bytes, from, s.count * bytes);
        for (uint32_t i = 0; s.p->valid && i < s.count; i++) {
            if (raw_valid(valid, valid_offset + i)) {
                bit_set(s.p->valid, s.slot + i);
            } else {
                bit_clear(s.p->valid, s.slot + i);
                memset(s.p->elements + (s.slot + i) * bytes, 0, bytes);
            }
        }
        from += s.count * bytes;
        valid_offset += s.count;
        count -= s.count;
        a->columns[column].filled += s.count;
    }
    return 0;
}

int table_append_texts(struct table_append *a, uint32_t column, uint64_t count,
                       const struct table_text *texts, struct table_error *error)
{
    const struct table_field *f = &a->t->fields[column];
    check_call(a, column, count);
    while (count) {
        struct span s = span_of(a, column, count);
        for (uint32_t i = 0; i < s.count; i++, texts++) {
            int failed = 0;
            if (texts->data)
                failed = table_check_text(f, a->columns[column].filled, column, *texts, error);
            else if (!f->null)
                failed = refuse_null(a, column, a->columns[column].filled, error);
            if (!failed && texts->data)
                failed = store_text(a, column, s.p, s.slot + i, *texts, error);
            if (failed) return failed;
            if (!texts->data) plain_store(s.p, f, s.slot + i, true, 0, *texts);
            a->columns[column].filled++;
        }
        count -= s.count;
    }
    return 0;
}

int table_append_nulls(struct table_append *a, uint32_t column, uint64_t count,
                       struct table_error *error)
{
    const struct table_field *f = &a->t->fields[column];
    struct table_text none = {NULL, 0};
    check_call(a, column, count);
    if (count && !f->null) return refuse_null(a, column, a->columns[column].filled, error);
    while (count) {
        struct span s = span_of(a, column, count);
        for (uint32_t i = 0; i < s.count; i++) plain_store(s.p, f, s.slot + i, true, 0, none);
        count -= s.count;
        a->columns[column].filled += s.count;
    }
    return 0;
}

/* --- commit ------------------------------------------------------------------------------------*/

/* The cell before the new rows: of the last row that there was, deleted or not. */
static bool cell_before(const struct table_append *a, uint32_t column, struct table_cell *cell)
{
    const struct table_version *v = a->before;
    if (v->chunk_count == 0) return false;
    table_cell(v, v->chunk_count - 1, v->tail_slots - 1, column, cell);
    return true;
}

static void new_cell(const struct table_append *a, uint32_t column, uint64_t row,
                     struct table_cell *cell)
{
    uint64_t at = a->first_slot + row;
    table_cell(a->t->current, a->first_chunk + (uint32_t)(at / TABLE_CHUNK_ROWS),
               (uint32_t)(at % TABLE_CHUNK_ROWS), column, cell);
}

/* What is compared between two looks at the clock. */
#define CHECK_ROWS 256
#define CHECK_BYTES ((size_t)1 << 17)

static int fail_order(const struct table_field *f, uint64_t row, uint32_t column,
                      const struct table_cell *cell, struct table_error *error)
{
    unsigned char digits[DIGITS_ROOM];
    unsigned places = 0;
    struct table_text shown = {(const char *)digits, 0};
    if (f->type == TABLE_DATE) shown.length = digits_date(digits, cell->i);
    else if (f->type == TABLE_TS) shown.length = digits_time(digits, cell->i);
    else if (table_type_class(f->type) == TABLE_CLASS_INT)
        shown.length = digits_int(digits, cell->i);
    else if (table_type_class(f->type) == TABLE_CLASS_FLOAT)
        shown.length = digits_double(digits, cell->d, &places);
    else if (table_type_class(f->type) == TABLE_CLASS_UINT)
        shown.length = digits_uint(digits, cell->u);
    else shown = (struct table_text){"it is", 5};
    return table_fail(error, TABLE_FAULT_ORDER, row, column,
                      "row %" PRIu64 ", column \"%.*s\": %.*s%s less than the row before it, in a "
                      "sorted column", row, (int)f->name_length, f->name, (int)shown.length,
                      shown.data, shown.data == (const char *)digits ? " is" : "");
}

/* Some rows of a sorted column. */
static int check_order(struct table_append *a, uint32_t column, struct table_error *error)
{
    const struct table_field *f = &a->t->fields[column];
    struct table_cell before, cell;
    size_t bytes = 0;
    bool any = a->checked == 0 ? cell_before(a, column, &before) : true;
    if (a->checked) new_cell(a, column, a->checked - 1, &before);
    for (unsigned n = 0; n < CHECK_ROWS && bytes < CHECK_BYTES && a->checked < a->rows; n++) {
        uint64_t row = a->checked++;
        new_cell(a, column, row, &cell);
        if (any && table_cell_compare(&before, &cell) > 0)
            return fail_order(f, row, column, &cell, error);
        if (field_is_text(f)) bytes += cell.text.length;
        before = cell;
        any = true;
    }
    return 0;
}

int table_append_check(struct table_append *a, uint64_t end_ns, struct table_error *error)
{
    struct table *t = a->t;
    if (!a->checking) a->column = 0;
    a->checking = true;
    do {
        if (a->column == t->column_count) return 0;
        int failed = t->fields[a->column].sorted ? check_order(a, a->column, error) : 0;
        if (failed) return failed;
        if (t->fields[a->column].sorted && a->checked < a->rows) continue;
        a->column++;
        a->checked = 0;
    } while (clock_ns() < end_ns);
    return a->column < t->column_count;
}

int table_append_commit(struct table_append *a, uint64_t *first, struct table_error *error)
{
    struct table *t = a->t;
    struct table_version *v = t->current;
    for (uint32_t i = 0; i < t->column_count; i++) {
        assert(a->columns[i].filled == a->rows && "a column of an append was not filled");
    }
    int failed = table_append_check(a, UINT64_MAX, error);
    if (failed) return failed;
    assert(!a->left);
    if (first) *first = table_version_rows(a->before);
    for (uint32_t chunk = a->first_chunk; chunk < v->chunk_count; chunk++)
        for (uint32_t i = 0; i < t->column_count; i++)
            plain_at(t, chunk, i)->written = version_slots(v, chunk);
    table_append_close(a);
    return 0;
}
