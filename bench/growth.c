/* growth.c - the longest single insert while a map and a list grow.
 *
 *     bench_growth [--entries=N] [--runs=N] [--list=0]
 *
 * Every insert is timed, in several runs that are alike. The map gets keys of 16 bytes, in random
 * order, with integers as values; the list gets doubles at its end. The goal is for 100 million
 * entries: --entries=100m takes some minutes and 9 GiB. After every TURN_INSERTS of them the heap
 * may ask for memory ahead, as it may after each turn of the server: that is a line of its own.
 * Other fresh memory is part of the insert that touches it first. */
#include <stdio.h>
#include <string.h>

#include "bench/pieces.h"
#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map.h"

#define GOAL_US 20
#define TURN_INSERTS 16
#define AHEAD_NS 100000

static struct pieces ahead;

/* What the server does after a turn, if one is over. */
static struct piece_begin turn_end(struct heap *h, uint64_t inserts, struct piece_begin begin)
{
    if (inserts % TURN_INSERTS != 0) return begin;
    begin = piece_begin();
    heap_ahead(h, AHEAD_NS);
    return piece_next(&ahead, begin);
}

static void grow_map(struct heap *h, uint64_t count, struct pieces *pieces)
{
    value map = map_new(h);
    struct piece_begin begin = piece_begin();
    for (uint64_t i = 0; i < count; i++) {
        char name[32];
        struct map_key key;
        uint64_t id = i;
        snprintf(name, sizeof name, "%016lx", measure_random(&id)); /* one to one */
        map_key_text(h, &key, name, 16);
        if (map_set_take(h, map, &key, value_int((int64_t)i)) != 0)
            measure_fail("the heap is full at %lu", i);
        begin = turn_end(h, i + 1, piece_next(pieces, begin));
    }
    if (map_count(h, map) != count) measure_fail("the map has %zu entries", map_count(h, map));
}

static void grow_list(struct heap *h, uint64_t count, struct pieces *pieces)
{
    value list = list_new(h);
    struct piece_begin begin = piece_begin();
    for (uint64_t i = 0; i < count; i++) {
        if (list_push_take(h, list, value_double((double)i + 0.5)) != 0)
            measure_fail("the heap is full at %lu", i);
        begin = turn_end(h, i + 1, piece_next(pieces, begin));
    }
    if (list_length(h, list) != count) measure_fail("the list has %zu", list_length(h, list));
}

static void grow(const char *what, uint64_t count, unsigned runs, const char *anchor,
                 void (*run)(struct heap *h, uint64_t count, struct pieces *pieces))
{
    static struct pieces pieces;
    struct heap_stats stats;
    char details[128], name[96], short_count[16];
    pieces_reserve(&pieces, count);
    pieces_reserve(&ahead, count / TURN_INSERTS + 1);
    for (unsigned i = 0; i < runs; i++) {
        struct heap *h = measure_heap(count * 160 + ((size_t)64 << 20));
        run(h, count, &pieces);
        pieces_run_end(&pieces);
        pieces_run_end(&ahead);
        heap_stats(h, &stats);
        heap_destroy(h);
    }
    snprintf(details, sizeof details, "\"entries\":%lu,\"used_bytes_each\":%.4g", count,
             (double)stats.used_bytes / (double)count);
    snprintf(name, sizeof name, "growth of a %s to %s, insert", what,
             measure_count_text(count, short_count));
    pieces_print(&pieces, name, -1, GOAL_US, anchor, details);
    pieces_close(&pieces);
    snprintf(name, sizeof name, "growth of a %s to %s, memory ahead", what, short_count);
    pieces_print(&ahead, name, -1, -1, NULL, details);
    pieces_close(&ahead);
}

int main(int argc, char **argv)
{
    uint64_t entries = 10000000, runs = 3, list = 1;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"entries", &entries, "entries of each"},
                        {"runs", &runs, "runs of each"},
                        {"list", &list, "0: not the list"},
                        {"huge", &measure_huge, "1: ask for huge pages"},
                        {NULL, NULL, NULL},
                    });
    grow("map", entries, (unsigned)runs,
         "Redis: a 512 MB table in one go at 40 M", grow_map);
    if (list) grow("list", entries, (unsigned)runs, NULL, grow_list);
    return 0;
}
