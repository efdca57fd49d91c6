/* json_text.c - see json_text.h. Errors are told in the words of yajl. */
#include "server/json_text.h"

#include <string.h>

#include "heap/text.h"

static bool is_high(uint32_t code) { return (code & 0xfc00) == 0xd800; }
static bool is_low(uint32_t code) { return (code & 0xfc00) == 0xdc00; }

static void put_utf8(struct table_out *to, uint32_t code)
{
    unsigned char bytes[4];
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        bytes[i] = (unsigned char)(0x80 | (code & 0x3f));
    bytes[0] = (unsigned char)(first[length] | code);
    out_put(to, bytes, length);
}

/* A half that came by itself, as yajl has it. */
static void end_half(struct json_text *t, struct table_out *to)
{
    if (t->high) out_byte(to, '?');
    t->high = 0;
}

/* What \uXXXX says. What is wrong, or NULL. */
static const char *put_code(struct json_text *t, struct table_out *to)
{
    if (t->high && is_low(t->code)) {
        put_utf8(to, 0x10000 + ((t->high & 0x3ff) << 10) + (t->code & 0x3ff));
        t->high = 0;
        return NULL;
    }
    end_half(t, to);
    if (is_low(t->code)) return "a surrogate without its other half";
    if (is_high(t->code)) t->high = t->code;
    else put_utf8(to, t->code);
    return NULL;
}

static const char *take_hex(struct json_text *t, char c, struct table_out *to)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    if (!digit)
        return "lexical error: invalid (non-hex) character occurs after '\\u' inside string.";
    t->code = t->code << 4 | (uint32_t)(digit - digits);
    return --t->hex_left ? NULL : put_code(t, to);
}

static const char *take_escape(struct json_text *t, char c, struct table_out *to)
{
    static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
    const char *at = c ? strchr(from, c) : NULL;
    t->escape = false;
    if (c == 'u') {
        t->hex_left = 4;
        t->code = 0;
        return NULL;
    }
    if (!at)
        return "lexical error: inside a string, '\\' occurs before a character which it may not.";
    end_half(t, to);
    out_byte(to, (unsigned char)is[at - from]);
    return NULL;
}

/* How many bytes stand for themselves. */
static size_t plain_bytes(const char *data, size_t length)
{
    size_t i = 0;
    while (i < length && (unsigned char)data[i] >= 0x20 && data[i] != '"' && data[i] != '\\') i++;
    return i;
}

/* Whether what has come is valid, but for a character that is cut. */
static bool check_utf8(struct json_text *t, const struct table_out *to, size_t begin, bool over)
{
    const unsigned char *text = to->data + begin;
    size_t length = to->length - begin;
    if (to->failed || length == t->checked) return true;
    t->checked += utf8_prefix(text + t->checked, length - t->checked);
    return length - t->checked < (over ? 1 : 4);
}

enum json_text_status json_text_feed(struct json_text *t, const char *data, size_t length,
                                     size_t *used, struct table_out *to, size_t begin,
                                     const char **wrong)
{
    bool over = false;
    *wrong = NULL;
    for (*used = 0; *used < length && !over && !*wrong;) {
        char c = data[*used];
        size_t plain = 0;
        if (t->hex_left) {
            *wrong = take_hex(t, c, to);
        } else if (t->escape) {
            *wrong = take_escape(t, c, to);
        } else if ((plain = plain_bytes(data + *used, length - *used)) > 0) {
            end_half(t, to);
            out_put(to, data + *used, plain);
        } else if (c == '"') {
            end_half(t, to);
            over = true;
        } else if (c == '\\') {
            t->escape = true;
        } else {
            *wrong = "lexical error: invalid character inside string.";
        }
        *used += plain ? plain : 1;
    }
    if (!*wrong && !check_utf8(t, to, begin, over))
        *wrong = "lexical error: invalid bytes in UTF8 string.";
    return *wrong ? JSON_TEXT_WRONG : over ? JSON_TEXT_END : JSON_TEXT_MORE;
}
