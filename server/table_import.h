/* table_import.h - bytes of a file on their way into a table: a reader of one of the formats, and
 * what it has to remember between the calls of table.import that bring the file in parts.
 *
 * During a call its rows are in a fork of the table (heap/table.h) and join it at the call's end,
 * or, if it is atomic, at the last one's. A table that the import makes is its own until then.
 * What it holds counts against the heap's limit and `bytes_max`. */
#ifndef CAIRN_SERVER_TABLE_IMPORT_H
#define CAIRN_SERVER_TABLE_IMPORT_H

#include "heap/external.h"
#include "heap/table_arrow.h"
#include "heap/table_batch.h"
#include "server/table_csv_form.h"
#include "server/table_schema.h"

enum import_format { IMPORT_ARROW, IMPORT_CSV, IMPORT_JSONL, IMPORT_NPY, IMPORT_FORMATS };
#define IMPORT_FORMAT_WORDS "arrow csv jsonl npy"

struct csv_reader;
struct json_reader;
struct npy_reader;

struct table_import {
    struct external external; /* first: what it holds counts */
    enum import_format format;
    struct csv_form csv_form;
    size_t bytes_max;
    bool infers;              /* stores nothing */
    bool atomic;              /* the rows of all calls join at the end of the last one */
    bool fresh;               /* its table is its own: it lies in the frame, */
    bool has_path;            /* behind the path that a table is to be made at */
    struct table *table;      /* held; NULL: none yet */
    struct table_version *empty; /* of a table that is only there to be read into: infers */
    struct root_frame frame;
    struct table_fork fork;
    struct table_infer types; /* of CSV and JSON lines, if they are inferred */
    /* Bytes of calls that had no whole row yet, so that there is no table: what is to be read once
     * there is, from `held_at` on. */
    struct table_out held;
    size_t held_at;
    int64_t ttl_ms;           /* of a table that it makes; 0: none */
    struct table_schema given; /* columns whose types the request says, instead of those */
    struct csv_reader *csv;   /* one of these, once it has begun */
    struct json_reader *json;
    struct arrow_reader *arrow;
    struct npy_reader *npy;
    uint64_t rows;            /* of the calls that have ended well */
};

/* NULL when memory is short. */
struct table_import *import_create(struct heap *h, enum import_format format, bool infers,
                                   const struct csv_form *csv_form, size_t bytes_max);
/* Gives everything up, also what a call has appended so far. */
void import_destroy(struct table_import *x);

/* The table that rows go into, one that is there already; or one that is new, which the import
 * takes over (0 or -ENOMEM, and `v` is then the caller's). */
void import_into(struct table_import *x, struct table *t);
/* Where a new table is to be stored; before import_into_new_take. 0 or -ENOMEM. */
warn_unused int import_keep_path(struct table_import *x, value path);
/* Whether that is `path`; true if none was kept. */
bool import_is_at(struct table_import *x, value path);
warn_unused int import_into_new_take(struct table_import *x, value v);
/* The new table, which is the caller's to store, and no longer the import's own. */
value import_stored(struct table_import *x);

/* Whether types have to be found before there can be a table: CSV and JSON lines without one. */
bool import_lacks_types(const struct table_import *x);
/* The columns that were found, of a whole pass over the bytes: `count` of them, a name each that is
 * valid as long as the import. */
uint32_t import_field_count(const struct table_import *x);
void import_field(const struct table_import *x, uint32_t i, struct table_field *field);

/* Begins what one call does: reading rows, or, if `types`, only finding types. */
warn_unused int import_begin(struct table_import *x, bool types, struct table_error *error);
/* The pass that finds types is over; those that the request says take their place: 0 or an error.
 * Lines of JSON may bring such columns later, so these are there from now on. */
warn_unused int import_types_given(struct table_import *x, struct table_error *error);
/* Another pass begins. */
void import_types_end(struct table_import *x);
/* Keeps bytes for the pass that reads rows; they count once they are flushed. 0 or -ENOMEM. */
warn_unused int import_hold(struct table_import *x, const void *data, size_t length,
                            struct table_error *error);
/* Forgets what is held beyond the first `length` bytes. */
void import_hold_only(struct table_import *x, size_t length);
/* What is held and not read yet; 0: nothing. */
size_t import_held(const struct table_import *x, const char **data);
/* So much of it has been read. */
void import_held_read(struct table_import *x, size_t length);
/* Functions of the readers: enum table_feed, 0, or an error. */
warn_unused int import_feed(struct table_import *x, const void *data, size_t length, size_t *used,
                            struct table_error *error);
/* The bytes of a call are over: all whole rows are read. `last`: those of the file. */
warn_unused int import_flush(struct table_import *x, bool last, struct table_error *error);
/* The rows that the call has appended become visible. 1: there is more to do, which is what is left
 * at about `end_ns` on the clock; 0, or an error. */
warn_unused int import_join(struct table_import *x, uint64_t end_ns, struct table_error *error);
/* Of all calls, joined or not. */
uint64_t import_rows(const struct table_import *x);

#endif
