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
    if (j->state == JSON_LINES_ENDED) return fail(j, "more follows behind the array");
    if (c == ']' && j->state != JSON_LINES_RECORD) {
        j->state = JSON_LINES_ENDED;
        return true;
    }
    if (j->state == JSON_LINES_BEHIND) {
        if (c != ',') return fail(j, "expected , or ] behind a record");
        j->state = JSON_LINES_RECORD;
        return true;
    }
    if (c != '{') return fail(j, "expected a record, which begins with {");
    j->state = JSON_LINES_INSIDE;
    inside(j, c, out);
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
    if (is_blank(c)) {
        cli_text_add_char(out, c); /* a line of its own, if these are lines */
        return true;
    }
    j->state = c == '[' ? JSON_LINES_FIRST : JSON_LINES_PASS;
    if (c == '[') cli_text_clear(out);
    else cli_text_add_char(out, c);
    return true;
}

bool cli_json_lines_feed(struct cli_json_lines *j, const char *data, size_t length,
                         struct cli_text *out)
{
    for (size_t i = 0; i < length; i++) {
        if (j->state == JSON_LINES_PASS) {
            cli_text_add(out, data + i, length - i);
            return true;
        }
        if (!one(j, data[i], out)) return false;
    }
    return true;
}

bool cli_json_lines_finish(struct cli_json_lines *j)
{
    if (j->state == JSON_LINES_INSIDE) return fail(j, "the record does not end");
    if (j->state == JSON_LINES_START || j->state == JSON_LINES_PASS ||
        j->state == JSON_LINES_ENDED)
        return true;
    return fail(j, "the array does not end: ] is missing");
}
