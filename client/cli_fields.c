/* cli_fields.c - the columns that the names of a query can mean. */
#include <stdlib.h>
#include <string.h>

#include "client/cli_filter.h"
#include "client/cli_grid.h"
#include "client/cli_methods.h"

#define WORD_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

enum cli_type cli_type_of(const char *name)
{
    static const struct {
        const char *names;
        enum cli_type type;
    } types[] = {{" i8 i16 i32 i64 u8 u16 u32 u64 ", CLI_TYPE_INT},
                 {" f32 f64 ", CLI_TYPE_FLOAT},
                 {" bool ", CLI_TYPE_BOOL},
                 {" str sym ", CLI_TYPE_TEXT},
                 {" bin ", CLI_TYPE_BIN},
                 {" date ", CLI_TYPE_DATE},
                 {" ts ", CLI_TYPE_TIME}};
    char padded[12];
    size_t length = strlen(name);
    if (length == 0 || length > 8 || strchr(name, ' ')) return CLI_TYPE_UNKNOWN;
    snprintf(padded, sizeof padded, " %s ", name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strstr(types[i].names, padded)) return types[i].type;
    return CLI_TYPE_UNKNOWN;
}

bool cli_fields_add(struct cli_fields *f, const char *name, size_t length, const char *type_name)
{
    char *copy = malloc(length + 1);
    struct cli_field *list = copy ? realloc(f->list, (f->count + 1) * sizeof *list) : NULL;
    if (!list) {
        free(copy);
        return false;
    }
    memcpy(copy, name, length);
    copy[length] = 0;
    f->list = list;
    struct cli_field *field = &f->list[f->count++];
    *field = (struct cli_field){.name = copy, .length = length, .type = cli_type_of(type_name)};
    snprintf(field->type_name, sizeof field->type_name, "%s", type_name);
    return true;
}

const struct cli_field *cli_fields_find(const struct cli_fields *f, const char *name,
                                        size_t length)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].length == length && memcmp(f->list[i].name, name, length) == 0)
            return &f->list[i];
    return NULL;
}

void cli_fields_close(struct cli_fields *f)
{
    for (size_t i = 0; i < f->count; i++) free(f->list[i].name);
    free(f->list);
    *f = (struct cli_fields){0};
}

static bool is_word(const char *name) { return name[strspn(name, WORD_CHARACTERS)] == '\0'; }

/* "Installed" begins "Installed-Size", which needs backticks to be read as one name. */
static bool begins_oddly(const char *name, const char *begin)
{
    size_t length = strlen(begin);
    return length > 0 && strncmp(name, begin, length) == 0 && is_word(begin) &&
           name[length] != '\0' && !strchr(WORD_CHARACTERS, name[length]);
}

static const struct cli_field *nearest(const struct cli_fields *f, const char *name)
{
    const struct cli_field *best = NULL;
    size_t best_distance = strlen(name) < 4 ? 2 : 3;
    for (size_t i = 0; i < f->count; i++) {
        if (begins_oddly(f->list[i].name, name)) return &f->list[i];
        size_t distance = cli_name_distance(name, f->list[i].name);
        if (distance >= best_distance) continue;
        best = &f->list[i];
        best_distance = distance;
    }
    return best;
}

bool cli_fields_unknown(const struct cli_fields *f, const char *name, size_t length, size_t offset,
                        struct cli_query_error *error)
{
    struct cli_text text = {0};
    cli_text_add_cstr(&text, f->results ? "the result has no column " : "there is no column ");
    cli_cell_text(&text, name, length < 60 ? length : 60);
    const struct cli_field *near = text.failed ? NULL : nearest(f, name);
    cli_text_add_cstr(&text, near ? "; is it " : "; there are ");
    bool odd = near && !is_word(near->name);
    if (odd) cli_text_add_cstr(&text, "`");
    if (near) cli_cell_text(&text, near->name, near->length);
    if (odd) cli_text_add_cstr(&text, "` (in backticks)");
    for (size_t i = 0; !near && i < f->count && text.length < 200; i++) {
        if (i > 0) cli_text_add_cstr(&text, ", ");
        cli_cell_text(&text, f->list[i].name, f->list[i].length);
        if (i + 1 < f->count && text.length >= 200) cli_text_add_cstr(&text, ", …");
    }
    cli_text_add_cstr(&text, near ? "?" : "");
    if (!f->results && !near) cli_text_add_cstr(&text, ". A text stands in quotes");
    cli_query_fail(error, offset, "%s", text.failed ? "out of memory" : text.data);
    cli_text_close(&text);
    return false;
}

bool cli_is_aggregate(const char *name, size_t length)
{
    static const char *const names[] = {"count",    "sum",    "min",      "max",
                                        "avg",      "var",    "stddev",   "quantile",
                                        "median",   "distinct", "approx_distinct", "first",
                                        "last",     NULL};
    for (size_t i = 0; names[i]; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) return true;
    return false;
}

bool cli_filter_call_name(struct cli_lexer *l, struct cli_text *name,
                          struct cli_query_error *error)
{
    size_t open = 0;
    do {
        struct cli_token token = l->token;
        if (token.type == CLI_TOKEN_END || token.type == CLI_TOKEN_BAD)
            return cli_lexer_expected(l, ")", error);
        if (cli_lexer_is(l, "(")) open++;
        if (cli_lexer_is(l, ")")) open--;
        if (token.type == CLI_TOKEN_QUOTED_NAME) {
            if (!cli_lexer_meaning(l, token, name, error)) return false;
        } else {
            cli_text_add(name, l->text + token.from, token.to - token.from);
        }
        cli_lexer_next(l);
    } while (open > 0 || cli_lexer_is(l, "("));
    return !name->failed || cli_query_fail(error, 0, "out of memory");
}
