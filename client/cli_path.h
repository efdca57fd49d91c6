/* cli_path.h - paths as people write them: user:1.name, points[5].x
 *
 *   path     = key { "." field | "[" index "]" | "[" quoted "]" }
 *   key      = quoted | handle | plain
 *   handle   = "@" digits                     an object held by this connection
 *   plain    = one or more bytes other than "." and "["
 *   field    = quoted | plain
 *   index    = ["-"] digits                   negative counts from the end
 *   quoted   = '"' … '"'                      with JSON's escapes
 *
 * So a key is everything up to the first "." or "[", and one that has these in it, or begins with
 * a quote, or looks like a handle, is quoted: "a.b".c, x["y.z"], "@1". A field is a string, also
 * if it is digits: a.5 asks a map for "5", a[5] a list for its item 5.
 *
 * On the wire a key alone is a str, a longer path the array [key, segment…], and a handle the
 * map {"handle": n}. Nothing else is made of a path: the server never parses text. */
#ifndef CAIRN_CLIENT_CLI_PATH_H
#define CAIRN_CLIENT_CLI_PATH_H

#include "client/cairn.h"
#include "client/cli_json.h"

/* Segments that a path may have. */
#define CLI_PATH_SEGMENTS_MAX 256

/* Adds the path that the whole of `text` is to `args`. False and *error (then `args` may be
 * unfinished, and must be cleared) if it is none. */
bool cli_path_parse(struct cairn_args *args, const char *text, size_t length,
                    struct cli_json_error *error) CAIRN_MUST_CHECK;

/* Adds `data` to `args` as str, or, if it is not UTF-8, as bin: the same key to the server. */
void cli_path_key(struct cairn_args *args, const char *data, size_t length);

/* Adds `data` to `out` so that cli_path_parse reads it as one key. */
void cli_path_quote(struct cli_text *out, const char *data, size_t length);

#endif
