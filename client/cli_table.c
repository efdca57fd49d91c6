/* cli_table.c - cairn-cli table: its commands, their options, and what they share. */
#include "client/cli_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli_date.h"
#include "client/cli_json.h"
#include "client/cli_params.h"

#define CSV_OPTIONS                                                                       \
    "  --delimiter C        what separates the cells of CSV (,); tab: a tabulator\n"         \
    "  --no-header          CSV without a line of names\n"                                   \
    "  --null TEXT          CSV: text that means nil (an empty cell without quotes)\n"
#define FILE_OPTIONS                                                                      \
    "  --format FORMAT      csv, json (an array of records, or a record a line), jsonl,\n"  \
    "                       arrow or npy; else what the name ends in, or the first bytes\n"  \
    CSV_OPTIONS
#define QUERY_OPTIONS                                                                     \
    "  --json               a record of JSON a line\n"                                      \
    "  --csv                CSV with a header, as table export writes it\n"
#define CONDITIONS                                                                        \
    "Conditions: = != < <= > >=, in (a, b), between a and b, is [not] null, starts with,\n" \
    "contains, and, or, not, ( ), + - * / %, bucket(x, 10), cast(x as f64), if(c, x, y).\n" \
    "Texts and dates stand in quotes; a column of an odd name stands in `backticks`.\n"

const struct table_command table_commands[] = {
    {"list", "[PATTERN] [option...]",
     "list the tables, or those whose keys match (* ? [a-z] \\)",
     "  --json               a record of JSON a line: table, rows, columns, bytes\n"
     "\n"
     "In the order of their names. Tables inside of maps are not keys, and are not listed.\n",
     table_list},
    {"create", "NAME FILE|- [option...]", "make a table of a file",
     "  --schema SCHEMA      columns, [[name, type, {null, sorted}]...]; else they are inferred\n"
     "  --types A=TYPE,...   the types of some columns; such columns may be null. Types are\n"
     "                       i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool str sym bin date ts\n"
     "  --ttl MS             when the key expires\n"
     FILE_OPTIONS
     "\n"
     "A file is read twice, the first time for its types; of a pipe, the first block tells.\n",
     table_create},
    {"append", "NAME FILE|- [option...]", "append the rows of a file to a table",
     FILE_OPTIONS
     "\n"
     "All or nothing: others see the rows when the last one is there, and none after an error.\n",
     table_append},
    {"show", "NAME [where ...] [order by ...] [option...]", "show the first rows",
     "  --limit N            how many rows (20)\n"
     "  --offset N           rows to pass over\n"
     "  --columns A,B        some columns\n"
     QUERY_OPTIONS
     "\n" CONDITIONS,
     table_show},
    {"describe", "NAME [option...]",
     "show each column: nulls, distinct, range, space, histogram",
     "  --json               a record of JSON a line, for each column\n"
     "\n"
     "With a ~ (JSON: \"distinct_exact\": false) distinct values are estimated, in more than\n"
     "100,000 rows. What is not finite is left out of range, mean and histogram.\n",
     table_describe},
    {"query", "NAME [select ...] [where ...] [order by ...] [limit n] [offset n] [option...]",
     "show what a query finds", QUERY_OPTIONS "\n" CONDITIONS, table_query},
    {"group", "NAME [by ...] count, sum(x), ... [where ...] [having ...] [order by ...] [limit n]",
     "sum up rows, in groups",
     QUERY_OPTIONS
     "\n"
     "Functions: count sum min max avg var stddev quantile(x, 0.9) median distinct\n"
     "approx_distinct first last; each with \"as name\" if it is to be called so.\n"
     "\n" CONDITIONS,
     table_group},
    {"export", "NAME FILE|- [select ...] [where ...] [order by ...] [limit n] [option...]",
     "write what a query finds to a file",
     "  --format FORMAT      csv, json (an array of records), jsonl (a record a line, also\n"
     "                       called ndjson), arrow (a stream) or npy; else what the file's\n"
     "                       name ends in\n"
     CSV_OPTIONS
     "\n" CONDITIONS,
     table_export},
    {"drop", "NAME", "take a table away", "", table_drop},
};
const size_t table_command_count = sizeof table_commands / sizeof *table_commands;

/* --- help and options -------------------------------------------------------------------*/

static void print_help(const struct table_command *command)
{
    printf("usage: cairn-cli table %s %s\n    %s\n%s%s", command->name, command->params,
           command->help, *command->more ? "\n" : "", command->more);
}

static void print_commands(FILE *out)
{
    fputs("usage: cairn-cli table COMMAND NAME ...\n\n", out);
    for (size_t i = 0; i < table_command_count; i++)
        fprintf(out, "  %-10s %s\n", table_commands[i].name, table_commands[i].help);
    fputs("\n"
          "  cairn-cli table create trips trips.csv\n"
          "  cairn-cli table query trips where 'price > 10 and city in (\"Oslo\", \"Rome\")'\n"
          "  cairn-cli table group trips by city count, 'avg(price)' as mean order by mean desc\n"
          "\n"
          "table COMMAND --help says more. The methods table.scan, table.agg, ... are commands of\n"
          "their own.\n",
          out);
}

int table_usage(const struct table_command *command, const char *wrong)
{
    return cli_error(CLI_USAGE, "table %s: %s; usage: table %s %s", command->name, wrong,
                     command->name, command->params);
}

static bool is_option(const char *word)
{
    char c = word[0] == '-' && word[1] == '-' ? word[2] : 0;
    return (c >= 'a' && c <= 'z') || strcmp(word, "-q") == 0;
}

static const struct table_option *option_find(const struct table_option *options, size_t count,
                                              const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

static int fail_option(const struct table_command *command, const struct table_option *options,
                       size_t count, const char *word)
{
    struct cli_text known = {0};
    for (size_t i = 0; i < count; i++) {
        cli_text_add_cstr(&known, "--");
        cli_text_add_cstr(&known, options[i].name);
        cli_text_add_cstr(&known, " ");
    }
    int result = cli_error(CLI_USAGE, "table %s: unknown option %s; there are %s--quiet and --help",
                           command->name, word, known.data ? known.data : "");
    cli_text_close(&known);
    return result;
}

/* One option at words[*at], which moves on if its value is the next word. */
static int option_read(struct cli *cli, const struct table_command *command,
                       const struct table_option *options, size_t count, int *at, int words_count,
                       char **words)
{
    const char *word = words[*at], *value = strchr(word, '=');
    size_t length = value ? (size_t)(value - word) : strlen(word);
    if (strcmp(word, "-q") == 0 || strcmp(word, "--quiet") == 0) {
        cli->options.quiet = true;
        return -1;
    }
    if (strcmp(word, "--help") == 0) {
        print_help(command);
        return CLI_OK;
    }
    const struct table_option *o = option_find(options, count, word + 2, length - 2);
    if (!o) return fail_option(command, options, count, word);
    if (o->flag) *o->flag = true;
    if (!o->value)
        return value ? cli_error(CLI_USAGE, "table %s: --%s takes no value", command->name, o->name)
                     : -1;
    if (!value && *at + 1 == words_count)
        return cli_error(CLI_USAGE, "table %s: the value of %s is missing", command->name, word);
    *o->value = value ? value + 1 : words[++*at];
    return -1;
}

int table_options(struct cli *cli, const struct table_command *command,
                  const struct table_option *options, size_t option_count, int *count,
                  char **words)
{
    int kept = 0;
    for (int i = 0; i < *count; i++) {
        if (!is_option(words[i])) {
            words[kept++] = words[i];
            continue;
        }
        int result = option_read(cli, command, options, option_count, &i, *count, words);
        if (result >= 0) return result;
    }
    *count = kept;
    return -1;
}

/* What people type for a command that is called otherwise here. */
static int fail_command(const char *word)
{
    static const char *const meant[][2] = {
        {"ls", "list"},       {"tables", "list"},   {"rm", "drop"},      {"delete", "drop"},
        {"del", "drop"},      {"remove", "drop"},   {"import", "create"}, {"load", "create"},
        {"new", "create"},    {"insert", "append"}, {"add", "append"},   {"head", "show"},
        {"print", "show"},    {"get", "show"},      {"info", "describe"}, {"schema", "describe"},
        {"columns", "describe"}, {"stats", "describe"}, {"select", "query"}, {"where", "query"},
        {"filter", "query"},  {"find", "query"},    {"agg", "group"},    {"count", "group"},
        {"save", "export"},   {"dump", "export"}};
    for (size_t i = 0; i < sizeof meant / sizeof *meant; i++)
        if (strcmp(word, meant[i][0]) == 0)
            return cli_error(CLI_USAGE, "there is no command \"table %s\"; it is table %s", word,
                             meant[i][1]);
    return cli_error(CLI_USAGE, "there is no command \"table %s\"; there are list, create, append, "
                                "show, describe, query, group, export and drop", word);
}

int cli_table(struct cli *cli, int count, char **words)
{
    if (count < 2 || strcmp(words[1], "--help") == 0 || strcmp(words[1], "help") == 0) {
        print_commands(count < 2 ? stderr : stdout);
        return count < 2 ? CLI_USAGE : CLI_OK;
    }
    for (size_t i = 0; i < table_command_count; i++) {
        const struct table_command *command = &table_commands[i];
        if (strcmp(command->name, words[1]) != 0) continue;
        if (count == 3 && strcmp(words[2], "?") == 0) {
            print_help(command);
            return CLI_OK;
        }
        /* The words are the caller's: options are taken out of a copy. */
        char **copy = calloc((size_t)count, sizeof *copy);
        if (!copy) return table_no_memory();
        memcpy(copy, words, (size_t)count * sizeof *copy);
        int result = command->run(cli, command, count - 2, copy + 2);
        free(copy);
        return result;
    }
    return fail_command(words[1]);
}

/* --- calls ------------------------------------------------------------------------------*/

int table_no_memory(void)
{
    return cli_error(CLI_CONNECTION, "out of memory");
}

void table_add_text(struct cairn_args *args, const char *name, const char *value)
{
    if (!value) return;
    cairn_args_cstr(args, name);
    cairn_args_cstr(args, value);
}

int table_path(struct cairn_args *args, const char *word)
{
    struct cli_text error = {0};
    bool done = cli_params_path(args, word, &error);
    int result = done ? CLI_OK
                      : cli_error(CLI_USAGE, "%s", error.data ? error.data : "out of memory");
    cli_text_close(&error);
    return result;
}

int table_ask(struct cli *cli, const char *method, const struct cairn_args *args,
              struct cairn_reply **reply)
{
    *reply = NULL;
    int result = cli_connect(cli);
    if (result != CLI_OK) return result;
    return cli_call_ext(cli, method, args, reply) == CAIRN_OK ? CLI_OK : cli_report(cli, NULL);
}

static bool add_fields(struct cli_fields *fields, const struct cairn_value *schema)
{
    for (size_t i = 0; i < cairn_length(schema); i++) {
        size_t length;
        const struct cairn_value *column = cairn_at(schema, (ptrdiff_t)i);
        const char *name = cairn_text(cairn_at(column, 0), &length);
        const char *type = cairn_text(cairn_at(column, 1), NULL);
        if (!name || !type || !cli_fields_add(fields, name, length, type)) return false;
    }
    return true;
}

int table_fields(struct cli *cli, const char *word, struct cli_fields *fields)
{
    struct cairn_reply *reply = NULL;
    struct cairn_args *args = cairn_args_create();
    int result = args ? table_path(args, word) : table_no_memory();
    if (result == CLI_OK) result = table_ask(cli, "table.schema", args, &reply);
    if (result == CLI_SERVER_ERROR && strcmp(cairn_error_code(cli->cairn), "NOT_FOUND") == 0)
        fputs("table list tells which tables there are\n", stderr);
    if (result == CLI_OK && !add_fields(fields, cairn_reply_result(reply)))
        result = cli_error(CLI_CONNECTION, "the server's answer is no list of columns");
    cairn_reply_destroy(reply);
    cairn_args_destroy(args);
    return result;
}

int table_clauses(struct cli *cli, enum cli_clauses_kind kind, const char *prefix, int count,
                  char **words, const char *suffix, const struct cli_fields *fields,
                  struct cairn_args *args, struct cairn_args *where, struct cli_clauses *said)
{
    struct cli_text text = {0};
    struct cli_query_error error;
    int result = CLI_OK;
    cli_text_add_cstr(&text, prefix);
    for (int i = 0; i < count; i++) {
        if (text.length > 0) cli_text_add_char(&text, ' ');
        cli_text_add_cstr(&text, words[i]);
    }
    cli_text_add_cstr(&text, suffix);
    if (text.failed) {
        result = table_no_memory();
    } else if (!cli_clauses_read(kind, text.data, text.length, fields, args, where, said, &error)) {
        unsigned width = isatty(STDERR_FILENO) ? cli_columns() : 0;
        result = cli_error(CLI_USAGE, "this query is not understood:");
        cli_query_error_print(stderr, text.data, text.length, &error, width);
    }
    (void)cli;
    cli_text_close(&text);
    return result;
}

/* --- cells ------------------------------------------------------------------------------*/

/* The shortest text that reads back as the same float. */
static void float_cell(struct cli_text *out, double value)
{
    char text[CLI_DOUBLE_BYTES_MAX];
    if (value != value || value - value != 0) {
        cli_double_format(text, value);
    } else {
        for (int precision = 6; precision <= 9; precision++) {
            snprintf(text, sizeof text, "%.*g", precision, value);
            if (strtof(text, NULL) == (float)value) break;
        }
        if (!strpbrk(text, ".e")) strcat(text, ".0");
    }
    cli_text_add_cstr(out, text);
}

static void json_cell(struct cli_text *out, const struct cairn_value *v)
{
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    if (!memory) {
        out->failed = true;
        return;
    }
    cli_json_print(memory, v, &(struct cli_json_style){.width = 0});
    if (fclose(memory) == 0) cli_text_add(out, text, length);
    else out->failed = true;
    free(text);
}

void table_cell_json(FILE *out, const struct cairn_value *v, const struct cli_field *field,
                     struct cli_text *room)
{
    bool time = field->type == CLI_TYPE_DATE || field->type == CLI_TYPE_TIME;
    if (!time || cairn_type(v) != CAIRN_INT) {
        cli_json_print(out, v, &(struct cli_json_style){.strict = true});
        return;
    }
    cli_text_clear(room);
    table_cell(room, v, field, true);
    fprintf(out, "\"%s\"", room->data ? room->data : "");
}

void table_cell(struct cli_text *out, const struct cairn_value *v, const struct cli_field *field,
                bool iso)
{
    char text[CLI_DATE_BYTES_MAX];
    size_t length;
    enum cairn_type type = cairn_type(v);
    if (type == CAIRN_STR || type == CAIRN_BIN) {
        const char *data = cairn_text(v, &length);
        if (iso && field->type == CLI_TYPE_BIN) cli_text_add_base64(out, data, length);
        else cli_text_add(out, data, length);
    } else if (type == CAIRN_INT && field->type == CLI_TYPE_DATE) {
        cli_text_add(out, text, cli_date_format(text, cairn_int(v, 0)));
    } else if (type == CAIRN_INT && field->type == CLI_TYPE_TIME) {
        cli_text_add(out, text, cli_time_format(text, cairn_int(v, 0), iso ? 'T' : ' '));
        if (iso) cli_text_add_char(out, 'Z');
    } else if (type == CAIRN_DOUBLE && strcmp(field->type_name, "f32") == 0) {
        float_cell(out, cairn_double(v, 0));
    } else {
        json_cell(out, v);
    }
}
