/* heap_literal.h - heap values from text that tests can read:
 *
 *   nil true false nan inf -inf 12 -3 2.5 'text' b'bytes' [1, 2] {'a': 1}
 *
 * In texts \xNN is a byte. */
#ifndef CAIRN_TESTS_HEAP_LITERAL_H
#define CAIRN_TESTS_HEAP_LITERAL_H

#include "heap/heap.h"

/* The one value in `text`, owned by the caller. Aborts on nonsense, and if memory is short. */
value heap_literal(struct heap *h, const char *text);

#endif
