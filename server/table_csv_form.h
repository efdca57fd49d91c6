/* table_csv_form.h - the options of table.export and table.import that say how CSV is written. */
#ifndef CAIRN_SERVER_TABLE_CSV_FORM_H
#define CAIRN_SERVER_TABLE_CSV_FORM_H

#include "heap/table_export.h"
#include "server/call.h"

struct csv_form {
    bool no_header;
    char delimiter;
    char null_text[EXPORT_NULL_BYTES_MAX];
    size_t null_length;
};

/* Reads the options; absent ones and nil leave a header, commas, and nothing for nil. `format` is
 * the one that the call names, or NULL: any but "csv" has none of these options. 0, or -1 and the
 * call has failed. */
warn_unused int csv_form_read(struct call *call, const char *format, value header, value delimiter,
                              value null, struct csv_form *form);

#endif
