/* cli_grid.h - rows and columns for eyes: aligned, and never more than the terminal is wide.
 *
 * Cells are texts in UTF-8 without anything that a terminal would obey (cli_cell_text makes them).
 * Width is counted in columns of a terminal: none for combining marks, two for East Asian wide
 * characters and most emoji. It does not depend on the locale. */
#ifndef CAIRN_CLIENT_CLI_GRID_H
#define CAIRN_CLIENT_CLI_GRID_H

#include <stdio.h>

#include "client/cli_text.h"

/* Adds `data` with escapes in place of control characters, of what is not UTF-8, of invisible
 * marks and of those that change the direction of writing: \n \t \x1b \u202e. */
void cli_cell_text(struct cli_text *out, const char *data, size_t length);
/* Columns of a terminal that such a text takes. */
size_t cli_cell_width(const char *text, size_t length);
/* Prints at most `width` columns of it: what is longer ends in "…". Returns the columns. */
size_t cli_cell_print(FILE *out, const char *text, size_t length, size_t width);

/* Adds one character for each count: a blank for none, else ▁ to █ in proportion to the most. */
void cli_sparkline(struct cli_text *out, const uint64_t *counts, size_t count);

struct cli_grid_column {
    char *name; /* owned, like type */
    char *type; /* below the name; NULL: none */
    bool right;
    bool whole;         /* cells are never cut; as those that stand to the right */
    size_t cells_width; /* of the widest cell so far */
    size_t width;       /* the same, or that of name and type */
};

/* Zeroed is empty. A failed allocation is remembered in `failed`. */
struct cli_grid {
    struct cli_grid_column *columns;
    size_t count;
    struct cli_text text; /* of all cells, one behind the other */
    size_t *ends;         /* of each cell, in text */
    size_t cells, capacity;
    size_t shown;         /* columns that fit; 0: not printed yet */
    bool has_types, colour, failed;
};

/* A column more; before all cells. `type` may be NULL. */
void cli_grid_column(struct cli_grid *g, const char *name, size_t length, const char *type,
                     bool right);
/* The next cell, row by row. The text is escaped here. */
void cli_grid_cell(struct cli_grid *g, const char *data, size_t length);
/* Prints the rows gathered, behind the header if that was not printed yet, and forgets them.
 * Columns only grow wider from one call to the next. `width` 0: no limit; else long texts are cut,
 * and columns that do not fit are left out and named in a line (the first time). */
void cli_grid_print(struct cli_grid *g, FILE *out, size_t width);
void cli_grid_close(struct cli_grid *g);

#endif
