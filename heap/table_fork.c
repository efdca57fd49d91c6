/* table_fork.c - see table.h: rows that are appended over many steps, and seen all at once.
 *
 *   base     the version at the beginning, pinned
 *   mine     grows from it: appends go where no other version looks, as table_int.h says
 *   theirs   what everybody else sees, t->current as long as the fork is not entered
 *
 * If theirs still is base at the end, mine takes its place. Else mine's new rows are put behind
 * theirs: chunks that began in the fork as they are; those that share a chunk with older rows by
 * taking that chunk if theirs still has it as it was (only full chunks were sealed, or rows changed
 * in others). Else, few rows are copied; of many, the chunk becomes another one of the table, in
 * which the older rows are deleted, and which compaction makes small. But a sorted column is sorted
 * with the deleted rows, too; so the rows of a table that has one are copied, however many.
 *
 * Texts and symbols of a fork that is given up are taken back if nothing has changed since, in
 * steps, by a draft that is abandoned; else they stay, unused, until their chunk is sealed or the
 * table ends. */
#include "heap/table_int.h"

int table_fork_begin(struct table *t, struct table_fork *f, struct table_error *error)
{
    *f = (struct table_fork){.t = NULL};
    if (append_mark(t, &f->mark) != 0) return table_fail_memory(error);
    f->t = t;
    f->base = table_pin(t);
    f->other = f->base;
    f->other->refs++;
    t->forks++;
    return 0;
}

static void change_sides(struct table_fork *f)
{
    struct table_version *inside = f->t->current;
    f->t->forked = !f->t->forked;
    f->t->current = f->other;
    f->other = inside;
}

void table_fork_enter(struct table_fork *f) { change_sides(f); }
void table_fork_leave(struct table_fork *f) { change_sides(f); }

/* `leaves`: texts and symbols that nobody will see. */
static void fork_close(struct table_fork *f, bool leaves)
{
    append_unmark(&f->mark, leaves);
    table_unpin(f->base);
    *f = (struct table_fork){.t = NULL};
}

void table_fork_abandon(struct table_fork *f)
{
    if (!f->t) return;
    version_unref(f->other);
    /* Other forks, a draft, or the table that took the place of this one, may have codes and texts
     * from after the mark. */
    struct table *t = f->t;
    bool alone = t->current == f->base && t->forks == 1 && !t->draft && !t->altered;
    t->forks--;
    if (alone) append_rewind_slowly(&f->mark);
    fork_close(f, !alone);
}

/* --- joining a table that has changed ----------------------------------------------------------*/

/* Where the fork's rows begin: in the last chunk of its base, or in one of its own. */
static void first_row(const struct table_fork *f, uint32_t *chunk, uint32_t *slot)
{
    const struct table_version *base = f->base, *mine = f->other;
    *chunk = base->chunk_count;
    *slot = 0;
    if (*chunk == 0 || version_slots(mine, *chunk - 1) == base->tail_slots) return;
    --*chunk;
    *slot = base->tail_slots;
}

/* Rows of the fork that stand in no order with those that others have appended. */
static int check_order(const struct table_fork *f, uint32_t chunk, uint32_t slot,
                       struct table_error *error)
{
    const struct table_version *theirs = f->t->current;
    if (theirs->chunk_count == 0) return 0;
    for (uint32_t i = 0; i < f->t->column_count; i++) {
        const struct table_field *field = &f->t->fields[i];
        struct table_cell last, first;
        if (!field->sorted) continue;
        table_cell(theirs, theirs->chunk_count - 1, theirs->tail_slots - 1, i, &last);
        table_cell(f->other, chunk, slot, i, &first);
        if (table_cell_compare(&last, &first) > 0)
            return table_fail(error, TABLE_FAULT_ORDER, UINT64_MAX, i,
                              "column \"%.*s\": less than a row that another client has appended "
                              "meanwhile, in a sorted column", (int)field->name_length,
                              field->name);
    }
    return 0;
}

/* Whether the last chunk of the base is theirs, too, and takes rows. */
static bool tail_is_shared(const struct table_fork *f, uint32_t chunk)
{
    const struct table_version *theirs = f->t->current;
    return theirs->chunk_count == chunk + 1 && theirs->tail_slots == f->base->tail_slots &&
           f->t->closed_count != theirs->chunk_count &&
           version_chunk(theirs, chunk) == version_chunk(f->base, chunk);
}

/* Their last chunk becomes the one that the fork has extended. */
static int take_tail(struct table_fork *f, uint32_t chunk)
{
    struct table *t = f->t;
    struct chunk *c = version_chunk(f->other, chunk);
    uint32_t slots = version_slots(f->other, chunk);
    struct table_version *v = version_writable(t);
    if (!v) return -ENOMEM;
    if (version_chunk(v, chunk) == c) {
        v->slots += slots - v->tail_slots;
        v->tail_slots = slots;
        return 0;
    }
    c->slots = slots;
    c->refs++;
    if (version_replace_take(t, chunk, 1, c) == 0) return 0;
    c->refs--;
    return -ENOMEM;
}

/* Rows of one vector of a column. */
static int copy_cells(struct table_fork *f, struct table_append *a, uint32_t chunk,
                      uint32_t column, uint32_t vector, uint32_t from, uint32_t to,
                      struct table_error *error)
{
    _Alignas(64) union {
        struct table_text texts[TABLE_VECTOR_ROWS];
        unsigned char elements[TABLE_VECTOR_ROWS * 8];
    } u;
    uint64_t valid[TABLE_VECTOR_WORDS];
    const struct table_field *field = &f->t->fields[column];
    size_t bytes = table_type_bytes(field->type);
    if (bytes) {
        table_read_raw(f->other, chunk, column, vector, &u, valid);
        return table_append_raw(a, column, to - from, u.elements + from * bytes,
                                field->null ? (const uint8_t *)valid : NULL, from, error);
    }
    table_read_vector(f->other, chunk, column, vector, &u, valid);
    for (uint32_t i = from; i < to; i++) {
        if (!bit_get(valid, i)) u.texts[i].data = NULL;
        else if (!u.texts[i].data) u.texts[i].data = "";
    }
    return table_append_texts(a, column, to - from, u.texts + from, error);
}

static int copy_rows(struct table_fork *f, uint32_t chunk, uint32_t slot,
                     struct table_error *error)
{
    struct table *t = f->t;
    struct table_append a;
    uint32_t slots = version_slots(f->other, chunk), vectors = table_slots_vectors(slots);
    int failed = table_append_begin(t, slots - slot, &a, error);
    if (failed) return failed;
    for (uint32_t i = 0; i < t->column_count && !failed; i++)
        for (uint32_t v = slot / TABLE_VECTOR_ROWS; v < vectors && !failed; v++) {
            uint32_t first = v * TABLE_VECTOR_ROWS, from = slot > first ? slot - first : 0;
            failed = copy_cells(f, &a, chunk, i, v, from, vector_rows(slots, v), error);
        }
    if (!failed) failed = table_append_commit(&a, NULL, error);
    if (failed) table_append_abort(&a);
    return failed;
}

/* What is copied at once. */
#define COPY_CELLS_MAX 4096
#define COPY_BYTES_MAX ((size_t)256 << 10)

/* Whether the rows from `slot` on are to be copied. */
static bool is_to_copy(const struct table_fork *f, uint32_t chunk, uint32_t slot)
{
    const struct table *t = f->t;
    uint32_t slots = version_slots(f->other, chunk);
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->fields[i].sorted) return true;
    if ((uint64_t)(slots - slot) * t->column_count > COPY_CELLS_MAX) return false;
    size_t bytes = 0;
    for (uint32_t i = 0; i < t->column_count; i++)
        for (uint32_t k = slot; k < slots && field_is_text(&t->fields[i]); k++) {
            struct table_cell cell;
            table_cell(f->other, chunk, k, i, &cell);
            if (!cell.null) bytes += cell.text.length;
        }
    return bytes <= COPY_BYTES_MAX;
}

/* The chunk goes behind theirs, without its rows before `slot`. */
static int push_part(struct table_fork *f, uint32_t chunk, uint32_t slot)
{
    struct table *t = f->t;
    if (!version_writable(t)) return -ENOMEM;
    struct chunk *c = chunk_copy(t, version_chunk(f->other, chunk));
    if (!c) return -ENOMEM;
    struct deletions *d = deletions_writable(t, c);
    if (d) {
        for (uint32_t i = 0; i < slot / 64; i++) d->bits[i] = UINT64_MAX;
        for (uint32_t i = slot & ~63u; i < slot; i++) bit_set(d->bits, i);
        d->count = slot;
    }
    if (!d || version_push_chunk_take(t, c, version_slots(f->other, chunk)) != 0) {
        chunk_unref(t, c);
        return -ENOMEM;
    }
    t->current->deleted += slot;
    t->current->even = false;
    return 0;
}

/* Chunks of the fork from `chunk` on go behind theirs. */
static int push_chunks(struct table_fork *f, uint32_t chunk)
{
    const struct table_version *mine = f->other;
    if (!version_writable(f->t)) return -ENOMEM;
    for (; chunk < mine->chunk_count; chunk++) {
        struct chunk *c = version_chunk(mine, chunk);
        if (version_push_chunk_take(f->t, c, version_slots(mine, chunk)) != 0) return -ENOMEM;
        c->refs++;
    }
    return 0;
}

static int join_changed(struct table_fork *f, struct table_error *error)
{
    struct table *t = f->t;
    uint32_t chunk, slot;
    first_row(f, &chunk, &slot);
    int failed = check_order(f, chunk, slot, error);
    if (failed) return failed;
    uint64_t chunks = (uint64_t)t->current->chunk_count + f->other->chunk_count - chunk;
    if (chunks > TABLE_CHUNKS_MAX)
        return table_fail(error, TABLE_FAULT_LIMIT, UINT64_MAX, UINT32_MAX,
                          "more than %u chunks, which is the limit", TABLE_CHUNKS_MAX);
    struct table_version *before = table_pin(t);
    uint32_t own = slot ? chunk + 1 : chunk;
    if (slot && tail_is_shared(f, chunk))
        failed = take_tail(f, chunk) ? table_fail_memory(error) : 0;
    else if (slot && is_to_copy(f, chunk, slot))
        failed = copy_rows(f, chunk, slot, error);
    else if (slot)
        failed = push_part(f, chunk, slot) ? table_fail_memory(error) : 0;
    if (!failed && push_chunks(f, own) != 0) failed = table_fail_memory(error);
    if (failed) table_restore(t, before);
    table_unpin(before);
    return failed;
}

int table_fork_join(struct table_fork *f, struct table_error *error)
{
    struct table *t = f->t;
    int busy = table_check_writable(t, error);
    if (busy) {
        table_fork_abandon(f);
        return busy;
    }
    t->forks--;
    if (f->other->slots == f->base->slots || t->current == f->base) {
        if (f->other->slots != f->base->slots) {
            change_sides(f);
            t->forked = false;
        }
        version_unref(f->other);
        fork_close(f, false);
        return 0;
    }
    int failed = join_changed(f, error);
    version_unref(f->other);
    fork_close(f, failed);
    return failed;
}

/* --- holding -----------------------------------------------------------------------------------*/

void table_hold(struct table *t) { external_hold(&t->external); }
void table_let_go(struct table *t) { external_let_go(&t->external); }
