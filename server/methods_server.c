/* methods_server.c - the server itself: server.info, server.shutdown. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "server/method_list.h"

#include <unistd.h>

#include "heap/gc.h"
#include "heap/map.h"
#include "heap/text.h"
#include "server/keys.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"

static void section_server(struct call *call, const struct server_info *info)
{
    struct writer *w = call->reply;
    writer_map(w, 4);
    writer_cstr(w, "version");
    writer_cstr(w, PACKAGE_VERSION);
    reply_figure(w, "pid", (uint64_t)getpid());
    reply_figure(w, "uptime_s", info->uptime_s);
    writer_cstr(w, "addresses");
    writer_array(w, info->address_count);
    for (size_t i = 0; i < info->address_count; i++) writer_cstr(w, info->addresses[i]);
}

static void section_clients(struct call *call, const struct server_info *info)
{
    struct writer *w = call->reply;
    writer_map(w, 4);
    reply_figure(w, "clients", info->clients);
    reply_figure(w, "clients_total", info->clients_total);
    reply_figure(w, "requests", info->requests);
    reply_figure(w, "errors", info->errors);
}

static void section_memory(struct call *call, const struct server_info *info)
{
    struct writer *w = call->reply;
    struct heap_stats s;
    (void)info;
    heap_stats(call->heap, &s);
    writer_map(w, 5);
    reply_figure(w, "max_bytes", s.max_bytes);
    reply_figure(w, "used_bytes", s.used_bytes);
    reply_figure(w, "page_bytes", s.page_bytes);
    reply_figure(w, "committed_bytes", s.committed_bytes);
    reply_figure(w, "objects", s.object_count);
}

static void section_gc(struct call *call, const struct server_info *info)
{
    struct writer *w = call->reply;
    struct gc_stats s;
    (void)info;
    gc_stats(call->heap, &s);
    writer_map(w, 7);
    writer_cstr(w, "phase");
    writer_cstr(w, gc_phase_name(gc_phase(call->heap)));
    reply_figure(w, "cycles", s.cycles);
    reply_figure(w, "steps", s.steps);
    reply_figure(w, "step_max_us", s.step.max_ns / 1000);
    reply_figure(w, "collector_us", s.collector_ns / 1000);
    reply_figure(w, "permille_second", s.permille_second);
    reply_figure(w, "permille_minute", s.permille_minute);
}

static void section_keys(struct call *call, const struct server_info *info)
{
    const struct keys *k = call->host->keys;
    value root = keys_root(k);
    (void)info;
    writer_map(call->reply, 4);
    reply_figure(call->reply, "keys", root == VALUE_ABSENT ? 0 : map_count(call->heap, root));
    reply_figure(call->reply, "expiring", k->expiring);
    reply_figure(call->reply, "expired", k->expired);
    reply_figure(call->reply, "evicted", k->evicted);
}

static const struct {
    const char *name;
    void (*write)(struct call *call, const struct server_info *info);
} sections[] = {
    {"server", section_server}, {"clients", section_clients}, {"memory", section_memory},
    {"gc", section_gc},         {"keys", section_keys},
};
#define SECTION_COUNT (sizeof sections / sizeof *sections)

enum call_outcome method_server_info(struct call *call)
{
    struct server_info info = {0};
    value wanted = param(call, 0);
    call->host->info(call->host->server, &info);
    if (wanted == VALUE_NIL) {
        writer_map(call->reply, SECTION_COUNT);
        for (size_t i = 0; i < SECTION_COUNT; i++) {
            writer_cstr(call->reply, sections[i].name);
            sections[i].write(call, &info);
        }
        return CALL_DONE;
    }
    for (size_t i = 0; value_is_text(wanted) && i < SECTION_COUNT; i++) {
        if (!text_equals(call->heap, wanted, sections[i].name, strlen(sections[i].name))) continue;
        sections[i].write(call, &info);
        return CALL_DONE;
    }
    return call_fail(call, ERROR_BAD_PARAMS,
                     "server.info: there is no section %s; there are: server, clients, memory, gc, "
                     "keys",
                     call_quote_value(call, wanted));
}

enum call_outcome method_server_shutdown(struct call *call)
{
    call->host->shutdown(call->host->server);
    return reply_bool(call, true);
}
