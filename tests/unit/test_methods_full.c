/* test_methods_full.c - tables that have filled the heap: what is deleted of them makes room again,
 * though there is no memory for compaction, and work that has memory goes on. */
#include "server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/external.h"
#include "heap/gc.h"
#include "heap/table.h"
#include "server/table_value.h"
#include "tests/support/ask.h"
#include "tests/support/random.h"
#include "tests/support/runner.h"

#define HEAP_BYTES ((size_t)8 << 20)

static struct in_process p;

static void setup(void)
{
    in_process_open(&p, HEAP_BYTES);
    p.seed = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)p.seed);
}
static void teardown(void) { in_process_close(&p); }

/* `count` rows of n, from `first` on, and random r, which takes 8 bytes sealed as well. */
static const char *append(const char *path, size_t first, size_t count)
{
    struct writer w;
    uint64_t rng = first + 1, *r = malloc(count * sizeof *r), *n = malloc(count * sizeof *n);
    for (size_t i = 0; i < count; i++) {
        n[i] = first + i;
        r[i] = random_next(&rng) >> 1;
    }
    ask_columns_open(&w, path, count, 2);
    writer_cstr(&w, "n");
    writer_bin(&w, n, count * sizeof *n);
    writer_cstr(&w, "r");
    writer_bin(&w, r, count * sizeof *r);
    const char *answer = ask_bytes(&p, "table.append", &w);
    writer_close(&w);
    free(n);
    free(r);
    return answer;
}

/* What the server's task does between events. */
static void work_between(void)
{
    while (tables_work(p.heap, 100000)) in_process_safe_point(&p);
    while (heap_drop_pending(p.heap)) heap_drop_step(p.heap, 100000);
}

static void make(const char *path)
{
    char params[200];
    sprintf(params, "'%s', [['n', 'u64'], ['r', 'u64']]", path);
    ASK(&p, "table.create", params, "true");
}

/* Appends until not even `least` rows fit; returns how many did. */
static size_t fill(const char *path, size_t rows, size_t batch, size_t least)
{
    while (batch >= least) {
        if (strncmp(append(path, rows, batch), "{'first'", 8) == 0) rows += batch;
        else batch /= 2;
        work_between();
    }
    return rows;
}

static size_t external_bytes(void)
{
    struct heap_stats stats;
    heap_stats(p.heap, &stats);
    return stats.external_bytes;
}

static size_t delete_below(size_t n)
{
    char params[80];
    sprintf(params, "'t', ['<', 'n', %zu]", n);
    const char *answer = ask(&p, "table.delete", params);
    ck_assert_msg(*answer != '!', "%s", answer);
    return (size_t)atoll(answer);
}

/* A full heap, but for what a deletion takes: some pages, and 8 KiB for each chunk. */
START_TEST(deleted_chunks_leave_a_full_heap)
{
    static char cushion[120000];
    memset(cushion, 'c', sizeof cushion - 1);
    memcpy(cushion, "'c', '", 6);
    cushion[sizeof cushion - 2] = '\'';
    ASK(&p, "set", cushion, "true");
    make("t");
    size_t rows = fill("t", 0, 20000, 1);
    size_t full = external_bytes();
    ck_assert_uint_gt(full, HEAP_BYTES / 2);
    ASK(&p, "del", "'c'", "1");
    ck_assert_uint_eq(delete_below(rows / 2), rows / 2);
    work_between();
    ck_assert_uint_lt(external_bytes(), full - full / 4);
    in_process_verify(&p);
    size_t more = fill("t", rows, 1000, 1000);
    ck_assert_uint_gt(more - rows, rows / 4);
    char expected[80];
    sprintf(expected, "%zu", more - rows / 2);
    ASK(&p, "len", "'t'", expected);
    sprintf(expected, "{'n': %zu, 'r': ", rows / 2);
    ASK_HAS(&p, "table.get", "'t', 0", expected);
    sprintf(expected, "{'n': %zu, 'r': ", more - 1);
    ASK_HAS(&p, "table.get", "'t', -1", expected);
}
END_TEST

static size_t ballast_free(struct external *e, size_t words, bool *done)
{
    (void)words;
    external_subtract(e, e->bytes);
    *done = true;
    return 1;
}

static int ballast_verify(const struct external *e, char *message, size_t size)
{
    (void)e, (void)message, (void)size;
    return 0;
}

/* Takes all of the heap but so much, until it is let go. */
static struct external *fill_but(size_t bytes)
{
    static const struct external_class ballast_class = {"ballast", ballast_free, ballast_verify};
    struct external *e = calloc(1, sizeof *e);
    *e = (struct external){.class = &ballast_class, .heap = p.heap};
    external_open(e);
    for (size_t more = HEAP_BYTES; more > 0;)
        if (external_add(e, more) != 0) more /= 2;
    external_subtract(e, bytes);
    return e;
}

/* Sealing one table is short of memory; compacting another one is not. */
START_TEST(a_table_is_compacted_though_another_cannot_be_sealed)
{
    p.seed = 0;
    ASK(&p, "table.create", "'b', [['r', 'u64'], ['n', 'u64']]", "true");
    ASK(&p, "table.create", "'a', [['n', 'u8']]", "true");
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 2);
    writer_cstr(&w, "a");
    writer_map(&w, 2);
    writer_cstr(&w, "n");
    writer_uint(&w, TABLE_CHUNK_ROWS);
    writer_cstr(&w, "cols");
    writer_map(&w, 1);
    writer_cstr(&w, "n");
    unsigned char *n = malloc(TABLE_CHUNK_ROWS);
    for (size_t i = 0; i < TABLE_CHUNK_ROWS; i++) n[i] = (unsigned char)(i * 7919 % 251);
    writer_bin(&w, n, TABLE_CHUNK_ROWS);
    ck_assert_int_eq(*ask_bytes(&p, "table.append", &w), '{');
    writer_close(&w);
    free(n);
    work_between();
    ck_assert_int_eq(strncmp(append("b", 0, TABLE_CHUNK_ROWS + 100), "{'first'", 8), 0);
    ck_assert_int_ne(*ask(&p, "table.delete", "'a', ['<', 'n', 125]"), '!');
    /* More than the column of `a` takes, and less than the first of `b`. */
    struct external *ballast = fill_but(200000);
    ASK_HAS(&p, "table.stats", "'b'", "'sealing': true");
    work_between();
    ASK_HAS(&p, "table.stats", "'a'", "'deleted': 0");
    external_let_go(ballast);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("methods_full");
    TCase *tcase = tcase_create("full");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, deleted_chunks_leave_a_full_heap);
    tcase_add_test(tcase, a_table_is_compacted_though_another_cannot_be_sealed);
    suite_add_tcase(suite, tcase);
    return suite;
}
