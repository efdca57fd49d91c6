/* cli_import.c - cairn-cli import: the records of a JSON file to the server.
 *
 * A file is read in pieces, each record is sent as soon as it has been read, and nothing else is
 * kept, so a file may be of any length. Records are stored as they come: after an error, or Ctrl-C,
 * those in front of it stay, and the summary says how many. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli.h"
#include "client/cli_loader.h"
#include "client/cli_progress.h"
#include "client/cli_records.h"
#include "client/cli_stop.h"

#define PIECE_BYTES ((size_t)64 << 10)

struct import {
    struct cli *cli;
    const char *file; /* "-": standard input */
    const char *at;
    const char *prefix;
    enum cli_layout layout;
    bool has_key, by_number;
    struct cli_key key;
    struct cli_loader loader;
    struct cli_records *records;
    struct cli_progress progress;
    uint64_t bytes, bytes_total;
};

static void usage(FILE *out)
{
    fputs("usage: cairn-cli import [OPTION...] [FILE]\n"
          "\n"
          "Stores the records of a JSON file (or of standard input), each under a key:\n"
          "\n"
          "  --key TEMPLATE       the key, made of fields: '{Package}:{Version}'\n"
          "  --key-field NAME     the key is this field: the same as --key '{NAME}'\n"
          "  --prefix TEXT        put in front of every key\n"
          "  --on-duplicate WHAT  if a key is there already: replace (default) or error\n"
          "\n"
          "or all of them in one list:\n"
          "\n"
          "  --into PATH          append to this list, made if absent\n"
          "\n"
          "Where the records are:\n"
          "\n"
          "  --format jsonl       every value of the file is a record (one a line, as a rule)\n"
          "  --format json        the file is an array of records, or an object that holds one\n"
          "  --at NAME            the member that holds the array; a.b: within a member\n"
          "\n"
          "Without --format, a file named *.json or one that begins with [ is json.\n",
          out);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* --- options ----------------------------------------------------------------------------*/

static int set_key(struct import *im, const char *template_text, const char *option)
{
    if (im->has_key) return cli_error(CLI_USAGE, "import: only one of --key and --key-field");
    const char *wrong = cli_key_parse(&im->key, template_text);
    if (wrong)
        return cli_error(CLI_USAGE, "import: %s \"%s\": %s; fields stand in braces, as in "
                                    "'country:{alpha_2}'", option, template_text, wrong);
    im->has_key = true;
    return -1;
}

/* --key-field NAME is --key {NAME}, whatever is in NAME. */
static int set_key_field(struct import *im, const char *name)
{
    if (im->has_key) return cli_error(CLI_USAGE, "import: only one of --key and --key-field");
    if (!*name) return cli_error(CLI_USAGE, "import: --key-field: the name of a field is missing");
    cli_text_add_cstr(&im->key.field[0], name);
    im->key.count = 1;
    im->has_key = true;
    return -1;
}

static int set_format(struct import *im, const char *name)
{
    if (strcmp(name, "jsonl") == 0)
        im->layout = CLI_LAYOUT_LINES;
    else if (strcmp(name, "json") == 0)
        im->layout = CLI_LAYOUT_JSON;
    else
        return cli_error(CLI_USAGE, "import: --format %s: expected jsonl or json", name);
    return -1;
}

static int set_on_duplicate(struct import *im, const char *what)
{
    im->loader.refuse_duplicates = strcmp(what, "error") == 0;
    if (!im->loader.refuse_duplicates && strcmp(what, "replace") != 0)
        return cli_error(CLI_USAGE, "import: --on-duplicate %s: expected replace or error", what);
    return -1;
}

static int options_check(struct import *im)
{
    if (im->has_key == (im->loader.into != NULL))
        return cli_error(CLI_USAGE, im->has_key
                             ? "import: --into is for a list, so --key makes no sense with it"
                             : "import: say what the keys are (--key-field NAME or --key "
                               "TEMPLATE), or --into a list");
    if (im->loader.into && *im->prefix)
        return cli_error(CLI_USAGE, "import: --prefix is for keys, so not with --into");
    if (im->cli->reads_commands && strcmp(im->file, "-") == 0)
        return cli_error(CLI_USAGE, "import: name a file; commands come from standard input here");
    if (im->at && im->layout == CLI_LAYOUT_LINES)
        return cli_error(CLI_USAGE, "import: --at is for --format json");
    return -1;
}

/* Returns -1 to go on, or what to exit with. */
static int options_parse(struct import *im, int count, char **words)
{
    enum { KEY = 1, KEY_FIELD, PREFIX, INTO, FORMAT, AT, ON_DUPLICATE, HELP };
    static const struct option known[] = {{"key", required_argument, NULL, KEY},
                                          {"key-field", required_argument, NULL, KEY_FIELD},
                                          {"prefix", required_argument, NULL, PREFIX},
                                          {"into", required_argument, NULL, INTO},
                                          {"format", required_argument, NULL, FORMAT},
                                          {"at", required_argument, NULL, AT},
                                          {"on-duplicate", required_argument, NULL, ON_DUPLICATE},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
    int result = -1;
    optind = 0; /* starts anew: the main options were read before */
    for (int letter; result < 0 && (letter = getopt_long(count, words, "q", known, NULL)) != -1;) {
        switch (letter) {
        case KEY: result = set_key(im, optarg, "--key"); break;
        case KEY_FIELD: result = set_key_field(im, optarg); break;
        case PREFIX: im->prefix = optarg; break;
        case INTO: im->loader.into = optarg; break;
        case FORMAT: result = set_format(im, optarg); break;
        case AT: im->at = optarg; break;
        case ON_DUPLICATE: result = set_on_duplicate(im, optarg); break;
        case 'q': im->cli->options.quiet = true; break;
        case HELP: usage(stdout); return CLI_OK;
        default: return CLI_USAGE;
        }
    }
    if (result >= 0) return result;
    if (count - optind > 1) return cli_error(CLI_USAGE, "import: only one file at a time");
    im->file = optind < count ? words[optind] : "-";
    return options_check(im);
}

/* --- reading ----------------------------------------------------------------------------*/

/* A record has been read. */
static bool store_record(void *context, const struct cairn_args *value)
{
    struct import *im = context;
    uint64_t number = cli_records_number(im->records), line = cli_records_line(im->records);
    if (cli_stop_asked()) return false;
    if (im->loader.into) return cli_loader_put(&im->loader, NULL, value, number, line);
    struct cli_text key = {0};
    cli_text_add_cstr(&key, im->prefix);
    const char *missing = cli_key_make(&im->key, &key);
    bool done = false;
    if (missing)
        im->loader.status = cli_error(CLI_DATA, "%s: record %" PRIu64 " (line %" PRIu64
                                      "): there is no field %s, which the key is made of%s",
                                      im->file, number, line, missing,
                                      number == 1 && im->layout == CLI_LAYOUT_AUTO
                                          ? "; if the records are in an array within, add "
                                            "--format json"
                                          : "");
    else if (key.failed)
        im->loader.status = cli_error(CLI_DATA, "out of memory");
    else
        done = cli_loader_put(&im->loader, &key, value, number, line);
    cli_text_close(&key);
    return done;
}

/* An error within a record may show only lines later, in the midst of others (a bracket that is
 * not closed), so the line on which it begins is the one to look at. */
static bool fail_record(struct import *im)
{
    uint64_t begin = cli_records_begin(im->records), line = cli_records_line(im->records);
    if (im->loader.status == CLI_OK && cli_stop_asked())
        im->loader.status = CLI_DATA;
    if (im->loader.status == CLI_OK)
        im->loader.status = cli_error(CLI_DATA, "%s: record %" PRIu64 ", %sline %" PRIu64 ": %s",
                                      im->file, cli_records_number(im->records),
                                      begin > 0 && begin < line ? "which begins on " : "",
                                      begin > 0 ? begin : line, cli_records_error(im->records));
    return false;
}

static bool read_all(struct import *im, int descriptor)
{
    static char piece[PIECE_BYTES];
    for (;;) {
        ssize_t length = cli_stop_asked() ? 0 : read(descriptor, piece, sizeof piece);
        if (cli_stop_asked()) {
            if (im->loader.status == CLI_OK) im->loader.status = CLI_DATA;
            return false;
        }
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) {
            im->loader.status = cli_error(CLI_DATA, "%s: cannot read: %s", im->file,
                                          strerror(errno));
            return false;
        }
        if (length == 0) break;
        if (!cli_records_feed(im->records, piece, (size_t)length)) return fail_record(im);
        im->bytes += (uint64_t)length;
        cli_progress_show(&im->progress, im->bytes, im->bytes_total, true, im->loader.stored);
    }
    return cli_records_finish(im->records) || fail_record(im);
}

static int open_file(struct import *im)
{
    struct stat status;
    if (strcmp(im->file, "-") == 0) return STDIN_FILENO;
    int descriptor = open(im->file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status) < 0) {
        cli_error(0, "%s: %s", im->file, strerror(errno));
        if (descriptor >= 0) close(descriptor);
        return -1;
    }
    if (S_ISREG(status.st_mode)) im->bytes_total = (uint64_t)status.st_size;
    return descriptor;
}

static void summary(const struct import *im)
{
    char bytes[CLI_BYTES_TEXT_MAX];
    const struct cli_loader *l = &im->loader;
    double seconds = cli_progress_seconds(&im->progress);
    if (im->cli->options.quiet) return;
    fprintf(stderr, "%s %" PRIu64 " record%s", l->status == CLI_OK ? "imported" : "stopped after",
            l->stored, l->stored == 1 ? "" : "s");
    if (!l->into) fprintf(stderr, " (%" PRIu64 " replaced)", l->replaced);
    fprintf(stderr, ", %s, in %.2f s: %.0f records/s\n", cli_bytes_format(bytes, im->bytes),
            seconds, seconds > 0 ? (double)l->stored / seconds : 0);
}

static int import_file(struct import *im, int descriptor)
{
    bool ready = cli_loader_init(&im->loader, im->cli);
    if (ready)
        im->records = cli_records_create(im->layout, im->at, im->has_key ? &im->key : NULL,
                                         store_record, im);
    if (im->records) {
        cli_progress_start(&im->progress, im->cli->options.quiet);
        cli_stop_begin();
        read_all(im, descriptor);
        cli_loader_finish(&im->loader);
        cli_progress_end(&im->progress);
        summary(im);
        cli_stop_end(im->cli->interactive);
    } else {
        im->loader.status = cli_error(CLI_DATA, "out of memory, or too many names in --at");
    }
    cli_records_destroy(im->records);
    cli_loader_close(&im->loader);
    return im->loader.status;
}

int cli_import(struct cli *cli, int count, char **words)
{
    struct import *im = calloc(1, sizeof *im);
    if (!im) return cli_error(CLI_DATA, "out of memory");
    im->cli = cli;
    im->prefix = "";
    char *name = words[0];
    words[0] = (char *)"cairn-cli import"; /* for getopt's messages */
    int result = options_parse(im, count, words);
    words[0] = name;
    if (result < 0) {
        if (im->layout == CLI_LAYOUT_AUTO && ends_with(im->file, ".json"))
            im->layout = CLI_LAYOUT_JSON;
        int descriptor = open_file(im);
        result = descriptor < 0 ? CLI_DATA : cli_connect(cli);
        if (result == CLI_OK) result = import_file(im, descriptor);
        if (descriptor > STDIN_FILENO) close(descriptor);
    }
    cli_key_close(&im->key);
    free(im);
    return result;
}
