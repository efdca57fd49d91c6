/* cli_json_print.c - prints a value (cli_json.h), on one line or spread over several.
 *
 * A container that fits into the rest of the line stays on it; one that does not gets a
 * line for each item. Whether it fits is found by printing it into nothing until the width is
 * used up, so it costs at most a line's work, however large the container is. The open
 * containers are in an array; the reply's limit on nesting bounds it. */
#include "client/cli_json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define INDENT 2

struct frame {
    const struct cairn_value *container;
    size_t index;
    bool spread; /* a line for each item */
};

struct printer {
    FILE *out;   /* NULL: only measured */
    size_t left; /* measuring: columns left; stops at 0 */
    size_t column;
    struct cli_json_style style;
    unsigned depth;
    struct frame stack[CAIRN_DEPTH_MAX + 1];
};

enum colour { COLOUR_NONE, COLOUR_KEY, COLOUR_TEXT, COLOUR_NUMBER, COLOUR_CONSTANT };
static const char *const colours[] = {"", "\033[34m", "\033[32m", "\033[36m", "\033[35m"};

static void emit(struct printer *p, const char *text, size_t length)
{
    p->column += length;
    if (p->out)
        fwrite(text, 1, length, p->out);
    else
        p->left = p->left > length ? p->left - length : 0;
}

static void emit_cstr(struct printer *p, const char *text)
{
    emit(p, text, strlen(text));
}

static void colour_on(struct printer *p, enum colour colour)
{
    if (p->style.colour && p->out && colour) fputs(colours[colour], p->out);
}

static void colour_off(struct printer *p, enum colour colour)
{
    if (p->style.colour && p->out && colour) fputs("\033[0m", p->out);
}

/* --- texts ------------------------------------------------------------------------------*/

/* What must not stand in the output as it is: control characters, also those of the second
 * page that terminals obey. */
static bool is_plain(uint32_t code)
{
    return code >= 0x20 && code != '"' && code != '\\' && (code < 0x7f || code > 0x9f);
}

static void emit_escape(struct printer *p, uint32_t code)
{
    static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
    const char *meaning = code < 0x80 && code ? strchr(meanings, (int)code) : NULL;
    char text[8];
    if (meaning)
        snprintf(text, sizeof text, "\\%c", letters[meaning - meanings]);
    else
        snprintf(text, sizeof text, "\\u%04x", (unsigned)code & 0xffff);
    emit_cstr(p, text);
}

/* Measuring ends with the width, so that long texts cost no more than a line. */
static bool is_full(const struct printer *p)
{
    return !p->out && p->left == 0;
}

static void emit_string(struct printer *p, const char *data, size_t length)
{
    emit(p, "\"", 1);
    for (size_t at = 0; at < length && !is_full(p);) {
        size_t start = at;
        uint32_t code = 0;
        unsigned bytes = 0;
        while (at < length && (bytes = cli_utf8_next(data + at, length - at, &code)) > 0 &&
               is_plain(code) && at - start < 4096)
            at += bytes;
        emit(p, data + start, at - start);
        if (at == length || (bytes > 0 && is_plain(code))) continue;
        if (bytes == 0) { /* a str that is not UTF-8 has no right form; show where it breaks */
            emit_cstr(p, "\xef\xbf\xbd");
            at++;
        } else {
            emit_escape(p, code);
            at += bytes;
        }
    }
    emit(p, "\"", 1);
}

static void emit_bytes(struct printer *p, const char *data, size_t length)
{
    emit_cstr(p, "b\"");
    for (size_t i = 0; i < length && !is_full(p); i++) {
        unsigned char c = (unsigned char)data[i];
        char text[8];
        if (c == '"' || c == '\\')
            snprintf(text, sizeof text, "\\%c", c);
        else if (c >= 0x20 && c < 0x7f)
            snprintf(text, sizeof text, "%c", c);
        else
            snprintf(text, sizeof text, "\\x%02x", c);
        emit_cstr(p, text);
    }
    emit(p, "\"", 1);
}

static void emit_base64(struct printer *p, const char *data, size_t length)
{
    emit(p, "\"", 1);
    for (size_t i = 0; i < length && !is_full(p); i += 3) {
        char text[4];
        cli_base64_group(text, data + i, length - i < 3 ? length - i : 3);
        emit(p, text, 4);
    }
    emit(p, "\"", 1);
}

/* --- scalars ----------------------------------------------------------------------------*/

static void emit_number(struct printer *p, const struct cairn_value *v)
{
    char text[CLI_DOUBLE_BYTES_MAX];
    if (cairn_type(v) == CAIRN_INT) {
        snprintf(text, sizeof text, "%" PRId64, cairn_int(v, 0));
    } else if (cairn_type(v) == CAIRN_UINT) {
        snprintf(text, sizeof text, "%" PRIu64, cairn_uint(v, 0));
    } else {
        cli_double_format(text, cairn_double(v, 0));
        if (p->style.strict && !isfinite(cairn_double(v, 0))) {
            emit_cstr(p, "{\"$double\": \"");
            emit_cstr(p, text);
            emit_cstr(p, "\"}");
            return;
        }
    }
    emit_cstr(p, text);
}

/* Cairn's own extension types; their payload is a big-endian number, or nothing. */
static bool emit_reference(struct printer *p, const struct cairn_value *v)
{
    static const char *const names[] = {NULL, "ref", "handle", "weak"};
    size_t length;
    const unsigned char *data = (const unsigned char *)cairn_text(v, &length);
    int type = cairn_ext_type(v);
    uint64_t number = 0;
    char text[40];
    if (type < 1 || type > 3 || length > 8) return false;
    for (size_t i = 0; i < length; i++) number = number << 8 | data[i];
    if (length > 0)
        snprintf(text, sizeof text, "%s(%" PRIu64 ")", names[type], number);
    else
        snprintf(text, sizeof text, "%s()", names[type]);
    emit_cstr(p, text);
    return true;
}

/* Of a stream of a table's rows only how long it is: nobody reads it from a terminal. */
static bool emit_arrow(struct printer *p, const struct cairn_value *v)
{
    size_t length;
    char text[40];
    if (cairn_ext_type(v) != CLI_EXT_ARROW) return false;
    cairn_text(v, &length);
    snprintf(text, sizeof text, "arrow(%zu bytes)", length);
    emit_cstr(p, text);
    return true;
}

static void emit_raw_text(struct printer *p, const struct cairn_value *v)
{
    size_t length;
    const char *data = cairn_text(v, &length);
    bool strict = p->style.strict;
    char start[32];
    if (cairn_type(v) == CAIRN_STR) {
        emit_string(p, data, length);
    } else if (cairn_type(v) == CAIRN_BIN) {
        if (!strict) {
            emit_bytes(p, data, length);
        } else if (cli_utf8_valid(data, length)) {
            emit_string(p, data, length);
        } else {
            emit_cstr(p, "{\"$bytes\": ");
            emit_base64(p, data, length);
            emit_cstr(p, "}");
        }
    } else if (strict || (!emit_reference(p, v) && !emit_arrow(p, v))) {
        snprintf(start, sizeof start, strict ? "{\"$ext\": [%d, " : "ext(%d, ",
                 cairn_ext_type(v));
        emit_cstr(p, start);
        if (strict)
            emit_base64(p, data, length);
        else
            emit_bytes(p, data, length);
        emit_cstr(p, strict ? "]}" : ")");
    }
}

static void emit_scalar(struct printer *p, const struct cairn_value *v, bool is_key)
{
    enum cairn_type type = cairn_type(v);
    bool is_text = type == CAIRN_STR || type == CAIRN_BIN || type == CAIRN_EXT;
    bool is_constant = type == CAIRN_NIL || type == CAIRN_BOOL;
    /* A strict key is a string whatever it was; 1 becomes "1". */
    bool quote = is_key && p->style.strict && !is_text;
    enum colour colour = is_key        ? COLOUR_KEY
                         : is_text     ? COLOUR_TEXT
                         : is_constant ? COLOUR_CONSTANT
                                       : COLOUR_NUMBER;
    colour_on(p, colour);
    if (quote) emit(p, "\"", 1);
    if (is_text) {
        if (is_key && p->style.strict) {
            size_t length;
            const char *data = cairn_text(v, &length);
            emit_string(p, data, length);
        } else {
            emit_raw_text(p, v);
        }
    } else if (is_constant) {
        emit_cstr(p, type == CAIRN_NIL ? "null" : cairn_bool(v, false) ? "true" : "false");
    } else if (quote && type == CAIRN_DOUBLE) {
        char text[CLI_DOUBLE_BYTES_MAX];
        emit(p, text, cli_double_format(text, cairn_double(v, 0)));
    } else {
        emit_number(p, v);
    }
    if (quote) emit(p, "\"", 1);
    colour_off(p, colour);
}

/* A set, which in strict style is a list; false if it cannot be read. */
static bool emit_set(struct printer *p, const struct cairn_value *v)
{
    struct cairn_reply *reply = NULL;
    size_t length, used;
    const char *data = cairn_text(v, &length);
    if (cairn_decode(data, length, &used, &reply) != CAIRN_OK) return false;
    const struct cairn_value *members = cairn_reply_result(reply);
    bool fine = used == length && cairn_type(members) == CAIRN_ARRAY;
    size_t count = fine ? cairn_length(members) : 0;
    for (size_t i = 0; i < count && fine; i++) {
        enum cairn_type type = cairn_type(cairn_at(members, (ptrdiff_t)i));
        fine = type != CAIRN_ARRAY && type != CAIRN_MAP && type != CAIRN_EXT;
    }
    if (fine) emit_cstr(p, p->style.strict ? "[" : "set(");
    for (size_t i = 0; i < count && fine && !is_full(p); i++) {
        if (i > 0) emit_cstr(p, ", ");
        emit_scalar(p, cairn_at(members, (ptrdiff_t)i), false);
    }
    if (fine) emit_cstr(p, p->style.strict ? "]" : ")");
    cairn_reply_destroy(reply);
    return fine;
}

static void emit_item(struct printer *p, const struct cairn_value *v)
{
    bool is_set = cairn_type(v) == CAIRN_EXT && cairn_ext_type(v) == CLI_EXT_SET;
    if (!is_set || !emit_set(p, v)) emit_scalar(p, v, false);
}

/* --- containers -------------------------------------------------------------------------*/

static void new_line(struct printer *p)
{
    emit(p, "\n", 1);
    p->column = 0;
    for (unsigned i = 0; i < p->depth * INDENT; i++) emit(p, " ", 1);
}

static bool is_container(const struct cairn_value *v)
{
    return cairn_type(v) == CAIRN_MAP || cairn_type(v) == CAIRN_ARRAY;
}

static void open_frame(struct printer *p, const struct cairn_value *v, bool spread)
{
    emit(p, cairn_type(v) == CAIRN_MAP ? "{" : "[", 1);
    p->stack[p->depth++] = (struct frame){.container = v, .spread = spread};
}

static void close_frame(struct printer *p)
{
    const struct frame *frame = &p->stack[--p->depth];
    if (frame->spread) new_line(p);
    emit(p, cairn_type(frame->container) == CAIRN_MAP ? "}" : "]", 1);
}

/* The next item of the innermost container, its key and separators printed; or NULL and closed. */
static const struct cairn_value *next_item(struct printer *p)
{
    struct frame *frame = &p->stack[p->depth - 1];
    const struct cairn_value *container = frame->container;
    if (frame->index == cairn_length(container)) {
        close_frame(p);
        return NULL;
    }
    if (frame->index > 0) emit_cstr(p, frame->spread ? "," : ", ");
    if (frame->spread) new_line(p);
    size_t index = frame->index++;
    if (cairn_type(container) == CAIRN_ARRAY) return cairn_at(container, (ptrdiff_t)index);
    emit_scalar(p, cairn_map_key(container, index), true);
    emit_cstr(p, ": ");
    return cairn_map_value(container, index);
}

/* Prints `value` on one line, or until the measure is full. */
static void print_line(struct printer *p, const struct cairn_value *value)
{
    unsigned base = p->depth;
    const struct cairn_value *v = value;
    do {
        if (is_container(v))
            open_frame(p, v, false);
        else
            emit_item(p, v);
        v = NULL;
        while (p->depth > base && !v && !is_full(p)) v = next_item(p);
    } while (v);
}

static bool fits(const struct printer *p, const struct cairn_value *v, struct printer *measure)
{
    if (p->style.width == 0 || cairn_length(v) == 0) return true;
    if (p->column >= p->style.width) return false;
    measure->out = NULL;
    measure->left = p->style.width - p->column;
    measure->style = p->style;
    measure->depth = 0;
    print_line(measure, v);
    return measure->left > 0;
}

void cli_json_print_text(FILE *out, const char *data, size_t length)
{
    struct printer p = {.out = out};
    emit_string(&p, data, length);
}

void cli_json_print(FILE *out, const struct cairn_value *value,
                    const struct cli_json_style *style)
{
    struct printer p = {.out = out, .style = *style}, measure = {.out = NULL};
    const struct cairn_value *v = value;
    do {
        if (is_container(v) && !fits(&p, v, &measure))
            open_frame(&p, v, true);
        else
            print_line(&p, v);
        v = NULL;
        while (p.depth > 0 && !v) v = next_item(&p);
    } while (v);
}
