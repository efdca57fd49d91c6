/* call.c - see call.h: dispatch, the envelope of the answer, errors. */
#include "server/call.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/keys.h"
#include "server/params.h"
#include "server/reply.h"

/* Before a handler runs, the reply has room for this much, so that a result of one scalar
 * cannot fail after something was changed. */
#define SCALAR_ROOM 64

const char *error_code_name(enum error_code code)
{
    static const char *const names[] = {
#define X(name, meaning) #name,
        SERVER_ERRORS(X)
#undef X
    };
    return (unsigned)code < ERROR_COUNT ? names[code] : "INTERNAL";
}

enum call_outcome call_fail(struct call *call, enum error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    call->error = code;
    vsnprintf(call->message, sizeof call->message, format, arguments);
    va_end(arguments);
    return CALL_FAILED;
}

value call_keep_take(struct call *call, value v)
{
    struct call_made *made = &call->made;
    if (!value_is_ref(v)) return v;
    if (made->count == made->capacity) {
        size_t capacity = made->capacity == 0 ? 8 : made->capacity * 2;
        value *values = realloc(made->values, capacity * sizeof *values);
        if (values == NULL) {
            value_release(call->heap, v);
            return VALUE_ABSENT;
        }
        made->values = values;
        made->capacity = capacity;
    }
    return made->values[made->count++] = v;
}

static void call_made_release(struct call *call)
{
    for (size_t i = 0; i < call->made.count; i++) value_release(call->heap, call->made.values[i]);
    free(call->made.values);
    call->made = (struct call_made){0};
}

/* What follows the head of an error response. */
static void write_error(struct writer *out, const struct session_features *features,
                        enum error_code code, const char *message)
{
    const char *name = error_code_name(code);
    if (features->structured_errors) {
        writer_map(out, 2);
        writer_cstr(out, "code");
        writer_cstr(out, name);
        writer_cstr(out, "message");
        writer_cstr(out, message);
    } else {
        writer_str_header(out, strlen(name) + 1 + strlen(message));
        writer_bytes(out, name, strlen(name));
        writer_bytes(out, " ", 1);
        writer_bytes(out, message, strlen(message));
    }
    writer_nil(out);
}

void call_write_error(struct writer *out, uint32_t msgid, const struct session_features *features,
                      enum error_code code, const char *message)
{
    writer_response(out, msgid);
    write_error(out, features, code, message);
}

/* The head of the response, or what has not been sent of it. */
static void write_head(struct call *call)
{
    if (call->answer_begun) writer_response_rest(call->reply, call->msgid);
    else writer_response(call->reply, call->msgid);
}

/* The step of a call that waits for its turn: then its handler runs as if for the first time. */
static enum call_outcome call_wait(struct call *call, uint64_t budget_ns)
{
    if (!table_turn_come(&call->turn)) return CALL_PENDING;
    int merged = table_turn_merge(&call->turn, budget_ns);
    if (merged > 0) return CALL_PENDING;
    call->step = NULL;
    call->waits = false;
    if (merged < 0) return fail_no_memory(call);
    call->waited = true;
    return call->method->handler(call);
}

/* Runs one piece of the call and writes the answer if that ended it. */
static enum call_outcome call_run(struct call *call, uint64_t budget_ns)
{
    static const char scalar[SCALAR_ROOM];
    struct writer *out = call->reply;
    size_t mark = out->length, limit = out->limit, start;
    size_t allowed = call->host->reply_bytes_max, room = call->host->reply_room;
    bool crowded = room != 0 && room < allowed;
    enum call_outcome outcome = CALL_FAILED;

    if (call->wants_reply) {
        write_head(call);
        writer_nil(out);
    }
    start = out->length;
    writer_bytes(out, scalar, sizeof scalar);
    if (out->error != WRITER_OK) {
        call_fail(call, ERROR_OUT_OF_MEMORY, "%s: no memory for the reply", call->method->name);
        if (call->step != NULL && call->abort != NULL) call->abort(call);
        call->step = NULL; /* one that waits does not go on waiting */
        call->waits = false;
    } else {
        writer_rewind(out, start);
        size_t reply_limit = mark + (crowded ? room : allowed);
        if (limit == 0 || reply_limit < limit) out->limit = reply_limit;
        outcome = call->step != NULL ? call->step(call, budget_ns) : call->method->handler(call);
    }
    if (outcome == CALL_DONE && reply_check(call) < 0) outcome = CALL_FAILED;
    if (outcome == CALL_FAILED && call->waits) {
        assert(call->step == NULL && call->state == NULL);
        call->step = call_wait;
        outcome = CALL_PENDING;
    }
    if (outcome == CALL_FAILED && crowded && out->error == WRITER_LIMIT)
        call_fail(call, ERROR_LIMIT,
                  "%s: the reply would be longer than the %zu bytes that other unread replies "
                  "leave of reply-memory; ask for less of it, or later",
                  call->method->name, room);
    call_made_release(call);
    if (outcome != CALL_PENDING) table_turn_end(&call->turn);
    assert(outcome != CALL_DONE || out->length > start);
    assert(outcome != CALL_PENDING || call->step != NULL);
    out->limit = limit;

    if (outcome == CALL_PENDING || !call->wants_reply) {
        writer_rewind(out, mark);
    } else if (outcome == CALL_FAILED) {
        writer_rewind(out, mark);
        write_head(call);
        write_error(out, call->features, call->error, call->message);
    }
    return outcome;
}

static enum call_outcome call_refuse(struct call *call)
{
    if (call->wants_reply)
        call_write_error(call->reply, call->msgid, call->features, call->error, call->message);
    return CALL_FAILED;
}

static enum call_outcome call_bad_arity(struct call *call)
{
    const struct method *m = call->method;
    char wanted[64];
    if (m->params_max == 0) snprintf(wanted, sizeof wanted, "no parameters");
    else if (m->params_max == UINT_MAX)
        snprintf(wanted, sizeof wanted, "%u or more", m->params_min);
    else if (m->params_max == m->params_min) snprintf(wanted, sizeof wanted, "%u", m->params_min);
    else snprintf(wanted, sizeof wanted, "%u to %u", m->params_min, m->params_max);
    call_fail(call, ERROR_BAD_PARAMS, "%s: got %zu parameter%s; %s(%s) takes %s", m->name,
              call->arg_count, call->arg_count == 1 ? "" : "s", m->name, m->params, wanted);
    return call_refuse(call);
}

enum call_outcome call_begin(struct call *call, const struct rpc_message *message,
                             struct writer *out)
{
    assert(message->fault == RPC_FAULT_NONE && message->type != RPC_RESPONSE);
    call->heap = call->host->heap;
    heap_hold_use(call->heap, false); /* that was for the parameters only */
    call->reply = out;
    call->wants_reply = message->type == RPC_REQUEST;
    call->msgid = message->msgid;
    call->message[0] = 0;
    call->made = (struct call_made){0};
    call->step = NULL;
    call->abort = NULL;
    call->state = NULL;
    call->turn = (struct table_turn){.t = NULL};
    call->waits = call->waited = call->answer_begun = false;
    call->method = method_find(message->method, message->method_length);
    if (call->method == NULL) {
        call_fail(call, ERROR_UNKNOWN_METHOD, "there is no method %s; methods() lists them",
                  call_quote(message->method, message->method_length));
        return call_refuse(call);
    }
    if (call->arg_count < call->method->params_min || call->arg_count > call->method->params_max)
        return call_bad_arity(call);
    keys_turn(call->host->keys);
    if (call->method->flags & METHOD_WRITE) keys_evict(call->host->keys, EVICT_CALL_KEYS);
    root_frame_touch(call->heap, call->frame); /* that may have begun a cycle */
    enum call_outcome outcome = call_run(call, 0);
    if (outcome == CALL_FAILED && call->error == ERROR_OUT_OF_MEMORY)
        keys_memory_short(call->host->keys);
    return outcome;
}

enum call_outcome call_resume(struct call *call, uint64_t budget_ns)
{
    keys_turn(call->host->keys);
    return call_run(call, budget_ns);
}

void call_abort(struct call *call)
{
    if (call->abort != NULL) call->abort(call);
    table_turn_end(&call->turn);
}
