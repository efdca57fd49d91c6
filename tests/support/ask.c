/* ask.c - see ask.h. */
#include "tests/support/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/literal.h"
#include "tests/support/random.h"

static char *last_answer;

void ask_open(struct in_process *p, size_t max_bytes)
{
    in_process_open(p, max_bytes);
    p->seed = random_seed();
    printf("# CAIRN_SEED=%llu\n", (unsigned long long)p->seed);
}

void ask_extensions(struct in_process *p, bool on)
{
    ASK_HAS(p, "hello", on ? "{'ext': true}" : "{'ext': false}",
            on ? "'ext': true" : "'ext': false");
}

/* The one response in p->out, checked and taken out. */
static const char *read_answer(struct in_process *p, uint32_t msgid)
{
    char begins[40];
    size_t used;
    ck_assert_int_eq(p->out.error, WRITER_OK);
    ck_assert_uint_gt(p->out.length, 4);
    ck_assert_uint_eq((unsigned char)p->out.data[0], 0x94);
    char *text = literal_read(p->out.data, p->out.length, &used);
    ck_assert_uint_eq(used, p->out.length);
    writer_rewind(&p->out, 0);
    snprintf(begins, sizeof begins, "[1, %u, ", msgid);
    ck_assert_int_eq(strncmp(text, begins, strlen(begins)), 0);
    /* [1, msgid, nil, result] or [1, msgid, error, nil] */
    char *content = text + strlen(begins), *end = text + strlen(text) - 1;
    *end = 0;
    free(last_answer);
    if (strncmp(content, "nil, ", 5) == 0) {
        last_answer = strdup(content + 5);
    } else {
        ck_assert_str_eq(end - 5, ", nil");
        end[-5] = 0;
        bool quoted = *content == '\'';
        if (quoted) end[-6] = 0;
        last_answer = malloc(strlen(content) + 3);
        sprintf(last_answer, "! %s", content + quoted);
    }
    free(text);
    return last_answer;
}

const char *ask_bytes(struct in_process *p, const char *method, const struct writer *params)
{
    static uint32_t last_msgid;
    uint32_t msgid = ++last_msgid; /* another session may ask before the answer: between */
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 4);
    writer_int(&w, 0);
    writer_uint(&w, msgid);
    writer_cstr(&w, method);
    writer_bytes(&w, params->data, params->length);
    writer_rewind(&p->out, 0);
    ck_assert_int_eq(in_process_feed(p, w.data, w.length), 0);
    writer_close(&w);
    return read_answer(p, msgid);
}

const char *ask(struct in_process *p, const char *method, const char *params)
{
    struct writer items, w;
    writer_init(&items, 0);
    writer_init(&w, 0);
    writer_array(&w, literal_write(&items, params));
    writer_bytes(&w, items.data, items.length);
    const char *answer = ask_bytes(p, method, &w);
    writer_close(&items);
    writer_close(&w);
    return answer;
}

void ask_begin(struct in_process *session, const char *method, const char *params)
{
    struct writer w, items;
    writer_init(&items, 0);
    writer_init(&w, 0);
    size_t count = literal_write(&items, params);
    writer_array(&w, 4);
    writer_int(&w, 0);
    writer_int(&w, 1);
    writer_cstr(&w, method);
    writer_array(&w, count);
    writer_bytes(&w, items.data, items.length);
    writer_rewind(&session->out, 0);
    ck_assert_int_eq(in_process_begin(session, w.data, w.length), CALL_PENDING);
    writer_close(&w);
    writer_close(&items);
}

enum call_outcome ask_resume(struct in_process *session, uint64_t budget_ns)
{
    builder_touch(&session->builder);
    enum call_outcome outcome = call_resume(&session->call, budget_ns);
    if (outcome != CALL_PENDING) builder_reset(&session->builder);
    return outcome;
}

#define STEPS_MAX 1000000
#define STEP_NS 100000

void ask_finish(struct in_process *session)
{
    for (unsigned steps = 0; ask_resume(session, STEP_NS) == CALL_PENDING; steps++)
        if (steps == STEPS_MAX) ck_abort_msg("the call does not end");
}

void ask_expect(struct in_process *session, const char *answer)
{
    size_t used;
    char *text = literal_read(session->out.data, session->out.length, &used);
    ck_assert_str_eq(text, answer);
    free(text);
    writer_rewind(&session->out, 0);
}

void ask_give_up(struct in_process *session)
{
    call_abort(&session->call);
    builder_reset(&session->builder);
    writer_rewind(&session->out, 0);
}

const char *ask_import(struct in_process *s, const char *path, const void *data, size_t length,
                       const char *options)
{
    struct writer w;
    writer_init(&w, 0);
    writer_array(&w, 3);
    literal_write(&w, path);
    writer_bin(&w, data, length);
    literal_write(&w, options);
    const char *answer = ask_bytes(s, "table.import", &w);
    writer_close(&w);
    return answer;
}

const char *ask_import_cut(struct in_process *s, const char *path, const char *data, size_t length,
                           const char *options, size_t piece, uint64_t *rng)
{
    const char *answer = "";
    char more[400], cursor[40] = "";
    for (size_t at = 0, part; at < length; at += part) {
        part = 1 + (size_t)random_below(rng, piece);
        if (part > length - at) part = length - at;
        snprintf(more, sizeof more, "{%s%s%s}", options, cursor,
                 at + part < length ? ", 'more': true" : "");
        answer = ask_import(s, path, data + at, part, more);
        if (*answer == '!') return answer;
        if (at + part < length)
            snprintf(cursor, sizeof cursor, ", 'cursor': %lld", (long long)s->refs.cursors.last);
    }
    return answer;
}

void ask_columns_open(struct writer *w, const char *path, size_t count, uint32_t columns)
{
    writer_init(w, 0);
    writer_array(w, 2);
    writer_cstr(w, path);
    writer_map(w, 2);
    writer_cstr(w, "n");
    writer_uint(w, count);
    writer_cstr(w, "cols");
    writer_map(w, columns);
}
