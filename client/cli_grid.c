/* cli_grid.c - rows and columns for eyes; see cli_grid.h. */
#include "client/cli_grid.h"

#include <stdlib.h>
#include <string.h>

/* Between two columns. */
#define GAP 2
/* A text is cut to no less, a column left out instead. */
#define TEXT_COLUMNS_MIN 8

/* Where nothing is cut, shorter cells get no more blanks than up to here: one long text among many
 * rows would be as many blanks in each. */
#define PADDED_COLUMNS_MAX 80

/* The line that names the columns that do not fit has no less. */
#define LEFT_OUT_COLUMNS_MIN 40

/* --- characters -------------------------------------------------------------------------*/

struct range {
    uint32_t from, to;
};

static bool is_in(uint32_t code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].from && code <= ranges[i].to) return true;
    return false;
}

/* Marks that combine with the character in front, and variation selectors; U+200D joins emoji. */
static bool is_combining(uint32_t code)
{
    static const struct range ranges[] = {
        {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
        {0x06d6, 0x06dc}, {0x0711, 0x0711}, {0x0730, 0x074a}, {0x0900, 0x0902}, {0x093c, 0x093c},
        {0x0941, 0x0948}, {0x094d, 0x094d}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
        {0x1160, 0x11ff}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200d, 0x200d}, {0x20d0, 0x20ff},
        {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
        {0xe0100, 0xe01ef}};
    return code >= 0x300 && is_in(code, ranges, sizeof ranges / sizeof *ranges);
}

/* East Asian Width W and F: ideographs, and emoji that are drawn as pictures. */
static bool is_wide(uint32_t code)
{
    static const struct range ranges[] = {
        {0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x23f0, 0x23f0},
        {0x23f3, 0x23f3}, {0x25fd, 0x25fe}, {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267f, 0x267f},
        {0x2693, 0x2693}, {0x26a1, 0x26a1}, {0x26aa, 0x26ab}, {0x26bd, 0x26be}, {0x26c4, 0x26c5},
        {0x26ce, 0x26ce}, {0x26d4, 0x26d4}, {0x26ea, 0x26ea}, {0x26f2, 0x26f3}, {0x26f5, 0x26f5},
        {0x26fa, 0x26fa}, {0x26fd, 0x26fd}, {0x2705, 0x2705}, {0x270a, 0x270b}, {0x2728, 0x2728},
        {0x274c, 0x274c}, {0x274e, 0x274e}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797},
        {0x27b0, 0x27b0}, {0x27bf, 0x27bf}, {0x2b1b, 0x2b1c}, {0x2b50, 0x2b50}, {0x2b55, 0x2b55},
        {0x2e80, 0x3029}, {0x302e, 0x303e}, {0x3041, 0x3096}, {0x309b, 0xa4c6}, {0xa960, 0xa97c},
        {0xac00, 0xd7a3}, {0xf900, 0xfad9}, {0xfe10, 0xfe19}, {0xfe30, 0xfe6b}, {0xff01, 0xff60},
        {0xffe0, 0xffe6}, {0x16fe0, 0x16fe3}, {0x16ff0, 0x1b2fb}, {0x1f004, 0x1f004},
        {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320},
        {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca},
        {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e},
        {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e},
        {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4},
        {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2},
        {0x1f6d5, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7f0},
        {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faf6},
        {0x20000, 0x3fffd}};
    return code >= 0x1100 && is_in(code, ranges, sizeof ranges / sizeof *ranges);
}

/* What a terminal would obey, or what cannot be seen. */
static bool is_hidden(uint32_t code)
{
    static const struct range ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x061c, 0x061c}, {0x200b, 0x200c},
        {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
        {0xe0000, 0xe007f}};
    return is_in(code, ranges, sizeof ranges / sizeof *ranges);
}

static unsigned code_width(uint32_t code)
{
    return is_combining(code) ? 0 : is_wide(code) ? 2 : 1;
}

static void add_escape(struct cli_text *out, uint32_t code, bool is_byte)
{
    char text[16];
    const char *known = code && code < 0x20 ? strchr("\nn\tt\rr", (int)code) : NULL;
    if (known && !is_byte)
        snprintf(text, sizeof text, "\\%c", known[1]);
    else if (is_byte || code < 0x80)
        snprintf(text, sizeof text, "\\x%02x", (unsigned)code);
    else
        snprintf(text, sizeof text, code > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)code);
    cli_text_add_cstr(out, text);
}

void cli_cell_text(struct cli_text *out, const char *data, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t code;
        unsigned bytes = cli_utf8_next(data + at, length - at, &code);
        if (bytes == 0)
            add_escape(out, (unsigned char)data[at], true);
        else if (is_hidden(code))
            add_escape(out, code, false);
        else
            cli_text_add(out, data + at, bytes);
        at += bytes ? bytes : 1;
    }
}

/* The bytes at the start of `text` that fit into `width` columns; *columns are those they take. */
static size_t fitting(const char *text, size_t length, size_t width, size_t *columns)
{
    size_t at = 0;
    *columns = 0;
    while (at < length) {
        uint32_t code = 0;
        unsigned bytes = cli_utf8_next(text + at, length - at, &code);
        unsigned wide = bytes ? code_width(code) : 1;
        if (*columns + wide > width) break;
        *columns += wide;
        at += bytes ? bytes : 1;
    }
    return at;
}

size_t cli_cell_width(const char *text, size_t length)
{
    size_t columns;
    fitting(text, length, SIZE_MAX, &columns);
    return columns;
}

size_t cli_cell_print(FILE *out, const char *text, size_t length, size_t width)
{
    size_t columns, bytes = fitting(text, length, width, &columns);
    if (bytes == length || width == 0) {
        fwrite(text, 1, bytes, out);
        return columns;
    }
    bytes = fitting(text, length, width - 1, &columns);
    fwrite(text, 1, bytes, out);
    fputs("…", out);
    return columns + 1;
}

/* Eight heights, so that an eighth of the most, or anything at all, shows as the lowest. */
void cli_sparkline(struct cli_text *out, const uint64_t *counts, size_t count)
{
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++)
        if (counts[i] > most) most = counts[i];
    for (size_t i = 0; i < count; i++) {
        if (counts[i] == 0) {
            cli_text_add_char(out, ' ');
            continue;
        }
        double part = (double)counts[i] / (double)most * 8;
        unsigned height = part > (double)(unsigned)part ? (unsigned)part + 1 : (unsigned)part;
        cli_text_add_code(out, 0x2580 + (height < 1 ? 1 : height > 8 ? 8 : height));
    }
}

/* --- the grid ---------------------------------------------------------------------------*/

static void widen(struct cli_grid_column *c, size_t width)
{
    if (width > c->width) c->width = width;
}

static void widen_cells(struct cli_grid_column *c, size_t width)
{
    if (width > c->cells_width) c->cells_width = width;
    widen(c, width);
}

void cli_grid_column(struct cli_grid *g, const char *name, size_t length, const char *type,
                     bool right)
{
    struct cli_text shown = {0};
    struct cli_grid_column *columns = realloc(g->columns, (g->count + 1) * sizeof *columns);
    if (columns) g->columns = columns;
    cli_text_add(&shown, "", 0);
    cli_cell_text(&shown, name, length);
    char *copy = type ? strdup(type) : NULL;
    if (!columns || shown.failed || (type && !copy)) {
        cli_text_close(&shown);
        free(copy);
        g->failed = true;
        return;
    }
    struct cli_grid_column *c = &g->columns[g->count++];
    *c = (struct cli_grid_column){.name = shown.data, .type = copy, .right = right};
    widen(c, cli_cell_width(c->name, strlen(c->name)));
    if (type) {
        widen(c, strlen(type));
        g->has_types = true;
    }
}

void cli_grid_cell(struct cli_grid *g, const char *data, size_t length)
{
    if (g->failed) return;
    if (g->cells == g->capacity) {
        size_t capacity = g->capacity ? g->capacity * 2 : 256;
        size_t *ends = realloc(g->ends, capacity * sizeof *ends);
        if (!ends) {
            g->failed = true;
            return;
        }
        g->ends = ends;
        g->capacity = capacity;
    }
    size_t start = g->text.length;
    cli_cell_text(&g->text, data, length);
    if (g->text.failed) {
        g->failed = true;
        return;
    }
    if (g->text.length > start)
        widen_cells(&g->columns[g->cells % g->count],
                    cli_cell_width(g->text.data + start, g->text.length - start));
    g->ends[g->cells++] = g->text.length;
}

/* A number is never cut; a long name above short ones is. */
static size_t column_width(const struct cli_grid_column *c, size_t most)
{
    if ((c->right || c->whole) && most < c->cells_width) most = c->cells_width;
    return c->width < most ? c->width : most;
}

static size_t total_width(const struct cli_grid *g, size_t count, size_t most)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += column_width(&g->columns[i], most) + (i > 0 ? GAP : 0);
    return total;
}

/* How wide a text may be so that all fits; if even the least is too wide, fewer columns are shown.
 * */
static size_t fit(struct cli_grid *g, size_t width)
{
    size_t most = width;
    if (width == 0) {
        g->shown = g->count;
        return SIZE_MAX;
    }
    if (g->shown == 0) g->shown = g->count;
    while (g->shown > 1 && total_width(g, g->shown, TEXT_COLUMNS_MIN) > width) g->shown--;
    while (most > TEXT_COLUMNS_MIN && total_width(g, g->shown, most) > width) most--;
    return most;
}

static void print_cell(const struct cli_grid *g, FILE *out, size_t column, size_t most,
                       const char *text, size_t length)
{
    const struct cli_grid_column *c = &g->columns[column];
    size_t width = column_width(c, most), taken = cli_cell_width(text, length);
    bool last = column + 1 == g->shown;
    if (column > 0) fprintf(out, "%*s", GAP, "");
    size_t padded = most == SIZE_MAX && width > PADDED_COLUMNS_MAX ? PADDED_COLUMNS_MAX : width;
    int blanks = taken < padded ? (int)(padded - taken) : 0;
    if (c->right) fprintf(out, "%*s", blanks, "");
    cli_cell_print(out, text, length, width);
    if (!c->right && !last) fprintf(out, "%*s", blanks, "");
}

static void print_header(struct cli_grid *g, FILE *out, size_t most)
{
    if (g->colour) fputs("\033[1m", out);
    for (size_t i = 0; i < g->shown; i++)
        print_cell(g, out, i, most, g->columns[i].name, strlen(g->columns[i].name));
    fputs(g->colour ? "\033[0m\n" : "\n", out);
    if (!g->has_types) return;
    if (g->colour) fputs("\033[2m", out);
    for (size_t i = 0; i < g->shown; i++) {
        const char *type = g->columns[i].type ? g->columns[i].type : "";
        print_cell(g, out, i, most, type, strlen(type));
    }
    fputs(g->colour ? "\033[0m\n" : "\n", out);
}

/* How many columns, and as many of their names as a line has room for. */
static void print_left_out(const struct cli_grid *g, FILE *out, size_t width)
{
    char count[48];
    struct cli_text line = {0};
    size_t left = g->count - g->shown;
    snprintf(count, sizeof count, "… %zu more column%s:", left, left == 1 ? "" : "s");
    cli_text_add_cstr(&line, count);
    for (size_t i = g->shown; i < g->count; i++) {
        cli_text_add_cstr(&line, i > g->shown ? ", " : " ");
        cli_text_add_cstr(&line, g->columns[i].name);
    }
    if (width < LEFT_OUT_COLUMNS_MIN) width = width ? LEFT_OUT_COLUMNS_MIN : SIZE_MAX;
    if (line.data) cli_cell_print(out, line.data, line.length, width);
    fputc('\n', out);
    cli_text_close(&line);
}

void cli_grid_print(struct cli_grid *g, FILE *out, size_t width)
{
    bool first = g->shown == 0;
    if (g->count == 0 || g->failed) return;
    size_t most = fit(g, width);
    if (first) print_header(g, out, most);
    for (size_t row = 0; row < g->cells / g->count; row++) {
        for (size_t i = 0; i < g->shown; i++) {
            size_t cell = row * g->count + i, start = cell ? g->ends[cell - 1] : 0;
            print_cell(g, out, i, most, g->text.data ? g->text.data + start : "",
                       g->ends[cell] - start);
        }
        fputc('\n', out);
    }
    if (first && g->shown < g->count) print_left_out(g, out, width);
    g->cells = 0;
    cli_text_clear(&g->text);
}

void cli_grid_close(struct cli_grid *g)
{
    for (size_t i = 0; i < g->count; i++) {
        free(g->columns[i].name);
        free(g->columns[i].type);
    }
    free(g->columns);
    free(g->ends);
    cli_text_close(&g->text);
    *g = (struct cli_grid){0};
}
