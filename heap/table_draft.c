/* table_draft.c - see table_draft.h: drafts, what they leave behind, and the line for a table.
 *
 * A draft is an external object without a leaf. Open, it is among the living; abandoned, it is in
 * the queue of the dying until it has taken back what others could see of it: symbols in the
 * dictionaries, which all versions share, texts in arenas that versions of before share, and claims
 * on elements of their columns. What an arena held, and how far a column was claimed, is marked
 * before the draft adds to it.
 *
 * Open forks may have texts and symbols from behind a draft's, and then keep them all. A column
 * that the draft has claimed is another matter: forks have copies of it. */
#include "heap/table_draft.h"

#include <stdlib.h>

#include "heap/table_int.h"

#define MARKS_IN_BLOCK 64
#define SYMBOLS_STEP 256
#define SYMBOL_WORDS 16
/* What abandoning does at once, in words of the drop queue. */
#define ABANDON_WORDS 4096

struct arena_mark {
    struct text_arena *arena;       /* or, if a column had none yet: */
    struct plain_column *column;    /* of the base, or NULL */
    bool claimed;                   /* elements of it are the draft's */
    const struct text_piece *piece; /* the newest one */
    size_t used;
    size_t text_bytes;              /* of the column */
    uint32_t written;
};

struct mark_block {
    struct mark_block *next;
    uint32_t count;
    struct arena_mark marks[MARKS_IN_BLOCK];
};

struct table_draft {
    struct external external; /* first; counts this block and its marks */
    struct table *table;
    struct table_version *base;    /* a pin */
    struct table_version *version; /* a reference; while entered it is the table's current one */
    struct mark_block *marks;
    size_t bytes;
    uint32_t symbols[];            /* per column: how many there were */
};

struct table *table_draft_table(const struct table_draft *d) { return d->table; }
struct table_version *table_draft_base(const struct table_draft *d) { return d->base; }

bool table_is_busy(const struct table *t) { return t->draft; }
bool table_is_recovering(const struct table *t) { return t->draft && t->draft->external.dying; }
bool table_is_altered(const struct table *t) { return t->altered; }

int table_check_writable(const struct table *t, struct table_error *error)
{
    if (!t->altered && (!t->draft || t->entered || t->forked)) return 0;
    return table_fail(error, TABLE_FAULT_BUSY, UINT64_MAX, UINT32_MAX,
                      t->altered ? "the columns of the table were altered meanwhile; try again"
                                 : "another change of the table is under way; try again");
}

/* --- taking back -------------------------------------------------------------------------------*/

/* What is not claimed may be a fork's. */
static void restore_column(const struct table *t, const struct arena_mark *m)
{
    struct plain_column *p = m->column;
    if (!p || (!m->claimed && t->forks)) return;
    if (p->text_bytes > m->text_bytes) p->text_bytes = m->text_bytes;
    if (m->claimed) p->written = m->written;
}

static void rewind_arena(struct table *t, const struct arena_mark *m)
{
    if (m->arena) {
        arena_rewind(t, m->arena, m->piece, m->used);
        return;
    }
    arena_unref(t, m->column->arena);
    m->column->arena = NULL;
}

/* One piece of a marked arena, or the mark. Returns the work. */
static size_t take_back_mark(struct table_draft *d)
{
    struct mark_block *block = d->marks;
    struct arena_mark *m = block->count ? &block->marks[block->count - 1] : NULL;
    if (!m) {
        d->marks = block->next;
        external_free(&d->external, block, sizeof *block);
        return 1;
    }
    struct text_arena *arena = m->arena ? m->arena : m->column->arena;
    const struct text_piece *newest = arena ? arena->pieces : NULL;
    if (newest && newest != m->piece && !d->table->forks) {
        size_t bytes = newest->capacity;
        arena_rewind(d->table, arena, newest->next, newest->next ? newest->next->used : 0);
        return external_free_words(bytes);
    }
    if (!d->table->forks) rewind_arena(d->table, m);
    restore_column(d->table, m);
    block->count--;
    return 1;
}

static bool take_back_symbols(struct table_draft *d, size_t words, size_t *work)
{
    struct table *t = d->table;
    for (uint32_t i = 0; i < t->column_count && !t->forks; i++)
        while (t->symbols[i] && symbols_count(t->symbols[i]) > d->symbols[i]) {
            uint32_t count = symbols_count(t->symbols[i]);
            if (*work >= words) return false;
            uint32_t most = count - d->symbols[i];
            uint32_t less = most < SYMBOLS_STEP ? most : SYMBOLS_STEP;
            symbols_truncate(t, t->symbols[i], count - less);
            *work += (size_t)less * SYMBOL_WORDS;
        }
    return true;
}

/* Nothing of the draft is left but its block, and maybe symbols. */
static void draft_close(struct table_draft *d, bool given_up)
{
    struct table *t = d->table;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->symbols[i])
            symbols_close(t->symbols[i], given_up && symbols_count(t->symbols[i]) > d->symbols[i]);
    t->draft = NULL;
    external_subtract(&d->external, d->bytes);
    table_unpin(d->base);
}

static size_t draft_free_step(struct external *e, size_t words, bool *done)
{
    struct table_draft *d = (struct table_draft *)e;
    size_t work = 1;
    if (d->version) version_unref(d->version);
    d->version = NULL;
    while (d->marks) {
        if (work >= words) return work;
        work += take_back_mark(d);
    }
    if (!take_back_symbols(d, words, &work)) return work;
    draft_close(d, true);
    *done = true;
    return work;
}

static int draft_verify(const struct external *e, char *message, size_t size)
{
    const struct table_draft *d = (const struct table_draft *)e;
    (void)message;
    (void)size;
    assert(d->table->draft == d && !d->table->entered && d->version->refs >= 1);
    return 0;
}

static const struct external_class draft_class = {
    .name = "draft",
    .free_step = draft_free_step,
    .verify = draft_verify,
};

/* --- begin and end -----------------------------------------------------------------------------*/

int table_draft_open(struct table *t, struct table_draft **out, struct table_error *error)
{
    int failed = table_check_writable(t, error);
    if (failed) return failed;
    assert(!t->draft && !t->entered);
    size_t bytes = sizeof(struct table_draft) + t->column_count * sizeof(uint32_t);
    struct external account = {.class = &draft_class, .heap = t->external.heap};
    if (external_add(&account, bytes) != 0) return table_fail_memory(error);
    struct table_draft *d = calloc(1, bytes);
    struct table_version *version = d ? version_copy(t, t->current) : NULL;
    if (!version) {
        free(d);
        external_subtract(&account, bytes);
        return table_fail_memory(error);
    }
    *d = (struct table_draft){.external = account, .table = t, .version = version, .bytes = bytes};
    d->base = table_pin(t);
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (!t->symbols[i]) continue;
        d->symbols[i] = symbols_count(t->symbols[i]);
        symbols_open(t->symbols[i]);
    }
    external_open(&d->external);
    t->draft = d;
    *out = d;
    return 0;
}

void table_draft_enter(struct table_draft *d)
{
    struct table *t = d->table;
    assert(t->draft == d && !t->entered && t->current == d->base);
    t->entered = true;
    t->current = d->version;
}

void table_draft_leave(struct table_draft *d)
{
    struct table *t = d->table;
    assert(t->draft == d && t->entered);
    t->entered = false;
    d->version = t->current;
    t->current = d->base;
}

void table_draft_publish(struct table_draft *d)
{
    struct table *t = d->table;
    assert(t->draft == d && !t->entered && t->current == d->base);
    t->current = d->version;
    version_unref(d->base); /* the table's; the pin is left */
    while (d->marks) {
        struct mark_block *block = d->marks;
        d->marks = block->next;
        external_free(&d->external, block, sizeof *block);
    }
    draft_close(d, false);
    external_discard(&d->external);
}

void table_recover_step(struct table *t, uint64_t budget_ns)
{
    uint64_t begin = clock_ns();
    struct heap *h = t->external.heap;
    external_hold(&t->external); /* its draft may be all that holds it */
    do external_drop_step(h, ABANDON_WORDS);
    while (table_is_recovering(t) && clock_ns() - begin < budget_ns);
    external_let_go(&t->external);
}

void table_draft_abandon(struct table_draft *d)
{
    assert(d->table->draft == d && !d->table->entered);
    struct heap *h = d->external.heap;
    external_let_go(&d->external); /* which puts it first */
    external_drop_step(h, ABANDON_WORDS);
}

static int add_mark(struct table_draft *d, struct arena_mark mark)
{
    if (!d->marks || d->marks->count == MARKS_IN_BLOCK) {
        struct mark_block *block = external_alloc(&d->external, sizeof *block);
        if (!block) return -ENOMEM;
        block->next = d->marks;
        block->count = 0;
        d->marks = block;
    }
    d->marks->marks[d->marks->count++] = mark;
    return 0;
}

int table_draft_mark(struct table_draft *d, struct text_arena *arena, struct plain_column *column)
{
    const struct text_piece *piece = arena ? arena->pieces : NULL;
    return add_mark(d, (struct arena_mark){
        .arena = arena,
        .column = column,
        .claimed = column,
        .piece = piece,
        .used = piece ? piece->used : 0,
        .text_bytes = column ? column->text_bytes : 0,
        .written = column ? column->written : 0,
    });
}

int table_draft_mark_before(struct table_draft *d, struct plain_column *column, bool had_arena,
                            const struct text_piece *piece, size_t used, size_t text_bytes)
{
    return add_mark(d, (struct arena_mark){
        .arena = had_arena ? column->arena : NULL,
        .column = column,
        .piece = piece,
        .used = used,
        .text_bytes = text_bytes,
    });
}

void table_draft_symbols_before(struct table_draft *d, uint32_t column, uint32_t count)
{
    d->symbols[column] = count;
}

/* --- the line ----------------------------------------------------------------------------------*/

void table_turn_end(struct table_turn *turn)
{
    struct table *t = turn->t;
    if (!t) return;
    if (turn->previous)
        turn->previous->next = turn->next;
    else
        t->turn_first = turn->next;
    if (turn->next)
        turn->next->previous = turn->previous;
    else
        t->turn_last = turn->previous;
    *turn = (struct table_turn){.t = NULL};
    external_let_go(&t->external);
}

static void stand_in_line(struct table_turn *turn, struct table *t)
{
    *turn = (struct table_turn){.t = t, .previous = t->turn_last};
    if (t->turn_last)
        t->turn_last->next = turn;
    else
        t->turn_first = turn;
    t->turn_last = turn;
    external_hold(&t->external);
}

bool table_turn_hold(struct table_turn *turn, struct table *t)
{
    if (turn->t && turn->t != t) table_turn_end(turn);
    if (!turn->t) stand_in_line(turn, t);
    return table_turn_come(turn) && !t->draft;
}

bool table_turn_take(struct table_turn *turn, struct table *t)
{
    if (turn->t && turn->t != t) table_turn_end(turn);
    if (!t->draft && (!t->turn_first || t->turn_first == turn)) {
        table_turn_end(turn);
        return true;
    }
    if (!turn->t) stand_in_line(turn, t);
    return false;
}

bool table_turn_come(struct table_turn *turn)
{
    const struct table *t = turn->t;
    if (!t || t->altered) return true;
    if (table_is_recovering(t)) external_drop_step(t->external.heap, ABANDON_WORDS);
    return !t->draft && t->turn_first == turn;
}

bool table_turn_hold_to_merge(struct table_turn *turn, struct table *t, uint32_t chunk,
                              uint32_t slot, uint32_t column)
{
    if (t->altered || !table_set_is_long(t, chunk, slot, column)) return false;
    (void)!table_turn_hold(turn, t); /* whoever waits asks again */
    turn->merges = true;
    turn->chunk = chunk;
    turn->column = column;
    return true;
}

int table_turn_merge(struct table_turn *turn, uint64_t budget_ns)
{
    if (!turn->merges) return 0;
    int status = table_merge_step(turn->t, turn->chunk, turn->column, budget_ns);
    turn->merges = status == 1;
    return status;
}
