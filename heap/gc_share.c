/* gc_share.c - see gc_share.h. */
#include "heap/gc_share.h"

#include <assert.h>

#define SECOND_NS ((uint64_t)1000000000)

/* --- credit ---------------------------------------------------------------------------------*/

uint64_t gc_share_earn(struct gc_share *s, uint64_t events_ns, unsigned percent)
{
    uint64_t earned_ns = events_ns < SECOND_NS ? events_ns * percent / 100 : SECOND_NS;
    uint64_t most_ns = percent > GC_SHARE_USUAL || earned_ns > GC_TURN_MOST_NS ? GC_TURN_MOST_NS
                       : earned_ns > GC_TURN_NS                                ? earned_ns
                                                                               : GC_TURN_NS;
    s->credit_ns += (int64_t)earned_ns;
    if (s->credit_ns > (int64_t)most_ns) s->credit_ns = (int64_t)most_ns;
    return s->credit_ns >= (int64_t)GC_TURN_LEAST_NS ? (uint64_t)s->credit_ns : 0;
}

void gc_share_spend(struct gc_share *s, uint64_t worked_ns)
{
    /* What is much longer than a turn was the system's doing. Events that it held up are not
     * credited in full either. */
    s->credit_ns -= (int64_t)(worked_ns < GC_TURN_MOST_NS ? worked_ns : GC_TURN_MOST_NS);
}

/* --- what it was ------------------------------------------------------------------------------*/

void gc_share_record(struct gc_share *s, uint64_t now_ns, uint64_t worked_ns)
{
    uint64_t second = now_ns / SECOND_NS;
    uint64_t behind = second > s->second ? second - s->second : 0;
    if (behind > GC_SHARE_SECONDS) behind = GC_SHARE_SECONDS;
    for (; behind > 0; behind--) s->worked_ns[(second - behind + 1) % GC_SHARE_SECONDS] = 0;
    if (second > s->second) s->second = second;
    s->worked_ns[s->second % GC_SHARE_SECONDS] += worked_ns;
}

static uint64_t worked_in(const struct gc_share *s, uint64_t second)
{
    if (second > s->second || second + GC_SHARE_SECONDS <= s->second) return 0;
    return s->worked_ns[second % GC_SHARE_SECONDS];
}

/* The second under way counts whole, and of the oldest one what it lacks. */
unsigned gc_share_permille(const struct gc_share *s, uint64_t now_ns, unsigned seconds)
{
    assert(seconds >= 1 && seconds < GC_SHARE_SECONDS);
    uint64_t second = now_ns / SECOND_NS, left_ns = SECOND_NS - now_ns % SECOND_NS;
    uint64_t sum_ns = 0;
    for (unsigned i = 0; i < seconds && i <= second; i++) sum_ns += worked_in(s, second - i);
    if (second >= seconds) sum_ns += worked_in(s, second - seconds) * (left_ns / 1000) / 1000000;
    return (unsigned)(sum_ns / (seconds * (SECOND_NS / 1000)));
}
