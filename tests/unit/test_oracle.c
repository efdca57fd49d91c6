/* test_oracle.c - the oracle finds what the marker lost, in debug builds: a child makes a mistake
 * behind the collector's back, and must end with a sentence that says which. */
#include "heap/oracle.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/verify.h"
#include "tests/support/heap_fixture.h"
#include "tests/support/nodes.h"
#include "tests/support/runner.h"

static void finish_cycle(struct heap *h)
{
    while (gc_phase(h) != GC_IDLE) gc_step(h, 1);
}

/* A root of two slots, and an object with a leaf in the first; a cycle has just begun. */
static struct heap *marking_heap(value *root)
{
    struct heap *h = heap_fixture_open(0);
    *root = node_new(h, 2);
    heap_root_set_take(h, ROOT_KEYS, *root);
    node_set(h, *root, 0, node_new(h, 1));
    gc_start(h);
    return h;
}

/* What a child that runs `mistake` says before it aborts. */
static void check_found(void (*mistake)(void), const char *sentence)
{
    char said[512] = "";
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        mistake();
        _exit(0);
    }
    close(ends[1]);
    for (size_t length = 0; length < sizeof said - 1;) {
        ssize_t got = read(ends[0], said + length, sizeof said - 1 - length);
        if (got <= 0) break;
        length += (size_t)got;
    }
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it ended with status %d: %s",
                  status, said);
    ck_assert_msg(strstr(said, sentence) != NULL, "it said: %s", said);
}

static void lose_an_edge(void)
{
    value root;
    struct heap *h = marking_heap(&root);
    *node_slot(h, root, 0) = VALUE_NIL; /* not by store() */
    finish_cycle(h);
}

static void make_a_white_newborn(void)
{
    value root;
    struct heap *h = marking_heap(&root);
    value newborn = node_new(h, 1);
    ref_group(h, newborn)->mark &= ~ref_bit(newborn);
    finish_cycle(h);
}

/* Moves the object in the first slot of `root`, as the marker does when it compacts. */
static value move_object(struct heap *h, value root)
{
    value from = *node_slot(h, root, 0), to = node_new(h, 1);
    store_new(node_slot(h, root, 0), to);
    oracle_moved(h, from, to);
    cell_free(h, from);
    return to;
}

static void lose_a_moved_object(void)
{
    value root;
    struct heap *h = marking_heap(&root);
    value to = move_object(h, root);
    ref_group(h, to)->mark &= ~ref_bit(to);
    *node_slot(h, root, 0) = VALUE_NIL;
    finish_cycle(h);
}

START_TEST(an_edge_that_was_cut_without_the_barrier_is_found)
{
    check_found(lose_an_edge, "was reachable when the cycle began");
}
END_TEST

START_TEST(a_white_newborn_is_found)
{
    check_found(make_a_white_newborn, "was made during the cycle, and is white");
}
END_TEST

START_TEST(a_moved_object_is_still_expected)
{
    check_found(lose_a_moved_object, "was reachable when the cycle began");
    value root;
    struct heap *h = marking_heap(&root);
    move_object(h, root);
    finish_cycle(h);
    heap_fixture_close(h);
}
END_TEST

START_TEST(what_its_owner_freed_is_not_missed)
{
    struct heap *h = heap_fixture_open(0);
    value root = node_new(h, 2);
    heap_root_set_take(h, ROOT_KEYS, root);
    node_set(h, root, 0, cell_take(h, KIND_STRING, 100, 0));
    node_set(h, root, 1, node_new(h, 1));
    gc_start(h);
    value leaf = *node_slot(h, root, 0);
    *node_slot(h, root, 0) = VALUE_NIL; /* the leaf stays white */
    cell_free(h, leaf);
    value again = cell_take(h, KIND_STRING, 100, 0);
    ck_assert_uint_eq(ref_granule(again), ref_granule(leaf)); /* a new object, in the old cell */
    node_set(h, root, 1, VALUE_NIL);
    value_release(h, again);
    finish_cycle(h);
    heap_fixture_close(h);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("oracle");
    TCase *tcase = tcase_create("oracle");
    tcase_add_test(tcase, an_edge_that_was_cut_without_the_barrier_is_found);
    tcase_add_test(tcase, a_white_newborn_is_found);
    tcase_add_test(tcase, a_moved_object_is_still_expected);
    tcase_add_test(tcase, what_its_owner_freed_is_not_missed);
    suite_add_tcase(suite, tcase);
    return suite;
}
