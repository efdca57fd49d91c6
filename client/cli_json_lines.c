/* cli_json_lines.c - an array of records as JSON lines; see cli_json_lines.h. */
#include "client/cli_json_lines.h"

#include <string.h>

static bool fail(struct cli_json_lines *j, const char *wrong)
{
    j->wrong = wrong;
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void inside(struct cli_json_lines *j, char c, struct cli_text *out)
{
    if (j->in_text) {
        if (j->escaped) j->escaped = false;
        else if (c == '\\') j->escaped = true;
        else if (c == '"') j->in_text = false;
    } else if (c == '"') {
        j->in_text = true;
    } else if (c == '{' || c == '[') {
        j->depth++;
    } else if (c == '}' || c == ']') {
        j->depth--;
    }
    cli_text_add_char(out, !j->in_text && (c == '\n' || c == '\r') ? ' ' : c);
    if (j->depth > 0) return;
    cli_text_add_char(out, '\n');
    j->state = JSON_LINES_BEHIND;
    j->record++;
}

/* Between records. */
static bool outside(struct cli_json_lines *j, char c, struct cli_text *out)
{
    if (is_blank(c)) return true;
    if (!j->in_array && c != '{') return fail(j, "expected a record, as in {\"a\": 1}");
    if (j->state == JSON_LINES_ENDED) return fail(j, "more follows behind the array");
    if (c == ']' && j->state != JSON_LINES_RECORD) {
        j->state = JSON_LINES_ENDED;
        return true;
    }
    if (j->state == JSON_LINES_BEHIND && j->in_array) {
        if (c != ',') return fail(j, "expected , or ] behind a record");
        j->state = JSON_LINES_RECORD;
        return true;
    }
    j->record_line = j->line;
    if (c != '{') return fail(j, "expected a record, as in [{\"a\": 1}, {\"a\": 2}]");
    j->state = JSON_LINES_INSIDE;
    inside(j, c, out);
    return true;
}

/* A byte order mark, of which `mark` bytes have come. */
static bool skips_mark(struct cli_json_lines *j, char c)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (j->mark == 3 || c != mark[j->mark]) return false;
    j->mark++;
    return true;
}

static bool one(struct cli_json_lines *j, char c, struct cli_text *out)
{
    if (c == '\n') j->line++;
    if (j->state == JSON_LINES_INSIDE) {
        inside(j, c, out);
        return true;
    }
    if (j->state != JSON_LINES_START) return outside(j, c, out);
    if (is_blank(c)) return true;
    if (skips_mark(j, c)) return true;
    j->in_array = c == '[';
    j->record_line = j->line;
    j->state = c == '[' ? JSON_LINES_FIRST : c == '{' ? JSON_LINES_INSIDE : JSON_LINES_PASS;
    if (c == '{') inside(j, c, out);
    else if (c != '[') cli_text_add_char(out, c);
    return true;
}

/* How many bytes from here on neither end a record nor begin or end a text or a line. */
static size_t plain_run(const struct cli_json_lines *j, const char *data, size_t length)
{
    size_t n = 0;
    if (j->state != JSON_LINES_INSIDE || j->escaped) return 0;
    if (j->in_text) {
        while (n < length && data[n] != '"' && data[n] != '\\' && data[n] != '\n') n++;
        return n;
    }
    for (; n < length; n++) {
        char c = data[n];
        bool bracket = c == '{' || c == '}' || c == '[' || c == ']';
        if (bracket || c == '"' || c == '\n' || c == '\r') break;
    }
    return n;
}

bool cli_json_lines_feed(struct cli_json_lines *j, const char *data, size_t length,
                         struct cli_text *out)
{
    for (size_t i = 0; i < length;) {
        if (j->state == JSON_LINES_PASS) {
            cli_text_add(out, data + i, length - i);
            return true;
        }
        size_t run = plain_run(j, data + i, length - i);
        if (run > 0) cli_text_add(out, data + i, run);
        i += run;
        if (i < length && !one(j, data[i++], out)) return false;
    }
    return true;
}

bool cli_json_lines_finish(struct cli_json_lines *j)
{
    if (j->state == JSON_LINES_INSIDE) {
        j->line = j->record_line;
        return fail(j, "the record that begins here does not end");
    }
    bool ended = j->state == JSON_LINES_ENDED || (j->state == JSON_LINES_BEHIND && !j->in_array);
    if (ended || j->state == JSON_LINES_START || j->state == JSON_LINES_PASS) return true;
    return fail(j, "the array does not end: ] is missing");
}
