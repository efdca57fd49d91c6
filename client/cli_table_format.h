/* cli_table_format.h - of which format a file is that table create, append and export name.
 *
 * What --format says, else the end of the name, else (of a file that is read) the first bytes. */
#ifndef CAIRN_CLIENT_CLI_TABLE_FORMAT_H
#define CAIRN_CLIENT_CLI_TABLE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

/* "csv", "json" (an array of records), "jsonl", "arrow" or "npy" for a word that means one of them
 * in any case, as ndjson does; NULL: none. *tabs: cells of CSV stand between tabulators. */
const char *table_format_of_word(const char *word, bool *tabs);
/* By what the name ends in: a.csv, a.tsv, a.ndjson. */
const char *table_format_of_name(const char *file, bool *tabs);
/* By the first bytes; CSV is what is left. */
const char *table_format_of_bytes(const char *data, size_t length);

/* What a file is whose first bytes are those of another kind, such as gzip or a picture, and what
 * helps; NULL: it may be a text. */
const char *table_foreign_kind(const char *data, size_t length);
/* Whether these bytes, the first ones of a file, have more control characters than any text. */
bool table_is_binary(const char *data, size_t length);
/* The sign that separates the cells of a first line which has no comma outside of quotes: one of
 * ; | and the tabulator; 0: none. */
char table_other_delimiter(const char *data, size_t length);

#endif
