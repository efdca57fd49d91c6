/* settings.h - every setting of the server, in one table.
 *
 * Each is a command-line option and a line of the configuration file of the same name, and
 * a field of struct settings. Help, manual check and parsing come from the table.
 *
 * Sizes are bytes, with k, m, g, t for powers of 1024 ("512M"); durations milliseconds, with
 * ms, s, min, h. */
#ifndef CAIRN_SERVER_SETTINGS_H
#define CAIRN_SERVER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZE_K ((uint64_t)1 << 10)
#define SIZE_M ((uint64_t)1 << 20)
#define SIZE_G ((uint64_t)1 << 30)
#define SIZE_T ((uint64_t)1 << 40)

/* X(field, "name", TYPE, "default", min, max, "help"). Types: INT, SIZE, DURATION (all
 * uint64_t), BOOL (bool), STRING (char *, never NULL; min and max limit its length). */
#define SERVER_SETTINGS(X)                                                                   \
    X(config, "config", STRING, "", 0, 4095, "configuration file to read")                   \
    X(port, "port", INT, "22476", 0, 65535, "TCP port; 0 takes a free one")                  \
    X(bind, "bind", STRING, "127.0.0.1", 1, 63,                                              \
      "IP address to listen on; \"none\" for no TCP")                                        \
    X(unix_path, "unix", STRING, "", 0, 107, "path of a Unix socket to listen on")           \
    X(insecure, "insecure", BOOL, "no", 0, 1,                                                \
      "listen on other than loopback addresses, though anybody could connect")               \
    X(max_memory, "max-memory", SIZE, "0", 0, SIZE_T,                                        \
      "limit of the heap, from 16m; 0: half of the memory")                             \
    X(memory_policy, "memory-policy", STRING, "refuse", 1, 15,                               \
      "what a full heap does: refuse, evict-lru, evict-lfu or evict-ttl")                    \
    X(log_level, "log-level", STRING, "info", 1, 15, "error, warn, info or debug")           \
    X(log_file, "log-file", STRING, "", 0, 4095, "file to log to instead of standard error") \
    X(clients, "clients", INT, "10000", 1, 1000000, "clients connected at once")             \
    X(request_bytes, "request-bytes", SIZE, "64m", SIZE_K, 4 * SIZE_G, "bytes of a request") \
    X(request_elements, "request-elements", INT, "1000000", 16, 1 << 30,                     \
      "items of a request, nested ones included")                                            \
    X(request_depth, "request-depth", INT, "128", 4, 500, "nesting of a request")            \
    X(request_time, "request-time", DURATION, "60s", 0, 86400000,                            \
      "time for a begun request to go on by 4 KB a second; 0: any")                          \
    X(request_memory, "request-memory", SIZE, "0", 0, SIZE_T,                                \
      "memory of all unfinished requests; 0: 256m, or an eighth of max-memory")              \
    X(call_paths, "call-paths", INT, "10000", 1, 1 << 24,                                    \
      "paths, handles, or members of sets that one call takes")                              \
    X(reply_bytes, "reply-bytes", SIZE, "16m", SIZE_K, 4 * SIZE_G, "bytes of a reply")       \
    X(reply_elements, "reply-elements", INT, "1000000", 16, 1 << 30,                         \
      "items of a reply, keys and nested ones included")                                     \
    X(pending_reply_pause, "pending-reply-pause", SIZE, "1m", SIZE_K, 4 * SIZE_G,            \
      "bytes of unread replies at which a client's requests wait")                           \
    X(pending_reply_bytes, "pending-reply-bytes", SIZE, "128m", SIZE_K, 8 * SIZE_G,          \
      "bytes of unread replies at which a client is dropped")                                \
    X(pending_reply_time, "pending-reply-time", DURATION, "60s", 0, 86400000,                \
      "time without reading 4 KB a second after which a client is dropped; 0: never")        \
    X(reply_memory, "reply-memory", SIZE, "256m", SIZE_M, SIZE_T,                            \
      "memory for the unread replies of all clients, and for requests that wait")            \
    X(idle_time, "idle-time", DURATION, "0", 0, 86400000 * 30ull,                            \
      "time without a request after which a client is dropped; 0: never")                    \
    X(handles, "handles", INT, "10000", 0, 1 << 24, "handles held by one client")            \
    X(table_cursors, "table-cursors", INT, "64", 0, 65536,                                   \
      "scans, exports and imports of tables that one client has open")                        \
    X(table_cursor_time, "table-cursor-time", DURATION, "60s", 0, 86400000,                  \
      "time after which a scan that is not read on is closed; 0: never")                     \
    X(table_import_memory, "table-import-memory", SIZE, "64m", SIZE_K, SIZE_T,               \
      "memory for what is not whole yet of one import")                                       \
    X(table_query_memory, "table-query-memory", SIZE, "0", 0, SIZE_T,                        \
      "memory that one query of a table may use; 0: 1g")                                     \
    X(shapes, "shapes", INT, "0", 0, 1 << 24, "record shapes alive at once; 0: 65536")    \
    X(weak_slots, "weak-slots", INT, "0", 0, 1 << 28,                                        \
      "targets of weak references at once; 0: 16777216")                                     \
    X(intern_strings, "intern-strings", INT, "128", 0, 254,                                  \
      "bytes of strings inside containers that are stored once if they repeat; 0: none")     \
    X(huge_pages, "huge-pages", BOOL, "no", 0, 1,                                            \
      "ask the system for pages of 2 MiB: marks faster, takes more, pauses longer")          \
    X(turn_requests, "turn-requests", INT, "1000", 1, 1 << 20,                               \
      "requests of a client that run before the next client's turn")                         \
    X(turn_bytes, "turn-bytes", SIZE, "256k", SIZE_K, SIZE_G,                                \
      "bytes of requests of a client that run before the next client's turn")                \
    X(turn_time, "turn-time", DURATION, "1ms", 1, 1000,                                      \
      "time that requests of a client run before the next client's turn")                    \
    X(shutdown_time, "shutdown-time", DURATION, "5s", 0, 600000,                             \
      "time that calls and replies under way get at shutdown")                               \
    X(verify, "verify", BOOL, "no", 0, 1, "check the whole heap at shutdown (for tests)")

#define SETTING_C_TYPE_INT uint64_t
#define SETTING_C_TYPE_SIZE uint64_t
#define SETTING_C_TYPE_DURATION uint64_t
#define SETTING_C_TYPE_BOOL bool
#define SETTING_C_TYPE_STRING char *

struct settings {
#define X(field, name, type, initial, min, max, help) SETTING_C_TYPE_##type field;
    SERVER_SETTINGS(X)
#undef X
};

/* What the command line asks for beside settings. */
enum settings_action { SETTINGS_RUN, SETTINGS_CHECK, SETTINGS_HELP, SETTINGS_VERSION };

/* The defaults. 0 or -ENOMEM. */
int settings_init(struct settings *s);
void settings_close(struct settings *s);

/* The functions below return 0, or -EINVAL (-ENOMEM, …) with a sentence in `error` that
 * names the setting, what was wrong and what would be right. */

/* `text` becomes the value of the setting `name`. */
int settings_set(struct settings *s, const char *name, const char *text, char *error,
                 size_t error_size);
/* Reads lines `name = value`. The sentence begins with file and line. */
int settings_read_file(struct settings *s, const char *path, char *error, size_t error_size);
/* The command line, and the file that it names; what the command line says wins. */
int settings_read_arguments(struct settings *s, int argc, char **argv,
                            enum settings_action *action, char *error, size_t error_size);
/* What only shows when all are known (one limit below another). */
int settings_check(const struct settings *s, char *error, size_t error_size);

/* The value of the setting `name` as the file would have it; false if there is none. */
bool settings_get(const struct settings *s, const char *name, char *out, size_t size);
/* The n-th name, NULL at the end. */
const char *settings_name(size_t index);
/* The text of --help, to standard output. */
void settings_print_help(void);

#endif
