/* methods.c - the table of methods, and finding one in it. */
#include <stdlib.h>
#include <string.h>

#include "server/method_list.h"

const struct method method_list[] = {
#define X(name, params, result, min, max, flags, handler, help) \
    {name, params, result, min, max, flags, handler, help},
#define G(title, methods) methods(X)
    METHOD_GROUPS(G)
#undef G
#undef X
};
#define METHOD_COUNT (sizeof method_list / sizeof *method_list)
const size_t method_count = METHOD_COUNT;

/* All methods by name. */
static const struct method *sorted[METHOD_COUNT];

static int compare_methods(const void *a, const void *b)
{
    const struct method *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void sort_methods(void)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) sorted[i] = &method_list[i];
    qsort(sorted, METHOD_COUNT, sizeof *sorted, compare_methods);
}

const struct method *method_find(const char *name, size_t length)
{
    if (sorted[0] == NULL) sort_methods();
    size_t low = 0, high = METHOD_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *other = sorted[middle]->name;
        size_t other_length = strlen(other);
        int order = memcmp(name, other, length < other_length ? length : other_length);
        if (order == 0) order = (length > other_length) - (length < other_length);
        if (order == 0) return sorted[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}
