/* cli_views.c - what the server tells about its memory, for eyes: heapmap and census.
 *
 * Both print the plain result where it does not look as expected, so that a newer server's
 * answer is never hidden. */
#include <inttypes.h>
#include <string.h>

#include "client/cli.h"
#include "client/cli_progress.h"

#define MAP_COLUMNS ((size_t)64)

static int print_plain(struct cli *cli, struct cairn_reply *reply)
{
    int result = cli_print(cli, cairn_reply_result(reply));
    cairn_reply_destroy(reply);
    return result;
}

/* --- heapmap ----------------------------------------------------------------------------*/

/* The characters that the map uses, and what they say; those that do not occur are left out. */
static void print_legend(const char *map)
{
    static const struct {
        const char *characters, *meaning;
    } legend[] = {
        {".", ". free"},
        {"abcdefghijklmnopqrstuvwxyz", "a..z references inside, by how full"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "A..Z leaves, by how full"},
        {"=", "= an object of whole pages"},
    };
    bool first = true;
    for (size_t i = 0; i < sizeof legend / sizeof *legend; i++) {
        if (!strpbrk(map, legend[i].characters)) continue;
        printf("%s%s", first ? "" : "   ", legend[i].meaning);
        first = false;
    }
    if (!first) putchar('\n');
}

/* The options of mem.map from words: first, count. Returns what to exit with. */
static int map_options(struct cairn_args *args, int count, char **words)
{
    static const char *const names[] = {"first", "count"};
    if (count > 3)
        return cli_error(CLI_USAGE, "heapmap takes at most a first page and a count of pages");
    if (count == 1) return CLI_OK;
    cairn_args_map_open(args);
    for (int i = 1; i < count; i++) {
        struct cli_number number = cli_number_parse(words[i], strlen(words[i]));
        if (number.type != CLI_NUMBER_INT || number.integer < 0)
            return cli_error(CLI_USAGE, "heapmap: %s: expected a number of pages", words[i]);
        cairn_args_cstr(args, names[i - 1]);
        cairn_args_int(args, number.integer);
    }
    cairn_args_map_close(args);
    return CLI_OK;
}

static void print_map(const struct cairn_value *v, const char *map, size_t length)
{
    char bytes[CLI_BYTES_TEXT_MAX];
    uint64_t first = cairn_uint(cairn_field(v, "first"), 0);
    printf("pages %" PRIu64 " to %" PRIu64 ", %s each\n", first, first + length - 1,
           cli_bytes_format(bytes, cairn_uint(cairn_field(v, "page_bytes"), 0)));
    for (size_t i = 0; i < length; i += MAP_COLUMNS) {
        size_t columns = length - i < MAP_COLUMNS ? length - i : MAP_COLUMNS;
        printf("%8" PRIu64 "  %.*s\n", first + i, (int)columns, map + i);
    }
    print_legend(map);
}

int cli_heapmap(struct cli *cli, int count, char **words)
{
    struct cairn_args *args = cairn_args_create();
    struct cairn_reply *reply = NULL;
    if (!args) return cli_error(CLI_CONNECTION, "out of memory");
    int result = map_options(args, count, words);
    if (result == CLI_OK) result = cli_connect(cli);
    if (result == CLI_OK && cairn_call(cli->cairn, "mem.map", args, &reply) != CAIRN_OK)
        result = cli_report(cli, NULL);
    cairn_args_destroy(args);
    if (result != CLI_OK) return result;
    const struct cairn_value *v = cairn_reply_result(reply);
    size_t length;
    const char *map = cairn_text(cairn_field(v, "map"), &length);
    if (!map || cli->options.json) return print_plain(cli, reply);
    if (length == 0)
        result = cli_error(CLI_USAGE, "heapmap: the heap has no page %" PRIu64 ", as it ends in "
                                      "front of it", cairn_uint(cairn_field(v, "first"), 0));
    else
        print_map(v, map, length);
    cairn_reply_destroy(reply);
    return result;
}

/* --- census -----------------------------------------------------------------------------*/

static bool is_census(const struct cairn_value *v)
{
    for (size_t i = 0; i < cairn_length(v); i++) {
        const struct cairn_value *row = cairn_at(v, (ptrdiff_t)i);
        if (!cairn_text(cairn_field(row, "kind"), NULL) || !cairn_field(row, "count") ||
            !cairn_field(row, "bytes"))
            return false;
    }
    return cairn_type(v) == CAIRN_ARRAY;
}

static void print_row(const char *kind, uint64_t count, uint64_t bytes, uint64_t all)
{
    char text[CLI_BYTES_TEXT_MAX];
    printf("%-20s %14" PRIu64 " %16" PRIu64 " %10s %6.1f%%\n", kind, count, bytes,
           cli_bytes_format(text, bytes),
           all > 0 ? 100.0 * (double)bytes / (double)all : 0.0);
}

int cli_census(struct cli *cli, int count, char **words)
{
    struct cairn_reply *reply;
    uint64_t objects = 0, bytes = 0;
    (void)words;
    if (count > 1) return cli_error(CLI_USAGE, "census takes no arguments");
    int result = cli_connect(cli);
    if (result != CLI_OK) return result;
    if (cairn_call(cli->cairn, "mem.census", NULL, &reply) != CAIRN_OK)
        return cli_report(cli, NULL);
    const struct cairn_value *v = cairn_reply_result(reply);
    if (!is_census(v) || cli->options.json) return print_plain(cli, reply);
    for (size_t i = 0; i < cairn_length(v); i++) {
        objects += cairn_uint(cairn_field(cairn_at(v, (ptrdiff_t)i), "count"), 0);
        bytes += cairn_uint(cairn_field(cairn_at(v, (ptrdiff_t)i), "bytes"), 0);
    }
    printf("%-20s %14s %16s %10s %7s\n", "kind", "count", "bytes", "", "share");
    for (size_t i = 0; i < cairn_length(v); i++) {
        const struct cairn_value *row = cairn_at(v, (ptrdiff_t)i);
        print_row(cairn_text(cairn_field(row, "kind"), NULL),
                  cairn_uint(cairn_field(row, "count"), 0),
                  cairn_uint(cairn_field(row, "bytes"), 0), bytes);
    }
    print_row("total", objects, bytes, bytes);
    cairn_reply_destroy(reply);
    return CLI_OK;
}
