/* test_methods_table_convert.c - table.from and table.to beside others: that no change which was
 * answered is lost, that each step is short, and what the figures of the answers say. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ask.h"
#include "tests/support/literal.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

static struct in_process p, other, third;

static void setup(void)
{
    in_process_open(&p, (size_t)512 << 20);
    in_process_join(&other, &p);
    in_process_join(&third, &p);
    p.seed = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)p.seed);
}
static void teardown(void)
{
    in_process_end(&third);
    in_process_end(&other);
    in_process_close(&p);
}

/* Sends a request whose last parameter has `count` items, as `write_item` says. */
static void ask_items(const char *method, const char *key, bool rows, int count,
                      void (*write_item)(struct writer *w, int i))
{
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 2);
    writer_cstr(&w, key);
    if (rows) {
        writer_map(&w, 1);
        writer_cstr(&w, "rows");
    }
    writer_array(&w, (size_t)count);
    for (int i = 0; i < count; i++) write_item(&w, i);
    const char *got = ask_bytes(&p, method, &w);
    ck_assert_msg(got[0] != '!', "%s", got);
    writer_close(&w);
}

static void number_cells(struct writer *w, int i)
{
    writer_array(w, 2);
    writer_int(w, i);
    writer_int(w, i % 7);
}

/* Rows of i and k = i % 7. */
static void make_table(const char *key, int rows)
{
    char params[80];
    sprintf(params, "'%s', [['i', 'i64'], ['k', 'u8']]", key);
    ASK(&p, "table.create", params, "true");
    ask_items("table.append", key, true, rows, number_cells);
}

/* The rest of the call of `s`, which must not wait for others. */
static void finish(struct in_process *s)
{
    for (int i = 0; i < 1000000; i++)
        if (ask_resume(s, 100000) != CALL_PENDING) return;
    ck_abort_msg("a call that does not end");
}

/* The answer is an error that begins so. */
static void expect_error(struct in_process *s, const char *beginning)
{
    char expected[200];
    size_t used;
    char *text = literal_read(s->out.data, s->out.length, &used);
    snprintf(expected, sizeof expected, "[1, 1, '%s", beginning);
    ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s, not %s", text, expected);
    free(text);
    writer_rewind(&s->out, 0);
}

/* --- table.to ---------------------------------------------------------------------------------*/

START_TEST(writers_wait_for_a_table_that_becomes_a_list)
{
    make_table("t", 3000);
    ask_begin(&p, "table.to", "'t'");
    ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    ask_begin(&other, "table.append", "'t', {'rows': [[-1, 1]]}");
    ask_begin(&third, "set", "['t', 0, 'k'], 77");
    ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    ck_assert_int_eq(ask_resume(&other, 0), CALL_PENDING);
    ck_assert_int_eq(ask_resume(&third, 0), CALL_PENDING);
    finish(&p);
    /* They find a list. */
    finish(&other);
    expect_error(&other, "WRONG_TYPE table.append: ");
    finish(&third);
    ask_expect(&third, "[1, 1, nil, true]");
    ASK(&p, "type", "'t'", "'list'");
    ASK(&p, "len", "'t'", "3000");
    ASK(&p, "get", "['t', 0]", "{'i': 0, 'k': 77}");
}
END_TEST

START_TEST(it_waits_for_writers)
{
    make_table("t", 100000);
    ask_begin(&other, "table.update", "'t', nil, {'k': 255}");
    ask_begin(&p, "table.to", "'t'");
    for (int i = 0; i < 3; i++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    finish(&other);
    finish(&p);
    ASK(&p, "get", "['t', 99999]", "{'i': 99999, 'k': 255}");
}
END_TEST

START_TEST(a_key_that_was_set_meanwhile_stays)
{
    make_table("t", 3000);
    ask_begin(&p, "table.to", "'t'");
    ASK(&other, "set", "'t', 'precious'", "true");
    finish(&p);
    expect_error(&p, "NOT_FOUND table.to: the table is not at \"t\" any more");
    ASK(&p, "get", "'t'", "'precious'");
}
END_TEST

START_TEST(a_link_to_the_table_is_its_place_too)
{
    make_table("t", 3000);
    ASK(&p, "link", "'u', 't'", "true");
    ask_begin(&p, "table.to", "'t', 'u'");
    ask_begin(&other, "table.append", "'u', {'rows': [[-1, 1]]}");
    finish(&p);
    finish(&other);
    expect_error(&other, "WRONG_TYPE table.append: ");
    ASK(&p, "len", "'t'", "3000");
    /* One that is made later. */
    ask_begin(&p, "table.to", "'t', 'v'");
    ASK(&other, "link", "'v', 't'", "true");
    ASK(&other, "table.append", "'v', {'rows': [[-1, 1]]}", "{'first': 3000, 'n': 1}");
    finish(&p);
    expect_error(&p, "BUSY table.to: ");
    ASK(&p, "len", "'v'", "3001");
}
END_TEST

START_TEST(a_copy_is_of_the_moment_when_it_began)
{
    make_table("t", 3000);
    ask_begin(&p, "table.to", "'t', 'l'");
    ASK(&other, "table.append", "'t', {'rows': [[-1, 1]]}", "{'first': 3000, 'n': 1}");
    finish(&p);
    ASK(&p, "len", "'l'", "3000");
    ASK(&p, "len", "'t'", "3001");
}
END_TEST

static unsigned long long figure(const char *answer, const char *name)
{
    char quoted[40];
    snprintf(quoted, sizeof quoted, "'%s': ", name);
    const char *at = strstr(answer, quoted);
    ck_assert_msg(at != NULL, "no %s in %s", name, answer);
    return strtoull(at + strlen(quoted), NULL, 10);
}

/* Both tell what mem.size does. */
START_TEST(figures_are_those_of_the_values)
{
    unsigned long long before, after;
    make_table("t", 3000);
    ASK_BEGINS(&p, "table.compact", "'t'", "{");
    ASK(&p, "link", "'kept', 't'", "true");
    before = strtoull(ask(&p, "mem.size", "'t'"), NULL, 10);
    char *answer = strdup(ask(&p, "table.to", "'t'"));
    ck_assert_uint_eq(figure(answer, "rows"), 3000);
    ck_assert_uint_eq(figure(answer, "bytes_before"), before);
    after = strtoull(ask(&p, "mem.size", "'t'"), NULL, 10);
    ck_assert_uint_eq(figure(answer, "bytes_after"), after);
    ck_assert_uint_gt(after, before);
    free(answer);
    answer = strdup(ask(&p, "table.from", "'t'"));
    ck_assert_uint_eq(figure(answer, "bytes_before"), after);
    before = strtoull(ask(&p, "mem.size", "'t'"), NULL, 10);
    ck_assert_uint_eq(figure(answer, "bytes_after"), before);
    free(answer);
    answer = strdup(ask(&p, "table.to", "'t', 'copy'"));
    ck_assert_uint_eq(figure(answer, "bytes_after"), after);
    free(answer);
}
END_TEST

START_TEST(what_only_the_call_keeps_does_not_count)
{
    char answer[200];
    for (int rows = 1; rows <= 10000; rows *= 100) {
        make_table("t", rows);
        for (int i = 0; i < 2; i++) {
            snprintf(answer, sizeof answer, "%s", ask(&p, "table.compact", "'t'"));
            ck_assert_uint_eq(figure(answer, "bytes_after"),
                              figure(ask(&p, "table.stats", "'t'"), "bytes"));
        }
        ASK(&p, "del", "'t'", "1");
    }
}
END_TEST

START_TEST(it_waits_for_another_value_to_be_measured)
{
    make_table("t", 3000);
    ASK_BEGINS(&p, "table.to", "'t', 'l'", "{'rows': 3000");
    ask_begin(&other, "mem.size", "'l'");
    ask_begin(&p, "table.to", "'t'");
    for (int i = 0; i < 100; i++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    finish(&other);
    finish(&p);
    ASK(&p, "type", "'t'", "'list'");
}
END_TEST

/* Who asks for sizes all the time does not keep those that wait from theirs. */
START_TEST(who_waits_is_before_those_that_measure_later)
{
    static const char busy[] = "! BUSY mem.size: another value is being measured; try again";
    make_table("t", 3000);
    ASK_BEGINS(&p, "table.to", "'t', 'l'", "{'rows': 3000");
    ask_begin(&other, "mem.size", "'l'");
    ask_begin(&p, "table.to", "'t'");
    for (int i = 0; i < 100; i++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    finish(&other);
    writer_rewind(&other.out, 0);
    ASK(&other, "mem.size", "'l'", busy);
    ask_begin(&third, "table.from", "'l'");
    for (int i = 0; i < 100; i++) ck_assert_int_eq(ask_resume(&third, 0), CALL_PENDING);
    finish(&p);
    writer_rewind(&p.out, 0);
    ASK(&other, "mem.size", "'l'", busy);
    /* Whoever goes leaves the line. */
    ask_give_up(&third);
    ASK_BEGINS(&other, "mem.size", "'l'", "");
    ASK(&p, "type", "'t'", "'list'");
}
END_TEST

START_TEST(lists_wait_for_each_other_to_be_measured)
{
    make_table("t", 1000);
    ASK_BEGINS(&p, "table.to", "'t', 'a'", "{'rows': 1000");
    ASK_BEGINS(&p, "table.to", "'t', 'b'", "{'rows': 1000");
    ASK_BEGINS(&p, "table.to", "'t', 'c'", "{'rows': 1000");
    ask_begin(&p, "table.from", "'a'");
    ask_begin(&other, "table.from", "'b'");
    ask_begin(&third, "table.from", "'c'");
    for (int i = 0; i < 100; i++) ck_assert_int_eq(ask_resume(&third, 0), CALL_PENDING);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(ask_resume(&other, 0), CALL_PENDING);
    finish(&p);
    /* `third` comes behind `other`, whoever is asked first. */
    for (int i = 0; i < 100; i++) ck_assert_int_eq(ask_resume(&third, 0), CALL_PENDING);
    finish(&other);
    finish(&third);
    ASK(&p, "type", "'a'", "'table'");
    ASK(&p, "type", "'b'", "'table'");
    ASK(&p, "type", "'c'", "'table'");
}
END_TEST

START_TEST(who_gives_it_up_lets_writers_go_on)
{
    make_table("t", 3000);
    ask_begin(&p, "table.to", "'t'");
    ask_begin(&other, "table.append", "'t', {'rows': [[-1, 1]]}");
    call_abort(&p.call);
    builder_reset(&p.builder);
    finish(&other);
    ask_expect(&other, "[1, 1, nil, {'first': 3000, 'n': 1}]");
}
END_TEST

/* --- table.from -------------------------------------------------------------------------------*/

static void number_record(struct writer *w, int i)
{
    writer_map(w, 2);
    writer_cstr(w, "i");
    writer_int(w, i);
    writer_cstr(w, "text");
    writer_cstr(w, "of more than seven bytes");
}

/* A thousand records, of which two are known from elsewhere. */
static void make_list(void)
{
    ask_items("set", "l", false, 1000, number_record);
    ASK(&p, "link", "'linked', ['l', 3]", "true");
    ASK(&p, "weak", "'weak', ['l', 4]", "true");
}

/* Another session makes a change when the call has taken so many steps. False if it is over by
 * then. What `look` finds after both is what the change has made of it. */
static bool change_amid(unsigned steps, const char *method, const char *change, const char *look,
                        const char *seen, unsigned *busy, unsigned *gone)
{
    make_list();
    ask_begin(&p, "table.from", "'l'");
    for (unsigned i = 0; i < steps; i++)
        if (ask_resume(&p, 0) != CALL_PENDING) return false;
    const char *got = ask(&other, method, change);
    ck_assert_msg(got[0] != '!', "%s", got);
    finish(&p);
    *busy += p.call.error == ERROR_BUSY;
    *gone += p.call.error == ERROR_NOT_FOUND;
    p.call.error = ERROR_INTERNAL;
    got = ask(&p, "get", look);
    ck_assert_msg(strcmp(got, seen) == 0, "%s %s after %u steps: %s", method, change, steps, got);
    return true;
}

START_TEST(no_change_of_the_list_is_lost)
{
    static const struct {
        const char *method, *change, *look, *seen;
        enum { SOMETIMES, BUSY, GONE } error; /* always; or only if the record has been read */
    } changes[] = {
        {"push", "'l', [{'i': 1, 'text': ''}]", "['l', -1, 'i']", "1", BUSY},
        {"set", "['l', 0, 'i'], 77", "['l', 0, 'i']", "77", BUSY},
        {"set", "['l', -1, 'text'], 'x'", "['l', -1, 'text']", "'x'", BUSY},
        {"add", "['l', 999, 'i'], 1", "['l', 999, 'i']", "1000", BUSY},
        {"del", "['l', 0]", "['l', 0, 'i']", "1", BUSY},
        {"splice", "'l', 0, 1, [{'i': 9, 'text': ''}]", "['l', 0, 'i']", "9", BUSY},
        {"append", "['l', 7, 'text'], '!'", "['l', 7, 'text']", "'of more than seven bytes!'",
         BUSY},
        {"del", "'l'", "'l'", "nil", GONE},
        {"set", "'l', 'precious'", "'l'", "'precious'", GONE},
        {"rename", "'l', 'm'", "'l'", "nil", GONE},
        {"clear", "", "'l'", "nil", GONE},
        {"set", "['linked', 'text'], 'x'", "['l', 3, 'text']", "'x'", SOMETIMES},
        {"set", "['weak', 'i'], 5", "['l', 4, 'i']", "5", SOMETIMES},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unsigned steps = 0, busy = 0, gone = 0;
        while (change_amid(steps, changes[i].method, changes[i].change, changes[i].look,
                           changes[i].seen, &busy, &gone))
            steps++;
        ck_assert_uint_gt(steps, 16);
        unsigned busy_least = changes[i].error == BUSY ? steps : 0;
        unsigned gone_all = changes[i].error == GONE ? steps : 0;
        ck_assert_msg(busy >= busy_least && gone == gone_all, "%s: %u and %u of %u",
                      changes[i].change, busy, gone, steps);
        writer_rewind(&p.out, 0);
    }
}
END_TEST

START_TEST(the_time_when_its_key_expires_is_no_part_of_a_list)
{
    make_list();
    ask_begin(&p, "table.from", "'l'");
    for (unsigned i = 0; i < 10; i++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    ASK(&other, "expire", "'l', 100000", "true");
    finish(&p);
    writer_rewind(&p.out, 0);
    ASK(&p, "type", "'l'", "'table'");
    ck_assert_int_gt(atol(ask(&p, "ttl", "'l'")), 0);
}
END_TEST

/* It is another text then, and the record keeps what it had. */
START_TEST(a_long_text_that_grows_elsewhere_is_no_change)
{
    char *params = malloc(20100);
    memset(params, 'x', 20000);
    memcpy(params, "'l', [{'text': '", 16);
    strcpy(params + 20000, "'}]");
    ASK(&p, "set", params, "true");
    ask_begin(&p, "table.from", "'l'");
    for (unsigned i = 0; ask_resume(&p, 0) == CALL_PENDING; i++) {
        sprintf(params, "'%u', ['l', 0, 'text']", i);
        ASK(&other, "link", params, "true");
        sprintf(params, "'%u', 'y'", i);
        ASK(&other, "append", params, "19985");
    }
    writer_rewind(&p.out, 0);
    ASK(&p, "type", "'l'", "'table'");
    ASK_HAS(&p, "table.scan", "'l', {'where': ['contains', 'text', 'y']}", "'data': []");
    free(params);
}
END_TEST

START_TEST(others_may_read_it_and_change_what_is_beside_it)
{
    char link[40];
    unsigned steps = 0;
    make_list();
    ASK(&p, "set", "'record', {'i': 1}", "true");
    ask_begin(&p, "table.from", "'l', 'a'");
    for (bool more = true; more; more = ask_resume(&p, 0) == CALL_PENDING) {
        ASK(&other, "get", "['l', 3, 'i']", "3");
        ASK(&other, "set", "['record', 'i'], 2", "true");
        sprintf(link, "'%u', ['l', 3]", steps++);
        ASK(&other, "link", link, "true");
        /* It would wait while the list is being measured. */
        if (ask(&other, "mem.size", "'record'")[0] == '!') continue;
        ASK_BEGINS(&other, "table.from", "'l', 'b', [['i', 'i64'], ['text', 'sym']]",
                   "{'rows': 1000");
    }
    ASK(&p, "len", "'a'", "1000");
    ASK(&p, "len", "'b'", "1000");
}
END_TEST

START_TEST(what_is_given_up_is_watched_no_more)
{
    make_list();
    ask_begin(&p, "table.from", "'l'");
    for (unsigned i = 0; i < 10; i++) ck_assert_int_eq(ask_resume(&p, 0), CALL_PENDING);
    ck_assert_ptr_nonnull(p.host.keys->watches);
    call_abort(&p.call);
    builder_reset(&p.builder);
    ck_assert_ptr_null(p.host.keys->watches);
    ASK_BEGINS(&p, "table.from", "'l'", "{'rows': 1000");
    ck_assert_ptr_null(p.host.keys->watches);
}
END_TEST

/* --- steps ------------------------------------------------------------------------------------*/

static size_t external_bytes(void)
{
    struct heap_stats stats;
    heap_stats(p.heap, &stats);
    return stats.external_bytes;
}

/* How many units of work the call takes, and what one of them adds to the tables at most. */
static unsigned units_of(const char *method, const char *params, size_t *growth)
{
    unsigned units = 0;
    size_t before, now = external_bytes();
    *growth = 0;
    ask_begin(&p, method, params);
    do {
        units++;
        before = now;
        now = external_bytes();
        if (now > before && now - before > *growth) *growth = now - before;
    } while (ask_resume(&p, 0) == CALL_PENDING);
    ck_assert_int_eq(p.out.error, WRITER_OK);
    writer_rewind(&p.out, 0);
    return units;
}

#define WIDE 1024
static void wide_record(struct writer *w, int i)
{
    char name[8];
    writer_map(w, WIDE);
    for (int k = 0; k < WIDE; k++) {
        char text[65];
        sprintf(name, "f%d", k);
        sprintf(text, "%064d", i * k);
        writer_cstr(w, name);
        writer_cstr(w, text);
    }
}

START_TEST(a_unit_has_so_many_cells)
{
    enum { ROWS = 40 };
    ask_items("set", "l", false, ROWS, wide_record);
    size_t growth, all = ROWS * WIDE * 64;
    ck_assert_uint_gt(units_of("table.from", "'l', 't'", &growth), 2 * ROWS * WIDE / 1024);
    ck_assert_uint_lt(growth, all / 4);
    ck_assert_uint_gt(units_of("table.to", "'t', 'back'", &growth), ROWS * WIDE / 1024);
    ASK(&p, "len", "['back', 39, 'f1023']", "64");
    ASK(&p, "len", "'back'", "40");
}
END_TEST

#define LONG ((size_t)1 << 18)
static void long_record(struct writer *w, int i)
{
    static char text[LONG];
    memset(text, 'a' + i, LONG);
    writer_map(w, 4);
    for (int k = 0; k < 4; k++) {
        char name[2] = {(char)('a' + k), 0};
        writer_cstr(w, name);
        writer_str(w, text, LONG);
    }
}

START_TEST(a_unit_has_so_many_bytes)
{
    enum { ROWS = 12 };
    ask_items("set", "l", false, ROWS, long_record);
    size_t growth;
    ck_assert_uint_gt(units_of("table.from", "'l', 't'", &growth), ROWS * 4);
    /* Sealing makes room for a column. */
    ck_assert_uint_lt(growth, ROWS * 2 * LONG);
    ck_assert_uint_gt(units_of("table.to", "'t', 'back'", &growth), ROWS * 4);
    ASK(&p, "len", "['back', 11, 'd']", "262144");
    ASK(&p, "len", "['t', 11, 'a']", "262144");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_table_convert");
    TCase *tcase = tcase_create("convert");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, writers_wait_for_a_table_that_becomes_a_list);
    tcase_add_test(tcase, it_waits_for_writers);
    tcase_add_test(tcase, a_key_that_was_set_meanwhile_stays);
    tcase_add_test(tcase, a_link_to_the_table_is_its_place_too);
    tcase_add_test(tcase, a_copy_is_of_the_moment_when_it_began);
    tcase_add_test(tcase, figures_are_those_of_the_values);
    tcase_add_test(tcase, what_only_the_call_keeps_does_not_count);
    tcase_add_test(tcase, it_waits_for_another_value_to_be_measured);
    tcase_add_test(tcase, who_waits_is_before_those_that_measure_later);
    tcase_add_test(tcase, lists_wait_for_each_other_to_be_measured);
    tcase_add_test(tcase, who_gives_it_up_lets_writers_go_on);
    tcase_add_test(tcase, no_change_of_the_list_is_lost);
    tcase_add_test(tcase, the_time_when_its_key_expires_is_no_part_of_a_list);
    tcase_add_test(tcase, a_long_text_that_grows_elsewhere_is_no_change);
    tcase_add_test(tcase, others_may_read_it_and_change_what_is_beside_it);
    tcase_add_test(tcase, what_is_given_up_is_watched_no_more);
    tcase_add_test(tcase, a_unit_has_so_many_cells);
    tcase_add_test(tcase, a_unit_has_so_many_bytes);
    suite_add_tcase(suite, tcase);
    return suite;
}
