/* cli_json_parse.c - reads a literal (cli_json.h) straight into the parameters of a call.
 *
 * A literal is what somebody typed: short, and often wrong. So errors matter more than speed:
 * each says at which byte, what was found and what would be right. Nesting is kept in an
 * array of closing brackets, not in the call stack. */
#include "client/cli_json.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

struct parser {
    const char *text;
    size_t at, length;
    struct cairn_args *args;
    bool in_set;
    struct cli_text scratch;
    struct cli_json_error *error;
    unsigned depth;
    char closers[CLI_JSON_DEPTH_MAX]; /* of the open containers: ']' or '}' */
};

static bool fail_at(struct cli_json_error *error, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail_at(struct cli_json_error *error, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    error->offset = offset;
    return false;
}

/* --- texts ------------------------------------------------------------------------------*/

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* `count` hex digits at `at`, or -1. */
static int32_t hex_number(const char *text, size_t at, size_t length, unsigned count)
{
    int32_t number = 0;
    if (length - at < count) return -1;
    for (unsigned i = 0; i < count; i++) {
        int digit = hex_digit(text[at + i]);
        if (digit < 0) return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* The four digits of \uNNNN are at `*at`; so may be a second escape, of the low surrogate. */
static bool unicode_escape(const char *text, size_t *at, size_t length, struct cli_text *out,
                           struct cli_json_error *error)
{
    size_t start = *at;
    int32_t code = hex_number(text, start, length, 4);
    if (code < 0) return fail_at(error, start, "\\u needs four hexadecimal digits");
    *at += 4;
    if (code >= 0xd800 && code <= 0xdfff) {
        int32_t low = -1;
        if (code < 0xdc00 && length - *at >= 6 && text[*at] == '\\' && text[*at + 1] == 'u')
            low = hex_number(text, *at + 2, length, 4);
        if (low < 0xdc00 || low > 0xdfff)
            return fail_at(error, start, "\\u%04x is half of a surrogate pair", (unsigned)code);
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *at += 6;
    }
    cli_text_add_code(out, (uint32_t)code);
    return true;
}

/* What follows a backslash is at *at. */
static bool string_escape(const char *text, size_t *at, size_t length, bool bytes,
                          struct cli_text *out, struct cli_json_error *error)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (*at == length) return fail_at(error, *at, "the text ends within an escape");
    char c = text[(*at)++];
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        cli_text_add_char(out, meanings[letter - letters]);
        return true;
    }
    if (c == 'u') return unicode_escape(text, at, length, out, error);
    if (c == 'x' && bytes) {
        int32_t byte = hex_number(text, *at, length, 2);
        if (byte < 0) return fail_at(error, *at, "\\x needs two hexadecimal digits");
        *at += 2;
        cli_text_add_char(out, (char)byte);
        return true;
    }
    return fail_at(error, *at - 1,
                   "an unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u%s",
                   bytes ? " \\x" : "");
}

bool cli_json_string(const char *text, size_t length, bool bytes, struct cli_text *out,
                     size_t *used, struct cli_json_error *error)
{
    size_t at = 1;
    for (;;) {
        size_t start = at;
        while (at < length && text[at] != '"' && text[at] != '\\') at++;
        cli_text_add(out, text + start, at - start);
        if (at == length) return fail_at(error, at, "a closing \" is missing");
        if (text[at++] == '"') break;
        if (!string_escape(text, &at, length, bytes, out, error)) return false;
    }
    *used = at;
    return !out->failed || fail_at(error, 0, "out of memory");
}

/* --- scalars ----------------------------------------------------------------------------*/

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '+' || c == '.' ||
           (unsigned char)c >= 0x80;
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->length && strchr(" \t\r\n", p->text[p->at]) && p->text[p->at]) p->at++;
}

/* Whether `c` comes next; then goes past it. */
static bool take(struct parser *p, char c)
{
    skip_blanks(p);
    if (p->at == p->length || p->text[p->at] != c) return false;
    p->at++;
    return true;
}

static bool quoted(struct parser *p, bool bytes)
{
    size_t used, start = p->at;
    cli_text_clear(&p->scratch);
    if (!cli_json_string(p->text + start, p->length - start, bytes, &p->scratch, &used,
                         p->error)) {
        p->error->offset += start;
        return false;
    }
    p->at += used;
    return true;
}

static bool string_value(struct parser *p)
{
    if (!quoted(p, false)) return false;
    if (cli_utf8_valid(p->scratch.data, p->scratch.length))
        cairn_args_str(p->args, p->scratch.data, p->scratch.length);
    else
        cairn_args_bin(p->args, p->scratch.data, p->scratch.length);
    return true;
}

/* ext(TYPE, b"…"); the parenthesis is next. */
static bool ext_value(struct parser *p)
{
    size_t start = p->at;
    take(p, '(');
    skip_blanks(p);
    size_t from = p->at;
    while (p->at < p->length && is_word_char(p->text[p->at])) p->at++;
    struct cli_number type = cli_number_parse(p->text + from, p->at - from);
    if (type.type != CLI_NUMBER_INT || type.integer < -128 || type.integer > 127)
        return fail_at(p->error, from, "ext needs a type in -128..127, as in ext(5, b\"\\x01\")");
    if (!take(p, ',') || !take(p, 'b') || p->at == p->length || p->text[p->at] != '"')
        return fail_at(p->error, p->at, "ext needs bytes after its type, as in ext(5, b\"\\x01\")");
    if (!quoted(p, true)) return false;
    if (!take(p, ')')) return fail_at(p->error, start, "a closing ) is missing");
    cairn_args_ext(p->args, (int8_t)type.integer, p->scratch.data, p->scratch.length);
    return true;
}

static bool number_value(struct parser *p, const char *word, size_t length, size_t start)
{
    struct cli_number number = cli_number_parse(word, length);
    switch (number.type) {
    case CLI_NUMBER_INT: cairn_args_int(p->args, number.integer); return true;
    case CLI_NUMBER_UINT: cairn_args_uint(p->args, number.unsigned_integer); return true;
    case CLI_NUMBER_DOUBLE: cairn_args_double(p->args, number.real); return true;
    case CLI_NUMBER_RANGE:
        return fail_at(p->error, start, "%.*s is %s", length < 60 ? (int)length : 60, word,
                       cli_number_range(word, length));
    default: return fail_at(p->error, start, "%.*s is not a value; texts need quotes here",
                            length < 60 ? (int)length : 60, word);
    }
}

static bool is_word(const char *word, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(word, name, length) == 0;
}

static bool scalar(struct parser *p, bool is_key);

/* The members between the parentheses of a set, as items of an array. */
static bool set_members(struct parser *p, size_t start)
{
    take(p, '(');
    cairn_args_array_open(p->args);
    for (bool first = true; !take(p, ')'); first = false) {
        skip_blanks(p);
        if (p->at == p->length) return fail_at(p->error, start, "a closing ) is missing");
        if (!first && !take(p, ',')) return fail_at(p->error, p->at, "expected ',' or ')'");
        skip_blanks(p);
        if (p->at == p->length) return fail_at(p->error, p->at, "a member is missing at the end");
        if (strchr("[{", p->text[p->at]))
            return fail_at(p->error, p->at, "a member of a set cannot be a list or a map");
        if (!scalar(p, false)) return false;
    }
    cairn_args_array_close(p->args);
    return true;
}

/* set(MEMBER, …); the parenthesis is next. The payload is made aside, since its length comes
 * first. */
static bool set_value(struct parser *p, size_t start)
{
    struct cairn_args *outer = p->args, *members = cairn_args_create();
    size_t length;
    if (!members) return fail_at(p->error, start, "out of memory");
    p->args = members;
    bool done = !p->in_set || fail_at(p->error, start, "a member of a set cannot be a set");
    p->in_set = true;
    done = done && set_members(p, start);
    p->in_set = false;
    p->args = outer;
    if (done && cairn_args_status(members) != CAIRN_OK)
        done = fail_at(p->error, start, "%s", cairn_status_text(cairn_args_status(members)));
    if (done) {
        const char *payload = cairn_args_bytes(members, &length);
        cairn_args_ext(p->args, CLI_EXT_SET, payload, length);
    }
    cairn_args_destroy(members);
    return done;
}

/* A name, or the constants; false without an error if it is none of these. */
static bool constant_value(struct parser *p, const char *word, size_t length)
{
    if (is_word(word, length, "null") || is_word(word, length, "nil"))
        cairn_args_nil(p->args);
    else if (is_word(word, length, "true") || is_word(word, length, "false"))
        cairn_args_bool(p->args, length == 4);
    else if (is_word(word, length, "inf"))
        cairn_args_double(p->args, INFINITY);
    else if (is_word(word, length, "-inf"))
        cairn_args_double(p->args, -INFINITY);
    else if (is_word(word, length, "nan"))
        cairn_args_double(p->args, NAN);
    else
        return false;
    return true;
}

static bool scalar(struct parser *p, bool is_key)
{
    size_t start = p->at;
    char c = p->text[start];
    if (c == '"') return string_value(p);
    if (c == 'b' && start + 1 < p->length && p->text[start + 1] == '"') {
        p->at++;
        if (!quoted(p, true)) return false;
        cairn_args_bin(p->args, p->scratch.data, p->scratch.length);
        return true;
    }
    while (p->at < p->length && is_word_char(p->text[p->at])) p->at++;
    const char *word = p->text + start;
    size_t length = p->at - start;
    if (length == 0) return fail_at(p->error, start, "expected a value, found '%c'", c);
    if (is_word(word, length, "ext") && p->at < p->length && p->text[p->at] == '(')
        return ext_value(p);
    if (is_word(word, length, "set") && p->at < p->length && p->text[p->at] == '(' && !is_key)
        return set_value(p, start);
    if (constant_value(p, word, length)) return true;
    if (is_key && (isalpha((unsigned char)*word) || *word == '_')) {
        cairn_args_str(p->args, word, length);
        return true;
    }
    return number_value(p, word, length, start);
}

/* --- containers -------------------------------------------------------------------------*/

static bool open_container(struct parser *p, char opener)
{
    if (p->depth == CLI_JSON_DEPTH_MAX)
        return fail_at(p->error, p->at, "nested more than %d deep", CLI_JSON_DEPTH_MAX);
    p->at++;
    p->closers[p->depth++] = opener == '[' ? ']' : '}';
    if (opener == '[')
        cairn_args_array_open(p->args);
    else
        cairn_args_map_open(p->args);
    return true;
}

/* Closes what ends here. */
static bool close_container(struct parser *p)
{
    if (p->depth == 0 || !take(p, p->closers[p->depth - 1])) return false;
    if (p->closers[--p->depth] == ']')
        cairn_args_array_close(p->args);
    else
        cairn_args_map_close(p->args);
    return true;
}

static bool key_and_colon(struct parser *p)
{
    skip_blanks(p);
    if (p->at == p->length) return fail_at(p->error, p->at, "a closing } is missing");
    if (p->text[p->at] == '{' || p->text[p->at] == '[')
        return fail_at(p->error, p->at, "a key cannot be a list or a map");
    if (!scalar(p, true)) return false;
    return take(p, ':') || fail_at(p->error, p->at, "expected ':' after the key");
}

/* One value; *opened tells whether it was the start of a container. */
static bool value_start(struct parser *p, bool *opened)
{
    skip_blanks(p);
    *opened = false;
    if (p->at == p->length) return fail_at(p->error, p->at, "a value is missing at the end");
    char c = p->text[p->at];
    if (c != '[' && c != '{') return scalar(p, false);
    *opened = true;
    return open_container(p, c);
}

/* What may stand after a value: the ends of containers, then a comma or the end of all. */
static bool value_end(struct parser *p)
{
    while (close_container(p)) continue;
    if (p->depth == 0 || take(p, ',')) return true;
    char closer = p->closers[p->depth - 1];
    skip_blanks(p);
    if (p->at == p->length) return fail_at(p->error, p->at, "a closing %c is missing", closer);
    return fail_at(p->error, p->at, "expected ',' or '%c'", closer);
}

static bool parse(struct parser *p)
{
    do {
        bool opened;
        if (p->depth > 0 && p->closers[p->depth - 1] == '}' && !key_and_colon(p)) return false;
        if (!value_start(p, &opened)) return false;
        /* An empty container ends at once; else its first item comes next. */
        if ((!opened || close_container(p)) && !value_end(p)) return false;
    } while (p->depth > 0);
    skip_blanks(p);
    return p->at == p->length || fail_at(p->error, p->at, "more follows after the value");
}

bool cli_json_parse(struct cairn_args *args, const char *text, size_t length,
                    struct cli_json_error *error)
{
    struct parser p = {.text = text, .length = length, .args = args, .error = error};
    bool done = parse(&p);
    cli_text_close(&p.scratch);
    /* MISUSE may only mean that the literal stands in a container which is still open. */
    enum cairn_status status = cairn_args_status(args);
    if (done && status != CAIRN_OK && status != CAIRN_MISUSE)
        return fail_at(error, 0, "%s", cairn_status_text(status));
    return done;
}
