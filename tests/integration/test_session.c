/* test_session.c - connections to a real server, over raw sockets: what is answered, in which
 * order, and what bad input, limits and bad manners lead to. Every test ends with a clean
 * shutdown and a verified heap. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/support/session_fixture.h"

static void expect_pings(struct wire *w, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "[1,%u,nil,%u]", i, i);
        wire_expect(w, expected);
    }
}

/* ping(x) with `length` letters for x. */
static void put_large_ping(uint32_t msgid, size_t length)
{
    char *text = malloc(length);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', length);
    writer_request(&out, msgid, "ping", 1);
    writer_str(&out, text, length);
    free(text);
}

static void expect_large_ping(struct wire *w, uint32_t msgid, size_t length)
{
    char begin[64];
    int head = snprintf(begin, sizeof begin, "[1,%u,nil,\"", msgid);
    wire_expect_prefix(w, begin);
    ck_assert_uint_eq(w->text_length, (size_t)head + length + 2);
    ck_assert_uint_eq(strspn(w->text + head, "x"), length);
}

/* --- answers ---------------------------------------------------------------------------------*/

START_TEST(ping_is_answered_over_tcp_and_unix)
{
    START(NULL);
    struct wire *a = tcp(), *b = local();
    writer_request(&out, 1, "ping", 0);
    wire_send_writer(a, &out);
    wire_expect(a, "[1,1,nil,\"PONG\"]");
    writer_request(&out, 4294967295, "ping", 1);
    writer_map(&out, 1);
    writer_cstr(&out, "a");
    writer_array(&out, 2);
    writer_double(&out, 2.5);
    writer_nil(&out);
    wire_send_writer(b, &out);
    wire_expect(b, "[1,4294967295,nil,{\"a\":[2.5,nil]}]");
    hang_up(a);
    hang_up(b);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    enum { COUNT = 10000 };
    START(NULL);
    struct wire *w = tcp();
    for (uint32_t i = 0; i < COUNT; i++) wire_put_ping(&out, i);
    wire_send_writer(w, &out);
    expect_pings(w, 0, COUNT);
    hang_up(w);
}
END_TEST

START_TEST(small_turns_lose_nothing)
{
    enum { COUNT = 3000 };
    START("--turn-requests=3", "--turn-bytes=1k", "--pending-reply-pause=1k");
    struct wire *a = tcp(), *b = local();
    for (uint32_t i = 0; i < COUNT; i++) wire_put_ping(&out, i);
    wire_send(b, out.data, out.length);
    wire_send_writer(a, &out);
    expect_pings(a, 0, COUNT);
    expect_pings(b, 0, COUNT);
    wire_ping(b, COUNT);
    hang_up(a);
    hang_up(b);
}
END_TEST

START_TEST(a_request_may_be_split_at_every_byte)
{
    START(NULL);
    struct wire *w = tcp();
    writer_request(&out, 70000, "ping", 1);
    writer_array(&out, 4);
    writer_cstr(&out, "text that is longer than an inline string");
    writer_uint(&out, UINT64_MAX / 4);
    writer_double(&out, -1.5);
    writer_map(&out, 1);
    writer_cstr(&out, "key");
    writer_bool(&out, true);
    for (size_t split = 1; split < out.length; split++) {
        wire_send(w, out.data, split);
        sleep_ms(1);
        wire_send(w, out.data + split, out.length - split);
        wire_expect(w, "[1,70000,nil,[\"text that is longer than an inline string\","
                       "4611686018427387903,-1.5,{\"key\":true}]]");
    }
    for (size_t i = 0; i < out.length; i++) {
        wire_send(w, out.data + i, 1);
        if (i % 4 == 0) sleep_ms(1);
    }
    wire_expect_prefix(w, "[1,70000,nil,[\"text that");
    hang_up(w);
}
END_TEST

START_TEST(many_connections_are_served_side_by_side)
{
    enum { COUNT = 200 };
    START(NULL);
    struct wire *wires[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) wires[i] = i % 2 ? tcp() : local();
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            wire_put_ping(&out, i * 1000 + round);
            wire_send_writer(wires[i], &out);
        }
        for (uint32_t i = 0; i < COUNT; i++) expect_pings(wires[i], i * 1000 + round, 1);
    }
    for (uint32_t i = 0; i < COUNT; i++) hang_up(wires[i]);
    struct wire *w = tcp();
    wire_ping(w, 1);
    hang_up(w);
}
END_TEST

START_TEST(large_requests_and_replies_pass_whole)
{
    enum { LENGTH = 8 << 20 };
    START(NULL);
    struct wire *w = tcp();
    for (uint32_t i = 0; i < 2; i++) {
        put_large_ping(i, LENGTH);
        wire_send_writer(w, &out);
        expect_large_ping(w, i, LENGTH);
    }
    wire_ping(w, 2);
    hang_up(w);
}
END_TEST

START_TEST(notifications_get_no_response)
{
    START(NULL);
    struct wire *w = tcp();
    writer_notification(&out, "ping", 0);
    writer_notification(&out, "no.such.method", 0);
    wire_put_ping(&out, 9);
    wire_send_writer(w, &out);
    expect_pings(w, 9, 1);
    hang_up(w);
}
END_TEST

START_TEST(a_half_closed_connection_gets_all_its_answers)
{
    enum { COUNT = 2000 };
    START("--turn-requests=10");
    struct wire *w = tcp();
    for (uint32_t i = 0; i < COUNT; i++) wire_put_ping(&out, i);
    wire_send_writer(w, &out);
    ck_assert_int_eq(shutdown(w->fd, SHUT_WR), 0);
    expect_pings(w, 0, COUNT);
    wire_expect(w, NULL);
    hang_up(w);
}
END_TEST

START_TEST(a_client_that_vanishes_harms_nobody)
{
    START(NULL);
    struct wire *other = tcp();
    for (int i = 0; i < 20; i++) {
        struct wire *w = i % 2 ? tcp() : local();
        put_large_ping(1, 300000);
        wire_send(w, out.data, out.length - (i < 10 ? 1000 : 0));
        writer_rewind(&out, 0);
        (i % 3 == 0 ? reset : hang_up)(w);
        wire_ping(other, (uint32_t)i);
    }
    hang_up(other);
}
END_TEST

/* --- bad input -----------------------------------------------------------------------------*/

START_TEST(other_protocols_are_told_what_this_port_speaks)
{
    static const char *const greetings[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                            "POST / HTTP/1.1\r\n", "*1\r\n$4\r\nPING\r\n",
                                            "\x80", "\x92\x00\x01", "\xc1"};
    START(NULL);
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        struct wire *w = i % 2 ? tcp() : local();
        wire_send(w, greetings[i], strlen(greetings[i]));
        wire_expect_prefix(w, "[1,nil,\"BAD_MESSAGE this port speaks MessagePack-RPC");
        wire_expect(w, NULL);
        hang_up(w);
    }
}
END_TEST

START_TEST(a_malformed_stream_gets_an_error_and_a_close)
{
    START(NULL);
    struct wire *w = tcp(), *other = tcp();
    wire_put_ping(&out, 1);
    writer_request(&out, 77, "ping", 1);
    writer_bytes(&out, "\xc1", 1);
    wire_put_ping(&out, 2);
    wire_send_writer(w, &out);
    expect_pings(w, 1, 1);
    wire_expect_prefix(w, "[1,77,\"BAD_MESSAGE ");
    wire_expect(w, NULL);
    wire_ping(other, 3);
    hang_up(w);
    hang_up(other);
}
END_TEST

START_TEST(faulty_messages_are_answered_and_the_connection_goes_on)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *reply; /* its beginning; NULL: none */
    } cases[] = {
        {"\x94\x00\x05\xa4ping\x07", 9, "[1,5,\"BAD_MESSAGE "},      /* params is a number */
        {"\x94\x00\x06\x2a\x90", 5, "[1,6,\"BAD_MESSAGE "},          /* method is a number */
        {"\x94\x00\xff\xa4ping\x90", 9, "[1,nil,\"BAD_MESSAGE "},    /* msgid is negative */
        {"\x94\x09\x07\xa4ping\x90", 9, "[1,7,\"BAD_MESSAGE "},      /* no such type */
        {"\x93\x02\x2a\x90", 4, NULL},                               /* a faulty notification */
        {"\x94\x01\x08\xc0\xa1x", 6, NULL},                          /* a response to nothing */
        {"\x94\x00\x09\xa4none\x90", 9, "[1,9,\"UNKNOWN_METHOD "},
    };
    START(NULL);
    struct wire *w = tcp();
    wire_ping(w, 100);
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wire_send(w, cases[i].bytes, cases[i].length);
        if (cases[i].reply) wire_expect_prefix(w, cases[i].reply);
        wire_ping(w, 200 + i);
    }
    hang_up(w);
}
END_TEST

/* --- limits ---------------------------------------------------------------------------------*/

static void expect_limit(const char *setting)
{
    struct wire *w = tcp();
    wire_send_writer(w, &out);
    const char *got = wire_receive(w);
    ck_assert_ptr_nonnull(got);
    ck_assert_msg(strncmp(got, "[1,5,\"LIMIT ", 12) == 0, "got %s", got);
    ck_assert_msg(strstr(got, setting), "got %s", got);
    wire_expect(w, NULL);
    hang_up(w);
}

START_TEST(requests_over_a_limit_are_told_its_name)
{
    START("--request-bytes=2k", "--request-elements=40", "--request-depth=6");
    put_large_ping(5, 3000);
    expect_limit("(request-bytes)");
    writer_request(&out, 5, "ping", 1);
    writer_array(&out, 100);
    for (int i = 0; i < 100; i++) writer_int(&out, i);
    expect_limit("(request-elements)");
    writer_request(&out, 5, "ping", 1);
    for (int i = 0; i < 7; i++) writer_array(&out, 1);
    writer_nil(&out);
    expect_limit("(request-depth)");
    /* A header that announces four billion items costs nothing. */
    writer_request(&out, 5, "ping", 1);
    writer_bytes(&out, "\xdd\xff\xff\xff\xff", 5);
    expect_limit("(request-elements)");
    struct wire *w = tcp();
    put_large_ping(6, 1900);
    wire_send_writer(w, &out);
    expect_large_ping(w, 6, 1900);
    writer_request(&out, 7, "ping", 1);
    for (int i = 0; i < 6; i++) writer_array(&out, 1);
    writer_nil(&out);
    wire_send_writer(w, &out);
    wire_expect(w, "[1,7,nil,[[[[[[nil]]]]]]]");
    hang_up(w);
}
END_TEST

/* Somebody has hung up; the server may see the next one first. */
static struct wire *connect_when_there_is_room(void)
{
    for (int tries = 0;; tries++) {
        struct wire *w = tcp();
        wire_put_ping(&out, 20);
        wire_send_some(w, out.data, out.length);
        writer_rewind(&out, 0);
        const char *got = wire_receive(w);
        if (got && strcmp(got, "[1,20,nil,20]") == 0) return w;
        ck_assert_int_lt(tries, HANG_MS / 10);
        hang_up(w);
        sleep_ms(10);
    }
}

START_TEST(a_client_too_many_is_told_so)
{
    START("--clients=3");
    struct wire *wires[3];
    for (uint32_t i = 0; i < 3; i++) wire_ping(wires[i] = i ? tcp() : local(), i);
    for (int i = 0; i < 5; i++) {
        struct wire *w = i % 2 ? tcp() : local();
        wire_expect_prefix(w, "[1,nil,\"LIMIT ");
        ck_assert_ptr_nonnull(strstr(w->text, "(clients: 3)"));
        wire_expect(w, NULL);
        hang_up(w);
    }
    for (uint32_t i = 0; i < 3; i++) wire_ping(wires[i], 10 + i);
    hang_up(wires[0]);
    wires[0] = connect_when_there_is_room();
    for (uint32_t i = 0; i < 3; i++) hang_up(wires[i]);
}
END_TEST

START_TEST(an_idle_client_is_dropped_when_asked_for)
{
    START("--idle-time=300ms", "--log-level=debug");
    struct wire *w = tcp();
    wire_expect(w, NULL);
    wait_for_log("ms (idle-time)");
    hang_up(w);
}
END_TEST

/* Sends until the server takes no more, though it has had turn after turn, which the answers to
 * `other` prove; returns how many whole pings have left. What was begun is finished when the
 * answers are read. */
static uint32_t send_until_blocked(struct wire *w, struct wire *other, size_t ping_bytes,
                                   size_t *rest)
{
    enum { TURNS = 20 };
    uint32_t count = 0;
    for (int quiet = 0; quiet < TURNS;) {
        size_t done = 0;
        put_large_ping(count, ping_bytes);
        size_t length = out.length;
        char *data = malloc(length);
        ck_assert_ptr_nonnull(data);
        memcpy(data, out.data, length);
        writer_rewind(&out, 0);
        while (done < length && quiet < TURNS) {
            size_t sent = wire_send_some(w, data + done, length - done);
            done += sent;
            quiet = sent ? 0 : quiet + 1;
            if (!sent) wire_ping(other, 1);
        }
        *rest = length - done;
        if (*rest == 0) count++;
        else writer_bytes(&out, data + done, *rest);
        free(data);
        ck_assert_uint_lt(count, 100000);
    }
    return count;
}

START_TEST(a_client_that_does_not_read_is_paused_and_then_served)
{
    enum { PING_BYTES = 50000 };
    START("--pending-reply-pause=1m");
    struct wire *w = local(), *other = local();
    wire_ping(other, 1);
    size_t rest = 0;
    uint32_t count = send_until_blocked(w, other, PING_BYTES, &rest);
    ck_assert_uint_gt(count, 10);
    ck_assert_uint_lt(count, 1000); /* of 50 kB: far below what would be memory's business */
    wire_ping(other, 2);
    expect_large_ping(w, 0, PING_BYTES);
    for (uint32_t i = 1; i < count; i++) {
        expect_large_ping(w, i, PING_BYTES);
        size_t sent = rest ? wire_send_some(w, out.data + out.length - rest, rest) : 0;
        rest -= sent;
    }
    if (rest) wire_send(w, out.data + out.length - rest, rest);
    expect_large_ping(w, count, PING_BYTES);
    wire_ping(w, 7);
    hang_up(w);
    hang_up(other);
}
END_TEST

START_TEST(a_client_that_never_reads_is_dropped_after_a_time)
{
    START("--pending-reply-pause=64k", "--pending-reply-time=500ms");
    struct wire *w = local(), *other = local();
    size_t rest = 0;
    send_until_blocked(w, other, 50000, &rest);
    wait_for_log("(pending-reply-time)");
    wire_ping(other, 2);
    hang_up(w);
    hang_up(other);
}
END_TEST

START_TEST(a_client_with_too_many_replies_is_dropped)
{
    enum { PING_BYTES = 3 << 20 };
    START("--reply-bytes=4m", "--pending-reply-bytes=4m", "--pending-reply-pause=4m");
    struct wire *w = local(), *other = local();
    for (uint32_t i = 0; i < 2; i++) {
        put_large_ping(i, PING_BYTES);
        wire_send_writer(w, &out);
    }
    wait_for_log("(pending-reply-bytes: 4194304)");
    wire_ping(other, 2);
    hang_up(w);
    hang_up(other);
}
END_TEST

START_TEST(one_client_does_not_keep_the_others_waiting)
{
    enum { COUNT = 100000 };
    START("--turn-requests=50");
    struct wire *busy = tcp(), *other = tcp();
    wire_ping(other, 1);
    for (uint32_t i = 0; i < COUNT; i++) wire_put_ping(&out, i);
    size_t sent = 0;
    while (sent < (size_t)400 << 10)
        sent += wire_send_some(busy, out.data + sent, out.length - sent);
    /* The other's answer arrives while most of the busy one's requests still wait. */
    wire_ping(other, 2);
    for (uint32_t i = 0; i < COUNT; i++) {
        if (sent < out.length) sent += wire_send_some(busy, out.data + sent, out.length - sent);
        expect_pings(busy, i, 1);
        if (i % 5000 == 0) wire_ping(other, i);
    }
    hang_up(busy);
    hang_up(other);
}
END_TEST

/* --- requests that take long ------------------------------------------------------------------*/

/* set("big", a list of `count` lists of one number), answered. */
static void set_big(struct wire *w, uint32_t count)
{
    writer_request(&out, 1, "set", 2);
    writer_cstr(&out, "big");
    writer_array(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_array(&out, 1);
        writer_uint(&out, i);
    }
    wire_send_writer(w, &out);
    wire_expect(w, "[1,1,nil,true]");
}

/* Requests that each keep the server for some milliseconds. */
static void send_slow_requests(struct wire *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        writer_request(&out, i, "gc.step", 1);
        writer_uint(&out, 10000);
    }
    wire_send_writer(w, &out);
}

static size_t bytes_here(const struct wire *w)
{
    int unread = 0;
    ck_assert_int_eq(ioctl(w->fd, FIONREAD, &unread), 0);
    return (size_t)unread + w->length - w->used;
}

/* How many requests the server has answered by now, as it says itself; not this one. */
static uint64_t requests_answered(struct wire *w)
{
    const char *got = wire_receive(w), *at = got ? strstr(got, "\"requests\":") : NULL;
    ck_assert_msg(at, "got %s", got ? got : "no answer");
    return strtoull(at + strlen("\"requests\":"), NULL, 10);
}

static void ask_requests_answered(struct wire *w)
{
    writer_request(&out, 1, "server.info", 1);
    writer_cstr(&out, "clients");
    wire_send_writer(w, &out);
}

/* Both clients' requests are there before the server looks at any. */
START_TEST(slow_requests_of_one_client_do_not_keep_the_others_waiting)
{
    enum { COUNT = 100 };
    START(NULL);
    struct wire *slow = tcp(), *other = tcp();
    set_big(slow, 200000);
    ask_requests_answered(other);
    uint64_t before = requests_answered(other);
    server_process_halt(&server);
    send_slow_requests(slow, COUNT);
    ask_requests_answered(other);
    server_process_go_on(&server);
    uint64_t answered = requests_answered(other) - before;
    ck_assert_msg(answered < COUNT / 2, "%d of %d answered before", (int)answered, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        char begin[32];
        snprintf(begin, sizeof begin, "[1,%u,nil,", i);
        wire_expect_prefix(slow, begin);
    }
    hang_up(slow);
    hang_up(other);
}
END_TEST

/* New requests are polled between the turns of those that wait, not after all of them. How many
 * were answered before a new one came is counted here, while the server is halted. */
START_TEST(slow_requests_of_many_clients_do_not_keep_another_waiting)
{
    enum { CLIENTS = 16, COUNT = 20, TRIES = 8, REPLY_BYTES = 5 };
    START(NULL);
    struct wire *slow[CLIENTS], *other = tcp();
    set_big(other, 200000);
    for (int i = 0; i < CLIENTS; i++) slow[i] = tcp();
    ask_requests_answered(other);
    uint64_t first = requests_answered(other) + 1, waited_for = 0, now = 0;
    server_process_halt(&server);
    for (int i = 0; i < CLIENTS; i++) send_slow_requests(slow[i], COUNT);
    for (uint32_t i = 0; i < TRIES; i++) {
        size_t before = 0;
        for (int k = 0; k < CLIENTS; k++) before += bytes_here(slow[k]) / REPLY_BYTES;
        ask_requests_answered(other);
        server_process_go_on(&server);
        now = requests_answered(other) - first - i;
        server_process_halt(&server);
        waited_for += now - before;
    }
    server_process_go_on(&server);
    ck_assert_uint_gt(now, 0); /* they went on meanwhile */
    ck_assert_msg(waited_for < TRIES * CLIENTS / 3, "%d requests waited for %d slow ones", TRIES,
                  (int)waited_for);
    for (int i = 0; i < CLIENTS; i++) hang_up(slow[i]);
    hang_up(other);
}
END_TEST

/* --- calls that take many steps -------------------------------------------------------------*/

static void put_size(uint32_t msgid)
{
    writer_request(&out, msgid, "mem.size", 2);
    writer_cstr(&out, "big");
    writer_map(&out, 1);
    writer_cstr(&out, "of");
    writer_cstr(&out, "deep");
}

/* Asserts the answer to put_size: more than a word for each list and number. */
static void expect_size(struct wire *w, uint32_t msgid, uint32_t count)
{
    char begin[32];
    int length = snprintf(begin, sizeof begin, "[1,%u,nil,", msgid);
    wire_expect_prefix(w, begin);
    ck_assert_int_gt(atoll(w->text + length), (long long)count * 16);
}

START_TEST(later_requests_wait_for_a_long_call)
{
    enum { COUNT = 200000 };
    START(NULL);
    struct wire *w = tcp(), *other = tcp();
    set_big(w, COUNT);
    for (uint32_t i = 0; i < 20; i++) {
        wire_put_ping(&out, 10 * i);
        put_size(10 * i + 1);
        writer_request(&out, 10 * i + 2, "gc.collect", 0);
        wire_put_ping(&out, 10 * i + 3);
    }
    wire_send_writer(w, &out);
    for (uint32_t i = 0; i < 20; i++) {
        char begin[32];
        snprintf(begin, sizeof begin, "[1,%u,nil,", 10 * i + 2);
        expect_pings(w, 10 * i, 1);
        expect_size(w, 10 * i + 1, COUNT);
        wire_ping(other, i); /* others are served meanwhile */
        wire_expect_prefix(w, begin);
        expect_pings(w, 10 * i + 3, 1);
    }
    hang_up(w);
    hang_up(other);
}
END_TEST

START_TEST(a_client_may_vanish_during_a_long_call)
{
    enum { COUNT = 200000 };
    START(NULL);
    struct wire *other = tcp();
    set_big(other, COUNT);
    for (uint32_t i = 0; i < 10; i++) {
        struct wire *w = i % 2 ? tcp() : local();
        put_size(1);
        if (i % 3 == 0) writer_request(&out, 2, "gc.collect", 0);
        wire_put_ping(&out, 3);
        wire_send_writer(w, &out);
        (i % 4 < 2 ? reset : hang_up)(w);
        put_size(i);
        wire_send_writer(other, &out);
        const char *got = wire_receive(other); /* a size, or BUSY with the other's */
        ck_assert_ptr_nonnull(got);
        wire_ping(other, i);
    }
    hang_up(other);
}
END_TEST

START_TEST(a_long_call_is_answered_before_the_end)
{
    enum { COUNT = 200000 };
    START(NULL);
    struct wire *w = tcp(), *other = tcp();
    set_big(w, COUNT);
    put_size(2);
    wire_send_writer(w, &out);
    writer_request(&out, 3, "server.shutdown", 0);
    wire_send_writer(other, &out);
    wire_expect(other, "[1,3,nil,true]");
    wire_expect(other, NULL);
    expect_size(w, 2, COUNT);
    wire_expect(w, NULL);
    hang_up(w);
    hang_up(other);
    server_process_join(&server);
}
END_TEST

/* --- the process ----------------------------------------------------------------------------*/

START_TEST(shutdown_answers_what_came_before_it)
{
    START(NULL);
    struct wire *w = tcp(), *idle = local();
    wire_ping(idle, 1);
    for (uint32_t i = 0; i < 100; i++) wire_put_ping(&out, i);
    writer_request(&out, 100, "server.shutdown", 0);
    for (uint32_t i = 101; i < 200; i++) wire_put_ping(&out, i);
    wire_send_writer(w, &out);
    expect_pings(w, 0, 100);
    wire_expect(w, "[1,100,nil,true]");
    wire_expect(w, NULL);
    wire_expect(idle, NULL);
    hang_up(w);
    hang_up(idle);
    server_process_join(&server);
}
END_TEST

START_TEST(shutdown_does_not_wait_long_for_readers_that_do_not_read)
{
    START("--shutdown-time=300ms", "--pending-reply-pause=64k");
    struct wire *w = local(), *half = tcp(), *other = local();
    size_t rest = 0;
    wire_put_ping(&out, 1);
    wire_send(half, out.data, out.length - 1);
    writer_rewind(&out, 0);
    send_until_blocked(w, other, 50000, &rest);
    kill(server.pid, SIGTERM);
    wire_expect(half, NULL);
    server_process_join(&server); /* with status 0 */
    hang_up(w);
    hang_up(half);
    hang_up(other);
}
END_TEST

START_TEST(an_idle_server_uses_no_cpu)
{
    START(NULL);
    struct wire *w = tcp();
    for (uint32_t i = 0; i < 20000; i++) wire_put_ping(&out, i);
    wire_send_writer(w, &out);
    expect_pings(w, 0, 20000);
    wait_until_idle();
    wire_ping(w, 1);
    hang_up(w);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__)
START_TEST(an_idle_connection_costs_little)
{
    enum { COUNT = 500 };
    START(NULL);
    struct wire *wires[COUNT];
    for (uint32_t i = 0; i < 20; i++) wire_ping(wires[i] = local(), i);
    sleep_ms(100);
    long before = server_process_rss_kib(&server);
    for (uint32_t i = 20; i < COUNT; i++) wire_ping(wires[i] = local(), i);
    sleep_ms(100);
    long used = server_process_rss_kib(&server) - before;
    ck_assert_msg(used <= 4 * (COUNT - 20), "%ld KiB for %d connections", used, COUNT - 20);
    for (uint32_t i = 0; i < COUNT; i++) hang_up(wires[i]);
}
END_TEST
#endif

Suite *test_suite(void)
{
    Suite *suite = suite_create("session");
    TCase *tcase = tcase_create("session");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, session_setup, session_teardown);
    tcase_add_test(tcase, ping_is_answered_over_tcp_and_unix);
    tcase_add_test(tcase, pipelined_requests_are_answered_in_order);
    tcase_add_test(tcase, small_turns_lose_nothing);
    tcase_add_test(tcase, a_request_may_be_split_at_every_byte);
    tcase_add_test(tcase, many_connections_are_served_side_by_side);
    tcase_add_test(tcase, large_requests_and_replies_pass_whole);
    tcase_add_test(tcase, notifications_get_no_response);
    tcase_add_test(tcase, a_half_closed_connection_gets_all_its_answers);
    tcase_add_test(tcase, a_client_that_vanishes_harms_nobody);
    tcase_add_test(tcase, other_protocols_are_told_what_this_port_speaks);
    tcase_add_test(tcase, a_malformed_stream_gets_an_error_and_a_close);
    tcase_add_test(tcase, faulty_messages_are_answered_and_the_connection_goes_on);
    tcase_add_test(tcase, requests_over_a_limit_are_told_its_name);
    tcase_add_test(tcase, a_client_too_many_is_told_so);
    tcase_add_test(tcase, an_idle_client_is_dropped_when_asked_for);
    tcase_add_test(tcase, a_client_that_does_not_read_is_paused_and_then_served);
    tcase_add_test(tcase, a_client_that_never_reads_is_dropped_after_a_time);
    tcase_add_test(tcase, a_client_with_too_many_replies_is_dropped);
    tcase_add_test(tcase, one_client_does_not_keep_the_others_waiting);
    tcase_add_test(tcase, slow_requests_of_one_client_do_not_keep_the_others_waiting);
    tcase_add_test(tcase, slow_requests_of_many_clients_do_not_keep_another_waiting);
    tcase_add_test(tcase, later_requests_wait_for_a_long_call);
    tcase_add_test(tcase, a_client_may_vanish_during_a_long_call);
    tcase_add_test(tcase, a_long_call_is_answered_before_the_end);
    tcase_add_test(tcase, shutdown_answers_what_came_before_it);
    tcase_add_test(tcase, shutdown_does_not_wait_long_for_readers_that_do_not_read);
    tcase_add_test(tcase, an_idle_server_uses_no_cpu);
#if !defined(__SANITIZE_ADDRESS__)
    tcase_add_test(tcase, an_idle_connection_costs_little);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}
