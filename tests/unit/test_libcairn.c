/* test_libcairn.c - the client library against a peer that says exactly what a test wants.
 *
 * The peer is the other end of a socket pair. Replies can be written before they are asked
 * for, because requests are numbered from 0; where the order matters, a thread plays a list
 * of steps. */
#include "client/cairn.h"

#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/runner.h"

#define BYTES(literal) literal, sizeof literal - 1

#define HANG_MS 300000 /* what takes longer hangs, also on a busy machine */

enum action { WRITE, TRICKLE, READ, CLOSE, END };
struct step {
    enum action action;
    const char *data;
    size_t length; /* of data, or to read */
};

static struct cairn *c;
static struct cairn_args *args;
static int peer; /* -1 once closed */
static pthread_t thread;
static bool has_thread;

static void setup(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    c = cairn_create();
    args = cairn_args_create();
    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_nonnull(args);
    ck_assert_int_eq(cairn_connect_descriptor(c, ends[0]), CAIRN_OK);
    peer = ends[1];
    has_thread = false;
    cairn_timeouts_set(c, HANG_MS, HANG_MS);
}

static void teardown(void)
{
    if (has_thread) pthread_join(thread, NULL);
    if (peer >= 0) close(peer);
    cairn_args_destroy(args);
    cairn_destroy(c);
}

static void peer_write(const char *data, size_t length)
{
    while (length > 0) {
        ssize_t count = write(peer, data, length);
        ck_assert_int_gt(count, 0);
        data += count;
        length -= (size_t)count;
    }
}

static void peer_read(char *data, size_t length)
{
    while (length > 0) {
        ssize_t count = read(peer, data, length);
        ck_assert_int_gt(count, 0);
        data += count;
        length -= (size_t)count;
    }
}

static void peer_close(void)
{
    close(peer);
    peer = -1;
}

static void *play(void *context)
{
    for (const struct step *s = context; s->action != END; s++) {
        char *space;
        switch (s->action) {
        case WRITE: peer_write(s->data, s->length); break;
        case TRICKLE:
            for (size_t i = 0; i < s->length; i++) {
                peer_write(s->data + i, 1);
                usleep(200);
            }
            break;
        case READ:
            space = malloc(s->length);
            peer_read(space, s->length);
            free(space);
            break;
        case CLOSE: peer_close(); break;
        case END: break;
        }
    }
    return NULL;
}

static void peer_start(const struct step *steps)
{
    ck_assert_int_eq(pthread_create(&thread, NULL, play, (void *)steps), 0);
    has_thread = true;
}

START_TEST(a_call_is_one_request_and_gives_its_result)
{
    static const char request[] = "\x94\x00\x00\xa3get\x91\xa1k";
    char got[sizeof request - 1];
    struct cairn_reply *reply;
    peer_write(BYTES("\x94\x01\x00\xc0\x2a"));
    cairn_args_cstr(args, "k");
    ck_assert_int_eq(cairn_call(c, "get", args, &reply), CAIRN_OK);
    ck_assert_int_eq(cairn_int(cairn_reply_result(reply), 0), 42);
    peer_read(got, sizeof got);
    ck_assert_mem_eq(got, request, sizeof got);
    ck_assert_uint_eq(cairn_pending(c), 0);
    cairn_reply_destroy(reply);
}
END_TEST

START_TEST(replies_come_in_the_order_of_the_requests)
{
    char answers[1000][9];
    for (int i = 0; i < 1000; i++) {
        const char answer[9] = {'\x94', 1, '\xcd', (char)(i >> 8), (char)i, '\xc0', '\xcd',
                                (char)(i >> 8), (char)i};
        memcpy(answers[i], answer, sizeof answer);
        cairn_args_clear(args);
        cairn_args_int(args, i);
        ck_assert_int_eq(cairn_send(c, "ping", args), CAIRN_OK);
    }
    ck_assert_uint_eq(cairn_pending(c), 1000);
    peer_write(answers[0], sizeof answers);
    for (int i = 0; i < 1000; i++) {
        struct cairn_reply *reply;
        ck_assert_int_eq(cairn_receive(c, &reply), CAIRN_OK);
        ck_assert_int_eq(cairn_int(cairn_reply_result(reply), -1), i);
        cairn_reply_destroy(reply);
    }
    ck_assert_int_eq(cairn_receive(c, NULL), CAIRN_MISUSE);
}
END_TEST

START_TEST(a_reply_may_arrive_byte_by_byte)
{
    static const struct step steps[] = {
        {TRICKLE, BYTES("\x94\x01\x00\xc0\x83\xa4name\xac"
                        "Ada Lovelace\xa4tags\x92\xc3\xcb\x3f\xe0\0\0\0\0\0\0\xa1z\xc4\x03\0\1\2")},
        {.action = END}};
    struct cairn_reply *reply;
    peer_start(steps);
    ck_assert_int_eq(cairn_call(c, "get", NULL, &reply), CAIRN_OK);
    const struct cairn_value *v = cairn_reply_result(reply);
    size_t length;
    ck_assert_str_eq(cairn_text(cairn_field(v, "name"), &length), "Ada Lovelace");
    ck_assert_uint_eq(length, 12);
    ck_assert(cairn_bool(cairn_at(cairn_field(v, "tags"), 0), false));
    ck_assert_double_eq(cairn_double(cairn_at(cairn_field(v, "tags"), -1), 0), 0.5);
    ck_assert_int_eq(cairn_type(cairn_field(v, "z")), CAIRN_BIN);
    ck_assert_mem_eq(cairn_text(cairn_field(v, "z"), NULL), "\0\1\2", 4);
    cairn_reply_destroy(reply);
}
END_TEST

START_TEST(a_servers_error_comes_apart_into_code_and_message)
{
    struct cairn_reply *reply;
    peer_write(BYTES("\x94\x01\x00\xb9WRONG_TYPE push: a: \"b\"!!\xc0"));
    ck_assert_int_eq(cairn_call(c, "push", NULL, &reply), CAIRN_SERVER);
    ck_assert_ptr_null(reply);
    ck_assert_str_eq(cairn_error_code(c), "WRONG_TYPE");
    ck_assert_str_eq(cairn_error_message(c), "push: a: \"b\"!!");
    ck_assert_str_eq(cairn_error_text(c), "WRONG_TYPE push: a: \"b\"!!");
    /* structured */
    peer_write(BYTES("\x94\x01\x01\x82\xa4"
                     "code\xa4"
                     "BUSY\xa7message\xa4wait\xc0"));
    ck_assert_int_eq(cairn_call(c, "x", NULL, NULL), CAIRN_SERVER);
    ck_assert_str_eq(cairn_error_code(c), "BUSY");
    ck_assert_str_eq(cairn_error_message(c), "wait");
    /* another server's */
    peer_write(BYTES("\x94\x01\x02\xa8not good\xc0\x94\x01\x03\x07\xc0"));
    ck_assert_int_eq(cairn_call(c, "x", NULL, NULL), CAIRN_SERVER);
    ck_assert_str_eq(cairn_error_code(c), "SERVER");
    ck_assert_str_eq(cairn_error_message(c), "not good");
    ck_assert_int_eq(cairn_call(c, "x", NULL, NULL), CAIRN_SERVER);
    ck_assert_ptr_nonnull(strstr(cairn_error_text(c), "int"));
    ck_assert(cairn_is_connected(c));
}
END_TEST

START_TEST(an_error_concerns_its_own_request_only)
{
    struct cairn_reply *reply;
    peer_write(BYTES("\x94\x01\x00\xc0\x01\x94\x01\x01\xa5LIMIT\xc0\x94\x01\x02\xc0\x03"));
    for (int i = 0; i < 3; i++) ck_assert_int_eq(cairn_send(c, "x", NULL), CAIRN_OK);
    ck_assert_int_eq(cairn_receive(c, NULL), CAIRN_OK);
    ck_assert_int_eq(cairn_receive(c, NULL), CAIRN_SERVER);
    ck_assert_str_eq(cairn_error_code(c), "LIMIT");
    ck_assert_str_eq(cairn_error_message(c), "");
    ck_assert_int_eq(cairn_receive(c, &reply), CAIRN_OK);
    ck_assert_int_eq(cairn_int(cairn_reply_result(reply), 0), 3);
    ck_assert_int_eq(cairn_status(c), CAIRN_OK);
    cairn_reply_destroy(reply);
}
END_TEST

START_TEST(after_a_timeout_the_reply_can_still_come)
{
    struct cairn_reply *reply;
    cairn_timeouts_set(c, HANG_MS, 30);
    peer_write(BYTES("\x94\x01\x00\xc0"));
    ck_assert_int_eq(cairn_call(c, "slow", NULL, &reply), CAIRN_TIMEOUT);
    ck_assert_ptr_null(reply);
    ck_assert_uint_eq(cairn_pending(c), 1);
    ck_assert_int_eq(cairn_call(c, "next", NULL, NULL), CAIRN_MISUSE);
    peer_write(BYTES("\xa4" "late"));
    ck_assert_int_eq(cairn_receive(c, &reply), CAIRN_OK);
    ck_assert_str_eq(cairn_text(cairn_reply_result(reply), NULL), "late");
    cairn_reply_destroy(reply);
}
END_TEST

static unsigned waited_ms, waiting_calls;
static void note_waiting(void *data, unsigned ms)
{
    ck_assert_ptr_eq(data, &peer);
    ck_assert_uint_gt(ms, waited_ms);
    waited_ms = ms;
    waiting_calls++;
}

START_TEST(a_wait_is_told_of_until_it_is_over)
{
    struct cairn_reply *reply;
    waited_ms = waiting_calls = 0;
    cairn_waiting_set(c, note_waiting, &peer);
    cairn_timeouts_set(c, 1000, 250);
    ck_assert_int_eq(cairn_call(c, "slow", NULL, &reply), CAIRN_TIMEOUT);
    ck_assert_uint_eq(waited_ms, 250);
    ck_assert_uint_eq(waiting_calls, 3);
    cairn_waiting_set(c, NULL, NULL);
    peer_write(BYTES("\x94\x01\x00\xc0\x05"));
    ck_assert_int_eq(cairn_receive(c, &reply), CAIRN_OK);
    ck_assert_uint_eq(waiting_calls, 3);
    cairn_reply_destroy(reply);
}
END_TEST

START_TEST(closing_within_a_reply_is_told)
{
    peer_write(BYTES("\x94\x01\x00\xc0\xa9half"));
    peer_close();
    ck_assert_int_eq(cairn_send(c, "get", NULL), CAIRN_OK);
    ck_assert_int_eq(cairn_receive(c, NULL), CAIRN_CLOSED);
    ck_assert_ptr_nonnull(strstr(cairn_error_text(c), "in the middle of a reply"));
    ck_assert(!cairn_is_connected(c));
    ck_assert_int_eq(cairn_send(c, "get", NULL), CAIRN_NO_CONNECTION);
}
END_TEST

START_TEST(replies_from_before_a_close_are_still_had)
{
    peer_write(BYTES("\x94\x01\x00\xc0\x01\x94\x01\x01\xc0\x02"));
    ck_assert_int_eq(shutdown(peer, SHUT_RD), 0); /* sending fails from now on, without SIGPIPE */
    for (int i = 0; i < 3; i++) ck_assert_int_eq(cairn_send(c, "x", NULL), CAIRN_OK);
    peer_close();
    ck_assert_int_eq(cairn_receive(c, NULL), CAIRN_OK);
    ck_assert_int_eq(cairn_receive(c, NULL), CAIRN_OK);
    ck_assert_int_eq(cairn_receive(c, NULL), CAIRN_CLOSED);
    ck_assert_uint_eq(cairn_pending(c), 0);
}
END_TEST

START_TEST(nonsense_ends_the_connection)
{
    static const struct step cases[] = {
        {WRITE, BYTES("\xc1")},                     /* no MessagePack */
        {WRITE, BYTES("HTTP/1.1 400 Bad Request")}, /* 'H' is the number 72 */
        {WRITE, BYTES("\x94\x01\x07\xc0\xc0")},     /* a reply to a request never made */
        {WRITE, BYTES("\x93\x01\x00\xc0")},         /* too short */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i > 0) {
            teardown();
            setup();
        }
        peer_write(cases[i].data, cases[i].length);
        ck_assert_int_eq(cairn_call(c, "get", NULL, NULL), CAIRN_PROTOCOL);
        ck_assert_uint_gt(strlen(cairn_error_text(c)), 10);
        ck_assert(!cairn_is_connected(c));
    }
}
END_TEST

START_TEST(replies_over_a_limit_are_refused)
{
    static const struct {
        size_t bytes, values;
        unsigned depth;
        const char *reply, *says;
        size_t length;
    } cases[] = {
        {1000, 1000, 10, "\x94\x01\x00\xc0\xdb\xff\xff\xff\xff", "1000 bytes", 9},
        {1000, 10, 10, "\x94\x01\x00\xc0\xdd\xff\xff\xff\xff", "10 values", 9},
        {1000, 1000, 3, "\x94\x01\x00\xc0\x91\x91\x91\x91\x01", "3 deep", 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int ends[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        if (peer >= 0) close(peer);
        peer = ends[1];
        cairn_limits_set(c, cases[i].bytes, cases[i].values, cases[i].depth);
        ck_assert_int_eq(cairn_connect_descriptor(c, ends[0]), CAIRN_OK);
        peer_write(cases[i].reply, cases[i].length);
        ck_assert_int_eq(cairn_call(c, "get", NULL, NULL), CAIRN_LIMIT);
        ck_assert_ptr_nonnull(strstr(cairn_error_text(c), cases[i].says));
    }
}
END_TEST

START_TEST(what_is_no_reply_is_passed_over)
{
    struct cairn_reply *reply;
    peer_write(BYTES("\x93\x02\xa5" "event\x91\x81\x01\x02\x94\x01\x00\xc0\x05"));
    ck_assert_int_eq(cairn_call(c, "get", NULL, &reply), CAIRN_OK);
    ck_assert_int_eq(cairn_int(cairn_reply_result(reply), 0), 5);
    cairn_reply_destroy(reply);
}
END_TEST

START_TEST(both_sides_can_write_at_once)
{
    /* The peer answers with 8 MB before it reads any of the 8 MB that are sent to it. */
    enum { SIZE = 8 << 20 };
    char *text = malloc(SIZE), *answer = malloc(SIZE + 9);
    memset(text, 'x', SIZE);
    memcpy(answer, "\x94\x01\x00\xc0\xdb\x00\x80\x00\x00", 9);
    memset(answer + 9, 'y', SIZE);
    const struct step steps[] = {{WRITE, answer, SIZE + 9}, {READ, NULL, SIZE}, {.action = END}};
    peer_start(steps);
    cairn_args_str(args, text, SIZE);
    struct cairn_reply *reply;
    ck_assert_int_eq(cairn_call(c, "ping", args, &reply), CAIRN_OK);
    ck_assert_uint_eq(cairn_length(cairn_reply_result(reply)), SIZE);
    ck_assert_int_eq(cairn_text(cairn_reply_result(reply), NULL)[SIZE - 1], 'y');
    cairn_reply_destroy(reply);
    pthread_join(thread, NULL);
    has_thread = false;
    free(text);
    free(answer);
}
END_TEST

/* What `args` says, read back; it must be one value. */
static struct cairn_reply *read_back(void)
{
    size_t length, used;
    const char *bytes = cairn_args_bytes(args, &length);
    struct cairn_reply *reply;
    ck_assert_int_eq(cairn_args_status(args), CAIRN_OK);
    ck_assert_int_eq(cairn_decode(bytes, length, &used, &reply), CAIRN_OK);
    ck_assert_uint_eq(used, length);
    return reply;
}

START_TEST(containers_count_their_items)
{
    static const size_t counts[] = {0, 1, 15, 16, 17, 255, 65535, 65536, 70000};
    static const size_t headers[] = {1, 1, 1, 3, 3, 3, 3, 5, 5};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        cairn_args_clear(args);
        cairn_args_array_open(args);
        for (size_t k = 0; k < counts[i]; k++) cairn_args_int(args, (int64_t)(k % 100));
        cairn_args_array_close(args);
        size_t length;
        cairn_args_bytes(args, &length);
        ck_assert_uint_eq(length, headers[i] + counts[i]);
        struct cairn_reply *reply = read_back();
        const struct cairn_value *list = cairn_reply_result(reply);
        ck_assert_uint_eq(cairn_length(list), counts[i]);
        for (size_t k = 0; k < counts[i]; k++)
            ck_assert_int_eq(cairn_int(cairn_at(list, (ptrdiff_t)k), -1), (int64_t)(k % 100));
        cairn_reply_destroy(reply);
    }
}
END_TEST

START_TEST(nested_containers_and_all_types_read_back)
{
    cairn_args_map_open(args);
    for (int i = 0; i < 20; i++) {
        cairn_args_int(args, i);
        cairn_args_array_open(args);
        for (int k = 0; k < i; k++) cairn_args_nil(args);
        cairn_args_array_close(args);
    }
    cairn_args_cstr(args, "types");
    cairn_args_array_open(args);
    cairn_args_int(args, INT64_MIN);
    cairn_args_uint(args, UINT64_MAX);
    cairn_args_uint(args, 7);
    cairn_args_double(args, -0.5);
    cairn_args_bool(args, true);
    cairn_args_bin(args, "\0b", 2);
    cairn_args_ext(args, -7, "e", 1);
    cairn_args_array_close(args);
    cairn_args_map_close(args);
    struct cairn_reply *reply = read_back();
    const struct cairn_value *map = cairn_reply_result(reply);
    ck_assert_uint_eq(cairn_length(map), 21);
    ck_assert_int_eq(cairn_int(cairn_map_key(map, 19), -1), 19);
    ck_assert_uint_eq(cairn_length(cairn_map_value(map, 19)), 19);
    const struct cairn_value *types = cairn_field(map, "types");
    ck_assert_int_eq(cairn_int(cairn_at(types, 0), 0), INT64_MIN);
    ck_assert_int_eq(cairn_type(cairn_at(types, 1)), CAIRN_UINT);
    ck_assert_uint_eq(cairn_uint(cairn_at(types, 1), 0), UINT64_MAX);
    ck_assert_int_eq(cairn_type(cairn_at(types, 2)), CAIRN_INT);
    ck_assert_double_eq(cairn_double(cairn_at(types, 3), 0), -0.5);
    ck_assert_int_eq(cairn_ext_type(cairn_at(types, 6)), -7);
    /* A copy is the same bytes. */
    struct cairn_args *copy = cairn_args_create();
    cairn_args_value(copy, map);
    size_t length, copy_length;
    const char *bytes = cairn_args_bytes(args, &length);
    const char *copy_bytes = cairn_args_bytes(copy, &copy_length);
    ck_assert_uint_eq(copy_length, length);
    ck_assert_mem_eq(copy_bytes, bytes, length);
    cairn_args_destroy(copy);
    cairn_reply_destroy(reply);
}
END_TEST

START_TEST(parameters_that_make_no_sense_are_not_sent)
{
    cairn_args_array_open(args);
    ck_assert_int_eq(cairn_args_status(args), CAIRN_MISUSE);
    ck_assert_int_eq(cairn_send(c, "x", args), CAIRN_MISUSE);
    cairn_args_clear(args);
    cairn_args_map_open(args);
    cairn_args_cstr(args, "key without value");
    cairn_args_map_close(args);
    ck_assert_int_eq(cairn_args_status(args), CAIRN_MISUSE);
    cairn_args_clear(args);
    cairn_args_array_close(args);
    ck_assert_int_eq(cairn_args_status(args), CAIRN_MISUSE);
    cairn_args_clear(args);
    for (int i = 0; i <= CAIRN_DEPTH_MAX; i++) cairn_args_array_open(args);
    ck_assert_int_eq(cairn_args_status(args), CAIRN_LIMIT);
    ck_assert_int_eq(cairn_send(c, "x", args), CAIRN_LIMIT);
    ck_assert_uint_eq(cairn_pending(c), 0);
    ck_assert(cairn_is_connected(c));
}
END_TEST

START_TEST(the_last_parameter_can_be_taken_back_and_others_added)
{
    struct cairn_args *more = cairn_args_create();
    cairn_args_int(args, 1);
    cairn_args_cstr(args, "long gone");
    ck_assert_uint_eq(cairn_args_count(args), 2);
    cairn_args_pop(args);
    ck_assert_uint_eq(cairn_args_count(args), 1);
    cairn_args_int(more, 2);
    cairn_args_int(more, 3);
    cairn_args_append(args, more);
    ck_assert_uint_eq(cairn_args_count(args), 3);
    cairn_args_array_open(args);
    cairn_args_append(args, more);
    cairn_args_array_close(args);
    size_t length;
    const char *bytes = cairn_args_bytes(args, &length);
    ck_assert_uint_eq(length, 6);
    ck_assert_mem_eq(bytes, "\x01\x02\x03\x92\x02\x03", 6);
    cairn_args_pop(args);
    ck_assert_uint_eq(cairn_args_count(args), 3);
    ck_assert_int_eq(cairn_args_status(args), CAIRN_OK);
    cairn_args_destroy(more);
}
END_TEST

START_TEST(values_answer_what_they_cannot_be_with_the_default)
{
    static const char bytes[] = "\x85\xa1s\xa3str\xa1i\xff\xa1u\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
                                "\xa1l\x93\x0a\x0b\x0c\xc4\x01m\x80";
    struct cairn_reply *reply;
    size_t used;
    ck_assert_int_eq(cairn_decode(BYTES(bytes), &used, &reply), CAIRN_OK);
    const struct cairn_value *v = cairn_reply_result(reply);
    ck_assert_int_eq(cairn_int(cairn_field(v, "s"), 9), 9);
    ck_assert_int_eq(cairn_int(cairn_field(v, "u"), 9), 9);
    ck_assert_uint_eq(cairn_uint(cairn_field(v, "i"), 9), 9);
    ck_assert_double_eq(cairn_double(cairn_field(v, "i"), 9), -1);
    ck_assert_ptr_null(cairn_field(v, "absent"));
    ck_assert_int_eq(cairn_int(cairn_at(cairn_field(v, "l"), -3), 0), 10);
    ck_assert_ptr_null(cairn_at(cairn_field(v, "l"), -4));
    ck_assert_ptr_null(cairn_at(cairn_field(v, "l"), 3));
    ck_assert_int_eq(cairn_type(cairn_field(v, "m")), CAIRN_MAP); /* a bin as a key */
    ck_assert_ptr_null(cairn_map_key(v, 5));
    ck_assert_ptr_null(cairn_text(cairn_field(v, "l"), &used));
    ck_assert_uint_eq(used, 0);
    ck_assert_int_eq(cairn_int(cairn_at(cairn_field(NULL, "x"), 0), 3), 3);
    ck_assert_int_eq(cairn_type(NULL), CAIRN_NIL);
    cairn_reply_destroy(reply);
}
END_TEST

START_TEST(decoding_takes_one_value_and_refuses_bad_ones)
{
    struct cairn_reply *reply;
    size_t used;
    ck_assert_int_eq(cairn_decode(BYTES("\x92\x01\x02\x03"), &used, &reply), CAIRN_OK);
    ck_assert_uint_eq(used, 3);
    cairn_reply_destroy(reply);
    ck_assert_int_eq(cairn_decode(BYTES("\x92\x01"), &used, &reply), CAIRN_PROTOCOL);
    ck_assert_ptr_null(reply);
    ck_assert_int_eq(cairn_decode(BYTES("\x91\xc1"), &used, &reply), CAIRN_PROTOCOL);
    ck_assert_int_eq(cairn_decode(BYTES("\xdd\xff\xff\xff\xff"), &used, &reply), CAIRN_LIMIT);
    char deep[CAIRN_DEPTH_MAX + 2];
    memset(deep, '\x91', sizeof deep);
    ck_assert_int_eq(cairn_decode(deep, sizeof deep, &used, &reply), CAIRN_LIMIT);
}
END_TEST

/* A listening socket on the loopback interface, and its port. */
static int listen_tcp(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(s, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(s, 5), 0);
    ck_assert_int_eq(getsockname(s, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return s;
}

START_TEST(connections_are_made_by_address)
{
    unsigned port;
    char url[64];
    int s = listen_tcp(&port);
    ck_assert_int_eq(cairn_connect_tcp(c, "127.0.0.1", port), CAIRN_OK);
    ck_assert(cairn_is_connected(c));
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port);
    ck_assert_int_eq(cairn_connect_url(c, url), CAIRN_OK);
    close(s);
    ck_assert_int_eq(cairn_connect_url(c, url), CAIRN_NO_CONNECTION);
    ck_assert(!cairn_is_connected(c));
    ck_assert_ptr_nonnull(strstr(cairn_error_text(c), "127.0.0.1"));
    ck_assert_int_eq(cairn_connect_unix(c, "/nonexistent/socket"), CAIRN_NO_CONNECTION);
}
END_TEST

START_TEST(addresses_that_are_none_are_refused)
{
    static const char *const urls[] = {"", "http://x", "tcp://", "tcp://:1", "tcp://a:",
                                       "tcp://a:b", "tcp://a:1x", "tcp://[::1", "tcp://[::1]x",
                                       "unix:",
                                       "tcp://a:99999", "tcp://a:0"};
    char path[200];
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        ck_assert_int_eq(cairn_connect_url(c, urls[i]), CAIRN_BAD_ADDRESS);
    ck_assert_int_eq(cairn_connect_tcp(c, "127.0.0.1", 70000), CAIRN_BAD_ADDRESS);
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = 0;
    ck_assert_int_eq(cairn_connect_unix(c, path), CAIRN_BAD_ADDRESS);
    ck_assert_str_eq(cairn_error_code(c), "BAD_ADDRESS");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("libcairn");
    TCase *calls = tcase_create("calls");
    tcase_add_checked_fixture(calls, setup, teardown);
    tcase_add_test(calls, a_call_is_one_request_and_gives_its_result);
    tcase_add_test(calls, replies_come_in_the_order_of_the_requests);
    tcase_add_test(calls, a_reply_may_arrive_byte_by_byte);
    tcase_add_test(calls, a_servers_error_comes_apart_into_code_and_message);
    tcase_add_test(calls, an_error_concerns_its_own_request_only);
    tcase_add_test(calls, after_a_timeout_the_reply_can_still_come);
    tcase_add_test(calls, a_wait_is_told_of_until_it_is_over);
    tcase_add_test(calls, closing_within_a_reply_is_told);
    tcase_add_test(calls, replies_from_before_a_close_are_still_had);
    tcase_add_test(calls, nonsense_ends_the_connection);
    tcase_add_test(calls, replies_over_a_limit_are_refused);
    tcase_add_test(calls, what_is_no_reply_is_passed_over);
    tcase_add_test(calls, both_sides_can_write_at_once);
    suite_add_tcase(suite, calls);
    TCase *values = tcase_create("values");
    tcase_add_checked_fixture(values, setup, teardown);
    tcase_add_test(values, containers_count_their_items);
    tcase_add_test(values, nested_containers_and_all_types_read_back);
    tcase_add_test(values, parameters_that_make_no_sense_are_not_sent);
    tcase_add_test(values, the_last_parameter_can_be_taken_back_and_others_added);
    tcase_add_test(values, values_answer_what_they_cannot_be_with_the_default);
    tcase_add_test(values, decoding_takes_one_value_and_refuses_bad_ones);
    tcase_add_test(values, connections_are_made_by_address);
    tcase_add_test(values, addresses_that_are_none_are_refused);
    suite_add_tcase(suite, values);
    return suite;
}
