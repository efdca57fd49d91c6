/* test_packed_rows.c - rows of table.append that are read from their MessagePack, against the same
 * rows as values: sessions with extension types get those. */
#include "server/packed_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

static struct in_process p;

static void setup(void) { ask_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

/* --- a model -----------------------------------------------------------------------------------*/

#define COLUMNS_MAX 20
static const char *const types[] = {"i8",  "i16",  "i32", "i64", "u8",  "u16",  "u32", "u64",
                                    "f32", "f64", "bool", "str", "sym", "bin", "date", "ts"};
#define TYPES (sizeof types / sizeof *types)

struct model {
    uint64_t random;
    unsigned columns;
    unsigned type[COLUMNS_MAX];
    bool null[COLUMNS_MAX];
    unsigned order[COLUMNS_MAX]; /* of fields in maps */
};

static uint64_t below(struct model *m, uint64_t n) { return random_below(&m->random, n); }

static void put_byte(struct writer *w, unsigned byte)
{
    char c = (char)byte;
    writer_bytes(w, &c, 1);
}

static void put_number(struct writer *w, unsigned first, uint64_t number, unsigned bytes)
{
    put_byte(w, first);
    while (bytes > 0) put_byte(w, (unsigned)(number >> 8 * --bytes) & 0xff);
}

/* An integer of up to `bits` bits, in any encoding that holds it. */
static void put_integer(struct model *m, struct writer *w, unsigned bits, bool is_signed)
{
    uint64_t u = random_next(&m->random) >> (64 - bits) >> below(m, bits);
    int64_t i = (int64_t)(u << (64 - bits)) >> (64 - bits);
    if (is_signed) u = (uint64_t)i;
    bool wide = below(m, 3) == 0;
    if (below(m, 12) == 0 && bits < 33) writer_double(w, is_signed ? (double)i : (double)u);
    else if (wide && is_signed) put_number(w, 0xd3, u, 8);
    else if (wide) put_number(w, 0xcf, u, 8);
    else if (is_signed) writer_int(w, i);
    else writer_uint(w, u);
}

static void put_real(struct model *m, struct writer *w)
{
    double d = (double)(int64_t)random_next(&m->random) * 0x1p-40;
    float f = (float)d;
    uint32_t half;
    memcpy(&half, &f, sizeof half);
    switch (below(m, 6)) {
    case 0: writer_int(w, (int64_t)below(m, 2000) - 1000); break;
    case 1: writer_int(w, ((int64_t)1 << 53) - (int64_t)below(m, 2) * 2); break;
    case 2: writer_int(w, -((int64_t)1 << (50 + below(m, 4)))); break;
    case 3: put_number(w, 0xca, half, 4); break;
    default: writer_double(w, d);
    }
}

static void put_text(struct model *m, struct writer *w, bool is_bin, bool few)
{
    static char bytes[20000];
    size_t length = below(m, few ? 12 : 40);
    if (!few && below(m, 30) == 0) length = below(m, sizeof bytes);
    char c = (char)('a' + below(m, few ? 4 : 26));
    memset(bytes, c, length);
    if (length > 3 && below(m, 4) == 0) memcpy(bytes + length - 2, "\xc3\xa9", 2);
    if (is_bin) writer_bin(w, bytes, length);
    else writer_str(w, bytes, length);
}

static void put_good(struct model *m, struct writer *w, unsigned column)
{
    unsigned type = m->type[column];
    if (m->null[column] && below(m, 5) == 0) writer_nil(w);
    else if (type < 8) put_integer(m, w, 8u << (type & 3), type < 4);
    else if (type < 10) put_real(m, w);
    else if (type == 10) writer_bool(w, below(m, 2));
    else if (type < 14) put_text(m, w, type == 13 && below(m, 2), type == 12);
    else put_integer(m, w, type == 14 ? 32 : 64, true);
}

/* Something that may well not fit. */
static void put_odd(struct model *m, struct writer *w)
{
    static char large[70000];
    switch (below(m, 16)) {
    case 0: writer_nil(w); break;
    case 1: writer_array(w, 0); break;
    case 2: writer_array(w, 2), writer_array(w, 1), writer_int(w, 1), writer_nil(w); break;
    case 3: writer_map(w, 1), writer_cstr(w, "a"), writer_map(w, 0); break;
    case 4: writer_ext(w, 40, "abc", below(m, 4)); break;
    case 5: writer_str(w, "\xff\xfe", 2); break;
    case 6: writer_bin(w, "bytes", 5); break;
    case 7: writer_uint(w, UINT64_MAX - below(m, 2)); break;
    case 8: writer_int(w, INT64_MIN); break;
    case 9: writer_double(w, 2.5); break;
    case 10: writer_double(w, 1e300); break;
    case 11: writer_int(w, ((int64_t)1 << 53) + 1); break;
    case 12: memset(large, 'x', sizeof large), writer_str(w, large, sizeof large); break;
    case 13: memset(large, 0xff, sizeof large), writer_str(w, large, sizeof large); break;
    case 14: writer_bool(w, true); break;
    default: writer_cstr(w, "a text that is not so short");
    }
}

static void put_name(struct writer *w, unsigned column)
{
    char name[40];
    writer_str(w, name, (size_t)sprintf(name, "%sname of column %u", column % 3 ? "" : "a longer ",
                                        column));
}

static void put_map(struct model *m, struct writer *w, unsigned odd)
{
    struct writer fields;
    unsigned count = 0, unknown = odd == m->columns && below(m, 2);
    writer_init(&fields, 0);
    if (below(m, 4) == 0) {
        unsigned a = (unsigned)below(m, m->columns), b = (unsigned)below(m, m->columns);
        unsigned kept = m->order[a];
        m->order[a] = m->order[b];
        m->order[b] = kept;
    }
    for (unsigned i = 0; i < m->columns; i++) {
        unsigned column = m->order[i];
        if (column != odd && m->null[column] && below(m, 4) == 0) continue;
        if (odd == m->columns && below(m, m->columns) == 0) continue;
        put_name(&fields, column);
        column == odd ? put_odd(m, &fields) : put_good(m, &fields, column);
        count++;
    }
    if (unknown) {
        if (below(m, 4) == 0) writer_int(&fields, 7);
        else writer_cstr(&fields, "unknown");
        writer_nil(&fields);
    }
    writer_map(w, count + unknown);
    writer_bytes(w, fields.data, fields.length);
    writer_close(&fields);
}

/* `odd`: the column of a cell that may not fit; m->columns: the row may not; above: all fits. */
static void put_row(struct model *m, struct writer *w, unsigned odd)
{
    if (odd == m->columns && below(m, 3) == 0) {
        put_odd(m, w);
        return;
    }
    if (below(m, 3) == 0) {
        put_map(m, w, odd);
        return;
    }
    unsigned count = m->columns;
    if (odd == m->columns) count += (unsigned)below(m, 3) - 1;
    writer_array(w, count);
    for (unsigned i = 0; i < count; i++)
        i == odd || i >= m->columns ? put_odd(m, w) : put_good(m, w, i);
}

static void put_request(struct model *m, struct writer *w)
{
    uint64_t rows = below(m, 4) ? below(m, 20) : below(m, 1500);
    uint64_t wrong = below(m, 2) ? below(m, rows + 1) : rows;
    writer_array(w, 2);
    writer_cstr(w, "t");
    writer_map(w, 1);
    writer_cstr(w, "rows");
    writer_array(w, rows);
    for (uint64_t i = 0; i < rows; i++)
        put_row(m, w, i == wrong ? (unsigned)below(m, m->columns + 1) : UINT32_MAX);
}

static void make_table(struct model *m, struct in_process *session)
{
    char schema[2000], *at = schema;
    at += sprintf(at, "'t', [");
    for (unsigned i = 0; i < m->columns; i++)
        at += sprintf(at, "%s['%sname of column %u', '%s', {'null': %s}]", i ? ", " : "",
                      i % 3 ? "" : "a longer ", i, types[m->type[i]],
                      m->null[i] ? "true" : "false");
    sprintf(at, "]");
    ASK(session, "table.create", schema, "true");
}

/* As ask_bytes, in pieces. The answer is the caller's. */
static char *append(struct in_process *session, const struct writer *params, struct model *cuts)
{
    struct writer w;
    size_t used;
    writer_init(&w, 0);
    writer_array(&w, 4);
    writer_int(&w, 0);
    writer_int(&w, 1);
    writer_cstr(&w, "table.append");
    writer_bytes(&w, params->data, params->length);
    writer_rewind(&session->out, 0);
    for (size_t at = 0; at < w.length;) {
        size_t n = cuts ? 1 + below(cuts, below(cuts, 3) ? 20000 : 12) : w.length;
        if (n > w.length - at) n = w.length - at;
        char *piece = malloc(n);
        memcpy(piece, w.data + at, n);
        ck_assert_int_eq(in_process_feed(session, piece, n), 0);
        free(piece);
        at += n;
    }
    writer_close(&w);
    char *answer = literal_read(session->out.data, session->out.length, &used);
    ck_assert_uint_eq(used, session->out.length);
    writer_rewind(&session->out, 0);
    return answer;
}

static void run_program(uint64_t seed)
{
    struct in_process q;
    struct model m = {.random = seed};
    in_process_open(&p, 0);
    in_process_open(&q, 0);
    m.columns = 1 + (unsigned)below(&m, COLUMNS_MAX);
    for (unsigned i = 0; i < m.columns; i++) {
        m.type[i] = (unsigned)below(&m, TYPES);
        m.null[i] = below(&m, 2);
        m.order[i] = i;
    }
    make_table(&m, &p);
    make_table(&m, &q);
    ASK_HAS(&q, "hello", "{'ext': true}", "'ext': true");
    p.seed = below(&m, 4) ? 0 : seed;
    for (int i = 0; i < 12; i++) {
        struct writer w;
        writer_init(&w, 0);
        put_request(&m, &w);
        char *packed = append(&p, &w, below(&m, 2) ? &m : NULL), *values = append(&q, &w, NULL);
        ck_assert_msg(strcmp(packed, values) == 0, "%.300s\n  as values: %.300s", packed, values);
        free(packed);
        free(values);
        writer_close(&w);
    }
    ask_extensions(&p, true); /* for integers above int64 */
    char *expected = strdup(ask(&q, "table.scan", "'t', {'batch': {'rows': 100000}}"));
    const char *got = ask(&p, "table.scan", "'t', {'batch': {'rows': 100000}}");
    size_t same = 0;
    while (got[same] == expected[same] && got[same] != 0) same++;
    ck_assert_msg(got[same] == expected[same], "%.100s\n  as values: %.100s",
                  got + same, expected + same);
    free(expected);
    in_process_close(&q);
    in_process_close(&p);
}

START_TEST(packed_rows_are_the_rows_that_values_are)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("model", 60);
    while (seeds_next(&seeds, &seed)) run_program(seed);
}
END_TEST

/* --- cuts, faults, others ----------------------------------------------------------------------*/

#define SCHEMA                                                                                   \
    "'t', [['i', 'i64'], ['s', 'str', {'null': true}], ['y', 'sym'], ['d', 'f64'], ['b', 'bin']]"
#define ROWS                                                                                     \
    "[[1, 'a text of more than thirty-two bytes', 'red', 0.5, b'\\x00\\x01'], "                  \
    "{'d': 7, 'i': 70000, 'b': 'x', 'y': 'green'}, [-40000, 'c', 'red', -1.5, '']]"
#define RECORDS                                                                                  \
    "[{'i': 1, 's': 'a text of more than thirty-two bytes', 'y': 'red', 'd': 0.5, "              \
    "'b': b'\\x00\\x01'}, {'i': 70000, 's': nil, 'y': 'green', 'd': 7.0, 'b': b'x'}, "           \
    "{'i': -40000, 's': 'c', 'y': 'red', 'd': -1.5, 'b': b''}]"

static void request(struct writer *w, const char *rows)
{
    char *params = malloc(strlen(rows) + 40);
    sprintf(params, "0, 1, 'table.append', ['t', {'rows': %s}]", rows);
    writer_init(w, 0);
    writer_array(w, 4);
    struct writer items;
    writer_init(&items, 0);
    ck_assert_uint_eq(literal_write(&items, params), 4);
    writer_bytes(w, items.data, items.length);
    writer_close(&items);
    free(params);
}

START_TEST(a_request_may_be_cut_anywhere)
{
    struct writer w;
    request(&w, ROWS);
    for (size_t cut = 0; cut <= w.length; cut++) {
        ASK(&p, "table.create", SCHEMA, "true");
        if (cut == 0)
            for (size_t i = 0; i < w.length; i++)
                ck_assert_int_eq(in_process_feed(&p, w.data + i, 1), 0);
        if (cut > 0) ck_assert_int_eq(in_process_feed(&p, w.data, cut), 0);
        if (cut > 0) ck_assert_int_eq(in_process_feed(&p, w.data + cut, w.length - cut), 0);
        ck_assert_int_eq(p.outcome, CALL_DONE);
        ASK(&p, "get", "'t'", RECORDS);
        ASK(&p, "del", "'t'", "1");
    }
    writer_close(&w);
}
END_TEST

START_TEST(any_allocation_may_fail)
{
    struct writer w;
    unsigned failures = 0;
    request(&w, ROWS);
    ASK(&p, "table.create", SCHEMA, "true");
    for (uint64_t n = 1;; n++) {
        heap_fail_nth(p.heap, n);
        ck_assert_int_eq(in_process_feed(&p, w.data, w.length), 0);
        heap_fail_nth(p.heap, 0);
        if (p.outcome == CALL_DONE) break;
        failures++;
        in_process_verify(&p);
        ASK(&p, "len", "'t'", "0");
    }
    ck_assert_uint_gt(failures, 3);
    ASK(&p, "get", "'t'", RECORDS);
    writer_close(&w);
}
END_TEST

START_TEST(what_becomes_of_the_table_meanwhile)
{
    static const char *const changes[][4] = {
        {"del", "'t'", "1", "! NOT_FOUND table.append: "},
        {"rename", "'t', 'u'", "true", "! NOT_FOUND table.append: "},
        {"table.alter", "'t', [['drop', 'b']]", "true",
         "! BAD_PARAMS table.append: row 0 has 5 cells; the table has 4 columns"},
        {"table.alter", "'t', [['type', 'd', 'i8']]", "true",
         "! WRONG_TYPE table.append: row 0, column \"d\": 0.5 is not of type i8"},
        {"set", "'t', 1", "true", "! WRONG_TYPE table.append: "},
    };
    struct in_process q;
    struct writer w;
    size_t used;
    request(&w, ROWS);
    in_process_join(&q, &p);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        ask(&p, "del", "'t'");
        ASK(&p, "table.create", SCHEMA, "true");
        writer_rewind(&p.out, 0);
        ck_assert_int_eq(in_process_feed(&p, w.data, 70), 0);
        ASK(&q, changes[i][0], changes[i][1], changes[i][2]);
        ck_assert_int_eq(in_process_feed(&p, w.data + 70, w.length - 70), 0);
        char *answer = literal_read(p.out.data, p.out.length, &used), begins[100];
        sprintf(begins, "[1, 1, '%s", changes[i][3] + 2);
        ck_assert_msg(strncmp(answer, begins, strlen(begins)) == 0, "%s", answer);
        free(answer);
    }
    writer_close(&w);
    in_process_end(&q);
}
END_TEST

START_TEST(the_last_rows_count)
{
    ASK(&p, "table.create", "'t', [['i', 'i64']]", "true");
    ASK_BEGINS(&p, "table.append", "'t', {'rows': [[1]], 'rows': b'\\xdd\\x00\\x00\\x00\\x00'}",
               "! BAD_PARAMS table.append: rows must be a list of lists or maps, not bytes");
    ASK_BEGINS(&p, "table.append", "'t', {'rows': b'\\xdd\\x00\\x00\\x00\\x00'}",
               "! BAD_PARAMS table.append: rows must be a list of lists or maps, not bytes");
    ASK(&p, "table.append", "'t', {'rows': 5, 'rows': [[1], [2]]}", "{'first': 0, 'n': 2}");
    ASK(&p, "table.append", "'t', {'rows': [[7], [8]], b'rows': [[3]]}", "{'first': 2, 'n': 1}");
    ASK(&p, "table.append", "'t', {'rows': [[4]], 'n': nil}", "{'first': 3, 'n': 1}");
    ASK(&p, "table.append", "'t', {'rows': []}", "{'first': 4, 'n': 0}");
    ASK(&p, "get", "'t'", "[{'i': 1}, {'i': 2}, {'i': 3}, {'i': 4}]");
    /* Elsewhere it is an option like others, or a value. */
    ASK_BEGINS(&p, "table.append", "{'rows': [[1]]}, {'rows': [[1]]}", "! BAD_");
    ASK_BEGINS(&p, "table.append", "'t', {'cols': {'rows': [[1]]}}", "! NOT_FOUND");
    ASK(&p, "ping", "{'rows': [[1]]}", "{'rows': [[1]]}");
}
END_TEST

/* The text keeps the row within one window: its cells are read the fast way. */
START_TEST(doubles_take_no_integers_that_they_do_not_hold)
{
    static const struct {
        uint64_t bits;
        bool negative;
        const char *answer; /* its beginning, or the cell */
    } cases[] = {
        {UINT64_MAX, false, "! OUT_OF_RANGE table.append: row 0, column \"d\": 1844674"},
        {UINT64_MAX - 4, false, "! OUT_OF_RANGE table.append: row 0, column \"d\": 1844674"},
        {((uint64_t)1 << 53) + 1, false, "! OUT_OF_RANGE table.append: row 0, column \"d\": 9007"},
        {-(((uint64_t)1 << 53) + 1), true, "! OUT_OF_RANGE table.append: row 0, column \"d\": -90"},
        {-((uint64_t)1 << 53), false, "1.843773687445481e+19"},
        {(uint64_t)1 << 63, false, "9.223372036854776e+18"},
        {(uint64_t)1 << 53, false, "9007199254740992.0"},
        {-((uint64_t)1 << 53), true, "-9007199254740992.0"},
        {-(uint64_t)1, true, "-1.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct writer w;
        writer_init(&w, 0);
        ASK(&p, "table.create", "'t', [['d', 'f64'], ['s', 'str']]", "true");
        writer_array(&w, 2);
        writer_cstr(&w, "t");
        writer_map(&w, 1);
        writer_cstr(&w, "rows");
        writer_array(&w, 1);
        writer_array(&w, 2);
        put_number(&w, cases[i].negative ? 0xd3 : 0xcf, cases[i].bits, 8);
        writer_cstr(&w, "a text that is long enough to keep the other cells from the end");
        const char *answer = ask_bytes(&p, "table.append", &w);
        if (*cases[i].answer == '!') {
            ck_assert_msg(strncmp(answer, cases[i].answer, strlen(cases[i].answer)) == 0, "%s",
                          answer);
            ASK(&p, "len", "'t'", "0");
        } else {
            ck_assert_str_eq(answer, "{'first': 0, 'n': 1}");
            ASK(&p, "get", "['t', 0, 'd']", cases[i].answer);
        }
        writer_close(&w);
        ASK(&p, "del", "'t'", "1");
    }
}
END_TEST

START_TEST(errors_tell_row_column_and_value)
{
    static const char *const cases[][2] = {
        {"[[1, nil, 'r', 0.5, ''], [2, 5, 'r', 0.5, '']]",
         "! WRONG_TYPE table.append: row 1, column \"s\": 5 is not of type str"},
        {"[['one', nil, 'r', 0.5, '']]",
         "! WRONG_TYPE table.append: row 0, column \"i\": \"one\" is not of type i64"},
        {"[[18446744073709551615, nil, 'r', 0.5, '']]",
         "! OUT_OF_RANGE table.append: row 0, column \"i\": 18446744073709551615 is beyond what "
         "type i64 holds"},
        {"[[1, nil, nil, 0.5, '']]",
         "! WRONG_TYPE table.append: row 0, column \"y\": nil in a column without nulls"},
        {"[[1, '\\xff', 'r', 0.5, '']]",
         "! WRONG_TYPE table.append: row 0, column \"s\": 1 bytes are no text"},
        {"[[1, nil, '\\xff', 0.5, '']]",
         "! WRONG_TYPE table.append: row 0, column \"y\": 1 bytes are no text"},
        {"[[1, b'ok', 'r', 0.5, '']]",
         "! WRONG_TYPE table.append: row 0, column \"s\": 2 bytes are no text"},
        {"[[1, [2, [3]], 'r', 0.5, '']]",
         "! WRONG_TYPE table.append: row 0, column \"s\": a list is not of type str"},
        {"[[1, nil, 'r', 9007199254740993, '']]",
         "! OUT_OF_RANGE table.append: row 0, column \"d\": 9007199254740993 is an integer that"},
        {"[{'i': 1, 'y': 'r', 'd': 0.5, 'b': ''}, {'i': 1, 'y': 'r', 'd': 0.5}]",
         "! WRONG_TYPE table.append: row 1, column \"b\": nil in a column without nulls"},
        {"[{'i': 1, 'i': 2}]", "! BAD_PARAMS table.append: row 0 has the field \"i\" twice"},
        {"[{'i': 1, 'x': 2}]",
         "! NOT_FOUND table.append: row 0: the table has no column \"x\"; table.schema lists"},
        {"[{[]: 1}]", "! BAD_PARAMS table.append: row 0 has a field whose name is a list"},
        {"[[1]]", "! BAD_PARAMS table.append: row 0 has 1 cells; the table has 5 columns"},
        {"['row']",
         "! BAD_PARAMS table.append: row 0 must be a list of 5 cells, or a map, not a string"},
        {"[<40:0a>]", "! BAD_PARAMS table.append: row 0 must be a list of 5 cells, or a map, not "},
        {"[[1, <1:0a>, 'r', 0.5, '']]", "! NEEDS_EXT table.append: "},
    };
    ASK(&p, "table.create", SCHEMA, "true");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char params[300];
        sprintf(params, "'t', {'rows': %s}", cases[i][0]);
        ASK_BEGINS(&p, "table.append", params, cases[i][1]);
    }
    ASK(&p, "len", "'t'", "0");
}
END_TEST

START_TEST(long_texts_have_their_limit)
{
    static const size_t lengths[] = {TABLE_TEXT_BYTES_MAX, TABLE_TEXT_BYTES_MAX + 1};
    p.seed = 0;
    ASK(&p, "table.create", "'t', [['s', 'str'], ['y', 'sym'], ['i', 'i8']]", "true");
    for (unsigned column = 0; column < 3; column++) {
        for (unsigned over = 0; over < 2; over++) {
            struct writer w;
            char *text = malloc(lengths[over]);
            memset(text, 'x', lengths[over]);
            writer_init(&w, 0);
            writer_array(&w, 2);
            writer_cstr(&w, "t");
            writer_map(&w, 1);
            writer_cstr(&w, "rows");
            writer_array(&w, 1);
            writer_array(&w, 3);
            for (unsigned i = 0; i < 3; i++) {
                if (i == column) writer_str(&w, text, lengths[over]);
                else if (i == 2) writer_int(&w, 1);
                else writer_cstr(&w, "short");
            }
            const char *answer = ask_bytes(&p, "table.append", &w);
            const char *begins = over          ? "! LIMIT table.append: row 0, column "
                                 : column == 2 ? "! WRONG_TYPE table.append: row 0, column \"i\""
                                               : "{'first': ";
            ck_assert_msg(strncmp(answer, begins, strlen(begins)) == 0, "%s", answer);
            writer_close(&w);
            free(text);
        }
    }
    ASK(&p, "len", "'t'", "2");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("packed_rows");
    TCase *tcase = tcase_create("packed rows");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_request_may_be_cut_anywhere);
    tcase_add_test(tcase, any_allocation_may_fail);
    tcase_add_test(tcase, what_becomes_of_the_table_meanwhile);
    tcase_add_test(tcase, the_last_rows_count);
    tcase_add_test(tcase, doubles_take_no_integers_that_they_do_not_hold);
    tcase_add_test(tcase, errors_tell_row_column_and_value);
    tcase_add_test(tcase, long_texts_have_their_limit);
    suite_add_tcase(suite, tcase);
    TCase *model = seeds_tcase("model");
    tcase_add_test(model, packed_rows_are_the_rows_that_values_are);
    suite_add_tcase(suite, model);
    return suite;
}
