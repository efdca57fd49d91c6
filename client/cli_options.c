/* cli_options.c - the options in front of the command. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli.h"

#define TIMEOUT_MS_DEFAULT 30000

enum {
    OPTION_UNIX = 256,
    OPTION_URL,
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_RAW,
    OPTION_FAIL_NIL,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"unix", required_argument, NULL, OPTION_UNIX},
    {"url", required_argument, NULL, OPTION_URL},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"raw", no_argument, NULL, OPTION_RAW},
    {"fail-nil", no_argument, NULL, OPTION_FAIL_NIL},
    {"quiet", no_argument, NULL, 'q'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

void cli_usage(FILE *out)
{
    fputs("usage: cairn-cli [OPTION...] [COMMAND [ARGUMENT...]]\n"
          "\n"
          "Without a command: reads commands from the terminal, or from standard input.\n"
          "\n"
          "  -h, --host HOST      the server's host (127.0.0.1)\n"
          "  -p, --port PORT      the server's port (22476)\n"
          "      --unix PATH      the server's Unix socket, instead\n"
          "      --url URL        tcp://HOST[:PORT] or unix:PATH, instead; the default is\n"
          "                       the environment variable CAIRN_URL\n"
          "      --timeout SECS   how long the server may be silent (30; 0: for ever)\n"
          "      --json           print results as strict JSON\n"
          "      --raw            print texts as they are, also on a terminal\n"
          "      --fail-nil       exit with 5 if the result is nil\n"
          "  -q, --quiet          no progress and no summaries\n"
          "  -v, --version        print the version\n"
          "      --help           print this\n"
          "\n"
          "Commands are the server's methods (cairn-cli help lists them), and:\n"
          "\n",
          out);
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        fprintf(out, "  %-8s %s\n", command->name, command->help);
    }
    fputs("\n"
          "Examples:\n"
          "\n"
          "  cairn-cli set user:1 '{\"name\": \"Ada\", \"tags\": [1, 2]}'\n"
          "  cairn-cli get user:1.name\n"
          "  cairn-cli import --key-field alpha_2 --prefix country: iso_3166-1.json\n"
          "\n"
          "Exit status: 0 success, 1 an error of the server, 2 usage, 3 no connection,\n"
          "4 import or export failed, 5 nil with --fail-nil. See cairn-cli(1).\n",
          out);
}

bool cli_options_has(const char *word)
{
    if (word[0] != '-' || word[1] == 0) return false;
    size_t length = strcspn(word, "=");
    for (const struct option *o = long_options; o->name; o++) {
        if (o->val < 256 && word[1] == o->val && word[2] == 0) return true;
        if (strncmp(word, "--", 2) == 0 && strlen(o->name) == length - 2 &&
            strncmp(word + 2, o->name, length - 2) == 0)
            return true;
    }
    return false;
}

static int bad_value(const char *option, const char *value, const char *expected)
{
    return cli_error(CLI_USAGE, "--%s %s: expected %s", option, value, expected);
}

/* Returns -1 to go on, or what to exit with. */
static int option_set(struct cli_options *options, int letter, const char *value)
{
    char *end;
    switch (letter) {
    case 'h': options->host = value; break;
    case 'p': {
        unsigned long port = strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || *end || port == 0 || port > 65535)
            return bad_value("port", value, "a number in 1..65535");
        options->port = (unsigned)port;
        break;
    }
    case OPTION_UNIX: options->unix_path = value; break;
    case OPTION_URL: options->url = value; break;
    case OPTION_TIMEOUT: {
        double seconds = strtod(value, &end);
        if (end == value || *end || !(seconds >= 0 && seconds <= 1e6))
            return bad_value("timeout", value, "seconds in 0..1000000");
        options->timeout_ms = seconds > 0 && seconds < 0.001 ? 1 : (unsigned)(seconds * 1000);
        break;
    }
    case OPTION_JSON: options->json = true; break;
    case OPTION_RAW: options->raw = true; break;
    case OPTION_FAIL_NIL: options->fail_nil = true; break;
    case 'q': options->quiet = true; break;
    case 'v': printf("cairn-cli %s\n", cairn_version()); return CLI_OK;
    case OPTION_HELP: cli_usage(stdout); return CLI_OK;
    default: return CLI_USAGE; /* getopt_long has said what is wrong */
    }
    return -1;
}

int cli_options_parse(struct cli_options *options, int argc, char **argv, int *first)
{
    const char *url = getenv("CAIRN_URL");
    *options = (struct cli_options){
        .host = NULL, .port = 0, .timeout_ms = TIMEOUT_MS_DEFAULT};
    argv[0] = (char *)"cairn-cli"; /* the name in getopt's messages */
    optind = 1;
    /* "+": what follows the command is its own: -1 may be a number. */
    for (int letter; (letter = getopt_long(argc, argv, "+h:p:qv", long_options, NULL)) != -1;) {
        int result = option_set(options, letter, optarg);
        if (result >= 0) {
            if (result == CLI_USAGE) fputs("cairn-cli --help lists the options\n", stderr);
            return result;
        }
    }
    if (!!(options->host || options->port) + !!options->unix_path + !!options->url > 1)
        return cli_error(CLI_USAGE, "only one of --host and --port, --unix, --url can be given");
    if (!options->host && !options->port && !options->unix_path && !options->url && url && *url)
        options->url = url;
    if (!options->host) options->host = "127.0.0.1";
    if (!options->port) options->port = CAIRN_PORT;
    *first = optind;
    return -1;
}
