/* pause.c - how long the collector, the drop queue and growth hold everything else up.
 *
 *     bench_pause [--gib=N] [--cycles=N] [--seconds=N] [--runs=N]
 *
 * A heap with so much live data (records under keys, as clients would store them; 1 and then 4 GiB
 * unless told otherwise) and a mutator that never rests. Each of its turns is one batch of changes:
 *
 *   rings of shared nodes, which refer to live records, replace older rings: cyclic garbage
 *   records are overwritten whole, and in one field: garbage for the drop queue
 *   a map and a list grow, up to a million entries, and are then dropped whole
 *
 * After each turn the heap asks for memory ahead and the collector gets what the server would give
 * it (gc_budget_ns), one piece after the other, and each piece is timed: a step of marking or
 * sweeping, a step of the drop queue. So is each insert that makes something grow, and those by
 * which the map took a further kilobyte (a segment was split, a table grew) are a class of their
 * own. So is each allocation while the collector sweeps, because it may have to sweep some pages
 * itself: the assist. The whole of a turn's pieces is what a client waits for at most. It ends
 * after so many cycles, or so many seconds. Further runs from the same beginning then repeat the
 * first, piece by piece (pieces.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pieces.h"
#include "heap/gc.h"
#include "heap/list.h"
#include "heap/map.h"
#include "heap/text.h"
#include "heap/verify.h"

#define GIB ((size_t)1 << 30)
#define RINGS 65536
#define RING_NODES 8
#define TURN_RINGS 4
#define TURN_FIELDS 8
#define TURN_RECORDS 4
#define TURN_INSERTS 4
#define GROWN_MAX 1000000
#define PAYLOAD_BYTES 100

#define STEP_P9999_US 100
#define STEP_MAX_US 250
#define ATOMIC_US 20
#define DROP_US 100
#define GROWTH_US 20
#define SPLIT_BYTES 1024
#define AHEAD_NS 100000

/* X(NAME, text) */
#define CLASSES(X)                                   \
    X(STEP, "collector step")                        \
    X(DROP, "drop step")                             \
    X(TURN, "collector and drops, between two turns") \
    X(AHEAD, "memory ahead, between two turns")      \
    X(ASSIST, "allocation while sweeping")           \
    X(GROW_MAP, "map insert")                        \
    X(SPLIT, "map insert with a split")              \
    X(GROW_LIST, "list insert")
enum class {
#define X(name, text) CLASS_##name,
    CLASSES(X)
#undef X
    CLASS_COUNT
};
static const char *const class_names[] = {
#define X(name, text) text,
    CLASSES(X)
#undef X
};

static struct heap *heap;
static value keys, rings, grown_map, grown_list; /* all hang from the root */
static uint64_t record_count, grown_count;
static uint64_t random_state;
static struct pieces classes[CLASS_COUNT];
/* How many pieces the collector had in each turn of the first run. */
static uint8_t *turn_pieces;
static size_t turn_count, turn_capacity;

/* --- what is stored -------------------------------------------------------------------------*/

static value have(value v)
{
    if (v == VALUE_ABSENT) measure_fail("the heap is full");
    return v;
}

static void did(int result)
{
    if (result != 0) measure_fail("the heap is full");
}

static void key_text(struct map_key *key, char *name, const char *prefix, uint64_t i)
{
    snprintf(name, 32, "%s%011lu", prefix, i); /* 16 bytes */
    map_key_text(heap, key, name, strlen(name));
}

static value payload_new(void)
{
    char bytes[PAYLOAD_BYTES];
    memset(bytes, 'a' + (int)measure_random_below(&random_state, 26), sizeof bytes);
    if (gc_phase(heap) != GC_SWEEP) return have(text_new(heap, bytes, sizeof bytes, false));
    struct piece_begin begin = piece_begin();
    value v = have(text_new(heap, bytes, sizeof bytes, false));
    piece_end(&classes[CLASS_ASSIST], begin);
    return v;
}

static value node_new(value *items, size_t count)
{
    if (gc_phase(heap) != GC_SWEEP) return have(list_from_take(heap, items, count));
    struct piece_begin begin = piece_begin();
    value v = have(list_from_take(heap, items, count));
    piece_end(&classes[CLASS_ASSIST], begin);
    return v;
}

static value record_new(uint64_t id)
{
    char name[32];
    snprintf(name, sizeof name, "name %07lu", id % 10000000);
    value pairs[] = {
        have(text_new(heap, "id", 2, false)),      value_int((int64_t)id),
        have(text_new(heap, "name", 4, false)),    have(text_new(heap, name, 12, false)),
        have(text_new(heap, "payload", 7, false)), payload_new(),
    };
    return have(map_from_take(heap, pairs, sizeof pairs / sizeof *pairs / 2));
}

static void record_set(uint64_t id)
{
    char name[32];
    struct map_key key;
    key_text(&key, name, "user:", id);
    did(map_set_take(heap, keys, &key, record_new(id)));
}

static value record_at(uint64_t id)
{
    char name[32];
    struct map_key key;
    key_text(&key, name, "user:", id);
    return have(map_get(heap, keys, &key));
}

static value under_root(const char *name, value v)
{
    struct map_key key;
    map_key_text(heap, &key, name, strlen(name));
    did(map_set_take(heap, heap_root(heap, ROOT_KEYS), &key, v));
    return v;
}

static value at_root(const char *name)
{
    struct map_key key;
    map_key_text(heap, &key, name, strlen(name));
    return have(map_get(heap, heap_root(heap, ROOT_KEYS), &key));
}

static void grown_renew(void)
{
    grown_map = under_root("grown map", have(map_new(heap)));
    grown_list = under_root("grown list", have(list_new(heap)));
    grown_count = 0;
}

static void fill(size_t live_bytes)
{
    struct heap_stats stats;
    heap = measure_heap(live_bytes * 2 + ((size_t)512 << 20));
    random_state = 4;
    record_count = 0;
    heap_root_set_take(heap, ROOT_KEYS, have(map_new(heap)));
    keys = under_root("keys", have(map_new(heap)));
    rings = under_root("rings", have(list_new(heap)));
    for (unsigned i = 0; i < RINGS; i++) did(list_push_take(heap, rings, VALUE_NIL));
    grown_renew();
    do {
        for (unsigned i = 0; i < 10000; i++) record_set(record_count++);
        heap_stats(heap, &stats);
    } while (stats.used_bytes < live_bytes);
}

/* --- a turn ---------------------------------------------------------------------------------*/

/* Nodes in a ring, [next, text, a live record], all of them shared. */
static value ring_new(void)
{
    value first = VALUE_NIL, next = VALUE_NIL;
    for (unsigned i = 0; i < RING_NODES; i++) {
        value record = record_at(measure_random_below(&random_state, record_count));
        value items[] = {next, have(text_new(heap, "a node of a ring", 16, false)),
                         value_share(heap, record)};
        value node = value_share(heap, node_new(items, 3));
        if (i == 0) first = node;
        next = node;
    }
    did(list_set_take(heap, first, 0, next));
    return first;
}

static size_t used_bytes(void)
{
    struct heap_stats stats;
    heap_stats(heap, &stats);
    return stats.used_bytes;
}

static void grow(uint64_t id)
{
    char name[32];
    struct map_key key;
    key_text(&key, name, "grow:", id);
    size_t before = used_bytes();
    struct piece_begin begin = piece_begin();
    did(map_set_take(heap, grown_map, &key, value_int((int64_t)id)));
    struct piece_time took = piece_time(begin);
    pieces_add(&classes[CLASS_GROW_MAP], took.wall, took.cpu);
    if (used_bytes() >= before + SPLIT_BYTES)
        pieces_add(&classes[CLASS_SPLIT], took.wall, took.cpu);
    begin = piece_begin();
    did(list_push_take(heap, grown_list, value_double((double)id + 0.5)));
    piece_end(&classes[CLASS_GROW_LIST], begin);
}

/* Objects may have moved since the last turn. */
static void find_again(void)
{
    keys = at_root("keys");
    rings = at_root("rings");
    grown_map = at_root("grown map");
    grown_list = at_root("grown list");
}

static void turn(void)
{
    find_again();
    for (unsigned i = 0; i < TURN_RINGS; i++) {
        value ring = ring_new();
        did(list_set_take(heap, rings, measure_random_below(&random_state, RINGS), ring));
    }
    struct map_key payload;
    map_key_text(heap, &payload, "payload", 7);
    for (unsigned i = 0; i < TURN_FIELDS; i++) {
        value record = record_at(measure_random_below(&random_state, record_count));
        did(map_set_take(heap, record, &payload, payload_new()));
    }
    for (unsigned i = 0; i < TURN_RECORDS; i++)
        record_set(measure_random_below(&random_state, record_count));
    for (unsigned i = 0; i < TURN_INSERTS; i++) grow(grown_count++);
    if (grown_count >= GROWN_MAX) grown_renew();
}

/* One piece of gc_run. Nothing that depends on the clock: no cycle because of idleness. */
static bool collect_piece(void)
{
    if (gc_urgency(heap) < GC_INDEBTED) return false;
    bool dropping = heap_drop_pending(heap);
    struct piece_begin begin = piece_begin();
    gc_run(heap, 1, GC_BESIDE_EVENTS);
    piece_end(&classes[dropping ? CLASS_DROP : CLASS_STEP], begin);
    return true;
}

/* In the first run as much as the server would; then what the first run did. */
static void collect(uint64_t events_ns, bool first, size_t turn_index)
{
    uint64_t budget = first && gc_urgency(heap) >= GC_INDEBTED ? gc_budget_ns(heap, events_ns) : 0;
    unsigned done = 0;
    struct piece_begin begin = piece_begin();
    if (first) {
        while (measure_ns() - begin.wall < budget && done < UINT8_MAX && collect_piece()) done++;
        if (turn_count == turn_capacity) {
            turn_capacity = turn_capacity ? 2 * turn_capacity : 65536;
            turn_pieces = realloc(turn_pieces, turn_capacity);
            if (!turn_pieces) measure_fail("out of memory");
        }
        turn_pieces[turn_count++] = (uint8_t)done;
    } else {
        while (done < turn_pieces[turn_index] && collect_piece()) done++;
        if (done < turn_pieces[turn_index]) measure_fail("a run does not repeat the first");
    }
    if (first) gc_charge(heap, measure_ns() - begin.wall);
    if (done) piece_end(&classes[CLASS_TURN], begin);
}

/* --- the whole ------------------------------------------------------------------------------*/

static void print_classes(uint64_t gib, const char *details)
{
    static const struct {
        double p9999, longest;
    } goals[CLASS_COUNT] = {
        [CLASS_STEP] = {STEP_P9999_US, STEP_MAX_US}, [CLASS_DROP] = {-1, DROP_US},
        [CLASS_TURN] = {-1, -1},                     [CLASS_ASSIST] = {-1, -1},
        [CLASS_GROW_MAP] = {-1, GROWTH_US},          [CLASS_SPLIT] = {-1, GROWTH_US},
        [CLASS_GROW_LIST] = {-1, GROWTH_US},         [CLASS_AHEAD] = {-1, -1},
    };
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s at %lu GiB", class_names[i], gib);
        pieces_print(&classes[i], name, goals[i].p9999, goals[i].longest,
                     i == CLASS_STEP ? "V8 1-5 ms; LuaJIT 7-40 ms; MicroPython 250 ms on 32 MB"
                                     : NULL,
                     details);
        pieces_close(&classes[i]);
    }
}

/* Returns the longest piece of atomic work; fills in what is said of the run. */
static double run(size_t live_bytes, uint64_t cycles, uint64_t seconds, bool first, char *details,
                  size_t details_size, double *collector_percent)
{
    struct gc_stats stats;
    struct heap_stats filled;
    char message[256];
    size_t turns = 0;
    fill(live_bytes);
    heap_stats(heap, &filled);
    uint64_t begin = measure_ns(), cpu = measure_cpu_ns();
    uint64_t collector_before = classes[CLASS_TURN].cpu.sum;
    do {
        uint64_t events = measure_ns();
        turn();
        uint64_t events_ns = measure_ns() - events;
        struct piece_begin begin_ahead = piece_begin();
        heap_ahead(heap, AHEAD_NS);
        piece_end(&classes[CLASS_AHEAD], begin_ahead);
        collect(events_ns, first, turns++);
        gc_stats(heap, &stats);
    } while (first ? stats.cycles < cycles && measure_ns() - begin < seconds * 1000000000
                   : turns < turn_count);
    double share = 100 * (double)(classes[CLASS_TURN].cpu.sum - collector_before) /
                   (double)(measure_cpu_ns() - cpu);
    *collector_percent = share;
    snprintf(details, details_size,
             "\"objects\":%lu,\"cycles\":%lu,\"turns\":%zu,\"collector_cpu_percent\":%.3g",
             filled.object_count, stats.cycles, turns, share);
    for (unsigned i = 0; i < CLASS_COUNT; i++) pieces_run_end(&classes[i]);
    if (live_bytes <= GIB && heap_verify(heap, message, sizeof message) != 0)
        measure_fail("%s", message);
    heap_destroy(heap);
    return (double)stats.start.max_ns / 1e3;
}

static void figures(uint64_t gib, uint64_t cycles, uint64_t seconds, uint64_t runs)
{
    char details[160], name[96];
    double atomic_us = 0, share = 0;
    turn_count = 0;
    for (uint64_t i = 0; i < runs; i++) {
        double us = run(gib * GIB, cycles, seconds, i == 0, details, sizeof details, &share);
        if (i == 0 || us < atomic_us) atomic_us = us;
    }
    print_classes(gib, details);
    snprintf(name, sizeof name, "atomic work of a cycle at %lu GiB, longest", gib);
    figure_print_with(&(struct figure){name, atomic_us, "us", GOAL_MAX, ATOMIC_US,
                                       "unbounded in Lua, mruby"},
                      "%s", details);
    snprintf(name, sizeof name, "collector and drops at %lu GiB, share of CPU under load", gib);
    figure_print_with(&(struct figure){name, share, "%", GOAL_NONE, 0,
                                       "the scheduler's bound: a fifth, or 100 us a turn"},
                      "%s", details);
}

int main(int argc, char **argv)
{
    uint64_t gib = 0, cycles = 3, seconds = 60, runs = 3;
    measure_options(argc, argv,
                    (struct measure_option[]){
                        {"gib", &gib, "live bytes, in GiB; 0: 1 and then 4"},
                        {"cycles", &cycles, "cycles of the collector in a run"},
                        {"seconds", &seconds, "at most so long a run"},
                        {"runs", &runs, "runs of each"},
                        {"huge", &measure_huge, "1: ask for huge pages"},
                        {NULL, NULL, NULL},
                    });
    if (gib) {
        figures(gib, cycles, seconds, runs);
    } else {
        figures(1, cycles, seconds, runs);
        figures(4, cycles, seconds, runs);
    }
    free(turn_pieces);
    return 0;
}
