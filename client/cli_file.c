/* cli_file.c - the file that an export writes; see cli_file.h. */
#include "client/cli_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli.h"

/* A file of its own beside `place`, with the permissions of the one it will replace. */
static int temporary_open(struct cli_file *f, mode_t mode)
{
    cli_text_add_cstr(&f->temporary, f->place);
    cli_text_add_cstr(&f->temporary, ".XXXXXX");
    if (f->temporary.failed) return cli_error(CLI_DATA, "out of memory");
    int descriptor = mkostemp(f->temporary.data, O_CLOEXEC);
    if (descriptor >= 0 && fchmod(descriptor, mode) == 0) f->out = fdopen(descriptor, "w");
    if (f->out) return CLI_OK;
    int result = cli_error(CLI_DATA, "%s: cannot write: %s", f->name, strerror(errno));
    if (descriptor >= 0) {
        close(descriptor);
        unlink(f->temporary.data);
    }
    return result;
}

int cli_file_open(struct cli_file *f, const char *name)
{
    struct stat status;
    f->name = name;
    f->out = stdout;
    if (strcmp(f->name, "-") == 0) return CLI_OK;
    f->out = NULL;
    bool exists = stat(f->name, &status) == 0;
    bool is_link_to_nothing = !exists && lstat(f->name, &status) == 0;
    if (is_link_to_nothing || (exists && !S_ISREG(status.st_mode))) {
        f->out = fopen(f->name, "we");
        return f->out ? CLI_OK : cli_error(CLI_DATA, "%s: %s", f->name, strerror(errno));
    }
    mode_t mask = umask(0);
    umask(mask);
    f->place = exists ? realpath(f->name, NULL) : strdup(f->name);
    if (!f->place) return cli_error(CLI_DATA, "%s: %s", f->name, strerror(errno));
    int result = temporary_open(f, exists ? status.st_mode & 0777 : 0666 & ~mask);
    return result == CLI_OK ? CLI_OK : cli_file_close(f, result);
}

/* Gives the file its name if all went well, else takes it away. */
static int settle(struct cli_file *f, int result)
{
    int error = ferror(f->out) ? errno : 0; /* of what was written last */
    if (fclose(f->out) != 0 && error == 0) error = errno;
    if (error != 0 && result == CLI_OK)
        result = cli_error(CLI_DATA, "%s: cannot write: %s", f->name, strerror(error));
    if (!f->place) return result;
    if (result == CLI_OK && rename(f->temporary.data, f->place) != 0)
        result = cli_error(CLI_DATA, "%s: cannot rename %s: %s", f->place, f->temporary.data,
                           strerror(errno));
    if (result != CLI_OK) unlink(f->temporary.data);
    return result;
}

int cli_file_close(struct cli_file *f, int result)
{
    if (f->out == stdout) {
        if (fflush(stdout) != 0 && result == CLI_OK)
            result = cli_error(CLI_DATA, "cannot write to standard output: %s", strerror(errno));
    } else if (f->out) {
        result = settle(f, result);
    }
    cli_text_close(&f->temporary);
    free(f->place);
    *f = (struct cli_file){.name = NULL};
    return result;
}

int cli_file_fail(const struct cli_file *f)
{
    return cli_error(CLI_DATA, "%s: cannot write: %s",
                     f->out == stdout ? "standard output" : f->name, strerror(errno));
}
