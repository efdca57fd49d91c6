/* query_world.c - random tables and random queries. */
#include "tests/support/query_world.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"

enum { A, B, C, D, X, Y, T, S, K, N, E, W, COLUMNS };
const struct table_field world_fields[COLUMNS] = {
    [A] = {"a", 1, TABLE_I8, true, false},   [B] = {"b", 1, TABLE_I64, false, false},
    [C] = {"c", 1, TABLE_U64, true, false},  [D] = {"d", 1, TABLE_U16, false, false},
    [X] = {"x", 1, TABLE_F64, true, false},  [Y] = {"y", 1, TABLE_F32, false, false},
    [T] = {"t", 1, TABLE_BOOL, true, false}, [S] = {"s", 1, TABLE_STR, true, false},
    [K] = {"k", 1, TABLE_SYM, true, false},  [N] = {"n", 1, TABLE_BIN, false, false},
    [E] = {"e", 1, TABLE_DATE, true, false}, [W] = {"w", 1, TABLE_TS, false, false},
};

_Static_assert(COLUMNS == WORLD_COLUMNS, "as the header says");

/* --- tables ------------------------------------------------------------------------------------*/

static const char *const words[] = {"", "a", "ab", "abc", "Oslo", "Rome", "Bergen", "abcdefgh",
                                    "abcdefghi", "abcdefghj", "zz",
                                    "\xff\xff\xff\xff\xff\xff\xff\xff"};
#define WORDS 12

static double random_double(struct world *w, unsigned spread)
{
    static const double special[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 1e300, -1e300, 5e-324};
    if (chance(w, 3)) return special[below(w, 8)];
    return ((double)below(w, spread) - spread / 3) * 0.25;
}

static void random_cell(struct world *w, unsigned column, struct table_cell *cell)
{
    unsigned spread = w->spread[column];
    bool extreme = w->extreme[column] && chance(w, 2);
    *cell = (struct table_cell){.type = world_fields[column].type};
    if (world_fields[column].null && chance(w, 8)) {
        cell->null = true;
        return;
    }
    switch (column) {
    case A: cell->i = extreme ? (chance(w, 50) ? INT8_MIN : INT8_MAX)
                              : (int64_t)below(w, spread % 100 + 1) - 20; break;
    case B: cell->i = extreme ? (chance(w, 50) ? INT64_MIN : INT64_MAX)
                              : (int64_t)below(w, spread) - spread / 2; break;
    case C: cell->u = extreme ? UINT64_MAX - below(w, 3) : below(w, spread); break;
    case D: cell->u = extreme ? UINT16_MAX : below(w, spread % 60000 + 1); break;
    case X: cell->d = random_double(w, spread); break;
    case Y: cell->d = (double)(float)random_double(w, spread); break;
    case T: cell->u = below(w, 2); break;
    case E: cell->i = extreme ? INT32_MAX : (int64_t)below(w, spread); break;
    case W: cell->i = (int64_t)below(w, spread) * 3600000000 - 7; break;
    default: {
        const char *word = words[below(w, WORDS - (column != N))]; /* the last is not UTF-8 */
        size_t length = strlen(word);
        char *copy = malloc(length + 8);
        memcpy(copy, word, length);
        unsigned number = (unsigned)below(w, spread) % 1000;
        if (spread > 100) length += (size_t)sprintf(copy + length, "%u", number);
        cell->text = (struct table_text){copy, length};
    }
    }
}

static void append_column(struct world *w, struct table_append *a, unsigned column, size_t rows)
{
    struct table_error error;
    value *values = malloc(rows * sizeof *values);
    for (size_t i = 0; i < rows; i++) {
        values[i] = table_cell_to_value(w->h, &w->rows.cells[i * COLUMNS + column]);
        expect_true(values[i] != VALUE_ABSENT);
    }
    int status = table_append_values(a, column, rows, values, 1, &error);
    expect(status == 0, "%s", error.text);
    for (size_t i = 0; i < rows; i++) value_release(w->h, values[i]);
    free(values);
}

static void change(struct world *w, size_t row)
{
    struct table_error error;
    uint32_t chunk, slot;
    unsigned column = (unsigned)below(w, COLUMNS);
    struct table_cell *cell = &w->rows.cells[row * COLUMNS + column];
    struct table_version *v = table_pin(w->t);
    expect_true(table_locate(v, row, &chunk, &slot));
    table_unpin(v);
    if (table_type_class(world_fields[column].type) >= TABLE_CLASS_SYMBOL)
        free((void *)(uintptr_t)cell->text.data);
    random_cell(w, column, cell);
    expect(table_set(w->t, chunk, slot, column, cell, &error) == 0, "%s", error.text);
}

static void free_row(struct world *w, size_t row)
{
    for (unsigned c = S; c <= N; c++)
        free((void *)(uintptr_t)w->rows.cells[row * COLUMNS + c].text.data);
}

static void delete_row(struct world *w, size_t row)
{
    struct table_error error;
    uint32_t chunk, slot;
    struct table_version *v = table_pin(w->t);
    expect_true(table_locate(v, row, &chunk, &slot));
    table_unpin(v);
    expect(table_delete(w->t, chunk, slot, NULL, &error) == 0, "%s", error.text);
    free_row(w, row);
    w->rows.count--;
    memmove(&w->rows.cells[row * COLUMNS], &w->rows.cells[(row + 1) * COLUMNS],
            (w->rows.count - row) * COLUMNS * sizeof *w->rows.cells);
}

void world_open(struct world *w, uint64_t seed, size_t rows)
{
    struct table_error error;
    struct table_append a;
    *w = (struct world){.h = heap_fixture_open((size_t)512 << 20), .random = seed, .seed = seed};
    for (unsigned c = 0; c < COLUMNS; c++) {
        static const unsigned spreads[] = {1, 3, 20, 1000, 100000};
        w->spread[c] = spreads[below(w, 5)];
        w->extreme[c] = chance(w, 20);
    }
    expect_true(table_create(w->h, world_fields, COLUMNS, &w->table, &error) == 0);
    w->t = table_of(w->h, w->table);
    w->rows = (struct model_rows){.fields = world_fields, .columns = COLUMNS, .count = rows,
                                  .cells = malloc((rows + 1) * COLUMNS *
                                                  sizeof(struct table_cell))};
    for (size_t i = 0; i < rows * COLUMNS; i++) random_cell(w, i % COLUMNS, &w->rows.cells[i]);
    expect_true(table_append_begin(w->t, rows, &a, &error) == 0);
    for (unsigned c = 0; c < COLUMNS; c++) append_column(w, &a, c, rows);
    expect_true(table_append_commit(&a, NULL, &error) == 0);
    if (chance(w, 70))
        while (table_seal_step(w->t, 1000000) == 1) continue;
    for (unsigned i = (unsigned)below(w, 60); i > 0 && w->rows.count; i--) {
        if (chance(w, 50)) change(w, below(w, w->rows.count));
        else delete_row(w, below(w, w->rows.count));
    }
}

void world_close(struct world *w)
{
    for (size_t i = 0; i < w->rows.count; i++) free_row(w, i);
    free(w->rows.cells);
    value_release(w->h, w->table);
    heap_fixture_close(w->h);
}

/* --- queries as text ---------------------------------------------------------------------------*/

void put(struct world *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    w->length += (size_t)vsnprintf(w->text + w->length, sizeof w->text - w->length, format,
                                   arguments);
    va_end(arguments);
    expect_true(w->length < sizeof w->text);
}

static void put_text(struct world *w, bool bytes, struct table_text t)
{
    put(w, bytes ? "b'" : "'");
    for (size_t i = 0; i < t.length; i++) put(w, "\\x%02x", (unsigned char)t.data[i]);
    put(w, "'");
}

static void put_literal(struct world *w, unsigned column)
{
    struct table_cell cell;
    if (chance(w, 3)) {
        put(w, "nil");
        return;
    }
    do random_cell(w, column, &cell); while (cell.null);
    if (w->rows.count && chance(w, 60)) {
        struct table_cell known = w->rows.cells[below(w, w->rows.count) * COLUMNS + column];
        if (!known.null) {
            if (column >= S && column <= N) free((void *)(uintptr_t)cell.text.data);
            cell = known;
            if (column >= S && column <= N) {
                put_text(w, column == N, cell.text);
                return;
            }
        }
    }
    switch (column) {
    case T: put(w, cell.u ? "true" : "false"); break;
    case S:
    case K:
    case N:
        put_text(w, column == N, cell.text);
        free((void *)(uintptr_t)cell.text.data);
        break;
    case X:
    case Y:
        if (isnan(cell.d)) put(w, "nan");
        else if (isinf(cell.d)) put(w, cell.d < 0 ? "-inf" : "inf");
        else put(w, "%.17g", cell.d);
        break;
    case C:
    case D: put(w, "%" PRIu64 "%s", cell.u, chance(w, 10) ? ".5" : ""); break;
    default:
        put(w, "%" PRId64 "%s", cell.i, column < C && chance(w, 10) ? ".5" : "");
        break;
    }
}

static const char *const relations[] = {"=", "!=", "<", "<=", ">", ">="};

void put_predicate(struct world *w, unsigned depth)
{
    unsigned column = (unsigned)below(w, COLUMNS);
    const char *name = world_fields[column].name;
    switch (depth ? below(w, 12) : 4 + below(w, 8)) {
    case 0:
    case 1: {
        put(w, chance(w, 50) ? "['and'" : "['or'");
        for (unsigned i = (unsigned)below(w, 4); i > 0; i--) {
            put(w, ", ");
            put_predicate(w, depth - 1);
        }
        put(w, "]");
        break;
    }
    case 2:
        put(w, "['not', ");
        put_predicate(w, depth - 1);
        put(w, "]");
        break;
    case 3: {
        bool real = chance(w, 50);
        put(w, "['cmp', '%s', ", relations[below(w, 6)]);
        put_expression(w, depth - 1, real);
        put(w, ", ");
        put_expression(w, depth - 1, real);
        put(w, "]");
        break;
    }
    case 4: put(w, "['null', '%s']", name); break;
    case 5:
        put(w, "['between', '%s', ", name);
        put_literal(w, column);
        put(w, ", ");
        put_literal(w, column);
        put(w, "]");
        break;
    case 6:
        put(w, "['in', '%s', [", name);
        if (chance(w, 8)) {
            put(w, "]]");
            break;
        }
        put_literal(w, column);
        for (unsigned i = (unsigned)below(w, 5); i > 0; i--) {
            put(w, ", ");
            put_literal(w, column);
        }
        put(w, "]]");
        break;
    case 7:
        column = (unsigned)(S + below(w, 3));
        put(w, "['%s', '%s', '%s']", chance(w, 50) ? "prefix" : "contains",
            world_fields[column].name, words[below(w, WORDS - 1)]);
        break;
    default:
        put(w, "['%s', '%s', ", relations[below(w, 6)], name);
        put_literal(w, column);
        put(w, "]");
        break;
    }
}

/* A number: a double, or an integer. */
void put_expression(struct world *w, unsigned depth, bool real)
{
    static const char *const whole_columns[] = {"a", "b", "d"};
    static const char *const real_columns[] = {"x", "y"};
    switch (depth ? below(w, 8) : below(w, 3)) {
    case 0:
    case 1:
        put(w, "['col', '%s']", real ? real_columns[below(w, 2)] : whole_columns[below(w, 3)]);
        break;
    case 2:
        if (real) put(w, "['lit', %g]", (double)(int64_t)below(w, 100) / 8 + 0.0625);
        else put(w, "['lit', %d]", (int)below(w, 100) - 30);
        break;
    case 3:
        put(w, "['bucket', ");
        put_expression(w, depth - 1, real);
        put(w, ", %s]", real ? "0.75" : "7");
        break;
    case 4:
        put(w, "['if', ");
        put_predicate(w, depth - 1);
        put(w, ", ");
        put_expression(w, depth - 1, real);
        put(w, ", ");
        put_expression(w, depth - 1, real);
        put(w, "]");
        break;
    case 5:
        put(w, "['cast', ");
        put_expression(w, depth - 1, chance(w, 50));
        put(w, ", '%s']", real ? (chance(w, 50) ? "f64" : "f32") : (chance(w, 80) ? "i64" : "i8"));
        break;
    default: {
        static const char *const ops[] = {"+", "-", "*", "%", "/"};
        put(w, "['%s', ", ops[below(w, real ? 5 : 4)]);
        put_expression(w, depth - 1, real);
        put(w, ", ");
        put_expression(w, depth - 1, real && chance(w, 50));
        put(w, "]");
        break;
    }
    }
}
