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
 * with the deleted rows, too; so the rows of a table that has one are copied, however many: in
 * steps, in a draft, so that theirs stays the same meanwhile.
 *
 * Texts and symbols of a fork that is given up are taken back if nothing has changed since, in
 * steps, by a draft that is abandoned; else they stay, unused, until their chunk is sealed or the
 * table ends. */
#include "heap/table_draft.h"
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

/* Gives up rows that are being copied. */
static void copy_abandon(struct table_fork *f)
{
    table_append_close(&f->copy);
    table_draft_abandon(f->joining);
    version_unref(f->other);
    fork_close(f, true);
}

void table_fork_abandon(struct table_fork *f)
{
    if (!f->t) return;
    if (f->joining) {
        copy_abandon(f);
        return;
    }
    version_unref(f->other);
    /* Other forks, a draft, or the table that took the place of this one, may have codes and texts
     * from after the mark. */
    struct table *t = f->t;
    bool alone = t->current == f->base && t->forks == 1 && !t->draft && !t->altered;
    t->forks--;
    if (alone && !planted(46)) append_rewind_slowly(&f->mark);
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
        if (!field->sorted || planted(45)) continue;
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

/* What is copied between two looks at the clock, besides one text. */
#define COPY_STEP_BYTES ((size_t)128 << 10)

/* How many of the texts from `from` on make one step; those that are there must not be NULL. */
static uint32_t some_texts(struct table_text *texts, const uint64_t *valid, uint32_t from,
                           uint32_t to)
{
    size_t bytes = 0;
    uint32_t i;
    for (i = from; i < to && bytes < COPY_STEP_BYTES; i++) {
        if (!bit_get(valid, i)) texts[i].data = NULL;
        else if (!texts[i].data) texts[i].data = "";
        if (texts[i].data) bytes += texts[i].length;
    }
    return i - from;
}

/* Some cells of one vector of a column: the next ones. 0 or an error. */
static int copy_cells(struct table_fork *f, struct table_error *error)
{
    _Alignas(64) union {
        struct table_text texts[TABLE_VECTOR_ROWS];
        unsigned char elements[TABLE_VECTOR_ROWS * 8];
    } u;
    uint64_t valid[TABLE_VECTOR_WORDS];
    const struct table_field *field = &f->t->fields[f->copy_column];
    uint32_t vector = f->copy_slot / TABLE_VECTOR_ROWS, from = f->copy_slot % TABLE_VECTOR_ROWS;
    uint32_t to = vector_rows(version_slots(f->other, f->copy_chunk), vector), count = to - from;
    size_t bytes = table_type_bytes(field->type);
    int failed;
    if (bytes) {
        table_read_raw(f->other, f->copy_chunk, f->copy_column, vector, &u, valid);
        failed = table_append_raw(&f->copy, f->copy_column, count, u.elements + from * bytes,
                                  field->null ? (const uint8_t *)valid : NULL, from, error);
    } else {
        table_read_vector(f->other, f->copy_chunk, f->copy_column, vector, &u, valid);
        count = some_texts(u.texts, valid, from, to);
        failed = table_append_texts(&f->copy, f->copy_column, count, u.texts + from, error);
    }
    f->copy_slot += count;
    return failed;
}

/* Rows of one chunk, column by column. 1: there is more to do; 0; or an error. */
static int copy_rows(struct table_fork *f, uint64_t end_ns, struct table_error *error)
{
    uint32_t slots = version_slots(f->other, f->copy_chunk);
    int status = table_append_reserve(&f->copy, end_ns);
    if (status < 0) return table_fail_memory(error);
    while (status == 0 && f->copy_column < f->t->column_count) {
        status = copy_cells(f, error);
        if (status == 0 && clock_ns() >= end_ns) status = 1;
        if (f->copy_slot < slots) continue;
        f->copy_slot = f->first_slot;
        f->copy_column++;
    }
    return status ? status : table_append_check(&f->copy, end_ns, error);
}

/* More than this is not copied if it need not be. */
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

/* The draft that rows of the fork's chunk are copied in. 0 or an error. */
static int copy_begin(struct table_fork *f, uint32_t chunk, uint32_t slot,
                      struct table_error *error)
{
    int failed = table_draft_open(f->t, &f->joining, error);
    if (failed) {
        f->joining = NULL;
        return failed;
    }
    f->copy_chunk = chunk;
    f->copy_slot = f->first_slot = slot;
    table_draft_enter(f->joining);
    failed = table_append_open(f->joining, version_slots(f->other, chunk) - slot, &f->copy, error);
    table_draft_leave(f->joining);
    return failed;
}

/* Goes on with that, and ends it. 1: there is more to do; 0; or an error. */
static int copy_step(struct table_fork *f, uint64_t end_ns, struct table_error *error)
{
    table_draft_enter(f->joining);
    int status = copy_rows(f, end_ns, error);
    if (status == 0) status = table_append_commit(&f->copy, NULL, error);
    if (status == 0 && push_chunks(f, f->copy_chunk + 1) != 0) status = table_fail_memory(error);
    table_draft_leave(f->joining);
    if (status == 0) {
        table_draft_publish(f->joining);
        f->joining = NULL;
    }
    return status;
}

/* Without copies, in one step. 0 or an error. */
static int join_chunks(struct table_fork *f, uint32_t chunk, uint32_t slot,
                       struct table_error *error)
{
    struct table *t = f->t;
    struct table_version *before = table_pin(t);
    int failed = !slot ? 0 : tail_is_shared(f, chunk) ? take_tail(f, chunk)
                                                     : push_part(f, chunk, slot);
    if (!failed) failed = push_chunks(f, slot ? chunk + 1 : chunk);
    if (failed) table_restore(t, before);
    table_unpin(before);
    return failed ? table_fail_memory(error) : 0;
}

static int join_changed(struct table_fork *f, uint64_t end_ns, struct table_error *error)
{
    uint32_t chunk, slot;
    first_row(f, &chunk, &slot);
    int failed = check_order(f, chunk, slot, error);
    if (failed) return failed;
    uint64_t chunks = (uint64_t)f->t->current->chunk_count + f->other->chunk_count - chunk;
    if (chunks > TABLE_CHUNKS_MAX)
        return table_fail(error, TABLE_FAULT_LIMIT, UINT64_MAX, UINT32_MAX,
                          "more than %u chunks, which is the limit", TABLE_CHUNKS_MAX);
    if (!slot || tail_is_shared(f, chunk) || !is_to_copy(f, chunk, slot))
        return join_chunks(f, chunk, slot, error);
    failed = copy_begin(f, chunk, slot, error);
    return failed ? failed : copy_step(f, end_ns, error);
}

/* Nobody else has changed the table. */
static void join_unchanged(struct table_fork *f)
{
    if (f->other->slots == f->base->slots) return;
    change_sides(f);
    f->t->forked = false;
}

int table_fork_join(struct table_fork *f, uint64_t end_ns, struct table_error *error)
{
    struct table *t = f->t;
    int status = f->joining ? 0 : table_check_writable(t, error);
    if (status) {
        table_fork_abandon(f);
        return status;
    }
    if (f->joining) {
        status = copy_step(f, end_ns, error);
    } else {
        t->forks--; /* it grows no more */
        if (f->other->slots == f->base->slots || t->current == f->base) join_unchanged(f);
        else status = join_changed(f, end_ns, error);
    }
    if (status > 0) return status;
    if (f->joining) {
        copy_abandon(f);
        return status;
    }
    version_unref(f->other);
    fork_close(f, status);
    return status;
}

/* --- holding -----------------------------------------------------------------------------------*/

void table_hold(struct table *t) { external_hold(&t->external); }
void table_let_go(struct table *t) { external_let_go(&t->external); }

void table_hold_codes(struct table *t)
{
    external_hold(&t->external);
    t->code_holders++;
}

void table_let_go_codes(struct table *t)
{
    assert(t->code_holders);
    t->code_holders--;
    external_let_go(&t->external);
}
