/* cli_run.c - runs one command: a method of the server, or one of cairn-cli's own. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli.h"
#include "client/cli_json.h"
#include "client/cli_params.h"
#include "client/cli_progress.h"

/* More than a server sends by default. */
#define REPLY_BYTES_MAX ((size_t)1 << 30)
#define REPLY_VALUES_MAX ((size_t)64 << 20)

const struct cli_command cli_commands[] = {
    {"import", "[options] [FILE]", "store the records of a JSON file", cli_import},
    {"export", "[options] [FILE]", "write keys or a list as JSON lines", cli_export},
    {"table", "COMMAND NAME ...",
     "tables: list create append show describe query group export drop", cli_table},
    {"heapmap", "[first [count]]", "draw the heap, page by page", cli_heapmap},
    {"census", "", "count what is in the heap, by kind", cli_census},
    {"help", "[method]", "list the methods, or explain one", cli_help},
};
const size_t cli_command_count = sizeof cli_commands / sizeof *cli_commands;

int cli_error(int status, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("cairn-cli: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

/* --- the connection ---------------------------------------------------------------------*/

void cli_address(const struct cli *cli, char *text, size_t size)
{
    const struct cli_options *o = &cli->options;
    if (o->url)
        snprintf(text, size, "%s", o->url);
    else if (o->unix_path)
        snprintf(text, size, "unix:%s", o->unix_path);
    else
        snprintf(text, size, strchr(o->host, ':') ? "[%s]:%u" : "%s:%u", o->host, o->port);
}

int cli_report(struct cli *cli, const char *what)
{
    enum cairn_status status = cairn_status(cli->cairn);
    cli_error(0, "%s%s%s", what ? what : "", what ? ": " : "", cairn_error_text(cli->cairn));
    switch (status) {
    case CAIRN_SERVER: return CLI_SERVER_ERROR;
    case CAIRN_MISUSE:
    case CAIRN_BAD_ADDRESS: return CLI_USAGE;
    default: break;
    }
    if (status == CAIRN_TIMEOUT) cairn_disconnect(cli->cairn); /* its reply must not come later */
    return CLI_CONNECTION;
}

static void waiting(void *data, unsigned ms)
{
    const struct cli *cli = data;
    cli_progress_waiting(cli->options.quiet, ms);
}

/* One call, whose wait shows on a terminal. */
static enum cairn_status call(struct cli *cli, const char *method, const struct cairn_args *args,
                              struct cairn_reply **reply)
{
    cairn_waiting_set(cli->cairn, waiting, cli);
    enum cairn_status status = cairn_call(cli->cairn, method, args, reply);
    cairn_waiting_set(cli->cairn, NULL, NULL);
    cli_progress_waited();
    return status;
}

/* Switches a feature of the session. A server that does not know it is left as it is. */
static enum cairn_status feature_set(struct cli *cli, const char *feature, bool on)
{
    struct cairn_args *args = cairn_args_create();
    if (!args) return CAIRN_NO_MEMORY;
    cairn_args_map_open(args);
    cairn_args_cstr(args, feature);
    cairn_args_bool(args, on);
    cairn_args_map_close(args);
    enum cairn_status status = call(cli, "hello", args, NULL);
    cairn_args_destroy(args);
    return status;
}

bool cli_needs_ext(const struct cli *cli)
{
    return cairn_status(cli->cairn) == CAIRN_SERVER &&
           (strcmp(cairn_error_code(cli->cairn), "NEEDS_EXT") == 0 ||
            strstr(cairn_error_message(cli->cairn), "hello({\"ext\": true})"));
}

static enum cairn_status ext_set(struct cli *cli, bool on)
{
    if (cli->has_ext == on) return CAIRN_OK;
    enum cairn_status status = feature_set(cli, "ext", on);
    if (status == CAIRN_OK) cli->has_ext = on;
    return status;
}

/* Extension types are not always on, because with them an object that is met twice is written once,
 * and a reference the second time: right for programs, but not what people want to read. */
enum cairn_status cli_call(struct cli *cli, const char *method, const struct cairn_args *args,
                           struct cairn_reply **reply)
{
    *reply = NULL;
    if (ext_set(cli, false) != CAIRN_OK) return cairn_status(cli->cairn);
    enum cairn_status status = call(cli, method, args, reply);
    if (status == CAIRN_OK || !cli_needs_ext(cli)) return status;
    if (ext_set(cli, true) != CAIRN_OK) return cairn_status(cli->cairn);
    return call(cli, method, args, reply);
}

enum cairn_status cli_call_ext(struct cli *cli, const char *method, const struct cairn_args *args,
                               struct cairn_reply **reply)
{
    *reply = NULL;
    if (ext_set(cli, true) != CAIRN_OK) return cairn_status(cli->cairn);
    return call(cli, method, args, reply);
}

int cli_connect(struct cli *cli)
{
    const struct cli_options *o = &cli->options;
    if (!cli->cairn) cli->cairn = cairn_create();
    if (!cli->cairn) return cli_error(CLI_CONNECTION, "out of memory");
    if (cairn_is_connected(cli->cairn)) return CLI_OK;
    unsigned connect_ms = o->timeout_ms && o->timeout_ms < 5000 ? o->timeout_ms : 5000;
    cairn_timeouts_set(cli->cairn, connect_ms, o->timeout_ms);
    cairn_limits_set(cli->cairn, REPLY_BYTES_MAX, REPLY_VALUES_MAX, CAIRN_DEPTH_MAX);
    enum cairn_status status = o->url         ? cairn_connect_url(cli->cairn, o->url)
                               : o->unix_path ? cairn_connect_unix(cli->cairn, o->unix_path)
                                              : cairn_connect_tcp(cli->cairn, o->host, o->port);
    cli->has_ext = false;
    /* Keys of maps as they are, not as text; if it is not to be had, as text. */
    if (status == CAIRN_OK) status = feature_set(cli, "any_keys", true);
    if (status == CAIRN_OK || status == CAIRN_SERVER) return CLI_OK;
    int result = cli_report(cli, NULL);
    if (status == CAIRN_NO_CONNECTION)
        fputs("is cairn-server running there? --host, --port and --unix say where it is\n", stderr);
    return result;
}

int cli_methods_need(struct cli *cli)
{
    struct cairn_reply *reply;
    int result = cli_connect(cli);
    if (result != CLI_OK || cli->methods.count > 0) return result;
    if (call(cli, "methods", NULL, &reply) != CAIRN_OK)
        return cli_report(cli, "methods");
    if (!cli_methods_take(&cli->methods, reply)) {
        cli_methods_close(&cli->methods);
        return cli_error(CLI_CONNECTION, "the server's answer to methods is no list of methods");
    }
    return CLI_OK;
}

/* --- output -----------------------------------------------------------------------------*/

unsigned cli_columns(void)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

int cli_print(struct cli *cli, const struct cairn_value *value)
{
    const struct cli_json_style style = {.strict = cli->options.json,
                                         .width = cli->is_terminal ? cli_columns() : 0,
                                         .colour = cli->colour};
    enum cairn_type type = cairn_type(value);
    bool is_text = type == CAIRN_STR || type == CAIRN_BIN;
    if (is_text && (cli->options.raw || (!cli->options.json && !cli->is_terminal))) {
        size_t length;
        const char *data = cairn_text(value, &length);
        fwrite(data, 1, length, stdout);
    } else {
        cli_json_print(stdout, value, &style);
    }
    putchar('\n');
    return type == CAIRN_NIL && cli->options.fail_nil ? CLI_NIL : CLI_OK;
}

/* --- commands ---------------------------------------------------------------------------*/

static void print_method(const struct cli_method *m)
{
    printf("%s(%s)%s%s\n    %s\n", m->name, m->params, *m->result ? " -> " : "", m->result,
           m->help);
}

static const struct cli_command *command_find(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i].name, name) == 0) return &cli_commands[i];
    return NULL;
}

/* Methods are told apart by the part of their name in front of a dot. */
static size_t family_length(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

static void list_methods(const struct cli *cli)
{
    for (int dotted = 0; dotted < 2; dotted++) {
        const char *last = NULL;
        for (size_t i = 0; i < cli->methods.count; i++) {
            const struct cli_method *m = &cli->methods.list[i];
            size_t family = family_length(m->name);
            if ((family > 0) != dotted) continue;
            if (last && (family_length(last) != family || memcmp(last, m->name, family) != 0))
                putchar('\n');
            last = m->name;
            printf("  %s(%s)%s%s\n", m->name, m->params, *m->result ? " -> " : "", m->result);
        }
        putchar('\n');
    }
    for (size_t i = 0; i < cli_command_count; i++)
        printf("  %-24s %s\n", cli_commands[i].name, cli_commands[i].help);
    if (cli->interactive) printf("  %-24s %s\n", "quit", "end the program");
    puts("\nhelp METHOD explains one.");
}

int cli_help(struct cli *cli, int count, char **words)
{
    struct cli_text error = {0};
    const struct cli_command *command = count > 1 ? command_find(words[1]) : NULL;
    if (count > 2) return cli_error(CLI_USAGE, "help takes at most one name");
    if (command && command->run != cli_help) {
        printf("%s %s\n    %s\n", command->name, command->params, command->help);
        if (command->run == cli_import || command->run == cli_export || command->run == cli_table)
            printf("    %s --help says more\n", command->name);
        return CLI_OK;
    }
    int result = cli_methods_need(cli);
    if (result != CLI_OK) return result;
    if (count == 1 || command) {
        list_methods(cli);
        return CLI_OK;
    }
    const struct cli_method *m = cli_methods_find(&cli->methods, words[1], &error);
    if (m)
        print_method(m);
    else
        cli_error(0, "%s", error.data);
    cli_text_close(&error);
    return m ? CLI_OK : CLI_USAGE;
}

static int call_method(struct cli *cli, const struct cli_method *m, int count, char **words)
{
    struct cli_text error = {0};
    struct cairn_reply *reply = NULL;
    for (int i = 1; i < count; i++)
        if (cli_options_has(words[i]))
            return cli_error(CLI_USAGE, "%s: options of cairn-cli stand in front of the method; a "
                                        "key of that name is written '\"%s\"'", words[i], words[i]);
    struct cairn_args *args = cairn_args_create();
    int result;
    if (!args) return cli_error(CLI_CONNECTION, "out of memory");
    if (!cli_params_build(args, m, words + 1, (size_t)count - 1, &error))
        result = cli_error(CLI_USAGE, "%s", error.data ? error.data : "out of memory");
    else if (cli_call(cli, m->name, args, &reply) != CAIRN_OK)
        result = cli_report(cli, NULL);
    else
        result = cli_print(cli, cairn_reply_result(reply));
    cairn_reply_destroy(reply);
    cairn_args_destroy(args);
    cli_text_close(&error);
    return result;
}

int cli_run(struct cli *cli, int count, char **words)
{
    const struct cli_command *command = command_find(words[0]);
    if (command) return command->run(cli, count, words);
    int result = cli_methods_need(cli);
    if (result != CLI_OK) return result;
    struct cli_text error = {0};
    const struct cli_method *m = cli_methods_find(&cli->methods, words[0], &error);
    if (!m) {
        result = cli_error(CLI_USAGE, "%s", error.data ? error.data : "out of memory");
    } else if (cli->interactive && strcmp(words[count - 1], "?") == 0) {
        print_method(m);
    } else {
        result = call_method(cli, m, count, words);
    }
    cli_text_close(&error);
    return result;
}
