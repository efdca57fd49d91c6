/* cli_methods.c - finds methods in the list that the server gave. */
#include "client/cli_methods.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct cli_method *)a)->name, ((const struct cli_method *)b)->name);
}

static const char *text_of(const struct cairn_value *entry, const char *name)
{
    const char *text = cairn_text(cairn_field(entry, name), NULL);
    return text ? text : "";
}

bool cli_methods_take(struct cli_methods *m, struct cairn_reply *reply)
{
    const struct cairn_value *list = cairn_reply_result(reply);
    size_t count = cairn_length(list);
    *m = (struct cli_methods){.reply = reply};
    if (cairn_type(list) != CAIRN_ARRAY || count == 0) return false;
    m->list = calloc(count, sizeof *m->list);
    if (!m->list) return false;
    for (size_t i = 0; i < count; i++) {
        const struct cairn_value *entry = cairn_at(list, (ptrdiff_t)i);
        struct cli_method method = {.name = text_of(entry, "name"),
                                    .params = text_of(entry, "params"),
                                    .result = text_of(entry, "result"),
                                    .help = text_of(entry, "help")};
        if (*method.name) m->list[m->count++] = method;
    }
    qsort(m->list, m->count, sizeof *m->list, by_name);
    return m->count > 0;
}

void cli_methods_close(struct cli_methods *m)
{
    cairn_reply_destroy(m->reply);
    free(m->list);
    *m = (struct cli_methods){0};
}

/* The part of a name behind its last dot. */
static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein, one row. */
#define NAME_MAX_COMPARED 32
size_t cli_name_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_COMPARED + 1];
    size_t length = strlen(b);
    if (length > NAME_MAX_COMPARED || strlen(a) > NAME_MAX_COMPARED) return NAME_MAX_COMPARED;
    for (size_t j = 0; j <= length; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

static const char *nearest(const struct cli_methods *m, const char *name)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) < 4 ? 2 : 3;
    for (size_t i = 0; i < m->count; i++) {
        size_t whole = cli_name_distance(name, m->list[i].name);
        size_t part = cli_name_distance(name, last_part(m->list[i].name));
        size_t d = whole < part ? whole : part;
        if (d >= best_distance) continue;
        best = m->list[i].name;
        best_distance = d;
    }
    return best;
}

/* Whether `name` means a method: it is the part behind its last dot, or its family in front. */
static bool is_behind_dot(const struct cli_method *m, const char *name)
{
    return strchr(m->name, '.') && strcmp(last_part(m->name), name) == 0;
}

static bool is_family(const struct cli_method *m, const char *name)
{
    size_t length = strlen(name);
    return strncmp(m->name, name, length) == 0 && m->name[length] == '.';
}

static void explain(const struct cli_methods *m, const char *name, const struct cli_text *names,
                    struct cli_text *error)
{
    const char *near = nearest(m, name);
    if (names->length > 0) {
        cli_text_add_cstr(error, name);
        cli_text_add_cstr(error, " may be one of ");
        cli_text_add(error, names->data, names->length);
        return;
    }
    cli_text_add_cstr(error, "there is no method \"");
    cli_text_add_cstr(error, name);
    cli_text_add_cstr(error, near ? "\"; is it " : "\"; help lists all");
    cli_text_add_cstr(error, near ? near : "");
    cli_text_add_cstr(error, near ? "?" : "");
}

const struct cli_method *cli_methods_find(const struct cli_methods *m, const char *name,
                                          struct cli_text *error)
{
    const struct cli_method *found = NULL;
    struct cli_text names = {0};
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct cli_method *method = &m->list[i];
        if (strcmp(method->name, name) == 0) {
            cli_text_close(&names);
            return method;
        }
        bool behind = is_behind_dot(method, name);
        if (!behind && !is_family(method, name)) continue;
        found = behind ? method : NULL;
        if (count++ > 0) cli_text_add_cstr(&names, ", ");
        cli_text_add_cstr(&names, method->name);
    }
    if (count != 1 || !found) {
        explain(m, name, &names, error);
        found = NULL;
    }
    cli_text_close(&names);
    return found;
}
