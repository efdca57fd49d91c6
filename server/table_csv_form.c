/* table_csv_form.c - see table_csv_form.h. */
#include "server/table_csv_form.h"

#include <string.h>

#include "heap/text.h"
#include "server/params.h"

static bool is_given(value v)
{
    return v != VALUE_ABSENT && v != VALUE_NIL;
}

/* What CSV needs for itself, and what ends a text elsewhere. */
static bool is_special(char byte)
{
    return byte == '"' || byte == '\r' || byte == '\n' || byte == 0;
}

static int read_delimiter(struct call *call, value v, char *delimiter)
{
    if (value_is_text(v) && text_length(call->heap, v) == 1) {
        text_copy(call->heap, v, 0, delimiter, 1);
        if (!is_special(*delimiter)) return 0;
    }
    call_fail(call, ERROR_BAD_PARAMS, "%s: option delimiter must be a string of one byte, which is "
              "no quote, line end or NUL, not %s", call->method->name, call_quote_value(call, v));
    return -1;
}

static int read_null(struct call *call, value v, struct csv_form *form)
{
    form->null_length = value_is_text(v) ? text_length(call->heap, v) : SIZE_MAX;
    if (form->null_length > sizeof form->null_text) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: option null must be a string of up to %zu bytes, "
                  "not %s", call->method->name, sizeof form->null_text, call_quote_value(call, v));
        return -1;
    }
    text_copy(call->heap, v, 0, form->null_text, form->null_length);
    for (size_t i = 0; i < form->null_length; i++) {
        char byte = form->null_text[i];
        if (!is_special(byte) && byte != form->delimiter) continue;
        call_fail(call, ERROR_BAD_PARAMS, "%s: option null is %s; since it has no quotes in the "
                  "file, it must not have a delimiter, quote, line end or NUL in it", call->method->name,
                  call_quote_value(call, v));
        return -1;
    }
    return 0;
}

int csv_form_read(struct call *call, const char *format, value header, value delimiter, value null,
                  struct csv_form *form)
{
    bool has_header = true;
    const char *given = is_given(header) ? "header" : is_given(delimiter) ? "delimiter" : "null";
    *form = (struct csv_form){.delimiter = ','};
    if (!is_given(header) && !is_given(delimiter) && !is_given(null)) return 0;
    if (format != NULL && strcmp(format, "csv") != 0) {
        call_fail(call, ERROR_BAD_PARAMS, "%s: %s is an option of format \"csv\", not of \"%s\"",
                  call->method->name, given, format);
        return -1;
    }
    if (is_given(header) && option_bool(call, "header", header, &has_header) < 0) return -1;
    form->no_header = !has_header;
    if (is_given(delimiter) && read_delimiter(call, delimiter, &form->delimiter) < 0) return -1;
    return is_given(null) ? read_null(call, null, form) : 0;
}
