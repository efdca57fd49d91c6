/* test_table_arrow_bounds.c - what one call of the Arrow reader does is bounded: columns that share
 * a long dictionary, long dictionaries, long texts. Streams are made here, since the writer gives
 * every column a dictionary of its own. */
#include <stdio.h>
#include <string.h>

#include "heap/table_arrow.h"
#include "heap/table_arrow_message.h"
#include "tests/support/export_all.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/runner.h"

static struct heap *h;
static value tables[2];

static void setup(void)
{
    h = heap_fixture_open(0);
    tables[0] = tables[1] = VALUE_NIL;
}

static void teardown(void)
{
    value_release(h, tables[0]);
    value_release(h, tables[1]);
    heap_fixture_close(h);
}

/* A schema of columns that may be null, all with dictionary 5 and indices of 32 bits. */
static void put_shared_schema(struct table_out *o, uint32_t columns)
{
    struct flat_table message;
    size_t base = arrow_message_begin(o, ARROW_SCHEMA, 0, &message);
    struct flat_table schema = flat_table_begin(o, base, message.at[ARROW_MESSAGE_HEADER], "24");
    size_t fields = flat_vector(o, base, schema.at[ARROW_SCHEMA_FIELDS], columns, 4);
    for (uint32_t i = 0; i < columns; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "c%u", (unsigned)i);
        struct flat_table t = flat_table_begin(o, base, fields + 4 * (size_t)i, "411444");
        flat_set(&t, ARROW_FIELD_NULLABLE, 1, 1);
        flat_set(&t, ARROW_FIELD_TYPE_ID, ARROW_UTF8, 1);
        flat_string(o, t.at[ARROW_FIELD_NAME], name, (size_t)length);
        flat_table_begin(o, base, t.at[ARROW_FIELD_TYPE], "");
        struct flat_table d = flat_table_begin(o, base, t.at[ARROW_FIELD_DICTIONARY], "8");
        flat_set(&d, ARROW_ENCODING_ID, 5, 8);
        flat_vector(o, base, t.at[ARROW_FIELD_CHILDREN], 0, 4);
    }
    arrow_message_end(o, base);
}

/* Values that differ in their first 8 bytes, from the letter `first` on, of `length` bytes each. */
static void put_shared_values(struct table_out *o, uint32_t count, size_t length, char first)
{
    size_t offsets = ((size_t)count + 1) * 4, values = (offsets + 7) / 8 * 8;
    size_t body = values + count * length;
    struct arrow_place places[3] = {{0, 0}, {0, offsets}, {values, count * length}};
    struct flat_table message;
    uint64_t nulls = 0;
    size_t base = arrow_message_begin(o, ARROW_DICTIONARY_BATCH, body, &message);
    struct flat_table d = flat_table_begin(o, base, message.at[ARROW_MESSAGE_HEADER], "84");
    flat_set(&d, ARROW_DICTIONARY_ID, 5, 8);
    arrow_batch_put(o, base, d.at[ARROW_DICTIONARY_DATA], count, &nulls, 1, places, 3);
    arrow_message_end(o, base);
    unsigned char *to = out_zeros(o, body);
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%c%07u", first, (unsigned)i);
        memset(to + values + i * length, '.', length);
        memcpy(to + values + i * length, text, 8);
        put32(to + 4 * ((size_t)i + 1), (uint32_t)((i + 1) * length));
    }
}

/* Rows that have in every column the value of their own number times `step`. */
static void put_shared_rows(struct table_out *o, uint32_t columns, uint32_t rows, uint32_t step)
{
    size_t bytes = ((size_t)rows * 4 + 7) / 8 * 8;
    struct arrow_place *places = calloc(columns * 2, sizeof *places);
    uint64_t *nulls = calloc(columns, sizeof *nulls);
    struct flat_table message;
    for (uint32_t i = 0; i < columns; i++)
        places[2 * i + 1] = (struct arrow_place){i * bytes, (size_t)rows * 4};
    size_t base = arrow_message_begin(o, ARROW_RECORD_BATCH, columns * bytes, &message);
    arrow_batch_put(o, base, message.at[ARROW_MESSAGE_HEADER], rows, nulls, columns, places,
                    columns * 2);
    arrow_message_end(o, base);
    unsigned char *to = out_zeros(o, columns * bytes);
    for (uint32_t i = 0; i < columns; i++)
        for (uint32_t row = 0; row < rows; row++) put32(to + i * bytes + row * 4, row * step);
    free(places);
    free(nulls);
}

static int open_second(void *data, const struct table_field *fields, uint32_t count,
                       struct table **t, struct table_error *error)
{
    (void)data;
    int failed = table_create(h, fields, count, &tables[1], error);
    if (failed) tables[1] = VALUE_NIL;
    else *t = table_of(h, tables[1]);
    return failed;
}

static int open_texts(void *data, const struct table_field *fields, uint32_t count,
                      struct table **t, struct table_error *error)
{
    struct table_field texts[TABLE_COLUMNS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        texts[i] = fields[i];
        texts[i].type = TABLE_STR;
    }
    return open_second(data, texts, count, t, error);
}

/* What reading took: calls, and the most that one call added. */
struct effort {
    unsigned calls;
    size_t bytes_step, bytes;
    uint64_t rows_step, rows;
};

static int read_shared(struct table_out *stream, const struct arrow_limits *limits,
                       table_open_cb *open, struct effort *effort, struct table_error *error)
{
    struct arrow_reader *r = arrow_reader_create(limits, open, NULL);
    int status = TABLE_FEED_MORE;
    *effort = (struct effort){0};
    for (size_t at = 0, used; at < stream->length || status == TABLE_FEED_WORK; at += used) {
        size_t part = stream->length - at < 4096 ? stream->length - at : 4096;
        status = arrow_reader_feed(r, stream->data + at, part, &used, error);
        if (status < 0) break;
        size_t bytes = arrow_reader_bytes(r);
        uint64_t rows = arrow_reader_rows(r);
        effort->calls += used == 0;
        if (bytes > effort->bytes + effort->bytes_step)
            effort->bytes_step = bytes - effort->bytes;
        if (rows > effort->rows + effort->rows_step) effort->rows_step = rows - effort->rows;
        effort->bytes = bytes;
        effort->rows = rows;
    }
    arrow_reader_destroy(r);
    return status < 0 ? status : 0;
}

/* Many columns of one long dictionary take as much as their rows need. */
START_TEST(columns_share_a_long_dictionary)
{
    const struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct arrow_limits few = ARROW_LIMITS_DEFAULT;
    struct table_out stream = {.data = NULL};
    struct table_error error;
    struct effort effort;
    put_shared_schema(&stream, 200);
    put_shared_values(&stream, 100000, 8, 'a');
    put_shared_rows(&stream, 200, 1, 0);
    ck_assert(!stream.failed);
    int failed = read_shared(&stream, &limits, open_second, &effort, &error);
    ck_assert_msg(failed == 0, "%s", error.text);
    ck_assert_uint_eq(effort.rows, 1);
    ck_assert_uint_lt(effort.bytes, (size_t)8 << 20);
    ck_assert_uint_lt(effort.bytes_step, (size_t)2 << 20);
    value_release(h, tables[1]);
    few.codes_bytes = 100000;
    ck_assert_int_eq(read_shared(&stream, &few, open_second, &effort, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, "codes take more than 100000 bytes"), "%s", error.text);
    out_close(&stream);
}
END_TEST

START_TEST(a_dictionary_grows_in_steps)
{
    const struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct table_error error;
    struct effort effort;
    static const struct { uint32_t count; size_t length; unsigned calls; } cases[] = {
        {200000, 8, 13}, {100, 65536, 20}};
    for (unsigned i = 0; i < 2; i++) {
        struct table_out stream = {.data = NULL};
        put_shared_schema(&stream, 1);
        put_shared_values(&stream, cases[i].count, cases[i].length, 'a');
        int failed = read_shared(&stream, &limits, open_second, &effort, &error);
        ck_assert_msg(failed == 0, "%s", error.text);
        ck_assert_uint_ge(effort.calls, cases[i].calls);
        out_close(&stream);
        value_release(h, tables[1]);
        tables[1] = VALUE_NIL;
    }
}
END_TEST

START_TEST(long_texts_are_appended_few_at_a_time)
{
    struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct table_out stream = {.data = NULL};
    struct table_error error;
    struct effort effort;
    put_shared_schema(&stream, 2);
    put_shared_values(&stream, 100, 60000, 'a');
    put_shared_rows(&stream, 2, 100, 1);
    for (unsigned i = 0; i < 2; i++) {
        int failed = read_shared(&stream, &limits, i ? open_texts : open_second, &effort, &error);
        ck_assert_msg(failed == 0, "%s", error.text);
        ck_assert_uint_eq(effort.rows, 100);
        ck_assert_uint_le(effort.rows_step, 2);
        value_release(h, tables[1]);
        tables[1] = VALUE_NIL;
    }
    out_close(&stream);
    /* A row is one piece, and must not be too long. */
    put_shared_schema(&stream, 100);
    put_shared_values(&stream, 1, 60000, 'a');
    put_shared_rows(&stream, 100, 1, 0);
    limits.body_bytes = 1000000;
    ck_assert_int_eq(read_shared(&stream, &limits, open_texts, &effort, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, "record 1 has texts of more than 1000000 bytes"), "%s",
                  error.text);
    out_close(&stream);
}
END_TEST

START_TEST(plain_texts_are_appended_few_at_a_time)
{
    const struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct table_field field = {.name = "s", .name_length = 1, .type = TABLE_STR};
    struct table_out stream = {.data = NULL};
    struct table_error error;
    struct query_error query_error;
    struct table_append a;
    struct effort effort;
    char *data = calloc(1, 60000);
    struct table_text text = {memset(data, 'x', 60000), 60000};
    ck_assert_int_eq(table_create(h, &field, 1, &tables[0], NULL), 0);
    struct table *t = table_of(h, tables[0]);
    ck_assert_int_eq(table_append_begin(t, 100, &a, NULL), 0);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(table_append_texts(&a, 0, 1, &text, NULL), 0);
    ck_assert_int_eq(table_append_commit(&a, NULL, NULL), 0);
    ck_assert_int_eq(export_all(h, t, NULL, 0, EXPORT_ARROW, 0, &stream, &query_error), 0);
    ck_assert_int_eq(read_shared(&stream, &limits, open_second, &effort, &error), 0);
    ck_assert_uint_eq(effort.rows, 100);
    ck_assert_uint_le(effort.rows_step, 4);
    out_close(&stream);
    free(data);
}
END_TEST

/* A dictionary that is replaced makes what was known of the one before void. */
START_TEST(a_dictionary_is_replaced)
{
    const struct arrow_limits limits = ARROW_LIMITS_DEFAULT;
    struct table_out stream = {.data = NULL};
    struct table_error error;
    struct effort effort;
    put_shared_schema(&stream, 2);
    for (char first = 'a'; first < 'd'; first++) {
        put_shared_values(&stream, 3000, 8, first);
        put_shared_rows(&stream, 2, 3000, 1);
    }
    ck_assert_int_eq(read_shared(&stream, &limits, open_second, &effort, &error), 0);
    struct table_version *v = table_pin(table_of(h, tables[1]));
    for (uint32_t row = 0; row < 9000; row++) {
        char wanted[16];
        uint32_t chunk, slot;
        struct table_cell cell;
        snprintf(wanted, sizeof wanted, "%c%07u", "abc"[row / 3000], (unsigned)row % 3000);
        ck_assert(table_locate(v, row, &chunk, &slot));
        table_cell(v, chunk, slot, row % 2, &cell);
        ck_assert(cell.text.length == 8 && memcmp(cell.text.data, wanted, 8) == 0);
    }
    table_unpin(v);
    out_close(&stream);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("table_arrow_bounds");
    TCase *c = tcase_create("bounds");
    tcase_set_timeout(c, 300);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, columns_share_a_long_dictionary);
    tcase_add_test(c, a_dictionary_grows_in_steps);
    tcase_add_test(c, long_texts_are_appended_few_at_a_time);
    tcase_add_test(c, plain_texts_are_appended_few_at_a_time);
    tcase_add_test(c, a_dictionary_is_replaced);
    suite_add_tcase(s, c);
    return s;
}
