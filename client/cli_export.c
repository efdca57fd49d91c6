/* cli_export.c - cairn-cli export: values of the server to JSON lines, or a JSON array.
 *
 * Keys are found by scan, page by page, and their values fetched by as many pipelined gets;
 * a list is read by slices. So memory holds a page, however much there is. A regular file is
 * written beside its place and takes it at the end: what has the name asked for is complete.
 * A device or a pipe has no place to take, so it is written to.
 *
 * A scan sees everything that was there from its beginning to its end, but if keys come and
 * go meanwhile, it may see one of them twice. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli.h"
#include "client/cli_file.h"
#include "client/cli_json.h"
#include "client/cli_path.h"
#include "client/cli_progress.h"
#include "client/cli_stop.h"

#define PAGE_KEYS 256
#define PAGE_ITEMS 256

struct export {
    struct cli *cli;
    const char *file; /* "-": standard output */
    const char *from; /* path of a list; NULL: keys */
    const char *match, *prefix;
    bool with_keys, as_array;
    struct cli_file to;
    struct cli_progress progress;
    uint64_t records, gone, total;
};

static void usage(FILE *out)
{
    fputs("usage: cairn-cli export [OPTION...] [FILE]\n"
          "\n"
          "Writes values as strict JSON to FILE, or to standard output:\n"
          "\n"
          "      --prefix TEXT     the values of all keys that begin with this\n"
          "      --match PATTERN   the values of all keys that match (* ? [a-z] \\)\n"
          "      --from PATH       the items of this list, in order\n"
          "      --with-keys       {\"key\": …, \"value\": …} instead of the value alone\n"
          "      --format jsonl    one value a line (the default)\n"
          "      --format json     one array\n"
          "\n"
          "Without --prefix, --match and --from: the values of all keys.\n",
          out);
}

/* --- options ----------------------------------------------------------------------------*/

static int options_check(const struct export *ex)
{
    if (!!ex->match + !!ex->prefix + !!ex->from > 1)
        return cli_error(CLI_USAGE, "export: only one of --prefix, --match and --from");
    if (ex->from && ex->with_keys)
        return cli_error(CLI_USAGE, "export: the items of a list have no keys, so not --with-keys");
    return -1;
}

/* Returns -1 to go on, or what to exit with. */
static int options_parse(struct export *ex, int count, char **words)
{
    enum { PREFIX = 1, MATCH, FROM, WITH_KEYS, FORMAT, HELP };
    static const struct option known[] = {{"prefix", required_argument, NULL, PREFIX},
                                          {"match", required_argument, NULL, MATCH},
                                          {"from", required_argument, NULL, FROM},
                                          {"with-keys", no_argument, NULL, WITH_KEYS},
                                          {"format", required_argument, NULL, FORMAT},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
    optind = 0; /* starts anew: the main options were read before */
    for (int letter; (letter = getopt_long(count, words, "q", known, NULL)) != -1;) {
        switch (letter) {
        case PREFIX: ex->prefix = optarg; break;
        case MATCH: ex->match = optarg; break;
        case FROM: ex->from = optarg; break;
        case WITH_KEYS: ex->with_keys = true; break;
        case FORMAT:
            ex->as_array = strcmp(optarg, "json") == 0;
            if (!ex->as_array && strcmp(optarg, "jsonl") != 0)
                return cli_error(CLI_USAGE, "export: --format %s: expected jsonl or json", optarg);
            break;
        case 'q': ex->cli->options.quiet = true; break;
        case HELP: usage(stdout); return CLI_OK;
        default: return CLI_USAGE;
        }
    }
    if (count - optind > 1) return cli_error(CLI_USAGE, "export: only one file at a time");
    ex->file = optind < count ? words[optind] : "-";
    return options_check(ex);
}

/* --- the file ---------------------------------------------------------------------------*/

/* Writes one value; false if that failed, or the export is to stop. */
static bool write_record(struct export *ex, const struct cairn_value *key,
                         const struct cairn_value *value)
{
    static const struct cli_json_style style = {.strict = true};
    if (ex->as_array) fputs(ex->records > 0 ? ",\n" : "[\n", ex->to.out);
    if (ex->with_keys) {
        fputs("{\"key\": ", ex->to.out);
        cli_json_print(ex->to.out, key, &style);
        fputs(", \"value\": ", ex->to.out);
    }
    cli_json_print(ex->to.out, value, &style);
    if (ex->with_keys) fputc('}', ex->to.out);
    if (!ex->as_array) fputc('\n', ex->to.out);
    ex->records++;
    if (ferror(ex->to.out)) return false; /* errno says why: fail_write */
    cli_progress_show(&ex->progress, ex->records, ex->total, false, ex->records);
    return !cli_stop_asked();
}

static int fail_write(struct export *ex)
{
    if (cli_stop_asked()) return CLI_DATA;
    return cli_file_fail(&ex->to);
}

/* --- a list -----------------------------------------------------------------------------*/

static int export_list(struct export *ex, struct cairn_args *args)
{
    struct cli_json_error error;
    struct cairn_reply *reply;
    if (!cli_path_parse(args, ex->from, strlen(ex->from), &error))
        return cli_error(CLI_USAGE, "--from %s: at byte %zu: %s", ex->from, error.offset + 1,
                         error.text);
    if (cairn_call(ex->cli->cairn, "len", args, &reply) != CAIRN_OK)
        return cli_report(ex->cli, ex->from);
    ex->total = cairn_uint(cairn_reply_result(reply), 0);
    cairn_reply_destroy(reply);
    if (ex->total == 0) { /* an empty list, or none? */
        if (cairn_call(ex->cli->cairn, "exists", args, &reply) != CAIRN_OK)
            return cli_report(ex->cli, ex->from);
        bool is_there = cairn_uint(cairn_reply_result(reply), 0) > 0;
        cairn_reply_destroy(reply);
        if (!is_there) return cli_error(CLI_DATA, "there is nothing at %s", ex->from);
    }
    for (uint64_t at = 0;; at += PAGE_ITEMS) {
        cairn_args_clear(args);
        if (!cli_path_parse(args, ex->from, strlen(ex->from), &error)) return CLI_USAGE;
        cairn_args_uint(args, at);
        cairn_args_uint(args, at + PAGE_ITEMS);
        if (cli_call(ex->cli, "slice", args, &reply) != CAIRN_OK)
            return cli_report(ex->cli, ex->from);
        const struct cairn_value *list = cairn_reply_result(reply);
        size_t count = cairn_length(list);
        bool written = true;
        for (size_t i = 0; i < count && written; i++)
            written = write_record(ex, NULL, cairn_at(list, (ptrdiff_t)i));
        cairn_reply_destroy(reply);
        if (!written) return fail_write(ex);
        if (count < PAGE_ITEMS) return CLI_OK;
    }
}

/* --- keys -------------------------------------------------------------------------------*/

/* The pattern for keys that begin with `prefix`: what a pattern would take for more than itself
 * is escaped. */
static void add_prefix_pattern(struct cairn_args *args, const char *prefix)
{
    struct cli_text pattern = {0};
    for (; *prefix; prefix++) {
        if (strchr("*?[]\\", *prefix)) cli_text_add_char(&pattern, '\\');
        cli_text_add_char(&pattern, *prefix);
    }
    cli_text_add_char(&pattern, '*');
    cli_path_key(args, pattern.data ? pattern.data : "", pattern.length);
    cli_text_close(&pattern);
}

static bool scan_page(struct export *ex, struct cairn_args *args, const struct cairn_value *cursor,
                      struct cairn_reply **page)
{
    cairn_args_clear(args);
    if (cursor)
        cairn_args_value(args, cursor);
    else
        cairn_args_int(args, 0);
    cairn_args_map_open(args);
    cairn_args_cstr(args, "count");
    cairn_args_int(args, PAGE_KEYS);
    if (ex->match || ex->prefix) cairn_args_cstr(args, "match");
    if (ex->match) cli_path_key(args, ex->match, strlen(ex->match));
    if (ex->prefix) add_prefix_pattern(args, ex->prefix);
    cairn_args_map_close(args);
    return cli_call(ex->cli, "scan", args, page) == CAIRN_OK;
}

static int fail_key(struct export *ex, const struct cairn_value *key)
{
    struct cli_text name = {0};
    const char *data = cairn_text(key, NULL);
    cli_text_add_cstr(&name, "key ");
    cli_path_quote(&name, data ? data : "", cairn_length(key));
    int result = cli_report(ex->cli, name.data);
    cli_text_close(&name);
    return result;
}

/* Writes a value that has come, unless the key is gone. */
static int write_reply(struct export *ex, const struct cairn_value *key, struct cairn_reply *reply)
{
    const struct cairn_value *value = cairn_reply_result(reply);
    bool written = true;
    if (cairn_type(value) == CAIRN_NIL)
        ex->gone++;
    else
        written = write_record(ex, key, value);
    cairn_reply_destroy(reply);
    return written ? CLI_OK : fail_write(ex);
}

/* Asks for the values of a page's keys, and writes them as they come. The few that plain replies
 * cannot carry are marked in `again`. */
static int export_plain(struct export *ex, struct cairn_args *args, const struct cairn_value *keys,
                        bool *again)
{
    struct cairn *c = ex->cli->cairn;
    for (size_t i = 0; i < cairn_length(keys); i++) {
        cairn_args_clear(args);
        cairn_args_value(args, cairn_at(keys, (ptrdiff_t)i));
        if (cairn_send(c, "get", args) != CAIRN_OK) return cli_report(ex->cli, NULL);
    }
    for (size_t i = 0; i < cairn_length(keys); i++) {
        struct cairn_reply *reply;
        const struct cairn_value *key = cairn_at(keys, (ptrdiff_t)i);
        int result = CLI_OK;
        if (cairn_receive(c, &reply) == CAIRN_OK)
            result = write_reply(ex, key, reply);
        else if (cli_needs_ext(ex->cli))
            again[i] = true;
        else
            result = fail_key(ex, key);
        if (result != CLI_OK) return result;
    }
    return CLI_OK;
}

static int export_page(struct export *ex, struct cairn_args *args, const struct cairn_value *keys)
{
    bool *again = calloc(cairn_length(keys) + 1, sizeof *again);
    int result = again ? export_plain(ex, args, keys, again)
                       : cli_error(CLI_DATA, "out of memory");
    for (size_t i = 0; i < cairn_length(keys) && result == CLI_OK; i++) {
        struct cairn_reply *reply;
        const struct cairn_value *key = cairn_at(keys, (ptrdiff_t)i);
        if (!again[i]) continue;
        cairn_args_clear(args);
        cairn_args_value(args, key);
        if (cli_call(ex->cli, "get", args, &reply) == CAIRN_OK)
            result = write_reply(ex, key, reply);
        else
            result = fail_key(ex, key);
    }
    free(again);
    return result;
}

static int export_keys(struct export *ex, struct cairn_args *args)
{
    struct cairn_reply *page = NULL, *next;
    int result = CLI_OK;
    if (!ex->match && !ex->prefix && cairn_call(ex->cli->cairn, "count", NULL, &page) == CAIRN_OK)
        ex->total = cairn_uint(cairn_reply_result(page), 0);
    cairn_reply_destroy(page);
    page = NULL;
    do {
        const struct cairn_value *cursor = page ? cairn_at(cairn_reply_result(page), 0) : NULL;
        bool scanned = scan_page(ex, args, cursor, &next);
        cairn_reply_destroy(page);
        page = next;
        if (!scanned) return cli_report(ex->cli, "scan");
        if (cli_stop_asked()) {
            cairn_reply_destroy(page);
            return CLI_DATA;
        }
        result = export_page(ex, args, cairn_at(cairn_reply_result(page), 1));
    } while (result == CLI_OK && cairn_uint(cairn_at(cairn_reply_result(page), 0), 0) != 0);
    cairn_reply_destroy(page);
    return result;
}

/* --- both -------------------------------------------------------------------------------*/

static void summary(const struct export *ex)
{
    double seconds = cli_progress_seconds(&ex->progress);
    if (ex->cli->options.quiet) return;
    fprintf(stderr, "%s %" PRIu64 " record%s in %.2f s: %.0f records/s\n",
            cli_stop_asked() ? "stopped after" : "exported", ex->records,
            ex->records == 1 ? "" : "s", seconds,
            seconds > 0 ? (double)ex->records / seconds : 0);
    if (ex->gone > 0)
        fprintf(stderr, "%" PRIu64 " keys were nil, or gone by the time they were read\n",
                ex->gone);
}

static int export_to_file(struct export *ex)
{
    struct cairn_args *args = cairn_args_create();
    cli_stop_begin();
    cli_progress_start(&ex->progress, ex->cli->options.quiet);
    int result = args ? cli_file_open(&ex->to, ex->file) : cli_error(CLI_DATA, "out of memory");
    if (result == CLI_OK) {
        result = ex->from ? export_list(ex, args) : export_keys(ex, args);
        if (result == CLI_OK && ex->as_array) fputs(ex->records > 0 ? "\n]\n" : "[]\n", ex->to.out);
        cli_progress_end(&ex->progress);
        result = cli_file_close(&ex->to, result);
    }
    cairn_args_destroy(args);
    /* Replies that nobody reads any more must not answer the next command. */
    if (result != CLI_OK) cairn_disconnect(ex->cli->cairn);
    if (result == CLI_OK || cli_stop_asked()) summary(ex);
    cli_stop_end(ex->cli->interactive);
    return result;
}

int cli_export(struct cli *cli, int count, char **words)
{
    struct export ex = {.cli = cli};
    char *name = words[0];
    words[0] = (char *)"cairn-cli export"; /* for getopt's messages */
    int result = options_parse(&ex, count, words);
    words[0] = name;
    if (result < 0) result = cli_connect(cli);
    else return result;
    if (result == CLI_OK) result = export_to_file(&ex);
    return result;
}
