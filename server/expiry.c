/* expiry.c - see expiry.h. */
#include "server/expiry.h"

#include <stddef.h>

/* Keys evicted between two looks at the clock. */
#define EVICT_STEP_KEYS 32
/* The wall clock may be set: the timer looks again after a minute at the latest. */
#define TIMER_MS_MAX 60000

static enum task_outcome sweep_step(struct task *task, uint64_t budget_ns)
{
    struct expiry *x = (struct expiry *)(void *)((char *)task - offsetof(struct expiry, sweep));
    uint64_t begin_ns = uv_hrtime();
    keys_turn(x->keys);
    while (keys_sweep_due(x->keys) <= keys_now(x->keys)) {
        keys_sweep(x->keys);
        if (uv_hrtime() - begin_ns >= budget_ns) return TASK_MORE;
    }
    return TASK_DONE;
}

/* What has been evicted and waits to be freed is the collector's to do, after the tasks. */
static enum task_outcome evict_step(struct task *task, uint64_t budget_ns)
{
    struct expiry *x = (struct expiry *)(void *)((char *)task - offsetof(struct expiry, evict));
    uint64_t begin_ns = uv_hrtime();
    keys_turn(x->keys);
    size_t evicted, total = 0;
    while ((evicted = keys_evict(x->keys, EVICT_STEP_KEYS)) == EVICT_STEP_KEYS) {
        total += evicted;
        if (uv_hrtime() - begin_ns >= budget_ns) return TASK_MORE;
    }
    /* If nothing can go, there is nothing to try before something changes. */
    x->stuck_bytes = total + evicted == 0 ? heap_used_bytes(x->keys->heap) : 0;
    x->stuck_expiring = x->keys->expiring;
    return TASK_DONE;
}

static enum task_outcome convert_step(struct task *task, uint64_t budget_ns)
{
    struct expiry *x = (struct expiry *)(void *)((char *)task - offsetof(struct expiry, convert));
    uint64_t begin_ns = uv_hrtime();
    while (keys_convert_wanted(x->keys)) {
        keys_convert(x->keys);
        if (uv_hrtime() - begin_ns >= budget_ns) return TASK_MORE;
    }
    return TASK_DONE;
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer; /* it has woken the loop: expiry_turn follows */
}

void expiry_init(struct expiry *x, struct keys *keys, struct tasks *tasks, uv_loop_t *loop)
{
    *x = (struct expiry){
        .keys = keys,
        .tasks = tasks,
        .sweep = {.name = "expiry", .step = sweep_step},
        .evict = {.name = "eviction", .step = evict_step},
        .convert = {.name = "policy", .step = convert_step},
    };
    uv_timer_init(loop, &x->timer);
}

void expiry_turn(struct expiry *x)
{
    if (keys_convert_wanted(x->keys)) tasks_start(x->tasks, &x->convert);
    uint64_t due_ms = keys_sweep_due(x->keys);
    keys_turn(x->keys);
    if (due_ms == UINT64_MAX) {
        uv_timer_stop(&x->timer);
    } else if (due_ms <= keys_now(x->keys)) {
        tasks_start(x->tasks, &x->sweep);
    } else if (x->timer_ms != due_ms || !uv_is_active((uv_handle_t *)&x->timer)) {
        uint64_t wait_ms = due_ms - keys_now(x->keys);
        uv_timer_start(&x->timer, on_timer, wait_ms < TIMER_MS_MAX ? wait_ms : TIMER_MS_MAX, 0);
        x->timer_ms = due_ms;
    }
    bool stuck = heap_used_bytes(x->keys->heap) == x->stuck_bytes &&
                 x->keys->expiring == x->stuck_expiring;
    if (keys_evict_wanted(x->keys) && !stuck) tasks_start(x->tasks, &x->evict);
}
