/* watch.h - whether what a call reads in steps is changed meanwhile.
 *
 * A value has no stamp that tells of changes. But a call changes only what a path of its leads to or
 * through, and finds its place in the event in which it changes it. So path.c tells the watches of
 * each object that a call which may change data (METHOD_WRITE) meets on a path. A watch knows
 * which objects have been read, and notes if one of them is met: that may be a change, and what
 * has been read is not to be relied on any more. It costs other calls a comparison or two for each
 * segment while somebody watches, and nothing else.
 *
 * Keys that go by themselves (expiry, eviction), or all at once (clear), are not met on a path: who
 * watches what is under a key holds it, and looks at the key in the end. */
#ifndef CAIRN_SERVER_WATCH_H
#define CAIRN_SERVER_WATCH_H

#include "heap/object_set.h"
#include "server/keys.h"

struct watch {
    struct keys *keys;
    struct watch *previous, *next;
    struct object_set read;
    bool touched; /* one of them was met */
};

/* Storage of the caller; all zeros: not open. 0 or -ENOMEM. */
warn_unused int watch_open(struct watch *w, struct keys *k);
void watch_close(struct watch *w);
/* The object is being read. It must be held, or be in something that is held and watched. */
static inline void watch_add(struct watch *w, value v) { object_set_add(&w->read, v); }
/* A call that may change `v` has met it; `first` is keys->watches. */
void watch_met(struct watch *first, value v);

#endif
