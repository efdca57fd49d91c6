/* cli_params.h - from words on a command line to the parameters of a method.
 *
 * A method says what it takes, e.g. "path, [value...], [opts: front, create]". A parameter's
 * name says how its word is read:
 *
 *   path key target      a path (cli_path.h); or, beginning with [, its literal form;
 *                        nil in the place of [path] is none
 *   paths                a list of these: all the words that are left
 *   handle               @N or N
 *   data pattern channel section name type member   text as it stands; quoted: "…" or b"…"
 *   any other            a literal (cli_json.h); a word that is none is a string
 *
 *   x, ...               one or more of x
 *   [x...]               a list of x: one literal list, or all the words that are left
 *   [[x, y]...]          a list of pairs: one literal list, or x y x y …
 *   [x]                  may be left out
 *   [opts: a, b]         a map of options: words a=value at the end, or one literal map
 *
 * Where a list takes the words that are left, one that looks like a mistyped option is an error:
 * "in=x" among paths, "crate=true" among values if there is an option create; and so is an option
 * in place of a parameter that must be there. In quotes ('"in=x"') each is what it says. */
#ifndef CAIRN_CLIENT_CLI_PARAMS_H
#define CAIRN_CLIENT_CLI_PARAMS_H

#include "client/cli_json.h"
#include "client/cli_methods.h"

/* Adds the parameters of `method` that `words` stand for to `args`. False, and what is wrong
 * in `error`; `args` must then be cleared. */
bool cli_params_build(struct cairn_args *args, const struct cli_method *method,
                      char *const *words, size_t count, struct cli_text *error) CAIRN_MUST_CHECK;

/* A single value: a literal, or else a string. */
bool cli_params_value(struct cairn_args *args, const char *word, struct cli_text *error)
    CAIRN_MUST_CHECK;

/* A path, or beginning with [ its literal form. */
bool cli_params_path(struct cairn_args *args, const char *word, struct cli_text *error)
    CAIRN_MUST_CHECK;

#endif
