/* table_draft.h - changes of a table that are made in steps, and seen all at once.
 *
 *     table_draft_open(t, &d, &error)
 *     in each step:   table_draft_enter(d);  ...  table_draft_leave(d);
 *     table_draft_publish(d)        or, at any time between steps,       table_draft_abandon(d)
 *
 * A draft is a version that is being built beside the one that everybody sees. It shares with that
 * one what it does not change, and publishing it exchanges one pointer. Between enter and leave,
 * which lie in one step, the functions of table.h that change the table work on the draft.
 *
 * Invariant: while a draft is open nobody else changes the table: table_set, table_delete,
 * table_append_begin and table_symbol_intern outside of enter and leave fail with TABLE_FAULT_BUSY,
 * sealing and compaction rest. So what a draft began from is what it replaces, and no change is
 * ever lost. Writers that find a table busy stand in line (struct table_turn).
 *
 * The memory of a draft counts with its table. An abandoned draft gives it back, with the symbols
 * and texts that it had added, in steps by the drop queue; the table is busy until then. */
#ifndef CAIRN_HEAP_TABLE_DRAFT_H
#define CAIRN_HEAP_TABLE_DRAFT_H

#include "heap/table.h"

struct table_draft;

/* -EBUSY if there is one already, or the table was altered (table_alter.h). The draft holds the
 * table, whatever becomes of its value. */
warn_unused int table_draft_open(struct table *t, struct table_draft **d,
                                 struct table_error *error);
void table_draft_enter(struct table_draft *d);
void table_draft_leave(struct table_draft *d);
/* Both end the draft, and never fail. */
void table_draft_publish(struct table_draft *d);
void table_draft_abandon(struct table_draft *d);

struct table *table_draft_table(const struct table_draft *d);
/* What the draft began from; valid as long as the draft. To outlive it, pin the table before. */
struct table_version *table_draft_base(const struct table_draft *d);

/* Whether a draft of it is open, or being taken back. */
bool table_is_busy(const struct table *t);
/* Whether an abandoned draft of it is being taken back, which some other work waits for: sealing,
 * compaction, writers. */
bool table_is_recovering(const struct table *t);
/* Takes back more of it, for about `budget_ns`, after what else the heap is to free. */
void table_recover_step(struct table *t, uint64_t budget_ns);
/* The first such table, or NULL. */
struct table *table_first_recovering(struct heap *h);
/* Whether another table has taken its place (table_alter.h). */
bool table_is_altered(const struct table *t);

/* --- writers in line ---------------------------------------------------------------------------*/

/* A place in the line for one table; all zeros: in none. */
struct table_turn {
    struct table *t; /* held */
    struct table_turn *previous, *next;
    bool merges;            /* it is there to merge a column before a cell of it is set: */
    uint32_t chunk, column;
};
/* Whether the caller may change the table now: no draft is open, and nobody else is first in line.
 * If so, its place in the line, if it had one, is given up; else it takes one, or keeps it. A
 * place in the line for another table is given up either way. */
bool table_turn_take(struct table_turn *turn, struct table *t);
/* The same for work in several steps that has no draft: whether it is the caller's turn, which
 * lasts until table_turn_end. Takes a place in the line if it has none. */
bool table_turn_hold(struct table_turn *turn, struct table *t);
/* Whether it is the turn of one who waits, or its table was altered, so that it must look for the
 * new one. May work off a little of what an abandoned draft left. */
bool table_turn_come(struct table_turn *turn);
void table_turn_end(struct table_turn *turn);
/* Takes a place in the line, or keeps it, if setting the cell needs long work before; true then.
 * Once the turn has come, table_turn_merge does that work, as table_merge_step. */
bool table_turn_hold_to_merge(struct table_turn *turn, struct table *t, uint32_t chunk,
                              uint32_t slot, uint32_t column);
int table_turn_merge(struct table_turn *turn, uint64_t budget_ns);

/* --- many rows ---------------------------------------------------------------------------------*/

/* Some rows of one chunk. */
struct table_rows {
    uint32_t chunk;
    uint32_t count;
    uint64_t bits[TABLE_CHUNK_ROWS / 64];
};
/* Adds rows of a vector, of the same chunk if there are any yet. */
void table_rows_add(struct table_rows *rows, uint32_t chunk, uint32_t vector,
                    const uint64_t *bits);

struct table_assignment {
    uint32_t column;
    struct table_cell cell; /* of the column's type; its text stays the caller's */
};

/* The same cells for all `rows`, which are of the draft's base and not deleted. */
struct table_update {
    struct table_draft *draft;
    const struct table_assignment *assignments; /* each column once */
    uint32_t count;
    struct table_rows rows;
    /* private: where it is */
    uint32_t next, vector, row;
    bool begun;
    struct table_text text; /* of the cell, where it stays */
    uint32_t code;
    struct plain_column *out;
};
/* Works until about `end_ns` on the clock, outside of enter and leave. 1: there is more to do;
 * 0: all of these rows are changed, and `rows` is empty again; or an error. */
warn_unused int table_update_step(struct table_update *u, uint64_t end_ns,
                                  struct table_error *error);
/* Gives up what is half made; the draft is the caller's to abandon. */
void table_update_close(struct table_update *u);

/* Deletes rows of a chunk, of which none is deleted yet; between enter and leave. One step. */
warn_unused int table_delete_rows(struct table *t, const struct table_rows *rows,
                                  struct table_error *error);

#endif
