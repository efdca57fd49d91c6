/* cli.h - cairn-cli: what its parts share.
 *
 *   cli_main.c         one command from the arguments, or many from standard input
 *   cli_options.c      options of the command line
 *   cli_methods.c      what the server says about its methods
 *   cli_params.c       words to parameters, by a method's list of parameters
 *   cli_path, cli_json paths and literals
 *   cli_words.c        a line to words
 *   cli_interactive.c  editing, history, completion
 *   cli_import.c, cli_records.c, cli_loader.c, cli_export.c, cli_progress.c
 *   cli_stop.c         Ctrl-C during import and export
 *   cli_views.c        heapmap and census
 *   cli_table*.c       table: its commands
 *   cli_clauses, cli_filter*, cli_lexer, cli_fields   what tables are asked, in words
 *   cli_grid, cli_date how rows are shown
 *   cli_file.c         files that exports write
 *
 * Results go to standard output; errors, progress and summaries go to standard error. */
#ifndef CAIRN_CLIENT_CLI_H
#define CAIRN_CLIENT_CLI_H

#include <stdio.h>

#include "client/cairn.h"
#include "client/cli_methods.h"
#include "client/cli_text.h"

/* What the program ends with. Documented in cairn-cli(1); scripts rely on it. */
enum cli_exit {
    CLI_OK = 0,
    CLI_SERVER_ERROR = 1, /* the server answered with an error */
    CLI_USAGE = 2,        /* the command makes no sense; nothing was sent */
    CLI_CONNECTION = 3,   /* no connection, or it was lost, or no answer in time */
    CLI_DATA = 4,         /* import or export: a file, or what is in it */
    CLI_NIL = 5,          /* with --fail-nil: the result was nil */
};

struct cli_options {
    const char *host;
    unsigned port;
    const char *unix_path; /* instead of host and port */
    const char *url;       /* instead of all of these */
    unsigned timeout_ms;
    bool json;
    bool raw;
    bool fail_nil;
    bool quiet;
};

struct cli {
    struct cli_options options;
    struct cairn *cairn;
    struct cli_methods methods; /* empty until cli_methods_need */
    bool is_terminal;           /* standard output is one */
    bool colour;
    bool reads_commands; /* from standard input, which is therefore not for data */
    bool interactive;    /* from a terminal */
    bool has_ext; /* the session has extension types on */
};

/* Reads the options in front of the command; *first is the index of the first argument behind
 * them. Returns -1 to go on, or what to exit with. */
int cli_options_parse(struct cli_options *options, int argc, char **argv, int *first);
void cli_usage(FILE *out);
/* Whether this is how one of the options is written. */
bool cli_options_has(const char *word);

/* Connects unless connected. CLI_OK, or an error that has been reported. */
int cli_connect(struct cli *cli);
/* As cairn_call, but if the server says that only extension types can carry the result (a cycle,
 * an integer above int64, deep nesting), asks again with them. */
enum cairn_status cli_call(struct cli *cli, const char *method, const struct cairn_args *args,
                           struct cairn_reply **reply);
/* As cairn_call, with extension types: for results that cannot be asked for again, like those of a
 * cursor. */
enum cairn_status cli_call_ext(struct cli *cli, const char *method, const struct cairn_args *args,
                               struct cairn_reply **reply);
/* Whether the error at hand is of that kind. */
bool cli_needs_ext(const struct cli *cli);
/* Where the server is, for messages and the prompt. */
void cli_address(const struct cli *cli, char *text, size_t size);
/* Reports the connection's error, with `what` in front if not NULL; returns what to exit with. */
int cli_report(struct cli *cli, const char *what);
/* Prints "cairn-cli: …" and a newline on standard error; returns `status`. */
int cli_error(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a result as the options say. CLI_OK, or CLI_NIL. */
int cli_print(struct cli *cli, const struct cairn_value *value);
/* Columns of the terminal, or 80. */
unsigned cli_columns(void);

/* Runs one command; words[0] is its name. Errors have been reported. */
int cli_run(struct cli *cli, int count, char **words);
/* Loads the methods if they are not there yet. CLI_OK, or an error that has been reported. */
int cli_methods_need(struct cli *cli);
/* Commands of cairn-cli itself. */
struct cli_command {
    const char *name;
    const char *params;
    const char *help;
    int (*run)(struct cli *cli, int count, char **words);
};
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

int cli_import(struct cli *cli, int count, char **words);
int cli_export(struct cli *cli, int count, char **words);
int cli_heapmap(struct cli *cli, int count, char **words);
int cli_census(struct cli *cli, int count, char **words);
int cli_table(struct cli *cli, int count, char **words);
int cli_help(struct cli *cli, int count, char **words);

/* Reads commands until the end of standard input. Returns what to exit with. */
int cli_interactive(struct cli *cli);
int cli_batch(struct cli *cli);

#endif
