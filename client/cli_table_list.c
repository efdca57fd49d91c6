/* cli_table_list.c - cairn-cli table list and drop: which tables there are, and away with one.
 *
 * list pages through the keys that hold a table, and asks each for its figures; a table that goes
 * away meanwhile is passed over. Tables inside of maps have no key of their own and are not found
 * by it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_json.h"
#include "client/cli_path.h"
#include "client/cli_progress.h"
#include "client/cli_stop.h"
#include "client/cli_table.h"

#define PAGE_KEYS 1000

struct listed {
    char *name; /* owned */
    size_t length;
    uint64_t rows, columns, bytes;
};

struct list {
    struct cli *cli;
    const char *pattern; /* NULL: all */
    struct cairn_args *args;
    struct listed *tables; /* owned */
    size_t count, capacity;
};

/* Room for one more, and its name; NULL when memory is short. */
static struct listed *add(struct list *s, const char *name, size_t length)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 64;
        struct listed *tables = realloc(s->tables, capacity * sizeof *tables);
        if (!tables) return NULL;
        s->tables = tables;
        s->capacity = capacity;
    }
    struct listed *t = &s->tables[s->count];
    *t = (struct listed){.name = malloc(length + 1), .length = length};
    if (!t->name) return NULL;
    memcpy(t->name, name, length);
    t->name[length] = 0;
    s->count++;
    return t;
}

/* CLI_OK also if the key holds no table any more. */
static int put_table(struct list *s, const struct cairn_value *key)
{
    size_t length;
    struct cairn_reply *reply = NULL;
    const char *name = cairn_text(key, &length);
    if (!name) return CLI_OK;
    cairn_args_clear(s->args);
    cli_path_key(s->args, name, length);
    if (cli_call_ext(s->cli, "table.stats", s->args, &reply) != CAIRN_OK)
        return cairn_status(s->cli->cairn) == CAIRN_SERVER ? CLI_OK : cli_report(s->cli, NULL);
    const struct cairn_value *stats = cairn_reply_result(reply);
    struct listed *t = add(s, name, length);
    if (t) {
        t->rows = cairn_uint(cairn_field(stats, "rows"), 0);
        t->columns = cairn_length(cairn_field(stats, "columns"));
        t->bytes = cairn_uint(cairn_field(stats, "bytes"), 0);
    }
    cairn_reply_destroy(reply);
    return t ? CLI_OK : table_no_memory();
}

static int ask_page(struct list *s, const struct cairn_value *next, struct cairn_reply **reply)
{
    cairn_args_clear(s->args);
    if (next) cairn_args_value(s->args, next);
    else cairn_args_int(s->args, 0);
    cairn_args_map_open(s->args);
    table_add_text(s->args, "match", s->pattern);
    table_add_text(s->args, "type", "table");
    cairn_args_cstr(s->args, "count");
    cairn_args_int(s->args, PAGE_KEYS);
    cairn_args_map_close(s->args);
    return table_ask(s->cli, "scan", s->args, reply);
}

static int list_all(struct list *s)
{
    struct cairn_reply *page = NULL, *next = NULL;
    int result = ask_page(s, NULL, &page);
    while (result == CLI_OK) {
        const struct cairn_value *cursor = cairn_at(cairn_reply_result(page), 0);
        const struct cairn_value *keys = cairn_at(cairn_reply_result(page), 1);
        for (size_t i = 0; i < cairn_length(keys) && result == CLI_OK; i++)
            result = put_table(s, cairn_at(keys, (ptrdiff_t)i));
        if (result != CLI_OK || cli_stop_asked() || cairn_uint(cursor, 0) == 0) break;
        result = ask_page(s, cursor, &next);
        cairn_reply_destroy(page);
        page = next;
        next = NULL;
    }
    cairn_reply_destroy(page);
    return result;
}

/* By the bytes of their names; pages of keys come in no order, and a key may come twice. */
static int compare(const void *a, const void *b)
{
    const struct listed *one = a, *two = b;
    size_t shorter = one->length < two->length ? one->length : two->length;
    int order = memcmp(one->name, two->name, shorter);
    return order ? order : (one->length > two->length) - (one->length < two->length);
}

static void put_figure(struct cli_grid *grid, uint64_t figure)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, figure);
    cli_grid_cell(grid, text, strlen(text));
}

static void print_json(const struct listed *t)
{
    fputs("{\"table\": ", stdout);
    cli_json_print_text(stdout, t->name, t->length);
    printf(", \"rows\": %" PRIu64 ", \"columns\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", t->rows,
           t->columns, t->bytes);
}

static void grid_row(struct cli_grid *grid, const struct listed *t)
{
    char bytes[CLI_BYTES_TEXT_MAX];
    cli_grid_cell(grid, t->name, t->length);
    put_figure(grid, t->rows);
    put_figure(grid, t->columns);
    cli_bytes_format(bytes, t->bytes);
    cli_grid_cell(grid, bytes, strlen(bytes));
}

static int print_tables(struct list *s, bool json)
{
    struct cli_grid grid = {.colour = s->cli->colour};
    cli_grid_column(&grid, "table", 5, NULL, false);
    cli_grid_column(&grid, "rows", 4, NULL, true);
    cli_grid_column(&grid, "columns", 7, NULL, true);
    cli_grid_column(&grid, "bytes", 5, NULL, true);
    if (s->count > 0) qsort(s->tables, s->count, sizeof *s->tables, compare);
    for (size_t i = 0; i < s->count; i++) {
        const struct listed *t = &s->tables[i];
        if (i > 0 && compare(t - 1, t) == 0) continue;
        if (json) print_json(t);
        else grid_row(&grid, t);
    }
    bool failed = grid.failed;
    if (!json && s->count > 0)
        cli_grid_print(&grid, stdout, s->cli->is_terminal ? cli_columns() : 0);
    cli_grid_close(&grid);
    return failed ? table_no_memory() : CLI_OK;
}

static void tell_none(const struct list *s)
{
    if (s->cli->options.quiet) return;
    if (s->pattern)
        fprintf(stderr, "no key that matches %s holds a table; table list without a pattern shows "
                        "all tables\n", s->pattern);
    else
        fputs("no key holds a table (those within maps and lists are not listed); table create "
              "NAME FILE makes one\n", stderr);
}

int table_list(struct cli *cli, const struct table_command *command, int count, char **words)
{
    struct list s = {.cli = cli};
    bool json = cli->options.json;
    const struct table_option options[] = {{"json", NULL, &json}};
    int result = table_options(cli, command, options, 1, &count, words);
    if (result >= 0) return result;
    if (count > 1)
        return table_usage(command, "only one pattern at a time (in quotes, or the shell makes "
                                    "files of it)");
    s.pattern = count > 0 ? words[0] : NULL;
    s.args = cairn_args_create();
    if (!s.args) return table_no_memory();
    cli_stop_begin();
    result = list_all(&s);
    if (result == CLI_OK) result = print_tables(&s, json);
    if (result == CLI_OK && s.count == 0) tell_none(&s);
    cli_stop_end(cli->interactive);
    for (size_t i = 0; i < s.count; i++) free(s.tables[i].name);
    free(s.tables);
    cairn_args_destroy(s.args);
    return result;
}

/* Only what is a table: table.schema tells. */
int table_drop(struct cli *cli, const struct table_command *command, int count, char **words)
{
    struct cli_fields fields = {0};
    struct cairn_reply *reply = NULL;
    int result = table_options(cli, command, NULL, 0, &count, words);
    if (result >= 0) return result;
    if (count != 1) return table_usage(command, count < 1 ? "the name of a table is missing"
                                                          : "only one table at a time");
    struct cairn_args *args = cairn_args_create();
    if (!args) return table_no_memory();
    result = table_fields(cli, words[0], &fields);
    if (result == CLI_OK) result = table_path(args, words[0]);
    if (result == CLI_OK) result = table_ask(cli, "del", args, &reply);
    if (result == CLI_OK && !cli->options.quiet) fprintf(stderr, "dropped %s\n", words[0]);
    cairn_reply_destroy(reply);
    cairn_args_destroy(args);
    cli_fields_close(&fields);
    return result;
}
