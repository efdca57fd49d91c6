/* cli_lexer.c - the words and signs of readable queries; see cli_lexer.h. */
#include "client/cli_lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/cli_grid.h"
#include "client/cli_json.h"

bool cli_query_fail(struct cli_query_error *error, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    error->offset = offset;
    return false;
}

/* --- tokens -----------------------------------------------------------------------------*/

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static char char_at(const struct cli_lexer *l, size_t at)
{
    return at < l->length ? l->text[at] : 0;
}

static size_t digits_at(const struct cli_lexer *l, size_t at)
{
    size_t count = 0;
    while (is_digit(char_at(l, at + count))) count++;
    return count;
}

/* The end of a quoted text or name that begins at `at`; 0 if it has none. */
static size_t quoted_end(const struct cli_lexer *l, size_t at)
{
    char quote = l->text[at++];
    for (; at < l->length; at++) {
        if (l->text[at] == '\\' && quote != '`') {
            at++;
        } else if (l->text[at] == quote) {
            if (char_at(l, at + 1) != quote) return at + 1;
            at++;
        }
    }
    return 0;
}

/* The end of a date, or a date and a time, at `at`; `at` itself if there is none. */
static size_t date_end(const struct cli_lexer *l, size_t at)
{
    if (digits_at(l, at) != 4 || char_at(l, at + 4) != '-' || digits_at(l, at + 5) != 2 ||
        char_at(l, at + 7) != '-' || digits_at(l, at + 8) != 2)
        return at;
    size_t end = at + 10;
    bool timed = (char_at(l, end) == 'T' || char_at(l, end) == 't' || char_at(l, end) == ' ') &&
                 digits_at(l, end + 1) == 2 && char_at(l, end + 3) == ':';
    if (!timed) return end;
    for (end++; is_digit(char_at(l, end)) || char_at(l, end) == ':' || char_at(l, end) == '.';)
        end++;
    return char_at(l, end) == 'Z' || char_at(l, end) == 'z' ? end + 1 : end;
}

static size_t number_end(const struct cli_lexer *l, size_t at)
{
    while (is_digit(char_at(l, at)) || is_name_start(char_at(l, at)) || char_at(l, at) == '.') {
        bool exponent = char_at(l, at) == 'e' || char_at(l, at) == 'E';
        at++;
        if (exponent && (char_at(l, at) == '+' || char_at(l, at) == '-') &&
            is_digit(char_at(l, at + 1)))
            at++;
    }
    return at;
}

static size_t sign_length(const struct cli_lexer *l, size_t at)
{
    static const char *const twos[] = {"==", "!=", "<>", "<=", ">=", NULL};
    for (size_t i = 0; twos[i]; i++)
        if (l->length - at >= 2 && memcmp(l->text + at, twos[i], 2) == 0) return 2;
    return l->text[at] && strchr("(),+-*/%=<>", l->text[at]) ? 1 : 0;
}

static struct cli_token token_at(const struct cli_lexer *l, size_t at)
{
    struct cli_token t = {.type = CLI_TOKEN_END};
    while (at < l->length && l->text[at] && strchr(" \t\r\n", l->text[at])) at++;
    t.from = t.to = at;
    if (at == l->length) return t;
    char c = l->text[at];
    t.type = CLI_TOKEN_BAD;
    t.to = at + 1;
    if (is_name_start(c)) {
        t.type = CLI_TOKEN_NAME;
        while (is_name_start(char_at(l, t.to)) || is_digit(char_at(l, t.to)) ||
               char_at(l, t.to) == '.')
            t.to++;
    } else if (is_digit(c)) {
        size_t end = date_end(l, at);
        t.type = end > at ? CLI_TOKEN_DATE : CLI_TOKEN_NUMBER;
        t.to = end > at ? end : number_end(l, at);
    } else if (c == '\'' || c == '"' || c == '`') {
        size_t end = quoted_end(l, at);
        if (end == 0) return t;
        t.type = c == '`' ? CLI_TOKEN_QUOTED_NAME : CLI_TOKEN_TEXT;
        t.to = end;
    } else if (sign_length(l, at) > 0) {
        t.type = CLI_TOKEN_SIGN;
        t.to = at + sign_length(l, at);
    }
    return t;
}

void cli_lexer_init(struct cli_lexer *l, const char *text, size_t length)
{
    *l = (struct cli_lexer){.text = text, .length = length};
    l->token = token_at(l, 0);
}

void cli_lexer_next(struct cli_lexer *l)
{
    l->before = l->token;
    l->token = token_at(l, l->token.to);
}

struct cli_token cli_lexer_peek(const struct cli_lexer *l)
{
    return token_at(l, l->token.to);
}

bool cli_lexer_is(const struct cli_lexer *l, const char *word)
{
    size_t length = l->token.to - l->token.from;
    return (l->token.type == CLI_TOKEN_NAME || l->token.type == CLI_TOKEN_SIGN) &&
           strlen(word) == length && strncasecmp(l->text + l->token.from, word, length) == 0;
}

bool cli_lexer_take(struct cli_lexer *l, const char *word)
{
    if (!cli_lexer_is(l, word)) return false;
    cli_lexer_next(l);
    return true;
}

bool cli_lexer_is_reserved(const char *word, size_t length)
{
    static const char *const words[] = {
        "and",  "or",    "not",   "in",    "between", "is",     "null",  "nil",    "true",
        "false", "starts", "contains", "as", "select", "where", "having", "order", "limit",
        "offset", "asc", "desc", NULL};
    for (size_t i = 0; words[i]; i++)
        if (strlen(words[i]) == length && strncasecmp(word, words[i], length) == 0) return true;
    return false;
}

/* --- what they mean ---------------------------------------------------------------------*/

static void quoted_name(const char *at, const char *end, struct cli_text *out)
{
    for (; at < end; at++) {
        if (*at == '`') at++;
        if (at < end) cli_text_add_char(out, *at);
    }
}

/* The text becomes one of JSON's, whose escapes are known already. */
static bool quoted_text(const char *text, size_t from, size_t to, struct cli_text *out,
                        struct cli_query_error *error)
{
    struct cli_text json = {0};
    struct cli_json_error wrong;
    char quote = text[from];
    size_t used;
    cli_text_add_char(&json, '"');
    for (size_t i = from + 1; i + 1 < to; i++) {
        if (text[i] == '\\' && text[i + 1] == '\'') {
            cli_text_add_char(&json, text[++i]);
        } else if (text[i] == '\\') {
            cli_text_add(&json, text + i, 2);
            i++;
        } else if (text[i] == quote || text[i] == '"') {
            cli_text_add_cstr(&json, text[i] == '"' ? "\\\"" : "'");
            i += text[i] == quote;
        } else {
            cli_text_add_char(&json, text[i]);
        }
    }
    cli_text_add_char(&json, '"');
    bool done = json.failed ? cli_query_fail(error, from, "out of memory")
                : cli_json_string(json.data, json.length, true, out, &used, &wrong)
                    ? true
                    : cli_query_fail(error, from, "in this text: %s", wrong.text);
    cli_text_close(&json);
    return done;
}

bool cli_lexer_meaning(const struct cli_lexer *l, struct cli_token token, struct cli_text *out,
                       struct cli_query_error *error)
{
    const char *at = l->text + token.from, *end = l->text + token.to;
    if (token.type == CLI_TOKEN_TEXT)
        return quoted_text(l->text, token.from, token.to, out, error);
    if (token.type == CLI_TOKEN_QUOTED_NAME)
        quoted_name(at + 1, end - 1, out);
    else
        cli_text_add(out, at, (size_t)(end - at));
    return !out->failed || cli_query_fail(error, token.from, "out of memory");
}

/* --- messages ---------------------------------------------------------------------------*/

void cli_lexer_found(const struct cli_lexer *l, char text[64])
{
    struct cli_text shown = {0};
    size_t length = l->token.to - l->token.from;
    cli_cell_text(&shown, l->text + l->token.from, length < 30 ? length : 30);
    if (l->token.type == CLI_TOKEN_END)
        strcpy(text, "but it ends here");
    else
        snprintf(text, 64, "found %.50s%s", shown.data ? shown.data : "", length < 30 ? "" : "…");
    cli_text_close(&shown);
}

bool cli_lexer_expected(const struct cli_lexer *l, const char *what,
                        struct cli_query_error *error)
{
    char found[64];
    const char *quote = l->text + l->token.from;
    if (l->token.type == CLI_TOKEN_BAD && (*quote == '\'' || *quote == '"' || *quote == '`'))
        return cli_query_fail(error, l->token.from, "a closing %c is missing", *quote);
    cli_lexer_found(l, found);
    return cli_query_fail(error, l->token.from, "expected %s, %s", what, found);
}

/* What is in front of the caret is shown as far as fits, and a little behind it. */
void cli_query_error_print(void *file, const char *text, size_t length,
                           const struct cli_query_error *error, unsigned width)
{
    FILE *out = file;
    struct cli_text before = {0}, behind = {0};
    size_t offset = error->offset < length ? error->offset : length, from = 0;
    size_t most = width > 24 ? width - 4 : 20;
    if (width > 0 && offset > most / 2) from = offset - most / 2;
    while (from > 0 && from < offset && ((unsigned char)text[from] & 0xc0) == 0x80) from++;
    cli_cell_text(&before, text + from, offset - from);
    cli_cell_text(&behind, text + offset, length - offset);
    size_t left = width > 0 ? most / 2 : behind.length;
    fprintf(out, "  %s%s", from > 0 ? "…" : "", before.data ? before.data : "");
    if (behind.data) cli_cell_print(out, behind.data, behind.length, left);
    size_t columns = (from > 0) + cli_cell_width(before.data ? before.data : "", before.length);
    fprintf(out, "\n  %*s^ %s\n", (int)columns, "", error->text);
    cli_text_close(&before);
    cli_text_close(&behind);
}
