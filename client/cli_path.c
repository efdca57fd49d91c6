/* cli_path.c - reads a path (grammar in cli_path.h) into the parameters of a call. */
#include "client/cli_path.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

struct reader {
    const char *text;
    size_t at, length;
    struct cairn_args *args;
    struct cli_text scratch;
    struct cli_json_error *error;
};

static bool fail(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->error->text, sizeof r->error->text, format, args);
    va_end(args);
    r->error->offset = r->at;
    return false;
}

void cli_path_key(struct cairn_args *args, const char *data, size_t length)
{
    if (cli_utf8_valid(data, length))
        cairn_args_str(args, data, length);
    else
        cairn_args_bin(args, data, length);
}

static bool at_char(const struct reader *r, char c)
{
    return r->at < r->length && r->text[r->at] == c;
}

static bool quoted(struct reader *r)
{
    size_t used, start = r->at;
    cli_text_clear(&r->scratch);
    if (!cli_json_string(r->text + start, r->length - start, true, &r->scratch, &used, r->error)) {
        r->error->offset += start;
        return false;
    }
    r->at += used;
    cli_path_key(r->args, r->scratch.data, r->scratch.length);
    return true;
}

/* A key or a field: quoted, or everything up to the next "." or "[". */
static bool name(struct reader *r, const char *what)
{
    if (at_char(r, '"')) return quoted(r);
    size_t start = r->at;
    while (r->at < r->length && !at_char(r, '.') && !at_char(r, '[')) r->at++;
    if (r->at == start)
        return fail(r, "a %s is missing; one that has . or [ in it, or is empty, needs quotes",
                    what);
    cli_path_key(r->args, r->text + start, r->at - start);
    return true;
}

/* The digits of a handle, if the path begins with one; else 0. */
static size_t handle_digits(const char *text, size_t length)
{
    size_t digits = 0;
    if (length == 0 || text[0] != '@') return 0;
    while (1 + digits < length && isdigit((unsigned char)text[1 + digits])) digits++;
    bool ends = 1 + digits == length || text[1 + digits] == '.' || text[1 + digits] == '[';
    return ends ? digits : 0;
}

static bool key(struct reader *r)
{
    size_t digits = handle_digits(r->text, r->length);
    if (digits == 0) return name(r, "key");
    struct cli_number number = cli_number_parse(r->text + 1, digits);
    if (number.type != CLI_NUMBER_INT)
        return fail(r, "a handle is written @N, with a number N from hold or new");
    cairn_args_map_open(r->args);
    cairn_args_cstr(r->args, "handle");
    cairn_args_int(r->args, number.integer);
    cairn_args_map_close(r->args);
    r->at += 1 + digits;
    return true;
}

/* What is in brackets; they have been opened. */
static bool subscript(struct reader *r)
{
    if (at_char(r, '"')) {
        if (!quoted(r)) return false;
    } else {
        size_t start = r->at;
        while (r->at < r->length && !at_char(r, ']')) r->at++;
        struct cli_number number = cli_number_parse(r->text + start, r->at - start);
        if (number.type != CLI_NUMBER_INT) {
            r->at = start;
            return fail(r, "in [ ] stands an index as in [0] or [-1], or a quoted name as in "
                           "[\"a.b\"]");
        }
        cairn_args_int(r->args, number.integer);
    }
    if (!at_char(r, ']')) return fail(r, "a closing ] is missing");
    r->at++;
    return true;
}

static bool segments(struct reader *r)
{
    for (unsigned count = 0; r->at < r->length; count++) {
        if (count == CLI_PATH_SEGMENTS_MAX)
            return fail(r, "more than %d segments", CLI_PATH_SEGMENTS_MAX);
        bool is_subscript = at_char(r, '[');
        if (!is_subscript && !at_char(r, '.')) return fail(r, "expected . or [ after a segment");
        r->at++;
        if (!(is_subscript ? subscript(r) : name(r, "field"))) return false;
    }
    return true;
}

/* Where the key ends. */
static size_t key_length(const char *text, size_t length)
{
    size_t at = 0;
    if (length > 0 && text[0] == '"')
        for (at = 1; at < length && text[at] != '"'; at++) at += text[at] == '\\';
    while (at < length && text[at] != '.' && text[at] != '[') at++;
    return at < length ? at : length;
}

bool cli_path_parse(struct cairn_args *args, const char *text, size_t length,
                    struct cli_json_error *error)
{
    struct reader r = {.text = text, .length = length, .args = args, .error = error};
    bool is_long = key_length(text, length) < length;
    if (is_long) cairn_args_array_open(args);
    bool done = key(&r) && segments(&r);
    if (is_long && done) cairn_args_array_close(args);
    cli_text_close(&r.scratch);
    return done;
}

void cli_path_quote(struct cli_text *out, const char *data, size_t length)
{
    bool plain = length > 0 && data[0] != '"' && handle_digits(data, length) == 0;
    for (size_t i = 0; i < length && plain; i++)
        plain = (unsigned char)data[i] > ' ' && !strchr(".[\\'\x7f", data[i]);
    if (plain) {
        cli_text_add(out, data, length);
        return;
    }
    cli_text_add_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        char escape[8];
        unsigned char c = (unsigned char)data[i];
        if (c == '"' || c == '\\') {
            cli_text_add_char(out, '\\');
            cli_text_add_char(out, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof escape, "\\x%02x", c);
            cli_text_add_cstr(out, escape);
        } else {
            cli_text_add_char(out, (char)c);
        }
    }
    cli_text_add_char(out, '"');
}
