/* Random programs on a table, against an array of rows: appends, failing appends, changes,
 * deletions, sealing, compaction, pinned versions and restored ones, memory that is short at
 * random moments, and a collector that steps in between. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "heap/gc.h"
#include "heap/number.h"
#include "heap/table_int.h"
#include "heap/text.h"
#include "tests/support/expect.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

enum { ID, SMALL, BIG, PRICE, RATIO, FLAG, NAME, CITY, BLOB, COLUMNS };

static const struct table_field fields[COLUMNS] = {
    [ID] = {"id", 2, TABLE_TS, false, true},
    [SMALL] = {"small", 5, TABLE_I16, true, false},
    [BIG] = {"big", 3, TABLE_U64, true, false},
    [PRICE] = {"price", 5, TABLE_F64, true, false},
    [RATIO] = {"ratio", 5, TABLE_F32, false, false},
    [FLAG] = {"flag", 4, TABLE_BOOL, true, false},
    [NAME] = {"name", 4, TABLE_STR, true, false},
    [CITY] = {"city", 4, TABLE_SYM, true, false},
    [BLOB] = {"blob", 4, TABLE_BIN, false, false},
};

/* Numbers are their lanes, texts the numbers they are made from. */
struct row {
    uint64_t lanes[COLUMNS];
    uint16_t nulls;
};

struct rows {
    struct row *rows;
    size_t count;
};

#define PINS 3
#define ROWS_MAX (TABLE_CHUNK_ROWS * 5 / 2)
#define BATCH_MAX (TABLE_CHUNK_ROWS / 8)

struct model {
    struct heap *h;
    struct table *t;
    uint64_t random;
    struct rows now;
    uint64_t last_id;
    struct {
        struct table_version *version;
        struct rows rows;
    } pins[PINS];
};

/* --- rows --------------------------------------------------------------------------------------*/

static struct table_text text_of(unsigned column, uint64_t n, char *room)
{
    size_t length;
    switch (column) {
    case CITY: length = (size_t)sprintf(room, "city %" PRIu64, n % 300); break;
    case NAME:
        length = (size_t)(n % 3 ? sprintf(room, "n%u", (unsigned)(n % 40))
                                : sprintf(room, "%" PRIx64, n));
        break;
    default:
        length = n % 50;
        for (size_t i = 0; i < length; i++) room[i] = (char)(n >> i % 8);
    }
    return (struct table_text){room, length};
}

static bool is_text(unsigned column)
{
    return column == NAME || column == CITY || column == BLOB;
}

static uint64_t random_lane(struct model *m, unsigned column)
{
    uint64_t x = random_next(&m->random), kind = random_below(&m->random, 10);
    double d;
    float f;
    uint32_t bits;
    switch (column) {
    case SMALL: return kind ? 500 + x % 64 : (uint64_t)(int64_t)(int16_t)x;
    case BIG: return kind ? x % 100000 : x;
    case PRICE:
        d = (double)(x % 1000000) / 100;
        if (kind) memcpy(&x, &d, sizeof x);
        return x;
    case RATIO:
        f = (float)(x % 1000) / 8;
        if (kind)
            memcpy(&bits, &f, sizeof bits);
        else
            bits = (uint32_t)x;
        return bits;
    case FLAG: return x & 1;
    default: return x;
    }
}

static void make_row(struct model *m, struct row *row)
{
    *row = (struct row){.nulls = 0};
    m->last_id += random_below(&m->random, 1000);
    row->lanes[ID] = m->last_id;
    for (unsigned c = 1; c < COLUMNS; c++) {
        row->lanes[c] = random_lane(m, c);
        if (fields[c].null && random_below(&m->random, 12) == 0) row->nulls |= (uint16_t)(1u << c);
    }
}

static bool is_null(const struct row *row, unsigned column) { return row->nulls >> column & 1; }

static bool cell_is(const struct row *row, unsigned column, const struct table_cell *cell)
{
    char room[64];
    if (cell->null != is_null(row, column)) return false;
    if (cell->null) return true;
    if (is_text(column))
        return text_bytes_compare(cell->text, text_of(column, row->lanes[column], room)) == 0;
    return cell->u == lane_bound(&fields[column], row->lanes[column]).u;
}

/* --- comparing ---------------------------------------------------------------------------------*/

static void check_vector(const struct table_version *v, uint32_t chunk, uint32_t vector,
                         unsigned column, const struct row *rows, const uint64_t *live)
{
    static struct table_text texts[TABLE_VECTOR_ROWS];
    static uint64_t lanes[TABLE_VECTOR_ROWS];
    uint64_t valid[TABLE_VECTOR_WORDS];
    bool plain_texts = column == NAME || column == BLOB;
    uint32_t count = table_read_vector(v, chunk, column, vector,
                                       plain_texts ? (void *)texts : lanes, valid);
    for (uint32_t i = 0; i < count; i++) {
        if (!bit_get(live, i)) continue;
        struct table_cell cell = {.type = fields[column].type, .null = !bit_get(valid, i)};
        if (plain_texts)
            cell.text = texts[i];
        else if (column == CITY && !cell.null)
            cell.text = table_symbol(table_version_table(v), column, (uint32_t)lanes[i]);
        else
            cell.u = lanes[i];
        expect(cell_is(rows++, column, &cell), "chunk %u, vector %u, row %u, column %s", chunk,
               vector, i, fields[column].name);
    }
}

static void check_version(const struct table_version *v, const struct rows *rows)
{
    size_t position = 0;
    expect_equal(table_version_rows(v), rows->count);
    for (uint32_t chunk = 0; chunk < table_version_chunks(v); chunk++)
        for (uint32_t i = 0; i < table_slots_vectors(table_chunk_slots(v, chunk)); i++) {
            uint64_t live[TABLE_VECTOR_WORDS];
            uint32_t count = table_vector_live(v, chunk, i, live);
            for (unsigned column = 0; column < COLUMNS; column++)
                check_vector(v, chunk, i, column, rows->rows + position, live);
            position += count;
        }
    expect_equal(position, rows->count);
}

static void check_cells(struct model *m, const struct table_version *v, const struct rows *rows)
{
    uint32_t chunk, slot;
    expect_true(!table_locate(v, rows->count, &chunk, &slot));
    for (unsigned n = 0; n < 20 && rows->count; n++) {
        uint64_t position = random_below(&m->random, rows->count);
        unsigned column = (unsigned)random_below(&m->random, COLUMNS);
        struct table_cell cell;
        expect_true(table_locate(v, position, &chunk, &slot));
        expect_equal(table_position(v, chunk, slot), position);
        table_cell(v, chunk, slot, column, &cell);
        expect(cell_is(&rows->rows[position], column, &cell), "position %" PRIu64 ", column %s",
               position, fields[column].name);
    }
}

static void random_range(struct model *m, const struct row *row, unsigned column,
                         struct table_range *r)
{
    r->min = lane_bound(&fields[column], row->lanes[column]);
    r->max = lane_bound(&fields[column], random_lane(m, column));
    if (random_below(&m->random, 3) == 0) r->max = r->min;
    if (bound_compare(table_type_class(fields[column].type), r->min, r->max) <= 0) return;
    union table_bound swap = r->min;
    r->min = r->max;
    r->max = swap;
}

/* What ranges, sums, extremes and zones say of a vector, against its cells one by one. */
static void check_one_range(const struct table_version *v, uint32_t chunk, uint32_t vector,
                            unsigned column, const struct table_range *r)
{
    enum table_class class = table_type_class(fields[column].type);
    uint64_t selected[TABLE_VECTOR_WORDS], all[TABLE_VECTOR_WORDS];
    struct table_zone zone;
    struct table_sum sum = {.count = 0};
    struct table_extremes extremes = {.count = 0};
    uint32_t rows = vector_rows(table_chunk_slots(v, chunk), vector), nulls = 0;
    __int128 expected = 0;
    uint32_t count = table_select_range(v, chunk, column, vector, r, selected), found = 0;
    table_vector_zone(v, chunk, column, vector, &zone);
    bitmap_first(all, TABLE_VECTOR_ROWS);
    table_sum_vector(v, chunk, column, vector, all, &sum);
    table_extremes_vector(v, chunk, column, vector, all, &extremes);
    for (uint32_t i = 0; i < TABLE_VECTOR_ROWS; i++) {
        struct table_cell cell = {.null = true};
        if (i < rows) table_cell(v, chunk, vector * TABLE_VECTOR_ROWS + i, column, &cell);
        union table_bound x = {.u = cell.u};
        bool wanted = !cell.null && bound_compare(class, r->min, x) <= 0 &&
                      bound_compare(class, x, r->max) <= 0;
        expect(bit_get(selected, i) == wanted, "row %u of column %s, %s", i, fields[column].name,
               table_encoding_name(table_vector_encoding(v, chunk, column, vector)));
        found += wanted;
        nulls += i < rows && cell.null;
        if (cell.null) continue;
        expect_true(zone.known && bound_compare(class, zone.min, x) <= 0 &&
                    bound_compare(class, x, zone.max) <= 0);
        expect_true(bound_compare(class, extremes.min, x) <= 0 &&
                    bound_compare(class, x, extremes.max) <= 0);
        expected += class == TABLE_CLASS_INT ? (__int128)cell.i : (__int128)cell.u;
    }
    expect_equal(count, found);
    expect_equal(zone.nulls, nulls);
    expect_equal(sum.count, rows - nulls);
    expect_true(class == TABLE_CLASS_FLOAT || sum.integer == expected);
}

static void check_ranges(struct model *m, const struct table_version *v, const struct rows *rows)
{
    static const unsigned columns[] = {ID, SMALL, BIG, PRICE, RATIO, FLAG};
    for (unsigned n = 0; n < 3 && rows->count; n++) {
        uint64_t position = random_below(&m->random, rows->count);
        unsigned column = columns[random_below(&m->random, 6)];
        struct table_range r;
        uint32_t chunk, slot;
        random_range(m, &rows->rows[position], column, &r);
        expect_true(table_locate(v, position, &chunk, &slot));
        check_one_range(v, chunk, slot / TABLE_VECTOR_ROWS, column, &r);
    }
}

static void check_now(struct model *m)
{
    struct table_version *v = table_pin(m->t);
    check_version(v, &m->now);
    table_unpin(v);
}

/* --- appending ---------------------------------------------------------------------------------*/

/* The same as values. */
static int append_values(struct model *m, struct table_append *a, unsigned column,
                         const struct row *rows, size_t count, struct table_error *error)
{
    static value cells[BATCH_MAX];
    size_t made = 0;
    int failed = 0;
    for (; made < count; made++) {
        struct table_cell cell = {.type = fields[column].type};
        char room[64];
        cell.null = is_null(&rows[made], column);
        if (is_text(column))
            cell.text = text_of(column, rows[made].lanes[column], room);
        else
            cell.u = lane_bound(&fields[column], rows[made].lanes[column]).u;
        cells[made] = table_cell_to_value(m->h, &cell);
        if (cells[made] == VALUE_ABSENT) break;
    }
    if (made == count)
        failed = table_append_values(a, column, count, cells, 1, error);
    else
        failed = -ENOMEM;
    while (made > 0) value_release(m->h, cells[--made]);
    return failed;
}

static int append_column(struct model *m, struct table_append *a, unsigned column,
                         const struct row *rows, size_t count, struct table_error *error)
{
    static struct table_text texts[BATCH_MAX];
    static char room[BATCH_MAX][64];
    static unsigned char raw[BATCH_MAX * 8];
    static uint8_t valid[BATCH_MAX / 8 + 2];
    size_t bytes = table_type_bytes(fields[column].type), offset = random_below(&m->random, 8);
    /* A signalling NaN of a float would not survive being a double. */
    if (column != RATIO && random_below(&m->random, 2))
        return append_values(m, a, column, rows, count, error);
    if (is_text(column)) {
        for (size_t i = 0; i < count; i++) {
            texts[i] = text_of(column, rows[i].lanes[column], room[i]);
            if (is_null(&rows[i], column)) texts[i].data = NULL;
        }
        return table_append_texts(a, column, count, texts, error);
    }
    memset(valid, 0, sizeof valid);
    for (size_t i = 0; i < count; i++) {
        memcpy(raw + i * bytes, &rows[i].lanes[column], bytes);
        uint8_t bit = (uint8_t)(1u << (offset + i) % 8);
        if (!is_null(&rows[i], column)) valid[(offset + i) / 8] |= bit;
    }
    const uint8_t *bits = fields[column].null ? valid : NULL;
    return table_append_raw(a, column, count, raw, bits, offset, error);
}

static int append_rows(struct model *m, const struct row *rows, size_t count,
                       struct table_error *error)
{
    struct table_append a;
    uint64_t first;
    int failed = table_append_begin(m->t, count, &a, error);
    if (failed) return failed;
    for (unsigned c = 0; c < COLUMNS && !failed; c++) {
        size_t part = count / 2; /* a column may come in parts */
        failed = append_column(m, &a, c, rows, part, error);
        if (!failed) failed = append_column(m, &a, c, rows + part, count - part, error);
    }
    if (!failed) failed = table_append_commit(&a, &first, error);
    if (!failed)
        expect_equal(first, m->now.count);
    else
        table_append_abort(&a);
    return failed;
}

static void op_append(struct model *m)
{
    static struct row batch[BATCH_MAX];
    size_t count = 1 + random_below(&m->random, random_below(&m->random, 3) ? BATCH_MAX : 10);
    uint64_t before = m->last_id;
    struct table_error error = {.fault = TABLE_FAULT_NONE};
    if (m->now.count + count > ROWS_MAX) return;
    for (size_t i = 0; i < count; i++) make_row(m, &batch[i]);
    bool wrong = random_below(&m->random, 12) == 0 && before > 0 && count > 1;
    size_t bad = wrong ? 1 + random_below(&m->random, count - 1) : 0;
    if (wrong) batch[bad].lanes[ID] = batch[bad - 1].lanes[ID] - 1;
    int failed = append_rows(m, batch, count, &error);
    if (failed) {
        m->last_id = before;
        expect_true(failed == -ENOMEM ||
                    (wrong && error.fault == TABLE_FAULT_ORDER && error.row == bad));
        return;
    }
    expect_true(!wrong);
    memcpy(m->now.rows + m->now.count, batch, count * sizeof *batch);
    m->now.count += count;
}

/* --- changing ----------------------------------------------------------------------------------*/

static void op_set(struct model *m)
{
    uint64_t count = random_below(&m->random, 4) ? 1 : 400, at = random_next(&m->random);
    for (uint64_t n = 0; n < count && m->now.count; n++) {
        uint64_t position = (at + n) % m->now.count;
        unsigned column = 1 + (unsigned)random_below(&m->random, COLUMNS - 1);
        if (count > 1) column = 1 + (unsigned)(at % (COLUMNS - 1));
        uint32_t chunk, slot;
        char room[64];
        struct row row = m->now.rows[position];
        struct table_cell cell = {.type = fields[column].type};
        row.lanes[column] = random_lane(m, column);
        cell.null = fields[column].null && random_below(&m->random, 6) == 0;
        row.nulls = (uint16_t)((row.nulls & ~(1u << column)) | (unsigned)cell.null << column);
        if (is_text(column))
            cell.text = text_of(column, row.lanes[column], room);
        else
            cell.u = lane_bound(&fields[column], row.lanes[column]).u;
        /* A float goes through a double here, which quiets a signalling NaN. */
        if (column == RATIO) row.lanes[column] = cell_lane(&fields[column], &cell);
        expect_true(table_locate(m->t->current, position, &chunk, &slot));
        int failed = table_set(m->t, chunk, slot, column, &cell, NULL);
        expect_true(failed == 0 || failed == -ENOMEM);
        if (!failed) m->now.rows[position] = row;
    }
}

static void op_delete(struct model *m)
{
    uint64_t count = random_below(&m->random, 5) ? 1 : random_below(&m->random, BATCH_MAX * 2);
    if (!m->now.count) return;
    uint64_t position = random_below(&m->random, m->now.count), done = 0;
    for (; done < count && position + done < m->now.count; done++) {
        uint32_t chunk, slot;
        bool changed;
        expect_true(table_locate(m->t->current, position, &chunk, &slot));
        if (table_delete(m->t, chunk, slot, &changed, NULL) != 0) break;
        expect_true(changed);
        expect_true(table_delete(m->t, chunk, slot, &changed, NULL) == 0 && !changed);
    }
    memmove(m->now.rows + position, m->now.rows + position + done,
            (m->now.count - position - done) * sizeof *m->now.rows);
    m->now.count -= done;
}

static void op_work(struct model *m)
{
    static const uint64_t most[] = {3, 30, 300};
    uint64_t steps = random_below(&m->random, most[random_below(&m->random, 3)]);
    uint64_t budget = random_below(&m->random, 4) == 0 ? 100000 : 0;
    if (random_below(&m->random, 4) == 0) table_close_tail(m->t);
    if (random_below(&m->random, 3)) tables_note_quiet(m->h);
    if (random_below(&m->random, 4) == 0) table_drop_step(m->t, budget);
    bool all = random_below(&m->random, 3) == 0, seal = random_below(&m->random, 3);
    for (uint64_t i = 0; i < steps; i++) {
        int more = seal ? table_seal_step(m->t, budget) : table_compact_step(m->t, all, budget);
        expect_true(more == 1 || more == 0 || more == -ENOMEM);
        if (more <= 0) break;
    }
}

/* --- versions ----------------------------------------------------------------------------------*/

static void pin_or_unpin(struct model *m, unsigned i)
{
    if (m->pins[i].version) {
        check_version(m->pins[i].version, &m->pins[i].rows);
        if (random_below(&m->random, 4) == 0) { /* the table goes back to it */
            table_restore(m->t, m->pins[i].version);
            memcpy(m->now.rows, m->pins[i].rows.rows, m->pins[i].rows.count * sizeof(struct row));
            m->now.count = m->pins[i].rows.count;
        }
        table_unpin(m->pins[i].version);
        free(m->pins[i].rows.rows);
        m->pins[i].version = NULL;
        return;
    }
    m->pins[i].version = table_pin(m->t);
    m->pins[i].rows.count = m->now.count;
    m->pins[i].rows.rows = malloc((m->now.count + 1) * sizeof(struct row));
    memcpy(m->pins[i].rows.rows, m->now.rows, m->now.count * sizeof(struct row));
}

static void op_pin(struct model *m)
{
    pin_or_unpin(m, (unsigned)random_below(&m->random, PINS));
}

static void op_check(struct model *m)
{
    check_now(m);
    heap_fixture_verify(m->h, "after a check");
}

static void run(uint64_t seed, unsigned operations)
{
    static void (*const ops[])(struct model *) = {
        op_append, op_append, op_append, op_set,  op_set,  op_set,
        op_delete, op_work,   op_work,   op_work, op_work, op_pin,
    };
    struct model m = {.h = heap_fixture_open(0), .random = seed};
    value v;
    ck_assert_int_eq(table_create(m.h, fields, COLUMNS, &v, NULL), 0);
    heap_root_set_take(m.h, ROOT_KEYS, v);
    m.t = table_of(m.h, v);
    m.now.rows = calloc(ROWS_MAX, sizeof(struct row));
    for (unsigned i = 0; i < operations; i++) {
        if (random_below(&m.random, 6) == 0) heap_fail_nth(m.h, 1 + random_below(&m.random, 40));
        ops[random_below(&m.random, sizeof ops / sizeof *ops)](&m);
        heap_fail_nth(m.h, 0);
        check_cells(&m, m.t->current, &m.now);
        check_ranges(&m, m.t->current, &m.now);
        if (random_below(&m.random, 30) == 0) op_check(&m);
        heap_fixture_jitter(m.h, &m.random);
        if (i == operations * 3 / 4) { /* let it shrink and close up */
            while (m.now.count > 100) op_delete(&m);
            while (table_compact_step(m.t, true, 1000000) == 1) continue;
            op_check(&m);
        }
    }
    while (table_seal_step(m.t, 1000000) == 1) continue;
    op_check(&m);
    for (unsigned i = 0; i < PINS; i++)
        if (m.pins[i].version) pin_or_unpin(&m, i);
    free(m.now.rows);
    heap_fixture_close(m.h);
}

START_TEST(random_programs_agree_with_an_array_of_rows)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("model", 4);
    while (seeds_next(&seeds, &seed)) run(seed, 400);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("table model");
    TCase *model = seeds_tcase("model");
    tcase_add_test(model, random_programs_agree_with_an_array_of_rows);
    suite_add_tcase(suite, model);
    return suite;
}
