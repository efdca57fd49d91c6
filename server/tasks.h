/* tasks.h - long work in small steps, between events.
 *
 * Whatever may take long and is not one client's own small request is a task: a step
 * function with resumable state, called with a time budget until it says that it is done.
 * One scheduler serves all of them in turn, and the collector after them.
 *
 * After a turn with events, tasks share TASKS_BUSY_NS, so that clients wait little; a turn
 * without events gives them TASKS_IDLE_NS before the next poll. The collector gets what
 * gc_budget_ns says: a bounded share of the time that events take. Before it, the heap may ask the
 * system for memory that the next turns will need, for TASKS_AHEAD_NS. */
#ifndef CAIRN_SERVER_TASKS_H
#define CAIRN_SERVER_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/heap.h"

#define TASKS_BUSY_NS ((uint64_t)300000)
#define TASKS_IDLE_NS ((uint64_t)500000)
#define TASKS_AHEAD_NS ((uint64_t)100000)

enum task_outcome { TASK_MORE, TASK_DONE };

struct task {
    const char *name; /* static storage */
    /* Works for about `budget_ns`. TASK_DONE takes the task off the list; it may then be
     * freed by the step itself, or started again. */
    enum task_outcome (*step)(struct task *task, uint64_t budget_ns);
    /* private */
    struct task *prev, *next;
    bool queued;
    uint64_t spent_ns;
};

struct tasks {
    struct heap *heap;
    struct task *first, *last;
    size_t count;
    uint64_t steps;       /* ever */
    uint64_t spent_ns;    /* in tasks, ever */
    uint64_t collector_ns; /* in the collector, ever */
};

void tasks_init(struct tasks *t, struct heap *h);
/* Adds a task at the end; no effect if it is queued. The task is the caller's and must
 * stay where it is until it is done or stopped. */
void tasks_start(struct tasks *t, struct task *task);
/* Takes a task off the list, from anywhere but its own step; no effect if it is not queued. */
void tasks_stop(struct tasks *t, struct task *task);
/* One round. `events_ns`: how long this turn's events took; 0: there were none. */
void tasks_run(struct tasks *t, uint64_t events_ns);
/* Whether anything wants to run before the next event: then the loop must not block. */
bool tasks_want_time(const struct tasks *t);
/* If nothing does: after how many milliseconds without events the collector will; 0: never. */
uint64_t tasks_wait_ms(const struct tasks *t);

#endif
