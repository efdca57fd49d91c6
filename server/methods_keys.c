/* methods_keys.c - what concerns whole keys: expire, ttl, rename, count, clear. */
#include "server/method_list.h"

#include "heap/list.h"
#include "server/keys.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"

/* Finds the place of a key: not of something inside of it, nor of a handle. 0, or -1 after
 * call_fail. */
static int find_key(struct call *call, size_t index, struct place *place)
{
    value path = call->args[index];
    if (place_find(call, path, PATH_LOOKS, place) < 0) return -1;
    if (place_is_key(call, place)) return 0;
    call_fail(call, ERROR_BAD_PATH, "%s: only whole keys expire; %s is none", call->method->name,
              quote_whole_path(call, path));
    return -1;
}

/* --- expiry -----------------------------------------------------------------------------------*/

/* Reads when the key shall expire: 0: never. Exactly one of `ms` and the option at is given, or
 * neither. What lies before the epoch is its first millisecond. */
static int read_time(struct call *call, value at, uint64_t *expires_ms)
{
    int64_t now_ms = (int64_t)keys_now(call->host->keys), latest = (int64_t)MAP_EXPIRES_MAX, ms = 0;
    bool relative = param(call, 1) != VALUE_NIL;
    *expires_ms = 0;
    if (relative && at != VALUE_ABSENT) {
        call_fail(call, ERROR_BAD_PARAMS,
                  "expire: give either ms or the option at; with at, ms is nil");
        return -1;
    }
    if (!relative && at == VALUE_ABSENT) return 0;
    if (param_int(call, 1, "ms", -latest, latest - now_ms, &ms) < 0 ||
        option_int(call, "at", at, -latest, latest, &ms) < 0)
        return -1;
    if (relative) ms += now_ms;
    *expires_ms = ms > 0 ? (uint64_t)ms : 1;
    return 0;
}

/* Whether the condition holds; a key that never expires has a time later than any. */
static bool condition_holds(int condition, uint64_t old_ms, uint64_t expires_ms)
{
    enum { IF_ABSENT, IF_PRESENT, IF_GREATER, IF_LESS };
    uint64_t old = old_ms ? old_ms : UINT64_MAX, new = expires_ms ? expires_ms : UINT64_MAX;
    switch (condition) {
    case IF_ABSENT: return old_ms == 0;
    case IF_PRESENT: return old_ms != 0;
    case IF_GREATER: return new > old;
    case IF_LESS: return new < old;
    default: return true;
    }
}

enum call_outcome method_expire(struct call *call)
{
    struct keys *k = call->host->keys;
    value at, if_word;
    const struct option known[] = {{"at", &at}, {"if", &if_word}};
    struct place place;
    int condition = -1;
    uint64_t expires_ms, old_ms;
    if (options_read(call, 2, known, 2) < 0 ||
        option_word(call, "if", if_word, "absent present greater less", &condition) < 0 ||
        read_time(call, at, &expires_ms) < 0 || find_key(call, 0, &place) < 0)
        return CALL_FAILED;
    if (!keys_expires(k, &place.key, &old_ms) || !condition_holds(condition, old_ms, expires_ms) ||
        (expires_ms == 0 && old_ms == 0))
        return reply_bool(call, false);
    if (expires_ms && expires_ms <= keys_now(k)) {
        keys_remove(k, &place.key);
        k->expired++;
    } else if (keys_expire(k, &place.key, expires_ms) < 0) {
        return fail_no_memory(call);
    }
    return reply_bool(call, true);
}

enum call_outcome method_ttl(struct call *call)
{
    struct keys *k = call->host->keys;
    struct place place;
    uint64_t expires_ms;
    if (find_key(call, 0, &place) < 0) return CALL_FAILED;
    if (keys_expires(k, &place.key, &expires_ms) && expires_ms != 0)
        return reply_uint(call, expires_ms - keys_now(k));
    writer_nil(call->reply);
    return CALL_DONE;
}

/* --- the rest ---------------------------------------------------------------------------------*/

/* A key that is not part of a path. 0, or -1 after call_fail. */
static int read_key(struct call *call, size_t index, struct place *place)
{
    value key = call->args[index];
    if (value_is_text(key)) return place_find(call, key, 0, place);
    call_fail(call, ERROR_BAD_PARAMS, "%s: a key must be a string or bytes, not %s",
              call->method->name, value_describe(key));
    return -1;
}

enum call_outcome method_rename(struct call *call)
{
    value if_word;
    const struct option known[] = {{"if", &if_word}};
    struct place from, to;
    int only_absent = -1;
    if (options_read(call, 2, known, 1) < 0 ||
        option_word(call, "if", if_word, "absent", &only_absent) < 0 ||
        read_key(call, 0, &from) < 0 || read_key(call, 1, &to) < 0)
        return CALL_FAILED;
    if (from.held == VALUE_ABSENT) return fail_not_found(call, call->args[0]);
    if (only_absent == 0 && to.held != VALUE_ABSENT) return reply_bool(call, false);
    if (text_compare(call->heap, from.path, to.path) == 0) return reply_bool(call, true);
    if (keys_rename(call->host->keys, &from.key, &to.key) < 0) return fail_no_memory(call);
    return reply_bool(call, true);
}

enum call_outcome method_count_keys(struct call *call)
{
    value root = keys_root(call->host->keys);
    return reply_uint(call, root == VALUE_ABSENT ? 0 : map_count(call->heap, root));
}

enum call_outcome method_clear(struct call *call)
{
    keys_clear(call->host->keys);
    return reply_bool(call, true);
}
