/* methods_session.c - ping, hello, methods. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "server/method_list.h"
#include "server/params.h"
#include "server/reply.h"

enum call_outcome method_ping(struct call *call)
{
    struct reply r;
    reply_open(&r, call);
    if (call->arg_count == 0) writer_cstr(call->reply, "PONG");
    return reply_finish(&r, call->arg_count == 0 ? 0 : reply_value(&r, call->args[0]));
}

enum call_outcome method_hello(struct call *call)
{
    value ext, any_keys, structured;
    const struct option known[] = {
        {"ext", &ext}, {"any_keys", &any_keys}, {"structured_errors", &structured}};
    struct session_features features = *call->features;
    if (options_read(call, 0, known, sizeof known / sizeof *known) < 0 ||
        option_bool(call, "ext", ext, &features.ext) < 0 ||
        option_bool(call, "any_keys", any_keys, &features.any_keys) < 0 ||
        option_bool(call, "structured_errors", structured, &features.structured_errors) < 0)
        return CALL_FAILED;

    struct writer *w = call->reply;
    writer_map(w, 5);
    writer_cstr(w, "server");
    writer_cstr(w, "cairn");
    writer_cstr(w, "version");
    writer_cstr(w, PACKAGE_VERSION);
    writer_cstr(w, "ext");
    writer_bool(w, features.ext);
    writer_cstr(w, "any_keys");
    writer_bool(w, features.any_keys);
    writer_cstr(w, "structured_errors");
    writer_bool(w, features.structured_errors);
    if (reply_check(call) < 0) return CALL_FAILED;
    *call->features = features;
    return CALL_DONE;
}

static void write_flags(struct writer *w, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{METHOD_READ, "read"}, {METHOD_WRITE, "write"}, {METHOD_ADMIN, "admin"},
                 {METHOD_LONG, "long"},   {METHOD_FREES, "frees"}};
    flags &= ~(unsigned)METHOD_ROWS; /* which says nothing to clients */
    writer_array(w, (size_t)__builtin_popcount(flags));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags & names[i].flag) writer_cstr(w, names[i].name);
}

enum call_outcome method_methods(struct call *call)
{
    struct writer *w = call->reply;
    writer_array(w, method_count);
    for (size_t i = 0; i < method_count; i++) {
        const struct method *m = &method_list[i];
        writer_map(w, 5);
        writer_cstr(w, "name");
        writer_cstr(w, m->name);
        writer_cstr(w, "params");
        writer_cstr(w, m->params);
        writer_cstr(w, "result");
        writer_cstr(w, m->result);
        writer_cstr(w, "help");
        writer_cstr(w, m->help);
        writer_cstr(w, "flags");
        write_flags(w, m->flags);
    }
    return CALL_DONE;
}
