/* cli_methods.h - the server's methods, as it describes them itself. */
#ifndef CAIRN_CLIENT_CLI_METHODS_H
#define CAIRN_CLIENT_CLI_METHODS_H

#include "client/cairn.h"
#include "client/cli_text.h"

/* The texts belong to the reply that cli_methods keeps. */
struct cli_method {
    const char *name;   /* "gc.collect" */
    const char *params; /* "path, value, [opts: if, match]" */
    const char *result; /* "bool" */
    const char *help;
};

struct cli_methods {
    struct cairn_reply *reply; /* owned */
    struct cli_method *list;   /* owned; sorted by name */
    size_t count;
};

/* Takes over `reply`, the answer to `methods`. False if it is not one, or memory is short. */
bool cli_methods_take(struct cli_methods *m, struct cairn_reply *reply);
void cli_methods_close(struct cli_methods *m);

/* The method of that name; or the only one whose name ends in "." and that name ("collect" for
 * gc.collect). NULL, and a sentence in `error` that names what is near. */
const struct cli_method *cli_methods_find(const struct cli_methods *m, const char *name,
                                          struct cli_text *error);

/* The number of bytes to insert, remove or change between two names; 32 if one is longer than
 * that. */
size_t cli_name_distance(const char *a, const char *b);

#endif
