/* tasks.c - see tasks.h. */
#include "server/tasks.h"

#include <uv.h>

#include "heap/gc.h"

void tasks_init(struct tasks *t, struct heap *h)
{
    *t = (struct tasks){.heap = h};
}

void tasks_start(struct tasks *t, struct task *task)
{
    if (task->queued) return;
    task->queued = true;
    task->spent_ns = 0;
    task->next = NULL;
    task->prev = t->last;
    if (t->last)
        t->last->next = task;
    else
        t->first = task;
    t->last = task;
    t->count++;
}

void tasks_stop(struct tasks *t, struct task *task)
{
    if (!task->queued) return;
    if (task->prev)
        task->prev->next = task->next;
    else
        t->first = task->next;
    if (task->next)
        task->next->prev = task->prev;
    else
        t->last = task->prev;
    task->prev = task->next = NULL;
    task->queued = false;
    t->count--;
}

/* Each task gets an equal part of what is left, in turn; the round ends when the time is
 * over, and the next one begins where this one stopped. A task is off the list while it
 * steps, so that a step may do to it what it likes. */
static void tasks_round(struct tasks *t, uint64_t budget_ns)
{
    uint64_t used_ns = 0;
    for (size_t left = t->count; left > 0 && t->first && used_ns < budget_ns; left--) {
        struct task *task = t->first;
        uint64_t share_ns = (budget_ns - used_ns) / left;
        uint64_t start_ns = uv_hrtime();
        tasks_stop(t, task);
        uint64_t spent_ns = task->spent_ns;
        enum task_outcome outcome = task->step(task, share_ns);
        uint64_t took_ns = uv_hrtime() - start_ns;
        used_ns += took_ns;
        t->steps++;
        if (outcome == TASK_DONE) continue;
        tasks_start(t, task);
        task->spent_ns = spent_ns + took_ns;
    }
    t->spent_ns += used_ns;
}

void tasks_run(struct tasks *t, uint64_t events_ns)
{
    if (t->count) tasks_round(t, events_ns ? TASKS_BUSY_NS : TASKS_IDLE_NS);
    if (events_ns) heap_ahead(t->heap, TASKS_AHEAD_NS);
    uint64_t budget_ns = gc_budget_ns(t->heap, events_ns);
    if (budget_ns == 0) return;
    uint64_t worked_ns = gc_run(t->heap, budget_ns, events_ns ? GC_BESIDE_EVENTS : GC_WHEN_IDLE);
    if (events_ns) gc_charge(t->heap, worked_ns);
    t->collector_ns += worked_ns;
}

bool tasks_want_time(const struct tasks *t)
{
    return t->count > 0 || gc_urgency(t->heap) != GC_RESTING;
}

uint64_t tasks_wait_ms(const struct tasks *t)
{
    return gc_idle_work_wanted(t->heap) ? gc_idle_wait_ns(t->heap) / 1000000 + 1 : 0;
}
