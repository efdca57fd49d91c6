/* table_cursor.h - the scans and exports of tables that a session has open: each a query that pins
 * a version of its table, known to the client by a number; and the imports for which more bytes are
 * to come. Numbers begin with 1 and are never used again within a session. A scan or import that
 * does not go on for some time is closed. */
#ifndef CAIRN_SERVER_TABLE_CURSOR_H
#define CAIRN_SERVER_TABLE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct export;
struct query;
struct table_import;

/* The last one is that of table.export: bytes, whatever they mean. */
enum table_format { TABLE_FORMAT_ROWS, TABLE_FORMAT_COLS, TABLE_FORMAT_ARROW, TABLE_FORMAT_BYTES };

struct table_cursor {
    struct table_cursor *next;
    int64_t id; /* 0: the client does not know of it yet */
    struct query *query;         /* of a scan, */
    struct table_import *import; /* or of an import */
    enum table_format format;
    uint32_t rows_max;  /* of a batch; arrow and bytes, 0: any */
    size_t bytes_max;
    int dictionary;     /* Arrow: enum export_dictionary */
    /* Arrow and bytes: who makes them of the query, and what is left of the piece it made last. */
    struct export *export;
    const unsigned char *piece;
    size_t piece_length;
    bool export_over;   /* that is the last one */
    uint64_t used_ns;   /* when it was last read */
};

/* Zeroed is empty. */
struct table_cursors {
    struct table_cursor *first;
    size_t count;
    int64_t last;
};

/* Takes the cursor over and gives it a number. */
void table_cursors_add(struct table_cursors *cursors, struct table_cursor *cursor);
/* The cursor with this number, which stays the session's; NULL if there is none. */
struct table_cursor *table_cursors_find(const struct table_cursors *cursors, int64_t id);
/* Takes the cursor with this number off; NULL if there is none. */
struct table_cursor *table_cursors_take(struct table_cursors *cursors, int64_t id);
/* Closes those not used since `idle_ns`; 0: none. */
void table_cursors_expire(struct table_cursors *cursors, uint64_t now_ns, uint64_t idle_ns);
void table_cursors_close(struct table_cursors *cursors);
void table_cursor_destroy(struct table_cursor *cursor);

#endif
