/* methods.c - the table of methods, and finding one in it. */
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

/* All methods, hashed by a few characters of their names: requests look theirs up more than once.
 * Clients cannot make this slow, as the names that share a place are ours. */
#define SLOT_COUNT 1024
_Static_assert(METHOD_COUNT < SLOT_COUNT / 4, "places are sparse: nearly all are hit at once");
static struct {
    const struct method *method; /* or NULL */
    size_t length; /* of its name */
} slots[SLOT_COUNT];
static bool hashed;

static size_t name_slot(const char *name, size_t length)
{
    if (length == 0) return 0;
    const unsigned char *c = (const unsigned char *)name;
    uint32_t mixed = c[0] | (uint32_t)c[length / 2] << 8 | (uint32_t)c[length - 1] << 16 |
                     (uint32_t)length << 24;
    return mixed * 0x9e3779b1U >> 22;
}
_Static_assert(SLOT_COUNT == 1 << (32 - 22), "name_slot gives so many bits");

static void hash_methods(void)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        size_t length = strlen(method_list[i].name), slot = name_slot(method_list[i].name, length);
        while (slots[slot].method != NULL) slot = (slot + 1) % SLOT_COUNT;
        slots[slot].method = &method_list[i];
        slots[slot].length = length;
    }
    hashed = true;
}

const struct method *method_find(const char *name, size_t length)
{
    if (!hashed) hash_methods();
    size_t slot = name_slot(name, length);
    for (; slots[slot].method != NULL; slot = (slot + 1) % SLOT_COUNT)
        if (slots[slot].length == length && memcmp(name, slots[slot].method->name, length) == 0)
            return slots[slot].method;
    return NULL;
}
