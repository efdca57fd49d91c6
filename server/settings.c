/* settings.c - settings from defaults, a file and the command line.
 *
 * One row of the table (settings.h) is all that a setting needs: parsing, range check,
 * printing and help follow from its type. Errors are sentences for people: what is wrong,
 * where, and what would be right. */
#include "server/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <ini.h>

#include "server/keys.h"

enum setting_type { SETTING_INT, SETTING_SIZE, SETTING_DURATION, SETTING_BOOL, SETTING_STRING };

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    const char *initial;
    uint64_t min, max;
    const char *help;
};

static const struct setting setting_table[] = {
#define X(field, name, type, initial, min, max, help)                                        \
    {name, SETTING_##type, offsetof(struct settings, field), initial, min, max, help},
    SERVER_SETTINGS(X)
#undef X
};
#define SETTING_COUNT (sizeof setting_table / sizeof *setting_table)

/* Largest unit first, so that printing finds the shortest form. */
struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit size_units[] = {
    {"t", SIZE_T}, {"g", SIZE_G}, {"m", SIZE_M}, {"k", SIZE_K}, {"", 1}};
static const struct unit duration_units[] = {
    {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {"", 1}};
static const struct unit plain_units[] = {{"", 1}};

struct unit_list {
    const struct unit *units;
    size_t count;
    const char *what; /* "a size", with an example */
    const char *example;
};
static struct unit_list units_of(enum setting_type type)
{
    switch (type) {
    case SETTING_SIZE:
        return (struct unit_list){size_units, 5, "a size",
                                  "a number of bytes, or one with k, m, g or t, such as 512m"};
    case SETTING_DURATION:
        return (struct unit_list){duration_units, 5, "a duration",
                                  "milliseconds, or a number with ms, s, min or h, such as 30s"};
    default:
        return (struct unit_list){plain_units, 1, "a whole number", "one such as 100"};
    }
}

__attribute__((format(printf, 3, 4))) static int complain(char *error, size_t size,
                                                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, size, format, args);
    va_end(args);
    return -EINVAL;
}

/* A heap needs a page for each kind and size of cell that is in use. */
#define MAX_MEMORY_MIN ((uint64_t)16 << 20)

/* --- the table --------------------------------------------------------------------------*/

static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting_table[i].name, name) == 0) return &setting_table[i];
    return NULL;
}

const char *settings_name(size_t index)
{
    return index < SETTING_COUNT ? setting_table[index].name : NULL;
}

static void *setting_field(const struct settings *s, const struct setting *setting)
{
    return (char *)(uintptr_t)s + setting->offset;
}

/* How many letters must be changed, added or taken away to make `b` of `a` (Levenshtein
 * 1966); names longer than the row count as very different. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[33];
    size_t length = strlen(b);
    if (length >= 32 || strlen(a) >= 32) return 99;
    for (size_t j = 0; j <= length; j++) row[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= length; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[length];
}

static int complain_unknown(const char *name, char *error, size_t size)
{
    const char *nearest = NULL;
    unsigned nearest_distance = 3;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        unsigned distance = edit_distance(name, setting_table[i].name);
        if (distance >= nearest_distance) continue;
        nearest_distance = distance;
        nearest = setting_table[i].name;
    }
    if (nearest)
        return complain(error, size, "no setting is called \"%.40s\"; did you mean \"%s\"?", name,
                        nearest);
    return complain(error, size, "no setting is called \"%.40s\"; --help lists them all", name);
}

/* --- one value ----------------------------------------------------------------------------*/

/* The suffix `text` as a unit, in any case; "64MiB" and "64mb" are the same as "64m". */
static const struct unit *unit_find(const struct unit_list *list, const char *text,
                                    bool allow_bytes)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct unit *unit = &list->units[i];
        size_t length = strlen(unit->name);
        if (strncasecmp(text, unit->name, length) != 0) continue;
        const char *rest = text + length;
        if (!*rest) return unit;
        if (allow_bytes && (strcasecmp(rest, "b") == 0 || (length && strcasecmp(rest, "ib") == 0)))
            return unit;
    }
    return NULL;
}

static void number_print(uint64_t number, const struct unit_list *list, char *out, size_t size)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct unit *unit = &list->units[i];
        if (number && number % unit->factor) continue;
        if (!number) unit = &list->units[list->count - 1];
        snprintf(out, size, "%llu%s", (unsigned long long)(number / unit->factor), unit->name);
        return;
    }
}

static int number_parse(const struct setting *setting, const char *text, uint64_t *out,
                        char *error, size_t size)
{
    struct unit_list list = units_of(setting->type);
    char *end = NULL;
    errno = 0;
    unsigned long long number = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
    while (end && *end == ' ') end++;
    const struct unit *unit =
        end ? unit_find(&list, end, setting->type == SETTING_SIZE) : NULL;
    if (!unit)
        return complain(error, size, "%s: \"%.60s\" is not %s; it takes %s", setting->name, text,
                        list.what, list.example);
    uint64_t product;
    if (errno == ERANGE || __builtin_mul_overflow((uint64_t)number, unit->factor, &product) ||
        product < setting->min || product > setting->max) {
        char min[32], max[32];
        number_print(setting->min, &list, min, sizeof min);
        number_print(setting->max, &list, max, sizeof max);
        return complain(error, size, "%s: %.60s is out of range; it takes %s to %s",
                        setting->name, text, min, max);
    }
    *out = product;
    return 0;
}

static int bool_parse(const struct setting *setting, const char *text, bool *out, char *error,
                      size_t size)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(text, yes[i]) == 0) return *out = true, 0;
        if (strcasecmp(text, no[i]) == 0) return *out = false, 0;
    }
    return complain(error, size, "%s: \"%.60s\" is neither yes nor no", setting->name, text);
}

/* What a text of a setting must be, beyond its length. */
static int string_check(const struct setting *setting, const char *text, char *error, size_t size)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    if (strcmp(setting->name, "log-level") == 0) {
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
            if (strcmp(text, levels[i]) == 0) return 0;
        return complain(error, size,
                        "log-level: \"%.20s\" is not a level; it takes error, warn, info or debug",
                        text);
    }
    enum memory_policy policy;
    if (strcmp(setting->name, "memory-policy") == 0 && !memory_policy_read(text, &policy))
        return complain(error, size,
                        "memory-policy: \"%.20s\" is not a policy; it takes refuse, evict-lru, "
                        "evict-lfu or evict-ttl",
                        text);
    if (strcmp(setting->name, "bind") == 0 && strcmp(text, "none") != 0) {
        unsigned char address[sizeof(struct in6_addr)];
        if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1)
            return 0;
        return complain(error, size,
                        "bind: \"%.60s\" is not an IP address, such as 127.0.0.1 or ::1, nor none",
                        text);
    }
    return 0;
}

static int string_set(const struct setting *setting, const char *text, char **field, char *error,
                      size_t size)
{
    size_t length = strlen(text);
    if (length < setting->min)
        return complain(error, size, "%s: it may not be empty", setting->name);
    if (length > setting->max)
        return complain(error, size, "%s: %zu bytes are too long; it takes up to %llu",
                        setting->name, length, (unsigned long long)setting->max);
    int checked = string_check(setting, text, error, size);
    if (checked != 0) return checked;
    char *copy = strdup(text);
    if (!copy) {
        complain(error, size, "%s: out of memory", setting->name);
        return -ENOMEM;
    }
    free(*field);
    *field = copy;
    return 0;
}

int settings_set(struct settings *s, const char *name, const char *text, char *error,
                 size_t error_size)
{
    const struct setting *setting = setting_find(name);
    if (!setting) return complain_unknown(name, error, error_size);
    void *field = setting_field(s, setting);
    switch (setting->type) {
    case SETTING_BOOL:
        return bool_parse(setting, text, field, error, error_size);
    case SETTING_STRING:
        return string_set(setting, text, field, error, error_size);
    default:
        return number_parse(setting, text, field, error, error_size);
    }
}

bool settings_get(const struct settings *s, const char *name, char *out, size_t size)
{
    const struct setting *setting = setting_find(name);
    if (!setting) return false;
    const void *field = setting_field(s, setting);
    if (setting->type == SETTING_BOOL) {
        snprintf(out, size, "%s", *(const bool *)field ? "yes" : "no");
    } else if (setting->type == SETTING_STRING) {
        snprintf(out, size, "%s", *(char *const *)field);
    } else {
        struct unit_list list = units_of(setting->type);
        number_print(*(const uint64_t *)field, &list, out, size);
    }
    return true;
}

int settings_init(struct settings *s)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char error[200];
        int result = settings_set(s, setting_table[i].name, setting_table[i].initial, error,
                                  sizeof error);
        if (result == 0) continue;
        settings_close(s);
        return result;
    }
    return 0;
}

void settings_close(struct settings *s)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (setting_table[i].type != SETTING_STRING) continue;
        char **field = setting_field(s, &setting_table[i]);
        free(*field);
        *field = NULL;
    }
}

int settings_check(const struct settings *s, char *error, size_t error_size)
{
    if (s->max_memory != 0 && s->max_memory < MAX_MEMORY_MIN)
        return complain(error, error_size,
                        "max-memory is below 16m, too little for a heap; it must be at least that, "
                        "or 0 for half of the machine's memory");
    if (s->pending_reply_bytes < s->reply_bytes)
        return complain(error, error_size,
                        "pending-reply-bytes is below reply-bytes, so that a single reply could "
                        "have its client dropped; it must be at least reply-bytes");
    if (s->pending_reply_pause > s->pending_reply_bytes)
        return complain(error, error_size,
                        "pending-reply-pause is above pending-reply-bytes, so that clients would "
                        "be dropped before they are paused; it must be at most that");
    if (strcmp(s->bind, "none") == 0 && !*s->unix_path)
        return complain(error, error_size,
                        "bind is \"none\" and unix is not set: there is nothing to listen on");
    return 0;
}

/* --- the file ------------------------------------------------------------------------------*/

struct file_state {
    struct settings *settings;
    FILE *file;
    int line;       /* read last */
    int error_line; /* of `error`; 0: none */
    bool too_long;
    int result;
    char error[400];
};

/* Hands inih one line. Leading blanks are taken off, so that no line continues another. */
static char *file_read_line(char *line, int size, void *stream)
{
    struct file_state *state = stream;
    if (!fgets(line, size, state->file)) return NULL;
    state->line++;
    if (!strchr(line, '\n') && !feof(state->file)) {
        state->too_long = true;
        return NULL;
    }
    size_t blanks = strspn(line, " \t");
    memmove(line, line + blanks, strlen(line + blanks) + 1);
    return line;
}

static int file_handle_line(void *user, const char *section, const char *name, const char *text)
{
    (void)section;
    struct file_state *state = user;
    if (state->error_line) return 0;
    if (strcmp(name, "config") == 0)
        state->result = complain(state->error, sizeof state->error,
                                 "config: a configuration file cannot name another");
    else
        state->result =
            settings_set(state->settings, name, text, state->error, sizeof state->error);
    if (state->result != 0) state->error_line = state->line;
    return state->result == 0;
}

int settings_read_file(struct settings *s, const char *path, char *error, size_t error_size)
{
    struct file_state state = {.settings = s, .file = fopen(path, "re")};
    if (!state.file)
        return complain(error, error_size, "%s: cannot be read: %s", path, strerror(errno));
    int line = ini_parse_stream(file_read_line, &state, file_handle_line, &state);
    bool failed = ferror(state.file);
    fclose(state.file);
    if (failed) return complain(error, error_size, "%s: cannot be read", path);
    if (line > 0 && line != state.error_line)
        return complain(error, error_size,
                        "%s:%d: this line is not understood; lines are \"name = value\", "
                        "\"[section]\" or \"# comment\"",
                        path, line);
    if (state.error_line) {
        complain(error, error_size, "%s:%d: %s", path, state.error_line, state.error);
        return state.result;
    }
    if (state.too_long)
        return complain(error, error_size, "%s:%d: this line is too long; up to 190 bytes are read",
                        path, state.line);
    if (line < 0) {
        complain(error, error_size, "%s: out of memory", path);
        return -ENOMEM;
    }
    return 0;
}

/* --- the command line ------------------------------------------------------------------------*/

/* Takes one option, and its value if that is a word of its own; *index moves past both. */
static int option_take(struct settings *s, int argc, char **argv, int *index, bool config_only,
                       char *error, size_t size)
{
    const char *word = argv[(*index)++] + 2;
    const char *equals = strchr(word, '=');
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(equals ? equals - word : (long)strlen(word)), word);
    const struct setting *setting = setting_find(name);
    if (!setting) {
        char sentence[200];
        complain_unknown(name, sentence, sizeof sentence);
        return complain(error, size, "--%s: %s", name, sentence);
    }
    const char *text = "yes";
    if (equals)
        text = equals + 1;
    else if (setting->type != SETTING_BOOL) {
        if (*index >= argc) return complain(error, size, "--%s: it needs a value", name);
        text = argv[(*index)++];
    }
    if (config_only != (strcmp(name, "config") == 0)) return 0;
    char sentence[400];
    int result = settings_set(s, name, text, sentence, sizeof sentence);
    if (result != 0) complain(error, size, "--%s", sentence);
    return result;
}

/* One pass over the command line: first for the file's name, then for all else. */
static int arguments_pass(struct settings *s, int argc, char **argv, bool config_only,
                          enum settings_action *action, char *error, size_t size)
{
    for (int i = 1; i < argc;) {
        const char *word = argv[i];
        int result = 0;
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *action = SETTINGS_HELP;
            return 0;
        } else if (strcmp(word, "--version") == 0) {
            *action = SETTINGS_VERSION;
            return 0;
        } else if (strcmp(word, "--check-config") == 0) {
            *action = SETTINGS_CHECK;
            i++;
        } else if (strncmp(word, "--", 2) == 0 && word[2]) {
            result = option_take(s, argc, argv, &i, config_only, error, size);
        } else if (*word == '-' || !*word) {
            return complain(error, size, "\"%.60s\" is not an option; --help lists them all", word);
        } else {
            char sentence[400];
            if (config_only) result = settings_set(s, "config", word, sentence, sizeof sentence);
            if (result != 0) complain(error, size, "%s", sentence);
            i++;
        }
        if (result != 0) return result;
    }
    return 0;
}

int settings_read_arguments(struct settings *s, int argc, char **argv,
                            enum settings_action *action, char *error, size_t error_size)
{
    *action = SETTINGS_RUN;
    int result = arguments_pass(s, argc, argv, true, action, error, error_size);
    if (result != 0 || *action == SETTINGS_HELP || *action == SETTINGS_VERSION) return result;
    if (*s->config) {
        result = settings_read_file(s, s->config, error, error_size);
        if (result != 0) return result;
    }
    result = arguments_pass(s, argc, argv, false, action, error, error_size);
    return result == 0 ? settings_check(s, error, error_size) : result;
}

void settings_print_help(void)
{
    static const char *const placeholders[] = {"N", "SIZE", "TIME", "[=no]", "TEXT"};
    printf("Usage: cairn-server [CONFIG] [--SETTING VALUE]...\n\n"
           "The object server. Every setting is an option here, and a line \"name = value\" of\n"
           "the configuration file; what stands here wins. Sizes take k, m, g, t; times ms, s,\n"
           "min, h.\n\n");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &setting_table[i];
        char option[64];
        snprintf(option, sizeof option, "--%s%s%s", setting->name,
                 setting->type == SETTING_BOOL ? "" : " ", placeholders[setting->type]);
        printf("  %-28s %s", option, setting->help);
        if (*setting->initial) printf(" [%s]", setting->initial);
        printf("\n");
    }
    printf("\n  %-28s check the settings and end\n", "--check-config");
    printf("  %-28s this text\n", "--help");
    printf("  %-28s name and version\n", "--version");
}
