/* arrow_sample.h - a small Arrow stream, as the literal of a bin: columns "id" (i64) and "a longer
 * name" (sym, with a null), three rows. */
#ifndef CAIRN_TESTS_ARROW_SAMPLE_H
#define CAIRN_TESTS_ARROW_SAMPLE_H

/* To be freed. */
char *arrow_sample_literal(void);

#endif
