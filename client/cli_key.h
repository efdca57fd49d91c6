/* cli_key.h - the key of an imported record, made of its fields.
 *
 *   iso:{alpha_2}              "iso:" and what the field alpha_2 holds
 *   {Package}:{Architecture}   two fields
 *   {{x}}                      the text "{x}"
 *
 * A field's value is a text, or a number, true or false as it is written in the file. */
#ifndef CAIRN_CLIENT_CLI_KEY_H
#define CAIRN_CLIENT_CLI_KEY_H

#include "client/cli_text.h"

#define CLI_KEY_FIELDS_MAX 16

/* text[0] field[0] text[1] field[1] … text[count] */
struct cli_key {
    struct cli_text text[CLI_KEY_FIELDS_MAX + 1];
    struct cli_text field[CLI_KEY_FIELDS_MAX];
    struct cli_text value[CLI_KEY_FIELDS_MAX]; /* of the record at hand */
    bool has_value[CLI_KEY_FIELDS_MAX];
    size_t count;
};

/* Reads a template. NULL, or what is wrong with it; static storage. Zeroed before, and to be
 * closed in any case. */
const char *cli_key_parse(struct cli_key *key, const char *template_text);
void cli_key_close(struct cli_key *key);

/* A new record begins. */
void cli_key_clear(struct cli_key *key);
/* The record's field `name` (all places of the template that name it) holds this text. */
void cli_key_value(struct cli_key *key, const char *name, size_t name_length, const char *data,
                   size_t length);
/* Whether the template names the field. */
bool cli_key_names(const struct cli_key *key, const char *name, size_t name_length);
/* Adds the key to `out`. The name of a field without a value, or NULL. */
const char *cli_key_make(const struct cli_key *key, struct cli_text *out);

#endif
