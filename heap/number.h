/* number.h - numbers of any size, inline or boxed. */
#ifndef CAIRN_HEAP_NUMBER_H
#define CAIRN_HEAP_NUMBER_H

#include "heap/heap.h"

/* Make a number; VALUE_ABSENT when memory for the box is short. */
warn_unused value number_from_int64(struct heap *h, int64_t i);
warn_unused value number_from_uint64(struct heap *h, uint64_t u);
warn_unused value number_from_double(struct heap *h, double d);

enum number_class { NUMBER_NONE, NUMBER_INT64, NUMBER_UINT64, NUMBER_DOUBLE };
struct number {
    enum number_class class; /* NUMBER_UINT64 only for values above INT64_MAX */
    union {
        int64_t i;
        uint64_t u;
        double d;
    };
};
/* NUMBER_NONE if `v` is not a number. */
struct number number_read(const struct heap *h, value v);

/* a + b: exact while both are integers, -ERANGE when the sum leaves int64 and uint64;
 * a double as soon as one is a double. */
warn_unused int number_add(struct number a, struct number b, struct number *sum);
warn_unused value number_make(struct heap *h, struct number n);

/* The fewest digits that read back as the same double, if 15 are enough, else 16 or 17; of those
 * below the normal ones, whose precision is less, the fewest at all. As printf's %g writes them. */
void number_print(char *text, size_t size, double d);

#endif
