/* watch.c - see watch.h. */
#include "server/watch.h"

int watch_open(struct watch *w, struct keys *k)
{
    int error = object_set_open(&w->read, k->heap);
    if (error != 0) return error;
    w->keys = k;
    w->touched = false;
    w->previous = NULL;
    w->next = k->watches;
    if (w->next != NULL) w->next->previous = w;
    k->watches = w;
    return 0;
}

void watch_close(struct watch *w)
{
    if (w->keys == NULL) return;
    if (w->previous != NULL) w->previous->next = w->next;
    else w->keys->watches = w->next;
    if (w->next != NULL) w->next->previous = w->previous;
    object_set_close(&w->read);
    w->keys = NULL;
}

void watch_met(struct watch *first, value v)
{
    for (struct watch *w = first; w != NULL; w = w->next)
        if (object_set_has(&w->read, v)) w->touched = true;
}
