/* replay.c - runs a fuzz target on every file of a corpus; reports in TAP.
 *
 *     replay_NAME [DIRECTORY]     by default $CAIRN_SOURCE/tests/fuzz/corpus/NAME
 *
 * A target links this in place of libFuzzer; its corpus has the name of the program. A file that
 * makes the target abort ends the run, and the last line before tells its name. An empty corpus
 * is a failure. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Runs one file. The block has the exact size of the file, so that a sanitizer sees any read
 * past it. 0, or -1 when it cannot be read. */
static int file_run(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    int status = -1;
    if (fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode)) {
        size_t size = (size_t)info.st_size;
        uint8_t *data = malloc(size ? size : 1);
        if (data && fread(data, 1, size, file) == size)
            status = LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    fclose(file);
    return status;
}

int main(int argc, char **argv)
{
    char directory[4096];
    const char *source = getenv("CAIRN_SOURCE");
    const char *corpus = strchr(program_invocation_short_name, '_'); /* replay_NAME */
    if (argc > 1)
        snprintf(directory, sizeof directory, "%s", argv[1]);
    else
        snprintf(directory, sizeof directory, "%s/tests/fuzz/corpus/%s", source ? source : ".",
                 corpus ? corpus + 1 : "");

    struct dirent **entries;
    int count = scandir(directory, &entries, visible, alphasort);
    if (count <= 0) {
        printf("Bail out! %s: %s\n", directory, count < 0 ? strerror(errno) : "no files");
        return EXIT_FAILURE;
    }
    int failed = 0;
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        char path[sizeof directory + sizeof entries[i]->d_name];
        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        printf("# %s\n", entries[i]->d_name);
        fflush(stdout);
        int status = file_run(path);
        if (status != 0) failed++;
        printf("%s %d - %s\n", status == 0 ? "ok" : "not ok", i + 1, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
