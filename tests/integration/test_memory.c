/* test_memory.c - memory of connections: what many clients together make the server hold by not
 * reading their replies, and by not ending their requests. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/session_fixture.h"

/* set(key, a text of `length` letters), answered. */
static void set_text(struct wire *w, const char *key, size_t length)
{
    char *text = malloc(length);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', length);
    writer_request(&out, 1, "set", 2);
    writer_cstr(&out, key);
    writer_str(&out, text, length);
    wire_send_writer(w, &out);
    wire_expect(w, "[1,1,nil,true]");
    free(text);
}

static void send_get(struct wire *w, const char *key)
{
    writer_request(&out, 2, "get", 1);
    writer_cstr(&out, key);
    wire_send_writer(w, &out);
}

/* --- replies ---------------------------------------------------------------------------------*/

START_TEST(unread_replies_of_all_clients_together_are_bounded)
{
    enum { CLIENTS = 24, LENGTH = 12 << 20, MEMORY_MB = 32 };
    START("--reply-memory=32m");
    struct wire *wires[CLIENTS], *honest = tcp();
    set_text(honest, "big", LENGTH);
    set_text(honest, "small", 3000);
    long before = server_process_rss_kib(&server), most = 0;
    for (int i = 0; i < CLIENTS; i++) {
        send_get(wires[i] = tcp(), "big");
        wire_ping(honest, 7);
        long now = server_process_rss_kib(&server);
        if (now > most) most = now;
    }
#if !defined(__SANITIZE_ADDRESS__)
    ck_assert_msg(most - before < 3 * MEMORY_MB * 1024, "%ld KiB more than before", most - before);
#else
    (void)before; /* freed memory is kept in quarantine */
#endif
    send_get(honest, "small");
    wire_expect_prefix(honest, "[1,2,nil,\"xxx");
    /* What does not fit is refused by name, until room has been made. */
    for (int tries = 0;; tries++) {
        send_get(honest, "big");
        const char *got = wire_receive(honest);
        ck_assert_ptr_nonnull(got);
        if (strncmp(got, "[1,2,nil,", 9) == 0) break;
        ck_assert_int_eq(strncmp(got, "[1,2,\"LIMIT get: ", 17), 0);
        ck_assert_ptr_nonnull(strstr(got, "reply-memory"));
        ck_assert_int_lt(tries, HANG_MS / 100);
        sleep_ms(100);
    }
    ck_assert_uint_gt(honest->text_length, LENGTH);
    wait_for_log("(reply-memory: 33554432)");
    for (int i = 0; i < CLIENTS; i++) hang_up(wires[i]);
    wire_ping(honest, 8);
    hang_up(honest);
}
END_TEST

START_TEST(readers_get_all_their_replies_when_memory_is_short)
{
    enum { CLIENTS = 12, COUNT = 40, LENGTH = 300 << 10 };
    START("--reply-memory=2m");
    struct wire *wires[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) wires[i] = tcp();
    set_text(wires[0], "text", LENGTH);
    for (int i = 0; i < CLIENTS; i++)
        for (int k = 0; k < COUNT; k++) send_get(wires[i], "text");
    /* Each is answered, with the value or with the name of the limit. */
    size_t values = 0;
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = 0; k < COUNT; k++) {
            const char *got = wire_receive(wires[i]);
            if (!got) break; /* dropped to make room */
            bool is_value = strncmp(got, "[1,2,nil,\"xxx", 13) == 0;
            ck_assert_msg(is_value || strstr(got, "reply-memory"), "got %.80s", got);
            values += is_value;
        }
    }
    ck_assert_uint_gt(values, 2 * CLIENTS);
    for (int i = 0; i < CLIENTS; i++) hang_up(wires[i]);
}
END_TEST

/* A connection with a receive buffer of a few KB, so that what it reads shows at once. */
static int connect_narrow(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), bytes = 2048;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

START_TEST(a_client_that_reads_a_little_now_and_then_is_dropped)
{
    START("--pending-reply-time=2s");
    struct wire *honest = tcp();
    set_text(honest, "big", 8 << 20);
    int fd = connect_narrow();
    writer_request(&out, 2, "get", 1);
    writer_cstr(&out, "big");
    ck_assert_int_eq(send(fd, out.data, out.length, 0), (ssize_t)out.length);
    writer_rewind(&out, 0);
    for (int i = 0; !server_process_logged(&server, "(pending-reply-time)"); i++) {
        char some[200];
        ck_assert_int_lt(i, HANG_MS / 100);
        ssize_t got = recv(fd, some, sizeof some, MSG_DONTWAIT);
        (void)got; /* whatever there is */
        sleep_ms(100);
    }
    close(fd);
    wire_ping(honest, 3);
    hang_up(honest);
}
END_TEST

/* --- requests --------------------------------------------------------------------------------*/

/* The first `length` bytes of the text of a set that announces twice as many. */
static void send_half_a_set(struct wire *w, uint32_t msgid, size_t length)
{
    char *text = malloc(length);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', length);
    writer_request(&out, msgid, "set", 2);
    writer_cstr(&out, "half");
    writer_str_header(&out, 2 * length);
    writer_bytes(&out, text, length);
    wire_send_writer(w, &out);
    free(text);
}

static void send_other_half(struct wire *w, size_t length)
{
    char *text = malloc(length);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', length);
    wire_send(w, text, length);
    free(text);
}

START_TEST(the_newest_unfinished_request_is_given_up_when_memory_is_short)
{
    enum { HALF = 3 << 20 };
    START("--request-memory=5m");
    struct wire *wires[4], *honest = tcp();
    for (uint32_t i = 0; i < 4; i++) {
        send_half_a_set(wires[i] = tcp(), i, HALF);
        wire_ping(honest, i); /* this one has begun: they begin in this order */
    }
    set_text(honest, "text", 40000);
    for (uint32_t i = 0; i < 4; i++) {
        send_other_half(wires[i], HALF);
        char expected[64];
        snprintf(expected, sizeof expected, i ? "[1,%u,\"LIMIT " : "[1,%u,nil,true]", i);
        wire_expect_prefix(wires[i], expected);
        if (i) ck_assert_ptr_nonnull(strstr(wires[i]->text, "(request-memory)"));
        wire_ping(wires[i], 9); /* the connection goes on */
    }
    for (uint32_t i = 0; i < 4; i++) hang_up(wires[i]);
    hang_up(honest);
}
END_TEST

START_TEST(many_small_unfinished_requests_are_bounded_together)
{
    enum { CLIENTS = 60, HALF = 40000 };
    START("--request-memory=1m");
    struct wire *wires[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) send_half_a_set(wires[i] = tcp(), i, HALF);
    size_t refused = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        send_other_half(wires[i], HALF);
        const char *got = wire_receive(wires[i]);
        ck_assert_ptr_nonnull(got);
        refused += strstr(got, "(request-memory)") != NULL;
        wire_ping(wires[i], 9);
        hang_up(wires[i]);
    }
    ck_assert_uint_gt(refused, CLIENTS / 3);
    ck_assert_uint_lt(refused, CLIENTS);
}
END_TEST

START_TEST(a_request_that_is_larger_than_the_memory_of_all_passes_alone)
{
    START("--request-memory=1m");
    struct wire *w = tcp(), *other = tcp();
    wire_put_ping(&out, 1);
    wire_send(other, out.data, out.length - 1); /* unfinished, but small */
    writer_rewind(&out, 0);
    set_text(w, "text", 8 << 20);
    hang_up(w);
    hang_up(other);
}
END_TEST

START_TEST(a_request_that_does_not_go_on_ends_its_connection)
{
    START("--request-time=1s");
    struct wire *silent = tcp(), *honest = tcp();
    send_half_a_set(silent, 5, 100000);
    wire_expect_prefix(silent, "[1,5,\"LIMIT ");
    ck_assert_ptr_nonnull(strstr(silent->text, "(request-time)"));
    wire_expect(silent, NULL);
    wire_ping(honest, 6);
    hang_up(silent);
    hang_up(honest);
}
END_TEST

START_TEST(a_long_call_ends_when_its_client_is_gone)
{
    enum { LISTS = 900000 };
    START("--log-level=debug", "--turn-time=200ms");
    struct wire *owner = tcp(), *busy = tcp(), *gone = tcp();
    writer_request(&out, 1, "set", 2);
    writer_cstr(&out, "big");
    writer_array(&out, LISTS);
    for (uint32_t i = 0; i < LISTS; i++) writer_array(&out, 0);
    wire_send_writer(owner, &out);
    wire_expect(owner, "[1,1,nil,true]");
    /* Others leave the call so little time that it takes many seconds. */
    for (uint32_t i = 0; i < 2000; i++) {
        writer_request(&out, i, "gc.step", 1);
        writer_uint(&out, 10000);
    }
    wire_send_writer(busy, &out);
    writer_request(&out, 1, "mem.size", 1);
    writer_cstr(&out, "big");
    wire_send_writer(gone, &out);
    wire_ping(owner, 1); /* the call has begun */
    reset(gone);
    wait_for_log("is gone; its call ends");
    wire_ping(owner, 2);
    hang_up(busy);
    hang_up(owner);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, session_setup, session_teardown);
    tcase_add_test(tcase, unread_replies_of_all_clients_together_are_bounded);
    tcase_add_test(tcase, readers_get_all_their_replies_when_memory_is_short);
    tcase_add_test(tcase, a_client_that_reads_a_little_now_and_then_is_dropped);
    tcase_add_test(tcase, the_newest_unfinished_request_is_given_up_when_memory_is_short);
    tcase_add_test(tcase, many_small_unfinished_requests_are_bounded_together);
    tcase_add_test(tcase, a_request_that_is_larger_than_the_memory_of_all_passes_alone);
    tcase_add_test(tcase, a_request_that_does_not_go_on_ends_its_connection);
    tcase_add_test(tcase, a_long_call_ends_when_its_client_is_gone);
    suite_add_tcase(suite, tcase);
    return suite;
}
