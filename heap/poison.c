/* poison.c - free cells that show when somebody still uses them. */
#include "heap/heap_int.h"

#if defined(CAIRN_DEBUG) || defined(__SANITIZE_ADDRESS__)

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

/* Read as a value it is a double; read as text it is not UTF-8. */
#define POISON_BYTE 0xda

void cell_poison(void *cell, size_t bytes)
{
    ASAN_UNPOISON_MEMORY_REGION(cell, bytes); /* parts of a page may be off limits already */
    memset(cell, POISON_BYTE, bytes);
    ASAN_POISON_MEMORY_REGION(cell, bytes);
}

bool cell_is_poisoned(void *cell, size_t bytes)
{
    ASAN_UNPOISON_MEMORY_REGION(cell, bytes);
    const unsigned char *p = cell;
    bool intact = p[0] == POISON_BYTE && memcmp(p, p + 1, bytes - 1) == 0;
    ASAN_POISON_MEMORY_REGION(cell, bytes);
    return intact;
}

void cell_unpoison(void *cell, size_t bytes)
{
    ASAN_UNPOISON_MEMORY_REGION(cell, bytes);
    const unsigned char *p = cell;
    assert(p[0] == POISON_BYTE && memcmp(p, p + 1, bytes - 1) == 0 && "written to after free");
}

void block_poison(void *memory, size_t bytes)
{
    memset(memory, POISON_BYTE, bytes);
    ASAN_POISON_MEMORY_REGION(memory, bytes);
}

void memory_unpoison(void *memory, size_t bytes)
{
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
}

#endif
