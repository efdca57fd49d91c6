/* cli_table.h - what the commands of cairn-cli table share.
 *
 *   cli_table.c           the commands, their options, their help
 *   cli_table_query.c     show, query, group: rows, as a grid, JSON or CSV
 *   cli_table_describe.c  describe
 *   cli_table_load.c      create, append
 *   cli_table_list.c      list, drop
 *   cli_table_save.c      export */
#ifndef CAIRN_CLIENT_CLI_TABLE_H
#define CAIRN_CLIENT_CLI_TABLE_H

#include "client/cli.h"
#include "client/cli_clauses.h"
#include "client/cli_grid.h"

/* One of the words --name or --name=value (or --name value). */
struct table_option {
    const char *name;
    const char **value; /* NULL: it takes none */
    bool *flag;         /* set when it is there; may be NULL */
};

struct table_command {
    const char *name;
    const char *params;
    const char *help;
    const char *more; /* of --help: options, examples */
    int (*run)(struct cli *cli, const struct table_command *command, int count, char **words);
};
extern const struct table_command table_commands[];
extern const size_t table_command_count;

/* Reads the options among `words` and takes them out of there; *count is what is left. Returns -1
 * to go on, or what to exit with. --help, --quiet and -q are known everywhere. */
int table_options(struct cli *cli, const struct table_command *command,
                  const struct table_option *options, size_t option_count, int *count,
                  char **words);
int table_usage(const struct table_command *command, const char *wrong);

/* Reports that memory is short; returns what to exit with. */
int table_no_memory(void);
/* Adds an option of a call, unless `value` is NULL. */
void table_add_text(struct cairn_args *args, const char *name, const char *value);
/* Adds the path that `word` is; CLI_OK, or an error that has been reported. */
int table_path(struct cairn_args *args, const char *word);
/* Calls with extension types on; CLI_OK and *reply, or an error that has been reported. */
int table_ask(struct cli *cli, const char *method, const struct cairn_args *args,
              struct cairn_reply **reply);
/* Connects, and reads the columns of a table. */
int table_fields(struct cli *cli, const char *word, struct cli_fields *fields);

/* The text of a cell, dates and times spelled out, nothing escaped: a time as 2024-05-01 10:00:00.
 * With `iso` as table.export writes it: 2024-05-01T10:00:00Z, and bytes of a bin in base64. */
void table_cell(struct cli_text *out, const struct cairn_value *v, const struct cli_field *field,
                bool iso);

/* The same for JSON: what cairn-cli prints anywhere, but dates and times as texts. `room` is for
 * these. */
void table_cell_json(FILE *out, const struct cairn_value *v, const struct cli_field *field,
                     struct cli_text *room);

int table_show(struct cli *cli, const struct table_command *command, int count, char **words);
int table_query(struct cli *cli, const struct table_command *command, int count, char **words);
int table_group(struct cli *cli, const struct table_command *command, int count, char **words);
int table_describe(struct cli *cli, const struct table_command *command, int count, char **words);
int table_create(struct cli *cli, const struct table_command *command, int count, char **words);
int table_append(struct cli *cli, const struct table_command *command, int count, char **words);
int table_list(struct cli *cli, const struct table_command *command, int count, char **words);
int table_drop(struct cli *cli, const struct table_command *command, int count, char **words);
int table_export(struct cli *cli, const struct table_command *command, int count, char **words);

/* Reads the clauses that `words` are, joined by blanks, behind `prefix` and in front of `suffix`,
 * into the options of a query (cli_clauses.h). CLI_OK, or an error that has been reported, with a
 * caret. */
int table_clauses(struct cli *cli, enum cli_clauses_kind kind, const char *prefix, int count,
                  char **words, const char *suffix, const struct cli_fields *fields,
                  struct cairn_args *args, struct cairn_args *where, struct cli_clauses *said);

#endif
