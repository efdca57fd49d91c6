/* test_gone.c - clients that go while their call runs, over TCP and Unix sockets: that the call
 * ends with them, with all that it has changed; and that a client that has only closed its own
 * direction gets its answers.
 *
 * The server runs within the test, turn by turn. What makes a call last for as long as a test likes
 * is a draft that the test has opened: calls that change the table stand in line until it is
 * abandoned. So nothing here depends on how fast anything is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "heap/map.h"
#include "heap/table_draft.h"
#include "heap/verify.h"
#include "server/log.h"
#include "server/session.h"
#include "tests/support/literal.h"
#include "tests/support/runner.h"
#include "tests/support/wire.h"

/* Far more than anything takes. */
#define WAIT_MS 120000
/* Longer than the server takes to look for a client, several times. */
#define QUIET_MS (6 * PEER_CHECK_MS)

static struct server *server;
static char directory[] = "/tmp/cairn-gone-XXXXXX";
static char unix_path[64];
static int port;
static struct table_draft *draft;
static struct writer out;
static struct wire wires[3];

static void server_open(void)
{
    struct settings settings;
    char error[200];
    ck_assert_int_eq(settings_init(&settings), 0);
    const char *const changes[][2] = {{"port", "0"}, {"unix", unix_path}, {"max-memory", "512m"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        ck_assert_int_eq(settings_set(&settings, changes[i][0], changes[i][1], error, sizeof error),
                         0);
    ck_assert_int_eq(log_open("error", ""), 0);
    ck_assert_msg(server_create(&server, &settings, error, sizeof error) == 0, "%s", error);
    ck_assert_msg(server_listen(server, error, sizeof error) == 0, "%s", error);
    port = atoi(strrchr(server->tcp_name, ':') + 1);
}

static void setup(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(unix_path, sizeof unix_path, "%s/socket", directory);
    writer_init(&out, 0);
    draft = NULL;
    server_open();
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void turn(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    uv_run(&server->loop, UV_RUN_NOWAIT);
    nanosleep(&moment, NULL);
}

#define TURN_UNTIL(condition)                                                                     \
    for (uint64_t begin_ = now_ms(); !(condition);) {                                             \
        ck_assert_msg(now_ms() - begin_ < WAIT_MS, "in vain: " #condition);                       \
        turn();                                                                                   \
    }

static void teardown(void)
{
    char message[300];
    ck_assert_msg(heap_verify(server->heap, message, sizeof message) == 0, "%s", message);
    server_shutdown(server);
    while (uv_run(&server->loop, UV_RUN_NOWAIT) != 0) {}
    server_destroy(server);
    writer_close(&out);
    unlink(unix_path);
    rmdir(directory);
}

/* --- clients --------------------------------------------------------------------------------*/

/* Client `i`, over TCP or a Unix socket. */
static struct wire *client(int i, bool over_tcp)
{
    if (over_tcp) wire_open_tcp(&wires[i], port);
    else wire_open_unix(&wires[i], unix_path);
    return &wires[i];
}

static void put(uint32_t msgid, const char *method, const char *params)
{
    struct writer items;
    writer_init(&items, 0);
    size_t count = literal_write(&items, params);
    writer_request(&out, msgid, method, count);
    writer_bytes(&out, items.data, items.length);
    writer_close(&items);
}

static size_t unread(const struct wire *w)
{
    int bytes = 0;
    ck_assert_int_eq(ioctl(w->fd, FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

/* The answer to one request, on a connection that is not closed. */
static void expect_answer(struct wire *w, const char *text)
{
    TURN_UNTIL(unread(w) > 1);
    wire_expect(w, text);
}

static void ask(struct wire *w, const char *method, const char *params, const char *answer)
{
    put(7, method, params);
    wire_send_writer(w, &out);
    expect_answer(w, answer);
}

static unsigned calls_pending(void)
{
    unsigned count = 0;
    for (struct session *s = server->sessions.first; s; s = s->links[LINK_ALL].next)
        count += s->call_pending;
    return count;
}

/* --- the table ------------------------------------------------------------------------------*/

static void make_table(struct wire *w)
{
    ask(w, "table.create", "'t', [['n', 'i64'], ['s', 'str']]", "[1,7,nil,true]");
    ask(w, "table.append", "'t', {'rows': [[1, 'one'], [2, 'two']]}",
        "[1,7,nil,{\"first\":0,\"n\":2}]");
}

static struct table *the_table(void)
{
    struct map_key key;
    map_key_text(server->heap, &key, "t", 1);
    value v = keys_get(&server->keys, &key);
    ck_assert(v != VALUE_ABSENT);
    return table_of(server->heap, v);
}

static void table_block(void)
{
    struct table_error error;
    ck_assert_int_eq(table_draft_open(the_table(), &draft, &error), 0);
}

static void table_unblock(void)
{
    table_draft_abandon(draft);
    draft = NULL;
}

/* --- tests ----------------------------------------------------------------------------------*/

/* What client 1 sends waits for the table; once it is gone, client 2's change is the only one. */
static void expect_given_up(bool over_tcp, void (*leave)(struct wire *w))
{
    struct wire *keeper = client(0, over_tcp), *w = client(1, over_tcp);
    make_table(keeper);
    table_block();
    put(1, "table.update", "'t', ['and'], {'n': 77}");
    wire_send_writer(w, &out);
    TURN_UNTIL(calls_pending() == 1);
    struct wire *next = client(2, over_tcp);
    put(2, "table.update", "'t', ['=', 'n', 1], {'n': 5}");
    wire_send_writer(next, &out);
    TURN_UNTIL(calls_pending() == 2);
    leave(w);
    TURN_UNTIL(server->sessions.count == 2);
    table_unblock();
    expect_answer(next, "[1,2,nil,1]");
    ask(keeper, "get", "'t'", "[1,7,nil,[{\"n\":5,\"s\":\"one\"},{\"n\":2,\"s\":\"two\"}]]");
    wire_close(keeper);
    wire_close(next);
}

static void close_it(struct wire *w) { wire_close(w); }

static void reset_it(struct wire *w)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    wire_close(w);
}

/* With more requests behind the one that runs than the connection takes. */
static void close_it_full(struct wire *w)
{
    static char text[100000];
    put(3, "ping", "1");
    for (size_t i = 0; i < sizeof text; i++) text[i] = 1; /* integers, in an array */
    writer_request(&out, 4, "ping", 1);
    writer_array(&out, 100000000);
    wire_send_writer(w, &out);
    for (int idle = 0; idle < 20; turn())
        idle = wire_send_some(w, text, sizeof text) > 0 ? 0 : idle + 1;
    wire_close(w);
}

/* Has half closed, and waited in vain. */
static void close_it_late(struct wire *w)
{
    ck_assert_int_eq(shutdown(w->fd, SHUT_WR), 0);
    TURN_UNTIL(unread(w) == 1);
    wire_close(w);
}

START_TEST(a_change_ends_with_its_client)
{
    expect_given_up(_i % 2, _i < 2 ? close_it : _i < 4 ? reset_it : _i < 6 ? close_it_full
                                                                           : close_it_late);
}
END_TEST

/* It asked for no answer. */
START_TEST(a_notification_is_carried_out)
{
    struct wire *keeper = client(0, _i), *w = client(1, _i);
    make_table(keeper);
    table_block();
    struct writer items;
    writer_init(&items, 0);
    size_t count = literal_write(&items, "'t', ['=', 'n', 2], {'n': 77}");
    writer_notification(&out, "table.update", count);
    writer_bytes(&out, items.data, items.length);
    writer_close(&items);
    wire_send_writer(w, &out);
    wire_close(w);
    TURN_UNTIL(calls_pending() == 1);
    uint64_t begin = now_ms();
    while (now_ms() - begin < QUIET_MS) turn();
    ck_assert_uint_eq(calls_pending(), 1);
    table_unblock();
    TURN_UNTIL(server->sessions.count == 1);
    ask(keeper, "table.get", "'t', 1", "[1,7,nil,{\"n\":77,\"s\":\"two\"}]");
    wire_close(keeper);
}
END_TEST

/* As of printf ... | nc: requests, the end of the stream, and then all the answers. */
START_TEST(a_half_closed_client_gets_its_answers)
{
    struct wire *keeper = client(0, _i), *w = client(1, _i);
    make_table(keeper);
    table_block();
    put(1, "table.update", "'t', ['=', 'n', 2], {'n': 77}");
    put(70000, "table.update", "'t', ['=', 'n', 2], {'n': 78}");
    put(3, "table.update", "'t', ['=', 'x', 2], {'n': 78}");
    wire_send_writer(w, &out);
    ck_assert_int_eq(shutdown(w->fd, SHUT_WR), 0);
    TURN_UNTIL(calls_pending() == 1);
    uint64_t begin = now_ms();
    while (now_ms() - begin < QUIET_MS) turn();
    ck_assert_uint_eq(calls_pending(), 1);
    table_unblock();
    TURN_UNTIL(server->sessions.count == 1);
    wire_expect(w, "[1,1,nil,1]");
    wire_expect(w, "[1,70000,nil,0]");
    wire_expect_prefix(w, "[1,3,\"NOT_FOUND ");
    wire_expect(w, NULL);
    wire_close(w);
    wire_close(keeper);
}
END_TEST

/* What it has been answered by then is an error. */
START_TEST(a_half_closed_client_gets_an_error_whole)
{
    struct wire *keeper = client(0, _i), *w = client(1, _i);
    make_table(keeper);
    table_block();
    put(70000, "table.append", "'t', {'rows': [[1, 'one']]}");
    wire_send_writer(w, &out);
    ck_assert_int_eq(shutdown(w->fd, SHUT_WR), 0);
    TURN_UNTIL(unread(w) == 1);
    ask(keeper, "del", "'t'", "[1,7,nil,1]");
    table_unblock();
    TURN_UNTIL(server->sessions.count == 1);
    wire_expect_prefix(w, "[1,70000,\"NOT_FOUND ");
    wire_expect(w, NULL);
    wire_close(w);
    wire_close(keeper);
}
END_TEST

/* The client is there, and its later requests wait in the connection. */
START_TEST(requests_that_wait_behind_a_call_are_answered)
{
    struct wire *keeper = client(0, _i), *w = client(1, _i);
    make_table(keeper);
    table_block();
    put(1, "set", "['t', 0, 'n'], 77");
    wire_send_writer(w, &out);
    TURN_UNTIL(calls_pending() == 1);
    put(2, "table.get", "'t', 0");
    wire_send_writer(w, &out);
    TURN_UNTIL(unread(w) == 1); /* the server has asked whether anybody is there */
    uint64_t begin = now_ms();
    while (now_ms() - begin < QUIET_MS) turn();
    ck_assert_uint_eq(unread(w), 1);
    table_unblock();
    expect_answer(w, "[1,1,nil,true]");
    expect_answer(w, "[1,2,nil,{\"n\":77,\"s\":\"one\"}]");
    wire_close(w);
    wire_close(keeper);
}
END_TEST

/* A million rows of b: k (u8) and s (str, nil). */
static void make_many(struct wire *w)
{
    enum { PIECES = 20, ROWS = 50000 };
    static unsigned char k[ROWS];
    for (size_t i = 0; i < ROWS; i++) k[i] = (unsigned char)(i * 7 % 251);
    ask(w, "table.create", "'b', [['k', 'u8'], ['s', 'str', {'null': true}]]", "[1,7,nil,true]");
    for (int i = 0; i < PIECES; i++) {
        char answer[60];
        writer_request(&out, 7, "table.append", 2);
        writer_cstr(&out, "b");
        writer_map(&out, 2);
        writer_cstr(&out, "n");
        writer_uint(&out, ROWS);
        writer_cstr(&out, "cols");
        writer_map(&out, 1);
        writer_cstr(&out, "k");
        writer_bin(&out, k, ROWS);
        wire_send_writer(w, &out);
        snprintf(answer, sizeof answer, "[1,7,nil,{\"first\":%d,\"n\":%d}]", i * ROWS, ROWS);
        expect_answer(w, answer);
    }
}

/* A change of many rows that has begun, and a query: they need many more turns than they get. */
START_TEST(work_that_has_begun_ends)
{
    static const char *const calls[][2] = {
        {"table.update", "'b', ['and'], {'s': 'a longer text for each of the rows'}"},
        {"table.agg", "'b', {'agg': {'a': ['median', 'k'], 'b': ['median', ['*', ['col', 'k'], "
                      "['lit', 2]]], 'c': ['median', ['*', ['col', 'k'], ['lit', 3]]]}}"},
    };
    const struct timespec pause = {.tv_nsec = (PEER_CHECK_MS + 10) * 1000000L};
    struct wire *keeper = client(0, _i % 2), *w = client(1, _i % 2);
    make_many(keeper);
    put(1, calls[_i / 2][0], calls[_i / 2][1]);
    wire_send_writer(w, &out);
    TURN_UNTIL(calls_pending() == 1);
    wire_close(w);
    for (int i = 0; server->sessions.count == 2; i++) {
        ck_assert_int_lt(i, 8);
        nanosleep(&pause, NULL);
        uv_run(&server->loop, UV_RUN_NOWAIT);
    }
    put(7, "table.agg", "'b', {'where': ['null', 's'], 'agg': {'n': ['count']}}");
    wire_send_writer(keeper, &out);
    TURN_UNTIL(unread(keeper) > 0);
    ck_assert_ptr_nonnull(strstr(wire_receive(keeper), "[[1000000]]"));
    wire_close(keeper);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("gone");
    TCase *tc = tcase_create("gone");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 900);
    tcase_add_loop_test(tc, a_change_ends_with_its_client, 0, 8);
    tcase_add_loop_test(tc, a_notification_is_carried_out, 0, 2);
    tcase_add_loop_test(tc, a_half_closed_client_gets_its_answers, 0, 2);
    tcase_add_loop_test(tc, a_half_closed_client_gets_an_error_whole, 0, 2);
    tcase_add_loop_test(tc, requests_that_wait_behind_a_call_are_answered, 0, 2);
    tcase_add_loop_test(tc, work_that_has_begun_ends, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}
