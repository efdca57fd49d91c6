/* cli_file.h - the file that an export writes: it gets its name when it is complete.
 *
 * A regular file is written beside its place, with the permissions of the one it replaces, and
 * takes the place at the end; a link is followed. A pipe or a device has no place to take, so it is
 * written to as it stands, and so is standard output ("-"). */
#ifndef CAIRN_CLIENT_CLI_FILE_H
#define CAIRN_CLIENT_CLI_FILE_H

#include <stdio.h>

#include "client/cli_text.h"

struct cli_file {
    const char *name; /* as given; borrowed */
    FILE *out;
    char *place;               /* the file that will be replaced; owned */
    struct cli_text temporary; /* its name while it is being written */
};

/* Zeroed before. CLI_OK, or an error that has been reported. */
int cli_file_open(struct cli_file *f, const char *name);
/* With CLI_OK gives the file its name, else takes it away. Returns `result`, or what failed now. */
int cli_file_close(struct cli_file *f, int result);
/* Reports that writing failed, of which errno tells why; returns CLI_DATA. */
int cli_file_fail(const struct cli_file *f);

#endif
