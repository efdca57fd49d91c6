/* cli_words.c - a line of commands to words; the rules are in cli_words.h. */
#include "client/cli_words.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli_text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies '…' without its quotes; returns what follows, or NULL. */
static const char *single_quoted(const char *at, struct cli_text *word)
{
    for (at++; *at && *at != '\''; at++) {
        if (at[0] == '\\' && at[1] == '\'') at++;
        cli_text_add_char(word, *at);
    }
    return *at ? at + 1 : NULL;
}

/* Copies "…" as it is; returns what follows, or NULL. */
static const char *double_quoted(const char *at, struct cli_text *word)
{
    const char *start = at;
    for (at++; *at && *at != '"'; at++)
        if (at[0] == '\\' && at[1]) at++;
    if (!*at) return NULL;
    cli_text_add(word, start, (size_t)(at + 1 - start));
    return at + 1;
}

/* One word; returns what follows it, or NULL and *error. */
static const char *one_word(const char *at, struct cli_text *word, const char **error)
{
    size_t open = 0;
    if (*at == '\'') {
        at = single_quoted(at, word);
        if (!at) *error = "a closing ' is missing";
        return at;
    }
    bool counts = *at == '{' || *at == '[';
    while (*at && (open > 0 || !is_blank(*at))) {
        if (*at == '"') {
            at = double_quoted(at, word);
            if (at) continue;
            *error = "a closing \" is missing";
            return NULL;
        }
        if (counts && (*at == '{' || *at == '[')) open++;
        if (counts && (*at == '}' || *at == ']') && open > 0) open--;
        cli_text_add_char(word, *at++);
    }
    if (open > 0) *error = "a closing bracket is missing";
    return open > 0 ? NULL : at;
}

/* One word of a query: whatever stands in quotes of any kind stays as it is, with them. */
static const char *query_word(const char *at, struct cli_text *word, const char **error)
{
    static const char *const missing[] = {"a closing ' is missing", "a closing \" is missing",
                                          "a closing ` is missing"};
    static const char quotes[] = "'\"`";
    while (*at && !is_blank(*at)) {
        const char *quote = strchr(quotes, *at), *start = at++;
        if (quote) {
            for (; *at && *at != *quote; at++)
                if (at[0] == '\\' && at[1] && *quote != '`') at++;
            if (!*at) {
                *error = missing[quote - quotes];
                return NULL;
            }
            at++;
        }
        cli_text_add(word, start, (size_t)(at - start));
    }
    return at;
}

/* Whether the next word is of the clauses of a query. */
static bool is_query(const struct cli_words *words)
{
    static const char *const commands[] = {"show", "query", "group", "export"};
    if (words->count < 3 || strcmp(words->list[0], "table") != 0) return false;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(words->list[1], commands[i]) == 0)
            return words->count > 3 || i < 3; /* export has the file's name there */
    return false;
}

static bool words_add(struct cli_words *words, struct cli_text *word, const char **error)
{
    if (words->count == CLI_WORDS_MAX) {
        *error = "a line has more than 4096 words";
        return false;
    }
    *error = "out of memory";
    if (word->failed) return false;
    char *copy = strdup(word->data ? word->data : "");
    char **list = copy ? realloc(words->list, (words->count + 2) * sizeof *list) : NULL;
    if (!list) {
        free(copy);
        return false;
    }
    words->list = list;
    list[words->count++] = copy;
    list[words->count] = NULL;
    return true;
}

bool cli_words_split(struct cli_words *words, const char *line, const char **error)
{
    struct cli_text word = {0};
    const char *at = line;
    bool done = true;
    *words = (struct cli_words){0};
    for (;;) {
        while (is_blank(*at)) at++;
        if (*at == 0 || *at == '#') break;
        cli_text_clear(&word);
        at = (is_query(words) ? query_word : one_word)(at, &word, error);
        done = at && words_add(words, &word, error);
        if (!done) break;
    }
    cli_text_close(&word);
    if (!done) cli_words_close(words);
    return done;
}

void cli_words_close(struct cli_words *words)
{
    for (size_t i = 0; i < words->count; i++) free(words->list[i]);
    free(words->list);
    *words = (struct cli_words){0};
}
