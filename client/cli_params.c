/* cli_params.c - words to parameters; the rules are in cli_params.h.
 *
 * The list of parameters is taken apart anew for every command: it is short, and comes from
 * the server, so that a method that this program has never heard of works. */
#include "client/cli_params.h"

#include <stdarg.h>
#include <string.h>

#include "client/cli_path.h"

#define PARAMS_MAX 16

enum kind { KIND_VALUE, KIND_PATH, KIND_HANDLE, KIND_TEXT };
enum form { FORM_ONE, FORM_LIST, FORM_PAIRS, FORM_OPTS, FORM_MORE };

struct param {
    enum form form;
    enum kind kind;        /* of the word, of each item, of the first of each pair */
    enum kind kind_second; /* of the second of each pair */
    bool optional;
    const char *name; /* of opts: the names of the options */
    int name_length;
};

struct params {
    const struct cli_method *method;
    struct param list[PARAMS_MAX];
    size_t count;
    size_t required; /* words that must be there */
    struct cli_text *error;
};

static bool fail(struct cli_text *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct cli_text *error, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_text_add_cstr(error, text);
    return false;
}

static bool fail_usage(const struct params *p, const char *what)
{
    const char *list = p->method->params;
    return fail(p->error, "%s: %s; it takes %s", p->method->name, what,
                *list ? list : "no parameters");
}

/* --- what the method says ---------------------------------------------------------------*/

static bool is_name(const char *name, int length, const char *const *names)
{
    for (; *names; names++)
        if (strlen(*names) == (size_t)length && memcmp(name, *names, (size_t)length) == 0)
            return true;
    return false;
}

static enum kind kind_of(const char *name, int length)
{
    static const char *const paths[] = {"path", "paths", "key", "target", "from", "to", NULL};
    static const char *const texts[] = {"data",    "pattern", "channel", "section",
                                        "message", "name",    "type",    "member", NULL};
    static const char *const handles[] = {"handle", NULL};
    if (is_name(name, length, paths)) return KIND_PATH;
    if (is_name(name, length, texts)) return KIND_TEXT;
    if (is_name(name, length, handles)) return KIND_HANDLE;
    return KIND_VALUE;
}

static int name_length(const char *text)
{
    int length = 0;
    while (text[length] && !strchr(" ,:.[]\xe2", text[length])) length++;
    return length;
}

/* "..." or the one character for it. */
static bool is_dots(const char *text, size_t length)
{
    return (length >= 3 && memcmp(text, "...", 3) == 0) ||
           (length >= 3 && memcmp(text, "\xe2\x80\xa6", 3) == 0);
}

/* One parameter: text[0, length) has no blanks at its ends. */
static void param_parse(struct params *p, const char *text, size_t length)
{
    struct param param = {.name = text, .form = FORM_ONE};
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    bool dots = length > 4 && (is_dots(text + length - 4, 3));
    if (is_dots(text, length)) {
        param.form = FORM_MORE;
        param.kind = p->count > 0 ? p->list[p->count - 1].kind : KIND_VALUE;
    } else if (bracketed && text[1] == '[') {
        const char *comma = memchr(text, ',', length);
        param.form = FORM_PAIRS;
        param.name = text + 2;
        if (comma) comma += 1 + strspn(comma + 1, " ");
        param.kind_second = comma ? kind_of(comma, name_length(comma)) : KIND_VALUE;
    } else if (bracketed) {
        param.name = text + 1;
        param.form = dots ? FORM_LIST : FORM_ONE;
        param.optional = !dots;
        if (length > 7 && memcmp(text, "[opts:", 6) == 0) {
            param.form = FORM_OPTS;
            param.name = text + 6;
            param.name_length = (int)length - 7;
        }
    }
    if (param.form == FORM_ONE || param.form == FORM_LIST || param.form == FORM_PAIRS) {
        param.name_length = name_length(param.name);
        param.kind = kind_of(param.name, param.name_length);
        if (param.name_length == 5 && memcmp(param.name, "paths", 5) == 0)
            param.form = FORM_LIST;
        if (!param.optional) p->required++;
    }
    if (p->count < PARAMS_MAX) p->list[p->count++] = param;
}

static void params_parse(struct params *p)
{
    const char *at = p->method->params;
    while (*at) {
        size_t depth = 0, length = 0;
        at += strspn(at, " ");
        for (; at[length] && (depth > 0 || at[length] != ','); length++) {
            if (at[length] == '[' || at[length] == '{') depth++;
            if ((at[length] == ']' || at[length] == '}') && depth > 0) depth--;
        }
        size_t trimmed = length;
        while (trimmed > 0 && at[trimmed - 1] == ' ') trimmed--;
        if (trimmed > 0) param_parse(p, at, trimmed);
        at += length + (at[length] == ',');
    }
}

static const struct param *opts_of(const struct params *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].form == FORM_OPTS) return &p->list[i];
    return NULL;
}

/* The length of NAME if `word` is NAME=…, NAME one of the options; else 0. */
static size_t option_length(const struct param *opts, const char *word)
{
    size_t length = strcspn(word, "=");
    if (!opts || word[length] != '=' || length == 0) return 0;
    for (int at = 0; at < opts->name_length;) {
        int from = at;
        while (from < opts->name_length && strchr(" ,", opts->name[from])) from++;
        at = from;
        while (at < opts->name_length && !strchr(" ,", opts->name[at])) at++;
        if ((size_t)(at - from) == length && memcmp(opts->name + from, word, length) == 0)
            return length;
    }
    return 0;
}

/* The name of the option that lies nearest to NAME of `word`, or NULL. */
static const char *option_near(const struct param *opts, const char *word, char name[64])
{
    char wanted[64];
    const char *at = opts->name, *end = opts->name + opts->name_length;
    snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(word, "="), word);
    while (at < end) {
        at += strspn(at, " ,");
        size_t length = strcspn(at, " ,]");
        if (at < end) snprintf(name, 64, "%.*s", (int)length, at);
        if (at < end && cli_name_distance(wanted, name) <= (length < 4 ? 1 : 2)) return name;
        at += length;
    }
    return NULL;
}

/* Whether a word of a list looks like an option: in a list of paths NAME=… always does, in one of
 * values if NAME is nearly one. The first word is never one. Then says what there is. */
static bool is_mistyped(const struct params *p, const struct param *param, const char *word)
{
    char name[64];
    const struct param *opts = opts_of(p);
    size_t length = strcspn(word, "=");
    bool named = opts && word[length] == '=' && length > 0 &&
                 strspn(word, "abcdefghijklmnopqrstuvwxyz_") == length;
    if (!named) return false;
    const char *near = option_near(opts, word, name);
    if (!near && param->kind != KIND_PATH) return false;
    fail(p->error, "%s: %.80s is no option%s%s%s; the options are %.*s. What is meant as it stands "
         "is written '\"%.80s\"'", p->method->name, word, near ? ": is it " : "",
         near ? near : "", near ? "=" : "", opts->name_length - (int)strspn(opts->name, " "),
         opts->name + strspn(opts->name, " "), word);
    return true;
}

/* --- words ------------------------------------------------------------------------------*/

static bool literal(struct cairn_args *args, const char *word, struct cli_text *error)
{
    struct cli_json_error at;
    if (cli_json_parse(args, word, strlen(word), &at)) return true;
    return fail(error, "value %.80s%s: at byte %zu: %s", word, strlen(word) > 80 ? "…" : "",
                at.offset + 1, at.text);
}

/* Whether a word can only be meant as a literal. */
static bool is_literal(const char *word)
{
    static const char *const constants[] = {"null", "nil", "true", "false",
                                            "inf",  "-inf", "nan", NULL};
    word += strspn(word, " \t\n");
    size_t length = strlen(word);
    if (length == 0) return false;
    if (strchr("[{\"", *word) || strncmp(word, "b\"", 2) == 0 || strncmp(word, "ext(", 4) == 0 ||
        strncmp(word, "set(", 4) == 0)
        return true;
    return is_name(word, (int)length, constants) ||
           cli_number_parse(word, length).type != CLI_NUMBER_NONE;
}

bool cli_params_value(struct cairn_args *args, const char *word, struct cli_text *error)
{
    if (is_literal(word)) return literal(args, word, error);
    cli_path_key(args, word, strlen(word));
    return true;
}

bool cli_params_path(struct cairn_args *args, const char *word, struct cli_text *error)
{
    struct cli_json_error at;
    if (*word == '[') return literal(args, word, error);
    if (cli_path_parse(args, word, strlen(word), &at)) return true;
    return fail(error, "path %.80s: at byte %zu: %s", *word ? word : "\"\"", at.offset + 1,
                at.text);
}

static bool add_handle(struct cairn_args *args, const char *word, struct cli_text *error)
{
    if (*word == '{') return literal(args, word, error);
    const char *digits = word + (*word == '@');
    struct cli_number number = cli_number_parse(digits, strlen(digits));
    if (number.type != CLI_NUMBER_INT)
        return fail(error, "handle %.80s: expected @N or N, the number that hold or new gave",
                    word);
    cairn_args_map_open(args);
    cairn_args_cstr(args, "handle");
    cairn_args_int(args, number.integer);
    cairn_args_map_close(args);
    return true;
}

static bool add_word(struct cairn_args *args, enum kind kind, const char *word,
                     struct cli_text *error)
{
    switch (kind) {
    case KIND_PATH: return cli_params_path(args, word, error);
    case KIND_HANDLE: return add_handle(args, word, error);
    case KIND_TEXT:
        if (*word == '"' || strncmp(word, "b\"", 2) == 0) return literal(args, word, error);
        cli_path_key(args, word, strlen(word));
        return true;
    case KIND_VALUE: break;
    }
    return cli_params_value(args, word, error);
}

/* The option that is a path, and read as one. */
#define PATH_OPTION "into"

/* An option's value is a string if it is no literal, whatever it looks like: [a-z]* is meant. */
static bool add_option_value(struct cairn_args *args, const char *word, struct cli_text *error)
{
    struct cairn_args *attempt = cairn_args_create();
    struct cli_json_error ignored;
    if (!attempt) return fail(error, "out of memory");
    if (cli_json_parse(attempt, word, strlen(word), &ignored))
        cairn_args_append(args, attempt);
    else
        cli_path_key(args, word, strlen(word));
    cairn_args_destroy(attempt);
    return true;
}

static bool add_options(struct cairn_args *args, const struct param *opts, char *const *words,
                        size_t count, struct cli_text *error)
{
    cairn_args_map_open(args);
    for (size_t i = 0; i < count; i++) {
        size_t length = option_length(opts, words[i]);
        cairn_args_str(args, words[i], length);
        const char *value = words[i] + length + 1;
        bool is_path = length == strlen(PATH_OPTION) && memcmp(words[i], PATH_OPTION, length) == 0;
        if (!(is_path ? cli_params_path : add_option_value)(args, value, error)) return false;
    }
    cairn_args_map_close(args);
    return true;
}

/* --- both together ----------------------------------------------------------------------*/

/* A list or a list of pairs takes one literal list or all words; returns how many, 0 after an
 * error. */
static size_t add_list(const struct params *p, const struct param *param, struct cairn_args *args,
                       char *const *words, size_t count)
{
    if (*words[0] == '[') return literal(args, words[0], p->error) ? 1 : 0;
    if (param->form == FORM_PAIRS && count % 2 != 0) {
        fail_usage(p, "the last of the pairs has only one part");
        return 0;
    }
    cairn_args_array_open(args);
    for (size_t i = 0; i < count; i++) {
        bool pairs = param->form == FORM_PAIRS, second = i % 2 != 0;
        if (i > 0 && !pairs && is_mistyped(p, param, words[i])) return 0;
        if (pairs && !second) cairn_args_array_open(args);
        if (!add_word(args, pairs && second ? param->kind_second : param->kind, words[i],
                      p->error))
            return 0;
        if (pairs && second) cairn_args_array_close(args);
    }
    cairn_args_array_close(args);
    return count;
}

/* nil in the place of a path that may be left out: none is given. A key of that name has quotes. */
static bool is_no_path(const struct param *param, const char *word)
{
    return param->optional && param->kind == KIND_PATH &&
           (strcmp(word, "nil") == 0 || strcmp(word, "null") == 0);
}

/* The words for one parameter; returns how many it took, -1 after an error. */
static long add_param(const struct params *p, const struct param *param, struct cairn_args *args,
                      char *const *words, size_t count)
{
    size_t taken = 1;
    switch (param->form) {
    case FORM_MORE:
        for (taken = 0; taken < count; taken++)
            if (!add_word(args, param->kind, words[taken], p->error)) return -1;
        break;
    case FORM_LIST:
    case FORM_PAIRS:
        taken = add_list(p, param, args, words, count);
        if (taken == 0) return -1;
        break;
    case FORM_OPTS:
        if (*words[0] != '{') {
            fail(p->error, "%s: %.80s is no option; it takes %s", p->method->name, words[0],
                 p->method->params);
            return -1;
        }
        if (!literal(args, words[0], p->error)) return -1;
        break;
    case FORM_ONE:
        if (is_no_path(param, words[0])) cairn_args_nil(args);
        else if (!add_word(args, param->kind, words[0], p->error)) return -1;
    }
    return (long)taken;
}

bool cli_params_build(struct cairn_args *args, const struct cli_method *method,
                      char *const *words, size_t count, struct cli_text *error)
{
    struct params p = {.method = method, .error = error};
    params_parse(&p);
    const struct param *opts = opts_of(&p);
    size_t options = 0;
    while (count > p.required && option_length(opts, words[count - 1]) > 0) {
        count--;
        options++;
    }
    /* Behind too few words an option would become a path or a value. */
    if (count > 0 && count <= p.required && option_length(opts, words[count - 1]) > 0)
        return fail(error, "%s: %.80s is an option, and parameters are missing in front of it; it "
                    "takes %s. As a text it is written '\"%.80s\"'", method->name,
                    words[count - 1], method->params, words[count - 1]);
    if (count < p.required) return fail_usage(&p, count == 0 ? "parameters are missing"
                                                             : "too few parameters");
    size_t at = 0;
    for (size_t i = 0; i < p.count; i++) {
        const struct param *param = &p.list[i];
        if (param == opts && options > 0) {
            if (!add_options(args, opts, words + count, options, error)) return false;
        } else if (at < count) {
            long taken = add_param(&p, param, args, words + at, count - at);
            if (taken < 0) return false;
            at += (size_t)taken;
        } else if (param->form != FORM_MORE && param < opts && options > 0) {
            cairn_args_nil(args); /* left out, but something comes behind it */
        }
    }
    return at == count || fail_usage(&p, "too many parameters");
}
