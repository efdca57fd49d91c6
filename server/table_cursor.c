/* table_cursor.c - see table_cursor.h. A session has few cursors: a list will do. */
#include "server/table_cursor.h"

#include <stdlib.h>

#include "heap/query.h"
#include "heap/table_export.h"
#include "server/table_import.h"

void table_cursor_destroy(struct table_cursor *cursor)
{
    export_destroy(cursor->export);
    if (cursor->query != NULL) query_destroy(cursor->query);
    import_destroy(cursor->import);
    free(cursor);
}

void table_cursors_add(struct table_cursors *cursors, struct table_cursor *cursor)
{
    if (cursor->id == 0) cursor->id = ++cursors->last;
    cursor->next = cursors->first;
    cursors->first = cursor;
    cursors->count++;
}

struct table_cursor *table_cursors_find(const struct table_cursors *cursors, int64_t id)
{
    struct table_cursor *cursor = cursors->first;
    while (cursor != NULL && cursor->id != id) cursor = cursor->next;
    return cursor;
}

struct table_cursor *table_cursors_take(struct table_cursors *cursors, int64_t id)
{
    for (struct table_cursor **at = &cursors->first; *at != NULL; at = &(*at)->next) {
        struct table_cursor *found = *at;
        if (found->id != id) continue;
        *at = found->next;
        cursors->count--;
        return found;
    }
    return NULL;
}

void table_cursors_expire(struct table_cursors *cursors, uint64_t now_ns, uint64_t idle_ns)
{
    struct table_cursor **at = &cursors->first;
    while (idle_ns > 0 && *at != NULL) {
        struct table_cursor *cursor = *at;
        if (now_ns - cursor->used_ns <= idle_ns) {
            at = &cursor->next;
            continue;
        }
        *at = cursor->next;
        cursors->count--;
        table_cursor_destroy(cursor);
    }
}

void table_cursors_close(struct table_cursors *cursors)
{
    struct table_cursor *next;
    for (struct table_cursor *cursor = cursors->first; cursor != NULL; cursor = next) {
        next = cursor->next;
        table_cursor_destroy(cursor);
    }
    *cursors = (struct table_cursors){0};
}
