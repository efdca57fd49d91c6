/* cli_table_list.c - cairn-cli table list and drop: which tables there are, and away with one.
 *
 * list pages through the keys that hold a table, and asks each for its figures; a table that goes
 * away meanwhile is passed over. Tables inside of maps have no key of their own and are not found
 * by it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_path.h"
#include "client/cli_progress.h"
#include "client/cli_stop.h"
#include "client/cli_table.h"

#define PAGE_KEYS 1000

struct list {
    struct cli *cli;
    const char *pattern; /* NULL: all */
    struct cairn_args *args;
    struct cli_grid grid;
    uint64_t count;
};

static void put_figure(struct list *s, uint64_t figure)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, figure);
    cli_grid_cell(&s->grid, text, strlen(text));
}

/* CLI_OK also if the key holds no table any more. */
static int put_table(struct list *s, const struct cairn_value *key)
{
    size_t length;
    struct cairn_reply *reply = NULL;
    char bytes[CLI_BYTES_TEXT_MAX];
    const char *name = cairn_text(key, &length);
    if (!name) return CLI_OK;
    cairn_args_clear(s->args);
    cli_path_key(s->args, name, length);
    if (cli_call_ext(s->cli, "table.stats", s->args, &reply) != CAIRN_OK)
        return cairn_status(s->cli->cairn) == CAIRN_SERVER ? CLI_OK : cli_report(s->cli, NULL);
    const struct cairn_value *stats = cairn_reply_result(reply);
    cli_grid_cell(&s->grid, name, length);
    put_figure(s, cairn_uint(cairn_field(stats, "rows"), 0));
    put_figure(s, cairn_length(cairn_field(stats, "columns")));
    cli_bytes_format(bytes, cairn_uint(cairn_field(stats, "bytes"), 0));
    cli_grid_cell(&s->grid, bytes, strlen(bytes));
    cairn_reply_destroy(reply);
    s->count++;
    return s->grid.failed ? table_no_memory() : CLI_OK;
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

int table_list(struct cli *cli, const struct table_command *command, int count, char **words)
{
    struct list s = {.cli = cli};
    int result = table_options(cli, command, NULL, 0, &count, words);
    if (result >= 0) return result;
    if (count > 1) return table_usage(command, "only one pattern at a time");
    s.pattern = count > 0 ? words[0] : NULL;
    s.args = cairn_args_create();
    if (!s.args) return table_no_memory();
    cli_grid_column(&s.grid, "table", 5, NULL, false);
    cli_grid_column(&s.grid, "rows", 4, NULL, true);
    cli_grid_column(&s.grid, "columns", 7, NULL, true);
    cli_grid_column(&s.grid, "bytes", 5, NULL, true);
    s.grid.colour = cli->colour;
    cli_stop_begin();
    result = list_all(&s);
    if (result == CLI_OK && s.count > 0)
        cli_grid_print(&s.grid, stdout, cli->is_terminal ? cli_columns() : 0);
    if (result == CLI_OK && s.count == 0 && !cli->options.quiet)
        fputs("no tables; table create NAME FILE makes one\n", stderr);
    cli_stop_end(cli->interactive);
    cli_grid_close(&s.grid);
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
