/* cli_main.c - cairn-cli, the command line of Cairn: see cli.h for its parts. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli.h"

static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && *no) && term && strcmp(term, "dumb") != 0;
}

/* Output that could not be written is an error, however well all else went. */
static int finish_output(int result)
{
    bool failed = ferror(stdout);
    if ((fflush(stdout) != 0 || failed) && result == CLI_OK)
        return cli_error(CLI_DATA, "cannot write to standard output: %s", strerror(errno));
    return result;
}

int main(int argc, char **argv)
{
    struct cli cli = {.cairn = NULL};
    int first;
    signal(SIGXFSZ, SIG_IGN); /* a file that is too large is an error of the write, not our end */
    setlocale(LC_CTYPE, "");
    int result = cli_options_parse(&cli.options, argc, argv, &first);
    if (result >= 0) return finish_output(result);
    cli.is_terminal = isatty(STDOUT_FILENO);
    cli.colour = cli.is_terminal && wants_colour();
    if (first < argc)
        result = cli_run(&cli, argc - first, argv + first);
    else if (isatty(STDIN_FILENO))
        result = cli_interactive(&cli);
    else
        result = cli_batch(&cli);
    cli_methods_close(&cli.methods);
    cairn_destroy(cli.cairn);
    return finish_output(result);
}
