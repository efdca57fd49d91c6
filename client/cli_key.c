/* cli_key.c - keys made of fields; see cli_key.h. */
#include "client/cli_key.h"

#include <string.h>

const char *cli_key_parse(struct cli_key *key, const char *template_text)
{
    for (const char *at = template_text; *at;) {
        struct cli_text *text = &key->text[key->count];
        if ((at[0] == '{' || at[0] == '}') && at[1] == at[0]) {
            cli_text_add_char(text, *at);
            at += 2;
        } else if (*at == '{') {
            size_t length = strcspn(++at, "{}");
            if (at[length] != '}') return "a { without its }";
            if (length == 0) return "{} names no field";
            if (key->count == CLI_KEY_FIELDS_MAX) return "more than 16 fields";
            cli_text_add(&key->field[key->count++], at, length);
            at += length + 1;
        } else if (*at == '}') {
            return "a } without its {";
        } else {
            cli_text_add_char(text, *at++);
        }
    }
    return key->count == 0 ? "there is no field in it, so all records would have one key" : NULL;
}

void cli_key_close(struct cli_key *key)
{
    for (size_t i = 0; i <= CLI_KEY_FIELDS_MAX; i++) cli_text_close(&key->text[i]);
    for (size_t i = 0; i < CLI_KEY_FIELDS_MAX; i++) {
        cli_text_close(&key->field[i]);
        cli_text_close(&key->value[i]);
    }
    key->count = 0;
}

void cli_key_clear(struct cli_key *key)
{
    memset(key->has_value, 0, sizeof key->has_value);
}

static bool is_field(const struct cli_text *field, const char *name, size_t length)
{
    return field->length == length && memcmp(field->data, name, length) == 0;
}

bool cli_key_names(const struct cli_key *key, const char *name, size_t name_length)
{
    for (size_t i = 0; i < key->count; i++)
        if (is_field(&key->field[i], name, name_length)) return true;
    return false;
}

void cli_key_value(struct cli_key *key, const char *name, size_t name_length, const char *data,
                   size_t length)
{
    for (size_t i = 0; i < key->count; i++) {
        if (!is_field(&key->field[i], name, name_length)) continue;
        cli_text_clear(&key->value[i]);
        cli_text_add(&key->value[i], data, length);
        key->has_value[i] = true;
    }
}

const char *cli_key_make(const struct cli_key *key, struct cli_text *out)
{
    for (size_t i = 0; i < key->count; i++) {
        if (!key->has_value[i]) return key->field[i].data;
        cli_text_add(out, key->text[i].data, key->text[i].length);
        cli_text_add(out, key->value[i].data, key->value[i].length);
        out->failed |= key->value[i].failed;
    }
    cli_text_add(out, key->text[key->count].data, key->text[key->count].length);
    return NULL;
}
