/* cli_fields.c - the columns that the names of a query can mean. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

const struct cli_field *cli_fields_find_any_case(const struct cli_fields *f, const char *name,
                                                 size_t length)
{
    const struct cli_field *exact = cli_fields_find(f, name, length);
    for (size_t i = 0; !exact && i < f->count; i++)
        if (f->list[i].length == length && strncasecmp(f->list[i].name, name, length) == 0)
            return &f->list[i];
    return exact;
}

/* Blanks count in quotes only. */
static bool is_written_alike(const char *a, const char *a_end, const char *b, const char *b_end)
{
    char quote = 0;
    for (;; a++, b++) {
        while (!quote && a < a_end && strchr(" \t\r\n", *a)) a++;
        while (!quote && b < b_end && strchr(" \t\r\n", *b)) b++;
        if (a == a_end || b == b_end) return a == a_end && b == b_end;
        if (*a != *b) return false;
        if (quote ? *a == quote : strchr("'\"`", *a) != NULL) quote = quote ? 0 : *a;
    }
}

const struct cli_field *cli_fields_find_written(const struct cli_fields *f, const char *text,
                                                size_t length)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct cli_field *field = &f->list[i];
        if (field->computed && is_written_alike(field->name, field->name + field->length, text,
                                                text + length))
            return field;
    }
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

/* " b " is written without its blanks, most likely. */
static bool is_padded(const struct cli_field *f, const char *name)
{
    size_t from = strspn(f->name, " \t"), to = f->length;
    while (to > from && strchr(" \t", f->name[to - 1])) to--;
    return to - from < f->length && strlen(name) == to - from &&
           memcmp(f->name + from, name, to - from) == 0;
}

static const struct cli_field *nearest(const struct cli_fields *f, const char *name)
{
    const struct cli_field *best = NULL;
    size_t best_distance = strlen(name) < 4 ? 2 : 3;
    for (size_t i = 0; i < f->count; i++) {
        if (begins_oddly(f->list[i].name, name) || is_padded(&f->list[i], name))
            return &f->list[i];
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
    if (!f->results && !near) cli_text_add_cstr(&text, ". " CLI_TEXT_HINT);
    cli_query_fail(error, offset, "%s", text.failed ? "out of memory" : text.data);
    cli_text_close(&text);
    return false;
}

/* --- aggregates -------------------------------------------------------------------------*/

static bool is_named(const char *name, size_t length, const char *known)
{
    return strlen(known) == length && strncasecmp(known, name, length) == 0;
}

const char *cli_aggregate(const char *name, size_t length)
{
    static const char *const names[] = {"count",    "sum",    "min",      "max",
                                        "avg",      "var",    "stddev",   "quantile",
                                        "median",   "distinct", "approx_distinct", "first",
                                        "last",     NULL};
    for (size_t i = 0; names[i]; i++)
        if (is_named(name, length, names[i])) return names[i];
    return NULL;
}

const char *cli_aggregate_meant(const char *name, size_t length)
{
    static const char *const names[][2] = {
        {"mean", "avg"},           {"average", "avg"},          {"std", "stddev"},
        {"stdev", "stddev"},       {"stddev_samp", "stddev"},   {"variance", "var"},
        {"var_samp", "var"},       {"nunique", "distinct"},     {"unique", "distinct"},
        {"count_distinct", "distinct"}, {"percentile", "quantile"}, {"minimum", "min"},
        {"maximum", "max"},        {"total", "sum"},            {"n", "count"},
        {"size", "count"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_named(name, length, names[i][0])) return names[i][1];
    return NULL;
}
