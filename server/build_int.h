/* build_int.h - between build.c and build_set.c. */
#ifndef CAIRN_SERVER_BUILD_INT_H
#define CAIRN_SERVER_BUILD_INT_H

#include "server/build.h"

/* Remembers the failure and releases what was built; the rest of the message is not built. 0. */
int builder_fail(struct builder *b, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int builder_no_memory(struct builder *b);
/* Pushes a new container, which the builder owns from here on even if that fails. */
void builder_push_container(struct builder *b, value container);
/* The item on top of the frame is complete. */
int builder_item_done(struct builder *b);
/* Makes room for one more entry of an array of `size` bytes each. */
bool builder_grow(void *array_pointer, size_t *capacity, size_t needed, size_t size);

/* --- build_set.c: the payload of a SET ------------------------------------------------------ */

/* A payload of `length` bytes comes. Like the next two, returns 0 always; see builder_fail. */
int builder_set_open(struct builder *b, size_t length);
int builder_set_data(struct builder *b, const char *data, size_t length);
int builder_set_close(struct builder *b);

#endif
