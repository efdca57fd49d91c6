/* test_decoder_rows.c - arrays of which a sink takes the rows as bytes: every split, limits, what
 * is announced all the same. */
#include "protocol/decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/writer.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/seeds.h"

static const struct decoder_limits wide = {1 << 20, 1 << 16, 30};

/* The calls that come besides rows, as a trace of them alone would have them, and the bytes. Rows
 * are taken of the array that is the second item of the message. */
struct taker {
    struct decoder *decoder;
    struct writer bytes;
    char calls[4096];
    unsigned depth;
    bool taking;
};
static struct taker taker;

static int note(struct taker *t, const char *text)
{
    if (strlen(t->calls) + strlen(text) + 1 < sizeof t->calls) strcat(t->calls, text);
    return 0;
}

static int on_nil(void *c) { return note(c, "nil "); }
static int on_boolean(void *c, bool b) { return note(c, b ? "true " : "false "); }
static int on_integer(void *c, int64_t i)
{
    char text[32];
    sprintf(text, "%lld ", (long long)i);
    return note(c, text);
}
static int on_unsigned(void *c, uint64_t u) { return on_integer(c, (int64_t)u); }
static int on_real(void *c, double d) { return on_integer(c, (int64_t)d); }
static int on_open(void *c, enum decoder_text type, int8_t ext_type, size_t length)
{
    char text[40];
    sprintf(text, "%c%d:%zu:", "sbx"[type], ext_type, length);
    return note(c, text);
}
static int on_data(void *c, const char *data, size_t length)
{
    char text[2] = {0};
    for (size_t i = 0; i < length; i++) {
        text[0] = data[i] >= 'a' && data[i] <= 'z' ? data[i] : '.';
        note(c, text);
    }
    return 0;
}
static int on_close(void *c) { return note(c, " "); }
static int on_text(void *c, enum decoder_text type, int8_t ext_type, const char *data,
                   size_t length)
{
    on_open(c, type, ext_type, length);
    on_data(c, data, length);
    return on_close(c);
}
static int on_array(void *c, size_t count)
{
    struct taker *t = c;
    (void)count;
    if (t->depth++ == 1 && t->taking) decoder_take_rows(t->decoder);
    return note(t, "[");
}
static int on_map(void *c, size_t count)
{
    struct taker *t = c;
    (void)count;
    t->depth++;
    return note(t, "{");
}
static int on_end(void *c)
{
    struct taker *t = c;
    t->depth--;
    return note(t, "] ");
}
static int on_rows(void *c, const char *data, size_t length)
{
    struct taker *t = c;
    ck_assert_uint_gt(length, 0);
    writer_bytes(&t->bytes, data, length);
    return 0;
}

static const struct decoder_sink sink = {
    .nil = on_nil, .boolean = on_boolean, .integer = on_integer, .unsigned_integer = on_unsigned,
    .real = on_real, .text = on_text, .text_open = on_open, .text_data = on_data,
    .text_close = on_close, .array_open = on_array, .array_close = on_end, .map_open = on_map,
    .map_close = on_end, .rows = on_rows,
};

static void open_taker(const struct decoder_limits *limits, bool taking)
{
    taker = (struct taker){.taking = taking};
    writer_init(&taker.bytes, 0);
    taker.decoder = decoder_create(&sink, &taker, limits);
    ck_assert_ptr_nonnull(taker.decoder);
}

static void close_taker(void)
{
    decoder_destroy(taker.decoder);
    writer_close(&taker.bytes);
}

/* Feeds up to `cut` at once and then the rest; 0: byte by byte. Copies, of their exact size. */
static int feed(const char *data, size_t length, size_t cut, size_t *total)
{
    int status = DECODER_MORE;
    *total = 0;
    while (*total < length && status == DECODER_MORE) {
        size_t n = cut == 0 ? 1 : *total < cut ? cut - *total : length - *total, used;
        char *copy = malloc(n);
        memcpy(copy, data + *total, n);
        status = decoder_feed(taker.decoder, copy, n, &used);
        free(copy);
        *total += used;
    }
    return status;
}

/* A message [1, rows, "after"], where `rows` has been written. */
static void check(const struct writer *rows, size_t head, const char *calls)
{
    struct writer w;
    size_t total;
    writer_init(&w, 0);
    writer_array(&w, 3);
    writer_int(&w, 1);
    writer_bytes(&w, rows->data, rows->length);
    writer_cstr(&w, "after");
    for (size_t cut = 0; cut <= w.length; cut++) {
        open_taker(&wide, true);
        ck_assert_int_eq(feed(w.data, w.length, cut, &total), DECODER_DONE);
        ck_assert_uint_eq(total, w.length);
        ck_assert_str_eq(taker.calls, calls);
        if (head > 0) {
            ck_assert_uint_eq(taker.bytes.length, rows->length - head);
            ck_assert_int_eq(memcmp(taker.bytes.data, rows->data + head, taker.bytes.length), 0);
        }
        close_taker();
    }
    writer_close(&w);
}

#define NOTHING_ELSE "[1 [] s0:5:after ] "

START_TEST(rows_come_as_bytes)
{
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 0);
    check(&w, 0, NOTHING_ELSE);
    writer_rewind(&w, 0);
    writer_array(&w, 6);
    writer_array(&w, 5);
    writer_int(&w, -70000);
    writer_double(&w, 2.5);
    writer_cstr(&w, "a text that is longer than thirty-two bytes");
    writer_bin(&w, "bin", 3);
    writer_nil(&w);
    writer_array(&w, 0);
    writer_map(&w, 2);
    writer_cstr(&w, "key");
    writer_bool(&w, true);
    writer_cstr(&w, "");
    writer_uint(&w, UINT64_MAX);
    writer_cstr(&w, "no row");
    writer_array(&w, 17);
    for (int i = 0; i < 17; i++) writer_int(&w, i * 100);
    writer_map(&w, 0);
    check(&w, 1, NOTHING_ELSE);
    writer_close(&w);
}
END_TEST

START_TEST(what_is_no_row_of_scalars_is_announced)
{
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 4);
    writer_array(&w, 4);
    writer_int(&w, 1);
    writer_array(&w, 2); /* inside of a row */
    writer_int(&w, 5);
    writer_array(&w, 0);
    writer_map(&w, 1);
    writer_cstr(&w, "k");
    writer_map(&w, 0);
    writer_ext(&w, 7, "abc", 3);
    writer_ext(&w, 9, "abcdefgh", 8);
    writer_map(&w, 1);
    writer_cstr(&w, "key");
    writer_array(&w, 1);
    writer_nil(&w);
    writer_array(&w, 1);
    writer_array(&w, 0);
    check(&w, 0, "[1 [[5 [] ] {s0:1:k {] ] x7:3:abc x9:8:abcdefgh [nil ] [] ] s0:5:after ] ");
    writer_close(&w);
}
END_TEST

/* --- limits ------------------------------------------------------------------------------------*/

static void put_scalar(uint64_t *random, struct writer *w)
{
    static const char text[300];
    switch (random_below(random, 9)) {
    case 0: writer_nil(w); break;
    case 1: writer_bool(w, true); break;
    case 2: writer_int(w, (int64_t)random_next(random) >> random_below(random, 64)); break;
    case 3: writer_uint(w, random_next(random)); break;
    case 4: writer_double(w, 0.5); break;
    case 5: writer_str(w, text, random_below(random, 300)); break;
    case 6: writer_bin(w, text, random_below(random, 300)); break;
    default: writer_int(w, (int64_t)random_below(random, 300) - 100);
    }
}

/* A message; at times with what is no MessagePack in it. */
static void put_message(uint64_t *random, struct writer *w)
{
    unsigned rows = (unsigned)random_below(random, 20);
    writer_array(w, 3);
    writer_nil(w);
    writer_array(w, rows);
    for (unsigned i = 0; i < rows; i++) {
        unsigned cells = (unsigned)random_below(random, 20);
        bool map = random_below(random, 3) == 0;
        map ? writer_map(w, cells) : writer_array(w, cells);
        for (unsigned k = 0; k < cells << map; k++) {
            uint64_t odd = random_below(random, 150);
            if (odd == 0) writer_array(w, 1), put_scalar(random, w);
            else if (odd == 1) writer_map(w, 0);
            else if (odd == 2) writer_ext(w, 1, "x", 1);
            else if (odd == 3 && random_below(random, 4) == 0) writer_bytes(w, "\xc1", 1);
            else put_scalar(random, w);
        }
    }
    writer_nil(w);
}

/* Limits are met where they are without rows, whatever they are. */
static void run_limits(uint64_t seed)
{
    uint64_t random = seed;
    struct writer w;
    writer_init(&w, 0);
    put_message(&random, &w);
    for (int i = 0; i < 20; i++) {
        struct decoder_limits limits = {random_below(&random, w.length + 40),
                                        random_below(&random, 500),
                                        (unsigned)random_below(&random, 7)};
        size_t cut = random_below(&random, w.length + 1), used[2];
        int status[2];
        if (random_below(&random, 2)) limits.bytes_max = w.length;
        if (random_below(&random, 2)) limits.elements_max = 10000;
        if (random_below(&random, 2)) limits.depth_max = 20;
        for (int taking = 0; taking < 2; taking++) {
            open_taker(&limits, taking);
            status[taking] = feed(w.data, w.length, cut, &used[taking]);
            close_taker();
        }
        ck_assert_int_eq(status[0], status[1]);
        ck_assert_uint_eq(used[0], used[1]);
    }
    writer_close(&w);
}

START_TEST(limits_hold_as_they_do_without)
{
    uint64_t seed;
    struct seeds seeds = seeds_open("limits", 1000);
    while (seeds_next(&seeds, &seed)) run_limits(seed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("decoder rows");
    TCase *tcase = tcase_create("rows");
    tcase_add_test(tcase, rows_come_as_bytes);
    tcase_add_test(tcase, what_is_no_row_of_scalars_is_announced);
    suite_add_tcase(suite, tcase);
    TCase *limits = seeds_tcase("limits");
    tcase_add_test(limits, limits_hold_as_they_do_without);
    suite_add_tcase(suite, limits);
    return suite;
}
