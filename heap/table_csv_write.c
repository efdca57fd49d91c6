/* table_csv_write.c - a version as CSV or as JSON lines, row by row.
 *
 * A step formats rows until its time is over or its piece is large; texts of a mebibyte make
 * pieces longer. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "heap/table_csv.h"

#define PIECE_BYTES ((size_t)256 << 10)
#define CLOCK_ROWS 16

struct text_writer {
    struct table_export e;
    enum text_format format;
    uint32_t columns;
    struct table_out out;
    struct table_walk walk;
    struct table_part part;
    uint32_t word;
    bool header, over;
};

/* --- texts -------------------------------------------------------------------------------------*/

static void csv_text(struct table_out *o, const char *data, size_t length)
{
    bool plain = length > 0;
    for (size_t i = 0; i < length && plain; i++) plain = !strchr(",\"\r\n", data[i]) && data[i];
    /* A text that begins or ends with a blank survives readers that trim. */
    if (plain && data[0] != ' ' && data[length - 1] != ' ') {
        out_put(o, data, length);
        return;
    }
    out_byte(o, '"');
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '"') out_byte(o, '"');
        out_byte(o, (unsigned char)data[i]);
    }
    out_byte(o, '"');
}

static void json_text(struct table_out *o, const char *data, size_t length)
{
    size_t from = 0;
    out_byte(o, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        out_put(o, data + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            out_print(o, "\\%c", c);
        else
            out_print(o, "\\u%04x", c);
    }
    out_put(o, data + from, length - from);
    out_byte(o, '"');
}

static void put_text(struct text_writer *w, const char *data, size_t length)
{
    (w->format == TEXT_CSV ? csv_text : json_text)(&w->out, data, length);
}

/* --- cells -------------------------------------------------------------------------------------*/

static void put_number(struct text_writer *w, const struct table_cell *c)
{
    bool json = w->format == TEXT_JSON_LINES;
    if (json && !isfinite(c->d))
        out_text(&w->out, "null");
    else if (c->type == TABLE_F32)
        out_float(&w->out, (float)c->d);
    else
        out_double(&w->out, c->d);
}

static void put_cell(struct text_writer *w, const struct table_cell *c)
{
    struct table_out *o = &w->out;
    const char *quote = w->format == TEXT_CSV ? "" : "\"";
    switch (c->type) {
    case TABLE_F32: case TABLE_F64: put_number(w, c); break;
    case TABLE_BOOL: out_text(o, c->u ? "true" : "false"); break;
    case TABLE_STR: case TABLE_SYM: put_text(w, c->text.data, c->text.length); break;
    case TABLE_BIN:
        if (c->text.length == 0) quote = "\"";
        out_text(o, quote);
        out_base64(o, c->text.data, c->text.length);
        out_text(o, quote);
        break;
    case TABLE_DATE: case TABLE_TS:
        out_text(o, quote);
        (c->type == TABLE_DATE ? out_date : out_time)(o, c->i);
        out_text(o, quote);
        break;
    default:
        if (table_type_class(c->type) == TABLE_CLASS_INT)
            out_print(o, "%" PRId64, c->i);
        else
            out_print(o, "%" PRIu64, c->u);
    }
}

static void put_row(struct text_writer *w, uint32_t slot)
{
    struct table_out *o = &w->out;
    bool csv = w->format == TEXT_CSV;
    if (!csv) out_byte(o, '{');
    for (uint32_t i = 0; i < w->columns; i++) {
        const struct table_field *f = export_field(&w->e, i);
        struct table_cell cell;
        table_cell(w->e.version, w->part.chunk, slot, export_column(&w->e, i), &cell);
        if (i) out_byte(o, ',');
        if (!csv) {
            put_text(w, f->name, f->name_length);
            out_byte(o, ':');
        }
        if (!cell.null)
            put_cell(w, &cell);
        else if (!csv)
            out_text(o, "null");
    }
    out_text(o, csv ? "\r\n" : "}\n");
}

static void put_header(struct text_writer *w)
{
    for (uint32_t i = 0; i < w->columns; i++) {
        const struct table_field *f = export_field(&w->e, i);
        if (i) out_byte(&w->out, ',');
        put_text(w, f->name, f->name_length);
    }
    out_text(&w->out, "\r\n");
}

/* --- steps -------------------------------------------------------------------------------------*/

/* Up to `rows` rows. False once there are no more. */
static bool put_rows(struct text_writer *w, unsigned rows)
{
    while (rows) {
        while (w->word < TABLE_VECTOR_WORDS && w->part.selected[w->word] == 0) w->word++;
        if (w->word == TABLE_VECTOR_WORDS) {
            if (!table_walk_next(&w->walk, &w->e, &w->part)) return false;
            w->word = 0;
            rows--; /* a vector without rows is work, too */
            continue;
        }
        uint64_t *left = &w->part.selected[w->word];
        put_row(w, w->part.vector * TABLE_VECTOR_ROWS + w->word * 64 +
                       (uint32_t)__builtin_ctzll(*left));
        *left &= *left - 1;
        rows--;
    }
    return true;
}

int text_writer_step(struct text_writer *w, uint64_t budget_ns, const unsigned char **data,
                     size_t *length)
{
    uint64_t begin = table_clock_ns();
    w->out.length = 0;
    if (!w->header && w->format == TEXT_CSV) put_header(w);
    w->header = true;
    do {
        w->over = w->over || !put_rows(w, CLOCK_ROWS);
    } while (!w->over && !w->out.failed && w->out.length < PIECE_BYTES &&
             table_clock_ns() - begin < budget_ns);
    *data = w->out.data;
    *length = w->out.length;
    return w->out.failed ? -ENOMEM : !w->over;
}

struct text_writer *text_writer_create(const struct table_export *e, enum text_format format)
{
    struct text_writer *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->e = *e;
    w->format = format;
    w->columns = export_column_count(e);
    w->word = TABLE_VECTOR_WORDS;
    return w;
}

void text_writer_destroy(struct text_writer *w)
{
    if (!w) return;
    out_close(&w->out);
    free(w);
}
