/* main.c - cairn-server. Exit status: 0 ended as asked, 1 could not start or was ended by
 * force, 2 bad command line or configuration, 3 `verify` found the heap damaged. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/log.h"
#include "server/server.h"
#include "server/settings.h"

#define EXIT_SETTINGS 2
#define EXIT_DAMAGED 3

static int fail(const char *sentence, int status)
{
    fprintf(stderr, "cairn-server: %s\n", sentence);
    return status;
}

/* Why the server cannot start: to the log, and to the terminal if the log is elsewhere. */
static void tell(const char *sentence, bool log_is_elsewhere)
{
    log_error("%s", sentence);
    if (log_is_elsewhere) fail(sentence, EXIT_FAILURE);
}

static int serve(struct settings *settings)
{
    char error[600];
    struct server *server;
    bool log_is_elsewhere = *settings->log_file != '\0';
    int result = log_open(settings->log_level, settings->log_file);
    if (result != 0) {
        snprintf(error, sizeof error, "log-file: %.400s cannot be opened: %s", settings->log_file,
                 strerror(-result));
        settings_close(settings);
        return fail(error, EXIT_FAILURE);
    }
    log_info("cairn-server %s starts", PACKAGE_VERSION);
    int status = EXIT_FAILURE;
    if (server_create(&server, settings, error, sizeof error) != 0) {
        tell(error, log_is_elsewhere);
    } else {
        if (server_listen(server, error, sizeof error) != 0)
            tell(error, log_is_elsewhere);
        else
            status = server_run(server) == 0 ? EXIT_SUCCESS : EXIT_DAMAGED;
        server_destroy(server);
    }
    if (status == EXIT_SUCCESS) log_info("ended");
    log_close();
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    enum settings_action action;
    char error[600];
    signal(SIGXFSZ, SIG_IGN); /* a file that is too large is an error of the write, not our end */
    if (settings_init(&settings) != 0) return fail("out of memory", EXIT_FAILURE);
    if (settings_read_arguments(&settings, argc, argv, &action, error, sizeof error) != 0 ||
        (action == SETTINGS_CHECK && listeners_check(&settings, error, sizeof error) != 0)) {
        settings_close(&settings);
        return fail(error, EXIT_SETTINGS);
    }
    if (action == SETTINGS_RUN) return serve(&settings);
    if (action == SETTINGS_HELP) settings_print_help();
    if (action == SETTINGS_VERSION) printf("cairn-server %s\n", PACKAGE_VERSION);
    if (action == SETTINGS_CHECK) printf("cairn-server: the settings are in order\n");
    settings_close(&settings);
    return EXIT_SUCCESS;
}
