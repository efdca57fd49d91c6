/* ask.h - asserting what methods answer, in literals (literal.h):
 *
 *     ASK(&p, "get", "'user:1'", "{'name': 'Ada'}");
 *     ASK(&p, "push", "'n', [1]", "! WRONG_TYPE push: \"n\" is a map; push needs a list");
 *
 * An error is written after "! ", as a string without quotes or as a map. */
#ifndef CAIRN_TESTS_ASK_H
#define CAIRN_TESTS_ASK_H

#include <check.h>

#include "tests/support/in_process.h"

/* A session with a heap of `max_bytes` (0: 64 MiB), whose collector's steps are random: of a seed
 * that is printed (random.h). To be closed by in_process_close. */
void ask_open(struct in_process *p, size_t max_bytes);
/* Turns the extension types of the session on or off. */
void ask_extensions(struct in_process *p, bool on);

/* Sends a request and returns the answer, which is freed by the next ask. */
const char *ask(struct in_process *p, const char *method, const char *params);
/* The same for a request whose params array is given as bytes. */
const char *ask_bytes(struct in_process *p, const char *method, const struct writer *params);

/* table.import of bytes; and of a file in pieces of at most `piece` bytes, whose sizes `rng`
 * chooses: the last answer, or an error. There, options have no braces. */
const char *ask_import(struct in_process *s, const char *path, const void *data, size_t length,
                       const char *options);
const char *ask_import_cut(struct in_process *s, const char *path, const char *data, size_t length,
                           const char *options, size_t piece, uint64_t *rng);

/* A call that is still under way after its first step; its next step; and, once it is done, the
 * whole response. Or it is given up, as the server does when a session ends. */
void ask_begin(struct in_process *session, const char *method, const char *params);
enum call_outcome ask_resume(struct in_process *session, uint64_t budget_ns);
/* All steps that are left; ends the test if they never end, as of a call that waits for its turn
 * in vain. */
void ask_finish(struct in_process *session);
void ask_expect(struct in_process *session, const char *response);
void ask_give_up(struct in_process *session);

#define ASK(p, method, params, answer) ck_assert_str_eq(ask(p, method, params), answer)
/* The beginning of the answer. */
#define ASK_BEGINS(p, method, params, beginning)                                             \
    do {                                                                                     \
        const char *answer_ = ask(p, method, params);                                        \
        ck_assert_msg(strncmp(answer_, beginning, strlen(beginning)) == 0,                   \
                      "'%s' does not begin with '%s'", answer_, beginning);                  \
    } while (0)
#define ASK_HAS(p, method, params, part)                                                     \
    do {                                                                                     \
        const char *answer_ = ask(p, method, params);                                        \
        ck_assert_msg(strstr(answer_, part) != NULL, "'%s' does not contain '%s'", answer_,  \
                      part);                                                                 \
    } while (0)

/* The parameters of a table.append to `path` of `count` rows by columns, up to the columns: the
 * name and the bin of each of `columns` come next. */
void ask_columns_open(struct writer *w, const char *path, size_t count, uint32_t columns);

#endif
