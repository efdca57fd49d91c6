/* test_decoder.c - bytes to calls: the vectors, every split, limits, failures. */
#include "protocol/decoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>
#include <yajl/yajl_tree.h>

#include "protocol/writer.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/trace.h"

static const struct decoder_limits wide = {1 << 20, 1 << 16, DECODER_DEPTH_MAX};

static struct trace trace;
static struct decoder *decoder;

static void setup(void)
{
    trace_init(&trace);
    decoder = decoder_create(&trace_sink, &trace, &wide);
    ck_assert_ptr_nonnull(decoder);
}

static void teardown(void)
{
    decoder_destroy(decoder);
    trace_close(&trace);
}

/* Feeds all, at most `part` bytes a time; the bytes are copied into blocks of their exact
 * size, so that a sanitizer sees any read past them. */
static int feed_parts(const char *data, size_t length, size_t part, size_t *total)
{
    int status = DECODER_MORE;
    *total = 0;
    while (*total < length && status == DECODER_MORE) {
        size_t n = length - *total < part ? length - *total : part;
        size_t used;
        char *copy = malloc(n);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, data + *total, n);
        status = decoder_feed(decoder, copy, n, &used);
        free(copy);
        ck_assert_uint_le(used, n);
        if (status == DECODER_MORE) ck_assert_uint_eq(used, n);
        *total += used;
    }
    return status;
}

static int feed_all(const char *data, size_t length)
{
    size_t total;
    return feed_parts(data, length, length, &total);
}

/* One message: whole, cut at every place, and byte by byte; always the same calls. */
static void check_splits(const char *data, size_t length, const char *expected)
{
    size_t used, total;
    trace_clear(&trace);
    ck_assert_int_eq(feed_parts(data, length, length, &total), DECODER_DONE);
    ck_assert_uint_eq(total, length);
    ck_assert_str_eq(trace.text, expected);
    for (size_t cut = 1; cut < length; cut++) {
        trace_clear(&trace);
        ck_assert_int_eq(decoder_feed(decoder, data, cut, &used), DECODER_MORE);
        ck_assert_uint_eq(used, cut);
        ck_assert(!decoder_at_start(decoder));
        ck_assert_int_eq(decoder_feed(decoder, data + cut, length - cut, &used), DECODER_DONE);
        ck_assert_uint_eq(used, length - cut);
        ck_assert(decoder_at_start(decoder));
        ck_assert_str_eq(trace.text, expected);
    }
    trace_clear(&trace);
    ck_assert_int_eq(feed_parts(data, length, 1, &total), DECODER_DONE);
    ck_assert_uint_eq(total, length);
    ck_assert_str_eq(trace.text, expected);
}

/* --- the vectors --------------------------------------------------------------------------
 * A JSON object of groups; a group is an array of {KIND: value, "msgpack": ["c0", …]}. */

static char *file_read(const char *name)
{
    char path[4096];
    const char *source = getenv("CAIRN_SOURCE");
    snprintf(path, sizeof path, "%s/%s", source ? source : ".", name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    size_t capacity = 1 << 20;
    char *text = malloc(capacity);
    ck_assert_ptr_nonnull(text);
    size_t length = fread(text, 1, capacity - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

/* "c4-02-00-ff" to bytes. */
static size_t hex_parse(const char *hex, char *bytes, size_t size)
{
    size_t length = 0;
    while (*hex) {
        unsigned byte;
        ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
        ck_assert_uint_lt(length, size);
        bytes[length++] = (char)byte;
        hex += 2;
        if (*hex == '-') hex++;
    }
    return length;
}

static void note_text(struct trace *t, enum decoder_text type, int8_t ext_type,
                      const char *data, size_t length)
{
    ck_assert_int_eq(trace_sink.text(t, type, ext_type, data, length), 0);
}

static void note_dashed(struct trace *t, enum decoder_text type, int8_t ext_type,
                        const char *hex)
{
    char bytes[512];
    note_text(t, type, ext_type, bytes, hex_parse(hex, bytes, sizeof bytes));
}

static const char *json_string(yajl_val v)
{
    ck_assert(YAJL_IS_STRING(v));
    return v->u.string;
}

static void note_number(struct trace *t, const char *text)
{
    if (strpbrk(text, ".eE"))
        trace_sink.real(t, strtod(text, NULL));
    else if (text[0] != '-' && strtoull(text, NULL, 10) > INT64_MAX)
        trace_sink.unsigned_integer(t, strtoull(text, NULL, 10));
    else
        trace_sink.integer(t, strtoll(text, NULL, 10));
}

/* Plays a JSON value to a sink. The file is ours and shallow: recursion is safe. */
static void note_json(struct trace *t, yajl_val v)
{
    if (YAJL_IS_NULL(v)) {
        trace_sink.nil(t);
    } else if (YAJL_IS_TRUE(v) || YAJL_IS_FALSE(v)) {
        trace_sink.boolean(t, YAJL_IS_TRUE(v));
    } else if (YAJL_IS_NUMBER(v)) {
        note_number(t, v->u.number.r);
    } else if (YAJL_IS_STRING(v)) {
        note_text(t, DECODER_STR, 0, v->u.string, strlen(v->u.string));
    } else if (YAJL_IS_ARRAY(v)) {
        trace_sink.array_open(t, v->u.array.len);
        for (size_t i = 0; i < v->u.array.len; i++) note_json(t, v->u.array.values[i]);
        trace_sink.array_close(t);
    } else {
        ck_assert(YAJL_IS_OBJECT(v));
        trace_sink.map_open(t, v->u.object.len);
        for (size_t i = 0; i < v->u.object.len; i++) {
            note_text(t, DECODER_STR, 0, v->u.object.keys[i], strlen(v->u.object.keys[i]));
            note_json(t, v->u.object.values[i]);
        }
        trace_sink.map_close(t);
    }
}

/* The three payloads that the MessagePack specification gives for a timestamp. */
static void check_timestamp(const char *bytes, size_t length, int64_t seconds, int64_t nanos)
{
    char expected[64];
    uint64_t both = (uint64_t)nanos << 34 | (uint64_t)seconds;
    size_t head = (unsigned char)bytes[0] == 0xc7 ? 3 : (unsigned char)bytes[0] == 0xc8 ? 4 :
                  (unsigned char)bytes[0] == 0xc9 ? 6 : 2;
    switch (length - head) {
    case 4: snprintf(expected, sizeof expected, "x-1:%08" PRIx64 " ", seconds); break;
    case 8: snprintf(expected, sizeof expected, "x-1:%016" PRIx64 " ", both); break;
    default:
        ck_assert_uint_eq(length - head, 12);
        snprintf(expected, sizeof expected, "x-1:%08" PRIx64 "%016" PRIx64 " ", nanos, seconds);
    }
    check_splits(bytes, length, expected);
}

static void check_vector(const char *kind, yajl_val v, const char *hex)
{
    char bytes[1024];
    size_t length = hex_parse(hex, bytes, sizeof bytes);
    if (strcmp(kind, "timestamp") == 0) {
        check_timestamp(bytes, length, YAJL_GET_INTEGER(v->u.array.values[0]),
                        YAJL_GET_INTEGER(v->u.array.values[1]));
        return;
    }
    struct trace expected;
    trace_init(&expected);
    expected.plain = trace.plain = true;
    if (strcmp(kind, "binary") == 0)
        note_dashed(&expected, DECODER_BIN, 0, json_string(v));
    else if (strcmp(kind, "bignum") == 0)
        note_number(&expected, json_string(v));
    else if (strcmp(kind, "ext") == 0)
        note_dashed(&expected, DECODER_EXT, (int8_t)YAJL_GET_INTEGER(v->u.array.values[0]),
                    json_string(v->u.array.values[1]));
    else
        note_json(&expected, v);
    check_splits(bytes, length, expected.text);
    trace_close(&expected);
}

START_TEST(vectors_decode_the_same_however_they_are_split)
{
    char *text = file_read("tests/data/msgpack-vectors.json");
    char error[256];
    yajl_val groups = yajl_tree_parse(text, error, sizeof error);
    ck_assert_msg(groups != NULL, "%s", error);
    unsigned vectors = 0;
    for (size_t g = 0; g < groups->u.object.len; g++) {
        yajl_val group = groups->u.object.values[g];
        ck_assert(YAJL_IS_ARRAY(group));
        for (size_t i = 0; i < group->u.array.len; i++) {
            yajl_val entry = group->u.array.values[i];
            ck_assert_uint_eq(entry->u.object.len, 2);
            yajl_val encodings = entry->u.object.values[1];
            for (size_t e = 0; e < encodings->u.array.len; e++, vectors++)
                check_vector(entry->u.object.keys[0], entry->u.object.values[0],
                             json_string(encodings->u.array.values[e]));
        }
    }
    ck_assert_uint_gt(vectors, 500);
    yajl_tree_free(groups);
    free(text);
}
END_TEST

START_TEST(the_kind_of_number_is_told)
{
    check_splits("\x93\x01\xcb\x3f\xf0\0\0\0\0\0\0\xca\x3f\x80\0\0", 16, "[3 1 r:1 r:1 ] ");
    check_splits("\xcb\x7f\xf0\0\0\0\0\0\0", 9, "r:inf ");
    check_splits("\xcf\x80\0\0\0\0\0\0\0", 9, "9223372036854775808 ");
    check_splits("\xd3\x80\0\0\0\0\0\0\0", 9, "-9223372036854775808 ");
}
END_TEST

/* --- texts and containers -----------------------------------------------------------------*/

START_TEST(text_in_the_buffer_is_one_call)
{
    ck_assert_int_eq(feed_all("\xa3" "abc", 4), DECODER_DONE);
    ck_assert_uint_eq(trace.calls, 1);
}
END_TEST

START_TEST(text_in_parts_is_handed_over_as_it_comes)
{
    size_t used;
    ck_assert_int_eq(decoder_feed(decoder, "\xc4\x06", 2, &used), DECODER_MORE);
    ck_assert_uint_eq(trace.calls, 1); /* open */
    ck_assert_int_eq(decoder_feed(decoder, "ab", 2, &used), DECODER_MORE);
    ck_assert_str_eq(trace.text, "b:6162");
    ck_assert_int_eq(decoder_feed(decoder, "", 0, &used), DECODER_MORE);
    ck_assert_uint_eq(trace.calls, 2);
    ck_assert_int_eq(decoder_feed(decoder, "cdefXY", 6, &used), DECODER_DONE);
    ck_assert_uint_eq(used, 4);
    ck_assert_str_eq(trace.text, "b:616263646566 ");
    ck_assert_uint_eq(trace.calls, 4); /* open, data, data, close */
}
END_TEST

START_TEST(empty_things_open_and_close)
{
    check_splits("\x95\xa0\xc4\0\x90\x80\xc7\0\x05", 9, "[5 s: b: [0 ] {0 } x5: ] ");
    check_splits("\xdc\0\0", 3, "[0 ] ");
    check_splits("\xdf\0\0\0\0", 5, "{0 } ");
    check_splits("\x81\x90\x80", 3, "{1 [0 ] {0 } } ");
}
END_TEST

START_TEST(pipelined_messages_end_one_at_a_time)
{
    const char bytes[] = "\x01\x92\x02\x03\xa1x\xc0";
    size_t length = sizeof bytes - 1, offset = 0, used;
    const size_t lengths[] = {1, 3, 2, 1};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(decoder_feed(decoder, bytes + offset, length - offset, &used),
                         DECODER_DONE);
        ck_assert_uint_eq(used, lengths[i]);
        offset += used;
    }
    ck_assert_str_eq(trace.text, "1 [2 2 3 ] s:78 nil ");
}
END_TEST

/* --- what can go wrong --------------------------------------------------------------------*/

START_TEST(byte_c1_is_malformed_and_ends_the_stream)
{
    size_t used;
    ck_assert_int_eq(feed_all("\x92\x01\xc1\x02", 4), DECODER_MALFORMED);
    ck_assert_str_eq(trace.text, "[2 1 ");
    ck_assert(!decoder_at_start(decoder));
    ck_assert_int_eq(decoder_feed(decoder, "\x02", 1, &used), DECODER_MALFORMED);
    ck_assert_uint_eq(used, 0);
    ck_assert_str_eq(trace.text, "[2 1 ");
    decoder_reset(decoder);
    trace_clear(&trace);
    check_splits("\x92\x01\x02", 3, "[2 1 2 ] ");
}
END_TEST

START_TEST(an_error_of_the_sink_stops_at_that_call)
{
    const char bytes[] = "\x84\x01\xa2yz\x91\xc0\xcb\x3f\xf8\0\0\0\0\0\0\xc3\x80\xc4\x01\x07"
                         "\xcf\xff\xff\xff\xff\xff\xff\xff\xff";
    size_t length = sizeof bytes - 1, total;
    for (size_t part = 1; part <= length; part += length - 1) {
        trace.fail_at = 0;
        trace_clear(&trace);
        ck_assert_int_eq(feed_parts(bytes, length, part, &total), DECODER_DONE);
        unsigned calls = trace.calls;
        ck_assert_uint_ge(calls, 13);
        for (unsigned i = 1; i <= calls; i++) {
            trace_clear(&trace);
            trace.fail_at = i;
            ck_assert_int_eq(feed_parts(bytes, length, part, &total), TRACE_STOP);
            ck_assert_uint_eq(trace.calls, i);
            ck_assert_int_eq(feed_parts("\x01", 1, 1, &total), TRACE_STOP);
            ck_assert_uint_eq(trace.calls, i);
            decoder_reset(decoder);
            ck_assert(decoder_at_start(decoder));
        }
    }
}
END_TEST

START_TEST(reset_forgets_a_partial_message_anywhere)
{
    const char bytes[] = "\x92\xcd\x01\x02\xd9\x04wxyz";
    size_t used;
    for (size_t cut = 1; cut < sizeof bytes - 1; cut++) {
        ck_assert_int_eq(decoder_feed(decoder, bytes, cut, &used), DECODER_MORE);
        decoder_reset(decoder);
        ck_assert(decoder_at_start(decoder));
        check_splits("\x92\x01\x02", 3, "[2 1 2 ] ");
    }
}
END_TEST

/* --- limits -------------------------------------------------------------------------------*/

static void limit(size_t bytes, size_t elements, unsigned depth)
{
    decoder_limits_set(decoder, &(struct decoder_limits){bytes, elements, depth});
    decoder_reset(decoder);
    trace_clear(&trace);
}

/* The same outcome whole and byte by byte, and the same calls until then. */
static void check_limit(const char *data, size_t length, int status, const char *expected)
{
    size_t total;
    for (int whole = 0; whole <= 1; whole++) {
        decoder_reset(decoder);
        trace_clear(&trace);
        ck_assert_int_eq(feed_parts(data, length, whole ? length : 1, &total), status);
        ck_assert_str_eq(trace.text, expected);
    }
}

START_TEST(bytes_are_limited_exactly)
{
    const char bytes[] = "\x93\xcd\x01\x02\xa3" "abc\xca\x3f\x80\0\0";
    size_t length = sizeof bytes - 1;
    limit(length, 100, 100);
    check_limit(bytes, length, DECODER_DONE, "[3 258 s:616263 r:1 ] ");
    limit(length - 1, 100, 100);
    check_limit(bytes, length, DECODER_LIMIT_BYTES, "[3 258 s:616263 ");
    limit(7, 100, 100);
    check_limit(bytes, length, DECODER_LIMIT_BYTES, "[3 258 ");
    limit(0, 100, 100);
    check_limit(bytes, length, DECODER_LIMIT_BYTES, "");
    /* A text is charged when its header comes, before any of it is there. */
    limit(1000, 100, 100);
    check_limit("\xdb\xff\xff\xff\xff", 5, DECODER_LIMIT_BYTES, "");
    check_limit("\xc9\xff\xff\xff\xff\x01", 6, DECODER_LIMIT_BYTES, "");
    check_limit("\xda\x03\xe6", 3, DECODER_LIMIT_BYTES, "");
    check_limit("\xda\x03\xe5", 3, DECODER_MORE, "s:");
}
END_TEST

START_TEST(elements_are_limited_exactly)
{
    const char bytes[] = "\x92\x82\x01\x02\x03\x91\x04\xc0"; /* [{1: 2, 3: [4]}, nil] */
    limit(1000, 8, 100);
    check_limit(bytes, 8, DECODER_DONE, "[2 {2 1 2 3 [1 4 ] } nil ] ");
    limit(1000, 7, 100);
    check_limit(bytes, 8, DECODER_LIMIT_ELEMENTS, "[2 {2 1 2 3 ");
    limit(1000, 0, 100);
    check_limit("\x01", 1, DECODER_LIMIT_ELEMENTS, "");
    limit(1000, 1, 100);
    check_limit("\x01", 1, DECODER_DONE, "1 ");
}
END_TEST

START_TEST(a_header_that_claims_too_much_fails_at_once)
{
    limit(1000, 5, 100);
    check_limit("\xdd\xff\xff\xff\xff", 5, DECODER_LIMIT_ELEMENTS, "");
    check_limit("\xdf\xff\xff\xff\xff", 5, DECODER_LIMIT_ELEMENTS, "");
    check_limit("\x91\xdc\xff\xff", 4, DECODER_LIMIT_ELEMENTS, "[1 ");
    check_limit("\x94", 1, DECODER_MORE, "[4 ");
    check_limit("\x95", 1, DECODER_LIMIT_ELEMENTS, "");
    check_limit("\x82", 1, DECODER_MORE, "{2 ");
    check_limit("\x83", 1, DECODER_LIMIT_ELEMENTS, "");
    limit(SIZE_MAX, SIZE_MAX, 100); /* announced, and nothing overflows */
    check_limit("\xdf\xff\xff\xff\xff\x01", 6, DECODER_MORE, "{4294967295 1 ");
}
END_TEST

START_TEST(depth_is_limited_exactly)
{
    limit(1000, 1000, 3);
    check_limit("\x91\x81\x01\x90", 4, DECODER_DONE, "[1 {1 1 [0 ] } ] ");
    check_limit("\x91\x81\x01\x91\x80", 5, DECODER_LIMIT_DEPTH, "[1 {1 1 [1 ");
    check_limit("\x91\x81\x01\x91\x07", 5, DECODER_DONE, "[1 {1 1 [1 7 ] } ] ");
    limit(1000, 1000, 0);
    check_limit("\x07", 1, DECODER_DONE, "7 ");
    check_limit("\x90", 1, DECODER_LIMIT_DEPTH, "");

    char deep[DECODER_DEPTH_MAX + 1];
    memset(deep, 0x91, sizeof deep);
    limit(10000, 10000, DECODER_DEPTH_MAX);
    ck_assert_int_eq(feed_all(deep, DECODER_DEPTH_MAX), DECODER_MORE);
    ck_assert_int_eq(feed_all("\x01", 1), DECODER_DONE);
    trace_clear(&trace);
    ck_assert_int_eq(feed_all(deep, DECODER_DEPTH_MAX + 1), DECODER_LIMIT_DEPTH);
}
END_TEST

START_TEST(each_message_has_a_budget_of_its_own)
{
    limit(4, 3, 1);
    for (int i = 0; i < 10; i++) ck_assert_int_eq(feed_all("\x92\x01\xcc\xff", 4), DECODER_DONE);
}
END_TEST

START_TEST(new_limits_hold_from_the_next_message)
{
    size_t used;
    limit(100, 10, 2);
    ck_assert_int_eq(decoder_feed(decoder, "\x92\x91", 2, &used), DECODER_MORE);
    decoder_limits_set(decoder, &(struct decoder_limits){3, 2, 1});
    ck_assert_int_eq(feed_all("\x01\x91\x02", 3), DECODER_DONE);
    ck_assert_int_eq(feed_all("\x92\x01\x02", 3), DECODER_LIMIT_ELEMENTS);
}
END_TEST

/* --- random input -------------------------------------------------------------------------*/

/* Writes one random item to `w`, and to `t` what it should decode to. Returns the number of
 * items it opened. */
static size_t random_item(uint64_t *rng, struct writer *w, struct trace *t, bool *map)
{
    char bytes[300];
    uint64_t number = random_next(rng) >> random_below(rng, 64);
    size_t length = random_below(rng, random_below(rng, 8) ? 40 : sizeof bytes);
    for (size_t i = 0; i < length; i++) bytes[i] = (char)random_next(rng);
    size_t count = random_below(rng, random_below(rng, 8) ? 5 : 40);
    *map = false;
    switch (random_below(rng, 10)) {
    case 0: writer_nil(w); trace_sink.nil(t); return 0;
    case 1: writer_bool(w, number & 1); trace_sink.boolean(t, number & 1); return 0;
    case 2:
        writer_int(w, (int64_t)~number);
        trace_sink.integer(t, (int64_t)~number);
        return 0;
    case 3:
        writer_uint(w, number);
        if (number > INT64_MAX)
            trace_sink.unsigned_integer(t, number);
        else
            trace_sink.integer(t, (int64_t)number);
        return 0;
    case 4:
        writer_double(w, (double)number / 3);
        trace_sink.real(t, (double)number / 3);
        return 0;
    case 5: writer_str(w, bytes, length); note_text(t, DECODER_STR, 0, bytes, length); return 0;
    case 6: writer_bin(w, bytes, length); note_text(t, DECODER_BIN, 0, bytes, length); return 0;
    case 7:
        writer_ext(w, (int8_t)number, bytes, length);
        note_text(t, DECODER_EXT, (int8_t)number, bytes, length);
        return 0;
    case 8: writer_array(w, count); trace_sink.array_open(t, count); return count;
    default:
        *map = true;
        writer_map(w, count);
        trace_sink.map_open(t, count);
        return 2 * count;
    }
}

/* One random message, of a few hundred items at most. */
static void random_message(uint64_t *rng, struct writer *w, struct trace *t)
{
    struct {
        size_t left;
        bool map;
    } open[16];
    size_t depth = 0;
    do {
        bool map;
        size_t length = w->length, text = t->length;
        unsigned trace_depth = t->depth;
        size_t items = random_item(rng, w, t, &map);
        bool container = t->depth > trace_depth;
        if (depth > 0 && (depth == 16 || w->length > 4000) && container) {
            /* Enough: something small in place of the container. */
            writer_rewind(w, length);
            t->depth--;
            t->length = text;
            writer_nil(w);
            trace_note(t, "nil ");
            container = false;
        }
        if (container) {
            open[depth].left = items;
            open[depth++].map = map;
        } else {
            if (depth == 0) return;
            open[depth - 1].left--;
        }
        while (depth > 0 && open[depth - 1].left == 0) {
            if (open[depth - 1].map)
                trace_sink.map_close(t);
            else
                trace_sink.array_close(t);
            if (--depth > 0) open[depth - 1].left--;
        }
    } while (depth > 0);
}

START_TEST(what_the_writer_writes_comes_back)
{
    uint64_t seed = random_seed(), rng = seed;
    for (int round = 0; round < 3000; round++) {
        struct writer w;
        struct trace expected;
        size_t total;
        writer_init(&w, 0);
        trace_init(&expected);
        random_message(&rng, &w, &expected);
        ck_assert_int_eq(w.error, WRITER_OK);
        const size_t parts[] = {w.length, 1, 1 + random_below(&rng, w.length)};
        for (size_t i = 0; i < 3; i++) {
            trace_clear(&trace);
            ck_assert_msg(feed_parts(w.data, w.length, parts[i], &total) == DECODER_DONE &&
                              total == w.length && strcmp(trace.text, expected.text) == 0,
                          "CAIRN_SEED=%" PRIu64 ": wrote %s\nread  %s", seed, expected.text,
                          trace.text);
        }
        trace_close(&expected);
        writer_close(&w);
    }
}
END_TEST

/* Noise, so long as the other decoder survives it: msgpack-c allocates what a header claims
 * and stops at 32 levels. */
START_TEST(noise_is_judged_as_msgpack_c_judges_it)
{
    uint64_t seed = random_seed(), rng = seed;
    unsigned done = 0, more = 0, malformed = 0;
    for (int round = 0; round < 30000; round++) {
        char bytes[24];
        size_t length = 1 + random_below(&rng, sizeof bytes), offset = 0, total;
        for (size_t i = 0; i < length; i++) {
            unsigned byte = (unsigned)random_below(&rng, 256);
            if (random_below(&rng, 2)) byte = random_below(&rng, 4) ? byte & 3 : byte | 0xc0;
            bytes[i] = (char)(byte == 0xdd || byte == 0xdf ? 0x91 : byte);
        }
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        int theirs = msgpack_unpack_next(&unpacked, bytes, length, &offset);
        msgpack_unpacked_destroy(&unpacked);
        trace_clear(&trace);
        decoder_reset(decoder);
        int ours = feed_parts(bytes, length, length, &total);
        int expected = theirs == MSGPACK_UNPACK_SUCCESS      ? DECODER_DONE :
                       theirs == MSGPACK_UNPACK_PARSE_ERROR  ? DECODER_MALFORMED :
                                                               DECODER_MORE;
        if (theirs == MSGPACK_UNPACK_NOMEM_ERROR || ours == DECODER_LIMIT_ELEMENTS ||
            ours == DECODER_LIMIT_BYTES)
            continue;
        ck_assert_msg(ours == expected, "CAIRN_SEED=%" PRIu64 " round %d: %d, not %d", seed,
                      round, ours, expected);
        if (ours == DECODER_DONE) ck_assert_uint_eq(total, offset);
        done += ours == DECODER_DONE;
        more += ours == DECODER_MORE;
        malformed += ours == DECODER_MALFORMED;
    }
    ck_assert(done > 1000 && more > 1000 && malformed > 100);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("decoder");
    TCase *tcase = tcase_create("decoder");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, vectors_decode_the_same_however_they_are_split);
    tcase_add_test(tcase, the_kind_of_number_is_told);
    tcase_add_test(tcase, text_in_the_buffer_is_one_call);
    tcase_add_test(tcase, text_in_parts_is_handed_over_as_it_comes);
    tcase_add_test(tcase, empty_things_open_and_close);
    tcase_add_test(tcase, pipelined_messages_end_one_at_a_time);
    tcase_add_test(tcase, byte_c1_is_malformed_and_ends_the_stream);
    tcase_add_test(tcase, an_error_of_the_sink_stops_at_that_call);
    tcase_add_test(tcase, reset_forgets_a_partial_message_anywhere);
    tcase_add_test(tcase, bytes_are_limited_exactly);
    tcase_add_test(tcase, elements_are_limited_exactly);
    tcase_add_test(tcase, a_header_that_claims_too_much_fails_at_once);
    tcase_add_test(tcase, depth_is_limited_exactly);
    tcase_add_test(tcase, each_message_has_a_budget_of_its_own);
    tcase_add_test(tcase, new_limits_hold_from_the_next_message);
    tcase_add_test(tcase, what_the_writer_writes_comes_back);
    tcase_add_test(tcase, noise_is_judged_as_msgpack_c_judges_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
