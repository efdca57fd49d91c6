/* value.c - names of kinds. */
#include "heap/value.h"

#include <assert.h>

const char *kind_name(enum kind kind)
{
    static const char *const names[] = {
#define X(name, text) [KIND_##name] = text,
        HEAP_LEAF_KINDS(X) HEAP_CONTAINER_KINDS(X)
#undef X
    };
    assert(kind < KIND_COUNT);
    return names[kind];
}
