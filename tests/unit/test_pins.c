/* test_pins.c - what a session holds across safe points stays: half-decoded parameters and
 * handles. tests/plants.sh takes their pins away and demands that the test named in
 * tests/plants.md fails. */
#include <stdlib.h>

#include "heap/gc.h"
#include "tests/support/ask.h"
#include "tests/support/runner.h"

static struct in_process p;

static void setup(void) { in_process_open(&p, 0); }
static void teardown(void) { in_process_close(&p); }

static void finish_cycle(void)
{
    while (gc_phase(p.heap) != GC_IDLE || heap_drop_pending(p.heap)) gc_step(p.heap, 100);
}

/* The request arrives in two parts, and a cycle begins between them: what the first part brought is
 * white, and goes into a list that is born black. */
START_TEST(parameters_that_are_half_there)
{
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 4);
    writer_int(&w, 0);
    writer_int(&w, 1);
    writer_cstr(&w, "set");
    writer_array(&w, 2);
    writer_cstr(&w, "key");
    writer_array(&w, 3);
    for (unsigned i = 0; i < 2; i++) {
        writer_array(&w, 1);
        writer_cstr(&w, "a text that takes a cell");
    }
    size_t half = w.length;
    writer_int(&w, 1);
    ck_assert_int_eq(in_process_feed(&p, w.data, half), 0);
    finish_cycle();
    gc_start(p.heap);
    ck_assert_int_eq(in_process_feed(&p, w.data + half, w.length - half), 0);
    finish_cycle();
    in_process_verify(&p);
    writer_close(&w);
    ASK(&p, "get", "'key'", "[['a text that takes a cell'], ['a text that takes a cell'], 1]");
}
END_TEST

START_TEST(what_a_handle_holds)
{
    ASK(&p, "set", "'key', [[1], 2]", "true");
    ASK(&p, "hold", "['key', 0]", "{'handle': 1}");
    in_process_verify(&p);
    ASK(&p, "del", "'key'", "1");
    finish_cycle();
    gc_collect(p.heap);
    ASK(&p, "get", "[{'handle': 1}]", "[1]");
    in_process_verify(&p);
}
END_TEST

/* A long call waits between its steps; its parameters, and what it measures, must last. */
START_TEST(what_a_pending_call_measures)
{
    ASK(&p, "set", "'key', [[1, 2, 3], ['a text that takes a cell']]", "true");
    p.seed = 1; /* the collector works between the steps */
    const char *bytes = ask(&p, "mem.size", "'key'");
    ck_assert_int_gt(atoi(bytes), 0);
    in_process_verify(&p);
}
END_TEST

#define ADD(suite, test)                                    \
    do {                                                    \
        TCase *tcase = tcase_create(#test);                 \
        tcase_add_checked_fixture(tcase, setup, teardown);  \
        tcase_add_test(tcase, test);                        \
        suite_add_tcase(suite, tcase);                      \
    } while (0)

Suite *test_suite(void)
{
    Suite *suite = suite_create("pins");
    ADD(suite, parameters_that_are_half_there);
    ADD(suite, what_a_handle_holds);
    ADD(suite, what_a_pending_call_measures);
    return suite;
}
