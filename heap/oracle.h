/* oracle.h - debug builds: at the end of marking, everything that was reachable at its beginning
 * and that no owner has freed must be marked, and what was made meanwhile black. See oracle.c. */
#ifndef CAIRN_HEAP_ORACLE_H
#define CAIRN_HEAP_ORACLE_H

#include "heap/heap_int.h"

#ifdef CAIRN_DEBUG
/* A cycle begins: remembers what is reachable. */
void oracle_begin(struct heap *h);
/* The owner of `v` frees it. */
void oracle_freed(struct heap *h, value v);
/* The marker moves an object to another cell, and frees its old one next. */
void oracle_moved(struct heap *h, value from, value to);
/* Marking has ended. 0, or -EINVAL with a sentence in `message`. */
warn_unused int oracle_check(const struct heap *h, char *message, size_t size);
/* Forgets what was remembered. */
void oracle_end(struct heap *h);
#else
static inline void oracle_begin(struct heap *h) { (void)h; }
static inline void oracle_freed(struct heap *h, value v) { (void)h, (void)v; }
static inline void oracle_moved(struct heap *h, value from, value to)
{
    (void)h, (void)from, (void)to;
}
static inline void oracle_end(struct heap *h) { (void)h; }
#endif

#endif
