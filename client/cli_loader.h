/* cli_loader.h - stores records on the server, many at a time.
 *
 * Requests are pipelined: up to CLI_LOADER_WINDOW of them (or some megabytes) are under way, and
 * each is kept until its reply has come, so that an error can name its record.
 *
 * Under keys, each record is first stored on the condition that its key is absent. Where it is
 * not, the record is sent again without the condition (replaced), or the import ends
 * (refused). Repetitions go behind everything sent so far and keep their order, so of
 * records with the same key the last one wins, as if they had been stored one by one. */
#ifndef CAIRN_CLIENT_CLI_LOADER_H
#define CAIRN_CLIENT_CLI_LOADER_H

#include "client/cli.h"

#define CLI_LOADER_WINDOW 128

struct loader_slot {
    struct cairn_args *args; /* owned */
    struct cli_text key;
    uint64_t number;         /* of its first record */
    uint64_t line;
    uint64_t records;
    size_t bytes;
    bool again;
};

struct cli_loader {
    struct cli *cli;
    const char *into;        /* path of the list to add to; NULL: each record has its key */
    bool refuse_duplicates;

    struct loader_slot slots[CLI_LOADER_WINDOW]; /* a ring of those under way */
    size_t first, count;
    size_t bytes;            /* of all of them */
    struct loader_slot batch; /* for a list: gathered, not yet sent */

    uint64_t stored, replaced; /* records; stored includes replaced */
    /* What to exit with. An error of the input is put here by the caller: what was handed over
     * in front of it is still stored. Only after an error of the server nothing more is sent. */
    int status;
    bool failed;
};

/* Zeroed before; into and refuse_duplicates are set by the caller. False when memory is short. */
bool cli_loader_init(struct cli_loader *l, struct cli *cli);
void cli_loader_close(struct cli_loader *l);

/* Stores a record, under its key or in the list (then key is NULL). False after an error, which
 * has been reported. */
bool cli_loader_put(struct cli_loader *l, const struct cli_text *key,
                    const struct cairn_args *value, uint64_t number, uint64_t line);
/* Sends what is gathered, unless the server has failed, and waits for all that is under way, also
 * after an error, so that the counts are right. */
bool cli_loader_finish(struct cli_loader *l);

#endif
