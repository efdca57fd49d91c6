/* table_index.h - secondary indexes on columns of tables: by order, or by hash.
 *
 * A column is told to have one (table_index_set); steps between events then build it, chunk by
 * chunk, and keep it up with what is appended, changed and compacted. Who asks looks at one chunk
 * of one version at a time: which of its rows can have a value. table_index.c says how they are
 * kept, and what they cost.
 *
 * What is not indexed (yet) is looked at as if there were no index: chunks that are not sealed, and
 * cells that changed since their column was sealed (table_index_changed). */
#ifndef CAIRN_HEAP_TABLE_INDEX_H
#define CAIRN_HEAP_TABLE_INDEX_H

#include "heap/table.h"

/* X(NAME, name) */
#define TABLE_INDEX_KINDS(X) \
    X(NONE, "none")          \
    X(SORTED, "sorted") /* =, ranges, in, prefix, null; order, min, max */ \
    X(HASH, "hash")     /* =, in */
enum table_index_kind {
#define X(name, text) TABLE_INDEX_##name,
    TABLE_INDEX_KINDS(X) TABLE_INDEX_KIND_COUNT
#undef X
};
const char *table_index_kind_name(enum table_index_kind kind);

/* --- the table's side --------------------------------------------------------------------------*/

/* What the column is to have. The building, or the freeing of what is not wanted any more, is
 * left to table_index_step. */
void table_index_set(struct table *t, uint32_t column, enum table_index_kind kind);
enum table_index_kind table_index_kind(const struct table *t, uint32_t column);
/* The same, until it is set or given up: then the column is to have what was last set. So is that
 * of a table which takes the place of this one (table_alter.h). */
void table_index_try(struct table *t, uint32_t column, enum table_index_kind kind);
void table_index_give_up(struct table *t, uint32_t column);

/* As table_seal_step: 1 if there is more to do, 0 if nothing is left, -ENOMEM. */
int table_index_step(struct table *t, uint64_t budget_ns);
bool table_index_pending(struct table *t);
/* The first table with something to index, or NULL. */
struct table *table_first_unindexed(struct heap *h);

struct table_index_stats {
    uint64_t rows;   /* in chunks that have it, deleted ones included */
    uint64_t chunks;
    size_t bytes;
};
/* Takes time in proportion to the number of chunks. */
void table_index_stats(const struct table_version *v, uint32_t column,
                       struct table_index_stats *stats);

/* --- one chunk ---------------------------------------------------------------------------------*/

struct column_index;

/* Valid until the next step, change or unpin. */
struct table_index_view {
    const struct table_version *version;
    uint32_t chunk, column;
    const struct column_index *index;
};
/* False if the chunk has no index on the column. */
bool table_index_open(const struct table_version *v, uint32_t chunk, uint32_t column,
                      struct table_index_view *view);
enum table_index_kind table_index_view_kind(const struct table_index_view *view);

/* What is sought: the order key of table_key.h; of texts (and sym) the text besides. */
struct table_index_key {
    uint64_t key;
    struct table_text text; /* data NULL: a number */
    uint64_t hash;          /* for hash indexes: table_index_hash */
};
/* The key of a text, which it borrows; without its hash. */
struct table_index_key table_index_text_key(struct table_text text);
uint64_t table_index_hash(const struct table *t, const struct table_index_key *key);

/* Rows of a chunk, as the index counts them: places [first, end). */
struct table_index_range {
    uint32_t first, end;
    int mark; /* hash: only those with this mark; -1: all */
};

/* Sorted: places [0, valid) are in order, equal ones by slot, and [valid, count) are null. */
uint32_t table_index_valid(const struct table_index_view *view);
uint32_t table_index_count(const struct table_index_view *view);
/* The first place whose cell is not below the key, or (`after`) is above it. */
uint32_t table_index_place(const struct table_index_view *view, const struct table_index_key *key,
                           bool after);
uint32_t table_index_slot(const struct table_index_view *view, uint32_t place);
/* The first place behind those whose cells equal that at `place`, and the first of them. */
uint32_t table_index_after_equals(const struct table_index_view *view, uint32_t place);
uint32_t table_index_first_equal(const struct table_index_view *view, uint32_t place);

/* Either kind: the rows that can equal the key, and no others but by a clash of hashes. A hash
 * index wants key->hash. */
struct table_index_range table_index_equal(const struct table_index_view *view,
                                           const struct table_index_key *key);
/* A chunk will be asked for the key soon: what that reads first is fetched. Twice, first with
 * `early`. */
void table_index_prefetch(const struct table_version *v, uint32_t chunk, uint32_t column,
                          const struct table_index_key *key, bool early);
/* How many rows a range has. Of hashes counted up to `most` only. */
uint32_t table_index_range_count(const struct table_index_view *view,
                                 const struct table_index_range *range, uint32_t most);
/* Sets their bits in a bitmap of the chunk's slots. */
void table_index_mark(const struct table_index_view *view, const struct table_index_range *range,
                      uint64_t *slots);

/* Cells that changed since the column was sealed: the index does not know them. Returns how many,
 * and sets their bits if `slots` is given. */
uint32_t table_index_changed(const struct table_index_view *view, uint64_t *slots);
bool table_index_is_changed(const struct table_index_view *view, uint32_t slot);

#endif
