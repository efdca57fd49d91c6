/* cli_lexer.h - the words and signs of the readable queries of cairn-cli table.
 *
 *   name     letters, digits, _ and . (and all beyond ASCII), not beginning with a digit; or in
 *            backticks, in which a doubled one stands for itself: `unit price`
 *   text     '…' or "…": with JSON's escapes, and \'; a doubled quote stands for itself
 *   number   as JSON writes it, without its sign
 *   date     2024-05-01, 2024-05-01T12:30:00.5Z, with T or one blank: also without quotes
 *   sign     ( ) , + - * / % = == != <> < <= > >=
 *
 * The lexer borrows the text, and looks one token ahead. */
#ifndef CAIRN_CLIENT_CLI_LEXER_H
#define CAIRN_CLIENT_CLI_LEXER_H

#include "client/cli_text.h"

enum cli_token_type {
    CLI_TOKEN_END,
    CLI_TOKEN_NAME,
    CLI_TOKEN_QUOTED_NAME,
    CLI_TOKEN_TEXT,
    CLI_TOKEN_NUMBER,
    CLI_TOKEN_DATE,
    CLI_TOKEN_SIGN,
    CLI_TOKEN_BAD /* a character that begins nothing, or a quote that nothing closes */
};

struct cli_token {
    enum cli_token_type type;
    size_t from, to; /* bytes of the text */
};

struct cli_lexer {
    const char *text; /* borrowed */
    size_t length;
    struct cli_token token;  /* comes next */
    struct cli_token before; /* was the last one taken */
};

/* What is wrong, and with which byte of the text. */
struct cli_query_error {
    size_t offset;
    char text[320];
};
bool cli_query_fail(struct cli_query_error *error, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void cli_lexer_init(struct cli_lexer *l, const char *text, size_t length);
/* Takes the token at hand. */
void cli_lexer_next(struct cli_lexer *l);
/* The token behind the one at hand. */
struct cli_token cli_lexer_peek(const struct cli_lexer *l);
/* Whether the token is this word (a bare name, in any case), or this sign. */
bool cli_lexer_is(const struct cli_lexer *l, const char *word);
/* The same; then takes it. */
bool cli_lexer_take(struct cli_lexer *l, const char *word);
/* Whether `word` has a meaning of its own in queries, so that a column of that name needs
 * backticks. */
bool cli_lexer_is_reserved(const char *word, size_t length);

/* Adds what a name or a text means to `out`. False and *error if its escapes are wrong. */
bool cli_lexer_meaning(const struct cli_lexer *l, struct cli_token token, struct cli_text *out,
                       struct cli_query_error *error);
/* "found `x`" or "the query ends here", for messages: the token at hand, cut, escaped. */
void cli_lexer_found(const struct cli_lexer *l, char text[64]);
/* False, and "expected WHAT, found …". */
bool cli_lexer_expected(const struct cli_lexer *l, const char *what,
                        struct cli_query_error *error);

/* Prints the text, a caret under the byte `error` is about, and what is wrong. `width`: columns of
 * the terminal; 0: no limit. Bytes that a terminal would obey are escaped. */
void cli_query_error_print(void *file, const char *text, size_t length,
                           const struct cli_query_error *error, unsigned width);

#endif
