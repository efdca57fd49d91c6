/* query_world.h - random tables with their model, and random queries of them as text, in the form
 * of heap_literal.h. */
#ifndef CAIRN_TESTS_QUERY_WORLD_H
#define CAIRN_TESTS_QUERY_WORLD_H

#include "tests/support/query_rows.h"
#include "tests/support/random.h"

#define WORLD_COLUMNS 12
extern const struct table_field world_fields[WORLD_COLUMNS];

struct world {
    struct heap *h;
    uint64_t random, seed;
    value table;
    struct table *t;
    struct model_rows rows;
    unsigned spread[WORLD_COLUMNS]; /* how many different values a column has, about */
    bool extreme[WORLD_COLUMNS];
    char text[1 << 16];             /* the query */
    size_t length;
};

static inline uint64_t below(struct world *w, uint64_t n) { return random_below(&w->random, n); }
static inline bool chance(struct world *w, unsigned percent) { return below(w, 100) < percent; }

void world_open(struct world *w, uint64_t seed, size_t rows);
void world_close(struct world *w);
/* Random rows at the end, a random cell of a row, a row less: of the table and of its model. */
void world_append(struct world *w, size_t rows);
void world_change(struct world *w, size_t row);
void world_delete(struct world *w, size_t row);

/* Add to w->text. */
__attribute__((format(printf, 2, 3))) void put(struct world *w, const char *format, ...);
void put_predicate(struct world *w, unsigned depth);
/* A number: a double, or an integer. */
void put_expression(struct world *w, unsigned depth, bool real);

#endif
