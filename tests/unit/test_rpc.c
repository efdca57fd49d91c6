/* test_rpc.c - envelopes: what is handed on, what is faulty, and that the stream goes on. */
#include "protocol/rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "protocol/writer.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"
#include "tests/support/trace.h"

static const struct decoder_limits wide = {1 << 20, 1 << 16, 31};

static struct trace trace;
static struct rpc_reader *reader;

static void setup(void)
{
    trace_init(&trace);
    reader = rpc_reader_create(&trace_rpc_sink, &trace, &wide);
    ck_assert_ptr_nonnull(reader);
}

static void teardown(void)
{
    rpc_reader_destroy(reader);
    trace_close(&trace);
}

static void anew(const struct decoder_limits *limits)
{
    rpc_reader_destroy(reader);
    reader = rpc_reader_create(&trace_rpc_sink, &trace, limits);
    ck_assert_ptr_nonnull(reader);
    trace_clear(&trace);
}

/* Feeds all, at most `part` bytes a time, until the message ends or fails. */
static int feed_parts(const char *data, size_t length, size_t part, size_t *total)
{
    int status = DECODER_MORE;
    for (*total = 0; *total < length && status == DECODER_MORE;) {
        size_t used, n = length - *total < part ? length - *total : part;
        status = rpc_reader_feed(reader, data + *total, n, &used);
        *total += used;
    }
    return status;
}

static int feed_all(const char *data, size_t length)
{
    size_t total;
    return feed_parts(data, length, length, &total);
}

/* One message, whole and cut at every place, as the trace shows it, followed by what the
 * reader says of it: "= TYPE MSGID FAULT", the msgid "-" without one. */
static void check_message(const char *data, size_t length, const char *expected)
{
    for (size_t part = length; part > 0; part--) {
        size_t total;
        trace_clear(&trace);
        ck_assert_int_eq(feed_parts(data, length, part, &total), DECODER_DONE);
        ck_assert_uint_eq(total, length);
        ck_assert(rpc_reader_at_start(reader));
        const struct rpc_message *m = rpc_reader_message(reader);
        trace_note(&trace, "= %d ", (int)m->type);
        if (m->has_msgid)
            trace_note(&trace, "%" PRIu32, m->msgid);
        else
            trace_note(&trace, "-");
        trace_note(&trace, " %d", (int)m->fault);
        ck_assert_str_eq(trace.text, expected);
    }
}
#define CHECK_MESSAGE(bytes, expected) check_message(bytes, sizeof(bytes) - 1, expected)

START_TEST(requests_are_taken_apart)
{
    CHECK_MESSAGE("\x94\x00\x05\xa3get\x91\xa6user:1",
                  "begin 0 5 676574 1: s:757365723a31 = 0 5 0");
    CHECK_MESSAGE("\x94\x00\x05\xa4ping\x90", "begin 0 5 70696e67 0: = 0 5 0");
    CHECK_MESSAGE("\x94\x00\x05\xa1m\x92\x92\x01\x90\x81\xa1k\xc0",
                  "begin 0 5 6d 2: [2 1 [0 ] ] {1 s:6b nil } = 0 5 0");
    CHECK_MESSAGE("\x94\x00\x05\xa1m\x99\xc0\xc2\xc3\xff\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
                  "\xca\x3f\xc0\x00\x00\xc4\x02zz\xd4\x07z\x90",
                  "begin 0 5 6d 9: nil false true -1 18446744073709551615 r:1.5 b:7a7a x7:7a "
                  "[0 ] = 0 5 0");
    ck_assert_uint_eq(rpc_reader_message(reader)->method_length, 1);
    ck_assert_str_eq(rpc_reader_message(reader)->method, "m");
}
END_TEST

START_TEST(notifications_are_taken_apart)
{
    CHECK_MESSAGE("\x93\x02\xa4gone\x92\x01\x02", "begin 2 0 676f6e65 2: 1 2 = 2 - 0");
    CHECK_MESSAGE("\x93\x02\xa4gone\x90", "begin 2 0 676f6e65 0: = 2 - 0");
}
END_TEST

START_TEST(responses_are_taken_apart)
{
    CHECK_MESSAGE("\x94\x01\x05\xc0\x2a", "begin 1 5  2: nil 42 = 1 5 0");
    CHECK_MESSAGE("\x94\x01\x05\xa3""bad\xc0", "begin 1 5  2: s:626164 nil = 1 5 0");
    CHECK_MESSAGE("\x94\x01\x05\x81\x01\x90\x92\x91\x07\x80",
                  "begin 1 5  2: {1 1 [0 ] } [2 [1 7 ] {0 } ] = 1 5 0");
}
END_TEST

START_TEST(every_encoding_of_the_envelope_is_taken)
{
    const char *expected = "begin 0 7 67 1: 1 = 0 7 0";
    CHECK_MESSAGE("\xdc\x00\x04\x00\x07\xa1g\x91\x01", expected);
    CHECK_MESSAGE("\xdd\x00\x00\x00\x04\x00\x07\xa1g\x91\x01", expected);
    CHECK_MESSAGE("\x94\xcc\x00\xcc\x07\xc4\x01g\xdc\x00\x01\x01", expected);
    CHECK_MESSAGE("\x94\xd0\x00\xd0\x07\xd9\x01g\xdd\x00\x00\x00\x01\x01", expected);
    CHECK_MESSAGE("\x94\x00\xcd\x00\x07\xda\x00\x01g\x91\x01", expected);
    CHECK_MESSAGE("\x94\x00\xce\x00\x00\x00\x07\xdb\x00\x00\x00\x01g\x91\x01", expected);
    CHECK_MESSAGE("\x94\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x07\xa1g\x91\x01", expected);
    CHECK_MESSAGE("\x94\x00\xd3\x00\x00\x00\x00\x00\x00\x00\x07\xc5\x00\x01g\x91\x01", expected);
    CHECK_MESSAGE("\x94\x00\xd2\x00\x00\x00\x07\xa1g\x91\x01", expected);
    CHECK_MESSAGE("\x94\x00\xce\xff\xff\xff\xff\xa1g\x90",
                  "begin 0 4294967295 67 0: = 0 4294967295 0");
}
END_TEST

START_TEST(what_is_no_array_of_3_or_4_is_a_fault)
{
    CHECK_MESSAGE("\x07", "= 0 - 1");
    CHECK_MESSAGE("\xff", "= 0 - 1");
    CHECK_MESSAGE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "= 0 - 1");
    CHECK_MESSAGE("\xc0", "= 0 - 1");
    CHECK_MESSAGE("\xc3", "= 0 - 1");
    CHECK_MESSAGE("\xcb\x00\x00\x00\x00\x00\x00\x00\x00", "= 0 - 1");
    CHECK_MESSAGE("\xa5hello", "= 0 - 1");
    CHECK_MESSAGE("\x80", "= 0 - 1");
    CHECK_MESSAGE("\x82\x00\x05\xa1m\x90", "= 0 - 1");
    CHECK_MESSAGE("\x90", "= 0 - 1");
    CHECK_MESSAGE("\x91\x00", "= 0 - 1");
    CHECK_MESSAGE("\x92\x00\x05", "= 0 5 1");
    CHECK_MESSAGE("\x95\x00\x05\xa1m\x91\x01\x02", "= 0 5 1");
    CHECK_MESSAGE("\x95\x02\xa1m\x91\x01\x02\x03", "= 2 - 1");
}
END_TEST

START_TEST(a_wrong_type_is_a_fault)
{
    CHECK_MESSAGE("\x94\x03\x05\xa1m\x91\x01", "= 0 5 2");
    CHECK_MESSAGE("\x94\xff\x05\xa1m\x91\x01", "= 0 5 2");
    CHECK_MESSAGE("\x94\xa1x\x05\xa1m\x91\x01", "= 0 5 2");
    CHECK_MESSAGE("\x94\x90\x05\xa1m\x91\x01", "= 0 5 2");
    CHECK_MESSAGE("\x94\xca\x00\x00\x00\x00\x05\xa1m\x90", "= 0 5 2");
    CHECK_MESSAGE("\x93\x00\x05\xa1m", "= 0 5 2");
    CHECK_MESSAGE("\x93\x01\x05\xc0", "= 1 5 2");
    CHECK_MESSAGE("\x94\x02\xa1m\x90\xc0", "= 2 - 2");
}
END_TEST

START_TEST(a_wrong_msgid_is_a_fault)
{
    CHECK_MESSAGE("\x94\x00\xff\xa1m\x90", "= 0 - 3");
    CHECK_MESSAGE("\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1m\x90", "= 0 - 3");
    CHECK_MESSAGE("\x94\x00\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1m\x90", "= 0 - 3");
    CHECK_MESSAGE("\x94\x00\xc0\xa1m\x91\x91\x05", "= 0 - 3");
    CHECK_MESSAGE("\x94\x00\xa1""5\xa1m\x90", "= 0 - 3");
    CHECK_MESSAGE("\x94\x00\x91\x05\xa1m\x90", "= 0 - 3");
    CHECK_MESSAGE("\x94\x00\x81\x05\x06\xa1m\x90", "= 0 - 3");
    CHECK_MESSAGE("\x94\x01\xa1x\xc0\x01", "= 1 - 3");
}
END_TEST

START_TEST(a_wrong_method_is_a_fault)
{
    CHECK_MESSAGE("\x94\x00\x05\xa0\x90", "= 0 5 4");
    CHECK_MESSAGE("\x94\x00\x05\xc0\x91\x01", "= 0 5 4");
    CHECK_MESSAGE("\x94\x00\x05\x07\x91\x01", "= 0 5 4");
    CHECK_MESSAGE("\x94\x00\x05\xd4\x01m\x90", "= 0 5 4");
    CHECK_MESSAGE("\x94\x00\x05\x91\xa1m\x90", "= 0 5 4");
    CHECK_MESSAGE("\x93\x02\x07\x90", "= 2 - 4");
}
END_TEST

START_TEST(wrong_params_are_a_fault)
{
    CHECK_MESSAGE("\x94\x00\x05\xa1m\xc0", "= 0 5 5");
    CHECK_MESSAGE("\x94\x00\x05\xa1m\x07", "= 0 5 5");
    CHECK_MESSAGE("\x94\x00\x05\xa1m\xa5hello", "= 0 5 5");
    CHECK_MESSAGE("\x94\x00\x05\xa1m\x81\x01\x91\x02", "= 0 5 5");
    CHECK_MESSAGE("\x93\x02\xa1m\x80", "= 2 - 5");
}
END_TEST

START_TEST(a_fault_has_a_text)
{
    for (int fault = RPC_FAULT_NONE; fault <= RPC_FAULT_PARAMS; fault++)
        ck_assert_uint_gt(strlen(rpc_fault_text((enum rpc_fault)fault)), 10);
}
END_TEST

START_TEST(method_names_up_to_the_limit)
{
    char bytes[256] = "\x94\x00\x05\xd9";
    char expected[512] = "begin 0 5 ";
    bytes[4] = RPC_METHOD_BYTES_MAX;
    memset(bytes + 5, 'm', RPC_METHOD_BYTES_MAX);
    bytes[5 + RPC_METHOD_BYTES_MAX] = (char)0x90;
    for (int i = 0; i < RPC_METHOD_BYTES_MAX; i++) strcat(expected, "6d");
    strcat(expected, " 0: = 0 5 0");
    check_message(bytes, 6 + RPC_METHOD_BYTES_MAX, expected);
    ck_assert_uint_eq(strlen(rpc_reader_message(reader)->method), RPC_METHOD_BYTES_MAX);

    bytes[4]++;
    bytes[5 + RPC_METHOD_BYTES_MAX] = 'm';
    bytes[6 + RPC_METHOD_BYTES_MAX] = (char)0x90;
    check_message(bytes, 7 + RPC_METHOD_BYTES_MAX, "= 0 5 4");
    ck_assert_uint_eq(rpc_reader_message(reader)->method_length, 0);
}
END_TEST

START_TEST(a_method_may_hold_any_bytes)
{
    CHECK_MESSAGE("\x94\x00\x05\xa3" "a\0\xff\x90", "begin 0 5 6100ff 0: = 0 5 0");
    ck_assert_uint_eq(rpc_reader_message(reader)->method_length, 3);
    ck_assert_mem_eq(rpc_reader_message(reader)->method, "a\0\xff\0", 4);
}
END_TEST

START_TEST(the_message_is_known_before_it_ends)
{
    size_t used;
    ck_assert_int_eq(rpc_reader_feed(reader, "\x94\x00\x05\xa1m\x92\x01", 7, &used), DECODER_MORE);
    ck_assert(!rpc_reader_at_start(reader));
    ck_assert(rpc_reader_message(reader)->has_msgid);
    ck_assert_uint_eq(rpc_reader_message(reader)->msgid, 5);
    /* After an error too, so that it can be answered. */
    ck_assert_int_eq(rpc_reader_feed(reader, "\xc1", 1, &used), DECODER_MALFORMED);
    ck_assert_uint_eq(rpc_reader_message(reader)->msgid, 5);
    ck_assert_int_eq(rpc_reader_feed(reader, "\x01", 1, &used), DECODER_MALFORMED);
}
END_TEST

START_TEST(good_and_bad_messages_follow_each_other)
{
    const char bytes[] = "\x94\x00\x01\xa1m\x91\x07" /* a request */
                         "\x2a"                      /* a number */
                         "\x94\x00\x02\xc0\x91\x91\x08" /* no method */
                         "\x93\x02\xa1n\x90"         /* a notification */
                         "\x94\x01\x03\xc0\xc3"      /* a response */
                         "\x82\x00\x01\x02\xa1x"     /* a map */
                         "\x94\x00\x04\xa1m\x90";    /* a request */
    for (size_t part = 1; part < sizeof bytes; part++) {
        size_t offset = 0;
        trace_clear(&trace);
        while (offset < sizeof bytes - 1) {
            size_t used, n = sizeof bytes - 1 - offset < part ? sizeof bytes - 1 - offset : part;
            int status = rpc_reader_feed(reader, bytes + offset, n, &used);
            ck_assert_int_ge(status, DECODER_MORE);
            offset += used;
            if (status == DECODER_DONE)
                trace_note(&trace, "%d; ", (int)rpc_reader_message(reader)->fault);
        }
        ck_assert_str_eq(trace.text, "begin 0 1 6d 1: 7 0; 1; 4; begin 2 0 6e 0: 0; "
                                     "begin 1 3  2: nil true 0; 1; begin 0 4 6d 0: 0; ");
    }
}
END_TEST

/* --- skipping -----------------------------------------------------------------------------*/

static const char nested[] = "\x94\x00\x05\xa1m\x93\x92\x01\x91\xc0\x81\xa1k\xa4long\x07";
static const char *const nested_trace =
    "begin 0 5 6d 3: [2 1 [1 nil ] ] {1 s:6b s:6c6f6e67 } 7 ";

START_TEST(skipping_from_inside_the_sink_silences_the_rest)
{
    size_t total, length = sizeof nested - 1;
    trace.reader = reader;
    for (size_t part = 1; part <= length; part += length - 1) {
        trace.skip_at = 0;
        trace_clear(&trace);
        ck_assert_int_eq(feed_parts(nested, length, part, &total), DECODER_DONE);
        ck_assert_str_eq(trace.text, nested_trace);
        unsigned calls = trace.calls;
        for (unsigned i = 1; i <= calls; i++) {
            trace_clear(&trace);
            trace.skip_at = i;
            ck_assert_int_eq(feed_parts(nested, length, part, &total), DECODER_DONE);
            ck_assert_uint_eq(total, length);
            ck_assert_uint_eq(trace.calls, i);
            ck_assert_int_eq(rpc_reader_message(reader)->fault, RPC_FAULT_NONE);
            ck_assert_uint_eq(rpc_reader_message(reader)->msgid, 5);
        }
        /* The next message is heard again. */
        trace.skip_at = 0;
        CHECK_MESSAGE("\x94\x00\x06\xa1m\x91\x01", "begin 0 6 6d 1: 1 = 0 6 0");
    }
}
END_TEST

START_TEST(skipping_between_feeds_keeps_the_envelope)
{
    size_t used, length = sizeof nested - 1;
    for (size_t cut = 1; cut < length; cut++) {
        trace_clear(&trace);
        ck_assert_int_eq(rpc_reader_feed(reader, nested, cut, &used), DECODER_MORE);
        unsigned calls = trace.calls;
        rpc_reader_skip(reader);
        ck_assert_int_eq(rpc_reader_feed(reader, nested + cut, length - cut, &used), DECODER_DONE);
        ck_assert_uint_eq(trace.calls, calls);
        const struct rpc_message *m = rpc_reader_message(reader);
        ck_assert_int_eq(m->fault, RPC_FAULT_NONE);
        ck_assert(m->has_msgid && m->msgid == 5);
        ck_assert_str_eq(m->method, "m");
    }
    const char response[] = "\x94\x01\x05\x91\x01\x92\x02\x03";
    for (size_t cut = 1; cut < sizeof response - 1; cut++) {
        ck_assert_int_eq(rpc_reader_feed(reader, response, cut, &used), DECODER_MORE);
        rpc_reader_skip(reader);
        ck_assert_int_eq(rpc_reader_feed(reader, response + cut, sizeof response - 1 - cut, &used),
                         DECODER_DONE);
        ck_assert_int_eq(rpc_reader_message(reader)->fault, RPC_FAULT_NONE);
        trace_clear(&trace);
    }
    /* Between messages there is nothing to skip. */
    rpc_reader_skip(reader);
    CHECK_MESSAGE("\x94\x00\x06\xa1m\x91\x01", "begin 0 6 6d 1: 1 = 0 6 0");
}
END_TEST

START_TEST(an_error_of_the_sink_stops)
{
    size_t total, length = sizeof nested - 1;
    ck_assert_int_eq(feed_parts(nested, length, 1, &total), DECODER_DONE);
    unsigned calls = trace.calls;
    for (unsigned i = 1; i <= calls; i++) {
        anew(&wide);
        trace.fail_at = i;
        ck_assert_int_eq(feed_parts(nested, length, 1, &total), TRACE_STOP);
        ck_assert_uint_eq(trace.calls, i);
    }
}
END_TEST

/* --- limits -------------------------------------------------------------------------------*/

START_TEST(depth_counts_from_the_contents)
{
    anew(&(struct decoder_limits){1000, 1000, 2});
    CHECK_MESSAGE("\x94\x00\x05\xa1m\x91\x91\x91\x07", "begin 0 5 6d 1: [1 [1 7 ] ] = 0 5 0");
    CHECK_MESSAGE("\x94\x01\x05\xc0\x91\x81\x07\x08", "begin 1 5  2: nil [1 {1 7 8 } ] = 1 5 0");
    ck_assert_int_eq(feed_all("\x94\x00\x05\xa1m\x91\x91\x91\x90", 9), DECODER_LIMIT_DEPTH);
    anew(&(struct decoder_limits){1000, 1000, 2});
    ck_assert_int_eq(feed_all("\x94\x01\x05\xc0\x91\x81\x07\x80", 8), DECODER_LIMIT_DEPTH);
    anew(&(struct decoder_limits){1000, 1000, 0});
    CHECK_MESSAGE("\x94\x00\x05\xa1m\x91\x07", "begin 0 5 6d 1: 7 = 0 5 0");
    ck_assert_int_eq(feed_all("\x94\x01\x05\xc0\x80", 5), DECODER_LIMIT_DEPTH);
    /* The deepest that there can be. */
    anew(&(struct decoder_limits){10000, 10000, DECODER_DEPTH_MAX});
    char deep[DECODER_DEPTH_MAX];
    memset(deep, 0x91, sizeof deep);
    ck_assert_int_eq(feed_all("\x94\x00\x05\xa1m\x91", 6), DECODER_MORE);
    ck_assert_int_eq(feed_all(deep, sizeof deep), DECODER_MORE);
    ck_assert_int_eq(feed_all("\x07", 1), DECODER_DONE);
}
END_TEST

START_TEST(bytes_and_elements_count_the_whole_message)
{
    const char bytes[] = "\x94\x00\x05\xa1m\x92\x07\x08";
    anew(&(struct decoder_limits){8, 7, 0});
    ck_assert_int_eq(feed_all(bytes, 8), DECODER_DONE);
    anew(&(struct decoder_limits){7, 7, 0});
    ck_assert_int_eq(feed_all(bytes, 8), DECODER_LIMIT_BYTES);
    anew(&(struct decoder_limits){8, 6, 0});
    ck_assert_int_eq(feed_all(bytes, 8), DECODER_LIMIT_ELEMENTS);
    ck_assert_str_eq(trace.text, "");
}
END_TEST

START_TEST(the_budget_goes_on_while_skipping)
{
    size_t used;
    anew(&(struct decoder_limits){8, 100, 0});
    ck_assert_int_eq(rpc_reader_feed(reader, "\x94\x00\x05\xa1m\x93\x01", 7, &used), DECODER_MORE);
    rpc_reader_skip(reader);
    ck_assert_int_eq(rpc_reader_feed(reader, "\x02\x03", 2, &used), DECODER_LIMIT_BYTES);
}
END_TEST

START_TEST(what_the_writer_envelopes_comes_back)
{
    uint64_t seed = random_seed(), rng = seed;
    for (int round = 0; round < 2000; round++) {
        struct writer w;
        char expected[256], method[RPC_METHOD_BYTES_MAX + 1] = "";
        uint32_t msgid = (uint32_t)random_next(&rng) >> random_below(&rng, 32);
        size_t length = 1 + random_below(&rng, RPC_METHOD_BYTES_MAX), total;
        for (size_t i = 0; i < length; i++) method[i] = (char)('a' + random_below(&rng, 26));
        writer_init(&w, 0);
        unsigned type = (unsigned)random_below(&rng, 3);
        switch (type) {
        case RPC_REQUEST: writer_request(&w, msgid, method, 2); break;
        case RPC_RESPONSE: writer_response(&w, msgid); break;
        default: writer_notification(&w, method, 2); msgid = 0;
        }
        writer_nil(&w);
        writer_int(&w, -(int64_t)msgid);
        trace_clear(&trace);
        ck_assert_int_eq(feed_parts(w.data, w.length, 1 + random_below(&rng, w.length), &total),
                         DECODER_DONE);
        snprintf(expected, sizeof expected, " 2: nil %" PRId64 " ", -(int64_t)msgid);
        const struct rpc_message *m = rpc_reader_message(reader);
        ck_assert_msg(total == w.length && (unsigned)m->type == type && m->msgid == msgid &&
                          m->fault == RPC_FAULT_NONE && strstr(trace.text, expected) != NULL &&
                          strcmp(m->method, type == RPC_RESPONSE ? "" : method) == 0,
                      "CAIRN_SEED=%" PRIu64 " round %d: %s", seed, round, trace.text);
        writer_close(&w);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("rpc");
    TCase *tcase = tcase_create("rpc");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, requests_are_taken_apart);
    tcase_add_test(tcase, notifications_are_taken_apart);
    tcase_add_test(tcase, responses_are_taken_apart);
    tcase_add_test(tcase, every_encoding_of_the_envelope_is_taken);
    tcase_add_test(tcase, what_is_no_array_of_3_or_4_is_a_fault);
    tcase_add_test(tcase, a_wrong_type_is_a_fault);
    tcase_add_test(tcase, a_wrong_msgid_is_a_fault);
    tcase_add_test(tcase, a_wrong_method_is_a_fault);
    tcase_add_test(tcase, wrong_params_are_a_fault);
    tcase_add_test(tcase, a_fault_has_a_text);
    tcase_add_test(tcase, method_names_up_to_the_limit);
    tcase_add_test(tcase, a_method_may_hold_any_bytes);
    tcase_add_test(tcase, the_message_is_known_before_it_ends);
    tcase_add_test(tcase, good_and_bad_messages_follow_each_other);
    tcase_add_test(tcase, skipping_from_inside_the_sink_silences_the_rest);
    tcase_add_test(tcase, skipping_between_feeds_keeps_the_envelope);
    tcase_add_test(tcase, an_error_of_the_sink_stops);
    tcase_add_test(tcase, depth_counts_from_the_contents);
    tcase_add_test(tcase, bytes_and_elements_count_the_whole_message);
    tcase_add_test(tcase, the_budget_goes_on_while_skipping);
    tcase_add_test(tcase, what_the_writer_envelopes_comes_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
