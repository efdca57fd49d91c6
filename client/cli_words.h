/* cli_words.h - a line of commands to words.
 *
 * Words are separated by blanks. 'single quotes' keep blanks together and vanish, as in a
 * shell (within them \' is a quote); they count at the start of a word only. "Double quotes"
 * keep blanks together and stay, because a JSON text and a quoted key have them. A word that
 * begins with { or [ ends with the bracket that closes it. So
 *
 *     set user:1 {"name": "Ada Lovelace", "tags": [1, 2]}
 *
 * has three words. Behind the name of "table query", "table show", "table group" and "table
 * export" quotes of any kind keep blanks together and stay: a query's texts stand in them. A # at
 * the start of a word begins a comment. */
#ifndef CAIRN_CLIENT_CLI_WORDS_H
#define CAIRN_CLIENT_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_WORDS_MAX 4096

struct cli_words {
    char **list; /* owned, and so is each word; list[count] is NULL */
    size_t count;
};

/* False and *error (static storage) if the line does not end properly or memory is short. */
bool cli_words_split(struct cli_words *words, const char *line, const char **error);
void cli_words_close(struct cli_words *words);

#endif
