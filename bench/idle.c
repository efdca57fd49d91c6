/* idle.c - the CPU that a server uses while nobody asks it for anything.
 *
 *     bench_idle [--seconds=N]
 *
 * Before it is left alone it gets something to clean up: a hundred thousand cyclic objects that
 * are then deleted, and a client that stays connected. Once that is done, by cycles that begin
 * by themselves, its CPU time must stand still. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/server_child.h"

#define CYCLES 100000
#define WINDOW 256

static void make_garbage(struct cairn *c)
{
    struct cairn_args *args = cairn_args_create();
    for (unsigned i = 0; i < CYCLES; i++) {
        cairn_args_clear(args);
        cairn_args_cstr(args, "cycle");
        cairn_args_map_open(args);
        cairn_args_cstr(args, "number");
        cairn_args_int(args, i);
        cairn_args_map_close(args);
        server_child_send(c, "set", args, WINDOW);
        cairn_args_clear(args);
        cairn_args_array_open(args);
        cairn_args_cstr(args, "cycle");
        cairn_args_cstr(args, "self");
        cairn_args_array_close(args);
        cairn_args_cstr(args, "cycle");
        server_child_send(c, "link", args, WINDOW);
    }
    cairn_args_clear(args);
    cairn_args_cstr(args, "cycle");
    server_child_send(c, "del", args, WINDOW);
    server_child_finish(c);
    cairn_args_destroy(args);
}

int main(int argc, char **argv)
{
    uint64_t seconds = 5;
    measure_options(argc, argv,
                    (struct measure_option[]){{"seconds", &seconds, "to look on"},
                                              {NULL, NULL, NULL}});
    struct server_child s;
    server_child_start(&s, (size_t)1 << 30, 100);
    struct cairn *c = server_child_connect(&s);
    make_garbage(c);
    server_child_settle(&s, 30);
    double objects = server_child_figure(c, "mem.info", (const char *[]){"objects", NULL});
    double cycles = server_child_figure(c, "gc.stats", (const char *[]){"cycles", NULL});
    sleep(1);
    uint64_t begin = measure_ns(), cpu = measure_process_cpu_ns(s.pid);
    sleep((unsigned)seconds);
    cpu = measure_process_cpu_ns(s.pid) - cpu;
    double percent = 100 * (double)cpu / (double)(measure_ns() - begin);
    figure_print_with(&(struct figure){"idle server, CPU", percent, "%", GOAL_MAX, 0, NULL},
                      "\"seconds\":%lu,\"cpu_us\":%lu,\"objects_left\":%.0f,\"cycles\":%.0f",
                      seconds, cpu / 1000, objects, cycles);
    cairn_destroy(c);
    server_child_stop(&s);
    return 0;
}
