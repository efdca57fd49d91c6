/* table_arrow_int.h - inside of the Arrow reader: what it knows of columns and dictionaries. */
#ifndef CAIRN_HEAP_TABLE_ARROW_INT_H
#define CAIRN_HEAP_TABLE_ARROW_INT_H

#include "heap/table_arrow.h"
#include "heap/table_flat.h"

/* How much one call appends: rows, cells, and bytes of texts (but always one row); how many values
 * it adds to a dictionary; and how many rows a temporary array holds. */
#define ARROW_STEP_ROWS 4096
#define ARROW_STEP_CELLS 16384
#define ARROW_STEP_BYTES ((size_t)256 << 10)
#define ARROW_STEP_VALUES 16384
#define ARROW_ROOM_ROWS 1024

enum arrow_layout { LAYOUT_BITS, LAYOUT_ELEMENTS, LAYOUT_TEXTS, LAYOUT_LARGE_TEXTS };

struct arrow_dictionary {
    int64_t id;
    bool large; /* values with 64-bit offsets */
    struct table_out bytes;
    uint64_t *ends; /* of each text in `bytes` */
    uint32_t count, capacity;
    uint32_t generation; /* which replacement of it */
};

/* Some codes of a dictionary, next to each other: the table's. Only blocks that rows need are made,
 * since columns may share one long dictionary. */
#define ARROW_BLOCK_CODES 1020
struct arrow_codes {
    uint32_t generation; /* another one than the dictionary's: nothing is known */
    uint32_t codes[ARROW_BLOCK_CODES]; /* UINT32_MAX: not known yet */
};

struct arrow_column {
    struct table_field field; /* its name lies in the reader's names */
    size_t name_at;
    enum arrow_layout layout;
    unsigned width;       /* bytes of an element as it comes */
    int64_t multiply, divide; /* of dates and times; both 1: as they are */
    uint32_t target;      /* which column of the table it is */
    uint32_t dictionary;  /* UINT32_MAX: none; then elements are values */
    bool index_signed;
    struct arrow_codes **blocks; /* dictionary's code -> the table's; NULL: none known in it */
    uint32_t block_count;
    uint32_t known, generation; /* how many codes are known, of which generation */
};

/* One column of a batch, checked to lie inside of the body. */
struct arrow_array {
    const uint8_t *valid; /* NULL: all */
    const unsigned char *values, *offsets;
    uint64_t values_bytes;
};

/* What a batch tells, of a record batch or a dictionary. */
struct arrow_batch {
    uint64_t rows;
    struct flat_elements nodes, buffers;
    uint32_t node, buffer; /* the next */
};

enum reader_state {
    READ_PREFIX, READ_METADATA, READ_BODY, READ_VALUES, READ_ROWS, READ_DONE, READ_FAILED
};

struct arrow_reader {
    struct arrow_limits limits;
    table_open_cb *open;
    void *open_data;
    enum reader_state state;
    uint64_t offset;         /* in the stream: where this message begins */
    uint64_t fed;            /* bytes that came before */
    unsigned char prefix[8];
    size_t prefix_length, metadata_bytes;
    uint64_t body_bytes;
    struct table_out metadata, body;
    struct table *table;
    struct table_out names;
    struct arrow_column *columns;
    uint32_t column_count;
    bool *filled;            /* columns of the table that the stream has */
    struct arrow_dictionary *dictionaries;
    uint32_t dictionary_count;
    size_t codes_bytes;         /* of all columns' blocks */
    struct arrow_dictionary *growing; /* READ_VALUES: gets the batch, */
    struct arrow_array values;        /* which is this */
    struct arrow_array *arrays; /* of the batch that is appended */
    uint64_t batch_rows, batch_done, rows;
    struct table_error error;   /* of READ_FAILED */
    int failure;
    union {
        unsigned char elements[ARROW_ROOM_ROWS * 8];
        struct table_text texts[ARROW_ROOM_ROWS];
    } room;
};

/* Fails with what is wrong, and where the message begins. Returns the error. */
__attribute__((format(printf, 2, 3)))
int arrow_wrong(struct arrow_reader *r, const char *format, ...);
int arrow_fail_memory(struct arrow_reader *r);

/* table_arrow_schema.c: the columns of a schema message's header; opens the table. */
int arrow_read_schema(struct arrow_reader *r, struct flat *f, const struct flat_view *schema);
/* table_arrow_batch.c */
int arrow_batch_begin(struct arrow_reader *r, struct flat *f, const struct flat_view *header,
                      struct arrow_batch *batch);
int arrow_batch_array(struct arrow_reader *r, struct flat *f, struct arrow_batch *batch,
                      enum arrow_layout layout, unsigned width, const char *name,
                      size_t name_length, struct arrow_array *array);
int arrow_read_dictionary(struct arrow_reader *r, struct flat *f, const struct flat_view *header);
/* Some values of the dictionary that is growing. */
int arrow_add_values(struct arrow_reader *r);
int arrow_read_batch(struct arrow_reader *r, struct flat *f, const struct flat_view *header);
/* The text of a row of an array (`large`: with offsets of 64 bits). It lies in the message's body.
 * An error, which names the row, if it would lie outside. */
int arrow_text(struct arrow_reader *r, const struct arrow_array *array, bool large, uint64_t row,
               struct table_text *text);
/* table_arrow_append.c: some rows of the batch that is being appended. */
int arrow_append_rows(struct arrow_reader *r);

#endif
