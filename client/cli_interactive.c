/* cli_interactive.c - commands from a terminal, or from lines of standard input.
 *
 * On a terminal libedit gives editing, history and completion: Tab completes the name of a
 * method, and behind it shows what the method takes. */
#include <errno.h>
#include <histedit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli.h"
#include "client/cli_file.h"
#include "client/cli_table.h"
#include "client/cli_words.h"

#define HISTORY_LINES 1000

struct editor {
    struct cli *cli;
    EditLine *el;
    History *history;
    char prompt[300];
    char history_path[1024]; /* empty: not kept */
};

/* Runs one line. *quit is set by quit and exit. */
static int run_line(struct cli *cli, const char *line, bool *quit)
{
    struct cli_words words;
    const char *error;
    int result = CLI_OK;
    if (!cli_words_split(&words, line, &error)) return cli_error(CLI_USAGE, "%s", error);
    if (words.count > 0) {
        *quit = strcmp(words.list[0], "quit") == 0 || strcmp(words.list[0], "exit") == 0;
        if (!*quit) result = cli_run(cli, (int)words.count, words.list);
    }
    cli_words_close(&words);
    return result;
}

/* --- lines of standard input ------------------------------------------------------------*/

int cli_batch(struct cli *cli)
{
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int status = CLI_OK;
    bool quit = false;
    cli->reads_commands = true;
    while (!quit && getline(&line, &capacity, stdin) >= 0) {
        number++;
        int result = run_line(cli, line, &quit);
        if (result == CLI_OK) continue;
        if (result != CLI_NIL) fprintf(stderr, "in line %zu of standard input\n", number);
        if (status == CLI_OK) status = result;
        if (result == CLI_CONNECTION) break;
    }
    if (ferror(stdin) && status == CLI_OK)
        status = cli_error(CLI_DATA, "cannot read standard input: %s", strerror(errno));
    free(line);
    return status;
}

/* --- completion -------------------------------------------------------------------------*/

struct candidates {
    const char *prefix;
    size_t length;        /* of the prefix */
    const char *first;    /* the first name that begins with it */
    size_t common;        /* bytes that all of them share */
    size_t count;
    bool print;
    unsigned column;
};

static void candidate(struct candidates *c, const char *name)
{
    if (strncmp(name, c->prefix, c->length) != 0) return;
    if (c->count++ == 0) {
        c->first = name;
        c->common = strlen(name);
    } else {
        size_t same = 0;
        while (same < c->common && name[same] == c->first[same]) same++;
        c->common = same;
    }
    if (!c->print) return;
    if (c->column + 16 > cli_columns()) {
        putchar('\n');
        c->column = 0;
    }
    int printed = printf("%-15s ", name);
    c->column += printed > 0 ? (unsigned)printed : 0;
}

/* All names; of the commands of table, if `table`. */
static void candidates_find(const struct cli *cli, struct candidates *c, bool table)
{
    c->count = 0;
    c->column = 0;
    for (size_t i = 0; i < table_command_count && table; i++) candidate(c, table_commands[i].name);
    if (table) return;
    for (size_t i = 0; i < cli->methods.count; i++) candidate(c, cli->methods.list[i].name);
    for (size_t i = 0; i < cli_command_count; i++) candidate(c, cli_commands[i].name);
    candidate(c, "quit");
}

static unsigned char complete_name(struct editor *e, const char *prefix, size_t length, bool table)
{
    struct candidates c = {.prefix = prefix, .length = length};
    char rest[128];
    candidates_find(e->cli, &c, table);
    if (c.count == 0) return CC_REFRESH_BEEP;
    if (c.count > 1 && c.common == length) {
        putchar('\n');
        c.print = true;
        candidates_find(e->cli, &c, table);
        putchar('\n');
        fflush(stdout);
        return CC_REDISPLAY;
    }
    snprintf(rest, sizeof rest, "%.*s%s", (int)(c.common - length), c.first + length,
             c.count == 1 ? " " : "");
    return el_insertstr(e->el, rest) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
}

/* What the method that the line begins with takes. */
static unsigned char show_hint(struct editor *e, const char *name, size_t length)
{
    for (size_t i = 0; i < e->cli->methods.count; i++) {
        const struct cli_method *m = &e->cli->methods.list[i];
        if (strlen(m->name) != length || memcmp(m->name, name, length) != 0) continue;
        printf("\n%s(%s) -> %s\n", m->name, m->params, m->result);
        fflush(stdout);
        return CC_REDISPLAY;
    }
    return CC_REFRESH_BEEP;
}

/* Behind "table": its commands, and behind one of these what it takes. */
static unsigned char complete_table(struct editor *e, const char *at, const char *cursor)
{
    size_t length = 0;
    while (at < cursor && *at == ' ') at++;
    while (at + length < cursor && at[length] != ' ') length++;
    if (at + length == cursor) return complete_name(e, at, length, true);
    for (size_t i = 0; i < table_command_count; i++) {
        const struct table_command *c = &table_commands[i];
        if (strlen(c->name) != length || memcmp(c->name, at, length) != 0) continue;
        printf("\ntable %s %s\n%s", c->name, c->params, c->more);
        fflush(stdout);
        return CC_REDISPLAY;
    }
    return CC_REFRESH_BEEP;
}

static unsigned char complete(EditLine *el, int key)
{
    struct editor *e;
    const LineInfo *line = el_line(el);
    const char *at = line->buffer;
    (void)key;
    el_get(el, EL_CLIENTDATA, &e);
    while (at < line->cursor && *at == ' ') at++;
    size_t length = 0;
    while (at + length < line->cursor && at[length] != ' ') length++;
    bool behind = at + length < line->cursor;
    bool is_help = behind && length == 4 && memcmp(at, "help", 4) == 0;
    if (is_help) {
        for (at += length; at < line->cursor && *at == ' ';) at++;
        length = (size_t)(line->cursor - at);
        behind = false;
    }
    if (behind && length == 5 && memcmp(at, "table", 5) == 0)
        return complete_table(e, at + length, line->cursor);
    return behind ? show_hint(e, at, length) : complete_name(e, at, length, false);
}

/* --- the terminal -----------------------------------------------------------------------*/

static const char *prompt(EditLine *el)
{
    struct editor *e;
    el_get(el, EL_CLIENTDATA, &e);
    return e->prompt;
}

/* $XDG_STATE_HOME/cairn_history if that is set, else ~/.cairn_history. */
static void history_locate(struct editor *e)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (state && *state)
        length = snprintf(e->history_path, sizeof e->history_path, "%s/cairn_history", state);
    else if (home && *home)
        length = snprintf(e->history_path, sizeof e->history_path, "%s/.cairn_history", home);
    if (length < 0 || (size_t)length >= sizeof e->history_path) e->history_path[0] = 0;
}

static bool editor_open(struct editor *e)
{
    HistEvent event;
    e->el = el_init("cairn-cli", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->el || !e->history) return false;
    history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &event, H_SETUNIQUE, 1);
    history_locate(e);
    if (e->history_path[0]) history(e->history, &event, H_LOAD, e->history_path);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_PROMPT, prompt);
    el_set(e->el, EL_SIGNAL, 1);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_ADDFN, "cairn-complete", "Complete a method, or show what it takes", complete);
    el_set(e->el, EL_BIND, "^I", "cairn-complete", NULL);
    el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(e->el, NULL);
    return true;
}

/* After each line, so that whatever ends the program, the lines are kept: all of them, or, if there
 * is no room, those from before, and no others from then on. */
static void history_save(struct editor *e)
{
    HistEvent event;
    struct cli_file file = {.name = NULL};
    if (!e->history_path[0]) return;
    mode_t old = umask(077); /* what was typed may be nobody else's business */
    int result = cli_file_open(&file, e->history_path);
    umask(old);
    if (result == CLI_OK) {
        history(e->history, &event, H_SAVE_FP, file.out);
        result = cli_file_close(&file, CLI_OK);
    }
    if (result != CLI_OK) e->history_path[0] = 0;
}

static void editor_close(struct editor *e)
{
    if (e->history) history_end(e->history);
    if (e->el) el_end(e->el);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* The next line, or NULL at the end. Ctrl-C drops what has been typed and begins a new one. While a
 * command runs it ends the program, as it does anywhere else. */
static const char *read_line(struct editor *e)
{
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    const char *line;
    int length;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before); /* no SA_RESTART: el_gets is to return */
    do {
        interrupted = 0;
        length = 0;
        line = el_gets(e->el, &length);
        if (!interrupted) continue;
        putchar('\n');
        el_reset(e->el);
    } while (interrupted);
    sigaction(SIGINT, &before, NULL);
    return length > 0 ? line : NULL;
}

static void read_and_run(struct editor *e)
{
    const char *line;
    bool quit = false;
    while (!quit && (line = read_line(e)) != NULL) {
        HistEvent event;
        if (line[strspn(line, " \t\r\n")] == 0) continue;
        history(e->history, &event, H_ENTER, line);
        history_save(e);
        run_line(e->cli, line, &quit);
        fflush(stdout);
    }
    if (!quit) putchar('\n');
}

int cli_interactive(struct cli *cli)
{
    struct editor e = {.cli = cli};
    char address[256];
    cli->reads_commands = cli->interactive = true;
    int result = cli_methods_need(cli);
    if (result != CLI_OK) return result;
    cli_address(cli, address, sizeof address);
    snprintf(e.prompt, sizeof e.prompt, "%s> ", address);
    printf("Connected to %s. help lists the methods, Tab completes, quit ends.\n", address);
    if (editor_open(&e))
        read_and_run(&e);
    else
        result = cli_error(CLI_USAGE, "cannot use this terminal; give the command as arguments");
    editor_close(&e);
    return result;
}
